/*
 * summary_session.h
 *	  Who makes summaries of sessions (EC_PROJECTION_SESSION) is fed with each session's
 *	  hours, user by user, by whoever has them in that order (summary_visit.c).
 */
#ifndef EC_SUMMARY_SESSION_H
#define EC_SUMMARY_SESSION_H

#include "postgres.h"

#include "insight/build.h"
#include "insight/sessions.h"

/* An hour of a session. */
typedef struct EcSessionHour
{
	uint64 first; /* the session's key */
	uint64 second;
	int64 slot;
	bool no_time; /* slot doesn't matter */
	int64 rows;
	int64 purchases;
} EcSessionHour;

/* Each hour once; those of a session one after the other. */
extern void
ec_session_add_hour(EcMaking *making, const EcSessionColumn *sessions, const EcSessionHour *hour);

/* The hours added are those of this user, and greater than the one before. */
extern void ec_session_end_user(EcMaking *making, int64 user);

#endif /* EC_SUMMARY_SESSION_H */
