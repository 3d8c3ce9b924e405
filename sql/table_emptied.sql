-- A table without rows gives its whole file back.  Its row numbers go on where they were: indexes may have entries left.
SET client_min_messages = warning;
CREATE TEMP TABLE e (id int PRIMARY KEY, t text) USING ecinsight_columnar;
INSERT INTO e VALUES (1, 'a');
INSERT INTO e VALUES (2, 'b');
BEGIN; INSERT INTO e VALUES (3, 'c'); ROLLBACK;
SELECT max(ctid) AS last FROM e \gset
VACUUM e;
SELECT pg_relation_size('e') > 0 AS has_pages;
DELETE FROM e;
VACUUM (TRUNCATE off) e;
SELECT pg_relation_size('e') > 0 AS has_pages;
VACUUM e;
SELECT pg_relation_size('e'), count(*) FROM e;
SELECT * FROM ecinsight.verify('e');
VACUUM e;
INSERT INTO e VALUES (3, 'c');
SELECT ctid > :'last' AS another FROM e;
-- entries of rows that are gone lead to no other row
SET enable_seqscan = off;
DELETE FROM e;
INSERT INTO e SELECT i, 'old' FROM generate_series(1, 200) i;
DELETE FROM e;
VACUUM (INDEX_CLEANUP off) e;
VACUUM (INDEX_CLEANUP off) e;
SELECT pg_relation_size('e');
INSERT INTO e SELECT i, 'new' FROM generate_series(1001, 1300) i;
SELECT count(*) FILTER (WHERE id <= 200) AS old, count(*) FILTER (WHERE id > 1000) AS new FROM e;
SELECT * FROM e WHERE id IN (1, 7, 200);
INSERT INTO e VALUES (7, 'again') ON CONFLICT DO NOTHING;
SELECT * FROM e WHERE id IN (1, 7, 200);
SELECT * FROM ecinsight.verify('e');
-- row groups in pages, twice; rolled back; in a subtransaction
DELETE FROM e; VACUUM e;
INSERT INTO e SELECT i, md5(i::text) FROM generate_series(1, 100000) i;
DELETE FROM e; VACUUM e;
SELECT pg_relation_size('e');
BEGIN; INSERT INTO e SELECT i, md5(i::text) FROM generate_series(1, 100000) i; ROLLBACK;
VACUUM e;
SELECT pg_relation_size('e');
BEGIN; SAVEPOINT s; INSERT INTO e VALUES (1, 'x'); ROLLBACK TO s; INSERT INTO e VALUES (1, 'y'); COMMIT;
COPY e FROM stdin;
2	z
\.
SELECT * FROM e ORDER BY id;
SELECT * FROM ecinsight.verify('e');
-- what else happens to a table in that state
DELETE FROM e; VACUUM e;
SELECT pg_relation_size('e');
REINDEX TABLE e;
CREATE INDEX ON e (t);
ANALYZE e;
SELECT ecinsight.compact('e');
SELECT FROM e TABLESAMPLE system (100);
SELECT FROM e WHERE ctid > '(0,0)';
ALTER TABLE e ADD COLUMN n int DEFAULT 5;
INSERT INTO e VALUES (1, 'x');
SELECT * FROM e WHERE t = 'x';
DELETE FROM e; VACUUM e;
ALTER TABLE e ALTER COLUMN n TYPE text;
INSERT INTO e VALUES (1, 'x');
DELETE FROM e; VACUUM e; VACUUM FULL e;
INSERT INTO e VALUES (2, 'x');
DELETE FROM e; VACUUM e; TRUNCATE e;
INSERT INTO e VALUES (3, 'x');
DELETE FROM e; VACUUM e; CLUSTER e USING e_pkey;
INSERT INTO e VALUES (4, 'x');
SELECT * FROM e;
SELECT * FROM ecinsight.verify('e');
-- its file is copied, and that rolled back
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE table_emptied_space LOCATION '';
CREATE TABLE p (id int PRIMARY KEY) USING ecinsight_columnar;
INSERT INTO p SELECT generate_series(1, 100);
DELETE FROM p; VACUUM p;
BEGIN; ALTER TABLE p SET TABLESPACE table_emptied_space; INSERT INTO p VALUES (101), (102); ROLLBACK;
INSERT INTO p VALUES (201);
SELECT * FROM p WHERE id < 200;
SELECT * FROM p;
ALTER TABLE p SET TABLESPACE table_emptied_space;
SELECT * FROM ecinsight.verify('p');
DROP TABLE p;
DROP TABLESPACE table_emptied_space;
