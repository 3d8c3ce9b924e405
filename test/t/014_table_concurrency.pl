# Many writers, readers and maintenance at once: each transaction's rows add up to 0, so every snapshot's must.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{EC_STRESS_SECONDS} || 12;
my $node = PostgreSQL::Test::Cluster->new('concurrency');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 40\nautovacuum_naptime = '1s'\nparallel_setup_cost = 0\nmin_parallel_table_scan_size = 0\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (k int, a bigint, t text) USING ecinsight_columnar;
CREATE TABLE wrong (what text);
SELECT ecinsight.set_options('c', row_group_rows => 2000);
EOC

$node->pgbench(
	"-n -T $seconds -c 8 -j 2",
	0,
	[qr{processed}],
	[qr{^}],
	'writers, readers and maintenance run without an error',
	{
		'few@20' => q{
			\set x random(1, 1000000)
			BEGIN; INSERT INTO c VALUES (:client_id, :x, 'plus'); INSERT INTO c VALUES (:client_id, -:x, 'minus'); COMMIT;
		},
		'many@4' => q{
			\set n random(1, 6000)
			BEGIN; INSERT INTO c SELECT :client_id, CASE WHEN i % 2 = 0 THEN i - 1 ELSE -i END, md5(i::text) FROM generate_series(1, 2 * :n) i;
			SAVEPOINT s; INSERT INTO c SELECT 0, i, 'undone' FROM generate_series(1, :n) i; ROLLBACK TO s;
			INSERT INTO c VALUES (:client_id, 5), (:client_id, -5); COMMIT;
		},
		'gone@2' => q{
			\set n random(1, 3000)
			BEGIN; INSERT INTO c SELECT :client_id, i, 'gone' FROM generate_series(1, :n) i; ROLLBACK;
		},
		'read@4' => q{
			BEGIN ISOLATION LEVEL REPEATABLE READ;
			INSERT INTO wrong SELECT 'sum ' || s || ' of ' || n || ' rows' FROM (SELECT sum(a) AS s, count(*) AS n, count(DISTINCT ctid) AS d FROM c) x WHERE s <> 0 OR n <> d OR n % 2 <> 0;
			COMMIT;
		},
		'vacuum@1' => q{ VACUUM c; ANALYZE c; },
		'full@1' => q{ VACUUM FULL c; },
	});
is($node->safe_psql('postgres', 'SELECT * FROM wrong LIMIT 3'), '', 'every snapshot was whole');
is($node->safe_psql('postgres', 'SELECT sum(a), count(*) - count(DISTINCT ctid) FROM c'), '0|0', 'the end is whole');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'nothing is damaged');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM c'), '>', 1000, 'there was something to look at');
$node->stop;
done_testing();
