#!/usr/bin/env python3
"""Peers on the same rows, for test/bench/run.

    peers.py files CSV DIR      ORC and Parquet by pyarrow: prints "orc_zstd_bytes N" and so on
    peers.py lineitem CSV DIR   TPC-H's lineitem as Parquet by pyarrow: prints "lineitem_parquet_bytes N"
    peers.py duckdb CSV DIR     the insights in DuckDB with one thread: prints "duckdb_<query> SECONDS"
                                (median of 3) and writes DIR/duckdb_<query>.csv for comparison

A line "name value" per figure goes to standard output.
"""
import os
import statistics
import sys
import time

QUERIES = {
    "top_user_categories": """
        SELECT user_id, category_code, count(*) AS n FROM events
        GROUP BY ALL ORDER BY n DESC, user_id NULLS LAST, category_code NULLS LAST LIMIT 10""",
    "top_user_category_brands": """
        SELECT user_id, category_code, brand, count(*) AS n FROM events
        GROUP BY ALL ORDER BY n DESC, user_id NULLS LAST, category_code NULLS LAST, brand NULLS LAST LIMIT 10""",
    "price_sensitivity": """
        SELECT category_code, avg(price) AS average_price, max(price), min(price), count(*) FROM events
        GROUP BY ALL ORDER BY average_price DESC NULLS LAST, category_code NULLS LAST LIMIT 10""",
    "popular_categories": """
        SELECT category_id, category_code, count(*) AS n,
               count(*) FILTER (event_type = 'view'), count(*) FILTER (event_type = 'cart'),
               count(*) FILTER (event_type = 'purchase'),
               coalesce(sum(price) FILTER (event_type = 'purchase'), 0) FROM events
        GROUP BY ALL ORDER BY n DESC, category_id NULLS LAST, category_code NULLS LAST LIMIT 20""",
}


def say(name, value):
    print(name, value, flush=True)


def files(csv_path, directory):
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.orc as orc
    import pyarrow.parquet as pq

    types = {
        "event_time": pa.timestamp("ms"), "event_type": pa.string(), "product_id": pa.int64(),
        "category_id": pa.int64(), "category_code": pa.string(), "brand": pa.string(),
        "price": pa.decimal128(10, 2), "user_id": pa.int64(), "user_session": pa.string(),
    }
    convert = pc.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""],
                                timestamp_parsers=["%Y-%m-%d %H:%M:%S UTC"])
    orc_path = os.path.join(directory, "events.orc")
    parquet_path = os.path.join(directory, "events.parquet")
    reader = pc.open_csv(csv_path, read_options=pc.ReadOptions(block_size=64 << 20), convert_options=convert)
    with orc.ORCWriter(orc_path, compression="zstd", dictionary_key_size_threshold=0.8) as orc_writer, \
            pq.ParquetWriter(parquet_path, pa.schema(list(types.items())), compression="zstd") as parquet_writer:
        for batch in reader:
            table = pa.Table.from_batches([batch])
            orc_writer.write(table)
            parquet_writer.write_table(table)
    say("orc_zstd_bytes", os.path.getsize(orc_path))
    say("parquet_zstd_bytes", os.path.getsize(parquet_path))
    os.unlink(orc_path)
    os.unlink(parquet_path)


def lineitem(csv_path, directory):
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    money = pa.decimal128(15, 2)
    types = {
        "l_orderkey": pa.int64(), "l_partkey": pa.int64(), "l_suppkey": pa.int64(), "l_linenumber": pa.int32(),
        "l_quantity": money, "l_extendedprice": money, "l_discount": money, "l_tax": money,
        "l_returnflag": pa.string(), "l_linestatus": pa.string(), "l_shipdate": pa.date32(), "l_commitdate": pa.date32(),
        "l_receiptdate": pa.date32(), "l_shipinstruct": pa.string(), "l_shipmode": pa.string(), "l_comment": pa.string(),
    }
    path = os.path.join(directory, "lineitem.parquet")
    pq.write_table(pc.read_csv(csv_path, convert_options=pc.ConvertOptions(column_types=types)), path, compression="zstd")
    say("lineitem_parquet_bytes", os.path.getsize(path))
    os.unlink(path)


def duckdb(csv_path, directory):
    import csv
    import duckdb as db

    con = db.connect(os.path.join(directory, "peer.duckdb"))
    con.execute("PRAGMA threads=1")
    start = time.monotonic()
    con.execute("""CREATE TABLE events AS SELECT * REPLACE (
            strptime(event_time, '%Y-%m-%d %H:%M:%S UTC') AS event_time) FROM read_csv(?, header=true, columns={
        'event_time': 'VARCHAR', 'event_type': 'VARCHAR', 'product_id': 'BIGINT', 'category_id': 'BIGINT',
        'category_code': 'VARCHAR', 'brand': 'VARCHAR', 'price': 'DECIMAL(10,2)', 'user_id': 'BIGINT',
        'user_session': 'VARCHAR'})""", [csv_path])
    con.execute("CHECKPOINT")
    say("duckdb_load", round(time.monotonic() - start, 3))
    say("duckdb_version", db.__version__)
    for name, query in QUERIES.items():
        times = []
        for _ in range(3):
            start = time.monotonic()
            rows = con.execute(query).fetchall()
            times.append(time.monotonic() - start)
        say("duckdb_" + name, round(statistics.median(times), 4))
        with open(os.path.join(directory, "duckdb_%s.csv" % name), "w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(["" if v is None else v for v in row] for row in rows)
    con.close()
    os.unlink(os.path.join(directory, "peer.duckdb"))


if __name__ == "__main__":
    {"files": files, "lineitem": lineitem, "duckdb": duckdb}[sys.argv[1]](*sys.argv[2:])
