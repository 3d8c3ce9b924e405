# Many sessions update the same rows of row groups at once, with and without a key that foreign keys could refer to: no
# update is lost and none counts twice.  Each update tells a heap table what it has added.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{EC_STRESS_SECONDS} || 8;
my $node = PostgreSQL::Test::Cluster->new('update_race');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 40\nfsync = off\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight');

# pgbench's scripts are files, which must not exist yet.
my $scripts = 0;
sub script { return 'script_' . ++$scripts . "_$_[0]" }

sub race
{
	my ($name, $index) = @_;
	$node->safe_psql('postgres', <<"EOC");
DROP TABLE IF EXISTS t, added;
CREATE TABLE t (id int, v int, w text) USING ecinsight_columnar;
CREATE TABLE added (n int);
INSERT INTO t SELECT g, 0, 'abc' FROM generate_series(1, 1000) g;
$index;
VACUUM t;
EOC
	my $add = 'WITH u AS (UPDATE t SET v = v + %d WHERE id %s RETURNING 1) INSERT INTO added SELECT %d FROM u;';
	my $any = '\set a random(1, 1000)' . "\n";
	$node->pgbench(
		"-n -T $seconds -c 8 -j 2 --max-tries=1000",
		0,
		[qr{processed}],
		[qr{^}],
		"$name: no session fails but to serialize or by deadlock",
		{
			script('several@3') => $any . sprintf($add, 1, 'BETWEEN :a AND :a + 10', 1),
			script('twice@2') => $any . 'BEGIN; ' . sprintf($add, 1, '= :a', 1) . sprintf($add, 3, '= :a', 3) . 'COMMIT;',
			script('undone@3') => $any . 'BEGIN; SAVEPOINT s; UPDATE t SET v = v + 1000 WHERE id = :a; ROLLBACK TO s;' . sprintf($add, 2, '= :a', 2) . 'COMMIT;',
			script('rollback@2') => $any . 'BEGIN; SELECT 1 FROM t WHERE id = :a FOR KEY SHARE;' . sprintf($add, 1, '= :a', 1) . 'ROLLBACK;',
			script('locked@2') => $any . 'BEGIN; SELECT v FROM t WHERE id = :a FOR UPDATE;' . sprintf($add, 1, '= :a', 1) . 'COMMIT;',
			script('moved@1') => $any . 'WITH d AS (DELETE FROM t WHERE id = :a RETURNING *) INSERT INTO t SELECT * FROM d;',
			script('repeatable@2') => $any . 'BEGIN ISOLATION LEVEL REPEATABLE READ;' . sprintf($add, 1, '= :a', 1) . 'COMMIT;',
			script('vacuum@1') => 'VACUUM t;',
		});
	my ($sum, $added) = map { $node->safe_psql('postgres', $_) } 'SELECT sum(v) FROM t', 'SELECT sum(n) FROM added';
	is($sum, $added, "$name: what was added is there");
	cmp_ok($added, '>', 100, "$name: it is something");
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM t'), '1000|1000', "$name: no row is there twice or missing");
	is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET ecinsight.enable_columnar_scan = off; SELECT sum(v), count(*) FROM t WHERE id > 0'), "$sum|1000", "$name: so says the index");
	is($node->safe_psql('postgres', "SELECT * FROM ecinsight.verify('t')"), '', "$name: verify finds nothing");
	return;
}

race('no key', 'CREATE INDEX ON t (id)');
race('primary key', 'ALTER TABLE t ADD PRIMARY KEY (id)');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no process crashed');
done_testing();
