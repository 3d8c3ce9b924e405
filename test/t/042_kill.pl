# kill -9 of any process of the server, again and again, while sessions change a columnar table and its heap twin: after
# each recovery the two are equal, and ecinsight.verify finds nothing.
#
# EC_KILLS: how often.
use strict;
use warnings;

use EcTwin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $kills = $ENV{EC_KILLS} || 8;
my $node = PostgreSQL::Test::Cluster->new('kill');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<'EOC');
restart_after_crash = on
fsync = on
shared_buffers = '8MB'
checkpoint_timeout = '30s'
max_wal_size = '48MB'
min_wal_size = '32MB'
autovacuum_naptime = '1s'
autovacuum_vacuum_cost_delay = 0
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight; CREATE TABLE wrong (what text);' . twin_tables());

# What needs the tables alone, one at a time beside the workload.
my @alone = (
	'VACUUM FULL c',
	'BEGIN; TRUNCATE c, h; INSERT INTO c SELECT 1, i, i FROM generate_series(1, 5000) i; INSERT INTO h SELECT 1, i, i FROM generate_series(1, 5000) i; COMMIT',
	'REINDEX TABLE c',
	'DROP INDEX IF EXISTS c_kv',
	'CREATE INDEX CONCURRENTLY IF NOT EXISTS c_kv ON c (k, v)',
	'CLUSTER c USING c_pkey',
	'VACUUM (FREEZE) c');

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
	my ($out, $err) = ('', '');
	return IPC::Run::start([ 'pgbench', '-n', '-T', 60, '-c', 6, '-j', 2, '-h', $node->host, '-p', $node->port, @files, 'postgres' ],
		'<', \undef, '>', \$out, '2>', \$err);
}

# A process of the server, and what it is.
sub victim
{
	my $postmaster = $node->{_pid};
	return ($postmaster, 'postmaster') if rand() < 0.3;
	my @pids = split /\n/, slurp_file("/proc/$postmaster/task/$postmaster/children") =~ s/ /\n/gr;
	my $pid = $pids[ int(rand(@pids)) ];
	my $name = eval { slurp_file("/proc/$pid/cmdline") } // '';
	$name =~ s/\0.*//s;
	return ($pid, $name);
}

# Waits for the server, or starts it.
sub up
{
	my ($what, $pid) = @_;
	if ($what eq 'postmaster')
	{
		foreach (1 .. 200)
		{
			last unless kill(0, $pid);
			usleep(50_000);
		}
		# its children leave by themselves; a start before that is refused
		foreach (1 .. 100)
		{
			last if $node->start(fail_ok => 1);
			usleep(100_000);
		}
	}
	foreach (1 .. 600)
	{
		my ($out, $err) = ('', '');
		return 1 if IPC::Run::run([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', 'SELECT true' ], '<', \undef, '>', \$out, '2>', \$err);
		usleep(100_000);
	}
	return 0;
}

my %killed;
my $summarized = 0;
foreach my $round (1 .. $kills)
{
	my $load = workload();
	usleep(300_000 + int(rand(1_200_000)));
	my $statement = $alone[ int(rand(@alone)) ];
	my $beside = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', $statement ], '<', \undef, '>', \my $out, '2>', \my $err);
	usleep(int(rand(500_000)));
	my ($pid, $what) = victim();
	$what eq 'postmaster' ? $node->kill9 : kill('KILL', $pid);
	$killed{ $what =~ s/^postgres: (?:\w+: )?//r =~ s/ .*//r }++;
	usleep(100_000);
	$load->kill_kill;
	$beside->kill_kill;
	up($what, $pid) or die "the server does not come back after killing $what";
	my $differ = twin_differs();
	my $bad = $node->safe_psql('postgres', <<"EOC");
$differ HAVING count(*) > 0;
SET ecinsight.enable_columnar_scan = off;
$differ HAVING count(*) > 0;
SELECT v FROM ecinsight.verify('c') v;
TABLE wrong;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
SELECT h, c FROM (SELECT * FROM h WHERE k % 10 = 0) h LEFT JOIN c USING (client, k) WHERE c.v IS DISTINCT FROM h.v OR c.t IS DISTINCT FROM h.t LIMIT 3;
EOC
	is($bad, '', "round $round: $what killed, beside $statement");
	$summarized += $node->safe_psql('postgres', q{SELECT count(*) > 0 FROM ecinsight.summaries('c') WHERE rows > 0}) eq 't';
}
cmp_ok($summarized, '>', 0, "summaries were there after $summarized of $kills");
note('killed: ' . join ', ', map { "$_ $killed{$_}" } sort keys %killed);
$node->safe_psql('postgres', 'VACUUM FULL c');
is($node->safe_psql('postgres', twin_differs()), '', 'equal after VACUUM FULL');
is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM ecinsight.summaries('c') WHERE rows > 0}), 't', 'which makes summaries');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|XX000|could not (?:read|open|find)/, 'nothing worse in the log');
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums are right');
done_testing();
