# The whole road: ecgen's dirty events, ecproduce, Kafka, the worker, the table.  What ecgen says
# about its rows is the oracle: good ones are in the table, bad ones are dead letters, none is lost.
use strict;
use warnings;

use EcIngest;
use Test::More;

my $t = EcIngest->new;
my $tmp = PostgreSQL::Test::Utils::tempdir();
$ENV{KAFKA_BOOTSTRAP} = $t->kafka->bootstrap;

# ecgen's report: { clean => 90157, few_fields => 338, … }, { rows => …, good => …, bad => … }
sub report
{
	my (%kind, %total);
	open(my $f, '<', "$tmp/report.tsv") or die;
	while (<$f>)
	{
		chomp;
		my @field = split /\t/;
		if ($field[0] eq 'kind') { $kind{ $field[1] } = $field[3] }
		else { $total{ $field[1] } = $field[2] }
	}
	return (\%kind, \%total);
}

# Generate, produce and wait; returns the report and ecproduce's summary.
sub flow
{
	my ($name, $gen, $produce) = @_;
	system("bin/ecgen $gen --dirty-report $tmp/report.tsv -o $tmp/events.csv") == 0 or die 'ecgen failed';
	$t->kafka->create_topic($name, 3);
	$t->sql("SELECT ecinsight.create_events_table('$name')");
	$t->sql("SELECT ecinsight.create_stream('$name', 'k', '{$name}', '$name', max_delay => '100 ms')");
	my $out = `bin/ecproduce -t $name --json $produce $tmp/events.csv`;
	is($?, 0, "$name: produced") or diag($out);
	my %sent = $out =~ /"(\w+)": (\d+)/g;
	$t->wait_stream($name);
	return (report(), \%sent);
}

sub letters { my ($name, $and) = @_; return $t->sql("SELECT count(*) FROM ecinsight.dead_letters WHERE stream = '$name'" . ($and // '')) }

foreach my $case ([ 'plain', '-n 40000 --dirty 10', '' ], [ 'by_user', '-n 40000 --dirty 30 -s 2', '--key user_id -n 700 --codec zstd' ])
{
	my ($name, $gen, $produce) = @$case;
	my ($kind, $total, $sent) = flow($name, $gen, $produce);
	is($sent->{rows}, $total->{rows}, "$name: ecproduce counts the rows as ecgen does");
	is($t->sql("SELECT count(*) FROM $name"), $total->{good}, "$name: the good rows are in the table");
	is(letters($name), $total->{bad}, "$name: the bad ones are dead letters");
	is($t->sql("SELECT rows, errors FROM ecinsight.stat_stream WHERE stream = '$name'"), "$total->{good}|$total->{bad}", "$name: the statistics say so too");

	# Kinds that a query can tell apart
	my %seen = (
		price_nan => "price = 'NaN'",
		utf8 => "brand ~ '[^[:ascii:]]'",
		quoted_empty => "brand = '' OR category_code = ''",
		quoted_newline => "brand ~ E'\\n'",
		long_field => "length(brand) = 4096",
		other_ids => "length(user_session) = 10",
		other_type => "event_type NOT IN ('view', 'cart', 'purchase')",
		price_negative => "price IN (-5, -0.01, -99999999.99)",
		spaces => "12345 IN (product_id, user_id)");
	is($t->sql("SELECT count(*) FROM $name WHERE $seen{$_}"), $kind->{$_}, "$name: $_ in the table") foreach sort keys %seen;
	my %reason = (
		field_count => [qw(few_fields many_fields torn_tail)],
		invalid_encoding => ['bad_utf8'],
		nul_byte => ['nul_byte']);
	foreach my $reason (sort keys %reason)
	{
		my $expected = 0;
		$expected += $kind->{$_} foreach @{ $reason{$reason} };
		is(letters($name, " AND reason = '$reason'"), $expected, "$name: dead letters with reason $reason");
	}
}

# An open quote eats the rest of its message and nothing else.
{
	my ($kind, $total, $sent) = flow('tail', '-n 12000 --dirty 0 --dirty-kinds open_quote_tail', '');
	is($t->sql('SELECT count(*) FROM tail'), 11999, 'open quote in the last row: all others are there');
	is(letters('tail', " AND reason = 'open_quote'"), 1, 'open quote in the last row: a dead letter');
}
done_testing();
