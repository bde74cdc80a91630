#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Renegotiation every 10 s under traffic: no packet may be lost to it. Where a
# handshake takes long, they are further apart.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

INTERVAL=$(reneg_seconds)
ROUNDS=$((INTERVAL < 40 ? 3 : 2))
if [ "$OPENVPN" != 2.6 ]; then
	# Half of it has to be more than the 15 s.
	ROUNDS=2
	INTERVAL=$((40 * (PATIENCE > 2 ? PATIENCE + 2 : 4) / 4))
fi

handshakes_reach()
{
	[ "$(log_count "$1" 'Control Channel: TLSv')" -ge "$2" ]
}

# OpenVPN has the new key used half of reneg-sec after the renegotiation began,
# and deletes the old one when the next begins. With DCO no packet passes through
# it that would wake it up at that time, and its own timer may take 15 s: with so
# little time in between one end may still send with a key that the other end's
# userspace has deleted, whatever the kernel does. So both are woken up more
# often, the client by its status file and the server's instance by a look at its
# byte counters; or, where there is no way to do that, the times are longer.
renegotiate()
{
	CLIENT_LINES=("reneg-sec $INTERVAL" "status status.c1 1")
	network c1 "keepalive 1 10" "reneg-sec $INTERVAL" "$(waking 3)"
	# It may have taken more than one attempt.
	log_mark c1
	log_mark s
	ping_start c1 "$(inner4 s)"
	ping_start s "$(inner6 c1)"
	within $((6 * INTERVAL)) handshakes_reach c1 "$ROUNDS" ||
		fail "less than $ROUNDS renegotiations in $((6 * INTERVAL)) s"
	# With the last key, too.
	transfer c1 s "$(inner4 s)" 1000000
	ping_stop c1
	ping_stop s
	ping_gapless c1 1000
	ping_gapless s 1000
	handshakes_reach s "$ROUNDS" ||
		fail "the server counts fewer renegotiations than the client"
	kernel_only c1 1000000
	no_drops s c1
}

scenario_over "$EACH" "renegotiation under traffic" renegotiate
run_scenarios
