// SPDX-License-Identifier: GPL-2.0-only
/* The peers of a device: by id, by VPN address, by endpoint. */

#include <linux/rhashtable.h>

#include "device.h"
#include "keepalive.h"
#include "peer.h"
#include "peer_table.h"
#include "wire.h"

static const struct rhashtable_params vpn_addr_params = {
	.key_len = sizeof(struct in6_addr),
	.key_offset = offsetof(struct ovpn_vpn_addr, addr),
	.head_offset = offsetof(struct ovpn_vpn_addr, node),
	.automatic_shrinking = true,
};

/**
 * ovpn_peer_table_init - make an empty table
 * @table: the table
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int ovpn_peer_table_init(struct ovpn_peer_table *table)
{
	int err;

	spin_lock_init(&table->lock);
	xa_init_flags(&table->by_id, XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);

	err = rhltable_init(&table->by_vpn_addr, &vpn_addr_params);
	if (err)
		return err;
	err = rhltable_init(&table->by_endpoint, &ovpn_endpoint_params);
	if (err)
		rhltable_destroy(&table->by_vpn_addr);
	return err;
}

/**
 * ovpn_peer_table_destroy - free a table that has no peers any more
 * @table: the table
 *
 * Context: process, may sleep; nobody may look anything up any more.
 */
void ovpn_peer_table_destroy(struct ovpn_peer_table *table)
{
	WARN_ON(table->count);
	rhltable_destroy(&table->by_endpoint);
	rhltable_destroy(&table->by_vpn_addr);
	xa_destroy(&table->by_id);
}

/**
 * ovpn_peer_table_close - let nobody in any more
 * @table: the table of a device that is going away
 *
 * Context: any but hard interrupts.
 */
void ovpn_peer_table_close(struct ovpn_peer_table *table)
{
	spin_lock_bh(&table->lock);
	table->closed = true;
	spin_unlock_bh(&table->lock);
}

/**
 * ovpn_peer_by_id - find a peer by its id
 * @table: where
 * @id: the id
 *
 * Context: rcu_read_lock held.
 * Return: the peer, good for this RCU section; or NULL.
 */
struct ovpn_peer *ovpn_peer_by_id(struct ovpn_peer_table *table, u32 id)
{
	void *entry = xa_load(&table->by_id, id);

	return unlikely(xa_is_value(entry)) ? NULL : entry;
}

/**
 * ovpn_peer_by_vpn_addr - find a peer by its address inside the tunnel
 * @table: where
 * @addr: the address, IPv4 mapped
 *
 * Context: rcu_read_lock held.
 * Return: the peer, good for this RCU section; or NULL.
 */
struct ovpn_peer *ovpn_peer_by_vpn_addr(struct ovpn_peer_table *table,
					const struct in6_addr *addr)
{
	struct rhlist_head *found;

	found = rhltable_lookup(&table->by_vpn_addr, addr, vpn_addr_params);
	/* The first of a list is the one inserted last */
	return found ? container_of(found, struct ovpn_vpn_addr, node)->peer :
		       NULL;
}

/**
 * ovpn_peer_by_endpoint - find a peer by its transport address
 * @table: where
 * @remote: the address
 *
 * Context: rcu_read_lock held.
 * Return: the peer, good for this RCU section; or NULL.
 */
struct ovpn_peer *ovpn_peer_by_endpoint(struct ovpn_peer_table *table,
					const struct ovpn_sockaddr *remote)
{
	struct rhlist_head *found;

	found = rhltable_lookup(&table->by_endpoint, remote,
				ovpn_endpoint_params);
	return found ? container_of(found, struct ovpn_endpoint, node)->peer :
		       NULL;
}

/**
 * ovpn_peer_next - walk the peers in the order of their ids
 * @table: where
 * @id: where to start; set to the id of the peer found
 *
 * The walk stays right while peers come and go, and RCU sections may end
 * between its steps: whoever is there throughout is seen exactly once.
 *
 * Context: rcu_read_lock held.
 * Return: the peer, good for this RCU section; or NULL at the end.
 */
struct ovpn_peer *ovpn_peer_next(struct ovpn_peer_table *table,
				 unsigned long *id)
{
	void *entry;

	entry = xa_find(&table->by_id, id, OVPN_PEER_ID_MAX, XA_PRESENT);
	while (xa_is_value(entry))
		entry = xa_find_after(&table->by_id, id, OVPN_PEER_ID_MAX,
				      XA_PRESENT);
	return entry;
}

static void vpn_addr_remove(struct ovpn_peer_table *table,
			    struct ovpn_vpn_addr *addr)
{
	if (!ipv6_addr_any(&addr->addr))
		rhltable_remove(&table->by_vpn_addr, &addr->node,
				vpn_addr_params);
}

static int vpn_addr_insert(struct ovpn_peer_table *table,
			   struct ovpn_vpn_addr *addr)
{
	if (ipv6_addr_any(&addr->addr))
		return 0;
	return rhltable_insert(&table->by_vpn_addr, &addr->node,
			       vpn_addr_params);
}

/* A peer at the end of a stream has no address to be found by */
static void endpoint_remove(struct ovpn_peer_table *table,
			    struct ovpn_endpoint *ep)
{
	if (ep->remote.port)
		rhltable_remove(&table->by_endpoint, &ep->node,
				ovpn_endpoint_params);
}

static int endpoint_insert(struct ovpn_peer_table *table,
			   struct ovpn_endpoint *ep)
{
	if (!ep->remote.port)
		return 0;
	return rhltable_insert(&table->by_endpoint, &ep->node,
			       ovpn_endpoint_params);
}

static struct ovpn_peer *p2p_locked(const struct ovpn_peer_table *table)
{
	return rcu_dereference_protected(table->p2p,
					 lockdep_is_held(&table->lock));
}

static struct ovpn_endpoint *endpoint_locked(const struct ovpn_peer *peer)
{
	return rcu_dereference_protected(peer->endpoint,
					 lockdep_is_held(&peer->ovpn->peers.lock));
}

static struct ovpn_vpn_addrs *vpn_locked(const struct ovpn_peer *peer)
{
	return rcu_dereference_protected(peer->vpn,
					 lockdep_is_held(&peer->ovpn->peers.lock));
}

static int vpn_addrs_insert(struct ovpn_peer_table *table,
			    struct ovpn_vpn_addrs *vpn)
{
	int err;

	err = vpn_addr_insert(table, &vpn->v4);
	if (err)
		return err;
	err = vpn_addr_insert(table, &vpn->v6);
	if (err)
		vpn_addr_remove(table, &vpn->v4);
	return err;
}

static void vpn_addrs_remove(struct ovpn_peer_table *table,
			     struct ovpn_vpn_addrs *vpn)
{
	vpn_addr_remove(table, &vpn->v6);
	vpn_addr_remove(table, &vpn->v4);
}

static int hashes_insert(struct ovpn_peer_table *table, struct ovpn_peer *peer)
{
	int err;

	err = vpn_addrs_insert(table, vpn_locked(peer));
	if (err)
		return err;
	err = endpoint_insert(table, endpoint_locked(peer));
	if (err)
		vpn_addrs_remove(table, vpn_locked(peer));
	return err;
}

static void hashes_remove(struct ovpn_peer_table *table, struct ovpn_peer *peer)
{
	endpoint_remove(table, endpoint_locked(peer));
	vpn_addrs_remove(table, vpn_locked(peer));
}

static bool is_taken(struct ovpn_peer_table *table,
		     const struct ovpn_vpn_addr *addr)
{
	const struct ovpn_peer *other;

	if (ipv6_addr_any(&addr->addr))
		return false;
	rcu_read_lock();
	other = ovpn_peer_by_vpn_addr(table, &addr->addr);
	rcu_read_unlock();
	return other && other != addr->peer;
}

/* Does another peer have one of these addresses, and must not? */
static bool vpn_addrs_taken(const struct ovpn_dev *ovpn,
			    struct ovpn_peer_table *table,
			    const struct ovpn_vpn_addrs *vpn)
{
	return ovpn->abi->unique_addrs &&
	       (is_taken(table, &vpn->v4) || is_taken(table, &vpn->v6));
}

/* The network manager and the routing want to know whether there is anybody */
static void carrier_follow(struct ovpn_dev *ovpn)
{
	if (!ovpn->abi->carrier || ovpn->mode != OVPN_MODE_P2P)
		return;
	if (rcu_access_pointer(ovpn->peers.p2p))
		netif_carrier_on(ovpn->dev);
	else
		netif_carrier_off(ovpn->dev);
}

/**
 * ovpn_peer_leaves_tombstone - may userspace not know yet that a peer is gone?
 * @reason: why it is
 *
 * Context: any.
 * Return: true if it was the kernel's idea.
 */
bool ovpn_peer_leaves_tombstone(enum ovpn_del_peer_reason reason)
{
	return reason == OVPN_DEL_PEER_REASON_EXPIRED ||
	       reason == OVPN_DEL_PEER_REASON_TRANSPORT_ERROR;
}

static int add_locked(struct ovpn_peer_table *table, struct ovpn_peer *peer)
{
	struct ovpn_peer *displaced = NULL;
	void *old;

	lockdep_assert_held(&table->lock);

	if (table->closed)
		return -ENODEV;
	if (peer->ovpn->mode == OVPN_MODE_P2P)
		displaced = p2p_locked(table);
	else if (ovpn_peer_by_id(table, peer->id))
		return -EEXIST;
	if (vpn_addrs_taken(peer->ovpn, table, vpn_locked(peer)))
		return -EADDRINUSE;

	if (hashes_insert(table, peer))
		return -ENOMEM;

	/* The entry was reserved: no allocation, unless a tombstone that was
	 * there has been forgotten just now
	 */
	old = xa_store_bh(&table->by_id, peer->id, peer, GFP_ATOMIC);
	if (unlikely(xa_is_err(old))) {
		hashes_remove(table, peer);
		return xa_err(old);
	}
	if (xa_is_value(old))
		table->tombstones--;

	peer->published = true;
	table->count++;
	if (peer->ovpn->mode == OVPN_MODE_P2P)
		rcu_assign_pointer(table->p2p, peer);
	if (displaced)
		ovpn_peer_retire(displaced, OVPN_DEL_PEER_REASON_TEARDOWN);
	carrier_follow(peer->ovpn);
	return 0;
}

/**
 * ovpn_peer_table_add - publish a peer
 * @peer: the peer, complete; the table takes over the caller's reference
 *
 * A point-to-point device drops the peer that it had. Nothing changes on
 * failure.
 *
 * Context: process, may sleep.
 * Return: 0, -EEXIST if the id is taken, -EADDRINUSE if a VPN address is,
 * -ENODEV if the device is going away, or -ENOMEM.
 */
int ovpn_peer_table_add(struct ovpn_peer *peer)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	int err;

	err = xa_reserve_bh(&table->by_id, peer->id, GFP_KERNEL);
	if (err)
		return err;

	spin_lock_bh(&table->lock);
	err = add_locked(table, peer);
	spin_unlock_bh(&table->lock);

	if (err)
		/* xa_release(), but for a lock that softirqs take too */
		xa_cmpxchg_bh(&table->by_id, peer->id, XA_ZERO_ENTRY, NULL, 0);
	return err;
}

/**
 * ovpn_peer_table_remove - take a peer out of every table at once
 * @peer: the peer
 * @reason: why; some reasons leave a tombstone
 *
 * Context: BH off, table's lock held.
 * Return: true if the peer was there; its reference is the caller's now. False
 * if somebody else was faster.
 */
bool ovpn_peer_table_remove(struct ovpn_peer *peer,
			    enum ovpn_del_peer_reason reason)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	void *tombstone = NULL;

	lockdep_assert_held(&table->lock);

	if (!peer->published)
		return false;
	peer->published = false;
	table->count--;

	/* Replacing an entry allocates nothing and cannot fail */
	if (ovpn_peer_leaves_tombstone(reason))
		tombstone = xa_mk_value(ovpn_now() & INT_MAX);
	if (xa_cmpxchg_bh(&table->by_id, peer->id, peer, tombstone,
			  GFP_ATOMIC) == peer && tombstone)
		table->tombstones++;
	hashes_remove(table, peer);
	if (rcu_access_pointer(table->p2p) == peer)
		RCU_INIT_POINTER(table->p2p, NULL);
	carrier_follow(peer->ovpn);
	return true;
}

/**
 * ovpn_peer_table_move - give a peer its new endpoint
 * @peer: the peer
 * @ep: the new endpoint
 * @old: the endpoint that the caller saw; another one by now means that
 *	somebody else was faster, and nothing changes
 *
 * Context: BH off, table's lock held.
 * Return: true if @ep is in the place of @old now, which the caller is to free
 * after a grace period; false if it is @ep that he has to.
 */
bool ovpn_peer_table_move(struct ovpn_peer *peer, struct ovpn_endpoint *ep,
			  const struct ovpn_endpoint *old)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	struct ovpn_endpoint *now;

	lockdep_assert_held(&table->lock);

	now = endpoint_locked(peer);
	if (!peer->published || now != old || endpoint_insert(table, ep))
		return false;
	rcu_assign_pointer(peer->endpoint, ep);
	endpoint_remove(table, now);
	return true;
}

/**
 * ovpn_peer_table_change - give a peer other addresses
 * @peer: the peer
 * @vpn: the new ones inside the tunnel, or NULL if these do not change; set to
 *	the old ones
 * @ep: the new endpoint, or NULL if that does not change; set to the old one
 *
 * Nothing changes on failure. The caller frees @vpn and @ep after a grace
 * period.
 *
 * Context: BH off, table's lock held.
 * Return: 0, -ESTALE if the peer was retired meanwhile, -EADDRINUSE, or -ENOMEM.
 */
int ovpn_peer_table_change(struct ovpn_peer *peer, struct ovpn_vpn_addrs **vpn,
			   struct ovpn_endpoint **ep)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	struct ovpn_vpn_addrs *old_vpn = vpn_locked(peer);
	struct ovpn_endpoint *old_ep = endpoint_locked(peer);

	lockdep_assert_held(&table->lock);

	if (!peer->published)
		return -ESTALE;
	if (*vpn && vpn_addrs_taken(peer->ovpn, table, *vpn))
		return -EADDRINUSE;
	if (*vpn && vpn_addrs_insert(table, *vpn))
		return -ENOMEM;
	if (*ep && !ovpn_peer_table_move(peer, *ep, old_ep)) {
		if (*vpn)
			vpn_addrs_remove(table, *vpn);
		return -ENOMEM;
	}

	if (*ep)
		*ep = old_ep;
	if (*vpn) {
		rcu_assign_pointer(peer->vpn, *vpn);
		vpn_addrs_remove(table, old_vpn);
		*vpn = old_vpn;
	}
	return 0;
}

static bool tombstone_stands(const void *entry, u32 now)
{
	u32 since = xa_to_value(entry);
	u32 age = (now - since) & INT_MAX;

	/* It may be younger than the caller's look at the clock */
	return age < OVPN_TOMBSTONE_SECS || age > INT_MAX / 2;
}

/**
 * ovpn_peer_table_gone_lately - did the kernel delete a peer of that id a moment ago?
 * @table: where
 * @id: the id
 *
 * Context: any.
 * Return: true if it did, and no new peer has the id.
 */
bool ovpn_peer_table_gone_lately(struct ovpn_peer_table *table, u32 id)
{
	void *entry = xa_load(&table->by_id, id);

	return xa_is_value(entry) && tombstone_stands(entry, ovpn_now());
}

/**
 * ovpn_peer_table_forget_gone - remove the tombstones that are old enough
 * @table: where
 * @now: seconds on the boot-time clock
 *
 * Context: process.
 * Return: true if some are left.
 */
bool ovpn_peer_table_forget_gone(struct ovpn_peer_table *table, u32 now)
{
	unsigned long id;
	void *entry;
	bool left;

	if (!READ_ONCE(table->tombstones))
		return false;

	xa_for_each(&table->by_id, id, entry) {
		if (!xa_is_value(entry) || tombstone_stands(entry, now))
			continue;
		spin_lock_bh(&table->lock);
		/* A new peer may have the id by now */
		if (xa_load(&table->by_id, id) == entry) {
			xa_erase_bh(&table->by_id, id);
			table->tombstones--;
		}
		spin_unlock_bh(&table->lock);
	}

	spin_lock_bh(&table->lock);
	left = table->tombstones;
	spin_unlock_bh(&table->lock);
	return left;
}
