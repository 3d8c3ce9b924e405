
=pod

=head1 NAME

EcBrowser - Debian's chromium without a window, for tests of pages

=head1 SYNOPSIS

  use EcBrowser;
  my $browser = EcBrowser->find(dir => $tmp) or …;        # undef: none is installed
  my ($dom, $console) = $browser->dom($file, @options);   # after all scripts ran
  $browser->screenshot($file, $png, 1280, 2000, @options);
  $browser->pdf($file, $pdf);

The browser reaches no network: names don't resolve, and all connections go to a proxy that isn't there.

=cut

package EcBrowser;

use strict;
use warnings;

use File::Temp ();
use IPC::Run ();

sub find
{
	my ($class, %opt) = @_;
	my ($program) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
	return $program ? bless({ program => $program, dir => $opt{dir} }, $class) : undef;
}

# The browser's output and its messages of pages' consoles.
sub run
{
	my ($self, @args) = @_;
	my $home = File::Temp::tempdir('browser.XXXX', DIR => $self->{dir}, CLEANUP => 1);
	local @ENV{qw(HOME XDG_CONFIG_HOME XDG_CACHE_HOME)} = ($home) x 3;
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[ $self->{program}, '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run',
			'--disable-background-networking', '--disable-component-update', '--host-resolver-rules=MAP * ~NOTFOUND', '--proxy-server=127.0.0.1:9',
			"--user-data-dir=$home", '--virtual-time-budget=8000', '--enable-logging=stderr', @args ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(120)) or die "$self->{program} @args: $?\n$err";
	return ($out, join("\n", $err =~ /^.*CONSOLE.*$/mg));
}

sub dom { my ($self, $file, @options) = @_; return $self->run(@options, '--dump-dom', "file://$file") }

sub screenshot
{
	my ($self, $file, $png, $width, $height, @options) = @_;
	return ($self->run(@options, "--window-size=$width,$height", "--screenshot=$png", "file://$file"))[1];
}

sub pdf { my ($self, $file, $pdf) = @_; return ($self->run("--print-to-pdf=$pdf", '--no-pdf-header-footer', "file://$file"))[1] }

# Options for people who prefer dark pages.
sub dark { return ('--force-dark-mode', '--blink-settings=preferredColorScheme=0') }

1;
