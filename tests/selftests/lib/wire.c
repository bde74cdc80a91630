// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "uapi.h"

#include "ktap.h"
#include "wire.h"

#define NONCE_LEN	12
#define AD_LEN		8	/* op32 | packet id */

const uint8_t wire_ping[16] = {
	0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
	0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48,
};

static const EVP_CIPHER *cipher_of(const struct wire_key *key)
{
	if (key->alg == OVPN_CIPHER_ALG_CHACHA20_POLY1305 && key->len == 32)
		return EVP_chacha20_poly1305();
	if (key->alg != OVPN_CIPHER_ALG_AES_GCM)
		return NULL;
	switch (key->len) {
	case 16:
		return EVP_aes_128_gcm();
	case 24:
		return EVP_aes_192_gcm();
	case 32:
		return EVP_aes_256_gcm();
	}
	return NULL;
}

void wire_key_random(struct wire_key *key, uint16_t alg, size_t len,
		     uint8_t id)
{
	memset(key, 0, sizeof(*key));
	key->alg = alg;
	key->id = id;
	key->len = len;
	if (len > sizeof(key->key) || RAND_bytes(key->key, len) != 1 ||
	    RAND_bytes(key->nonce_tail, sizeof(key->nonce_tail)) != 1)
		ktap_bail("cannot make a random key of %zu bytes", len);
}

const char *wire_key_name(const struct wire_key *key)
{
	if (key->alg == OVPN_CIPHER_ALG_CHACHA20_POLY1305)
		return "CHACHA20-POLY1305";
	switch (key->len) {
	case 16:
		return "AES-128-GCM";
	case 24:
		return "AES-192-GCM";
	case 32:
		return "AES-256-GCM";
	}
	return "unknown cipher";
}

uint32_t wire_op32(uint8_t op, uint8_t key_id, uint32_t peer_id)
{
	return (uint32_t)op << 27 | (uint32_t)(key_id & 7) << 24 |
	       (peer_id & 0xFFFFFF);
}

static EVP_CIPHER_CTX *context(const struct wire_key *key,
			       const uint8_t *packet, bool seal)
{
	const EVP_CIPHER *cipher = cipher_of(key);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[NONCE_LEN];
	int len;

	memcpy(nonce, packet + 4, 4);
	memcpy(nonce + 4, key->nonce_tail, sizeof(key->nonce_tail));
	if (!cipher || !ctx ||
	    EVP_CipherInit_ex(ctx, cipher, NULL, key->key, nonce, seal) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &len, packet, AD_LEN) != 1)
		ktap_bail("libcrypto refuses %s", wire_key_name(key));
	return ctx;
}

size_t wire_seal(const struct wire_key *key, uint32_t peer_id,
		 uint32_t packet_id, const void *plain, size_t len,
		 void *packet)
{
	uint32_t op32 = htonl(wire_op32(WIRE_OP_DATA_V2, key->id, peer_id));
	uint32_t pid32 = htonl(packet_id);
	uint8_t *out = packet;
	EVP_CIPHER_CTX *ctx;
	int done = 0, rest = 0;

	memcpy(out, &op32, 4);
	memcpy(out + 4, &pid32, 4);
	ctx = context(key, out, true);
	if ((len && EVP_CipherUpdate(ctx, out + WIRE_HEADER_LEN, &done, plain,
				     len) != 1) ||
	    EVP_CipherFinal_ex(ctx, out + WIRE_HEADER_LEN + done, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, WIRE_TAG_LEN,
				out + AD_LEN) != 1)
		ktap_bail("libcrypto cannot seal with %s", wire_key_name(key));
	EVP_CIPHER_CTX_free(ctx);
	return WIRE_HEADER_LEN + done + rest;
}

bool wire_parse(const void *packet, size_t len, struct wire_header *header)
{
	const uint8_t *in = packet;
	uint32_t op32, pid32;

	if (len < WIRE_HEADER_LEN)
		return false;
	memcpy(&op32, in, 4);
	memcpy(&pid32, in + 4, 4);
	op32 = ntohl(op32);
	header->op = op32 >> 27;
	header->key_id = op32 >> 24 & 7;
	header->peer_id = op32 & 0xFFFFFF;
	header->packet_id = ntohl(pid32);
	memcpy(header->tag, in + AD_LEN, WIRE_TAG_LEN);
	return true;
}

ssize_t wire_open(const struct wire_key *key, const void *packet, size_t len,
		  void *plain, struct wire_header *header)
{
	const uint8_t *in = packet;
	struct wire_header local;
	int done = 0, rest = 0;
	EVP_CIPHER_CTX *ctx;
	bool good;

	if (!header)
		header = &local;
	if (!wire_parse(packet, len, header))
		return -1;
	ctx = context(key, in, false);
	good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, WIRE_TAG_LEN,
				   header->tag) == 1;
	len -= WIRE_HEADER_LEN;
	if (good && len)
		good = EVP_CipherUpdate(ctx, plain, &done, in + WIRE_HEADER_LEN,
					len) == 1;
	if (good)
		good = EVP_CipherFinal_ex(ctx, (uint8_t *)plain + done,
					  &rest) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return good ? done + rest : -1;
}
