// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keepalive timeouts, and what an id answers in the seconds after: OpenVPN 2.6
 * may have requests on the way that it does not survive the refusal of.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"

#define LATE_MS		5000	/* how much later than asked is in order */
#define TOMBSTONE_MS	10000

static bool is_there(const struct fixture *f, uint32_t id)
{
	return !ovpn_nl_get_peer(f->nl, f->ifindex, id, NULL);
}

/* Creates the peers and has them expire. */
static void expire(const struct fixture *f, uint32_t first, uint32_t count)
{
	uint32_t id;

	fixture_peers(f, first, count);
	for (id = first; id < first + count; id++)
		CHECK_ERR(0, ovpn_nl_set_peer(f->nl, f->ifindex, id,
					      keepalive_none(), 1));
	for (id = first; id < first + count; id++)
		CHECK(WAIT_FOR(!is_there(f, id), 1000 + LATE_MS));
}

static void in_time(void)
{
	struct fixture f;
	int64_t start;

	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, 2);
	start = now_ms();
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, keepalive_none(), 3));
	CHECK(WAIT_FOR(!is_there(&f, 1), 3000 + LATE_MS));
	/* seconds are counted whole: it may be one early by the clock */
	CHECK_GE(2000, now_ms() - start);
	CHECK(is_there(&f, 2));
	CHECK_EQ(1, ethtool_count(f.ns, "ovpn0", "peers"));
	CHECK_EQ(1, ethtool_count(f.ns, "ovpn0", "peers_expired"));
	fixture_end(&f);
}

/* Peers 1 to 3 live on by SET_PEER, by packets, by being told not to mind. */
static void kept_alive(void)
{
	uint8_t packet[64];
	struct wire_key key;
	struct fixture f;
	uint32_t pid;
	size_t len;

	fixture_start(&f, OVPN_MODE_MP);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peers(&f, 1, 4);
	fixture_key(&f, 2, &key);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 2, keepalive_none(), 3));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 3, keepalive_none(), 3));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 3, 0, 0));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 4, keepalive_none(), 3));
	for (pid = 1; pid <= 14; pid++) {
		CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex,
					      1, keepalive_none(), 3));
		len = wire_seal(&key, 2, pid, wire_ping, sizeof(wire_ping),
				packet);
		fixture_send(&f, 2, packet, len);
		sleep_ms(500);
	}
	CHECK(is_there(&f, 1));
	CHECK(is_there(&f, 2));
	CHECK(is_there(&f, 3));
	CHECK(!is_there(&f, 4));
	fixture_end(&f);
}

/* Packets that do not authenticate are no sign of life. */
static void not_by_forgeries(void)
{
	uint8_t packet[64];
	struct wire_key key;
	struct fixture f;
	int64_t end;
	size_t len;

	fixture_start(&f, OVPN_MODE_MP);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peer(&f, 1);
	fixture_key(&f, 1, &key);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	len = wire_seal(&key, 1, 1, wire_ping, sizeof(wire_ping), packet);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, keepalive_none(), 2));
	end = now_ms() + 2000 + LATE_MS;
	while (now_ms() < end && is_there(&f, 1)) {
		fixture_send(&f, 1, packet, len);
		sleep_ms(200);
	}
	CHECK(!is_there(&f, 1));
	CHECK_GE(1, ethtool_count(f.ns, "ovpn0", "rx_drop_auth"));
	fixture_end(&f);
}

/* Large values must not wrap round to small ones. */
static void huge_values(void)
{
	static const uint32_t values[] = {
		86400, 2147483, 4294967, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
	};
	unsigned int i, count = ARRAY_SIZE(values);
	struct ovpn_peer_info info;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 0, ARRAY_SIZE(values));
	/* the family ovpn takes no more than a day */
	if (speaks_ovpn())
		count = 1;
	for (i = 0; i < ARRAY_SIZE(values); i++)
		CHECK_MSG(!ovpn_nl_set_peer(f.nl, f.ifindex, i, values[i],
					    values[i]) == (i < count),
			  "%u seconds", values[i]);
	sleep_ms(2500);
	for (i = 0; i < count; i++) {
		if (!CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, i, &info)))
			continue;
		CHECK_EQ(values[i], info.interval);
		CHECK_EQ(values[i], info.timeout);
		CHECK_EQ(0, info.vpn_tx_packets);
	}
	fixture_end(&f);
}

/* ---- the seconds after ---- */

static void ask_all(const struct fixture *f, uint32_t id, int want)
{
	struct wire_key key;

	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	CHECK_ERR(want, ovpn_nl_new_key(f->nl, f->ifindex, id,
					OVPN_KEY_SLOT_PRIMARY, &key, &key));
	CHECK_ERR(want, ovpn_nl_set_peer(f->nl, f->ifindex, id, 10, 60));
	CHECK_ERR(want, ovpn_nl_swap_keys(f->nl, f->ifindex, id));
	CHECK_ERR(want, ovpn_nl_del_key(f->nl, f->ifindex, id,
					OVPN_KEY_SLOT_SECONDARY));
}

static void tombstone_in_mode(int mode)
{
	struct wire_key key;
	struct fixture f;

	fixture_start(&f, mode);
	expire(&f, 7, 1);
	CHECK_EQ(0, ethtool_count(f.ns, "ovpn0", "requests_for_expired"));
	ask_all(&f, 7, 0);
	CHECK_EQ(4, ethtool_count(f.ns, "ovpn0", "requests_for_expired"));
	/* without effect */
	CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	/* these two are answered as it is */
	CHECK_ERR(-ENOENT, ovpn_nl_get_peer(f.nl, f.ifindex, 7, NULL));
	CHECK_ERR(-ENOENT, ovpn_nl_del_peer(f.nl, f.ifindex, 7));
	CHECK(*ovpn_nl_extack(f.nl));
	/* still lenient, and only about that id */
	CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, 7));
	ask_all(&f, 8, -ENOENT);
	CHECK(*ovpn_nl_extack(f.nl));
	CHECK_EQ(5, ethtool_count(f.ns, "ovpn0", "requests_for_expired"));
	/* nonsense stays nonsense */
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	key.alg = OVPN_CIPHER_ALG_NONE;
	CHECK_ERR(-EINVAL, ovpn_nl_new_key(f.nl, f.ifindex, 7,
					   OVPN_KEY_SLOT_PRIMARY, &key, &key));
	fixture_end(&f);
}

static void tombstone(void)
{
	tombstone_in_mode(OVPN_MODE_MP);
}

static void tombstone_p2p(void)
{
	tombstone_in_mode(OVPN_MODE_P2P);
}

static void cleared_by_new_peer(void)
{
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	expire(&f, 7, 1);
	fixture_peer(&f, 7);
	ask_all(&f, 7, 0);
	CHECK_EQ(0, ethtool_count(f.ns, "ovpn0", "requests_for_expired"));
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 7));
	ask_all(&f, 7, -ENOENT);
	CHECK_EQ(0, ethtool_count(f.ns, "ovpn0", "requests_for_expired"));
	fixture_end(&f);
}

static void forgotten_in_time(void)
{
	struct fixture f;
	int64_t start;

	fixture_start(&f, OVPN_MODE_MP);
	expire(&f, 7, 1);
	start = now_ms();
	CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, 7));
	sleep_ms(TOMBSTONE_MS - 3000);
	CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, 7));
	CHECK(WAIT_FOR(ovpn_nl_swap_keys(f.nl, f.ifindex, 7) == -ENOENT,
		       3000 + LATE_MS));
	ktap_note("%lld ms after", (long long)(now_ms() - start));
	fixture_end(&f);
}

/* Ask for those that are known to be gone: at once, the leniency is short and
 * the machine may be slow. Returns how many that were.
 */
static int ask_for_expired(struct fixture *f, struct ovpn_listener *l,
			   int most, int timeout_ms)
{
	struct ovpn_ntf ntf;
	int count;

	for (count = 0; count < most; count++)
		if (ovpn_listener_next(l, &ntf, timeout_ms) != 1 ||
		    !CHECK_ERR(0, ovpn_nl_set_peer(f->nl, f->ifindex,
						   ntf.peer_id, 0, 1)))
			break;
	return count;
}

/* More than a few: a server with a dead uplink loses all its clients. */
static void many_tombstones(void)
{
	struct ovpn_listener *l;
	struct fixture f;
	int expired = 0;
	uint32_t id;

	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, 500);
	l = ovpn_listen(f.ns, 0);
	for (id = 1; id <= 500; id++) {
		CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, id,
					      keepalive_none(), 1));
		expired += ask_for_expired(&f, l, 500, 0);
	}
	CHECK_EQ(500, expired + ask_for_expired(&f, l, 500 - expired, 5000));
	CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	CHECK_EQ(500, ethtool_count(f.ns, "ovpn0", "requests_for_expired"));
	ovpn_listener_close(l);
	fixture_end(&f);
}

static void not_across_devices(void)
{
	struct fixture f;
	int other;

	fixture_start(&f, OVPN_MODE_MP);
	other = ovpn_link_new(f.ns, "ovpn1", OVPN_MODE_MP);
	CHECK_GE(1, other);
	expire(&f, 7, 1);
	CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, 7));
	CHECK_ERR(-ENOENT, ovpn_nl_swap_keys(f.nl, other, 7));
	CHECK_ERR(0, ovpn_link_del(f.ns, "ovpn1"));
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "expires in time, and only who is late", in_time },
	{ "kept alive by SET_PEER, by packets, by timeout 0", kept_alive },
	{ "not kept alive by forged packets", not_by_forgeries },
	{ "huge intervals and timeouts", huge_values },
	{ "just after: requests succeed without effect", tombstone },
	{ "just after, point-to-point", tombstone_p2p },
	{ "NEW_PEER ends the leniency", cleared_by_new_peer },
	{ "time ends the leniency", forgotten_in_time },
	{ "500 at once, each with its leniency", many_tombstones },
	{ "another device with the same id is not meant", not_across_devices },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
