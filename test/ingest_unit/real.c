/*
 * real.c
 *	  Reads CSV files as the reference does: whole, and cut into messages.
 *
 *	  real FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "shop_columns.h"

static uint32_t faults;

static void
on_fault(void *arg, const EcRowFault *f)
{
	(void) arg;
	(void) f;
	faults++;
}

static char *
read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *data;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
		return NULL;
	*len = (size_t) ftell(f);
	rewind(f);
	data = malloc(*len + 1);
	if (fread(data, 1, *len, f) != *len)
		abort();
	fclose(f);
	return data;
}

/* Length of the first lines of at most rows lines; quotes are none in these files. */
static size_t
cut(const char *p, size_t len, int rows)
{
	size_t at = 0;

	while (rows-- > 0 && at < len)
	{
		const char *nl = memchr(p + at, '\n', len - at);

		at = nl == NULL ? len : (size_t) (nl - p) + 1;
	}
	return at;
}

static bool
same_as_reference(const char *data, size_t len, int rows_per_message)
{
	EcCsvOptions options;
	RefStream ref;
	EcCsv *csv;
	EcBuilder *b[SHOP_NCOLUMNS];
	bool ok = true;

	ec_csv_options_init(&options);
	options.fault = on_fault;
	ref_init(&ref, &options, shop_columns, SHOP_NCOLUMNS);
	csv = ec_csv_create(&options, shop_columns, SHOP_NCOLUMNS, &ec_malloc_allocator);
	for (int i = 0; i < SHOP_NCOLUMNS; i++)
		b[i] = ec_builder_create(shop_kinds[i], &ec_malloc_allocator);
	for (size_t at = 0, n; ok && at < len; at += n)
	{
		RefText want = {0};
		RefText got = {0};
		EcCsvResult r;
		EcCsvResult counts;
		char *exact;
		size_t w = 0;

		n = cut(data + at, len - at, rows_per_message);
		exact = malloc(n);
		memcpy(exact, data + at, n);
		for (int i = 0; i < SHOP_NCOLUMNS; i++)
			ec_builder_reset(b[i]);
		ref_message(&ref, exact, n, &want, &counts);
		ok = ec_csv_feed(csv, exact, n, b, &r) && r.rows == counts.rows &&
			 r.faults == counts.faults && r.headers == counts.headers && r.blanks == counts.blanks;
		for (uint32_t row = 0; ok && row < r.rows; row++)
		{
			got.len = 0;
			ref_printf(&got, "row %u [%u,%u): ", r.refs[row].row, r.refs[row].begin,
					   r.refs[row].end);
			for (int i = 0; i < SHOP_NCOLUMNS; i++)
			{
				EcVector v;

				ec_builder_view(b[i], &v);
				ref_append(&got, "|", 1);
				ref_render(&shop_columns[i], &v, row, &got);
			}
			/* faults stand between the rows */
			while (w < want.len && want.data[w] == 'f')
				w += (size_t) ((char *) memchr(want.data + w, '\n', want.len - w) - want.data) - w +
					 1;
			ok = w + got.len < want.len && memcmp(want.data + w, got.data, got.len) == 0;
			w += got.len + 1;
		}
		free(exact);
		free(want.data);
		free(got.data);
	}
	ec_csv_destroy(csv);
	for (int i = 0; i < SHOP_NCOLUMNS; i++)
		ec_builder_destroy(b[i]);
	return ok;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
	{
		size_t len;
		char *data = read_file(argv[i], &len);
		bool ok = data != NULL && same_as_reference(data, len, 5000) &&
				  same_as_reference(data, len, 7) &&
				  same_as_reference(data, len < 200000 ? len : 200000, 1);

		if (!ok)
			printf("FAILED: %s\n", argv[i]);
		failed += !ok;
		free(data);
	}
	printf("%d passed, %d failed\n", argc - 1 - failed, failed);
	return failed > 0;
}
