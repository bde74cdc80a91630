# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the abuse scripts add to the frame of the interop scenarios, which has to
# be installed beside them.
#
# OVPN_ABUSE_SCALE	percent of the usual number of repetitions

# shellcheck source=tests/interop/lib.sh
. ../interop/lib.sh

HERE=$(cd ../interop && pwd)
KMODULE=ovpn-dco-v2
IPERF_PORT_HEX=1451

# scaled NUMBER: that, or the wanted share of it
scaled()
{
	local n=$(($1 * ${OVPN_ABUSE_SCALE:-100} / 100))

	echo $((n > 0 ? n : 1))
}

# --- traffic -----------------------------------------------------------------

iperf_listens()
{
	[[ $(on "$1" cat /proc/net/tcp6) == *":$IPERF_PORT_HEX "* ]]
}

# iperf_serve HOST: so that iperf_start need not wait for it
iperf_serve()
{
	nsenter --net="/run/netns/$(ns "$1")" iperf3 -s >"$WORK/iperf-$1.log" 2>&1 &
	BUSY=($!)
}

# Bytes that the device of a host received and sent, into RECEIVED and SENT.
device_both()
{
	local name rest

	while read -r name RECEIVED rest; do
		[ "$name" != tun0: ] || break
	done < <(on "$1" cat /proc/net/dev)
	read -r _ _ _ _ _ _ _ SENT _ <<<"$rest"
}

# device_passed HOST RECEIVED SENT: at least so many
device_passed()
{
	device_both "$1"
	[ "$RECEIVED" -ge "$2" ] && [ "$SENT" -ge "$3" ]
}

# iperf_start FROM TO [ADDRESS-OF-TO]: as much as goes, both ways, without end,
# between two VPN hosts; returns when it flows. calm_down ends it.
iperf_start()
{
	[ ${#BUSY[@]} -gt 0 ] || iperf_serve "$2"
	within 20 iperf_listens "$2" || fail "iperf3 does not listen on $2"
	device_both "$2"
	nsenter --net="/run/netns/$(ns "$1")" \
		iperf3 -c "${3:-$(inner4 "$2")}" --bidir -t 3600 >"$WORK/iperf-$1.log" 2>&1 &
	BUSY+=($!)
	within 20 device_passed "$2" $((RECEIVED + 100000)) $((SENT + 100000)) ||
		fail "no data flows both ways between $1 and $2"
}

# --- what has to be true afterwards ------------------------------------------

# end HOST: its OpenVPN ends, if it has not by itself.
end()
{
	! running "$1" || stop "$1"
}

unload()
{
	timeout -k 5 $((20 * PATIENCE)) rmmod "$KMODULE" 2>"$WORK/rmmod"
}

# Nothing holds the module any more, and it works when it is back.
reload_module()
{
	within 10 unload || fail "the module cannot be unloaded: $(<"$WORK/rmmod")"
	modprobe "$KMODULE" || fail "the module cannot be loaded again"
}

# The kernel waits for references that nobody gives back.
no_reference_left()
{
	! dmesg | grep 'unregister_netdevice: waiting' || fail "a reference was left"
}
