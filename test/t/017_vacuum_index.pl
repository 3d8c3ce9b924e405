# VACUUM of indexes beside a bulk INSERT: a batch that begins when VACUUM has already looked who holds row numbers keeps its entries.
# And one VACUUM is enough: for useless entries, for space, for very many rows on their own.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('vacuum_index');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nshared_preload_libraries = 'ecinsight'\n");
$node->start;

# the scan of an unlogged table's index keeps a page of it pinned, for which VACUUM waits
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE UNLOGGED TABLE c (id int PRIMARY KEY, v int) USING ecinsight_columnar;
INSERT INTO c SELECT i, 0 FROM generate_series(1, 5000) i;
VACUUM c;
DELETE FROM c WHERE id > 4000;
EOC

my %out;

sub session
{
	my ($name, @sql) = @_;

	$out{$name} = '';
	return IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . " application_name=$name", map { ('-c', $_) } @sql ],
		'>', \$out{$name}, '2>&1');
}

sub wait_for
{
	my ($name, $condition) = @_;

	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$name' AND $condition")
	  or die "$name: $out{$name}";
}

# VACUUM, held up at the first page of the index until a batch of rows $from to $to has begun
sub vacuum_beside_insert
{
	my ($vacuum_sql, $from, $to, $after) = @_;
	my $reader = session('reader', 'SET enable_seqscan = off', 'SET enable_bitmapscan = off', 'SET ecinsight.enable_columnar_scan = off', 'BEGIN',
		'DECLARE pin CURSOR FOR SELECT id FROM c ORDER BY id', 'FETCH 1 FROM pin', 'SELECT pg_sleep(600)');
	my $holder = session('holder', 'SELECT pg_advisory_lock(3)', 'SELECT pg_sleep(600)');
	wait_for('holder', "wait_event = 'PgSleep'");
	wait_for('reader', "wait_event = 'PgSleep'");
	my $vacuum = session('vacuum', @$vacuum_sql);
	wait_for('vacuum', "wait_event = 'BufferPin'");
	my $writer = session('writer', "INSERT INTO c SELECT i, CASE WHEN i = $to THEN length(pg_advisory_xact_lock(3)::text) END FROM generate_series($from, $to) i");
	wait_for('writer', "wait_event = 'advisory'");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reader'");
	$after->() if defined $after;
	$vacuum->finish;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
	$writer->finish;
	$reader->finish;
	$holder->finish;
	return;
}

sub by_index
{
	return "SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off; SELECT count(*) FROM c WHERE id > 0";
}

vacuum_beside_insert([ 'VACUUM (INDEX_CLEANUP ON) c' ], 5001, 9000);
is($out{vacuum} . $out{writer}, '', 'VACUUM and INSERT end well');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'the index has all rows');
is($node->safe_psql('postgres', by_index()), '8000', 'and finds them');

# VACUUM looks for who holds row numbers while it holds no lock on the index
$node->safe_psql('postgres', 'DELETE FROM c WHERE id > 8000; VACUUM c; DELETE FROM c WHERE id <= 1000; BEGIN; INSERT INTO c SELECT i, 0 FROM generate_series(20000, 21000) i; ROLLBACK');
vacuum_beside_insert([ "SET ecinsight.debug_stop_point = 'holders:2'", 'VACUUM (INDEX_CLEANUP ON) c' ], 9001, 13000, sub {
	wait_for('vacuum', "query = 'stopped at holders'");
	my $answer = '';
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', by_index() ], '>', \$answer, '2>&1', IPC::Run::timeout(20));
	eval { $session->finish };
	is($answer, "6000\n", 'others read the index meanwhile');
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'vacuum'");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") if $answer ne '';
	kill 'KILL', $pid if $answer eq '';
});

# entries of rows that never came to be, and of rows on their own that are gone, are removed, in all indexes
$node->safe_psql('postgres', <<'EOC');
CREATE TABLE d (id int PRIMARY KEY, v int, t text) USING ecinsight_columnar;
CREATE INDEX ON d (v) WHERE v % 2 = 0;
CREATE INDEX ON d USING hash (t);
CREATE INDEX ON d USING gin ((ARRAY[v]));
BEGIN;
INSERT INTO d SELECT i, i, i FROM generate_series(1, 20000) i;
ROLLBACK;
INSERT INTO d SELECT i, i, i FROM generate_series(1, 50) i;
DELETE FROM d WHERE id > 20;
VACUUM d;
VACUUM (INDEX_CLEANUP ON) d;
EOC
is($node->safe_psql('postgres', "SELECT string_agg(reltuples::text, ' ' ORDER BY relname) FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indrelid = 'd'::regclass AND relname <> 'd_array_idx'"),
	'20 20 10', 'all entries that are useless are gone');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('d')"), '0', 'and no others');
# space between row groups of different sizes, and that of the companion, is given back at once
$node->safe_psql('postgres', <<'EOC');
CREATE TABLE f (g int, i int, a text) USING ecinsight_columnar;
SELECT ecinsight.set_options('f', row_group_rows => 4096);
INSERT INTO f SELECT g, i, substr(md5((i * g)::text), 1, 2 + g * 7919 % 20) FROM generate_series(1, 100) g, generate_series(1, 4096) i;
DELETE FROM f WHERE g % 2 = 0;
VACUUM f;
DELETE FROM f WHERE i % 4 <> 0;
VACUUM f;
EOC
is($node->safe_psql('postgres', "SELECT pg_total_relation_size('f') <= 1.25 * sum(bytes) + 65536 FROM ecinsight.row_groups('f')"), 't', 'the file is hardly larger than the row groups');
$node->safe_psql('postgres', <<'EOC');
CREATE TABLE m (id int, v int) USING ecinsight_columnar;
DO $$ BEGIN FOR i IN 0 .. 4687 LOOP INSERT INTO m SELECT i * 64 + j, 0 FROM generate_series(1, 64) j; COMMIT; END LOOP; END $$;
VACUUM m;
EOC
is($node->safe_psql('postgres', "SELECT count(*), sum(rows) FROM ecinsight.row_groups('m')"), '2|300032', 'many rows on their own');
is($node->safe_psql('postgres', "SELECT pg_total_relation_size(reltoastrelid) <= 40960 FROM pg_class WHERE relname = 'm'"), 't', 'and their space');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('m')"), '0', 'are in order');
$node->stop;
done_testing();
