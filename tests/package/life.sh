#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# timeout=5400
#
# The life of the package on a machine with a real dpkg, from an installed
# openvpn-dco-dkms, that is Debian's package, to removal, and on kernels that it
# cannot be built for. The cases build on each other, in this order.
set -eu
# shellcheck source=tests/interop/lib.sh
. ./lib.sh

# shellcheck disable=SC2034
SIDE_BY_SIDE=1
# shellcheck disable=SC2034
BRINGS_MODULE=1

packages=/packages
version=$(<"$packages/version")
next=$(<"$packages/next")
old_kernel=$(<"$packages/old-kernel")
kernel=$(uname -r)

# What apt said last.
said=/tmp/apt.log

# --- dpkg and DKMS -----------------------------------------------------------

# apt COMMAND ARGUMENT...: as an administrator would, who is asked nothing
apt()
{
	local status=0

	DEBIAN_FRONTEND=noninteractive apt-get -y "$@" >"$said" 2>&1 </dev/null || status=$?
	cat "$said"
	[ "$status" -eq 0 ] || fail "apt-get $* exits with $status"
	# Neither a package that is half installed nor one that lacks another.
	[ -z "$(dpkg --audit)" ] || fail "dpkg --audit: $(dpkg --audit)"
	apt-get check >/dev/null || fail "apt-get check complains after apt-get $*"
}

deb()
{
	echo "$packages/ovpn-dco-dkms_$1_all.deb"
}

apt_said()
{
	grep -E "$1" "$said" >/dev/null || fail "apt-get does not say $1"
}

package_is()
{
	local is

	is=$(dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$1" 2>/dev/null) || is=
	# shellcheck disable=SC2053
	[[ $is == $2 ]] || fail "dpkg: $1 is '$is', expected '$2'"
}

# The files of the module, of any version and package.
modules()
{
	find /lib/modules/ -name '*ovpn-dco*' -o -name '*ovpn_dco*'
}

# built VERSION: that one is where the kernel finds it, and no other.
built()
{
	local files

	dkms status | grep -x "ovpn-dco/$1, $kernel, x86_64: installed" ||
		fail "dkms status: $(dkms status)"
	[ "$(dkms status | grep -c ovpn)" -eq 1 ] || fail "dkms status: $(dkms status)"
	files=$(modules)
	[[ $files == /lib/modules/$kernel/updates/dkms/ovpn-dco-v2.ko* && $files != *$'\n'* ]] ||
		fail "modules: $files"
	[ "$(modinfo -F version ovpn-dco-v2)" = "$1" ] ||
		fail "modinfo is about version $(modinfo -F version ovpn-dco-v2), expected $1"
}

not_built()
{
	! dkms status | grep ovpn | grep -E 'built|installed' ||
		fail "DKMS built something"
	[ -z "$(modules)" ] || fail "modules: $(modules)"
}

# clean: as if the package had never been there.
clean()
{
	local left

	package_is ovpn-dco-dkms ''
	not_built
	left=$(dkms status | grep ovpn; ls -d /usr/src/ovpn-dco* /var/lib/dkms/ovpn-dco* \
		/usr/share/doc/ovpn-dco-dkms /usr/share/man/man4/ovpn-dco* 2>/dev/null) || true
	[ -z "$left" ] || fail "left behind: $left"
	! modprobe ovpn-dco-v2 || fail "modprobe ovpn-dco-v2 finds something"
	! ip link add gone0 type ovpn-dco || fail "there are still ovpn-dco devices"
}

# --- the module --------------------------------------------------------------

loaded()
{
	[ -e "$VERSION_FILE" ] && [ "$(<"$VERSION_FILE")" = "$1" ]
}

# Its file may be gone.
unloaded()
{
	[ ! -e "/sys/module/$MODULE" ] || rmmod "$MODULE" 2>/dev/null
}

unload()
{
	within 20 unloaded || fail "the module does not unload"
}

index()
{
	on "$1" ip -o link show dev tun0 | sed 's/:.*//'
}

# works VERSION: it is loaded when somebody wants a device, and by name.
works()
{
	built "$1"
	unload
	ip link add auto0 type ovpn-dco || fail "ip link add type ovpn-dco does not load the module"
	loaded "$1" || fail "the module loaded is $(cat "$VERSION_FILE"), expected $1"
	ip -d link show dev auto0 | grep ovpn-dco >/dev/null || fail "auto0 is no ovpn-dco device"
	ip link del auto0
	unload
	modprobe ovpn-dco-v2
	loaded "$1"
}

# session [LINE...]: OpenVPN carries data through the module, and says so.
session()
{
	network c1 "keepalive 10 60"
	traffic c1 s
	kernel_only c1 2000000
	no_drops s c1
}

# --- the cases ---------------------------------------------------------------

# Where that does not build, dpkg is left with a package that is not configured.
debian_package()
{
	local is

	is=$(dpkg-query -W -f '${db:Status-Abbrev}' openvpn-dco-dkms)
	[ "${is:0:1}" = i ] || fail "openvpn-dco-dkms is not there: $is"
	if [ "$is" = "ii " ]; then
		modprobe ovpn-dco-v2
		[ -n "$(modules)" ] || fail "openvpn-dco-dkms is installed without a module"
	else
		echo "openvpn-dco-dkms cannot be installed with $kernel"
	fi
}

replace()
{
	debian_package
	apt install "$(deb "$version")"
	package_is ovpn-dco-dkms "ii $version"
	package_is openvpn-dco-dkms '@(|un *|rc *)'
	works "$version"
}

# A new package is no reason to disturb whoever is connected.
upgrade()
{
	local index pid host
	local -a pids

	network c1 "keepalive 10 60"
	loaded "$version" || fail "another version is loaded"
	index=$(index s)
	pids=("$(pid_of s)" "$(pid_of c1)")
	log_mark s
	log_mark c1
	ping_start c1 "$(inner4 s)" 0.1
	apt install "$(deb "$next")"
	package_is ovpn-dco-dkms "ii $next"
	built "$next"
	brief c1 s
	ping_stop c1
	ping_gapless c1 50
	loaded "$version" || fail "the upgrade took the module away that was in use"
	for host in s c1; do
		! log_has "$host" 'SIGUSR1|[Rr]estart|exiting|Initialization Sequence' ||
			fail "$host: OpenVPN was disturbed"
	done
	for pid in "${pids[@]}"; do
		kill -0 "$pid" || fail "OpenVPN is gone"
	done
	[ "$(index s)" = "$index" ] || fail "tun0 is another device"
	no_drops s c1
	# Who connects now gets what is loaded.
	stop c1
	log_mark s
	start c1
	wait_up c1
	dco s c1
	brief c1 s
}

new_version()
{
	works "$next"
	session
}

# Also while it is loaded.
remove()
{
	apt remove ovpn-dco-dkms
	unload
	clean
}

fresh()
{
	apt install "$(deb "$version")"
	package_is ovpn-dco-dkms "ii $version"
	# The module of the package that was removed is not loaded any more.
	works "$version"
	session
	[ -s /usr/share/man/man4/ovpn-dco.4.gz ] || fail "there is no man page"
	[ -s /usr/share/doc/ovpn-dco-dkms/README.md.gz ] || fail "there is no README"
}

purge()
{
	unload
	apt purge ovpn-dco-dkms
	clean
}

# A kernel that lacks what the module needs. Each DKMS looks elsewhere for what it
# has.
no_config()
{
	local config
	local -a configs

	configs=("/lib/modules/$kernel/build"/{.config,include/config/auto.conf} "/boot/config-$kernel")
	for config in "${configs[@]}"; do
		[ ! -e "$config" ] || sed -i.orig '/^CONFIG_GRO_CELLS=/d' "$config"
	done
	apt install "$(deb "$version")"
	package_is ovpn-dco-dkms "ii $version"
	apt_said 'BUILD_EXCLUSIVE|[Ss]kipp'
	not_built
	for config in "${configs[@]}"; do
		[ ! -e "$config" ] || mv "$config.orig" "$config"
	done
}

# One that comes later, and is older than what is supported.
old_kernel()
{
	package_is ovpn-dco-dkms "ii $version"
	apt install "$packages/linux-headers-${old_kernel}_5.4.0-99_amd64.deb"
	package_is "linux-headers-$old_kernel" "ii 5.4.0-99"
	apt_said "ovpn-dco.*(skipped|BUILD_EXCLUSIVE)"
	! dkms status | grep "$old_kernel" || fail "DKMS built something for $old_kernel"
	[ ! -e "/lib/modules/$old_kernel/updates" ] || fail "there is something for $old_kernel"
	apt purge ovpn-dco-dkms "linux-headers-$old_kernel"
	clean
}

no_headers()
{
	apt purge "linux-headers-$kernel"
	[ ! -e "/lib/modules/$kernel/build/include" ] || fail "the headers are still there"
	apt install "$(deb "$version")"
	package_is ovpn-dco-dkms "ii $version"
	apt_said 'kernel headers (for this kernel do not seem to be installed|were found, skipping)'
	not_built
	apt purge ovpn-dco-dkms
	clean
}

scenario "takes the place of openvpn-dco-dkms, and is loaded on demand" replace
scenario "OpenVPN uses it over UDP" over udp4 session
scenario "OpenVPN uses it over TCP" over tcp6 session
scenario "an upgrade keeps the module that is in use" upgrade
scenario "the new version is what is loaded next" new_version
scenario "removal, while it is loaded, leaves nothing" remove
scenario "installs where nothing was, and OpenVPN uses it" fresh
scenario "purge leaves nothing" purge
scenario "a kernel without what it needs is skipped" no_config
scenario "a kernel that is too old is skipped" old_kernel
scenario "without headers it is installed, but not built" no_headers
run_scenarios
