--
-- Insights about time, money and products.
--

CREATE FUNCTION overview(events regclass,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (first_event timestamptz, last_event timestamptz, interactions bigint, views bigint, carts bigint, purchases bigint,
                   revenue numeric, users bigint, buyers bigint,
                   sessions bigint, orders bigint, average_order_value numeric, conversion double precision)
    AS 'MODULE_PATHNAME', 'ec_overview'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1 SUPPORT insight_support;
COMMENT ON FUNCTION overview(regclass, timestamptz, timestamptz, text[], boolean) IS
'One row about all events: the first and the last, interactions (rows), views, carts, purchases and their revenue; distinct users, buyers (with a purchase), sessions (of a user) and orders (sessions with a purchase); revenue per order (NULL without an order); and conversion, the share of users who bought (NULL without a user).
events: the events relation.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION sales_trend(events regclass, bucket text DEFAULT 'day', tz text DEFAULT 'UTC', category text DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (bucket timestamptz, interactions bigint, views bigint, carts bigint, purchases bigint,
                   revenue numeric,
                   users bigint, buyers bigint, peak boolean)
    AS 'MODULE_PATHNAME', 'ec_sales_trend'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 100 SUPPORT insight_support;
COMMENT ON FUNCTION sales_trend(regclass, text, text, text, timestamptz, timestamptz, text[], boolean) IS
'Interactions (rows), views, carts, purchases, revenue, distinct users and buyers of each hour, day, week or month, in their order; those without events between the first and the last are zeros. Rows without an event_time make the last row (bucket NULL). peak: revenue is two standard deviations or more above the mean of the rows.
events: the events relation.
bucket: hour, day, week (from Monday) or month.
tz: the time zone of the buckets.
category: only rows of this category_code; NULL for all.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION customer_trend(events regclass, bucket text DEFAULT 'day', tz text DEFAULT 'UTC',
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (bucket timestamptz, users bigint, new_users bigint, returning_users bigint,
                   buyers bigint, repeat_buyers bigint)
    AS 'MODULE_PATHNAME', 'ec_customer_trend'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 100 SUPPORT insight_support;
COMMENT ON FUNCTION customer_trend(regclass, text, text, timestamptz, timestamptz, text[], boolean) IS
'Distinct users of each hour, day, week or month with events: those whose first interaction falls in it (new) and the others (returning); buyers, and those of them with an earlier order (repeat). First interactions and earlier orders are looked for in all rows of the relation that event_types and complete_only let pass, whatever since and until are.
events: the events relation.
bucket: hour, day, week (from Monday) or month.
tz: the time zone of the buckets.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION price_bands(events regclass, category text DEFAULT NULL, bands int DEFAULT 10,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (category_code text, band int, low numeric, high numeric, interactions bigint, views bigint, carts bigint, purchases bigint,
                   revenue numeric,
                   conversion double precision)
    AS 'MODULE_PATHNAME', 'ec_price_bands'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1000 SUPPORT insight_support;
COMMENT ON FUNCTION price_bands(regclass, text, int, timestamptz, timestamptz, text[], boolean) IS
'How each category sells by price: its prices are cut into bands of equally many rows (fewer bands where prices repeat), low <= price < high, in the last band up to high. Interactions (rows), views, carts, purchases, revenue, and purchases per view (NULL without a view). Rows without a price are in no band.
events: the events relation.
category: only this category_code; NULL for all.
bands: how many, 1 to 10000.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION product_performance(events regclass, k int DEFAULT 20, order_by text DEFAULT 'revenue',
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, product_id bigint, category_code text, brand text, views bigint, carts bigint,
                   purchases bigint, revenue numeric, average_price numeric, conversion double precision)
    AS 'MODULE_PATHNAME', 'ec_product_performance'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20 SUPPORT insight_support;
COMMENT ON FUNCTION product_performance(regclass, int, text, timestamptz, timestamptz, text[], boolean) IS
'Products with the greatest revenue (or purchases, views, conversion), with the category and brand of their latest event, the average price over all their rows, and conversion, purchases per view (NULL without a view).
events: the events relation.
k: rows wanted, NULL for all.
order_by: revenue, purchases, views or conversion.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION funnel(events regclass, by text DEFAULT 'category',
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (key text, viewers bigint, carters bigint, buyers bigint,
                   view_to_cart double precision, cart_to_buy double precision, view_to_buy double precision)
    AS 'MODULE_PATHNAME', 'ec_funnel'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 100 SUPPORT insight_support;
COMMENT ON FUNCTION funnel(regclass, text, timestamptz, timestamptz, text[], boolean) IS
'Distinct users who viewed, put into the cart and bought in each category or brand, most viewers first, and the ratios of these numbers (NULL where nothing is to divide by). The steps are counted independently, so ratios may exceed 1.
events: the events relation.
by: category, brand, or none (one row for everything).
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION trending(events regclass, period interval DEFAULT '7 days', as_of timestamptz DEFAULT NULL, k int DEFAULT 20, by text DEFAULT 'category', measure text DEFAULT 'interactions', min_previous numeric DEFAULT 10,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, key text, current numeric, previous numeric, growth double precision,
                   contribution double precision)
    AS 'MODULE_PATHNAME', 'ec_trending'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20 SUPPORT insight_support;
COMMENT ON FUNCTION trending(regclass, interval, timestamptz, int, text, text, numeric, timestamptz, timestamptz, text[], boolean) IS
'Categories, brands or products that grow fastest: their interactions (or revenue) in the period up to as_of against the period before it; growth = current / previous - 1 (NULL if previous is 0), contribution = their share of the change of all.
events: the events relation.
period: the length of a period.
as_of: the end of the current period, inclusive; NULL for the latest event_time.
k: rows wanted, NULL for all.
by: category, brand or product.
measure: interactions (rows) or revenue (of purchases).
min_previous: leaves out keys with less in the previous period; 0 or more.
since, until: ignored, as are the parameters ecinsight.since and ecinsight.until.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION sales_forecast(events regclass, bucket text DEFAULT 'day', horizon int DEFAULT 14, measure text DEFAULT 'revenue', tz text DEFAULT 'UTC', level double precision DEFAULT 0.95,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (bucket timestamptz, forecast double precision, low double precision, high double precision)
    AS 'MODULE_PATHNAME', 'ec_sales_forecast'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 14 SUPPORT insight_support;
COMMENT ON FUNCTION sales_forecast(regclass, text, int, text, text, double precision, timestamptz, timestamptz, text[], boolean) IS
'Forecast of a measure by additive exponential smoothing (Holt-Winters): level, trend and, for hours (24) and days (7) if there are two seasons of history, a season. low and high bound the value with the probability level, should the errors go on as in the past; NULL if the history is too short to tell (fewer than 3 buckets are continued by their mean). The last bucket counts even if it is not over yet: leave it out by until. No row without history.
events: the events relation.
bucket: hour, day, week (from Monday) or month.
horizon: buckets wanted, 1 to 10000.
measure: revenue, interactions, views, carts, purchases, users or buyers.
tz: the time zone of the buckets.
level: between 0 and 1.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';
