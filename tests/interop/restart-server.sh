#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The server restarts and its clients reconnect.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

start_network()
{
	network "c1 c2" "keepalive 1 4"
	brief c1 s
}

mark_logs()
{
	log_mark s
	log_mark c1
	log_mark c2
}

back()
{
	wait_up s c1 c2
	dco s c1 c2
	brief c1 s
	brief c2 s
	expect_counter s peers 2
}

signals()
{
	local signal

	start_network
	for signal in USR1 HUP; do
		mark_logs
		send_signal s "$signal"
		wait_log s "SIG$signal\\[hard,\\] received, process restarting" 10
		back
	done
}

# With the killed one go its device, peers, keys and socket, in the middle of
# traffic as well: the new server wants the port.
anew()
{
	start_network
	mark_logs
	stop s TERM
	device_vanishes s
	start s
	back

	keep_busy c1 s
	mark_logs
	stop s KILL
	device_vanishes s
	! is_tcp || wait_log c1 'SIGUSR1\[soft,connection-reset\] received, process restarting' 2
	calm_down
	start s
	back
}

scenario_over "$EACH" "server gets SIGUSR1, then SIGHUP" signals
scenario_over "$EACH" "server stops and starts, is killed and starts" anew
run_scenarios
