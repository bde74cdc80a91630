// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: what does not depend on a family's grammar. */

#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "device.h"
#include "netlink.h"
#include "peer.h"
#include "peer_table.h"

/* How much memory may be taken by what the slowest listener of a namespace has
 * not read. A listener whose buffer overflows exits, in the case of OpenVPN. The
 * smallest buffer seen is that of its third edition, which asks for 8192 bytes:
 * the kernel doubles that. How many notifications fit into it depends on the
 * kernel, from 15 to 21.
 */
#define UNREAD_BYTES	(2 * 8192)

/* What a notification takes at most, to go by until one has been seen */
#define UNREAD_EACH	1024

/* Watch so many of those that are not paced */
#define UNREAD_WATCHED	1024

/* A listener that has not read for so long does not read at all */
#define UNREAD_TIMEOUT	(3 * HZ)

/**
 * struct ovpn_net - what belongs to a network namespace
 * @unread: the notifications that some listener has not read yet, with their
 *	lock, which is taken with BH off, inside a peer table's
 *
 * Per namespace and not per device, because every listener gets the
 * notifications of all devices.
 */
struct ovpn_net {
	struct sk_buff_head unread;
};

static unsigned int ovpn_net_id;

struct unread_cb {
	unsigned long since;
};

static struct unread_cb *unread_cb(struct sk_buff *skb)
{
	return (struct unread_cb *)skb->cb;
}

static struct sk_buff_head *unread_of(const struct ovpn_dev *ovpn)
{
	struct ovpn_net *net = net_generic(dev_net(ovpn->dev), ovpn_net_id);

	return &net->unread;
}

/* Forget the notifications that everybody has read, or that nobody will */
static void unread_purge(struct sk_buff_head *unread)
{
	struct sk_buff *skb, *next;

	lockdep_assert_held(&unread->lock);

	skb_queue_walk_safe(unread, skb, next) {
		/* Ours is the last reference to the data once all have read */
		if (skb_cloned(skb) &&
		    time_before(jiffies, unread_cb(skb)->since + UNREAD_TIMEOUT))
			continue;
		__skb_unlink(skb, unread);
		consume_skb(skb);
	}
}

/**
 * ovpn_netlink_room - how many notifications can be sent without overflowing
 * a listener?
 * @ovpn: the device that they are about
 *
 * Context: any but hard interrupts.
 * Return: that number, 0 if listeners must read first.
 */
unsigned int ovpn_netlink_room(struct ovpn_dev *ovpn)
{
	unsigned int each = UNREAD_EACH, bytes = 0;
	struct sk_buff_head *unread;
	struct sk_buff *skb;

	/* The device may be moved away, and its old namespace go */
	rcu_read_lock();
	unread = unread_of(ovpn);
	spin_lock_bh(&unread->lock);
	unread_purge(unread);
	skb_queue_walk(unread, skb) {
		each = skb->truesize;
		bytes += each;
	}
	spin_unlock_bh(&unread->lock);
	rcu_read_unlock();
	/* A buffer that is exactly full is one too many for some kernels */
	return bytes < UNREAD_BYTES ? (UNREAD_BYTES - 1 - bytes) / each : 0;
}

/* Watch until everybody has read @msg */
static void unread_add(struct ovpn_dev *ovpn, struct sk_buff *msg)
{
	struct sk_buff_head *unread;
	struct sk_buff *clone;

	clone = skb_clone(msg, GFP_ATOMIC);
	if (!clone)
		return;
	unread_cb(clone)->since = jiffies;

	rcu_read_lock();
	unread = unread_of(ovpn);
	spin_lock_bh(&unread->lock);
	if (skb_queue_len(unread) >= UNREAD_BYTES / UNREAD_EACH)
		unread_purge(unread);
	/* More than fits is not paced: userspace asks for these deletions */
	if (skb_queue_len(unread) < UNREAD_WATCHED) {
		__skb_queue_tail(unread, clone);
		clone = NULL;
	}
	spin_unlock_bh(&unread->lock);
	rcu_read_unlock();
	consume_skb(clone);
}

/**
 * ovpn_netlink_notify - send a notification about a device to all listeners
 * @ovpn: the device; they must be in its network namespace
 * @family: the family that it is of
 * @group: the family's multicast group
 * @msg: the notification, consumed; exactly as large as needed, or else
 *	netlink makes a copy, whose readers cannot be seen
 *
 * Context: BH off, peer table's lock held.
 */
void ovpn_netlink_notify(struct ovpn_dev *ovpn,
			 const struct genl_family *family, unsigned int group,
			 struct sk_buff *msg)
{
	lockdep_assert_held(&ovpn->peers.lock);

	unread_add(ovpn, msg);
	genlmsg_multicast_netns(family, dev_net(ovpn->dev), msg, 0, group,
				GFP_ATOMIC);
}

static int __net_init ovpn_net_init(struct net *net)
{
	struct ovpn_net *on = net_generic(net, ovpn_net_id);

	skb_queue_head_init(&on->unread);
	return 0;
}

static void __net_exit ovpn_net_exit(struct net *net)
{
	struct ovpn_net *on = net_generic(net, ovpn_net_id);

	skb_queue_purge(&on->unread);
}

static struct pernet_operations ovpn_net_ops = {
	.init = ovpn_net_init,
	.exit = ovpn_net_exit,
	.id = &ovpn_net_id,
	.size = sizeof(struct ovpn_net),
};

/**
 * ovpn_netlink_register - offer our families to userspace
 *
 * Context: process, may sleep.
 * Return: 0 or an errno.
 */
int __init ovpn_netlink_register(void)
{
	int err;

	err = register_pernet_subsys(&ovpn_net_ops);
	if (err)
		return err;
	err = ovpn_netlink_v2_register();
	if (err)
		unregister_pernet_subsys(&ovpn_net_ops);
	return err;
}

/**
 * ovpn_netlink_unregister - take the families back
 *
 * Context: process, may sleep; no device may exist any more.
 */
void ovpn_netlink_unregister(void)
{
	ovpn_netlink_v2_unregister();
	unregister_pernet_subsys(&ovpn_net_ops);
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
