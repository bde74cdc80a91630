/* SPDX-License-Identifier: GPL-2.0-only */
/* The only place that knows how kernels differ. The rest is written as if for
 * the newest one.
 */
#ifndef _OVPN_COMPAT_H
#define _OVPN_COMPAT_H

#include <linux/crypto.h>
#include <linux/uaccess.h>
#include <linux/udp.h>
#include <net/inet_sock.h>
#include <net/sock.h>

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

/* A socket's recvmsg() has one more parameter before 7.0, which we only pass on
 * to that of another protocol
 */
#define COMPAT_RECVMSG_PARAMS \
	struct sock *sk, struct msghdr *msg, size_t len, int flags, \
	int *addr_len

#define compat_recvmsg(prot) \
	((prot)->recvmsg(sk, msg, len, flags, addr_len))

/* A socket's ioctl() writes the answer to userspace itself before 6.5, and hands
 * it to its caller since
 */
#define compat_ioctl_arg	unsigned long

static inline int compat_ioctl_answer(compat_ioctl_arg arg, int answer)
{
	return put_user(answer, (int __user *)arg);
}

/* Until 6.5 pages that are sent go past sendmsg(), unless there is no way */
static inline void compat_proto_no_sendpage(struct proto *prot)
{
	prot->sendpage = NULL;
}

/* A completion gets the request before 6.3, its data since */
#define compat_crypto_done_arg	struct crypto_async_request *

static inline void *compat_crypto_done_data(compat_crypto_done_arg arg)
{
	return arg->data;
}

#endif /* _OVPN_COMPAT_H */
