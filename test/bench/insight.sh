# shellcheck shell=bash
# The measurements of scripts/bench-insight.  Sourced after scripts/lib*.sh; uses RUN; figures are
# kept in the array FIG, in milliseconds.

declare -A FIG
VENV=$EC_TOP/.deps/bench-venv

# The functions, and how often each is called (user functions are slower).
INSIGHTS="popular_categories price_sensitivity product_performance overview sales_trend
	top_user_categories top_user_category_brands customer_segments cross_sell funnel category_correlation"

# Bounds within the two months of generated events; "days" are whole days too.
RANGES="all hours any"
range_bounds()
{
	case $1 in
		all) ;;
		hours) echo ", since => '2019-10-10 05:00+00', until => '2019-11-20 17:00+00'" ;;
		any) echo ", since => '2019-10-10 05:23:17+00', until => '2019-11-20 17:41:09+00'" ;;
	esac
}

insight_peers_install()
{
	if [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c 'import duckdb, chdb' 2>/dev/null; then return; fi
	step "peers (DuckDB and chdb from PyPI)"
	[ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
	"$VENV/bin/pip" install -q duckdb chdb
}

sql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$PG_SOCK" -p "$PG_PORT" -U postgres -d bench "$@"; }

insight_server()
{
	mapfile -t ports < <(free_ports 1)
	PG_PORT=${ports[0]}
	rm -rf "$RUN/tmp"
	mkdir -m 0755 "$RUN/tmp"
	server_init postgres --auth=trust
	server_conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$PG_SOCK'
	port = $PG_PORT
	shared_preload_libraries = 'ecinsight'
	shared_buffers = 4GB
	max_wal_size = 16GB
	checkpoint_timeout = 1h
	work_mem = 256MB
	maintenance_work_mem = 1GB
	autovacuum = off
	CONF
	server_start
	"$PG_BIN/createdb" -h "$PG_SOCK" -p "$PG_PORT" -U postgres bench
	sql -c "CREATE EXTENSION ecinsight" >/dev/null
}

insight_load()
{
	local rows=$1 start more
	CSV=$RUN/tmp/events.csv
	# two months of events, and some that follow
	more=$((rows / 5 > 2000000 ? rows / 5 : 2000000))
	"$EC_TOP/bin/ecgen" --rows $((rows + more)) --seed 1 --end "$(date -u -d "2019-10-01 + $((61 * (rows + more) / rows)) days" +%F)" |
		awk -v rows="$rows" -v first="$CSV" -v later="$RUN/tmp/later.csv" 'NR <= rows + 1 { print > first; next } { print > later }'
	chmod a+r "$CSV"
	sql -c "DROP TABLE IF EXISTS events" -c "SELECT ecinsight.create_events_table('events')" >/dev/null
	start=$(now)
	sql -c "COPY events FROM '$CSV' WITH (FORMAT csv, HEADER)"
	FIG[$rows.copy]=$(calc "($(now) - $start) * 1000")
	start=$(now)
	sql -c "VACUUM ANALYZE events"
	FIG[$rows.vacuum]=$(calc "($(now) - $start) * 1000")
	FIG[$rows.bytes]=$(sql -c "SELECT pg_table_size('events')")
	FIG[$rows.summary]=$(sql -c "SELECT coalesce(sum(bytes), 0) FROM ecinsight.summaries('events')")
	say "COPY ${FIG[$rows.copy]} ms, summaries ${FIG[$rows.vacuum]} ms; $(commas "${FIG[$rows.bytes]}") bytes, summaries $(commas "${FIG[$rows.summary]}") of them"
}

# call FUNCTION RANGE: the statement
call() { echo "SELECT * FROM ecinsight.$1('events'$(range_bounds "$2"))"; }

# times STATEMENT CALLS [SETTING]: median and 99th percentile of the calls in one session, the first not counted
times()
{
	local i
	{
		echo "${3:-}"
		echo '\o /dev/null'
		echo '\timing on'
		for ((i = 0; i <= $2; i++)); do echo "$1;"; done
	} | sql -f - 2>/dev/null | awk '/^Time:/ { print $2 }' | tail -n +2 | sort -n |
		awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)], t[int(NR * 0.99 + 0.999)] }'
}

# Fewer calls of what takes long.
calls_for()
{
	local once
	once=$(sql -c '\timing on' -c '\o /dev/null' -c "$1" | awk '/^Time:/ { print int($2) }')
	if [ "${once:-0}" -gt 2000 ]; then echo 3; elif [ "${once:-0}" -gt 200 ]; then echo 10; else echo 100; fi
}

insight_ours()
{
	local rows=$1 q r statement n
	for q in $INSIGHTS; do
		for r in $RANGES; do
			statement=$(call "$q" "$r")
			n=$(calls_for "$statement")
			read -r "FIG[$rows.$q.$r]" "FIG[$rows.$q.$r.p99]" < <(times "$statement" "$n")
		done
		read -r "FIG[$rows.$q.raw]" _ < <(times "$(call "$q" all)" 2 "SET ecinsight.enable_summaries = off;")
		dim "$q: ${FIG[$rows.$q.all]} ms, hours ${FIG[$rows.$q.hours]}, any ${FIG[$rows.$q.any]}, from rows ${FIG[$rows.$q.raw]}"
	done
}

# One session loads the events that follow, in commits of 100,000 and as fast as it can, another one vacuums, and a third one calls
# one function after the other until all are loaded.
LOADING="popular_categories price_sensitivity product_performance sales_trend overview"
insight_while_loading()
{
	local rows=$1 q vacuumer caller i=0
	{
		echo '\o /dev/null'
		echo '\timing on'
		for ((i = 0; i < 2000; i++)); do
			for q in $LOADING; do echo "$(call "$q" all);"; done
		done
	} >"$RUN/tmp/calls.sql"
	while sleep 1; do sql -c "VACUUM events"; done 2>/dev/null &
	vacuumer=$!
	sql -f "$RUN/tmp/calls.sql" >"$RUN/tmp/calls" 2>/dev/null &
	caller=$!
	awk '(NR - 1) % 100000 == 0 { if (NR > 1) print "\\."; print "COPY events FROM STDIN WITH (FORMAT csv);" } { print } END { print "\\." }' \
		"$RUN/tmp/later.csv" | sql -f -
	kill "$vacuumer" "$caller" 2>/dev/null || true
	wait "$vacuumer" "$caller" 2>/dev/null || true
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'bench'" >/dev/null
	i=0
	for q in $LOADING; do
		# not the first call of the session
		FIG[$rows.$q.busy]=$(awk -v i=$i '/^Time:/ && n++ % 5 == i && n > 5 { print $2 }' "$RUN/tmp/calls" | sort -n |
			awk '{ t[NR] = $1 } END { print t[int(NR * 0.99 + 0.999)] }')
		i=$((i + 1))
	done
	dim "$(grep -c '^Time:' "$RUN/tmp/calls") calls while loading"
	rm -f "$RUN/tmp/later.csv"
}

# CPU seconds of the whole server so far, dead processes too.
server_cpu()
{
	local postmaster files
	postmaster=$(head -n 1 "$RUN/data/postmaster.pid")
	mapfile -t files < <(echo "/proc/$postmaster/stat" && pgrep -P "$postmaster" | sed 's|.*|/proc/&/stat|')
	cat "${files[@]}" 2>/dev/null | sed 's/.*) //' |
		awk -v hz="$(getconf CLK_TCK)" 'NR == 1 { s += $14 + $15 } { s += $12 + $13 } END { printf "%.2f", s / hz }'
}

# ingest ROWS A STATEMENT, SUMMARIES: CPU seconds of loading and vacuuming BENCH_INGEST_ROWS events
ingest_cpu()
{
	local before
	sql -c "DROP TABLE IF EXISTS ingested" -c "SELECT ecinsight.create_events_table('ingested')" \
		-c "SELECT ecinsight.set_options('ingested', summaries => '$2')" >/dev/null
	before=$(server_cpu)
	awk -v per="$1" 'NR == 1 { next } (NR - 2) % per == 0 { if (NR > 2) print "\\."; print "COPY ingested FROM STDIN WITH (FORMAT csv);" }
		{ print } END { print "\\." }' "$CSV" | sql -f -
	sql -c "VACUUM ingested"
	calc "$(server_cpu) - $before" %.2f
}

# What summaries cost at ingest: the least of three runs, with and without in turns.
insight_ingest_cost()
{
	local rows=$1 per kind seconds run
	CSV=$RUN/tmp/ingested.csv
	"$EC_TOP/bin/ecgen" --rows "$rows" --seed 2 -o "$CSV"
	for per in 5000 "$rows"; do
		for run in 1 2 3; do
			for kind in off auto; do
				seconds=$(ingest_cpu "$per" $kind)
				if [ "$run" = 1 ] || [ "$(calc "($seconds < ${FIG[ingest.$per.$kind]})" %d)" = 1 ]; then FIG[ingest.$per.$kind]=$seconds; fi
			done
		done
		say "$(commas "$rows") events in statements of $(commas "$per"): ${FIG[ingest.$per.auto]} s of CPU with summaries, ${FIG[ingest.$per.off]} s without: $(calc "100 * (1 - ${FIG[ingest.$per.off]} / ${FIG[ingest.$per.auto]})" %.0f) per cent of the throughput"
	done
	rm -f "$CSV"
}

# The peers answer the unbounded questions; their answers must be ours.
insight_peers()
{
	local rows=$1 name value q
	for q in $INSIGHTS; do sql --csv -t -c "$(insight_answer "$q")" >"$RUN/tmp/ours_$q.csv"; done
	for peer in duckdb chdb; do
		while read -r name value; do FIG[$rows.$name]=$value; done < <("$VENV/bin/python" "$EC_TOP/test/bench/insight_peers.py" $peer "$CSV" "$RUN/tmp")
		for q in $INSIGHTS; do
			if [ -e "$RUN/tmp/${peer}_$q.csv" ] && ! cmp -s "$RUN/tmp/ours_$q.csv" "$RUN/tmp/${peer}_$q.csv"; then
				die "$q differs from ${peer}'s answer: see $RUN/tmp"
			fi
		done
	done
}

# The columns that the peers compute as well.
insight_answer()
{
	case $1 in
		popular_categories) echo "SELECT category_id, category_code, interaction_count, views, carts, purchases, revenue FROM ecinsight.popular_categories('events')" ;;
		price_sensitivity) echo "SELECT category_code, max_price, min_price, interactions FROM ecinsight.price_sensitivity('events')" ;;
		product_performance) echo "SELECT product_id, views, carts, purchases, revenue FROM ecinsight.product_performance('events')" ;;
		overview) echo "SELECT interactions, views, carts, purchases, revenue, users, buyers, sessions, orders FROM ecinsight.overview('events')" ;;
		sales_trend) echo "SELECT bucket::date, interactions, views, carts, purchases, revenue, users, buyers FROM ecinsight.sales_trend('events')" ;;
		top_user_categories) echo "SELECT user_id, category_code, interactions FROM ecinsight.top_user_categories('events')" ;;
		top_user_category_brands) echo "SELECT user_id, category_code, brand, interactions FROM ecinsight.top_user_category_brands('events')" ;;
		customer_segments) echo "SELECT sum(customers), sum(orders), sum(revenue) FROM ecinsight.customer_segments('events') WHERE segment <> 'browsers'" ;;
		cross_sell) echo "SELECT item_a, item_b, baskets FROM ecinsight.cross_sell('events')" ;;
		funnel) echo "SELECT key, viewers, carters, buyers FROM ecinsight.funnel('events')" ;;
		category_correlation) echo "SELECT category_a, category_b, users_both FROM ecinsight.category_correlation('events', k => NULL) ORDER BY users_both DESC, 1, 2 LIMIT 20" ;;
	esac
}

times_faster() { if [ -n "${1:-}" ] && [ -n "${2:-}" ]; then calc "$2 / $1" '%.1f'; else echo -; fi; }

insight_report()
{
	local rows=$1 q
	say
	say "${EC_BOLD}$(commas "$rows") events${EC_OFF}; $("$PG_BIN/postgres" --version), $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)), $(date -u +%F)"
	say "COPY ${FIG[$rows.copy]} ms, VACUUM with summaries ${FIG[$rows.vacuum]} ms, $(calc "${FIG[$rows.bytes]} / $rows" %.2f) bytes an event, summaries $(calc "100 * ${FIG[$rows.summary]} / (${FIG[$rows.bytes]} - ${FIG[$rows.summary]})") per cent of the rest"
	printf '%-26s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n' "milliseconds" all p99 hours any "any p99" loading "our rows" DuckDB chdb "chdb view" "faster"
	for q in $INSIGHTS; do
		printf '%-26s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n' "$q" "${FIG[$rows.$q.all]}" "${FIG[$rows.$q.all.p99]}" \
			"${FIG[$rows.$q.hours]}" "${FIG[$rows.$q.any]}" "${FIG[$rows.$q.any.p99]}" "${FIG[$rows.$q.busy]:--}" "${FIG[$rows.$q.raw]}" \
			"${FIG[$rows.duckdb_$q]:--}" "${FIG[$rows.chdb_$q]:--}" "${FIG[$rows.chdb_view_$q]:--}" \
			"$(times_faster "${FIG[$rows.$q.all]}" "$(printf '%s\n' "${FIG[$rows.duckdb_$q]:-}" "${FIG[$rows.chdb_$q]:-}" | sed '/^$/d' | sort -g | head -n 1)")"
	done
	say
}
