# Mistakes of the set-up are told, and no row is lost to them: constraints that cannot be checked,
# offsets that aren't there, prepared transactions; and a message larger than a row group behind
# faulty rows; the extension made anew under a running stream.
use strict;
use warnings;

use EcIngest;
use PostgreSQL::Test::Utils;
use Test::More;

my $t = EcIngest->new(conf => "max_prepared_transactions = 2\n", kafka => { 'message.max.bytes' => 50000000 });
my $kafka = $t->kafka;
$kafka->create_topic($_, 1) for qw(t big);
$t->sql('CREATE TABLE e (id bigint) USING ecinsight_columnar');

# ---- a constraint that cannot be checked is not the rows' fault ----
$t->sql(<<'SQL');
CREATE TABLE allowed (id bigint);
CREATE FUNCTION is_allowed(bigint) RETURNS boolean LANGUAGE plpgsql AS
	'BEGIN RETURN $1 NOT IN (SELECT a.id FROM public.allowed a); END';
CREATE TABLE checked (id bigint CHECK (is_allowed(id))) USING ecinsight_columnar;
CREATE ROLE loader NOLOGIN;
GRANT INSERT ON checked TO loader; GRANT USAGE ON FOREIGN SERVER k TO loader;
SET ROLE loader;
SELECT ecinsight.create_stream('c', 'k', '{t}', 'checked', max_delay => '50 ms');
SQL
$kafka->produce('t', 0, [ "1\n2\n3\n" ]);
ok($t->wait_state('c', 'retrying'), 'a constraint that lacks a privilege stops the stream');
is($t->last_error('c'), 'permission denied for table allowed', 'says why');
is($t->sql('SELECT count(*) FROM ecinsight.dead_letters'), '0', 'no row is refused for it');
$t->sql('GRANT SELECT ON allowed TO loader');
$t->wait_stream('c');
is($t->sql('SELECT count(*) FROM checked'), '3', 'granted, the rows are there');
$t->sql(q(SELECT ecinsight.drop_stream('c')));

# ---- offsets given at the start ----
sub start { return "SELECT ecinsight.create_stream('o', 'k', '{t}', 'e', max_delay => '50 ms', start => '$_[0]'" . ($_[1] // '') . ')' }
like($t->sql_error(start('{"0": 2}')), qr/ERROR:  offset 2 is out of range in partition 0 of topic "t"\nDETAIL:  The partition's offsets go from 0 to 1\./, 'an offset beyond the end');
like($t->sql_error(start('{"1": 0}')), qr/ERROR:  start names partition 1, which does not exist/, 'a partition that is not there');
like($t->sql_error(start('{"0": 0.5}')), qr/ERROR:  invalid start/, 'no integer');
$t->sql(start('{"0": 1}') . "; SELECT ecinsight.drop_stream('o')");
$t->sql(start('{"0": 2}', ", out_of_range => 'latest'") . "; SELECT ecinsight.drop_stream('o')");

# ---- two-phase commit ----
like($t->sql_error('BEGIN; ' . start('earliest') . "; PREPARE TRANSACTION 'p'"), qr/ERROR:  cannot PREPARE a transaction that has changed streams/, 'PREPARE TRANSACTION');
is($t->sql('SELECT count(*) FROM ecinsight.streams'), '0', 'leaves no stream');

# ---- more rows in a message than in a row group, behind rows of which some are faulty ----
my $rows = 64 * 16384 + 10;
$kafka->produce('big', 0, [ "1\nx\ny\nz\n", "2\n" x $rows ]);
$t->sql(q(SELECT ecinsight.create_stream('b', 'k', '{big}', 'e', max_delay => '10 s')));
$t->wait_stream('b');
is($t->sql('SELECT count(*), sum(id) FROM e'), ($rows + 1) . '|' . (2 * $rows + 1), 'all rows');
is($t->sql(q(SELECT string_agg(convert_from(raw, 'UTF8'), ',' ORDER BY row_number) FROM ecinsight.dead_letters)), 'x,y,z', 'all faults');

# ---- an extension dropped and created anew under a stream that has gathered rows ----
$t->sql("SELECT ecinsight.drop_stream('b')");
my $stream = "SELECT ecinsight.create_stream('again', 'k', '{t}', 'e', max_delay => ";
$t->sql("$stream '1 day')");
ok($t->wait_state('again', 'running'), 'a stream that gathers');
ok($t->wait_until("SELECT query = 'reading' AND now() > s.started_at + '1 s' FROM pg_stat_activity a JOIN ecinsight.streams s USING (pid)"), 'and has read');
my $id = $t->sql('SELECT stream_id FROM ecinsight.stream');
my $bootstrap = $kafka->bootstrap;
$t->sql(<<"SQL");
BEGIN;
DROP EXTENSION ecinsight CASCADE;
CREATE EXTENSION ecinsight;
CREATE SERVER k FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" '$bootstrap');
CREATE TABLE e (id bigint) USING ecinsight_columnar;
SELECT setval('ecinsight.stream_stream_id_seq', $id, false);
$stream '50 ms');
COMMIT;
SQL
$t->wait_stream('again');
is($t->sql('SELECT count(*) FROM e'), '3', 'the new stream runs, whatever its predecessor of the same number met');

done_testing;
