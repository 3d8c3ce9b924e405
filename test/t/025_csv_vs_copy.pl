# A stream's CSV parser against COPY ... (FORMAT csv) into a heap table: for each field, of each type, either both
# store the same value or both refuse the row.  Where they may differ is listed below, with the reason.
use strict;
use warnings;

use EcKafka;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @types = (
	'smallint', 'integer', 'bigint', 'numeric(10,2)', 'numeric(18,18)', 'numeric(5,0)', 'numeric(3,-2)', 'numeric', 'real',
	'double precision', 'boolean', 'date', 'timestamp', 'timestamp(0)', 'timestamptz', 'timestamptz(3)', 'uuid', 'text',
	'varchar', 'varchar(5)', 'char(3)', '"char"', 'bytea', 'json', 'jsonb', 'interval', 'time', 'timetz', 'inet', 'macaddr',
	'int[]', 'int4range', 'point', 'oid', 'money', 'bit(4)', 'name', 'mood', 'posint', 'pair', 'regtype', 'picky');

my @integers = (
	'0', '1', '-1', '+7', '-0', '00012', '32767', '32768', '-32768', '-32769', '2147483647', '2147483648', '-2147483649',
	'12345678', '123456789', '1234567890123456', '12345678901234567', '2053013555631882655', '9223372036854775807',
	'9223372036854775808', '-9223372036854775808', '-9223372036854775809', '99999999999999999999999999',
	'000000000000000000000000000000000001', '2.05301E+18', '1e5', '1.0', ' 42', '42 ', "\t42", '4 2', '4-', '--4', '+-4', '-',
	'+', '0x1F', '0b11', '1_000', '0x', '12a', 'a12', ',', '१');
my @decimals = (
	'0.00', '35.79', '1302.48', '33.2', '7.', '.5', '.', '-.', '-0.005', '0.005', '0.004999', '1.005', '-1.005', '1.015',
	'12345678.12', '99999999.99', '99999999.994', '99999999.995', '-99999999.995', '100000000', '99999.5', '99999.4',
	'1e2', '1.5E-3', '1e-400', '1E+400', '1e', 'e1', '1e+', 'NaN', 'nan', '-nan', 'Infinity', '-inf', 'inf', '1.2.3', '1,5',
	'0.123456789012345678', '0.1234567890123456785', '0.9999999999999999994', '0.9999999999999999995',
	'0.00000000000000000000000000000000000000001', '123456789012345678901234567890.123456789', ' 1.5 ', '1 .5', '+1.10',
	'0000000000000000000000000000001.10', '1.1000000000000000000000000000000', '3.4e38', '3.5e38', '1e-46', '1e-310', '1e-330',
	'1.7976931348623157e308', '1.8e308', '0.1', '0.30000000000000004', '16777217', '9007199254740993', '123456.789e3',
	'1.17549435e-38', '$12.50', '-0.0', '1234567.5', '999.5', '950', '949.99');
my @times = (
	'2019-10-01 00:00:00 UTC', '2020-09-24 23:47:04+00:00', '2019-10-01 12:34:56', '2019-10-01T12:34:56Z', '2019-10-01t12:34:56z',
	'2019-10-01 12:34:56.5 UTC', '2019-10-01 12:34:56.123456', '2019-10-01 12:34:56.1234567', '2019-10-01 12:34:56.9999995 UTC',
	'2019-10-01 12:34:56.0005', '2019-10-01 12:34:56.0015', '2019-10-01 12:34:56. UTC', '2019-10-01 12:34:56.', '2019-10-01',
	'2019-10-01 UTC', '2019-10-01 12:34', '2019-10-01 12', '2019-10-01 24:00:00 UTC', '2019-10-01 24:00:01', '2019-10-01 25:00:00',
	'2019-10-01 23:60:00', '2019-10-01 23:59:60', '2019-10-01 23:59:61', '2019-02-28 00:00:00 UTC', '2019-02-29 00:00:00 UTC',
	'2020-02-29 00:00:00 UTC', '1900-02-29', '2000-02-29', '2100-02-29 01:02:03', '2019-04-31', '2019-13-01 00:00:00',
	'2019-00-01 00:00:00', '2019-01-00', '2019-1-1', '19-10-01 00:00:00', '0019-10-01', '0000-01-01', '1899-12-31 23:59:59 UTC',
	'1900-01-01 00:00:00 UTC', '2199-12-31 23:59:59.999999 UTC', '2200-01-01', '9999-12-31 23:59:59', '10000-01-01', '294276-12-31',
	'294277-01-01', '4713-01-01 BC', '2019-10-01 00:00:00+05', '2019-10-01 00:00:00+0530', '2019-10-01 00:00:00+05:30',
	'2019-10-01 00:00:00 +05:30', '2019-10-01 00:00:00-15:59', '2019-10-01 00:00:00+15:59:59', '2019-10-01 00:00:00+16',
	'2019-10-01 00:00:00+5', '2019-10-01 00:00:00+05:3', '2019-10-01 00:00:00+05:60', '2019-10-01 00:00:00 +', '2019-10-01 00:00:00 Z',
	'2019-10-01 00:00:00 utc', '2019-10-01 00:00:00UTC', '2019-10-01 00:00:00  UTC', '2019-10-01 00:00:00 UTCX', '2019-10-01 00:00:00 UT',
	'2019-10-01 00:00:00 GMT', '2019-10-01 00:00:00 Europe/Berlin', '2019-07-01 00:00:00 PST', '2019-10-01 00:00:00 Nowhere/City',
	' 2019-10-01 00:00:00 UTC', '2019-10-01 00:00:00 UTC ', '10/01/2019', '01.10.2019', 'Oct 1, 2019', '20191001', '20191001T123456',
	'2019-274', '2019-10-01 12:34:56 PM', '2019-10-01 00:34:56 AM', 'infinity', '-infinity', 'epoch', '12:34:56', '1569888000',
	'2019-10-0112:34:56', '2019/10/01 00:00:00', '2019-10-01_00:00:00', '2019-10-01 0:00:00', '2019-10-01 00:0:00', "2019-10-01\t00:00:00");
my @others = (
	'', '""', ' ', 't', 'TRUE', 'tru', 'yes', 'y', 'on', 'o', 'of', 'off', 'n', 'no', ' true ', 'truex', 'abc', 'abcde', 'abcdef',
	'abcde   ', 'äöüßé', 'äöüßéx', 'äöüßé  ', '中文字符集', '中文字符集多', "\xf0\x9f\x98\x80", 'NULL', '\\N', '\\.x', 'a\\nb',
	'72d76fde-8bb3-4e00-8c23-a032dfed738c', '72D76FDE-8BB3-4E00-8C23-A032DFED738C', '72d76fde8bb34e008c23a032dfed738c',
	'{72d76fde-8bb3-4e00-8c23-a032dfed738c}', '{72d76fde-8bb3-4e00-8c23-a032dfed738c', '72d7-6fde-8bb3-4e00-8c23-a032-dfed-738c',
	'72d76fde-8bb3-4e00-8c23-a032dfed738', '72d76fde-8bb3-4e00-8c23-a032dfed738c0', '72d76fde--8bb34e00-8c23-a032dfed738c',
	'-72d76fde8bb34e008c23a032dfed738c', '72d76fde-8bb3-4e00-8c23-a032dfed738g', '72d76fde8bb34e008c23a032dfed738c-',
	'{}', '"{1,2,NULL}"', '{1', '"[1,5)"', '"[5,1)"', '"{""a"": 1}"', '"{""a"": }"', '[]', 'null', '1 day', '1 dya', '10.0.0.1/8',
	'10.0.0.0/8', '10.0.0.300', '08:00:2b:01:02:03', '(1,2)', '"(1,2)"', '"(1,x)"', '"(1,)"', '\\x0a', '\\x0', '\\xzz', '1010', '10102',
	'happy', 'sad', 'Happy', 'happyhappyhappyhappyhappyhappyhappyhappyhappyhappyhappyhappyhappyhappyhappy', 'int4', 'no_such_type',
	'"two', 'lines"', '"a,b"', '"a""b"', '""""', '"x ', 'good', 'bad', 'terrible', '"a', 'a"b', '"a"b', 'a""b', 'x' x 300);

# Quoted fields broken over list items above are put together here, so that line ends stand inside quotes.
@others = grep { $_ ne '"two' && $_ ne 'lines"' && $_ ne '"x ' && $_ ne '"a' } @others;
push @others, "\"two\nlines\"", "\"two\r\nlines\"", "\"\n\"";

# A quote inside an unquoted field, or text behind a closing quote: COPY joins the pieces, a stream refuses to guess.
my %we_refuse = map { $_ => 1 } ('a"b', '"a"b', 'a""b');

my $kafka = EcKafka->new(dir => PostgreSQL::Test::Utils::tempdir());
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ecinsight'\nmax_worker_processes = 10\ntimezone = 'UTC'\ndatestyle = 'ISO, MDY'\n");
$node->start;

my $columns = join(', ', map { "c$_ $types[$_]" } 0 .. $#types);
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION ecinsight;
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE DOMAIN posint AS integer CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b int);
-- a domain whose check runs SQL and fails in ways of its own
CREATE FUNCTION is_nice(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
	\$\$BEGIN IF \$1 = 'terrible' THEN RAISE EXCEPTION 'terrible'; END IF; RETURN \$1 = 'good'; END\$\$;
CREATE DOMAIN picky AS text CHECK (public.is_nice(VALUE));
CREATE TABLE copied (id int, $columns);
CREATE TABLE streamed (id int, $columns) USING ecinsight_columnar;
CREATE SERVER kafka FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ("bootstrap.servers" '${\$kafka->bootstrap}');
SQL

# Row n has one field that matters; the others are NULL.
my @rows;
foreach my $c (0 .. $#types)
{
	my %seen;
	foreach my $field (grep { !$seen{$_}++ } @integers, @decimals, @times, @others)
	{
		push @rows, [ $c, $field, scalar(@rows) . ',' . ',' x $c . $field . ',' x ($#types - $c) ];
	}
}
note(scalar(@rows) . ' rows');

# COPY each row by itself, so that a refused one costs only itself.
my $script = join('', map { "COPY copied FROM STDIN (FORMAT csv);\n$_->[2]\n\\.\n" } @rows);
my ($out, $err) = ('', '');
$node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 0);

$kafka->create_topic('t', 1);
my @messages;
for (my $i = 0; $i < @rows; $i += 1000)
{
	my $last = $i + 999 < $#rows ? $i + 999 : $#rows;
	push @messages, join('', map { "$_->[2]\n" } @rows[ $i .. $last ]);
}
$kafka->produce('t', 0, \@messages);
$node->safe_psql('postgres', q{SELECT ecinsight.create_stream('s', server => 'kafka', topics => '{t}', target => 'streamed')});
$node->safe_psql('postgres', q{SELECT ecinsight.wait_for_stream('s', '3 minutes')});

sub table_rows
{
	my ($table) = @_;
	my %rows;
	my $text = $node->safe_psql('postgres',
		"SELECT id, replace(encode(convert_to(($table.*)::text, 'UTF8'), 'base64'), E'\\n', '') FROM $table");
	foreach my $line (split /\n/, $text)
	{
		my ($id, $value) = split /\|/, $line;
		push @{ $rows{$id} }, $value;
	}
	return \%rows;
}

my $copied = table_rows('copied');
my $streamed = table_rows('streamed');
my %letters;
foreach my $line (split /\n/, $node->safe_psql('postgres',
	q{SELECT message_offset * 1000 + row_number - 1, reason, replace(encode(raw, 'base64'), E'\n', ''), replace(error, E'\n', ' ') FROM ecinsight.dead_letters}))
{
	my ($id, $reason, $raw, $error) = split /\|/, $line, 4;
	$letters{$id} = { reason => $reason, raw => $raw, error => $error };
}

my (%wrong, $accepted, $refused);
foreach my $id (0 .. $#rows)
{
	my ($c, $field, $line) = @{ $rows[$id] };
	my $here = join(' ', @{ $streamed->{$id} // [] });
	my $there = $we_refuse{$field} ? '' : join(' ', @{ $copied->{$id} // [] });
	$accepted++ if $there ne '';
	$refused++ if $there eq '';
	next if $here eq $there && defined $letters{$id} == ($there eq '');
	push @{ $wrong{$c} }, "$types[$c] <$field>: COPY " . ($there eq '' ? 'refuses' : 'takes') . ', the stream '
		. ($here eq '' ? "refuses ($letters{$id}{error})" : $there eq '' ? 'takes' : 'stores another value');
}
foreach my $c (0 .. $#types)
{
	ok(!$wrong{$c}, "$types[$c] as by COPY") or diag(join("\n", @{ $wrong{$c} }));
}
note("$accepted rows stored, $refused refused");
cmp_ok($accepted, '>', 2000, 'many values were stored');
cmp_ok($refused, '>', 2000, 'many were refused');

require MIME::Base64;
my @bad_raw = grep { MIME::Base64::decode_base64($letters{$_}{raw}) ne bytes_of($rows[$_][2]) } sort { $a <=> $b } keys %letters;
is(scalar(@bad_raw), 0, 'dead letters hold the text of their rows') or diag("rows @bad_raw[0 .. ($#bad_raw > 9 ? 9 : $#bad_raw)]");
sub bytes_of { my ($s) = @_; utf8::encode($s) if utf8::is_utf8($s); return $s; }

my $reasons = $node->safe_psql('postgres', q{SELECT string_agg(DISTINCT reason, ' ' ORDER BY reason) FROM ecinsight.dead_letters});
is($reasons, 'bad_quote field_count invalid_value out_of_range too_long type_input', 'reasons tell the kinds of faults apart');

$node->stop;
done_testing();
