#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A server with two addresses answers from the one that was asked.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# second_address FAMILY ADDRESS/LENGTH CLIENT FIRST [SERVER-PROTO]
second_address()
{
	local family=$1 second=$2 client=$3 first=$4 server=${5:-$PROTO}

	hosts s c1 c2
	ip -n "$(ns s)" address add "$second" dev eth0
	second=${second%/*}
	# Which source do the packets to c1 have?
	on r nft -f - <<-EOF
		table inet count {
			counter asked { }
			counter other { }
			chain in {
				type filter hook prerouting priority -350;
				iifname to-s udp sport $PORT $family saddr $second counter name asked
				iifname to-s udp sport $PORT $family saddr != $second $family daddr $client counter name other
			}
		}
	EOF
	server_conf "keepalive 1 10" multihome "proto $server"
	REMOTE=$second client_conf c1
	REMOTE=$first client_conf c2
	connect c1 c2
	# The server speaks first: nothing to learn the address from but NEW_PEER.
	ping_all s "$(inner4 c1)"
	ping_all c1 "$(inner4 s)"
	transfer c1 s "$(inner4 s)" 1000000
	[ "$(nft_bytes r count asked)" -gt 1000000 ] ||
		fail "the server does not answer from its second address"
	[ "$(nft_packets r count other)" -eq 0 ] ||
		fail "the server answers from its first address"
	# At the same time others use the first one.
	brief c2 s
	no_drops s c1
}

scenario "second IPv4 address" \
	over udp4 second_address ip 198.18.0.3/24 198.18.1.2 198.18.0.2
scenario "second IPv6 address" \
	over udp6 second_address ip6 fd98:0::3/64 fd98:1::2 fd98:0::2
scenario "second IPv4 address of a dual-stack socket" \
	over udp4 second_address ip 198.18.0.3/24 198.18.1.2 198.18.0.2 udp
run_scenarios
