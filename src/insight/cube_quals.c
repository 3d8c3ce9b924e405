/*
 * cube_quals.c
 *	  Clauses on a bucketed view's keys that tell what has to be read.
 *
 * A bucket is compared with times (<, <=, =, >=, > and IN), also after CAST or date_trunc; the
 * other keys for equality (= and IN).  What compares the bucket itself with a date or a
 * timestamp without time zone, and what compares a key, decides for good: it isn't asked
 * again.  All else only narrows what is read.
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "insight/cube_plan.h"
#include "insight/rows.h"

/* Times that arithmetic on buckets is safe with. */
#define SAFE_MARGIN (INT64CONST(1000) * USECS_PER_DAY)
#define SAFE_MIN (MIN_TIMESTAMP + SAFE_MARGIN)
#define SAFE_MAX (END_TIMESTAMP - SAFE_MARGIN)

/* ---- planning ---- */

/* The column that an expression is, if it is nothing else. */
static bool
is_column(Node *node, Index rti, const EcCubeView *view, EcCubeColumn *column)
{
	Var *var;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	var = (Var *) node;
	if (!IsA(var, Var) || var->varno != rti || var->varlevelsup != 0 || var->varattno < 1 ||
		var->varattno > view->ncolumns)
		return false;
	*column = ec_cube_attribute(view, var->varattno);
	return true;
}

/* How many days date_trunc takes away at the most; 0: nobody knows. */
static int
truncated_days(Node *node)
{
	static const struct
	{
		const char *name;
		int days;
	} units[] = {{"hour", 1},	{"day", 1},		 {"week", 7},
				 {"month", 31}, {"quarter", 92}, {"year", 366}};
	Const *unit = (Const *) node;
	char *name;

	if (!IsA(unit, Const) || unit->constisnull)
		return 0;
	name = TextDatumGetCString(unit->constvalue);
	for (int i = 0; i < lengthof(units); i++)
	{
		if (pg_strcasecmp(name, units[i].name) == 0)
			return units[i].days;
	}
	return 0;
}

/* What an expression is of the bucket or a key. */
static bool
find_subject(Node *node, Index rti, const EcCubeView *view, EcCubePush *push)
{
	FuncExpr *call = (FuncExpr *) node;

	push->subject = EC_CUBE_SUBJECT_BUCKET;
	while (IsA(call, FuncExpr))
	{
		int days = 0; /* F_TIMESTAMP_DATE: the same time */

		if (call->funcid == F_DATE_TIMESTAMP)
			days = 1;
		else if (call->funcid == F_DATE_TRUNC_TEXT_TIMESTAMP)
			days = truncated_days(linitial(call->args));
		if (days == 0 && call->funcid != F_TIMESTAMP_DATE)
			return false;
		push->days += days;
		call = (FuncExpr *) llast(call->args);
	}
	if (!is_column((Node *) call, rti, view, &push->column))
		return false;
	if (push->column == EC_CUBE_BUCKET)
		return true;
	push->subject = EC_CUBE_SUBJECT_KEY;
	return (Node *) call == node && push->column < EC_CUBE_KEYS;
}

static bool
is_time(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

/* The comparison that an operator is; 0: none that is understood. */
static int
find_strategy(const EcCubePush *push, Oid opno, Oid collation, Oid type)
{
	Oid family;

	if (push->subject == EC_CUBE_SUBJECT_KEY)
		return get_opcode(opno) == F_TEXTEQ && OidIsValid(collation) &&
					   get_collation_isdeterministic(collation)
				   ? BTEqualStrategyNumber
				   : 0;
	if (!is_time(type))
		return 0;
	family = get_opclass_family(GetDefaultOpClass(TIMESTAMPOID, BTREE_AM_OID));
	return get_op_opfamily_strategy(opno, family);
}

/* Nothing that the relation, or chance, decides. */
static bool
is_value(Node *node)
{
	return !contain_var_clause(node) && !contain_volatile_functions(node) &&
		   !contain_subplans(node);
}

/* Do a value's bounds of the bucket say all that the comparison says? */
static bool
is_exact_type(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID;
}

static bool
push_comparison(const EcCubeView *view, Index rti, OpExpr *op, EcCubePush *push)
{
	Node *left;
	Node *right;
	Oid opno = op->opno;

	if (list_length(op->args) != 2)
		return false;
	left = linitial(op->args);
	right = lsecond(op->args);
	if (is_value(left))
	{
		Node *swapped = left;

		left = right;
		right = swapped;
		opno = get_commutator(opno);
	}
	if (!OidIsValid(opno) || !is_value(right) || !find_subject(left, rti, view, push))
		return false;
	push->strategy = find_strategy(push, opno, op->inputcollid, exprType(right));
	push->value = (Expr *) right;
	push->is_exact =
		push->subject == EC_CUBE_SUBJECT_KEY || (push->days == 0 && is_exact_type(exprType(right)));
	return push->strategy != 0;
}

static bool
push_array(const EcCubeView *view, Index rti, ScalarArrayOpExpr *op, EcCubePush *push)
{
	Node *left = linitial(op->args);
	Node *right = lsecond(op->args);
	Oid element = get_element_type(exprType(right));

	if (!op->useOr || !OidIsValid(element) || !is_value(right) ||
		!find_subject(left, rti, view, push))
		return false;
	push->strategy = find_strategy(push, op->opno, op->inputcollid, element);
	push->value = (Expr *) right;
	push->is_array = true;
	push->is_exact = push->subject == EC_CUBE_SUBJECT_KEY;
	return push->strategy == BTEqualStrategyNumber;
}

bool
ec_cube_push(const EcCubeView *view, Index rti, RestrictInfo *rinfo, EcCubePush *push)
{
	Node *clause = (Node *) rinfo->clause;

	memset(push, 0, sizeof(EcCubePush));
	if (rinfo->pseudoconstant || rinfo->security_level > 0)
		return false;
	if (IsA(clause, OpExpr))
		return push_comparison(view, rti, (OpExpr *) clause, push);
	if (IsA(clause, ScalarArrayOpExpr))
		return push_array(view, rti, (ScalarArrayOpExpr *) clause, push);
	return false;
}

/* ---- running ---- */

/* The first bucket from a time on, of those of finite times, or an infinite one. */
static int64
first_bucket(const EcCubeQuery *query, int64 time)
{
	if (time == DT_NOBEGIN)
		return time;
	if (time >= END_TIMESTAMP)
		return DT_NOEND;
	return ec_slot_ceil(Max(time, MIN_TIMESTAMP), query->view->length);
}

static void
bound_since(EcCubeQuery *query, int64 time)
{
	int64 since = first_bucket(query, time);

	query->since = query->has_since ? Max(query->since, since) : since;
	query->has_since = true;
}

static void
bound_until(EcCubeQuery *query, int64 time)
{
	int64 until = first_bucket(query, time);

	query->until = query->has_until ? Min(query->until, until) : until;
	query->has_until = true;
}

/* The time (of any zone, if *margin isn't 0) that a value is; false: none to compute with. */
static bool
get_time(Oid type, Datum value, int64 *time, int64 *margin)
{
	*margin = 0;
	if (type == DATEOID)
	{
		DateADT date = DatumGetDateADT(value);

		if (date <= SAFE_MIN / USECS_PER_DAY || date >= SAFE_MAX / USECS_PER_DAY)
			return false;
		*time = date * USECS_PER_DAY;
		return true;
	}
	*time = DatumGetTimestamp(value);
	if (type == TIMESTAMPTZOID)
		*margin = USECS_PER_DAY;
	return *time > SAFE_MIN && *time < SAFE_MAX;
}

/* Bounds of times from min to max. */
static void
bound_bucket(EcCubeQuery *query, const EcCubePush *push, int64 min, int64 max, int64 margin)
{
	int64 beyond = push->days * USECS_PER_DAY;

	if (push->strategy == BTGreaterStrategyNumber && beyond == 0 && margin == 0)
		bound_since(query, min + 1);
	else if (push->strategy >= BTEqualStrategyNumber)
		bound_since(query, min - margin);
	if (push->strategy == BTLessStrategyNumber)
		bound_until(query, max + beyond + margin);
	else if (push->strategy <= BTEqualStrategyNumber)
		bound_until(query, max + beyond + margin + 1);
}

/* A value's place among buckets: dates may lie beyond all timestamps. */
static int64
exact_time(Oid type, Datum value)
{
	DateADT date = DatumGetDateADT(value);

	if (type != DATEOID)
		return DatumGetTimestamp(value);
	if (DATE_IS_NOBEGIN(date))
		return DT_NOBEGIN;
	if (DATE_IS_NOEND(date))
		return DT_NOEND;
	return date >= TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE ? END_TIMESTAMP
															   : date * USECS_PER_DAY;
}

/* Bounds that let through what the comparison is true of, and nothing else.  False: nothing. */
static bool
apply_exactly(EcCubeQuery *query, const EcCubePush *push, int64 time)
{
	if ((push->strategy == BTLessStrategyNumber && time == DT_NOBEGIN) ||
		(push->strategy == BTGreaterStrategyNumber && time == DT_NOEND))
		return false;
	if (push->strategy >= BTEqualStrategyNumber)
		bound_since(query, push->strategy == BTGreaterStrategyNumber ? time + 1 : time);
	else if (time == DT_NOEND)
		bound_since(query, DT_NOBEGIN); /* not NULL */
	if (push->strategy == BTLessStrategyNumber)
		bound_until(query, time);
	else if (push->strategy <= BTEqualStrategyNumber && time != DT_NOEND)
		bound_until(query, time + 1);
	return true;
}

static bool
apply_times(EcCubeQuery *query, const EcCubePush *push, Oid type, const Datum *values, int n)
{
	int64 min = PG_INT64_MAX;
	int64 max = PG_INT64_MIN;
	int64 margin = 0;

	if (push->is_exact)
		return apply_exactly(query, push, exact_time(type, values[0]));
	for (int i = 0; i < n; i++)
	{
		int64 time;

		if (!get_time(type, values[i], &time, &margin))
			return true; /* it narrows nothing; the clause is asked again */
		min = Min(min, time);
		max = Max(max, time);
	}
	bound_bucket(query, push, min, max, margin);
	return true;
}

static int
compare_ints(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return (x > y) - (x < y);
}

static bool
has_text(const EcBytes *texts, uint32 n, const EcBytes *text)
{
	for (uint32 i = 0; i < n; i++)
	{
		if (texts[i].len == text->len && memcmp(texts[i].ptr, text->ptr, text->len) == 0)
			return true;
	}
	return false;
}

/* Only values that are both in the filter and among the given ones are left. */
static void
set_texts(EcCubeFilter *filter, const Datum *values, int n)
{
	EcBytes *texts = palloc(sizeof(EcBytes) * n);
	uint32 ntexts = 0;

	for (int i = 0; i < n; i++)
	{
		text *value = DatumGetTextPP(values[i]);
		EcBytes bytes = {(const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};

		if (has_text(texts, ntexts, &bytes) ||
			(filter->is_active && !has_text(filter->texts, filter->n, &bytes)))
			continue;
		texts[ntexts++] = bytes;
	}
	filter->texts = texts;
	filter->n = ntexts;
}

static void
set_ints(EcCubeFilter *filter, const Datum *values, int n)
{
	int64 *ints = palloc(sizeof(int64) * n);
	uint32 nints = 0;
	uint32 to = 0;

	for (int i = 0; i < n; i++)
	{
		text *value = DatumGetTextPP(values[i]);

		nints += ec_cube_parse_id(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &ints[nints]);
	}
	qsort(ints, nints, sizeof(int64), compare_ints);
	for (uint32 i = 0; i < nints; i++)
	{
		if ((to > 0 && ints[to - 1] == ints[i]) ||
			(filter->is_active &&
			 bsearch(&ints[i], filter->ints, filter->n, sizeof(int64), compare_ints) == NULL))
			continue;
		ints[to++] = ints[i];
	}
	filter->ints = ints;
	filter->n = to;
}

static bool
apply_key(EcCubeQuery *query, const EcCubePush *push, const Datum *values, int n)
{
	EcCubeFilter *filter = &query->filters[push->column];

	if (push->column == EC_CUBE_ID || push->column == EC_CUBE_CATEGORY_ID)
		set_ints(filter, values, n);
	else
		set_texts(filter, values, n);
	filter->is_active = true;
	return filter->n > 0;
}

bool
ec_cube_apply(EcCubeQuery *query, const EcCubePush *push, Oid type, Datum value, bool isnull)
{
	Datum *values = &value;
	bool *nulls = &isnull;
	int n = 1;
	int left = 0;

	if (isnull)
		return false; /* the operators are strict */
	if (push->is_array)
	{
		ArrayType *array = DatumGetArrayTypeP(value);
		int16 length;
		bool by_value;
		char align;

		type = ARR_ELEMTYPE(array);
		get_typlenbyvalalign(type, &length, &by_value, &align);
		deconstruct_array(array, type, length, by_value, align, &values, &nulls, &n);
	}
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			values[left++] = values[i];
	}
	if (left == 0)
		return false;
	if (push->subject == EC_CUBE_SUBJECT_KEY)
		return apply_key(query, push, values, left);
	return apply_times(query, push, type, values, left);
}
