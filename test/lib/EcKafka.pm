
=pod

=head1 NAME

EcKafka - a private Kafka broker for a TAP test

=head1 SYNOPSIS

  use lib 'test/lib';
  use EcKafka;

  my $kafka = EcKafka->new(dir => PostgreSQL::Test::Utils::tempdir);   # started, ready
  $kafka->create_topic('ecommerce', 4);
  $kafka->produce('ecommerce', 0, ["2019-10-01 00:00:00 UTC,view,…\n"]);
  my $at = $kafka->bootstrap;                                          # 127.0.0.1:port
  $kafka->kill9; $kafka->start;                                        # same port, same topics

=head1 DESCRIPTION

Process control goes through scripts/broker, the admin calls through EcKafkaClient.  The broker
ends with the object or the program, at the latest.  new() takes

  dir     => where the broker keeps everything (a directory "kafka" is made in it)
  config  => { 'log.retention.ms' => 1000, … }    more broker properties
  start   => 0                                    don't start it yet

=cut

package EcKafka;

use strict;
use warnings;

use Cwd ();
use EcKafkaClient;
use File::Basename qw(dirname);

my $broker = Cwd::abs_path(dirname(__FILE__) . '/../../scripts') . '/broker';
my %running;

sub new
{
	my ($class, %opt) = @_;
	die "EcKafka->new needs dir\n" unless defined $opt{dir};
	my $self = bless { dir => Cwd::abs_path($opt{dir}) . '/kafka', config => $opt{config} // {}, owner => $$ }, $class;
	$self->start unless defined $opt{start} && !$opt{start};
	return $self;
}

# Starts the broker (the first time: on free ports, with a new cluster id) and waits until it serves.
sub start
{
	my ($self) = @_;
	my @config = map { "$_=$self->{config}{$_}" } sort keys %{ $self->{config} };
	open(my $out, '-|', $broker, 'start', $self->{dir}, @config) or die "$broker: $!\n";
	my $at = <$out>;
	close $out;
	die "the Kafka broker in $self->{dir} did not start\n" if $? || !defined $at;
	chomp $at;
	$self->{bootstrap} = $at;
	$running{ $self->{dir} } = $self->{owner};
	return $self;
}

sub bootstrap { return $_[0]->{bootstrap} }
sub dir { return $_[0]->{dir} }
sub client { return EcKafkaClient->new($_[0]->{bootstrap}) }

sub pid
{
	my ($self) = @_;
	open(my $f, '<', "$self->{dir}/broker.pid") or return;
	my $pid = <$f>;
	close $f;
	chomp $pid;
	return $pid;
}

# SIGTERM, and wait for the end.
sub stop { my ($self) = @_; _run('stop', $self->{dir}); delete $running{ $self->{dir} }; return $self }
sub kill9 { my ($self) = @_; _run('kill9', $self->{dir}); delete $running{ $self->{dir} }; return $self }
sub restart { my ($self) = @_; return $self->stop->start }
sub sigstop { my ($self) = @_; kill 'STOP', $self->pid or die "SIGSTOP: $!\n"; return $self }
sub sigcont { my ($self) = @_; kill 'CONT', $self->pid or die "SIGCONT: $!\n"; return $self }

# Admin calls and small amounts of data; see EcKafkaClient for the arguments.
foreach my $name (qw(ready metadata topics create_topic delete_topic create_partitions alter_topic delete_records end_offset produce))
{
	no strict 'refs';
	*$name = sub { my $self = shift; return $self->client->$name(@_) };
}

# Deletes the topic if it is there and makes it again, empty.
sub recreate_topic
{
	my ($self, $name, @rest) = @_;
	$self->delete_topic($name) if grep { $_ eq $name } $self->topics;
	return $self->create_topic($name, @rest);
}

# The messages that a topic holds by its end offsets, all partitions together.
sub message_count
{
	my ($self, $topic) = @_;
	my $n = 0;
	my $partitions = $self->metadata->{topics}{$topic} // die "no topic $topic\n";
	$n += $self->end_offset($topic, $_) - $self->end_offset($topic, $_, 'earliest') for 0 .. $#$partitions;
	return $n;
}

sub _run
{
	my (@args) = @_;
	local $?;
	system($broker, @args) == 0 or die "broker @args failed\n";
}

sub DESTROY
{
	my ($self) = @_;
	local ($@, $?);
	eval { $self->stop } if exists $running{ $self->{dir} } && $self->{owner} == $$;
}

END
{
	local $?;
	foreach my $dir (grep { $running{$_} == $$ } keys %running) { eval { _run('stop', $dir) } }
}

1;
