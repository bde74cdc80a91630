#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Point-to-point TLS mode, without `mode server`.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

pair()
{
	hosts s c1
	p2p_conf "keepalive 5 30"
	start s
	# A server over TCP is up when it has a client.
	within 20 log_has s 'link local \(bound\)|Listening for incoming TCP' ||
		fail "s does not listen"
	start c1
	wait_up s c1
	dco s c1
}

plain()
{
	pair
	expect_counter s peers 1
	expect_counter c1 peers 1
	traffic c1 s
	kernel_only c1 2000000
	kernel_only s 2000000
	no_drops s c1
}

# The other end comes back under the same peer-id or another one; the kernel
# has one peer all the time.
comes_back()
{
	pair
	brief c1 s
	stop c1
	log_mark s
	start c1
	wait_up c1
	within 30 ping_once c1 "$(inner4 s)" || fail "no answer after restart"
	dco s c1
	expect_counter s peers 1
	brief c1 s
}

scenario_over "udp4 udp6 tcp4 tcp6" "point to point" plain
scenario_over "$EACH" "point to point, one end starts anew" comes_back
run_scenarios
