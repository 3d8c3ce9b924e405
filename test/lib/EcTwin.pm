# A columnar table "c" and its heap twin "h", changed alike by many sessions: transactions write the same into both, so
# every snapshot must find them equal.  They are events, too, in generated columns, of which VACUUM makes summaries: what
# the insight functions say of the two must be the same.
package EcTwin;
use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(twin_tables twin_scripts twin_differs);

my $events = <<'EOC';
	event_time timestamptz GENERATED ALWAYS AS (to_timestamp(1577836800 + k * 61 % 500000)) STORED,
	event_type text GENERATED ALWAYS AS (CASE v % 7 WHEN 0 THEN 'purchase' WHEN 1 THEN 'cart' WHEN 2 THEN NULL ELSE 'view' END) STORED,
	product_id bigint GENERATED ALWAYS AS (k % 100) STORED,
	category_id bigint GENERATED ALWAYS AS (k % 100 % 9) STORED,
	category_code text GENERATED ALWAYS AS ('code ' || (k % 100 % 9)::text) STORED,
	brand text GENERATED ALWAYS AS ('brand ' || (k % 7)::text) STORED,
	price numeric(10,2) GENERATED ALWAYS AS (k % 999 + v % 10 / 4.0) STORED,
	user_id bigint GENERATED ALWAYS AS (client * 40 + k % 40) STORED,
	user_session text GENERATED ALWAYS AS (md5((client * 1000 + k / 5)::text)::uuid::text) STORED,
EOC
my @insights = ("popular_categories('T', NULL)", "top_user_category_brands('T', 50)", "product_performance('T', NULL)", "overview('T')", "sales_trend('T')",
	"customer_scores('T', '2020-01-05')", "cross_sell('T', NULL)", "sales_trend('T', since => '2020-01-02 03:00Z', until => '2020-01-04 05:30Z')");

# Each client has keys of its own (READ COMMITTED is enough for them); "any" scripts change any client's rows.
sub twin_tables
{
	my $sql = "ALTER DATABASE postgres SET ecinsight.summary_rows = 500;\n";
	foreach ([ 'h', 'heap' ], [ 'c', 'ecinsight_columnar' ])
	{
		my ($t, $am) = @$_;
		$sql .= "CREATE TABLE $t (client int, k int, v bigint, t text,\n$events PRIMARY KEY (client, k)) USING $am;\n"
		  . "INSERT INTO $t SELECT i % 8, i / 8, i, md5(i::text) FROM generate_series(8, 12007) i;\n"
		  . "CREATE INDEX ${t}_v ON $t (v);\n";
	}
	return $sql . "SELECT ecinsight.set_options('c', row_group_rows => 2000);\n";
}

# The same for both tables: T stands for each in turn.
sub both
{
	my ($text) = @_;
	return join ' ', map { my $s = $text; $s =~ s/\bT\b/$_/g; $s } 'c', 'h';
}

# Scripts of pgbench, with weights.
sub twin_scripts
{
	my $own = "\\set k random(1, 4000)\n\\set n random(1, 60)\n\\set big random(1, 3000)\n\\set x random(1, 1000000)\n";
	my $values = "SELECT :client_id, i, i * 7 + :x, md5((i + :x)::text)";
	my $upsert = 'ON CONFLICT (client, k) DO UPDATE SET v = excluded.v, t = T.t || excluded.v';
	return {
		'insert@6' => $own . 'BEGIN; ' . both("INSERT INTO T $values FROM generate_series(:k, :k + :n / 20) i ON CONFLICT DO NOTHING;") . ' COMMIT;',
		'upsert@4' => $own . 'BEGIN; ' . both("INSERT INTO T $values FROM generate_series(:k, :k + :n) i $upsert;") . ' COMMIT;',
		'load@2' => $own . 'BEGIN; ' . both("INSERT INTO T SELECT :client_id, 1000000 * (:n / 20) + i, i, 'load' FROM generate_series(1, :big) i ON CONFLICT DO NOTHING;") . ' COMMIT;',
		'update@6' => $own . 'BEGIN; ' . both('UPDATE T SET v = v + :x, t = left(t, 20) || :n WHERE client = :client_id AND k = :k;') . ' COMMIT;',
		'range@2' => $own . 'BEGIN; ' . both('UPDATE T SET v = v - 1 WHERE client = :client_id AND k BETWEEN :k AND :k + 3 * :n;') . ' COMMIT;',
		'delete@4' => $own . 'BEGIN; ' . both('DELETE FROM T WHERE client = :client_id AND k BETWEEN :k AND :k + :n / 4;') . ' COMMIT;',
		'clear@1' => $own . 'BEGIN; ' . both('DELETE FROM T WHERE client = :client_id AND k > 4000;') . ' COMMIT;',
		'undone@2' => $own . 'BEGIN; ' . both('DELETE FROM T WHERE client = :client_id AND k < :k; INSERT INTO T SELECT 100, i + :k FROM generate_series(1, :big) i ON CONFLICT DO NOTHING;') . ' ROLLBACK;',
		'savepoint@2' => $own . 'BEGIN; ' . both('UPDATE T SET v = 0 WHERE client = :client_id AND k = :k;') . ' SAVEPOINT s; '
		  . both('DELETE FROM T WHERE client = :client_id AND k BETWEEN :k - 20 AND :k + 20;') . ' ROLLBACK TO s; '
		  . both('UPDATE T SET t = \'after\' WHERE client = :client_id AND k BETWEEN :k AND :k + 2;') . ' COMMIT;',
		'lock@2' => $own . 'BEGIN; SELECT count(*) FROM (SELECT v FROM c WHERE client = :client_id AND k BETWEEN :k AND :k + 3 FOR UPDATE) x; '
		  . both('UPDATE T SET v = v * 2 % 1000 WHERE client = :client_id AND k BETWEEN :k AND :k + 3;') . ' COMMIT;',
		'held@2' => $own . "BEGIN; SELECT count(*) FROM (SELECT v FROM c WHERE client = :client_id AND k > :k FOR KEY SHARE) x;\n\\sleep 30 ms\n"
		  . both('UPDATE T SET v = 1 WHERE client = :client_id AND k > :k;') . ' ROLLBACK;',
		'any@2' => $own . "BEGIN ISOLATION LEVEL REPEATABLE READ; " . both('UPDATE T SET v = v + 1 WHERE k = :k;') . ' COMMIT;',
		'read@3' => 'BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO wrong ' . twin_differs(0) . ' HAVING count(*) > 0; COMMIT;',
		'insights@1' => 'BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO wrong ' . twin_differs() . ' HAVING count(*) > 0; COMMIT;',
		'vacuum@1' => 'VACUUM c;',
	};
}

# Rows that only one of the two has, and insights that aren't the same (unless told to leave them out).
sub twin_differs
{
	my ($insights) = @_;
	my @parts = map { "SELECT x::text FROM ($_) x" } 'TABLE c EXCEPT ALL TABLE h', 'TABLE h EXCEPT ALL TABLE c';
	foreach my $call ($insights // 1 ? @insights : ())
	{
		my ($name, $c, $h) = ($call =~ s/\(.*//r, map { $call =~ s/'T'/'$_'/r } 'c', 'h');
		push @parts, "SELECT '$name' WHERE (SELECT string_agg(x::text, ' ') FROM ecinsight.$c x) IS DISTINCT FROM (SELECT string_agg(x::text, ' ') FROM ecinsight.$h x)";
	}
	return "SELECT count(*) || ' rows differ, as ' || min(x) FROM (" . join(' UNION ALL ', @parts) . ') x (x)';
}

1;
