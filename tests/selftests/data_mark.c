// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which way the tunnel's own packets go: SO_MARK and SO_BINDTODEVICE of the
 * socket decide, the mark of what is inside does not; routes that lead nowhere
 * or back into the tunnel end in a counter.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "condition.h"
#include "data_util.h"

#define PEER_ID		55
#define MARK		7
#define TABLE		100

/*
 * The far end's address is on none of the links: it can be reached by two of
 * them, by the first unless something says otherwise.
 */
struct ways {
	const char *bind;
	const char *ip;		/* the command */
	const char *far;
	const char *far_len;
	const char *gateway[2];
	const char *source[2];	/* the near end's address on each link */
};

static const struct ways v4 = {
	"0.0.0.0", "ip -4", "10.99.0.2", "10.99.0.2/32",
	{ FAR4, "192.168.78.2" }, { NEAR4, "192.168.78.1" },
};

static const struct ways v6 = {
	"::", "ip -6", "fd99::2", "fd99::2/128",
	{ FAR6, "fd78::2" }, { NEAR6, "fd78::1" },
};

static const struct ways mapped = {
	"::", "ip -4", "10.99.0.2", "10.99.0.2/32",
	{ FAR4, "192.168.78.2" }, { NEAR4, "192.168.78.1" },
};

static void second_link(struct data_bed *bed)
{
	const struct ways *w = bed->arg;

	netns_run(bed->near, "ip -batch - <<-E\n"
		  "link add w0 type veth peer name w1 netns %s\n"
		  "addr add 192.168.78.1/24 dev w0\n"
		  "addr add fd78::1/64 dev w0 nodad\n"
		  "link set w0 up\n"
		  "E", netns_path(bed->far));
	netns_run(bed->far, "ip -batch - <<-E\n"
		  "addr add 192.168.78.2/24 dev w1\n"
		  "addr add fd78::2/64 dev w1 nodad\n"
		  "addr add %s dev lo\n"
		  "link set w1 up\n"
		  "E", w->far_len);
	condition_link(bed->near, "w0");
	condition_link(bed->far, "w1");
	netns_run(bed->near, "%s -batch - <<-E\n"
		  "route add %s via %s dev " NEAR_VETH " metric 10\n"
		  "route add %s via %s dev w0 metric 20\n"
		  "route add %s via %s dev w0 table %d\n"
		  "E", w->ip, w->far_len, w->gateway[0], w->far_len,
		  w->gateway[1], w->far_len, w->gateway[1], TABLE);
}

static bool add(struct data_bed *bed, struct data_far *far)
{
	const struct ways *w = bed->arg;
	const struct data_far_args args = { .id = PEER_ID, .addr = w->far };

	return data_far_add(bed, far, &args);
}

/* The far end receives by one of the two links. */
static void check_way(struct data_bed *bed, const struct data_far *far,
		      unsigned int way)
{
	const struct ways *w = bed->arg;
	struct udp_source source = { .addr = "" };

	data_to_far(bed, far, NULL, &source);
	CHECK_STREQ(w->source[way], source.addr);
}

static void set_mark(int fd, int mark)
{
	CHECK_EQ(0, setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
}

static void mark_picks_route(struct data_bed *bed)
{
	const struct ways *w = bed->arg;
	struct data_far far;

	second_link(bed);
	netns_run(bed->near, "%s rule add fwmark %d lookup %d", w->ip, MARK,
		  TABLE);
	if (!add(bed, &far))
		return;
	check_way(bed, &far, 0);
	/* changed while the route to the peer is known already */
	set_mark(bed->sock, MARK);
	check_way(bed, &far, 1);
	check_way(bed, &far, 1);
	set_mark(bed->sock, MARK + 1);
	check_way(bed, &far, 0);
	data_far_close(&far);

	set_mark(bed->sock, MARK);
	if (!add(bed, &far))
		return;
	check_way(bed, &far, 1);
	data_far_close(&far);
}

static void bind_to(int fd, const char *dev)
{
	CHECK_EQ(0, setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
			       strlen(dev)));
}

static void device_honoured(struct data_bed *bed)
{
	struct data_far far;

	second_link(bed);
	if (!add(bed, &far))
		return;
	check_way(bed, &far, 0);
	bind_to(bed->sock, "w0");
	check_way(bed, &far, 1);
	bind_to(bed->sock, NEAR_VETH);
	check_way(bed, &far, 0);
	bind_to(bed->sock, "");
	check_way(bed, &far, 0);
	data_far_close(&far);

	bind_to(bed->sock, "w0");
	if (!add(bed, &far))
		return;
	check_way(bed, &far, 1);
	data_far_close(&far);
}

/* A packet socket that sees what leaves through a device with this mark. */
static int mark_watcher(struct data_bed *bed, uint32_t mark)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_MARK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = {
		.len = ARRAY_SIZE(code),
		.filter = code,
	};
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = netns_ifindex(bed->near, NEAR_VETH),
	};
	int fd;

	netns_enter(bed->near);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	netns_enter(netns_home());
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
				 sizeof(filter)) ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		ktap_bail("packet socket: %s", strerror(errno));
	return fd;
}

#define INNER_MARK	9

/* The mark of a packet inside is spent on the way into the tunnel. */
static void inner_mark_stays_inside(struct data_bed *bed)
{
	const struct ways *w = bed->arg;
	int inner, none, outer;
	struct data_far far;
	uint8_t buf[2048];

	second_link(bed);
	netns_run(bed->near, "%s rule add fwmark %d lookup %d", w->ip,
		  INNER_MARK, TABLE);
	if (!add(bed, &far))
		return;
	inner = mark_watcher(bed, INNER_MARK);
	none = mark_watcher(bed, 0);
	outer = mark_watcher(bed, MARK);
	set_mark(bed->raw4, INNER_MARK);
	check_way(bed, &far, 0);
	check_way(bed, &far, 0);
	CHECK_GE(1, packet_recv(none, buf, sizeof(buf), DATA_WAIT_MS));
	/* the socket's mark is what the tunnel's packets carry */
	set_mark(bed->sock, MARK);
	check_way(bed, &far, 0);
	CHECK_GE(1, packet_recv(outer, buf, sizeof(buf), DATA_WAIT_MS));
	CHECK_EQ(-EAGAIN, packet_recv(inner, buf, sizeof(buf), 0));
	close(inner);
	close(none);
	close(outer);
	data_far_close(&far);
}

static void expect_tx_drops(struct data_bed *bed, struct data_far *far,
			    const char *reason)
{
	struct data_drops before;
	uint8_t plain[WIRE_MAX];
	unsigned int i;
	size_t size, len;

	data_drops_read(bed, &before);
	for (i = 0; i < 5; i++) {
		/* some as no path that the tunnel goes could take: there is none */
		size = i & 1 ? 1400 : 100;
		len = data_inner(plain, VPN_NEAR4, VPN_FAR4, size, i);
		CHECK_ERR(0, data_near_send(bed, plain, len));
		len = data_inner(plain, VPN_NEAR6, VPN_FAR6, size, i);
		CHECK_ERR(0, data_near_send(bed, plain, len));
	}
	data_check_drops(bed, &before, reason, 10);
	CHECK(udp_quiet(far->fd, 0));
}

static void loop(struct data_bed *bed)
{
	const struct ways *w = bed->arg;
	struct data_far far;

	second_link(bed);
	if (!add(bed, &far))
		return;
	check_way(bed, &far, 0);
	netns_run(bed->near, "%s route add %s dev " TUN " metric 1", w->ip,
		  w->far_len);
	expect_tx_drops(bed, &far, "tx_drop_loop");
	netns_run(bed->near, "%s route del %s dev " TUN " metric 1", w->ip,
		  w->far_len);
	check_way(bed, &far, 0);
	data_far_close(&far);
}

/* How it happens: the server pushes a default route and nothing is excepted. */
static void default_route_loop(struct data_bed *bed)
{
	const struct ways *w = bed->arg;
	struct data_far far;

	second_link(bed);
	netns_run(bed->near, "%s route flush %s", w->ip, w->far_len);
	netns_run(bed->near, "%s route add default dev " TUN, w->ip);
	if (!add(bed, &far))
		return;
	expect_tx_drops(bed, &far, "tx_drop_loop");
	data_far_close(&far);
}

static void no_route(struct data_bed *bed)
{
	const struct ways *w = bed->arg;
	struct data_far far;

	second_link(bed);
	if (!add(bed, &far))
		return;
	check_way(bed, &far, 0);
	netns_run(bed->near, "%s route add unreachable %s metric 1", w->ip,
		  w->far_len);
	expect_tx_drops(bed, &far, "tx_drop_no_route");
	netns_run(bed->near, "%s route del unreachable %s metric 1", w->ip,
		  w->far_len);
	check_way(bed, &far, 0);
	netns_run(bed->near, "%s route flush %s", w->ip, w->far_len);
	expect_tx_drops(bed, &far, "tx_drop_no_route");
	/* one link goes, the other is left: the tunnel follows */
	netns_run(bed->near, "%s route add %s via %s", w->ip, w->far_len,
		  w->gateway[1]);
	check_way(bed, &far, 1);
	data_far_close(&far);
}

static void link_lost(struct data_bed *bed)
{
	struct data_far far;

	second_link(bed);
	if (!add(bed, &far))
		return;
	check_way(bed, &far, 0);
	netns_run(bed->near, "ip link set " NEAR_VETH " down");
	check_way(bed, &far, 1);
	netns_run(bed->near, "ip link del w0");
	expect_tx_drops(bed, &far, "tx_drop_no_route");
	data_far_close(&far);
}

static const struct {
	const char *name;
	void (*run)(struct data_bed *bed);
} everywhere[] = {
	{ "SO_MARK picks the route", mark_picks_route },
	{ "SO_BINDTODEVICE picks the route", device_honoured },
	{ "loop through the tunnel", loop },
	{ "loop by default route", default_route_loop },
	{ "no route", no_route },
	{ "link lost", link_lost },
};

#define COMBINED	(ARRAY_SIZE(everywhere) * 3)

int main(int argc, char **argv)
{
	static const struct ways * const ways[] = { &v4, &v6, &mapped };
	static const char * const names_of_ways[] = {
		"IPv4", "IPv6", "mapped IPv4"
	};
	static struct data_case cases[1 + COMBINED] = {
		{ "mark of inner packets stays inside",
		  .run = inner_mark_stays_inside, .arg = &v4 },
	};
	static char names[COMBINED][80];
	unsigned int i;

	(void)argc;
	for (i = 0; i < COMBINED; i++) {
		snprintf(names[i], sizeof(names[i]), "%s: %s",
			 everywhere[i / 3].name, names_of_ways[i % 3]);
		cases[1 + i] = (struct data_case) {
			.name = names[i],
			.conf = { .bind = ways[i % 3]->bind },
			.run = everywhere[i / 3].run,
			.arg = ways[i % 3],
		};
	}
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
