--
-- What the bucketed views of create_views show.  Rows have types of their own, so that
-- columns have a width (numeric(18,2)) without a cast, which the planner would have to
-- see through.
--

CREATE FUNCTION bucket_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'ec_cube_support'
    LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION bucket_support(internal) IS 'marks the functions that the planner reads as bucketed views';

CREATE TYPE category_hour_row AS
(
    bucket timestamp, category_id text, category_code text, brand text, interactions bigint, views bigint,
    carts bigint, purchases bigint, revenue numeric(18,2), priced bigint, price_sum numeric(18,2),
    price_min numeric(18,2), price_max numeric(18,2)
);
CREATE FUNCTION category_hour(events regclass) RETURNS SETOF category_hour_row
    AS 'MODULE_PATHNAME', 'ec_cube_function'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT bucket_support;
COMMENT ON FUNCTION category_hour(regclass) IS
'Interactions (rows), counts by type, revenue and prices by hour (UTC), category and brand, for the view of this name.
events: the events relation.';

CREATE TYPE category_day_row AS
(
    bucket date, category_id text, category_code text, brand text, interactions bigint, views bigint,
    carts bigint, purchases bigint, revenue numeric(18,2), priced bigint, price_sum numeric(18,2),
    price_min numeric(18,2), price_max numeric(18,2)
);
CREATE FUNCTION category_day(events regclass) RETURNS SETOF category_day_row
    AS 'MODULE_PATHNAME', 'ec_cube_function'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT bucket_support;
COMMENT ON FUNCTION category_day(regclass) IS
'Interactions (rows), counts by type, revenue and prices by day (UTC), category and brand, for the view of this name.
events: the events relation.';

CREATE TYPE sales_hour_row AS
(
    bucket timestamp, interactions bigint, views bigint, carts bigint, purchases bigint, revenue numeric(18,2),
    priced bigint, price_sum numeric(18,2), price_min numeric(18,2), price_max numeric(18,2)
);
CREATE FUNCTION sales_hour(events regclass) RETURNS SETOF sales_hour_row
    AS 'MODULE_PATHNAME', 'ec_cube_function'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT bucket_support;
COMMENT ON FUNCTION sales_hour(regclass) IS
'Interactions (rows), counts by type, revenue and prices by hour (UTC), for the view of this name.
events: the events relation.';

CREATE TYPE sales_day_row AS
(
    bucket date, interactions bigint, views bigint, carts bigint, purchases bigint, revenue numeric(18,2),
    priced bigint, price_sum numeric(18,2), price_min numeric(18,2), price_max numeric(18,2)
);
CREATE FUNCTION sales_day(events regclass) RETURNS SETOF sales_day_row
    AS 'MODULE_PATHNAME', 'ec_cube_function'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT bucket_support;
COMMENT ON FUNCTION sales_day(regclass) IS
'Interactions (rows), counts by type, revenue and prices by day (UTC), for the view of this name.
events: the events relation.';

CREATE TYPE product_day_row AS
(
    bucket date, product_id text, category_id text, category_code text, brand text, interactions bigint,
    views bigint, carts bigint, purchases bigint, revenue numeric(18,2), priced bigint,
    price_sum numeric(18,2), price_min numeric(18,2), price_max numeric(18,2)
);
CREATE FUNCTION product_day(events regclass) RETURNS SETOF product_day_row
    AS 'MODULE_PATHNAME', 'ec_cube_function'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT bucket_support;
COMMENT ON FUNCTION product_day(regclass) IS
'Interactions (rows), counts by type, revenue and prices by day (UTC) and product, for the view of this name.
events: the events relation.';

CREATE TYPE user_category_day_row AS
(
    bucket date, user_id text, category_code text, interactions bigint
);
CREATE FUNCTION user_category_day(events regclass) RETURNS SETOF user_category_day_row
    AS 'MODULE_PATHNAME', 'ec_cube_function'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT bucket_support;
COMMENT ON FUNCTION user_category_day(regclass) IS
'Interactions (rows) by day (UTC), user and category, for the view of this name.
events: the events relation.';
