// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small packets that come one right after the other leave as one large datagram,
 * and arrive as they were sent: at a far end made of libcrypto, which sees what is
 * on the wire.
 */
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "condition.h"
#include "data_util.h"
#include "family.h"

#define BURST		24
#define LEN_MAX		1300
/* Until some have left together: emulated machines are slow. */
#define ROUNDS		60

static const struct data_far_args one = { .id = 66 };
static const struct data_far_args two[2] = {
	{ .id = 1, .ipv4 = VPN_FAR4, .ipv6 = VPN_FAR6 },
	{ .id = 2, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B },
};

/* Lengths of the packets of a burst, in turn; a zero ends them */
static const size_t equal[] = { 100, 0 };
static const size_t large[] = { LEN_MAX, 0 };
static const size_t mixed[] = {
	100, 100, 100, 60, 100, LEN_MAX, LEN_MAX, 1, 1, 1, 700, 699, 0
};

/* As long as it may be, and as soon as there is one */
static void hold(struct data_bed *bed, unsigned int usecs)
{
	netns_run(bed->near, "ethtool -C " TUN " tx-usecs %u pkt-rate-high 1",
		  usecs);
}

static uint64_t merged(struct data_bed *bed)
{
	return ethtool_count(bed->near, TUN, "tx_merged");
}

static void fill(uint8_t *data, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = i * 13 + seed;
}

/* Datagrams in one system call, to each of some addresses in turn */
static void send_burst(int fd, const char *const dst[], unsigned int dsts,
		       const size_t *lens)
{
	static uint8_t data[BURST][LEN_MAX];
	struct sockaddr_storage to[2] = { 0 };
	struct mmsghdr msgs[BURST] = { 0 };
	struct iovec iov[BURST];
	unsigned int i, n = 0;

	for (i = 0; i < dsts; i++) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to[i];
		struct sockaddr_in *in = (struct sockaddr_in *)&to[i];

		if (inet_pton(AF_INET, dst[i], &in->sin_addr) == 1) {
			in->sin_family = AF_INET;
			in->sin_port = htons(DATA_PORT);
		} else {
			inet_pton(AF_INET6, dst[i], &in6->sin6_addr);
			in6->sin6_family = AF_INET6;
			in6->sin6_port = htons(DATA_PORT);
		}
	}
	for (i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){ data[i], lens[n] };
		fill(data[i], lens[n], i);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_name = &to[i % dsts];
		msgs[i].msg_hdr.msg_namelen = sizeof(to[0]);
		n = lens[n + 1] ? n + 1 : 0;
	}
	CHECK_EQ(BURST, sendmmsg(fd, msgs, BURST, 0));
}

/* Those of a burst that are for one of so many addresses, in order */
static bool receive_burst(struct data_far *far, unsigned int which,
			  unsigned int dsts, const size_t *lens)
{
	uint8_t got[WIRE_MAX], want[LEN_MAX];
	struct wire_header h = { 0 };
	struct inner in = { 0 };
	unsigned int i, n = 0;
	uint32_t id = 0;
	ssize_t len;

	for (i = 0; i < BURST; i++, n = lens[n + 1] ? n + 1 : 0) {
		if (i % dsts != which)
			continue;
		len = data_far_recv(far, got, &h, NULL);
		if (!CHECK_MSG(len > 0, "packet %u did not arrive: %zd", i, len) ||
		    !CHECK(inner_parse(got, len, &in)) ||
		    !CHECK(in.checksums_good) || !CHECK_EQ(lens[n], in.len))
			return false;
		fill(want, lens[n], i);
		if (!CHECK_MEMEQ(want, in.data, lens[n]) ||
		    (id && !CHECK_EQ(id + 1, h.packet_id)))
			return false;
		id = h.packet_id;
	}
	return true;
}

/* All that was sent is given back to the socket. */
static void check_uncharged(int fd)
{
	int left = -1, tries;

	for (tries = 0; tries < 300; tries++) {
		if (!CHECK_EQ(0, ioctl(fd, SIOCOUTQ, &left)) || !left)
			break;
		usleep(10000);
	}
	CHECK_EQ(0, left);
}

static void check_bursts(struct data_bed *bed, struct data_far *far,
			 const char *src, const char *dst, const size_t *lens)
{
	const char *const dsts[] = { dst };
	uint64_t before = merged(bed);
	int fd, i;

	fd = udp_socket(bed->near, src, 0);
	for (i = 0; ktap_good() && i < ROUNDS && merged(bed) == before; i++) {
		send_burst(fd, dsts, 1, lens);
		if (!receive_burst(far, 0, 1, lens))
			break;
		/* if it was in vain, the next ones are not held for a while */
		usleep(20000);
	}
	CHECK_GE(2, merged(bed) - before);
	check_uncharged(fd);
	close(fd);
}

static void together(struct data_bed *bed)
{
	struct data_drops before;
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	hold(bed, 1000);
	check_bursts(bed, &far, VPN_NEAR4, VPN_FAR4, equal);
	check_bursts(bed, &far, VPN_NEAR6, VPN_FAR6, equal);
	check_bursts(bed, &far, VPN_NEAR4, VPN_FAR4, large);
	check_bursts(bed, &far, VPN_NEAR4, VPN_FAR4, mixed);
	check_bursts(bed, &far, VPN_NEAR6, VPN_FAR6, mixed);
	CHECK(udp_quiet(far.fd, 0));
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/* What is counted does not depend on how it leaves. */
static void counted(struct data_bed *bed)
{
	const char *const dst[] = { VPN_FAR4 };
	struct data_dev before, after;
	uint64_t was = merged(bed);
	struct data_far far;
	int fd, rounds = 0;

	if (!data_far_add(bed, &far, &one))
		return;
	hold(bed, 1000);
	data_dev_counters(bed->near, TUN, &before);
	fd = udp_socket(bed->near, VPN_NEAR4, 0);
	while (ktap_good() && rounds < ROUNDS && merged(bed) == was) {
		send_burst(fd, dst, 1, equal);
		receive_burst(&far, 0, 1, equal);
		rounds++;
	}
	data_dev_counters(bed->near, TUN, &after);
	CHECK_EQ(rounds * BURST, after.tx_packets - before.tx_packets);
	CHECK_EQ(rounds * BURST * 128, after.tx_bytes - before.tx_bytes);
	close(fd);
	data_far_close(&far);
}

/* No packet of a flow overtakes another one, however they leave. */
static void in_order(struct data_bed *bed)
{
	static const uint8_t small[100], big[LEN_MAX * 3];
	uint8_t got[WIRE_MAX];
	struct inner in = { 0 };
	struct data_far far;
	unsigned int i, n;
	ssize_t len;
	int fd;

	if (!data_far_add(bed, &far, &one))
		return;
	hold(bed, 1000);
	fd = udp_socket(bed->near, VPN_NEAR4, 0);
	for (i = 0; ktap_good() && i < 20; i++) {
		for (n = 0; n < 3; n++)
			udp_send(fd, NULL, VPN_FAR4, DATA_PORT, small,
				 sizeof(small) - n);
		udp_send_segments(fd, VPN_FAR4, DATA_PORT, big, sizeof(big),
				  LEN_MAX);
		udp_send(fd, NULL, VPN_FAR4, DATA_PORT, small, 50);
		for (n = 0; ktap_good() && n < 7; n++) {
			len = data_far_recv(&far, got, NULL, NULL);
			if (CHECK_GE(1, len) && CHECK(inner_parse(got, len, &in)))
				CHECK_EQ(n < 3 ? sizeof(small) - n :
					 n < 6 ? LEN_MAX : 50, in.len);
		}
	}
	close(fd);
	data_far_close(&far);
}

/* Or they are cut before they can be seen, on old kernels for one. */
static bool link_takes_trains(struct data_bed *bed)
{
	return !under("offloads-off") && !under("gro") &&
	       !netns_sh(bed->near, "ethtool -k " NEAR_VETH
			 " | grep -q '^tx-udp-segmentation: on'");
}

/* What data_watch() saw leave: no datagram with packets of several flows, of which
 * @flow has the numbers by packet id
 */
static void check_trains(struct data_bed *bed, int watch, const uint8_t *flow,
			 size_t packets)
{
	/* Each of them has 100 bytes in it. */
	const size_t sealed_len = WIRE_HEADER_LEN + 20 + 8 + 100;
	struct data_sealed sealed;
	unsigned int trains = 0;
	size_t n;

	while (ktap_good() && data_watch_sealed(watch, &sealed)) {
		CHECK_EQ(0, sealed.len % sealed_len);
		trains += sealed.len > sealed_len;
		for (n = 0; n < sealed.len / sealed_len; n++)
			if (CHECK(sealed.packet_id + n < packets))
				CHECK_EQ(flow[sealed.packet_id],
					 flow[sealed.packet_id + n]);
	}
	if (link_takes_trains(bed))
		CHECK_GE(1, trains);
}

#define FLOWS		4	/* more than a guest's device has queues */
#define FEW		3	/* packets of a flow in one system call */

/* Each says which flow it is of, and how many there were before. */
static void send_few(int fd, unsigned int flow, unsigned int before)
{
	static uint8_t data[FEW][100];
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(DATA_PORT),
		.sin_addr.s_addr = inet_addr(VPN_FAR4),
	};
	struct mmsghdr msgs[FEW] = { 0 };
	struct iovec iov[FEW];
	unsigned int i;

	for (i = 0; i < FEW; i++) {
		data[i][0] = flow;
		data[i][1] = before + i;
		iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_name = &to;
		msgs[i].msg_hdr.msg_namelen = sizeof(to);
	}
	CHECK_EQ(FEW, sendmmsg(fd, msgs, FEW, 0));
}

/* What came of all flows, into @flow by packet id: those of each in order */
static bool receive_flows(struct data_far *far, uint8_t *flow, size_t packets)
{
	unsigned int n, seen[FLOWS] = { 0 };
	uint8_t got[WIRE_MAX];
	struct wire_header h = { 0 };
	struct inner in = { 0 };
	ssize_t len;

	for (n = 0; n < BURST; n++) {
		len = data_far_recv(far, got, &h, NULL);
		if (!CHECK_GE(1, len) || !CHECK(inner_parse(got, len, &in)) ||
		    !CHECK_EQ(100, in.len) || !CHECK(in.data[0] < FLOWS) ||
		    !CHECK(h.packet_id < packets) ||
		    !CHECK_EQ(seen[in.data[0]]++, in.data[1]))
			return false;
		flow[h.packet_id] = in.data[0];
	}
	return true;
}

/* Flows of one peer leave together each with its own, and stay in order. */
static void flows(struct data_bed *bed)
{
	uint8_t flow[(ROUNDS + 1) * BURST] = { 0 };
	uint64_t was = merged(bed);
	unsigned int i, n;
	struct data_far far;
	int fd[FLOWS], watch;

	if (!data_far_add(bed, &far, &one))
		return;
	hold(bed, 1000);
	watch = data_watch(bed->near, NEAR_VETH);
	for (i = 0; i < FLOWS; i++)
		fd[i] = udp_socket(bed->near, VPN_NEAR4, 0);
	for (i = 0; i < ROUNDS && (i < 20 || merged(bed) == was); i++) {
		for (n = 0; n < BURST / FEW; n++)
			send_few(fd[n % FLOWS], n % FLOWS, n / FLOWS * FEW);
		if (!receive_flows(&far, flow, sizeof(flow)))
			break;
		usleep(20000);
	}
	check_trains(bed, watch, flow, sizeof(flow));
	for (i = 0; i < FLOWS; i++) {
		check_uncharged(fd[i]);
		close(fd[i]);
	}
	close(watch);
	data_far_close(&far);
}

/* Each peer gets its own, whoever's they were held with. */
static void two_peers(struct data_bed *bed)
{
	static const char *const dst[] = { VPN_FAR4, VPN_FAR4_B };
	struct data_far far[2];
	int fd, i;

	if (!data_far_add(bed, &far[0], &two[0]) ||
	    !data_far_add(bed, &far[1], &two[1]))
		return;
	hold(bed, 1000);
	fd = udp_socket(bed->near, VPN_NEAR4, 0);
	for (i = 0; ktap_good() && i < 20; i++) {
		send_burst(fd, dst, 2, mixed);
		receive_burst(&far[0], 0, 2, mixed);
		receive_burst(&far[1], 1, 2, mixed);
	}
	CHECK(udp_quiet(far[0].fd, 0));
	CHECK(udp_quiet(far[1].fd, 0));
	check_uncharged(fd);
	close(fd);
	data_far_close(&far[0]);
	data_far_close(&far[1]);
}

/* Neither packets that come seldom, nor if nobody wants it */
static void apart(struct data_bed *bed)
{
	const char *const dst[] = { VPN_FAR4 };
	struct data_far far;
	int fd, i;

	if (!data_far_add(bed, &far, &one))
		return;
	fd = udp_socket(bed->near, VPN_NEAR4, 0);
	for (i = 0; ktap_good() && i < 20; i++) {
		data_to_far(bed, &far, NULL, NULL);
		usleep(2000);
	}
	CHECK_EQ(0, merged(bed));
	hold(bed, 0);
	for (i = 0; ktap_good() && i < 5; i++) {
		send_burst(fd, dst, 1, equal);
		receive_burst(&far, 0, 1, equal);
	}
	CHECK_EQ(0, merged(bed));
	hold(bed, 1000);
	CHECK_ERR(0, ethtool_set_flag(bed->near, TUN, "udp-gso", false));
	for (i = 0; ktap_good() && i < 5; i++) {
		send_burst(fd, dst, 1, equal);
		receive_burst(&far, 0, 1, equal);
	}
	CHECK_EQ(0, merged(bed));
	close(fd);
	data_far_close(&far);
}

/* Peer, link or device go while packets are held. */
static void gone(struct data_bed *bed)
{
	const char *const dst[] = { VPN_FAR4 };
	struct data_far far;
	int fd, i;

	hold(bed, 1000);
	fd = udp_socket(bed->near, VPN_NEAR4, 0);
	for (i = 0; ktap_good() && i < 10; i++) {
		if (!data_far_add(bed, &far, &one))
			return;
		send_burst(fd, dst, 1, equal);
		CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, one.id));
		data_far_close(&far);
		check_uncharged(fd);
	}
	if (!data_far_add(bed, &far, &one))
		return;
	send_burst(fd, dst, 1, equal);
	netns_run(bed->near, "ip link set " TUN " down");
	check_uncharged(fd);
	netns_run(bed->near, "ip link set " TUN " up");
	send_burst(fd, dst, 1, equal);
	CHECK_ERR(0, ovpn_link_del(bed->near, TUN));
	check_uncharged(fd);
	close(fd);
	data_far_close(&far);
}

static void check_settings(struct data_bed *bed, const char *want)
{
	char text[256];

	CHECK_EQ(0, netns_read(bed->near, text, sizeof(text),
			       "ethtool -c " TUN " | awk '%s'",
			       "/^(tx-usecs|pkt-rate-high):/ { printf \"%s \", $2 }"));
	CHECK_STREQ(want, text);
}

/* Many peers in turn have nothing that could leave together: not unless told to */
static void settings_mp(struct data_bed *bed)
{
	check_settings(bed, "20000 0 ");
	netns_run(bed->near, "ethtool -C " TUN " tx-usecs 50");
	check_settings(bed, "20000 50 ");
}

/* What a new device has, as in the README, and what may be set */
static void settings(struct data_bed *bed)
{
	char text[256];

	check_settings(bed, "20000 50 ");
	CHECK(netns_read(bed->near, text, sizeof(text),
			 "ethtool -C " TUN " tx-usecs 1001 2>&1"));
	CHECK(netns_read(bed->near, text, sizeof(text),
			 "ethtool -C " TUN " pkt-rate-high 100000001 2>&1"));
	CHECK(netns_read(bed->near, text, sizeof(text),
			 "ethtool -C " TUN " rx-usecs 1 2>&1"));
	hold(bed, 1000);
	check_settings(bed, "1 1000 ");
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "settings", .run = settings },
		{ "settings with many peers", { .mode = OVPN_MODE_MP },
		  .run = settings_mp },
		{ "small packets leave together", .run = together },
		{ "they are counted one by one", .run = counted },
		{ "none overtakes another", .run = in_order },
		{ "several flows", .run = flows },
		{ "two peers", { .mode = OVPN_MODE_MP }, .run = two_peers },
		{ "not held", .run = apart },
		{ "peer, link and device gone", .run = gone },
	};

	(void)argc;
	/* what is held leaves on the processor that it came from */
	data_stay_on_cpu();
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
