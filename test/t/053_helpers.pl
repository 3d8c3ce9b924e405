# Sessions that end in the middle of row groups which helper threads are encoding: cancelled, terminated, killed.  What was
# committed before stays, nothing else does, and no thread is left behind.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('helpers');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
autovacuum = off
fsync = off
restart_after_crash = on
shared_preload_libraries = 'ecinsight'
ecinsight.row_group_rows = 8192
ecinsight.encode_threads = 3
EOC
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE h AS SELECT i AS id, 'word' || i % 100 AS low, md5(i::text) AS uniq, repeat(md5((i / 7)::text), 1 + i % 4) AS long, i / 3.0 AS n FROM generate_series(1, 60000) i;
CREATE TABLE c USING ecinsight_columnar AS SELECT * FROM h WHERE id <= 1000;
EOC
my $insert = 'INSERT INTO c SELECT * FROM h';
my $state = 'SELECT count(*), sum(id), (SELECT count(*) FROM ecinsight.verify(\'c\')) FROM c';
my $before = $node->safe_psql('postgres', $state);
is($before, '1000|500500|0', 'rows at the beginning');

my ($ret, $out, $err) = $node->psql('postgres', "SET client_min_messages = debug2; BEGIN; $insert; ROLLBACK");
like($err, qr/helper threads encode 8192 rows/, 'helpers are used');
($ret, $out, $err) = $node->psql('postgres', "SET client_min_messages = debug2; SET ecinsight.encode_threads = 0; BEGIN; $insert; ROLLBACK");
unlike($err, qr/helper threads/, 'and can be switched off');

# Cancelled after more and more time; in one session, so that a thread left behind would read memory that is others' by then.
my $script = join('', map { sprintf("SET statement_timeout = %d;\n$insert;\nSET statement_timeout = 0;\n", $_) } map { 3 + 6 * $_ } 0 .. 39);
($ret, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0);
my $cancelled = () = $err =~ /canceling statement due to statement timeout/g;
my $done = 40 - $cancelled;
note("$cancelled of 40 statements cancelled");
ok($cancelled > 0, 'statements were cancelled');
sub expected { return sprintf('%d|%d|0', 1000 + 60000 * $done, 500500 + 60000 * 60001 / 2 * $done); }
is($node->safe_psql('postgres', $state), expected(), 'rows after cancelled statements');

# Errors in subtransactions, whose batches go while the transaction goes on.
$node->safe_psql('postgres', <<'EOC');
DO $$ BEGIN
	FOR k IN 1..20 LOOP
		BEGIN INSERT INTO c SELECT id / (id - 2900 * k), low, uniq, long, h.n FROM h; EXCEPTION WHEN division_by_zero THEN NULL; END;
	END LOOP;
	INSERT INTO c SELECT * FROM h;
END $$;
EOC
$done++;
is($node->safe_psql('postgres', $state), expected(), 'rows after subtransactions');

# Ended in the middle: politely, and not.
for my $how ('terminated', 'killed')
{
	for my $round (1 .. 4)
	{
		my ($o, $e) = ('', '');
		my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_backend_pid()', '-c', "BEGIN; $insert; $insert; $insert; SELECT pg_sleep(100)" ],
			'>', \$o, '2>', \$e);
		$session->pump until $o =~ /(\d+)\n/;
		my $pid = $1;
		usleep(40_000 * $round);
		if ($how eq 'killed') { kill 9, $pid; }
		else { $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)"); }
		$session->finish;
		ok($session->result != 0, "session $how");
		ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is up');
		is($node->safe_psql('postgres', $state), expected(), "rows after a session was $how");
	}
}
unlike(slurp_file($node->logfile), qr/signal 11|signal 6|TRAP|PANIC/, 'nothing crashed by itself');
$node->stop;
done_testing();
