# Damaged bytes in the data file end in an error or in the right rows, never in wrong rows or a crash.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tables = $ENV{EC_CORRUPT_TABLES} || 120;
my $seed = $ENV{EC_SEED} || time;
srand($seed);
note("EC_SEED=$seed");

my $node = PostgreSQL::Test::Cluster->new('corrupt');
# no page checksums, which 18 has unless told otherwise: ours must find it
$node->init(extra => $node->pg_version >= 18 ? ['--no-data-checksums'] : []);
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->start;
$node->safe_psql('postgres', <<"EOC");
CREATE EXTENSION ecinsight;
CREATE TABLE source AS SELECT i AS a, CASE WHEN i % 7 > 0 THEN 'text ' || i % 300 END AS b, md5(i::text) AS c, (i * 37 % 10007) / 100.0::numeric(10,2) AS d,
	'2020-01-01'::timestamptz + i * '1 s'::interval AS e, md5((i % 500)::text)::uuid AS f, ARRAY[i, i + 1] AS g FROM generate_series(1, 6000) i;
CREATE FUNCTION digest(t text, OUT result text) LANGUAGE plpgsql AS \$\$
BEGIN
	EXECUTE format('SELECT md5(string_agg(x::text, chr(10) ORDER BY a)) FROM %I x', t) INTO result;
EXCEPTION WHEN OTHERS THEN
	result := SQLSTATE;
END \$\$;
CREATE FUNCTION checked(t text, OUT result text) LANGUAGE plpgsql AS \$\$
BEGIN
	EXECUTE format('SELECT CASE WHEN count(*) = 0 THEN ''clean'' ELSE ''damaged'' END FROM ecinsight.verify(%L)', t) INTO result;
EXCEPTION WHEN OTHERS THEN
	result := SQLSTATE;
END \$\$;
DO \$\$ BEGIN
	FOR i IN 1..$tables LOOP
		EXECUTE format('SET ecinsight.compression = %s', (ARRAY['none', 'lz4', 'zstd'])[i % 3 + 1]);
		EXECUTE format('CREATE TABLE t%s USING ecinsight_columnar AS TABLE source', i);
	END LOOP;
END \$\$;
EOC
my $right = $node->safe_psql('postgres', "SELECT digest('source')");
is($node->safe_psql('postgres', "SELECT count(*) FROM generate_series(1, $tables) i WHERE digest('t' || i) <> '$right'"), '0', 'all tables are right before');
my %file = map { split /\|/ } split /\n/, $node->safe_psql('postgres', "SELECT i, pg_relation_filepath('t' || i) FROM generate_series(1, $tables) i");
$node->stop;

foreach my $i (sort { $a <=> $b } keys %file)
{
	my $path = $node->data_dir . '/' . $file{$i};
	my $size = -s $path;
	open(my $fh, '+<:raw', $path) or die "$path: $!";
	foreach (1 .. ($i % 4 == 0 ? 20 : 1))
	{
		# one bit, or a run of bytes
		my $at = int(rand($size));
		my $len = $i % 5 == 0 ? 1 + int(rand(64)) : 1;
		seek($fh, $at, 0);
		read($fh, my $bytes, $len);
		if ($i % 5 == 0) { $bytes = join('', map { chr(int(rand(256))) } 1 .. length $bytes); }
		else { $bytes = chr(ord($bytes) ^ (1 << int(rand(8)))); }
		seek($fh, $at, 0);
		print {$fh} $bytes;
	}
	close($fh);
}

$node->start;
my %seen;
my @wrong;
my @unseen;
foreach my $i (1 .. $tables)
{
	my ($result, $verdict) = split /\|/, $node->safe_psql('postgres', "SELECT digest('t$i'), checked('t$i')");
	$seen{ $result eq $right ? 'right' : $result }++;
	push @wrong, "t$i: $result" unless $result eq $right || $result eq 'XX001';
	push @unseen, "t$i: $result but $verdict" if $result eq 'XX001' && $verdict ne 'damaged';
}
note(join ', ', map { "$_: $seen{$_}" } sort keys %seen);
is("@wrong", '', 'every answer is right or ERRCODE_DATA_CORRUPTED');
is("@unseen", '', 'verify finds what queries find');
cmp_ok($seen{XX001} // 0, '>', $tables / 4, 'most damage was noticed');

# Cut and missing files are errors too.
$node->safe_psql('postgres', 'CREATE TABLE cut USING ecinsight_columnar AS TABLE source');
my $cut = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('cut')");
$node->stop;
truncate($cut, 3 * 8192);
$node->start;
is($node->safe_psql('postgres', "SELECT digest('cut')"), 'XX001', 'a cut file is an error');
is($node->safe_psql('postgres', "SELECT checked('cut')"), 'damaged', 'which verify reports');
# An index that isn't the table's.
$node->safe_psql('postgres', 'CREATE TABLE u (a int PRIMARY KEY) USING ecinsight_columnar; CREATE TABLE w (LIKE u INCLUDING ALL) USING ecinsight_columnar;'
	. 'INSERT INTO u SELECT 10 - i FROM generate_series(1, 7) i; INSERT INTO w SELECT i FROM generate_series(1, 6) i');
is($node->safe_psql('postgres', "SELECT checked('u'), checked('w')"), 'clean|clean', 'indexes agree with their tables');
my ($u, $w) = map { $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('${_}_pkey')") } 'u', 'w';
$node->stop;
system('cp', $w, $u) == 0 or die;
$node->start;
is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE problem LIKE '%has no entry%'), count(*) FILTER (WHERE problem LIKE '%other values%') FROM ecinsight.verify('u')"), '6|5',
	'an index that does not agree is told, row by row');
$node->stop;
# Headers that PostgreSQL keeps: of the first page of the TOAST table and the first tuple on it.
my %header = (
	lower => sub { substr($_[0], 12, 2) = pack('v', 24); },
	upper => sub { substr($_[0], 14, 2) ^= pack('v', 8); },
	unused => sub { substr($_[0], 24, 4) = pack('V', unpack('V', substr($_[0], 24, 4)) & ~(3 << 15)); },
	moved => sub { substr($_[0], 24, 4) ^= pack('V', 16); },
	future => sub { substr($_[0], $_[1], 4) ^= pack('V', 0x20000000); },
	aborted => sub { substr($_[0], $_[1] + 20, 2) = pack('v', unpack('v', substr($_[0], $_[1] + 20, 2)) & ~0x300 | 0x200); },
	deleted => sub { substr($_[0], $_[1] + 4, 4) = pack('V', 0x20000000); substr($_[0], $_[1] + 20, 2) = pack('v', unpack('v', substr($_[0], $_[1] + 20, 2)) & ~0x800); },
	multi => sub { substr($_[0], $_[1] + 4, 4) = pack('V', 1000); substr($_[0], $_[1] + 20, 2) = pack('v', unpack('v', substr($_[0], $_[1] + 20, 2)) & ~0x800 | 0x1000); },
	lock => sub { substr($_[0], $_[1] + 20, 2) ^= pack('v', 0x80); },
	undeleted => sub { substr($_[0], $_[1] + 20, 2) ^= pack('v', 0x800); },
	visible => sub { substr($_[0], 10, 2) ^= pack('v', 4); },
	heap_only => sub { substr($_[0], $_[1] + 18, 2) ^= pack('v', 0x8000); });
my %before = (lock => 'BEGIN; SELECT FROM %s WHERE a = 1 FOR UPDATE; COMMIT;', undeleted => 'DELETE FROM %s WHERE a = 1;', visible => 'DELETE FROM %s WHERE a = 1;');
$node->start;
foreach my $name (sort keys %header)
{
	$node->safe_psql('postgres', "CREATE TABLE h_$name (a int PRIMARY KEY, b text) USING ecinsight_columnar; INSERT INTO h_$name VALUES (1, 'x'), (2, 'y');" . sprintf($before{$name} // '', "h_$name") . "SELECT digest('h_$name')");
}
my %companion = map { split /\|/ } split /\n/, $node->safe_psql('postgres', "SELECT relname, pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname LIKE 'h\\_%' AND relkind = 'r'");
$node->stop;
foreach my $name (sort keys %header)
{
	open(my $fh, '+<:raw', $node->data_dir . '/' . $companion{"h_$name"}) or die $!;
	read($fh, my $page, 8192);
	my $tuple = unpack('V', substr($page, 24, 4)) & 0x7fff;
	$header{$name}->($page, $tuple);
	seek($fh, 0, 0);
	print {$fh} $page;
	close($fh);
}
$node->start;
foreach my $name (sort keys %header)
{
	is($node->safe_psql('postgres', "SET enable_indexscan = off; SELECT digest('h_$name'), checked('h_$name')"), 'XX001|damaged', "headers, $name: a scan and verify tell");
	my ($code, $out, $err) = $node->psql('postgres', "SET enable_seqscan = off; SET enable_bitmapscan = off; SET ecinsight.enable_columnar_scan = off; \\set VERBOSITY verbose\nSELECT count(b) FROM h_$name WHERE a = 1");
	like($err, qr/XX001: .*"h_$name"/, "headers, $name: so does an index scan") unless $name eq 'visible';
}
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP:/, 'no process crashed');
$node->stop;
done_testing();
