#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A server with three clients; clients that talk to each other.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

three_clients()
{
	local c

	network "c1 c2 c3" "keepalive 10 60"
	expect_counter s peers 3
	for c in c1 c2 c3; do
		expect_counter "$c" peers 1
		traffic "$c" s
		kernel_only "$c" 2000000
	done
	no_drops s c1 c2 c3
	# The clients may not reach each other: the server does not forward.
	ping_none c1 "$(inner4 c2)"
}

client_to_client()
{
	network "c1 c2 c3" "keepalive 10 60" client-to-client
	forwarding s
	traffic c1 c2
	brief c2 c3
	brief c3 c1
	kernel_only c1 2000000
	kernel_only c2 2000000
	no_drops s c1 c2 c3
}

scenario_over "$EACH" "server with three clients" three_clients
scenario_over "$EACH" "client to client" client_to_client
run_scenarios
