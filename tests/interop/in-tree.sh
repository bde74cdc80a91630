#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel that has a driver for OpenVPN 2.7 of its own: unless told otherwise, our
# module leaves that alone and serves 2.6; told so, it serves 2.7, too.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# Of cases that load and unload modules, one at a time
SIDE_BY_SIDE=1
# shellcheck disable=SC2034
NEEDS="2.6 2.7"

unload()
{
	# Devices of the last case may still be on their way out.
	within 20 gone_from_kernel "$1" || fail "$1 cannot be unloaded"
}

gone_from_kernel()
{
	[ ! -e "/sys/module/${1//-/_}" ] || rmmod "$1" 2>/dev/null
}

# load NAME [PARAMETER]: without what the administrator wrote about it
load()
{
	modprobe -C /dev/null "$@"
}

# with_modules FUNCTION: and afterwards as it was
with_modules()
{
	unload ovpn-dco-v2
	unload ovpn
	"$@"
}

# Which of the modules a device belongs to: who uses one more.
uses()
{
	echo "$(<"/sys/module/$1/refcnt")"
}

network_of_both()
{
	version_at s 2.7
	version_at c1 2.6
	version_at c2 2.7
	hosts s c1 c2
	server_conf "keepalive 10 60"
	client_conf c1
	client_conf c2
	start s
	wait_up s
	start c1
	start c2
	wait_up c1 c2
}

left_alone()
{
	# Ours first, then as usual: the kernel's own is loaded by its name.
	load ovpn-dco-v2
	[ "$(<"/sys/module/$MODULE/parameters/ovpn_family")" = N ] ||
		fail "ovpn_family is on by default"
	load ovpn
	network_of_both
	dco c1
	(IN_TREE=1 dco s c2)
	! on s ethtool -S tun0 2>/dev/null | grep -q peers ||
		fail "2.7 has a device of ours"
	traffic c1 s
	traffic c2 s
	kernel_only c1 2000000
	no_drops c1
	# Neither is in the way of the other.
	stop c1
	stop c2
	stop s
	unload ovpn-dco-v2
	load ovpn-dco-v2
	unload ovpn
}

asked_for()
{
	load ovpn-dco-v2 ovpn_family=1
	network_of_both
	dco s c1 c2
	expect_counter s peers 2
	traffic c1 s
	traffic c2 s
	kernel_only c1 2000000
	kernel_only c2 2000000
	no_drops s c1 c2
	# The kernel's own finds the name taken, which is no harm.
	! load ovpn 2>/dev/null || fail "both drivers have the same name"
	brief c1 s
	brief c2 s
}

# The kernel's own was faster: 2.6 is served all the same.
too_late()
{
	load ovpn
	load ovpn-dco-v2 ovpn_family=1
	network_of_both
	dco c1
	(IN_TREE=1 dco s c2)
	traffic c1 s
	no_drops c1
	stop c1
	stop c2
	stop s
	unload ovpn-dco-v2
	unload ovpn
}

modinfo -F filename ovpn >/dev/null 2>&1 ||
	skip_all "this kernel has no driver of its own for OpenVPN 2.7"
scenario "by default the kernel's own driver is left alone" \
	with_modules left_alone
scenario "asked to, ours serves 2.7 in its place" with_modules asked_for
scenario "asked to, but the kernel's own was first" with_modules too_late
run_scenarios
