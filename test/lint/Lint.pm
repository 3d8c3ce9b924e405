# What the lints share: the files of the project and a way to complain.
package Lint;

use strict;
use warnings;

use Exporter 'import';
use File::Find ();

our @EXPORT = qw(files slurp code complain finish);

my $complaints = 0;

# Paths (from the top of the tree, where lints run) that match; nothing generated, nothing ignored by git.
sub files
{
	my ($pattern) = @_;
	my @found;
	File::Find::find(
		{
			no_chdir => 1,
			preprocess => sub { grep { !/^(\.git|\.deps|\.demo|\.bench|\.test|bin|results|tmp_check|output_iso)$/ } @_ },
			wanted => sub { (my $f = $_) =~ s,^\./,,; push @found, $f if -f && $f =~ $pattern && $f ne 'sql/ecinsight--1.0.sql' }
		},
		'.');
	return sort @found;
}

sub slurp
{
	my ($file) = @_;
	open(my $f, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$f>;
}

# C source without comments and with empty string literals; line numbers stay.
sub code
{
	my $text = slurp($_[0]);
	$text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
		{ my ($comment, $literal) = ($1, $2); defined $literal ? $literal : $comment =~ s/[^\n]//gr }gse;
	return $text;
}

sub complain { print "@_\n"; $complaints++ }
sub finish { exit($complaints ? 1 : 0) }

1;
