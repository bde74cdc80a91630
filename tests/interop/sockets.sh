#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One server with several sockets, of both protocols, and one device: what only
# OpenVPN 2.7 can.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

OPENVPN=2.7

# server_at LINE...: with these in place of the one port
server_at()
{
	server_conf "$@"
	sed -i -e '/^port /d' -e '/^proto /d' "$WORK/s.conf"
}

# client_at NAME PORT PROTO [REMOTE]
client_at()
{
	PORT=$2 PROTO=$3 REMOTE=${4:-$(PROTO=$3; outer s)} client_conf "$1"
}

start_network()
{
	hosts s c1 c2 c3 c4
	server_at "keepalive 1 4" "local $(outer4 s) 1194 udp4" \
		"local $(outer4 s) 1195 udp4" "local $(outer4 s) 1196 tcp4" \
		"local $(outer6 s) 1197 tcp6"
	client_at c1 1194 udp4
	client_at c2 1195 udp4
	client_at c3 1196 tcp4
	client_at c4 1197 tcp6
	connect c1 c2 c3 c4
	expect_counter s peers 4
}

four_sockets()
{
	local host

	start_network
	for host in c1 c2 c3 c4; do
		traffic "$host" s
		kernel_only "$host" 2000000
	done
	no_drops s c1 c2 c3 c4

	# Who goes takes nobody along, whatever it came over.
	log_mark s
	for host in c1 c3; do
		stop "$host" KILL
	done
	wait_peers s 2 20
	brief c2 s
	brief c4 s
	for host in c1 c3; do
		start "$host"
		wait_up "$host"
		brief "$host" s
	done
	expect_counter s peers 4
}

# Between clients of different sockets.
through_the_server()
{
	hosts s c1 c2
	server_at "keepalive 10 60" client-to-client \
		"local $(outer4 s) 1194 udp4" "local $(outer4 s) 1194 tcp4"
	client_at c1 1194 udp4
	client_at c2 1194 tcp4
	connect c1 c2
	forwarding s
	traffic c1 c2
	brief c2 c1
	no_drops s c1 c2
}

# A client gives up one protocol for the other: same name, same address.
falls_back()
{
	hosts s c1
	server_at "keepalive 1 4" "local $(outer4 s) 1194 udp4" \
		"local $(outer4 s) 1194 tcp4"
	client_at c1 1194 udp4
	echo "remote $(outer4 s) 1194 tcp4-client" >>"$WORK/c1.conf"
	connect c1
	brief c1 s
	on r nft -f - <<-EOT
		table inet cut {
			chain forward {
				type filter hook forward priority 0;
				meta l4proto udp drop
			}
		}
	EOT
	log_mark c1
	wait_log c1 'TCPv4_CLIENT link remote' 60
	wait_up c1
	ping_returns c1 "$(inner4 s)" 20
	brief c1 s
	wait_peers s 1 20
}

restarted()
{
	local signal host

	start_network
	for signal in USR1 HUP; do
		for host in s c1 c2 c3 c4; do
			log_mark "$host"
		done
		send_signal s "$signal"
		wait_log s "SIG$signal\\[hard,\\] received, process restarting" 10
		wait_up s c1 c2 c3 c4
		for host in c1 c2 c3 c4; do
			brief "$host" s
		done
		expect_counter s peers 4
	done
}

scenario "two UDP and two TCP sockets" four_sockets
scenario "client to client over UDP and TCP" through_the_server
scenario "client falls back from UDP to TCP" falls_back
scenario "server gets SIGUSR1, then SIGHUP" restarted
run_scenarios
