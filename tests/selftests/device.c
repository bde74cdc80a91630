// SPDX-License-Identifier: GPL-2.0-only
/* The network device: how it is made, what it says of itself, how it goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "family.h"
#include "fixture.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>

#include "ktap.h"
#include "netns.h"
#include "nlsock.h"

static struct netns *ns;

/* ---- making one ---- */

static void mode_is(const char *name, int mode)
{
	struct ovpn_link_info info;

	CHECK_ERR(0, ovpn_link_get(ns, name, &info));
	CHECK_STREQ(family()->kind, info.kind);
	CHECK_EQ(mode, info.mode);
	CHECK_EQ(1, info.mode_len);
	CHECK_ERR(0, ovpn_link_del(ns, name));
}

static void modes(void)
{
	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_NONE));
	mode_is("ovpn0", OVPN_MODE_P2P);
	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_P2P));
	mode_is("ovpn0", OVPN_MODE_P2P);
	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_MP));
	mode_is("ovpn0", OVPN_MODE_MP);
}

/* RTM_NEWLINK with any one attribute as the device's own. */
static int new_link(int type, const void *data, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK,
						NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nlattr *info, *own;
	struct nlsock *s;
	int back, err;

	nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO);
	ovpn_put_raw(msg, IFLA_IFNAME, "ovpn0", 6);
	info = ovpn_nest(msg, IFLA_LINKINFO | NLA_F_NESTED);
	ovpn_put_raw(msg, IFLA_INFO_KIND, family()->kind,
		     strlen(family()->kind));
	own = ovpn_nest(msg, IFLA_INFO_DATA | NLA_F_NESTED);
	ovpn_put_raw(msg, type, data, len);
	ovpn_nest_end(msg, own);
	ovpn_nest_end(msg, info);
	back = netns_visit(ns);
	s = nlsock_open(NETLINK_ROUTE);
	if (!s)
		ktap_bail("cannot open an rtnetlink socket: %m");
	netns_back(back);
	err = nlsock_post(s, msg);
	if (!err)
		err = nlsock_finish(s, NULL, NULL);
	/* that the name is taken is said by the kernel, in errno alone */
	CHECK_MSG(err >= 0 || err == -EEXIST || *s->extack,
		  "%s without a sentence", strerror(-err));
	nlsock_close(s);
	return err;
}

static void bad_modes(void)
{
	static const uint8_t good = OVPN_MODE_MP, two = 2, max = 255;
	static const uint32_t wide = OVPN_MODE_MP;

	CHECK(new_link(IFLA_OVPN_MODE, &two, 1) < 0);
	CHECK(new_link(IFLA_OVPN_MODE, &max, 1) < 0);
	CHECK(new_link(IFLA_OVPN_MODE, &max, 0) < 0);
	CHECK_EQ(0, netns_ifindex(ns, "ovpn0"));
	CHECK_ERR(0, new_link(IFLA_OVPN_MODE, &good, 1));
	CHECK_ERR(-EEXIST, new_link(IFLA_OVPN_MODE, &good, 1));
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
	/* the kernel takes longer values than asked for, here as everywhere */
	if (!new_link(IFLA_OVPN_MODE, &wide, 4))
		CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
}

static void by_iproute2(void)
{
	char text[4096];

	netns_run(ns, "ip link add ovpn0 type %s", family()->kind);
	CHECK_EQ(0, netns_read(ns, text, sizeof(text),
			       "ip -d link show type %s", family()->kind));
	CHECK(strstr(text, "ovpn0"));
	CHECK(strstr(text, family()->kind));
	netns_run(ns, "ip link del ovpn0");
}

static void many_times(void)
{
	int i;

	for (i = 0; i < 100 && ktap_good(); i++) {
		CHECK_GE(1, ovpn_link_new(ns, "ovpn0", i & 1));
		CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
	}
}

/* ---- what it says ---- */

static void properties_in_mode(int mode)
{
	struct ovpn_link_info info;

	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", mode));
	CHECK_ERR(0, ovpn_link_get(ns, "ovpn0", &info));
	CHECK_EQ(ARPHRD_NONE, info.type);
	CHECK_EQ(1500 - family()->overhead, info.mtu);
	CHECK_EQ(68, info.min_mtu);
	CHECK_EQ(65535 - family()->overhead, info.max_mtu);
	CHECK_EQ(IFF_POINTOPOINT | IFF_NOARP |
		 (speaks_ovpn() ? 0 : IFF_MULTICAST),
		 info.flags & (IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST |
			       IFF_BROADCAST | IFF_LOOPBACK | IFF_UP));
	netns_up(ns, "ovpn0");
	/* without a peer there is none: see ovpn_set */
	if (mode == OVPN_MODE_P2P && speaks_ovpn()) {
		CHECK_ERR(0, ovpn_link_get(ns, "ovpn0", &info));
		CHECK_EQ(0, info.carrier);
		CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
		return;
	}
	/* operstate follows in a work of its own */
	CHECK(WAIT_FOR(!ovpn_link_get(ns, "ovpn0", &info) &&
		       info.flags & IFF_RUNNING, 2000));
	CHECK_EQ(1, info.carrier);
	CHECK(info.flags & IFF_UP);
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
}

static void properties(void)
{
	properties_in_mode(OVPN_MODE_P2P);
	properties_in_mode(OVPN_MODE_MP);
}

static void mtu_limits(void)
{
	const unsigned int most = 65535 - family()->overhead;
	const struct {
		unsigned int mtu;
		bool good;
	} tries[] = {
		{ 67, false }, { 68, true }, { 1500, true }, { most, true },
		{ most + 1, false }, { 65536, false }, { 0, false },
	};
	struct ovpn_link_info info;
	unsigned int i;
	char text[512];
	int status;

	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_MP));
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		status = netns_read(ns, text, sizeof(text),
				    "ip link set ovpn0 mtu %u", tries[i].mtu);
		CHECK_MSG(!status == tries[i].good, "mtu %u: status %d",
			  tries[i].mtu, status);
		ovpn_link_get(ns, "ovpn0", &info);
		if (tries[i].good)
			CHECK_EQ(tries[i].mtu, info.mtu);
	}
	CHECK_EQ(most, info.mtu);
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
}

static void ethtool(void)
{
	struct ethtool_info info;
	char version[32];

	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_MP));
	netns_up(ns, "ovpn0");
	CHECK_ERR(0, ethtool_info(ns, "ovpn0", &info));
	CHECK_STREQ(family()->kind, info.driver);
	if (CHECK_ERR(0, file_read_line("/sys/module/ovpn_dco_v2/version",
					version, sizeof(version)))) {
		CHECK(*version);
		CHECK_STREQ(version, info.version);
	}
	CHECK_STREQ("ovpn", info.bus);
	CHECK_EQ(1000, info.speed);
	CHECK_EQ(DUPLEX_FULL, info.duplex);
	CHECK_EQ(1, info.link);
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
}

static void counters(void)
{
	static const char *const zero[] = {
		"rx_drop_short", "rx_drop_auth", "tx_drop_no_peer", "peers",
		"rx_control", "rx_keepalive", "tx_keepalive", "tx_merged",
		"rx_float",
		"peers_expired", "requests_for_expired",
	};
	unsigned int i;
	uint64_t value;

	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_MP));
	for (i = 0; i < ARRAY_SIZE(zero); i++)
		if (CHECK_MSG(!ethtool_stat(ns, "ovpn0", zero[i], &value),
			      "no counter %s", zero[i]))
			CHECK_EQ(0, value);
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
}

/* What a new device has, as in the README. */
static const struct flag {
	const char *name;
	bool on;
} flags[] = {
	{ "loose-rpf", false },
	{ "udp-gso", true },
	{ "udp-gro", true },
	{ "path-mtu", true },
	{ "copy-dscp", false },
	{ "copy-ecn", true },
};

#define FLAGS	ARRAY_SIZE(flags)

/* All flags of a device, but one, as they were made. */
static void check_flags(const char *dev, unsigned int other)
{
	unsigned int i;
	int want, got;

	for (i = 0; i < FLAGS; i++) {
		want = i == other ? !flags[i].on : flags[i].on;
		got = ethtool_get_flag(ns, dev, flags[i].name);
		CHECK_MSG(got == want, "%s of %s is %d, wanted %d",
			  flags[i].name, dev, got, want);
	}
}

static void private_flags(void)
{
	char text[4096];
	unsigned int i;

	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_MP));
	CHECK_GE(1, ovpn_link_new(ns, "ovpn1", OVPN_MODE_P2P));
	check_flags("ovpn0", FLAGS);
	check_flags("ovpn1", FLAGS);
	for (i = 0; i < FLAGS; i++) {
		CHECK_ERR(0, ethtool_set_flag(ns, "ovpn0", flags[i].name,
					      !flags[i].on));
		check_flags("ovpn0", i);
		check_flags("ovpn1", FLAGS);
		CHECK_ERR(0, ethtool_set_flag(ns, "ovpn0", flags[i].name,
					      flags[i].on));
		check_flags("ovpn0", FLAGS);
	}
	CHECK_ERR(-ENOENT, ethtool_get_flag(ns, "ovpn0", "no-such-flag"));

	/* there are no others, and the names are what ethtool(8) takes */
	netns_run(ns, "ethtool --set-priv-flags ovpn0 udp-gro off copy-dscp on");
	CHECK_EQ(0, netns_read(ns, text, sizeof(text),
			       "ethtool --show-priv-flags ovpn0 | grep -c ':.*o[nf]'"));
	CHECK_EQ(FLAGS, atoi(text));
	CHECK_ERR(0, ethtool_get_flag(ns, "ovpn0", "udp-gro"));
	CHECK_ERR(1, ethtool_get_flag(ns, "ovpn0", "copy-dscp"));
	CHECK_ERR(1, ethtool_get_flag(ns, "ovpn0", "udp-gso"));
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
	/* a new device of that name begins anew */
	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_MP));
	check_flags("ovpn0", FLAGS);
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn1"));
}

static void features(void)
{
	static const char *const on[] = {
		"scatter-gather: on", "tx-checksumming: on",
		"generic-segmentation-offload: on",
		"tcp-segmentation-offload: on",
	};
	char text[8192];
	unsigned int i;

	CHECK_GE(1, ovpn_link_new(ns, "ovpn0", OVPN_MODE_MP));
	if (netns_read(ns, text, sizeof(text), "ethtool -k ovpn0") == 127)
		ktap_skip("no ethtool command here");
	else
		for (i = 0; i < ARRAY_SIZE(on); i++)
			CHECK_MSG(strstr(text, on[i]), "not %s", on[i]);
	CHECK_ERR(0, ovpn_link_del(ns, "ovpn0"));
}

/* ---- moving and going ---- */

static void moved(void)
{
	struct netns *away = netns_new("away");
	struct wire_key key;
	uint8_t packet[64];
	struct ovpn_nl *nl;
	struct fixture f;
	uint32_t ifindex;
	size_t len;

	fixture_start(&f, OVPN_MODE_MP);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peers(&f, 1, 3);
	fixture_key(&f, 1, &key);
	netns_run(f.ns, "ip link set ovpn0 netns %s", netns_path(away));
	CHECK_ERR(-ENODEV, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	ifindex = netns_ifindex(away, "ovpn0");
	nl = ovpn_nl_open(away);
	netns_up(away, "ovpn0");
	CHECK_EQ(3, ovpn_nl_dump(nl, ifindex, NULL));
	/* the transport has stayed where it was, and works */
	len = wire_seal(&key, 1, 1, wire_ping, sizeof(wire_ping), packet);
	fixture_send(&f, 1, packet, len);
	CHECK(WAIT_FOR(ethtool_count(away, "ovpn0", "rx_keepalive") == 1,
		       2000));
	CHECK_ERR(0, ovpn_nl_set_peer(nl, ifindex, 1, 1, 60));
	CHECK_EQ(len, udp_recv(f.far, packet, sizeof(packet), 4000, NULL));
	CHECK_ERR(0, ovpn_nl_del_peer(nl, ifindex, 1));
	/* and back again */
	netns_run(away, "ip link set ovpn0 netns %s", netns_path(f.ns));
	f.ifindex = netns_ifindex(f.ns, "ovpn0");
	CHECK_EQ(2, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	ovpn_nl_close(nl);
	netns_free(away);
	fixture_end(&f);
}

static void link_del_in_time(struct fixture *f)
{
	pid_t pid = netns_spawn(f->ns, "ip link del ovpn0");

	CHECK_MSG(netns_wait(pid, 10000), "ip link del hangs");
	CHECK_EQ(0, netns_ifindex(f->ns, "ovpn0"));
}

static void deleted_with_peers(void)
{
	struct wire_key key;
	struct fixture f;
	uint32_t id;

	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, 200);
	for (id = 1; id <= 200; id++) {
		fixture_key(&f, id, &key);
		CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, id, 1, 60));
	}
	/* packets under way, timers running, routes cached */
	sleep_ms(1500);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, 1, 60));
	link_del_in_time(&f);
	fixture_end(&f);
	fixture_start(&f, OVPN_MODE_P2P);
	fixture_peer(&f, 1);
	fixture_key(&f, 1, &key);
	link_del_in_time(&f);
	fixture_end(&f);
}

/* The socket is closed by its owner while the kernel uses it. */
static void socket_closed(void)
{
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, 3);
	close(f.sock);
	/* which ends these peers: see ovpn_close */
	if (speaks_ovpn()) {
		CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
		link_del_in_time(&f);
		f.sock = udp_socket(f.ns, "127.0.0.1", 0);
		fixture_end(&f);
		return;
	}
	CHECK_EQ(3, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, 1, 60));
	sleep_ms(1500);
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 1));
	link_del_in_time(&f);
	f.sock = udp_socket(f.ns, "127.0.0.1", 0);
	fixture_end(&f);
}

/* The namespace has gone when the other end of a veth pair into it has. */
static void netns_deleted(void)
{
	struct netns *outside = netns_new("outside"), *inside;
	struct ovpn_peer_args args = {
		.id = 1, .remote = "127.0.0.1", .remote_port = 1194,
		.ipv4 = "10.9.0.1",
	};
	struct ovpn_nl *nl;
	uint32_t ifindex;

	inside = netns_new("inside");
	netns_veth(outside, "veth0", inside, "veth1");
	ifindex = ovpn_link_new(inside, "ovpn0", OVPN_MODE_MP);
	netns_up(inside, "ovpn0");
	nl = ovpn_nl_open(inside);
	args.socket = udp_socket(outside, "0.0.0.0", 0);
	CHECK_ERR(0, ovpn_nl_new_peer(nl, ifindex, &args));
	CHECK_ERR(0, ovpn_nl_set_peer(nl, ifindex, 1, 1, 60));
	close(args.socket);
	ovpn_nl_close(nl);
	netns_free(inside);
	CHECK(WAIT_FOR(!netns_ifindex(outside, "veth0"), 10000));
	netns_free(outside);
}

/* The transport's namespace is let go while the device stays elsewhere. */
static void netns_of_socket(void)
{
	struct netns *outside = netns_new("outside"), *under;
	struct ovpn_peer_args args;
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	under = netns_new("underlay");
	netns_veth(outside, "veth0", under, "veth1");
	netns_addr(under, "veth1", "192.0.2.1/24");
	args = fixture_peer_args(&f, 1);
	args.socket = udp_socket(under, "0.0.0.0", 0);
	args.remote = "192.0.2.2";
	CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, 1, 1, 60));
	sleep_ms(1500);
	close(args.socket);
	netns_free(under);
	/* the socket's end is the peer's in the family ovpn */
	CHECK_ERR(speaks_ovpn() ? -ENOENT : 0,
		  ovpn_nl_get_peer(f.nl, f.ifindex, 1, NULL));
	CHECK_ERR(speaks_ovpn() ? -ENOENT : 0,
		  ovpn_nl_del_peer(f.nl, f.ifindex, 1));
	/* nothing holds it any more */
	CHECK(WAIT_FOR(!netns_ifindex(outside, "veth0"), 10000));
	netns_free(outside);
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "mode: point-to-point unless asked for, and filled in", modes },
	{ "mode: out of range, mis-sized", bad_modes },
	{ "made, shown and deleted by ip(8)", by_iproute2 },
	{ "made and deleted 100 times", many_times },
	{ "type, flags, MTU, carrier", properties },
	{ "MTU from 68 to what is left of 65535", mtu_limits },
	{ "ethtool: driver, version, link settings", ethtool },
	{ "ethtool: counters at zero", counters },
	{ "ethtool: private flags", private_flags },
	{ "ethtool: offloads that let large packets in", features },
	{ "moved between namespaces with its peers", moved },
	{ "deleted with peers", deleted_with_peers },
	{ "socket closed by its owner", socket_closed },
	{ "namespace deleted with a device in it", netns_deleted },
	{ "namespace of the socket deleted", netns_of_socket },
};

int main(void)
{
	int result;

	need_root();
	ns = netns_new("device");
	result = KTAP_RUN(cases);
	netns_free(ns);
	return result;
}
