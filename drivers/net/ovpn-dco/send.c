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
#include <net/gso.h>

#include "aead.h"
#include "compat/compat.h"
#include "device.h"
#include "keys.h"
#include "nexthop.h"
#include "peer.h"
#include "send.h"
#include "stats.h"
#include "transport.h"

static void send_sealed(struct ovpn_peer *peer, struct sk_buff_head *pkts)
{
	unsigned int count = 0, bytes = 0;
	struct sk_buff *skb;

	skb_queue_walk(pkts, skb) {
		count++;
		bytes += skb->len;
	}
	if (!count)
		return;
	ovpn_traffic_add(peer->stats, OVPN_LINK_TX, count, bytes);
	peer->socket->transport->send(peer, pkts);
}

static void seal_failed(struct ovpn_peer *peer, struct sk_buff *skb, int err)
{
	ovpn_drop(peer->ovpn, peer, skb,
		  err == -ENOMEM ? OVPN_DROP_TX_NOMEM :
		  err == -ENOKEY ? OVPN_DROP_TX_NO_KEY : OVPN_DROP_TX_CRYPTO);
}

/* A packet whose encryption took longer goes out as a batch of one.
 *
 * Not in order, if two processors have such packets for one stream: each has a
 * queue of its own for what it cannot encrypt at once, because the cipher's
 * registers are in use. If that puts one far enough behind the newest, the other
 * end restarts the connection.
 */
static void seal_done(struct ovpn_key_slot *slot, struct sk_buff *skb, int err)
{
	struct sk_buff_head pkts;

	if (unlikely(err)) {
		seal_failed(slot->peer, skb, err);
		return;
	}
	__skb_queue_head_init(&pkts);
	__skb_queue_tail(&pkts, skb);
	send_sealed(slot->peer, &pkts);
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

/* Seal and send the packets that there is a packet id for. Returns how many. */
static unsigned int send_with(struct ovpn_peer *peer,
			      struct ovpn_key_slot *slot,
			      struct sk_buff_head *pkts)
{
	unsigned int granted, bytes = 0, i;
	struct sk_buff_head sealed;
	struct sk_buff *skb;
	u32 packet_id;
	int err;

	granted = ovpn_key_slot_take_ids(slot, skb_queue_len(pkts), &packet_id);
	__skb_queue_head_init(&sealed);
	for (i = 0; i < granted; i++) {
		skb = __skb_dequeue(pkts);
		bytes += skb->len;
		err = ovpn_aead_seal(slot, skb, packet_id + i, seal_done);
		if (likely(!err))
			__skb_queue_tail(&sealed, skb);
		else if (err != -EINPROGRESS)
			seal_failed(peer, skb, err);
	}
	ovpn_traffic_add(peer->stats, OVPN_VPN_TX, granted, bytes);
	ovpn_stamp(&peer->last_tx, ovpn_now());
	send_sealed(peer, &sealed);
	return granted;
}

/* Seal and send a batch. @pkts is empty afterwards. Returns how many of them
 * there was a key for.
 */
static unsigned int send_batch(struct ovpn_peer *peer,
			       struct sk_buff_head *pkts)
{
	unsigned int count = skb_queue_len(pkts), granted;
	struct ovpn_socket *os = peer->socket;
	struct ovpn_key_slot *slot;

	slot = ovpn_keys_primary(&peer->keys);
	if (unlikely(!slot)) {
		ovpn_drop_queue(peer->ovpn, peer, pkts, OVPN_DROP_TX_NO_KEY);
		return 0;
	}

	/* OpenVPN restarts a TCP connection that has packet ids far behind the
	 * newest, as when another processor was faster
	 */
	if (os->transport->stream) {
		spin_lock(&os->order);
		granted = send_with(peer, slot, pkts);
		spin_unlock(&os->order);
	} else {
		granted = send_with(peer, slot, pkts);
	}

	if (unlikely(granted < count)) {
		ovpn_drop_queue(peer->ovpn, peer, pkts,
				OVPN_DROP_TX_KEY_USED_UP);
		key_used_up(peer, slot);
	}
	return granted;
}

/* Make one packet ready for sealing in place: linear, nobody else's, with
 * headroom, its checksum filled in, and without a trace of what it was inside.
 */
static int prepare(struct sk_buff *skb)
{
	/* Not everybody asks for the MTU, and lengths on the wire have 16 bits */
	if (unlikely(skb->len > OVPN_MTU_MAX))
		return -EMSGSIZE;
	/* Whoever wrote it may still have a clone: TCP always does */
	if (unlikely(skb_linearize_cow(skb) ||
		     skb_cow_head(skb, skb->dev->needed_headroom)))
		return -ENOMEM;
	if (skb->ip_summed == CHECKSUM_PARTIAL &&
	    unlikely(skb_checksum_help(skb)))
		return -EIO;

	skb->ip_summed = CHECKSUM_NONE;
	skb_scrub_packet(skb, true);
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

/* Cut a large packet into what fits, copied and checksummed in one go */
static bool cut(struct sk_buff *skb, struct sk_buff_head *pkts)
{
	struct sk_buff *segs, *next;

	segs = skb_gso_segment(skb, 0);
	if (IS_ERR_OR_NULL(segs))
		return false;
	consume_skb(skb);
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		__skb_queue_tail(pkts, skb);
	}
	return true;
}

static void prepare_batch(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
			  struct sk_buff_head *in, struct sk_buff_head *out)
{
	struct sk_buff *skb;
	int err;

	while ((skb = __skb_dequeue(in))) {
		err = prepare(skb);
		if (likely(!err))
			__skb_queue_tail(out, skb);
		else
			ovpn_drop(ovpn, peer, skb,
				  err == -ENOMEM ? OVPN_DROP_TX_NOMEM :
				  err == -EMSGSIZE ? OVPN_DROP_TX_TOO_LONG :
						     OVPN_DROP_TX_CHECKSUM);
	}
}

static void send_routed(struct ovpn_dev *ovpn, struct sk_buff *skb)
{
	struct sk_buff_head cut_pkts, pkts;
	struct ovpn_peer *peer;

	skb_reset_network_header(skb);
	if (unlikely(!skb->protocol ||
		     ovpn_inner_protocol(skb) != skb->protocol)) {
		ovpn_drop(ovpn, NULL, skb, OVPN_DROP_TX_NOT_IP);
		return;
	}

	/* Before the packet is cut: its parts do not know their route */
	peer = ovpn_nexthop_peer(ovpn, skb);
	if (unlikely(!peer)) {
		ovpn_drop(ovpn, NULL, skb, OVPN_DROP_TX_NO_PEER);
		return;
	}

	/* What a TCP connection sends cannot be part of itself */
	if (unlikely(skb->sk && skb->sk == peer->socket->sk)) {
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_TX_LOOP);
		return;
	}

	__skb_queue_head_init(&cut_pkts);
	__skb_queue_head_init(&pkts);
	if (skb_is_gso(skb)) {
		if (unlikely(!cut(skb, &cut_pkts))) {
			ovpn_drop(ovpn, peer, skb, OVPN_DROP_TX_GSO);
			return;
		}
	} else {
		__skb_queue_tail(&cut_pkts, skb);
	}

	prepare_batch(ovpn, peer, &cut_pkts, &pkts);
	if (!skb_queue_empty(&pkts))
		send_batch(peer, &pkts);
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
	struct sk_buff *skb;

	skb = alloc_skb(ovpn->dev->needed_headroom + OVPN_KEEPALIVE_LEN,
			GFP_ATOMIC);
	if (unlikely(!skb))
		return;
	skb_reserve(skb, ovpn->dev->needed_headroom);
	skb_put_data(skb, ovpn_keepalive_payload, OVPN_KEEPALIVE_LEN);
	/* Without skb->dev: the device counts what the user sends */
	skb->priority = TC_PRIO_CONTROL;
	skb_set_inner_network_header(skb, 0);

	__skb_queue_head_init(&pkts);
	__skb_queue_tail(&pkts, skb);
	if (!send_batch(peer, &pkts))
		return;
	ovpn_event_add(ovpn->stats, OVPN_EVENT_TX_KEEPALIVE);
	ovpn_traffic_add(peer->stats, OVPN_OTHER_TX, 1, OVPN_KEEPALIVE_LEN);
}
