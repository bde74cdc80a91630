/* SPDX-License-Identifier: GPL-2.0-only */
/* Which peer the system's routing table leads to. */
#ifndef _OVPN_NEXTHOP_H
#define _OVPN_NEXTHOP_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>

struct ovpn_dev;
struct ovpn_peer;

/**
 * ovpn_inner_transport - what does a packet inside the tunnel carry?
 * @skb: the packet, from its IP header on, skb->protocol checked
 *
 * Context: any.
 * Return: the number of the protocol above IP; or of an IPv6 extension header.
 */
static inline u8 ovpn_inner_transport(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP) ? ip_hdr(skb)->protocol :
						  ipv6_hdr(skb)->nexthdr;
}

__be16 ovpn_inner_protocol(struct sk_buff *skb);
struct ovpn_peer *ovpn_nexthop_peer(struct ovpn_dev *ovpn,
				    const struct sk_buff *skb);
bool ovpn_nexthop_accepts(const struct ovpn_peer *peer,
			  const struct sk_buff *skb);

#endif /* _OVPN_NEXTHOP_H */
