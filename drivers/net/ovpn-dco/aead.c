// SPDX-License-Identifier: GPL-2.0-only
/* Sealing and opening packets with the kernel's AEAD ciphers.
 *
 * Packets are worked on in place. A request that is done when the cipher
 * returns, which is nearly always, costs no allocation: each CPU keeps one
 * spare request, large enough for any cipher seen so far. A request that goes
 * asynchronous keeps its memory, and the CPU gets a new one.
 */

#include <crypto/aead.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "aead.h"
#include "compat/compat.h"
#include "keys.h"
#include "wire.h"

/* Associated data, tag, and the payload of a packet that is part of another
 * buffer: it lies in one or two pages of that, seldom in more
 */
#define FROM_SG			5

/**
 * struct ovpn_crypt - a request, and what its completion needs
 * @size: bytes allocated
 * @skb: the packet
 * @slot: the key
 * @from: what the packet is part of, if it is not opened in place; referenced
 * @done: who goes on with the packet
 * @sg: associated data, payload, tag
 * @from_sg: the same, with the payload in @from
 * @iv: the nonce
 * @req: the request; the cipher's own context follows
 */
struct ovpn_crypt {
	size_t size;
	struct sk_buff *skb;
	struct ovpn_key_slot *slot;
	struct sk_buff *from;
	ovpn_aead_done_t done;
	struct scatterlist sg[3];
	struct scatterlist from_sg[FROM_SG];
	u8 iv[OVPN_NONCE_LEN];
	struct aead_request req CRYPTO_MINALIGN_ATTR;
};

static DEFINE_PER_CPU(struct ovpn_crypt *, spare_crypt);

/* Context: BH off, so nobody else on this CPU is in here */
static struct ovpn_crypt *crypt_get(struct crypto_aead *tfm)
{
	size_t size = sizeof(struct ovpn_crypt) + crypto_aead_reqsize(tfm);
	struct ovpn_crypt *crypt;

	crypt = this_cpu_xchg(spare_crypt, NULL);
	if (likely(crypt && crypt->size >= size))
		return crypt;

	kfree_sensitive(crypt);
	crypt = kmalloc(size, GFP_ATOMIC);
	if (unlikely(!crypt))
		return NULL;
	crypt->size = size;
	sg_init_table(crypt->sg, ARRAY_SIZE(crypt->sg));
	sg_init_table(crypt->from_sg, ARRAY_SIZE(crypt->from_sg));
	return crypt;
}

static void crypt_put(struct ovpn_crypt *crypt)
{
	struct ovpn_crypt *other = this_cpu_xchg(spare_crypt, crypt);

	if (unlikely(other))
		kfree_sensitive(other);
}

/**
 * ovpn_aead_exit - free the spare requests
 *
 * Context: process; no packet may be under way any more.
 */
void ovpn_aead_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kfree_sensitive(per_cpu(spare_crypt, cpu));
}

/**
 * ovpn_cipher_init - prepare one direction of a key
 * @cipher: what to fill in
 * @name: the cipher's name in the crypto API
 * @key: key and nonce tail
 * @extack: gets the cause of a refusal
 *
 * Context: process, may sleep and load modules.
 * Return: 0; -ENOENT if the kernel does not have the cipher; -EINVAL for a
 * wrong key length; or another error of the crypto API.
 */
int ovpn_cipher_init(struct ovpn_cipher *cipher, const char *name,
		     const struct ovpn_key_direction *key,
		     struct netlink_ext_ack *extack)
{
	struct crypto_aead *tfm;
	int err;

	tfm = crypto_alloc_aead(name, 0, 0);
	if (IS_ERR(tfm)) {
		NL_SET_ERR_MSG(extack, "kernel does not offer this cipher");
		return PTR_ERR(tfm);
	}
	err = crypto_aead_setauthsize(tfm, OVPN_TAG_LEN);
	if (err) {
		NL_SET_ERR_MSG(extack, "cipher does not take a 16-byte tag");
		goto err_tfm;
	}
	err = crypto_aead_setkey(tfm, key->key, key->key_len);
	if (err) {
		NL_SET_ERR_MSG(extack,
			       "cipher refuses the key; is its length right?");
		goto err_tfm;
	}
	if (crypto_aead_ivsize(tfm) != OVPN_NONCE_LEN) {
		NL_SET_ERR_MSG(extack, "cipher does not take a 12-byte nonce");
		err = -EINVAL;
		goto err_tfm;
	}

	cipher->tfm = tfm;
	memcpy(cipher->nonce_tail, key->nonce_tail, OVPN_NONCE_TAIL_LEN);
	return 0;

err_tfm:
	crypto_free_aead(tfm);
	return err;
}

/**
 * ovpn_cipher_free - free what ovpn_cipher_init() made
 * @cipher: the cipher
 *
 * Context: process, may sleep.
 */
void ovpn_cipher_free(struct ovpn_cipher *cipher)
{
	crypto_free_aead(cipher->tfm);
	memzero_explicit(cipher->nonce_tail, sizeof(cipher->nonce_tail));
}

/**
 * ovpn_cipher_takes_trains - may the packets of a train be under way together?
 * @cipher: the cipher
 *
 * They share cache lines. Where the processor does not see what a device writes to
 * memory, a line that it has written to meanwhile may take the place of what a
 * device has encrypted: with what the other end cannot open, or with plain text.
 * Only asynchronous ciphers are devices, though not all of them.
 *
 * Context: any.
 * Return: false if each packet needs a buffer of its own.
 */
bool ovpn_cipher_takes_trains(const struct ovpn_cipher *cipher)
{
	return !IS_ENABLED(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) ||
	       !(crypto_aead_alg(cipher->tfm)->base.cra_flags &
		 CRYPTO_ALG_ASYNC);
}

/* May run on any CPU, before the submitter has even returned */
static void crypt_complete(compat_crypto_done_arg arg, int err)
{
	struct ovpn_crypt *crypt = compat_crypto_done_data(arg);
	struct ovpn_key_slot *slot = crypt->slot;

	if (err == -EINPROGRESS)
		return;

	local_bh_disable();
	rcu_read_lock();
	crypt->done(slot, crypt->skb, crypt->from, err);
	consume_skb(crypt->from);
	crypt_put(crypt);
	rcu_read_unlock();
	percpu_ref_put(&slot->ref);
	local_bh_enable();
}

/* Associated data, payload, and the tag, which travels in front of it */
static void crypt_fill(struct ovpn_crypt *crypt, struct ovpn_header *hdr,
		       unsigned int len, const struct ovpn_cipher *cipher)
{
	struct page *page = virt_to_page(hdr);
	unsigned int offset = offset_in_page(hdr);
	struct scatterlist *sg = crypt->sg;

	memcpy(crypt->iv, &hdr->packet_id, sizeof(hdr->packet_id));
	memcpy(crypt->iv + sizeof(hdr->packet_id), cipher->nonce_tail,
	       OVPN_NONCE_TAIL_LEN);

	sg_set_page(sg++, page, OVPN_AD_LEN, offset);
	/* An empty entry in the middle is not something ciphers expect */
	if (likely(len)) {
		sg_set_page(sg++, page, len, offset + OVPN_HEADER_LEN);
		sg_unmark_end(&crypt->sg[1]);
	} else {
		sg_mark_end(&crypt->sg[1]);
	}
	sg_set_page(sg, page, OVPN_TAG_LEN, offset + OVPN_AD_LEN);
}

/* Where in a buffer these bytes are. Returns in how many pieces, or a negative
 * number if that is more than @max.
 */
static int pieces_of(struct sk_buff *skb, unsigned int offset, unsigned int len,
		     struct scatterlist *sg, unsigned int max)
{
	unsigned int count = 0, i, size, part;
	const skb_frag_t *frag;

	if (unlikely(offset < skb_headlen(skb) || skb_has_frag_list(skb))) {
		/* It goes no further than the mark at the end */
		sg_init_table(sg, max);
		return skb_to_sgvec_nomark(skb, sg, offset, len);
	}

	offset -= skb_headlen(skb);
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		frag = &skb_shinfo(skb)->frags[i];
		size = skb_frag_size(frag);
		if (offset >= size) {
			offset -= size;
			continue;
		}
		if (unlikely(count == max))
			return -EMSGSIZE;
		part = min(size - offset, len);
		sg_set_page(&sg[count++], skb_frag_page(frag), part,
			    skb_frag_off(frag) + offset);
		len -= part;
		if (!len)
			return count;
		offset = 0;
	}
	return -EINVAL;
}

/* The payload comes from another buffer. False if it is in too many pieces. */
static bool crypt_fill_from(struct ovpn_crypt *crypt, struct sk_buff *from,
			    unsigned int offset, unsigned int len)
{
	struct scatterlist *sg = crypt->from_sg;
	int pieces, i;

	/* The last one is for the tag */
	pieces = pieces_of(from, offset, len, sg + 1, FROM_SG - 2);
	if (unlikely(pieces < 0))
		return false;
	/* One of them was the last before */
	for (i = 1; i <= pieces; i++)
		sg_unmark_end(&sg[i]);
	sg[0] = crypt->sg[0];
	sg[1 + pieces] = crypt->sg[2];
	return true;
}

static struct ovpn_crypt *crypt_begin(struct ovpn_key_slot *slot,
				      const struct ovpn_cipher *cipher,
				      struct ovpn_header *hdr, unsigned int len,
				      struct sk_buff *skb,
				      ovpn_aead_done_t done)
{
	struct ovpn_crypt *crypt;

	crypt = crypt_get(cipher->tfm);
	if (unlikely(!crypt))
		return ERR_PTR(-ENOMEM);
	crypt->skb = skb;
	crypt->slot = slot;
	crypt->from = NULL;
	crypt->done = done;
	crypt_fill(crypt, hdr, len, cipher);
	aead_request_set_tfm(&crypt->req, cipher->tfm);
	aead_request_set_callback(&crypt->req, 0, crypt_complete, crypt);
	aead_request_set_ad(&crypt->req, OVPN_AD_LEN);
	aead_request_set_crypt(&crypt->req, crypt->sg, crypt->sg, len,
			       crypt->iv);
	return crypt;
}

/* The cipher's answer. If the request is under way, it is not ours any more, and
 * may be done already: then it has dropped its reference before it is taken here.
 * That is as good, because nobody looks at the sum before this RCU section ends.
 */
static int crypt_end(struct ovpn_crypt *crypt, struct ovpn_key_slot *slot,
		     int err)
{
	if (unlikely(err == -EINPROGRESS)) {
		percpu_ref_get(&slot->ref);
		return err;
	}
	if (crypt->from)
		consume_skb(crypt->from);
	crypt_put(crypt);
	return err;
}

/**
 * ovpn_aead_seal_at - encrypt one of the packets of a buffer
 * @slot: the key
 * @hdr: where its header goes; the plain text follows in lowmem
 * @len: bytes of plain text
 * @packet_id: from ovpn_key_slot_take_ids()
 * @skb: the buffer, for @done
 * @done: called later if the answer is -EINPROGRESS
 *
 * Context: BH off, rcu_read_lock held.
 * Return: as ovpn_aead_seal(), but that @skb stays the caller's.
 */
int ovpn_aead_seal_at(struct ovpn_key_slot *slot, struct ovpn_header *hdr,
		      unsigned int len, u32 packet_id, struct sk_buff *skb,
		      ovpn_aead_done_t done)
{
	const struct ovpn_cipher *cipher = &slot->encrypt;
	struct ovpn_crypt *crypt;

	hdr->op = READ_ONCE(slot->op);
	hdr->packet_id = cpu_to_be32(packet_id);
	crypt = crypt_begin(slot, cipher, hdr, len, skb, done);
	if (IS_ERR(crypt))
		return PTR_ERR(crypt);
	return crypt_end(crypt, slot, crypto_aead_encrypt(&crypt->req));
}

/**
 * ovpn_aead_seal - put the header in front of a packet and encrypt it
 * @slot: the key
 * @skb: plain text: linear, not shared with anybody, with headroom for
 *	OVPN_HEADER_LEN
 * @packet_id: from ovpn_key_slot_take_ids()
 * @done: called later if the answer is -EINPROGRESS
 *
 * Context: BH off, rcu_read_lock held.
 * Return: 0; -EINPROGRESS, and @skb is not the caller's any more; -ENOMEM; or an
 * error of the cipher.
 */
int ovpn_aead_seal(struct ovpn_key_slot *slot, struct sk_buff *skb,
		   u32 packet_id, ovpn_aead_done_t done)
{
	unsigned int len = skb->len;

	return ovpn_aead_seal_at(slot, skb_push(skb, OVPN_HEADER_LEN), len,
				 packet_id, skb, done);
}

/**
 * ovpn_aead_open - authenticate and decrypt a packet
 * @slot: the key that its header names
 * @skb: the packet from its header on, at least OVPN_HEADER_LEN long, linear
 *	and not shared with anybody. The header stays in front.
 * @from: where its payload is, which stays as it is; NULL if that is in @skb
 * @offset: where in @from the payload begins
 * @done: called later if the answer is -EINPROGRESS
 *
 * Context: BH off, rcu_read_lock held.
 * Return: 0; -EINPROGRESS, and @skb is not the caller's any more; -EBADMSG if
 * it is not authentic; -ENOMEM; or another error of the cipher.
 */
int ovpn_aead_open(struct ovpn_key_slot *slot, struct sk_buff *skb,
		   struct sk_buff *from, unsigned int offset,
		   ovpn_aead_done_t done)
{
	struct ovpn_header *hdr = (struct ovpn_header *)skb->data;
	const struct ovpn_cipher *cipher = &slot->decrypt;
	unsigned int len = skb->len - OVPN_HEADER_LEN;
	struct ovpn_crypt *crypt;

	crypt = crypt_begin(slot, cipher, hdr, len, skb, done);
	if (IS_ERR(crypt))
		return PTR_ERR(crypt);
	crypt->req.cryptlen += OVPN_TAG_LEN;

	if (from) {
		/* Whoever goes on has to know where it came from in any case */
		crypt->from = skb_get(from);
		if (likely(len && crypt_fill_from(crypt, from, offset, len)))
			crypt->req.src = crypt->from_sg;
		else if (len && skb_copy_bits(from, offset, hdr + 1, len))
			return crypt_end(crypt, slot, -EINVAL);
	}
	return crypt_end(crypt, slot, crypto_aead_decrypt(&crypt->req));
}
