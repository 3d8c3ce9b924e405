#!/usr/bin/env perl
# The include law: base < vector < encoding < store < { ingest, scan } < insight < ecinsight.c.
# A layer includes only what stands left of it; ingest and scan never meet.  Besides:
#   - includes of ours are written from src/ ("store/reader.h"), so this lint sees them all;
#   - encoding/ and the pure parts of vector/ reach no server header, by whatever way;
#   - tools/ include no server header and nothing of the server's layers;
#   - rdkafka.h is seen by ingest's one Kafka file and by the tools only;
#   - PG_VERSION_NUM appears in base/compat.h only.
use strict;
use warnings;
use lib 'test/lint';
use Lint;

my %rank = (base => 0, vector => 1, encoding => 2, store => 3, ingest => 4, scan => 4, insight => 5, tools => 0);
my %includes;    # file => [[line, name, quoted?]…]

foreach my $file (files(qr{^src/.*\.[ch]$}))
{
	my $n = 0;
	$includes{$file} = [];
	foreach my $line (split /\n/, code($file))
	{
		$n++;
		push @{ $includes{$file} }, [ $n, $2, $1 eq '"' ] if $line =~ /^\s*#\s*include\s*(["<])([^">]+)[">]/;
		complain("$file:$n: PG_VERSION_NUM belongs into src/base/compat.h") if $line =~ /\bPG_VERSION_NUM\b/ && $file ne 'src/base/compat.h';
	}
}

sub layer_of { return $_[0] =~ m{^src/([^/]+)/} ? $1 : undef }

foreach my $file (sort keys %includes)
{
	my $layer = layer_of($file);
	complain("$file: $layer is no layer") if defined $layer && !exists $rank{$layer};
	foreach my $include (@{ $includes{$file} })
	{
		my ($line, $name, $quoted) = @$include;
		my $at = "$file:$line";
		if ($name =~ /rdkafka/)
		{
			complain("$at: only src/ingest/kafka*.c and the tools include $name") unless $file =~ m{^src/(tools/|ingest/kafka)};
		}
		next unless $quoted;
		my ($theirs) = $name =~ m{^([^/]+)/};
		if (-f "src/$name" && defined $theirs && exists $rank{$theirs})
		{
			next if !defined $layer || $layer eq $theirs;
			if ($layer eq 'tools' || $theirs eq 'tools') { complain("$at: $layer includes $name") }
			elsif ($rank{$theirs} >= $rank{$layer}) { complain("$at: $layer includes $name, which doesn't stand left of it") }
		}
		elsif (defined $layer && -f "src/$layer/$name") { complain("$at: write \"$layer/$name\", from src/") }
		elsif (defined $layer && $layer eq 'tools') { complain("$at: a tool includes $name") }
	}
}

# Pure C: follow every quoted include; all of them must be ours.
foreach my $file (grep { m{^src/encoding/|^src/vector/(vector|builder)\.[ch]$} } sort keys %includes)
{
	my (%seen, @todo) = ();
	@todo = ([ $file, $file ]);
	while (my $next = shift @todo)
	{
		my ($at, $way) = @$next;
		next if $seen{$at}++;
		foreach my $include (@{ $includes{$at} // [] })
		{
			my (undef, $name, $quoted) = @$include;
			next unless $quoted;
			if (exists $includes{"src/$name"}) { push @todo, [ "src/$name", "$way > $name" ] }
			else { complain("$file is to be pure C but reaches $name: $way") }
		}
	}
}
finish();
