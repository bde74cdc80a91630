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
				oifname eth0 meta l4proto $(transport) meta mark $3 counter name marked
				oifname eth0 meta l4proto $(transport) meta mark != $3 counter name unmarked
			}
		}
	EOF
}

marks_seen()
{
	[ "$(nft_bytes "$1" count marked)" -gt 100000 ] ||
		fail "$1: outer packets are not marked"
	[ "$(nft_packets "$1" count unmarked)" -eq 0 ] ||
		fail "$1: outer packets without the mark"
}

mark()
{
	local family=-${PROTO: -1}

	hosts s c1
	if [ "$family" = -4 ]; then
		marked_route c1 -4 77 198.18.0.0/24 198.18.1.1
		marked_route s -4 78 198.18.1.0/24 198.18.0.1
	else
		marked_route c1 -6 77 fd98:0::/64 fd98:1::1
		marked_route s -6 78 fd98:1::/64 fd98:0::1
	fi
	server_conf "keepalive 10 60" "mark 78"
	client_conf c1 "mark 77"
	connect c1
	traffic c1 s
	# A mark of the inner packet's is no business of the outer routing.
	ping_all c1 "$(inner4 s)" 3 -m 5
	marks_seen c1
	marks_seen s
	no_drops s c1

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
		address add fd98:101::1/64 dev to-c1b nodad
		link set to-c1b addrgenmode eui64
		link set to-c1b up
	EOF
	ip -n "$(ns c1)" -batch - <<-EOF
		address add 198.18.101.2/24 dev eth1
		address add fd98:101::2/64 dev eth1 nodad
		link set eth1 addrgenmode eui64
		link set eth1 up
		route add 0.0.0.0/0 via 198.18.101.1 dev eth1 metric 500
		route add ::/0 via fd98:101::1 dev eth1 metric 5000
	EOF
	wait_links r
	link_condition r to-c1b
	link_condition c1 eth1
	on c1 nft -f - <<-EOF
		table inet count {
			counter wanted { }
			counter other { }
			chain out {
				type filter hook output priority 0;
				oifname eth1 $(transport) dport $PORT counter name wanted
				oifname eth0 $(transport) dport $PORT counter name other
			}
		}
	EOF
	server_conf "keepalive 10 60"
	client_conf c1 "bind-dev eth1"
	connect c1
	traffic c1 s
	[ "$(nft_bytes c1 count wanted)" -gt 100000 ] ||
		fail "nothing leaves through the device of bind-dev"
	[ "$(nft_packets c1 count other)" -eq 0 ] ||
		fail "packets leave through another device than that of bind-dev"
	no_drops s c1
}

scenario_over "udp4 udp6 tcp4 tcp6" "mark" mark
scenario_over "$EACH" "bind-dev" bind_dev
run_scenarios
