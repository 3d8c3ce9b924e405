# Memory: nothing stays after statements, and what a statement takes has a bound.
#
# Leaks: one session runs the same rounds of statements over and over; the total of its memory contexts after the
# first rounds (caches are warm) and after the last must be about the same.  EC_MEMORY_ROUNDS: rounds, of about 65 statements each.
# Bounds: each load runs in a session of its own, whose largest resident size the kernel knows (VmHWM, which includes
# the shared buffers that it touched, so they are small here).
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' unless -r '/proc/self/status';

my $rounds = $ENV{EC_MEMORY_ROUNDS} || 140;
my $node = PostgreSQL::Test::Cluster->new('memory');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
shared_buffers = 16MB
fsync = off
autovacuum = off
max_wal_size = 1GB
max_parallel_workers_per_gather = 0
ecinsight.write_buffer = '64MB'
EOC
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE FUNCTION peak_mb() RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int / 1024 $$;
CREATE FUNCTION contexts_kb() RETURNS bigint LANGUAGE sql AS $$ SELECT sum(total_bytes)::bigint / 1024 FROM pg_backend_memory_contexts $$;
EOC

# ------------------------------------------------------------------------
# Leaks
# ------------------------------------------------------------------------
my $setup = <<'EOC';
CREATE TABLE a (id int PRIMARY KEY, x bigint, t text, j jsonb) USING ecinsight_columnar;
CREATE INDEX ON a (x);
CREATE INDEX ON a USING gin (j);
CREATE TABLE p (id int, x int) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0) USING ecinsight_columnar;
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1) USING ecinsight_columnar;
PREPARE by_key (int) AS SELECT * FROM a WHERE id = $1;
EOC
my $round = <<'EOC';
TRUNCATE a, p;
INSERT INTO a SELECT i, i % 100, 'text ' || i, jsonb_build_object('k', i % 7) FROM generate_series(1, 500) i;
INSERT INTO a VALUES (1001, 1, 'one', '{}');
INSERT INTO a VALUES (1002, 1, 'two', '{}'), (1003, 2, 'three', '{"k": 3}');
INSERT INTO a VALUES (1001, 1, 'again', '{}');
INSERT INTO a VALUES (1001, 1, 'again', '{}') ON CONFLICT (id) DO NOTHING;
INSERT INTO a VALUES (1001, 7, 'again', '{}') ON CONFLICT (id) DO UPDATE SET x = excluded.x;
INSERT INTO p SELECT i, i FROM generate_series(1, 200) i;
EXECUTE by_key(7);
EXECUTE by_key(1003);
SELECT count(*), sum(x) FROM a WHERE x BETWEEN 3 AND 50;
SELECT count(*), sum(length(t)) FROM a;
SELECT count(*) FROM a WHERE j @> '{"k": 3}';
SELECT x, count(*) FROM a GROUP BY x ORDER BY x LIMIT 3;
SELECT count(*) FROM a JOIN p USING (id);
SELECT * FROM a WHERE t = 'text 9' OR t LIKE 'text 49%' ORDER BY id;
UPDATE a SET x = x + 1 WHERE id = 5;
UPDATE a SET t = t || 'u' WHERE id % 10 = 0;
UPDATE p SET x = -x WHERE id < 20;
DELETE FROM a WHERE id % 17 = 0;
DELETE FROM a WHERE id = 3 RETURNING *;
MERGE INTO a USING (VALUES (1, 5), (2000, 6)) s (k, v) ON a.id = s.k WHEN MATCHED THEN UPDATE SET x = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v);
SELECT * FROM a WHERE id = 1 FOR UPDATE;
SELECT 1 / (x - 1) FROM a;
BEGIN;
INSERT INTO a SELECT i, i, 't' FROM generate_series(3000, 3100) i;
SAVEPOINT s;
INSERT INTO a SELECT i, i, 't' FROM generate_series(4000, 4100) i;
UPDATE a SET x = 1 WHERE id > 3050;
ROLLBACK TO s;
DECLARE c SCROLL CURSOR FOR SELECT * FROM a ORDER BY id;
FETCH 5 FROM c;
FETCH BACKWARD 2 FROM c;
ROLLBACK;
DO $$ BEGIN FOR i IN 1..3 LOOP BEGIN INSERT INTO a VALUES (i, i); EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END $$;
COPY a (id, x) TO '/dev/null';
COPY a (id, x) TO '@.text';
COPY a (id, x) TO '@.csv' (FORMAT csv);
COPY a (id, x) TO '@.binary' (FORMAT binary);
TRUNCATE p;
COPY p FROM '@.text';
DELETE FROM a WHERE id > 300;
COPY a (id, x) FROM '@.csv' (FORMAT csv);
DELETE FROM a WHERE id < 10000;
COPY a (id, x) FROM '@.binary' (FORMAT binary);
COPY a (id, x) FROM '@.text';
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT * FROM a ORDER BY id;
DECLARE left_open CURSOR FOR SELECT * FROM a;
FETCH 3 FROM left_open;
COMMIT;
FETCH 3 FROM held;
CLOSE held;
DO $$ DECLARE r record; n int := 0; BEGIN FOR r IN SELECT * FROM a WHERE id < 50 LOOP n := n + 1; BEGIN UPDATE a SET x = 1 / (n % 3) WHERE id = r.id; EXCEPTION WHEN division_by_zero THEN DELETE FROM a WHERE id = r.id; END; END LOOP; END $$;
ANALYZE a;
VACUUM a;
EOC
my $statements = () = $round =~ /;$/mg;
my $total = "\\echo total\nSELECT contexts_kb();\n";
my $script = $setup . ($round x 30) . $total . ($round x $rounds) . $total;
my $file = $node->basedir . '/rows';
$script =~ s/'\@\./'$file./g;
my ($out, $err) = ('', '');
IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-v', 'ON_ERROR_STOP=0' ], '<', \$script, '>', \$out, '2>', \$err);
my @totals = $out =~ /^total\n(\d+)$/mg;
is(scalar @totals, 2, 'the session went through') or diag substr($err, -2000);
cmp_ok($totals[1] - $totals[0], '<', 512, sprintf('%d statements later the contexts are as large (%d kB, then %d kB)',
		$rounds * $statements, $totals[0] // 0, $totals[1] // 0));
my %unexpected = map { $_ => 1 } grep { !/duplicate key|division by zero/ } $err =~ /ERROR:  (.*)/g;
is(join(', ', sort keys %unexpected), '', 'no errors but the intended ones');

# Tables that come and go: PostgreSQL's own caches keep about 4 kB of each.
my $ours = <<'EOC';
SELECT ecinsight.set_options('b', order_by => 'x');
SELECT ecinsight.compact('b');
SELECT count(*) FROM ecinsight.verify('b');
SELECT count(*) FROM ecinsight.columnar_stats('b');
EOC
my %grown;
foreach my $method ('heap', 'ecinsight_columnar')
{
	(my $table = <<'EOC') =~ s/METHOD/$method/;
CREATE TABLE b (id int, x bigint, t text, j jsonb) USING METHOD;
INSERT INTO b SELECT i, i % 100, 'text ' || i, jsonb_build_object('k', i % 7) FROM generate_series(1, 100) i;
ALTER TABLE b ADD COLUMN extra int DEFAULT 4, ALTER x TYPE numeric;
UPDATE b SET extra = 5 WHERE id = 4;
ALTER TABLE b DROP COLUMN extra, ADD PRIMARY KEY (id);
CLUSTER b USING b_pkey;
REINDEX TABLE b;
EOC
	$table .= ($method eq 'heap' ? '' : $ours) . "DROP TABLE b;\n";
	my $used = "\\echo used\nSELECT sum(used_bytes)::bigint / 1024 FROM pg_backend_memory_contexts;\n";
	my $maps = "SELECT 'maps', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'ecinsight%map%';\n";
	($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \($table x 30 . $used . $table x $rounds . $used . $maps), '>', \$out, '2>', \$err);
	my @used = $out =~ /^used\n(\d+)$/mg;
	$grown{$method} = $used[1] - $used[0];
	cmp_ok($1, '<', 5, 'what is kept of row groups goes with the tables') if $out =~ /^maps\|(\d+)$/m;
	is($err, '', 'no errors');
}
cmp_ok($grown{ecinsight_columnar}, '<', $grown{heap} + 2 * $rounds, "$rounds tables later as much is in use as of a heap's ($grown{ecinsight_columnar} kB more, heap $grown{heap} kB)");

# ------------------------------------------------------------------------
# Bounds
# ------------------------------------------------------------------------
# peak(SQL): largest resident size in MB of a session that runs it
sub peak
{
	my ($sql) = @_;
	my $result = $node->safe_psql('postgres', "$sql;\nSELECT peak_mb()");
	return (split /\n/, $result)[-1];
}

my $idle = peak('SELECT 1');
sub bounded
{
	my ($what, $limit, $sql) = @_;
	my $start = time;
	my $peak = peak($sql) - $idle;
	cmp_ok($peak, '<', $limit, sprintf('%s takes less than %d MB (%d MB, %d s)', $what, $limit, $peak, time - $start));
}

$node->safe_psql('postgres', <<'EOC');
CREATE TABLE many (id int, x bigint, t text) PARTITION BY RANGE (id);
DO $$ BEGIN FOR i IN 0..199 LOOP
	EXECUTE format('CREATE TABLE many_%s PARTITION OF many FOR VALUES FROM (%s) TO (%s) USING ecinsight_columnar', i, i, i + 1);
END LOOP; END $$;
CREATE TABLE more (id int, x bigint, t text) PARTITION BY RANGE (id);
DO $$ BEGIN FOR i IN 0..999 LOOP
	EXECUTE format('CREATE TABLE more_%s PARTITION OF more FOR VALUES FROM (%s) TO (%s) USING ecinsight_columnar', i, i, i + 1);
END LOOP; END $$;
CREATE TABLE one (id int, x bigint, t text) USING ecinsight_columnar;
CREATE TABLE keyed (id int PRIMARY KEY, t text) USING ecinsight_columnar;
CREATE TABLE huge (t text) USING ecinsight_columnar;
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg(format('c%s %s', i, CASE WHEN i % 2 = 0 THEN 'int' ELSE 'text' END), ', ')
	FROM generate_series(1, 1600) i) || ') USING ecinsight_columnar'; END $$;
EOC
bounded('writing 3 M rows', 120, 'INSERT INTO one SELECT i, i, md5(i::text) FROM generate_series(1, 3000000) i');
bounded('writing to 200 partitions at once', 180, 'INSERT INTO many SELECT i % 200, i, md5(i::text) FROM generate_series(1, 2000000) i');
bounded('writing to 1,000 partitions at once', 300, 'INSERT INTO more SELECT i % 1000, i, md5(i::text) FROM generate_series(1, 2000000) i');
bounded('writing 1 M rows with a key', 120, 'INSERT INTO keyed SELECT i, md5(i::text) FROM generate_series(1, 1000000) i');
bounded('updating 300,000 rows', 100, "UPDATE keyed SET t = 'u' WHERE id % 3 = 0 AND id < 900000");
bounded('deleting 300,000 rows', 100, 'DELETE FROM keyed WHERE id % 3 = 1 AND id < 900000');
bounded('VACUUM of them', 150, 'VACUUM keyed');
bounded('reading 3 M rows', 60, 'SELECT count(*), sum(x), max(t) FROM one');
bounded('reading the partitions', 160, 'SELECT count(*), sum(x), max(t) FROM many');
bounded('reading by index in no order', 160, 'SET enable_seqscan = off; SELECT count(t) FROM (SELECT (i::bigint * 7919 % 1000000)::int AS k FROM generate_series(1, 100000) i) s JOIN keyed ON id = k');
bounded('30 values of 20 MB', 400, "INSERT INTO huge SELECT repeat(md5(i::text), 655360) FROM generate_series(1, 30) i");
bounded('reading them', 300, 'SELECT sum(length(t)) FROM huge');
my $values = join(', ', map { $_ % 2 ? "md5(i::text)" : "i + $_" } 1 .. 1600);
bounded('4,000 rows of 1,600 columns', 400, "INSERT INTO wide SELECT $values FROM generate_series(1, 4000) i");
bounded('reading them', 400, 'SELECT count(w::text) FROM wide w');
# Few rows: to get at a column of a sample's row PostgreSQL walks through all columns before it.
bounded('ANALYZE of 1,600 columns', 300, 'DELETE FROM wide WHERE c2 > 300; ANALYZE wide');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('keyed')"), '0', 'nothing is damaged');
$node->stop;
done_testing();
