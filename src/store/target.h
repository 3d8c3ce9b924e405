/*
 * target.h
 *	  The tuple of the companion that stands for a row when it is to be changed or locked.
 */
#ifndef EC_STORE_TARGET_H
#define EC_STORE_TARGET_H

#include "postgres.h"

#include "access/tableam.h"
#include "nodes/lockoptions.h"
#include "storage/lmgr.h"

#include "store/row.h"

typedef struct EcTarget
{
	int64 number; /* of the row */
	EcRowState state;
	ItemPointerData ctid;  /* the tuple: EC_ROW_DATA or EC_ROW_LIVE */
	TransactionId deleter; /* if there is no tuple any more */
	CommandId deleter_cid; /* if that is this transaction */
	TransactionId blocker; /* is deleting it just now, without a header */
	bool moved;			   /* its EC_ROW_DATA was moved to a row group */
	bool
		compacted; /* this transaction has deleted a tuple of the row: its compaction, if it sees the row */
	ItemPointerData made;	   /* header made beside somebody's tombstone */
	ItemPointerData tombstone; /* left before the header was made; else invalid */
} EcTarget;

typedef enum EcTargetFound
{
	EC_TARGET_FOUND,	 /* it has a tuple */
	EC_TARGET_NONE,		 /* it has none: the row stands in a group untouched */
	EC_TARGET_GONE,		 /* the row is deleted */
	EC_TARGET_BLOCKED,	 /* somebody is deleting it, who leaves no header to wait for */
	EC_TARGET_TOMBSTONED /* it got its tombstone */
} EcTargetFound;

/* What is to be done to the row. */
typedef struct EcTargetPurpose
{
	CommandId cid;
	LockWaitPolicy policy; /* towards somebody who deletes it */
	XLTW_Oper oper;
	bool tombstone; /* if the row has no tuple, it is to get its tombstone at once ... */
	bool header;	/* ... and then a header all the same */
} EcTargetPurpose;

extern void ec_target_init(EcTarget *target, ItemPointer tid);

/* Finds the tuple as it is. */
extern EcTargetFound ec_target_find(EcCompanion *c, EcTarget *target);

/*
 * Finds the tuple, or makes one for a row that stands in a group: never
 * EC_TARGET_NONE, and EC_TARGET_BLOCKED only if the policy is not to wait.  The
 * caller, or its caller, has seen the row with a snapshot that it still holds.
 */
extern EcTargetFound
ec_target_get(EcCompanion *c, EcTarget *target, const EcTargetPurpose *purpose);

/* Takes back a tombstone that ec_target_get has left in front of a header: the row isn't changed after all. */
extern void ec_target_take_back(EcCompanion *c, EcTarget *target);

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

/* The same for a row that has no tuple; the result that goes with it. */
extern TM_Result
ec_target_failed(const EcTarget *target, EcTargetFound found, CommandId cid, TM_FailureData *tmfd);

#endif /* EC_STORE_TARGET_H */
