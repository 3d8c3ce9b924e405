/*-------------------------------------------------------------------------
 *
 * ecreport_findings.c
 *	  What the numbers say, in a sentence for each chart, and the tiles at the top.
 *
 * The sentence also is the chart's description for those who don't see it.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "tools/ecreport.h"

static void
write_name(FILE *out, const char *name)
{
	fputs("<b>", out);
	ec_write_html(out, name == NULL ? "(blank)" : *name == '\0' ? "(empty)" : name);
	fputs("</b>", out);
}

static double
ratio(double a, double b)
{
	return b != 0 ? a / b : 0;
}

/* "1 basket", "2 baskets" */
static void
write_counted(FILE *out, double number, const char *what)
{
	ec_write_count(out, number);
	fprintf(out, " %s%s", what, number == 1 ? "" : "s");
}

static double
sum_of(const PGresult *result, const char *column)
{
	double sum = 0;

	for (int row = 0; row < PQntuples(result); row++)
		sum += ec_number(result, row, column);
	return sum;
}

static int
greatest(const PGresult *result, const char *column)
{
	int best = 0;

	for (int row = 1; row < PQntuples(result); row++)
		if (ec_number(result, row, column) > ec_number(result, best, column))
			best = row;
	return best;
}

/* A bucket's beginning: the time of day only where buckets are hours. */
static void
write_bucket(FILE *out, const EcReport *report, int row)
{
	const char *bucket = ec_value(report->panel[EC_PANEL_SALES], row, "bucket");
	const char *space = strchr(bucket, ' ');
	int length = (int) (space - bucket);
	char text[64];

	/* "2019-11-16 00:00:00"; years may have more digits, or end with BC */
	if (strcmp(report->bucket, "hour") == 0)
		length += (int) strlen(" 00:00");
	else if (strcmp(report->bucket, "month") == 0)
		length -= (int) strlen("-16");
	snprintf(text, sizeof(text), "%.*s%s", length, bucket, strstr(bucket, " BC") ? " BC" : "");
	write_name(out, text);
}

static void
find_sales(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_SALES];
	int best = greatest(r, "revenue");
	int peaks = 0;

	for (int row = 0; row < PQntuples(r); row++)
		peaks += *ec_value(r, row, "peak") == 't';
	fprintf(out, "The best %s, ", report->bucket);
	write_bucket(out, report, best);
	fputs(", brought ", out);
	ec_write_money(out, ec_number(r, best, "revenue"));
	fputs(", ", out);
	ec_write_share(out, ratio(ec_number(r, best, "revenue"), sum_of(r, "revenue")));
	if (peaks > 0)
		fprintf(out, " of the revenue. %d of %d %ss stand out as peak%s.", peaks, PQntuples(r),
				report->bucket, peaks == 1 ? "" : "s");
	else
		fprintf(out, " of the revenue. No %s stands out as a peak.", report->bucket);
}

static void
find_prices(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_PRICES];
	int last = PQntuples(r) - 1;

	write_name(out, ec_value(r, 0, "category_code"));
	fputs(" is the dearest category, ", out);
	ec_write_money(out, ec_number(r, 0, "average_price"));
	fputs(" on average", out);
	if (last > 0)
	{
		fprintf(out, "; number %d, ", last + 1);
		write_name(out, ec_value(r, last, "category_code"));
		fputs(", comes to ", out);
		ec_write_money(out, ec_number(r, last, "average_price"));
	}
	putc('.', out);
}

static void
find_categories(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_CATEGORIES];
	double all = ec_number(report->panel[EC_PANEL_OVERVIEW], 0, "interactions");

	write_name(out, ec_value(r, 0, "category_code"));
	fputs(" draws ", out);
	ec_write_share(out, ratio(ec_number(r, 0, "interaction_count"), all));
	fputs(" of all interactions", out);
	if (PQntuples(r) > 1)
	{
		fprintf(out, ", the %d leading categories together ", PQntuples(r));
		ec_write_share(out, ratio(sum_of(r, "interaction_count"), all));
	}
	putc('.', out);
}

static void
find_interactions(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_INTERACTIONS];

	fputs("Nobody is busier than user ", out);
	write_name(out, ec_value(r, 0, "user_id"));
	fputs(" in ", out);
	write_name(out, ec_value(r, 0, "category_code"));
	fputs(": ", out);
	write_counted(out, ec_number(r, 0, "interactions"), "interaction");
	putc('.', out);
}

static void
find_drill(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_DRILL];
	const char *first = ec_value(r, 0, "category_code");
	double best = 0;

	for (int row = 0; row < PQntuples(r); row++)
	{
		const char *category = ec_value(r, row, "category_code");
		bool other = *ec_value(r, row, "other_categories") == 't';

		if (!other &&
			(first == NULL ? category == NULL : category != NULL && strcmp(category, first) == 0))
			best += ec_number(r, row, "revenue");
	}
	write_name(out, first);
	fputs(" earns most, ", out);
	ec_write_share(out, ratio(best, sum_of(r, "revenue")));
	fputs(" of the revenue. Choose a category to see its brands, and a brand to see its products.",
		  out);
}

/* Of the buyers, so without browsers. */
static void
find_segments(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_SEGMENTS];
	double buyers = ec_number(report->panel[EC_PANEL_OVERVIEW], 0, "buyers");
	int best = greatest(r, "revenue");

	fputs("Customers in segment ", out);
	write_name(out, ec_value(r, best, "segment"));
	fputs(" are ", out);
	ec_write_share(out, ratio(ec_number(r, best, "customers"), buyers));
	fputs(" of those who buy and bring ", out);
	ec_write_share(out, ec_number(r, best, "revenue_share"));
	fputs(" of the revenue; ", out);
	for (int row = 0; row < PQntuples(r); row++)
		if (strcmp(ec_value(r, row, "segment"), "browsers") == 0)
		{
			write_counted(out, ec_number(r, row, "customers"), "visitor");
			fprintf(out, " %s not bought yet.",
					ec_number(r, row, "customers") == 1 ? "has" : "have");
		}
}

static void
write_pair(FILE *out, const PGresult *r, int row)
{
	write_name(out, ec_value(r, row, "item_a"));
	fputs(" and ", out);
	write_name(out, ec_value(r, row, "item_b"));
}

/* The greatest lift of pairs that came together by more than an accident; else the most frequent. */
static void
find_cross_sell(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_CROSS_SELL];
	int best = 0;

	for (int row = 1; row < PQntuples(r); row++)
		if (ec_number(r, row, "baskets") * 20 >= ec_number(r, 0, "baskets") &&
			ec_number(r, row, "lift") > ec_number(r, best, "lift"))
			best = row;
	if (ec_number(r, best, "lift") <= 1)
		best = 0;
	write_pair(out, r, best);
	if (ec_number(r, best, "lift") > 1)
		fprintf(out, " are bought together %.1f times as often as chance would have it: in ",
				ec_number(r, best, "lift"));
	else
		fputs(" are the most frequent pair, though no pair is bought together more often than "
			  "chance would have it: in ",
			  out);
	write_counted(out, ec_number(r, best, "baskets"), "basket");
	putc('.', out);
}

static void
find_funnel(FILE *out, const EcReport *report)
{
	const PGresult *r = report->panel[EC_PANEL_FUNNEL_ALL];

	fputs("Of ", out);
	ec_write_count(out, ec_number(r, 0, "viewers"));
	fputs(" who look, ", out);
	ec_write_share(out, ratio(ec_number(r, 0, "carters"), ec_number(r, 0, "viewers")));
	fputs(" put something into the cart and ", out);
	ec_write_share(out, ratio(ec_number(r, 0, "buyers"), ec_number(r, 0, "viewers")));
	fputs(" buy.", out);
}

void
ec_findings_write(FILE *out, const EcReport *report, EcPanel panel)
{
	static void (*const writers[EC_PANELS])(FILE * out, const EcReport *report) = {
		[EC_PANEL_SALES] = find_sales,			 [EC_PANEL_PRICES] = find_prices,
		[EC_PANEL_CATEGORIES] = find_categories, [EC_PANEL_INTERACTIONS] = find_interactions,
		[EC_PANEL_DRILL] = find_drill,			 [EC_PANEL_SEGMENTS] = find_segments,
		[EC_PANEL_CROSS_SELL] = find_cross_sell, [EC_PANEL_FUNNEL_ALL] = find_funnel,
	};

	if (PQntuples(report->panel[panel]) == 0)
		fputs("There is nothing to show.", out);
	else
		writers[panel](out, report);
}

typedef enum TileKind
{
	TILE_MONEY,
	TILE_COUNT,
	TILE_SHARE
} TileKind;

void
ec_tiles_write(FILE *out, const EcReport *report)
{
	static const struct
	{
		const char *column;
		const char *label;
		TileKind kind;
	} tiles[] = {{"revenue", "Revenue", TILE_MONEY},
				 {"orders", "Orders", TILE_COUNT},
				 {"average_order_value", "Revenue per order", TILE_MONEY},
				 {"users", "Visitors", TILE_COUNT},
				 {"buyers", "Buyers", TILE_COUNT},
				 {"conversion", "Visitors who buy", TILE_SHARE},
				 {"interactions", "Interactions", TILE_COUNT}};
	const PGresult *r = report->panel[EC_PANEL_OVERVIEW];

	fputs("<dl class=tiles>\n", out);
	for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++)
	{
		double v = ec_number(r, 0, tiles[i].column);

		fprintf(out, "<div><dt>%s</dt><dd>", tiles[i].label);
		if (ec_value(r, 0, tiles[i].column) == NULL)
			fputs("\u2013", out);
		else if (tiles[i].kind == TILE_MONEY)
			ec_write_money(out, v);
		else if (tiles[i].kind == TILE_COUNT)
			ec_write_count(out, v);
		else
			ec_write_share(out, v);
		fputs("</dd></div>\n", out);
	}
	fputs("</dl>\n", out);
}
