// SPDX-License-Identifier: GPL-2.0-only
/* The netlink family of OpenVPN 2.7, "ovpn": its attribute grammar, its replies
 * and its notifications, as of the driver that comes with Linux 6.16 and later.
 *
 * OpenVPN 2.7 exits on ENOMEM, ENOBUFS and ENODEV as 2.6 does. It shows the
 * extack text: every refusal has one.
 */

#include <linux/genetlink.h>
#include <net/genetlink.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <uapi/linux/ovpn.h>

#include "compat/compat.h"
#include "device.h"
#include "keys.h"
#include "netlink.h"
#include "peer.h"
#include "peer_table.h"
#include "transport.h"
#include "wire.h"

enum { GROUP_PEERS };

/* The headers that the kernel's own driver leaves room for: IPv6, TCP or UDP, the
 * length of a packet in TCP, and OpenVPN's
 */
#define OVERHEAD		(40 + 20 + OVPN_HEADER_LEN)

#define KEEPALIVE_MAX		86400
#define CIPHER_KEY_MAX		256

static struct genl_family ovpn_27_family;

/* --- Policies ------------------------------------------------------------ */

/* Not const, because they are not in older kernels' policies */
static struct netlink_range_validation peer_id_range = {
	.max = OVPN_PEER_ID_MAX,
};

static struct netlink_range_validation keepalive_range = {
	.max = KEEPALIVE_MAX,
};

#define PEER_ID_POLICY		NLA_POLICY_FULL_RANGE(NLA_U32, &peer_id_range)
#define KEEPALIVE_POLICY	NLA_POLICY_FULL_RANGE(NLA_U32, &keepalive_range)
#define IPV6_POLICY		NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr))
/* The same in both byte orders */
#define PORT_POLICY		NLA_POLICY_MIN(NLA_U16, 1)
#define SLOT_POLICY		\
	NLA_POLICY_MAX(NLA_U32, __OVPN_KEY_SLOT_AFTER_LAST - 1)

/* What can be said about a peer when it is added and later on */
#define PEER_POLICY							\
	[OVPN27_A_PEER_ID] = PEER_ID_POLICY,				\
	[OVPN27_A_PEER_REMOTE_IPV4] = { .type = NLA_U32 },		\
	[OVPN27_A_PEER_REMOTE_IPV6] = IPV6_POLICY,			\
	[OVPN27_A_PEER_REMOTE_IPV6_SCOPE_ID] = { .type = NLA_U32 },	\
	[OVPN27_A_PEER_REMOTE_PORT] = PORT_POLICY,			\
	[OVPN27_A_PEER_VPN_IPV4] = { .type = NLA_U32 },			\
	[OVPN27_A_PEER_VPN_IPV6] = IPV6_POLICY,				\
	[OVPN27_A_PEER_LOCAL_IPV4] = { .type = NLA_U32 },		\
	[OVPN27_A_PEER_LOCAL_IPV6] = IPV6_POLICY,			\
	[OVPN27_A_PEER_KEEPALIVE_INTERVAL] = KEEPALIVE_POLICY,		\
	[OVPN27_A_PEER_KEEPALIVE_TIMEOUT] = KEEPALIVE_POLICY,		\
	[OVPN27_A_PEER_TX_ID] = PEER_ID_POLICY

static const struct nla_policy peer_new_nest[OVPN27_A_PEER_MAX + 1] = {
	PEER_POLICY,
	[OVPN27_A_PEER_SOCKET] = { .type = NLA_U32 },
};

static const struct nla_policy peer_set_nest[OVPN27_A_PEER_MAX + 1] = {
	PEER_POLICY,
};

/* PEER_GET and PEER_DEL */
static const struct nla_policy peer_id_nest[OVPN27_A_PEER_MAX + 1] = {
	[OVPN27_A_PEER_ID] = PEER_ID_POLICY,
};

static const struct nla_policy keydir_nest[OVPN27_A_KEYDIR_MAX + 1] = {
	[OVPN27_A_KEYDIR_CIPHER_KEY] = NLA_POLICY_MAX(NLA_BINARY,
						      CIPHER_KEY_MAX),
	[OVPN27_A_KEYDIR_NONCE_TAIL] =
		NLA_POLICY_EXACT_LEN(OVPN27_NONCE_TAIL_SIZE),
};

static const struct nla_policy key_new_nest[OVPN27_A_KEYCONF_MAX + 1] = {
	[OVPN27_A_KEYCONF_PEER_ID] = PEER_ID_POLICY,
	[OVPN27_A_KEYCONF_SLOT] = SLOT_POLICY,
	[OVPN27_A_KEYCONF_KEY_ID] = NLA_POLICY_MAX(NLA_U32, OVPN_KEY_ID_MAX),
	[OVPN27_A_KEYCONF_CIPHER_ALG] =
		NLA_POLICY_MAX(NLA_U32, OVPN_CIPHER_ALG_CHACHA20_POLY1305),
	[OVPN27_A_KEYCONF_ENCRYPT_DIR] = NLA_POLICY_NESTED(keydir_nest),
	[OVPN27_A_KEYCONF_DECRYPT_DIR] = NLA_POLICY_NESTED(keydir_nest),
};

static const struct nla_policy key_get_nest[OVPN27_A_KEYCONF_MAX + 1] = {
	[OVPN27_A_KEYCONF_PEER_ID] = PEER_ID_POLICY,
	[OVPN27_A_KEYCONF_SLOT] = SLOT_POLICY,
};

static const struct nla_policy key_swap_nest[OVPN27_A_KEYCONF_MAX + 1] = {
	[OVPN27_A_KEYCONF_PEER_ID] = PEER_ID_POLICY,
};

/* The slot is one byte if OpenVPN's third edition asks: see get_slot() */
static const struct nla_policy key_del_nest[OVPN27_A_KEYCONF_MAX + 1] = {
	[OVPN27_A_KEYCONF_PEER_ID] = PEER_ID_POLICY,
	[OVPN27_A_KEYCONF_SLOT] = NLA_POLICY_MAX(NLA_BINARY, sizeof(u32)),
};

#define DEFINE_POLICY(name, attr, nest)					\
static const struct nla_policy name[OVPN27_A_MAX + 1] = {		\
	[OVPN27_A_IFINDEX] = { .type = NLA_U32 },			\
	[attr] = NLA_POLICY_NESTED(nest),				\
}

DEFINE_POLICY(peer_new_policy, OVPN27_A_PEER, peer_new_nest);
DEFINE_POLICY(peer_set_policy, OVPN27_A_PEER, peer_set_nest);
DEFINE_POLICY(peer_id_policy, OVPN27_A_PEER, peer_id_nest);
DEFINE_POLICY(key_new_policy, OVPN27_A_KEYCONF, key_new_nest);
DEFINE_POLICY(key_get_policy, OVPN27_A_KEYCONF, key_get_nest);
DEFINE_POLICY(key_swap_policy, OVPN27_A_KEYCONF, key_swap_nest);
DEFINE_POLICY(key_del_policy, OVPN27_A_KEYCONF, key_del_nest);

/* --- Requests ------------------------------------------------------------ */

/* Does a nest lack an attribute? */
#define MISSING(tb, nest, attr, name, extack) ({			\
	struct netlink_ext_ack *__ack = (extack);			\
	int __attr = (attr);						\
	bool __miss = OVPN_NL_MISSING(tb, __attr, name, __ack);	\
									\
	if (__miss)							\
		NL_SET_ERR_ATTR_MISS(__ack, nest, __attr);		\
	__miss;								\
})

static int v27_pre_doit(const struct compat_genl_split_ops *ops,
			struct sk_buff *skb, struct genl_info *info)
{
	return ovpn_netlink_begin(info, &ovpn_abi_27);
}

static void v27_post_doit(const struct compat_genl_split_ops *ops,
			  struct sk_buff *skb, struct genl_info *info)
{
	ovpn_netlink_end(info);
}

/* Take the PEER of a request apart, which must say which one; @tb has room for all
 * its attributes
 */
static int parse_peer(struct genl_info *info, struct nlattr **tb,
		      const struct nla_policy *policy)
{
	struct netlink_ext_ack *extack = info->extack;
	struct nlattr *nest;
	int err;

	if (MISSING(info->attrs, NULL, OVPN27_A_PEER, "PEER", extack))
		return -EINVAL;
	nest = info->attrs[OVPN27_A_PEER];
	err = nla_parse_nested(tb, OVPN27_A_PEER_MAX, nest, policy, extack);
	if (err)
		return err;
	return MISSING(tb, nest, OVPN27_A_PEER_ID, "ID", extack) ? -EINVAL : 0;
}

/* Likewise its KEYCONF */
static int parse_keyconf(struct genl_info *info, struct nlattr **tb,
			 const struct nla_policy *policy)
{
	struct netlink_ext_ack *extack = info->extack;
	struct nlattr *nest;
	int err;

	if (MISSING(info->attrs, NULL, OVPN27_A_KEYCONF, "KEYCONF", extack))
		return -EINVAL;
	nest = info->attrs[OVPN27_A_KEYCONF];
	err = nla_parse_nested(tb, OVPN27_A_KEYCONF_MAX, nest, policy, extack);
	if (err)
		return err;
	return MISSING(tb, nest, OVPN27_A_KEYCONF_PEER_ID, "PEER_ID", extack) ?
	       -EINVAL : 0;
}

/* *peer is NULL, and the answer 0, if it is gone since a moment ago */
static int find_peer(struct genl_info *info, const struct nlattr *id,
		     struct ovpn_peer **peer)
{
	return ovpn_netlink_peer(info->user_ptr[0], nla_get_u32(id), peer,
				 info->extack);
}

static int parse_remote(struct ovpn_peer_params *params, struct nlattr **tb,
			struct netlink_ext_ack *extack)
{
	const struct nlattr *v4 = tb[OVPN27_A_PEER_REMOTE_IPV4];
	const struct nlattr *v6 = tb[OVPN27_A_PEER_REMOTE_IPV6];
	const struct nlattr *port = tb[OVPN27_A_PEER_REMOTE_PORT];
	const struct nlattr *scope = tb[OVPN27_A_PEER_REMOTE_IPV6_SCOPE_ID];
	const struct nlattr *addr = v4 ?: v6;

	if (v4 && v6) {
		NL_SET_ERR_MSG_ATTR(extack, v6,
				    "more than one remote address");
		return -EINVAL;
	}
	if (scope && !v6) {
		NL_SET_ERR_MSG_ATTR(extack, scope,
				    "scope id without a remote IPv6 address");
		return -EINVAL;
	}
	if (!addr != !port) {
		NL_SET_ERR_MSG(extack,
			       "a remote address needs a port, and a port an address");
		return -EINVAL;
	}
	if (addr)
		ovpn_sockaddr_set(&params->remote, nla_data(addr),
				  nla_len(addr), scope ? nla_get_u32(scope) : 0,
				  nla_get_be16(port));
	return 0;
}

static int parse_local(struct ovpn_peer_params *params, struct nlattr **tb,
		       struct netlink_ext_ack *extack)
{
	const struct nlattr *v4 = tb[OVPN27_A_PEER_LOCAL_IPV4];
	const struct nlattr *v6 = tb[OVPN27_A_PEER_LOCAL_IPV6];
	const struct nlattr *addr = v4 ?: v6;

	if ((v4 && !tb[OVPN27_A_PEER_REMOTE_IPV4]) ||
	    (v6 && !tb[OVPN27_A_PEER_REMOTE_IPV6])) {
		NL_SET_ERR_MSG_ATTR(extack, addr,
				    "local address without a remote one of its family");
		return -EINVAL;
	}
	if (addr && !ovpn_local_parse(&params->local, nla_data(addr),
				      nla_len(addr), &params->remote)) {
		NL_SET_ERR_MSG_ATTR(extack, addr,
				    "local address is not of the remote's family");
		return -EINVAL;
	}
	return 0;
}

static int parse_vpn_addrs(const struct ovpn_dev *ovpn,
			   struct ovpn_peer_params *params, struct nlattr **tb,
			   struct netlink_ext_ack *extack)
{
	const struct nlattr *v4 = tb[OVPN27_A_PEER_VPN_IPV4];
	const struct nlattr *v6 = tb[OVPN27_A_PEER_VPN_IPV6];

	if (ovpn->mode == OVPN_MODE_P2P && (v4 || v6)) {
		NL_SET_ERR_MSG_ATTR(extack, v4 ?: v6,
				    "the peer of a point-to-point device has no VPN address");
		return -EINVAL;
	}
	if (v4 && (!ovpn_netlink_vpn4(v4, &params->vpn4) ||
		   ipv6_addr_any(&params->vpn4))) {
		NL_SET_ERR_MSG_ATTR(extack, v4, "not a unicast IPv4 address");
		return -EADDRNOTAVAIL;
	}
	if (v6 && (!ovpn_netlink_vpn6(v6, &params->vpn6) ||
		   ipv6_addr_any(&params->vpn6))) {
		NL_SET_ERR_MSG_ATTR(extack, v6, "not a unicast IPv6 address");
		return -EADDRNOTAVAIL;
	}
	return 0;
}

static int parse_keepalive(struct ovpn_peer_params *params, struct nlattr **tb,
			   struct netlink_ext_ack *extack)
{
	const struct nlattr *interval = tb[OVPN27_A_PEER_KEEPALIVE_INTERVAL];
	const struct nlattr *timeout = tb[OVPN27_A_PEER_KEEPALIVE_TIMEOUT];

	if (!interval != !timeout) {
		NL_SET_ERR_MSG_ATTR(extack, interval ?: timeout,
				    "keepalive needs both an interval and a timeout");
		return -EINVAL;
	}
	if (!interval)
		return 0;

	params->set_keepalive = true;
	/* One without the other is neither */
	if (nla_get_u32(interval) && nla_get_u32(timeout)) {
		params->keepalive_interval = nla_get_u32(interval);
		params->keepalive_timeout = nla_get_u32(timeout);
	}
	return 0;
}

/* What PEER_NEW and PEER_SET have in common */
static int parse_params(const struct ovpn_dev *ovpn,
			struct ovpn_peer_params *params, struct nlattr **tb,
			struct netlink_ext_ack *extack)
{
	int err;

	params->id = nla_get_u32(tb[OVPN27_A_PEER_ID]);
	if (tb[OVPN27_A_PEER_TX_ID])
		params->tx_id = nla_get_u32(tb[OVPN27_A_PEER_TX_ID]);

	err = parse_remote(params, tb, extack);
	if (err)
		return err;
	err = parse_local(params, tb, extack);
	if (err)
		return err;
	err = parse_vpn_addrs(ovpn, params, tb, extack);
	if (err)
		return err;
	return parse_keepalive(params, tb, extack);
}

static int v27_peer_new(struct sk_buff *skb, struct genl_info *info)
{
	struct netlink_ext_ack *extack = info->extack;
	struct nlattr *tb[OVPN27_A_PEER_MAX + 1];
	struct ovpn_dev *ovpn = info->user_ptr[0];
	struct ovpn_peer_params params = {};
	int err;

	err = parse_peer(info, tb, peer_new_nest);
	if (err)
		return err;
	if (MISSING(tb, info->attrs[OVPN27_A_PEER], OVPN27_A_PEER_SOCKET,
		    "SOCKET", extack))
		return -EINVAL;
	params.request = skb;
	params.fd = nla_get_u32(tb[OVPN27_A_PEER_SOCKET]);
	params.tx_id = nla_get_u32(tb[OVPN27_A_PEER_ID]);
	/* A TCP connection knows where it goes. OpenVPN's third edition says it
	 * all the same, which does no harm.
	 */
	err = parse_params(ovpn, &params, tb, extack);
	if (err)
		return err;
	if (ovpn->mode == OVPN_MODE_MP && ipv6_addr_any(&params.vpn4) &&
	    ipv6_addr_any(&params.vpn6)) {
		NL_SET_ERR_MSG(extack,
			       "a peer of a multi-peer device needs a VPN address");
		return -EINVAL;
	}
	return ovpn_netlink_socket_errno(ovpn_peer_new(ovpn, &params, extack));
}

static int v27_peer_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN27_A_PEER_MAX + 1];
	struct ovpn_dev *ovpn = info->user_ptr[0];
	struct ovpn_peer_params params = {};
	struct ovpn_peer *peer;
	int err;

	err = parse_peer(info, tb, peer_set_nest);
	if (err)
		return err;
	err = find_peer(info, tb[OVPN27_A_PEER_ID], &peer);
	if (err || !peer)
		return err;

	params.tx_id = peer->tx_id;
	err = parse_params(ovpn, &params, tb, info->extack);
	if (!err)
		err = ovpn_peer_change(peer, &params, info->extack);
	ovpn_peer_put(peer);
	/* Expired while we worked: as if it had a moment ago */
	if (err == -ESTALE)
		return 0;
	return ovpn_netlink_errno(err);
}

static int v27_peer_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN27_A_PEER_MAX + 1];
	int err;

	err = parse_peer(info, tb, peer_id_nest);
	if (err)
		return err;
	return ovpn_netlink_del_peer(info, nla_get_u32(tb[OVPN27_A_PEER_ID]));
}

static int parse_keydir(struct ovpn_key_direction *dir, struct nlattr *nest,
			struct netlink_ext_ack *extack)
{
	struct nlattr *tb[OVPN27_A_KEYDIR_MAX + 1];
	int err;

	err = nla_parse_nested(tb, OVPN27_A_KEYDIR_MAX, nest, keydir_nest,
			       extack);
	if (err)
		return err;
	if (MISSING(tb, nest, OVPN27_A_KEYDIR_CIPHER_KEY, "CIPHER_KEY",
		    extack) ||
	    MISSING(tb, nest, OVPN27_A_KEYDIR_NONCE_TAIL, "NONCE_TAIL", extack))
		return -EINVAL;

	dir->key = nla_data(tb[OVPN27_A_KEYDIR_CIPHER_KEY]);
	dir->key_len = nla_len(tb[OVPN27_A_KEYDIR_CIPHER_KEY]);
	dir->nonce_tail = nla_data(tb[OVPN27_A_KEYDIR_NONCE_TAIL]);
	return 0;
}

static int parse_key(struct ovpn_key_params *params, struct nlattr **tb,
		     struct nlattr *nest, struct netlink_ext_ack *extack)
{
	int err;

	if (MISSING(tb, nest, OVPN27_A_KEYCONF_SLOT, "SLOT", extack) ||
	    MISSING(tb, nest, OVPN27_A_KEYCONF_KEY_ID, "KEY_ID", extack) ||
	    MISSING(tb, nest, OVPN27_A_KEYCONF_CIPHER_ALG, "CIPHER_ALG",
		    extack) ||
	    MISSING(tb, nest, OVPN27_A_KEYCONF_ENCRYPT_DIR, "ENCRYPT_DIR",
		    extack) ||
	    MISSING(tb, nest, OVPN27_A_KEYCONF_DECRYPT_DIR, "DECRYPT_DIR",
		    extack))
		return -EINVAL;

	params->slot = nla_get_u32(tb[OVPN27_A_KEYCONF_SLOT]);
	params->key_id = nla_get_u32(tb[OVPN27_A_KEYCONF_KEY_ID]);
	params->cipher =
		ovpn_netlink_cipher(nla_get_u32(tb[OVPN27_A_KEYCONF_CIPHER_ALG]));
	if (!params->cipher) {
		NL_SET_ERR_MSG_ATTR(extack, tb[OVPN27_A_KEYCONF_CIPHER_ALG],
				    "cipher is neither AES-GCM nor ChaCha20-Poly1305");
		return -EINVAL;
	}

	err = parse_keydir(&params->encrypt, tb[OVPN27_A_KEYCONF_ENCRYPT_DIR],
			   extack);
	if (err)
		return err;
	return parse_keydir(&params->decrypt, tb[OVPN27_A_KEYCONF_DECRYPT_DIR],
			    extack);
}

static int v27_key_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN27_A_KEYCONF_MAX + 1];
	struct ovpn_key_params params;
	struct ovpn_peer *peer;
	int err;

	err = parse_keyconf(info, tb, key_new_nest);
	if (err)
		return err;
	err = parse_key(&params, tb, info->attrs[OVPN27_A_KEYCONF],
			info->extack);
	if (err)
		return err;
	err = find_peer(info, tb[OVPN27_A_KEYCONF_PEER_ID], &peer);
	if (err || !peer)
		return err;

	err = ovpn_keys_install(peer, &params, info->extack);
	ovpn_peer_put(peer);
	/* Expired while we worked: as if it had a moment ago */
	if (err == -ESTALE)
		return 0;
	return ovpn_netlink_errno(err);
}

static int v27_key_swap(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN27_A_KEYCONF_MAX + 1];
	struct ovpn_peer *peer;
	int err;

	err = parse_keyconf(info, tb, key_swap_nest);
	if (err)
		return err;
	err = find_peer(info, tb[OVPN27_A_KEYCONF_PEER_ID], &peer);
	if (err || !peer)
		return err;

	ovpn_keys_swap(&peer->keys);
	ovpn_peer_put(peer);
	return 0;
}

/* Four bytes, or one from OpenVPN's third edition */
static int get_slot(const struct nlattr *attr, unsigned int *slot,
		    struct netlink_ext_ack *extack)
{
	if (nla_len(attr) == sizeof(u32)) {
		*slot = nla_get_u32(attr);
	} else if (nla_len(attr) == sizeof(u8)) {
		*slot = nla_get_u8(attr);
	} else {
		NL_SET_ERR_MSG_ATTR(extack, attr, "invalid attribute length");
		return -EINVAL;
	}
	if (*slot < __OVPN_KEY_SLOT_AFTER_LAST)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr, "integer out of range");
	return -ERANGE;
}

static int v27_key_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN27_A_KEYCONF_MAX + 1];
	struct ovpn_peer *peer;
	unsigned int slot;
	int err;

	err = parse_keyconf(info, tb, key_del_nest);
	if (err)
		return err;
	if (MISSING(tb, info->attrs[OVPN27_A_KEYCONF], OVPN27_A_KEYCONF_SLOT,
		    "SLOT", info->extack))
		return -EINVAL;
	err = get_slot(tb[OVPN27_A_KEYCONF_SLOT], &slot, info->extack);
	if (err)
		return err;
	err = find_peer(info, tb[OVPN27_A_KEYCONF_PEER_ID], &peer);
	if (err || !peer)
		return err;

	ovpn_keys_delete(&peer->keys, slot);
	ovpn_peer_put(peer);
	return 0;
}

/* --- Replies ------------------------------------------------------------- */

/* An address as the one attribute or the other, or not at all if there is none */
static int put_addr(struct sk_buff *skb, int attr_v4, int attr_v6,
		    const struct in6_addr *addr)
{
	const void *bytes;
	size_t len;

	bytes = ovpn_addr_bytes(addr, &len);
	if (!len)
		return 0;
	return nla_put(skb, len == sizeof(*addr) ? attr_v6 : attr_v4, len,
		       bytes);
}

static int put_remote(struct sk_buff *skb, const struct ovpn_sockaddr *remote)
{
	if (!remote->port)
		return 0;
	if (put_addr(skb, OVPN27_A_PEER_REMOTE_IPV4, OVPN27_A_PEER_REMOTE_IPV6,
		     &remote->addr))
		return -EMSGSIZE;
	if (!ipv6_addr_v4mapped(&remote->addr) &&
	    nla_put_u32(skb, OVPN27_A_PEER_REMOTE_IPV6_SCOPE_ID,
			remote->scope_id))
		return -EMSGSIZE;
	return nla_put_net16(skb, OVPN27_A_PEER_REMOTE_PORT, remote->port);
}

/* Context: rcu_read_lock held */
static int put_addrs(struct sk_buff *skb, const struct ovpn_peer *peer)
{
	const struct ovpn_endpoint *ep = rcu_dereference(peer->endpoint);
	const struct ovpn_vpn_addrs *vpn = rcu_dereference(peer->vpn);

	if (put_addr(skb, OVPN27_A_PEER_VPN_IPV4, OVPN27_A_PEER_VPN_IPV6,
		     &vpn->v4.addr) ||
	    put_addr(skb, OVPN27_A_PEER_VPN_IPV4, OVPN27_A_PEER_VPN_IPV6,
		     &vpn->v6.addr) ||
	    put_remote(skb, &ep->remote) ||
	    put_addr(skb, OVPN27_A_PEER_LOCAL_IPV4, OVPN27_A_PEER_LOCAL_IPV6,
		     &ep->local))
		return -EMSGSIZE;
	return nla_put_net16(skb, OVPN27_A_PEER_LOCAL_PORT,
			     inet_sk(peer->socket->sk)->inet_sport);
}

/* Of what went through the tunnel only what is the user's */
static int put_traffic(struct sk_buff *skb, const struct ovpn_peer *peer)
{
	static const struct {
		enum ovpn_traffic_kind kind;
		int without;
		int bytes;
		int packets;
	} counters[] = {
		{ OVPN_VPN_RX, OVPN_OTHER_RX,
		  OVPN27_A_PEER_VPN_RX_BYTES, OVPN27_A_PEER_VPN_RX_PACKETS },
		{ OVPN_VPN_TX, OVPN_OTHER_TX,
		  OVPN27_A_PEER_VPN_TX_BYTES, OVPN27_A_PEER_VPN_TX_PACKETS },
		{ OVPN_LINK_RX, -1,
		  OVPN27_A_PEER_LINK_RX_BYTES, OVPN27_A_PEER_LINK_RX_PACKETS },
		{ OVPN_LINK_TX, -1,
		  OVPN27_A_PEER_LINK_TX_BYTES, OVPN27_A_PEER_LINK_TX_PACKETS },
	};
	struct ovpn_peer_totals sum;
	u64 bytes, packets;
	unsigned int i;

	ovpn_peer_stats_sum(peer->stats, &sum);
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		bytes = sum.traffic[counters[i].kind].bytes;
		packets = sum.traffic[counters[i].kind].packets;
		if (counters[i].without >= 0) {
			/* Which may have been read later, and be ahead */
			bytes -= min(bytes,
				     sum.traffic[counters[i].without].bytes);
			packets -= min(packets,
				       sum.traffic[counters[i].without].packets);
		}
		if (nla_put_uint(skb, counters[i].bytes, bytes) ||
		    nla_put_uint(skb, counters[i].packets, packets))
			return -EMSGSIZE;
	}
	return 0;
}

/* In which of the namespaces that the asker knows by number is the socket? */
static int put_socket_net(struct sk_buff *skb, const struct ovpn_peer *peer,
			  struct net *net)
{
	struct net *of_socket = sock_net(peer->socket->sk);

	if (net_eq(net, of_socket))
		return 0;
	return nla_put_s32(skb, OVPN27_A_PEER_SOCKET_NETNSID,
			   peernet2id_alloc(net, of_socket, GFP_ATOMIC));
}

static int put_peer(struct sk_buff *skb, const struct ovpn_peer *peer,
		    struct net *net)
{
	int err;

	if (put_socket_net(skb, peer, net) ||
	    nla_put_u32(skb, OVPN27_A_PEER_ID, peer->id) ||
	    nla_put_u32(skb, OVPN27_A_PEER_TX_ID, READ_ONCE(peer->tx_id)) ||
	    nla_put_u32(skb, OVPN27_A_PEER_KEEPALIVE_INTERVAL,
			READ_ONCE(peer->keepalive_interval)) ||
	    nla_put_u32(skb, OVPN27_A_PEER_KEEPALIVE_TIMEOUT,
			READ_ONCE(peer->keepalive_timeout)))
		return -EMSGSIZE;
	rcu_read_lock();
	err = put_addrs(skb, peer);
	rcu_read_unlock();
	return err ?: put_traffic(skb, peer);
}

static int put_peer_reply(struct sk_buff *skb, const struct ovpn_peer *peer,
			  struct net *net, u32 portid, u32 seq, int flags)
{
	struct nlattr *nest;
	void *hdr;

	hdr = genlmsg_put(skb, portid, seq, &ovpn_27_family, flags,
			  OVPN27_CMD_PEER_GET);
	if (!hdr)
		return -EMSGSIZE;
	nest = nla_nest_start(skb, OVPN27_A_PEER);
	if (!nest || put_peer(skb, peer, net)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	genlmsg_end(skb, hdr);
	return 0;
}

static int v27_peer_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN27_A_PEER_MAX + 1];
	int err;

	err = parse_peer(info, tb, peer_id_nest);
	if (err)
		return err;
	return ovpn_netlink_get_peer(info, nla_get_u32(tb[OVPN27_A_PEER_ID]),
				     put_peer_reply);
}

static int v27_peer_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr **attrs = compat_genl_dump_attrs(cb);

	if (attrs && attrs[OVPN27_A_PEER]) {
		NL_SET_ERR_MSG_ATTR(cb->extack, attrs[OVPN27_A_PEER],
				    "a dump is of all peers");
		return -EINVAL;
	}
	return ovpn_netlink_dump_peers(skb, cb, &ovpn_abi_27, put_peer_reply);
}

static u32 cipher_alg(const struct ovpn_key_params *params)
{
	u32 alg = OVPN_CIPHER_ALG_AES_GCM;

	return !strcmp(params->cipher, ovpn_netlink_cipher(alg)) ?
	       alg : OVPN_CIPHER_ALG_CHACHA20_POLY1305;
}

static int put_key_reply(struct sk_buff *skb, struct genl_info *info,
			 u32 peer_id, const struct ovpn_key_params *params)
{
	struct nlattr *nest;
	void *hdr;

	hdr = genlmsg_put_reply(skb, info, &ovpn_27_family, 0,
				OVPN27_CMD_KEY_GET);
	if (!hdr)
		return -EMSGSIZE;
	nest = nla_nest_start(skb, OVPN27_A_KEYCONF);
	if (!nest || nla_put_u32(skb, OVPN27_A_KEYCONF_PEER_ID, peer_id) ||
	    nla_put_u32(skb, OVPN27_A_KEYCONF_SLOT, params->slot) ||
	    nla_put_u32(skb, OVPN27_A_KEYCONF_KEY_ID, params->key_id) ||
	    nla_put_u32(skb, OVPN27_A_KEYCONF_CIPHER_ALG, cipher_alg(params)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	genlmsg_end(skb, hdr);
	return 0;
}

/* What is known of the key in a slot, but for the key itself */
static int describe_key(struct genl_info *info, struct nlattr **tb,
			struct ovpn_key_params *params)
{
	struct ovpn_peer *peer;
	bool found;

	peer = ovpn_peer_find(info->user_ptr[0],
			      nla_get_u32(tb[OVPN27_A_KEYCONF_PEER_ID]));
	if (!peer) {
		NL_SET_ERR_MSG(info->extack, "no peer with this id");
		return -ENOENT;
	}
	found = ovpn_keys_describe(&peer->keys,
				   nla_get_u32(tb[OVPN27_A_KEYCONF_SLOT]),
				   params);
	ovpn_peer_put(peer);
	if (!found) {
		NL_SET_ERR_MSG(info->extack, "no key in this slot");
		return -ENOENT;
	}
	return 0;
}

static int v27_key_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN27_A_KEYCONF_MAX + 1];
	struct ovpn_key_params params;
	struct sk_buff *msg;
	int err;

	err = parse_keyconf(info, tb, key_get_nest);
	if (err)
		return err;
	if (MISSING(tb, info->attrs[OVPN27_A_KEYCONF], OVPN27_A_KEYCONF_SLOT,
		    "SLOT", info->extack))
		return -EINVAL;
	err = describe_key(info, tb, &params);
	if (err)
		return err;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg) {
		NL_SET_ERR_MSG(info->extack, "out of memory");
		return ovpn_netlink_errno(-ENOMEM);
	}
	err = put_key_reply(msg, info,
			    nla_get_u32(tb[OVPN27_A_KEYCONF_PEER_ID]),
			    &params);
	if (WARN_ON_ONCE(err)) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/* --- The family ---------------------------------------------------------- */

/* A maximum for all, as long as the policies are: what these do not have is
 * refused all the same
 */
static const struct genl_ops ovpn_27_ops[] = {
	{
		.cmd = OVPN27_CMD_PEER_NEW,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_peer_new,
		.policy = peer_new_policy,
		.maxattr = OVPN27_A_MAX,
	}, {
		.cmd = OVPN27_CMD_PEER_SET,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_peer_set,
		.policy = peer_set_policy,
		.maxattr = OVPN27_A_MAX,
	}, {
		.cmd = OVPN27_CMD_PEER_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_peer_get,
		.dumpit = v27_peer_dump,
		.policy = peer_id_policy,
		.maxattr = OVPN27_A_MAX,
	}, {
		.cmd = OVPN27_CMD_PEER_DEL,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_peer_del,
		.policy = peer_id_policy,
		.maxattr = OVPN27_A_MAX,
	}, {
		.cmd = OVPN27_CMD_KEY_NEW,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_key_new,
		.policy = key_new_policy,
		.maxattr = OVPN27_A_MAX,
	}, {
		.cmd = OVPN27_CMD_KEY_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_key_get,
		.policy = key_get_policy,
		.maxattr = OVPN27_A_MAX,
	}, {
		.cmd = OVPN27_CMD_KEY_SWAP,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_key_swap,
		.policy = key_swap_policy,
		.maxattr = OVPN27_A_MAX,
	}, {
		.cmd = OVPN27_CMD_KEY_DEL,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v27_key_del,
		.policy = key_del_policy,
		.maxattr = OVPN27_A_MAX,
	},
};

static const struct genl_multicast_group ovpn_27_groups[] = {
	[GROUP_PEERS] = { .name = OVPN27_MCGRP_PEERS },
};

/* Parallel, and no request may wait for userspace: see ovpn_v2_family */
static struct genl_family ovpn_27_family __ro_after_init = {
	.name = OVPN27_FAMILY_NAME,
	.version = OVPN27_FAMILY_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.pre_doit = v27_pre_doit,
	.post_doit = v27_post_doit,
	.ops = ovpn_27_ops,
	.n_ops = ARRAY_SIZE(ovpn_27_ops),
	.mcgrps = ovpn_27_groups,
	.n_mcgrps = ARRAY_SIZE(ovpn_27_groups),
	.module = THIS_MODULE,
};

/* --- Notifications ------------------------------------------------------- */

/**
 * struct ntf - a notification being written
 * @msg: the message
 * @hdr: its header
 * @nest: the nest that is open in it
 */
struct ntf {
	struct sk_buff *msg;
	void *hdr;
	struct nlattr *nest;
};

/* Listeners are in the namespace of the socket, which keeps it */
static struct net *listeners_of(const struct ovpn_peer *peer)
{
	return sock_net(peer->socket->sk);
}

/* Begin one whose nest has @size bytes of attributes */
static bool ntf_begin(struct ntf *ntf, const struct ovpn_peer *peer, u8 cmd,
		      int nest, size_t size)
{
	ntf->msg = genlmsg_new(nla_total_size(sizeof(u32)) +	/* IFINDEX */
			       nla_total_size(size), GFP_ATOMIC);
	if (!ntf->msg)
		return false;

	ntf->hdr = genlmsg_put(ntf->msg, 0, 0, &ovpn_27_family, 0, cmd);
	if (!ntf->hdr ||
	    nla_put_u32(ntf->msg, OVPN27_A_IFINDEX, peer->ovpn->dev->ifindex))
		goto err;
	ntf->nest = nla_nest_start(ntf->msg, nest);
	if (ntf->nest)
		return true;

err:
	nlmsg_free(ntf->msg);
	return false;
}

/* Send it, or throw it away if it could not be written. Peer table's lock held. */
static void ntf_end(struct ntf *ntf, const struct ovpn_peer *peer, int err)
{
	if (WARN_ON_ONCE(err)) {
		nlmsg_free(ntf->msg);
		return;
	}
	nla_nest_end(ntf->msg, ntf->nest);
	genlmsg_end(ntf->msg, ntf->hdr);
	ovpn_netlink_notify(peer->ovpn, listeners_of(peer), &ovpn_27_family,
			    GROUP_PEERS, ntf->msg);
}

static unsigned int v27_notify_room(const struct ovpn_peer *peer)
{
	return ovpn_netlink_room(listeners_of(peer));
}

/* Do thousands of peers go at once, and userspace knows why? It has removed the
 * device, or closed their socket: no need to overrun every listener.
 */
static bool goes_without_saying(const struct ovpn_peer *peer,
				enum ovpn_del_peer_reason reason)
{
	return (peer->ovpn->peers.closed ||
		reason == OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT) &&
	       !v27_notify_room(peer);
}

static void v27_peer_deleted(struct ovpn_peer *peer,
			     enum ovpn_del_peer_reason reason)
{
	struct ntf ntf;

	if (goes_without_saying(peer, reason) ||
	    !ntf_begin(&ntf, peer, OVPN27_CMD_PEER_DEL_NTF, OVPN27_A_PEER,
		       nla_total_size(sizeof(u32)) +	/* DEL_REASON */
		       nla_total_size(sizeof(u32))))	/* ID */
		return;
	ntf_end(&ntf, peer,
		nla_put_u32(ntf.msg, OVPN27_A_PEER_DEL_REASON, reason) ?:
		nla_put_u32(ntf.msg, OVPN27_A_PEER_ID, peer->id));
}

static void v27_peer_moved(struct ovpn_peer *peer)
{
	const struct ovpn_endpoint *ep;
	struct ntf ntf;

	ep = rcu_dereference_protected(peer->endpoint,
				       lockdep_is_held(&peer->ovpn->peers.lock));
	if (!ntf_begin(&ntf, peer, OVPN27_CMD_PEER_FLOAT_NTF, OVPN27_A_PEER,
		       nla_total_size(sizeof(u32)) +	/* ID */
		       nla_total_size(sizeof(struct in6_addr)) + /* REMOTE_IPV6 */
		       nla_total_size(sizeof(u32)) +	/* SCOPE_ID */
		       nla_total_size(sizeof(__be16))))	/* REMOTE_PORT */
		return;
	ntf_end(&ntf, peer,
		nla_put_u32(ntf.msg, OVPN27_A_PEER_ID, peer->id) ?:
		put_remote(ntf.msg, &ep->remote));
}

/* OpenVPN negotiates a new key then. It reads two bytes of the key's id. */
static void v27_key_used_up(struct ovpn_peer *peer, u8 key_id)
{
	struct ovpn_peer_table *table = &peer->ovpn->peers;
	struct ntf ntf;

	spin_lock_bh(&table->lock);
	if (peer->published &&
	    ntf_begin(&ntf, peer, OVPN27_CMD_KEY_SWAP_NTF, OVPN27_A_KEYCONF,
		      nla_total_size(sizeof(u32)) +	/* PEER_ID */
		      nla_total_size(sizeof(u16))))	/* KEY_ID */
		ntf_end(&ntf, peer,
			nla_put_u32(ntf.msg, OVPN27_A_KEYCONF_PEER_ID,
				    peer->id) ?:
			nla_put_u16(ntf.msg, OVPN27_A_KEYCONF_KEY_ID, key_id));
	spin_unlock_bh(&table->lock);
}

const struct ovpn_abi ovpn_abi_27 = {
	.kind = OVPN27_LINK_KIND,
	.overhead = OVERHEAD,
	.carrier = true,
	.unique_addrs = true,
	.packets = true,
	.peer_deleted = v27_peer_deleted,
	.peer_moved = v27_peer_moved,
	.key_used_up = v27_key_used_up,
	.notify_room = v27_notify_room,
};

/**
 * ovpn_netlink_27_register - offer the family to userspace
 *
 * Context: process, may sleep.
 * Return: 0 or an errno; -EEXIST if another driver has the name.
 */
int __init ovpn_netlink_27_register(void)
{
	return genl_register_family(&ovpn_27_family);
}

/**
 * ovpn_netlink_27_unregister - take the family back
 *
 * Context: process, may sleep; no device of its kind may exist any more.
 */
void ovpn_netlink_27_unregister(void)
{
	genl_unregister_family(&ovpn_27_family);
}
