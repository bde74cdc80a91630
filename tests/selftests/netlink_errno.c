// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which errno answers which mistake: OpenVPN 2.6 tells them apart. Each comes
 * with a sentence and leaves the device's peers as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/udp.h>

#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "request.h"

static struct fixture f;
static struct sockaddr_in far_addr;

/* ---- refusals ---- */

static void watch(void)
{
	fixture_watch(&f);
}

static void refused(int want, int got, const char *what)
{
	fixture_refused(&f, want, got, what);
}

static struct request_args good_args(uint32_t id)
{
	return (struct request_args){
		.ifindex = &f.ifindex,
		.id = id,
		.sock = f.sock,
		.remote = &far_addr,
		.remote_len = sizeof(far_addr),
	};
}

/* One request per command, each to be refused with this errno. */
static void all_refused(int want, const struct request_args *args, int last)
{
	int req;

	for (req = 0; req <= last; req++) {
		watch();
		refused(want, request_send(f.nl, req, args),
			request_names[req]);
	}
}

/* ---- the device ---- */

static void no_ifindex(void)
{
	struct request_args args = good_args(1);

	args.ifindex = NULL;
	all_refused(-EINVAL, &args, REQ_DUMP);
}

static void ifindex_of_other_kind(void)
{
	uint32_t lo = netns_ifindex(f.ns, "lo");
	struct request_args args = good_args(1);

	args.ifindex = &lo;
	all_refused(-EINVAL, &args, REQ_DUMP);
}

static void ifindex_of_nothing(void)
{
	static const uint32_t none = 0x7FFFFFF0, zero, negative = 0xFFFFFFFF;
	struct request_args args = good_args(1);

	args.ifindex = &none;
	all_refused(-ENODEV, &args, REQ_DUMP);
	args.ifindex = &zero;
	all_refused(-ENODEV, &args, REQ_DUMP);
	args.ifindex = &negative;
	all_refused(-ENODEV, &args, REQ_DUMP);
}

static void ifindex_of_other_netns(void)
{
	struct request_args args = good_args(1);
	struct fixture away;
	uint32_t there = 77, here = 99;
	int req;

	/* indexes that nothing else has */
	away.ns = netns_new("elsewhere");
	netns_run(away.ns, "ip link add there index %u type ovpn-dco", there);
	netns_run(f.ns, "ip link add here index %u type ovpn-dco", here);
	args.ifindex = &there;
	all_refused(-ENODEV, &args, REQ_DUMP);
	away.nl = ovpn_nl_open(away.ns);
	args.ifindex = &here;
	for (req = 0; req < REQ_COUNT; req++)
		CHECK_ERR(-ENODEV, request_send(away.nl, req, &args));
	ovpn_nl_close(away.nl);
	netns_free(away.ns);
	CHECK_ERR(0, ovpn_link_del(f.ns, "here"));
}

static void no_nest(void)
{
	struct request_args args = good_args(1);

	args.no_nest = true;
	all_refused(-EINVAL, &args, REQ_GET_PEER);
}

/* ---- NEW_PEER ---- */

/* A NEW_PEER with exactly these attributes. */
struct attr {
	int type;
	const void *data;
	size_t len;
};

static int new_peer(const struct attr *attrs, unsigned int count)
{
	struct nl_msg *msg = ovpn_nl_msg(f.nl, OVPN_CMD_NEW_PEER, 0);
	struct nlattr *nest;
	unsigned int i;

	ovpn_put_raw(msg, OVPN_ATTR_IFINDEX, &f.ifindex, sizeof(f.ifindex));
	nest = ovpn_nest(msg, OVPN_ATTR_NEW_PEER | NLA_F_NESTED);
	for (i = 0; i < count; i++)
		if (attrs[i].type)
			ovpn_put_raw(msg, attrs[i].type, attrs[i].data,
				     attrs[i].len);
	ovpn_nest_end(msg, nest);
	return ovpn_nl_send(f.nl, msg, NULL, NULL);
}

enum { ID, REMOTE, SOCKET, IPV4, LOCAL, ATTRS };

static void peer_attrs(struct attr *attrs)
{
	static const uint8_t vpn4[4] = { 10, 9, 1, 1 };
	static const uint32_t id = 100;

	attrs[ID] = (struct attr){ OVPN_NEW_PEER_ATTR_PEER_ID, &id, 4 };
	attrs[REMOTE] = (struct attr){ OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE,
				       &far_addr, sizeof(far_addr) };
	attrs[SOCKET] = (struct attr){ OVPN_NEW_PEER_ATTR_SOCKET, &f.sock, 4 };
	attrs[IPV4] = (struct attr){ OVPN_NEW_PEER_ATTR_IPV4, vpn4, 4 };
	attrs[LOCAL] = (struct attr){ 0 };
}

static void new_peer_incomplete(void)
{
	static const char *const what[] = {
		[ID] = "no PEER_ID", [REMOTE] = "no SOCKADDR_REMOTE",
		[SOCKET] = "no SOCKET", [IPV4] = "neither IPV4 nor IPV6",
	};
	struct attr attrs[ATTRS];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(what); i++) {
		peer_attrs(attrs);
		attrs[i].type = 0;
		watch();
		refused(-EINVAL, new_peer(attrs, ATTRS), what[i]);
	}
}

static void new_peer_remote(void)
{
	static const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	static const struct sockaddr_in6 liar6 = { .sin6_family = AF_INET };
	static const struct sockaddr_in liar4 = { .sin_family = AF_INET6 };
	static const struct sockaddr_in apple = { .sin_family = AF_APPLETALK };
	static const struct attr bad[] = {
		{ OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &liar4, 16 },
		{ OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &liar6, 28 },
		{ OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &apple, 16 },
		{ OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &v6, 24 },
	};
	struct attr attrs[ATTRS];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		peer_attrs(attrs);
		attrs[REMOTE] = bad[i];
		watch();
		refused(-EINVAL, new_peer(attrs, ATTRS), "bad remote");
	}
}

static void new_peer_local(void)
{
	static const uint8_t v6[16] = { 0xfd, [15] = 1 };
	static const struct attr bad[] = {
		{ OVPN_NEW_PEER_ATTR_LOCAL_IP, v6, 3 },
		{ OVPN_NEW_PEER_ATTR_LOCAL_IP, v6, 5 },
		{ OVPN_NEW_PEER_ATTR_LOCAL_IP, v6, 15 },
		{ OVPN_NEW_PEER_ATTR_LOCAL_IP, v6, 16 },
	};
	struct attr attrs[ATTRS];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		peer_attrs(attrs);
		attrs[LOCAL] = bad[i];
		watch();
		refused(-EINVAL, new_peer(attrs, ATTRS), "bad local address");
	}
}

static void new_peer_local_mapped(void)
{
	static const uint8_t mapped[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1,
	};
	struct ovpn_peer_info info;
	struct attr attrs[ATTRS];

	peer_attrs(attrs);
	attrs[LOCAL] = (struct attr){ OVPN_NEW_PEER_ATTR_LOCAL_IP, mapped, 16 };
	if (!CHECK_ERR(0, new_peer(attrs, ATTRS)))
		return;
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 100, &info));
	CHECK_EQ(4, info.len[OVPN_GET_PEER_RESP_ATTR_LOCAL_IP]);
	CHECK_MEMEQ(mapped + 12, info.local, 4);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 100));
}

static void refuse_socket(int fd, const char *what)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 100);

	args.socket = fd;
	watch();
	refused(-ENOTSOCK, ovpn_nl_new_peer(f.nl, f.ifindex, &args), what);
}

static void refuse_new_socket(int family, int type, int proto, const char *what)
{
	int back = netns_visit(f.ns);
	int fd = socket(family, type, proto);

	netns_back(back);
	if (fd < 0) {
		/* not every kernel has each protocol */
		ktap_note("no %s here: %m", what);
		return;
	}
	refuse_socket(fd, what);
	close(fd);
}

static void new_peer_no_socket(void)
{
	int fd = open("/dev/null", O_RDONLY), fds[2];

	refuse_socket(fd, "a device");
	close(fd);
	refuse_socket(fd, "a closed descriptor");
	refuse_socket(-1, "descriptor -1");
	refuse_socket(1 << 30, "a huge descriptor");
	if (!pipe(fds)) {
		refuse_socket(fds[0], "a pipe");
		close(fds[0]);
		close(fds[1]);
	}
}

static void new_peer_other_sockets(void)
{
	refuse_new_socket(AF_UNIX, SOCK_DGRAM, 0, "unix socket");
	refuse_new_socket(AF_NETLINK, SOCK_RAW, 0, "netlink socket");
	refuse_new_socket(AF_PACKET, SOCK_DGRAM, 0, "packet socket");
	refuse_new_socket(AF_INET, SOCK_RAW, IPPROTO_UDP, "raw socket");
	refuse_new_socket(AF_INET6, SOCK_RAW, IPPROTO_UDP, "raw IPv6 socket");
	refuse_new_socket(AF_INET, SOCK_DGRAM, 136, "UDP-Lite socket");
	refuse_new_socket(AF_INET, SOCK_STREAM, 0, "unconnected TCP socket");
}

static void new_peer_encap_socket(void)
{
	int fd = udp_socket(f.ns, "127.0.0.1", 0);
	int encap = UDP_ENCAP_ESPINUDP;

	if (setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &encap, sizeof(encap)))
		ktap_skip("no ESP in UDP here: %m");
	else
		refuse_socket(fd, "socket of another encapsulation");
	close(fd);
}

/*
 * The IPv6 send path on an IPv4 socket would run into the IPv6 part that such
 * a socket does not have.
 */
static void new_peer_socket_too_old(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 100);

	args.remote = "::1";
	watch();
	refused(-EINVAL, ovpn_nl_new_peer(f.nl, f.ifindex, &args),
		"IPv6 remote on an IPv4 socket");
}

static void new_peer_twice(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 1);

	args.remote_port++;
	args.ipv4 = "10.9.200.200";
	watch();
	refused(-EEXIST, ovpn_nl_new_peer(f.nl, f.ifindex, &args), "same id");
}

static void new_peer_same_address(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 1);

	args.id = 100;
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 100));
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 1, NULL));
}

/*
 * Ghosts of clients that came back, many of them: the newest is meant, but
 * none is refused, and each can be deleted.
 */
static void new_peer_crowd(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 100);
	uint32_t id;

	args.ipv6 = "fd09::100";
	for (id = 1000; id < 1200; id++) {
		args.id = id;
		if (!CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args))) {
			ktap_note("%s", ovpn_nl_extack(f.nl));
			break;
		}
	}
	CHECK_EQ(1 + id - 1000, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	while (id-- > 1000)
		CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, id));
	CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
}

static void id_range(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 0);
	struct request_args over = good_args(0x1000000);

	all_refused(-EINVAL, &over, REQ_GET_PEER);
	args.id = 0;
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 0));
	args.id = 0xFFFFFE;
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 0xFFFFFE));
}

/* ---- the others ---- */

static void unknown_id(void)
{
	struct request_args args = good_args(4711);
	int req;

	for (req = REQ_SET_PEER; req <= REQ_GET_PEER; req++) {
		watch();
		refused(-ENOENT, request_send(f.nl, req, &args),
			request_names[req]);
	}
}

static void set_peer_half(void)
{
	struct ovpn_peer_info info;

	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, 100, 200));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, 11, -1));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, -1, 22));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, -1, -1));
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 1, &info));
	CHECK_EQ(100, info.interval);
	CHECK_EQ(200, info.timeout);
}

/* A NEW_KEY without one attribute, or with other sizes than the right ones. */
static int new_key(int without, uint16_t alg, size_t key_len, size_t tail_len)
{
	struct nl_msg *msg = ovpn_nl_msg(f.nl, OVPN_CMD_NEW_KEY, 0);
	static const uint8_t zero[256];
	static const uint32_t id = 1;
	struct nlattr *nest, *dir;
	int type;

	ovpn_put_raw(msg, OVPN_ATTR_IFINDEX, &f.ifindex, sizeof(f.ifindex));
	nest = ovpn_nest(msg, OVPN_ATTR_NEW_KEY | NLA_F_NESTED);
	for (type = 1; type <= OVPN_NEW_KEY_ATTR_MAX; type++) {
		if (type == without)
			continue;
		if (type == OVPN_NEW_KEY_ATTR_PEER_ID) {
			ovpn_put_raw(msg, type, &id, 4);
		} else if (type == OVPN_NEW_KEY_ATTR_CIPHER_ALG) {
			ovpn_put_raw(msg, type, &alg, 2);
		} else if (type < OVPN_NEW_KEY_ATTR_CIPHER_ALG) {
			ovpn_put_raw(msg, type, zero, 1);
		} else {
			dir = ovpn_nest(msg, type | NLA_F_NESTED);
			ovpn_put_raw(msg, OVPN_KEY_DIR_ATTR_CIPHER_KEY, zero,
				     key_len);
			ovpn_put_raw(msg, OVPN_KEY_DIR_ATTR_NONCE_TAIL, zero,
				     tail_len);
			ovpn_nest_end(msg, dir);
		}
	}
	ovpn_nest_end(msg, nest);
	return ovpn_nl_send(f.nl, msg, NULL, NULL);
}

static void new_key_incomplete(void)
{
	int type;

	for (type = 1; type <= OVPN_NEW_KEY_ATTR_MAX; type++) {
		watch();
		refused(-EINVAL, new_key(type, OVPN_CIPHER_ALG_AES_GCM, 32, 8),
			"missing attribute");
	}
}

static void new_key_cipher(void)
{
	static const uint16_t bad[] = { OVPN_CIPHER_ALG_NONE, 3, 0x100, 65535 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		watch();
		refused(-EINVAL, new_key(0, bad[i], 32, 8), "bad cipher");
	}
}

static void new_key_sizes(void)
{
	static const struct {
		uint16_t alg;
		size_t key, tail;
	} bad[] = {
		{ OVPN_CIPHER_ALG_AES_GCM, 32, 7 },
		{ OVPN_CIPHER_ALG_AES_GCM, 32, 9 },
		{ OVPN_CIPHER_ALG_AES_GCM, 32, 0 },
		{ OVPN_CIPHER_ALG_AES_GCM, 0, 8 },
		{ OVPN_CIPHER_ALG_AES_GCM, 1, 8 },
		{ OVPN_CIPHER_ALG_AES_GCM, 17, 8 },
		{ OVPN_CIPHER_ALG_AES_GCM, 48, 8 },
		{ OVPN_CIPHER_ALG_AES_GCM, 255, 8 },
		{ OVPN_CIPHER_ALG_CHACHA20_POLY1305, 16, 8 },
		{ OVPN_CIPHER_ALG_CHACHA20_POLY1305, 31, 8 },
		{ OVPN_CIPHER_ALG_CHACHA20_POLY1305, 33, 8 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		watch();
		refused(-EINVAL, new_key(0, bad[i].alg, bad[i].key,
					 bad[i].tail), "bad size");
	}
}

static void new_key_good(void)
{
	CHECK_ERR(0, new_key(0, OVPN_CIPHER_ALG_AES_GCM, 16, 8));
	CHECK_ERR(0, new_key(0, OVPN_CIPHER_ALG_AES_GCM, 24, 8));
	CHECK_ERR(0, new_key(0, OVPN_CIPHER_ALG_AES_GCM, 32, 8));
	CHECK_ERR(0, new_key(0, OVPN_CIPHER_ALG_CHACHA20_POLY1305, 32, 8));
}

static void key_id_range(void)
{
	struct wire_key key;

	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 8);
	watch();
	refused(-EINVAL, ovpn_nl_new_key(f.nl, f.ifindex, 1,
					 OVPN_KEY_SLOT_PRIMARY, &key, &key),
		"key-id 8");
	key.id = 7;
	CHECK_ERR(0, ovpn_nl_new_key(f.nl, f.ifindex, 1, OVPN_KEY_SLOT_PRIMARY,
				     &key, &key));
}

static void empty_slots(uint32_t id)
{
	CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, id));
	CHECK_ERR(0, ovpn_nl_del_key(f.nl, f.ifindex, id,
				     OVPN_KEY_SLOT_PRIMARY));
	CHECK_ERR(0, ovpn_nl_del_key(f.nl, f.ifindex, id,
				     OVPN_KEY_SLOT_SECONDARY));
	/* and again: now they have just been emptied */
	CHECK_ERR(0, ovpn_nl_del_key(f.nl, f.ifindex, id,
				     OVPN_KEY_SLOT_PRIMARY));
	CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, id));
}

static void empty_slots_mp(void)
{
	fixture_peer(&f, 2);
	empty_slots(2);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 2));
}

static void del_peer_twice(void)
{
	fixture_peer(&f, 2);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 2));
	watch();
	refused(-ENOENT, ovpn_nl_del_peer(f.nl, f.ifindex, 2),
		"DEL_PEER of a deleted peer");
	/* deleted by hand is not expired: there is nothing to be lenient with */
	watch();
	refused(-ENOENT, ovpn_nl_swap_keys(f.nl, f.ifindex, 2),
		"SWAP_KEYS of a deleted peer");
}

/* ---- point-to-point ---- */

static void p2p(void)
{
	struct ovpn_peer_args args;
	struct fixture mp = f;

	fixture_start(&f, OVPN_MODE_P2P);
	args = fixture_peer_args(&f, 5);
	/* needs no VPN address */
	args.ipv4 = NULL;
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	empty_slots(5);
	/* replaces, under the same and another id */
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	args.id = 6;
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	watch();
	CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	refused(-ENOENT, ovpn_nl_get_peer(f.nl, f.ifindex, 5, NULL),
		"the peer that was replaced");
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 6, NULL));
	watch();
	refused(-ENOENT, ovpn_nl_set_peer(f.nl, f.ifindex, 7, 10, 20),
		"another id");
	fixture_end(&f);
	f = mp;
}

/* A replacement that fails must leave the old peer in place. */
static void p2p_failed_replacement(void)
{
	struct ovpn_peer_args args;
	struct fixture mp = f;

	fixture_start(&f, OVPN_MODE_P2P);
	fixture_peer(&f, 5);
	args = fixture_peer_args(&f, 6);
	args.socket = -1;
	watch();
	refused(-ENOTSOCK, ovpn_nl_new_peer(f.nl, f.ifindex, &args),
		"bad socket");
	args = fixture_peer_args(&f, 6);
	args.remote = NULL;
	watch();
	refused(-EINVAL, ovpn_nl_new_peer(f.nl, f.ifindex, &args),
		"no remote");
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 5, NULL));
	fixture_end(&f);
	f = mp;
}

static const struct ktap_case cases[] = {
	{ "no IFINDEX: EINVAL", no_ifindex },
	{ "a device of another kind: EINVAL", ifindex_of_other_kind },
	{ "no such device: ENODEV", ifindex_of_nothing },
	{ "a device in another namespace: ENODEV", ifindex_of_other_netns },
	{ "the command's nest missing: EINVAL", no_nest },
	{ "NEW_PEER incomplete: EINVAL", new_peer_incomplete },
	{ "NEW_PEER with a malformed remote: EINVAL", new_peer_remote },
	{ "NEW_PEER with a bad LOCAL_IP: EINVAL", new_peer_local },
	{ "NEW_PEER with a mapped LOCAL_IP", new_peer_local_mapped },
	{ "NEW_PEER, descriptor of no socket: ENOTSOCK", new_peer_no_socket },
	{ "NEW_PEER, socket of another protocol: ENOTSOCK",
	  new_peer_other_sockets },
	{ "NEW_PEER, socket of another encapsulation: ENOTSOCK",
	  new_peer_encap_socket },
	{ "NEW_PEER, IPv6 remote on an IPv4 socket: EINVAL",
	  new_peer_socket_too_old },
	{ "NEW_PEER, id in use: EEXIST", new_peer_twice },
	{ "NEW_PEER, VPN address in use: accepted", new_peer_same_address },
	{ "NEW_PEER, 200 with the same addresses: accepted", new_peer_crowd },
	{ "ids above 0xFFFFFF: EINVAL", id_range },
	{ "unknown id: ENOENT", unknown_id },
	{ "SET_PEER with half of the keepalive: no effect", set_peer_half },
	{ "NEW_KEY incomplete: EINVAL", new_key_incomplete },
	{ "NEW_KEY with cipher NONE or unknown: EINVAL", new_key_cipher },
	{ "NEW_KEY with wrong sizes: EINVAL", new_key_sizes },
	{ "NEW_KEY with each good size", new_key_good },
	{ "key-id above 7: EINVAL", key_id_range },
	{ "DEL_KEY and SWAP_KEYS on empty slots: 0", empty_slots_mp },
	{ "deleted by request, then named again: ENOENT", del_peer_twice },
	{ "point-to-point: replaced, other ids ENOENT", p2p },
	{ "point-to-point: failed replacement changes nothing",
	  p2p_failed_replacement },
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
