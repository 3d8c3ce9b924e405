/*
 * rowbinary.h
 *	  Rows of COPY's binary format into column builders.  Pure C.
 *
 * The rule is core's: the column type's receive function decides what bytes mean.
 * Common types are taken apart here, with the same outcome; everything else is handed
 * to the columns' "input", which calls that function.  A row that isn't surely good
 * makes its piece somebody else's: nothing tells here what is wrong with it.
 */
#ifndef EC_ROWBINARY_H
#define EC_ROWBINARY_H

#include "ingest/rowparse.h"

typedef struct EcBinary EcBinary;

/* columns[] is copied, what it points to is not; verify as in EcCsvOptions.  NULL only if the allocator gives it. */
extern EcBinary *ec_binary_create(const EcRowColumn *columns, int ncolumns,
								  bool (*verify)(void *arg, const uint8_t *ptr, uint32_t len),
								  const EcAllocator *alloc);
extern void ec_binary_destroy(EcBinary *binary);

/*
 * How many whole rows of ncolumns fields stand at the beginning of data: at most max_rows, and none
 * that begins at max_bytes or later.  *len gets their bytes; *odd: what follows is neither
 * such a row nor the beginning of one.
 */
extern uint32_t ec_binary_look(const uint8_t *data, size_t size, int ncolumns, uint32_t max_rows,
							   size_t max_bytes, size_t *len, bool *odd);

/*
 * Appends all rows of data, which ec_binary_look has found to be whole.  False, with the builders to be
 * truncated, if one isn't surely good or memory is out.
 */
extern bool ec_binary_feed(EcBinary *binary, const uint8_t *data, size_t len, EcBuilder **builders);

#endif /* EC_ROWBINARY_H */
