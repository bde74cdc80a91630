#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout=400
# OpenVPN 2.6 and 2.7 with each other, each by its own family and kind, with DCO at
# both ends.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# shellcheck disable=SC2034
NEEDS="2.6 2.7"

# mixed SERVER CLIENT1 CLIENT2: their versions
mixed()
{
	local interval

	version_at s "$1"
	version_at c1 "$2"
	version_at c2 "$3"
	interval=$(reneg_seconds)
	# See renegotiation.sh.
	[ "$1" = 2.6 ] || interval=40
	CLIENT_LINES=("reneg-sec $interval" "status status.c 1")
	network "c1 c2" "keepalive 1 10" "reneg-sec $interval" "$(waking 3)"
	# It may have taken more than one attempt.
	log_mark c1
	expect_counter s peers 2
	ping_start c1 "$(inner4 s)"
	ping_start s "$(inner6 c1)"
	traffic c2 s
	traffic c1 s
	within $((6 * interval)) handshakes_reach c1 2 ||
		fail "less than 2 renegotiations in $((6 * interval)) s"
	transfer c1 s "$(inner4 s)" 1000000
	ping_stop c1
	ping_stop s
	ping_gapless c1 200
	ping_gapless s 200
	kernel_only c1 2000000
	kernel_only c2 2000000
	no_drops s c1 c2
}

handshakes_reach()
{
	[ "$(log_count "$1" 'Control Channel: TLSv')" -ge "$2" ]
}

pair()
{
	version_at s "$1"
	version_at c1 "$2"
	hosts s c1
	p2p_conf "keepalive 5 30"
	start s
	within 20 log_has s 'link local \(bound\)|Listening for incoming TCP' ||
		fail "s does not listen"
	start c1
	wait_up s c1
	dco s c1
	traffic c1 s
	kernel_only c1 2000000
	no_drops s c1
}

scenario_over "udp4 tcp4" "2.7 serves 2.6 and 2.7" mixed 2.7 2.6 2.7
scenario_over "udp4 tcp4" "2.6 serves 2.7 and 2.6" mixed 2.6 2.7 2.6
scenario_over "udp4 tcp4" "point to point, 2.6 with 2.7" pair 2.6 2.7
run_scenarios
