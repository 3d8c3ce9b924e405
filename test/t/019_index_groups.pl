# Sessions that write row groups at the same time: descriptors appear in another order than that of their numbers, and
# every session's map of row groups has to find them.  Committed rows must be found by index at once.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{EC_STRESS_SECONDS} || 8;
my $node = PostgreSQL::Test::Cluster->new('index_groups');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum_naptime = '1s'\nenable_seqscan = off\nenable_hashjoin = off\nenable_mergejoin = off\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE t (id bigint, v text) USING ecinsight_columnar;
CREATE UNIQUE INDEX ON t (id);
CREATE SEQUENCE batches INCREMENT 200;
CREATE TABLE done (first bigint PRIMARY KEY);
EOC

$node->pgbench(
	"-n -T $seconds -c 8 -j 2",
	0,
	[qr{processed}],
	[qr{^$}],
	'rows of committed batches are found by index',
	{
		'write@4' => q{
			SELECT nextval('batches') AS f \gset
			BEGIN;
			INSERT INTO done VALUES (:f);
			INSERT INTO t SELECT :f + i, md5(i::text) FROM generate_series(0, 199) i;
			COMMIT;
		},
		'undo@1' => q{
			BEGIN;
			INSERT INTO t SELECT -i, 'undone' FROM generate_series(1, 200) i;
			ROLLBACK;
		},
		'read@8' => q{
			SET ecinsight.enable_columnar_scan = off;
			SELECT count(*) AS lost FROM (SELECT first FROM done ORDER BY first DESC LIMIT 40) d
				WHERE NOT EXISTS (SELECT FROM t WHERE t.id = d.first + 3 AND v IS NOT NULL) \gset
			SELECT 1 / (:lost = 0)::int;
		},
	});
is($node->safe_psql('postgres', 'SELECT count(*) = 200 * (SELECT count(*) FROM done) FROM t'), 't', 'no row was lost');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('t')"), '0', 'verify finds nothing');
$node->stop;
done_testing();
