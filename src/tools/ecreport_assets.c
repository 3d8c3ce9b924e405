/*-------------------------------------------------------------------------
 *
 * ecreport_assets.c
 *	  Files that ecreport writes into every page, as strings within the program.
 *
 * The build names the directory of Vega and Vega-Lite (VEGA_DIR); they keep their own licence,
 * whose notice stands at the top of the page's scripts.
 *
 *-------------------------------------------------------------------------
 */
#include "tools/ecreport.h"

#define ASSET(symbol, file)                                                                        \
	__asm__(".section .rodata\n"                                                                   \
			".global " #symbol "\n" #symbol ":\n"                                                  \
			".incbin \"" file "\"\n"                                                               \
			".byte 0\n"                                                                            \
			".previous\n")

ASSET(ec_asset_notice, VEGA_DIR "/notice.js");
ASSET(ec_asset_vega, VEGA_DIR "/vega.min.js");
ASSET(ec_asset_vega_lite, VEGA_DIR "/vega-lite.min.js");
ASSET(ec_asset_css, "src/tools/report/page.css");
ASSET(ec_asset_charts, "src/tools/report/charts.js");
