# shellcheck shell=bash
# The private PostgreSQL server of scripts/demo and scripts/test.  Source after lib.sh.
#
# A server tree is a copy of Debian's server directories: PostgreSQL finds its files relative to
# its programs, so the copy is complete and the extension can be installed into it, not into the
# system.  Layout of a run directory RUN (see run_dir):
#
#   RUN/pg/{lib,share,include}/postgresql/15   the tree; ours, readable by the server
#   RUN/data, RUN/sock, RUN/server.log         the cluster; the server user's

# server_paths RUN: name the parts, for all functions below.
server_paths()
{
	RUN=$1
	PG_TREE=$RUN/pg
	PG_BIN=$PG_TREE/lib/postgresql/$EC_PG_MAJOR/bin
	PG_CONFIG=$PG_BIN/pg_config
	PG_PGXS=$PG_TREE/lib/postgresql/$EC_PG_MAJOR/lib/pgxs
	PG_PERL=$PG_PGXS/src/test/perl
	PG_DATA=$RUN/data
	PG_SOCK=$RUN/sock
	PG_LOG=$RUN/server.log
}

# Copy the tree if it isn't there or the system's server has changed.
server_tree()
{
	local sys=/usr/lib/postgresql/$EC_PG_MAJOR stamp part
	stamp=$(stat -c '%Y %s' "$sys/bin/postgres" "$sys/lib/pgxs/src/makefiles/pgxs.mk" | tr '\n' ' ')
	if [ "$(cat "$PG_TREE/stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
	rm -rf "$PG_TREE"
	for part in lib share include; do mkdir -p "$PG_TREE/$part/postgresql"; done
	cp -a "$sys" "$PG_TREE/lib/postgresql/"
	# Dictionaries are links into /var/cache, some of them dangling.
	cp -a "/usr/share/postgresql/$EC_PG_MAJOR" "$PG_TREE/share/postgresql/"
	cp -a /usr/include/postgresql/. "$PG_TREE/include/postgresql/"
	if [ ! -d "$PG_TREE/include/postgresql/$EC_PG_MAJOR/server" ]; then
		cp -a "$EC_TOP/.deps/headers-$EC_PG_MAJOR/include/." "$PG_TREE/include/postgresql/"
	fi
	# An ecinsight that somebody installed into the system must not be tested in place of ours.
	rm -rf "$PG_TREE/lib/postgresql/$EC_PG_MAJOR/lib/"{ecinsight.so,bitcode/ecinsight*} \
		"$PG_TREE/share/postgresql/$EC_PG_MAJOR/extension/ecinsight"*
	if [ "$(id -u)" = 0 ]; then chown -R root:root "$PG_TREE"; fi
	printf '%s\n' "$stamp" >"$PG_TREE/stamp"
}

# server_given PG_CONFIG: use that server, of another version maybe, as it stands.
server_given()
{
	PG_CONFIG=$1
	PG_BIN=$("$PG_CONFIG" --bindir)
	PG_PGXS=$(dirname "$("$PG_CONFIG" --pgxs)")/../..
	# Servers from elsewhere may come without the Perl modules; those of Debian's know newer servers, too.
	if [ -e "$PG_PGXS/src/test/perl/PostgreSQL/Test/Cluster.pm" ]; then PG_PERL=$PG_PGXS/src/test/perl
	else PG_PERL=/usr/lib/postgresql/$EC_PG_MAJOR/lib/pgxs/src/test/perl; fi
	PG_TREE=$(dirname "$PG_BIN")
}

# build_install LOG: compile what has changed and install it into the tree.
build_install()
{
	local server
	# Objects of another version's server are of no use, and newer than the sources all the same.
	server=$("$PG_CONFIG" --version --configure | tr '\n' ' ')
	mkdir -p "$EC_TOP/.deps"
	if [ "$(cat "$EC_TOP/.deps/built-for" 2>/dev/null)" != "$server" ]; then
		make -C "$EC_TOP" -s PG_CONFIG="$PG_CONFIG" clean >"$1" 2>&1
	fi
	printf '%s\n' "$server" >"$EC_TOP/.deps/built-for"
	if ! make -C "$EC_TOP" -s "-j$(nproc)" PG_CONFIG="$PG_CONFIG" with_llvm=no all >"$1" 2>&1 ||
		! make -C "$EC_TOP" -s PG_CONFIG="$PG_CONFIG" with_llvm=no install >>"$1" 2>&1; then
		tail -n 40 "$1" >&2
		die "the build failed"
	fi
	chmod -R a+rX "$PG_TREE"
}

# server_init DATABASE-SUPERUSER [OPTION…]: make the cluster, removing an old one.
server_init()
{
	local superuser=$1
	shift
	rm -rf "$PG_DATA"
	user_dir "$PG_DATA" 0700
	user_dir "$PG_SOCK" 0755
	if ! as_user "$PG_BIN/initdb" -D "$PG_DATA" -U "$superuser" --encoding=UTF8 --locale=C.UTF-8 \
		--data-checksums "$@" >"$RUN/initdb.log" 2>&1; then
		cat "$RUN/initdb.log" >&2
		die "initdb failed"
	fi
}

# server_conf: append the lines of stdin to the configuration.
server_conf() { as_user tee -a "$PG_DATA/postgresql.conf" >/dev/null; }

server_start()
{
	: >"$PG_LOG"
	chmod 0600 "$PG_LOG"
	if [ "$(id -un)" != "$EC_USER" ]; then chown "$EC_USER:" "$PG_LOG"; fi
	if ! (close_inherited; as_user "$PG_BIN/pg_ctl" -D "$PG_DATA" -l "$PG_LOG" -w -t 60 start </dev/null >"$RUN/pg_ctl.log" 2>&1); then
		tail -n 30 "$PG_LOG" >&2
		die "PostgreSQL did not start (log: $PG_LOG)"
	fi
}

# server_stop [MODE]
server_stop()
{
	if [ -e "$PG_DATA/postmaster.pid" ]; then
		as_user "$PG_BIN/pg_ctl" -D "$PG_DATA" -w -t 60 -m "${1:-fast}" stop >/dev/null 2>&1 || true
	fi
}

server_running() { as_user "$PG_BIN/pg_ctl" -D "$PG_DATA" status >/dev/null 2>&1; }
