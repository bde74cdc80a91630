/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets that fit the path to the peer. */
#ifndef _OVPN_MTU_H
#define _OVPN_MTU_H

#include <linux/in.h>
#include <linux/skbuff.h>

#include "nexthop.h"

struct ovpn_peer;

void ovpn_mtu_clamp_tcp(struct ovpn_peer *peer, struct sk_buff *skb);

/**
 * ovpn_mtu_clamp_mss - ovpn_mss_clamp() to what the path to a peer carries
 * @peer: where the packet goes, or comes from: both ends of a connection have to
 *	know
 * @skb: the packet, as for ovpn_mss_clamp()
 *
 * Context: BH off, rcu_read_lock held.
 */
static inline void ovpn_mtu_clamp_mss(struct ovpn_peer *peer,
				      struct sk_buff *skb)
{
	if (ovpn_inner_transport(skb) == IPPROTO_TCP)
		ovpn_mtu_clamp_tcp(peer, skb);
}

bool ovpn_mtu_fits(struct ovpn_peer *peer, struct sk_buff *skb);

void ovpn_mss_clamp(struct sk_buff *skb, unsigned int mtu);

#endif /* _OVPN_MTU_H */
