/*-------------------------------------------------------------------------
 *
 * ecproduce_progress.c
 *	  What the user sees: a bar on a terminal, else a line every few
 *	  seconds, and the summary.  Progress goes to standard error.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/ecproduce.h"

#define BAR_WIDTH 28
#define BAR_EVERY 0.1
#define LINE_EVERY 5.0

double
ec_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* 1234567 as 1,234,567 */
static const char *
grouped(uint64_t v, char buffer[32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long) v);
	char *to = buffer;

	for (int i = 0; i < n; i++)
	{
		if (i > 0 && (n - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buffer;
}

void
ec_progress_start(EcProgress *p, const EcProduceOptions *o, const EcCounts *counts)
{
	memset(p, 0, sizeof(*p));
	p->o = o;
	p->counts = counts;
	p->tty = o->bar || isatty(STDERR_FILENO);
	p->started = p->shown = ec_now();
}

/* Bytes a second, smoothed over some seconds */
static double
rate(EcProgress *p, double now)
{
	double span = now - p->shown;
	double fresh = span > 0.0 ? (double) (p->counts->bytes - p->shown_bytes) / span : 0.0;
	double weight = span / (span + 2.0);

	if (p->shown_rate == 0.0)
		weight = 1.0;
	p->shown_rate += (fresh - p->shown_rate) * weight;
	p->shown_bytes = p->counts->bytes;
	p->shown = now;
	return p->shown_rate;
}

static void
remaining(const EcProgress *p, double now, char *to, size_t size)
{
	double share = p->total > 0 ? (double) p->done / (double) p->total : 0.0;
	double s = share > 0.0 ? (now - p->started) * (1.0 - share) / share : 0.0;

	if (share < 0.005 || s > 3600 * 100.0)
		snprintf(to, size, "--:--");
	else if (s < 3600.0)
		snprintf(to, size, "%02d:%02d", (int) s / 60, (int) s % 60);
	else
		snprintf(to, size, "%d:%02d:%02d", (int) s / 3600, (int) s / 60 % 60, (int) s % 60);
}

static void
draw_bar(EcProgress *p, double now)
{
	char rows[32];
	char left[32];
	char bar[BAR_WIDTH + 1];
	double share = p->total > 0 ? (double) p->done / (double) p->total : 0.0;
	int filled = (int) (share * BAR_WIDTH);

	if (filled > BAR_WIDTH)
		filled = BAR_WIDTH;
	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', (size_t) filled);
	bar[BAR_WIDTH] = '\0';
	remaining(p, now, left, sizeof(left));
	if (p->total > 0)
		fprintf(stderr, "\r[%s] %3d %%  %s rows  %.1f MB/s  ETA %s\033[K", bar,
				(int) (share * 100.0), grouped(p->counts->rows, rows), rate(p, now) / 1e6, left);
	else
		fprintf(stderr, "\r%s rows  %.1f MB/s  %.0f s\033[K", grouped(p->counts->rows, rows),
				rate(p, now) / 1e6, now - p->started);
	p->drawn = true;
}

void
ec_progress_show(EcProgress *p, bool last)
{
	double now = ec_now();
	char rows[32];
	char left[32];

	if (p->o->quiet || p->o->dry_run)
		return;
	if (last)
	{
		if (p->drawn)
		{
			draw_bar(p, now);
			fputc('\n', stderr);
			p->drawn = false;
		}
		return;
	}
	if (now - p->shown < (p->tty ? BAR_EVERY : LINE_EVERY))
		return;
	if (p->tty)
	{
		draw_bar(p, now);
		return;
	}
	fprintf(stderr, "%s rows, %.1f MB/s", grouped(p->counts->rows, rows), rate(p, now) / 1e6);
	if (p->total > 0)
	{
		remaining(p, now, left, sizeof(left));
		fprintf(stderr, ", %d %%, ETA %s", (int) ((double) p->done / (double) p->total * 100.0),
				left);
	}
	fputc('\n', stderr);
}

/* "1 row", "2,000 rows" */
static const char *
number_of(uint64_t n, const char *what, char buffer[64])
{
	char digits[32];

	snprintf(buffer, 64, "%s %s%s", grouped(n, digits), what, n == 1 ? "" : "s");
	return buffer;
}

/* JSON strings: the topic's name can hold only letters, digits, dot, _ and -, but who knows. */
static void
print_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++)
	{
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char) *s < 32)
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void
json_summary(const EcProduceOptions *o, const EcCounts *c, int32_t partitions, bool complete)
{
	printf("{\"topic\": ");
	print_json_string(o->topic ? o->topic : "");
	printf(", \"partitions\": %d, \"rows\": %llu, \"messages\": %llu, \"bytes\": %llu, "
		   "\"seconds\": %.3f, \"rows_read\": %llu, \"bytes_read\": %llu, \"header_lines\": %llu, "
		   "\"blank_lines\": %llu, \"short_messages\": %llu, \"failed_rows\": %llu, "
		   "\"failed_messages\": %llu, \"complete\": %s}\n",
		   partitions, (unsigned long long) c->rows, (unsigned long long) c->messages,
		   (unsigned long long) c->bytes, c->seconds, (unsigned long long) c->rows_read,
		   (unsigned long long) c->bytes_read, (unsigned long long) c->headers,
		   (unsigned long long) c->blanks, (unsigned long long) c->short_messages,
		   (unsigned long long) c->failed_rows, (unsigned long long) c->failed_messages,
		   complete ? "true" : "false");
}

static void
plain_summary(const EcProduceOptions *o, const EcCounts *c, int32_t partitions, bool complete)
{
	char rows[64];
	char messages[64];
	char in[64];
	char rate[32];
	double s = c->seconds > 0.0 ? c->seconds : 1e-9;

	number_of(c->rows, "row", rows);
	number_of(c->messages, "message", messages);
	number_of((uint64_t) partitions, "partition", in);
	if (o->dry_run)
		printf("would send %s in %s (%.1f MB) to %s, read", rows, messages, (double) c->bytes / 1e6,
			   in);
	else
		printf("acknowledged: %s in %s (%.1f MB) by topic %s, %s,", rows, messages,
			   (double) c->bytes / 1e6, o->topic, in);
	printf(" in %.2f s: %s rows/s, %.1f MB/s\n", c->seconds,
		   grouped((uint64_t) ((double) c->rows / s), rate), (double) c->bytes / 1e6 / s);
	if (c->short_messages > 0)
		printf("%s cut short by the size limit\n",
			   number_of(c->short_messages, "message", messages));
	if (!complete)
		printf("NOT COMPLETE: %s were read, %llu of them certainly failed\n",
			   number_of(c->rows_read, "row", rows), (unsigned long long) c->failed_rows);
}

void
ec_summary(const EcProduceOptions *o, const EcCounts *counts, int32_t partitions, bool complete)
{
	if (o->json)
		json_summary(o, counts, partitions, complete);
	else if (!o->quiet)
		plain_summary(o, counts, partitions, complete);
	fflush(stdout);
}
