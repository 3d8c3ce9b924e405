-- Statements of all kinds, briefly: what columnar tables once refused.
CREATE SCHEMA table_limits;
SET search_path = table_limits, public;
CREATE TABLE c (a int, b text) USING ecinsight_columnar;
CREATE TABLE h (a int PRIMARY KEY, b text);
INSERT INTO c VALUES (1, 'one'), (2, 'two');
INSERT INTO h VALUES (1, 'one'), (2, 'two');

UPDATE c SET b = 'x';
UPDATE c SET b = 'x' WHERE false;
EXPLAIN (COSTS OFF) UPDATE c SET b = 'x';
DELETE FROM c WHERE a = 1;
WITH d AS (DELETE FROM c RETURNING *) SELECT * FROM d;
MERGE INTO c USING h ON c.a = h.a WHEN MATCHED THEN UPDATE SET b = 'm' WHEN NOT MATCHED THEN INSERT VALUES (h.a, h.b);
INSERT INTO c VALUES (1, 'x') ON CONFLICT (a) DO NOTHING;
INSERT INTO c VALUES (3, 'no conflict possible') ON CONFLICT DO NOTHING;
SELECT * FROM c FOR UPDATE;
SELECT * FROM c FOR KEY SHARE;
-- other tables may be changed and locked beside it
SELECT h.a FROM h JOIN c USING (a) ORDER BY 1 FOR UPDATE OF h;
UPDATE h SET b = c.b || '!' FROM c WHERE c.a = h.a RETURNING h.*;
DELETE FROM h USING c WHERE c.a = h.a AND c.a = 2 RETURNING h.*;

SELECT * FROM c WHERE ctid = '(0,1)';
SELECT * FROM c WHERE ctid > '(0,1)' ORDER BY a;
SELECT count(xmin) > 0 AS xmin FROM c;

-- referring to others
CREATE TABLE ref (a int REFERENCES h (a)) USING ecinsight_columnar;
INSERT INTO ref VALUES (1), (NULL);
INSERT INTO ref VALUES (99);
DELETE FROM h WHERE a = 1;
INSERT INTO ref SELECT 1 FROM generate_series(1, 3000);
ALTER TABLE ref ADD CONSTRAINT again FOREIGN KEY (a) REFERENCES h (a);
CREATE TABLE refd (a int REFERENCES h (a) DEFERRABLE INITIALLY DEFERRED) USING ecinsight_columnar;
BEGIN; INSERT INTO refd VALUES (50); INSERT INTO h VALUES (50); COMMIT;
BEGIN; INSERT INTO refd VALUES (51); COMMIT;
SELECT * FROM refd;

-- triggers
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_LEVEL = 'ROW' THEN
		RAISE NOTICE '% % %: % of %', TG_WHEN, TG_OP, TG_LEVEL, NEW, (SELECT count(*) FROM trig);
		RETURN NEW;
	END IF;
	RAISE NOTICE '% % %: %', TG_WHEN, TG_OP, TG_LEVEL, (SELECT count(*) FROM trig);
	RETURN NULL;
END $$;
CREATE TABLE trig (a int, b text) USING ecinsight_columnar;
CREATE TRIGGER t1 BEFORE INSERT ON trig FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER t2 AFTER INSERT ON trig FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER t3 BEFORE INSERT ON trig FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER t4 AFTER INSERT ON trig FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO trig VALUES (1, 'one'), (2, NULL);
COPY trig FROM stdin;
3	three
4	four
\.
CREATE FUNCTION transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE NOTICE 'new rows: %', (SELECT array_agg(n.a ORDER BY n.a) FROM n); RETURN NULL; END $$;
DROP TRIGGER t1 ON trig; DROP TRIGGER t2 ON trig; DROP TRIGGER t3 ON trig; DROP TRIGGER t4 ON trig;
CREATE TRIGGER t5 AFTER INSERT ON trig REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION transition();
INSERT INTO trig SELECT i FROM generate_series(5, 8) i;
CREATE CONSTRAINT TRIGGER t6 AFTER INSERT ON trig DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
BEGIN; INSERT INTO trig VALUES (9, 'late'); SAVEPOINT s; INSERT INTO trig VALUES (10, 'undone'); ROLLBACK TO s; INSERT INTO trig VALUES (11, 'later'); COMMIT;

TABLE c; SELECT * FROM ecinsight.verify('c');
SET client_min_messages = warning;
DROP SCHEMA table_limits CASCADE;
