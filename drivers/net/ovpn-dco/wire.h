/* SPDX-License-Identifier: GPL-2.0-only */
/* The OpenVPN wire format, as far as the data channel needs it.
 *
 * A data packet (DATA_V2, AEAD) is
 *
 *	 0      4        8          24
 *	 | op32 | pid32  | tag      | ciphertext ...
 *
 * with op32 = opcode (5 bits) | key id (3 bits) | peer id (24 bits). The first
 * eight bytes are the associated data; pid32 and the eight bytes of nonce tail
 * that belong to the key are the nonce.
 */
#ifndef _OVPN_WIRE_H
#define _OVPN_WIRE_H

#include <linux/bitfield.h>
#include <linux/types.h>

#define OVPN_OP_DATA_V1		6
#define OVPN_OP_DATA_V2		9

#define OVPN_OP_OPCODE		GENMASK(31, 27)
#define OVPN_OP_KEY_ID		GENMASK(26, 24)
#define OVPN_OP_PEER_ID		GENMASK(23, 0)

/* In the first byte alone */
#define OVPN_OPCODE_SHIFT	3

#define OVPN_KEY_ID_MAX		7
#define OVPN_PEER_ID_MAX	0xffffffU
/* A sender that does not know its peer id: the source address tells */
#define OVPN_PEER_ID_UNDEF	OVPN_PEER_ID_MAX

#define OVPN_OP_LEN		4
#define OVPN_AD_LEN		8
#define OVPN_TAG_LEN		16
#define OVPN_HEADER_LEN		(OVPN_AD_LEN + OVPN_TAG_LEN)
#define OVPN_NONCE_TAIL_LEN	8
#define OVPN_NONCE_LEN		12

#define OVPN_PACKET_ID_MAX	U32_MAX

struct ovpn_header {
	__be32 op;
	__be32 packet_id;
	u8 tag[OVPN_TAG_LEN];
} __packed;

static inline __be32 ovpn_op_build(u8 key_id, u32 peer_id)
{
	return cpu_to_be32(FIELD_PREP(OVPN_OP_OPCODE, OVPN_OP_DATA_V2) |
			   FIELD_PREP(OVPN_OP_KEY_ID, key_id) |
			   FIELD_PREP(OVPN_OP_PEER_ID, peer_id));
}

#define OVPN_KEEPALIVE_LEN	16
extern const u8 ovpn_keepalive_payload[OVPN_KEEPALIVE_LEN];

#endif /* _OVPN_WIRE_H */
