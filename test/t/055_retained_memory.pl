# A session keeps memory between statements, so that the operating system needn't hand it out, cleared, in each: page faults tell.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('retained');
$node->init;
# no parallel workers, whose faults would be theirs; no JIT compilation either
$node->append_conf('postgresql.conf', "fsync = off\nmax_parallel_workers_per_gather = 0\njit = off\n");
$node->start;
$node->safe_psql('postgres', <<'EOC');
CREATE EXTENSION ecinsight;
CREATE TABLE t (a int, b bigint, c text) USING ecinsight_columnar;
INSERT INTO t SELECT g, g::bigint * 7919 % 100003, 'text ' || g % 5000 FROM generate_series(1, 300000) g;
EOC

# Minor page faults of the last of some equal statements in one session; before them others with all memory kept.
sub faults
{
	my ($query, $retained) = @_;
	my $script =
	    "SET ecinsight.retained_memory = '64MB';\n"
	  . "$query;\n" x 3
	  . "SET ecinsight.retained_memory = '$retained';\n"
	  . "$query;\n" x 3
	  . "SET log_statement_stats = on;\nSET client_min_messages = log;\n$query;\n";
	my ($out, $err);

	$node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_die => 1);
	my @faults = $err =~ m{^!\s+\d+/(\d+) \[\d+/\d+\] page faults}mg;
	return $faults[-1];
}

for my $query ('SELECT count(*), sum(b), max(c) FROM t', 'SELECT * FROM t ORDER BY b DESC LIMIT 1')
{
	my $kept = faults($query, '64MB');
	my $given_back = faults($query, '0');

	cmp_ok($given_back, '>', 100, "$query: $given_back page faults if memory is given back");
	cmp_ok($kept, '<', $given_back / 5, "$query: $kept if it is kept");
}

$node->stop;
done_testing();
