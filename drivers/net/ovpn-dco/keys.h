/* SPDX-License-Identifier: GPL-2.0-only */
/* The two key slots of a peer. */
#ifndef _OVPN_KEYS_H
#define _OVPN_KEYS_H

#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "replay.h"
#include "wire.h"

struct crypto_aead;
struct netlink_ext_ack;
struct ovpn_peer;

#define OVPN_KEY_SLOTS		2

/**
 * struct ovpn_key_direction - key material of one direction
 * @key: the cipher's key
 * @key_len: its length in bytes
 * @nonce_tail: the part of the nonce that does not travel
 */
struct ovpn_key_direction {
	const u8 *key;
	size_t key_len;
	const u8 *nonce_tail;
};

/**
 * struct ovpn_key_params - a key as userspace installs it
 * @cipher: name in the kernel's crypto API, a string that stays for ever
 * @slot: where it goes: 0 primary, 1 secondary
 * @key_id: its number on the wire, 0 to 7
 * @encrypt: for what we send
 * @decrypt: for what we receive
 */
struct ovpn_key_params {
	const char *cipher;
	unsigned int slot;
	u8 key_id;
	struct ovpn_key_direction encrypt;
	struct ovpn_key_direction decrypt;
};

/**
 * struct ovpn_cipher - one direction, ready for use
 * @tfm: the AEAD with its key
 * @nonce_tail: the part of the nonce that does not travel
 */
struct ovpn_cipher {
	struct crypto_aead *tfm;
	u8 nonce_tail[OVPN_NONCE_TAIL_LEN];
};

/**
 * struct ovpn_key_slot - an installed key
 * @peer: whose it is; we hold a reference
 * @ref: one for being installed, dropped by killing it, and one for each crypto
 *	request that is under way, taken by whoever found the key, in the same
 *	RCU section; per CPU, so that none of this is shared, and only added up
 *	a grace period after the key was killed
 * @free_work: frees in process context, as ciphers demand
 * @op: first word of every packet that we send with this key; read without a
 *	lock
 * @cipher: the cipher's name in the kernel's crypto API, for ever
 * @key_id: its number on the wire
 * @encrypt: what we send with
 * @decrypt: what we receive with
 * @next_id: packet id of the next packet that we send. It dies with the key
 *	and is never set back: no id is used twice. 64 bits, so that it
 *	cannot wrap while the key is being retired.
 * @replay: the ids received
 *
 * Life: published in ovpn_keys.slots, where readers under rcu_read_lock find
 * it without counting; taken out there and killed, which waits for them; freed
 * when the last request is done.
 */
struct ovpn_key_slot {
	struct ovpn_peer *peer;
	struct percpu_ref ref;
	struct work_struct free_work;
	__be32 op;
	const char *cipher;
	u8 key_id;
	struct ovpn_cipher encrypt;
	struct ovpn_cipher decrypt;
	atomic64_t next_id ____cacheline_aligned_in_smp;
	struct ovpn_replay replay ____cacheline_aligned_in_smp;
};

/**
 * struct ovpn_keys - the key slots of a peer
 * @lock: guards changes to all fields; taken with BH off, from process or
 *	softirq, inside the peer table's lock
 * @slots: the keys; each NULL if not installed
 * @primary: index of the one to send with. Swapping changes only this, so a
 *	receiver finds both keys at any time.
 * @closed: the peer is retired, no key may be installed
 */
struct ovpn_keys {
	spinlock_t lock; /* see above */
	struct ovpn_key_slot __rcu *slots[OVPN_KEY_SLOTS];
	unsigned int primary;
	bool closed;
};

void ovpn_keys_init(struct ovpn_keys *keys);
int ovpn_keys_install(struct ovpn_peer *peer,
		      const struct ovpn_key_params *params,
		      struct netlink_ext_ack *extack);
void ovpn_keys_swap(struct ovpn_keys *keys);
void ovpn_keys_delete(struct ovpn_keys *keys, unsigned int slot);
bool ovpn_keys_kill(struct ovpn_keys *keys, struct ovpn_key_slot *slot);
void ovpn_keys_close(struct ovpn_keys *keys);
void ovpn_keys_address(struct ovpn_keys *keys, u32 tx_id);
bool ovpn_keys_describe(struct ovpn_keys *keys, unsigned int slot,
			struct ovpn_key_params *params);

struct ovpn_key_slot *ovpn_keys_primary(struct ovpn_keys *keys);
struct ovpn_key_slot *ovpn_keys_by_id(struct ovpn_keys *keys, u8 key_id);
unsigned int ovpn_key_slot_take_ids(struct ovpn_key_slot *slot,
				    unsigned int count, u32 *first);

#endif /* _OVPN_KEYS_H */
