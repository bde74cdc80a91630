// SPDX-License-Identifier: GPL-2.0-only
/* The commands of ovpn-dco-v2 with all that can be wrong with attributes. */
#include "attrs.h"
#include "nl.h"

static const uint8_t vpn4[4] = { 10, 9, 7, 7 };
static const uint8_t vpn6[16] = { 0xfd, 9, [15] = 7 };
static const uint8_t local[4] = { 127, 0, 0, 1 };
static const uint32_t seconds = 600;
static const uint8_t slot, key_id = 2;
static const uint16_t cipher = OVPN_CIPHER_ALG_AES_GCM;
static const uint8_t key_bytes[33];

#define ATTR(depth, prefix, attr, value)				\
	{ depth, #attr, prefix##_ATTR_##attr, sizeof(value), &(value),	\
	  0, false, 0 }
#define ATTR_OPTIONAL(depth, prefix, attr, value)			\
	{ depth, #attr, prefix##_ATTR_##attr, sizeof(value), &(value),	\
	  0, true, 0 }
#define NEST(depth, prefix, attr, inside)				\
	{ depth, #attr, prefix##_ATTR_##attr, 0, NULL,			\
	  inside##_ATTR_MAX + 1, false, 0 }

static const struct attrs_node new_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
	NEST(0, OVPN, NEW_PEER, OVPN_NEW_PEER),
	ATTR(1, OVPN_NEW_PEER, PEER_ID, attrs_new_peer),
	ATTR(1, OVPN_NEW_PEER, SOCKADDR_REMOTE, attrs_remote),
	ATTR(1, OVPN_NEW_PEER, SOCKET, attrs_sock),
	ATTR_OPTIONAL(1, OVPN_NEW_PEER, IPV4, vpn4),
	ATTR_OPTIONAL(1, OVPN_NEW_PEER, IPV6, vpn6),
	ATTR_OPTIONAL(1, OVPN_NEW_PEER, LOCAL_IP, local),
};

static const struct attrs_node set_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
	NEST(0, OVPN, SET_PEER, OVPN_SET_PEER),
	ATTR(1, OVPN_SET_PEER, PEER_ID, attrs_old_peer),
	ATTR_OPTIONAL(1, OVPN_SET_PEER, KEEPALIVE_INTERVAL, seconds),
	ATTR_OPTIONAL(1, OVPN_SET_PEER, KEEPALIVE_TIMEOUT, seconds),
};

static const struct attrs_node del_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
	NEST(0, OVPN, DEL_PEER, OVPN_DEL_PEER),
	ATTR(1, OVPN_DEL_PEER, PEER_ID, attrs_old_peer),
};

static const struct attrs_node new_key_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
	NEST(0, OVPN, NEW_KEY, OVPN_NEW_KEY),
	ATTR(1, OVPN_NEW_KEY, PEER_ID, attrs_old_peer),
	ATTR(1, OVPN_NEW_KEY, KEY_SLOT, slot),
	ATTR(1, OVPN_NEW_KEY, KEY_ID, key_id),
	ATTR(1, OVPN_NEW_KEY, CIPHER_ALG, cipher),
	NEST(1, OVPN_NEW_KEY, ENCRYPT_KEY, OVPN_KEY_DIR),
	{ 2, "CIPHER_KEY", OVPN_KEY_DIR_ATTR_CIPHER_KEY, 32, key_bytes,
	  0, false, 0 },
	{ 2, "NONCE_TAIL", OVPN_KEY_DIR_ATTR_NONCE_TAIL, 8, key_bytes,
	  0, false, 0 },
	NEST(1, OVPN_NEW_KEY, DECRYPT_KEY, OVPN_KEY_DIR),
	{ 2, "CIPHER_KEY", OVPN_KEY_DIR_ATTR_CIPHER_KEY, 32, key_bytes,
	  0, false, 0 },
	{ 2, "NONCE_TAIL", OVPN_KEY_DIR_ATTR_NONCE_TAIL, 8, key_bytes,
	  0, false, 0 },
};

static const struct attrs_node swap_keys_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
	NEST(0, OVPN, SWAP_KEYS, OVPN_SWAP_KEYS),
	ATTR(1, OVPN_SWAP_KEYS, PEER_ID, attrs_old_peer),
};

static const struct attrs_node del_key_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
	NEST(0, OVPN, DEL_KEY, OVPN_DEL_KEY),
	ATTR(1, OVPN_DEL_KEY, PEER_ID, attrs_old_peer),
	ATTR(1, OVPN_DEL_KEY, KEY_SLOT, slot),
};

static const struct attrs_node get_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
	NEST(0, OVPN, GET_PEER, OVPN_GET_PEER),
	ATTR(1, OVPN_GET_PEER, PEER_ID, attrs_old_peer),
};

static const struct attrs_node dump_nodes[] = {
	ATTR(0, OVPN, IFINDEX, attrs_ifindex),
};

/* DEL_PEER last: all others need the peer that it deletes. */
static const struct attrs_command commands[] = {
	{ "NEW_PEER", OVPN_CMD_NEW_PEER, 0, new_peer_nodes,
	  ARRAY_SIZE(new_peer_nodes) },
	{ "SET_PEER", OVPN_CMD_SET_PEER, 0, set_peer_nodes,
	  ARRAY_SIZE(set_peer_nodes) },
	{ "NEW_KEY", OVPN_CMD_NEW_KEY, 0, new_key_nodes,
	  ARRAY_SIZE(new_key_nodes) },
	{ "SWAP_KEYS", OVPN_CMD_SWAP_KEYS, 0, swap_keys_nodes,
	  ARRAY_SIZE(swap_keys_nodes) },
	{ "DEL_KEY", OVPN_CMD_DEL_KEY, 0, del_key_nodes,
	  ARRAY_SIZE(del_key_nodes) },
	{ "GET_PEER", OVPN_CMD_GET_PEER, 0, get_peer_nodes,
	  ARRAY_SIZE(get_peer_nodes) },
	{ "GET_PEER dump", OVPN_CMD_GET_PEER, NLM_F_DUMP, dump_nodes,
	  ARRAY_SIZE(dump_nodes) },
	{ "DEL_PEER", OVPN_CMD_DEL_PEER, 0, del_peer_nodes,
	  ARRAY_SIZE(del_peer_nodes) },
};

/* Values that no attribute of this size may have. */
static const uint32_t id_too_big = 0x1000000, id_max = 0xFFFFFFFF;
static const uint32_t no_fd = 0x7FFFFFFF;
static const uint8_t slot_too_big = 2, slot_max = 255;
static const uint8_t key_id_too_big = 8, key_id_max = 255;
static const uint16_t cipher_none, cipher_too_big = 3, cipher_max = 65535;
static const struct sockaddr_in6 remote_wrong_size = { .sin6_family = AF_INET };
static const struct sockaddr_in remote_v6_cut = { .sin_family = AF_INET6 };
static const struct sockaddr_in remote_unspec = { .sin_family = AF_UNSPEC };
static const struct sockaddr_in remote_unix = { .sin_family = AF_UNIX };
static const struct sockaddr_in remote_any = {
	.sin_family = AF_INET, .sin_port = 1,
};

static const uint8_t bytes[256];
static const uint8_t local6[16] = { 0xfd, [15] = 1 };

/* Other lengths and values than the generic ones */
static const struct attrs_value values[] = {
	{ OVPN_CMD_NEW_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_NEW_PEER, "PEER_ID", "0xFFFFFFFF", &id_max, 4 },
	{ OVPN_CMD_NEW_PEER, "SOCKET", "no descriptor", &no_fd, 4 },
	{ OVPN_CMD_NEW_PEER, "SOCKET", "negative", &id_max, 4 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_INET in 28 bytes",
	  &remote_wrong_size, 28 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_INET6 in 16 bytes",
	  &remote_v6_cut, 16 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_UNSPEC", &remote_unspec,
	  16 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_UNIX", &remote_unix, 16 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "20 bytes", &remote_any, 20 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "128 bytes", bytes, 128 },
	{ OVPN_CMD_NEW_PEER, "IPV6", "4 bytes", vpn4, 4 },
	{ OVPN_CMD_NEW_PEER, "LOCAL_IP", "8 bytes", bytes, 8 },
	{ OVPN_CMD_NEW_PEER, "LOCAL_IP", "17 bytes", bytes, 17 },
	{ OVPN_CMD_NEW_PEER, "LOCAL_IP", "the other family", local6, 16 },
	{ OVPN_CMD_SET_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_NEW_KEY, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_NEW_KEY, "KEY_SLOT", "2", &slot_too_big, 1 },
	{ OVPN_CMD_NEW_KEY, "KEY_SLOT", "255", &slot_max, 1 },
	{ OVPN_CMD_NEW_KEY, "KEY_ID", "8", &key_id_too_big, 1 },
	{ OVPN_CMD_NEW_KEY, "KEY_ID", "255", &key_id_max, 1 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_ALG", "NONE", &cipher_none, 2 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_ALG", "3", &cipher_too_big, 2 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_ALG", "65535", &cipher_max, 2 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_KEY", "20 bytes", bytes, 20 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_KEY", "255 bytes", bytes, 255 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_KEY", "256 bytes", bytes, 256 },
	{ OVPN_CMD_NEW_KEY, "NONCE_TAIL", "12 bytes", bytes, 12 },
	{ OVPN_CMD_SWAP_KEYS, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_DEL_KEY, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_DEL_KEY, "KEY_SLOT", "2", &slot_too_big, 1 },
	{ OVPN_CMD_DEL_KEY, "KEY_SLOT", "255", &slot_max, 1 },
	{ OVPN_CMD_GET_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_DEL_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
};

int main(void)
{
	static const struct attrs_suite suite = {
		.commands = commands,
		.n_commands = ARRAY_SIZE(commands),
		.values = values,
		.n_values = ARRAY_SIZE(values),
		.unknown = OVPN_ATTR_MAX + 1,
	};

	return attrs_run(&suite);
}
