/*-------------------------------------------------------------------------
 *
 * ecgen.h
 *	  What the parts of ecgen share.
 *
 * ecgen writes shop events as CSV: the same bytes for the same options on
 * every machine.  Hence no libm (its last digits differ between versions),
 * no float contraction (-ffp-contract=off), an own random generator.
 *
 *	  ecgen.c           options, what the defaults mean, the end
 *	  ecgen_random.c    random numbers, exp/log, alias tables
 *	  ecgen_shop.c      the shop's category codes: shares, prices, brands
 *	  ecgen_catalog.c   categories and products drawn from it
 *	  ecgen_traffic.c   when visitors come, what a session does
 *	  ecgen_output.c    the output buffer
 *	  ecgen_dirty.c     --dirty: faulty rows and legal variants
 *
 *-------------------------------------------------------------------------
 */
#ifndef ECGEN_H
#define ECGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EC_GEN_HEADER                                                                              \
	"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,"              \
	"user_session\n"

/* ---- ecgen_random.c ---- */

typedef struct EcRng
{
	uint64_t s[4];
} EcRng;

/* Walker's alias method: one random number, one look-up. */
typedef struct EcAliasSlot
{
	uint32_t limit; /* stay in this slot below it */
	uint32_t other; /* else go there */
} EcAliasSlot;

extern void ec_rng_seed(EcRng *rng, uint64_t seed, uint64_t stream);
extern uint64_t ec_hash64(uint64_t x);
extern double ec_exp(double x);
extern double ec_log(double x);
extern double ec_normal(EcRng *rng);
extern void ec_alias_build(EcAliasSlot *slots, const double *weights, uint32_t n);
extern void *ec_alloc(size_t size);

static inline uint64_t
ec_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

/* xoshiro256++ (Blackman, Vigna; public domain) */
static inline uint64_t
ec_rng_next(EcRng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = ec_rotl(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = ec_rotl(s[3], 45);
	return result;
}

/* [0, 1) with 53 bits */
static inline double
ec_unit(uint64_t r)
{
	return (double) (r >> 11) * (1.0 / 9007199254740992.0);
}

/* [0, n) from 32 random bits; the bias is below 2^-32 * n */
static inline uint32_t
ec_below(uint32_t r, uint32_t n)
{
	return (uint32_t) (((uint64_t) r * n) >> 32);
}

static inline uint32_t
ec_alias_pick(const EcAliasSlot *slots, uint32_t n, uint64_t r)
{
	uint32_t i = ec_below((uint32_t) (r >> 32), n);

	return ((uint32_t) r < slots[i].limit) ? i : slots[i].other;
}

/* ---- ecgen_shop.c ---- */

typedef struct EcShopCode
{
	const char *code;
	uint32_t weight;  /* thousand events of the real two months */
	uint32_t ids;	  /* category_ids that carry this code */
	uint32_t average; /* of price over events, in cents */
	uint32_t lowest;
	uint32_t highest;
	uint32_t brandless; /* events without brand, per mille */
	const char *brands; /* "name:permille ..."; the rest are small brands */
} EcShopCode;

/* category_ids whose share is known by itself; code "" = no code */
typedef struct EcShopId
{
	int64_t id;
	uint32_t weight;
	const char *code;
} EcShopId;

#define EC_SHOP_BLANK_IDS 480		/* category_ids without a code ... */
#define EC_SHOP_BLANK_PERMILLE 324	/* ... and their share of all events */
#define EC_SHOP_BLANK_BRANDLESS 275 /* of which per mille have no brand */
#define EC_SHOP_PRICE_CAP 257407	/* no price is above this */

extern const EcShopCode ec_shop_codes[];
extern const uint32_t ec_shop_ncodes;
extern const EcShopId ec_shop_ids[];
extern const uint32_t ec_shop_nids;
extern const char *const ec_shop_blank_brands;

/* ---- ecgen_catalog.c ---- */

typedef struct EcProduct
{
	uint32_t text; /* offset in EcCatalog.text: "product,id,code,brand," */
	uint16_t text_len;
	uint8_t price_len;
	bool worthless;			/* always 0.00: viewed, never bought */
	uint32_t base;			/* price in cents at the start */
	uint32_t cents;			/* price now */
	uint32_t changes_every; /* seconds between price changes */
	uint32_t changes_at;	/* second of the next one */
	uint32_t category;
	char price[12]; /* "123.45," */
} EcProduct;

typedef struct EcCategory
{
	int64_t id;
	const EcShopCode *shop; /* NULL: no code */
	double weight;
	uint32_t group; /* first word of the code: what is bought together */
	uint32_t first; /* its products are first .. first + n - 1 */
	uint32_t n;
	uint32_t desire;		  /* how often a view becomes a cart, 1000 = usual */
	uint32_t lowest, highest; /* cents */
} EcCategory;

#define EC_MAX_GROUPS 32
#define EC_TEXT_MAX 96 /* longest product text */

typedef struct EcCatalog
{
	uint32_t ncategories;
	EcCategory *categories;
	EcAliasSlot *by_share; /* over all categories */
	uint32_t ngroups;
	uint32_t *group_members[EC_MAX_GROUPS];
	EcAliasSlot *group_share[EC_MAX_GROUPS];
	uint32_t group_size[EC_MAX_GROUPS];
	uint32_t nproducts;
	EcProduct *products;
	EcAliasSlot *popularity; /* parallel to products, per category */
	char *text;
} EcCatalog;

extern void ec_catalog_build(EcCatalog *catalog, uint64_t seed, uint32_t nproducts);
extern void ec_catalog_free(EcCatalog *catalog);
extern void ec_product_reprice(EcCatalog *catalog, uint32_t product, uint32_t second);
extern int ec_format_cents(char *to, uint32_t cents);
extern int64_t ec_catalog_category_of_code(const EcCatalog *catalog, const char *code);

/* ---- ecgen_output.c ---- */

#define EC_ROW_MAX 512 /* longest clean row, with room to overshoot */

typedef struct EcOutput
{
	FILE *file;
	const char *name;
	char *buffer;
	size_t used;
	size_t size;
	uint64_t written;
} EcOutput;

extern void ec_output_open(EcOutput *out, const char *path);
extern void ec_output_flush(EcOutput *out);
extern void ec_output_bytes(EcOutput *out, const void *bytes, size_t len);
extern void ec_output_close(EcOutput *out);

/* Room for one clean row at the returned place. */
static inline char *
ec_output_room(EcOutput *out)
{
	if (out->size - out->used < EC_ROW_MAX)
		ec_output_flush(out);
	return out->buffer + out->used;
}

/* ---- ecgen_dirty.c ---- */

typedef struct EcDirty EcDirty;

extern EcDirty *ec_dirty_create(uint64_t seed, double percent, const char *kinds);
extern bool ec_dirty_start(EcDirty *dirty, EcOutput *out);
extern void ec_dirty_row(EcDirty *dirty, EcOutput *out, const char *row, size_t len, bool last);
extern bool ec_dirty_report(const EcDirty *dirty, const char *path, uint64_t rows, bool header);
extern void ec_dirty_free(EcDirty *dirty);
extern void ec_dirty_list_kinds(FILE *to);

/* ---- ecgen_traffic.c ---- */

typedef struct EcTraffic
{
	uint64_t seed;
	uint64_t rows;
	uint32_t users;
	int64_t start; /* Unix seconds, [start, end) */
	int64_t end;
	EcCatalog *catalog;
	EcOutput *out;
	EcDirty *dirty; /* or NULL */
} EcTraffic;

extern void ec_traffic_run(const EcTraffic *traffic);
extern int64_t ec_days_from_civil(int64_t year, int month, int day);
extern void ec_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

extern void ec_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

extern void ec_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif /* ECGEN_H */
