# Columnar tables of every form that rows can have on disk, each with a heap twin made by the same statements.
package EcForms;
use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(form_names form_functions form_create);

# In each statement, T is the table.  All have the columns of "source" at their end; the first is unique.
my $bulk = 'INSERT INTO T SELECT s.* FROM source s ORDER BY a';
my %form = (
	none => ["SET ecinsight.compression = 'none'", $bulk],
	lz4 => ["SET ecinsight.compression = 'lz4'", $bulk],
	zstd => ["SET ecinsight.compression = 'zstd'", $bulk],
	groups => ['SET ecinsight.row_group_rows = 1024', $bulk],
	inline => ['INSERT INTO T SELECT a, b, b, 5, e, NULL, NULL FROM source WHERE a <= 600 ORDER BY a'],
	rows => [ map { "INSERT INTO T SELECT * FROM source WHERE a BETWEEN $_ * 3 AND $_ * 3 + 2" } 1 .. 40 ],
	single => [ map { "INSERT INTO T VALUES ($_, 'b$_', 'c', $_ / 3.0, '2020-01-01', NULL, ARRAY[$_])" } 1 .. 80 ],
	altered => [
		'INSERT INTO T SELECT * FROM source WHERE a <= 1500',
		'ALTER TABLE T DROP COLUMN g, ADD COLUMN h int DEFAULT 7',
		"INSERT INTO T SELECT a, b, c, d, e, f, a % 3 FROM source WHERE a > 1500",
		"INSERT INTO T VALUES (9001, 'last', NULL, NULL, NULL, NULL, 1)",
		'ALTER TABLE T ALTER d TYPE numeric' ],
	wide => ["INSERT INTO T SELECT a, repeat(c, 500 + a), string_agg(c, ''), d, e, f, g FROM source, generate_series(1, 300) WHERE a <= 12 GROUP BY a, b, c, d, e, f, g"],
	deleted => [ $bulk, 'CREATE INDEX ON T (a)', 'COMMIT', 'BEGIN', 'DELETE FROM T WHERE a % 13 = 5' ],
	masked => [ $bulk, 'CREATE INDEX ON T (a)', 'COMMIT', 'DELETE FROM T WHERE a % 23 = 5', 'VACUUM T', 'BEGIN' ],
	updated => [ $bulk, 'CREATE INDEX ON T (a)', 'COMMIT', 'BEGIN', "UPDATE T SET b = 'updated' || a WHERE a % 31 = 3" ],
	merged => [ (map { ("INSERT INTO T SELECT a + n * 4000, b, c, d, e, f, g FROM source, generate_series(0, 1) n WHERE a % 6 = $_") } 0 .. 5),
		'CREATE INDEX ON T (a)', 'UPDATE T SET c = c || a WHERE a % 11 = 3', 'COMMIT', 'VACUUM T', 'BEGIN' ],
	# columns of events, of which VACUUM makes summaries; some of what they count is deleted
	summarized => [ 'ALTER TABLE T ADD event_time timestamptz, ADD event_type text, ADD product_id bigint, ADD category_id bigint, ADD category_code text,'
		. ' ADD brand text, ADD price numeric(10,2), ADD user_id bigint, ADD user_session text',
		"INSERT INTO T SELECT s.*, e, CASE WHEN a % 9 = 4 THEN 'purchase' WHEN a % 9 = 5 THEN 'cart' ELSE 'view' END, a % 300, a % 20, 'category.' || a % 10, 'brand' || a % 7,"
		. " d, a % 400, 'session' || a / 5 FROM source s ORDER BY a",
		'SET ecinsight.summary_rows = 1', 'COMMIT', 'VACUUM T', 'BEGIN', 'DELETE FROM T WHERE a % 41 = 3' ],
	full => [ $bulk, 'INSERT INTO T SELECT a + 10000, b, c, d, e, f, g FROM source WHERE a < 30', 'COMMIT', 'VACUUM FULL T', 'BEGIN' ],
);

sub form_names { return sort keys %form; }

# Makes T by the statements of a form; "using" names the access method.
sub form_create
{
	my ($name, $table, $using) = @_;
	my $sql = "BEGIN; RESET ecinsight.compression; RESET ecinsight.row_group_rows; CREATE TABLE $table (LIKE source) USING $using;\n";
	foreach my $statement (@{ $form{$name} })
	{
		(my $text = $statement) =~ s/\bT\b/$table/g;
		$sql .= "$text;\n";
	}
	return $sql . "COMMIT;\n";
}

# look(table, way): the rows as a digest, by one way of reading; or the error.
sub form_functions
{
	return <<'EOC';
CREATE TABLE source AS SELECT i AS a, CASE WHEN i % 7 > 0 THEN 'text ' || i % 300 END AS b, md5(i::text) AS c, ((i * 37 % 10007) / 100.0)::numeric(10,2) AS d,
	'2020-01-01'::timestamptz + i * '1 s'::interval AS e, md5((i % 500)::text)::uuid AS f, ARRAY[i, i + 1] AS g FROM generate_series(1, 3000) i;
CREATE FUNCTION look(t text, way text, OUT result text) LANGUAGE plpgsql AS $$
DECLARE
	rows text := 'SELECT md5(string_agg(x::text, chr(10) ORDER BY a)) FROM %I x';
BEGIN
	PERFORM set_config('ecinsight.enable_columnar_scan', (way NOT IN ('rows', 'index'))::text, true), set_config('enable_seqscan', (way <> 'index')::text, true);
	EXECUTE format(CASE way
		WHEN 'rows' THEN rows
		WHEN 'scan' THEN rows
		WHEN 'some' THEN rows || ' WHERE a BETWEEN 700 AND 800 OR b = ''text 7'''
		WHEN 'index' THEN rows || ' WHERE a = ANY(ARRAY[3, 5, 18, 34, 700, 1500, 2999, 4300])'
		WHEN 'count' THEN 'SELECT count(*) FROM %I'
		WHEN 'sums' THEN 'SELECT concat_ws('','', count(*), count(b), sum(a), min(c), max(c), sum(d), max(e), count(DISTINCT f)) FROM %I'
		WHEN 'groups' THEN 'SELECT md5(string_agg(concat_ws('','', b, n, s), chr(10) ORDER BY b)) FROM (SELECT b, count(*) AS n, sum(d) AS s FROM %I GROUP BY b) x'
		WHEN 'insights' THEN CASE WHEN t ~ 'summarized' THEN 'SELECT concat_ws('','', (SELECT md5(string_agg(x::text, chr(10))) FROM ecinsight.popular_categories(%1$L, 1000) x),'
				' (SELECT md5(string_agg(x::text, chr(10))) FROM ecinsight.price_sensitivity(%1$L, 1000) x), (SELECT md5(string_agg(x::text, chr(10))) FROM ecinsight.product_performance(%1$L, 1000) x),'
				' (SELECT md5(string_agg(x::text, chr(10))) FROM ecinsight.top_user_categories(%1$L, 100) x), (SELECT md5(string_agg(x::text, chr(10))) FROM ecinsight.sales_trend(%1$L) x),'
				' (SELECT md5(string_agg(x::text, chr(10))) FROM ecinsight.customer_scores(%1$L, ''2021-01-01'') x))' ELSE 'SELECT 1' END
		END, t) INTO result;
EXCEPTION WHEN OTHERS OR query_canceled THEN
	result := 'error ' || SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION checked(t text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
	SELECT coalesce(string_agg(concat_ws(' ', row_group, column_name, problem), '; '), 'clean') INTO result
		FROM ecinsight.verify(t::regclass);
EXCEPTION WHEN OTHERS OR query_canceled THEN
	result := 'error ' || SQLSTATE || ' ' || SQLERRM;
END $$;
-- what else reads a table: in words that are the same for all copies of a table
CREATE FUNCTION inspected(t text, way text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format(CASE way
		WHEN 'columnar_stats' THEN 'SELECT md5(string_agg(x::text, chr(10) ORDER BY x::text)) FROM ecinsight.columnar_stats(%L) x'
		WHEN 'summaries' THEN 'SELECT md5(string_agg(x::text, chr(10) ORDER BY x::text)) FROM ecinsight.summaries(%L) x'
		WHEN 'row_groups' THEN 'SELECT md5(string_agg(x::text, chr(10) ORDER BY x::text)) FROM ecinsight.row_groups(%L) x'
		END, t) INTO result;
EXCEPTION WHEN OTHERS OR query_canceled THEN
	result := 'error ' || SQLSTATE || ' ' || SQLERRM;
END $$;
-- The rows after the table was written anew; all of that is taken back, but for compact.
CREATE FUNCTION written(t text, way text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
	IF way = 'compact' THEN
		PERFORM ecinsight.compact(t::regclass);
		result := look(t, 'rows');
		RETURN;
	END IF;
	EXECUTE format('CREATE INDEX built ON %I (a)', t);
	IF way = 'cluster' THEN
		EXECUTE format('CLUSTER %I USING built', t);
	END IF;
	result := look(t, CASE way WHEN 'build' THEN 'index' ELSE 'rows' END);
	IF way = 'cluster' AND checked(t) <> 'clean' THEN
		result := 'not clean: ' || checked(t);
	END IF;
	RAISE SQLSTATE 'EC001' USING MESSAGE = result;
EXCEPTION WHEN SQLSTATE 'EC001' THEN
	result := SQLERRM;
WHEN OTHERS OR query_canceled THEN
	result := 'error ' || SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TABLE ways AS SELECT * FROM unnest('{rows,scan,some,index,count,sums,groups,insights}'::text[]) way;
EOC
}

1;
