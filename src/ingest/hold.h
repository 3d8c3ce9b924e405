/*
 * hold.h
 *	  Keeps workers away from databases that somebody drops, copies, renames or moves.
 */
#ifndef EC_HOLD_H
#define EC_HOLD_H

extern void ec_hold_init(void);

#endif /* EC_HOLD_H */
