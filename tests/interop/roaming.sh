#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A client whose address and port, as the server sees them, change.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# The router gives c1's packets another source. A change of the conntrack zone
# is what a rebooted NAT does: the old mapping is gone at once, in both
# directions, and packets to it are dropped.
#
# nat FAMILY ADDRESS PORT ZONE
nat()
{
	local target=$2:$3

	[ "$1" = ip ] || target="[$2]:$3"
	on r nft -f - <<-EOF
		table inet nat
		delete table inet nat
		table inet nat {
			chain zone {
				type filter hook prerouting priority raw;
				meta l4proto udp ct zone set $4
			}
			chain out {
				type nat hook postrouting priority srcnat;
				iifname to-c1 udp dport $PORT snat $1 to $target
			}
			chain old {
				type filter hook input priority 0;
				udp sport $PORT drop
			}
		}
	EOF
}

# Count what the server sends to each of the mappings.
count_replies()
{
	on r nft -f - <<-EOF
		table inet count {
			counter to_1 { }
			counter to_2 { }
			counter to_3 { }
			chain in {
				type filter hook prerouting priority -350;
				iifname to-s $1 daddr $2 udp dport 4001 counter name to_1
				iifname to-s $1 daddr $2 udp dport 4002 counter name to_2
				iifname to-s $1 daddr $3 udp dport 4003 counter name to_3
			}
		}
	EOF
}

# After the mapping changed from number $1 to number $2: the client speaks
# first, for the server cannot know; then all works both ways, and nothing goes
# to the old mapping any more.
moved()
{
	local old new

	ping_all c1 "$(inner4 s)" -c 1
	old=$(nft_packets r count "to_$1")
	new=$(nft_packets r count "to_$2")
	ping_all s "$(inner4 c1)"
	ping_all c1 "$(inner6 s)"
	transfer c1 s "$(inner4 s)" 1000000
	[ "$(nft_packets r count "to_$1")" -eq "$old" ] ||
		fail "the server still sends to the old mapping"
	[ "$(nft_packets r count "to_$2")" -gt $((new + 100)) ] ||
		fail "the server does not send to the new mapping"
}

roam()
{
	local family=$1 proto=$2 remote=$3 first=$4 second=$5

	hosts s c1 c2
	# Addresses of the router's, towards the server, for the NAT to use.
	ip -n "$(ns r)" address add "$first" dev to-s
	ip -n "$(ns r)" address add "$second" dev to-s
	first=${first%/*} second=${second%/*}
	nat "$family" "$first" 4001 1
	count_replies "$family" "$first" "$second"

	server_conf "proto $proto" "keepalive 10 60"
	client_conf c1 "$remote" "$proto"
	client_conf c2 "$remote" "$proto"
	start_server
	start_clients c1 c2
	dco s c1 c2
	ping_all c1 "$(inner4 s)"
	[ "$(nft_packets r count to_1)" -ge 5 ] ||
		fail "the first mapping is not in use"
	expect_counter s rx_float 0

	# Another port.
	nat "$family" "$first" 4002 2
	moved 1 2
	expect_counter s rx_float 1

	# Another address, while data flows.
	transfer c1 s "$(inner4 s)" 6000000 &
	within 20 nft_moves to_2 || fail "no data is flowing"
	nat "$family" "$second" 4003 3
	wait $! || fail "the transfer did not survive the move"
	moved 2 3
	expect_counter s rx_float 2

	# Not at the expense of others.
	ping_all c2 "$(inner4 s)"
	kernel_only c1 6000000
	no_drops s
	no_drops c1
}

nft_moves()
{
	local before

	before=$(nft_packets r count "$1")
	sleep 0.2
	[ "$(nft_packets r count "$1")" -gt $((before + 20)) ]
}

scenario "client behind a NAT roams, IPv4" \
	roam ip udp4 198.18.0.2 198.18.0.101/32 198.18.0.102/32
scenario "client behind a NAT roams, IPv6" \
	roam ip6 udp6 fd98:0::2 fd98:0::101/128 fd98:0::102/128
run_scenarios
