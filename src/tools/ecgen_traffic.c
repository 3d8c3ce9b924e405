/*-------------------------------------------------------------------------
 *
 * ecgen_traffic.c
 *	  Who visits the shop when, and what a session does there.
 *
 * Time runs second by second.  In each second some sessions start (as many
 * as day, weekday and hour suggest) and those due make their next event.  A
 * session draws its number of events at its start, so that the rows
 * promised never exceed the rows wanted, and the traffic of the rest of the
 * time is scaled to end with exactly that number.  Waiting sessions hang in a
 * wheel of seconds: no event costs more than a few memory accesses, and
 * memory holds only the sessions that are open.
 *
 * A session begins in a category (its user's favourite, or one by share) and
 * mostly stays there.  All its moves draw by share, within the category, its
 * group or the whole shop: so the categories' shares of all events are
 * the shop's, whatever the sessions do.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "tools/ecgen.h"

#define WHEEL_SECONDS 65536 /* also the longest pause */
#define PAUSES 1024
#define MAX_LENGTH 512
#define MAX_WHALES 300
#define NOBODY UINT32_MAX
#define TAIL_MAX 56

/* Chances out of 2^32 */
#define CHANCE(p) ((uint32_t) ((p) *4294967295.0))
#define P_CART CHANCE(0.0365)
#define P_BUY_AT_ONCE CHANCE(0.0065)
#define P_BUY_AFTER_CART CHANCE(0.52)
#define P_DUPLICATE CHANCE(0.0003)
#define P_OTHER_USER CHANCE(0.00001)
#define P_NO_SESSION CHANCE(0.000002)

typedef enum Todo
{
	TODO_VIEW,
	TODO_CART,
	TODO_PURCHASE,
} Todo;

typedef struct Session
{
	uint32_t next; /* in the wheel's list or the free list */
	uint32_t product;
	uint32_t category;
	uint16_t remaining;
	uint8_t todo;
	uint8_t whale; /* stays in its category */
	uint8_t user_len;
	uint8_t tail_len;
	char tail[TAIL_MAX]; /* "user,session\n" */
} Session;

/* A user with a great many events in one category. */
typedef struct Whale
{
	uint32_t user;
	uint32_t category;
} Whale;

typedef struct Shop
{
	const EcTraffic *t;
	EcCatalog *catalog;
	EcRng rng;
	Session *sessions;
	uint32_t nsessions;
	uint32_t free;
	uint32_t *wheel;
	uint16_t pauses[PAUSES];
	EcAliasSlot lengths[MAX_LENGTH];
	double mean_length;
	Whale whales[MAX_WHALES];
	EcAliasSlot whale_share[MAX_WHALES];
	uint32_t nwhales;
	uint32_t p_whale;
	double flatness;   /* of the users' frequencies */
	uint64_t promised; /* rows of sessions started */
	uint64_t emitted;
	int64_t now;
	uint32_t second; /* now - start */
	int64_t time_of; /* second that time holds */
	int64_t day_of;
	char time[24];	  /* "2019-10-01 00:00:00 UTC," */
	double eagerness; /* to buy, on this day */
} Shop;

/* ---- calendar ---- */

/* Days since 1970-01-01 (Howard Hinnant's algorithm). */
int64_t
ec_days_from_civil(int64_t year, int month, int day)
{
	int64_t era;
	int64_t yoe;
	int64_t doy;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	yoe = year - era * 400;
	doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void
ec_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t era;
	int64_t doe;
	int64_t yoe;
	int64_t doy;
	int64_t mp;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*day = (int) (doy - (153 * mp + 2) / 5 + 1);
	*month = (int) (mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

/* How busy a day is: the level of the month, the week, the sales in November. */
static double
day_level(int64_t day)
{
	static const double weekdays[7] = {1.02, 1.03, 0.99, 0.98, 1.00, 1.06, 1.08}; /* Thursday … */
	int64_t year;
	int month;
	int mday;
	double level;

	ec_civil_from_days(day, &year, &month, &mday);
	level = weekdays[(day % 7 + 7) % 7];
	if (month == 11)
	{
		level *= 1.28;
		if (mday == 14)
			level *= 1.5;
		else if (mday >= 15 && mday <= 17)
			level *= mday == 16 ? 2.6 : 2.4;
		else if (mday == 13 || mday == 18)
			level *= 1.15;
		else if (mday >= 28)
			level *= mday == 29 ? 1.5 : 1.2;
	}
	return level;
}

static double
minute_level(int64_t minute)
{
	static const double hours[25] = {0.20, 0.22, 0.40, 0.78, 1.10, 1.25, 1.32, 1.38, 1.42,
									 1.42, 1.40, 1.38, 1.42, 1.52, 1.68, 1.80, 1.80, 1.60,
									 1.20, 0.80, 0.50, 0.32, 0.24, 0.20, 0.20};
	int64_t day = minute / 1440 - (minute % 1440 < 0);
	int m = (int) (minute - day * 1440);
	double part = (m % 60) / 60.0;

	return day_level(day) * (hours[m / 60] * (1.0 - part) + hours[m / 60 + 1] * part);
}

/* ---- set-up ---- */

/* Logarithmic series: 36 % of sessions have one event, 4.8 on average. */
static void
build_lengths(Shop *shop)
{
	double weights[MAX_LENGTH];
	double p = 1.0;
	double sum = 0.0;
	double events = 0.0;

	for (int k = 0; k < MAX_LENGTH; k++)
	{
		p *= 0.925;
		weights[k] = p / (k + 1);
		sum += weights[k];
		events += p;
	}
	ec_alias_build(shop->lengths, weights, MAX_LENGTH);
	shop->mean_length = events / sum;
}

/* Log-normal around half a minute; one pause in 500 lasts for hours. */
static void
build_pauses(Shop *shop)
{
	EcRng rng;

	ec_rng_seed(&rng, 0, 3);
	for (int i = 0; i < PAUSES; i++)
	{
		double s = 28.0 * ec_exp(1.2 * ec_normal(&rng));

		if (i % 512 == 7)
			s = 7200.0 + 50000.0 * ec_unit(ec_rng_next(&rng));
		shop->pauses[i] = (uint16_t) (s < 1.0 ? 1.0 : s > 60000.0 ? 60000.0 : s);
	}
}

/* The published ten, then falling by rank; events in millionths. */
static void
build_whales(Shop *shop)
{
	static const double top[10] = {124, 114, 86, 51, 50.5, 49, 48.5, 40, 39, 38};
	static const char *const codes[10] = {
		"kids.carriage",		   "", "electronics.smartphone", "electronics.smartphone",
		"kids.carriage",		   "", "electronics.smartphone", "electronics.smartphone",
		"auto.accessories.player", ""};
	double weights[MAX_WHALES];
	double sum = 0.0;
	EcRng rng;

	ec_rng_seed(&rng, shop->t->seed, 4);
	shop->nwhales = shop->t->users / 20 < MAX_WHALES ? shop->t->users / 20 : MAX_WHALES;
	for (uint32_t i = 0; i < shop->nwhales; i++)
	{
		Whale *w = &shop->whales[i];
		uint64_t r = ec_rng_next(&rng);
		uint32_t any = ec_alias_pick(shop->catalog->by_share, shop->catalog->ncategories, r);

		w->user = (uint32_t) (ec_rng_next(&rng) % shop->t->users);
		w->category =
			i < 10 ? (uint32_t) ec_catalog_category_of_code(shop->catalog, codes[i]) : any;
		weights[i] = i < 10 ? top[i] : 380.0 / (i + 1);
		sum += weights[i];
	}
	if (shop->nwhales > 0)
		ec_alias_build(shop->whale_share, weights, shop->nwhales);
	shop->p_whale = CHANCE(sum / 1000000.0);
	shop->flatness = 1.0 / (60e-6 * shop->t->users);
	if (shop->flatness < 0.02)
		shop->flatness = 0.02;
	if (shop->flatness > 0.7)
		shop->flatness = 0.7;
}

/* ---- users ---- */

/*
 * Few visit often, most rarely: the density falls from up to 50 times the mean
 * to a quarter.  With few users the fall is gentler, lest they outdo the whales.
 */
static uint32_t
pick_user(Shop *shop)
{
	double v = ec_unit(ec_rng_next(&shop->rng));
	double v2 = v * v;

	double a = shop->flatness;

	return (uint32_t) ((double) shop->t->users * ((0.9199 - a) * v2 * v2 + 0.08 * v2 + a * v));
}

/*
 * Nine digits, denser among the older ones.  The product with a prime scatters
 * the frequent users; the two slopes keep neighbours apart, so ids are unique.
 */
static uint32_t
user_id(uint32_t user, uint32_t users)
{
	double span = users * 10.0 < 54000000.0 ? 54000000.0 : users * 10.0;
	double x = (double) ((uint64_t) user * UINT64_C(2654435761) % users) / (double) users;

	return 512300000 + (uint32_t) (span * (0.35 * x + 0.65 * x * x));
}

static void
render_user(Session *s, uint32_t id)
{
	for (int i = 8; i >= 0; i--, id /= 10)
		s->tail[i] = (char) ('0' + id % 10);
	s->tail[9] = ',';
	s->user_len = 10;
}

static void
render_uuid(Session *s, uint64_t a, uint64_t b)
{
	static const char hex[] = "0123456789abcdef";
	char *p = s->tail + s->user_len;

	a = (a & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
	b = (b & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62);
	for (int i = 60; i >= 0; i -= 4)
	{
		*p++ = hex[(a >> i) & 15];
		if (i == 32 || i == 16 || i == 0)
			*p++ = '-';
	}
	for (int i = 60; i >= 0; i -= 4)
	{
		*p++ = hex[(b >> i) & 15];
		if (i == 48)
			*p++ = '-';
	}
	*p++ = '\n';
	s->tail_len = (uint8_t) (p - s->tail);
}

/* ---- what a session looks at ---- */

static uint32_t
product_of(const EcCatalog *catalog, uint32_t category, uint64_t r)
{
	const EcCategory *c = &catalog->categories[category];

	return c->first + ec_alias_pick(catalog->popularity + c->first, c->n, r);
}

/* A third of the sessions go to one of the user's two favourite categories. */
static void
choose_first(Shop *shop, Session *s, uint32_t user)
{
	EcCatalog *catalog = shop->catalog;
	uint64_t r = ec_rng_next(&shop->rng);
	uint64_t fate = ec_rng_next(&shop->rng);
	uint64_t self = shop->t->seed * 31 + user;

	if ((fate & 255) < 90)
		r = ec_hash64(self * 2 + ((fate >> 8) & 1));
	if (!s->whale)
		s->category = ec_alias_pick(catalog->by_share, catalog->ncategories, r);
	r = ec_rng_next(&shop->rng);
	if (((fate >> 16) & 255) < 64)
		r = ec_hash64(self * 65536 + s->category);
	s->product = product_of(catalog, s->category, r);
}

/* Same product, another of the category, another category of the group, anything. */
static void
choose_next(Shop *shop, Session *s)
{
	EcCatalog *catalog = shop->catalog;
	uint64_t r = ec_rng_next(&shop->rng);
	uint32_t fate = (uint32_t) r & 1023;

	if (fate < 350)
		return;
	if (fate >= 940 && !s->whale)
	{
		uint64_t to = ec_rng_next(&shop->rng);
		uint32_t g = catalog->categories[s->category].group;

		if (fate < 990)
			s->category = catalog->group_members[g][ec_alias_pick(catalog->group_share[g],
																  catalog->group_size[g], to)];
		else
			s->category = ec_alias_pick(catalog->by_share, catalog->ncategories, to);
	}
	s->product = product_of(catalog, s->category, ec_rng_next(&shop->rng));
}

/* After an event: is the next one a cart, a purchase, or a look at something else? */
static void
choose_todo(Shop *shop, Session *s, bool free_of_charge)
{
	uint64_t r = ec_rng_next(&shop->rng);
	uint32_t chance = (uint32_t) r;
	double desire = shop->catalog->categories[s->category].desire / 1000.0 * shop->eagerness;

	if (s->todo == TODO_CART && chance < P_BUY_AFTER_CART)
	{
		s->todo = TODO_PURCHASE;
		return;
	}
	if (s->todo == TODO_VIEW && !free_of_charge)
	{
		uint32_t cart = (uint32_t) (P_CART * desire);

		if (chance < cart)
		{
			s->todo = TODO_CART;
			return;
		}
		if (chance - cart < (uint32_t) (P_BUY_AT_ONCE * desire))
		{
			s->todo = TODO_PURCHASE;
			return;
		}
	}
	s->todo = TODO_VIEW;
	choose_next(shop, s);
}

/* ---- rows ---- */

static void
two_digits(char *to, int v)
{
	to[0] = (char) ('0' + v / 10);
	to[1] = (char) ('0' + v % 10);
}

static void
render_time(Shop *shop)
{
	int64_t day = shop->now / 86400 - (shop->now % 86400 < 0);
	int s = (int) (shop->now - day * 86400);

	if (day != shop->day_of)
	{
		int64_t year;
		int month;
		int mday;

		ec_civil_from_days(day, &year, &month, &mday);
		memcpy(shop->time, "0000-00-00 00:00:00 UTC,", 24);
		two_digits(shop->time, (int) (year / 100));
		two_digits(shop->time + 2, (int) (year % 100));
		two_digits(shop->time + 5, month);
		two_digits(shop->time + 8, mday);
		shop->day_of = day;
	}
	two_digits(shop->time + 11, s / 3600);
	two_digits(shop->time + 14, s / 60 % 60);
	two_digits(shop->time + 17, s % 60);
	shop->time_of = shop->now;
}

/* The copies are of fixed size and overshoot: EC_ROW_MAX leaves room. */
static char *
render_row(Shop *shop, const Session *s, const EcProduct *p, char *to)
{
	static const char words[3][16] = {"view,", "cart,", "purchase,"};
	static const uint8_t lengths[3] = {5, 5, 9};

	memcpy(to, shop->time, 24);
	to += 24;
	memcpy(to, words[s->todo], 16);
	to += lengths[s->todo];
	memcpy(to, shop->catalog->text + p->text, EC_TEXT_MAX);
	to += p->text_len;
	memcpy(to, p->price, 12);
	to += p->price_len;
	memcpy(to, s->tail, TAIL_MAX);
	return to;
}

static void
emit_row(Shop *shop, const Session *s, const EcProduct *p)
{
	EcOutput *out = shop->t->out;
	char scratch[EC_ROW_MAX];
	char *start = shop->t->dirty ? scratch : ec_output_room(out);
	char *to = render_row(shop, s, p, start);

	if ((uint32_t) ec_rng_next(&shop->rng) < P_NO_SESSION)
	{
		to += s->user_len;
		*to++ = '\n';
	}
	else
		to += s->tail_len;
	shop->emitted++;
	if (shop->t->dirty)
		ec_dirty_row(shop->t->dirty, out, scratch, (size_t) (to - start),
					 shop->emitted == shop->t->rows);
	else
		out->used += (size_t) (to - start);
}

/* One event of a session, rarely twice. */
static void
make_event(Shop *shop, Session *s)
{
	EcProduct *p = &shop->catalog->products[s->product];
	uint32_t chance;

	if (shop->time_of != shop->now)
		render_time(shop);
	if (p->changes_at <= shop->second)
		ec_product_reprice(shop->catalog, s->product, shop->second);
	if (p->cents == 0)
		s->todo = TODO_VIEW;
	emit_row(shop, s, p);
	s->remaining--;
	chance = (uint32_t) (ec_rng_next(&shop->rng) >> 32);
	if (s->remaining > 0 && chance < P_DUPLICATE)
	{
		emit_row(shop, s, p);
		s->remaining--;
	}
	else if (chance > UINT32_MAX - P_OTHER_USER)
		render_user(s, user_id(pick_user(shop), shop->t->users));
	choose_todo(shop, s, p->cents == 0);
}

/* ---- the wheel ---- */

/* Pauses shrink near the end, so that nothing promised is cut off. */
static uint32_t
pause_of(Shop *shop, const Session *s)
{
	uint64_t left = (uint64_t) (shop->t->end - 1 - shop->now);
	uint32_t pause = shop->pauses[ec_rng_next(&shop->rng) >> 54];

	return pause > left / s->remaining ? (uint32_t) (left / s->remaining) : pause;
}

static void
run_session(Shop *shop, uint32_t i)
{
	Session *s = &shop->sessions[i];
	uint32_t pause = 0;

	do
	{
		make_event(shop, s);
		if (s->remaining > 0)
			pause = pause_of(shop, s);
	} while (s->remaining > 0 && pause == 0);
	if (s->remaining == 0)
	{
		s->next = shop->free;
		shop->free = i;
		return;
	}
	s->next = shop->wheel[(shop->second + pause) % WHEEL_SECONDS];
	shop->wheel[(shop->second + pause) % WHEEL_SECONDS] = i;
}

static uint32_t
new_session(Shop *shop)
{
	uint32_t old = shop->nsessions;
	uint32_t i;

	if (shop->free == NOBODY)
	{
		shop->nsessions = old ? old * 2 : 1024;
		shop->sessions = realloc(shop->sessions, shop->nsessions * sizeof(Session));
		if (shop->sessions == NULL)
			ec_fail("out of memory (%u open sessions)", shop->nsessions);
		memset(shop->sessions + old, 0, (shop->nsessions - old) * sizeof(Session));
		for (i = shop->nsessions; i-- > old;)
		{
			shop->sessions[i].next = shop->free;
			shop->free = i;
		}
	}
	i = shop->free;
	shop->free = shop->sessions[i].next;
	return i;
}

static void
start_session(Shop *shop)
{
	uint32_t i = new_session(shop);
	Session *s = &shop->sessions[i];
	uint64_t wanted = shop->t->rows - shop->promised;
	uint64_t length = 1 + ec_alias_pick(shop->lengths, MAX_LENGTH, ec_rng_next(&shop->rng));
	uint64_t a = ec_rng_next(&shop->rng);
	uint64_t b = ec_rng_next(&shop->rng);
	uint64_t r = ec_rng_next(&shop->rng);
	uint32_t user;

	s->remaining = (uint16_t) (length < wanted ? length : wanted);
	s->todo = TODO_VIEW;
	s->whale = shop->nwhales > 0 && (uint32_t) r < shop->p_whale;
	if (s->whale)
	{
		const Whale *w =
			&shop->whales[ec_alias_pick(shop->whale_share, shop->nwhales, ec_rng_next(&shop->rng))];

		user = w->user;
		s->category = w->category;
	}
	else
		user = pick_user(shop);
	render_user(s, user_id(user, shop->t->users));
	render_uuid(s, a, b);
	choose_first(shop, s, user);
	shop->promised += s->remaining;
	run_session(shop, i);
}

/* Poisson; most seconds of a small run are settled by the first comparison. */
static uint64_t
poisson(Shop *shop, double mean)
{
	double u = ec_unit(ec_rng_next(&shop->rng));
	double limit;
	uint64_t n = 0;

	if (mean > 30.0)
		return (uint64_t) (mean * (0.8 + 0.4 * u) + 0.5);
	if (u >= mean)
		return 0;
	/* e^-mean of the probability lies above 1 - mean: keep the two readings of u consistent */
	limit = ec_exp(-mean);
	u = 1.0 - u;
	while (u > limit)
	{
		n++;
		u *= ec_unit(ec_rng_next(&shop->rng));
	}
	return n;
}

static void
run_second(Shop *shop, double sessions, bool last)
{
	uint32_t *slot = &shop->wheel[shop->second % WHEEL_SECONDS];
	uint32_t i = *slot;
	uint64_t starts;

	*slot = NOBODY;
	while (i != NOBODY)
	{
		uint32_t next = shop->sessions[i].next;

		run_session(shop, i);
		i = next;
	}
	if (shop->promised == shop->t->rows)
		return;
	starts = poisson(shop, sessions);
	while (shop->promised < shop->t->rows && (last || starts-- > 0))
		start_session(shop);
}

void
ec_traffic_run(const EcTraffic *t)
{
	Shop *shop = ec_alloc(sizeof(Shop));
	int64_t span = t->end - t->start;
	int64_t opening = span - (span / 20 < 600 ? span / 20 : 600); /* no session starts later */
	double ahead = 0.0;
	double level = 0.0;

	shop->t = t;
	shop->catalog = t->catalog;
	shop->free = NOBODY;
	shop->day_of = shop->time_of = INT64_MIN;
	shop->wheel = ec_alloc(WHEEL_SECONDS * sizeof(uint32_t));
	memset(shop->wheel, 0xff, WHEEL_SECONDS * sizeof(uint32_t));
	ec_rng_seed(&shop->rng, t->seed, 2);
	build_lengths(shop);
	build_pauses(shop);
	build_whales(shop);

	for (int64_t s = 0; s < opening; s++)
	{
		if (s == 0 || (t->start + s) % 60 == 0)
			level = minute_level((t->start + s) / 60);
		ahead += level;
	}
	for (int64_t s = 0; s < span && shop->emitted < t->rows; s++)
	{
		double wanted = (double) (t->rows - shop->promised) / shop->mean_length;

		shop->now = t->start + s;
		shop->second = (uint32_t) s;
		if (s == 0 || shop->now % 60 == 0)
		{
			level = minute_level(shop->now / 60);
			shop->eagerness = day_level(shop->now / 86400) > 1.5 ? 1.25 : 0.95;
		}
		run_second(shop, ahead > 0.0 && s < opening ? wanted * level / ahead : 0.0,
				   s >= opening - 1);
		ahead -= level;
	}
	free(shop->sessions);
	free(shop->wheel);
	free(shop);
}
