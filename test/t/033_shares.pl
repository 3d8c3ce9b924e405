# ecgen's shop looks like the one whose report the insights are modelled on: the report's three tables,
# as shares of its 109,950,743 rows, beside those of a million rows.  Shares and average prices are
# compared, not counts.  The heaviest pairs of user and category are single users, whose share shrinks as
# rows and users grow (rank 10: 2.5 times the report's at a million rows, 1.4 times at three): a factor of 3.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant REPORT_ROWS => 109_950_743;
use constant ROWS => 1_000_000;

my $tmp = PostgreSQL::Test::Utils::tempdir();
system('bin/ecgen', '-n', ROWS, '-o', "$tmp/events.csv") == 0 or die 'ecgen failed';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', "CREATE EXTENSION ecinsight; SELECT ecinsight.create_events_table('events');
	COPY events FROM '$tmp/events.csv' CSV HEADER");

sub close_to
{
	my ($got, $wanted, $factor, $what) = @_;
	ok($got >= $wanted / $factor && $got <= $wanted * $factor, sprintf('%s: %.5g beside %.5g', $what, $got, $wanted));
}

# category_id, interactions in the report
my %interactions = (
	'2053013555631882655' => 28833250, '2053013553559896355' => 5294285, '2053013558920217191' => 3394767, '2053013554415534427' => 3374747,
	'2053013554658804075' => 3007758, '2053013563810775923' => 2329638, '2053013565983425517' => 2328665, '2053013563651392361' => 2303605,
	'2053013553341792533' => 1882651, '2053013561579406073' => 1630396, '2053013563911439225' => 1615724, '2053013565639492569' => 1074051);
my %got = map { split /\|/ } split /\n/, $node->safe_psql('postgres', "SELECT category_id, interaction_count FROM ecinsight.popular_categories('events', k => NULL)");
close_to(($got{$_} // 0) / ROWS, $interactions{$_} / REPORT_ROWS, 1.1, "share of category $_")
  foreach sort { $interactions{$b} <=> $interactions{$a} } keys %interactions;
is($node->safe_psql('postgres', "SELECT string_agg(category_id::text, ' ' ORDER BY rank) FROM ecinsight.popular_categories('events', k => 3)"),
	'2053013555631882655 2053013553559896355 2053013558920217191', 'the three most popular categories are the same');

# category_code, average price
my %average = (
	'electronics.camera.photo' => 807.10, 'computers.notebook' => 719.64, 'electronics.video.projector' => 705.81, 'furniture.living_room.sofa' => 622.35,
	'computers.desktop' => 579.22, 'electronics.smartphone' => 479.43, 'auto.accessories.winch' => 474.44, 'electronics.video.tv' => 460.38,
	'appliances.kitchen.dishwasher' => 425.15, 'sport.bicycle' => 419.81);
my %price = map { split /\|/ } split /\n/, $node->safe_psql('postgres', "SELECT category_code, average_price FROM ecinsight.price_sensitivity('events', k => NULL) WHERE category_code IS NOT NULL");
close_to($price{$_} // 0, $average{$_}, 1.1, "average price of $_") foreach sort keys %average;

# the ten heaviest pairs of user and category
my @pairs = (13647, 12557, 9430, 5562, 5558, 5385, 5331, 4390, 4303, 4169);
my @heaviest = split /\n/, $node->safe_psql('postgres', "SELECT interactions FROM ecinsight.top_user_categories('events')");
close_to($heaviest[$_] / ROWS, $pairs[$_] / REPORT_ROWS, 3, 'share of the user and category of rank ' . ($_ + 1)) foreach 0 .. 9;

# blanks: rows without category_code and brand
my ($code, $brand) = split /\|/, $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE category_code IS NULL), count(*) FILTER (WHERE brand IS NULL) FROM events");
close_to($code / ROWS, 0.324, 1.1, 'rows without category_code');
close_to($brand / ROWS, 0.137, 1.1, 'rows without brand');

$node->stop;
done_testing();
