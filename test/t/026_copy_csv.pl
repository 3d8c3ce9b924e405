# COPY ... FROM in CSV and text format by the extension's parser against the same statement by core's (parameter off): same rows,
# same command tag, same error with the same context, from a file and from the client.  How many rows core's parser read is
# told by a DEBUG1 message, so that a test of the fast path can't pass without it.
use strict;
use warnings;

use IO::Socket::UNIX;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use EcBinary qw(binary_file binary_row int2 int4 int8 float4 float8 numeric);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ecinsight'\ntimezone = 'UTC'\nlog_statement = none\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION ecinsight;
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN plain AS text;
CREATE DOMAIN price AS numeric(10,2) NOT NULL CHECK (VALUE < 1000000);
CREATE FUNCTION is_fine(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN $1 > 0; END';
CREATE DOMAIN checked AS int CHECK (is_fine(VALUE));
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE ROLE nobody LOGIN;
CREATE ROLE reader LOGIN IN ROLE pg_read_server_files;
GRANT CREATE ON SCHEMA public TO PUBLIC;
SQL

my $dir = PostgreSQL::Test::Utils::tempdir();
chmod 0755, $dir;
my $columns = 'a int, b text, c numeric(10,2), d timestamptz';

# 70 kB that both parsers take: core reads the first 32 kB of any input
my @filler = map { "$_,text number $_," . ($_ / 4) . ",2019-10-01 00:00:0" . ($_ % 10) . " UTC" } 1 .. 1500;
my $filler = join('', map { "$_\n" } @filler);

sub run_copy
{
	my ($case, $own, $source, $user) = @_;
	my $from = $source eq 'file' ? "COPY t $case->{list} FROM " . ($case->{program} ? 'PROGRAM ' : '') . "'$case->{path}' $case->{options}"
		: "\\copy t $case->{list} FROM '$case->{path}' $case->{options}";
	my ($out, $err) = ('', '');
	my $set = ($case->{set} ? "$case->{set};\n" : '') . "SET ecinsight.enable_copy_parser = $own;";
	my $after = $case->{after} // '';

	$node->psql('postgres', "DROP TABLE IF EXISTS t, parent CASCADE;\nSET default_table_access_method = ecinsight_columnar;\n$case->{table}",
		extra_params => $case->{user} ? [ '-U', $case->{owner} // 'postgres' ] : [], on_error_stop => 1);
	$node->psql('postgres', "$set\nSET client_min_messages = debug1;\n$from\n" . ($source eq 'file' ? ';' : '') . "\n$after",
		stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-e', $case->{user} ? ('-U', $case->{user}) : () ]);
	$out =~ s/^SET.*\n//mg;
	$err =~ s/^psql:<stdin>:\d+: //mg;
	my ($core, $all) = $err =~ /DEBUG:  COPY t: (\d+) of (\d+) rows/ ? ($1, $2) : (undef, undef);
	$err = join("\n", grep { !/^(DEBUG|LOCATION)/ } split /\n/, $err);
	my $rows = '';
	$node->psql('postgres', 'SELECT count(*), md5(string_agg(t::text, E\'\n\' ORDER BY t::text)) FROM t', stdout => \$rows, stderr => \my $ignored);
	return { out => $out, err => $err, rows => $rows, core => $core, all => $all };
}

my $ncases = 0;

# own: the least share of rows that the extension must have parsed; undef: none
sub check
{
	my ($name, $text, %case) = @_;
	$case{options} //= '(FORMAT csv)';
	$case{table} //= "CREATE TABLE t ($columns)";
	$case{list} //= '';
	$case{path} //= "$dir/" . $ncases++ . '.csv';
	if (defined $text)
	{
		open my $f, '>:raw', $case{path} or die $!;
		print $f $text;
		close $f;
	}
	foreach my $source ($case{only} ? ($case{only}) : ('file', 'client'))
	{
		my $theirs = run_copy(\%case, 'off', $source);
		my $ours = run_copy(\%case, 'on', $source);

		is($ours->{err}, $theirs->{err}, "$name, $source: same messages");
		is("$ours->{out} $ours->{rows}", "$theirs->{out} $theirs->{rows}", "$name, $source: same outcome");
		ok(!defined $theirs->{core}, "$name, $source: the parameter turns it off");
		like($theirs->{err}, $case{error}, "$name, $source: the error that was meant") if $case{error};
		is($theirs->{err}, '', "$name, $source: no error") if !$case{error};
		if (defined $case{own})
		{
			ok(defined $ours->{core} && $ours->{all} - $ours->{core} >= $case{own} * $ours->{all} && $ours->{all} > 0,
				"$name, $source: parsed here") or diag(explain($ours));
		}
		elsif ($case{core})
		{
			ok(!defined $ours->{core} || $ours->{core} == $ours->{all}, "$name, $source: all parsed by core");
		}
	}
}

sub check_file { my ($name, $text, @case) = @_; check($name, $text, only => 'file', @case); }

# ---- what is parsed here ----
check('plain', $filler x 4, own => 0.8);
check('last line without newline', $filler . '1,x,2,', own => 0.4);
check('CR LF', ($filler x 2) =~ s/\n/\r\n/gr, own => 0.7);
check('header', "a,b,c,d\n" . $filler x 2, options => 'CSV HEADER', own => 0.7);
check('header match', "a,b,c,d\n" . $filler x 2, options => '(FORMAT csv, HEADER match)', own => 0.7);
check('quotes', $filler . "1,\"a,\"\"b\"\"\",2.5,\n2,\"\",,\n3,,,\n" x 900, own => 0.5);
check('newlines in quotes', $filler . "1,\"two\nlines\",2.5,\n" x 900, own => 0.5);
check('CR LF, also in quotes', ($filler . "1,\"two\nlines\",2.5,\n" x 900) =~ s/\n/\r\n/gr, own => 0.5);
check('delimiter, quote', ($filler . "1,'it''s',2,\n" x 900) =~ s/,/;/gr, options => q{(FORMAT csv, DELIMITER ';', QUOTE '''', NULL '', ENCODING 'UTF8')},
	own => 0.5);
check('escape', $filler . join('', map { "$_," . ($_ % 2 ? '"a\\"b"' : '"\\\\"') . ",2.5,\n$_,\"\\x\\\\\\\"\",,\n$_,a\\b,,\n$_,\"\\\",\",,\n" } 1 .. 900), options => q{(FORMAT csv, ESCAPE '\\')}, own => 0.4);
check('escape and newlines in quotes', $filler . "1,\"two\\\"\nlines\\\\\",2.5,\n2,\\,,\n" x 900, options => q{(FORMAT csv, ESCAPE '\\', FORCE_NULL (b))}, own => 0.4);
check_file('escape and end mark', $filler . "1,\"two\n\\.\nlines\",2.5,\n" x 900, options => q{(FORMAT csv, ESCAPE '\\')});
check_file('escape is a letter', $filler . "1,\"taxtxxx\"xx\",2.5,\n" x 900, options => q{(FORMAT csv, ESCAPE 'x')}, own => 0.4);
check_file('escape is a quote that opens none', $filler . "1,\"it''s \"\"\",2.5,\n" x 900, options => q{(FORMAT csv, QUOTE '"', ESCAPE '''')});
check_file('escape is the quote', $filler . "1,\"a \"\"b\"\"\",2.5,\n" x 900, options => q{(FORMAT csv, ESCAPE '"')}, own => 0.4);
check_file('escape is the delimiter', $filler . "1,\"a,\"b\",2.5,\n" x 900, options => q{(FORMAT csv, ESCAPE ',')}, core => 1);
check_file('escaped quote at the end', $filler x 2 . "1,\"a\\\",2.5,\n" . $filler, options => q{(FORMAT csv, ESCAPE '\\')}, error => qr/unterminated CSV quoted field/);
check_file('escape, an error behind it', $filler x 2 . "1,\"a\n\\\"\n\",2.5,\nx,,,\n", options => q{(FORMAT csv, ESCAPE '\\')}, error => qr/line 3004, column a: "x"/);
check_file('escape of two bytes', $filler, options => q{(FORMAT csv, ESCAPE 'ab')}, error => qr/escape must be a single one-byte character/);
check_file('escape in text', $filler, options => q{(ESCAPE 'a')}, error => qr/escape available only in CSV mode|ESCAPE requires CSV mode/);
check('some columns, in another order', join('', map { "text $_,$_\n" } 1 .. 9000), list => '(b, a)', own => 0.7);
check('defaults and identity, given', join('', map { "$_,text\n" } 1 .. 9000), own => 0.5,
	table => "CREATE TABLE t (a int GENERATED BY DEFAULT AS IDENTITY, b text DEFAULT 'x' NOT NULL)");
check('no text columns in UTC', $filler x 2, set => "SET timezone = 'Europe/Berlin'", own => 0.6);
check('times without zone', ($filler x 2) =~ s/ UTC//gr, set => "SET timezone = 'Europe/Berlin'; SET datestyle = 'German'", own => 0.6);
check('times in another style', ($filler x 2) =~ s/2019-10-01/01.10.2019/gr, set => "SET datestyle = 'German'", own => 0.6);
check('many types', join('', map { "$_,t,1.5,2.25,x,x  ,2019-10-01,12:30,1 day,72d76fde-8bb3-4e00-8c23-a032dfed738c,\"{\"\"a\"\": 1}\",\\x0a,10.0.0.1\n" } 1 .. 2000),
	table => 'CREATE TABLE t (a smallint, b bool, c real, d float8, e varchar(3), f char(5), g date, h time, i interval, j uuid, k jsonb, l bytea, m inet)',
	own => 0.5);
srand(5);
my $digits = sub { join('', map { int(rand(10)) } 1 .. $_[0]) };
my @numbers = (qw(0 -0 0.0 -0.00 .5 5. 007 -007.100 10000 100000000 0.0001 0.00010000 9999 9999.9999 1e5 1E-7 +12 -12), (' 7', '1 ', 'NaN', '0' x 40 . '1', '1' . '0' x 35),
	map { (int(rand(3)) ? '' : '-') . $digits->(1 + int(rand(20))) . (int(rand(4)) ? '.' . $digits->(int(rand(16))) : '') } 1 .. 8000);
check('numerics', join('', map { "$_,$_\n" } @numbers), table => 'CREATE TABLE t (n numeric, m numeric(60,8))', own => 0.5,
	after => q{SELECT md5(string_agg(encode(numeric_send(n) || numeric_send(m), 'hex'), ' ' ORDER BY n, m, n::text)), sum(n), sum(m) FROM t;});
check('numerics, text', join('', map { "$_\t$_\n" } @numbers), table => 'CREATE TABLE t (n numeric, m numeric)', own => 0.5, options => '',
	after => q{SELECT md5(string_agg(encode(numeric_send(n) || numeric_send(m), 'hex'), ' ' ORDER BY n, m, n::text)), count(DISTINCT n) FROM t;});
check('no numeric', (join('', map { "$_\n" } @numbers) x 2) . "1.2.3\n", table => 'CREATE TABLE t (n numeric)', error => qr/invalid input syntax for type numeric/);
@numbers = map { (int(rand(3)) ? '' : '-') . $digits->(int(rand(9))) . '.' . $digits->(1 + int(rand(17))) . (int(rand(4)) ? '' : 'e' . (int(rand(60)) - 30)) } 1 .. 6000;
check('floats', join('', map { "$_,$_\n" } @numbers), table => 'CREATE TABLE t (n float8, m float8)', own => 0.5,
	after => q{SELECT md5(string_agg(encode(float8send(n), 'hex'), ' ' ORDER BY n)) FROM t;});
check('short floats', join('', map { "$_\n" } @numbers, map { $_ / 128 + 16777216 } -9000 .. 9000), table => 'CREATE TABLE t (n real)', own => 0.5,
	after => q{SELECT md5(string_agg(encode(float4send(n), 'hex'), ' ' ORDER BY n)) FROM t;});
check('documents and arrays', join('', map { "{\"a\": $_, \"b\": [1, 2.50, null]}\t{$_,2,NULL}\t{a,\"b c\",\"\"}\t\\\\x0a$_\n" } 1000 .. 5000),
	table => 'CREATE TABLE t (a jsonb, b int[], c text[], d bytea)', own => 0.4, options => '');
check('unicode', $filler . "1,äöü 中文 \xf0\x9f\x98\x80,2,\n" x 900, own => 0.5);
check('long rows', $filler . join('', map { "1," . 'x' x 300000 . ",2,\n" } 1 .. 5) . $filler, own => 0.5);
check('long first row', '1,' . 'x' x 200000 . ",2,\n" . $filler x 4, own => 0.5);
check('wide, 600 columns', join('', map { join(',', 1 .. 600) . "\n" } 1 .. 200), own => 0.5,
	table => 'CREATE TABLE t (' . join(', ', map { "c$_ int" } 1 .. 600) . ')');
check('small row groups', $filler x 6, own => 0.8, set => 'SET ecinsight.row_group_rows = 1024');
check('temporary table', $filler x 2, own => 0.7, table => '', set => "CREATE TEMP TABLE t ($columns) USING ecinsight_columnar",
	after => 'SELECT count(*), sum(a), min(d) FROM t;');
check('unlogged table', $filler x 2, own => 0.7, table => "CREATE UNLOGGED TABLE t ($columns)");
check('table of the same transaction', $filler x 6, own => 0.8, only => 'file', table => '', set => "BEGIN; CREATE TABLE t ($columns) USING ecinsight_columnar",
	after => 'SELECT count(*), sum(a) FROM t; COMMIT;');
check('savepoint', $filler x 2, own => 0.7, only => 'file', set => 'BEGIN; SAVEPOINT s', after => 'SELECT count(*) FROM t; ROLLBACK TO s; SELECT count(*) FROM t; COMMIT;');
check('a few refused pieces', ($filler x 12) . "7,a\"b\"c,1,\n" . ($filler x 12) . "7,a\"b\"c,1,\n" . $filler, own => 0.4);
check('byte order mark at a later line', $filler . "\xef\xbb\xbf1,x,2,\n" . $filler, error => qr/invalid input syntax for type integer/);
check('column privileges', ($filler x 12) =~ s/^(\d+),[^\n]*/$1/mgr, own => 0.5, only => 'client', list => '(a)', user => 'nobody',
	table => "CREATE TABLE t ($columns); GRANT INSERT (a) ON t TO nobody");
check('may read files', $filler x 2, own => 0.7, only => 'file', user => 'reader', table => "CREATE TABLE t ($columns); GRANT INSERT ON t TO reader");

# ---- NULLs ----
my $bare = ($filler x 2) =~ s/^3,[^,]*,/3,x,/mgr;
check_file('NULL option', $bare . "4,\"x\",2,\n", options => q{(FORMAT csv, NULL 'x', FORCE_NOT_NULL (d))}, error => qr/invalid input syntax for type timestamp/);
check_file('NULL option of text', ($bare . "4,\"x\",2,2019-10-01 00:00:00 UTC\n" x 90) =~ s/,x,/,x,x,/mgr =~ s/^(\d+),([^x].*?),/$1,$2,0,/mgr, own => 0.6,
	options => q{(FORMAT csv, NULL 'x')}, table => 'CREATE TABLE t (a int, b text, bb text, c numeric(10,2), d timestamptz)');
check('force null', $filler . "1,\"\",\"\",\n2,,,\n" x 1500, options => '(FORMAT csv, FORCE_NULL (b, c))', own => 0.5);
check_file('force not null', $filler . "1,,,\n2,\"\",3,\n" x 1500, options => '(FORMAT csv, FORCE_NOT_NULL (b))', own => 0.5);
check_file('both forced', $filler . "1,NULL,,\n2,\"NULL\",3,\n3,\"\",3,\n4,null,3,\n" x 900, options => q{(FORMAT csv, NULL 'NULL', FORCE_NOT_NULL (b, d), FORCE_NULL (b))},
	own => 0.3, table => 'CREATE TABLE t (a int, b text, c text, d text)');
check_file('force null of an unknown column', $filler x 2, options => '(FORMAT csv, FORCE_NULL (nonsense))', error => qr/does not exist/);

# ---- text format ----
my $text = $filler =~ s/,/\t/gr;
check('text', $text x 4, options => '', own => 0.8);
check('text, CR LF', ($text x 2) =~ s/\n/\r\n/gr, options => '', own => 0.7);
check_file('text, header', "a\tb\tc\td\n" . $text x 2, options => '(FORMAT text, HEADER)', own => 0.7);
check_file('text, delimiter and null', ($text x 2 . "1\t\t\tnil\n2\tnil\tnil\tnil\n" x 500) =~ s/\t/|/gr, options => q{(DELIMITER '|', NULL 'nil')},
	error => qr/invalid input syntax for type numeric/);
check_file('text, NULL is the empty text', join('', ($text . "1\t\t\t\n" . "2\tx\t\t\n") x 4), options => q{(NULL '')}, own => 0.5);
check('text, NULLs', join('', ($text . "1\t\\N\t\\N\t\\N\n2\t\t\\N\t\\N\n3\t\\\\N\t1\t\\N\n4\t\\Nx\t1\t\\N\n5\tx\\N\t1\t\\N\n") x 4), options => '', own => 0.5);
check('text, escapes', $text . join('', map { "1\t$_\t2.5\t\\N\n" } '\\b\\f\\n\\r\\t\\v', '\\x41\\x4a7\\x', '\\101\\0601\\7', '\\\\', '\\"', 'a\\' . "\t" . 'b', '\\q\\.' =~ s/\.$/e/r, '"x"', '\\xg', 'ä\\ö') x 300,
	options => '', own => 0.4);
check_file('text, escaped characters', $text . "1\t\\xc3\\xa4\t1\t\\N\n2\t\\303\\244\t1\t\\N\n" . $text x 3, options => '', own => 0.4);
check_file('text, broken escaped characters', $text . "1\t\\xc3\t1\t\\N\n", options => '', error => qr/invalid byte sequence for encoding "UTF8": 0xc3/);
check_file('text, escaped NUL', $text . "1\ta\\0b\t1\t\\N\n", options => '', error => qr/invalid byte sequence/);
check('text, escaped newlines', $text . "1\ttwo\\\nlines\t2\t\\N\n" x 900 . "x\n", options => '', error => qr/line 2401/);
check_file('text, escaped newlines with CR LF', ($text . "1\ttwo\\\nlines\t2\t\\N\n" x 90 . $text) =~ s/\n/\r\n/gr, options => '', error => qr/./);
check_file('text, backslash at the end', $text . "1\tx\t1\t2019-10-01\\", options => '');
check('text, end mark', $text . "\\.\n" . $text, options => '');
check_file('text, end mark in a line', $text . "1\tx\\.y\n", options => '', error => qr/end-of-copy marker|missing data/);
check_file('text, end mark behind a field', $text . "1\tx\t1\t\\N\\.\n" . $text, options => '', only => 'file', error => qr/^$|./);
check_file('text, unescaped CR', $text . "1\ta\rb\t1\t\\N\n", options => '', error => qr/literal carriage return/);
check_file('text, blank line', $text . "\n" . $text, options => '', error => qr/invalid input syntax for type integer: ""/);
check_file('text, blank lines in one column', ($text =~ s/\t.*//mgr) . "\n\n5\n", options => '', table => 'CREATE TABLE t (a text)');
check_file('text, too many fields', $text . "1\tx\t1\t\\N\t\n", options => '', error => qr/extra data after last expected column/);
check_file('text, not UTF-8', $text . "1\ta\xffb\t1\t\\N\n", options => '', error => qr/invalid byte sequence for encoding "UTF8": 0xff/);
check_file('text, bad number', $text . "1x\ta\t1\t\\N\n", options => '', error => qr/COPY t, line 1501, column a: "1x"/);
check_file('text, quote', $text, options => q{(QUOTE '"')}, error => qr/quote available only in CSV mode|QUOTE requires CSV mode/);
check_file('text, delimiter is a letter', $text, options => q{(DELIMITER 'a')}, error => qr/COPY delimiter cannot be "a"/);

# ---- conditions ----
check('where', $filler x 2, options => '(FORMAT csv) WHERE a % 2 = 0', own => 0.5);
check('where, nobody', $filler x 2, options => '(FORMAT csv) WHERE a < 0');
check('where, everybody', $filler x 2, options => "(FORMAT csv) WHERE b LIKE 'text%' AND tableoid = 't'::regclass", own => 0.7);
check('where, no column', $filler x 2, options => '(FORMAT csv) WHERE 1 + 1 = 2', own => 0.7);
check('where, a whole row', $filler x 2, options => '(FORMAT csv) WHERE (t).a > 10 AND t IS NOT NULL', own => 0.6);
check('where, text', $text x 2, options => "WHERE d > '2019-10-01 00:00:03+00' OR c < 7", own => 0.5);
check('where lets no NULL in', ($filler . ",x,,\n,y,1,\n" x 500 . $filler), options => '(FORMAT csv) WHERE a IS NOT NULL', own => 0.5, table => 'CREATE TABLE t (a int NOT NULL, b text, c numeric(10,2), d timestamptz)');
check('where lets a NULL in', ($filler . ",x,,\n,y,1,\n" x 500 . $filler), options => "(FORMAT csv) WHERE b <> 'x'", error => qr/null value in column "a".*line 1502/s, table => 'CREATE TABLE t (a int NOT NULL, b text, c numeric(10,2), d timestamptz)');
check('where, of a system column', $filler, options => '(FORMAT csv) WHERE xmin = 1', error => qr/cannot retrieve a system column in this context.*line 1: /s);
check('where fails', $filler x 2, options => '(FORMAT csv) WHERE 10 / (a - 1400) < 100', error => qr/division by zero.*line 1400: "1400,text/s);
check('where, of a refused row', $filler . "x,y,1,\n", options => '(FORMAT csv) WHERE a < 100', error => qr/line 1501, column a/);
check('where, a column with a default', join('', map { "$_\n" } 1 .. 9000), list => '(a)', options => "(FORMAT csv) WHERE b <> 'x' OR a % 5 = 0", own => 0.1, table => "CREATE TABLE t (a int, b text DEFAULT 'x')");
check('where, sequences', join('', map { "$_\n" } 1 .. 9000), list => '(a)', options => '(FORMAT csv) WHERE b % 3 = 1', own => 0.2, only => 'file', table => 'CREATE TABLE t (a int, b bigserial, c int NOT NULL DEFAULT 5)');
check('where, no default', join('', map { "$_\n" } 1 .. 9000), list => '(a)', options => '(FORMAT csv) WHERE a > 8500', only => 'file', table => 'CREATE TABLE t (a int, b int NOT NULL)', error => qr/null value in column "b".*line 8501/s);
check('where, generated', join('', map { "$_\n" } 1 .. 9000), list => '(a)', options => '(FORMAT csv) WHERE a % 7 > 2', own => 0.2, only => 'file',
	table => 'CREATE TABLE t (a int, b int GENERATED ALWAYS AS (1000 / (a % 7)) STORED, c text NOT NULL GENERATED ALWAYS AS (repeat(\'x\', a % 7)) STORED, CHECK (a % 7 > 0))');
check('where, a generated column', $filler x 2, options => '(FORMAT csv) WHERE e > 0', list => '(a, b, c, d)', error => qr/generated column/, table => "CREATE TABLE t ($columns, e int GENERATED ALWAYS AS (a + 1) STORED)");
check('where, keys', $filler x 2, options => '(FORMAT csv) WHERE a % 3 = 1 AND a > 1400', error => qr/Key \(a\)=\(1402\) already exists.*line 2902$/s, table => "CREATE TABLE t ($columns, PRIMARY KEY (a))");
check('where, keys, too', $filler, options => '(FORMAT csv) WHERE a % 3 = 1', own => 0.1, table => "CREATE TABLE t ($columns, PRIMARY KEY (a))",
	after => 'SET enable_seqscan = off; SELECT * FROM t WHERE a IN (1, 2, 1000, 1498) ORDER BY a;');
check('where, a user\'s function', $filler x 2, options => '(FORMAT csv) WHERE is_fine(a)', core => 1);
check('where, volatile', $filler x 2, options => '(FORMAT csv) WHERE random() >= 0', core => 1);
check('where, no boolean', $filler x 2, options => '(FORMAT csv) WHERE a', error => qr/must be type boolean/);
check('where, small row groups', $filler x 6, options => '(FORMAT csv) WHERE a % 3 = 0', own => 0.5, set => 'SET ecinsight.row_group_rows = 1024');

# Core reads 1,093 rows (32 kB), and then one row of a piece of 1,024; ours of the next piece use up the numbers reserved by then.  Those reserved for
# the last row don't adjoin, as core's single row got one meanwhile, and aren't used, as core reads the last row, too.
my $rows = join('', map { sprintf("%d,%-25s,,\n", $_ <= 1093 || $_ > 2117, "text number $_") } 1 .. 3141);
check('where, numbers left over', $rows =~ s/0,text number 2000  /1,"text" number 2000/r . "1,\"text\" number 3142,,\n", options => '(FORMAT csv) WHERE a > 0', own => 0.4);

# ---- foreign keys ----
my $parents = 'CREATE TABLE parent (a int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 1500);';
check('foreign key', $filler x 2, own => 0.7, table => "$parents CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent)", after => 'DELETE FROM parent WHERE a = 7;', error => qr/still referenced/);
check('foreign key, NULLs', ($filler . ",x,,\n" x 500), own => 0.2, table => "$parents CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent)");
check('foreign key is broken late', $filler x 3 . "1501,x,,\n" . $filler . "1502,x,,\n", error => qr/Key \(a\)=\(1501\) is not present/, table => "$parents CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent)");
check('two foreign keys', $filler x 2 . "1500,text number 1501,1,\n", error => qr/Key \(b\)=\(text number 1501\) is not present/,
	table => "$parents CREATE TABLE others (b text PRIMARY KEY); TRUNCATE others; INSERT INTO others SELECT 'text number ' || a FROM parent; CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent, FOREIGN KEY (b) REFERENCES others)", after => 'DROP TABLE t, others;');
check('foreign key of two columns', $filler x 2 . "1500,text number 1499,1,\n", error => qr/Key \(a, b\)=\(1500, text number 1499\) is not present/,
	table => "CREATE TABLE parent (a int, b text, PRIMARY KEY (a, b)); INSERT INTO parent SELECT g, 'text number ' || g FROM generate_series(1, 1500) g; CREATE TABLE t ($columns, FOREIGN KEY (a, b) REFERENCES parent)");
check('foreign key, MATCH FULL', $filler x 2 . "1500,,1,\n", error => qr/MATCH FULL does not allow mixing/,
	table => "CREATE TABLE parent (a int, b text, PRIMARY KEY (a, b)); INSERT INTO parent SELECT g, 'text number ' || g FROM generate_series(1, 1500) g; CREATE TABLE t ($columns, FOREIGN KEY (a, b) REFERENCES parent MATCH FULL)");
check('foreign key and a trigger', $filler x 2, core => 1, table => "$parents CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent); CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
check('foreign key, triggers disabled', $filler x 2 . "1501,x,1,\n", own => 0.7, set => 'SET session_replication_role = replica', table => "$parents CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent)");
check('foreign key and where', $filler x 2 . "1501,x,1,\n", own => 0.3, options => '(FORMAT csv) WHERE a % 2 = 0', table => "$parents CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent)");

# ---- encodings ----
check('latin1', $filler . join('', map { "$_,\xe4\xff \xa4,2,\n" } 1 .. 900), options => q{(FORMAT csv, ENCODING 'LATIN1')}, own => 0.2);
check('client encoding', $filler . join('', map { "$_,\xe4\xff \xa4,2,\n" } 1 .. 900), set => "SET client_encoding = 'LATIN1'", own => 0.2);
check('latin1, text', $text . join('', map { "$_\t\xe4\\t\xff\t2\t\\N\n" } 1 .. 900), options => q{(ENCODING 'LATIN1')}, own => 0.2);
check('euc_jp', $filler . join('', map { "$_,\"\xb4\xc1\n\xbb\xfa\",2,\n" } 1 .. 900), options => q{(FORMAT csv, ENCODING 'EUC_JP')}, own => 0.2);
check('euc_jp, broken', $filler . "1,\xb4\xc1\xbb,2,\n" . $filler, options => q{(FORMAT csv, ENCODING 'EUC_JP')}, error => qr/invalid byte sequence for encoding "EUC_JP"/);
check('win1252, a byte that is no character', $filler . "1,\x81,2,\n" . $filler, options => q{(FORMAT csv, ENCODING 'WIN1252')}, error => qr/has no equivalent in encoding "UTF8"/);
check('utf8 signs in latin1', "\xef\xbb\xbf1,x,2,\n" . $filler . "\xef\xbb\xbf1,x,2,\n", options => q{(FORMAT csv, ENCODING 'LATIN1')}, error => qr/invalid input syntax for type integer/);

# ---- binary format ----
my @binary = map { binary_row(int4($_), "text number $_", numeric(sprintf('%.2f', $_ / 4)), int8(623203200000000 + $_ * 250000)) } 1 .. 4000;
my %b = (options => '(FORMAT binary)', only => 'file');
check('binary', binary_file(@binary), own => 0.8, options => '(FORMAT binary)');
check('binary, no trailer', substr(binary_file(@binary), 0, -2), own => 0.8, %b);
check('binary, NULLs', binary_file(@binary, (map { binary_row(int4($_), undef, undef, undef), binary_row(undef, '', numeric('0'), undef) } 1 .. 900)), own => 0.5, %b);
check('binary, where', binary_file(@binary), own => 0.4, options => '(FORMAT binary) WHERE a % 2 = 1', only => 'file');
check('binary, keys', binary_file(@binary), own => 0.6, %b, table => "CREATE TABLE t ($columns, PRIMARY KEY (a))", after => 'SET enable_seqscan = off; SELECT b FROM t WHERE a = 3999;');
check('binary, duplicate key', binary_file(@binary, $binary[2999]), %b, table => "CREATE TABLE t ($columns, PRIMARY KEY (a))", error => qr/Key \(a\)=\(3000\) already exists.*COPY t, line 4001$/s);
check('binary, check constraint', binary_file(@binary), %b, table => "CREATE TABLE t ($columns, CHECK (10 / (a - 3000) < 100))", error => qr/division by zero.*COPY t, line 3000$/s);
check('binary, broken check', binary_file(@binary), %b, table => "CREATE TABLE t ($columns, CHECK (a <> 3000))", error => qr/violates check constraint.*COPY t, line 3000$/s);
check('binary, not null', binary_file(@binary, binary_row(undef, undef, undef, undef)), %b, table => "CREATE TABLE t (a int NOT NULL, b text, c numeric(10,2), d timestamptz)", error => qr/null value in column "a".*COPY t, line 4001$/s);
check('binary, foreign key', binary_file(@binary[0 .. 1499], $binary[7]) , own => 0.1, %b, table => "$parents CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent)");
check('binary, freeze', binary_file(@binary), options => '(FORMAT binary, FREEZE)', only => 'file', table => "CREATE TABLE t ($columns)", set => 'BEGIN; TRUNCATE t', after => 'COMMIT;', error => qr/^$|freeze/i);
check('binary, an option of text', binary_file(@binary), options => q{(FORMAT binary, DELIMITER ',')}, only => 'file', error => qr/cannot specify DELIMITER in BINARY mode/);
check('binary, client encoding', binary_file(@binary), set => "SET client_encoding = 'LATIN1'", core => 1, %b);
check('binary, many types', binary_file(map { binary_row(int2($_), chr($_ % 2), float4($_ / 4), float8($_ / 8), 'x ', 'x', int4($_), int8($_ * 1000), int8(5) . int4(0) . int4(1), pack('N4', $_, $_, $_, $_), "\1{\"a\": $_}",
	"\0\xff\n", "{\"a\":  $_}", $_ % 3 ? 'happy' : 'sad', pack('N7', 1, 0, 23, 1, 1, 4, $_), "x$_", int4($_), numeric("$_.500")) } 1 .. 3000), own => 0.5, %b,
	table => 'CREATE TABLE t (a smallint, b bool, c real, d float8, e varchar(3), f char(5), g date, h time, i interval, j uuid, k jsonb, l bytea, m json, n mood, o int[], p name, q oid, r numeric)',
	after => q{SELECT md5(string_agg(encode(numeric_send(r) || float4send(c) || l, 'hex'), ' ' ORDER BY a)) FROM t;});
my @odd = (numeric('12345678.12'), numeric('-0.01'), numeric('0'), numeric('0.00', raw => 1), numeric('1.5'), numeric('1.555'), numeric('99999999.99'), numeric('7', scale => 0), numeric('1.2345', scale => 2), numeric('10000'), numeric('1', more => [0]),
	numeric('0001.10', raw => 1), numeric('1', sign => 0xc000), numeric('123456789012345678901234.5678'), numeric('.00000000001'), numeric('1', scale => 5), numeric('1', scale => 300), numeric('1.5', scale => 0));
my @wild = map { binary_row(numeric((int(rand(3)) ? '' : '-') . $digits->(1 + int(rand(20))) . (int(rand(4)) ? '.' . $digits->(int(rand(16))) : ''))) } 1 .. 4000;
check('binary numerics', binary_file(@wild, (map { binary_row($_) } @odd) x 9), %b, table => 'CREATE TABLE t (n numeric)', own => 0.3, after => q{SELECT md5(string_agg(encode(numeric_send(n), 'hex'), ' ' ORDER BY n, n::text)), sum(n) FROM t WHERE n <> 'NaN';});
check('binary numerics, unusual', binary_file(@wild, (map { binary_row($_) } grep { length($_) < 18 } @odd) x 400), %b, table => 'CREATE TABLE t (n numeric(30,6))', own => 0.3, after => 'SELECT sum(n), count(*) FROM t WHERE n <> \'NaN\';');
check('binary numerics, cut', binary_file((map { binary_row(numeric($_ / 8)) } 1 .. 4000), (map { binary_row($_) } @odd[0 .. 11, 15 .. 17]) x 300), %b, table => 'CREATE TABLE t (n numeric(12,3))', own => 0.3, after => 'SELECT sum(n), count(*) FROM t;');
check('binary numeric is too large', binary_file(@binary, binary_row(int4(1), '', numeric('100000000'), undef)), %b, error => qr/numeric field overflow.*line 4001, column c/s);
check('binary numeric, no digit', binary_file(@binary, binary_row(int4(1), '', numeric('1', more => [10000]), undef)), %b, error => qr/invalid digit.*line 4001, column c/s);
check('binary numeric, no sign', binary_file(@binary, binary_row(int4(1), '', numeric('1', sign => 1), undef)), %b, error => qr/invalid sign.*line 4001, column c/s);
check('binary times', binary_file((map { binary_row(int4($_ * 500 - 1000000), int8($_ * 40000000000000), int8($_ * 1234567), int8(-$_ * 1234567)) } 1 .. 4000)), own => 0.5, %b, table => 'CREATE TABLE t (a date, b timestamp, c timestamptz(3), d timestamp(0))');
check('binary infinities', binary_file((map { binary_row(int4(0x7fffffff), "\x7f" . "\xff" x 7, "\x80" . "\0" x 7, undef) } 1 .. 2000)), own => 0.3, %b, table => 'CREATE TABLE t (a date, b timestamp, c timestamptz, d timestamp(0))');
check('binary date out of range', binary_file(@binary, binary_row(int4(1), '', undef, "\x80" . "\0" x 6 . "\x10")), %b, error => qr/timestamp out of range.*line 4001, column d/s);
check('binary floats', binary_file((map { binary_row(pack('N', 0x7f800000 + $_), pack('NN', 0x7ff00000 + $_ % 7, $_)) } 0 .. 4000)), own => 0.5, %b, table => 'CREATE TABLE t (a real, b float8)');
my %bad_binary = (
	'short integer' => [ binary_row("\0\1", 'x', undef, undef), qr/insufficient data left in message|invalid/ ],
	'long integer' => [ binary_row(int8(1), 'x', undef, undef), qr/incorrect binary data format.*line 4001, column a/s ],
	'not UTF-8' => [ binary_row(int4(1), "\xff", undef, undef), qr/invalid byte sequence.*line 4001, column b/s ],
	'NUL byte' => [ binary_row(int4(1), "a\0b", undef, undef), qr/invalid byte sequence/ ],
	'field count' => [ binary_row(int4(1), 'x'), qr/row field count is 2, expected 4.*line 4001/s ],
	'field size' => [ pack('n', 4) . pack('N', 0xfffffffe), qr/invalid field size/ ],
	'end in a row' => [ substr($binary[0], 0, 17), qr/unexpected EOF in COPY data/, 1 ],
	'end in a count' => [ "\0", qr/^$|EOF/, 1 ],
	'data behind the trailer' => [ pack('n', 0xffff) . $binary[0], qr/received copy data after EOF marker/ ],
);
foreach my $name (sort keys %bad_binary)
{
	my ($row, $error, $last) = @{ $bad_binary{$name} };
	my $file = binary_file(@binary) =~ s/..$//sr . $row;
	check("binary, $name", $last ? $file : $file . join('', @binary) . pack('n', 0xffff), %b, error => $error);
}
check('binary, line numbers after pieces of core', binary_file((map { binary_row(int4(1), 'a' x 20, numeric('1.239'), undef) } 1 .. 4000), (@binary) x 3, binary_row(int4(1), '', numeric('1.5', sign => 3), undef)), %b, error => qr/line 16001, column c/);
check('binary, a domain', binary_file(@binary, binary_row(int4(1), 'x', undef, undef)), %b, table => 'CREATE TABLE t (a posint, b plain, c price, d timestamptz)', error => qr/does not allow null values|null value/);
check('binary, a domain\'s check', binary_file(@binary, binary_row(int4(-1), 'x', numeric('1'), undef)), %b, table => 'CREATE TABLE t (a posint, b plain, c price, d timestamptz)', error => qr/violates check constraint "posint_check"/);
check('binary, no header', 'x' x 100, %b, error => qr/COPY file signature not recognized/);
check('binary, short header', substr(binary_file(), 0, 15), %b, error => qr/missing length/);
check('binary, flags', binary_file(@binary) =~ s/^(.{11}).{4}/$1 . pack('N', 1 << 17)/ser, %b, error => qr/unrecognized critical flags/);
check('binary, harmless flags', binary_file(@binary) =~ s/^(.{11}).{4}/$1 . pack('N', 5)/ser, %b, core => 1);
check('binary, a longer header', binary_file(@binary) =~ s/^(.{15}).{4}/$1 . pack('N', 3) . 'abc'/ser, %b, core => 1);
check('binary, empty', binary_file(), core => 1, options => '(FORMAT binary)');
check('binary, nothing', '', %b, error => qr/signature not recognized/);
check('binary, wide', binary_file(map { binary_row(map { int4($_) } 1 .. 600) } 1 .. 200), own => 0.5, %b, table => 'CREATE TABLE t (' . join(', ', map { "c$_ int" } 1 .. 600) . ')');
check('binary, long rows', binary_file(@binary, (map { binary_row(int4($_), 'x' x 300000, undef, undef) } 1 .. 5), @binary), own => 0.5, options => '(FORMAT binary)');

# ---- types ----
check_file('enum, array, range', "happy,\"{1,2}\",\"[1,5)\",\"{happy,sad}\",int4,a & b,\"\"\"a\"\"\"\n" x 3000, own => 0.5,
	table => 'CREATE TABLE t (a mood, b int[], c int4range, d mood[], e regtype, f tsquery, g jsonpath)');
check_file('no such label', "happy\n" x 9000 . "angry\n", table => 'CREATE TABLE t (a mood)', error => qr/invalid input value for enum mood: "angry"/);
check_file('bad array', "\"{1,2}\"\n" x 9000 . "\"{1,2\"\n", table => 'CREATE TABLE t (a int[])', error => qr/line 9001, column a: "\{1,2"/);
check_file('no such type', "int4\n" x 9000 . "int5\n", table => 'CREATE TABLE t (a regtype)', error => qr/type "int5" does not exist/);
check_file('the first of two bad fields', $filler . "1,b,1,nonsense\nx,b,1,\n", error => qr/line 1501, column d/);

# ---- defaults, constraints, indexes ----
my $numbers = join('', map { "$_\n" } 1 .. 20000);
check('defaults', $numbers, list => '(a)', own => 0.4, table => "CREATE TABLE t (a int, b text DEFAULT 'x', c numeric(10,2) DEFAULT 2 + 1.5, d date DEFAULT '2020-01-01', e int[] DEFAULT '{1}', f int)");
check_file('serial and identity', $numbers, list => '(a)', own => 0.4, table => 'CREATE TABLE t (a int, b bigserial, c int GENERATED ALWAYS AS IDENTITY (INCREMENT 3))');
check_file('sequence is used up', $numbers, list => '(a)', table => 'CREATE SEQUENCE s MAXVALUE 8000; CREATE TABLE t (a int, b int DEFAULT nextval(\'s\'))',
	after => 'DROP TABLE t; DROP SEQUENCE s;', error => qr/reached maximum value of sequence "s".*line 8001: "8001"/s);
check_file('NOT NULL without default', $numbers, list => '(a)', table => 'CREATE TABLE t (a int, b text NOT NULL)', error => qr/line 1: "1"/);
check_file('generated column', $numbers, list => '(a)', own => 0.4, table => "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text GENERATED ALWAYS AS ('n' || a % 7) STORED)");
check_file('generated column fails', $numbers, list => '(a)', table => 'CREATE TABLE t (a int, b int GENERATED ALWAYS AS (1000 / (a - 8000)) STORED)', error => qr/division by zero.*line 8000: "8000"/s);
check_file('generated NULL', $numbers, list => '(a)', table => 'CREATE TABLE t (a int, b int NOT NULL GENERATED ALWAYS AS (nullif(a, 8000)) STORED)', error => qr/line 8000: "8000"/);
check_file('check constraint', $filler x 2, own => 0.7, table => "CREATE TABLE t ($columns, CHECK (a > 0 AND b LIKE 'text%'))");
check('check constraint is broken', $filler x 2, table => "CREATE TABLE t ($columns, CHECK (a <> 1400))", error => qr/violates check constraint.*Failing row.*line 1400: "1400,text/s);
check_file('check constraint fails', $filler x 2, table => "CREATE TABLE t ($columns, CHECK (10 / (a - 1400) < 100))", error => qr/division by zero.*line 1400: "1400,text/s);
check_file('check constraint of a long row fails', $filler . "1600,\"two\nlines " . 'ä' x 200 . "\",1,\n", table => "CREATE TABLE t ($columns, CHECK (10 / (a - 1600) < 100))",
	error => qr/division by zero.*line 1502: "1600,"two\nlines (ä)*\.\.\."/s);
check_file('check by a user\'s function', $filler x 2, core => 1, table => "CREATE OR REPLACE FUNCTION fine(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN \$1 > 0; END'; CREATE TABLE t ($columns, CHECK (fine(a)))");
check('keys', $filler, own => 0.4, table => "CREATE TABLE t ($columns, PRIMARY KEY (a), UNIQUE (b))", after => 'SET enable_seqscan = off; SELECT * FROM t WHERE a = 1499; SELECT * FROM t WHERE b = \'text number 1498\';');
check('duplicate key', $filler . "1500,x,1,\n", table => "CREATE TABLE t ($columns, PRIMARY KEY (a))", error => qr/Key \(a\)=\(1500\) already exists.*COPY t, line 1501$/s);
check_file('duplicate key, row on two lines', $filler . "1501,\"two\nlines\",,\n1500,\"x\ny\",1,\n", table => "CREATE TABLE t ($columns, PRIMARY KEY (a))", error => qr/Key \(a\)=\(1500\) already exists.*COPY t, line 1504$/s);
check_file('duplicate key in text', $text . "1501\ttwo\\\nlines\t1\t\\N\n1500\tx\t1\t\\N\n", options => '', table => "CREATE TABLE t ($columns, PRIMARY KEY (a))", error => qr/already exists.*COPY t, line 1502$/s);
check_file('key already there', $filler, table => "CREATE TABLE t ($columns, PRIMARY KEY (a)); INSERT INTO t (a) VALUES (1400)", error => qr/line 1400$/);
check_file('NULL in a key', $filler . ",x,1,\n", table => "CREATE TABLE t ($columns, PRIMARY KEY (a))", error => qr/null value in column "a"/);
check_file('expression and partial indexes', $filler x 2, own => 0.7, table => "CREATE TABLE t ($columns); CREATE INDEX ON t (lower(b), d) WHERE a % 3 = 0; CREATE INDEX ON t ((a % 7)) INCLUDE (c); CREATE INDEX ON t USING hash (b)",
	after => 'SET enable_seqscan = off; SELECT count(*), sum(c) FROM t WHERE a % 7 = 3; SELECT count(*) FROM t WHERE b = \'text number 9\';');
check_file('exclusion constraint', $filler . "1499,x,1,\n", table => "CREATE TABLE t ($columns, EXCLUDE USING btree (a WITH =))", error => qr/conflicting key value violates exclusion constraint.*line 1501$/s);
check_file('index on a function that reads the table', $filler x 2, own => 0.7,
	table => "CREATE TABLE t ($columns); CREATE OR REPLACE FUNCTION peek(int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'DECLARE n bigint; BEGIN IF \$1 % 500 = 0 THEN SELECT count(*) INTO n FROM t; END IF; RETURN \$1; END'; CREATE INDEX ON t (peek(a))",
	after => 'SET enable_seqscan = off; SELECT b FROM t WHERE peek(a) = 1234;');
check_file('rows of one transaction, keys', $filler, own => 0.4, only => 'file', set => 'BEGIN; SAVEPOINT s', table => "CREATE TABLE t ($columns, PRIMARY KEY (a))",
	after => 'ROLLBACK TO s; INSERT INTO t VALUES (1499, \'mine\'); SELECT count(*) FROM t WHERE a > 0; COMMIT;');
check_file('small row groups, keys', $filler, own => 0.4, set => 'SET ecinsight.row_group_rows = 1024', table => "CREATE TABLE t ($columns, PRIMARY KEY (a))", after => 'SET enable_seqscan = off; SELECT b FROM t WHERE a IN (1, 1023, 1024, 1025, 1500);');
check_file('referenced by another table', $filler, own => 0.4, table => "CREATE TABLE t ($columns, PRIMARY KEY (a)); CREATE TABLE parent (a int REFERENCES t)");
check_file('rows of a partition', $filler x 2, own => 0.7,
	table => "CREATE TABLE parent ($columns) PARTITION BY RANGE (a); CREATE TABLE t PARTITION OF parent FOR VALUES FROM (1) TO (1501)");

# ---- what is core's ----
check('empty', '', core => 1);
check('short', "1,a,2,\n2,b,3,\n", core => 1);
check('header only', "a,b,c,d\n", options => 'CSV HEADER', core => 1);
check('CR only', ($filler x 2) =~ s/\n/\r/gr, core => 1);
check('blank lines in one column', ($filler x 2) =~ s/^(\d+),[^\n]*/$1/mgr . "\n\n" . '5', table => 'CREATE TABLE t (a int)');
check('end mark', $filler . "\\.\n" . $filler, error => qr/^$|invalid input syntax/); # 18: none in CSV files
check('freeze', $filler x 2, options => '(FORMAT csv, FREEZE)', own => 0.4, only => 'file', table => "CREATE TABLE t ($columns)",
	set => 'BEGIN; TRUNCATE t', after => 'COMMIT;', error => qr/^$|freeze/i);
check('encoding that embeds ASCII', $filler . "1,\x83\x5c,2,\n", options => q{(FORMAT csv, ENCODING 'SJIS')}, core => 1);
check('no encoding', $filler . "1,x,2,\n", options => q{(FORMAT csv, ENCODING 'SQL_ASCII')}, core => 1);
check('domain', $filler x 4 . "1,\\N,2,\n", own => 0.5, table => 'CREATE TABLE t (a posint, b plain, c price, d timestamptz)');
check('domain, a value against its check', $filler x 4 . "-1,x,2,\n", table => 'CREATE TABLE t (a posint, b plain, c price, d timestamptz)', error => qr/violates check constraint "posint_check"/);
check('domain, not null', $filler x 4 . "1,x,,\n", table => 'CREATE TABLE t (a posint, b plain, c price, d timestamptz)', error => qr/domain price does not allow null values/);
check('domain, NULLs', join('', map { ($_ % 2 ? $_ : '') . ",text $_,1,\n" } 1 .. 9000), table => 'CREATE TABLE t (a posint, b plain, c price, d timestamptz)');
check('domain by a user\'s function', $filler x 2, core => 1, table => 'CREATE TABLE t (a checked, b text, c numeric(10,2), d timestamptz)');
check('array of a domain', "happy,\"{1,2}\"\n" x 5000, core => 1, table => 'CREATE TABLE t (a mood, b posint[])');
check('default by a user\'s function', join('', map { "$_\n" } 1 .. 9000), list => '(a)', core => 1,
	table => "CREATE OR REPLACE FUNCTION seven() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 7'; CREATE TABLE t (a int, b int DEFAULT seven())");
check('random default', join('', map { "$_\n" } 1 .. 30000), list => '(a)', own => 0.5, set => 'SELECT setseed(0.25)', table => 'CREATE TABLE t (a int, b float8 DEFAULT random(), c float8 DEFAULT 1 + random())',
	after => 'SELECT random();');
check('foreign key that waits', $filler x 2, core => 1,
	table => "CREATE TABLE parent (a int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 1500); CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent DEFERRABLE)");
check('foreign key to itself', join('', map { "$_," . (9001 - $_) . "\n" } 1 .. 9000), core => 1, table => 'CREATE TABLE t (a int PRIMARY KEY, b int REFERENCES t)');
check('foreign key is broken', $filler x 2, error => qr/violates foreign key constraint.*Key \(a\)=\(1401\) is not present/s,
	table => "CREATE TABLE parent (a int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 1400); CREATE TABLE t ($columns, FOREIGN KEY (a) REFERENCES parent)");
check('deferrable key', $filler x 2, core => 1, error => qr/duplicate key value/, table => "CREATE TABLE t ($columns, UNIQUE (a) DEFERRABLE INITIALLY DEFERRED)");
check('trigger', $filler x 2, core => 1, table => "CREATE TABLE t ($columns); CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
	. "'BEGIN NEW.a := -NEW.a; RETURN NEW; END'; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
check('partition', $filler x 2, error => qr/violates partition constraint/,
	table => "CREATE TABLE parent ($columns) PARTITION BY RANGE (a); CREATE TABLE t PARTITION OF parent FOR VALUES FROM (1) TO (1200)");
check('partitioned table', $filler x 2, own => 0.7, table => "CREATE TABLE t ($columns) PARTITION BY RANGE (a); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (1) TO (12000)");
# From 18 on a line of \. ends no CSV but standard input's.
foreach my $case ([ 'program', "cat $dir/program.csv", $filler x 4, own => 0.8 ], [ 'program that fails', "cat $dir/program.csv; exit 3", $filler x 4, error => qr/program ".*" failed/ ],
	[ 'program that is not read to its end', "cat $dir/program.csv; yes 1,x,2,", $filler x 4 . "\\.\n", $node->pg_version >= 18 ? (error => qr/invalid input syntax for type integer/) : () ], [ 'no program', 'no-such-program', undef, error => qr/failed/ ],
	[ 'program with a faulty row', "cat $dir/program.csv", $filler x 4 . "x\n", error => qr/invalid input syntax for type integer/ ])
{
	my ($name, $command, $text, @more) = @$case;

	if (defined $text)
	{
		open my $f, '>:raw', "$dir/program.csv" or die $!;
		print $f $text;
		close $f;
	}
	check($name, undef, only => 'file', path => $command, options => '(FORMAT csv)', program => 1, @more);
}
check('program, by somebody who may not', undef, only => 'file', path => 'true', program => 1, user => 'reader', error => qr/pg_execute_server_program/);
check('program', undef, core => 1, only => 'file', path => 'x', options => "(FORMAT csv)", error => qr/could not open file/);

# ---- errors: each must be core's, with its line and column ----
my %bad = (
	'bad number' => [ "x1,b,1,\n", qr/COPY t, line 1501, column a: "x1"/ ],
	'number out of range' => [ "99999999999,b,1,\n", qr/line 1501, column a/ ],
	'numeric overflow' => [ "1,b,1234567890123,\n", qr/numeric field overflow/ ],
	'bad time' => [ "1,b,1,yesterdayish\n", qr/line 1501, column d/ ],
	'too few fields' => [ "1,b,1\n", qr/missing data for column "d"/ ],
	'too many fields' => [ "1,b,1,,\n", qr/extra data after last expected column/ ],
	'blank line' => [ "\n", qr/line 1501/ ],
	'open quote' => [ "1,\"b,1,\n", qr/unterminated CSV quoted field/ ],
	'not UTF-8' => [ "1,\xff\xfe,1,\n", qr/invalid byte sequence for encoding "UTF8"/ ],
	'NUL byte' => [ "1,a\0b,1,\n", qr/invalid byte sequence/ ],
	'CR in an LF file' => [ "1,a\rb,1,\n", qr/unquoted carriage return/ ],
	'CR LF in an LF file' => [ "1,b,1,\r\n", qr/unquoted carriage return/ ],
	'garbled end mark' => [ "\\.x,b,1,\n", qr/line 1501/ ],
	'not null' => [ "1,,1,\n", qr/null value in column "b"/, "CREATE TABLE t (a int, b text NOT NULL, c numeric(10,2), d timestamptz)" ],
	'too long' => [ "1,abcdefghijklmnopqrstuvwxyz,1,\n", qr/value too long for type character varying/, 'CREATE TABLE t (a int, b varchar(20), c numeric(10,2), d timestamptz)' ],
);
foreach my $name (sort keys %bad)
{
	my ($line, $error, $table) = @{ $bad{$name} };
	# psql's own input cannot carry a NUL byte
	check($name, $filler . $line . $filler, error => $error, $table ? (table => $table) : (), $name eq 'NUL byte' ? (only => 'file') : ());
}
check('LF in a CR LF file', ($filler . $filler) =~ s/\n/\r\n/gr . "1,b,2,\n", error => qr/unquoted newline/);
check('line numbers after quoted newlines', $filler . "1,\"two\nlines\",2,\n" x 900 . "x\n", error => qr/line 3301/);
check('line numbers after pieces of core', $filler x 8 . "1,a\"b\"c,2,\n" . $filler x 8 . "x,y,1,\n", error => qr/line 24002, column a/);
check('line numbers behind a header', "a,b,c,d\n" . $filler x 8 . "x,y,1,\n", options => 'CSV HEADER', error => qr/line 12002, column a/);
check('header does not match', "a,b,c,e\n" . $filler, options => '(FORMAT csv, HEADER match)', error => qr/column name mismatch/);
check('unknown option', $filler x 2, options => '(FORMAT csv, NONSENSE 1)', error => qr/not recognized/);
check('option twice', $filler x 2, options => q{(FORMAT csv, DELIMITER ',', DELIMITER ';')}, error => qr/conflicting or redundant/);
check('unknown column', $filler x 2, list => '(a, nonsense)', error => qr/does not exist/);
check('column twice', $filler x 2, list => '(a, a)', error => qr/specified more than once/);
check('no table', $filler x 2, table => '', error => qr/does not exist/);
check('no file', undef, only => 'file', path => "$dir/none.csv", error => qr/could not open file/);
check('a directory', undef, only => 'file', path => $dir, error => qr/is a directory/);
check('read only', $filler x 2, only => 'file', set => 'BEGIN READ ONLY', after => 'ROLLBACK;', error => qr/read-only transaction/);
check('no privilege', $filler x 2, only => 'client', user => 'nobody', error => qr/permission denied/);
check('no privilege for files', $filler x 2, only => 'file', user => 'nobody', table => "CREATE TABLE t ($columns); GRANT INSERT ON t TO nobody", error => qr/pg_read_server_files/);
check('row security', $filler x 2, only => 'client', user => 'nobody', error => qr/row-level security/,
	table => "CREATE TABLE t ($columns); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT INSERT ON t TO nobody");
check('view', $filler x 2, table => 'CREATE VIEW t AS SELECT 1 AS a', after => 'DROP VIEW t;', error => qr/cannot copy to view/);
$node->psql('postgres', 'DROP VIEW IF EXISTS t');

# ---- a client that gives up, or breaks the protocol, in the middle ----
sub send_message { my ($socket, $type, $body) = @_; print $socket $type . pack('N', 4 + length $body) . $body; }
sub read_message
{
	my ($socket, $wanted) = @_;
	while (read($socket, my $head, 5) == 5)
	{
		my ($type, $len) = unpack('aN', $head);
		my $body = '';
		read($socket, $body, $len - 4) if $len > 4;
		return $body if index($wanted, $type) >= 0;
	}
	return 'connection lost';
}
sub broken_copy
{
	my ($own, $type, $body) = @_;
	my $socket = IO::Socket::UNIX->new($node->host . '/.s.PGSQL.' . $node->port) or die $!;
	$socket->autoflush(1);
	my $startup = pack('N', 196608) . "user\0" . getpwuid($<) . "\0database\0postgres\0\0";
	print $socket pack('N', 4 + length $startup) . $startup;
	read_message($socket, 'Z');
	send_message($socket, 'Q', "SET ecinsight.enable_copy_parser = $own\0");
	read_message($socket, 'Z');
	send_message($socket, 'Q', "COPY t FROM STDIN CSV\0");
	read_message($socket, 'G');
	send_message($socket, 'd', $filler) for 1 .. 8;
	send_message($socket, 'H', '');
	send_message($socket, $type, $body);
	my $error = read_message($socket, 'E') =~ s/\0/ /gr;
	close $socket;
	return $error =~ s/ F\w+\.c .*//sr; # where it was raised is no matter
}
$node->safe_psql('postgres', "CREATE TABLE t ($columns) USING ecinsight_columnar");
foreach my $how ([ 'f', "enough\0", qr/COPY from stdin failed: enough/ ], [ 'Q', "SELECT 1\0", qr/unexpected message type 0x51/ ])
{
	my $theirs = broken_copy('off', $how->[0], $how->[1]);
	is(broken_copy('on', $how->[0], $how->[1]), $theirs, "message $how->[0]: same error");
	like($theirs, $how->[2], "message $how->[0]: the error that was meant");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), '0', 'and no rows');

# ---- progress ----
$node->safe_psql('postgres', 'TRUNCATE t');
my $fifo = "$dir/fifo";
system('mkfifo', '-m', '666', $fifo) == 0 or die;
my $session = IPC::Run::start([ $node->config_data('--bindir') . '/psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "\\copy t FROM '$fifo' CSV" ]);
open my $feed, '>', $fifo or die $!;
$feed->autoflush(1);
print $feed $filler x 12;
ok($node->poll_query_until('postgres', "SELECT command = 'COPY FROM' AND type = 'PIPE' AND relid = 't'::regclass AND tuples_processed >= 12000 AND bytes_processed > 500000 FROM pg_stat_progress_copy"),
	'pg_stat_progress_copy shows it');
close $feed;
$session->finish;
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), '18000', 'and all rows come');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_progress_copy'), '0', 'then it is gone');

# ---- row groups ----
is($node->safe_psql('postgres', "SET ecinsight.row_group_rows = 4096; TRUNCATE t; COPY t FROM '$dir/0.csv' CSV; SELECT string_agg(rows::text, ' ') FROM (SELECT rows FROM ecinsight.row_groups('t') ORDER BY 1 DESC) g"),
	'4096 1904', 'row groups are filled to the row');

$node->stop;
done_testing();
