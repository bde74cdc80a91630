// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device of each kind side by side, each with its own OpenVPN: neither family
 * reaches the other's devices, and nothing of one is the other's.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "request.h"
#include "stream.h"

/* The fixture is what OpenVPN 2.6 has; this is what 2.7 has beside it. */
static struct kinds {
	struct fixture v2;
	struct ovpn_nl *nl;
	struct ovpn_listener *hears_v2, *hears;
	uint32_t ifindex;	/* of "ovpn1" */
	int sock;
} k;

static void start(void)
{
	int index;

	family_use(&family_v2);
	fixture_start(&k.v2, OVPN_MODE_MP);
	k.hears_v2 = ovpn_listen(k.v2.ns, 0);
	family_use(&family_ovpn);
	index = ovpn_link_new(k.v2.ns, "ovpn1", OVPN_MODE_MP);
	if (index < 0)
		ktap_bail("cannot create a device: %s (%s)", strerror(-index),
			  ovpn_link_extack());
	k.ifindex = index;
	netns_addr(k.v2.ns, "ovpn1", "10.10.255.254/16");
	netns_up(k.v2.ns, "ovpn1");
	k.nl = ovpn_nl_open(k.v2.ns);
	k.hears = ovpn_listen(k.v2.ns, 0);
	k.sock = udp_socket(k.v2.ns, "127.0.0.1", 0);
}

static void end(void)
{
	if (netns_ifindex(k.v2.ns, "ovpn1"))
		ovpn_link_del(k.v2.ns, "ovpn1");
	ovpn_listener_close(k.hears);
	ovpn_listener_close(k.hears_v2);
	ovpn_nl_close(k.nl);
	close(k.sock);
	fixture_end(&k.v2);
}

static int peer_on_ovpn(uint32_t id, int sock)
{
	struct ovpn_peer_args args = fixture_peer_args(&k.v2, id);

	args.socket = sock;
	args.ipv4 = "10.10.0.1";
	return ovpn_nl_new_peer(k.nl, k.ifindex, &args);
}

/* A ping for peer 1 of either device: does it count there? */
static bool reaches(struct ovpn_nl *nl, uint32_t ifindex, int sock,
		    const struct wire_key *key, uint32_t packet_id)
{
	struct ovpn_peer_info before, after;
	uint8_t packet[64];
	size_t len;

	if (ovpn_nl_get_peer(nl, ifindex, 1, &before))
		return false;
	len = wire_seal(key, 1, packet_id, wire_ping, sizeof(wire_ping),
			packet);
	udp_send(k.v2.far, fixture_remote(1), "127.0.0.1", udp_port(sock),
		 packet, len);
	return WAIT_FOR(!ovpn_nl_get_peer(nl, ifindex, 1, &after) &&
			after.link_rx_packets == before.link_rx_packets + 1,
			1000);
}

static bool reaches_v2(const struct wire_key *key, uint32_t packet_id)
{
	return reaches(k.v2.nl, k.v2.ifindex, k.v2.sock, key, packet_id);
}

static bool reaches_ovpn(const struct wire_key *key, uint32_t packet_id)
{
	return reaches(k.nl, k.ifindex, k.sock, key, packet_id);
}

static void expect(struct ovpn_listener *l, uint32_t ifindex, uint32_t id)
{
	struct ovpn_ntf ntf = { 0 };

	CHECK_EQ(1, ovpn_listener_next(l, &ntf, 3000));
	CHECK(ntf.exact);
	CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
	CHECK_EQ(ifindex, ntf.ifindex);
	CHECK_EQ(id, ntf.peer_id);
}

static void same_id(void)
{
	struct wire_key a, b;

	start();
	wire_key_random(&a, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	wire_key_random(&b, OVPN_CIPHER_ALG_CHACHA20_POLY1305, 32, 0);
	fixture_peer(&k.v2, 1);
	fixture_key(&k.v2, 1, &a);
	CHECK_ERR(0, peer_on_ovpn(1, k.sock));
	CHECK_ERR(0, ovpn_nl_new_key(k.nl, k.ifindex, 1, OVPN_KEY_SLOT_PRIMARY,
				     &b, &b));
	CHECK(reaches_v2(&a, 1));
	CHECK(reaches_ovpn(&b, 1));
	CHECK_EQ(1, ethtool_count(k.v2.ns, "ovpn0", "rx_keepalive"));
	CHECK_EQ(1, ethtool_count(k.v2.ns, "ovpn1", "rx_keepalive"));
	/* each its own key */
	CHECK(reaches_ovpn(&a, 2));
	CHECK_EQ(1, ethtool_count(k.v2.ns, "ovpn1", "rx_drop_auth"));
	CHECK_EQ(0, ethtool_count(k.v2.ns, "ovpn0", "rx_drop_auth"));

	/* who is told of what */
	CHECK_ERR(0, ovpn_nl_del_peer(k.v2.nl, k.v2.ifindex, 1));
	expect(k.hears_v2, k.v2.ifindex, 1);
	CHECK(udp_quiet(ovpn_listener_fd(k.hears), 200));
	CHECK(reaches_ovpn(&b, 3));
	CHECK_ERR(0, ovpn_nl_del_peer(k.nl, k.ifindex, 1));
	expect(k.hears, k.ifindex, 1);
	CHECK(udp_quiet(ovpn_listener_fd(k.hears_v2), 200));
	end();
}

static void all_refused(struct ovpn_nl *nl, uint32_t ifindex)
{
	const struct request_args args = {
		.ifindex = &ifindex, .id = 1, .sock = k.v2.sock,
	};
	int req;

	for (req = 0; req < REQ_COUNT; req++) {
		int err = request_send(nl, req, &args);

		CHECK_MSG(err == -EINVAL && *ovpn_nl_extack(nl),
			  "%s: %s (%s)", request_names[req], strerror(-err),
			  ovpn_nl_extack(nl));
	}
}

/* The other family does not touch it, so there is nothing to get wrong. */
static void others_device(void)
{
	struct wire_key key;

	start();
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peer(&k.v2, 1);
	fixture_key(&k.v2, 1, &key);
	CHECK_ERR(0, peer_on_ovpn(1, k.sock));
	all_refused(k.v2.nl, k.ifindex);
	all_refused(k.nl, k.v2.ifindex);
	CHECK_EQ(1, ovpn_nl_dump(k.v2.nl, k.v2.ifindex, NULL));
	CHECK_EQ(1, ovpn_nl_dump(k.nl, k.ifindex, NULL));
	CHECK(reaches_v2(&key, 1));
	end();
}

/* Nor is a socket shared between them. */
static void others_socket(void)
{
	struct ovpn_peer_args args;
	int fds[2];

	start();
	fixture_peer(&k.v2, 1);
	CHECK_ERR(-ENOTSOCK, peer_on_ovpn(1, k.v2.sock));
	CHECK(*ovpn_nl_extack(k.nl));
	CHECK_ERR(0, peer_on_ovpn(1, k.sock));
	args = fixture_peer_args(&k.v2, 2);
	args.socket = k.sock;
	CHECK_ERR(-ENOTSOCK, ovpn_nl_new_peer(k.v2.nl, k.v2.ifindex, &args));
	CHECK(*ovpn_nl_extack(k.v2.nl));
	/* by turns, it is */
	CHECK_ERR(0, ovpn_nl_del_peer(k.v2.nl, k.v2.ifindex, 1));
	CHECK_ERR(0, ovpn_nl_del_peer(k.nl, k.ifindex, 1));
	CHECK(WAIT_FOR(!peer_on_ovpn(1, k.v2.sock), 2000));
	CHECK(WAIT_FOR(!ovpn_nl_new_peer(k.v2.nl, k.v2.ifindex, &args), 2000));
	CHECK_ERR(0, ovpn_nl_del_peer(k.nl, k.ifindex, 1));

	/* the same of connections */
	stream_pair(k.v2.ns, "127.0.0.1", k.v2.ns, "127.0.0.1", NULL, fds);
	args = fixture_peer_args(&k.v2, 3);
	args.socket = fds[0];
	args.remote = NULL;
	CHECK_ERR(0, ovpn_nl_new_peer(k.v2.nl, k.v2.ifindex, &args));
	args.ipv4 = "10.10.0.3";
	CHECK_ERR(-ENOTSOCK, ovpn_nl_new_peer(k.nl, k.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_del_peer(k.v2.nl, k.v2.ifindex, 3));
	CHECK(stream_detached(fds[0]));
	CHECK_ERR(0, ovpn_nl_new_peer(k.nl, k.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_del_peer(k.nl, k.ifindex, 3));
	close(fds[0]);
	close(fds[1]);
	end();
}

static void deleted_first(bool v2)
{
	struct wire_key key;

	start();
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peer(&k.v2, 1);
	fixture_key(&k.v2, 1, &key);
	CHECK_ERR(0, peer_on_ovpn(1, k.sock));
	CHECK_ERR(0, ovpn_nl_new_key(k.nl, k.ifindex, 1, OVPN_KEY_SLOT_PRIMARY,
				     &key, &key));
	CHECK_ERR(0, ovpn_link_del(k.v2.ns, v2 ? "ovpn0" : "ovpn1"));
	if (v2) {
		expect(k.hears_v2, k.v2.ifindex, 1);
		CHECK(reaches_ovpn(&key, 1));
	} else {
		expect(k.hears, k.ifindex, 1);
		CHECK(reaches_v2(&key, 1));
	}
	end();
}

static void deleted(void)
{
	deleted_first(true);
	deleted_first(false);
}

/* What one's owner does when it closes its socket is no rule for the other. */
static void close_policies(void)
{
	struct wire_key key;

	start();
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peer(&k.v2, 1);
	fixture_key(&k.v2, 1, &key);
	CHECK_ERR(0, peer_on_ovpn(1, k.sock));
	close(k.sock);
	expect(k.hears, k.ifindex, 1);
	CHECK_EQ(0, ovpn_nl_dump(k.nl, k.ifindex, NULL));
	CHECK(reaches_v2(&key, 1));
	k.sock = udp_socket(k.v2.ns, "127.0.0.1", 0);
	CHECK_ERR(0, peer_on_ovpn(1, k.sock));
	close(k.v2.sock);
	CHECK_EQ(1, ovpn_nl_dump(k.v2.nl, k.v2.ifindex, NULL));
	CHECK(udp_quiet(ovpn_listener_fd(k.hears_v2), 200));
	CHECK_EQ(1, ovpn_nl_dump(k.nl, k.ifindex, NULL));
	k.v2.sock = udp_socket(k.v2.ns, "127.0.0.1", 0);
	end();
}

static void kinds_say_so(void)
{
	struct ovpn_link_info info;

	start();
	CHECK_ERR(0, ovpn_link_get(k.v2.ns, "ovpn0", &info));
	CHECK_STREQ("ovpn-dco", info.kind);
	CHECK_ERR(0, ovpn_link_get(k.v2.ns, "ovpn1", &info));
	CHECK_STREQ("ovpn", info.kind);
	CHECK_EQ(OVPN_MODE_MP, info.mode);
	end();
}

static const struct ktap_case cases[] = {
	{ "each says its kind", kinds_say_so },
	{ "peers of the same id, and who is told of them", same_id },
	{ "the other family's device: EINVAL", others_device },
	{ "the other device's socket: ENOTSOCK", others_socket },
	{ "deleting one device leaves the other", deleted },
	{ "each has its own rule for closed sockets", close_policies },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
