# SPDX-License-Identifier: GPL-2.0-only
# What the scripts of the VM harness share. Sourced by bash with set -eu.
# shellcheck shell=bash disable=SC2034

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
vm=$top/tests/vm
build=$top/build
export HOME=${HOME:-/root}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ovpn-dco

# Which distribution's kernel and programs the guest has: a file of releases/.
RELEASE=${RELEASE:-bookworm}
# shellcheck source=tests/vm/releases/bookworm
. "$vm/releases/$RELEASE"

# Which kernel the guest has: its release's own, or a debugging kernel of debug/
# by name.
WATCH=${WATCH:-}

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "error: $*"
	exit 1
}

# Run a command whose output is of interest only if it fails.
quietly()
{
	local log rc=0

	log=$(mktemp)
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	[ "$rc" -eq 0 ] || cat "$log" >&2
	rm -f "$log"
	return "$rc"
}

# The directories of tests that exist. What abuses the kernel is only run where
# the kernel is watched.
test_dirs()
{
	local d

	for d in selftests interop ${WATCH:+abuse}; do
		[ ! -e "$top/tests/$d/Makefile" ] || echo "$d"
	done
}

# The version of the kernel's sources that apt would install.
source_version()
{
	local version

	version=$(apt-cache policy "$SOURCE" | sed -n 's/^  Candidate: //p')
	[ -n "$version" ] || die "apt does not know $SOURCE (apt-get update may be due)"
	echo "$version"
}

# The package with the kernel's sources, fetched if that version is not in the
# cache: print its file.
source_deb()
{
	local deb work

	deb=$cache/$SOURCE-$(source_version).deb || return 1
	(
		exec 9>"$cache/lock-source"
		flock 9
		[ ! -e "$deb" ] || exit 0
		work=$(mktemp -d "$cache/building.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		trap 'exit 1' INT TERM HUP
		cd "$work"
		quietly apt-get -o APT::Sandbox::User=root download "$SOURCE" ||
			die "could not fetch $SOURCE with apt (apt-get update may be due)"
		rm -f "$cache/$SOURCE"-*.deb
		mv "$SOURCE"_*.deb "$deb"
	) || return 1
	echo "$deb"
}

# copy_module OUT: copy the sources of the module: the tree's own objects are those
# of another kernel.
copy_module()
{
	local out=$1

	rm -rf "$out"
	mkdir -p "$out"
	(cd "$top" && tar -c --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
		--exclude='.*.cmd' --exclude='modules.order' --exclude='probed.h' \
		Kbuild VERSION drivers include) | tar -C "$out" -x
}

# build_module OUT HEADERS [ARG...]: build the module from a copy of the
# sources in OUT, for the kernel that HEADERS belong to.
build_module()
{
	local out=$1 headers=$2

	shift 2
	copy_module "$out"
	make -s -j "$(nproc)" -C "$headers" M="$out" "$@" modules
}
