"""What Tableau's workbook shows: data sources over the views of schema insight, worksheets, dashboards.

Only descriptions; twb.py writes them down.  Fields of worksheets are written "derivation:name", where
name is a column of the worksheet's source or one of its calculations: none (as it is), sum, min, max,
tdy (cut to the day) or usr (an aggregate calculation).  Fields of shelf lod show in the mark's tooltip.
"""
from collections import namedtuple

# name: of the view, or of the query; columns: (name, type in PostgreSQL); hierarchies: {name: columns}
Source = namedtuple("Source", "name caption columns calculations sql hierarchies", defaults=((), None, None))
# formula: in Tableau's language; type: Tableau's; aggregate: of a group of rows, not of one
Calculation = namedtuple("Calculation", "name caption type formula aggregate", defaults=(False,))
Parameter = namedtuple("Parameter", "name caption value default")
# top: (field, aggregate expression, n): only the n first of that field; ranges: {field: (min, max)};
# shared: field with a filter that the worksheets of the same source share; sort: (field, by)
Sheet = namedtuple("Sheet", "name source title mark rows cols encodings between top ranges shared sort",
                   defaults=((), (), (), False, None, None, None, None))
# zones: (what, argument, x, y, w, h) in thousandths of the page; highlight: captions of the fields
Dashboard = namedtuple("Dashboard", "name zones highlight")

MONEY = "numeric(18,2)"
AVERAGE = "numeric(18,6)"
RATIO = "double precision"

CAPTIONS = {
    "bucket": "Day", "category_id": "Category id", "category_code": "Category code", "brand": "Brand", "product_id": "Product",
    "user_id": "User", "price_sum": "Sum of prices", "price_min": "Lowest price", "price_max": "Highest price",
    "priced": "Rows with a price", "item_a": "Category A", "item_b": "Category B", "key": "Category code",
    "view_to_cart": "View to cart", "cart_to_buy": "Cart to purchase", "view_to_buy": "View to purchase",
    "average_order_value": "Revenue per order", "confidence_ab": "Confidence A to B", "confidence_ba": "Confidence B to A",
}

MEASURES = (("interactions", "bigint"), ("views", "bigint"), ("carts", "bigint"), ("purchases", "bigint"), ("revenue", MONEY))
BUCKET_MEASURES = MEASURES + (("priced", "bigint"), ("price_sum", MONEY), ("price_min", MONEY), ("price_max", MONEY))

# Parameters, so that one date range holds for all sources of a dashboard.  The values reach back and
# forth far enough for any shop; on opening, Tableau takes those of the first and last event.
PARAMETERS = (
    Parameter("Parameter 1", "From", "2000-01-01", ("overview", "first_day")),
    Parameter("Parameter 2", "To", "2099-12-31", ("overview", "last_day")),
)

BETWEEN = Calculation("between", "Between From and To", "boolean",
                      "[bucket] >= [Parameters].[Parameter 1] AND [bucket] <= [Parameters].[Parameter 2]")
CATEGORY = Calculation("category", "Category", "string", 'IFNULL([category_code], "(no code)")')
AVERAGE_PRICE = Calculation("average_price", "Average price", "real", "SUM([price_sum]) / SUM([priced])", True)

# The range is cut here as BETWEEN cuts it: whole days, UTC whatever the client's TimeZone is.  (:= since Tableau takes
# < and > for the bounds of parameters.)
TOP_INTERACTIONS = """SELECT rank, user_id::text AS user_id, category_code, interactions
FROM ecinsight.top_user_categories(%s, k := 10,
  since := CAST(<[Parameters].[Parameter 1]> AS TIMESTAMP) AT TIME ZONE 'UTC',
  until := (CAST(<[Parameters].[Parameter 2]> AS TIMESTAMP) + INTERVAL '1 DAY') AT TIME ZONE 'UTC')"""


# A rank, by which the first ones are chosen: Tableau's filter for the top 10 would ask for all of the view twice.
FUNNEL = "SELECT row_number() OVER (ORDER BY viewers DESC, key) AS rank, f.* FROM %s.funnel f"


def sources(events, schema):
    """events: the events relation as the query of top_interactions names it; schema: the views'."""
    return (
        Source("overview", "Overview",
               (("first_event", "timestamp without time zone"), ("last_event", "timestamp without time zone")) + MEASURES
               + (("users", "bigint"), ("buyers", "bigint"), ("sessions", "bigint"), ("orders", "bigint"),
                  ("average_order_value", AVERAGE), ("conversion", RATIO)),
               (Calculation("first_day", "First day", "date", "DATE([first_event])"),
                Calculation("last_day", "Last day", "date", "DATE([last_event])"))),
        Source("category_day", "Categories by day",
               (("bucket", "date"), ("category_id", "text"), ("category_code", "text"), ("brand", "text")) + BUCKET_MEASURES,
               (BETWEEN, CATEGORY, AVERAGE_PRICE,
                Calculation("category_and_id", "Category and id", "string",
                            'IFNULL([category_code], "(no code)") + " " + IFNULL([category_id], "(no id)")'))),
        Source("top_interactions", "Top 10 interactions",
               (("rank", "bigint"), ("user_id", "text"), ("category_code", "text"), ("interactions", "bigint")),
               (CATEGORY,), TOP_INTERACTIONS % ("'%s'" % events.replace("'", "''"))),
        Source("sales_trend", "Sales by day",
               (("bucket", "date"),) + MEASURES + (("users", "bigint"), ("buyers", "bigint"), ("peak", "boolean")), (BETWEEN,)),
        product_day(),
        Source("product_performance", "Products",
               (("rank", "bigint"), ("product_id", "text"), ("category_code", "text"), ("brand", "text"), ("views", "bigint"),
                ("carts", "bigint"), ("purchases", "bigint"), ("revenue", MONEY), ("average_price", AVERAGE), ("conversion", RATIO)),
               (CATEGORY,)),
        Source("funnel", "Funnel",
               (("rank", "bigint"), ("key", "text"), ("viewers", "bigint"), ("carters", "bigint"), ("buyers", "bigint"),
                ("view_to_cart", RATIO), ("cart_to_buy", RATIO), ("view_to_buy", RATIO)),
               (Calculation("category", "Category", "string", 'IFNULL([key], "(no code)")'),),
               FUNNEL % ('"%s"' % schema.replace('"', '""'))),
        Source("customer_segments", "Customer segments",
               (("segment", "text"), ("customers", "bigint"), ("orders", "bigint"), ("revenue", MONEY), ("revenue_share", RATIO),
                ("average_recency_days", RATIO), ("average_frequency", RATIO), ("average_monetary", AVERAGE))),
        Source("cross_sell", "Cross-selling",
               (("rank", "bigint"), ("item_a", "text"), ("item_b", "text"), ("baskets", "bigint"), ("support", RATIO),
                ("confidence_ab", RATIO), ("confidence_ba", RATIO), ("lift", RATIO))),
    )


def product_day():
    """Also the source that ecinsight.tds is: everything by day and product."""
    return Source("product_day", "Products by day",
                  (("bucket", "date"), ("product_id", "text"), ("category_id", "text"), ("category_code", "text"), ("brand", "text"))
                  + BUCKET_MEASURES,
                  (BETWEEN, CATEGORY, AVERAGE_PRICE), None,
                  {"Category, Brand, Product": ("category", "brand", "product_id")})


SHEETS = (
    Sheet("Key figures", "overview", "Key figures", "Text",
          encodings=(("text", "sum:interactions"), ("text", "sum:revenue"), ("text", "sum:orders"), ("text", "sum:users"),
                     ("text", "sum:buyers"), ("text", "sum:conversion"))),
    Sheet("Prices", "category_day", "Prices of the 10 categories with the highest average", "Circle",
          cols=("usr:average_price",), rows=("max:price_max",),
          encodings=(("color", "none:category"), ("size", "sum:interactions"), ("text", "none:category"), ("lod", "min:price_min")),
          between=True, top=("category", AVERAGE_PRICE.formula, 10), shared="category_code"),
    Sheet("Popular categories", "category_day", "Interactions over the top 10 categories", "Pie",
          encodings=(("color", "none:category_and_id"), ("wedge-size", "sum:interactions"), ("text", "none:category"),
                     ("lod", "sum:purchases"), ("lod", "sum:revenue")),
          between=True, top=("category_and_id", "SUM([interactions])", 10), shared="category_code"),
    Sheet("Top interactions", "top_interactions", "Top 10 of user and category by interactions", "Bar",
          rows=("none:rank", "none:user_id", "none:category"), cols=("sum:interactions",),
          encodings=(("color", "none:category"), ("text", "sum:interactions"))),
    Sheet("Sales trend", "sales_trend", "Revenue by day, and its peaks", "Bar",
          cols=("tdy:bucket",), rows=("sum:revenue",),
          encodings=(("color", "none:peak"), ("lod", "sum:purchases"), ("lod", "sum:buyers")), between=True),
    Sheet("Drill-down", "product_day", "Revenue by category, brand, product: open a level with its plus sign", "Bar",
          rows=("none:category",), cols=("sum:revenue",), encodings=(("color", "sum:purchases"), ("lod", "usr:average_price")),
          between=True, shared="category_code", sort=("none:category", "sum:revenue")),
    Sheet("Top products", "product_performance", "The 20 products with the greatest revenue", "Bar",
          rows=("none:rank", "none:product_id", "none:brand"), cols=("sum:revenue",),
          encodings=(("color", "none:category"), ("lod", "sum:conversion"), ("lod", "sum:purchases")), ranges={"none:rank": (1, 20)}),
    Sheet("Funnel", "funnel", "Users who viewed, put into the cart, bought: the 10 most viewed categories", "Bar",
          rows=("none:category",), cols=("sum:viewers", "sum:carters", "sum:buyers"), encodings=(("lod", "sum:view_to_buy"),),
          sort=("none:category", "sum:viewers"), ranges={"none:rank": (1, 10)}),
    Sheet("Segments", "customer_segments", "Customer segments by revenue", "Square",
          encodings=(("size", "sum:revenue"), ("color", "sum:average_recency_days"), ("text", "none:segment"), ("text", "sum:customers"),
                     ("lod", "sum:revenue_share"))),
    Sheet("Cross-selling", "cross_sell", "Categories bought together (the 100 most frequent pairs): how much more than by chance", "Square",
          cols=("none:item_a",), rows=("none:item_b",),
          encodings=(("color", "sum:lift"), ("lod", "sum:baskets"), ("lod", "sum:confidence_ab"), ("lod", "sum:confidence_ba")),
          ranges={"none:rank": (1, 100)}),
)

DASHBOARDS = (
    Dashboard("Interactions and prices",
              (("sheet", "Key figures", 0, 0, 640, 100), ("parameter", "From", 640, 0, 120, 100), ("parameter", "To", 760, 0, 120, 100),
               ("filter", ("Prices", "none:category_code"), 880, 0, 120, 100),
               ("sheet", "Prices", 0, 100, 500, 450), ("sheet", "Popular categories", 500, 100, 500, 450),
               ("sheet", "Top interactions", 0, 550, 500, 450), ("sheet", "Sales trend", 500, 550, 500, 450)),
              ("Category",)),
    Dashboard("Products",
              (("parameter", "From", 0, 0, 200, 80), ("parameter", "To", 200, 0, 200, 80),
               ("filter", ("Drill-down", "none:category_code"), 400, 0, 200, 80),
               ("sheet", "Drill-down", 0, 80, 500, 920), ("sheet", "Funnel", 500, 80, 500, 460), ("sheet", "Top products", 500, 540, 500, 460)),
              ("Category",)),
    Dashboard("Customers and baskets",
              (("sheet", "Segments", 0, 0, 400, 1000), ("sheet", "Cross-selling", 400, 0, 600, 1000)),
              ("Category A", "Category B", "Segment")),
)
