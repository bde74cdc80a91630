# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the interop scenarios share: hosts that are network namespaces, a CA,
# configurations, starting and stopping the real OpenVPN, waiting, assertions.
#
# A script sources this, declares its cases with `scenario NAME FUNCTION...`, or
# with scenario_over where a case runs over several transports, and ends with
# `run_scenarios`. Each case runs in a subshell with hosts of its own, so one
# that fails leaves nothing behind for the next; what it prints is shown, with
# the ends of all OpenVPN logs, only if it fails. Cases run side by side where
# they wait more than they compute.
#
# On an emulated machine a test's time goes into starting programs, so what is
# done often here is done by the shell itself.
#
# The hosts hang on a router, each with a network of its own:
#
#	host	index	outer address		VPN address
#	s	0	198.18.0.2   fd98::0:2	10.8.0.1    fd00:8::1
#	cN	N	198.18.N.2   fd98::N:2	10.8.0.1N   fd00:8::1N
#	r		198.18.*.1   fd98::*:1
#
# A script that is run by a name that ends in -2.7 has OpenVPN 2.7 at both ends,
# else 2.6; version_at says what a case wants otherwise.
#
# OVPN_TEST_CONDITION	what all scenarios have to cope with, see "conditions" below
# OVPN_TEST_PROTOS	what scenario_over runs cases over in place of what the
#			scripts say, of udp4 udp6 tcp4 tcp6
# OVPN_TEST_IN_TREE	run with the kernel's own driver for OpenVPN 2.7, to see what
#			that does
# TIMEOUT_FACTOR	how much slower than others this machine is

set -eu

LC_ALL=C
export LC_ALL

HERE=$PWD
RUN=

# What the names of the hosts begin with, of all cases and of this case, and
# where this case has its files.
BASE=ovi$$
TAG=
WORK=
PKI=/run/ovpn-dco-interop-pki
PORT=1194
MODULE=ovpn_dco_v2
VERSION_FILE=/sys/module/$MODULE/version
PATIENCE=${TIMEOUT_FACTOR:-1}

# How often ping_start pings. A kernel that watches itself has 25 of them a second
# answered with all of the machine. What more is sent waits, and OpenVPN's own packets
# behind it, which uses a new key some time later, if the other end has it or not.
PING_EVERY=0.01
[ "$PATIENCE" -lt 6 ] || PING_EVERY=0.1

# How often within() looks. It is the test that has the machine otherwise, not OpenVPN,
# where a fork takes 60 ms.
LOOK_EVERY=0.1
[ "$PATIENCE" -lt 6 ] || LOOK_EVERY=0.8

# Which OpenVPN hosts have of which a case does not say it, in VERSIONS.
OPENVPN=2.6
[[ $0 != *-2.7.sh ]] || OPENVPN=2.7
declare -A VERSIONS=()

# What OpenVPN runs over in this case: udp4, udp6, tcp4 or tcp6.
PROTO=udp4

# For scenario_over: what the scripts run over that are not about the transport.
# A kernel that checks itself takes very long, and has IPv6 in those that are.
EACH_TCP="tcp4 tcp6"
[ "$PATIENCE" -lt 6 ] || EACH_TCP=tcp4
# shellcheck disable=SC2034
EACH="udp4 $EACH_TCP"

# On a kernel that watches itself everything takes several times as long: there
# scenarios take turns, the first is over TCP, the second over UDP, and so on,
# unless the tests are to be thorough. Under a condition as well, but those are more
# about UDP.
TURNS=()
[ "$PATIENCE" -lt 6 ] || TURNS=(tcp4 udp4)
[ -z "${OVPN_TEST_CONDITION:-}" ] || TURNS=(udp4 tcp4)
[ "${OVPN_ABUSE_SCALE:-100}" -lt 100 ] || TURNS=()

# More lines for the clients of network().
CLIENT_LINES=()

# Development only: see no_dco_guard.
NO_DCO=${OVPN_TEST_NO_DCO:-}

# Set by a script that brings the module along.
BRINGS_MODULE=

# OpenVPN 2.7 uses the kernel's own driver, which has no counters of our names: what
# they would say is not looked at.
IN_TREE=${OVPN_TEST_IN_TREE:-}

# What keeps hosts busy until calm_down.
BUSY=()

# By host and counter: packets for a key or a peer that it did not have yet when it was
# up, see wait_up.
declare -A EARLY=()

# How many cases run side by side; a script whose cases disturb each other, or
# compute all the time, says 1.
SIDE_BY_SIDE=2

# The cases: names and commands, and of those that run, by process id, the
# number; since when.
NAMES=()
RUNS=()
CASES=()
BEGAN=()
REPORTED=0
FAILED=0
PASSED=0
SKIPPED=0

diag()
{
	printf '# %s\n' "$*"
}

fail()
{
	echo "FAILED: $*"
	exit 1
}

# --- waiting -----------------------------------------------------------------

# sleep, without starting a program: nobody writes to that pipe.
pause()
{
	read -r -t "$1" -u "$NEVER" || true
}

# within SECONDS COMMAND...: until it succeeds, or fail. A machine that is known
# to be slow gets more time.
within()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000 * PATIENCE))

	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		pause "$LOOK_EVERY"
	done
}

# The complete lines of a log from one on, into LOGGED: log_read NAME SKIP
log_read()
{
	local last

	LOGGED=()
	[ -e "$WORK/$1.log" ] || return 0
	mapfile -s "$2" LOGGED <"$WORK/$1.log"
	last=$((${#LOGGED[@]} - 1))
	if [ "$last" -ge 0 ] && [[ ${LOGGED[last]} != *$'\n' ]]; then
		unset "LOGGED[last]"
	fi
}

# Only what was logged since `log_mark NAME` counts.
log_mark()
{
	log_read "$1" 0
	echo "${#LOGGED[@]}" >"$WORK/$1.mark"
}

# log_matches NAME SKIP PATTERN: print the lines that match
log_matches()
{
	local line

	log_read "$1" "$2"
	for line in "${LOGGED[@]}"; do
		line=${line%$'\n'}
		[[ ! $line =~ $3 ]] || printf '%s\n' "$line"
	done
}

marked()
{
	MARK=0
	[ ! -e "$WORK/$1.mark" ] || read -r MARK <"$WORK/$1.mark"
}

log_has()
{
	marked "$1"
	[ -n "$(log_matches "$1" "$MARK" "$2")" ]
}

log_count()
{
	local -a lines

	marked "$1"
	mapfile -t lines < <(log_matches "$1" "$MARK" "$2")
	echo "${#lines[@]}"
}

# wait_log NAME PATTERN [SECONDS]
wait_log()
{
	marked "$1"
	within "${3:-30}" log_got "$1" "$2" ||
		fail "$1: no '$2' in its log within ${3:-30} s"
}

# Each time only what is new.
log_got()
{
	local line

	log_read "$1" "$MARK"
	for line in "${LOGGED[@]}"; do
		[[ ! ${line%$'\n'} =~ $2 ]] || return 0
	done
	MARK=$((MARK + ${#LOGGED[@]}))
	return 1
}

# wait_disconnect NAME SECONDS: until the server is rid of a client over TCP,
# because it saw the end of the connection, or the kernel told it first.
wait_disconnect()
{
	local seen='SIGUSR1\[soft,connection-reset\] received, client-instance restarting'
	local told='SIGTERM\[soft,ovpn-dco: transport error\] received, client-instance exiting'

	wait_log s "$1/.*($seen|$told)" "$2"
}

# --- conditions --------------------------------------------------------------

# under CONDITION: is this what the scenarios have to cope with?
#
#	flags-off	the private flags of our devices the other way round
#	held		our devices hold every packet for a while, but TCP's
#	offloads-off	the links between hosts leave nothing to the device
#	gro		these links cut what they send, and merge what they receive
#	tcpdump		on every host, on all devices
#	netem		packets between hosts get lost, overtake each other, come twice
under()
{
	[ "${OVPN_TEST_CONDITION:-}" = "$1" ]
}

# On a link between two hosts, which has just been made: link_condition HOST DEVICE
link_condition()
{
	if under offloads-off; then
		on "$1" ethtool -K "$2" tso off gso off gro off tx off rx off >/dev/null
	elif under gro; then
		on "$1" ethtool -K "$2" tso off gso off gro on >/dev/null
	elif under netem && [ "$1" = r ]; then
		on r tc qdisc add dev "$2" root netem delay 4ms 1ms loss 1% reorder 5% duplicate 1%
	fi
}

# On new hosts: host_condition NAME...
host_condition()
{
	local host

	under tcpdump || return 0
	for host; do
		nsenter --net="/run/netns/$TAG-$host" \
			tcpdump -i any -Z root -w /dev/null >/dev/null 2>&1 &
	done
	for host; do
		within 10 has_packet_socket "$host" || fail "$host: tcpdump does not run"
	done
}

has_packet_socket()
{
	[ "$(on "$1" grep -c . /proc/net/packet)" -gt 1 ]
}

# Lines for an OpenVPN that makes a device. It may be without DCO.
device_condition()
{
	local what settings

	if under flags-off; then
		what=--set-priv-flags
		settings="udp-gso off udp-gro off path-mtu off copy-ecn off copy-dscp on"
	elif under held; then
		what=--coalesce
		settings="tx-usecs 1000 pkt-rate-high 1"
	else
		return 0
	fi
	cat >"$WORK/device-condition" <<-EOF
		#!/bin/sh
		ethtool -i "\$1" | grep -q '^driver: tun' ||
			exec ethtool $what "\$1" $settings
	EOF
	chmod +x "$WORK/device-condition"
	printf '%s\n' "script-security 2" "up $WORK/device-condition"
}

# --- hosts -------------------------------------------------------------------

ns()
{
	echo "$TAG-$1"
}

# Like ip netns exec, which takes twice as long.
on()
{
	local host=$1

	shift
	nsenter --net="/run/netns/$TAG-$host" "$@"
}

index_of()
{
	case $1 in
	s) echo 0 ;;
	*) echo "${1#c}" ;;
	esac
}

outer4()
{
	echo "198.18.$(index_of "$1").2"
}

outer6()
{
	echo "fd98:$(index_of "$1")::2"
}

# its address of the family that the case is about
outer()
{
	"outer${PROTO: -1}" "$1"
}

inner4()
{
	case $1 in
	s) echo 10.8.0.1 ;;
	*) echo "10.8.0.1$(index_of "$1")" ;;
	esac
}

inner6()
{
	case $1 in
	s) echo fd00:8::1 ;;
	*) echo "fd00:8::1$(index_of "$1")" ;;
	esac
}

# Tunnel devices, which come later than all else, get no link-local address: it
# would only bring router solicitations, which show up in the counters. The
# other links need theirs, to ask for neighbours, and say so.
new_hosts()
{
	local host

	for host; do
		echo "netns add $TAG-$host"
	done | ip -batch -
	for host; do
		on "$host" sh -c '
			cd /proc/sys/net/ipv6/conf/default
			echo 0 >accept_dad
			echo 0 >accept_ra
			echo 1 >addr_gen_mode'
	done
	host_condition "$@"
}

# Some kernels have other links than ours in each namespace.
all_links_up()
{
	local name state rest

	while read -r name state rest; do
		case $name in
		eth* | to-*) [ "$state" = UP ] || return 1 ;;
		esac
	done <<<"$(ip -n "$TAG-$1" -br link show)"
}

# Both ends of a cable come up together.
wait_links()
{
	within 10 all_links_up "$1" || fail "a link of $1 does not come up"
}

# hosts NAME...: the router and these, each on a link of its own to the router.
hosts()
{
	local host i

	new_hosts r "$@"
	forwarding r
	for host; do
		echo "link add to-$host netns $TAG-r type veth peer name eth0 netns $TAG-$host"
	done | ip -batch -
	for host; do
		i=$(index_of "$host")
		ip -n "$TAG-$host" -batch - <<-EOF
			link set lo up
			address add 198.18.$i.2/24 dev eth0
			address add fd98:$i::2/64 dev eth0 nodad
			link set eth0 addrgenmode eui64
			link set eth0 up
			route add 0.0.0.0/0 via 198.18.$i.1
			route add ::/0 via fd98:$i::1
		EOF
	done
	for host; do
		i=$(index_of "$host")
		printf '%s\n' "address add 198.18.$i.1/24 dev to-$host" \
			"address add fd98:$i::1/64 dev to-$host nodad" \
			"link set to-$host addrgenmode eui64" \
			"link set to-$host up"
	done | ip -n "$TAG-r" -batch -
	wait_links r
	for host; do
		link_condition "$host" eth0
		link_condition r "to-$host"
	done
}

# net_behind HOST: host nN (N as in cN, 0 for s) on a network behind HOST,
# 10.50.N.0/24 and fd50:N::/64, with addresses ending in 2; HOST forwards.
net_behind()
{
	local i

	i=$(index_of "$1")
	new_hosts "n$i"
	ip link add eth1 netns "$TAG-$1" type veth \
		peer name eth0 netns "$TAG-n$i"
	ip -n "$TAG-$1" -batch - <<-EOF
		address add 10.50.$i.1/24 dev eth1
		address add fd50:$i::1/64 dev eth1 nodad
		link set eth1 addrgenmode eui64
		link set eth1 up
	EOF
	ip -n "$TAG-n$i" -batch - <<-EOF
		link set lo up
		address add 10.50.$i.2/24 dev eth0
		address add fd50:$i::2/64 dev eth0 nodad
		link set eth0 addrgenmode eui64
		link set eth0 up
		route add 0.0.0.0/0 via 10.50.$i.1
		route add ::/0 via fd50:$i::1
	EOF
	forwarding "$1"
	wait_links "n$i"
	link_condition "$1" eth1
	link_condition "n$i" eth0
}

forwarding()
{
	# shellcheck disable=SC2016
	on "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# --- keys and certificates ---------------------------------------------------

pki_cert()
{
	local name=$1 usage=$2

	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -keyout "$name.key" -subj "/CN=$name" -out "$name.csr"
	printf '%s\n' "basicConstraints=CA:FALSE" "extendedKeyUsage=$usage" \
		"keyUsage=digitalSignature" >"$name.ext"
	openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key \
		-set_serial "0x$(openssl rand -hex 8)" -days 3650 \
		-extfile "$name.ext" -out "$name.crt"
}

pki_make()
{
	local host

	cd "$1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -keyout ca.key -subj "/CN=interop CA" -days 3650 -out ca.crt
	pki_cert s serverAuth
	for host in c1 c2 c3 c4; do
		pki_cert "$host" clientAuth
	done
}

# Made once and kept in /run, that is until the next boot.
pki()
{
	local new=$PKI.$$

	[ ! -e "$PKI/ca.crt" ] || return 0
	rm -rf "$new"
	mkdir -m 700 "$new"
	if ! (pki_make "$new") >"$RUN/pki.log" 2>&1; then
		sed 's/^/# /' "$RUN/pki.log"
		rm -rf "$new"
		bail "cannot make certificates"
	fi
	# Another script may have been faster.
	mv -T "$new" "$PKI" 2>/dev/null || rm -rf "$new"
}

# --- OpenVPN -----------------------------------------------------------------

# version_at HOST VERSION
version_at()
{
	VERSIONS[$1]=$2
}

version_of()
{
	echo "${VERSIONS[$1]:-$OPENVPN}"
}

# The command that is that OpenVPN.
openvpn_command()
{
	case $1 in
	2.6) echo openvpn ;;
	*) echo "openvpn-$1" ;;
	esac
}

# The kind of its devices, which is the driver's name.
kind_of()
{
	case $(version_of "$1") in
	2.6) echo ovpn-dco ;;
	*) echo ovpn ;;
	esac
}

common_conf()
{
	printf '%s\n' "dev tun0" "dev-type tun" "tun-mtu 1420" "verb 4" \
		"ca $PKI/ca.crt" "cert $PKI/$1.crt" "key $PKI/$1.key" \
		"data-ciphers AES-256-GCM"
	[ -z "$NO_DCO" ] || echo disable-dco
	device_condition
}

is_tcp()
{
	[[ $PROTO == tcp* ]]
}

# what nftables calls it
transport()
{
	echo "${PROTO%[46]}"
}

# The option's argument for the end that listens, and for the one that connects.
listening_proto()
{
	if is_tcp; then echo "$PROTO-server"; else echo "$PROTO"; fi
}

connecting_proto()
{
	if is_tcp; then echo "$PROTO-client"; else echo "$PROTO"; fi
}

# server_conf LINE...: host s as a server, and more lines, which override what
# is here.
server_conf()
{
	local i

	mkdir -p "$WORK/ccd"
	for i in 1 2 3 4; do
		printf '%s\n' "ifconfig-push $(inner4 "c$i") 255.255.255.0" \
			"ifconfig-ipv6-push $(inner6 "c$i")/64 $(inner6 s)" \
			>>"$WORK/ccd/c$i"
	done
	{
		common_conf s
		printf '%s\n' "topology subnet" "server 10.8.0.0 255.255.255.0" \
			"server-ipv6 fd00:8::/64" "client-config-dir $WORK/ccd" \
			"dh none" "port $PORT" "proto $(listening_proto)" "$@"
	} >"$WORK/s.conf"
}

# client_conf NAME LINE...: as a client of s, or of the address in REMOTE
client_conf()
{
	local name=$1

	shift
	{
		common_conf "$name"
		printf '%s\n' client nobind \
			"remote ${REMOTE:-$(outer s)} $PORT $(connecting_proto)" \
			"remote-cert-tls server" "connect-retry 1 1" \
			"server-poll-timeout 5" "$@"
	} >"$WORK/$name.conf"
}

# p2p_conf LINE...: s and c1 as the two ends of point-to-point TLS mode, c1 as
# the one that connects.
p2p_conf()
{
	{
		common_conf s
		printf '%s\n' "ifconfig $(inner4 s) $(inner4 c1)" \
			"ifconfig-ipv6 $(inner6 s)/64 $(inner6 c1)" \
			tls-server "dh none" "port $PORT" \
			"proto $(listening_proto)" "$@"
	} >"$WORK/s.conf"
	{
		common_conf c1
		printf '%s\n' "ifconfig $(inner4 c1) $(inner4 s)" \
			"ifconfig-ipv6 $(inner6 c1)/64 $(inner6 s)" \
			tls-client nobind "remote $(outer s) $PORT $(connecting_proto)" \
			"remote-cert-tls server" "connect-retry 1 1" "$@"
	} >"$WORK/c1.conf"
}

# start NAME: OpenVPN of that host, with the configuration written before.
start()
{
	local name=$1

	[ ! -e "$WORK/$name.log" ] || log_mark "$name"
	# Not by way of on(): $! has to be OpenVPN itself.
	nsenter --net="/run/netns/$TAG-$name" \
		"$(openvpn_command "$(version_of "$name")")" --cd "$WORK" \
		--config "$name.conf" </dev/null >>"$WORK/$name.log" 2>&1 &
	echo $! >"$WORK/$name.pid"
}

pid_of()
{
	echo "$(<"$WORK/$1.pid")"
}

running()
{
	kill -0 "$(pid_of "$1")" 2>/dev/null
}

gone()
{
	! running "$1"
}

send_signal()
{
	kill -s "$2" "$(pid_of "$1")"
}

# stop NAME [SIGNAL]
stop()
{
	local pid

	pid=$(pid_of "$1")
	send_signal "$1" "${2:-TERM}"
	within 20 gone "$1" || fail "$1: still runs 20 s after SIG${2:-TERM}"
	wait "$pid" 2>/dev/null || true
}

# OpenVPN adds the peer first and its keys when they have been agreed on. On a
# slow machine a ping of the other end, which was faster, comes in between, or
# while the peer is being added.
wait_up()
{
	local name

	for name; do
		wait_log "$name" 'Initialization Sequence Completed' 60
		early "$name"
	done
}

# Packets for keys and peers that a host did not have up to now do not count:
# early HOST
early()
{
	local name value

	while read -r name value; do
		case $name in
		rx_drop_unknown_*) EARLY[$1 $name]=$value ;;
		esac
	done < <(on "$1" ethtool -S tun0 2>/dev/null)
}

# How often 2.6 is to renegotiate where a case waits for that, in seconds. It uses the
# new key after half of that, whether the other end has got so far or not: a handshake
# has to take less, also on a machine that is busy with other tests.
reneg_seconds()
{
	echo $((PATIENCE > 2 ? 40 : 4 + 6 * PATIENCE))
}

# A line for a server that has OpenVPN look after its clients now and then, where no
# packet passes through it that would: a look at their byte counters. That one of
# them has sent nothing but pings is reason for 2.7 to throw it out, nothing at all,
# as while keys change, for 2.6: waking SECONDS
waking()
{
	case $(version_of s) in
	2.6) echo "inactive $1 1" ;;
	*) echo "inactive 3600 1" ;;
	esac
}

# connect NAME...: start the server and these clients, until all are connected,
# each with DCO
#
# A server may take longer to make a client's first keys than the client takes to
# make them and to use them.
connect()
{
	local name

	start s
	wait_up s
	for name; do
		start "$name"
	done
	wait_up "$@"
	for name; do
		wait_log s "$name/.*Data Channel: cipher"
	done
	early s
	dco s "$@"
}

# network "NAME..." LINE...: the hosts, a server with these lines and these
# clients with CLIENT_LINES, all connected
network()
{
	local name
	local -a clients

	read -ra clients <<<"$1"
	shift
	hosts s "${clients[@]}"
	server_conf "$@"
	for name in "${clients[@]}"; do
		client_conf "$name" "${CLIENT_LINES[@]}"
	done
	connect "${clients[@]}"
}

# --- what was observed -------------------------------------------------------

# drops and events of the device: counter HOST NAME
counter()
{
	local name value

	while read -r name value; do
		if [ "$name" = "$2:" ]; then
			echo "$value"
			return
		fi
	done < <(on "$1" ethtool -S tun0)
	fail "$1: ethtool -S tun0 has no counter $2"
}

# Do our counters exist?
counted()
{
	[ -z "$NO_DCO$IN_TREE" ]
}

# expect_counter HOST NAME VALUE
expect_counter()
{
	local value

	counted || return 0
	value=$(counter "$1" "$2")
	[ "$value" -eq "$3" ] || fail "$1: $2 is $value, expected $3"
}

counter_at_least()
{
	[ "$(counter "$1" "$2")" -ge "$3" ]
}

counter_is()
{
	[ "$(counter "$1" "$2")" -eq "$3" ]
}

# wait_peers HOST NUMBER [SECONDS]
wait_peers()
{
	counted || return 0
	within "${3:-5}" counter_is "$1" peers "$2" ||
		fail "$1: has $(counter "$1" peers) peers, expected $2"
}

# wait_counter HOST NAME MINIMUM [SECONDS]
wait_counter()
{
	counted || return 0
	within "${4:-5}" counter_at_least "$1" "$2" "$3" ||
		fail "$1: $2 is $(counter "$1" "$2"), expected $3 or more"
}

# packets that a named nftables counter saw: nft_packets HOST TABLE COUNTER
nft_packets()
{
	nft_counted "$@" packets
}

# Their bytes, which tell more of a transfer: many datagrams may pass as one packet.
nft_bytes()
{
	nft_counted "$@" bytes
}

nft_counted()
{
	on "$1" nft list counter inet "$2" "$3" |
		awk -v what="$4" '{ for (i = 1; i < NF; i++) if ($i == what) print $(i + 1) }'
}

# dco HOST...: each uses our module, says so, and its device is there.
dco()
{
	local host kind version

	[ -z "$NO_DCO" ] || return 0
	for host; do
		kind=$(kind_of "$host")
		# OpenVPN 2.7 looks for a module of another name, which the
		# kernel's own is, once it is loaded.
		version=N/A
		[ -z "$IN_TREE" ] || version=
		[ "$kind" != ovpn-dco ] || version=$(<"$VERSION_FILE")
		[ -n "$(log_matches "$host" 0 "DCO version: ${version//./\\.}")" ] ||
			fail "$host: no 'DCO version: $version' in its log"
		[ -n "$(log_matches "$host" 0 'DCO device tun0 (opened|already exists)')" ] ||
			fail "$host: no 'DCO device tun0 opened' in its log"
		[[ $(ip -n "$TAG-$host" -d -o link show type "$kind") =~ \
			^[0-9]+:\ tun0:\ .*\ $kind(\ |$) ]] ||
			fail "$host: tun0 is not listed as $kind device"
		# Others may have a device of that kind, but not its counters.
		[ -n "$IN_TREE" ] || counter "$host" peers >/dev/null
		! under flags-off || flags_are_off "$host" || fail "$host: its flags are not off"
		! under held || holds "$host" || fail "$host: it holds no packets"
		! has_tun_fd "$host" || fail "$host: OpenVPN has /dev/net/tun open"
	done
}

flags_are_off()
{
	[[ $(on "$1" ethtool --show-priv-flags tun0) =~ udp-gro\ *:\ off ]]
}

holds()
{
	on "$1" ethtool -c tun0 | grep -q '^tx-usecs:.*1000'
}

has_tun_fd()
{
	local fd

	for fd in "/proc/$(pid_of "$1")/fd"/*; do
		[[ ! $fd -ef /dev/net/tun ]] || return 0
	done
	return 1
}

no_device()
{
	! ip -n "$TAG-$1" link show dev tun0 >/dev/null 2>&1
}

# The device of a host whose OpenVPN has gone goes with it, at once.
device_vanishes()
{
	within 1 no_device "$1" || fail "tun0 of $1 outlived its OpenVPN"
}

# not_dco HOST...: each carries its data in userspace.
not_dco()
{
	local host

	for host; do
		has_tun_fd "$host" ||
			fail "$host: OpenVPN does not have /dev/net/tun open"
		! log_has "$host" 'DCO device' ||
			fail "$host: has a DCO device, expected none"
	done
}

# status_value FIELD: out of the status in LOGGED
status_value()
{
	local line

	for line in "${LOGGED[@]}"; do
		line=${line%$'\n'}
		[[ $line != *"$1,"* ]] || echo "${line##*"$1",}"
	done
}

# What a client's kernel counted as VPN payload (GET_PEER, by way of OpenVPN)
# is at least BYTES each way, and userspace read none of it but what may arrive
# before the kernel is told of the peer: kernel_only CLIENT BYTES
kernel_only()
{
	local field value

	[ -z "$NO_DCO" ] || return 0
	log_mark "$1"
	send_signal "$1" USR2
	wait_log "$1" '(^|[^A-Z])END$'
	log_read "$1" "$(<"$WORK/$1.mark")"
	value=$(status_value "Auth read bytes")
	[ "$value" -lt $(($2 / 1000)) ] ||
		fail "$1: userspace read $value bytes of data"
	for field in "TUN/TAP read bytes" "TUN/TAP write bytes"; do
		value=$(status_value "$field")
		[ "$value" -ge "$2" ] || fail "$1: $field $value, expected $2"
	done
}

# Nothing was dropped: no_drops HOST...
#
# Multicast of the stack itself (MLD reports on the tunnel) goes nowhere on a
# server: it has no peer with that address, and from a client it fails the
# reverse-path check, or comes before the first key. What was there before a host
# was up does not count. What comes twice has to be dropped once.
no_drops()
{
	local host name value allowed=tx_drop_no_peer

	counted || return 0
	! under netem || allowed=rx_drop_replay
	for host; do
		while read -r name value; do
			case $name in
			tx_drop_no_peer: | tx_drop_no_key: | rx_drop_rpf: | "$allowed:") ;;
			rx_drop_unknown_*)
				[ "$value" -le "${EARLY[$host $name]:-0}" ] || fail "$host: $name $value" ;;
			*_drop_*) [ "$value" -eq 0 ] || fail "$host: $name $value" ;;
			esac
		done < <(on "$host" ethtool -S tun0)
	done
}

# --- traffic -----------------------------------------------------------------

# ping_all HOST ADDRESS [COUNT [OPTIONS]]: every reply must arrive, once; where
# packets get lost on purpose, one time out of a few
#
# For the last ones ping waits twice as long as for the slowest so far, or as
# long as between two packets if that is longer: all at once and the default of
# a second between them keep it from giving up too early. Its own choice of a send
# buffer holds two packets, and it pauses for a second when that is full.
ping_all()
{
	local host=$1 address=$2 count=${3:-5} tries=1 out

	! under netem || tries=5
	shift $(($# > 2 ? 3 : 2))
	until out=$(on "$host" ping -n -q -W 5 -S 200000 \
			-c "$count" -l "$count" "$@" "$address" 2>&1) &&
	      [[ $out == *", 0% packet loss"* ]]; do
		echo "$out"
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "$host: ping $* $address lost packets"
	done
	[[ $out != *duplicates* ]] || fail "$host: ping $* $address had answers twice: $out"
}

# A ping every $PING_EVERY s, until ping_stop. With that many replies on record, a lost
# one is a gap in the numbers; what was under way when ping was stopped is
# behind the last number and does not count: ping_start HOST ADDRESS [INTERVAL]
ping_start()
{
	nsenter --net="/run/netns/$TAG-$1" \
		ping -n -i "${3:-$PING_EVERY}" "$2" >"$WORK/ping-$1" 2>&1 &
	echo $! >"$WORK/ping-$1.pid"
}

ping_stop()
{
	kill -INT "$(<"$WORK/ping-$1.pid")"
	wait "$(<"$WORK/ping-$1.pid")" || true
}

# ping_gapless HOST MINIMUM: of as many pings as there are in MINIMUM times 10 ms
#
# Where packets get lost on purpose, one in ten may be missing.
ping_gapless()
{
	local lossy=0

	if under netem && ! is_tcp; then lossy=0.1; fi
	sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' "$WORK/ping-$1" |
		awk -v least="$2" -v every="$PING_EVERY" -v lossy="$lossy" '
			seen[$1]++ { print "twice:", $1; bad = 1 }
			$1 > last { last = $1 }
			END {
				for (i = 1; i <= last; i++)
					if (!(i in seen)) {
						print "lost:", i
						lost++
					}
				if (lost > last * lossy)
					bad = 1
				if (last < least * 0.01 / every) {
					print "only", last, "packets"
					bad = 1
				}
				exit bad
			}' || fail "the pings of $1 are not gapless"
}

ping_once()
{
	on "$1" ping -n -q -c 1 -W 1 "${@:3}" "$2" >/dev/null 2>&1
}

# within, spelled for a tunnel that is to come back
ping_returns()
{
	within "$3" ping_once "$1" "$2" ||
		fail "$1: no answer from $2 within $3 s"
}

# no answer to any of three
ping_none()
{
	local host=$1 address=$2 out

	shift 2
	out=$(on "$host" ping -n -q -c 3 -i 0.2 -W 1 "$@" "$address" 2>&1) || true
	if ! [[ $out == *" 0 received"* ]]; then
		echo "$out"
		fail "$host: ping $* $address was answered"
	fi
}

# transfer FROM TO ADDRESS-OF-TO BYTES [STALL]: that many checked bytes both
# ways, at no time STALL seconds without progress
transfer()
{
	local bytes=$4 limit=$((60 * PATIENCE)) stall=$((${5:-30} * PATIENCE))
	local listener rc=0

	nsenter --net="/run/netns/$TAG-$2" \
		"$HERE/xfer" listen 5001 "$bytes" "$limit" "$stall" &
	listener=$!
	on "$1" "$HERE/xfer" connect "$3" 5001 "$bytes" "$limit" "$stall" || rc=$?
	[ "$rc" -eq 0 ] || kill "$listener" 2>/dev/null || true
	wait "$listener" || rc=$?
	[ "$rc" -eq 0 ] || fail "transfer from $1 to $2 ($3) broke"
}

# keep_busy FROM TO: data both ways without end; returns when it flows
keep_busy()
{
	nsenter --net="/run/netns/$TAG-$2" \
		"$HERE/xfer" listen 5002 1000000000000 3600 3600 &
	BUSY=($!)
	nsenter --net="/run/netns/$TAG-$1" \
		"$HERE/xfer" connect "$(inner4 "$2")" 5002 1000000000000 3600 3600 &
	BUSY+=($!)
	within 20 device_received "$1" $(($(device_bytes "$1") + 200000)) ||
		fail "no data flows from $2 to $1"
}

# The end of what keeps it busy, if something does.
calm_down()
{
	[ ${#BUSY[@]} -gt 0 ] || return 0
	kill -s KILL "${BUSY[@]}" 2>/dev/null || true
	wait "${BUSY[@]}" 2>/dev/null || true
	BUSY=()
}

device_bytes()
{
	local name bytes rest

	while read -r name bytes rest; do
		[ "$name" != tun0: ] || echo "$bytes"
	done < <(on "$1" cat /proc/net/dev)
}

device_received()
{
	local bytes

	bytes=$(device_bytes "$1")
	[ "${bytes:-0}" -ge "$2" ]
}

# traffic A B: ping and data between two VPN hosts, both families, both ways
traffic()
{
	ping_all "$1" "$(inner4 "$2")"
	ping_all "$2" "$(inner4 "$1")"
	ping_all "$1" "$(inner6 "$2")"
	ping_all "$2" "$(inner6 "$1")"
	# Each moves as much in the other direction, too.
	transfer "$1" "$2" "$(inner4 "$2")" 1000000
	transfer "$2" "$1" "$(inner6 "$1")" 1000000
}

# brief A B: the same in small, for scenarios that are about something else
brief()
{
	ping_all "$1" "$(inner4 "$2")" 3
	ping_all "$2" "$(inner6 "$1")" 3
	transfer "$1" "$2" "$(inner4 "$2")" 200000
}

# --- the frame ---------------------------------------------------------------

# The hosts of a case, or of all of them, and what runs there.
kill_hosts()
{
	local tag=$1 pid
	local -a names

	mapfile -t names < <(cd /run/netns 2>/dev/null && ls -d -- "$tag"-* 2>/dev/null)
	[ ${#names[@]} -gt 0 ] || return 0
	for pid in $(printf 'netns pids %s\n' "${names[@]}" | ip -force -batch -); do
		kill -s KILL "$pid" 2>/dev/null || true
	done
	printf 'netns delete %s\n' "${names[@]}" | ip -force -batch - || true
}

cleanup()
{
	local pid

	trap '' HUP INT TERM
	for pid in "${!CASES[@]}"; do
		kill -s KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	kill_hosts "$BASE"
	[ -z "$RUN" ] || rm -rf "$RUN"
}

bail()
{
	echo "Bail out! $*"
	exit 1
}

skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit 4
}

# Without DCO these scripts exercise their own plumbing and nothing else. That
# is of use to who writes them where the module cannot be loaded, so it is
# refused where it can, and no case counts as passed.
no_dco_guard()
{
	if [ -e "$VERSION_FILE" ] || modprobe -q -n ovpn-dco-v2; then
		bail "OVPN_TEST_NO_DCO is set, but the module is here"
	fi
	modprobe -q tun || true
}

preconditions()
{
	local tool version command

	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
	for tool in openssl ip nft ethtool ping nsenter; do
		command -v "$tool" >/dev/null || skip_all "needs $tool"
	done
	for version in "$OPENVPN" ${NEEDS:-}; do
		command=$(openvpn_command "$version")
		command -v "$command" >/dev/null ||
			skip_all "needs $command"
		[[ $("$command" --version || true) == "OpenVPN $version."*"[DCO]"* ]] ||
			skip_all "needs OpenVPN $version with DCO"
	done
	[ -x "$HERE/xfer" ] || bail "xfer is not here: make -C tests/interop"
	if [ -n "$NO_DCO" ]; then
		no_dco_guard
	elif [ -z "$BRINGS_MODULE" ] && ! [ -e "$VERSION_FILE" ] && ! modprobe ovpn-dco-v2; then
		bail "the module ovpn-dco-v2 cannot be loaded"
	fi
}

# scenario NAME FUNCTION [ARGUMENT...]
scenario()
{
	local run

	NAMES+=("$1")
	shift
	printf -v run '%q ' "$@"
	RUNS+=("$run")
}

# scenario_over "PROTO..." NAME FUNCTION [ARGUMENT...]: one for each of these
scenario_over()
{
	local protos=$1 name=$2 proto

	shift 2
	if [ -n "${OVPN_TEST_PROTOS:-}" ]; then
		protos=$(same_transports "$protos")
	elif [ "$protos" = "$EACH" ] && [ ${#TURNS[@]} -gt 0 ]; then
		protos=${TURNS[${#NAMES[@]} % 2]}
	fi
	for proto in $protos; do
		scenario "$name over $proto" over "$proto" "$@"
	done
}

over()
{
	PROTO=$1
	shift
	"$@"
}

# Those of OVPN_TEST_PROTOS that are UDP if one of these is, and TCP likewise.
same_transports()
{
	local proto

	for proto in $OVPN_TEST_PROTOS; do
		[[ $1 != *"${proto%[46]}"* ]] || echo "$proto"
	done
}

show_logs()
{
	local host log

	sed 's/^/# /' "$WORK/out"
	for host in s c1 c2 c3 c4; do
		on "$host" ethtool -S tun0 2>/dev/null |
			awk -v host="$host" '$2 ~ /^[1-9]/ { text = text " " $1 " " $2 }
				END { if (text) print "# counters of " host ":" text }'
	done
	for log in "$WORK"/*.log; do
		[ -e "$log" ] || continue
		diag "--- ${log##*/}, last lines:"
		tail -n "${OVPN_TEST_LOG_LINES:-40}" "$log" | sed 's/^/#   /'
	done
}

# In the background, so that a signal is handled at once, and so that set -e
# holds inside.
start_case()
{
	local number=$1

	mkdir "$RUN/$number"
	(
		trap - EXIT
		trap 'echo "stopped at line ${BASH_LINENO[0]}: $BASH_COMMAND"' ERR
		set -eE
		WORK=$RUN/$number
		TAG=$BASE-$number
		eval "${RUNS[number - 1]}"
	) >"$RUN/$number/out" 2>&1 &
	CASES[$!]=$number
	BEGAN[number]=$SECONDS
}

# report NUMBER STATUS
report()
{
	local number=$1 name=${NAMES[$1 - 1]} WORK=$RUN/$1

	REPORTED=$((REPORTED + 1))
	if [ "$2" -ne 0 ]; then
		FAILED=$((FAILED + 1))
		echo "not ok $REPORTED - $name"
		TAG=$BASE-$number show_logs
		# Behind all the logs, where it is found.
		diag "$(grep '^FAILED\|^stopped at' "$WORK/out")"
	elif [ -n "$NO_DCO" ]; then
		SKIPPED=$((SKIPPED + 1))
		echo "ok $REPORTED - $name # SKIP went well without DCO"
	else
		PASSED=$((PASSED + 1))
		echo "ok $REPORTED - $name"
	fi
	diag "took $((SECONDS - BEGAN[number])) s"
	kill_hosts "$BASE-$number"
	rm -rf "$WORK"
}

# Wait for any of the cases that run.
finish_case()
{
	local pid status=0

	wait -n -p pid "${!CASES[@]}" || status=$?
	report "${CASES[pid]}" "$status"
	unset "CASES[pid]"
}

run_scenarios()
{
	local number

	preconditions
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	RUN=$(mktemp -d)
	mkfifo "$RUN/never"
	exec {NEVER}<>"$RUN/never"
	pki
	echo "TAP version 13"
	echo "1..${#NAMES[@]}"
	for number in $(seq ${#NAMES[@]}); do
		start_case "$number"
		[ ${#CASES[@]} -lt "$SIDE_BY_SIDE" ] || finish_case
	done
	while [ ${#CASES[@]} -gt 0 ]; do
		finish_case
	done
	[ "$FAILED" -eq 0 ] || exit 1
	[ "$PASSED" -gt 0 ] || exit 4
	exit 0
}
