/* SPDX-License-Identifier: GPL-2.0-only */
/* From the transport to the device. */
#ifndef _OVPN_RECEIVE_H
#define _OVPN_RECEIVE_H

#include <linux/skbuff.h>

struct ovpn_dev;
struct ovpn_peer;

/**
 * ovpn_receive_range - some bytes of a buffer that may be in pieces
 * @skb: the buffer
 * @offset: where the bytes begin
 * @len: how many they are
 *
 * As skb_header_pointer(), but it does not copy, and knows where to look: in the
 * pages of a large packet.
 *
 * Context: any.
 * Return: the bytes; or NULL if they are not all in one piece, or too few.
 */
static inline const void *ovpn_receive_range(const struct sk_buff *skb,
					     unsigned int offset,
					     unsigned int len)
{
	unsigned int i, size = skb_headlen(skb);
	const skb_frag_t *frag;

	if (offset < size)
		return offset + len <= size ? skb->data + offset : NULL;
	offset -= size;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		frag = &skb_shinfo(skb)->frags[i];
		size = skb_frag_size(frag);
		if (offset >= size) {
			offset -= size;
			continue;
		}
		if (offset + len > size || PageHighMem(skb_frag_page(frag)))
			return NULL;
		return skb_frag_address(frag) + offset;
	}
	return NULL;
}

void ovpn_receive(struct ovpn_peer *peer, struct sk_buff *skb);
void ovpn_receive_prepare(struct ovpn_dev *ovpn, struct sk_buff *skb);
void ovpn_receive_part(struct ovpn_peer *peer, struct sk_buff *from,
		       unsigned int offset, unsigned int len);

#endif /* _OVPN_RECEIVE_H */
