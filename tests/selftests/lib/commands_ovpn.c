// SPDX-License-Identifier: GPL-2.0-only
/* The commands of the family ovpn, well-formed, and what it says. */
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>

#include "family.h"

#include <netlink/genl/genl.h>

#include "ktap.h"

struct request {
	struct nl_msg *msg;
	struct nlattr *nest;
};

static struct request start(struct ovpn_nl *nl, int cmd, uint32_t ifindex,
			    int nest)
{
	struct request req = { .msg = ovpn_nl_msg(nl, cmd, 0) };

	ovpn_put_raw(req.msg, OVPN7_ATTR_IFINDEX, &ifindex, sizeof(ifindex));
	req.nest = ovpn_nest(req.msg, nest | NLA_F_NESTED);
	return req;
}

static int finish(struct ovpn_nl *nl, struct request *req)
{
	ovpn_nest_end(req->msg, req->nest);
	return ovpn_nl_send(nl, req->msg, NULL, NULL);
}

static void put_u32(struct request *req, int type, uint32_t value)
{
	ovpn_put_raw(req->msg, type, &value, sizeof(value));
}

/* An address as one of the two attributes for it. */
static void put_ip(struct request *req, int type4, int type6, const char *text)
{
	uint8_t bytes[16];
	bool v6;

	if (!text)
		return;
	v6 = strchr(text, ':');
	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes) != 1)
		ktap_bail("not an IP address: %s", text);
	ovpn_put_raw(req->msg, v6 ? type6 : type4, bytes, v6 ? 16 : 4);
}

static void put_peer(struct request *req, const struct ovpn_peer_args *args)
{
	uint16_t port = htons(args->remote_port);

	put_u32(req, OVPN7_PEER_ATTR_ID, args->id);
	if (args->remote) {
		put_ip(req, OVPN7_PEER_ATTR_REMOTE_IPV4,
		       OVPN7_PEER_ATTR_REMOTE_IPV6, args->remote);
		ovpn_put_raw(req->msg, OVPN7_PEER_ATTR_REMOTE_PORT, &port, 2);
	}
	if (args->remote && args->remote_scope)
		put_u32(req, OVPN7_PEER_ATTR_REMOTE_IPV6_SCOPE_ID,
			args->remote_scope);
	put_ip(req, OVPN7_PEER_ATTR_VPN_IPV4, 0, args->ipv4);
	put_ip(req, 0, OVPN7_PEER_ATTR_VPN_IPV6, args->ipv6);
	put_ip(req, OVPN7_PEER_ATTR_LOCAL_IPV4, OVPN7_PEER_ATTR_LOCAL_IPV6,
	       args->local);
	if (args->tx_id)
		put_u32(req, OVPN7_PEER_ATTR_TX_ID, *args->tx_id);
}

static void put_keepalive(struct request *req, int64_t interval,
			  int64_t timeout)
{
	if (interval >= 0)
		put_u32(req, OVPN7_PEER_ATTR_KEEPALIVE_INTERVAL, interval);
	if (timeout >= 0)
		put_u32(req, OVPN7_PEER_ATTR_KEEPALIVE_TIMEOUT, timeout);
}

static int new_peer(struct ovpn_nl *nl, uint32_t ifindex,
		    const struct ovpn_peer_args *args)
{
	struct request req = start(nl, OVPN7_CMD_PEER_NEW, ifindex,
				   OVPN7_ATTR_PEER);

	put_peer(&req, args);
	if (args->interval || args->timeout)
		put_keepalive(&req, args->interval, args->timeout);
	put_u32(&req, OVPN7_PEER_ATTR_SOCKET, args->socket);
	return finish(nl, &req);
}

int ovpn7_peer_set(struct ovpn_nl *nl, uint32_t ifindex,
		   const struct ovpn_peer_args *args, int64_t interval,
		   int64_t timeout)
{
	struct request req = start(nl, OVPN7_CMD_PEER_SET, ifindex,
				   OVPN7_ATTR_PEER);

	put_peer(&req, args);
	put_keepalive(&req, interval, timeout);
	return finish(nl, &req);
}

static int set_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    int64_t interval, int64_t timeout)
{
	const struct ovpn_peer_args args = { .id = id };

	return ovpn7_peer_set(nl, ifindex, &args, interval, timeout);
}

static int del_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	struct request req = start(nl, OVPN7_CMD_PEER_DEL, ifindex,
				   OVPN7_ATTR_PEER);

	put_u32(&req, OVPN7_PEER_ATTR_ID, id);
	return finish(nl, &req);
}

static void put_key_dir(struct request *req, int type,
			const struct wire_key *key)
{
	struct nlattr *nest = ovpn_nest(req->msg, type | NLA_F_NESTED);

	ovpn_put_raw(req->msg, OVPN7_KEYDIR_ATTR_CIPHER_KEY, key->key,
		     key->len);
	ovpn_put_raw(req->msg, OVPN7_KEYDIR_ATTR_NONCE_TAIL, key->nonce_tail,
		     sizeof(key->nonce_tail));
	ovpn_nest_end(req->msg, nest);
}

static int new_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		   enum ovpn_key_slot_name slot,
		   const struct wire_key *encrypt,
		   const struct wire_key *decrypt)
{
	struct request req = start(nl, OVPN7_CMD_KEY_NEW, ifindex,
				   OVPN7_ATTR_KEYCONF);

	put_u32(&req, OVPN7_KEYCONF_ATTR_PEER_ID, id);
	put_u32(&req, OVPN7_KEYCONF_ATTR_SLOT, slot);
	put_u32(&req, OVPN7_KEYCONF_ATTR_KEY_ID, encrypt->id);
	put_u32(&req, OVPN7_KEYCONF_ATTR_CIPHER_ALG, encrypt->alg);
	put_key_dir(&req, OVPN7_KEYCONF_ATTR_ENCRYPT_DIR, encrypt);
	put_key_dir(&req, OVPN7_KEYCONF_ATTR_DECRYPT_DIR, decrypt);
	return finish(nl, &req);
}

static int swap_keys(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	struct request req = start(nl, OVPN7_CMD_KEY_SWAP, ifindex,
				   OVPN7_ATTR_KEYCONF);

	put_u32(&req, OVPN7_KEYCONF_ATTR_PEER_ID, id);
	return finish(nl, &req);
}

static struct request key_request(struct ovpn_nl *nl, int cmd, uint32_t ifindex,
				  uint32_t id, enum ovpn_key_slot_name slot)
{
	struct request req = start(nl, cmd, ifindex, OVPN7_ATTR_KEYCONF);

	put_u32(&req, OVPN7_KEYCONF_ATTR_PEER_ID, id);
	put_u32(&req, OVPN7_KEYCONF_ATTR_SLOT, slot);
	return req;
}

static int del_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		   enum ovpn_key_slot_name slot)
{
	struct request req = key_request(nl, OVPN7_CMD_KEY_DEL, ifindex, id,
					 slot);

	return finish(nl, &req);
}

/* ---- replies ---- */

static void count_key_attr(struct nlattr *attr, struct ovpn7_key_info *info)
{
	uint32_t *const fields[OVPN7_KEYCONF_ATTR_MAX + 1] = {
		[OVPN7_KEYCONF_ATTR_PEER_ID] = &info->peer_id,
		[OVPN7_KEYCONF_ATTR_SLOT] = &info->slot,
		[OVPN7_KEYCONF_ATTR_KEY_ID] = &info->key_id,
		[OVPN7_KEYCONF_ATTR_CIPHER_ALG] = &info->alg,
	};
	int type = nla_type(attr);

	if (type > OVPN7_KEYCONF_ATTR_MAX || !fields[type] ||
	    info->present & 1U << type || nla_len(attr) != 4) {
		info->surplus++;
		return;
	}
	info->present |= 1U << type;
	*fields[type] = nla_get_u32(attr);
}

static void parse_key(struct nlmsghdr *reply, void *arg)
{
	struct genlmsghdr *genl = nlmsg_data(reply);
	struct ovpn7_key_info *info = arg;
	struct nlattr *top, *attr;
	int left, inner;

	if (genl->cmd != OVPN7_CMD_KEY_GET)
		info->surplus++;
	nla_for_each_attr(top, genlmsg_attrdata(genl, 0),
			  genlmsg_attrlen(genl, 0), left) {
		if (nla_type(top) != OVPN7_ATTR_KEYCONF || info->present) {
			info->surplus++;
			continue;
		}
		nla_for_each_nested(attr, top, inner)
			count_key_attr(attr, info);
	}
}

int ovpn7_key_get(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		  enum ovpn_key_slot_name slot, struct ovpn7_key_info *info)
{
	struct request req = key_request(nl, OVPN7_CMD_KEY_GET, ifindex, id,
					 slot);

	memset(info, 0, sizeof(*info));
	ovpn_nest_end(req.msg, req.nest);
	return ovpn_nl_send(nl, req.msg, parse_key, info);
}

static struct nl_msg *get_peer(struct ovpn_nl *nl, uint32_t ifindex,
			       const uint32_t *id)
{
	struct nl_msg *msg = ovpn_nl_msg(nl, OVPN7_CMD_PEER_GET,
					 id ? 0 : NLM_F_DUMP);
	struct nlattr *nest;

	ovpn_put_raw(msg, OVPN7_ATTR_IFINDEX, &ifindex, sizeof(ifindex));
	if (!id)
		return msg;
	nest = ovpn_nest(msg, OVPN7_ATTR_PEER | NLA_F_NESTED);
	ovpn_put_raw(msg, OVPN7_PEER_ATTR_ID, id, sizeof(*id));
	ovpn_nest_end(msg, nest);
	return msg;
}

#define AT(field)	offsetof(struct ovpn_peer_info, field)
#define V2(name)	OVPN_GET_PEER_RESP_ATTR_##name
#define OWN(name)	OVPN7_PEER_ATTR_##name

/* Plain values: sizes on the wire, where they go, what v2 calls them. */
static const struct {
	size_t least, most, at, size;
	int v2;
} values[OVPN7_PEER_ATTR_MAX + 1] = {
	[OWN(ID)] = { 4, 4, AT(id), 4, V2(PEER_ID) },
	[OWN(SOCKET_NETNSID)] = { 4, 4, AT(netnsid), 4, 0 },
	[OWN(VPN_IPV4)] = { 4, 4, AT(ipv4), 4, V2(IPV4) },
	[OWN(VPN_IPV6)] = { 16, 16, AT(ipv6), 16, V2(IPV6) },
	[OWN(LOCAL_IPV4)] = { 4, 4, AT(local), 4, V2(LOCAL_IP) },
	[OWN(LOCAL_IPV6)] = { 16, 16, AT(local), 16, V2(LOCAL_IP) },
	[OWN(LOCAL_PORT)] = { 2, 2, AT(local_port), 2, V2(LOCAL_PORT) },
	[OWN(KEEPALIVE_INTERVAL)] = {
		4, 4, AT(interval), 4, V2(KEEPALIVE_INTERVAL)
	},
	[OWN(KEEPALIVE_TIMEOUT)] = {
		4, 4, AT(timeout), 4, V2(KEEPALIVE_TIMEOUT)
	},
	[OWN(TX_ID)] = { 4, 4, AT(tx_id), 4, 0 },
	[OWN(VPN_RX_BYTES)] = { 4, 8, AT(vpn_rx_bytes), 8, V2(VPN_RX_BYTES) },
	[OWN(VPN_TX_BYTES)] = { 4, 8, AT(vpn_tx_bytes), 8, V2(VPN_TX_BYTES) },
	[OWN(VPN_RX_PACKETS)] = {
		4, 8, AT(vpn_rx_packets), 8, V2(VPN_RX_PACKETS)
	},
	[OWN(VPN_TX_PACKETS)] = {
		4, 8, AT(vpn_tx_packets), 8, V2(VPN_TX_PACKETS)
	},
	[OWN(LINK_RX_BYTES)] = {
		4, 8, AT(link_rx_bytes), 8, V2(LINK_RX_BYTES)
	},
	[OWN(LINK_TX_BYTES)] = {
		4, 8, AT(link_tx_bytes), 8, V2(LINK_TX_BYTES)
	},
	[OWN(LINK_RX_PACKETS)] = {
		4, 8, AT(link_rx_packets), 8, V2(LINK_RX_PACKETS)
	},
	[OWN(LINK_TX_PACKETS)] = {
		4, 8, AT(link_tx_packets), 8, V2(LINK_TX_PACKETS)
	},
};

#undef AT
#undef OWN

/* A part of an address; false if it is none. */
static bool parse_remote(struct nlattr *attr, struct sockaddr_storage *remote)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)remote;
	struct sockaddr_in *in = (struct sockaddr_in *)remote;
	size_t len = nla_len(attr);

	switch (nla_type(attr)) {
	case OVPN7_PEER_ATTR_REMOTE_IPV4:
		if (len != 4 || in->sin_family)
			return false;
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, nla_data(attr), len);
		return true;
	case OVPN7_PEER_ATTR_REMOTE_IPV6:
		if (len != 16 || in->sin_family)
			return false;
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, nla_data(attr), len);
		return true;
	case OVPN7_PEER_ATTR_REMOTE_IPV6_SCOPE_ID:
		if (len != 4)
			return false;
		in6->sin6_scope_id = nla_get_u32(attr);
		return true;
	case OVPN7_PEER_ATTR_REMOTE_PORT:
		/* at the same place in both */
		if (len != 2)
			return false;
		memcpy(&in->sin_port, nla_data(attr), len);
		return true;
	}
	return false;
}

static void parse_value(struct ovpn_peer_info *info, struct nlattr *attr,
			int type)
{
	char *to = (char *)info + values[type].at;
	size_t len = nla_len(attr);
	int v2 = values[type].v2;
	uint64_t wide;

	if (len != values[type].least && len != values[type].most) {
		info->surplus++;
		return;
	}
	info->len[v2] = len;
	if (v2)
		info->present |= 1U << v2;
	if (len == 4 && values[type].size == 8) {
		wide = nla_get_u32(attr);
		memcpy(to, &wide, 8);
		return;
	}
	memcpy(to, nla_data(attr), len);
	if (type == OVPN7_PEER_ATTR_LOCAL_PORT) {
		info->local_port = ntohs(info->local_port);
		info->local_port_nbo = attr->nla_type & NLA_F_NET_BYTEORDER;
	}
}

static void parse_info_attr(struct ovpn_peer_info *info, struct nlattr *attr)
{
	int type = nla_type(attr);

	/* type 0 is the padding in front of 64-bit values */
	if (!type && !nla_len(attr))
		return;
	if (!type || type > OVPN7_PEER_ATTR_MAX || info->own & 1U << type) {
		info->surplus++;
		return;
	}
	info->own |= 1U << type;
	if (values[type].most) {
		parse_value(info, attr, type);
	} else if (parse_remote(attr, &info->remote)) {
		info->present |= 1U << V2(SOCKADDR_REMOTE);
		info->len[V2(SOCKADDR_REMOTE)] =
			info->remote.ss_family == AF_INET6 ?
			sizeof(struct sockaddr_in6) :
			sizeof(struct sockaddr_in);
	} else {
		info->surplus++;
	}
}

static void parse_info(struct nlmsghdr *reply, struct ovpn_peer_info *info)
{
	struct genlmsghdr *genl = nlmsg_data(reply);
	struct nlattr *top, *attr;
	int left, inner;

	if (genl->cmd != OVPN7_CMD_PEER_GET)
		info->surplus++;
	nla_for_each_attr(top, genlmsg_attrdata(genl, 0),
			  genlmsg_attrlen(genl, 0), left) {
		if (nla_type(top) != OVPN7_ATTR_PEER || info->own) {
			info->surplus++;
			continue;
		}
		nla_for_each_nested(attr, top, inner)
			parse_info_attr(info, attr);
	}
}

/* ---- notifications ---- */

/* Which attributes belong there: bit n for attribute n */
#define BIT(name)	(1U << OVPN7_PEER_ATTR_##name)
#define DEL_ATTRS	(BIT(ID) | BIT(DEL_REASON))
#define FLOAT_ATTRS4	(BIT(ID) | BIT(REMOTE_IPV4) | BIT(REMOTE_PORT))
#define FLOAT_ATTRS6							\
	(BIT(ID) | BIT(REMOTE_IPV6) | BIT(REMOTE_IPV6_SCOPE_ID) |	\
	 BIT(REMOTE_PORT))
#define SWAP_ATTRS							\
	(1U << OVPN7_KEYCONF_ATTR_PEER_ID | 1U << OVPN7_KEYCONF_ATTR_KEY_ID)

static void parse_ntf_peer(struct nlattr *nest, struct ovpn_ntf *ntf)
{
	struct nlattr *attr;
	uint32_t seen = 0;
	int left;

	nla_for_each_nested(attr, nest, left) {
		int type = nla_type(attr);

		if (type > 31 || seen & 1U << type) {
			ntf->exact = false;
			continue;
		}
		seen |= 1U << type;
		if (type == OVPN7_PEER_ATTR_ID && nla_len(attr) == 4)
			ntf->peer_id = nla_get_u32(attr);
		else if (type == OVPN7_PEER_ATTR_DEL_REASON &&
			 nla_len(attr) == 4)
			ntf->reason = nla_get_u32(attr);
		else if (!parse_remote(attr, &ntf->remote))
			ntf->exact = false;
	}
	if (ntf->type == OVPN_NTF_FLOAT)
		ntf->exact &= seen == FLOAT_ATTRS4 || seen == FLOAT_ATTRS6;
	else
		ntf->exact &= seen == DEL_ATTRS;
}

static void parse_ntf_key(struct nlattr *nest, struct ovpn_ntf *ntf)
{
	struct nlattr *attr;
	uint32_t seen = 0;
	int left;

	nla_for_each_nested(attr, nest, left) {
		int type = nla_type(attr);

		seen |= 1U << (type & 31);
		if (type == OVPN7_KEYCONF_ATTR_PEER_ID && nla_len(attr) == 4)
			ntf->peer_id = nla_get_u32(attr);
		/* it is a u32 elsewhere, but OpenVPN 2.7 reads a u16 here */
		else if (type == OVPN7_KEYCONF_ATTR_KEY_ID &&
			 nla_len(attr) == 2)
			ntf->key_id = nla_get_u16(attr);
		else
			ntf->exact = false;
	}
	ntf->exact &= seen == SWAP_ATTRS;
}

static void parse_ntf(struct nlmsghdr *h, struct ovpn_ntf *ntf)
{
	struct genlmsghdr *genl = nlmsg_data(h);
	unsigned int ifindexes = 0, nests = 0;
	int left, nest = OVPN7_ATTR_PEER;
	struct nlattr *top;

	switch (genl->cmd) {
	case OVPN7_CMD_PEER_DEL_NTF:
		ntf->type = OVPN_NTF_DEL_PEER;
		break;
	case OVPN7_CMD_PEER_FLOAT_NTF:
		ntf->type = OVPN_NTF_FLOAT;
		break;
	case OVPN7_CMD_KEY_SWAP_NTF:
		ntf->type = OVPN_NTF_KEY_SWAP;
		nest = OVPN7_ATTR_KEYCONF;
		break;
	default:
		return;
	}
	ntf->exact = true;
	nla_for_each_attr(top, genlmsg_attrdata(genl, 0),
			  genlmsg_attrlen(genl, 0), left) {
		if (nla_type(top) == OVPN7_ATTR_IFINDEX && nla_len(top) == 4) {
			ifindexes++;
			ntf->ifindex = nla_get_u32(top);
		} else if (nla_type(top) != nest) {
			ntf->exact = false;
		} else if (++nests && nest == OVPN7_ATTR_PEER) {
			parse_ntf_peer(top, ntf);
		} else {
			parse_ntf_key(top, ntf);
		}
	}
	if (ifindexes != 1 || nests != 1)
		ntf->exact = false;
}

const struct ovpn_family family_ovpn = {
	.name = "ovpn",
	.version = 1,
	.kind = "ovpn",
	.overhead = 84,
	.new_peer = new_peer,
	.set_peer = set_peer,
	.del_peer = del_peer,
	.new_key = new_key,
	.swap_keys = swap_keys,
	.del_key = del_key,
	.get_peer = get_peer,
	.parse_info = parse_info,
	.parse_ntf = parse_ntf,
};
