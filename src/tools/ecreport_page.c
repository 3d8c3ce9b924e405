/*-------------------------------------------------------------------------
 *
 * ecreport_page.c
 *	  The page.  Texts and tables are HTML, so that they are there without scripts; each chart
 *	  is an empty element that charts.js fills from the JSON at the end.
 *
 * The content security policy forbids the page every connection, whatever is in it.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "tools/ecreport.h"

typedef struct Card
{
	const char *id;
	EcPanel panel;
	const char *title;
	const char *help;
	const char *layout; /* CSS class */
} Card;

static const Card cards[] = {
	{"sales", EC_PANEL_SALES, "Sales trend and peaks",
	 "Revenue of purchases by time (UTC). Peaks, in the other colour and marked \u25b2, lie two "
	 "standard "
	 "deviations or more above the mean.",
	 "wide"},
	{"drill", EC_PANEL_DRILL, "Categories, brands, products",
	 "Revenue of purchases. \u201cOther\u201d is all that isn't among the first.", "wide"},
	{"categories", EC_PANEL_CATEGORIES, "Interactions over the top 10 categories",
	 "Views, carts and purchases; shares are of these categories' sum. Categories are told apart "
	 "by their "
	 "ids, so a name may come twice.",
	 ""},
	{"prices", EC_PANEL_PRICES, "Prices of the top 10 categories",
	 "The categories with the highest average price over all interactions.", ""},
	{"interactions", EC_PANEL_INTERACTIONS, "Top 10 interactions",
	 "The users and categories with the most interactions.", ""},
	{"segments", EC_PANEL_SEGMENTS, "Customer segments",
	 "Areas are revenue. Segments come from how recently, how often and for how much somebody "
	 "bought.",
	 ""},
	{"funnel", EC_PANEL_FUNNEL_ALL, "From view to purchase",
	 "Distinct users at each step; the steps are counted independently.", ""},
	{"cross", EC_PANEL_CROSS_SELL, "Bought together",
	 "Baskets (sessions) with both categories, for the ten categories that are most often in "
	 "pairs. Colour is "
	 "lift: how many times as often as if they were bought independently.",
	 ""},
};

static void
write_chart(FILE *out, const EcReport *report, const Card *card)
{
	bool drawn = PQntuples(report->panel[card->panel]) > 0;

	if (drawn && card->panel == EC_PANEL_DRILL)
		fputs("<div class=chart id=drill role=group aria-labelledby=drill-title></div>\n", out);
	else if (drawn)
		fprintf(out,
				"<div class=chart id=%s role=img aria-labelledby=%s-title "
				"aria-describedby=%s-finding></div>\n",
				card->id, card->id, card->id);
}

static void
write_numbers(FILE *out, const EcReport *report, const Card *card)
{
	fprintf(out,
			"<details><summary>Numbers<span class=hidden> of: %s</span></summary>\n<div "
			"class=scroll tabindex=0 role=region aria-label=\"Numbers: %s\">\n",
			card->title, card->title);
	ec_write_table(out, report->panel[card->panel], card->title);
	if (card->panel == EC_PANEL_FUNNEL_ALL)
		ec_write_table(out, report->panel[EC_PANEL_FUNNEL], "By category");
	fputs("</div></details>\n", out);
}

static void
write_card(FILE *out, const EcReport *report, const Card *card)
{
	fprintf(out, "<section class=\"card %s\" aria-labelledby=%s-title>\n<h2 id=%s-title>%s</h2>\n",
			card->layout, card->id, card->id, card->title);
	fprintf(out, "<p class=finding id=%s-finding>", card->id);
	ec_findings_write(out, report, card->panel);
	fputs("</p>\n", out);
	write_chart(out, report, card);
	fprintf(out, "<p class=help>%s</p>\n", card->help);
	write_numbers(out, report, card);
	fputs("</section>\n", out);
}

static void
write_title(FILE *out, const EcReport *report, const EcReportOptions *o)
{
	if (o->title != NULL)
		ec_write_html(out, o->title);
	else
	{
		fputs("Insights of ", out);
		ec_write_html(out, report->database);
	}
}

static void
write_head(FILE *out, const EcReport *report, const EcReportOptions *o)
{
	fputs("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
		  "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
		  "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
		  "base-uri 'none'; form-action 'none'\">\n"
		  "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
		  "<meta name=color-scheme content=\"light dark\">\n"
		  "<meta name=generator content=ecreport>\n<link rel=icon href=\"data:,\">\n<title>",
		  out);
	write_title(out, report, o);
	fputs("</title>\n<style>\n", out);
	fputs(ec_asset_css, out);
	fputs("</style>\n</head>\n", out);
}

static void
write_date(FILE *out, const char *time)
{
	char date[11] = "";

	strncat(date, time != NULL ? time : "\u2013", 10);
	ec_write_html(out, date);
}

static void
write_header(FILE *out, const EcReport *report, const EcReportOptions *o)
{
	const PGresult *overview = report->panel[EC_PANEL_OVERVIEW];

	fputs("<header>\n<h1>", out);
	write_title(out, report, o);
	fputs("</h1>\n<p>", out);
	write_date(out, ec_value(overview, 0, "first_event"));
	fputs(" to ", out);
	write_date(out, ec_value(overview, 0, "last_event"));
	fputs(" \u00b7 ", out);
	ec_write_count(out, ec_number(overview, 0, "interactions"));
	fputs(" events of ", out);
	ec_write_html(out, report->relation);
	if (o->since != NULL || o->until != NULL)
	{
		fputs(" \u00b7 only", out);
		if (o->since != NULL)
			fputs(" since ", out), ec_write_html(out, o->since);
		if (o->until != NULL)
			fputs(" before ", out), ec_write_html(out, o->until);
	}
	fputs(" \u00b7 as of ", out);
	ec_write_html(out, report->made_at);
	fputs(" UTC</p>\n</header>\n", out);
}

static void
write_data(FILE *out, const EcReport *report)
{
	fputs("<script type=\"application/json\" id=data>{\"bucket\":", out);
	ec_write_json_string(out, report->bucket);
	for (int panel = 0; panel < EC_PANELS; panel++)
	{
		fputs(",\n", out);
		ec_write_json_string(out, ec_panel_name(panel));
		putc(':', out);
		ec_write_json(out, report->panel[panel]);
	}
	fputs("}</script>\n", out);
}

static void
write_scripts(FILE *out)
{
	fputs("<script>\n", out);
	fputs(ec_asset_notice, out);
	fputs(ec_asset_vega, out);
	fputs("</script>\n<script>\n", out);
	fputs(ec_asset_vega_lite, out);
	fputs("</script>\n<script>\n", out);
	fputs(ec_asset_charts, out);
	fputs("</script>\n", out);
}

void
ec_page_write(FILE *out, const EcReport *report, const EcReportOptions *o)
{
	write_head(out, report, o);
	fputs("<body>\n<a class=skip href=#sales-title>Skip to the charts</a>\n", out);
	write_header(out, report, o);
	fputs("<main>\n", out);
	ec_tiles_write(out, report);
	fputs("<noscript><p class=note>Charts are drawn by scripts, which are off; the numbers are "
		  "below each title.</p></noscript>\n"
		  "<div class=cards>\n",
		  out);
	for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)
		write_card(out, report, &cards[i]);
	fputs("</div>\n<details class=overview><summary>All figures of the period</summary>\n<div "
		  "class=scroll tabindex=0 role=region aria-label=\"All figures of the period\">\n",
		  out);
	ec_write_table(out, report->panel[EC_PANEL_OVERVIEW], "Overview");
	fputs("</div></details>\n</main>\n"
		  "<footer>Made by ecreport of ecinsight. An interaction is a view, a cart or a purchase; "
		  "revenue is the prices of purchases. Exact at the time above.</footer>\n",
		  out);
	write_data(out, report);
	write_scripts(out);
	fputs("</body>\n</html>\n", out);
}
