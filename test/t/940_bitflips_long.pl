# 040_bitflips.pl with 10,000 flips.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;		# has INIT blocks, too late for the file below

$ENV{EC_FLIPS} ||= 10_000;
do "$FindBin::RealBin/040_bitflips.pl" or die $@ || $!;
