# shellcheck shell=bash
# Wide rows of text into heap and into columnar tables, by COPY in each way it can go, INSERT ... SELECT and CREATE TABLE AS.
# Sourced after measure.sh; uses RUN, FIG, sql, timed, ratio.

declare -A FIG # measure.sh's
WIDE_ROWS=300000
WIDE_SHAPES="low unique middle mixed numbers"
WIDE_WAYS="text core binary insert ctas"
# what a column @ of row g holds; of numbers there are 12, of the others 30
declare -A WIDE_VALUE=(
	[low]="'word' || (hashint4(g * 31 + @) & 255)"
	[unique]="substr(md5((g * 31 + @)::text), 1, 20)"
	[middle]="'text ' || (hashint4(g * 31 + @) & 20000)"
	[mixed]="CASE @ % 3 WHEN 0 THEN (g * @)::text WHEN 1 THEN 'w' || (hashint4(g * 31 + @) & 4095) ELSE substr(md5((g + @)::text), 1, 12) END"
	[numbers]="round((hashint4(g * 31 + @) & 1000000) / 100.0, 2)"
)

# wide_shape SHAPE: a heap table and its files
wide_shape()
{
	local shape=$1 columns=30 list="" i
	if [ "$shape" = numbers ]; then columns=12; fi
	for ((i = 1; i <= columns; i++)); do list+="${list:+, }${WIDE_VALUE[$shape]//@/$i} AS c$i"; done
	sql -c "CREATE TABLE wide_source AS SELECT $list FROM generate_series(1, $WIDE_ROWS) g" -c "VACUUM ANALYZE wide_source"
	sql -c "COPY wide_source TO STDOUT" >"$RUN/tmp/wide.text"
	sql -c "COPY wide_source TO STDOUT (FORMAT binary)" >"$RUN/tmp/wide.binary"
	chmod a+r "$RUN/tmp/wide".*
}

# wide_once WAY METHOD: seconds into TAKEN; core: text by PostgreSQL's parser
wide_once()
{
	local way=$1 method=$2 own=on command
	case $way in
	text) command="COPY wide FROM '$RUN/tmp/wide.text'" ;;
	core) own=off command="COPY wide FROM '$RUN/tmp/wide.text'" ;;
	binary) command="COPY wide FROM '$RUN/tmp/wide.binary' (FORMAT binary)" ;;
	insert) command="INSERT INTO wide SELECT * FROM wide_source" ;;
	ctas) command="CREATE TABLE wide USING $method AS SELECT * FROM wide_source" ;;
	esac
	sql -c "DROP TABLE IF EXISTS wide" >/dev/null 2>&1
	if [ "$way" != ctas ]; then sql -c "SET default_table_access_method = $method" -c "CREATE TABLE wide (LIKE wide_source)"; fi
	sql -c "CHECKPOINT"
	timed sql -c "SET ecinsight.enable_copy_parser = $own" -c "$command"
}

# Heap and columnar take turns; the least of three.
bench_wide()
{
	local shape way method n key
	for shape in $WIDE_SHAPES; do
		wide_shape "$shape"
		for way in $WIDE_WAYS; do
			for n in 1 2 3; do
				for method in heap ecinsight_columnar; do
					wide_once "$way" "$method"
					key=wide_${shape}_${way}_$method
					if [ "$n" = 1 ] || [ "$(calc "($TAKEN < ${FIG[$key]})" %d)" = 1 ]; then FIG[$key]=$TAKEN; fi
				done
			done
		done
		sql -c "DROP TABLE wide, wide_source"
		rm -f "$RUN/tmp/wide".*
		dim "wide rows: $shape"
	done
}

# Seconds of heap, of ours, and the first over the second: above 1 is faster than heap.
wide_report()
{
	local shape way heap ours
	say
	printf '%-42s' "$(commas "$WIDE_ROWS") wide rows: heap, ours, heap / ours"
	for way in $WIDE_WAYS; do printf ' %20s' "$way"; done
	echo
	for shape in $WIDE_SHAPES; do
		printf '%-42s' "$shape"
		for way in $WIDE_WAYS; do
			heap=${FIG[wide_${shape}_${way}_heap]} ours=${FIG[wide_${shape}_${way}_ecinsight_columnar]}
			printf ' %20s' "$heap $ours $(ratio "$heap" "$ours")"
		done
		echo
	done
}
