/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two families that the module serves: ovpn-dco-v2, of OpenVPN 2.6, and
 * ovpn, of OpenVPN 2.7. A program speaks the latter if it is run by a name that
 * ends in "-ovpn", or from a program that does; else, and unless it says
 * otherwise, the former.
 *
 * What nl.h declares means the same with both; how it is said is in
 * commands_v2.c and commands_ovpn.c, to be called through nl.h only.
 */
#ifndef _SELFTEST_FAMILY_H
#define _SELFTEST_FAMILY_H

#include <stdbool.h>
#include <stdint.h>

#include "nl.h"

/* In the environment of programs that are to speak ovpn. */
#define FAMILY_VARIABLE	"OVPN_FAMILY"

struct ovpn_family {
	const char *name;	/* of the generic netlink family */
	uint8_t version;
	const char *kind;	/* of its devices */
	uint32_t overhead;	/* what is left for it of an MTU of 1500 */
	/* Named like what calls them in nl.h */
	int (*new_peer)(struct ovpn_nl *nl, uint32_t ifindex,
			const struct ovpn_peer_args *args);
	int (*set_peer)(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
			int64_t interval, int64_t timeout);
	int (*del_peer)(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id);
	int (*new_key)(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		       enum ovpn_key_slot_name slot,
		       const struct wire_key *encrypt,
		       const struct wire_key *decrypt);
	int (*swap_keys)(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id);
	int (*del_key)(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		       enum ovpn_key_slot_name slot);
	/* Asks for one peer; @list is NULL for that, else a dump */
	struct nl_msg *(*get_peer)(struct ovpn_nl *nl, uint32_t ifindex,
				   const uint32_t *id);
	void (*parse_info)(struct nlmsghdr *reply, struct ovpn_peer_info *info);
	void (*parse_ntf)(struct nlmsghdr *h, struct ovpn_ntf *ntf);
};

extern const struct ovpn_family family_v2, family_ovpn;

/* What the program speaks, or has said that it speaks. */
const struct ovpn_family *family(void);

/* From now on, for clients, listeners and links that are made. */
void family_use(const struct ovpn_family *f);

/* What a client was opened for. */
const struct ovpn_family *ovpn_nl_family(const struct ovpn_nl *nl);

/* Does the program speak ovpn now? */
static inline bool speaks_ovpn(void)
{
	return family() == &family_ovpn;
}

/*
 * The one peer of a point-to-point device needs no address in the VPN, and the
 * family ovpn refuses one: what to say there.
 */
static inline const char *vpn_of(int mode, const char *addr)
{
	return mode == OVPN_MODE_P2P && speaks_ovpn() ? NULL : addr;
}

/*
 * Seconds for one half of the keepalive that nothing is to come of: 0 means
 * that, except to the family ovpn, where it also switches off the other half.
 */
static inline int64_t keepalive_none(void)
{
	return speaks_ovpn() ? 36000 : 0;
}

/* ---- what is only said in the family ovpn ---- */

/*
 * Its numbers, as OpenVPN 2.7 was built with them: not from the module's own
 * header, which may be wrong.
 */
enum {
	OVPN7_CMD_PEER_NEW = 1,
	OVPN7_CMD_PEER_SET,
	OVPN7_CMD_PEER_GET,
	OVPN7_CMD_PEER_DEL,
	OVPN7_CMD_PEER_DEL_NTF,
	OVPN7_CMD_KEY_NEW,
	OVPN7_CMD_KEY_GET,
	OVPN7_CMD_KEY_SWAP,
	OVPN7_CMD_KEY_SWAP_NTF,
	OVPN7_CMD_KEY_DEL,
	OVPN7_CMD_PEER_FLOAT_NTF,
};

enum {
	OVPN7_ATTR_IFINDEX = 1,
	OVPN7_ATTR_PEER,
	OVPN7_ATTR_KEYCONF,
	OVPN7_ATTR_MAX = OVPN7_ATTR_KEYCONF,
};

enum {
	OVPN7_PEER_ATTR_ID = 1,
	OVPN7_PEER_ATTR_REMOTE_IPV4,
	OVPN7_PEER_ATTR_REMOTE_IPV6,
	OVPN7_PEER_ATTR_REMOTE_IPV6_SCOPE_ID,
	OVPN7_PEER_ATTR_REMOTE_PORT,
	OVPN7_PEER_ATTR_SOCKET,
	OVPN7_PEER_ATTR_SOCKET_NETNSID,
	OVPN7_PEER_ATTR_VPN_IPV4,
	OVPN7_PEER_ATTR_VPN_IPV6,
	OVPN7_PEER_ATTR_LOCAL_IPV4,
	OVPN7_PEER_ATTR_LOCAL_IPV6,
	OVPN7_PEER_ATTR_LOCAL_PORT,
	OVPN7_PEER_ATTR_KEEPALIVE_INTERVAL,
	OVPN7_PEER_ATTR_KEEPALIVE_TIMEOUT,
	OVPN7_PEER_ATTR_DEL_REASON,
	OVPN7_PEER_ATTR_VPN_RX_BYTES,
	OVPN7_PEER_ATTR_VPN_TX_BYTES,
	OVPN7_PEER_ATTR_VPN_RX_PACKETS,
	OVPN7_PEER_ATTR_VPN_TX_PACKETS,
	OVPN7_PEER_ATTR_LINK_RX_BYTES,
	OVPN7_PEER_ATTR_LINK_TX_BYTES,
	OVPN7_PEER_ATTR_LINK_RX_PACKETS,
	OVPN7_PEER_ATTR_LINK_TX_PACKETS,
	OVPN7_PEER_ATTR_TX_ID,
	OVPN7_PEER_ATTR_MAX = OVPN7_PEER_ATTR_TX_ID,
};

enum {
	OVPN7_KEYCONF_ATTR_PEER_ID = 1,
	OVPN7_KEYCONF_ATTR_SLOT,
	OVPN7_KEYCONF_ATTR_KEY_ID,
	OVPN7_KEYCONF_ATTR_CIPHER_ALG,
	OVPN7_KEYCONF_ATTR_ENCRYPT_DIR,
	OVPN7_KEYCONF_ATTR_DECRYPT_DIR,
	OVPN7_KEYCONF_ATTR_MAX = OVPN7_KEYCONF_ATTR_DECRYPT_DIR,
};

enum {
	OVPN7_KEYDIR_ATTR_CIPHER_KEY = 1,
	OVPN7_KEYDIR_ATTR_NONCE_TAIL,
	OVPN7_KEYDIR_ATTR_MAX = OVPN7_KEYDIR_ATTR_NONCE_TAIL,
};

/*
 * Changes what is not NULL (and no socket) of @args; seconds as for
 * ovpn_nl_set_peer().
 */
int ovpn7_peer_set(struct ovpn_nl *nl, uint32_t ifindex,
		   const struct ovpn_peer_args *args, int64_t interval,
		   int64_t timeout);

struct ovpn7_key_info {
	uint32_t present;	/* bit n: OVPN7_KEYCONF_ATTR n was there */
	unsigned int surplus;	/* what does not belong there */
	uint32_t peer_id;
	uint32_t slot;
	uint32_t key_id;
	uint32_t alg;
};

int ovpn7_key_get(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		  enum ovpn_key_slot_name slot, struct ovpn7_key_info *info);

#endif /* _SELFTEST_FAMILY_H */
