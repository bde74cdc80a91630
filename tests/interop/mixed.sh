#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One end without DCO, the other with it.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

client_without()
{
	hosts s c1 c2
	server_conf "proto udp4" "keepalive 10 60"
	client_conf c1 "$(outer4 s)" udp4 disable-dco
	client_conf c2 "$(outer4 s)" udp4
	start_server
	start_clients c1 c2
	dco s c2
	not_dco c1
	expect_counter s peers 2
	traffic c1 s
	traffic c2 s
	no_drops s
	no_drops c2
}

server_without()
{
	hosts s c1
	server_conf "proto udp4" "keepalive 10 60" disable-dco
	client_conf c1 "$(outer4 s)" udp4
	start_server
	start_clients c1
	not_dco s
	dco c1
	traffic c1 s
	kernel_only c1 2000000
	no_drops c1
}

# Keepalive has to work across the border, too: userspace pings the kernel and
# the kernel userspace, and nobody restarts.
idle()
{
	hosts s c1 c2
	server_conf "proto udp4" "keepalive 1 3" "$1"
	client_conf c1 "$(outer4 s)" udp4 "$2"
	start_server
	start_clients c1
	log_mark s
	log_mark c1
	sleep 10
	! log_has s 'ping expired|ping-restart\]|Inactivity' ||
		fail "the server lost an idle client"
	! log_has c1 'ping expired|ping-restart\]|Inactivity|expired notification' ||
		fail "the client lost an idle server"
	brief c1 s
}

scenario "client without DCO" client_without
scenario "server without DCO" server_without
scenario "client without DCO stays up when idle" idle "verb 4" disable-dco
scenario "server without DCO stays up when idle" idle disable-dco "verb 4"
run_scenarios
