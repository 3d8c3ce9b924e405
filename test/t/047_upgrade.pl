# pg_upgrade takes columnar tables of all forms to newer servers, row for row.
#
# EC_UPGRADE_TO: paths of pg_config of newer servers in which this extension is installed, separated by spaces.
use strict;
use warnings;

use EcForms;
use EcTwin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @servers = split / /, $ENV{EC_UPGRADE_TO} // '';
plan skip_all => 'EC_UPGRADE_TO names no newer server' unless @servers;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$old->append_conf('postgresql.conf', "max_prepared_transactions = 0\nautovacuum = off\n");
$old->start;
my @columnar = map { "form_$_" } form_names();
$old->safe_psql('postgres', 'CREATE EXTENSION ecinsight;' . form_functions() . join '', map { form_create($_, "form_$_", 'ecinsight_columnar') } form_names());
$old->safe_psql('postgres', "SELECT ecinsight.set_options('form_rows', compression => 'lz4')");
$old->safe_psql('postgres', twin_tables());
# delta rows, tombstones, masks and what compaction made of them
$old->safe_psql('postgres', "DELETE FROM $_ WHERE k % 9 = 1; UPDATE $_ SET v = v + 1 WHERE k % 5 = 1; INSERT INTO $_ SELECT 9, i FROM generate_series(1, 50) i") foreach 'c', 'h';
$old->safe_psql('postgres', 'VACUUM c');
$old->safe_psql('postgres', "DELETE FROM $_ WHERE k % 9 = 2; UPDATE $_ SET t = t || 'x' WHERE k % 7 = 1; INSERT INTO $_ SELECT 10, i FROM generate_series(1, 70) i") foreach 'c', 'h';
# partitions beside a heap one, sorted row groups with deleted rows, other indexes, unlogged
$old->safe_psql('postgres', <<'EOC');
CREATE TABLE part (a int, b text, PRIMARY KEY (a)) PARTITION BY RANGE (a);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (1000) USING ecinsight_columnar;
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (1000) TO (2000) USING heap;
CREATE TABLE part3 PARTITION OF part DEFAULT USING ecinsight_columnar;
INSERT INTO part SELECT i, 'b' || i FROM generate_series(1, 3000) i;
UPDATE part SET a = a + 10000 WHERE a % 10 = 1 AND a < 400;
CREATE TABLE sorted (a int, b text, c int[]) USING ecinsight_columnar;
SELECT ecinsight.set_options('sorted', order_by => 'b', row_group_rows => 1024);
CREATE INDEX ON sorted USING gin (c);
CREATE INDEX ON sorted USING hash (b);
CREATE INDEX ON sorted ((a % 10)) WHERE a > 100;
INSERT INTO sorted SELECT i, md5(i::text), ARRAY[i % 50, i % 7] FROM generate_series(1, 4000) i;
VACUUM sorted;
DELETE FROM sorted WHERE a % 9 = 1;
VACUUM sorted;
DELETE FROM sorted WHERE a % 9 = 2;
CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY, b text) USING ecinsight_columnar;
INSERT INTO unlogged SELECT i, repeat('long', i * 10) FROM generate_series(1, 500) i;
EOC
push @columnar, qw(part1 part3 sorted unlogged);
my $ways = "SET enable_seqscan = off; SET ecinsight.enable_columnar_scan = off; SELECT (SELECT count(*) FROM sorted WHERE c @> '{3}'), (SELECT count(*) FROM sorted WHERE b = md5('77')),"
  . " (SELECT count(*) FROM sorted WHERE a % 10 = 3 AND a > 100), (SELECT sum(length(b)) FROM part WHERE a BETWEEN 500 AND 2500), (SELECT length(b) FROM unlogged WHERE a = 400)";
my $answers = $old->safe_psql('postgres', $ways);
my $sums = join ' UNION ALL ', map { "SELECT '$_', count(*), sum(hashtextextended(x::text, 0)::numeric) FROM $_ x" } @columnar, 'c';
my $expected = $old->safe_psql('postgres', $sums);
my $differ = twin_differs();
is($old->safe_psql('postgres', $differ), '', 'twins before');
my $summarized = "SELECT sum(rows) > 0, md5(string_agg(s::text, ' ' ORDER BY s::text)) FROM ecinsight.summaries('c') s";
my $summaries = $old->safe_psql('postgres', $summarized);
like($summaries, qr/^t/, 'with summaries');
my $old_bin = $old->config_data('--bindir');
$old->stop;

foreach my $pg_config (@servers)
{
	chomp(my $bin = `$pg_config --bindir`);
	my ($major) = `$pg_config --version` =~ /(\d+)/;
	my $new = PostgreSQL::Test::Cluster->new("new$major", install_path => $bin =~ s{/bin$}{}r);
	$new->init(extra => [ '--locale=C', '--encoding=UTF8', ($major >= 18 ? '--no-data-checksums' : ()) ]);
	my $from = $old->data_dir . ".$major";
	system('cp', '-a', $old->data_dir, $from) == 0 or die;
	chdir($new->basedir) or die;
	$new->command_ok([ "$bin/pg_upgrade", '--old-bindir', $old_bin, '--new-bindir', $bin, '--old-datadir', $from, '--new-datadir', $new->data_dir,
			'--old-port', $old->port, '--new-port', $new->port, '--socketdir', $new->host ], "pg_upgrade to $major");
	$new->start;
	is($new->safe_psql('postgres', $sums), $expected, "$major: the same rows");
	is($new->safe_psql('postgres', $summarized), $summaries, "$major: the same summaries");
	is($new->safe_psql('postgres', $differ), '', "$major: twins");
	is($new->safe_psql('postgres', "SELECT t, v FROM unnest('{" . join(',', @columnar, 'c') . "}'::text[]) t, LATERAL ecinsight.verify(t::regclass) v"), '', "$major: nothing is damaged, indexes agree");
	is($new->safe_psql('postgres', "SELECT compression FROM ecinsight.table_options WHERE relation = 'form_rows'::regclass"), 'lz4', "$major: options");
	is($new->safe_psql('postgres', "SET enable_seqscan = off; SET ecinsight.enable_columnar_scan = off; SELECT v = 12007 + (1500 % 5 = 1)::int FROM c WHERE client = 7 AND k = 1500"), 't', "$major: by the primary key");
	is($new->safe_psql('postgres', $ways), $answers, "$major: by indexes of all kinds");
	is($new->safe_psql('postgres', "SELECT order_by, row_group_rows FROM ecinsight.table_options WHERE relation = 'sorted'::regclass"), 'b|1024', "$major: options of sorted row groups");
	$new->safe_psql('postgres', "INSERT INTO sorted SELECT i, md5(i::text), ARRAY[3] FROM generate_series(5001, 8000) i; VACUUM sorted; INSERT INTO part SELECT i, 'new' FROM generate_series(4001, 4400) i; UPDATE part SET a = (a - 4390) * 10 + 1 WHERE a BETWEEN 4391 AND 4400");
	is($new->safe_psql('postgres', "SELECT count(*) FILTER (WHERE c @> '{3}'), count(*) FROM sorted; SELECT count(*) FROM part; SELECT count(*) FROM part1 WHERE b = 'new'; SELECT v FROM unnest('{part1,part3,sorted,unlogged}'::text[]) t, ecinsight.verify(t::regclass) v"),
		(split(/\|/, $answers))[0] + 3000 . "|" . 6110 . "\n3400\n10", "$major: partitions and sorted row groups go on");
	$new->safe_psql('postgres', "DELETE FROM $_ WHERE k % 9 = 3; UPDATE $_ SET v = v + 1 WHERE k % 5 = 2; INSERT INTO $_ SELECT 11, i FROM generate_series(1, 3000) i") foreach 'c', 'h';
	is($new->safe_psql('postgres', $differ), '', "$major: twins after changes");
	$new->safe_psql('postgres', 'VACUUM FREEZE; VACUUM FULL c; REINDEX TABLE c');
	is($new->safe_psql('postgres', $differ), '', "$major: twins after VACUUM FULL");
	is($new->safe_psql('postgres', "SELECT v FROM ecinsight.verify('c') v"), '', "$major: nothing is damaged after it");
	$new->stop;
}
done_testing();
