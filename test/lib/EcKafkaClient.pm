
=pod

=head1 NAME

EcKafkaClient - a tiny Kafka client in core Perl, for tests and start-up checks

=head1 SYNOPSIS

  my $kafka = EcKafkaClient->new('127.0.0.1:9092');
  $kafka->ready or die;
  $kafka->create_topic('ecommerce', 4, 'max.message.bytes' => 5_000_000);
  my @offsets = $kafka->produce('ecommerce', 0, ["a,b\n", undef, { key => 'k', value => 'v', headers => [ a => '1' ] }]);

=head1 DESCRIPTION

Speaks the wire protocol over one blocking connection per call, to one broker that leads every
partition (as scripts/broker starts it).  Why not kcat or Kafka's own tools: topics cost 2 s of
Java each and kcat can't make them, nor write tombstones, headers and timestamps message by
message.  Not for bulk data: the checksum is computed in Perl at a few MB/s; use bin/ecproduce.

Every method dies with Kafka's error name when the broker refuses.

=cut

package EcKafkaClient;

use strict;
use warnings;

use IO::Socket::INET;

my %ERROR = (
	1 => 'OFFSET_OUT_OF_RANGE', 2 => 'CORRUPT_MESSAGE', 3 => 'UNKNOWN_TOPIC_OR_PARTITION', 5 => 'LEADER_NOT_AVAILABLE',
	6 => 'NOT_LEADER_OR_FOLLOWER', 7 => 'REQUEST_TIMED_OUT', 10 => 'MESSAGE_TOO_LARGE', 17 => 'INVALID_TOPIC_EXCEPTION',
	35 => 'UNSUPPORTED_VERSION', 36 => 'TOPIC_ALREADY_EXISTS', 37 => 'INVALID_PARTITIONS', 38 => 'INVALID_REPLICATION_FACTOR',
	40 => 'INVALID_CONFIG', 41 => 'NOT_CONTROLLER', 42 => 'INVALID_REQUEST', 44 => 'POLICY_VIOLATION', 87 => 'INVALID_RECORD');

# Errors that pass by themselves; sent again, a request does no harm.
my %NOT_YET = map { $_ => 1 } 3, 5, 6, 7, 13, 14, 15, 16, 19, 20, 41;

sub new
{
	my ($class, $bootstrap, %opt) = @_;
	return bless { bootstrap => $bootstrap, timeout => $opt{timeout} // 30 }, $class;
}

# Does the broker answer metadata requests, and is a broker registered?
sub ready
{
	my ($self) = @_;
	local $self->{timeout} = 5;
	return eval { scalar @{ $self->metadata->{brokers} } } ? 1 : 0;
}

# { brokers => ["host:port"…], topics => { name => [leader of partition 0, 1, …] } }
sub metadata
{
	my ($self) = @_;
	my $r = $self->_call(3, 1, pack('l>', -1));
	my @brokers = $r->array(sub { $r->i32; my $at = $r->string . ':' . $r->i32; $r->string; $at });
	$r->i32;    # the controller
	my %topics;
	$r->array(
		sub {
			$r->i16;
			my $name = $r->string;
			$r->i8;
			$r->array(
				sub {
					$r->i16;
					my $id = $r->i32;
					$topics{$name}[$id] = $r->i32;
					$r->array(sub { $r->i32 }) for 1, 2;
				});
		});
	return { brokers => \@brokers, topics => \%topics };
}

sub topics { return sort keys %{ $_[0]->metadata->{topics} } }

# Makes the topic and waits until all of its partitions have a leader.
sub create_topic
{
	my ($self, $name, $partitions, %config) = @_;
	my $r = $self->_call(19, 2,
		_array([$name], sub {
			_string($_[0]) . pack('l> s>', $partitions, 1) . _array([]) .
			  _array([ sort keys %config ], sub { _string($_[0]) . _string($config{ $_[0] }) });
		}) . pack('l> c', 30_000, 0));
	$r->i32;
	$r->array(sub { my $t = $r->string; my $e = $r->i16; _check($e, "create topic $t", $r->string) });
	$self->_wait(sub {
		my $leaders = $_[0]->{topics}{$name};
		return $leaders && @$leaders == $partitions && !grep({ !defined || $_ < 0 } @$leaders);
	}, "topic $name has leaders");
}

sub delete_topic
{
	my ($self, $name) = @_;
	my $r = $self->_call(20, 1, _array([$name], \&_string) . pack('l>', 30_000));
	$r->i32;
	$r->array(sub { my $t = $r->string; _check($r->i16, "delete topic $t") });
	$self->_wait(sub { !exists $_[0]->{topics}{$name} }, "topic $name is gone");
}

# Raises the number of partitions to $count.
sub create_partitions
{
	my ($self, $name, $count) = @_;
	my $r = $self->_call(37, 0, _array([$name], sub { _string($_[0]) . pack('l> l>', $count, -1) }) . pack('l> c', 30_000, 0));
	$r->i32;
	$r->array(sub { my $t = $r->string; my $e = $r->i16; _check($e, "create partitions of $t", $r->string) });
	$self->_wait(sub { @{ $_[0]->{topics}{$name} // [] } == $count }, "topic $name has $count partitions");
}

# Sets topic properties, e.g. 'retention.ms' => 1.
sub alter_topic
{
	my ($self, $name, %config) = @_;
	my $r = $self->_call(44, 0,
		pack('l> c', 1, 2) . _string($name) .
		  _array([ sort keys %config ], sub { _string($_[0]) . pack('c', 0) . _string($config{ $_[0] }) }) . pack('c', 0));
	$r->i32;
	$r->array(sub { my $e = $r->i16; my $why = $r->string; $r->i8; _check($e, 'alter topic ' . $r->string, $why) });
}

# Deletes what lies before $offset, as retention would; -1 deletes all.
sub delete_records
{
	my ($self, $name, $partition, $offset) = @_;
	my $r = $self->_call(21, 0, _array([$name], sub { _string($_[0]) . pack('l> l> q>', 1, $partition, $offset) }) . pack('l>', 30_000));
	$r->i32;
	$r->array(sub { $r->string; $r->array(sub { $r->i32; $r->i64; _check($r->i16, "delete records of $name") }) });
}

# The next offset that the partition will give (or the first that it has, with 'earliest').
sub end_offset
{
	my ($self, $name, $partition, $which) = @_;
	my $time = ($which // 'latest') eq 'earliest' ? -2 : -1;
	my $offset;
	my $request = pack('l>', -1) . _array([$name], sub { _string($_[0]) . pack('l> l> q>', 1, $partition, $time) });
	# A topic just made has a leader in the metadata before the broker knows that it leads.
	for my $try (1 .. 50)
	{
		my ($error, $r) = (0, $self->_call(2, 1, $request));
		$r->array(sub { $r->string; $r->array(sub { $r->i32; $error = $r->i16; $r->i64; $offset = $r->i64 }) });
		last unless $error;
		_check($error, "offsets of $name") unless $NOT_YET{$error} && $try < 50;
		select(undef, undef, undef, 0.1);
	}
	return $offset;
}

# Appends one record batch; a message is a string, undef (a tombstone) or a hash with key,
# value, headers => [name => value, …], timestamp (ms).  Returns the offsets given.
sub produce
{
	my ($self, $name, $partition, $messages) = @_;
	my $first;
	return () unless @$messages;
	my $batch = _record_batch([ map { ref $_ ? $_ : { value => $_ } } @$messages ], $self->_producer_id);
	my $request = _string(undef) . pack('s> l>', -1, 30_000) .
	  _array([$name], sub { _string($_[0]) . pack('l> l> l>', 1, $partition, length $batch) . $batch });
	# A broker that comes up, or was fenced for a moment, refuses although it may have written.  The
	# producer's id lets it know a repetition: nothing is written twice.
	for my $try (1 .. 50)
	{
		my ($error, $r) = (0, $self->_call(0, 3, $request));
		$r->array(sub { $r->string; $r->array(sub { $r->i32; $error = $r->i16; $first = $r->i64; $r->i64 }) });
		last unless $error;
		_check($error, "produce to $name partition $partition") unless $NOT_YET{$error} && $try < 50;
		select(undef, undef, undef, 0.1);
	}
	return $first .. $first + $#$messages;
}

# A new producer's [id, epoch], whose first sequence number is 0.
sub _producer_id
{
	my ($self) = @_;
	for my $try (1 .. 50)
	{
		my $r = $self->_call(22, 0, _string(undef) . pack('l>', 60_000));
		$r->i32;
		my $error = $r->i16;
		return [ $r->i64, $r->i16 ] unless $error;
		_check($error, 'producer id') unless $NOT_YET{$error} && $try < 50;
		select(undef, undef, undef, 0.1);
	}
}

sub _wait
{
	my ($self, $done, $what) = @_;
	for (1 .. 300)
	{
		return if $done->($self->metadata);
		select(undef, undef, undef, 0.1);
	}
	die "timed out waiting until $what\n";
}

# ---- wire ----

sub _call
{
	my ($self, $api, $version, $body) = @_;
	my $sock = IO::Socket::INET->new(PeerAddr => $self->{bootstrap}, Timeout => $self->{timeout})
	  or die "connect to $self->{bootstrap}: $@\n";
	binmode $sock;
	my $request = pack('s> s> l>', $api, $version, 1) . _string('ecinsight-test') . $body;
	my $answer = eval {
		local $SIG{ALRM} = sub { die "no answer from $self->{bootstrap} in $self->{timeout} s\n" };
		local $SIG{PIPE} = 'IGNORE';
		alarm $self->{timeout};
		print {$sock} pack('l>', length $request) . $request;
		$sock->flush;
		my $got = _read($sock, unpack('l>', _read($sock, 4)));
		alarm 0;
		$got;
	};
	my $error = $@;
	alarm 0;
	close $sock;
	die $error unless defined $answer;
	my $r = EcKafkaClient::Reader->new($answer);
	$r->i32;    # the correlation id
	return $r;
}

sub _read
{
	my ($sock, $length) = @_;
	my $data = '';
	while (length $data < $length)
	{
		my $n = sysread($sock, $data, $length - length $data, length $data);
		die "connection closed\n" unless $n;
	}
	return $data;
}

sub _check
{
	my ($code, $what, $why) = @_;
	die "$what: " . ($ERROR{$code} // "error $code") . (defined $why ? " ($why)" : '') . "\n" if $code;
}

sub _string { return defined $_[0] ? pack('s>/a*', $_[0]) : pack('s>', -1) }
sub _array { my ($items, $code) = @_; return pack('l>', scalar @$items) . join('', map { $code->($_) } @$items) }

# Zigzag variable-length integer.
sub _varint
{
	my ($n) = @_;
	my ($z, $out) = ($n < 0 ? (-$n * 2 - 1) : $n * 2, '');
	while ($z > 127) { $out .= chr(128 | $z & 127); $z >>= 7 }
	return $out . chr $z;
}

sub _bytes { return defined $_[0] ? _varint(length $_[0]) . $_[0] : _varint(-1) }

sub _record_batch
{
	my ($messages, $producer) = @_;
	my $now = time * 1000;
	my $base = $messages->[0]{timestamp} // $now;
	my ($max, $records, $i) = ($base, '', 0);
	foreach my $m (@$messages)
	{
		my $time = $m->{timestamp} // $now;
		my @headers = @{ $m->{headers} // [] };
		my $r = "\0" . _varint($time - $base) . _varint($i++) . _bytes($m->{key}) . _bytes($m->{value}) . _varint(@headers / 2);
		while (my ($name, $value) = splice(@headers, 0, 2)) { $r .= _bytes($name) . _bytes($value) }
		$records .= _varint(length $r) . $r;
		$max = $time if $time > $max;
	}
	my $body = pack('s> l> q> q> q> s> l> l>', 0, $i - 1, $base, $max, @$producer, 0, $i) . $records;
	return pack('q> l> l> c L>', 0, 9 + length $body, -1, 2, _crc32c($body)) . $body;
}

my @crc_table = map {
	my $c = $_;
	$c = $c & 1 ? ($c >> 1) ^ 0x82F63B78 : $c >> 1 for 1 .. 8;
	$c
} 0 .. 255;

sub _crc32c
{
	my $crc = 0xFFFFFFFF;
	$crc = ($crc >> 8) ^ $crc_table[ ($crc ^ $_) & 255 ] foreach unpack 'C*', $_[0];
	return $crc ^ 0xFFFFFFFF;
}

package EcKafkaClient::Reader;

sub new { my ($class, $data) = @_; return bless { data => $data, at => 0 }, $class }

sub _take
{
	my ($self, $format, $length) = @_;
	die "short answer\n" if $self->{at} + $length > length $self->{data};
	my $value = unpack $format, substr($self->{data}, $self->{at}, $length);
	$self->{at} += $length;
	return $value;
}

sub i8 { return $_[0]->_take('c', 1) }
sub i16 { return $_[0]->_take('s>', 2) }
sub i32 { return $_[0]->_take('l>', 4) }
sub i64 { return $_[0]->_take('q>', 8) }
sub string { my ($self) = @_; my $n = $self->i16; return $n < 0 ? undef : $self->_take("a$n", $n) }
sub array { my ($self, $code) = @_; my $n = $self->i32; return map { $code->() } 1 .. $n }

1;
