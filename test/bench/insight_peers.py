#!/usr/bin/env python3
"""The insights asked of DuckDB and chdb over the same rows, two threads, for scripts/bench-insight.

    insight_peers.py duckdb|chdb CSV DIR

Prints "<peer>_<function> MILLISECONDS" (median of 3, warm), for chdb also "chdb_view_<function>"
from AggregatingMergeTree materialised views, and writes DIR/<peer>_<function>.csv for comparison.
"""
import csv
import os
import shutil
import statistics
import sys
import time

# both dialects understand this
COUNTS = ("count(CASE WHEN event_type = 'view' THEN 1 END), count(CASE WHEN event_type = 'cart' THEN 1 END), "
          "count(CASE WHEN event_type = 'purchase' THEN 1 END)")
REVENUE = "coalesce(sum(CASE WHEN event_type = 'purchase' THEN price END), 0)"
BUYERS = "count(DISTINCT CASE WHEN event_type = 'purchase' THEN user_id END)"

QUERIES = {
    "popular_categories": f"""
        SELECT category_id, category_code, count(*) AS n, {COUNTS}, {REVENUE} FROM events
        GROUP BY category_id, category_code
        ORDER BY n DESC, category_id NULLS LAST, category_code NULLS LAST LIMIT 20""",
    "price_sensitivity": """
        SELECT category_code, max(price), min(price), count(*) FROM events
        GROUP BY category_code ORDER BY avg(price) DESC NULLS LAST, category_code NULLS LAST LIMIT 10""",
    "product_performance": f"""
        SELECT product_id, {COUNTS}, {REVENUE} AS revenue FROM events
        GROUP BY product_id ORDER BY revenue DESC, product_id NULLS LAST LIMIT 20""",
    "overview": f"""
        SELECT count(*), {COUNTS}, {REVENUE}, count(DISTINCT user_id), {BUYERS},
               (SELECT count(*) FROM (SELECT DISTINCT user_id, user_session FROM events WHERE user_id IS NOT NULL) s),
               (SELECT count(*) FROM (SELECT DISTINCT user_id, user_session FROM events
                                      WHERE user_id IS NOT NULL AND event_type = 'purchase') o)
        FROM events""",
    "sales_trend": f"""
        SELECT CAST(event_time AS date) AS bucket, count(*), {COUNTS}, {REVENUE}, count(DISTINCT user_id), {BUYERS}
        FROM events GROUP BY bucket ORDER BY bucket""",
    "top_user_categories": """
        SELECT user_id, category_code, count(*) AS n FROM events
        GROUP BY user_id, category_code
        ORDER BY n DESC, user_id NULLS LAST, category_code NULLS LAST LIMIT 10""",
    "top_user_category_brands": """
        SELECT user_id, category_code, brand, count(*) AS n FROM events
        GROUP BY user_id, category_code, brand
        ORDER BY n DESC, user_id NULLS LAST, category_code NULLS LAST, brand NULLS LAST LIMIT 10""",
    "customer_segments": """
        SELECT count(DISTINCT user_id), count(*), sum(m) FROM
            (SELECT user_id, user_session, sum(price) AS m FROM events
             WHERE event_type = 'purchase' AND user_id IS NOT NULL GROUP BY user_id, user_session) o""",
    "cross_sell": """
        WITH items AS (SELECT DISTINCT user_id, user_session, category_code AS item FROM events
                       WHERE event_type = 'purchase' AND category_code IS NOT NULL
                             AND user_id IS NOT NULL AND user_session IS NOT NULL)
        SELECT a.item AS item_a, b.item AS item_b, count(*) AS baskets
        FROM items a JOIN items b ON a.user_id = b.user_id AND a.user_session = b.user_session
        WHERE a.item < b.item
        GROUP BY item_a, item_b ORDER BY baskets DESC, item_a, item_b LIMIT 20""",
    "funnel": f"""
        SELECT category_code AS k, count(DISTINCT CASE WHEN event_type = 'view' THEN user_id END) AS viewers,
               count(DISTINCT CASE WHEN event_type = 'cart' THEN user_id END), {BUYERS}
        FROM events GROUP BY k ORDER BY viewers DESC, k NULLS LAST""",
    "category_correlation": """
        WITH items AS (SELECT DISTINCT user_id, category_code AS item FROM events
                       WHERE category_code IS NOT NULL AND user_id IS NOT NULL)
        SELECT a.item AS item_a, b.item AS item_b, count(*) AS n
        FROM items a JOIN items b ON a.user_id = b.user_id WHERE a.item < b.item
        GROUP BY item_a, item_b HAVING count(*) >= 10 ORDER BY n DESC, item_a, item_b LIMIT 20""",
}

# chdb's best: states kept by materialised views, for the questions that have one.
VIEWS = {
    "category_hour": ("""
        SELECT toStartOfHour(event_time) AS slot, category_id, category_code, countState() AS n,
               countIfState(event_type = 'view') AS v, countIfState(event_type = 'cart') AS c,
               countIfState(event_type = 'purchase') AS p, sumIfState(price, event_type = 'purchase') AS r,
               avgState(price) AS a, maxState(price) AS hi, minState(price) AS lo
        FROM events GROUP BY slot, category_id, category_code""", "(slot, category_id, category_code)"),
    "product_hour": ("""
        SELECT toStartOfHour(event_time) AS slot, product_id, countIfState(event_type = 'view') AS v,
               countIfState(event_type = 'cart') AS c, countIfState(event_type = 'purchase') AS p,
               sumIfState(price, event_type = 'purchase') AS r
        FROM events GROUP BY slot, product_id""", "(slot, product_id)"),
    "sales_day": ("""
        SELECT toDate(event_time) AS slot, countState() AS n, countIfState(event_type = 'view') AS v,
               countIfState(event_type = 'cart') AS c, countIfState(event_type = 'purchase') AS p,
               sumIfState(price, event_type = 'purchase') AS r, uniqExactState(user_id) AS u,
               uniqExactIfState(user_id, event_type = 'purchase') AS b
        FROM events GROUP BY slot""", "slot"),
    "user_category": ("""
        SELECT user_id, category_code, brand, countState() AS n
        FROM events GROUP BY user_id, category_code, brand""", "(user_id, category_code, brand)"),
}
VIEW_QUERIES = {
    "popular_categories": """SELECT category_id, category_code, countMerge(n) AS n, countIfMerge(v), countIfMerge(c),
        countIfMerge(p), sumIfMerge(r) FROM category_hour GROUP BY category_id, category_code
        ORDER BY n DESC, category_id NULLS LAST, category_code NULLS LAST LIMIT 20""",
    "price_sensitivity": """SELECT category_code, maxMerge(hi), minMerge(lo), countMerge(n) FROM category_hour
        GROUP BY category_code ORDER BY avgMerge(a) DESC NULLS LAST, category_code NULLS LAST LIMIT 10""",
    "product_performance": """SELECT product_id, countIfMerge(v), countIfMerge(c), countIfMerge(p),
        sumIfMerge(r) AS revenue FROM product_hour GROUP BY product_id
        ORDER BY revenue DESC, product_id NULLS LAST LIMIT 20""",
    "sales_trend": """SELECT slot, countMerge(n), countIfMerge(v), countIfMerge(c), countIfMerge(p), sumIfMerge(r),
        uniqExactMerge(u), uniqExactIfMerge(b) FROM sales_day GROUP BY slot ORDER BY slot""",
    "top_user_categories": """SELECT user_id, category_code, countMerge(n) AS n FROM user_category
        GROUP BY user_id, category_code ORDER BY n DESC, user_id NULLS LAST, category_code NULLS LAST LIMIT 10""",
    "top_user_category_brands": """SELECT user_id, category_code, brand, countMerge(n) AS n FROM user_category
        GROUP BY user_id, category_code, brand
        ORDER BY n DESC, user_id NULLS LAST, category_code NULLS LAST, brand NULLS LAST LIMIT 10""",
}


def say(name, value):
    print(name, value, flush=True)


def measure(name, run):
    times = []
    rows = None
    for _ in range(4):
        start = time.monotonic()
        rows = run()
        times.append((time.monotonic() - start) * 1000)
    say(name, round(statistics.median(times[1:]), 2))
    return rows


def duckdb(csv_path, directory):
    import duckdb as db

    path = os.path.join(directory, "peer.duckdb")
    con = db.connect(path)
    con.execute("PRAGMA threads=2")
    con.execute("""CREATE TABLE events AS SELECT * REPLACE (
            strptime(event_time, '%Y-%m-%d %H:%M:%S UTC') AS event_time) FROM read_csv(?, header=true, columns={
        'event_time': 'VARCHAR', 'event_type': 'VARCHAR', 'product_id': 'BIGINT', 'category_id': 'BIGINT',
        'category_code': 'VARCHAR', 'brand': 'VARCHAR', 'price': 'DECIMAL(10,2)', 'user_id': 'BIGINT',
        'user_session': 'VARCHAR'})""", [csv_path])
    con.execute("CHECKPOINT")
    for name, query in QUERIES.items():
        rows = measure("duckdb_" + name, lambda q=query: con.execute(q).fetchall())
        with open(os.path.join(directory, "duckdb_%s.csv" % name), "w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(["" if v is None else v for v in row] for row in rows)
    con.close()
    os.unlink(path)


def chdb(csv_path, directory):
    from chdb import session

    path = os.path.join(directory, "peer.chdb")
    shutil.rmtree(path, ignore_errors=True)
    con = session.Session(path)
    con.query("CREATE DATABASE peer ENGINE = Atomic")
    con.query("USE peer")
    con.query("SET max_threads = 2, join_use_nulls = 1, output_format_decimal_trailing_zeros = 1")
    con.query("""CREATE TABLE events (event_time DateTime('UTC'), event_type LowCardinality(String), product_id Nullable(Int64),
        category_id Nullable(Int64), category_code LowCardinality(Nullable(String)), brand LowCardinality(Nullable(String)),
        price Nullable(Decimal(10, 2)), user_id Nullable(Int64), user_session Nullable(UUID))
        ENGINE = MergeTree ORDER BY event_time""")
    for name, (query, order) in VIEWS.items():
        con.query("CREATE MATERIALIZED VIEW %s ENGINE = AggregatingMergeTree ORDER BY %s "
                  "SETTINGS allow_nullable_key = 1 AS %s" % (name, order, query))
    con.query("""INSERT INTO events SELECT parseDateTimeBestEffort(replaceOne(event_time, ' UTC', '')), event_type, product_id,
        category_id, nullIf(category_code, ''), nullIf(brand, ''), price, user_id, toUUIDOrNull(user_session)
        FROM file('%s', CSVWithNames, 'event_time String, event_type String, product_id Nullable(Int64),
        category_id Nullable(Int64), category_code Nullable(String), brand Nullable(String),
        price Nullable(Decimal(10, 2)), user_id Nullable(Int64), user_session String')""" % csv_path)
    con.query("OPTIMIZE TABLE events FINAL")
    for name in VIEWS:
        con.query("OPTIMIZE TABLE %s FINAL" % name)
    for prefix, queries in (("chdb_", QUERIES), ("chdb_view_", VIEW_QUERIES)):
        for name, query in queries.items():
            text = measure(prefix + name, lambda q=query: con.query(q, "CSV").data())
            rows = [["" if v == "\\N" else v for v in row] for row in csv.reader(text.splitlines())]
            with open(os.path.join(directory, "%s%s.csv" % (prefix, name)), "w", newline="") as out:
                csv.writer(out, lineterminator="\n").writerows(rows)
    con.close()
    shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    {"duckdb": duckdb, "chdb": chdb}[sys.argv[1]](*sys.argv[2:])
