// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which errno of the family ovpn answers which mistake: OpenVPN 2.7 tells them
 * apart. Each comes with a sentence and leaves the device's peers as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/udp.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "request.h"
#include "stream.h"

static struct fixture f;
static struct sockaddr_in far_addr;

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

static int key_get(uint32_t ifindex, uint32_t id)
{
	struct ovpn7_key_info info;

	return ovpn7_key_get(f.nl, ifindex, id, OVPN_KEY_SLOT_PRIMARY, &info);
}

static void ifindex_of_other_kind(void)
{
	uint32_t lo = netns_ifindex(f.ns, "lo");
	struct request_args args = good_args(1);

	args.ifindex = &lo;
	all_refused(-EINVAL, &args, REQ_DUMP);
	watch();
	refused(-EINVAL, key_get(lo, 1), "KEY_GET");
}

static void ifindex_of_nothing(void)
{
	static const uint32_t none = 0x7FFFFFF0, negative = 0xFFFFFFFF;
	struct request_args args = good_args(1);

	args.ifindex = &none;
	all_refused(-ENODEV, &args, REQ_DUMP);
	args.ifindex = &negative;
	all_refused(-ENODEV, &args, REQ_DUMP);
	watch();
	refused(-ENODEV, key_get(none, 1), "KEY_GET");
}

static void ifindex_of_other_netns(void)
{
	struct netns *away = netns_new("elsewhere");
	struct request_args args = good_args(1);
	uint32_t there = 77;

	/* an index that nothing else has */
	netns_run(away, "ip link add there index %u type ovpn", there);
	args.ifindex = &there;
	all_refused(-ENODEV, &args, REQ_DUMP);
	netns_free(away);
}

static void no_nest(void)
{
	struct request_args args = good_args(1);

	args.no_nest = true;
	all_refused(-EINVAL, &args, REQ_GET_PEER);
}

/* ---- combinations of a peer's attributes ---- */

enum {
	REMOTE4, REMOTE6, SCOPE, PORT, SOCKET, VPN4, VPN6, LOCAL4, LOCAL6,
	INTERVAL, TIMEOUT, PARTS,
};

#define BIT(part)	(1U << (part))

static const uint8_t addr4[4] = { 127, 3, 3, 3 }, local4[4] = { 127, 0, 0, 1 };
static const uint8_t vpn4[4] = { 10, 9, 1, 1 }, vpn6[16] = { 0xfd, 9, [15] = 1 };
static const uint8_t addr6[16] = { 0xfd, 7, [15] = 9 }, local6[16] = { [15] = 1 };
static const uint8_t mapped[16] = {
	[10] = 0xff, [11] = 0xff, [12] = 127, [13] = 3, [15] = 3,
};

static const uint32_t scope = 1, seconds = 30, minute = 60;
static const uint16_t port = 0x1234;

struct part {
	int type;
	const void *data;
	size_t len;
};

static struct part parts[PARTS] = {
	[REMOTE4] = { OVPN7_PEER_ATTR_REMOTE_IPV4, addr4, 4 },
	[REMOTE6] = { OVPN7_PEER_ATTR_REMOTE_IPV6, addr6, 16 },
	[SCOPE] = { OVPN7_PEER_ATTR_REMOTE_IPV6_SCOPE_ID, &scope, 4 },
	[PORT] = { OVPN7_PEER_ATTR_REMOTE_PORT, &port, 2 },
	[SOCKET] = { OVPN7_PEER_ATTR_SOCKET, &f.sock, 4 },
	[VPN4] = { OVPN7_PEER_ATTR_VPN_IPV4, vpn4, 4 },
	[VPN6] = { OVPN7_PEER_ATTR_VPN_IPV6, vpn6, 16 },
	[LOCAL4] = { OVPN7_PEER_ATTR_LOCAL_IPV4, local4, 4 },
	[LOCAL6] = { OVPN7_PEER_ATTR_LOCAL_IPV6, local6, 16 },
	[INTERVAL] = { OVPN7_PEER_ATTR_KEEPALIVE_INTERVAL, &seconds, 4 },
	[TIMEOUT] = { OVPN7_PEER_ATTR_KEEPALIVE_TIMEOUT, &minute, 4 },
};

static int send_peer(int cmd, uint32_t id, uint32_t mask)
{
	struct nl_msg *msg = ovpn_nl_msg(f.nl, cmd, 0);
	struct nlattr *nest;
	unsigned int i;

	ovpn_put_raw(msg, OVPN7_ATTR_IFINDEX, &f.ifindex, 4);
	nest = ovpn_nest(msg, OVPN7_ATTR_PEER | NLA_F_NESTED);
	ovpn_put_raw(msg, OVPN7_PEER_ATTR_ID, &id, 4);
	for (i = 0; i < PARTS; i++)
		if (mask & BIT(i))
			ovpn_put_raw(msg, parts[i].type, parts[i].data,
				     parts[i].len);
	ovpn_nest_end(msg, nest);
	return ovpn_nl_send(f.nl, msg, NULL, NULL);
}

#define GOOD	(BIT(REMOTE4) | BIT(PORT) | BIT(SOCKET) | BIT(VPN4))

/* In PEER_NEW, and without the socket in PEER_SET */
static const struct {
	const char *what;
	uint32_t mask;
} contradictions[] = {
	{ "both remotes", GOOD | BIT(REMOTE6) },
	{ "address without port", GOOD & ~BIT(PORT) },
	{ "port without address", GOOD & ~BIT(REMOTE4) },
	{ "IPv6 scope without IPv6 address", GOOD | BIT(SCOPE) },
	{ "IPv6 scope alone",
	  (GOOD & ~(BIT(REMOTE4) | BIT(PORT))) | BIT(SCOPE) },
	{ "local IPv4 address without a remote",
	  (GOOD & ~(BIT(REMOTE4) | BIT(PORT))) | BIT(LOCAL4) },
	{ "local IPv6 address without a remote",
	  (GOOD & ~(BIT(REMOTE4) | BIT(PORT))) | BIT(LOCAL6) },
	{ "local IPv6 address with an IPv4 remote", GOOD | BIT(LOCAL6) },
	{ "interval without timeout", GOOD | BIT(INTERVAL) },
	{ "timeout without interval", GOOD | BIT(TIMEOUT) },
};

static void peer_new_contradictions(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(contradictions); i++) {
		watch();
		refused(-EINVAL, send_peer(OVPN7_CMD_PEER_NEW, 100,
					   contradictions[i].mask),
			contradictions[i].what);
	}
	CHECK_ERR(0, send_peer(OVPN7_CMD_PEER_NEW, 100, GOOD));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 100));
}

static void peer_set_contradictions(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(contradictions); i++) {
		watch();
		refused(-EINVAL, send_peer(OVPN7_CMD_PEER_SET, 1,
					   contradictions[i].mask &
					   ~BIT(SOCKET)),
			contradictions[i].what);
	}
	watch();
	refused(-EINVAL, send_peer(OVPN7_CMD_PEER_SET, 1, GOOD), "a socket");
}

static void peer_new_incomplete(void)
{
	static const struct {
		const char *what;
		uint32_t mask;
	} tries[] = {
		{ "no socket", GOOD & ~BIT(SOCKET) },
		{ "no remote", GOOD & ~(BIT(REMOTE4) | BIT(PORT)) },
		{ "no VPN address", GOOD & ~BIT(VPN4) },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		watch();
		refused(-EINVAL, send_peer(OVPN7_CMD_PEER_NEW, 100,
					   tries[i].mask), tries[i].what);
	}
}

/* A mapped remote is an IPv4 one, so its local address has to be, too. */
static void mapped_remote(void)
{
	const struct part real = parts[REMOTE6];
	struct ovpn_peer_info info;

	parts[REMOTE6].data = mapped;
	watch();
	refused(-EINVAL, send_peer(OVPN7_CMD_PEER_NEW, 100,
				   (GOOD & ~BIT(REMOTE4)) | BIT(REMOTE6) |
				   BIT(LOCAL6)),
		"local IPv6 address with a mapped remote");
	CHECK_ERR(0, send_peer(OVPN7_CMD_PEER_NEW, 100,
			       (GOOD & ~BIT(REMOTE4)) | BIT(REMOTE6)));
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 100, &info));
	CHECK_EQ(AF_INET, info.remote.ss_family);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 100));
	parts[REMOTE6] = real;
}

/* ---- VPN addresses ---- */

static int with_vpn(int cmd, uint32_t id, const void *v4, const void *v6)
{
	struct part real4 = parts[VPN4], real6 = parts[VPN6];
	uint32_t mask;
	int err;

	mask = (v4 ? BIT(VPN4) : 0) | (v6 ? BIT(VPN6) : 0);
	if (cmd == OVPN7_CMD_PEER_NEW)
		mask |= GOOD & ~BIT(VPN4);
	parts[VPN4].data = v4;
	parts[VPN6].data = v6;
	err = send_peer(cmd, id, mask);
	parts[VPN4] = real4;
	parts[VPN6] = real6;
	return err;
}

static void bad_vpn_addresses(int cmd, uint32_t id)
{
	static const char *const bad[] = {
		"224.0.0.1", "239.1.2.3", "255.255.255.255", "127.0.0.1",
		"ff02::1", "::1",
	};
	unsigned int i;
	uint8_t a[16];

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		watch();
		if (inet_pton(AF_INET, bad[i], a) == 1)
			refused(-EADDRNOTAVAIL, with_vpn(cmd, id, a, NULL),
				bad[i]);
		else if (inet_pton(AF_INET6, bad[i], a) == 1)
			refused(-EADDRNOTAVAIL, with_vpn(cmd, id, NULL, a),
				bad[i]);
	}
}

static void vpn_address_of_nobody(void)
{
	bad_vpn_addresses(OVPN7_CMD_PEER_NEW, 100);
	bad_vpn_addresses(OVPN7_CMD_PEER_SET, 1);
}

static void vpn_address_taken(void)
{
	static const uint8_t two4[4] = { 10, 9, 0, 77 };
	static const uint8_t two6[16] = { 0xfd, 9, [15] = 77 };
	static const uint8_t other4[4] = { 10, 9, 0, 78 };
	static const uint8_t other6[16] = { 0xfd, 9, [15] = 78 };

	CHECK_ERR(0, with_vpn(OVPN7_CMD_PEER_NEW, 77, two4, two6));
	watch();
	refused(-EADDRINUSE, with_vpn(OVPN7_CMD_PEER_NEW, 78, two4, NULL),
		"PEER_NEW, IPv4");
	watch();
	refused(-EADDRINUSE, with_vpn(OVPN7_CMD_PEER_NEW, 78, NULL, two6),
		"PEER_NEW, IPv6");
	watch();
	refused(-EADDRINUSE, with_vpn(OVPN7_CMD_PEER_NEW, 78, other4, two6),
		"PEER_NEW, one of two");
	CHECK_ERR(0, with_vpn(OVPN7_CMD_PEER_NEW, 78, other4, other6));
	watch();
	refused(-EADDRINUSE, with_vpn(OVPN7_CMD_PEER_SET, 78, two4, NULL),
		"PEER_SET, IPv4");
	watch();
	refused(-EADDRINUSE, with_vpn(OVPN7_CMD_PEER_SET, 78, NULL, two6),
		"PEER_SET, IPv6");
	/* its own is no conflict */
	CHECK_ERR(0, with_vpn(OVPN7_CMD_PEER_SET, 78, other4, other6));
	/* and free when its owner has gone, or given it up */
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 77));
	CHECK_ERR(0, with_vpn(OVPN7_CMD_PEER_SET, 78, two4, two6));
	CHECK_ERR(0, with_vpn(OVPN7_CMD_PEER_NEW, 77, other4, other6));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 77));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 78));
}

/* ---- sockets ---- */

static void refuse_socket(int fd, const char *what)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 100);

	args.socket = fd;
	watch();
	refused(-ENOTSOCK, ovpn_nl_new_peer(f.nl, f.ifindex, &args), what);
}

static void refuse_new_socket(int domain, int type, const char *what)
{
	int back = netns_visit(f.ns);
	int fd = socket(domain, type, 0);

	netns_back(back);
	refuse_socket(fd, what);
	close(fd);
}

static void bad_sockets(void)
{
	int encap = UDP_ENCAP_ESPINUDP, fd = open("/dev/null", O_RDONLY);

	refuse_socket(fd, "a device");
	close(fd);
	refuse_socket(fd, "a closed descriptor");
	refuse_socket(-1, "descriptor -1");
	refuse_socket(1 << 30, "a huge descriptor");
	refuse_new_socket(AF_UNIX, SOCK_DGRAM, "unix socket");
	refuse_new_socket(AF_PACKET, SOCK_DGRAM, "packet socket");
	fd = udp_socket(f.ns, "127.0.0.1", 0);
	if (!setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &encap, sizeof(encap)))
		refuse_socket(fd, "socket of another encapsulation");
	close(fd);
}

/* One that is not connected has no remote either, which is not the point. */
static void unconnected_tcp(void)
{
	int back = netns_visit(f.ns), fd = socket(AF_INET, SOCK_STREAM, 0), err;

	netns_back(back);
	parts[SOCKET].data = &fd;
	watch();
	err = send_peer(OVPN7_CMD_PEER_NEW, 100, BIT(SOCKET) | BIT(VPN4));
	parts[SOCKET].data = &f.sock;
	refused(-ENOTSOCK, err, "a TCP socket that is not connected");
	close(fd);
}

/*
 * Linux's own driver refuses a remote with TCP. OpenVPN 3 always sends one, and
 * what the connection says is as good, so here it does no harm.
 */
static void tcp_with_remote(void)
{
	int fds[2], err;

	stream_pair(f.ns, "127.0.0.1", f.ns, "127.0.0.1", NULL, fds);
	parts[SOCKET].data = &fds[0];
	err = send_peer(OVPN7_CMD_PEER_NEW, 100, GOOD);
	parts[SOCKET].data = &f.sock;
	if (CHECK_ERR(0, err))
		CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 100));
	close(fds[0]);
	close(fds[1]);
}

/* A connection stays with whom it was made to. */
static void tcp_moved(void)
{
	int fds[2], err;

	stream_pair(f.ns, "127.0.0.1", f.ns, "127.0.0.1", NULL, fds);
	parts[SOCKET].data = &fds[0];
	err = send_peer(OVPN7_CMD_PEER_NEW, 100, BIT(SOCKET) | BIT(VPN4));
	parts[SOCKET].data = &f.sock;
	if (CHECK_ERR(0, err)) {
		watch();
		refused(-EINVAL, send_peer(OVPN7_CMD_PEER_SET, 100,
					   BIT(REMOTE4) | BIT(PORT)),
			"PEER_SET of a TCP peer's remote");
		CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 100));
	}
	close(fds[0]);
	close(fds[1]);
}

/* ---- who is meant ---- */

static void id_in_use(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 1);

	args.ipv4 = "10.9.99.99";
	watch();
	refused(-EEXIST, ovpn_nl_new_peer(f.nl, f.ifindex, &args), "PEER_NEW");
}

static void unknown_id(void)
{
	struct request_args args = good_args(4711);
	int req;

	for (req = REQ_SET_PEER; req <= REQ_GET_PEER; req++) {
		watch();
		refused(-ENOENT, request_send(f.nl, req, &args),
			request_names[req]);
	}
	watch();
	refused(-ENOENT, key_get(f.ifindex, 4711), "KEY_GET");
}

static void id_range(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 0);

	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 0));
	args.id = 0xFFFFFE;
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 0xFFFFFE));
}

/* ---- keys ---- */

static void key_get_empty(void)
{
	watch();
	refused(-ENOENT, key_get(f.ifindex, 1), "KEY_GET of an empty slot");
}

static void empty_slots(void)
{
	int i;

	/* twice: the second time they have just been emptied */
	for (i = 0; i < 2; i++) {
		CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, 1));
		CHECK_ERR(0, ovpn_nl_del_key(f.nl, f.ifindex, 1,
					     OVPN_KEY_SLOT_PRIMARY));
		CHECK_ERR(0, ovpn_nl_del_key(f.nl, f.ifindex, 1,
					     OVPN_KEY_SLOT_SECONDARY));
	}
}

static void key_sizes(void)
{
	static const struct {
		uint16_t alg;
		size_t len;
	} bad[] = {
		{ OVPN_CIPHER_ALG_AES_GCM, 0 },
		{ OVPN_CIPHER_ALG_AES_GCM, 1 },
		{ OVPN_CIPHER_ALG_AES_GCM, 17 },
		{ OVPN_CIPHER_ALG_AES_GCM, 31 },
		{ OVPN_CIPHER_ALG_CHACHA20_POLY1305, 16 },
		{ OVPN_CIPHER_ALG_CHACHA20_POLY1305, 31 },
	}, good[] = {
		{ OVPN_CIPHER_ALG_AES_GCM, 16 },
		{ OVPN_CIPHER_ALG_AES_GCM, 24 },
		{ OVPN_CIPHER_ALG_AES_GCM, 32 },
		{ OVPN_CIPHER_ALG_CHACHA20_POLY1305, 32 },
	};
	struct wire_key key = { 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		key.alg = bad[i].alg;
		key.len = bad[i].len;
		watch();
		refused(-EINVAL, ovpn_nl_new_key(f.nl, f.ifindex, 1,
						 OVPN_KEY_SLOT_PRIMARY, &key,
						 &key), "key of a bad size");
	}
	key_get_empty();
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		key.alg = good[i].alg;
		key.len = good[i].len;
		CHECK_ERR(0, ovpn_nl_new_key(f.nl, f.ifindex, 1,
					     OVPN_KEY_SLOT_PRIMARY, &key,
					     &key));
	}
	empty_slots();
}

/* OpenVPN 3 says the slot in a byte, where a word belongs. */
static void slot_in_a_byte(void)
{
	struct nl_msg *msg = ovpn_nl_msg(f.nl, OVPN7_CMD_KEY_DEL, 0);
	static const uint8_t slot = OVPN_KEY_SLOT_SECONDARY, bad = 2;
	static const uint32_t id = 1;
	struct wire_key key = { .alg = OVPN_CIPHER_ALG_AES_GCM, .len = 32 };
	struct ovpn7_key_info info;
	struct nlattr *nest;

	CHECK_ERR(0, ovpn_nl_new_key(f.nl, f.ifindex, 1,
				     OVPN_KEY_SLOT_SECONDARY, &key, &key));
	ovpn_put_raw(msg, OVPN7_ATTR_IFINDEX, &f.ifindex, 4);
	nest = ovpn_nest(msg, OVPN7_ATTR_KEYCONF | NLA_F_NESTED);
	ovpn_put_raw(msg, OVPN7_KEYCONF_ATTR_PEER_ID, &id, 4);
	ovpn_put_raw(msg, OVPN7_KEYCONF_ATTR_SLOT, &slot, 1);
	ovpn_nest_end(msg, nest);
	CHECK_ERR(0, ovpn_nl_send(f.nl, msg, NULL, NULL));
	CHECK_ERR(-ENOENT, ovpn7_key_get(f.nl, f.ifindex, 1,
					 OVPN_KEY_SLOT_SECONDARY, &info));

	msg = ovpn_nl_msg(f.nl, OVPN7_CMD_KEY_DEL, 0);
	ovpn_put_raw(msg, OVPN7_ATTR_IFINDEX, &f.ifindex, 4);
	nest = ovpn_nest(msg, OVPN7_ATTR_KEYCONF | NLA_F_NESTED);
	ovpn_put_raw(msg, OVPN7_KEYCONF_ATTR_PEER_ID, &id, 4);
	ovpn_put_raw(msg, OVPN7_KEYCONF_ATTR_SLOT, &bad, 1);
	ovpn_nest_end(msg, nest);
	watch();
	CHECK(ovpn_nl_send(f.nl, msg, NULL, NULL) < 0);
}

/* ---- point-to-point ---- */

static void p2p(void)
{
	struct fixture mp = f;

	fixture_start(&f, OVPN_MODE_P2P);
	watch();
	refused(-EINVAL, send_peer(OVPN7_CMD_PEER_NEW, 5, GOOD),
		"VPN IPv4 address");
	watch();
	refused(-EINVAL, send_peer(OVPN7_CMD_PEER_NEW, 5,
				   (GOOD & ~BIT(VPN4)) | BIT(VPN6)),
		"VPN IPv6 address");
	CHECK_ERR(0, send_peer(OVPN7_CMD_PEER_NEW, 5, GOOD & ~BIT(VPN4)));
	watch();
	refused(-EINVAL, send_peer(OVPN7_CMD_PEER_SET, 5, BIT(VPN4)),
		"PEER_SET of a VPN address");
	/* replaces, under the same and another id */
	CHECK_ERR(0, send_peer(OVPN7_CMD_PEER_NEW, 5, GOOD & ~BIT(VPN4)));
	CHECK_ERR(0, send_peer(OVPN7_CMD_PEER_NEW, 6, GOOD & ~BIT(VPN4)));
	CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	watch();
	refused(-ENOENT, ovpn_nl_get_peer(f.nl, f.ifindex, 5, NULL),
		"the peer that was replaced");
	/* a replacement that fails leaves the old one */
	watch();
	refused(-EINVAL, send_peer(OVPN7_CMD_PEER_NEW, 7, GOOD), "replacement");
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 6, NULL));
	fixture_end(&f);
	f = mp;
}

static const struct ktap_case cases[] = {
	{ "no IFINDEX: EINVAL", no_ifindex },
	{ "a device of another kind: EINVAL", ifindex_of_other_kind },
	{ "no such device: ENODEV", ifindex_of_nothing },
	{ "a device in another namespace: ENODEV", ifindex_of_other_netns },
	{ "the nest missing: EINVAL", no_nest },
	{ "PEER_NEW incomplete: EINVAL", peer_new_incomplete },
	{ "PEER_NEW that contradicts itself: EINVAL", peer_new_contradictions },
	{ "PEER_SET that contradicts itself: EINVAL", peer_set_contradictions },
	{ "a mapped remote is an IPv4 one", mapped_remote },
	{ "VPN address that nobody has: EADDRNOTAVAIL", vpn_address_of_nobody },
	{ "VPN address in use: EADDRINUSE", vpn_address_taken },
	{ "PEER_NEW with what is no socket for it: ENOTSOCK", bad_sockets },
	{ "PEER_NEW, TCP socket not connected: ENOTSOCK", unconnected_tcp },
	{ "PEER_NEW, TCP with a remote: accepted", tcp_with_remote },
	{ "PEER_SET, a TCP peer's remote: EINVAL", tcp_moved },
	{ "PEER_NEW, id in use: EEXIST", id_in_use },
	{ "unknown id: ENOENT", unknown_id },
	{ "the lowest and the highest id", id_range },
	{ "KEY_GET of an empty slot: ENOENT", key_get_empty },
	{ "KEY_DEL and KEY_SWAP of empty slots: 0", empty_slots },
	{ "KEY_NEW with bad and good sizes", key_sizes },
	{ "KEY_DEL with a slot in one byte: accepted", slot_in_a_byte },
	{ "point-to-point: no VPN addresses; replaced", p2p },
};

int main(void)
{
	int result;

	need_root();
	family_use(&family_ovpn);
	fixture_start(&f, OVPN_MODE_MP);
	fixture_peer(&f, 1);
	far_addr.sin_family = AF_INET;
	far_addr.sin_port = htons(udp_port(f.far));
	far_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = KTAP_RUN(cases);
	fixture_end(&f);
	return result;
}
