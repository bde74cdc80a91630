// SPDX-License-Identifier: GPL-2.0-only
/* From the device to the transport: find the peer, cut what is too large, seal,
 * hand over.
 *
 * The unit is a batch: packets for one peer. All of this runs in the context of
 * whoever sends, with BH off and within rcu_read_lock.
 */

#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/pkt_sched.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/dsfield.h>
#include <net/gso.h>
#include <net/inet_ecn.h>

#include "aead.h"
#include "coalesce.h"
#include "compat/compat.h"
#include "device.h"
#include "gso.h"
#include "keys.h"
#include "mtu.h"
#include "nexthop.h"
#include "peer.h"
#include "send.h"
#include "stats.h"
#include "transport.h"

/* Sends of ours under way on this processor: of another device as well, if the route
 * to its peer leads into this one
 */
static DEFINE_PER_CPU(unsigned int, sends);

/* How many packets of a batch are compared with one of them: nobody looks for its
 * flow's next one among thousands
 */
#define LOOKS_MAX	64

/* These packets have so many bytes together */
static void send_sealed(struct ovpn_peer *peer, struct sk_buff_head *pkts,
			unsigned int count, unsigned int bytes)
{
	if (unlikely(!count))
		return;
	ovpn_traffic_add(peer->stats, OVPN_LINK_TX, count, bytes);
	this_cpu_inc(sends);
	peer->socket->transport->send(peer, pkts);
	this_cpu_dec(sends);
}

static void seal_failed(struct ovpn_peer *peer, struct sk_buff *skb, int err)
{
	ovpn_drop(peer->ovpn, peer, skb,
		  err == -ENOMEM ? OVPN_DROP_TX_NOMEM : OVPN_DROP_TX_CRYPTO);
}

/* A packet whose encryption took longer goes out as a batch of one.
 *
 * Not in order, if two processors have such packets for one stream: each has a
 * queue of its own for what it cannot encrypt at once, because the cipher's
 * registers are in use. If that puts one far enough behind the newest, the other
 * end restarts the connection.
 */
static void seal_done(struct ovpn_key_slot *slot, struct sk_buff *skb,
		      struct sk_buff *from, int err)
{
	struct sk_buff_head pkts;

	if (unlikely(err)) {
		seal_failed(slot->peer, skb, err);
		return;
	}
	__skb_queue_head_init(&pkts);
	__skb_queue_tail(&pkts, skb);
	send_sealed(slot->peer, &pkts, ovpn_packets(skb), skb->len);
}

/* Called for each packet of a train whose encryption took longer */
static void train_sealed(struct ovpn_key_slot *slot, struct sk_buff *train,
			 struct sk_buff *from, int err)
{
	if (unlikely(err))
		WRITE_ONCE(ovpn_send_cb(train)->err, err);
	if (!atomic_dec_and_test(&ovpn_send_cb(train)->pending))
		return;
	seal_done(slot, train, NULL, ovpn_send_cb(train)->err);
}

/**
 * struct sealing - a batch that is being sealed
 * @slot: the key
 * @packet_id: the next packet's
 * @left: how many ids there are
 * @bytes: bytes of plain text so far
 * @sealed: the packets that are ready
 * @sealed_count: how many these are
 * @sealed_bytes: how many bytes they have
 * @merged: packets that have become part of a larger one, which they were not before
 */
struct sealing {
	struct ovpn_key_slot *slot;
	u32 packet_id;
	unsigned int left;
	unsigned int bytes;
	struct sk_buff_head sealed;
	unsigned int sealed_count;
	unsigned int sealed_bytes;
	unsigned int merged;
};

static void is_sealed(struct sealing *s, struct sk_buff *skb,
		      unsigned int count)
{
	s->sealed_count += count;
	s->sealed_bytes += skb->len;
	__skb_queue_tail(&s->sealed, skb);
}

/* Seal a packet in place */
static void seal_one(struct sealing *s, struct sk_buff *skb)
{
	int err;

	s->left--;
	s->bytes += skb->len;
	err = ovpn_aead_seal(s->slot, skb, s->packet_id++, seal_done);
	if (likely(!err))
		is_sealed(s, skb, 1);
	else if (err != -EINPROGRESS)
		seal_failed(s->slot->peer, skb, err);
}

/**
 * struct train_sealing - a train whose packets are being sealed
 * @train: the buffer
 * @all: more than there can be packets in it
 * @waiting: how many take longer
 */
struct train_sealing {
	struct sk_buff *train;
	unsigned int all;
	unsigned int waiting;
};

/* Begin a train of packets like this one. False if there is no memory. */
static bool train_begin(struct sealing *s, struct train_sealing *t,
			const struct sk_buff *like)
{
	t->train = ovpn_train_alloc(s->slot->peer->ovpn, like);
	if (unlikely(!t->train))
		return false;
	t->all = s->left + 1;
	t->waiting = 0;
	ovpn_send_cb(t->train)->err = 0;
	ovpn_send_cb(t->train)->tos = ovpn_send_cb(like)->tos;
	atomic_set(&ovpn_send_cb(t->train)->pending, t->all);
	return true;
}

/* Seal the last packet of a train */
static void train_seal(struct sealing *s, struct train_sealing *t,
		       struct ovpn_header *hdr, unsigned int len)
{
	int err;

	s->left--;
	s->bytes += len;
	err = ovpn_aead_seal_at(s->slot, hdr, len, s->packet_id++, t->train,
				train_sealed);
	if (unlikely(err == -EINPROGRESS))
		t->waiting++;
	else if (unlikely(err))
		WRITE_ONCE(ovpn_send_cb(t->train)->err, err);
}

/* All packets of the train are there: it is not ours any more */
static void train_end(struct sealing *s, struct train_sealing *t)
{
	struct sk_buff *train = t->train;
	int err;

	/* Or the last one to be sealed goes on with it */
	if (unlikely(!atomic_sub_and_test(t->all - t->waiting,
					  &ovpn_send_cb(train)->pending)))
		return;
	err = READ_ONCE(ovpn_send_cb(train)->err);
	if (likely(!err))
		is_sealed(s, train, ovpn_packets(train));
	else
		seal_failed(s->slot->peer, train, err);
}

/* Cut the next packets of a large one, as many as go into a train, and seal
 * them as they come. False if there was no memory for one.
 */
static bool seal_train(struct sealing *s, struct ovpn_cutter *cutter)
{
	struct ovpn_header *hdr;
	struct train_sealing t;
	unsigned int len;

	if (unlikely(!train_begin(s, &t, cutter->skb)))
		return false;
	while (s->left && (hdr = ovpn_cutter_next(cutter, t.train, &len)))
		train_seal(s, &t, hdr, len);
	if (unlikely(!t.train->len)) {
		kfree_skb(t.train);
		return false;
	}
	ovpn_train_own(t.train, cutter->skb, ovpn_cutter_done(cutter));
	train_end(s, &t);
	return true;
}

/* Seal a large packet, in trains */
static void seal_large(struct sealing *s, struct sk_buff *skb)
{
	unsigned int count = ovpn_packets(skb), left;
	struct ovpn_cutter cutter;

	ovpn_cutter_init(&cutter, skb);
	while (!ovpn_cutter_done(&cutter)) {
		left = s->left;
		if (likely(left && seal_train(s, &cutter))) {
			count -= left - s->left;
			continue;
		}
		ovpn_drop_count(s->slot->peer->ovpn,
				left ? OVPN_DROP_TX_NOMEM :
				       OVPN_DROP_TX_KEY_USED_UP, count);
		kfree_skb(skb);
		return;
	}
	consume_skb(skb);
}

/* May packets that are so long on the wire leave as one, but for the last? */
static bool may_train(struct ovpn_peer *peer, const struct ovpn_key_slot *slot,
		      unsigned int size)
{
	const struct ovpn_transport *transport = peer->socket->transport;

	return transport->may_train && READ_ONCE(peer->ovpn->udp_gso) &&
	       (!slot || ovpn_cipher_takes_trains(&slot->encrypt)) &&
	       transport->may_train(peer, size);
}

/* May this packet be part of a train behind, or with, that one? */
static bool alike(const struct sk_buff *skb, const struct sk_buff *first)
{
	/* Its sender wants to know when this very one leaves */
	if (unlikely(skb_shinfo(skb)->tx_flags & SKBTX_ANY_TSTAMP))
		return false;
	return !skb_is_gso(skb) && skb->len <= first->len &&
	       skb->priority == first->priority &&
	       ovpn_send_cb(skb)->tos == ovpn_send_cb(first)->tos;
}

/* The hash that everybody sees. A card's that knows addresses only is replaced as soon
 * as somebody asks, like none.
 */
static u32 final_hash(const struct sk_buff *skb)
{
	return skb->l4_hash || skb->sw_hash ? skb->hash : 0;
}

/* May two packets be of one flow? Hashes are computed when somebody asks for them: where
 * one has none, only packets of two sockets may not, and parts of what others have cut
 * may not all have theirs. Two sockets with one hash may share a port.
 */
static bool may_be_one_flow(const struct sk_buff *a, const struct sk_buff *b)
{
	u32 hash_a = final_hash(a), hash_b = final_hash(b);

	if (likely(hash_a && hash_b))
		return hash_a == hash_b;
	return a->sk == b->sk || !a->sk || !b->sk;
}

/* The next packet of the first one's flow, if it may be part of a train with it. Others
 * may be in between: behind the tunnel, qdiscs and cards still tell flows apart by
 * hash and socket, and keep only those in order.
 */
static struct sk_buff *next_alike(const struct sk_buff_head *pkts,
				  const struct sk_buff *skb,
				  const struct sk_buff *first)
{
	unsigned int looks = LOOKS_MAX;
	struct sk_buff *next;

	while (!skb_queue_is_last(pkts, skb) && looks--) {
		next = skb->next;
		if (next->hash == first->hash && next->sk == first->sk)
			return alike(next, first) ? next : NULL;
		if (may_be_one_flow(next, first))
			return NULL;
		skb = next;
	}
	return NULL;
}

/* Does the first packet of a batch make a train with others? */
static bool is_run(struct ovpn_peer *peer, const struct ovpn_key_slot *slot,
		   const struct sk_buff_head *pkts)
{
	const struct sk_buff *first = skb_peek(pkts);
	unsigned int size = OVPN_HEADER_LEN + first->len;

	return peer->socket->transport->may_train && size <= PAGE_SIZE &&
	       alike(first, first) && next_alike(pkts, first, first) &&
	       may_train(peer, slot, size);
}

/* Copy the first packet of a batch and those that go with it to a train, as many as fit,
 * and seal them there. False if there was no memory.
 */
static bool seal_run(struct sealing *s, struct sk_buff_head *pkts)
{
	struct sk_buff *first = skb_peek(pkts), *skb = first, *next;
	struct ovpn_header *hdr;
	struct sk_buff_head run;
	struct train_sealing t;

	if (unlikely(!train_begin(s, &t, first)))
		return false;
	__skb_queue_head_init(&run);
	for (; s->left && skb; skb = next) {
		hdr = ovpn_train_add(t.train, skb);
		if (!hdr)
			break;
		train_seal(s, &t, hdr, skb->len);
		/* A shorter one is the last */
		next = skb->len == first->len ? next_alike(pkts, skb, first) : NULL;
		__skb_unlink(skb, pkts);
		__skb_queue_tail(&run, skb);
	}
	if (unlikely(skb_queue_empty(&run))) {
		kfree_skb(t.train);
		return false;
	}
	/* The second may not have had room */
	if (likely(skb_is_gso(t.train)))
		s->merged += skb_queue_len(&run);
	while ((skb = __skb_dequeue(&run))) {
		ovpn_train_own(t.train, skb, true);
		consume_skb(skb);
	}
	train_end(s, &t);
	return true;
}

/* Seal the first packets of a batch */
static void seal_next(struct sealing *s, struct sk_buff_head *pkts)
{
	struct sk_buff *skb;

	if (is_run(s->slot->peer, s->slot, pkts) && likely(seal_run(s, pkts)))
		return;
	skb = __skb_dequeue(pkts);
	if (skb_is_gso(skb))
		seal_large(s, skb);
	else
		seal_one(s, skb);
}

static void key_used_up(struct ovpn_peer *peer, struct ovpn_key_slot *slot)
{
	/* Only one of those who notice is the one who takes it out */
	if (!ovpn_keys_kill(&peer->keys, slot))
		return;
	netdev_notice(peer->ovpn->dev,
		      "peer %u: key %u has used all its packet ids\n",
		      peer->id, slot->key_id);
	peer->ovpn->abi->key_used_up(peer, slot->key_id);
}

/* Seal and send the packets that there is a packet id for. Returns how many, and
 * adds to @merged how many of them became part of a larger one.
 */
static unsigned int send_with(struct ovpn_peer *peer,
			      struct ovpn_key_slot *slot,
			      struct sk_buff_head *pkts, unsigned int count,
			      unsigned int *merged)
{
	struct sealing s = { .slot = slot };
	unsigned int granted;

	granted = ovpn_key_slot_take_ids(slot, count, &s.packet_id);
	s.left = granted;
	__skb_queue_head_init(&s.sealed);
	while (s.left && !skb_queue_empty(pkts))
		seal_next(&s, pkts);
	ovpn_traffic_add(peer->stats, OVPN_VPN_TX, granted - s.left, s.bytes);
	ovpn_stamp(&peer->last_tx, ovpn_now());
	send_sealed(peer, &s.sealed, s.sealed_count, s.sealed_bytes);
	if (s.merged)
		ovpn_events_add(peer->ovpn->stats, OVPN_EVENT_TX_MERGED,
				s.merged);
	*merged += s.merged;
	return granted;
}

/* Seal and send a batch. @pkts is empty afterwards. Returns how many of them
 * there was a key for, and adds to @merged how many became part of a larger one.
 */
static unsigned int send_batch(struct ovpn_peer *peer,
			       struct sk_buff_head *pkts, unsigned int *merged)
{
	struct ovpn_socket *os = peer->socket;
	unsigned int count = 0, granted;
	struct ovpn_key_slot *slot;
	struct sk_buff *skb;

	slot = ovpn_keys_primary(&peer->keys);
	if (unlikely(!slot)) {
		ovpn_drop_queue(peer->ovpn, peer, pkts, OVPN_DROP_TX_NO_KEY);
		return 0;
	}

	skb_queue_walk(pkts, skb)
		count += ovpn_packets(skb);
	/* OpenVPN restarts a TCP connection that has packet ids far behind the
	 * newest, as when another processor was faster
	 */
	if (os->transport->stream) {
		spin_lock(&os->order);
		granted = send_with(peer, slot, pkts, count, merged);
		spin_unlock(&os->order);
	} else {
		granted = send_with(peer, slot, pkts, count, merged);
	}

	if (unlikely(granted < count)) {
		ovpn_drop_queue(peer->ovpn, peer, pkts,
				OVPN_DROP_TX_KEY_USED_UP);
		key_used_up(peer, slot);
	}
	return granted;
}

/* What the outer packet shows of the inner one's traffic class: congestion, both
 * ways (RFC 6040); the rest only to whom it may be shown
 */
static void set_tos(const struct ovpn_dev *ovpn, struct sk_buff *skb)
{
	u8 tos = skb->protocol == htons(ETH_P_IP) ?
		 ipv4_get_dsfield(ip_hdr(skb)) :
		 ipv6_get_dsfield(ipv6_hdr(skb));

	if (!READ_ONCE(ovpn->copy_dscp))
		tos &= INET_ECN_MASK;
	if (!READ_ONCE(ovpn->copy_ecn))
		tos &= ~INET_ECN_MASK;
	ovpn_send_cb(skb)->tos = tos;
}

/* skb_checksum_help() for a packet that is linear and ours */
static bool fill_checksum(struct sk_buff *skb)
{
	int start = skb_checksum_start_offset(skb);
	__sum16 *sum;

	if (unlikely(start < 0 || start + skb->csum_offset + sizeof(*sum) >
				  skb->len || skb_csum_is_sctp(skb)))
		return !skb_checksum_help(skb);
	sum = (__sum16 *)(skb->data + start + skb->csum_offset);
	*sum = csum_fold(csum_partial(skb->data + start, skb->len - start, 0)) ?:
	       CSUM_MANGLED_0;
	return true;
}

/* Make one packet, which may be @part of a large one, ready for sealing in place:
 * linear, nobody else's, with headroom, its checksum filled in, and without a trace of
 * what it was inside.
 */
static int make_ready(struct ovpn_peer *peer, struct sk_buff *skb, bool part)
{
	/* Not everybody asks for the MTU, and lengths on the wire have 16 bits */
	if (unlikely(skb->len > OVPN_MTU_MAX))
		return -EMSGSIZE;
	/* Whoever wrote it may still have a clone: TCP always does */
	if (unlikely(skb_linearize_cow(skb) ||
		     skb_cow_head(skb, skb->dev->needed_headroom)))
		return -ENOMEM;
	/* No connection begins with a large packet */
	if (!part && READ_ONCE(peer->ovpn->path_mtu))
		ovpn_mtu_clamp_mss(peer, skb);
	if (skb->ip_summed == CHECKSUM_PARTIAL && unlikely(!fill_checksum(skb)))
		return -EIO;

	skb->ip_summed = CHECKSUM_NONE;
	/* Datagrams are scrubbed when they leave, but for the time when the
	 * inner packet is due, and its clock; a stream may have it wait
	 */
	skb_set_delivery_time(skb, 0, 0);
	if (peer->socket->transport->stream)
		skb_scrub_packet(skb, true);
	else
		set_tos(peer->ovpn, skb);
	if (!skb->destructor)
		skb->sk = NULL;
	/* What was a tunnel in there is cipher text now. The one inner header
	 * left has the device's byte counter see the inner packet only.
	 */
	skb->encapsulation = 0;
	skb_reset_inner_headers(skb);
	skb_set_inner_network_header(skb, 0);
	return 0;
}

static void prepare(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
		    struct sk_buff *skb, bool part, struct sk_buff_head *pkts)
{
	int err = make_ready(peer, skb, part);

	if (likely(!err))
		__skb_queue_tail(pkts, skb);
	else
		ovpn_drop(ovpn, peer, skb,
			  err == -ENOMEM ? OVPN_DROP_TX_NOMEM :
			  err == -EMSGSIZE ? OVPN_DROP_TX_TOO_LONG :
					     OVPN_DROP_TX_CHECKSUM);
}

/* Can a large packet be cut into a train, and may that leave as one? */
static bool may_cut(struct ovpn_peer *peer, const struct sk_buff *skb)
{
	return ovpn_gso_may_cut(skb) &&
	       may_train(peer, ovpn_keys_primary(&peer->keys),
			 ovpn_gso_sealed_size(skb));
}

/* Have the stack cut a large packet into what fits, copied and checksummed in
 * one go
 */
static bool cut(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
		struct sk_buff *skb, struct sk_buff_head *pkts)
{
	struct sk_buff *segs, *next;

	segs = skb_gso_segment(skb, 0);
	if (IS_ERR_OR_NULL(segs))
		return false;
	consume_skb(skb);
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		prepare(ovpn, peer, skb, true, pkts);
	}
	return true;
}

/* Whom is a packet for, and may it go there? Before it is cut: its parts do not know
 * their route. NULL if it was dropped.
 */
static struct ovpn_peer *receiver(struct ovpn_dev *ovpn, struct sk_buff *skb)
{
	struct ovpn_peer *peer = ovpn_nexthop_peer(ovpn, skb);

	if (unlikely(!peer)) {
		ovpn_drop(ovpn, NULL, skb, OVPN_DROP_TX_NO_PEER);
		return NULL;
	}

	/* What a TCP connection sends cannot be part of itself */
	if (unlikely(skb->sk && skb->sk == peer->socket->sk)) {
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_TX_LOOP);
		return NULL;
	}

	if (READ_ONCE(ovpn->path_mtu) && unlikely(!ovpn_mtu_fits(peer, skb))) {
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_TX_PATH_MTU);
		return NULL;
	}
	return peer;
}

/* Make a packet, large or not, part of a batch */
static void add(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
		struct sk_buff *skb, struct sk_buff_head *pkts)
{
	if (!skb_is_gso(skb)) {
		prepare(ovpn, peer, skb, false, pkts);
	} else if (may_cut(peer, skb)) {
		set_tos(ovpn, skb);
		__skb_queue_tail(pkts, skb);
	} else if (unlikely(!cut(ovpn, peer, skb, pkts))) {
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_TX_GSO);
	}
}

/**
 * ovpn_send_held - send packets that were held back
 * @ovpn: the device
 * @held: the packets, each checked as ovpn_coalesce_hold() wants it; consumed
 *
 * Context: BH off, rcu_read_lock held.
 * Return: how many of them left as part of a larger one.
 */
unsigned int ovpn_send_held(struct ovpn_dev *ovpn, struct sk_buff_head *held)
{
	struct ovpn_peer *peer = NULL, *next;
	struct sk_buff_head pkts;
	unsigned int merged = 0;
	struct sk_buff *skb;

	__skb_queue_head_init(&pkts);
	while ((skb = __skb_dequeue(held))) {
		next = receiver(ovpn, skb);
		if (unlikely(!next))
			continue;
		if (next != peer && !skb_queue_empty(&pkts))
			send_batch(peer, &pkts, &merged);
		peer = next;
		add(ovpn, peer, skb, &pkts);
	}
	if (!skb_queue_empty(&pkts))
		send_batch(peer, &pkts, &merged);
	return merged;
}

static void send_routed(struct ovpn_dev *ovpn, struct sk_buff *skb)
{
	struct sk_buff_head pkts;
	unsigned int merged = 0;
	struct ovpn_peer *peer;
	__be16 protocol;

	skb_reset_network_header(skb);
	protocol = ovpn_inner_protocol(skb);
	if (unlikely(!protocol || protocol != skb->protocol)) {
		/* Who injects packets below IP need not say what they are */
		if (!protocol || skb->protocol) {
			ovpn_drop(ovpn, NULL, skb, OVPN_DROP_TX_NOT_IP);
			return;
		}
		skb->protocol = protocol;
	}
	/* What we have sent ourselves goes on at once: if it comes here again and again,
	 * the stack notices that only while it is one call within the other.
	 */
	if (ovpn_coalesce_hold(ovpn, skb, this_cpu_read(sends)))
		return;

	peer = receiver(ovpn, skb);
	if (unlikely(!peer))
		return;
	__skb_queue_head_init(&pkts);
	add(ovpn, peer, skb, &pkts);
	if (!skb_queue_empty(&pkts))
		send_batch(peer, &pkts, &merged);
}

/**
 * ovpn_send - ndo_start_xmit: send a packet to the peer that it is routed to
 * @skb: the packet, consumed
 * @dev: our device
 *
 * Context: BH off.
 * Return: NETDEV_TX_OK, always.
 */
netdev_tx_t ovpn_send(struct sk_buff *skb, struct net_device *dev)
{
	/* With BH off it is one anyway, but lockdep wants to see it */
	rcu_read_lock();
	send_routed(netdev_priv(dev), skb);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

/**
 * ovpn_send_keepalive - send a ping to a peer
 * @peer: the peer
 *
 * Context: BH off, rcu_read_lock held.
 */
void ovpn_send_keepalive(struct ovpn_peer *peer)
{
	struct ovpn_dev *ovpn = peer->ovpn;
	struct sk_buff_head pkts;
	unsigned int merged = 0;
	struct sk_buff *skb;

	skb = alloc_skb(ovpn->dev->needed_headroom + OVPN_KEEPALIVE_LEN,
			GFP_ATOMIC);
	if (unlikely(!skb))
		return;
	skb_reserve(skb, ovpn->dev->needed_headroom);
	skb_put_data(skb, ovpn_keepalive_payload, OVPN_KEEPALIVE_LEN);
	/* Without skb->dev: the device counts what the user sends */
	skb->priority = TC_PRIO_CONTROL;
	ovpn_send_cb(skb)->tos = 0;
	skb_set_inner_network_header(skb, 0);

	__skb_queue_head_init(&pkts);
	__skb_queue_tail(&pkts, skb);
	if (!send_batch(peer, &pkts, &merged))
		return;
	ovpn_event_add(ovpn->stats, OVPN_EVENT_TX_KEEPALIVE);
	ovpn_traffic_add(peer->stats, OVPN_OTHER_TX, 1, OVPN_KEEPALIVE_LEN);
}
