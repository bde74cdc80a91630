// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that fit the path to the peer: what TCP connections are told when they
 * begin, what those are told who send longer packets, and what the path is asked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/errqueue.h>

#include "addr.h"
#include "data_util.h"
#include "family.h"

#define PEER_ID		7
#define LINK_MTU	1500

/* Inside the tunnel, but nobody there: nothing comes back */
#define NOBODY4		"10.8.0.77"
#define NOBODY6		"fd08::77"

/* The path of the second peer, if there is one, carries less. */
#define NARROW_MTU	1300

/* How the far end is reached. */
struct outer {
	const char *bind;
	const char *addr;
	const char *addr_b;	/* of a second one */
	unsigned int headers;	/* of IP and UDP */
};

static const struct outer v4 = { "0.0.0.0", FAR4, FAR4_B, 28 };
static const struct outer v6 = { "::", FAR6, FAR6_B, 48 };

/* The longest packet inside that a path carries whole. */
static unsigned int inside(struct data_bed *bed, unsigned int mtu)
{
	const struct outer *o = bed->arg;

	return mtu - o->headers - WIRE_HEADER_LEN;
}

static void set_path_mtu(struct data_bed *bed, bool on)
{
	CHECK_ERR(0, ethtool_set_flag(bed->near, TUN, "path-mtu", on));
}

static bool add(struct data_bed *bed, struct data_far *far)
{
	const struct outer *o = bed->arg;
	const struct data_far_args args = { .id = PEER_ID, .addr = o->addr };

	/* As devices come, under whatever condition */
	set_path_mtu(bed, true);
	netns_run(bed->near, "ip link set " TUN " mtu %u", LINK_MTU);
	return data_far_add(bed, far, &args);
}

/* Two peers that reach each other, behind the second one a path that carries less. */
static bool add_both(struct data_bed *bed, struct data_far far[2])
{
	const struct outer *o = bed->arg;
	const struct data_far_args args = {
		.id = PEER_ID + 1,
		.addr = o->addr_b,
		.ipv4 = VPN_FAR4_B,
		.ipv6 = VPN_FAR6_B,
	};

	netns_run(bed->near, "echo 1 > /proc/sys/net/ipv4/ip_forward\n"
		  "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n"
		  "ip route add %s dev " NEAR_VETH " mtu %u", o->addr_b,
		  NARROW_MTU);
	return add(bed, &far[0]) && data_far_add(bed, &far[1], &args);
}

/* ---- SYN packets ---- */

/*
 * Options of a SYN packet, in fours, and where among them the MSS is to be found:
 * 5 * 256 + 180, which are 1460.
 */
struct layout {
	const char *name;
	uint8_t len;
	uint8_t mss;		/* 0: nowhere, nothing may be changed */
	uint8_t options[40];
};

static const struct layout layouts[] = {
	{ "MSS alone", 4, 2, { 2, 4, 5, 180 } },
	{ "as Linux sends it", 20, 2,
	  { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 } },
	{ "behind a NOP", 8, 3, { 1, 2, 4, 5, 180, 1, 1, 1 } },
	{ "behind two NOPs", 8, 4, { 1, 1, 2, 4, 5, 180, 1, 1 } },
	{ "behind three NOPs, and the end", 8, 5, { 1, 1, 1, 2, 4, 5, 180, 0 } },
	{ "behind an option of odd length", 8, 5, { 3, 3, 7, 2, 4, 5, 180, 0 } },
	{ "last of all", 40, 38,
	  { 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 4, 2, 253, 22, 1, 2, 3, 4, 5, 6, 7,
	    8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 1, 1, 2, 4,
	    5, 180 } },
	{ "no options", 0 },
	{ "no MSS", 12, 0, { 1, 1, 8, 10, 2, 4, 5, 180, 0, 0, 0, 0 } },
	{ "behind the end", 8, 0, { 0, 2, 4, 5, 180, 0, 0, 0 } },
	{ "behind an option of length 0", 8, 0, { 8, 0, 2, 4, 5, 180, 1, 1 } },
	{ "behind an option of length 1", 8, 0, { 8, 1, 2, 4, 5, 180, 1, 1 } },
	{ "behind an option that is too long", 8, 0,
	  { 8, 9, 2, 4, 5, 180, 1, 1 } },
	{ "behind the longest option", 8, 0, { 8, 255, 2, 4, 5, 180, 1, 1 } },
	{ "MSS of length 0", 4, 0, { 2, 0, 5, 180 } },
	{ "MSS of length 3", 4, 0, { 2, 3, 5, 180 } },
	{ "MSS of length 6", 8, 0, { 2, 6, 5, 180, 0, 0, 1, 1 } },
	{ "MSS that is cut off", 4, 0, { 1, 2, 4, 5 } },
	{ "only the kind of MSS", 4, 0, { 1, 1, 1, 2 } },
};

#define SYN_MAX	256

/* A TCP packet with these options and some data, its checksums right. */
static size_t make_tcp(uint8_t *packet, const char *src, const char *dst,
		       uint8_t flags, const uint8_t *options, size_t len,
		       size_t data)
{
	bool six = strchr(src, ':');
	size_t head = six ? 40 : 20, all = head + 20 + len + data, i;
	struct ip6_hdr *ip6 = (struct ip6_hdr *)packet;
	struct tcphdr *tcp = (struct tcphdr *)(packet + head);
	struct iphdr *ip = (struct iphdr *)packet;

	memset(packet, 0, head + 20);
	if (six) {
		ip6->ip6_flow = htonl(0x60012345);
		ip6->ip6_plen = htons(all - head);
		ip6->ip6_nxt = IPPROTO_TCP;
		ip6->ip6_hlim = 64;
		inet_pton(AF_INET6, src, &ip6->ip6_src);
		inet_pton(AF_INET6, dst, &ip6->ip6_dst);
	} else {
		ip->version = 4;
		ip->ihl = 5;
		ip->tot_len = htons(all);
		ip->id = htons(77);
		ip->ttl = 64;
		ip->protocol = IPPROTO_TCP;
		inet_pton(AF_INET, src, &ip->saddr);
		inet_pton(AF_INET, dst, &ip->daddr);
	}
	tcp->source = htons(40001);
	tcp->dest = htons(80);
	tcp->seq = htonl(0x12345678);
	tcp->window = htons(64240);
	tcp->doff = 5 + len / 4;
	tcp->th_flags = flags;
	memcpy(packet + head + 20, options, len);
	for (i = 0; i < data; i++)
		packet[head + 20 + len + i] = i * 3 + 1;
	inner_tcp_sums(packet, all);
	return all;
}

static uint8_t *options_of(uint8_t *packet)
{
	return packet + (packet[0] >> 4 == 6 ? 40 : 20) + 20;
}

static void put_mss(uint8_t *at, unsigned int mss)
{
	at[0] = mss >> 8;
	at[1] = mss;
}

/* One packet one way; what arrives has to be this. */
static bool check_passes(struct data_bed *bed, struct data_far *far, bool out,
			 const uint8_t *packet, const uint8_t *want, size_t len)
{
	uint8_t got[WIRE_MAX];

	if (out)
		return CHECK_ERR(0, data_near_send(bed, packet, len)) &&
		       CHECK_EQ(len, data_far_recv(far, got, NULL, NULL)) &&
		       CHECK_MEMEQ(want, got, len);
	return data_far_send(far, packet, len) &&
	       CHECK_EQ(len, packet_recv(bed->tap, got, sizeof(got),
					 DATA_WAIT_MS)) &&
	       CHECK_MEMEQ(want, got, len);
}

struct syn {
	bool out;
	bool six;
	uint8_t flags;
	unsigned int mss;	/* before */
	unsigned int want;	/* and after */
};

static void check_layout(struct data_bed *bed, struct data_far *far,
			 const struct layout *l, const struct syn *s)
{
	const char *near = s->six ? VPN_NEAR6 : VPN_NEAR4;
	const char *nobody = s->six ? NOBODY6 : NOBODY4;
	uint8_t options[40], packet[SYN_MAX], want[SYN_MAX];
	size_t len;

	memcpy(options, l->options, sizeof(options));
	if (l->mss)
		put_mss(options + l->mss, s->mss);
	len = make_tcp(packet, s->out ? near : far->ipv4,
		       s->out ? VPN_FAR4 : nobody, s->flags, options, l->len,
		       s->flags & TH_ACK ? 0 : 11);
	if (s->six)
		len = make_tcp(packet, s->out ? near : far->ipv6,
			       s->out ? VPN_FAR6 : nobody, s->flags, options,
			       l->len, s->flags & TH_ACK ? 0 : 11);
	memcpy(want, packet, len);
	if (l->mss && s->mss != s->want) {
		put_mss(options_of(want) + l->mss, s->want);
		inner_tcp_sums(want, len);
	}
	if (!check_passes(bed, far, s->out, packet, want, len))
		ktap_note("IPv%u, %s, MSS %s, of %u, wanted %u",
			  s->six ? 6 : 4, s->out ? "out" : "in", l->name,
			  s->mss, s->want);
}

/* The MSS of connections through a path that carries so much. */
static unsigned int mss_of(struct data_bed *bed, unsigned int mtu, bool six)
{
	return inside(bed, mtu) - (six ? 60 : 40);
}

/* Each way, IP version, and flags of the first two packets of a connection. */
static void each_way(struct data_bed *bed, struct data_far *far,
		     void (*check)(struct data_bed *bed, struct data_far *far,
				   struct syn *s))
{
	static const uint8_t flags[] = {
		TH_SYN, TH_SYN | TH_ACK, TH_SYN | 0xc0 /* ECN wanted */,
	};
	unsigned int way, i;

	for (way = 0; ktap_good() && way < 4; way++) {
		for (i = 0; i < ARRAY_SIZE(flags); i++) {
			struct syn s = {
				.out = way & 1,
				.six = way & 2,
				.flags = flags[i],
			};

			check(bed, far, &s);
		}
	}
}

static void each_layout(struct data_bed *bed, struct data_far *far,
			struct syn *s)
{
	unsigned int i;

	s->mss = 1460;
	s->want = mss_of(bed, LINK_MTU, s->six);
	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		check_layout(bed, far, &layouts[i], s);
}

static void each_value(struct data_bed *bed, struct data_far *far,
		       struct syn *s)
{
	unsigned int fits = mss_of(bed, LINK_MTU, s->six), i, l;
	const unsigned int values[] = {
		0, 1, 255, 256, 536, 1220, fits - 1, fits, fits + 1, 1460,
		8960, 0x8000, 0xff00, 0xffff,
	};

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		s->mss = values[i];
		s->want = values[i] < fits ? values[i] : fits;
		/* the first at an even place, then one at an odd one */
		for (l = 0; l < 4; l += 2)
			check_layout(bed, far, &layouts[l], s);
	}
}

static void syn_layouts(struct data_bed *bed)
{
	struct data_far far;

	if (!add(bed, &far))
		return;
	each_way(bed, &far, each_layout);
	data_far_close(&far);
}

static void syn_values(struct data_bed *bed)
{
	struct data_far far;

	if (!add(bed, &far))
		return;
	each_way(bed, &far, each_value);
	data_far_close(&far);
}

static void layouts_as_they_are(struct data_bed *bed, struct data_far *far,
				struct syn *s)
{
	unsigned int i;

	s->mss = 1460;
	s->want = 1460;
	for (i = 0; i < 6; i++)
		check_layout(bed, far, &layouts[i], s);
}

static void syn_untouched(struct data_bed *bed)
{
	struct data_far far;

	if (!add(bed, &far))
		return;
	set_path_mtu(bed, false);
	each_way(bed, &far, layouts_as_they_are);
	set_path_mtu(bed, true);
	each_way(bed, &far, each_layout);
	data_far_close(&far);
}

/* A stream cuts packets as it likes. */
static void syn_over_tcp(struct data_bed *bed)
{
	const struct stream_conf conf = { 0 };
	const struct data_far_args args = { .id = PEER_ID, .tcp = &conf };
	struct data_far far;

	if (!data_far_add(bed, &far, &args))
		return;
	each_way(bed, &far, layouts_as_they_are);
	data_far_close(&far);
}

/* Only looks like the beginning of a connection, or is not all there. */
static void not_syn(struct data_bed *bed, struct data_far *far, bool out,
		    bool six)
{
	static const uint8_t flags[] = { 0, TH_ACK, TH_ACK | TH_PUSH, TH_FIN,
					 TH_RST };
	const char *near = six ? VPN_NEAR6 : VPN_NEAR4;
	const char *nobody = six ? NOBODY6 : NOBODY4;
	const char *peer = six ? VPN_FAR6 : VPN_FAR4;
	uint8_t packet[SYN_MAX];
	struct tcphdr *tcp;
	unsigned int i;
	size_t len;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		len = make_tcp(packet, out ? near : peer, out ? peer : nobody,
			       flags[i], layouts[0].options, 4, 0);
		check_passes(bed, far, out, packet, packet, len);
	}
	/* of another protocol */
	len = make_tcp(packet, out ? near : peer, out ? peer : nobody, TH_SYN,
		       layouts[0].options, 4, 0);
	packet[six ? 6 : 9] = 253;
	if (!six)
		inner_set_tos(packet, 0);
	check_passes(bed, far, out, packet, packet, len);
	/* headers that are too short, or longer than the packet */
	for (i = 0; i < 16; i++) {
		if (i == 6)
			continue;
		len = make_tcp(packet, out ? near : peer, out ? peer : nobody,
			       TH_SYN, layouts[0].options, 4, 0);
		tcp = (struct tcphdr *)(options_of(packet) - 20);
		tcp->doff = i;
		inner_tcp_sums(packet, len);
		check_passes(bed, far, out, packet, packet, len);
	}
	/* not even a header */
	for (i = 1; i < 20; i += 6) {
		len = make_tcp(packet, out ? near : peer, out ? peer : nobody,
			       TH_SYN, NULL, 0, 0) - i;
		packet[six ? 5 : 3] -= i;
		if (!six)
			inner_set_tos(packet, 0);
		check_passes(bed, far, out, packet, packet, len);
	}
}

static void syn_not(struct data_bed *bed)
{
	struct data_far far;
	unsigned int way;

	if (!add(bed, &far))
		return;
	for (way = 0; ktap_good() && way < 4; way++)
		not_syn(bed, &far, way & 1, way & 2);
	data_far_close(&far);
}

/* The first fragment of @len bytes behind the IPv4 header. */
static size_t first_fragment(uint8_t *packet, size_t len)
{
	struct iphdr *ip = (struct iphdr *)packet;

	ip->tot_len = htons(20 + len);
	ip->frag_off = htons(IP_MF);
	inner_set_tos(packet, 0);
	return 20 + len;
}

/*
 * The header of a connection's first packet is in the first fragment, if at all:
 * the checksum there is that of the whole. What others have there is data.
 */
static void fragments4(struct data_bed *bed, struct data_far *far, bool out)
{
	const char *src = out ? VPN_NEAR4 : VPN_FAR4;
	const char *dst = out ? VPN_FAR4 : NOBODY4;
	uint8_t packet[SYN_MAX], want[SYN_MAX];
	struct iphdr *ip = (struct iphdr *)packet;
	size_t len;

	len = make_tcp(packet, src, dst, TH_SYN, layouts[0].options, 4, 40);
	memcpy(want, packet, len);
	put_mss(options_of(want) + 2, mss_of(bed, LINK_MTU, false));
	inner_tcp_sums(want, len);
	len = first_fragment(packet, 32);
	first_fragment(want, 32);
	check_passes(bed, far, out, packet, want, len);

	/* the header is in the first one, its options are not */
	len = make_tcp(packet, src, dst, TH_SYN, layouts[1].options, 20, 40);
	len = first_fragment(packet, 32);
	check_passes(bed, far, out, packet, packet, len);

	len = make_tcp(packet, src, dst, TH_SYN, layouts[0].options, 4, 40);
	ip->frag_off = htons(185);
	inner_set_tos(packet, 0);
	check_passes(bed, far, out, packet, packet, len);
	ip->frag_off = htons(IP_MF | 185);
	inner_set_tos(packet, 0);
	check_passes(bed, far, out, packet, packet, len);
}

/* What has another header in front is left alone. */
static void fragments6(struct data_bed *bed, struct data_far *far, bool out)
{
	const char *src = out ? VPN_NEAR6 : VPN_FAR6;
	const char *dst = out ? VPN_FAR6 : NOBODY6;
	struct ip6_frag frag = {
		.ip6f_nxt = IPPROTO_TCP,
		.ip6f_ident = htonl(5),
	};
	uint8_t packet[SYN_MAX];
	struct ip6_hdr *ip6 = (struct ip6_hdr *)packet;
	unsigned int i;
	size_t len;

	len = make_tcp(packet, src, dst, TH_SYN, layouts[0].options, 4, 40);
	memmove(packet + 48, packet + 40, len - 40);
	len += 8;
	ip6->ip6_plen = htons(len - 40);
	ip6->ip6_nxt = IPPROTO_FRAGMENT;
	for (i = 0; i < 2; i++) {
		frag.ip6f_offlg = htons(i * 1480 | 1);
		memcpy(packet + 40, &frag, sizeof(frag));
		check_passes(bed, far, out, packet, packet, len);
	}
}

static void syn_fragments(struct data_bed *bed)
{
	struct data_far far;
	unsigned int out;

	if (!add(bed, &far))
		return;
	for (out = 0; out < 2; out++) {
		fragments4(bed, &far, out);
		fragments6(bed, &far, out);
	}
	data_far_close(&far);
}

/* From one peer to another: both paths count. */
static void check_forwarded(struct data_bed *bed, struct data_far *from,
			    struct data_far *to, bool six, unsigned int mss)
{
	unsigned int fits = mss_of(bed, NARROW_MTU, six), ack, l;
	uint8_t options[40], packet[SYN_MAX], got[WIRE_MAX];
	size_t len;

	for (ack = 0; ack < 2; ack++) {
		for (l = 0; l < 4; l += 2) {
			memcpy(options, layouts[l].options, sizeof(options));
			put_mss(options + layouts[l].mss, mss);
			len = make_tcp(packet, six ? from->ipv6 : from->ipv4,
				       six ? to->ipv6 : to->ipv4,
				       ack ? TH_SYN | TH_ACK : TH_SYN, options,
				       layouts[l].len, 0);
			data_far_send(from, packet, len);
			packet[six ? 7 : 8]--;	/* one hop */
			if (mss > fits)
				put_mss(options_of(packet) + layouts[l].mss,
					fits);
			inner_tcp_sums(packet, len);
			if (!CHECK_EQ(len, data_far_recv(to, got, NULL, NULL)))
				continue;
			CHECK_MEMEQ(packet, got, len);
		}
	}
}

static void syn_forwarded(struct data_bed *bed)
{
	struct data_far far[2];
	unsigned int six, to;

	if (!add_both(bed, far))
		return;
	for (six = 0; six < 2; six++) {
		for (to = 0; to < 2; to++) {
			check_forwarded(bed, &far[!to], &far[to], six, 1460);
			check_forwarded(bed, &far[!to], &far[to], six,
					mss_of(bed, NARROW_MTU, six) + 50);
			check_forwarded(bed, &far[!to], &far[to], six, 1000);
		}
	}
	data_far_close(&far[0]);
	data_far_close(&far[1]);
}

/* ---- what the wire shows ---- */

/*
 * What has come of datagrams through the link since it was last asked. Hosts have
 * other things to tell each other now and then.
 */
struct seen {
	unsigned int packets;
	unsigned int fragments;
	unsigned int df;
	bool first_df;
};

static struct seen look(int watch)
{
	struct seen seen = { 0 };
	uint8_t packet[WIRE_MAX];
	bool df;

	while (packet_recv(watch, packet, sizeof(packet), 0) > 0) {
		if (packet[0] >> 4 == 6 && (packet[6] == IPPROTO_UDP ||
					    packet[6] == IPPROTO_FRAGMENT)) {
			seen.packets++;
			seen.fragments += packet[6] == IPPROTO_FRAGMENT;
		} else if (packet[0] >> 4 == 4 && packet[9] == IPPROTO_UDP) {
			df = packet[6] & 0x40;
			seen.first_df |= !seen.packets && df;
			seen.packets++;
			seen.df += df;
			seen.fragments += packet[6] & 0x3f || packet[7];
		}
	}
	return seen;
}

/* ---- packets that are too long ---- */

static size_t make_udp(uint8_t *packet, const char *src, const char *dst,
		       size_t len, bool df)
{
	data_inner(packet, src, dst, len, len);
	if (df && !strchr(src, ':')) {
		packet[6] = 0x40;
		inner_set_tos(packet, 0);
	}
	return len;
}

static bool check_arrives(struct data_bed *bed, struct data_far *far, bool six,
			  size_t len, bool df)
{
	uint8_t packet[2048], got[WIRE_MAX];

	make_udp(packet, six ? VPN_NEAR6 : VPN_NEAR4, six ? VPN_FAR6 : VPN_FAR4,
		 len, df);
	return CHECK_ERR(0, data_near_send(bed, packet, len)) &&
	       CHECK_EQ(len, data_far_recv(far, got, NULL, NULL)) &&
	       CHECK_MEMEQ(packet, got, len);
}

/* What the socket of a program is told: 0 or the MTU. */
static unsigned int told(int fd, bool six)
{
	struct pollfd poll_fd = { .fd = fd };
	union {
		struct cmsghdr head;
		char room[512];
	} control;
	struct msghdr msg = {
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err err;
	struct cmsghdr *cmsg;

	if (poll(&poll_fd, 1, DATA_WAIT_MS) <= 0 ||
	    recvmsg(fd, &msg, MSG_ERRQUEUE) < 0)
		return 0;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != (six ? IPPROTO_IPV6 : IPPROTO_IP) ||
		    cmsg->cmsg_type != (six ? IPV6_RECVERR : IP_RECVERR))
			continue;
		memcpy(&err, CMSG_DATA(cmsg), sizeof(err));
		if (err.ee_errno == EMSGSIZE &&
		    err.ee_origin == (six ? SO_EE_ORIGIN_ICMP6 :
					    SO_EE_ORIGIN_ICMP))
			return err.ee_info;
	}
	return 0;
}

/* A program that finds out what the path carries. */
static int asking_socket(struct data_bed *bed, bool six)
{
	int fd = udp_socket(bed->near, six ? VPN_NEAR6 : VPN_NEAR4, 0);
	int on = 1, discover = six ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;
	socklen_t len;
	union addr a;

	len = addr_make(&a, six ? AF_INET6 : AF_INET,
			six ? VPN_FAR6 : VPN_FAR4, DATA_PORT);
	if (six ? setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover,
			     sizeof(discover)) ||
		  setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)) :
		  setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover,
			     sizeof(discover)) ||
		  setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)))
		ktap_bail("MTU_DISCOVER: %s", strerror(errno));
	if (connect(fd, &a.sa, len))
		ktap_bail("connect: %s", strerror(errno));
	return fd;
}

/* One byte too long, from a program here: its socket and its route learn it. */
static void check_told_here(struct data_bed *bed, struct data_far *far,
			    bool six, unsigned int max)
{
	uint8_t data[2048] = { 0 }, got[WIRE_MAX];
	size_t fits = max - (six ? 48 : 28);
	int fd = asking_socket(bed, six), mtu = 0;
	socklen_t len = sizeof(mtu);
	struct data_drops before;

	CHECK_EQ(fits, send(fd, data, fits, 0));
	CHECK_EQ(max, data_far_recv(far, got, NULL, NULL));
	data_drops_read(bed, &before);
	CHECK_EQ(fits + 1, send(fd, data, fits + 1, 0));
	CHECK_EQ(max, told(fd, six));
	data_check_drops(bed, &before, "tx_drop_path_mtu", 1);
	/* from now on it does not even get so far */
	CHECK_EQ(-1, send(fd, data, fits + 1, 0));
	CHECK_EQ(EMSGSIZE, errno);
	CHECK_EQ(0, getsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP,
			       six ? IPV6_MTU : IP_MTU, &mtu, &len));
	CHECK_EQ(max, mtu);
	data_check_drops(bed, &before, "tx_drop_path_mtu", 1);
	CHECK(udp_quiet(far->fd, 0));
	close(fd);
}

static void too_long_from_here(struct data_bed *bed)
{
	unsigned int max = inside(bed, LINK_MTU);
	struct data_far far;
	int watch;

	if (!add(bed, &far))
		return;
	watch = packet_socket(bed->far, FAR_VETH);
	check_told_here(bed, &far, false, max);
	check_told_here(bed, &far, true, max);
	CHECK_EQ(0, look(watch).fragments);
	close(watch);
	data_far_close(&far);
}

/* Who allows fragments gets them, outside, whole inside. */
static void too_long_without_df(struct data_bed *bed)
{
	unsigned int max = inside(bed, LINK_MTU);
	struct data_drops before;
	struct data_far far;
	int watch;

	if (!add(bed, &far))
		return;
	data_drops_read(bed, &before);
	watch = packet_socket(bed->far, FAR_VETH);
	check_arrives(bed, &far, false, max, false);
	CHECK_EQ(0, look(watch).fragments);
	check_arrives(bed, &far, false, max + 1, false);
	CHECK_EQ(2, look(watch).fragments);
	check_arrives(bed, &far, false, LINK_MTU, false);
	CHECK_EQ(2, look(watch).fragments);
	data_check_no_drops(bed, &before);

	/* or who is not asked */
	set_path_mtu(bed, false);
	check_arrives(bed, &far, false, LINK_MTU, true);
	check_arrives(bed, &far, true, LINK_MTU, true);
	CHECK_EQ(4, look(watch).fragments);
	CHECK_EQ(0, look(watch).df);
	data_check_no_drops(bed, &before);
	close(watch);
	data_far_close(&far);
}

/* A stream takes all that the device does. */
static void too_long_over_tcp(struct data_bed *bed)
{
	const struct stream_conf conf = { 0 };
	const struct data_far_args args = { .id = PEER_ID, .tcp = &conf };
	struct data_drops before;
	struct data_far far;

	netns_run(bed->near, "ip link set " TUN " mtu %u", LINK_MTU);
	if (!data_far_add(bed, &far, &args))
		return;
	data_drops_read(bed, &before);
	check_arrives(bed, &far, false, LINK_MTU, true);
	check_arrives(bed, &far, true, LINK_MTU, true);
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/* The answer that a router gives, to the peer that sent the packet. */
static void check_told_peer(struct data_far *far, bool six,
			    const uint8_t *packet, unsigned int mtu)
{
	uint8_t got[WIRE_MAX];
	struct inner in = { 0 };
	ssize_t len = data_far_recv(far, got, NULL, NULL);

	if (!CHECK_GE(1, len) || !CHECK(inner_parse(got, len, &in)))
		return;
	CHECK_EQ(six ? IPPROTO_ICMPV6 : IPPROTO_ICMP, in.proto);
	CHECK_STREQ(six ? VPN_NEAR6 : VPN_NEAR4, in.src);
	CHECK_STREQ(six ? far->ipv6 : far->ipv4, in.dst);
	CHECK(in.checksums_good);
	CHECK_EQ(six ? ICMP6_PACKET_TOO_BIG : ICMP_DEST_UNREACH, in.echo_type);
	CHECK_EQ(six ? 0 : ICMP_FRAG_NEEDED, in.data[-7]);
	CHECK_EQ(0, in.echo_id);
	CHECK_EQ(mtu, in.echo_seq);
	/* addresses, ports, and more: whose packet it was */
	if (CHECK_GE(six ? 48 : 28, in.len))
		CHECK_MEMEQ(packet + (six ? 8 : 12), in.data + (six ? 8 : 12),
			    six ? 40 : 16);
}

static void check_too_long(struct data_bed *bed, struct data_far far[2],
			   bool six, unsigned int fits)
{
	const char *src = six ? far[0].ipv6 : far[0].ipv4;
	const char *dst = six ? far[1].ipv6 : far[1].ipv4;
	uint64_t before = ethtool_count(bed->near, TUN, "tx_drop_path_mtu");
	uint8_t packet[2048], got[WIRE_MAX];
	unsigned int i;

	make_udp(packet, src, dst, fits, true);
	data_far_send(&far[0], packet, fits);
	CHECK_EQ(fits, data_far_recv(&far[1], got, NULL, NULL));
	data_wait_count(bed, "tx_drop_path_mtu", before);
	/* each of them, not only the first: by IPv6 itself then */
	for (i = 1; i < 4; i++) {
		make_udp(packet, src, dst, fits + i, true);
		data_far_send(&far[0], packet, fits + i);
		check_told_peer(&far[0], six, packet, fits);
	}
	data_wait_count(bed, "tx_drop_path_mtu", before + (six ? 1 : 3));
	CHECK(udp_quiet(far[1].fd, 0));
	if (six)
		return;
	make_udp(packet, src, dst, fits + 1, false);
	data_far_send(&far[0], packet, fits + 1);
	CHECK_EQ(fits + 1, data_far_recv(&far[1], got, NULL, NULL));
	CHECK(udp_quiet(far[0].fd, 0));
}

/* IPv6 carries 1280 bytes everywhere, in fragments if need be. */
static void too_long_forwarded(struct data_bed *bed)
{
	unsigned int fits = inside(bed, NARROW_MTU);
	struct data_far far[2];

	if (!add_both(bed, far))
		return;
	check_too_long(bed, far, false, fits);
	check_too_long(bed, far, true, fits < 1280 ? 1280 : fits);
	data_far_close(&far[0]);
	data_far_close(&far[1]);
}

/* ---- what the path says ---- */

/* The first bytes of what the near end is said to have sent to the far end. */
static size_t quote(uint8_t *to, const struct data_far *far, bool six)
{
	struct udphdr udp = {
		.source = htons(far->to_port),
		.dest = htons(udp_port(far->fd)),
		.len = htons(1400),
	};
	struct ip6_hdr ip6 = {
		.ip6_flow = htonl(0x60000000),
		.ip6_plen = htons(1400),
		.ip6_nxt = IPPROTO_UDP,
		.ip6_hlim = 63,
	};
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(1420),
		.frag_off = htons(IP_DF),
		.ttl = 63,
		.protocol = IPPROTO_UDP,
	};
	size_t head = six ? sizeof(ip6) : sizeof(ip);

	inet_pton(AF_INET, NEAR4, &ip.saddr);
	inet_pton(AF_INET, FAR4, &ip.daddr);
	inet_pton(AF_INET6, NEAR6, &ip6.ip6_src);
	inet_pton(AF_INET6, FAR6, &ip6.ip6_dst);
	memcpy(to, six ? (void *)&ip6 : (void *)&ip, head);
	memcpy(to + head, &udp, sizeof(udp));
	return head + sizeof(udp);
}

static uint16_t icmp_sum(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i += 2)
		sum += data[i] << 8 | data[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* A router on the way to the far end says what comes behind it. */
static void path_says(struct data_bed *bed, const struct data_far *far,
		      unsigned int mtu)
{
	bool six = bed->arg == &v6;
	int fd = socket_in(bed->far, six ? AF_INET6 : AF_INET, SOCK_RAW,
			   six ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	uint8_t icmp[8 + 48] = {
		six ? ICMP6_PACKET_TOO_BIG : ICMP_DEST_UNREACH,
		six ? 0 : ICMP_FRAG_NEEDED, 0, 0, 0, 0, mtu >> 8, mtu,
	};
	size_t len = 8 + quote(icmp + 8, far, six);
	union addr a;
	socklen_t size;
	uint16_t sum;

	size = addr_make(&a, six ? AF_INET6 : AF_INET, six ? NEAR6 : NEAR4, 0);
	sum = icmp_sum(icmp, len);
	if (!six) {
		icmp[2] = sum >> 8;
		icmp[3] = sum;
	}
	CHECK_EQ(len, sendto(fd, icmp, len, 0, &a.sa, size));
	close(fd);
}

#define LEARNED_MTU	1380

static void each_learned(struct data_bed *bed, struct data_far *far,
			 struct syn *s)
{
	s->mss = 1460;
	s->want = mss_of(bed, LEARNED_MTU, s->six);
	check_layout(bed, far, &layouts[1], s);
	check_layout(bed, far, &layouts[2], s);
}

static void learned(struct data_bed *bed)
{
	unsigned int max = inside(bed, LEARNED_MTU);
	struct data_far far;

	if (!add(bed, &far))
		return;
	/* the route is known already */
	each_way(bed, &far, each_value);
	check_arrives(bed, &far, false, inside(bed, LINK_MTU), true);
	path_says(bed, &far, LEARNED_MTU);
	each_way(bed, &far, each_learned);
	check_arrives(bed, &far, false, max + 1, false);
	/* nobody believes that it became more */
	path_says(bed, &far, LINK_MTU);
	each_way(bed, &far, each_learned);
	set_path_mtu(bed, false);
	each_way(bed, &far, layouts_as_they_are);
	check_arrives(bed, &far, false, max + 1, true);
	set_path_mtu(bed, true);
	check_told_here(bed, &far, false, max);
	check_told_here(bed, &far, true, max);
	data_far_close(&far);
}

/* Large packets take another way inside the module. */
static void learned_by_large(struct data_bed *bed)
{
	unsigned int fits = inside(bed, LEARNED_MTU) - 28;
	int fd, watch, discover = IP_PMTUDISC_DONT;
	uint8_t data[6 * 1400] = { 0 }, got[WIRE_MAX];
	unsigned int size, i;
	struct data_far far;

	if (!add(bed, &far))
		return;
	watch = packet_socket(bed->far, FAR_VETH);
	path_says(bed, &far, LEARNED_MTU);
	fd = udp_socket(bed->near, VPN_NEAR4, 0);
	CHECK_EQ(0, setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover,
			       sizeof(discover)));
	for (size = fits; size < fits + 2; size++) {
		CHECK_EQ(5 * size, udp_send_segments(fd, VPN_FAR4, DATA_PORT,
						     data, 5 * size, size));
		for (i = 0; i < 5; i++)
			CHECK_EQ(28 + size, data_far_recv(&far, got, NULL,
							  NULL));
		CHECK_EQ(size > fits ? 10 : 0, look(watch).fragments);
	}
	close(fd);
	close(watch);
	data_far_close(&far);
}

/* Does a packet of this length arrive, in two fragments? */
static bool in_two(struct data_far *far, int fd, int watch, unsigned int len)
{
	uint8_t data[LINK_MTU] = { 0 }, got[WIRE_MAX];

	CHECK_EQ(len - 48, udp_send(fd, NULL, VPN_FAR6, DATA_PORT, data,
				    len - 48));
	CHECK_EQ(len, data_far_recv(far, got, NULL, NULL));
	return look(watch).fragments == 2;
}

/* What a sender wants to be done about the path of its own packets is not asked about
 * the tunnel's.
 */
static void learned_not_asked(struct data_bed *bed)
{
	unsigned int len = inside(bed, LEARNED_MTU) + 1;
	int fd, watch, discover = IPV6_PMTUDISC_PROBE;
	struct data_far far;

	if (!add(bed, &far))
		return;
	watch = packet_socket(bed->far, FAR_VETH);
	path_says(bed, &far, LEARNED_MTU);
	set_path_mtu(bed, false);
	fd = udp_socket(bed->near, VPN_NEAR6, 0);
	CHECK_EQ(0, setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover,
			       sizeof(discover)));
	CHECK(WAIT_FOR(in_two(&far, fd, watch, len), DATA_WAIT_MS));
	close(fd);
	close(watch);
	data_far_close(&far);
}

/*
 * A packet that must not be fragmented asks, once, and then seldom: where it is
 * lost it is the only one. What the path is known not to carry cannot ask.
 */
static void asks_path(struct data_bed *bed)
{
	unsigned int large = inside(bed, LINK_MTU);
	struct data_far far;
	struct seen seen;
	int64_t began;
	unsigned int i;
	int watch;

	if (!add(bed, &far))
		return;
	watch = packet_socket(bed->far, FAR_VETH);
	check_arrives(bed, &far, false, 200, true);
	check_arrives(bed, &far, false, large + 1, false);
	CHECK_EQ(0, look(watch).df);
	began = now_ms();
	for (i = 0; i < 20; i++)
		check_arrives(bed, &far, i & 1, large, i & 2);
	seen = look(watch);
	CHECK_EQ(20, seen.packets);
	CHECK(seen.first_df);
	CHECK_RANGE(1, 2 + (now_ms() - began) / 1000, seen.df);
	/* again, after a while, which the clock's seconds may make shorter */
	CHECK(WAIT_FOR(check_arrives(bed, &far, false, large, false) &&
		       (sleep_ms(100), look(watch).df), 10000));
	set_path_mtu(bed, false);
	sleep_ms(100);
	look(watch);
	for (i = 0; i < 50; i++) {
		check_arrives(bed, &far, false, large, true);
		sleep_ms(100);
	}
	CHECK_EQ(0, look(watch).df);
	close(watch);
	data_far_close(&far);
}

static const struct {
	const char *name;
	void (*run)(struct data_bed *bed);
	int mode;
} everywhere[] = {
	{ "MSS among other options", syn_layouts },
	{ "MSS is only lowered", syn_values },
	{ "MSS as it is", syn_untouched },
	{ "MSS of other packets", syn_not },
	{ "MSS of fragments", syn_fragments },
	{ "MSS from peer to peer", syn_forwarded, OVPN_MODE_MP },
	{ "too long, from here", too_long_from_here },
	{ "too long, may be fragmented", too_long_without_df },
	{ "too long, from peer to peer", too_long_forwarded, OVPN_MODE_MP },
	{ "the path says what it carries", learned },
	{ "the path says what it carries, large packets", learned_by_large },
	{ "the path says what it carries, the sender ignores it",
	  learned_not_asked },
};

#define COMBINED	(ARRAY_SIZE(everywhere) * 2)

int main(int argc, char **argv)
{
	static struct data_case cases[COMBINED + 3] = {
		{ "MSS over TCP", .run = syn_over_tcp },
		{ "too long, over TCP", .run = too_long_over_tcp },
		{ "the path is asked", .run = asks_path, .arg = &v4 },
	};
	static char names[COMBINED][80];
	const struct outer *o;
	unsigned int i;

	(void)argc;
	for (i = 0; i < COMBINED; i++) {
		o = i & 1 ? &v6 : &v4;
		snprintf(names[i], sizeof(names[i]), "%s: IPv%u",
			 everywhere[i / 2].name, i & 1 ? 6 : 4);
		cases[3 + i] = (struct data_case) {
			.name = names[i],
			.conf = { .bind = o->bind,
				  .mode = everywhere[i / 2].mode },
			.run = everywhere[i / 2].run,
			.arg = o,
		};
	}
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
