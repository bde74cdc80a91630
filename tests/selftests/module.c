// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading. Needs a host that can do without the module for a
 * moment: skipped where devices of its kind exist or it is built in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "stream.h"

#define NAME	"ovpn-dco-v2"
#define SYSFS	"/sys/module/ovpn_dco_v2"

static bool loaded(void)
{
	return !access(SYSFS, F_OK);
}

/* True if it is not loaded now. */
static bool take_out(void)
{
	char text[256] = "";

	if (!loaded())
		return true;
	if (!netns_read(NULL, text, sizeof(text), "modprobe -r " NAME) &&
	    !loaded())
		return true;
	ktap_skip("cannot unload the module: %.*s",
		  (int)strcspn(text, "\n"), text);
	return false;
}

static bool can_load(void)
{
	char text[512];

	if (!netns_read(NULL, text, sizeof(text), "modprobe -n " NAME))
		return true;
	ktap_skip("the module is not where modprobe looks");
	return false;
}

static void by_link(void)
{
	struct netns *ns;

	if (!can_load() || !take_out())
		return;
	ns = netns_new("link");
	CHECK_EQ(0, netns_sh(ns, "ip link add ovpn0 type %s",
			     family()->kind));
	CHECK(loaded());
	CHECK_EQ(0, netns_sh(ns, "ip link del ovpn0"));
	netns_free(ns);
}

static void by_family(void)
{
	struct ovpn_nl *nl;

	if (!can_load() || !take_out())
		return;
	nl = ovpn_nl_try_open();
	CHECK_MSG(nl, "cannot resolve the family: %s", strerror(errno));
	CHECK(loaded());
	ovpn_nl_close(nl);
}

static void in_sysfs(void)
{
	char text[64] = "";

	CHECK_EQ(0, netns_sh(NULL, "modprobe " NAME));
	CHECK_ERR(0, file_read_line(SYSFS "/version", text, sizeof(text)));
	CHECK(*text);
	CHECK_ERR(0, file_read_line(SYSFS "/parameters/packet_id_limit", text,
				    sizeof(text)));
	CHECK_STREQ("4294967295", text);
}

/* With devices, peers, keys, timers and packets: all of it has to go. */
static void unload_in_use(void)
{
	struct wire_key key;
	uint8_t packet[64];
	struct fixture f;
	uint32_t id;
	size_t len;
	pid_t pid;

	if (!can_load() || !take_out())
		return;
	fixture_start(&f, OVPN_MODE_MP);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_peers(&f, 1, 100);
	for (id = 1; id <= 100; id++) {
		fixture_key(&f, id, &key);
		CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, id, 1, 2));
	}
	sleep_ms(1800);
	for (id = 1; id <= 100; id++) {
		len = wire_seal(&key, id, 1, wire_ping, sizeof(wire_ping),
				packet);
		fixture_send(&f, id, packet, len);
	}
	pid = netns_spawn(NULL, "rmmod ovpn_dco_v2");
	CHECK(netns_wait(pid, 20000));
	CHECK(!loaded());
	CHECK_EQ(0, netns_ifindex(f.ns, "ovpn0"));
	/* the socket has outlived it and is an ordinary one */
	fixture_send(&f, 1, "\x48hello", 6);
	CHECK(!udp_quiet(f.sock, 1000));
	fixture_end(&f);
	CHECK_EQ(0, netns_sh(NULL, "modprobe " NAME));
}

/* A packet at a time, of which none is sent in part: the buffer overflows */
static void __attribute__((noreturn)) write_all(int fd, const uint8_t *data, size_t len)
{
	ssize_t sent = 0;

	for (; len; len -= sent, data += sent) {
		sent = send(fd, data, len < 1000 ? len : 1000, MSG_NOSIGNAL);
		if (sent < 0)
			_exit(1);
	}
	_exit(0);
}

/*
 * With connections, and calls that wait on them: in one direction for something
 * to read, in the other for room to write.
 */
static void unload_connections(void)
{
	static const struct stream_conf narrow = {
		.near_buf = 8192, .far_buf = 8192,
	};
	static uint8_t much[200000], got[sizeof(much)];
	struct stream_reader *r;
	struct ovpn_peer_args args;
	struct fixture f;
	int fds[2][2], i;
	pid_t pid, writer;
	int64_t start;

	if (!can_load() || !take_out())
		return;
	fixture_start(&f, OVPN_MODE_MP);
	for (i = 0; i < 2; i++) {
		stream_pair(f.ns, "127.0.0.1", f.ns, "127.0.0.1", &narrow,
			    fds[i]);
		args = fixture_peer_args(&f, i + 1);
		args.socket = fds[i][0];
		CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	}
	r = stream_reader_start(fds[0][0], 100, 0);
	writer = fork();
	if (!writer)
		write_all(fds[1][0], much, sizeof(much));
	sleep_ms(100);
	start = now_ms();
	pid = netns_spawn(NULL, "rmmod ovpn_dco_v2");
	CHECK_MSG(netns_wait(pid, 20000), "cannot unload the module");
	ktap_note("unloaded after %lld ms", (long long)(now_ms() - start));
	CHECK(!loaded());
	/* they have not noticed anything */
	CHECK(stream_reader_blocks(r));
	CHECK_EQ(5, send(fds[0][1], "hello", 5, MSG_NOSIGNAL));
	CHECK_EQ(5, stream_reader_wait(r, 2000));
	CHECK_MEMEQ("hello", r->data, 5);
	stream_reader_free(r);
	CHECK_EQ(sizeof(much), stream_read(fds[1][1], got, sizeof(got), 5000));
	CHECK(netns_wait(writer, 2000));
	for (i = 0; i < 2; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
	WAIT_FOR(!loaded(), 10000);
	fixture_end(&f);
	CHECK_EQ(0, netns_sh(NULL, "modprobe " NAME));
}

static void often(void)
{
	int i;

	if (!can_load() || !take_out())
		return;
	for (i = 0; i < 10 && ktap_good(); i++) {
		CHECK_EQ(0, netns_sh(NULL, "modprobe " NAME));
		CHECK_EQ(0, netns_sh(NULL, "modprobe -r " NAME));
	}
	CHECK_EQ(0, netns_sh(NULL, "modprobe " NAME));
}

static const struct ktap_case cases[] = {
	{ "ip link add loads it", by_link },
	{ "resolving the family loads it", by_family },
	{ "version and parameter in sysfs", in_sysfs },
	{ "unloaded with peers on a device", unload_in_use },
	{ "unloaded while a reader and a writer wait", unload_connections },
	{ "loaded and unloaded ten times", often },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
