# Summaries of an events table: whoever makes them is killed at each step, a standby replays and uses them, streams of large
# batches get them while they run, autovacuum makes them.  Insights are the same with and without them all the time.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('summaries');
$node->init(allows_streaming => 1, extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<'EOC');
wal_consistency_checking = 'all'
wal_keep_size = '4GB'
autovacuum_naptime = '1h'
restart_after_crash = on
shared_buffers = '32MB'
deadlock_timeout = '200ms'
EOC
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
ALTER SYSTEM SET ecinsight.summary_rows = 1000;
SELECT ecinsight.create_events_table('e');
SELECT ecinsight.set_options('e', row_group_rows => 20000);
ALTER TABLE e SET (autovacuum_enabled = off);
CREATE FUNCTION fill(t regclass, first int, last int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($q$INSERT INTO %s
	SELECT timestamptz '2019-10-01 00:00:00+00' + i * interval '97 seconds',
	       CASE WHEN i %% 23 = 0 THEN 'purchase' WHEN i %% 17 = 0 THEN 'cart' ELSE 'view' END,
	       i %% 700, 2053013555631882655 + i %% 30, 'category.' || i %% 30 / 2, 'brand' || i %% 11,
	       (i %% 9999) / 100.0, 500000000 + i %% 800, 'session' || i / 6
	FROM generate_series($1, $2) i$q$, t) USING first, last;
END $$;
CREATE FUNCTION insights(t regclass) RETURNS text LANGUAGE sql AS $$
	SELECT md5(concat_ws('|',
		(SELECT string_agg(x::text, ',') FROM ecinsight.popular_categories(t, 1000) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.price_sensitivity(t, 1000) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.top_user_categories(t, 100) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.product_performance(t, 1000) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.sales_trend(t) x),
		(SELECT string_agg(x::text, ',') FROM ecinsight.overview(t) x)))
$$;
CREATE VIEW state AS
	SELECT count(*) AS sets, coalesce(sum(s.rows), 0) AS covered
	FROM (SELECT DISTINCT set_number, rows FROM ecinsight.summaries('e')) s;
EOC
$node->reload;

my $same = "SELECT insights('e'); SET ecinsight.enable_summaries = off; SELECT insights('e')";

# The insights with summaries are those without, and nothing is damaged.
sub same
{
	my ($on, $what) = @_;
	my @two = split /\n/, $on->safe_psql('postgres', $same);
	is($two[0], $two[1], "$what: insights are the same without summaries");
	is($on->safe_psql('postgres', q{SELECT string_agg(problem, ', ') FROM ecinsight.verify('e')}), '', "$what: nothing is damaged");
	return $two[1];
}

$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('summaries_standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nmax_standby_streaming_delay = '60s'\n");
$standby->start;

sub same_there
{
	my ($what) = @_;
	my $here = same($node, $what);
	$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
	is(same($standby, "$what, standby"), $here, "$what: the same on the standby");
	is($standby->safe_psql('postgres', 'TABLE state'), $node->safe_psql('postgres', 'TABLE state'), "$what: with the same summaries");
	return;
}

# ---------------------------------------------------------------------------
# Killed
# ---------------------------------------------------------------------------
sub back_again
{
	foreach (1 .. 600)
	{
		return if IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT 1' ], '>', \my $out, '2>', \my $err);
		usleep(100_000);
	}
	die 'the server did not come back';
}

# A session that stops at the named place and is killed there with signal 9.
sub kill_at
{
	my ($place, $command) = @_;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET ecinsight.debug_stop_point = '$place'", '-c', $command ],
		'>', \$out, '2>', \$err);
	my $pid = '';
	foreach (1 .. 600)
	{
		$pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE 'stopped at %'");
		$session->pump_nb if $session->pumpable;
		last if $pid ne '' || !$session->pumpable;
		usleep(100_000);
	}
	if ($pid ne '')
	{
		same($node, "while $command has stopped at $place");
		is($node->safe_psql('postgres', "SET statement_timeout = '20s'; SELECT fill('e', 1, 5); DELETE FROM e WHERE ctid = (SELECT max(ctid) FROM e)"), '', 'others write meanwhile');
		kill 'KILL', $pid;
	}
	$session->finish;
	back_again();
	return $pid ne '';
}

my $first = 1;
foreach my $step ([ 'summary', 'VACUUM e' ], [ 'summary:2', 'VACUUM e' ], [ 'summaries', 'VACUUM e' ], [ 'summary:2', q{SELECT ecinsight.compact('e')} ])
{
	$node->safe_psql('postgres', "SELECT fill('e', $first, $first + 29999)");
	$first += 30000;
	my $before = $node->safe_psql('postgres', 'TABLE state');
	ok(kill_at(@$step), "$step->[1] was killed at $step->[0]");
	is($node->safe_psql('postgres', 'TABLE state'), $before, "killed at $step->[0] in $step->[1]: nothing of it counts");
	same_there("killed at $step->[0]");
	$node->safe_psql('postgres', 'VACUUM e');
	cmp_ok($node->safe_psql('postgres', 'SELECT covered FROM state'), '>=', $first - 20000, 'VACUUM makes them later');
	same_there('VACUUM');
}
my $size = $node->safe_psql('postgres', 'VACUUM e; SELECT pg_relation_size($$e$$)');
my $used = $node->safe_psql('postgres', q{SELECT sum(bytes) + (SELECT sum(summary_bytes) FROM ecinsight.columnar_stats('e')) FROM ecinsight.row_groups('e')});
cmp_ok($size, '<', 2 * $used + 1024 * 1024, 'what was killed has left no space that is never used again');

# ---------------------------------------------------------------------------
# A snapshot on the standby, while sets are dropped and made
# ---------------------------------------------------------------------------
sub session
{
	my ($on) = @_;
	my %s = (in => '', out => '', n => 0);
	$s{run} = IPC::Run::start([ 'psql', '-XqAt', '-d', $on->connstr('postgres') ], '<', \$s{in}, '>', \$s{out}, '2>&1', IPC::Run::timeout(180));
	return \%s;
}

# Its answer, or its errors.
sub ask
{
	my ($s, $sql) = @_;
	my $end = 'end ' . ++$s->{n};
	$s->{out} = '';
	$s->{in} .= "$sql;\n\\echo $end\n";
	eval { $s->{run}->pump until $s->{out} =~ /^$end$/m || !$s->{run}->pumpable; 1 } or die $@;
	$s->{out} =~ s/^$end\n//m;
	return $s->{out} =~ s/\s+$//r;
}

my $reader = session($standby);
my $all = "SELECT insights('e') || ' ' || covered FROM state";
ask($reader, 'BEGIN ISOLATION LEVEL REPEATABLE READ');
my $before = ask($reader, $all);
like($before, qr/^\w{32} \d+$/, 'a snapshot of the standby uses summaries');
$node->safe_psql('postgres', "SELECT ecinsight.set_options('e', summaries => 'off')");
$node->safe_psql('postgres', 'VACUUM e');
is($node->safe_psql('postgres', 'SELECT sets FROM state'), '0', 'which are dropped');
$node->safe_psql('postgres', "DELETE FROM e WHERE product_id = 7; SELECT ecinsight.set_options('e', summaries => 'auto')");
$node->safe_psql('postgres', 'VACUUM e');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(ask($reader, $all), $before, 'but stay there for it');
ask($reader, 'COMMIT');
$reader->{run}->finish;
same_there('made anew');

# ---------------------------------------------------------------------------
# A large set outlives the compaction of what comes later
# ---------------------------------------------------------------------------
my $largest = q{SELECT set_number, rows FROM ecinsight.summaries('grown') ORDER BY rows DESC LIMIT 1};
$node->safe_psql('postgres', q{SELECT ecinsight.create_events_table('grown'); ALTER TABLE grown SET (autovacuum_enabled = off)});
$node->safe_psql('postgres', q{SELECT ecinsight.set_options('grown', row_group_rows => 20000)});
$node->safe_psql('postgres', q{SELECT fill('grown', 1, 190000)});
$node->safe_psql('postgres', 'VACUUM grown');
is($node->safe_psql('postgres', $largest) =~ s/.*\|//r, '190000', 'the first set has all rows');
$node->safe_psql('postgres', "SELECT fill('grown', 190001 + $_ * 6000, 196000 + $_ * 6000)"), $node->safe_psql('postgres', 'VACUUM grown') foreach 0 .. 2;
my $lasting = $node->safe_psql('postgres', $largest);
foreach (3 .. 6)
{
	$node->safe_psql('postgres', "SELECT fill('grown', 190001 + $_ * 6000, 196000 + $_ * 6000)");
	$node->safe_psql('postgres', 'VACUUM grown');
}
is($node->safe_psql('postgres', $largest), $lasting, 'the large set is still there when small row groups were merged again and again');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT DISTINCT set_number FROM ecinsight.summaries('grown')) s}) <= 5, 1, 'beside a few small ones');

# ---------------------------------------------------------------------------
# VACUUM FULL drops them, and makes them again
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', 'VACUUM FULL e');
cmp_ok($node->safe_psql('postgres', 'SELECT covered FROM state'), '>', 0, 'VACUUM FULL makes them, even if it has only just loaded the library');
$node->safe_psql('postgres', 'CLUSTER e USING e_again') if $node->safe_psql('postgres', 'CREATE INDEX e_again ON e (user_id)') eq '';
is($node->safe_psql('postgres', 'SELECT covered FROM state'), '0', 'CLUSTER leaves that to VACUUM');
$node->safe_psql('postgres', 'VACUUM (FULL, SKIP_LOCKED) e; DROP INDEX e_again');
cmp_ok($node->safe_psql('postgres', 'SELECT covered FROM state'), '>', 0, 'which may skip what is locked');

# Others come in between: it waits for them.
sub waiting { $node->poll_query_until('postgres', "SELECT count(*) = $_[0] FROM pg_locks WHERE relation = 'e'::regclass AND NOT granted") }

my ($before_it, $full, $behind_it) = map { session($node) } 1 .. 3;
my $lock = 'BEGIN; LOCK TABLE e IN SHARE UPDATE EXCLUSIVE MODE';
ask($before_it, $lock);
ask($full, 'SELECT count(*) FROM (SELECT FROM e LIMIT 1) x');
$full->{in} .= "VACUUM FULL e;\n";
$full->{run}->pump_nb;
ok(waiting(1), 'VACUUM FULL waits');
$behind_it->{in} .= "$lock;\n";
$behind_it->{run}->pump_nb;
ok(waiting(2), 'and another behind it');
ask($before_it, 'COMMIT');
ask($behind_it, 'SELECT true');
ok(waiting(1), 'VACUUM FULL is done, and waits to make summaries');
is($node->safe_psql('postgres', 'SELECT covered FROM state'), '0', 'there are none yet');
ask($behind_it, 'COMMIT');
ask($full, 'SELECT true');
cmp_ok($node->safe_psql('postgres', 'SELECT covered FROM state'), '>', 0, 'now there are');
same_there('VACUUM FULL');
$_->{run}->finish foreach $before_it, $full, $behind_it;

# ---------------------------------------------------------------------------
# While large batches come
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q{SELECT ecinsight.create_events_table('public.stream')});
$node->safe_psql('postgres', "SELECT fill('public.stream', 1 + $_ * 100000, 100000 + $_ * 100000)") foreach 0 .. 12;
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM ecinsight.summaries('public.stream')}), 'the background worker makes summaries');
is($node->safe_psql('postgres', q{SELECT autovacuum_count + vacuum_count FROM pg_stat_user_tables WHERE relid = 'public.stream'::regclass}), '0', 'nobody else came');

# ---------------------------------------------------------------------------
# Autovacuum
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q{SELECT ecinsight.create_events_table('loaded'); SELECT fill('loaded', 1, 50000)});
$node->safe_psql('postgres', "ALTER SYSTEM SET autovacuum_naptime = '1s'");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT sum(rows) > 0 FROM ecinsight.summaries('loaded')}), 'autovacuum makes summaries');
is($node->safe_psql('postgres', q{SELECT count(*) FROM ecinsight.verify('loaded')}), '0', 'nothing is damaged');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT count(*) FROM ecinsight.verify('loaded')}), '0', 'nor on the standby');

$standby->stop;
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums are right');
done_testing();
