-- A row's header is there once, whatever becomes of the transaction that compacts and changes: REINDEX of the companion finds no duplicates.
SET client_min_messages = warning;
CREATE TABLE headers (a int, b int) USING ecinsight_columnar WITH (autovacuum_enabled = off);
INSERT INTO headers SELECT i, 0 FROM generate_series(1, 2000) i;
INSERT INTO headers SELECT i, 0 FROM generate_series(2001, 2060) i;

-- locked before, so that there are headers; compaction drops them and moves the rows on their own
SELECT count(*) FROM (SELECT FROM headers WHERE a IN (5, 6, 7) FOR UPDATE) x;
BEGIN;
SELECT count(*) FROM ecinsight.compact('headers');
UPDATE headers SET b = b + 1 WHERE a IN (5, 2005);
SAVEPOINT s;
UPDATE headers SET b = b + 1 WHERE a IN (5, 6, 2005, 2006);
DELETE FROM headers WHERE a IN (7, 2007);
ROLLBACK TO s;
SELECT count(*) FROM (SELECT FROM headers WHERE a IN (6, 7, 2006) FOR UPDATE) x;
UPDATE headers SET b = b + 1 WHERE a IN (6, 2006);
SELECT a, b FROM headers WHERE b > 0 OR a IN (7, 2007) ORDER BY a;
ROLLBACK;
SELECT count(*), sum(b) FROM headers;
REINDEX TABLE headers;

BEGIN;
SELECT count(*) FROM ecinsight.compact('headers');
UPDATE headers SET b = b + 1 WHERE a IN (5, 2005);
UPDATE headers SET b = b + 1 WHERE a IN (5, 6, 2005, 2006);
DELETE FROM headers WHERE a IN (7, 2007);
COMMIT;
SELECT a, b FROM headers WHERE b > 0 OR a IN (7, 2007) ORDER BY a;
SELECT count(*) FROM (SELECT FROM headers WHERE a < 10 FOR UPDATE) x;
REINDEX TABLE headers;
SELECT count(*) FROM ecinsight.verify('headers');
VACUUM headers;
SELECT count(*), sum(b) FROM headers;
REINDEX TABLE CONCURRENTLY headers;
SELECT count(*) FROM ecinsight.verify('headers');
DROP TABLE headers;

-- headers that a rolled back REINDEX took along are nobody's
CREATE TABLE headers_reindexed (id int PRIMARY KEY, v int) USING ecinsight_columnar;
INSERT INTO headers_reindexed SELECT g, g FROM generate_series(1, 3000) g;
BEGIN;
REINDEX TABLE headers_reindexed;
SELECT * FROM headers_reindexed WHERE id = 12 FOR NO KEY UPDATE;
SELECT count(*) FROM ecinsight.verify('headers_reindexed');
ROLLBACK;
SELECT * FROM ecinsight.verify('headers_reindexed');
UPDATE headers_reindexed SET v = 0 WHERE id = 12;
SELECT * FROM headers_reindexed WHERE id IN (11, 12) ORDER BY id;
SELECT count(*) FROM ecinsight.verify('headers_reindexed');
DROP TABLE headers_reindexed;
