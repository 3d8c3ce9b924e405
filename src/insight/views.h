/*
 * views.h
 *	  The views of create_views, for the files that make and grant them.
 */
#ifndef EC_VIEWS_H
#define EC_VIEWS_H

#include "postgres.h"

/* Names of all views that create_views makes. */
extern const char *ec_views_name(int i); /* NULL beyond the last */

/* A view that shows a function's rows. */
typedef struct EcFunctionView
{
	const char *name;	   /* of both */
	const char *arguments; /* after the events relation, with a comma before each */
	const char *columns;   /* expressions that give types that every tool reads, with their names */
	const char *comment;
} EcFunctionView;

/* The i-th; beyond the last one without a name. */
extern const EcFunctionView *ec_views_function(int i);

/* Runs a utility command by SPI (connected); search_path must be safe. */
extern void ec_views_execute(const char *command);

/* Sets search_path to pg_catalog until ec_views_restore_path. */
extern int ec_views_safe_path(void);
extern void ec_views_restore_path(int level);

#endif /* EC_VIEWS_H */
