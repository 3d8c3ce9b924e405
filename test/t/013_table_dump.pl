# pg_dump and pg_restore keep columnar tables, their rows and their options.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE a');
$node->safe_psql('a', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE SCHEMA "odd Schema";
CREATE TABLE "odd Schema"."odd Table" (a int, b text) USING ecinsight_columnar;
CREATE TABLE plain (a int, b text) USING ecinsight_columnar;
CREATE TABLE part (a int) PARTITION BY LIST (a);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1) USING ecinsight_columnar;
CREATE MATERIALIZED VIEW mv USING ecinsight_columnar AS SELECT generate_series(1, 10) AS g;
SELECT ecinsight.set_options('"odd Schema"."odd Table"', compression => 'lz4', row_group_rows => 2048);
SELECT ecinsight.set_options('mv', compression => 'none');
INSERT INTO "odd Schema"."odd Table" SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
INSERT INTO plain SELECT i, NULL FROM generate_series(1, 10) i;
INSERT INTO part VALUES (1), (1);
ALTER TABLE plain DROP COLUMN b;
EOC

my $check = <<'EOC';
SELECT 'odd', count(*), sum(hashtext(b)::bigint) FROM "odd Schema"."odd Table"
UNION ALL SELECT 'plain', count(*), sum(a) FROM plain
UNION ALL SELECT 'part', count(*), sum(a) FROM part
UNION ALL SELECT 'mv', count(*), sum(g) FROM mv
UNION ALL SELECT relname, 0, 0 FROM pg_class c JOIN pg_am am ON am.oid = c.relam WHERE amname = 'ecinsight_columnar'
UNION ALL SELECT relation::text || ' ' || coalesce(compression, '') || ' ' || coalesce(row_group_rows::text, ''), 0, 0 FROM ecinsight.table_options
ORDER BY 1, 2;
EOC
my $expected = $node->safe_psql('a', $check);

# Options go with their table, also when its drop is what loads the library.
$node->safe_psql('postgres', 'CREATE DATABASE c');
$node->safe_psql('c', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE SCHEMA s1;
CREATE TABLE s1.t (a int) USING ecinsight_columnar;
CREATE TABLE s1.u (a int) USING ecinsight_columnar;
CREATE TABLE kept (a int) USING ecinsight_columnar;
SELECT ecinsight.set_options(t, compression => 'lz4') FROM unnest('{s1.t, s1.u, kept}'::regclass[]) t;
EOC
$node->safe_psql('c', 'SET session_replication_role = replica; DROP SCHEMA s1 CASCADE');
is($node->safe_psql('c', 'SELECT relation FROM ecinsight.table_options'), 'kept', 'options go with their tables');

# What a crash left of a temporary table is nothing to a new table with its OID; neither it nor what is temporary is dumped.
$node->safe_psql('c', <<'EOC');
INSERT INTO ecinsight.table_options (relation, row_group_rows)
	SELECT (SELECT max(oid)::bigint FROM pg_class) + i, 5432 FROM generate_series(1, 1000) i;
CREATE TABLE fresh (a int) USING ecinsight_columnar;
EOC
is($node->safe_psql('c', "SELECT count(*), count(*) FILTER (WHERE relation = 'fresh'::regclass) FROM ecinsight.table_options WHERE row_group_rows = 5432"), '999|0', 'a new table inherits no options');
{
	my $file = PostgreSQL::Test::Utils::tempdir() . '/dump.temporary';
	my ($host, $port) = ($node->host, $node->port);
	$node->safe_psql('c', <<"EOC");
CREATE TEMP TABLE mine (a int) USING ecinsight_columnar;
SELECT ecinsight.set_options('mine', compression => 'none');
\\! pg_dump -h '$host' -p $port -d c -f '$file'
EOC
	$node->safe_psql('postgres', 'CREATE DATABASE d');
	$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-q', '-o', File::Spec->devnull, '-d', $node->connstr('d'), '-f', $file ], 'dump beside a temporary table: restored');
	is($node->safe_psql('d', 'SELECT relation FROM ecinsight.table_options'), 'kept', 'only options of tables in the dump');
}

foreach my $format ('plain', 'custom', 'directory')
{
	my $file = PostgreSQL::Test::Utils::tempdir() . "/dump.$format";
	$node->safe_psql('postgres', "CREATE DATABASE b_$format");
	$node->command_ok([ 'pg_dump', '-F', substr($format, 0, 1), '-f', $file, '-d', $node->connstr('a') ], "pg_dump, $format");
	if ($format eq 'plain')
	{
		$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-q', '-o', File::Spec->devnull, '-d', $node->connstr("b_$format"), '-f', $file ], 'restored by psql');
	}
	else
	{
		$node->command_ok([ 'pg_restore', '-e', ($format eq 'directory' ? ('-j', '2') : ()), '-d', $node->connstr("b_$format"), $file ], "pg_restore, $format");
	}
	is($node->safe_psql("b_$format", $check), $expected, "$format: everything is there");
	is($node->safe_psql("b_$format", q{SELECT count(*) FROM ecinsight.verify('"odd Schema"."odd Table"')}), '0', "$format: nothing is damaged");
	# Only new rows tell: a parallel restore may load the table before its options.
	is($node->safe_psql("b_$format", q{CREATE TEMP TABLE before AS SELECT max(number) AS n FROM ecinsight.row_groups('"odd Schema"."odd Table"');
INSERT INTO "odd Schema"."odd Table" SELECT * FROM "odd Schema"."odd Table";
SELECT max(rows) FROM ecinsight.row_groups('"odd Schema"."odd Table"'), before WHERE number > n}),
		'2048', "$format: options are in force");
}

# Another tablespace, there and back.
$node->safe_psql('postgres', 'SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION \'\'');
$node->safe_psql('a', 'ALTER TABLE "odd Schema"."odd Table" SET TABLESPACE elsewhere');
is($node->safe_psql('a', $check), $expected, 'SET TABLESPACE');
$node->safe_psql('a', 'INSERT INTO "odd Schema"."odd Table" VALUES (-1); VACUUM FULL "odd Schema"."odd Table"; ALTER TABLE "odd Schema"."odd Table" SET TABLESPACE pg_default');
is($node->safe_psql('a', 'SELECT count(*) FROM "odd Schema"."odd Table"'), '5001', 'and back, with one more row');
$node->safe_psql('a', 'DROP TABLESPACE elsewhere');
$expected = $node->safe_psql('a', $check);

# A database made from a template carries them too; dropping the extension leaves nothing.
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE a');
is($node->safe_psql('copy', $check), $expected, 'CREATE DATABASE TEMPLATE');
$node->safe_psql('copy', 'DROP EXTENSION ecinsight CASCADE');
is($node->safe_psql('copy', "SELECT count(*) FROM pg_class WHERE relname IN ('odd Table', 'plain', 'table_options')"), '0', 'DROP EXTENSION CASCADE');
$node->stop;
done_testing();
