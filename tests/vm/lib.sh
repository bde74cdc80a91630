# SPDX-License-Identifier: GPL-2.0-only
# What the scripts of the VM harness share. Sourced by bash with set -eu.
# shellcheck shell=bash disable=SC2034

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
vm=$top/tests/vm
build=$top/build
export HOME=${HOME:-/root}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ovpn-dco
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Which kernel of Debian the guest has, and the programs of which release: a file of
# releases/.
RELEASE=${RELEASE:-6.1}
# The release that the kernel is from, if it is not that of the programs, and the
# one that has the compiler for it, if that is not this machine.
KERNEL_SUITE=
BUILD_IN=
# shellcheck source=tests/vm/releases/6.1
. "$vm/releases/$RELEASE"

# Or the guest has, with the programs of RELEASE, a debugging kernel of debug/, by
# name.
WATCH=${WATCH:-}

# Or it is one with a disk and a real dpkg ("package"), for tests/package, one of
# another architecture ("s390x"), or one that measures ("bench"), for tests/bench.
GUEST=${GUEST:-}

# The architecture by Debian's name, the one of this machine's tools, and what the
# names of compilers begin with.
native=amd64
arch=$native
cross=
[ "$GUEST" != s390x ] || { arch=s390x cross=s390x-linux-gnu-; }
KERNEL=${KERNEL%amd64}$arch

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
	local d dirs="selftests interop ${WATCH:+abuse}"

	case $GUEST in package | bench) dirs=$GUEST ;; esac
	for d in $dirs; do
		[ ! -e "$top/tests/$d/Makefile" ] || echo "$d"
	done
}

# side_by_side MOST: how many guests this machine has processors and memory for.
side_by_side()
{
	local guests room

	guests=$(nproc)
	[ "$guests" -le "$1" ] || guests=$1
	room=$(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) / 1600000))
	[ "$guests" -le "$room" ] || guests=$room
	[ "$guests" -ge 1 ] || guests=1
	echo "$guests"
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

# sources RELEASE: the lines of sources.list for a release and what is on top of
# it, with the mirror or proxy that this machine was given. Mirrors may be behind:
# what is signed is good enough to build with, however old.
sources()
{
	local release=$1 option="[signed-by=$keyring check-valid-until=no] " codename base security suite

	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# shellcheck disable=SC2016
	base=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages')
	security=$(awk -v suite="$codename-security" '$2 == suite && $3 == "main" { print $1; exit }' <<<"$base")
	base=$(awk -v suite="$codename" '$2 == suite && $3 == "main" { print $1; exit }' <<<"$base")
	[ -n "$base" ] || die "apt has no Debian mirror to take other releases from"

	for suite in $release $release-updates $release-backports; do
		case $suite in
		sid-updates) ;;
		sid-backports) echo "deb $option$base experimental main" ;;
		# Moved to the archive long ago
		bullseye-backports) ;;
		*) echo "deb $option$base $suite main" ;;
		esac
	done
	[ "$release" = sid ] || [ -z "$security" ] || echo "deb $option$security $release-security main"
}

# enter ROOT COMMAND...: run a command in another root directory, which has the
# directories $SHARED at the same place.
enter()
{
	local root=$1 dir
	local -a user=()

	shift
	[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
	for dir in ${SHARED:-}; do
		mkdir -p "$root$dir"
	done
	# shellcheck disable=SC2016
	unshare "${user[@]}" --mount sh -e -c '
		root=$1
		shift
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		for dir in ${SHARED:-}; do
			mount --bind "$dir" "$root$dir"
		done
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"' sh "$root" "$@"
}

# with_compiler COMMAND...: where there is the compiler for this release's kernel.
with_compiler()
{
	local root
	local -a where=()

	if [ -n "$BUILD_IN" ]; then
		root=$("$top/tests/build/root" "$BUILD_IN") || return 1
		export SHARED="$build $cache"
		where=(enter "$root")
	fi
	"${where[@]}" "$@"
}

# build_module OUT HEADERS [ARG...]: build the module from a copy of the
# sources in OUT, for the kernel that HEADERS belong to.
build_module()
{
	local out=$1 headers=$2

	shift 2
	copy_module "$out"
	with_compiler make -s -j "$(nproc)" -C "$headers" M="$out" ${cross:+CROSS_COMPILE="$cross"} "$@" modules
}
