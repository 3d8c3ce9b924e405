-- CLUSTER with rows that this transaction has changed, compacted and locked: all in the order of the index.
CREATE TABLE clustered (id int PRIMARY KEY, k int, v text) USING ecinsight_columnar;
CREATE INDEX clustered_k ON clustered (k);
CREATE FUNCTION disorder(OUT rows bigint, OUT disorder bigint) LANGUAGE plpgsql
SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = off SET max_parallel_workers_per_gather = 0 AS $$
BEGIN
	SELECT count(*), count(*) FILTER (WHERE k < before) INTO rows, disorder FROM (SELECT k, lag(k) OVER () AS before FROM clustered) AS x;
END $$;
INSERT INTO clustered SELECT g, g * 7919 % 1009, 'bulk' FROM generate_series(1, 1000) g;

BEGIN;
UPDATE clustered SET k = k + 1 WHERE id % 30 = 0;
SELECT count(*) >= 0 AS compacted FROM ecinsight.compact('clustered');
SELECT count(*) FROM (SELECT 1 FROM clustered WHERE id % 34 = 11 FOR KEY SHARE) AS x;
SAVEPOINT a;
DELETE FROM clustered WHERE id % 50 = 1;
INSERT INTO clustered VALUES (2001, 500, 'gone');
ROLLBACK TO a;
DELETE FROM clustered WHERE id % 50 = 2;
INSERT INTO clustered VALUES (2002, 500, 'few'), (2003, -1, 'few');
INSERT INTO clustered SELECT g, g % 1000, 'more' FROM generate_series(3001, 3200) g;
CLUSTER clustered USING clustered_k;
SELECT * FROM disorder();
UPDATE clustered SET v = 'again' WHERE id IN (11, 2002, 3001);
CLUSTER clustered;
SELECT * FROM disorder();
COMMIT;
SELECT * FROM disorder();
SELECT id, k, v FROM clustered WHERE id IN (11, 30, 51, 52, 2001, 2002, 2003, 3001) ORDER BY id;
SELECT count(*), count(DISTINCT id) FROM clustered;
SELECT * FROM ecinsight.verify('clustered');

-- and rows that many commands of this transaction have gathered
BEGIN;
TRUNCATE clustered;
CREATE FUNCTION seen() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM clustered';
DO $$BEGIN FOR i IN 1 .. 300 LOOP INSERT INTO clustered VALUES (i, 1000 - i, 'gathered'); END LOOP; END$$;
CLUSTER clustered USING clustered_k;
SELECT seen(), rows, disorder FROM disorder();
COMMIT;
SELECT * FROM disorder();
DROP TABLE clustered;
DROP FUNCTION disorder, seen;
