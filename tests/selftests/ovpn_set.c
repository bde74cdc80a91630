// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the family ovpn can: PEER_SET of addresses, ids of another number
 * in each direction, keepalive from the start, KEY_GET, the carrier.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID	41
#define TX_ID	0x654321

static const struct data_far_args one = { .id = PEER_ID };
static const struct data_conf mp = { .mode = OVPN_MODE_MP };
static const struct data_conf mp6 = { .mode = OVPN_MODE_MP, .bind = "::" };

static int peer_set(struct data_bed *bed, const struct ovpn_peer_args *args)
{
	return ovpn7_peer_set(bed->nl, bed->ifindex, args, -1, -1);
}

/* ---- the transport's addresses ---- */

struct place {
	const char *from;
	const char *to;
};

static const struct place v4 = { FAR4, FAR4_B };
static const struct place v6 = { FAR6, FAR6_B };
static const struct place v4_to_6 = { FAR4, FAR6 };

static void remote(struct data_bed *bed)
{
	const struct place *place = bed->arg;
	const struct data_far_args args = { .id = PEER_ID, .addr = place->from };
	struct ovpn_peer_args new = { .id = PEER_ID, .remote = place->to };
	struct data_far far, moved;
	struct data_drops before;
	uint8_t plain[256];
	size_t len;

	if (!data_far_add(bed, &far, &args))
		return;
	data_to_far(bed, &far, NULL, NULL);
	moved = far;
	moved.fd = udp_socket(bed->far, place->to, 0);
	moved.to = strchr(place->to, ':') ? NEAR6 : NEAR4;
	new.remote_port = udp_port(moved.fd);
	CHECK_ERR(0, peer_set(bed, &new));
	data_to_far(bed, &moved, NULL, NULL);
	CHECK(udp_quiet(far.fd, 0));

	/* and is looked up there, by packets without an id */
	moved.id = WIRE_PEER_ID_NONE;
	data_to_near(bed, &moved);
	far.id = WIRE_PEER_ID_NONE;
	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_far_send_id(&far, 77, plain, len);
	data_check_drops(bed, &before, "rx_drop_unknown_peer", 1);
	data_to_far(bed, &moved, NULL, NULL);
	data_far_close(&far);
	data_far_close(&moved);
}

static void local(struct data_bed *bed)
{
	struct ovpn_peer_args new = {
		.id = PEER_ID, .remote = FAR4, .local = NEAR4_B,
	};
	struct udp_source source;
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	data_to_far(bed, &far, NULL, &source);
	CHECK_STREQ(NEAR4, source.addr);
	new.remote_port = udp_port(far.fd);
	CHECK_ERR(0, peer_set(bed, &new));
	data_to_far(bed, &far, NULL, &source);
	CHECK_STREQ(NEAR4_B, source.addr);
	data_far_close(&far);
}

/* Refused, so nothing of it may have happened. */
static void refused(struct data_bed *bed)
{
	const struct data_far_args two = {
		.id = PEER_ID + 1, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B,
	};
	struct ovpn_peer_args new = {
		.id = PEER_ID, .remote = FAR4_C, .remote_port = 9,
		.ipv4 = VPN_FAR4_B,
	};
	struct data_far far, other;
	struct udp_source source;

	if (!data_far_add(bed, &far, &one) || !data_far_add(bed, &other, &two))
		return;
	CHECK_ERR(-EADDRINUSE, peer_set(bed, &new));
	data_to_far(bed, &far, NULL, &source);
	CHECK_STREQ(NEAR4, source.addr);
	data_to_near(bed, &far);
	data_to_far(bed, &other, NULL, NULL);
	data_to_near(bed, &other);
	data_far_close(&far);
	data_far_close(&other);
}

/* ---- the VPN's addresses ---- */

static void vpn_addresses(struct data_bed *bed)
{
	const struct ovpn_peer_args new = {
		.id = PEER_ID, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B,
	};
	struct data_far far, old;
	struct data_drops before;
	uint8_t plain[256], got[WIRE_MAX];
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_to_far(bed, &far, NULL, NULL);
	data_to_near(bed, &far);
	CHECK_ERR(0, peer_set(bed, &new));
	old = far;
	far.ipv4 = VPN_FAR4_B;
	far.ipv6 = VPN_FAR6_B;
	data_to_far(bed, &far, NULL, NULL);
	data_to_near(bed, &far);
	len = data_inner(plain, VPN_NEAR6, VPN_FAR6_B, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	CHECK_EQ(len, data_far_recv(&far, got, NULL, NULL));

	/* the old ones are nobody's */
	data_drops_read(bed, &before);
	len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	len = data_inner(plain, VPN_NEAR6, VPN_FAR6, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, len));
	data_check_drops(bed, &before, "tx_drop_no_peer", 2);
	data_drops_read(bed, &before);
	old.next = far.next;
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_far_send(&old, plain, len);
	data_check_drops(bed, &before, "rx_drop_rpf", 1);
	data_far_close(&far);
}

/* Two peers change places, by way of a third address. */
static void vpn_addresses_swapped(struct data_bed *bed)
{
	const struct data_far_args args = {
		.id = PEER_ID + 1, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B,
	};
	struct data_far far, other;
	struct ovpn_peer_args new = { .id = PEER_ID, .ipv4 = "10.8.0.99" };

	if (!data_far_add(bed, &far, &one) || !data_far_add(bed, &other, &args))
		return;
	CHECK_ERR(0, peer_set(bed, &new));
	new = (struct ovpn_peer_args){ .id = PEER_ID + 1, .ipv4 = VPN_FAR4 };
	CHECK_ERR(0, peer_set(bed, &new));
	new = (struct ovpn_peer_args){ .id = PEER_ID, .ipv4 = VPN_FAR4_B };
	CHECK_ERR(0, peer_set(bed, &new));
	far.ipv4 = VPN_FAR4_B;
	other.ipv4 = VPN_FAR4;
	data_to_far(bed, &far, NULL, NULL);
	data_to_far(bed, &other, NULL, NULL);
	data_to_near(bed, &far);
	data_to_near(bed, &other);
	data_far_close(&far);
	data_far_close(&other);
}

/* ---- an id of its own in each direction ---- */

static void check_tx_id(struct data_bed *bed, const struct data_far *far,
			uint32_t id)
{
	struct wire_header h = { 0 };
	struct ovpn_peer_info info;

	data_to_far(bed, far, &h, NULL);
	CHECK_EQ(id, h.peer_id);
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, far->id, &info));
	CHECK(info.own & 1U << OVPN7_PEER_ATTR_TX_ID);
	CHECK_EQ(id, info.tx_id);
	CHECK_EQ(far->id, info.id);
}

static void tx_id(struct data_bed *bed)
{
	static const uint32_t id = TX_ID, other = 0xFFFFFE;
	struct data_far_args args = one;
	const struct ovpn_peer_args new = { .id = PEER_ID, .tx_id = &other };
	struct data_drops before;
	uint8_t plain[256];
	struct data_far far;

	args.tx_id = &id;
	if (!data_far_add(bed, &far, &args))
		return;
	check_tx_id(bed, &far, TX_ID);
	data_to_near(bed, &far);
	CHECK_ERR(0, peer_set(bed, &new));
	check_tx_id(bed, &far, other);
	data_to_near(bed, &far);
	/* it is not what it is known by */
	far.id = TX_ID;
	data_drops_read(bed, &before);
	data_far_send(&far, plain, data_inner(plain, VPN_FAR4, VPN_NEAR4, 100,
					      1));
	data_check_drops(bed, &before, "rx_drop_unknown_peer", 1);
	data_far_close(&far);
}

static void tx_id_default(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	check_tx_id(bed, &far, PEER_ID);
	data_far_close(&far);
}

/* ---- keepalive ---- */

static void keepalive_at_once(struct data_bed *bed)
{
	struct data_far_args args = one;
	struct ovpn_peer_info info;
	uint8_t plain[WIRE_MAX];
	struct ovpn_ntf ntf = { 0 };
	struct data_far far;

	args.interval = 1;
	args.timeout = 4;
	if (!data_far_add(bed, &far, &args))
		return;
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
	CHECK_EQ(1, info.interval);
	CHECK_EQ(4, info.timeout);
	CHECK_EQ(sizeof(wire_ping), data_far_recv(&far, plain, NULL, NULL));
	CHECK_ERR(0, data_wait_ntf(bed, &ntf, 8000));
	CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
	CHECK_EQ(OVPN_DEL_PEER_REASON_EXPIRED, ntf.reason);
	data_far_close(&far);
}

/* One half is nothing: neither pings nor an end. */
static void keepalive_needs_both(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID, 1, 0));
	CHECK(udp_quiet(far.fd, 3500));
	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID, 0, 1));
	CHECK(udp_quiet(ovpn_listener_fd(bed->ntf), 4500));
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, NULL));
	data_far_close(&far);
}

/* ---- KEY_GET ---- */

static void check_key(struct data_bed *bed, enum ovpn_key_slot_name slot,
		      int key_id, int alg)
{
	struct ovpn7_key_info info;

	if (key_id < 0) {
		CHECK_ERR(-ENOENT, ovpn7_key_get(bed->nl, bed->ifindex, PEER_ID,
						 slot, &info));
		return;
	}
	if (!CHECK_ERR(0, ovpn7_key_get(bed->nl, bed->ifindex, PEER_ID, slot,
					&info)))
		return;
	/* all four, and nothing else: no key ever comes back */
	CHECK_EQ(0x1e, info.present);
	CHECK_EQ(0, info.surplus);
	CHECK_EQ(PEER_ID, info.peer_id);
	CHECK_EQ(slot, info.slot);
	CHECK_EQ(key_id, info.key_id);
	CHECK_EQ(alg, info.alg);
}

#define AES	OVPN_CIPHER_ALG_AES_GCM
#define CHACHA	OVPN_CIPHER_ALG_CHACHA20_POLY1305

static void key_get(struct data_bed *bed)
{
	struct data_far far, then;

	if (!data_far_add(bed, &far, &one))
		return;
	check_key(bed, OVPN_KEY_SLOT_PRIMARY, 0, AES);
	check_key(bed, OVPN_KEY_SLOT_SECONDARY, -1, 0);
	then = far;
	data_key_renew(&then, CHACHA, 32, 7);
	CHECK_ERR(0, data_key_install(bed, &then, OVPN_KEY_SLOT_SECONDARY));
	check_key(bed, OVPN_KEY_SLOT_PRIMARY, 0, AES);
	check_key(bed, OVPN_KEY_SLOT_SECONDARY, 7, CHACHA);
	CHECK_ERR(0, ovpn_nl_swap_keys(bed->nl, bed->ifindex, PEER_ID));
	check_key(bed, OVPN_KEY_SLOT_PRIMARY, 7, CHACHA);
	check_key(bed, OVPN_KEY_SLOT_SECONDARY, 0, AES);
	CHECK_ERR(0, ovpn_nl_del_key(bed->nl, bed->ifindex, PEER_ID,
				     OVPN_KEY_SLOT_PRIMARY));
	check_key(bed, OVPN_KEY_SLOT_PRIMARY, -1, 0);
	check_key(bed, OVPN_KEY_SLOT_SECONDARY, 0, AES);
	data_far_close(&far);
}

/* ---- the carrier ---- */

static bool has_carrier(struct data_bed *bed, int want)
{
	struct ovpn_link_info info;

	return WAIT_FOR(!ovpn_link_get(bed->near, TUN, &info) &&
			info.carrier == want, 2000);
}

static void carrier(struct data_bed *bed)
{
	struct data_far far;

	/* of a point-to-point device, there is one as long as a peer is */
	CHECK(has_carrier(bed, 0));
	if (!data_far_add(bed, &far, &one))
		return;
	CHECK(has_carrier(bed, 1));
	data_to_far(bed, &far, NULL, NULL);
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, PEER_ID));
	CHECK(has_carrier(bed, 0));
	data_far_close(&far);
	/* replaced, it stays */
	if (!data_far_add(bed, &far, &one))
		return;
	data_far_close(&far);
	if (!data_far_add(bed, &far, &one))
		return;
	CHECK(has_carrier(bed, 1));
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

static void carrier_mp(struct data_bed *bed)
{
	CHECK(has_carrier(bed, 1));
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "remote: IPv4", mp, remote, &v4 },
		{ "remote: IPv6", mp6, remote, &v6 },
		{ "remote: IPv4 to IPv6", mp6, remote, &v4_to_6 },
		{ "remote: IPv4, point-to-point",
		  { .mode = OVPN_MODE_P2P }, remote, &v4 },
		{ "local address", mp, local },
		{ "refused: nothing changes", mp, refused },
		{ "VPN addresses", mp, vpn_addresses },
		{ "VPN addresses of two peers swapped", mp,
		  vpn_addresses_swapped },
		{ "TX_ID: what packets are sent with", mp, tx_id },
		{ "TX_ID: the same in point-to-point mode", .run = tx_id },
		{ "TX_ID: the peer's id by default", mp, tx_id_default },
		{ "keepalive: from PEER_NEW on", mp, keepalive_at_once },
		{ "keepalive: nothing unless both are set", mp,
		  keepalive_needs_both },
		{ "KEY_GET: what is in the slots, never the keys", mp,
		  key_get },
		{ "carrier: with a peer", .run = carrier },
		{ "carrier: always where there can be many", mp, carrier_mp },
	};

	(void)argc;
	family_use(&family_ovpn);
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
