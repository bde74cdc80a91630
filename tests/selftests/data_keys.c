// SPDX-License-Identifier: GPL-2.0-only
/*
 * Key slots: which key sends, which keys receive, and what becomes of both
 * when slots are swapped, replaced and emptied under traffic.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "data_util.h"

#define PEER_ID	21
#define AES	OVPN_CIPHER_ALG_AES_GCM
#define CHACHA	OVPN_CIPHER_ALG_CHACHA20_POLY1305

static const struct data_far_args one = { .id = PEER_ID };

/* The same end with other keys: a renegotiation's view of it. */
static struct data_far with_key(const struct data_far *far, uint16_t alg,
				size_t len, uint8_t key_id)
{
	struct data_far other = *far;

	data_key_renew(&other, alg, len, key_id);
	return other;
}

/* Two ends of one peer: @a with the primary key, @b with the secondary. */
static bool add_two_keys(struct data_bed *bed, struct data_far *a,
			 struct data_far *b)
{
	if (!data_far_add(bed, a, &one))
		return false;
	*b = with_key(a, CHACHA, 32, 1);
	return CHECK_ERR(0, data_key_install(bed, b, OVPN_KEY_SLOT_SECONDARY));
}

static int swap(struct data_bed *bed)
{
	return ovpn_nl_swap_keys(bed->nl, bed->ifindex, PEER_ID);
}

static int del_key(struct data_bed *bed, enum ovpn_key_slot_name slot)
{
	return ovpn_nl_del_key(bed->nl, bed->ifindex, PEER_ID, slot);
}

/* Sends with this key, and with this packet id. */
static void check_sends(struct data_bed *bed, const struct data_far *far,
			uint32_t packet_id)
{
	struct wire_header h = { 0 };

	data_to_far(bed, far, &h, NULL);
	CHECK_EQ(far->open.id, h.key_id);
	CHECK_EQ(packet_id, h.packet_id);
}

static void check_refuses(struct data_bed *bed, struct data_far *far,
			  const char *reason)
{
	struct data_drops before;
	uint8_t plain[256];
	size_t len;

	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_far_send(far, plain, len);
	data_check_drops(bed, &before, reason, 1);
	data_near_empty(bed);
}

static void check_cannot_send(struct data_bed *bed, const struct data_far *far,
			      const char *reason)
{
	struct data_drops before;
	uint8_t plain[256];
	size_t len;

	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	data_check_drops(bed, &before, reason, 1);
	CHECK(udp_quiet(far->fd, 0));
}

static void two_keys(struct data_bed *bed)
{
	struct data_far a, b, none;

	if (!add_two_keys(bed, &a, &b))
		return;
	none = with_key(&a, AES, 32, 2);
	data_to_near(bed, &a);
	data_to_near(bed, &b);
	check_refuses(bed, &none, "rx_drop_unknown_key");
	check_sends(bed, &a, 1);
	check_sends(bed, &a, 2);
	/* each key has a window of its own */
	data_to_near(bed, &b);
	data_to_near(bed, &a);
	data_far_close(&a);
}

static void swapped(struct data_bed *bed)
{
	struct data_far a, b;

	if (!add_two_keys(bed, &a, &b))
		return;
	check_sends(bed, &a, 1);
	CHECK_ERR(0, swap(bed));
	check_sends(bed, &b, 1);
	check_sends(bed, &b, 2);
	data_to_near(bed, &a);
	data_to_near(bed, &b);
	/* back: no packet id of a key is ever used twice */
	CHECK_ERR(0, swap(bed));
	check_sends(bed, &a, 2);
	CHECK_ERR(0, swap(bed));
	check_sends(bed, &b, 3);
	data_to_near(bed, &a);
	data_to_near(bed, &b);
	data_far_close(&a);
}

static void swap_does_not_reset_window(struct data_bed *bed)
{
	struct data_far a, b;

	if (!add_two_keys(bed, &a, &b))
		return;
	data_to_near(bed, &a);
	data_to_near(bed, &b);
	CHECK_ERR(0, swap(bed));
	a.next = 1;
	b.next = 1;
	check_refuses(bed, &a, "rx_drop_replay");
	check_refuses(bed, &b, "rx_drop_replay");
	data_far_close(&a);
}

static void delete_secondary(struct data_bed *bed)
{
	struct data_far a, b;

	if (!add_two_keys(bed, &a, &b))
		return;
	data_to_near(bed, &b);
	CHECK_ERR(0, del_key(bed, OVPN_KEY_SLOT_SECONDARY));
	check_refuses(bed, &b, "rx_drop_unknown_key");
	data_to_near(bed, &a);
	check_sends(bed, &a, 1);
	data_far_close(&a);
}

static void delete_primary(struct data_bed *bed)
{
	struct data_far a, b;

	if (!add_two_keys(bed, &a, &b))
		return;
	check_sends(bed, &a, 1);
	CHECK_ERR(0, del_key(bed, OVPN_KEY_SLOT_PRIMARY));
	check_refuses(bed, &a, "rx_drop_unknown_key");
	data_to_near(bed, &b);
	/* the secondary key sends only when it has been made the primary one */
	check_cannot_send(bed, &b, "tx_drop_no_key");
	CHECK_ERR(0, swap(bed));
	check_sends(bed, &b, 1);
	data_to_near(bed, &b);
	data_far_close(&a);
}

static void replaced(struct data_bed *bed)
{
	struct data_far a, b;
	unsigned int i;

	if (!data_far_add(bed, &a, &one))
		return;
	for (i = 1; i <= 3; i++) {
		check_sends(bed, &a, i);
		data_to_near(bed, &a);
	}
	/* same key id, other key: the old one is gone, counting starts anew */
	b = with_key(&a, AES, 16, 0);
	CHECK_ERR(0, data_key_install(bed, &b, OVPN_KEY_SLOT_PRIMARY));
	check_sends(bed, &b, 1);
	data_to_near(bed, &b);
	check_refuses(bed, &a, "rx_drop_auth");
	/* another key id */
	a = with_key(&a, CHACHA, 32, 4);
	CHECK_ERR(0, data_key_install(bed, &a, OVPN_KEY_SLOT_PRIMARY));
	check_sends(bed, &a, 1);
	data_to_near(bed, &a);
	check_refuses(bed, &b, "rx_drop_unknown_key");
	data_far_close(&a);
}

static void replaced_secondary(struct data_bed *bed)
{
	struct data_far a, b, c;

	if (!add_two_keys(bed, &a, &b))
		return;
	check_sends(bed, &a, 1);
	c = with_key(&a, AES, 24, 2);
	CHECK_ERR(0, data_key_install(bed, &c, OVPN_KEY_SLOT_SECONDARY));
	check_refuses(bed, &b, "rx_drop_unknown_key");
	data_to_near(bed, &c);
	data_to_near(bed, &a);
	check_sends(bed, &a, 2);
	data_far_close(&a);
}

/* Should not happen, yet has an answer: the primary key is tried. */
static void same_key_id(struct data_bed *bed)
{
	struct data_far a, b;

	if (!data_far_add(bed, &a, &one))
		return;
	b = with_key(&a, AES, 32, 0);
	CHECK_ERR(0, data_key_install(bed, &b, OVPN_KEY_SLOT_SECONDARY));
	data_to_near(bed, &a);
	check_refuses(bed, &b, "rx_drop_auth");
	CHECK_ERR(0, swap(bed));
	data_to_near(bed, &b);
	check_refuses(bed, &a, "rx_drop_auth");
	data_far_close(&a);
}

static void refused_key_changes_nothing(struct data_bed *bed)
{
	struct data_far a, b;

	if (!data_far_add(bed, &a, &one))
		return;
	check_sends(bed, &a, 1);
	b = with_key(&a, AES, 32, 3);
	b.open.len = 20;
	b.seal.len = 20;
	CHECK_ERR(-EINVAL, data_key_install(bed, &b, OVPN_KEY_SLOT_PRIMARY));
	check_sends(bed, &a, 2);
	data_to_near(bed, &a);
	data_far_close(&a);
}

/* ---- under a stream of packets ---- */

struct swapper {
	struct data_bed *bed;
	atomic_bool stop;
	atomic_uint swaps;
	atomic_int error;
};

static void *keep_swapping(void *arg)
{
	struct swapper *s = arg;
	struct ovpn_nl *nl = ovpn_nl_open(s->bed->near);
	int ret = 0;

	while (!ret && !atomic_load(&s->stop)) {
		ret = ovpn_nl_swap_keys(nl, s->bed->ifindex, PEER_ID);
		atomic_fetch_add(&s->swaps, 1);
	}
	atomic_store(&s->error, ret);
	ovpn_nl_close(nl);
	return NULL;
}

#define BURST	16

/* Which packet of a burst this is, from what data_inner() put there. */
static bool check_of_burst(const uint8_t *got, const char *src,
			   const char *dst, ssize_t len, uint32_t *seen)
{
	unsigned int seed = got[4] << 8 | got[5];
	uint8_t plain[256];

	if (!CHECK_EQ(data_inner(plain, src, dst, 200, seed), len) ||
	    !CHECK_RANGE(1, BURST, seed))
		return false;
	CHECK_MEMEQ(plain, got, len);
	CHECK_MSG(!(*seen & 1U << seed), "packet %u came twice", seed);
	*seen |= 1U << seed;
	return true;
}

/*
 * A burst from near: all arrive (ciphers that work in parallel may change
 * their order), and each key counts its packets without a gap.
 */
static void burst_to_far(struct data_bed *bed, struct data_far *keys[2],
			 uint32_t counts[2])
{
	uint8_t packet[WIRE_MAX], got[WIRE_MAX];
	uint32_t seen = 0, top[2] = { 0, 0 };
	struct wire_header h;
	unsigned int i, k;
	ssize_t len;

	for (i = 1; i <= BURST; i++) {
		len = data_inner(packet, VPN_NEAR4, VPN_FAR4, 200, i);
		CHECK_ERR(0, data_near_send(bed, packet, len));
	}
	for (i = 1; i <= BURST; i++) {
		len = udp_recv(keys[0]->fd, packet, sizeof(packet),
			       DATA_WAIT_MS, NULL);
		if (!CHECK_GE(WIRE_HEADER_LEN, len) ||
		    !CHECK(wire_parse(packet, len, &h)))
			return;
		k = h.key_id == keys[1]->open.id;
		len = wire_open(&keys[k]->open, packet, len, got, NULL);
		if (!check_of_burst(got, VPN_NEAR4, VPN_FAR4, len, &seen))
			return;
		counts[k]++;
		if (h.packet_id > top[k])
			top[k] = h.packet_id;
	}
	for (k = 0; k < 2; k++)
		if (top[k])
			CHECK_EQ(counts[k], top[k]);
}

/* A burst from far, keys taking turns: all are delivered. */
static void burst_to_near(struct data_bed *bed, struct data_far *keys[2])
{
	uint8_t plain[256], got[WIRE_MAX];
	uint32_t seen = 0;
	unsigned int i;
	ssize_t len;

	for (i = 1; i <= BURST; i++) {
		len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 200, i);
		data_far_send(keys[i & 1], plain, len);
	}
	for (i = 1; i <= BURST; i++) {
		len = packet_recv(bed->tap, got, sizeof(got), DATA_WAIT_MS);
		if (!CHECK_GE(1, len) ||
		    !check_of_burst(got, VPN_FAR4, VPN_NEAR4, len, &seen))
			return;
	}
}

static void swapped_under_stream(struct data_bed *bed)
{
	struct swapper s = { .bed = bed };
	struct data_far a, b, *keys[2] = { &a, &b };
	uint32_t counts[2] = { 0, 0 };
	struct data_drops before;
	pthread_t thread;
	unsigned int i;

	if (!add_two_keys(bed, &a, &b))
		return;
	data_drops_read(bed, &before);
	if (!CHECK_EQ(0, pthread_create(&thread, NULL, keep_swapping, &s)))
		return;
	for (i = 0; ktap_good() &&
	     (i < 100 || (atomic_load(&s.swaps) < 200 && i < 1000)); i++) {
		burst_to_far(bed, keys, counts);
		burst_to_near(bed, keys);
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	CHECK_ERR(0, atomic_load(&s.error));
	CHECK_GE(200, atomic_load(&s.swaps));
	CHECK_GE(1, counts[0]);
	CHECK_GE(1, counts[1]);
	data_check_no_drops(bed, &before);
	ktap_note("%u swaps during %u bursts; %u and %u packets", s.swaps, i,
		  counts[0], counts[1]);
	data_far_close(&a);
}

/* What OpenVPN does at each renegotiation, some times over. */
static void renegotiated(struct data_bed *bed)
{
	struct data_far now, then, *keys[2] = { &then, &now };
	struct data_drops before;
	unsigned int i;

	if (!data_far_add(bed, &now, &one))
		return;
	data_drops_read(bed, &before);
	for (i = 1; ktap_good() && i < 30; i++) {
		then = now;
		now = with_key(&then, i & 1 ? CHACHA : AES, 32, i & 7);
		CHECK_ERR(0, data_key_install(bed, &now,
					      OVPN_KEY_SLOT_SECONDARY));
		check_sends(bed, &then, i == 1 ? 1 : 2);
		burst_to_near(bed, keys);
		CHECK_ERR(0, swap(bed));
		check_sends(bed, &now, 1);
		burst_to_near(bed, keys);
		CHECK_ERR(0, del_key(bed, OVPN_KEY_SLOT_SECONDARY));
		data_to_near(bed, &now);
	}
	data_check_no_drops(bed, &before);
	data_far_close(&now);
}

/* ---- the end of the packet ids ---- */

#define LIMIT_FILE	"/sys/module/ovpn_dco_v2/parameters/packet_id_limit"

static void check_expired(struct data_bed *bed, uint32_t id)
{
	struct ovpn_ntf ntf = { 0 };
	struct ovpn_peer_info info;

	CHECK_ERR(0, data_wait_ntf(bed, &ntf, DATA_WAIT_MS));
	CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
	CHECK_EQ(bed->ifindex, ntf.ifindex);
	CHECK_EQ(id, ntf.peer_id);
	CHECK_EQ(OVPN_DEL_PEER_REASON_EXPIRED, ntf.reason);
	CHECK_ERR(-ENOENT, ovpn_nl_get_peer(bed->nl, bed->ifindex, id, &info));
	/* once */
	CHECK_ERR(-ETIMEDOUT, data_wait_ntf(bed, &ntf, 0));
}

static void used_up(struct data_bed *bed)
{
	struct data_drops before;
	uint8_t plain[256];
	struct data_far far;
	unsigned int i;
	size_t len;

	file_set_for_now(LIMIT_FILE, "5");
	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	for (i = 1; i <= 5; i++)
		check_sends(bed, &far, i);
	len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	data_check_drops(bed, &before, "tx_drop_key_used_up", 1);
	CHECK(udp_quiet(far.fd, 0));
	check_expired(bed, PEER_ID);
	data_drops_read(bed, &before);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	data_check_drops(bed, &before, "tx_drop_no_peer", 1);
	data_far_close(&far);
	/* as good as new when it comes back */
	file_set_for_now(LIMIT_FILE, "4294967295");
	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 1; i <= 8; i++)
		check_sends(bed, &far, i);
	data_far_close(&far);
}

/* Of several peers, the one goes and the other stays. */
static void used_up_by_one(struct data_bed *bed)
{
	const struct data_far_args args[2] = {
		{ .id = 1, .ipv4 = VPN_FAR4, .ipv6 = VPN_FAR6 },
		{ .id = 2, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B },
	};
	struct data_far far[2];
	uint8_t plain[256];
	unsigned int i;
	size_t len;

	file_set_for_now(LIMIT_FILE, "3");
	if (!data_far_add(bed, &far[0], &args[0]) ||
	    !data_far_add(bed, &far[1], &args[1]))
		return;
	for (i = 1; i <= 3; i++)
		check_sends(bed, &far[0], i);
	len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	check_expired(bed, 1);
	for (i = 1; i <= 3; i++)
		check_sends(bed, &far[1], i);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	data_to_near(bed, &far[1]);
	file_set_for_now(LIMIT_FILE, "4294967295");
	data_far_close(&far[0]);
	data_far_close(&far[1]);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "two keys receive, the primary one sends", .run = two_keys },
		{ "swapped", .run = swapped },
		{ "swapping keeps the replay windows",
		  .run = swap_does_not_reset_window },
		{ "secondary key deleted", .run = delete_secondary },
		{ "primary key deleted", .run = delete_primary },
		{ "primary key replaced", .run = replaced },
		{ "secondary key replaced", .run = replaced_secondary },
		{ "same key id in both slots", .run = same_key_id },
		{ "refused key changes nothing",
		  .run = refused_key_changes_nothing },
		{ "swapped under a stream, nothing lost",
		  .run = swapped_under_stream },
		{ "renegotiated again and again, nothing lost",
		  .run = renegotiated },
		{ "packet ids used up: peer expires", .run = used_up,
		  .v2_only = true },
		{ "packet ids used up: other peers stay",
		  .conf = { .mode = OVPN_MODE_MP },
		  .run = used_up_by_one, .v2_only = true },
	};

	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
