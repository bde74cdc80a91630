// SPDX-License-Identifier: GPL-2.0-only
/* Sockets that userspace hands over: attach once, share among peers, detach. */

#include <linux/delay.h>
#include <linux/file.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>
#include <net/sock.h>

#include "compat/compat.h"
#include "device.h"
#include "peer.h"
#include "transport.h"

static const struct ovpn_transport *transport_of(const struct sock *sk,
						 struct netlink_ext_ack *extack)
{
	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6) {
		NL_SET_ERR_MSG(extack, "socket is neither IPv4 nor IPv6");
		return NULL;
	}
	if (sk->sk_protocol == IPPROTO_UDP && sk->sk_type == SOCK_DGRAM)
		return &ovpn_udp_transport;

	if (sk->sk_protocol == IPPROTO_TCP && sk->sk_type == SOCK_STREAM)
		return &ovpn_tcp_transport;

	if (sk->sk_protocol == IPPROTO_MPTCP)
		NL_SET_ERR_MSG(extack, "Multipath TCP is not supported");
	else
		NL_SET_ERR_MSG(extack, "socket is neither UDP nor TCP");
	return NULL;
}

/* How long to wait for a socket that is being given back, which takes grace
 * periods, or that somebody has locked or waits to send on, in jiffies; and how
 * often to look, in milliseconds
 */
#define SOCKET_WAIT		(2 * HZ)
#define SOCKET_LOOK		5

/* How long to wait for the lock of a socket that is to be given back, and how long
 * until it is tried again, in jiffies: others have work for the workqueue as well
 */
#define UNLOCK_WAIT		(HZ / 50 ?: 1)

/* How many there are that are not free yet, or are being closed */
static atomic_t sockets = ATOMIC_INIT(0);

static LIST_HEAD(given_back);
static DEFINE_SPINLOCK(given_back_lock);

/* Socket lock held */
static bool is_given_back(const struct sock *sk)
{
	struct ovpn_socket *os;
	bool found = false;

	spin_lock(&given_back_lock);
	list_for_each_entry(os, &given_back, list) {
		if (os->sk == sk) {
			found = true;
			break;
		}
	}
	spin_unlock(&given_back_lock);
	return found;
}

/**
 * ovpn_lock_sock_try - lock_sock() if nobody has to be waited for
 * @sk: the socket
 *
 * Whoever holds the lock may be waiting for memory of its own that never comes.
 *
 * Context: process.
 * Return: true if it is locked now, for release_sock().
 */
bool ovpn_lock_sock_try(struct sock *sk)
{
	bool owned;

	spin_lock_bh(&sk->sk_lock.slock);
	owned = sock_owned_by_user_nocheck(sk);
	if (!owned) {
		sk->sk_lock.owned = 1;
		mutex_acquire(&sk->sk_lock.dep_map, 0, 1, _RET_IP_);
	}
	spin_unlock_bh(&sk->sk_lock.slock);
	return !owned;
}

/* The same, but wait for so many jiffies: with the others who do, because somebody
 * who has it nearly all the time leaves no gap that could be found by looking
 */
static bool lock_sock_timeout(struct sock *sk, long timeout)
{
	return wait_event_killable_timeout(sk->sk_lock.wq,
					   ovpn_lock_sock_try(sk), timeout) > 0;
}

static void socket_done(void)
{
	if (atomic_dec_and_test(&sockets))
		wake_up_var(&sockets);
}

static void socket_free(struct ovpn_socket *os)
{
	if (os->transport->free)
		os->transport->free(os);
	if (os->file)
		fput(os->file);
	sock_put(os->sk);
	kfree(os);
	socket_done();
}

static void grace_period_over(struct rcu_head *rcu)
{
	struct ovpn_socket *os = container_of(rcu, struct ovpn_socket, rcu);

	queue_delayed_work(ovpn_wq, &os->release, 0);
}

/* Go on with giving a socket back, after a grace period, as soon as it is not
 * locked
 */
static void socket_release(struct work_struct *work)
{
	struct ovpn_socket *os = container_of(to_delayed_work(work),
					      struct ovpn_socket, release);
	long timeout = UNLOCK_WAIT;
	struct sock *sk = os->sk;
	bool detached;

	/* Nobody has found it through the socket and is still busy with it. The
	 * next device, behind us in the queue, shall not wait either.
	 */
	if (os->dev) {
		netdev_put(os->dev, &os->tracker);
		os->dev = NULL;
		timeout = 0;
	}

	if (!lock_sock_timeout(sk, timeout)) {
		queue_delayed_work(ovpn_wq, &os->release, UNLOCK_WAIT);
		return;
	}
	detached = !list_empty(&os->list);
	if (detached)
		os->transport->release(os);
	else if (!os->closed)
		os->transport->detach(os);
	spin_lock(&given_back_lock);
	if (detached)
		list_del(&os->list);
	else
		list_add(&os->list, &given_back);
	spin_unlock(&given_back_lock);
	release_sock(sk);

	if (detached)
		socket_free(os);
	else
		call_rcu(&os->rcu, grace_period_over);
}

/* Find the ovpn_socket of @sk or make it; one more user either way. -EAGAIN if
 * it is just being given back.
 */
static struct ovpn_socket *
socket_attach(struct ovpn_dev *ovpn, struct socket *sock,
	      const struct ovpn_transport *transport,
	      struct netlink_ext_ack *extack)
{
	struct sock *sk = sock->sk;
	struct ovpn_socket *os;
	struct ovpn_dev *other;
	int err;

	if (is_given_back(sk))
		return ERR_PTR(-EAGAIN);
	if (transport->owns(sk)) {
		os = rcu_dereference_protected(__sk_user_data(sk),
					       lockdep_sock_is_held(sk));
		other = rcu_access_pointer(os->ovpn);
		if (other && other != ovpn) {
			NL_SET_ERR_MSG(extack,
				       "socket carries peers of another device");
			return ERR_PTR(-EBUSY);
		}
		return refcount_inc_not_zero(&os->users) ? os : ERR_PTR(-EAGAIN);
	}

	os = kzalloc(sizeof(*os), GFP_KERNEL_ACCOUNT);
	if (!os) {
		NL_SET_ERR_MSG(extack, "out of memory");
		return ERR_PTR(-ENOMEM);
	}
	os->transport = transport;
	os->sk = sk;
	os->abi = ovpn->abi;
	RCU_INIT_POINTER(os->ovpn, ovpn);
	os->dev = ovpn->dev;
	refcount_set(&os->users, 1);
	spin_lock_init(&os->order);
	INIT_LIST_HEAD(&os->list);
	INIT_DELAYED_WORK(&os->release, socket_release);

	err = transport->attach(os, extack);
	if (err) {
		kfree(os);
		return ERR_PTR(err);
	}

	sock_hold(sk);
	if (ovpn->abi->keeps_sockets)
		os->file = get_file(sock->file);
	netdev_hold(os->dev, &os->tracker, GFP_KERNEL);
	atomic_inc(&sockets);
	return os;
}

/* Wait, but neither for ever nor with the device's other requests: a request holds
 * what registering any netlink family needs.
 */
static struct ovpn_socket *
attach_or_wait(struct ovpn_dev *ovpn, struct socket *sock,
	       const struct ovpn_transport *transport,
	       struct netlink_ext_ack *extack)
{
	unsigned long end = jiffies + SOCKET_WAIT;
	struct ovpn_socket *os;
	long left = SOCKET_WAIT;

	mutex_unlock(&ovpn->requests);
	for (;;) {
		os = ERR_PTR(-EAGAIN);
		if (lock_sock_timeout(sock->sk, left)) {
			os = socket_attach(ovpn, sock, transport, extack);
			release_sock(sock->sk);
		}
		left = end - jiffies;
		if (os != ERR_PTR(-EAGAIN) || left <= 0 ||
		    fatal_signal_pending(current))
			break;
		msleep(SOCKET_LOOK);
	}
	mutex_lock(&ovpn->requests);

	if (os == ERR_PTR(-EAGAIN)) {
		NL_SET_ERR_MSG(extack,
			       "socket is locked, being given back, or somebody waits to send on it");
		os = ERR_PTR(-EBUSY);
	}
	return os;
}

/**
 * ovpn_socket_get - use a socket of the calling process for a peer
 * @ovpn: the peer's device
 * @sock: the socket, whose file the caller keeps open
 * @request: the request to use it, for who may do that; NULL if anybody may
 * @extack: gets the cause of a refusal
 *
 * Context: process, may sleep; @ovpn->requests held, which is let go of meanwhile.
 * Return: the socket, for ovpn_socket_put(); or an ERR_PTR: -EOPNOTSUPP (not a
 * transport we have), -EPERM (of a network namespace that the caller, or who
 * opened his netlink socket, does not administer), -ENOTCONN (TCP that is not
 * connected), -EBUSY (in use by another device or another kind of tunnel, or for
 * two seconds locked or waited for), -ENOMEM.
 */
struct ovpn_socket *ovpn_socket_get(struct ovpn_dev *ovpn, struct socket *sock,
				    const struct sk_buff *request,
				    struct netlink_ext_ack *extack)
{
	const struct ovpn_transport *transport;

	transport = transport_of(sock->sk, extack);
	if (!transport)
		return ERR_PTR(-EOPNOTSUPP);
	/* What the kernel sends on it passes no filter for sockets, users or groups
	 * of processes, and goes where netlink says
	 */
	if (request && !netlink_ns_capable(request, sock_net(sock->sk)->user_ns,
					   CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(extack,
			       "needs CAP_NET_ADMIN in the network namespace of the socket");
		return ERR_PTR(-EPERM);
	}
	return attach_or_wait(ovpn, sock, transport, extack);
}

/**
 * ovpn_socket_put - a peer does not use its socket any more
 * @os: the socket; or NULL
 *
 * After the last one it is detached, as soon as it is not locked: userspace has it
 * back as it was, if it still has it at all.
 *
 * Context: process.
 */
void ovpn_socket_put(struct ovpn_socket *os)
{
	if (!os || !refcount_dec_and_test(&os->users))
		return;

	if (os->transport->idle)
		os->transport->idle(os);
	RCU_INIT_POINTER(os->ovpn, NULL);
	call_rcu(&os->rcu, grace_period_over);
}

/**
 * ovpn_socket_start - a peer on this socket has been published
 * @os: the socket
 *
 * Context: process.
 */
void ovpn_socket_start(struct ovpn_socket *os)
{
	if (os->transport->start)
		os->transport->start(os);
}

static bool is_on(const struct ovpn_peer *peer, const void *os)
{
	return peer->socket == os;
}

static void delete_peers_on(struct ovpn_socket *os)
{
	struct ovpn_peer *peer;
	struct ovpn_dev *ovpn;

	rcu_read_lock();
	ovpn = rcu_dereference(os->ovpn);
	if (ovpn)
		dev_hold(ovpn->dev);
	peer = rcu_dereference(os->peer);
	if (peer)
		ovpn_peer_delete(peer,
				 OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	rcu_read_unlock();
	if (!ovpn)
		return;
	if (!os->transport->stream)
		ovpn_peers_delete(ovpn, is_on, os,
				  OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	dev_put(ovpn->dev);
}

/**
 * ovpn_socket_closed - userspace closes a socket: the end of the peers on it
 * @sk: the socket, which is closed afterwards
 * @transport: what kind it is
 *
 * Nobody can be about to add a peer on it: he would have its file.
 *
 * Context: process, may sleep.
 */
void ovpn_socket_closed(struct sock *sk, const struct ovpn_transport *transport)
{
	struct ovpn_socket *os;

	/* It may be given back, and free, before this has its lock */
	atomic_inc(&sockets);
	lock_sock(sk);
	if (transport->owns(sk)) {
		os = rcu_dereference_protected(__sk_user_data(sk),
					       lockdep_sock_is_held(sk));
		delete_peers_on(os);
		os->transport->detach(os);
		os->closed = true;
	}
	release_sock(sk);
	socket_done();
}

/**
 * ovpn_sockets_wait - wait until all sockets have been given back
 *
 * Context: process, may sleep for as long as userspace has one of them locked;
 * all peers are gone, or about to be freed in the background.
 */
void ovpn_sockets_wait(void)
{
	wait_var_event(&sockets, !atomic_read(&sockets));
}
