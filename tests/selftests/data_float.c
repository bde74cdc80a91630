// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roaming: a peer is followed to a new address by its newest authentic packet
 * and by nothing else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data_util.h"

#define PEER_ID	33

/* Where a case's peer lives, and where it goes. */
struct place {
	const char *name;
	const char *bind;
	const char *from;
	const char *to;
};

static const struct place places[] = {
	{ "IPv4", "0.0.0.0", FAR4, FAR4_B },
	{ "IPv6", "::", FAR6, FAR6_B },
	{ "mapped IPv4", "::", FAR4, FAR4_B },
	{ "IPv4 to IPv6", "::", FAR4, FAR6 },
	{ "IPv6 to IPv4", "::", FAR6, FAR4 },
	{ "new port only", "0.0.0.0", FAR4, FAR4 },
};

static bool add(struct data_bed *bed, struct data_far *far,
		struct data_far *moved)
{
	const struct place *place = bed->arg;
	const struct data_far_args args = {
		.id = PEER_ID,
		.addr = place->from,
	};

	if (!data_far_add(bed, far, &args))
		return false;
	*moved = *far;
	moved->fd = udp_socket(bed->far, place->to, 0);
	moved->to = strchr(place->to, ':') ? NEAR6 : NEAR4;
	return true;
}

static void done(struct data_far *far, struct data_far *moved)
{
	data_far_close(far);
	data_far_close(moved);
}

/* What the module says about where the peer is. */
static void check_remote(struct data_bed *bed, const struct data_far *far,
			 const char *addr)
{
	const struct sockaddr_in6 *in6;
	const struct sockaddr_in *in;
	struct ovpn_peer_info info;
	char text[INET6_ADDRSTRLEN];

	if (!CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID,
					   &info)))
		return;
	in = (struct sockaddr_in *)&info.remote;
	in6 = (struct sockaddr_in6 *)&info.remote;
	if (in->sin_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	CHECK_STREQ(addr, text);
	CHECK_EQ(udp_port(far->fd), ntohs(in->sin_port));
}

static void check_stays(struct data_bed *bed, struct data_far *far,
			struct data_far *moved, uint64_t floats)
{
	const struct place *place = bed->arg;

	data_to_far(bed, far, NULL, NULL);
	CHECK(udp_quiet(moved->fd, 0));
	CHECK_EQ(floats, ethtool_count(bed->near, TUN, "rx_float"));
	check_remote(bed, far, place->from);
}

static void follows(struct data_bed *bed)
{
	const struct place *place = bed->arg;
	struct data_far far, moved;
	struct udp_source source;

	if (!add(bed, &far, &moved))
		return;
	data_to_near(bed, &far);
	check_stays(bed, &far, &moved, 0);

	moved.next = far.next;
	data_to_near(bed, &moved);
	data_to_far(bed, &moved, NULL, &source);
	CHECK_STREQ(moved.to, source.addr);
	CHECK_EQ(NEAR_PORT, source.port);
	CHECK(udp_quiet(far.fd, 0));
	data_wait_count(bed, "rx_float", 1);
	check_remote(bed, &moved, place->to);

	/* stays there, and comes back */
	data_to_near(bed, &moved);
	data_to_far(bed, &moved, NULL, NULL);
	data_wait_count(bed, "rx_float", 1);
	far.next = moved.next;
	data_to_near(bed, &far);
	check_stays(bed, &far, &moved, 2);
	done(&far, &moved);
}

static void not_by_forged(struct data_bed *bed)
{
	uint8_t plain[256], packet[WIRE_MAX];
	struct data_far far, moved;
	struct data_drops before;
	size_t len;

	if (!add(bed, &far, &moved))
		return;
	data_to_near(bed, &far);
	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	len = wire_seal(&far.seal, far.id, far.next, plain, len, packet);
	packet[len - 1] ^= 1;
	data_far_send_raw(&moved, packet, len);
	/* and with nothing of the peer but its id */
	memset(packet + 4, 0xaa, len - 4);
	data_far_send_raw(&moved, packet, len);
	data_check_drops(bed, &before, "rx_drop_auth", 2);
	check_stays(bed, &far, &moved, 0);
	done(&far, &moved);
}

static void not_by_replay(struct data_bed *bed)
{
	uint8_t plain[256], packet[WIRE_MAX];
	struct data_far far, moved;
	struct data_drops before;
	size_t len;

	if (!add(bed, &far, &moved))
		return;
	data_to_near(bed, &far);
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_deliver(bed, &far, 5000, plain, len);
	data_drops_read(bed, &before);
	len = wire_seal(&far.seal, far.id, 5000, plain, len, packet);
	data_far_send_raw(&moved, packet, len);
	data_check_drops(bed, &before, "rx_drop_replay", 1);
	check_stays(bed, &far, &moved, 0);

	/* seen, or so old that nobody knows */
	data_drops_read(bed, &before);
	data_far_send_id(&moved, 1, plain, 100);
	data_check_drops(bed, &before, "rx_drop_old", 1);
	check_stays(bed, &far, &moved, 0);
	done(&far, &moved);
}

/*
 * Whoever holds back a packet and sends it later from elsewhere has an
 * authentic one that nobody has seen: it counts, but the peer is not there.
 */
static void not_by_older(struct data_bed *bed)
{
	struct data_far far, moved;
	uint8_t plain[256];
	size_t len;

	if (!add(bed, &far, &moved))
		return;
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_deliver(bed, &far, 10, plain, len);
	data_deliver(bed, &moved, 9, plain, len);
	check_stays(bed, &far, &moved, 0);
	data_deliver(bed, &moved, 2, plain, len);
	check_stays(bed, &far, &moved, 0);
	/* the newest, however, moves it */
	data_deliver(bed, &moved, 11, plain, len);
	data_to_far(bed, &moved, NULL, NULL);
	data_wait_count(bed, "rx_float", 1);
	/* and a late one from the old place does not move it back */
	data_deliver(bed, &far, 8, plain, len);
	data_to_far(bed, &moved, NULL, NULL);
	CHECK(udp_quiet(far.fd, 0));
	data_wait_count(bed, "rx_float", 1);
	done(&far, &moved);
}

static void by_ping(struct data_bed *bed)
{
	struct data_far far, moved;

	if (!add(bed, &far, &moved))
		return;
	data_far_send(&moved, wire_ping, sizeof(wire_ping));
	data_wait_count(bed, "rx_keepalive", 1);
	data_to_far(bed, &moved, NULL, NULL);
	data_wait_count(bed, "rx_float", 1);
	done(&far, &moved);
}

/* Peers without an id are found by the new address, no longer by the old. */
static void lookup_follows(struct data_bed *bed)
{
	struct data_far far, moved;
	struct data_drops before;
	uint8_t plain[256];
	size_t len;

	if (!add(bed, &far, &moved))
		return;
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	far.id = WIRE_PEER_ID_NONE;
	data_deliver(bed, &far, 1, plain, len);

	moved.id = WIRE_PEER_ID_NONE;
	data_drops_read(bed, &before);
	data_far_send_id(&moved, 2, plain, len);
	data_check_drops(bed, &before, "rx_drop_unknown_peer", 1);

	moved.id = PEER_ID;
	data_deliver(bed, &moved, 3, plain, len);
	data_wait_count(bed, "rx_float", 1);

	moved.id = WIRE_PEER_ID_NONE;
	data_deliver(bed, &moved, 4, plain, len);
	data_drops_read(bed, &before);
	data_far_send_id(&far, 5, plain, len);
	data_check_drops(bed, &before, "rx_drop_unknown_peer", 1);
	done(&far, &moved);
}

static const struct place v4 = { "IPv4", "0.0.0.0", FAR4, FAR4_B };

/* A new peer at the address that another one has left. */
static void place_taken_over(struct data_bed *bed)
{
	struct data_far_args args = {
		.id = 1, .ipv4 = VPN_FAR4, .ipv6 = VPN_FAR6,
	};
	struct data_far one, moved, two;

	if (!data_far_add(bed, &one, &args))
		return;
	moved = one;
	moved.fd = udp_socket(bed->far, v4.to, 0);
	data_to_near(bed, &moved);
	data_to_far(bed, &moved, NULL, NULL);

	args = (struct data_far_args) {
		.id = 2, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B,
		.port = udp_port(one.fd),
	};
	close(one.fd);
	if (!data_far_add(bed, &two, &args))
		return;
	two.id = WIRE_PEER_ID_NONE;
	data_to_near(bed, &two);
	moved.id = WIRE_PEER_ID_NONE;
	data_to_near(bed, &moved);
	data_to_far(bed, &two, NULL, NULL);
	data_to_far(bed, &moved, NULL, NULL);
	done(&two, &moved);
}

/* Moving one of two peers leaves the other where it is. */
static void other_peer_stays(struct data_bed *bed)
{
	const struct data_far_args args[2] = {
		{ .id = 1, .ipv4 = VPN_FAR4, .ipv6 = VPN_FAR6 },
		{ .id = 2, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B },
	};
	struct data_far far[2], moved;
	unsigned int i;

	if (!data_far_add(bed, &far[0], &args[0]) ||
	    !data_far_add(bed, &far[1], &args[1]))
		return;
	moved = far[0];
	moved.fd = udp_socket(bed->far, v4.to, 0);
	for (i = 0; i < 3; i++) {
		data_to_near(bed, &moved);
		data_to_near(bed, &far[1]);
		data_to_far(bed, &moved, NULL, NULL);
		data_to_far(bed, &far[1], NULL, NULL);
	}
	CHECK(udp_quiet(far[0].fd, 0));
	data_wait_count(bed, "rx_float", 1);
	data_far_close(&far[1]);
	done(&far[0], &moved);
}

static const struct {
	const char *name;
	void (*run)(struct data_bed *bed);
} everywhere[] = {
	{ "followed", follows },
	{ "not by a forged packet", not_by_forged },
	{ "not by a replay", not_by_replay },
	{ "not by an older packet", not_by_older },
	{ "followed by a ping", by_ping },
	{ "lookup by address follows", lookup_follows },
};

#define COMBINED	(ARRAY_SIZE(everywhere) * ARRAY_SIZE(places))

int main(int argc, char **argv)
{
	static struct data_case cases[2 + COMBINED] = {
		{ "address taken over by a new peer",
		  .conf = { .mode = OVPN_MODE_MP }, .run = place_taken_over },
		{ "another peer stays",
		  .conf = { .mode = OVPN_MODE_MP }, .run = other_peer_stays },
	};
	static char names[COMBINED][80];
	unsigned int i;

	(void)argc;
	for (i = 0; i < COMBINED; i++) {
		const struct place *place = &places[i % ARRAY_SIZE(places)];

		snprintf(names[i], sizeof(names[i]), "%s: %s",
			 everywhere[i / ARRAY_SIZE(places)].name, place->name);
		cases[2 + i] = (struct data_case) {
			.name = names[i],
			.conf = { .bind = place->bind },
			.run = everywhere[i / ARRAY_SIZE(places)].run,
			.arg = place,
		};
	}
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
