// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: finding peers while they come, move and go. */

#include <linux/ktime.h>
#include <linux/mutex.h>

#include "../peer_table.h"
#include "fixture.h"

static u32 found(struct ovpn_peer *peer)
{
	return peer ? peer->id : TEST_NOBODY;
}

static u32 by_id(struct test_device *td, u32 id)
{
	u32 result;

	rcu_read_lock();
	result = found(ovpn_peer_by_id(&td->ovpn->peers, id));
	rcu_read_unlock();
	return result;
}

static u32 by_vpn_addr(struct test_device *td, const struct in6_addr *addr)
{
	u32 result;

	rcu_read_lock();
	result = found(ovpn_peer_by_vpn_addr(&td->ovpn->peers, addr));
	rcu_read_unlock();
	return result;
}

static u32 by_vpn4(struct test_device *td, u32 id)
{
	struct in6_addr addr;

	test_vpn4(&addr, id);
	return by_vpn_addr(td, &addr);
}

static u32 by_vpn6(struct test_device *td, u32 id)
{
	struct in6_addr addr;

	test_vpn6(&addr, id);
	return by_vpn_addr(td, &addr);
}

static u32 by_remote(struct test_device *td, u32 id, unsigned int place)
{
	struct ovpn_sockaddr addr;
	u32 result;

	test_remote(&addr, id, place);
	rcu_read_lock();
	result = found(ovpn_peer_by_endpoint(&td->ovpn->peers, &addr));
	rcu_read_unlock();
	return result;
}

static void expect_found(struct kunit *test, struct test_device *td, u32 id)
{
	KUNIT_EXPECT_EQ(test, id, by_id(td, id));
	KUNIT_EXPECT_EQ(test, id, by_vpn4(td, id));
	KUNIT_EXPECT_EQ(test, id, by_vpn6(td, id));
	KUNIT_EXPECT_EQ(test, id, by_remote(td, id, 0));
}

static void expect_gone(struct kunit *test, struct test_device *td, u32 id)
{
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_id(td, id));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn4(td, id));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn6(td, id));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, id, 0));
}

static void table_add_delete(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer *peer;

	expect_gone(test, td, 1);
	KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, 1));
	peer = test_peer_get(test, td, 2);
	expect_found(test, td, 1);
	expect_found(test, td, 2);
	expect_gone(test, td, 3);
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 1, 1));
	KUNIT_EXPECT_EQ(test, td->ovpn->peers.count, 2);

	/* The id is taken: the one who has it notices nothing */
	KUNIT_EXPECT_EQ(test, -EEXIST, test_peer_add_at(td, 2, 1));
	expect_found(test, td, 2);
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 2, 1));

	/* Once, with its reason, however many want it */
	KUNIT_EXPECT_TRUE(test, ovpn_peer_delete(peer,
						 OVPN_DEL_PEER_REASON_USERSPACE));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_delete(peer,
						  OVPN_DEL_PEER_REASON_EXPIRED));
	expect_gone(test, td, 2);
	expect_found(test, td, 1);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&td->deleted));
	KUNIT_EXPECT_EQ(test, td->reason, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_EQ(test, td->ovpn->peers.count, 1);

	/* Its id and its addresses are free again */
	KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, 2));
	expect_found(test, td, 2);
}

static void table_shared_addresses(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer_params params = { .fd = td->fd };
	u32 id;

	test_remote(&params.remote, 9, 0);
	test_vpn4(&params.vpn4, 9);
	test_vpn6(&params.vpn6, 9);
	for (id = 1; id <= 3; id++) {
		params.id = id;
		KUNIT_ASSERT_EQ(test, 0, test_peer_new(td, &params));
		/* The last one to come is meant */
		KUNIT_EXPECT_EQ(test, id, by_vpn4(td, 9));
		KUNIT_EXPECT_EQ(test, id, by_vpn6(td, 9));
		KUNIT_EXPECT_EQ(test, id, by_remote(td, 9, 0));
	}

	test_peer_del(td, 2, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_EQ(test, 3, by_vpn4(td, 9));
	KUNIT_EXPECT_EQ(test, 3, by_remote(td, 9, 0));
	/* Without it, the one before comes back */
	test_peer_del(td, 3, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_EQ(test, 1, by_vpn4(td, 9));
	KUNIT_EXPECT_EQ(test, 1, by_vpn6(td, 9));
	KUNIT_EXPECT_EQ(test, 1, by_remote(td, 9, 0));
	test_peer_del(td, 1, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn4(td, 9));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn6(td, 9));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 9, 0));
}

static void table_no_vpn_address(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_P2P);
	struct ovpn_peer_params params = { .id = 1, .fd = td->fd };

	/* No address is not an address that could be found */
	test_remote(&params.remote, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, test_peer_new(td, &params));
	KUNIT_EXPECT_EQ(test, 1, by_id(td, 1));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn_addr(td, &in6addr_any));
	test_peer_del(td, 1, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_id(td, 1));
}

/* Move @peer as the data path does; @old NULL is where it is now */
static bool move(struct ovpn_peer *peer, unsigned int place,
		 const struct ovpn_endpoint *old)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	struct ovpn_endpoint *ep, *now;
	struct ovpn_sockaddr remote;
	bool moved = false;

	test_remote(&remote, peer->id, place);
	rcu_read_lock();
	ep = ovpn_endpoint_alloc(peer, &remote, &in6addr_any, GFP_ATOMIC);
	if (ep) {
		spin_lock_bh(&table->lock);
		now = rcu_dereference(peer->endpoint);
		moved = ovpn_peer_table_move(peer, ep, old ?: now);
		spin_unlock_bh(&table->lock);
		ovpn_endpoint_free_rcu(moved ? now : ep);
	}
	rcu_read_unlock();
	return moved;
}

static void table_float(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer *peer = test_peer_get(test, td, 1);
	struct ovpn_peer *other = test_peer_get(test, td, 2);

	KUNIT_EXPECT_TRUE(test, move(peer, 1, NULL));
	KUNIT_EXPECT_EQ(test, 1, by_remote(td, 1, 1));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, by_id(td, 1));
	KUNIT_EXPECT_EQ(test, 1, by_vpn4(td, 1));

	/* Where it has been before */
	KUNIT_EXPECT_TRUE(test, move(peer, 0, NULL));
	KUNIT_EXPECT_EQ(test, 1, by_remote(td, 1, 0));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 1, 1));
	/* Only our address changed */
	KUNIT_EXPECT_TRUE(test, move(peer, 0, NULL));
	expect_found(test, td, 1);

	/* Somebody else saw it move already */
	KUNIT_EXPECT_FALSE(test, move(peer, 2,
				      rcu_access_pointer(other->endpoint)));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 1, 2));
	expect_found(test, td, 1);
	expect_found(test, td, 2);

	/* It is gone, and does not come back like that */
	ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_FALSE(test, move(peer, 3, NULL));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 1, 3));
	expect_gone(test, td, 1);
}

/* ovpn_peer_change(), as a request would */
static int change(struct ovpn_peer *peer, struct ovpn_peer_params *params)
{
	int err;

	params->tx_id = peer->tx_id;
	mutex_lock(&peer->ovpn->requests);
	err = ovpn_peer_change(peer, params, NULL);
	mutex_unlock(&peer->ovpn->requests);
	return err;
}

/* A peer is found at its new addresses, and only there */
static void table_change(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer *peer = test_peer_get(test, td, 1);
	struct ovpn_peer_params vpn4 = {}, vpn6 = {}, remote = {}, none = {};

	test_vpn4(&vpn4.vpn4, 11);
	KUNIT_EXPECT_EQ(test, 0, change(peer, &vpn4));
	KUNIT_EXPECT_EQ(test, 1, by_vpn4(td, 11));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn4(td, 1));
	KUNIT_EXPECT_EQ(test, 1, by_vpn6(td, 1));

	test_vpn6(&vpn6.vpn6, 12);
	KUNIT_EXPECT_EQ(test, 0, change(peer, &vpn6));
	KUNIT_EXPECT_EQ(test, 1, by_vpn6(td, 12));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn6(td, 1));
	KUNIT_EXPECT_EQ(test, 1, by_vpn4(td, 11));

	test_remote(&remote.remote, 1, 3);
	KUNIT_EXPECT_EQ(test, 0, change(peer, &remote));
	KUNIT_EXPECT_EQ(test, 1, by_remote(td, 1, 3));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 1, 0));

	KUNIT_EXPECT_EQ(test, 0, change(peer, &none));
	KUNIT_EXPECT_EQ(test, 1, by_vpn4(td, 11));
	KUNIT_EXPECT_EQ(test, 1, by_vpn6(td, 12));
	KUNIT_EXPECT_EQ(test, 1, by_remote(td, 1, 3));

	test_peer_del(td, 1, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn4(td, 11));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn6(td, 12));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 1, 3));
	/* A dead peer stays dead */
	KUNIT_EXPECT_EQ(test, -ESTALE, change(peer, &vpn4));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn4(td, 11));
}

/* Where two peers must not have the same address, the first one keeps it */
static void table_unique_addresses(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer_params params = { .id = 3, .fd = td->fd };
	struct ovpn_peer_params both = {};
	struct ovpn_peer *peer;
	static struct ovpn_abi unique;

	unique = *td->ovpn->abi;
	unique.unique_addrs = true;
	td->ovpn->abi = &unique;
	KUNIT_ASSERT_EQ(test, 0, test_peer_add(td, 1));
	peer = test_peer_get(test, td, 2);

	test_remote(&params.remote, 3, 0);
	test_vpn4(&params.vpn4, 3);
	test_vpn6(&params.vpn6, 1);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, test_peer_new(td, &params));
	expect_gone(test, td, 3);
	KUNIT_EXPECT_EQ(test, 1, by_vpn6(td, 1));

	/* Nothing of what fails in part */
	test_vpn4(&both.vpn4, 1);
	test_vpn6(&both.vpn6, 22);
	test_remote(&both.remote, 2, 5);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, change(peer, &both));
	expect_found(test, td, 2);
	expect_found(test, td, 1);
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_vpn6(td, 22));
	KUNIT_EXPECT_EQ(test, TEST_NOBODY, by_remote(td, 2, 5));

	/* What is its own it may have */
	test_vpn4(&both.vpn4, 2);
	KUNIT_EXPECT_EQ(test, 0, change(peer, &both));
	KUNIT_EXPECT_EQ(test, 2, by_vpn4(td, 2));
	KUNIT_EXPECT_EQ(test, 2, by_vpn6(td, 22));
	KUNIT_EXPECT_EQ(test, 2, by_remote(td, 2, 5));

	/* And what another one had */
	test_peer_del(td, 1, OVPN_DEL_PEER_REASON_USERSPACE);
	test_vpn4(&both.vpn4, 1);
	KUNIT_EXPECT_EQ(test, 0, change(peer, &both));
	KUNIT_EXPECT_EQ(test, 2, by_vpn4(td, 1));
}

static void table_tombstones(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer_table *table = &td->ovpn->peers;
	u32 now = ovpn_now(), id;

	for (id = 1; id <= 6; id++)
		KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, id));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_gone_lately(table, 1));

	test_peer_del(td, 1, OVPN_DEL_PEER_REASON_EXPIRED);
	test_peer_del(td, 2, OVPN_DEL_PEER_REASON_USERSPACE);
	test_peer_del(td, 3, OVPN_DEL_PEER_REASON_EXPIRED);
	test_peer_del(td, 5, OVPN_DEL_PEER_REASON_TRANSPORT_ERROR);
	test_peer_del(td, 6, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	KUNIT_EXPECT_TRUE(test, ovpn_peer_table_gone_lately(table, 1));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_gone_lately(table, 2));
	KUNIT_EXPECT_TRUE(test, ovpn_peer_table_gone_lately(table, 3));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_gone_lately(table, 4));
	KUNIT_EXPECT_TRUE(test, ovpn_peer_table_gone_lately(table, 5));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_gone_lately(table, 6));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_gone_lately(table, 7));
	expect_gone(test, td, 1);

	/* The id can be used again, and then nobody expired */
	KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, 1));
	expect_found(test, td, 1);
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_gone_lately(table, 1));

	/* The other is forgotten in time, not by who looked at the clock before
	 * it expired. That takes seconds here.
	 */
	KUNIT_EXPECT_TRUE(test, ovpn_peer_table_forget_gone(table, now - 1));
	KUNIT_EXPECT_TRUE(test, ovpn_peer_table_gone_lately(table, 3));
	KUNIT_EXPECT_TRUE(test, ovpn_peer_table_forget_gone(table, now));
	KUNIT_EXPECT_TRUE(test, ovpn_peer_table_gone_lately(table, 3));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_forget_gone(table, now + 100));
	KUNIT_EXPECT_FALSE(test, ovpn_peer_table_gone_lately(table, 3));
	expect_found(test, td, 1);
	expect_found(test, td, 4);
}

static void table_walk(struct kunit *test)
{
	static const u32 ids[] = {
		0, 1, 5, 64, 4095, 70000, OVPN_PEER_ID_MAX - 1
	};
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	unsigned long id = 0;
	unsigned int i;
	u32 seen;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, ids[i]));
	/* A tombstone is nobody */
	test_peer_del(td, 5, OVPN_DEL_PEER_REASON_EXPIRED);

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		if (ids[i] == 5)
			continue;
		rcu_read_lock();
		seen = found(ovpn_peer_next(&td->ovpn->peers, &id));
		rcu_read_unlock();
		KUNIT_EXPECT_EQ(test, seen, ids[i]);
		KUNIT_EXPECT_EQ(test, id, ids[i]);
		id++;
	}
	rcu_read_lock();
	seen = found(ovpn_peer_next(&td->ovpn->peers, &id));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, seen, TEST_NOBODY);
}

static void table_p2p(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_P2P);
	struct ovpn_peer_table *table = &td->ovpn->peers;

	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->p2p));
	KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, 1));
	KUNIT_EXPECT_NOT_NULL(test, rcu_access_pointer(table->p2p));

	/* Another one takes its place */
	KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, 2));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&td->deleted));
	KUNIT_EXPECT_EQ(test, table->count, 1);
	expect_gone(test, td, 1);
	expect_found(test, td, 2);

	/* And one of the same id and the same addresses */
	KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, 2));
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&td->deleted));
	KUNIT_EXPECT_EQ(test, table->count, 1);
	expect_found(test, td, 2);

	test_peer_del(td, 2, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(table->p2p));
	expect_gone(test, td, 2);
}

static void table_closed(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);

	KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, 1));
	ovpn_peer_table_close(&td->ovpn->peers);
	KUNIT_EXPECT_EQ(test, -ENODEV, test_peer_add(td, 2));
	expect_found(test, td, 1);
	expect_gone(test, td, 2);
}

#define MANY			1024

/* All of them share the grace periods that they wait for */
static void table_delete_many(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	s64 grace, all;
	ktime_t start;
	u32 id;

	for (id = 0; id < MANY; id++)
		KUNIT_ASSERT_EQ(test, 0, test_peer_add(td, id));

	start = ktime_get();
	for (id = 0; id < 4; id++)
		synchronize_rcu();
	grace = ktime_ms_delta(ktime_get(), start) / 4;

	start = ktime_get();
	ovpn_peer_table_close(&td->ovpn->peers);
	ovpn_peers_delete(td->ovpn, NULL, NULL,
			  OVPN_DEL_PEER_REASON_TEARDOWN);
	KUNIT_EXPECT_EQ(test, MANY, atomic_read(&td->deleted));
	KUNIT_EXPECT_EQ(test, td->ovpn->peers.count, 0);
	/* Until nothing of them is left */
	unregister_netdev(td->ovpn->dev);
	td->ovpn = NULL;
	all = ktime_ms_delta(ktime_get(), start);
	KUNIT_EXPECT_LT(test, all, MANY / 2 * max(grace, 1LL));
	kunit_info(test, "%d peers: %lld ms; a grace period: %lld ms\n", MANY,
		   all, grace);
}

#define MOVES			1000
#define PLACES			5

static unsigned int float_thread(struct test_crew *crew, unsigned int index)
{
	struct ovpn_peer *peer = crew->arg;
	unsigned int i, mistakes = 0;
	struct rnd_state rnd;
	u32 seen;

	prandom_seed_state(&rnd, 100 + index);
	for (i = 0; i < MOVES; i++) {
		move(peer, test_random(&rnd, PLACES), NULL);
		rcu_read_lock();
		seen = rcu_dereference(peer->endpoint)->peer->id;
		rcu_read_unlock();
		mistakes += seen != peer->id;
		cond_resched();
	}
	return mistakes;
}

/* Packets from several places at once: it ends up at one of them, and only
 * there.
 */
static void table_float_race(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer *peer = test_peer_get(test, td, 1);
	unsigned int i, place, places = 0;
	struct ovpn_sockaddr remote;
	struct test_crew *crew;

	crew = test_crew_start(test, 3, float_thread, peer);
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(crew));

	rcu_read_lock();
	remote = rcu_dereference(peer->endpoint)->remote;
	rcu_read_unlock();
	place = ntohs(remote.port) - 1194;
	for (i = 0; i < PLACES; i++)
		places += by_remote(td, 1, i) == 1;
	KUNIT_EXPECT_EQ(test, 1, places);
	KUNIT_EXPECT_EQ(test, 1, by_remote(td, 1, place));
}

#define SUCCESSORS		100

static unsigned int p2p_thread(struct test_crew *crew, unsigned int index)
{
	struct test_device *td = crew->arg;
	unsigned int mistakes = 0;
	u32 last = 0, id;

	while (!READ_ONCE(crew->stop)) {
		rcu_read_lock();
		id = found(rcu_dereference(td->ovpn->peers.p2p));
		rcu_read_unlock();
		/* Never nobody, and never one who was there before */
		mistakes += id == TEST_NOBODY || id < last;
		last = id;
		cond_resched();
	}
	return mistakes;
}

static void table_p2p_race(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_P2P);
	struct test_crew *crew;
	u32 id;

	KUNIT_ASSERT_EQ(test, 0, test_peer_add(td, 1));
	crew = test_crew_start(test, 2, p2p_thread, td);
	for (id = 2; id < SUCCESSORS; id++)
		KUNIT_EXPECT_EQ(test, 0, test_peer_add(td, id));
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(crew));
	KUNIT_EXPECT_EQ(test, SUCCESSORS - 2, atomic_read(&td->deleted));
	expect_found(test, td, SUCCESSORS - 1);
}

/* Each of them is changed by one thread, and looked for by all */
#define SPOTS			64

/* Readers see these all the time: they are behind those that change */
#define STEADY(i)		(100 + 10 * (i))
#define STEADIES		8

#define CHANGES			1500
#define WRITERS			2
#define READERS			2

/**
 * struct spot - what is known of one peer id
 * @changes: odd while it is being changed
 * @present: whether there is a peer
 * @place: where it is
 */
struct spot {
	unsigned int changes;
	bool present;
	unsigned int place;
};

/**
 * struct churn - peers that come, move and go
 * @td: their device
 * @add: one is added at a time
 * @spots: what shall be found, by id
 * @samples: how often something was looked for while it did not change
 */
struct churn {
	struct test_device *td;
	struct mutex add; /* see above */
	struct spot spots[SPOTS];
	atomic_t samples;
};

static bool spot_change(struct churn *churn, struct spot *spot, u32 id,
			struct rnd_state *rnd)
{
	struct ovpn_peer *peer;
	unsigned int place = spot->place ^ 1;
	bool right;

	if (!spot->present) {
		mutex_lock(&churn->add);
		right = !test_peer_add_at(churn->td, id, spot->place);
		mutex_unlock(&churn->add);
		WRITE_ONCE(spot->present, true);
	} else if (test_random(rnd, 3)) {
		peer = ovpn_peer_find(churn->td->ovpn, id);
		right = peer && move(peer, place, NULL);
		if (peer)
			ovpn_peer_put(peer);
		WRITE_ONCE(spot->place, place);
	} else {
		right = test_peer_del(churn->td, id,
				      test_random(rnd, 2) ?
				      OVPN_DEL_PEER_REASON_EXPIRED :
				      OVPN_DEL_PEER_REASON_USERSPACE);
		WRITE_ONCE(spot->present, false);
	}
	return right;
}

static unsigned int churn_write(struct test_crew *crew, unsigned int index)
{
	unsigned int i, which, mistakes = 0;
	struct churn *churn = crew->arg;
	struct rnd_state rnd;
	struct spot *spot;

	prandom_seed_state(&rnd, 1000 + index);
	for (i = 0; i < CHANGES; i++) {
		which = test_random(&rnd, SPOTS / WRITERS) * WRITERS + index;
		spot = &churn->spots[which];
		WRITE_ONCE(spot->changes, spot->changes + 1);
		smp_wmb(); /* pairs with smp_rmb() in spot_read() */
		mistakes += !spot_change(churn, spot, which, &rnd);
		/* pairs with smp_load_acquire() in spot_read() */
		smp_store_release(&spot->changes, spot->changes + 1);
		cond_resched();
	}
	return mistakes;
}

/* Whatever happens, nobody is found under the id or address of another. And if
 * nothing happens, whoever is there is found, and nobody else is.
 */
static unsigned int spot_read(struct churn *churn, u32 id)
{
	struct spot *spot = &churn->spots[id];
	struct test_device *td = churn->td;
	unsigned int changes, place, mistakes = 0, i;
	u32 got[5], want;
	bool present;

	/* pairs with smp_store_release() in churn_write() */
	changes = smp_load_acquire(&spot->changes);
	present = READ_ONCE(spot->present);
	place = READ_ONCE(spot->place);
	got[0] = by_id(td, id);
	got[1] = by_vpn4(td, id);
	got[2] = by_vpn6(td, id);
	got[3] = by_remote(td, id, place);
	got[4] = by_remote(td, id, place ^ 1);
	smp_rmb(); /* pairs with smp_wmb() in churn_write() */

	for (i = 0; i < ARRAY_SIZE(got); i++)
		mistakes += got[i] != id && got[i] != TEST_NOBODY;
	if (changes % 2 || READ_ONCE(spot->changes) != changes)
		return mistakes;

	want = present ? id : TEST_NOBODY;
	for (i = 0; i < 4; i++)
		mistakes += got[i] != want;
	mistakes += got[4] != TEST_NOBODY;
	atomic_inc(&churn->samples);
	return mistakes;
}

/* A walk sees each steady peer once, and nobody twice */
static unsigned int churn_walk(struct churn *churn)
{
	unsigned int mistakes = 0, steadies = 0;
	unsigned long id = 0;
	u32 last = 0, seen;

	for (;;) {
		rcu_read_lock();
		seen = found(ovpn_peer_next(&churn->td->ovpn->peers, &id));
		rcu_read_unlock();
		if (seen == TEST_NOBODY)
			break;
		mistakes += seen != id || (last && seen <= last);
		steadies += seen >= STEADY(0);
		last = seen;
		id++;
	}
	return mistakes + (steadies != STEADIES);
}

static unsigned int churn_read(struct test_crew *crew, unsigned int index)
{
	struct churn *churn = crew->arg;
	unsigned int i, mistakes = 0;
	u32 id;

	while (!READ_ONCE(crew->stop)) {
		for (id = 0; id < SPOTS; id++)
			mistakes += spot_read(churn, id);
		for (i = 0; i < STEADIES; i++) {
			id = STEADY(i);
			mistakes += by_id(churn->td, id) != id;
			mistakes += by_vpn4(churn->td, id) != id;
			mistakes += by_vpn6(churn->td, id) != id;
			mistakes += by_remote(churn->td, id, 0) != id;
		}
		mistakes += churn_walk(churn);
		cond_resched();
	}
	return mistakes;
}

static void table_churn(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct test_crew *readers, *writers;
	struct churn *churn;
	unsigned int i;

	churn = kunit_kzalloc(test, sizeof(*churn), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, churn);
	churn->td = td;
	mutex_init(&churn->add);
	for (i = 0; i < STEADIES; i++)
		KUNIT_ASSERT_EQ(test, 0, test_peer_add(td, STEADY(i)));

	readers = test_crew_start(test, READERS, churn_read, churn);
	writers = test_crew_start(test, WRITERS, churn_write, churn);
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(writers));
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(readers));

	/* It was looked at closely, and nothing is left over or missing */
	KUNIT_EXPECT_GT(test, atomic_read(&churn->samples), CHANGES);
	for (i = 0; i < SPOTS; i++)
		KUNIT_EXPECT_EQ(test, 0, spot_read(churn, i));
	KUNIT_EXPECT_EQ(test, td->ovpn->peers.count,
			atomic_read(&td->added) - atomic_read(&td->deleted));
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(table_add_delete),
	KUNIT_CASE(table_shared_addresses),
	KUNIT_CASE(table_no_vpn_address),
	KUNIT_CASE(table_float),
	KUNIT_CASE(table_change),
	KUNIT_CASE(table_unique_addresses),
	KUNIT_CASE(table_tombstones),
	KUNIT_CASE(table_walk),
	KUNIT_CASE(table_p2p),
	KUNIT_CASE(table_closed),
	KUNIT_CASE(table_delete_many),
	KUNIT_CASE(table_float_race),
	KUNIT_CASE(table_p2p_race),
	KUNIT_CASE(table_churn),
	{}
};

static struct kunit_suite table_suite = {
	.name = "ovpn_peer_table",
	.suite_init = test_suite_init,
	.suite_exit = test_suite_exit,
	.exit = test_device_close,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
