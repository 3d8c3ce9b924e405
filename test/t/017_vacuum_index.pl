# VACUUM of indexes beside a bulk INSERT: a batch that begins when VACUUM has already looked who holds row numbers keeps its entries.
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

my $reader = session('reader', 'SET enable_seqscan = off', 'SET enable_bitmapscan = off', 'SET ecinsight.enable_columnar_scan = off', 'BEGIN',
	'DECLARE pin CURSOR FOR SELECT id FROM c ORDER BY id', 'FETCH 1 FROM pin', 'SELECT pg_sleep(600)');
my $holder = session('holder', 'SELECT pg_advisory_lock(3)', 'SELECT pg_sleep(600)');
wait_for('holder', "wait_event = 'PgSleep'");
wait_for('reader', "wait_event = 'PgSleep'");
my $vacuum = session('vacuum', 'VACUUM (INDEX_CLEANUP ON) c');
wait_for('vacuum', "wait_event = 'BufferPin'");
my $writer = session('writer', 'INSERT INTO c SELECT i, CASE WHEN i = 9000 THEN length(pg_advisory_xact_lock(3)::text) END FROM generate_series(5001, 9000) i');
wait_for('writer', "wait_event = 'advisory'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reader'");
$vacuum->finish;
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
$writer->finish;
$reader->finish;
$holder->finish;
is($out{vacuum} . $out{writer}, '', 'VACUUM and INSERT end well');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'the index has all rows');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off; SELECT count(*) FROM c WHERE id > 0'),
	'8000', 'and finds them');
$node->stop;
done_testing();
