# ecproduce against a real broker: every row is there exactly once, or the exit code says that not.
use strict;
use warnings;

use EcKafka;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $tmp = PostgreSQL::Test::Utils::tempdir();
my $kafka = EcKafka->new(dir => $tmp);
my ($ecgen, $ecproduce) = ('bin/ecgen', 'bin/ecproduce');
$ENV{KAFKA_BOOTSTRAP} = $kafka->bootstrap;

sub slurp_raw { my ($file) = @_; open(my $f, '<:raw', $file) or die "$file: $!"; local $/; return scalar <$f> }
sub numbers { my ($json) = @_; my %v; $v{$1} = $2 while $json =~ /"(\w+)": ([\w.]+)/g; return \%v }

# Exit code, counts and errors
sub produce
{
	my (@args) = @_;
	my $pid = start_producer(@args);
	return end_producer($pid);
}

sub start_producer
{
	my (@args) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>', "$tmp/out");
	open(STDERR, '>', "$tmp/err");
	exec($ecproduce, '--json', @args) or die;
}

sub end_producer
{
	my ($pid) = @_;
	waitpid($pid, 0);
	return ($? >> 8, numbers(slurp_raw("$tmp/out")), slurp_raw("$tmp/err"));
}

# The messages of a topic: [partition, offset, bytes]
sub messages
{
	my ($topic) = @_;
	my @messages;
	open(my $f, '-|:raw', 'kcat', '-b', $kafka->bootstrap, '-C', '-t', $topic, '-e', '-q', '-f', '%p %o %S\n%s') or die "kcat: $!";
	while (my $head = <$f>)
	{
		my ($partition, $offset, $size) = $head =~ /^(\d+) (\d+) (\d+)\n/ or die "kcat: $head";
		read($f, my $bytes, $size) == $size or die 'kcat: too short';
		push @messages, [ $partition, $offset, $bytes ];
	}
	close $f or die 'kcat failed';
	return @messages;
}

system($ecgen, '-n', '60000', '-o', "$tmp/events.csv") == 0 or die;
my ($header, @rows) = split /^/, slurp_raw("$tmp/events.csv");
my @sorted = sort @rows;

# All rows of these messages, without the headers, sorted.
sub rows_of { my (@messages) = @_; return [ sort grep { $_ ne $header } map { split /^/, $_->[2] } @messages ] }

# ---- plain ----
my ($code, $n, $err) = produce('-t', 'plain', '--create-topic', 4, "$tmp/events.csv");
is($code, 0, 'plain: exit code') or diag($err);
is("$n->{rows} $n->{messages} $n->{partitions} $n->{complete}", '60000 12 4 true', 'plain: counts');
my @m = messages('plain');
is(scalar @m, 12, 'plain: messages');
is($kafka->message_count('plain'), 12, 'plain: offsets');
is_deeply(rows_of(@m), \@sorted, 'plain: every row once');
is(scalar(grep { index($_->[2], $header) == 0 && index($_->[2], $header, 1) < 0 } @m), 12, 'plain: each message begins with the header');
is(scalar(grep { ($_->[2] =~ tr/\n//) == 5001 } @m), 12, 'plain: 5,000 rows in each');
my %in;
$in{ $_->[0] }++ foreach @m;
is_deeply(\%in, { 0 => 3, 1 => 3, 2 => 3, 3 => 3 }, 'plain: the partitions in turn');
my $bytes = 0;
$bytes += length $_->[2] foreach @m;
is($n->{bytes}, $bytes, 'plain: bytes acknowledged');

# ---- fresh topics ----
# Their partitions may have no leader yet when the first message comes: nothing may be lost then.
my $lost = 0;
foreach my $i (1 .. 20)
{
	($code, $n) = produce('-t', "fresh$i", '--create-topic', 4, "$tmp/events.csv");
	my $there = $kafka->message_count("fresh$i");
	$lost++, diag("topic $i: exit code $code, $n->{messages} messages acknowledged, $there there") if $code || $there != 12;
	$kafka->delete_topic("fresh$i");
}
is($lost, 0, 'twenty fresh topics: every message is there');

# ---- again ----
($code, $n, $err) = produce('-t', 'plain', '--create-topic', 3, '--header', 'drop', '-n', 7000, '-p', 2, "$tmp/events.csv");
is($code, 0, 'once more');
is($kafka->end_offset('plain', 2), 3 + 9, 'once more: after what was there, in one partition');
like($err, qr/exists already and has 4 partitions/, 'once more: the number of partitions stays, with a warning');
($code, $n, $err) = produce('-t', 'plain', '--recreate', "$tmp/events.csv");
is("$code $n->{partitions} " . $kafka->message_count('plain'), '0 4 12', '--recreate: afresh');
is($kafka->end_offset('plain', 0, 'earliest'), 0, '--recreate: from offset 0');
($code) = produce('-t', 'plain', '--recreate', '--create-topic', 2, '-q', "$tmp/events.csv");
is($code . ' ' . scalar(@{ $kafka->metadata->{topics}{plain} }), '0 2', '--recreate with another number of partitions');
($code, $n, $err) = produce('-t', 'absent', "$tmp/events.csv");
is($code, 1, 'no topic: exit code');
like($err, qr/topic "absent" does not exist; --create-topic/, 'no topic: the reason');
ok(!(grep { $_ eq 'absent' } $kafka->topics), 'no topic: none made');
($code, $n, $err) = produce('-t', 'plain', '-p', 2, "$tmp/events.csv");
is($code, 1, 'no such partition');
($code, $n, $err) = produce('-t', 'bad name!', '--create-topic', 1, "$tmp/events.csv");
is($code, 1, 'a name that no topic can have');
like($err, qr/could not create topic "bad name!"/, 'with the reason');

# ---- by user ----
($code, $n) = produce('-t', 'users', '--create-topic', 7, '--key', 'user_id', "$tmp/events.csv");
is("$code $n->{rows} $n->{complete}", '0 60000 true', 'by user: counts');
@m = messages('users');
is_deeply(rows_of(@m), \@sorted, 'by user: every row once');
my (%partition_of, %rows_in, %order);
my $split = 0;
foreach my $m (@m)
{
	foreach my $row (grep { $_ ne $header } split /^/, $m->[2])
	{
		my ($time, $user) = (split /,/, $row)[ 0, 7 ];
		$split++ if ($partition_of{$user} //= $m->[0]) != $m->[0];
		$rows_in{ $m->[0] }++;
	}
}
is($split, 0, 'by user: a user is in one partition');
is(scalar keys %rows_in, 7, 'by user: all partitions have rows');
foreach my $m (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @m) { push @{ $order{ $m->[0] } }, grep { $_ ne $header } split /^/, $m->[2] }
my %input_order;
push @{ $input_order{ $partition_of{ (split /,/, $_)[7] } } }, $_ foreach @rows;
is_deeply(\%order, \%input_order, 'by user: the order of the input within a partition');

# The partitions that Kafka's Java client chooses for these keys (of seven), quoted or not.
open(my $f, '>', "$tmp/keys.csv") or die;
my %java = ('1' => 2, '21' => 3, '541312140' => 4, '512365995' => 3, '1515915625519388267' => 5, '-1' => 6);
print $f map { ("t,view,1,1,,,1.00,$_,s\n", "t,view,1,1,,\"a\nb\",1.00,\"$_\",s\n") } sort keys %java;
close $f;
($code) = produce('-t', 'keys', '--create-topic', 7, '-k', 'user_id', "$tmp/keys.csv");
my %found;
foreach my $m (messages('keys')) { $found{$1} .= $m->[0] while $m->[2] =~ /1\.00,"?(-?\d+)"?,s\n/g }
is_deeply(\%found, { map { $_ => $java{$_} x 2 } keys %java }, 'by user: as the Java client does');

# ---- codecs, gzip, sizes ----
system("gzip -kf $tmp/events.csv") == 0 or die;
foreach my $codec (qw(none lz4 zstd gzip snappy))
{
	($code, $n) = produce('-t', "c-$codec", '--create-topic', 1, '--codec', $codec, "$tmp/events.csv.gz");
	is("$code $n->{rows}", '0 60000', "$codec: counts");
	is_deeply(rows_of(messages("c-$codec")), \@sorted, "$codec: every row once");
}
open($f, '>', "$tmp/big.csv") or die;
print $f "1,a\n2,", 'x' x (1000000 - 1024 - 3), "\n3,c\n";
close $f;
($code, $n, $err) = produce('-t', 'big', '--create-topic', 1, '--codec', 'none', "$tmp/big.csv");
is("$code $n->{rows} $n->{messages}", '0 3 3', 'the largest row that ecproduce takes passes librdkafka and broker') or diag($err);
is(length((messages('big'))[1][2]), 1000000 - 1024, 'the largest row: whole');
$kafka->create_topic('small', 1, 'max.message.bytes' => 2000);
($code, $n, $err) = produce('-t', 'small', '--codec', 'none', "$tmp/events.csv");
is($code, 1, 'refused by the broker: exit code');
like($err, qr/not delivered: .*too large/, 'refused by the broker: the reason');
is("$n->{rows} $n->{complete}", '0 false', 'refused by the broker: nothing counted');
ok($n->{failed_rows} > 0, 'refused by the broker: failures counted');

# ---- the broker dies and comes back ----
$kafka->create_topic('killed', 4);
my $pid = start_producer('-t', 'killed', '--rate', 20000, "$tmp/events.csv");
sleep 0.2 until $kafka->message_count('killed') > 0;
$kafka->kill9;
sleep 1;
$kafka->start;
($code, $n, $err) = end_producer($pid);
is("$code $n->{rows} $n->{failed_rows}", '0 60000 0', 'broker killed and back: counts') or diag($err);
is_deeply(rows_of(messages('killed')), \@sorted, 'broker killed and back: every row once');
is($kafka->message_count('killed'), $n->{messages}, 'broker killed and back: every message once');

# ---- the broker freezes ----
$kafka->create_topic('frozen', 2);
$pid = start_producer('-t', 'frozen', '--rate', 20000, '-X', 'socket.timeout.ms=1000', "$tmp/events.csv");
sleep 0.2 until $kafka->message_count('frozen') > 0;
$kafka->sigstop;
sleep 3;
$kafka->sigcont;
($code, $n, $err) = end_producer($pid);
is("$code $n->{rows}", '0 60000', 'broker frozen for three seconds: counts') or diag($err);
is_deeply(rows_of(messages('frozen')), \@sorted, 'broker frozen for three seconds: every row once');

# ---- the broker stays away ----
$kafka->create_topic('gone', 2);
$pid = start_producer('-t', 'gone', '--rate', 20000, '-X', 'message.timeout.ms=2000', "$tmp/events.csv");
sleep 0.2 until $kafka->message_count('gone') > 0;
$kafka->kill9;
my $start = time;
($code, $n, $err) = end_producer($pid);
is("$code $n->{complete}", '1 false', 'broker away: exit code');
like($err, qr/was not delivered/, 'broker away: the reason');
ok(time - $start < 30, 'broker away: ends in time');
$kafka->start;
my $there = rows_of(messages('gone'));
ok(@$there >= $n->{rows} && $n->{rows} > 0, 'broker away: what was acknowledged is there') or diag(scalar(@$there) . " rows there, $n->{rows} acknowledged");

# ---- signals ----
$kafka->create_topic('stopped', 2);
$pid = start_producer('-t', 'stopped', '--rate', 20000, "$tmp/events.csv");
sleep 0.2 until $kafka->message_count('stopped') > 0;
kill 'INT', $pid;
($code, $n) = end_producer($pid);
is("$code $n->{complete}", '130 false', 'SIGINT: exit code');
ok($n->{rows} > 0 && $n->{rows} < 60000, 'SIGINT: a part was sent') or diag($n->{rows});
is($n->{rows}, $n->{rows_read}, 'SIGINT: what was taken is acknowledged');
is_deeply(rows_of(messages('stopped')), [ sort @rows[ 0 .. $n->{rows} - 1 ] ], 'SIGINT: and there');

done_testing();
