# A broker that wants a password: secrets in user mappings, refused and rotated ones.
use strict;
use warnings;

use EcIngest;
use PostgreSQL::Test::Cluster;
use Test::More;

my ($plain, $controller, $sasl) = map { PostgreSQL::Test::Cluster::get_free_port() } 1 .. 3;
my $t = EcIngest->new(
	kafka => {
		'controller.quorum.voters' => "1\@127.0.0.1:$controller",
		'listeners' => "PLAINTEXT://127.0.0.1:$plain,CONTROLLER://127.0.0.1:$controller,SASL_PLAINTEXT://127.0.0.1:$sasl",
		'advertised.listeners' => "PLAINTEXT://127.0.0.1:$plain,SASL_PLAINTEXT://127.0.0.1:$sasl",
		'listener.security.protocol.map' => 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
		'sasl.enabled.mechanisms' => 'PLAIN',
		'listener.name.sasl_plaintext.plain.sasl.jaas.config' =>
		  'org.apache.kafka.common.security.plain.PlainLoginModule required user_loader="right" user_other="right";',
	});
my $kafka = $t->kafka;
$kafka->create_topic('t', 1);
$t->make_server('s', 'bootstrap.servers' => "127.0.0.1:$sasl", 'security.protocol' => 'sasl_plaintext', 'sasl.mechanisms' => 'PLAIN');
$t->sql('CREATE TABLE e (id int) USING ecinsight_columnar');
my $create = q(SELECT ecinsight.create_stream('s', 's', '{t}', 'e', max_delay => '50 ms'));
$t->sql(q(CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS ("sasl.username" 'loader', "sasl.password" 'hunter2')));
my $error = $t->sql_error($create);
like($error, qr/ERROR:  .*Kafka.*\nDETAIL:  .*[Aa]uthentication/s, 'a wrong password is an error at create_stream');
unlike($error, qr/hunter2/, 'that does not tell it');
$t->sql(q(ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET "sasl.password" 'right')));
$t->sql($create);
$kafka->produce('t', 0, [ "1\n2\n" ]);
$t->wait_stream('s');
is($t->sql('SELECT count(*) FROM e'), '2', 'the right one');

$t->sql(q(ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET "sasl.password" 'hunter2')));
ok($t->wait_state('s', 'reconnecting'), 'a password that became wrong');
ok($t->wait_until(q(SELECT last_error ~* 'authentication' FROM ecinsight.streams)), 'says why');
$kafka->produce('t', 0, [ "3\n" ]);
$t->sql(q(ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET "sasl.username" 'other', SET "sasl.password" 'right')));
$t->wait_stream('s');
is($t->sql('SELECT count(*) FROM e'), '3', 'rotated: the stream goes on by itself');

$t->node->stop;
done_testing();
