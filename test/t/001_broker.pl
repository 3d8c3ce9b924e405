# The private broker that other tests rely on: what EcKafka and EcKafkaClient promise.
use strict;
use warnings;

use EcKafka;
use PostgreSQL::Test::Utils;
use Test::More;

my $kafka = EcKafka->new(dir => PostgreSQL::Test::Utils::tempdir());
my $at = $kafka->bootstrap;
my @kcat = ('kcat', '-b', $at, '-C', '-t', 't', '-e', '-q');

$kafka->create_topic('t', 2, 'retention.ms' => -1);
is_deeply([ $kafka->topics ], ['t'], 'topic made');
is_deeply([ $kafka->produce('t', 1, [ "a\nb\n", undef, { key => 'k', value => 'v', headers => [ h => 1, n => undef ], timestamp => 1000 }, '' ]) ],
	[ 0 .. 3 ], 'messages have their offsets');
is($kafka->message_count('t'), 4, 'end offsets count them');
my ($out) = run_command([ @kcat, '-f', '%p/%o %K=%k %S=%s %h %T;' ]);
like($out, qr{^1/0 -1= 4=a\nb\n  \d+;1/1 -1= -1=  \d+;1/2 1=k 1=v h=1,n=NULL 1000;1/3 -1= 0=  \d+;$},
	'another client reads the same: text, tombstone, key, headers, time, empty message');

eval { $kafka->create_topic('t', 1) };
like($@, qr/TOPIC_ALREADY_EXISTS/, 'refusals have names');
$kafka->create_partitions('t', 3);
$kafka->produce('t', 2, [ 'x' x 500_000 ]);
($out) = run_command([ @kcat, '-p', '2', '-f', '%S' ]);
is($out, '500000', 'a big message in a new partition');
$kafka->delete_records('t', 1, 2);
is($kafka->end_offset('t', 1, 'earliest'), 2, 'records deleted');

$kafka->kill9;
ok(!$kafka->ready, 'a killed broker is gone');
$kafka->start;
is($kafka->bootstrap, $at, 'it comes back at the same place');
is($kafka->end_offset('t', 1), 4, 'with what it had');
$kafka->recreate_topic('t', 1);
is($kafka->message_count('t'), 0, 'a topic made anew is empty');

done_testing();
