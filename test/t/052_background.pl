# Small writes into a large table are merged long before autovacuum would come, by a process that stands in nobody's way.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 150_000;    # fewer than a fifth of the table, more than a background compaction waits for

my $node = PostgreSQL::Test::Cluster->new('background');
$node->init;
# the library isn't preloaded
$node->append_conf('postgresql.conf', "autovacuum_naptime = 1s\nfsync = off\ndeadlock_timeout = 200ms\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE t (id int PRIMARY KEY, v text) USING ecinsight_columnar;
CREATE TABLE off (id int, v text) USING ecinsight_columnar WITH (autovacuum_enabled = false);
INSERT INTO t SELECT g, 'base' FROM generate_series(1, 1000000) g;
CREATE PROCEDURE small_writes(t regclass, first int, n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n / 50 LOOP
		EXECUTE format('INSERT INTO %s SELECT g, ''small'' FROM generate_series($1, $2) g', t) USING first + i * 50 - 50, first + i * 50 - 1;
		COMMIT;
	END LOOP;
END $$;
EOC

sub sql { return $node->safe_psql('postgres', @_) }

sub loose { return sql("SELECT coalesce(sum(rows), 0) FROM ecinsight.row_groups('$_[0]') WHERE form = 'delta'") }

sub wait_for
{
	my ($query, $name) = @_;
	ok($node->poll_query_until('postgres', $query), $name);
	return;
}

sub statistics
{
	sql('SELECT pg_stat_force_next_flush()');
	return sql(q{SELECT n_tup_ins, n_live_tup, n_dead_tup, vacuum_count, autovacuum_count, n_ins_since_vacuum FROM pg_stat_user_tables WHERE relname = 't'});
}

wait_for(q{SELECT autovacuum_count = 1 AND n_ins_since_vacuum = 0 FROM pg_stat_user_tables WHERE relname = 't'}, 'autovacuum has seen the large table');

# ---------------------------------------------------------------------------
# It comes, and merges; the statistics say nothing but the truth
# ---------------------------------------------------------------------------
sql("CALL small_writes('t', 2000001, $rows)");
wait_for(q{SELECT coalesce(sum(rows), 0) < 50000 FROM ecinsight.row_groups('t') WHERE form = 'delta'}, 'small writes are merged')
	or diag('rows on their own: ' . loose('t'));
wait_for(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ecinsight compaction'}, 'the worker is gone');
is(statistics(), join('|', 1000000 + $rows, 1000000 + $rows, 0, 0, 1, $rows), 'statistics: all rows inserted, no VACUUM but the first');
is(sql('SELECT count(*), sum(id::int8) FROM t'), join('|', 1000000 + $rows, 1000001 * 500000 + $rows * 2000000 + $rows * ($rows + 1) / 2), 'all rows are there');
is(sql(q{SELECT count(*) FROM ecinsight.verify('t')}), 0, 'verify is silent');

# ---------------------------------------------------------------------------
# Not where autovacuum is off
# ---------------------------------------------------------------------------
sql("CALL small_writes('off', 1, $rows)");
is(loose('off'), $rows, 'a table without autovacuum is left alone');

# ---------------------------------------------------------------------------
# Others go first
# ---------------------------------------------------------------------------
sql(q{ALTER DATABASE postgres SET ecinsight.debug_stop_point = 'compact-merged'});
$node->psql('postgres', "SET ecinsight.debug_stop_point = ''; CALL small_writes('t', 3000001, 140000)");
sql(q{ALTER DATABASE postgres RESET ecinsight.debug_stop_point});
wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ecinsight compaction' AND query = 'stopped at compact-merged'}, 'a worker is in the middle of it');
sql("INSERT INTO t VALUES (4000000, 'beside'); UPDATE t SET v = 'changed' WHERE id = 3000001; DELETE FROM t WHERE id = 3000002");
is(sql(q{SET lock_timeout = '20s'; ALTER TABLE t ADD COLUMN more int DEFAULT 7; SELECT sum(more) FROM t WHERE id >= 3000001}), 7 * 140000, 'ALTER TABLE gets its lock');
wait_for(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'ecinsight compaction'}, 'the worker has given way');
is(sql(q{SELECT count(*) FROM ecinsight.verify('t')}), 0, 'verify is silent');
is(sql("SELECT string_agg(v, ',' ORDER BY id) FROM t WHERE id IN (3000001, 3000003, 4000000)"), 'changed,small,beside', 'rows are as they were written');

done_testing();
