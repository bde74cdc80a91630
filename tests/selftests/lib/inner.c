// SPDX-License-Identifier: GPL-2.0-only
/* The IP packets inside the tunnel: built and taken apart by hand. */
#include <string.h>
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include "ktap.h"
#include "wire.h"

static uint32_t sum_words(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	if (len & 1)
		sum += bytes[len - 1] << 8;
	/* a packet has at most 2^15 words: folding once a call is enough */
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

/* Over the addresses of an IP header, the protocol and the length. */
static uint32_t pseudo_sum(const void *ip, bool v6, uint8_t proto, size_t len)
{
	const uint8_t *addrs = (const uint8_t *)ip + (v6 ? 8 : 12);

	return sum_words(proto + len, addrs, v6 ? 32 : 8);
}

static size_t put_ip4(uint8_t *packet, const char *src, const char *dst,
		      uint8_t proto, size_t len)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(sizeof(ip) + len),
		.ttl = 64,
		.protocol = proto,
	};

	if (inet_pton(AF_INET, src, &ip.saddr) != 1 ||
	    inet_pton(AF_INET, dst, &ip.daddr) != 1)
		ktap_bail("no IPv4 addresses: %s, %s", src, dst);
	ip.check = fold(sum_words(0, &ip, sizeof(ip)));
	memcpy(packet, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t put_ip6(uint8_t *packet, const char *src, const char *dst,
		      uint8_t proto, size_t len)
{
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6U << 28),
		.ip6_plen = htons(len),
		.ip6_nxt = proto,
		.ip6_hlim = 64,
	};

	if (inet_pton(AF_INET6, src, &ip.ip6_src) != 1 ||
	    inet_pton(AF_INET6, dst, &ip.ip6_dst) != 1)
		ktap_bail("no IPv6 addresses: %s, %s", src, dst);
	memcpy(packet, &ip, sizeof(ip));
	return sizeof(ip);
}

static bool is_v6(const char *addr)
{
	return strchr(addr, ':');
}

static size_t put_ip(uint8_t *packet, const char *src, const char *dst,
		     uint8_t proto, size_t len)
{
	return is_v6(src) ? put_ip6(packet, src, dst, proto, len) :
			    put_ip4(packet, src, dst, proto, len);
}

size_t inner_udp(void *packet, const char *src, uint16_t sport,
		 const char *dst, uint16_t dport, const void *data, size_t len)
{
	struct udphdr udp = {
		.source = htons(sport),
		.dest = htons(dport),
		.len = htons(sizeof(udp) + len),
	};
	size_t size = sizeof(udp) + len, head;
	uint8_t *out = packet;
	uint32_t sum;

	head = put_ip(out, src, dst, IPPROTO_UDP, size);
	memcpy(out + head, &udp, sizeof(udp));
	if (len)
		memcpy(out + head + sizeof(udp), data, len);
	sum = pseudo_sum(out, is_v6(src), IPPROTO_UDP, size);
	udp.check = fold(sum_words(sum, out + head, size));
	if (!udp.check)
		udp.check = 0xffff;
	memcpy(out + head, &udp, sizeof(udp));
	return head + size;
}

size_t inner_echo(void *packet, bool reply, const char *src, const char *dst,
		  uint16_t id, uint16_t seq, const void *data, size_t len)
{
	bool v6 = is_v6(src);
	uint8_t proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct icmphdr icmp = {	/* the same layout in ICMPv6 */
		.un.echo.id = htons(id),
		.un.echo.sequence = htons(seq),
	};
	size_t size = sizeof(icmp) + len, head;
	uint8_t *out = packet;

	if (v6)
		icmp.type = reply ? ICMP6_ECHO_REPLY : ICMP6_ECHO_REQUEST;
	else
		icmp.type = reply ? ICMP_ECHOREPLY : ICMP_ECHO;
	head = put_ip(out, src, dst, proto, size);
	memcpy(out + head, &icmp, sizeof(icmp));
	if (len)
		memcpy(out + head + sizeof(icmp), data, len);
	icmp.checksum = fold(sum_words(v6 ? pseudo_sum(out, v6, proto, size) : 0,
				       out + head, size));
	memcpy(out + head, &icmp, sizeof(icmp));
	return head + size;
}

uint8_t inner_tos(const void *packet)
{
	const uint8_t *in = packet;

	return in[0] >> 4 == 4 ? in[1] : (in[0] << 4 | in[1] >> 4) & 0xff;
}

static void ip4_sum(uint8_t *packet)
{
	struct iphdr *ip = (struct iphdr *)packet;

	ip->check = 0;
	ip->check = fold(sum_words(0, packet, ip->ihl * 4));
}

void inner_set_tos(void *packet, uint8_t tos)
{
	uint8_t *out = packet;

	if (out[0] >> 4 == 4) {
		out[1] = tos;
		ip4_sum(out);
	} else {
		out[0] = 0x60 | tos >> 4;
		out[1] = (out[1] & 0xf) | tos << 4;
	}
}

void inner_tcp_sums(void *packet, size_t len)
{
	uint8_t *out = packet;
	bool v6 = out[0] >> 4 == 6;
	size_t head = v6 ? sizeof(struct ip6_hdr) : (out[0] & 0xf) * 4;
	struct tcphdr *tcp = (struct tcphdr *)(out + head);

	if (!v6)
		ip4_sum(out);
	tcp->check = 0;
	tcp->check = fold(sum_words(pseudo_sum(out, v6, IPPROTO_TCP, len - head),
				    tcp, len - head));
}

/* The IP header; its length, 0 if the packet is not what it says. */
static size_t parse_ip(const uint8_t *in, size_t len, struct inner *inner)
{
	struct ip6_hdr ip6;
	struct iphdr ip4;

	if (len >= sizeof(ip4) && in[0] >> 4 == 4) {
		memcpy(&ip4, in, sizeof(ip4));
		if (ip4.ihl < 5 || ip4.ihl * 4U > len ||
		    ntohs(ip4.tot_len) != len)
			return 0;
		inner->family = AF_INET;
		inner->proto = ip4.protocol;
		inet_ntop(AF_INET, &ip4.saddr, inner->src, sizeof(inner->src));
		inet_ntop(AF_INET, &ip4.daddr, inner->dst, sizeof(inner->dst));
		inner->checksums_good = !fold(sum_words(0, in, ip4.ihl * 4));
		return ip4.ihl * 4;
	}
	if (len >= sizeof(ip6) && in[0] >> 4 == 6) {
		memcpy(&ip6, in, sizeof(ip6));
		if (ntohs(ip6.ip6_plen) + sizeof(ip6) != len)
			return 0;
		inner->family = AF_INET6;
		inner->proto = ip6.ip6_nxt;
		inet_ntop(AF_INET6, &ip6.ip6_src, inner->src,
			  sizeof(inner->src));
		inet_ntop(AF_INET6, &ip6.ip6_dst, inner->dst,
			  sizeof(inner->dst));
		inner->checksums_good = true;
		return sizeof(ip6);
	}
	return 0;
}

static void parse_transport(const uint8_t *ip, const uint8_t *in, size_t len,
			    struct inner *inner)
{
	bool v6 = inner->family == AF_INET6;
	struct icmphdr icmp;
	struct udphdr udp;
	uint32_t sum = 0;

	inner->data = in;
	inner->len = len;
	if (inner->proto == IPPROTO_UDP && len >= sizeof(udp)) {
		memcpy(&udp, in, sizeof(udp));
		inner->sport = ntohs(udp.source);
		inner->dport = ntohs(udp.dest);
	} else if (inner->proto == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) &&
		   len >= sizeof(icmp)) {
		memcpy(&icmp, in, sizeof(icmp));
		inner->echo_type = icmp.type;
		inner->echo_id = ntohs(icmp.un.echo.id);
		inner->echo_seq = ntohs(icmp.un.echo.sequence);
	} else if (inner->proto != IPPROTO_TCP) {
		return;
	}
	/* UDP and ICMP headers are both 8 bytes long */
	if (inner->proto != IPPROTO_TCP) {
		inner->data += sizeof(udp);
		inner->len -= sizeof(udp);
	}
	if (inner->proto != IPPROTO_ICMP)
		sum = pseudo_sum(ip, v6, inner->proto, len);
	if (fold(sum_words(sum, in, len)))
		inner->checksums_good = false;
}

bool inner_parse(const void *packet, size_t len, struct inner *inner)
{
	const uint8_t *in = packet;
	size_t head;

	memset(inner, 0, sizeof(*inner));
	head = parse_ip(in, len, inner);
	if (!head)
		return false;
	parse_transport(in, in + head, len - head, inner);
	return true;
}
