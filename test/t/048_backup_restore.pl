# While sessions change a columnar table and its heap twin and compaction goes on: a base backup that is taken then, and a
# restore to a point in time, hold equal tables; so does a server that crashed while an index was built or rebuilt
# concurrently, whose index can be built again.
use strict;
use warnings;

use EcTwin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1, has_archiving => 1, extra => [ '--data-checksums', '--wal-segsize=1' ]);
$node->append_conf('postgresql.conf', <<'EOC');
fsync = off
shared_buffers = '16MB'
max_wal_size = '48MB'
min_wal_size = '4MB'
wal_keep_size = '64MB'
archive_timeout = '5s'
autovacuum_naptime = '1s'
autovacuum_vacuum_cost_delay = 0
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight; CREATE TABLE wrong (what text);' . twin_tables());

my $scripts = twin_scripts();
my @files;
foreach my $name (sort keys %$scripts)
{
	my ($base, $weight) = split /\@/, $name;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$base";
	append_to_file($file, $scripts->{$name});
	push @files, '-f', "$file\@$weight";
}

sub workload
{
	my ($seconds) = @_;
	my ($out, $err) = ('', '');
	return IPC::Run::start([ 'pgbench', '-n', '-T', $seconds, '-c', 4, '-j', 1, '-h', $node->host, '-p', $node->port, @files, 'postgres' ], '<', \undef, '>', \$out, '2>', \$err);
}

sub right
{
	my ($server, $what) = @_;
	my $differ = twin_differs();
	is($server->safe_psql('postgres', <<"EOC"), '', "$what: equal, by any way, and nothing is damaged");
$differ HAVING count(*) > 0;
SET ecinsight.enable_columnar_scan = off;
$differ HAVING count(*) > 0;
SELECT v FROM ecinsight.verify('c') v;
TABLE wrong;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
SELECT h, c FROM (SELECT * FROM h WHERE k % 10 = 0) h LEFT JOIN c USING (client, k) WHERE c.v IS DISTINCT FROM h.v OR c.t IS DISTINCT FROM h.t LIMIT 3;
EOC
	return;
}

# ----------------------------------------------------------------------------------------
# Backup and restore
# ----------------------------------------------------------------------------------------
my $load = workload(25);
sleep 2;
$node->backup('busy', backup_options => [ '--checkpoint', 'fast', '--max-rate', '8M' ]);
sleep 1;
my @points;
foreach my $i (1 .. 3)
{
	$node->safe_psql('postgres', "SELECT pg_create_restore_point('p$i')");
	push @points, "p$i";
	$node->psql('postgres', $i == 1 ? 'SELECT ecinsight.compact(\'c\')' : $i == 2 ? 'VACUUM FULL c' : 'VACUUM c');
	usleep(700_000);
}
$load->kill_kill;
right($node, 'the primary itself');
my $last = $node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
$node->poll_query_until('postgres', "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver");
foreach my $point (@points, 'the end')
{
	my $copy = PostgreSQL::Test::Cluster->new('copy_' . $point =~ s/ /_/r);
	$copy->init_from_backup($node, 'busy', has_restoring => 1, standby => 0);
	$copy->append_conf('postgresql.conf', "archive_mode = off\nrecovery_target_action = 'promote'\n" . ($point eq 'the end' ? '' : "recovery_target_name = '$point'\n"));
	$copy->start;
	$copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	right($copy, "restored to $point");
	$copy->safe_psql('postgres', "VACUUM c; INSERT INTO c SELECT 200, i, i FROM generate_series(1, 5000) i; INSERT INTO h SELECT 200, i, i FROM generate_series(1, 5000) i; DELETE FROM c WHERE k % 3 = 1; DELETE FROM h WHERE k % 3 = 1; VACUUM c");
	right($copy, "restored to $point and changed");
	$copy->stop;
	$copy->command_ok([ 'pg_checksums', '--check', '-D', $copy->data_dir ], 'page checksums are right');
}

# ----------------------------------------------------------------------------------------
# Crashes of concurrent index builds
# ----------------------------------------------------------------------------------------
$node->safe_psql('postgres', 'ALTER SYSTEM SET restart_after_crash = on');
foreach my $statement ('CREATE INDEX CONCURRENTLY c_new ON c (k, v)', 'CREATE UNIQUE INDEX CONCURRENTLY c_new ON c (v, client, k)', 'REINDEX INDEX CONCURRENTLY c_pkey', 'REINDEX TABLE CONCURRENTLY c')
{
	my $beside = workload(30);
	usleep(500_000);
	my ($out, $err) = ('', '');
	my $build = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', $statement ], '<', \undef, '>', \$out, '2>', \$err);
	# somewhere in its phases
	$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY%' AND pid <> pg_backend_pid()) AND pg_sleep(random() * 0.3) IS NOT NULL");
	my $postmaster = $node->{_pid};
	my @children = split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children");
	$node->kill9;
	$beside->kill_kill;
	$build->kill_kill;
	# a start before its children have left would be refused
	foreach (1 .. 300)
	{
		last unless grep { kill(0, $_) } $postmaster, @children;
		usleep(100_000);
	}
	$node->start;
	right($node, "crash in $statement");
	my $invalid = $node->safe_psql('postgres', "SELECT string_agg(i.indexrelid::regclass::text, ', ') FROM pg_index i WHERE indrelid = 'c'::regclass AND NOT indisvalid");
	note("invalid: $invalid");
	$node->safe_psql('postgres', "DROP INDEX IF EXISTS c_new" . ($invalid eq '' ? '' : "; DROP INDEX IF EXISTS $invalid"));
	my $again = workload(6);
	is($node->psql('postgres', $statement), 0, "$statement, again and beside others");
	$again->finish;
	right($node, "after $statement");
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS c_new');
}
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|XX000|could not (?:read|open|find)/, 'nothing worse in the log');
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums are right');
done_testing();
