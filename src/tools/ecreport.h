/*-------------------------------------------------------------------------
 *
 * ecreport.h
 *	  The report tool: insights of a database as one HTML page and three CSV files.
 *
 *	  ecreport.c         options, what happens in which order
 *	  ecreport_data.c    the connection and the queries; one snapshot for all
 *	  ecreport_findings.c  the sentence that each chart says, KPI tiles
 *	  ecreport_page.c    the page: texts and tables for people, data for the charts
 *	  ecreport_write.c   HTML, JSON and CSV: everything that leaves is escaped here
 *	  ecreport_assets.c  the plotting library, style sheet and chart program within the binary
 *
 * The page holds all numbers as HTML tables; report/charts.js draws them from JSON that is
 * in the page as well.  Nothing is fetched when it is looked at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOOLS_ECREPORT_H
#define TOOLS_ECREPORT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct EcReportOptions
{
	const char *dbname; /* or a connection string */
	const char *host;
	const char *port;
	const char *user;
	const char *schema; /* of the views */
	const char *since;	/* YYYY-MM-DD or NULL */
	const char *until;
	const char *title; /* NULL: made from the database's name */
	const char *output;
	bool csv;
} EcReportOptions;

/* What is shown; the order is that of the queries in ecreport_data.c. */
typedef enum EcPanel
{
	EC_PANEL_OVERVIEW,
	EC_PANEL_SALES,
	EC_PANEL_PRICES,
	EC_PANEL_CATEGORIES,
	EC_PANEL_INTERACTIONS,
	EC_PANEL_DRILL,
	EC_PANEL_SEGMENTS,
	EC_PANEL_CROSS_SELL,
	EC_PANEL_FUNNEL_ALL,
	EC_PANEL_FUNNEL,
	EC_PANELS
} EcPanel;

typedef struct EcReport
{
	PGresult *panel[EC_PANELS];
	char *relation;		/* the events relation's name */
	char *database;		/* its name */
	char *made_at;		/* time of the snapshot */
	const char *bucket; /* of the sales trend */
} EcReport;

/* ecreport.c */
extern void ec_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ecreport_data.c */
extern void ec_data_read(EcReport *report, const EcReportOptions *options);
extern void ec_data_free(EcReport *report);
extern const char *ec_panel_name(EcPanel panel);
extern const char *ec_value(const PGresult *result, int row, const char *column); /* NULL: NULL */
extern double ec_number(const PGresult *result, int row, const char *column);	  /* NULL: 0 */

/* ecreport_findings.c */
extern void ec_findings_write(FILE *out, const EcReport *report, EcPanel panel);
extern void ec_tiles_write(FILE *out, const EcReport *report);

/* ecreport_page.c */
extern void ec_page_write(FILE *out, const EcReport *report, const EcReportOptions *options);

/* ecreport_write.c */
extern void ec_write_html(FILE *out, const char *text);
extern void ec_write_json_string(FILE *out, const char *text);
extern void ec_write_json(FILE *out, const PGresult *result);
extern void ec_write_table(FILE *out, const PGresult *result, const char *caption);
extern void ec_write_csv(FILE *out, const PGresult *result, const char *const *columns,
						 const char *const *names, int n);
extern void ec_write_count(FILE *out, double v);
extern void ec_write_money(FILE *out, double v);
extern void ec_write_share(FILE *out, double v);

/* ecreport_assets.c */
extern const char ec_asset_notice[], ec_asset_vega[], ec_asset_vega_lite[], ec_asset_css[],
	ec_asset_charts[];

#endif /* TOOLS_ECREPORT_H */
