# pg_rewind: a primary that went on after its standby was promoted comes back as a standby of it, with all of the new
# primary's rows and none of its own.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init(allows_streaming => 1, extra => ['--data-checksums']);
$old->append_conf('postgresql.conf', "wal_keep_size = '1GB'\nautovacuum = off\n");
$old->start;
$old->safe_psql('postgres', 'CREATE EXTENSION ecinsight');
$old->backup('b');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init_from_backup($old, 'b', has_streaming => 1);
$new->start;

# What one server does to its columnar table and to the heap twin.
sub change
{
	my ($node, $from) = @_;
	foreach my $t ('h', 'c')
	{
		$node->safe_psql('postgres', <<"EOC");
INSERT INTO $t SELECT $from + i, md5(i::text), repeat('x', i % 50) FROM generate_series(1, 20000) i;
INSERT INTO $t VALUES ($from + 30000, 'alone', NULL);
DELETE FROM $t WHERE k % 7 = $from % 7;
UPDATE $t SET v = 'changed by $from' WHERE k % 50 = 3;
VACUUM $t;
UPDATE $t SET w = 'again' WHERE k % 1000 = 1;
BEGIN; DELETE FROM $t; INSERT INTO $t SELECT i FROM generate_series(1000000, 1003000) i; ROLLBACK;
EOC
	}
	return;
}

sub same
{
	my ($node, $what) = @_;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM ((TABLE c EXCEPT ALL TABLE h) UNION ALL (TABLE h EXCEPT ALL TABLE c)) x'), '0', "$what: the rows are heap's");
	is($node->safe_psql('postgres', "SET enable_seqscan = off; SET ecinsight.enable_columnar_scan = off; SELECT count(*) FROM h LEFT JOIN LATERAL (SELECT v FROM c WHERE c.k = h.k OFFSET 0) x ON true WHERE x.v IS DISTINCT FROM h.v"),
		'0', "$what: also by index");
	is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', "$what: nothing is damaged");
	return $node->safe_psql('postgres', 'SELECT md5(string_agg(c::text, E\'\n\' ORDER BY k)) FROM c');
}

$old->safe_psql('postgres', 'CREATE TABLE h (k int PRIMARY KEY, v text, w text); CREATE TABLE c (LIKE h INCLUDING ALL) USING ecinsight_columnar');
$old->safe_psql('postgres', "SELECT ecinsight.set_options('c', row_group_rows => 4000)");
change($old, 0);
$old->wait_for_catchup($new, 'replay', $old->lsn('insert'));
$new->promote;

# From here each goes its own way; the old one truncates, rewrites and makes tables besides.
change($old, 100000);
$old->safe_psql('postgres', "CREATE TABLE own USING ecinsight_columnar AS SELECT generate_series(1, 5000); VACUUM FULL c; TRUNCATE h; TRUNCATE c; INSERT INTO c VALUES (1, 'lost')");
change($old, 150000);
change($new, 200000);
$new->safe_psql('postgres', 'VACUUM (FREEZE) c; CREATE INDEX ON c (v)');
my $sum = same($new, 'the new primary');

$old->stop;
$new->safe_psql('postgres', 'CHECKPOINT');
my $conf = slurp_file($old->data_dir . '/postgresql.conf');
command_ok([ 'pg_rewind', '--target-pgdata', $old->data_dir, '--source-server', $new->connstr('postgres'), '--no-sync' ], 'pg_rewind');
open(my $fh, '>', $old->data_dir . '/postgresql.conf') or die;
print {$fh} $conf;
close($fh);
$old->enable_streaming($new);
$old->set_standby_mode;
$old->start;
change($new, 300000);
$new->wait_for_catchup($old, 'replay', $new->lsn('insert'));
my $after = same($new, 'the new primary, later');
is(same($old, 'the old primary as a standby'), $after, 'both hold the same');
isnt($after, $sum, 'the later changes have arrived');
is($old->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname = 'own'"), '0', 'its own table has gone');
$new->stop;
$old->promote;
change($old, 400000);
same($old, 'promoted again');
$old->stop;
done_testing();
