--
-- Insights: the events relation, the functions over it, views for BI tools.
--
-- The functions that read are STABLE (they use the caller's snapshot) and PARALLEL
-- RESTRICTED (they may read temporary relations and views of any content).
--

GRANT USAGE ON SCHEMA ecinsight TO PUBLIC;

CREATE TABLE column_maps
(
    relid regclass PRIMARY KEY,
    mapping jsonb NOT NULL
) USING heap;
COMMENT ON TABLE column_maps IS 'Columns of events relations that are not named as the insight functions expect; written by map_columns.';
GRANT SELECT ON column_maps TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('column_maps', '');

CREATE FUNCTION forget_dropped() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'ec_forget_dropped'
    LANGUAGE C SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION forget_dropped() IS 'Forgets the column maps and table options of dropped relations.';
REVOKE ALL ON FUNCTION forget_dropped() FROM PUBLIC;
CREATE EVENT TRIGGER ecinsight_forget_dropped ON sql_drop EXECUTE FUNCTION forget_dropped();
ALTER EVENT TRIGGER ecinsight_forget_dropped ENABLE ALWAYS;

CREATE FUNCTION create_events_table(name text) RETURNS regclass
    AS 'MODULE_PATHNAME', 'ec_create_events_table'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION create_events_table(text) IS
'Creates a columnar table of shop events: event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session.
name: of the table, perhaps with a schema; quoted and folded as in SQL.';

CREATE FUNCTION map_columns(events regclass, mapping jsonb) RETURNS void
    AS 'MODULE_PATHNAME', 'ec_map_columns'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION map_columns(regclass, jsonb) IS
'Tells the insight functions which columns of an events relation to read; for its owner.
events: table, partitioned table or view.
mapping: {"event_time": "ts", ...}, the expected name and the name in the relation; what is left out keeps its name; NULL or {} removes the mapping.';

CREATE FUNCTION insight_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'ec_insight_support'
    LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION insight_support(internal) IS 'planner support for the insight functions';

CREATE FUNCTION top_user_categories(events regclass, k int DEFAULT 10,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, user_id bigint, category_code text, interactions bigint)
    AS 'MODULE_PATHNAME', 'ec_top_user_categories'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SUPPORT insight_support;
COMMENT ON FUNCTION top_user_categories(regclass, int, timestamptz, timestamptz, text[], boolean) IS
'Users and categories with the most interactions (rows), most first.
events: the events relation.
k: rows wanted, NULL for all.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION top_user_category_brands(events regclass, k int DEFAULT 10,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, user_id bigint, category_code text, brand text, interactions bigint)
    AS 'MODULE_PATHNAME', 'ec_top_user_category_brands'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SUPPORT insight_support;
COMMENT ON FUNCTION top_user_category_brands(regclass, int, timestamptz, timestamptz, text[], boolean) IS
'Users, categories and brands with the most interactions (rows), most first.
events: the events relation.
k: rows wanted, NULL for all.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION popular_categories(events regclass, k int DEFAULT 20, by text DEFAULT 'id',
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, category_id bigint, category_code text, interaction_count bigint,
                   views bigint, carts bigint, purchases bigint, revenue numeric)
    AS 'MODULE_PATHNAME', 'ec_popular_categories'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20 SUPPORT insight_support;
COMMENT ON FUNCTION popular_categories(regclass, int, text, timestamptz, timestamptz, text[], boolean) IS
'Categories with the most interactions (rows), most first, with their views, carts, purchases and the revenue of the purchases.
events: the events relation.
k: rows wanted, NULL for all.
by: id groups by category_id and category_code, code by category_code alone (category_id is NULL then).
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION price_sensitivity(events regclass, k int DEFAULT 10,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, category_code text, average_price numeric, max_price numeric,
                   min_price numeric, interactions bigint)
    AS 'MODULE_PATHNAME', 'ec_price_sensitivity'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SUPPORT insight_support;
COMMENT ON FUNCTION price_sensitivity(regclass, int, timestamptz, timestamptz, text[], boolean) IS
'Average, greatest and least price of each category over its interactions (rows), greatest average first.
events: the events relation.
k: rows wanted, NULL for all.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION create_views(events regclass, schema name DEFAULT 'insight') RETURNS void
    AS 'MODULE_PATHNAME', 'ec_create_views'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION create_views(regclass, name) IS
'Makes, or makes anew, views for BI tools: one for each insight function, and counts and sums by hour and day to filter and group freely.
events: the events relation.
schema: of the views; created if missing.';

CREATE FUNCTION grant_read(role name, schema name DEFAULT 'insight') RETURNS void
    AS 'MODULE_PATHNAME', 'ec_grant_read'
    LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION grant_read(name, name) IS
'Grants a role what a live connection of a BI tool needs: CONNECT and TEMPORARY on this database, USAGE on schemas, SELECT on the views of create_views and on the events relations that they read (the insight functions and views check the privileges of their caller).
role: to grant to.
schema: of the views.';
