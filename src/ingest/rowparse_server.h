/*
 * rowparse_server.h
 *	  A table's columns as a list for the row parsers (server side).
 */
#ifndef EC_ROWPARSE_SERVER_H
#define EC_ROWPARSE_SERVER_H

#include "postgres.h"

#include "access/tupdesc.h"

#include "ingest/rowparse.h"
#include "vector/coltype.h"

typedef struct EcRowInput
{
	int ncolumns;
	EcRowColumn *columns;
	MemoryContext context; /* holds all this */
	MemoryContext call;	   /* of an input function, while it runs */
	MemoryContext values;  /* values made by input functions during one message */
	bool raise;			   /* errors of input functions leave the parser: the caller cleans up */
} EcRowInput;

/*
 * attnums: the columns to fill, or NULL for all that are neither dropped nor
 * generated.  columns[i].target is attnum - 1, the index into EcBatch.columns;
 * not_null is attnotnull.  desc and types must outlive the result.
 *
 * TimeZone is looked at here: make it anew when that changes.
 */
extern EcRowInput *
ec_rowinput_create(TupleDesc desc, const EcColType *types, const AttrNumber *attnums, int nattnums,
				   MemoryContext parent);
extern void ec_rowinput_destroy(EcRowInput *in);

/* The columns' callbacks are to get what COPY's binary format holds (rowbinary.h). */
extern void ec_rowinput_use_binary(EcRowInput *in);

/* Is it a type of PostgreSQL's own whose input function needs no catalog, no lock and no user code? */
extern bool ec_rowinput_computes_only(const EcColType *ct);

/* Is it a type whose input function is PostgreSQL's own, with no user code behind it? */
extern bool ec_rowinput_is_builtin(const EcColType *ct);

/* Frees the values of the last message; call it after each one. */
extern void ec_rowinput_reset(EcRowInput *in);

/* Is an error a row's fault?  Or one of the set-up, by which every row would fail: that must stop the stream. */
extern bool ec_error_is_about_value(int sqlerrcode, bool is_user_code);

/* For EcCsvOptions.verify: NULL if the database encoding is UTF-8. */
extern bool (*ec_rowinput_verifier(void))(void *arg, const uint8_t *ptr, uint32_t len);

#endif /* EC_ROWPARSE_SERVER_H */
