// SPDX-License-Identifier: GPL-2.0-only
/*
 * Out of memory during teardown: while packets pass both ways over both
 * transports, and memory is short for everybody who takes part, the peers, the
 * device, its namespace or the module go away. They have to, all the same, and
 * what comes after them works.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "abuse.h"
#include "data_util.h"
#include "fixture.h"
#include "message.h"

#define ROUNDS		4	/* each scope, each probability */
#define PEERS		16	/* every other one over TCP */
#define DEV		"victim0"
#define MODULE		"ovpn_dco_v2"

#ifndef UDP_ENCAP
#define UDP_ENCAP	100
#endif

/* For all that has to happen at some time, in an emulated guest. */
#define END_MS		(10 * DATA_WAIT_MS)

static const struct stream_conf tcp;

/* A device in a namespace of its own, and its far ends in that of the bed. */
static struct stand {
	struct data_bed bed;	/* what the functions for peers want to know */
	struct data_far far[PEERS];
	struct message del_peer[PEERS];
	struct message del_link;
	int genl, rtnl;		/* to send these with */
	struct netns *away;	/* where the device may go */
	pthread_t traffic;
	bool running;		/* the traffic */
	bool stop;		/* it shall */
	bool left;		/* the namespace, by this process */
} s;

/* ---- traffic ---- */

/* Without checks: most of it gets lost sooner or later. */
static void *traffic(void *arg)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(DATA_PORT),
	};
	uint8_t plain[300], packet[400], frame[STREAM_MAX];
	struct data_far *far;
	unsigned int i;
	size_t len;

	(void)arg;
	for (i = 0; !__atomic_load_n(&s.stop, __ATOMIC_ACQUIRE); i++) {
		far = &s.far[i % PEERS];
		len = data_inner(plain, far->ipv4, VPN_NEAR4, 200, i);
		len = wire_seal(&far->seal, far->id, far->next++, plain, len,
				packet);
		if (far->tcp)
			send(far->fd, frame, stream_frame(frame, packet, len),
			     MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			udp_send(far->fd, NULL, far->to, far->to_port, packet,
				 len);
		while (recv(far->fd, frame, sizeof(frame), MSG_DONTWAIT) > 0)
			;
		inet_pton(AF_INET, far->ipv4, &to.sin_addr);
		sendto(s.bed.sink, plain, 200, MSG_DONTWAIT,
		       (struct sockaddr *)&to, sizeof(to));
	}
	return NULL;
}

static void traffic_start(void)
{
	s.stop = false;
	s.running = true;
	if (pthread_create(&s.traffic, NULL, traffic, NULL))
		ktap_bail("cannot start a thread");
	sleep_ms(200);
}

static void traffic_end(void)
{
	if (!s.running)
		return;
	__atomic_store_n(&s.stop, true, __ATOMIC_RELEASE);
	pthread_join(s.traffic, NULL);
	s.running = false;
}

/* ---- the stand ---- */

static bool peers_add(void)
{
	static char addr[PEERS][16];
	unsigned int i;

	for (i = 0; i < PEERS; i++) {
		const struct data_far_args args = {
			.id = i,
			.ipv4 = addr[i],
			.tcp = i & 1 ? &tcp : NULL,
		};

		snprintf(addr[i], sizeof(addr[i]), "10.8.0.%u", 10 + i);
		if (!data_far_add(&s.bed, &s.far[i], &args))
			return false;
	}
	return true;
}

/* Ready, for when there is no memory to make them. */
static void requests_make(void)
{
	struct genlmsghdr head = {
		.cmd = OVPN_CMD_DEL_PEER,
		.version = OVPN_NL_VERSION,
	};
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg;
	uint32_t id;
	size_t nest;
	int family;

	msg = ovpn_nl_msg(s.bed.nl, OVPN_CMD_DEL_PEER, 0);
	family = nlmsg_hdr(msg)->nlmsg_type;
	nlmsg_free(msg);
	for (id = 0; id < PEERS; id++) {
		message_start(&s.del_peer[id], family, 0, &head, sizeof(head));
		message_put(&s.del_peer[id], OVPN_ATTR_IFINDEX, &s.bed.ifindex,
			    sizeof(s.bed.ifindex));
		nest = message_nest(&s.del_peer[id], OVPN_ATTR_DEL_PEER);
		message_put(&s.del_peer[id], OVPN_DEL_PEER_ATTR_PEER_ID, &id,
			    sizeof(id));
		message_nest_end(&s.del_peer[id], nest);
	}
	message_start(&s.del_link, RTM_DELLINK, 0, &link, sizeof(link));
	message_put(&s.del_link, IFLA_IFNAME, DEV, sizeof(DEV));
	s.genl = message_socket(s.bed.near, NETLINK_GENERIC);
	s.rtnl = message_socket(s.bed.near, NETLINK_ROUTE);
}

static bool stand_open(void)
{
	int ret;

	s.left = false;
	s.bed.near = netns_new("victim");
	s.bed.far = netns_new("far");
	ret = ovpn_link_new(s.bed.near, DEV, OVPN_MODE_MP);
	if (!CHECK_GE(1, ret))
		return false;
	s.bed.ifindex = ret;
	netns_run(s.bed.near, "ip -batch - <<-E\n"
		  "link add v0 type veth peer name v1 netns %s\n"
		  "addr add " NEAR4 "/24 dev v0\n"
		  "link set v0 up\n"
		  "addr add " VPN_NEAR4 "/24 dev " DEV "\n"
		  "link set " DEV " up\n"
		  "E", netns_path(s.bed.far));
	netns_run(s.bed.far, "ip addr add " FAR4 "/24 dev v1 && ip link set v1 up");
	s.bed.nl = ovpn_nl_open(s.bed.near);
	s.bed.sink = udp_socket(s.bed.near, "0.0.0.0", DATA_PORT);
	s.bed.sock = udp_socket(s.bed.near, "0.0.0.0", NEAR_PORT);
	requests_make();
	return peers_add();
}

/* Lets go of the namespace, which the kernel then takes down, and waits. */
static void stand_leave(void)
{
	unsigned int i;

	if (s.left)
		return;
	s.left = true;
	traffic_end();
	for (i = 0; i < PEERS; i++)
		data_far_close(&s.far[i]);
	close(s.bed.sink);
	close(s.bed.sock);
	close(s.genl);
	close(s.rtnl);
	ovpn_nl_close(s.bed.nl);
	netns_free(s.bed.near);
	fault_spare(true);
	/* the other end of the cable goes with this one */
	CHECK(WAIT_FOR(!netns_ifindex(s.bed.far, "v1"), END_MS));
}

/* ---- ways to go ---- */

/* Userspace tries until it gets through. */
static bool tell(int fd, const struct message *m, int gone)
{
	struct answer a = message_send(fd, m);

	return a.acked && (!a.err || a.err == gone);
}

static void peers_deleted(void)
{
	unsigned int i;

	for (i = 0; i < PEERS; i++)
		CHECK(WAIT_FOR(tell(s.genl, &s.del_peer[i], -ENOENT), END_MS));
}

static void device_deleted(void)
{
	CHECK(WAIT_FOR(tell(s.rtnl, &s.del_link, -ENODEV), END_MS));
}

static uint64_t peers_left(void)
{
	uint64_t count;

	fault_spare(true);
	count = ethtool_count(s.bed.near, DEV, "peers");
	fault_spare(false);
	return count;
}

static void connections_reset(void)
{
	unsigned int i;

	for (i = 1; i < PEERS; i += 2) {
		stream_reset(s.far[i].fd);
		s.far[i].fd = -1;
	}
	/* they are noticed by who sends */
	CHECK(WAIT_FOR(peers_left() <= PEERS / 2, END_MS));
	/* the others' sockets would hold the namespace, without end */
	device_deleted();
}

/* Without pings of their own, none of them is heard of again. */
static void set_timeouts(void)
{
	unsigned int i;

	for (i = 0; i < PEERS; i++)
		CHECK_ERR(0, ovpn_nl_set_peer(s.bed.nl, s.bed.ifindex, i, 1,
					      2));
}

static void peers_expire(void)
{
	traffic_end();
	CHECK(WAIT_FOR(!peers_left(), END_MS));
}

/* The device is moved away: the sockets would hold their own namespace. */
static void move_device(void)
{
	s.away = netns_new("away");
	netns_run(s.bed.near, "ip link set " DEV " netns %s",
		  netns_path(s.away));
	netns_run(s.away, "ip addr add " VPN_NEAR4 "/24 dev " DEV
		  " && ip link set " DEV " up");
}

/* All sockets are given back when the last peer has gone. */
static void namespace_gone(void)
{
	int encap = 1;
	socklen_t len = sizeof(encap);
	unsigned int i;

	netns_free(s.away);
	fault_spare(true);
	CHECK(WAIT_FOR(!getsockopt(s.bed.sock, SOL_UDP, UDP_ENCAP, &encap,
				   &len) && !encap, END_MS));
	for (i = 1; i < PEERS; i += 2)
		CHECK(stream_detached(s.far[i].sock));
}

static void module_removed(void)
{
	CHECK(WAIT_FOR(!syscall(SYS_delete_module, MODULE, O_NONBLOCK),
		       END_MS));
}

static void module_back(void)
{
	CHECK_EQ(0, netns_sh(NULL, "modprobe ovpn-dco-v2"));
}

/* ---- rounds ---- */

struct way {
	const char *name;
	void (*prepare)(void);	/* before memory is short */
	void (*go)(void);	/* while it is */
	void (*after)(void);
};

static void one_round(const struct way *way, enum fault_scope scope,
		      unsigned int percent)
{
	if (!stand_open())
		return;
	if (way->prepare)
		way->prepare();
	traffic_start();
	fault_start(scope, percent);
	way->go();
	fault_stop();
	stand_leave();
	netns_free(s.bed.far);
	if (way->after)
		way->after();
}

static const struct way ways[] = {
	{ "peers are deleted", .go = peers_deleted },
	{ "the device is deleted", .go = device_deleted },
	{ "connections are reset", .go = connections_reset },
	{ "peers expire", set_timeouts, peers_expire },
	{ "the namespace of the device goes", move_device, namespace_gone },
	{ "the module is removed", .go = module_removed,
	  .after = module_back },
};

int main(void)
{
	unsigned int i, k, count = scaled(ROUNDS);

	need_root();
	ktap_plan(ARRAY_SIZE(ways));
	if (!fault_available()) {
		ktap_skip_rest("needs a kernel with fault injection");
		return ktap_result();
	}
	/* a page fault must not be the allocation that fails */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		ktap_bail("mlockall: %m");
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		for (k = 0; k < count && ktap_good(); k++)
			one_round(&ways[i],
				  k & 1 ? FAULT_ATOMIC : FAULT_TASKS,
				  k & 2 ? 50 : 10);
		ktap_done("%s", ways[i].name);
	}
	return ktap_result();
}
