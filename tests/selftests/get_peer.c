// SPDX-License-Identifier: GPL-2.0-only
/* What GET_PEER says about a peer: each field, its size, when it is absent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>

#include "fixture.h"
#include "ktap.h"
#include "netns.h"

#define HAS(attr)	(1U << OVPN_GET_PEER_RESP_ATTR_##attr)
#define LEN(info, attr)	((info)->len[OVPN_GET_PEER_RESP_ATTR_##attr])

/* OpenVPN warns at each poll if one of these is missing. */
#define ALWAYS								\
	(HAS(PEER_ID) | HAS(SOCKADDR_REMOTE) | HAS(LOCAL_PORT) |	\
	 HAS(KEEPALIVE_INTERVAL) | HAS(KEEPALIVE_TIMEOUT) |		\
	 HAS(VPN_RX_BYTES) | HAS(VPN_TX_BYTES) | HAS(VPN_RX_PACKETS) |	\
	 HAS(VPN_TX_PACKETS) | HAS(LINK_RX_BYTES) | HAS(LINK_TX_BYTES) |\
	 HAS(LINK_RX_PACKETS) | HAS(LINK_TX_PACKETS))

static struct fixture f;

static void sizes(const struct ovpn_peer_info *info)
{
	CHECK_EQ(0, info->surplus);
	CHECK_EQ(4, LEN(info, PEER_ID));
	CHECK_EQ(2, LEN(info, LOCAL_PORT));
	CHECK(info->local_port_nbo);
	CHECK_EQ(4, LEN(info, KEEPALIVE_INTERVAL));
	CHECK_EQ(4, LEN(info, KEEPALIVE_TIMEOUT));
	CHECK_EQ(8, LEN(info, VPN_RX_BYTES));
	CHECK_EQ(8, LEN(info, VPN_TX_BYTES));
	CHECK_EQ(4, LEN(info, VPN_RX_PACKETS));
	CHECK_EQ(4, LEN(info, VPN_TX_PACKETS));
	CHECK_EQ(8, LEN(info, LINK_RX_BYTES));
	CHECK_EQ(8, LEN(info, LINK_TX_BYTES));
	CHECK_EQ(4, LEN(info, LINK_RX_PACKETS));
	CHECK_EQ(4, LEN(info, LINK_TX_PACKETS));
}

static void all_zero(const struct ovpn_peer_info *info)
{
	CHECK_EQ(0, info->interval);
	CHECK_EQ(0, info->timeout);
	CHECK_EQ(0, info->vpn_rx_bytes);
	CHECK_EQ(0, info->vpn_tx_bytes);
	CHECK_EQ(0, info->vpn_rx_packets);
	CHECK_EQ(0, info->vpn_tx_packets);
	CHECK_EQ(0, info->link_rx_bytes);
	CHECK_EQ(0, info->link_tx_bytes);
	CHECK_EQ(0, info->link_rx_packets);
	CHECK_EQ(0, info->link_tx_packets);
}

/*
 * Creates the peer, asks for it, deletes it. @present: what has to be there;
 * LOCAL_IP may be there in any case.
 */
static bool ask(const struct ovpn_peer_args *args, uint32_t present,
		struct ovpn_peer_info *info)
{
	int err = ovpn_nl_new_peer(f.nl, f.ifindex, args);

	if (!CHECK_MSG(!err, "NEW_PEER: %s (%s)", strerror(-err),
		       ovpn_nl_extack(f.nl)) ||
	    !CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, args->id, info)))
		return false;
	CHECK_EQ(present, info->present & (present | ~HAS(LOCAL_IP)));
	CHECK_EQ(args->id, info->id);
	CHECK(!info->multi);
	sizes(info);
	all_zero(info);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, args->id));
	return ktap_good();
}

static void check_remote4(const struct ovpn_peer_info *info, const char *addr,
			  uint16_t port)
{
	struct sockaddr_in want = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};

	inet_pton(AF_INET, addr, &want.sin_addr);
	if (CHECK_EQ(sizeof(want), LEN(info, SOCKADDR_REMOTE)))
		CHECK_MEMEQ(&want, &info->remote, sizeof(want));
}

static void check_remote6(const struct ovpn_peer_info *info, const char *addr,
			  uint16_t port, uint32_t scope)
{
	struct sockaddr_in6 want = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_scope_id = scope,
	};

	inet_pton(AF_INET6, addr, &want.sin6_addr);
	if (CHECK_EQ(sizeof(want), LEN(info, SOCKADDR_REMOTE)))
		CHECK_MEMEQ(&want, &info->remote, sizeof(want));
}

static void smallest(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 0xABCDE);
	static const uint8_t zero[4], vpn[4] = { 10, 9, 3, 4 };
	struct ovpn_peer_info info;

	args.remote = "127.0.0.9";
	args.remote_port = 0x1234;
	args.ipv4 = "10.9.3.4";
	if (!ask(&args, ALWAYS | HAS(IPV4), &info))
		return;
	check_remote4(&info, "127.0.0.9", 0x1234);
	CHECK_EQ(4, LEN(&info, IPV4));
	CHECK_MEMEQ(vpn, info.ipv4, 4);
	CHECK_EQ(udp_port(f.sock), info.local_port);
	/* no local address was given, and no packet has told one */
	if (OVPN_INFO_HAS(&info, LOCAL_IP)) {
		CHECK_EQ(4, LEN(&info, LOCAL_IP));
		CHECK_MEMEQ(zero, info.local, 4);
	}
}

static void local_address(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 5);
	static const uint8_t local[4] = { 127, 0, 0, 1 };
	struct ovpn_peer_info info;

	args.local = "127.0.0.1";
	if (!ask(&args, ALWAYS | HAS(IPV4) | HAS(LOCAL_IP), &info))
		return;
	CHECK_EQ(4, LEN(&info, LOCAL_IP));
	CHECK_MEMEQ(local, info.local, 4);
}

/* OpenVPN before 2.6.14 hands over 0.0.0.0 for "any". */
static void local_wildcard(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 5);
	struct ovpn_peer_info info;

	args.local = "0.0.0.0";
	ask(&args, ALWAYS | HAS(IPV4), &info);
}

static void all_ipv6(void)
{
	int sock = udp_socket(f.ns, "::", 0);
	struct ovpn_peer_args args = {
		.id = 6, .socket = sock, .remote = "fe80::1234",
		.remote_port = 65535, .remote_scope = 1,
		.ipv4 = "10.9.0.6", .ipv6 = "fd09::6", .local = "::1",
	};
	struct ovpn_peer_info info;
	uint8_t want[16];

	if (ask(&args, ALWAYS | HAS(IPV4) | HAS(IPV6) | HAS(LOCAL_IP), &info)) {
		check_remote6(&info, "fe80::1234", 65535, 1);
		CHECK_EQ(16, LEN(&info, IPV6));
		inet_pton(AF_INET6, "fd09::6", want);
		CHECK_MEMEQ(want, info.ipv6, 16);
		CHECK_EQ(16, LEN(&info, LOCAL_IP));
		inet_pton(AF_INET6, "::1", want);
		CHECK_MEMEQ(want, info.local, 16);
		CHECK_EQ(udp_port(sock), info.local_port);
	}
	close(sock);
}

static void only_ipv6_inside(void)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, 5);
	struct ovpn_peer_info info;

	args.ipv4 = NULL;
	args.ipv6 = "fd09::5";
	ask(&args, ALWAYS | HAS(IPV6), &info);
}

static void mapped_remote(void)
{
	int sock = udp_socket(f.ns, "::", 0);
	struct ovpn_peer_args args = {
		.id = 6, .socket = sock, .remote = "::ffff:127.0.0.2",
		.remote_port = 1194, .ipv4 = "10.9.0.6",
	};
	struct ovpn_peer_info info;

	if (ask(&args, ALWAYS | HAS(IPV4), &info))
		check_remote4(&info, "127.0.0.2", 1194);
	close(sock);
}

static void keepalive(void)
{
	struct ovpn_peer_info info;

	fixture_peer(&f, 5);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 5, 1234, 86400));
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 5, &info));
	CHECK_EQ(1234, info.interval);
	CHECK_EQ(86400, info.timeout);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 5, 0, 70));
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 5, &info));
	CHECK_EQ(0, info.interval);
	CHECK_EQ(70, info.timeout);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 5));
}

/* One packet in: a ping counts on both sides, so does what fails to open. */
static void counters(void)
{
	uint8_t packet[64], plain[64], tampered[64];
	struct ovpn_peer_info info;
	struct wire_key key;
	ssize_t len;

	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 3);
	fixture_peer(&f, 5);
	fixture_key(&f, 5, &key);
	len = wire_seal(&key, 5, 1, wire_ping, sizeof(wire_ping), packet);
	memcpy(tampered, packet, len);
	tampered[len - 1] ^= 1;
	fixture_send(&f, 5, tampered, len);
	fixture_send(&f, 5, packet, len);
	CHECK(WAIT_FOR(!ovpn_nl_get_peer(f.nl, f.ifindex, 5, &info) &&
		       info.vpn_rx_packets, 3000));
	CHECK_EQ(sizeof(wire_ping), info.vpn_rx_bytes);
	CHECK_EQ(1, info.vpn_rx_packets);
	CHECK_EQ(2 * len, info.link_rx_bytes);
	CHECK_EQ(2, info.link_rx_packets);
	CHECK_EQ(0, info.vpn_tx_bytes);
	CHECK_EQ(0, info.link_tx_packets);
	/* and one out */
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 5, 1, 600));
	len = udp_recv(f.far, packet, sizeof(packet), 4000, NULL);
	CHECK_EQ(sizeof(wire_ping), wire_open(&key, packet, len, plain, NULL));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 5, 0, 0));
	while (udp_recv(f.far, tampered, sizeof(tampered), 100, NULL) > 0)
		;
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 5, &info));
	CHECK_GE(1, info.vpn_tx_packets);
	CHECK_EQ(info.vpn_tx_packets * sizeof(wire_ping), info.vpn_tx_bytes);
	CHECK_EQ(info.vpn_tx_packets, info.link_tx_packets);
	CHECK_EQ(info.link_tx_packets * len, info.link_tx_bytes);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 5));
}

static void same_in_dump(void)
{
	struct ovpn_peer_info one, *list = NULL;

	fixture_peer(&f, 5);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 5, 100, 200));
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 5, &one));
	if (CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, &list))) {
		CHECK(list[0].multi);
		list[0].multi = false;
		CHECK_MEMEQ(&one, &list[0], sizeof(one));
	}
	free(list);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 5));
}

/* A peer with an id that another one had starts from nothing. */
static void fresh_after_reuse(void)
{
	struct ovpn_peer_info info;

	fixture_peer(&f, 5);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 5, 100, 200));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 5));
	fixture_peer(&f, 5);
	CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 5, &info));
	all_zero(&info);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 5));
}

static const struct ktap_case cases[] = {
	{ "IPv4 transport, IPv4 inside, nothing else", smallest },
	{ "local address as given", local_address },
	{ "local address 0.0.0.0 is accepted", local_wildcard },
	{ "IPv6 transport with a scope, both inside", all_ipv6 },
	{ "only IPv6 inside", only_ipv6_inside },
	{ "a mapped remote is reported as IPv4", mapped_remote },
	{ "keepalive as set", keepalive },
	{ "counters", counters },
	{ "a dump says the same", same_in_dump },
	{ "a new peer with an old id starts from zero", fresh_after_reuse },
};

int main(void)
{
	int result;

	need_root();
	fixture_start(&f, OVPN_MODE_MP);
	result = KTAP_RUN(cases);
	fixture_end(&f);
	return result;
}
