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

# The directories of tests that exist.
test_dirs()
{
	local d

	for d in selftests interop; do
		[ ! -e "$top/tests/$d/Makefile" ] || echo "$d"
	done
}

# build_module OUT HEADERS [ARG...]: build the module from a copy of the
# sources in OUT, for the kernel that HEADERS belong to: the tree's own objects
# are those of another kernel.
build_module()
{
	local out=$1 headers=$2

	shift 2
	rm -rf "$out"
	mkdir -p "$out"
	(cd "$top" && tar -c --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' \
		--exclude='.*.cmd' --exclude='modules.order' Kbuild VERSION drivers include) | tar -C "$out" -x
	make -s -j "$(nproc)" -C "$headers" M="$out" "$@" modules
}
