/*
 * summaries.h
 *	  Summaries of events tables: when VACUUM makes, merges and drops them.
 */
#ifndef EC_SUMMARIES_H
#define EC_SUMMARIES_H

#include "postgres.h"

#include "utils/relcache.h"

#include "insight/columns.h"

/* Makes the layer store call us. */
extern void ec_summaries_init(void);

/*
 * Tells sets apart whose cells mean something else: format, and number, type and
 * collation of the columns of rel that these names stand for.  0 is never returned.
 */
extern uint32 ec_summaries_signature(Relation rel, const char *const names[EC_EVENT_COLUMNS]);

#endif /* EC_SUMMARIES_H */
