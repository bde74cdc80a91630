/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet-id window: no packet is accepted twice. */
#ifndef _OVPN_REPLAY_H
#define _OVPN_REPLAY_H

#include <linux/bitmap.h>
#include <linux/spinlock.h>

#define OVPN_REPLAY_WINDOW	2048

/* After that many seconds of silence nothing older is accepted any more */
#define OVPN_REPLAY_IDLE	30

/**
 * struct ovpn_replay - the packet ids that were seen with one key
 * @lock: guards all fields; taken with BH off
 * @newest: highest packet id accepted, 0 before the first
 * @floor: ids up to this one are too old, however far back the window reaches
 * @last: when a packet was last accepted, seconds on the boot-time clock
 * @seen: bit (id % window) for each id in (newest - window, newest]
 */
struct ovpn_replay {
	spinlock_t lock; /* see above */
	u32 newest;
	u32 floor;
	u32 last;
	DECLARE_BITMAP(seen, OVPN_REPLAY_WINDOW);
};

enum ovpn_replay_verdict {
	OVPN_REPLAY_NEWEST,	/* accepted, and no packet sent later was yet */
	OVPN_REPLAY_LATE,	/* accepted, overtaken by a later one */
	OVPN_REPLAY_SEEN,
	OVPN_REPLAY_OLD,
	OVPN_REPLAY_ZERO,
};

void ovpn_replay_init(struct ovpn_replay *replay);
enum ovpn_replay_verdict ovpn_replay_check(struct ovpn_replay *replay,
					   u32 id, u32 now);

#endif /* _OVPN_REPLAY_H */
