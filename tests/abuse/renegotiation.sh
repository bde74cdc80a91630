#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# New keys every two seconds, for five minutes, while packets pass both ways.
set -eu
# shellcheck source=tests/abuse/lib.sh
. ./lib.sh

DURATION=$(scaled 300)

# OpenVPN tells the kernel of a new key when it wakes up, and deletes the old
# one when the next negotiation begins: at this pace one end may still send with
# a key that the other end has deleted, whatever the kernel does. So some
# packets get lost, but not many.
MOST_LOST=10	# percent

ping_start()
{
	nsenter --net="/run/netns/$(ns "$1")" \
		ping -n -q -i 0.05 -w "$DURATION" "$2" >"$WORK/ping-$1" 2>&1 &
	PINGS+=($!)
}

# What a ping lost, in percent, rounded up.
loss()
{
	sed -n 's/.* \([0-9]*\)\(\.[0-9]*\)\{0,1\}% packet loss.*/\1/p' "$WORK/ping-$1"
}

check_loss()
{
	local lost

	cat "$WORK/ping-$1"
	lost=$(loss "$1")
	[ -n "$lost" ] || fail "no result of the pings of $1"
	[ "$lost" -lt "$MOST_LOST" ] || fail "the pings of $1 lost $lost %"
}

renegotiate()
{
	local pid handshakes

	PINGS=()
	CLIENT_LINES=("reneg-sec 2" "status status.c1 1")
	network c1 "keepalive 1 30" "reneg-sec 2" "inactive 3 1"
	ping_start c1 "$(inner4 s)"
	ping_start s "$(inner6 c1)"
	for pid in "${PINGS[@]}"; do
		wait "$pid" || true
	done
	check_loss c1
	check_loss s
	handshakes=$(log_count s 'Control Channel: TLSv')
	echo "$handshakes negotiations"
	[ "$handshakes" -ge $((DURATION / 8)) ] ||
		fail "only $handshakes negotiations in $DURATION s"
	expect_counter s peers 1
	brief c1 s
	end c1
	end s
	device_vanishes c1
	device_vanishes s
}

scenario_over "udp4 tcp4" "new keys every two seconds for $DURATION s" renegotiate
run_scenarios
