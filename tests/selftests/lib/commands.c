// SPDX-License-Identifier: GPL-2.0-only
/* The family's seven commands, well-formed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "nl.h"

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

	ovpn_put_raw(req.msg, OVPN_ATTR_IFINDEX, &ifindex, sizeof(ifindex));
	req.nest = ovpn_nest(req.msg, nest | NLA_F_NESTED);
	return req;
}

static int finish(struct ovpn_nl *nl, struct request *req, ovpn_nl_reply_fn fn,
		  void *arg)
{
	ovpn_nest_end(req->msg, req->nest);
	return ovpn_nl_send(nl, req->msg, fn, arg);
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

int ovpn_nl_new_peer(struct ovpn_nl *nl, uint32_t ifindex,
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
	return finish(nl, &req, NULL, NULL);
}

int ovpn_nl_set_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		     int64_t interval, int64_t timeout)
{
	struct request req = start(nl, OVPN_CMD_SET_PEER, ifindex,
				   OVPN_ATTR_SET_PEER);

	put_u32(&req, OVPN_SET_PEER_ATTR_PEER_ID, id);
	if (interval >= 0)
		put_u32(&req, OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL, interval);
	if (timeout >= 0)
		put_u32(&req, OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT, timeout);
	return finish(nl, &req, NULL, NULL);
}

int ovpn_nl_del_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	struct request req = start(nl, OVPN_CMD_DEL_PEER, ifindex,
				   OVPN_ATTR_DEL_PEER);

	put_u32(&req, OVPN_DEL_PEER_ATTR_PEER_ID, id);
	return finish(nl, &req, NULL, NULL);
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

int ovpn_nl_new_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    enum ovpn_key_slot_name slot,
		    const struct wire_key *encrypt,
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
	return finish(nl, &req, NULL, NULL);
}

int ovpn_nl_swap_keys(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	struct request req = start(nl, OVPN_CMD_SWAP_KEYS, ifindex,
				   OVPN_ATTR_SWAP_KEYS);

	put_u32(&req, OVPN_SWAP_KEYS_ATTR_PEER_ID, id);
	return finish(nl, &req, NULL, NULL);
}

int ovpn_nl_del_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    enum ovpn_key_slot_name slot)
{
	struct request req = start(nl, OVPN_CMD_DEL_KEY, ifindex,
				   OVPN_ATTR_DEL_KEY);

	put_u32(&req, OVPN_DEL_KEY_ATTR_PEER_ID, id);
	put_u8(&req, OVPN_DEL_KEY_ATTR_KEY_SLOT, slot);
	return finish(nl, &req, NULL, NULL);
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

	memset(info, 0, sizeof(*info));
	info->multi = reply->nlmsg_flags & NLM_F_MULTI;
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

struct info_list {
	struct ovpn_peer_info *infos;
	size_t count, room;
};

static void keep_info(struct nlmsghdr *reply, void *arg)
{
	struct info_list *list = arg;
	size_t room = list->room ? list->room * 2 : 16;

	if (list->count == list->room) {
		list->infos = realloc(list->infos, room * sizeof(*list->infos));
		if (!list->infos)
			ktap_bail("out of memory");
		list->room = room;
	}
	parse_info(reply, &list->infos[list->count++]);
}

int ovpn_nl_get_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		     struct ovpn_peer_info *info)
{
	struct request req = start(nl, OVPN_CMD_GET_PEER, ifindex,
				   OVPN_ATTR_GET_PEER);
	struct info_list list = { 0 };
	int err;

	put_u32(&req, OVPN_GET_PEER_ATTR_PEER_ID, id);
	err = finish(nl, &req, keep_info, &list);
	/* exactly one reply, and none with an error */
	if (list.count != !err)
		err = -EPROTO;
	if (!err && info)
		*info = list.infos[0];
	free(list.infos);
	return err;
}

int ovpn_nl_dump(struct ovpn_nl *nl, uint32_t ifindex,
		 struct ovpn_peer_info **list)
{
	struct nl_msg *msg = ovpn_nl_msg(nl, OVPN_CMD_GET_PEER, NLM_F_DUMP);
	struct info_list got = { 0 };
	int err;

	ovpn_put_raw(msg, OVPN_ATTR_IFINDEX, &ifindex, sizeof(ifindex));
	err = ovpn_nl_send(nl, msg, keep_info, &got);
	if (list && !err)
		*list = got.infos;
	else
		free(got.infos);
	return err ? err : (int)got.count;
}
