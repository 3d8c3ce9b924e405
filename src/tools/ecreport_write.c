/*-------------------------------------------------------------------------
 *
 * ecreport_write.c
 *	  HTML, JSON and CSV.  Whatever comes from the database leaves through here.
 *
 * The JSON stands in a <script> element, so "<" is escaped in its strings: neither "</script>" nor
 * "<!--" can come out of a category's name.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ecreport.h"

/* Types of PostgreSQL that are numbers. */
#define INT8OID 20
#define INT4OID 23
#define FLOAT8OID 701
#define NUMERICOID 1700
#define BOOLOID 16

static bool
is_numeric(Oid type)
{
	return type == INT8OID || type == INT4OID || type == FLOAT8OID || type == NUMERICOID;
}

void
ec_write_html(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
	{
		switch (*text)
		{
			case '<':
				fputs("&lt;", out);
				break;
			case '>':
				fputs("&gt;", out);
				break;
			case '&':
				fputs("&amp;", out);
				break;
			case '"':
				fputs("&quot;", out);
				break;
			case '\'':
				fputs("&#39;", out);
				break;
			default:
				putc(*text, out);
		}
	}
}

void
ec_write_json_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;

		if (c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
		{
			if (c == '"' || c == '\\')
				putc('\\', out);
			putc(c, out);
		}
	}
	putc('"', out);
}

static void
write_json_value(FILE *out, const PGresult *result, int row, int column)
{
	Oid type = PQftype(result, column);
	const char *value = PQgetvalue(result, row, column);

	if (PQgetisnull(result, row, column))
		fputs("null", out);
	else if (type == BOOLOID)
		fputs(*value == 't' ? "true" : "false", out);
	else if (is_numeric(type) && isfinite(atof(value)))
		fputs(value, out);
	else if (is_numeric(type))
		fputs("null", out); /* NaN or infinite */
	else
		ec_write_json_string(out, value);
}

/* An array of objects. */
void
ec_write_json(FILE *out, const PGresult *result)
{
	putc('[', out);
	for (int row = 0; row < PQntuples(result); row++)
	{
		fputs(row > 0 ? ",\n{" : "\n{", out);
		for (int column = 0; column < PQnfields(result); column++)
		{
			if (column > 0)
				putc(',', out);
			ec_write_json_string(out, PQfname(result, column));
			putc(':', out);
			write_json_value(out, result, row, column);
		}
		putc('}', out);
	}
	putc(']', out);
}

/* Digits with commas between the thousands of the whole part. */
static void
write_grouped(FILE *out, const char *digits)
{
	size_t whole;

	if (*digits == '-')
		fputs("\u2212", out), digits++;
	whole = strspn(digits, "0123456789");
	for (size_t i = 0; i < whole; i++)
	{
		if (i > 0 && (whole - i) % 3 == 0)
			putc(',', out);
		putc(digits[i], out);
	}
	fputs(digits + whole, out);
}

static void
write_rounded(FILE *out, const char *format, double v)
{
	char digits[512];

	snprintf(digits, sizeof(digits), format, v);
	write_grouped(out, digits);
}

void
ec_write_count(FILE *out, double v)
{
	write_rounded(out, "%.0f", v);
}

/* Cents only where they tell something. */
void
ec_write_money(FILE *out, double v)
{
	write_rounded(out, fabs(v) < 10000 ? "%.2f" : "%.0f", v);
}

void
ec_write_share(FILE *out, double v)
{
	double percent = 100 * v;

	write_rounded(out,
				  fabs(percent) >= 10 || percent == 0 ? "%.0f"
				  : fabs(percent) >= 1				  ? "%.1f"
													  : "%.2g",
				  percent);
	fputs("\u00a0%", out);
}

/* Values as the database has them, so exact; a double with four digits after the point. */
static void
write_cell(FILE *out, const PGresult *result, int row, int column)
{
	Oid type = PQftype(result, column);
	const char *value = PQgetvalue(result, row, column);
	bool number = is_numeric(type);

	fputs(number ? "<td class=n>" : "<td>", out);
	if (PQgetisnull(result, row, column))
		fputs(number ? "\u2013" : "<i>(blank)</i>", out);
	else if (type == BOOLOID)
		fputs(*value == 't' ? "yes" : "no", out);
	else if (type == FLOAT8OID)
		write_rounded(out, "%.4f", atof(value));
	else if (number)
		write_grouped(out, value);
	else
		ec_write_html(out, value);
	fputs("</td>", out);
}

static void
write_column_name(FILE *out, const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		putc(*c == '_' ? ' ' : *c, out);
}

void
ec_write_table(FILE *out, const PGresult *result, const char *caption)
{
	fputs("<table><caption>", out);
	ec_write_html(out, caption);
	fputs("</caption>\n<thead><tr>", out);
	for (int column = 0; column < PQnfields(result); column++)
	{
		fprintf(out, "<th scope=col%s>", is_numeric(PQftype(result, column)) ? " class=n" : "");
		write_column_name(out, PQfname(result, column));
		fputs("</th>", out);
	}
	fputs("</tr></thead>\n<tbody>\n", out);
	for (int row = 0; row < PQntuples(result); row++)
	{
		fputs("<tr>", out);
		for (int column = 0; column < PQnfields(result); column++)
			write_cell(out, result, row, column);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table>\n", out);
}

/* As COPY … (FORMAT csv): NULL is nothing, the empty string "". */
static void
write_csv_field(FILE *out, const char *value)
{
	bool quote = *value == '\0' || strcmp(value, "\\.") == 0 || strpbrk(value, ",\"\r\n") != NULL;

	if (quote)
		putc('"', out);
	for (; *value != '\0'; value++)
	{
		if (*value == '"')
			putc('"', out);
		putc(*value, out);
	}
	if (quote)
		putc('"', out);
}

void
ec_write_csv(FILE *out, const PGresult *result, const char *const *columns,
			 const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%s", i > 0 ? "," : "", names[i]);
	putc('\n', out);
	for (int row = 0; row < PQntuples(result); row++)
	{
		for (int i = 0; i < n; i++)
		{
			const char *value = ec_value(result, row, columns[i]);

			if (i > 0)
				putc(',', out);
			if (value != NULL)
				write_csv_field(out, value);
		}
		putc('\n', out);
	}
}
