/* SPDX-License-Identifier: GPL-2.0-only */
/* One pair of transport addresses: ours and the peer's. */
#ifndef _OVPN_ENDPOINT_H
#define _OVPN_ENDPOINT_H

#include <linux/in6.h>
#include <linux/rhashtable-types.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <net/dst_cache.h>

struct ovpn_peer;
struct sock;

/**
 * struct ovpn_sockaddr - a transport address and port
 * @addr: the address; IPv4 in its mapped form (::ffff:a.b.c.d)
 * @scope_id: interface of a link-local address, else 0
 * @port: UDP port; 0 if there is no address
 * @zero: always 0, so that the whole can be hashed and compared
 */
struct ovpn_sockaddr {
	struct in6_addr addr;
	u32 scope_id;
	__be16 port;
	__be16 zero;
};

/**
 * struct ovpn_endpoint - where a peer is, and which of our addresses it knows
 * @remote: the peer's address; the key in the table of endpoints. Port 0 if it
 *	is at the end of a TCP connection: not in that table.
 * @local: our address that it sends to, IPv4 mapped; unspecified if the
 *	routing shall choose
 * @node: in ovpn_peer_table.by_endpoint
 * @peer: whose it is. Not counted: the peer frees its endpoint last.
 * @cache: per CPU, the route to @remote; BH off
 * @mark: mark and device of the socket that the routes in @cache were looked
 * @oif: up for; written by whoever finds them changed, and resets @cache
 * @probe_next: when a packet next asks routers what the path carries, seconds
 *	on the boot-time clock
 * @probe_wait: and how long after that once more. Both are read and written
 *	without a lock.
 * @rcu: frees it, after a grace period
 *
 * Addresses never change in place: a peer that moves gets a new endpoint, with
 * an empty route cache, so nobody can see half an address or send along a
 * stale route. Readers are under rcu_read_lock; peer->endpoint is replaced with
 * the peer table's lock held, and the old one is freed after a grace period.
 */
struct ovpn_endpoint {
	struct ovpn_sockaddr remote;
	struct in6_addr local;
	struct rhlist_head node;
	struct ovpn_peer *peer;
	struct dst_cache cache;
	u32 mark;
	int oif;
	u32 probe_next;
	u32 probe_wait;
	struct rcu_head rcu;
};

/**
 * enum ovpn_endpoint_error - why ovpn_endpoint_xmit() did not send
 * @OVPN_ENDPOINT_OK: it did
 * @OVPN_ENDPOINT_NO_ROUTE: the routing has no way to the peer
 * @OVPN_ENDPOINT_LOOP: the way leads into the tunnel itself
 */
enum ovpn_endpoint_error {
	OVPN_ENDPOINT_OK,
	OVPN_ENDPOINT_NO_ROUTE,
	OVPN_ENDPOINT_LOOP,
};

extern const struct rhashtable_params ovpn_endpoint_params;

bool ovpn_sockaddr_parse(struct ovpn_sockaddr *addr, const void *data,
			 size_t len);
size_t ovpn_sockaddr_fill(const struct ovpn_sockaddr *addr,
			  struct sockaddr_storage *ss);
void ovpn_sockaddr_set(struct ovpn_sockaddr *addr, const void *ip, size_t len,
		       u32 scope_id, __be16 port);
bool ovpn_local_parse(struct in6_addr *local, const void *data, size_t len,
		      const struct ovpn_sockaddr *remote);
const void *ovpn_addr_bytes(const struct in6_addr *addr, size_t *len);

struct ovpn_endpoint *ovpn_endpoint_alloc(struct ovpn_peer *peer,
					  const struct ovpn_sockaddr *remote,
					  const struct in6_addr *local,
					  gfp_t gfp);
void ovpn_endpoint_free(struct ovpn_endpoint *ep);
void ovpn_endpoint_free_rcu(struct ovpn_endpoint *ep);

void ovpn_endpoint_source(struct ovpn_sockaddr *addr,
			  const struct sk_buff *skb);
bool ovpn_endpoint_follow(const struct ovpn_endpoint *ep, struct net *net,
			  int oif, const struct sk_buff *skb,
			  struct ovpn_sockaddr *remote,
			  struct in6_addr *local);
bool ovpn_endpoint_fits_socket(const struct ovpn_sockaddr *remote,
			       const struct sock *sk);
unsigned int ovpn_endpoint_payload_max(struct ovpn_endpoint *ep,
				       struct sock *sk);
bool ovpn_endpoint_may_train(struct ovpn_endpoint *ep, struct sock *sk,
			     unsigned int size);
enum ovpn_endpoint_error ovpn_endpoint_xmit(struct ovpn_endpoint *ep,
					    struct sock *sk,
					    struct sk_buff *skb, u8 tos);

#endif /* _OVPN_ENDPOINT_H */
