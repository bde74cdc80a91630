#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Keepalive expiry: the other end dies without a word.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

start_network()
{
	network "c1 c2" "keepalive 1 4"
	brief c1 s
}

# kill -9, and with the machine goes its link: what the kernel would go on
# sending reaches nobody.
dies()
{
	ip -n "$(ns "$1")" link set eth0 down
	send_signal "$1" KILL
	within 5 gone "$1" || fail "$1 survived kill -9"
}

comes_back()
{
	device_vanishes "$1"
	# The IPv6 address and the route went with the link.
	ip -n "$(ns "$1")" -batch - <<-EOF
		link set eth0 up
		address replace $(outer6 "$1")/64 dev eth0 nodad
		route replace 0.0.0.0/0 via 198.18.$(index_of "$1").1
		route replace ::/0 via fd98:$(index_of "$1")::1
	EOF
	wait_links "$1"
}

client_dies()
{
	start_network
	expect_counter s peers_expired 0
	log_mark s
	dies c1
	# The server's limit is twice the keepalive's: 8 s.
	wait_log s 'c1/.*SIGTERM\[soft,ovpn-dco: ping expired\] received, client-instance exiting|c1/.*ping-restart\] received, client-instance restarting' 20
	expect_counter s peers 1
	expect_counter s peers_expired 1
	! log_has s 'c2/.*(ping expired|exiting|restarting)' ||
		fail "c2 was thrown out, too"
	brief c2 s
	comes_back c1
	start c1
	wait_up c1
	expect_counter s peers 2
	brief c1 s
	running s || fail "the server died"
}

# Nobody expires while both ends live, idle or not.
idle()
{
	start_network
	log_mark s
	log_mark c1
	pause 12
	! log_has s 'ping expired|ping-restart\]|Inactivity' || fail "the server lost a client"
	! log_has c1 'peer expired|ping-restart\]|Inactivity' || fail "the client lost the server"
	expect_counter s peers 2
	expect_counter s peers_expired 0
	wait_counter s rx_keepalive 15
	wait_counter s tx_keepalive 15
	wait_counter c1 rx_keepalive 7
	wait_counter c1 tx_keepalive 7
	brief c1 s
}

server_dies()
{
	start_network
	log_mark c1
	log_mark c2
	dies s
	wait_log c1 'SIGUSR1\[soft,(ping-restart|ovpn-dco: ping expired)\] received, process restarting' 15
	wait_log c2 'SIGUSR1\[soft,(ping-restart|ovpn-dco: ping expired)\] received, process restarting' 15
	comes_back s
	log_mark c1
	log_mark c2
	start s
	wait_up s c1 c2
	dco s c1 c2
	expect_counter s peers 2
	brief c1 s
	brief c2 s
}

scenario_over "$EACH" "client dies" client_dies
scenario_over "$EACH" "server dies" server_dies
scenario_over "$EACH" "idle connections stay" idle
run_scenarios
