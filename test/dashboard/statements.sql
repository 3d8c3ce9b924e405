-- What Superset asks for the dashboard "Shop insights": when it is opened, when a range of time is chosen, after a click on
-- a bar of categories.  drive.py compares it with what Superset sends; test/bench/dashboard.py measures it.
-- One statement a line, each headed by when and for which chart or filter.
-- load: Revenue
SELECT SUM(revenue) AS revenue FROM insight.sales_trend LIMIT 50000;
-- load: Interactions
SELECT SUM(interactions) AS interactions FROM insight.sales_trend LIMIT 50000;
-- load: Purchases
SELECT SUM(purchases) AS purchases FROM insight.sales_trend LIMIT 50000;
-- load: Sales trend with peaks
SELECT DATE_TRUNC('day', bucket) AS bucket, SUM(revenue) FILTER(WHERE NOT peak) AS revenue, SUM(revenue) FILTER(WHERE peak) AS "revenue, peak" FROM insight.sales_trend GROUP BY DATE_TRUNC('day', bucket) ORDER BY revenue DESC LIMIT 10000;
-- load: Prices of the top 10 categories
SELECT category_code AS category_code, SUM(price_sum) / NULLIF(SUM(priced), 0) AS "average price", MAX(price_max) AS "highest price", MIN(price_min) AS "lowest price" FROM insight.category_day GROUP BY category_code ORDER BY "average price" DESC LIMIT 10;
-- load: Interactions over the top 10 categories
SELECT category_code AS category_code, SUM(interactions) AS interactions FROM insight.category_day GROUP BY category_code ORDER BY interactions DESC LIMIT 10;
-- load: Revenue by category
SELECT category_code AS category_code, SUM(revenue) AS revenue FROM insight.product_day GROUP BY category_code ORDER BY revenue DESC LIMIT 10;
-- load: Revenue by brand
SELECT brand AS brand, SUM(revenue) AS revenue FROM insight.product_day GROUP BY brand ORDER BY revenue DESC LIMIT 10;
-- load: Revenue by product
SELECT product_id AS product_id, SUM(revenue) AS revenue FROM insight.product_day GROUP BY product_id ORDER BY revenue DESC LIMIT 10;
-- load: Top 10 interactions
SELECT user_id AS user_id, category_code AS category_code, SUM(interactions) AS interactions FROM insight.user_category_day GROUP BY user_id, category_code ORDER BY interactions DESC LIMIT 10;
-- load: Customer segments
SELECT segment AS segment, SUM(revenue) AS revenue FROM insight.customer_segments GROUP BY segment ORDER BY segment ASC LIMIT 100;
-- load: Bought together
SELECT item_a AS item_a, item_b AS item_b, MAX(lift) AS lift FROM insight.cross_sell WHERE ((rank <= 60)) GROUP BY item_a, item_b ORDER BY item_a ASC, item_b ASC LIMIT 60;
-- load: filter Category
SELECT category_code AS category_code FROM insight.category_day GROUP BY category_code ORDER BY category_code ASC LIMIT 1000;
-- load: From view to purchase
SELECT step AS step, SUM(users) AS users FROM (SELECT key AS category_code, step, users FROM insight.funnel, LATERAL (VALUES ('1 viewed', viewers), ('2 put into the cart', carters), ('3 bought', buyers)) AS s (step, users) ) AS virtual_table GROUP BY step ORDER BY users DESC LIMIT 10;
-- load: filter Brand
SELECT brand AS brand FROM insight.category_day GROUP BY brand ORDER BY brand ASC LIMIT 1000;
-- range: Revenue
SELECT SUM(revenue) AS revenue FROM insight.sales_trend WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') LIMIT 50000;
-- range: Purchases
SELECT SUM(purchases) AS purchases FROM insight.sales_trend WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') LIMIT 50000;
-- range: Interactions
SELECT SUM(interactions) AS interactions FROM insight.sales_trend WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') LIMIT 50000;
-- range: Sales trend with peaks
SELECT DATE_TRUNC('day', bucket) AS bucket, SUM(revenue) FILTER(WHERE NOT peak) AS revenue, SUM(revenue) FILTER(WHERE peak) AS "revenue, peak" FROM insight.sales_trend WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') GROUP BY DATE_TRUNC('day', bucket) ORDER BY revenue DESC LIMIT 10000;
-- range: Interactions over the top 10 categories
SELECT category_code AS category_code, SUM(interactions) AS interactions FROM insight.category_day WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') GROUP BY category_code ORDER BY interactions DESC LIMIT 10;
-- range: Revenue by category
SELECT category_code AS category_code, SUM(revenue) AS revenue FROM insight.product_day WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') GROUP BY category_code ORDER BY revenue DESC LIMIT 10;
-- range: Prices of the top 10 categories
SELECT category_code AS category_code, SUM(price_sum) / NULLIF(SUM(priced), 0) AS "average price", MAX(price_max) AS "highest price", MIN(price_min) AS "lowest price" FROM insight.category_day WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') GROUP BY category_code ORDER BY "average price" DESC LIMIT 10;
-- range: Revenue by brand
SELECT brand AS brand, SUM(revenue) AS revenue FROM insight.product_day WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') GROUP BY brand ORDER BY revenue DESC LIMIT 10;
-- range: Top 10 interactions
SELECT user_id AS user_id, category_code AS category_code, SUM(interactions) AS interactions FROM insight.user_category_day WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') GROUP BY user_id, category_code ORDER BY interactions DESC LIMIT 10;
-- range: Revenue by product
SELECT product_id AS product_id, SUM(revenue) AS revenue FROM insight.product_day WHERE bucket >= TO_DATE('2019-10-05', 'YYYY-MM-DD') AND bucket < TO_DATE('2019-10-20', 'YYYY-MM-DD') GROUP BY product_id ORDER BY revenue DESC LIMIT 10;
-- drill: Interactions over the top 10 categories
SELECT category_code AS category_code, SUM(interactions) AS interactions FROM insight.category_day WHERE category_code IN ('electronics.smartphone') GROUP BY category_code ORDER BY interactions DESC LIMIT 10;
-- drill: Prices of the top 10 categories
SELECT category_code AS category_code, SUM(price_sum) / NULLIF(SUM(priced), 0) AS "average price", MAX(price_max) AS "highest price", MIN(price_min) AS "lowest price" FROM insight.category_day WHERE category_code IN ('electronics.smartphone') GROUP BY category_code ORDER BY "average price" DESC LIMIT 10;
-- drill: Revenue by product
SELECT product_id AS product_id, SUM(revenue) AS revenue FROM insight.product_day WHERE category_code IN ('electronics.smartphone') GROUP BY product_id ORDER BY revenue DESC LIMIT 10;
-- drill: Revenue by brand
SELECT brand AS brand, SUM(revenue) AS revenue FROM insight.product_day WHERE category_code IN ('electronics.smartphone') GROUP BY brand ORDER BY revenue DESC LIMIT 10;
-- drill: Top 10 interactions
SELECT user_id AS user_id, category_code AS category_code, SUM(interactions) AS interactions FROM insight.user_category_day WHERE category_code IN ('electronics.smartphone') GROUP BY user_id, category_code ORDER BY interactions DESC LIMIT 10;
-- drill: From view to purchase
SELECT step AS step, SUM(users) AS users FROM (SELECT key AS category_code, step, users FROM insight.funnel, LATERAL (VALUES ('1 viewed', viewers), ('2 put into the cart', carters), ('3 bought', buyers)) AS s (step, users) ) AS virtual_table WHERE category_code IN ('electronics.smartphone') GROUP BY step ORDER BY users DESC LIMIT 10;
