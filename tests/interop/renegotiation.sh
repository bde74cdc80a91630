#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Renegotiation every 10 s under traffic: no packet may be lost to it.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

ROUNDS=3

# A ping every 10 ms in each direction, for longer than the renegotiations take.
# With that many replies on record, a lost one is a gap in the numbers; what was
# under way when ping was stopped is behind the last number and does not count.
ping_start()
{
	ip netns exec "$(ns "$1")" ping -n -i 0.01 "$2" >"$WORK/ping-$1" 2>&1 &
	echo $! >"$WORK/ping-$1.pid"
}

ping_stop()
{
	kill -INT "$(<"$WORK/ping-$1.pid")"
	wait "$(<"$WORK/ping-$1.pid")" || true
}

ping_gapless()
{
	sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' "$WORK/ping-$1" |
		awk -v least="$2" '
			seen[$1]++ { print "twice:", $1; bad = 1 }
			$1 > last { last = $1 }
			END {
				for (i = 1; i <= last; i++)
					if (!(i in seen)) {
						print "lost:", i
						bad = 1
					}
				if (last < least) {
					print "only", last, "packets"
					bad = 1
				}
				exit bad
			}' || fail "the pings of $1 are not gapless"
}

handshakes_reach()
{
	[ "$(log_count "$1" 'Control Channel: TLSv')" -ge "$2" ]
}

# OpenVPN has the new key used 5 s after the renegotiation began (half of
# reneg-sec), and deletes the old one when the next begins. With DCO no packet
# passes through it that would wake it up at that time, and its own timer may
# take 15 s: with these 10 s one end may still send with a key that the other
# end's userspace has deleted, whatever the kernel does. So both are woken up
# more often, the client by its status file and the server's instance by a look
# at its byte counters.
renegotiate()
{
	hosts s c1
	server_conf "proto $1" "keepalive 1 10" "reneg-sec 10" "inactive 3 1"
	client_conf c1 "$2" "$1" "reneg-sec 10" "status status.c1 1"
	start_server
	start_clients c1
	dco s c1
	ping_start c1 "$(inner4 s)"
	ping_start s "$(inner6 c1)"
	within 60 handshakes_reach c1 $((ROUNDS + 1)) ||
		fail "less than $ROUNDS renegotiations in 60 s"
	# With the last key, too.
	transfer c1 s "$(inner4 s)" 1000000
	ping_stop c1
	ping_stop s
	ping_gapless c1 1000
	ping_gapless s 1000
	handshakes_reach s $((ROUNDS + 1)) ||
		fail "the server counts fewer renegotiations than the client"
	kernel_only c1 1000000
	no_drops s
	no_drops c1
}

scenario "renegotiation under traffic" renegotiate udp4 198.18.0.2
run_scenarios
