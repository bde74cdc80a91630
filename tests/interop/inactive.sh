#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# --inactive: a client that is not used goes, one that is used stays. That the two
# ends ping each other is no use.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# More than the few pings of OpenVPN 2.6, which count as use there, would ever be.
LITTLE=2000

# Seconds. Where all takes longer, so does it from being connected to being used.
IDLE=$((6 + 4 * (PATIENCE - 1)))

unused()
{
	CLIENT_LINES=("inactive $IDLE $LITTLE")
	network "c1 c2" "keepalive 1 10"
	ping_start c2 "$(inner4 s)"
	log_mark c1
	wait_log c1 'Inactivity timeout \(--inactive\), exiting' 60
	within 10 gone c1 || fail "c1 has not gone"
	device_vanishes c1
	wait_peers s 1 20
	ping_stop c2
	running c2 || fail "c2 has gone, too"
	brief c2 s
}

# What an administrator writes: without a number of bytes.
unused_but_for_pings()
{
	CLIENT_LINES=("inactive $IDLE")
	network c1 "keepalive 1 10"
	log_mark c1
	wait_log c1 'Inactivity timeout \(--inactive\), exiting' 60
	within 10 gone c1 || fail "c1 has not gone"
}

used()
{
	local i

	CLIENT_LINES=("inactive $IDLE $LITTLE")
	network c1 "keepalive 1 10"
	for i in $(seq $((IDLE / 2 + 5))); do
		ping_all c1 "$(inner4 s)" 3 -s 1000
		pause 2
	done
	running c1 || fail "c1 has gone after $i rounds although it was used"
	! log_has c1 'Inactivity' || fail "c1 believes that it is not used"
}

scenario_over "udp4 tcp4" "unused" unused
scenario_over "udp4 tcp4" "used" used
[ "$OPENVPN" = 2.6 ] ||
	scenario_over "udp4 tcp4" "nothing but keepalive" unused_but_for_pings
run_scenarios
