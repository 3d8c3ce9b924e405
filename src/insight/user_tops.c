/*
 * user_tops.c
 *	  The (user, category_code[, brand]) that have most rows of all, from sets' lists.
 *
 * A candidate has at least the rows that the lists it stands in say, and at most those
 * and the bounds of the other lists; rows that sets lack or have too many are added to
 * both.  "bound" of a list is its last number, or 0 if it's complete.
 *
 * In a range of time a candidate has at most that, too, but nothing at the least; so the
 * greatest ones are looked up until what the others may have is less than the k-th has.
 */
#include "postgres.h"

#include "lib/qunique.h"
#include "utils/memutils.h"

#include "insight/projection.h"
#include "insight/topk.h"
#include "insight/user_tops.h"

#define CODE_SHIFT 32
#define NO_USER (UINT64CONST(1) << 63)

/* Beyond these everything is read instead. */
#define CANDIDATES_MAX 1000000
#define USERS_MAX 100000

/* So many are always looked up. */
#define FEW_USERS 64

typedef struct CandidateKey
{
	int64 user;
	uint64 texts; /* NO_USER, code and brand */
} CandidateKey;

typedef struct Candidate
{
	CandidateKey key;
	int64 sum;	 /* rows known */
	int64 known; /* bounds of the lists that it stands in */
	char status;
} Candidate;

static inline uint32
hash_key(CandidateKey key)
{
	uint64 hash = (uint64) key.user * UINT64CONST(0x9E3779B97F4A7C15) ^ key.texts;

	return (uint32) (hash * UINT64CONST(0xD6E8FEB86659FD93) >> 32);
}

#define SH_PREFIX candidates
#define SH_ELEMENT_TYPE Candidate
#define SH_KEY_TYPE CandidateKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) hash_key(key)
#define SH_EQUAL(tb, a, b) ((a).user == (b).user && (a).texts == (b).texts)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct Tops
{
	MemoryContext context;
	EcUserCells *rows;
	const EcUserSet *sets;
	uint32 nsets;
	bool with_brand;
	uint32 ncodes; /* those above are not asked for; 0: all are */
	candidates_hash *candidates;
	int64 bounds; /* of all lists together */
	int64 least;  /* what the k-th has, at the least */
	bool failed;
	int64 *users; /* to be looked up, ascending, each once */
	uint32 nusers;
	EcUserCells *lookup;

	/* a range */
	EcSlots slots;
	EcTopK found;	 /* numbers of rows of those looked up */
	EcUserTop *tops; /* they themselves, but what has turned out to be too small */
	uint32 ntops;
	uint32 capacity;
	uint32 lookups; /* so many users may be looked up yet */
} Tops;

/* ---- of one user ---- */

#define compare_numbers(a, b) (((a) > (b)) - ((a) < (b)))

static int
compare_texts(const EcInterner *interner, uint32 a, uint32 b)
{
	if (a == EC_ID_NULL || b == EC_ID_NULL)
		return compare_numbers(a == EC_ID_NULL, b == EC_ID_NULL);
	return a == b ? 0 : ec_interner_compare(interner, a, b);
}

int
ec_user_top_compare(const EcUserTop *a, const EcUserTop *b, const EcInterner *codes,
					const EcInterner *brands)
{
	int order = compare_numbers(b->n, a->n);

	if (order == 0)
		order = compare_numbers(a->isnull, b->isnull);
	if (order == 0)
		order = compare_numbers(a->user, b->user);
	if (order == 0)
		order = compare_texts(codes, a->code, b->code);
	if (order == 0)
		order = compare_texts(brands, a->brand, b->brand);
	return order;
}

void
ec_user_slice_visit(const EcUserSlice *slice, bool with_brand, EcUserTopVisitor visit, void *arg)
{
	EcUserTop top = {slice->user, 0, EC_ID_NULL, EC_ID_NULL, slice->isnull};

	for (uint32 i = 0; i < slice->n;)
	{
		top.code = slice->codes[i];
		top.brand = with_brand ? slice->brands[i] : EC_ID_NULL;
		top.n = 0;
		do
			top.n += slice->rows[i++];
		while (i < slice->n && slice->codes[i] == top.code &&
			   (!with_brand || slice->brands[i] == top.brand));
		visit(&top, arg);
	}
}

/* ---- lists ---- */

static inline bool
is_wanted(const Tops *tops, uint32 code)
{
	return tops->ncodes == 0 || (code != EC_ID_NULL && code <= tops->ncodes);
}

static inline uint32
code_of(uint64 texts)
{
	return (uint32) ((texts & ~NO_USER) >> CODE_SHIFT);
}

static void
add_to_candidate(Tops *tops, int64 user, bool isnull, uint32 code, uint32 brand, int64 n,
				 int64 bound)
{
	CandidateKey key = {user, (uint64) code << CODE_SHIFT | brand};
	bool found;
	Candidate *candidate;

	if (isnull)
		key.texts |= NO_USER;
	candidate = candidates_insert(tops->candidates, key, &found);
	if (!found)
		candidate->sum = candidate->known = 0;
	candidate->sum += n;
	candidate->known += bound;
}

static void
add_block(Tops *tops, EcReader *reader, EcTextColumn *code, EcTextColumn *brand)
{
	uint32 n = ec_reader_block_rows(reader, 0);
	const EcVector *users = ec_reader_block(reader, EC_TOP_CATEGORY_ID, 0);
	int column = tops->with_brand ? EC_TOP_BRAND_ROWS : EC_TOP_CATEGORY_ROWS;
	const EcVector *counts = ec_reader_block(reader, column, 0);
	int64 bound = n < EC_TOP_ROWS ? 0 : ec_vector_int64(counts, n - 1);

	ec_text_column_map(code, ec_reader_block(reader, EC_TOP_CATEGORY_CODE, 0), NULL, n);
	if (tops->with_brand)
		ec_text_column_map(brand, ec_reader_block(reader, EC_TOP_BRAND_NAME, 0), NULL, n);
	for (uint32 i = 0; i < n; i++)
	{
		bool isnull = ec_vector_is_null(users, i);

		if (!is_wanted(tops, code->ids[i]))
			continue;
		add_to_candidate(tops, isnull ? 0 : ec_vector_int64(users, i), isnull, code->ids[i],
						 tops->with_brand ? brand->ids[i] : EC_ID_NULL, ec_vector_int64(counts, i),
						 bound);
	}
	tops->bounds += bound;
}

static void
add_list(Tops *tops, const EcUserSet *set)
{
	uint16 projection = tops->with_brand ? EC_PROJECTION_TOP_BRAND : EC_PROJECTION_TOP_CATEGORY;
	EcReader *reader = ec_summary_reader(set->rel, set->set, projection,
										 ec_projection_columns(projection), tops->context);
	EcTextColumn code;
	EcTextColumn brand;

	StaticAssertStmt(EC_TOP_ROWS <= EC_BLOCK_ROWS, "a list is one block");
	ec_user_cells_init_texts(tops->rows, &code, &brand, tops->context);
	while (ec_reader_next_group(reader))
		add_block(tops, reader, &code, &brand);
	ec_reader_end(reader);
}

/* ---- rows ---- */

/* Adds rows to candidates. */
static void
add_row(int64 user, bool isnull, uint64 texts, const int64 *counts, void *arg)
{
	Tops *tops = arg;
	CandidateKey key = {user, texts | (isnull ? NO_USER : 0)};
	Candidate *candidate = candidates_lookup(tops->candidates, key);

	if (candidate != NULL)
		candidate->sum += counts[EC_USER_COUNT_ROWS];
}

/* What is no candidate by lists may be one by its rows. */
static void
add_candidate(int64 user, bool isnull, uint64 texts, const int64 *counts, void *arg)
{
	Tops *tops = arg;
	CandidateKey key = {user, texts | (isnull ? NO_USER : 0)};
	int64 n = counts[EC_USER_COUNT_ROWS];
	bool found;
	Candidate *candidate;

	if (n + tops->bounds < tops->least || tops->failed || !is_wanted(tops, code_of(texts)) ||
		candidates_lookup(tops->candidates, key) != NULL)
		return;
	candidate = candidates_insert(tops->candidates, key, &found);
	candidate->sum = n;
	candidate->known = 0;
	tops->failed = tops->candidates->members > CANDIDATES_MAX;
}

/* ---- the k-th ---- */

static int
compare_sums(const void *a, const void *b, void *arg)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x < y) - (x > y);
}

/* At least so many rows have k candidates; what has none isn't there at all. */
static int64
find_least(const Tops *tops, int64 k)
{
	candidates_iterator iterator;
	const Candidate *candidate;
	int64 least = 1;
	EcTopK sums;

	ec_topk_init(&sums, sizeof(int64), k, compare_sums, NULL, tops->context);
	candidates_start_iterate(tops->candidates, &iterator);
	while ((candidate = candidates_iterate(tops->candidates, &iterator)) != NULL)
		ec_topk_offer(&sums, &candidate->sum);
	if (sums.n == k)
		least = Max(least, *(const int64 *) sums.items);
	pfree(sums.items);
	return least;
}

/* Bounds of the lists that a candidate doesn't stand in, if it may be one of the first. */
static int64
unknown_rows(const Tops *tops, const Candidate *candidate)
{
	int64 unknown = tops->bounds - candidate->known;

	return candidate->sum + unknown >= tops->least ? unknown : 0;
}

/* ---- looking up ---- */

static int
compare_users(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* Lists the users of whom more must be known; false: too many, or the NULL user. */
static bool
list_users(Tops *tops)
{
	candidates_iterator iterator;
	const Candidate *candidate;
	uint32 n = 0;

	tops->users = MemoryContextAlloc(tops->context, sizeof(int64) * USERS_MAX);
	candidates_start_iterate(tops->candidates, &iterator);
	while ((candidate = candidates_iterate(tops->candidates, &iterator)) != NULL)
	{
		if (unknown_rows(tops, candidate) == 0)
			continue;
		if (n == USERS_MAX || (candidate->key.texts & NO_USER) != 0)
			return false;
		tops->users[n++] = candidate->key.user;
	}
	qsort(tops->users, n, sizeof(int64), compare_users);
	for (uint32 i = 0; i < n; i++)
	{
		if (i == 0 || tops->users[i] != tops->users[i - 1])
			tops->users[tops->nusers++] = tops->users[i];
	}
	return true;
}

static bool
is_looked_up(const Tops *tops, int64 user, bool isnull)
{
	return !isnull && tops->nusers > 0 &&
		   bsearch(&user, tops->users, tops->nusers, sizeof(int64), compare_users) != NULL;
}

static void
add_user_row(int64 user, bool isnull, uint64 texts, const int64 *counts, void *arg)
{
	Tops *tops = arg;

	if (is_looked_up(tops, user, isnull))
		ec_user_cells_add_sum(tops->lookup, user, texts, counts);
}

/* Visits what cells say of the users in doubt. */
static void
look_up(Tops *tops, EcUserTopVisitor visit, void *arg)
{
	EcUserSlice slice;

	if (tops->nusers == 0)
		return;
	tops->lookup = ec_user_cells_create_like(tops->rows, tops->context);
	ec_user_cells_choose(tops->lookup, tops->users, tops->nusers);
	ec_user_cells_visit_rows(tops->rows, add_user_row, tops);
	for (uint32 i = 0; i < tops->nsets; i++)
		ec_user_cells_add_set(tops->lookup, tops->sets[i].rel, tops->sets[i].set, &tops->slots);
	while (ec_user_cells_next(tops->lookup, &slice))
		ec_user_slice_visit(&slice, tops->with_brand, visit, arg);
	ec_user_cells_destroy(tops->lookup);
}

/* ---- all time ---- */

/* Reads the lists. */
static void
begin(Tops *tops, EcUserCells *rows, const EcUserSet *sets, uint32 nsets, const EcSlots *slots,
	  uint32 ncodes, MemoryContext context)
{
	memset(tops, 0, sizeof(Tops));
	tops->context = context;
	tops->rows = rows;
	tops->sets = sets;
	tops->nsets = nsets;
	tops->slots = *slots;
	tops->ncodes = ncodes;
	tops->with_brand = ec_user_cells_want(rows) & EC_USER_WANT_BRANDS;
	tops->candidates = candidates_create(context, EC_TOP_ROWS, NULL);
	for (uint32 i = 0; i < nsets; i++)
		add_list(tops, &sets[i]);
}

static void
visit_known(const Tops *tops, EcUserTopVisitor visit, void *arg)
{
	candidates_iterator iterator;
	const Candidate *candidate;

	candidates_start_iterate(tops->candidates, &iterator);
	while ((candidate = candidates_iterate(tops->candidates, &iterator)) != NULL)
	{
		const CandidateKey *key = &candidate->key;
		EcUserTop top = {key->user, candidate->sum, code_of(key->texts), (uint32) key->texts,
						 (key->texts & NO_USER) != 0};

		if (candidate->sum + tops->bounds - candidate->known >= tops->least &&
			!is_looked_up(tops, top.user, top.isnull))
			visit(&top, arg);
	}
}

typedef struct Wanted
{
	const Tops *tops;
	EcUserTopVisitor visit;
	void *arg;
} Wanted;

static void
visit_wanted(const EcUserTop *top, void *arg)
{
	const Wanted *wanted = arg;

	if (is_wanted(wanted->tops, top->code))
		wanted->visit(top, wanted->arg);
}

bool
ec_user_tops_visit(EcUserCells *rows, const EcUserSet *sets, uint32 nsets, uint32 ncodes, int64 k,
				   EcUserTopVisitor visit, void *arg)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight user tops", ALLOCSET_DEFAULT_SIZES);
	EcSlots all = {PG_INT64_MIN, PG_INT64_MAX, true};
	Tops tops;
	bool found = false;

	begin(&tops, rows, sets, nsets, &all, ncodes, context);
	ec_user_cells_visit_rows(rows, add_row, &tops);
	tops.least = find_least(&tops, k);
	ec_user_cells_visit_rows(rows, add_candidate, &tops);
	if (tops.bounds < tops.least && !tops.failed && list_users(&tops))
	{
		visit_known(&tops, visit, arg);
		look_up(&tops, visit_wanted, &(Wanted){&tops, visit, arg});
		found = true;
	}
	MemoryContextDelete(context);
	return found;
}

/* ---- a range ---- */

/* What rows add to what a candidate may have at the most; what they take away is left aside. */
static void
add_possible(int64 user, bool isnull, uint64 texts, const int64 *counts, void *arg)
{
	Tops *tops = arg;
	CandidateKey key = {user, texts | (isnull ? NO_USER : 0)};
	int64 n = counts[EC_USER_COUNT_ROWS];
	bool found;
	Candidate *candidate;

	if (n <= 0 || tops->failed || !is_wanted(tops, code_of(texts)))
		return;
	candidate = candidates_insert(tops->candidates, key, &found);
	if (!found)
		candidate->sum = candidate->known = 0;
	candidate->sum += n;
	tops->failed = tops->candidates->members > CANDIDATES_MAX;
}

/* What a candidate may have at the most. */
typedef struct Possible
{
	int64 n;
	int64 user;
	bool isnull;
} Possible;

static int
compare_possible(const void *a, const void *b)
{
	return compare_numbers(((const Possible *) b)->n, ((const Possible *) a)->n);
}

static Possible *
order_candidates(Tops *tops)
{
	uint32 n = tops->candidates->members;
	Possible *all = MemoryContextAllocHuge(tops->context, sizeof(Possible) * Max(n, 1));
	candidates_iterator iterator;
	const Candidate *candidate;
	uint32 i = 0;

	candidates_start_iterate(tops->candidates, &iterator);
	while ((candidate = candidates_iterate(tops->candidates, &iterator)) != NULL)
		all[i++] = (Possible){candidate->sum + tops->bounds - candidate->known, candidate->key.user,
							  (candidate->key.texts & NO_USER) != 0};
	qsort(all, n, sizeof(Possible), compare_possible);
	return all;
}

static void
keep_top(const EcUserTop *top, void *arg)
{
	Tops *tops = arg;

	if (top->n < tops->least || !is_wanted(tops, top->code))
		return;
	if (tops->ntops == tops->capacity)
	{
		tops->capacity *= 2;
		tops->tops = repalloc_huge(tops->tops, sizeof(EcUserTop) * tops->capacity);
	}
	tops->tops[tops->ntops++] = *top;
	ec_topk_offer(&tops->found, &top->n);
	if (ec_topk_worst(&tops->found) != NULL)
		tops->least = Max(tops->least, *(const int64 *) ec_topk_worst(&tops->found));
}

/*
 * Looks up the users of the n possible ones whom nobody has looked up yet, all of which
 * stand in seen, ascending.  False: they are too many, or the NULL user is among them.
 */
static bool
look_up_possible(Tops *tops, const Possible *possible, uint32 n, int64 **seen, uint32 *nseen)
{
	int64 *users = MemoryContextAllocHuge(tops->context, sizeof(int64) * ((Size) n + *nseen + 1));
	uint32 m = 0;

	for (uint32 i = 0; i < n; i++)
	{
		if (possible[i].isnull)
			return false;
		if (!ec_user_is_chosen(*seen, *nseen, possible[i].user))
			users[m++] = possible[i].user;
	}
	qsort(users, m, sizeof(int64), compare_users);
	m = qunique(users, m, sizeof(int64), compare_users);
	if (m > tops->lookups)
		return false;
	tops->lookups -= m;
	tops->users = users;
	tops->nusers = m;
	look_up(tops, keep_top, tops);
	tops->users = MemoryContextAllocHuge(tops->context, sizeof(int64) * ((Size) m + *nseen + 1));
	memcpy(tops->users, users, sizeof(int64) * m);
	memcpy(tops->users + m, *seen, sizeof(int64) * *nseen);
	*nseen += m;
	*seen = tops->users;
	qsort(*seen, *nseen, sizeof(int64), compare_users);
	return true;
}

/* Looks users up until the first k are known; false: that would be no better than to read all cells. */
static bool
look_up_range(Tops *tops, int64 k)
{
	Possible *possible = order_candidates(tops);
	uint32 n = tops->candidates->members;
	uint32 done = 0;
	uint32 end = Min(Min(k, PG_INT32_MAX / 2) * 2, n);
	int64 *seen = MemoryContextAlloc(tops->context, sizeof(int64));
	uint32 nseen = 0;

	/* the k-th has no more than the k-th possible number, which must be beyond what stands in no list */
	if (tops->bounds >= (n < k ? 1 : possible[k - 1].n))
		return false;
	do
	{
		if (!look_up_possible(tops, possible + done, end - done, &seen, &nseen))
			return false;
		done = end;
		while (end < n && possible[end].n >= tops->least)
			end++;
	} while (done < end);
	return tops->bounds < tops->least;
}

/* A user costs a block of each set; beyond half of the blocks, all of them cost less. */
static uint32
count_lookups(const Tops *tops)
{
	EcProjection projection = ec_user_cells_want(tops->rows) & EC_USER_WANT_BRANDS
								  ? EC_PROJECTION_USER_BRAND
								  : EC_PROJECTION_USER;
	uint64 rows = 0;

	for (uint32 i = 0; i < tops->nsets; i++)
	{
		const EcSummarySet *set = tops->sets[i].set;

		for (uint32 part = 0; part < set->nparts; part++)
			rows += set->parts[part].projection == projection ? set->parts[part].nrows : 0;
	}
	rows = rows / EC_BLOCK_ROWS / Max(tops->nsets, 1) / 2;
	return Min(Max(rows, FEW_USERS), USERS_MAX);
}

bool
ec_user_tops_visit_range(EcUserCells *rows, const EcUserSet *sets, uint32 nsets,
						 const EcSlots *slots, uint32 ncodes, int64 k, uint32 lookups,
						 EcUserTopVisitor visit, void *arg)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight user tops", ALLOCSET_DEFAULT_SIZES);
	Tops tops;
	bool found = false;

	begin(&tops, rows, sets, nsets, slots, ncodes, context);
	tops.least = 1;
	tops.lookups = Min(count_lookups(&tops), lookups);
	ec_topk_init(&tops.found, sizeof(int64), k, compare_sums, NULL, context);
	tops.capacity = 1024;
	tops.tops = MemoryContextAlloc(context, sizeof(EcUserTop) * tops.capacity);
	ec_user_cells_visit_rows(rows, add_possible, &tops);
	if (!tops.failed && look_up_range(&tops, k))
	{
		for (uint32 i = 0; i < tops.ntops; i++)
			visit(&tops.tops[i], arg);
		found = true;
	}
	MemoryContextDelete(context);
	return found;
}
