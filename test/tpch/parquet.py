"""Writes lineitem.csv of a directory as Parquet with zstd (pyarrow's defaults otherwise) and prints its size."""
import os
import sys

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

directory = sys.argv[1]
money, text = pa.decimal128(15, 2), pa.string()
types = {"l_orderkey": pa.int64(), "l_partkey": pa.int32(), "l_suppkey": pa.int32(), "l_linenumber": pa.int32(),
         "l_quantity": money, "l_extendedprice": money, "l_discount": money, "l_tax": money, "l_returnflag": text, "l_linestatus": text,
         "l_shipdate": pa.date32(), "l_commitdate": pa.date32(), "l_receiptdate": pa.date32(),
         "l_shipinstruct": text, "l_shipmode": text, "l_comment": text}
path = os.path.join(directory, "lineitem.parquet")
table = pc.read_csv(os.path.join(directory, "lineitem.csv"), convert_options=pc.ConvertOptions(column_types=types))
pq.write_table(table, path, compression="zstd")
print(os.path.getsize(path))
os.unlink(path)
