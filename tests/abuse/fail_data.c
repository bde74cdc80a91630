// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets both ways while memory runs out, over both transports. Packets may be
 * lost, where that is counted; nothing else may happen to them, and afterwards
 * all of them pass.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "abuse.h"
#include "data_util.h"

#define RECEIVED	1000
#define SENT		1000
#define PEER_ID		9
#define MOST		500

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif
#define SEGMENT		1000
#define SEGMENTS	8

static const struct stream_conf tcp;

static const struct data_far_args over_udp4 = { .id = PEER_ID };
static const struct data_far_args over_udp6 = { .id = PEER_ID, .addr = FAR6 };
static const struct data_far_args over_tcp = { .id = PEER_ID, .tcp = &tcp };

static bool set_up(struct data_bed *bed, struct data_far *far)
{
	if (!fault_available()) {
		ktap_skip("needs a kernel with fault injection");
		return false;
	}
	/* a page fault must not be the allocation that fails */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		ktap_bail("mlockall: %m");
	return data_far_add(bed, far, bed->arg) &&
	       CHECK(data_to_far(bed, far, NULL, NULL)) &&
	       CHECK(data_to_near(bed, far));
}

static uint64_t count_of(struct data_bed *bed, const char *name)
{
	return ethtool_count(bed->near, TUN, name);
}

static void drain(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		;
}

static void check_traffic(struct data_bed *bed, struct data_far *far)
{
	drain(bed->tap);
	CHECK(data_to_far(bed, far, NULL, NULL));
	CHECK(data_to_near(bed, far));
}

/* ---- sending, with one allocation failing after the other ---- */

/* A socket at the near end whose large packets the module has to cut. */
static int bulk_socket(struct data_bed *bed, const struct data_far *far)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(DATA_PORT),
	};
	int fd = udp_socket(bed->near, VPN_NEAR4, 0), size = SEGMENT;

	inet_pton(AF_INET, far->ipv4, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)))
		ktap_bail("UDP_SEGMENT: %m");
	return fd;
}

/* Packets that have arrived and open; what does not is an error. */
static unsigned int arrived(const struct data_far *far, int first_ms)
{
	uint8_t packet[WIRE_MAX], plain[WIRE_MAX];
	unsigned int count = 0;
	ssize_t len;

	for (;; count++, first_ms = 0) {
		len = far->tcp ? -EAGAIN : udp_recv(far->fd, packet,
						    sizeof(packet), first_ms,
						    NULL);
		if (far->tcp && !udp_quiet(far->fd, first_ms))
			len = stream_next(far->fd, packet, DATA_WAIT_MS);
		if (len < 0) {
			CHECK_ERR(-EAGAIN, len);
			return count;
		}
		if (!CHECK_GE(0, wire_open(&far->open, packet, len, plain,
					   NULL)))
			return count;
	}
}

static unsigned int dropped(struct data_bed *bed)
{
	return count_of(bed, "tx_drop_nomem") + count_of(bed, "tx_drop_gso") +
	       count_of(bed, "tx_drop_crypto") +
	       count_of(bed, "tx_drop_no_route");
}

static void send_each(struct data_bed *bed)
{
	static uint8_t bulk[SEGMENT * SEGMENTS];
	uint8_t small[200];
	unsigned int n, refused = 0, lost = 0, got, want;
	bool injected = true, large;
	struct data_far far;
	ssize_t ret;
	size_t len;
	int fd;

	if (!set_up(bed, &far))
		return;
	fd = bulk_socket(bed, &far);
	len = data_inner(small, VPN_NEAR4, far.ipv4, sizeof(small), 1);
	for (n = 2; n < 2 * MOST && injected && ktap_good(); n++) {
		large = n & 1;
		want = large ? SEGMENTS : 1;
		fault_arm(n / 2);
		if (large)
			ret = send(fd, bulk, sizeof(bulk), 0);
		else
			ret = data_near_send(bed, small, len);
		/* done when the longer way has no more to fail */
		injected = fault_disarm() || !large;
		got = arrived(&far, ret < 0 ? 0 : 300);
		CHECK_RANGE(0, ret < 0 ? 0 : want, got);
		if (ret < 0)
			refused++;
		else
			lost += want - got;
		CHECK(data_to_far(bed, &far, NULL, NULL));
	}
	CHECK(n < 2 * MOST);
	ktap_note("%u allocations: %u refused, %u packets lost, %u of them by us",
		  n / 2, refused, lost, dropped(bed));
	CHECK(refused);
	CHECK(lost);
	check_traffic(bed, &far);
	close(fd);
	data_far_close(&far);
}

/* ---- receiving ---- */

static bool all_counted(struct data_bed *bed, uint64_t want)
{
	struct data_dev dev;

	drain(bed->tap);
	drain(bed->sink);
	data_dev_counters(bed->near, TUN, &dev);
	return dev.rx_packets + count_of(bed, "rx_drop_nomem") >= want;
}

/*
 * A packet socket on the way makes the module copy what it shares with it, so
 * that there is something to run out of.
 */
static void receive(struct data_bed *bed)
{
	unsigned int i, count = scaled(RECEIVED), seen;
	struct data_dev before, after;
	uint8_t plain[600];
	struct data_far far;
	uint64_t nomem;
	size_t len;
	int tap;

	if (!set_up(bed, &far))
		return;
	tap = packet_socket(bed->near, NEAR_VETH);
	data_dev_counters(bed->near, TUN, &before);
	fault_start(FAULT_ATOMIC, 10);
	for (i = 0; i < count && ktap_good(); i++) {
		len = data_inner(plain, far.ipv4, VPN_NEAR4,
				 50 + chance_below(500), i);
		data_far_send(&far, plain, len);
		if (!(i % 32))
			drain(tap);
	}
	/* what TCP has lost it sends again */
	seen = far.tcp ? 10 : 1;
	WAIT_FOR(all_counted(bed, before.rx_packets + count),
		 seen * DATA_WAIT_MS);
	fault_stop();
	if (far.tcp)
		CHECK(WAIT_FOR(all_counted(bed, before.rx_packets + count),
			       10 * DATA_WAIT_MS));
	data_dev_counters(bed->near, TUN, &after);
	nomem = count_of(bed, "rx_drop_nomem");
	ktap_note("%llu delivered, %llu dropped by us",
		  (unsigned long long)(after.rx_packets - before.rx_packets),
		  (unsigned long long)nomem);
	CHECK(after.rx_packets > before.rx_packets);
	CHECK_GE(after.rx_packets - before.rx_packets, count);
	if (far.tcp)
		CHECK_EQ(count, after.rx_packets - before.rx_packets + nomem);
	else
		CHECK(nomem);
	close(tap);
	check_traffic(bed, &far);
	data_far_close(&far);
}

/* ---- sending while the kernel's workers have no memory ---- */

static void send_short(struct data_bed *bed)
{
	unsigned int i, count = scaled(SENT), done = 0, refused = 0, got = 0;
	struct ovpn_peer_info info;
	uint32_t before;
	uint8_t packet[600];
	struct data_far far;
	size_t len;

	if (!set_up(bed, &far))
		return;
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
	before = info.link_tx_packets;
	fault_start(FAULT_TASKS, 10);
	for (i = 0; i < count && ktap_good(); i++) {
		len = data_inner(packet, VPN_NEAR4, far.ipv4,
				 50 + chance_below(500), i);
		if (data_near_send(bed, packet, len))
			refused++;
		else
			done++;
		if (!(i % 32))
			got += arrived(&far, 0);
	}
	fault_stop();
	got += arrived(&far, DATA_WAIT_MS);
	ktap_note("%u sent, %u refused, %u arrived, %u dropped by us", done,
		  refused, got, dropped(bed));
	CHECK(refused);
	CHECK(got);
	CHECK_GE(got, done);
	CHECK_EQ(1, count_of(bed, "peers"));
	/* what has gone into the connection comes out of it */
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
	if (far.tcp)
		CHECK_EQ(info.link_tx_packets, before + got);
	else
		CHECK_GE(before + got, info.link_tx_packets);
	check_traffic(bed, &far);
	data_far_close(&far);
}

static const struct data_case cases[] = {
	{ "sending without one of the allocations, over UDP",
	  { OVPN_MODE_MP, "::" }, send_each, &over_udp4 },
	{ "sending without one of the allocations, over UDP and IPv6",
	  { OVPN_MODE_MP, "::" }, send_each, &over_udp6 },
	{ "sending without one of the allocations, over TCP",
	  { OVPN_MODE_MP }, send_each, &over_tcp },
	{ "sending while memory is short, over UDP",
	  { OVPN_MODE_MP }, send_short, &over_udp4 },
	{ "sending while memory is short, over TCP",
	  { OVPN_MODE_MP }, send_short, &over_tcp },
	{ "receiving while memory is short, over UDP",
	  { OVPN_MODE_MP }, receive, &over_udp4 },
	{ "receiving while memory is short, over UDP and IPv6",
	  { OVPN_MODE_MP, "::" }, receive, &over_udp6 },
	{ "receiving while memory is short, over TCP",
	  { OVPN_MODE_MP }, receive, &over_tcp },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
