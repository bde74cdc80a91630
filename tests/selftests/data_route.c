// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several peers on one device: the routing table says which of them a packet
 * goes to, and which of them a packet may come from.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "data_util.h"

static const struct data_far_args both[2] = {
	{ .id = 1, .ipv4 = VPN_FAR4, .ipv6 = VPN_FAR6 },
	{ .id = 2, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B },
};

static bool add_both(struct data_bed *bed, struct data_far far[2])
{
	return data_far_add(bed, &far[0], &both[0]) &&
	       data_far_add(bed, &far[1], &both[1]);
}

static void close_both(struct data_far far[2])
{
	data_far_close(&far[0]);
	data_far_close(&far[1]);
}

/* Commands of "ip" at the near end, one on each line. */
static void ip_near(struct data_bed *bed, const char *lines)
{
	netns_run(bed->near, "ip -batch - <<-E\n%s\nE", lines);
}

static const char *near_of(const char *addr)
{
	return strchr(addr, ':') ? VPN_NEAR6 : VPN_NEAR4;
}

/* A packet to this address arrives at this one of the two. */
static void check_to(struct data_bed *bed, struct data_far far[2],
		     unsigned int which, const char *dst)
{
	uint8_t plain[256], got[WIRE_MAX];
	struct wire_header h = { 0 };
	size_t len;

	len = data_inner(plain, near_of(dst), dst, 120, 9);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	CHECK_MSG(data_far_recv(&far[which], got, &h, NULL) == (ssize_t)len,
		  "%s did not arrive at peer %u", dst, far[which].id);
	CHECK_MEMEQ(plain, got, len);
	CHECK_EQ(far[which].id, h.peer_id);
	CHECK(udp_quiet(far[!which].fd, 0));
}

/* As libpcap does it, which does not say what protocol a packet is of. */
static ssize_t inject(struct data_bed *bed, const void *packet, size_t len)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = netns_ifindex(bed->near, TUN),
	};
	ssize_t ret;
	int fd;

	netns_enter(bed->near);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	netns_enter(netns_home());
	if (fd < 0)
		ktap_bail("packet socket: %s", strerror(errno));
	ret = sendto(fd, packet, len, 0, (struct sockaddr *)&ll, sizeof(ll));
	close(fd);
	return ret;
}

/* The same for a packet that nobody has routed. */
static void check_unrouted_to(struct data_bed *bed, struct data_far far[2],
			      unsigned int which, const char *dst)
{
	uint8_t plain[256], got[WIRE_MAX];
	size_t len;
	int how;

	for (how = 0; how < 2; how++) {
		len = data_inner(plain, near_of(dst), dst, 120, how);
		CHECK_EQ(len, how ? inject(bed, plain, len) :
				    packet_send(bed->tap, plain, len));
		CHECK_MSG(data_far_recv(&far[which], got, NULL, NULL) ==
			  (ssize_t)len, "%s%s did not arrive at peer %u", dst,
			  how ? " of no protocol" : "", far[which].id);
		CHECK_MEMEQ(plain, got, len);
		CHECK(udp_quiet(far[!which].fd, 0));
	}
}

/* A packet to this address arrives at nobody. */
static void check_to_none(struct data_bed *bed, struct data_far far[2],
			  const char *dst, bool routed)
{
	struct data_drops before;
	uint8_t plain[256];
	size_t len;

	data_drops_read(bed, &before);
	len = data_inner(plain, near_of(dst), dst, 120, 9);
	if (routed)
		CHECK_ERR(0, data_near_send(bed, plain, len));
	else
		CHECK_EQ(len, packet_send(bed->tap, plain, len));
	CHECK_MSG(data_check_drops(bed, &before, "tx_drop_no_peer", 1),
		  "destination %s", dst);
	CHECK(udp_quiet(far[0].fd, 0));
	CHECK(udp_quiet(far[1].fd, 0));
}

static void check_from(struct data_bed *bed, struct data_far *far,
		       const char *src)
{
	uint8_t plain[256];
	size_t len;

	len = data_inner(plain, src, near_of(src), 120, far->next);
	CHECK_MSG(data_deliver(bed, far, 0, plain, len),
		  "source %s of peer %u", src, far->id);
}

static void check_not_from(struct data_bed *bed, struct data_far *far,
			   const char *src)
{
	struct data_drops before;
	uint8_t plain[256];
	size_t len;

	data_drops_read(bed, &before);
	len = data_inner(plain, src, near_of(src), 120, far->next);
	data_far_send(far, plain, len);
	CHECK_MSG(data_check_drops(bed, &before, "rx_drop_rpf", 1),
		  "source %s of peer %u", src, far->id);
	data_near_empty(bed);
}

static void own_addresses(struct data_bed *bed)
{
	struct data_far far[2];
	unsigned int i;

	if (!add_both(bed, far))
		return;
	for (i = 0; i < 4; i++) {
		check_to(bed, far, i & 1, far[i & 1].ipv4);
		check_to(bed, far, i & 1, far[i & 1].ipv6);
		check_from(bed, &far[i & 1], far[i & 1].ipv4);
		check_from(bed, &far[i & 1], far[i & 1].ipv6);
	}
	close_both(far);
}

static void networks_behind(struct data_bed *bed)
{
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	ip_near(bed, "route add 172.16.0.0/16 via " VPN_FAR4 " dev " TUN "\n"
		"route add 172.16.5.0/24 via " VPN_FAR4_B " dev " TUN "\n"
		"route add fd16::/32 via " VPN_FAR6 " dev " TUN "\n"
		"route add fd16:0:5::/48 via " VPN_FAR6_B " dev " TUN);
	check_to(bed, far, 0, "172.16.0.1");
	check_to(bed, far, 1, "172.16.5.1");
	check_to(bed, far, 0, "172.16.6.1");
	check_to(bed, far, 0, "fd16::1");
	check_to(bed, far, 1, "fd16:0:5::1");
	check_to(bed, far, 0, VPN_FAR4);

	check_from(bed, &far[0], "172.16.0.1");
	check_from(bed, &far[1], "172.16.5.1");
	check_not_from(bed, &far[1], "172.16.0.1");
	check_not_from(bed, &far[0], "172.16.5.1");
	check_from(bed, &far[0], "fd16::1");
	check_from(bed, &far[1], "fd16:0:5::1");
	check_not_from(bed, &far[1], "fd16::1");
	check_not_from(bed, &far[0], "fd16:0:5::1");
	close_both(far);
}

/* A route that moves to the other peer takes its packets along at once. */
static void route_changes(struct data_bed *bed)
{
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	ip_near(bed, "route add 172.16.0.0/16 via " VPN_FAR4 " dev " TUN);
	check_to(bed, far, 0, "172.16.0.1");
	check_from(bed, &far[0], "172.16.0.1");
	ip_near(bed, "route replace 172.16.0.0/16 via " VPN_FAR4_B " dev " TUN);
	check_to(bed, far, 1, "172.16.0.1");
	check_from(bed, &far[1], "172.16.0.1");
	check_not_from(bed, &far[0], "172.16.0.1");
	close_both(far);
}

static void default_route(struct data_bed *bed)
{
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	ip_near(bed, "route add default via " VPN_FAR4_B " dev " TUN "\n"
		"route add ::/0 via " VPN_FAR6_B " dev " TUN);
	check_to(bed, far, 1, "198.51.100.1");
	check_from(bed, &far[1], "198.51.100.1");
	check_not_from(bed, &far[0], "198.51.100.1");
	check_to(bed, far, 1, "2001:db8::1");
	check_from(bed, &far[1], "2001:db8::1");
	check_not_from(bed, &far[0], "2001:db8::1");
	close_both(far);
}

static void on_link(struct data_bed *bed)
{
	struct data_far_args args = both[1];
	struct data_far far[2];

	args.ipv4 = "172.18.0.9";
	args.ipv6 = "fd18::9";
	if (!data_far_add(bed, &far[0], &both[0]) ||
	    !data_far_add(bed, &far[1], &args))
		return;
	ip_near(bed, "route add 172.18.0.0/16 dev " TUN "\n"
		"route add fd18::/64 dev " TUN);
	check_to(bed, far, 1, "172.18.0.9");
	check_to(bed, far, 1, "fd18::9");
	check_to_none(bed, far, "172.18.0.8", true);
	check_to_none(bed, far, "fd18::8", true);
	close_both(far);
}

/* An IPv4 network by way of a peer's IPv6 address. */
static void other_family(struct data_bed *bed)
{
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	ip_near(bed, "route add 172.19.0.0/16 via inet6 " VPN_FAR6_B " dev " TUN);
	check_to(bed, far, 1, "172.19.0.1");
	check_from(bed, &far[1], "172.19.0.1");
	check_not_from(bed, &far[0], "172.19.0.1");
	close_both(far);
}

/* The packet's own route counts, be it chosen by a mark of the inner packet. */
static void policy_route(struct data_bed *bed)
{
	struct data_far far[2];
	int mark = 5;

	if (!add_both(bed, far))
		return;
	ip_near(bed, "route add 172.16.0.0/16 via " VPN_FAR4 " dev " TUN "\n"
		"route add 172.16.0.0/16 via " VPN_FAR4_B " dev " TUN " table 200\n"
		"rule add fwmark 5 lookup 200");
	check_to(bed, far, 0, "172.16.0.1");
	CHECK_EQ(0, setsockopt(bed->raw4, SOL_SOCKET, SO_MARK, &mark,
			       sizeof(mark)));
	check_to(bed, far, 1, "172.16.0.1");
	close_both(far);
}

static void unrouted_packets(struct data_bed *bed)
{
	static const uint8_t nonsense[60] = { 0x55 };
	struct data_drops before;
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	ip_near(bed, "route add 172.16.0.0/16 via " VPN_FAR4_B " dev " TUN "\n"
		"route add fd16::/32 via " VPN_FAR6_B " dev " TUN);
	check_unrouted_to(bed, far, 0, VPN_FAR4);
	check_unrouted_to(bed, far, 1, VPN_FAR4_B);
	check_unrouted_to(bed, far, 0, VPN_FAR6);
	check_unrouted_to(bed, far, 1, VPN_FAR6_B);
	check_unrouted_to(bed, far, 1, "172.16.0.1");
	check_unrouted_to(bed, far, 1, "fd16::1");
	check_to_none(bed, far, "10.8.0.77", false);
	check_to_none(bed, far, "fd08::77", false);
	data_drops_read(bed, &before);
	CHECK_EQ(sizeof(nonsense), inject(bed, nonsense, sizeof(nonsense)));
	data_check_drops(bed, &before, "tx_drop_not_ip", 1);
	close_both(far);
}

static void no_peer(struct data_bed *bed)
{
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	check_to_none(bed, far, "10.8.0.77", true);
	check_to_none(bed, far, "fd08::77", true);
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, far[0].id));
	check_to_none(bed, far, VPN_FAR4, true);
	check_to_none(bed, far, VPN_FAR6, true);
	check_to(bed, far, 1, VPN_FAR4_B);
	check_to(bed, far, 1, VPN_FAR6_B);
	close_both(far);
}

static void to_many(struct data_bed *bed)
{
	static const char * const groups[] = {
		"224.0.0.1", "239.1.2.3", "255.255.255.255", "10.8.0.255",
		"ff02::1", "ff0e::5",
	};
	struct data_far far[2];
	unsigned int i;

	if (!add_both(bed, far))
		return;
	for (i = 0; i < ARRAY_SIZE(groups); i++)
		check_to_none(bed, far, groups[i], false);
	ip_near(bed, "route add 239.0.0.0/8 dev " TUN);
	check_to_none(bed, far, "239.1.2.3", true);
	close_both(far);
}

static void foreign_sources(struct data_bed *bed)
{
	static const char * const sources[] = {
		"198.51.100.1",		/* no route at all */
		VPN_FAR4_B,		/* another client's */
		VPN_NEAR4,		/* ours */
		"10.8.0.77",		/* on link, nobody's */
		"192.168.77.2",		/* by another device */
		"224.0.0.1", "127.0.0.1",
		"2001:db8::1", VPN_FAR6_B, VPN_NEAR6, "fd08::77", "fd77::2",
		"ff02::1",
	};
	struct data_far far[2];
	unsigned int i;

	if (!add_both(bed, far))
		return;
	for (i = 0; i < ARRAY_SIZE(sources); i++)
		check_not_from(bed, &far[0], sources[i]);
	check_from(bed, &far[0], VPN_FAR4);
	check_from(bed, &far[0], VPN_FAR6);
	close_both(far);
}

/* Its own VPN address needs no route. */
static void own_without_route(struct data_bed *bed)
{
	struct data_far_args args = both[0];
	struct data_far far;

	args.ipv4 = "203.0.113.9";
	args.ipv6 = "2001:db8:9::9";
	if (!data_far_add(bed, &far, &args))
		return;
	check_from(bed, &far, "203.0.113.9");
	check_from(bed, &far, "2001:db8:9::9");
	check_not_from(bed, &far, "203.0.113.8");
	check_not_from(bed, &far, "2001:db8:9::8");
	data_far_close(&far);
}

static void loosened(struct data_bed *bed)
{
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	CHECK_EQ(0, ethtool_get_flag(bed->near, TUN, "loose-rpf"));
	check_not_from(bed, &far[0], "198.51.100.1");
	CHECK_ERR(0, ethtool_set_flag(bed->near, TUN, "loose-rpf", true));
	CHECK_EQ(1, ethtool_get_flag(bed->near, TUN, "loose-rpf"));
	check_from(bed, &far[0], "198.51.100.1");
	check_from(bed, &far[1], "2001:db8::1");
	check_from(bed, &far[0], VPN_FAR4);
	CHECK_ERR(0, ethtool_set_flag(bed->near, TUN, "loose-rpf", false));
	CHECK_EQ(0, ethtool_get_flag(bed->near, TUN, "loose-rpf"));
	check_not_from(bed, &far[0], "198.51.100.1");
	close_both(far);
}

/* One peer and no choice: everything is for it, everything may be from it. */
static void point_to_point(struct data_bed *bed)
{
	static const char * const addrs[] = {
		"10.8.0.77", "198.51.100.1", "2001:db8::1", "fd08::77",
	};
	struct data_far far;
	uint8_t plain[256], got[WIRE_MAX];
	unsigned int i;
	size_t len;

	if (!data_far_add(bed, &far, &both[0]))
		return;
	ip_near(bed, "route add default dev " TUN "\n"
		"route add ::/0 dev " TUN);
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		len = data_inner(plain, near_of(addrs[i]), addrs[i], 120, i);
		CHECK_ERR(0, data_near_send(bed, plain, len));
		CHECK_EQ(len, data_far_recv(&far, got, NULL, NULL));
		CHECK_MEMEQ(plain, got, len);
		check_from(bed, &far, addrs[i]);
	}
	len = data_inner(plain, VPN_NEAR4, "239.1.2.3", 120, i);
	CHECK_EQ(len, packet_send(bed->tap, plain, len));
	CHECK_EQ(len, data_far_recv(&far, got, NULL, NULL));
	data_far_close(&far);
}

/* Client to client: in by one peer, out by the other. */
static void client_to_client(struct data_bed *bed)
{
	uint8_t plain[256], got[WIRE_MAX];
	struct data_far far[2];
	struct inner inner;
	ssize_t len;

	if (!add_both(bed, far))
		return;
	netns_run(bed->near, "echo 1 > /proc/sys/net/ipv4/ip_forward");
	len = data_inner(plain, VPN_FAR4, VPN_FAR4_B, 200, 11);
	data_far_send(&far[0], plain, len);
	if (CHECK_EQ(len, data_far_recv(&far[1], got, NULL, NULL)) &&
	    CHECK(inner_parse(got, len, &inner))) {
		CHECK_STREQ(VPN_FAR4, inner.src);
		CHECK_STREQ(VPN_FAR4_B, inner.dst);
		CHECK(inner.checksums_good);
		CHECK_EQ(63, got[8]);		/* one hop */
		CHECK_MEMEQ(plain + 20, got + 20, len - 20);
	}
	/* in particular no advice to talk to each other directly */
	CHECK(udp_quiet(far[0].fd, 100));
	close_both(far);
}

int main(int argc, char **argv)
{
#define MP	.conf = { .mode = OVPN_MODE_MP }
	static const struct data_case cases[] = {
		{ "peers' own addresses", MP, .run = own_addresses },
		{ "networks behind peers", MP, .run = networks_behind },
		{ "route moves to another peer", MP, .run = route_changes },
		{ "default route by a peer", MP, .run = default_route },
		{ "on-link route", MP, .run = on_link },
		{ "IPv4 network by IPv6 next hop", MP, .run = other_family },
		{ "policy route of the inner packet", MP, .run = policy_route },
		{ "packets that were not routed", MP, .run = unrouted_packets },
		{ "no such peer", MP, .run = no_peer },
		{ "multicast and broadcast", MP, .run = to_many },
		{ "sources that are not the peer's", MP,
		  .run = foreign_sources },
		{ "own VPN address without a route", MP,
		  .run = own_without_route },
		{ "loose-rpf", MP, .run = loosened },
		{ "client to client", MP, .run = client_to_client },
		{ "point-to-point takes everything", .run = point_to_point },
	};

	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
