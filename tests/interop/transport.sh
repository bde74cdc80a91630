#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# UDP and TCP over IPv4 and IPv6, and a listener for both.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

single()
{
	local host

	network c1 "keepalive 10 60"
	for host in s c1; do
		[ -n "$NO_DCO" ] ||
			on "$host" ethtool -i tun0 | grep -x "driver: $(kind_of "$host")" >/dev/null ||
			fail "$host: ethtool -i tun0 does not say $(kind_of "$host")"
	done
	traffic c1 s
	kernel_only c1 2000000
	no_drops s c1
}

# One IPv6 socket for both: the peer of c1 has a mapped address.
both()
{
	hosts s c1 c2
	server_conf "keepalive 10 60" "$@"
	PROTO=${PROTO/6/4} client_conf c1
	client_conf c2
	connect c1 c2
	log_has s "::ffff:$(outer4 c1)" ||
		fail "the server did not see c1 at a mapped address"
	log_has s "$(outer6 c2)" ||
		fail "the server did not see c2 at its IPv6 address"
	expect_counter s peers 2
	traffic c1 s
	brief c2 s
	kernel_only c1 2000000
	kernel_only c2 200000
	no_drops s c1 c2
}

scenario_over "udp4 udp6 tcp4 tcp6" "traffic" single
scenario "one socket for IPv4 and IPv6 clients" over udp6 both
scenario "the same with multihome" over udp6 both multihome
scenario "one TCP socket for IPv4 and IPv6 clients" over tcp6 both
run_scenarios
