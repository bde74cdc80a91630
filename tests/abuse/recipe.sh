#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What users did to get interfaces that never go away: TCP, iperf3 running, and
# the server is killed. Fifty times, by SIGKILL and by SIGTERM in turns.
set -eu
# shellcheck source=tests/abuse/lib.sh
. ./lib.sh

ROUNDS=$(scaled 50)

# Milliseconds until the device was gone go into SLOWEST.
kill_server()
{
	local began=${EPOCHREALTIME/./} took

	send_signal s "$1"
	device_vanishes s
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
	[ "$took" -le "$SLOWEST" ] || SLOWEST=$took
	within 10 gone s || fail "the server does not end"
}

recipe()
{
	local round signal

	SLOWEST=0
	network c1 "keepalive 10 60"
	for ((round = 1; round <= ROUNDS; round++)); do
		if [ "$round" -gt 1 ]; then
			log_mark c1
			iperf_serve s
			start s
			wait_up s c1
		fi
		iperf_start c1 s
		signal=KILL
		[ $((round % 2)) -eq 1 ] || signal=TERM
		kill_server "$signal"
		calm_down
	done
	echo "gone after $SLOWEST ms at most"
	no_reference_left
	end c1
	device_vanishes c1
	reload_module
}

scenario_over "tcp4" "the server is killed $ROUNDS times under iperf3" recipe
run_scenarios
