// SPDX-License-Identifier: GPL-2.0-only
/* One peer: create, publish, retire, free. */

#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/sch_generic.h>
#include <net/sock.h>

#include "device.h"
#include "keepalive.h"
#include "peer.h"
#include "peer_table.h"
#include "transport.h"

static void peer_release(struct work_struct *work)
{
	struct ovpn_peer *peer = container_of(to_rcu_work(work),
					      struct ovpn_peer, release);

	ovpn_socket_put(peer->socket);
	ovpn_endpoint_free(rcu_dereference_protected(peer->endpoint, true));
	kfree(rcu_dereference_protected(peer->vpn, true));
	free_percpu(peer->stats);
	netdev_put(peer->ovpn->dev, &peer->tracker);
	kfree(peer);
}

/**
 * ovpn_peer_get - take another reference
 * @peer: a peer that the caller has a reference on, or its table's lock
 *
 * Return: @peer.
 */
struct ovpn_peer *ovpn_peer_get(struct ovpn_peer *peer)
{
	refcount_inc(&peer->refs);
	return peer;
}

/**
 * ovpn_peer_find - find a peer and take a reference
 * @ovpn: the device
 * @id: the peer's id
 *
 * Context: any.
 * Return: the peer, for ovpn_peer_put(); or NULL.
 */
struct ovpn_peer *ovpn_peer_find(struct ovpn_dev *ovpn, u32 id)
{
	struct ovpn_peer *peer;

	rcu_read_lock();
	peer = ovpn_peer_by_id(&ovpn->peers, id);
	if (peer && !refcount_inc_not_zero(&peer->refs))
		peer = NULL;
	rcu_read_unlock();
	return peer;
}

/**
 * ovpn_peer_put - give a reference back
 * @peer: the peer; not the caller's any more
 *
 * Context: any but hard interrupts.
 */
void ovpn_peer_put(struct ovpn_peer *peer)
{
	if (refcount_dec_and_test(&peer->refs))
		queue_rcu_work(ovpn_wq, &peer->release);
}

static void vpn_addr_init(struct ovpn_peer *peer, struct ovpn_vpn_addr *addr,
			  const struct in6_addr *value)
{
	addr->addr = *value;
	addr->peer = peer;
}

static struct ovpn_vpn_addrs *vpn_addrs_alloc(struct ovpn_peer *peer,
					      const struct in6_addr *v4,
					      const struct in6_addr *v6)
{
	struct ovpn_vpn_addrs *vpn;

	vpn = kzalloc(sizeof(*vpn), GFP_KERNEL_ACCOUNT);
	if (!vpn)
		return NULL;
	vpn_addr_init(peer, &vpn->v4, v4);
	vpn_addr_init(peer, &vpn->v6, v6);
	return vpn;
}

static struct ovpn_peer *peer_alloc(struct ovpn_dev *ovpn,
				    const struct ovpn_peer_params *params)
{
	struct ovpn_vpn_addrs *vpn;
	struct ovpn_endpoint *ep;
	struct ovpn_peer *peer;

	peer = kzalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);
	if (!peer)
		return NULL;
	peer->stats = __netdev_alloc_pcpu_stats(struct ovpn_peer_stats,
						GFP_KERNEL_ACCOUNT);
	if (!peer->stats)
		goto err_peer;
	ep = ovpn_endpoint_alloc(peer, &params->remote, &params->local,
				 GFP_KERNEL_ACCOUNT);
	if (!ep)
		goto err_stats;
	vpn = vpn_addrs_alloc(peer, &params->vpn4, &params->vpn6);
	if (!vpn)
		goto err_endpoint;

	RCU_INIT_POINTER(peer->endpoint, ep);
	RCU_INIT_POINTER(peer->vpn, vpn);
	peer->ovpn = ovpn;
	netdev_hold(ovpn->dev, &peer->tracker, GFP_KERNEL);
	peer->id = params->id;
	peer->tx_id = params->tx_id;
	ovpn_keys_init(&peer->keys);
	peer->last_rx = ovpn_now();
	peer->last_tx = peer->last_rx;
	peer->logged = ovpn_now() - OVPN_PEER_LOG_INTERVAL;
	refcount_set(&peer->refs, 1);
	INIT_RCU_WORK(&peer->release, peer_release);
	return peer;

err_endpoint:
	ovpn_endpoint_free(ep);
err_stats:
	free_percpu(peer->stats);
err_peer:
	kfree(peer);
	return NULL;
}

/* Its address is none of our business: it cannot change, nobody looks for it */
static int peer_connect_stream(struct ovpn_peer *peer,
			       struct netlink_ext_ack *extack)
{
	struct ovpn_endpoint *ep;

	/* A point-to-point device drops the other peer for this one */
	if (rcu_access_pointer(peer->socket->peer) &&
	    peer->ovpn->mode != OVPN_MODE_P2P) {
		NL_SET_ERR_MSG(extack, "TCP socket has a peer already");
		return -EBUSY;
	}
	ep = rcu_dereference_protected(peer->endpoint, true);
	memset(&ep->remote, 0, sizeof(ep->remote));
	ep->local = in6addr_any;
	return 0;
}

static int check_remote(const struct ovpn_socket *os,
			const struct ovpn_sockaddr *remote,
			struct netlink_ext_ack *extack)
{
	if (ovpn_endpoint_fits_socket(remote, os->sk))
		return 0;
	NL_SET_ERR_MSG(extack, "remote address is not of the socket's family");
	return -EINVAL;
}

static int peer_connect(struct ovpn_peer *peer, struct socket *sock,
			const struct ovpn_peer_params *params,
			struct netlink_ext_ack *extack)
{
	struct ovpn_socket *os;

	os = ovpn_socket_get(peer->ovpn, sock, params->request, extack);
	if (IS_ERR(os))
		return PTR_ERR(os);
	peer->socket = os;

	if (os->transport->stream)
		return peer_connect_stream(peer, extack);

	if (!params->remote.port) {
		NL_SET_ERR_MSG(extack,
			       "attribute missing: the remote address, which a UDP socket needs");
		return -EINVAL;
	}
	return check_remote(os, &params->remote, extack);
}

/* Receive for a peer that has been published, and may be gone again by now */
static void peer_start(struct ovpn_peer *peer)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;

	if (peer->socket->transport->stream) {
		spin_lock_bh(&table->lock);
		if (peer->published)
			rcu_assign_pointer(peer->socket->peer, peer);
		spin_unlock_bh(&table->lock);
	}
	ovpn_socket_start(peer->socket);
}

static void explain_add(int err, struct netlink_ext_ack *extack)
{
	if (err == -EEXIST)
		NL_SET_ERR_MSG(extack, "peer id is taken");
	else if (err == -EADDRINUSE)
		NL_SET_ERR_MSG(extack, "another peer has this VPN address");
	else if (err == -ENODEV)
		NL_SET_ERR_MSG(extack, "device is going away");
	else
		NL_SET_ERR_MSG(extack, "out of memory");
}

/* The network core learns of a carrier some time later, and drops what is sent
 * until then: whoever has added a peer is to find it ready.
 */
static void carrier_settle(struct ovpn_dev *ovpn)
{
	struct net_device *dev = ovpn->dev;

	if (!ovpn->abi->carrier || ovpn->mode != OVPN_MODE_P2P)
		return;
	rtnl_lock();
	if (netif_running(dev) && netif_carrier_ok(dev))
		dev_activate(dev);
	rtnl_unlock();
}

static int peer_new_on(struct ovpn_dev *ovpn, struct socket *sock,
		       const struct ovpn_peer_params *params,
		       struct netlink_ext_ack *extack)
{
	struct ovpn_peer *peer;
	int err;

	peer = peer_alloc(ovpn, params);
	if (!peer) {
		NL_SET_ERR_MSG(extack, "out of memory");
		return -ENOMEM;
	}
	err = peer_connect(peer, sock, params, extack);
	if (err)
		goto out;

	ovpn_peer_get(peer);
	err = ovpn_peer_table_add(peer);
	if (err) {
		explain_add(err, extack);
		ovpn_peer_put(peer);
	} else {
		ovpn_owner_uses(ovpn);
		if (params->set_keepalive)
			ovpn_keepalive_set(peer, params->keepalive_interval,
					   params->keepalive_timeout);
		peer_start(peer);
		carrier_settle(ovpn);
	}
out:
	/* If it was refused it is freed later: lookups may have found it, and its
	 * socket may be locked
	 */
	ovpn_peer_put(peer);
	return err;
}

/**
 * ovpn_peer_new - add a peer to a device
 * @ovpn: the device
 * @params: the peer
 * @extack: gets the cause of a refusal
 *
 * Nothing changes on failure. A point-to-point device drops the peer that it
 * had.
 *
 * Context: process, may sleep, takes RTNL; in the task whose socket it is, with
 * @ovpn->requests held, see ovpn_socket_get().
 * Return: 0, -EBADF or -ENOTSOCK if there is no socket behind the descriptor,
 * an error of ovpn_socket_get(), -EINVAL for an address that is missing or that
 * the socket cannot reach, -EEXIST, -EADDRINUSE, -ENODEV or -ENOMEM.
 */
int ovpn_peer_new(struct ovpn_dev *ovpn, const struct ovpn_peer_params *params,
		  struct netlink_ext_ack *extack)
{
	struct socket *sock;
	int err;

	sock = sockfd_lookup(params->fd, &err);
	if (!sock) {
		NL_SET_ERR_MSG(extack, "file descriptor is not a socket");
		return err;
	}
	err = peer_new_on(ovpn, sock, params, extack);
	/* Not earlier: whoever closes the socket is to find the peer */
	sockfd_put(sock);
	return err;
}

/* What is to change, and then what is not needed any more */
struct change {
	struct ovpn_vpn_addrs *vpn;
	struct ovpn_endpoint *ep;
};

static int change_prepare(struct change *change, struct ovpn_peer *peer,
			  const struct ovpn_peer_params *params,
			  struct netlink_ext_ack *extack)
{
	const struct in6_addr *v4 = &params->vpn4, *v6 = &params->vpn6;
	const struct ovpn_vpn_addrs *old;
	int err;

	if (params->remote.port) {
		if (peer->socket->transport->stream) {
			NL_SET_ERR_MSG(extack,
				       "a peer at the end of a TCP connection cannot move");
			return -EINVAL;
		}
		err = check_remote(peer->socket, &params->remote, extack);
		if (err)
			return err;
		change->ep = ovpn_endpoint_alloc(peer, &params->remote,
						 &params->local,
						 GFP_KERNEL_ACCOUNT);
		if (!change->ep)
			return -ENOMEM;
	}
	if (ipv6_addr_any(v4) && ipv6_addr_any(v6))
		return 0;

	/* Only requests change it, and there is one at a time */
	old = rcu_dereference_protected(peer->vpn,
					lockdep_is_held(&peer->ovpn->requests));
	change->vpn = vpn_addrs_alloc(peer,
				      ipv6_addr_any(v4) ? &old->v4.addr : v4,
				      ipv6_addr_any(v6) ? &old->v6.addr : v6);
	return change->vpn ? 0 : -ENOMEM;
}

/**
 * ovpn_peer_change - change what userspace has said about a peer
 * @peer: the peer; the caller has a reference
 * @params: what to change; @id and @fd stay
 * @extack: gets the cause of a refusal
 *
 * Nothing changes on failure.
 *
 * Context: process, may sleep; device's requests held.
 * Return: 0, -EINVAL for a transport address that it cannot have, -EADDRINUSE,
 * -ENOMEM, or -ESTALE if the peer was retired meanwhile.
 */
int ovpn_peer_change(struct ovpn_peer *peer,
		     const struct ovpn_peer_params *params,
		     struct netlink_ext_ack *extack)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	struct change change = {};
	int err;

	err = change_prepare(&change, peer, params, extack);
	if (!err) {
		spin_lock_bh(&table->lock);
		err = ovpn_peer_table_change(peer, &change.vpn, &change.ep);
		spin_unlock_bh(&table->lock);
	}
	if (err == -EADDRINUSE || err == -ENOMEM)
		explain_add(err, extack);
	if (change.ep)
		ovpn_endpoint_free_rcu(change.ep);
	if (change.vpn)
		kfree_rcu(change.vpn, rcu);
	if (err)
		return err;

	WRITE_ONCE(peer->tx_id, params->tx_id);
	ovpn_keys_address(&peer->keys, params->tx_id);
	if (params->set_keepalive)
		ovpn_keepalive_set(peer, params->keepalive_interval,
				   params->keepalive_timeout);
	return 0;
}

/**
 * ovpn_peer_retire - the end of a peer, with the table's lock held
 * @peer: the peer; the table's reference on it goes
 * @reason: why
 *
 * Harmless if somebody else was faster.
 *
 * Context: BH off, table's lock held.
 */
void ovpn_peer_retire(struct ovpn_peer *peer, enum ovpn_del_peer_reason reason)
{
	struct ovpn_dev *ovpn = peer->ovpn;

	lockdep_assert_held(&ovpn->peers.lock);

	if (!ovpn_peer_table_remove(peer, reason))
		return;
	if (rcu_access_pointer(peer->socket->peer) == peer)
		RCU_INIT_POINTER(peer->socket->peer, NULL);
	ovpn->abi->peer_deleted(peer, reason);
	if (ovpn_peer_leaves_tombstone(reason))
		ovpn_keepalive_wake(ovpn, OVPN_TOMBSTONE_SECS);
	ovpn_keys_close(&peer->keys);
	ovpn_peer_put(peer);
}

/**
 * ovpn_peer_delete - the end of a peer
 * @peer: the peer; the caller is within rcu_read_lock or has a reference
 * @reason: why
 *
 * Userspace has been notified when this returns, unless it need not know and its
 * sockets are full.
 *
 * Context: any but hard interrupts.
 * Return: false if somebody else was faster.
 */
bool ovpn_peer_delete(struct ovpn_peer *peer, enum ovpn_del_peer_reason reason)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	bool published;

	spin_lock_bh(&table->lock);
	published = peer->published;
	ovpn_peer_retire(peer, reason);
	spin_unlock_bh(&table->lock);
	return published;
}

/**
 * ovpn_peers_delete - the end of several peers
 * @ovpn: the device
 * @which: is this one of them? Within rcu_read_lock. NULL for all.
 * @arg: for @which
 * @reason: why
 *
 * They are freed in the background; each holds the device until then.
 *
 * Context: process, may sleep.
 */
void ovpn_peers_delete(struct ovpn_dev *ovpn,
		       bool (*which)(const struct ovpn_peer *peer,
				     const void *arg),
		       const void *arg, enum ovpn_del_peer_reason reason)
{
	struct ovpn_peer *peer;
	unsigned long id;

	for (id = 0; id <= OVPN_PEER_ID_MAX; id++) {
		rcu_read_lock();
		peer = ovpn_peer_next(&ovpn->peers, &id);
		if (peer && (!which || which(peer, arg)))
			ovpn_peer_delete(peer, reason);
		rcu_read_unlock();
		if (!peer)
			break;
		cond_resched();
	}
}

static void tell_moved_locked(struct ovpn_peer *peer)
{
	const struct ovpn_abi *abi = peer->ovpn->abi;

	lockdep_assert_held(&peer->ovpn->peers.lock);

	/* Whoever moves all the time must not drown the listeners */
	peer->untold = !abi->notify_room(peer);
	if (peer->untold)
		ovpn_keepalive_wake(peer->ovpn, 1);
	else
		abi->peer_moved(peer);
}

/**
 * ovpn_peer_tell_moved - tell userspace where a peer has moved to, if that could
 * not be told at once
 * @peer: the peer
 *
 * Context: process, rcu_read_lock held.
 * Return: true if it still cannot.
 */
bool ovpn_peer_tell_moved(struct ovpn_peer *peer)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	bool untold;

	if (likely(!READ_ONCE(peer->untold)))
		return false;
	spin_lock_bh(&table->lock);
	if (peer->published)
		tell_moved_locked(peer);
	untold = peer->published && peer->untold;
	spin_unlock_bh(&table->lock);
	return untold;
}

/**
 * ovpn_peer_follow - keep up with a peer that moves
 * @peer: the peer
 * @skb: its newest packet: authenticated, not replayed, outer headers in place
 * @replay: the window that it was the newest in
 * @id: its packet id
 *
 * Only the newest: an old packet that comes late says where the peer was. By now
 * another processor may have accepted a newer one.
 *
 * Context: BH off, rcu_read_lock held.
 * Return: false if it should have moved the peer, and was too late, or memory
 * short: what came the same way later is to be asked, too.
 */
bool ovpn_peer_follow(struct ovpn_peer *peer, const struct sk_buff *skb,
		      struct ovpn_replay *replay, u32 id)
{
	struct ovpn_endpoint *old = rcu_dereference(peer->endpoint), *ep;
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	const struct sock *sk = peer->socket->sk;
	struct ovpn_sockaddr remote;
	struct in6_addr local;
	bool elsewhere, moved;

	if (peer->socket->transport->stream)
		return true;
	if (likely(!ovpn_endpoint_follow(old, sock_net(sk),
					 READ_ONCE(sk->sk_bound_dev_if), skb,
					 &remote, &local)))
		return true;

	/* It came in through another socket of the device, of another family */
	if (!ovpn_endpoint_fits_socket(&remote, sk))
		return true;

	/* Without memory the next packet will do */
	ep = ovpn_endpoint_alloc(peer, &remote, &local, GFP_ATOMIC);
	if (!ep)
		return false;
	elsewhere = memcmp(&remote, &old->remote, sizeof(remote));

	spin_lock_bh(&table->lock);
	/* Whoever accepts a newer one sees where this has moved the peer */
	spin_lock(&replay->lock);
	moved = replay->newest == id && ovpn_peer_table_move(peer, ep, old);
	spin_unlock(&replay->lock);
	if (moved && elsewhere && peer->ovpn->abi->peer_moved)
		tell_moved_locked(peer);
	spin_unlock_bh(&table->lock);
	if (moved && elsewhere)
		ovpn_event_add(peer->ovpn->stats, OVPN_EVENT_RX_FLOAT);

	ovpn_endpoint_free_rcu(moved ? old : ep);
	return moved;
}

/**
 * ovpn_peer_may_log - may something be logged about a peer's drops?
 * @peer: the peer
 *
 * Context: any.
 * Return: true once a minute.
 */
bool ovpn_peer_may_log(struct ovpn_peer *peer)
{
	u32 then = READ_ONCE(peer->logged);
	u32 now = ovpn_now();

	return now - then >= OVPN_PEER_LOG_INTERVAL &&
	       cmpxchg(&peer->logged, then, now) == then;
}
