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
