# COPY ... FROM into partitioned tables: a heap twin, whose rows only core's parser reads, against columnar partitions.  Same
# rows in the same partitions, same command tag, same error with the same context, by the extension's parser and without it.
# How many rows core's parser has read is told by a DEBUG1 message, so that no case passes by going past what it tests.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use EcBinary qw(binary_file binary_row int4 int8 numeric);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ecinsight'\ntimezone = 'UTC'\nlog_statement = none\nmax_prepared_transactions = 2\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION ecinsight;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2';
CREATE FUNCTION plain() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO notes SELECT TG_NAME, (SELECT count(*) FROM t), (SELECT max(a) FROM t);
	RETURN NEW;
END $$;
CREATE FUNCTION note_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO notes SELECT TG_NAME, (SELECT count(*) FROM fresh), (SELECT max(a) FROM fresh);
	RETURN NULL;
END $$;
CREATE TABLE notes (name text, n bigint, m int);
CREATE TABLE parent (a int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 1500);
SQL

my $dir = PostgreSQL::Test::Utils::tempdir();
chmod 0755, $dir;
my $columns = 'a int, b text, c numeric(10,2), d timestamptz';
my @filler = map { "$_,text number $_," . ($_ / 4) . ",2019-1" . ($_ % 3) . "-0" . (1 + $_ % 9) . " 00:00:00 UTC" } 1 .. 1500;
my $filler = join('', map { "$_\n" } @filler);
my $rows = q{SELECT count(*), count(DISTINCT tableoid), md5(string_agg(tableoid::regclass || t::text, E'\n' ORDER BY a, t::text)) FROM t};

sub run_copy
{
	my ($case, $method, $own, $source) = @_;
	my $from = $source eq 'file' ? "COPY t $case->{list} FROM '$case->{path}' $case->{options};" : "\\copy t $case->{list} FROM '$case->{path}' $case->{options}";
	my ($out, $err) = ('', '');
	my $set = "SET default_table_access_method = $method;\n" . ($case->{set} ? "$case->{set};\n" : '') . "SET ecinsight.enable_copy_parser = $own;";
	my $after = $case->{after} // '';

	$node->psql('postgres', "SET client_min_messages = warning; DROP TABLE IF EXISTS t, top CASCADE; TRUNCATE notes;\nSET default_table_access_method = $method;\n$case->{table}", on_error_die => 1);
	$node->psql('postgres', "$set\nSET client_min_messages = debug1;\n$from\n$after", stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => ['-e']);
	$out =~ s/^SET.*\n//mg;
	$err =~ s/^psql:<stdin>:\d+: //mg;
	my ($core, $all) = $err =~ /DEBUG:  COPY t: (\d+) of (\d+) rows/ ? ($1, $2) : (undef, undef);
	$err = join("\n", grep { !/^(DEBUG|LOCATION)/ } split /\n/, $err);
	$node->psql('postgres', "$rows; SELECT * FROM notes ORDER BY 1, 2, 3", stdout => \my $stored, stderr => \my $ignored);
	return { out => $out, err => $err, rows => $stored, core => $core, all => $all };
}

my $ncases = 0;

# own: the least share of rows that the extension must have parsed; core: it must have parsed none
sub check
{
	my ($name, $text, %case) = @_;
	$case{options} //= '(FORMAT csv)';
	$case{list} //= '';
	$case{path} = "$dir/" . $ncases++ . '.csv';
	open my $f, '>:raw', $case{path} or die $!;
	print $f $text;
	close $f;
	foreach my $source ($case{only} ? ($case{only}) : ('file', 'client'))
	{
		my $heap = run_copy(\%case, 'heap', 'on', $source);
		my $off = run_copy(\%case, 'ecinsight_columnar', 'off', $source);
		my $ours = run_copy(\%case, 'ecinsight_columnar', 'on', $source);

		is($ours->{err}, $heap->{err}, "$name, $source: heap's messages");
		is("$ours->{out} $ours->{rows}", "$heap->{out} $heap->{rows}", "$name, $source: heap's outcome");
		is("$off->{out} $off->{rows} $off->{err}", "$heap->{out} $heap->{rows} $heap->{err}", "$name, $source: likewise by core's parser");
		ok(!$heap->{core} || $heap->{core} == $heap->{all}, "$name, $source: heap's rows are core's");
		like($heap->{err}, $case{error}, "$name, $source: the error that was meant") if $case{error};
		is($heap->{err}, '', "$name, $source: no error") if !$case{error};
		if (defined $case{own})
		{
			ok(defined $ours->{core} && $ours->{all} - $ours->{core} >= $case{own} * $ours->{all} && $ours->{all} > 0, "$name, $source: parsed here") or diag(explain($ours));
		}
		elsif ($case{core})
		{
			ok(!defined $ours->{core} || $ours->{core} == $ours->{all}, "$name, $source: all parsed by core") or diag(explain($ours));
		}
	}
}

sub check_file { my ($name, $text, @case) = @_; check($name, $text, only => 'file', @case); }

my $range = "CREATE TABLE t ($columns) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (1) TO (700); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (700) TO (1200); CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (1200) TO (2000);";
my $months = "CREATE TABLE t ($columns) PARTITION BY RANGE (d); " . join(' ', map { "CREATE TABLE m$_ PARTITION OF t FOR VALUES FROM ('2019-$_-01') TO ('2019-" . ($_ + 1) . "-01');" } 10, 11)
	. " CREATE TABLE m12 PARTITION OF t FOR VALUES FROM ('2019-12-01') TO ('2020-01-01');";
my $hash = sub { my ($n) = @_; "CREATE TABLE t ($columns) PARTITION BY HASH (a, b); " . join(' ', map { "CREATE TABLE h$_ PARTITION OF t FOR VALUES WITH (MODULUS $n, REMAINDER $_);" } 0 .. $n - 1) };

# partitions of other shapes: other orders, dropped columns, defaults, constraints and generated columns of their own
my $shapes = <<"SQL";
CREATE TABLE t (x int, a int, b text DEFAULT 'of t', y text, c numeric(10,2), d timestamptz) PARTITION BY RANGE (a);
ALTER TABLE t DROP COLUMN x, DROP COLUMN y;
CREATE TABLE t1 (d timestamptz, z int, c numeric(10,2), b text DEFAULT 'of t1', a int); ALTER TABLE t1 DROP COLUMN z; ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (1) TO (700);
CREATE TABLE t2 (b text NOT NULL, a int, d timestamptz, c numeric(10,2) CHECK (c <> 250)); ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (700) TO (1200);
CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (1200) TO (2000);
SQL

# two levels, of which the lower one's key stands elsewhere in its table
my $levels = <<"SQL";
CREATE TABLE t ($columns) PARTITION BY LIST ((a % 3));
CREATE TABLE s0 (e int, d timestamptz, b text, c numeric(10,2), a int) PARTITION BY RANGE (d); ALTER TABLE s0 DROP COLUMN e;
ALTER TABLE t ATTACH PARTITION s0 FOR VALUES IN (0);
CREATE TABLE s0early PARTITION OF s0 FOR VALUES FROM (MINVALUE) TO ('2019-11-01');
CREATE TABLE s0late (c numeric(10,2), b text, a int, d timestamptz); ALTER TABLE s0 ATTACH PARTITION s0late DEFAULT;
CREATE TABLE s1 PARTITION OF t FOR VALUES IN (1) PARTITION BY HASH (lower(b), c);
CREATE TABLE s10 PARTITION OF s1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE s11 PARTITION OF s1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE rest PARTITION OF t DEFAULT;
SQL

# ---- what is parsed here ----
check('range', $filler x 4, own => 0.8, table => $range);
check('months', $filler x 4, own => 0.8, table => $months);
check('hash', $filler x 4, own => 0.8, table => $hash->(7));
check_file('more partitions than core keeps buffers for', $filler x 4, own => 0.8, table => $hash->(150));
check_file('little memory', $filler x 8, own => 0.8, table => $hash->(20), set => 'SET ecinsight.write_buffer = 1024');
check_file('small row groups', $filler x 16, own => 0.8, table => $range, set => 'SET ecinsight.row_group_rows = 1024');
check('other shapes', $filler x 2, own => 0.7, table => $shapes =~ s/250/-1/r);
check('two levels', $filler x 3, own => 0.7, table => $levels);
check('text format', ($filler x 3) =~ s/,/\t/gr, own => 0.7, options => '', table => $levels);
check('binary format', binary_file(map { binary_row(int4($_ % 1999 + 1), "text number $_", $_ % 5 ? numeric(sprintf('%.2f', $_ / 4)) : undef, int8(623203200000000 + $_ * 250000)) } 1 .. 4000),
	own => 0.7, options => '(FORMAT binary)', table => $shapes =~ s/250/-1/r);
check('header, CR LF', ("a,b,c,d\n" . $filler x 3) =~ s/\n/\r\n/gr, own => 0.7, options => 'CSV HEADER', table => $months);
check('latin1', ($filler x 3) =~ s/text/\xe4\xff/gr, own => 0.7, options => q{(FORMAT csv, ENCODING 'LATIN1')}, table => $hash->(3));
check('NULLs go to the default partition', ($filler x 3) =~ s/^(\d+7),/,/mgr, own => 0.7, table => $levels);
check_file('of UUIDs and blanks', join('', map { sprintf("%d,%s,%s\n", $_, $_ % 5 ? sprintf('72d76fde-8bb3-4e00-8c23-%012x', $_ % 300) : '', $_ % 2000 ? sprintf('72d76fde-8bb3-4e00-8c23-%012x', $_ % 300) : 'x') } 1 .. 6000), own => 0.6,
	table => 'CREATE TABLE t (a int, u uuid, v text) PARTITION BY HASH (u, v); CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t2 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1)');
check_file('many types', join('', map { "$_,t,1.5,2.25,x,x  ,2019-10-01,12:30,1 day,72d76fde-8bb3-4e00-8c23-a032dfed738c,\"{\"\"a\"\": 1}\",\\x0a,10.0.0.1,\"{1,2}\",\"[1,5)\"\n" } map { $_ % 4 ? $_ % 999 : '' } 1 .. 2000), own => 0.5,
	table => 'CREATE TABLE t (a smallint, b bool, c real, d float8, e varchar(3), f char(5), g date, h time, i interval, j uuid, k jsonb, l bytea, m inet, n int[], o int4range) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (500); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (500) TO (1000); CREATE TABLE t3 PARTITION OF t DEFAULT');
check('long rows', $filler . join('', map { "$_," . 'x' x 300000 . ",2,\n" } 1 .. 5) . $filler, own => 0.5, table => $range);
check('where', $filler x 4, own => 0.4, options => "(FORMAT csv) WHERE a % 3 > 0 AND tableoid = 't'::regclass", table => $shapes =~ s/250/-1/r);
check('where, nobody', $filler x 4, options => '(FORMAT csv) WHERE a < 0', table => $range);
check('where leaves out what belongs nowhere', $filler x 2 . "5000,x,1,\n" . $filler x 2, own => 0.7, options => '(FORMAT csv) WHERE a < 2000', table => $range);
check('partitions of heap and columnar: core', $filler x 4, core => 1, table => $range . ' ALTER TABLE t2 RENAME TO old; CREATE TABLE t2 (LIKE old) USING heap; DROP TABLE old; ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (700) TO (1200);');
check_file('a partition in the middle', $filler x 4, own => 0.8, table => "CREATE TABLE top ($columns) PARTITION BY RANGE (a); CREATE TABLE t PARTITION OF top FOR VALUES FROM (1) TO (1501) PARTITION BY HASH (b); CREATE TABLE h0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)");
check_file('temporary', $filler x 4, own => 0.8, table => 'CREATE TABLE t (a int)', set => "CREATE TEMP TABLE t ($columns) PARTITION BY HASH (a); CREATE TEMP TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
	after => 'SELECT count(*), sum(a), min(d) FROM t;');
check_file('of the same transaction', $filler x 4, own => 0.8, set => 'BEGIN; ALTER TABLE t3 RENAME TO t4; TRUNCATE t', table => $range, after => 'SELECT count(*), sum(a) FROM t; COMMIT;');
check_file('savepoint', $filler x 4, own => 0.8, set => 'BEGIN; SAVEPOINT s', table => $range, after => 'SELECT count(*), sum(a) FROM t; ROLLBACK TO s; SELECT count(*) FROM t; COMMIT;');
check_file('twice', $filler x 4, own => 0.8, table => $range, after => "SELECT count(*), sum(a) FROM t; DELETE FROM t WHERE a < 100; SELECT count(*) FROM t;");
check_file('statistics', $filler x 4, own => 0.8, table => $range, after => "SELECT pg_stat_force_next_flush();\nSELECT relname, n_tup_ins FROM pg_stat_user_tables WHERE relname ~ '^t[1-3]?\$' ORDER BY 1;");
check_file('a few refused pieces', ($filler x 12) . "7,a\"b\"c,1,\n" . ($filler x 12) . "7,a\"b\"c,1,\n" . $filler, own => 0.4, table => $levels);

# ---- defaults, generated columns ----
my $numbers = join('', map { "$_\n" } 1 .. 20000);
check_file('defaults are the table\'s', ($filler x 20) =~ s/,.*//mgr, own => 0.5, list => '(a)', table => $shapes);
check_file('serial', $numbers, own => 0.4, list => '(a)', table => 'CREATE TABLE t (a int, b bigserial) PARTITION BY HASH (b); CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t2 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1)');
check_file('generated columns', $numbers, own => 0.4, list => '(a)', table => "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text GENERATED ALWAYS AS ('n' || a % 7) STORED, d int) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (7000); "
	. "CREATE TABLE t2 (d int, c text GENERATED ALWAYS AS ('n' || a % 7) STORED, a int, b int GENERATED ALWAYS AS (a * 2) STORED); CREATE INDEX ON t2 (c, b); ALTER TABLE t ATTACH PARTITION t2 DEFAULT", after => "SET enable_seqscan = off; SELECT count(*), sum(b) FROM t WHERE c = 'n3';");
check_file('generated NULL', $numbers, list => '(a)', table => 'CREATE TABLE t (a int, b int NOT NULL GENERATED ALWAYS AS (nullif(a, 8000)) STORED) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT', error => qr/line 8000: "8000"/);
check_file('generated column fails', $numbers, list => '(a)', table => 'CREATE TABLE t (a int, b int GENERATED ALWAYS AS (1000 / (a - 8000)) STORED) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t DEFAULT', error => qr/division by zero.*line 8000: "8000"/s);

# ---- rows that may not be where they belong ----
check('no partition', $filler x 4 . "5000,x,1,\n" . $filler, table => $range, error => qr/no partition of relation "t" found for row.*key of the failing row contains \(a\) = \(5000\).*COPY t, line 6001: "5000,x,1,"/s);
check_file('no partition, NULL', $filler x 4 . ",x,1,\n" . $filler, table => $range, error => qr/\(a\) = \(null\).*line 6001: ",x,1,"/s);
check_file('no partition below', ($filler x 4) . "3,x,1,\n" . $filler, table => $levels =~ s/s0late DEFAULT/s0late FOR VALUES FROM ('2019-11-01') TO (MAXVALUE)/r, error => qr/no partition of relation "s0" found.*line 6001/s);
check_file('no partitions', $filler x 4, table => "CREATE TABLE t ($columns) PARTITION BY RANGE (a)", error => qr/no partition of relation "t".*line 1:/s);
check_file('outside of the middle', $filler x 4 . "5000,x,1,\n", error => qr/new row for relation "t" violates partition constraint.*line 6001/s,
	table => "CREATE TABLE top ($columns) PARTITION BY RANGE (a); CREATE TABLE t PARTITION OF top FOR VALUES FROM (1) TO (1501) PARTITION BY HASH (b); CREATE TABLE h0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)");
check('check constraint of a partition', $filler, table => $shapes, error => qr/new row for relation "t2" violates check constraint.*line 1000:/s);
check_file('the first of two, no partition behind', $filler x 2 . "1000,x,251.1,\n5000,x,1,\n", table => $shapes =~ s/250/251.1/r, error => qr/violates check constraint.*line 3001/s);
check_file('the first of two, no partition before', $filler x 2 . "5000,x,1,\n1000,x,251.1,\n", table => $shapes =~ s/250/251.1/r, error => qr/no partition.*line 3001/s);
check_file('NOT NULL of a partition', $filler x 2 . "800,,1,\n", table => $shapes =~ s/250/-1/r, error => qr/null value in column "b" of relation "t2" violates not-null constraint.*line 3001/s);
check_file('NOT NULL elsewhere', $filler x 2 . "1,,1,\n" . $filler x 2, own => 0.5, table => $shapes =~ s/250/-1/r);
check_file('NOT NULL of all', $filler x 2 . "800,,1,\n", table => $shapes =~ s/250/-1/r . 'ALTER TABLE t ALTER b SET NOT NULL;', error => qr/null value in column "b".*line 3001/s);
check_file('NOT NULL of all, where', $filler x 2 . "800,,1,\n" . $filler, own => 0.5, options => '(FORMAT csv) WHERE b IS NOT NULL', table => $shapes =~ s/250/-1/r . 'ALTER TABLE t ALTER b SET NOT NULL;');
check_file('check constraint fails', $filler x 2, table => $range . 'ALTER TABLE t ADD CHECK (10 / (a - 1400) < 100);', error => qr/division by zero.*line 1400: "1400,text/s);
check_file('check constraint with tableoid', $filler x 2, table => $range . q{ALTER TABLE t ADD CHECK (tableoid <> 't1'::regclass OR a <> 699);}, error => qr/violates check constraint.*line 699/s);
check_file('bad number', $filler x 2 . "x,a,1,\n", table => $range, error => qr/line 3001, column a: "x"/);
check_file('too long for a partition', $filler x 2, table => $range . 'ALTER TABLE t ALTER b TYPE varchar(15);', error => qr/too long for type.*line 1000, column b/s);

# ---- indexes, foreign keys ----
check('indexes', $filler, own => 0.4, table => $shapes =~ s/250/-1/r . 'CREATE INDEX ON t (lower(b)) WHERE a % 3 = 0; CREATE UNIQUE INDEX ON t (a, c); CREATE INDEX ON t3 USING hash (b);',
	after => "SET enable_seqscan = off; SELECT a, c FROM t WHERE lower(b) = 'text number 1200' AND a % 3 = 0; SELECT b FROM t WHERE a = 900 AND c = 225; SELECT a FROM t3 WHERE b = 'text number 1499';");
check('duplicate key', $filler . "1400,x,1,\n", table => $range . 'ALTER TABLE t ADD PRIMARY KEY (a);', error => qr/duplicate key value violates unique constraint "t3_pkey".*Key \(a\)=\(1400\) already exists.*COPY t, line 1501$/s);
check_file('an index that fails', $filler, table => $range . 'CREATE INDEX ON t ((10 / (a - 1400)));', error => qr/division by zero.*COPY t, line 1400$/s);
check('foreign key', $filler x 2, own => 0.6, table => $levels . 'ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES parent;');
check('foreign key is missing', $filler x 2 . "1501,x,1,\n" . $filler, table => $levels . 'ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES parent;', error => qr/insert or update on table "s10|s11|rest|s0.*Key \(a\)=\(1501\) is not present in table "parent"/s);
check_file('foreign key of one partition', $filler x 2, own => 0.6, table => $range . 'ALTER TABLE t2 ADD FOREIGN KEY (a) REFERENCES parent;');
check_file('deferrable foreign key: core', $filler x 2, core => 1, table => $range . 'ALTER TABLE t2 ADD FOREIGN KEY (a) REFERENCES parent DEFERRABLE INITIALLY DEFERRED;');
check_file('a foreign key between partitions: core', $filler . $filler[999] . "\n", core => 1, table => $range . 'ALTER TABLE t1 ADD PRIMARY KEY (a); ALTER TABLE t2 ADD FOREIGN KEY (a) REFERENCES t1;', error => qr/is not present in table "t1"/);
check_file('a key that can wait: core', $filler x 2, core => 1, table => $range . 'ALTER TABLE t2 ADD UNIQUE (a, c) DEFERRABLE INITIALLY DEFERRED;', error => qr/duplicate key/);

# ---- what is core's ----
check_file('row triggers', $filler x 2, core => 1, table => $range . 'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION plain();');
check_file('row trigger of a partition, which looks at the table', $filler x 2, core => 1, table => $range . 'CREATE TRIGGER g AFTER INSERT ON t3 FOR EACH ROW WHEN (NEW.a % 100 = 0) EXECUTE FUNCTION note();');
check_file('statement triggers', $filler x 2, core => 1, table => $range . 'CREATE TRIGGER b BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION note(); CREATE TRIGGER a AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION note();');
check_file('transition tables', $filler x 2, core => 1, table => $shapes =~ s/250/-1/r . 'CREATE TRIGGER a AFTER INSERT ON t REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_new();');
check_file('foreign partition', $filler x 2, core => 1, table => $range . 'CREATE FOREIGN TABLE f PARTITION OF t DEFAULT SERVER nowhere;');
check_file('foreign partition gets a row', $filler x 2 . "9999,x,1,\n", core => 1, table => $range . 'CREATE FOREIGN TABLE f PARTITION OF t DEFAULT SERVER nowhere;', error => qr/foreign-data wrapper "nothing" has no handler/);
check_file('a key by a user\'s function', $filler x 2, core => 1, table => "CREATE TABLE t ($columns) PARTITION BY RANGE (half(a)); CREATE TABLE t1 PARTITION OF t DEFAULT");
check_file('a check by a user\'s function', $filler x 2, table => $range . 'ALTER TABLE t1 ADD CHECK (half(a) < 1000);');
check_file('row security', $filler x 2, table => $range . 'ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t1 ENABLE ROW LEVEL SECURITY;');
check_file('freeze', $filler x 2, options => '(FORMAT csv, FREEZE)', table => $range, error => qr/cannot perform COPY FREEZE on a partitioned table/);
check_file('short input', $filler[0] . "\n" . $filler[1400] . "\n", table => $range, core => 1);
check_file('no input', '', table => $range, core => 1);

# ---- what else is there ----
# only partitions that get rows are locked: another session may have locked any other
{
	$node->safe_psql('postgres', "SET client_min_messages = warning; DROP TABLE IF EXISTS t, top CASCADE; SET default_table_access_method = ecinsight_columnar; $range");
	$node->safe_psql('postgres', "BEGIN; LOCK TABLE t3 IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'other'");
	my $path = "$dir/first.csv";
	open my $f, '>', $path or die $!;
	print $f join('', map { "$_\n" } @filler[ 0 .. 998 ]) x 2;
	close $f;
	my ($out, $err);
	$node->psql('postgres', "SET lock_timeout = '20s'; SET client_min_messages = debug1; COPY t FROM '$path' (FORMAT csv); SELECT count(*) FROM t1; SELECT count(*) FROM t2", stdout => \$out, stderr => \$err);
	like($out, qr/^1398\n600$/m, 'rows of other partitions are copied');
	like($err, qr/COPY t: \d{3} of 1998 rows/, 'by our parser');
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'other'");
}

foreach my $table (split ' ', $node->safe_psql('postgres', q{SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'ecinsight_columnar' AND c.relkind = 'r'}))
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('$table')"), '0', "$table is whole");
}
$node->stop;
done_testing();
