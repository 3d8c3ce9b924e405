-- Every built-in kind of column gives back what a heap table would.
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE SCHEMA table_types;
SET search_path = table_types, public;

CREATE FUNCTION differences(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
		UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
	RETURN n;
END $$;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN shorttext AS varchar(20);
CREATE DOMAIN pairdomain AS pair;

CREATE TABLE h (
	id int,
	c_bool bool, c_char "char", c_int2 int2, c_int4 int4, c_int8 int8, c_oid oid, c_regclass regclass,
	c_float4 float4, c_float8 float8, c_money money,
	c_num numeric, c_num2 numeric(10,2), c_num18 numeric(18,0), c_num18s numeric(18,18), c_num30 numeric(30,5), c_numneg numeric(5,-2),
	c_text text, c_varchar varchar(30), c_bpchar char(10), c_name name, c_bytea bytea, c_unknown text COLLATE "C",
	c_date date, c_time time, c_timetz timetz, c_ts timestamp, c_tstz timestamptz, c_ts0 timestamp(0), c_interval interval,
	c_uuid uuid, c_json json, c_jsonb jsonb, c_inet inet, c_cidr cidr, c_macaddr macaddr, c_macaddr8 macaddr8,
	c_bit bit(5), c_varbit varbit, c_point point, c_line line, c_lseg lseg, c_box box, c_path path, c_polygon polygon, c_circle circle,
	c_int4range int4range, c_tstzrange tstzrange, c_multirange int4multirange, c_tsvector tsvector, c_tsquery tsquery,
	c_pg_lsn pg_lsn, c_xid8 xid8, c_tid tid,
	c_enum mood, c_pair pair, c_positive positive, c_shorttext shorttext, c_pairdomain pairdomain,
	c_ints int[], c_texts text[], c_matrix int[][], c_enums mood[], c_pairs pair[], c_nums numeric(6,3)[]
);
INSERT INTO h (id) VALUES (0);
INSERT INTO h VALUES (1,
	true, 'x', 1, 2, 3, 4, 'pg_class', 1.5, 2.5, 12.34,
	123.456, 1.50, 123456789012345678, 0.123456789012345678, 1234567890123456789012345.12345, 12300,
	'text', 'varchar', 'bpchar', 'name', '\x0001ff', 'c',
	'2020-02-29', '12:34:56.789', '12:34:56+05', '2020-02-29 12:34:56.789', '2020-02-29 12:34:56.789+00', '2020-02-29 12:34:57', '1 year 2 mons 3 days 04:05:06.789',
	'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, 2, {"b":null}]}', '{"a": [1, 2, {"b":null}]}', '192.168.1.5/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
	'10101', '110011', '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1,2),3>',
	'[1,10)', '[2020-01-01,2021-01-01)', '{[1,3),[5,9)}', 'a fat cat', 'fat & cat',
	'16/B374D848', '1234567890123', '(7,8)',
	'happy', '(1,x)', 5, 'dom', '(2,y)',
	'{1,NULL,3}', '{a,"b c",NULL}', '{{1,2},{3,4}}', '{sad,happy}', '{"(1,a)","(2,b)"}', '{1.5,2.125}');
-- extremes and specials
INSERT INTO h VALUES (2,
	false, '', -32768, -2147483648, -9223372036854775808, 4294967295, 0, '-Infinity', '-Infinity', '-92233720368547758.08',
	'NaN', 'NaN', -999999999999999999, -0.999999999999999999, 'NaN', -12300,
	'', '', '', '', '', '',
	'-infinity', '00:00', '00:00+14', '-infinity', '-infinity', '-infinity', '-178000000 years',
	'00000000-0000-0000-0000-000000000000', 'null', 'null', '::/0', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00',
	'00000', '', '(-0,0)', '{0,1,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '[(0,0)]', '((0,0))', '<(0,0),0>',
	'empty', '(,)', '{}', '', '',
	'0/0', '0', '(0,0)',
	'sad', '(,)', 1, '', NULL,
	'{}', '{}', '{}', '{}', '{}', '{NaN}');
INSERT INTO h VALUES (3,
	NULL, '\377', 32767, 2147483647, 9223372036854775807, 0, 'h', 'NaN', 'NaN', '92233720368547758.07',
	'Infinity', -99999999.99, 999999999999999999, 0, -0.00001, 0,
	repeat('long text ', 2000), 'Ünïcödé ☃', 'padded    ', 'n', decode(repeat('00ff', 5000), 'hex'), E'tab\tand\nnewline',
	'infinity', '24:00', '23:59:59.999999-14', 'infinity', 'infinity', '294276-12-31 23:59:59', '178000000 years',
	'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '{}', '255.255.255.255', '255.255.255.255', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff',
	'11111', repeat('10', 4000)::varbit, '(Infinity,NaN)', '{1,-1,0}', '[(1e300,1),(1,1e-300)]', '(1e10,1),(0,-1e10)', '((0,0),(1,1),(2,0))', '((0,0),(1,1),(2,0),(3,3))', '<(1,2),1e20>',
	'(,10)', '[,infinity]', '{(,)}', NULL, NULL,
	'FFFFFFFF/FFFFFFFF', '18446744073709551615', '(4294967295,65535)',
	'ok', ROW(2147483647, repeat('p', 3000)), 2147483647, 'twenty characters ab', ROW(NULL, 'only b')::pair,
	(SELECT array_agg(i) FROM generate_series(1, 3000) i), ARRAY[repeat('t', 5000)], '[2:3][-1:0]={{1,2},{3,4}}', '{ok}', NULL, NULL);
INSERT INTO h (id, c_num, c_float8, c_float4, c_num2)
	SELECT 100 + i, v::numeric, v::float8, v::float4, round(v::numeric, 2)
	FROM unnest('{0,-0,0.0,1e-30,-1e-30,1.10,1.100,12345678.9,-0.005,99999999.99,0.01}'::text[]) WITH ORDINALITY u(v, i);

CREATE TABLE c (LIKE h) USING ecinsight_columnar;
INSERT INTO c SELECT * FROM h;
SELECT differences('h', 'c') AS few_rows;
SELECT count(*) AS rows, count(DISTINCT form) AS forms, bool_and(is_inline) FROM ecinsight.row_groups('c');
SELECT * FROM ecinsight.verify('c');

-- enough rows for encoded column chunks, values repeated and NULLs between
TRUNCATE c;
INSERT INTO h SELECT (jsonb_populate_record(NULL::h, '{}')).* FROM generate_series(1, 10);
CREATE TABLE h2 AS SELECT h.* FROM h, generate_series(1, 40) g;
INSERT INTO c SELECT * FROM h2;
SELECT differences('h2', 'c') AS encoded;
SELECT sum(rows) AS rows, min(form) AS form FROM ecinsight.row_groups('c');
SELECT * FROM ecinsight.verify('c');

-- from columnar to columnar, to heap, and by COPY
CREATE TABLE c2 USING ecinsight_columnar AS SELECT * FROM c;
SELECT differences('h2', 'c2') AS ctas;
CREATE TABLE h3 (LIKE h);
INSERT INTO h3 SELECT * FROM c2;
SELECT differences('h2', 'h3') AS back;

-- float zeros keep their sign, as in a heap
SELECT id, c_float8, c_float4 FROM c WHERE id IN (102, 103) GROUP BY 1, 2, 3 ORDER BY 1;
-- distinct values of each column
SELECT count(DISTINCT c_num2), count(DISTINCT c_text), count(DISTINCT c_enum), min(c_tstz), max(c_tstz), sum(c_num18) FROM c;
SELECT count(DISTINCT c_num2), count(DISTINCT c_text), count(DISTINCT c_enum), min(c_tstz), max(c_tstz), sum(c_num18) FROM h2;

DROP SCHEMA table_types CASCADE;
