// SPDX-License-Identifier: GPL-2.0-only
/* Which peer the system's routing table leads to.
 *
 * Networks behind a peer are routes via the peer's VPN address. There is no
 * table of our own.
 */

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/ip6_route.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include "compat/compat.h"
#include "device.h"
#include "nexthop.h"
#include "peer.h"
#include "peer_table.h"

/**
 * ovpn_inner_protocol - which IP version does a packet inside the tunnel have?
 * @skb: the packet, from its IP header on
 *
 * Context: any. May move the packet's head.
 * Return: ETH_P_IP or ETH_P_IPV6 in network order, with the whole fixed header
 * in the linear part; or 0 if it is neither.
 */
__be16 ovpn_inner_protocol(struct sk_buff *skb)
{
	if (unlikely(!pskb_may_pull(skb, sizeof(struct iphdr))))
		return 0;
	if (((struct iphdr *)skb->data)->version == 4)
		return htons(ETH_P_IP);
	if (((struct iphdr *)skb->data)->version == 6 &&
	    pskb_may_pull(skb, sizeof(struct ipv6hdr)))
		return htons(ETH_P_IPV6);
	return 0;
}

/* The next hop on the way to @addr, if that way leads through the tunnel. If
 * the tunnel is in a VRF, so is the way.
 */
static bool lookup_v4(struct ovpn_dev *ovpn, __be32 addr, struct in6_addr *hop)
{
	struct flowi4 fl = {
		.daddr = addr,
		.flowi4_oif = l3mdev_master_ifindex_rcu(ovpn->dev),
	};
	struct rtable *rt;
	bool ours;

	rt = ip_route_output_flow(dev_net(ovpn->dev), &fl, NULL);
	if (IS_ERR(rt))
		return false;
	ours = rt->dst.dev == ovpn->dev;
	if (rt->rt_gw_family == AF_INET6)
		*hop = rt->rt_gw6;
	else
		ipv6_addr_set_v4mapped(rt_nexthop(rt, addr), hop);
	ip_rt_put(rt);
	return ours;
}

#if IS_ENABLED(CONFIG_IPV6)
static bool lookup_v6(struct ovpn_dev *ovpn, const struct in6_addr *addr,
		      struct in6_addr *hop)
{
	struct flowi6 fl = {
		.daddr = *addr,
		.flowi6_oif = l3mdev_master_ifindex_rcu(ovpn->dev),
	};
	struct dst_entry *dst;
	bool ours;

	dst = compat_ip6_dst_lookup_flow(dev_net(ovpn->dev), NULL, &fl, NULL);
	if (IS_ERR(dst))
		return false;
	ours = dst->dev == ovpn->dev;
	*hop = *rt6_nexthop((struct rt6_info *)dst, addr);
	dst_release(dst);
	return ours;
}
#else
static bool lookup_v6(struct ovpn_dev *ovpn, const struct in6_addr *addr,
		      struct in6_addr *hop)
{
	return false;
}
#endif

/* The next hop of the route that the packet came along, if it has one */
static bool hop_of_dst(const struct ovpn_dev *ovpn, const struct sk_buff *skb,
		       struct in6_addr *hop)
{
	const struct dst_entry *dst = skb_dst(skb);
	const struct rtable *rt;

	/* Injected below the IP layer, or redirected from another device */
	if (unlikely(!dst || dst->dev != ovpn->dev))
		return false;

	if (dst->ops->family == AF_INET) {
		if (skb->protocol != htons(ETH_P_IP))
			return false;
		rt = (const struct rtable *)dst;
		if (rt->rt_gw_family == AF_INET6)
			*hop = rt->rt_gw6;
		else
			ipv6_addr_set_v4mapped(rt_nexthop(rt,
							  ip_hdr(skb)->daddr),
					       hop);
		return true;
	}

	if (dst->ops->family != AF_INET6 || skb->protocol != htons(ETH_P_IPV6))
		return false;
	*hop = *rt6_nexthop((const struct rt6_info *)dst,
			    &ipv6_hdr(skb)->daddr);
	return true;
}

/**
 * ovpn_nexthop_peer - which peer is a packet for?
 * @ovpn: the device that it is sent through
 * @skb: the packet, from its IP header on; skb->protocol checked
 *
 * Context: BH off, rcu_read_lock held.
 * Return: the peer, good for this RCU section; or NULL.
 */
struct ovpn_peer *ovpn_nexthop_peer(struct ovpn_dev *ovpn,
				    const struct sk_buff *skb)
{
	struct in6_addr hop;

	if (ovpn->mode == OVPN_MODE_P2P)
		return rcu_dereference(ovpn->peers.p2p);

	if (likely(hop_of_dst(ovpn, skb, &hop)))
		return ovpn_peer_by_vpn_addr(&ovpn->peers, &hop);

	if (skb->protocol == htons(ETH_P_IP) ?
	    !lookup_v4(ovpn, ip_hdr(skb)->daddr, &hop) :
	    !lookup_v6(ovpn, &ipv6_hdr(skb)->daddr, &hop))
		return NULL;
	return ovpn_peer_by_vpn_addr(&ovpn->peers, &hop);
}

/**
 * ovpn_nexthop_accepts - may this packet come from that peer?
 * @peer: who sent it
 * @skb: the packet, from its IP header on; skb->protocol checked
 *
 * The reverse-path check: what we would send to the source address must go to
 * the same peer. The peer's own addresses need no route lookup.
 *
 * Context: BH off, rcu_read_lock held.
 * Return: true if it may.
 */
bool ovpn_nexthop_accepts(const struct ovpn_peer *peer,
			  const struct sk_buff *skb)
{
	const struct ovpn_vpn_addrs *vpn = rcu_dereference(peer->vpn);
	struct ovpn_dev *ovpn = peer->ovpn;
	struct in6_addr source, hop;
	bool found;

	if (ovpn->mode == OVPN_MODE_P2P || READ_ONCE(ovpn->loose_rpf))
		return true;

	if (skb->protocol == htons(ETH_P_IP)) {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &source);
		if (likely(ipv6_addr_equal(&source, &vpn->v4.addr)))
			return true;
		found = lookup_v4(ovpn, ip_hdr(skb)->saddr, &hop);
	} else {
		source = ipv6_hdr(skb)->saddr;
		/* A mapped address on the wire is nobody's. None is what a peer
		 * without IPv6 has, and no place to send to.
		 */
		if (ipv6_addr_v4mapped(&source) || ipv6_addr_any(&source))
			return false;
		if (likely(ipv6_addr_equal(&source, &vpn->v6.addr)))
			return true;
		found = lookup_v6(ovpn, &source, &hop);
	}
	return found && ovpn_peer_by_vpn_addr(&ovpn->peers, &hop) == peer;
}
