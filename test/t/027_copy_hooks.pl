# COPY by the extension's parser and other extensions' hooks: pg_stat_statements, loaded before or after us, sees each COPY
# with its rows, as it sees those into a heap table; so do the command tag, row_count and the statistics of the table.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
chmod 0755, $dir;
open my $f, '>', "$dir/rows" or die $!;
print $f join('', map { "$_,text number $_\n" } 1 .. 30000);
close $f;

sub statements
{
	my ($node, $table) = @_;
	return $node->safe_psql('postgres', qq{SELECT regexp_replace(query, '$dir', '') || ': ' || sum(calls) || ' calls, ' || sum(rows) || ' rows'
		FROM pg_stat_statements WHERE query ~* 'copy $table' AND query !~ 'DO |FUNCTION|pg_stat' GROUP BY query ORDER BY query COLLATE "C"}) =~ s/\b$table\b/t/gr;
}

sub copy_all_ways
{
	my ($node, $table) = @_;
	my ($out, $err);

	is($node->safe_psql('postgres', "COPY $table FROM '$dir/rows' CSV; SELECT count(*) FROM $table"), '30000', "$table: a first time");
	$node->psql('postgres', "COPY $table FROM '$dir/rows' CSV;", stdout => \$out, stderr => \$err, extra_params => [ '-X', '-v', 'QUIET=off' ]);
	like($out, qr/^COPY 30000$/m, "$table: command tag");
	$node->safe_psql('postgres', "\\copy $table FROM '$dir/rows' CSV");
	is($node->safe_psql('postgres', "SET client_min_messages = warning; DO \$\$ DECLARE n bigint; BEGIN COPY $table FROM '$dir/rows' CSV; GET DIAGNOSTICS n = ROW_COUNT; "
			. "CREATE TEMP TABLE result AS SELECT n; END \$\$; TABLE result"), '30000', "$table: row_count");
	is($node->safe_psql('postgres', "CREATE FUNCTION load_$table() RETURNS bigint LANGUAGE plpgsql AS \$\$ DECLARE n bigint; BEGIN COPY $table FROM '$dir/rows' CSV; "
			. "GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END \$\$; SELECT load_$table() FROM generate_series(1, 3)"), "30000\n30000\n30000", "$table: from a cached plan");
	$node->psql('postgres', "COPY $table (a) FROM '$dir/rows' CSV", stdout => \$out, stderr => \$err);
	like($err, qr/extra data after last expected column/, "$table: an error");
	is($node->safe_psql('postgres', "BEGIN; SELECT set_config('ecinsight.row_group_rows', '1024', true); COPY $table FROM '$dir/rows' CSV; ROLLBACK; SELECT count(*) FROM $table"),
		"1024\n210000", "$table: all rows, once");
}

foreach my $libraries ('pg_stat_statements, ecinsight', 'ecinsight, pg_stat_statements')
{
	my $node = PostgreSQL::Test::Cluster->new($libraries =~ /^ec/ ? 'first' : 'last');

	$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\npg_stat_statements.track = 'all'\n");
	$node->start;
	$node->safe_psql('postgres', q{CREATE EXTENSION ecinsight; CREATE EXTENSION pg_stat_statements;
		CREATE TABLE columnar (a int, b text) USING ecinsight_columnar; CREATE TABLE heap (a int, b text)});
	note($libraries);
	copy_all_ways($node, $_) foreach ('heap', 'columnar');
	my $heap = statements($node, 'heap');
	is(statements($node, 'columnar'), $heap, "$libraries: pg_stat_statements knows the same");
	like($heap, qr/COPY t FROM '\/rows' CSV: (5 calls, 150000|7 calls, 210000) rows/, 'the copies are there') or diag($heap); # of a cached plan, 15's counts the first call
	is($node->safe_psql('postgres', q{SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname IN ('heap', 'columnar')}),
		"240000\n240000", 'statistics of the tables');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM ecinsight.verify('columnar')}), '0', 'verify is silent');
	$node->stop;
}
done_testing();
