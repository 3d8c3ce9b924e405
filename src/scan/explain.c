/*
 * explain.c
 *	  What EXPLAIN tells of a columnar scan beyond the executor's own lines.
 *
 * "Columns" are those that may be decoded, "Vector Filter" the part of the filter
 * that zones, dictionaries and vectors decide.  ANALYZE adds counts, summed over
 * all loops: row groups and blocks that passed the zones or were skipped, and (not
 * with COSTS OFF, since compression may differ from one build to another) bytes.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "base/compat.h"
#include "scan/state.h"

static void
explain_columns(EcScanState *scan, ExplainState *es)
{
	TupleDesc desc = RelationGetDescr(scan->css.ss.ss_currentRelation);
	List *names = NIL;

	for (int i = 0; i < scan->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, scan->columns[i].attidx);

		names = lappend(names, pstrdup(quote_identifier(NameStr(att->attname))));
	}
	if (names == NIL)
		ExplainPropertyText("Columns", "(none)", es);
	else
		ExplainPropertyList("Columns", names, es);
}

static void
explain_vector_filter(EcScanState *scan, List *ancestors, ExplainState *es)
{
	Plan *plan = scan->css.ss.ps.plan;
	List *context;
	List *clauses = NIL;

	for (int i = 0; i < scan->nclauses; i++)
		if (scan->clauses[i].pred != NULL)
			clauses = lappend(clauses, list_nth(plan->qual, i));
	if (clauses == NIL)
		return;
	context = set_deparse_context_plan(es->deparse_cxt, plan, ancestors);
	ExplainPropertyText("Vector Filter",
						deparse_expression((Node *) make_ands_explicit(clauses), context,
										   list_length(es->rtable) > 1 || es->verbose, false),
						es);
}

/* "Row Groups: 3 read, 7 skipped", or two numbers in the structured formats. */
static void
explain_counts(const char *what, uint64 nread, uint64 nskipped, ExplainState *es)
{
	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyText(
			what, psprintf(UINT64_FORMAT " read, " UINT64_FORMAT " skipped", nread, nskipped), es);
		return;
	}
	ExplainPropertyUInteger(psprintf("%s Read", what), NULL, nread, es);
	ExplainPropertyUInteger(psprintf("%s Skipped", what), NULL, nskipped, es);
}

void
ec_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	EcScanState *scan = (EcScanState *) node;
	const EcScanCounts *own = &scan->counts;
	const EcScanCounts *workers = &scan->workers;

	explain_columns(scan, es);
	explain_vector_filter(scan, ancestors, es);
	if (!es->analyze)
		return;
	ec_scan_take_reader_counts(scan);
	explain_counts("Row Groups", own->groups_read + workers->groups_read,
				   own->groups_skipped + workers->groups_skipped, es);
	explain_counts("Blocks", own->blocks_read + workers->blocks_read,
				   own->blocks_skipped + workers->blocks_skipped, es);
	ExplainPropertyUInteger("Column Blocks Decoded", NULL,
							own->column_blocks + workers->column_blocks, es);
	if (es->costs)
		ExplainPropertyUInteger("Bytes Read", NULL, own->bytes + workers->bytes, es);
}
