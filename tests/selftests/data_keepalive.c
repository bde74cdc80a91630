// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keepalive: pings when there is nothing else to send, the end of a peer that
 * is not heard of.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID	77

/*
 * The module counts whole seconds: a ping may come one early, which does no
 * harm, and a peer's end two late; the rest is for a busy guest.
 */
#define PING_EARLY_MS	1050
#define PING_LATE_MS	1500
#define EXPIRY_EARLY_MS	20
#define EXPIRY_LATE_MS	3000

static const struct data_far_args one = { .id = PEER_ID };

static int set_peer(struct data_bed *bed, int64_t interval, int64_t timeout)
{
	return ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID, interval,
				timeout);
}

/* The next thing to arrive is a ping, so many ms after @since. */
static void check_ping(struct data_far *far, int64_t since, int64_t after_ms)
{
	uint8_t packet[WIRE_MAX], plain[WIRE_MAX];
	ssize_t len;

	len = data_far_recv_raw(far, packet, after_ms + PING_LATE_MS, NULL);
	if (!CHECK_EQ(sizeof(wire_ping) + WIRE_HEADER_LEN, len))
		return;
	CHECK_RANGE(after_ms - PING_EARLY_MS, after_ms + PING_LATE_MS,
		    now_ms() - since);
	len = wire_open(&far->open, packet, len, plain, NULL);
	if (CHECK_EQ(sizeof(wire_ping), len))
		CHECK_MEMEQ(wire_ping, plain, sizeof(wire_ping));
}

static void check_expires(struct data_bed *bed, int64_t since,
			  int64_t after_ms)
{
	struct ovpn_ntf ntf = { 0 };
	struct ovpn_peer_info info;

	if (!CHECK_ERR(0, data_wait_ntf(bed, &ntf, after_ms + EXPIRY_LATE_MS)))
		return;
	CHECK_RANGE(after_ms - EXPIRY_EARLY_MS, after_ms + EXPIRY_LATE_MS,
		    now_ms() - since);
	CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
	CHECK_EQ(bed->ifindex, ntf.ifindex);
	CHECK_EQ(PEER_ID, ntf.peer_id);
	CHECK_EQ(OVPN_DEL_PEER_REASON_EXPIRED, ntf.reason);
	CHECK(ntf.exact);
	CHECK_ERR(-ENOENT, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID,
					    &info));
	data_wait_count(bed, "peers_expired", 1);
}

static void check_lives(struct data_bed *bed)
{
	struct ovpn_peer_info info;
	struct ovpn_ntf ntf;

	CHECK_ERR(-ETIMEDOUT, data_wait_ntf(bed, &ntf, 0));
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
}

static void pings_when_idle(struct data_bed *bed)
{
	struct data_far far;
	unsigned int i;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	start = now_ms();
	CHECK_ERR(0, set_peer(bed, 2, keepalive_none()));
	for (i = 0; ktap_good() && i < 3; i++) {
		check_ping(&far, start, 2000);
		start = now_ms();
	}
	data_wait_count(bed, "tx_keepalive", 3);
	check_lives(bed);
	data_far_close(&far);
}

static void no_pings_under_traffic(struct data_bed *bed)
{
	struct data_far far;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_ERR(0, set_peer(bed, 2, keepalive_none()));
	start = now_ms();
	while (ktap_good() && now_ms() - start < 4500) {
		data_to_far(bed, &far, NULL, NULL);
		sleep_ms(200);
	}
	CHECK_EQ(0, ethtool_count(bed->near, TUN, "tx_keepalive"));
	/* what comes in does not stand for what goes out */
	start = now_ms();
	while (ktap_good() && udp_quiet(far.fd, 0) && now_ms() - start < 5000) {
		data_to_near(bed, &far);
		sleep_ms(100);
	}
	check_ping(&far, start, 2000);
	data_far_close(&far);
}

static void expires(struct data_bed *bed)
{
	struct data_far far;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	start = now_ms();
	CHECK_ERR(0, set_peer(bed, keepalive_none(), 3));
	check_expires(bed, start, 3000);
	CHECK_EQ(0, ethtool_count(bed->near, TUN, "tx_keepalive"));
	data_far_close(&far);
}

/* Packets and pings keep it alive, each for longer than it would last. */
static void kept_alive(struct data_bed *bed)
{
	struct data_far far;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_ERR(0, set_peer(bed, keepalive_none(), 2));
	start = now_ms();
	while (ktap_good() && now_ms() - start < 4500) {
		data_to_near(bed, &far);
		sleep_ms(250);
	}
	check_lives(bed);
	start = now_ms();
	while (ktap_good() && now_ms() - start < 4500) {
		data_far_send(&far, wire_ping, sizeof(wire_ping));
		sleep_ms(250);
	}
	check_lives(bed);
	data_near_empty(bed);
	CHECK(udp_quiet(bed->sock, 0));
	data_far_close(&far);
}

/* Forged packets do not keep it alive, nor does what is sent to it. */
static void not_kept_alive(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX], plain[256];
	struct data_far far;
	size_t len, size;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	size = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	len = wire_seal(&far.seal, far.id, 1, plain, size, packet);
	packet[len - 1] ^= 1;
	size = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	start = now_ms();
	CHECK_ERR(0, set_peer(bed, keepalive_none(), 2));
	while (udp_quiet(ovpn_listener_fd(bed->ntf), 250) &&
	       now_ms() - start < 2000 + EXPIRY_LATE_MS) {
		data_far_send_raw(&far, packet, len);
		data_near_send(bed, plain, size);
	}
	check_expires(bed, start, 2000);
	data_far_close(&far);
}

static void both(struct data_bed *bed)
{
	struct data_far far;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	start = now_ms();
	CHECK_ERR(0, set_peer(bed, 1, 3));
	check_ping(&far, start, 1000);
	check_expires(bed, start, 3000);
	data_far_close(&far);
}

/* OpenVPN counts on it: each SET_PEER starts the clocks anew. */
static void restarted(struct data_bed *bed)
{
	struct data_far far;
	unsigned int i;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < 4; i++) {
		start = now_ms();
		CHECK_ERR(0, set_peer(bed, keepalive_none(), 3));
		sleep_ms(1200);
	}
	check_lives(bed);
	check_expires(bed, start, 3000);
	data_far_close(&far);
}

static void interval_restarted(struct data_bed *bed)
{
	struct data_far far;
	unsigned int i;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < 4; i++) {
		start = now_ms();
		CHECK_ERR(0, set_peer(bed, 3, keepalive_none()));
		sleep_ms(1200);
	}
	CHECK_EQ(0, ethtool_count(bed->near, TUN, "tx_keepalive"));
	check_ping(&far, start, 3000);
	data_far_close(&far);
}

static void switched_off(struct data_bed *bed)
{
	struct ovpn_peer_info info;
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_ERR(0, set_peer(bed, 1, 2));
	CHECK_ERR(0, set_peer(bed, 0, 0));
	CHECK(udp_quiet(far.fd, 4000));
	check_lives(bed);
	CHECK_EQ(0, ethtool_count(bed->near, TUN, "tx_keepalive"));
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
	CHECK_EQ(0, info.interval);
	CHECK_EQ(0, info.timeout);
	data_far_close(&far);
}

/* One attribute of the two changes nothing, whether it is accepted or not. */
static void one_attribute(struct data_bed *bed)
{
	struct ovpn_peer_info info;
	struct data_far far;
	int64_t start;

	if (!data_far_add(bed, &far, &one))
		return;
	start = now_ms();
	CHECK_ERR(0, set_peer(bed, 2, 60));
	CHECK_ERR(speaks_ovpn() ? -EINVAL : 0, set_peer(bed, -1, 1));
	CHECK_ERR(speaks_ovpn() ? -EINVAL : 0, set_peer(bed, 30, -1));
	CHECK_ERR(0, set_peer(bed, -1, -1));
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
	CHECK_EQ(2, info.interval);
	CHECK_EQ(60, info.timeout);
	check_ping(&far, start, 2000);
	check_lives(bed);
	data_far_close(&far);
}

/* Not started until SET_PEER says so. */
static void off_at_first(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK(udp_quiet(far.fd, 3000));
	check_lives(bed);
	data_far_close(&far);
}

/* A ping needs a key; without one, nothing breaks and the clock goes on. */
static void without_key(struct data_bed *bed)
{
	struct data_far_args args = one;
	struct data_far far;
	int64_t start;

	args.no_key = true;
	if (!data_far_add(bed, &far, &args))
		return;
	CHECK_ERR(0, set_peer(bed, 1, keepalive_none()));
	CHECK(udp_quiet(far.fd, 2500));
	CHECK_EQ(0, ethtool_count(bed->near, TUN, "tx_keepalive"));
	start = now_ms();
	CHECK_ERR(0, data_key_install(bed, &far, OVPN_KEY_SLOT_PRIMARY));
	check_ping(&far, start, 1000);
	data_far_close(&far);
}

/* Expiring peers take nobody along. */
static void one_of_two(struct data_bed *bed)
{
	const struct data_far_args args = {
		.id = PEER_ID + 1, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B,
	};
	struct data_far far, other;
	int64_t start;

	if (!data_far_add(bed, &far, &one) ||
	    !data_far_add(bed, &other, &args))
		return;
	start = now_ms();
	CHECK_ERR(0, set_peer(bed, keepalive_none(), 2));
	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, other.id,
				      keepalive_none(), 30));
	check_expires(bed, start, 2000);
	data_to_near(bed, &other);
	data_to_far(bed, &other, NULL, NULL);
	CHECK_EQ(1, ethtool_count(bed->near, TUN, "peers"));
	data_far_close(&far);
	data_far_close(&other);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "off until SET_PEER", .run = off_at_first },
		{ "pings when idle", .run = pings_when_idle },
		{ "no pings under traffic", .run = no_pings_under_traffic },
		{ "peer expires", .run = expires },
		{ "kept alive by authentic packets", .run = kept_alive },
		{ "not kept alive by others", .run = not_kept_alive },
		{ "both at once", .run = both },
		{ "SET_PEER restarts the timeout", .run = restarted },
		{ "SET_PEER restarts the interval", .run = interval_restarted },
		{ "switched off", .run = switched_off },
		{ "one attribute alone has no effect", .run = one_attribute },
		{ "interval without a key", .run = without_key },
		{ "other peers stay",
		  .conf = { .mode = OVPN_MODE_MP }, .run = one_of_two },
	};

	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
