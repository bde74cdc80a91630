/* SPDX-License-Identifier: GPL-2.0-only */
/* Which peer the system's routing table leads to. */
#ifndef _OVPN_NEXTHOP_H
#define _OVPN_NEXTHOP_H

#include <linux/skbuff.h>

struct ovpn_dev;
struct ovpn_peer;

__be16 ovpn_inner_protocol(struct sk_buff *skb);
struct ovpn_peer *ovpn_nexthop_peer(struct ovpn_dev *ovpn,
				    const struct sk_buff *skb);
bool ovpn_nexthop_accepts(const struct ovpn_peer *peer,
			  const struct sk_buff *skb);

#endif /* _OVPN_NEXTHOP_H */
