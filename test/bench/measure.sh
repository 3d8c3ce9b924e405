# shellcheck shell=bash
# The measurements of scripts/bench, one function each.  Sourced after scripts/lib*.sh; uses
# RUN, ROWS, SMALL_ROWS; figures are kept in the array FIG and printed by bench_report.

declare -A FIG
VENV=$EC_TOP/.deps/bench-venv
QUERIES="top_user_categories top_user_category_brands price_sensitivity popular_categories"

# DuckDB, pyarrow and tpchgen-cli come from PyPI into a virtual environment of the clone.
peers_install()
{
	if [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c 'import duckdb, pyarrow' 2>/dev/null && [ -x "$VENV/bin/tpchgen-cli" ]; then return; fi
	step "peers (DuckDB, pyarrow and tpchgen-cli from PyPI)"
	python3 -m venv "$VENV"
	"$VENV/bin/pip" install -q duckdb pyarrow tpchgen-cli
}

sql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$PG_SOCK" -p "$PG_PORT" -U postgres -d bench "$@"; }

# timed CMD…: wall time of a command, in seconds, into TAKEN
timed()
{
	local start
	start=$(now)
	"$@"
	TAKEN=$(calc "$(now) - $start" %.3f)
}

bench_events()
{
	CSV=$RUN/tmp/events.csv
	if [ -n "${BENCH_CSV:-}" ]; then
		cp "$BENCH_CSV" "$CSV"
		ROWS=$(($(wc -l <"$CSV") - 1))
	else
		timed "$EC_TOP/bin/ecgen" --rows "$ROWS" --seed 1 -o "$CSV"
		FIG[ecgen]=$(calc "$ROWS / $TAKEN" %.0f)
	fi
	if [ "$ROWS" -lt "$SMALL_ROWS" ]; then SMALL_ROWS=$ROWS; fi
	chmod a+r "$CSV"
	FIG[csv_bytes]=$(stat -c %s "$CSV")
	say "$(commas "$ROWS") rows, $(commas "${FIG[csv_bytes]}") bytes"
}

bench_servers()
{
	BROKER=$("$EC_TOP/scripts/broker" start "$RUN/broker")
	mapfile -t ports < <(free_ports 1)
	PG_PORT=${ports[0]}
	server_init postgres --auth=trust
	server_conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$PG_SOCK'
	port = $PG_PORT
	shared_preload_libraries = 'ecinsight'
	shared_buffers = 2GB
	max_wal_size = 16GB
	checkpoint_timeout = 1h
	work_mem = 256MB
	max_parallel_workers_per_gather = 0
	CONF
	server_start
	"$PG_BIN/createdb" -h "$PG_SOCK" -p "$PG_PORT" -U postgres bench
	sql -c "CREATE EXTENSION ecinsight" \
		-c "CREATE SERVER bench FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS (\"bootstrap.servers\" '$BROKER')" \
		-c "CREATE USER MAPPING FOR CURRENT_USER SERVER bench" >/dev/null
}

# COPY of the same file into heap and into columnar, by the server, WAL and commit included.
bench_copy()
{
	local kind
	for kind in heap columnar; do
		sql -c "SELECT ecinsight.create_events_table('copy_$kind')" >/dev/null
		if [ $kind = heap ]; then sql -c "ALTER TABLE copy_heap SET ACCESS METHOD heap"; fi
		timed sql -c "COPY copy_$kind FROM '$CSV' WITH (FORMAT csv, HEADER)"
		FIG[copy_$kind]=$(calc "$ROWS / $TAKEN" %.0f)
		sql -c "VACUUM ANALYZE copy_$kind"
		say "COPY into $kind: $(commas "${FIG[copy_$kind]}") rows/s"
	done
}

fill_topic()
{
	local topic=$1 rows=$2
	head -n $((rows + 1)) "$CSV" | "$EC_TOP/bin/ecproduce" -q -b "$BROKER" -t "$topic" --create-topic 4 -
}

# The stream's worker: anonymous memory (its own, not the shared buffers), kB.
worker_memory()
{
	local pid
	pid=$(sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ecinsight stream' LIMIT 1" 2>/dev/null) || pid=
	if [ -n "$pid" ]; then awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null || echo 0; else echo 0; fi
}

# Its highest value so far, in file OUT, until killed.
watch_memory()
{
	local out=$1 kb max=0
	echo 0 >"$out"
	while :; do
		kb=$(worker_memory)
		if [ "${kb:-0}" -gt "$max" ]; then max=$kb; echo "$max" >"$out"; fi
		sleep 0.3
	done
}

# consume TOPIC TABLE: create the stream, wait until everything that the topic holds is committed.
consume()
{
	local topic=$1 table=$2 watcher
	sql -c "SELECT ecinsight.create_events_table('$table')" >/dev/null
	watch_memory "$RUN/tmp/memory" &
	watcher=$!
	timed sql -c "SELECT ecinsight.create_stream('$topic', server => 'bench', topics => '{$topic}', target => '$table')" \
		-c "SELECT ecinsight.wait_for_stream('$topic', '30 minutes')" >/dev/null
	sleep 8 # librdkafka and malloc give memory back some seconds after the last message
	kill $watcher 2>/dev/null || true
	wait $watcher 2>/dev/null || true
	WORKER_KB=$(cat "$RUN/tmp/memory")
	WORKER_AFTER_KB=$(worker_memory)
	sql -c "SELECT ecinsight.drop_stream('$topic')" >/dev/null
}

# The topic is full before the stream starts; seconds count from create_stream (so worker start
# and connecting to the broker are in) to the end of wait_for_stream.
bench_kafka()
{
	fill_topic small $SMALL_ROWS >/dev/null
	consume small events_small
	FIG[memory_small]=$WORKER_KB FIG[after_small]=$WORKER_AFTER_KB
	timed fill_topic big "$ROWS" >/dev/null
	FIG[produce]=$(calc "$ROWS / $TAKEN" %.0f)
	local i t best=
	for _ in 1 2 3; do
		timed kcat -C -q -e -b "$BROKER" -t big -o beginning -X queued.max.messages.kbytes=262144 >/dev/null
		t=$TAKEN
		if [ -z "$best" ] || [ "$(calc "$t < $best" %d)" = 1 ]; then best=$t; fi
	done
	FIG[kcat]=$(calc "$ROWS / $best" %.0f)
	consume big events
	FIG[memory_big]=$WORKER_KB FIG[after_big]=$WORKER_AFTER_KB
	FIG[ingest]=$(calc "$ROWS / $TAKEN" %.0f)
	local n
	n=$(sql -c "SELECT count(*) FROM events")
	if [ -z "${BENCH_CSV:-}" ] && [ "$n" != "$ROWS" ]; then die "$n rows arrived instead of $ROWS"; fi
	say "Kafka to committed: $(commas "${FIG[ingest]}") rows/s"
}

bench_bytes()
{
	sql -c "CHECKPOINT"
	local table
	for table in events copy_columnar copy_heap; do
		FIG[bytes_$table]=$(sql -c "SELECT pg_table_size('$table')")
	done
	local name value
	while read -r name value; do FIG[$name]=$value; done < <("$VENV/bin/python" "$EC_TOP/test/bench/peers.py" files "$CSV" "$RUN/tmp")
}

# median of three runs, in seconds, by psql's own clock
query_time()
{
	for _ in 1 2 3; do
		sql -c '\timing on' -c "$1" 2>/dev/null | awk '/^Time:/ { print $2 / 1000 }'
	done | sort -n | sed -n 2p
}

bench_insights()
{
	local q k
	for q in $QUERIES; do
		k=10
		if [ $q = popular_categories ]; then k=20; fi
		FIG[ours_$q]=$(query_time "SELECT * FROM ecinsight.$q('events', k => $k)")
		FIG[heap_$q]=$(query_time "$(heap_query $q)")
		sql --csv -t -c "SELECT * FROM ecinsight.$q('events', k => $k)" | cut -d, -f2- >"$RUN/tmp/ours_$q.csv"
	done
}

heap_query()
{
	case $1 in
		top_user_categories) echo "SELECT user_id, category_code, count(*) FROM copy_heap GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10" ;;
		top_user_category_brands) echo "SELECT user_id, category_code, brand, count(*) FROM copy_heap GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 10" ;;
		price_sensitivity) echo "SELECT category_code, avg(price), max(price), min(price), count(*) FROM copy_heap GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1 LIMIT 10" ;;
		popular_categories) echo "SELECT category_id, category_code, count(*), count(*) FILTER (WHERE event_type = 'view'), count(*) FILTER (WHERE event_type = 'cart'), count(*) FILTER (WHERE event_type = 'purchase'), sum(price) FILTER (WHERE event_type = 'purchase') FROM copy_heap GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20" ;;
	esac
}

# DuckDB's answers must be ours (all columns of the user tables; averages are compared by pg tests).
bench_peers()
{
	local name value q
	while read -r name value; do FIG[$name]=$value; done < <("$VENV/bin/python" "$EC_TOP/test/bench/peers.py" duckdb "$CSV" "$RUN/tmp")
	for q in top_user_categories top_user_category_brands popular_categories; do
		cmp -s "$RUN/tmp/ours_$q.csv" "$RUN/tmp/duckdb_$q.csv" || die "$q differs from DuckDB's answer: see $RUN/tmp"
	done
}

bench_memory()
{
	FIG[pg_version]=$("$PG_BIN/postgres" --version | awk '{ print $3 }')
}

ratio() { calc "$1 / $2" %.2f; }

bench_report()
{
	local q
	say
	say "${EC_BOLD}$(commas "$ROWS") events, $(commas "${FIG[csv_bytes]}") bytes of CSV${EC_OFF}; PostgreSQL ${FIG[pg_version]}, DuckDB ${FIG[duckdb_version]}, $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), $(date -u +%F)"
	say
	printf '%-42s %14s   %s\n' "Rows a second" "" "ecinsight / it"
	printf '%-42s %14s\n' "Kafka to committed, one worker" "$(commas "${FIG[ingest]}")"
	printf '%-42s %14s   %s\n' "kcat reading the same topic" "$(commas "${FIG[kcat]}")" "$(ratio "${FIG[ingest]}" "${FIG[kcat]}")"
	printf '%-42s %14s   %s\n' "COPY into heap" "$(commas "${FIG[copy_heap]}")" "$(ratio "${FIG[ingest]}" "${FIG[copy_heap]}")"
	printf '%-42s %14s   %s\n' "COPY into ecinsight_columnar" "$(commas "${FIG[copy_columnar]}")" "$(ratio "${FIG[ingest]}" "${FIG[copy_columnar]}")"
	say
	printf '%-42s %14s %8s   %s\n' "Bytes" "" "a row" "ecinsight / it"
	for q in "Kafka stream's table:bytes_events" "table loaded by COPY:bytes_copy_columnar" "ORC, zstd, dictionaries (pyarrow):orc_zstd_bytes" "Parquet, zstd (pyarrow):parquet_zstd_bytes" "heap:bytes_copy_heap" "CSV:csv_bytes"; do
		printf '%-42s %14s %8s   %s\n' "${q%%:*}" "$(commas "${FIG[${q##*:}]}")" "$(ratio "${FIG[${q##*:}]}" "$ROWS")" "$(ratio "${FIG[bytes_events]}" "${FIG[${q##*:}]}")"
	done
	say
	printf '%-28s %10s %14s %8s %10s\n' "Insights, seconds, 1 thread" "ecinsight" "DuckDB" "ratio" "heap SQL"
	for q in $QUERIES; do
		printf '%-28s %10s %14s %8s %10s\n' "$q" "${FIG[ours_$q]}" "${FIG[duckdb_$q]}" "$(ratio "${FIG[ours_$q]}" "${FIG[duckdb_$q]}")" "${FIG[heap_$q]}"
	done
	say
	printf '%-42s %14s %14s\n' "Worker's own memory, kB" "once through" "highest"
	printf '%-42s %14s %14s\n' "$(commas $SMALL_ROWS) rows" "$(commas "${FIG[after_small]}")" "$(commas "${FIG[memory_small]}")"
	printf '%-42s %14s %14s\n' "$(commas "$ROWS") rows" "$(commas "${FIG[after_big]}")" "$(commas "${FIG[memory_big]}")"
}
