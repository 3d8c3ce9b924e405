# A columnar table "c" and its heap twin "h", changed alike by many sessions: transactions write the same into both, so
# every snapshot must find them equal.
package EcTwin;
use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(twin_tables twin_scripts twin_differs);

# Each client has keys of its own (READ COMMITTED is enough for them); "any" scripts change any client's rows.
sub twin_tables
{
	my $sql = '';
	foreach ([ 'h', 'heap' ], [ 'c', 'ecinsight_columnar' ])
	{
		my ($t, $am) = @$_;
		$sql .= "CREATE TABLE $t (client int, k int, v bigint, t text, PRIMARY KEY (client, k)) USING $am;\n"
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
		'read@3' => 'BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO wrong ' . twin_differs() . ' HAVING count(*) > 0; COMMIT;',
		'vacuum@1' => 'VACUUM c;',
	};
}

# Rows that only one of the two has.
sub twin_differs
{
	return "SELECT count(*) || ' rows differ, as ' || min(x::text) FROM ((TABLE c EXCEPT ALL TABLE h) UNION ALL (TABLE h EXCEPT ALL TABLE c)) x";
}

1;
