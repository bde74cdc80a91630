#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A key has sent as many packets as it may. OpenVPN 2.7 is told, negotiates another
# one and goes on; for 2.6 the peer is gone, and it connects again.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# shellcheck disable=SC2034
NEEDS="2.6 2.7"
# The limit is one for all.
SIDE_BY_SIDE=1
LIMIT=/sys/module/$MODULE/parameters/packet_id_limit

start_network()
{
	CLIENT_LINES=("hand-window 8" "status status.c1 1")
	# Without a key, nothing is heard of the other end until the window is over.
	network "c1 c2" "keepalive 2 40" "hand-window 8"
	brief c1 s
	brief c2 s
}

# So many more packets than a key may send.
use_up()
{
	echo 800 >"$LIMIT"
	on c1 ping -n -q -c 1500 -i 0.002 -W 1 "$(inner4 s)" >/dev/null 2>&1 || true
	echo 4294967295 >"$LIMIT"
}

# At one of the ends: one sends more than the other.
used_up()
{
	[ $(($(counter s tx_drop_key_used_up) + $(counter c1 tx_drop_key_used_up))) -ge 1 ]
}

another_key()
{
	OPENVPN=2.7
	start_network
	! used_up || fail "a key is used up already"
	log_mark c1
	log_mark s
	use_up
	within 5 used_up || fail "no key is used up"
	# By the same peer, with another key.
	wait_log c1 'Control Channel: TLSv' 20
	ping_returns c1 "$(inner4 s)" 30
	brief c1 s
	brief c2 s
	! log_has c1 'process restarting' || fail "c1 had to connect again"
	! log_has s 'client-instance (restarting|exiting)' || fail "s gave up c1"
	expect_counter s peers 2
}

connects_again()
{
	OPENVPN=2.6
	start_network
	log_mark c1
	use_up
	# The counters go with the device.
	wait_log c1 'process restarting' 20
	wait_up c1
	ping_returns c1 "$(inner4 s)" 30
	brief c1 s
	brief c2 s
	wait_peers s 2 20
}

cleanup_limit()
{
	echo 4294967295 >"$LIMIT"
	"$@"
}

scenario_over "udp4 tcp4" "2.7 negotiates another key" cleanup_limit another_key
scenario_over "udp4 tcp4" "2.6 connects again" cleanup_limit connects_again
run_scenarios
