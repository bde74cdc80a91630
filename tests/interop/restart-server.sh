#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The server restarts and its clients reconnect.
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

back()
{
	wait_up s c1 c2
	dco s c1 c2
	brief c1 s
	brief c2 s
	expect_counter s peers 2
}

by_signal()
{
	network
	log_mark s
	log_mark c1
	log_mark c2
	send_signal s "$1"
	wait_log s "SIG$1\\[hard,\\] received, process restarting" 10
	back
}

anew()
{
	network
	log_mark c1
	log_mark c2
	stop s TERM
	! ip -n "$(ns s)" link show dev tun0 >/dev/null 2>&1 ||
		fail "tun0 outlived the server"
	start s
	back
}

# The socket of the killed one is the kernel's as long as there are peers on it.
# It has to go with the device: the new server wants the port.
crashed()
{
	network
	log_mark c1
	log_mark c2
	stop s KILL
	ip -n "$(ns s)" link del tun0 || [ -n "$NO_DCO" ]
	start s
	back
}

scenario "server gets SIGUSR1" by_signal USR1
scenario "server gets SIGHUP" by_signal HUP
scenario "server stops and starts" anew
scenario "server is killed and starts at once" crashed
run_scenarios
