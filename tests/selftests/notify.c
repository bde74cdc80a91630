// SPDX-License-Identifier: GPL-2.0-only
/* Notifications: what is in them, when they come, and to whom. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"

#define QUIET_MS	200

static bool readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

static void expect(struct ovpn_listener *l, uint32_t ifindex, uint32_t id,
		   enum ovpn_del_peer_reason reason)
{
	struct ovpn_ntf ntf;

	if (!CHECK_EQ(1, ovpn_listener_next(l, &ntf, 5000)))
		return;
	CHECK(ntf.exact);
	CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
	CHECK_EQ(ifindex, ntf.ifindex);
	CHECK_EQ(id, ntf.peer_id);
	CHECK_EQ(reason, ntf.reason);
	CHECK_EQ(0, ntf.portid);
	CHECK_EQ(0, ntf.seq);
}

static void expect_no_more(struct ovpn_listener *l)
{
	CHECK(!readable(ovpn_listener_fd(l), QUIET_MS));
}

static void del_peer(void)
{
	struct ovpn_listener *l;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	fixture_peer(&f, 0xABCDEF);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 0xABCDEF));
	expect(l, f.ifindex, 0xABCDEF, OVPN_DEL_PEER_REASON_USERSPACE);
	expect_no_more(l);
	ovpn_listener_close(l);
	fixture_end(&f);
}

/*
 * A late one would tell OpenVPN that the peer is gone which it has just added
 * under the same id.
 */
static void before_ack(void)
{
	struct ovpn_listener *l;
	struct fixture f;
	uint32_t id;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	fixture_peers(&f, 1, 100);
	for (id = 1; id <= 100 && ktap_good(); id++) {
		CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, id));
		CHECK(readable(ovpn_listener_fd(l), 0));
		expect(l, f.ifindex, id, OVPN_DEL_PEER_REASON_USERSPACE);
	}
	ovpn_listener_close(l);
	fixture_end(&f);
}

static void replaced(void)
{
	struct ovpn_peer_args args;
	struct ovpn_listener *l;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_P2P);
	l = ovpn_listen(f.ns, 0);
	fixture_peer(&f, 1);
	/* the same id, then another */
	fixture_peer(&f, 1);
	CHECK(readable(ovpn_listener_fd(l), 0));
	expect(l, f.ifindex, 1, OVPN_DEL_PEER_REASON_TEARDOWN);
	fixture_peer(&f, 2);
	CHECK(readable(ovpn_listener_fd(l), 0));
	expect(l, f.ifindex, 1, OVPN_DEL_PEER_REASON_TEARDOWN);
	/* a replacement that fails replaces nothing */
	args = fixture_peer_args(&f, 3);
	args.socket = -1;
	CHECK_ERR(-ENOTSOCK, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	expect_no_more(l);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 2));
	expect(l, f.ifindex, 2, OVPN_DEL_PEER_REASON_USERSPACE);
	ovpn_listener_close(l);
	fixture_end(&f);
}

/* Each of the peers once, in any order. */
static void expect_each(struct ovpn_listener *l, uint32_t ifindex,
			uint32_t count, enum ovpn_del_peer_reason reason)
{
	uint8_t *times = calloc(count + 1, 1);
	struct ovpn_ntf ntf;
	uint32_t i;

	for (i = 0; times && i < count; i++) {
		if (!CHECK_EQ(1, ovpn_listener_next(l, &ntf, 5000)))
			break;
		CHECK(ntf.exact);
		CHECK_EQ(ifindex, ntf.ifindex);
		CHECK_EQ(reason, ntf.reason);
		if (CHECK_RANGE(1, count, ntf.peer_id))
			CHECK_EQ(1, ++times[ntf.peer_id]);
	}
	expect_no_more(l);
	free(times);
}

/* Few enough for the smallest buffer that listeners have, wherever: a message takes
 * up more memory on machines with larger cache lines, s390x for one.
 */
#define FEW	10

static void device_deleted(void)
{
	struct ovpn_listener *l;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	fixture_peers(&f, 1, FEW);
	CHECK_ERR(0, ovpn_link_del(f.ns, "ovpn0"));
	expect_each(l, f.ifindex, FEW, OVPN_DEL_PEER_REASON_TEARDOWN);
	ovpn_listener_close(l);
	fixture_end(&f);

	fixture_start(&f, OVPN_MODE_P2P);
	l = ovpn_listen(f.ns, 0);
	fixture_peer(&f, 1);
	CHECK_ERR(0, ovpn_link_del(f.ns, "ovpn0"));
	expect_each(l, f.ifindex, 1, OVPN_DEL_PEER_REASON_TEARDOWN);
	ovpn_listener_close(l);
	fixture_end(&f);
}

/* Overflowing the listener's buffer would end OpenVPN. */
static void big_device_deleted(void)
{
	static uint8_t times[1001];
	struct ovpn_listener *l;
	struct ovpn_ntf ntf;
	struct fixture f;
	int got, count = 0;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	fixture_peers(&f, 1, 1000);
	CHECK_ERR(0, ovpn_link_del(f.ns, "ovpn0"));
	while ((got = ovpn_listener_next(l, &ntf, QUIET_MS)) == 1) {
		count++;
		CHECK_EQ(OVPN_DEL_PEER_REASON_TEARDOWN, ntf.reason);
		if (CHECK_RANGE(1, 1000, ntf.peer_id))
			CHECK_EQ(1, ++times[ntf.peer_id]);
	}
	CHECK_ERR(0, got);
	CHECK_RANGE(1, 1000, count);
	ktap_note("%d notifications", count);
	ovpn_listener_close(l);
	fixture_end(&f);
}

static void expired(void)
{
	struct ovpn_listener *l;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	fixture_peer(&f, 9);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 9, keepalive_none(), 1));
	expect(l, f.ifindex, 9, OVPN_DEL_PEER_REASON_EXPIRED);
	expect_no_more(l);
	ovpn_listener_close(l);
	fixture_end(&f);

	fixture_start(&f, OVPN_MODE_P2P);
	l = ovpn_listen(f.ns, 0);
	fixture_peer(&f, 9);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 9, keepalive_none(), 1));
	expect(l, f.ifindex, 9, OVPN_DEL_PEER_REASON_EXPIRED);
	expect_no_more(l);
	ovpn_listener_close(l);
	fixture_end(&f);
}

static void nothing_happened(void)
{
	struct ovpn_peer_args args;
	struct ovpn_listener *l;
	struct wire_key key;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peer(&f, 1);
	fixture_key(&f, 1, &key);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, 10, 60));
	CHECK_ERR(0, ovpn_nl_swap_keys(f.nl, f.ifindex, 1));
	CHECK_ERR(0, ovpn_nl_del_key(f.nl, f.ifindex, 1,
				     OVPN_KEY_SLOT_SECONDARY));
	CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	CHECK_ERR(-ENOENT, ovpn_nl_del_peer(f.nl, f.ifindex, 2));
	args = fixture_peer_args(&f, 1);
	CHECK_ERR(-EEXIST, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	expect_no_more(l);
	ovpn_listener_close(l);
	fixture_end(&f);
}

static void everybody_hears(void)
{
	struct ovpn_listener *l[3];
	struct fixture f;
	int i;

	fixture_start(&f, OVPN_MODE_MP);
	for (i = 0; i < 3; i++)
		l[i] = ovpn_listen(f.ns, 0);
	fixture_peer(&f, 4);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 4));
	for (i = 0; i < 3; i++) {
		expect(l[i], f.ifindex, 4, OVPN_DEL_PEER_REASON_USERSPACE);
		ovpn_listener_close(l[i]);
	}
	fixture_end(&f);
}

/* One namespace hears: the device's, and no other. */
static void namespaces(void)
{
	struct ovpn_listener *old, *new, *home;
	struct netns *away;
	struct ovpn_nl *nl;
	struct fixture f;
	uint32_t ifindex;

	fixture_start(&f, OVPN_MODE_MP);
	away = netns_new("away");
	home = ovpn_listen(netns_home(), 0);
	old = ovpn_listen(f.ns, 0);
	new = ovpn_listen(away, 0);
	fixture_peers(&f, 1, 2);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 1));
	expect(old, f.ifindex, 1, OVPN_DEL_PEER_REASON_USERSPACE);
	expect_no_more(new);

	netns_run(f.ns, "ip link set ovpn0 netns %s", netns_path(away));
	ifindex = netns_ifindex(away, "ovpn0");
	nl = ovpn_nl_open(away);
	CHECK_ERR(0, ovpn_nl_del_peer(nl, ifindex, 2));
	/* the other family tells the namespace of the socket */
	expect(speaks_ovpn() ? old : new, ifindex, 2,
	       OVPN_DEL_PEER_REASON_USERSPACE);
	expect_no_more(speaks_ovpn() ? new : old);
	expect_no_more(home);
	CHECK_ERR(0, ovpn_link_del(away, "ovpn0"));
	ovpn_nl_close(nl);
	ovpn_listener_close(home);
	ovpn_listener_close(old);
	ovpn_listener_close(new);
	netns_free(away);
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "DEL_PEER: exact contents, once, USERSPACE", del_peer },
	{ "queued before the request is acknowledged", before_ack },
	{ "replaced in point-to-point mode: TEARDOWN", replaced },
	{ "device deleted: TEARDOWN for each peer", device_deleted },
	{ "device with 1000 peers deleted: nothing overflows",
	  big_device_deleted },
	{ "keepalive expired: EXPIRED", expired },
	{ "none without a deletion", nothing_happened },
	{ "every listener hears", everybody_hears },
	{ "only in one namespace", namespaces },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
