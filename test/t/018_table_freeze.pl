# Transaction ids grow old: VACUUM FREEZE and autovacuum bring a columnar table's down, and rows, deletions and locks mean
# the same after the counter has gone all the way round.  Locks of prepared transactions outlive a restart.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('freeze');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
autovacuum_naptime = 1s
autovacuum_freeze_max_age = 100000
max_prepared_transactions = 10
log_autovacuum_min_duration = 0
CONF
$node->start;
my $sql = sub { return $node->safe_psql('postgres', @_) };

$sql->('CREATE EXTENSION ecinsight; CREATE TABLE h (k int PRIMARY KEY, v bigint, t text)');
$sql->("CREATE TABLE c (k int PRIMARY KEY, v bigint, t text) USING ecinsight_columnar WITH (autovacuum_enabled = off)");
$sql->("SELECT ecinsight.set_options('c', row_group_rows => 2000)");

# The same for both tables
sub both
{
	my ($text) = @_;
	return join "\n", map { my $s = $text; $s =~ s/\bT\b/$_/g; $s } 'h', 'c';
}

# Rows of groups (untouched, deleted, updated, locked), rows in tuples, and what a rollback leaves.
sub change
{
	my ($from) = @_;
	$sql->(both("INSERT INTO T SELECT $from + i, i, md5(i::text) FROM generate_series(1, 6000) i;"));
	$sql->(both("INSERT INTO T VALUES ($from + 7000, 1, 'alone'), ($from + 7001, 2, 'alone'), ($from + 7002, 3, 'alone');"));
	$sql->(both("DELETE FROM T WHERE k BETWEEN $from + 1 AND $from + 300 OR k = $from + 7001;"));
	$sql->(both("UPDATE T SET v = -v, t = 'new ' || t WHERE k BETWEEN $from + 500 AND $from + 560 OR k = $from + 7002;"));
	$sql->('BEGIN; ' . both("UPDATE T SET v = 0 WHERE k > $from + 5000; DELETE FROM T WHERE k < $from + 3000;") . ' ROLLBACK;');
	$sql->(both("BEGIN; SELECT count(*) FROM (SELECT 1 FROM T WHERE k BETWEEN $from + 1000 AND $from + 1020 FOR SHARE) x; COMMIT;"));
	return;
}

sub same
{
	my ($what) = @_;
	is($sql->('SELECT count(*) FROM ((TABLE c EXCEPT ALL TABLE h) UNION ALL (TABLE h EXCEPT ALL TABLE c)) x'), '0', "$what: the rows are heap's");
	is($sql->('SET enable_seqscan = off; SET ecinsight.enable_columnar_scan = off; SELECT count(*) FROM h LEFT JOIN LATERAL (SELECT v, t FROM c WHERE c.k = h.k OFFSET 0) x ON true WHERE (x.v, x.t) IS DISTINCT FROM (h.v, h.t)'),
		'0', "$what: also by index");
	is($sql->("SELECT count(*) FROM ecinsight.verify('c')"), '0', "$what: nothing is damaged");
	return;
}

my $age = "SELECT max(age(relfrozenxid)) FROM pg_class WHERE oid IN (SELECT unnest(ARRAY[oid, reltoastrelid]) FROM pg_class WHERE relname = 'c')";
sub age { return $sql->($age) }

# Transactions that do nothing but use up their numbers
sub burn
{
	my ($n) = @_;
	$sql->("CREATE TEMP TABLE burnt (); DO \$\$ BEGIN FOR i IN 1..$n LOOP BEGIN INSERT INTO burnt DEFAULT VALUES; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$");
	return;
}

change(0);
burn(20000);
cmp_ok(age(), '>', 20000, 'the table grows old');
$sql->('VACUUM (FREEZE) c');
cmp_ok(age(), '<', 100, 'VACUUM FREEZE makes it young');
same('VACUUM FREEZE');

# Multixacts: many share a row lock.
$sql->('BEGIN; ' . both('SELECT k FROM T WHERE k IN (2000, 7000) FOR KEY SHARE;') . " PREPARE TRANSACTION 'sharer'");
$sql->(both('BEGIN; SELECT k FROM T WHERE k IN (2000, 7000) FOR KEY SHARE; COMMIT;')) foreach 1 .. 20;
my $multis = "SELECT max(mxid_age(c.relminmxid)) FROM pg_class m JOIN pg_class c ON c.oid IN (m.oid, m.reltoastrelid) WHERE m.relname = 'c'";
cmp_ok($sql->($multis), '>=', 10, 'row locks by many have used multixacts');
$sql->("COMMIT PREPARED 'sharer'");
$sql->('VACUUM (FREEZE) c');
cmp_ok($sql->($multis), '<', 3, 'VACUUM FREEZE forgets old multixacts');
same('multixacts');

# Autovacuum comes to prevent wraparound, asked or not.
change(10000);
burn(110000);
cmp_ok(age(), '>', 100000, 'older than autovacuum_freeze_max_age');
$sql->('ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', "SELECT ($age) < 90000"),
	'autovacuum makes the table young, though it is turned off for it');
same('autovacuum');
$sql->('ALTER SYSTEM RESET autovacuum; SELECT pg_reload_conf()');

# Nearly half of all numbers later, twice: what was not frozen would be in the future now.
sub jump
{
	my ($distance) = @_;
	$node->safe_psql($_, 'VACUUM (FREEZE)') foreach 'postgres', 'template1';
	$sql->("UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'");
	$node->safe_psql('template0', 'VACUUM (FREEZE)');
	my $next = ($sql->("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric % 4294967296") + $distance) % 4294967296;
	$next = 4096 if $next < 4096;
	$node->stop;
	my $file = sprintf('%s/pg_xact/%04X', $node->data_dir, $next / 1048576);
	if (!-e $file)
	{
		open(my $segment, '>:raw', $file) or die "$file: $!";
		print {$segment} "\0" x 262144;
		close($segment);
	}
	command_ok([ 'pg_resetwal', '-f', '-x', $next, $node->data_dir ], "the next transaction is $next");
	$node->start;
	return;
}
foreach my $round (1 .. 3)
{
	change(10000 + 10000 * $round);
	jump(1_700_000_000);
	same("$round. jump");
	change(100000 + 10000 * $round);
	same("changes after the $round. jump");
	$sql->('VACUUM (FREEZE) c');
	cmp_ok(age(), '<', 100, "$round. jump: VACUUM FREEZE makes the table young");
	same("VACUUM FREEZE after the $round. jump");
}

# Locks and changes of prepared transactions, over a crash and VACUUM: rows of groups and in tuples.
$sql->(both("INSERT INTO T SELECT 900000 + i, 0, 'delta' FROM generate_series(1, 9) i;"));
$sql->('BEGIN; ' . both('SELECT k FROM T WHERE k IN (2000, 2100, 900001) FOR UPDATE; SELECT k FROM T WHERE k IN (2200, 900002) FOR KEY SHARE;') . " PREPARE TRANSACTION 'locks'");
$sql->('BEGIN; ' . both("UPDATE T SET t = 'prepared' WHERE k IN (2300, 900003); DELETE FROM T WHERE k IN (2400, 900004);") . " PREPARE TRANSACTION 'changes'");

sub locked
{
	my ($table) = @_;
	my $rows = "k IN (2000, 2100, 2200, 2300, 2400, 2500) OR k BETWEEN 900001 AND 900005";
	my $skip = sub { return $sql->("SELECT string_agg(k::text, ' ' ORDER BY k) FROM (SELECT k FROM $table WHERE $rows FOR $_[0] SKIP LOCKED) x") };
	return join '; ', map { $skip->($_) } 'UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE';
}
my $expected = locked('h');
is($expected, '2500 900005; 2200 2500 900002 900005; 2200 2500 900002 900005; 2200 2300 2500 900002 900003 900005', 'heap shows the locks of prepared transactions');
is(locked('c'), $expected, 'so do columnar tables');
$node->stop('immediate');
$node->start;
is(locked('c'), $expected, 'after a crash');
$sql->('VACUUM c');
is(locked('c'), $expected, 'after VACUUM');
$node->restart;
is(locked('c'), $expected, 'after a restart');
$sql->("ROLLBACK PREPARED 'locks'");
is(locked('c'), locked('h'), 'after ROLLBACK PREPARED');
$sql->("COMMIT PREPARED 'changes'");
is(locked('c'), locked('h'), 'after COMMIT PREPARED');
same('prepared transactions');
$sql->('VACUUM c');
same('at last');
$node->stop;
done_testing();
