# A topic flows into a table: formats of messages, faulty rows, states of a stream.
use strict;
use warnings;

use EcIngest;
use PostgreSQL::Test::Utils;
use Test::More;

my $t = EcIngest->new;
my $kafka = $t->kafka;
$kafka->create_topic('t', 2);
$t->sql(<<'SQL');
CREATE TABLE e (id bigint, at timestamptz, name text, price numeric(10,2), n int NOT NULL DEFAULT 7) USING ecinsight_columnar;
CREATE TABLE copy (LIKE e);
SELECT ecinsight.create_stream('s', 'k', '{t}', 'e', max_delay => '100 ms');
SQL
ok($t->wait_state('s', 'running'), 'the stream runs');

# Before any header: the table's order.  Then a header with another order, one column unknown, one missing.
$kafka->produce('t', 0, [ "1,2019-10-01 00:00:00 UTC,a,1.50,10\n2,2019-10-01 00:00:01 UTC,\"b, \"\"c\"\"\",2,11\n" ]);
$t->wait_stream('s');
is($t->sql('SELECT id, at AT TIME ZONE \'UTC\', name, price, n FROM e ORDER BY id'),
	"1|2019-10-01 00:00:00|a|1.50|10\n2|2019-10-01 00:00:01|b, \"c\"|2.00|11", 'rows by the order of columns');
$kafka->produce('t', 0, [ "name,id,n,what\r\nd,3,12,x\r\n,4,13,y\r\n\"\",5,14,z", undef, '' ]);
$t->wait_stream('s');
is($t->sql('SELECT id, at, name, price, n FROM e WHERE id > 2 ORDER BY id'),
	"3||d||12\n4||||13\n5||||14", 'rows by the order of a header, blanks as NULL');
is($t->sql('SELECT id FROM e WHERE name = \'\''), '5', 'a quoted blank is an empty string');
is($t->sql("SELECT header FROM ecinsight.streams"), '{name,id,n,what}', 'the header is kept');
my $note = q(the header differs from the table's columns: NULL will be stored in "at", "price"; ignored are the fields "what");
is($t->last_error('s'), $note, 'what it leaves out is told');
is($t->sql("SELECT next_offset, high_watermark, lag_messages, lag_seconds FROM ecinsight.stream_partitions WHERE partition = 0"),
	'4|4|0|0', 'tombstone and empty message are consumed');

# The order stays in force in the other partition, and after a restart of the server.
$kafka->produce('t', 1, [ "e,6,15,\n" ]);
$t->wait_stream('s');
$t->node->restart;
$kafka->produce('t', 1, [ "f,7,16,\n" ]);
ok($t->wait_until(q(SELECT state = 'running' FROM ecinsight.streams)), 'it runs again after a restart');
$t->wait_stream('s');
is($t->sql('SELECT id, name, n FROM e WHERE id > 5 ORDER BY id'), "6|e|15\n7|f|16", 'order kept across partitions and restart');
is($t->last_error('s'), $note, 'and told again');

# Faulty rows among good ones.
$kafka->produce('t', 1, [ "id,at,name,price,n\n"
	. "8,2019-10-01 00:00:00,ok,1,1\n"              # 1
	. "x,2019-10-01 00:00:00,bad id,1,1\n"          # 2
	. "2.05301E+18,2019-10-01,excel,1,1\n"          # 3
	. "9,2019-10-01,ok,1,1\n"                       # 4
	. "10,2019-13-01,bad month,1,1\n"               # 5
	. "11,2019-10-01,too dear,123456789.00,1\n"     # 6
	. "12,2019-10-01,no n,1,\n"                     # 7
	. "13,2019-10-01,few\n"                         # 8
	. "14,2019-10-01,nul\0byte,1,1\n"               # 9
	. "15,2019-10-01,\xff\xfe,1,1\n"                # 10
	. "16,2019-10-01,ok,1,1\n"                      # 11
	. "17,2019-10-01,\"open,1,1\n" ]);              # 12
$t->wait_stream('s');
is($t->sql('SELECT string_agg(id::text, \',\' ORDER BY id) FROM e WHERE id > 7'), '8,9,16', 'neighbours of faulty rows are kept');
is($t->sql(<<'SQL'), <<'OUT' =~ s/\n$//r, 'faulty rows are dead letters, each with its place and reason');
SELECT stream, topic, partition, message_offset, row_number, reason FROM ecinsight.dead_letters ORDER BY row_number
SQL
s|t|1|2|2|invalid_value
s|t|1|2|3|invalid_value
s|t|1|2|5|out_of_range
s|t|1|2|6|out_of_range
s|t|1|2|7|not_null
s|t|1|2|8|field_count
s|t|1|2|9|nul_byte
s|t|1|2|10|invalid_encoding
s|t|1|2|12|open_quote
OUT
is($t->sql(q(SELECT convert_from(raw, 'UTF8') FROM ecinsight.dead_letters WHERE row_number = 6)),
	'11,2019-10-01,too dear,123456789.00,1', 'with the raw text');
is($t->sql('SELECT rows, dead_letters FROM ecinsight.stream_batches ORDER BY committed_at DESC LIMIT 1'), '3|9', 'the batch is on record');
is($t->sql('SELECT messages, rows, errors FROM ecinsight.stat_stream'), '7|10|9', 'totals');

# pause, resume, stop, drop
$t->sql(q(SELECT ecinsight.pause_stream('s')));
ok($t->wait_state('s', 'paused'), 'paused');
like($t->sql_error(q(SELECT ecinsight.wait_for_stream('s'))), qr/stream "s" is not running: it is paused/, 'no wait for a paused stream');
$kafka->produce('t', 0, [ "id,n\n100,1\n" ]);
sleep 1;
is($t->sql('SELECT count(*) FROM e WHERE id = 100'), '0', 'nothing is read meanwhile');
$t->sql(q(SELECT ecinsight.resume_stream('s')));
$t->wait_stream('s');
is($t->sql('SELECT count(*) FROM e WHERE id = 100'), '1', 'resumed');
$t->sql(q(BEGIN; SELECT ecinsight.stop_stream('s'); ROLLBACK));
is($t->state('s'), 'running', 'a rollback changes nothing');
$t->sql(q(SELECT ecinsight.stop_stream('s')));
ok($t->wait_state('s', 'stopped'), 'stopped');
$t->sql(q(SELECT ecinsight.drop_stream('s')));
is($t->sql(q(SELECT (SELECT count(*) FROM ecinsight.streams), (SELECT count(*) FROM ecinsight.stream_offset), (SELECT count(*) FROM ecinsight.dead_letter))),
	'0|0|0', 'dropped');
ok($t->wait_until(q(SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ecinsight stream')), 'no worker is left');

# Another begins where it is told to.
$t->sql('TRUNCATE e');
$t->sql(q(SELECT ecinsight.create_stream('late', 'k', '{t}', 'e', start => 'latest', max_delay => '100 ms')));
$kafka->produce('t', 0, [ "id,at,name,price,n\n200,,,,1\n" ]);
$t->wait_stream('late');
is($t->sql('SELECT string_agg(id::text, \',\' ORDER BY id) FROM e'), '200', 'latest: only what came after create_stream');
$t->sql(q(SELECT ecinsight.drop_stream('late'); TRUNCATE e));
$t->sql(q(SELECT ecinsight.create_stream('by offset', 'k', '{t}', 'e', start => '{"0": 4, "1": 3}', max_delay => '100 ms')));
$t->wait_stream('by offset');
is($t->sql('SELECT string_agg(id::text, \',\' ORDER BY id) FROM e'), '100,200', 'offsets by partition');
$t->sql(q(SELECT ecinsight.drop_stream('by offset'); TRUNCATE e));
$kafka->produce('t', 1, [ { value => "1,,,,1\n", timestamp => 1_000_000 } ]);
$kafka->create_topic('times', 1);
$kafka->produce('times', 0, [ map { { value => "$_,,,,1\n", timestamp => 1_500_000_000_000 + $_ * 1000 } } 1 .. 9 ]);
$t->sql(q(SELECT ecinsight.create_stream('by time', 'k', '{times}', 'e', start => '2017-07-14 02:40:05.5+00', max_delay => '100 ms')));
$t->wait_stream('by time');
is($t->sql('SELECT string_agg(id::text, \',\' ORDER BY id) FROM e'), '6,7,8,9', 'a point in time');
$t->sql(q(SELECT ecinsight.drop_stream('by time'); TRUNCATE e));

# Columns that messages don't give, CHECK constraints, domains.
$t->sql(<<'SQL');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE numbers;
CREATE TABLE checked (id bigint, a int CHECK (100 / a > 0), b positive, made text DEFAULT 'by ' || current_user,
	serial bigint DEFAULT nextval('numbers'), UNIQUE_ID int GENERATED ALWAYS AS IDENTITY) USING ecinsight_columnar;
CREATE TABLE other (a int) USING ecinsight_columnar;
SELECT ecinsight.create_stream('c', 'k', '{checked}', 'checked', options => '{"columns": ["id", "a", "b"], "header": false}',
	max_delay => '100 ms', connect => false);
SQL
ok($t->wait_until(q(SELECT state = 'reconnecting' AND last_error ~ 'topic "checked" does not exist' FROM ecinsight.streams WHERE name = 'c')),
	'a topic that does not exist yet is waited for');
$kafka->create_topic('checked', 1);
$kafka->produce('checked', 0, [ "1,1,1\n2,101,1\n3,0,1\n4,5,0\n5,2,2\n", "6,,\n" ]);
ok($t->wait_until(q(SELECT count(*) = 3 FROM checked)), 'read when it was created');
is($t->sql('SELECT id, made, serial > 0, unique_id > 0 FROM checked ORDER BY id'), "1|by postgres|t|t\n5|by postgres|t|t\n6|by postgres|t|t", 'defaults are filled');
is($t->sql('SELECT row_number, reason, error FROM ecinsight.dead_letters ORDER BY row_number'),
	"2|check_violation|new row for relation \"checked\" violates check constraint \"checked_a_check\"\n"
	  . "3|check_violation|division by zero\n4|type_input|column \"b\": value for domain public.positive violates check constraint \"positive_check\"",
	'constraints refuse single rows');

# A message with more rows than a row group may hold, and a great number of small ones.
$kafka->create_topic('sizes', 1, 'max.message.bytes' => 50_000_000);
$t->sql(<<'SQL');
CREATE TABLE sizes (id bigint, x int) USING ecinsight_columnar;
SELECT ecinsight.create_stream('sizes', 'k', '{sizes}', 'sizes', max_delay => '100 ms');
SQL
my $n = 0;
open(my $csv, '>', "$PostgreSQL::Test::Utils::tmp_check/big.csv") or die;
print {$csv} $n % 500_000 == 499_999 ? (++$n, "bad\n") : (++$n, ",1\n") while $n < 1_200_000;
close $csv;
system('kcat', '-P', '-b', $kafka->bootstrap, '-t', 'sizes', '-X', 'message.max.bytes=50000000', '-z', 'lz4', "$PostgreSQL::Test::Utils::tmp_check/big.csv") == 0
  or die 'kcat';
$t->wait_stream('sizes');
is($t->sql('SELECT count(*), count(DISTINCT id), max(id) FROM sizes'), '1199998|1199998|1200000', 'a message of 1.2 million rows');
is($t->sql(q(SELECT string_agg(row_number::text, ',' ORDER BY row_number) FROM ecinsight.dead_letters WHERE stream = 'sizes')), '500000,1000000',
	'and its faulty rows, once');
$t->sql('TRUNCATE sizes');
open($csv, '>', "$PostgreSQL::Test::Utils::tmp_check/small.csv") or die;
print {$csv} "$_,2\n" foreach 1 .. 200_000;
close $csv;
system("kcat -P -b @{[ $kafka->bootstrap ]} -t sizes < $PostgreSQL::Test::Utils::tmp_check/small.csv") == 0 or die 'kcat';
$t->wait_stream('sizes');
is($t->sql('SELECT count(*), count(DISTINCT id), min(x) FROM sizes'), '200000|200000|2', '200,000 messages of a row');

$t->node->stop;
done_testing();
