#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What happens to a TCP connection that a datagram does not care about.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# How many bytes: enough for seconds at the speed of an emulated machine.
MUCH=20000000

cut_at_client()
{
	on c1 ss -K -n state established "dport = :$PORT" >/dev/null
}

cut_at_server()
{
	local address

	address=$(outer c1)
	[[ $PROTO == tcp4 ]] || address="[$address]"
	on s ss -K -n state established "dst $address" >/dev/null
}

# A firewall in between has had enough.
cut_at_router()
{
	on r nft -f - <<-EOF
		table inet cut {
			chain forward {
				type filter hook forward priority 0;
				iifname to-c1 meta l4proto tcp reject with tcp reset
				oifname to-c1 meta l4proto tcp reject with tcp reset
			}
		}
	EOF
	pause 1
	on r nft delete table inet cut
}

# Nothing but the reset can end the connection soon, and that of no other client.
reset()
{
	local where

	network "c1 c2" "keepalive 60 600"
	log_mark c2
	for where in client server router; do
		echo "--- at the $where"
		keep_busy c1 s
		log_mark s
		log_mark c1
		"cut_at_$where"
		wait_log c1 'SIGUSR1\[soft,connection-reset\] received, process restarting' 5
		wait_disconnect c1 5
		calm_down
		wait_up c1
		expect_counter s peers 2
		brief c1 s
	done
	! log_has c2 'Connection reset|process restarting' ||
		fail "c2 lost its connection, too"
	brief c2 s
	no_drops c1 c2
}

# On a kernel that watches itself a round trip takes 2 s when the buffers are
# full, and TCP waits for up to 20 s before it sends again what got lost.
full_and_lossy()
{
	local dev stall=$((PATIENCE > 2 ? 4 : 1))

	network c1 "keepalive 1 10"
	log_mark c1
	transfer c1 s "$(inner4 s)" "$MUCH" "$stall"
	kernel_only c1 "$MUCH"
	no_drops s c1
	# With TCP outside, nothing of this is seen inside.
	for dev in to-s to-c1; do
		on r tc qdisc add dev "$dev" root netem delay 4ms loss 1% reorder 5%
	done
	ping_start c1 "$(inner4 s)"
	transfer c1 s "$(inner4 s)" 2000000
	pause 1
	ping_stop c1
	ping_gapless c1 100
	[ "$(qdisc_drops to-s)" -gt 0 ] || fail "the path was not lossy"
	no_drops s c1
	! log_has c1 'process restarting' || fail "the client restarted"
}

qdisc_drops()
{
	on r tc -s qdisc show dev "$1" |
		sed -n 's/.*(dropped \([0-9]*\),.*/\1/p' | head -n 1
}

# Every packet in many segments, and never two packets in one.
small_segments()
{
	local host

	hosts s c1
	on r nft -f - <<-EOF
		table inet small {
			chain forward {
				type filter hook forward priority 0;
				tcp flags syn tcp option maxseg size set 100
			}
		}
	EOF
	for host in s c1; do
		on "$host" ethtool -K eth0 tso off gso off gro off
	done
	server_conf "keepalive 1 10"
	client_conf c1
	connect c1
	brief c1 s
	no_drops s c1
}

# Datagrams, without asking whether they arrive: more than may wait for a peer
# (1 MB), but no more from one socket than fits into its buffer.
flood()
{
	# shellcheck disable=SC2016
	on "$1" timeout 20 bash -c '
		printf -v text "%1300s"
		for socket in {1..20}; do
			exec {fd}<>"/dev/udp/$1/9"
			for i in {1..80}; do
				printf "%s" "$text" >&"$fd"
			done
		done' flood "$2"
}

# While a client is out of reach, the server has much to send to it, which must
# not hold up the others. When it is back, everything goes on.
dead_path()
{
	network "c1 c2" "keepalive 60 600"
	log_mark c1
	log_mark s
	keep_busy s c1
	on r nft -f - <<-EOF
		table inet cut {
			chain forward {
				type filter hook forward priority 0;
				iifname to-c1 drop
				oifname to-c1 drop
			}
		}
	EOF
	flood s "$(inner4 c1)"
	transfer c2 s "$(inner4 s)" 4000000 1
	! counted || [ "$(counter s tx_drop_backlog)" -gt 0 ] ||
		fail "that was not more than the connection to c1 takes"
	on r nft delete table inet cut
	# TCP tries again after at most as long as it was cut off.
	within 10 device_received c1 $(($(device_bytes c1) + 500000)) ||
		fail "the traffic between s and c1 does not go on"
	calm_down
	ping_returns c1 "$(inner4 s)" 5
	transfer c1 s "$(inner4 s)" 2000000 2
	! log_has c1 'process restarting' || fail "the client restarted"
	! log_has s 'client-instance restarting' || fail "the server gave a client up"
	no_drops c1 c2
}

handshakes_reach()
{
	[ "$(log_count "$1" 'Control Channel: TLSv')" -ge "$2" ]
}

# A slow line that is always full, in both directions: the control channel has
# to find its way through the data. OpenVPN is woken up for its timers by the
# status file, and on the server by a look at its counters. It uses the new key
# after half of the time between renegotiations, even if the other end has not
# got so far, and deletes the old one when the next begins, so there has to be
# time for one. It is the line that is slow, not the machine: what waits for a
# processor waits for seconds, and nobody limits how much that is.
slow_line()
{
	local dev before seconds=$((4 + 6 * PATIENCE)) rate=4000 buffer=65536

	[ "$PATIENCE" -lt 6 ] || rate=300 buffer=16384

	# Or as long as it sleeps by itself, see renegotiation.sh.
	[ "$OPENVPN" = 2.6 ] || seconds=40
	hosts s c1
	for dev in to-s to-c1; do
		on r tc qdisc add dev "$dev" root tbf rate "${rate}kbit" burst 32k latency 200ms
	done
	server_conf "keepalive 1 10" "reneg-sec $seconds" "$(waking $((seconds / 3)))" \
		"sndbuf $buffer" "rcvbuf $buffer"
	client_conf c1 "reneg-sec $seconds" "status status.c1 1" \
		"sndbuf $buffer" "rcvbuf $buffer"
	connect c1
	keep_busy c1 s
	within $((40 + seconds * 2)) handshakes_reach c1 3 ||
		fail "less than 2 renegotiations in $((40 + seconds * 2)) s"
	before=$(device_bytes c1)
	within 10 device_received c1 $((before + 500000)) ||
		fail "no more data after the renegotiations"
	ping_all c1 "$(inner4 s)"
	calm_down
	! log_has c1 'process restarting' || fail "the client restarted"
	no_drops s c1
}

scenario_over "$EACH_TCP" "connection is reset" reset
scenario_over "$EACH_TCP" "line full in both directions, then lossy" full_and_lossy
scenario_over "$EACH_TCP" "small segments" small_segments
scenario_over "$EACH_TCP" "dead path of one client" dead_path
scenario_over "$EACH_TCP" "renegotiation on a full line" slow_line
run_scenarios
