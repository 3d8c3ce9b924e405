-- Column chunks of every shape come back as they went in, with every codec, at block and group borders.
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE SCHEMA encoding_roundtrip;
SET search_path = encoding_roundtrip, public;
CREATE TABLE h (
	id int, same int, nothing text, step bigint, slow bigint, jump bigint, random_int int, wide bigint, few int, runs int, flag bool,
	t timestamptz, t_irregular timestamptz, day date, price numeric(10,2), price_nan numeric(12,4), ratio float8, single float4,
	dict text, words text, longer text, uuid uuid, uuid_text text, uuid_mixed text, few_uuids uuid, empty text, code char(3), bytes bytea, arr int[], js jsonb
);
INSERT INTO h SELECT i, 7, NULL, i * 1000000007::bigint, i / 100, CASE WHEN i % 10000 = 0 THEN 9223372036854775807 ELSE i END, hashint4(i), hashint8extended(i, 1), i % 3, i / 777, i % 17 = 0,
	'2019-10-01'::timestamptz + i * '1 s'::interval, '2019-10-01'::timestamptz + (i + hashint4(i) % 100) * '1.000001 s'::interval, '2019-10-01'::date + i / 500,
	(hashint4(i) & 262143) / 100.0, CASE WHEN i % 100 = 0 THEN 'NaN' ELSE (i % 1000) / 8.0 END, CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN -0.0 ELSE sin(i) END, i / 3.0,
	'category.' || i % 130, 'word ' || (hashint4(i) & 65535) || ' and more', md5(i::text) || CASE WHEN i % 1000 = 0 THEN repeat('x', 9000) ELSE '' END,
	md5(i::text)::uuid, (md5((i / 5)::text)::uuid)::text, CASE WHEN i = 30000 THEN 'not a uuid' ELSE (md5(i::text)::uuid)::text END, md5((i % 40)::text)::uuid,
	'', lpad((i % 1000)::text, 3, '0'), decode(md5(i::text), 'hex'), ARRAY[i, i % 7], jsonb_build_object('a', i % 100)
	FROM generate_series(1, 40000) i;
-- NULLs: rare, many, in runs, and whole blocks of them
UPDATE h SET same = NULL, slow = NULL, t = NULL, price = NULL, dict = NULL, uuid = NULL WHERE id % 1000 = 1;
UPDATE h SET few = NULL, runs = NULL, words = NULL, uuid_text = NULL, js = NULL WHERE id % 3 > 0;
UPDATE h SET step = NULL, day = NULL, longer = NULL, few_uuids = NULL, ratio = NULL WHERE id / 5000 % 2 = 1;
UPDATE h SET jump = NULL, wide = NULL, code = NULL, bytes = NULL, price_nan = NULL WHERE id BETWEEN 16385 AND 32768;

CREATE FUNCTION digest(t regclass, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; BEGIN
	EXECUTE format('SELECT count(*) || '' '' || md5(string_agg(x::text, chr(10) ORDER BY id)) FROM %s x WHERE id <= %s', t, n) INTO r; RETURN r; END $$;
CREATE FUNCTION trial(codec text, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; damage bigint;
BEGIN
	PERFORM set_config('ecinsight.compression', codec, true);
	CREATE TABLE c (LIKE h) USING ecinsight_columnar;
	EXECUTE format('INSERT INTO c SELECT * FROM h WHERE id <= %s ORDER BY id', n);
	result := CASE WHEN digest('c', n) = digest('h', n) THEN 'equal' ELSE 'different' END;
	SELECT count(*) INTO damage FROM ecinsight.verify('c');
	DROP TABLE c;
	RETURN result || CASE WHEN damage > 0 THEN ', damaged' ELSE '' END;
END $$;
SELECT codec, n, trial(codec, n) FROM unnest('{none,lz4,zstd}'::text[]) codec, unnest('{1,2,63,64,65,600,16383,16384,16385,32769,40000}'::int[]) n
	WHERE n <= 600 OR n = 40000 OR codec = 'zstd' ORDER BY 1, 2;

-- what is skipped by zones is what should be: bounds that lie between, at and beyond values
SET ecinsight.row_group_rows = 20000;
CREATE TABLE c (LIKE h) USING ecinsight_columnar;
INSERT INTO c SELECT * FROM h ORDER BY id;
CREATE FUNCTION compare(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text; b text; BEGIN
	EXECUTE 'SELECT (count(*), sum(id))::text FROM h WHERE ' || condition INTO a;
	EXECUTE 'SELECT (count(*), sum(id))::text FROM c WHERE ' || condition INTO b;
	RETURN CASE WHEN a = b THEN 'equal' ELSE a || ' but ' || b END; END $$;
SELECT condition, compare(condition) FROM unnest(ARRAY[
	'id = 1', 'id = 20000', 'id = 20001', 'id > 39999', 'id < 1', 'same = 7', 'same <> 7', 'same IS NULL', 'step >= 16384 * 1000000007::bigint', 'jump = 9223372036854775807',
	't < ''2019-10-01 00:10''', 't BETWEEN ''2019-10-01 05:00'' AND ''2019-10-01 05:01''', 't = ''infinity''', 'day = ''2019-10-11''', 'price = 26.21', 'price > 2621.42', 'price < 0.005',
	'price_nan = ''NaN''', 'price_nan > 124', 'ratio = ''NaN''', 'ratio > 0.9999', 'ratio < 0', 'ratio = 0', 'single < 1', 'dict = ''category.7''', 'dict > ''category.98''', 'dict IS NULL', 'dict = ''''',
	'words LIKE ''word 1%''', 'longer < ''0001''', 'uuid = md5(''5'')::uuid', 'uuid < ''00100000-0000-0000-0000-000000000000''', 'uuid_text = md5(''5'')::uuid::text', 'uuid_mixed = ''not a uuid''', 'few_uuids = md5(''3'')::uuid',
	'empty = ''''', 'empty > ''''', 'code = ''007''', 'flag', 'NOT flag', 'nothing IS NULL', 'nothing = ''x''', 'wide < 0', 'id IN (5, 25000, 50000)', 'id = ANY (ARRAY[NULL, 3])']) condition;
DROP SCHEMA encoding_roundtrip CASCADE;
