# shellcheck shell=bash
# COPY into heap and into columnar tables, for scripts/bench: time, WAL and bytes of the same rows in the same run.
# Sourced after measure.sh; uses RUN, CSV, ROWS, VENV, FIG, sql, timed, ratio.

declare -A FIG # measure.sh's
COPY_ROWS=2000000
LINEITEM_SCALE=1
COPY_WAYS="heap_csv heap_text heap_key columnar_csv columnar_core columnar_text columnar_textcore columnar_key"
declare -A COPY_KEY=([shop]="event_time, user_session, product_id, event_type, user_id, price" [lineitem]="l_orderkey, l_linenumber")

# copy_once WAY KIND: into an empty table "copied"; rows/s and bytes of WAL. WAY: TABLE_FORMAT, "core": by PostgreSQL's
# parser, "key": text, with an index on the columns of COPY_KEY (unique for lineitem).
copy_once()
{
	local way=$1 kind=$2 method=heap own=on options="FORMAT csv" suffix=csv key="SELECT" lsn
	case $way in columnar*) method=ecinsight_columnar ;; esac
	case $way in *core) own=off ;; esac
	case $way in *_text* | *_key) options="FORMAT text" suffix=text ;; esac
	case $way in *_key) key="CREATE INDEX ON copied (${COPY_KEY[$kind]})" ;; esac
	if [ "$kind" = lineitem ]; then key=${key/CREATE INDEX/CREATE UNIQUE INDEX}; fi
	sql -c "DROP TABLE IF EXISTS copied" -c "SET default_table_access_method = $method" -c "CREATE TABLE copied (LIKE ${kind}_shape)" \
		-c "$key" -c "CHECKPOINT" >/dev/null 2>&1
	lsn=$(sql -c "SELECT pg_current_wal_insert_lsn()")
	timed sql -c "SET ecinsight.enable_copy_parser = $own" -c "COPY copied FROM '$RUN/tmp/$kind.$suffix' WITH ($options)"
	COPY_WAL=$(sql -c "SELECT pg_current_wal_insert_lsn() - '$lsn'")
	COPY_BYTES=$(sql -c "SELECT pg_table_size('copied')")
}

# The ways take turns, so that what else runs on the machine hits all of them; medians of three.
copy_all_ways()
{
	local kind=$1 way n
	for n in 1 2 3; do
		for way in $COPY_WAYS; do
			copy_once "$way" "$kind"
			echo "$TAKEN" >>"$RUN/tmp/copy_${kind}_$way"
			FIG[wal_${kind}_$way]=$COPY_WAL
			FIG[size_${kind}_$way]=$COPY_BYTES
		done
		dim "COPY of $kind: round $n of 3"
	done
	for way in $COPY_WAYS; do
		FIG[seconds_${kind}_$way]=$(sort -n "$RUN/tmp/copy_${kind}_$way" | sed -n 2p)
	done
	sql -c "DROP TABLE copied"
}

# The shape's heap table gives the text format's file.
copy_text_file()
{
	local kind=$1
	sql -c "COPY ${kind}_shape FROM '$RUN/tmp/$kind.csv' WITH (FORMAT csv)"
	sql -c "COPY ${kind}_shape TO STDOUT" >"$RUN/tmp/$kind.text"
	sql -c "TRUNCATE ${kind}_shape"
	chmod a+r "$RUN/tmp/$kind.text" "$RUN/tmp/$kind.csv"
}

copy_events()
{
	local rows=$COPY_ROWS
	if [ "$ROWS" -lt "$rows" ]; then rows=$ROWS; fi
	FIG[copy_rows_shop]=$rows
	tail -n +2 "$CSV" | head -n "$rows" >"$RUN/tmp/shop.csv" || true
	sql -c "SELECT ecinsight.create_events_table('shop_shape')" -c "ALTER TABLE shop_shape SET ACCESS METHOD heap" >/dev/null
	copy_text_file shop
	copy_all_ways shop
	rm -f "$RUN/tmp/shop".*
}

copy_lineitem()
{
	local name value
	"$VENV/bin/tpchgen-cli" csv -s "$LINEITEM_SCALE" --tables=lineitem --output-dir="$RUN/tmp" >/dev/null
	while read -r name value; do FIG[$name]=$value; done < <("$VENV/bin/python" "$EC_TOP/test/bench/peers.py" lineitem "$RUN/tmp/lineitem.csv" "$RUN/tmp")
	sed -i 1d "$RUN/tmp/lineitem.csv"
	FIG[copy_rows_lineitem]=$(wc -l <"$RUN/tmp/lineitem.csv")
	sql -c "CREATE TABLE lineitem_shape (l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int,
		l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2),
		l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date,
		l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44))"
	copy_text_file lineitem
	copy_all_ways lineitem
	rm -f "$RUN/tmp/lineitem".*
}

bench_copy_ways()
{
	copy_events
	copy_lineitem
}

# Time of heap's COPY in the same format over ours: above 1 is faster than heap.
copy_report()
{
	local kind way heap
	for kind in shop lineitem; do
		say
		printf '%-42s %10s %12s %10s %12s\n' "COPY, $(commas "${FIG[copy_rows_$kind]}") rows of $kind" "seconds" "heap / it" "bytes/row" "WAL / bytes"
		for way in $COPY_WAYS; do
			heap=${FIG[seconds_${kind}_heap_csv]}
			case $way in *_text*) heap=${FIG[seconds_${kind}_heap_text]} ;; *_key) heap=${FIG[seconds_${kind}_heap_key]} ;; esac
			printf '%-42s %10s %12s %10s %12s\n' "$way" "${FIG[seconds_${kind}_$way]}" "$(ratio "$heap" "${FIG[seconds_${kind}_$way]}")" \
				"$(ratio "${FIG[size_${kind}_$way]}" "${FIG[copy_rows_$kind]}")" "$(ratio "${FIG[wal_${kind}_$way]}" "${FIG[size_${kind}_$way]}")"
		done
	done
	printf '%-42s %10s %12s %10s\n' "lineitem as Parquet, zstd (pyarrow)" "" "" "$(ratio "${FIG[lineitem_parquet_bytes]}" "${FIG[copy_rows_lineitem]}")"
}
