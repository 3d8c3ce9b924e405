-- Every predicate that scans push down, over every type: a columnar table and a heap
-- with the same rows must agree, with the columnar scan on and off.
SET ecinsight.row_group_rows = 1024;
SET datestyle = 'ISO, YMD';
SET timezone = 'Europe/Berlin';
CREATE TYPE scan_mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN scan_small AS int CHECK (value < 1000000);

CREATE TABLE scan_heap (
	id int NOT NULL,
	i2 int2, i4 int4, i8 int8, dom scan_small,
	d date, ts timestamp, tz timestamptz, tm time, m money,
	n2 numeric(10,2), n0 numeric(18,0), nn numeric,
	f4 float4, f8 float8, b bool,
	t text, tc text COLLATE "C", v varchar(20), uu uuid, us text,
	e scan_mood, bp char(4), sorted int8, j jsonb
) USING heap;

INSERT INTO scan_heap
SELECT g,
	CASE WHEN g % 11 = 0 THEN NULL ELSE (g % 200 - 100)::int2 END,
	CASE WHEN g % 7 = 0 THEN NULL ELSE (g * 7919) % 1000 END,
	CASE WHEN g % 13 = 0 THEN NULL ELSE (g::int8 * 1000003) % 5000 - 2500 END,
	CASE WHEN g % 5 = 0 THEN NULL ELSE g / 10 END,
	CASE WHEN g % 17 = 0 THEN NULL ELSE date '2019-10-01' + g / 24 END,
	CASE WHEN g % 19 = 0 THEN NULL ELSE timestamp '2019-10-26 00:00' + g * interval '1 minute' END,
	CASE WHEN g % 23 = 0 THEN NULL ELSE timestamptz '2019-10-26 00:00+00' + g * interval '1 minute' END,
	CASE WHEN g % 29 = 0 THEN NULL ELSE time '00:00' + g * interval '20 seconds' END,
	CASE WHEN g % 31 = 0 THEN NULL ELSE ((g % 100)::numeric / 4)::money END,
	CASE WHEN g % 10 = 3 THEN NULL WHEN g % 500 = 1 THEN 'NaN' ELSE (g % 300)::numeric / 100 - 1 END,
	CASE WHEN g % 10 = 4 THEN NULL ELSE (g % 50)::numeric END,
	CASE WHEN g % 10 = 5 THEN NULL WHEN g % 400 = 2 THEN 'NaN' WHEN g % 400 = 4 THEN 'Infinity' ELSE (g % 40)::numeric / 8 END,
	CASE WHEN g % 9 = 0 THEN NULL WHEN g % 300 = 1 THEN 'NaN' WHEN g % 300 = 2 THEN 'Infinity' WHEN g % 300 = 4 THEN '-0' ELSE (g % 100 - 50) / 8.0 END,
	CASE WHEN g % 9 = 1 THEN NULL WHEN g % 300 = 2 THEN 'NaN' WHEN g % 300 = 3 THEN '-Infinity' WHEN g % 300 = 5 THEN '-0' ELSE (g % 100 - 50) / 10.0 END,
	CASE WHEN g % 3 = 0 THEN NULL ELSE g % 5 < 2 END,
	CASE WHEN g % 8 = 0 THEN NULL ELSE (ARRAY['view', 'cart', 'purchase', 'remove_from_cart', '', 'View', 'viewer'])[g % 7 + 1] END,
	CASE WHEN g % 8 = 1 THEN NULL ELSE 'electronics.' || chr(97 + g % 26) || (g % 10)::text END,
	CASE WHEN g % 8 = 2 THEN NULL ELSE substr(md5((g % 400)::text), 1, 1 + g % 12) END,
	CASE WHEN g % 8 = 3 THEN NULL ELSE md5((g % 100)::text)::uuid END,
	CASE WHEN g % 8 = 4 THEN NULL ELSE (md5(g::text)::uuid)::text END,
	CASE WHEN g % 4 = 0 THEN NULL ELSE (enum_range(NULL::scan_mood))[g % 3 + 1] END,
	CASE WHEN g % 6 = 0 THEN NULL ELSE (g % 30)::text END,
	g * 10,
	CASE WHEN g % 50 = 0 THEN NULL ELSE jsonb_build_object('k', g % 5) END
FROM generate_series(1, 2300) g;

-- Row groups of extremes and of NULLs.
INSERT INTO scan_heap (id, i2, i4, i8, d, ts, tz, tm, m, n2, n0, nn, f4, f8, b, t, tc, v, uu, us, e, sorted) VALUES
	(4001, -32768, -2147483648, -9223372036854775808, '-infinity', '-infinity', '-infinity', '00:00', '-92233720368547758.08',
	 -99999999.99, -999999999999999999, '-Infinity', '-Infinity', '-Infinity', false, '', '', '', '00000000-0000-0000-0000-000000000000', '', 'sad', -9223372036854775808),
	(4002, 32767, 2147483647, 9223372036854775807, 'infinity', 'infinity', 'infinity', '24:00', '92233720368547758.07',
	 99999999.99, 999999999999999999, 'NaN', 'NaN', 'NaN', true, repeat('z', 300), 'électronique', repeat('z', 20), 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'happy', 9223372036854775807),
	(4003, 0, 0, 0, '4713-01-01 BC', '4713-01-01 BC', '4713-01-01 00:00+00 BC', '12:00', '0', 0, 0, 0, '-0', '-0', false, 'electronics', 'electronics', 'z', NULL, 'electronics', 'ok', 0),
	(4004, 0, 0, 0, '5874897-12-31', '294276-12-31', '294276-12-30 00:00+00', '12:00', '0', 'NaN', 0, 0, 0, 0, true, 'electro', 'electro', 'zz', NULL, NULL, 'ok', 1);
INSERT INTO scan_heap (id) SELECT g FROM generate_series(5001, 5100) g;

CREATE TABLE scan_col (LIKE scan_heap) USING ecinsight_columnar;
INSERT INTO scan_col SELECT * FROM scan_heap WHERE id <= 2300 ORDER BY id;
INSERT INTO scan_col SELECT * FROM scan_heap WHERE id BETWEEN 4001 AND 4999;
INSERT INTO scan_col SELECT * FROM scan_heap WHERE id >= 5001;
ANALYZE scan_heap;
ANALYZE scan_col;

-- The rows themselves.
SELECT count(*) FROM (SELECT scan_col::text FROM scan_col EXCEPT ALL SELECT scan_heap::text FROM scan_heap) x;
SELECT count(*) FROM (SELECT scan_heap::text FROM scan_heap EXCEPT ALL SELECT scan_col::text FROM scan_col) x;

CREATE TABLE scan_keys (col text, type text, keys text[]);
INSERT INTO scan_keys VALUES
	('i2', 'int2', '{-32768,32767,0,-100,99}'), ('i2', 'int4', '{-32769,32768,50}'), ('i2', 'int8', '{-9223372036854775808,7}'),
	('i4', 'int4', '{-2147483648,2147483647,0,999,500,77}'), ('i4', 'int8', '{-2147483649,2147483648,13}'), ('i4', 'int2', '{42}'),
	('i4', 'numeric', '{500.5}'), ('i4', 'float8', '{500.5,NaN}'),
	('i8', 'int8', '{-9223372036854775808,9223372036854775807,0,-2500,2499}'), ('i8', 'int4', '{17,-1}'), ('i8', 'int2', '{3}'),
	('dom', 'int4', '{0,100,350,-1}'), ('dom', 'int8', '{20}'),
	('sorted', 'int8', '{-9223372036854775808,9223372036854775807,10000,10001,35000}'),
	('d', 'date', '{-infinity,infinity,2019-10-01,2019-11-15,2030-01-01}'),
	('d', 'timestamp', '{-infinity,infinity,2019-11-15 00:00,2019-11-15 00:00:00.000001,1999-12-31 23:59:59,1999-12-31,294276-12-31}'),
	('d', 'timestamptz', '{infinity,2019-11-15 00:00+00,2019-11-14 23:00+00}'),
	('ts', 'timestamp', '{-infinity,infinity,2019-10-27 02:30,2019-10-27 00:00,2019-10-27 00:00:30}'),
	('ts', 'date', '{-infinity,infinity,2019-10-27,5874897-12-31,4713-01-01 BC}'),
	('ts', 'timestamptz', '{-infinity,infinity,2019-10-27 00:30+00,2019-10-27 01:30+00,2019-10-27 02:00+00}'),
	('tz', 'timestamptz', '{-infinity,infinity,2019-10-27 00:30+00,2019-10-27 01:30+00}'),
	('tz', 'timestamp', '{-infinity,infinity,2019-10-27 02:30,2019-10-27 03:00,294276-12-31 23:59:59.999999,4714-11-24 00:00 BC}'),
	('tz', 'date', '{-infinity,infinity,2019-10-27,2019-10-28,5874897-12-31}'),
	('tm', 'time', '{00:00,24:00,12:00:20,05:00:01}'),
	('m', 'money', '{0,12.25,24.75,92233720368547758.07}'),
	('n2', 'numeric', '{NaN,Infinity,-Infinity,0,0.5,0.505,-0.999,1.99,1.995,99999999.99,100000000,1e30,-1e30,1e-20,-1e-20,9223372036854775807,92233720368547758.07}'), ('n2', 'int4', '{0,1}'), ('n2', 'float8', '{0.5,NaN}'),
	('n0', 'numeric', '{NaN,Infinity,0,25,25.5,-0.5,1e18,-1e18}'),
	('nn', 'numeric', '{NaN,Infinity,-Infinity,0,1.25,1.3}'),
	('f4', 'float4', '{NaN,Infinity,-Infinity,0,-0,1.5,-6.25}'), ('f4', 'float8', '{0.1,1.5,NaN,1e300,1e-300,-1e-300}'), ('f4', 'numeric', '{0.125}'),
	('f8', 'float8', '{NaN,Infinity,-Infinity,0,-0,0.1,4.9}'), ('f8', 'float4', '{0.1,NaN,0}'), ('f8', 'int4', '{1}'),
	('b', 'bool', '{true,false}'),
	('t', 'text', '{view,cart,"",View,purchase,nothing,zzzzzzzzz}'), ('t', 'varchar', '{view}'), ('t', 'bpchar', '{"view  "}'), ('t', 'name', '{view}'),
	('tc', 'text', '{electronics,electronics.,electronics.a,electronics.a0,electronics.m5,electronics.zzz,electro,"",é,électronique,elec}'),
	('v', 'text', '{"",c,c4,c4c,zzzzzzzzzzzzzzzzzzzz}'), ('v', 'varchar', '{c4c}'),
	('uu', 'uuid', '{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff,cfcd2084-95d5-65ef-66e7-dff9f98764da,cfcd2084-95d5-65ef-0000-000000000000}'),
	('us', 'text', '{"",electronics,c4ca4238-a0b9-2382-0dcc-509a6f75849b,C4CA4238-A0B9-2382-0DCC-509A6F75849B,c4ca4238,ffffffff-ffff-ffff-ffff-ffffffffffff,g}'),
	('us', 'text COLLATE "C"', '{"",electronics,c4ca4238-a0b9-2382-0dcc-509a6f75849b,c4ca4238,8,fffffffff,g}'),
	('e', 'scan_mood', '{sad,ok,happy}'),
	('bp', 'bpchar', '{"1","12  ","99"}');

-- Ids that satisfy the predicate, of one of the tables.
CREATE FUNCTION scan_ids(tab regclass, pred text) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE ids int[];
BEGIN
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM %s s WHERE %s', tab, pred) INTO ids;
	RETURN ids;
END $$;

-- The predicates on which heap and columnar table differ; the last row counts those tried.
CREATE FUNCTION scan_compare(preds text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	pred text;
	expected int[];
	n int := 0;
BEGIN
	FOREACH pred IN ARRAY preds LOOP
		n := n + 1;
		expected := scan_ids('scan_heap', pred);
		SET LOCAL ecinsight.enable_columnar_scan = on;
		IF scan_ids('scan_col', pred) IS DISTINCT FROM expected THEN
			RETURN NEXT 'differs: ' || pred;
		END IF;
		IF n % 10 = 0 THEN
			SET LOCAL ecinsight.enable_columnar_scan = off;
			IF scan_ids('scan_col', pred) IS DISTINCT FROM expected THEN
				RETURN NEXT 'differs without columnar scan: ' || pred;
			END IF;
		END IF;
	END LOOP;
	RETURN NEXT n || ' predicates';
END $$;

CREATE TABLE scan_preds (kind text, pred text);

-- column op key, key op column, as constants and as parameters known at run time
INSERT INTO scan_preds
SELECT 'operator', replace(replace(replace(form, 'COL', col), 'OP', op), 'KEY', '(' || quote_literal(key) || '::' || type || ')')
FROM scan_keys, unnest(keys) WITH ORDINALITY k(key, n), unnest('{<,<=,=,>=,>,<>}'::text[]) WITH ORDINALITY o(op, m),
	unnest('{COL OP KEY,KEY OP COL,COL OP (SELECT KEY)}'::text[]) WITH ORDINALITY f(form, i)
WHERE i = 1 OR (n + m + i) % 3 = 0;

INSERT INTO scan_preds
SELECT 'distinct', replace(replace(form, 'COL', col), 'KEY', '(' || quote_literal(key) || '::' || type || ')')
FROM scan_keys, unnest(keys[1:4]) key,
	unnest('{COL IS DISTINCT FROM KEY,COL IS NOT DISTINCT FROM KEY,COL IS DISTINCT FROM (SELECT KEY),COL IS NOT DISTINCT FROM (SELECT KEY)}'::text[]) form;

-- keys that are NULL
INSERT INTO scan_preds
SELECT DISTINCT 'null', replace(replace(form, 'COL', col), 'KEY', '(SELECT NULL::' || type || ')')
FROM scan_keys, unnest('{COL = KEY,COL < KEY,COL <> KEY,COL IS DISTINCT FROM KEY,COL IS NOT DISTINCT FROM KEY}'::text[]) form;
INSERT INTO scan_preds
SELECT DISTINCT 'null', replace(form, 'COL', col)
FROM scan_keys, unnest('{COL IS NULL,COL IS NOT NULL,NOT (COL IS NULL),j IS NULL OR COL IS NOT NULL}'::text[]) form;

-- arrays, ranges
INSERT INTO scan_preds
SELECT 'array', replace(replace(replace(form, 'COL', col), 'KEYS', quote_literal(k::text) || '::TYPE[]'), 'TYPE', split_part(type, ' ', 1))
FROM scan_keys,
	LATERAL (VALUES (1, keys), (2, keys[1:1]), (3, keys || NULL::text), (4, '{}'::text[]), (5, '{NULL}'::text[])) AS x(n, k),
	unnest('{COL = ANY (KEYS),COL <> ALL (KEYS),COL = ANY ((SELECT KEYS)::TYPE[]),COL <> ALL ((SELECT KEYS)::TYPE[]),COL < ANY (KEYS),COL >= ALL (KEYS)}'::text[]) WITH ORDINALITY f(form, i)
WHERE i <= 2 OR (n + i) % 3 = 0;
INSERT INTO scan_preds
SELECT 'array', replace(replace(form, 'COL', col), 'TYPE', split_part(type, ' ', 1))
FROM scan_keys, unnest('{COL = ANY (NULL::TYPE[]),COL <> ALL (NULL::TYPE[]),COL = ANY ((SELECT NULL::TYPE[])::TYPE[]),COL <> ALL ((SELECT NULL::TYPE[])::TYPE[])}'::text[]) form;
INSERT INTO scan_preds
SELECT 'between', format('%s %s (%L::%s) AND (%L::%s)', col, form, a, type, b, type)
FROM scan_keys, unnest(keys[1:7]) WITH ORDINALITY a(a, m), unnest(keys[1:7]) WITH ORDINALITY b(b, n), unnest('{BETWEEN,NOT BETWEEN}'::text[]) WITH ORDINALITY f(form, i)
WHERE m <> n AND (m + n + i) % 2 = 0;

-- booleans
INSERT INTO scan_preds
SELECT 'boolean', p FROM unnest('{b,NOT b,b IS TRUE,b IS NOT TRUE,b IS FALSE,b IS NOT FALSE,b IS UNKNOWN,b IS NOT UNKNOWN,b = (i4 > 500),b AND i4 > 500,b OR i4 > 500,NOT (b AND i4 > 500),NOT (b OR i4 > 500)}'::text[]) p;

-- what isn't pushed, alone and with what is
INSERT INTO scan_preds
SELECT 'other', p FROM unnest(ARRAY[
	$$t LIKE 'v%'$$, $$tc LIKE 'electronics.m%'$$, $$tc ~ '[xyz]5$'$$, $$lower(t) = 'view'$$, $$length(t) = 4$$, $$coalesce(t, 'view') = 'view'$$,
	$$t IS NULL OR length(t) > 4$$, $$upper(v) < 'C'$$, $$i4 / 2 + i2 > 100$$, $$i4 > 100 AND length(t) > 4$$, $$length(t) > 4 OR i4 < 10$$,
	$$t || tc > 'view'$$, $$j @> '{"k": 3}'$$, $$j ->> 'k' = '2' AND i4 < 100$$, $$s IS NOT NULL$$, $$(i4, i8) < (500, 0)$$, $$(i4, t) = (77, 'view')$$,
	$$s.t = 'view' AND s.* IS NOT NULL$$, $$i4 IN (SELECT i2 FROM scan_heap WHERE i2 > 0)$$, $$EXISTS (SELECT FROM scan_heap h WHERE h.id = s.id AND h.b)$$,
	$$i4 = (SELECT max(h.i4) FROM scan_heap h WHERE h.i2 = s.i2)$$, $$ts < now()$$, $$tz > now() - interval '100 years'$$, $$d < current_date$$,
	$$random() < 2 AND i4 > 900$$, $$t COLLATE "C" > 'v'$$, $$v COLLATE "C" BETWEEN 'a' AND 'c'$$, $$us COLLATE "C" <= 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'$$,
	$$tc > 'electronics.m' AND tc < 'electronics.n' AND length(tc) = 14$$, $$e > 'sad'$$, $$e <= 'ok' OR e IS NULL$$, $$tableoid = s.tableoid$$]) p;

SELECT kind, r FROM (SELECT kind, array_agg(pred ORDER BY pred) AS preds FROM scan_preds GROUP BY kind) p, scan_compare(preds) r ORDER BY kind, r;

-- combinations, at random but the same each time
SELECT setseed(0.42);
CREATE TABLE scan_combined AS
SELECT n, CASE n % 6
		WHEN 0 THEN format('(%s) AND (%s)', a, b) WHEN 1 THEN format('(%s) OR (%s)', a, b)
		WHEN 2 THEN format('((%s) OR (%s)) AND (%s)', a, b, c) WHEN 3 THEN format('(%s) OR ((%s) AND (%s))', a, b, c)
		WHEN 4 THEN format('NOT ((%s) AND (%s)) AND (%s)', a, b, c) ELSE format('NOT ((%s) OR (%s) OR (%s))', a, b, c) END AS pred
FROM (
	SELECT n, p[1 + floor(random() * cardinality(p))::int] AS a, p[1 + floor(random() * cardinality(p))::int] AS b, p[1 + floor(random() * cardinality(p))::int] AS c
	FROM (SELECT array_agg(pred ORDER BY kind, pred COLLATE "C") AS p FROM scan_preds) x, generate_series(1, 1000) n) y;
SELECT scan_compare(array_agg(pred ORDER BY n)) FROM scan_combined;

-- whole rows of what the predicates select, not only their ids
SELECT count(*) AS differing
FROM (SELECT s::text FROM scan_col s WHERE i4 < 500 AND t = 'view' EXCEPT ALL SELECT s::text FROM scan_heap s WHERE i4 < 500 AND t = 'view') x;
SELECT count(*) AS differing
FROM (SELECT s::text FROM scan_heap s WHERE n2 > 0.5 OR us > 'c' EXCEPT ALL SELECT s::text FROM scan_col s WHERE n2 > 0.5 OR us > 'c') x;

-- a collation under which different bytes are equal
DO $$
BEGIN
	EXECUTE 'CREATE COLLATION scan_nocase (provider = icu, locale = ''und-u-ks-level2'', deterministic = false)';
	IF (SELECT count(*) FROM scan_col WHERE t COLLATE scan_nocase = 'VIEW') <>
		(SELECT count(*) FROM scan_heap WHERE t COLLATE scan_nocase = 'VIEW') THEN
		RAISE EXCEPTION 'differs';
	END IF;
EXCEPTION
	WHEN feature_not_supported OR undefined_object OR invalid_parameter_value THEN NULL; -- built without ICU
END $$;

DROP TABLE scan_heap, scan_col, scan_keys, scan_preds, scan_combined;
DROP FUNCTION scan_ids, scan_compare;
DROP TYPE scan_mood;
DROP DOMAIN scan_small;
