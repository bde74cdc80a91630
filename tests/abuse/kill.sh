#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the middle of iperf3 both ways: one of the ends, its device, its namespace,
# its socket or the module goes away. Whatever it was, interfaces go with their
# owners, nothing hangs, and afterwards the same hosts can talk again.
set -eu
# shellcheck source=tests/abuse/lib.sh
. ./lib.sh

# They take the module away from each other.
SIDE_BY_SIDE=1

tunnel()
{
	network c1 "keepalive 5 30"
	iperf_start c1 s
}

# Everything ends and can be had again.
again()
{
	calm_down
	end c1
	end s
	device_vanishes c1
	device_vanishes s
	no_reference_left
	reload_module
	connect c1
	brief c1 s
	end c1
	end s
	reload_module
}

# kill -9, or a polite end, which closes the sockets: dies HOST SIGNAL
dies()
{
	tunnel
	stop "$1" "$2"
	device_vanishes "$1"
	again
}

# ip link del under an OpenVPN that does not expect it
link_deleted()
{
	tunnel
	ip -n "$(ns "$1")" link del tun0
	device_vanishes "$1"
	again
}

# All of a host dies at once.
host_dies()
{
	local pid

	tunnel
	for pid in $(ip netns pids "$(ns "$1")"); do
		kill -s KILL "$pid"
	done
	ip netns del "$(ns "$1")"
	calm_down
	no_reference_left
	reload_module
}

# OpenVPN and its socket are in one namespace and the device is in another,
# which goes, with all that it is being sent.
device_namespace_dies()
{
	local away

	network c1 "keepalive 5 30"
	new_hosts x
	away=$(ns x)
	ip -n "$(ns s)" link set tun0 netns "$away"
	ip -n "$away" -batch - <<-EOF
		address add $(inner4 s)/24 dev tun0
		link set tun0 up
	EOF
	ping_returns c1 "$(inner4 s)" 10
	iperf_start c1 x "$(inner4 s)"
	ip netns del "$away"
	# That one held it still.
	kill -s KILL "${BUSY[0]}"
	again
}

# The kernel closes the connection under OpenVPN and the module.
connection_aborted()
{
	local host

	tunnel
	log_mark s
	log_mark c1
	on "$1" ss -K -n state established "( sport = :$PORT or dport = :$PORT )" |
		grep ":$PORT" || fail "ss -K cannot (CONFIG_INET_DIAG_DESTROY)"
	wait_up c1
	calm_down
	wait_peers s 1
	wait_peers c1 1
	brief c1 s
	again
}

module_removed()
{
	tunnel
	unload || fail "the module cannot be unloaded: $(<"$WORK/rmmod")"
	device_vanishes s
	device_vanishes c1
	modprobe "$KMODULE"
	again
}

for host in s c1; do
	case $host in
	s) what=server ;;
	*) what=client ;;
	esac
	scenario_over "udp4 tcp4" "the $what is killed" dies "$host" KILL
	scenario_over "udp4 tcp4" "the $what closes its sockets" dies "$host" TERM
	scenario_over "udp4 tcp4" "the $what loses its device" link_deleted "$host"
	scenario_over "udp4 tcp4" "the $what and its namespace go" host_dies "$host"
done
scenario_over "udp4 tcp4" "the namespace of the server's device goes" device_namespace_dies
scenario_over "udp4 tcp4" "the module is removed" module_removed
scenario_over "tcp4" "the server's connection is aborted" connection_aborted s
scenario_over "tcp4" "the client's connection is aborted" connection_aborted c1
run_scenarios
