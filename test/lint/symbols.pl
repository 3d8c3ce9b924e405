#!/usr/bin/env perl
# What the linker sees of us: ec_…, and what PostgreSQL calls by name (functions announced by
# PG_FUNCTION_INFO_V1, _PG_init, the magic block).  In a server, every other global name could
# meet another extension's.
use strict;
use warnings;
use lib 'test/lint';
use Lint;

my @objects = files(qr{^src/(?!tools/).*\.o$});
unless (@objects && -f 'ecinsight.so')
{
	complain('nothing is built: run make first');
	finish();
}
foreach my $file (@objects, 'ecinsight.so')
{
	# An object of a source that is gone.
	next if $file =~ /\.o$/ && !-f $file =~ s/\.o$/.c/r;
	my @options = $file =~ /\.so$/ ? ('-D') : ();
	open(my $nm, '-|', 'nm', @options, '--defined-only', '--extern-only', $file) or die "nm: $!\n";
	my @names = map { (split)[2] // () } <$nm>;
	close $nm or complain("nm $file failed");
	my %sql = map { /^pg_finfo_(.+)/ ? ($1 => 1) : () } @names;
	foreach my $name (@names)
	{
		next if $name =~ /^(ec_|pg_finfo_)/ || $sql{$name} || $name =~ /^(_PG_init|_PG_fini|Pg_magic_func)$/;
		complain("$file: $name");
	}
}
finish();
