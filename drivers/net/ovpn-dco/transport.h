/* SPDX-License-Identifier: GPL-2.0-only */
/* Transports: how the packets of a peer travel.
 *
 * Userspace hands over a socket that it goes on using for control packets. All
 * peers on one socket share one struct ovpn_socket.
 */
#ifndef _OVPN_TRANSPORT_H
#define _OVPN_TRANSPORT_H

#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "compat/compat.h"

struct file;
struct netlink_ext_ack;
struct ovpn_abi;
struct ovpn_dev;
struct ovpn_peer;
struct ovpn_socket;
struct ovpn_tcp;
struct sock;
struct socket;

/**
 * struct ovpn_transport - what a transport does
 * @stream: a socket is a connection to one peer, which cannot move
 * @owns: does this transport have that socket now? Socket lock held.
 * @attach: take over os->sk, whose socket lock is held; may sleep. Returns 0, or
 *	-EAGAIN to be asked again, or an errno, with the cause in extack.
 * @start: a peer has been published, receive for it. NULL if there is nothing
 *	to do.
 * @idle: the last peer is gone, and nobody sends through it any more; os->ovpn is
 *	still there. NULL if there is nothing to do.
 * @detach: give it back, as it was, but for sk_user_data; socket lock held, may
 *	sleep
 * @release: a grace period later: give sk_user_data back as well; socket lock
 *	held
 * @free: free what @attach made, socket lock not held, may sleep. NULL if there
 *	is nothing.
 * @payload_max: bytes of a sealed packet that reach the peer whole, as far as is
 *	known, or 0 if nothing is. BH off, rcu_read_lock held. NULL if the
 *	transport cuts packets as it likes.
 * @may_train: may packets of that size, as many as there are, be one train of
 *	sealed packets? BH off, rcu_read_lock held. NULL if they never may.
 * @send: send the sealed packets of one peer, which are consumed. BH off,
 *	rcu_read_lock held.
 */
struct ovpn_transport {
	bool stream;
	bool (*owns)(const struct sock *sk);
	int (*attach)(struct ovpn_socket *os, struct netlink_ext_ack *extack);
	void (*start)(struct ovpn_socket *os);
	void (*idle)(struct ovpn_socket *os);
	void (*detach)(struct ovpn_socket *os);
	void (*release)(struct ovpn_socket *os);
	void (*free)(struct ovpn_socket *os);
	unsigned int (*payload_max)(struct ovpn_peer *peer);
	bool (*may_train)(struct ovpn_peer *peer, unsigned int size);
	void (*send)(struct ovpn_peer *peer, struct sk_buff_head *pkts);
};

/**
 * struct ovpn_socket - a socket of userspace that carries peers of a device
 * @transport: what kind it is
 * @sk: the socket; counted
 * @file: if the device's kind wants so, its file, counted: it stays open for the
 *	data channel until the last peer on it is gone, whatever userspace does.
 *	Otherwise NULL.
 * @abi: what userspace expects of the device's kind
 * @ovpn: the device whose packets it carries, read under RCU; NULL without a
 *	peer, and nobody counts or wakes anything then
 * @dev: the same, for a grace period longer; counted by @tracker
 * @tracker: for @dev
 * @users: how many peers use it; who finds none must leave it alone
 * @closed: userspace has closed it, and it has been given back for that; guarded
 *	by the socket lock
 * @order: of a stream, held from when packets get their ids until they are
 *	queued
 * @peer: of a stream, the peer that is published, or NULL. Set and cleared
 *	with the lock of the table of peers held, read under RCU.
 * @started: of a stream, whether it has been read for one; guarded by the socket
 *	lock
 * @mc_loop: of UDP, the socket's setting before we came, to put back
 * @gro_before: of UDP, whether it took merged packets, likewise
 * @gro: of UDP, in the list of those that take merged packets; see gro.c
 * @tcp: of TCP, the rest
 * @list: in the list of sockets that have been given back, but are not free yet;
 *	empty before
 * @release: gives it back and frees it, in two steps
 * @rcu: a grace period before each of them
 *
 * Life:
 *
 *	                      ovpn_socket_get() by the first peer
 *	                                 |
 *	                                 v
 *	                      +---------------------+
 *	   ovpn_socket_get()  | attached: found     |  by sk_user_data; by received
 *	   by other peers --> | through the socket, |  packets and poll() under RCU,
 *	                      | used by its peers   |  by all others with the socket
 *	                      +---------------------+  lock held
 *	                                 |
 *	                                 | ovpn_socket_put() by the last peer,
 *	                                 | or ovpn_socket_closed()
 *	                                 v
 *	                      +---------------------+
 *	                      | idle: without a     |  who wants to attach it again
 *	                      | device              |  has to wait, from here on
 *	                      +---------------------+
 *	                                 |
 *	                                 | a grace period, which ends with the
 *	                                 | device's; then the socket lock
 *	                                 v
 *	                      +---------------------+
 *	                      | given back, but for |
 *	                      | sk_user_data        |
 *	                      +---------------------+
 *	                                 |
 *	                                 | a grace period, and the socket lock
 *	                                 v
 *	                              freed
 *
 * Until it is freed it holds the file, if the device's kind has it so. What
 * userspace does to the socket, closing it included, changes nothing of that
 * then: the peers are what keeps it. If the process that configured the device
 * dies, see owner.c. Without the file, closing the socket is the end of its
 * peers: ovpn_socket_closed() detaches it, and the rest follows when they are
 * freed. A stream that has lost its connection has its peer deleted, by whoever
 * notices first.
 *
 * Userspace can keep it locked for ever, and nobody else may have to wait for
 * that: so the device is let go of before, and nobody waits long for the lock.
 */
struct ovpn_socket {
	const struct ovpn_transport *transport;
	struct sock *sk;
	struct file *file;
	const struct ovpn_abi *abi;
	struct ovpn_dev __rcu *ovpn;
	struct net_device *dev;
	netdevice_tracker tracker;
	refcount_t users;
	bool closed;
	spinlock_t order; /* see above */
	struct ovpn_peer __rcu *peer;
	bool started;
	bool mc_loop;
	bool gro_before;
	struct list_head gro;
	struct ovpn_tcp *tcp;
	struct list_head list;
	struct delayed_work release;
	struct rcu_head rcu;
};

extern const struct ovpn_transport ovpn_udp_transport;
extern const struct ovpn_transport ovpn_tcp_transport;

void ovpn_tcp_init(void);
void ovpn_tcp_exit(void);

struct ovpn_socket *ovpn_socket_get(struct ovpn_dev *ovpn, struct socket *sock,
				    const struct sk_buff *request,
				    struct netlink_ext_ack *extack);
void ovpn_socket_put(struct ovpn_socket *os);
void ovpn_socket_start(struct ovpn_socket *os);
void ovpn_sockets_wait(void);
bool ovpn_lock_sock_try(struct sock *sk);
void ovpn_socket_closed(struct sock *sk, const struct ovpn_transport *transport);

#endif /* _OVPN_TRANSPORT_H */
