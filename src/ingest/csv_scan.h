/*
 * csv_scan.h
 *	  Finds delimiters and line ends, 64 bytes at a time.  Pure C; for csv.c.
 */
#ifndef EC_CSV_SCAN_H
#define EC_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EC_SCAN_BLOCK 64

typedef struct EcCsvScan
{
	/* what to look for */
	uint8_t delimiter;
	uint8_t quote;
	uint8_t escape; /* not looked for, as it counts between quotes only */
	bool quoting;
	uint8_t line_end; /* LF, or CR: then CR is nothing special */

	/* the text: [0, len) is the data; reading up to readable is safe */
	const uint8_t *base;
	size_t len;
	size_t readable;

	/* found, positions relative to base */
	uint32_t *marks; /* delimiters and line ends, ascending */
	uint32_t marks_max;
	uint32_t nmarks;
	uint32_t *ends; /* indexes into marks: the line ends */
	uint32_t ends_max;
	uint32_t nends;
	bool odd_bytes;	 /* the scanned text may hold NUL or non-ASCII bytes */
	bool quote_seen; /* it may hold the quote, where that doesn't stop the scan */
} EcCsvScan;

/*
 * Looks from begin (the start of a line) for at most ends_max lines.  Stops early
 * at a quote, at a CR that no LF follows, at the end of the data, where marks run
 * out, and EC_SCAN_BLOCK bytes before the end of what is readable.  Lines found
 * complete are nends; of those, every byte was seen.  marks and ends need room for
 * EC_SCAN_BLOCK entries more than their maximum.
 */
extern void ec_csv_scan(EcCsvScan *scan, size_t begin);

#endif /* EC_CSV_SCAN_H */
