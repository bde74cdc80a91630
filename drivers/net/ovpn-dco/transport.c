// SPDX-License-Identifier: GPL-2.0-only
/* Sockets that userspace hands over: attach once, share among peers, detach. */

#include <linux/net.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "compat/compat.h"
#include "device.h"
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

/* Find the ovpn_socket of @sk or make it; one more user either way */
static struct ovpn_socket *
socket_attach(struct ovpn_dev *ovpn, struct socket *sock,
	      const struct ovpn_transport *transport,
	      struct netlink_ext_ack *extack)
{
	struct sock *sk = sock->sk;
	struct ovpn_socket *os;
	int err;

	if (transport->owns(sk)) {
		os = rcu_dereference_protected(__sk_user_data(sk),
					       lockdep_sock_is_held(sk));
		if (os->ovpn != ovpn) {
			NL_SET_ERR_MSG(extack,
				       "socket carries peers of another device");
			return ERR_PTR(-EBUSY);
		}
		os->users++;
		return os;
	}

	os = kzalloc(sizeof(*os), GFP_KERNEL);
	if (!os) {
		NL_SET_ERR_MSG(extack, "out of memory");
		return ERR_PTR(-ENOMEM);
	}
	os->transport = transport;
	os->sock = sock;
	os->sk = sk;
	os->ovpn = ovpn;
	os->users = 1;

	err = transport->attach(os, extack);
	if (err) {
		kfree(os);
		return ERR_PTR(err);
	}

	get_file(sock->file);
	netdev_hold(ovpn->dev, &os->tracker, GFP_KERNEL);
	return os;
}

/**
 * ovpn_socket_get - use a socket of the calling process for a peer
 * @ovpn: the peer's device
 * @fd: the file descriptor
 * @extack: gets the cause of a refusal
 *
 * Context: process, may sleep; in the task whose file descriptor it is.
 * Return: the socket, for ovpn_socket_put(); or an ERR_PTR: -EBADF or -ENOTSOCK
 * (no socket behind the descriptor), -EOPNOTSUPP (not a transport we have),
 * -ENOTCONN (TCP that is not connected), -EBUSY (in use by another device or
 * another kind of tunnel), -ENOMEM.
 */
struct ovpn_socket *ovpn_socket_get(struct ovpn_dev *ovpn, int fd,
				    struct netlink_ext_ack *extack)
{
	const struct ovpn_transport *transport;
	struct ovpn_socket *os;
	struct socket *sock;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (!sock) {
		NL_SET_ERR_MSG(extack, "file descriptor is not a socket");
		return ERR_PTR(err);
	}

	transport = transport_of(sock->sk, extack);
	if (transport) {
		lock_sock(sock->sk);
		os = socket_attach(ovpn, sock, transport, extack);
		release_sock(sock->sk);
	} else {
		os = ERR_PTR(-EOPNOTSUPP);
	}

	sockfd_put(sock);
	return os;
}

/**
 * ovpn_socket_put - a peer does not use its socket any more
 * @os: the socket; or NULL
 *
 * The last user detaches it: userspace has it back as it was, if it still has
 * it at all.
 *
 * Context: process, may sleep for a grace period.
 */
void ovpn_socket_put(struct ovpn_socket *os)
{
	struct socket *sock;
	bool last;

	if (!os)
		return;

	sock = os->sock;
	lock_sock(sock->sk);
	last = !--os->users;
	if (last)
		os->transport->detach(os);
	release_sock(sock->sk);

	if (!last)
		return;
	if (os->transport->free)
		os->transport->free(os);
	netdev_put(os->ovpn->dev, &os->tracker);
	sockfd_put(sock);
	kfree(os);
}

/**
 * ovpn_socket_start - a peer on this socket has been published
 * @os: the socket
 *
 * Context: process, may sleep.
 */
void ovpn_socket_start(struct ovpn_socket *os)
{
	if (!os->transport->start)
		return;
	lock_sock(os->sk);
	os->transport->start(os);
	release_sock(os->sk);
}
