-- Index against columnar scan against heap: see point.sh, which sets :rows and fills point_bench.heap.
\set ON_ERROR_STOP 1
SET search_path = point_bench, public;
SET max_parallel_workers_per_gather = 0;
SET jit = off;

-- The scan that the planner took, and the least time of three runs.
CREATE FUNCTION run(query text, OUT scan text, OUT ms numeric) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	took numeric;
BEGIN
	FOR i IN 1 .. 3 LOOP
		EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ' || query INTO plan;
		took := (plan->0->>'Execution Time')::numeric;
		ms := least(ms, took);
	END LOOP;
	scan := coalesce(substring(plan::text from '"Custom Plan Provider": "(\w+)"'),
		substring(plan::text from '"Node Type": "((?:Bitmap Heap|Index|Seq) [^"]*)"'));
	ms := round(ms, 2);
END $$;

-- Ranges that hold the given shares of the rows, from the column's median on.
CREATE TABLE bounds (col text, share float8, low text, high text);
DO $$
DECLARE
	c text;
BEGIN
	FOREACH c IN ARRAY '{event_time,user_id}'::text[] LOOP
		EXECUTE format('INSERT INTO bounds SELECT %1$L, unnest(s), v[1]::text, unnest(v[2:])::text FROM '
			'(SELECT s, percentile_disc(0.5::float8 || (SELECT array_agg(0.5 + x) FROM unnest(s) x)) '
			'WITHIN GROUP (ORDER BY %1$I) v FROM heap, '
			'(SELECT ''{0.000001,0.00001,0.0001,0.001,0.01,0.1,0.4}''::float8[] s) shares GROUP BY s) w', c);
	END LOOP;
END $$;
CREATE FUNCTION range_query(tab text, b bounds) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT count(event_time), count(event_type), count(product_id), count(category_id), '
		'count(category_code), count(brand), sum(price), count(user_id), count(user_session) '
		'FROM %1$I WHERE %2$I >= %3$L AND %2$I <= %4$L', tab, b.col, b.low, b.high)
$$;

CREATE TABLE results (col text, share float8, chosen text, chosen_ms numeric, index_ms numeric,
	scan_ms numeric, heap text, heap_ms numeric);

DO $$
DECLARE
	b bounds;
	r results;
	tmp record;
BEGIN
	FOR b IN SELECT * FROM bounds LOOP
		r := NULL;
		r.col := b.col;
		r.share := b.share;
		SELECT * INTO tmp FROM run(range_query('columnar', b));
		r.chosen := tmp.scan;
		r.chosen_ms := tmp.ms;
		SELECT * INTO tmp FROM run(range_query('heap', b));
		r.heap := tmp.scan;
		r.heap_ms := tmp.ms;
		SET LOCAL enable_indexscan = off;
		SET LOCAL enable_bitmapscan = off;
		SELECT ms INTO r.scan_ms FROM run(range_query('columnar', b));
		SET LOCAL enable_indexscan = on;
		SET LOCAL enable_bitmapscan = on;
		SET LOCAL ecinsight.enable_columnar_scan = off;
		SET LOCAL enable_seqscan = off;
		SELECT ms INTO r.index_ms FROM run(range_query('columnar', b));
		SET LOCAL ecinsight.enable_columnar_scan = on;
		SET LOCAL enable_seqscan = on;
		INSERT INTO results SELECT r.*;
	END LOOP;
END $$;

\echo 'Ranges, all nine columns, milliseconds (least of three): "chosen" is the planner''s own plan'
SELECT col AS "column", round((share * 100)::numeric, 4) AS "% of rows", chosen AS "plan", chosen_ms AS "chosen",
	index_ms AS "by index", scan_ms AS "ColumnarScan", heap AS "heap's plan", heap_ms AS "heap",
	round(chosen_ms / nullif(heap_ms, 0), 2) AS "x heap",
	round(chosen_ms / nullif(least(index_ms, scan_ms), 0), 2) AS "x best"
FROM results ORDER BY col, share;

-- single rows inside a nested loop
CREATE TABLE wanted AS SELECT (random() * (:rows - 1))::bigint + 1 AS id FROM generate_series(1, 20000);
ANALYZE wanted;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET enable_bitmapscan = off;
CREATE FUNCTION loop_query(tab text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT count(event_time), count(event_type), count(product_id), count(category_id), '
		'count(category_code), count(brand), sum(price), count(user_id), count(user_session) '
		'FROM wanted JOIN %I USING (id)', tab);
$$;
\echo '20,000 random rows in a nested loop over the unique index, all nine columns'
SELECT c.scan AS "plan", c.ms AS "columnar, ms", h.ms AS "heap, ms", round(c.ms / h.ms, 1) AS "x heap",
	round(c.ms * 1000 / 20000, 1) AS "us a row"
FROM run(loop_query('columnar')) c, run(loop_query('heap')) h;
