/*
 * copy_run.c
 *	  A COPY ... FROM, piece by piece.
 *
 * Core reads the first piece: it knows about headers, checks all options, and finds
 * how lines end; a short input it reads whole.  The pieces that follow are parsed
 * straight into the column builders of the pending batch.  One that our parser does
 * not take as it stands is taken back and given to core, which raises the error
 * that belongs there, or accepts it; after a few such pieces core gets the rest.
 * Lines that our parser reads otherwise than core (blank ones, \., odd line ends)
 * make the rest core's at once.  In the binary format lines are rows; each part that
 * core gets begins with a header, as it must.
 *
 * All rows go to the same batch, in the input's order, whoever parsed them.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "commands/progress.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include <sys/stat.h>

#include "base/compat.h"
#include "ingest/copy.h"
#include "ingest/rowbinary.h"
#include "ingest/rowparse_server.h"
#include "store/write_state.h"

#define FIRST_BYTES ((size_t) 32 * 1024)
#define FIRST_LINE_MAX ((size_t) 4 * 1024 * 1024)
#define PIECE_BYTES ((size_t) 256 * 1024)
/* Of a partitioned table so much more that each partition gets some rows together. */
#define TABLES_PER_PIECE 4
#define PIECES_MAX 16

#define REFUSED_MAX 8
#define ALL_THE_REST SIZE_MAX

/* A binary input's header: the signature, no flags, nothing else. */
static const char binary_header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
#define BINARY_HEADER_LEN (sizeof(binary_header))

/* Bytes of a row that messages show: core's MAX_COPY_DATA_DISPLAY. */
#define TEXT_SHOWN_MAX 100

typedef struct CopyRun
{
	const EcCopyPlan *plan;
	EcCopySource source;
	CommandId cid;
	uint64 lines; /* before source.begin */
	uint64 rows;
	uint64 core_rows;	/* of these, read by core */
	uint64 bytes_total; /* of a file */
	EolType eol;
	size_t core_len;	/* what core may still take, or ALL_THE_REST */
	size_t core_header; /* bytes of a header that it gets first */
	uint32 last_rows;	/* of the last piece */
	int refused;
	bool done;
	EcRowInput *input;
	EcCsv *csv;
	EcBinary *binary; /* one of them */
	EcCopyRows *row_state;
	uint64 core_excluded;
	EcCsvResult result; /* of the piece at work */
	const char *text;	/* in the server's encoding */
	size_t len;
	char *converted; /* NULL: it is as it was read */
} CopyRun;

/* Core's callback takes no argument; COPYs don't nest. */
static CopyRun *current_run;

/* ------------------------------------------------------------------------
 * Progress and messages
 * ------------------------------------------------------------------------
 */

static void
report_progress(const CopyRun *run)
{
	const int params[] = {PROGRESS_COPY_BYTES_PROCESSED, PROGRESS_COPY_TUPLES_PROCESSED,
						  PROGRESS_COPY_TUPLES_EXCLUDED};
	const int64 values[] = {run->source.taken, run->rows,
							run->core_excluded +
								(run->row_state != NULL ? run->row_state->excluded : 0)};

	pgstat_progress_update_multi_param(lengthof(params), params, values);
}

/* Each of core's own COPYs begins a command of type "callback". */
static void
report_command(const CopyRun *run)
{
	const int params[] = {PROGRESS_COPY_COMMAND, PROGRESS_COPY_TYPE, PROGRESS_COPY_BYTES_TOTAL};
	const int64 values[] = {PROGRESS_COPY_COMMAND_FROM,
							run->source.file == NULL	  ? PROGRESS_COPY_TYPE_PIPE
							: run->plan->stmt->is_program ? PROGRESS_COPY_TYPE_PROGRAM
														  : PROGRESS_COPY_TYPE_FILE,
							run->bytes_total};

	pgstat_progress_update_multi_param(lengthof(params), params, values);
	report_progress(run);
}

/* The last physical line of a row of the piece, as core counts. */
static uint64
line_of(const CopyRun *run, int64 row)
{
	uint64 line = run->lines + 1;

	if (run->source.text || run->binary != NULL)
		return line + row;
	for (const char *p = run->text; p < run->text + run->result.refs[row].end; p++)
		line += *p == '\n';
	return line;
}

/* Where core would say that we are. */
static void
error_context(void *arg)
{
	CopyRun *run = arg;
	const char *name = RelationGetRelationName(run->plan->rel);
	const EcRowRef *ref;
	const char *text;
	int len;
	bool cut;

	if (run->row_state->row < 0)
	{
		errcontext("COPY %s, line " UINT64_FORMAT, name, run->lines + 1);
		return;
	}
	if (!run->row_state->checking || run->binary != NULL)
	{
		errcontext("COPY %s, line " UINT64_FORMAT, name, line_of(run, run->row_state->row));
		return;
	}
	ref = &run->result.refs[run->row_state->row];
	text = run->text + ref->begin;
	len = (int) (ref->end - ref->begin);
	cut = len > TEXT_SHOWN_MAX;
	if (cut)
		len = pg_mbcliplen(text, len, TEXT_SHOWN_MAX);
	errcontext("COPY %s, line " UINT64_FORMAT ": \"%.*s%s\"", name,
			   line_of(run, run->row_state->row), len, text, cut ? "..." : "");
}

/* ------------------------------------------------------------------------
 * Core's part
 * ------------------------------------------------------------------------
 */

static int
give_core(void *out, int min_read, int max_read)
{
	CopyRun *run = current_run;
	EcCopySource *source = &run->source;
	size_t n;

	if (run->core_header > 0)
	{
		n = Min(run->core_header, (size_t) max_read);
		memcpy(out, binary_header + BINARY_HEADER_LEN - run->core_header, n);
		run->core_header -= n;
		return (int) n;
	}
	if (run->core_len == ALL_THE_REST)
		(void) ec_copy_fill(source, 1);
	n = Min(Min(source->end_at - source->begin, run->core_len), (size_t) max_read);
	if (n == 0 && run->core_len == ALL_THE_REST)
		ec_copy_check_end(source);
	memcpy(out, source->data + source->begin, n);
	ec_copy_take(source, n);
	if (run->core_len != ALL_THE_REST)
		run->core_len -= n;
	return (int) n;
}

static CopyFromState
begin_core(CopyRun *run)
{
	const EcCopyPlan *plan = run->plan;
	CopyFromState cstate;

	current_run = run;
	run->core_header = plan->binary ? BINARY_HEADER_LEN : 0;
	cstate = BeginCopyFrom(plan->pstate, plan->rel, (Node *) plan->where, NULL, false, give_core,
						   plan->stmt->attlist, plan->stmt->options);
	current_run = NULL;
	return cstate;
}

/* Of the rows that core has read just now. */
static uint64
excluded_by_core(void)
{
	return MyBEEntry != NULL ? MyBEEntry->st_progress_param[PROGRESS_COPY_TUPLES_EXCLUDED] : 0;
}

/* Core takes len bytes, which end with a line, or all the rest. */
static void
copy_by_core(CopyRun *run, CopyFromState first, size_t len)
{
	CopyFromState cstate = first;
	uint64 taken;

	if (cstate == NULL)
	{
		cstate = begin_core(run);
		cstate->opts.header_line = COPY_HEADER_FALSE;
		cstate->cur_lineno = run->lines;
		cstate->eol_type = run->eol;
	}
	cstate->bytes_processed = run->source.taken;
	report_command(run);
	pgstat_progress_update_param(PROGRESS_COPY_TUPLES_EXCLUDED, 0);
	current_run = run;
	run->core_len = len;
	run->done = len == ALL_THE_REST;
	taken = CopyFrom(cstate);
	current_run = NULL;
	run->core_excluded += excluded_by_core();
	run->rows += taken;
	run->core_rows += taken;
	/* the attempt to read beyond the last line was counted too */
	run->lines = cstate->cur_lineno - 1;
	run->eol = cstate->eol_type;
	if (first == NULL)
		EndCopyFrom(cstate);
	pgstat_progress_start_command(PROGRESS_COMMAND_COPY, RelationGetRelid(run->plan->rel));
	report_command(run);
}

/* ------------------------------------------------------------------------
 * Our part
 * ------------------------------------------------------------------------
 */

/* Exceptions from which fields are NULL, for each column of the input; NULL: none. */
static uint8 *
find_forced(const EcCopyPlan *plan)
{
	TupleDesc desc = RelationGetDescr(plan->rel);
	uint8 *force = palloc0(list_length(plan->attnums) + 1);

	if (plan->force_null == NIL && plan->force_not_null == NIL)
		return NULL;
	for (int i = 0; i < list_length(plan->attnums); i++)
	{
		const char *name =
			NameStr(TupleDescAttr(desc, list_nth_int(plan->attnums, i) - 1)->attname);
		ListCell *lc;

		foreach (lc, plan->force_null)
			force[i] |= strcmp(strVal(lfirst(lc)), name) == 0 ? EC_CSV_FORCE_NULL : 0;
		foreach (lc, plan->force_not_null)
			force[i] |= strcmp(strVal(lfirst(lc)), name) == 0 ? EC_CSV_FORCE_NOT_NULL : 0;
	}
	return force;
}

static void
create_parser(CopyRun *run)
{
	TupleDesc desc = RelationGetDescr(run->plan->rel);
	EcAllocator allocator = ec_context_allocator(CurrentMemoryContext);
	EcCsvOptions csv = run->plan->csv;
	int n = list_length(run->plan->attnums);
	AttrNumber *attnums = palloc(sizeof(AttrNumber) * n);

	for (int i = 0; i < n; i++)
		attnums[i] = list_nth_int(run->plan->attnums, i);
	run->input =
		ec_rowinput_create(desc, ec_coltype_from_tupdesc(desc), attnums, n, CurrentMemoryContext);
	for (int i = 0; i < n; i++)
	{
		/* rows that WHERE doesn't let in may have NULLs: the others are looked at behind it */
		if (run->plan->where != NIL)
			run->input->columns[i].not_null = false;
		run->input->columns[i].not_null |= bms_is_member(attnums[i], run->plan->checked_nulls);
	}
	csv.force = find_forced(run->plan);
	if (run->plan->binary)
	{
		ec_rowinput_use_binary(run->input);
		run->binary = ec_binary_create(run->input->columns, n, csv.verify, &allocator);
	}
	else
		run->csv = ec_csv_create(&csv, run->input->columns, n, &allocator);
	run->input->raise = true;
	run->row_state = ec_copy_rows_create(run->plan->pstate, run->plan->rel, run->plan->attnums,
										 run->plan->where);
}

/* The piece in the server's encoding; errors are those of conversion functions. */
static void
convert(CopyRun *run, const EcCopyPiece *piece)
{
	if (run->converted != NULL)
		pfree(run->converted);
	run->converted = NULL;
	run->text = run->source.data + run->source.begin;
	run->len = piece->len;
	if (run->plan->encoding < 0)
		return;
	run->converted = pg_any_to_server(run->text, (int) piece->len, run->plan->encoding);
	if (run->converted == run->text)
		run->converted = NULL;
	else
	{
		run->text = run->converted;
		run->len = strlen(run->converted);
	}
}

static void
feed(CopyRun *run, EcBatch *batch, const EcCopyPiece *piece)
{
	memset(&run->result, 0, sizeof(run->result));
	convert(run, piece);
	if (run->binary != NULL)
	{
		if (ec_binary_feed(run->binary, (const uint8 *) run->text, run->len, batch->columns))
			run->result.rows = piece->rows;
		return;
	}
	if (run->len >= 3 && memcmp(run->text, "\xef\xbb\xbf", 3) == 0)
		return;
	if (!ec_csv_feed(run->csv, run->text, run->len, batch->columns, &run->result))
		elog(ERROR, "could not parse a piece of %zu bytes", run->len);
}

/* Receive functions call a value that is too short a violation of the protocol. */
static bool
is_about_piece(const CopyRun *run, const ErrorData *error)
{
	return ec_error_is_about_value(error->sqlerrcode, false) ||
		   (run->binary != NULL && error->sqlerrcode == ERRCODE_PROTOCOL_VIOLATION);
}

/*
 * The same, with the errors of input functions caught: false.  What those hold that
 * do more than compute is given back by a subtransaction.
 */
static bool
try_feed(CopyRun *run, EcBatch *batch, const EcCopyPiece *piece)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	if (run->plan->guard)
	{
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(context);
	}
	PG_TRY();
	{
		feed(run, batch, piece);
		if (run->plan->guard)
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (run->plan->guard)
			RollbackAndReleaseCurrentSubTransaction();
		ec_write_hold(true);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error == NULL)
		return true;
	if (!is_about_piece(run, error))
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

/* False, and nothing has happened, if the piece isn't as our parser and core both know it. */
static bool
parse_piece(CopyRun *run, EcBatch *batch, const EcCopyPiece *piece)
{
	const EcCsvResult *result = &run->result;
	uint32 nrows = piece->rows;
	bool fine;

	fine = try_feed(run, batch, piece) && result->rows == piece->rows && result->faults == 0 &&
		   result->blanks == 0 && result->headers == 0 &&
		   ec_copy_rows_complete(run->row_state, batch, &nrows);
	ec_rowinput_reset(run->input);
	if (!fine)
	{
		run->row_state->row = -1;
		run->row_state->checking = false;
		ec_batch_truncate(batch, batch->nrows);
		return false;
	}
	ec_copy_rows_store(run->row_state, run->cid, nrows);
	run->last_rows = piece->rows;
	run->rows += nrows;
	run->lines += piece->lines;
	ec_copy_take(&run->source, piece->len);
	return true;
}

static size_t
piece_bytes(const CopyRun *run)
{
	return PIECE_BYTES * (size_t) Min(run->row_state->tables / TABLES_PER_PIECE + 1, PIECES_MAX);
}

/* One piece; *left gets what is core's: bytes of this piece, ALL_THE_REST, or 0. */
static void
next_piece(CopyRun *run, size_t *left)
{
	EcCopySource *source = &run->source;
	EcCopyPiece piece = {0};
	EcBatch *batch;
	uint32 room;
	size_t bytes = piece_bytes(run);

	*left = ALL_THE_REST;
	for (size_t want = bytes;; want *= 2)
	{
		if (!ec_copy_fill(source, want) || source->end > EC_COPY_EOF)
			return;
		batch = ec_copy_rows_open(run->row_state, run->cid, run->last_rows, &room);
		ec_copy_look(source, room, bytes, &piece);
		if (piece.rows > 0)
			break;
		if (piece.next != EC_COPY_PLAIN || source->end == EC_COPY_EOF)
		{
			run->done = source->begin == source->end_at;
			return;
		}
	}
	if (parse_piece(run, batch, &piece))
		*left = 0;
	else if (++run->refused <= REFUSED_MAX)
		*left = piece.len;
}

static void
copy_by_pieces(CopyRun *run)
{
	ErrorContextCallback context = {error_context_stack, error_context, run};

	while (!run->done)
	{
		size_t left;

		CHECK_FOR_INTERRUPTS();
		error_context_stack = &context;
		next_piece(run, &left);
		error_context_stack = context.previous;
		if (run->done)
			break;
		if (left > 0)
			copy_by_core(run, NULL, left);
		report_progress(run);
	}
}

/* ------------------------------------------------------------------------
 * The whole
 * ------------------------------------------------------------------------
 */

/* A header that isn't the usual one is core's, and so are all rows behind it. */
static void
first_binary_piece(CopyRun *run, CopyFromState first)
{
	EcCopySource *source = &run->source;
	EcCopyPiece piece = {0};

	(void) ec_copy_fill(source, FIRST_BYTES);
	if (source->end_at - source->begin >= BINARY_HEADER_LEN &&
		memcmp(source->data + source->begin, binary_header, BINARY_HEADER_LEN) == 0)
	{
		ec_copy_take(source, BINARY_HEADER_LEN);
		if (source->end != EC_COPY_MORE || ec_copy_rows_prepare(run->row_state))
			ec_copy_look(source, PG_UINT32_MAX, FIRST_BYTES - BINARY_HEADER_LEN, &piece);
	}
	else
	{
		current_run = run;
		run->core_len = ALL_THE_REST;
		ReceiveCopyBinaryHeader(first);
	}
	copy_by_core(run, first, piece.rows > 0 ? piece.len : ALL_THE_REST);
}

/* Core's share at the beginning. */
static void
first_piece(CopyRun *run, CopyFromState first)
{
	EcCopySource *source = &run->source;
	EcCopyPiece piece = {0};
	const char *newline;

	for (size_t want = FIRST_BYTES + 1;; want *= 2)
	{
		(void) ec_copy_fill(source, want);
		newline = memchr(source->data + source->begin, '\n', source->end_at - source->begin);
		if (newline != NULL || source->end != EC_COPY_MORE || want > FIRST_LINE_MAX)
			break;
	}
	if (source->end == EC_COPY_MORE && newline != NULL && ec_copy_rows_prepare(run->row_state))
	{
		source->crlf = newline > source->data && newline[-1] == '\r';
		ec_copy_look(source, PG_UINT32_MAX, FIRST_BYTES, &piece);
	}
	copy_by_core(run, first, piece.rows > 0 ? piece.len : ALL_THE_REST);
	if (!run->done && run->eol != (source->crlf ? EOL_CRNL : EOL_NL))
		copy_by_core(run, NULL, ALL_THE_REST);
}

void
ec_copy_check(const EcCopyPlan *plan)
{
	CopyRun run = {.plan = plan};

	EndCopyFrom(begin_core(&run));
}

uint64
ec_copy_run(const EcCopyPlan *plan, FILE *file, bool *all_read)
{
	CopyRun run = {.plan = plan, .last_rows = 1024};
	CopyFromState first = begin_core(&run);
	struct stat st;

	run.source.file = file;
	run.source.quote = plan->csv.quote;
	run.source.escape = plan->csv.escape;
	run.source.text = plan->csv.text;
	run.source.nfields = plan->binary ? list_length(plan->attnums) : 0;
	run.source.data = palloc(run.source.size = 2 * PIECE_BYTES);
	if (file == NULL)
	{
		ReceiveCopyBegin(first);
		run.source.message = first->fe_msgbuf;
		first->copy_src = COPY_CALLBACK;
	}
	else if (!plan->stmt->is_program && fstat(fileno(file), &st) == 0)
		run.bytes_total = st.st_size;
	run.cid = GetCurrentCommandId(true);
	create_parser(&run);
	ec_write_hold(true);
	if (plan->binary)
		first_binary_piece(&run, first);
	else
		first_piece(&run, first);
	copy_by_pieces(&run);
	ec_copy_rows_end(run.row_state);
	ec_write_hold(false);
	ec_copy_rows_free(run.row_state);
	ec_copy_drain(&run.source);
	if (run.binary != NULL)
		ec_binary_destroy(run.binary);
	else
		ec_csv_destroy(run.csv);
	ec_rowinput_destroy(run.input);
	EndCopyFrom(first);
	ereport(DEBUG1, (errmsg_internal("COPY %s: " UINT64_FORMAT " of " UINT64_FORMAT
									 " rows read by PostgreSQL's own parser",
									 RelationGetRelationName(plan->rel), run.core_rows, run.rows)));
	*all_read = run.source.end == EC_COPY_EOF;
	return run.rows;
}
