// SPDX-License-Identifier: GPL-2.0-only
/* Two devices side by side: nothing of one is the other's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "ktap.h"
#include "netns.h"

/* The fixture's device and a second one with a socket of its own. */
struct pair {
	struct fixture a;
	uint32_t b;		/* ifindex of "ovpn1" */
	int sock;		/* its transport */
};

static void pair_start(struct pair *p)
{
	int index;

	fixture_start(&p->a, OVPN_MODE_MP);
	index = ovpn_link_new(p->a.ns, "ovpn1", OVPN_MODE_MP);
	if (index < 0)
		ktap_bail("cannot create a second device: %s",
			  strerror(-index));
	p->b = index;
	netns_addr(p->a.ns, "ovpn1", "10.10.255.254/16");
	netns_up(p->a.ns, "ovpn1");
	p->sock = udp_socket(p->a.ns, "127.0.0.1", 0);
}

static void pair_end(struct pair *p)
{
	if (netns_ifindex(p->a.ns, "ovpn1"))
		ovpn_link_del(p->a.ns, "ovpn1");
	close(p->sock);
	fixture_end(&p->a);
}

static int peer_on_b(const struct pair *p, uint32_t id, int sock)
{
	struct ovpn_peer_args args = fixture_peer_args(&p->a, id);
	char addr[16];

	/* the ovpn family has no two peers with the same */
	snprintf(addr, sizeof(addr), "10.10.0.%u", id);
	args.socket = sock;
	args.ipv4 = addr;
	return ovpn_nl_new_peer(p->a.nl, p->b, &args);
}

/* A ping to a device's socket, sealed for this peer: does it count? */
static bool reaches(const struct pair *p, uint32_t ifindex, int sock,
		    const struct wire_key *key, uint32_t id, uint32_t pid)
{
	const char *dev = ifindex == p->b ? "ovpn1" : "ovpn0";
	uint64_t before = ethtool_count(p->a.ns, dev, "rx_keepalive");
	uint8_t packet[64];
	size_t len;

	len = wire_seal(key, id, pid, wire_ping, sizeof(wire_ping), packet);
	udp_send(p->a.far, fixture_remote(id), "127.0.0.1", udp_port(sock),
		 packet, len);
	return WAIT_FOR(ethtool_count(p->a.ns, dev, "rx_keepalive") ==
			before + 1, 1000);
}

static void same_ids(void)
{
	struct ovpn_peer_info info;
	struct wire_key ka, kb;
	struct pair p;

	pair_start(&p);
	wire_key_random(&ka, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	wire_key_random(&kb, OVPN_CIPHER_ALG_CHACHA20_POLY1305, 32, 0);
	fixture_peer(&p.a, 1);
	fixture_key(&p.a, 1, &ka);
	CHECK_ERR(0, peer_on_b(&p, 1, p.sock));
	CHECK_ERR(0, ovpn_nl_new_key(p.a.nl, p.b, 1, OVPN_KEY_SLOT_PRIMARY,
				     &kb, &kb));
	CHECK_ERR(0, ovpn_nl_set_peer(p.a.nl, p.b, 1, 100, 200));
	/* each has its own key, counters and settings */
	CHECK(reaches(&p, p.a.ifindex, p.a.sock, &ka, 1, 1));
	CHECK(reaches(&p, p.b, p.sock, &kb, 1, 1));
	CHECK(!reaches(&p, p.b, p.sock, &ka, 1, 2));
	CHECK_ERR(0, ovpn_nl_get_peer(p.a.nl, p.a.ifindex, 1, &info));
	CHECK_EQ(0, info.timeout);
	CHECK_EQ(1, info.link_rx_packets);
	CHECK_EQ(0, ethtool_count(p.a.ns, "ovpn0", "rx_drop_auth"));
	CHECK_EQ(1, ethtool_count(p.a.ns, "ovpn1", "rx_drop_auth"));
	/* deleting here leaves it there */
	CHECK_ERR(0, ovpn_nl_del_peer(p.a.nl, p.a.ifindex, 1));
	CHECK_EQ(0, ovpn_nl_dump(p.a.nl, p.a.ifindex, NULL));
	CHECK_EQ(1, ovpn_nl_dump(p.a.nl, p.b, NULL));
	CHECK(reaches(&p, p.b, p.sock, &kb, 1, 3));
	pair_end(&p);
}

static void socket_of_the_other(void)
{
	struct pair p;

	pair_start(&p);
	fixture_peers(&p.a, 1, 2);
	CHECK_ERR(-ENOTSOCK, peer_on_b(&p, 1, p.a.sock));
	CHECK(*ovpn_nl_extack(p.a.nl));
	CHECK_EQ(0, ovpn_nl_dump(p.a.nl, p.b, NULL));
	/* not before the last peer on it has gone */
	CHECK_ERR(0, ovpn_nl_del_peer(p.a.nl, p.a.ifindex, 1));
	CHECK_ERR(-ENOTSOCK, peer_on_b(&p, 1, p.a.sock));
	CHECK_ERR(0, ovpn_nl_del_peer(p.a.nl, p.a.ifindex, 2));
	CHECK(WAIT_FOR(!peer_on_b(&p, 1, p.a.sock), 2000));
	CHECK_EQ(1, ovpn_nl_dump(p.a.nl, p.b, NULL));
	/* and now it is the other way round */
	CHECK_ERR(-ENOTSOCK,
		  ovpn_nl_new_peer(p.a.nl, p.a.ifindex,
				   &(struct ovpn_peer_args){
					.id = 3, .socket = p.a.sock,
					.remote = "127.0.0.1",
					.remote_port = 9, .ipv4 = "10.9.0.3",
				   }));
	pair_end(&p);
}

static void deleting_one(void)
{
	struct wire_key key;
	struct pair p;

	pair_start(&p);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 16, 5);
	fixture_peers(&p.a, 1, 50);
	CHECK_ERR(0, peer_on_b(&p, 1, p.sock));
	CHECK_ERR(0, ovpn_nl_new_key(p.a.nl, p.b, 1, OVPN_KEY_SLOT_PRIMARY,
				     &key, &key));
	CHECK(reaches(&p, p.b, p.sock, &key, 1, 1));
	CHECK_ERR(0, ovpn_link_del(p.a.ns, "ovpn0"));
	CHECK(reaches(&p, p.b, p.sock, &key, 1, 2));
	CHECK_EQ(1, ovpn_nl_dump(p.a.nl, p.b, NULL));
	/* its socket is free again */
	CHECK(WAIT_FOR(!peer_on_b(&p, 2, p.a.sock), 2000));
	pair_end(&p);
}

/* After the last peer, a socket is what it was: data packets, too, reach it. */
static void socket_given_back(void)
{
	struct wire_key key;
	uint8_t packet[64], got[64];
	struct pair p;
	size_t len;

	pair_start(&p);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 16, 5);
	len = wire_seal(&key, 1, 1, wire_ping, sizeof(wire_ping), packet);
	fixture_peer(&p.a, 1);
	fixture_send(&p.a, 1, packet, len);
	CHECK(udp_quiet(p.a.sock, 200));
	CHECK_ERR(0, ovpn_nl_del_peer(p.a.nl, p.a.ifindex, 1));
	sleep_ms(300);
	fixture_send(&p.a, 1, packet, len);
	if (CHECK_EQ(len, udp_recv(p.a.sock, got, sizeof(got), 1000, NULL)))
		CHECK_MEMEQ(packet, got, len);
	pair_end(&p);
}

static const struct ktap_case cases[] = {
	{ "the same peer ids on both", same_ids },
	{ "the other's socket: ENOTSOCK with a sentence", socket_of_the_other },
	{ "deleting one device leaves the other", deleting_one },
	{ "a socket without peers is an ordinary one again",
	  socket_given_back },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
