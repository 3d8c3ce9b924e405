# Run TAP files and write "PASSED FAILED FILE…" (the files in trouble) to the first argument.
#
# Why not prove: its summary counts the tests that ran, not those that failed, and a file that dies
# half-way must count as a failure too.
use strict;
use warnings;

use TAP::Harness;

my ($summary, @files) = @ARGV;
my $harness = TAP::Harness->new(
	{ verbosity => 0, timer => 1, jobs => $ENV{EC_TAP_JOBS} // 1, color => 0, merge => 0, exec => [ $^X ], failures => 1 });
my $all = $harness->runtests(@files);

my ($failed, @bad) = (scalar $all->failed);
foreach my $file (@files)
{
	my ($parser) = $all->parsers($file);
	next unless $parser->has_problems;
	push @bad, $file;
	# Died, planned otherwise or passed unexpectedly, though no single test failed.
	$failed++ unless $parser->failed;
}
open(my $out, '>', $summary) or die "$summary: $!\n";
print {$out} join(' ', scalar($all->passed), $failed, @bad), "\n";
close $out;
exit(@bad ? 1 : 0);
