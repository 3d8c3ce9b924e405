# Columnar tables in logical replication: what is written to one is decoded, published and applied to another as if it
# were a heap, by any statement, in any size, and no change reaches a subscriber that was rolled back.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %node;
foreach my $name ('publisher', 'subscriber')
{
	my $n = PostgreSQL::Test::Cluster->new($name);
	$n->init(allows_streaming => 'logical');
	$n->append_conf('postgresql.conf', "max_prepared_transactions = 5\nautovacuum_naptime = '1s'\nlogical_decoding_work_mem = '64kB'\nmax_logical_replication_workers = 20\nmax_worker_processes = 30\n");
	$n->start;
	$n->safe_psql('postgres', 'CREATE EXTENSION ecinsight');
	$node{$name} = $n;
}
my ($publisher, $subscriber) = @node{qw(publisher subscriber)};
my $connection = $publisher->connstr . ' dbname=postgres';

# Tables by access method there and here; all hold the same.
my %methods = (cc => [ 'ecinsight_columnar', 'ecinsight_columnar' ], ch => [ 'ecinsight_columnar', 'heap' ], hc => [ 'heap', 'ecinsight_columnar' ]);
my @tables;
foreach my $m (sort keys %methods)
{
	foreach my $identity ('key', 'whole')
	{
		my $t = "${m}_$identity";
		push @tables, $t;
		foreach my $i (0, 1)
		{
			my $n = $i ? $subscriber : $publisher;
			$n->safe_psql('postgres', "CREATE TABLE $t (a int, b text, c numeric(10,2), d int[], e text"
				. ($identity eq 'key' ? ', PRIMARY KEY (a)' : '') . ") USING $methods{$m}[$i]"
				. ($identity eq 'whole' ? "; ALTER TABLE $t REPLICA IDENTITY FULL" : ''));
		}
	}
}
# Runs statements on all tables of the publisher; T stands for each.
sub on_all
{
	my ($sql) = @_;
	$publisher->safe_psql('postgres', join ";\n", map { my $s = $sql; $s =~ s/\bT\b/$_/g; $s } @tables);
	return;
}

on_all("INSERT INTO T SELECT i, md5(i::text), i / 7.0, ARRAY[i], NULL FROM generate_series(1, 1000) i");
$publisher->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE ' . join ', ', @tables);
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$connection' PUBLICATION p WITH (streaming = on, two_phase = on)");
$subscriber->wait_for_subscription_sync($publisher, 's');

sub same
{
	my ($what) = @_;
	$publisher->wait_for_catchup('s');
	foreach my $t (@tables)
	{
		my $sql = "SELECT count(*), count(e), sum(hashtextextended(x::text, 0)::numeric) FROM $t x";
		is($subscriber->safe_psql('postgres', $sql), $publisher->safe_psql('postgres', $sql), "$what: $t");
	}
	return;
}

same('initial copy');
on_all("INSERT INTO T VALUES (-1, 'one', 1, NULL, 'x'), (-2, NULL, NULL, '{}', '')");
same('few rows');
on_all("BEGIN; INSERT INTO T SELECT i, md5(i::text), i, ARRAY[i, NULL], 'many' FROM generate_series(10001, 12000) i; SAVEPOINT a; INSERT INTO T SELECT i FROM generate_series(20001, 22000) i; ROLLBACK TO a; INSERT INTO T SELECT i FROM generate_series(30001, 30005) i; COMMIT");
same('many rows and a savepoint');
on_all("BEGIN; INSERT INTO T SELECT i FROM generate_series(40001, 42000) i; ROLLBACK");
same('rolled back');
on_all("INSERT INTO T VALUES (50001, repeat('long value ', 20000), 1, NULL, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 30000) i)), (50002, 'x', 2, NULL, 'after it')");
on_all("INSERT INTO T SELECT 50010 + i, repeat(md5(i::text), 1000), i, NULL, repeat(md5(i::text), 1100) FROM generate_series(1, 20) i");
same('long values');
on_all("UPDATE T SET b = 'updated', c = c + 1 WHERE a % 100 = 3");
same('UPDATE');
on_all("UPDATE T SET a = a + 1000000 WHERE a % 300 = 7");
same('UPDATE of the key');
on_all("UPDATE T SET c = 7 WHERE a > 50000 AND a < 60000; UPDATE T SET e = repeat(e, 3) WHERE a = 50001");
same('UPDATE beside long values');
on_all("DELETE FROM T WHERE a % 100 = 4; DELETE FROM T WHERE a = 50002");
same('DELETE');
on_all("BEGIN; DELETE FROM T WHERE a < 500; UPDATE T SET b = 'undone'; ROLLBACK");
same('rolled back changes');
on_all("BEGIN; INSERT INTO T VALUES (-5, 'new'); UPDATE T SET b = 'newer' WHERE a = -5; DELETE FROM T WHERE a = -5; INSERT INTO T VALUES (-5, 'again'); UPDATE T SET a = -6 WHERE a = -5; COMMIT");
same('one row again and again');
on_all("MERGE INTO T USING (SELECT generate_series(1, 1500, 50) k) s ON T.a = k WHEN MATCHED AND k % 20 = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET b = 'merged' WHEN NOT MATCHED THEN INSERT (a, b) VALUES (k, 'inserted')");
same('MERGE');
$publisher->safe_psql('postgres', "INSERT INTO $_ SELECT i, 'conflict' FROM generate_series(1, 100) i ON CONFLICT (a) DO UPDATE SET b = excluded.b") foreach grep { /key/ } @tables;
same('ON CONFLICT');
on_all("ALTER TABLE T ADD COLUMN f int");
$subscriber->safe_psql('postgres', "ALTER TABLE $_ ADD COLUMN f int DEFAULT 5") foreach @tables;
on_all("INSERT INTO T (a, f) VALUES (-10, 10), (-11, NULL)");
on_all("VACUUM FULL T");
on_all("INSERT INTO T (a, f) VALUES (-12, 10)");
$publisher->safe_psql('postgres', join ";\n", map { "BEGIN; INSERT INTO $_ (a) VALUES (-20); PREPARE TRANSACTION 'x$_'" } @tables[0 .. 3]);
$publisher->safe_psql('postgres', "COMMIT PREPARED 'x$tables[0]'; ROLLBACK PREPARED 'x$tables[1]'; COMMIT PREPARED 'x$tables[2]'; COMMIT PREPARED 'x$tables[3]'");
$publisher->wait_for_catchup('s');
foreach my $t (@tables)
{
	is($subscriber->safe_psql('postgres', "SELECT string_agg(concat_ws(':', a, f), ',' ORDER BY a) FROM $t WHERE a < -9"),
		$publisher->safe_psql('postgres', "SELECT string_agg(concat_ws(':', a, f), ',' ORDER BY a) FROM $t WHERE a < -9"), "columns added, VACUUM FULL, two-phase commit: $t");
}
on_all('TRUNCATE T');
same('TRUNCATE');

# What is decoded is, text by text, what is decoded of a heap: whatever the replica identity, streamed or not, in
# subtransactions, prepared transactions and rows of any width.
SKIP:
{
	my $kinds = 5;
	skip 'test_decoding is not installed', 3 * $kinds unless $publisher->psql('postgres', "SELECT pg_create_logical_replication_slot('decoded', 'test_decoding', false, true)") == 0;
	my %identity = (key => 'DEFAULT', full => 'FULL', nothing => 'NOTHING', by_index => 'USING INDEX T_b_idx', none => 'DEFAULT');
	foreach my $k (sort keys %identity)
	{
		my (%plain, %streamed);
		foreach my $am ('heap', 'ecinsight_columnar')
		{
			my $key = $k eq 'none' ? '' : ' PRIMARY KEY';
			my $run = sub { my ($sql) = @_; $sql =~ s/\bT\b/t_$k/g; $sql =~ s/T_b_idx/t_${k}_b_idx/; $publisher->safe_psql('postgres', $sql); };
			$run->("CREATE TABLE T (a int$key, b text NOT NULL, c text) USING $am; CREATE UNIQUE INDEX ON T (b); ALTER TABLE T REPLICA IDENTITY $identity{$k}");
			# each transaction's lines in order of their text: heap and columnar tables go through rows in different orders
			my $decode = sub { $plain{$am} .= $publisher->safe_psql('postgres', "WITH x AS MATERIALIZED (SELECT * FROM pg_logical_slot_get_changes('decoded', NULL, NULL, 'include-xids', 'off', 'skip-empty-xacts', 'on') WITH ORDINALITY), t AS (SELECT *, count(*) FILTER (WHERE data ~ '^BEGIN') OVER (ORDER BY ordinality) AS n FROM x) SELECT n, data FROM t ORDER BY n, data COLLATE \"C\"") . "\n"; };
			$run->($_) foreach (
				"INSERT INTO T VALUES (1, 'one', NULL)",
				"INSERT INTO T SELECT i, 'b' || i, 'c' FROM generate_series(2, 2000) i",
				"INSERT INTO T VALUES (2001, 'middle', repeat('x', 5000)), (2002, 'long', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 5000) i)), (2003, 'after', NULL)",
				"UPDATE T SET c = 'new' WHERE a IN (1, 7, 2001)",
				"UPDATE T SET a = a + 10000 WHERE a IN (3, 8)",
				"UPDATE T SET b = b || 'x' WHERE a IN (5, 9)",
				"DELETE FROM T WHERE a IN (1, 11, 2003)",
				"BEGIN; INSERT INTO T VALUES (3001, 's1', NULL); SAVEPOINT s; INSERT INTO T SELECT i, 's' || i FROM generate_series(3100, 3300) i; UPDATE T SET c = 'sub' WHERE a = 3001; DELETE FROM T WHERE a = 20; ROLLBACK TO s; UPDATE T SET c = 'kept' WHERE a = 3001; SAVEPOINT t; DELETE FROM T WHERE a = 21; RELEASE t; COMMIT",
				"BEGIN; INSERT INTO T SELECT i, 'p' || i FROM generate_series(4000, 4100) i; DELETE FROM T WHERE a = 22; UPDATE T SET c = 'p' WHERE a = 23; PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'",
				"BEGIN; INSERT INTO T VALUES (4200, 'q', NULL); PREPARE TRANSACTION 'q'");
			# a transaction that is rolled back already is decoded or not, as the decoder's caches have it
			$decode->();
			$run->($_) foreach (
				"ROLLBACK PREPARED 'q'",
				"BEGIN; DELETE FROM T WHERE a < 100; ROLLBACK",
				"INSERT INTO T VALUES (1, 'again', 'x') ON CONFLICT DO NOTHING", "INSERT INTO T VALUES (1, 'again', 'y') ON CONFLICT (b) DO UPDATE SET c = excluded.c",
				'TRUNCATE T');
			$decode->();
			$run->("BEGIN; INSERT INTO T SELECT i, 'b' || i, repeat('z', 20) FROM generate_series(1, 5000) i; SAVEPOINT s; INSERT INTO T SELECT i, 'b' || i FROM generate_series(5001, 9000) i; ROLLBACK TO s; INSERT INTO T SELECT i, 'b' || i FROM generate_series(9001, 12000) i; UPDATE T SET c = 'u' WHERE a <= 1000; COMMIT");
			$streamed{$am} = $publisher->safe_psql('postgres', "SELECT count(*) FILTER (WHERE data LIKE 'opening a streamed block%') > 1, count(*) FILTER (WHERE data LIKE 'streaming change%') > 8000, count(*) FILTER (WHERE data LIKE 'committing streamed%') FROM pg_logical_slot_get_changes('decoded', NULL, NULL, 'include-xids', 'off', 'stream-changes', 'on')");
			$run->('DROP TABLE T');
			$publisher->safe_psql('postgres', "SELECT count(*) FROM pg_logical_slot_get_changes('decoded', NULL, NULL)");
		}
		my %lines;
		$lines{$_}++ foreach split /\n/, $plain{heap};
		$lines{$_}-- foreach split /\n/, $plain{ecinsight_columnar};
		is(join("\n", map { substr("$lines{$_} $_", 0, 300) } grep { $lines{$_} } sort keys %lines), '', "replica identity $k: the same is decoded as of a heap");
		cmp_ok(length $plain{heap}, '>', 100000, "replica identity $k: and not nothing");
		is($streamed{ecinsight_columnar}, $streamed{heap}, "replica identity $k: a large transaction is streamed");
	}
	$publisher->safe_psql('postgres', "SELECT pg_drop_replication_slot('decoded')");
}

# A partition that joins a published table is published with it.
$publisher->safe_psql('postgres', 'CREATE TABLE part (a int PRIMARY KEY, b text) PARTITION BY RANGE (a); CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100); CREATE PUBLICATION pp FOR TABLE part WITH (publish_via_partition_root)');
$subscriber->safe_psql('postgres', "CREATE TABLE part (a int PRIMARY KEY, b text) USING ecinsight_columnar; CREATE SUBSCRIPTION sp CONNECTION '$connection' PUBLICATION pp");
$subscriber->wait_for_subscription_sync($publisher, 'sp');
$publisher->safe_psql('postgres', "CREATE TABLE part2 (a int PRIMARY KEY, b text) USING ecinsight_columnar; INSERT INTO part VALUES (1, 'heap'); ALTER TABLE part ATTACH PARTITION part2 FOR VALUES FROM (100) TO (200); INSERT INTO part VALUES (101, 'columnar'), (2, 'heap too')");
$publisher->wait_for_catchup('sp');
is($subscriber->safe_psql('postgres', "SELECT string_agg(a || b, ',' ORDER BY a) FROM part"), '1heap,2heap too,101columnar', 'a partition attached to a published table');

foreach my $n ($publisher, $subscriber)
{
	is($n->safe_psql('postgres', "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = c.relam, LATERAL ecinsight.verify(c.oid) WHERE amname = 'ecinsight_columnar' AND c.relkind = 'r'"), '0', $n->name . ': nothing is damaged');
	unlike(slurp_file($n->logfile), qr/PANIC|TRAP:|terminated by signal/, $n->name . ': no process crashed');
	$n->stop;
}
done_testing();
