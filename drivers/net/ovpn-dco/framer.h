/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets in a byte stream: OpenVPN over TCP puts two bytes of length, most
 * significant first, in front of each packet.
 */
#ifndef _OVPN_FRAMER_H
#define _OVPN_FRAMER_H

#include <linux/skbuff.h>
#include <linux/types.h>

#define OVPN_FRAME_HEADER_LEN	2

/* How large a packet with its length in front can be */
#define OVPN_FRAME_MAX		(OVPN_FRAME_HEADER_LEN + U16_MAX)

/**
 * struct ovpn_framer - cuts a byte stream into packets
 * @skb: the packet that is half here, or NULL
 * @missing: how many of its bytes are still to come
 * @header: its length, as far as that is here
 * @header_len: how many bytes of @header are here
 *
 * All zero is the state at the beginning of a stream. The owner sees to it that
 * only one at a time uses it.
 */
struct ovpn_framer {
	struct sk_buff *skb;
	unsigned int missing;
	u8 header[OVPN_FRAME_HEADER_LEN];
	u8 header_len;
};

int ovpn_framer_take(struct ovpn_framer *framer, const struct sk_buff *src,
		     unsigned int offset, size_t len, struct sk_buff **pkt);
struct sk_buff *ovpn_framer_residue(struct ovpn_framer *framer, gfp_t gfp);

/**
 * ovpn_frame_push - put the length in front of a packet
 * @skb: the packet, with headroom for it, at most U16_MAX bytes
 */
static inline void ovpn_frame_push(struct sk_buff *skb)
{
	__be16 len = cpu_to_be16(skb->len);

	memcpy(__skb_push(skb, sizeof(len)), &len, sizeof(len));
}

#endif /* _OVPN_FRAMER_H */
