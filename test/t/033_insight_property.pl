# Every insight function gives what its definition in plain SQL (test/insight/spec.sql) gives on a heap twin, whatever has been
# done to the columnar table: loads, small writes, UPDATE, DELETE, TRUNCATE, what was rolled back, VACUUM; for random time
# ranges and parameters; inside the writing transaction, in one that began before, and after the commit; also over
# partitions, a heap table and a view.  Summaries are made whenever there is a VACUUM, for very few rows too, and must be
# what most calls on the table find.
#
# EC_SEEDS: how many runs; EC_SEED: the first one's seed.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seeds = $ENV{EC_SEEDS} || 4;
my $first = $ENV{EC_SEED} || int(rand(1_000_000));
my $node = PostgreSQL::Test::Cluster->new('property');
$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ecinsight'\nautovacuum = off\nfsync = off\necinsight.summary_rows = 1\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight');
$node->safe_psql('postgres', slurp_file(dirname(abs_path(__FILE__)) . '/../insight/spec.sql'));

# Columns of double precision: equal within 1e-9.
my %is_float = map { $_ => 1 } qw(conversion view_to_cart cart_to_buy view_to_buy recency_days revenue_share average_recency_days
  average_frequency support confidence_ab confidence_ba lift phi growth contribution);

sub pick { return $_[ int(rand(@_)) ]; }
sub quoted { return "'" . $_[0] . "'"; }

# ---- tables and changes ----

my @columns = ('event_time timestamptz', 'event_type text', 'product_id bigint', 'category_id bigint', 'category_code text',
	'brand text', 'PRICE', 'user_id bigint', 'user_session text');

sub create_tables
{
	my $price = 'price ' . pick('numeric(10,2)', 'numeric(10,2)', 'numeric', 'numeric(15,4)', 'float8', 'bigint');
	my $columns = join ', ', map { $_ eq 'PRICE' ? $price : $_ } @columns;
	my $rows = pick(1024, 3000, 262144);
	my $sql = "DROP TABLE IF EXISTS h, c, p, staging CASCADE;\n";
	$sql .= "CREATE TABLE h ($columns); CREATE TABLE staging ($columns);\n";
	$sql .= "CREATE TABLE c ($columns) USING ecinsight_columnar; SELECT ecinsight.set_options('c', row_group_rows => $rows);\n";
	$sql .= "CREATE TABLE p ($columns) PARTITION BY RANGE (event_time);\n";
	$sql .= "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO ('2019-10-04') USING ecinsight_columnar;\n";
	$sql .= 'CREATE TABLE p2 PARTITION OF p DEFAULT' . pick('', ' USING ecinsight_columnar') . ";\n";
	return $sql . "CREATE VIEW v AS SELECT *, 1 AS more FROM c;\n";
}

# Rows of a random shop: few or many users and products, sessions that look like UUIDs and others.
sub fill_staging
{
	my ($n) = @_;
	my $users = pick(3, 40, 400);
	my $products = pick(5, 60, 1000);
	my $codes = pick(2, 7, 30);
	my $sessions = pick(3, 50, 1000);
	my $null = pick(0, 0.02, 0.02, 0.3);
	my $from = int(rand(9 * 86400));
	my $span = pick(1, 3600, 86400, 10 * 86400);
	my $odd = sub { my ($part, $odd, $else) = @_; return "CASE WHEN random() < $part THEN $odd ELSE $else END"; };
	my $null_or = sub { return $odd->($null, 'NULL', $_[0]); };
	my $time = "timestamptz '2019-09-30' + (($from + floor(random() * $span))::int % 864000) * interval '1 second'";
	$time = $odd->(0.001, "timestamptz '" . pick('infinity', '-infinity') . "'", $time) if rand() < 0.1;
	my $bytes = "floor(random() * $sessions)::text";
	return "TRUNCATE staging; INSERT INTO staging SELECT " . join(', ',
		$null_or->($time),
		$null_or->("(array['view', 'view', 'view', 'cart', 'purchase', 'purchase', 'other', ''])[1 + floor(random() * 8)::int]"),
		$null_or->("floor(random() * $products)"),
		$null_or->("floor(random() * $codes / 2)"),
		$null_or->($odd->(0.02, "''", "'code' || floor(random() * random() * $codes)")),
		$null_or->($odd->(0.02, "''", "'brand' || floor(random() * 5)")),
		$null_or->($odd->(0.1, '0', "round((random() * random() * 2000)::numeric, 2)")),
		$null_or->("floor(random() * random() * $users)"),
		$null_or->($odd->(0.3, "'s' || $bytes", "md5($bytes)::uuid::text")))
	  . " FROM generate_series(1, $n);\n";
}

# The same for h, c and p.
sub all_three
{
	my ($text) = @_;
	return join '', map { my $s = $text; $s =~ s/\bT\b/$_/g; "$s\n" } 'h', 'c', 'p';
}

sub where
{
	my $n = 2 + int(rand(40));
	return pick(
		"hashint8(coalesce(user_id, 0) * 31 + coalesce(product_id, 0)) % $n = 0",
		"event_time >= timestamptz '2019-09-30' + $n * interval '5 hours' AND event_time < timestamptz '2019-09-30' + ($n + 3) * interval '5 hours'",
		"user_id = $n", "category_code = 'code$n'", "event_type = 'purchase' AND product_id % 3 = 0");
}

sub change
{
	my $r = rand();
	if ($r < 0.35)
	{
		return fill_staging(pick(1, 5, 200, 1024, 1500, 3000, 4000)) . all_three('INSERT INTO T SELECT * FROM staging;');
	}
	if ($r < 0.45)
	{
		return fill_staging(pick(1, 30))
		  . "DO \$\$ DECLARE s staging; BEGIN FOR s IN TABLE staging LOOP INSERT INTO h SELECT s.*; INSERT INTO c SELECT s.*; INSERT INTO p SELECT s.*; END LOOP; END \$\$;\n";
	}
	return all_three('DELETE FROM T WHERE ' . where() . ';') if $r < 0.63;
	return all_three('UPDATE T SET ' . pick('price = 7', "event_type = 'purchase'", 'user_id = 1', "event_time = event_time - interval '26 hours'",
			"category_code = 'code1', brand = NULL") . ' WHERE ' . where() . ';') if $r < 0.78;
	return all_three('TRUNCATE T;') if $r < 0.80;
	return "SAVEPOINT s;\n" . change() . "ROLLBACK TO s;\n" if $r < 0.9;
	return "SAVEPOINT s;\n" . change() . "RELEASE s;\n";
}

# ---- calls ----

sub time_in_range
{
	my $t = int(rand(11 * 86400));
	$t = int($t / 3600) * 3600 if rand() < 0.3;
	$t = int($t / 86400) * 86400 if rand() < 0.3;
	return "timestamptz '2019-09-30 00:00:00' + $t * interval '1 second'";
}

sub common
{
	my @args;
	push @args, 'since => ' . (rand() < 0.05 ? quoted(pick('-infinity', 'infinity')) : time_in_range()) if rand() < 0.5;
	push @args, 'until => ' . (rand() < 0.05 ? quoted(pick('-infinity', 'infinity')) : time_in_range()) if rand() < 0.5;
	push @args, 'event_types => ' . pick("'{purchase}'", "'{view,cart,other}'", "'{}'", 'NULL') if rand() < 0.2;
	push @args, 'complete_only => true' if rand() < 0.1;
	return @args;
}

sub k { return rand() < 0.4 ? () : 'k => ' . pick(1, 3, 25, 'NULL', 'NULL'); }
sub one { my ($name, @values) = @_; return rand() < 0.3 ? () : "$name => " . pick(@values); }
sub as_of { return one('as_of', 'NULL', time_in_range()); }

my @zones = map { quoted($_) } qw(UTC Europe/Berlin Asia/Kolkata America/New_York);
my @buckets = map { quoted($_) } qw(hour day week month);
my %arguments = (
	overview => sub { },
	top_user_categories => sub { k() },
	top_user_category_brands => sub { k() },
	favorite_category_brands => sub { (one('users', "'{1,2,3,NULL}'", "'{}'", 'NULL'), one('n', 1, 3, 'NULL')) },
	engaged_users => sub { (k(), one('category', "'code1'", "''", 'NULL'), one('brand', "'brand1'", 'NULL')) },
	popular_categories => sub { (k(), one('by', "'id'", "'code'")) },
	price_sensitivity => sub { k() },
	price_bands => sub { (one('category', "'code1'", "'none'", 'NULL'), one('bands', 1, 2, 7, 100)) },
	sales_trend => sub { (one('bucket', @buckets), one('tz', @zones), one('category', "'code1'", 'NULL')) },
	customer_trend => sub { (one('bucket', @buckets), one('tz', @zones)) },
	product_performance => sub { (k(), one('order_by', map { quoted($_) } qw(revenue purchases views conversion))) },
	funnel => sub { one('by', "'category'", "'brand'", "'none'") },
	customer_scores => sub { as_of() },
	customer_segments => sub { as_of() },
	cross_sell => sub { (k(), one('level', "'category'", "'brand'", "'product'"), one('basket', "'session'", "'user'"), one('min_baskets', 1, 2, 5)) },
	category_correlation => sub { ('k => NULL', one('min_users', 1, 2, 10)) },
	trending => sub { (k(), one('period', "'7 days'", "'36 hours'", "'1 month'"), as_of(), one('by', "'category'", "'brand'", "'product'"),
			one('measure', "'interactions'", "'revenue'"), one('min_previous', 0, 1, 10)) },
);


# ---- bucketed views ----

my %view_keys = (
	category_hour => [qw(category_id category_code brand)],
	category_day => [qw(category_id category_code brand)],
	sales_hour => [],
	sales_day => [],
	product_day => [qw(product_id category_id category_code brand)],
	user_category_day => [qw(user_id category_code)],
);

# What a view shows, in plain SQL over the heap twin.
sub plain_view
{
	my ($name) = @_;
	my @keys = @{ $view_keys{$name} };
	my $bucket = $name =~ /hour/ ? "date_trunc('hour', event_time AT TIME ZONE 'UTC')" : "(event_time AT TIME ZONE 'UTC')::date";
	my $price = "CASE WHEN price::text NOT IN ('NaN', 'Infinity', '-Infinity') THEN price::numeric END";
	my @measures = ('count(*) AS interactions');
	push @measures, (map { "count(*) FILTER (WHERE event_type = '$_') AS ${_}s" } qw(view cart purchase)),
	  "coalesce(sum($price) FILTER (WHERE event_type = 'purchase'), 0)::numeric(18,2) AS revenue",
	  "count($price) AS priced", (map { "$_($price)::numeric(18,2) AS price_$_" } qw(sum min max))
	  if $name !~ /user/;
	return "(SELECT " . join(', ', "$bucket AS bucket", (map { "${_}::text AS $_" } @keys), @measures) . ' FROM h GROUP BY '
	  . join(', ', 1, map { "h.$_" } @keys) . ')';
}

sub view_conditions
{
	my ($keys) = @_;
	my @conditions;
	my %values = (category_id => [ "= '1'", "IN ('0', '2', '01')" ], category_code => [ "= 'code1'", "IN ('code0', 'code2', '')", '<> \'code1\'', 'IS NULL' ],
		brand => [ "= 'brand1'", "IN ('brand2', 'brand3')" ], product_id => [ "= '1'", "IN ('0', '2', '3')" ], user_id => [ "= '2'", "IN ('1', '3')" ]);
	push @conditions, 'bucket ' . pick('>', '>=') . " '2019-10-0" . pick(1 .. 9) . pick('', ' 05:00', ' 07:30') . "'::timestamp" if rand() < 0.4;
	push @conditions, 'bucket ' . pick('<', '<=') . " '2019-10-0" . pick(1 .. 9) . pick('', ' 05:00', ' 07:30') . "'::timestamp" if rand() < 0.4;
	push @conditions, "date_trunc('" . pick(qw(day week month)) . "', bucket::timestamp) = '2019-10-0" . pick(1 .. 9) . "'" if rand() < 0.1;
	foreach my $key (@$keys) { push @conditions, "$key " . pick(@{ $values{$key} }) if rand() < 0.15; }
	return @conditions ? ' WHERE ' . join(' AND ', @conditions) : '';
}

# A query over a view, ours and the definition's: all of some rows, or groups, perhaps the first of these.
sub view_call
{
	my ($relation) = @_;
	my $name = pick(sort keys %view_keys);
	my @keys = @{ $view_keys{$name} };
	my @by = grep { rand() < 0.4 } ('bucket', @keys);
	my @sums = $name =~ /user/ ? 'sum(interactions)' : grep { rand() < 0.4 } qw(sum(interactions) sum(views) sum(carts) sum(purchases) sum(revenue) sum(priced) sum(price_sum));
	push @sums, grep { rand() < 0.3 } qw(min(price_min) max(price_max)) if $name !~ /user/;
	push @sums, pick('count(*)', 'max(interactions)', 'avg(interactions)') if !@sums || rand() < 0.1;
	@by = map { $_ eq 'bucket' && rand() < 0.3 ? "date_trunc('week', bucket)" : $_ } @by;
	my $query = (rand() < 0.15 ? 'SELECT *' : 'SELECT ' . join(', ', @sums, @by)) . ' FROM %s w' . view_conditions(\@keys);
	my $numbers = join ', ', map { $_ + @sums } 1 .. @by;
	if ($query !~ /^SELECT \*/)
	{
		$query .= " GROUP BY $numbers" if @by;
		$query .= ' ORDER BY 1 DESC' . pick('', ' NULLS LAST') . ", $numbers LIMIT " . pick(1, 3, 10) if @by && rand() < 0.3;
	}
	return map { sprintf("($query) q ORDER BY q::text COLLATE \"C\"", $_) } "ecinsight.$name('$relation')", plain_view($name);
}

# Pairs of queries: ours and the definition's.
sub calls
{
	my ($n) = @_;
	my @calls;
	foreach (1 .. $n)
	{
		my $name = pick((sort keys %arguments), qw(overview overview sales_trend));
		my $relation = pick(qw(c c c c c p p h v));
		if (rand() < 0.3)
		{
			push @calls, [ view_call($relation) ];
			next;
		}
		my $arguments = join '', map { ", $_" } $arguments{$name}->(), common();
		push @calls, [ "ecinsight.$name('$relation'$arguments)", "spec.$name('h'$arguments)" ];
	}
	return @calls;
}

sub set_guc
{
	return "RESET work_mem; RESET hash_mem_multiplier;\n" if rand() < 0.6;
	return "SET work_mem = '64kB'; SET hash_mem_multiplier = 1;\n";
}

# ---- comparing ----

# SQL that prints the rows of a call between marks.
sub printing
{
	my ($number, $call) = @_;
	return join '', map { "\\echo \@\@ $number $_\nSELECT * FROM $call->[$_];\n" } 0, 1;
}

sub same_value
{
	my ($name, $x, $y) = @_;
	return 1 if $x eq $y;
	return 0 unless $is_float{$name} && $x =~ /^-?[\d.]+(e[-+]\d+)?$/ && $y =~ /^-?[\d.]+(e[-+]\d+)?$/;
	return abs($x - $y) <= 1e-9 * (1 + abs($y));
}

# Empty if the results are equal; the order of equal phi is theirs up to rounding.
sub difference
{
	my ($ours, $theirs, $function) = @_;
	my @rows = map { [ map { [ split /\x1f/, $_, -1 ] } split /\n/, $_ ] } $ours, $theirs;
	my @names = @{ $rows[0][0] // [] };
	if ($function =~ /category_correlation/)
	{
		foreach my $result (@rows) { @$result = ($result->[0], sort { "@$a[1, 2]" cmp "@$b[1, 2]" } @$result[ 1 .. $#$result ]); }
		foreach my $row (map { @$_[ 1 .. $#$_ ] } @rows) { $row->[0] = 0; }
	}
	return 'counts of rows ' . $#{ $rows[0] } . ' and ' . $#{ $rows[1] } if @{ $rows[0] } != @{ $rows[1] };
	foreach my $i (0 .. $#{ $rows[0] })
	{
		my ($x, $y) = ($rows[0][$i], $rows[1][$i]);
		my $equal = @$x == @$y && !grep { !same_value($names[$_], $x->[$_], $y->[$_]) } 0 .. $#$x;
		return "row $i: " . join('|', @$x) . ' and ' . join('|', @$y) unless $equal;
	}
	return '';
}

my @unaligned = ('-P', 'tuples_only=off', '-P', 'footer=off', '-F', "\x1f", '-P', 'null=\\N', '-A');

# Compares what a script has printed of each call.
sub compare_calls
{
	my ($label, $out, @calls) = @_;
	my %printed = $out =~ /^\@\@ (\d+ [01])\n(.*?)(?=^\@\@ |\z)/msg;
	foreach my $i (0 .. $#calls)
	{
		my ($ours, $theirs) = map { ($printed{"$i $_"} // '') =~ s/\n+\z//r } 0, 1;
		my $difference = $ours eq '' ? 'nothing printed' : difference($ours, $theirs, $calls[$i][0]);
		is($difference, '', "$label: $calls[$i][0]");
	}
	return;
}

# A session whose snapshot is taken now.
sub earlier_session
{
	my %s = (in => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT 1;\n\\echo begun\n", out => '', err => '');
	$s{run} = IPC::Run::start([ 'psql', '-Xq', @unaligned, '-d', $node->connstr('postgres') ], '<', \$s{in}, '>', \$s{out}, '2>', \$s{err},
		IPC::Run::timeout(300));
	$s{run}->pump until $s{out} =~ /^begun$/m || !$s{run}->pumpable;
	return \%s;
}

sub ask_earlier_session
{
	my ($s, $label) = @_;
	my @calls = calls(3);
	$s->{out} = '';
	$s->{in} .= join('', map { printing($_, $calls[$_]) } 0 .. $#calls) . "\\q\n";
	$s->{run}->finish;
	is($s->{err}, '', "$label, earlier snapshot: runs");
	compare_calls("$label, earlier snapshot", $s->{out}, @calls);
	return;
}

sub run_round
{
	my ($label, $script, @calls) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', "\\set QUIET on\n\\set VERBOSITY terse\nSET client_min_messages = warning;\nSELECT setseed(" . rand() . ") \\g /dev/null\n$script", stdout => \$out, stderr => \$err,
		on_error_stop => 1, extra_params => \@unaligned);
	is($err, '', "$label: runs") or note($script);
	compare_calls($label, $out, @calls);
	return;
}

sub maintain
{
	return pick("VACUUM c;\n", "VACUUM c; VACUUM p;\n", "VACUUM c; VACUUM p;\n", "SELECT ecinsight.compact('c') \\g /dev/null\n", "VACUUM FULL c;\n");
}

sub round_script
{
	my @calls = calls(12);
	my @print = map { set_guc() . printing($_, $calls[$_]) } 0 .. $#calls;
	my $script = rand() < 0.5 ? maintain() : '';
	$script .= "BEGIN;\n" . join('', map { change() } 1 .. 1 + int(rand(4))) . join('', @print[ 0 .. 3 ]);
	$script .= pick("COMMIT;\n", "COMMIT;\n", "COMMIT;\n", "ROLLBACK;\n") . join('', @print[ 4 .. 7 ]);
	$script .= maintain() if rand() < 0.4;
	return ($script . join('', @print[ 8 .. $#print ]), @calls);
}

# In how many states were there summaries, and several sets of them?
my $summed = 0;
my $several = 0;
sub count_summaries
{
	my $sets = $node->safe_psql('postgres', "SELECT count(DISTINCT set_number) FROM ecinsight.summaries('c')");
	$summed++ if $sets > 0;
	$several++ if $sets > 1;
	return $sets;
}

# A load, then one that is much smaller, each with a VACUUM: two sets, which no VACUUM merges while nothing is new.
sub two_sets
{
	my $rows = pick(1000, 5000, 12000);
	my @calls = calls(6);
	my $script = create_tables() . join '', map { fill_staging($_) . all_three('INSERT INTO T SELECT * FROM staging;') . "VACUUM c; VACUUM p;\n" } $rows, $rows / 5;
	return ($script . join('', map { set_guc() . printing($_, $calls[$_]) } 0 .. $#calls), @calls);
}

foreach my $seed ($first .. $first + $seeds - 1)
{
	srand($seed);
	run_round("seed $seed", two_sets());
	is(count_summaries(), 2, "seed $seed: two sets at first");
	foreach my $round (1 .. 6)
	{
		my $earlier = earlier_session();
		run_round("seed $seed, $round", round_script());
		ask_earlier_session($earlier, "seed $seed, $round");
		count_summaries();
	}
	is($node->safe_psql('postgres', "SELECT * FROM ecinsight.verify('c')"), '', "seed $seed: sound");
}
cmp_ok($summed, '>', $seeds * 3, "summaries were there in $summed of " . $seeds * 7 . ' states');
cmp_ok($several, '>=', $seeds, "several sets in $several states");
$node->stop;
done_testing();
