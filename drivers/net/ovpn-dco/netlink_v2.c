// SPDX-License-Identifier: GPL-2.0-only
/* The netlink family of OpenVPN 2.6, "ovpn-dco-v2": its attribute grammar and
 * its replies.
 *
 * OpenVPN 2.6 exits on ENOMEM, ENOBUFS and ENODEV, so these are only answered
 * where the device is really gone. It shows no extack text, but its successors
 * and other tools do: every refusal has one.
 */

#include <linux/genetlink.h>
#include <linux/inet.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <uapi/linux/ovpn_dco.h>

#include "compat/compat.h"
#include "device.h"
#include "keepalive.h"
#include "keys.h"
#include "netlink.h"
#include "peer.h"
#include "peer_table.h"
#include "transport.h"

enum { GROUP_PEERS };

static struct genl_family ovpn_v2_family;

#define SLOT_POLICY	NLA_POLICY_MAX(NLA_U8, __OVPN_KEY_SLOT_AFTER_LAST - 1)

static const struct nla_policy
key_dir_policy[OVPN_KEY_DIR_ATTR_MAX + 1] = {
	[OVPN_KEY_DIR_ATTR_CIPHER_KEY] = NLA_POLICY_MAX(NLA_BINARY, U8_MAX),
	[OVPN_KEY_DIR_ATTR_NONCE_TAIL] = { .type = NLA_BINARY },
};

static const struct nla_policy
new_key_policy[OVPN_NEW_KEY_ATTR_MAX + 1] = {
	[OVPN_NEW_KEY_ATTR_PEER_ID] = { .type = NLA_U32 },
	[OVPN_NEW_KEY_ATTR_KEY_SLOT] = SLOT_POLICY,
	[OVPN_NEW_KEY_ATTR_KEY_ID] = { .type = NLA_U8 },
	[OVPN_NEW_KEY_ATTR_CIPHER_ALG] = { .type = NLA_U16 },
	[OVPN_NEW_KEY_ATTR_ENCRYPT_KEY] = NLA_POLICY_NESTED(key_dir_policy),
	[OVPN_NEW_KEY_ATTR_DECRYPT_KEY] = NLA_POLICY_NESTED(key_dir_policy),
};

static const struct nla_policy
del_key_policy[OVPN_DEL_KEY_ATTR_MAX + 1] = {
	[OVPN_DEL_KEY_ATTR_PEER_ID] = { .type = NLA_U32 },
	[OVPN_DEL_KEY_ATTR_KEY_SLOT] = SLOT_POLICY,
};

static const struct nla_policy
swap_keys_policy[OVPN_SWAP_KEYS_ATTR_MAX + 1] = {
	[OVPN_SWAP_KEYS_ATTR_PEER_ID] = { .type = NLA_U32 },
};

static const struct nla_policy
new_peer_policy[OVPN_NEW_PEER_ATTR_MAX + 1] = {
	[OVPN_NEW_PEER_ATTR_PEER_ID] = { .type = NLA_U32 },
	[OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE] =
		NLA_POLICY_MIN_LEN(sizeof(struct sockaddr)),
	[OVPN_NEW_PEER_ATTR_SOCKET] = { .type = NLA_U32 },
	[OVPN_NEW_PEER_ATTR_IPV4] = { .type = NLA_U32 },
	[OVPN_NEW_PEER_ATTR_IPV6] =
		NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[OVPN_NEW_PEER_ATTR_LOCAL_IP] =
		NLA_POLICY_MAX(NLA_BINARY, sizeof(struct in6_addr)),
};

static const struct nla_policy
set_peer_policy[OVPN_SET_PEER_ATTR_MAX + 1] = {
	[OVPN_SET_PEER_ATTR_PEER_ID] = { .type = NLA_U32 },
	[OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL] = { .type = NLA_U32 },
	[OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT] = { .type = NLA_U32 },
};

static const struct nla_policy
del_peer_policy[OVPN_DEL_PEER_ATTR_MAX + 1] = {
	[OVPN_DEL_PEER_ATTR_REASON] =
		NLA_POLICY_MAX(NLA_U8, __OVPN_DEL_PEER_REASON_AFTER_LAST - 1),
	[OVPN_DEL_PEER_ATTR_PEER_ID] = { .type = NLA_U32 },
};

static const struct nla_policy
get_peer_policy[OVPN_GET_PEER_ATTR_MAX + 1] = {
	[OVPN_GET_PEER_ATTR_PEER_ID] = { .type = NLA_U32 },
};

static const struct nla_policy ovpn_v2_policy[OVPN_ATTR_MAX + 1] = {
	[OVPN_ATTR_IFINDEX] = { .type = NLA_U32 },
	[OVPN_ATTR_NEW_PEER] = NLA_POLICY_NESTED(new_peer_policy),
	[OVPN_ATTR_SET_PEER] = NLA_POLICY_NESTED(set_peer_policy),
	[OVPN_ATTR_DEL_PEER] = NLA_POLICY_NESTED(del_peer_policy),
	[OVPN_ATTR_NEW_KEY] = NLA_POLICY_NESTED(new_key_policy),
	[OVPN_ATTR_SWAP_KEYS] = NLA_POLICY_NESTED(swap_keys_policy),
	[OVPN_ATTR_DEL_KEY] = NLA_POLICY_NESTED(del_key_policy),
	[OVPN_ATTR_GET_PEER] = NLA_POLICY_NESTED(get_peer_policy),
};

/* The policies leave this to us: they would answer -ERANGE */
static int get_peer_id(const struct nlattr *attr, u32 *id,
		       struct netlink_ext_ack *extack)
{
	if (!attr) {
		NL_SET_ERR_MSG(extack, "attribute missing: PEER_ID");
		return -EINVAL;
	}
	*id = nla_get_u32(attr);
	if (*id > OVPN_PEER_ID_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "peer id is above 24 bits");
		return -EINVAL;
	}
	return 0;
}

static int v2_pre_doit(const struct compat_genl_split_ops *ops, struct sk_buff *skb,
		       struct genl_info *info)
{
	return ovpn_netlink_begin(info, &ovpn_abi_v2);
}

static void v2_post_doit(const struct compat_genl_split_ops *ops, struct sk_buff *skb,
			 struct genl_info *info)
{
	ovpn_netlink_end(info);
}

/* Take the nest of a command apart */
static int parse_nest(struct genl_info *info, unsigned int type,
		      struct nlattr **tb, unsigned int max,
		      const struct nla_policy *policy)
{
	if (OVPN_NL_MISSING(info->attrs, type, "the command's own nest",
			    info->extack))
		return -EINVAL;
	return nla_parse_nested(tb, max, info->attrs[type], policy,
				info->extack);
}

static int parse_vpn_addrs(struct ovpn_peer_params *params, struct nlattr **tb,
			   struct netlink_ext_ack *extack)
{
	struct nlattr *attr;

	attr = tb[OVPN_NEW_PEER_ATTR_IPV4];
	if (attr && !ovpn_netlink_vpn4(attr, &params->vpn4)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "not a unicast IPv4 address");
		return -EINVAL;
	}
	attr = tb[OVPN_NEW_PEER_ATTR_IPV6];
	if (attr && !ovpn_netlink_vpn6(attr, &params->vpn6)) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "not a unicast IPv6 address");
		return -EINVAL;
	}
	return 0;
}

static int parse_endpoint(struct ovpn_peer_params *params, struct nlattr **tb,
			  struct netlink_ext_ack *extack)
{
	struct nlattr *attr;

	/* A TCP connection knows where it goes: ovpn_peer_new() tells */
	attr = tb[OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE];
	if (!attr)
		return 0;
	if (!ovpn_sockaddr_parse(&params->remote, nla_data(attr),
				 nla_len(attr)) || !params->remote.port) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "not a sockaddr_in or sockaddr_in6 with a port");
		return -EINVAL;
	}

	attr = tb[OVPN_NEW_PEER_ATTR_LOCAL_IP];
	if (attr && !ovpn_local_parse(&params->local, nla_data(attr),
				      nla_len(attr), &params->remote)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "local address is not of the remote's family");
		return -EINVAL;
	}
	return 0;
}

static int v2_new_peer(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN_NEW_PEER_ATTR_MAX + 1];
	struct netlink_ext_ack *extack = info->extack;
	struct ovpn_dev *ovpn = info->user_ptr[0];
	struct ovpn_peer_params params = {};
	int err;

	err = parse_nest(info, OVPN_ATTR_NEW_PEER, tb, OVPN_NEW_PEER_ATTR_MAX,
			 new_peer_policy);
	if (err)
		return err;
	err = get_peer_id(tb[OVPN_NEW_PEER_ATTR_PEER_ID], &params.id, extack);
	if (err)
		return err;
	params.tx_id = params.id;
	if (OVPN_NL_MISSING(tb, OVPN_NEW_PEER_ATTR_SOCKET, "SOCKET", extack))
		return -EINVAL;
	params.request = skb;
	params.fd = nla_get_u32(tb[OVPN_NEW_PEER_ATTR_SOCKET]);

	err = parse_vpn_addrs(&params, tb, extack);
	if (err)
		return err;
	if (ovpn->mode == OVPN_MODE_MP && ipv6_addr_any(&params.vpn4) &&
	    ipv6_addr_any(&params.vpn6)) {
		NL_SET_ERR_MSG(extack,
			       "a peer of a multi-peer device needs a VPN address");
		return -EINVAL;
	}
	err = parse_endpoint(&params, tb, extack);
	if (err)
		return err;

	return ovpn_netlink_socket_errno(ovpn_peer_new(ovpn, &params, extack));
}

/* *peer is NULL, and the answer 0, if it is gone since a moment ago */
static int find_peer(struct genl_info *info, const struct nlattr *attr,
		     struct ovpn_peer **peer)
{
	u32 id;
	int err;

	err = get_peer_id(attr, &id, info->extack);
	if (err)
		return err;
	return ovpn_netlink_peer(info->user_ptr[0], id, peer, info->extack);
}

static int v2_set_peer(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN_SET_PEER_ATTR_MAX + 1], *interval, *timeout;
	struct ovpn_peer *peer;
	int err;

	err = parse_nest(info, OVPN_ATTR_SET_PEER, tb, OVPN_SET_PEER_ATTR_MAX,
			 set_peer_policy);
	if (err)
		return err;
	err = find_peer(info, tb[OVPN_SET_PEER_ATTR_PEER_ID], &peer);
	if (err || !peer)
		return err;

	interval = tb[OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL];
	timeout = tb[OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT];
	if (interval && timeout)
		ovpn_keepalive_set(peer, nla_get_u32(interval),
				   nla_get_u32(timeout));
	ovpn_peer_put(peer);
	return 0;
}

static int v2_del_peer(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN_DEL_PEER_ATTR_MAX + 1];
	int err;
	u32 id;

	err = parse_nest(info, OVPN_ATTR_DEL_PEER, tb, OVPN_DEL_PEER_ATTR_MAX,
			 del_peer_policy);
	if (err)
		return err;
	err = get_peer_id(tb[OVPN_DEL_PEER_ATTR_PEER_ID], &id, info->extack);
	if (err)
		return err;

	return ovpn_netlink_del_peer(info, id);
}

static int parse_key_dir(struct ovpn_key_direction *dir, struct nlattr *nest,
			 struct netlink_ext_ack *extack)
{
	struct nlattr *tb[OVPN_KEY_DIR_ATTR_MAX + 1];
	int err;

	err = nla_parse_nested(tb, OVPN_KEY_DIR_ATTR_MAX, nest, key_dir_policy,
			       extack);
	if (err)
		return err;
	if (OVPN_NL_MISSING(tb, OVPN_KEY_DIR_ATTR_CIPHER_KEY, "CIPHER_KEY", extack) ||
	    OVPN_NL_MISSING(tb, OVPN_KEY_DIR_ATTR_NONCE_TAIL, "NONCE_TAIL", extack))
		return -EINVAL;

	if (nla_len(tb[OVPN_KEY_DIR_ATTR_NONCE_TAIL]) != OVPN_NONCE_TAIL_LEN) {
		NL_SET_ERR_MSG_ATTR(extack, tb[OVPN_KEY_DIR_ATTR_NONCE_TAIL],
				    "nonce tail is not 8 bytes long");
		return -EINVAL;
	}

	dir->key = nla_data(tb[OVPN_KEY_DIR_ATTR_CIPHER_KEY]);
	dir->key_len = nla_len(tb[OVPN_KEY_DIR_ATTR_CIPHER_KEY]);
	dir->nonce_tail = nla_data(tb[OVPN_KEY_DIR_ATTR_NONCE_TAIL]);
	return 0;
}

static int parse_key(struct ovpn_key_params *params, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	int err;

	if (OVPN_NL_MISSING(tb, OVPN_NEW_KEY_ATTR_KEY_SLOT, "KEY_SLOT", extack) ||
	    OVPN_NL_MISSING(tb, OVPN_NEW_KEY_ATTR_KEY_ID, "KEY_ID", extack) ||
	    OVPN_NL_MISSING(tb, OVPN_NEW_KEY_ATTR_CIPHER_ALG, "CIPHER_ALG", extack) ||
	    OVPN_NL_MISSING(tb, OVPN_NEW_KEY_ATTR_ENCRYPT_KEY, "ENCRYPT_KEY", extack) ||
	    OVPN_NL_MISSING(tb, OVPN_NEW_KEY_ATTR_DECRYPT_KEY, "DECRYPT_KEY", extack))
		return -EINVAL;

	params->slot = nla_get_u8(tb[OVPN_NEW_KEY_ATTR_KEY_SLOT]);
	params->key_id = nla_get_u8(tb[OVPN_NEW_KEY_ATTR_KEY_ID]);
	if (params->key_id > OVPN_KEY_ID_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, tb[OVPN_NEW_KEY_ATTR_KEY_ID],
				    "key id is above 3 bits");
		return -EINVAL;
	}
	params->cipher =
		ovpn_netlink_cipher(nla_get_u16(tb[OVPN_NEW_KEY_ATTR_CIPHER_ALG]));
	if (!params->cipher) {
		NL_SET_ERR_MSG_ATTR(extack, tb[OVPN_NEW_KEY_ATTR_CIPHER_ALG],
				    "cipher is neither AES-GCM nor ChaCha20-Poly1305");
		return -EINVAL;
	}

	err = parse_key_dir(&params->encrypt,
			    tb[OVPN_NEW_KEY_ATTR_ENCRYPT_KEY], extack);
	if (err)
		return err;
	return parse_key_dir(&params->decrypt,
			     tb[OVPN_NEW_KEY_ATTR_DECRYPT_KEY], extack);
}

static int v2_new_key(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN_NEW_KEY_ATTR_MAX + 1];
	struct ovpn_key_params params;
	struct ovpn_peer *peer;
	int err;

	err = parse_nest(info, OVPN_ATTR_NEW_KEY, tb, OVPN_NEW_KEY_ATTR_MAX,
			 new_key_policy);
	if (err)
		return err;
	err = parse_key(&params, tb, info->extack);
	if (err)
		return err;
	err = find_peer(info, tb[OVPN_NEW_KEY_ATTR_PEER_ID], &peer);
	if (err || !peer)
		return err;

	err = ovpn_keys_install(peer, &params, info->extack);
	ovpn_peer_put(peer);
	/* Expired while we worked: as if it had a moment ago */
	if (err == -ESTALE)
		return 0;
	return ovpn_netlink_errno(err);
}

static int v2_swap_keys(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN_SWAP_KEYS_ATTR_MAX + 1];
	struct ovpn_peer *peer;
	int err;

	err = parse_nest(info, OVPN_ATTR_SWAP_KEYS, tb,
			 OVPN_SWAP_KEYS_ATTR_MAX, swap_keys_policy);
	if (err)
		return err;
	err = find_peer(info, tb[OVPN_SWAP_KEYS_ATTR_PEER_ID], &peer);
	if (err || !peer)
		return err;

	ovpn_keys_swap(&peer->keys);
	ovpn_peer_put(peer);
	return 0;
}

static int v2_del_key(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN_DEL_KEY_ATTR_MAX + 1];
	struct ovpn_peer *peer;
	int err;

	err = parse_nest(info, OVPN_ATTR_DEL_KEY, tb, OVPN_DEL_KEY_ATTR_MAX,
			 del_key_policy);
	if (err)
		return err;
	if (OVPN_NL_MISSING(tb, OVPN_DEL_KEY_ATTR_KEY_SLOT, "KEY_SLOT", info->extack))
		return -EINVAL;
	err = find_peer(info, tb[OVPN_DEL_KEY_ATTR_PEER_ID], &peer);
	if (err || !peer)
		return err;

	ovpn_keys_delete(&peer->keys,
			 nla_get_u8(tb[OVPN_DEL_KEY_ATTR_KEY_SLOT]));
	ovpn_peer_put(peer);
	return 0;
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value,
				 OVPN_GET_PEER_RESP_ATTR_UNSPEC);
}

static int put_traffic(struct sk_buff *skb, const struct ovpn_peer *peer)
{
	struct ovpn_peer_totals sum;

	ovpn_peer_stats_sum(peer->stats, &sum);
	if (put_u64(skb, OVPN_GET_PEER_RESP_ATTR_VPN_RX_BYTES,
		    sum.traffic[OVPN_VPN_RX].bytes) ||
	    put_u64(skb, OVPN_GET_PEER_RESP_ATTR_VPN_TX_BYTES,
		    sum.traffic[OVPN_VPN_TX].bytes) ||
	    nla_put_u32(skb, OVPN_GET_PEER_RESP_ATTR_VPN_RX_PACKETS,
			sum.traffic[OVPN_VPN_RX].packets) ||
	    nla_put_u32(skb, OVPN_GET_PEER_RESP_ATTR_VPN_TX_PACKETS,
			sum.traffic[OVPN_VPN_TX].packets) ||
	    put_u64(skb, OVPN_GET_PEER_RESP_ATTR_LINK_RX_BYTES,
		    sum.traffic[OVPN_LINK_RX].bytes) ||
	    put_u64(skb, OVPN_GET_PEER_RESP_ATTR_LINK_TX_BYTES,
		    sum.traffic[OVPN_LINK_TX].bytes) ||
	    nla_put_u32(skb, OVPN_GET_PEER_RESP_ATTR_LINK_RX_PACKETS,
			sum.traffic[OVPN_LINK_RX].packets) ||
	    nla_put_u32(skb, OVPN_GET_PEER_RESP_ATTR_LINK_TX_PACKETS,
			sum.traffic[OVPN_LINK_TX].packets))
		return -EMSGSIZE;
	return 0;
}

/* Context: rcu_read_lock held */
static int put_vpn_addrs(struct sk_buff *skb, const struct ovpn_peer *peer)
{
	const struct ovpn_vpn_addrs *vpn = rcu_dereference(peer->vpn);

	if (!ipv6_addr_any(&vpn->v4.addr) &&
	    nla_put_in_addr(skb, OVPN_GET_PEER_RESP_ATTR_IPV4,
			    vpn->v4.addr.s6_addr32[3]))
		return -EMSGSIZE;
	if (!ipv6_addr_any(&vpn->v6.addr) &&
	    nla_put_in6_addr(skb, OVPN_GET_PEER_RESP_ATTR_IPV6,
			     &vpn->v6.addr))
		return -EMSGSIZE;
	return 0;
}

/* Context: rcu_read_lock held */
static int put_endpoint(struct sk_buff *skb, const struct ovpn_peer *peer)
{
	const struct ovpn_endpoint *ep = rcu_dereference(peer->endpoint);
	struct sockaddr_storage remote;
	const void *local;
	size_t len;

	if (ep->remote.port) {
		len = ovpn_sockaddr_fill(&ep->remote, &remote);
		if (nla_put(skb, OVPN_GET_PEER_RESP_ATTR_SOCKADDR_REMOTE, len,
			    &remote))
			return -EMSGSIZE;
	}
	local = ovpn_addr_bytes(&ep->local, &len);
	if (len && nla_put(skb, OVPN_GET_PEER_RESP_ATTR_LOCAL_IP, len, local))
		return -EMSGSIZE;
	return nla_put_net16(skb, OVPN_GET_PEER_RESP_ATTR_LOCAL_PORT,
			     inet_sk(peer->socket->sk)->inet_sport);
}

static int put_peer(struct sk_buff *skb, const struct ovpn_peer *peer)
{
	int err;

	if (nla_put_u32(skb, OVPN_GET_PEER_RESP_ATTR_PEER_ID, peer->id))
		return -EMSGSIZE;
	rcu_read_lock();
	err = put_endpoint(skb, peer) ?: put_vpn_addrs(skb, peer);
	rcu_read_unlock();
	if (err)
		return err;
	if (nla_put_u32(skb, OVPN_GET_PEER_RESP_ATTR_KEEPALIVE_INTERVAL,
			READ_ONCE(peer->keepalive_interval)) ||
	    nla_put_u32(skb, OVPN_GET_PEER_RESP_ATTR_KEEPALIVE_TIMEOUT,
			READ_ONCE(peer->keepalive_timeout)))
		return -EMSGSIZE;
	return put_traffic(skb, peer);
}

static int put_reply(struct sk_buff *skb, const struct ovpn_peer *peer,
		     struct net *net, u32 portid, u32 seq, int flags)
{
	struct nlattr *nest;
	void *hdr;

	hdr = genlmsg_put(skb, portid, seq, &ovpn_v2_family, flags,
			  OVPN_CMD_GET_PEER);
	if (!hdr)
		return -EMSGSIZE;
	nest = nla_nest_start(skb, OVPN_ATTR_GET_PEER);
	if (!nest || put_peer(skb, peer)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	genlmsg_end(skb, hdr);
	return 0;
}

static int v2_get_peer(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *tb[OVPN_GET_PEER_ATTR_MAX + 1];
	int err;
	u32 id;

	err = parse_nest(info, OVPN_ATTR_GET_PEER, tb, OVPN_GET_PEER_ATTR_MAX,
			 get_peer_policy);
	if (err)
		return err;
	err = get_peer_id(tb[OVPN_GET_PEER_ATTR_PEER_ID], &id, info->extack);
	if (err)
		return err;
	return ovpn_netlink_get_peer(info, id, put_reply);
}

static int v2_dump_peers(struct sk_buff *skb, struct netlink_callback *cb)
{
	return ovpn_netlink_dump_peers(skb, cb, &ovpn_abi_v2, put_reply);
}

static const struct genl_small_ops ovpn_v2_ops[] = {
	{
		.cmd = OVPN_CMD_NEW_PEER,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v2_new_peer,
	}, {
		.cmd = OVPN_CMD_SET_PEER,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v2_set_peer,
	}, {
		.cmd = OVPN_CMD_DEL_PEER,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v2_del_peer,
	}, {
		.cmd = OVPN_CMD_NEW_KEY,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v2_new_key,
	}, {
		.cmd = OVPN_CMD_SWAP_KEYS,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v2_swap_keys,
	}, {
		.cmd = OVPN_CMD_DEL_KEY,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v2_del_key,
	}, {
		.cmd = OVPN_CMD_GET_PEER,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = v2_get_peer,
		.dumpit = v2_dump_peers,
	},
};

static const struct genl_multicast_group ovpn_v2_groups[] = {
	[GROUP_PEERS] = { .name = OVPN_NL_MULTICAST_GROUP_PEERS },
};

/* Parallel, or a device that has to wait would have all families wait for it; see
 * struct ovpn_dev for its own requests. But no request may wait for userspace:
 * it holds a lock that registering any family waits for, and all requests of all
 * families wait for whoever registers one.
 */
static struct genl_family ovpn_v2_family __ro_after_init = {
	.name = OVPN_NL_NAME,
	.version = OVPN_NL_VERSION,
	.maxattr = OVPN_ATTR_MAX,
	.policy = ovpn_v2_policy,
	.netnsok = true,
	.parallel_ops = true,
	.pre_doit = v2_pre_doit,
	.post_doit = v2_post_doit,
	.small_ops = ovpn_v2_ops,
	.n_small_ops = ARRAY_SIZE(ovpn_v2_ops),
	.mcgrps = ovpn_v2_groups,
	.n_mcgrps = ARRAY_SIZE(ovpn_v2_groups),
	.module = THIS_MODULE,
};

static struct sk_buff *deletion_msg(const struct ovpn_peer *peer,
				    enum ovpn_del_peer_reason reason)
{
	struct nlattr *nest;
	struct sk_buff *msg;
	void *hdr;

	msg = genlmsg_new(nla_total_size(sizeof(u32)) +	/* IFINDEX */
			  nla_total_size(0) +		/* DEL_PEER */
			  nla_total_size(sizeof(u8)) +	/* REASON */
			  nla_total_size(sizeof(u32)),	/* PEER_ID */
			  GFP_ATOMIC);
	if (!msg)
		return NULL;

	hdr = genlmsg_put(msg, 0, 0, &ovpn_v2_family, 0, OVPN_CMD_DEL_PEER);
	if (!hdr ||
	    nla_put_u32(msg, OVPN_ATTR_IFINDEX, peer->ovpn->dev->ifindex))
		goto err;
	nest = nla_nest_start(msg, OVPN_ATTR_DEL_PEER);
	if (!nest || nla_put_u8(msg, OVPN_DEL_PEER_ATTR_REASON, reason) ||
	    nla_put_u32(msg, OVPN_DEL_PEER_ATTR_PEER_ID, peer->id))
		goto err;
	nla_nest_end(msg, nest);
	genlmsg_end(msg, hdr);
	return msg;

err:
	nlmsg_free(msg);
	return NULL;
}

static void v2_peer_deleted(struct ovpn_peer *peer,
			    enum ovpn_del_peer_reason reason)
{
	struct ovpn_dev *ovpn = peer->ovpn;
	struct sk_buff *msg;
	bool cared_for;
	struct net *net;

	/* Thousands of peers go at once, with their device, which RTM_DELLINK
	 * tells too, or because the process is dead that had their sockets: no
	 * need to overrun every listener of the namespace.
	 */
	cared_for = !ovpn->peers.closed &&
		    reason != OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT;

	/* The device may be moved away, and its old namespace go */
	rcu_read_lock();
	net = dev_net(ovpn->dev);
	if (cared_for || ovpn_netlink_room(net)) {
		msg = deletion_msg(peer, reason);
		if (msg)
			ovpn_netlink_notify(ovpn, net, &ovpn_v2_family,
					    GROUP_PEERS, msg);
	}
	rcu_read_unlock();
}

/* OpenVPN 2.6 cannot be asked for a new key: have the peer reconnect */
static void v2_key_used_up(struct ovpn_peer *peer, u8 key_id)
{
	ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_EXPIRED);
}

static unsigned int v2_notify_room(const struct ovpn_peer *peer)
{
	return ovpn_netlink_room(dev_net(peer->ovpn->dev));
}

const struct ovpn_abi ovpn_abi_v2 = {
	.kind = OVPN_DCO_LINK_KIND,
	.overhead = OVPN_OVERHEAD,
	.multicast = true,
	.data_v1 = true,
	.keeps_sockets = true,
	.peer_deleted = v2_peer_deleted,
	.key_used_up = v2_key_used_up,
	.notify_room = v2_notify_room,
};

/**
 * ovpn_netlink_v2_register - offer the family to userspace
 *
 * Context: process, may sleep.
 * Return: 0 or an errno.
 */
int __init ovpn_netlink_v2_register(void)
{
	return genl_register_family(&ovpn_v2_family);
}

/**
 * ovpn_netlink_v2_unregister - take the family back
 *
 * Context: process, may sleep; no device may exist any more.
 */
void ovpn_netlink_v2_unregister(void)
{
	genl_unregister_family(&ovpn_v2_family);
}
