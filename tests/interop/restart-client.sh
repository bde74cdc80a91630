#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A client restarts and reconnects.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

network()
{
	hosts s c1 c2
	server_conf "proto udp4" "keepalive 1 4"
	client_conf c1 "$(outer4 s)" udp4
	client_conf c2 "$(outer4 s)" udp4
	start_server
	start_clients c1 c2
	dco s c1 c2
	brief c1 s
}

# The server may still have the client's former instance, so the peer-id can be
# another one.
back()
{
	wait_up c1
	ping_returns c1 "$(inner4 s)" 10
	dco s c1
	brief c1 s
	brief c2 s
	# The former instance goes away by itself.
	[ -n "$NO_DCO" ] || within 15 peers_are 2 ||
		fail "the server has $(counter s peers) peers, expected 2"
	no_drops c1
}

peers_are()
{
	[ "$(counter s peers)" -eq "$1" ]
}

by_signal()
{
	network
	log_mark c1
	send_signal c1 "$1"
	wait_log c1 "SIG$1\\[hard,\\] received, process restarting" 10
	back
}

anew()
{
	network
	stop c1 TERM
	! ip -n "$(ns c1)" link show dev tun0 >/dev/null 2>&1 ||
		fail "tun0 outlived the client"
	start c1
	back
}

# The killed one leaves its device with peer, keys and socket, and all go with
# the device. (OpenVPN 2.6 itself cannot take the device over: it forgets to
# look up the number of one that exists, and gives up.)
crashed()
{
	network
	stop c1 KILL
	ip -n "$(ns c1)" link del tun0 || [ -n "$NO_DCO" ]
	start c1
	back
}

scenario "client gets SIGUSR1" by_signal USR1
scenario "client gets SIGHUP" by_signal HUP
scenario "client stops and starts" anew
scenario "client is killed and starts at once" crashed
run_scenarios
