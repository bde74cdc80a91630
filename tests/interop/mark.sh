#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Options of the transport socket that decide about routing: mark, bind-dev.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# Without the mark there is no way to the other end:
# marked_route HOST -4|-6 MARK NETWORK GATEWAY
marked_route()
{
	local host

	host=$(ns "$1")
	ip -n "$host" "$2" route add "$4" via "$5" table 77
	ip -n "$host" "$2" route add unreachable "$4"
	ip -n "$host" "$2" rule add fwmark "$3" lookup 77 priority 100
	on "$1" nft -f - <<-EOF
		table inet count {
			counter marked { }
			counter unmarked { }
			chain out {
				type filter hook output priority 0;
				oifname eth0 meta l4proto udp meta mark $3 counter name marked
				oifname eth0 meta l4proto udp meta mark != $3 counter name unmarked
			}
		}
	EOF
}

marks_seen()
{
	[ "$(nft_packets "$1" count marked)" -gt 100 ] ||
		fail "$1: outer packets are not marked"
	[ "$(nft_packets "$1" count unmarked)" -eq 0 ] ||
		fail "$1: outer packets without the mark"
}

# mark -4|-6 PROTO SERVER
mark()
{
	local family=$1 proto=$2 remote=$3

	hosts s c1
	if [ "$family" = -4 ]; then
		marked_route c1 -4 77 198.18.0.0/24 198.18.1.1
		marked_route s -4 78 198.18.1.0/24 198.18.0.1
	else
		marked_route c1 -6 77 fd98:0::/64 fd98:1::1
		marked_route s -6 78 fd98:1::/64 fd98:0::1
	fi
	server_conf "proto $proto" "keepalive 10 60" "mark 78"
	client_conf c1 "$remote" "$proto" "mark 77"
	start_server
	start_clients c1
	dco s c1
	traffic c1 s
	# A mark of the inner packet's is no business of the outer routing.
	ping_all c1 "$(inner4 s)" -c 3 -i 0.05 -m 5
	marks_seen c1
	marks_seen s
	no_drops s
	no_drops c1

	# The rule decides for established tunnels, too.
	ip -n "$(ns c1)" "$family" rule del fwmark 77 lookup 77
	ping_none c1 "$(inner4 s)"
	ip -n "$(ns c1)" "$family" rule add fwmark 77 lookup 77 priority 100
	ping_returns c1 "$(inner4 s)" 5
	brief c1 s
}

# Two ways to the server; bind-dev chooses the one that the routing table would
# not take.
bind_dev()
{
	hosts s c1
	ip link add to-c1b netns "$(ns r)" type veth peer name eth1 netns "$(ns c1)"
	ip -n "$(ns r)" -batch - <<-EOF
		address add 198.18.101.1/24 dev to-c1b
		link set to-c1b up
	EOF
	ip -n "$(ns c1)" -batch - <<-EOF
		address add 198.18.101.2/24 dev eth1
		link set eth1 up
		route add 0.0.0.0/0 via 198.18.101.1 dev eth1 metric 500
	EOF
	within 10 link_up c1 eth1 || fail "the second link does not come up"
	on c1 nft -f - <<-EOF
		table inet count {
			counter wanted { }
			counter other { }
			chain out {
				type filter hook output priority 0;
				oifname eth1 udp dport $PORT counter name wanted
				oifname eth0 udp dport $PORT counter name other
			}
		}
	EOF
	server_conf "proto udp4" "keepalive 10 60"
	client_conf c1 "$(outer4 s)" udp4 "bind-dev eth1"
	start_server
	start_clients c1
	dco s c1
	traffic c1 s
	[ "$(nft_packets c1 count wanted)" -gt 100 ] ||
		fail "nothing leaves through the device of bind-dev"
	[ "$(nft_packets c1 count other)" -eq 0 ] ||
		fail "packets leave through another device than that of bind-dev"
	no_drops s
	no_drops c1
}

scenario "mark, IPv4" mark -4 udp4 198.18.0.2
scenario "mark, IPv6" mark -6 udp6 fd98:0::2
scenario "bind-dev" bind_dev
run_scenarios
