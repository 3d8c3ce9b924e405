# REINDEX CONCURRENTLY rebuilds the companion's index, too, beside sessions that insert, change and lock rows, and beside verify:
# nobody fails, and all is there.  What REINDEX does is not told by its progress report, which is off half of the time.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{EC_REINDEX_SECONDS} || 20;
my $node = PostgreSQL::Test::Cluster->new('beside');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE c (id int PRIMARY KEY, v int, t text) USING ecinsight_columnar;
INSERT INTO c SELECT i, 0, 'x' || i FROM generate_series(1, 60000) i;
CREATE SEQUENCE ids START 1000001;
EOC

my $script = $node->basedir . '/writer.sql';
append_to_file($script, <<'EOC');
\set a random(1, 60000)
\set b random(1, 60000)
\set r random(1, 9)
INSERT INTO c SELECT nextval('ids'), 1, repeat('y', :r * 20) FROM generate_series(1, :r);
SELECT 1 FROM c WHERE id = :a FOR UPDATE;
UPDATE c SET v = v + 1 WHERE id = :b;
EOC
my ($out, $err) = ('', '');
my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', 3, '-T', $seconds, '-f', $script, $node->connstr('postgres') ], '>', \$out, '2>', \$err);
my ($verify_out, $verify_err) = ('', '');
my $verify = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "DO \$\$ DECLARE until timestamptz = clock_timestamp() + interval '$seconds s'; line text; BEGIN WHILE clock_timestamp() < until LOOP FOR line IN SELECT x::text FROM ecinsight.verify('c') x LOOP RAISE '%', line; END LOOP; COMMIT; END LOOP; END \$\$" ],
	'>', \$verify_out, '2>', \$verify_err);
my ($done, $failed) = (0, '');
while ($writers->pumpable)
{
	my ($rc, undef, $message) = $node->psql('postgres', 'SET track_activities = ' . ($done % 2 ? 'on' : 'off') . ";\nREINDEX TABLE CONCURRENTLY c");

	$done++;
	$failed .= $message if $rc != 0;
	$writers->pump_nb;
}
$writers->finish;
$verify->finish;
note("$done times; $out");
is($failed, '', 'no REINDEX fails');
unlike($err, qr/ERROR/, 'no writer fails');
is($verify_err, '', 'verify finds nothing');
cmp_ok($done, '>', 2, 'it was done more than once');
my ($rows) = $node->safe_psql('postgres', 'SELECT count(*) > 60000, sum(v) > 0 FROM c');
is($rows, 't|t', 'something was written');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'all is well at the end');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), '0', 'no index is left');
$node->stop;
done_testing();
