-- Partitions and inheritance, columnar ones beside heap ones.
SET client_min_messages = warning;
CREATE SCHEMA table_features_partitions;
SET search_path = table_features_partitions;
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
-- m_c mixes both kinds of partitions
SELECT twin('CREATE TABLE m_@ (id int, k text, v int DEFAULT 1, PRIMARY KEY (id, k)) PARTITION BY LIST (k)');
CREATE TABLE m_h_a PARTITION OF m_h FOR VALUES IN ('a');
CREATE TABLE m_h_b PARTITION OF m_h FOR VALUES IN ('b');
CREATE TABLE m_h_c PARTITION OF m_h FOR VALUES IN ('c') PARTITION BY RANGE (id);
CREATE TABLE m_h_c1 PARTITION OF m_h_c FOR VALUES FROM (0) TO (1000);
CREATE TABLE m_h_c2 PARTITION OF m_h_c FOR VALUES FROM (1000) TO (MAXVALUE);
CREATE TABLE m_c_a PARTITION OF m_c FOR VALUES IN ('a') USING ecinsight_columnar;
CREATE TABLE m_c_b PARTITION OF m_c FOR VALUES IN ('b');
CREATE TABLE m_c_c PARTITION OF m_c FOR VALUES IN ('c') PARTITION BY RANGE (id);
CREATE TABLE m_c_c1 PARTITION OF m_c_c FOR VALUES FROM (0) TO (1000) USING ecinsight_columnar;
CREATE TABLE m_c_c2 PARTITION OF m_c_c FOR VALUES FROM (1000) TO (MAXVALUE) USING ecinsight_columnar;
SELECT twin('INSERT INTO m_@ SELECT i, chr(97 + i % 3), i FROM generate_series(1, 3000) i');
SELECT twin('INSERT INTO m_@ VALUES (5000, ''a'', 1), (5001, ''b'', 2), (5002, ''c'', 3)');
SELECT twin('INSERT INTO m_@ VALUES (5003, ''z'', 1)');
SELECT twin('INSERT INTO m_@ VALUES (5000, ''a'', 1)');
SELECT same('SELECT * FROM m_@');
SELECT same('SELECT replace(tableoid::regclass::text, ''m_@'', ''m''), count(*), sum(v) FROM m_@ GROUP BY 1');

-- rows that move between partitions
SELECT twin('UPDATE m_@ SET k = ''b'' WHERE k = ''a'' AND id % 4 = 0');
SELECT twin('UPDATE m_@ SET k = ''a'' WHERE k = ''b'' AND id % 10 = 0');
SELECT twin('UPDATE m_@ SET k = ''c'', v = -v WHERE id % 9 = 0');
SELECT twin('UPDATE m_@ SET id = id + 10000 WHERE k = ''c'' AND id % 17 = 0');
SELECT twin('UPDATE m_@ SET k = ''z'' WHERE id = 7');
SELECT twin('DELETE FROM m_@ WHERE id % 13 = 0');
SELECT twin('INSERT INTO m_@ SELECT id, k, 0 FROM m_@ WHERE id % 2 = 0 ON CONFLICT (id, k) DO UPDATE SET v = m_@.v + 1000');
SELECT twin('INSERT INTO m_@ SELECT id, k, 0 FROM m_@ ON CONFLICT DO NOTHING');
SELECT twin('MERGE INTO m_@ USING (SELECT i, chr(97 + i % 3) AS k FROM generate_series(1, 4000, 7) i) s ON m_@.id = s.i AND m_@.k = s.k
	WHEN MATCHED AND i % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 77 WHEN NOT MATCHED THEN INSERT VALUES (s.i, s.k, 88)');
SELECT same('SELECT * FROM m_@');
SELECT same('SELECT replace(tableoid::regclass::text, ''m_@'', ''m''), count(*), sum(v) FROM m_@ GROUP BY 1');
SELECT same('SELECT * FROM m_@ WHERE id = 5001');

-- attach and detach
SELECT twin('CREATE TABLE d_@ (v int, k text NOT NULL, id int NOT NULL) USING @am');
SELECT twin('INSERT INTO d_@ SELECT i, ''d'', i FROM generate_series(1, 500) i; UPDATE d_@ SET v = 0 WHERE id % 3 = 0; DELETE FROM d_@ WHERE id % 5 = 0');
SELECT twin('ALTER TABLE m_@ ATTACH PARTITION d_@ FOR VALUES IN (''e'')');
SELECT twin('ALTER TABLE m_@ ATTACH PARTITION d_@ FOR VALUES IN (''d'')');
SELECT twin('UPDATE m_@ SET k = ''d'' WHERE k = ''a'' AND id BETWEEN 600 AND 700');
SELECT same('SELECT * FROM m_@');
SELECT twin('ALTER TABLE m_@ DETACH PARTITION d_@');
SELECT same('SELECT * FROM d_@');
SELECT same('SELECT * FROM m_@');
ALTER TABLE m_h DETACH PARTITION m_h_a CONCURRENTLY;
ALTER TABLE m_c DETACH PARTITION m_c_a CONCURRENTLY;
SELECT same('SELECT * FROM m_@_a');
SELECT twin('ALTER TABLE m_@ ADD COLUMN w int DEFAULT 3');
SELECT twin('UPDATE m_@ SET w = w + 1 WHERE id % 2 = 1');
SELECT same('SELECT * FROM m_@');
SELECT twin('TRUNCATE m_@_c');
SELECT same('SELECT * FROM m_@');

-- a default partition, and triggers for each row
SELECT twin('CREATE TABLE m_@_z PARTITION OF m_@ DEFAULT USING @am');
SELECT twin('CREATE TABLE log_@ (op text, old text, new text) USING @am');
SELECT twin('CREATE FUNCTION note_@() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN INSERT INTO log_@ VALUES (tg_op, old::text, new::text); RETURN NULL; END''');
SELECT twin('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON m_@ FOR EACH ROW EXECUTE FUNCTION note_@()');
SELECT twin('INSERT INTO m_@ SELECT i, ''z'' FROM generate_series(1, 200) i; UPDATE m_@ SET k = ''b'', id = id + 20000 WHERE k = ''z'' AND id % 10 = 0; DELETE FROM m_@ WHERE id < 50');
SELECT same('SELECT * FROM m_@');
SELECT same('SELECT * FROM log_@');

-- inheritance
SELECT twin('CREATE TABLE base_@ (a int, b text) USING @am');
SELECT twin('CREATE TABLE one_@ (c int) INHERITS (base_@) USING @am');
CREATE TABLE two_h (d int) INHERITS (base_h);
CREATE TABLE two_c (d int) INHERITS (base_c);
SELECT twin('INSERT INTO base_@ SELECT i, ''base'' FROM generate_series(1, 100) i; INSERT INTO one_@ SELECT i, ''one'', i FROM generate_series(1, 2000) i; INSERT INTO two_@ SELECT i, ''two'', i FROM generate_series(1, 50) i');
SELECT twin('UPDATE base_@ SET b = b || a WHERE a % 3 = 0');
SELECT twin('DELETE FROM ONLY base_@ WHERE a % 7 = 0');
SELECT twin('DELETE FROM base_@ WHERE a % 11 = 0');
SELECT twin('ALTER TABLE base_@ ADD COLUMN e int DEFAULT 8');
SELECT twin('UPDATE base_@ SET e = o.a FROM one_@ o WHERE base_@.a = o.a AND o.c % 5 = 0');
SELECT same('SELECT * FROM base_@');
SELECT same('SELECT * FROM one_@');
SELECT same('SELECT replace(tableoid::regclass::text, ''_@'', ''''), a, b FROM base_@');
SELECT twin('ALTER TABLE one_@ NO INHERIT base_@; ALTER TABLE base_@ DROP COLUMN b');
SELECT same('SELECT * FROM base_@');
SELECT same('SELECT * FROM one_@');
SELECT * FROM ecinsight.verify('one_c');
SELECT * FROM ecinsight.verify('m_c_c1');

DROP SCHEMA table_features_partitions CASCADE;
