#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Point-to-point TLS mode, without `mode server`.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# pair PROTO REMOTE
pair()
{
	hosts s c1
	p2p_conf s c1 tls-server "dh none" "proto $1" "port $PORT" "keepalive 5 30"
	p2p_conf c1 s tls-client nobind "remote $2 $PORT $1" \
		"remote-cert-tls server" "keepalive 5 30" "connect-retry 1 1"
	start s
	start c1
	wait_up s c1
	dco s c1
}

plain()
{
	pair "$1" "$2"
	expect_counter s peers 1
	expect_counter c1 peers 1
	traffic c1 s
	kernel_only c1 2000000
	kernel_only s 2000000
	no_drops s
	no_drops c1
}

# The other end comes back under the same peer-id or another one; the kernel
# has one peer all the time.
comes_back()
{
	pair udp4 "$(outer4 s)"
	brief c1 s
	stop c1
	log_mark s
	start c1
	wait_up c1
	within 30 ping_once c1 "$(inner4 s)" || fail "no answer after restart"
	dco s c1
	expect_counter s peers 1
	brief c1 s
}

scenario "point to point over IPv4" plain udp4 198.18.0.2
scenario "point to point over IPv6" plain udp6 fd98:0::2
scenario "point to point, one end starts anew" comes_back
run_scenarios
