/* SPDX-License-Identifier: GPL-2.0-only */
/* The only place that knows how kernels differ. The rest is written as if for
 * the newest one.
 */
#ifndef _OVPN_COMPAT_H
#define _OVPN_COMPAT_H

#include <linux/crypto.h>
#include <linux/udp.h>
#include <net/inet_sock.h>

/* In the kernel's own headers from 6.16 on */
#ifndef UDP_ENCAP_OVPNINUDP
#define UDP_ENCAP_OVPNINUDP	8
#endif

/* A bit field before 6.6, a bit of inet_flags since */
static inline bool compat_get_mc_loop(const struct sock *sk)
{
	return inet_sk(sk)->mc_loop;
}

static inline void compat_set_mc_loop(struct sock *sk, bool on)
{
	inet_sk(sk)->mc_loop = on;
}

/* setup_udp_tunnel_sock() wants the struct socket before 7.1, the sock since */
#define compat_tunnel_sock(os)	((os)->sock)

/* A completion gets the request before 6.3, its data since */
#define compat_crypto_done_arg	struct crypto_async_request *

static inline void *compat_crypto_done_data(compat_crypto_done_arg arg)
{
	return arg->data;
}

#endif /* _OVPN_COMPAT_H */
