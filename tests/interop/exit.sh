#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An end that exits tells the other one: by a notification over UDP, over TCP by
# closing the connection.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# Timeouts far away: only what is told can end the connection soon.
start_network()
{
	if is_tcp; then
		network "c1 c2" "keepalive 60 600"
	else
		CLIENT_LINES=("explicit-exit-notify 1")
		network "c1 c2" "keepalive 60 600" "explicit-exit-notify 1"
	fi
	brief c1 s
}

client_exits()
{
	start_network
	log_mark s
	send_signal c1 TERM
	if is_tcp; then
		wait_disconnect c1 10
	else
		wait_log s 'c1/.*CC-EEN exit message received by peer' 10
		# It waits for 5 s, for packets under way.
		wait_log s 'c1/.*SIGTERM\[soft,delayed-exit\] received, client-instance exiting' 10
	fi
	wait_peers s 1
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
	start_network
	log_mark c1
	log_mark c2
	stop s
	device_vanishes s
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

scenario_over "$EACH" "client exits" client_exits
scenario_over "$EACH" "server exits" server_exits
run_scenarios
