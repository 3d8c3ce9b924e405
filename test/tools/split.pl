#!/usr/bin/env perl
# The pure parts of ecproduce against an independent reading of RFC 4180, byte by byte.
#   split.pl DRIVER [SEED]
use strict;
use warnings;
use Test::More;
use Time::Local qw(timegm);

my ($driver, $seed) = @ARGV;
srand($seed // 4180);

sub u32 { return pack('V*', @_) }
sub str { return u32(length $_[0]) . $_[0] }

sub ask
{
	my ($input) = @_;
	my $file = "$ENV{EC_TEST_TMP}/driver.in";
	open(my $f, '>:raw', $file) or die "$file: $!";
	print $f $input;
	close $f;
	my @lines = `$driver <$file`;
	die "the driver failed: $?" if $?;
	chomp @lines;
	return @lines;
}

# The records of a text: [start, end, complete], ends of line included.
sub records
{
	my ($s) = @_;
	my ($start, $quoted, $field_start, @r) = (0, 0, 1);
	for (my $i = 0; $i < length $s; $i++)
	{
		my $c = substr($s, $i, 1);
		if ($quoted)
		{
			next if $c ne '"';
			if (substr($s, $i + 1, 1) eq '"') { $i++ }
			else { $quoted = 0 }
			$field_start = 0;
		}
		elsif ($c eq "\n")
		{
			push @r, [ $start, $i + 1, 1 ];
			$start = $i + 1;
			$field_start = 1;
		}
		elsif ($c eq '"' && $field_start) { $quoted = 1; $field_start = 0 }
		else { $field_start = $c eq ',' }
	}
	push @r, [ $start, length $s, 0 ] if $start < length $s;
	return @r;
}

# A header has more than half of its fields among a, b, c, or all three.
sub is_header
{
	my ($line) = @_;
	my @fields;
	my $rest = $line;
	while (1)
	{
		# a field ends at the first delimiter after its closing quote, if it has one
		if ($rest =~ s/^"((?:[^"]++|"")*+)"[^,]*//s) { (my $v = $1) =~ s/""/"/g; push @fields, $v }
		elsif ($rest =~ s/^"((?:[^"]++|"")*+)$//s) { push @fields, $1 }
		else { $rest =~ s/^([^,]*)//s; push @fields, $1 }
		last unless $rest =~ s/^,//;
	}
	my %seen;
	my $named = 0;
	foreach my $f (@fields)
	{
		(my $n = lc $f) =~ s/^ +| +$//g;
		next unless $n =~ /^[abc]\z/;
		$named++;
		$seen{$n} = 1;
	}
	return $named * 2 > @fields || keys %seen == 3;
}

# What the driver must answer, with a window that holds everything.
sub expected
{
	my ($s, $max_rows, $max_bytes) = @_;
	my $header;
	my $at = 0;
	my $answer = '';
	while ($at < length $s)
	{
		my $rest = substr($s, $at);
		my ($bytes, $rows, $blanks, $headers, $stop) = (0, 0, 0, 0);
		foreach my $r (records($rest))
		{
			# a line's kind is seen by its first end of line, quoted or not
			my ($line) = substr($rest, $r->[0]) =~ /^([^\n]*)/;
			$line =~ s/\r\z//;
			my $kind = $line =~ /^[0-9]/ ? 'row' : $line eq '' ? 'blank' : defined $header && $line eq $header ? 'again'
				: is_header($line) ? 'header' : 'row';
			# begins beyond the limit: not looked at
			last if $r->[0] >= $max_bytes;
			if ($kind eq 'header') { $stop = $line; last }
			last if $r->[1] > $max_bytes;
			$bytes = $r->[1];
			if ($kind eq 'blank') { $blanks++ }
			elsif ($kind eq 'again') { $headers++ }
			else { $rows++ }
			last if $rows == $max_rows;
		}
		$answer .= "$bytes:$rows:$blanks:$headers ";
		$at += $bytes;
		if (defined $stop)
		{
			my ($whole) = substr($s, $at) =~ /^([^\n]*\n?)/;
			$header = $stop;
			$answer .= 'H' . length($whole) . ' ';
			$at += length $whole;
		}
		elsif ($bytes == 0)
		{
			my @all = records(substr($rest, 0, $max_bytes));
			my $tail = substr($rest, 0, $max_bytes);
			$answer .= 'too large' . (open_quote($tail) ? ' open' : '');
			last;
		}
	}
	return $answer;
}

sub open_quote
{
	my ($s) = @_;
	my ($quoted, $start) = (0, 1);
	while ($s =~ /\G(.)/gs)
	{
		my $c = $1;
		if ($quoted == 1) { $quoted = 2 if $c eq '"'; next }
		if ($quoted == 2)
		{
			if ($c eq '"') { $quoted = 1; next }
			$quoted = 0;
			$start = $c eq ',' || $c eq "\n";
			next;
		}
		if ($c eq '"' && $start) { $quoted = 1 }
		else { $start = $c eq ',' || $c eq "\n" }
	}
	return $quoted == 1;
}

my @alphabets = (
	[ '"', ',', "\n", 'x', '7' ],
	[ '"', '"', ',', "\n", "\r\n", "\r", '1', 'a,b,c', ' ' ],
	[ "\n", "\n", "\r\n", "a,b,c\n", "b,A,c\r\n", "\"a\",b\n", "2019,x\n", 'x', '"', "a,b,c,d,e,f\n" ],
	[ '0123456789' x 7, ',"' . ('y' x 50) . "\n" . ('z' x 40) . '",', "\n", "\n2019-10-01 00:00:00 UTC,view,1,2,,,3.00,4,5\n", '"', ',' ],
	[ "2019-10-01 00:00:00 UTC,view,1004856,2053013555631882655,electronics.smartphone,samsung,130.76,543272936,8187d148-3c41-46d4-90b0-9c08cd9dc564\n",
	  "2019-10-01 00:00:00 UTC,view,1,2,\"a\"\"\nb\",,3.00,4,5\r\n", "\n", '"' ]);

sub random_text
{
	my $alphabet = $alphabets[ rand @alphabets ];
	my $s = '';
	$s .= $alphabet->[ rand @$alphabet ] for 1 .. 1 + int rand 40;
	return $s;
}

# Split: with a window over everything, all limits.
{
	my (@cases, $input);
	foreach my $text ("", "\n", "\r\n", "\r", "1", "1\n", "\"", "\"\n", "\"\"\n\"\"", "a,b,c", "a,b,c\n1\na,b,c\n2\n",
		"1\n\n\n2\n", "\xef\xbb\xbfa,b,c\n", "1,\"x\ny\"\n2\n", "1,x\"y\n2\n", "1,\"x\"y\"\n2\n", "1,\"x\"\"\n\"\n2", ("1\n" x 200))
	{
		push @cases, map { [ $text, $_, 1 << 20 ] } 1, 2, 3, 5000;
	}
	push @cases, [ random_text(), 1 + int rand 8, rand() < 0.5 ? 1 << 20 : 1 + int rand 300 ] for 1 .. 6000;
	@cases = grep { length $_->[0] } @cases;
	$input = join '', map { 's' . u32($_->[1], $_->[2], 1 << 20) . str($_->[0]) } @cases;
	my @answers = ask($input);
	is(scalar @answers, scalar @cases, 'an answer for each of ' . @cases . ' texts');
	my $wrong = 0;
	for my $i (0 .. $#cases)
	{
		my $expected = expected(@{ $cases[$i] });
		next if $answers[$i] eq $expected;
		next if $wrong++ > 3;
		(my $shown = $cases[$i][0]) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
		diag("rows <= $cases[$i][1], bytes <= $cases[$i][2]: $shown\n  got      $answers[$i]\n  expected $expected");
	}
	is($wrong, 0, 'rows end where the reference says');
}

# A moving window just larger than the limit changes nothing.
{
	my @cases = map { [ random_text() . random_text() . random_text(), 1 + int rand 8, 200 + int rand 200 ] } 1 .. 2000;
	my @whole = ask(join '', map { 's' . u32($_->[1], $_->[2], 1 << 20) . str($_->[0]) } @cases);
	my @moving = ask(join '', map { 's' . u32($_->[1], $_->[2], $_->[2] + 500) . str($_->[0]) } @cases);
	is_deeply(\@moving, \@whole, 'the same through a small window');
}

# Murmur2: values of Kafka's own Java client (3.9.2), then the partition among seven.
{
	my @known = (
		[ '', 275646681, 2 ], [ '1', -1993445489, 2 ], [ '21', -973932308, 3 ], [ 'abc', 479470107, 4 ], [ 'foobar', -790332482, 0 ],
		[ '541312140', -1772846822, 4 ], [ '512365995', 1924598434, 3 ], [ '1515915625519388267', -1902204329, 5 ],
		[ 'a-little-bit-longer-string', -1486304829, 0 ], [ '-1', 1531782027, 6 ]);
	my @answers = ask(join '', map { 'm' . str($_->[0]) } @known);
	is($answers[$_], "$known[$_][1] $known[$_][2]", "murmur2('$known[$_][0]')") for 0 .. $#known;
}

# Fields
{
	my $row = "t,view,\"a,\"\"b\"\"\",,\"x\ny\",last\r\n";
	my @answers = split /\n(?=[^y])/, join "\n", ask(join '', map { 'f' . u32($_) . str($row) } 0 .. 6);
	is_deeply(\@answers, [ 't|t', 'view|view', '"a,""b"""|a,"b"', '|', "\"x\ny\"|x\ny", 'last|last', '-' ], 'fields of a row');
	is_deeply([ ask('f' . u32(0) . str('') . 'f' . u32(1) . str('a,') . 'f' . u32(1) . str('"a,b') . 'f' . u32(0) . str('"a"b,c')) ],
		[ '|', '|', '-', '"a"b|a' ], 'fields of odd rows');
}

# Times
{
	my @days = map { my $d = $_; map { sprintf '%04d-%02d-%02d 12:34:56 UTC', @{$d}[ 0 .. 1 ], $_ } 1, 15, 28 } map { my $y = $_; map { [ $y, $_ ] } 1 .. 12 } 1999, 2000, 2019, 2020, 2100;
	my @answers = ask(join '', map { 't' . str($_) } @days);
	my $first = timegm(56, 34, 12, 1, 0, 1999);
	my @expected = map { my ($y, $m, $d) = /^(\d+)-(\d+)-(\d+)/; timegm(56, 34, 12, $d, $m - 1, $y) - $first + $answers[0] } @days;
	is_deeply(\@answers, \@expected, 'times are as far apart as they should be');
	is_deeply([ ask(join '', map { 't' . str($_) } '', 'x', '2019-10-01', '2019-10-01T00:00:0', '20191001 000000UTC  ', '2019-1a-01 00:00:00') ],
		[ ('-') x 6 ], 'what is no time');
	is_deeply([ ask(join '', map { 't' . str($_) } '"2019-10-01 00:00:00 UTC"', '2019-10-01T00:00:00Z') ], [ (ask('t' . str('2019-10-01 00:00:00'))) x 2 ], 'other spellings');
}
done_testing();
