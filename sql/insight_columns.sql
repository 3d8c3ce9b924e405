--
-- The events table that we make, and columns of other names.
--
CREATE SCHEMA insight_columns;
CREATE SCHEMA "Insight Columns";
SET search_path = insight_columns, ecinsight, public;

SELECT create_events_table('events');
SELECT create_events_table('insight_columns.more_events');
SELECT create_events_table('"Insight Columns"."My Events"');
SELECT c.oid::regclass AS relation, amname, attname, format_type(atttypid, atttypmod) AS type, attnotnull
FROM pg_class c JOIN pg_am m ON m.oid = relam JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
WHERE c.oid IN ('events'::regclass, '"Insight Columns"."My Events"'::regclass) ORDER BY c.oid, attnum;
-- its name is free of what stands elsewhere in the path
CREATE TEMP TABLE other_events (a int);
SELECT create_events_table('other_events');

SELECT create_events_table('events');
SELECT create_events_table('nowhere.events');
SELECT create_events_table('a.b.c.d');
SELECT create_events_table('');
SELECT create_events_table('an events');
SELECT create_events_table(NULL);
SELECT create_events_table('pg_catalog.events');

-- mapping
CREATE TABLE log (ts timestamptz, kind text, product bigint, "Category" bigint, "code'""" text, make text, price numeric(10,2), customer bigint, session text);
INSERT INTO log VALUES ('2019-10-01', 'purchase', 1, 2, 'c', 'm', 3.14, 4, 's');
SELECT * FROM popular_categories('log');
SELECT map_columns('log', '{"event_time": "ts", "event_type": "kind", "product_id": "product", "category_id": "Category", "category_code": "code''\"", "brand": "make", "user_id": "customer", "user_session": "session"}');
SELECT * FROM column_maps;
SELECT * FROM popular_categories('log', complete_only => true, since => '2019-10-01');
SELECT * FROM top_user_category_brands('log');
-- it replaces the whole mapping
SELECT map_columns('log', '{"category_code": "make", "user_id": "customer", "brand": "make"}');
SELECT * FROM top_user_category_brands('log');
SELECT * FROM popular_categories('log');
SELECT map_columns('log', '{}');
SELECT * FROM column_maps;
SELECT * FROM top_user_category_brands('log');
SELECT map_columns('log', '{"user_id": "customer"}');
SELECT map_columns('log', NULL);
SELECT * FROM column_maps;

-- what is no mapping
SELECT map_columns('log', '[]');
SELECT map_columns('log', '"ts"');
SELECT map_columns('log', 'null');
SELECT map_columns('log', '{"time": "ts"}');
SELECT map_columns('log', '{"event_time": 1}');
SELECT map_columns('log', '{"event_time": null}');
SELECT map_columns('log', '{"event_time": ["ts"]}');
SELECT map_columns('log', '{"event_time": "TS"}');
SELECT map_columns('log', '{"event_time": "ctid"}');
SELECT map_columns('log', '{"event_time": "kind"}');
SELECT map_columns('other_events', '{"event_time": "a"}');
SELECT map_columns('pg_temp.other_events', '{"event_time": "a"}');
SELECT map_columns(NULL, '{"event_time": "ts"}');
SELECT map_columns('nothing', '{"event_time": "ts"}');
SELECT count(*) FROM column_maps;

-- a renamed column is missed, by its name
SELECT map_columns('log', '{"user_id": "customer", "category_code": "make"}');
ALTER TABLE log RENAME customer TO client;
SELECT * FROM top_user_categories('log');
ALTER TABLE log RENAME client TO customer;
SELECT * FROM top_user_categories('log');

-- rolled back with its transaction, seen within it
BEGIN;
SELECT map_columns('log', '{"user_id": "product", "category_code": "make"}');
SELECT * FROM top_user_categories('log');
ROLLBACK;
SELECT * FROM top_user_categories('log');

-- for the owner only
CREATE ROLE insight_columns_owner;
CREATE ROLE insight_columns_other;
GRANT USAGE ON SCHEMA insight_columns TO insight_columns_owner, insight_columns_other;
ALTER TABLE log OWNER TO insight_columns_owner;
GRANT SELECT ON log TO insight_columns_other;
SET ROLE insight_columns_other;
SELECT map_columns('log', '{"user_id": "product"}');
SELECT * FROM top_user_categories('log');
INSERT INTO column_maps VALUES ('log', '{}');
SELECT create_events_table('insight_columns.mine');
SET ROLE insight_columns_owner;
SELECT map_columns('log', '{"user_id": "product", "category_code": "make"}');
SELECT * FROM top_user_categories('log');
SELECT forget_dropped();
RESET ROLE;

-- gone with the relation, also when that is dropped by another or with its schema
CREATE VIEW view_of_log AS SELECT * FROM log;
SELECT map_columns('view_of_log', '{"user_id": "customer"}');
CREATE TABLE parts (ts timestamptz, kind text) PARTITION BY RANGE (ts);
SELECT map_columns('parts', '{"event_time": "ts"}');
CREATE TABLE "Insight Columns".kept (ts timestamptz);
SELECT map_columns('"Insight Columns".kept', '{"event_time": "ts"}');
SELECT relid FROM column_maps ORDER BY relid::text;
DROP TABLE parts;
SET ROLE insight_columns_owner;
SET client_min_messages = warning;
DROP TABLE log CASCADE;
RESET ROLE;
SELECT relid FROM column_maps ORDER BY relid::text;
BEGIN;
DROP SCHEMA "Insight Columns" CASCADE;
SELECT relid FROM column_maps;
ROLLBACK;
SELECT relid FROM column_maps;
DROP SCHEMA "Insight Columns" CASCADE;
SELECT relid FROM column_maps;

DROP SCHEMA insight_columns CASCADE;
DROP ROLE insight_columns_owner, insight_columns_other;
