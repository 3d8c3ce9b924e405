--
-- Insights about time, money and products.
--

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
