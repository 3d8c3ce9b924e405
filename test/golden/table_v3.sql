-- Makes the tables whose files are table_v3.tar.gz: @name is a table of them, @@ the access method.  The same
-- statements with heap tell what their rows are.  Neither file may ever change.
--
-- The format's version is 2 as before; these are what it has gained: short headers of rows in tuples, row groups sorted
-- by order_by, long values, tombstones without headers, and all encodings there are.
CREATE TABLE @source AS SELECT i AS a, CASE WHEN i % 7 > 0 THEN 'text ' || i % 30 END AS b, md5(i::text) AS c, ((i * 37 % 10007) / 100.0)::numeric(10,2) AS d,
	'2020-01-01'::timestamptz + i * '1 s'::interval AS e, md5((i % 50)::text)::uuid AS f, ARRAY[i, i + 1] AS g, i / 3.0::float8 AS h, i % 3 = 0 AS j
	FROM generate_series(1, 900) i;
-- all that is said of a table by set_options, which knows columnar ones only
CREATE OR REPLACE FUNCTION pg_temp.columnar(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN wrong_object_type THEN NULL;
END $$;
-- encodings
CREATE TABLE @encodings USING @@ AS SELECT i AS a, 5 AS const, hashint8extended(i, 0) AS plain, (i * 7919::bigint % 1000) + 5000000000 AS near, i * 3::bigint + i % 2 AS steps, i / 200 AS runs,
	md5(i::text)::uuid AS uuids, substr(md5(i::text), 1, 3 + i % 9) AS strings, 'word ' || i * i % 17 AS few, md5((i / 4)::text)::uuid AS sessions, CASE WHEN i % 5 > 0 THEN i % 11 END AS nulls,
	(i / 4 * 7919::bigint % 100003) AS recent, NULL::int AS none, sqrt(i) AS floats, (i % 1000 / 100.0)::numeric(8,2) AS price, md5((i % 900)::text) AS hex
	FROM generate_series(1, 3000) i;
SET ecinsight.compression = none;
CREATE TABLE @raw USING @@ AS SELECT i AS a, md5((i * 3 / 4)::text)::uuid AS s, md5((i % 300)::text)::uuid AS r, md5((i % 300)::text) AS t FROM generate_series(1, 2000) i;
SET ecinsight.compression = lz4;
CREATE TABLE @lz4 USING @@ AS SELECT *, repeat(b, 3) AS k FROM @source;
RESET ecinsight.compression;
-- row groups sorted by order_by, with deleted rows
CREATE TABLE @sorted (LIKE @source) USING @@;
SELECT pg_temp.columnar($$SELECT ecinsight.set_options('@sorted', order_by => 'b, d', row_group_rows => 1024)$$);
INSERT INTO @sorted SELECT * FROM @source;
INSERT INTO @sorted SELECT a + 1000, b, c, d + 1, e, f, g, h, NOT j FROM @source;
DELETE FROM @sorted WHERE a % 7 = 1;
VACUUM @sorted;
DELETE FROM @sorted WHERE a % 19 = 1;
INSERT INTO @sorted VALUES (5001, 'single', NULL, NULL, 'infinity', NULL, NULL, '-Infinity', NULL);
-- masks: positions and bitmaps; numbered row groups merged of small ones
CREATE TABLE @masked (LIKE @source) USING @@;
INSERT INTO @masked SELECT * FROM @source WHERE a % 2 = 0;
INSERT INTO @masked SELECT * FROM @source WHERE a % 2 = 1;
VACUUM @masked;
DELETE FROM @masked WHERE a IN (3, 4, 500);
VACUUM @masked;
CREATE TABLE @bitmap USING @@ AS SELECT a, b, c FROM @source;
DELETE FROM @bitmap WHERE a BETWEEN 100 AND 180;
VACUUM @bitmap;
-- rows on their own, of few and many columns; headers; tombstones with and without
CREATE TABLE @tuples (LIKE @source, PRIMARY KEY (a)) USING @@;
INSERT INTO @tuples VALUES (1, 'one', NULL, 1.5, '2020-01-01', NULL, NULL, 'NaN', true);
INSERT INTO @tuples SELECT * FROM @source WHERE a BETWEEN 2 AND 9;
INSERT INTO @tuples VALUES (10, 'ten', 'x', -1, '-infinity', NULL, '{}', '-0', NULL) ON CONFLICT DO NOTHING;
INSERT INTO @tuples VALUES (2, 'again') ON CONFLICT (a) DO UPDATE SET b = excluded.b;
UPDATE @tuples SET c = repeat(c, 50) WHERE a = 4;
DELETE FROM @tuples WHERE a = 7;
CREATE TABLE @columns (a int) USING @@;
SELECT pg_temp.columnar('ALTER TABLE @columns ' || string_agg(format('ADD c%s %s', i, CASE i % 3 WHEN 0 THEN 'int' WHEN 1 THEN 'text' ELSE 'bool' END), ', ' ORDER BY i)) FROM generate_series(1, 300) i;
INSERT INTO @columns (a, c1, c3, c298, c300) VALUES (1, 'first', 3, 'last', 300);
INSERT INTO @columns (a) VALUES (2);
CREATE TABLE @changed (a int PRIMARY KEY, b text, c int) USING @@;
INSERT INTO @changed SELECT a, b, a FROM @source;
DELETE FROM @changed WHERE a % 50 = 3;
UPDATE @changed SET c = -c WHERE a % 60 = 1;
UPDATE @changed SET c = 0 WHERE a % 120 = 1;
BEGIN;
SELECT count(*) FROM (SELECT a FROM @changed WHERE a % 90 = 2 FOR KEY SHARE) x;
COMMIT;
-- long values: in row groups of their own, in pieces and beside short ones
CREATE TABLE @long (a int, t text, b bytea) USING @@;
INSERT INTO @long SELECT i, (SELECT string_agg(md5((i * 1000 + k)::text), '') FROM generate_series(1, i * 20) k), decode(repeat(md5(i::text), 100 * i), 'hex') FROM generate_series(0, 12) i;
INSERT INTO @long VALUES (100, repeat('0123456789', 300000), NULL);
INSERT INTO @long VALUES (101, NULL, repeat('x', 9000)::bytea), (102, 'short', '');
UPDATE @long SET a = a + 1000 WHERE a IN (12, 100);
DELETE FROM @long WHERE a = 11;
-- free pages before the last row group
CREATE TABLE @free USING @@ AS SELECT a, b, c FROM @source;
INSERT INTO @free SELECT a + 1000, b, c FROM @source;
DELETE FROM @free WHERE a < 1000;
VACUUM @free;
VACUUM @free;
