/*
 * summary_purchase.c
 *	  The purchases themselves, by user and time.
 *
 * Nothing is aggregated: a record is a row, so that whatever is asked about purchases,
 * in any range of time, can be answered from these rows (buyers.c).
 */
#include "postgres.h"

#include "insight/build.h"
#include "insight/sessions.h"

typedef enum Word
{
	WORD_USER,
	WORD_TIME,
	WORD_SESSION, /* two */
	WORD_PRODUCT = WORD_SESSION + 2,
	WORD_CATEGORY,
	WORD_TEXTS, /* ids of category_code, brand */
	WORD_PRICE,
	WORD_NULLS, /* bits of EcPurchaseColumn */
	WORDS
} Word;

#define KEY_WORDS 2
#define CODE_SHIFT 32

/* One column's values and NULLs (which may be NULL) by row. */
typedef struct Ints
{
	const int64 *values;
	const uint8 *nulls;
} Ints;

/* What records are made of, but sessions. */
typedef struct Columns
{
	Ints user;
	Ints time;
	Ints product;
	Ints category;
	Ints price;
	const uint32 *codes;
	const uint32 *brands;
} Columns;

typedef struct Purchases
{
	EcSessionColumn sessions;
	uint32 *rows;	 /* [EC_BLOCK_ROWS] those of a batch that are purchases */
	uint32 *numbers; /* [EC_BLOCK_ROWS] where they are in the vectors */
	uint8 *no_price; /* [EC_BLOCK_ROWS] */
} Purchases;

static void
begin(EcMaking *making)
{
	Purchases *purchases = palloc(sizeof(Purchases));

	ec_session_column_init(&purchases->sessions, CurrentMemoryContext);
	purchases->rows = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	purchases->numbers = palloc(sizeof(uint32) * EC_BLOCK_ROWS);
	purchases->no_price = palloc(EC_BLOCK_ROWS);
	making->private = purchases;
}

/* NULLs are zeros. */
static void
set_word(uint64 *record, Word word, EcPurchaseColumn column, const Ints *ints, uint32 row)
{
	bool isnull = ints->nulls != NULL && ints->nulls[row];

	record[word] = isnull ? 0 : ec_sorter_word(ints->values[row]);
	record[WORD_NULLS] |= (uint64) isnull << column;
}

/* n rows, whose sessions are mapped already; rows == NULL: 0 .. n - 1. */
static void
put_records(EcMaking *making, const Columns *columns, uint32 n, const uint32 *rows)
{
	const EcSessionColumn *sessions = &((Purchases *) making->private)->sessions;

	for (uint32 i = 0; i < n; i++)
	{
		uint32 row = rows != NULL ? rows[i] : i;
		uint64 record[WORDS];

		record[WORD_NULLS] = 0;
		set_word(record, WORD_USER, EC_PURCHASE_USER, &columns->user, row);
		set_word(record, WORD_TIME, EC_PURCHASE_TIME, &columns->time, row);
		record[WORD_SESSION] = sessions->first[i];
		record[WORD_SESSION + 1] = sessions->second[i];
		set_word(record, WORD_PRODUCT, EC_PURCHASE_PRODUCT, &columns->product, row);
		set_word(record, WORD_CATEGORY, EC_PURCHASE_CATEGORY_ID, &columns->category, row);
		record[WORD_TEXTS] = (uint64) columns->codes[row] << CODE_SHIFT | columns->brands[row];
		set_word(record, WORD_PRICE, EC_PURCHASE_PRICE, &columns->price, row);
		ec_making_put(making, record);
	}
}

/* Which prices are NULL, NaN or infinite; others than whole numbers of the scale can't be kept. */
static const uint8 *
get_no_price(EcMaking *making, const EcPrices *prices, uint32 n, const uint32 *rows)
{
	Purchases *purchases = making->private;

	if (prices->states == NULL)
		return NULL;
	for (uint32 i = 0; i < n; i++)
	{
		if (prices->states[rows[i]] == EC_PRICE_ODD)
			ec_build_refuse(making);
		purchases->no_price[rows[i]] = prices->states[rows[i]] != EC_PRICE_VALUE;
	}
	return purchases->no_price;
}

static void
add_rows(EcMaking *making, const EcBuildRows *batch)
{
	Purchases *purchases = making->private;
	Columns columns = {
		.user = {batch->users, batch->no_user},
		.time = {batch->times, batch->no_time},
		.product = {batch->products, batch->no_product},
		.category = {batch->categories, batch->no_category},
		.price = {batch->prices.values, NULL},
		.codes = batch->codes,
		.brands = batch->brands,
	};
	uint32 n = 0;

	for (uint32 i = 0; i < batch->n; i++)
	{
		purchases->rows[n] = i;
		purchases->numbers[n] = ec_rows_number(batch->rows, i);
		n += batch->types[i] == EC_TYPE_PURCHASE;
	}
	if (n == 0)
		return;
	ec_session_column_map(&purchases->sessions, ec_rows_vector(batch->rows, EC_COL_SESSION),
						  purchases->numbers, n);
	columns.price.nulls = get_no_price(making, &batch->prices, n, purchases->rows);
	put_records(making, &columns, n, purchases->rows);
}

static Ints
get_ints(EcReader *reader, int column, uint32 block, uint32 n)
{
	int64 *values = palloc(sizeof(int64) * n);
	uint8 *nulls = palloc(n);

	ec_build_ints(reader, column, block, values, nulls);
	return (Ints){values, nulls};
}

static void
add_cells(EcMaking *making, EcReader *reader, uint32 block)
{
	EcBuild *build = making->build;
	Purchases *purchases = making->private;
	uint32 n = ec_reader_block_rows(reader, block);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "ecinsight purchases", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Columns columns;

	columns.user = get_ints(reader, EC_PURCHASE_USER, block, n);
	columns.time = get_ints(reader, EC_PURCHASE_TIME, block, n);
	columns.product = get_ints(reader, EC_PURCHASE_PRODUCT, block, n);
	columns.category = get_ints(reader, EC_PURCHASE_CATEGORY_ID, block, n);
	columns.price = get_ints(reader, EC_PURCHASE_PRICE, block, n);
	columns.codes = ec_build_ids(reader, EC_PURCHASE_CODE, block, &build->code);
	columns.brands = ec_build_ids(reader, EC_PURCHASE_BRAND, block, &build->brand);
	ec_session_column_map(&purchases->sessions, ec_reader_block(reader, EC_PURCHASE_SESSION, block),
						  NULL, n);
	MemoryContextSwitchTo(old);
	put_records(making, &columns, n, NULL);
	MemoryContextDelete(context);
}

static void
write_int(EcMaking *making, EcPurchaseColumn column, const uint64 *record, Word word)
{
	if (record[WORD_NULLS] >> column & 1)
		ec_making_null(making, column);
	else
		ec_making_int(making, column, ec_sorter_int64(record[word]));
}

static void
write_session(EcMaking *making, const uint64 *record)
{
	Purchases *purchases = making->private;
	char buffer[EC_UUID_TEXT_LEN];
	EcBytes text = ec_session_text(&purchases->sessions, record[WORD_SESSION],
								   record[WORD_SESSION + 1], buffer);

	if (text.ptr == NULL)
		ec_making_null(making, EC_PURCHASE_SESSION);
	else
		ec_builder_append_bytes(making->batch->columns[EC_PURCHASE_SESSION], text.ptr, text.len);
}

static void
write_row(EcMaking *making, const uint64 *record, const uint64 *rest)
{
	EcBuild *build = making->build;
	uint64 texts = record[WORD_TEXTS];

	write_int(making, EC_PURCHASE_USER, record, WORD_USER);
	write_int(making, EC_PURCHASE_TIME, record, WORD_TIME);
	write_session(making, record);
	write_int(making, EC_PURCHASE_PRODUCT, record, WORD_PRODUCT);
	write_int(making, EC_PURCHASE_CATEGORY_ID, record, WORD_CATEGORY);
	ec_making_text(making, EC_PURCHASE_CODE, build->codes, (uint32) (texts >> CODE_SHIFT));
	ec_making_text(making, EC_PURCHASE_BRAND, build->brands, (uint32) texts);
	write_int(making, EC_PURCHASE_PRICE, record, WORD_PRICE);
	ec_making_row(making);
}

const EcMaker ec_purchase_maker = {
	.projection = EC_PROJECTION_PURCHASE,
	.dimension = "purchase",
	.columns = EC_COL_ALL,
	.key_words = KEY_WORDS,
	.state_words = WORDS - KEY_WORDS,
	.memory = 0.25,
	.begin = begin,
	.add_rows = add_rows,
	.add_cells = add_cells,
	.finish_cell = write_row,
};
