
=pod

=head1 NAME

EcIngest - a server with the extension and its broker, for TAP tests of the ingest

=head1 SYNOPSIS

  use EcIngest;
  my $t = EcIngest->new;                       # broker, server, extension, server object "k"
  $t->kafka->create_topic('t', 2);
  $t->sql(q(CREATE TABLE …));
  $t->wait_stream('s');                        # all that is in the topics now is committed
  $t->wait_state('s', 'running');
  is($t->rows, …);

=cut

package EcIngest;

use strict;
use warnings;

use EcKafka;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

sub new
{
	my ($class, %opt) = @_;
	my $kafka = EcKafka->new(dir => PostgreSQL::Test::Utils::tempdir(), config => $opt{kafka} // {});
	my $node = PostgreSQL::Test::Cluster->new($opt{name} // 'main');
	$node->init(allows_streaming => $opt{streaming} // 0);
	$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'ecinsight'
max_worker_processes = 16
restart_after_crash = on
log_line_prefix = '%m [%p] %b '
CONF
	$node->append_conf('postgresql.conf', $opt{conf}) if defined $opt{conf};
	$node->start;
	my $self = bless { kafka => $kafka, node => $node }, $class;
	$self->sql('CREATE EXTENSION ecinsight');
	$self->make_server('k', %{ $opt{server} // {} });
	return $self;
}

sub kafka { return $_[0]->{kafka} }
sub node { return $_[0]->{node} }

sub make_server
{
	my ($self, $name, %option) = @_;
	$option{'bootstrap.servers'} //= $self->kafka->bootstrap;
	my $options = join ', ', map { qq("$_" '$option{$_}') } sort keys %option;
	$self->sql("CREATE SERVER $name FOREIGN DATA WRAPPER ecinsight_kafka OPTIONS ($options)");
}

sub sql { my ($self, $sql) = @_; return $self->node->safe_psql('postgres', $sql) }

# The error message of a statement that must fail.
sub sql_error
{
	my ($self, $sql) = @_;
	my ($rc, $out, $err) = $self->node->psql('postgres', $sql);
	return $rc == 0 ? '' : $err;
}

sub wait_stream { my ($self, $name) = @_; return $self->sql("SELECT ecinsight.wait_for_stream('$name', '60 s')") }

sub state { my ($self, $name) = @_; return $self->sql("SELECT state FROM ecinsight.streams WHERE name = '$name'") }
sub last_error { my ($self, $name) = @_; return $self->sql("SELECT last_error FROM ecinsight.streams WHERE name = '$name'") }

# Until the stream's state matches (a pattern as of SQL's ~).
sub wait_state
{
	my ($self, $name, $state) = @_;
	return $self->wait_until("SELECT state ~ '^($state)\$' FROM ecinsight.streams WHERE name = '$name'");
}

# Until the query gives t; survives the server's restarts.
sub wait_until
{
	my ($self, $sql, $seconds) = @_;
	my $end = time + ($seconds // 60);
	my ($out, $err);
	while (time < $end)
	{
		# psql that can't connect doesn't read its input: that may die of a broken pipe
		$out = undef;
		eval { $self->node->psql('postgres', $sql, stdout => \$out, stderr => \$err, timeout => 30) };
		return 1 if defined $out && $out eq 't';
		select(undef, undef, undef, 0.1);
	}
	print STDERR "waited in vain for: $sql\nlast: " . ($out // '') . ' ' . ($err // '') . "\n";
	return 0;
}

sub stop_at
{
	my ($self, $point) = @_;
	$self->sql("ALTER SYSTEM SET ecinsight.debug_stop_point = '$point'");
	$self->sql('SELECT pg_reload_conf()');
}

# Waits until a worker stands at the stop point, lifts the stop point for its successors, gives the worker's pid.
sub stopped_at
{
	my ($self, $point) = @_;
	$point =~ s/:.*//;
	$self->wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'stopped at $point'") or return;
	my $pid = $self->sql("SELECT pid FROM pg_stat_activity WHERE query = 'stopped at $point'");
	$self->sql('ALTER SYSTEM RESET ecinsight.debug_stop_point');
	$self->sql('SELECT pg_reload_conf()');
	return $pid;
}

sub kill_worker
{
	my ($self, $pid) = @_;
	kill 'KILL', $pid or die "kill $pid: $!\n";
	# the postmaster restarts everybody
	select(undef, undef, undef, 0.3);
	$self->wait_until('SELECT true') or die "the server did not come back\n";
}

1;
