// SPDX-License-Identifier: GPL-2.0-only
/* The UDP transport: datagrams in, datagrams out. */

#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/inet_common.h>
#include <net/sock.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "compat/compat.h"
#include "device.h"
#include "endpoint.h"
#include "gro.h"
#include "gso.h"
#include "peer.h"
#include "peer_table.h"
#include "receive.h"
#include "send.h"
#include "transport.h"
#include "wire.h"

static struct ovpn_peer *sender(struct ovpn_dev *ovpn,
				const struct sk_buff *skb, u32 op)
{
	struct ovpn_sockaddr source;
	u32 id = FIELD_GET(OVPN_OP_PEER_ID, op);

	if (likely(id != OVPN_PEER_ID_UNDEF))
		return ovpn_peer_by_id(&ovpn->peers, id);

	ovpn_endpoint_source(&source, skb);
	return ovpn_peer_by_endpoint(&ovpn->peers, &source);
}

/* Is it of the older format, and nobody in userspace wants it? */
static bool is_data_v1(const struct ovpn_dev *ovpn, u32 op)
{
	return FIELD_GET(OVPN_OP_OPCODE, op) == OVPN_OP_DATA_V1 &&
	       !ovpn->abi->data_v1;
}

/* The first word of a packet in a buffer that may be in pieces */
static bool op_at(const struct sk_buff *skb, unsigned int offset, u32 *op)
{
	const __be32 *word = ovpn_receive_range(skb, offset, sizeof(*word));
	__be32 copy;

	if (unlikely(!word)) {
		if (skb_copy_bits(skb, offset, &copy, sizeof(copy)))
			return false;
		*op = be32_to_cpu(copy);
		return true;
	}
	*op = get_unaligned_be32(word);
	return true;
}

/* Several datagrams that were merged: of one sender at least by address */
static void receive_large(struct ovpn_dev *ovpn, struct sk_buff *skb)
{
	unsigned int size = skb_shinfo(skb)->gso_size, offset, len;
	struct ovpn_peer *peer = NULL;
	u32 op, last = 0;

	ovpn_receive_prepare(ovpn, skb);
	for (offset = sizeof(struct udphdr); offset < skb->len; offset += size) {
		len = min(size, skb->len - offset);
		if (unlikely(len < OVPN_OP_LEN || !op_at(skb, offset, &op))) {
			ovpn_drop_count(ovpn, OVPN_DROP_RX_SHORT, 1);
			continue;
		}
		if (unlikely(!peer || op != last)) {
			last = op;
			peer = sender(ovpn, skb, op);
		}
		/* Whoever marked it has looked: they are data packets */
		if (likely(peer))
			ovpn_receive_part(peer, skb, offset, len);
		else
			ovpn_drop_count(ovpn, OVPN_DROP_RX_UNKNOWN_PEER, 1);
	}
	consume_skb(skb);
}

/* Called by UDP for each datagram, with its header still in front.
 *
 * Return: 0 if the packet was consumed, 1 to queue it for userspace, in which
 * case it must be untouched.
 */
static int udp_encap_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct ovpn_socket *os;
	struct ovpn_peer *peer;
	struct ovpn_dev *ovpn;
	__be32 *op, buf;

	/* The caller is within rcu_read_lock */
	os = rcu_dereference_sk_user_data(sk);
	if (unlikely(!os))
		return 1;
	ovpn = rcu_dereference(os->ovpn);
	if (skb_is_gso(skb)) {
		/* Userspace does not know what to do with several in one */
		if (likely(ovpn))
			receive_large(ovpn, skb);
		else
			kfree_skb(skb);
		return 0;
	}
	if (unlikely(!ovpn))
		return 1;

	op = skb_header_pointer(skb, sizeof(struct udphdr), sizeof(buf), &buf);
	if (unlikely(!op)) {
		ovpn_drop(ovpn, NULL, skb, OVPN_DROP_RX_SHORT);
		return 0;
	}
	if (unlikely(FIELD_GET(OVPN_OP_OPCODE, be32_to_cpu(*op)) !=
		     OVPN_OP_DATA_V2)) {
		if (is_data_v1(ovpn, be32_to_cpu(*op))) {
			ovpn_drop(ovpn, NULL, skb, OVPN_DROP_RX_DATA_V1);
			return 0;
		}
		ovpn_event_add(ovpn->stats, OVPN_EVENT_RX_CONTROL);
		return 1;
	}

	peer = sender(ovpn, skb, be32_to_cpu(*op));
	if (unlikely(!peer)) {
		ovpn_drop(ovpn, NULL, skb, OVPN_DROP_RX_UNKNOWN_PEER);
		return 0;
	}

	__skb_pull(skb, sizeof(struct udphdr));
	ovpn_receive(peer, skb);
	return 0;
}

/* Called by UDP, without the socket lock */
static void udp_closed(struct sock *sk)
{
	ovpn_socket_closed(sk, &ovpn_udp_transport);
}

/* That is what no UDP_ENCAP of userspace puts its own in the place of */
static bool udp_owns(const struct sock *sk)
{
	return udp_sk(sk)->encap_destroy == udp_closed;
}

static int udp_attach(struct ovpn_socket *os, struct netlink_ext_ack *extack)
{
	struct udp_tunnel_sock_cfg cfg = {
		.sk_user_data = os,
		.encap_type = UDP_ENCAP_OVPNINUDP,
		.encap_rcv = udp_encap_rcv,
		.encap_destroy = udp_closed,
	};
	struct sock *sk = os->sk;
	bool claimed = false;

	/* Not everybody who claims sk_user_data holds the socket lock */
	write_lock_bh(&sk->sk_callback_lock);
	if (!udp_sk(sk)->encap_type && !udp_sk(sk)->encap_rcv &&
	    !sk->sk_user_data) {
		rcu_assign_sk_user_data(sk, os);
		claimed = true;
	}
	write_unlock_bh(&sk->sk_callback_lock);

	if (!claimed) {
		NL_SET_ERR_MSG(extack, "socket is in use by another tunnel");
		return -EBUSY;
	}

	os->mc_loop = compat_get_mc_loop(sk);
	compat_setup_udp_tunnel_sock(sock_net(sk), sk, &cfg);
	/* Nobody needs the sum of what is about to be decrypted */
	inet_dec_convert_csum(sk);
	ovpn_gro_attach(os);
	return 0;
}

static void udp_detach(struct ovpn_socket *os)
{
	struct sock *sk = os->sk;

	/* First: what was merged shall not reach userspace, but for a datagram
	 * between our hook and here
	 */
	ovpn_gro_detach(os);
	WRITE_ONCE(udp_sk(sk)->encap_type, 0);
	WRITE_ONCE(udp_sk(sk)->encap_rcv, NULL);
	WRITE_ONCE(udp_sk(sk)->encap_destroy, NULL);
	compat_set_mc_loop(sk, os->mc_loop);
}

/* Nobody is in udp_encap_rcv() any more, to find another one's data */
static void udp_release(struct ovpn_socket *os)
{
	rcu_assign_sk_user_data(os->sk, NULL);
}

static bool udp_may_train(struct ovpn_peer *peer, unsigned int size)
{
	return ovpn_endpoint_may_train(rcu_dereference(peer->endpoint),
				       peer->socket->sk, size);
}

static unsigned int udp_payload_max(struct ovpn_peer *peer)
{
	return ovpn_endpoint_payload_max(rcu_dereference(peer->endpoint),
					 peer->socket->sk);
}

/* The stack counts only what it sends one by one */
static enum ovpn_endpoint_error send_train(struct ovpn_peer *peer,
					   struct ovpn_endpoint *ep,
					   struct sk_buff *train)
{
	unsigned int packets = ovpn_packets(train);
	unsigned int bytes = train->len - packets * OVPN_HEADER_LEN;
	enum ovpn_endpoint_error err;

	train->dev = NULL;
	err = ovpn_endpoint_xmit(ep, peer->socket->sk, train,
				 ovpn_send_cb(train)->tos);
	if (likely(!err))
		dev_sw_netstats_tx_add(peer->ovpn->dev, packets, bytes);
	return err;
}

static void udp_send(struct ovpn_peer *peer, struct sk_buff_head *pkts)
{
	enum ovpn_endpoint_error err;
	struct ovpn_endpoint *ep;
	struct sk_buff *skb;

	ep = rcu_dereference(peer->endpoint);
	while ((skb = __skb_dequeue(pkts))) {
		err = skb_is_gso(skb) ?
		      send_train(peer, ep, skb) :
		      ovpn_endpoint_xmit(ep, peer->socket->sk, skb,
					 ovpn_send_cb(skb)->tos);
		if (unlikely(err))
			ovpn_drop(peer->ovpn, peer, skb,
				  err == OVPN_ENDPOINT_LOOP ?
				  OVPN_DROP_TX_LOOP : OVPN_DROP_TX_NO_ROUTE);
	}
}

const struct ovpn_transport ovpn_udp_transport = {
	.owns = udp_owns,
	.attach = udp_attach,
	.detach = udp_detach,
	.release = udp_release,
	.payload_max = udp_payload_max,
	.may_train = udp_may_train,
	.send = udp_send,
};
