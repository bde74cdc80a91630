# SPDX-License-Identifier: GPL-2.0-only
# What the scripts of the build matrix share. Sourced by bash with set -eu.
# shellcheck shell=bash disable=SC2034

# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

matrix=$top/tests/build

# The lines of a list, without comments.
lines()
{
	sed -e 's/#.*//' -e '/^[ \t]*$/d' "$1"
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

# apt_update ARCH...: what the releases have, not older than half a day.
apt_update()
{
	local dir=$cache/build-apt release arch list

	list=$(while read -r release _; do
		sources "$release"
	done < <(lines "$matrix/suites"))
	if ! cmp -s "$dir/sources.list" <<<"$list"; then
		rm -rf "$dir"
		mkdir -p "$dir"
		cat >"$dir/sources.list" <<<"$list"
	fi
	for arch; do
		[ -z "$(find "$dir/$arch/updated" -mmin -720 2>/dev/null)" ] || continue
		say "asking what packages there are for $arch"
		# Not every mirror has everything: whoever does not find it says so.
		apt_of "$arch" apt-get update >"$dir/update-$arch.log" 2>&1 || true
		touch "$dir/$arch/updated"
	done
}
