/* SPDX-License-Identifier: GPL-2.0-only */
/* Large packets: cut into a buffer that leaves as one large datagram. */
#ifndef _OVPN_GSO_H
#define _OVPN_GSO_H

#include <linux/skbuff.h>
#include <net/tso.h>

#include "wire.h"

struct ovpn_dev;

/**
 * struct ovpn_cutter - cuts one large packet
 * @skb: the packet, which stays as it is
 * @tso: the kernel's state of cutting
 * @hdr_len: bytes of its headers
 * @offset: where in @skb the next payload is
 */
struct ovpn_cutter {
	struct sk_buff *skb;
	struct tso_t tso;
	unsigned int hdr_len;
	unsigned int offset;
};

/**
 * ovpn_is_train - does a sealed buffer hold packets that were cut?
 * @skb: the buffer
 *
 * Return: true if it may be more than one packet: then they are in fragments,
 * all of the same size but for the last, which may be shorter, and no packet is
 * in two fragments.
 */
static inline bool ovpn_is_train(const struct sk_buff *skb)
{
	return skb_is_nonlinear(skb);
}

/**
 * ovpn_packets - how many packets is that?
 * @skb: a packet on its way out, large or not, or a train
 *
 * Return: their number.
 */
static inline unsigned int ovpn_packets(const struct sk_buff *skb)
{
	return skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1;
}

/**
 * ovpn_cutter_done - is everything cut?
 * @cutter: what is being cut
 *
 * Return: true if nothing is left.
 */
static inline bool ovpn_cutter_done(const struct ovpn_cutter *cutter)
{
	return cutter->offset == cutter->skb->len;
}

unsigned int ovpn_gso_sealed_size(const struct sk_buff *skb);
bool ovpn_gso_may_cut(const struct sk_buff *skb);
void ovpn_cutter_init(struct ovpn_cutter *cutter, struct sk_buff *skb);
struct sk_buff *ovpn_train_alloc(struct ovpn_dev *ovpn,
				 const struct sk_buff *like);
struct ovpn_header *ovpn_train_add(struct sk_buff *train,
				   const struct sk_buff *skb);
struct ovpn_header *ovpn_cutter_next(struct ovpn_cutter *cutter,
				     struct sk_buff *train, unsigned int *len);
void ovpn_train_own(struct sk_buff *train, struct sk_buff *skb, bool all);

void ovpn_gso_exit(void);

#endif /* _OVPN_GSO_H */
