-- Rows that a function has gathered, and its exception blocks that alter or empty the table: as in a heap.
CREATE FUNCTION twins(body text) RETURNS TABLE (same boolean, heap text) LANGUAGE plpgsql AS $$
DECLARE columnar text;
BEGIN
	CREATE TABLE t (id int PRIMARY KEY, v text) USING heap;
	EXECUTE body;
	SELECT array_agg(t ORDER BY id)::text INTO heap FROM t WHERE id % 25 = 0;
	SELECT heap || count(*) || ' ' || sum(id) INTO heap FROM t;
	DROP TABLE t;
	CREATE TABLE t (id int PRIMARY KEY, v text) USING ecinsight_columnar;
	EXECUTE body;
	SELECT array_agg(t ORDER BY id)::text INTO columnar FROM t WHERE id % 25 = 0;
	SELECT columnar || count(*) || ' ' || sum(id) INTO columnar FROM t;
	PERFORM FROM ecinsight.verify('t');
	IF FOUND THEN
		RAISE 'damaged';
	END IF;
	DROP TABLE t;
	same := heap = columnar;
	RETURN NEXT;
END $$;

-- ddl: what the block does; then it ends well, or not, or within another one that doesn't.
CREATE FUNCTION blocks(ddl text, low int, high int) RETURNS text LANGUAGE sql AS $$
	SELECT format('DO $do$ BEGIN
		FOR i IN %2$s .. %3$s LOOP INSERT INTO t VALUES (i, i); END LOOP;
		BEGIN %1$s; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
		FOR i IN %2$s + 200 .. %3$s + 200 LOOP INSERT INTO t VALUES (i, i); END LOOP;
		BEGIN
			BEGIN %1$s; EXCEPTION WHEN division_by_zero THEN NULL; END;
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL; END;
		FOR i IN %2$s + 400 .. %3$s + 400 LOOP INSERT INTO t VALUES (i, i); END LOOP;
		BEGIN
			INSERT INTO t VALUES (0, 0);
			BEGIN %1$s; EXCEPTION WHEN division_by_zero THEN NULL; END;
		EXCEPTION WHEN division_by_zero THEN NULL; END;
		FOR i IN %2$s + 600 .. %3$s + 600 LOOP INSERT INTO t VALUES (i, i); END LOOP;
	END $do$', ddl, low, high)
$$;
SELECT same, right(heap, 20) AS heap, statement
FROM (VALUES ('TRUNCATE t'), ('ALTER TABLE t ADD COLUMN IF NOT EXISTS c int DEFAULT 5'), ('ALTER TABLE t ALTER v TYPE varchar(10)'),
		('ALTER TABLE t ALTER id TYPE numeric'), ('DELETE FROM t WHERE id % 50 = 0; TRUNCATE t; INSERT INTO t VALUES (100000, 1)'),
		('CREATE INDEX IF NOT EXISTS t_v ON t (v)'), ('CLUSTER t USING t_pkey'), ('ALTER TABLE t ALTER v SET DEFAULT 1')) AS d (statement),
	twins(blocks(statement, 1, 190));
-- so few that they don't make a row group
SELECT same, right(heap, 20) AS heap, statement
FROM (VALUES ('TRUNCATE t'), ('ALTER TABLE t ALTER id TYPE numeric')) AS d (statement), twins(blocks(statement, 1, 80));
-- the table is dropped, or not
SELECT * FROM twins($$ DO $do$ BEGIN
	FOR i IN 1 .. 200 LOOP INSERT INTO t VALUES (i, i); END LOOP;
	BEGIN DROP TABLE t; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
	FOR i IN 201 .. 300 LOOP INSERT INTO t VALUES (i, i); END LOOP;
	BEGIN DROP TABLE t; EXCEPTION WHEN division_by_zero THEN NULL; END;
	CREATE TABLE t (id int, v text) USING ecinsight_columnar;
	INSERT INTO t VALUES (25, 1);
END $do$ $$);

-- An index scan that goes on while the rows gathered before it become tuples.
CREATE TABLE gathered (id int PRIMARY KEY, v int) USING ecinsight_columnar;
CREATE FUNCTION scan() RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off
	SET ecinsight.enable_columnar_scan = off AS $$
DECLARE
	r record;
	n int := 0;
	total bigint;
BEGIN
	FOR i IN 1 .. 64 LOOP INSERT INTO gathered VALUES (i, 1); END LOOP;
	INSERT INTO gathered SELECT i, 2 FROM generate_series(100, 1000) i;
	FOR i IN 1001 .. 1150 LOOP INSERT INTO gathered VALUES (i, 3); END LOOP;
	PERFORM count(*) FROM gathered WHERE v > 0;
	FOR i IN 1151 .. 1170 LOOP INSERT INTO gathered VALUES (i, 3); END LOOP;
	FOR r IN SELECT * FROM gathered WHERE id > 900 ORDER BY id LOOP
		n := n + 1;
		IF n = 1 THEN
			SELECT count(*) INTO total FROM gathered WHERE v > 0;
		END IF;
	END LOOP;
	RETURN format('%s of 270, %s of 1135', n, total);
END $$;
SELECT scan();

-- Rows that are deleted while they are gathered are gone for index scans, locks and unique keys, until that is rolled back.
SET enable_seqscan = off;
SET ecinsight.enable_columnar_scan = off;
SELECT same, heap FROM twins($$ DO $do$ BEGIN
	CREATE TEMP TABLE seen (id int, v text);
	FOR i IN 1 .. 200 LOOP INSERT INTO t VALUES (i, i); END LOOP;
	BEGIN
		DELETE FROM t WHERE id IN (100, 101);
		UPDATE t SET v = 'new' WHERE id IN (102, 103);
		INSERT INTO seen SELECT * FROM t WHERE id BETWEEN 99 AND 104;
		INSERT INTO t VALUES (101, 'again') ON CONFLICT (id) DO UPDATE SET v = 'conflict';
		PERFORM FROM t WHERE id BETWEEN 99 AND 104 FOR UPDATE;
		BEGIN DELETE FROM t WHERE id = 150; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
		INSERT INTO seen SELECT * FROM t WHERE id = 150;
	EXCEPTION WHEN division_by_zero THEN NULL; END;
	BEGIN DELETE FROM t WHERE id IN (99, 101, 102, 104); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
	UPDATE t SET v = v || ' last' WHERE id BETWEEN 95 AND 110;
	INSERT INTO seen SELECT * FROM t WHERE id BETWEEN 99 AND 104;
	DELETE FROM t;
	INSERT INTO t SELECT row_number() OVER (ORDER BY id, v) * 25, id || v FROM seen;
	DROP TABLE seen;
END $do$ $$);
-- The same with so few that they become row tuples, whose keys are used again.
SELECT same, heap FROM twins($$ DO $do$ BEGIN
	FOR i IN 1 .. 90 LOOP INSERT INTO t VALUES (i, i); END LOOP;
	BEGIN
		DELETE FROM t WHERE id IN (70, 71);
		UPDATE t SET v = 'new' WHERE id IN (72, 75);
		UPDATE t SET id = 7777 WHERE id = 73;
	EXCEPTION WHEN division_by_zero THEN NULL; END;
	PERFORM FROM t WHERE v::text > '';
	INSERT INTO t VALUES (70, 'again');
	INSERT INTO t VALUES (71, 'again') ON CONFLICT (id) DO UPDATE SET v = 'conflict';
	INSERT INTO t VALUES (73, 'again') ON CONFLICT DO NOTHING;
	UPDATE t SET v = v || ' last' WHERE id = 75;
	UPDATE t SET id = id * 25 + 1000000;
END $do$ $$);
-- The file is replaced, by a new one or by a copy, while rows' numbers are reserved: nothing of that stays.
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE table_gather_space LOCATION '';
CREATE TABLE reserved (id int PRIMARY KEY, v int) USING ecinsight_columnar;
CREATE PROCEDURE insert_beside(ddl text, back bool) LANGUAGE plpgsql AS $$
DECLARE
	next int := coalesce(max(id), 0) FROM reserved;
BEGIN
	COMMIT;
	FOR i IN 1 .. 80 LOOP INSERT INTO reserved VALUES (next + i, i); END LOOP;
	BEGIN
		EXECUTE ddl;
		FOR i IN 81 .. 100 LOOP INSERT INTO reserved VALUES (next + i, i); END LOOP;
		IF back THEN RAISE division_by_zero; END IF;
	EXCEPTION WHEN division_by_zero THEN NULL; END;
	FOR i IN 101 .. 180 LOOP INSERT INTO reserved VALUES (next + i, i); END LOOP;
END $$;
CALL insert_beside('CLUSTER reserved USING reserved_pkey', false);
SELECT count(*), count(DISTINCT id) FROM reserved;
SELECT * FROM ecinsight.verify('reserved');
CALL insert_beside('CLUSTER reserved USING reserved_pkey', true);
SELECT count(*), count(DISTINCT id) FROM reserved;
SELECT * FROM ecinsight.verify('reserved');
CALL insert_beside('ALTER TABLE reserved SET TABLESPACE table_gather_space', false);
SELECT count(*), count(DISTINCT id) FROM reserved;
SELECT * FROM ecinsight.verify('reserved');
CALL insert_beside('ALTER TABLE reserved SET TABLESPACE pg_default', true);
SELECT count(*), count(DISTINCT id) FROM reserved;
SELECT * FROM ecinsight.verify('reserved');
CALL insert_beside('TRUNCATE reserved', true);
SELECT count(*), count(DISTINCT id) FROM reserved;
SELECT * FROM ecinsight.verify('reserved');
CALL insert_beside('TRUNCATE reserved', false);
SELECT count(*), count(DISTINCT id) FROM reserved;
SELECT * FROM ecinsight.verify('reserved');
CALL insert_beside('ALTER TABLE reserved ALTER v TYPE bigint', false);
SELECT count(*), count(DISTINCT id) FROM reserved;
SELECT * FROM ecinsight.verify('reserved');
DROP TABLE reserved;
DROP PROCEDURE insert_beside;
DROP TABLESPACE table_gather_space;
RESET enable_seqscan;
RESET ecinsight.enable_columnar_scan;
DROP TABLE gathered;
DROP FUNCTION scan, twins, blocks;
