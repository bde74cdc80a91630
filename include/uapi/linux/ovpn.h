/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * Generic netlink family "ovpn": what OpenVPN 2.7 speaks to configure its data
 * channel in the kernel.
 *
 * The numbers are fixed: they are those of the driver that comes with Linux 6.16
 * and later. The names are not, so that both headers can be included: 27 is for
 * OpenVPN 2.7. The device's attributes (IFLA_OVPN_MODE) are in ovpn_dco.h, or in
 * the kernel's own if_link.h.
 */
#ifndef _UAPI_LINUX_OVPN27_H
#define _UAPI_LINUX_OVPN27_H

#define OVPN27_FAMILY_NAME		"ovpn"
#define OVPN27_FAMILY_VERSION		1
#define OVPN27_MCGRP_PEERS		"peers"

/* rtnetlink: the device kind */
#define OVPN27_LINK_KIND		"ovpn"

#define OVPN27_NONCE_TAIL_SIZE		8

/* Ciphers, slots and reasons have the numbers of ovpn_dco.h */

enum ovpn27_cmd {
	OVPN27_CMD_PEER_NEW = 1,
	OVPN27_CMD_PEER_SET,
	OVPN27_CMD_PEER_GET,
	OVPN27_CMD_PEER_DEL,
	OVPN27_CMD_PEER_DEL_NTF,	/* notification: a peer is gone */
	OVPN27_CMD_KEY_NEW,
	OVPN27_CMD_KEY_GET,
	OVPN27_CMD_KEY_SWAP,
	OVPN27_CMD_KEY_SWAP_NTF,	/* notification: a key is used up */
	OVPN27_CMD_KEY_DEL,
	OVPN27_CMD_PEER_FLOAT_NTF,	/* notification: a peer has moved */

	__OVPN27_CMD_AFTER_LAST,
	OVPN27_CMD_MAX = __OVPN27_CMD_AFTER_LAST - 1,
};

enum ovpn27_attr {
	OVPN27_A_IFINDEX = 1,		/* u32 */
	OVPN27_A_PEER,			/* nest, enum ovpn27_peer_attr */
	OVPN27_A_KEYCONF,		/* nest, enum ovpn27_keyconf_attr */

	__OVPN27_A_AFTER_LAST,
	OVPN27_A_MAX = __OVPN27_A_AFTER_LAST - 1,
};

enum ovpn27_peer_attr {
	OVPN27_A_PEER_ID = 1,		/* u32, 24 bits: what it sends to us with */
	OVPN27_A_PEER_REMOTE_IPV4,	/* 4 bytes in network order */
	OVPN27_A_PEER_REMOTE_IPV6,	/* 16 bytes */
	OVPN27_A_PEER_REMOTE_IPV6_SCOPE_ID, /* u32 */
	OVPN27_A_PEER_REMOTE_PORT,	/* u16 in network order */
	OVPN27_A_PEER_SOCKET,		/* u32, file descriptor of the caller */
	OVPN27_A_PEER_SOCKET_NETNSID,	/* s32, replies only */
	OVPN27_A_PEER_VPN_IPV4,		/* 4 bytes in network order */
	OVPN27_A_PEER_VPN_IPV6,		/* 16 bytes */
	OVPN27_A_PEER_LOCAL_IPV4,	/* 4 bytes in network order */
	OVPN27_A_PEER_LOCAL_IPV6,	/* 16 bytes */
	OVPN27_A_PEER_LOCAL_PORT,	/* u16 in network order, replies only */
	OVPN27_A_PEER_KEEPALIVE_INTERVAL, /* u32, seconds */
	OVPN27_A_PEER_KEEPALIVE_TIMEOUT, /* u32, seconds */
	OVPN27_A_PEER_DEL_REASON,	/* u32, enum ovpn_del_peer_reason */
	OVPN27_A_PEER_VPN_RX_BYTES,	/* u32 or u64: inside the tunnel */
	OVPN27_A_PEER_VPN_TX_BYTES,	/* u32 or u64 */
	OVPN27_A_PEER_VPN_RX_PACKETS,	/* u32 or u64 */
	OVPN27_A_PEER_VPN_TX_PACKETS,	/* u32 or u64 */
	OVPN27_A_PEER_LINK_RX_BYTES,	/* u32 or u64: on the transport */
	OVPN27_A_PEER_LINK_TX_BYTES,	/* u32 or u64 */
	OVPN27_A_PEER_LINK_RX_PACKETS,	/* u32 or u64 */
	OVPN27_A_PEER_LINK_TX_PACKETS,	/* u32 or u64 */
	OVPN27_A_PEER_TX_ID,		/* u32, 24 bits: what we send to it with */

	__OVPN27_A_PEER_AFTER_LAST,
	OVPN27_A_PEER_MAX = __OVPN27_A_PEER_AFTER_LAST - 1,
};

enum ovpn27_keyconf_attr {
	OVPN27_A_KEYCONF_PEER_ID = 1,	/* u32, 24 bits */
	OVPN27_A_KEYCONF_SLOT,		/* u32, enum ovpn_key_slot_name */
	OVPN27_A_KEYCONF_KEY_ID,	/* u32, 0 to 7; u16 in notifications */
	OVPN27_A_KEYCONF_CIPHER_ALG,	/* u32, enum ovpn_cipher_alg */
	OVPN27_A_KEYCONF_ENCRYPT_DIR,	/* nest, enum ovpn27_keydir_attr */
	OVPN27_A_KEYCONF_DECRYPT_DIR,	/* nest, enum ovpn27_keydir_attr */

	__OVPN27_A_KEYCONF_AFTER_LAST,
	OVPN27_A_KEYCONF_MAX = __OVPN27_A_KEYCONF_AFTER_LAST - 1,
};

enum ovpn27_keydir_attr {
	OVPN27_A_KEYDIR_CIPHER_KEY = 1,	/* binary, up to 256 bytes */
	OVPN27_A_KEYDIR_NONCE_TAIL,	/* binary, 8 bytes */

	__OVPN27_A_KEYDIR_AFTER_LAST,
	OVPN27_A_KEYDIR_MAX = __OVPN27_A_KEYDIR_AFTER_LAST - 1,
};

#endif /* _UAPI_LINUX_OVPN27_H */
