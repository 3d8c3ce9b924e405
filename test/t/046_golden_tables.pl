# Files of columnar tables that earlier versions of the format wrote are read back, row for row, and can be written on.
#
# test/golden/table_vN.sql made them, table_vN.tar.gz holds them: main fork, companion and the companion's index of each
# table.  EC_GOLDEN_WRITE=N writes the archive of version N anew, which is only right before N is released.
use strict;
use warnings;

use File::Basename;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = "$FindBin::RealBin/../golden";
my $files = "SELECT relname, pg_relation_filepath(c.oid), pg_relation_filepath(reltoastrelid), pg_relation_filepath(indexrelid)"
  . " FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index ON indrelid = reltoastrelid WHERE amname = 'ecinsight_columnar'";

# Tables with summaries, how many sets and which projections; calls that read them.
my $sets = "golden_events|2|category_brand_day category_day category_hour product product_hour product_total purchase session top_brand top_category user visit\ngolden_renamed|1|category_brand_day category_day category_hour top_brand top_category user";
my @calls = ("popular_categories('T', NULL)", "price_sensitivity('T', NULL)", "top_user_categories('T', NULL)", "top_user_category_brands('T', NULL)", "product_performance('T', NULL)",
	"overview('T')", "sales_trend('T')", "customer_trend('T')", "sales_trend('T', 'hour', since => '2020-01-02 03:00Z', until => '2020-01-03 04:20Z')", "customer_scores('T', '2020-01-05')",
	"cross_sell('T', NULL)", "funnel('T')", "category_correlation('T', NULL, 1)", "favorite_category_brands('T')", "engaged_users('T', 3)", "trending('T', '1 day', '2020-01-04')");

sub statements
{
	my ($version, $prefix, $method) = @_;
	my $sql = slurp_file("$golden/table_v$version.sql");
	$sql =~ s/\@\@/$method/g;
	$sql =~ s/\@(\w+)/$prefix$1/g;
	return $sql;
}

# Pages may have any LSN where they were made, here they must not be newer than the log.
sub clear_lsn
{
	my ($path) = @_;
	my $bytes = slurp_file($path);
	for (my $at = 0; $at < length $bytes; $at += 8192) { substr($bytes, $at, 8) = "\0" x 8; }
	open(my $fh, '>:raw', $path) or die "$path: $!";
	print {$fh} $bytes;
	close($fh);
	return;
}

foreach my $version (map { /_v(\d+)\.sql$/ } sort glob("$golden/table_v*.sql"))
{
	my $node = PostgreSQL::Test::Cluster->new("golden$version");
	# the files have no page checksums, 18 wants them unless told otherwise
	$node->init(extra => [ '--locale=C', '--encoding=UTF8', $node->pg_version >= 18 ? '--no-data-checksums' : () ]);
	$node->append_conf('postgresql.conf', "autovacuum = off\ntimezone = UTC\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight;' . statements($version, 'heap_', 'heap') . statements($version, 'golden_', 'ecinsight_columnar'));
	# frozen tuples need no commit log; only the first versions' files were made by compacting all tables, too
	$node->safe_psql('postgres', $version < 3 ? 'VACUUM FREEZE' : join '', map { "VACUUM (FREEZE) $_;\n" }
		split /\n/, $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE amname = 'ecinsight_columnar'"));
	my %path;
	foreach (split /\n/, $node->safe_psql('postgres', $files))
	{
		my ($name, @paths) = split /\|/;
		@path{ "$name.main", "$name.companion", "$name.index" } = map { $node->data_dir . "/$_" } @paths;
	}
	$node->stop;

	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $archive = "$golden/table_v$version.tar.gz";
	if (($ENV{EC_GOLDEN_WRITE} // 0) == $version)
	{
		foreach (sort keys %path)
		{
			system('cp', $path{$_}, "$dir/$_") == 0 or die;
			clear_lsn("$dir/$_");
		}
		system('tar', '-C', $dir, '--owner=0', '--group=0', '--mtime=2026-01-01', '-czf', $archive, sort keys %path) == 0 or die;
		note("wrote $archive");
	}
	system('tar', '-C', $dir, '-xzf', $archive) == 0 or die "$archive can't be unpacked";
	is(join(' ', sort map { basename($_) } glob("$dir/golden_*")), join(' ', sort keys %path), "version $version: files of all tables");
	foreach (sort keys %path)
	{
		system('cp', "$dir/$_", $path{$_}) == 0 or die;
		unlink glob("$path{$_}_vm"), glob("$path{$_}_fsm");
	}

	$node->start;
	my $tables = "SELECT relname AS t, replace(relname, 'golden_', 'heap_') AS h FROM ($files) x";
	$node->safe_psql('postgres', <<'EOC');
CREATE FUNCTION same(t text, h text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	EXECUTE format('SELECT concat_ws('' '', (SELECT count(*) FROM (SELECT x::text FROM %1$I x EXCEPT ALL SELECT x::text FROM %2$I x) a),
		(SELECT count(*) FROM (SELECT x::text FROM %2$I x EXCEPT ALL SELECT x::text FROM %1$I x) a), (SELECT count(*) FROM ecinsight.verify(%1$L)))', t, h) INTO r;
	RETURN r;
END $$;
EOC
	$node->safe_psql('postgres', 'REINDEX DATABASE postgres');
	my $differ = "WITH x AS MATERIALIZED ($tables) SELECT t, same(t, h) FROM x WHERE same(t, h) <> '0 0 0'";
	is($node->safe_psql('postgres', $differ), '', "version $version: the rows are those that were written");
	is($node->safe_psql('postgres', "SET ecinsight.enable_columnar_scan = off; $differ"), '', "version $version: also by PostgreSQL's own scan");
	if ($version == 3)
	{
		is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT encoding, ' ' ORDER BY encoding) FROM ($files) x, ecinsight.columnar_stats(relname::regclass)"),
			'const delta dict for plain raw rle strings uuid', "version $version: all encodings");
		is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT x, ', ') FROM (SELECT concat_ws(' ', form, level, CASE WHEN is_numbered THEN 'numbered' END, CASE WHEN masked_rows > 0 THEN 'masked' END) AS x FROM ($files) x, ecinsight.row_groups(relname::regclass)) y"),
			'delta, image 0, image 0 masked, pages 0, pages 0 masked, pages 1, pages 1 numbered masked, pages 3 numbered masked', "version $version: all forms of row groups");
	}
	if ($version == 4)
	{
		# places: rows on their own without index entries
		my @companions = split /\n/, $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM ($files) x JOIN pg_class USING (relname)");
		cmp_ok($node->safe_psql('postgres', 'SELECT ' . join ' + ', map { "(SELECT count(*) FROM $_ WHERE chunk_id::bigint & 255 = 6)" } @companions), '>', 10, "version $version: rows are found by places");
	}
	if ($version == 5)
	{
		is($node->safe_psql('postgres', "SELECT pg_relation_size('golden_emptied')"), '0', "version $version: a table without a page");
		is($node->safe_psql('postgres', "BEGIN; INSERT INTO golden_emptied VALUES (1) RETURNING ctid > '(1,0)'; ROLLBACK"), 't', "version $version: its row numbers go on");
	}
	my $insights = '';
	if ($version == 6)
	{
		is($node->safe_psql('postgres', "SELECT relname, count(DISTINCT set_number), string_agg(DISTINCT projection, ' ' ORDER BY projection) FROM ($files) x, ecinsight.summaries(relname::regclass) GROUP BY 1 ORDER BY 1"),
			$sets, "version $version: summaries");
		$insights = join ' UNION ALL ', map {
			my $table = $_;
			map { my $call = $_; "SELECT \$\$$table $call\$\$ WHERE (SELECT string_agg(x::text, ' ') FROM ecinsight." . ($call =~ s/T/golden_$table/r) . " x) IS DISTINCT FROM (SELECT string_agg(x::text, ' ') FROM ecinsight." . ($call =~ s/T/heap_$table/r) . ' x)' } @calls;
		} 'events', 'renamed';
		is($node->safe_psql('postgres', $insights), '', "version $version: what they tell");
	}
	# what is written now stands beside it
	my $more = '';
	foreach (split /\n/, $node->safe_psql('postgres', $tables))
	{
		foreach my $name (split /\|/) { $more .= "INSERT INTO $name SELECT * FROM $name ON CONFLICT DO NOTHING; INSERT INTO $name SELECT * FROM $name WHERE a = 2 ON CONFLICT DO NOTHING; UPDATE $name SET a = a + 100000 WHERE a % 5 = 1; DELETE FROM $name WHERE a % 9 = 4;\n"; }
	}
	$node->safe_psql('postgres', $more);
	is($node->safe_psql('postgres', $differ), '', "version $version: rows added and changed");
	is($node->safe_psql('postgres', $insights), '', "version $version: told with what was added and changed") if $insights;
	$node->safe_psql('postgres', 'VACUUM');
	is($node->safe_psql('postgres', $differ), '', "version $version: after VACUUM");
	is($node->safe_psql('postgres', "SET ecinsight.summary_rows = 1; VACUUM golden_events; $insights"), '', "version $version: and told") if $insights;
	$node->safe_psql('postgres', 'VACUUM FULL');
	is($node->safe_psql('postgres', $differ), '', "version $version: after VACUUM FULL");
	$node->stop;
}
done_testing();
