# A crash between a row's header and its index entry leaves a header that nobody finds: REINDEX and VACUUM come through all the same.
use strict;
use warnings;

use EcHeaders;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('headers');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = on\nshared_preload_libraries = 'ecinsight'\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (id int, v int) USING ecinsight_columnar;
INSERT INTO c SELECT i, 0 FROM generate_series(1, 5000) i;
EOC

my $id = 10;
foreach my $command ('REINDEX TABLE c', 'REINDEX (CONCURRENTLY) TABLE c', 'REINDEX INDEX pg_toast.pg_toast_%s_index', 'REINDEX DATABASE postgres', 'REINDEX SCHEMA public')
{
	leave_header($node, 'postgres', 'c', ++$id);
	is(double_headers($node, 'postgres', 'c'), '1', 'a row has two headers');
	my $oid = $node->safe_psql('postgres', "SELECT 'c'::regclass::oid");
	$node->safe_psql('postgres', sprintf($command, $oid));
	is(double_headers($node, 'postgres', 'c'), '0', "$command drops one");
	is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'all is well');
}

# VACUUM rewrites a companion that has become mostly empty
leave_header($node, 'postgres', 'c', 8);
is(double_headers($node, 'postgres', 'c'), '1', 'a row has two headers');
$node->safe_psql('postgres', 'UPDATE c SET v = 2');
is($node->safe_psql('postgres', 'VACUUM c; VACUUM c; SELECT pg_relation_size(reltoastrelid) <= 65536 FROM pg_class WHERE relname = $$c$$'), 't', 'VACUUM shrinks the companion');
is($node->safe_psql('postgres', 'SELECT count(*), sum(v) FROM c'), '5000|10000', 'no row is lost');

# a session's first statement loads the library itself
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
foreach my $command ('REINDEX TABLE c', 'REINDEX (CONCURRENTLY) TABLE c', 'REINDEX INDEX c_id', 'REINDEX INDEX CONCURRENTLY c_id', 'REINDEX DATABASE postgres', 'REINDEX SCHEMA CONCURRENTLY public')
{
	$node->safe_psql('postgres', 'CREATE INDEX IF NOT EXISTS c_id ON c (id)') if $command =~ /c_id/;
	leave_header($node, 'postgres', 'c', ++$id);
	is(double_headers($node, 'postgres', 'c'), '1', 'a row has two headers');
	$node->safe_psql('postgres', $command);
	is(double_headers($node, 'postgres', 'c'), '0', "$command without preloading drops one");
	is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'all is well');
}
$node->stop;
done_testing();
