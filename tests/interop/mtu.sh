#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Packets that fit the path, with OpenVPN's default tun-mtu of 1500: nothing on
# the way is sent in fragments.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# Count the fragments that come to the router, and those that it makes.
count_fragments()
{
	on r nft -f - <<-EOF
		table inet count {
			counter fragments { }
			chain in {
				type filter hook prerouting priority -450;
				ip frag-off & 0x3fff != 0 counter name fragments
				exthdr frag exists counter name fragments
			}
			chain out {
				type filter hook postrouting priority 300;
				ip frag-off & 0x3fff != 0 counter name fragments
				exthdr frag exists counter name fragments
			}
		}
	EOF
}

# fragments: how many there were so far
fragments()
{
	local made

	made=$(on r nstat -asz IpFragCreates | awk '$1 == "IpFragCreates" { print $2 }')
	echo $(($(nft_packets r count fragments) + made))
}

both_ways()
{
	transfer c1 s "$(inner4 s)" 2000000
	transfer s c1 "$(inner4 c1)" 2000000
	transfer c1 s "$(inner6 s)" 2000000
	transfer s c1 "$(inner6 c1)" 2000000
}

# The path from the router to the server has this MTU, which only those two know.
narrow_path()
{
	ip -n "$(ns r)" link set to-s mtu "$1"
	ip -n "$(ns s)" link set eth0 mtu "$1"
}

default_mtu()
{
	server_conf "tun-mtu 1500" "keepalive 10 60"
	client_conf c1 "tun-mtu 1500"
}

fits()
{
	hosts s c1
	count_fragments
	default_mtu
	connect c1
	both_ways
	[ "$(fragments)" -eq 0 ] || fail "$(fragments) fragments on a path of 1500 bytes"
	expect_counter c1 tx_drop_path_mtu 0
	expect_counter s tx_drop_path_mtu 0

	# It was the module that did it.
	on c1 ethtool --set-priv-flags tun0 path-mtu off
	on s ethtool --set-priv-flags tun0 path-mtu off
	transfer c1 s "$(inner4 s)" 200000
	[ "$(fragments)" -gt 50 ] || fail "no fragments with path-mtu off"
}

# As the first packets of a connection tell.
learns()
{
	local before

	hosts s c1
	count_fragments
	default_mtu
	connect c1
	narrow_path 1400
	both_ways
	before=$(fragments)
	both_ways
	[ "$(fragments)" -eq "$before" ] ||
		fail "$(($(fragments) - before)) more fragments on a path of 1400 bytes"
	[ "$before" -lt 200 ] || fail "$before fragments before the path was known"
}

# Whoever must not be fragmented is told. 1500 bytes, less 28 or 48 outside, and 24
# of OpenVPN's.
tells()
{
	local mtu=1448

	[ "${PROTO: -1}" = 4 ] || mtu=1428
	hosts s c1
	default_mtu
	connect c1
	ping_all c1 "$(inner4 s)" 3 -M "do" -s $((mtu - 28))
	on c1 ping -c 2 -W 2 -M "do" -s $((mtu - 27)) "$(inner4 s)" >"$WORK/ping.out" 2>&1 &&
		fail "a packet of $((mtu + 1)) bytes got through"
	grep -q -E "mtu ?= ?$mtu" "$WORK/ping.out" ||
		fail "not told that $mtu bytes fit: $(cat "$WORK/ping.out")"
	counter_at_least c1 tx_drop_path_mtu 1
	# It may be fragmented, then it is.
	ping_all c1 "$(inner4 s)" 3 -M dont -s 1472
}

scenario_over "udp4 udp6" "default tun-mtu on a path of 1500 bytes" fits
scenario_over "udp4 udp6" "default tun-mtu on a path of 1400 bytes" learns
scenario_over "udp4 udp6" "packets that are too long" tells
run_scenarios
