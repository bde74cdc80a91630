/* SPDX-License-Identifier: GPL-2.0-only */
/* Transports: how the packets of a peer travel.
 *
 * Userspace hands over a socket that it goes on using for control packets. All
 * peers on one socket share one struct ovpn_socket.
 */
#ifndef _OVPN_TRANSPORT_H
#define _OVPN_TRANSPORT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct netlink_ext_ack;
struct ovpn_dev;
struct ovpn_peer;
struct ovpn_socket;
struct socket;

/**
 * struct ovpn_transport - what a transport does
 * @attach: take over the receive side of os->sk, whose socket lock is held;
 *	may sleep. Returns 0 or an errno, with the cause in extack.
 * @detach: give it back, as it was, and wait for receivers that still use
 *	@os; socket lock held, may sleep
 * @send: send the sealed packets of one peer, which are consumed. BH off,
 *	rcu_read_lock held.
 */
struct ovpn_transport {
	int (*attach)(struct ovpn_socket *os, struct netlink_ext_ack *extack);
	void (*detach)(struct ovpn_socket *os);
	void (*send)(struct ovpn_peer *peer, struct sk_buff_head *pkts);
};

/**
 * struct ovpn_socket - a socket of userspace that carries peers of a device
 * @transport: what kind it is
 * @sock: the socket. We hold its file: it stays open for the data channel until
 *	the last peer on it is gone, whatever userspace does.
 * @sk: the same, for the data path
 * @ovpn: the device whose packets it carries; counted by @tracker
 * @tracker: for @ovpn
 * @users: how many peers use it; guarded by the socket lock
 * @mc_loop: the socket's setting before we came, to put back
 *
 * Life: made by the first peer on a socket, found through sk_user_data by the
 * others and, under rcu_read_lock, by received packets; detached when its last
 * peer is released, which takes a grace period, and freed then.
 */
struct ovpn_socket {
	const struct ovpn_transport *transport;
	struct socket *sock;
	struct sock *sk;
	struct ovpn_dev *ovpn;
	netdevice_tracker tracker;
	unsigned int users;
	bool mc_loop;
};

extern const struct ovpn_transport ovpn_udp_transport;

bool ovpn_udp_socket_is_ours(const struct sock *sk);

struct ovpn_socket *ovpn_socket_get(struct ovpn_dev *ovpn, int fd,
				    struct netlink_ext_ack *extack);
void ovpn_socket_put(struct ovpn_socket *os);

#endif /* _OVPN_TRANSPORT_H */
