/*
 * compat.h
 *	  Differences between PostgreSQL 15, 16, 17 and 18.  Every test of
 *	  PG_VERSION_NUM in the project stands here.
 */
#ifndef EC_COMPAT_H
#define EC_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "ecinsight supports PostgreSQL 15 to 18"
#endif

#include "utils/datetime.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"				/* was part of postgres.h */
#endif

/* 16: DecodeDateTime also returns the name of a bad zone or field */
static inline int
ec_compat_decode_datetime(char **field, int *ftype, int nf, int *dtype, struct pg_tm *tm,
						  fsec_t *fsec, int *tz)
{
#if PG_VERSION_NUM >= 160000
	DateTimeErrorExtra extra;

	return DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz, &extra);
#else
	return DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz);
#endif
}

#endif							/* EC_COMPAT_H */
