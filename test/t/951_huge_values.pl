# Values of nearly 1 GB: what a heap takes is taken, by INSERT and COPY, read, changed beside, verified, compacted and
# rewritten; what a heap refuses is refused with the same error.  What each step takes at its peak is told.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs /proc' unless -r '/proc/self/status';
my ($free) = slurp_file('/proc/meminfo') =~ /MemAvailable:\s+(\d+)/;
plan skip_all => 'needs 8 GB of memory' if $free < 8_000_000;

my $node = PostgreSQL::Test::Cluster->new('huge');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
shared_buffers = 64MB
fsync = off
autovacuum = off
max_wal_size = 4GB
wal_level = minimal
max_wal_senders = 0
max_parallel_workers_per_gather = 0
EOC
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE FUNCTION peak_mb() RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int / 1024 $$;
CREATE TABLE h (a int PRIMARY KEY, t text, n int) USING heap;
CREATE TABLE c (a int PRIMARY KEY, t text, n int) USING ecinsight_columnar;
EOC

# Runs statements on both tables (T); returns what both say, errors included, with peaks.
my %peak;
sub run
{
	my ($t, $sql) = @_;
	$sql =~ s/\bT(?=\b|_)/$t/g;
	my ($code, $out, $err) = $node->psql('postgres', "$sql;\nSELECT 'peak ' || peak_mb()", on_error_stop => 0, timeout => 1200);
	$peak{$t} = $1 if $out =~ s/peak (\d+)$//;
	$err =~ s/^psql:<stdin>:\d+: //mg;
	$err =~ s/\b${t}_pkey/T_pkey/g;
	return $out . join('', grep { /^(?:ERROR|DETAIL)/ } split /^/, $err);
}

sub same
{
	my ($what, $limit, $sql) = @_;
	my $start = time;
	my $heap = run('h', $sql);
	my $middle = time;
	my $ours = run('c', $sql);
	is($ours, $heap, sprintf '%s: as a heap (%d MB, %d s; heap %d MB, %d s)', $what, $peak{c}, time - $middle, $peak{h}, $middle - $start);
	cmp_ok($peak{c}, '<', $limit, "$what: at most $limit MB");
	return;
}

my $long = "repeat('0123456789abcdef', 62500000)";
my $look = 'SELECT a, length(t), md5(t), n FROM T ORDER BY a';
same('INSERT of 1,000,000,000 bytes', 5000, "INSERT INTO T VALUES (1, $long, 1)");
same('reading them', 4200, $look);
same('the first characters', 4200, 'SELECT a, substr(t, 1, 20), substr(t, 999999990) FROM T');
same('rows beside it', 4200, "INSERT INTO T SELECT i, 'short ' || i, i FROM generate_series(2, 500) i; SELECT count(*), sum(n) FROM T");
same('UPDATE beside it', 5000, 'UPDATE T SET n = n + 1 WHERE a < 3');
same('by index', 4200, "SET enable_seqscan = off; SELECT a, length(t), n FROM T WHERE a IN (1, 2)");
same('the most a heap takes', 5200, "INSERT INTO T SELECT 1001, repeat('x', 1073741000), 1; SELECT length(t) FROM T WHERE a = 1001");
same('more than a heap takes', 5200, "INSERT INTO T SELECT 1002, repeat('x', 1073741820), 1; SELECT count(*) FROM T WHERE a = 1002");
same('rolled back', 5000, "BEGIN; INSERT INTO T VALUES (1003, $long, 1); ROLLBACK; SELECT count(*) FROM T");
my $file = $node->basedir . '/value';
same('COPY TO binary', 5200, "COPY (SELECT * FROM T WHERE a = 1) TO '$file' (FORMAT binary)");
same('COPY FROM binary', 5200, "DELETE FROM T WHERE a = 1; COPY T FROM '$file' (FORMAT binary)");
same('COPY TO text', 5200, "COPY (SELECT * FROM T WHERE a = 1) TO '$file'");
same('COPY FROM text', 7500, "DELETE FROM T WHERE a = 1; COPY T FROM '$file'");
unlink $file;
same('what doubles in a dump', 5200, "INSERT INTO T VALUES (1004, repeat('\\', 600000000), 1); COPY (SELECT * FROM T WHERE a = 1004) TO '/dev/null'; DELETE FROM T WHERE a = 1004");
same('reading all of that', 4200, $look);
same('VACUUM', 5200, 'VACUUM T');
same('after it', 4200, $look);
is(run('c', 'SELECT v FROM ecinsight.verify($$c$$) v'), '', "verify finds nothing ($peak{c} MB)");
cmp_ok($peak{c}, '<', 4200, 'verify: at most 4200 MB');
same('VACUUM FULL', 6500, 'VACUUM FULL T');
same('CLUSTER', 6500, 'CLUSTER T USING T_pkey');
same('after it', 4200, $look);
is(run('c', 'SELECT v FROM ecinsight.verify($$c$$) v'), '', "verify finds nothing again ($peak{c} MB)");
$node->stop('immediate');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no process crashed');
done_testing();
