/* SPDX-License-Identifier: GPL-2.0-only */
/* From the transport to the device. */
#ifndef _OVPN_RECEIVE_H
#define _OVPN_RECEIVE_H

#include <linux/skbuff.h>

struct ovpn_peer;

void ovpn_receive(struct ovpn_peer *peer, struct sk_buff_head *pkts);

#endif /* _OVPN_RECEIVE_H */
