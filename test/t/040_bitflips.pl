# Flips single bits anywhere in the files of columnar tables.  Whoever reads the table then, by whatever way, gets the
# right rows or ERRCODE_DATA_CORRUPTED that names the place; never a crash, a hang or a wrong row.  The same holds for
# whoever writes it anew from what is there: CREATE INDEX, CLUSTER, compaction, VACUUM, and for its rows after that.
#
# With page checksums that holds for every bit.  Without them it holds for all of the main fork, and for pages of the
# companion: payloads have checksums, and headers of pages and tuples must make sense (store/check.c).  Its index is
# PostgreSQL's, as a heap's: what happens there is counted apart.
#
# EC_FLIPS: how many.  EC_SEED: the same flips again.  EC_FLIP_CHECKSUMS: all or none of them with page checksums.
# EC_FLIP_KINDS: only where this regular expression says.  EC_FLIP_FORMS: only tables of these forms.  EC_FLIP_SECONDS: no new round after so long.
use strict;
use warnings;

use EcForms;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $wanted = $ENV{EC_FLIPS} || 400;
my $copies = $ENV{EC_FLIP_COPIES} || 10;
my $seed = $ENV{EC_SEED} || time;
my $with = $ENV{EC_FLIP_CHECKSUMS} // 'some';
my $kinds = $ENV{EC_FLIP_KINDS};
srand($seed);
note("EC_SEED=$seed EC_FLIPS=$wanted");

my $node = PostgreSQL::Test::Cluster->new('bitflips');
$node->init(extra => ['--data-checksums', '--wal-segsize=1']);
$node->append_conf('postgresql.conf', <<'EOC');
autovacuum = off
fsync = off
bgwriter_lru_maxpages = 0
checkpoint_timeout = '1h'
min_wal_size = '2MB'
max_wal_size = '1GB'
statement_timeout = '60s'
max_parallel_workers_per_gather = 0
EOC
$node->start;

# ----------------------------------------------------------------------------------------
# Tables: each form as a heap, and "copies" times columnar
# ----------------------------------------------------------------------------------------
my $setup = "CREATE EXTENSION ecinsight;\n" . form_functions();
foreach my $form (grep { !$ENV{EC_FLIP_FORMS} || /$ENV{EC_FLIP_FORMS}/ } form_names())
{
	$setup .= form_create($form, "heap_$form", 'heap');
	$setup .= form_create($form, "${form}_$_", 'ecinsight_columnar') foreach 1 .. $copies;
}
$node->safe_psql('postgres', $setup);
my $slow = 'SET statement_timeout = 0; ';
my $tables = "SELECT c.relname AS t, split_part(c.relname, '_', 1) AS form FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE amname = 'ecinsight_columnar'";
is($node->safe_psql('postgres', $slow . "WITH x AS MATERIALIZED ($tables) SELECT t, way FROM x, ways WHERE look(t, way) IS DISTINCT FROM look('heap_' || form, way)"), '', 'all tables are right before');
is($node->safe_psql('postgres', $slow . "WITH x AS MATERIALIZED ($tables) SELECT t FROM x WHERE checked(t) <> 'clean'"), '', 'and clean');
# Hint bits are set by now.  Of every second table the tuples are frozen, without being compacted.
$node->safe_psql('postgres', join '', map { "VACUUM (FREEZE, INDEX_CLEANUP off) $_;\n" }
	split /\n/, $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM ($tables) x JOIN pg_class c ON relname = t WHERE t ~ '[02468]\$'"));
$node->safe_psql('postgres', 'SET statement_timeout = 0; CHECKPOINT');
my %right;
foreach (split /\n/, $node->safe_psql('postgres', $slow . "SELECT substr(relname, 6), way, look(relname, way) FROM pg_class, ways WHERE relname LIKE 'heap\\_%' AND relkind = 'r'"))
{
	my ($form, $way, $digest) = split /\|/;
	$right{$form}{$way} = $digest;
}
# what each table tells of itself now
my %tells;
foreach (split /\n/, $node->safe_psql('postgres', $slow . "WITH x AS MATERIALIZED ($tables) SELECT t, way, inspected(t, way) FROM x, unnest('{columnar_stats,row_groups,summaries}'::text[]) way"))
{
	my ($t, $way, $digest) = split /\|/;
	$tells{$t}{$way} = $digest;
}
my @table;
foreach (split /\n/, $node->safe_psql('postgres', "SELECT t, pg_relation_filepath(t::regclass), pg_relation_filepath(reltoastrelid), pg_relation_filepath(indexrelid)"
	. " FROM ($tables) x JOIN pg_class c ON c.oid = t::regclass JOIN pg_index ON indrelid = reltoastrelid ORDER BY t"))
{
	my %t;
	@t{qw(name main companion index)} = split /\|/;
	($t{form}) = $t{name} =~ /^(.*)_\d+$/;
	push @table, \%t;
}
$node->stop;
my $dir = $node->data_dir;
my $whole = "$dir.whole";

sub copy_directory
{
	my ($from, $to) = @_;
	system('rm', '-rf', $to) == 0 && system('cp', '-a', $from, $to) == 0 or die "copying $from failed";
	return;
}

# ----------------------------------------------------------------------------------------
# Flips
# ----------------------------------------------------------------------------------------

# What stands at a byte of a page of the companion.
sub companion_place
{
	my ($page, $at) = @_;
	return 'page header' if $at < 24;
	my ($lower, $upper) = unpack('x12 v v', $page);
	return 'line pointer' if $at < $lower;
	return 'nothing' if $at < $upper;
	foreach my $item (unpack('V*', substr($page, 24, $lower - 24)))
	{
		my ($off, $flags, $len) = ($item & 0x7fff, $item >> 15 & 3, $item >> 17);
		next if $flags != 1 || $at < $off || $at >= $off + $len;
		my $in = $at - $off;
		return $in < 24 ? 'tuple header' : $in < 32 ? 'key' : $in < 36 ? 'length' : 'payload';
	}
	return 'nothing';
}

sub main_place
{
	my ($at, $block) = @_;
	return $at < 24 ? 'page header' : $at >= 8184 ? 'page tail' : $block > 0 ? 'image' : $at < 56 ? 'metapage' : 'nothing';
}

my %postgres = (index => 1);

# Flips one bit of one of the table's files; returns where it was.  With page checksums verify finds it in any page of the
# companion's index, also in those that no look-up comes to.
sub flip
{
	my ($t, $checksums) = @_;
	my $which;
	do { $which = (qw(main main main companion companion companion companion index))[ int(rand(8)) ] } while $kinds && $kinds !~ /$which/;
	$which = 'index' if $checksums && !$kinds && rand() < 0.5;
	$which = 'companion' if $which eq 'main' && $t->{form} =~ /^(?:rows|single)$/ && rand() < 0.8;
	my $path = "$dir/$t->{$which}";
	my $size = -s $path;
	open(my $fh, '+<:raw', $path) or die "$path: $!";
	my ($at, $place);
	# most of what is empty is passed by
	for (1 .. ($kinds ? 2000 : 20))
	{
		$at = int(rand($size));
		my $block = int($at / 8192);
		seek($fh, $block * 8192, 0);
		read($fh, my $page, 8192) == 8192 or die "$path: short page";
		$place = $which eq 'companion' ? companion_place($page, $at % 8192) : $which eq 'main' ? main_place($at % 8192, $block) : '';
		last if $kinds && "$which $place" =~ $kinds;
		next if $kinds;
		last if ($place ne 'nothing' && ($which ne 'index' || substr($page, $at % 8192, 1) ne "\0")) || rand() < 0.1;
	}
	seek($fh, $at, 0);
	read($fh, my $byte, 1);
	my $bit = int(rand(8));
	seek($fh, $at, 0);
	print {$fh} chr(ord($byte) ^ (1 << $bit));
	close($fh);
	return { which => $which, kind => $place eq '' ? $which : "$which $place", at => $at, bit => $bit };
}

# A server that crashes must not take us with it, while we write to psql.
sub file_of
{
	my ($sql) = @_;
	my $file = $node->basedir . '/statements.sql';
	unlink $file;
	append_to_file($file, $sql);
	return $file;
}

# Reads a list of tables by all ways: the lines of each.  One that ends its server is told as "crash".
sub look_at
{
	my @names = @_;
	my %lines;
	while (@names)
	{
		my $sql = join '', map { "SELECT '$_', way, look('$_', way) FROM ways UNION ALL SELECT '$_', 'verify', checked('$_')\n"
			. " UNION ALL SELECT '$_', way, inspected('$_', way) FROM unnest('{columnar_stats,row_groups,summaries}'::text[]) way;\n"
			. (join '', map { my $way = $_; "SELECT '\@', '$way', written('\@', '$way');\n" } qw(build cluster compact)) =~ s/\@/$_/gr
			. "VACUUM $_;\n\\if :ERROR\n\\echo '$_|VACUUM|error' :SQLSTATE :LAST_ERROR_MESSAGE\n\\else\n\\echo '$_|VACUUM|done'\n\\endif\n"
			. "SELECT '$_', 'vacuumed', look('$_', 'rows'); SELECT '$_', 'in the end', checked('$_');\n" } @names;
		my ($code, $out) = $node->psql('postgres', '\i ' . file_of($sql), timeout => 3000, on_error_stop => 0);
		foreach (split /\n/, $out)
		{
			my ($name, $way, $result) = split /\|/, $_, 3;
			$lines{$name}{$way} = $result;
		}
		while (@names && $lines{ $names[0] }{'in the end'}) { shift @names; }
		next unless @names;
		my ($missing) = grep { !$lines{ $names[0] }{$_} } qw(rows verify build cluster compact VACUUM vacuumed);
		$lines{ $names[0] }{$missing // 'rows'} = "crash ($code)";
		shift @names;
		$node->stop('immediate', fail_ok => 1);
		$node->start if @names;
	}
	return \%lines;
}

my (%seen, @bad, %apart, %example);

sub judge
{
	my ($t, $flip, $lines, $checksums) = @_;
	my ($worst, $what) = ('right', '');
	my $names = 0;
	my %expected = (%{ $right{ $t->{form} } }, %{ $tells{ $t->{name} } }, build => $right{ $t->{form} }{index});
	$expected{$_} = $right{ $t->{form} }{rows} foreach qw(cluster compact VACUUM vacuumed);
	$expected{VACUUM} = 'done';
	foreach my $way (sort keys %expected)
	{
		my $result = $lines->{$way} // 'no answer';
		my $verdict = 'right';
		if ($result =~ /^error XX001 (.*)/)
		{
			my $message = $1;
			$verdict = 'detected';
			$verdict = 'unnamed' unless $message =~ /invalid page in block/ || ($message =~ /"$t->{name}"/ && $message =~ /row group|row \d|block|metapage|tuple|summary/);
		}
		elsif ($result =~ /^(error|crash|no answer)/) { $verdict = 'failed'; }
		elsif ($result ne $expected{$way}) { $verdict = 'wrong'; }
		if ($verdict eq 'unnamed' || $verdict eq 'failed' || $verdict eq 'wrong' || $worst eq 'right')
		{
			($worst, $what) = ($verdict, "$way: $result");
		}
	}
	# what is written anew is not damaged
	($worst, $what) = ('spread', "verify in the end: $lines->{'in the end'}") if $worst =~ /^(?:right|detected)$/ && $lines->{verify} eq 'clean' && ($lines->{'in the end'} // '') ne 'clean';
	$worst = 'right, told by verify' if $worst eq 'right' && $lines->{verify} !~ /^(?:clean|error)/;
	$worst = 'unverified' if $worst eq 'detected' && $lines->{verify} eq 'clean';
	$what = "verify: $lines->{verify}" if $worst eq 'right' && $lines->{verify} =~ /^error/ && ($worst = 'failed');
	$seen{$checksums ? 'with page checksums' : $flip->{kind}}{$worst}++;
	my $text = "$t->{name} $flip->{kind}, byte $flip->{at} bit $flip->{bit}: $worst ($what; verify: $lines->{verify})";
	note($text) if $ENV{EC_FLIP_ALL} && $worst ne 'right';
	return if $worst =~ /^(?:right|detected)/;
	if (!$checksums && $postgres{ $flip->{kind} }) { $apart{$worst}++; note($text) if $ENV{EC_FLIP_APART}; }
	else { push @bad, $text; }
	return;
}

copy_directory($dir, $whole);
$node->command_ok([ 'pg_checksums', '--disable', '-D', $whole ], 'page checksums off');
copy_directory($dir, "$dir.checksums");
my $done = 0;
my $until = time + ($ENV{EC_FLIP_SECONDS} // 1_000_000);
for (my $round = 0; $done < $wanted && time < $until; $round++)
{
	my $checksums = $with eq 'all' || ($with eq 'some' && $round % 4 == 1);
	copy_directory($checksums ? "$dir.checksums" : $whole, $dir);
	my %flip = map { $_->{name} => flip($_, $checksums) } @table;
	$node->start;
	my $lines = look_at(map { $_->{name} } @table);
	judge($_, $flip{ $_->{name} }, $lines->{ $_->{name} }, $checksums) foreach @table;
	$node->stop('immediate', fail_ok => 1);
	$done += @table;
}

foreach my $kind (sort keys %seen)
{
	note(sprintf '%-24s %s', $kind, join ', ', map { "$_ $seen{$kind}{$_}" } sort keys %{ $seen{$kind} });
}
note('in what is PostgreSQL\'s: ' . (join ', ', map { "$_ $apart{$_}" } sort keys %apart));
is(join("\n", @bad), '', "$done flips: every answer is right or names the damage");
if ($with ne 'all' && !$kinds)
{
	cmp_ok($seen{'main image'}{detected} // 0, '>', 0, 'damage in the main fork was noticed');
	cmp_ok($seen{'companion payload'}{detected} // 0, '>', 0, 'and in the companion');
}
done_testing();
