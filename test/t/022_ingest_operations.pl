# What happens around a running stream: errors at its creation, its table altered, privileges
# taken, retention, partitions added, databases dropped and copied, a standby promoted.
use strict;
use warnings;

use EcIngest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $t = EcIngest->new(streaming => 1, server => { 'reconnect.backoff.max.ms' => 500 });
my ($kafka, $node) = ($t->kafka, $t->node);
$kafka->create_topic($_, 2) for qw(t grow);
$kafka->create_topic($_, 1) for qw(old faults);
$t->sql('CREATE TABLE e (id bigint, text text) USING ecinsight_columnar');

my $next = 1;
# n rows in a message to each of the partitions; returns the number of the last row
sub produce
{
	my ($topic, $n, @partitions) = @_;
	foreach my $p (@partitions) { $kafka->produce($topic, $p, [ join '', map { $next++ . ",row\n" } 1 .. $n ]) }
	return $next - 1;
}

# ---- refused at creation ----
sub create { my ($topic, $more) = @_; return "SELECT ecinsight.create_stream('s', 'k', '{$topic}', 'e', max_delay => '50 ms'" . ($more // '') . ')' }
like($t->sql_error(create('absent')), qr/ERROR:  topic "absent" does not exist on server "k"/, 'no such topic');
$t->make_server('nobody', 'bootstrap.servers' => '127.0.0.1:1');
like($t->sql_error("SELECT ecinsight.create_stream('s', 'nobody', '{t}', 'e')"),
	qr/ERROR:  could not reach Kafka by server "nobody"\nDETAIL:  .*127\.0\.0\.1:1.*refused/, 'no broker');
$t->sql("BEGIN; SELECT ecinsight.create_stream('s', 'nobody', '{t}', 'e', connect => false); ROLLBACK");
is($t->sql('SELECT count(*) FROM ecinsight.streams'), '0', 'nothing is left of a rolled back stream');

# ---- the table changes under the stream ----
$t->sql(create('t'));
my $last = produce('t', 100, 0, 1);
$t->wait_stream('s');
is($t->sql('SELECT count(*), max(id) FROM e'), "200|$last", 'rows are there');
$t->sql('TRUNCATE e');
produce('t', 10, 0, 1);
$t->wait_stream('s');
is($t->sql('SELECT count(*) FROM e'), '20', 'TRUNCATE');
$t->sql('ALTER TABLE e RENAME TO e2; ALTER TABLE e2 RENAME COLUMN text TO words');
produce('t', 10, 0, 1);
$t->wait_stream('s');
is($t->sql('SELECT count(words) FROM e2'), '40', 'RENAME');
# altered while a batch is gathered: it is read again, by the new shape, in the same process
$t->sql(q(CREATE TABLE slow (id bigint, text text) USING ecinsight_columnar;
	SELECT ecinsight.create_stream('slow', 'k', '{faults}', 'slow', max_delay => '1500 ms')));
ok($t->wait_state('slow', 'running'), 'a stream that gathers for a while');
my $pid = $t->sql(q(SELECT pid FROM ecinsight.streams WHERE name = 'slow'));
$kafka->produce('faults', 0, [ "1,x\n", "2,y,3\n" ]);
sleep 1;
$t->sql('ALTER TABLE slow ADD COLUMN more int');
$t->wait_stream('slow');
is($t->sql('SELECT id, text, more FROM slow ORDER BY id'), '2|y|3', 'ADD COLUMN');
is($t->sql('SELECT message_offset, row_number, reason FROM ecinsight.dead_letters'), '0|1|field_count', 'a row of the old shape is a dead letter');
is($t->sql(q(SELECT pid FROM ecinsight.streams WHERE name = 'slow')), $pid, 'no worker died of it');
# a header that was renamed away from: told, not silent
$kafka->produce('faults', 0, [ "id,text,more\n3,z,4\n" ]);
$t->wait_stream('slow');
is($t->last_error('slow'), '', 'a header that names all columns');
$t->sql('ALTER TABLE slow RENAME COLUMN text TO words');
my $log = -s $node->logfile;
$kafka->produce('faults', 0, [ "id,text,more\n4,z,5\n", "id,text,more\n5,z,6\n" ]);
$t->wait_stream('slow');
is($t->sql('SELECT id, words, more FROM slow WHERE id > 3 ORDER BY id'), "4||5\n5||6", 'a field without a column is ignored');
my $note = q(the header differs from the table's columns: NULL will be stored in "words"; ignored are the fields "text");
is($t->state('slow') . ': ' . $t->last_error('slow'), "running: $note", 'the running stream says so');
is(scalar(() = slurp_file($node->logfile, $log) =~ /WARNING:  stream "slow": \Q$note\E/g), 1, 'and the log, once');
$t->sql(q(SELECT ecinsight.drop_stream('slow')));
$kafka->recreate_topic('faults', 1);
$t->sql('ALTER TABLE e2 ADD COLUMN more int');
$t->sql('ALTER TABLE e2 DROP COLUMN more');
produce('t', 10, 0, 1);
$t->wait_stream('s');
is($t->sql('SELECT count(words) FROM e2'), '60', 'DROP COLUMN');
is($t->sql("SELECT count(*) FROM ecinsight.streams WHERE state = 'running'"), '1', 'still running');

# ---- privileges ----
$t->sql(<<'SQL');
CREATE ROLE loader NOLOGIN;
CREATE TABLE own (id bigint, text text) USING ecinsight_columnar;
GRANT INSERT ON own TO loader; GRANT USAGE ON FOREIGN SERVER k TO loader;
SET ROLE loader;
SELECT ecinsight.create_stream('l', 'k', '{t}', 'own', max_delay => '50 ms');
SQL
$t->wait_stream('l');
is($t->sql('SELECT count(*) FROM own'), '260', 'a role that cannot log in owns a stream');
is($t->sql('SET ROLE loader; SELECT string_agg(name, \',\') FROM ecinsight.streams'), 'l', 'and sees only its own');
is($t->sql('SET ROLE loader; SELECT string_agg(DISTINCT stream, \',\') FROM ecinsight.stream_partitions'), 'l', 'nor other positions');
$t->sql('REVOKE INSERT ON own FROM loader');
produce('t', 10, 0);
ok($t->wait_state('l', 'retrying'), 'a revoked privilege holds the stream up');
is($t->last_error('l'), 'permission denied for table own', 'with the reason');
$t->sql('GRANT INSERT ON own TO loader');
$t->wait_stream('l');
is($t->sql('SELECT count(*) FROM own'), '270', 'granted again, it goes on');
like($t->sql_error("SET ROLE loader; SELECT ecinsight.pause_stream('s')"), qr/must be owner of stream "s"/, "another's stream");
# a new stream of the same number, as after CREATE EXTENSION anew, has no part in it
isnt($t->last_error('l'), '', 'the last error is kept');
my $id = $t->sql("SELECT stream_id FROM ecinsight.stream WHERE name = 'l'");
$t->sql("BEGIN; SELECT ecinsight.drop_stream('l'); ALTER SEQUENCE ecinsight.stream_stream_id_seq RESTART WITH $id;
	SELECT ecinsight.create_stream('m', 'k', '{t}', 'own', max_delay => '50 ms'); COMMIT");
$t->wait_stream('m');
is($t->sql("SELECT stream_id, last_error, last_error_at FROM ecinsight.stream JOIN ecinsight.streams USING (name) WHERE name = 'm'"),
	"$id||", "a new stream doesn't inherit it");
$t->sql("SELECT ecinsight.drop_stream('m')");

# ---- connection altered: the worker starts anew with it ----
my $before = $t->sql("SELECT pid FROM ecinsight.streams WHERE name = 's'");
$t->sql(q(ALTER SERVER k OPTIONS (ADD "client.id" 'other')));
ok($t->wait_until("SELECT pid <> $before FROM ecinsight.streams WHERE name = 's' AND state = 'running'", 30), 'ALTER SERVER');

# ---- faults that stop ----
$t->sql(<<'SQL');
CREATE TABLE f (id bigint) USING ecinsight_columnar;
SELECT ecinsight.create_stream('strict', 'k', '{faults}', 'f', max_delay => '50 ms', on_error => 'stop');
SELECT ecinsight.create_stream('patient', 'k', '{faults}', 'f', max_delay => '50 ms', max_errors => 2);
SQL
$kafka->produce('faults', 0, [ "1\n2\n", "3\nx\n4\n" ]);
ok($t->wait_state('strict', 'failed'), 'on_error => stop');
like($t->last_error('strict'), qr/^topic "faults", partition 0, offset 1, row 2: /, 'says where');
is($t->sql("SELECT next_offset FROM ecinsight.stream_partitions WHERE stream = 'strict'"), '1', 'and stands before the message');
like($t->sql_error("SELECT ecinsight.wait_for_stream('strict')"), qr/stream "strict" is not running: it is failed/, 'no wait for it');
$t->wait_stream('patient');
$kafka->produce('faults', 0, [ "y\nz\n5\n" ]);
ok($t->wait_state('patient', 'failed'), 'max_errors');
is($t->sql("SELECT next_offset, rows FROM ecinsight.stream_partitions WHERE stream = 'patient'"), '3|5', 'the batch that had too many is stored');
is($t->sql("SELECT count(*) FROM ecinsight.dead_letters WHERE stream = 'patient'"), '3', 'with its dead letters');
$t->sql("SELECT ecinsight.resume_stream('patient')");
$t->wait_stream('patient');
ok($t->wait_state('patient', 'running'), 'resumed, it counts anew');
$t->sql("SELECT ecinsight.drop_stream('strict'), ecinsight.drop_stream('patient')");

# ---- the target is gone ----
$t->sql("SELECT ecinsight.create_stream('lost', 'k', '{faults}', 'f', max_delay => '50 ms')");
$t->wait_stream('lost');
$t->sql('DROP TABLE f');
$kafka->produce('faults', 0, [ "6\n" ]);
ok($t->wait_state('lost', 'failed'), 'DROP TABLE');
is($t->last_error('lost'), 'the target table does not exist any more', 'says so');
$t->sql("SELECT ecinsight.drop_stream('lost')");

# ---- retention has passed the saved offset ----
$t->sql('CREATE TABLE r (id bigint, text text) USING ecinsight_columnar');
$t->sql("SELECT ecinsight.create_stream('$_->[0]', 'k', '{old}', 'r', max_delay => '50 ms', out_of_range => '$_->[1]')")
	for [ 'halt', 'stop' ], [ 'go', 'earliest' ];
produce('old', 1, 0, 0, 0);
$t->wait_stream($_) for qw(halt go);
$t->sql("SELECT ecinsight.pause_stream('halt'), ecinsight.pause_stream('go')");
ok($t->wait_state($_, 'paused'), "$_ is paused") for qw(halt go);
produce('old', 1, 0, 0, 0, 0);
$kafka->delete_records('old', 0, 5);
$t->sql("SELECT ecinsight.resume_stream('halt'), ecinsight.resume_stream('go')");
ok($t->wait_state('halt', 'failed'), 'out of range: stops by default');
like($t->last_error('halt'), qr/^offset 3 is out of range in partition 0 of topic "old"/, 'says what is missing');
$t->wait_stream('go');
is($t->sql("SELECT next_offset, rows FROM ecinsight.stream_partitions WHERE stream = 'go'"), '7|5', 'goes on if told to');
is($t->sql("SELECT partition, message_offset, reason, error, raw FROM ecinsight.dead_letters WHERE stream = 'go'"),
	'0|3|offset_gap|offset 3 is out of range; the stream goes on at offset 5|', 'and records the gap');
$t->sql("SELECT ecinsight.drop_stream('halt'), ecinsight.drop_stream('go')");

# ---- partitions added are read from their beginning, even with start => latest ----
$t->sql('CREATE TABLE g (id bigint, text text) USING ecinsight_columnar');
$t->sql("SELECT ecinsight.create_stream('g', 'k', '{grow}', 'g', max_delay => '50 ms', start => 'latest')");
ok($t->wait_state('g', 'running'), 'a stream of a topic that will grow');
$kafka->create_partitions('grow', 3);
produce('grow', 7, 2);
# asked for twice a minute; a restart asks at once
$t->sql("SELECT pg_terminate_backend(pid) FROM ecinsight.streams WHERE name = 'g'");
ok($t->wait_until('SELECT count(*) = 7 FROM g'), 'a new partition is read from 0');
$t->sql("SELECT ecinsight.drop_stream('g')");

# ---- databases ----
$t->sql('CREATE DATABASE d');
$node->safe_psql('d', qq(CREATE EXTENSION ecinsight;
	CREATE SERVER k FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" '${\ $kafka->bootstrap}');
	CREATE TABLE e (id bigint, text text) USING ecinsight_columnar;
	SELECT ecinsight.create_stream('s', 'k', '{t}', 'e', max_delay => '50 ms')));
$node->safe_psql('d', "SELECT ecinsight.wait_for_stream('s', '30 s')");
$t->sql('CREATE DATABASE copy TEMPLATE d');
is($node->safe_psql('copy', 'SELECT count(*) FROM e'), $node->safe_psql('d', 'SELECT count(*) FROM e'), 'CREATE DATABASE … TEMPLATE while the stream runs');
ok($node->poll_query_until('copy', q(SELECT state = 'paused' AND last_error ~ 'copy of the database' FROM ecinsight.streams)), "a copy's streams are paused");
ok($node->poll_query_until('d', q(SELECT state = 'running' FROM ecinsight.streams)), "the original's go on");
$node->safe_psql('copy', "SELECT ecinsight.resume_stream('s')");
produce('t', 5, 0);
$node->safe_psql($_, "SELECT ecinsight.wait_for_stream('s', '30 s')") for qw(d copy);
is($node->safe_psql('copy', 'SELECT count(*) FROM e'), $node->safe_psql('d', 'SELECT count(*) FROM e'), "unless their owner says so");
$t->sql('ALTER DATABASE copy RENAME TO renamed');
$t->sql('DROP DATABASE renamed');
$node->safe_psql('d', 'DROP EXTENSION ecinsight CASCADE');
ok($t->wait_until(q(SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'd')), 'DROP EXTENSION ends the workers');
$t->sql('DROP DATABASE d');

# ---- max_worker_processes ----
$node->append_conf('postgresql.conf', 'max_worker_processes = 3');
$node->restart;
$t->sql('CREATE TABLE two (id bigint, text text) USING ecinsight_columnar');
ok($t->wait_state('s', 'running'), 'one process is left for a stream');
$t->sql("SELECT ecinsight.create_stream('two', 'k', '{t}', 'two', max_delay => '50 ms')");
sleep 2;
is($t->state('two'), 'waiting', 'none for another');
$t->sql("SELECT ecinsight.drop_stream('two')");

# ---- a standby rests until it is promoted ----
$node->append_conf('postgresql.conf', 'max_worker_processes = 16');
$node->restart;
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
produce('t', 50, 0, 1);
$t->wait_stream('s');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $rows = $node->safe_psql('postgres', 'SELECT count(*), sum(id) FROM e2');
is($standby->safe_psql('postgres', 'SELECT count(*), sum(id) FROM e2'), $rows, 'the standby has the same rows');
is($standby->safe_psql('postgres', 'SELECT state FROM ecinsight.streams'), 'standby', 'its stream rests');
$node->stop('immediate');
produce('t', 50, 0, 1);
$standby->promote;
ok($standby->poll_query_until('postgres', q(SELECT state = 'running' FROM ecinsight.streams)), 'promoted, it runs');
$standby->safe_psql('postgres', "SELECT ecinsight.wait_for_stream('s', '30 s')");
is($standby->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM e2'), join('|', (160 + 100 + 5 + 10) x 2), 'and misses nothing');

# ---- a broker that is away when the server starts ----
$kafka->stop;
$standby->restart;
ok($standby->poll_query_until('postgres', q(SELECT state = 'reconnecting' FROM ecinsight.streams)), 'the broker is away');
like($standby->safe_psql('postgres', 'SELECT last_error FROM ecinsight.streams'), qr/refused/, 'says why');
$kafka->start;
ok($standby->poll_query_until('postgres', q(SELECT state = 'running' FROM ecinsight.streams)), 'and back');
$standby->stop;
done_testing();
