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

# compact() gives way to a REINDEX CONCURRENTLY that waits for its snapshot, of the table or only its TOAST table.
sub session
{
	my ($name, $command) = @_;
	my %s = (in => '', out => '');
	$s{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . " application_name=$name", $command ? ('-c', $command) : () ], '<', \$s{in}, '>', \$s{out}, '2>&1', IPC::Run::timeout(180));
	return \%s;
}

# has the session got so far?
sub await { return ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE application_name = '$_[0]' AND $_[1])"), "$_[0]: $_[2]") }

sub finish
{
	my ($s) = @_;
	$s->{run}->finish;
	return $s->{out};
}

my $companion = $node->safe_psql('postgres', q{SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'c'});
my $compact = "SELECT FROM ecinsight.compact('c')";
my $fails = qr/^ERROR:  could not obtain lock on relation "c"\nDETAIL:.*\nHINT:/;
foreach my $round ([ 'c', $compact, $fails ], [ $companion, $compact, $fails ], [ $companion, 'VACUUM c', qr/^WARNING:  skipping vacuum of "pg_toast_\d+"/ ])
{
	my ($table, $command, $said) = @$round;
	my $writer = session('writer');
	$writer->{in} = "BEGIN; INSERT INTO c VALUES (-1);\n";
	$writer->{run}->pump_nb;
	await('writer', 'backend_xid IS NOT NULL', 'has written');
	my $builder = session('builder', "REINDEX TABLE CONCURRENTLY $table");
	await('builder', "locktype = 'virtualxid' AND NOT granted", 'waits for it');
	my $other = session('other', $command);
	await('other', "wait_event_type IN ('Extension', 'Lock')", 'waits for the lock');
	$writer->{in} .= "ROLLBACK;\n\\q\n";
	finish($writer);
	is(finish($builder), '', "REINDEX of $table is done");
	like(finish($other), $said, "$command doesn't wait for ever");
}

# It waits for another compact().
my $first = session('first');
$first->{in} = "BEGIN; SELECT FROM ecinsight.compact('c');\n";
$first->{run}->pump_nb;
await('first', "relation = 'c'::regclass AND mode = 'ShareUpdateExclusiveLock'", 'has the lock');
my $second = session('second', "SELECT 'compacted' FROM ecinsight.compact('c')");
await('second', "wait_event_type IN ('Extension', 'Lock')", 'waits for it');
$first->{in} .= "COMMIT;\n\\q\n";
finish($first);
is(finish($second), "compacted\n", 'compact() waits for another one');
is($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('c')"), '0', 'all is well');
$node->stop;
done_testing();
