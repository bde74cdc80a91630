/* SPDX-License-Identifier: GPL-2.0-only */
/* Large datagrams: what the network stack has merged is taken in as it is. */
#ifndef _OVPN_GRO_H
#define _OVPN_GRO_H

#include <linux/skbuff.h>

struct net_device;
struct ovpn_dev;
struct ovpn_socket;

void ovpn_gro_attach(struct ovpn_socket *os);
void ovpn_gro_detach(struct ovpn_socket *os);
void ovpn_gro_requeue(struct ovpn_dev *ovpn, const struct sk_buff *large,
		      struct net_device *dev, unsigned int offset,
		      unsigned int len);

int ovpn_gro_register(void);
void ovpn_gro_unregister(void);

#endif /* _OVPN_GRO_H */
