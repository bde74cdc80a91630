/* SPDX-License-Identifier: GPL-2.0-only */
/* From the device to the transport. */
#ifndef _OVPN_SEND_H
#define _OVPN_SEND_H

#include <linux/netdevice.h>

struct ovpn_peer;

netdev_tx_t ovpn_send(struct sk_buff *skb, struct net_device *dev);
void ovpn_send_keepalive(struct ovpn_peer *peer);

#endif /* _OVPN_SEND_H */
