#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each cipher that the module has.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

cipher()
{
	hosts s c1
	server_conf "proto udp4" "keepalive 10 60" "data-ciphers $1"
	client_conf c1 "$(outer4 s)" udp4 "data-ciphers $1"
	start_server
	start_clients c1
	dco s c1
	wait_log s "Data Channel: cipher '$1'"
	wait_log c1 "Data Channel: cipher '$1'"
	traffic c1 s
	kernel_only c1 2000000
	no_drops s
	no_drops c1
}

for name in AES-128-GCM AES-192-GCM AES-256-GCM CHACHA20-POLY1305; do
	scenario "$name" cipher "$name"
done
run_scenarios
