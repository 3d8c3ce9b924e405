#!/usr/bin/env perl
# Every ereport() of level ERROR and above tells its SQLSTATE, and every GUC, function or message
# that users see comes through ereport: elog(ERROR) is left for what "cannot happen".
use strict;
use warnings;
use lib 'test/lint';
use Lint;

foreach my $file (files(qr{^src/(?!tools/).*\.[ch]$}))
{
	my $code = code($file);
	# Literals may hold parentheses.
	$code =~ s/"(?:\\.|[^"\\\n])*"/""/g;
	$code =~ s/'(?:\\.|[^'\\\n])*'/''/g;
	while ($code =~ /\b(ereport|errsave|ereport_domain)\s*(\((?:[^()]++|(?2))*\))/g)
	{
		my ($name, $call, $at) = ($1, $2, $-[0]);
		my $line = 1 + (substr($code, 0, $at) =~ tr/\n//);
		next if $name eq 'ereport' && $call !~ /^\((?:\s*\w*level\s*,|[^,]*\b(?:ERROR|FATAL|PANIC)\b)/;
		complain("$file:$line: $name without errcode") unless $call =~ /\berrcode(_for_\w+)?\s*\(/;
	}
}
finish();
