// SPDX-License-Identifier: GPL-2.0-only
/*
 * The replay window: 2048 packet ids wide, each accepted once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_util.h"

#define WINDOW	2048

static const struct data_far_args one = { .id = 5 };

/* The packet's seed tells its id. */
static size_t make_plain(void *plain, uint32_t packet_id)
{
	return data_inner(plain, VPN_FAR4, VPN_NEAR4, 80, packet_id);
}

static void check_accepted(struct data_bed *bed, struct data_far *far,
			   uint32_t id)
{
	uint8_t plain[WIRE_MAX];
	size_t len = make_plain(plain, id);

	CHECK_MSG(data_deliver(bed, far, id, plain, len),
		  "packet id %u was not accepted", id);
}

static void check_refused(struct data_bed *bed, struct data_far *far,
			  uint32_t id, const char *reason)
{
	struct data_drops before;
	uint8_t plain[WIRE_MAX];
	size_t len = make_plain(plain, id);

	data_drops_read(bed, &before);
	data_far_send_id(far, id, plain, len);
	CHECK_MSG(data_check_drops(bed, &before, reason, 1),
		  "packet id %u", id);
	data_near_empty(bed);
}

static void replayed(struct data_bed *bed)
{
	struct data_far far;
	uint32_t id;

	if (!data_far_add(bed, &far, &one))
		return;
	for (id = 1; id <= 5; id++) {
		check_accepted(bed, &far, id);
		check_refused(bed, &far, id, "rx_drop_replay");
	}
	for (id = 1; id <= 5; id++)
		check_refused(bed, &far, id, "rx_drop_replay");
	data_far_close(&far);
}

static void reordered(struct data_bed *bed)
{
	static const uint32_t ids[] = { 10, 5, 7, 6, 1, 11, 9, 64, 63, 65, 12 };
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		check_accepted(bed, &far, ids[i]);
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		check_refused(bed, &far, ids[i], "rx_drop_replay");
	data_far_close(&far);
}

static void edge(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	check_accepted(bed, &far, 1);
	check_accepted(bed, &far, 1500);
	check_accepted(bed, &far, 3000);
	check_refused(bed, &far, 3000 - WINDOW, "rx_drop_old");
	check_accepted(bed, &far, 3000 - WINDOW + 1);
	check_refused(bed, &far, 3000 - WINDOW + 1, "rx_drop_replay");
	check_refused(bed, &far, 1, "rx_drop_old");
	check_refused(bed, &far, 1500, "rx_drop_replay");
	/* one further: what was the edge is behind it */
	check_accepted(bed, &far, 3001);
	check_refused(bed, &far, 3000 - WINDOW + 1, "rx_drop_old");
	check_accepted(bed, &far, 3000 - WINDOW + 2);
	data_far_close(&far);
}

static void jump(struct data_bed *bed)
{
	struct data_far far;
	uint32_t id = 100;

	if (!data_far_add(bed, &far, &one))
		return;
	check_accepted(bed, &far, id);
	/* as far as the window is wide, less one: the last is still in it */
	id += WINDOW - 1;
	check_accepted(bed, &far, id);
	check_refused(bed, &far, id - WINDOW + 1, "rx_drop_replay");
	/* just as far */
	id += WINDOW;
	check_accepted(bed, &far, id);
	check_refused(bed, &far, id - WINDOW, "rx_drop_old");
	check_accepted(bed, &far, id - WINDOW + 1);
	check_accepted(bed, &far, id - 1);
	/* much further, with nothing left of the old bits */
	id += 10 * WINDOW + 3;
	check_accepted(bed, &far, id);
	check_refused(bed, &far, id, "rx_drop_replay");
	check_refused(bed, &far, id - WINDOW, "rx_drop_old");
	check_accepted(bed, &far, id - WINDOW + 1);
	check_accepted(bed, &far, id - 1000);
	check_accepted(bed, &far, id - 1);
	/* and more than half of all ids */
	id = 0xf0000000;
	check_accepted(bed, &far, id);
	check_refused(bed, &far, 500, "rx_drop_old");
	data_far_close(&far);
}

/* Only an authentic packet may move the window. */
static void forged(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX], packet[WIRE_MAX];
	struct data_drops before;
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	check_accepted(bed, &far, 1);
	data_drops_read(bed, &before);
	len = make_plain(plain, 100000);
	len = wire_seal(&far.seal, far.id, 100000, plain, len, packet);
	packet[len - 1] ^= 0x80;
	data_far_send_raw(&far, packet, len);
	data_check_drops(bed, &before, "rx_drop_auth", 1);
	check_accepted(bed, &far, 2);
	check_refused(bed, &far, 2, "rx_drop_replay");
	check_accepted(bed, &far, 100000);
	data_far_close(&far);
}

/* What the window should do, with all the memory in the world. */
struct model {
	uint32_t top;
	bool seen[1 << 22];
	unsigned int delivered, replay, old;
};

static bool model_accepts(struct model *m, uint32_t id)
{
	if (id + WINDOW <= m->top) {
		m->old++;
		return false;
	}
	if (m->seen[id]) {
		m->replay++;
		return false;
	}
	m->seen[id] = true;
	if (id > m->top)
		m->top = id;
	m->delivered++;
	return true;
}

/* Mostly near the top, at times far off on both sides. */
static uint32_t random_id(const struct model *m)
{
	int64_t id = m->top;

	switch (rand() % 8) {
	case 0:
		id += rand() % (2 * WINDOW + 100);
		break;
	case 1:
		id -= WINDOW - 4 + rand() % 8;
		break;
	case 2:
	case 3:
		id -= rand() % (WINDOW + 64);
		break;
	default:
		id += rand() % 8 - 4;
	}
	return id < 1 ? 1 : id;
}

static void random_order(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX], got[WIRE_MAX];
	static struct model m;
	unsigned int i, seed = now_ms();
	struct data_far far;
	uint32_t id;
	size_t len;

	ktap_note("seed %u", seed);
	srand(seed);
	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; ktap_good() && i < 4000; i++) {
		id = random_id(&m);
		len = make_plain(plain, id);
		data_far_send_id(&far, id, plain, len);
		if (!model_accepts(&m, id))
			continue;
		/* nothing that was refused before may come out instead */
		CHECK_EQ(len, packet_recv(bed->tap, got, sizeof(got),
					  DATA_WAIT_MS));
		CHECK_MSG(!memcmp(plain, got, len),
			  "not packet id %u with top %u", id, m.top);
	}
	data_wait_count(bed, "rx_drop_replay", m.replay);
	data_wait_count(bed, "rx_drop_old", m.old);
	data_near_empty(bed);
	ktap_note("%u delivered, %u replays, %u old", m.delivered, m.replay,
		  m.old);
	data_far_close(&far);
}

/*
 * A peer that was silent for 30 s has no packets under way any more: what
 * comes then with an older id is somebody else's.
 */
static void floor_after_silence(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	check_accepted(bed, &far, 10);
	check_accepted(bed, &far, 20);
	check_accepted(bed, &far, 15);
	sleep_ms(31500);
	check_refused(bed, &far, 14, "rx_drop_old");
	check_refused(bed, &far, 19, "rx_drop_old");
	check_accepted(bed, &far, 22);
	check_accepted(bed, &far, 21);
	check_refused(bed, &far, 18, "rx_drop_old");
	data_far_close(&far);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "replayed", .run = replayed },
		{ "reordered", .run = reordered },
		{ "at the edge of the window", .run = edge },
		{ "jumping ahead", .run = jump },
		{ "forged packet does not move the window", .run = forged },
		{ "random order", .run = random_order },
		{ "older ids after 30 s of silence",
		  .run = floor_after_silence },
	};

	(void)argc;
	data_stay_on_cpu();
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
