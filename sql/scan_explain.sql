-- What columnar scans read and skip, and how EXPLAIN tells it.
SET ecinsight.row_group_rows = 1024;
SET max_parallel_workers_per_gather = 0;
SET timezone = 'UTC';

-- The lines of EXPLAIN that don't depend on server version or costs.
CREATE FUNCTION scan_show(query text, analyze_it bool DEFAULT true) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (%sCOSTS OFF) %s', CASE WHEN analyze_it THEN 'ANALYZE, TIMING OFF, SUMMARY OFF, ' END, query) LOOP
		line := regexp_replace(line, '\(actual rows=(\d+)(\.\d+)? loops=(\d+)\)', '(rows=\1 loops=\3)');
		IF line !~ 'Heap Fetches|Buffers|Memory|Planning|Storage' THEN
			RETURN NEXT line;
		END IF;
	END LOOP;
END $$;

CREATE TABLE scan_events (event_time timestamptz, event_type text, product_id bigint, category text COLLATE "C", price numeric(10,2), user_id int, session uuid)
	USING ecinsight_columnar WITH (autovacuum_enabled = off);
-- ten row groups: time ascending, users cyclic, a category for each two groups
INSERT INTO scan_events
SELECT timestamptz '2019-10-01' + g * interval '1 minute', CASE WHEN g > 5120 AND g % 10 = 0 THEN 'purchase' ELSE 'view' END,
	1000000 + g % 37, CASE WHEN g % 4 <> 0 THEN 'category.' || (g - 1) / 2048 END, g % 1000 / 100.0, CASE WHEN g > 9216 THEN NULL ELSE g % 50 END,
	md5(g::text)::uuid
FROM generate_series(1, 10240) g;
ANALYZE scan_events;

-- projection
SELECT scan_show('SELECT * FROM scan_events', false);
SELECT scan_show('SELECT price, user_id FROM scan_events WHERE event_type = ''cart''', false);
SELECT scan_show('SELECT count(*) FROM scan_events');
SELECT scan_show('SELECT sum(price) FROM scan_events');
SELECT scan_show('SELECT e FROM scan_events e WHERE user_id = 7', false);
SELECT scan_show('SELECT tableoid::regclass, ctid, user_id FROM scan_events', false);
EXPLAIN (COSTS OFF) SELECT xmin FROM scan_events;
EXPLAIN (VERBOSE, COSTS OFF) SELECT user_id FROM scan_events WHERE price > 9 AND user_id + 1 > 3;

-- zones
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_time < ''2019-10-01 12:00''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_time BETWEEN ''2019-10-03'' AND ''2019-10-04''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_time >= timestamp ''2019-10-08''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_time > date ''2019-10-08''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_time IN (''2019-10-02'', ''2019-10-07'')');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_time > now()');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_time < ''2019-10-01 06:00'' OR event_time > ''2019-10-08''');
SELECT scan_show('SELECT event_time FROM scan_events WHERE user_id IS NULL');
SELECT scan_show('SELECT event_time FROM scan_events WHERE user_id IS NOT NULL AND price = 1.005');
SELECT scan_show('SELECT event_time FROM scan_events WHERE price > 100');
SELECT scan_show('SELECT event_time FROM scan_events WHERE price = 1.005');
-- nothing left to test where all rows of a group satisfy the clause: only event_time is decoded at the edge
SELECT scan_show('SELECT count(*) FROM scan_events WHERE event_time >= ''2019-10-05''');

-- dictionaries and prefixes
SELECT scan_show('SELECT user_id FROM scan_events WHERE category = ''category.3''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE category >= ''category.4''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_type = ''purchase''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE event_type IN (''cart'', ''nothing'')');
SELECT scan_show('SELECT user_id FROM scan_events WHERE category < ''b''');
SELECT scan_show('SELECT user_id FROM scan_events WHERE category LIKE ''%.3''');
-- a function of one dictionary column runs once for each entry
CREATE FUNCTION scan_noisy(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE 'asked about %', $1; RETURN $1 = 'purchase'; END $$;
SELECT count(*) FROM scan_events WHERE scan_noisy(event_type) AND event_time < '2019-10-05';

-- other formats
CREATE FUNCTION scan_json(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE result jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT json) ' || query INTO result;
	RETURN result -> 0 -> 'Plan';
END $$;
SELECT p ->> 'Custom Plan Provider' AS provider, p -> 'Columns' AS columns, p -> 'Row Groups Read' AS groups_read, p -> 'Row Groups Skipped' AS groups_skipped,
	p -> 'Blocks Read' AS blocks_read, p -> 'Column Blocks Decoded' AS decoded, p -> 'Bytes Read' AS bytes
FROM scan_json('SELECT user_id FROM scan_events WHERE event_time < ''2019-10-01 12:00''') p;

-- switched off
SET ecinsight.enable_columnar_scan = off;
EXPLAIN (COSTS OFF) SELECT user_id FROM scan_events WHERE event_time < '2019-10-01 12:00';
RESET ecinsight.enable_columnar_scan;

-- blocks within a row group
SET ecinsight.row_group_rows = 100000;
CREATE TABLE scan_blocks (a int, b int) USING ecinsight_columnar WITH (autovacuum_enabled = off);
INSERT INTO scan_blocks SELECT g, g % 7 FROM generate_series(0, 99999) g;
ANALYZE scan_blocks;
SELECT scan_show('SELECT b FROM scan_blocks WHERE a < 16384');
SELECT scan_show('SELECT b FROM scan_blocks WHERE a <= 16384');
SELECT scan_show('SELECT b FROM scan_blocks WHERE a = 99999');
SELECT scan_show('SELECT b FROM scan_blocks WHERE a > 99999');
SELECT scan_show('SELECT b FROM scan_blocks WHERE a BETWEEN 30000 AND 40000 AND b = 3');

-- costs: a columnar scan is cheaper, and cheaper still with fewer columns and rows
CREATE FUNCTION scan_cost(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE result json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO result;
	RETURN result -> 0 -> 'Plan' ->> 'Total Cost';
END $$;
SELECT scan_cost('SELECT user_id FROM scan_events') < scan_cost('SELECT * FROM scan_events') AS projection,
	scan_cost('SELECT user_id FROM scan_events WHERE event_time < ''2019-10-01 01:00''') < scan_cost('SELECT user_id FROM scan_events WHERE price < 0.06') AS zones;

DROP TABLE scan_events, scan_blocks;
DROP FUNCTION scan_show, scan_json, scan_cost, scan_noisy;
