#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A client whose address and port, as the server sees them, change: over UDP it
# goes on as if nothing had happened, over TCP it connects again.
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
				meta l4proto $(transport) ct zone set $4
			}
			chain out {
				type nat hook postrouting priority srcnat;
				iifname to-c1 $(transport) dport $PORT snat $1 to $target
			}
			chain old {
				type filter hook input priority 0;
				$(transport) sport $PORT drop
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

	ping_all c1 "$(inner4 s)" 1
	old=$(nft_packets r count "to_$1")
	new=$(nft_bytes r count "to_$2")
	ping_all s "$(inner4 c1)"
	ping_all c1 "$(inner6 s)"
	transfer c1 s "$(inner4 s)" 1000000
	[ "$(nft_packets r count "to_$1")" -eq "$old" ] ||
		fail "the server still sends to the old mapping"
	[ "$(nft_bytes r count "to_$2")" -gt $((new + 1000000)) ] ||
		fail "the server does not send to the new mapping"
}

roam()
{
	local family=$1 first=$2 second=$3

	hosts s c1 c2
	# Addresses of the router's, towards the server, for the NAT to use.
	ip -n "$(ns r)" address add "$first" dev to-s
	ip -n "$(ns r)" address add "$second" dev to-s
	first=${first%/*} second=${second%/*}
	nat "$family" "$first" 4001 1
	count_replies "$family" "$first" "$second"

	server_conf "keepalive 10 60"
	client_conf c1
	client_conf c2
	connect c1 c2
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
	no_drops s c1
}

nft_moves()
{
	local before

	before=$(nft_bytes r count "$1")
	pause 0.2
	[ "$(nft_bytes r count "$1")" -gt $((before + 20000)) ]
}

# The server knows nothing of a connection from the new address, and resets it.
# It cannot know either that the old one has ended, before a timeout.
reconnect()
{
	local family=ip router=198.18.0.1

	if [ "$PROTO" = tcp6 ]; then
		family=ip6 router=fd98:0::1
	fi
	hosts s c1 c2
	nat "$family" "$router" 4001 1
	server_conf "keepalive 1 4"
	client_conf c1
	client_conf c2
	connect c1 c2
	log_has s '(198\.18\.0\.1|fd98::1)\]?:4001' || fail "the first mapping is not in use"
	ping_all c1 "$(inner4 s)"
	log_mark c1
	log_mark s
	nat "$family" "$router" 4002 2
	wait_log c1 'SIGUSR1\[soft,connection-reset\] received, process restarting' 10
	# The next connection has its own way through the NAT, like any.
	wait_up c1
	ping_returns c1 "$(inner4 s)" 10
	wait_peers s 2 15
	brief c1 s
	brief c2 s
	no_drops c1 c2
}

scenario "client behind a NAT roams, IPv4" \
	over udp4 roam ip 198.18.0.101/32 198.18.0.102/32
scenario "client behind a NAT roams, IPv6" \
	over udp6 roam ip6 fd98:0::101/128 fd98:0::102/128
scenario_over "$EACH_TCP" "NAT forgets a client" reconnect
run_scenarios
