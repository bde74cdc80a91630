// SPDX-License-Identifier: GPL-2.0-only
/*
 * peers COUNT SIZE: what a packet costs from one device with that many peers to
 * another one, where all of them send and receive in turn: UDP with SIZE bytes,
 * both ends together with the system calls of sender and receiver. Once as the
 * module comes, and once held for others, which only those of one peer gain by.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "family.h"
#include "ktap.h"
#include "netns.h"
#include "nl.h"

#define NEAR		"192.168.77.1"
#define FAR		"192.168.77.2"
#define TRANSPORT	1194
#define PORT		4001
#define MTU		1420

/* In the tunnel, peer N is 10.8.0.0 + N at the near end, 10.9.0.0 + N at the far. */
#define NEAR_NET	0x0a080000
#define FAR_NET		0x0a090000

#define BATCH		64
#define PACKETS		(10 * 4096)	/* that are measured */

struct end {
	struct netns *ns;
	struct ovpn_nl *nl;
	uint32_t ifindex;
	int transport;
	int sock;		/* of the traffic */
};

static struct end near, far;

/* One of a batch: a packet from one peer to itself at the far end */
struct slot {
	struct sockaddr_in to;
	struct iovec iov;
	union {
		struct cmsghdr head;	/* for its alignment */
		char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control;
};

static struct slot slots[BATCH];
static struct mmsghdr out[BATCH], in[BATCH];
static char payload[MTU], scratch[BATCH][MTU];

static void end_start(struct end *e, const char *addr, const char *own,
		      const char *other)
{
	const struct timeval patience = { .tv_sec = 5 };

	e->ifindex = bench_link(e->ns, "tun0", MTU);
	netns_addr(e->ns, "v0", addr);
	/* all addresses of its peers at the other end are its own */
	netns_run(e->ns, "ip route add local %s dev lo && ip route add %s dev tun0",
		  own, other);
	e->nl = ovpn_nl_open(e->ns);
	e->transport = udp_socket(e->ns, "0.0.0.0", TRANSPORT);
	e->sock = udp_socket(e->ns, "0.0.0.0", PORT);
	if (setsockopt(e->sock, SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)))
		ktap_bail("SO_RCVTIMEO: %m");
}

static void add_peer(struct end *e, uint32_t id, const char *remote,
		     uint32_t net, const struct wire_key *seal,
		     const struct wire_key *open)
{
	struct in_addr vpn = { htonl(net + id) };
	const struct ovpn_peer_args args = {
		.id = id,
		.socket = e->transport,
		.remote = remote,
		.remote_port = TRANSPORT,
		.ipv4 = inet_ntoa(vpn),
	};
	int err = ovpn_nl_new_peer(e->nl, e->ifindex, &args);

	if (!err)
		err = ovpn_nl_new_key(e->nl, e->ifindex, id,
				      OVPN_KEY_SLOT_PRIMARY, seal, open);
	if (err)
		ktap_bail("peer %u: %s (%s)", id, strerror(-err),
			  ovpn_nl_extack(e->nl));
}

static void add_peers(unsigned int count)
{
	struct wire_key up, down;
	uint32_t id;

	wire_key_random(&up, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	wire_key_random(&down, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	for (id = 1; id <= count; id++) {
		add_peer(&near, id, FAR, FAR_NET, &up, &down);
		add_peer(&far, id, NEAR, NEAR_NET, &down, &up);
	}
}

static void prepare(size_t size)
{
	struct slot *s;
	int i;

	for (i = 0; i < BATCH; i++) {
		s = &slots[i];
		s->to.sin_family = AF_INET;
		s->to.sin_port = htons(PORT);
		s->iov = (struct iovec){ payload, size };
		s->control.head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)),
			.cmsg_level = IPPROTO_IP,
			.cmsg_type = IP_PKTINFO,
		};
		out[i].msg_hdr = (struct msghdr){
			.msg_name = &s->to,
			.msg_namelen = sizeof(s->to),
			.msg_iov = &s->iov,
			.msg_iovlen = 1,
			.msg_control = &s->control,
			.msg_controllen = sizeof(s->control.buf),
		};
	}
}

/* Through the peers in turn, @count packets: all have to arrive. */
static void transfer(unsigned int peers, size_t size, unsigned int count)
{
	static struct iovec iov[BATCH];
	struct in_pktinfo *info;
	unsigned int n = 0, i;
	int got, sum;

	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ scratch[i], MTU };
		in[i].msg_hdr.msg_iov = &iov[i];
		in[i].msg_hdr.msg_iovlen = 1;
	}
	while (n < count) {
		for (i = 0; i < BATCH; i++, n++) {
			uint32_t id = 1 + n % peers;

			slots[i].to.sin_addr.s_addr = htonl(FAR_NET + id);
			info = (void *)CMSG_DATA(&slots[i].control.head);
			info->ipi_spec_dst.s_addr = htonl(NEAR_NET + id);
		}
		send_all(near.sock, out, BATCH);
		for (sum = 0; sum < BATCH; sum += got) {
			got = recvmmsg(far.sock, in, BATCH - sum,
				       MSG_WAITFORONE, NULL);
			if (got <= 0)
				ktap_bail("%d of %d packets did not arrive",
					  BATCH - sum, BATCH);
		}
		if (in[0].msg_len != size)
			ktap_bail("packets of %u bytes", in[0].msg_len);
	}
}

/* Measure it, and call it so */
static void measure(unsigned int peers, size_t size, const char *how)
{
	char test[32];
	int64_t began;

	/* Each has found its route by then. */
	transfer(peers, size, peers > BATCH ? peers : BATCH);
	began = now_ns();
	transfer(peers, size, PACKETS);
	snprintf(test, sizeof(test), "udp%zu%s", size, how);
	print_value(test, peers, "insn/packet",
		    (double)(now_ns() - began) / PACKETS);
}

int main(int argc, char **argv)
{
	unsigned int peers = argc == 3 ? atoi(argv[1]) : 0;
	unsigned int size = argc == 3 ? atoi(argv[2]) : 0;

	if (!peers || peers > 0xfffe || !size || size > MTU - 28)
		ktap_bail("usage: peers COUNT SIZE");
	near.ns = netns_new("near");
	far.ns = netns_new("far");
	netns_veth(near.ns, "v0", far.ns, "v0");
	end_start(&near, NEAR "/24", "10.8.0.0/16", "10.9.0.0/16");
	end_start(&far, FAR "/24", "10.9.0.0/16", "10.8.0.0/16");
	add_peers(peers);
	prepare(size);
	measure(peers, size, "");
	/* Other modules have no such setting. */
	netns_run(near.ns, "ethtool -C tun0 tx-usecs 50 2>/dev/null || true");
	measure(peers, size, "-held");
	return 0;
}
