// SPDX-License-Identifier: GPL-2.0-only
/* Cut a byte stream into packets, see framer.h. */

#include <linux/unaligned.h>

#include "framer.h"

/* The length is here: make room for the packet */
static int begin(struct ovpn_framer *framer)
{
	u16 len = get_unaligned_be16(framer->header);

	if (unlikely(!len))
		return -EPROTO;

	/* A packet of its own, whatever its bytes arrived in: nothing that the
	 * other end chooses can make one out of many pieces.
	 */
	framer->skb = netdev_alloc_skb(NULL, len);
	if (unlikely(!framer->skb))
		return -ENOMEM;
	framer->missing = len;
	return 0;
}

/**
 * ovpn_framer_take - go on along the stream
 * @framer: the framer
 * @src: where the next bytes of the stream are
 * @offset: in @src
 * @len: how many there are, not 0
 * @pkt: set to the packet whose last byte was among those taken, or to NULL.
 *	It is linear, starts behind its length, has headroom to put that back,
 *	and belongs to the caller.
 *
 * Takes bytes up to the end of one packet at most.
 *
 * Context: any; GFP_ATOMIC.
 * Return: how many bytes were taken, at least one; or, if none were, -EPROTO
 * for a packet of length 0, after which nothing is known of the stream any
 * more, or -ENOMEM, after which the same can be tried again later.
 */
int ovpn_framer_take(struct ovpn_framer *framer, const struct sk_buff *src,
		     unsigned int offset, size_t len, struct sk_buff **pkt)
{
	size_t taken = 0, chunk;
	int err;

	*pkt = NULL;
	while (framer->header_len < OVPN_FRAME_HEADER_LEN && taken < len)
		skb_copy_bits(src, offset + taken++,
			      &framer->header[framer->header_len++], 1);
	if (framer->header_len < OVPN_FRAME_HEADER_LEN)
		return taken;

	if (!framer->skb) {
		err = begin(framer);
		if (unlikely(err)) {
			framer->header_len -= taken;
			return err;
		}
	}

	chunk = min_t(size_t, framer->missing, len - taken);
	skb_copy_bits(src, offset + taken, skb_put(framer->skb, chunk), chunk);
	framer->missing -= chunk;
	if (!framer->missing) {
		*pkt = framer->skb;
		memset(framer, 0, sizeof(*framer));
	}
	return taken + chunk;
}

/**
 * ovpn_framer_residue - give up, and take back what is no whole packet yet
 * @framer: the framer; at the beginning of a stream afterwards
 * @gfp: how to allocate
 *
 * Context: as @gfp allows.
 * Return: the bytes taken since the last packet, length included; NULL if there
 * are none, or no memory.
 */
struct sk_buff *ovpn_framer_residue(struct ovpn_framer *framer, gfp_t gfp)
{
	struct sk_buff *skb = framer->skb;

	if (!skb && framer->header_len)
		skb = __netdev_alloc_skb(NULL, 0, gfp);
	if (skb)
		memcpy(__skb_push(skb, framer->header_len), framer->header,
		       framer->header_len);
	memset(framer, 0, sizeof(*framer));
	return skb;
}
