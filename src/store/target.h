/*
 * target.h
 *	  The tuple of the companion that stands for a row when it is to be changed or locked.
 */
#ifndef EC_STORE_TARGET_H
#define EC_STORE_TARGET_H

#include "postgres.h"

#include "access/tableam.h"

#include "store/row.h"

typedef struct EcTarget
{
	int64 number; /* of the row */
	EcRowState state;
	ItemPointerData ctid;  /* the tuple: EC_ROW_DATA or EC_ROW_LIVE */
	TransactionId deleter; /* if there is no tuple any more */
	bool moved;			   /* its EC_ROW_DATA was moved to a row group */
	bool compacted;		   /* this transaction, by a compaction, has deleted a tuple of the row */
} EcTarget;

extern void ec_target_init(EcTarget *target, ItemPointer tid);

/* Finds the tuple as it is.  False if there is none: the row is deleted, or stands in a group untouched. */
extern bool ec_target_find(EcCompanion *c, EcTarget *target);

/*
 * Finds the tuple, or makes one for a row that stands in a group.  False if the
 * row is deleted.  The caller, or its caller, has seen the row with a snapshot that
 * it still holds.
 */
extern bool ec_target_get(EcCompanion *c, EcTarget *target, CommandId cid);

/*
 * The tuple turned out to be deleted: by compaction, which keeps the row?  Then
 * the caller starts over with ec_target_get.
 */
extern bool ec_target_moved(EcCompanion *c, EcTarget *target);

/*
 * Rows of row groups have no command id of their own that heap could judge.  False
 * if the row was inserted by the command (or a later one) that wants to change it.
 */
extern bool ec_target_visible(EcCompanion *c, const EcTarget *target, CommandId cid);

/* Makes failure data speak of the table's rows, not of tuples of the companion. */
extern void ec_target_translate(EcCompanion *c, const EcTarget *target, TM_FailureData *tmfd);
extern void ec_target_failed(const EcTarget *target, TM_FailureData *tmfd);

#endif /* EC_STORE_TARGET_H */
