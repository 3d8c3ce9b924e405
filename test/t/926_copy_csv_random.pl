# Random damage to CSV files: COPY by the extension's parser and by core's must give the same rows or the same error at the
# same line.  EC_COPY_FILES (600) files; EC_COPY_SEED repeats a run.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

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
CREATE FUNCTION outcome(target text, path text, options text, own text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	result text;
	message text;
	detail text;
	context text;
	state text;
BEGIN
	EXECUTE format('TRUNCATE %s', target);
	PERFORM set_config('ecinsight.enable_csv_copy', own, false);
	BEGIN
		EXECUTE format('COPY %s FROM %L %s', target, path, options);
		GET DIAGNOSTICS n = ROW_COUNT;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT, state = RETURNED_SQLSTATE;
	END;
	EXECUTE format('SELECT count(*) || '' '' || coalesce(md5(string_agg(t::text, chr(10) ORDER BY t::text)), '''') FROM %s t', target) INTO result;
	RETURN concat_ws(' | ', n, result, state, message, detail, split_part(context, chr(10) || 'SQL', 1));
END $$;
SQL

my $dir = PostgreSQL::Test::Utils::tempdir();
chmod 0755, $dir;
my @nasty = ('"', '""', ',', "\n", "\r\n", "\r", '\\.', "\n\\.\n", "\n\n", ' ', '\\', '\\N', "\0", "\xff", "\xc3\xa4", "\xe2\x82", '-', '+', '.', 'e5', '0x1', 'NaN',
	'x', '99999999999', '"a""b"', "\"two\nlines\"", "\"two\r\nlines\"", '1,2', ',,', ',,,,,,,', '2019-02-30', '12:61', 'infinity', "\xef\xbb\xbf", ';', "'", "\t");

sub row
{
	my ($i) = @_;
	return join(',', $i, rand() < 0.1 ? "\"a \"\"quoted\"\", one $i\"" : "text $i", rand() < 0.1 ? '' : sprintf('%.2f', $i / 7), '2019-10-01 12:34:56 UTC',
		'v' . $i % 97, 'c' . $i % 7, $i / 8);
}

my @files;
foreach my $n (1 .. $nfiles)
{
	my $narrow = rand() < 0.2;
	my $rows = 900 + int(rand(9000));
	my $end = rand() < 0.3 ? "\r\n" : "\n";
	my $text = join('', map { ($narrow ? "text $_" : row($_)) . $end } 1 .. $rows);
	foreach (1 .. int(rand(4)))
	{
		my $at = rand() < 0.15 ? int(rand(length $text)) : length($text) - int(rand(length($text) - 36000 < 1 ? 1 : length($text) - 36000));
		substr($text, $at, rand() < 0.5 ? 0 : int(rand(4))) = $nasty[ rand @nasty ];
	}
	chop $text if rand() < 0.2;
	my $path = "$dir/$n.csv";
	open my $f, '>:raw', $path or die $!;
	print $f $text;
	close $f;
	my $options = rand() < 0.2 ? 'CSV HEADER' : rand() < 0.05 ? q{(FORMAT csv, DELIMITER ';')} : rand() < 0.05 ? q{(FORMAT csv, QUOTE '''')} : 'CSV';
	push @files, [ $narrow ? 'narrow' : 'wide', $path, $options ];
}
my $list = join(', ', map { "('$_->[0]', '$_->[1]', '" . $_->[2] =~ s/'/''/gr . "')" } @files);
my $answer = $node->safe_psql('postgres',
	"SELECT f.*, outcome(t, p, o, 'off') AS core, outcome(t, p, o, 'on') AS ours FROM (VALUES $list) f(t, p, o)", extra_params => [ '-F', "\x01", '-R', "\x02" ]);
my ($same, $failing) = (0, 0);
foreach my $line (split /\x02/, $answer)
{
	my ($table, $path, $options, $core, $ours) = split /\x01/, $line;
	$failing++ if $core =~ /COPY (wide|narrow)/;
	if ($core eq $ours) { $same++; next; }
	my $kept = ($ENV{TESTDATADIR} // '/tmp') . '/differs.csv';
	system('cp', $path, $kept);
	diag("$table $options $kept\ncore: $core\nours: $ours");
}
is($same, scalar @files, 'every file has the same outcome by both parsers');
note("$failing of them an error");
cmp_ok($failing, '>', $nfiles / 10, 'many were refused');
cmp_ok($failing, '<', $nfiles * 9 / 10, 'many were not');
$node->stop;
done_testing();
