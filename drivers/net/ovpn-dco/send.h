/* SPDX-License-Identifier: GPL-2.0-only */
/* From the device to the transport. */
#ifndef _OVPN_SEND_H
#define _OVPN_SEND_H

#include <linux/atomic.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct ovpn_dev;
struct ovpn_peer;

/**
 * struct ovpn_send_cb - in skb->cb of a packet from the route to the transport
 * @pending: of a train, packets in it that are not sealed yet, and one for
 *	whoever submits them
 * @err: of a train, why one of them could not be sealed, or 0
 * @tos: traffic class for the outer packet
 */
struct ovpn_send_cb {
	atomic_t pending;
	int err;
	u8 tos;
};

static inline struct ovpn_send_cb *ovpn_send_cb(const struct sk_buff *skb)
{
	return (struct ovpn_send_cb *)skb->cb;
}

unsigned int ovpn_send_held(struct ovpn_dev *ovpn, struct sk_buff_head *held);
netdev_tx_t ovpn_send(struct sk_buff *skb, struct net_device *dev);
void ovpn_send_keepalive(struct ovpn_peer *peer);

#endif /* _OVPN_SEND_H */
