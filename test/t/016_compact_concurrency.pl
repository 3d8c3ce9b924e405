# Writers and readers beside VACUUM and compaction in a loop: nothing is lost, no snapshot sees anything else than a heap twin.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('compact_concurrency');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum_naptime = 1s\nshared_preload_libraries = 'ecinsight'\nmax_connections = 30\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (id int PRIMARY KEY, v int, t text) USING ecinsight_columnar;
CREATE TABLE h (id int PRIMARY KEY, v int, t text) USING heap;
SELECT ecinsight.set_options('c', row_group_rows => 4096);
INSERT INTO c SELECT i, 0, md5(i::text) FROM generate_series(1, 20000) i;
INSERT INTO h TABLE c;
CREATE SEQUENCE ids START 100000;
EOC

my %script = (
	update => [ 6, <<'EOC' ],
\set a random(1, 20000)
\set d random(1, 1000)
BEGIN;
SELECT id FROM h WHERE id = :a FOR UPDATE;
UPDATE c SET v = v + :d WHERE id = :a;
UPDATE h SET v = v + :d WHERE id = :a;
COMMIT;
EOC
	delete => [ 2, <<'EOC' ],
\set a random(1, 20000)
BEGIN;
SELECT id FROM h WHERE id = :a FOR UPDATE;
DELETE FROM c WHERE id = :a;
DELETE FROM h WHERE id = :a;
COMMIT;
EOC
	insert => [ 3, <<'EOC' ],
BEGIN;
SELECT nextval('ids') AS n \gset
INSERT INTO c VALUES (:n, 1, 'new');
INSERT INTO h VALUES (:n, 1, 'new');
COMMIT;
EOC
	upsert => [ 2, <<'EOC' ],
\set a random(1, 20000)
BEGIN;
SELECT pg_advisory_xact_lock(:a);
SELECT id FROM h WHERE id = :a FOR UPDATE;
INSERT INTO h VALUES (:a, 5, 'upsert') ON CONFLICT (id) DO UPDATE SET v = h.v + 1;
INSERT INTO c VALUES (:a, 5, 'upsert') ON CONFLICT (id) DO UPDATE SET v = c.v + 1;
COMMIT;
EOC
	read => [ 1, <<'EOC' ],
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) c1, sum(v) s1, sum(id::bigint) i1 FROM c \gset
SELECT pg_sleep(0.2);
SELECT count(*) c2, sum(v) s2, sum(id::bigint) i2 FROM c \gset
SELECT count(*) c3, sum(v) s3, sum(id::bigint) i3 FROM h \gset
SELECT 1 / (CASE WHEN :c1 = :c2 AND :c1 = :c3 AND :s1 = :s2 AND :s1 = :s3 AND :i1 = :i2 AND :i1 = :i3 THEN 1 ELSE 0 END);
COMMIT;
EOC
	compact => [ 1, "SELECT ecinsight.compact('c');\n" ],
	vacuum => [ 1, "VACUUM c;\n" ]);
my @files;
foreach my $name (sort keys %script)
{
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";
	append_to_file($file, $script{$name}[1]);
	push @files, '-f', "$file\@$script{$name}[0]";
}
my $seconds = $ENV{EC_TEST_SECONDS} || 12;
my ($out, $err) = ('', '');
my $ok = IPC::Run::run([ 'pgbench', '-n', '-c', '5', '-j', '2', '-T', $seconds, '-d', 'postgres', '-h', $node->host, '-p', $node->port, @files ],
	'>', \$out, '2>', \$err);
$ok &&= $out =~ /number of failed transactions: 0 /;
ok($ok, 'writers, readers and compaction beside each other') or diag("$out\n$err");
is($node->safe_psql('postgres', 'SELECT count(*) FROM ((TABLE c EXCEPT ALL TABLE h) UNION ALL (TABLE h EXCEPT ALL TABLE c)) d'), '0', 'the same rows');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'nothing is damaged');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off; SELECT count(*) - (SELECT count(*) FROM h) FROM c JOIN h USING (id, v, t)'),
	'0', 'and by the index');

# Rows that somebody holds while they are compacted stay where they are, and their copies are masked at the very end.  Who has
# looked for row groups in between must hear of that.  (Several rounds, as it must be the right moment.)
sub session
{
	my %s = (in => '', out => '');
	$s{run} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$s{in}, '>', \$s{out}, '2>&1', IPC::Run::timeout(180));
	return \%s;
}

sub send_to { $_[0]{in} .= "$_[1];\n\\echo end\n"; $_[0]{run}->pump_nb }

sub answer
{
	my ($s) = @_;
	$s->{run}->pump until $s->{out} =~ s/^end\n//m;
	my $answer = $s->{out};
	$s->{out} = '';
	return $answer =~ s/\s+$//r;
}

sub ask { send_to(@_); answer($_[0]) }

my ($holder, $looker) = (session(), session());
ask($looker, 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off');
foreach my $round (1 .. 4)
{
	$node->safe_psql('postgres', <<'EOC');
DROP TABLE IF EXISTS held;
CREATE TABLE held (id int PRIMARY KEY, t text) USING ecinsight_columnar WITH (autovacuum_enabled = off);
SELECT ecinsight.set_options('held', row_group_rows => 1024);
INSERT INTO held SELECT i, md5(i::text) FROM generate_series(1, 1000) i;
DO $$ BEGIN FOR i IN 21 .. 400 LOOP INSERT INTO held SELECT 50 * i + j, repeat(md5(j::text), 2) FROM generate_series(1, 50) j; COMMIT; END LOOP; END $$;
EOC
	ask($holder, 'BEGIN; SELECT count(*) FROM (SELECT FROM held WHERE id > 1000 FOR UPDATE) x');
	send_to($looker, 'DO $$ DECLARE n int; BEGIN LOOP SELECT count(*) INTO n FROM held WHERE id = 7; COMMIT; EXIT WHEN pg_try_advisory_xact_lock(1); END LOOP; END $$')
	  if ask($holder, 'SELECT pg_advisory_xact_lock(1)') eq '';
	like($node->safe_psql('postgres', q{SELECT ecinsight.compact('held')}), qr/^\(0,\d+,19000,0,0,/, 'all have been copied');
	is(ask($holder, 'DELETE FROM held WHERE id > 1000; COMMIT'), '', 'and are deleted');
	answer($looker);
	is(ask($looker, 'SELECT count(*) FROM held WHERE id > 1000'), '0', "round $round: who has looked meanwhile sees none of them");
}
$_->{run}->finish foreach $holder, $looker;
$node->stop;
done_testing();
