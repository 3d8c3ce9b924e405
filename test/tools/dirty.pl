#!/usr/bin/env perl
# ecgen --dirty: its report against an independent reading of the rows.
#   dirty.pl BIN
use strict;
use warnings;
use Encode ();
use Test::More;

my ($ecgen) = @ARGV;
my $tmp = $ENV{EC_TEST_TMP};
my $header = 'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session';

sub read_report
{
	my ($file) = @_;
	my (%kind, %total);
	open(my $f, '<', $file) or die "$file: $!";
	while (<$f>)
	{
		chomp;
		my @field = split /\t/;
		if ($field[0] eq 'kind') { $kind{ $field[1] } = [ @field[ 2, 3 ] ] }
		else { $total{ $field[1] } = $field[2] }
	}
	return (\%kind, \%total);
}

# Rows of the text as a consumer sees them: a quote counts at the start of a field only.
my $field = qr/(?:"(?:[^"]++|"")*+(?:"[^,\n]*+|\z)|(?!")[^,\n]*+)/;
sub rows { my ($text) = @_; return $text =~ /\G($field(?:,$field)*+(?:\n|\z))/g }

# A deliberately plain parser: the fields of a row, or nothing if it is no CSV.
sub fields
{
	my ($row) = @_;
	$row =~ s/\n\z//;
	$row =~ s/\r\z//;
	my @f;
	while (1)
	{
		if ($row =~ s/\A"((?:[^"]++|"")*+)"(?=,|\z)//) { (my $v = $1) =~ s/""/"/g; push @f, \$v }
		elsif ($row =~ s/\A([^",\r]*)(?=,|\z)//) { push @f, $1 eq '' ? undef : \(my $v = $1) }
		else { return }
		last if $row !~ s/\A,//;
	}
	return @f;
}

sub good_int
{
	my ($v) = @_;
	my ($sign, $digits) = $v =~ /^\s*([-+]?)0*(\d+)\s*\z/ or return 0;
	my $limit = $sign eq '-' ? '9223372036854775808' : '9223372036854775807';
	return length($digits) < 19 || length($digits) == 19 && $digits le $limit;
}

sub good_price
{
	my ($v) = @_;
	return 1 if $v =~ /^\s*nan\s*\z/i;
	return 0 unless $v =~ /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*\z/i;
	return abs($v) < 99999999.995;
}

sub good_time
{
	my ($v) = @_;
	my ($y, $m, $d, $h, $i, $s) = $v =~ /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?: ?UTC|Z|[-+]\d\d(?::\d\d)?)\z/ or return 0;
	my @length = (0, 31, $y % 4 == 0 && ($y % 100 || $y % 400 == 0) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31);
	return $m >= 1 && $m <= 12 && $d >= 1 && $d <= $length[$m] && $h < 24 && $i < 60 && $s < 60;
}

sub good_row
{
	my ($row) = @_;
	return 0 if $row =~ /\0/;
	return 0 unless eval { Encode::decode('UTF-8', (my $copy = $row), Encode::FB_CROAK); 1 };
	my @f = fields($row);
	return 0 if @f != 9;
	my @check = (\&good_time, undef, \&good_int, \&good_int, undef, undef, \&good_price, \&good_int, undef);
	foreach my $i (0 .. 8)
	{
		return 0 if $check[$i] && defined $f[$i] && !$check[$i]->(${ $f[$i] });
	}
	return 1;
}

sub judge
{
	my ($text) = @_;
	my %seen = (good => 0, bad => 0, empty_line => 0, header_again => 0, bom => 0);
	$seen{bom}++ if $text =~ s/\A\xef\xbb\xbf//;
	foreach my $row (rows($text))
	{
		next if $row eq '';
		if ($row =~ /\A\r?\n\z/) { $seen{empty_line}++ }
		elsif ($row eq "$header\n") { $seen{header_again}++ }
		elsif (good_row($row)) { $seen{good}++ }
		else { $seen{bad}++ }
	}
	return \%seen;
}

sub check
{
	my ($options, $what) = @_;
	my $text = `$ecgen $options --dirty-report $tmp/report.tsv`;
	is($?, 0, "$what: made");
	my ($kind, $total) = read_report("$tmp/report.tsv");
	my $seen = judge($text);
	is($seen->{good}, $total->{good}, "$what: good rows");
	is($seen->{bad}, $total->{bad}, "$what: bad rows");
	is($total->{good} + $total->{bad}, $total->{rows}, "$what: together all rows");
	my $again = ($kind->{header_again} || [ 0, 0 ])->[1] + $total->{header};
	is($seen->{header_again}, $again, "$what: header lines");
	is($seen->{empty_line}, ($kind->{empty_line} || [ 0, 0 ])->[1], "$what: empty lines");
	is($seen->{bom}, ($kind->{bom} || [ 0, 0 ])->[1], "$what: byte order mark");
	return ($kind, $total, $text);
}

my ($kind, $total) = check('-n 30000 --dirty 20', 'a fifth');
my $dirt = $total->{rows} - $kind->{clean}[1];
ok($dirt > 5600 && $dirt < 6400, 'a fifth of the rows has dirt') or diag($dirt);
is(scalar(grep { $kind->{$_}[1] == 0 } keys %$kind), 0, 'every kind is there');
($kind, $total) = check('-n 5000 --dirty 100 -s 3', 'all of them');
is($kind->{clean}[1], 0, 'no clean row');
($kind, $total, my $text) = check('-n 2000 --dirty 0', 'none');
is($total->{bad}, 1, 'but the torn last row');
unlike($text, qr/\n\z/, 'which has no end');

# Each kind by itself
my @kinds = map { /^  (\w+) +(good|bad|skip|loss) / ? [ $1, $2 ] : () } `$ecgen --help`;
ok(@kinds > 30, 'the help lists the kinds');
foreach my $k (@kinds)
{
	my ($name, $class) = @$k;
	next if $class eq 'loss';
	my ($kinds, $totals) = check("-n 400 --dirty 50 --dirty-kinds $name", $name);
	is(join(',', sort keys %$kinds), join(',', sort 'clean', $name), "$name: nothing else");
	is($totals->{bad}, $class eq 'bad' ? $kinds->{$name}[1] : 0, "$name is $class");
}
($kind, $total) = read_report("$tmp/report.tsv") if system("$ecgen -n 1000 --dirty 1 --dirty-kinds open_quote --dirty-report $tmp/report.tsv >$tmp/loss.csv") == 0;
ok($total->{loss} > 0, 'an open quote is counted as loss');

# The dirt doesn't move the other rows.
my $clean = `$ecgen -n 3000`;
my $dirty = `$ecgen -n 3000 --dirty 50 --dirty-kinds crlf`;
isnt($dirty, $clean, 'CR LF');
$dirty =~ s/\r//g;
is($dirty, $clean, 'and nothing else');
done_testing();
