// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: sealing and opening packets. */

#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/unaligned.h>

#include "../aead.h"
#include "fixture.h"

#define PEER_ID			0x123456
#define KEY_ID			5

/* Largest payload tried, and headers */
#define PACKET_MAX		(16000 + OVPN_HEADER_LEN)

#define CHACHA			"rfc7539(chacha20,poly1305)"

/* As in the vectors below, which other software made */
static u8 pattern(unsigned int i, u8 start)
{
	return i * 7 + start;
}

static void pattern_fill(u8 *data, unsigned int len, u8 start)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		data[i] = pattern(i, start);
}

static int install(struct ovpn_peer *peer, const char *cipher,
		   const u8 *encrypt, const u8 *decrypt, size_t key_len,
		   const u8 *nonce_tail)
{
	const struct ovpn_key_params params = {
		.cipher = cipher,
		.slot = 0,
		.key_id = KEY_ID,
		.encrypt = { encrypt, key_len, nonce_tail },
		.decrypt = { decrypt, key_len, nonce_tail },
	};

	return ovpn_keys_install(peer, &params, NULL);
}

struct waiter {
	struct completion done;
	int err;
};

static void crypt_done(struct ovpn_key_slot *slot, struct sk_buff *skb,
		       struct sk_buff *from, int err)
{
	struct waiter *waiter = *(struct waiter **)skb->cb;

	waiter->err = err;
	complete(&waiter->done);
}

/* Seal with the primary key, or open with whatever key has our number */
static int crypt(struct ovpn_peer *peer, struct sk_buff *skb, bool seal,
		 u32 packet_id)
{
	struct ovpn_key_slot *slot;
	struct waiter waiter;
	int err = -ENOENT;

	init_completion(&waiter.done);
	*(struct waiter **)skb->cb = &waiter;

	local_bh_disable();
	rcu_read_lock();
	slot = seal ? ovpn_keys_primary(&peer->keys) :
		      ovpn_keys_by_id(&peer->keys, KEY_ID);
	if (slot)
		err = seal ? ovpn_aead_seal(slot, skb, packet_id, crypt_done) :
			     ovpn_aead_open(slot, skb, NULL, 0, crypt_done);
	rcu_read_unlock();
	local_bh_enable();

	if (err == -EINPROGRESS) {
		wait_for_completion(&waiter.done);
		err = waiter.err;
	}
	return err;
}

static int seal(struct ovpn_peer *peer, struct sk_buff *skb, u32 packet_id)
{
	return crypt(peer, skb, true, packet_id);
}

static int open(struct ovpn_peer *peer, struct sk_buff *skb)
{
	return crypt(peer, skb, false, 0);
}

/* A buffer with room for the header */
static struct sk_buff *packet_get(struct kunit *test)
{
	return test_skb(test, 64 + PACKET_MAX);
}

static void skb_set(struct sk_buff *skb, const void *data, unsigned int len)
{
	skb_trim(skb, 0);
	skb->data = skb->head + 64;
	skb_reset_tail_pointer(skb);
	skb_put_data(skb, data, len);
}

static void skb_set_plain(struct sk_buff *skb, unsigned int len, u8 start)
{
	skb_set(skb, "", 0);
	pattern_fill(skb_put(skb, len), len, start);
}

/* What is behind the header */
static bool payload_is(const struct sk_buff *skb, unsigned int len, u8 start)
{
	unsigned int i;

	if (skb->len != OVPN_HEADER_LEN + len)
		return false;
	for (i = 0; i < len; i++)
		if (skb->data[OVPN_HEADER_LEN + i] != pattern(i, start))
			return false;
	return true;
}

/**
 * struct vector - a packet, as other software sealed it
 * @cipher: name in the crypto API
 * @key_len: bytes of the key, which are pattern(i, 0x11); the nonce tail is
 *	pattern(i, 0xa0)
 * @packet_id: its packet id
 * @len: bytes of plain text, which are pattern(i, 0x40)
 * @sealed: the whole packet, or of a longer one its header. The tag in there
 *	depends on all the rest.
 *
 * Made with OpenSSL 3.0, from peer 0x123456 and with key id 5.
 */
struct vector {
	const char *cipher;
	size_t key_len;
	u32 packet_id;
	unsigned int len;
	u8 sealed[OVPN_HEADER_LEN + 33];
};

static const struct vector vectors[] = {
	{
		.cipher = "gcm(aes)",
		.key_len = 16,
		.packet_id = 0x00000001,
		.len = 0,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x01, 0x1e, 0xb8,
			0x64, 0x9c, 0x6c, 0xbb, 0x7b, 0x50, 0x3e, 0x46, 0x9d, 0x05,
			0x5a, 0xfe, 0x75, 0x40
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 16,
		.packet_id = 0x00000002,
		.len = 1,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x02, 0x08, 0xf6,
			0x19, 0xf3, 0xfe, 0x92, 0x33, 0x27, 0xe1, 0x0f, 0xba, 0xe8,
			0xb5, 0x48, 0xaf, 0x94, 0x5f
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 16,
		.packet_id = 0xffffffff,
		.len = 33,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff, 0xff, 0x12, 0xa6,
			0x68, 0x6d, 0xff, 0x69, 0x53, 0xa0, 0xd3, 0xab, 0xa3, 0x01,
			0xa0, 0x84, 0x5b, 0x03, 0x84, 0xa8, 0xbd, 0x91, 0x0f, 0x44,
			0x7e, 0xf2, 0x70, 0x64, 0x91, 0xeb, 0x15, 0x59, 0x20, 0x63,
			0xd0, 0x95, 0x10, 0x39, 0x24, 0xbb, 0x94, 0x77, 0x84, 0xb3,
			0xe1, 0xbf, 0x89, 0x09, 0xc9, 0x65, 0xbc
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 16,
		.packet_id = 0x01020304,
		.len = 1400,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x01, 0x02, 0x03, 0x04, 0xaf, 0xb4,
			0x70, 0xc6, 0x29, 0x97, 0x85, 0xfd, 0x19, 0x25, 0xe5, 0x9a,
			0x1d, 0x9a, 0xa9, 0xf3
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 24,
		.packet_id = 0x00000001,
		.len = 0,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x01, 0x35, 0x2d,
			0x2b, 0xa7, 0x1b, 0xcd, 0x5c, 0xcd, 0x16, 0xe0, 0x5d, 0xa7,
			0x66, 0x00, 0x78, 0xf8
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 24,
		.packet_id = 0x00000002,
		.len = 1,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x02, 0xb7, 0x48,
			0x63, 0x7a, 0xcb, 0xdb, 0x67, 0xe8, 0x2c, 0x38, 0xd6, 0x6e,
			0xf6, 0x96, 0xf5, 0x17, 0x4f
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 24,
		.packet_id = 0xffffffff,
		.len = 33,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff, 0xff, 0x49, 0x5a,
			0x7e, 0x93, 0xf0, 0xa5, 0x16, 0x1f, 0x5b, 0x25, 0xe1, 0x6f,
			0x2e, 0xec, 0xcb, 0x09, 0xff, 0xf0, 0xd2, 0xc3, 0xab, 0xdb,
			0x30, 0x4c, 0xdb, 0x51, 0x96, 0x51, 0xe5, 0x0a, 0xd2, 0x5c,
			0x34, 0xb0, 0x96, 0xe2, 0x44, 0xed, 0xfd, 0x55, 0xc4, 0x01,
			0xbb, 0xc6, 0xa0, 0x0a, 0x6f, 0x86, 0xcc
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 24,
		.packet_id = 0x01020304,
		.len = 1400,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x01, 0x02, 0x03, 0x04, 0xe8, 0xe7,
			0x07, 0xbb, 0xbd, 0x95, 0xad, 0x19, 0x7d, 0xda, 0x1f, 0x37,
			0x4f, 0xc3, 0x32, 0x5e
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 32,
		.packet_id = 0x00000001,
		.len = 0,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x01, 0xc2, 0xdc,
			0x40, 0xe5, 0x43, 0x26, 0xc1, 0xed, 0x22, 0xe4, 0xc7, 0x3a,
			0x4e, 0xfb, 0x91, 0xac
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 32,
		.packet_id = 0x00000002,
		.len = 1,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x02, 0xf5, 0x1c,
			0x5e, 0x77, 0x25, 0x66, 0xc9, 0x3d, 0x42, 0xe6, 0xa6, 0xd1,
			0xba, 0x48, 0x77, 0x5a, 0x1d
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 32,
		.packet_id = 0xffffffff,
		.len = 33,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff, 0xff, 0x1d, 0x7e,
			0x55, 0xc1, 0xcb, 0x39, 0xd1, 0x1a, 0x73, 0xd3, 0x70, 0x84,
			0x11, 0x40, 0x73, 0x4f, 0x7c, 0x1b, 0xdb, 0xd3, 0x5f, 0x07,
			0x54, 0x24, 0xa5, 0x83, 0x1b, 0xdf, 0x7d, 0xd3, 0xf3, 0xf3,
			0xea, 0x6b, 0xf2, 0xa3, 0x7b, 0x0e, 0x2c, 0xfc, 0xfc, 0x61,
			0x40, 0xb9, 0x87, 0xe8, 0xd8, 0x5b, 0x4d
		},
	},
	{
		.cipher = "gcm(aes)",
		.key_len = 32,
		.packet_id = 0x01020304,
		.len = 1400,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x01, 0x02, 0x03, 0x04, 0x21, 0xfb,
			0x6c, 0x75, 0x56, 0x78, 0x00, 0x33, 0x51, 0xf1, 0x28, 0xa9,
			0xf7, 0x82, 0x67, 0xfe
		},
	},
	{
		.cipher = "rfc7539(chacha20,poly1305)",
		.key_len = 32,
		.packet_id = 0x00000001,
		.len = 0,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x01, 0xe6, 0x62,
			0xf9, 0xbf, 0xba, 0x30, 0xe6, 0x4d, 0x87, 0x83, 0x89, 0x06,
			0xd5, 0xde, 0xe9, 0x9d
		},
	},
	{
		.cipher = "rfc7539(chacha20,poly1305)",
		.key_len = 32,
		.packet_id = 0x00000002,
		.len = 1,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x02, 0x48, 0x23,
			0x74, 0xa2, 0xf0, 0x9b, 0x9f, 0x82, 0x8e, 0xff, 0xde, 0x24,
			0xf2, 0x72, 0x14, 0x82, 0x2b
		},
	},
	{
		.cipher = "rfc7539(chacha20,poly1305)",
		.key_len = 32,
		.packet_id = 0xffffffff,
		.len = 33,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff, 0xff, 0x29, 0x6f,
			0x82, 0x7a, 0x23, 0xc7, 0xc6, 0x6b, 0xa3, 0xa0, 0x46, 0x2e,
			0x90, 0x54, 0x7c, 0x1c, 0x8b, 0x85, 0xde, 0x8e, 0x11, 0x17,
			0x42, 0xc4, 0xa2, 0xde, 0x1b, 0xbd, 0x59, 0x8c, 0x42, 0x6d,
			0xfc, 0xbe, 0x72, 0x97, 0x6a, 0x0c, 0xee, 0x09, 0x65, 0x3c,
			0xd8, 0xfd, 0x97, 0xfb, 0xe4, 0x35, 0xf4
		},
	},
	{
		.cipher = "rfc7539(chacha20,poly1305)",
		.key_len = 32,
		.packet_id = 0x01020304,
		.len = 1400,
		.sealed = {
			0x4d, 0x12, 0x34, 0x56, 0x01, 0x02, 0x03, 0x04, 0x59, 0xac,
			0xd1, 0x7d, 0x95, 0x77, 0x20, 0x98, 0x01, 0x7d, 0x28, 0x49,
			0xbc, 0x61, 0x4e, 0x25
		},
	},
};

static void vector_describe(const struct vector *vector, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %zu-bit key, %u bytes",
		 vector->cipher, vector->key_len * 8, vector->len);
}

KUNIT_ARRAY_PARAM(vector, vectors, vector_describe);

static void aead_vector(struct kunit *test)
{
	const struct vector *vector = test->param_value;
	unsigned int len = OVPN_HEADER_LEN + vector->len;
	bool whole = len <= sizeof(vector->sealed);
	u8 key[32], tail[OVPN_NONCE_TAIL_LEN];
	struct ovpn_peer *peer;
	struct sk_buff *skb;

	pattern_fill(key, sizeof(key), 0x11);
	pattern_fill(tail, sizeof(tail), 0xa0);
	skb = packet_get(test);
	peer = test_peer_get(test, test_device_open(test, OVPN_MODE_MP),
			     PEER_ID);
	KUNIT_EXPECT_EQ(test, 0, install(peer, vector->cipher, key, key,
					 vector->key_len, tail));

	skb_set_plain(skb, vector->len, 0x40);
	KUNIT_EXPECT_EQ(test, 0, seal(peer, skb, vector->packet_id));
	KUNIT_EXPECT_EQ(test, skb->len, len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(skb->data, vector->sealed,
					whole ? len : OVPN_HEADER_LEN));

	/* Where there is all of it, open what they sealed, not we */
	if (whole)
		skb_set(skb, vector->sealed, len);
	KUNIT_EXPECT_EQ(test, 0, open(peer, skb));
	KUNIT_EXPECT_TRUE(test, payload_is(skb, vector->len, 0x40));
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)": all their test
 * cases with a 12-byte nonce have the same key, as far as it reaches.
 */
static const u8 gcm_key[] = {
	0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94,
	0x67, 0x30, 0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
	0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08
};

static const u8 gcm_nonce[] = {
	0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88
};

static const u8 gcm_plain[] = {
	0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5,
	0xaf, 0xf5, 0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda,
	0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31, 0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95,
	0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25,
	0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39,
	0x1a, 0xaf, 0xd2, 0x55
};

static const u8 gcm_case_3[] = {
	0x42, 0x83, 0x1e, 0xc2, 0x21, 0x77, 0x74, 0x24, 0x4b, 0x72, 0x21, 0xb7,
	0x84, 0xd0, 0xd4, 0x9c, 0xe3, 0xaa, 0x21, 0x2f, 0x2c, 0x02, 0xa4, 0xe0,
	0x35, 0xc1, 0x7e, 0x23, 0x29, 0xac, 0xa1, 0x2e, 0x21, 0xd5, 0x14, 0xb2,
	0x54, 0x66, 0x93, 0x1c, 0x7d, 0x8f, 0x6a, 0x5a, 0xac, 0x84, 0xaa, 0x05,
	0x1b, 0xa3, 0x0b, 0x39, 0x6a, 0x0a, 0xac, 0x97, 0x3d, 0x58, 0xe0, 0x91,
	0x47, 0x3f, 0x59, 0x85
};

static const u8 gcm_case_9[] = {
	0x39, 0x80, 0xca, 0x0b, 0x3c, 0x00, 0xe8, 0x41, 0xeb, 0x06, 0xfa, 0xc4,
	0x87, 0x2a, 0x27, 0x57, 0x85, 0x9e, 0x1c, 0xea, 0xa6, 0xef, 0xd9, 0x84,
	0x62, 0x85, 0x93, 0xb4, 0x0c, 0xa1, 0xe1, 0x9c, 0x7d, 0x77, 0x3d, 0x00,
	0xc1, 0x44, 0xc5, 0x25, 0xac, 0x61, 0x9d, 0x18, 0xc8, 0x4a, 0x3f, 0x47,
	0x18, 0xe2, 0x44, 0x8b, 0x2f, 0xe3, 0x24, 0xd9, 0xcc, 0xda, 0x27, 0x10,
	0xac, 0xad, 0xe2, 0x56
};

static const u8 gcm_case_15[] = {
	0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07, 0xf4, 0x7f, 0x37, 0xa3,
	0x2a, 0x84, 0x42, 0x7d, 0x64, 0x3a, 0x8c, 0xdc, 0xbf, 0xe5, 0xc0, 0xc9,
	0x75, 0x98, 0xa2, 0xbd, 0x25, 0x55, 0xd1, 0xaa, 0x8c, 0xb0, 0x8e, 0x48,
	0x59, 0x0d, 0xbb, 0x3d, 0xa7, 0xb0, 0x8b, 0x10, 0x56, 0x82, 0x88, 0x38,
	0xc5, 0xf6, 0x1e, 0x63, 0x93, 0xba, 0x7a, 0x0a, 0xbc, 0xc9, 0xf6, 0x62,
	0x89, 0x80, 0x15, 0xad
};

/* RFC 8439, section 2.8.2 */
static const u8 rfc_key[] = {
	0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b,
	0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
	0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f
};

static const u8 rfc_nonce[] = {
	0x07, 0x00, 0x00, 0x00, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47
};

static const u8 rfc_plain[] = {
	0x4c, 0x61, 0x64, 0x69, 0x65, 0x73, 0x20, 0x61, 0x6e, 0x64, 0x20, 0x47,
	0x65, 0x6e, 0x74, 0x6c, 0x65, 0x6d, 0x65, 0x6e, 0x20, 0x6f, 0x66, 0x20,
	0x74, 0x68, 0x65, 0x20, 0x63, 0x6c, 0x61, 0x73, 0x73, 0x20, 0x6f, 0x66,
	0x20, 0x27, 0x39, 0x39, 0x3a, 0x20, 0x49, 0x66, 0x20, 0x49, 0x20, 0x63,
	0x6f, 0x75, 0x6c, 0x64, 0x20, 0x6f, 0x66, 0x66, 0x65, 0x72, 0x20, 0x79,
	0x6f, 0x75, 0x20, 0x6f, 0x6e, 0x6c, 0x79, 0x20, 0x6f, 0x6e, 0x65, 0x20,
	0x74, 0x69, 0x70, 0x20, 0x66, 0x6f, 0x72, 0x20, 0x74, 0x68, 0x65, 0x20,
	0x66, 0x75, 0x74, 0x75, 0x72, 0x65, 0x2c, 0x20, 0x73, 0x75, 0x6e, 0x73,
	0x63, 0x72, 0x65, 0x65, 0x6e, 0x20, 0x77, 0x6f, 0x75, 0x6c, 0x64, 0x20,
	0x62, 0x65, 0x20, 0x69, 0x74, 0x2e
};

static const u8 rfc_sealed[] = {
	0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb, 0x7b, 0x86, 0xaf, 0xbc,
	0x53, 0xef, 0x7e, 0xc2, 0xa4, 0xad, 0xed, 0x51, 0x29, 0x6e, 0x08, 0xfe,
	0xa9, 0xe2, 0xb5, 0xa7, 0x36, 0xee, 0x62, 0xd6, 0x3d, 0xbe, 0xa4, 0x5e,
	0x8c, 0xa9, 0x67, 0x12, 0x82, 0xfa, 0xfb, 0x69, 0xda, 0x92, 0x72, 0x8b,
	0x1a, 0x71, 0xde, 0x0a, 0x9e, 0x06, 0x0b, 0x29, 0x05, 0xd6, 0xa5, 0xb6,
	0x7e, 0xcd, 0x3b, 0x36, 0x92, 0xdd, 0xbd, 0x7f, 0x2d, 0x77, 0x8b, 0x8c,
	0x98, 0x03, 0xae, 0xe3, 0x28, 0x09, 0x1b, 0x58, 0xfa, 0xb3, 0x24, 0xe4,
	0xfa, 0xd6, 0x75, 0x94, 0x55, 0x85, 0x80, 0x8b, 0x48, 0x31, 0xd7, 0xbc,
	0x3f, 0xf4, 0xde, 0xf0, 0x8e, 0x4b, 0x7a, 0x9d, 0xe5, 0x76, 0xd2, 0x65,
	0x86, 0xce, 0xc6, 0x4b, 0x61, 0x16
};

/**
 * struct published - a test case of those who published the cipher
 * @name: what they call it
 * @cipher: name in the crypto API
 * @key: the key
 * @key_len: its length
 * @nonce: the nonce; we call its first four bytes packet id
 * @plain: plain text
 * @sealed: cipher text. Their tag is over other associated data than OpenVPN
 *	has, but the cipher text does not depend on that.
 * @len: bytes of either
 */
struct published {
	const char *name;
	const char *cipher;
	const u8 *key;
	size_t key_len;
	const u8 *nonce;
	const u8 *plain;
	const u8 *sealed;
	unsigned int len;
};

#define GCM_CASE(number, length) {					\
	.name = "GCM, test case " #number,				\
	.cipher = "gcm(aes)",						\
	.key = gcm_key,							\
	.key_len = (length),						\
	.nonce = gcm_nonce,						\
	.plain = gcm_plain,						\
	.sealed = gcm_case_##number,					\
	.len = sizeof(gcm_plain),					\
}

static const struct published published[] = {
	GCM_CASE(3, 16),
	GCM_CASE(9, 24),
	GCM_CASE(15, 32),
	{
		.name = "RFC 8439, section 2.8.2",
		.cipher = CHACHA,
		.key = rfc_key,
		.key_len = sizeof(rfc_key),
		.nonce = rfc_nonce,
		.plain = rfc_plain,
		.sealed = rfc_sealed,
		.len = sizeof(rfc_sealed),
	},
};

static void published_describe(const struct published *published, char *desc)
{
	strscpy(desc, published->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(published, published, published_describe);

static void aead_published(struct kunit *test)
{
	const struct published *pub = test->param_value;
	struct ovpn_peer *peer;
	struct sk_buff *skb;

	skb = packet_get(test);
	peer = test_peer_get(test, test_device_open(test, OVPN_MODE_MP),
			     PEER_ID);
	KUNIT_EXPECT_EQ(test, 0, install(peer, pub->cipher, pub->key, pub->key,
					 pub->key_len, pub->nonce + 4));

	skb_set(skb, pub->plain, pub->len);
	KUNIT_EXPECT_EQ(test, 0, seal(peer, skb,
				      get_unaligned_be32(pub->nonce)));
	KUNIT_EXPECT_EQ(test, skb->len, OVPN_HEADER_LEN + pub->len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(skb->data + OVPN_HEADER_LEN,
					pub->sealed, pub->len));
	KUNIT_EXPECT_EQ(test, 0, open(peer, skb));
	KUNIT_EXPECT_EQ(test, 0, memcmp(skb->data + OVPN_HEADER_LEN,
					pub->plain, pub->len));
}

struct cipher {
	const char *name;
	size_t key_len;
};

static const struct cipher ciphers[] = {
	{ "gcm(aes)", 16 },
	{ "gcm(aes)", 24 },
	{ "gcm(aes)", 32 },
	{ CHACHA, 32 },
};

static void cipher_describe(const struct cipher *cipher, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s, %zu-bit key", cipher->name,
		 cipher->key_len * 8);
}

KUNIT_ARRAY_PARAM(cipher, ciphers, cipher_describe);

/**
 * struct pair - two ends of a session
 * @us: a peer whose encryption key is ...
 * @them: ... the decryption key of this one, and the other way round
 * @skb: a buffer
 */
struct pair {
	struct ovpn_peer *us;
	struct ovpn_peer *them;
	struct sk_buff *skb;
};

static void pair_get(struct kunit *test, struct pair *pair)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	const struct cipher *cipher = test->param_value;
	u8 key[2][32], tail[OVPN_NONCE_TAIL_LEN];

	pattern_fill(key[0], sizeof(key[0]), 1);
	pattern_fill(key[1], sizeof(key[1]), 2);
	pattern_fill(tail, sizeof(tail), 3);
	pair->skb = packet_get(test);
	pair->us = test_peer_get(test, td, PEER_ID);
	pair->them = test_peer_get(test, td, PEER_ID + 1);
	KUNIT_EXPECT_EQ(test, 0, install(pair->us, cipher->name, key[0], key[1],
					 cipher->key_len, tail));
	KUNIT_EXPECT_EQ(test, 0, install(pair->them, cipher->name, key[1],
					 key[0], cipher->key_len, tail));
}

static void aead_round_trip(struct kunit *test)
{
	static const unsigned int lens[] = {
		0, 1, 15, 16, 17, 63, 64, 65, 255, 1400, 8999, 16000
	};
	u8 header[OVPN_AD_LEN];
	struct sk_buff *skb;
	struct pair pair;
	unsigned int i;

	pair_get(test, &pair);
	skb = pair.skb;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		skb_set_plain(skb, lens[i], i);
		KUNIT_EXPECT_EQ(test, 0, seal(pair.us, skb, i + 1));

		put_unaligned_be32(0x4d123456, header);
		put_unaligned_be32(i + 1, header + 4);
		KUNIT_EXPECT_EQ(test, 0, memcmp(skb->data, header,
						sizeof(header)));
		if (lens[i] >= 15)
			KUNIT_EXPECT_FALSE(test, payload_is(skb, lens[i], i));

		KUNIT_EXPECT_EQ(test, 0, open(pair.them, skb));
		KUNIT_EXPECT_EQ(test, 0, memcmp(skb->data, header,
						sizeof(header)));
		KUNIT_EXPECT_TRUE_MSG(test, payload_is(skb, lens[i], i),
				      "%u bytes", lens[i]);

		/* What comes back to its sender is not the other's */
		skb_set_plain(skb, lens[i], i);
		KUNIT_EXPECT_EQ(test, 0, seal(pair.us, skb, i + 1));
		KUNIT_EXPECT_EQ(test, -EBADMSG, open(pair.us, skb));
	}
}

static void aead_tampered(struct kunit *test)
{
	u8 sealed[OVPN_HEADER_LEN + 37 + 1];
	struct sk_buff *skb;
	unsigned int bit, len;
	struct pair pair;

	pair_get(test, &pair);
	skb = pair.skb;
	skb_set_plain(skb, 37, 9);
	KUNIT_EXPECT_EQ(test, 0, seal(pair.us, skb, 77));
	memcpy(sealed, skb->data, sizeof(sealed) - 1);
	sealed[sizeof(sealed) - 1] = 0;

	/* Any bit: opcode, key id, peer id, packet id, tag, payload */
	for (bit = 0; bit < (sizeof(sealed) - 1) * 8; bit++) {
		skb_set(skb, sealed, sizeof(sealed) - 1);
		skb->data[bit / 8] ^= BIT(bit % 8);
		KUNIT_EXPECT_EQ_MSG(test, -EBADMSG, open(pair.them, skb),
				    "bit %u", bit);
	}

	/* Any other length */
	for (len = OVPN_HEADER_LEN; len <= sizeof(sealed); len++) {
		if (len == sizeof(sealed) - 1)
			continue;
		skb_set(skb, sealed, len);
		KUNIT_EXPECT_EQ_MSG(test, -EBADMSG, open(pair.them, skb),
				    "%u bytes", len);
	}

	/* And nothing of that did any harm */
	skb_set(skb, sealed, sizeof(sealed) - 1);
	KUNIT_EXPECT_EQ(test, 0, open(pair.them, skb));
	KUNIT_EXPECT_TRUE(test, payload_is(skb, 37, 9));
}

static void aead_refused(struct kunit *test)
{
	static const struct cipher bad[] = {
		{ "gcm(aes)", 0 }, { "gcm(aes)", 15 }, { "gcm(aes)", 17 },
		{ "gcm(aes)", 31 }, { CHACHA, 0 }, { CHACHA, 16 },
		{ CHACHA, 31 },
	};
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	struct ovpn_peer *peer = test_peer_get(test, td, PEER_ID);
	const u8 key[32] = {}, tail[OVPN_NONCE_TAIL_LEN] = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    install(peer, bad[i].name, key, key,
					    bad[i].key_len, tail),
				    "%s, %zu bytes", bad[i].name,
				    bad[i].key_len);
	KUNIT_EXPECT_EQ(test, -ENOENT, install(peer, "gcm(rot13)", key, key, 16,
					       tail));
}

#define IN_FLIGHT		32

/**
 * struct flight - packets in the hands of an asynchronous cipher
 * @skbs: the packets
 * @left: how many are still there
 * @failed: how many came back with an error
 * @done: all are back
 */
struct flight {
	struct sk_buff *skbs[IN_FLIGHT];
	atomic_t left;
	atomic_t failed;
	struct completion done;
};

static void flight_done(struct ovpn_key_slot *slot, struct sk_buff *skb,
			struct sk_buff *from, int err)
{
	struct flight *flight = *(struct flight **)skb->cb;

	/* The key and its peer are still there, as the data path needs them */
	if (err || slot->key_id != KEY_ID || slot->peer->id != PEER_ID)
		atomic_inc(&flight->failed);
	if (atomic_dec_and_test(&flight->left))
		complete(&flight->done);
}

/* Stay on this CPU, and let nothing but interrupts run here */
static void cpu_seize(void)
{
	migrate_disable();
	sched_set_fifo(current);
}

/* Have grace periods pass, and what they lead to happen on other CPUs */
static void cpu_hold(void)
{
	unsigned long end = jiffies + HZ;
	unsigned long period;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		period = start_poll_synchronize_rcu();
		while (!poll_state_synchronize_rcu(period) &&
		       time_before(jiffies, end))
			cpu_relax();
	}
	end = jiffies + HZ / 20;
	while (time_before(jiffies, end))
		cpu_relax();
}

static void cpu_release(void)
{
	sched_set_normal(current, 0);
	migrate_enable();
}

/* Ciphers whose requests are all done later, by a thread of the kernel */
static const struct cipher async_ciphers[] = {
	{ "cryptd(gcm_base(ctr(aes-generic),ghash-generic))", 32 },
	{ "cryptd(rfc7539(chacha20-generic,poly1305-generic))", 32 },
};

KUNIT_ARRAY_PARAM(async_cipher, async_ciphers, cipher_describe);

/* The key goes, then the peer, long before the packets are done */
static void aead_asynchronous(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	const u8 key[32] = {}, tail[OVPN_NONCE_TAIL_LEN] = {};
	const struct cipher *cipher = test->param_value;
	unsigned int i, pending = 0;
	struct ovpn_key_slot *slot;
	struct flight *flight;
	struct ovpn_peer *peer;
	int err;

	flight = kunit_kzalloc(test, sizeof(*flight), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, flight);
	init_completion(&flight->done);
	atomic_set(&flight->left, IN_FLIGHT);
	for (i = 0; i < IN_FLIGHT; i++)
		flight->skbs[i] = packet_get(test);

	KUNIT_ASSERT_EQ(test, 0, test_peer_add(td, PEER_ID));
	peer = ovpn_peer_find(td->ovpn, PEER_ID);
	KUNIT_ASSERT_NOT_NULL(test, peer);
	err = install(peer, cipher->name, key, key, cipher->key_len, tail);
	if (err) {
		ovpn_peer_put(peer);
		KUNIT_ASSERT_EQ(test, err, -ENOENT);
		kunit_skip(test, "this kernel has no cryptd");
	}

	/* The thread needs this CPU, and so does not come before the end */
	cpu_seize();
	local_bh_disable();
	rcu_read_lock();
	slot = ovpn_keys_primary(&peer->keys);
	for (i = 0; i < IN_FLIGHT; i++) {
		skb_set_plain(flight->skbs[i], 100 + i, i);
		*(struct flight **)flight->skbs[i]->cb = flight;
		err = ovpn_aead_seal(slot, flight->skbs[i], i + 1, flight_done);
		if (err == -EINPROGRESS)
			pending++;
		else
			atomic_dec(&flight->left);
	}
	ovpn_keys_delete(&peer->keys, 0);
	ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_USERSPACE);
	ovpn_peer_put(peer);
	rcu_read_unlock();
	local_bh_enable();
	cpu_hold();
	cpu_release();

	KUNIT_EXPECT_EQ(test, pending, IN_FLIGHT);
	if (pending)
		wait_for_completion(&flight->done);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&flight->failed));
	for (i = 0; i < IN_FLIGHT; i++)
		KUNIT_EXPECT_FALSE(test, payload_is(flight->skbs[i], 100 + i,
						    i));
}

/* Late or not, packets come back as they were sent */
static void aead_asynchronous_round_trip(struct kunit *test)
{
	struct test_device *td = test_device_open(test, OVPN_MODE_MP);
	const u8 key[32] = {}, tail[OVPN_NONCE_TAIL_LEN] = {};
	const struct cipher *cipher = test->param_value;
	struct ovpn_peer *peer = test_peer_get(test, td, PEER_ID);
	struct sk_buff *skb = packet_get(test);
	int err;

	err = install(peer, cipher->name, key, key, cipher->key_len, tail);
	if (err == -ENOENT)
		kunit_skip(test, "this kernel has no cryptd");
	KUNIT_EXPECT_EQ(test, 0, err);

	skb_set_plain(skb, 1400, 1);
	KUNIT_EXPECT_EQ(test, 0, seal(peer, skb, 1));
	KUNIT_EXPECT_FALSE(test, payload_is(skb, 1400, 1));
	KUNIT_EXPECT_EQ(test, 0, open(peer, skb));
	KUNIT_EXPECT_TRUE(test, payload_is(skb, 1400, 1));

	KUNIT_EXPECT_EQ(test, 0, seal(peer, skb, 2));
	skb->data[skb->len - 1] ^= 1;
	KUNIT_EXPECT_EQ(test, -EBADMSG, open(peer, skb));
}

static struct kunit_case aead_cases[] = {
	KUNIT_CASE_PARAM(aead_vector, vector_gen_params),
	KUNIT_CASE_PARAM(aead_published, published_gen_params),
	KUNIT_CASE_PARAM(aead_round_trip, cipher_gen_params),
	KUNIT_CASE_PARAM(aead_tampered, cipher_gen_params),
	KUNIT_CASE(aead_refused),
	KUNIT_CASE_PARAM(aead_asynchronous_round_trip, async_cipher_gen_params),
	KUNIT_CASE_PARAM(aead_asynchronous, async_cipher_gen_params),
	{}
};

static struct kunit_suite aead_suite = {
	.name = "ovpn_aead",
	.suite_init = test_suite_init,
	.suite_exit = test_suite_exit,
	.exit = test_device_close,
	.test_cases = aead_cases,
};

kunit_test_suite(aead_suite);
