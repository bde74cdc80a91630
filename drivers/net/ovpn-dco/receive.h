/* SPDX-License-Identifier: GPL-2.0-only */
/* From the transport to the device. */
#ifndef _OVPN_RECEIVE_H
#define _OVPN_RECEIVE_H

#include <linux/skbuff.h>

struct ovpn_dev;
struct ovpn_peer;

void ovpn_receive(struct ovpn_peer *peer, struct sk_buff_head *pkts);
void ovpn_receive_prepare(struct ovpn_dev *ovpn, struct sk_buff *skb);
void ovpn_receive_part(struct ovpn_peer *peer, struct sk_buff *from,
		       unsigned int offset, unsigned int len);

#endif /* _OVPN_RECEIVE_H */
