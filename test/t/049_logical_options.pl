# Logical replication of columnar tables with what publications and subscriptions can be told: row filters, column lists,
# kinds of changes, replica identities by index and none, initial copies from and to columnar tables, conflicts, two-phase
# and streamed transactions that are rolled back, and pg_recvlogical.  What heap tables do is right.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %node;
foreach my $name ('publisher', 'subscriber')
{
	my $n = PostgreSQL::Test::Cluster->new($name);
	$n->init(allows_streaming => 'logical');
	$n->append_conf('postgresql.conf', "max_prepared_transactions = 5\nautovacuum_naptime = '1s'\nlogical_decoding_work_mem = '64kB'\nmax_logical_replication_workers = 30\nmax_sync_workers_per_subscription = 4\nmax_worker_processes = 40\nmax_wal_senders = 20\nmax_replication_slots = 30\nwal_retrieve_retry_interval = '200ms'\n");
	$n->start;
	$n->safe_psql('postgres', 'CREATE EXTENSION ecinsight');
	$node{$name} = $n;
}
my ($publisher, $subscriber) = @node{qw(publisher subscriber)};
my $connection = $publisher->connstr . ' dbname=postgres';

# Tables by access method there and here; "hh" says what is right.
my %methods = (cc => [ 'ecinsight_columnar', 'ecinsight_columnar' ], ch => [ 'ecinsight_columnar', 'heap' ], hc => [ 'heap', 'ecinsight_columnar' ], hh => [ 'heap', 'heap' ]);
my @kinds = sort keys %methods;

sub publish
{
	my ($sql) = @_;
	$publisher->safe_psql('postgres', join ";\n", map { $sql =~ s/\@/$_/gr } @kinds);
	return;
}

sub both
{
	my ($sql) = @_;
	foreach my $k (@kinds)
	{
		foreach my $i (0, 1)
		{
			(my $text = $sql) =~ s/\@/$k/g;
			$text =~ s/\%/$methods{$k}[$i]/g;
			($i ? $subscriber : $publisher)->safe_psql('postgres', $text);
		}
	}
	return;
}

# What the subscriber has of each table is what it has of the heap table that came from a heap.
sub alike
{
	my ($what, @tables) = @_;
	$publisher->wait_for_catchup($_) foreach split /\n/, $subscriber->safe_psql('postgres', 'SELECT subname FROM pg_subscription WHERE subenabled');
	foreach my $table (@tables)
	{
		my %sum = map { $_ => $subscriber->safe_psql('postgres', "SELECT count(*), sum(hashtextextended(x::text, 0)::numeric) FROM ${table}_$_ x") } @kinds;
		my %verified = map { $_ => $subscriber->safe_psql('postgres', "SELECT count(*) FROM ecinsight.verify('${table}_$_')") } 'cc', 'hc';
		is(join(' ', map { "$_ $sum{$_}" } @kinds), join(' ', map { "$_ $sum{hh}" } @kinds), "$what: $table");
		is("@verified{'cc', 'hc'}", '0 0', "$what: $table is not damaged");
	}
	return;
}

# ------------------------------------------------------------------------
# Row filters, column lists, kinds of changes, replica identities
# ------------------------------------------------------------------------
both('CREATE TABLE filtered_@ (a int, b text, c int, PRIMARY KEY (a, c)) USING %');
both('CREATE TABLE columns_@ (a int PRIMARY KEY, b text, c int) USING %');
both('CREATE TABLE inserts_@ (a int, b text) USING %');
both('CREATE TABLE by_index_@ (a int NOT NULL, b text, c int) USING %; CREATE UNIQUE INDEX ON by_index_@ (a); ALTER TABLE by_index_@ REPLICA IDENTITY USING INDEX by_index_@_a_idx');
both('CREATE TABLE whole_@ (a int, b text, c int[], d jsonb) USING %; ALTER TABLE whole_@ REPLICA IDENTITY FULL');
$subscriber->safe_psql('postgres', "ALTER TABLE columns_$_ ADD d text DEFAULT 'here'") foreach @kinds;
my $fill = "INSERT INTO filtered_@ SELECT i, 'b' || i, i % 10 FROM generate_series(1, 2000) i;
INSERT INTO columns_@ SELECT i, 'b' || i, i % 10 FROM generate_series(1, 2000) i;
INSERT INTO by_index_@ SELECT i, 'b' || i, i % 10 FROM generate_series(1, 2000) i;
INSERT INTO whole_@ SELECT i / 2, 'b' || i / 2, ARRAY[i / 2], jsonb_build_object('k', i % 5) FROM generate_series(1, 2000) i";
publish($fill);
publish("UPDATE filtered_@ SET b = 'x' WHERE a % 20 = 1; DELETE FROM columns_@ WHERE a % 30 = 2");
$publisher->safe_psql('postgres', join ";\n",
	'CREATE PUBLICATION filtered FOR TABLE ' . join(', ', map { "filtered_$_ WHERE (c > 4)" } @kinds),
	'CREATE PUBLICATION columns FOR TABLE ' . join(', ', map { "columns_$_ (a, c)" } @kinds),
	'CREATE PUBLICATION inserts FOR TABLE ' . join(', ', map { "inserts_$_" } @kinds) . " WITH (publish = 'insert, truncate')",
	'CREATE PUBLICATION others FOR TABLE ' . join(', ', map { ("by_index_$_", "whole_$_") } @kinds));
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION all_of_it CONNECTION '$connection' PUBLICATION filtered, columns, inserts, others WITH (streaming = on, two_phase = on)");
$subscriber->wait_for_subscription_sync($publisher, 'all_of_it');
my @tables = qw(filtered columns inserts by_index whole);
alike('initial copy', @tables);
is($subscriber->safe_psql('postgres', "SELECT count(*) FILTER (WHERE c <= 4) FROM filtered_cc"), '0', 'rows are filtered');
is($subscriber->safe_psql('postgres', "SELECT count(*), count(b), count(*) FILTER (WHERE d = 'here') FROM columns_cc"), '1933|0|1933', 'columns are left out');

# rows that come to fit the filter or no longer do
publish("UPDATE filtered_@ SET c = 9 - c WHERE a % 3 = 0; UPDATE filtered_@ SET b = b || 'u' WHERE a % 7 = 0; DELETE FROM filtered_@ WHERE a % 11 = 0; INSERT INTO filtered_@ SELECT i, 'n', i % 10 FROM generate_series(3001, 3100) i");
publish("UPDATE columns_@ SET b = 'not published'; UPDATE columns_@ SET c = c + 1 WHERE a % 2 = 0; UPDATE columns_@ SET a = a + 10000 WHERE a % 50 = 0; DELETE FROM columns_@ WHERE a % 9 = 0; INSERT INTO columns_@ VALUES (-1, 'x', 5)");
publish("INSERT INTO inserts_@ SELECT i, 'b' FROM generate_series(1, 3000) i; INSERT INTO inserts_@ VALUES (-1, 'one'); UPDATE inserts_@ SET b = 'u' WHERE a < 10; DELETE FROM inserts_@ WHERE a > 2000");
publish("UPDATE by_index_@ SET b = b || 'u' WHERE c = 3; UPDATE by_index_@ SET a = -a WHERE c = 4; DELETE FROM by_index_@ WHERE c = 5; INSERT INTO by_index_@ VALUES (5000, repeat('long', 5000), 1); UPDATE by_index_@ SET c = 2 WHERE a = 5000");
publish("UPDATE whole_@ SET b = NULL WHERE a % 10 = 0; DELETE FROM whole_@ WHERE ctid = ANY (ARRAY(SELECT max(ctid) FROM whole_@ WHERE a % 10 = 3 GROUP BY a)); UPDATE whole_@ SET d = d || '{\"n\": null}' WHERE a < 100");
alike('changes', @tables);
publish("TRUNCATE inserts_@; INSERT INTO inserts_@ VALUES (1, 'after')");
publish("BEGIN; $fill" =~ s/generate_series\(1, 2000\)/generate_series(20001, 24000)/gr . '; ROLLBACK');
publish("BEGIN; INSERT INTO whole_@ SELECT i, 'kept' FROM generate_series(30001, 33000) i; SAVEPOINT a; DELETE FROM whole_@ WHERE a < 500; INSERT INTO by_index_@ SELECT i FROM generate_series(30001, 33000) i; ROLLBACK TO a; UPDATE whole_@ SET b = 'kept too' WHERE a > 32000; COMMIT");
alike('truncated, rolled back, streamed', @tables);
foreach my $end ('COMMIT', 'ROLLBACK')
{
	$publisher->safe_psql('postgres', "BEGIN; INSERT INTO whole_$_ SELECT i, 'prepared $end' FROM generate_series(40001, 43000) i; UPDATE by_index_$_ SET b = '$end' WHERE a > 1900; DELETE FROM filtered_$_ WHERE a < 100; PREPARE TRANSACTION 'p_$_'") foreach @kinds;
	$publisher->wait_for_catchup('all_of_it');
	$publisher->safe_psql('postgres', "$end PREPARED 'p_$_'") foreach @kinds;
	alike("$end PREPARED", @tables);
}

# What has no identity can't be changed while it is published, as a heap.
both('CREATE TABLE nothing_@ (a int PRIMARY KEY, b text) USING %; ALTER TABLE nothing_@ REPLICA IDENTITY NOTHING');
publish("INSERT INTO nothing_@ VALUES (1, 'x')");
$publisher->safe_psql('postgres', 'CREATE PUBLICATION nothing FOR TABLE ' . join ', ', map { "nothing_$_" } @kinds);
foreach my $statement ("UPDATE nothing_@ SET b = 'y'", 'DELETE FROM nothing_@', "INSERT INTO nothing_@ VALUES (1, 'z') ON CONFLICT (a) DO UPDATE SET b = 'z'")
{
	my %error = map { my $k = $_; my (undef, undef, $err) = $publisher->psql('postgres', $statement =~ s/\@/$k/gr); $k => $err =~ s/nothing_$k/T/gr } 'cc', 'hh';
	like($error{hh}, qr/replica identity/, "$statement is refused");
	is($error{cc}, $error{hh}, "$statement: of a columnar table, too");
}

# ------------------------------------------------------------------------
# Conflicts: the subscriber's own rows are in the way, or are gone
# ------------------------------------------------------------------------
both('CREATE TABLE conflict_@ (a int PRIMARY KEY, b text) USING %');
publish("INSERT INTO conflict_@ SELECT i, 'there' FROM generate_series(1, 100) i");
foreach my $k (@kinds)
{
	$publisher->safe_psql('postgres', "CREATE PUBLICATION conflict_$k FOR TABLE conflict_$k");
	$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION conflict_$k CONNECTION '$connection' PUBLICATION conflict_$k WITH (disable_on_error = true)");
	$subscriber->wait_for_subscription_sync($publisher, "conflict_$k");
	$subscriber->safe_psql('postgres', "DELETE FROM conflict_$k WHERE a IN (5, 6); UPDATE conflict_$k SET b = 'here' WHERE a IN (7, 8); INSERT INTO conflict_$k VALUES (200, 'in the way')");
}
# gone and changed rows are no error
publish("UPDATE conflict_@ SET b = 'new' WHERE a IN (5, 7); DELETE FROM conflict_@ WHERE a IN (6, 8)");
alike('conflicts that are passed over', 'conflict');
publish("BEGIN; INSERT INTO conflict_@ VALUES (199, 'before'), (200, 'again'), (201, 'after'); COMMIT");
foreach my $k (@kinds)
{
	$subscriber->poll_query_until('postgres', "SELECT NOT subenabled FROM pg_subscription WHERE subname = 'conflict_$k'") or die;
	is($subscriber->safe_psql('postgres', "SELECT string_agg(a || b, ' ') FROM conflict_$k WHERE a > 150"), '200in the way', "conflict_$k: a key in the way stops the subscription, nothing is applied");
	like(slurp_file($subscriber->logfile), qr/duplicate key value violates unique constraint "conflict_${k}_pkey"|conflict=insert_exists.{0,200}"conflict_${k}_pkey"/s, "conflict_$k: and the log says why");
	# past it: the transaction is skipped, or the row makes way
	my ($lsn) = slurp_file($subscriber->logfile) =~ m{.*replication target relation "public.conflict_$k"[^\n]*finished at (\S+)}s;
	$subscriber->safe_psql('postgres', $k =~ /^h/ ? "ALTER SUBSCRIPTION conflict_$k SKIP (lsn = '$lsn'); ALTER SUBSCRIPTION conflict_$k ENABLE" : "DELETE FROM conflict_$k WHERE a = 200; ALTER SUBSCRIPTION conflict_$k ENABLE");
}
publish("INSERT INTO conflict_@ VALUES (300, 'goes on')");
$publisher->wait_for_catchup("conflict_$_") foreach @kinds;
is($subscriber->safe_psql('postgres', "SELECT string_agg(a || b, ' ' ORDER BY a) FROM conflict_$_ WHERE a > 150"),
	/^h/ ? '200in the way 300goes on' : '199before 200again 201after 300goes on', "conflict_$_: goes on") foreach @kinds;

# ------------------------------------------------------------------------
# pg_recvlogical
# ------------------------------------------------------------------------
SKIP:
{
	skip 'test_decoding is not installed', 2 unless $publisher->psql('postgres', "SELECT pg_create_logical_replication_slot('receive', 'test_decoding')") == 0;
	my %received;
	foreach my $am ('heap', 'ecinsight_columnar')
	{
		$publisher->safe_psql('postgres', "CREATE TABLE received (a int PRIMARY KEY, b text) USING $am; INSERT INTO received SELECT i, 'b' || i FROM generate_series(1, 300) i; UPDATE received SET b = 'u' WHERE a = 7; DELETE FROM received WHERE a = 9; DROP TABLE received");
		my $end = $publisher->lsn('insert');
		my ($out, $err) = run_command([ 'pg_recvlogical', '-S', 'receive', '--start', '-d', $publisher->connstr('postgres'), '--endpos', $end, '-o', 'include-xids=0', '-o', 'skip-empty-xacts=1', '--no-loop', '-f', '-' ]);
		$received{$am} = $out;
	}
	is($received{ecinsight_columnar}, $received{heap}, 'pg_recvlogical receives the same');
	cmp_ok(scalar split(/\n/, $received{heap}), '>', 300, 'and not nothing');
}

foreach my $n ($publisher, $subscriber)
{
	unlike(slurp_file($n->logfile), qr/PANIC|TRAP:|terminated by signal|XX000/, $n->name . ': no process crashed');
	$n->stop('immediate');
}
done_testing();
