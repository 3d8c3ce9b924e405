# Insights over random tables equal plain SQL on heap: row groups of all sizes and
# compressions, few or many distinct values, few or many NULLs, each type of price,
# random parameters, memory enough or not.  EC_SEEDS=from-to repeats some.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use Test::More;

my ($from, $to) = ($ENV{EC_SEEDS} // '1-60') =~ /^(\d+)-(\d+)$/ or die 'EC_SEEDS is not from-to';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION ecinsight;

CREATE FUNCTION pick(VARIADIC list text[]) RETURNS text LANGUAGE sql AS $$ SELECT list[1 + floor(random() * cardinality(list))] $$;
CREATE FUNCTION pick(VARIADIC list float8[]) RETURNS float8 LANGUAGE sql AS $$ SELECT list[1 + floor(random() * cardinality(list))] $$;

CREATE FUNCTION rows_of(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    result text[];
BEGIN
    EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', query) INTO result;
    RETURN result;
END $$;

-- the same rows into heap_events and columnar_events, in several row groups
CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    price text := pick('numeric(10,2)', 'numeric', 'float8', 'bigint', 'numeric(18,4)', 'float4');
    nan text := CASE WHEN price <> 'bigint' THEN 'NaN' ELSE '0' END;
    nulls float8;
    codes float8;
    brands float8;
    users float8;
    prices float8;
BEGIN
    DROP TABLE IF EXISTS heap_events, columnar_events;
    EXECUTE format('CREATE TABLE heap_events (event_time timestamptz, event_type text, product_id bigint, category_id bigint,
        category_code text, brand text, price %s, user_id bigint, user_session text)', price);
    CREATE TABLE columnar_events (LIKE heap_events) USING ecinsight_columnar;
    FOR i IN 0 .. floor(random() * 4) LOOP
        PERFORM set_config('ecinsight.row_group_rows', pick('1024', '4096', '20000', '262144'), false);
        PERFORM set_config('ecinsight.compression', pick('none', 'lz4', 'zstd'), false);
        nulls := pick(0, 0, 0.1, 0.9, 1);
        codes := pick(1, 5, 100, 100000);
        brands := pick(1, 5, 100, 100000);
        users := pick(1, 50, 5000, 1000000);
        prices := pick(1, 10, 1000, 100000000);
        CREATE TEMP TABLE added (LIKE heap_events);
        EXECUTE format('INSERT INTO added SELECT
            CASE WHEN random() >= %s THEN timestamptz ''2019-10-01'' + floor(random() * 1000000) * interval ''1 second'' END,
            CASE WHEN random() >= %1$s THEN pick(''view'', ''cart'', ''purchase'', ''other'') END,
            floor(random() * 100), CASE WHEN random() >= %1$s THEN floor(random() * %2$s) * 1000000007 END,
            CASE WHEN random() < %1$s THEN NULL WHEN random() < 0.01 THEN '''' ELSE ''code'' || floor(random() * %2$s) END,
            CASE WHEN random() < %1$s THEN NULL WHEN random() < 0.3 THEN md5(floor(random() * %3$s)::text)::uuid::text ELSE ''brand'' || floor(random() * %3$s) END,
            CASE WHEN random() < %1$s THEN NULL WHEN random() < 0.001 THEN %4$L ELSE round(floor(random() * %5$s)::numeric / 100, %6$s)::text END::%7$s,
            CASE WHEN random() >= %1$s / 3 THEN floor(random() * %8$s) END, ''s'' || floor(random() * 100)
            FROM generate_series(1, %9$s)', nulls, codes, brands, nan, prices, CASE WHEN price = 'bigint' THEN 0 ELSE 2 END, price, users,
            floor(power(10, random() * 4.6)));
        INSERT INTO heap_events SELECT * FROM added;
        INSERT INTO columnar_events SELECT * FROM added;
        DROP TABLE added;
    END LOOP;
END $$;

-- random parameters, and the same as a condition
CREATE FUNCTION parameters(OUT k text, OUT arguments text, OUT condition text) LANGUAGE plpgsql AS $$
DECLARE
    bound text;
BEGIN
    k := pick('1', '10', '1000', 'ALL');
    arguments := '';
    condition := 'true';
    IF random() < 0.5 THEN
        bound := quote_literal(timestamptz '2019-10-01' + floor(random() * 1000000) * interval '1 second');
        arguments := arguments || ', since => ' || bound;
        condition := condition || ' AND event_time >= ' || bound;
    END IF;
    IF random() < 0.3 THEN
        bound := quote_literal(timestamptz '2019-10-01' + floor(random() * 1000000) * interval '1 second');
        arguments := arguments || ', until => ' || bound;
        condition := condition || ' AND event_time < ' || bound;
    END IF;
    IF random() < 0.3 THEN
        arguments := arguments || ', event_types => ''{view,other}''';
        condition := condition || ' AND event_type IN (''view'', ''other'')';
    END IF;
    IF random() < 0.2 THEN
        arguments := arguments || ', complete_only => true';
        condition := condition || ' AND num_nulls(event_time, event_type, product_id, category_id, category_code, brand, price, user_id, user_session) = 0';
    END IF;
    PERFORM set_config('work_mem', pick('64kB', '4MB', '64MB'), false);
END $$;

-- each function as plain SQL over the rows chosen
CREATE FUNCTION definitions(k text) RETURNS TABLE (call text, query text) LANGUAGE sql AS $$
    SELECT c, format('SELECT row_number() OVER (), * FROM (%s LIMIT %s) t', q, k) FROM (VALUES
        ('top_user_categories', 'SELECT user_id, category_code, count(*) AS n FROM chosen GROUP BY 1, 2 ORDER BY n DESC, user_id, category_code COLLATE "C"'),
        ('top_user_category_brands', 'SELECT user_id, category_code, brand, count(*) AS n FROM chosen GROUP BY 1, 2, 3 ORDER BY n DESC, user_id, category_code COLLATE "C", brand COLLATE "C"'),
        ('popular_categories', 'SELECT category_id, category_code, count(*) AS n, count(*) FILTER (WHERE event_type = ''view''), count(*) FILTER (WHERE event_type = ''cart''),
            count(*) FILTER (WHERE event_type = ''purchase''), round(coalesce(sum(p) FILTER (WHERE event_type = ''purchase''), 0), 2)
            FROM chosen GROUP BY 1, 2 ORDER BY n DESC, category_id, category_code COLLATE "C"'),
        ('price_sensitivity', 'SELECT category_code, round(sum(p) / nullif(count(p), 0)::numeric(40,20), 6), round(max(p), 2), round(min(p), 2), count(*)
            FROM chosen GROUP BY 1 ORDER BY sum(p) / nullif(count(p), 0)::numeric(40,20) DESC NULLS LAST, category_code COLLATE "C"')) d (c, q)
$$;

-- calls that give something else
CREATE FUNCTION differences() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    p record;
    d record;
    relation text;
    call text;
BEGIN
    FOR i IN 1 .. 4 LOOP
        p := parameters();
        DROP TABLE IF EXISTS chosen;
        EXECUTE 'CREATE TEMP TABLE chosen AS SELECT *, CASE WHEN price::text <> ''NaN'' THEN price::numeric END AS p FROM heap_events WHERE ' || p.condition;
        FOR d IN SELECT * FROM definitions(p.k) LOOP
            FOREACH relation IN ARRAY ARRAY['heap_events', 'columnar_events'] LOOP
                call := format('ecinsight.%s(%L, k => %s%s)', d.call, relation, replace(p.k, 'ALL', 'NULL'), p.arguments);
                IF rows_of('SELECT * FROM ' || call) IS DISTINCT FROM rows_of(d.query) THEN
                    RETURN NEXT call;
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
END $$;
SQL

for my $seed ($from .. $to)
{
	my $found = $node->safe_psql('postgres', 'SELECT setseed(' . $seed / 100000 . ') IS NULL; SELECT fill() IS NULL; SELECT * FROM differences()');

	$found =~ s/^f\nf\n?//;
	is($found, '', "seed $seed: " . $node->safe_psql('postgres', 'SELECT count(*) FROM columnar_events') . ' rows');
}

$node->stop;
done_testing();
