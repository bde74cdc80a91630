// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: what does not depend on a family's grammar. */

#include <linux/netlink.h>
#include <net/genetlink.h>

#include "device.h"
#include "netlink.h"
#include "peer.h"
#include "peer_table.h"

/* How many notifications of a device may be unread by its slowest listener. A
 * listener whose buffer overflows exits, in the case of OpenVPN. The smallest
 * buffer seen is that of its third edition, 21 notifications.
 */
#define UNREAD_MAX	20

/* A listener that has not read for so long does not read at all */
#define UNREAD_TIMEOUT	(3 * HZ)

struct unread_cb {
	unsigned long since;
};

static struct unread_cb *unread_cb(struct sk_buff *skb)
{
	return (struct unread_cb *)skb->cb;
}

/* Forget the notifications that everybody has read, or that nobody will */
static void unread_purge(struct ovpn_dev *ovpn)
{
	struct sk_buff *skb, *next;

	lockdep_assert_held(&ovpn->peers.lock);

	skb_queue_walk_safe(&ovpn->unread, skb, next) {
		/* Ours is the last reference to the data once all have read */
		if (skb_cloned(skb) &&
		    time_before(jiffies, unread_cb(skb)->since + UNREAD_TIMEOUT))
			continue;
		__skb_unlink(skb, &ovpn->unread);
		consume_skb(skb);
	}
}

/**
 * ovpn_netlink_may_notify - may one more notification be sent, or is some
 * listener behind?
 * @ovpn: the device that it would be about
 *
 * Context: BH off, peer table's lock held.
 * Return: true if it may.
 */
bool ovpn_netlink_may_notify(struct ovpn_dev *ovpn)
{
	if (skb_queue_len(&ovpn->unread) >= UNREAD_MAX)
		unread_purge(ovpn);
	return skb_queue_len(&ovpn->unread) < UNREAD_MAX;
}

/**
 * ovpn_netlink_notify - send a notification about a device to all listeners
 * @ovpn: the device; they must be in its network namespace
 * @family: the family that it is of
 * @group: the family's multicast group
 * @msg: the notification, consumed; exactly as large as needed, or else
 *	netlink makes a copy, whose readers cannot be seen
 *
 * A clone is kept, to see when everybody has read it.
 *
 * Context: BH off, peer table's lock held.
 */
void ovpn_netlink_notify(struct ovpn_dev *ovpn,
			 const struct genl_family *family, unsigned int group,
			 struct sk_buff *msg)
{
	struct sk_buff *clone;

	lockdep_assert_held(&ovpn->peers.lock);

	clone = ovpn_netlink_may_notify(ovpn) ? skb_clone(msg, GFP_ATOMIC) :
						NULL;
	if (clone) {
		unread_cb(clone)->since = jiffies;
		__skb_queue_tail(&ovpn->unread, clone);
	}
	genlmsg_multicast_netns(family, dev_net(ovpn->dev), msg, 0, group,
				GFP_ATOMIC);
}

/**
 * ovpn_netlink_room - how many notifications can be sent without overflowing
 * a listener?
 * @ovpn: the device that they are about
 *
 * Context: any but hard interrupts; peer table's lock not held.
 * Return: that number, 0 if listeners must read first.
 */
unsigned int ovpn_netlink_room(struct ovpn_dev *ovpn)
{
	unsigned int unread;

	spin_lock_bh(&ovpn->peers.lock);
	unread_purge(ovpn);
	unread = skb_queue_len(&ovpn->unread);
	spin_unlock_bh(&ovpn->peers.lock);
	return unread < UNREAD_MAX ? UNREAD_MAX - unread : 0;
}

/* Once a minute: after a mass expiry there is one for every peer */
static void log_expired(struct ovpn_dev *ovpn, u32 id)
{
	unsigned long then = READ_ONCE(ovpn->expired_logged);

	if (then && time_before(jiffies, then + 60 * HZ))
		return;
	WRITE_ONCE(ovpn->expired_logged, jiffies);
	netdev_info(ovpn->dev,
		    "peer %u: expired a moment ago, request ignored (requests_for_expired in ethtool -S)\n",
		    id);
}

/**
 * ovpn_netlink_peer - find the peer that a request is about
 * @ovpn: the device
 * @id: the peer's id
 * @peer: set to the peer, for ovpn_peer_put(); or to NULL if it expired a
 *	moment ago. Userspace may not have read that yet, and would not survive
 *	an error; the request shall then succeed without effect.
 * @extack: gets the cause of a refusal
 *
 * Context: process.
 * Return: 0, or -ENOENT if there never was such a peer, or long ago.
 */
int ovpn_netlink_peer(struct ovpn_dev *ovpn, u32 id, struct ovpn_peer **peer,
		      struct netlink_ext_ack *extack)
{
	*peer = ovpn_peer_find(ovpn, id);
	if (*peer)
		return 0;

	if (!ovpn_peer_table_expired_lately(&ovpn->peers, id)) {
		NL_SET_ERR_MSG(extack, "no peer with this id");
		return -ENOENT;
	}

	local_bh_disable();
	ovpn_event_add(ovpn->stats, OVPN_EVENT_REQUESTS_FOR_EXPIRED);
	local_bh_enable();
	log_expired(ovpn, id);
	return 0;
}
