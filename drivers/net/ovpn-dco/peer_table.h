/* SPDX-License-Identifier: GPL-2.0-only */
/* The peers of a device, and how to find them. */
#ifndef _OVPN_PEER_TABLE_H
#define _OVPN_PEER_TABLE_H

#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include <uapi/linux/ovpn_dco.h>

#include "endpoint.h"

struct ovpn_peer;
struct ovpn_vpn_addrs;

/* How long requests for a peer that the kernel deleted are forgiven, in seconds */
#define OVPN_TOMBSTONE_SECS	10

/**
 * struct ovpn_peer_table - the peers of a device
 * @lock: taken for every change, with BH off, from process or softirq. A peer
 *	enters and leaves all of the below in one section under it.
 * @closed: the device is going away, nobody may be added; guarded by @lock
 * @by_id: peers by their id; and, as value entries, tombstones: the second at
 *	which the kernel deleted a peer of that id
 * @by_vpn_addr: struct ovpn_vpn_addr, by address inside the tunnel
 * @by_endpoint: struct ovpn_endpoint, by transport address
 * @p2p: the only peer of a point-to-point device
 * @count: number of peers; guarded by @lock
 * @tombstones: number of tombstones; guarded by @lock
 *
 * Lookups need nothing but rcu_read_lock. Where peers claim the same VPN or
 * transport address, the one that came last is found; but see
 * ovpn_abi.unique_addrs.
 */
struct ovpn_peer_table {
	spinlock_t lock; /* see above */
	bool closed;
	struct xarray by_id;
	struct rhltable by_vpn_addr;
	struct rhltable by_endpoint;
	struct ovpn_peer __rcu *p2p;
	unsigned int count;
	unsigned int tombstones;
};

int ovpn_peer_table_init(struct ovpn_peer_table *table);
void ovpn_peer_table_destroy(struct ovpn_peer_table *table);
void ovpn_peer_table_close(struct ovpn_peer_table *table);

struct ovpn_peer *ovpn_peer_by_id(struct ovpn_peer_table *table, u32 id);
struct ovpn_peer *ovpn_peer_by_vpn_addr(struct ovpn_peer_table *table,
					const struct in6_addr *addr);
struct ovpn_peer *ovpn_peer_by_endpoint(struct ovpn_peer_table *table,
					const struct ovpn_sockaddr *remote);
struct ovpn_peer *ovpn_peer_next(struct ovpn_peer_table *table,
				 unsigned long *id);

int ovpn_peer_table_add(struct ovpn_peer *peer);
bool ovpn_peer_table_remove(struct ovpn_peer *peer,
			    enum ovpn_del_peer_reason reason);
bool ovpn_peer_table_move(struct ovpn_peer *peer, struct ovpn_endpoint *ep,
			  const struct ovpn_endpoint *old);
int ovpn_peer_table_change(struct ovpn_peer *peer, struct ovpn_vpn_addrs **vpn,
			   struct ovpn_endpoint **ep);

bool ovpn_peer_leaves_tombstone(enum ovpn_del_peer_reason reason);
bool ovpn_peer_table_gone_lately(struct ovpn_peer_table *table, u32 id);
bool ovpn_peer_table_forget_gone(struct ovpn_peer_table *table, u32 now);

#endif /* _OVPN_PEER_TABLE_H */
