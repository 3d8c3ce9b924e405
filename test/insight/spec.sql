--
-- The insight functions as plain SQL: what each of them means, whatever makes it fast.
--
-- spec.NAME(events, ...) has the parameters of ecinsight.NAME and gives its rows in its order.  Nothing here is meant to
-- be quick.  Prices of no finite value are NULL (they count as interactions and add nothing to measures of money).
--
CREATE SCHEMA spec;

CREATE FUNCTION spec.selected(events regclass, since timestamptz, until timestamptz, event_types text[], complete_only boolean)
RETURNS TABLE (event_time timestamptz, event_type text, product_id bigint, category_id bigint, category_code text, brand text,
               price numeric, user_id bigint, user_session text)
LANGUAGE plpgsql SET TimeZone = 'UTC' AS $$
DECLARE
    low timestamptz := coalesce(since, nullif(current_setting('ecinsight.since', true), '')::timestamptz, '-infinity');
    high timestamptz := coalesce(until, nullif(current_setting('ecinsight.until', true), '')::timestamptz, 'infinity');
BEGIN
    RETURN QUERY EXECUTE format($q$
        SELECT event_time::timestamptz, event_type::text, product_id::bigint, category_id::bigint, category_code::text,
               brand::text, CASE WHEN price::numeric NOT IN ('NaN', 'Infinity', '-Infinity') THEN price::numeric END,
               user_id::bigint, user_session::text
        FROM %s
        WHERE ($1 = '-infinity' OR event_time::timestamptz >= $1) AND ($2 = 'infinity' OR event_time::timestamptz < $2)
          AND ($3 IS NULL OR event_type::text = ANY ($3))
          AND (NOT $4 OR (event_time IS NOT NULL AND event_type IS NOT NULL AND product_id IS NOT NULL AND category_id IS NOT NULL
                          AND category_code IS NOT NULL AND brand IS NOT NULL AND price IS NOT NULL AND user_id IS NOT NULL
                          AND user_session IS NOT NULL)) $q$, events) USING low, high, event_types, complete_only;
END $$;

CREATE FUNCTION spec.money(amount numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT round(coalesce(amount, 0), 2) $$;
CREATE FUNCTION spec.ratio(a double precision, b double precision) RETURNS double precision LANGUAGE sql IMMUTABLE AS
$$ SELECT a / nullif(b, 0) $$;

CREATE FUNCTION spec.overview(events regclass, since timestamptz = NULL, until timestamptz = NULL, event_types text[] = NULL,
                              complete_only boolean = false)
RETURNS TABLE (first_event timestamptz, last_event timestamptz, interactions bigint, views bigint, carts bigint, purchases bigint,
               revenue numeric, users bigint, buyers bigint, sessions bigint, orders bigint, average_order_value numeric,
               conversion double precision)
LANGUAGE sql AS $$
    WITH e AS MATERIALIZED (SELECT * FROM spec.selected(events, since, until, event_types, complete_only)),
    s AS (SELECT user_id, user_session, coalesce(bool_or(event_type = 'purchase'), false) AS bought
          FROM e WHERE user_id IS NOT NULL GROUP BY 1, 2),
    people AS (SELECT count(*) AS sessions, count(*) FILTER (WHERE bought) AS orders, count(DISTINCT user_id) AS users,
                      count(DISTINCT user_id) FILTER (WHERE bought) AS buyers FROM s),
    money AS (SELECT min(event_time) AS first, max(event_time) AS last, count(*) AS n, count(*) FILTER (WHERE event_type = 'view') AS v,
                     count(*) FILTER (WHERE event_type = 'cart') AS c, count(*) FILTER (WHERE event_type = 'purchase') AS p,
                     coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0) AS r FROM e)
    SELECT first, last, n, v, c, p, round(r, 2), users, buyers, sessions, orders, round(r / nullif(orders, 0), 6), spec.ratio(buyers, users)
    FROM people, money $$;

CREATE FUNCTION spec.top_user_categories(events regclass, k int = 10, since timestamptz = NULL, until timestamptz = NULL,
                                         event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (rank bigint, user_id bigint, category_code text, interactions bigint)
LANGUAGE sql AS $$
    SELECT row_number() OVER (ORDER BY n DESC, u, c COLLATE "C"), u, c, n
    FROM (SELECT user_id AS u, category_code AS c, count(*) AS n
          FROM spec.selected(events, since, until, event_types, complete_only) GROUP BY 1, 2) g
    ORDER BY 1 LIMIT k $$;

CREATE FUNCTION spec.top_user_category_brands(events regclass, k int = 10, since timestamptz = NULL, until timestamptz = NULL,
                                              event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (rank bigint, user_id bigint, category_code text, brand text, interactions bigint)
LANGUAGE sql AS $$
    SELECT row_number() OVER (ORDER BY n DESC, u, c COLLATE "C", b COLLATE "C"), u, c, b, n
    FROM (SELECT user_id AS u, category_code AS c, brand AS b, count(*) AS n
          FROM spec.selected(events, since, until, event_types, complete_only) GROUP BY 1, 2, 3) g
    ORDER BY 1 LIMIT k $$;

CREATE FUNCTION spec.favorite_category_brands(events regclass, users bigint[] = NULL, n int = 3, since timestamptz = NULL,
                                              until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (user_id bigint, rank bigint, category_code text, brand text, interactions bigint)
LANGUAGE sql AS $$
    SELECT u, r, c, b, m
    FROM (SELECT user_id AS u, category_code AS c, brand AS b, count(*) AS m,
                 row_number() OVER (PARTITION BY user_id ORDER BY count(*) DESC, category_code COLLATE "C", brand COLLATE "C") AS r
          FROM spec.selected(events, since, until, event_types, complete_only) e
          WHERE users IS NULL OR user_id = ANY (users) GROUP BY 1, 2, 3) g
    WHERE n IS NULL OR r <= n
    ORDER BY u, r $$;

CREATE FUNCTION spec.engaged_users(events regclass, k int = 10, category text = NULL, brand text = NULL, since timestamptz = NULL,
                                   until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (category_code text, brand text, rank bigint, user_id bigint, interactions bigint, purchases bigint, revenue numeric)
LANGUAGE sql AS $$
    SELECT c, b, r, u, m, p, v
    FROM (SELECT category_code AS c, brand AS b, user_id AS u, count(*) AS m, count(*) FILTER (WHERE event_type = 'purchase') AS p,
                 spec.money(sum(price) FILTER (WHERE event_type = 'purchase')) AS v,
                 row_number() OVER (PARTITION BY category_code, brand ORDER BY count(*) DESC, user_id) AS r
          FROM spec.selected(events, since, until, event_types, complete_only) e
          WHERE (engaged_users.category IS NULL OR category_code = engaged_users.category)
            AND (engaged_users.brand IS NULL OR e.brand = engaged_users.brand) GROUP BY 1, 2, 3) g
    WHERE k IS NULL OR r <= k
    ORDER BY c COLLATE "C", b COLLATE "C", r $$;

CREATE FUNCTION spec.popular_categories(events regclass, k int = 20, by text = 'id', since timestamptz = NULL, until timestamptz = NULL,
                                        event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (rank bigint, category_id bigint, category_code text, interaction_count bigint, views bigint, carts bigint,
               purchases bigint, revenue numeric)
LANGUAGE sql AS $$
    SELECT row_number() OVER (ORDER BY n DESC, i, c COLLATE "C"), i, c, n, v, t, p, r
    FROM (SELECT CASE WHEN by = 'id' THEN category_id END AS i, category_code AS c, count(*) AS n,
                 count(*) FILTER (WHERE event_type = 'view') AS v, count(*) FILTER (WHERE event_type = 'cart') AS t,
                 count(*) FILTER (WHERE event_type = 'purchase') AS p,
                 spec.money(sum(price) FILTER (WHERE event_type = 'purchase')) AS r
          FROM spec.selected(events, since, until, event_types, complete_only) GROUP BY 1, 2) g
    ORDER BY 1 LIMIT k $$;

CREATE FUNCTION spec.price_sensitivity(events regclass, k int = 10, since timestamptz = NULL, until timestamptz = NULL,
                                       event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (rank bigint, category_code text, average_price numeric, max_price numeric, min_price numeric, interactions bigint)
LANGUAGE sql AS $$
    SELECT row_number() OVER (ORDER BY s * 1e30 / p DESC NULLS LAST, c COLLATE "C"), c, round(s / p, 6), round(high, 2), round(low, 2), n
    FROM (SELECT category_code AS c, sum(price) AS s, nullif(count(price), 0) AS p, max(price) AS high, min(price) AS low, count(*) AS n
          FROM spec.selected(events, since, until, event_types, complete_only) GROUP BY 1) g
    ORDER BY 1 LIMIT k $$;

CREATE FUNCTION spec.price_bands(events regclass, category text = NULL, bands int = 10, since timestamptz = NULL,
                                 until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (category_code text, band int, low numeric, high numeric, interactions bigint, views bigint, carts bigint,
               purchases bigint, revenue numeric, conversion double precision)
LANGUAGE sql AS $$
    WITH priced AS MATERIALIZED (
        SELECT e.category_code AS c, price, event_type, row_number() OVER w AS r, count(*) OVER (PARTITION BY e.category_code) AS n
        FROM spec.selected(events, since, until, event_types, complete_only) e
        WHERE price IS NOT NULL AND (category IS NULL OR e.category_code = category)
        WINDOW w AS (PARTITION BY e.category_code ORDER BY price)),
    edges AS (
        SELECT DISTINCT c, price AS edge FROM priced
        WHERE EXISTS (SELECT FROM generate_series(0::bigint, bands) i WHERE r = greatest(1, (i * n + bands - 1) / bands))),
    ranges AS (
        SELECT c, edge AS low, lead(edge) OVER w AS high, row_number() OVER w AS band, count(*) OVER (PARTITION BY c) AS edges
        FROM edges WINDOW w AS (PARTITION BY c ORDER BY edge)),
    closed AS (
        SELECT c, band, low, coalesce(high, low) AS high, band = greatest(edges - 1, 1) AS is_last
        FROM ranges WHERE high IS NOT NULL OR edges = 1)
    SELECT b.c, b.band::int, round(b.low, 2), round(b.high, 2), count(p.*), count(p.*) FILTER (WHERE event_type = 'view'),
           count(p.*) FILTER (WHERE event_type = 'cart'), count(p.*) FILTER (WHERE event_type = 'purchase'),
           spec.money(sum(price) FILTER (WHERE event_type = 'purchase')),
           spec.ratio(count(p.*) FILTER (WHERE event_type = 'purchase'), count(p.*) FILTER (WHERE event_type = 'view'))
    FROM closed b LEFT JOIN priced p ON p.c IS NOT DISTINCT FROM b.c AND p.price >= b.low AND (p.price < b.high OR (is_last AND p.price <= b.high))
    GROUP BY b.c, b.band, b.low, b.high
    ORDER BY b.c COLLATE "C", b.band $$;

CREATE FUNCTION spec.sales_trend(events regclass, bucket text = 'day', tz text = 'UTC', category text = NULL, since timestamptz = NULL,
                                 until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (bucket timestamptz, interactions bigint, views bigint, carts bigint, purchases bigint, revenue numeric, users bigint,
               buyers bigint, peak boolean)
LANGUAGE sql AS $$
    WITH e AS MATERIALIZED (
        SELECT date_trunc(sales_trend.bucket, event_time, tz) AS b, * FROM spec.selected(events, since, until, event_types, complete_only) s
        WHERE category IS NULL OR s.category_code = category),
    ends AS (SELECT min(b) AS first, max(b) AS last FROM e WHERE isfinite(b)),
    steps AS (SELECT DISTINCT date_trunc(sales_trend.bucket, t, tz) AS b
              FROM ends, generate_series(first, last, CASE sales_trend.bucket WHEN 'hour' THEN interval '30 minutes' ELSE '6 hours' END) t),
    rows AS (
        SELECT b, count(e.event) AS n, count(*) FILTER (WHERE event_type = 'view') AS v, count(*) FILTER (WHERE event_type = 'cart') AS c,
               count(*) FILTER (WHERE event_type = 'purchase') AS p,
               spec.money(sum(price) FILTER (WHERE event_type = 'purchase')) AS r, count(DISTINCT user_id) AS u,
               count(DISTINCT user_id) FILTER (WHERE event_type = 'purchase') AS y
        FROM (SELECT b, 1 AS event, event_type, price, user_id FROM e UNION ALL SELECT b, NULL, NULL, NULL, NULL FROM steps) e GROUP BY b),
    sums AS (SELECT count(*) AS n, sum(r) AS x, sum(r * r) AS xx FROM rows)
    SELECT b, rows.n, v, c, p, r, u, y, sums.n * r > x AND (sums.n * r - x) ^ 2 >= 4 * (sums.n * xx - x * x)
    FROM rows, sums ORDER BY b $$;

CREATE FUNCTION spec.customer_trend(events regclass, bucket text = 'day', tz text = 'UTC', since timestamptz = NULL,
                                    until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (bucket timestamptz, users bigint, new_users bigint, returning_users bigint, buyers bigint, repeat_buyers bigint)
LANGUAGE sql AS $$
    WITH everything AS MATERIALIZED (SELECT * FROM spec.selected(events, '-infinity', 'infinity', event_types, complete_only)),
    firsts AS (SELECT user_id, date_trunc(customer_trend.bucket, min(event_time), tz) AS b FROM everything WHERE user_id IS NOT NULL GROUP BY 1),
    orders AS (SELECT user_id, user_session, min(event_time) AS ordered FROM everything
               WHERE user_id IS NOT NULL AND event_type = 'purchase' GROUP BY 1, 2),
    repeats AS (SELECT o.*, EXISTS (SELECT FROM orders a WHERE a.user_id = o.user_id AND a.ordered < o.ordered) AS again FROM orders o),
    e AS (SELECT date_trunc(customer_trend.bucket, event_time, tz) AS b, *
          FROM spec.selected(events, since, until, event_types, complete_only))
    SELECT e.b, count(DISTINCT e.user_id), count(DISTINCT e.user_id) FILTER (WHERE f.b IS NOT DISTINCT FROM e.b),
           count(DISTINCT e.user_id) - count(DISTINCT e.user_id) FILTER (WHERE f.b IS NOT DISTINCT FROM e.b),
           count(DISTINCT e.user_id) FILTER (WHERE e.event_type = 'purchase'),
           count(DISTINCT e.user_id) FILTER (WHERE e.event_type = 'purchase' AND r.again)
    FROM e LEFT JOIN firsts f ON f.user_id = e.user_id
         LEFT JOIN repeats r ON r.user_id = e.user_id AND r.user_session IS NOT DISTINCT FROM e.user_session
    GROUP BY e.b ORDER BY e.b $$;

CREATE FUNCTION spec.product_performance(events regclass, k int = 20, order_by text = 'revenue', since timestamptz = NULL,
                                         until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (rank bigint, product_id bigint, category_code text, brand text, views bigint, carts bigint, purchases bigint,
               revenue numeric, average_price numeric, conversion double precision)
LANGUAGE sql AS $$
    WITH e AS MATERIALIZED (SELECT * FROM spec.selected(events, since, until, event_types, complete_only)),
    latest AS (SELECT DISTINCT ON (product_id) product_id AS i, category_code AS c, brand AS b FROM e
               ORDER BY product_id, event_time DESC NULLS LAST, category_code COLLATE "C", brand COLLATE "C"),
    sums AS (SELECT product_id AS i, count(*) FILTER (WHERE event_type = 'view') AS v, count(*) FILTER (WHERE event_type = 'cart') AS t,
                    count(*) FILTER (WHERE event_type = 'purchase') AS p,
                    coalesce(sum(price) FILTER (WHERE event_type = 'purchase'), 0) AS r, round(sum(price) / nullif(count(price), 0), 6) AS a
             FROM e GROUP BY 1),
    measured AS (SELECT *, CASE order_by WHEN 'revenue' THEN r WHEN 'views' THEN v WHEN 'purchases' THEN p
                                         ELSE p * 1e30 / nullif(v, 0) END AS measure FROM sums)
    SELECT row_number() OVER (ORDER BY measure DESC NULLS LAST, m.i), m.i, c, b, v, t, p, round(r, 2), a, spec.ratio(p, v)
    FROM measured m JOIN latest l ON l.i IS NOT DISTINCT FROM m.i
    ORDER BY 1 LIMIT k $$;

CREATE FUNCTION spec.funnel(events regclass, by text = 'category', since timestamptz = NULL, until timestamptz = NULL,
                            event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (key text, viewers bigint, carters bigint, buyers bigint, view_to_cart double precision, cart_to_buy double precision,
               view_to_buy double precision)
LANGUAGE sql AS $$
    WITH e AS MATERIALIZED (
        SELECT CASE by WHEN 'category' THEN category_code WHEN 'brand' THEN brand END AS g, event_type, user_id
        FROM spec.selected(events, since, until, event_types, complete_only)),
    keys AS (SELECT DISTINCT g FROM e UNION SELECT NULL WHERE by = 'none')
    SELECT k.g, v, c, b, spec.ratio(c, v), spec.ratio(b, c), spec.ratio(b, v)
    FROM (SELECT keys.g, count(DISTINCT user_id) FILTER (WHERE event_type = 'view') AS v,
                 count(DISTINCT user_id) FILTER (WHERE event_type = 'cart') AS c,
                 count(DISTINCT user_id) FILTER (WHERE event_type = 'purchase') AS b
          FROM keys LEFT JOIN e ON e.g IS NOT DISTINCT FROM keys.g GROUP BY 1) k
    ORDER BY v DESC, k.g COLLATE "C" $$;

CREATE FUNCTION spec.customer_scores(events regclass, as_of timestamptz = NULL, since timestamptz = NULL, until timestamptz = NULL,
                                     event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (user_id bigint, recency_days double precision, frequency bigint, monetary numeric, r int, f int, m int, segment text,
               repeat_buyer boolean, high_value boolean)
LANGUAGE sql AS $$
    WITH e AS MATERIALIZED (SELECT * FROM spec.selected(events, since, until, event_types, complete_only)),
    day AS (SELECT coalesce(as_of, max(event_time) FILTER (WHERE isfinite(event_time))) AS day FROM e),
    bought AS (
        SELECT user_id AS u, CASE WHEN max(event_time) = '-infinity' THEN 'Infinity'
                                  ELSE extract(epoch FROM min(day) - max(event_time))::float8 / 86400 END AS recency,
               count(DISTINCT user_session) + max((user_session IS NULL)::int) AS frequency, coalesce(sum(price), 0) AS monetary
        FROM e, day WHERE event_type = 'purchase' AND user_id IS NOT NULL AND event_time <= day GROUP BY 1),
    scored AS (
        SELECT u, recency, frequency, monetary,
               (1 + 5 * (rank() OVER (ORDER BY recency DESC) - 1) / count(*) OVER ())::int AS r,
               (1 + 5 * (rank() OVER (ORDER BY frequency) - 1) / count(*) OVER ())::int AS f,
               (1 + 5 * (rank() OVER (ORDER BY monetary) - 1) / count(*) OVER ())::int AS m FROM bought)
    SELECT u, recency, frequency, round(monetary, 2), r, f, m,
           CASE WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'champions' WHEN r <= 2 AND f >= 3 THEN 'at_risk' WHEN f >= 4 THEN 'loyal'
                WHEN r = 5 AND f <= 2 THEN 'new' WHEN r <= 2 THEN 'hibernating' ELSE 'promising' END,
           frequency > 1, m = 5
    FROM scored s ORDER BY s.monetary DESC, u $$;

CREATE FUNCTION spec.customer_segments(events regclass, as_of timestamptz = NULL, since timestamptz = NULL, until timestamptz = NULL,
                                       event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (segment text, customers bigint, orders bigint, revenue numeric, revenue_share double precision,
               average_recency_days double precision, average_frequency double precision, average_monetary numeric)
LANGUAGE sql AS $$
    WITH scores AS MATERIALIZED (SELECT * FROM spec.customer_scores(events, as_of, since, until, event_types, complete_only)),
    browsers AS (SELECT count(DISTINCT user_id) AS n FROM spec.selected(events, since, until, event_types, complete_only) e
                 WHERE NOT EXISTS (SELECT FROM scores s WHERE s.user_id = e.user_id)),
    grouped AS (
        SELECT g.segment AS g, CASE g.segment WHEN 'browsers' THEN (SELECT n FROM browsers) ELSE count(s.*) END AS c,
               coalesce(sum(frequency), 0)::bigint AS o, spec.money(sum(monetary)) AS v, avg(recency_days) AS r,
               avg(frequency)::float8 AS f, round(avg(monetary), 6) AS a
        FROM unnest('{champions,at_risk,loyal,new,hibernating,promising,browsers}'::text[]) AS g(segment)
             LEFT JOIN scores s ON s.segment = g.segment GROUP BY 1)
    SELECT g, c, o, v, (v / nullif(sum(v) OVER (), 0))::float8, r, f, a FROM grouped ORDER BY v DESC, g COLLATE "C" $$;

CREATE FUNCTION spec.cross_sell(events regclass, k int = 20, level text = 'category', basket text = 'session', min_baskets bigint = 1,
                                event_types text[] = '{purchase}', since timestamptz = NULL, until timestamptz = NULL,
                                complete_only boolean = false)
RETURNS TABLE (rank bigint, item_a text, item_b text, baskets bigint, support double precision, confidence_ab double precision,
               confidence_ba double precision, lift double precision)
LANGUAGE sql AS $$
    WITH items AS MATERIALIZED (
        SELECT DISTINCT user_id AS u, CASE basket WHEN 'session' THEN user_session END AS s,
               CASE level WHEN 'category' THEN category_code WHEN 'brand' THEN brand ELSE product_id::text END COLLATE "C" AS item
        FROM spec.selected(events, since, until, event_types, complete_only)
        WHERE user_id IS NOT NULL AND (basket = 'user' OR user_session IS NOT NULL)
          AND CASE level WHEN 'category' THEN category_code WHEN 'brand' THEN brand ELSE product_id::text END IS NOT NULL),
    total AS (SELECT count(*) AS n FROM (SELECT DISTINCT u, s FROM items) x),
    single AS (SELECT item, count(*) AS n FROM items GROUP BY 1),
    pairs AS (SELECT x.item AS a, y.item AS b, count(*) AS n
              FROM items x JOIN items y ON x.u = y.u AND x.s IS NOT DISTINCT FROM y.s AND x.item < y.item GROUP BY 1, 2)
    SELECT row_number() OVER (ORDER BY p.n DESC, p.a, p.b), p.a, p.b, p.n, spec.ratio(p.n, total.n), spec.ratio(p.n, sa.n),
           spec.ratio(p.n, sb.n), p.n::float8 * total.n / (sa.n::float8 * sb.n)
    FROM pairs p JOIN single sa ON sa.item = p.a JOIN single sb ON sb.item = p.b, total
    WHERE p.n >= min_baskets ORDER BY 1 LIMIT k $$;

CREATE FUNCTION spec.category_correlation(events regclass, k int = 20, min_users bigint = 10, since timestamptz = NULL,
                                          until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (rank bigint, category_a text, category_b text, users_both bigint, phi double precision)
LANGUAGE sql AS $$
    WITH has AS MATERIALIZED (
        SELECT DISTINCT user_id AS u, category_code COLLATE "C" AS c FROM spec.selected(events, since, until, event_types, complete_only)
        WHERE user_id IS NOT NULL AND category_code IS NOT NULL),
    total AS (SELECT count(DISTINCT u)::numeric AS n FROM has),
    single AS (SELECT c, count(*)::numeric AS n FROM has GROUP BY 1),
    pairs AS (SELECT x.c AS a, y.c AS b, count(*) AS n FROM has x JOIN has y ON x.u = y.u AND x.c < y.c GROUP BY 1, 2),
    measured AS (
        SELECT p.a, p.b, p.n, ((total.n * p.n - sa.n * sb.n) /
               nullif(sqrt(sa.n * sb.n * (total.n - sa.n) * (total.n - sb.n) * 1.000000000000000000000000000000), 0))::float8 AS phi
        FROM pairs p JOIN single sa ON sa.c = p.a JOIN single sb ON sb.c = p.b, total WHERE p.n >= min_users)
    SELECT row_number() OVER (ORDER BY m.phi DESC NULLS LAST, a, b), a, b, n, m.phi FROM measured m ORDER BY 1 LIMIT k $$;

CREATE FUNCTION spec.trending(events regclass, period interval = '7 days', as_of timestamptz = NULL, k int = 20, by text = 'category',
                              measure text = 'interactions', min_previous numeric = 10, since timestamptz = NULL,
                              until timestamptz = NULL, event_types text[] = NULL, complete_only boolean = false)
RETURNS TABLE (rank bigint, key text, current numeric, previous numeric, growth double precision, contribution double precision)
LANGUAGE sql SET TimeZone = 'UTC' AS $$
    WITH e AS MATERIALIZED (
        SELECT CASE by WHEN 'category' THEN category_code WHEN 'brand' THEN brand ELSE product_id::text END AS g, event_time,
               CASE measure WHEN 'interactions' THEN 1 ELSE CASE WHEN event_type = 'purchase' THEN coalesce(price, 0) ELSE 0 END END AS x
        FROM spec.selected(events, '-infinity', 'infinity', event_types, complete_only)),
    day AS (SELECT coalesce(as_of, max(event_time) FILTER (WHERE isfinite(event_time))) AS day FROM e),
    sums AS (
        SELECT g, coalesce(sum(x) FILTER (WHERE event_time > day - period), 0) AS now,
               coalesce(sum(x) FILTER (WHERE event_time <= day - period), 0) AS before
        FROM e, day WHERE event_time > day - 2 * period AND event_time <= day GROUP BY 1),
    total AS (SELECT sum(now - before) AS change FROM sums)
    SELECT row_number() OVER (ORDER BY now * 1e30 / nullif(before, 0) DESC NULLS LAST, g COLLATE "C"), g,
           round(now, CASE measure WHEN 'interactions' THEN 0 ELSE 2 END), round(before, CASE measure WHEN 'interactions' THEN 0 ELSE 2 END),
           (now / nullif(before, 0) - 1)::float8, ((now - before) / nullif(change, 0))::float8
    FROM sums, total WHERE before >= min_previous ORDER BY 1 LIMIT k $$;
