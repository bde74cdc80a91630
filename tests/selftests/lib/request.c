// SPDX-License-Identifier: GPL-2.0-only
#include <netinet/in.h>

#include "request.h"

#include "family.h"
#include "ktap.h"

const char *const request_names[REQ_COUNT] = {
	[REQ_NEW_PEER] = "NEW_PEER",
	[REQ_SET_PEER] = "SET_PEER",
	[REQ_DEL_PEER] = "DEL_PEER",
	[REQ_NEW_KEY] = "NEW_KEY",
	[REQ_SWAP_KEYS] = "SWAP_KEYS",
	[REQ_DEL_KEY] = "DEL_KEY",
	[REQ_GET_PEER] = "GET_PEER",
	[REQ_DUMP] = "GET_PEER dump",
};

/* Command, its nest, and where in it the peer's id is. */
struct shape {
	int cmd, nest, id;
};

static const struct shape shapes_v2[REQ_COUNT] = {
#define SHAPE(name)							\
	[REQ_##name] = { OVPN_CMD_##name, OVPN_ATTR_##name,		\
			 OVPN_##name##_ATTR_PEER_ID }
	SHAPE(NEW_PEER), SHAPE(SET_PEER), SHAPE(DEL_PEER), SHAPE(NEW_KEY),
	SHAPE(SWAP_KEYS), SHAPE(DEL_KEY), SHAPE(GET_PEER),
#undef SHAPE
	[REQ_DUMP] = { OVPN_CMD_GET_PEER },
};

static const struct shape shapes_ovpn[REQ_COUNT] = {
#define PEER(name)							\
	{ OVPN7_CMD_PEER_##name, OVPN7_ATTR_PEER, OVPN7_PEER_ATTR_ID }
#define KEY(name)							\
	{ OVPN7_CMD_KEY_##name, OVPN7_ATTR_KEYCONF, OVPN7_KEYCONF_ATTR_PEER_ID }
	[REQ_NEW_PEER] = PEER(NEW),
	[REQ_SET_PEER] = PEER(SET),
	[REQ_DEL_PEER] = PEER(DEL),
	[REQ_NEW_KEY] = KEY(NEW),
	[REQ_SWAP_KEYS] = KEY(SWAP),
	[REQ_DEL_KEY] = KEY(DEL),
	[REQ_GET_PEER] = PEER(GET),
	[REQ_DUMP] = { OVPN7_CMD_PEER_GET },
#undef PEER
#undef KEY
};

static void put_u8(struct nl_msg *msg, int type, uint8_t value)
{
	ovpn_put_raw(msg, type, &value, sizeof(value));
}

static void put_u32(struct nl_msg *msg, int type, uint32_t value)
{
	ovpn_put_raw(msg, type, &value, sizeof(value));
}

static void put_key(struct nl_msg *msg)
{
	static const uint16_t alg = OVPN_CIPHER_ALG_AES_GCM;
	static const uint8_t bytes[32];
	struct nlattr *dir;
	int type;

	put_u8(msg, OVPN_NEW_KEY_ATTR_KEY_SLOT, OVPN_KEY_SLOT_PRIMARY);
	put_u8(msg, OVPN_NEW_KEY_ATTR_KEY_ID, 0);
	ovpn_put_raw(msg, OVPN_NEW_KEY_ATTR_CIPHER_ALG, &alg, sizeof(alg));
	for (type = OVPN_NEW_KEY_ATTR_ENCRYPT_KEY;
	     type <= OVPN_NEW_KEY_ATTR_DECRYPT_KEY; type++) {
		dir = ovpn_nest(msg, type | NLA_F_NESTED);
		ovpn_put_raw(msg, OVPN_KEY_DIR_ATTR_CIPHER_KEY, bytes, 32);
		ovpn_put_raw(msg, OVPN_KEY_DIR_ATTR_NONCE_TAIL, bytes, 8);
		ovpn_nest_end(msg, dir);
	}
}

static void put_key_ovpn(struct nl_msg *msg)
{
	static const uint8_t bytes[32];
	struct nlattr *dir;
	int type;

	put_u32(msg, OVPN7_KEYCONF_ATTR_SLOT, OVPN_KEY_SLOT_PRIMARY);
	put_u32(msg, OVPN7_KEYCONF_ATTR_KEY_ID, 0);
	put_u32(msg, OVPN7_KEYCONF_ATTR_CIPHER_ALG, OVPN_CIPHER_ALG_AES_GCM);
	for (type = OVPN7_KEYCONF_ATTR_ENCRYPT_DIR;
	     type <= OVPN7_KEYCONF_ATTR_DECRYPT_DIR; type++) {
		dir = ovpn_nest(msg, type | NLA_F_NESTED);
		ovpn_put_raw(msg, OVPN7_KEYDIR_ATTR_CIPHER_KEY, bytes, 32);
		ovpn_put_raw(msg, OVPN7_KEYDIR_ATTR_NONCE_TAIL, bytes, 8);
		ovpn_nest_end(msg, dir);
	}
}

static void put_rest_ovpn(struct nl_msg *msg, int req,
			  const struct request_args *args)
{
	static const uint8_t vpn[4] = { 10, 9, 8, 7 };
	const struct sockaddr_in *remote = args->remote;

	switch (req) {
	case REQ_NEW_PEER:
		put_u32(msg, OVPN7_PEER_ATTR_SOCKET, args->sock);
		ovpn_put_raw(msg, OVPN7_PEER_ATTR_VPN_IPV4, vpn, sizeof(vpn));
		if (!remote)
			break;
		if (remote->sin_family != AF_INET)
			ktap_bail("this remote is not known how to say");
		ovpn_put_raw(msg, OVPN7_PEER_ATTR_REMOTE_IPV4,
			     &remote->sin_addr, 4);
		ovpn_put_raw(msg, OVPN7_PEER_ATTR_REMOTE_PORT,
			     &remote->sin_port, 2);
		break;
	case REQ_SET_PEER:
		put_u32(msg, OVPN7_PEER_ATTR_KEEPALIVE_INTERVAL, 10);
		put_u32(msg, OVPN7_PEER_ATTR_KEEPALIVE_TIMEOUT, 600);
		break;
	case REQ_NEW_KEY:
		put_key_ovpn(msg);
		break;
	case REQ_DEL_KEY:
		put_u32(msg, OVPN7_KEYCONF_ATTR_SLOT, OVPN_KEY_SLOT_PRIMARY);
		break;
	}
}

static void put_rest(struct nl_msg *msg, int req,
		     const struct request_args *args)
{
	static const uint8_t vpn[4] = { 10, 9, 8, 7 };

	switch (req) {
	case REQ_NEW_PEER:
		put_u32(msg, OVPN_NEW_PEER_ATTR_SOCKET, args->sock);
		ovpn_put_raw(msg, OVPN_NEW_PEER_ATTR_IPV4, vpn, sizeof(vpn));
		if (args->remote)
			ovpn_put_raw(msg, OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE,
				     args->remote, args->remote_len);
		break;
	case REQ_SET_PEER:
		put_u32(msg, OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL, 10);
		put_u32(msg, OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT, 600);
		break;
	case REQ_NEW_KEY:
		put_key(msg);
		break;
	case REQ_DEL_KEY:
		put_u8(msg, OVPN_DEL_KEY_ATTR_KEY_SLOT, OVPN_KEY_SLOT_PRIMARY);
		break;
	}
}

int request_send(struct ovpn_nl *nl, int req, const struct request_args *args)
{
	bool v2 = ovpn_nl_family(nl) == &family_v2;
	const struct shape *shape = v2 ? &shapes_v2[req] : &shapes_ovpn[req];
	struct nl_msg *msg = ovpn_nl_msg(nl, shape->cmd,
					 req == REQ_DUMP ? NLM_F_DUMP : 0);
	struct nlattr *nest;

	/* it is attribute 1 of both */
	if (args->ifindex)
		ovpn_put_raw(msg, OVPN_ATTR_IFINDEX, args->ifindex,
			     sizeof(*args->ifindex));
	if (shape->nest && !args->no_nest) {
		nest = ovpn_nest(msg, shape->nest | NLA_F_NESTED);
		put_u32(msg, shape->id, args->id);
		(v2 ? put_rest : put_rest_ovpn)(msg, req, args);
		ovpn_nest_end(msg, nest);
	}
	return ovpn_nl_send(nl, msg, NULL, NULL);
}
