#!/usr/bin/env bash
# Point look-ups and ranges through indexes: columnar against heap, and what the planner picks.
#
#   PGHOST=… PGPORT=… PGDATABASE=… PG_BIN=DIR ECGEN=bin/ecgen test/bench/point.sh [ROWS]
#
# Works on a running server that has the extension's library (a superuser's connection), in the
# schema point_bench, which it drops in the end.  Default: 5,000,000 generated events.
set -euo pipefail
ROWS=${1:-5000000}
PG_BIN=${PG_BIN:-$(pg_config --bindir)}
ECGEN=${ECGEN:-$(dirname "$0")/../../bin/ecgen}
psql=("$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 -v "rows=$ROWS")

finish() { "${psql[@]}" -c "DROP SCHEMA IF EXISTS point_bench CASCADE" 2>/dev/null; }
trap finish EXIT
finish
"${psql[@]}" <<'SQL'
CREATE EXTENSION IF NOT EXISTS ecinsight;
CREATE SCHEMA point_bench;
SELECT ecinsight.create_events_table('point_bench.columnar') \g /dev/null
CREATE TABLE point_bench.heap (LIKE point_bench.columnar);
ALTER TABLE point_bench.heap ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE point_bench.columnar ADD COLUMN id bigint;
SQL
"$ECGEN" --rows "$ROWS" --seed 1 | "${psql[@]}" -c "\\copy point_bench.heap (event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session) FROM STDIN WITH (FORMAT csv, HEADER)"
"${psql[@]}" <<'SQL'
SET search_path = point_bench, public;
INSERT INTO columnar SELECT * FROM heap ORDER BY id;
CREATE UNIQUE INDEX heap_id ON heap (id);
CREATE UNIQUE INDEX columnar_id ON columnar (id);
CREATE INDEX heap_time ON heap (event_time);
CREATE INDEX columnar_time ON columnar (event_time);
CREATE INDEX heap_user ON heap (user_id);
CREATE INDEX columnar_user ON columnar (user_id);
VACUUM ANALYZE heap;
VACUUM ANALYZE columnar;
SQL
"${psql[@]}" -f "$(dirname "$0")/point.sql"

# one statement a row, with the client's round trip
script=$(mktemp)
trap 'rm -f "$script"; finish' EXIT
echo "Single rows, one statement each, prepared, one client (least of three runs of 3 s)"
for table in heap columnar; do
	printf '\\set id random(1, %s)\nSELECT event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session FROM point_bench.%s WHERE id = :id;\n' "$ROWS" "$table" >"$script"
	best=
	for _ in 1 2 3; do
		ms=$("$PG_BIN/pgbench" -n -M prepared -T 3 -f "$script" 2>/dev/null | sed -n 's/^latency average = \([0-9.]*\) ms.*/\1/p')
		if [ -z "$best" ] || [ "$(echo "$ms < $best" | bc)" = 1 ]; then best=$ms; fi
	done
	echo "  $table: $best ms"
done
