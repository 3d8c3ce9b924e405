# Before core has checked who asks for a REINDEX, ours must not touch a table that core will leave alone or refuse; whoever
# core lets do it, owner or not, gets it done, though a row has two headers (018_headers.pl).
use strict;
use warnings;

use EcHeaders;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('privileges');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = on\nshared_preload_libraries = 'ecinsight'\n");
$node->start;
my $maintain = $node->pg_version >= 17;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE ROLE table_owner LOGIN;
CREATE ROLE schema_owner LOGIN;
CREATE ROLE database_owner LOGIN;
CREATE ROLE nobody LOGIN;
CREATE ROLE maintainer LOGIN;
CREATE DATABASE d OWNER database_owner;
EOC
$node->safe_psql('d', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE SCHEMA s AUTHORIZATION schema_owner;
GRANT USAGE, CREATE ON SCHEMA s TO PUBLIC;
GRANT USAGE ON SCHEMA pg_toast TO PUBLIC;
SET ROLE table_owner;
CREATE TABLE s.c (id int, v int) USING ecinsight_columnar;
INSERT INTO s.c SELECT i, 0 FROM generate_series(1, 5000) i;
EOC
$node->safe_psql('d', 'GRANT MAINTAIN ON s.c TO maintainer') if $maintain;
my $companion = 'pg_toast.pg_toast_' . $node->safe_psql('d', "SELECT 's.c'::regclass::oid");

my $id = 10;
sub leave { return leave_header($node, 'd', 's.c', ++$id); }
sub doubles { return double_headers($node, 'd', 's.c'); }

sub reindex
{
	my ($role, $what) = @_;
	my ($code, $out, $err) = $node->psql('d', "SET lock_timeout = '2s'; REINDEX $what", connstr => $node->connstr('d') . " user=$role");
	return $err;
}

my @all = ('SCHEMA s', 'DATABASE d');
my @one = ('TABLE s.c', "INDEX ${companion}_index");

# Who may not is told so at once, though the table is locked, and leaves it as it is.
leave();
my ($out, $err) = ('', '');
my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('d'), '-c', 'BEGIN; LOCK TABLE s.c IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)' ], '>', \$out, '2>', \$err);
$node->poll_query_until('d', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 's.c'::regclass AND mode = 'AccessExclusiveLock' AND granted");
foreach my $what (@all, @one)
{
	like(reindex('nobody', $what), qr/permission denied|must be owner/, "$what by nobody is refused");
}
like(reindex('schema_owner', 'DATABASE d'), qr/must be owner of database/, 'the database by the owner of a schema, too');
like(reindex('database_owner', 'SCHEMA s'), qr/must be owner of schema/, 'a schema by the owner of the database, too');
like(reindex('table_owner', 'SCHEMA s'), qr/must be owner of schema/, 'a schema by the owner of a table, too');
like(reindex('schema_owner', 'TABLE s.c'), qr/permission denied|must be owner of table/, 'a table by the owner of its schema, too');
like(reindex('table_owner', 'SCHEMA nowhere'), qr/schema "nowhere" does not exist/, 'a schema that is not there');
unlike(reindex('table_owner', 'SYSTEM d'), qr/lock timeout/, 'the catalogs do not wait for a table');
like(reindex('schema_owner', 'SCHEMA s'), qr/lock timeout/, 'who may waits');
$holder->kill_kill;
$node->poll_query_until('d', "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 's.c'::regclass AND mode = 'AccessExclusiveLock' UNION ALL SELECT true LIMIT 1");
$node->poll_query_until('d', "SELECT count(*) = 0 FROM pg_locks WHERE relation = 's.c'::regclass");
is(doubles(), '1', 'nothing was changed');

# Who may, owner of the table or not.
foreach ([ 'table_owner', @one ], [ 'schema_owner', 'SCHEMA s' ], [ 'database_owner', 'DATABASE d' ], $maintain ? [ 'maintainer', 'TABLE s.c' ] : ())
{
	my ($role, @what) = @$_;
	foreach my $what (@what)
	{
		leave() if doubles() eq '0';
		is(reindex($role, $what), '', "$what by $role");
		is(doubles(), '0', "$what by $role: no row has two headers");
	}
}
if ($maintain)
{
	$node->safe_psql('d', 'GRANT pg_maintain TO nobody');
	foreach my $what ('SCHEMA s', 'DATABASE d', 'TABLE s.c')
	{
		leave();
		is(reindex('nobody', $what), '', "$what by a member of pg_maintain");
		is(doubles(), '0', "$what by a member of pg_maintain: no row has two headers");
	}
}

# A table that is dropped while REINDEX waits for it.
$node->safe_psql('d', 'CREATE TABLE s.dropped (id int PRIMARY KEY) USING ecinsight_columnar; INSERT INTO s.dropped VALUES (1)');
leave();
my $in = '';
my $dropper = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('d') ], '<', \$in, '>', \$out, '2>', \$err);
$in .= "BEGIN; DROP TABLE s.dropped;\n";
$dropper->pump until $in eq '';
$node->poll_query_until('d', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'DROP%' AND state = 'idle in transaction'");
my ($out2, $err2) = ('', '');
my $waiter = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('d') . ' user=schema_owner', '-c', 'REINDEX SCHEMA s' ], '>', \$out2, '2>', \$err2);
$node->poll_query_until('d', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND wait_event_type = 'Lock'");
$in .= "COMMIT;\n\\q\n";
$dropper->finish;
$waiter->finish;
is($err2, '', 'a table dropped meanwhile');
is(doubles(), '0', 'a table dropped meanwhile: no row of another has two headers');
is($node->safe_psql('d', "SELECT count(*) FROM ecinsight.verify('s.c')"), '0', 'all is well');
$node->stop;
done_testing();
