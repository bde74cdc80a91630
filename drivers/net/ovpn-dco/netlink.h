/* SPDX-License-Identifier: GPL-2.0-only */
/* Netlink: what does not depend on a family's grammar, and the families. */
#ifndef _OVPN_NETLINK_H
#define _OVPN_NETLINK_H

#include <linux/netlink.h>
#include <linux/types.h>

struct genl_family;
struct genl_info;
struct in6_addr;
struct net;
struct ovpn_abi;
struct ovpn_dev;
struct ovpn_peer;
struct sk_buff;

extern const struct ovpn_abi ovpn_abi_v2;
extern const struct ovpn_abi ovpn_abi_27;

int ovpn_netlink_register(void);
void ovpn_netlink_unregister(void);

int ovpn_netlink_v2_register(void);
void ovpn_netlink_v2_unregister(void);
int ovpn_netlink_27_register(void);
void ovpn_netlink_27_unregister(void);

void ovpn_netlink_notify(struct ovpn_dev *ovpn, struct net *net,
			 const struct genl_family *family, unsigned int group,
			 struct sk_buff *msg);
unsigned int ovpn_netlink_room(struct net *net);

int ovpn_netlink_begin(struct genl_info *info, const struct ovpn_abi *abi);
void ovpn_netlink_end(struct genl_info *info);

int ovpn_netlink_peer(struct ovpn_dev *ovpn, u32 id, struct ovpn_peer **peer,
		      struct netlink_ext_ack *extack);
const char *ovpn_netlink_cipher(u32 alg);
bool ovpn_netlink_vpn4(const struct nlattr *attr, struct in6_addr *addr);
bool ovpn_netlink_vpn6(const struct nlattr *attr, struct in6_addr *addr);
int ovpn_netlink_errno(int err);
int ovpn_netlink_socket_errno(int err);

/**
 * typedef ovpn_netlink_put_t - write what is to be said about a peer
 * @skb: the message to append to
 * @peer: the peer
 * @net: the namespace of who asked
 * @portid: who asked
 * @seq: the number of the request
 * @flags: of the netlink header
 *
 * Context: may not sleep.
 * Return: 0 or -EMSGSIZE, and nothing has changed.
 */
typedef int (*ovpn_netlink_put_t)(struct sk_buff *skb,
				  const struct ovpn_peer *peer,
				  struct net *net, u32 portid, u32 seq,
				  int flags);

int ovpn_netlink_del_peer(struct genl_info *info, u32 id);
int ovpn_netlink_get_peer(struct genl_info *info, u32 id,
			  ovpn_netlink_put_t put);
int ovpn_netlink_dump_peers(struct sk_buff *skb, struct netlink_callback *cb,
			    const struct ovpn_abi *abi,
			    ovpn_netlink_put_t put);

/* Does a request lack an attribute? */
#define OVPN_NL_MISSING(tb, attr, name, extack) ({			\
	bool __missing = !(tb)[attr];					\
									\
	if (__missing)							\
		NL_SET_ERR_MSG(extack, "attribute missing: " name);	\
	__missing;							\
})

#endif /* _OVPN_NETLINK_H */
