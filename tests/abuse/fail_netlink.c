// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each request with its first allocation failing, then with its second, and so
 * on until none is left to fail. Whenever it is refused, nothing has changed,
 * and OpenVPN survives the errno.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "abuse.h"
#include "data_util.h"
#include "message.h"

#define OLD		1	/* a peer that works */
#define NEW		2	/* one that is being made */
#define P2P		"tun1"
#define LINK		"new0"

/* Requests of all kinds. */
#define MIXED	2000

/* More than any request makes. */
#define MOST		3000
/*
 * What netlink itself allocates before and after it calls the module, at most,
 * and may have to refuse a request for, without a sentence.
 */
#define NOT_OURS	24

#ifndef UDP_ENCAP
#define UDP_ENCAP	100
#endif

static struct {
	struct data_bed *bed;
	struct data_far far;
	int family;
	int netlink[2];		/* generic, and of routes */
	int p2p;		/* index */
	int udp4, udp6;		/* for peers that are made */
	int tcp[2];
	struct message m;
} f;

struct attempt {
	const char *name;
	bool link;		/* a request about a link */
	bool dump;		/* the answer is made by netlink */
	void (*make)(void);	/* into f.m */
	bool (*done)(void);	/* is it in effect? NULL: has none */
	void (*undo)(void);
	void (*check_not)(void);	/* that nothing of it is there */
};

/* ---- messages ---- */

static void put_u8(int type, uint8_t value)
{
	message_put(&f.m, type, &value, sizeof(value));
}

static void put_u32(int type, uint32_t value)
{
	message_put(&f.m, type, &value, sizeof(value));
}

static size_t start(int cmd, int nest, int flags, uint32_t ifindex)
{
	struct genlmsghdr head = { .cmd = cmd, .version = OVPN_NL_VERSION };

	message_start(&f.m, f.family, flags, &head, sizeof(head));
	put_u32(OVPN_ATTR_IFINDEX, ifindex);
	return nest ? message_nest(&f.m, nest) : 0;
}

static void new_peer(uint32_t ifindex, uint32_t id, int sock)
{
	size_t nest = start(OVPN_CMD_NEW_PEER, OVPN_ATTR_NEW_PEER, 0, ifindex);
	struct sockaddr_in6 remote6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(9),
	};
	struct sockaddr_in remote = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
	};
	static const uint8_t vpn[4] = { 10, 8, 0, 77 };

	inet_pton(AF_INET, FAR4_C, &remote.sin_addr);
	inet_pton(AF_INET6, FAR6_B, &remote6.sin6_addr);
	put_u32(OVPN_NEW_PEER_ATTR_PEER_ID, id);
	put_u32(OVPN_NEW_PEER_ATTR_SOCKET, sock);
	message_put(&f.m, OVPN_NEW_PEER_ATTR_IPV4, vpn, sizeof(vpn));
	if (sock == f.udp6)
		message_put(&f.m, OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &remote6,
			    sizeof(remote6));
	else
		message_put(&f.m, OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &remote,
			    sizeof(remote));
	message_nest_end(&f.m, nest);
}

static void make_peer_udp4(void)
{
	new_peer(f.bed->ifindex, NEW, f.udp4);
}

static void make_peer_udp6(void)
{
	new_peer(f.bed->ifindex, NEW, f.udp6);
}

static void make_peer_tcp(void)
{
	new_peer(f.bed->ifindex, NEW, f.tcp[0]);
}

/* A point-to-point device gives up the peer that it had. */
static void make_peer_p2p(void)
{
	new_peer(f.p2p, NEW, f.udp4);
}

static void make_set_peer(void)
{
	size_t nest = start(OVPN_CMD_SET_PEER, OVPN_ATTR_SET_PEER, 0,
			    f.bed->ifindex);

	put_u32(OVPN_SET_PEER_ATTR_PEER_ID, OLD);
	put_u32(OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL, 100);
	put_u32(OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT, 900);
	message_nest_end(&f.m, nest);
}

static void make_del_peer(void)
{
	size_t nest = start(OVPN_CMD_DEL_PEER, OVPN_ATTR_DEL_PEER, 0,
			    f.bed->ifindex);

	put_u32(OVPN_DEL_PEER_ATTR_PEER_ID, NEW);
	message_nest_end(&f.m, nest);
}

static void make_get_peer(void)
{
	size_t nest = start(OVPN_CMD_GET_PEER, OVPN_ATTR_GET_PEER, 0,
			    f.bed->ifindex);

	put_u32(OVPN_GET_PEER_ATTR_PEER_ID, OLD);
	message_nest_end(&f.m, nest);
}

static void make_dump(void)
{
	start(OVPN_CMD_GET_PEER, 0, NLM_F_DUMP, f.bed->ifindex);
}

static void put_direction(int type, const struct wire_key *key)
{
	size_t nest = message_nest(&f.m, type);

	message_put(&f.m, OVPN_KEY_DIR_ATTR_CIPHER_KEY, key->key, key->len);
	message_put(&f.m, OVPN_KEY_DIR_ATTR_NONCE_TAIL, key->nonce_tail,
		    sizeof(key->nonce_tail));
	message_nest_end(&f.m, nest);
}

/* Other keys than those that the far end has, with another number. */
static void make_key(enum ovpn_key_slot_name slot, uint16_t alg)
{
	size_t nest = start(OVPN_CMD_NEW_KEY, OVPN_ATTR_NEW_KEY, 0,
			    f.bed->ifindex);
	struct wire_key key;

	wire_key_random(&key, alg, 32, 7);
	put_u32(OVPN_NEW_KEY_ATTR_PEER_ID, OLD);
	put_u8(OVPN_NEW_KEY_ATTR_KEY_SLOT, slot);
	put_u8(OVPN_NEW_KEY_ATTR_KEY_ID, key.id);
	message_put(&f.m, OVPN_NEW_KEY_ATTR_CIPHER_ALG, &alg, sizeof(alg));
	put_direction(OVPN_NEW_KEY_ATTR_ENCRYPT_KEY, &key);
	put_direction(OVPN_NEW_KEY_ATTR_DECRYPT_KEY, &key);
	message_nest_end(&f.m, nest);
}

static void make_key_primary(void)
{
	make_key(OVPN_KEY_SLOT_PRIMARY, OVPN_CIPHER_ALG_AES_GCM);
}

static void make_key_secondary(void)
{
	make_key(OVPN_KEY_SLOT_SECONDARY, OVPN_CIPHER_ALG_CHACHA20_POLY1305);
}

static void make_swap(void)
{
	size_t nest = start(OVPN_CMD_SWAP_KEYS, OVPN_ATTR_SWAP_KEYS, 0,
			    f.bed->ifindex);

	put_u32(OVPN_SWAP_KEYS_ATTR_PEER_ID, OLD);
	message_nest_end(&f.m, nest);
}

static void make_del_key(void)
{
	size_t nest = start(OVPN_CMD_DEL_KEY, OVPN_ATTR_DEL_KEY, 0,
			    f.bed->ifindex);

	put_u32(OVPN_DEL_KEY_ATTR_PEER_ID, OLD);
	put_u8(OVPN_DEL_KEY_ATTR_KEY_SLOT, OVPN_KEY_SLOT_PRIMARY);
	message_nest_end(&f.m, nest);
}

static void link_message(int type, int flags)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };

	message_start(&f.m, type, flags, &head, sizeof(head));
	message_put(&f.m, IFLA_IFNAME, LINK, sizeof(LINK));
}

static void make_link(void)
{
	size_t info, data;

	link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	info = message_nest(&f.m, IFLA_LINKINFO);
	message_put(&f.m, IFLA_INFO_KIND, OVPN_DCO_LINK_KIND,
		    strlen(OVPN_DCO_LINK_KIND));
	data = message_nest(&f.m, IFLA_INFO_DATA);
	put_u8(IFLA_OVPN_MODE, OVPN_MODE_MP);
	message_nest_end(&f.m, data);
	message_nest_end(&f.m, info);
}

static void make_del_link(void)
{
	link_message(RTM_DELLINK, 0);
}

/* ---- what is in effect ---- */

static bool has_peer(uint32_t ifindex, uint32_t id)
{
	struct ovpn_peer_info info;
	int err = ovpn_nl_get_peer(f.bed->nl, ifindex, id, &info);

	CHECK_MSG(!err || err == -ENOENT, "GET_PEER: %s", strerror(-err));
	return !err;
}

static bool new_there(void)
{
	return has_peer(f.bed->ifindex, NEW);
}

static bool new_gone(void)
{
	return !new_there();
}

/* One and only one of both. */
static bool p2p_new_there(void)
{
	bool there = has_peer(f.p2p, NEW);

	CHECK_EQ(!there, has_peer(f.p2p, OLD));
	return there;
}

static bool keepalive_set(void)
{
	struct ovpn_peer_info info = { 0 };

	CHECK_ERR(0, ovpn_nl_get_peer(f.bed->nl, f.bed->ifindex, OLD, &info));
	CHECK_EQ(!info.interval, !info.timeout);
	return info.interval;
}

/* Number of the key that packets are sealed with, -1 if there is none. */
static int key_used(void)
{
	uint8_t inner[100], packet[WIRE_MAX];
	struct wire_header h;
	ssize_t len;

	len = data_inner(inner, VPN_NEAR4, VPN_FAR4, sizeof(inner), 1);
	CHECK_ERR(0, data_near_send(f.bed, inner, len));
	/* it is there at once, or it is dropped for want of a key */
	len = udp_recv(f.far.fd, packet, sizeof(packet), 1000, NULL);
	return len > 0 && wire_parse(packet, len, &h) ? h.key_id : -1;
}

static bool key_replaced(void)
{
	return key_used() == 7;
}

static bool key_gone(void)
{
	return key_used() < 0;
}

static bool secondary_there(void)
{
	bool there;

	/* the slots are swapped to see what is in it, and swapped back */
	CHECK_ERR(0, ovpn_nl_swap_keys(f.bed->nl, f.bed->ifindex, OLD));
	there = key_used() == 7;
	CHECK_ERR(0, ovpn_nl_swap_keys(f.bed->nl, f.bed->ifindex, OLD));
	return there;
}

static bool link_there(void)
{
	return netns_ifindex(f.bed->near, LINK);
}

static bool link_gone(void)
{
	return !link_there();
}

/* ---- and back ---- */

static void check_socket_free(int fd)
{
	int encap = 1;
	socklen_t len = sizeof(encap);

	CHECK(WAIT_FOR(!getsockopt(fd, SOL_UDP, UDP_ENCAP, &encap, &len) &&
		       !encap, DATA_WAIT_MS));
}

static void udp4_free(void)
{
	check_socket_free(f.udp4);
}

static void udp6_free(void)
{
	check_socket_free(f.udp6);
}

static void tcp_free(void)
{
	CHECK(stream_detached(f.tcp[0]));
}

static void undo_peer(void)
{
	CHECK_ERR(0, ovpn_nl_del_peer(f.bed->nl, f.bed->ifindex, NEW));
	udp4_free();
	udp6_free();
	tcp_free();
}

static int add_peer(uint32_t ifindex, uint32_t id, int sock)
{
	const struct ovpn_peer_args args = {
		.id = id,
		.socket = sock,
		.remote = FAR4_C,
		.remote_port = 9,
		.ipv4 = "10.8.0.77",
	};

	return ovpn_nl_new_peer(f.bed->nl, ifindex, &args);
}

static void undo_p2p(void)
{
	CHECK_ERR(0, add_peer(f.p2p, OLD, f.udp4));
}

static void undo_set_peer(void)
{
	CHECK_ERR(0, ovpn_nl_set_peer(f.bed->nl, f.bed->ifindex, OLD, 0, 0));
}

static void undo_del_peer(void)
{
	CHECK_ERR(0, add_peer(f.bed->ifindex, NEW, f.udp4));
}

static void undo_primary(void)
{
	CHECK_ERR(0, data_key_install(f.bed, &f.far, OVPN_KEY_SLOT_PRIMARY));
	f.far.next = 1;
}

static void undo_secondary(void)
{
	CHECK_ERR(0, ovpn_nl_del_key(f.bed->nl, f.bed->ifindex, OLD,
				     OVPN_KEY_SLOT_SECONDARY));
}

static void undo_swap(void)
{
	CHECK_ERR(0, ovpn_nl_swap_keys(f.bed->nl, f.bed->ifindex, OLD));
}

static void undo_link(void)
{
	CHECK_ERR(0, ovpn_link_del(f.bed->near, LINK));
}

static void undo_del_link(void)
{
	CHECK_GE(1, ovpn_link_new(f.bed->near, LINK, OVPN_MODE_MP));
}

/* ---- one request, again and again ---- */

/* Only a system call may happen while a fault is armed. */
static bool attempt(const struct attempt *a, unsigned int n,
		    struct answer *answer)
{
	int fd = f.netlink[a->link];
	bool injected;

	memset(answer, 0, sizeof(*answer));
	a->make();
	fault_arm(n);
	answer->err = message_post(fd, &f.m);
	injected = fault_disarm();
	answer->sent = !answer->err;
	if (answer->sent)
		message_read(fd, answer);
	return injected;
}

static void check_errno(const struct attempt *a, unsigned int n,
			const struct answer *r)
{
	/* the kernel's own, which nobody can help */
	if (a->link)
		return;
	switch (-r->err) {
	case ENOMEM:
	case ENOBUFS:
		if (a->dump || (!r->explained && n <= NOT_OURS))
			return;
		break;
	case EBUSY:
		CHECK_MSG(r->explained, "%u: refused without a sentence", n);
		return;
	}
	CHECK_MSG(false, "%u: %s, which OpenVPN does not expect%s", n,
		  strerror(-r->err), r->explained ? "" : " (no sentence)");
}

static void check_bed(void)
{
	CHECK(data_to_far(f.bed, &f.far, NULL, NULL));
	CHECK(data_to_near(f.bed, &f.far));
}

/* True if there is more to let fail. */
static bool one_step(const struct attempt *a, unsigned int n,
		     unsigned int *refused)
{
	struct answer r;
	bool injected = attempt(a, n, &r);
	bool done = a->done && a->done();

	if (r.acked && !r.err) {
		CHECK_MSG(done || !a->done, "%u: success without effect", n);
	} else if (r.acked || !r.sent) {
		CHECK_MSG(!done, "%u: %s, but it took effect", n,
			  strerror(-r.err));
		(*refused)++;
	}
	if (r.acked && r.err)
		check_errno(a, n, &r);
	CHECK_MSG(r.acked || injected, "%u: no answer: %s", n,
		  strerror(-r.err));
	if (done)
		a->undo();
	else if (a->check_not)
		a->check_not();
	return injected;
}

static void fail_each(const struct attempt *a)
{
	unsigned int n = 1, refused = 0;

	while (n < MOST && ktap_good() && one_step(a, n, &refused)) {
		if (!(n % 16))
			check_bed();
		n++;
	}
	CHECK_MSG(n < MOST, "it goes on allocating");
	check_bed();
	CHECK(refused);
	ktap_note("%s: %u allocations, refused %u times", a->name, n - 1,
		  refused);
}

/* ---- the stand ---- */

static const struct attempt udp4 = {
	"NEW_PEER", .make = make_peer_udp4, .done = new_there,
	.undo = undo_peer, .check_not = udp4_free,
};

static const struct attempt udp6 = {
	"NEW_PEER, IPv6", .make = make_peer_udp6, .done = new_there,
	.undo = undo_peer, .check_not = udp6_free,
};

static const struct attempt tcp = {
	"NEW_PEER, TCP", .make = make_peer_tcp, .done = new_there,
	.undo = undo_peer, .check_not = tcp_free,
};

static const struct attempt p2p = {
	"NEW_PEER in place of another", .make = make_peer_p2p,
	.done = p2p_new_there, .undo = undo_p2p,
};

static const struct attempt set_peer = {
	"SET_PEER", .make = make_set_peer, .done = keepalive_set,
	.undo = undo_set_peer,
};

static const struct attempt del_peer = {
	"DEL_PEER", .make = make_del_peer, .done = new_gone,
	.undo = undo_del_peer,
};

static const struct attempt new_key = {
	"NEW_KEY, in use", .make = make_key_primary, .done = key_replaced,
	.undo = undo_primary,
};

static const struct attempt new_key_2 = {
	"NEW_KEY, the next one", .make = make_key_secondary,
	.done = secondary_there, .undo = undo_secondary,
};

static const struct attempt swap_keys = {
	"SWAP_KEYS", .make = make_swap, .done = key_replaced,
	.undo = undo_swap,
};

static const struct attempt del_key = {
	"DEL_KEY", .make = make_del_key, .done = key_gone,
	.undo = undo_primary,
};

static const struct attempt get_peer = {
	"GET_PEER", .make = make_get_peer,
};

static const struct attempt dump = {
	"GET_PEER, all", .dump = true, .make = make_dump,
};

static const struct attempt new_link = {
	"a new device", .link = true, .make = make_link, .done = link_there,
	.undo = undo_link,
};

static const struct attempt del_link = {
	"a device goes", .link = true, .make = make_del_link,
	.done = link_gone, .undo = undo_del_link,
};

static bool set_up(struct data_bed *bed)
{
	const struct data_far_args args = { .id = OLD };
	struct nl_msg *msg;

	f.bed = bed;
	if (!fault_available()) {
		ktap_skip("needs a kernel with fault injection");
		return false;
	}
	/* a page fault must not be the allocation that fails */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		ktap_bail("mlockall: %m");
	msg = ovpn_nl_msg(bed->nl, OVPN_CMD_GET_PEER, 0);
	f.family = nlmsg_hdr(msg)->nlmsg_type;
	nlmsg_free(msg);
	f.netlink[false] = message_socket(bed->near, NETLINK_GENERIC);
	f.netlink[true] = message_socket(bed->near, NETLINK_ROUTE);
	f.udp4 = udp_socket(bed->near, "0.0.0.0", 0);
	f.udp6 = udp_socket(bed->near, "::", 0);
	tcp_socket_pair(bed->near, f.tcp);
	f.p2p = ovpn_link_new(bed->near, P2P, OVPN_MODE_P2P);
	return CHECK_GE(1, f.p2p) && data_far_add(bed, &f.far, &args);
}

static void tear_down(void)
{
	close(f.netlink[false]);
	close(f.netlink[true]);
	close(f.udp4);
	close(f.udp6);
	close(f.tcp[0]);
	close(f.tcp[1]);
	data_far_close(&f.far);
}

static void run(struct data_bed *bed)
{
	const struct attempt *a = bed->arg;

	if (!set_up(bed))
		return;
	if (a == &p2p)
		undo_p2p();
	if (a == &del_peer)
		undo_del_peer();
	if (a == &del_link)
		undo_del_link();
	if (a == &swap_keys) {
		make_key_secondary();
		CHECK_ERR(0, message_send(f.netlink[false], &f.m).err);
		CHECK(secondary_there());
	}
	/* caches are filled, modules loaded */
	a->make();
	CHECK_ERR(0, message_send(f.netlink[a->link], &f.m).err);
	if (a->done && CHECK(a->done()))
		a->undo();
	fail_each(a);
	tear_down();
}

/* ---- all of them, while any allocation may fail ---- */

static const struct attempt *const all[] = {
	&udp4, &udp6, &tcp, &p2p, &set_peer, &del_peer, &new_key, &new_key_2,
	&swap_keys, &del_key, &get_peer, &dump, &new_link, &del_link,
};

static void check_mixed(const struct attempt *a, const struct answer *r)
{
	if (a->link)
		return;
	switch (-r->err) {
	case ENOMEM:
	case ENOBUFS:
		CHECK_MSG(a->dump || !r->explained, "%s: %s", a->name,
			  strerror(-r->err));
		break;
	case 0:
	case EBUSY:
	case EEXIST:
	case ENOENT:
	case ENOTSOCK:
		break;
	default:
		CHECK_MSG(false, "%s: %s", a->name, strerror(-r->err));
	}
}

static void in_any_order(struct data_bed *bed)
{
	static struct message ready[ARRAY_SIZE(all)];
	unsigned int i, k, count = scaled(MIXED), refused = 0, done = 0;
	struct answer r;

	if (!set_up(bed))
		return;
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		all[i]->make();
		ready[i] = f.m;
	}
	fault_start(FAULT_TASKS, 2);
	for (i = 0; i < count && ktap_good(); i++) {
		k = chance_below(ARRAY_SIZE(all));
		r = message_send(f.netlink[all[k]->link], &ready[k]);
		if (r.acked)
			check_mixed(all[k], &r);
		if (r.acked && !r.err)
			done++;
		else
			refused++;
		/* an answer without memory for it */
		while (recv(f.netlink[all[k]->link], &f.m.bytes, 1,
			    MSG_DONTWAIT | MSG_TRUNC) >= 0)
			;
	}
	fault_stop();
	ktap_note("%u done, %u refused", done, refused);
	CHECK(done);
	CHECK(refused);
	ovpn_nl_del_peer(bed->nl, bed->ifindex, NEW);
	ovpn_nl_del_key(bed->nl, bed->ifindex, OLD, OVPN_KEY_SLOT_SECONDARY);
	undo_primary();
	check_bed();
	tear_down();
}

#define CASE(attempt)	{ "memory for " #attempt, { OVPN_MODE_MP }, run, \
			  &(attempt) }

static const struct data_case cases[] = {
	CASE(udp4), CASE(udp6), CASE(tcp), CASE(p2p), CASE(set_peer),
	CASE(del_peer), CASE(new_key), CASE(new_key_2), CASE(swap_keys),
	CASE(del_key), CASE(get_peer), CASE(dump), CASE(new_link),
	CASE(del_link),
	{ "any request while memory is short", { OVPN_MODE_MP },
	  in_any_order },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
