// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket stays userspace's: control packets reach it unchanged, data
 * packets never, and it outlives both its peers and its descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

static const struct data_far_args one = { .id = 3 };

static const size_t sizes[] = { 4, 5, 14, 23, 24, 25, 500, 1400, 8000 };

/* One control packet from the far end, as recvmsg() gives it. */
static void check_control(struct data_bed *bed, const struct data_far *far,
			  uint8_t op, size_t len)
{
	uint8_t packet[WIRE_MAX], got[WIRE_MAX];
	struct udp_source source = { .addr = "" };
	size_t i;

	for (i = 0; i < len; i++)
		packet[i] = op + i;
	packet[0] = op << 3 | (len & 7);
	data_far_send_raw(far, packet, len);
	if (!CHECK_EQ(len, udp_recv(bed->sock, got, sizeof(got), DATA_WAIT_MS,
				    &source)))
		return;
	CHECK_MEMEQ(packet, got, len);
	CHECK_EQ(udp_port(far->fd), source.port);
	CHECK_STREQ(far->to, source.local);
}

static void all_opcodes(struct data_bed *bed, const char *addr,
			const char *second)
{
	struct data_far_args args = one;
	struct data_drops before;
	unsigned int i, sent = 0;
	struct data_far far;
	uint8_t op;

	args.addr = addr;
	if (!data_far_add(bed, &far, &args))
		return;
	data_drops_read(bed, &before);
	for (op = 0; op < 32; op++) {
		/* of which the family ovpn drops the former, see ovpn_tcp */
		if (op == WIRE_OP_DATA_V2 ||
		    (op == WIRE_OP_DATA_V1 && speaks_ovpn()))
			continue;
		far.to = strchr(addr, ':') ? NEAR6 : NEAR4;
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			check_control(bed, &far, op, sizes[i]);
		far.to = second;
		check_control(bed, &far, op, 100);
		sent += ARRAY_SIZE(sizes) + 1;
	}
	data_check_no_drops(bed, &before);
	data_wait_count(bed, "rx_control", sent);
	data_near_empty(bed);
	data_far_close(&far);
}

static void opcodes_v4(struct data_bed *bed)
{
	all_opcodes(bed, FAR4, NEAR4_B);
}

static void opcodes_v6(struct data_bed *bed)
{
	all_opcodes(bed, FAR6, NEAR6_B);
}

/* From someone who is no peer yet: how every client begins. */
static void from_stranger(struct data_bed *bed)
{
	struct data_far far, stranger;

	if (!data_far_add(bed, &far, &one))
		return;
	stranger = far;
	stranger.fd = udp_socket(bed->far, FAR4_B, 0);
	check_control(bed, &stranger, 7, 14);
	check_control(bed, &stranger, 10, 54);
	data_far_close(&stranger);
	data_far_close(&far);
}

/* The application's own packets leave as before. */
static void userspace_sends(struct data_bed *bed)
{
	static const char hello[] = "@ is the first byte of a control packet";
	struct udp_source source;
	char got[WIRE_MAX];
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_EQ(sizeof(hello), udp_send(bed->sock, NEAR4_B, FAR4,
					 udp_port(far.fd), hello,
					 sizeof(hello)));
	CHECK_EQ(sizeof(hello), udp_recv(far.fd, got, sizeof(got),
					 DATA_WAIT_MS, &source));
	CHECK_MEMEQ(hello, got, sizeof(hello));
	CHECK_STREQ(NEAR4_B, source.addr);
	CHECK_EQ(NEAR_PORT, source.port);
	data_far_close(&far);
}

/* Data and control mixed: each finds its way, in its order. */
static void mixed(struct data_bed *bed)
{
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < 50; i++) {
		data_to_near(bed, &far);
		check_control(bed, &far, 1 + i % 5, 50 + i);
		CHECK(udp_quiet(bed->sock, 0));
		data_near_empty(bed);
	}
	data_far_close(&far);
}

/* Clients that know no peer id are known by their address. */
static void by_address(struct data_bed *bed, const char *addr)
{
	struct data_far_args args = one;
	struct data_drops before;
	struct data_far far, stranger;
	uint8_t plain[256];
	size_t len;

	args.addr = addr;
	if (!data_far_add(bed, &far, &args))
		return;
	far.id = WIRE_PEER_ID_NONE;
	data_to_near(bed, &far);
	data_to_near(bed, &far);

	/* the same port elsewhere, another port at the same place */
	stranger = far;
	data_drops_read(bed, &before);
	stranger.fd = udp_socket(bed->far, strchr(addr, ':') ? FAR6_B : FAR4_B,
				 udp_port(far.fd));
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_far_send(&stranger, plain, len);
	close(stranger.fd);
	stranger.fd = udp_socket(bed->far, addr, 0);
	data_far_send(&stranger, plain, len);
	data_check_drops(bed, &before, "rx_drop_unknown_peer", 2);
	close(stranger.fd);
	data_near_empty(bed);
	data_to_near(bed, &far);
	data_far_close(&far);
}

static void by_address_v4(struct data_bed *bed)
{
	by_address(bed, FAR4);
}

static void by_address_v6(struct data_bed *bed)
{
	by_address(bed, FAR6);
}

/* Two peers on one address, told apart by port. */
static void by_port(struct data_bed *bed)
{
	const struct data_far_args args[2] = {
		{ .id = 1, .ipv4 = VPN_FAR4, .ipv6 = VPN_FAR6 },
		{ .id = 2, .ipv4 = VPN_FAR4_B, .ipv6 = VPN_FAR6_B },
	};
	struct data_far far[2];

	if (!data_far_add(bed, &far[0], &args[0]) ||
	    !data_far_add(bed, &far[1], &args[1]))
		return;
	far[0].id = WIRE_PEER_ID_NONE;
	far[1].id = WIRE_PEER_ID_NONE;
	data_to_near(bed, &far[0]);
	data_to_near(bed, &far[1]);
	data_to_near(bed, &far[0]);
	data_far_close(&far[0]);
	data_far_close(&far[1]);
}

/* Without peers, it is a socket like any other. */
static void after_last_peer(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX], got[WIRE_MAX], plain[256];
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_to_near(bed, &far);
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, far.id));
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	len = wire_seal(&far.seal, far.id, far.next++, plain, len, packet);
	/* the module lets go of it a moment after the request */
	CHECK(WAIT_FOR(data_far_send_raw(&far, packet, len) &&
		       !udp_quiet(bed->sock, 20), DATA_WAIT_MS));
	CHECK_EQ(len, udp_recv(bed->sock, got, sizeof(got), 0, NULL));
	CHECK_MEMEQ(packet, got, len);
	data_near_empty(bed);
	check_control(bed, &far, 4, 100);
	data_far_close(&far);
}

static bool port_is_free(struct data_bed *bed)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(NEAR_PORT),
	};
	int fd, ret;

	netns_enter(bed->near);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	netns_enter(netns_home());
	ret = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	return !ret;
}

/* The peers keep the socket, and let go of it with the last of them. */
static void closed_by_userspace(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	close(bed->sock);
	bed->sock = open("/dev/null", O_RDONLY | O_CLOEXEC);
	data_to_near(bed, &far);
	data_to_far(bed, &far, NULL, NULL);
	CHECK(!port_is_free(bed));
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, far.id));
	CHECK(WAIT_FOR(port_is_free(bed), DATA_WAIT_MS));
	data_far_close(&far);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "control packets over IPv4", .run = opcodes_v4 },
		{ "control packets over IPv6", .conf = { .bind = "::" },
		  .run = opcodes_v6 },
		{ "control packets over IPv4 on a dual-stack socket",
		  .conf = { .bind = "::" },
		  .run = opcodes_v4 },
		{ "control packets from a stranger", .run = from_stranger },
		{ "userspace sends on the socket", .run = userspace_sends },
		{ "data and control packets mixed", .run = mixed },
		{ "no peer id: found by IPv4 address", .run = by_address_v4 },
		{ "no peer id: found by IPv6 address", .conf = { .bind = "::" },
		  .run = by_address_v6 },
		{ "no peer id: found by mapped address", .conf = { .bind = "::" },
		  .run = by_address_v4 },
		{ "no peer id: two peers on one address",
		  .conf = { .mode = OVPN_MODE_MP },
		  .run = by_port },
		{ "socket after its last peer", .run = after_last_peer },
		{ "socket closed by userspace", .run = closed_by_userspace,
		  .v2_only = true },
	};

	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
