/* SPDX-License-Identifier: GPL-2.0-only */
/* Sealing and opening packets with the kernel's AEAD ciphers. */
#ifndef _OVPN_AEAD_H
#define _OVPN_AEAD_H

#include <linux/skbuff.h>

#include "keys.h"

/**
 * typedef ovpn_aead_done_t - continues with a packet whose crypto took longer
 * @slot: the key, which stays valid during the call
 * @skb: the packet, as if ovpn_aead_seal() or ovpn_aead_open() had returned
 * @from: what it was opened from, or NULL; stays valid during the call
 * @err: 0 or what went wrong
 *
 * Context: BH off, rcu_read_lock held.
 */
typedef void (*ovpn_aead_done_t)(struct ovpn_key_slot *slot,
				 struct sk_buff *skb, struct sk_buff *from,
				 int err);

int ovpn_cipher_init(struct ovpn_cipher *cipher, const char *name,
		     const struct ovpn_key_direction *key,
		     struct netlink_ext_ack *extack);
void ovpn_cipher_free(struct ovpn_cipher *cipher);
bool ovpn_cipher_takes_trains(const struct ovpn_cipher *cipher);

int ovpn_aead_seal(struct ovpn_key_slot *slot, struct sk_buff *skb,
		   u32 packet_id, ovpn_aead_done_t done);
int ovpn_aead_seal_at(struct ovpn_key_slot *slot, struct ovpn_header *hdr,
		      unsigned int len, u32 packet_id, struct sk_buff *skb,
		      ovpn_aead_done_t done);
int ovpn_aead_open(struct ovpn_key_slot *slot, struct sk_buff *skb,
		   struct sk_buff *from, unsigned int offset,
		   ovpn_aead_done_t done);

void ovpn_aead_exit(void);

#endif /* _OVPN_AEAD_H */
