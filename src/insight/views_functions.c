/*
 * views_functions.c
 *	  The views that show a function's rows, in types that BI tools read.
 *
 * Ids are text, money is numeric(18,2), averages are numeric(18,6), times are UTC.
 */
#include "postgres.h"

#include "insight/views.h"

#define MEASURES                                                                                   \
	"interactions, views, carts, purchases, revenue, priced, price_sum, price_min, price_max"

static const EcFunctionView views[] = {
	{"overview", "",
	 "(first_event AT TIME ZONE 'UTC') AS first_event, (last_event AT TIME ZONE 'UTC') "
	 "AS last_event, interactions, views, carts, purchases, revenue::numeric(18,2) AS "
	 "revenue, users, buyers, sessions, orders, average_order_value::numeric(18,6) AS "
	 "average_order_value, conversion",
	 "One row about all events: when, counts, revenue, distinct users, buyers, "
	 "sessions and orders, revenue per order, share of users who bought."},
	{"top_user_categories", ", k => 1000",
	 "rank, user_id::text AS user_id, category_code, interactions",
	 "The 1000 pairs of user and category with the most interactions."},
	{"top_user_category_brands", ", k => 1000",
	 "rank, user_id::text AS user_id, category_code, brand, interactions",
	 "The 1000 combinations of user, category and brand with the most interactions."},
	{"favorite_category_brands", "",
	 "user_id::text AS user_id, rank, category_code, brand, interactions",
	 "Each user's three combinations of category and brand with the most interactions."},
	{"engaged_users", ", k => 10",
	 "category_code, brand, rank, user_id::text AS user_id, interactions, purchases, "
	 "revenue::numeric(18,2) AS revenue",
	 "The ten users with the most interactions in each combination of category and "
	 "brand, with their purchases and revenue."},
	{"popular_categories", ", k => NULL",
	 "rank, category_id::text AS category_id, category_code, interaction_count, views, "
	 "carts, purchases, revenue::numeric(18,2) AS revenue",
	 "Categories by interactions, with views, carts, purchases and revenue."},
	{"price_sensitivity", ", k => NULL",
	 "rank, category_code, average_price::numeric(18,6) AS average_price, "
	 "max_price::numeric(18,2) AS max_price, min_price::numeric(18,2) AS min_price, "
	 "interactions",
	 "Average, greatest and least price of each category over all its interactions."},
	{"price_bands", "",
	 "category_code, band::bigint AS band, low::numeric(18,2) AS low, "
	 "high::numeric(18,2) AS high, interactions, views, carts, purchases, "
	 "revenue::numeric(18,2) AS revenue, conversion",
	 "Each category in up to ten bands of price with equally many interactions: "
	 "counts, revenue and purchases per view."},
	{"sales_trend", "",
	 "(bucket AT TIME ZONE 'UTC')::date AS bucket, interactions, views, carts, "
	 "purchases, revenue::numeric(18,2) AS revenue, users, buyers, peak",
	 "Each day (UTC): counts, revenue, distinct users and buyers, and whether the "
	 "revenue is a peak."},
	{"customer_trend", "",
	 "(bucket AT TIME ZONE 'UTC')::date AS bucket, users, new_users, returning_users, "
	 "buyers, repeat_buyers",
	 "Each day (UTC): distinct users, new and returning ones, buyers and repeat "
	 "buyers."},
	{"product_performance", ", k => 1000",
	 "rank, product_id::text AS product_id, category_code, brand, views, carts, "
	 "purchases, revenue::numeric(18,2) AS revenue, average_price::numeric(18,6) AS "
	 "average_price, conversion",
	 "The 1000 products with the greatest revenue: counts, average price, purchases "
	 "per view."},
	{"funnel", "",
	 "key, viewers, carters, buyers, view_to_cart, cart_to_buy, "
	 "view_to_buy",
	 "Distinct users who viewed, put into the cart and bought in each category, and "
	 "the ratios of these numbers."},
	{"customer_scores", "",
	 "user_id::text AS user_id, recency_days, frequency, monetary::numeric(18,2) AS "
	 "monetary, r::bigint AS r, f::bigint AS f, m::bigint AS m, segment, repeat_buyer, "
	 "high_value",
	 "Buyers by recency, frequency and monetary value, each scored 1 to 5, with their "
	 "segment."},
	{"customer_segments", "",
	 "segment, customers, orders, revenue::numeric(18,2) AS revenue, revenue_share, "
	 "average_recency_days, average_frequency, average_monetary::numeric(18,6) AS "
	 "average_monetary",
	 "Segments of customers by their scores, with orders, revenue and averages."},
	{"cross_sell", ", k => NULL",
	 "rank, item_a, item_b, baskets, support, confidence_ab, confidence_ba, lift",
	 "Pairs of categories bought in one session, with support, confidence and lift."},
	{"category_correlation", ", k => NULL", "rank, category_a, category_b, users_both, phi",
	 "Pairs of categories by how much the same users take an interest in both (phi "
	 "coefficient)."},
	{"trending", ", k => NULL",
	 "rank, key, current::numeric(18,2) AS current, "
	 "previous::numeric(18,2) AS previous, growth, contribution",
	 "Growth of the categories' interactions in the last seven days against the seven "
	 "days before."},
	{"sales_forecast", "", "(bucket AT TIME ZONE 'UTC')::date AS bucket, forecast, low, high",
	 "Revenue of the next 14 days (UTC) as past days make expect, with bounds that "
	 "hold it with a probability of 95 per cent."},
	{"customer_clusters", "",
	 "user_id::text AS user_id, cluster::bigint AS cluster, recency_days, frequency, "
	 "monetary::numeric(18,2) AS monetary",
	 "Buyers in five clusters alike in recency, frequency and monetary value."},
	{"category_hour", "", "bucket, category_id, category_code, brand, " MEASURES,
	 "Events by hour (UTC), category and brand: counts, revenue, and prices to sum and compare."},
	{"category_day", "", "bucket, category_id, category_code, brand, " MEASURES,
	 "Events by day (UTC), category and brand: counts, revenue, and prices to sum and compare."},
	{"sales_hour", "", "bucket, " MEASURES,
	 "Events by hour (UTC): counts, revenue, and prices to sum and compare."},
	{"sales_day", "", "bucket, " MEASURES,
	 "Events by day (UTC): counts, revenue, and prices to sum and compare."},
	{"product_day", "", "bucket, product_id, category_id, category_code, brand, " MEASURES,
	 "Events by day (UTC) and product: counts, revenue, and prices to sum and compare."},
	{"user_category_day", "", "bucket, user_id, category_code, interactions",
	 "Interactions by day (UTC), user and category."},
	{NULL, NULL, NULL, NULL}};

const EcFunctionView *
ec_views_function(int i)
{
	return &views[Min(i, lengthof(views) - 1)];
}
