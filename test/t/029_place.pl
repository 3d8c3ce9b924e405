# Rows inserted singly have no index entries in the companion but rely on tuples that tell their page (store/place.h): after
# crashes, rolled back prepared transactions, on a standby, beside VACUUM; and if such a tuple is damaged.
use strict;
use warnings;

use Fcntl qw(SEEK_SET);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('place');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<'EOC');
autovacuum = off
fsync = off
restart_after_crash = on
max_prepared_transactions = 2
shared_preload_libraries = 'ecinsight'
EOC
$node->start;
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (id int PRIMARY KEY, v int) USING ecinsight_columnar;
CREATE PROCEDURE singly(first int, n int) LANGUAGE plpgsql AS $$ BEGIN FOR i IN first .. first + n - 1 LOOP INSERT INTO c VALUES (i, i); COMMIT; END LOOP; END $$;
EOC
my $by_index = 'SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off; '
  . 'SELECT count(v), (SELECT count(*) FROM (SELECT * FROM c OFFSET 0) x) FROM generate_series(1, 10000) i, LATERAL (SELECT v FROM c WHERE id = i OFFSET 0) x';
my $verify = "SELECT count(*), min(problem) FROM ecinsight.verify('c')";

# Stops behind the tuple, before its index entry; all is on the disk when the session is killed.
my ($out, $err) = ('', '');
$node->safe_psql('postgres', 'CALL singly(1, 10)');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET ecinsight.debug_stop_point = 'place'", '-c', 'CALL singly(11, 100)' ],
	'>', \$out, '2>', \$err);
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'stopped at place'") or die "not stopped: $err";
my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query = 'stopped at place'");
$node->safe_psql('postgres', 'CREATE TABLE flushed (); DROP TABLE flushed');
kill 'KILL', $pid;
$session->finish;
foreach (1 .. 600)
{
	last if IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT 1' ], '>', \$out, '2>', \$err);
	usleep(100_000);
}
is($node->safe_psql('postgres', $by_index), '11|11', 'a crash before the index entry: what is committed is there');
is($node->safe_psql('postgres', $verify), '0|', 'and clean');
$node->safe_psql('postgres', 'CALL singly(20, 500)');
is($node->safe_psql('postgres', "REINDEX TABLE c; $by_index"), '511|511', 'the companion gets a new index');
is($node->safe_psql('postgres', $verify), '0|', 'and is clean');

# The transaction that told the place is prepared, and rolled back after others have relied on it.
$node->safe_psql('postgres', <<'EOC');
CALL singly(1000, 5);
BEGIN;
INSERT INTO c VALUES (1005, 1005);
INSERT INTO c VALUES (1006, 1006);
INSERT INTO c VALUES (1007, 1007);
PREPARE TRANSACTION 'p';
CALL singly(1008, 20);
ROLLBACK PREPARED 'p';
CALL singly(1028, 20);
SELECT reltoastrelid::regclass AS companion FROM pg_class WHERE relname = 'c' \gset
VACUUM :companion;
EOC
is($node->safe_psql('postgres', $by_index), '556|556', 'rows that rely on what was rolled back');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $by_index), '556|556', 'are found on a standby');

# Its rows are deleted and vacuumed away, and what told their place, while the session that relies on it goes on.
my $in = '';
$session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err);
my $done = 0;

sub go_on
{
	my ($sql) = @_;
	$in .= "$sql\nINSERT INTO done VALUES (" . ++$done . ");\n";
	$session->pump_nb;
	return $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM done WHERE n = $done");
}
$node->safe_psql('postgres', 'CREATE TABLE done (n int)');
my $rows = 556;
my $first = 2000;
foreach my $n (1 .. 5)
{
	go_on("CALL singly($first, 20);") or die $err;
	$node->safe_psql('postgres', 'DELETE FROM c WHERE id BETWEEN ' . $first . ' AND ' . ($first + 19)) if $n % 2;
	$rows += 20 unless $n % 2;
	$node->safe_psql('postgres', 'VACUUM c') for 1 .. 2;
	$first += 20;
}
go_on("CALL singly($first, 20);") or die $err;
$rows += 20;
is($node->safe_psql('postgres', $by_index), "$rows|$rows", 'rows inserted between VACUUMs');
is($node->safe_psql('postgres', $verify), '0|', 'all is well');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $by_index), "$rows|$rows", 'the same on a standby');
$in .= "\\q\n";
$session->finish;

# All sessions at once, beside VACUUM.
my $script = $node->basedir . '/singly.sql';
append_to_file($script, <<'EOC');
\set n random(1, 4)
\if :n = 1
	BEGIN;
	INSERT INTO c SELECT nextval('numbers'), 0;
	INSERT INTO c SELECT nextval('numbers'), 0;
	ROLLBACK;
\elif :n = 2
	DELETE FROM c WHERE id = (SELECT last_value - random(1, 30) FROM numbers);
\endif
INSERT INTO c SELECT nextval('numbers'), 0;
EOC
$node->safe_psql('postgres', "CREATE SEQUENCE numbers START 3000; CREATE FUNCTION random(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + floor(random() * (b - a + 1))::int'");
my $pgbench = IPC::Run::start([ 'pgbench', '-n', '-c', '5', '-t', '300', '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ], '>', \$out, '2>', \$err);
while ($pgbench->pumpable)
{
	$node->safe_psql('postgres', 'VACUUM c');
	$pgbench->pump_nb;
}
ok($pgbench->finish, 'five sessions insert and delete while VACUUM runs') or diag($err);
my ($index, $all) = split /\|/, $node->safe_psql('postgres', $by_index);
is($index, $all, 'all rows are found by the index');
is($node->safe_psql('postgres', $verify), '0|', 'all is well');

# A damaged tuple of that kind: whoever relies on it is told.
$node->safe_psql('postgres', 'CREATE TABLE d (id int PRIMARY KEY, v int) USING ecinsight_columnar');
$node->safe_psql('postgres', 'INSERT INTO d VALUES (1, 1); INSERT INTO d VALUES (2, 2); INSERT INTO d VALUES (3, 3); INSERT INTO d VALUES (4, 4); INSERT INTO d VALUES (5, 5)');
$node->safe_psql('postgres', "INSERT INTO d VALUES ($_, $_)") for 6 .. 7;
my $companion = $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'd'");
my $place = $node->safe_psql('postgres', "SELECT substr(encode(chunk_data, 'hex'), 1, 16) FROM $companion WHERE chunk_id::bigint & 255 = 6 LIMIT 1");
my $file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$companion')");
$node->stop;
# From PostgreSQL 18 on clusters have page checksums, which would find the damage first; without them there is nothing to do.
run_log([ 'pg_checksums', '--disable', '-D', $node->data_dir ]);
open my $f, '+<:raw', $file or die;
read $f, my $pages, -s $file;
my $at = index($pages, pack('H*', $place));
cmp_ok($at, '>', 0, 'the tuple is in the file');
foreach my $flip (0, 4)
{
	my $damaged = $pages;
	substr($damaged, $at + $flip, 1) ^= chr(1);
	seek $f, 0, SEEK_SET;
	syswrite $f, $damaged;
	$node->start;
	my ($code, $stdout, $stderr) = $node->psql('postgres', 'SET enable_seqscan = off; SELECT v FROM d WHERE id = 3');
	like($stderr, qr/tuple \(0,\d+\) of the TOAST table of table "d" is damaged/, "byte $flip");
	like($node->safe_psql('postgres', "SELECT problem FROM ecinsight.verify('d')"), qr/damaged|says where/, 'verify names it');
	$node->stop;
}
close $f;
done_testing();
