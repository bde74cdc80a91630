/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * Generic netlink family "ovpn-dco-v2": what OpenVPN 2.6 speaks to configure
 * its data channel in the kernel.
 *
 * The numbers are fixed: OpenVPN 2.6 was built with them.
 */
#ifndef _UAPI_LINUX_OVPN_DCO_H
#define _UAPI_LINUX_OVPN_DCO_H

#include <linux/if_link.h>

#define OVPN_NL_NAME			"ovpn-dco-v2"
#define OVPN_NL_VERSION			1
#define OVPN_NL_MULTICAST_GROUP_PEERS	"peers"

/* rtnetlink: the device kind and its attributes */
#define OVPN_DCO_LINK_KIND		"ovpn-dco"

/* Linux 6.16 and later have the same for the kind "ovpn" */
#ifndef IFLA_OVPN_MAX
enum ovpn_mode {
	OVPN_MODE_P2P = 0,
	OVPN_MODE_MP = 1,
};

enum ovpn_ifla_attrs {
	IFLA_OVPN_UNSPEC = 0,
	IFLA_OVPN_MODE,			/* u8, enum ovpn_mode */

	__IFLA_OVPN_AFTER_LAST,
	IFLA_OVPN_MAX = __IFLA_OVPN_AFTER_LAST - 1,
};
#endif

enum ovpn_nl_commands {
	OVPN_CMD_UNSPEC = 0,
	OVPN_CMD_NEW_PEER,
	OVPN_CMD_SET_PEER,
	OVPN_CMD_DEL_PEER,		/* request, and notification */
	OVPN_CMD_NEW_KEY,
	OVPN_CMD_SWAP_KEYS,
	OVPN_CMD_DEL_KEY,
	OVPN_CMD_GET_PEER,
};

enum ovpn_cipher_alg {
	OVPN_CIPHER_ALG_NONE = 0,	/* always refused */
	OVPN_CIPHER_ALG_AES_GCM,
	OVPN_CIPHER_ALG_CHACHA20_POLY1305,
};

enum ovpn_del_peer_reason {
	OVPN_DEL_PEER_REASON_TEARDOWN = 0,
	OVPN_DEL_PEER_REASON_USERSPACE,
	OVPN_DEL_PEER_REASON_EXPIRED,
	OVPN_DEL_PEER_REASON_TRANSPORT_ERROR,
	OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT,

	__OVPN_DEL_PEER_REASON_AFTER_LAST,
};

enum ovpn_key_slot_name {
	OVPN_KEY_SLOT_PRIMARY = 0,
	OVPN_KEY_SLOT_SECONDARY,

	__OVPN_KEY_SLOT_AFTER_LAST,
};

enum ovpn_netlink_attrs {
	OVPN_ATTR_UNSPEC = 0,
	OVPN_ATTR_IFINDEX,		/* u32 */
	OVPN_ATTR_NEW_PEER,		/* nests, one a command */
	OVPN_ATTR_SET_PEER,
	OVPN_ATTR_DEL_PEER,
	OVPN_ATTR_NEW_KEY,
	OVPN_ATTR_SWAP_KEYS,
	OVPN_ATTR_DEL_KEY,
	OVPN_ATTR_GET_PEER,

	__OVPN_ATTR_AFTER_LAST,
	OVPN_ATTR_MAX = __OVPN_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_key_dir_attrs {
	OVPN_KEY_DIR_ATTR_UNSPEC = 0,
	OVPN_KEY_DIR_ATTR_CIPHER_KEY,	/* binary, up to 255 bytes */
	OVPN_KEY_DIR_ATTR_NONCE_TAIL,	/* binary, 8 bytes */

	__OVPN_KEY_DIR_ATTR_AFTER_LAST,
	OVPN_KEY_DIR_ATTR_MAX = __OVPN_KEY_DIR_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_new_key_attrs {
	OVPN_NEW_KEY_ATTR_UNSPEC = 0,
	OVPN_NEW_KEY_ATTR_PEER_ID,	/* u32 */
	OVPN_NEW_KEY_ATTR_KEY_SLOT,	/* u8, enum ovpn_key_slot_name */
	OVPN_NEW_KEY_ATTR_KEY_ID,	/* u8, 0 to 7 */
	OVPN_NEW_KEY_ATTR_CIPHER_ALG,	/* u16, enum ovpn_cipher_alg */
	OVPN_NEW_KEY_ATTR_ENCRYPT_KEY,	/* nest, key dir */
	OVPN_NEW_KEY_ATTR_DECRYPT_KEY,	/* nest, key dir */

	__OVPN_NEW_KEY_ATTR_AFTER_LAST,
	OVPN_NEW_KEY_ATTR_MAX = __OVPN_NEW_KEY_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_del_key_attrs {
	OVPN_DEL_KEY_ATTR_UNSPEC = 0,
	OVPN_DEL_KEY_ATTR_PEER_ID,	/* u32 */
	OVPN_DEL_KEY_ATTR_KEY_SLOT,	/* u8, enum ovpn_key_slot_name */

	__OVPN_DEL_KEY_ATTR_AFTER_LAST,
	OVPN_DEL_KEY_ATTR_MAX = __OVPN_DEL_KEY_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_swap_keys_attrs {
	OVPN_SWAP_KEYS_ATTR_UNSPEC = 0,
	OVPN_SWAP_KEYS_ATTR_PEER_ID,	/* u32 */

	__OVPN_SWAP_KEYS_ATTR_AFTER_LAST,
	OVPN_SWAP_KEYS_ATTR_MAX = __OVPN_SWAP_KEYS_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_new_peer_attrs {
	OVPN_NEW_PEER_ATTR_UNSPEC = 0,
	OVPN_NEW_PEER_ATTR_PEER_ID,	/* u32 */
	OVPN_NEW_PEER_ATTR_SOCKADDR_REMOTE, /* struct sockaddr_in or sockaddr_in6 */
	OVPN_NEW_PEER_ATTR_SOCKET,	/* u32, file descriptor of the caller */
	OVPN_NEW_PEER_ATTR_IPV4,	/* 4 bytes in network order */
	OVPN_NEW_PEER_ATTR_IPV6,	/* 16 bytes */
	OVPN_NEW_PEER_ATTR_LOCAL_IP,	/* 4 or 16 bytes */

	__OVPN_NEW_PEER_ATTR_AFTER_LAST,
	OVPN_NEW_PEER_ATTR_MAX = __OVPN_NEW_PEER_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_set_peer_attrs {
	OVPN_SET_PEER_ATTR_UNSPEC = 0,
	OVPN_SET_PEER_ATTR_PEER_ID,	/* u32 */
	OVPN_SET_PEER_ATTR_KEEPALIVE_INTERVAL, /* u32, seconds, 0 is off */
	OVPN_SET_PEER_ATTR_KEEPALIVE_TIMEOUT, /* u32, seconds, 0 is off */

	__OVPN_SET_PEER_ATTR_AFTER_LAST,
	OVPN_SET_PEER_ATTR_MAX = __OVPN_SET_PEER_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_del_peer_attrs {
	OVPN_DEL_PEER_ATTR_UNSPEC = 0,
	OVPN_DEL_PEER_ATTR_REASON,	/* u8, enum ovpn_del_peer_reason */
	OVPN_DEL_PEER_ATTR_PEER_ID,	/* u32 */

	__OVPN_DEL_PEER_ATTR_AFTER_LAST,
	OVPN_DEL_PEER_ATTR_MAX = __OVPN_DEL_PEER_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_get_peer_attrs {
	OVPN_GET_PEER_ATTR_UNSPEC = 0,
	OVPN_GET_PEER_ATTR_PEER_ID,	/* u32 */

	__OVPN_GET_PEER_ATTR_AFTER_LAST,
	OVPN_GET_PEER_ATTR_MAX = __OVPN_GET_PEER_ATTR_AFTER_LAST - 1,
};

enum ovpn_netlink_get_peer_response_attrs {
	OVPN_GET_PEER_RESP_ATTR_UNSPEC = 0,
	OVPN_GET_PEER_RESP_ATTR_PEER_ID,	/* u32 */
	OVPN_GET_PEER_RESP_ATTR_SOCKADDR_REMOTE, /* sockaddr_in or sockaddr_in6 */
	OVPN_GET_PEER_RESP_ATTR_IPV4,		/* 4 bytes */
	OVPN_GET_PEER_RESP_ATTR_IPV6,		/* 16 bytes */
	OVPN_GET_PEER_RESP_ATTR_LOCAL_IP,	/* 4 or 16 bytes */
	OVPN_GET_PEER_RESP_ATTR_LOCAL_PORT,	/* u16 in network order */
	OVPN_GET_PEER_RESP_ATTR_KEEPALIVE_INTERVAL, /* u32 */
	OVPN_GET_PEER_RESP_ATTR_KEEPALIVE_TIMEOUT, /* u32 */
	OVPN_GET_PEER_RESP_ATTR_VPN_RX_BYTES,	/* u64: inside the tunnel */
	OVPN_GET_PEER_RESP_ATTR_VPN_TX_BYTES,	/* u64 */
	OVPN_GET_PEER_RESP_ATTR_VPN_RX_PACKETS,	/* u32 */
	OVPN_GET_PEER_RESP_ATTR_VPN_TX_PACKETS,	/* u32 */
	OVPN_GET_PEER_RESP_ATTR_LINK_RX_BYTES,	/* u64: on the transport */
	OVPN_GET_PEER_RESP_ATTR_LINK_TX_BYTES,	/* u64 */
	OVPN_GET_PEER_RESP_ATTR_LINK_RX_PACKETS, /* u32 */
	OVPN_GET_PEER_RESP_ATTR_LINK_TX_PACKETS, /* u32 */

	__OVPN_GET_PEER_RESP_ATTR_AFTER_LAST,
	OVPN_GET_PEER_RESP_ATTR_MAX = __OVPN_GET_PEER_RESP_ATTR_AFTER_LAST - 1,
};

#endif /* _UAPI_LINUX_OVPN_DCO_H */
