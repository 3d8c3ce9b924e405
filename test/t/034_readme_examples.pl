# The examples of README.md's section "What they tell" are what the functions give on the demo's data:
# every query there is run on a million generated events, as make demo has them, and its result
# compared line by line; with summaries and without.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The queries and the lines below them.
sub read_examples
{
	my ($section) = slurp_file('README.md') =~ /^### What they tell\n(.*?)^### /ms;
	my @examples;

	foreach my $line (split /\n/, $section // '')
	{
		if ($line =~ /^    shop=> (SELECT .*)$/)
		{
			push @examples, { query => $1, result => '' };
		}
		elsif ($line =~ /^    shop-> (.*)$/)
		{
			$examples[-1]{query} .= " $1";
		}
		elsif (@examples && $line =~ /^    (.*)$/)
		{
			$examples[-1]{result} .= "$1\n";
		}
	}
	return @examples;
}

my @examples = read_examples();
my $tmp = PostgreSQL::Test::Utils::tempdir();
system('bin/ecgen', '--rows', 1_000_000, '--output', "$tmp/events.csv") == 0 or die 'ecgen failed';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', "CREATE EXTENSION ecinsight; SELECT ecinsight.create_events_table('events');
	COPY events FROM '$tmp/events.csv' CSV HEADER");

# As psql shows it, without the number of rows; lines don't end in spaces.
sub show
{
	my ($query) = @_;
	my ($stdout, $stderr);
	my @command = ('psql', '-X', '-q', '-P', 'footer=off', '-d', $node->connstr('postgres'), '-c', $query);

	IPC::Run::run(\@command, '>', \$stdout, '2>', \$stderr) or die "$query: $stderr";
	$stdout =~ s/[ ]+$//mg;
	$stdout =~ s/\n+\z/\n/;
	return $stdout;
}

my %functions = map { $_ => 1 } split /\n/, $node->safe_psql('postgres',
	"SELECT DISTINCT viewname FROM (SELECT ecinsight.create_views('events')) v, pg_views WHERE schemaname = 'insight'
	AND EXISTS (SELECT FROM pg_proc WHERE proname = viewname AND pronamespace = 'ecinsight'::regnamespace)");
delete @functions{ map { $_->{query} =~ /ecinsight\.(\w+)\(/ } @examples };
is_deeply([ sort keys %functions ], [], 'every function has an example');

is(show($_->{query}), $_->{result}, "from rows: $_->{query}") foreach @examples;
$node->safe_psql('postgres', 'VACUUM events');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM ecinsight.summaries('events')"), '>', 0, 'there are summaries');
is(show($_->{query}), $_->{result}, "from summaries: $_->{query}") foreach @examples;

$node->stop;
done_testing();
