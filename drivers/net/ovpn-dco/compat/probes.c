// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel that we build for has. Never part of the module: probe
 * compiles this file once, and a probe from whose lines the compiler reports no
 * error has found what it looks for.
 *
 * A probe begins with a #line that names it. Each sticks to these rules:
 *
 * * It fails where the feature is missing, and for no other reason: everything
 *   else in it is in all kernels from 5.10 on. Headers are included above.
 * * An unknown function is reported only once: each is called in one probe only.
 * * No macros of the kernel around what may fail: that would be reported from the
 *   line of the macro.
 *
 * What the preprocessor can see (macros, headers) needs no probe.
 */
#include <linux/crypto.h>
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>
#include <linux/udp.h>
#include <net/genetlink.h>
#include <net/inet_sock.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/rtnetlink.h>
#include <net/sock.h>
#include <net/udp_tunnel.h>

/* The compiler works, and reports errors as probe expects: these two must fail,
 * the first and the last of all, and the next one must not.
 */
#line 1 "CONTROL_FAILS_FIRST"
static inline int control_fails_first(struct sock *sk)
{
	return sk->ovpn_no_such_member;
}

#line 1 "CONTROL_SUCCEEDS"
static inline int control_succeeds(struct sk_buff *skb)
{
	kfree_skb(skb);
	return 0;
}

/* --- Network devices --- */

/* 5.17 */
#line 1 "HAVE_NETDEVICE_TRACKER"
static inline size_t have_netdevice_tracker(void)
{
	return sizeof(netdevice_tracker);
}

/* 6.0 */
#line 1 "HAVE_NETDEV_HOLD"
static inline void have_netdev_hold(struct net_device *dev)
{
	netdev_hold(dev, NULL, GFP_KERNEL);
}

/* 5.11 */
#line 1 "HAVE_DEV_GET_TSTATS64"
static inline void have_dev_get_tstats64(struct net_device *dev,
					 struct rtnl_link_stats64 *stats)
{
	dev_get_tstats64(dev, stats);
}

/* 5.11 */
#line 1 "HAVE_DEV_SW_NETSTATS_TX_ADD"
static inline void have_dev_sw_netstats_tx_add(struct net_device *dev)
{
	dev_sw_netstats_tx_add(dev, 1, 1);
}

/* 6.7: the core allocates the counters; and later versions of 6.1 */
#line 1 "HAVE_PCPU_STAT_TYPE"
static inline void have_pcpu_stat_type(struct net_device *dev)
{
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
}

/* 6.12: a bit of the device, before that a feature */
#line 1 "HAVE_LLTX"
static inline void have_lltx(struct net_device *dev)
{
	dev->lltx = true;
}

/* Until 6.11: the network core's own since */
#line 1 "HAVE_DEV_XMIT_RECURSION"
static inline void have_dev_xmit_recursion(void)
{
	dev_xmit_recursion_inc();
}

/* 5.13, 6.8 */
#line 1 "HAVE_ETHTOOL_PUTS"
static inline void have_ethtool_puts(u8 **data)
{
	ethtool_puts(data, "text");
}

/* 5.15 */
#line 1 "HAVE_KERNEL_ETHTOOL_COALESCE"
static inline int have_kernel_ethtool_coalesce(const struct ethtool_ops *ops)
{
	return ops->get_coalesce(NULL, NULL, NULL, NULL);
}

/* --- Time --- */

/* 6.13 */
#line 1 "HAVE_HRTIMER_SETUP"
static inline void have_hrtimer_setup(struct hrtimer *timer)
{
	hrtimer_setup(timer, NULL, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
}

/* --- Netlink --- */

/* 6.15 */
#line 1 "HAVE_RTNL_NEWLINK_PARAMS"
static inline struct nlattr **
have_rtnl_newlink_params(struct rtnl_newlink_params *params)
{
	return params->data;
}

#line 1 "HAVE_NEWLINK_PARAMS"
static inline int have_newlink_params(const struct rtnl_link_ops *ops,
				      struct rtnl_newlink_params *params)
{
	return ops->newlink(NULL, params, NULL);
}

/* 6.2 */
#line 1 "HAVE_PRE_DOIT_SPLIT_OPS"
static inline int have_pre_doit_split_ops(const struct genl_family *family,
					  const struct genl_split_ops *ops)
{
	return family->pre_doit(ops, NULL, NULL);
}

/* 6.6 */
#line 1 "HAVE_GENL_INFO_DUMP"
static inline struct nlattr **have_genl_info_dump(struct netlink_callback *cb)
{
	return genl_info_dump(cb)->attrs;
}

/* 6.7 */
#line 1 "HAVE_NLA_PUT_UINT"
static inline int have_nla_put_uint(struct sk_buff *skb)
{
	return nla_put_uint(skb, 1, 1);
}

/* --- Packets --- */

/* 5.12 */
#line 1 "HAVE_NAPI_BUILD_SKB"
static inline struct sk_buff *have_napi_build_skb(void *data)
{
	return napi_build_skb(data, 1024);
}

/* 5.12, and stable releases since */
#line 1 "HAVE_SKB_CSUM_IS_SCTP"
static inline bool have_skb_csum_is_sctp(struct sk_buff *skb)
{
	return skb_csum_is_sctp(skb);
}

/* 5.18 */
#line 1 "HAVE_SKB_SET_DELIVERY_TIME"
static inline void have_skb_set_delivery_time(struct sk_buff *skb)
{
	skb_set_delivery_time(skb, 0, 0);
}

/* 5.17, and more reasons with each version up to 6.1 */
#line 1 "HAVE_SKB_DROP_REASONS"
static inline int have_skb_drop_reasons(struct sk_buff *skb)
{
	static const enum skb_drop_reason used[] = {
		SKB_DROP_REASON_CPU_BACKLOG,
		SKB_DROP_REASON_DEV_READY,
		SKB_DROP_REASON_FULL_RING,
		SKB_DROP_REASON_IP_OUTNOROUTES,
		SKB_DROP_REASON_IP_RPFILTER,
		SKB_DROP_REASON_NOMEM,
		SKB_DROP_REASON_NOT_SPECIFIED,
		SKB_DROP_REASON_NO_SOCKET,
		SKB_DROP_REASON_PKT_TOO_BIG,
		SKB_DROP_REASON_PKT_TOO_SMALL,
		SKB_DROP_REASON_SKB_CSUM,
		SKB_DROP_REASON_SKB_GSO_SEG,
		SKB_DROP_REASON_UNHANDLED_PROTO,
	};

	kfree_skb_reason(skb, used[0]);
	return 0;
}

/* Until 6.2 the other one is not enough on 32 bits and one processor */
#line 1 "HAVE_U64_STATS_FETCH_BEGIN_IRQ"
static inline unsigned int
have_u64_stats_fetch_begin_irq(const struct u64_stats_sync *syncp)
{
	return u64_stats_fetch_begin_irq(syncp);
}

/* --- Routing, UDP tunnels --- */

/* Until 7.0 IPv6 may be a module that is not there */
#line 1 "HAVE_IPV6_STUB"
static inline struct dst_entry *have_ipv6_stub(struct net *net,
					       struct flowi6 *fl)
{
	return ipv6_stub->ipv6_dst_lookup_flow(net, NULL, fl, NULL);
}

/* 7.1 */
#line 1 "HAVE_TUNNEL_SETUP_BY_SOCK"
static inline void have_tunnel_setup_by_sock(struct net *net, struct sock *sk)
{
	setup_udp_tunnel_sock(net, sk, NULL);
}

/* 6.17 */
#line 1 "HAVE_TUNNEL_XMIT_FLAGS"
static inline void have_tunnel_xmit_flags(struct rtable *rt, struct sock *sk,
					  struct sk_buff *skb)
{
	udp_tunnel_xmit_skb(rt, sk, skb, 0, 0, 0, 0, 0, 0, 0, false, false, 0);
}

/* 6.17 */
#line 1 "HAVE_TUNNEL6_XMIT_FLAGS"
static inline void have_tunnel6_xmit_flags(struct dst_entry *dst,
					   struct sock *sk, struct sk_buff *skb)
{
	udp_tunnel6_xmit_skb(dst, sk, skb, NULL, NULL, NULL, 0, 0, 0, 0, 0,
			     false, 0);
}

/* --- Sockets --- */

/* 6.9, and stable releases since: UDP looks for a tunnel's mark at packets that it
 * gives to a tunnel's socket. This has become visible with it.
 */
#line 1 "HAVE_UDP_ENCAP_NEEDED"
static inline bool have_udp_encap_needed(void)
{
	return udp_encap_needed();
}

/* 5.14 */
#line 1 "HAVE_SK_ERROR_REPORT"
static inline void have_sk_error_report(struct sock *sk)
{
	sk_error_report(sk);
}

/* 5.15 */
#line 1 "HAVE_SOCK_IS_READABLE"
static inline bool have_sock_is_readable(const struct proto *prot,
					 struct sock *sk)
{
	return prot->sock_is_readable(sk);
}

/* Until 6.4 */
#line 1 "HAVE_PROTO_SENDPAGE"
static inline void have_proto_sendpage(struct proto *prot)
{
	prot->sendpage = NULL;
}

/* 6.5 */
#line 1 "HAVE_PROTO_IOCTL_KARG"
static inline int have_proto_ioctl_karg(const struct proto *prot, int *karg)
{
	return prot->ioctl(NULL, 0, karg);
}

/* Until 5.18 */
#line 1 "HAVE_PROTO_RECVMSG_NOBLOCK"
static inline int have_proto_recvmsg_noblock(const struct proto *prot,
					     int *addr_len)
{
	return prot->recvmsg(NULL, NULL, 0, 0, 0, addr_len);
}

/* From then on until 6.19 */
#line 1 "HAVE_PROTO_RECVMSG_ADDR_LEN"
static inline int have_proto_recvmsg_addr_len(const struct proto *prot,
					      int *addr_len)
{
	return prot->recvmsg(NULL, NULL, 0, 0, addr_len);
}

/* --- Crypto --- */

/* 6.3 */
#line 1 "HAVE_CRYPTO_DONE_DATA"
static inline void have_crypto_done_data(crypto_completion_t done, char *data)
{
	done(data, 0);
}

#line 1 "CONTROL_FAILS_LAST"
static inline void control_fails_last(struct sock *sk)
{
	ovpn_no_such_function(sk);
}
