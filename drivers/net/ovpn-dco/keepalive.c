// SPDX-License-Identifier: GPL-2.0-only
/* Pings to silent peers, and the end of peers that went silent, or whose userspace
 * did.
 *
 * The data path only notes the second of each packet. One work item a device
 * looks at the peers when the first of them may be due; no timer is touched
 * per packet.
 */

#include <linux/minmax.h>

#include "device.h"
#include "keepalive.h"
#include "owner.h"
#include "peer.h"
#include "peer_table.h"
#include "send.h"
#include "wire.h"

/* When userspace is busy, look again that soon */
#define EXPIRY_RETRY		(HZ / 50 ?: 1)

/* Far enough away, in seconds */
#define NEVER			((u32)INT_MAX)

/* Look at least that often, in seconds, while there is something to wait for */
#define LONGEST_WAIT		3600

const u8 ovpn_keepalive_payload[OVPN_KEEPALIVE_LEN] = {
	0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
	0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48
};

/* Seconds until @since + @period; 0 if that is now or past */
static u32 left(u32 now, u32 since, u64 period)
{
	u32 age = now - since;

	/* A packet may come in just after the caller looked at the clock */
	if ((s32)age < 0)
		age = 0;
	return age >= period ? 0 : min_t(u64, period - age, NEVER);
}

static bool is_expired(const struct ovpn_peer *peer, u32 now, u32 *next)
{
	/* Pairs with ovpn_keepalive_set(): a new timeout, a new start */
	u32 timeout = smp_load_acquire(&peer->keepalive_timeout);
	u32 wait;

	if (!timeout)
		return false;
	/* The stamp is up to a second older than the packet was: be patient */
	wait = left(now, READ_ONCE(peer->last_rx), (u64)timeout + 1);
	*next = min_t(u32, *next, wait);
	return !wait;
}

static void ping_if_due(struct ovpn_peer *peer, u32 now, u32 *next)
{
	/* Pairs with ovpn_keepalive_set() */
	u32 interval = smp_load_acquire(&peer->keepalive_interval);
	u32 wait;

	if (!interval)
		return;
	wait = left(now, READ_ONCE(peer->last_tx), interval);
	if (!wait) {
		/* Even if it cannot be sent: try again an interval later */
		WRITE_ONCE(peer->last_tx, now);
		local_bh_disable();
		ovpn_send_keepalive(peer);
		local_bh_enable();
		wait = interval;
	}
	*next = min_t(u32, *next, wait);
}

/* Look at one peer, within rcu_read_lock. *@next is lowered to the seconds until
 * it is due again: 0 if it is now, but listeners must read first. It always is after
 * a while, because nothing may tell that nobody needs it any more.
 */
static void peer_check(struct ovpn_peer *peer, bool owner_died, u32 now,
		       u32 *next)
{
	struct ovpn_dev *ovpn = peer->ovpn;
	u32 due = OVPN_OWNER_CHECK_SECS;

	if (unlikely(ovpn_owner_orphaned(peer, owner_died))) {
		ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
		return;
	}
	if (!is_expired(peer, now, &due)) {
		ping_if_due(peer, now, &due);
	} else if (ovpn->abi->notify_room(peer)) {
		due = NEVER;
		if (ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_EXPIRED)) {
			local_bh_disable();
			ovpn_event_add(ovpn->stats, OVPN_EVENT_PEERS_EXPIRED);
			local_bh_enable();
		}
	}
	if (ovpn_peer_tell_moved(peer))
		due = min_t(u32, due, 1);
	*next = min_t(u32, *next, due);
}

static void arm(struct ovpn_dev *ovpn, u32 wait)
{
	u32 now = ovpn_now();

	lockdep_assert_held(&ovpn->peers.lock);

	if (ovpn->peers.closed || wait == NEVER)
		return;
	wait = min_t(u32, wait, LONGEST_WAIT);
	if (ovpn->keepalive_armed &&
	    (s32)(ovpn->keepalive_due - now) <= (s32)wait)
		return;
	ovpn->keepalive_armed = true;
	ovpn->keepalive_due = now + wait;
	mod_delayed_work(ovpn_wq, &ovpn->keepalive,
			 wait ? wait * HZ : EXPIRY_RETRY);
}

static void keepalive_work(struct work_struct *work)
{
	struct ovpn_dev *ovpn = container_of(to_delayed_work(work),
					     struct ovpn_dev, keepalive);
	bool owner_died = ovpn_owner_died(ovpn);
	u32 next = NEVER, now = ovpn_now();
	struct ovpn_peer *peer;
	unsigned long id;

	spin_lock_bh(&ovpn->peers.lock);
	ovpn->keepalive_armed = false;
	spin_unlock_bh(&ovpn->peers.lock);

	for (id = 0;; id++) {
		rcu_read_lock();
		peer = ovpn_peer_next(&ovpn->peers, &id);
		if (peer)
			peer_check(peer, owner_died, now, &next);
		rcu_read_unlock();
		if (!peer)
			break;
		cond_resched();
	}

	if (ovpn_peer_table_forget_gone(&ovpn->peers, now))
		next = min_t(u32, next, OVPN_TOMBSTONE_SECS);

	spin_lock_bh(&ovpn->peers.lock);
	arm(ovpn, next);
	spin_unlock_bh(&ovpn->peers.lock);
}

/**
 * ovpn_keepalive_init - prepare a device
 * @ovpn: the device
 */
void ovpn_keepalive_init(struct ovpn_dev *ovpn)
{
	INIT_DELAYED_WORK(&ovpn->keepalive, keepalive_work);
}

/**
 * ovpn_keepalive_stop - no ping and no expiry any more
 * @ovpn: the device, whose peer table is closed
 *
 * Context: process, may sleep.
 */
void ovpn_keepalive_stop(struct ovpn_dev *ovpn)
{
	cancel_delayed_work_sync(&ovpn->keepalive);
}

/**
 * ovpn_keepalive_wake - have the peers and tombstones of a device looked at
 * @ovpn: the device
 * @wait: after that many seconds at the latest
 *
 * Context: BH off, peer table's lock held.
 */
void ovpn_keepalive_wake(struct ovpn_dev *ovpn, u32 wait)
{
	arm(ovpn, wait);
}

/**
 * ovpn_keepalive_set - set the times of a peer, and start both anew
 * @peer: the peer
 * @interval: seconds without sending before we ping; 0 is never
 * @timeout: seconds without receiving before it expires; 0 is never
 *
 * Context: process; the caller has a reference.
 */
void ovpn_keepalive_set(struct ovpn_peer *peer, u32 interval, u32 timeout)
{
	struct ovpn_dev *ovpn = peer->ovpn;
	u32 now = ovpn_now();

	WRITE_ONCE(peer->last_rx, now);
	WRITE_ONCE(peer->last_tx, now);
	/* Whoever sees the new times sees the new start */
	smp_store_release(&peer->keepalive_interval, interval);
	/* Likewise */
	smp_store_release(&peer->keepalive_timeout, timeout);

	spin_lock_bh(&ovpn->peers.lock);
	arm(ovpn, min(interval ?: NEVER, timeout ?: NEVER));
	spin_unlock_bh(&ovpn->peers.lock);
}
