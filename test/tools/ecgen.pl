#!/usr/bin/env perl
# ecgen: the same bytes for ever, and a shop that looks like the real one.
#   ecgen.pl BIN
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;

my ($ecgen) = @ARGV;
my $tmp = $ENV{EC_TEST_TMP};
my $header = 'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session';

sub output { my $out = `$ecgen @_ 2>$tmp/err`; return wantarray ? ($out, $? >> 8) : $out }
sub errors { open(my $f, '<', "$tmp/err") or die; local $/; return scalar <$f> }
sub between { my ($got, $low, $high, $what) = @_; ok($got >= $low && $got <= $high, $what) or diag("got $got, wanted $low to $high") }

# Bytes that must never change: benchmarks and other tests compare runs of different days.
my %sum = (
	'-n 100k' => '96c51e5bf9b823d52df311d25ff04750f9290db734eb39e4fcb00ea4654546c3',
	'-n 20k -s 2 --start 2020-02-01 --end 2020-03-15' => '539e73da59119de365c09c649cfa1d4ea45257b87fed4a9998d541c3a97b0263',
	'-n 20k --users 300 --products 50' => 'd8f7c9ad4c6e28fb085f56ab129c2606799788a1dbbf741f5994121f22c3ebb2',
	'-n 20k --dirty 30' => '3d81b7f7339e421145740c0e8ed482d0c93bf614870fcb688a70b5410cf447e6');
is(sha256_hex(scalar output($_)), $sum{$_}, "ecgen $_: the pinned bytes") foreach sort keys %sum;
isnt(output('-n 1000 -s 1'), output('-n 1000 -s 2'), 'another seed, another shop');

# Rows: exactly as many as asked for, at any size and time.
foreach my $n (1, 2, 3, 10, 999, 12345)
{
	my $out = output("-n $n");
	is($out =~ tr/\n//, $n + 1, "$n rows and a header");
}
{
	my $out = output('--rows 5k --no-header');
	is($out =~ tr/\n//, 5000, '--no-header, --rows 5k');
	isnt(index($out, 'event_time'), 0, 'no header');
	is(output('-n 5000'), "$header\n$out", 'the header is the only difference');
	my $day = output('-n 50k --start 2020-02-29 --end 2020-03-01 --no-header');
	is($day =~ tr/\n//, 50000, 'all rows in one day');
	is(scalar(() = $day =~ /^2020-02-29 /mg), 50000, 'of that day');
}
{
	output("-n 1000 -o $tmp/out.csv");
	open(my $f, '<', "$tmp/out.csv") or die;
	local $/;
	is(<$f>, output('-n 1000'), '--output');
}

# Wrong options
foreach my $bad ('--rows 0', '--rows x', '--rows -5', '--seed', '--nonsense', 'word', '--start 2019-13-01', '--start 2019-02-30', '--end 2019-10-01',
	'--dirty 101', '--dirty-report x', '--dirty-kinds crlf', '--users 0')
{
	my ($out, $code) = output($bad);
	is($code, 2, "$bad: exit code 2");
	like(errors(), qr/ecgen --help/, "$bad: a hint");
}
{
	my ($out, $code) = output('--dirty 1 --dirty-kinds nonsense');
	is($code, 2, 'an unknown kind of dirt is refused');
	($out, $code) = output('-n 100k -o /dev/full');
	is($code, 1, 'a full disk is an error');
	like(errors(), qr/No space left/, 'and says so');
	($out, $code) = output("-n 1 -o $tmp/no/such/file");
	is($code, 1, 'so is a file that cannot be made');
	($out, $code) = output('--help');
	is($code, 0, '--help');
	like($out, qr/Usage: ecgen/, '--help shows the usage');
	($out, $code) = output('--version');
	like($out, qr/^ecgen \(ecinsight\) \d+\.\d+$/, '--version');
}

# The look of the shop, on 300,000 rows.
my (%types, %codes, %ids, %id_code, %product, %price_of, %users, %sessions, %session_users, %days, %hours, %chain, %paid, %max, %user_code);
my ($n, $bad, $late, $no_code, $no_brand, $neither, $zero, $zero_bought, $inconsistent, $doubles, $moved) = (0) x 11;
my ($last_time, $last_row) = ('', '');
open(my $f, '-|', "$ecgen -n 300k") or die;
chomp(my $first = <$f>);
is($first, $header, 'the header line');
while (my $row = <$f>)
{
	chomp $row;
	$n++;
	$bad++ unless $row =~ /^2019-1[01]-\d\d \d\d:\d\d:\d\d UTC,(view|cart|purchase),\d{7,9},\d{19},[a-z_.]*,[a-z0-9.-]*,\d{1,4}\.\d\d,5\d{8},([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})?$/;
	my ($time, $type, $product, $id, $code, $brand, $price, $user, $session) = split /,/, $row, -1;
	$late++ if $time lt $last_time;
	$doubles++ if $row eq $last_row;
	($last_time, $last_row) = ($time, $row);
	$types{$type}++;
	$codes{$code}++;
	$ids{$id}++;
	$no_code++ if $code eq '';
	$no_brand++ if $brand eq '';
	$neither++ if $code eq '' && $brand eq '';
	$inconsistent++ if ($id_code{$id} //= $code) ne $code || ($product{$product} //= "$id,$brand") ne "$id,$brand";
	$moved++ if defined $price_of{$product} && $price_of{$product} != $price;
	$price_of{$product} = $price;
	if ($price == 0) { $zero++; $zero_bought++ if $type ne 'view' }
	$paid{$code} += $price;
	$max{$code} = $price if $price > ($max{$code} // 0);
	$users{$user}++;
	$user_code{"$user,$code"}++;
	$sessions{$session}++;
	$session_users{$session}{$user} = 1;
	$days{ substr $time, 5, 5 }++;
	$hours{ substr $time, 11, 2 }++;
	$chain{"$session,$product"} .= substr $type, 0, 1;
}
close $f;
is($n, 300000, '300,000 rows');
is($bad, 0, 'every row looks like a row of the shop');
is($late, 0, 'times never go back');
is($inconsistent, 0, 'a product keeps category and brand, a category its code');
between(100 * $types{view} / $n, 94.5, 97, 'views');
between(100 * $types{cart} / $n, 2, 3.2, 'carts');
between(100 * $types{purchase} / $n, 1.1, 2, 'purchases');
my $bought = grep { /p/ } values %chain;
my $from_cart = grep { /v.*c.*p/ } values %chain;
between($from_cart / $bought, 0.5, 0.95, 'most purchases follow view and cart of the same product');
between(100 * $no_code / $n, 31.4, 33.4, 'rows without a code');
between(100 * $no_brand / $n, 13, 15, 'rows without a brand');
between(100 * $neither / $n, 7.5, 10, 'rows without both');
between(100 * $zero / $n, 0.05, 0.4, 'rows without a price');
is($zero_bought, 0, 'nobody buys what has no price');
between(scalar keys %codes, 119, 125, 'codes');
between(scalar keys %ids, 550, 1000, 'category ids');
my %by_code;
$by_code{ $id_code{$_} }++ foreach keys %ids;
delete $by_code{''};
between(scalar(grep { $_ > 1 } values %by_code) / keys %by_code, 0.27, 0.45, 'codes that have several ids');
my %share = (
	2053013555631882655 => 26.2, 2053013553559896355 => 4.81, 2053013558920217191 => 3.09, 2053013554415534427 => 3.07,
	2053013554658804075 => 2.73, 2053013563810775923 => 2.12, 2053013565983425517 => 2.12, 2053013563651392361 => 2.09,
	2053013553341792533 => 1.71, 2053013561579406073 => 1.48, 2053013563911439225 => 1.47, 2053013565639492569 => 0.98);
between(100 * ($ids{$_} // 0) / $n, $share{$_} * 0.85, $share{$_} * 1.15, "share of category $_") foreach sort keys %share;
my @top = sort { $ids{$b} <=> $ids{$a} } keys %ids;
is($top[0], 2053013555631882655, 'smartphones lead');
my %average = (
	'electronics.smartphone' => 479.43, 'computers.notebook' => 719.64, 'electronics.video.tv' => 460.38, 'computers.desktop' => 579.22,
	'furniture.living_room.sofa' => 622.35, 'sport.bicycle' => 419.81);
between($paid{$_} / $codes{$_}, $average{$_} * 0.88, $average{$_} * 1.12, "average price of $_") foreach sort keys %average;
my ($dearest) = sort { $b <=> $a } values %max;
between($dearest, 2500, 2574.07, 'the price cap');
between($moved, 5000, $n / 2, 'prices move');
between($n / keys %sessions, 4.4, 5.1, 'events in a session');
ok((grep { $_ == 1 } values %sessions) > keys(%sessions) * 0.3, 'a third of the sessions have one event');
between(scalar(grep { keys %{ $session_users{$_} } > 1 } grep { $_ ne '' } keys %sessions), 1, 60, 'few sessions have two users');
between($doubles, 20, 300, 'few rows are there twice');
my @users = sort { $b <=> $a } values %users;
between($users[0] / $n, 0.0002, 0.002, 'the busiest user');
my @pairs = sort { $b <=> $a } values %user_code;
between($pairs[0] / $n, 0.00008, 0.0005, 'the busiest user in a category');
is(scalar keys %days, 61, 'every day has events');
my $usual = $days{'10-15'};
between($days{'11-16'} / $usual, 2.4, 5, 'the peak in November');
between($days{'11-29'} / $days{'11-25'}, 1.15, 2.2, 'Black Friday');
between($hours{16} / $hours{23}, 4, 15, 'evenings are busier than nights');
done_testing();
