// SPDX-License-Identifier: GPL-2.0-only
/*
 * A listener that never reads may hold back expiries, but not for ever: its
 * process may hang, and the peers of others stay with it.
 */
#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"

#define PEERS		250
#define LIMIT_MS	100000

static void never_reads(void)
{
	struct ovpn_listener *l;
	int64_t start, waited;
	struct fixture f;
	uint32_t id;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	fixture_peers(&f, 1, PEERS);
	for (id = 1; id <= PEERS; id++)
		CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, id,
					      keepalive_none(), 1));
	/* first it is waited for */
	CHECK(WAIT_FOR(ethtool_count(f.ns, "ovpn0", "peers_expired"), 15000));
	sleep_ms(1000);
	CHECK_RANGE(1, PEERS - 1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	start = now_ms();
	CHECK(WAIT_FOR(!ethtool_count(f.ns, "ovpn0", "peers"), LIMIT_MS));
	waited = now_ms() - start;
	ktap_note("all gone after %lld ms", (long long)waited);
	CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	CHECK_EQ(PEERS, ethtool_count(f.ns, "ovpn0", "peers_expired"));
	ovpn_listener_close(l);
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "peers go although a listener never reads", never_reads },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
