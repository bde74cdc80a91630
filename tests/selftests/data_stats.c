// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: a known number of packets of known sizes, and every counter that
 * userspace reads says exactly that.
 *
 * "vpn" counts what is inside: received packets once they are authentic and
 * new (pings and those that are no good or fail the reverse-path check included),
 * sent ones by segment. Not so in the family ovpn, where OpenVPN 2.7 takes it for
 * what the tunnel is used for (--inactive): there it is what was delivered, and no
 * pings. "link" counts from the opcode on, without UDP and IP, received
 * packets before anything is known about them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

#define PEER_ID	88
#define TOS_CE	3

static const struct data_far_args one = { .id = PEER_ID };

/* What the counters of a peer and of its device should be. */
struct expect {
	uint64_t vpn_rx_bytes, vpn_rx_packets;
	uint64_t vpn_tx_bytes, vpn_tx_packets;
	uint64_t link_rx_bytes, link_rx_packets;
	uint64_t link_tx_bytes, link_tx_packets;
	struct data_dev dev;
};

static void check_peer(struct data_bed *bed, uint32_t id,
		       const struct expect *e)
{
	struct ovpn_peer_info info;

	if (!CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, id, &info)))
		return;
	CHECK_EQ(e->vpn_rx_bytes, info.vpn_rx_bytes);
	CHECK_EQ(e->vpn_rx_packets, info.vpn_rx_packets);
	CHECK_EQ(e->vpn_tx_bytes, info.vpn_tx_bytes);
	CHECK_EQ(e->vpn_tx_packets, info.vpn_tx_packets);
	CHECK_EQ(e->link_rx_bytes, info.link_rx_bytes);
	CHECK_EQ(e->link_rx_packets, info.link_rx_packets);
	CHECK_EQ(e->link_tx_bytes, info.link_tx_bytes);
	CHECK_EQ(e->link_tx_packets, info.link_tx_packets);
}

static void check_device(struct data_bed *bed, const struct expect *e)
{
	struct data_dev dev;

	/* a packet may be at its far end before it is counted at this one */
	WAIT_FOR((data_dev_counters(bed->near, TUN, &dev),
		  dev.tx_packets >= e->dev.tx_packets &&
		  dev.rx_packets >= e->dev.rx_packets), DATA_WAIT_MS);
	CHECK_EQ(e->dev.rx_bytes, dev.rx_bytes);
	CHECK_EQ(e->dev.rx_packets, dev.rx_packets);
	CHECK_EQ(e->dev.rx_dropped, dev.rx_dropped);
	CHECK_EQ(e->dev.rx_errors, dev.rx_errors);
	CHECK_EQ(e->dev.tx_bytes, dev.tx_bytes);
	CHECK_EQ(e->dev.tx_packets, dev.tx_packets);
	CHECK_EQ(e->dev.tx_dropped, dev.tx_dropped);
	CHECK_EQ(e->dev.tx_errors, dev.tx_errors);
}

/* Sends one from near to far, which has to be counted. */
static void count_tx(struct data_bed *bed, struct data_far *far,
		     struct expect *e, bool v6, size_t size)
{
	uint8_t plain[WIRE_MAX], got[WIRE_MAX];
	size_t len;

	len = data_inner(plain, v6 ? VPN_NEAR6 : VPN_NEAR4,
			 v6 ? far->ipv6 : far->ipv4, size, size);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	CHECK_EQ(len, data_far_recv(far, got, NULL, NULL));
	e->vpn_tx_bytes += len;
	e->vpn_tx_packets++;
	e->link_tx_bytes += len + WIRE_HEADER_LEN;
	e->link_tx_packets++;
	e->dev.tx_bytes += len;
	e->dev.tx_packets++;
}

static void count_rx(struct data_bed *bed, struct data_far *far,
		     struct expect *e, bool v6, size_t size)
{
	uint8_t plain[WIRE_MAX];
	size_t len;

	len = data_inner(plain, v6 ? far->ipv6 : far->ipv4,
			 v6 ? VPN_NEAR6 : VPN_NEAR4, size, size);
	data_deliver(bed, far, 0, plain, len);
	e->vpn_rx_bytes += len;
	e->vpn_rx_packets++;
	e->link_rx_bytes += len + WIRE_HEADER_LEN;
	e->link_rx_packets++;
	e->dev.rx_bytes += len;
	e->dev.rx_packets++;
}

/* Authentic and new, and not delivered. */
static void count_useless(struct expect *e, size_t bytes, unsigned int packets)
{
	if (speaks_ovpn())
		return;
	e->vpn_rx_bytes += bytes;
	e->vpn_rx_packets += packets;
}

static const size_t sizes[] = { 50, 51, 100, 777, 1399, 1428 };

static void zero_at_first(struct data_bed *bed)
{
	const struct expect e = { 0 };
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

static void sent(struct data_bed *bed)
{
	struct expect e = { 0 };
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		count_tx(bed, &far, &e, false, sizes[i]);
		count_tx(bed, &far, &e, true, sizes[i]);
	}
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

static void received(struct data_bed *bed)
{
	struct expect e = { 0 };
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		count_rx(bed, &far, &e, false, sizes[i]);
		count_rx(bed, &far, &e, true, sizes[i]);
	}
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

static void pings(struct data_bed *bed)
{
	struct expect e = { 0 };
	uint8_t got[WIRE_MAX];
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 1; i <= 3; i++) {
		data_far_send(&far, wire_ping, sizeof(wire_ping));
		count_useless(&e, 16, 1);
		e.link_rx_bytes += 40;
		e.link_rx_packets++;
	}
	data_wait_count(bed, "rx_keepalive", 3);
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);

	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID,
				      1, keepalive_none()));
	CHECK_EQ(16, data_far_recv(&far, got, NULL, NULL));
	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID, 0, 0));
	e.vpn_tx_bytes += speaks_ovpn() ? 0 : 16;
	e.vpn_tx_packets += !speaks_ovpn();
	e.link_tx_bytes += 40;
	e.link_tx_packets++;
	/* none of these went through the device, in either direction */
	data_wait_count(bed, "tx_keepalive", 1);
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

/* What came, was the peer's by its id, and was dropped. */
static void dropped(struct data_bed *bed)
{
	uint8_t plain[256], packet[WIRE_MAX];
	struct data_drops before;
	struct expect e = { 0 };
	struct data_far far;
	unsigned int i;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	count_rx(bed, &far, &e, false, 100);
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	len = wire_seal(&far.seal, far.id, far.next++, plain, len, packet);
	packet[len - 1] ^= 1;
	for (i = 0; i < 4; i++)
		data_far_send_raw(&far, packet, len);
	data_check_drops(bed, &before, "rx_drop_auth", 4);
	data_drops_read(bed, &before);
	for (i = 0; i < 3; i++)
		data_far_send_id(&far, 1, plain, 100);
	data_check_drops(bed, &before, "rx_drop_replay", 3);
	e.link_rx_bytes += 7 * len;
	e.link_rx_packets += 7;
	e.dev.rx_dropped += 7;
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);

	/* authentic, new and useless */
	data_drops_read(bed, &before);
	plain[0] = 0x75;
	data_far_send(&far, plain, 100);
	data_far_send(&far, plain, 0);
	data_check_drops(bed, &before, "rx_drop_not_ip", 2);
	count_useless(&e, 100, 2);
	e.link_rx_bytes += 100 + 2 * WIRE_HEADER_LEN;
	e.link_rx_packets += 2;
	e.dev.rx_dropped += 2;
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

/* Strangers' packets are nobody's, control packets userspace's. */
static void not_the_peers(struct data_bed *bed)
{
	uint8_t plain[256], packet[WIRE_MAX];
	struct data_far far, stranger;
	struct data_drops before;
	struct expect e = { 0 };
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	stranger = far;
	stranger.id++;
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_far_send(&stranger, plain, len);
	data_check_drops(bed, &before, "rx_drop_unknown_peer", 1);
	e.dev.rx_dropped++;
	memset(packet, 0x20, 100);
	data_far_send_raw(&far, packet, 100);
	CHECK_EQ(100, udp_recv(bed->sock, packet, sizeof(packet), DATA_WAIT_MS,
			       NULL));
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

static void reverse_path(struct data_bed *bed)
{
	const struct data_far_args args[2] = {
		{ .id = 1, .ipv4 = VPN_FAR4, .ipv6 = VPN_FAR6 },
		{ .id = 2, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B },
	};
	struct expect e[2] = { 0 };
	struct data_far far[2];
	struct data_drops before;
	uint8_t plain[256];
	size_t len;

	if (!data_far_add(bed, &far[0], &args[0]) ||
	    !data_far_add(bed, &far[1], &args[1]))
		return;
	/* each its own */
	count_rx(bed, &far[0], &e[0], false, 100);
	count_rx(bed, &far[1], &e[1], false, 200);
	count_rx(bed, &far[1], &e[1], true, 300);
	count_tx(bed, &far[0], &e[0], true, 400);
	count_tx(bed, &far[1], &e[1], false, 500);

	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_FAR4_B, VPN_NEAR4, 150, 1);
	data_far_send(&far[0], plain, len);
	data_check_drops(bed, &before, "rx_drop_rpf", 1);
	count_useless(&e[0], len, 1);
	e[0].link_rx_bytes += len + WIRE_HEADER_LEN;
	e[0].link_rx_packets++;
	check_peer(bed, 1, &e[0]);
	check_peer(bed, 2, &e[1]);

	e[0].dev.rx_bytes += e[1].dev.rx_bytes;
	e[0].dev.rx_packets += e[1].dev.rx_packets;
	e[0].dev.tx_bytes += e[1].dev.tx_bytes;
	e[0].dev.tx_packets += e[1].dev.tx_packets;
	e[0].dev.rx_dropped = 1;
	check_device(bed, &e[0]);
	data_far_close(&far[0]);
	data_far_close(&far[1]);
}

static void sent_useless(struct data_bed *bed, struct data_far *far,
			 struct expect *e, const uint8_t *plain, size_t len,
			 const char *reason)
{
	struct data_drops before;

	data_drops_read(bed, &before);
	data_far_send(far, plain, len);
	data_check_drops(bed, &before, reason, 1);
	count_useless(e, len, 1);
	e->link_rx_bytes += len + WIRE_HEADER_LEN;
	e->link_rx_packets++;
	e->dev.rx_dropped++;
}

static void goes_no_further(struct data_bed *bed)
{
	/* what a peer without IPv6 does not have, in all its forms */
	static const char *const none[] = { "::", "::ffff:0.0.0.0", VPN_FAR6 };
	const struct data_far_args v4 = { .id = 1, .ipv4 = VPN_FAR4 };
	struct expect e = { 0 };
	uint8_t plain[256];
	struct data_far far;
	unsigned int i;
	size_t len;

	if (!data_far_add(bed, &far, &v4))
		return;
	count_rx(bed, &far, &e, false, 100);
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		len = data_inner(plain, none[i], VPN_NEAR6, 120, i);
		sent_useless(bed, &far, &e, plain, len, "rx_drop_rpf");
	}
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 130, 1);
	udp_set_tos(far.fd, TOS_CE);
	sent_useless(bed, &far, &e, plain, len, "rx_drop_ecn");
	udp_set_tos(far.fd, 0);
	netns_run(bed->near, "ip link set " TUN " down");
	sent_useless(bed, &far, &e, plain, len, "rx_drop_down");
	check_peer(bed, 1, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

static void not_sent(struct data_bed *bed)
{
	struct data_drops before;
	struct expect e = { 0 };
	uint8_t plain[256];
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	count_tx(bed, &far, &e, false, 100);
	CHECK_ERR(0, ovpn_nl_del_key(bed->nl, bed->ifindex, PEER_ID,
				     OVPN_KEY_SLOT_PRIMARY));
	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	data_check_drops(bed, &before, "tx_drop_no_key", 1);
	e.dev.tx_dropped++;
	check_peer(bed, PEER_ID, &e);
	check_device(bed, &e);
	data_far_close(&far);
}

/* Twelve datagrams in one: the peer is charged for each of them. */
static void segments(struct data_bed *bed)
{
	const int size = 1000, n = 12;
	struct ovpn_peer_info info;
	uint8_t data[12 * 1000] = { 0 }, got[WIRE_MAX];
	struct data_far far;
	struct data_dev dev;
	int fd, i;

	if (!data_far_add(bed, &far, &one))
		return;
	fd = udp_socket(bed->near, VPN_NEAR4, 0);
	CHECK_EQ(0, setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size,
			       sizeof(size)));
	CHECK_EQ(n * size, udp_send(fd, NULL, VPN_FAR4, DATA_PORT, data, n * size));
	for (i = 0; i < n; i++)
		CHECK_EQ(size + 28, data_far_recv(&far, got, NULL, NULL));
	close(fd);
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
	CHECK_EQ(n, info.vpn_tx_packets);
	CHECK_EQ(n * (size + 28), info.vpn_tx_bytes);
	CHECK_EQ(n, info.link_tx_packets);
	CHECK_EQ(n * (size + 28 + WIRE_HEADER_LEN), info.link_tx_bytes);
	WAIT_FOR((data_dev_counters(bed->near, TUN, &dev),
		  dev.tx_packets >= (uint64_t)n), DATA_WAIT_MS);
	CHECK_EQ(n, dev.tx_packets);
	CHECK_EQ(n * (size + 28), dev.tx_bytes);
	CHECK_EQ(0, dev.tx_dropped);
	data_far_close(&far);
}

/* A peer's counters end with it. */
static void start_anew(struct data_bed *bed)
{
	struct expect e = { 0 }, again = { 0 };
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	count_tx(bed, &far, &e, false, 100);
	count_rx(bed, &far, &e, false, 100);
	check_peer(bed, PEER_ID, &e);
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, PEER_ID));
	data_far_close(&far);
	if (!data_far_add(bed, &far, &one))
		return;
	check_peer(bed, PEER_ID, &again);
	check_device(bed, &e);
	data_far_close(&far);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "zero at first", .run = zero_at_first },
		{ "packets sent", .run = sent },
		{ "packets received", .run = received },
		{ "pings", .run = pings },
		{ "packets dropped", .run = dropped },
		{ "packets of others", .run = not_the_peers },
		{ "two peers and the reverse path",
		  .conf = { .mode = OVPN_MODE_MP }, .run = reverse_path },
		{ "packets that go no further",
		  .conf = { .mode = OVPN_MODE_MP }, .run = goes_no_further },
		{ "packets not sent", .run = not_sent },
		{ "segments of one large packet", .run = segments },
		{ "a new peer starts anew", .run = start_anew },
	};

	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
