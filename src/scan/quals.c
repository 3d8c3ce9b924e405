/*
 * quals.c
 *	  Recognises clauses that can be tested on zones, dictionaries and vectors.
 *
 * Understood, where "column" is a plain column of the scanned relation (perhaps
 * relabelled, as varchar is to text) and "key" has no column of it, no subplan and
 * nothing volatile:
 *
 *	column op key, key op column	op <, <=, =, >=, >, <> of the type's default btree
 *									family
 *	column IS [NOT] DISTINCT FROM key
 *	column = ANY (key), column <> ALL (key)
 *	column IS [NOT] NULL, and every test of a boolean column
 *	AND, OR of these
 *
 * Column and key types are those of which a column's values can stay as they are:
 * a key may be converted (date to timestamp, also by the session's time zone), a
 * column may not.  Text needs a deterministic collation for equality and C for
 * order, since the bytes are compared.
 *
 * The same function runs in the planner, to decide and to estimate, and at
 * executor start on the finished plan's clauses.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "scan/pred.h"

static EcPred *
make_leaf(Var *var, EcKind kind, EcCompare cmp, Oid keytype, Expr *key)
{
	EcPred *pred = palloc0(sizeof(EcPred));
	EcLeaf *leaf = palloc0(sizeof(EcLeaf));

	leaf->attidx = var->varattno - 1;
	leaf->kind = kind;
	leaf->cmp = cmp;
	leaf->vartype = getBaseType(var->vartype);
	leaf->keytype = keytype;
	leaf->key = key;
	pred->type = EC_PRED_LEAF;
	pred->leaf = leaf;
	return pred;
}

/* The user column of relation varno that expr is, or NULL. */
Var *
ec_pred_var(Expr *expr, Index varno)
{
	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	if (IsA(expr, Var))
	{
		Var *var = (Var *) expr;

		if (var->varno == varno && var->varlevelsup == 0 && var->varattno > 0)
			return var;
	}
	return NULL;
}

static bool
refers_to_relation(Node *node, Index *varno)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno == *varno && ((Var *) node)->varlevelsup == 0;
	return expression_tree_walker(node, refers_to_relation, varno);
}

static bool
is_key(Expr *expr, Index varno)
{
	return !refers_to_relation((Node *) expr, &varno) && !contain_subplans((Node *) expr) &&
		   !contain_volatile_functions((Node *) expr);
}

/* The kind of chunks whose values can be compared with keys, 0 if there is none. */
static EcKind
comparable_kind(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case CASHOID:
			return EC_KIND_INT;
		case FLOAT4OID:
		case FLOAT8OID:
			return EC_KIND_FLOAT;
		case NUMERICOID:
			return EC_KIND_DECIMAL;
		case TEXTOID:
		case VARCHAROID:
			return EC_KIND_TEXT;
		case UUIDOID:
			return EC_KIND_UUID;
		default:
			return type_is_enum(type) ? EC_KIND_INT : 0;
	}
}

/* Can a key of this type be brought to the column's type without touching the column? */
static bool
key_type_fits(Oid vartype, Oid keytype)
{
	switch (vartype)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return keytype == INT2OID || keytype == INT4OID || keytype == INT8OID;
		case FLOAT4OID:
		case FLOAT8OID:
			return keytype == FLOAT4OID || keytype == FLOAT8OID;
		case DATEOID:
		case TIMESTAMPOID:
			return keytype == DATEOID || keytype == TIMESTAMPOID;
		case TIMESTAMPTZOID:
			return keytype == DATEOID || keytype == TIMESTAMPOID || keytype == TIMESTAMPTZOID;
		case VARCHAROID:
			return keytype == TEXTOID;
		default:
			return keytype == vartype || (keytype == ANYENUMOID && type_is_enum(vartype));
	}
}

/*
 * The meaning of "column opno key" in the column type's default btree family, or
 * false.  Being of the family also tells that the operator is the built-in one.
 */
static bool
operator_meaning(Oid opno, Oid vartype, EcCompare *cmp, Oid *keytype)
{
	Oid family = lookup_type_cache(vartype, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	Oid negator;
	int strategy;
	Oid left;

	if (!OidIsValid(family))
		return false;
	if (op_in_opfamily(opno, family))
	{
		get_op_opfamily_properties(opno, family, false, &strategy, &left, keytype);
		*cmp = (EcCompare) strategy;
	}
	else
	{
		negator = get_negator(opno);
		if (!OidIsValid(negator) || !op_in_opfamily(negator, family))
			return false;
		get_op_opfamily_properties(negator, family, false, &strategy, &left, keytype);
		if (strategy != BTEqualStrategyNumber)
			return false;
		*cmp = EC_CMP_NE;
	}
	return (left == vartype || (left == TEXTOID && vartype == VARCHAROID) || left == ANYENUMOID) &&
		   key_type_fits(vartype, *keytype);
}

static bool
is_ordering(EcCompare cmp)
{
	return cmp == EC_CMP_LT || cmp == EC_CMP_LE || cmp == EC_CMP_GE || cmp == EC_CMP_GT;
}

/* May values be compared by what is stored of them? */
static bool
order_is_stored(EcKind kind, Oid vartype, EcCompare cmp, Oid collation)
{
	if (kind == EC_KIND_TEXT)
	{
		if (!OidIsValid(collation))
			return false;
		return is_ordering(cmp) ? ec_compat_collate_is_c(collation)
								: get_collation_isdeterministic(collation);
	}
	if (type_is_enum(vartype)) /* oids say nothing of the order */
		return !is_ordering(cmp);
	return true;
}

static EcPred *
build_comparison(Oid opno, Oid collation, Expr *column, Expr *key, Index varno, bool is_array,
				 bool use_or)
{
	Var *var = ec_pred_var(column, varno);
	EcKind kind;
	EcCompare cmp;
	Oid vartype;
	Oid keytype;

	if (var == NULL || !is_key(key, varno))
		return NULL;
	vartype = getBaseType(var->vartype);
	kind = comparable_kind(vartype);
	if (kind == 0 || !operator_meaning(opno, vartype, &cmp, &keytype) ||
		!order_is_stored(kind, vartype, cmp, collation))
		return NULL;
	if (is_array)
	{
		if (cmp != (use_or ? EC_CMP_EQ : EC_CMP_NE))
			return NULL;
		cmp = use_or ? EC_CMP_ANY : EC_CMP_NOT_ALL;
	}
	return make_leaf(var, kind, cmp, keytype, key);
}

/* OpExpr and its twin DistinctExpr, with the column on either side. */
static EcPred *
build_operator(OpExpr *op, Index varno)
{
	Oid commutator;
	EcPred *pred;

	if (list_length(op->args) != 2)
		return NULL;
	pred = build_comparison(op->opno, op->inputcollid, linitial(op->args), lsecond(op->args), varno,
							false, false);
	if (pred != NULL)
		return pred;
	commutator = get_commutator(op->opno);
	if (!OidIsValid(commutator))
		return NULL;
	return build_comparison(commutator, op->inputcollid, lsecond(op->args), linitial(op->args),
							varno, false, false);
}

static EcPred *
build_distinct(DistinctExpr *distinct, Index varno, EcCompare cmp)
{
	EcPred *pred = build_operator(distinct, varno);

	if (pred == NULL || pred->leaf->cmp != EC_CMP_EQ)
		return NULL;
	pred->leaf->cmp = cmp;
	return pred;
}

static EcPred *
build_boolean(Expr *column, Index varno, EcCompare cmp, bool value)
{
	Var *var = ec_pred_var(column, varno);

	if (var == NULL || getBaseType(var->vartype) != BOOLOID)
		return NULL;
	return make_leaf(var, EC_KIND_INT, cmp, BOOLOID, (Expr *) makeBoolConst(value, false));
}

static EcPred *
build_null_test(Expr *column, Index varno, EcCompare cmp)
{
	Var *var = ec_pred_var(column, varno);

	return var == NULL ? NULL : make_leaf(var, 0, cmp, InvalidOid, NULL);
}

static EcPred *
build_boolean_test(BooleanTest *test, Index varno)
{
	switch (test->booltesttype)
	{
		case IS_TRUE:
			return build_boolean(test->arg, varno, EC_CMP_EQ, true);
		case IS_FALSE:
			return build_boolean(test->arg, varno, EC_CMP_EQ, false);
		case IS_NOT_TRUE:
			return build_boolean(test->arg, varno, EC_CMP_DISTINCT, true);
		case IS_NOT_FALSE:
			return build_boolean(test->arg, varno, EC_CMP_DISTINCT, false);
		case IS_UNKNOWN:
			return build_null_test(test->arg, varno, EC_CMP_NULL);
		case IS_NOT_UNKNOWN:
			return build_null_test(test->arg, varno, EC_CMP_NOT_NULL);
	}
	return NULL;
}

static EcPred *
build_list(EcPredType type, List *clauses, Index varno)
{
	EcPred *pred = palloc0(sizeof(EcPred));
	ListCell *lc;

	pred->type = type;
	pred->args = palloc(sizeof(EcPred *) * list_length(clauses));
	foreach (lc, clauses)
	{
		EcPred *arg = ec_pred_build(lfirst(lc), varno);

		if (arg == NULL)
			return NULL;
		pred->args[pred->nargs++] = arg;
	}
	return pred;
}

static EcPred *
build_bool_expr(BoolExpr *expr, Index varno)
{
	Expr *arg;

	if (expr->boolop == AND_EXPR)
		return build_list(EC_PRED_AND, expr->args, varno);
	if (expr->boolop == OR_EXPR)
		return build_list(EC_PRED_OR, expr->args, varno);
	arg = linitial(expr->args);
	if (IsA(arg, DistinctExpr))
		return build_distinct((DistinctExpr *) arg, varno, EC_CMP_NOT_DISTINCT);
	return build_boolean(arg, varno, EC_CMP_EQ, false);
}

EcPred *
ec_pred_build(Expr *clause, Index varno)
{
	switch (nodeTag(clause))
	{
		case T_OpExpr:
			return build_operator((OpExpr *) clause, varno);
		case T_DistinctExpr:
			return build_distinct((DistinctExpr *) clause, varno, EC_CMP_DISTINCT);
		case T_ScalarArrayOpExpr:
		{
			ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

			return build_comparison(op->opno, op->inputcollid, linitial(op->args),
									lsecond(op->args), varno, true, op->useOr);
		}
		case T_NullTest:
			if (((NullTest *) clause)->argisrow)
				return NULL;
			return build_null_test(
				((NullTest *) clause)->arg, varno,
				((NullTest *) clause)->nulltesttype == IS_NULL ? EC_CMP_NULL : EC_CMP_NOT_NULL);
		case T_BooleanTest:
			return build_boolean_test((BooleanTest *) clause, varno);
		case T_BoolExpr:
			return build_bool_expr((BoolExpr *) clause, varno);
		case T_Var:
		case T_RelabelType:
			return build_boolean(clause, varno, EC_CMP_EQ, true);
		default:
			return NULL;
	}
}

/* Calls visit for each leaf; stops and returns true when it does. */
bool
ec_pred_visit(EcPred *pred, bool (*visit)(EcLeaf *leaf, void *arg), void *arg)
{
	if (pred->type == EC_PRED_LEAF)
		return visit(pred->leaf, arg);
	for (int i = 0; i < pred->nargs; i++)
		if (ec_pred_visit(pred->args[i], visit, arg))
			return true;
	return false;
}
