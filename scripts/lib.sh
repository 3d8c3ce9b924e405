# shellcheck shell=bash
# Shared by the programs in scripts/: messages, the user that servers run as, private run
# directories, free ports, start and stop of background servers.  Source it; it runs nothing.
#
# Two trees matter.  The clone ($EC_TOP) may lie where only its owner can look (root's home),
# so nothing that a server needs stays there: servers get a run directory under /var/tmp that
# belongs to us and in which single subdirectories belong to the user they run as.

EC_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export EC_PG_MAJOR=15

# The caller's surroundings must not reach the servers and builds that we start.
unset "${!PG@}" MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL CDPATH
export LC_ALL=C.UTF-8 LANG=C.UTF-8
umask 022

# ----------------------------------------------------------------------------------------
# Messages: everything for people goes to stderr or stdout as they call; colour only on a TTY.
# ----------------------------------------------------------------------------------------
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
	EC_BOLD=$'\e[1m' EC_DIM=$'\e[2m' EC_RED=$'\e[31m' EC_GREEN=$'\e[32m' EC_OFF=$'\e[0m'
else
	EC_BOLD='' EC_DIM='' EC_RED='' EC_GREEN='' EC_OFF=''
fi

say()  { printf '%s\n' "$*"; }
step() { printf '%s\n' "${EC_BOLD}==> $*${EC_OFF}"; }
ok()   { printf '%s\n' "${EC_GREEN}ok${EC_OFF}   $*"; }
bad()  { printf '%s\n' "${EC_RED}FAIL${EC_OFF} $*"; }
dim()  { printf '%s\n' "${EC_DIM}$*${EC_OFF}"; }
warn() { printf '%s\n' "$(basename "$0"): $*" >&2; }
die()  { printf '%s\n' "${EC_RED}$(basename "$0"): $*${EC_OFF}" >&2; exit 1; }

# A number with thousands separators, whatever the locale.
commas() { printf '%s' "$1" | sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta'; }

# Seconds since the epoch with milliseconds, and arithmetic on them (bash has no fractions).
now() { date +%s.%3N; }
calc() { awk "BEGIN { printf \"${2:-%.1f}\", $1 }"; }

# ----------------------------------------------------------------------------------------
# Users.  PostgreSQL refuses to run as root; as root we use the packages' postgres user.
# setpriv replaces itself by the command (runuser would stay as its parent and turn one
# SIGTERM into a SIGKILL two seconds later).
# ----------------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ]; then EC_USER=postgres; else EC_USER=$(id -un); fi

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# "as_user CMD…" in a subshell or pipeline; "( exec_as_user CMD… )" where the pid matters.
exec_as_user()
{
	if [ "$(id -un)" = "$EC_USER" ]; then exec "$@"; fi
	exec setpriv --reuid="$EC_USER" --regid="$(id -gn "$EC_USER")" --init-groups \
		env HOME="$(getent passwd "$EC_USER" | cut -d: -f6)" USER="$EC_USER" LOGNAME="$EC_USER" "$@"
}
as_user() { ( exec_as_user "$@" ); }

# Close what we inherited: a server must not keep a caller's pipe or lock.  For subshells only.
close_inherited()
{
	local fd
	for fd in /proc/"$BASHPID"/fd/*; do
		fd=${fd##*/}
		if [ "$fd" -gt 2 ] && [ "$fd" != 255 ]; then eval "exec $fd>&-" 2>/dev/null || true; fi
	done
}

# Run CMD detached as EC_USER, output appended to LOG, its pid in PIDFILE.
start_detached()
{
	local log=$1 pidfile=$2
	shift 2
	(
		close_inherited
		cd /
		exec </dev/null >>"$log" 2>&1
		echo "$BASHPID" >"$pidfile"
		if [ "$(id -un)" = "$EC_USER" ]; then exec setsid "$@"; fi
		exec setsid setpriv --reuid="$EC_USER" --regid="$(id -gn "$EC_USER")" --init-groups "$@"
	) &
	wait_until 5 test -s "$pidfile" || die "could not start $1"
}

# ----------------------------------------------------------------------------------------
# Files, ports, processes
# ----------------------------------------------------------------------------------------

# A directory that both we and EC_USER reach; refuses one that somebody else put there.
run_dir()
{
	local dir
	dir=/var/tmp/ecinsight-$(printf '%s' "$EC_TOP" | sha256sum | cut -c1-10)-$1
	if ! mkdir -m 0711 "$dir" 2>/dev/null; then
		if [ -L "$dir" ] || [ ! -d "$dir" ] || [ ! -O "$dir" ]; then die "$dir exists and is not ours"; fi
	fi
	printf '%s\n' "$dir"
}

# A directory of EC_USER's own, mode $2.
user_dir()
{
	mkdir -p "$1"
	chmod "${2:-0700}" "$1"
	if [ "$(id -un)" != "$EC_USER" ]; then chown "$EC_USER:" "$1"; fi
}

# N different ports that can be bound just now, below the range that outgoing connections use.
free_ports()
{
	perl -MIO::Socket::INET -e '
		my ($n, @held) = (shift);
		for (1 .. 2000) {
			my $port = 20000 + int rand 12000;
			my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 1) or next;
			push @held, $s; print "$port\n"; last if @held == $n;
		}
		exit(@held != $n);' "$1"
}

# Can all these ports be bound?
ports_free()
{
	perl -MIO::Socket::INET -e '
		for (@ARGV) { push @held, IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $_, Listen => 1, ReuseAddr => 1) || exit 1 }' "$@"
}

# wait_until SECONDS CMD…: poll ten times a second until CMD succeeds.
wait_until()
{
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then return 1; fi
		sleep 0.1
	done
}

# The pid in a file, if such a process lives (a zombie doesn't).
live_pid()
{
	local pid state
	pid=$(cat "$1" 2>/dev/null) || return 1
	[ -n "$pid" ] || return 1
	state=$(sed -E 's/^.*\) (.).*$/\1/' "/proc/$pid/stat" 2>/dev/null) || return 1
	[ -n "$state" ] && [ "$state" != Z ] || return 1
	printf '%s\n' "$pid"
}

gone() { ! live_pid "$1" >/dev/null; }

# SIGTERM, then SIGKILL after the grace period.
stop_pidfile()
{
	local file=$1 grace=${2:-15} pid
	if pid=$(live_pid "$file"); then
		kill -CONT "$pid" 2>/dev/null || true
		kill -TERM "$pid" 2>/dev/null || true
		if ! wait_until "$grace" gone "$file"; then
			kill -KILL "$pid" 2>/dev/null || true
			wait_until 5 gone "$file" || true
		fi
	fi
	rm -f "$file"
}
