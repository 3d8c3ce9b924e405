#!/usr/bin/env perl
# Small rules about files: sizes, tests that pair up and run, nothing of one machine or one day.
use strict;
use warnings;
use lib 'test/lint';
use Lint;

foreach my $file (files(qr{^(src|scripts|test|sql/extension)/.*\.(c|h|sh|pl|pm|sql|y|l)$}))
{
	my $lines = slurp($file) =~ tr/\n//;
	complain("$file: $lines lines, more than 800") if $lines > 800;
}

# Every SQL test belongs to a topic that the Makefile runs, and has an expected output; and vice versa.
my ($topics) = slurp('Makefile') =~ /foreach t,([a-z ]+),\$\(wildcard sql/ or complain('Makefile: no list of topics');
my $topic = join '|', split ' ', $topics // '';
foreach my $file (files(qr{^sql/[^/]+\.sql$}))
{
	my ($name) = $file =~ m{^sql/(.+)\.sql$};
	next if $name =~ /^ecinsight--/;
	complain("$file: not one of the topics $topic, so it never runs") unless $name =~ /^($topic)_/;
	complain("$file: no expected/$name.out") unless -f "expected/$name.out";
}
foreach my $file (files(qr{^expected/[^/]+\.out$}))
{
	my ($name) = $file =~ m{^expected/(.+?)(_\d)?\.out$};
	complain("$file: no sql/$name.sql") unless -f "sql/$name.sql" || $file =~ m{^expected/(.+)\.out$} && -f "sql/$1.sql";
}
foreach my $file (files(qr{^test/specs/[^/]+\.spec$}))
{
	my ($name) = $file =~ m{^test/specs/(.+)\.spec$};
	complain("$file: no test/expected/$name.out") unless -f "test/expected/$name.out";
}
foreach my $file (files(qr{^test/expected/[^/]+\.out$}))
{
	my ($name) = $file =~ m{^test/expected/(.+?)(_\d)?\.out$};
	complain("$file: no test/specs/$name.spec") unless -f "test/specs/$name.spec";
}

# Paths of somebody's machine, conflict marks, promises.
foreach my $file (files(qr{^(src|scripts|test|sql|expected|\.ci)/|^[^/]+\.(md|control|json)$|^Makefile$}))
{
	next if $file =~ m{^test/lint/|\.[do]$} || !-T $file;
	my $n = 0;
	foreach my $line (split /\n/, slurp($file))
	{
		$n++;
		complain("$file:$n: a path of one machine: $1") if $line =~ m{(?<![\w./-])(/(?:work|home|root|Users)/\w[\w./-]*)};
		complain("$file:$n: conflict mark") if $line =~ /^(<{7}|>{7}) /;
		complain("$file:$n: $1") if $file =~ /\.(c|h|pl|pm|sh)$/ && $line =~ /\b(TODO|FIXME|XXX|HACK)\b/;
		complain("$file:$n: white space at the end") if $file =~ /\.(c|h)$/ && $line =~ /[ \t]$/;
	}
}
finish();
