#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A client restarts and reconnects.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

start_network()
{
	network "c1 c2" "keepalive 1 4"
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
	wait_peers s 2 15
	no_drops c1
}

signals()
{
	local signal

	start_network
	for signal in USR1 HUP; do
		log_mark c1
		send_signal c1 "$signal"
		wait_log c1 "SIG$signal\\[hard,\\] received, process restarting" 10
		back
	done
}

# With the killed one go its device, peer, keys and socket, in the middle of
# traffic as well.
anew()
{
	start_network
	stop c1 TERM
	device_vanishes c1
	start c1
	back

	keep_busy c1 s
	log_mark s
	stop c1 KILL
	device_vanishes c1
	! is_tcp || wait_disconnect c1 2
	calm_down
	start c1
	back
}

scenario_over "$EACH" "client gets SIGUSR1, then SIGHUP" signals
scenario_over "$EACH" "client stops and starts, is killed and starts" anew
run_scenarios
