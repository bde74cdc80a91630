// SPDX-License-Identifier: GPL-2.0-only
/* The seven commands of ovpn-dco-v2, well-formed, and what it says. */
#include <string.h>
#include <arpa/inet.h>

#include "nl.h"

#include <netlink/genl/genl.h>

#include "family.h"
#include "ktap.h"

struct request {
	struct nl_msg *msg;
	struct nlattr *nest;
};

static struct request start(struct ovpn_nl *nl, int cmd, uint32_t ifindex,
			    int nest)
{
	struct request req = { .msg = ovpn_nl_msg(nl, cmd, 0) };

	ovpn_put_raw(req.msg, OVPN_ATTR_IFINDEX, &ifindex, sizeof(ifindex));
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

static void put_u8(struct request *req, int type, uint8_t value)
{
	ovpn_put_raw(req->msg, type, &value, sizeof(value));
}

/* An address as 4 or 16 bytes. */
static void put_ip(struct request *req, int type, const char *text)
{
	uint8_t bytes[16];
	bool v6;

	if (!text)
		return;
	v6 = strchr(text, ':');
	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes) != 1)
		ktap_bail("not an IP address: %s", text);
	ovpn_put_raw(req->msg, type, bytes, v6 ? 16 : 4);
}

static void put_remote(struct request *req, const struct ovpn_peer_args *args)
{
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(args->remote_port),
		.sin6_scope_id = args->remote_scope,
	};
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(args->remote_port),
	};

	if (!args->remote)
		return;
	if (inet_pton(AF_INET6, args->remote, &in6.sin6_addr) == 1)
		ovpn_put_raw(req->msg, OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &in6,
			     sizeof(in6));
	else if (inet_pton(AF_INET, args->remote, &in.sin_addr) == 1)
		ovpn_put_raw(req->msg, OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, &in,
			     sizeof(in));
	else
		ktap_bail("not an IP address: %s", args->remote);
}

static int new_peer(struct ovpn_nl *nl, uint32_t ifindex,
		    const struct ovpn_peer_args *args)
{
	struct request req = start(nl, OVPN_CMD_NEW_PEER, ifindex,
				   OVPN_ATTR_NEW_PEER);

	put_u32(&req, OVPN_NEW_PEER_ATTR_PEER_ID, args->id);
	put_u32(&req, OVPN_NEW_PEER_ATTR_SOCKET, args->socket);
	put_remote(&req, args);
	put_ip(&req, OVPN_NEW_PEER_ATTR_IPV4, args->ipv4);
	put_ip(&req, OVPN_NEW_PEER_ATTR_IPV6, args->ipv6);
	put_ip(&req, OVPN_NEW_PEER_ATTR_LOCAL_IP, args->local);
	return finish(nl, &req);
}

static int set_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    int64_t interval, int64_t timeout)
{
	struct request req = start(nl, OVPN_CMD_SET_PEER, ifindex,
				   OVPN_ATTR_SET_PEER);

	put_u32(&req, OVPN_SET_PEER_ATTR_PEER_ID, id);
	if (interval >= 0)
		put_u32(&req, OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL, interval);
	if (timeout >= 0)
		put_u32(&req, OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT, timeout);
	return finish(nl, &req);
}

static int del_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	struct request req = start(nl, OVPN_CMD_DEL_PEER, ifindex,
				   OVPN_ATTR_DEL_PEER);

	put_u32(&req, OVPN_DEL_PEER_ATTR_PEER_ID, id);
	return finish(nl, &req);
}

static void put_key_dir(struct request *req, int type,
			const struct wire_key *key)
{
	struct nlattr *nest = ovpn_nest(req->msg, type | NLA_F_NESTED);

	ovpn_put_raw(req->msg, OVPN_KEY_DIR_ATTR_CIPHER_KEY, key->key,
		     key->len);
	ovpn_put_raw(req->msg, OVPN_KEY_DIR_ATTR_NONCE_TAIL, key->nonce_tail,
		     sizeof(key->nonce_tail));
	ovpn_nest_end(req->msg, nest);
}

static int new_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		   enum ovpn_key_slot_name slot, const struct wire_key *encrypt,
		   const struct wire_key *decrypt)
{
	struct request req = start(nl, OVPN_CMD_NEW_KEY, ifindex,
				   OVPN_ATTR_NEW_KEY);

	put_u32(&req, OVPN_NEW_KEY_ATTR_PEER_ID, id);
	put_u8(&req, OVPN_NEW_KEY_ATTR_KEY_SLOT, slot);
	put_u8(&req, OVPN_NEW_KEY_ATTR_KEY_ID, encrypt->id);
	ovpn_put_raw(req.msg, OVPN_NEW_KEY_ATTR_CIPHER_ALG, &encrypt->alg,
		     sizeof(encrypt->alg));
	put_key_dir(&req, OVPN_NEW_KEY_ATTR_ENCRYPT_KEY, encrypt);
	put_key_dir(&req, OVPN_NEW_KEY_ATTR_DECRYPT_KEY, decrypt);
	return finish(nl, &req);
}

static int swap_keys(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	struct request req = start(nl, OVPN_CMD_SWAP_KEYS, ifindex,
				   OVPN_ATTR_SWAP_KEYS);

	put_u32(&req, OVPN_SWAP_KEYS_ATTR_PEER_ID, id);
	return finish(nl, &req);
}

static int del_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		   enum ovpn_key_slot_name slot)
{
	struct request req = start(nl, OVPN_CMD_DEL_KEY, ifindex,
				   OVPN_ATTR_DEL_KEY);

	put_u32(&req, OVPN_DEL_KEY_ATTR_PEER_ID, id);
	put_u8(&req, OVPN_DEL_KEY_ATTR_KEY_SLOT, slot);
	return finish(nl, &req);
}

/* ---- GET_PEER ---- */

static const struct ovpn_peer_info blank;

static const struct {
	size_t at, size;
} info_fields[OVPN_GET_PEER_RESP_ATTR_MAX + 1] = {
#define AT(field)	offsetof(struct ovpn_peer_info, field)
#define SIZE(field)	sizeof(blank.field)
#define ATTR(name)	OVPN_GET_PEER_RESP_ATTR_##name
	[ATTR(PEER_ID)] = { AT(id), SIZE(id) },
	[ATTR(SOCKADDR_REMOTE)] = { AT(remote), SIZE(remote) },
	[ATTR(IPV4)] = { AT(ipv4), SIZE(ipv4) },
	[ATTR(IPV6)] = { AT(ipv6), SIZE(ipv6) },
	[ATTR(LOCAL_IP)] = { AT(local), SIZE(local) },
	[ATTR(LOCAL_PORT)] = { AT(local_port), SIZE(local_port) },
	[ATTR(KEEPALIVE_INTERVAL)] = { AT(interval), SIZE(interval) },
	[ATTR(KEEPALIVE_TIMEOUT)] = { AT(timeout), SIZE(timeout) },
	[ATTR(VPN_RX_BYTES)] = { AT(vpn_rx_bytes), SIZE(vpn_rx_bytes) },
	[ATTR(VPN_TX_BYTES)] = { AT(vpn_tx_bytes), SIZE(vpn_tx_bytes) },
	[ATTR(VPN_RX_PACKETS)] = { AT(vpn_rx_packets), SIZE(vpn_rx_packets) },
	[ATTR(VPN_TX_PACKETS)] = { AT(vpn_tx_packets), SIZE(vpn_tx_packets) },
	[ATTR(LINK_RX_BYTES)] = { AT(link_rx_bytes), SIZE(link_rx_bytes) },
	[ATTR(LINK_TX_BYTES)] = { AT(link_tx_bytes), SIZE(link_tx_bytes) },
	[ATTR(LINK_RX_PACKETS)] = {
		AT(link_rx_packets), SIZE(link_rx_packets)
	},
	[ATTR(LINK_TX_PACKETS)] = {
		AT(link_tx_packets), SIZE(link_tx_packets)
	},
#undef AT
#undef SIZE
#undef ATTR
};

static void parse_info_attr(struct ovpn_peer_info *info, struct nlattr *attr)
{
	int type = nla_type(attr);
	size_t len = nla_len(attr);

	/* type 0 is the padding in front of 64-bit values */
	if (!type && !len)
		return;
	if (!type || type > OVPN_GET_PEER_RESP_ATTR_MAX ||
	    info->present & 1U << type || len > info_fields[type].size) {
		info->surplus++;
		return;
	}
	info->present |= 1U << type;
	info->len[type] = len;
	/* the packets are counted in 32 bits here */
	if (len == 4 && info_fields[type].size == 8) {
		uint64_t wide = nla_get_u32(attr);

		memcpy((char *)info + info_fields[type].at, &wide, 8);
		return;
	}
	memcpy((char *)info + info_fields[type].at, nla_data(attr), len);
	if (type == OVPN_GET_PEER_RESP_ATTR_LOCAL_PORT) {
		info->local_port = ntohs(info->local_port);
		info->local_port_nbo = attr->nla_type & NLA_F_NET_BYTEORDER;
	}
}

static void parse_info(struct nlmsghdr *reply, struct ovpn_peer_info *info)
{
	struct genlmsghdr *genl = nlmsg_data(reply);
	struct nlattr *top, *attr;
	int left, inner;

	if (genl->cmd != OVPN_CMD_GET_PEER)
		info->surplus++;
	nla_for_each_attr(top, genlmsg_attrdata(genl, 0),
			  genlmsg_attrlen(genl, 0), left) {
		if (nla_type(top) != OVPN_ATTR_GET_PEER || info->present) {
			info->surplus++;
			continue;
		}
		nla_for_each_nested(attr, top, inner)
			parse_info_attr(info, attr);
	}
}

static struct nl_msg *get_peer(struct ovpn_nl *nl, uint32_t ifindex,
			       const uint32_t *id)
{
	struct nl_msg *msg = ovpn_nl_msg(nl, OVPN_CMD_GET_PEER,
					 id ? 0 : NLM_F_DUMP);
	struct nlattr *nest;

	ovpn_put_raw(msg, OVPN_ATTR_IFINDEX, &ifindex, sizeof(ifindex));
	if (!id)
		return msg;
	nest = ovpn_nest(msg, OVPN_ATTR_GET_PEER | NLA_F_NESTED);
	ovpn_put_raw(msg, OVPN_GET_PEER_ATTR_PEER_ID, id, sizeof(*id));
	ovpn_nest_end(msg, nest);
	return msg;
}

/* ---- notifications ---- */

static void parse_ntf(struct nlmsghdr *h, struct ovpn_ntf *ntf)
{
	struct genlmsghdr *genl = nlmsg_data(h);
	unsigned int ifindexes = 0, nests = 0, reasons = 0, ids = 0;
	struct nlattr *top, *attr;
	int left, inner;

	if (genl->cmd != OVPN_CMD_DEL_PEER)
		return;
	ntf->type = OVPN_NTF_DEL_PEER;
	ntf->exact = true;
	nla_for_each_attr(top, genlmsg_attrdata(genl, 0),
			  genlmsg_attrlen(genl, 0), left) {
		if (nla_type(top) == OVPN_ATTR_IFINDEX && nla_len(top) == 4) {
			ifindexes++;
			ntf->ifindex = nla_get_u32(top);
			continue;
		}
		if (nla_type(top) != OVPN_ATTR_DEL_PEER) {
			ntf->exact = false;
			continue;
		}
		nests++;
		nla_for_each_nested(attr, top, inner) {
			if (nla_type(attr) == OVPN_DEL_PEER_ATTR_REASON &&
			    nla_len(attr) == 1) {
				reasons++;
				ntf->reason = nla_get_u8(attr);
			} else if (nla_type(attr) ==
				   OVPN_DEL_PEER_ATTR_PEER_ID &&
				   nla_len(attr) == 4) {
				ids++;
				ntf->peer_id = nla_get_u32(attr);
			} else {
				ntf->exact = false;
			}
		}
	}
	if (ifindexes != 1 || nests != 1 || reasons != 1 || ids != 1)
		ntf->exact = false;
}

const struct ovpn_family family_v2 = {
	.name = OVPN_NL_NAME,
	.version = OVPN_NL_VERSION,
	.kind = OVPN_DCO_LINK_KIND,
	.overhead = 72,
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
