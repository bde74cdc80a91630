// SPDX-License-Identifier: GPL-2.0-only
/*
 * reject: what a datagram costs that is not wanted, both ends together with the
 * system call of its sender, who is the same for all:
 *
 *   closed	to a port that nobody listens at
 *   garbage	for a peer that there is not
 *   forged	for one that there is, but not from it
 *   replay	received before
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "family.h"
#include "ktap.h"
#include "netns.h"
#include "nl.h"

#define NEAR		"192.168.77.1"
#define FAR		"192.168.77.2"
#define TRANSPORT	1194
#define CLOSED		1195
#define PEER		5
#define INNER		92	/* UDP with 64 bytes */
#define BATCH		64
#define DATAGRAMS	(300 * BATCH)

struct kind {
	const char *name;
	uint16_t port;
	uint32_t peer;
	bool sealed;		/* with the peer's key */
	const char *counter;	/* of ours */
};

static const struct kind kinds[] = {
	{ "reject-closed", CLOSED, PEER },
	{ "reject-garbage", TRANSPORT, PEER + 1, false, "rx_drop_unknown_peer" },
	{ "reject-forged", TRANSPORT, PEER, false, "rx_drop_auth" },
	{ "reject-replay", TRANSPORT, PEER, true, "rx_drop_replay" },
};

static struct netns *near, *far;
static struct wire_key key, other;

static void add_peer(struct ovpn_nl *nl, uint32_t ifindex, int sock,
		     uint16_t port)
{
	const struct ovpn_peer_args args = {
		.id = PEER,
		.socket = sock,
		.remote = FAR,
		.remote_port = port,
		.ipv4 = "10.8.0.2",
	};
	int err = ovpn_nl_new_peer(nl, ifindex, &args);

	if (!err)
		err = ovpn_nl_new_key(nl, ifindex, PEER, OVPN_KEY_SLOT_PRIMARY,
				      &key, &key);
	if (err)
		ktap_bail("peer: %s (%s)", strerror(-err), ovpn_nl_extack(nl));
}

/* What ours says of them: 0 where it is not asked, or not ours. */
static uint64_t counted(const struct kind *k)
{
	uint64_t count = 0;

	if (k->counter)
		ethtool_stat(near, "tun0", k->counter, &count);
	return count;
}

static void measure(const struct kind *k, int fd, bool ours)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(k->port),
	};
	uint8_t plain[INNER], packet[INNER + WIRE_HEADER_LEN];
	char data[INNER - 28] = "";
	struct mmsghdr msgs[BATCH];
	struct iovec iov = { packet };
	uint64_t before;
	int64_t began;
	size_t len;
	int i;

	inet_pton(AF_INET, NEAR, &to.sin_addr);
	len = inner_udp(plain, "10.8.0.2", 4000, "10.8.0.1", 4001, data,
			sizeof(data));
	iov.iov_len = wire_seal(k->sealed ? &key : &other, k->peer, 1, plain,
				len, packet);
	for (i = 0; i < BATCH; i++)
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &to,
			.msg_namelen = sizeof(to),
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
	/* of the replays, the first is none */
	send_all(fd, msgs, BATCH);
	sleep_ms(100);
	before = counted(k);
	began = now_ns();
	for (i = 0; i < DATAGRAMS / BATCH; i++)
		send_all(fd, msgs, BATCH);
	print_value(k->name, 0, "insn/packet",
		    (double)(now_ns() - began) / DATAGRAMS);
	if (ours && k->counter && counted(k) - before != DATAGRAMS)
		ktap_bail("%s: %llu of %u were dropped as that", k->name,
			  (unsigned long long)(counted(k) - before), DATAGRAMS);
}

int main(void)
{
	uint64_t peers = 0;
	uint32_t ifindex;
	unsigned int i;
	int sock, fd;
	bool ours;

	near = netns_new("near");
	far = netns_new("far");
	netns_veth(near, "v0", far, "v0");
	netns_addr(near, "v0", NEAR "/24");
	netns_addr(far, "v0", FAR "/24");
	ifindex = bench_link(near, "tun0", 1420);
	netns_addr(near, "tun0", "10.8.0.1/24");
	ours = !ethtool_stat(near, "tun0", "peers", &peers);
	sock = udp_socket(near, NEAR, TRANSPORT);
	fd = udp_socket(far, FAR, 0);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	wire_key_random(&other, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	add_peer(ovpn_nl_open(near), ifindex, sock, udp_port(fd));
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		measure(&kinds[i], fd, ours);
	return 0;
}
