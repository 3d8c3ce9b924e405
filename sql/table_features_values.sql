-- Values of all sizes and types, inserted one by one and in bulk, changed and found again.
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE SCHEMA table_features_values;
SET search_path = table_features_values;
-- Statements run on a heap table and on its columnar twin: "_@" in names becomes _h or _c, "@am" the
-- access method.  Both must fail alike or not at all, and then hold the same rows.
CREATE FUNCTION twin(statements text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	results text[] := '{}';
	result text;
	letter text;
BEGIN
	FOREACH letter IN ARRAY '{h,c}'::text[] LOOP
		BEGIN
			EXECUTE replace(replace(statements, '@am', CASE letter WHEN 'h' THEN 'heap' ELSE 'ecinsight_columnar' END), '_@', '_' || letter);
			result := 'ok';
		EXCEPTION WHEN OTHERS THEN
			result := format('%s: %s', sqlstate, regexp_replace(sqlerrm, '_[hc](_|\M)', '_@\1', 'g'));
		END;
		results := results || result;
	END LOOP;
	IF results[1] <> results[2] THEN
		RETURN format('DIFFERS: heap says %s, columnar says %s', results[1], results[2]);
	END IF;
	RETURN results[1];
END $$;
CREATE FUNCTION same(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	h text;
	c text;
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*), md5(string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C")) FROM (%s) r', replace(query, '_@', '_h')) INTO n, h;
	EXECUTE format('SELECT md5(string_agg(r::text, chr(10) ORDER BY r::text COLLATE "C")) FROM (%s) r', replace(query, '_@', '_c')) INTO c;
	RETURN n || CASE WHEN h IS NOT DISTINCT FROM c THEN ' rows, the same' ELSE ' rows, DIFFERENT' END;
END $$;
-- as many columns as a table can have
SELECT twin((SELECT 'CREATE TABLE wide_@ (' || string_agg('c' || i || CASE i % 4 WHEN 0 THEN ' int' WHEN 1 THEN ' bool' WHEN 2 THEN ' text' ELSE ' int8' END, ', ') || ') USING @am' FROM generate_series(1, 1600) i));
SELECT twin('ALTER TABLE wide_@ ADD COLUMN one_more int');
SELECT twin('INSERT INTO wide_@ (c4, c1600, c2) SELECT i, -i, i FROM generate_series(1, 500) i; INSERT INTO wide_@ (c3) VALUES (7), (8)');
SELECT twin((SELECT 'INSERT INTO wide_@ VALUES (' || string_agg(CASE i % 4 WHEN 0 THEN i::text WHEN 1 THEN 'true' WHEN 2 THEN quote_literal('t') ELSE 'NULL' END, ', ') || ')' FROM generate_series(1, 1600) i));
SELECT twin('UPDATE wide_@ SET c800 = c4, c2 = c2 || ''!'' WHERE c4 % 7 = 0 OR c3 = 8');
SELECT twin('DELETE FROM wide_@ WHERE c4 % 5 = 0');
SELECT twin('ALTER TABLE wide_@ DROP COLUMN c5, DROP COLUMN c1599; ALTER TABLE wide_@ ADD COLUMN again int');
SELECT twin('UPDATE wide_@ SET c1600 = 0 WHERE c4 = 100');
SELECT same('SELECT * FROM wide_@');

-- sizes from nothing to megabytes, well and badly compressible, each beside small ones
CREATE FUNCTION noise(seed int, n int) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT left(string_agg(md5(seed::text || i), ''), n) FROM generate_series(0, n / 32) i $$;
CREATE TABLE sizes AS SELECT row_number() OVER () AS id, n FROM unnest('{0,1,100,126,127,1990,2040,7000,7900,8100,8200,9000,20000,70000,300000,1100000}'::int[]) n;
SELECT twin('CREATE TABLE big_@ (id int PRIMARY KEY, t text, b bytea, a int[]) USING @am');
SELECT twin('INSERT INTO big_@ SELECT id, noise(id::int, n), NULL, NULL FROM sizes');
SELECT twin('INSERT INTO big_@ SELECT id + 100, repeat(''compressible '', n / 13), convert_to(noise(id::int, n), ''UTF8''), array_fill(n, ARRAY[n / 10]) FROM sizes');
SELECT twin('DO $do$ DECLARE s sizes; BEGIN FOR s IN SELECT * FROM sizes LOOP INSERT INTO big_@ VALUES (s.id + 200, noise(-s.id::int, s.n), NULL, NULL); END LOOP; END $do$');
SELECT same('SELECT id, length(t), md5(t), length(b), md5(b), array_length(a, 1), a[3] FROM big_@');
-- values larger than what is kept of opened row groups
SET ecinsight.fetch_cache = '1MB';
SELECT twin('UPDATE big_@ SET t = t || t WHERE id % 2 = 0');
SELECT twin('UPDATE big_@ SET b = ''small'' WHERE id % 3 = 0');
SELECT twin('UPDATE big_@ SET t = noise(id, 50000) WHERE id % 5 = 0');
SELECT twin('DELETE FROM big_@ WHERE id % 7 = 0');
SELECT twin('INSERT INTO big_@ SELECT id, noise(1, 100000) FROM big_@ WHERE id > 200 ON CONFLICT (id) DO UPDATE SET a = ARRAY[length(big_@.t)], t = excluded.t');
SELECT same('SELECT id, length(t), md5(t), length(b), md5(b), array_length(a, 1), a[3] FROM big_@');
SELECT same('SELECT id, substr(t, 60000, 10), left(t, 5) FROM big_@ WHERE length(t) > 60000');
SELECT same('SELECT md5(t) FROM big_@ WHERE id = 16');
-- values that a heap keeps compressed or apart are taken from it as values
SELECT twin('CREATE TABLE copy_@ USING @am AS SELECT * FROM big_h');
SELECT twin('INSERT INTO copy_@ SELECT * FROM big_c');
SELECT same('SELECT id, md5(t), md5(b), a FROM copy_@');
SELECT twin('DROP TABLE copy_@; CREATE TABLE copy_@ (LIKE big_@ INCLUDING ALL) USING @am; INSERT INTO copy_@ SELECT * FROM big_h; UPDATE copy_@ SET b = (SELECT b FROM big_h WHERE id = 116) WHERE id % 2 = 0');
SELECT same('SELECT id, md5(t), md5(b), a FROM copy_@');
SELECT twin('CREATE TABLE huge_@ (t text) USING @am; INSERT INTO huge_@ VALUES (repeat(''0123456789abcdef'', 1048576)); UPDATE huge_@ SET t = t || ''!''');
SELECT same('SELECT length(t), right(t, 3), md5(t) FROM huge_@');
DROP TABLE huge_h, huge_c;
RESET ecinsight.fetch_cache;

-- types that users make
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN pairs AS pair[] CHECK (array_length(VALUE, 1) < 4);
CREATE TYPE floatrange AS RANGE (subtype = float8);
SELECT twin('CREATE TABLE own_@ (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood, p pair, d positive, pp pairs, r floatrange, mr floatmultirange, j jsonb, js json, x mood[], twice int GENERATED ALWAYS AS (d * 2) STORED, dim int[][]) USING @am');
SELECT twin('INSERT INTO own_@ (m, p, d, pp, r, mr, j, js, x, dim) SELECT (ARRAY[''sad'', ''ok'', ''happy'']::mood[])[1 + i % 3], (i, ''p'' || i)::pair, i, ARRAY[(i, ''x'')::pair, NULL],
	floatrange(i, i + 1.5), floatmultirange(floatrange(0, i), floatrange(i + 1, i + 2)), jsonb_build_object(''i'', i, ''n'', jsonb_build_array(i, NULL, ''s'')),
	json_build_object(''i'', i), ARRAY[''ok'', NULL]::mood[], ARRAY[ARRAY[i, 1], ARRAY[2, NULL]] FROM generate_series(1, 300) i');
SELECT twin('INSERT INTO own_@ (m) VALUES (''happy''), (NULL)');
SELECT twin('INSERT INTO own_@ (d) VALUES (0)');
SELECT twin('INSERT INTO own_@ (id, d) VALUES (1, 1)');
SELECT twin('INSERT INTO own_@ (twice) VALUES (1)');
SELECT twin('INSERT INTO own_@ (id, d) OVERRIDING SYSTEM VALUE VALUES (1000, 1)');
SELECT twin('UPDATE own_@ SET d = -1 WHERE id = 5');
SELECT twin('UPDATE own_@ SET p.a = (p).a + 1, pp[2] = (0, ''new''), j = j || ''{"k": 1}'', x[2] = ''sad'', dim[1][2] = 9, d = d + 1 WHERE id % 3 = 0');
SELECT twin('UPDATE own_@ SET m = ''ok'', r = r * floatrange(0, 50), mr = mr - floatmultirange(floatrange(1, 2)), js = ''[1, 2]'' WHERE id % 4 = 0');
SELECT twin('UPDATE own_@ SET id = 7');
SELECT twin('DELETE FROM own_@ WHERE m = ''sad'' AND (p).b LIKE ''%7''');
SELECT same('SELECT * FROM own_@');
SELECT same('SELECT id FROM own_@ WHERE m > ''sad'' AND r @> 20::float8 OR j @> ''{"i": 9}''');
ALTER TYPE mood ADD VALUE 'ecstatic' AFTER 'happy';
ALTER TYPE pair ADD ATTRIBUTE c int;
SELECT twin('UPDATE own_@ SET m = ''ecstatic'', p.c = 5 WHERE id % 10 = 1');
SELECT same('SELECT * FROM own_@');
-- either table may be the one that is named
\set VERBOSITY sqlstate
ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 100);
\set VERBOSITY default
ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 1000);
SELECT same('SELECT m, count(*), max((p).a), min(lower(r)) FROM own_@ GROUP BY m');
SELECT twin('ALTER TABLE own_@ ALTER id SET GENERATED BY DEFAULT; ALTER TABLE own_@ ALTER id RESTART WITH 2000; INSERT INTO own_@ (d) VALUES (3); INSERT INTO own_@ (id) VALUES (5000)');
SELECT same('SELECT * FROM own_@ WHERE id >= 1000');
SELECT * FROM ecinsight.verify('own_c');
SELECT * FROM ecinsight.verify('big_c');
SELECT * FROM ecinsight.verify('wide_c');

DROP SCHEMA table_features_values CASCADE;
