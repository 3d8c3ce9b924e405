/*
 * hooks.h
 *	  Hooks of the server of which one part of ours has to know whether others than
 *	  ourselves stand there.
 */
#ifndef EC_HOOKS_H
#define EC_HOOKS_H

#include "postgres.h"

#include "executor/executor.h"

/* Puts our hook before the one that is there, which is returned for it to call. */
extern ExecutorCheckPerms_hook_type ec_hook_check_perms(ExecutorCheckPerms_hook_type hook);

/* Does somebody else want to be asked who may read what? */
extern bool ec_hook_check_perms_is_others(void);

#endif /* EC_HOOKS_H */
