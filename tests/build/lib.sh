# SPDX-License-Identifier: GPL-2.0-only
# What the scripts of the build matrix share. Sourced by bash with set -eu.
# shellcheck shell=bash disable=SC2034

# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

matrix=$top/tests/build
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The lines of a list, without comments.
lines()
{
	sed -e 's/#.*//' -e '/^[ \t]*$/d' "$1"
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

# apt_of ARCH COMMAND...: an apt command, as a machine of that architecture would
# see it that has the releases of all suites in sources.list. One for each
# architecture: where a mirror lacks something, apt does without all of that suite.
apt_of()
{
	local arch=$1 command=$2
	local dir=$cache/build-apt/$arch

	shift 2
	mkdir -p "$dir"/{lists/partial,archives/partial}
	"$command" -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
		-o Dir::Etc::SourceList="$cache/build-apt/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State="$dir" -o Dir::State::Lists="$dir/lists" -o Dir::State::status=/dev/null \
		-o Dir::Cache="$dir" -o APT::Sandbox::User=root -o Acquire::Languages=none \
		-o Acquire::Retries=3 "$@"
}

# enter ROOT COMMAND...: run a command in another root directory.
enter()
{
	local root=$1
	local -a user=()

	shift
	[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
	# shellcheck disable=SC2016
	unshare "${user[@]}" --mount sh -e -c '
		root=$1
		shift
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"' sh "$root" "$@"
}
