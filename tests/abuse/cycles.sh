#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Clients that come and go, three hundred times in all, while packets are sent
# to them.
set -eu
# shellcheck source=tests/abuse/lib.sh
. ./lib.sh

# Six clients and two servers are too much for one machine at a time.
SIDE_BY_SIDE=1

CLIENTS="c1 c2 c3"
# for each client of each transport
ROUNDS=$(scaled 50)

# Packets from the server to a client, whether it is there or not.
ping_without_end()
{
	nsenter --net="/run/netns/$(ns s)" \
		ping -n -q -i 0.1 "$(inner4 "$1")" >"$WORK/ping-$1" 2>&1 &
	BUSY+=($!)
}

# A client starts anew, in one of the ways there are, until packets pass again.
reconnect()
{
	log_mark "$1"
	case $2 in
	0) send_signal "$1" HUP ;;
	1) send_signal "$1" USR1 ;;
	*)
		stop "$1" "$3"
		start "$1"
		;;
	esac
	wait_up "$1"
	ping_returns "$1" "$(inner4 s)" 30
}

come_and_go()
{
	local round

	for ((round = 1; round <= ROUNDS; round++)); do
		case $((round % 4)) in
		3) reconnect "$1" 3 TERM ;;
		2) reconnect "$1" 3 KILL ;;
		*) reconnect "$1" $((round % 4)) ;;
		esac
	done
}

cycles()
{
	local name pid
	local -a going=()

	BUSY=()
	is_tcp || CLIENT_LINES=("explicit-exit-notify 1")
	# Whoever is killed comes back under the same name, which ends what the
	# server knew of it: nobody has to time out, on a slow machine either.
	network "$CLIENTS" "keepalive 5 60"
	for name in $CLIENTS; do
		ping_without_end "$name"
	done
	for name in $CLIENTS; do
		come_and_go "$name" >"$WORK/out-$name" 2>&1 &
		going+=($!)
	done
	for pid in "${going[@]}"; do
		wait "$pid" || {
			cat "$WORK"/out-*
			fail "a client did not come back"
		}
	done
	calm_down
	wait_peers s 3 20
	for name in $CLIENTS; do
		brief "$name" s
		end "$name"
		device_vanishes "$name"
	done
	end s
	device_vanishes s
	no_reference_left
}

scenario_over "udp4 tcp4" "$((3 * ROUNDS)) times" cycles
run_scenarios
