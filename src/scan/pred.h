/*
 * pred.h
 *	  Predicates that scans test on zone maps, dictionaries and vectors.
 *
 * A clause of the WHERE list that has the right form (see quals.c) becomes a tree
 * of AND, OR and leaves.  A leaf compares one column with keys: expressions
 * without columns of the relation, evaluated once per (re)scan (keys.c).  NOT has
 * no node: a leaf's own negation covers what the planner leaves of it.  So a tree
 * may treat NULL results as false, as a WHERE clause does in the end, and each
 * leaf says for itself whether a NULL value satisfies it.
 *
 * Leaves are kept in one of two shapes:
 *
 *	INT64 kinds (integers, dates, times, booleans, enums, scaled decimals, float
 *	images): the satisfying values as sorted, disjoint, non-adjacent inclusive
 *	ranges.  Every operator becomes ranges, so zones and vectors know only these.
 *
 *	byte strings (text, uuid): a sorted set of keys (=, IN; or its complement), or
 *	one bound in memcmp order.
 *
 * A leaf is exact where the chunk has the leaf's kind.  Chunks record their own
 * kind (the column's type may have changed since without a rewrite); in a chunk of
 * another kind the leaf says nothing (EC_TRUTH_SOME) and the executor evaluates
 * the clause row by row.
 */
#ifndef EC_PRED_H
#define EC_PRED_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/primnodes.h"

#include "encoding/encoding.h"
#include "vector/coltype.h"
#include "vector/vector.h"

/* What is known of a predicate for a set of rows. */
typedef enum EcTruth
{
	EC_TRUTH_NONE, /* true for no row */
	EC_TRUTH_SOME, /* unknown */
	EC_TRUTH_ALL   /* true for every row */
} EcTruth;

/* The first five are btree's strategy numbers. */
typedef enum EcCompare
{
	EC_CMP_LT = 1,
	EC_CMP_LE = 2,
	EC_CMP_EQ = 3,
	EC_CMP_GE = 4,
	EC_CMP_GT = 5,
	EC_CMP_NE,
	EC_CMP_ANY,		/* = ANY (array) */
	EC_CMP_NOT_ALL, /* <> ALL (array) */
	EC_CMP_DISTINCT,
	EC_CMP_NOT_DISTINCT,
	EC_CMP_NULL,
	EC_CMP_NOT_NULL
} EcCompare;

typedef struct EcRange
{
	int64 min;
	int64 max; /* inclusive */
} EcRange;

/* An expression without columns; shared by the leaves of BETWEEN and the like only by value. */
typedef struct EcLeaf
{
	/* fixed when built */
	int attidx;
	EcKind kind; /* chunks of another kind: unknown.  0: any (NULL tests) */
	EcCompare cmp;
	Oid vartype; /* base type of the column */
	Oid keytype; /* of one key */
	Expr *key;	 /* NULL: none needed */
	ExprState *keystate;

	/* derived from the keys */
	bool nulls;	   /* a NULL value satisfies the leaf */
	bool inverted; /* byte strings: satisfied by values outside the set */
	int nkeys;
	Datum *keys;	  /* numeric: kept, since ranges depend on a chunk's scale */
	EcBytes *strings; /* sorted by memcmp, then length */
	int64 *prefixes;  /* ec_bytes_prefix of strings */
	int nranges;
	EcRange *ranges;
	int32 scale;		   /* decimals: that of the ranges; -1: not derived yet */
	MemoryContext context; /* of all this; reset when keys are evaluated again */

	/* which entries of a dictionary satisfy the leaf */
	uint64 dict_serial;	  /* the dictionary's; 0: none tested, or one that can't be recognised */
	uint8 *dict_match;	  /* [ndict + 1], the last is NULL's */
	uint32 dict_capacity; /* of dict_match */
} EcLeaf;

typedef enum EcPredType
{
	EC_PRED_AND,
	EC_PRED_OR,
	EC_PRED_LEAF
} EcPredType;

typedef struct EcPred
{
	EcPredType type;
	int nargs;
	struct EcPred **args; /* AND, OR */
	EcLeaf *leaf;		  /* LEAF */
} EcPred;

/* quals.c: the clause as a predicate, or NULL if it has another form. */
extern EcPred *ec_pred_build(Expr *clause, Index varno);
extern bool ec_pred_visit(EcPred *pred, bool (*visit)(EcLeaf *leaf, void *arg), void *arg);
extern Var *ec_pred_var(Expr *expr, Index varno);

/* keys.c: keys evaluated in econtext; must be called again when a parameter has changed. */
extern void ec_pred_init_keys(EcPred *pred, PlanState *parent);
extern void ec_pred_eval_keys(EcPred *pred, ExprContext *econtext, MemoryContext context);
extern void ec_leaf_set_scale(EcLeaf *leaf, int32 scale);

/* zone.c */
extern EcTruth ec_leaf_zone(EcLeaf *leaf, const EcZone *zone, EcKind kind, int32 scale);

/* filter.c */
extern bool ec_leaf_reads_kind(const EcLeaf *leaf, EcKind kind);
extern bool ec_leaf_match_any(const EcLeaf *leaf, const EcVector *dict);
extern void ec_leaf_filter(EcLeaf *leaf, const EcVector *v, uint64 *rows);

#endif /* EC_PRED_H */
