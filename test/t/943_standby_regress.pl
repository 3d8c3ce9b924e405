# The regression tests run on a primary whose standby compares every page it replays with the page that was written
# (wal_consistency_checking = all): not one differs, and in the end both servers hold the same rows.
use strict;
use warnings;

use EcForms;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# EC_AUTOVACUUM=on: autovacuum works beside the tests, too.
my $autovacuum = $ENV{EC_AUTOVACUUM} // 'off';
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => ['--data-checksums']);
$primary->append_conf('postgresql.conf', <<"EOC");
shared_preload_libraries = 'ecinsight'
wal_consistency_checking = 'all'
wal_keep_size = '8GB'
max_prepared_transactions = 5
max_worker_processes = 16
autovacuum = $autovacuum
autovacuum_naptime = '1s'
fsync = off
EOC
$primary->start;
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = '600s'");
$standby->start;

my $top = "$FindBin::RealBin/../..";
my @tests = map { m{([^/]+)\.sql$} } sort grep { m{/(?:table|encoding|scan|agg|insight)_[^/]*$} } glob("$top/sql/*_*.sql");
my $out = PostgreSQL::Test::Utils::tempdir();
my ($stdout, $stderr);
my $regress = IPC::Run::run(
	[ $ENV{PG_REGRESS}, '--bindir=', "--inputdir=$top", "--outputdir=$out", '--load-extension=ecinsight', '--host', $primary->host, '--port', $primary->port, '--user', getpwuid($<) // 'postgres', '--dbname=regress', @tests ],
	'<', \undef, '>', \$stdout, '2>', \$stderr);
ok($regress, scalar(@tests) . ' regression tests pass') or diag($stdout . $stderr);

# The tests clean up behind them: tables to compare.
$primary->safe_psql('regress', form_functions() . join '', map { form_create($_, "form_$_", 'ecinsight_columnar') } form_names());
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
unlike(slurp_file($standby->logfile), qr/inconsistent page found|PANIC|FATAL|TRAP:|canceling/, 'the standby replays the same pages');

my $tables = $primary->safe_psql('regress', "SELECT c.oid::regclass FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE amname = 'ecinsight_columnar' AND relpersistence = 'p' ORDER BY 1");
my $sums = join ' UNION ALL ', map { "SELECT '$_', (SELECT concat_ws(' ', count(*), sum(hashtextextended(x::text, 0)::numeric)) FROM $_ x), (SELECT count(*) FROM ecinsight.verify('$_'))" } split /\n/, $tables;
my $expected = $primary->safe_psql('regress', $sums);
is($standby->safe_psql('regress', $sums), $expected, 'both hold the same rows of ' . (scalar split /\n/, $tables) . ' tables');
unlike($expected, qr/\|[1-9]\d*$/m, 'and nothing is damaged');
$standby->promote;
is($standby->safe_psql('regress', $sums), $expected, 'also once it is promoted');
$standby->stop;
$primary->stop;
$standby->command_ok([ 'pg_checksums', '--check', '-D', $standby->data_dir ], 'page checksums are right');
done_testing();
