-- Makes the tables whose files are table_v2.tar.gz: @name is a table of them, @@ the access method.  The same
-- statements with heap tell what their rows are.  Neither file may ever change.
CREATE TABLE @source AS SELECT i AS a, CASE WHEN i % 7 > 0 THEN 'text ' || i % 30 END AS b, md5(i::text) AS c, ((i * 37 % 10007) / 100.0)::numeric(10,2) AS d,
	'2020-01-01'::timestamptz + i * '1 s'::interval AS e, md5((i % 50)::text)::uuid AS f, ARRAY[i, i + 1] AS g, i / 3.0::float8 AS h, i % 3 = 0 AS j
	FROM generate_series(1, 900) i;
SET ecinsight.compression = none;
CREATE TABLE @none USING @@ AS SELECT * FROM @source;
SET ecinsight.compression = lz4;
CREATE TABLE @lz4 USING @@ AS SELECT * FROM @source;
SET ecinsight.compression = zstd;
CREATE TABLE @zstd USING @@ AS SELECT * FROM @source;
SET ecinsight.row_group_rows = 1024;
CREATE TABLE @groups USING @@ AS SELECT a + n * 10000 AS a, b, d, e, j FROM @source, generate_series(1, 4) n;
CREATE TABLE @image USING @@ AS SELECT a, b, e, NULL::int AS n FROM @source WHERE a <= 600;
CREATE TABLE @rows (LIKE @source) USING @@;
INSERT INTO @rows VALUES (1, 'one', NULL, 1.5, '2020-01-01', NULL, NULL, 'NaN', true);
INSERT INTO @rows SELECT * FROM @source WHERE a BETWEEN 2 AND 9;
INSERT INTO @rows VALUES (10, 'ten', 'x', -1, '-infinity', NULL, '{}', '-0', NULL);
CREATE TABLE @altered (a int, b text, c numeric(8,2), d varchar(40)) USING @@;
INSERT INTO @altered SELECT a, b, d, c FROM @source WHERE a <= 500;
INSERT INTO @altered VALUES (9000, 'row', 1, 'x');
ALTER TABLE @altered DROP COLUMN b, ADD COLUMN k int DEFAULT 7, ALTER c TYPE numeric, ALTER d TYPE text;
INSERT INTO @altered SELECT a, d * 1000, repeat(c, 3), a % 5 FROM @source WHERE a > 500;
CREATE TABLE @wide (a int, b text) USING @@;
INSERT INTO @wide SELECT a, repeat(c, a * 100) FROM @source WHERE a IN (1, 20, 300);
CREATE TABLE @empty (a int) USING @@;
INSERT INTO @empty VALUES (1);
TRUNCATE @empty;
-- rows on their own
CREATE TABLE @delta (LIKE @source) USING @@;
INSERT INTO @delta VALUES (1, 'one', NULL, 1.5, '2020-01-01', NULL, NULL, 'NaN', true);
INSERT INTO @delta SELECT * FROM @source WHERE a BETWEEN 2 AND 9;
UPDATE @delta SET b = 'changed' WHERE a IN (1, 5);
DELETE FROM @delta WHERE a = 7;
-- rows deleted and updated in row groups: few (masks), many (written anew)
CREATE TABLE @masked USING @@ AS SELECT a + n * 1000 AS a, b, d, f FROM @source, generate_series(1, 4) n;
DELETE FROM @masked WHERE a % 41 = 3;
CREATE TABLE @thinned USING @@ AS SELECT a + n * 1000 AS a, b, d, f FROM @source, generate_series(1, 4) n;
DELETE FROM @thinned WHERE a % 4 = 3;
UPDATE @thinned SET b = b || a WHERE a % 50 = 1;
-- merged row groups: their rows carry their numbers
CREATE TABLE @merged (LIKE @source) USING @@;
INSERT INTO @merged SELECT * FROM @source WHERE a % 3 = 0;
INSERT INTO @merged SELECT * FROM @source WHERE a % 3 = 1 ORDER BY d;
INSERT INTO @merged SELECT * FROM @source WHERE a % 3 = 2 AND a < 90;
UPDATE @merged SET c = 'new ' || a WHERE a % 5 = 1;
VACUUM @masked, @thinned, @merged;
