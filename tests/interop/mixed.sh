#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One end without DCO, the other with it.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# Keepalive has to work across the border, too: userspace pings the kernel and
# the kernel userspace, and nobody restarts.
stays_up_idle()
{
	log_mark s
	log_mark c1
	pause 8
	! log_has s 'ping expired|ping-restart\]|Inactivity' ||
		fail "the server lost an idle client"
	! log_has c1 'ping expired|ping-restart\]|Inactivity|expired notification' ||
		fail "the client lost an idle server"
	brief c1 s
}

client_without()
{
	hosts s c1 c2
	server_conf "keepalive 1 3"
	client_conf c1 disable-dco
	client_conf c2
	connect c2
	start c1
	wait_up c1
	not_dco c1
	expect_counter s peers 2
	traffic c1 s
	traffic c2 s
	stays_up_idle
	no_drops s c2
}

server_without()
{
	hosts s c1
	server_conf "keepalive 1 3" disable-dco
	client_conf c1
	start s
	wait_up s
	not_dco s
	start c1
	wait_up c1
	dco c1
	traffic c1 s
	kernel_only c1 2000000
	stays_up_idle
	no_drops c1
}

scenario_over "$EACH" "client without DCO" client_without
scenario_over "$EACH" "server without DCO" server_without
run_scenarios
