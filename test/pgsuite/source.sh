# shellcheck shell=bash
# PostgreSQL's own tests, from Debian's source package of the installed server.  Source after lib.sh.

# Download the original source of postgresql-$EC_PG_MAJOR, as near to VERSION as the archive has
# it, with an apt configuration of our own: the machine's package sources with "deb" read as
# "deb-src".  Neither the machine's settings nor its package lists are touched.
download_source()
{
	local version=$1 dir=$2 apt file
	mkdir -p "$dir"/{sources,lists/partial,cache/archives/partial}
	for file in /etc/apt/sources.list.d/*.sources; do
		if [ -e "$file" ]; then sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$dir/sources/$(basename "$file")"; fi
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		if [ -e "$file" ]; then sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' "$file" >"$dir/sources/$(basename "$file" .list).list"; fi
	done
	apt=(apt-get -q -o APT::Sandbox::User=root -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/sources"
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache")
	"${apt[@]}" update
	# An archive may list a version whose files it doesn't have (any more).
	for version in "$version" $(apt-cache "${apt[@]:1}" showsrc "postgresql-$EC_PG_MAJOR" | sed -n 's/^Version: //p' | sort -rV); do
		if (cd "$dir" && "${apt[@]}" source --download-only "postgresql-$EC_PG_MAJOR=$version"); then return; fi
	done
	return 1
}

# have_source DIR: leave the tests' directories of PostgreSQL's source in DIR/src/test, its version
# in DIR/upstream.
have_source()
{
	local dir=$1 version tmp=$1.tmp.$$
	version=$(dpkg-query -W -f '${Version}' "postgresql-$EC_PG_MAJOR")
	if [ "$(cat "$dir/version" 2>/dev/null)" = "$version" ]; then return; fi
	rm -rf "$dir" "$tmp"
	mkdir -p "$tmp" "$dir"
	if ! download_source "$version" "$tmp" >"$dir.log" 2>&1; then
		tail -n 25 "$dir.log" >&2
		rm -rf "$tmp"
		die "the source package of postgresql-$EC_PG_MAJOR could not be downloaded"
	fi
	# Debian's patches leave these directories alone, so the original archive is all we need.
	tar -xf "$(echo "$tmp"/postgresql-"$EC_PG_MAJOR"_*.orig.tar.*)" -C "$dir" --strip-components=1 --no-same-owner \
		--wildcards '*/src/test/regress' '*/src/test/isolation'
	basename "$tmp"/postgresql-*.orig.tar.* | sed -E 's/^[^_]*_(.*)\.orig\.tar\..*$/\1/' >"$dir/upstream"
	rm -rf "$tmp"
	printf '%s\n' "$version" >"$dir/version"
}

# copy_source TREE DIR: the same from a source tree.
copy_source()
{
	local tree=$1 dir=$2
	rm -rf "$dir"
	mkdir -p "$dir/src/test"
	cp -r "$tree"/src/test/{regress,isolation} "$dir/src/test/"
	sed -n "s/^PACKAGE_VERSION='\(.*\)'/\1/p" "$tree/configure" >"$dir/upstream"
}
