// SPDX-License-Identifier: GPL-2.0-only
/* One pair of transport addresses: parse, compare, hash, take from a packet,
 * route. The only file that tells IPv4 from IPv6 on the transport.
 *
 * IPv4 addresses are kept in mapped form, so that comparing and hashing need
 * not know the difference.
 */

#include <linux/in.h>
#include <linux/inetdevice.h>
#include <linux/rhashtable.h>
#include <linux/udp.h>
#include <net/addrconf.h>
#include <net/dst_cache.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "compat/compat.h"
#include "device.h"
#include "endpoint.h"
#include "peer.h"

/* Longest time between two probes of the path, in seconds */
#define PROBE_WAIT_MAX		64

const struct rhashtable_params ovpn_endpoint_params = {
	.key_len = sizeof(struct ovpn_sockaddr),
	.key_offset = offsetof(struct ovpn_endpoint, remote),
	.head_offset = offsetof(struct ovpn_endpoint, node),
	.automatic_shrinking = true,
};

static bool is_v4(const struct in6_addr *addr)
{
	return ipv6_addr_v4mapped(addr);
}

static __be32 v4_of(const struct in6_addr *addr)
{
	return addr->s6_addr32[3];
}

/* A mapped 0.0.0.0 is as unspecified as :: */
static bool addr_is_any(const struct in6_addr *addr)
{
	return is_v4(addr) ? !v4_of(addr) : ipv6_addr_any(addr);
}

/* IPv4, or IPv6 which may be mapped IPv4 */
static void addr_set(struct in6_addr *addr, const void *ip, size_t len)
{
	__be32 v4;

	if (len == sizeof(*addr)) {
		memcpy(addr, ip, sizeof(*addr));
		return;
	}
	memcpy(&v4, ip, sizeof(v4));
	ipv6_addr_set_v4mapped(v4, addr);
}

/**
 * ovpn_sockaddr_set - put an address together
 * @addr: where it goes
 * @ip: the IP address, no alignment needed
 * @len: its length: 4, or 16 for IPv6, mapped IPv4 included
 * @scope_id: the interface of a link-local address; not looked at for others
 * @port: the port
 *
 * Context: any.
 */
void ovpn_sockaddr_set(struct ovpn_sockaddr *addr, const void *ip, size_t len,
		       u32 scope_id, __be16 port)
{
	memset(addr, 0, sizeof(*addr));
	addr_set(&addr->addr, ip, len);
	addr->port = port;
	if (ipv6_addr_type(&addr->addr) & IPV6_ADDR_LINKLOCAL)
		addr->scope_id = scope_id;
}

/**
 * ovpn_sockaddr_parse - take an address from userspace
 * @addr: where it goes
 * @data: a struct sockaddr_in or sockaddr_in6, no alignment needed
 * @len: its length
 *
 * Context: any.
 * Return: false if it is not exactly one of the two.
 */
bool ovpn_sockaddr_parse(struct ovpn_sockaddr *addr, const void *data,
			 size_t len)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;

	memset(addr, 0, sizeof(*addr));
	if (len > sizeof(u) || len < sizeof(u.sa.sa_family))
		return false;
	memcpy(&u, data, len);

	if (u.sa.sa_family == AF_INET && len == sizeof(u.in)) {
		ovpn_sockaddr_set(addr, &u.in.sin_addr, sizeof(u.in.sin_addr),
				  0, u.in.sin_port);
		return true;
	}

	if (u.sa.sa_family == AF_INET6 && len == sizeof(u.in6)) {
		ovpn_sockaddr_set(addr, &u.in6.sin6_addr,
				  sizeof(u.in6.sin6_addr),
				  u.in6.sin6_scope_id, u.in6.sin6_port);
		return true;
	}

	return false;
}

/**
 * ovpn_sockaddr_fill - give an address to userspace
 * @addr: the address
 * @ss: where it goes, as sockaddr_in or sockaddr_in6
 *
 * Context: any.
 * Return: how many bytes of @ss are used.
 */
size_t ovpn_sockaddr_fill(const struct ovpn_sockaddr *addr,
			  struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (is_v4(&addr->addr)) {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = v4_of(&addr->addr);
		in->sin_port = addr->port;
		return sizeof(*in);
	}

	in6->sin6_family = AF_INET6;
	in6->sin6_addr = addr->addr;
	in6->sin6_port = addr->port;
	in6->sin6_scope_id = addr->scope_id;
	return sizeof(*in6);
}

/**
 * ovpn_local_parse - take the local address from userspace
 * @local: where it goes, IPv4 mapped; all zero for "any"
 * @data: 4 or 16 bytes
 * @len: 4 or 16
 * @remote: the other end, whose address family it must have
 *
 * Context: any.
 * Return: false if the length or the family is wrong.
 */
bool ovpn_local_parse(struct in6_addr *local, const void *data, size_t len,
		      const struct ovpn_sockaddr *remote)
{
	if (len != sizeof(__be32) && len != sizeof(*local))
		return false;
	addr_set(local, data, len);

	/* OpenVPN says 0.0.0.0 or :: when it has no opinion */
	if (addr_is_any(local)) {
		*local = in6addr_any;
		return len == sizeof(*local) || is_v4(&remote->addr);
	}
	return is_v4(local) == is_v4(&remote->addr);
}

/**
 * ovpn_addr_bytes - an address as userspace wants it
 * @addr: the address, IPv4 mapped
 * @len: set to 4 or 16, or to 0 if there is none
 *
 * Context: any.
 * Return: the first of *@len bytes.
 */
const void *ovpn_addr_bytes(const struct in6_addr *addr, size_t *len)
{
	if (addr_is_any(addr)) {
		*len = 0;
		return addr;
	}
	if (is_v4(addr)) {
		*len = sizeof(addr->s6_addr32[3]);
		return &addr->s6_addr32[3];
	}
	*len = sizeof(*addr);
	return addr;
}

/**
 * ovpn_endpoint_alloc - make an endpoint
 * @peer: whose it will be
 * @remote: the peer's address
 * @local: ours, or in6addr_any
 * @gfp: how to allocate
 *
 * Context: any that @gfp allows.
 * Return: the endpoint, in no table yet, or NULL without memory.
 */
struct ovpn_endpoint *ovpn_endpoint_alloc(struct ovpn_peer *peer,
					  const struct ovpn_sockaddr *remote,
					  const struct in6_addr *local,
					  gfp_t gfp)
{
	struct ovpn_endpoint *ep;

	ep = kzalloc(sizeof(*ep), gfp);
	if (!ep)
		return NULL;
	if (dst_cache_init(&ep->cache, gfp)) {
		kfree(ep);
		return NULL;
	}
	ep->peer = peer;
	ep->remote = *remote;
	ep->local = *local;
	ep->probe_next = ovpn_now();
	ep->probe_wait = 1;
	return ep;
}

/**
 * ovpn_endpoint_free - free an endpoint that nobody can see any more
 * @ep: the endpoint, in no table; or NULL
 *
 * Context: any.
 */
void ovpn_endpoint_free(struct ovpn_endpoint *ep)
{
	if (!ep)
		return;
	dst_cache_destroy(&ep->cache);
	kfree(ep);
}

static void endpoint_rcu_free(struct rcu_head *rcu)
{
	ovpn_endpoint_free(container_of(rcu, struct ovpn_endpoint, rcu));
}

/**
 * ovpn_endpoint_free_rcu - free an endpoint after a grace period
 * @ep: the endpoint, in no table any more
 *
 * Context: any.
 */
void ovpn_endpoint_free_rcu(struct ovpn_endpoint *ep)
{
	call_rcu(&ep->rcu, endpoint_rcu_free);
}

/**
 * ovpn_endpoint_source - where a received datagram came from
 * @addr: where the address goes
 * @skb: the datagram; its network and transport headers are the outer ones,
 *	and in the linear part
 *
 * Context: any.
 */
void ovpn_endpoint_source(struct ovpn_sockaddr *addr,
			  const struct sk_buff *skb)
{
	addr->scope_id = 0;
	addr->port = udp_hdr(skb)->source;
	addr->zero = 0;
	if (ip_hdr(skb)->version == 4) {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &addr->addr);
		return;
	}

	addr->addr = ipv6_hdr(skb)->saddr;
	if (ipv6_addr_type(&addr->addr) & IPV6_ADDR_LINKLOCAL)
		addr->scope_id = inet6_iif(skb);
}

/* Is this an address of the host, in the VRF of the device @oif if that is in one
 * (or is one)?
 */
static bool is_ours_v6(struct net *net, const struct in6_addr *addr, int oif)
{
	struct net_device *dev = oif ? dev_get_by_index_rcu(net, oif) : NULL;

	return ipv6_chk_addr_and_flags(net, addr, dev, true, 0,
				       IFA_F_TENTATIVE);
}

/* Is this an address that we can send from? IPv4's of local routes are, too. */
static bool is_ours(struct net *net, const struct in6_addr *addr, int oif)
{
	if (is_v4(addr))
		return __ip_dev_find(net, v4_of(addr), false);
	return IS_ENABLED(CONFIG_IPV6) && is_ours_v6(net, addr, oif);
}

/* The usual case: the addresses and the port are those that are known, and IPv4 */
static bool same_v4(const struct ovpn_endpoint *ep, const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);

	return iph->version == 4 && is_v4(&ep->remote.addr) &&
	       iph->saddr == v4_of(&ep->remote.addr) &&
	       udp_hdr(skb)->source == ep->remote.port &&
	       iph->daddr == v4_of(&ep->local) && is_v4(&ep->local);
}

/**
 * ovpn_endpoint_follow - has the peer moved, or does it use another address of
 * ours?
 * @ep: what was known
 * @net: the network namespace of the socket
 * @oif: the device that the socket is bound to, or 0
 * @skb: an authenticated datagram of the peer, with its outer headers
 * @remote: set to its source
 * @local: set to its destination if that is an address to send from, else to
 *	what was known
 *
 * Context: softirq or BH off, rcu_read_lock held.
 * Return: true if @ep should be replaced by one with @remote and @local.
 */
bool ovpn_endpoint_follow(const struct ovpn_endpoint *ep, struct net *net,
			  int oif, const struct sk_buff *skb,
			  struct ovpn_sockaddr *remote,
			  struct in6_addr *local)
{
	bool moved;

	if (likely(same_v4(ep, skb)))
		return false;
	ovpn_endpoint_source(remote, skb);
	moved = memcmp(remote, &ep->remote, sizeof(*remote));

	if (ip_hdr(skb)->version == 4)
		ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, local);
	else
		*local = ipv6_hdr(skb)->daddr;

	if (likely(!moved && ipv6_addr_equal(local, &ep->local)))
		return false;
	if (!is_ours(net, local, oif)) {
		*local = is_v4(&ep->local) == is_v4(&remote->addr) ?
			 ep->local : in6addr_any;
		return moved;
	}
	return true;
}

/**
 * ovpn_endpoint_fits_socket - can this socket reach that address?
 * @remote: the address
 * @sk: the socket
 *
 * Context: any.
 * Return: false for IPv6 through an IPv4 socket, or IPv4 through a socket that
 * is for IPv6 only.
 */
bool ovpn_endpoint_fits_socket(const struct ovpn_sockaddr *remote,
			       const struct sock *sk)
{
	if (sk->sk_family == AF_INET)
		return is_v4(&remote->addr);
	return !is_v4(&remote->addr) || !ipv6_only_sock(sk);
}

/* Not a route that leads back into the tunnel, which would hold its device. Nor
 * one with another source address than the one wanted: nothing tells when that
 * comes back, so look for it with each packet.
 */
static bool may_cache(const struct ovpn_endpoint *ep,
		      const struct dst_entry *dst, bool as_wanted)
{
	return as_wanted && dst->dev != ep->peer->ovpn->dev;
}

/* What the route carries, less the headers of IP and UDP */
static unsigned int payload_max(const struct ovpn_endpoint *ep,
				const struct dst_entry *dst)
{
	return dst_mtu(dst) - sizeof(struct udphdr) -
	       (is_v4(&ep->remote.addr) ? sizeof(struct iphdr) :
					  sizeof(struct ipv6hdr));
}

static struct rtable *route_v4(struct ovpn_endpoint *ep, struct sock *sk,
			       __be32 *saddr)
{
	struct net *net = sock_net(sk);
	struct flowi4 fl = {
		.daddr = v4_of(&ep->remote.addr),
		.fl4_dport = ep->remote.port,
		.fl4_sport = inet_sk(sk)->inet_sport,
		.flowi4_proto = IPPROTO_UDP,
		.flowi4_mark = ep->mark,
		.flowi4_oif = ep->oif,
		.flowi4_uid = sock_net_uid(net, sk),
	};
	struct rtable *rt;
	__be32 wanted;

	rt = dst_cache_get_ip4(&ep->cache, saddr);
	if (likely(rt))
		return rt;

	wanted = is_v4(&ep->local) ? v4_of(&ep->local) : 0;
	if (!wanted)
		wanted = inet_sk(sk)->inet_saddr;
	fl.saddr = wanted;
	rt = ip_route_output_flow(net, &fl, sk);
	/* An address that moved away (VRRP) must not stop the traffic */
	if (IS_ERR(rt) && fl.saddr) {
		fl.saddr = 0;
		rt = ip_route_output_flow(net, &fl, sk);
	}
	if (IS_ERR(rt))
		return rt;

	*saddr = fl.saddr;
	if (may_cache(ep, &rt->dst, !wanted || fl.saddr == wanted))
		dst_cache_set_ip4(&ep->cache, &rt->dst, fl.saddr);
	return rt;
}

/* Routers say what the path carries when a packet must not be fragmented. That
 * is asked for now and then only: where routers keep silent, or are not
 * listened to, such a packet is lost.
 */
static bool probe_due(const struct ovpn_endpoint *ep, unsigned int size)
{
	return size > IPV6_MIN_MTU && is_v4(&ep->remote.addr) &&
	       READ_ONCE(ep->peer->ovpn->path_mtu) &&
	       (s32)(ovpn_now() - READ_ONCE(ep->probe_next)) >= 0;
}

/* Whoever is second at the same time sends one more, which does no harm */
static void probe_sent(struct ovpn_endpoint *ep)
{
	u32 wait = READ_ONCE(ep->probe_wait);

	WRITE_ONCE(ep->probe_next, ovpn_now() + wait);
	WRITE_ONCE(ep->probe_wait, min_t(u32, 2 * wait, PROBE_WAIT_MAX));
}

static __be16 probe(struct ovpn_endpoint *ep, const struct sk_buff *skb,
		    const struct dst_entry *dst)
{
	if (likely(!probe_due(ep, skb->len)) || skb_is_gso(skb) ||
	    skb->len > payload_max(ep, dst))
		return 0;
	probe_sent(ep);
	return htons(IP_DF);
}

/* The checksum of a train is filled in where it is cut */
static void prepare_gso(struct sk_buff *skb)
{
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) - sizeof(struct udphdr);
	skb->csum_offset = offsetof(struct udphdr, check);
}

static enum ovpn_endpoint_error xmit_v4(struct ovpn_endpoint *ep,
					struct sock *sk, struct sk_buff *skb,
					u8 tos)
{
	struct rtable *rt;
	__be32 saddr;

	rt = route_v4(ep, sk, &saddr);
	if (IS_ERR(rt))
		return OVPN_ENDPOINT_NO_ROUTE;
	if (unlikely(rt->dst.dev == ep->peer->ovpn->dev)) {
		ip_rt_put(rt);
		return OVPN_ENDPOINT_LOOP;
	}

	compat_udp_tunnel_xmit_skb(rt, sk, skb, saddr, v4_of(&ep->remote.addr),
				   tos, ip4_dst_hoplimit(&rt->dst),
				   probe(ep, skb, &rt->dst),
				   inet_sk(sk)->inet_sport, ep->remote.port,
				   false, sk->sk_no_check_tx, 0);
	return OVPN_ENDPOINT_OK;
}

#if IS_ENABLED(CONFIG_IPV6)
static struct dst_entry *route_v6(struct ovpn_endpoint *ep, struct sock *sk,
				  struct in6_addr *saddr)
{
	struct net *net = sock_net(sk);
	struct flowi6 fl = {
		.daddr = ep->remote.addr,
		.fl6_dport = ep->remote.port,
		.fl6_sport = inet_sk(sk)->inet_sport,
		.flowi6_proto = IPPROTO_UDP,
		.flowi6_mark = ep->mark,
		.flowi6_oif = ep->remote.scope_id ?: ep->oif,
		.flowi6_uid = sock_net_uid(net, sk),
	};
	struct in6_addr wanted;
	struct dst_entry *dst;
	bool as_wanted;

	dst = dst_cache_get_ip6(&ep->cache, saddr);
	if (likely(dst))
		return dst;

	wanted = ep->local;
	if (ipv6_addr_any(&wanted))
		wanted = inet6_sk(sk)->saddr;
	fl.saddr = wanted;
	if (!ipv6_addr_any(&fl.saddr) &&
	    !is_ours_v6(net, &fl.saddr, fl.flowi6_oif))
		fl.saddr = in6addr_any;

	dst = compat_ip6_dst_lookup_flow(net, sk, &fl, NULL);
	if (IS_ERR(dst) && !ipv6_addr_any(&fl.saddr)) {
		fl.saddr = in6addr_any;
		dst = compat_ip6_dst_lookup_flow(net, sk, &fl, NULL);
	}
	if (IS_ERR(dst))
		return dst;

	*saddr = fl.saddr;
	as_wanted = ipv6_addr_any(&wanted) ||
		    ipv6_addr_equal(&fl.saddr, &wanted);
	if (may_cache(ep, dst, as_wanted))
		dst_cache_set_ip6(&ep->cache, dst, &fl.saddr);
	return dst;
}

static enum ovpn_endpoint_error xmit_v6(struct ovpn_endpoint *ep,
					struct sock *sk, struct sk_buff *skb,
					u8 tos)
{
	struct in6_addr saddr;
	struct dst_entry *dst;

	/* Userspace may turn its socket into one for IPv4 (IPV6_ADDRFORM) */
	if (unlikely(READ_ONCE(sk->sk_family) != AF_INET6))
		return OVPN_ENDPOINT_NO_ROUTE;
	dst = route_v6(ep, sk, &saddr);
	if (IS_ERR(dst))
		return OVPN_ENDPOINT_NO_ROUTE;
	if (unlikely(dst->dev == ep->peer->ovpn->dev)) {
		dst_release(dst);
		return OVPN_ENDPOINT_LOOP;
	}

	/* What it still has of the inner packet, its route above all: IPv4's
	 * function does that itself
	 */
	skb_scrub_packet(skb, false);
	/* IPv6 may fragment here too; without this nobody would be told */
	skb->ignore_df = 1;
	compat_udp_tunnel6_xmit_skb(dst, sk, skb, skb->dev, &saddr,
				    &ep->remote.addr, tos,
				    ip6_dst_hoplimit(dst),
				    0, inet_sk(sk)->inet_sport,
				    ep->remote.port, udp_get_no_check6_tx(sk),
				    0);
	return OVPN_ENDPOINT_OK;
}
#else
static struct dst_entry *route_v6(struct ovpn_endpoint *ep, struct sock *sk,
				  struct in6_addr *saddr)
{
	return ERR_PTR(-EAFNOSUPPORT);
}

static enum ovpn_endpoint_error xmit_v6(struct ovpn_endpoint *ep,
					struct sock *sk, struct sk_buff *skb,
					u8 tos)
{
	return OVPN_ENDPOINT_NO_ROUTE;
}
#endif

/* The routes were looked up for this mark and device of the socket */
static void refresh(struct ovpn_endpoint *ep, const struct sock *sk)
{
	u32 mark = READ_ONCE(sk->sk_mark);
	int oif = READ_ONCE(sk->sk_bound_dev_if);

	if (unlikely(READ_ONCE(ep->mark) != mark ||
		     READ_ONCE(ep->oif) != oif)) {
		WRITE_ONCE(ep->mark, mark);
		WRITE_ONCE(ep->oif, oif);
		dst_cache_reset(&ep->cache);
	}
}

/* Any route to the peer, with a reference; NULL if there is none, or only one that
 * leads into the tunnel: what that carries is the tunnel's affair
 */
static struct dst_entry *route(struct ovpn_endpoint *ep, struct sock *sk)
{
	struct in6_addr saddr6;
	struct dst_entry *dst;
	struct rtable *rt;
	__be32 saddr4;

	refresh(ep, sk);
	if (is_v4(&ep->remote.addr)) {
		rt = route_v4(ep, sk, &saddr4);
		dst = IS_ERR(rt) ? NULL : &rt->dst;
	} else if (unlikely(READ_ONCE(sk->sk_family) != AF_INET6)) {
		dst = NULL;
	} else {
		dst = route_v6(ep, sk, &saddr6);
		if (IS_ERR(dst))
			dst = NULL;
	}
	if (unlikely(dst && dst->dev == ep->peer->ovpn->dev)) {
		dst_release(dst);
		dst = NULL;
	}
	return dst;
}

/**
 * ovpn_endpoint_payload_max - how large may a datagram be?
 * @ep: where to
 * @sk: the UDP socket to send as
 *
 * Context: BH off, rcu_read_lock held.
 * Return: bytes of payload that reach the peer without being fragmented, as far
 * as is known; 0 if there is no route.
 */
unsigned int ovpn_endpoint_payload_max(struct ovpn_endpoint *ep,
				       struct sock *sk)
{
	struct dst_entry *dst = route(ep, sk);
	unsigned int max;

	if (unlikely(!dst))
		return 0;
	max = payload_max(ep, dst);
	dst_release(dst);
	return max;
}

/**
 * ovpn_endpoint_may_train - may many datagrams be sent as one?
 * @ep: where to
 * @sk: the UDP socket to send as
 * @size: bytes of payload of each
 *
 * Not if they are fragmented, have no checksum, or are encrypted once more on
 * their way (IPsec).
 *
 * Context: BH off, rcu_read_lock held.
 * Return: true if they may.
 */
bool ovpn_endpoint_may_train(struct ovpn_endpoint *ep, struct sock *sk,
			     unsigned int size)
{
	struct dst_entry *dst;
	bool may;

	if (unlikely(is_v4(&ep->remote.addr) ? sk->sk_no_check_tx :
					       udp_get_no_check6_tx(sk)))
		return false;
	dst = route(ep, sk);
	if (unlikely(!dst))
		return false;
	may = !dst_xfrm(dst) && size <= payload_max(ep, dst) &&
	      !probe_due(ep, size);
	dst_release(dst);
	return may;
}

/**
 * ovpn_endpoint_xmit - send one datagram to a peer
 * @ep: where to
 * @sk: the UDP socket to send as: its port, mark and device
 * @skb: the payload, with headroom for the headers, and skb->dev the device
 *	to count it, or NULL. Consumed if the answer is OVPN_ENDPOINT_OK, which
 *	does not mean that it arrives; otherwise it stays the caller's.
 * @tos: traffic class of the outer packet, with its ECN bits
 *
 * Context: BH off, rcu_read_lock held.
 * Return: see enum ovpn_endpoint_error.
 */
enum ovpn_endpoint_error ovpn_endpoint_xmit(struct ovpn_endpoint *ep,
					    struct sock *sk,
					    struct sk_buff *skb, u8 tos)
{
	refresh(ep, sk);
	skb->mark = READ_ONCE(ep->mark);
	if (skb_is_gso(skb))
		prepare_gso(skb);
	return is_v4(&ep->remote.addr) ? xmit_v4(ep, sk, skb, tos) :
					 xmit_v6(ep, sk, skb, tos);
}
