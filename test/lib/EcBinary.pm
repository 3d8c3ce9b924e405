# Values and files of COPY's binary format.
package EcBinary;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(binary_file binary_row int2 int4 int8 float4 float8 numeric);

# undef is NULL
sub binary_row { return pack('n', scalar @_) . join('', map { defined $_ ? pack('N', length $_) . $_ : pack('N', 0xffffffff) } @_); }
sub binary_file { return "PGCOPY\n\xff\r\n\0" . pack('NN', 0, 0) . join('', @_) . pack('n', 0xffff); }

sub int2 { return pack('s>', $_[0]); }
sub int4 { return pack('l>', $_[0]); }
sub int8 { return pack('q>', $_[0]); }
sub float4 { return pack('f>', $_[0]); }
sub float8 { return pack('d>', $_[0]); }

# as numeric_send does it, of decimal text; more: digits of base 10000 to add behind, scale: another one than the text's
sub numeric
{
	my ($text, %how) = @_;
	my ($sign, $whole, $fraction) = $text =~ /^(-?)(\d*)(?:\.(\d*))?$/ or die $text;
	$fraction //= '';
	my $scale = $how{scale} // length $fraction;
	$whole = '0' x ((4 - length($whole) % 4) % 4) . $whole;
	$fraction .= '0' x ((4 - length($fraction) % 4) % 4);
	my @digits = (map { int } "$whole$fraction" =~ /(\d{4})/g);
	my $weight = length($whole) / 4 - 1;
	if (!$how{raw})
	{
		while (@digits && $digits[0] == 0) { shift @digits; $weight--; }
		while (@digits && $digits[-1] == 0) { pop @digits; }
		$weight = 0 if !@digits;
	}
	push @digits, @{ $how{more} // [] };
	return pack('ns>nn', scalar @digits, $weight, $how{sign} // ($sign ? 0x4000 : 0), $scale) . pack('n*', @digits);
}

1;
