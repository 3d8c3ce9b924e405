# What create_events_table, map_columns, create_views and grant_read made comes back
# from a dump, and gives the same insights.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql(
	'shop', q{
	CREATE EXTENSION ecinsight;
	CREATE ROLE reader LOGIN;
	CREATE SCHEMA "Shop data";
	SELECT ecinsight.create_events_table('"Shop data".events');
	INSERT INTO "Shop data".events
	SELECT timestamptz '2019-10-01' + i * interval '1 hour', (ARRAY['view', 'cart', 'purchase'])[i % 3 + 1],
		i % 7, i % 5, 'code' || i % 5, 'brand' || i % 2, i / 100.0, i % 11, 's'
	FROM generate_series(1, 1000) i;
	CREATE TABLE log AS SELECT event_time AS ts, event_type, product_id, category_id, category_code AS kind, brand, price, user_id, user_session
	FROM "Shop data".events WHERE price > 5;
	SELECT ecinsight.map_columns('log', '{"event_time": "ts", "category_code": "kind"}');
	CREATE VIEW of_log AS SELECT ts, user_id AS customer, kind FROM log;
	SELECT ecinsight.map_columns('of_log', '{"user_id": "customer", "category_code": "kind"}');
	SELECT ecinsight.create_views('"Shop data".events');
	SELECT ecinsight.create_views('log', 'logged');
	SELECT ecinsight.grant_read('reader');
});

my @queries = (
	(map { "SELECT * FROM insight.$_" }
		  qw(top_user_categories top_user_category_brands popular_categories price_sensitivity)),
	(map { "SELECT * FROM insight.$_ ORDER BY 1, 2, 3, 4" }
		  qw(category_hour category_day sales_hour sales_day product_day user_category_day)),
	'SELECT * FROM logged.price_sensitivity',
	'SELECT * FROM logged.sales_day ORDER BY 1',
	"SELECT * FROM ecinsight.top_user_categories('log', NULL, since => '2019-10-20')",
	"SELECT * FROM ecinsight.top_user_categories('of_log', NULL)",
	'SELECT relid::text, mapping FROM ecinsight.column_maps ORDER BY 1',
	"SELECT obj_description('insight.sales_day'::regclass)");

my %wanted = map { $_ => $node->safe_psql('shop', $_) } @queries;
ok(length $wanted{$_}, "rows: $_") for @queries;

sub compare_all
{
	my ($database, $how) = @_;

	is($node->safe_psql($database, $_), $wanted{$_}, "$how: $_") for @queries;
	is($node->safe_psql(
			$database, 'SELECT count(*) FROM insight.sales_day, insight.price_sensitivity',
			extra_params => [ '-U', 'reader' ]),
		$node->safe_psql('shop', 'SELECT count(*) FROM insight.sales_day, insight.price_sensitivity'),
		"$how: the reader reads");

	# and it lives: the views can be made again, the maps go with their tables
	$node->safe_psql($database, q{SELECT ecinsight.create_views('"Shop data".events')});
	$node->safe_psql($database, 'DROP TABLE log CASCADE');
	is($node->safe_psql($database, 'SELECT count(*) FROM ecinsight.column_maps'),
		'0', "$how: maps dropped with their tables");
	return;
}

my $tempdir = PostgreSQL::Test::Utils::tempdir;

$node->command_ok([ 'pg_dump', '-f', "$tempdir/plain.sql", $node->connstr('shop') ], 'plain dump');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$tempdir/plain.sql", '-d', $node->connstr('plain') ],
	'plain dump restored');
compare_all('plain', 'plain');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$tempdir/custom", $node->connstr('shop') ], 'custom dump');
$node->safe_psql('postgres', 'CREATE DATABASE custom');
$node->command_ok(
	[ 'pg_restore', '--exit-on-error', '-j2', '-d', $node->connstr('custom'), "$tempdir/custom" ],
	'custom dump restored in parallel');
compare_all('custom', 'custom');

$node->stop;
done_testing();
