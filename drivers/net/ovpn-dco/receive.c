// SPDX-License-Identifier: GPL-2.0-only
/* From the transport to the device: find the key, open, refuse what was seen
 * before or has no business here, deliver.
 *
 * All of this runs where the packets came in, with BH off and within
 * rcu_read_lock.
 */

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/gro_cells.h>
#include <net/inet_ecn.h>
#include <net/ipv6.h>

#include "aead.h"
#include "compat/compat.h"
#include "device.h"
#include "keys.h"
#include "mtu.h"
#include "nexthop.h"
#include "peer.h"
#include "receive.h"
#include "replay.h"
#include "stats.h"
#include "transport.h"

/* Remove what the outer packet has left */
static void scrub(struct sk_buff *skb)
{
	skb_scrub_packet(skb, true);
	skb_reset_inner_headers(skb);
	skb->encapsulation = 0;
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
	memset(skb->cb, 0, sizeof(skb->cb));
}

/**
 * struct receive_cb - in skb->cb of a buffer that packets are opened from
 * @header: IP's, which knows the interface of a link-local address
 * @followed: the last peer that it has shown the whereabouts of; never followed
 *	as a pointer
 */
struct receive_cb {
	union {
		struct inet_skb_parm h4;
#if IS_ENABLED(CONFIG_IPV6)
		struct inet6_skb_parm h6;
#endif
	} header;
	const struct ovpn_peer *followed;
};

static struct receive_cb *receive_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct receive_cb) > sizeof(skb->cb));
	return (struct receive_cb *)skb->cb;
}

/* All that is in one buffer has come the same way: look once for each peer, at what
 * is authentic. Another processor that does so too does no harm.
 */
static void follow(struct ovpn_key_slot *slot, u32 id, struct sk_buff *skb,
		   struct sk_buff *from)
{
	struct ovpn_peer *peer = slot->peer;

	if (from && likely(READ_ONCE(receive_cb(from)->followed) == peer))
		return;
	/* Not before: of two parts opened at a time the older one may be beaten */
	if (ovpn_peer_follow(peer, from ?: skb, &slot->replay, id) && from)
		WRITE_ONCE(receive_cb(from)->followed, peer);
}

/* GRO merges TCP. For other packets it looks in vain, for a socket as well, unless
 * the device has been told to merge UDP.
 */
static int hand_over(struct ovpn_dev *ovpn, struct sk_buff *skb)
{
	if (ovpn_inner_transport(skb) == IPPROTO_TCP ||
	    ovpn->dev->features & (NETIF_F_GRO_FRAGLIST | NETIF_F_GRO_UDP_FWD))
		return gro_cells_receive(&ovpn->gro_cells, skb);
	return netif_rx(skb);
}

/* Hand a packet from inside the tunnel to the stack */
static void deliver(struct ovpn_peer *peer, struct sk_buff *skb, bool fresh)
{
	struct ovpn_dev *ovpn = peer->ovpn;
	unsigned int len = skb->len;

	/* A buffer of our own has nothing of the outer packet */
	if (!fresh)
		scrub(skb);
	/* The peer's stack made it, and it has not changed since */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = ~0;
	skb_reset_mac_header(skb);
	skb_reset_transport_header(skb);

	if (unlikely(!(ovpn->dev->flags & IFF_UP))) {
		ovpn_traffic_add(peer->stats, OVPN_OTHER_RX, 1, len);
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_RX_DOWN);
		return;
	}
	if (likely(hand_over(ovpn, skb) == NET_RX_SUCCESS)) {
		dev_sw_netstats_rx_add(ovpn->dev, len);
	} else {
		ovpn_traffic_add(peer->stats, OVPN_OTHER_RX, 1, len);
		ovpn_drop_count(ovpn, OVPN_DROP_RX_BACKLOG, 1);
	}
}

static bool is_keepalive(const struct sk_buff *skb)
{
	return skb->len >= OVPN_KEEPALIVE_LEN &&
	       !memcmp(skb->data, ovpn_keepalive_payload, OVPN_KEEPALIVE_LEN);
}

/* Every IPv6 host looks for its router like this: nothing to tell the admin */
static bool is_link_local(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IPV6) &&
	       (ipv6_addr_any(&ipv6_hdr(skb)->saddr) ||
		ipv6_addr_type(&ipv6_hdr(skb)->saddr) & IPV6_ADDR_LINKLOCAL);
}

/* What the outer packet met on its way is for the inner one (RFC 6040). False if
 * that has no room for it.
 */
static bool carry_ecn(struct sk_buff *skb, u8 tos)
{
	u8 inner = skb->protocol == htons(ETH_P_IP) ?
		   ipv4_get_dsfield(ip_hdr(skb)) :
		   ipv6_get_dsfield(ipv6_hdr(skb));

	return INET_ECN_decapsulate(skb, tos, inner) < 2;
}

/* The traffic class of a datagram; a stream has none that would tell */
static u8 tos_of(const struct ovpn_peer *peer, const struct sk_buff *outer)
{
	if (peer->socket->transport->stream)
		return 0;
	return ip_hdr(outer)->version == 4 ? ipv4_get_dsfield(ip_hdr(outer)) :
					     ipv6_get_dsfield(ipv6_hdr(outer));
}

/* A packet that is authentic and new, from its first inner byte on */
static void receive_inner(struct ovpn_peer *peer, struct sk_buff *skb,
			  u8 tos, bool fresh)
{
	struct ovpn_dev *ovpn = peer->ovpn;
	__be16 protocol;

	protocol = ovpn_inner_protocol(skb);
	if (unlikely(!protocol)) {
		ovpn_traffic_add(peer->stats, OVPN_OTHER_RX, 1, skb->len);
		if (is_keepalive(skb)) {
			ovpn_event_add(ovpn->stats, OVPN_EVENT_RX_KEEPALIVE);
			consume_skb(skb);
		} else {
			ovpn_drop(ovpn, peer, skb, OVPN_DROP_RX_NOT_IP);
		}
		return;
	}

	skb->protocol = protocol;
	skb_reset_network_header(skb);
	if (unlikely(!ovpn_nexthop_accepts(peer, skb))) {
		ovpn_traffic_add(peer->stats, OVPN_OTHER_RX, 1, skb->len);
		ovpn_drop(ovpn, is_link_local(skb) ? NULL : peer, skb,
			  OVPN_DROP_RX_RPF);
		return;
	}
	if (unlikely(tos & INET_ECN_MASK && !carry_ecn(skb, tos))) {
		ovpn_traffic_add(peer->stats, OVPN_OTHER_RX, 1, skb->len);
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_RX_ECN);
		return;
	}
	if (READ_ONCE(ovpn->path_mtu))
		ovpn_mtu_clamp_mss(peer, skb);
	deliver(peer, skb, fresh);
}

static enum ovpn_drop open_error(int err)
{
	switch (err) {
	case -EBADMSG:
		return OVPN_DROP_RX_AUTH;
	case -ENOMEM:
		return OVPN_DROP_RX_NOMEM;
	default:
		return OVPN_DROP_RX_CRYPTO;
	}
}

static enum ovpn_drop replay_error(enum ovpn_replay_verdict verdict)
{
	switch (verdict) {
	case OVPN_REPLAY_ZERO:
		return OVPN_DROP_RX_ID_ZERO;
	case OVPN_REPLAY_OLD:
		return OVPN_DROP_RX_OLD;
	default:
		return OVPN_DROP_RX_REPLAY;
	}
}

/* A packet that has been through the cipher, from its OpenVPN header on. Its
 * outer headers are in @from, if that is given.
 */
static void open_done(struct ovpn_key_slot *slot, struct sk_buff *skb,
		      struct sk_buff *from, int err)
{
	struct ovpn_header *hdr = (struct ovpn_header *)skb->data;
	struct ovpn_peer *peer = slot->peer;
	enum ovpn_replay_verdict verdict;
	u32 id, now = ovpn_now();
	u8 tos;

	if (unlikely(err)) {
		ovpn_drop(peer->ovpn, peer, skb, open_error(err));
		return;
	}
	id = be32_to_cpu(hdr->packet_id);
	verdict = ovpn_replay_check(&slot->replay, id, now);
	if (unlikely(verdict > OVPN_REPLAY_LATE)) {
		ovpn_drop(peer->ovpn, peer, skb, replay_error(verdict));
		return;
	}

	ovpn_stamp(&peer->last_rx, now);
	if (likely(verdict == OVPN_REPLAY_NEWEST))
		follow(slot, id, skb, from);

	tos = tos_of(peer, from ?: skb);
	__skb_pull(skb, OVPN_HEADER_LEN);
	/* Of the outer packet, whose sum may not have been filled in */
	skb->ip_summed = CHECKSUM_NONE;
	ovpn_traffic_add(peer->stats, OVPN_VPN_RX, 1, skb->len);
	receive_inner(peer, skb, tos, from);
}

/* Open a packet of our own, whose header is there, with its payload there or in
 * @from
 */
static void open(struct ovpn_peer *peer, struct sk_buff *skb,
		 struct sk_buff *from, unsigned int offset)
{
	struct ovpn_header *hdr = (struct ovpn_header *)skb->data;
	struct ovpn_key_slot *slot;
	u8 key_id;
	int err;

	key_id = FIELD_GET(OVPN_OP_KEY_ID, be32_to_cpu(hdr->op));
	slot = ovpn_keys_by_id(&peer->keys, key_id);
	if (unlikely(!slot)) {
		ovpn_drop(peer->ovpn, peer, skb, OVPN_DROP_RX_UNKNOWN_KEY);
		return;
	}

	err = ovpn_aead_open(slot, skb, from, offset + OVPN_HEADER_LEN,
			     open_done);
	if (unlikely(err == -EINPROGRESS))
		return;
	open_done(slot, skb, from, err);
}

/**
 * ovpn_receive_prepare - make a packet ours
 * @ovpn: the device that it is for
 * @skb: the packet
 *
 * The device that it came in on may go away while a cipher takes its time.
 *
 * Context: any.
 */
void ovpn_receive_prepare(struct ovpn_dev *ovpn, struct sk_buff *skb)
{
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	skb_orphan(skb);
	skb->dev = ovpn->dev;
	receive_cb(skb)->followed = NULL;
}

/* A buffer from the caches of this processor's softirqs: what GRO merges and frees
 * goes back to them, so few of them come from the allocator.
 */
static struct sk_buff *part_alloc(struct ovpn_dev *ovpn, unsigned int len)
{
	unsigned int size = SKB_DATA_ALIGN(NET_SKB_PAD + len) +
			    SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct sk_buff *skb;
	void *data;

	/* When memory is short these caches have single pages. And a small packet
	 * that waits for its reader would hold much more of them than it counts.
	 */
	if (size <= 1024 || unlikely(size > PAGE_SIZE))
		return netdev_alloc_skb(ovpn->dev, len);
	data = napi_alloc_frag(size);
	if (unlikely(!data))
		return NULL;
	skb = napi_build_skb(data, size);
	if (unlikely(!skb)) {
		skb_free_frag(data);
		return NULL;
	}
	skb_reserve(skb, NET_SKB_PAD);
	skb->dev = ovpn->dev;
	return skb;
}

/**
 * ovpn_receive_part - take in one of the data packets of a buffer
 * @peer: the peer that it claims to come from
 * @from: the buffer, with the outer IP and UDP headers in front, and
 *	ovpn_receive_prepare() done. It stays as it is, and the caller's.
 * @offset: where in it the packet begins
 * @len: how long that is
 *
 * The packet is opened from where it is into a buffer of its own.
 *
 * Context: BH off, rcu_read_lock held.
 */
void ovpn_receive_part(struct ovpn_peer *peer, struct sk_buff *from,
		       unsigned int offset, unsigned int len)
{
	struct ovpn_dev *ovpn = peer->ovpn;
	struct sk_buff *skb;
	const void *hdr;

	ovpn_traffic_add(peer->stats, OVPN_LINK_RX, 1, len);
	if (unlikely(len < OVPN_HEADER_LEN)) {
		ovpn_drop_count(ovpn, OVPN_DROP_RX_SHORT, 1);
		return;
	}
	skb = part_alloc(ovpn, len);
	if (unlikely(!skb)) {
		ovpn_drop_count(ovpn, OVPN_DROP_RX_NOMEM, 1);
		return;
	}
	__skb_put(skb, len);
	hdr = ovpn_receive_range(from, offset, OVPN_HEADER_LEN);
	if (likely(hdr)) {
		memcpy(skb->data, hdr, OVPN_HEADER_LEN);
	} else if (unlikely(skb_copy_bits(from, offset, skb->data,
					  OVPN_HEADER_LEN))) {
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_RX_SHORT);
		return;
	}
	open(peer, skb, from, offset);
}

/**
 * ovpn_receive - take in a data packet of a peer
 * @peer: the peer that it claims to come from
 * @skb: the packet from its OpenVPN header on, with the outer IP and UDP headers
 *	still in front; at least OVPN_OP_LEN bytes. Consumed.
 *
 * Context: BH off, rcu_read_lock held.
 */
void ovpn_receive(struct ovpn_peer *peer, struct sk_buff *skb)
{
	struct ovpn_dev *ovpn = peer->ovpn;

	ovpn_receive_prepare(ovpn, skb);
	/* Somebody else may be looking at it, or it is in pieces */
	if (unlikely(skb_is_nonlinear(skb) || skb_cloned(skb))) {
		ovpn_receive_part(peer, skb, 0, skb->len);
		consume_skb(skb);
		return;
	}

	ovpn_traffic_add(peer->stats, OVPN_LINK_RX, 1, skb->len);
	if (unlikely(skb->len < OVPN_HEADER_LEN)) {
		ovpn_drop(ovpn, peer, skb, OVPN_DROP_RX_SHORT);
		return;
	}
	open(peer, skb, NULL, 0);
}
