/*
 * hooks.c
 *	  Hooks of the server.
 */
#include "postgres.h"

#include "base/hooks.h"

static ExecutorCheckPerms_hook_type own_check_perms = NULL;
static ExecutorCheckPerms_hook_type next_check_perms = NULL;

ExecutorCheckPerms_hook_type
ec_hook_check_perms(ExecutorCheckPerms_hook_type hook)
{
	next_check_perms = ExecutorCheckPerms_hook;
	own_check_perms = hook;
	ExecutorCheckPerms_hook = hook;
	return next_check_perms;
}

bool
ec_hook_check_perms_is_others(void)
{
	return ExecutorCheckPerms_hook != own_check_perms || next_check_perms != NULL;
}
