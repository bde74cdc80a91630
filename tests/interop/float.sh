#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel follows a client to another address and tells OpenVPN 2.7, whose
# status and management show it.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

OPENVPN=2.7

# The router gives c1's packets another source: nat FAMILY ADDRESS PORT ZONE, where
# another zone is a NAT that has forgotten the mapping.
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

# The address of c1 in the server's status file, which is written when something
# wakes it up.
shown_at()
{
	send_signal s USR2
	awk -F '\t' '$1 == "CLIENT_LIST" && $2 == "c1" { print $3 }' "$WORK/status.s" |
		grep -q -F -e "$1"
}

floats()
{
	local family=$1 first=$2 second=$3 open='' close=''

	[ "$family" = ip ] || open='[' close=']'
	hosts s c1 c2
	ip -n "$(ns r)" address add "$second" dev to-s
	second=${second%/*}
	nat "$family" "$first" 4001 1
	server_conf "keepalive 10 60" "status status.s 1" "status-version 3"
	client_conf c1
	client_conf c2
	connect c1 c2
	within 10 shown_at ":4001" || fail "the first mapping is not in the status file"

	# Another port
	log_mark s
	nat "$family" "$first" 4002 2
	ping_all c1 "$(inner4 s)"
	expect_counter s rx_float 1
	within 10 shown_at ":4002" || fail "the new port is not in the status file"
	ping_all s "$(inner4 c1)"

	# Another address
	nat "$family" "$second" 4003 3
	ping_all c1 "$(inner4 s)"
	expect_counter s rx_float 2
	within 10 shown_at "$open$second$close:4003" ||
		fail "the new address is not in the status file"
	traffic c1 s

	# Not at the expense of anybody, and nobody had to connect again.
	brief c2 s
	expect_counter s peers 2
	[ "$(log_count c1 'Initialization Sequence Completed')" -eq 1 ] ||
		fail "c1 had to connect again"
	no_drops s c1 c2
}

# The control channel has to find its way there, too.
renegotiates()
{
	hosts s c1
	nat ip 198.18.0.1 4001 1
	server_conf "keepalive 1 10" "reneg-sec 0"
	client_conf c1 "reneg-sec 8" "status status.c1 1"
	connect c1
	ping_start c1 "$(inner4 s)"
	log_mark c1
	nat ip 198.18.0.1 4002 2
	wait_log c1 'Control Channel: TLSv' 40
	pause 8
	ping_stop c1
	ping_all c1 "$(inner4 s)"
	! log_has c1 'process restarting' || fail "c1 had to connect again"
	transfer c1 s "$(inner4 s)" 500000
}

scenario "IPv4" over udp4 floats ip 198.18.0.1 198.18.0.102/32
scenario "IPv6" over udp6 floats ip6 fd98::1 fd98::102/128
scenario "renegotiation from the new address" renegotiates
run_scenarios
