# Recovery that ends at any WAL record finds columnar tables whole: a recorded workload is replayed up to record after
# record, and each time the table equals its heap twin and ecinsight.verify finds nothing.  Every few records, the
# state becomes a server of its own, which goes on writing.
#
# EC_REPLAY_POINTS: how many records.  EC_SEED: the same choice again (the workload differs).
use strict;
use warnings;

use EcTwin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $points = $ENV{EC_REPLAY_POINTS} || 20;
my $seconds = $ENV{EC_REPLAY_SECONDS} || 4;
my $every = 5;
my $seed = $ENV{EC_SEED} || time;
srand($seed);
note("EC_SEED=$seed EC_REPLAY_POINTS=$points");

my $primary = PostgreSQL::Test::Cluster->new('recorded');
$primary->init(has_archiving => 1, allows_streaming => 1, extra => ['--data-checksums', '--wal-segsize=1']);
$primary->append_conf('postgresql.conf', <<'EOC');
fsync = off
wal_level = replica
hot_standby = on
autovacuum_naptime = '1s'
checkpoint_timeout = '1h'
max_wal_size = '4GB'
EOC
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION ecinsight; CREATE TABLE wrong (what text);' . twin_tables());
$primary->backup('b');

# ----------------------------------------------------------------------------------------
# The workload: sessions with DML and VACUUM, beside one with what needs the tables alone
# ----------------------------------------------------------------------------------------
my $start = $primary->lsn('insert');
my $alone = IPC::Run::start(
	[ 'psql', '-Xq', '-d', $primary->connstr('postgres'), '-c', 'SET lock_timeout = 0', '-c', 'SELECT pg_sleep(1)', '-c', 'CREATE INDEX c_t ON c (t)', '-c', 'VACUUM FULL c',
		'-c', 'SELECT pg_sleep(0.5)', '-c', 'BEGIN; TRUNCATE c, h; INSERT INTO c SELECT 1, i, i, \'new\' FROM generate_series(1, 3000) i; INSERT INTO h SELECT 1, i, i, \'new\' FROM generate_series(1, 3000) i; COMMIT',
		'-c', 'VACUUM c', '-c', 'CREATE INDEX CONCURRENTLY c_kv ON c (k, v)', '-c', 'REINDEX TABLE c', '-c', 'ANALYZE c' ],
	'<', \undef, '>', \my $out, '2>', \my $err);
$primary->pgbench("-n -T $seconds -c 6 -j 2", 0, [qr{processed}], [qr{^}], 'workload runs', twin_scripts());
$alone->finish;

# a transaction that has read a table, and so holds its indexes, and then writes to it meets REINDEX halfway: on heap, too
$err =~ s/^ERROR:  deadlock detected\n(?:(?:DETAIL|HINT|CONTEXT|Process).*\n)*//mg;
is($err, '', 'statements beside it');
is($primary->safe_psql('postgres', twin_differs()), '', 'the tables are equal in the end');
is($primary->safe_psql('postgres', 'TABLE wrong'), '', 'and were in every snapshot');
my $end = $primary->lsn('insert');
$primary->safe_psql('postgres', 'CREATE TABLE after_it (); SELECT pg_switch_wal()');
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->poll_query_until('postgres', "SELECT last_archived_wal >= pg_walfile_name('$end') FROM pg_stat_archiver") or die 'not archived';
$primary->stop;

# ----------------------------------------------------------------------------------------
# Records
# ----------------------------------------------------------------------------------------
my ($dump) = run_command([ 'pg_waldump', '-p', $primary->archive_dir, '-s', $start, '-e', $end ]);
my (@lsn, %resource);
while ($dump =~ m{^rmgr: (\S+) .*?lsn: ([0-9A-F]+/[0-9A-F]+)}mg)
{
	push @lsn, $2;
	$resource{$1}++;
}
note(scalar(@lsn) . ' records: ' . join ', ', map { "$_ $resource{$_}" } sort keys %resource);
cmp_ok(scalar(@lsn), '>', 1000, 'enough records');
my %chosen = map { $lsn[ int(rand(@lsn)) ] => 1 } 1 .. $points;
my @chosen = grep { $chosen{$_} } @lsn;

# ----------------------------------------------------------------------------------------
# Replay
# ----------------------------------------------------------------------------------------
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init_from_backup($primary, 'b', has_restoring => 1, standby => 0);
$replica->append_conf('postgresql.conf', "archive_mode = off\nrecovery_target_action = 'pause'\nhot_standby = on\nfsync = off\nautovacuum = off\nrecovery_target_timeline = 'current'");

sub check
{
	my ($node, $what) = @_;
	my $differ = twin_differs();
	my ($code, $out, $err) = $node->psql('postgres', <<"EOC", on_error_stop => 1);
SET lock_timeout = '3s';
SELECT '$what: ' || n FROM ($differ) x (n) WHERE n IS NOT NULL;
SELECT '$what: without columnar scans: ' || n FROM (SELECT set_config('ecinsight.enable_columnar_scan', 'off', false)) s, LATERAL ($differ) x (n) WHERE n IS NOT NULL;
SELECT '$what: ', v FROM ecinsight.verify('c') v;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
SELECT '$what: by index: ', h, c FROM (SELECT * FROM h WHERE k % 10 = 0) h LEFT JOIN c USING (client, k) WHERE c.v IS DISTINCT FROM h.v OR c.t IS DISTINCT FROM h.t LIMIT 3;
EOC
	# at that record somebody has the table for himself, and replay waits for us
	return 'locked' if $err =~ /lock timeout/;
	return $err ne '' ? "$what: $err" : $out;
}

# The state of the replica, as a server that ends its recovery here.
sub go_on
{
	my ($lsn) = @_;
	my $copy = PostgreSQL::Test::Cluster->new("copy$lsn" =~ s{/}{_}r);
	system('cp', '-a', $replica->data_dir, $copy->data_dir) == 0 or die;
	$copy->append_conf('postgresql.conf', 'port = ' . $copy->port . "\nunix_socket_directories = '" . $copy->host . "'\nrecovery_target_action = 'promote'\nautovacuum = on");
	$copy->start;
	$copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
	my $bad = check($copy, "$lsn as a server");
	# in the middle of REINDEX CONCURRENTLY or CREATE INDEX CONCURRENTLY, recovery leaves an invalid index, as for a heap
	$copy->safe_psql('postgres', 'UPDATE c SET v = v + 1 WHERE k % 3 = 0; UPDATE h SET v = v + 1 WHERE k % 3 = 0; DELETE FROM c WHERE k % 7 = 0; DELETE FROM h WHERE k % 7 = 0');
	$copy->safe_psql('postgres', "INSERT INTO c SELECT 200, i, i, 'on' FROM generate_series(1, 5000) i; INSERT INTO h SELECT 200, i, i, 'on' FROM generate_series(1, 5000) i; VACUUM c");
	$bad .= check($copy, "$lsn going on");
	$copy->safe_psql('postgres', 'VACUUM FULL c');
	$bad .= check($copy, "$lsn after VACUUM FULL");
	$copy->clean_node;
	return $bad;
}

my $bad = '';
my $n = 0;
foreach my $lsn (@chosen)
{
	$replica->append_conf('postgresql.conf', "recovery_target_lsn = '$lsn'");
	$replica->start;
	$replica->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die "no pause at $lsn";
	my $text = check($replica, $lsn);
	my $locked = $text eq 'locked';
	$text = '' if $locked;
	$replica->stop;
	$text .= go_on($lsn) if ++$n % $every == 0 || $locked;
	$bad .= "$text\n" if $text ne '';
}
is($bad, '', "$n records: whole at each");
done_testing();
