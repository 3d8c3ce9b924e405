-- Makes the tables whose files are table_v5.tar.gz: @name is a table of them, @@ the access method.  The same
-- statements with heap tell what their rows are.  Neither file may ever change.
--
-- The format's version is 2 as before; new are counters in the companion of a table whose whole file was given back.
CREATE TABLE @emptied (a int PRIMARY KEY, b text) USING @@;
INSERT INTO @emptied SELECT i, 'old' FROM generate_series(1, 300) i;
DELETE FROM @emptied;
VACUUM @emptied;
-- twice, and written again
CREATE TABLE @refilled (a int PRIMARY KEY, b text) USING @@;
INSERT INTO @refilled SELECT i, 'old' FROM generate_series(1, 20) i;
DELETE FROM @refilled;
VACUUM @refilled;
INSERT INTO @refilled SELECT i, 'older' FROM generate_series(1, 500) i;
DELETE FROM @refilled;
VACUUM @refilled;
INSERT INTO @refilled SELECT i, 'new' FROM generate_series(11, 15) i;
