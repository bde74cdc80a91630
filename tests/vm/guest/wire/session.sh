#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout=1200
#
# OpenVPN here and on another machine of another byte order, see ../peer, both
# with the module: what one puts into a packet the other one understands.
# shellcheck disable=SC2031
set -eu
cd /tests/interop
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# shellcheck disable=SC2034
SIDE_BY_SIDE=1

# remote COMMAND: run it at the other end.
remote()
{
	local said

	said=$(printf '%s\necho "status $?"\n' "$1" |
		nsenter --net="/run/netns/$TAG-c1" socat -t 120 - "TCP:$(outer4 s):7") || return 1
	printf '%s' "${said%status *}"
	return "${said##*status }"
}

# The host s is at the other end of the wire.
on()
{
	local host=$1

	shift
	if [ "$host" = s ]; then
		remote "$(printf '%q ' "$@")"
	else
		nsenter --net="/run/netns/$TAG-$host" "$@"
	fi
}

# send FILE...: to the same places there.
send()
{
	remote "base64 -d <<-END | tar -P -x
		$(tar -P -c "$@" | base64)
	END"
}

hosts()
{
	new_hosts c1
	ip link set eth0 netns "$TAG-c1"
	ip -n "$TAG-c1" -batch - <<-END
		link set lo up
		address add $(outer4 c1)/16 dev eth0
		address add $(outer6 c1)/16 dev eth0 nodad
		link set eth0 up
	END
	within 20 remote true || fail "nobody at the other end of the wire"
	[ "$(remote 'uname -m')" != "$(uname -m)" ] || fail "both ends are $(uname -m)"
}

server_up()
{
	remote "grep -q 'Initialization Sequence Completed' $WORK/s.log"
}

server_down()
{
	remote "! kill -0 \$(cat $WORK/s.pid)"
}

# statistic HOST rx|tx: bytes of the device
statistic()
{
	on "$1" cat /proc/net/dev |
		awk -v field="$([ "$2" = rx ] && echo 2 || echo 10)" '$1 == "tun0:" { print $field }'
}

# flow ADDRESS [IPERF3 OPTION...]: data for some seconds; print how many bytes
# arrived.
flow()
{
	local address=$1

	shift
	remote 'iperf3 -s -1 -D >/dev/null'
	# It may be there a little later.
	if ! within 10 on c1 timeout 60 iperf3 -c "$address" -t 3 -i 0 -J "$@" >"$WORK/iperf"; then
		cat "$WORK/iperf" >&2
		return 1
	fi
	sed -n '/"sum_received"/,/}/s/.*"bytes":[^0-9]*\([0-9]*\).*/\1/p' "$WORK/iperf" | tail -n 1
}

# session CIPHER
session()
{
	local host address bytes up=0 down=0

	hosts
	server_conf "keepalive 10 60" "data-ciphers $1"
	client_conf c1 "data-ciphers $1"
	send "$PKI" "$WORK/s.conf" "$WORK/ccd"
	remote "openvpn --daemon --cd $WORK --log $WORK/s.log --writepid $WORK/s.pid --config s.conf"
	within 60 server_up || fail "the server does not start"
	start c1
	wait_up c1
	dco c1
	remote "grep 'DCO device tun0 opened' $WORK/s.log && ip -o link show dev tun0 type ovpn-dco | grep tun0" ||
		fail "the server does not use the module"

	for address in "$(inner4 s)" "$(inner6 s)"; do
		ping_all c1 "$address" 5
		bytes=$(flow "$address") || fail "no data to $address"
		up=$((up + bytes))
		bytes=$(flow "$address" -R) || fail "no data from $address"
		down=$((down + bytes))
	done
	ping_all s "$(inner4 c1)" 5
	ping_all s "$(inner6 c1)" 5

	[ "$up" -gt 100000 ] || fail "hardly any data there: $up bytes"
	[ "$down" -gt 100000 ] || fail "hardly any data back: $down bytes"
	for bytes in "c1 tx $up" "s rx $up" "s tx $down" "c1 rx $down"; do
		# shellcheck disable=SC2086
		set -- $bytes
		[ "$(statistic "$1" "$2")" -ge "$3" ] ||
			fail "$1: $2 $(statistic "$1" "$2") bytes, and iperf3 saw $3"
	done
	kernel_only c1 100000
	no_drops s c1
	remote "kill \$(cat $WORK/s.pid)"
	within 20 server_down || fail "the server does not end"
}

# What the other end's kernel has to say about it.
remote_log()
{
	hosts
	remote "/tests/run_tests.sh /guest/vm unload dmesg"
}

scenario "AES-256-GCM over udp4" over udp4 session AES-256-GCM
scenario "AES-256-GCM over tcp6" over tcp6 session AES-256-GCM
scenario "ChaCha20-Poly1305 over udp6" over udp6 session CHACHA20-POLY1305
scenario "ChaCha20-Poly1305 over tcp4" over tcp4 session CHACHA20-POLY1305
scenario "the other end unloads the module, and has no complaint" remote_log
run_scenarios
