# VACUUM and compaction of a columnar table, killed at each of their steps and at any moment: the table stays equal to a heap twin.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);

my $node = PostgreSQL::Test::Cluster->new('compact_crash');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<'EOC');
fsync = on
autovacuum = off
restart_after_crash = on
shared_preload_libraries = 'ecinsight'
shared_buffers = '32MB'
EOC
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (id int PRIMARY KEY, v int, t text) USING ecinsight_columnar;
CREATE TABLE h (id int PRIMARY KEY, v int, t text) USING heap;
SELECT ecinsight.set_options('c', row_group_rows => 2048, order_by => 'v');
INSERT INTO c SELECT i, i % 10, md5(i::text) FROM generate_series(1, 20000) i;
INSERT INTO h TABLE c;
EOC

my $same = <<'EOC';
SELECT count(*) FROM ((TABLE c EXCEPT ALL TABLE h) UNION ALL (TABLE h EXCEPT ALL TABLE c)) d;
SELECT count(*) FROM ecinsight.verify('c');
SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off;
SELECT count(*) - (SELECT count(*) FROM h) FROM c JOIN h USING (id, v, t);
EOC

sub back_again
{
	foreach (1 .. 600)
	{
		return if IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT 1' ], '>', \my $out, '2>', \my $err);
		usleep(100_000);
	}
	die 'the server did not come back';
}

# Changes of all kinds, the same in both tables, in many small transactions.
my $next = 1_000_000;
sub changes
{
	my $sql = '';
	foreach my $i (1 .. 60)
	{
		my $id = $next++;
		foreach my $t ('c', 'h')
		{
			$sql .= "BEGIN;" if $t eq 'c';
			$sql .= "INSERT INTO $t VALUES ($id, $i, 'single');";
			$sql .= "UPDATE $t SET v = v + 1, t = 'updated' WHERE id % 601 = $i;" if $i % 10 == 0;
			$sql .= "DELETE FROM $t WHERE id % 997 = $i;" if $i % 15 == 0;
			$sql .= "COMMIT;\n" if $t eq 'h';
		}
	}
	$sql .= "BEGIN; INSERT INTO c SELECT -i, 0, md5(i::text) FROM generate_series(1, 5000) i; ROLLBACK;\n";
	$node->safe_psql('postgres', $sql);
	return;
}

# A session that stops at the named place and is killed there with signal 9.
sub kill_at
{
	my ($place, $command) = @_;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET ecinsight.debug_stop_point = '$place'", '-c', $command ],
		'>', \$out, '2>', \$err);
	my $pid = '';
	foreach (1 .. 300)
	{
		$pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE 'stopped at %'");
		$session->pump_nb if $session->pumpable;
		last if $pid ne '' || !$session->pumpable;
		usleep(100_000);
	}
	if ($pid ne '')
	{
		# others are not held up by it
		is($node->safe_psql('postgres', "SET statement_timeout = '20s'; UPDATE c SET v = v WHERE id = 7; INSERT INTO c VALUES (-7, 0, ''); DELETE FROM c WHERE id = -7; SELECT count(*) > 0 FROM c"),
			't', "$place: others read and write meanwhile")
		  unless $place =~ /claimed|truncate|shrink|counters/;
		kill 'KILL', $pid;
	}
	$session->finish;
	back_again();
	return $pid ne '';
}

my %reached;
foreach my $round (1 .. 1)
{
	foreach my $step (
		[ 'compact-chosen', 'VACUUM c' ], [ 'compact-merged', 'VACUUM c' ], [ 'compact-claimed', 'VACUUM c' ],
		[ 'compact-merged', "SELECT ecinsight.compact('c')" ], [ 'reclaimed', 'VACUUM c' ], [ 'reclaimed:2', 'VACUUM c' ],
		[ 'moved', 'VACUUM c' ], [ 'truncate', 'VACUUM c' ], [ 'shrink', 'VACUUM c' ])
	{
		changes();
		$node->safe_psql('postgres', 'DELETE FROM c WHERE id BETWEEN 3000 AND 9000; DELETE FROM h WHERE id BETWEEN 3000 AND 9000;
			INSERT INTO c SELECT i, 3, repeat(md5(i::text), 10) FROM generate_series(3000, 9000) i; INSERT INTO h SELECT i, 3, repeat(md5(i::text), 10) FROM generate_series(3000, 9000) i')
		  if $step->[0] =~ /moved|truncate|shrink/;
		$reached{ $step->[0] } = 1 if kill_at(@$step);
		is($node->safe_psql('postgres', $same), "0\n0\n0", "killed at $step->[0] in $step->[1]");
	}
}
ok($reached{$_}, "$_ was reached") foreach 'compact-chosen', 'compact-merged', 'compact-claimed', 'reclaimed';

# Rows deleted so far are dead to everybody: no transaction is left that began before.  Workers that have just been started
# after a crash hold one while they connect, which pg_stat_activity doesn't show yet.
sub settled
{
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid())")
	  or die 'an old transaction stays';
	return;
}

# A table without rows, whose counters are kept, but whose file isn't given back any more; and the one that follows, given
# back, before anything of it is on disk but WAL.  Old entries in the index must lead to no new row.
$node->safe_psql('postgres', 'CREATE TABLE e (id int PRIMARY KEY) USING ecinsight_columnar WITH (autovacuum_enabled = off); INSERT INTO e SELECT generate_series(1, 100); DELETE FROM e');
my $companion = $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'e'");
my $entries = 'SET enable_seqscan = off; SELECT count(*) FROM e; SELECT count(*) FROM e WHERE id <= 100; SELECT count(*) FROM ecinsight.verify($$e$$)';
foreach my $round (1 .. 2)
{
	settled();
	ok(kill_at('counters', 'VACUUM (INDEX_CLEANUP off) e'), "round $round: counters was reached");
	$node->safe_psql('postgres', 'INSERT INTO e SELECT generate_series(1001, 1150)');
	is($node->safe_psql('postgres', $entries), "150\n0\n0", 'killed when counters were kept');
	$node->safe_psql('postgres', "REINDEX TABLE $companion; DELETE FROM e; CHECKPOINT");
	settled();
	$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP off) e');
	is($node->safe_psql('postgres', q{SELECT pg_relation_size('e')}), '0', 'the file was given back');
	$node->safe_psql('postgres', 'INSERT INTO e SELECT generate_series(2001, 2150)') if $round == 2;
	$node->stop('immediate');
	$node->start;
	$node->safe_psql('postgres', 'INSERT INTO e SELECT generate_series(2001, 2150)') if $round == 1;
	is($node->safe_psql('postgres', $entries), "150\n0\n0", 'and the server ended at once');
	$node->safe_psql('postgres', "REINDEX TABLE $companion; DELETE FROM e");
}

# At any moment, the whole server, beside writers.
srand(15);
foreach my $round (1 .. 3)
{
	changes();
	my ($out, $err) = ('', '');
	my @commands = map { ('-c', 'VACUUM c', '-c', "SELECT ecinsight.compact('c')") } 1 .. 20;
	my $vacuum = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), @commands ], '>', \$out, '2>', \$err);
	my $writes = join('', map { "BEGIN; UPDATE c SET v = v + 1 WHERE id % 211 = $_ % 211; UPDATE h SET v = v + 1 WHERE id % 211 = $_ % 211; COMMIT;\n" } 1 .. 200);
	my ($wout, $werr) = ('', '');
	my $writer = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres') ], '<', \$writes, '>', \$wout, '2>', \$werr);
	usleep(100_000 + int(rand(1_500_000)));
	my $pid = $node->{_pid};
	$node->kill9;
	foreach (1 .. 300)
	{
		last unless kill(0, $pid);
		usleep(50_000);
	}
	$vacuum->finish;
	$writer->finish;
	$node->start;
	is($node->safe_psql('postgres', $same), "0\n0\n0", "killed at any moment, round $round");
}

# And at the end all comes to rest, in few groups and no more space than one load takes.
$node->safe_psql('postgres', 'VACUUM c') foreach 1 .. 4;
is($node->safe_psql('postgres', $same), "0\n0\n0", 'the same rows at last');
is($node->safe_psql('postgres', "SELECT count(*) <= (SELECT count(*) FROM h) / 2048 + 16 FROM ecinsight.row_groups('c')"), 't', 'few row groups');
is($node->safe_psql('postgres', 'CREATE TABLE once (LIKE c) USING ecinsight_columnar; INSERT INTO once TABLE h; SELECT pg_relation_size($$c$$) <= 3 * pg_relation_size($$once$$) + 1000000'),
	't', 'no more space than that');
$node->stop;
done_testing();
