// SPDX-License-Identifier: GPL-2.0-only
/* Large packets, and runs of small ones: cut into, or copied to, a buffer that
 * leaves as one large datagram.
 *
 * The parts are copied once, with their headers built and their checksums
 * filled in, to where they are sealed: into pages, one behind the other, each
 * with room for our header in front. Such a train of packets passes the network
 * stack as one UDP GSO packet.
 */

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/local_lock.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tso.h>

#include "compat/compat.h"
#include "device.h"
#include "gso.h"

/* What one datagram takes, less the headers of UDP and IPv6 */
#define TRAIN_BYTES_MAX		(IP_MAX_MTU - 40 - 8)

/* What the kernel gives at once, in bytes, and enough of that for two trains */
#define TRAIN_PAGES_SIZE	(PAGE_SIZE << SKB_FRAG_PAGE_ORDER)
#define TRAIN_PAGES		4

/**
 * struct train_pages - where the next packets of a CPU go
 * @lock: guards the rest where BH off does not keep others from this CPU
 * @filling: which of @pages is being filled
 * @pages: several, each with a reference for us: the trains in the first are often
 *	through when the last is full. It is filled again then, which saves the
 *	allocator's work, and most kernels clear what they allocate. They are kept
 *	until the module goes: 128 kB for each CPU that ever sent so much.
 */
struct train_pages {
	local_lock_t lock; /* see above */
	unsigned int filling;
	struct page_frag pages[TRAIN_PAGES];
};

static DEFINE_PER_CPU(struct train_pages, train_pages) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/**
 * ovpn_gso_exit - free the pages that were kept for the next packets
 *
 * Context: process; no packet may be under way any more.
 */
void ovpn_gso_exit(void)
{
	struct page_frag *pages;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		pages = per_cpu_ptr(&train_pages, cpu)->pages;
		for (i = 0; i < TRAIN_PAGES; i++) {
			if (pages[i].page)
				put_page(pages[i].page);
			pages[i].page = NULL;
		}
	}
}

static unsigned int headers_len(const struct sk_buff *skb)
{
	return skb_transport_offset(skb) +
	       (skb_is_gso_tcp(skb) ? tcp_hdrlen(skb) : sizeof(struct udphdr));
}

/**
 * ovpn_gso_sealed_size - how large will the packets be that are cut?
 * @skb: a GSO packet, from its IP header on, of TCP or UDP
 *
 * Context: any.
 * Return: bytes on the transport of each, but for the last.
 */
unsigned int ovpn_gso_sealed_size(const struct sk_buff *skb)
{
	return OVPN_HEADER_LEN + headers_len(skb) + skb_shinfo(skb)->gso_size;
}

/**
 * ovpn_gso_may_cut - can this packet become a train?
 * @skb: a GSO packet, from its IP header on
 *
 * Not what needs more than new sizes, sequence numbers and checksums: tunnels,
 * IPv6 extension headers, congestion marks, senders who want to know when it leaves.
 * Nor what somebody else has put together without being sure. Those are rare, and cut
 * by the network stack.
 *
 * Context: any.
 * Return: true if struct ovpn_cutter takes it.
 */
bool ovpn_gso_may_cut(const struct sk_buff *skb)
{
	unsigned int hdr_len, transport, network;

	switch (skb_shinfo(skb)->gso_type) {
	case SKB_GSO_TCPV4:
	case SKB_GSO_TCPV6:
		transport = sizeof(struct tcphdr);
		break;
	case SKB_GSO_UDP_L4:
		transport = sizeof(struct udphdr);
		break;
	default:
		return false;
	}
	network = skb->protocol == htons(ETH_P_IP) ? ip_hdrlen(skb) :
						     sizeof(struct ipv6hdr);
	if (skb->encapsulation || skb->ip_summed != CHECKSUM_PARTIAL ||
	    (skb_shinfo(skb)->tx_flags & SKBTX_ANY_TSTAMP) ||
	    !skb_transport_header_was_set(skb) ||
	    skb_transport_offset(skb) != network ||
	    skb_headlen(skb) < network + transport)
		return false;

	hdr_len = headers_len(skb);
	return skb_headlen(skb) >= hdr_len && hdr_len <= TSO_HEADER_SIZE &&
	       DIV_ROUND_UP(skb->len - hdr_len, skb_shinfo(skb)->gso_size) ==
	       skb_shinfo(skb)->gso_segs &&
	       ovpn_gso_sealed_size(skb) <= PAGE_SIZE;
}

/**
 * ovpn_cutter_init - begin to cut
 * @cutter: what to fill in
 * @skb: a packet that ovpn_gso_may_cut()
 *
 * Context: any.
 */
void ovpn_cutter_init(struct ovpn_cutter *cutter, struct sk_buff *skb)
{
	cutter->skb = skb;
	cutter->hdr_len = tso_start(skb, &cutter->tso);
	cutter->offset = cutter->hdr_len;
}

/**
 * ovpn_train_alloc - begin a train
 * @ovpn: the device
 * @like: a packet that will be in it, or is cut into it
 *
 * Context: any.
 * Return: an empty buffer with headroom for a transport's headers, or NULL.
 */
struct sk_buff *ovpn_train_alloc(struct ovpn_dev *ovpn,
				 const struct sk_buff *like)
{
	struct sk_buff *train;

	train = alloc_skb(ovpn->dev->needed_headroom, GFP_ATOMIC);
	if (unlikely(!train))
		return NULL;
	skb_reserve(train, ovpn->dev->needed_headroom);
	train->dev = ovpn->dev;
	train->priority = like->priority;
	/* Qdiscs and cards tell flows by these: what goes alone is not to overtake it */
	skb_copy_hash(train, like);
	skb_copy_queue_mapping(train, like);
	/* The device counts from here on what is inside */
	skb_set_inner_network_header(train, OVPN_HEADER_LEN);
	return train;
}

/* What to fill when the last is full */
static struct page_frag *next_pages(struct train_pages *all)
{
	struct page_frag *pages;

	all->filling = (all->filling + 1) % TRAIN_PAGES;
	pages = &all->pages[all->filling];
	/* Memory was short when that was allocated, and need not be now */
	if (unlikely(pages->page && (pages->size < TRAIN_PAGES_SIZE ||
				     page_is_pfmemalloc(pages->page)))) {
		put_page(pages->page);
		pages->page = NULL;
	}
	return pages;
}

/* Room for one packet, with our lock held */
static void *pages_put(struct sk_buff *train, struct train_pages *all,
		       unsigned int size)
{
	struct page_frag *pages = &all->pages[all->filling];
	int last = skb_shinfo(train)->nr_frags;
	void *room;

	if (unlikely(pages->offset + size > pages->size))
		pages = next_pages(all);
	if (unlikely(!skb_page_frag_refill(size, pages, GFP_ATOMIC) ||
		     pages->offset + size > pages->size)) {
		/* The others may be of use next time */
		pages->size = 0;
		return NULL;
	}
	room = page_address(pages->page) + pages->offset;

	if (skb_can_coalesce(train, last, pages->page, pages->offset)) {
		skb_frag_size_add(&skb_shinfo(train)->frags[last - 1], size);
	} else {
		if (unlikely(last == MAX_SKB_FRAGS))
			return NULL;
		get_page(pages->page);
		skb_fill_page_desc(train, last, pages->page, pages->offset,
				   size);
	}
	pages->offset += size;
	return room;
}

/* Room for one packet at the end of a train */
static void *train_put(struct sk_buff *train, unsigned int size)
{
	void *room;

	compat_local_lock_nested_bh(&train_pages.lock);
	room = pages_put(train, this_cpu_ptr(&train_pages), size);
	compat_local_unlock_nested_bh(&train_pages.lock);
	if (unlikely(!room))
		return NULL;

	train->len += size;
	train->data_len += size;
	train->truesize += size;
	return room;
}

/* Room for the next packet of a train, with so many bytes and our header; NULL if
 * it does not fit
 */
static struct ovpn_header *train_extend(struct sk_buff *train, unsigned int len)
{
	struct skb_shared_info *shinfo = skb_shinfo(train);
	unsigned int before = train->len;
	struct ovpn_header *hdr;

	if (shinfo->gso_segs == UDP_MAX_SEGMENTS ||
	    before + OVPN_HEADER_LEN + len > TRAIN_BYTES_MAX)
		return NULL;
	hdr = train_put(train, OVPN_HEADER_LEN + len);
	if (unlikely(!hdr))
		return NULL;

	/* The second one makes it a GSO packet */
	if (shinfo->gso_segs++ == 1) {
		shinfo->gso_size = before;
		shinfo->gso_type = SKB_GSO_UDP_L4;
	}
	return hdr;
}

/**
 * ovpn_train_add - copy a packet to the end of a train
 * @train: where to
 * @skb: the packet, as long as those before it or shorter, and the last if it is;
 *	linear, with its checksum filled in. It stays as it is, and the caller's.
 *
 * Context: BH off.
 * Return: where its OpenVPN header belongs, right in front of it; or NULL if it
 * does not fit.
 */
struct ovpn_header *ovpn_train_add(struct sk_buff *train,
				   const struct sk_buff *skb)
{
	struct ovpn_header *hdr = train_extend(train, skb->len);

	if (likely(hdr))
		memcpy(hdr + 1, skb->data, skb->len);
	return hdr;
}

/* Copy headers, with the lengths, numbers and flags of this packet */
static void put_headers(struct ovpn_cutter *cutter, void *to,
			unsigned int size, __wsum payload)
{
	const struct sk_buff *skb = cutter->skb;
	unsigned int offset = skb_transport_offset(skb);
	unsigned int len = cutter->hdr_len - offset + size;
	u8 hdr[TSO_HEADER_SIZE] __aligned(8);
	struct iphdr *ip = (struct iphdr *)hdr;
	struct ipv6hdr *ip6 = (struct ipv6hdr *)hdr;
	bool tcp = skb_is_gso_tcp(skb);
	__sum16 *check, sum;

	tso_build_hdr(skb, hdr, &cutter->tso, size,
		      cutter->offset + size == skb->len);
	check = tcp ? &((struct tcphdr *)(hdr + offset))->check :
		      &((struct udphdr *)(hdr + offset))->check;
	*check = 0;
	payload = csum_partial(hdr + offset, cutter->hdr_len - offset, payload);
	if (cutter->tso.ipv6) {
		sum = csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len,
				      tcp ? IPPROTO_TCP : IPPROTO_UDP, payload);
	} else {
		ip_send_check(ip);
		sum = csum_tcpudp_magic(ip->saddr, ip->daddr, len,
					tcp ? IPPROTO_TCP : IPPROTO_UDP,
					payload);
	}
	*check = tcp ? sum : sum ?: CSUM_MANGLED_0;
	memcpy(to, hdr, cutter->hdr_len);
}

/**
 * ovpn_cutter_next - cut the next packet
 * @cutter: what of
 * @train: where it goes, behind those that are there
 * @len: set to its length
 *
 * Context: BH off.
 * Return: where its OpenVPN header belongs, right in front of it; or NULL if
 * all is cut, or no further packet fits into @train.
 */
struct ovpn_header *ovpn_cutter_next(struct ovpn_cutter *cutter,
				     struct sk_buff *train, unsigned int *len)
{
	struct ovpn_header *hdr;
	unsigned int size;
	__wsum csum;

	size = min_t(unsigned int, skb_shinfo(cutter->skb)->gso_size,
		     cutter->skb->len - cutter->offset);
	*len = cutter->hdr_len + size;
	if (!size)
		return NULL;
	hdr = train_extend(train, *len);
	if (unlikely(!hdr))
		return NULL;

	csum = skb_copy_and_csum_bits(cutter->skb, cutter->offset,
				      (u8 *)(hdr + 1) + cutter->hdr_len, size);
	put_headers(cutter, hdr + 1, size, csum);
	cutter->offset += size;
	cutter->tso.tcp_seq += size;
	return hdr;
}

/* Of TCP's own, which another socket may become meanwhile */
static bool is_tcp(const struct sock *sk)
{
	unsigned short family = READ_ONCE(sk->sk_family);

	return sk_fullsock(sk) && sk->sk_type == SOCK_STREAM &&
	       sk->sk_protocol == IPPROTO_TCP &&
	       (family == AF_INET || family == AF_INET6);
}

/* Is it good enough for the destructor to see a buffer of this socket and this size?
 * TCP's and the usual ones look for no more; others have their notes in the buffer.
 */
static bool may_own(const struct sk_buff *skb)
{
	return skb->destructor && skb->sk &&
	       (skb->destructor == sock_wfree ||
		skb->destructor == sock_efree || is_tcp(skb->sk));
}

/* Does it give back as many bytes as the buffer takes? The others of TCP's give back
 * one reference for each buffer.
 */
static bool gives_bytes(const struct sk_buff *skb)
{
	return skb->destructor == sock_wfree ||
	       (is_tcp(skb->sk) && skb->destructor != sock_efree &&
		skb->destructor != sock_edemux &&
		skb->destructor != sock_pfree);
}

/**
 * ovpn_train_own - charge a train to the socket that sent what is in it
 * @train: a train that is complete
 * @skb: a packet that was cut or copied, which will be freed
 * @all: no more of that packet will be in other trains
 *
 * TCP sends no more than the device can take, and has to know when it left. Others
 * wait as well, when they have sent as much as their socket may. And some qdiscs tell
 * flows by their sockets, which all trains of a packet have, or the last would be
 * overtaken by the next packet's first.
 *
 * The socket is given back what it was charged, whatever the trains take, when the
 * last of them is gone. What another socket sent is not charged: a buffer has one
 * owner. Nor is what packet sockets and the like sent.
 *
 * Context: any.
 */
void ovpn_train_own(struct sk_buff *train, struct sk_buff *skb, bool all)
{
	if (!may_own(skb))
		return;
	if (!all || skb_is_tcp_pure_ack(skb)) {
		/* A reference of its own: the charge cannot be split, if it is one,
		 * and that of a pure ACK is no size for a buffer. A socket that
		 * nobody else has any more need not be told.
		 */
		if (!train->destructor &&
		    likely(refcount_inc_not_zero(&skb->sk->sk_refcnt))) {
			train->sk = skb->sk;
			train->destructor = sock_efree;
		}
	} else if (!train->destructor) {
		if (gives_bytes(skb))
			train->truesize = skb->truesize;
		swap(train->sk, skb->sk);
		swap(train->destructor, skb->destructor);
	} else if (skb->sk == train->sk &&
		   skb->destructor == train->destructor && gives_bytes(skb)) {
		train->truesize += skb->truesize;
		skb->sk = NULL;
		skb->destructor = NULL;
	}
}
