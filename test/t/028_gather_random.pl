# Random PL/pgSQL on a heap table and its columnar twin: loops of single-row INSERTs, which are gathered into batches, between
# changes, DDL, exception blocks that roll back, cursors and reads by index.  What both print is the same, and so are their
# rows after VACUUM.
#
# EC_SEEDS: how many scripts; EC_SEED: the first one's seed.  Two that once found faults come first.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seeds = $ENV{EC_SEEDS} || 12;
my $first = $ENV{EC_SEED} || int(rand(1_000_000));
my $node = PostgreSQL::Test::Cluster->new('gather');
$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ecinsight'\nautovacuum = off\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE heap; CREATE DATABASE ecinsight_columnar');
$node->safe_psql($_, 'CREATE EXTENSION ecinsight') foreach qw(heap ecinsight_columnar);

# CLUSTER of a heap table loses rows that its own transaction inserted and then updated in a block that was rolled back, unless
# somebody has read them since (the old version is taken for one that goes with the new, dead one).  So they are read there.
my %before_cluster = (heap => 'PERFORM count(v) FROM t;', ecinsight_columnar => '');
$node->safe_psql($_, "CREATE FUNCTION before_cluster() RETURNS void LANGUAGE plpgsql AS 'BEGIN $before_cluster{$_} END'")
  foreach sort keys %before_cluster;

sub pick { return $_[ int(rand(@_)) ]; }

# Single-row INSERTs in a loop.
sub inserts
{
	my $from = 1 + int(rand(2000));
	my $to = $from + pick(1, 3, 20, 40, 70, 130) - 1;
	my $v = int(rand(10));
	return "FOR i IN $from .. $to LOOP INSERT INTO t VALUES (i, $v, 'x') ON CONFLICT DO NOTHING; END LOOP;" if rand() < 0.3;
	return "FOR i IN $from .. $to LOOP k := nextval('numbers'); INSERT INTO t VALUES (k, $v, 'y'); END LOOP;";
}

sub ddl
{
	return pick(
		'TRUNCATE t;',
		'ALTER TABLE t ADD COLUMN IF NOT EXISTS z int DEFAULT 3;',
		'ALTER TABLE t DROP COLUMN IF EXISTS z;',
		'ALTER TABLE t ALTER v TYPE bigint;',
		'CREATE INDEX IF NOT EXISTS t_v ON t (v);',
		'DROP INDEX IF EXISTS t_v;',
		'PERFORM before_cluster(); CLUSTER t USING t_pkey;');
}

# Changes rows while a cursor reads them.
sub loop
{
	my ($m, $x) = @_;
	return "FOR r IN SELECT * FROM t WHERE id % $m = $x ORDER BY id LOOP"
	  . " IF r.id % 3 = 0 THEN UPDATE t SET v = v + 1 WHERE id = r.id;"
	  . " ELSIF r.id % 3 = 1 THEN DELETE FROM t WHERE id = r.id;"
	  . " ELSE k := nextval('numbers'); INSERT INTO t VALUES (k, 1, 'l'); END IF; END LOOP;";
}

sub operation
{
	my $r = rand();
	my $m = 2 + int(rand(29));
	my $x = int(rand($m));
	my $end = $x * 50 + 20;
	return inserts() if $r < 0.40;
	return "DELETE FROM t WHERE id % $m = $x;" if $r < 0.48;
	return "UPDATE t SET v = v + 1 WHERE id % $m = $x;" if $r < 0.56;
	return 'DELETE FROM t WHERE id BETWEEN ' . $x * 50 . " AND $end;" if $r < 0.60;
	return "SELECT count(*), sum(id), sum(v) INTO a, b, c FROM t; RAISE NOTICE '% % %', a, b, c;" if $r < 0.66;
	return 'SELECT count(*), sum(v) INTO a, b FROM t WHERE id BETWEEN ' . $x * 60 . ' AND ' . ($x * 60 + 200) . "; RAISE NOTICE '% %', a, b;"
	  if $r < 0.70;
	return "INSERT INTO t SELECT id + 5000, v, 'c' FROM t WHERE id % $m = $x ON CONFLICT (id) DO UPDATE SET v = t.v + 100;" if $r < 0.73;
	return "PERFORM FROM t WHERE id % $m = $x FOR UPDATE;" if $r < 0.76;
	return ddl() if $r < 0.80;
	return loop($m, $x) if $r < 0.84;
	return block();
}

# A subtransaction, which may roll back.
sub block
{
	my $body = join ' ', map { operation() } 1 .. 1 + int(rand(4));
	my $end = pick('RAISE division_by_zero;', '', '');
	return "BEGIN $body $end EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'back';"
	  . " WHEN unique_violation THEN RAISE NOTICE 'twice'; END;";
}

sub script
{
	my $sql = "\\set VERBOSITY terse\nDROP TABLE IF EXISTS t; DROP SEQUENCE IF EXISTS numbers;\n"
	  . "CREATE SEQUENCE numbers START 10000; CREATE TABLE t (id int PRIMARY KEY, v int, w text);\n";
	$sql .= 'SET enable_seqscan = off; SET ecinsight.enable_columnar_scan = off; SET enable_bitmapscan = ' . pick('on', 'off') . ";\n"
	  if rand() < 0.6;
	foreach (1 .. 6)
	{
		my $body = join "\n  ", map { operation() } 1 .. 3 + int(rand(7));
		$sql .= "DO \$\$ DECLARE a bigint; b bigint; c bigint; k int; r record; BEGIN\n  $body\nEND \$\$;\n"
		  . "SELECT count(*), sum(id), sum(v) FROM t; SELECT count(*), count(DISTINCT id) FROM t WHERE id + 0 > 0;\n";
	}
	return $sql . "VACUUM t;\nSELECT id, v, w FROM t ORDER BY id;\n";
}

foreach my $seed (437582, 707580, $first .. $first + $seeds - 1)
{
	srand($seed);
	my $script = script();
	my %printed;
	foreach my $am (qw(heap ecinsight_columnar))
	{
		my ($out, $err) = ('', '');
		$node->psql($am, "SET default_table_access_method = $am;\n$script", stdout => \$out, stderr => \$err, on_error_stop => 0);
		$printed{$am} = "$out\n" . $err =~ s/^psql:<stdin>:\d+: //gmr;
	}
	my $same = is($printed{ecinsight_columnar}, $printed{heap}, "seed $seed");
	note($script) unless $same;
	is($node->safe_psql('ecinsight_columnar', "SELECT * FROM ecinsight.verify('t')"), '', "seed $seed: sound");
}
$node->stop;
done_testing();
