/*
 * makers.c
 *	  All kinds of summaries, in the order in which a set's are finished.
 */
#include "postgres.h"

#include "insight/build.h"

extern const EcMaker ec_category_hour_maker;
extern const EcMaker ec_category_day_maker;
extern const EcMaker ec_brand_day_maker;
extern const EcMaker ec_product_hour_maker;
extern const EcMaker ec_product_total_maker;
extern const EcMaker ec_product_maker;
extern const EcMaker ec_product_sale_maker;
extern const EcMaker ec_user_maker;
extern const EcMaker ec_user_brand_maker;
extern const EcMaker ec_top_category_maker;
extern const EcMaker ec_top_brand_maker;
extern const EcMaker ec_visit_maker;
extern const EcMaker ec_visit_day_maker;
extern const EcMaker ec_session_maker;
extern const EcMaker ec_revisit_maker;
extern const EcMaker ec_purchase_maker;

/* clang-format off */
const EcMaker *const ec_makers[] = {
	&ec_category_hour_maker,
	&ec_category_day_maker,
	&ec_brand_day_maker,
	&ec_product_hour_maker,
	&ec_product_total_maker,
	&ec_product_maker,
	&ec_product_sale_maker,
	&ec_user_maker,
	&ec_user_brand_maker,
	&ec_top_category_maker,
	&ec_top_brand_maker,
	&ec_visit_maker,
	&ec_visit_day_maker,
	&ec_session_maker,
	&ec_revisit_maker,
	&ec_purchase_maker,
	NULL,
};
/* clang-format on */
