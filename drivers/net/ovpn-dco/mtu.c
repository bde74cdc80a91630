// SPDX-License-Identifier: GPL-2.0-only
/* Packets that fit the path to the peer.
 *
 * A datagram that is too long for the path is fragmented, which costs both ends
 * more than the packet, and loses it whenever one of the fragments is lost. So
 * TCP connections inside the tunnel are told at their beginning what fits, by
 * the MSS in their SYN packets, in both directions; and whoever sends a packet
 * that is too long and must not be fragmented learns it as from any router. What
 * the path carries is known from the route, and from routers that say so.
 */

#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <linux/unaligned.h>
#include <net/checksum.h>
#include <net/dst.h>
#include <net/gso.h>
#include <net/icmp.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "device.h"
#include "mtu.h"
#include "peer.h"
#include "transport.h"

/* What every path carries, by the standards of IPv4 and IPv6: those who send
 * less are not told to send even less
 */
#define PATH_MIN_V4		576
#define PATH_MIN_V6		IPV6_MIN_MTU

/* Longest packet inside that needs no look at the path */
#define FITS_ALWAYS		(PATH_MIN_V6 - OVPN_OVERHEAD)

/* How long may a packet inside be, for the path to carry it whole? 0 for any
 * length: a stream cuts it as it likes.
 */
static unsigned int inner_max(struct ovpn_peer *peer)
{
	const struct ovpn_transport *transport = peer->socket->transport;
	unsigned int max;

	if (!transport->payload_max)
		return 0;
	max = transport->payload_max(peer);
	return max > OVPN_HEADER_LEN ? max - OVPN_HEADER_LEN : 0;
}

/* The TCP header of a SYN packet. Its headers must be in the linear part. */
static struct tcphdr *syn_of(struct sk_buff *skb, unsigned int *ip_len)
{
	struct tcphdr *th;
	unsigned int len;

	if (skb->protocol == htons(ETH_P_IP)) {
		if (ip_hdr(skb)->protocol != IPPROTO_TCP ||
		    ip_hdr(skb)->frag_off & htons(IP_OFFSET))
			return NULL;
		len = ip_hdrlen(skb);
	} else {
		if (ipv6_hdr(skb)->nexthdr != IPPROTO_TCP)
			return NULL;
		len = sizeof(struct ipv6hdr);
	}
	if (unlikely(skb_headlen(skb) < len + sizeof(*th)))
		return NULL;
	th = (struct tcphdr *)(skb->data + len);
	if (likely(!th->syn))
		return NULL;
	if (unlikely(th->doff * 4 < sizeof(*th) ||
		     skb_headlen(skb) < len + th->doff * 4))
		return NULL;
	*ip_len = len;
	return th;
}

/* Where the MSS is among the options of a SYN packet; NULL if nowhere */
static u8 *mss_of(struct tcphdr *th)
{
	u8 *option = (u8 *)(th + 1), *end = (u8 *)th + th->doff * 4;

	while (option < end && *option != TCPOPT_EOL) {
		if (*option == TCPOPT_NOP) {
			option++;
			continue;
		}
		if (end - option < 2 || option[1] < 2 ||
		    option[1] > end - option)
			return NULL;
		if (*option == TCPOPT_MSS)
			return option[1] == TCPOLEN_MSS ? option + 2 : NULL;
		option += option[1];
	}
	return NULL;
}

/**
 * ovpn_mss_clamp - lower the MSS of a SYN packet to what fits
 * @skb: any packet, from its IP header on, skb->protocol checked; its headers in
 *	the linear part, which is ours to change
 * @mtu: how long the packets of the connection may be
 *
 * Context: any.
 */
void ovpn_mss_clamp(struct sk_buff *skb, unsigned int mtu)
{
	unsigned int ip_len, headers;
	__be16 before, after;
	struct tcphdr *th;
	u8 *mss;

	th = syn_of(skb, &ip_len);
	if (likely(!th))
		return;
	headers = sizeof(*th) + (skb->protocol == htons(ETH_P_IP) ?
				 sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	mss = mss_of(th);
	if (!mss || mtu <= headers || get_unaligned_be16(mss) <= mtu - headers)
		return;

	before = cpu_to_be16(get_unaligned_be16(mss));
	after = cpu_to_be16(mtu - headers);
	put_unaligned_be16(mtu - headers, mss);
	/* The sum is over pairs of bytes, from the header's first on */
	if ((mss - (u8 *)th) & 1) {
		before = (__force __be16)swab16((__force u16)before);
		after = (__force __be16)swab16((__force u16)after);
	}
	inet_proto_csum_replace2(&th->check, skb, before, after, false);
}

/**
 * ovpn_mtu_clamp_tcp - ovpn_mtu_clamp_mss() for a packet of TCP
 * @peer: where the packet goes, or comes from
 * @skb: the packet
 *
 * Context: BH off, rcu_read_lock held.
 */
void ovpn_mtu_clamp_tcp(struct ovpn_peer *peer, struct sk_buff *skb)
{
	unsigned int ip_len, max;

	if (likely(!syn_of(skb, &ip_len)))
		return;
	max = inner_max(peer);
	if (max)
		ovpn_mss_clamp(skb, max);
}

/* Is there somebody who can be told? Without a route there is no way back either;
 * to many at a time nothing is answered.
 */
static bool may_tell(const struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);

	if (!dst || dst->flags & DST_METADATA || skb->pkt_type != PACKET_HOST)
		return false;
	return skb->protocol == htons(ETH_P_IP) ?
	       !(skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) :
	       !ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
}

/* Say that the path carries no more, as a router would */
static void tell_sender(struct sk_buff *skb, unsigned int max)
{
	skb_dst_update_pmtu_no_confirm(skb, max);
	memset(skb->cb, 0, sizeof(skb->cb));
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED,
			      htonl(max));
	else
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, max);
}

static bool fits(const struct sk_buff *skb, unsigned int mtu)
{
	return skb_is_gso(skb) ? skb_gso_validate_network_len(skb, mtu) :
				 skb->len <= mtu;
}

/**
 * ovpn_mtu_fits - can the path to a peer carry a packet?
 * @peer: where it goes
 * @skb: the packet, large or not, from its IP header on, skb->protocol checked;
 *	stays the caller's
 *
 * Whoever sent one that is too long is told. Where it may be fragmented, or nobody
 * can be told, its datagram is.
 *
 * Context: BH off, rcu_read_lock held.
 * Return: false if it should be dropped.
 */
bool ovpn_mtu_fits(struct ovpn_peer *peer, struct sk_buff *skb)
{
	unsigned int max;

	if (likely(skb->len <= FITS_ALWAYS))
		return true;
	max = inner_max(peer);
	if (likely(!max || fits(skb, max)))
		return true;

	if (skb->protocol == htons(ETH_P_IP)) {
		if (!(ip_hdr(skb)->frag_off & htons(IP_DF)))
			return true;
		max = max_t(unsigned int, max, PATH_MIN_V4);
	} else {
		max = max_t(unsigned int, max, PATH_MIN_V6);
	}
	if (fits(skb, max) || !may_tell(skb))
		return true;
	tell_sender(skb, max);
	return false;
}
