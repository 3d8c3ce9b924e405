-- The planner's number of rows after small writes, loads, deletions and updates, without ANALYZE.
CREATE SCHEMA scan_estimates;
SET search_path = scan_estimates, public;
CREATE TABLE e (a int, b text) USING ecinsight_columnar WITH (autovacuum_enabled = off);
CREATE PROCEDURE small(commits int, per int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..commits LOOP
		INSERT INTO e SELECT i * per + j, repeat('x', 10 + j % 40) FROM generate_series(1, per) j;
		COMMIT;
	END LOOP;
END $$;
CREATE FUNCTION near() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
	rows float8;
BEGIN
	EXECUTE 'EXPLAIN SELECT * FROM e' INTO line;
	rows := (regexp_match(line, 'rows=(\d+)'))[1]::float8;
	RETURN rows / (SELECT count(*) FROM e) BETWEEN 0.8 AND 1.25;
END $$;
CALL small(3, 1);
SELECT near();
CALL small(2000, 5);
SELECT near() AS small_commits;
INSERT INTO e SELECT i, md5(i::text) FROM generate_series(1, 200000) i;
SELECT near() AS and_a_load;
CALL small(1000, 20);
SELECT near() AS and_small_commits;
DELETE FROM e WHERE a % 2 = 0;
SELECT near() AS half_deleted;
UPDATE e SET b = 'u' WHERE a % 10 = 1;
SELECT near() AS a_tenth_updated;
SET client_min_messages = warning;
DROP SCHEMA scan_estimates CASCADE;
