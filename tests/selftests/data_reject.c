// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must not get through, each kind landing in its own counter and in no
 * other, none of it delivered and none of it filling the log.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "data_util.h"

#define PEER_ID		7
#define KEY_ID		2

static const struct data_far_args one = { .id = PEER_ID, .key_id = KEY_ID };

/* A sealed packet with the next packet id, to be damaged. */
static size_t make_packet(struct data_far *far, uint8_t *packet, size_t size)
{
	uint8_t plain[WIRE_MAX];
	size_t len;

	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, size, far->next);
	return wire_seal(&far->seal, far->id, far->next++, plain, len, packet);
}

/* Sends it @count times, none of which may get anywhere. */
static void expect_drop(struct data_bed *bed, struct data_far *far,
			const void *packet, size_t len, const char *reason,
			unsigned int count)
{
	struct data_drops before;
	unsigned int i;

	data_drops_read(bed, &before);
	for (i = 0; i < count; i++)
		data_far_send_raw(far, packet, len);
	data_check_drops(bed, &before, reason, count);
	data_near_empty(bed);
	CHECK(udp_quiet(bed->sock, 0));
}

/* The same for authentic packets with this inside. */
static void expect_drop_plain(struct data_bed *bed, struct data_far *far,
			      const void *plain, size_t len, const char *reason)
{
	uint8_t packet[WIRE_MAX];

	len = wire_seal(&far->seal, far->id, far->next++, plain, len, packet);
	expect_drop(bed, far, packet, len, reason, 1);
}

static void tampered_header(struct data_bed *bed)
{
	struct data_drops before;
	unsigned int bit, flips;
	uint8_t packet[WIRE_MAX];
	struct data_far far;
	size_t len;
	struct {
		const char *reason;
		unsigned int first, last;	/* bits, in sending order */
	} region[] = {
		{ "rx_drop_unknown_key", 5, 7 },
		{ "rx_drop_unknown_peer", 8, 31 },
		{ "rx_drop_auth", 32, 63 },		/* packet id */
		{ "rx_drop_auth", 64, 191 },		/* tag */
	};
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_packet(&far, packet, 100);
	for (i = 0; i < ARRAY_SIZE(region); i++) {
		data_drops_read(bed, &before);
		flips = 0;
		for (bit = region[i].first; bit <= region[i].last; bit++) {
			packet[bit / 8] ^= 0x80 >> bit % 8;
			data_far_send_raw(&far, packet, len);
			packet[bit / 8] ^= 0x80 >> bit % 8;
			flips++;
		}
		data_check_drops(bed, &before, region[i].reason, flips);
	}
	data_near_empty(bed);
	CHECK(udp_quiet(bed->sock, 0));
	/* none of these was taken for the packet, whose id is still free */
	data_drops_read(bed, &before);
	data_far_send_raw(&far, packet, len);
	CHECK_EQ(100, packet_recv(bed->tap, packet, sizeof(packet),
				  DATA_WAIT_MS));
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/* Other opcodes are for userspace, whatever they were once. */
static void tampered_opcode(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX], got[WIRE_MAX];
	struct data_drops before;
	struct data_far far;
	unsigned int bit;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_packet(&far, packet, 100);
	data_drops_read(bed, &before);
	for (bit = 0; bit < 5; bit++) {
		packet[0] ^= 0x80 >> bit;
		data_far_send_raw(&far, packet, len);
		CHECK_EQ(len, udp_recv(bed->sock, got, sizeof(got),
				       DATA_WAIT_MS, NULL));
		CHECK_MEMEQ(packet, got, len);
		packet[0] ^= 0x80 >> bit;
	}
	data_check_no_drops(bed, &before);
	data_near_empty(bed);
	data_far_close(&far);
}

static void tampered_ciphertext(struct data_bed *bed)
{
	struct data_drops before;
	uint8_t packet[WIRE_MAX];
	struct data_far far;
	size_t len, i;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_packet(&far, packet, 150);
	data_drops_read(bed, &before);
	for (i = WIRE_HEADER_LEN; i < len; i++) {
		packet[i] ^= 1 << i % 8;
		data_far_send_raw(&far, packet, len);
		packet[i] ^= 1 << i % 8;
	}
	data_check_drops(bed, &before, "rx_drop_auth", len - WIRE_HEADER_LEN);
	/* one byte more than was sealed */
	packet[len] = 0;
	data_far_send_raw(&far, packet, len + 1);
	data_check_drops(bed, &before, "rx_drop_auth",
			 len + 1 - WIRE_HEADER_LEN);
	data_near_empty(bed);
	data_far_close(&far);
}

static void truncated(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX];
	struct data_far far;
	size_t len, full;

	if (!data_far_add(bed, &far, &one))
		return;
	full = make_packet(&far, packet, 100);
	for (len = 0; len < WIRE_HEADER_LEN; len++)
		expect_drop(bed, &far, packet, len, "rx_drop_short", 1);
	for (; len < WIRE_HEADER_LEN + 22; len++)
		expect_drop(bed, &far, packet, len, "rx_drop_auth", 1);
	expect_drop(bed, &far, packet, full - 1, "rx_drop_auth", 1);
	data_to_near(bed, &far);
	data_far_close(&far);
}

static void unknown(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX];
	struct data_far far, stranger;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	stranger = far;
	stranger.id = PEER_ID + 1;
	len = make_packet(&stranger, packet, 100);
	expect_drop(bed, &far, packet, len, "rx_drop_unknown_peer", 3);
	stranger = far;
	stranger.seal.id = KEY_ID + 1;
	/* the key id is read from the header alone: write it there, too */
	len = make_packet(&stranger, packet, 100);
	expect_drop(bed, &far, packet, len, "rx_drop_unknown_key", 3);
	data_to_near(bed, &far);
	data_far_close(&far);
}

static void no_key_yet(struct data_bed *bed)
{
	const struct data_far_args args = { .id = PEER_ID, .no_key = true };
	uint8_t packet[WIRE_MAX];
	struct data_drops before;
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &args))
		return;
	len = make_packet(&far, packet, 100);
	expect_drop(bed, &far, packet, len, "rx_drop_unknown_key", 2);
	data_drops_read(bed, &before);
	len = data_inner(packet, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK_ERR(0, data_near_send(bed, packet, len));
	data_check_drops(bed, &before, "tx_drop_no_key", 1);
	CHECK(udp_quiet(far.fd, 0));
	data_far_close(&far);
}

static void id_zero(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX], packet[WIRE_MAX];
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 3);
	len = wire_seal(&far.seal, far.id, 0, plain, len, packet);
	expect_drop(bed, &far, packet, len, "rx_drop_id_zero", 2);
	data_to_near(bed, &far);
	expect_drop(bed, &far, packet, len, "rx_drop_id_zero", 1);
	data_far_close(&far);
}

/* A tag and nothing else: authentic, and of no use. */
static void empty_payload(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	expect_drop_plain(bed, &far, "", 0, "rx_drop_not_ip");
	data_to_near(bed, &far);
	data_far_close(&far);
}

/* The exit message that OpenVPN's userspace sends: not the kernel's business. */
static const uint8_t occ_exit[] = {
	0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81, 0x2d, 0x56, 0xb8, 0xd3,
	0xaf, 0xc5, 0x45, 0x9c, 0x06,
};

static void not_ip(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX];
	struct data_far far;
	unsigned int version;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 5);
	for (version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		plain[0] = version << 4 | 5;
		expect_drop_plain(bed, &far, plain, len, "rx_drop_not_ip");
	}
	expect_drop_plain(bed, &far, occ_exit, sizeof(occ_exit),
			  "rx_drop_not_ip");
	data_to_near(bed, &far);
	data_far_close(&far);
}

static void short_ip_header(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX];
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 5);
	for (len = 1; len < 20; len++)
		expect_drop_plain(bed, &far, plain, len, "rx_drop_not_ip");
	data_inner(plain, VPN_FAR6, VPN_NEAR6, 100, 5);
	for (len = 1; len < 40; len += len == 20 ? 19 : 1)
		expect_drop_plain(bed, &far, plain, len, "rx_drop_not_ip");
	data_to_near(bed, &far);
	data_far_close(&far);
}

/* Larger than the device would send, and than one packet of the wire. */
static void oversized(struct data_bed *bed)
{
	static const size_t sizes[] = { 1429, 1500, 9000, 65000, 65483 };
	uint8_t plain[WIRE_MAX];
	struct data_drops before;
	struct data_far far;
	unsigned int i;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		len = data_inner(plain, VPN_FAR4, VPN_NEAR4, sizes[i], i + 1);
		data_deliver(bed, &far, 0, plain, len);
	}
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

static void device_down(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX];
	struct data_drops before;
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	netns_run(bed->near, "ip link set " TUN " down");
	data_drops_read(bed, &before);
	len = make_packet(&far, packet, 100);
	data_far_send_raw(&far, packet, len);
	data_check_drops(bed, &before, "rx_drop_down", 1);
	netns_run(bed->near, "ip link set " TUN " up");
	/* the packet socket has an error from the time in between */
	close(bed->tap);
	bed->tap = packet_socket(bed->near, TUN);
	data_to_near(bed, &far);
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

/* Hands bytes to the device as a packet of this protocol. */
static void device_send(struct data_bed *bed, uint16_t proto,
			const void *data, size_t len)
{
	struct sockaddr_ll ll;
	socklen_t size = sizeof(ll);

	CHECK_EQ(0, getsockname(bed->tap, (struct sockaddr *)&ll, &size));
	ll.sll_protocol = htons(proto);
	ll.sll_halen = 0;
	CHECK_EQ(len, sendto(bed->tap, data, len, 0, (struct sockaddr *)&ll,
			     sizeof(ll)));
}

static void sent_not_ip(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX];
	struct data_drops before;
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 5);
	device_send(bed, ETH_P_IPV6, plain, len);
	device_send(bed, ETH_P_ARP, plain, len);
	device_send(bed, ETH_P_IP, plain, 19);
	data_check_drops(bed, &before, "tx_drop_not_ip", 3);
	len = data_inner(plain, VPN_NEAR6, VPN_FAR6, 100, 5);
	device_send(bed, ETH_P_IP, plain, len);
	device_send(bed, ETH_P_IPV6, plain, 39);
	plain[0] = 0x50;
	device_send(bed, ETH_P_IPV6, plain, len);
	device_send(bed, ETH_P_IP, plain, len);
	data_check_drops(bed, &before, "tx_drop_not_ip", 7);
	CHECK(udp_quiet(far.fd, 0));
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

static void sent_without_peer(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX];
	struct data_drops before;
	size_t len;

	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 5);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	len = data_inner(plain, VPN_NEAR6, VPN_FAR6, 100, 5);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	data_check_drops(bed, &before, "tx_drop_no_peer", 2);
}

static void send_many(struct data_far *far, const void *packet, size_t len)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		data_far_send_raw(far, packet, len);
}

/*
 * Failed authentication is worth a line a minute; what anybody can cause
 * without knowing a key of the peer is worth none.
 */
static void log_stays_quiet(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX];
	struct data_drops before;
	struct data_far far, other;
	int log;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	log = data_log_open();
	if (!CHECK_GE(0, log))
		return;
	data_drops_read(bed, &before);
	len = make_packet(&far, packet, 100);
	send_many(&far, packet, 3);
	other = far;
	other.id++;
	len = make_packet(&other, packet, 100);
	send_many(&far, packet, len);
	WAIT_FOR(ethtool_count(bed->near, TUN, "rx_drop_unknown_peer") >= 100,
		 DATA_WAIT_MS);
	CHECK_EQ(0, data_log_count(log));

	len = make_packet(&far, packet, 100);
	packet[len - 1] ^= 1;
	send_many(&far, packet, len);
	packet[len - 1] ^= 1;
	send_many(&far, packet, len);
	data_wait_count(bed, "rx_drop_auth", 100);
	data_wait_count(bed, "rx_drop_replay", 99);
	CHECK_RANGE(0, 1, data_log_count(log));
	close(log);
	data_far_close(&far);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "each bit of the header changed", .run = tampered_header },
		{ "each bit of the opcode changed", .run = tampered_opcode },
		{ "each byte of the ciphertext changed",
		  .run = tampered_ciphertext },
		{ "cut short to each length", .run = truncated },
		{ "unknown peer id, unknown key id", .run = unknown },
		{ "no key yet", .run = no_key_yet },
		{ "packet id zero", .run = id_zero },
		{ "empty payload", .run = empty_payload },
		{ "payload that is not IP", .run = not_ip },
		{ "payload shorter than an IP header", .run = short_ip_header },
		{ "oversized payload is delivered", .run = oversized },
		{ "device down", .run = device_down },
		{ "sending what is not IP", .run = sent_not_ip },
		/* without a carrier, the family ovpn's device sends nothing */
		{ "sending without a peer", .run = sent_without_peer,
		  .v2_only = true },
		{ "sending without a peer, multi-peer device",
		  .conf = { .mode = OVPN_MODE_MP }, .run = sent_without_peer },
		{ "no line in the log for each packet",
		  .run = log_stays_quiet },
	};

	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
