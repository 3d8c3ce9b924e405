# A columnar table survives kill -9 of the postmaster in the middle of loads: what it holds equals what committed.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<'EOC');
fsync = on
max_prepared_transactions = 5
checkpoint_timeout = '30s'
max_wal_size = '64MB'
shared_buffers = '16MB'
EOC
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (loader int, batch int, n bigint, t text) USING ecinsight_columnar;
CREATE TABLE log (loader int, batch int, rows int, total numeric);
CREATE UNLOGGED TABLE u (a int) USING ecinsight_columnar;
INSERT INTO u SELECT generate_series(1, 20000);
EOC

# Each transaction writes rows and, beside them in a heap, what they were.
sub statements
{
	my ($loader, $from) = @_;
	my $sql = '';
	foreach my $i ($from .. $from + 400)
	{
		my $rows = $i % 5 == 0 ? 1 : $i % 5 == 1 ? 50 : 1000 * ($i % 7 + 1);
		my $commit = $i % 6 == 3 ? 'ROLLBACK' : 'COMMIT';
		$sql .= "BEGIN; INSERT INTO c SELECT $loader, $i, g * 3, md5(g::text) FROM generate_series(1, $rows) g;\n"
		  . "SAVEPOINT s; INSERT INTO c SELECT $loader, $i, 0, 'undone' FROM generate_series(1, 2000) g; ROLLBACK TO s;\n"
		  . "INSERT INTO log SELECT $loader, $i, count(*), sum(n) FROM c WHERE loader = $loader AND batch = $i; $commit;\n";
	}
	return $sql;
}

my $agree = <<'EOC';
SELECT count(*) FROM (SELECT loader, batch, count(*) AS rows, sum(n) AS total FROM c GROUP BY 1, 2) a
FULL JOIN log USING (loader, batch) WHERE a.rows IS DISTINCT FROM log.rows OR a.total IS DISTINCT FROM log.total;
EOC

# kill -9, and wait until nobody holds the data directory
sub crash
{
	my $pid = $node->{_pid};
	$node->kill9;
	foreach (1 .. 300)
	{
		last unless kill(0, $pid);
		usleep(50_000);
	}
	return;
}

my $from = 1;
foreach my $round (1 .. 4)
{
	my @loaders;
	foreach my $loader (1, 2)
	{
		my ($in, $out, $err) = (statements($loader, $from), '', '');
		my $file = PostgreSQL::Test::Utils::tempdir() . "/load$round-$loader.sql";
		append_to_file($file, $in);
		push @loaders, IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-f', $file ], '<', \undef, '>', \$out, '2>', \$err);
	}
	usleep(700_000 + int(rand(1_500_000)));
	if ($round == 2)
	{
		$node->safe_psql('postgres', "BEGIN; INSERT INTO c SELECT 9, 1, g, 'prepared' FROM generate_series(1, 30000) g; INSERT INTO log VALUES (9, 1, 30000, 450015000); PREPARE TRANSACTION 'kept';");
		$node->safe_psql('postgres', "BEGIN; INSERT INTO c SELECT 9, 2, g, 'prepared' FROM generate_series(1, 10) g; PREPARE TRANSACTION 'undone';");
	}
	$node->stop('immediate') if $round == 4;
	crash() if $round < 4;
	foreach (@loaders) { eval { $_->finish }; }
	$node->start;
	if ($round == 2)
	{
		$node->safe_psql('postgres', "COMMIT PREPARED 'kept'");
		$node->safe_psql('postgres', "ROLLBACK PREPARED 'undone'");
	}
	is($node->safe_psql('postgres', $agree), '0', "round $round: rows agree with what committed");
	is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', "round $round: nothing is damaged");
	is($node->safe_psql('postgres', 'SELECT count(DISTINCT ctid) - count(*) FROM c'), '0', "round $round: no row number was given twice");
	if ($round == 1)
	{
		is($node->safe_psql('postgres', 'SELECT count(*) FROM u'), '0', 'an unlogged table is empty after a crash');
		is($node->safe_psql('postgres', 'INSERT INTO u SELECT generate_series(1, 30000); SELECT count(*) FROM u'), '30000', 'and usable');
	}
	$from += 1000;
}
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM log'), '>', 20, 'enough was committed between the crashes');
is($node->safe_psql('postgres', "SELECT count(*) FROM c WHERE loader = 9"), '30000', 'a prepared transaction survived');

# Maintenance over what the crashes left behind.
$node->safe_psql('postgres', 'VACUUM c; VACUUM FULL c; ANALYZE c');
is($node->safe_psql('postgres', $agree), '0', 'rows agree after VACUUM FULL');
crash();
$node->start;
is($node->safe_psql('postgres', $agree), '0', 'and after another crash');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'nothing is damaged in the end');

# A table made and filled by one transaction, with wal_level minimal: no WAL of its pages, synced at commit.
$node->append_conf('postgresql.conf', "wal_level = minimal\nmax_wal_senders = 0\nwal_skip_threshold = '100kB'");
$node->restart;
$node->safe_psql('postgres', "BEGIN; CREATE TABLE m (a int, t text) USING ecinsight_columnar; INSERT INTO m SELECT g, md5(g::text) FROM generate_series(1, 50000) g; COMMIT");
$node->safe_psql('postgres', "BEGIN; CREATE TABLE m2 (a int) USING ecinsight_columnar; INSERT INTO m2 VALUES (1); COMMIT; BEGIN; TRUNCATE m2; INSERT INTO m2 VALUES (2), (3); COMMIT");
crash();
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT t) FROM m'), '50000|50000', 'wal_level minimal: a new table is there after a crash');
is($node->safe_psql('postgres', 'SELECT sum(a) FROM m2'), '5', 'wal_level minimal: a truncated one too');

$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums are right');
done_testing();
