/*-------------------------------------------------------------------------
 *
 * ecreport_data.c
 *	  The connection, and the queries of the report, all in one snapshot.
 *
 * The views of ecinsight.create_views tell which events relation it is about; the numbers come
 * from the insight functions over it, so that they take the time range as arguments, and for the
 * drill-down from the view product_day.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ecreport.h"

#define TEXTOID 25
#define TIMESTAMPTZOID 1184
#define REGCLASSOID 2205

/* Parameters of every query: $1 events, $2 since, $3 until, $4 bucket. */
#define RANGE "since => $2, until => $3"

typedef struct PanelQuery
{
	const char *name;
	const char *sql; /* %s: the schema of the views */
} PanelQuery;

static const PanelQuery queries[EC_PANELS] = {
	[EC_PANEL_OVERVIEW] =
		{"overview", "SELECT first_event AT TIME ZONE 'UTC' AS first_event, "
					 "last_event AT TIME ZONE 'UTC' AS last_event, interactions, views, carts, "
					 "purchases, revenue, users, buyers, sessions, orders, "
					 "average_order_value, conversion FROM ecinsight.overview($1, " RANGE ")"},
	[EC_PANEL_SALES] = {"sales_trend",
						"SELECT bucket AT TIME ZONE 'UTC' AS bucket, interactions, views, carts, "
						"purchases, revenue, users, buyers, peak "
						"FROM ecinsight.sales_trend($1, bucket => $4, " RANGE ") "
						"WHERE isfinite(bucket) ORDER BY 1"},
	[EC_PANEL_PRICES] = {"price_sensitivity",
						 "SELECT rank, category_code, average_price, max_price, min_price, "
						 "interactions FROM ecinsight.price_sensitivity($1, k => 10, " RANGE ")"},
	[EC_PANEL_CATEGORIES] = {"popular_categories",
							 "SELECT rank, category_id::text AS category_id, category_code, "
							 "interaction_count, views, carts, purchases, revenue "
							 "FROM ecinsight.popular_categories($1, k => 10, " RANGE ")"},
	[EC_PANEL_INTERACTIONS] = {"top_user_categories",
							   "SELECT rank, user_id::text AS user_id, category_code, interactions "
							   "FROM ecinsight.top_user_categories($1, k => 10, " RANGE ")"},
	[EC_PANEL_DRILL] =
		{"drill_down",
		 "WITH product AS (SELECT category_code, brand, product_id, sum(interactions) AS i, "
		 "sum(purchases) AS p, sum(revenue) AS r FROM %s.product_day "
		 "WHERE ($2 IS NULL OR bucket >= ($2 AT TIME ZONE 'UTC')::date) "
		 "AND ($3 IS NULL OR bucket < ($3 AT TIME ZONE 'UTC')::date) GROUP BY 1, 2, 3), "
		 "sums AS (SELECT *, sum(r) OVER c AS cr, sum(i) OVER c AS ci, sum(r) OVER b AS br, "
		 "sum(i) OVER b AS bi FROM product "
		 "WINDOW c AS (PARTITION BY category_code), b AS (PARTITION BY category_code, brand)), "
		 "ranked AS (SELECT *, "
		 "dense_rank() OVER (ORDER BY cr DESC, ci DESC, category_code COLLATE \"C\") AS c, "
		 "dense_rank() OVER (PARTITION BY category_code "
		 "ORDER BY br DESC, bi DESC, brand COLLATE \"C\") AS b, "
		 "row_number() OVER (PARTITION BY category_code, brand "
		 "ORDER BY r DESC, i DESC, product_id COLLATE \"C\") AS n FROM sums), "
		 "folded AS (SELECT least(c, 11) AS c, CASE WHEN c <= 10 THEN least(b, 9) END AS b, "
		 "CASE WHEN c <= 10 AND b <= 8 THEN least(n, 9) END AS n, "
		 "category_code, brand, product_id, i, p, r FROM ranked) "
		 "SELECT CASE WHEN c <= 10 THEN min(category_code) END AS category_code, c > 10 AS "
		 "other_categories, CASE WHEN b <= 8 THEN min(brand) END AS brand, "
		 "coalesce(b > 8, false) AS other_brands, CASE WHEN n <= 8 THEN min(product_id) END AS "
		 "product_id, coalesce(n > 8, false) AS other_products, "
		 "sum(i)::int8 AS interactions, sum(p)::int8 AS purchases, sum(r) AS revenue, "
		 "count(*) AS products FROM folded GROUP BY c, b, n ORDER BY c, b, n"},
	[EC_PANEL_SEGMENTS] = {"customer_segments",
						   "SELECT segment, customers, orders, revenue, revenue_share, "
						   "average_recency_days, average_frequency, average_monetary "
						   "FROM ecinsight.customer_segments($1, " RANGE ")"},
	[EC_PANEL_CROSS_SELL] =
		{"cross_sell",
		 "WITH pair AS MATERIALIZED (SELECT item_a, item_b, baskets, support, confidence_ab, "
		 "confidence_ba, lift FROM ecinsight.cross_sell($1, k => NULL, " RANGE ")), "
		 "item AS MATERIALIZED (SELECT item FROM (SELECT item_a AS item, baskets FROM pair "
		 "UNION ALL SELECT item_b, baskets FROM pair) AS both_ways "
		 "GROUP BY item ORDER BY sum(baskets) DESC, item COLLATE \"C\" LIMIT 10) "
		 "SELECT pair.* FROM pair WHERE item_a IN (SELECT item FROM item) "
		 "AND item_b IN (SELECT item FROM item) "
		 "ORDER BY baskets DESC, item_a COLLATE \"C\", item_b COLLATE \"C\""},
	[EC_PANEL_FUNNEL_ALL] = {"funnel_all",
							 "SELECT viewers, carters, buyers, view_to_cart, cart_to_buy, "
							 "view_to_buy FROM ecinsight.funnel($1, by => 'none', " RANGE ")"},
	[EC_PANEL_FUNNEL] = {"funnel",
						 "SELECT key AS category_code, viewers, carters, buyers, view_to_cart, "
						 "cart_to_buy, view_to_buy "
						 "FROM ecinsight.funnel($1, by => 'category', " RANGE ") LIMIT 10"}};

const char *
ec_panel_name(EcPanel panel)
{
	return queries[panel].name;
}

const char *
ec_value(const PGresult *result, int row, const char *column)
{
	int i = PQfnumber(result, column);

	if (i < 0)
		ec_die("a result has no column %s", column);
	return row < PQntuples(result) && !PQgetisnull(result, row, i) ? PQgetvalue(result, row, i)
																   : NULL;
}

double
ec_number(const PGresult *result, int row, const char *column)
{
	const char *value = ec_value(result, row, column);

	return value != NULL ? atof(value) : 0;
}

static char *
copy(const char *s)
{
	char *c = strdup(s);

	if (c == NULL)
		ec_die("out of memory");
	return c;
}

static PGconn *
connect_to(const EcReportOptions *o)
{
	const char *const names[] = {
		"dbname", "host", "port", "user", "client_encoding", "fallback_application_name", NULL};
	const char *const values[] = {o->dbname, o->host, o->port, o->user, "UTF8", "ecreport", NULL};
	PGconn *conn = PQconnectdbParams(names, values, 1);

	if (conn == NULL)
		ec_die("out of memory");
	if (PQstatus(conn) != CONNECTION_OK)
		ec_die("%s", PQerrorMessage(conn));
	return conn;
}

static void
run(PGconn *conn, const char *command)
{
	PGresult *result = PQexec(conn, command);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		ec_die("%s", PQerrorMessage(conn));
	PQclear(result);
}

static PGresult *
query(PGconn *conn, const char *what, const char *sql, const char *const *values)
{
	static const Oid types[] = {REGCLASSOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID};
	PGresult *result = PQexecParams(conn, sql, 4, types, values, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		ec_die("%s: %s", what, PQerrorMessage(conn));
	return result;
}

/* The events relation is what the view sales_day reads. */
static char *
find_events(PGconn *conn, EcReport *report, const char *schema)
{
	const char *values[] = {NULL, NULL, NULL, schema};
	PGresult *result;
	char *oid;

	result = query(conn, "the extension", "SELECT 1 FROM pg_extension WHERE extname = 'ecinsight'",
				   values);
	if (PQntuples(result) == 0)
		ec_die("database \"%s\" doesn't have the extension: CREATE EXTENSION ecinsight",
			   PQdb(conn));
	PQclear(result);
	result = query(conn, "the views",
				   "SELECT DISTINCT d.refobjid, d.refobjid::regclass::text AS relation "
				   "FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace "
				   "JOIN pg_rewrite r ON r.ev_class = v.oid "
				   "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
				   "WHERE n.nspname = $4 AND v.relname = 'sales_day' AND v.relkind = 'v' "
				   "AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid "
				   "AND d.refobjid NOT IN (SELECT oid FROM pg_class WHERE relkind = 'c')",
				   values);
	if (PQntuples(result) != 1)
		ec_die("there are no insight views in schema \"%s\" of database \"%s\": SELECT "
			   "ecinsight.create_views('events'), or name their schema by --schema",
			   schema, PQdb(conn));
	oid = copy(PQgetvalue(result, 0, 0));
	report->relation = copy(PQgetvalue(result, 0, 1));
	PQclear(result);
	return oid;
}

/* Between about 30 and 150 buckets. */
static const char *
choose_bucket(PGconn *conn, const EcReport *report)
{
	static const char *const names[] = {"hour", "day", "week", "month"};
	const char *values[] = {NULL, NULL, NULL, NULL};
	const PGresult *overview = report->panel[EC_PANEL_OVERVIEW];
	PGresult *result;
	int choice;

	values[1] = ec_value(overview, 0, "first_event");
	values[2] = ec_value(overview, 0, "last_event");
	result = query(conn, "the time range",
				   "SELECT CASE WHEN isfinite($2) AND isfinite($3) THEN CASE "
				   "WHEN $3 - $2 < '4 days' THEN 0 WHEN $3 - $2 < '120 days' THEN 1 "
				   "WHEN $3 - $2 < '1000 days' THEN 2 ELSE 3 END ELSE 1 END",
				   values);
	choice = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	return names[choice];
}

static void
read_panel(PGconn *conn, EcReport *report, EcPanel panel, const char *schema,
		   const char *const *values)
{
	const char *place = strstr(queries[panel].sql, "%s");
	char *sql;

	if (place == NULL)
	{
		report->panel[panel] = query(conn, queries[panel].name, queries[panel].sql, values);
		return;
	}
	if (asprintf(&sql, "%.*s%s%s", (int) (place - queries[panel].sql), queries[panel].sql, schema,
				 place + 2) < 0)
		ec_die("out of memory");
	report->panel[panel] = query(conn, queries[panel].name, sql, values);
	free(sql);
}

static void
read_names(PGconn *conn, EcReport *report)
{
	const char *values[] = {NULL, NULL, NULL, NULL};
	PGresult *result =
		query(conn, "the time", "SELECT to_char(now(), 'YYYY-MM-DD HH24:MI')", values);

	report->made_at = copy(PQgetvalue(result, 0, 0));
	report->database = copy(PQdb(conn));
	PQclear(result);
}

void
ec_data_read(EcReport *report, const EcReportOptions *o)
{
	PGconn *conn = connect_to(o);
	char *schema = PQescapeIdentifier(conn, o->schema, strlen(o->schema));
	char *events;
	const char *values[4];

	if (schema == NULL)
		ec_die("%s", PQerrorMessage(conn));
	run(conn, "SET search_path = pg_catalog, pg_temp");
	run(conn, "SET TimeZone = 'UTC'");
	run(conn, "SET DateStyle = 'ISO, YMD'");
	run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
	events = find_events(conn, report, o->schema);
	/* The range is this report's own, whatever the role's settings say. */
	run(conn, "SET LOCAL ecinsight.since = ''");
	run(conn, "SET LOCAL ecinsight.until = ''");
	read_names(conn, report);
	values[0] = events;
	values[1] = o->since;
	values[2] = o->until;
	values[3] = "day";
	for (int panel = 0; panel < EC_PANELS; panel++)
	{
		read_panel(conn, report, panel, schema, values);
		if (panel == EC_PANEL_OVERVIEW)
			values[3] = report->bucket = choose_bucket(conn, report);
	}
	run(conn, "COMMIT");
	PQfreemem(schema);
	free(events);
	PQfinish(conn);
}

void
ec_data_free(EcReport *report)
{
	for (int panel = 0; panel < EC_PANELS; panel++)
		PQclear(report->panel[panel]);
	free(report->relation);
	free(report->database);
	free(report->made_at);
}
