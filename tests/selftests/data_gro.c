// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams that arrive as one large packet: each of them is treated as if it had
 * come alone, whatever the others are.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID		21
#define PACKET		300	/* bytes inside, but for the last of a batch */

/* How they come, apart from what is in them. */
struct way {
	const char *bind;
	const char *addr;
	bool cut;	/* the module does not take them in whole */
	bool watched;	/* nor may it: somebody else is looking at them */
};

static const struct way v4 = { "0.0.0.0", FAR4 };
static const struct way v6 = { "::", FAR6 };
static const struct way mapped = { "::", FAR4 };
static const struct way cut = { "0.0.0.0", FAR4, .cut = true };
static const struct way watched = { "::", FAR6, .watched = true };

static int watch = -1;

static bool add_peer(struct data_bed *bed, struct data_far *far, uint32_t id)
{
	const struct way *way = bed->arg;
	const struct data_far_args args = { .id = id, .addr = way->addr };

	if (way->cut)
		CHECK_ERR(0, ethtool_set_flag(bed->near, TUN, "udp-gro",
					      false));
	if (way->watched && watch < 0)
		watch = packet_socket(bed->near, NEAR_VETH);
	return data_far_add(bed, far, &args);
}

static bool add(struct data_bed *bed, struct data_far *far)
{
	return add_peer(bed, far, PEER_ID);
}

static void del(struct data_far *far)
{
	data_far_close(far);
	if (watch >= 0)
		close(watch);
	watch = -1;
}

/* ---- what is in a batch ---- */

static size_t make(uint8_t *packet, size_t size, unsigned int seed)
{
	return seed % 3 ? data_inner(packet, VPN_FAR4, VPN_NEAR4, size, seed) :
			  data_inner(packet, VPN_FAR6, VPN_NEAR6, size, seed);
}

static void put_size(struct data_batch *batch, struct data_far *far,
		     size_t size, unsigned int seed)
{
	uint8_t packet[WIRE_MAX];
	size_t len = make(packet, size, seed);

	data_batch_add(batch, far, packet, len);
}

static void put(struct data_batch *batch, struct data_far *far,
		unsigned int seed)
{
	put_size(batch, far, PACKET, seed);
}

/* The next one that is delivered. */
static bool expect_size(struct data_bed *bed, size_t size, unsigned int seed)
{
	uint8_t packet[WIRE_MAX], got[WIRE_MAX];
	size_t len = make(packet, size, seed);

	if (CHECK_EQ(len, packet_recv(bed->tap, got, sizeof(got),
				      DATA_WAIT_MS)) &&
	    CHECK_MEMEQ(packet, got, len))
		return true;
	ktap_note("packet %u of the batch", seed);
	return false;
}

static bool expect(struct data_bed *bed, unsigned int seed)
{
	return expect_size(bed, PACKET, seed);
}

/* A sealed packet of a batch's size with something wrong about it. */
#define SEALED	(PACKET + WIRE_HEADER_LEN)

static void put_flipped(struct data_batch *batch, struct data_far *far,
			size_t at, uint8_t bits)
{
	uint8_t plain[PACKET], packet[SEALED];

	make(plain, PACKET, 0);
	wire_seal(&far->seal, far->id, far->next++, plain, PACKET, packet);
	packet[at] ^= bits;
	data_batch_add_raw(batch, packet, SEALED);
}

/* ---- all is well ---- */

static void in_order(struct data_bed *bed)
{
	static const size_t sizes[] = { 50, 51, 300, 999, 1448 };
	struct data_batch batch = { 0 };
	struct data_drops before;
	unsigned int i, j, count;
	struct data_far far;

	if (!add(bed, &far))
		return;
	data_drops_read(bed, &before);
	for (i = 0; ktap_good() && i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i] - (sizes[i] > 1400 ? 20 : 0);

		count = size > 1000 ? 40 : 64;
		for (j = 0; j < count - 1; j++)
			put_size(&batch, &far, size, j);
		/* the last may be shorter */
		put_size(&batch, &far, i & 1 ? 50 : size, j);
		data_batch_send(&far, &batch);
		for (j = 0; ktap_good() && j < count - 1; j++)
			expect_size(bed, size, j);
		expect_size(bed, i & 1 ? 50 : size, j);
	}
	data_near_empty(bed);
	data_check_no_drops(bed, &before);
	del(&far);
}

static void counted(struct data_bed *bed)
{
	struct ovpn_peer_info before, after;
	struct data_batch batch = { 0 };
	struct data_dev dev[2];
	struct data_far far;
	unsigned int i;

	if (!add(bed, &far))
		return;
	data_dev_counters(bed->near, TUN, &dev[0]);
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID,
				      &before));
	for (i = 0; i < 9; i++)
		put(&batch, &far, i);
	put_size(&batch, &far, 100, i);
	data_batch_send(&far, &batch);
	for (i = 0; i < 9; i++)
		expect(bed, i);
	expect_size(bed, 100, i);
	data_dev_counters(bed->near, TUN, &dev[1]);
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &after));
	CHECK_EQ(10, dev[1].rx_packets - dev[0].rx_packets);
	CHECK_EQ(9 * PACKET + 100, dev[1].rx_bytes - dev[0].rx_bytes);
	CHECK_EQ(10, after.vpn_rx_packets - before.vpn_rx_packets);
	CHECK_EQ(10, after.link_rx_packets - before.link_rx_packets);
	CHECK_EQ(9 * PACKET + 100 + 10 * WIRE_HEADER_LEN,
		 after.link_rx_bytes - before.link_rx_bytes);
	del(&far);
}

/* ---- one of them is not ---- */

/* Nine good ones, and at a place among them what one function puts there. */
static void check_bad(struct data_bed *bed, struct data_far *far,
		      unsigned int place, const char *reason,
		      void (*bad)(struct data_batch *batch,
				  struct data_far *far))
{
	struct data_batch batch = { 0 };
	struct data_drops before;
	unsigned int i;

	data_drops_read(bed, &before);
	for (i = 0; i < 9; i++) {
		if (i == place)
			bad(&batch, far);
		put(&batch, far, i);
	}
	if (place == 9)
		bad(&batch, far);
	data_batch_send(far, &batch);
	for (i = 0; i < 9; i++)
		expect(bed, i);
	if (!data_check_drops(bed, &before, reason, 1))
		ktap_note("at place %u", place);
	data_near_empty(bed);
}

static void tampered(struct data_batch *batch, struct data_far *far)
{
	put_flipped(batch, far, SEALED - 1, 0x40);
}

static void tampered_tag(struct data_batch *batch, struct data_far *far)
{
	put_flipped(batch, far, 8, 1);
}

static void other_key(struct data_batch *batch, struct data_far *far)
{
	put_flipped(batch, far, 0, 5);
}

static void other_peer(struct data_batch *batch, struct data_far *far)
{
	put_flipped(batch, far, 3, 1);
}

/* Somebody who sees the packets, and nothing more, sends what looks like one. */
static void spoofed(struct data_batch *batch, struct data_far *far)
{
	uint32_t op = htonl(wire_op32(WIRE_OP_DATA_V2, 0, far->id));
	uint8_t packet[SEALED];

	memset(packet, 0x5a, sizeof(packet));
	memcpy(packet, &op, sizeof(op));
	data_batch_add_raw(batch, packet, sizeof(packet));
}

static void replayed(struct data_batch *batch, struct data_far *far)
{
	uint32_t next = far->next;

	/* the same as the one behind it, but for what is in it */
	put(batch, far, 100);
	far->next = next;
}

static void id_zero(struct data_batch *batch, struct data_far *far)
{
	uint32_t next = far->next;

	far->next = 0;
	put(batch, far, 100);
	far->next = next;
}

static void not_ip(struct data_batch *batch, struct data_far *far)
{
	uint8_t plain[PACKET] = { 0x50 };

	data_batch_add(batch, far, plain, PACKET);
}

static void foreign(struct data_batch *batch, struct data_far *far)
{
	uint8_t plain[PACKET];

	data_inner(plain, "10.8.0.99", VPN_NEAR4, PACKET, 0);
	data_batch_add(batch, far, plain, PACKET);
}

static const struct {
	const char *reason;
	void (*bad)(struct data_batch *batch, struct data_far *far);
} bads[] = {
	{ "rx_drop_auth", tampered },
	{ "rx_drop_auth", tampered_tag },
	{ "rx_drop_auth", spoofed },
	{ "rx_drop_unknown_key", other_key },
	{ "rx_drop_unknown_peer", other_peer },
	{ "rx_drop_id_zero", id_zero },
	{ "rx_drop_not_ip", not_ip },
	{ "rx_drop_rpf", foreign },
};

static void bad_ones(struct data_bed *bed)
{
	static const unsigned int places[] = { 0, 1, 5, 9 };
	struct data_far far;
	unsigned int i, j;

	if (!add(bed, &far))
		return;
	for (i = 0; ktap_good() && i < ARRAY_SIZE(bads); i++)
		for (j = 0; j < ARRAY_SIZE(places); j++)
			check_bad(bed, &far, places[j], bads[i].reason,
				  bads[i].bad);
	data_to_near(bed, &far);
	del(&far);
}

/* The first of two with the same packet id is the one that counts. */
static void replays(struct data_bed *bed)
{
	struct data_batch batch = { 0 };
	struct data_drops before;
	struct data_far far;
	unsigned int i;

	if (!add(bed, &far))
		return;
	data_drops_read(bed, &before);
	put(&batch, &far, 0);
	replayed(&batch, &far);
	for (i = 1; i < 5; i++)
		put(&batch, &far, i);
	data_batch_send(&far, &batch);
	expect(bed, 0);
	expect(bed, 100);
	for (i = 2; i < 5; i++)
		expect(bed, i);
	data_near_empty(bed);
	data_check_drops(bed, &before, "rx_drop_replay", 1);
	/* a whole batch once more */
	far.next = 1;
	data_drops_read(bed, &before);
	for (i = 0; i < 5; i++)
		put(&batch, &far, i);
	data_batch_send(&far, &batch);
	data_check_drops(bed, &before, "rx_drop_replay", 5);
	data_near_empty(bed);
	del(&far);
}

/* Nothing inside, only the tag; it is authentic, and no packet. */
static void put_empty(struct data_batch *batch, struct data_far *far)
{
	data_batch_add(batch, far, "", 0);
}

static void short_ones(struct data_bed *bed)
{
	uint32_t op = htonl(wire_op32(WIRE_OP_DATA_V2, 0, PEER_ID));
	struct data_batch batch = { 0 };
	struct data_drops before;
	uint8_t packet[64] = { 0 };
	struct data_far far;
	unsigned int len, i;

	memcpy(packet, &op, sizeof(op));
	if (!add(bed, &far))
		return;
	check_bad(bed, &far, 9, "rx_drop_not_ip", put_empty);
	/* only they, however many there are */
	data_drops_read(bed, &before);
	for (i = 0; i < 64; i++)
		put_empty(&batch, &far);
	data_batch_send(&far, &batch);
	data_check_drops(bed, &before, "rx_drop_not_ip", 64);

	/* not even a header; one byte less than four may be anybody's */
	for (len = 4; ktap_good() && len < WIRE_HEADER_LEN; len++) {
		data_drops_read(bed, &before);
		for (i = 0; i < 5; i++)
			put(&batch, &far, i);
		data_batch_add_raw(&batch, packet, len);
		data_batch_send(&far, &batch);
		for (i = 0; i < 5; i++)
			expect(bed, i);
		data_check_drops(bed, &before, "rx_drop_short", 1);
	}
	for (len = 1; ktap_good() && len < 4; len++) {
		data_drops_read(bed, &before);
		for (i = 0; i < 5; i++)
			put(&batch, &far, i);
		data_batch_add_raw(&batch, packet, len);
		data_batch_send(&far, &batch);
		for (i = 0; i < 5; i++)
			expect(bed, i);
		data_check_drops(bed, &before, "rx_drop_short", 1);
	}
	data_to_near(bed, &far);
	CHECK(udp_quiet(bed->sock, 0));
	del(&far);
}

/* ---- what is not for the device ---- */

/* Userspace gets its own one by one, and what is sealed is delivered. */
static void control(struct data_bed *bed)
{
	uint8_t sent[SEALED], got[WIRE_MAX];
	struct data_batch batch = { 0 };
	struct udp_source source;
	struct data_drops before;
	struct data_far far;
	unsigned int i, at;

	if (!add(bed, &far))
		return;
	for (at = 0; ktap_good() && at < 10; at += 3) {
		uint64_t seen = ethtool_count(bed->near, TUN, "rx_control");

		data_drops_read(bed, &before);
		for (i = 0; i < 10; i++) {
			if (i != at) {
				put(&batch, &far, i);
				continue;
			}
			memset(sent, at, sizeof(sent));
			sent[0] = 4 << 3;	/* P_CONTROL_V1 */
			data_batch_add_raw(&batch, sent, sizeof(sent));
		}
		data_batch_send(&far, &batch);
		for (i = 0; i < 10; i++)
			if (i != at)
				expect(bed, i);
		if (CHECK_EQ(SEALED, udp_recv(bed->sock, got, sizeof(got),
					      DATA_WAIT_MS, &source))) {
			CHECK_MEMEQ(sent, got, SEALED);
			CHECK_EQ(udp_port(far.fd), source.port);
		}
		CHECK(udp_quiet(bed->sock, 0));
		data_wait_count(bed, "rx_control", seen + 1);
		data_check_no_drops(bed, &before);
	}
	del(&far);
}

static void keepalives(struct data_bed *bed)
{
	uint64_t seen = ethtool_count(bed->near, TUN, "rx_keepalive");
	struct data_batch batch = { 0 };
	struct data_drops before;
	struct data_far far;
	unsigned int i;

	if (!add(bed, &far))
		return;
	data_drops_read(bed, &before);
	for (i = 0; i < 5; i++)
		put(&batch, &far, i);
	data_batch_add(&batch, &far, wire_ping, sizeof(wire_ping));
	data_batch_send(&far, &batch);
	for (i = 0; i < 5; i++)
		expect(bed, i);
	data_wait_count(bed, "rx_keepalive", seen + 1);
	data_check_no_drops(bed, &before);
	del(&far);
}

/* ---- more than one peer ---- */

/* Where the module thinks that a peer is. */
static unsigned int port_of(struct data_bed *bed, uint32_t id)
{
	struct ovpn_peer_info info = { 0 };

	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, id, &info));
	/* at the same place in both families */
	return ntohs(((struct sockaddr_in *)&info.remote)->sin_port);
}

/* Two clients behind one address and port, as far as anybody can tell. */
static void two_peers(struct data_bed *bed)
{
	const struct way *way = bed->arg;
	const struct data_far_args other = {
		.id = PEER_ID + 1,
		.addr = way->addr,
		.ipv4 = VPN_FAR4_B,
		.ipv6 = VPN_FAR6_B,
	};
	uint8_t plain[PACKET], got[WIRE_MAX];
	struct data_batch batch = { 0 };
	struct ovpn_peer_info info;
	struct data_drops before;
	struct data_far far[2];
	unsigned int i;

	if (!add(bed, &far[0]) || !data_far_add(bed, &far[1], &other))
		return;
	data_drops_read(bed, &before);
	for (i = 0; i < 12; i++) {
		if (i % 4 < 2) {
			put(&batch, &far[0], i);
			continue;
		}
		data_inner(plain, VPN_FAR4_B, VPN_NEAR4, PACKET, i);
		data_batch_add(&batch, &far[1], plain, PACKET);
	}
	data_batch_send(&far[0], &batch);
	for (i = 0; i < 12; i++) {
		if (i % 4 < 2) {
			expect(bed, i);
			continue;
		}
		data_inner(plain, VPN_FAR4_B, VPN_NEAR4, PACKET, i);
		if (CHECK_EQ(PACKET, packet_recv(bed->tap, got, sizeof(got),
						 DATA_WAIT_MS)))
			CHECK_MEMEQ(plain, got, PACKET);
	}
	data_check_no_drops(bed, &before);
	for (i = 0; i < 2; i++) {
		CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex,
					      PEER_ID + i, &info));
		CHECK_EQ(6, info.vpn_rx_packets);
		/* both are followed to where that came from */
		CHECK_EQ(udp_port(far[0].fd), port_of(bed, PEER_ID + i));
	}
	data_far_close(&far[1]);
	del(&far[0]);
}

/* Only what is authentic has the peer followed. */
static void moves(struct data_bed *bed)
{
	uint64_t moved = ethtool_count(bed->near, TUN, "rx_float");
	struct data_batch batch = { 0 };
	const struct way *way = bed->arg;
	struct data_far far;
	uint16_t port;
	unsigned int i;

	if (!add(bed, &far))
		return;
	port = udp_port(far.fd);
	close(far.fd);
	far.fd = udp_socket(bed->far, way->addr, 0);
	for (i = 0; i < 5; i++)
		spoofed(&batch, &far);
	data_batch_send(&far, &batch);
	data_wait_count(bed, "rx_drop_auth", 5);
	CHECK_EQ(port, port_of(bed, PEER_ID));

	spoofed(&batch, &far);
	for (i = 0; i < 5; i++)
		put(&batch, &far, i);
	data_batch_send(&far, &batch);
	for (i = 0; i < 5; i++)
		expect(bed, i);
	if (CHECK_EQ(udp_port(far.fd), port_of(bed, PEER_ID)))
		data_to_far(bed, &far, NULL, NULL);
	data_wait_count(bed, "rx_float", moved + 1);
	del(&far);
}

static const struct {
	const char *name;
	void (*run)(struct data_bed *bed);
	int mode;
} everywhere[] = {
	{ "in order", in_order },
	{ "counted one by one", counted },
	{ "bad ones among good ones", bad_ones, OVPN_MODE_MP },
	{ "replays", replays },
	{ "short ones", short_ones },
	{ "control packets among them", control },
	{ "keepalive among them", keepalives },
	{ "of two peers", two_peers, OVPN_MODE_MP },
	{ "from another place", moves },
};

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const struct way *way;
	} ways[] = {
		{ "IPv4", &v4 }, { "IPv6", &v6 }, { "mapped IPv4", &mapped },
		{ "not taken in whole", &cut }, { "seen by others", &watched },
	};
	static struct data_case cases[ARRAY_SIZE(everywhere) * ARRAY_SIZE(ways)];
	static char names[ARRAY_SIZE(cases)][80];
	unsigned int i, w;

	(void)argc;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		w = i % ARRAY_SIZE(ways);
		snprintf(names[i], sizeof(names[i]), "%s: %s",
			 everywhere[i / ARRAY_SIZE(ways)].name, ways[w].name);
		cases[i] = (struct data_case) {
			.name = names[i],
			.conf = {
				.bind = ways[w].way->bind,
				.mode = everywhere[i / ARRAY_SIZE(ways)].mode,
			},
			.run = everywhere[i / ARRAY_SIZE(ways)].run,
			.arg = ways[w].way,
		};
	}
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
