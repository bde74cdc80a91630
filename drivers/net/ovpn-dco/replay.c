// SPDX-License-Identifier: GPL-2.0-only
/* The packet-id window: no packet is accepted twice. */

#include "replay.h"

/**
 * ovpn_replay_init - start with a key that has received nothing
 * @replay: the window
 */
void ovpn_replay_init(struct ovpn_replay *replay)
{
	memset(replay, 0, sizeof(*replay));
	spin_lock_init(&replay->lock);
}

/* The next @count ids have not been seen: forget those that had their places */
static void window_skip(struct ovpn_replay *replay, u32 count)
{
	u32 first = (replay->newest + 1) % OVPN_REPLAY_WINDOW;
	u32 run;

	if (count >= OVPN_REPLAY_WINDOW) {
		bitmap_zero(replay->seen, OVPN_REPLAY_WINDOW);
	} else {
		run = min(count, OVPN_REPLAY_WINDOW - first);
		bitmap_clear(replay->seen, first, run);
		bitmap_clear(replay->seen, 0, count - run);
	}
}

static enum ovpn_replay_verdict window_check(struct ovpn_replay *replay,
					     u32 id, u32 now)
{
	if (unlikely(!id))
		return OVPN_REPLAY_ZERO;

	/* Another CPU may have looked at the clock later and been faster */
	if (unlikely((s32)(now - replay->last) >= OVPN_REPLAY_IDLE))
		replay->floor = replay->newest;

	if (likely(id > replay->newest)) {
		if (unlikely(id - replay->newest > 1))
			window_skip(replay, id - replay->newest - 1);
		replay->newest = id;
		__set_bit(id % OVPN_REPLAY_WINDOW, replay->seen);
		return OVPN_REPLAY_NEWEST;
	}

	if (replay->newest - id >= OVPN_REPLAY_WINDOW || id <= replay->floor)
		return OVPN_REPLAY_OLD;
	if (__test_and_set_bit(id % OVPN_REPLAY_WINDOW, replay->seen))
		return OVPN_REPLAY_SEEN;
	return OVPN_REPLAY_LATE;
}

/**
 * ovpn_replay_check - accept a packet id, once
 * @replay: the window of the key that the packet was authenticated with
 * @id: its packet id
 * @now: seconds on the boot-time clock
 *
 * Only for authenticated packets: anything else could push the window away.
 *
 * Context: BH off.
 * Return: OVPN_REPLAY_NEWEST or OVPN_REPLAY_LATE if the packet is accepted,
 * otherwise why not.
 */
enum ovpn_replay_verdict ovpn_replay_check(struct ovpn_replay *replay,
					   u32 id, u32 now)
{
	enum ovpn_replay_verdict verdict;

	spin_lock(&replay->lock);
	verdict = window_check(replay, id, now);
	if (verdict <= OVPN_REPLAY_LATE && (s32)(now - replay->last) > 0)
		replay->last = now;
	spin_unlock(&replay->lock);
	return verdict;
}
