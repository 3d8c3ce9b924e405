# Random damage to CSV, text and binary files: COPY by the extension's parser and by core's must give the same rows or the same error at the
# same line.  EC_COPY_FILES (600) files; EC_COPY_SEED repeats a run.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use EcBinary qw(binary_file binary_row int4 int8 float8 numeric);

my $nfiles = $ENV{EC_COPY_FILES} // 600;
my $seed = $ENV{EC_COPY_SEED} // int(rand(1 << 30));
srand($seed);
note("seed $seed");

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ecinsight'\ntimezone = 'UTC'\nlog_statement = none\nlog_min_messages = fatal\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION ecinsight;
CREATE TABLE wide (a int, b text, c numeric(6,2), d timestamptz, e varchar(12), f char(4), g float8) USING ecinsight_columnar;
CREATE TABLE narrow (b text) USING ecinsight_columnar;
CREATE TABLE keyed (a int, b text, c numeric(6,2), d timestamptz, e varchar(12), f char(4), g float8, h int DEFAULT 5, i bigint GENERATED ALWAYS AS (a + 1) STORED,
	CHECK (g < 1e6 AND f <> 'x'), UNIQUE (b, a)) USING ecinsight_columnar;
CREATE INDEX ON keyed (lower(e)) WHERE g > 100;
CREATE TABLE parent (e text PRIMARY KEY);
INSERT INTO parent SELECT 'v' || g FROM generate_series(0, 96) g;
CREATE TABLE child (a int NOT NULL, b text, c numeric, d timestamptz, e varchar(12) REFERENCES parent, f char(4), g real) USING ecinsight_columnar;
CREATE TABLE parted (a int, b text, c numeric(6,2), d timestamptz, e varchar(12), f char(4), g float8) PARTITION BY RANGE (g);
SET default_table_access_method = ecinsight_columnar;
CREATE TABLE low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (300);
CREATE TABLE middle (f char(4), x int, e varchar(12), a int NOT NULL, b text, c numeric(6,2), d timestamptz, g float8) PARTITION BY LIST (f);
ALTER TABLE middle DROP COLUMN x;
CREATE TABLE middle1 PARTITION OF middle FOR VALUES IN ('c1', 'c2', 'c3');
CREATE TABLE middle2 PARTITION OF middle DEFAULT;
ALTER TABLE parted ATTACH PARTITION middle FOR VALUES FROM (300) TO (500);
CREATE TABLE high (g float8, f char(4), e varchar(12), d timestamptz, c numeric(6,2) CHECK (c IS NOT NULL OR f <> 'c3'), b text, a int, UNIQUE (a));
ALTER TABLE parted ATTACH PARTITION high FOR VALUES FROM (500) TO (1200);
RESET default_table_access_method;
CREATE FUNCTION outcome(target text, path text, options text, own text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	result text;
	message text;
	detail text;
	context text;
	state text;
BEGIN
	EXECUTE format('TRUNCATE %s', split_part(target, ' ', 1));
	PERFORM set_config('ecinsight.enable_copy_parser', own, false);
	BEGIN
		EXECUTE format('COPY %s FROM %L %s', target, path, options);
		GET DIAGNOSTICS n = ROW_COUNT;
		IF target LIKE 'keyed%' THEN
			SET LOCAL enable_seqscan = off;
			SELECT count(*) INTO STRICT result FROM keyed WHERE lower(e) >= 'v' AND g > 100;
			message := 'by index: ' || result;
			RESET enable_seqscan;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT, state = RETURNED_SQLSTATE;
	END;
	EXECUTE format('SELECT count(*) || '' '' || coalesce(md5(string_agg(t::text, chr(10) ORDER BY t::text)), '''') FROM %s t', split_part(target, ' ', 1)) INTO result;
	RETURN concat_ws(' | ', n, result, state, message, detail, split_part(context, chr(10) || 'SQL', 1));
END $$;
SQL

my $dir = PostgreSQL::Test::Utils::tempdir();
chmod 0755, $dir;
my @nasty = ('"', '""', ',', "\n", "\r\n", "\r", '\\.', "\n\\.\n", "\n\n", ' ', '\\', '\\N', '\\x', '\\7', "\\\n", "\0", "\xff", "\xc3\xa4", "\xe2\x82", '-', '+', '.', 'e5', '0x1', 'NaN',
	'x', '99999999999', '"a""b"', "\"two\nlines\"", "\"two\r\nlines\"", '"a\"b"', '\\\\', '1,2', ',,', ',,,,,,,', '2019-02-30', '12:61', 'infinity', "\xef\xbb\xbf", ';', "'", "\t");

sub row
{
	my ($i, $text) = @_;
	return join("\t", $i, rand() < 0.1 ? "a\\ttab, one\\x20$i" : rand() < 0.05 ? "\\N" : "text $i", rand() < 0.1 ? "\\N" : sprintf('%.2f', $i / 7), '2019-10-01 12:34:56 UTC',
		'v' . $i % 97, 'c' . $i % 7, $i / 8) if $text;
	return join(',', $i, rand() < 0.1 ? "\"a \"\"quoted\"\", one $i\"" : "text $i", rand() < 0.1 ? '' : sprintf('%.2f', $i / 7), '2019-10-01 12:34:56 UTC',
		'v' . $i % 97, 'c' . $i % 7, $i / 8);
}

my @files;
sub write_file
{
	my ($n, $text) = @_;
	open my $f, '>:raw', "$dir/$n.csv" or die $!;
	print $f $text;
	close $f;
	return "$dir/$n.csv";
}

sub table { return rand() < 0.3 ? 'keyed (a, b, c, d, e, f, g)' : rand() < 0.4 ? 'parted' : 'wide'; }

my @conditions = ('a % 3 > 0', 'g < 700', 'b IS NOT NULL', "e > 'v5' OR c > 100", "length(b) <> 10", "f::text || 'x' < 'c4'", '1000 / (a % 900) >= 0');

sub binary_of
{
	my ($i) = @_;
	return binary_row(int4($i), rand() < 0.05 ? undef : "text $i", rand() < 0.05 ? undef : numeric(sprintf('%.2f', $i / 7), rand() < 0.02 ? (scale => 1) : ()), rand() < 0.01 ? undef : int8(623203200000000 + $i),
		'v' . $i % 97, 'c' . $i % 7, float8($i / 8));
}

my @bytes = ("\0", "\xff", "\xff\xff", "\xff\xff\xff\xff", "\0\0\0\1", "\0\7", "x", "\x27\x10", "\0\0\0\0\0\0\0\0", "\xc3\xa4", "\x7f");
foreach my $n (1 .. $nfiles / 3)
{
	my $text = binary_file(map { binary_of($_) } 1 .. 900 + int(rand(5000)));
	foreach (1 .. int(rand(4)))
	{
		my $at = rand() < 0.1 ? int(rand(200)) : rand() < 0.1 ? length($text) - int(rand(8)) : int(rand(length $text));
		my $what = $bytes[ rand @bytes ];
		substr($text, $at, rand() < 0.8 ? length $what : int(rand(4))) = $what;
	}
	push @files, [ table(), write_file("b$n", $text), '(FORMAT binary)' . (rand() < 0.2 ? " WHERE $conditions[ rand @conditions ]" : '') ];
}
foreach my $n (1 .. $nfiles)
{
	my $narrow = rand() < 0.2;
	my $text_format = rand() < 0.4;
	my $rows = 900 + int(rand(9000));
	my $end = rand() < 0.3 ? "\r\n" : "\n";
	my $text = join('', map { ($narrow ? "text $_" : row($_, $text_format)) . $end } 1 .. $rows);
	foreach (1 .. int(rand(4)))
	{
		my $at = rand() < 0.15 ? int(rand(length $text)) : length($text) - int(rand(length($text) - 36000 < 1 ? 1 : length($text) - 36000));
		substr($text, $at, rand() < 0.5 ? 0 : int(rand(4))) = $nasty[ rand @nasty ];
	}
	chop $text if rand() < 0.2;
	my $path = write_file($n, $text);
	my $options = $text_format ? (rand() < 0.2 ? '(HEADER)' : rand() < 0.05 ? q{(DELIMITER '|')} : rand() < 0.05 ? q{(NULL 'x')} : '') : rand() < 0.1
		? q{(FORMAT csv, NULL 'x')} : !$narrow && rand() < 0.1 ? '(FORMAT csv, FORCE_NULL (b), FORCE_NOT_NULL (e))' : rand() < 0.2 ? 'CSV HEADER' : rand() < 0.15 ? q{(FORMAT csv, ESCAPE '\\')} : rand() < 0.05 ? q{(FORMAT csv, DELIMITER ';')} : rand() < 0.05 ? q{(FORMAT csv, QUOTE '''')} : 'CSV';
	$options = $text_format ? q{(ENCODING 'LATIN1')} : q{(FORMAT csv, ENCODING 'EUC_KR')} if rand() < 0.1;
	$options .= " WHERE $conditions[ rand @conditions ]" if !$narrow && rand() < 0.2;
	push @files, [ $narrow ? 'narrow' : rand() < 0.2 ? 'child' : table(), $path, $options ];
}
my $list = join(', ', map { "('$_->[0]', '$_->[1]', '" . $_->[2] =~ s/'/''/gr . "')" } @files);
my $answer = $node->safe_psql('postgres',
	"SELECT f.*, encode(convert_to(outcome(t, p, o, 'off'), 'UTF8'), 'hex') AS core, encode(convert_to(outcome(t, p, o, 'on'), 'UTF8'), 'hex') AS ours FROM (VALUES $list) f(t, p, o)", extra_params => [ '-F', "\x01", '-R', "\x02" ]);
my ($same, $failing) = (0, 0);
foreach my $line (split /\x02/, $answer)
{
	my ($table, $path, $options, $core, $ours) = split /\x01/, $line;
	$_ = pack('H*', $_) foreach ($core, $ours);
	$failing++ if $core =~ /COPY (wide|narrow|keyed|child|parted)/;
	if ($core eq $ours) { $same++; next; }
	my $kept = ($ENV{TESTDATADIR} // '/tmp') . '/differs.csv';
	system('cp', $path, $kept);
	diag("$table $options $kept\ncore: $core\nours: $ours");
}
is($same, scalar @files, 'every file has the same outcome by both parsers');
note("$failing of them an error");
cmp_ok($failing, '>', @files / 10, 'many were refused');
cmp_ok($failing, '<', @files * 9 / 10, 'many were not');
$node->stop;
done_testing();
