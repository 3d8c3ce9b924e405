-- grant_read grants only what its caller and the views' owner may grant
CREATE SCHEMA insight_grants;
CREATE TABLE insight_grants.secret (LIKE pg_database);
CREATE TABLE insight_grants.events (event_time timestamptz, event_type text, product_id bigint, category_id bigint,
    category_code text, brand text, price numeric(10,2), user_id bigint, user_session text);
CREATE ROLE insight_grants_maker;
CREATE ROLE insight_grants_reader;
CREATE SCHEMA insight_grants_views AUTHORIZATION insight_grants_maker;
GRANT USAGE ON SCHEMA insight_grants TO insight_grants_maker;
GRANT SELECT ON insight_grants.events TO insight_grants_maker;
SET ROLE insight_grants_maker;
SELECT ecinsight.create_views('insight_grants.events', 'insight_grants_views');
-- who may only read the events cannot pass that on
SELECT ecinsight.grant_read('insight_grants_reader', 'insight_grants_views');
RESET ROLE;
SELECT has_table_privilege('insight_grants_reader', 'insight_grants_views.sales_day', 'SELECT') AS views;
-- nor through the hands of a mightier caller
SELECT ecinsight.grant_read('insight_grants_reader', 'insight_grants_views');
GRANT SELECT ON insight_grants.events TO insight_grants_maker WITH GRANT OPTION;
SELECT ecinsight.grant_read('insight_grants_reader', 'insight_grants_views');
SELECT has_table_privilege('insight_grants_reader', 'insight_grants.events', 'SELECT') AS events;
SET ROLE insight_grants_maker;
DROP VIEW insight_grants_views.sales_day;
CREATE VIEW insight_grants_views.sales_day AS SELECT * FROM insight_grants.secret;
RESET ROLE;
SELECT ecinsight.grant_read('insight_grants_maker', 'insight_grants_views');
SELECT has_table_privilege('insight_grants_maker', 'insight_grants.secret', 'SELECT') AS secret;
-- what GRANT would only warn of: the role couldn't use the schema
SELECT ecinsight.create_views('insight_grants.events', 'insight_grants');
REVOKE ALL ON SCHEMA insight_grants FROM insight_grants_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA insight_grants TO insight_grants_maker WITH GRANT OPTION;
SET ROLE insight_grants_maker;
SELECT ecinsight.grant_read('insight_grants_reader', 'insight_grants');
RESET ROLE;
GRANT USAGE ON SCHEMA insight_grants TO insight_grants_maker WITH GRANT OPTION;
SET ROLE insight_grants_maker;
SELECT ecinsight.grant_read('insight_grants_reader', 'insight_grants');
SET ROLE insight_grants_reader;
SELECT interactions FROM insight_grants.overview;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA insight_grants, insight_grants_views CASCADE;
DROP OWNED BY insight_grants_maker, insight_grants_reader;
DROP ROLE insight_grants_maker, insight_grants_reader;
