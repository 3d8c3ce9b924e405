# shellcheck shell=bash
# Small writes, deletes and updates of heap and columnar tables in turns, for scripts/bench: seconds, WAL, bytes.
# Sourced after measure.sh; uses RUN, CSV, PG_BIN, PG_SOCK, PG_PORT, FIG, sql, timed, ratio.
#
# Seconds of the statements of one session are CPU seconds of its process; those of pgbench are CPU seconds of all server
# processes that ended meanwhile, as the clock tells more of the disk and of what else runs.

declare -A FIG # measure.sh's
DML_INSERTS=${DML_INSERTS:-200000}
DML_STATEMENTS=${DML_STATEMENTS:-100000}
DML_SINGLE=${DML_SINGLE:-20000}
DML_DELETES=${DML_DELETES:-1000000}
DML_UPDATES=${DML_UPDATES:-300000}
DML_ROUNDS=${DML_ROUNDS:-3}
DML_METHODS="heap ecinsight_columnar"

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
children_ticks() { awk '{ print $16 + $17 }' "/proc/$(head -n 1 "$(sql -c 'SHOW data_directory')/postmaster.pid")/stat"; }
seconds_of() { calc "($2 - $1) / $(getconf CLK_TCK)" %.2f; }

# keep NAME VALUE: the least of all rounds
keep()
{
	if [ -z "${FIG[$1]:-}" ] || [ "$(calc "$2 < ${FIG[$1]}" %d)" = 1 ]; then FIG[$1]=$2; fi
}

wal() { sql -c "SELECT pg_current_wal_insert_lsn() - '0/0'"; }

# session_cost NAME STATEMENT: CPU seconds and WAL of one statement, after the one in FIRST
session_cost()
{
	local before out
	before=$(wal)
	out=$(sql <<-SQL
	${FIRST:-}
	SELECT pg_backend_pid() AS pid \gset
	\setenv EC_PID :pid
	\! awk '{ print \$14 + \$15 }' /proc/\$EC_PID/stat
	$2
	\! awk '{ print \$14 + \$15 }' /proc/\$EC_PID/stat
	SQL
	)
	mapfile -t out < <(grep -E '^[0-9]+$' <<<"$out")
	keep "$1.cpu" "$(seconds_of "${out[0]}" "${out[-1]}")"
	FIG[$1.wal]=$(($(wal) - before))
}

# make_table METHOD KIND: empty "small"
make_table()
{
	sql -c "DROP TABLE IF EXISTS small" 2>/dev/null
	case $2 in
		events) sql -c "SELECT ecinsight.create_events_table('small')" -c "ALTER TABLE small SET ACCESS METHOD $1" >/dev/null ;;
		narrow) sql -c "CREATE TABLE small (id bigint, v int, w bigint) USING $1" ;;
	esac
}

# What a statement inserts: a row of events as a client would write it, or 20 bytes.
row_values()
{
	case $1 in
		events) echo "'2019-10-01 00:00:00+00'::timestamptz + $2 * interval '1 second', 'view', 1000000 + $2 % 5000, 2053013555631882655 + $2 % 50, 'electronics.smartphone', 'samsung', ($2 % 1000)::numeric(10,2) + 0.99, 500000000 + $2 % 90000, '26dd6e6e-4dac-4778-8d2c-92e149dab885'" ;;
		narrow) echo "$2, $2 % 7, $2 * 3" ;;
	esac
}

# After the inserts: size; then VACUUM, size, scan; then the same rows by COPY.
small_size() { FIG[$1]=$(sql -c "SELECT pg_total_relation_size('small')"); }
small_compacted()
{
	sql -c "VACUUM small" -c "VACUUM small"
	small_size "$1.compacted"
	FIRST="" session_cost "$1.scan" "SELECT count(*), max(x) FROM (SELECT * FROM small) s, LATERAL (SELECT hashtext(s::text) AS x) t;"
}

insert_loop()
{
	local kind=$1 method=$2 name=loop.$1.$2
	make_table "$method" "$kind"
	sql -c "CREATE OR REPLACE PROCEDURE insert_loop(n int) LANGUAGE plpgsql AS \$\$ BEGIN FOR i IN 1 .. n LOOP INSERT INTO small VALUES ($(row_values "$kind" i)); END LOOP; END \$\$"
	session_cost "$name" "CALL insert_loop($DML_INSERTS);"
	small_size "$name.size"
	small_compacted "$name"
}

insert_statements()
{
	local kind=$1 method=$2 name=statements.$1.$2
	make_table "$method" "$kind"
	{ echo "BEGIN;"; seq 1 "$DML_STATEMENTS" | sed "s/.*/INSERT INTO small VALUES ($(row_values "$kind" '&' | sed 's/[\/]/\\&/g'));/"; echo "COMMIT;"; } >"$RUN/tmp/statements.sql"
	session_cost "$name" "\\i $RUN/tmp/statements.sql"
	small_size "$name.size"
}

# insert_single KIND METHOD CLIENTS SYNC: each row its own transaction
insert_single()
{
	local kind=$1 method=$2 clients=$3 sync=$4 name=single.$1.$2.$3.$4 before ticks
	make_table "$method" "$kind"
	printf '\\set i random(1, 1000000)\nINSERT INTO small VALUES (%s);\n' "$(row_values "$kind" :i)" >"$RUN/tmp/single.sql"
	before=$(wal)
	ticks=$(children_ticks)
	timed env PGOPTIONS="-c synchronous_commit=$sync" "$PG_BIN/pgbench" -n -M prepared -c "$clients" -j 2 -t $((DML_SINGLE / clients)) -f "$RUN/tmp/single.sql" \
		-h "$PG_SOCK" -p "$PG_PORT" -U postgres bench >/dev/null 2>&1
	sleep 0.3
	keep "$name.cpu" "$(seconds_of "$ticks" "$(children_ticks)")"
	keep "$name.clock" "$TAKEN"
	FIG[$name.wal]=$(($(wal) - before))
	small_size "$name.size"
}

insert_copy()
{
	local kind=$1 method=$2 name=copy.$1.$2
	make_table "$method" "$kind"
	sql -c "COPY (SELECT $(row_values "$kind" i) FROM generate_series(1, $DML_INSERTS) i) TO '$RUN/tmp/small.copy'" -c "COPY small FROM '$RUN/tmp/small.copy'"
	small_compacted "$name"
}

# fill METHOD ROWS: "small" of rows in row groups, as vacuumed as can be
fill()
{
	make_table "$1" narrow
	sql -c "INSERT INTO small SELECT g, g % 7, g * 3 FROM generate_series(1, $2) g" -c "VACUUM ANALYZE small" -c "CHECKPOINT"
}

change()
{
	local method=$1
	fill "$method" "$DML_DELETES"
	FIRST="SELECT setseed(0.5);" session_cost "delete1.$method" "DELETE FROM small WHERE random() < 0.01;"
	fill "$method" "$DML_UPDATES"
	session_cost "delete33.$method" "DELETE FROM small WHERE id % 3 = 0;"
	fill "$method" "$DML_UPDATES"
	session_cost "update1.$method" "UPDATE small SET v = v + 1 WHERE id % 100 = 0;"
	fill "$method" "$DML_UPDATES"
	session_cost "update10.$method" "UPDATE small SET v = v + 1 WHERE id % 10 = 0;"
}

bench_dml()
{
	local round method kind clients sync
	mkdir -p "$RUN/tmp"
	chmod 0777 "$RUN/tmp"
	for round in $(seq 1 "$DML_ROUNDS"); do
		for kind in narrow events; do
			for method in $DML_METHODS; do insert_loop $kind "$method"; done
			for method in $DML_METHODS; do insert_statements $kind "$method"; done
			for clients in 1 8; do
				for sync in on off; do
					for method in $DML_METHODS; do insert_single $kind "$method" $clients $sync; done
				done
			done
			insert_copy $kind ecinsight_columnar
		done
		for method in $DML_METHODS; do change "$method"; done
		dim "small writes: round $round of $DML_ROUNDS"
	done
	sql -c "DROP TABLE small" -c "DROP PROCEDURE insert_loop"
}

# dml_line TITLE NAME SUFFIX [COLUMNS]: heap, ours and the ratio of each figure (cpu, clock, wal, size) that there is
dml_line()
{
	local title=$1 before=$2 after=$3 column h c
	shift 3
	printf '%-46s' "$title"
	for column in "$@"; do
		h=${FIG[${before}heap$after.$column]:-} c=${FIG[${before}ecinsight_columnar$after.$column]:-}
		if [ -n "$h" ] && [ "$h" != 0.00 ]; then printf ' %s %s / %s = %s;' "$column" "$c" "$h" "$(ratio "$c" "$h")"; fi
	done
	echo
}

dml_report()
{
	local kind clients sync
	say
	echo "Small writes: ours / heap = ratio (cpu, clock: seconds; wal, size: bytes)"
	for kind in narrow events; do
		dml_line "$(commas "$DML_INSERTS") $kind, loop in one transaction" "loop.$kind." "" cpu wal size
		dml_line "$(commas "$DML_STATEMENTS"), statements of one transaction" "statements.$kind." "" cpu wal size
		for clients in 1 8; do
			for sync in on off; do
				dml_line "$(commas "$DML_SINGLE") transactions, $clients sessions, sync $sync" "single.$kind." ".$clients.$sync" cpu clock wal size
			done
		done
		printf '%-46s size %s (by COPY %s), scan %s s (%s)\n' "  the loop's rows after VACUUM" "${FIG[loop.$kind.ecinsight_columnar.compacted]}" "${FIG[copy.$kind.ecinsight_columnar.compacted]}" \
			"${FIG[loop.$kind.ecinsight_columnar.scan.cpu]}" "${FIG[copy.$kind.ecinsight_columnar.scan.cpu]}"
	done
	dml_line "DELETE of 1 % of $(commas "$DML_DELETES")" "delete1." "" cpu wal
	dml_line "DELETE of a third of $(commas "$DML_UPDATES")" "delete33." "" cpu wal
	dml_line "UPDATE of 1 % of $(commas "$DML_UPDATES")" "update1." "" cpu wal
	dml_line "UPDATE of 10 % of $(commas "$DML_UPDATES")" "update10." "" cpu wal
}
