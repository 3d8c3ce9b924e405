# A crash between a row's header and its index entry leaves a header that nobody finds: REINDEX and VACUUM come through all the same.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('headers');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = on\nshared_preload_libraries = 'ecinsight'\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (id int, v int) USING ecinsight_columnar;
INSERT INTO c SELECT i, 0 FROM generate_series(1, 5000) i;
EOC

# Stops in the middle of a row lock; the heap tuple gets to the disk, and the session is killed.
sub leave_header
{
	my ($id) = @_;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET ecinsight.debug_stop_point = 'header'", '-c', "UPDATE c SET v = 1 WHERE id = $id" ],
		'>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'stopped at header'") or die "not stopped: $err";
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query = 'stopped at header'");
	$node->safe_psql('postgres', 'CREATE TABLE flushed (); DROP TABLE flushed');
	kill 'KILL', $pid;
	$session->finish;
	foreach (1 .. 600)
	{
		last if IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT 1' ], '>', \$out, '2>', \$err);
		usleep(100_000);
	}
	return;
}

sub headers
{
	my ($id) = @_;

	# a second one, which is found
	$node->safe_psql('postgres', "SELECT FROM c WHERE id = $id FOR UPDATE");
	my $companion = $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'c'");
	return $node->safe_psql('postgres', "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM (SELECT 1 FROM $companion WHERE chunk_id::bigint & 255 = 2 GROUP BY chunk_id, chunk_seq HAVING count(*) > 1) x");
}

my $id = 10;
foreach my $command ('REINDEX TABLE c', 'REINDEX (CONCURRENTLY) TABLE c', 'REINDEX INDEX pg_toast.pg_toast_%s_index', 'REINDEX DATABASE postgres', 'REINDEX SCHEMA public')
{
	leave_header(++$id);
	is(headers($id), '1', 'a row has two headers');
	my $oid = $node->safe_psql('postgres', "SELECT 'c'::regclass::oid");
	$node->safe_psql('postgres', sprintf($command, $oid));
	is(headers($id), '0', "$command drops one");
	is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'all is well');
}

# VACUUM rewrites a companion that has become mostly empty
leave_header(8);
is(headers(8), '1', 'a row has two headers');
$node->safe_psql('postgres', 'UPDATE c SET v = 2');
is($node->safe_psql('postgres', 'VACUUM c; VACUUM c; SELECT pg_relation_size(reltoastrelid) <= 65536 FROM pg_class WHERE relname = $$c$$'), 't', 'VACUUM shrinks the companion');
is($node->safe_psql('postgres', 'SELECT count(*), sum(v) FROM c'), '5000|10000', 'no row is lost');
$node->stop;
done_testing();
