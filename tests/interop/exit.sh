#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Explicit exit notification, both ways.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# Timeouts far away: only the notification can end the connection soon.
network()
{
	hosts s c1 c2
	server_conf "proto udp4" "keepalive 60 600" "explicit-exit-notify 1"
	client_conf c1 "$(outer4 s)" udp4 "explicit-exit-notify 1"
	client_conf c2 "$(outer4 s)" udp4 "explicit-exit-notify 1"
	start_server
	start_clients c1 c2
	dco s c1 c2
	brief c1 s
}

client_exits()
{
	network
	log_mark s
	send_signal c1 TERM
	wait_log s 'c1/.*CC-EEN exit message received by peer' 10
	# It waits for 5 s, for packets under way.
	wait_log s 'c1/.*SIGTERM\[soft,delayed-exit\] received, client-instance exiting' 10
	expect_counter s peers 1
	expect_counter s peers_expired 0
	within 10 gone c1 || fail "c1 does not exit"
	brief c2 s
	start c1
	wait_up c1
	expect_counter s peers 2
	brief c1 s
}

server_exits()
{
	network
	log_mark c1
	log_mark c2
	stop s
	! ip -n "$(ns s)" link show dev tun0 >/dev/null 2>&1 ||
		fail "the server's tun0 outlived it"
	wait_log c1 'SIGUSR1\[soft,(server-pushed-connection-reset|remote-exit|connection-reset)\] received, process restarting' 10
	wait_log c2 'process restarting' 10
	log_mark c1
	log_mark c2
	start s
	wait_up s c1 c2
	expect_counter s peers 2
	brief c1 s
	brief c2 s
}

scenario "client announces its exit" client_exits
scenario "server announces its exit" server_exits
run_scenarios
