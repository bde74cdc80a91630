/* SPDX-License-Identifier: GPL-2.0-only */
/* Pings to silent peers, and the end of peers that went silent. */
#ifndef _OVPN_KEEPALIVE_H
#define _OVPN_KEEPALIVE_H

#include <linux/types.h>

struct ovpn_dev;
struct ovpn_peer;

void ovpn_keepalive_init(struct ovpn_dev *ovpn);
void ovpn_keepalive_stop(struct ovpn_dev *ovpn);
void ovpn_keepalive_set(struct ovpn_peer *peer, u32 interval, u32 timeout);
void ovpn_keepalive_wake(struct ovpn_dev *ovpn, u32 wait);

#endif /* _OVPN_KEEPALIVE_H */
