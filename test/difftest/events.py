"""Tables of shop events: what the columnar side answers from summaries, the heap side counts in the rows.

Functions as in ddl.py and dml.py.  Any statement of theirs may come to such a table, and may make it one of events no more.
"""
import values

_COLUMNS = ["event_time timestamptz", "event_type text", "product_id bigint", "category_id bigint", "category_code text", "brand text",
            "price numeric(10,2)", "user_id bigint", "user_session text"]
_NAMES = {'"%s"' % c.split()[0] for c in _COLUMNS}

# The function's name, and its own parameters: lists to choose from.
_AS_OF = ["", ", as_of => '2020-01-02 03:00Z'", ", as_of => '2020-01-04'"]
_BUCKET = ["", ", bucket => 'hour'", ", bucket => 'week', tz => 'Asia/Kolkata'"]
_K = ["", ", k => NULL", ", k => 3"]
_FUNCTIONS = {
    "top_user_categories": [_K], "top_user_category_brands": [_K], "price_sensitivity": [_K],
    "popular_categories": [_K, ["", ", by => 'code'"]], "overview": [], "sales_trend": [_BUCKET, ["", "", ", category => 'code 3'"]],
    "customer_trend": [_BUCKET], "sales_forecast": [["", ", bucket => 'hour'"], ["", ", measure => 'users'", ", measure => 'purchases'"]],
    "price_bands": [["", ", bands => 3"]], "product_performance": [_K, ["", ", order_by => 'views'", ", order_by => 'conversion'"]],
    "funnel": [["", ", by => 'brand'", ", by => 'none'"]],
    "trending": [_K, [", period => '1 day'", ", period => '5 hours'"], ["", ", by => 'product'", ", by => 'brand'"], [", min_previous => 1"], _AS_OF],
    "favorite_category_brands": [["", ", users => '{1,2,3,30}'"]], "engaged_users": [_K], "customer_scores": [_AS_OF], "customer_segments": [_AS_OF],
    "customer_clusters": [[", clusters => 3"], _AS_OF], "cross_sell": [_K, ["", ", level => 'product'", ", basket => 'user'"]],
    "category_correlation": [_K, [", min_users => 1"]]}


def time(r):
    """Mostly whole hours of the days in which events happen."""
    if r.random() < .04:
        return r.choice(["infinity", "-infinity", "1999-12-31 23:30:00Z"])
    return "2020-01-%02d %02d:%s:00Z" % (r.randint(1, 4), r.randint(0, 23), r.choice(["00", "00", "00", "17"]))


def of_events(table):
    return _NAMES <= {c.name for c in table.columns}


def table_of(r, model):
    fitting = [t for t in model.values() if of_events(t)]
    return r.choice(fitting) if fitting else None


def create(r, namer):
    name = namer.new("e")
    columns = list(_COLUMNS)
    if r.random() < .5:
        columns.insert(0, "id bigint PRIMARY KEY")
    if r.random() < .3:
        r.shuffle(columns)
    statement = "CREATE TABLE %s (%s)" % (name, ", ".join(columns))
    if r.random() < .8 or "PRIMARY" in statement:
        return [statement]
    return [statement + " PARTITION BY RANGE (event_time)",
            "CREATE TABLE %s_0 PARTITION OF %s FOR VALUES FROM (MINVALUE) TO ('2020-01-03 00:00Z')" % (name, name),
            "CREATE TABLE %s_1 PARTITION OF %s DEFAULT" % (name, name)]


def insert(r, model, writer):
    """Many events of few or many users, products, …, with NULLs everywhere."""
    table = table_of(r, model)
    if not table:
        return None
    count = r.choice([3, 70, 700, 3000])
    step, users, products = r.choice([1, 61, 3599]), r.choice([3, 40, 1000]), r.choice([2, 30, 500])
    made = {
        "event_time": "'2020-01-01 UTC'::timestamptz + (i * %d %% 260000) * '1 s'::interval" % step,
        "event_type": "(ARRAY['view','view','view','cart','purchase','remove_from_cart','view','purchase'])[i * 7 % 11]",
        "product_id": "i * 31 %% %d" % products, "category_id": "i * 31 %% %d %% 9" % products, "category_code": "'code ' || i * 31 %% %d %% 5" % products,
        "brand": "'brand ' || i %% %d %% 7" % products, "price": "(i * 31 %% %d * 1.25)::numeric(10,2)" % products,
        "user_id": "i * i %% %d" % users, "user_session": "CASE WHEN i %% 3 = 0 THEN 's' || i / %d ELSE md5((i / %d)::text)::uuid::text END" % (r.choice([2, 9]), r.choice([1, 5]))}
    columns, expressions = [], []
    for name, expression in made.items():
        columns.append(name)
        expressions.append("CASE WHEN i %% %d <> 0 THEN %s END" % (r.choice([13, 97, 4000]), expression))
    for c in table.writable:
        if c.name not in _NAMES and (c.not_null or c.name in table.unique_columns):
            columns.append(c.name)
            expressions.append(writer.bulk(r, table, c, count))
    return "loose", "INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %d) i" % (table.name, ", ".join(columns), ", ".join(expressions), count), None


def change(r, model, _writer):
    table = table_of(r, model)
    if not table or table.kind == "m":
        return None
    where = r.choice(["user_id = %d" % r.randint(0, 40), "product_id %% 10 = %d" % r.randint(0, 9), "event_time < %s" % values.quote(time(r)),
                      "event_type = 'purchase' AND user_id %% 3 = %d" % r.randint(0, 2), "price IS NULL"])
    if r.random() < .5:
        return "loose", "DELETE FROM %s WHERE %s" % (table.name, where), None
    sets = r.choice(["price = price + 1", "user_id = user_id + 1", "event_type = 'purchase'", "event_time = event_time + '1 hour'", "user_session = 's1'", "brand = NULL",
                     "category_code = 'code 3'", "product_id = 7"])
    return "loose", "UPDATE %s SET %s WHERE %s" % (table.name, sets, where), None


def insight(r, model, _writer):
    table = table_of(r, model)
    if not table:
        return None
    function = r.choice(sorted(_FUNCTIONS))
    arguments = "".join(r.choice(choices) for choices in _FUNCTIONS[function])
    if r.random() < .5:
        arguments += ", since => %s" % values.quote(time(r))
    if r.random() < .5:
        arguments += ", until => %s" % values.quote(time(r))
    if r.random() < .05:
        arguments += r.choice([", event_types => '{purchase}'", ", complete_only => true"])
    return "sql", "SELECT x::text FROM ecinsight.%s('%s'%s) x" % (function, table.name, arguments), None


def vacuum(r, model, _namer):
    fitting = [t for t in model.values() if of_events(t) and t.kind == "r"]
    return ("sql", "VACUUM " + r.choice(fitting).name, None) if fitting else None


STATEMENTS = [(insert, 6), (change, 6), (insight, 30)]
