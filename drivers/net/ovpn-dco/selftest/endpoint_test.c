// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: transport addresses. */

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rhashtable.h>
#include <linux/udp.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "../endpoint.h"
#include "fixture.h"

#define GARBAGE			0xa5

static struct sockaddr_in addr_v4(u32 addr, u16 port)
{
	struct sockaddr_in in;

	/* Userspace need not clear sin_zero */
	memset(&in, GARBAGE, sizeof(in));
	in.sin_family = AF_INET;
	in.sin_addr.s_addr = htonl(addr);
	in.sin_port = htons(port);
	return in;
}

static struct sockaddr_in6 addr_v6(u32 first, u32 last, u16 port, u32 scope)
{
	struct sockaddr_in6 in6;

	memset(&in6, GARBAGE, sizeof(in6));
	in6.sin6_family = AF_INET6;
	ipv6_addr_set(&in6.sin6_addr, htonl(first), 0, 0, htonl(last));
	in6.sin6_port = htons(port);
	in6.sin6_scope_id = scope;
	return in6;
}

static bool parse(struct ovpn_sockaddr *addr, const void *sa, size_t len)
{
	u8 data[1 + sizeof(struct sockaddr_storage) + 1];

	/* In netlink messages nothing is where the compiler would put it */
	memset(data, GARBAGE, sizeof(data));
	memcpy(data + 1, sa, len);
	memset(addr, GARBAGE, sizeof(*addr));
	return ovpn_sockaddr_parse(addr, data + 1, len);
}

static void endpoint_parse_v4(struct kunit *test)
{
	struct sockaddr_in in = addr_v4(0xc0000201, 1194);
	struct sockaddr_storage ss;
	struct sockaddr_in *out = (struct sockaddr_in *)&ss;
	struct ovpn_sockaddr addr;

	KUNIT_EXPECT_TRUE(test, parse(&addr, &in, sizeof(in)));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_v4mapped(&addr.addr));
	KUNIT_EXPECT_EQ(test, ntohl(addr.addr.s6_addr32[3]), 0xc0000201);
	KUNIT_EXPECT_EQ(test, ntohs(addr.port), 1194);
	KUNIT_EXPECT_EQ(test, addr.scope_id, 0);
	KUNIT_EXPECT_EQ(test, ntohs(addr.zero), 0);

	memset(&ss, GARBAGE, sizeof(ss));
	KUNIT_EXPECT_EQ(test, ovpn_sockaddr_fill(&addr, &ss), sizeof(in));
	memset(in.sin_zero, 0, sizeof(in.sin_zero));
	KUNIT_EXPECT_EQ(test, 0, memcmp(out, &in, sizeof(in)));
}

static void endpoint_parse_v6(struct kunit *test)
{
	struct sockaddr_in6 in6 = addr_v6(0x20010db8, 1, 443, 7);
	struct sockaddr_storage ss;
	struct sockaddr_in6 *out = (struct sockaddr_in6 *)&ss;
	struct ovpn_sockaddr addr;

	/* The scope of a global address says nothing */
	KUNIT_EXPECT_TRUE(test, parse(&addr, &in6, sizeof(in6)));
	KUNIT_EXPECT_EQ(test, addr.scope_id, 0);
	KUNIT_EXPECT_EQ(test, ovpn_sockaddr_fill(&addr, &ss), sizeof(in6));
	KUNIT_EXPECT_EQ(test, out->sin6_family, AF_INET6);
	KUNIT_EXPECT_EQ(test, ntohs(out->sin6_port), 443);
	KUNIT_EXPECT_EQ(test, ntohl(out->sin6_flowinfo), 0);
	KUNIT_EXPECT_EQ(test, out->sin6_scope_id, 0);
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&out->sin6_addr,
						&in6.sin6_addr));

	in6 = addr_v6(0xfe800000, 1, 443, 7);
	KUNIT_EXPECT_TRUE(test, parse(&addr, &in6, sizeof(in6)));
	KUNIT_EXPECT_EQ(test, addr.scope_id, 7);
	KUNIT_EXPECT_EQ(test, ovpn_sockaddr_fill(&addr, &ss), sizeof(in6));
	KUNIT_EXPECT_EQ(test, out->sin6_scope_id, 7);
}

static void endpoint_parse_refused(struct kunit *test)
{
	struct sockaddr_in in = addr_v4(0xc0000201, 1194);
	struct sockaddr_in6 in6 = addr_v6(0x20010db8, 1, 443, 0);
	struct sockaddr_storage ss = { .ss_family = AF_INET };
	struct ovpn_sockaddr addr;
	size_t len;

	for (len = 0; len <= sizeof(ss); len++) {
		memcpy(&ss, &in, sizeof(in));
		KUNIT_EXPECT_EQ(test, parse(&addr, &ss, len),
				len == sizeof(in));
		memcpy(&ss, &in6, sizeof(in6));
		KUNIT_EXPECT_EQ(test, parse(&addr, &ss, len),
				len == sizeof(in6));
	}
	in.sin_family = AF_UNIX;
	KUNIT_EXPECT_FALSE(test, parse(&addr, &in, sizeof(in)));
	in.sin_family = AF_INET6;
	KUNIT_EXPECT_FALSE(test, parse(&addr, &in, sizeof(in)));
	in6.sin6_family = AF_INET;
	KUNIT_EXPECT_FALSE(test, parse(&addr, &in6, sizeof(in6)));
}

/* The parts of an address make what the whole does */
static void endpoint_set(struct kunit *test)
{
	struct sockaddr_in in = addr_v4(0xc0000201, 1194);
	struct sockaddr_in6 in6 = addr_v6(0xfe800000, 1, 443, 7);
	struct ovpn_sockaddr addr, want;
	struct in6_addr mapped;

	KUNIT_ASSERT_TRUE(test, parse(&want, &in, sizeof(in)));
	memset(&addr, 0xff, sizeof(addr));
	ovpn_sockaddr_set(&addr, &in.sin_addr, 4, 7, in.sin_port);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&addr, &want, sizeof(addr)));
	ipv6_addr_set_v4mapped(in.sin_addr.s_addr, &mapped);
	memset(&addr, 0xff, sizeof(addr));
	ovpn_sockaddr_set(&addr, &mapped, 16, 7, in.sin_port);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&addr, &want, sizeof(addr)));

	KUNIT_ASSERT_TRUE(test, parse(&want, &in6, sizeof(in6)));
	KUNIT_EXPECT_EQ(test, want.scope_id, 7);
	memset(&addr, 0xff, sizeof(addr));
	ovpn_sockaddr_set(&addr, &in6.sin6_addr, 16, 7, in6.sin6_port);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&addr, &want, sizeof(addr)));
	/* Of no other address is the interface a part */
	in6 = addr_v6(0x20010db8, 1, 443, 0);
	KUNIT_ASSERT_TRUE(test, parse(&want, &in6, sizeof(in6)));
	ovpn_sockaddr_set(&addr, &in6.sin6_addr, 16, 7, in6.sin6_port);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&addr, &want, sizeof(addr)));
}

static void endpoint_local(struct kunit *test)
{
	static const u8 v4[4] = { 192, 0, 2, 1 }, any[16];
	static const u8 v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	static const u8 mapped[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	static const u8 mapped_any[16] = { [10] = 0xff, 0xff };
	struct ovpn_sockaddr remote4, remote6;
	struct in6_addr local;
	size_t len;

	test_remote(&remote4, 2, 0);
	test_remote(&remote6, 1, 0);

	KUNIT_EXPECT_TRUE(test, ovpn_local_parse(&local, v4, 4, &remote4));
	KUNIT_EXPECT_EQ(test, 0, memcmp(&local, mapped, 16));
	KUNIT_EXPECT_EQ(test, 0, memcmp(ovpn_addr_bytes(&local, &len), v4, 4));
	KUNIT_EXPECT_EQ(test, len, 4);
	KUNIT_EXPECT_TRUE(test, ovpn_local_parse(&local, mapped, 16, &remote4));
	KUNIT_EXPECT_EQ(test, 0, memcmp(&local, mapped, 16));
	KUNIT_EXPECT_TRUE(test, ovpn_local_parse(&local, v6, 16, &remote6));
	KUNIT_EXPECT_EQ(test, 0, memcmp(ovpn_addr_bytes(&local, &len), v6,
					16));
	KUNIT_EXPECT_EQ(test, len, 16);

	/* Of the other family */
	KUNIT_EXPECT_FALSE(test, ovpn_local_parse(&local, v4, 4, &remote6));
	KUNIT_EXPECT_FALSE(test, ovpn_local_parse(&local, mapped, 16,
						  &remote6));
	KUNIT_EXPECT_FALSE(test, ovpn_local_parse(&local, v6, 16, &remote4));
	for (len = 0; len <= 16; len++)
		if (len != 4 && len != 16)
			KUNIT_EXPECT_FALSE(test, ovpn_local_parse(&local, v6,
								  len,
								  &remote6));

	/* All that means: whichever */
	KUNIT_EXPECT_TRUE(test, ovpn_local_parse(&local, any, 4, &remote4));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_any(&local));
	KUNIT_EXPECT_TRUE(test, ovpn_local_parse(&local, any, 16, &remote4));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_any(&local));
	KUNIT_EXPECT_TRUE(test, ovpn_local_parse(&local, mapped_any, 16,
						 &remote4));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_any(&local));
	KUNIT_EXPECT_TRUE(test, ovpn_local_parse(&local, any, 16, &remote6));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_any(&local));
	ovpn_addr_bytes(&local, &len);
	KUNIT_EXPECT_EQ(test, len, 0);
}

/* A received datagram, as far as endpoints look at it */
static struct sk_buff *datagram(struct kunit *test, size_t header_len)
{
	struct sk_buff *skb = test_skb(test, 256);

	skb_reset_network_header(skb);
	skb_put_zero(skb, header_len);
	skb_set_transport_header(skb, header_len);
	skb_put_zero(skb, sizeof(struct udphdr));
	return skb;
}

static struct sk_buff *datagram_v4(struct kunit *test, u32 from, u16 port,
				   u32 to)
{
	struct sk_buff *skb = datagram(test, sizeof(struct iphdr));

	ip_hdr(skb)->version = 4;
	ip_hdr(skb)->saddr = htonl(from);
	ip_hdr(skb)->daddr = htonl(to);
	udp_hdr(skb)->source = htons(port);
	return skb;
}

static struct sk_buff *datagram_v6(struct kunit *test, u32 first, u32 last,
				   u16 port, int iif)
{
	struct sk_buff *skb = datagram(test, sizeof(struct ipv6hdr));

	ipv6_hdr(skb)->version = 6;
	ipv6_addr_set(&ipv6_hdr(skb)->saddr, htonl(first), 0, 0, htonl(last));
	ipv6_addr_set(&ipv6_hdr(skb)->daddr, htonl(0x20010db8), 0, 0,
		      htonl(0xffff));
	udp_hdr(skb)->source = htons(port);
	IP6CB(skb)->iif = iif;
	return skb;
}

/* Does what came from the network have the key that userspace gave us? */
static bool same_key(const struct sk_buff *skb, const void *sa, size_t len)
{
	struct ovpn_sockaddr parsed, source;

	memset(&source, GARBAGE, sizeof(source));
	ovpn_endpoint_source(&source, skb);
	return parse(&parsed, sa, len) &&
	       !memcmp(&parsed, &source, sizeof(parsed));
}

static void endpoint_of_datagram(struct kunit *test)
{
	struct sockaddr_in in = addr_v4(0xc0000201, 1194);
	struct sockaddr_in6 in6 = addr_v6(0x20010db8, 9, 443, 3);
	struct sockaddr_in6 link = addr_v6(0xfe800000, 9, 443, 3);
	struct sk_buff *skb;

	skb = datagram_v4(test, 0xc0000201, 1194, 0xc0000202);
	KUNIT_EXPECT_TRUE(test, same_key(skb, &in, sizeof(in)));
	udp_hdr(skb)->source = htons(1195);
	KUNIT_EXPECT_FALSE(test, same_key(skb, &in, sizeof(in)));
	skb = datagram_v4(test, 0xc0000203, 1194, 0xc0000202);
	KUNIT_EXPECT_FALSE(test, same_key(skb, &in, sizeof(in)));

	/* The interface matters for link-local addresses, and only for them */
	skb = datagram_v6(test, 0x20010db8, 9, 443, 5);
	KUNIT_EXPECT_TRUE(test, same_key(skb, &in6, sizeof(in6)));
	KUNIT_EXPECT_FALSE(test, same_key(skb, &link, sizeof(link)));
	skb = datagram_v6(test, 0xfe800000, 9, 443, 3);
	KUNIT_EXPECT_TRUE(test, same_key(skb, &link, sizeof(link)));
	skb = datagram_v6(test, 0xfe800000, 9, 443, 5);
	KUNIT_EXPECT_FALSE(test, same_key(skb, &link, sizeof(link)));
}

static void endpoint_follow(struct kunit *test)
{
	struct ovpn_sockaddr remote, moved;
	struct in6_addr ours, local;
	struct ovpn_endpoint *ep;
	struct sk_buff *skb;
	bool replace;

	test_remote(&remote, 2, 0);
	ipv6_addr_set_v4mapped(htonl(0xc0000202), &ours);
	ep = ovpn_endpoint_alloc(NULL, &remote, &ours, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ep);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&ep->remote, &remote, sizeof(remote)));

#define FOLLOW(skb)							\
	({								\
		rcu_read_lock();					\
		replace = ovpn_endpoint_follow(ep, &init_net, 0, skb,	\
					       &moved, &local);		\
		rcu_read_unlock();					\
		replace;						\
	})
	skb = datagram_v4(test, ntohl(remote.addr.s6_addr32[3]), 1194,
			  0xc0000202);
	KUNIT_EXPECT_FALSE(test, FOLLOW(skb));

	/* To an address that is not ours (a broadcast): nothing to answer from */
	ip_hdr(skb)->daddr = htonl(0xc00002ff);
	KUNIT_EXPECT_FALSE(test, FOLLOW(skb));

	/* Another port, another address: it moved, we stay */
	udp_hdr(skb)->source = htons(1195);
	KUNIT_EXPECT_TRUE(test, FOLLOW(skb));
	KUNIT_EXPECT_EQ(test, ntohs(moved.port), 1195);
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&local, &ours));
	udp_hdr(skb)->source = htons(1194);
	ip_hdr(skb)->saddr ^= htonl(1);
	KUNIT_EXPECT_TRUE(test, FOLLOW(skb));
	KUNIT_EXPECT_TRUE(test, moved.addr.s6_addr32[3] == ip_hdr(skb)->saddr);

	/* To the other family: our old address is none there */
	skb = datagram_v6(test, 0x20010db8, 9, 1194, 3);
	KUNIT_EXPECT_TRUE(test, FOLLOW(skb));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_any(&local));
#undef FOLLOW
	ovpn_endpoint_free(ep);
}

/* Keys that userspace or the network gave are found in the table if, and only
 * if, they mean the same.
 */
static void endpoint_hash(struct kunit *test)
{
	struct sockaddr_in in[2] = { addr_v4(0xc0000201, 1194),
				     addr_v4(0xc0000201, 1194) };
	struct sockaddr_in6 in6 = addr_v6(0xfe800000, 1, 1194, 4);
	struct ovpn_sockaddr key, other;
	struct ovpn_endpoint *ep[2];
	struct rhltable *table;
	unsigned int i;

	memset(in[1].sin_zero, 0, sizeof(in[1].sin_zero));
	table = kunit_kzalloc(test, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_EQ(test, 0, rhltable_init(table, &ovpn_endpoint_params));
	parse(&key, &in[0], sizeof(in[0]));
	ep[0] = ovpn_endpoint_alloc(NULL, &key, &in6addr_any, GFP_KERNEL);
	parse(&other, &in6, sizeof(in6));
	ep[1] = ovpn_endpoint_alloc(NULL, &other, &in6addr_any, GFP_KERNEL);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_NOT_NULL(test, ep[i]);
		KUNIT_ASSERT_EQ(test, 0, rhltable_insert(table, &ep[i]->node,
							 ovpn_endpoint_params));
	}

#define FOUND(key)							\
	({								\
		struct rhlist_head *found;				\
		rcu_read_lock();					\
		found = rhltable_lookup(table, key,			\
					ovpn_endpoint_params);		\
		rcu_read_unlock();					\
		found ? container_of(found, struct ovpn_endpoint, node) \
		      : NULL;						\
	})
	parse(&key, &in[1], sizeof(in[1]));
	KUNIT_EXPECT_PTR_EQ(test, FOUND(&key), ep[0]);
	memset(&key, GARBAGE, sizeof(key));
	ovpn_endpoint_source(&key, datagram_v4(test, 0xc0000201, 1194, 0));
	KUNIT_EXPECT_PTR_EQ(test, FOUND(&key), ep[0]);
	memset(&key, GARBAGE, sizeof(key));
	ovpn_endpoint_source(&key, datagram_v6(test, 0xfe800000, 1, 1194, 4));
	KUNIT_EXPECT_PTR_EQ(test, FOUND(&key), ep[1]);

	/* Each single bit of the key counts */
	for (i = 0; i < offsetof(struct ovpn_sockaddr, zero) * 8; i++) {
		other = ep[0]->remote;
		((u8 *)&other)[i / 8] ^= BIT(i % 8);
		KUNIT_EXPECT_NULL_MSG(test, FOUND(&other), "bit %u", i);
	}
#undef FOUND
	for (i = 0; i < 2; i++) {
		rhltable_remove(table, &ep[i]->node, ovpn_endpoint_params);
		ovpn_endpoint_free(ep[i]);
	}
	rhltable_destroy(table);
}

static void endpoint_fits_socket(struct kunit *test)
{
	struct ovpn_sockaddr v4, v6;
	struct socket *sock;

	test_remote(&v4, 2, 0);
	test_remote(&v6, 1, 0);

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET,
						  SOCK_DGRAM, IPPROTO_UDP,
						  &sock));
	KUNIT_EXPECT_TRUE(test, ovpn_endpoint_fits_socket(&v4, sock->sk));
	KUNIT_EXPECT_FALSE(test, ovpn_endpoint_fits_socket(&v6, sock->sk));
	sock_release(sock);

	KUNIT_ASSERT_EQ(test, 0, sock_create_kern(&init_net, AF_INET6,
						  SOCK_DGRAM, IPPROTO_UDP,
						  &sock));
	sock->sk->sk_ipv6only = false;
	KUNIT_EXPECT_TRUE(test, ovpn_endpoint_fits_socket(&v4, sock->sk));
	KUNIT_EXPECT_TRUE(test, ovpn_endpoint_fits_socket(&v6, sock->sk));
	sock->sk->sk_ipv6only = true;
	KUNIT_EXPECT_FALSE(test, ovpn_endpoint_fits_socket(&v4, sock->sk));
	KUNIT_EXPECT_TRUE(test, ovpn_endpoint_fits_socket(&v6, sock->sk));
	sock_release(sock);
}

static struct kunit_case endpoint_cases[] = {
	KUNIT_CASE(endpoint_parse_v4),
	KUNIT_CASE(endpoint_parse_v6),
	KUNIT_CASE(endpoint_parse_refused),
	KUNIT_CASE(endpoint_set),
	KUNIT_CASE(endpoint_local),
	KUNIT_CASE(endpoint_of_datagram),
	KUNIT_CASE(endpoint_follow),
	KUNIT_CASE(endpoint_hash),
	KUNIT_CASE(endpoint_fits_socket),
	{}
};

static struct kunit_suite endpoint_suite = {
	.name = "ovpn_endpoint",
	.test_cases = endpoint_cases,
};

kunit_test_suite(endpoint_suite);
