# shellcheck shell=bash
# The steps of scripts/demo, in their order there.  Source after lib.sh and lib-server.sh.

# ----------------------------------------------------------------------------------------
# Before anything is done
# ----------------------------------------------------------------------------------------
check_input()
{
	CSV=${CSV:-} ROWS=${ROWS:-}
	if [ -n "$CSV" ] && [ -n "$ROWS" ]; then die "give CSV (your file) or ROWS (size of the sample), not both"; fi
	if [ -n "$CSV" ]; then
		if [ ! -e "$CSV" ]; then die "CSV=$CSV: there is no such file"; fi
		if [ -d "$CSV" ]; then die "CSV=$CSV is a directory"; fi
		if [ ! -r "$CSV" ]; then die "CSV=$CSV: no permission to read it"; fi
		if [ ! -s "$CSV" ]; then die "CSV=$CSV is empty"; fi
		CSV=$(cd "$(dirname "$CSV")" && pwd -P)/$(basename "$CSV")
		if [[ $CSV == *.gz ]] && [ "$(head -c 2 "$CSV" | od -An -tx1 | tr -d ' ')" != 1f8b ]; then
			die "CSV=$CSV is not compressed with gzip, though its name says so"
		fi
		return
	fi
	ROWS=${ROWS:-1000000}
	ROWS=${ROWS//[,_]/}
	case $ROWS in *k) ROWS=${ROWS%k}000 ;; *M) ROWS=${ROWS%M}000000 ;; esac
	if [[ ! $ROWS =~ ^[1-9][0-9]{0,11}$ ]]; then die "ROWS=$ROWS is not a number of rows"; fi
}

# ----------------------------------------------------------------------------------------
# Servers
# ----------------------------------------------------------------------------------------
stop_servers()
{
	if [ -e "$RUN/superset/pid" ]; then "$EC_TOP/scripts/dashboard" stop >/dev/null; fi
	if [ -d "$PG_BIN" ]; then server_stop fast; fi
	"$EC_TOP/scripts/broker" stop "$RUN/kafka"
}

# Ended before the end: what we started stops again, the logs stay.
give_up()
{
	local rc=$?
	trap '' INT TERM
	if [ -n "${PRODUCER:-}" ]; then kill "$PRODUCER" 2>/dev/null || true; fi
	stop_servers || true
	warn "the demo ended early (logs: $RUN)"
	exit "$rc"
}

prepare()
{
	mkdir -p "$OUT"
	rm -rf "$OUT"/{env,*.csv,*.html,ecinsight.twb,run} "$RUN/data" "$RUN/superset" "$RUN/kafka/data"
	ln -s "$RUN" "$OUT/run"
	# A former password and port stay valid: a Tableau data source may have them.
	if [ ! -s "$OUT/tableau-password" ]; then
		(umask 077; head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$OUT/tableau-password")
	fi
	PASSWORD=$(cat "$OUT/tableau-password")
	local start
	start=$(now)
	step "Build"
	"$EC_TOP/scripts/broker" jars >/dev/null
	server_tree
	build_install "$RUN/build.log"
	ok "built, and installed into a private server ($(calc "$(now) - $start") s)"
}

# Memory for shared_buffers: a quarter, 1 GB at most, in MB.
buffers() { awk '/^MemTotal:/ { m = int($2 / 4096); print (m > 1024 ? 1024 : m < 64 ? 64 : m) }' /proc/meminfo; }

start_postgres()
{
	local port user
	port=$(cat "$RUN/port" 2>/dev/null) || port=
	if [ -z "$port" ] || ! ports_free "$port"; then port=$(free_ports 1); fi
	printf '%s\n' "$port" >"$RUN/port"
	PG_PORT=$port
	server_init postgres --auth-local=peer --auth-host=scram-sha-256
	server_conf <<-CONF
	listen_addresses = '127.0.0.1'
	port = $port
	unix_socket_directories = '$PG_SOCK'
	shared_preload_libraries = 'ecinsight'
	shared_buffers = $(buffers)MB
	work_mem = 64MB
	maintenance_work_mem = 256MB
	max_wal_size = 4GB
	checkpoint_timeout = 15min
	max_worker_processes = 16
	random_page_cost = 1.1
	jit = off
	timezone = 'UTC'
	log_line_prefix = '%m [%p] %q%u@%d '
	CONF
	# The operating system says who you are; over TCP a password does.
	as_user tee "$PG_DATA/pg_hba.conf" >/dev/null <<-HBA
	local all all peer map=demo
	host all all 127.0.0.1/32 scram-sha-256
	HBA
	for user in root "$EC_USER" "$(id -un)" "${SUDO_USER:-root}"; do
		printf 'demo %s postgres\ndemo %s %s\n' "$user" "$user" "$OWNER"
	done | sort -u | as_user tee "$PG_DATA/pg_ident.conf" >/dev/null
	server_start
	admin postgres <<-SQL
	CREATE ROLE $OWNER LOGIN;
	CREATE ROLE $VIEWER LOGIN PASSWORD '$PASSWORD';
	GRANT pg_monitor TO $OWNER;
	CREATE DATABASE $DB OWNER $OWNER;
	SQL
	admin "$DB" <<-SQL
	CREATE EXTENSION ecinsight;
	GRANT USAGE ON FOREIGN DATA WRAPPER ecinsight_kafka TO $OWNER;
	SQL
	ok "PostgreSQL $(sql -c 'SHOW server_version' | cut -d' ' -f1) on 127.0.0.1:$port (as $EC_USER, data in $PG_DATA)"
}

start_kafka()
{
	BOOTSTRAP=$("$EC_TOP/scripts/broker" start "$RUN/kafka")
	perl -I"$EC_TOP/test/lib" -MEcKafkaClient -e \
		'EcKafkaClient->new($ARGV[0])->create_topic($ARGV[1], $ARGV[2])' "$BOOTSTRAP" "$TOPIC" "$PARTITIONS"
	ok "Apache Kafka on $BOOTSTRAP, topic $TOPIC with $PARTITIONS partitions"
}

# SQL from stdin or by -c, as the cluster's superuser, as the demo's user.
admin() { local db=$1; shift; "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$PG_SOCK" -p "$PG_PORT" -U postgres -d "$db" "$@"; }
sql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$PG_SOCK" -p "$PG_PORT" -U "$OWNER" -d "$DB" "$@"; }

# ----------------------------------------------------------------------------------------
# Data in
# ----------------------------------------------------------------------------------------
make_sample()
{
	local start
	if [ -n "$CSV" ]; then
		FILE=$CSV
		ok "$FILE ($(megabytes "$(stat -Lc %s "$FILE")"))"
		return
	fi
	start=$(now)
	FILE=$OUT/events.csv
	"$EC_TOP/bin/ecgen" --rows "$ROWS" --output "$FILE"
	ok "$(commas "$ROWS") rows by ecgen, $(megabytes "$(stat -c %s "$FILE")") in $(calc "$(now) - $start") s: .demo/events.csv"
}

megabytes() { if [ "$1" -lt 1000000 ]; then calc "$1 / 1000" '%.0f kB'; else calc "$1 / 1000000" '%.1f MB'; fi; }

create_stream()
{
	sql >/dev/null <<-SQL
	SELECT ecinsight.create_events_table('events');
	CREATE SERVER shop_kafka FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" '$BOOTSTRAP');
	CREATE USER MAPPING FOR $OWNER SERVER shop_kafka;
	SELECT ecinsight.create_stream('shop', server => 'shop_kafka', topics => '{$TOPIC}', target => 'events');
	SQL
	ok "table events, server shop_kafka, stream shop"
}

# What the worker has committed: rows, messages, dead letters, seconds from $1 (its clock) to the
# last commit, messages still to come (empty: not known yet), state.
worker_figures()
{
	sql -F ' ' -c "
		SELECT coalesce(sum(p.rows), 0), coalesce(sum(p.messages), 0), max(s.errors),
			coalesce(round(extract(epoch FROM max(s.last_commit) - '$1'), 3), 0),
			CASE WHEN count(p.lag_messages) > 0 THEN sum(p.lag_messages)::text ELSE '-' END, max(s.state)
		FROM ecinsight.streams s LEFT JOIN ecinsight.stream_partitions p ON p.stream = s.name
		WHERE s.name = 'shop'"
}

# The last state of a progress bar that was written to a file.
last_progress() { tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' | sed -E 's/\x1b\[[0-9;]*[A-Za-z]//g; s/[[:cntrl:]]//g; /^ *$/d' | tail -n 1; }

# draw PRODUCER WORKER [LAST]: two lines that stay in place on a terminal; elsewhere they come
# every five seconds, and at the end.
DRAWN=0 LAST_LINE=0
draw()
{
	if [ -t 1 ]; then
		local width
		width=$(tput cols 2>/dev/null) || width=80
		if [ $DRAWN = 1 ]; then printf '\e[2A'; fi
		printf '\r\e[K  producer  %s\n\r\e[K  worker    %s\n' "${1:0:width-13}" "${2:0:width-13}"
		DRAWN=1
	elif [ $((SECONDS - LAST_LINE)) -ge 5 ] || [ -n "${3:-}" ]; then
		LAST_LINE=$SECONDS
		say "  producer  $1"
		say "  worker    $2"
	fi
}

# Start the producer and watch it and the worker until both have done all.
load()
{
	local from rows messages errors seconds lag state before=0 at last rate=0 waiting=''
	from=$(sql -c 'SELECT clock_timestamp()')
	produce &
	PRODUCER=$!
	last=$(now)
	while :; do
		sleep 0.4
		read -r rows messages errors seconds lag state < <(worker_figures "$from")
		at=$(now)
		rate=$(calc "0.7 * $rate + 0.3 * ($rows - $before) / ($at - $last)" %.0f)
		before=$rows last=$at
		draw "$(last_progress "$RUN/producer.err")" \
			"$(commas "$rows") rows, $(commas "$rate") rows/s, lag $(commas "${lag/-/?}") messages, $state"
		if kill -0 "$PRODUCER" 2>/dev/null; then continue; fi
		if [ -z "$waiting" ]; then
			wait "$PRODUCER" || { cat "$RUN/producer.err" >&2; die "the producer failed"; }
			PRODUCER=
			# The worker reads to the ends that it finds now.
			(sql -c "SELECT ecinsight.wait_for_stream('shop', timeout => '1 hour')" >"$RUN/wait.out" 2>&1) &
			waiting=$!
		elif ! kill -0 "$waiting" 2>/dev/null; then
			wait "$waiting" || { cat "$RUN/wait.out" >&2; die "the worker did not finish"; }
			break
		fi
		case $state in failed|paused|stopped) die "stream shop is $state: $(sql -c "SELECT last_error FROM ecinsight.streams")" ;; esac
	done
	read -r rows messages errors seconds lag state < <(worker_figures "$from")
	draw "$(commas "$(producer_figure rows)") rows, done" "$(commas "$rows") rows, lag $(commas "${lag/-/?}") messages, $state" last
	agree "$from"
}

# In a subshell: becomes the producer, its bar for draw() in producer.err, its figures as JSON in producer.out.
produce()
{
	exec "$EC_TOP/bin/ecproduce" --brokers "$BOOTSTRAP" --topic "$TOPIC" --rows-per-message "$ROWS_PER_MESSAGE" \
		--bar --json "$FILE" >"$RUN/producer.out" 2>"$RUN/producer.err"
}

producer_figure() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" "$RUN/producer.out"; }

# Producer and worker must tell the same story.
agree()
{
	local rows messages errors seconds stored bytes
	P_ROWS=$(producer_figure rows)
	P_MESSAGES=$(producer_figure messages)
	P_BYTES=$(producer_figure bytes_read)
	P_SECONDS=$(producer_figure seconds)
	read -r rows messages errors seconds _ < <(worker_figures "$1")
	stored=$(sql -c 'SELECT count(*) FROM events')
	W_SECONDS=$seconds
	printf '\n  %-10s %15s %12s %14s %10s %16s\n' '' rows messages 'dead letters' seconds rows/s
	printf '  %-10s %15s %12s %14s %10s %16s\n' producer "$(commas "$P_ROWS")" "$(commas "$P_MESSAGES")" '' \
		"$(calc "$P_SECONDS" %.2f)" "$(commas "$(calc "$P_ROWS / ($P_SECONDS + 0.001)" %.0f)")"
	printf '  %-10s %15s %12s %14s %10s %16s\n' worker "$(commas "$rows")" "$(commas "$messages")" "$(commas "$errors")" \
		"$(calc "$seconds" %.2f)" "$(commas "$(calc "$rows / ($seconds + 0.001)" %.0f)")"
	say
	if [ "$errors" != 0 ]; then
		say "Rows that could not be taken (ecinsight.dead_letters), by reason, with an example:"
		sql -F '  ' -c "
			SELECT to_char(count(*), '999,999,999,999'), reason, left((array_agg(error ORDER BY partition, message_offset, row_number))[1], 100)
			FROM ecinsight.dead_letters GROUP BY reason ORDER BY count(*) DESC, reason"
		say
	fi
	if [ $((rows + errors)) != "$P_ROWS" ] || [ "$messages" != "$P_MESSAGES" ] || [ "$stored" != "$rows" ]; then
		die "the figures don't agree: produced $P_ROWS rows in $P_MESSAGES messages; consumed $rows rows and $errors dead letters in $messages messages; table events has $stored rows"
	fi
	ok "rows of the worker + dead letters = rows of the producer; table events holds $(commas "$stored") rows"
	if [ "$stored" = 0 ]; then die "not one row could be taken"; fi
	bytes=$(sql -c "SELECT pg_total_relation_size('events')")
	ok "$(megabytes "$bytes") on disk for $(megabytes "$P_BYTES") of CSV: $(calc "$P_BYTES / $bytes") times smaller, $(calc "$bytes / $stored") bytes a row"
}

# ----------------------------------------------------------------------------------------
# Insights out
# ----------------------------------------------------------------------------------------
views()
{
	sql -c 'VACUUM ANALYZE events' -c "SELECT ecinsight.create_views('events')" -c "SELECT ecinsight.grant_read('$VIEWER')" >/dev/null
	ok "views in schema insight: $(sql -c "SELECT count(*) FROM pg_views WHERE schemaname = 'insight'"), readable by role $VIEWER"
}

# table TITLE QUERY: the result as psql shows it, headed by the title and the time it took.
table()
{
	local out
	out=$("$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 -P pager=off -P footer=off -P null='(blank)' -h "$PG_SOCK" -p "$PG_PORT" -U "$OWNER" -d "$DB" \
		-c '\timing on' -c "$2")
	say
	say "${EC_BOLD}$1${EC_OFF} ($(sed -n 's/^Time: \([0-9.]* ms\).*/\1/p' <<<"$out"))"
	sed '/^Time: /d; /^$/d' <<<"$out"
}

insights()
{
	table "Top 10 of user and category by interactions" \
		"SELECT rank, user_id, category_code, interactions FROM ecinsight.top_user_categories('events', k => 10)"
	table "Price sensitivity: the 10 categories with the highest average price" \
		"SELECT rank, category_code, average_price, max_price, min_price FROM ecinsight.price_sensitivity('events', k => 10)"
	table "The 20 most popular categories" \
		"SELECT rank, category_id, category_code, interaction_count FROM ecinsight.popular_categories('events', k => 20)"
}

csv_files()
{
	csv top_10_interactions "SELECT user_id, category_code, interactions AS count FROM ecinsight.top_user_categories('events', k => 10)"
	csv top_10_categories_prices "SELECT category_code, average_price, max_price, min_price FROM ecinsight.price_sensitivity('events', k => 10)"
	csv top_10_categories "SELECT category_id, category_code, interaction_count FROM ecinsight.popular_categories('events', k => 10)"
	say
	ok "the same as CSV: .demo/top_10_interactions.csv, .demo/top_10_categories_prices.csv, .demo/top_10_categories.csv"
}
csv() { sql -c "COPY ($2) TO STDOUT (FORMAT csv, HEADER)" >"$OUT/$1.csv"; }

# The workbook, its connections as tableau/generate would fill them in: HOST PORT DATABASE USER.
fill_in_workbook()
{
	sed "s/ class=\"postgres\" server=\"\" port=\"5432\" dbname=\"\" username=\"\"/ class=\"postgres\" server=\"$1\" port=\"$2\" dbname=\"$3\" username=\"$4\"/" \
		"$EC_TOP/tableau/ecinsight.twb"
}

workbook()
{
	fill_in_workbook 127.0.0.1 "$PG_PORT" "$DB" "$VIEWER" >"$OUT/ecinsight.twb"
	ok "Tableau workbook with this connection: .demo/ecinsight.twb"
}

report()
{
	if [ ! -x "$EC_TOP/bin/ecreport" ]; then
		warn "NO REPORT: bin/ecreport is not built, because its plotting library could not be fetched ($RUN/build.log says why)"
		return
	fi
	"$EC_TOP/bin/ecreport" -h "$PG_SOCK" -p "$PG_PORT" -U "$OWNER" -o "$OUT/report.html" --title "Insights of the demo shop" "$DB"
	ok "and as a page with charts, for a browser: .demo/report.html"
}

write_env()
{
	cat >"$OUT/env" <<-ENV
	export PGHOST=$PG_SOCK
	export PGPORT=$PG_PORT
	export PGUSER=$OWNER
	export PGDATABASE=$DB
	export KAFKA_BOOTSTRAP=$BOOTSTRAP
	ENV
}

summary()
{
	local here
	here=$(realpath --relative-to="$PWD" "$OUT")
	say
	step "Done in $(calc "$(now) - $BEGAN" %.0f) s: $(commas "$P_ROWS") rows from Kafka to table at $(commas "$(calc "$P_ROWS / ($W_SECONDS + 0.001)" %.0f)") rows/s"
	cat <<-NEXT

	${EC_BOLD}Go on${EC_OFF}
	  look            $(if [ -e "$OUT/report.html" ]; then echo "$here/report.html in a browser: all charts on one page"; else echo "(no report: see above)"; fi)
	  psql            . $here/env && psql
	                  TABLE insight.popular_categories;   SELECT * FROM ecinsight.streams;
	  more events     bin/ecgen --rows 100k --seed 2 | bin/ecproduce --brokers $BOOTSTRAP --topic $TOPIC -
	  end             make demo-stop

	${EC_BOLD}Tableau${EC_OFF} (open $here/ecinsight.twb, or Connect > To a Server > PostgreSQL)
	  Server          127.0.0.1
	  Port            $PG_PORT
	  Database        $DB
	  Authentication  Username and Password
	  Username        $VIEWER
	  Password        $PASSWORD
	  Require SSL     no
	  Connection      live; the views are in schema insight
	  On another machine first:  ssh -L $PG_PORT:127.0.0.1:$PG_PORT ${SUDO_USER:-$(id -un)}@$(uname -n)
	NEXT
}
