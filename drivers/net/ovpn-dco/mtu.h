/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets that fit the path to the peer. */
#ifndef _OVPN_MTU_H
#define _OVPN_MTU_H

#include <linux/skbuff.h>

struct ovpn_peer;

void ovpn_mtu_clamp_mss(struct ovpn_peer *peer, struct sk_buff *skb);
bool ovpn_mtu_fits(struct ovpn_peer *peer, struct sk_buff *skb);

void ovpn_mss_clamp(struct sk_buff *skb, unsigned int mtu);

#endif /* _OVPN_MTU_H */
