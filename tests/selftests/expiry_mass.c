// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thousand peers expire at once, and whoever has to be told reads slowly:
 * OpenVPN exits when its notification socket overflows, so the kernel has to
 * wait for it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"

#define PEERS		1000
#define READ_MS		5	/* a message per */
#define LIMIT_MS	120000
#define NEXT_MS		15000	/* an emulated guest may be slow */

static uint8_t times[PEERS + 1];

static void all_expire(const struct fixture *f)
{
	uint32_t id;

	fixture_peers(f, 1, PEERS);
	for (id = 1; id <= PEERS; id++)
		CHECK_ERR(0, ovpn_nl_set_peer(f->nl, f->ifindex, id,
					      keepalive_none(), 1));
}

/*
 * Reads at its leisure till each has been named; none may be named twice.
 * @other, if any, is read as well, its messages are counted in @count_other.
 */
static void read_slowly(struct ovpn_listener *l, unsigned int pause_ms,
			struct ovpn_listener *other, int *count_other)
{
	int64_t end = now_ms() + LIMIT_MS;
	struct ovpn_ntf ntf;
	int got, count = 0;

	memset(times, 0, sizeof(times));
	while (count < PEERS && now_ms() < end) {
		got = ovpn_listener_next(l, &ntf, NEXT_MS);
		if (!CHECK_MSG(got == 1, "after %d of %d: %s", count, PEERS,
			       got ? strerror(-got) : "no more"))
			return;
		CHECK(ntf.exact);
		CHECK_EQ(OVPN_DEL_PEER_REASON_EXPIRED, ntf.reason);
		if (CHECK_RANGE(1, PEERS, ntf.peer_id) &&
		    CHECK_EQ(1, ++times[ntf.peer_id]))
			count++;
		while (other && ovpn_listener_next(other, &ntf, 0) == 1)
			(*count_other)++;
		sleep_ms(pause_ms);
	}
	CHECK_EQ(PEERS, count);
	CHECK_EQ(0, ovpn_listener_next(l, &ntf, 300));
}

static void with_buffer(int rcvbuf)
{
	struct ovpn_listener *l;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, rcvbuf);
	all_expire(&f);
	read_slowly(l, READ_MS, NULL, NULL);
	CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	CHECK_EQ(PEERS, ethtool_count(f.ns, "ovpn0", "peers_expired"));
	ovpn_listener_close(l);
	fixture_end(&f);
}

static void default_buffer(void)
{
	with_buffer(0);
}

/* What libnl asks for by itself. */
static void libnl_buffer(void)
{
	with_buffer(32768);
}

/* The smallest that is known in the field. */
static void openvpn3_buffer(void)
{
	with_buffer(8192);
}

/* One that does not read at all for a while, beside one that is quick. */
static void late_reader(void)
{
	struct ovpn_listener *quick, *late;
	struct ovpn_ntf ntf;
	struct fixture f;
	int64_t end;
	int early;

	fixture_start(&f, OVPN_MODE_MP);
	quick = ovpn_listen(f.ns, 1 << 20);
	late = ovpn_listen(f.ns, 0);
	all_expire(&f);
	CHECK_EQ(1, ovpn_listener_next(quick, &ntf, NEXT_MS));
	early = 1;
	end = now_ms() + 4000;
	while (now_ms() < end)
		early += ovpn_listener_next(quick, &ntf, 100) == 1;
	/* held back for the sake of the other */
	CHECK_RANGE(1, PEERS - 1, early);
	read_slowly(late, 0, quick, &early);
	while (early < PEERS && ovpn_listener_next(quick, &ntf, 1000) == 1)
		early++;
	CHECK_EQ(PEERS, early);
	ovpn_listener_close(quick);
	ovpn_listener_close(late);
	fixture_end(&f);
}

/* Nobody to wait for. */
static void no_listener(void)
{
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	all_expire(&f);
	CHECK(WAIT_FOR(!ovpn_nl_dump(f.nl, f.ifindex, NULL), 20000));
	fixture_end(&f);
}

/* Who waited for a listener that has gone need not wait any longer. */
static void listener_leaves(void)
{
	struct ovpn_listener *l;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	all_expire(&f);
	CHECK(WAIT_FOR(ethtool_count(f.ns, "ovpn0", "peers_expired"), NEXT_MS));
	sleep_ms(1000);
	CHECK_RANGE(1, PEERS - 1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	ovpn_listener_close(l);
	CHECK(WAIT_FOR(!ovpn_nl_dump(f.nl, f.ifindex, NULL), 20000));
	fixture_end(&f);
}

/* The device must go while they wait. */
static void device_leaves(void)
{
	struct ovpn_listener *l;
	struct fixture f;
	pid_t pid;

	fixture_start(&f, OVPN_MODE_MP);
	l = ovpn_listen(f.ns, 0);
	all_expire(&f);
	CHECK(WAIT_FOR(ethtool_count(f.ns, "ovpn0", "peers_expired"), NEXT_MS));
	pid = netns_spawn(f.ns, "ip link del ovpn0");
	CHECK(netns_wait(pid, 10000));
	ovpn_listener_close(l);
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "default receive buffer, a message in 5 ms", default_buffer },
	{ "libnl's receive buffer, a message in 5 ms", libnl_buffer },
	{ "OpenVPN 3's receive buffer, a message in 5 ms", openvpn3_buffer },
	{ "a listener that starts late", late_reader },
	{ "no listener", no_listener },
	{ "the listener leaves", listener_leaves },
	{ "the device is deleted meanwhile", device_leaves },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
