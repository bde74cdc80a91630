// SPDX-License-Identifier: GPL-2.0-only
/* The commands of the family ovpn with all that can be wrong with attributes. */
#include <arpa/inet.h>

#include "attrs.h"
#include "family.h"

static const uint8_t vpn4[4] = { 10, 9, 7, 7 };
static const uint8_t vpn6[16] = { 0xfd, 9, [15] = 7 };
static const uint8_t other4[4] = { 10, 9, 7, 8 };
static const uint8_t other6[16] = { 0xfd, 9, [15] = 8 };
static const uint8_t local[4] = { 127, 0, 0, 1 };
static const uint32_t seconds = 600, tx_id = 0x123456;
static const uint32_t slot, key_id = 2, cipher = OVPN_CIPHER_ALG_AES_GCM;
static const uint8_t key_bytes[33];

#define ATTR(depth, prefix, attr, value)				\
	{ depth, #attr, OVPN7_##prefix##_ATTR_##attr, sizeof(value),	\
	  &(value), 0, false, 0 }
#define ATTR_OPTIONAL(depth, prefix, attr, value)			\
	{ depth, #attr, OVPN7_##prefix##_ATTR_##attr, sizeof(value),	\
	  &(value), 0, true, 0 }
#define NEST(depth, prefix, attr, inside, others)			\
	{ depth, #attr, prefix##_ATTR_##attr, 0, NULL,			\
	  OVPN7_##inside##_ATTR_MAX + 1, false, others }
#define IFINDEX \
	{ 0, "IFINDEX", OVPN7_ATTR_IFINDEX, 4, &attrs_ifindex, 0, false, 0 }
#define PEER(others)	NEST(0, OVPN7, PEER, PEER, others)
#define KEYCONF(others)	NEST(0, OVPN7, KEYCONF, KEYCONF, others)
#define BIT(attr)	(1U << OVPN7_PEER_ATTR_##attr)
#define NO_OTHERS	0x80000000

/* Of the other IP version, so not in the same message. */
#define IPV6_REMOTE \
	(BIT(REMOTE_IPV6) | BIT(REMOTE_IPV6_SCOPE_ID) | BIT(LOCAL_IPV6))

static const struct attrs_node peer_new[] = {
	IFINDEX,
	PEER(IPV6_REMOTE),
	ATTR(1, PEER, ID, attrs_new_peer),
	{ 1, "REMOTE_IPV4", OVPN7_PEER_ATTR_REMOTE_IPV4, 4,
	  &attrs_remote.sin_addr, 0, false, 0 },
	{ 1, "REMOTE_PORT", OVPN7_PEER_ATTR_REMOTE_PORT, 2,
	  &attrs_remote.sin_port, 0, false, 0 },
	ATTR(1, PEER, SOCKET, attrs_sock),
	ATTR_OPTIONAL(1, PEER, VPN_IPV4, vpn4),
	ATTR_OPTIONAL(1, PEER, VPN_IPV6, vpn6),
	ATTR_OPTIONAL(1, PEER, LOCAL_IPV4, local),
	ATTR(1, PEER, KEEPALIVE_INTERVAL, seconds),
	ATTR(1, PEER, KEEPALIVE_TIMEOUT, seconds),
	ATTR_OPTIONAL(1, PEER, TX_ID, tx_id),
};

static const struct attrs_node peer_set[] = {
	IFINDEX,
	PEER(IPV6_REMOTE),
	ATTR(1, PEER, ID, attrs_old_peer),
	{ 1, "REMOTE_IPV4", OVPN7_PEER_ATTR_REMOTE_IPV4, 4,
	  &attrs_remote.sin_addr, 0, false, 0 },
	{ 1, "REMOTE_PORT", OVPN7_PEER_ATTR_REMOTE_PORT, 2,
	  &attrs_remote.sin_port, 0, false, 0 },
	ATTR_OPTIONAL(1, PEER, VPN_IPV4, other4),
	ATTR_OPTIONAL(1, PEER, VPN_IPV6, other6),
	ATTR_OPTIONAL(1, PEER, LOCAL_IPV4, local),
	ATTR(1, PEER, KEEPALIVE_INTERVAL, seconds),
	ATTR(1, PEER, KEEPALIVE_TIMEOUT, seconds),
	ATTR_OPTIONAL(1, PEER, TX_ID, tx_id),
};

static const struct attrs_node peer_id_only[] = {
	IFINDEX,
	PEER(NO_OTHERS),
	ATTR(1, PEER, ID, attrs_old_peer),
};

static const struct attrs_node dump[] = {
	IFINDEX,
};

static const struct attrs_node key_new[] = {
	IFINDEX,
	KEYCONF(NO_OTHERS),
	ATTR(1, KEYCONF, PEER_ID, attrs_old_peer),
	ATTR(1, KEYCONF, SLOT, slot),
	ATTR(1, KEYCONF, KEY_ID, key_id),
	ATTR(1, KEYCONF, CIPHER_ALG, cipher),
	NEST(1, OVPN7_KEYCONF, ENCRYPT_DIR, KEYDIR, NO_OTHERS),
	{ 2, "CIPHER_KEY", OVPN7_KEYDIR_ATTR_CIPHER_KEY, 32, key_bytes,
	  0, false, 0 },
	{ 2, "NONCE_TAIL", OVPN7_KEYDIR_ATTR_NONCE_TAIL, 8, key_bytes,
	  0, false, 0 },
	NEST(1, OVPN7_KEYCONF, DECRYPT_DIR, KEYDIR, NO_OTHERS),
	{ 2, "CIPHER_KEY", OVPN7_KEYDIR_ATTR_CIPHER_KEY, 32, key_bytes,
	  0, false, 0 },
	{ 2, "NONCE_TAIL", OVPN7_KEYDIR_ATTR_NONCE_TAIL, 8, key_bytes,
	  0, false, 0 },
};

static const struct attrs_node key_swap[] = {
	IFINDEX,
	KEYCONF(NO_OTHERS),
	ATTR(1, KEYCONF, PEER_ID, attrs_old_peer),
};

static const struct attrs_node key_in_slot[] = {
	IFINDEX,
	KEYCONF(NO_OTHERS),
	ATTR(1, KEYCONF, PEER_ID, attrs_old_peer),
	ATTR(1, KEYCONF, SLOT, slot),
};

static const struct attrs_command commands[] = {
	{ "PEER_NEW", OVPN7_CMD_PEER_NEW, 0, peer_new,
	  ARRAY_SIZE(peer_new) },
	{ "PEER_SET", OVPN7_CMD_PEER_SET, 0, peer_set,
	  ARRAY_SIZE(peer_set) },
	{ "PEER_GET", OVPN7_CMD_PEER_GET, 0, peer_id_only,
	  ARRAY_SIZE(peer_id_only) },
	{ "PEER_GET dump", OVPN7_CMD_PEER_GET, NLM_F_DUMP, dump,
	  ARRAY_SIZE(dump) },
	{ "KEY_NEW", OVPN7_CMD_KEY_NEW, 0, key_new,
	  ARRAY_SIZE(key_new) },
	{ "KEY_GET", OVPN7_CMD_KEY_GET, 0, key_in_slot,
	  ARRAY_SIZE(key_in_slot) },
	{ "KEY_SWAP", OVPN7_CMD_KEY_SWAP, 0, key_swap,
	  ARRAY_SIZE(key_swap) },
	{ "KEY_DEL", OVPN7_CMD_KEY_DEL, 0, key_in_slot,
	  ARRAY_SIZE(key_in_slot) },
	{ "PEER_DEL", OVPN7_CMD_PEER_DEL, 0, peer_id_only,
	  ARRAY_SIZE(peer_id_only) },
};

static const uint32_t id_too_big = 0x1000000, id_max = 0xFFFFFFFF;
static const uint32_t no_fd = 0x7FFFFFFF, two = 2, eight = 8, three = 3;
static const uint32_t zero, day_and_a_second = 86401, huge = 0xFFFFFFFF;
static const uint16_t port_zero;
static const uint8_t bytes[257];
static const uint8_t multicast4[4] = { 224, 0, 0, 5 };
static const uint8_t broadcast4[4] = { 255, 255, 255, 255 };
static const uint8_t loopback4[4] = { 127, 0, 0, 9 };
static const uint8_t multicast6[16] = { 0xff, 2, [15] = 1 };
static const uint8_t loopback6[16] = { [15] = 1 };

#define NEW	OVPN7_CMD_PEER_NEW
#define SET	OVPN7_CMD_PEER_SET
#define KEY	OVPN7_CMD_KEY_NEW

static const struct attrs_value values[] = {
	{ NEW, "ID", "0x1000000", &id_too_big, 4 },
	{ NEW, "REMOTE_PORT", "0", &port_zero, 2 },
	{ NEW, "VPN_IPV4", "multicast", multicast4, 4 },
	{ NEW, "VPN_IPV4", "broadcast", broadcast4, 4 },
	{ NEW, "VPN_IPV4", "loopback", loopback4, 4 },
	{ NEW, "VPN_IPV6", "multicast", multicast6, 16 },
	{ NEW, "VPN_IPV6", "loopback", loopback6, 16 },
	{ NEW, "VPN_IPV6", "4 bytes", vpn4, 4 },
	{ NEW, "KEEPALIVE_INTERVAL", "86401", &day_and_a_second, 4 },
	{ NEW, "KEEPALIVE_TIMEOUT", "86401", &day_and_a_second, 4 },
	{ NEW, "KEEPALIVE_TIMEOUT", "0xFFFFFFFF", &huge, 4 },
	{ NEW, "TX_ID", "0x1000000", &id_too_big, 4 },
	{ SET, "ID", "0x1000000", &id_too_big, 4 },
	{ SET, "REMOTE_PORT", "0", &port_zero, 2 },
	{ SET, "VPN_IPV4", "multicast", multicast4, 4 },
	{ SET, "VPN_IPV4", "broadcast", broadcast4, 4 },
	{ SET, "VPN_IPV4", "loopback", loopback4, 4 },
	{ SET, "VPN_IPV6", "multicast", multicast6, 16 },
	{ SET, "VPN_IPV6", "loopback", loopback6, 16 },
	{ SET, "VPN_IPV6", "4 bytes", vpn4, 4 },
	{ SET, "KEEPALIVE_INTERVAL", "86401", &day_and_a_second, 4 },
	{ SET, "KEEPALIVE_TIMEOUT", "86401", &day_and_a_second, 4 },
	{ SET, "KEEPALIVE_TIMEOUT", "0xFFFFFFFF", &huge, 4 },
	{ SET, "TX_ID", "0x1000000", &id_too_big, 4 },
	{ NEW, "ID", "0xFFFFFFFF", &id_max, 4 },
	{ NEW, "SOCKET", "no descriptor", &no_fd, 4 },
	{ NEW, "SOCKET", "negative", &id_max, 4 },
	{ OVPN7_CMD_PEER_GET, "ID", "0x1000000", &id_too_big, 4 },
	{ OVPN7_CMD_PEER_DEL, "ID", "0x1000000", &id_too_big, 4 },
	{ KEY, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ KEY, "SLOT", "2", &two, 4 },
	{ KEY, "KEY_ID", "8", &eight, 4 },
	{ KEY, "KEY_ID", "0xFFFFFFFF", &huge, 4 },
	{ KEY, "CIPHER_ALG", "NONE", &zero, 4 },
	{ KEY, "CIPHER_ALG", "3", &three, 4 },
	{ KEY, "CIPHER_KEY", "20 bytes", bytes, 20 },
	{ KEY, "CIPHER_KEY", "256 bytes", bytes, 256 },
	{ KEY, "CIPHER_KEY", "257 bytes", bytes, 257 },
	{ KEY, "NONCE_TAIL", "12 bytes", bytes, 12 },
	{ OVPN7_CMD_KEY_GET, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN7_CMD_KEY_GET, "SLOT", "2", &two, 4 },
	{ OVPN7_CMD_KEY_SWAP, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN7_CMD_KEY_DEL, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN7_CMD_KEY_DEL, "SLOT", "2", &two, 4 },
	{ OVPN7_CMD_KEY_DEL, "SLOT", "0xFFFFFFFF", &huge, 4 },
};

int main(void)
{
	static const struct attrs_suite suite = {
		.commands = commands,
		.n_commands = ARRAY_SIZE(commands),
		.values = values,
		.n_values = ARRAY_SIZE(values),
		.unknown = OVPN7_ATTR_MAX + 1,
	};

	family_use(&family_ovpn);
	return attrs_run(&suite);
}
