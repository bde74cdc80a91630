#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Networks behind a client and behind the server, and what may not pass.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

start_network()
{
	hosts s c1 c2
	net_behind c1
	net_behind s
	server_conf "keepalive 10 60" \
		"route 10.50.1.0 255.255.255.0" "route-ipv6 fd50:1::/64" \
		'push "route 10.50.0.0 255.255.255.0"' \
		'push "route-ipv6 fd50:0::/64"'
	printf '%s\n' "iroute 10.50.1.0 255.255.255.0" \
		"iroute-ipv6 fd50:1::/64" >>"$WORK/ccd/c1"
	client_conf c1
	client_conf c2
	connect c1 c2
}

behind_client()
{
	start_network
	ping_all s 10.50.1.2
	ping_all s fd50:1::2
	ping_all n0 10.50.1.2
	ping_all n1 10.50.0.2
	ping_all n0 fd50:1::2
	ping_all n1 fd50:0::2
	transfer n0 n1 10.50.1.2 1000000
	transfer n1 n0 fd50:0::2 1000000
	kernel_only c1 2000000
	no_drops s c1

	# The route goes when the client goes, and comes back with it.
	stop c1 TERM
	log_mark s
	start c1
	wait_up c1
	ping_returns s 10.50.1.2 10
	ping_all n1 10.50.0.2
}

# spoof CLIENT SOURCE DESTINATION: these never come out at the server
spoof()
{
	local before after

	! counted || before=$(counter s rx_drop_rpf)
	ping_none "$1" "$3" -I "$2"
	if counted; then
		after=$(counter s rx_drop_rpf)
		[ $((after - before)) -eq 3 ] || { under netem && [ "$after" -gt "$before" ]; } ||
			fail "rx_drop_rpf went from $before to $after for 3 packets from $2"
	fi
	[ "$(nft_packets s spoof came_out)" -eq 0 ] ||
		fail "packets of $1 with source $2 came out of the tunnel"
}

# c2 sends from a network that is behind c1, from c1's own address and from an
# address that is nobody's.
spoofed()
{
	start_network
	on s nft -f - <<-EOF
		table inet spoof {
			counter came_out { }
			chain in {
				type filter hook prerouting priority -300;
				iifname tun0 ip saddr { 10.50.1.77, 10.8.0.11, 10.60.0.1 } counter name came_out
				iifname tun0 ip6 saddr { fd50:1::77, fd00:8::11, fd60::1 } counter name came_out
			}
		}
	EOF
	ip -n "$(ns c2)" -batch - <<-EOF
		address add 10.50.1.77/32 dev lo
		address add 10.8.0.11/32 dev lo
		address add 10.60.0.1/32 dev lo
		address add fd50:1::77/128 dev lo nodad
		address add fd00:8::11/128 dev lo nodad
		address add fd60::1/128 dev lo nodad
	EOF
	# Not one of the tunnel's own multicasts in between.
	on c2 nft -f - <<-EOF
		table inet quiet {
			chain out {
				type filter hook output priority 0;
				oifname tun0 ip6 daddr ff00::/8 drop
			}
		}
	EOF
	spoof c2 10.50.1.77 "$(inner4 s)"
	spoof c2 10.8.0.11 "$(inner4 s)"
	spoof c2 10.60.0.1 "$(inner4 s)"
	spoof c2 fd50:1::77 "$(inner6 s)"
	spoof c2 fd00:8::11 "$(inner6 s)"
	spoof c2 fd60::1 "$(inner6 s)"
	# Who may use these addresses still can.
	on s nft delete table inet spoof
	ping_all n1 10.50.0.2
	ping_all c1 "$(inner4 s)"
	ping_all c2 "$(inner4 s)" 3 -I "$(inner4 c2)"
}

scenario_over "$EACH" "network behind a client" behind_client
scenario_over "$EACH" "spoofed sources are refused" spoofed
run_scenarios
