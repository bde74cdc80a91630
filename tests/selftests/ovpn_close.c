// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets in the family ovpn: who closes one gives up the peers on it; one
 * device has several, of both protocols.
 */
#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/udp.h>

#include "data_util.h"
#include "family.h"

static const struct data_conf mp = { .mode = OVPN_MODE_MP };
static const struct stream_conf usual;

/* Each of these, once, in any order, for this reason; and nobody else. */
static void expect_gone(struct data_bed *bed, uint32_t ids, unsigned int reason)
{
	struct ovpn_ntf ntf = { 0 };
	uint32_t gone = 0;

	while (gone != ids && !data_wait_ntf(bed, &ntf, DATA_WAIT_MS)) {
		CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
		CHECK(ntf.exact);
		CHECK_EQ(reason, ntf.reason);
		if (!CHECK_RANGE(1, 31, ntf.peer_id))
			return;
		CHECK_MSG(!(gone & 1U << ntf.peer_id), "peer %u twice",
			  ntf.peer_id);
		gone |= 1U << ntf.peer_id;
	}
	CHECK_EQ(ids, gone);
	CHECK(udp_quiet(ovpn_listener_fd(bed->ntf), 200));
	for (ntf.peer_id = 1; ntf.peer_id < 32; ntf.peer_id++)
		if (ids & 1U << ntf.peer_id)
			CHECK_ERR(-ENOENT,
				  ovpn_nl_get_peer(bed->nl, bed->ifindex,
						   ntf.peer_id, NULL));
}

/* A peer of its own VPN addresses on another socket than the bed's. */
static bool add_on(struct data_bed *bed, struct data_far *far, uint32_t id,
		   int sock, uint16_t port, const char *ipv4)
{
	const struct data_far_args args = { .id = id, .ipv4 = ipv4 };
	int mine = bed->sock;
	bool good;

	bed->sock = sock;
	good = data_far_add(bed, far, &args);
	bed->sock = mine;
	far->to_port = port;
	return good;
}

static void udp_closed(struct data_bed *bed)
{
	const struct data_far_args two = { .id = 2, .ipv4 = VPN_FAR4_B };
	const struct data_far_args one = { .id = 1, .ipv4 = VPN_FAR4 };
	int other = udp_socket(bed->near, "0.0.0.0", 1195);
	struct data_far a, b, c;

	if (!data_far_add(bed, &a, &one) || !data_far_add(bed, &b, &two) ||
	    !add_on(bed, &c, 3, other, 1195, "10.8.0.4"))
		return;
	data_to_far(bed, &a, NULL, NULL);
	close(bed->sock);
	bed->sock = -1;
	expect_gone(bed, 1U << 1 | 1U << 2,
		    OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	/* another socket's peer stays */
	data_to_far(bed, &c, NULL, NULL);
	data_to_near(bed, &c);
	CHECK_EQ(1, ethtool_count(bed->near, TUN, "peers"));
	data_far_close(&a);
	data_far_close(&b);
	data_far_close(&c);
	close(other);
}

/* A socket with two descriptors is closed with the second one. */
static void udp_closed_half(struct data_bed *bed)
{
	const struct data_far_args one = { .id = 1 };
	struct data_far far;
	int second = dup(bed->sock);

	if (!data_far_add(bed, &far, &one))
		return;
	close(bed->sock);
	bed->sock = second;
	CHECK(udp_quiet(ovpn_listener_fd(bed->ntf), 300));
	data_to_far(bed, &far, NULL, NULL);
	data_to_near(bed, &far);
	close(second);
	bed->sock = -1;
	expect_gone(bed, 1U << 1, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	data_far_close(&far);
}

/* The port is free at once, and a new socket at it is like any. */
static void udp_port_again(struct data_bed *bed)
{
	const struct data_far_args one = { .id = 1 };
	struct data_far far;
	unsigned int i;

	for (i = 0; i < 20 && ktap_good(); i++) {
		if (!data_far_add(bed, &far, &one))
			return;
		data_to_near(bed, &far);
		close(bed->sock);
		bed->sock = udp_socket(bed->near, "0.0.0.0", NEAR_PORT);
		expect_gone(bed, 1U << 1,
			    OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
		data_far_close(&far);
	}
}

/* Its owner has made it IPsec's meanwhile, or nobody's, about which we are not asked.
 * The kernel does not tell us when the latter is closed.
 */
static void udp_closed_after(struct data_bed *bed, int encap, int told_ms)
{
	const struct data_far_args one = { .id = 1 };
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	if (setsockopt(bed->sock, IPPROTO_UDP, UDP_ENCAP, &encap,
		       sizeof(encap))) {
		CHECK_EQ(ENOPROTOOPT, errno);
		ktap_skip("this kernel has no IPsec");
		data_far_close(&far);
		return;
	}
	close(bed->sock);
	bed->sock = -1;
	CHECK(!udp_quiet(ovpn_listener_fd(bed->ntf), told_ms));
	expect_gone(bed, 1U << 1, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	data_far_close(&far);
}

static void udp_closed_by_ipsec(struct data_bed *bed)
{
	udp_closed_after(bed, UDP_ENCAP_ESPINUDP, DATA_WAIT_MS);
}

static void udp_closed_unnoticed(struct data_bed *bed)
{
	udp_closed_after(bed, 0, 20000);
}

/* Under way in both directions while it is closed. */
static void udp_closed_busy(struct data_bed *bed)
{
	const struct data_far_args one = { .id = 1 };
	uint8_t in[600], out[600], packet[WIRE_MAX];
	size_t in_len, out_len;
	struct data_far far;
	unsigned int i, n;
	ssize_t len;

	in_len = data_inner(in, VPN_FAR4, VPN_NEAR4, 500, 1);
	out_len = data_inner(out, VPN_NEAR4, VPN_FAR4, 500, 2);
	for (i = 0; i < 20 && ktap_good(); i++) {
		if (!data_far_add(bed, &far, &one))
			return;
		for (n = 0; n < 50; n++) {
			data_near_send(bed, out, out_len);
			len = wire_seal(&far.seal, 1, far.next++, in, in_len,
					packet);
			udp_send(far.fd, NULL, far.to, far.to_port, packet,
				 len);
			if (n == 25)
				close(bed->sock);
		}
		expect_gone(bed, 1U << 1,
			    OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
		bed->sock = udp_socket(bed->near, "0.0.0.0", NEAR_PORT);
		data_far_close(&far);
	}
}

static void tcp_closed(struct data_bed *bed)
{
	const struct data_far_args args[2] = {
		{ .id = 1, .ipv4 = VPN_FAR4, .tcp = &usual },
		{ .id = 2, .ipv4 = VPN_FAR4_B, .tcp = &usual },
	};
	struct data_far a, b;
	uint8_t got[64];

	if (!data_far_add(bed, &a, &args[0]) ||
	    !data_far_add(bed, &b, &args[1]))
		return;
	data_to_far(bed, &a, NULL, NULL);
	close(a.sock);
	expect_gone(bed, 1U << 1, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	/* and the other end sees the end */
	CHECK_EQ(0, stream_read(a.fd, got, 1, DATA_WAIT_MS));
	data_to_far(bed, &b, NULL, NULL);
	data_to_near(bed, &b);
	close(a.fd);
	data_far_close(&b);
}

static void tcp_closed_p2p(struct data_bed *bed)
{
	const struct data_far_args args = { .id = 1, .tcp = &usual };
	struct data_far far;

	if (!data_far_add(bed, &far, &args))
		return;
	data_to_near(bed, &far);
	close(far.sock);
	expect_gone(bed, 1U << 1, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	close(far.fd);
}

/* ---- a server with several sockets ---- */

static void both_ways(struct data_bed *bed, struct data_far *far,
		      unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		data_to_far(bed, &far[i], NULL, NULL);
		data_to_near(bed, &far[i]);
	}
}

static void many_sockets(struct data_bed *bed)
{
	static const struct stream_conf accepting = { .accepts = true };
	const struct data_far_args first = { .id = 1, .ipv4 = "10.8.0.21" };
	const struct data_far_args tcp[2] = {
		{ .id = 4, .ipv4 = "10.8.0.24", .tcp = &usual },
		{ .id = 5, .ipv4 = "10.8.0.25", .tcp = &accepting },
	};
	int second = udp_socket(bed->near, "0.0.0.0", 1195);
	int third = udp_socket(bed->near, "::", 1196);
	struct data_far far[5];
	unsigned int round;

	if (!data_far_add(bed, &far[0], &first) ||
	    !add_on(bed, &far[1], 2, second, 1195, "10.8.0.22") ||
	    !add_on(bed, &far[2], 3, third, 1196, "10.8.0.23") ||
	    !data_far_add(bed, &far[3], &tcp[0]) ||
	    !data_far_add(bed, &far[4], &tcp[1]))
		return;
	CHECK_EQ(5, ovpn_nl_dump(bed->nl, bed->ifindex, NULL));
	for (round = 0; round < 5; round++)
		both_ways(bed, far, ARRAY_SIZE(far));
	/* one after the other goes */
	close(second);
	expect_gone(bed, 1U << 2, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	both_ways(bed, &far[2], 3);
	close(far[3].sock);
	expect_gone(bed, 1U << 4, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
	both_ways(bed, &far[0], 1);
	both_ways(bed, &far[2], 1);
	both_ways(bed, &far[4], 1);
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, 5));
	expect_gone(bed, 1U << 5, OVPN_DEL_PEER_REASON_USERSPACE);
	both_ways(bed, &far[0], 1);
	both_ways(bed, &far[2], 1);
	close(far[3].fd);
	data_far_close(&far[4]);
	close(third);
	expect_gone(bed, 1U << 3, OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
}

/* A client goes on over another transport: same id, same addresses. */
static void from_udp_to_tcp(struct data_bed *bed)
{
	const struct data_far_args udp = { .id = 1 };
	const struct data_far_args tcp = { .id = 1, .tcp = &usual };
	struct data_far far;
	unsigned int i;

	for (i = 0; i < 5 && ktap_good(); i++) {
		if (!data_far_add(bed, &far, i & 1 ? &tcp : &udp))
			return;
		both_ways(bed, &far, 1);
		CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, 1));
		expect_gone(bed, 1U << 1, OVPN_DEL_PEER_REASON_USERSPACE);
		data_far_close(&far);
	}
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "UDP socket closed: its peers go, no others", mp,
		  udp_closed },
		{ "UDP socket closed: point-to-point", .run = udp_closed_half },
		{ "UDP socket with two descriptors", mp, udp_closed_half },
		{ "UDP socket closed that has become IPsec's",
		  .run = udp_closed_by_ipsec },
		{ "UDP socket closed that has become nobody's",
		  .run = udp_closed_unnoticed },
		{ "UDP socket closed, another at its port, 20 times", mp,
		  udp_port_again },
		{ "UDP socket closed under traffic, 20 times", mp,
		  udp_closed_busy },
		{ "TCP socket closed: its peer goes, no other", mp,
		  tcp_closed },
		{ "TCP socket closed: point-to-point", .run = tcp_closed_p2p },
		{ "three UDP and two TCP sockets on one device", mp,
		  many_sockets },
		{ "a peer over UDP and TCP in turns", mp, from_udp_to_tcp },
	};

	(void)argc;
	family_use(&family_ovpn);
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
