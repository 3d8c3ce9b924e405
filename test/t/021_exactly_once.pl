# Every message counts exactly once, whatever is killed and whenever.
#
# Each row holds where it was produced: (partition, message, row), so that the rows
# stored can be compared with those produced: nothing twice, nothing missing, and
# rows + dead letters = produced.
use strict;
use warnings;

use EcIngest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $t = EcIngest->new(
	conf => "ecinsight.stream_queue_size = '1MB'\nfsync = off\n",
	# small fetches, so that the broker is needed all the time
	server => { 'fetch.message.max.bytes' => 20_000, 'fetch.max.bytes' => 1_000_000, 'reconnect.backoff.max.ms' => 500 });
my $kafka = $t->kafka;
my $partitions = 3;
$kafka->create_topic('t', $partitions);
$t->sql(<<'SQL');
CREATE TABLE e (part int, message int, number int, text text) USING ecinsight_columnar;
SELECT ecinsight.create_stream('s', 'k', '{t}', 'e', max_delay => '50 ms', max_rows => 2000);
SQL

my ($good, $bad) = (0, 0);
my @messages = (0) x $partitions;

# n messages to each partition, 100 rows each; a few rows are faulty, a few messages empty.
sub produce
{
	my ($n) = @_;
	foreach my $p (0 .. $partitions - 1)
	{
		my @batch;
		foreach (1 .. $n)
		{
			my $m = $messages[$p]++;
			if ($m % 17 == 16) { push @batch, undef; next }
			push @batch, join '', map {
				my $faulty = ($m * 100 + $_) % 251 == 0;
				$faulty ? $bad++ : $good++;
				($faulty ? "$p,$m,x$_,faulty\n" : "$p,$m,$_,some text of row $_\n")
			} 1 .. 100;
		}
		$kafka->produce('t', $p, \@batch);
	}
}

sub check
{
	my ($what) = @_;
	$t->wait_stream('s');
	is($t->sql('SELECT count(*), count(DISTINCT (part, message, number)) FROM e'), "$good|$good", "$what: each row once");
	is($t->sql(<<'SQL'), "$bad|$bad", "$what: each faulty row once");
SELECT count(*), count(DISTINCT (partition, message_offset, row_number)) FROM ecinsight.dead_letters
SQL
	is($t->sql('SELECT sum(next_offset), sum(messages), sum(rows), (SELECT errors FROM ecinsight.stat_stream) FROM ecinsight.stream_partitions'),
		join('|', (eval join '+', @messages) x 2, $good, $bad), "$what: offsets agree");
}

ok($t->wait_state('s', 'running'), 'the stream runs');
produce(20);
check('no harm');

# kill -9 of the worker at each point of its loop (the postmaster then restarts everybody)
foreach my $point (qw(poll parse:7 insert insert:2 offset commit committed))
{
	$t->stop_at($point);
	produce(20);
	my $pid = $t->stopped_at($point) or BAIL_OUT("no worker came to $point");
	$t->kill_worker($pid);
	check("worker killed at $point");
}

# SIGTERM: fenced from outside, the launcher starts it again
$t->sql('SELECT pg_terminate_backend(pid) FROM ecinsight.streams');
produce(5);
check('worker terminated');

# the postmaster, at random moments
foreach my $round (1 .. 3)
{
	produce(60);
	sleep rand 0.4;
	$t->node->kill9;
	# orphans end by themselves; the server starts as soon as they have
	my $started = 0;
	for (1 .. 100) { sleep 0.2; last if $started = $t->node->start(fail_ok => 1); $t->node->stop('immediate', fail_ok => 1) }
	ok($started, "nobody lives on, round $round");
	check("postmaster killed, round $round");
}

# immediate and fast stops in the middle of work
foreach my $mode (qw(immediate fast smart))
{
	produce(60);
	sleep rand 0.2;
	my $begin = time;
	$t->node->stop($mode);
	cmp_ok(time - $begin, '<', 10, "stopped within seconds: $mode");
	$t->node->start;
	check("$mode stop");
}

# the broker, at random moments
foreach my $round (1 .. 2)
{
	produce(80);
	sleep rand 0.3;
	$kafka->kill9;
	ok($t->wait_state('s', 'reconnecting|running'), 'the stream holds on') if $round == 1;
	$kafka->start;
	check("broker killed, round $round");
}
$kafka->sigstop;
sleep 2;
$kafka->sigcont;
produce(5);
check('broker stood still');

# A second worker is fenced: the saved offset is not what this one started from.
my $pid = $t->sql('SELECT pid FROM ecinsight.streams');
kill 'STOP', $pid;
$kafka->produce('t', 0, [ "0,-1,1,taken by somebody else\n" ]);
$messages[0]++;
$t->sql('UPDATE ecinsight.stream_offset SET next_offset = next_offset + 1, messages = messages + 1 WHERE partition = 0');
my $log = -s $t->node->logfile;
kill 'CONT', $pid;
produce(3);
check('a second worker has moved the offsets');
like(slurp_file($t->node->logfile, $log), qr/offsets of stream "s" were moved by somebody else/, 'and the first was refused');

$t->node->stop;
done_testing();
