#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Byte counters of the status file and of management against what was sent.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

MANAGEMENT=7505

# No keepalive and no multicasts in the tunnel: only what the test sends.
start_network()
{
	local host

	hosts s c1
	for host in s c1; do
		on "$host" nft -f - <<-EOF
			table inet quiet {
				chain out {
					type filter hook output priority 0;
					oifname tun0 ip6 daddr ff00::/8 drop
				}
			}
		EOF
	done
	# What went over the wire, to compare with.
	on r nft -f - <<-EOF
		table inet count {
			counter up { }
			counter down { }
			chain forward {
				type filter hook forward priority 0;
				iifname to-c1 $(transport) dport $PORT counter name up
				iifname to-s $(transport) sport $PORT counter name down
			}
		}
	EOF
	server_conf "status status.s 1" "status-version 3" \
		"management 127.0.0.1 $MANAGEMENT" "$@"
	client_conf c1 "status status.c1 1" "management 127.0.0.1 $MANAGEMENT"
	connect c1
	# Let the control channel's last acknowledgements pass.
	within 20 settled || fail "the connection does not calm down"
}

settled()
{
	local before

	before=$(wire)
	pause 1
	[ "$before" = "$(wire)" ]
}

# Octets of UDP payload from and to the client so far: outer octets less 20 of
# IPv4 and 8 of UDP a packet. Over TCP this says no more than whether there was
# traffic.
wire()
{
	on r nft list counters table inet count | awk '
		$1 == "counter" { name = $2 }
		$1 == "packets" { sum[name] = $4 - 28 * $2 }
		END { print sum["up"], sum["down"] }'
}

# "in out" as the server's status file, its management and the client's status
# file and management report it; from the client's view in and out are swapped
# here, so that all of them ought to say the same.
server_file()
{
	awk -F '\t' '$1 == "CLIENT_LIST" { print $6, $7 }' "$WORK/status.s" |
		grep .
}

client_file()
{
	awk -F , '/^TCP\/UDP read bytes/ { down = $2 }
		/^TCP\/UDP write bytes/ { up = $2 }
		END { if (up && down) print up, down }' "$WORK/status.c1" |
		grep .
}

# A file may be read while it is being written.
whole()
{
	local i

	for i in 1 2 3 4 5; do
		"$1" && return 0
		pause 0.1
	done
	return 1
}

# manage HOST COMMAND PATTERN: send that, print the first line that matches
manage()
{
	# shellcheck disable=SC2016
	on "$1" timeout 20 bash -c '
		exec 3<>"/dev/tcp/127.0.0.1/$1"
		printf "%s\n" "$2" >&3
		while read -r line <&3; do
			[[ $line =~ $3 ]] || continue
			printf "%s\n" "${line%$'"'\\\\r'"'}"
			printf "quit\n" >&3
			exit 0
		done
		exit 1' manage "$MANAGEMENT" "$2" "$3"
}

server_management()
{
	manage s "status 3" "^CLIENT_LIST" | awk -F '\t' '{ print $6, $7 }'
}

client_management()
{
	manage c1 "bytecount 1" "^>BYTECOUNT:" |
		tr -d '\r' | sed 's/.*:\([0-9]*\),\([0-9]*\)$/\2 \1/'
}

# The files are written once a second; wait for a state from after now. The
# first one written may have been collected just before.
fresh()
{
	local i

	for i in 1 2; do
		touch "$WORK/now"
		within 10 newer s || return 1
		within 10 newer c1 || return 1
	done
}

# A server without traffic of its own sleeps for longer than that second, until
# somebody talks to it.
newer()
{
	[ ! "$WORK/status.$1" -nt "$WORK/now" ] || return 0
	manage "$1" pid '^SUCCESS: pid=' >/dev/null
	[ "$WORK/status.$1" -nt "$WORK/now" ]
}

# grown BEFORE AFTER UP DOWN WHAT: both have grown by exactly that much
grown()
{
	local b_up b_down a_up a_down

	# Userspace counts the length before a packet when it sends over TCP.
	[ -z "$NO_DCO" ] || ! is_tcp || return 0
	read -r b_up b_down <<<"$1"
	read -r a_up a_down <<<"$2"
	if [ $((a_up - b_up)) -ne "$3" ] || [ $((a_down - b_down)) -ne "$4" ]; then
		fail "$5: up $b_up -> $a_up, down $b_down -> $a_down; expected $3 and $4 more"
	fi
}

# Expected numbers from the first principles: an echo request with 1000 octets
# of data is an IPv4 packet of 1028, sealed 1052; the reply as much.
pings()
{
	local wire0 sfile0 smgmt0 cfile0 cmgmt0 each=1052 count=40

	start_network
	fresh || fail "the status files are not written"
	wire0=$(wire)
	sfile0=$(whole server_file)
	cfile0=$(whole client_file)
	smgmt0=$(server_management)
	cmgmt0=$(client_management)

	ping_all c1 "$(inner4 s)" "$count" -s 1000

	fresh || fail "the status files are no longer written"
	each=$((each * count))
	is_tcp || grown "$wire0" "$(wire)" "$each" "$each" "the wire itself"
	grown "$sfile0" "$(whole server_file)" "$each" "$each" "server's status file"
	grown "$cfile0" "$(whole client_file)" "$each" "$each" "client's status file"
	grown "$smgmt0" "$(server_management)" "$each" "$each" "server's management"
	grown "$cmgmt0" "$(client_management)" "$each" "$each" "client's management"
}

# The same for bulk data, whose packets are cut and merged on the way: what the
# router saw is what must have been counted, and it is not less than the data.
# Over TCP, where the router sees something else, both ends have to agree on a
# number that is not much more than the data either.
bulk()
{
	local wire0 wire1 sfile0 cfile0 up down

	start_network
	fresh || fail "the status files are not written"
	wire0=$(wire)
	sfile0=$(whole server_file)
	cfile0=$(whole client_file)

	transfer c1 s "$(inner4 s)" 3000000
	within 20 settled || fail "the connection does not calm down"

	fresh || fail "the status files are no longer written"
	wire1=$(wire)
	if is_tcp; then
		wire0=$sfile0
		wire1=$(whole server_file)
	fi
	up=$((${wire1% *} - ${wire0% *}))
	down=$((${wire1#* } - ${wire0#* }))
	[ "$up" -gt 3000000 ] || fail "less went up than was sent: $up"
	[ "$down" -gt 3000000 ] || fail "less went down than was sent: $down"
	[ "$up" -lt 4500000 ] || fail "more went up than can be: $up"
	[ "$down" -lt 4500000 ] || fail "more went down than can be: $down"
	grown "$sfile0" "$(whole server_file)" "$up" "$down" "server's status file"
	grown "$cfile0" "$(whole client_file)" "$up" "$down" "client's status file"
	kernel_only c1 3000000
	no_drops s c1
}

# What scripts are told about a client that goes.
disconnect()
{
	local wire0 wire1 file0 received sent up down

	cat >"$WORK/gone" <<-EOF
		#!/bin/sh
		echo "\$bytes_received \$bytes_sent" >"$WORK/disconnected"
	EOF
	chmod +x "$WORK/gone"
	start_network "script-security 2" "client-disconnect $WORK/gone"
	fresh || fail "the status files are not written"
	wire0=$(wire)
	file0=$(whole server_file)
	ping_all c1 "$(inner4 s)" 40 -s 1000
	wire1=$(wire)
	stop s
	if is_tcp; then
		up=$((40 * 1052)) down=$((40 * 1052))
	else
		up=$((${wire1% *} - ${wire0% *}))
		down=$((${wire1#* } - ${wire0#* }))
	fi
	read -r received sent <"$WORK/disconnected"
	grown "$file0" "$received $sent" "$up" "$down" client-disconnect
}

scenario_over "$EACH" "pings of known size" pings
scenario_over "$EACH" "bulk data" bulk
scenario_over "$EACH" "totals for scripts" disconnect
run_scenarios
