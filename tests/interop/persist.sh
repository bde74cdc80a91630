#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# persist-tun: the device stays when either end starts its connection anew.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

ifindex()
{
	local index rest

	IFS=: read -r index rest < <(ip -n "$(ns "$1")" -o link show dev tun0)
	echo "$index"
}

same_device()
{
	[ "$(ifindex "$1")" = "$2" ] || fail "$1 has another device than before"
}

start_network()
{
	CLIENT_LINES=(persist-tun persist-key)
	network "c1 c2" "keepalive 1 4" persist-tun persist-key
	brief c1 s
	AT_S=$(ifindex s)
	AT_C1=$(ifindex c1)
}

back()
{
	ping_returns c1 "$(inner4 s)" 15
	brief c1 s
	brief c2 s
	wait_peers s 2 15
	expect_counter c1 peers 1
	same_device s "$AT_S"
	same_device c1 "$AT_C1"
}

client()
{
	local i

	start_network
	for i in 1 2 3; do
		log_mark c1
		send_signal c1 USR1
		wait_log c1 'SIGUSR1\[hard,\] received, process restarting' 10
		wait_log c1 'Initialization Sequence Completed' 60
		back
	done
}

server()
{
	start_network
	log_mark s
	log_mark c1
	log_mark c2
	send_signal s USR1
	wait_log s 'SIGUSR1\[hard,\] received, process restarting' 10
	wait_log s 'Initialization Sequence Completed' 60
	wait_log c1 'Initialization Sequence Completed' 60
	wait_log c2 'Initialization Sequence Completed' 60
	back
}

# By itself, because the other end does not answer for a while.
by_itself()
{
	start_network
	log_mark c1
	on r nft -f - <<-EOF
		table inet cut {
			chain forward {
				type filter hook forward priority 0;
				iifname to-c1 drop
				oifname to-c1 drop
			}
		}
	EOF
	wait_log c1 'SIGUSR1\[soft,.*\] received, process restarting' 30
	on r nft delete table inet cut
	wait_log c1 'Initialization Sequence Completed' 60
	back
}

scenario_over "$EACH" "client starts anew" client
scenario_over "$EACH" "server starts anew" server
scenario_over "udp4 tcp4" "client notices that the server is away" by_itself
run_scenarios
