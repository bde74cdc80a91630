// SPDX-License-Identifier: GPL-2.0-only
/* The two key slots of a peer: install, swap, delete, kill. */

#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "aead.h"
#include "device.h"
#include "keys.h"
#include "peer.h"

static unsigned int packet_id_limit = OVPN_PACKET_ID_MAX;
module_param(packet_id_limit, uint, 0644);
MODULE_PARM_DESC(packet_id_limit,
		 "last packet id that a key may send with; lower it to see what happens at the end");

/**
 * ovpn_keys_init - start with no key
 * @keys: the slots of a new peer
 */
void ovpn_keys_init(struct ovpn_keys *keys)
{
	spin_lock_init(&keys->lock);
}

static void slot_free(struct ovpn_key_slot *slot)
{
	ovpn_cipher_free(&slot->encrypt);
	ovpn_cipher_free(&slot->decrypt);
	percpu_ref_exit(&slot->ref);
	kfree_sensitive(slot);
}

static void slot_free_work(struct work_struct *work)
{
	struct ovpn_key_slot *slot;
	struct ovpn_peer *peer;

	slot = container_of(work, struct ovpn_key_slot, free_work);
	peer = slot->peer;
	slot_free(slot);
	ovpn_peer_put(peer);
}

static void slot_release(struct percpu_ref *ref)
{
	struct ovpn_key_slot *slot;

	slot = container_of(ref, struct ovpn_key_slot, ref);
	queue_work(ovpn_wq, &slot->free_work);
}

static struct ovpn_key_slot *slot_alloc(struct ovpn_peer *peer,
					const struct ovpn_key_params *params,
					struct netlink_ext_ack *extack)
{
	struct ovpn_key_slot *slot;
	int err;

	slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot ||
	    percpu_ref_init(&slot->ref, slot_release, 0, GFP_KERNEL_ACCOUNT)) {
		NL_SET_ERR_MSG(extack, "out of memory");
		kfree(slot);
		return ERR_PTR(-ENOMEM);
	}
	err = ovpn_cipher_init(&slot->encrypt, params->cipher,
			       &params->encrypt, extack);
	if (err)
		goto err_ref;
	err = ovpn_cipher_init(&slot->decrypt, params->cipher,
			       &params->decrypt, extack);
	if (err)
		goto err_encrypt;

	INIT_WORK(&slot->free_work, slot_free_work);
	slot->key_id = params->key_id;
	slot->cipher = params->cipher;
	slot->op = ovpn_op_build(params->key_id, peer->tx_id);
	atomic64_set(&slot->next_id, 1);
	ovpn_replay_init(&slot->replay);
	return slot;

err_encrypt:
	ovpn_cipher_free(&slot->encrypt);
err_ref:
	percpu_ref_exit(&slot->ref);
	kfree_sensitive(slot);
	return ERR_PTR(err);
}

static void slot_set(struct ovpn_keys *keys, unsigned int index,
		     struct ovpn_key_slot *slot)
{
	struct ovpn_key_slot *old;

	old = rcu_replace_pointer(keys->slots[index], slot,
				  lockdep_is_held(&keys->lock));
	if (old)
		percpu_ref_kill(&old->ref);
}

static unsigned int slot_index(const struct ovpn_keys *keys, unsigned int slot)
{
	return keys->primary ^ slot;
}

/**
 * ovpn_keys_install - install a key, in place of the one in that slot
 * @peer: whose key
 * @params: the key
 * @extack: gets the cause of a refusal
 *
 * Context: process, may sleep. The caller holds a reference on @peer.
 * Return: 0, -ESTALE if the peer was retired meanwhile, or what the crypto API
 * says: -ENOENT for a cipher that the kernel does not have, -EINVAL for a
 * wrong key length, -ENOMEM.
 */
int ovpn_keys_install(struct ovpn_peer *peer,
		      const struct ovpn_key_params *params,
		      struct netlink_ext_ack *extack)
{
	struct ovpn_keys *keys = &peer->keys;
	struct ovpn_key_slot *slot;
	bool closed;

	slot = slot_alloc(peer, params, extack);
	if (IS_ERR(slot))
		return PTR_ERR(slot);

	spin_lock_bh(&keys->lock);
	closed = keys->closed;
	if (!closed) {
		slot->peer = ovpn_peer_get(peer);
		slot_set(keys, slot_index(keys, params->slot), slot);
	}
	spin_unlock_bh(&keys->lock);

	if (closed) {
		slot_free(slot);
		return -ESTALE;
	}
	return 0;
}

/**
 * ovpn_keys_swap - exchange primary and secondary
 * @keys: the slots, empty ones included
 *
 * Context: any but hard interrupts.
 */
void ovpn_keys_swap(struct ovpn_keys *keys)
{
	spin_lock_bh(&keys->lock);
	WRITE_ONCE(keys->primary, keys->primary ^ 1);
	spin_unlock_bh(&keys->lock);
}

/**
 * ovpn_keys_delete - empty a slot
 * @keys: the slots
 * @slot: which: 0 primary, 1 secondary; may be empty already
 *
 * Context: any but hard interrupts.
 */
void ovpn_keys_delete(struct ovpn_keys *keys, unsigned int slot)
{
	spin_lock_bh(&keys->lock);
	slot_set(keys, slot_index(keys, slot), NULL);
	spin_unlock_bh(&keys->lock);
}

/**
 * ovpn_keys_kill - take out the key that has sent its last packet
 * @keys: the slots
 * @slot: the key
 *
 * Unless it was swapped away meanwhile: then another one sends, and this one is
 * still good for receiving.
 *
 * Context: any but hard interrupts, rcu_read_lock held.
 * Return: true if it was the one to send with.
 */
bool ovpn_keys_kill(struct ovpn_keys *keys, struct ovpn_key_slot *slot)
{
	bool primary;

	spin_lock_bh(&keys->lock);
	primary = rcu_access_pointer(keys->slots[keys->primary]) == slot;
	if (primary)
		slot_set(keys, keys->primary, NULL);
	spin_unlock_bh(&keys->lock);
	return primary;
}

/**
 * ovpn_keys_close - remove all keys, and let no other in
 * @keys: the slots of a peer that is being retired
 *
 * Context: any but hard interrupts.
 */
void ovpn_keys_close(struct ovpn_keys *keys)
{
	unsigned int i;

	spin_lock_bh(&keys->lock);
	keys->closed = true;
	for (i = 0; i < OVPN_KEY_SLOTS; i++)
		slot_set(keys, i, NULL);
	spin_unlock_bh(&keys->lock);
}

static struct ovpn_key_slot *slot_locked(const struct ovpn_keys *keys,
					 unsigned int index)
{
	return rcu_dereference_protected(keys->slots[index],
					 lockdep_is_held(&keys->lock));
}

/**
 * ovpn_keys_address - send packets with another peer id from now on
 * @keys: the slots
 * @tx_id: the id
 *
 * Context: any but hard interrupts; no key may be installed meanwhile.
 */
void ovpn_keys_address(struct ovpn_keys *keys, u32 tx_id)
{
	struct ovpn_key_slot *slot;
	unsigned int i;

	spin_lock_bh(&keys->lock);
	for (i = 0; i < OVPN_KEY_SLOTS; i++) {
		slot = slot_locked(keys, i);
		if (slot)
			WRITE_ONCE(slot->op, ovpn_op_build(slot->key_id, tx_id));
	}
	spin_unlock_bh(&keys->lock);
}

/**
 * ovpn_keys_describe - what is in a slot?
 * @keys: the slots
 * @slot: which: 0 primary, 1 secondary
 * @params: cipher, slot and key_id are set
 *
 * Context: any but hard interrupts.
 * Return: false if the slot is empty.
 */
bool ovpn_keys_describe(struct ovpn_keys *keys, unsigned int slot,
			struct ovpn_key_params *params)
{
	const struct ovpn_key_slot *found;

	spin_lock_bh(&keys->lock);
	found = slot_locked(keys, slot_index(keys, slot));
	if (found) {
		params->cipher = found->cipher;
		params->slot = slot;
		params->key_id = found->key_id;
	}
	spin_unlock_bh(&keys->lock);
	return found;
}

/**
 * ovpn_keys_primary - the key to send with
 * @keys: the slots
 *
 * Context: rcu_read_lock held.
 * Return: the key, good for this RCU section; or NULL.
 */
struct ovpn_key_slot *ovpn_keys_primary(struct ovpn_keys *keys)
{
	return rcu_dereference(keys->slots[READ_ONCE(keys->primary)]);
}

/**
 * ovpn_keys_by_id - the key that a packet was sealed with
 * @keys: the slots
 * @key_id: its number on the wire
 *
 * Context: rcu_read_lock held.
 * Return: the key, the primary one if both have that number, good for this RCU
 * section; or NULL.
 */
struct ovpn_key_slot *ovpn_keys_by_id(struct ovpn_keys *keys, u8 key_id)
{
	unsigned int primary = READ_ONCE(keys->primary);
	struct ovpn_key_slot *slot;

	slot = rcu_dereference(keys->slots[primary]);
	if (likely(slot && slot->key_id == key_id))
		return slot;
	slot = rcu_dereference(keys->slots[primary ^ 1]);
	if (slot && slot->key_id == key_id)
		return slot;
	return NULL;
}

/**
 * ovpn_key_slot_take_ids - reserve packet ids for a batch
 * @slot: the key
 * @count: how many
 * @first: set to the first of them; they are consecutive
 *
 * Context: any.
 * Return: how many there are, less than @count at the end of the key's life.
 */
unsigned int ovpn_key_slot_take_ids(struct ovpn_key_slot *slot,
				    unsigned int count, u32 *first)
{
	u64 next = atomic64_fetch_add(count, &slot->next_id);
	u64 limit = READ_ONCE(packet_id_limit);

	if (unlikely(next > limit))
		return 0;
	*first = next;
	return min_t(u64, count, limit - next + 1);
}
