// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that began well-formed and were then broken: lengths, types, nests,
 * values, with descriptors of all sorts as the transport. A peer beside them
 * goes on working.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "abuse.h"
#include "data_util.h"
#include "family.h"
#include "message.h"

#define REQUESTS	20000
#define LINKS		1000
/* So many requests apart, what has come of them is looked at and removed. */
#define ROUND		500
/* Peers that the requests are about, and one that they are not. */
#define IDS		48
#define GOOD_ID		0x654321
/* A mutated id makes a peer of its own. */
#define MAX_PEERS	ROUND

#define MAX_FDS		24
#define P2P		"tun1"

static struct {
	struct data_bed *bed;
	struct data_far far;
	uint32_t index[3];	/* the device of the bed, one more, one of */
	unsigned int indexes;	/* another kind */
	int family;
	int fds[MAX_FDS];
	unsigned int count;
	int tcp[2];
	int netlink;
	unsigned int errors[256];
	unsigned int done[16];	/* requests that succeeded */
} f;

/* ---- descriptors ---- */

/* Moves one to where a mutated number does not find it. */
static int out_of_reach(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 777);

	if (moved < 0)
		ktap_bail("cannot duplicate a descriptor: %m");
	close(fd);
	return moved;
}

static void keep(int fd)
{
	if (fd < 0 || f.count == MAX_FDS)
		ktap_bail("cannot open a descriptor: %m");
	f.fds[f.count++] = fd;
}

static int tcp_listening(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || listen(fd, 1))
		ktap_bail("listen: %m");
	return fd;
}

static int udp_connected(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		ktap_bail("connect: %m");
	return fd;
}

/* Two that are connected with each other: a peer may have got the old ones. */
static void renew_tcp(void)
{
	int fds[2];

	tcp_socket_pair(f.bed->near, fds);
	dup2(fds[0], f.tcp[0]);
	dup2(fds[1], f.tcp[1]);
	close(fds[0]);
	close(fds[1]);
}

static void open_fds(void)
{
	int pair[2];

	f.count = 0;
	netns_enter(f.bed->near);
	keep(fcntl(f.bed->sock, F_DUPFD_CLOEXEC, 0));
	keep(udp_socket(NULL, "::", 0));
	keep(udp_socket(NULL, "127.0.0.1", 0));
	keep(udp_connected());
	keep(tcp_listening());
	keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	keep(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
	keep(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
	keep(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	keep(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
	tcp_socket_pair(NULL, f.tcp);
	keep(f.tcp[0]);
	keep(f.tcp[1]);
	netns_enter(netns_home());
	keep(udp_socket(f.bed->far, "0.0.0.0", 0));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		ktap_bail("socketpair: %m");
	keep(pair[0]);
	keep(pair[1]);
	keep(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (pipe2(pair, O_CLOEXEC))
		ktap_bail("pipe: %m");
	keep(pair[0]);
	keep(pair[1]);
	keep(open("/dev/null", O_RDWR | O_CLOEXEC));
	keep(open("/", O_PATH | O_CLOEXEC));
	keep(epoll_create1(EPOLL_CLOEXEC));
	keep(eventfd(0, EFD_CLOEXEC));
}

static void close_fds(void)
{
	while (f.count)
		close(f.fds[--f.count]);
}

static uint32_t some_fd(void)
{
	/* mostly what works, now and then what is closed */
	if (once_in(12))
		return chance_number();
	return f.fds[chance_below(once_in(2) ? 3 : f.count)];
}

/* ---- well-formed requests ---- */

static void put_u8(struct message *m, int type, uint8_t value)
{
	message_put(m, type, &value, sizeof(value));
}

static void put_u32(struct message *m, int type, uint32_t value)
{
	message_put(m, type, &value, sizeof(value));
}

static void put_addr(struct message *m, int type, size_t len)
{
	uint8_t addr[16] = { 10, 9 };

	if (len == 16)
		addr[0] = 0xfd;
	chance_bytes(addr + len - 2, 2);
	message_put(m, type, addr, len);
}

static void put_new_peer(struct message *m)
{
	struct sockaddr_in6 remote6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(1 + chance_below(60000)),
		.sin6_addr.s6_addr = { 0xfd, 0x77, [15] = 3 + chance_below(99) },
	};
	struct sockaddr_in remote = {
		.sin_family = AF_INET,
		.sin_port = remote6.sin6_port,
		.sin_addr.s_addr = htonl(0xc0a84d00 + chance_below(256)),
	};

	put_u32(m, OVPN_NEW_PEER_ATTR_SOCKET, some_fd());
	if (once_in(4))
		message_put(m, OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &remote6,
			    sizeof(remote6));
	else
		message_put(m, OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &remote,
			    sizeof(remote));
	if (!once_in(4))
		put_addr(m, OVPN_NEW_PEER_ATTR_IPV4, 4);
	if (!once_in(4))
		put_addr(m, OVPN_NEW_PEER_ATTR_IPV6, 16);
	if (once_in(4))
		put_addr(m, OVPN_NEW_PEER_ATTR_LOCAL_IP, once_in(2) ? 4 : 16);
}

static void put_new_key(struct message *m)
{
	static const uint8_t lengths[] = { 16, 24, 32 };
	bool chacha = once_in(3);
	uint16_t alg = chacha ? OVPN_CIPHER_ALG_CHACHA20_POLY1305 :
				OVPN_CIPHER_ALG_AES_GCM;
	uint8_t bytes[32];
	size_t nest, len;
	int dir;

	len = chacha ? 32 : lengths[chance_below(ARRAY_SIZE(lengths))];
	chance_bytes(bytes, sizeof(bytes));
	put_u8(m, OVPN_NEW_KEY_ATTR_KEY_SLOT, chance_below(2));
	put_u8(m, OVPN_NEW_KEY_ATTR_KEY_ID, chance_below(8));
	message_put(m, OVPN_NEW_KEY_ATTR_CIPHER_ALG, &alg, sizeof(alg));
	for (dir = OVPN_NEW_KEY_ATTR_ENCRYPT_KEY;
	     dir <= OVPN_NEW_KEY_ATTR_DECRYPT_KEY; dir++) {
		nest = message_nest(m, dir);
		message_put(m, OVPN_KEY_DIR_ATTR_CIPHER_KEY, bytes, len);
		message_put(m, OVPN_KEY_DIR_ATTR_NONCE_TAIL, bytes, 8);
		message_nest_end(m, nest);
	}
}

static void put_rest(struct message *m, int cmd)
{
	switch (cmd) {
	case OVPN_CMD_NEW_PEER:
		put_new_peer(m);
		break;
	case OVPN_CMD_SET_PEER:
		put_u32(m, OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL,
			once_in(2) ? chance_below(3) : chance_number());
		put_u32(m, OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT,
			once_in(4) ? chance_below(3) : chance_number());
		break;
	case OVPN_CMD_NEW_KEY:
		put_new_key(m);
		break;
	case OVPN_CMD_DEL_KEY:
		put_u8(m, OVPN_DEL_KEY_ATTR_KEY_SLOT, chance_below(2));
		break;
	}
}

static void put_port(struct message *m)
{
	uint16_t port = htons(1 + chance_below(60000));

	message_put(m, OVPN7_PEER_ATTR_REMOTE_PORT, &port, sizeof(port));
}

/* What both PEER_NEW and PEER_SET may have, mostly in combinations that do. */
static void put_peer_ovpn(struct message *m, bool is_new)
{
	uint8_t remote[16] = { 192, 168, 77, 3 + chance_below(99) };
	uint8_t remote6[16] = { 0xfd, 0x77, [15] = 3 + chance_below(99) };

	if (is_new)
		put_u32(m, OVPN7_PEER_ATTR_SOCKET, some_fd());
	if (is_new || once_in(2)) {
		if (once_in(4))
			message_put(m, OVPN7_PEER_ATTR_REMOTE_IPV6, remote6,
				    16);
		else
			message_put(m, OVPN7_PEER_ATTR_REMOTE_IPV4, remote, 4);
		put_port(m);
	}
	if (!once_in(3))
		put_addr(m, OVPN7_PEER_ATTR_VPN_IPV4, 4);
	if (!once_in(3))
		put_addr(m, OVPN7_PEER_ATTR_VPN_IPV6, 16);
	if (once_in(8))
		put_addr(m, OVPN7_PEER_ATTR_LOCAL_IPV4, 4);
	if (once_in(8))
		put_u32(m, OVPN7_PEER_ATTR_REMOTE_IPV6_SCOPE_ID, 1);
	if (once_in(3)) {
		put_u32(m, OVPN7_PEER_ATTR_KEEPALIVE_INTERVAL,
			chance_below(4));
		put_u32(m, OVPN7_PEER_ATTR_KEEPALIVE_TIMEOUT,
			chance_below(4));
	}
	if (once_in(3))
		put_u32(m, OVPN7_PEER_ATTR_TX_ID, chance_below(IDS));
}

static void put_key_ovpn(struct message *m)
{
	bool chacha = once_in(3);
	uint8_t bytes[32];
	size_t nest;
	int dir;

	chance_bytes(bytes, sizeof(bytes));
	put_u32(m, OVPN7_KEYCONF_ATTR_KEY_ID, chance_below(8));
	put_u32(m, OVPN7_KEYCONF_ATTR_CIPHER_ALG,
		chacha ? OVPN_CIPHER_ALG_CHACHA20_POLY1305 :
			 OVPN_CIPHER_ALG_AES_GCM);
	for (dir = OVPN7_KEYCONF_ATTR_ENCRYPT_DIR;
	     dir <= OVPN7_KEYCONF_ATTR_DECRYPT_DIR; dir++) {
		nest = message_nest(m, dir);
		message_put(m, OVPN7_KEYDIR_ATTR_CIPHER_KEY, bytes, 32);
		message_put(m, OVPN7_KEYDIR_ATTR_NONCE_TAIL, bytes, 8);
		message_nest_end(m, nest);
	}
}

/* The commands of a family that are none of its notifications. */
static const int commands_v2[] = {
	OVPN_CMD_NEW_PEER, OVPN_CMD_SET_PEER, OVPN_CMD_DEL_PEER,
	OVPN_CMD_NEW_KEY, OVPN_CMD_SWAP_KEYS, OVPN_CMD_DEL_KEY,
	OVPN_CMD_GET_PEER,
};

static const int commands_ovpn[] = {
	OVPN7_CMD_PEER_NEW, OVPN7_CMD_PEER_SET, OVPN7_CMD_PEER_GET,
	OVPN7_CMD_PEER_DEL, OVPN7_CMD_KEY_NEW, OVPN7_CMD_KEY_GET,
	OVPN7_CMD_KEY_SWAP, OVPN7_CMD_KEY_DEL,
};

static void make_request_ovpn(struct message *m)
{
	struct genlmsghdr head = { .version = family()->version };
	bool dump = once_in(32), is_key, good;
	size_t nest;

	/* more are made than deleted */
	head.cmd = once_in(5) ? OVPN7_CMD_PEER_NEW :
		   commands_ovpn[chance_below(ARRAY_SIZE(commands_ovpn))];
	if (dump)
		head.cmd = OVPN7_CMD_PEER_GET;
	is_key = head.cmd >= OVPN7_CMD_KEY_NEW;
	/* who has a key for certain, which does not change by being shown */
	good = head.cmd == OVPN7_CMD_KEY_GET && once_in(4);
	message_start(m, f.family, dump ? NLM_F_DUMP : 0, &head, sizeof(head));
	put_u32(m, OVPN7_ATTR_IFINDEX,
		f.index[good ? 0 : chance_below(f.indexes)]);
	if (dump && !once_in(4))
		return;
	nest = message_nest(m, is_key ? OVPN7_ATTR_KEYCONF : OVPN7_ATTR_PEER);
	/* the peer's id is attribute 1 of both */
	put_u32(m, OVPN7_PEER_ATTR_ID, good ? GOOD_ID : chance_below(IDS));
	if (head.cmd <= OVPN7_CMD_PEER_SET)
		put_peer_ovpn(m, head.cmd == OVPN7_CMD_PEER_NEW);
	if (is_key && head.cmd != OVPN7_CMD_KEY_SWAP)
		put_u32(m, OVPN7_KEYCONF_ATTR_SLOT,
			good ? OVPN_KEY_SLOT_PRIMARY : chance_below(2));
	if (head.cmd == OVPN7_CMD_KEY_NEW)
		put_key_ovpn(m);
	message_nest_end(m, nest);
}

static void make_request_v2(struct message *m)
{
	/* the nest of a command follows the index in the same order */
	static const int nest_of[] = {
		[OVPN_CMD_NEW_PEER] = OVPN_ATTR_NEW_PEER,
		[OVPN_CMD_SET_PEER] = OVPN_ATTR_SET_PEER,
		[OVPN_CMD_DEL_PEER] = OVPN_ATTR_DEL_PEER,
		[OVPN_CMD_NEW_KEY] = OVPN_ATTR_NEW_KEY,
		[OVPN_CMD_SWAP_KEYS] = OVPN_ATTR_SWAP_KEYS,
		[OVPN_CMD_DEL_KEY] = OVPN_ATTR_DEL_KEY,
		[OVPN_CMD_GET_PEER] = OVPN_ATTR_GET_PEER,
	};
	struct genlmsghdr head = { .version = OVPN_NL_VERSION };
	bool dump = once_in(32);
	size_t nest;

	/* more are made than deleted */
	head.cmd = once_in(5) ? OVPN_CMD_NEW_PEER :
				1 + chance_below(OVPN_CMD_GET_PEER);
	if (dump)
		head.cmd = OVPN_CMD_GET_PEER;
	message_start(m, f.family, dump ? NLM_F_DUMP : 0, &head, sizeof(head));
	put_u32(m, OVPN_ATTR_IFINDEX, f.index[chance_below(f.indexes)]);
	if (dump && !once_in(4))
		return;
	nest = message_nest(m, nest_of[head.cmd]);
	put_u32(m, head.cmd == OVPN_CMD_DEL_PEER ? OVPN_DEL_PEER_ATTR_PEER_ID :
						   OVPN_NEW_PEER_ATTR_PEER_ID,
		chance_below(IDS));
	put_rest(m, head.cmd);
	message_nest_end(m, nest);
}

static void make_request(struct message *m)
{
	if (speaks_ovpn())
		make_request_ovpn(m);
	else
		make_request_v2(m);
}

/* ---- answers ---- */

/* Does a device have this index that the requests are meant for? */
static bool is_ours(uint32_t index)
{
	return index == f.index[0] || index == f.index[1];
}

static void check_answer(const struct message *m, int err)
{
	const struct genlmsghdr *head = (void *)(m->bytes + NLMSG_HDRLEN);

	f.errors[-err & 0xff]++;
	switch (-err) {
	case 0:
		if (head->cmd < ARRAY_SIZE(f.done))
			f.done[head->cmd]++;
		break;
	case ENODEV:
		CHECK_MSG(!is_ours(message_value(m, OVPN_ATTR_IFINDEX, 0)),
			  "ENODEV for a device that is there");
		break;
	case EBUSY:
		CHECK_MSG(m->h.nlmsg_flags & NLM_F_DUMP, "EBUSY");
		break;
	case EINVAL:
	case ERANGE:
	case ENOENT:
	case EEXIST:
	case ENOTSOCK:
	case EOPNOTSUPP:
		break;
	case EADDRINUSE:
	case EADDRNOTAVAIL:
		CHECK(speaks_ovpn());
		break;
	default:
		CHECK_MSG(false, "command %u: %s", head->cmd, strerror(-err));
	}
}

/* The kernel has dealt with a request when send() returns. */
static void read_answers(const struct message *m)
{
	static union {
		struct nlmsghdr h;
		char bytes[65536];
	} buf;
	struct nlmsghdr *h;
	ssize_t len;

	for (;;) {
		len = recv(f.netlink, &buf, sizeof(buf), MSG_DONTWAIT);
		if (len < 0) {
			CHECK_EQ(EAGAIN, errno);
			return;
		}
		for (h = &buf.h; NLMSG_OK(h, (size_t)len);
		     h = NLMSG_NEXT(h, len))
			if (h->nlmsg_type == NLMSG_ERROR)
				check_answer(m, *(int *)NLMSG_DATA(h));
	}
}

static void send_message(struct message *m)
{
	CHECK_EQ(m->len, send(f.netlink, m->bytes, m->len, 0));
	read_answers(m);
}

/* ---- what has come of them ---- */

static void check_good_peer(void)
{
	CHECK(data_to_far(f.bed, &f.far, NULL, NULL));
	CHECK(data_to_near(f.bed, &f.far));
}

/* Lists the peers of a device, removes all but the good one. */
static void clear(uint32_t ifindex)
{
	struct ovpn_peer_info *list = NULL;
	int count, i, good = 0, err;

	count = ovpn_nl_dump(f.bed->nl, ifindex, &list);
	/* they may expire while they are listed */
	if (!CHECK_RANGE(0, MAX_PEERS, count))
		return;
	for (i = 0; i < count; i++) {
		CHECK_EQ(0, list[i].surplus);
		CHECK_RANGE(0, 0xffffff, list[i].id);
		if (list[i].id == GOOD_ID) {
			good++;
			continue;
		}
		err = ovpn_nl_del_peer(f.bed->nl, ifindex, list[i].id);
		CHECK_MSG(!err || err == -ENOENT, "DEL_PEER: %s",
			  strerror(-err));
	}
	free(list);
	CHECK_EQ(ifindex == f.index[0], good);
}

static void end_round(void)
{
	clear(f.index[0]);
	clear(f.index[1]);
	check_good_peer();
	renew_tcp();
}

static void report(void)
{
	unsigned int i, count;
	int cmd;

	for (i = 0; i < ARRAY_SIZE(f.errors); i++)
		if (f.errors[i])
			ktap_note("%u times: %s", f.errors[i],
				  i ? strerror(i) : "success");
	/* or it has not tried much */
	count = speaks_ovpn() ? ARRAY_SIZE(commands_ovpn) :
				ARRAY_SIZE(commands_v2);
	for (i = 0; i < count; i++) {
		cmd = speaks_ovpn() ? commands_ovpn[i] : commands_v2[i];
		CHECK_MSG(f.done[cmd], "command %d never succeeded", cmd);
	}
	CHECK(f.errors[EINVAL] > f.errors[0] / 10);
}

static void requests(struct data_bed *bed)
{
	struct data_far_args args = { .id = GOOD_ID };
	unsigned int i, count = scaled(REQUESTS);
	struct nl_msg *msg;
	int p2p;

	f.bed = bed;
	p2p = ovpn_link_new(bed->near, P2P, OVPN_MODE_P2P);
	if (!CHECK_GE(1, p2p) || !data_far_add(bed, &f.far, &args))
		return;
	f.far.fd = out_of_reach(f.far.fd);
	netns_up(bed->near, P2P);
	f.index[0] = bed->ifindex;
	f.index[1] = p2p;
	f.index[2] = netns_ifindex(bed->near, "lo");
	f.indexes = 3;
	msg = ovpn_nl_msg(bed->nl, 0, 0);
	f.family = nlmsg_hdr(msg)->nlmsg_type;
	nlmsg_free(msg);
	open_fds();
	netns_enter(bed->near);
	f.netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			   NETLINK_GENERIC);
	netns_enter(netns_home());

	for (i = 1; i <= count && ktap_good(); i++) {
		struct message m;

		/* something to break */
		if (once_in(3)) {
			make_request(&m);
			send_message(&m);
		}
		make_request(&m);
		message_mutate(&m);
		send_message(&m);
		if (!(i % ROUND) || i == count)
			end_round();
	}
	report();
	close(f.netlink);
	close_fds();
	CHECK_ERR(0, ovpn_link_del(bed->near, P2P));
	check_good_peer();
	data_far_close(&f.far);
}

/* ---- links ---- */

#define NEW		"new0"

static void make_link(struct message *m)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	size_t info, data;

	message_start(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head,
		      sizeof(head));
	message_put(m, IFLA_IFNAME, NEW, sizeof(NEW));
	info = message_nest(m, IFLA_LINKINFO);
	message_put(m, IFLA_INFO_KIND, family()->kind, strlen(family()->kind));
	data = message_nest(m, IFLA_INFO_DATA);
	put_u8(m, IFLA_OVPN_MODE, chance_below(2));
	message_nest_end(m, data);
	message_nest_end(m, info);
}

/*
 * Only the part that is the module's: what a broken name or address means is
 * rtnetlink's business.
 */
static void break_link(struct message *m)
{
	struct nlattr *mode = (void *)(m->bytes + m->len - NLA_HDRLEN - 4);
	uint8_t *value = (uint8_t *)(mode + 1);

	switch (chance_below(4)) {
	case 0:
		*value = chance_number();
		break;
	case 1:
		mode->nla_type = chance_number();
		break;
	case 2:
		mode->nla_len = chance_below(9);
		break;
	default:
		break;
	}
}

static void links(struct data_bed *bed)
{
	unsigned int i, count = scaled(LINKS), made = 0;
	struct ovpn_link_info info;
	int back, fd;

	back = netns_visit(bed->near);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	netns_back(back);
	for (i = 0; i < count && ktap_good(); i++) {
		struct message m, answer;

		make_link(&m);
		break_link(&m);
		CHECK_EQ(m.len, send(fd, m.bytes, m.len, 0));
		CHECK_GE(NLMSG_HDRLEN + sizeof(int),
			 recv(fd, answer.bytes, sizeof(answer.bytes), 0));
		CHECK_EQ(NLMSG_ERROR, answer.h.nlmsg_type);
		if (*(int *)NLMSG_DATA(&answer.h)) {
			CHECK_EQ(0, netns_ifindex(bed->near, NEW));
			continue;
		}
		made++;
		CHECK_ERR(0, ovpn_link_get(bed->near, NEW, &info));
		CHECK_STREQ(family()->kind, info.kind);
		CHECK_RANGE(OVPN_MODE_P2P, OVPN_MODE_MP, info.mode);
		CHECK_ERR(0, ovpn_link_del(bed->near, NEW));
	}
	ktap_note("%u of %u made", made, count);
	CHECK(made);
	CHECK(made < count);
	close(fd);
}

static const struct data_case cases[] = {
	{ "broken requests", { OVPN_MODE_MP }, requests },
	{ "broken requests for a device", { OVPN_MODE_MP }, links },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
