# Prepared transactions that changed rows of row groups and rows on their own: after crashes, beside compaction, and on a
# promoted standby they keep their locks, and commit or roll back as a heap's do.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1, extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', "max_prepared_transactions = 20\nautovacuum = off\nwal_keep_size = '256MB'\n");
$node->start;
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;

my %method = (h => 'heap', c => 'ecinsight_columnar');
sub both
{
	my ($sql) = @_;
	return join ";\n", map { $sql =~ s/\bT\b/$_/gr } 'h', 'c';
}
$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight');
foreach my $t (sort keys %method)
{
	$node->safe_psql('postgres', "CREATE TABLE $t (a int PRIMARY KEY, b text, n int) USING $method{$t}; CREATE INDEX ON $t (n); INSERT INTO $t SELECT i, 'b' || i, i % 100 FROM generate_series(1, 5000) i");
	$node->safe_psql('postgres', "INSERT INTO $t VALUES ($_, 'single', $_)") foreach 9001 .. 9060;
}

# One transaction on some rows of both tables: of row groups, and on their own.
sub prepare
{
	my ($name, $first) = @_;
	my $single = 9000 + $first / 50;
	$node->safe_psql('postgres', 'BEGIN; ' . both("UPDATE T SET b = '$name', n = n + 1 WHERE a BETWEEN $first AND $first + 9; DELETE FROM T WHERE a BETWEEN $first + 10 AND $first + 19;"
		. " SELECT count(*) FROM (SELECT FROM T WHERE a BETWEEN $first + 20 AND $first + 29 FOR UPDATE) x; SELECT count(*) FROM (SELECT FROM T WHERE a BETWEEN $first + 20 AND $first + 39 FOR KEY SHARE) x;"
		. " UPDATE T SET a = a + 20000 WHERE a BETWEEN $first + 40 AND $first + 44; INSERT INTO T SELECT i, '$name', 1 FROM generate_series($first * 10 + 100000, $first * 10 + 100200) i; INSERT INTO T VALUES ($first + 30000, '$name', 7);"
		. " SAVEPOINT s; DELETE FROM T WHERE a BETWEEN $first + 50 AND $first + 59; ROLLBACK TO s; UPDATE T SET b = 'single $name' WHERE a BETWEEN $single AND $single + 1;"
		. " UPDATE T SET b = b || '!' WHERE a BETWEEN $first AND $first + 2") . "; PREPARE TRANSACTION '$name'");
	return;
}

# Who comes to rows of a prepared transaction waits, as on a heap.
sub locks
{
	my ($server, $first, $what) = @_;
	my %seen;
	foreach my $t ('h', 'c')
	{
		foreach my $statement ("UPDATE $t SET n = 0 WHERE a = $first + 1", "DELETE FROM $t WHERE a = $first + 12", "UPDATE $t SET n = 0 WHERE a = $first + 25", "UPDATE $t SET n = n WHERE a = $first + 35", "DELETE FROM $t WHERE a = $first + 35",
			"SELECT FROM $t WHERE a = $first + 35 FOR SHARE", "INSERT INTO $t VALUES ($first * 10 + 100005, 'x', 1)", "INSERT INTO $t VALUES ($first + 30000, 'x', 1)", "INSERT INTO $t VALUES ($first + 13, 'x', 1)", "UPDATE $t SET n = n WHERE a = $first + 55")
		{
			my (undef, undef, $err) = $server->psql('postgres', "SET lock_timeout = '100ms'; BEGIN; $statement; ROLLBACK");
			$seen{$t} .= ($err =~ /lock timeout/ ? 'waits' : $err eq '' ? 'goes on' : $err) . ', ';
		}
	}
	is($seen{c}, $seen{h}, "$what: who else comes to the rows");
	like($seen{h}, qr/waits.*goes on/, "$what: some wait");
	return;
}

sub same
{
	my ($server, $what) = @_;
	my $differ = 'SELECT count(*) FROM ((TABLE c EXCEPT ALL TABLE h) UNION ALL (TABLE h EXCEPT ALL TABLE c)) x';
	is($server->safe_psql('postgres', "$differ; SET ecinsight.enable_columnar_scan = off; SET enable_seqscan = off; $differ; SELECT count(*) FROM h WHERE (SELECT c FROM c WHERE c.a = h.a)::text IS DISTINCT FROM h::text"), "0\n0\n0", "$what: equal");
	# what a prepared transaction has reserved is there until it ends
	is($server->safe_psql('postgres', "SELECT v FROM ecinsight.verify('c') v"), '', "$what: nothing is damaged");
	return;
}

sub crash
{
	my $postmaster = $node->{_pid};
	my @children = split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children");
	$node->kill9;
	# a start before its children have left would be refused
	foreach (1 .. 300)
	{
		last unless grep { kill(0, $_) } $postmaster, @children;
		select(undef, undef, undef, 0.1);
	}
	$node->start;
	return;
}

prepare("p$_", $_ * 100) foreach 1 .. 12;
same($node, 'prepared');
locks($node, 300, 'prepared');
crash();
same($node, 'after a crash');
locks($node, 300, 'after a crash');
$node->safe_psql('postgres', "COMMIT PREPARED 'p1'; ROLLBACK PREPARED 'p2'");
same($node, 'ended after a crash');
$node->safe_psql('postgres', "VACUUM c; SELECT ecinsight.compact('c'); VACUUM c");
same($node, 'compacted beside them');
locks($node, 300, 'compacted beside them');
crash();
$node->safe_psql('postgres', "COMMIT PREPARED 'p3'; ROLLBACK PREPARED 'p4'");
same($node, 'ended after compaction and a crash');
$node->safe_psql('postgres', both('UPDATE T SET n = n + 1 WHERE a % 7 = 3 AND a BETWEEN 2000 AND 4000; DELETE FROM T WHERE a BETWEEN 4500 AND 4600'));
# one that ends while nobody has seen the crash's end, and checkpointed ones
$node->safe_psql('postgres', 'CHECKPOINT');
prepare("p$_", $_ * 100) foreach 20 .. 23;
$node->safe_psql('postgres', "COMMIT PREPARED 'p20'; ROLLBACK PREPARED 'p21'; COMMIT PREPARED 'p5'");
crash();
same($node, 'a mixture');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
same($standby, 'standby');
$node->kill9;
$standby->promote;
same($standby, 'promoted');
locks($standby, 600, 'promoted');
$standby->safe_psql('postgres', "COMMIT PREPARED 'p6'; ROLLBACK PREPARED 'p7'; VACUUM c; COMMIT PREPARED 'p22'; ROLLBACK PREPARED 'p23'; COMMIT PREPARED 'p8'");
same($standby, 'ended when promoted');
$standby->safe_psql('postgres', "ROLLBACK PREPARED '$_'") foreach 'p9', 'p10', 'p11', 'p12';
$standby->safe_psql('postgres', both('UPDATE T SET n = n + 1; DELETE FROM T WHERE a % 3 = 0') . '; VACUUM c; VACUUM FULL c');
same($standby, 'all ended');
unlike(slurp_file($_->logfile), qr/PANIC|TRAP:|XX000/, $_->name . ': nothing worse in the log') foreach $node, $standby;
$standby->stop;
$standby->command_ok([ 'pg_checksums', '--check', '-D', $standby->data_dir ], 'page checksums are right');
done_testing();
