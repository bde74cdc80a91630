// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may use the family: holders of CAP_NET_ADMIN over the network namespace,
 * so root of a container, too, and nobody else. And what that one pays.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "request.h"

#define NOBODY	65534

static struct fixture f;
static struct sockaddr_in far_addr;

static struct request_args args_for(uint32_t id)
{
	return (struct request_args){
		.ifindex = &f.ifindex,
		.id = id,
		.sock = f.sock,
		.remote = &far_addr,
		.remote_len = sizeof(far_addr),
	};
}

static void check_all_denied(struct ovpn_nl *nl)
{
	struct request_args args = args_for(1);
	int req, err;

	for (req = 0; req < REQ_COUNT; req++) {
		err = request_send(nl, req, &args);
		CHECK_MSG(err == -EPERM, "%s: want EPERM, got %s",
			  request_names[req], strerror(-err));
	}
}

static void check_nothing_happened(void)
{
	struct ovpn_peer_info info;

	CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 1, &info));
	CHECK_EQ(0, info.interval);
	CHECK_EQ(0, info.timeout);
}

/* Gives up CAP_NET_ADMIN and nothing else. */
static void drop_net_admin(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		ktap_bail("capget: %m");
	data[0].effective &= ~(1U << CAP_NET_ADMIN);
	if (syscall(SYS_capset, &head, data))
		ktap_bail("capset: %m");
}

static void as_root_without_it(void)
{
	struct ovpn_nl *nl;

	netns_enter(f.ns);
	drop_net_admin();
	nl = ovpn_nl_open(NULL);
	check_all_denied(nl);
	CHECK_ERR(-EPERM, ovpn_link_new(NULL, "ovpn1", OVPN_MODE_MP));
	CHECK_ERR(-EPERM, ovpn_link_del(NULL, "ovpn0"));
}

static void root_without_net_admin(void)
{
	ktap_in_child(as_root_without_it);
	check_nothing_happened();
}

static void with_socket_of_before(void)
{
	drop_net_admin();
	check_all_denied(f.nl);
}

static void socket_opened_with_it(void)
{
	ktap_in_child(with_socket_of_before);
	check_nothing_happened();
}

/* A set-user-id program must not be talked into using somebody's socket. */
static void with_socket_of_nobody(void)
{
	struct ovpn_nl *nl;

	netns_enter(f.ns);
	if (seteuid(NOBODY))
		ktap_bail("seteuid: %m");
	nl = ovpn_nl_open(NULL);
	if (seteuid(0))
		ktap_bail("seteuid: %m");
	check_all_denied(nl);
}

static void socket_opened_without_it(void)
{
	ktap_in_child(with_socket_of_nobody);
	check_nothing_happened();
}

static void as_nobody(void)
{
	struct ovpn_nl *nl;

	netns_enter(f.ns);
	if (setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		ktap_bail("cannot become nobody: %m");
	nl = ovpn_nl_open(NULL);
	check_all_denied(nl);
}

static void unprivileged_user(void)
{
	ktap_in_child(as_nobody);
	check_nothing_happened();
}

/* ---- user namespaces ---- */

/* Becomes nobody, and root of a user namespace that nobody made. */
static bool enter_userns(void)
{
	char map[32];

	if (setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		ktap_bail("cannot become nobody: %m");
	/* changing ids made /proc/self root's */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER)) {
		ktap_skip("no user namespaces for users here: %m");
		return false;
	}
	snprintf(map, sizeof(map), "0 %d 1", NOBODY);
	if (file_write("/proc/self/setgroups", "deny") ||
	    file_write("/proc/self/uid_map", map) ||
	    file_write("/proc/self/gid_map", map))
		ktap_bail("cannot map ids: %m");
	return true;
}

static void use_everything(struct ovpn_nl *nl, uint32_t ifindex)
{
	int sock = udp_socket(NULL, "127.0.0.1", 0);
	struct ovpn_peer_args peer = {
		.id = 3, .socket = sock, .remote = "127.0.0.1",
		.remote_port = 1194, .ipv4 = "10.9.0.3",
	};
	struct ovpn_listener *listener = ovpn_listen(NULL, 0);
	struct ovpn_peer_info info;
	struct wire_key key;
	struct ovpn_ntf ntf;

	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	CHECK_ERR(0, ovpn_nl_new_peer(nl, ifindex, &peer));
	CHECK_ERR(0, ovpn_nl_new_key(nl, ifindex, 3, OVPN_KEY_SLOT_PRIMARY,
				     &key, &key));
	CHECK_ERR(0, ovpn_nl_set_peer(nl, ifindex, 3, 10, 60));
	CHECK_ERR(0, ovpn_nl_swap_keys(nl, ifindex, 3));
	CHECK_ERR(0, ovpn_nl_get_peer(nl, ifindex, 3, &info));
	CHECK_EQ(60, info.timeout);
	CHECK_EQ(1, ovpn_nl_dump(nl, ifindex, NULL));
	CHECK_ERR(0, ovpn_nl_del_key(nl, ifindex, 3, OVPN_KEY_SLOT_PRIMARY));
	CHECK_ERR(0, ovpn_nl_del_peer(nl, ifindex, 3));
	CHECK_EQ(1, ovpn_listener_next(listener, &ntf, 1000));
	CHECK_EQ(3, ntf.peer_id);
}

static void as_container_root(void)
{
	int ifindex;

	if (!enter_userns())
		return;
	if (unshare(CLONE_NEWNET))
		ktap_bail("cannot make a network namespace: %m");
	netns_up(NULL, "lo");
	ifindex = ovpn_link_new(NULL, "ovpn0", OVPN_MODE_MP);
	if (!CHECK_MSG(ifindex > 0, "cannot create the device: %s (%s)",
		       strerror(-ifindex), ovpn_link_extack()))
		return;
	use_everything(ovpn_nl_open(NULL), ifindex);
	CHECK_ERR(0, ovpn_link_del(NULL, "ovpn0"));
}

static void container_root(void)
{
	ktap_in_child(as_container_root);
}

/* Root there, but the namespace of the device is not the container's. */
static void as_container_root_outside(void)
{
	struct ovpn_nl *nl;

	netns_enter(f.ns);
	if (!enter_userns())
		return;
	nl = ovpn_nl_open(NULL);
	check_all_denied(nl);
	/* a socket that a friend with privileges has left open */
	check_all_denied(f.nl);
	CHECK_ERR(-EPERM, ovpn_link_new(NULL, "ovpn1", OVPN_MODE_MP));
}

static void container_root_outside(void)
{
	ktap_in_child(as_container_root_outside);
	check_nothing_happened();
}

/* Of the container only the device is: the socket's packets are the host's. */
static void with_socket_of_outside(void)
{
	struct ovpn_peer_args peer = {
		.id = 3, .remote = "127.0.0.1", .remote_port = 1194,
		.ipv4 = "10.9.0.3",
	};
	struct ovpn_nl *nl;
	int ifindex;

	netns_enter(f.ns);
	if (!enter_userns())
		return;
	peer.socket = udp_socket(NULL, "127.0.0.1", 0);
	if (unshare(CLONE_NEWNET))
		ktap_bail("cannot make a network namespace: %m");
	netns_up(NULL, "lo");
	ifindex = ovpn_link_new(NULL, "ovpn0", OVPN_MODE_MP);
	if (!CHECK_GE(1, ifindex))
		return;
	nl = ovpn_nl_open(NULL);
	CHECK_ERR(-EPERM, ovpn_nl_new_peer(nl, ifindex, &peer));
	CHECK_MSG(strstr(ovpn_nl_extack(nl), "namespace of the socket"),
		  "extack: \"%s\"", ovpn_nl_extack(nl));
	CHECK_EQ(0, ovpn_nl_dump(nl, ifindex, NULL));
}

static void socket_of_outside(void)
{
	ktap_in_child(with_socket_of_outside);
}

/* ---- memory ---- */

#define CHARGED		"/tmp/charged"
#define CHARGED_PEERS	2000
/* of what a peer takes, its own struct alone */
#define CHARGED_LEAST	(CHARGED_PEERS * 400)

static long charged(void)
{
	char line[32];

	if (file_read_line(CHARGED "/ovpn/memory.current", line, sizeof(line)))
		ktap_bail("cannot read memory.current: %m");
	return strtol(line, NULL, 10);
}

static void add_charged(void)
{
	long before, after;

	netns_enter(f.ns);
	if (file_write(CHARGED "/ovpn/cgroup.procs", "0"))
		ktap_bail("cannot enter a control group: %m");
	/* what the first one needs, and what is charged in advance */
	fixture_peers(&f, 10, 100);
	before = charged();
	fixture_peers(&f, 110, CHARGED_PEERS);
	after = charged();
	CHECK_GE(CHARGED_LEAST, after - before);
	ktap_note("%ld bytes a peer", (after - before) / CHARGED_PEERS);
}

static void charged_to_who_asked(void)
{
	uint32_t id;

	mkdir(CHARGED, 0700);
	if (mount("none", CHARGED, "cgroup2", 0, NULL)) {
		ktap_skip("no control groups in this kernel: %m");
	} else {
		file_write(CHARGED "/cgroup.subtree_control", "+memory");
		mkdir(CHARGED "/ovpn", 0700);
		if (access(CHARGED "/ovpn/memory.current", R_OK))
			ktap_skip("this kernel does not count the memory of control groups");
		else
			ktap_in_child(add_charged);
		rmdir(CHARGED "/ovpn");
		umount(CHARGED);
		for (id = 10; id < 110 + CHARGED_PEERS; id++)
			ovpn_nl_del_peer(f.nl, f.ifindex, id);
	}
	rmdir(CHARGED);
	check_nothing_happened();
}

static const struct ktap_case cases[] = {
	{ "root without CAP_NET_ADMIN: EPERM", root_without_net_admin },
	{ "capability dropped after opening the socket: EPERM",
	  socket_opened_with_it },
	{ "capability gained after opening the socket: EPERM",
	  socket_opened_without_it },
	{ "unprivileged user: EPERM", unprivileged_user },
	{ "root of a user namespace in its own network namespace",
	  container_root },
	{ "root of a user namespace in another's network namespace: EPERM",
	  container_root_outside },
	{ "root of a user namespace with a socket of another's: EPERM",
	  socket_of_outside },
	{ "what peers take is charged to who adds them", charged_to_who_asked },
};

int main(void)
{
	int result;

	need_root();
	fixture_start(&f, OVPN_MODE_MP);
	fixture_peer(&f, 1);
	far_addr.sin_family = AF_INET;
	far_addr.sin_port = htons(udp_port(f.far));
	far_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = KTAP_RUN(cases);
	fixture_end(&f);
	return result;
}
