// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hosts with several addresses: replies leave from the one that the peer
 * knows, be it told by LOCAL_IP or learned from the peer's own packets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "data_util.h"

#define PEER_ID	44

/* The addresses of one family; @route is what the kernel would choose. */
struct family {
	const char *name;
	const char *bind;
	const char *far;
	const char *route;
	const char *second;
	const char *second_len;	/* with prefix length */
	const char *none;	/* wildcard */
	const char *foreign;	/* not ours */
};

static const struct family families[] = {
	{ "IPv4", "0.0.0.0", FAR4, NEAR4, NEAR4_B, NEAR4_B "/24", "0.0.0.0",
	  "192.0.2.1" },
	{ "IPv6", "::", FAR6, NEAR6, NEAR6_B, NEAR6_B "/64", "::",
	  "2001:db8::1" },
	{ "mapped IPv4", "::", FAR4, NEAR4, NEAR4_B, NEAR4_B "/24", "0.0.0.0",
	  "192.0.2.1" },
};

static bool add(struct data_bed *bed, struct data_far *far, const char *local)
{
	const struct family *family = bed->arg;
	const struct data_far_args args = {
		.id = PEER_ID,
		.addr = family->far,
		.local = local,
	};

	return data_far_add(bed, far, &args);
}

static void check_source(struct data_bed *bed, const struct data_far *far,
			 const char *addr)
{
	struct udp_source source = { .addr = "" };

	data_to_far(bed, far, NULL, &source);
	CHECK_STREQ(addr, source.addr);
	CHECK_EQ(NEAR_PORT, source.port);
}

/* What GET_PEER tells; NULL: nothing, or the wildcard. */
static void check_told(struct data_bed *bed, const char *addr)
{
	struct ovpn_peer_info info;
	char text[INET6_ADDRSTRLEN];
	uint8_t none[16] = { 0 };
	bool told;

	if (!CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID,
					   &info)))
		return;
	CHECK_EQ(NEAR_PORT, info.local_port);
	told = OVPN_INFO_HAS(&info, LOCAL_IP);
	if (!addr) {
		CHECK(!told || !memcmp(info.local, none, sizeof(none)));
		return;
	}
	if (!CHECK(told))
		return;
	inet_ntop(info.len[OVPN_GET_PEER_RESP_ATTR_LOCAL_IP] == 4 ?
		  AF_INET : AF_INET6, info.local, text, sizeof(text));
	CHECK_STREQ(addr, text);
}

static void told(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far;

	if (!add(bed, &far, family->second))
		return;
	check_source(bed, &far, family->second);
	check_told(bed, family->second);
	data_far_close(&far);
	if (!add(bed, &far, family->route))
		return;
	check_source(bed, &far, family->route);
	check_told(bed, family->route);
	data_far_close(&far);
}

static void wildcard(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far;

	if (!add(bed, &far, family->none))
		return;
	check_source(bed, &far, family->route);
	data_far_close(&far);
	if (!add(bed, &far, NULL))
		return;
	check_source(bed, &far, family->route);
	check_told(bed, NULL);
	data_far_close(&far);
}

static void learned(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far;

	if (!add(bed, &far, NULL))
		return;
	check_source(bed, &far, family->route);
	far.to = family->second;
	data_to_near(bed, &far);
	check_source(bed, &far, family->second);
	check_told(bed, family->second);
	far.to = family->route;
	data_to_near(bed, &far);
	check_source(bed, &far, family->route);
	data_far_close(&far);

	/* also where LOCAL_IP said otherwise */
	if (!add(bed, &far, family->route))
		return;
	far.to = family->second;
	data_to_near(bed, &far);
	check_source(bed, &far, family->second);
	/* it is the same peer at the same place */
	data_wait_count(bed, "rx_float", 0);
	data_far_close(&far);
}

static void learned_by_ping(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far;

	if (!add(bed, &far, NULL))
		return;
	far.to = family->second;
	data_far_send(&far, wire_ping, sizeof(wire_ping));
	data_wait_count(bed, "rx_keepalive", 1);
	check_source(bed, &far, family->second);
	data_far_close(&far);
}

static void not_from_forged(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	uint8_t plain[256], packet[WIRE_MAX];
	struct data_drops before;
	struct data_far far;
	size_t len, size;

	if (!add(bed, &far, NULL))
		return;
	data_to_near(bed, &far);
	check_source(bed, &far, family->route);
	data_drops_read(bed, &before);
	size = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	len = wire_seal(&far.seal, far.id, far.next, plain, size, packet);
	packet[len - 1] ^= 1;
	far.to = family->second;
	data_far_send_raw(&far, packet, len);
	data_check_drops(bed, &before, "rx_drop_auth", 1);
	check_source(bed, &far, family->route);

	/* nor from a replay */
	data_drops_read(bed, &before);
	data_far_send_id(&far, 1, plain, size);
	data_check_drops(bed, &before, "rx_drop_replay", 1);
	check_source(bed, &far, family->route);
	data_far_close(&far);
}

static void removed(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far;

	if (!add(bed, &far, family->second))
		return;
	check_source(bed, &far, family->second);
	netns_run(bed->near, "ip addr del %s dev " NEAR_VETH,
		  family->second_len);
	check_source(bed, &far, family->route);
	check_source(bed, &far, family->route);
	/* and when it is back and used again, it is learned again */
	netns_addr(bed->near, NEAR_VETH, family->second_len);
	far.to = family->second;
	data_to_near(bed, &far);
	check_source(bed, &far, family->second);
	data_far_close(&far);
}

/* An address that is none of the host's: the route decides. */
static void not_ours(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far;

	if (!add(bed, &far, family->foreign))
		return;
	check_source(bed, &far, family->route);
	data_far_close(&far);
}

/* In a VRF, addresses are those of its devices. */
static void in_vrf(struct data_bed *bed)
{
	static const char dev[] = "red";

	netns_run(bed->near, "ip -batch - <<-E\n"
		  "link add %s type vrf table 10\n"
		  "link set %s up\n"
		  "link set " NEAR_VETH " master %s\n"
		  "addr replace " NEAR6_B "/64 dev " NEAR_VETH " nodad\n"
		  "addr replace " NEAR6 "/64 dev " NEAR_VETH " nodad\n"
		  "E", dev, dev, dev);
	CHECK_EQ(0, setsockopt(bed->sock, SOL_SOCKET, SO_BINDTODEVICE, dev,
			       sizeof(dev)));
	told(bed);
	learned(bed);
	not_ours(bed);
}

/* An address that a route makes the host's, as load balancers need it. */
static void local_route(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far;

	netns_run(bed->near, "ip route add local %s dev lo",
		  family->foreign);
	netns_run(bed->far, "ip route add %s via %s", family->foreign,
		  family->route);
	if (!add(bed, &far, NULL))
		return;
	far.to = family->foreign;
	data_to_near(bed, &far);
	check_source(bed, &far, family->foreign);
	data_far_close(&far);
	if (!add(bed, &far, family->foreign))
		return;
	check_source(bed, &far, family->foreign);
	data_far_close(&far);
}

/* Followed to a new address while talking to the second one. */
static void roaming(struct data_bed *bed)
{
	const struct family *family = bed->arg;
	struct data_far far, moved;

	if (!add(bed, &far, NULL))
		return;
	data_to_near(bed, &far);
	moved = far;
	moved.fd = udp_socket(bed->far, strchr(family->far, ':') ? FAR6_B :
			      FAR4_B, 0);
	moved.to = family->second;
	data_to_near(bed, &moved);
	data_wait_count(bed, "rx_float", 1);
	check_source(bed, &moved, family->second);
	data_far_close(&far);
	data_far_close(&moved);
}

/* A socket bound to one address sends from no other. */
static void bound_socket(struct data_bed *bed)
{
	struct data_far far;

	if (!add(bed, &far, NULL))
		return;
	check_source(bed, &far, NEAR4_B);
	far.to = NEAR4_B;
	data_to_near(bed, &far);
	check_source(bed, &far, NEAR4_B);
	data_far_close(&far);
}

static const struct {
	const char *name;
	void (*run)(struct data_bed *bed);
} everywhere[] = {
	{ "LOCAL_IP is the source", told },
	{ "wildcard as LOCAL_IP", wildcard },
	{ "learned from the peer's packets", learned },
	{ "learned from a ping", learned_by_ping },
	{ "not learned from forged or replayed packets", not_from_forged },
	{ "address removed", removed },
	{ "LOCAL_IP of somebody else", not_ours },
	{ "learned while roaming", roaming },
	{ "in a VRF", in_vrf },
};

#define ALONE		3
#define COMBINED	(ARRAY_SIZE(everywhere) * ARRAY_SIZE(families))

int main(int argc, char **argv)
{
	static struct data_case cases[ALONE + COMBINED] = {
		{ "socket bound to the second address",
		  .conf = { .bind = NEAR4_B }, .run = bound_socket,
		  .arg = &families[0] },
		{ "address of a local route: IPv4",
		  .run = local_route, .arg = &families[0] },
		{ "address of a local route: mapped IPv4",
		  .conf = { .bind = "::" }, .run = local_route,
		  .arg = &families[2] },
	};
	static char names[COMBINED][80];
	unsigned int i;

	(void)argc;
	for (i = 0; i < COMBINED; i++) {
		const struct family *family =
			&families[i % ARRAY_SIZE(families)];

		snprintf(names[i], sizeof(names[i]), "%s: %s",
			 everywhere[i / ARRAY_SIZE(families)].name,
			 family->name);
		cases[ALONE + i] = (struct data_case) {
			.name = names[i],
			.conf = { .bind = family->bind },
			.run = everywhere[i / ARRAY_SIZE(families)].run,
			.arg = family,
		};
	}
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
