# A streaming standby replays columnar tables exactly and answers queries from them.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical', extra => ['--data-checksums']);
$primary->append_conf('postgresql.conf', "wal_consistency_checking = 'all'\nwal_keep_size = '4GB'\nmax_prepared_transactions = 5\n");
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION ecinsight');
my $decoding = $primary->psql('postgres', "SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')") == 0;
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
# The library is not needed for replay; queries load it.
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nmax_standby_streaming_delay = '60s'\n");
$standby->start;

my $summary = "SELECT count(*), sum(a), count(b), sum(hashtext(b)::bigint), sum(n), max(ts) FROM c";

sub same
{
	my ($what) = @_;
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	my $expected = $primary->safe_psql('postgres', $summary);
	is($standby->safe_psql('postgres', $summary), $expected, "$what: equal sums");
	is($standby->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', "$what: nothing is damaged");
	return;
}

$primary->safe_psql('postgres', "CREATE TABLE c (a int, b text, n numeric(10,2), ts timestamptz) USING ecinsight_columnar");
same('empty');
$primary->safe_psql('postgres', "INSERT INTO c VALUES (1, 'one', 1.5, '2020-01-01'), (2, NULL, NULL, NULL)");
same('few rows');
$primary->safe_psql('postgres', "INSERT INTO c SELECT i, md5(i::text), i / 7.0, '2020-01-01'::timestamptz + i * '1s'::interval FROM generate_series(1, 200000) i");
same('many rows');
$primary->safe_psql('postgres', "BEGIN; INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 50000) i; ROLLBACK; INSERT INTO c VALUES (3, 'after a rollback')");
same('after a rollback');
$primary->safe_psql('postgres', "BEGIN; INSERT INTO c SELECT i, 'p' FROM generate_series(1, 30000) i; PREPARE TRANSACTION 'x'");
same('prepared, not committed');
$primary->safe_psql('postgres', "COMMIT PREPARED 'x'");
same('prepared, committed');
$primary->safe_psql('postgres', 'VACUUM c; ANALYZE c');
same('VACUUM');
$primary->safe_psql('postgres', 'VACUUM FULL c');
same('VACUUM FULL');
$primary->safe_psql('postgres', 'ALTER TABLE c ADD COLUMN extra int DEFAULT 5; ALTER TABLE c ALTER a TYPE bigint');
same('ALTER TABLE');
$primary->safe_psql('postgres', "INSERT INTO c SELECT i, repeat('x', 1000) || i FROM generate_series(1, 3000) i");
same('long values');
$primary->safe_psql('postgres', "CREATE TABLE h AS TABLE c; ALTER TABLE c SET ACCESS METHOD heap");
$primary->safe_psql('postgres', "ALTER TABLE c SET ACCESS METHOD ecinsight_columnar");
same('SET ACCESS METHOD there and back');
$primary->safe_psql('postgres', "BEGIN; TRUNCATE c; INSERT INTO c VALUES (4, 'new'); COMMIT");
same('TRUNCATE');

# A query that runs on the standby keeps its rows while the primary goes on.
$primary->safe_psql('postgres', "INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 100000) i");
same('before the long query');
my ($in, $out, $err) = ('', '', '');
my $query = IPC::Run::start([ 'psql', '-XqAt', '-d', $standby->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err,
	my $timeout = IPC::Run::timeout(60));
$in .= "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM c;\n";
$query->pump until $out =~ /^100001$/m;
$primary->safe_psql('postgres', "INSERT INTO c SELECT i, 'x' FROM generate_series(1, 1000) i; VACUUM c");
same('after more changes');
$out = '';
$in .= "SELECT count(*) FROM c; COMMIT;\n\\q\n";
$query->finish;
is($out, "100001\n", 'a query on the standby keeps its snapshot');
ok($standby->psql('postgres', "INSERT INTO c VALUES (1)") != 0, 'a standby refuses to write');
is($standby->safe_psql('postgres', "SELECT count(*) > 0 FROM ecinsight.columnar_stats('c')"), 't', 'a standby shows statistics');

SKIP:
{
	skip 'test_decoding is not installed', 1 unless $decoding;
	$primary->safe_psql('postgres', "SELECT pg_replication_slot_advance('decoded', pg_current_wal_lsn())");
	$primary->safe_psql('postgres', "CREATE TABLE decoded (a int); BEGIN; INSERT INTO c VALUES (1, 'x'); INSERT INTO decoded VALUES (5); INSERT INTO c SELECT i FROM generate_series(1, 3000) i; COMMIT");
	is($primary->safe_psql('postgres', "SELECT split_part(data, ':', 1), count(*) FROM pg_logical_slot_get_changes('decoded', NULL, NULL, 'include-xids', 'off') WHERE data LIKE '%INSERT: a[integer]:5' OR data LIKE '%INSERT: a[bigint]:1 b[text]:''x''%' OR data LIKE '%c: INSERT: a[bigint]:2999 %' GROUP BY 1 ORDER BY 1"),
		"table public.c|2\ntable public.decoded|1", 'logical decoding sees all of a transaction');
}
unlike(slurp_file($standby->logfile), qr/inconsistent page found|PANIC|FATAL:.*(?:replay|recovery)/, 'replay gives the same pages');

$primary->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', "INSERT INTO c VALUES (-1, 'promoted'); SELECT count(*) FROM c WHERE a = -1"), '1', 'a promoted standby goes on');
is($standby->safe_psql('postgres', 'SELECT count(DISTINCT ctid) - count(*) FROM c'), '0', 'and gives new row numbers');
is($standby->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'nothing is damaged in the end');
$standby->stop;
$standby->command_ok([ 'pg_checksums', '--check', '-D', $standby->data_dir ], 'page checksums are right');
done_testing();
