--
-- Insights about users and what they buy together.
--

CREATE FUNCTION favorite_category_brands(events regclass, users bigint[] DEFAULT NULL, n int DEFAULT 3,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (user_id bigint, rank bigint, category_code text, brand text, interactions bigint)
    AS 'MODULE_PATHNAME', 'ec_favorite_category_brands'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT insight_support;
COMMENT ON FUNCTION favorite_category_brands(regclass, bigint[], int, timestamptz, timestamptz, text[], boolean) IS
'Each user''s combinations of category and brand with the most interactions (rows), by user, most first; rows without a user form a group (user_id NULL, last).
events: the events relation.
users: only these users; NULL for all.
n: combinations wanted for each user, NULL for all.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION engaged_users(events regclass, k int DEFAULT 10, category text DEFAULT NULL, brand text DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (category_code text, brand text, rank bigint, user_id bigint, interactions bigint,
                   purchases bigint, revenue numeric)
    AS 'MODULE_PATHNAME', 'ec_engaged_users'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1000 SUPPORT insight_support;
COMMENT ON FUNCTION engaged_users(regclass, int, text, text, timestamptz, timestamptz, text[], boolean) IS
'The users with the most interactions (rows) within each category and brand, with their purchases and the revenue of these, by category and brand, most first.
events: the events relation.
k: users wanted for each category and brand, NULL for all.
category: only this category_code; NULL for all, also those without one.
brand: only this brand; NULL for all, also those without one.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION customer_scores(events regclass, as_of timestamptz DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (user_id bigint, recency_days double precision, frequency bigint, monetary numeric,
                   r int, f int, m int, segment text, repeat_buyer boolean, high_value boolean)
    AS 'MODULE_PATHNAME', 'ec_customer_scores'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT insight_support;
COMMENT ON FUNCTION customer_scores(regclass, timestamptz, timestamptz, timestamptz, text[], boolean) IS
'Users who bought something, greatest revenue first: days since their last purchase (recency_days), orders (frequency), revenue (monetary), each scored from 1 to 5 by fifths of the customers (r, f, m; 5 is best: recent, often, much), the segment that follows from the scores, more than one order (repeat_buyer), m = 5 (high_value).
events: the events relation.
as_of: the moment to look from: purchases after it don''t count; NULL for the latest finite event_time of the selected rows.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION customer_segments(events regclass, as_of timestamptz DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (segment text, customers bigint, orders bigint, revenue numeric, revenue_share double precision,
                   average_recency_days double precision, average_frequency double precision, average_monetary numeric)
    AS 'MODULE_PATHNAME', 'ec_customer_segments'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 7 SUPPORT insight_support;
COMMENT ON FUNCTION customer_segments(regclass, timestamptz, timestamptz, timestamptz, text[], boolean) IS
'The seven segments of users, greatest revenue first. By the scores of customer_scores, the first that fits: champions (r, f, m at least 4), at_risk (r at most 2, f at least 3), loyal (f at least 4), new (r 5, f at most 2), hibernating (r at most 2), promising; and browsers, users without a purchase.
events: the events relation.
as_of: the moment to look from: purchases after it don''t count; NULL for the latest finite event_time of the selected rows.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION cross_sell(events regclass, k int DEFAULT 20, level text DEFAULT 'category', basket text DEFAULT 'session', min_baskets int DEFAULT 1,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT '{purchase}', complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, item_a text, item_b text, baskets bigint, support double precision,
                   confidence_ab double precision, confidence_ba double precision, lift double precision)
    AS 'MODULE_PATHNAME', 'ec_cross_sell'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20 SUPPORT insight_support;
COMMENT ON FUNCTION cross_sell(regclass, int, text, text, int, timestamptz, timestamptz, text[], boolean) IS
'Pairs of items that are in a basket together, most baskets first. Of the baskets with any item, support is the share with both; confidence_ab is the share of the baskets with item_a that have item_b, too; lift is how many times more often they meet than independent items would.
events: the events relation.
k: rows wanted, NULL for all.
level: what an item is, category (category_code), brand or product (product_id).
basket: session (user_id and user_session) or user.
min_baskets: only pairs in at least so many baskets.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION category_correlation(events regclass, k int DEFAULT 20, min_users int DEFAULT 10,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (rank bigint, category_a text, category_b text, users_both bigint, phi double precision)
    AS 'MODULE_PATHNAME', 'ec_category_correlation'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 20 SUPPORT insight_support;
COMMENT ON FUNCTION category_correlation(regclass, int, int, timestamptz, timestamptz, text[], boolean) IS
'Pairs of categories by the correlation (phi coefficient, -1 to 1) of having interacted with one and with the other, over the users with any category; greatest first.
events: the events relation.
k: rows wanted, NULL for all.
min_users: only pairs that at least so many users have in common.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';

CREATE FUNCTION customer_clusters(events regclass, clusters int DEFAULT 5, seed int DEFAULT 0, as_of timestamptz DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    event_types text[] DEFAULT NULL, complete_only boolean DEFAULT false)
    RETURNS TABLE (user_id bigint, cluster int, recency_days double precision, frequency bigint, monetary numeric)
    AS 'MODULE_PATHNAME', 'ec_customer_clusters'
    LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10000 SUPPORT insight_support;
COMMENT ON FUNCTION customer_clusters(regclass, int, int, timestamptz, timestamptz, timestamptz, text[], boolean) IS
'Users who bought something, greatest revenue first, in clusters of similar recency, frequency and revenue (as in customer_scores; k-means++ over their standardised logarithms), cluster 1 having the greatest mean revenue.
events: the events relation.
clusters: how many, 1 to 1000; fewer if there are not so many different customers.
seed: of the random numbers; the same seed and rows give the same clusters.
as_of: the moment to look from: purchases after it don''t count; NULL for the latest finite event_time of the selected rows.
since, until: rows with since <= event_time < until; NULL stands for the parameters ecinsight.since and ecinsight.until, or no bound; -infinity and infinity for no bound in any case.
event_types: only rows of these types; NULL for all.
complete_only: drop rows with a NULL in any of the nine columns first.';
