// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: the packet-id window. */

#include "../replay.h"
#include "fixture.h"

#define STEPS			250000

/* Ids that a random walk can reach, a little fewer than it has the steps for */
#define UNIVERSE		(12U << 17)

/**
 * struct model - what the window shall do, told naively: forget nothing
 * @base: the lowest id of the walk
 * @newest: the highest id accepted
 * @floor: the highest id accepted when there was silence
 * @last: when an id was last accepted
 * @seen: bit (id - @base) for each id ever accepted
 */
struct model {
	u32 base;
	u32 newest;
	u32 floor;
	u32 last;
	unsigned long *seen;
};

static enum ovpn_replay_verdict model_check(struct model *model, u32 id,
					    u32 now)
{
	enum ovpn_replay_verdict verdict = OVPN_REPLAY_LATE;

	if (id == 0)
		return OVPN_REPLAY_ZERO;
	if (now >= model->last + 30)
		model->floor = model->newest;
	if (id > model->newest) {
		verdict = OVPN_REPLAY_NEWEST;
		model->newest = id;
	} else if ((u64)id + 2048 <= model->newest || id <= model->floor) {
		return OVPN_REPLAY_OLD;
	} else if (test_bit(id - model->base, model->seen)) {
		return OVPN_REPLAY_SEEN;
	}
	__set_bit(id - model->base, model->seen);
	model->last = max(model->last, now);
	return verdict;
}

/* Mostly the next one, often a little late, sometimes anything */
static u32 random_id(struct rnd_state *rnd, const struct model *model)
{
	u32 dice = test_random(rnd, 1000);
	s64 id = model->newest;

	if (dice < 600)
		id += 1;
	else if (dice < 700)
		id += test_random(rnd, 32);
	else if (dice < 702)
		id += test_random(rnd, 5000);
	else if (dice < 900)
		id -= test_random(rnd, 100);
	else if (dice < 990)
		id -= test_random(rnd, 2100);
	else if (dice < 998)
		id = model->base + test_random(rnd, id + 1 > model->base ?
					       id + 1 - model->base : 1);
	else
		return 0;
	return clamp_t(s64, id, model->base, (s64)model->base + UNIVERSE - 1);
}

/* Clocks of other CPUs may be a little behind */
static u32 random_time(struct rnd_state *rnd, u32 *clock)
{
	u32 dice = test_random(rnd, 2000);

	if (dice == 0)
		*clock += 28 + test_random(rnd, 4);
	else if (dice < 50)
		*clock += 1;
	return *clock - (dice > 1990);
}

struct walk {
	const char *name;
	u32 base;
	u32 seed;
};

static const struct walk walks[] = {
	{ "from the first id", 0, 1 },
	{ "to the last id", U32_MAX - UNIVERSE + 1, 2 },
	{ "across the sign", (1U << 31) - UNIVERSE / 2, 3 },
	{ "new seed", 0, 0 },
};

static void walk_describe(const struct walk *walk, char *desc)
{
	strscpy(desc, walk->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(walk, walks, walk_describe);

static void replay_random(struct kunit *test)
{
	const struct walk *walk = test->param_value;
	u32 seed = walk->seed ?: get_random_u32();
	enum ovpn_replay_verdict want, got;
	struct model model = { .base = walk->base };
	unsigned int i, counts[OVPN_REPLAY_ZERO + 1] = {};
	struct ovpn_replay replay;
	struct rnd_state rnd;
	u32 id, now, clock;

	model.seen = test_vzalloc(test, UNIVERSE / 8);
	prandom_seed_state(&rnd, seed);
	ovpn_replay_init(&replay);
	clock = 1000 + test_random(&rnd, 1 << 20);

	for (i = 0; i < STEPS; i++) {
		id = random_id(&rnd, &model);
		now = random_time(&rnd, &clock);
		want = model_check(&model, id, now);
		local_bh_disable();
		got = ovpn_replay_check(&replay, id, now);
		local_bh_enable();
		counts[got]++;
		if (got == want)
			continue;
		KUNIT_FAIL(test, "seed %u, step %u: id %u at %u s: %d, not %d",
			   seed, i, id, now, got, want);
		return;
	}

	/* It went everywhere */
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		KUNIT_EXPECT_GE(test, counts[i], 50);
	KUNIT_EXPECT_EQ(test, model.newest, walk->base + UNIVERSE - 1);
}

static enum ovpn_replay_verdict check(struct ovpn_replay *replay, u32 id,
				      u32 now)
{
	enum ovpn_replay_verdict verdict;

	local_bh_disable();
	verdict = ovpn_replay_check(replay, id, now);
	local_bh_enable();
	return verdict;
}

static void replay_edges(struct kunit *test)
{
	struct ovpn_replay replay;

	ovpn_replay_init(&replay);
	KUNIT_EXPECT_EQ(test, check(&replay, 0, 5), OVPN_REPLAY_ZERO);
	KUNIT_EXPECT_EQ(test, check(&replay, 1, 5), OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 1, 5), OVPN_REPLAY_SEEN);
	KUNIT_EXPECT_EQ(test, check(&replay, 0, 5), OVPN_REPLAY_ZERO);

	/* The last bit of the window, and one further */
	KUNIT_EXPECT_EQ(test, check(&replay, 3000, 5), OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 3000 - 2048, 5), OVPN_REPLAY_OLD);
	KUNIT_EXPECT_EQ(test, check(&replay, 3000 - 2047, 5), OVPN_REPLAY_LATE);
	KUNIT_EXPECT_EQ(test, check(&replay, 3000 - 2047, 5), OVPN_REPLAY_SEEN);
	KUNIT_EXPECT_EQ(test, check(&replay, 3000, 5), OVPN_REPLAY_SEEN);
	KUNIT_EXPECT_EQ(test, check(&replay, 2999, 5), OVPN_REPLAY_LATE);

	/* Moving up by one forgets one, and nothing else */
	KUNIT_EXPECT_EQ(test, check(&replay, 3001, 5), OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 3000 - 2047, 5), OVPN_REPLAY_OLD);
	KUNIT_EXPECT_EQ(test, check(&replay, 3001 - 2047, 5), OVPN_REPLAY_LATE);
	KUNIT_EXPECT_EQ(test, check(&replay, 2999, 5), OVPN_REPLAY_SEEN);

	/* By exactly a window: the same bits, but none of the same ids */
	KUNIT_EXPECT_EQ(test, check(&replay, 3001 + 2048, 5),
			OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 3001, 5), OVPN_REPLAY_OLD);
	KUNIT_EXPECT_EQ(test, check(&replay, 3002, 5), OVPN_REPLAY_LATE);
}

static void replay_end_of_ids(struct kunit *test)
{
	struct ovpn_replay replay;

	/* Jumps that look negative to who compares signed */
	ovpn_replay_init(&replay);
	KUNIT_EXPECT_EQ(test, check(&replay, 7, 5), OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 0x80000010, 5),
			OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 7, 5), OVPN_REPLAY_OLD);

	KUNIT_EXPECT_EQ(test, check(&replay, U32_MAX, 5), OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, U32_MAX, 5), OVPN_REPLAY_SEEN);
	KUNIT_EXPECT_EQ(test, check(&replay, U32_MAX - 1, 5), OVPN_REPLAY_LATE);

	/* Ids never start again */
	KUNIT_EXPECT_EQ(test, check(&replay, 0, 5), OVPN_REPLAY_ZERO);
	KUNIT_EXPECT_EQ(test, check(&replay, 1, 5), OVPN_REPLAY_OLD);
	KUNIT_EXPECT_EQ(test, check(&replay, 2047, 5), OVPN_REPLAY_OLD);
}

static void replay_silence(struct kunit *test)
{
	struct ovpn_replay replay;

	ovpn_replay_init(&replay);
	KUNIT_EXPECT_EQ(test, check(&replay, 100, 1000), OVPN_REPLAY_NEWEST);

	/* 29 s of silence are none */
	KUNIT_EXPECT_EQ(test, check(&replay, 98, 1029), OVPN_REPLAY_LATE);
	KUNIT_EXPECT_EQ(test, check(&replay, 98, 1058), OVPN_REPLAY_SEEN);
	/* What was not accepted did not end it: now it is 30 */
	KUNIT_EXPECT_EQ(test, check(&replay, 97, 1059), OVPN_REPLAY_OLD);
	KUNIT_EXPECT_EQ(test, check(&replay, 100, 1059), OVPN_REPLAY_OLD);

	/* From here on, but only from here on */
	KUNIT_EXPECT_EQ(test, check(&replay, 105, 1060), OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 103, 1060), OVPN_REPLAY_LATE);
	KUNIT_EXPECT_EQ(test, check(&replay, 99, 1061), OVPN_REPLAY_OLD);

	/* A CPU whose clock is behind neither ends nor prolongs anything */
	KUNIT_EXPECT_EQ(test, check(&replay, 106, 1059), OVPN_REPLAY_NEWEST);
	KUNIT_EXPECT_EQ(test, check(&replay, 104, 1089), OVPN_REPLAY_LATE);
}

#define RACE_IDS		20000

struct race {
	struct ovpn_replay replay;
	atomic_t accepted[RACE_IDS + 1];
};

/* The same stream on several CPUs, as an attacker would send it */
static unsigned int race_thread(struct test_crew *crew, unsigned int index)
{
	struct race *race = crew->arg;
	unsigned int mistakes = 0;
	u32 id;

	for (id = 1; id <= RACE_IDS; id++) {
		local_bh_disable();
		if (ovpn_replay_check(&race->replay, id, 7) <= OVPN_REPLAY_LATE)
			mistakes += atomic_inc_return(&race->accepted[id]) != 1;
		local_bh_enable();
		if (id % 256 == 0)
			cond_resched();
	}
	return mistakes;
}

static void replay_race(struct kunit *test)
{
	struct test_crew *crew;
	struct race *race;
	unsigned int missed = 0;
	u32 id;

	race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race);
	ovpn_replay_init(&race->replay);

	crew = test_crew_start(test, 3, race_thread, race);
	KUNIT_EXPECT_EQ(test, 0, test_crew_join(crew));

	/* Whoever comes first with an id comes in order, and is accepted */
	for (id = 1; id <= RACE_IDS; id++)
		missed += atomic_read(&race->accepted[id]) != 1;
	KUNIT_EXPECT_EQ(test, 0, missed);
}

static struct kunit_case replay_cases[] = {
	KUNIT_CASE(replay_edges),
	KUNIT_CASE(replay_end_of_ids),
	KUNIT_CASE(replay_silence),
	KUNIT_CASE(replay_race),
	KUNIT_CASE_PARAM(replay_random, walk_gen_params),
	{}
};

static struct kunit_suite replay_suite = {
	.name = "ovpn_replay",
	.test_cases = replay_cases,
};

kunit_test_suite(replay_suite);
