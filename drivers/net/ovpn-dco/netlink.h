/* SPDX-License-Identifier: GPL-2.0-only */
/* Netlink: what does not depend on a family's grammar, and the families. */
#ifndef _OVPN_NETLINK_H
#define _OVPN_NETLINK_H

#include <linux/types.h>

struct genl_family;
struct netlink_ext_ack;
struct ovpn_dev;
struct ovpn_peer;
struct sk_buff;

extern const struct ovpn_abi ovpn_abi_v2;

int ovpn_netlink_register(void);
void ovpn_netlink_unregister(void);

int ovpn_netlink_v2_register(void);
void ovpn_netlink_v2_unregister(void);

void ovpn_netlink_notify(struct ovpn_dev *ovpn,
			 const struct genl_family *family, unsigned int group,
			 struct sk_buff *msg);
unsigned int ovpn_netlink_room(struct ovpn_dev *ovpn);

int ovpn_netlink_peer(struct ovpn_dev *ovpn, u32 id, struct ovpn_peer **peer,
		      struct netlink_ext_ack *extack);

#endif /* _OVPN_NETLINK_H */
