# Queries on a standby, while the primary deletes, vacuums, compacts, shrinks and uses pages again: each returns the rows
# of its snapshot or ends with a recovery conflict, as on a heap; with hot_standby_feedback there is no conflict.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{EC_ROUNDS} || 2;
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'ecinsight'\nautovacuum = off\nfsync = off\nwal_keep_size = '1GB'\n");
$primary->start;
$primary->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE other (a int);
CREATE TABLE few (a int, b text) USING ecinsight_columnar;
CREATE TABLE c (a int PRIMARY KEY, b text) USING ecinsight_columnar;
CREATE TABLE d (a int PRIMARY KEY, n int) USING ecinsight_columnar;
INSERT INTO d SELECT i, 100 FROM generate_series(1, 3000) i;
EOC
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 0\nwal_receiver_status_interval = '1s'\n");
$standby->start;

# A session; each command's output, or its errors.
sub session
{
	my ($node) = @_;
	my %s = (in => '', out => '', err => '', n => 0);
	$s{run} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$s{in}, '>', \$s{out}, '2>', \$s{err}, IPC::Run::timeout(180));
	return \%s;
}

sub ask
{
	my ($s, $sql) = @_;
	my $end = 'end ' . ++$s->{n};
	($s->{out}, $s->{err}) = ('', '');
	$s->{in} .= "$sql;\n\\echo $end\n";
	eval { $s->{run}->pump until $s->{out} =~ /^$end$/m || !$s->{run}->pumpable; 1 } or die $@;
	$s->{out} =~ s/^$end\n//m;
	return $s->{err} ne '' ? $s->{err} : $s->{out} =~ s/\s+$//r;
}

sub catch_up
{
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return;
}

my $conflict = qr/conflict with recovery|server closed the connection|connection to server was lost/;

# ----------------------------------------------------------------------------------------
# Rows that only the rewrite of the companion removes
# ----------------------------------------------------------------------------------------
my $old = $primary->safe_psql('postgres', "SELECT pg_relation_filenode(reltoastrelid) FROM pg_class WHERE relname = 'few'");
$primary->safe_psql('postgres', "DO \$\$ BEGIN FOR i IN 1 .. 3000 LOOP INSERT INTO few VALUES (i, repeat('x', 100)); COMMIT; END LOOP; END \$\$; DELETE FROM few WHERE a > 10");
catch_up();
my $reader = session($standby);
is(ask($reader, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other'), '0', 'a snapshot on the standby that has not touched the table');
my $holder = session($primary);
is(ask($holder, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM few'), '10', 'a snapshot on the primary, with a lock on the table');
$primary->safe_psql('postgres', 'DELETE FROM few');
my $vacuum = session($primary);
$vacuum->{in} .= "VACUUM few;\n\\echo vacuumed\n";
$vacuum->{run}->pump_nb;
$primary->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'VACUUM few%' AND (wait_event IN ('Extension', 'VacuumTruncate') OR state = 'idle'))");
ask($holder, 'ROLLBACK');
$vacuum->{run}->pump until $vacuum->{out} =~ /vacuumed/;
# who looks at the catalogs now may prune them, which is a conflict, too
catch_up();
my $few = ask($reader, 'SELECT count(*) FROM few');
note("the older snapshot: $few");
like($few, qr/^10$|$conflict/, 'rows that the rewrite removed are there for the older snapshot, or it is told');
# a VACUUM that had to wait too long for its lock has left it to the next one
my $file_of_few = sub { return $primary->safe_psql('postgres', "SELECT pg_relation_filenode(reltoastrelid) FROM pg_class WHERE relname = 'few'") };
foreach (1 .. 10) { $primary->safe_psql('postgres', 'VACUUM few') if $file_of_few->() eq $old; }
isnt($file_of_few->(), $old, 'the companion was rewritten');

# ----------------------------------------------------------------------------------------
# Index entries that a page split removes, of rows that are dead for everybody on the primary
# ----------------------------------------------------------------------------------------
$primary->safe_psql('postgres', <<'EOC');
CREATE TABLE e (a int) USING ecinsight_columnar;
CREATE INDEX e_a ON e (a) WITH (deduplicate_items = off);
INSERT INTO e SELECT generate_series(1, 20000);
EOC
catch_up();
my $by_index = session($standby);
my $count = 'SELECT count(*) FROM e WHERE a > 0';
ask($by_index, 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off');
is(ask($by_index, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other"), '0', 'a snapshot on the standby');
my $size = "SELECT pg_relation_size('e_a')";
my $pages = $primary->safe_psql('postgres', $size);
$primary->safe_psql('postgres', "DELETE FROM e WHERE a % 2 = 0");
is($primary->safe_psql('postgres', "SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off; $count"), '10000', 'marked');
$primary->safe_psql('postgres', "INSERT INTO e SELECT i FROM generate_series(1, 20000) i WHERE i % 3 = 0");
is($primary->safe_psql('postgres', $size), $pages, 'the new entries have taken the place of old ones');
catch_up();
like(ask($by_index, $count), qr/^20000$|$conflict/, 'the older snapshot sees their rows, or is told');
$by_index->{run}->kill_kill;

# ----------------------------------------------------------------------------------------
# Pages used again
# ----------------------------------------------------------------------------------------
my %seen;
my $summary = "SELECT count(*), sum(a), sum(hashtext(b)::bigint) FROM c";
foreach my $round (1 .. $rounds)
{
	foreach my $way ('columnar', 'rows', 'index')
	{
		$primary->safe_psql('postgres', "TRUNCATE c; INSERT INTO c SELECT i, md5(i::text) FROM generate_series(1, 30000) i; INSERT INTO c VALUES (-1, 'few')");
		catch_up();
		my $s = session($standby);
		my $sql = $way eq 'index' ? 'SELECT count(b), sum(a), sum(hashtext(b)::bigint) FROM c WHERE a BETWEEN 5 AND 300' : $summary;
		ask($s, 'SET ecinsight.enable_columnar_scan = ' . ($way eq 'columnar' ? 'on' : 'off') . ($way eq 'index' ? '; SET enable_seqscan = off' : ''));
		# half of them know nothing of the table yet when its pages change hands
		my $before = ask($s, 'BEGIN ISOLATION LEVEL REPEATABLE READ; ' . ($round % 2 ? $sql : 'SELECT count(*) FROM other'));
		my $expected = $round % 2 ? $before : $primary->safe_psql('postgres', $sql);
		$primary->safe_psql('postgres', $_) foreach ('DELETE FROM c WHERE a % 3 > 0', 'VACUUM c', "UPDATE c SET b = b || 'changed' WHERE a % 2 = 0", 'VACUUM c', "INSERT INTO c SELECT 100000 + i, md5((-i)::text) FROM generate_series(1, 30000) i", 'VACUUM c');
		catch_up();
		my $after = ask($s, $sql);
		$after = 'conflict' if $after =~ $conflict;
		$seen{$after eq 'conflict' ? 'conflict' : 'same'}++;
		ok($after eq 'conflict' || $after eq $expected, "round $round, $way: the same rows or a conflict") or diag("$expected, then $after");
		ask($s, 'ROLLBACK') if $after ne 'conflict';
		$s->{run}->kill_kill;
		is($standby->safe_psql('postgres', $sql), $primary->safe_psql('postgres', $sql), "round $round, $way: new snapshots see the new rows");
	}
}
note('older snapshots: ' . join ', ', map { "$_ $seen{$_}" } sort keys %seen);

# ----------------------------------------------------------------------------------------
# With feedback; and queries without end
# ----------------------------------------------------------------------------------------
# 3,000 rows whose sum never changes, whatever is at work on them
my ($script, $out, $err) = (PostgreSQL::Test::Utils::tempdir() . '/d.sql', '', '');
append_to_file($script, <<'EOC');
\set k random(1, 2999)
BEGIN;
UPDATE d SET n = n - 1 WHERE a = :k;
UPDATE d SET n = n + 1 WHERE a = :k + 1;
COMMIT;
EOC
foreach my $feedback ('off', 'on')
{
	$standby->safe_psql('postgres', $_) foreach ("ALTER SYSTEM SET hot_standby_feedback = $feedback", 'SELECT pg_reload_conf()');
	if ($feedback eq 'on')
	{
		my $s = session($standby);
		ask($s, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other');
		$primary->poll_query_until('postgres', 'SELECT backend_xmin IS NOT NULL FROM pg_stat_replication');
		my $expected = $primary->safe_psql('postgres', $summary);
		$primary->safe_psql('postgres', $_) foreach ('DELETE FROM c WHERE a % 5 > 0', 'VACUUM c', "INSERT INTO c SELECT 200000 + i, 'x' FROM generate_series(1, 30000) i", 'VACUUM c');
		catch_up();
		is(ask($s, $summary), $expected, 'with feedback the older snapshot keeps its rows');
		$s->{run}->kill_kill;
	}
	my $load = IPC::Run::start([ 'pgbench', '-n', '-T', 12, '-c', 2, '-f', $script, '-h', $primary->host, '-p', $primary->port, 'postgres' ], '<', \undef, '>', \$out, '2>', \$err);
	my ($right, $conflicts, @wrong) = (0, 0);
	my $until = time + 10;
	# without feedback all may meet a conflict while the load lasts; when it is over, they must not
	while (time < $until || ($right == 0 && time < $until + 30))
	{
		$primary->safe_psql('postgres', 'VACUUM d');
		foreach my $off ('on', 'off')
		{
			my ($code, $o, $e) = $standby->psql('postgres', "SET ecinsight.enable_columnar_scan = $off; SELECT count(*), sum(n) FROM d; SELECT count(*), sum(n) FROM d WHERE a BETWEEN 1 AND 3000");
			if ($e =~ $conflict) { $conflicts++; }
			elsif ($o eq "3000|300000\n3000|300000") { $right++; }
			else { push @wrong, "$o $e"; }
		}
	}
	$load->finish;
	is(join("\n", @wrong), '', "feedback $feedback: sums on the standby are right");
	cmp_ok($right, '>', 0, "feedback $feedback: $right right answers, $conflicts conflicts");
}
catch_up();
is($standby->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'nothing is damaged on the standby');
unlike(slurp_file($standby->logfile), qr/PANIC|TRAP:|terminated by signal|XX00/, 'no process crashed');
$_->{run}->kill_kill foreach ($reader, $holder, $vacuum);
$standby->stop('immediate');
$primary->stop;
done_testing();
