// SPDX-License-Identifier: GPL-2.0-only
/* Netlink: what does not depend on a family's grammar. */

#include <linux/inet.h>
#include <linux/netlink.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "compat/compat.h"
#include "device.h"
#include "netlink.h"
#include "peer.h"
#include "peer_table.h"
#include "wire.h"

/* Both families have it under this number */
#define A_IFINDEX	1

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

static struct sk_buff_head *unread_of(struct net *net)
{
	struct ovpn_net *on = net_generic(net, ovpn_net_id);

	return &on->unread;
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
 * @net: the network namespace that they are in
 *
 * Context: any but hard interrupts; rcu_read_lock held if nothing else keeps
 * the namespace.
 * Return: that number, 0 if listeners must read first.
 */
unsigned int ovpn_netlink_room(struct net *net)
{
	struct sk_buff_head *unread = unread_of(net);
	unsigned int each = UNREAD_EACH, bytes = 0;
	struct sk_buff *skb;

	spin_lock_bh(&unread->lock);
	unread_purge(unread);
	skb_queue_walk(unread, skb) {
		each = skb->truesize;
		bytes += each;
	}
	spin_unlock_bh(&unread->lock);
	/* A buffer that is exactly full is one too many for some kernels */
	return bytes < UNREAD_BYTES ? (UNREAD_BYTES - 1 - bytes) / each : 0;
}

/* Watch until everybody has read @msg */
static void unread_add(struct net *net, struct sk_buff *msg)
{
	struct sk_buff_head *unread = unread_of(net);
	struct sk_buff *clone;

	clone = skb_clone(msg, GFP_ATOMIC);
	if (!clone)
		return;
	unread_cb(clone)->since = jiffies;

	spin_lock_bh(&unread->lock);
	if (skb_queue_len(unread) >= UNREAD_BYTES / UNREAD_EACH)
		unread_purge(unread);
	/* More than fits is not paced: userspace asks for these deletions */
	if (skb_queue_len(unread) < UNREAD_WATCHED) {
		__skb_queue_tail(unread, clone);
		clone = NULL;
	}
	spin_unlock_bh(&unread->lock);
	consume_skb(clone);
}

/**
 * ovpn_netlink_notify - send a notification about a device to all listeners
 * @ovpn: the device
 * @net: the network namespace that they must be in
 * @family: the family that it is of
 * @group: the family's multicast group
 * @msg: the notification, consumed; exactly as large as needed, or else
 *	netlink makes a copy, whose readers cannot be seen
 *
 * Context: BH off, peer table's lock held; rcu_read_lock held if nothing else
 * keeps the namespace.
 */
void ovpn_netlink_notify(struct ovpn_dev *ovpn, struct net *net,
			 const struct genl_family *family, unsigned int group,
			 struct sk_buff *msg)
{
	lockdep_assert_held(&ovpn->peers.lock);

	unread_add(net, msg);
	genlmsg_multicast_netns(family, net, msg, 0, group, GFP_ATOMIC);
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
 * ovpn_netlink_register - offer the family of OpenVPN 2.6 to userspace
 *
 * That of OpenVPN 2.7 may come later, see ovpn_netlink_27_register().
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
 * ovpn_netlink_unregister - take the family of OpenVPN 2.6 back, at last
 *
 * Context: process, may sleep; no device may exist any more.
 */
void ovpn_netlink_unregister(void)
{
	ovpn_netlink_v2_unregister();
	unregister_pernet_subsys(&ovpn_net_ops);
}

/* The device that a request is about; with a reference, for dev_put() */
static struct ovpn_dev *device_get(struct net *net, struct nlattr **attrs,
				   const struct ovpn_abi *abi,
				   struct netlink_ext_ack *extack)
{
	struct net_device *dev;

	if (!attrs || !attrs[A_IFINDEX]) {
		NL_SET_ERR_MSG(extack, "attribute missing: IFINDEX");
		NL_SET_ERR_ATTR_MISS(extack, NULL, A_IFINDEX);
		return ERR_PTR(-EINVAL);
	}
	dev = dev_get_by_index(net, nla_get_u32(attrs[A_IFINDEX]));
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[A_IFINDEX],
				    "no such interface");
		return ERR_PTR(-ENODEV);
	}
	if (!ovpn_dev_is_ours(dev, abi)) {
		dev_put(dev);
		NL_SET_ERR_MSG_ATTR(extack, attrs[A_IFINDEX],
				    "interface is not of this family's kind");
		return ERR_PTR(-EINVAL);
	}
	return netdev_priv(dev);
}

/**
 * ovpn_netlink_begin - the beginning of a request about a device
 * @info: the request; info->user_ptr[0] is set to the struct ovpn_dev
 * @abi: what kind of device it may be about
 *
 * Context: process, may sleep.
 * Return: 0, and ovpn_netlink_end() has to follow; or -EINVAL, -ENODEV, -EINTR.
 */
int ovpn_netlink_begin(struct genl_info *info, const struct ovpn_abi *abi)
{
	struct ovpn_dev *ovpn;

	ovpn = device_get(genl_info_net(info), info->attrs, abi, info->extack);
	if (IS_ERR(ovpn))
		return PTR_ERR(ovpn);
	if (mutex_lock_killable(&ovpn->requests)) {
		dev_put(ovpn->dev);
		return -EINTR;
	}
	info->user_ptr[0] = ovpn;
	return 0;
}

/**
 * ovpn_netlink_end - the end of a request about a device
 * @info: the request
 *
 * Context: process, may sleep.
 */
void ovpn_netlink_end(struct genl_info *info)
{
	struct ovpn_dev *ovpn = info->user_ptr[0];

	mutex_unlock(&ovpn->requests);
	dev_put(ovpn->dev);
}

/* Once a minute: after a mass expiry there is one for every peer */
static void log_gone(struct ovpn_dev *ovpn, u32 id)
{
	u32 then = READ_ONCE(ovpn->gone_logged);
	u32 now = ovpn_now();

	if (then && now - then < 60)
		return;
	WRITE_ONCE(ovpn->gone_logged, now);
	netdev_info(ovpn->dev,
		    "peer %u: expired or lost its connection a moment ago, request ignored (requests_for_expired in ethtool -S)\n",
		    id);
}

/**
 * ovpn_netlink_peer - find the peer that a request is about
 * @ovpn: the device
 * @id: the peer's id
 * @peer: set to the peer, for ovpn_peer_put(); or to NULL if it expired or lost
 *	its connection a moment ago. Userspace may not have read that yet, and would
 *	not survive an error; the request shall then succeed without effect.
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

	if (!ovpn_peer_table_gone_lately(&ovpn->peers, id)) {
		NL_SET_ERR_MSG(extack, "no peer with this id");
		return -ENOENT;
	}

	local_bh_disable();
	ovpn_event_add(ovpn->stats, OVPN_EVENT_REQUESTS_FOR_EXPIRED);
	local_bh_enable();
	log_gone(ovpn, id);
	return 0;
}

/**
 * ovpn_netlink_del_peer - delete a peer
 * @info: the request
 * @id: the peer's id
 *
 * Context: process, may sleep; between ovpn_netlink_begin() and _end().
 * Return: 0 or -ENOENT.
 */
int ovpn_netlink_del_peer(struct genl_info *info, u32 id)
{
	struct ovpn_peer *peer;
	bool deleted;

	peer = ovpn_peer_find(info->user_ptr[0], id);
	if (!peer) {
		NL_SET_ERR_MSG(info->extack, "no peer with this id");
		return -ENOENT;
	}
	deleted = ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_USERSPACE);
	ovpn_peer_put(peer);
	if (!deleted) {
		NL_SET_ERR_MSG(info->extack, "peer has just expired");
		return -ENOENT;
	}
	return 0;
}

/**
 * ovpn_netlink_get_peer - answer a question about a peer
 * @info: the request
 * @id: the peer's id
 * @put: writes the answer
 *
 * Context: process, may sleep; between ovpn_netlink_begin() and _end().
 * Return: 0, -ENOENT or -EBUSY.
 */
int ovpn_netlink_get_peer(struct genl_info *info, u32 id,
			  ovpn_netlink_put_t put)
{
	struct ovpn_dev *ovpn = info->user_ptr[0];
	struct ovpn_peer *peer;
	struct sk_buff *msg;
	int err;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg) {
		NL_SET_ERR_MSG(info->extack, "out of memory");
		return ovpn_netlink_errno(-ENOMEM);
	}
	peer = ovpn_peer_find(ovpn, id);
	if (!peer) {
		nlmsg_free(msg);
		NL_SET_ERR_MSG(info->extack, "no peer with this id");
		return -ENOENT;
	}
	err = put(msg, peer, genl_info_net(info), info->snd_portid,
		  info->snd_seq, 0);
	ovpn_peer_put(peer);
	if (WARN_ON_ONCE(err)) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/**
 * ovpn_netlink_dump_peers - tell about all peers of a device
 * @skb: the message to append to
 * @cb: the dump; cb->args[0] is the id to go on with, which is right whoever
 *	comes and goes
 * @abi: what kind of device it may be about
 * @put: writes what is to be said about a peer
 *
 * Context: process, may sleep.
 * Return: the length of @skb, or -EINVAL or -ENODEV.
 */
int ovpn_netlink_dump_peers(struct sk_buff *skb, struct netlink_callback *cb,
			    const struct ovpn_abi *abi,
			    ovpn_netlink_put_t put)
{
	struct net *net = sock_net(cb->skb->sk);
	unsigned long id = cb->args[0];
	struct ovpn_peer *peer;
	struct ovpn_dev *ovpn;

	ovpn = device_get(net, compat_genl_dump_attrs(cb), abi, cb->extack);
	if (IS_ERR(ovpn))
		return PTR_ERR(ovpn);

	rcu_read_lock();
	for (;; id++) {
		peer = ovpn_peer_next(&ovpn->peers, &id);
		if (!peer || put(skb, peer, net, NETLINK_CB(cb->skb).portid,
				 cb->nlh->nlmsg_seq, NLM_F_MULTI))
			break;
	}
	rcu_read_unlock();

	cb->args[0] = peer ? id : OVPN_PEER_ID_MAX + 1UL;
	dev_put(ovpn->dev);
	return skb->len;
}

/**
 * ovpn_netlink_cipher - the kernel's name of a cipher
 * @alg: userspace's, an enum ovpn_cipher_alg in both families
 *
 * Return: the name; or NULL if there is no such cipher.
 */
const char *ovpn_netlink_cipher(u32 alg)
{
	switch (alg) {
	case OVPN_CIPHER_ALG_AES_GCM:
		return "gcm(aes)";
	case OVPN_CIPHER_ALG_CHACHA20_POLY1305:
		return "rfc7539(chacha20,poly1305)";
	default:
		return NULL;
	}
}

/**
 * ovpn_netlink_vpn4 - take a peer's IPv4 address inside the tunnel
 * @attr: 4 bytes
 * @addr: set to the address, mapped; not changed for 0.0.0.0
 *
 * Return: false if nobody can have that address.
 */
bool ovpn_netlink_vpn4(const struct nlattr *attr, struct in6_addr *addr)
{
	__be32 v4 = nla_get_be32(attr);

	if (ipv4_is_multicast(v4) || ipv4_is_lbcast(v4) || ipv4_is_loopback(v4))
		return false;
	if (v4)
		ipv6_addr_set_v4mapped(v4, addr);
	return true;
}

/**
 * ovpn_netlink_vpn6 - take a peer's IPv6 address inside the tunnel
 * @attr: 16 bytes
 * @addr: set to the address
 *
 * Return: false if nobody can have that address.
 */
bool ovpn_netlink_vpn6(const struct nlattr *attr, struct in6_addr *addr)
{
	*addr = nla_get_in6_addr(attr);
	return !ipv6_addr_is_multicast(addr) && !ipv6_addr_loopback(addr) &&
	       !ipv6_addr_v4mapped(addr);
}

/**
 * ovpn_netlink_errno - an errno that OpenVPN survives
 * @err: 0 or an errno
 *
 * OpenVPN 2.6 and 2.7 exit on ENOMEM and ENOBUFS.
 *
 * Return: what to say instead.
 */
int ovpn_netlink_errno(int err)
{
	return err == -ENOMEM || err == -ENOBUFS ? -EBUSY : err;
}

/**
 * ovpn_netlink_socket_errno - what to say when a peer cannot be added
 * @err: 0 or an errno of ovpn_peer_new()
 *
 * All that is wrong with a socket has one errno in both families.
 *
 * Return: what to say instead.
 */
int ovpn_netlink_socket_errno(int err)
{
	switch (err) {
	case -EBADF:
	case -EBUSY:
	case -ENOTCONN:
	case -EOPNOTSUPP:
		return -ENOTSOCK;
	default:
		return ovpn_netlink_errno(err);
	}
}
