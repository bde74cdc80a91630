// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"

void need_root(void)
{
	if (!geteuid())
		return;
	printf("TAP version 13\n1..0 # SKIP needs root\n");
	exit(KTAP_SKIP);
}

void fixture_start(struct fixture *f, int mode)
{
	int index;

	f->ns = netns_new("fixture");
	f->mode = mode;
	index = ovpn_link_new(f->ns, "ovpn0", mode);
	if (index < 0)
		ktap_bail("cannot create a device: %s (%s)", strerror(-index),
			  ovpn_link_extack());
	f->ifindex = index;
	netns_addr(f->ns, "ovpn0", "10.9.255.254/16");
	/* or it would greet its peer with multicasts: it is ready only then */
	if (mode == OVPN_MODE_P2P && speaks_ovpn())
		netns_run(f->ns, "ip link set ovpn0 addrgenmode none");
	netns_up(f->ns, "ovpn0");
	f->nl = ovpn_nl_open(f->ns);
	f->sock = udp_socket(f->ns, "127.0.0.1", 0);
	f->far = udp_socket(f->ns, "0.0.0.0", 0);
}

void fixture_end(struct fixture *f)
{
	if (netns_ifindex(f->ns, "ovpn0"))
		ovpn_link_del(f->ns, "ovpn0");
	ovpn_nl_close(f->nl);
	close(f->sock);
	close(f->far);
	netns_free(f->ns);
	memset(f, 0, sizeof(*f));
}

const char *fixture_remote(uint32_t id)
{
	static char text[16];

	snprintf(text, sizeof(text), "127.%u.%u.%u", 1 + (id >> 16 & 0x7f),
		 id >> 8 & 0xff, id & 0xff);
	return text;
}

void fixture_send(const struct fixture *f, uint32_t id, const void *data,
		  size_t len)
{
	ssize_t sent = udp_send(f->far, fixture_remote(id), "127.0.0.1",
				udp_port(f->sock), data, len);

	if (sent != (ssize_t)len)
		ktap_bail("cannot send: %s", strerror(-sent));
}

struct ovpn_peer_args fixture_peer_args(const struct fixture *f, uint32_t id)
{
	static char ipv4[16];

	snprintf(ipv4, sizeof(ipv4), "10.9.%u.%u", id >> 8 & 0xff, id & 0xff);
	return (struct ovpn_peer_args){
		.id = id,
		.socket = f->sock,
		.remote = fixture_remote(id),
		.remote_port = udp_port(f->far),
		.ipv4 = vpn_of(f->mode, ipv4),
	};
}

void fixture_peer(const struct fixture *f, uint32_t id)
{
	struct ovpn_peer_args args = fixture_peer_args(f, id);
	int err = ovpn_nl_new_peer(f->nl, f->ifindex, &args);

	if (err)
		ktap_bail("cannot create peer %u: %s (%s)", id, strerror(-err),
			  ovpn_nl_extack(f->nl));
}

void fixture_peers(const struct fixture *f, uint32_t first, uint32_t count)
{
	uint32_t id;

	for (id = first; id < first + count; id++)
		fixture_peer(f, id);
}

void fixture_key(const struct fixture *f, uint32_t id,
		 const struct wire_key *key)
{
	int err = ovpn_nl_new_key(f->nl, f->ifindex, id, OVPN_KEY_SLOT_PRIMARY,
				  key, key);

	if (err)
		ktap_bail("cannot install a key for peer %u: %s (%s)", id,
			  strerror(-err), ovpn_nl_extack(f->nl));
}

static struct ovpn_peer_info *peers_before;
static int count_before;

void fixture_watch(const struct fixture *f)
{
	count_before = ovpn_nl_dump(f->nl, f->ifindex, &peers_before);
	if (count_before < 0)
		ktap_bail("cannot list the peers");
}

void fixture_refused(const struct fixture *f, int want, int got,
		     const char *what)
{
	char sentence[256];
	struct ovpn_peer_info *now = NULL;
	int count;

	strcpy(sentence, ovpn_nl_extack(f->nl));
	CHECK_MSG(want == got, "%s: want %s, got %s (%s)", what,
		  strerror(-want), strerror(-got), sentence);
	CHECK_MSG(*sentence, "%s: no sentence", what);
	count = ovpn_nl_dump(f->nl, f->ifindex, &now);
	if (CHECK_EQ(count_before, count) && count)
		CHECK_MEMEQ(peers_before, now, count * sizeof(*now));
	free(now);
	free(peers_before);
	peers_before = NULL;
}
