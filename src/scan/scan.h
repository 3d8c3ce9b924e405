/*
 * scan.h
 *	  The planner's and executor's side of columnar tables: custom scan ColumnarScan.
 */
#ifndef EC_SCAN_H
#define EC_SCAN_H

/* Installs the planner hook and registers the custom scan; called once from _PG_init. */
extern void ec_scan_init(void);

#endif /* EC_SCAN_H */
