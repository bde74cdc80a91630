/* SPDX-License-Identifier: GPL-2.0-only */
/* One peer: the other end of one OpenVPN session. */
#ifndef _OVPN_PEER_H
#define _OVPN_PEER_H

#include <linux/in6.h>
#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/workqueue.h>

#include <uapi/linux/ovpn_dco.h>

#include "compat/compat.h"
#include "endpoint.h"
#include "keys.h"
#include "stats.h"

struct netlink_ext_ack;
struct ovpn_dev;
struct ovpn_peer;
struct ovpn_socket;

/* Drops of one peer are logged that seldom, in seconds */
#define OVPN_PEER_LOG_INTERVAL	60

/**
 * struct ovpn_vpn_addr - an address of a peer inside the tunnel
 * @addr: the address, IPv4 mapped; all zero for none. Fixed.
 * @node: in ovpn_peer_table.by_vpn_addr
 * @peer: whose it is
 */
struct ovpn_vpn_addr {
	struct in6_addr addr;
	struct rhlist_head node;
	struct ovpn_peer *peer;
};

/**
 * struct ovpn_vpn_addrs - all addresses of a peer inside the tunnel
 * @v4: its IPv4 address
 * @v6: its IPv6 address
 * @rcu: frees it, after a grace period
 *
 * As with endpoints, a peer that gets other addresses gets another one of these.
 */
struct ovpn_vpn_addrs {
	struct ovpn_vpn_addr v4;
	struct ovpn_vpn_addr v6;
	struct rcu_head rcu;
};

/**
 * struct ovpn_peer_params - a peer as userspace adds it, or what it changes
 * @request: the request to add it, for who may do that; NULL if anybody may
 * @id: its number on the wire, up to OVPN_PEER_ID_MAX
 * @tx_id: the number that we send to it with; mostly the same
 * @fd: the socket to reach it through; cannot change
 * @remote: its transport address; port 0 if it does not change
 * @local: our address that it knows; in6addr_any if any will do. Changes with
 *	@remote.
 * @vpn4: its IPv4 address inside the tunnel, mapped; in6addr_any if it has none
 *	or does not change
 * @vpn6: its IPv6 address inside the tunnel; likewise
 * @set_keepalive: userspace wants the following times
 * @keepalive_interval: seconds without sending before we ping; 0 is never
 * @keepalive_timeout: seconds without receiving before it expires; 0 is never
 */
struct ovpn_peer_params {
	const struct sk_buff *request;
	u32 id;
	u32 tx_id;
	int fd;
	struct ovpn_sockaddr remote;
	struct in6_addr local;
	struct in6_addr vpn4;
	struct in6_addr vpn6;
	bool set_keepalive;
	u32 keepalive_interval;
	u32 keepalive_timeout;
};

/**
 * struct ovpn_peer - the other end of one OpenVPN session
 * @ovpn: its device; counted by @tracker
 * @tracker: for @ovpn
 * @id: its number on the wire. Fixed.
 * @tx_id: the number that we send to it with; one request at a time changes it
 * @published: it is in the peer table; guarded by the table's lock
 * @untold: userspace has still to be told where it has moved to; guarded by the
 *	table's lock
 * @vpn: its addresses inside the tunnel; replaced under the table's lock, read
 *	under RCU; never NULL
 * @endpoint: where it is; replaced under the table's lock, read under RCU;
 *	never NULL
 * @socket: what we reach it through; not ours any more when the peer is freed.
 *	Fixed.
 * @keys: its key slots, with a lock of their own
 * @stats: its traffic, per CPU
 * @keepalive_interval: seconds without sending before we ping; 0 is never
 * @keepalive_timeout: seconds without receiving before it expires; 0 is never
 * @last_tx: when a packet was last sent to it, seconds on the boot-time clock
 * @last_rx: when an authentic packet last came from it, likewise. These four
 *	are read and written without a lock.
 * @logged: when something was last logged about its drops, by ovpn_now()
 * @refs: one for the table, one for each key slot, and one for each netlink
 *	request that is busy with it. The data path takes none: it is within
 *	one RCU section.
 * @release: frees it, after a grace period, in process context
 *
 * Life:
 *
 *	   ovpn_peer_new()
 *	         |
 *	         v
 *	  +-------------+  ovpn_peer_table_add()   +--------------------------+
 *	  | being made, | -----------------------> | published: found by id,  |
 *	  | nobody      |                          | VPN address, endpoint or |
 *	  | knows of it |                          | socket, under RCU        |
 *	  +-------------+                          +--------------------------+
 *	         | refused                                      |
 *	         |                                              | ovpn_peer_retire()
 *	         v                                              v
 *	  +-------------+  last reference, and     +--------------------------+
 *	  | freed:      |  a grace period later    | retired: in no table any |
 *	  | gives the   | <----------------------- | more, userspace told, no |
 *	  | socket and  |  (rcu_work)              | keys; used by those who  |
 *	  | the device  |                          | found it before          |
 *	  | back        |                          +--------------------------+
 *	  +-------------+
 *
 * ovpn_peer_retire() is the only way out, whatever the reason, and does nothing
 * the second time. All peers that are retired at a time share one grace period,
 * and who is refused has one as well. What is freed then is freed in process
 * context, and may sleep, but waits for nobody.
 */
struct ovpn_peer {
	struct ovpn_dev *ovpn;
	netdevice_tracker tracker;
	u32 id;
	u32 tx_id;
	bool published;
	bool untold;
	struct ovpn_vpn_addrs __rcu *vpn;
	struct ovpn_endpoint __rcu *endpoint;
	struct ovpn_socket *socket;
	struct ovpn_keys keys;
	struct ovpn_peer_stats __percpu *stats;
	u32 keepalive_interval;
	u32 keepalive_timeout;
	u32 last_tx;
	u32 last_rx;
	u32 logged;
	refcount_t refs;
	struct rcu_work release;
};

int ovpn_peer_new(struct ovpn_dev *ovpn, const struct ovpn_peer_params *params,
		  struct netlink_ext_ack *extack);
int ovpn_peer_change(struct ovpn_peer *peer,
		     const struct ovpn_peer_params *params,
		     struct netlink_ext_ack *extack);
void ovpn_peer_retire(struct ovpn_peer *peer, enum ovpn_del_peer_reason reason);
bool ovpn_peer_delete(struct ovpn_peer *peer, enum ovpn_del_peer_reason reason);
void ovpn_peers_delete(struct ovpn_dev *ovpn,
		       bool (*which)(const struct ovpn_peer *peer,
				     const void *arg),
		       const void *arg, enum ovpn_del_peer_reason reason);

struct ovpn_peer *ovpn_peer_get(struct ovpn_peer *peer);
struct ovpn_peer *ovpn_peer_find(struct ovpn_dev *ovpn, u32 id);
void ovpn_peer_put(struct ovpn_peer *peer);

bool ovpn_peer_follow(struct ovpn_peer *peer, const struct sk_buff *skb,
		      struct ovpn_replay *replay, u32 id);
bool ovpn_peer_tell_moved(struct ovpn_peer *peer);
bool ovpn_peer_may_log(struct ovpn_peer *peer);

#endif /* _OVPN_PEER_H */
