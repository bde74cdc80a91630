#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A server with three clients; clients that talk to each other.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

network()
{
	local c

	hosts s c1 c2 c3
	server_conf "proto udp4" "keepalive 10 60" "$@"
	start_server
	for c in c1 c2 c3; do
		client_conf "$c" "$(outer4 s)" udp4
	done
	start_clients c1 c2 c3
	dco s c1 c2 c3
}

three_clients()
{
	local c

	network
	expect_counter s peers 3
	for c in c1 c2 c3; do
		expect_counter "$c" peers 1
		traffic "$c" s
	done
	for c in c1 c2 c3; do
		kernel_only "$c" 2000000
		no_drops "$c"
	done
	no_drops s
	# The clients may not reach each other: the server does not forward.
	ping_none c1 "$(inner4 c2)"
}

client_to_client()
{
	network client-to-client
	forwarding s
	traffic c1 c2
	brief c2 c3
	brief c3 c1
	kernel_only c1 2000000
	kernel_only c2 2000000
	no_drops s
	no_drops c1
	no_drops c2
	no_drops c3
}

scenario "server with three clients" three_clients
scenario "client to client" client_to_client
run_scenarios
