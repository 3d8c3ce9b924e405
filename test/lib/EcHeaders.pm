# Headers of rows that are there twice, as a crash in the wrong moment leaves them.
package EcHeaders;
use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use Time::HiRes qw(usleep);
our @EXPORT = qw(leave_header double_headers);

# Stops in the middle of changing a row; the heap tuple gets to the disk, and the session is killed.
sub leave_header
{
	my ($node, $database, $table, $id) = @_;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($database), '-c', "SET ecinsight.debug_stop_point = 'header'", '-c', "UPDATE $table SET v = 1 WHERE id = $id" ],
		'>', \$out, '2>', \$err);
	$node->poll_query_until($database, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'stopped at header'") or die "not stopped: $err";
	my $pid = $node->safe_psql($database, "SELECT pid FROM pg_stat_activity WHERE query = 'stopped at header'");
	$node->safe_psql($database, 'CREATE TABLE flushed (); DROP TABLE flushed');
	kill 'KILL', $pid;
	$session->finish;
	foreach (1 .. 600)
	{
		last if IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr($database), '-c', 'SELECT 1' ], '>', \$out, '2>', \$err);
		usleep(100_000);
	}
	# a second one, which is found
	$node->safe_psql($database, "SELECT FROM $table WHERE id = $id FOR UPDATE");
	return;
}

# How many rows have more than one?
sub double_headers
{
	my ($node, $database, $table) = @_;
	my $companion = $node->safe_psql($database, "SELECT reltoastrelid::regclass FROM pg_class WHERE oid = '$table'::regclass");
	return $node->safe_psql($database, "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM (SELECT 1 FROM $companion WHERE chunk_id::bigint & 255 = 2 GROUP BY chunk_id, chunk_seq HAVING count(*) > 1) x");
}

1;
