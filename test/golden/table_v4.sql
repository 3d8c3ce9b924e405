-- Makes the tables whose files are table_v4.tar.gz: @name is a table of them, @@ the access method.  The same
-- statements with heap tell what their rows are.  Neither file may ever change.
--
-- The format's version is 2 as before; new are places: rows on their own that have no entries in the companion's index.
CREATE TABLE @one (a int PRIMARY KEY, b text, c numeric) USING @@;
INSERT INTO @one VALUES (1, 'one', 1.5);
INSERT INTO @one VALUES (2, NULL, NULL);
INSERT INTO @one VALUES (3, repeat('three', 300), 'NaN');
UPDATE @one SET b = 'changed' WHERE a = 2;
DELETE FROM @one WHERE a = 1;
INSERT INTO @one VALUES (4, 'four', 4);
CREATE TABLE @pages (a int, b text) USING @@;
INSERT INTO @pages SELECT i, md5(i::text) || repeat('x', i * 10) FROM generate_series(1, 60) i;
INSERT INTO @pages SELECT i, md5(i::text) || repeat('y', i * 5) FROM generate_series(61, 120) i;
INSERT INTO @pages SELECT i, 'short' FROM generate_series(121, 180) i;
INSERT INTO @pages SELECT i, 'short' FROM generate_series(181, 240) i;
UPDATE @pages SET b = b || '+' WHERE a % 7 = 1;
DELETE FROM @pages WHERE a % 11 = 1;
-- beside row groups, some of them merged
CREATE TABLE @beside (a int PRIMARY KEY, b text) USING @@;
INSERT INTO @beside SELECT i, 'bulk' FROM generate_series(1, 700) i;
INSERT INTO @beside SELECT i, 'few' FROM generate_series(701, 740) i;
VACUUM @beside;
INSERT INTO @beside SELECT i, 'after' FROM generate_series(741, 800) i;
UPDATE @beside SET b = 'changed' WHERE a % 50 = 1;
DELETE FROM @beside WHERE a % 70 = 2;
-- taken back
CREATE TABLE @undone (a int, b text) USING @@;
BEGIN;
INSERT INTO @undone SELECT i, 'undone' FROM generate_series(1, 30) i;
ROLLBACK;
INSERT INTO @undone VALUES (1, 'first');
BEGIN;
INSERT INTO @undone VALUES (2, 'second');
SAVEPOINT s;
INSERT INTO @undone SELECT i, 'undone' FROM generate_series(3, 40) i;
ROLLBACK TO s;
INSERT INTO @undone VALUES (41, 'last');
COMMIT;
