# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the interop scenarios share: hosts that are network namespaces, a CA,
# configurations, starting and stopping the real OpenVPN, waiting, assertions.
#
# A script sources this, declares its cases with `scenario NAME FUNCTION...`
# and ends with `run_scenarios`. Each case runs in a subshell with hosts of its
# own, so one that fails leaves nothing behind for the next; what it prints is
# shown, with the ends of all OpenVPN logs, only if it fails.
#
# The hosts hang on a router, each with a network of its own:
#
#	host	index	outer address		VPN address
#	s	0	198.18.0.2   fd98::0:2	10.8.0.1    fd00:8::1
#	cN	N	198.18.N.2   fd98::N:2	10.8.0.1N   fd00:8::1N
#	r		198.18.*.1   fd98::*:1

set -eu

LC_ALL=C
export LC_ALL

HERE=$PWD
TAG=ovi$$
WORK=
PKI=/run/ovpn-dco-interop-pki
PORT=1194
MODULE=ovpn_dco_v2
VERSION_FILE=/sys/module/$MODULE/version

# Development only: see no_dco_guard.
NO_DCO=${OVPN_TEST_NO_DCO:-}

NAMES=()
RUNS=()
CASE_PID=
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

# within SECONDS COMMAND...: until it succeeds, or fail.
within()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))

	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# Only what was logged since `log_mark NAME` counts.
log_mark()
{
	wc -l <"$WORK/$1.log" >"$WORK/$1.mark"
}

log_since()
{
	local from=0

	[ ! -e "$WORK/$1.mark" ] || from=$(<"$WORK/$1.mark")
	[ ! -e "$WORK/$1.log" ] || tail -n +$((from + 1)) "$WORK/$1.log"
}

log_count()
{
	log_since "$1" | grep -cE -- "$2" || true
}

log_has()
{
	log_since "$1" | grep -E -- "$2" >/dev/null
}

# wait_log NAME PATTERN [SECONDS]
wait_log()
{
	within "${3:-30}" log_has "$1" "$2" ||
		fail "$1: no '$2' in its log within ${3:-30} s"
}

# --- hosts -------------------------------------------------------------------

ns()
{
	echo "$TAG-$1"
}

on()
{
	local host=$1

	shift
	ip netns exec "$TAG-$host" "$@"
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

new_host()
{
	ip netns add "$TAG-$1"
	on "$1" sh -c '
		cd /proc/sys/net/ipv6/conf
		echo 0 >default/accept_dad
		echo 0 >default/accept_ra
		ip link set lo up'
}

# Tunnel devices, which come later than all else, get no link-local address: it
# would only bring router solicitations, which show up in the counters. The
# outer links need theirs, to ask for neighbours.
quiet_tunnel()
{
	on "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode'
}

link_up()
{
	[[ $(ip -n "$TAG-$1" -br link show dev "$2") == *" UP "* ]]
}

# hosts NAME...: the router and these, each on a link of its own to the router.
hosts()
{
	local host i

	new_host r
	forwarding r
	for host; do
		i=$(index_of "$host")
		new_host "$host"
		ip link add "to-$host" netns "$TAG-r" type veth \
			peer name eth0 netns "$TAG-$host"
		ip -n "$TAG-r" -batch - <<-EOF
			address add 198.18.$i.1/24 dev to-$host
			address add fd98:$i::1/64 dev to-$host nodad
			link set to-$host up
		EOF
		ip -n "$TAG-$host" -batch - <<-EOF
			address add 198.18.$i.2/24 dev eth0
			address add fd98:$i::2/64 dev eth0 nodad
			link set eth0 up
			route add 0.0.0.0/0 via 198.18.$i.1
			route add ::/0 via fd98:$i::1
		EOF
		quiet_tunnel "$host"
	done
	for host; do
		within 10 link_up "$host" eth0 ||
			fail "the link of $host does not come up"
		within 10 link_up r "to-$host" ||
			fail "the link to $host does not come up"
	done
}

# net_behind HOST: host nN (N as in cN, 0 for s) on a network behind HOST,
# 10.50.N.0/24 and fd50:N::/64, with addresses ending in 2; HOST forwards.
net_behind()
{
	local i

	i=$(index_of "$1")
	new_host "n$i"
	on "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/addr_gen_mode'
	ip link add eth1 netns "$TAG-$1" type veth \
		peer name eth0 netns "$TAG-n$i"
	quiet_tunnel "$1"
	ip -n "$TAG-$1" -batch - <<-EOF
		address add 10.50.$i.1/24 dev eth1
		address add fd50:$i::1/64 dev eth1 nodad
		link set eth1 up
	EOF
	ip -n "$TAG-n$i" -batch - <<-EOF
		address add 10.50.$i.2/24 dev eth0
		address add fd50:$i::2/64 dev eth0 nodad
		link set eth0 up
		route add 0.0.0.0/0 via 10.50.$i.1
		route add ::/0 via fd50:$i::1
	EOF
	forwarding "$1"
	within 10 link_up "$1" eth1 ||
		fail "the link to the network behind $1 does not come up"
	within 10 link_up "n$i" eth0 ||
		fail "the link of n$i does not come up"
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
	for host in c1 c2 c3; do
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
	if ! (pki_make "$new") >"$WORK/pki.log" 2>&1; then
		sed 's/^/# /' "$WORK/pki.log"
		rm -rf "$new"
		bail "cannot make certificates"
	fi
	# Another script may have been faster.
	mv -T "$new" "$PKI" 2>/dev/null || rm -rf "$new"
}

# --- OpenVPN -----------------------------------------------------------------

common_conf()
{
	cat <<-EOF
		dev tun0
		dev-type tun
		tun-mtu 1420
		verb 4
		ca $PKI/ca.crt
		cert $PKI/$1.crt
		key $PKI/$1.key
		data-ciphers AES-256-GCM
	EOF
	[ -z "$NO_DCO" ] || echo disable-dco
}

# server_conf LINE...: host s as a server, more lines, and last what
# overrides them.
server_conf()
{
	local i

	mkdir -p "$WORK/ccd"
	for i in 1 2 3; do
		cat >>"$WORK/ccd/c$i" <<-EOF
			ifconfig-push $(inner4 "c$i") 255.255.255.0
			ifconfig-ipv6-push $(inner6 "c$i")/64 $(inner6 s)
		EOF
	done
	{
		common_conf s
		printf '%s\n' "topology subnet" "server 10.8.0.0 255.255.255.0" \
			"server-ipv6 fd00:8::/64" "client-config-dir $WORK/ccd" \
			"dh none" "port $PORT" "$@"
	} >"$WORK/s.conf"
}

# client_conf NAME REMOTE PROTO LINE...
client_conf()
{
	local name=$1 remote=$2 proto=$3

	shift 3
	{
		common_conf "$name"
		printf '%s\n' client nobind "remote $remote $PORT $proto" \
			"remote-cert-tls server" "connect-retry 1 1" \
			"server-poll-timeout 5" "$@"
	} >"$WORK/$name.conf"
}

# p2p_conf: s and c1 as the two ends of point-to-point TLS mode.
# p2p_conf NAME OTHER LINE...
p2p_conf()
{
	local name=$1 other=$2

	shift 2
	{
		common_conf "$name"
		printf '%s\n' "ifconfig $(inner4 "$name") $(inner4 "$other")" \
			"ifconfig-ipv6 $(inner6 "$name")/64 $(inner6 "$other")" "$@"
	} >"$WORK/$name.conf"
}

# start NAME: OpenVPN of that host, with the configuration written before.
start()
{
	local name=$1

	[ ! -e "$WORK/$name.log" ] || log_mark "$name"
	# Not by way of on(): $! has to be OpenVPN itself.
	ip netns exec "$TAG-$name" openvpn --cd "$WORK" \
		--config "$name.conf" </dev/null >>"$WORK/$name.log" 2>&1 &
	echo $! >"$WORK/$name.pid"
}

pid_of()
{
	cat "$WORK/$1.pid"
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

wait_up()
{
	local name

	for name; do
		wait_log "$name" 'Initialization Sequence Completed' 60
	done
}

# start_server, then start_clients NAME...: wait until each is connected.
start_server()
{
	start s
	wait_up s
}

start_clients()
{
	local name

	for name; do
		start "$name"
	done
	wait_up "$@"
}

# --- what was observed -------------------------------------------------------

# drops and events of the device: counter HOST NAME
counter()
{
	local value

	value=$(on "$1" ethtool -S tun0 |
		awk -v name="$2:" '$1 == name { print $2 }')
	[ -n "$value" ] || fail "$1: ethtool -S tun0 has no counter $2"
	echo "$value"
}

# expect_counter HOST NAME VALUE
expect_counter()
{
	local value

	[ -z "$NO_DCO" ] || return 0
	value=$(counter "$1" "$2")
	[ "$value" -eq "$3" ] || fail "$1: $2 is $value, expected $3"
}

counter_at_least()
{
	[ "$(counter "$1" "$2")" -ge "$3" ]
}

# wait_counter HOST NAME MINIMUM [SECONDS]
wait_counter()
{
	[ -z "$NO_DCO" ] || return 0
	within "${4:-5}" counter_at_least "$1" "$2" "$3" ||
		fail "$1: $2 is $(counter "$1" "$2"), expected $3 or more"
}

# packets that a named nftables counter saw: nft_packets HOST TABLE COUNTER
nft_packets()
{
	on "$1" nft list counter inet "$2" "$3" |
		awk '{ for (i = 1; i < NF; i++) if ($i == "packets") print $(i + 1) }'
}

# dco HOST...: each uses our module, says so, and its device is there.
dco()
{
	local host version

	[ -z "$NO_DCO" ] || return 0
	version=$(<"$VERSION_FILE")
	for host; do
		grep -F "DCO version: $version" "$WORK/$host.log" >/dev/null ||
			fail "$host: no 'DCO version: $version' in its log"
		grep -E 'DCO device tun0 (opened|already exists)' "$WORK/$host.log" >/dev/null ||
			fail "$host: no 'DCO device tun0 opened' in its log"
		ip -n "$TAG-$host" -d -o link show type ovpn-dco |
			grep -E '^[0-9]+: tun0: .* ovpn-dco( |$)' >/dev/null ||
			fail "$host: tun0 is not listed as ovpn-dco device"
		on "$host" ethtool -i tun0 | grep -x 'driver: ovpn-dco' >/dev/null ||
			fail "$host: ethtool -i tun0 does not say ovpn-dco"
		! has_tun_fd "$host" || fail "$host: OpenVPN has /dev/net/tun open"
	done
}

has_tun_fd()
{
	find "/proc/$(pid_of "$1")/fd" -lname /dev/net/tun | grep . >/dev/null
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

# A field of the status that a client logs on SIGUSR2.
client_status()
{
	log_mark "$1"
	send_signal "$1" USR2
	wait_log "$1" '(^|[^A-Z])END$'
	log_since "$1" | awk -v name="$2," '
		{ at = index($0, name) }
		at { value = substr($0, at + length(name)) }
		END { print value }'
}

# What a client's kernel counted as VPN payload (GET_PEER, by way of OpenVPN)
# is at least BYTES each way, and userspace read none of it but what may arrive
# before the kernel is told of the peer: kernel_only CLIENT BYTES
kernel_only()
{
	local field value

	[ -z "$NO_DCO" ] || return 0
	value=$(client_status "$1" "Auth read bytes")
	[ "$value" -lt $(($2 / 1000)) ] ||
		fail "$1: userspace read $value bytes of data"
	for field in "TUN/TAP read bytes" "TUN/TAP write bytes"; do
		value=$(client_status "$1" "$field")
		[ "$value" -ge "$2" ] || fail "$1: $field $value, expected $2"
	done
}

# Nothing was dropped, but for the named counters: no_drops HOST [COUNTER...]
#
# Multicast of the stack itself (MLD reports on the tunnel) goes nowhere on a
# server: it has no peer with that address, and from a client it fails the
# reverse-path check, or comes before the first key.
no_drops()
{
	local host=$1 name value

	shift
	[ -z "$NO_DCO" ] || return 0
	while read -r name value; do
		case " tx_drop_no_peer: tx_drop_no_key: rx_drop_rpf: $* " in
		*" $name "*) continue ;;
		esac
		case $name in
		*_drop_*) [ "$value" -eq 0 ] || fail "$host: $name $value" ;;
		esac
	done < <(on "$host" ethtool -S tun0)
}

# --- traffic -----------------------------------------------------------------

# ping_all HOST ADDRESS [OPTIONS]: every reply must arrive
ping_all()
{
	local host=$1 address=$2 out

	shift 2
	[ $# -gt 0 ] || set -- -c 5 -i 0.05
	if ! out=$(on "$host" ping -n -q -W 5 "$@" "$address" 2>&1) ||
	   ! [[ $out == *", 0% packet loss"* ]]; then
		echo "$out"
		fail "$host: ping $* $address lost packets"
	fi
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

# transfer FROM TO ADDRESS-OF-TO BYTES: that many checked bytes both ways
transfer()
{
	local bytes=$4 listener rc=0

	ip netns exec "$TAG-$2" "$HERE/xfer" listen 5001 "$bytes" 60 &
	listener=$!
	on "$1" "$HERE/xfer" connect "$3" 5001 "$bytes" 60 || rc=$?
	[ "$rc" -eq 0 ] || kill "$listener" 2>/dev/null || true
	wait "$listener" || rc=$?
	[ "$rc" -eq 0 ] || fail "transfer from $1 to $2 ($3) broke"
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
	ping_all "$1" "$(inner4 "$2")" -c 3 -i 0.05
	ping_all "$2" "$(inner6 "$1")" -c 3 -i 0.05
	transfer "$1" "$2" "$(inner4 "$2")" 200000
}

# --- the frame ---------------------------------------------------------------

kill_hosts()
{
	local name pid

	for name in $(ip netns list | awk -v tag="$TAG-" 'index($1, tag) == 1 { print $1 }'); do
		for pid in $(ip netns pids "$name"); do
			kill -s KILL "$pid" 2>/dev/null || true
		done
		ip netns delete "$name" || true
	done
}

cleanup()
{
	trap '' HUP INT TERM
	if [ -n "$CASE_PID" ]; then
		kill -s KILL "$CASE_PID" 2>/dev/null || true
		wait "$CASE_PID" 2>/dev/null || true
	fi
	kill_hosts
	[ -z "$WORK" ] || rm -rf "$WORK"
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
	local tool

	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
	for tool in openvpn openssl ip nft ethtool ping; do
		command -v "$tool" >/dev/null || skip_all "needs $tool"
	done
	[[ $(openvpn --version || true) == "OpenVPN 2.6."*"[DCO]"* ]] ||
		skip_all "needs OpenVPN 2.6 with DCO"
	[ -x "$HERE/xfer" ] || bail "xfer is not here: make -C tests/interop"
	if [ -n "$NO_DCO" ]; then
		no_dco_guard
	elif ! [ -e "$VERSION_FILE" ] && ! modprobe ovpn-dco-v2; then
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

show_logs()
{
	local host log

	sed 's/^/# /' "$WORK/out"
	for host in s c1 c2 c3; do
		on "$host" ethtool -S tun0 2>/dev/null |
			awk -v host="$host" '$2 > 0 { text = text " " $1 " " $2 }
				END { if (text) print "# counters of " host ":" text }'
	done
	for log in "$WORK"/*.log; do
		[ -e "$log" ] || continue
		diag "--- ${log##*/}, last lines:"
		tail -n "${OVPN_TEST_LOG_LINES:-40}" "$log" | sed 's/^/#   /'
	done
}

run_one()
{
	local number=$1 name=$2 run=$3 rc=0 began=$SECONDS

	WORK=$(mktemp -d)
	pki
	# In the background, so that a signal is handled at once, and so that
	# set -e holds inside.
	(
		trap - EXIT
		trap 'echo "stopped at line ${BASH_LINENO[0]}: $BASH_COMMAND"' ERR
		set -eE
		eval "$run"
	) >"$WORK/out" 2>&1 &
	CASE_PID=$!
	wait "$CASE_PID" || rc=$?
	CASE_PID=
	if [ "$rc" -ne 0 ]; then
		FAILED=$((FAILED + 1))
		echo "not ok $number - $name"
		show_logs
	elif [ -n "$NO_DCO" ]; then
		SKIPPED=$((SKIPPED + 1))
		echo "ok $number - $name # SKIP went well without DCO"
	else
		PASSED=$((PASSED + 1))
		echo "ok $number - $name"
	fi
	diag "took $((SECONDS - began)) s"
	kill_hosts
	rm -rf "$WORK"
	WORK=
}

run_scenarios()
{
	local i

	preconditions
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	echo "TAP version 13"
	echo "1..${#NAMES[@]}"
	for i in "${!NAMES[@]}"; do
		run_one $((i + 1)) "${NAMES[i]}" "${RUNS[i]}"
	done
	[ "$FAILED" -eq 0 ] || exit 1
	[ "$PASSED" -gt 0 ] || exit 4
	exit 0
}
