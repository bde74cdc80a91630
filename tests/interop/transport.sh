#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# UDP over IPv4 and IPv6, and a listener for both.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

single()
{
	hosts s c1
	server_conf "proto $1" "keepalive 10 60"
	client_conf c1 "$2" "$1"
	start_server
	start_clients c1
	dco s c1
	traffic c1 s
	kernel_only c1 2000000
	no_drops s
	no_drops c1
}

# One IPv6 socket for both: the peer of c1 has a mapped address.
both()
{
	hosts s c1 c2
	server_conf "$@" "keepalive 10 60"
	client_conf c1 "$(outer4 s)" udp4
	client_conf c2 "$(outer6 s)" udp6
	start_server
	start_clients c1 c2
	dco s c1 c2
	log_has s "::ffff:$(outer4 c1)" ||
		fail "the server did not see c1 at a mapped address"
	log_has s "$(outer6 c2)" ||
		fail "the server did not see c2 at its IPv6 address"
	expect_counter s peers 2
	traffic c1 s
	traffic c2 s
	kernel_only c1 2000000
	kernel_only c2 2000000
	no_drops s
	no_drops c1
	no_drops c2
}

scenario "IPv4" single udp4 198.18.0.2
scenario "IPv6" single udp6 fd98:0::2
scenario "one socket for IPv4 and IPv6 clients" both "proto udp6"
scenario "the same with multihome" both "proto udp6" multihome
run_scenarios
