#!/usr/bin/env perl
# ecproduce without a broker: reading, splitting, counting, options.  (With one: test/t/030_ecproduce.pl)
#   ecproduce.pl BIN ECGEN
use strict;
use warnings;
use IO::Handle;
use Test::More;
use Time::HiRes qw(time sleep);

my ($ecproduce, $ecgen) = @ARGV;
my $tmp = $ENV{EC_TEST_TMP};
delete $ENV{KAFKA_BOOTSTRAP};
my $header = 'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session';
my $row = "2019-10-01 00:00:00 UTC,view,1004856,2053013555631882655,electronics.smartphone,samsung,130.76,543272936,8187d148-3c41-46d4-90b0-9c08cd9dc564";

sub run { my ($options, $from) = @_; my $out = `$ecproduce $options 2>$tmp/err ${\($from // '</dev/null')}`; return ($out, $? >> 8) }
sub errors { open(my $f, '<', "$tmp/err") or die; local $/; return scalar(<$f>) // '' }
sub file { my ($name, @content) = @_; open(my $f, '>:raw', "$tmp/$name") or die; print $f @content; close $f; return "$tmp/$name" }

sub json
{
	my ($text) = @_;
	my %v;
	chomp $text;
	return undef unless $text =~ s/\A\{(.*)\}\z/$1/;
	foreach my $pair (split /, /, $text)
	{
		return undef unless $pair =~ /\A"(\w+)": (-?\d+(?:\.\d+)?|true|false|"[^"]*")\z/;
		$v{$1} = $2;
	}
	return \%v;
}

# Counts of a dry run, and that they are these
sub counts
{
	my ($what, $options, $from, %expected) = @_;
	my ($out, $code) = run("--dry-run --json $options", $from);
	my $v = json($out);
	is($code, 0, "$what: exit code") or diag(errors());
	ok(defined $v, "$what: JSON") or return;
	is_deeply({ map { $_ => $v->{$_} } keys %expected }, \%expected, "$what: counts");
	return $v;
}

# Options
foreach my $bad ('', '-t x --codec lzma', '-t x --header maybe', '-t x -n 0', '-t x -X novalue', '-t x --rate 0', '-t x --rate 1 --replay 1',
	'-t x --key user_id --partition 1', '-t x --delimiter ab', '-t x --timeout none', '-t x --nonsense', '-t x -p -1', '-t x -n 1.5',
	'-t x -X no.such.property=1', '-t x -X linger.ms=word')
{
	my ($out, $code) = run($bad);
	is($code, 2, "'$bad': exit code 2");
	like(errors(), qr/ecproduce --help/, "'$bad': a hint");
}
{
	my ($out, $code) = run('--help');
	is($code, 0, '--help');
	like($out, qr/Usage: ecproduce -t TOPIC/, '--help shows the usage');
	($out, $code) = run('--version');
	like($out, qr/^ecproduce \(ecinsight\) \d+\.\d+, librdkafka \d/, '--version');
}

# No broker
{
	my $f = file('one.csv', "$row\n");
	my $start = time;
	my ($out, $code) = run("-b 127.0.0.1:1 -t x --timeout 2 $f");
	is($code, 1, 'no broker: exit code 1');
	like(errors(), qr/no broker answers at "127\.0\.0\.1:1" within 2 s/, 'no broker: the reason');
	ok(time - $start < 15, 'no broker: in bounded time');
	($out, $code) = run("-b 127.0.0.1:1 -t x $tmp/nothing.csv");
	is($code, 1, 'no file: exit code 1');
	like(errors(), qr/could not open .*nothing\.csv/, 'no file: the reason, before a broker is looked for');
	($out, $code) = run("--dry-run $tmp");
	is($code, 1, 'a directory is no input');
}

# What is a row
counts('nothing', '', undef, rows => 0, messages => 0, bytes => 0, header_lines => 0);
counts('header only', '', '<' . file('h.csv', "$header\n"), rows => 0, messages => 0, header_lines => 1);
counts('no end of line', '', '<' . file('n.csv', "$header\n$row"), rows => 1, messages => 1, bytes => length("$header\n$row"));
counts('header without end', '', '<' . file('hn.csv', $header), rows => 0, header_lines => 1);
counts('CR LF', '', '<' . file('crlf.csv', "$header\r\n$row\r\n\r\n$row\r\n"), rows => 2, header_lines => 1, blank_lines => 1);
counts('byte order mark', '', '<' . file('bom.csv', "\xef\xbb\xbf$header\n$row\n"), rows => 1, header_lines => 1, bytes => length("$header\n$row\n"));
counts('no header', '', '<' . file('noh.csv', "$row\n" x 3), rows => 3, header_lines => 0, bytes => 3 * length "$row\n");
counts('quoted ends of line', '', '<' . file('q.csv', "$header\n", "1,\"a\n\nb\"\"\n\",2\n" x 7), rows => 7, blank_lines => 0);
counts('open quote at the end', '', '<' . file('o.csv', "$row\n1,\"a\n$row\n$row"), rows => 2);
counts('header lines between', '-n 2', '<' . file('hh.csv', "$header\n$row\n$header\n$row\n$row\n"), rows => 3, header_lines => 2, messages => 2);
(my $other = $header) =~ s/^event_time,event_type/event_type,event_time/;
counts('another header', '', '<' . file('oh.csv', "$header\n$row\n$row\n$other\n$row\n"),
	rows => 3, header_lines => 2, messages => 2, bytes => 2 * length("$header\n") + 3 * length "$row\n");
counts('columns of one\'s own', '--columns k,v', '<' . file('kv.csv', "K,V\n1,2\n"), rows => 1, header_lines => 1);
counts('another delimiter', '--delimiter ";" --columns k,v', '<' . file('sc.csv', "k;v\n1;\"a\nb\"\n1;2,\"x\n"), rows => 2, header_lines => 1);

# What is a message
my $plain = file('plain.csv', "$header\n", "$row\n" x 12001);
my $h = length "$header\n";
my $all = 12001 * length "$row\n";
counts('5,000 rows a message', '', "<$plain", rows => 12001, messages => 3, bytes => $all + 3 * $h, short_messages => 0);
counts('1 row a message', '-n 1', "<$plain", rows => 12001, messages => 12001, bytes => $all + 12001 * $h);
counts('header kept', '--header keep', "<$plain", rows => 12001, messages => 3, bytes => $all + $h, header_lines => 1);
counts('header dropped', '--header drop', "<$plain", rows => 12001, messages => 3, bytes => $all, header_lines => 1);
counts('two files', '', "$plain $plain </dev/null", rows => 24002, messages => 6, header_lines => 2);
counts('a file and standard input', "$plain - ", "<$plain", rows => 24002, header_lines => 2);
counts('grouped by user', '--key user_id --create-topic 4', "<$plain", rows => 12001, messages => 3, partitions => 4);
my $v = counts('messages below the limit', '-n 100000', "<$plain", rows => 12001, messages => 2, short_messages => 1);
counts('big rows', '-n 100', '<' . file('big.csv', map { "1," . 'x' x 300000 . "\n" } 1 .. 7), rows => 7, messages => 4, short_messages => 3);
{
	my $most = 1000000 - 1024;
	counts('the largest row', '', '<' . file('largest.csv', "1,a\n", '1,' . 'x' x ($most - 3) . "\n", "1,b\n"), rows => 3, messages => 3);
	foreach my $key ('', '--key user_id --header drop')
	{
		my ($out, $code) = run("--dry-run $key " . file('toolarge.csv', "1,a\n2,b\n", '3,' . 'x' x ($most - 2) . "\n"));
		is($code, 1, "a row too large $key");
		like(errors(), qr/row 3, at byte 8, is larger than a message may be/, "a row too large $key: which one");
	}
	my ($out, $code) = run('--dry-run ' . file('never.csv', "1,a\n2,\"b\n" . "$row\n" x 12000));
	is($code, 1, 'a quote that swallows the rest');
	like(errors(), qr/row 2, at byte 4, .*a quote in it is never closed/, 'a quote that swallows the rest: where');
}
{
	my ($out, $code) = run("--dry-run --key nobody $plain");
	is($code, 1, 'no such key');
	like(errors(), qr/has no column "nobody"/, 'no such key: the reason');
}

# gzip
{
	system("gzip -c $plain >$tmp/plain.csv.gz") == 0 or die;
	my %same = (rows => 12001, messages => 3, bytes => $all + 3 * $h, header_lines => 1);
	counts('gzip', "$tmp/plain.csv.gz", undef, %same);
	counts('gzip from standard input', '', "<$tmp/plain.csv.gz", %same);
	system("(head -n 6000 $plain | gzip -c; tail -n +6001 $plain | gzip -9 -c; head -c 512 /dev/zero) >$tmp/members.gz") == 0 or die;
	counts('gzip members and padding', "$tmp/members.gz", undef, %same);
	system("head -c 1000 $tmp/plain.csv.gz >$tmp/cut.gz") == 0 or die;
	my ($out, $code) = run("--dry-run $tmp/cut.gz");
	is($code, 1, 'cut gzip: exit code 1');
	like(errors(), qr/cut\.gz: the gzip data ends too early/, 'cut gzip: the reason');
	my $bytes = do { open(my $f, '<:raw', "$tmp/plain.csv.gz") or die; local $/; <$f> };
	substr($bytes, length($bytes) / 2, 20) = 'x' x 20;
	($out, $code) = run('--dry-run ' . file('damaged.gz', $bytes));
	is($code, 1, 'damaged gzip: exit code 1');
}

# A pipe that falls silent: what is whole leaves.
{
	my $out = `(head -n 11 $plain; sleep 2.5; tail -n +12 $plain) | $ecproduce --dry-run --json`;
	$v = json($out);
	is($v->{rows}, 12001, 'a slow pipe: all rows');
	is($v->{messages}, 4, 'a slow pipe: the first ten did not wait');
	$out = `perl -e '\$| = 1; open F, "<", shift; local \$/ = \\7; while (<F>) { print; \$n++ < 3 and select undef, undef, undef, 0.01 }' $plain | $ecproduce --dry-run --json`;
	is(json($out)->{rows}, 12001, 'a pipe in small pieces');
}

# Pace
{
	my $f = file('pace.csv', "$row\n" x 1000);
	my $v = counts('--rate', '--rate 1000', "<$f", rows => 1000, messages => 4);
	ok($v->{seconds} >= 0.7 && $v->{seconds} < 5, '--rate: a thousand rows at a thousand a second') or diag($v->{seconds});
	my @rows = map { sprintf "2019-10-01 00:%02d:%02d UTC,view,1,2,,,3.00,4,5\n", $_ / 60, $_ % 60 } 0 .. 120;
	$v = counts('--replay', '--replay 100', '<' . file('replay.csv', @rows), rows => 121);
	ok($v->{seconds} >= 1.15 && $v->{seconds} < 6, '--replay: two minutes a hundred times as fast') or diag($v->{seconds});
	ok($v->{messages} > 3 && $v->{messages} < 60, '--replay: due rows leave together') or diag($v->{messages});
}

# Signals
{
	my $pid = open(my $out, '-|', "exec $ecproduce --dry-run --json --rate 10 $plain") or die;
	sleep 1;
	kill 'TERM', $pid;
	my $v = json(scalar <$out>);
	close $out;
	is($? >> 8, 128 + 15, 'SIGTERM: exit code');
	is($v->{complete}, 'false', 'SIGTERM: not complete');
	ok($v->{rows} > 0 && $v->{rows} < 100, 'SIGTERM: what was sent till then') or diag($v->{rows});
}

# ecgen's dirt: every row is one row
{
	system("$ecgen -n 40000 --dirty 40 --dirty-report $tmp/r.tsv -o $tmp/dirty.csv") == 0 or die;
	my %n;
	open(my $f, '<', "$tmp/r.tsv") or die;
	while (<$f>) { $n{$1} = $2 if /^\w+\t(\w+)\t(?:\w+\t)?(\d+)$/ }
	foreach my $key ('', '--key user_id --create-topic 3')
	{
		counts("dirty rows $key", $key, "<$tmp/dirty.csv", rows => 40000, header_lines => $n{header_again} + 1, blank_lines => $n{empty_line});
	}
}

# The real samples, where they are
{
	my $dir = $ENV{EC_REAL_DATA} // '';
	my %rows = (
		'cosmetics_2019-Oct_excerpt.csv' => 102, 'elec_pandas_blank_session.csv' => 162, 'elec_pandas_sample100.csv' => 100,
		'multi_2019-Nov_head683_noheader.csv' => 683, 'multi_2019-Oct_head17k_crlf.csv' => 17435, 'multi_2019-Oct_head1k.csv' => 1000,
		'multi_2019-Oct_head5k.csv' => 5019, 'multi_example29.csv' => 29, 'multi_excel_nov10k_crlf.csv' => 10698, 'multi_excel_oct10k_crlf.csv' => 10659);
	foreach my $name (sort keys %rows)
	{
		next unless -r "$dir/$name";
		counts($name, '', "<$dir/$name", rows => $rows{$name}, header_lines => $name =~ /noheader/ ? 0 : 1);
	}
}
done_testing();
