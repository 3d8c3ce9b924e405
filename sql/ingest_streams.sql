-- create_stream and its kin, as far as they need no broker.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_ec_loader, regress_ec_other;
RESET client_min_messages;
CREATE ROLE regress_ec_loader;
CREATE ROLE regress_ec_other;
CREATE SERVER ik FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" '127.0.0.1:1');
CREATE FOREIGN DATA WRAPPER regress_ec_fdw;
CREATE SERVER no_kafka FOREIGN DATA WRAPPER regress_ec_fdw;
CREATE TABLE it (id bigint, at timestamptz, text text) USING ecinsight_columnar;

-- a function with the connection left out
CREATE FUNCTION pg_temp.try(topics text[] DEFAULT '{t}', target regclass DEFAULT 'it', server text DEFAULT 'ik', format text DEFAULT 'csv',
	start text DEFAULT 'earliest', max_rows int DEFAULT NULL, max_bytes bigint DEFAULT NULL, max_delay interval DEFAULT '1 s',
	workers int DEFAULT 1, on_error text DEFAULT 'dead_letter', max_errors bigint DEFAULT NULL, out_of_range text DEFAULT 'stop',
	options jsonb DEFAULT '{}', name text DEFAULT 's')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	PERFORM ecinsight.create_stream(name, server, topics, target, format, start, max_rows, max_bytes, max_delay, workers, on_error,
		max_errors, out_of_range, options, connect => false, enabled => false);
	PERFORM ecinsight.drop_stream(name);
	RETURN 'fine';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', sqlstate, sqlerrm, nullif(detail, ''), nullif(hint, ''));
END $$;

-- words and numbers
SELECT * FROM (VALUES (pg_temp.try()), (pg_temp.try(format => 'json')), (pg_temp.try(format => 'xml')), (pg_temp.try(on_error => 'ignore')),
	(pg_temp.try(out_of_range => 'first')), (pg_temp.try(workers => 0)), (pg_temp.try(workers => 2)), (pg_temp.try(max_rows => 0)),
	(pg_temp.try(max_bytes => 0)), (pg_temp.try(max_errors => -1)), (pg_temp.try(max_delay => '-1 s')), (pg_temp.try(max_delay => '1 month')),
	(pg_temp.try(name => '')), (pg_temp.try(name => repeat('x', 64))), (pg_temp.try(name => NULL)), (pg_temp.try(target => NULL))) AS v(result);
-- topics
SELECT * FROM (VALUES (pg_temp.try('{}')), (pg_temp.try('{a,b}')), (pg_temp.try('{a,a}')), (pg_temp.try('{"a b"}')), (pg_temp.try('{NULL}'))) AS v(result);
-- where to begin
SELECT * FROM (VALUES (pg_temp.try(start => 'latest')), (pg_temp.try(start => '2019-10-01 12:00+02')), (pg_temp.try(start => '{"0": 12, "3": 0}')),
	(pg_temp.try(start => 'first')), (pg_temp.try(start => '2019-02-30')), (pg_temp.try(start => 'infinity')), (pg_temp.try(start => '{"x": 1}')),
	(pg_temp.try(start => '{"0": -5}')), (pg_temp.try(start => '{"0": "5"}')), (pg_temp.try(start => '{'))) AS v(result);
-- options
SELECT * FROM (VALUES (pg_temp.try(options => '{"header": "auto", "delimiter": ";", "quote": "''"}')), (pg_temp.try(options => '{"header": true}')),
	(pg_temp.try(options => '{"columns": ["text", "id"]}')), (pg_temp.try(options => '{"quote": ""}')),
	(pg_temp.try(options => '[]')), (pg_temp.try(options => '{"headers": "auto"}')), (pg_temp.try(options => '{"header": "maybe"}')),
	(pg_temp.try(options => '{"delimiter": ""}')), (pg_temp.try(options => '{"delimiter": ";;"}')), (pg_temp.try(options => '{"delimiter": "\""}')),
	(pg_temp.try(options => '{"delimiter": "€"}')), (pg_temp.try(options => '{"columns": []}')), (pg_temp.try(options => '{"columns": ["nope"]}')),
	(pg_temp.try(options => '{"columns": ["id", "id"]}')), (pg_temp.try(options => '{"columns": [1]}')),
	(pg_temp.try(options => '{"columns": ["id", "at", "text", "id"]}'))) AS v(result);
-- servers
SELECT * FROM (VALUES (pg_temp.try(server => 'nowhere')), (pg_temp.try(server => 'no_kafka'))) AS v(result);
-- targets
CREATE TABLE it_heap (a int);
CREATE TEMP TABLE it_temp (a int) USING ecinsight_columnar;
CREATE UNLOGGED TABLE it_unlogged (a int) USING ecinsight_columnar;
CREATE VIEW it_view AS SELECT 1 AS a;
CREATE TABLE it_parts (a int) PARTITION BY RANGE (a);
CREATE TABLE it_part PARTITION OF it_parts FOR VALUES FROM (0) TO (10) USING ecinsight_columnar;
CREATE TABLE it_not_null (a int NOT NULL, b int, c int NOT NULL DEFAULT 5) USING ecinsight_columnar;
CREATE TABLE it_rls (a int) USING ecinsight_columnar;
ALTER TABLE it_rls ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT * FROM (VALUES (pg_temp.try(target => 'it_heap')), (pg_temp.try(target => 'it_temp')), (pg_temp.try(target => 'it_unlogged')),
	(pg_temp.try(target => 'it_view')), (pg_temp.try(target => 'it_parts')), (pg_temp.try(target => 'it_part')),
	(pg_temp.try(target => 'it_not_null', options => '{"columns": ["b"]}')), (pg_temp.try(target => 'it_not_null', options => '{"columns": ["b", "a"]}')),
	(pg_temp.try(target => 'it_rls'))) AS v(result);

-- privileges: USAGE on the server, INSERT on the table
GRANT SELECT ON it TO regress_ec_loader;
SET ROLE regress_ec_loader;
SELECT pg_temp.try();
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER ik TO regress_ec_loader;
SET ROLE regress_ec_loader;
SELECT pg_temp.try();
RESET ROLE;
GRANT INSERT (id, at) ON it TO regress_ec_loader;
SET ROLE regress_ec_loader;
SELECT pg_temp.try();
RESET ROLE;
GRANT INSERT (text) ON it TO regress_ec_loader;
SET ROLE regress_ec_loader;
SELECT pg_temp.try();
SET TimeZone = 'Asia/Tokyo';
SELECT ecinsight.create_stream('mine', 'ik', '{a,b}', 'it', start => '2019-10-01 09:00', max_rows => 1000, connect => false, enabled => false);
SELECT ecinsight.create_stream('mine', 'ik', '{a}', 'it', connect => false);
RESET TimeZone;
SELECT * FROM ecinsight.stream;
RESET ROLE;
SELECT ecinsight.create_stream('theirs', 'ik', '{a}', 'it', connect => false, enabled => false);

-- everybody sees and steers their own
SELECT name, owner, server, topics, target, format, state, start, max_rows, max_delay, on_error, out_of_range, options FROM ecinsight.streams ORDER BY name;
SET ROLE regress_ec_loader;
SELECT name, state FROM ecinsight.streams ORDER BY name;
SELECT ecinsight.pause_stream('theirs');
SELECT ecinsight.drop_stream('theirs');
SELECT ecinsight.stop_stream('mine');
SELECT name, state FROM ecinsight.streams;
SELECT ecinsight.wait_for_stream('mine');
SET ROLE regress_ec_other;
SELECT count(*) FROM ecinsight.streams;
SELECT count(*) FROM ecinsight.stat_stream;
SELECT count(*) FROM ecinsight.stream_partitions;
SELECT count(*) FROM ecinsight.dead_letters;
SELECT ecinsight.resume_stream('mine');
RESET ROLE;
GRANT regress_ec_loader TO regress_ec_other;
SET ROLE regress_ec_other;
SELECT name FROM ecinsight.streams;
RESET ROLE;

-- transactional
BEGIN;
SELECT ecinsight.drop_stream('theirs');
SELECT name FROM ecinsight.streams ORDER BY name;
ROLLBACK;
SELECT name FROM ecinsight.streams ORDER BY name;
SELECT ecinsight.drop_stream('theirs');
SELECT ecinsight.drop_stream('theirs');
SELECT ecinsight.drop_stream('theirs', if_exists => true);
SELECT ecinsight.pause_stream('nope');
SELECT ecinsight.wait_for_stream('nope', '1 s');
SELECT ecinsight.drop_stream('mine');

-- nobody waits for what isn't committed
BEGIN;
SELECT ecinsight.create_stream('new', 'ik', '{a}', 'it', connect => false, enabled => false);
SELECT ecinsight.resume_stream('new');
SAVEPOINT s;
SELECT ecinsight.wait_for_stream('new');
ROLLBACK;

-- an unreachable broker is an error, unless told not to connect
\set VERBOSITY terse
SELECT ecinsight.create_stream('s', 'ik', '{t}', 'it');
\set VERBOSITY default

-- row security would need every row to be looked at
GRANT INSERT ON it_rls TO regress_ec_loader;
SET ROLE regress_ec_loader;
SELECT pg_temp.try(target => 'it_rls');
RESET ROLE;

DROP FUNCTION pg_temp.try;
DROP TABLE it, it_heap, it_unlogged, it_parts, it_not_null, it_rls;
DROP VIEW it_view;
DROP SERVER ik, no_kafka;
DROP FOREIGN DATA WRAPPER regress_ec_fdw;
DROP ROLE regress_ec_loader, regress_ec_other;
