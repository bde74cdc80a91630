/* SPDX-License-Identifier: GPL-2.0-only */
/* The only place that knows how kernels differ. The rest is written as if for
 * the newest one, but for these names:
 *
 * * what an older kernel lacks is added here under its own name;
 * * what is there, but different, has a name with compat in it here, and the
 *   parameters that it has in the newest kernel.
 *
 * What a kernel has is found out by compiling compat/probes.c, never by its
 * version: distributions and stable releases backport such changes. Headers that
 * some kernels lack are in compat/include.
 */
#ifndef _OVPN_COMPAT_H
#define _OVPN_COMPAT_H

#include <linux/crypto.h>
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>
#include <linux/uaccess.h>
#include <linux/udp.h>
#include <linux/uio.h>
#include <net/genetlink.h>
#include <net/inet_sock.h>
#include <net/ip6_route.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/rtnetlink.h>
#include <net/sock.h>
#include <net/udp_tunnel.h>

/* Made by compat/probe */
#include "probed.h"

/* --- Network devices ----------------------------------------------------- */

#ifndef COMPAT_HAVE_NETDEVICE_TRACKER
struct compat_netdevice_tracker {};
#define netdevice_tracker		struct compat_netdevice_tracker
#endif

#ifndef COMPAT_HAVE_NETDEV_HOLD
static inline void netdev_hold(struct net_device *dev, void *tracker,
			       gfp_t gfp)
{
	dev_hold(dev);
}

static inline void netdev_put(struct net_device *dev, void *tracker)
{
	dev_put(dev);
}
#endif

#ifndef COMPAT_HAVE_DEV_GET_TSTATS64
static inline void dev_get_tstats64(struct net_device *dev,
				    struct rtnl_link_stats64 *stats)
{
	netdev_stats_to_stats64(stats, &dev->stats);
	dev_fetch_sw_netstats(stats, dev->tstats);
}
#endif

#ifndef COMPAT_HAVE_DEV_SW_NETSTATS_TX_ADD
static inline void dev_sw_netstats_tx_add(struct net_device *dev,
					  unsigned int packets,
					  unsigned int len)
{
	struct pcpu_sw_netstats *tstats = this_cpu_ptr(dev->tstats);

	u64_stats_update_begin(&tstats->syncp);
	tstats->tx_bytes += len;
	tstats->tx_packets += packets;
	u64_stats_update_end(&tstats->syncp);
}
#endif

/* In ndo_setup, ndo_init and the destructor: have dev->tstats. The newest kernels
 * allocate and free it.
 */
#ifdef COMPAT_HAVE_PCPU_STAT_TYPE
static inline void compat_tstats_setup(struct net_device *dev)
{
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
}

static inline int compat_tstats_init(struct net_device *dev)
{
	return 0;
}

static inline void compat_tstats_free(struct net_device *dev)
{
}
#else
static inline void compat_tstats_setup(struct net_device *dev)
{
}

static inline int compat_tstats_init(struct net_device *dev)
{
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	return dev->tstats ? 0 : -ENOMEM;
}

static inline void compat_tstats_free(struct net_device *dev)
{
	free_percpu(dev->tstats);
	dev->tstats = NULL;
}
#endif

/* Transmission needs no lock */
static inline void compat_set_lltx(struct net_device *dev)
{
#ifdef COMPAT_HAVE_LLTX
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

#ifndef COMPAT_HAVE_ETHTOOL_PUTS
static inline void ethtool_puts(u8 **data, const char *str)
{
	strscpy_pad((char *)*data, str, ETH_GSTRING_LEN);
	*data += ETH_GSTRING_LEN;
}
#endif

/* compat_coalesce(FUNCTION) is what ethtool_ops want, after
 * COMPAT_DEFINE_COALESCE(FUNCTION): before 5.15 without the last two parameters
 */
#ifdef COMPAT_HAVE_KERNEL_ETHTOOL_COALESCE
#define COMPAT_DEFINE_COALESCE(function)
#define compat_coalesce(function)	function
#else
struct kernel_ethtool_coalesce;

#define COMPAT_DEFINE_COALESCE(function)				\
static int compat_##function(struct net_device *dev,			\
			     struct ethtool_coalesce *settings)		\
{									\
	return function(dev, settings, NULL, NULL);			\
}

#define compat_coalesce(function)	compat_##function
#endif

/* --- Time ---------------------------------------------------------------- */

#ifndef COMPAT_HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* --- Netlink ------------------------------------------------------------- */

#ifndef COMPAT_HAVE_RTNL_NEWLINK_PARAMS
struct rtnl_newlink_params {
	struct net *src_net;
	struct nlattr **tb;
	struct nlattr **data;
};
#endif

/* compat_newlink(FUNCTION) is what rtnl_link_ops wants, after
 * COMPAT_DEFINE_NEWLINK(FUNCTION)
 */
#ifdef COMPAT_HAVE_NEWLINK_PARAMS
#define COMPAT_DEFINE_NEWLINK(function)
#define compat_newlink(function)	function
#else
#define COMPAT_DEFINE_NEWLINK(function)					\
static int compat_##function(struct net *src_net,			\
			     struct net_device *dev,			\
			     struct nlattr *tb[], struct nlattr *data[], \
			     struct netlink_ext_ack *extack)		\
{									\
	struct rtnl_newlink_params params = {				\
		.src_net = src_net,					\
		.tb = tb,						\
		.data = data,						\
	};								\
									\
	return function(dev, &params, extack);				\
}

#define compat_newlink(function)	compat_##function
#endif

/* Since 6.1 userspace is told which attribute is missing */
#ifndef NL_SET_ERR_ATTR_MISS
#define NL_SET_ERR_ATTR_MISS(extack, nest, type)	do { } while (0)
#endif

/* As many bytes as the value needs, 4 or 8 */
#ifndef COMPAT_HAVE_NLA_PUT_UINT
static inline int nla_put_uint(struct sk_buff *skb, int attr, u64 value)
{
	u32 small = value;

	if (small == value)
		return nla_put_u32(skb, attr, small);
	return nla_put(skb, attr, sizeof(value), &value);
}
#endif

/* What the pre_doit() of a family gets, and does not look at */
#ifdef COMPAT_HAVE_PRE_DOIT_SPLIT_OPS
#define compat_genl_split_ops		genl_split_ops
#else
#define compat_genl_split_ops		genl_ops
#endif

static inline struct nlattr **compat_genl_dump_attrs(struct netlink_callback *cb)
{
#ifdef COMPAT_HAVE_GENL_INFO_DUMP
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

/* --- Packets ------------------------------------------------------------- */

#ifndef COMPAT_HAVE_NAPI_BUILD_SKB
#define napi_build_skb			build_skb
#endif

/* Until then no packet said of what clock its time is */
#ifndef COMPAT_HAVE_SKB_SET_DELIVERY_TIME
static inline void skb_set_delivery_time(struct sk_buff *skb, ktime_t kt,
					 bool mono)
{
	skb->tstamp = kt;
}
#endif

#ifndef COMPAT_HAVE_SKB_CSUM_IS_SCTP
static inline bool skb_csum_is_sctp(struct sk_buff *skb)
{
	return skb->csum_not_inet;
}
#endif

/* COMPAT_DROP_REASON(NAME) is SKB_DROP_REASON_NAME where there are such */
#ifdef COMPAT_HAVE_SKB_DROP_REASONS
#define COMPAT_DROP_REASON(name)	SKB_DROP_REASON_##name
#else
#define COMPAT_DROP_REASON(name)	0
#endif

static inline void compat_kfree_skb_reason(struct sk_buff *skb,
					   unsigned int reason)
{
#ifdef COMPAT_HAVE_SKB_DROP_REASONS
	kfree_skb_reason(skb, (enum skb_drop_reason)reason);
#else
	kfree_skb(skb);
#endif
}

static inline unsigned int
compat_u64_stats_fetch_begin(const struct u64_stats_sync *syncp)
{
#ifdef COMPAT_HAVE_U64_STATS_FETCH_BEGIN_IRQ
	return u64_stats_fetch_begin_irq(syncp);
#else
	return u64_stats_fetch_begin(syncp);
#endif
}

static inline bool
compat_u64_stats_fetch_retry(const struct u64_stats_sync *syncp,
			     unsigned int start)
{
#ifdef COMPAT_HAVE_U64_STATS_FETCH_BEGIN_IRQ
	return u64_stats_fetch_retry_irq(syncp, start);
#else
	return u64_stats_fetch_retry(syncp, start);
#endif
}

/* --- Routing, UDP tunnels ------------------------------------------------ */

static inline struct dst_entry *
compat_ip6_dst_lookup_flow(struct net *net, const struct sock *sk,
			   struct flowi6 *fl, const struct in6_addr *final_dst)
{
#ifdef COMPAT_HAVE_IPV6_STUB
	return ipv6_stub->ipv6_dst_lookup_flow(net, sk, fl, final_dst);
#else
	return ip6_dst_lookup_flow(net, sk, fl, final_dst);
#endif
}

/* In the kernel's own headers from 6.16 on */
#ifndef UDP_ENCAP_OVPNINUDP
#define UDP_ENCAP_OVPNINUDP	8
#endif

static inline void
compat_setup_udp_tunnel_sock(struct net *net, struct sock *sk,
			     struct udp_tunnel_sock_cfg *cfg)
{
#ifdef COMPAT_HAVE_TUNNEL_SETUP_BY_SOCK
	setup_udp_tunnel_sock(net, sk, cfg);
#else
	setup_udp_tunnel_sock(net, sk->sk_socket, cfg);
#endif
}

static inline void
compat_udp_tunnel_xmit_skb(struct rtable *rt, struct sock *sk,
			   struct sk_buff *skb, __be32 src, __be32 dst, u8 tos,
			   u8 ttl, __be16 df, __be16 src_port, __be16 dst_port,
			   bool xnet, bool nocheck, u16 ipcb_flags)
{
#ifdef COMPAT_HAVE_TUNNEL_XMIT_FLAGS
	udp_tunnel_xmit_skb(rt, sk, skb, src, dst, tos, ttl, df, src_port,
			    dst_port, xnet, nocheck, ipcb_flags);
#else
	udp_tunnel_xmit_skb(rt, sk, skb, src, dst, tos, ttl, df, src_port,
			    dst_port, xnet, nocheck);
#endif
}

/* IPv6 asks the socket of the inner packet's sender what it thinks of path MTUs, and
 * takes any socket for one of its own, unless a device sends. What leaves a queue or
 * a timer does not look like that in kernels before this limit came.
 */
#ifdef IP_TUNNEL_RECURSION_LIMIT
static inline void compat_tunnel6_xmit_begin(void)
{
}

static inline void compat_tunnel6_xmit_end(void)
{
}
#elif defined(COMPAT_HAVE_DEV_XMIT_RECURSION)
#define compat_tunnel6_xmit_begin	dev_xmit_recursion_inc
#define compat_tunnel6_xmit_end		dev_xmit_recursion_dec
#else
/* What counts is there, but the functions are the network core's own */
static inline void compat_tunnel6_xmit_begin(void)
{
#ifdef CONFIG_PREEMPT_RT
	current->net_xmit.recursion++;
#else
	__this_cpu_inc(softnet_data.xmit.recursion);
#endif
}

static inline void compat_tunnel6_xmit_end(void)
{
#ifdef CONFIG_PREEMPT_RT
	current->net_xmit.recursion--;
#else
	__this_cpu_dec(softnet_data.xmit.recursion);
#endif
}
#endif

/* The addresses are only read, in older kernels as well */
static inline void
compat_udp_tunnel6_xmit_skb(struct dst_entry *dst, struct sock *sk,
			    struct sk_buff *skb, struct net_device *dev,
			    struct in6_addr *saddr, struct in6_addr *daddr,
			    u8 prio, u8 ttl, __be32 label, __be16 src_port,
			    __be16 dst_port, bool nocheck, u16 ip6cb_flags)
{
	compat_tunnel6_xmit_begin();
#ifdef COMPAT_HAVE_TUNNEL6_XMIT_FLAGS
	udp_tunnel6_xmit_skb(dst, sk, skb, dev, saddr, daddr, prio, ttl, label,
			     src_port, dst_port, nocheck, ip6cb_flags);
#else
	udp_tunnel6_xmit_skb(dst, sk, skb, dev, saddr, daddr, prio, ttl, label,
			     src_port, dst_port, nocheck);
#endif
	compat_tunnel6_xmit_end();
}

/* --- Locks --------------------------------------------------------------- */

/* For what BH off guards where that is not a lock any more: from 6.11 on. Before,
 * it is one, with PREEMPT_RT as well.
 */
#ifdef local_lock_nested_bh
#define compat_local_lock_nested_bh(lock)	local_lock_nested_bh(lock)
#define compat_local_unlock_nested_bh(lock)	local_unlock_nested_bh(lock)
#else
#define compat_local_lock_nested_bh(lock)	do { } while (0)
#define compat_local_unlock_nested_bh(lock)	do { } while (0)
#endif

/* --- Offloads ------------------------------------------------------------ */

/* From 5.12 on, and in later versions of 5.10 */
#ifndef NETIF_F_GRO_UDP_FWD
#define NETIF_F_GRO_UDP_FWD	0
#endif

/* --- Netfilter ----------------------------------------------------------- */

#ifdef CONFIG_NETFILTER
#define compat_nf_register_net_hooks	nf_register_net_hooks
#define compat_nf_unregister_net_hooks	nf_unregister_net_hooks
#else
static inline int compat_nf_register_net_hooks(struct net *net,
					       const struct nf_hook_ops *reg,
					       unsigned int n)
{
	return -EOPNOTSUPP;
}

static inline void
compat_nf_unregister_net_hooks(struct net *net, const struct nf_hook_ops *reg,
			       unsigned int n)
{
}
#endif

/* --- Sockets ------------------------------------------------------------- */

/* A bit field before 6.6, a bit of inet_flags since */
static inline bool compat_get_mc_loop(const struct sock *sk)
{
#ifdef inet_test_bit
	return inet_test_bit(MC_LOOP, sk);
#else
	return inet_sk(sk)->mc_loop;
#endif
}

/* Whether UDP takes merged packets, as setsockopt(UDP_GRO) says: bit fields
 * before 6.7
 */
static inline bool compat_udp_get_gro(const struct sock *sk)
{
#ifdef udp_test_bit
	return udp_test_bit(GRO_ENABLED, sk);
#else
	return udp_sk(sk)->gro_enabled;
#endif
}

/* Whether UDP gives a tunnel's socket only those merged packets that are marked as
 * a tunnel's: 6.9, and stable releases since
 */
static inline bool compat_udp_looks_at_marks(void)
{
#ifdef COMPAT_HAVE_UDP_ENCAP_NEEDED
	return true;
#else
	return false;
#endif
}

/* Nothing where that would be all merged packets */
static inline void compat_udp_set_gro(struct sock *sk, bool on)
{
#ifndef COMPAT_HAVE_UDP_ENCAP_NEEDED
#elif defined(udp_assign_bit)
	udp_assign_bit(GRO_ENABLED, sk, on);
	udp_assign_bit(ACCEPT_L4, sk, on);
#else
	udp_sk(sk)->gro_enabled = on;
	udp_sk(sk)->accept_udp_l4 = on;
#endif
}

static inline void compat_set_mc_loop(struct sock *sk, bool on)
{
#ifdef inet_assign_bit
	inet_assign_bit(MC_LOOP, sk, on);
#else
	inet_sk(sk)->mc_loop = on;
#endif
}

#ifndef COMPAT_HAVE_SK_ERROR_REPORT
static inline void sk_error_report(struct sock *sk)
{
	sk->sk_error_report(sk);
}
#endif

/* compat_recvmsg(FUNCTION) is what struct proto wants, after
 * COMPAT_DEFINE_RECVMSG(FUNCTION). Older kernels have more parameters: one more
 * place for MSG_DONTWAIT, and one for what msg_namelen is made from afterwards.
 */
#if defined(COMPAT_HAVE_PROTO_RECVMSG_NOBLOCK)
#define COMPAT_RECVMSG_FLAGS_PARAMS	int noblock, int flags
#define COMPAT_RECVMSG_FLAGS		(flags | (noblock ? MSG_DONTWAIT : 0))
#elif defined(COMPAT_HAVE_PROTO_RECVMSG_ADDR_LEN)
#define COMPAT_RECVMSG_FLAGS_PARAMS	int flags
#define COMPAT_RECVMSG_FLAGS		flags
#endif

#ifdef COMPAT_RECVMSG_FLAGS
#define COMPAT_DEFINE_RECVMSG(function)					\
static int compat_##function(struct sock *sk, struct msghdr *msg,	\
			     size_t len, COMPAT_RECVMSG_FLAGS_PARAMS,	\
			     int *addr_len)				\
{									\
	int ret;							\
									\
	msg->msg_namelen = 0;						\
	ret = function(sk, msg, len, COMPAT_RECVMSG_FLAGS);		\
	*addr_len = msg->msg_namelen;					\
	return ret;							\
}

#define compat_recvmsg(function)	compat_##function
#else
#define COMPAT_DEFINE_RECVMSG(function)
#define compat_recvmsg(function)	function
#endif

static inline int compat_proto_recvmsg(const struct proto *prot,
				       struct sock *sk, struct msghdr *msg,
				       size_t len, int flags)
{
#ifdef COMPAT_RECVMSG_FLAGS
	int addr_len = 0, ret;

#ifdef COMPAT_HAVE_PROTO_RECVMSG_NOBLOCK
	ret = prot->recvmsg(sk, msg, len, flags & MSG_DONTWAIT,
			    flags & ~MSG_DONTWAIT, &addr_len);
#else
	ret = prot->recvmsg(sk, msg, len, flags, &addr_len);
#endif
	msg->msg_namelen = addr_len;
	return ret;
#else
	return prot->recvmsg(sk, msg, len, flags);
#endif
}

/* A socket's ioctl() writes the answer to userspace itself before 6.5, and hands
 * it to its caller since
 */
#ifdef COMPAT_HAVE_PROTO_IOCTL_KARG
#define compat_ioctl_arg	int *

static inline int compat_ioctl_answer(compat_ioctl_arg arg, int answer)
{
	*arg = answer;
	return 0;
}
#else
#define compat_ioctl_arg	unsigned long

static inline int compat_ioctl_answer(compat_ioctl_arg arg, int answer)
{
	return put_user(answer, (int __user *)arg);
}
#endif

/* Later versions of 5.10 have it */
#ifndef ITER_SOURCE
#define ITER_SOURCE	WRITE
#endif

/* What poll() asks, after COMPAT_DEFINE_IS_READABLE(FUNCTION); it has another name
 * before 5.15
 */
#ifdef COMPAT_HAVE_SOCK_IS_READABLE
#define COMPAT_DEFINE_IS_READABLE(function)
#define compat_proto_set_is_readable(prot, function) \
	((prot)->sock_is_readable = (function))
#else
#define COMPAT_DEFINE_IS_READABLE(function)				\
static bool compat_##function(const struct sock *sk)			\
{									\
	return function((struct sock *)sk);				\
}

#define compat_proto_set_is_readable(prot, function) \
	((prot)->stream_memory_read = compat_##function)
#endif

/* Until 6.5 pages that are sent go past sendmsg(), unless there is no way */
static inline void compat_proto_no_sendpage(struct proto *prot)
{
#ifdef COMPAT_HAVE_PROTO_SENDPAGE
	prot->sendpage = NULL;
#endif
}

/* --- Crypto -------------------------------------------------------------- */

/* A completion gets the request before 6.3, its data since */
#ifdef COMPAT_HAVE_CRYPTO_DONE_DATA
#define compat_crypto_done_arg	void *

static inline void *compat_crypto_done_data(compat_crypto_done_arg arg)
{
	return arg;
}
#else
#define compat_crypto_done_arg	struct crypto_async_request *

static inline void *compat_crypto_done_data(compat_crypto_done_arg arg)
{
	return arg->data;
}
#endif

#endif /* _OVPN_COMPAT_H */
