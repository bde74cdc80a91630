// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing survives its owner: a device the process that made it, a peer the
 * process that added it, either the network namespace that it is in. And what
 * has many peers goes as quickly as what has one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "data_util.h"
#include "family.h"
#include "fixture.h"

#define GONE_MS		1000	/* from a process's death to its traces' */
#define GONE_DELETIONS	30	/* or so many deletions on a slow machine */
#define CHECKED_MS	20000	/* what nothing tells is looked at every 15 s */
#define START_MS	60000

static const struct stream_conf usual;

/* ---- the stand ---- */

/*
 * Two namespaces with a cable between them, and in "near" the near ends of what
 * the peers will use, for a process that is going to die.
 */
static struct stand {
	struct netns *near;
	struct netns *far;
	struct ovpn_listener *ntf;
	int udp;		/* the near end's socket */
	int udp_far;
	int tcp;
	int tcp_far;
	struct wire_key key;
} s;

static void stand_open(void)
{
	int fds[2];

	s.near = netns_new("near");
	s.far = netns_new("far");
	netns_veth(s.near, NEAR_VETH, s.far, FAR_VETH);
	netns_addr(s.near, NEAR_VETH, NEAR4 "/24");
	netns_addr(s.far, FAR_VETH, FAR4 "/24");
	s.ntf = ovpn_listen(s.near, 0);
	s.udp = udp_socket(s.near, NEAR4, NEAR_PORT);
	s.udp_far = udp_socket(s.far, FAR4, NEAR_PORT);
	stream_pair(s.near, NEAR4, s.far, FAR4, &usual, fds);
	s.tcp = fds[0];
	s.tcp_far = fds[1];
	wire_key_random(&s.key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
}

/* This process does not hold the near end any more. */
static void stand_let_go(void)
{
	close(s.udp);
	close(s.tcp);
	s.udp = -1;
	s.tcp = -1;
}

static void stand_leave_near(void)
{
	stand_let_go();
	ovpn_listener_close(s.ntf);
	s.ntf = NULL;
	netns_free(s.near);
	s.near = NULL;
}

static void stand_close(void)
{
	stand_leave_near();
	close(s.udp_far);
	close(s.tcp_far);
	netns_free(s.far);
}

/* Of the device; all that have several peers are multi-peer ones. */
static int victim_mode = OVPN_MODE_MP;

/* Peers 1 (UDP) and 2 (TCP) with the stand's near ends. */
enum { UDP = 1, TCP = 2 };

static void add_silent_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	struct ovpn_peer_args args = {
		.id = id,
		.socket = id == UDP ? s.udp : s.tcp,
		.remote = id == UDP ? FAR4 : NULL,
		.remote_port = NEAR_PORT,
		.ipv4 = vpn_of(victim_mode,
			       id == UDP ? VPN_FAR4 : VPN_FAR4_B),
	};
	int err = ovpn_nl_new_peer(nl, ifindex, &args);

	if (!err)
		err = ovpn_nl_new_key(nl, ifindex, id, OVPN_KEY_SLOT_PRIMARY,
				      &s.key, &s.key);
	if (err)
		ktap_bail("peer %u: %s (%s)", id, strerror(-err),
			  ovpn_nl_extack(nl));
}

/* The same, and it pings. */
static void add_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	int err;

	add_silent_peer(nl, ifindex, id);
	err = ovpn_nl_set_peer(nl, ifindex, id, 1, 120);
	if (err)
		ktap_bail("times of peer %u: %s (%s)", id, strerror(-err),
			  ovpn_nl_extack(nl));
}

/* A peer's ping arrives at the far end: it lives. */
static bool pinged(uint32_t id)
{
	uint8_t packet[WIRE_MAX], plain[WIRE_MAX];
	ssize_t len;

	if (id == UDP) {
		while (udp_recv(s.udp_far, packet, sizeof(packet), 0, NULL) > 0)
			;
		len = udp_recv(s.udp_far, packet, sizeof(packet), 4000, NULL);
	} else {
		while (!udp_quiet(s.tcp_far, 0) &&
		       stream_next(s.tcp_far, packet, 1000) > 0)
			;
		len = stream_next(s.tcp_far, packet, 4000);
	}
	return CHECK_GE(WIRE_HEADER_LEN, len) &&
	       CHECK_GE(1, wire_open(&s.key, packet, len, plain, NULL));
}

/* ---- a process that dies ---- */

struct victim {
	pid_t pid;
	int pipe;		/* it writes there when it is ready */
};

static int open_tun(struct netns *ns, int mode)
{
	int index = ovpn_link_new(ns, TUN, mode);

	victim_mode = mode;
	if (index < 0)
		ktap_bail("device: %s (%s)", strerror(-index),
			  ovpn_link_extack());
	netns_up(ns, TUN);
	return index;
}

/*
 * Runs @live in a process of its own, and returns when that says that it is
 * ready; the process then waits for its end.
 */
static struct victim victim_start(void (*live)(void))
{
	struct victim v;
	struct pollfd poll_fd = { .events = POLLIN };
	int fds[2];
	char c;

	fflush(stdout);
	if (pipe2(fds, O_CLOEXEC))
		ktap_bail("pipe: %m");
	v.pid = fork();
	if (v.pid < 0)
		ktap_bail("fork: %m");
	if (!v.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		live();
		if (write(fds[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	v.pipe = fds[0];
	poll_fd.fd = v.pipe;
	if (poll(&poll_fd, 1, START_MS) != 1 || read(v.pipe, &c, 1) != 1)
		ktap_bail("the other process did not get ready");
	return v;
}

static void victim_end(struct victim *v, int signal)
{
	kill(v->pid, signal);
	waitpid(v->pid, NULL, 0);
	close(v->pipe);
}

/* ---- traffic, while it dies ---- */

static struct {
	pthread_t thread;
	bool stop;
} traffic;

static void *traffic_thread(void *arg)
{
	/* The checksum is right: see condition_netns_end() */
	uint8_t plain[900] = { [0] = 0x45, [10] = 0xba, [11] = 0xff };
	uint8_t packet[1024], frame[1100];
	uint32_t id = 1;
	size_t len;

	while (!__atomic_load_n(&traffic.stop, __ATOMIC_ACQUIRE)) {
		len = wire_seal(&s.key, UDP, ++id, plain, sizeof(plain),
				packet);
		udp_send(s.udp_far, NULL, NEAR4, NEAR_PORT, packet, len);
		len = wire_seal(&s.key, TCP, id, plain, sizeof(plain), packet);
		len = stream_frame(frame, packet, len);
		send(s.tcp_far, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (!arg && id % 20 == 0)
			sleep_ms(1);
	}
	return NULL;
}

static void traffic_start(void)
{
	traffic.stop = false;
	if (pthread_create(&traffic.thread, NULL, traffic_thread, NULL))
		ktap_bail("no thread");
	sleep_ms(100);
}

static void traffic_end(void)
{
	__atomic_store_n(&traffic.stop, true, __ATOMIC_RELEASE);
	pthread_join(traffic.thread, NULL);
}

/* ---- who made the device ---- */

static void make_all(void)
{
	struct ovpn_nl *nl;
	int index = open_tun(s.near, victim_mode);

	nl = ovpn_nl_open(s.near);
	/* a point-to-point device has room for one */
	if (victim_mode == OVPN_MODE_MP)
		add_peer(nl, index, UDP);
	add_peer(nl, index, TCP);
}

/* How long things may take to go, where a device alone takes so long. */
static int64_t limit_ms(void)
{
	int64_t start;

	if (ovpn_link_new(s.far, "try", OVPN_MODE_P2P) < 0)
		ktap_bail("device: %s", ovpn_link_extack());
	start = now_ms();
	ovpn_link_del(s.far, "try");
	start = (now_ms() - start) * GONE_DELETIONS;
	return start > GONE_MS ? start : GONE_MS;
}

static void check_gone(int64_t start)
{
	int64_t took = now_ms() - start, limit = limit_ms();

	ktap_note("gone after %lld ms of %lld", (long long)took,
		  (long long)limit);
	CHECK_RANGE(0, limit, took);
}

/* Each peer is named, and none twice. */
static void check_told(unsigned int count, int reason)
{
	unsigned int told = 0, ids = 0;
	struct ovpn_ntf ntf = { 0 };

	while (ovpn_listener_next(s.ntf, &ntf, 100) == 1) {
		CHECK(ntf.exact);
		if (reason >= 0)
			CHECK_EQ(reason, ntf.reason);
		ids |= 1U << ntf.peer_id;
		told++;
	}
	CHECK_EQ(count, told);
	CHECK_EQ(count, __builtin_popcount(ids));
}

static void maker_dies(int mode, int signal, bool busy)
{
	struct victim v;
	int64_t start;

	stand_open();
	victim_mode = mode;
	v = victim_start(make_all);
	stand_let_go();
	pinged(TCP);
	if (busy)
		traffic_start();
	start = now_ms();
	victim_end(&v, signal);
	CHECK(WAIT_FOR(!netns_ifindex(s.near, TUN), 10000));
	check_gone(start);
	if (busy)
		traffic_end();
	check_told(mode == OVPN_MODE_MP ? 2 : 1, -1);
	/* the connection has gone with it */
	CHECK(WAIT_FOR(stream_write(s.tcp_far, "x", 1) < 0, 2000));
	stand_close();
}

static void maker_dies_p2p(void)
{
	maker_dies(OVPN_MODE_P2P, SIGKILL, false);
}

static void maker_dies_mp(void)
{
	maker_dies(OVPN_MODE_MP, SIGKILL, false);
}

static void maker_dies_busy(void)
{
	maker_dies(OVPN_MODE_MP, SIGKILL, true);
	maker_dies(OVPN_MODE_P2P, SIGKILL, true);
}

static void maker_leaves(void)
{
	maker_dies(OVPN_MODE_MP, SIGTERM, false);
}

/* What it does as long as it lives is no reason. */
static void make_and_let_go(void)
{
	struct ovpn_nl *nl;
	int index = open_tun(s.near, OVPN_MODE_MP);
	pid_t pid;

	nl = ovpn_nl_open(s.near);
	add_peer(nl, index, UDP);
	add_peer(nl, index, TCP);
	ovpn_nl_close(nl);
	/* in the family ovpn, that would be the end of the peers */
	if (!speaks_ovpn())
		stand_let_go();
	pid = fork();
	if (!pid) {
		/* a script that looks at the family, for example */
		nl = ovpn_nl_open(s.near);
		ovpn_nl_close(nl);
		nl = ovpn_nl_open(s.near);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	nl = ovpn_nl_open(s.near);
}

static void maker_lives(void)
{
	struct victim v;

	stand_open();
	v = victim_start(make_and_let_go);
	stand_let_go();
	sleep_ms(300);
	CHECK(netns_ifindex(s.near, TUN));
	pinged(UDP);
	pinged(TCP);
	check_told(0, -1);
	victim_end(&v, SIGKILL);
	stand_close();
}

/* ---- who added the peer ---- */

static void add_both(void)
{
	struct ovpn_nl *nl = ovpn_nl_open(s.near);
	uint32_t index = netns_ifindex(s.near, TUN);

	add_peer(nl, index, UDP);
	add_peer(nl, index, TCP);
}

/* The device is somebody else's. */
static void user_dies(void)
{
	struct ovpn_peer_args args = {
		.id = 3, .remote = FAR4, .remote_port = 4, .ipv4 = "10.8.0.9",
	};
	struct ovpn_nl *nl;
	struct victim v;
	int64_t start;
	int index;

	stand_open();
	index = open_tun(s.near, OVPN_MODE_MP);
	nl = ovpn_nl_open(s.near);
	args.socket = udp_socket(s.near, NEAR4, 1195);
	CHECK_ERR(0, ovpn_nl_new_peer(nl, index, &args));
	v = victim_start(add_both);
	stand_let_go();
	CHECK_EQ(3, ovpn_nl_dump(nl, index, NULL));
	traffic_start();
	start = now_ms();
	victim_end(&v, SIGKILL);
	CHECK(WAIT_FOR(ovpn_nl_dump(nl, index, NULL) == 1, 10000));
	check_gone(start);
	traffic_end();
	check_told(2, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	CHECK_ERR(0, ovpn_nl_get_peer(nl, index, 3, NULL));
	CHECK(netns_ifindex(s.near, TUN));
	CHECK_ERR(0, ovpn_link_del(s.near, TUN));
	close(args.socket);
	ovpn_nl_close(nl);
	stand_close();
}

/* Those that nothing would look at otherwise: no times, and no netlink socket left
 * whose end would tell.
 */
static void add_and_let_go(void)
{
	struct ovpn_nl *nl = ovpn_nl_open(s.near);
	uint32_t index = netns_ifindex(s.near, TUN);

	add_silent_peer(nl, index, UDP);
	add_silent_peer(nl, index, TCP);
	ovpn_nl_close(nl);
	if (!speaks_ovpn())
		stand_let_go();
}

static void silent_user_dies(void)
{
	struct ovpn_nl *nl;
	struct victim v;
	int index;

	stand_open();
	index = open_tun(s.near, OVPN_MODE_MP);
	v = victim_start(add_and_let_go);
	stand_let_go();
	/* not before, though it is looked at */
	nl = ovpn_nl_open(s.near);
	sleep_ms(CHECKED_MS);
	CHECK_EQ(2, ovpn_nl_dump(nl, index, NULL));
	victim_end(&v, SIGKILL);
	CHECK(WAIT_FOR(!ovpn_nl_dump(nl, index, NULL), CHECKED_MS));
	check_told(2, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	CHECK_ERR(0, ovpn_link_del(s.near, TUN));
	ovpn_nl_close(nl);
	stand_close();
}

/* Sockets that somebody else holds as well go on. */
static void user_shares(void)
{
	struct ovpn_nl *nl;
	struct victim v;
	int index;

	stand_open();
	index = open_tun(s.near, OVPN_MODE_MP);
	nl = ovpn_nl_open(s.near);
	v = victim_start(add_both);
	victim_end(&v, SIGKILL);
	sleep_ms(300);
	CHECK_EQ(2, ovpn_nl_dump(nl, index, NULL));
	pinged(UDP);
	pinged(TCP);
	check_told(0, -1);
	CHECK_ERR(0, ovpn_link_del(s.near, TUN));
	ovpn_nl_close(nl);
	stand_close();
}

/* ---- who else listens ---- */

#define CROWD		1000
#define SMALLEST_BUFFER	8192	/* OpenVPN 3's */

static void add_crowd(void)
{
	struct fixture crowd = {
		.ns = s.near,
		.mode = OVPN_MODE_MP,
		.nl = ovpn_nl_open(s.near),
		.ifindex = netns_ifindex(s.near, TUN),
		.sock = udp_socket(s.near, "127.0.0.1", 0),
		.far = s.udp,
	};

	if (!crowd.ifindex)
		crowd.ifindex = open_tun(s.near, OVPN_MODE_MP);
	fixture_peers(&crowd, 1, CROWD);
}

/* Another OpenVPN in the namespace exits if its buffer overflows. */
static void check_not_overrun(struct ovpn_listener *l)
{
	struct ovpn_ntf ntf;
	int got, told = 0;

	while ((got = ovpn_listener_next(l, &ntf, 100)) == 1) {
		CHECK(ntf.exact);
		told++;
	}
	CHECK_ERR(0, got);
	CHECK_RANGE(1, CROWD, told);
}

static void crowd_dies(bool with_device)
{
	struct ovpn_listener *l;
	struct ovpn_nl *nl;
	struct victim v;
	int index = 0;

	stand_open();
	nl = ovpn_nl_open(s.near);
	if (!with_device)
		index = open_tun(s.near, OVPN_MODE_MP);
	v = victim_start(add_crowd);
	l = ovpn_listen(s.near, SMALLEST_BUFFER);
	victim_end(&v, SIGKILL);
	if (with_device)
		CHECK(WAIT_FOR(!netns_ifindex(s.near, TUN), 10000));
	else
		CHECK(WAIT_FOR(!ovpn_nl_dump(nl, index, NULL), 10000));
	check_not_overrun(l);
	if (!with_device)
		CHECK_ERR(0, ovpn_link_del(s.near, TUN));
	ovpn_listener_close(l);
	ovpn_nl_close(nl);
	stand_close();
}

static void maker_of_many_dies(void)
{
	crowd_dies(true);
}

static void user_of_many_dies(void)
{
	crowd_dies(false);
}

/* ---- namespaces ---- */

/* Only the process holds the namespace that everything is in. */
static void netns_of_victim(int mode)
{
	struct victim v;

	stand_open();
	victim_mode = mode;
	v = victim_start(make_all);
	stand_leave_near();
	pinged(TCP);
	traffic_start();
	victim_end(&v, SIGKILL);
	/* the cable's other end has gone when the namespace has */
	CHECK(WAIT_FOR(!netns_ifindex(s.far, FAR_VETH), 5000));
	traffic_end();
	stand_close();
}

static void netns_dies(void)
{
	netns_of_victim(OVPN_MODE_MP);
	netns_of_victim(OVPN_MODE_P2P);
}

/* The device's namespace goes, the sockets are elsewhere and live. */
static void netns_of_device(void)
{
	struct netns *own = netns_new("own");
	struct ovpn_nl *nl;
	uint8_t got[WIRE_MAX];
	int index;

	stand_open();
	index = open_tun(own, OVPN_MODE_MP);
	netns_veth(own, "w0", s.far, "w1");
	nl = ovpn_nl_open(own);
	add_peer(nl, index, UDP);
	add_peer(nl, index, TCP);
	pinged(UDP);
	pinged(TCP);
	traffic_start();
	ovpn_nl_close(nl);
	netns_free(own);
	CHECK(WAIT_FOR(!netns_ifindex(s.far, "w1"), 5000));
	CHECK(stream_detached(s.tcp));
	traffic_end();
	/* as they were before */
	while (udp_recv(s.udp, got, sizeof(got), 0, NULL) >= 0)
		;
	CHECK_EQ(1, udp_send(s.udp_far, NULL, NEAR4, NEAR_PORT, "x", 1));
	CHECK_EQ(1, udp_recv(s.udp, got, sizeof(got), 2000, NULL));
	while (recv(s.tcp, got, sizeof(got), MSG_DONTWAIT) > 0)
		;
	CHECK_ERR(0, stream_write(s.tcp_far, "x", 1));
	CHECK_EQ(1, stream_read(s.tcp, got, 1, 2000));
	stand_close();
}

/* ---- many peers ---- */

#define MANY		4096
#define MANY_REQUESTS	1024
#define MANY_TCP	512
#define MANY_MS		1500

/*
 * As quick as making them was, on a machine as slow as that and busier by now: to
 * wait for a grace period each would take thirty times as long.
 */
static void check_quick(const char *what, int64_t start, int64_t made)
{
	int64_t took = now_ms() - made, limit = 4 * (made - start);

	ktap_note("%s: %lld ms, made in %lld ms", what, (long long)took,
		  (long long)(made - start));
	CHECK_RANGE(0, limit > MANY_MS ? limit : MANY_MS, took);
}

static bool unused(void)
{
	char text[32];

	return !file_read_line("/sys/module/ovpn_dco_v2/refcnt", text,
			       sizeof(text)) && !strcmp(text, "0");
}

static void link_with_many(void)
{
	int64_t start, made;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	start = now_ms();
	fixture_peers(&f, 1, MANY);
	made = now_ms();
	CHECK_ERR(0, ovpn_link_del(f.ns, "ovpn0"));
	check_quick("device with 4096 peers", start, made);
	CHECK(WAIT_FOR(unused(), 5000));
	fixture_end(&f);
}

static void one_by_one(void)
{
	int64_t start, made;
	struct fixture f;
	uint32_t id;

	fixture_start(&f, OVPN_MODE_MP);
	start = now_ms();
	fixture_peers(&f, 1, MANY_REQUESTS);
	made = now_ms();
	for (id = 1; id <= MANY_REQUESTS && ktap_good(); id++)
		CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, id));
	/* all of them, with whatever is to be done after the request */
	CHECK_ERR(0, ovpn_link_del(f.ns, "ovpn0"));
	check_quick("1024 requests", start, made);
	fixture_end(&f);
}

static void many_connections(void)
{
	static int fds[MANY_TCP][2];
	struct rlimit limit = { 4 * MANY_TCP, 4 * MANY_TCP };
	struct ovpn_peer_args args;
	int64_t start, made;
	struct fixture f;
	char got[2];
	int i;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		ktap_bail("RLIMIT_NOFILE: %m");
	fixture_start(&f, OVPN_MODE_MP);
	start = now_ms();
	for (i = 0; i < MANY_TCP && ktap_good(); i++) {
		tcp_socket_pair(f.ns, fds[i]);
		args = fixture_peer_args(&f, i + 1);
		args.socket = fds[i][0];
		CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	}
	made = now_ms();
	CHECK_ERR(0, ovpn_link_del(f.ns, "ovpn0"));
	check_quick("device with 512 connections", start, made);
	for (i = 0; i < MANY_TCP && ktap_good(); i++) {
		CHECK(stream_detached(fds[i][0]));
		CHECK_EQ(2, send(fds[i][1], "hi", 2, 0));
		CHECK_EQ(2, stream_read(fds[i][0], got, 2, 2000));
	}
	for (i = 0; i < MANY_TCP; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "killed: its point-to-point device goes", maker_dies_p2p },
	{ "killed: its multi-peer device goes", maker_dies_mp },
	{ "killed under traffic", maker_dies_busy },
	{ "ended without cleaning up", maker_leaves },
	{ "alive, whatever it closes and forks: all stays", maker_lives },
	{ "killed: its peers go, somebody else's device stays", user_dies },
	{ "killed with no netlink socket left: its peers go", silent_user_dies },
	{ "killed, somebody else has the sockets: all stays", user_shares },
	{ "killed with 1000 peers: other listeners are not overrun",
	  maker_of_many_dies },
	{ "the same, on somebody else's device", user_of_many_dies },
	{ "killed in a namespace of its own: all of that goes", netns_dies },
	{ "the device's namespace goes, the sockets' stays", netns_of_device },
	{ "a device with 4096 peers deleted", link_with_many },
	{ "1024 peers deleted one by one", one_by_one },
	{ "a device with 512 TCP connections deleted", many_connections },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
