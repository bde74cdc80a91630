// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: key slots and packet ids. */

#include <linux/moduleparam.h>
#include <linux/sched.h>

#include "../aead.h"
#include "fixture.h"

#define NO_KEY			-1

/* The key to send with: its number, or NO_KEY */
static int primary(struct ovpn_peer *peer)
{
	struct ovpn_key_slot *slot;
	int key_id;

	rcu_read_lock();
	slot = ovpn_keys_primary(&peer->keys);
	key_id = slot ? slot->key_id : NO_KEY;
	rcu_read_unlock();
	return key_id;
}

/* Would a packet sealed with that key be opened? */
static bool has(struct ovpn_peer *peer, u8 key_id)
{
	struct ovpn_key_slot *slot;
	bool found;

	rcu_read_lock();
	slot = ovpn_keys_by_id(&peer->keys, key_id);
	found = slot && slot->key_id == key_id && slot->peer == peer;
	rcu_read_unlock();
	return found;
}

/* The same, to look at: nobody but the test itself will take it out */
static struct ovpn_key_slot *primary_slot(struct ovpn_peer *peer)
{
	struct ovpn_key_slot *slot;

	rcu_read_lock();
	slot = ovpn_keys_primary(&peer->keys);
	rcu_read_unlock();
	return slot;
}

static struct ovpn_key_slot *slot_by_id(struct ovpn_peer *peer, u8 key_id)
{
	struct ovpn_key_slot *slot;

	rcu_read_lock();
	slot = ovpn_keys_by_id(&peer->keys, key_id);
	rcu_read_unlock();
	return slot;
}

static struct ovpn_peer *peer_open(struct kunit *test)
{
	return test_peer_get(test, test_device_open(test, OVPN_MODE_MP), 7);
}

static void keys_swap(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct ovpn_keys *keys = &peer->keys;

	KUNIT_EXPECT_EQ(test, primary(peer), NO_KEY);
	KUNIT_EXPECT_FALSE(test, has(peer, 0));
	/* Harmless without keys */
	ovpn_keys_swap(keys);
	ovpn_keys_swap(keys);
	ovpn_keys_delete(keys, 0);
	ovpn_keys_delete(keys, 1);

	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 0));
	KUNIT_EXPECT_EQ(test, primary(peer), 0);
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 1));
	KUNIT_EXPECT_EQ(test, primary(peer), 0);
	KUNIT_EXPECT_TRUE(test, has(peer, 0));
	KUNIT_EXPECT_TRUE(test, has(peer, 1));
	KUNIT_EXPECT_FALSE(test, has(peer, 2));

	ovpn_keys_swap(keys);
	KUNIT_EXPECT_EQ(test, primary(peer), 1);
	KUNIT_EXPECT_TRUE(test, has(peer, 0));
	KUNIT_EXPECT_TRUE(test, has(peer, 1));

	/* Slots go by what is primary now, not by what was at first */
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 2));
	KUNIT_EXPECT_EQ(test, primary(peer), 1);
	KUNIT_EXPECT_FALSE(test, has(peer, 0));
	KUNIT_EXPECT_TRUE(test, has(peer, 2));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 3));
	KUNIT_EXPECT_EQ(test, primary(peer), 3);
	KUNIT_EXPECT_FALSE(test, has(peer, 1));
	KUNIT_EXPECT_TRUE(test, has(peer, 2));

	ovpn_keys_delete(keys, 0);
	KUNIT_EXPECT_EQ(test, primary(peer), NO_KEY);
	KUNIT_EXPECT_FALSE(test, has(peer, 3));
	KUNIT_EXPECT_TRUE(test, has(peer, 2));
	ovpn_keys_swap(keys);
	KUNIT_EXPECT_EQ(test, primary(peer), 2);
}

static void keys_same_number(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct ovpn_key_slot *slot;

	/* Key ids come round again: the one that we send with is meant */
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 4));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 4));
	slot = slot_by_id(peer, 4);
	KUNIT_EXPECT_NOT_NULL(test, slot);
	KUNIT_EXPECT_PTR_EQ(test, slot, primary_slot(peer));
	ovpn_keys_swap(&peer->keys);
	KUNIT_EXPECT_PTR_NE(test, slot, slot_by_id(peer, 4));
	KUNIT_EXPECT_PTR_EQ(test, slot_by_id(peer, 4), primary_slot(peer));
	ovpn_keys_swap(&peer->keys);

	ovpn_keys_delete(&peer->keys, 0);
	KUNIT_EXPECT_TRUE(test, has(peer, 4));
	ovpn_keys_delete(&peer->keys, 1);
	KUNIT_EXPECT_FALSE(test, has(peer, 4));
}

static void keys_kill(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct ovpn_keys *keys = &peer->keys;
	struct ovpn_key_slot *slot;
	bool first, second;
	u8 key_id;

	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 0));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 1));
	slot = primary_slot(peer);

	/* Swapped away while its last packet was sealed: it stays */
	ovpn_keys_swap(keys);
	KUNIT_EXPECT_FALSE(test, ovpn_keys_kill(keys, slot));
	KUNIT_EXPECT_TRUE(test, has(peer, 0));
	KUNIT_EXPECT_EQ(test, primary(peer), 1);

	/* Userspace is told once */
	ovpn_keys_swap(keys);
	rcu_read_lock();
	first = ovpn_keys_kill(keys, slot);
	second = ovpn_keys_kill(keys, slot);
	/* Whoever found it before, may go on using it */
	key_id = slot->key_id;
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, first);
	KUNIT_EXPECT_FALSE(test, second);
	KUNIT_EXPECT_EQ(test, key_id, 0);
	KUNIT_EXPECT_FALSE(test, has(peer, 0));
	KUNIT_EXPECT_EQ(test, primary(peer), NO_KEY);
	KUNIT_EXPECT_TRUE(test, has(peer, 1));
}

/* What is said about a slot, whichever is the primary one now */
static void keys_describe(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct ovpn_key_params params;

	KUNIT_EXPECT_FALSE(test, ovpn_keys_describe(&peer->keys, 0, &params));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 5));
	KUNIT_EXPECT_FALSE(test, ovpn_keys_describe(&peer->keys, 1, &params));
	ovpn_keys_swap(&peer->keys);
	KUNIT_EXPECT_FALSE(test, ovpn_keys_describe(&peer->keys, 0, &params));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 3));

	KUNIT_ASSERT_TRUE(test, ovpn_keys_describe(&peer->keys, 0, &params));
	KUNIT_EXPECT_EQ(test, params.slot, 0);
	KUNIT_EXPECT_EQ(test, params.key_id, 3);
	KUNIT_EXPECT_STREQ(test, params.cipher, primary_slot(peer)->cipher);
	KUNIT_ASSERT_TRUE(test, ovpn_keys_describe(&peer->keys, 1, &params));
	KUNIT_EXPECT_EQ(test, params.slot, 1);
	KUNIT_EXPECT_EQ(test, params.key_id, 5);
}

/* The id to send with, in the keys that are there and in those that come */
static void keys_address(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);

	/* Harmless without keys */
	ovpn_keys_address(&peer->keys, 8);

	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 1));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 2));
	KUNIT_EXPECT_EQ(test, slot_by_id(peer, 1)->op, ovpn_op_build(1, 7));
	peer->tx_id = 0x123456;
	ovpn_keys_address(&peer->keys, peer->tx_id);
	KUNIT_EXPECT_EQ(test, slot_by_id(peer, 1)->op,
			ovpn_op_build(1, 0x123456));
	KUNIT_EXPECT_EQ(test, slot_by_id(peer, 2)->op,
			ovpn_op_build(2, 0x123456));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 3));
	KUNIT_EXPECT_EQ(test, slot_by_id(peer, 3)->op,
			ovpn_op_build(3, 0x123456));
}

static void keys_of_dead_peer(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);

	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 0));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 1));
	ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_USERSPACE);
	KUNIT_EXPECT_FALSE(test, has(peer, 0));
	KUNIT_EXPECT_FALSE(test, has(peer, 1));
	KUNIT_EXPECT_EQ(test, -ESTALE, test_key_install(peer, 0, 2));
	KUNIT_EXPECT_FALSE(test, has(peer, 2));
}

/* Set packet_id_limit as an administrator would; returns the old value */
static unsigned int limit_set(struct kunit *test, unsigned int limit)
{
	const struct kernel_param *param = NULL;
	unsigned int i, old = 0;
	char value[16];

	for (i = 0; i < THIS_MODULE->num_kp; i++)
		if (!strcmp(THIS_MODULE->kp[i].name, "packet_id_limit"))
			param = &THIS_MODULE->kp[i];
	KUNIT_ASSERT_NOT_NULL(test, param);

	snprintf(value, sizeof(value), "%u", limit);
	kernel_param_lock(THIS_MODULE);
	old = *(unsigned int *)param->arg;
	KUNIT_EXPECT_EQ(test, 0, param->ops->set(value, param));
	kernel_param_unlock(THIS_MODULE);
	return old;
}

static void packet_ids_end(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct ovpn_key_slot *slot;
	u32 id = 0;
	int i;

	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 0));
	slot = primary_slot(peer);

	/* The first is 1 */
	KUNIT_EXPECT_EQ(test, 1, ovpn_key_slot_take_ids(slot, 1, &id));
	KUNIT_EXPECT_EQ(test, id, 1);
	KUNIT_EXPECT_EQ(test, 40, ovpn_key_slot_take_ids(slot, 40, &id));
	KUNIT_EXPECT_EQ(test, id, 2);
	KUNIT_EXPECT_EQ(test, 1, ovpn_key_slot_take_ids(slot, 1, &id));
	KUNIT_EXPECT_EQ(test, id, 42);

	/* The last is 2^32 - 1 */
	atomic64_set(&slot->next_id, U32_MAX - 11ULL);
	KUNIT_EXPECT_EQ(test, 5, ovpn_key_slot_take_ids(slot, 5, &id));
	KUNIT_EXPECT_EQ(test, id, U32_MAX - 11);
	KUNIT_EXPECT_EQ(test, 7, ovpn_key_slot_take_ids(slot, 64, &id));
	KUNIT_EXPECT_EQ(test, id, U32_MAX - 6);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, 0, ovpn_key_slot_take_ids(slot, 64, &id));

	/* A batch that ends with the last one */
	atomic64_set(&slot->next_id, U32_MAX - 1ULL);
	KUNIT_EXPECT_EQ(test, 2, ovpn_key_slot_take_ids(slot, 2, &id));
	KUNIT_EXPECT_EQ(test, id, U32_MAX - 1);
	KUNIT_EXPECT_EQ(test, 0, ovpn_key_slot_take_ids(slot, 1, &id));

	/* The very last one */
	atomic64_set(&slot->next_id, U32_MAX);
	KUNIT_EXPECT_EQ(test, 1, ovpn_key_slot_take_ids(slot, 1, &id));
	KUNIT_EXPECT_EQ(test, id, U32_MAX);
	KUNIT_EXPECT_EQ(test, 0, ovpn_key_slot_take_ids(slot, 1, &id));
}

static void packet_ids_limit(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct ovpn_key_slot *slot;
	unsigned int old, count;
	u32 id, next = 1;

	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 0));
	old = limit_set(test, 1000);
	KUNIT_EXPECT_EQ(test, old, U32_MAX);
	slot = primary_slot(peer);
	while ((count = ovpn_key_slot_take_ids(slot, 37, &id))) {
		KUNIT_EXPECT_EQ(test, id, next);
		KUNIT_EXPECT_EQ(test, count, min(37U, 1001 - id));
		next = id + count;
	}
	KUNIT_EXPECT_EQ(test, next, 1001);

	/* Lowered below what has been used already */
	limit_set(test, 500);
	atomic64_set(&slot->next_id, 700);
	KUNIT_EXPECT_EQ(test, 0, ovpn_key_slot_take_ids(slot, 1, &id));
	limit_set(test, old);
}

/* So many ids are fought for, up to the last one */
#define RACE_IDS		60000

struct id_race {
	struct ovpn_peer *peer;
	atomic_t killers;
	atomic_t taken[RACE_IDS];
};

/* Send until the key is used up, as the data path does */
static unsigned int id_race_thread(struct test_crew *crew, unsigned int index)
{
	struct id_race *race = crew->arg;
	struct ovpn_keys *keys = &race->peer->keys;
	unsigned int i, count, ended, mistakes = 0;
	struct ovpn_key_slot *slot;
	struct rnd_state rnd;
	u32 id, batch;

	prandom_seed_state(&rnd, index + 1);
	for (ended = 0; ended < 10;) {
		batch = 1 + test_random(&rnd, index ? 3 : 64);
		rcu_read_lock();
		slot = ovpn_keys_primary(keys);
		count = slot ? ovpn_key_slot_take_ids(slot, batch, &id) : 0;
		if (slot && count < batch && ovpn_keys_kill(keys, slot))
			atomic_inc(&race->killers);
		rcu_read_unlock();

		mistakes += count > batch;
		if (!count)
			ended++;
		for (i = 0; i < count; i++) {
			u32 which = U32_MAX - (id + i);

			mistakes += which >= RACE_IDS ||
				    atomic_inc_return(&race->taken[which]) != 1;
		}
		cond_resched();
	}
	return mistakes;
}

static void packet_ids_race(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct id_race *race = test_vzalloc(test, sizeof(*race));
	unsigned int i, unused = 0;
	struct test_crew *crew;

	race->peer = peer;
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 0));
	atomic64_set(&primary_slot(peer)->next_id, U32_MAX - RACE_IDS + 1ULL);

	crew = test_crew_start(test, 3, id_race_thread, race);
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(crew));

	/* Each of them once, and one to tell that the key is gone */
	for (i = 0; i < RACE_IDS; i++)
		unused += atomic_read(&race->taken[i]) != 1;
	KUNIT_EXPECT_EQ(test, 0, unused);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&race->killers));
	KUNIT_EXPECT_EQ(test, primary(peer), NO_KEY);
}

/**
 * struct key_race - keys that come and go while packets do
 * @peer: whose
 * @oldest: the oldest key that is surely there
 * @newest: the newest key that is surely there
 * @rounds: how often each thread went round
 */
struct key_race {
	struct ovpn_peer *peer;
	unsigned int oldest;
	unsigned int newest;
	atomic_t rounds[TEST_CREW_MAX];
};

static void sealed(struct ovpn_key_slot *slot, struct sk_buff *skb,
		   struct sk_buff *from, int err)
{
	consume_skb(skb);
}

/* Whether the key can be used, which who watches the memory sees too */
static bool use(struct ovpn_key_slot *slot)
{
	struct sk_buff *skb = alloc_skb(128, GFP_ATOMIC);
	int err;

	if (!skb)
		return true;
	skb_reserve(skb, OVPN_HEADER_LEN);
	skb_put_zero(skb, 32);
	err = ovpn_aead_seal(slot, skb, 1, sealed);
	if (err != -EINPROGRESS)
		consume_skb(skb);
	return !err || err == -EINPROGRESS;
}

static unsigned int send_and_receive(struct key_race *race)
{
	struct ovpn_keys *keys = &race->peer->keys;
	unsigned int oldest, newest, id, mistakes = 0;
	struct ovpn_key_slot *slot;

	/* There is a key to send with; but which one that is may change, and
	 * the former one go, while it is looked for
	 */
	oldest = smp_load_acquire(&race->oldest); /* before what follows */
	slot = ovpn_keys_primary(keys);
	smp_rmb(); /* pairs with smp_wmb() in keys_race() */
	if (!slot)
		mistakes += oldest == READ_ONCE(race->oldest);
	else
		mistakes += slot->peer != race->peer || !use(slot);

	/* A key that was there before and is there afterwards is found, and
	 * none is found under the number of another
	 */
	newest = smp_load_acquire(&race->newest); /* pairs, in keys_race() */
	for (id = 0; id <= OVPN_KEY_ID_MAX; id++) {
		slot = ovpn_keys_by_id(keys, id);
		smp_rmb(); /* pairs with smp_wmb() in keys_race() */
		oldest = READ_ONCE(race->oldest);
		if (slot)
			mistakes += slot->key_id != id || !use(slot);
		else
			mistakes += id == newest % 8 && newest >= oldest;
	}
	return mistakes;
}

static unsigned int key_race_thread(struct test_crew *crew, unsigned int index)
{
	struct key_race *race = crew->arg;
	unsigned int mistakes = 0;

	while (!READ_ONCE(crew->stop)) {
		local_bh_disable();
		rcu_read_lock();
		mistakes += send_and_receive(race);
		rcu_read_unlock();
		local_bh_enable();
		atomic_inc(&race->rounds[index]);
		cond_resched();
	}
	return mistakes;
}

#define SWAPS			50000

static unsigned int swap_race_thread(struct test_crew *crew, unsigned int index)
{
	struct ovpn_keys *keys = crew->arg;
	unsigned int mistakes = 0;

	while (!READ_ONCE(crew->stop)) {
		rcu_read_lock();
		mistakes += !ovpn_keys_primary(keys);
		mistakes += !ovpn_keys_by_id(keys, 0);
		mistakes += !ovpn_keys_by_id(keys, 1);
		rcu_read_unlock();
	}
	return mistakes;
}

/* Both keys are found at any time */
static void keys_swap_race(struct kunit *test)
{
	struct ovpn_peer *peer = peer_open(test);
	struct test_crew *crew;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 0, 0));
	KUNIT_EXPECT_EQ(test, 0, test_key_install(peer, 1, 1));
	crew = test_crew_start(test, 2, swap_race_thread, &peer->keys);
	for (i = 0; i < SWAPS; i++)
		ovpn_keys_swap(&peer->keys);
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(crew));
	KUNIT_EXPECT_EQ(test, primary(peer), 0);
}

#define RENEGOTIATIONS		200

static void keys_race(struct kunit *test)
{
	struct key_race race = { .peer = peer_open(test) };
	struct ovpn_keys *keys = &race.peer->keys;
	struct ovpn_key_slot *old;
	struct test_crew *crew;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, test_key_install(race.peer, 0, 0));
	crew = test_crew_start(test, 2, key_race_thread, &race);
	for (i = 1; i <= RENEGOTIATIONS; i++) {
		/* The key before the last goes, the new one comes */
		WRITE_ONCE(race.oldest, i - 1);
		smp_wmb(); /* pairs with smp_rmb() in send_and_receive() */
		if (i % 3 == 0)
			ovpn_keys_delete(keys, 1);
		KUNIT_EXPECT_EQ(test, 0, test_key_install(race.peer, 1, i % 8));
		/* pairs with smp_load_acquire() in send_and_receive() */
		smp_store_release(&race.newest, i);
		ovpn_keys_swap(keys);
		/* Its last packet was under way: still good for receiving */
		old = slot_by_id(race.peer, (i - 1) % 8);
		KUNIT_EXPECT_FALSE(test, ovpn_keys_kill(keys, old));
		/* A change of mind */
		if (i % 5 == 0) {
			ovpn_keys_swap(keys);
			ovpn_keys_swap(keys);
		}
		if (i % 16 == 0)
			schedule_timeout_uninterruptible(1);
	}
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(crew));
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_GT(test, atomic_read(&race.rounds[i]), 10);
}

static struct kunit_case keys_cases[] = {
	KUNIT_CASE(keys_swap),
	KUNIT_CASE(keys_same_number),
	KUNIT_CASE(keys_kill),
	KUNIT_CASE(keys_describe),
	KUNIT_CASE(keys_address),
	KUNIT_CASE(keys_of_dead_peer),
	KUNIT_CASE(keys_swap_race),
	KUNIT_CASE(keys_race),
	KUNIT_CASE(packet_ids_end),
	KUNIT_CASE(packet_ids_limit),
	KUNIT_CASE(packet_ids_race),
	{}
};

static struct kunit_suite keys_suite = {
	.name = "ovpn_keys",
	.suite_init = test_suite_init,
	.suite_exit = test_suite_exit,
	.exit = test_device_close,
	.test_cases = keys_cases,
};

kunit_test_suite(keys_suite);
