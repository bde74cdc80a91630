#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each cipher that the module has, side by side on one server.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

CIPHERS=(AES-128-GCM AES-192-GCM AES-256-GCM CHACHA20-POLY1305)

ciphers()
{
	local i

	hosts s c1 c2 c3 c4
	server_conf "keepalive 10 60" "data-ciphers $(IFS=:; echo "${CIPHERS[*]}")"
	for i in 1 2 3 4; do
		client_conf "c$i" "data-ciphers ${CIPHERS[i - 1]}"
	done
	connect c1 c2 c3 c4
	for i in 1 2 3 4; do
		log_has s "c$i/.*Data Channel: cipher '${CIPHERS[i - 1]}'" ||
			fail "the server does not use ${CIPHERS[i - 1]} with c$i"
		log_has "c$i" "Data Channel: cipher '${CIPHERS[i - 1]}'" ||
			fail "c$i does not use ${CIPHERS[i - 1]}"
		traffic "c$i" s
		kernel_only "c$i" 2000000
	done
	no_drops s c1 c2 c3 c4
}

scenario_over "$EACH" "all ciphers" ciphers
run_scenarios
