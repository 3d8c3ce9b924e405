-- What query_shapes.sql asks: public.events, public.products and a function, as a small shop has them.  Tables are of the
-- database's default access method.  No two groups have the same count, so that the first n of anything are certain.
CREATE TABLE public.events (event_time timestamptz, event_type text, product_id bigint, category_id bigint, category_code text,
                            brand text, price numeric(10,2), user_id bigint, user_session text);
INSERT INTO public.events
SELECT timestamptz '2019-09-20 00:00:00+00' + (c * 7919 + n * 7121) % 7776000 * interval '1 second',
       CASE WHEN n % 17 = 0 THEN 'purchase' WHEN n % 5 = 0 THEN 'cart' WHEN n % 1000 = 7 THEN NULL ELSE 'view' END,
       1000 + c * 10 + n % 7, 2053013550000000000 + c,
       CASE WHEN c <> 9 THEN (ARRAY['appliances', 'electronics', 'furniture'])[c % 3 + 1] || '.kind' || c END,
       CASE WHEN n % 11 > 0 THEN (ARRAY['samsung', 'Bärenmarke', 'a', 'b', ''])[n % 5 + 1] END,
       CASE WHEN n % 97 > 0 THEN round((c * 13 + n * 37 % 9973) / 7.0, 2) END,
       500000000 + (n * c) % 331, CASE WHEN n % 61 > 0 THEN 's' || (n * c) % 331 || '-' || n % 3 END
FROM generate_series(1, 14) c, generate_series(1, c * c * 5 + c) n;
CREATE TABLE public.products AS
SELECT product_id, max(brand) AS brand FROM public.events WHERE product_id % 10 < 5 GROUP BY product_id;
ALTER TABLE public.products ADD PRIMARY KEY (product_id);
CREATE TABLE public.notes (note_id bigint PRIMARY KEY, product_id bigint REFERENCES public.products, note text UNIQUE);
INSERT INTO public.notes SELECT product_id, product_id, 'note ' || product_id FROM public.products;
CREATE FUNCTION public.tab_top_interactions(k int) RETURNS TABLE (event_type text, n bigint)
    LANGUAGE sql STABLE AS $$ SELECT e.event_type, count(*) FROM public.events e GROUP BY 1 ORDER BY 2 DESC LIMIT k $$;
