-- Makes the tables whose files are table_v6.tar.gz: @name is a table of them, @@ the access method.  The same
-- statements with heap tell what their rows are.  Neither file may ever change.
--
-- The format's version is 2 as before; new are summaries of events.
SET ecinsight.summary_rows = 1;
CREATE TABLE @events (a int, event_time timestamptz, event_type text, product_id bigint, category_id bigint, category_code text, brand text, price numeric(10,2),
	user_id bigint, user_session text) USING @@;
-- two sets, of which the first is not merged with the second
INSERT INTO @events SELECT i, CASE WHEN i % 301 > 0 THEN '2020-01-01'::timestamptz + i * i % 400000 * '1 s'::interval END,
	CASE WHEN i % 97 > 0 THEN (ARRAY['view', 'cart', 'purchase', 'view', 'remove_from_cart'])[i * 7 % 5 + 1] END, CASE WHEN i % 89 > 0 THEN i * 31 % 130 END,
	CASE WHEN i % 83 > 0 THEN i * 31 % 130 % 9 END, CASE WHEN i % 79 > 0 THEN 'code ' || i * 31 % 130 % 5 END, CASE WHEN i % 73 > 0 THEN 'brand ' || i * 31 % 130 % 7 END,
	CASE WHEN i % 71 > 0 THEN i * 31 % 130 * 1.25 + i % 3 END, CASE WHEN i % 67 > 0 THEN i * i % 211 END,
	CASE WHEN i % 61 = 0 THEN NULL WHEN i % 9 = 0 THEN 's' || i / 30 ELSE md5((i / 5)::text)::uuid::text END
	FROM generate_series(1, 3000) i;
VACUUM @events;
INSERT INTO @events SELECT 10000 + a, event_time + '2 days'::interval, event_type, product_id + 1, category_id, category_code, brand, price + 1, user_id + 1, user_session
	FROM @events WHERE a <= 400;
VACUUM @events;
-- what no set covers, and what a set must not count
INSERT INTO @events VALUES (2, 'infinity', 'purchase', 5, 5, 'code 5', NULL, 99999999.99, -9223372036854775808, ''), (3, '-infinity', '', 9223372036854775807, -1, '', '', -5, 1, NULL);
DELETE FROM @events WHERE a % 17 = 3;
-- other names and types, few summaries
CREATE TABLE @renamed (a int, t timestamp, k varchar, p int, c smallint, cc varchar, b text, r int, u int, s uuid) USING @@;
CREATE OR REPLACE FUNCTION pg_temp.columnar(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN wrong_object_type THEN NULL;
END $$;
SELECT ecinsight.map_columns('@renamed', '{"event_time": "t", "event_type": "k", "product_id": "p", "category_id": "c", "category_code": "cc", "brand": "b", "price": "r", "user_id": "u", "user_session": "s"}');
SELECT pg_temp.columnar($$SELECT ecinsight.set_options('@renamed', summaries => 'category, user')$$);
INSERT INTO @renamed SELECT i, '2020-01-01'::timestamp + i * '1 min'::interval, CASE WHEN i % 4 = 1 THEN 'purchase' ELSE 'view' END, i % 50, i % 8, 'code ' || i % 4, 'brand ' || i % 3, i % 90, i % 70,
	md5((i / 3)::text)::uuid FROM generate_series(1, 2000) i;
VACUUM @renamed;
