// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which TCP sockets become a peer's transport and which are refused: with
 * ENOTSOCK and a sentence, and nothing about them has changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <linux/bpf.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "stream.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif

#define LO4	"127.0.0.1"
#define LO6	"::1"

static struct fixture f;
static struct wire_key key;
static uint32_t next_id = 100;
static uint32_t packet_id;

static void pair(int fds[2])
{
	stream_pair(f.ns, LO4, f.ns, LO4, NULL, fds);
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* ---- what a socket is ---- */

/* Both ways, everything, data packets included: nobody takes anything out. */
static bool is_plain(const int fds[2])
{
	uint8_t packet[64], frame[64], got[64];
	size_t len;

	len = wire_seal(&key, 1, 1, wire_ping, sizeof(wire_ping), packet);
	len = stream_frame(frame, packet, len);
	return CHECK(stream_detached(fds[0])) &&
	       CHECK_ERR(0, stream_write(fds[1], frame, len)) &&
	       CHECK_EQ(len, stream_read(fds[0], got, len, 2000)) &&
	       CHECK_MEMEQ(frame, got, len) &&
	       CHECK_ERR(0, stream_write(fds[0], frame, len)) &&
	       CHECK_EQ(len, stream_read(fds[1], got, len, 2000)) &&
	       CHECK_MEMEQ(frame, got, len);
}

/* The peer's data packets go to the module, the rest to the socket's owner. */
static bool is_peers(const int fds[2], uint32_t id)
{
	static const uint8_t control[] = "\0\x0e\x38hello, world!";
	uint64_t before = ethtool_count(f.ns, "ovpn0", "rx_keepalive");
	uint8_t packet[64], frame[64], got[64];
	size_t len;

	len = wire_seal(&key, id, ++packet_id, wire_ping, sizeof(wire_ping),
			packet);
	len = stream_frame(frame, packet, len);
	return CHECK_ERR(0, stream_write(fds[1], frame, len)) &&
	       CHECK(WAIT_FOR(ethtool_count(f.ns, "ovpn0", "rx_keepalive") ==
			      before + 1, 2000)) &&
	       CHECK_ERR(0, stream_write(fds[1], control, 16)) &&
	       CHECK_EQ(16, stream_read(fds[0], got, 16, 2000)) &&
	       CHECK_MEMEQ(control, got, 16) &&
	       CHECK(udp_quiet(fds[0], 0)) &&
	       CHECK_ERR(0, stream_write(fds[0], control, 16)) &&
	       CHECK_EQ(16, stream_read(fds[1], got, 16, 2000)) &&
	       CHECK_MEMEQ(control, got, 16);
}

static struct ovpn_peer_args tcp_args(int fd, uint32_t id)
{
	struct ovpn_peer_args args = fixture_peer_args(&f, id);

	args.socket = fd;
	args.remote = NULL;
	return args;
}

static int try_attach(int fd, uint32_t id)
{
	struct ovpn_peer_args args = tcp_args(fd, id);

	return ovpn_nl_new_peer(f.nl, f.ifindex, &args);
}

static bool attach(int fd, uint32_t id)
{
	int err = try_attach(fd, id);

	if (!CHECK_MSG(!err, "NEW_PEER: %s (%s)", strerror(-err),
		       ovpn_nl_extack(f.nl)))
		return false;
	fixture_key(&f, id, &key);
	return true;
}

static void detach(int fd, uint32_t id)
{
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, id));
	CHECK(fd < 0 || stream_detached(fd));
}

/* ---- refusals ---- */

static void refused(int fd, const char *what)
{
	int before = ovpn_nl_dump(f.nl, f.ifindex, NULL), err;

	err = try_attach(fd, 99);
	CHECK_MSG(err == -ENOTSOCK, "%s: %s (%s)", what, strerror(-err),
		  ovpn_nl_extack(f.nl));
	CHECK_MSG(*ovpn_nl_extack(f.nl), "%s: no sentence", what);
	CHECK_EQ(before, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	if (!err)
		detach(fd, 99);
}

static int new_socket(int family, int proto)
{
	int back = netns_visit(f.ns);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, proto);

	netns_back(back);
	return fd;
}

static void unconnected(void)
{
	int fd;

	fd = new_socket(AF_INET, 0);
	refused(fd, "a new socket");
	CHECK_EQ(0, listen(fd, 1));
	refused(fd, "a listening socket");
	close(fd);
	fd = new_socket(AF_INET6, 0);
	refused(fd, "a new IPv6 socket");
	CHECK_EQ(0, listen(fd, 1));
	refused(fd, "a listening IPv6 socket");
	close(fd);
}

static void connecting(void)
{
	struct sockaddr_in nobody = {
		.sin_family = AF_INET,
		.sin_port = htons(1),
	};
	int fd = new_socket(AF_INET, 0);

	/* there is no peer: into the tunnel is into the void */
	nobody.sin_addr.s_addr = inet_addr("10.9.200.200");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	CHECK_EQ(-1, connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)));
	CHECK_EQ(EINPROGRESS, errno);
	refused(fd, "a socket still on its way");
	close(fd);
}

static int tcp_state(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ?
	       -1 : info.tcpi_state;
}

/* Either end has said that it is done, or both. */
static void half_closed(void)
{
	int fds[2];
	char c;

	pair(fds);
	CHECK_EQ(0, shutdown(fds[0], SHUT_WR));
	CHECK(WAIT_FOR(tcp_state(fds[0]) == TCP_FIN_WAIT2, 2000));
	refused(fds[0], "a socket that has been shut down");
	CHECK_EQ(TCP_CLOSE_WAIT, tcp_state(fds[1]));
	refused(fds[1], "a socket at the end of its stream");
	/* the other half still works */
	CHECK_EQ(1, send(fds[1], "x", 1, 0));
	CHECK_EQ(1, stream_read(fds[0], &c, 1, 2000));
	close_pair(fds);

	pair(fds);
	stream_reset(fds[1]);
	CHECK(WAIT_FOR(tcp_state(fds[0]) == TCP_CLOSE, 2000));
	refused(fds[0], "a socket that has been reset");
	CHECK_EQ(-1, recv(fds[0], &c, 1, MSG_DONTWAIT));
	CHECK_EQ(ECONNRESET, errno);
	close(fds[0]);
}

static void with_ulp(void)
{
	int fds[2];

	pair(fds);
	if (setsockopt(fds[0], IPPROTO_TCP, TCP_ULP, "tls", 3)) {
		ktap_skip("no kernel TLS here: %m");
	} else {
		refused(fds[0], "a socket with kernel TLS");
		is_plain(fds);
	}
	close_pair(fds);
}

static void mptcp(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
	};
	socklen_t len = sizeof(addr);
	int listener, fds[2];

	listener = new_socket(AF_INET, IPPROTO_MPTCP);
	if (listener < 0) {
		ktap_skip("no MPTCP here: %m");
		return;
	}
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0] = new_socket(AF_INET, IPPROTO_MPTCP);
	CHECK_EQ(0, bind(listener, (struct sockaddr *)&addr, sizeof(addr)));
	CHECK_EQ(0, listen(listener, 1));
	CHECK_EQ(0, getsockname(listener, (struct sockaddr *)&addr, &len));
	CHECK_EQ(0, connect(fds[0], (struct sockaddr *)&addr, len));
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK_GE(0, fds[1]);
	refused(fds[0], "a connected MPTCP socket");
	refused(fds[1], "an accepted MPTCP socket");
	refused(listener, "a listening MPTCP socket");
	is_plain(fds);
	close(listener);
	close_pair(fds);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int sockmap_new(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 2,
	};

	return bpf(BPF_MAP_CREATE, &attr);
}

static int sockmap_add(int map, uint32_t slot, uint32_t fd)
{
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&slot,
		.value = (uintptr_t)&fd,
	};

	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

/* What uses sk_user_data of a connection: sockmaps are one such thing. */
static void others_socket(void)
{
	int fds[2], map = sockmap_new();

	if (map < 0) {
		ktap_skip("no BPF socket maps here: %m");
		return;
	}
	pair(fds);
	if (CHECK_EQ(0, sockmap_add(map, 0, fds[0]))) {
		refused(fds[0], "a socket in a BPF map");
		is_plain(fds);
	}
	close_pair(fds);
	/* and the other way round */
	pair(fds);
	if (attach(fds[0], 1)) {
		CHECK_EQ(-1, sockmap_add(map, 1, fds[0]));
		/* The second from kernels that look for a ULP first */
		CHECK_EQ(1, errno == EBUSY || errno == EINVAL);
		is_peers(fds, 1);
		detach(fds[0], 1);
	}
	close_pair(fds);
	close(map);
}

static void second_peer(void)
{
	int fds[2];

	pair(fds);
	if (attach(fds[0], 1)) {
		refused(fds[0], "the socket of another peer");
		is_peers(fds, 1);
		detach(fds[0], 1);
		is_plain(fds);
	}
	close_pair(fds);
}

static void other_device(void)
{
	struct fixture other;
	struct ovpn_peer_args args;
	int fds[2];

	pair(fds);
	fixture_start(&other, OVPN_MODE_MP);
	args = tcp_args(fds[0], 1);
	if (CHECK_ERR(0, ovpn_nl_new_peer(other.nl, other.ifindex, &args))) {
		refused(fds[0], "the socket of another device's peer");
		CHECK_ERR(0, ovpn_nl_del_peer(other.nl, other.ifindex, 1));
		CHECK(stream_detached(fds[0]));
		if (attach(fds[0], 1)) {
			is_peers(fds, 1);
			detach(fds[0], 1);
		}
	}
	fixture_end(&other);
	close_pair(fds);
}

/* Refused for a reason that has nothing to do with the socket. */
static void other_refusal(void)
{
	struct ovpn_peer_args args;
	int fds[2];

	pair(fds);
	fixture_peer(&f, 7);
	CHECK_ERR(-EEXIST, try_attach(fds[0], 7));
	is_plain(fds);
	args = tcp_args(fds[0], 8);
	args.ipv4 = NULL;
	CHECK_ERR(-EINVAL, ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	is_plain(fds);
	args = tcp_args(fds[0], 0x1000000);
	CHECK_ERR(speaks_ovpn() ? -ERANGE : -EINVAL,
		  ovpn_nl_new_peer(f.nl, f.ifindex, &args));
	is_plain(fds);
	if (attach(fds[0], 8)) {
		is_peers(fds, 8);
		detach(fds[0], 8);
	}
	detach(-1, 7);
	close_pair(fds);
}

/* ---- what is accepted ---- */

static void families(void)
{
	static const struct {
		const char *addr;
		struct stream_conf conf;
	} ways[] = {
		{ LO4, { 0 } }, { LO4, { .accepts = true } },
		{ LO6, { 0 } }, { LO6, { .accepts = true } },
		{ LO4, { .mapped = true } },
		{ LO4, { .mapped = true, .accepts = true } },
	};
	unsigned int i;
	int fds[2];

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		stream_pair(f.ns, ways[i].addr, f.ns, ways[i].addr,
			    &ways[i].conf, fds);
		if (attach(fds[0], next_id)) {
			is_peers(fds, next_id);
			detach(fds[0], next_id++);
			is_plain(fds);
		}
		close_pair(fds);
	}
}

/* OpenVPN 2.6's clients name the remote with TCP as well. */
static void remote(void)
{
	static const char *const remotes[] = {
		NULL, "192.0.2.1", "fd00::1", "::ffff:192.0.2.1",
	};
	struct ovpn_peer_args args;
	struct ovpn_peer_info info;
	unsigned int i;
	int fds[2];

	for (i = 0; i < ARRAY_SIZE(remotes); i++) {
		pair(fds);
		args = tcp_args(fds[0], 1);
		args.remote = remotes[i];
		args.remote_port = 1194;
		if (!CHECK_ERR(0, ovpn_nl_new_peer(f.nl, f.ifindex, &args)))
			break;
		fixture_key(&f, 1, &key);
		is_peers(fds, 1);
		CHECK_ERR(0, ovpn_nl_get_peer(f.nl, f.ifindex, 1, &info));
		CHECK(!OVPN_INFO_HAS(&info, SOCKADDR_REMOTE));
		CHECK(!OVPN_INFO_HAS(&info, LOCAL_IP));
		CHECK(OVPN_INFO_HAS(&info, IPV4));
		CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, NULL));
		detach(fds[0], 1);
		close_pair(fds);
	}
}

/* TCP and UDP peers side by side, and none is mistaken for another. */
static void mixed(void)
{
	int fds[3][2], i;

	fixture_peers(&f, 1, 3);
	for (i = 0; i < 3; i++) {
		pair(fds[i]);
		if (!attach(fds[i][0], 11 + i))
			return;
	}
	CHECK_EQ(6, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	for (i = 0; i < 3; i++)
		is_peers(fds[i], 11 + i);
	detach(fds[1][0], 12);
	detach(-1, 1);
	is_plain(fds[1]);
	is_peers(fds[0], 11);
	is_peers(fds[2], 13);
	detach(fds[0][0], 11);
	detach(fds[2][0], 13);
	detach(-1, 2);
	detach(-1, 3);
	for (i = 0; i < 3; i++) {
		is_plain(fds[i]);
		close_pair(fds[i]);
	}
}

static void again_and_again(void)
{
	int fds[2], i;

	pair(fds);
	for (i = 0; i < 30 && ktap_good(); i++) {
		if (!attach(fds[0], 1 + i % 3))
			break;
		is_peers(fds, 1 + i % 3);
		detach(fds[0], 1 + i % 3);
		is_plain(fds);
	}
	close_pair(fds);
}

/* ---- somebody is waiting to send ---- */

#define FRAMES		40
#define FRAME_LEN	8000

struct thread {
	pthread_t thread;
	int fd;
	int ret;
	bool done;
};

static void thread_start(struct thread *t, void *(*run)(void *arg))
{
	if (pthread_create(&t->thread, NULL, run, t))
		ktap_bail("no thread");
}

static bool thread_done(const struct thread *t)
{
	return __atomic_load_n(&t->done, __ATOMIC_ACQUIRE);
}

static void *send_frames(void *arg)
{
	uint8_t packet[FRAME_LEN] = { 5 << 3 }, frame[sizeof(packet) + 2];
	size_t len = stream_frame(frame, packet, sizeof(packet));
	struct thread *t = arg;

	while (t->ret < FRAMES &&
	       send(t->fd, frame, len, MSG_NOSIGNAL) == (ssize_t)len)
		t->ret++;
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *attach_again(void *arg)
{
	struct thread *t = arg;

	t->ret = try_attach(t->fd, 2);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* As long as that takes a moment only, it is nobody's fault. */
static void sender_waits(void)
{
	static const struct stream_conf narrow = {
		.near_buf = 8192, .far_buf = 8192,
	};
	static uint8_t got[FRAMES * (FRAME_LEN + STREAM_HEAD_LEN)];
	struct thread sends = { 0 }, attaches = { 0 };
	int fds[2];

	stream_pair(f.ns, LO4, f.ns, LO4, &narrow, fds);
	if (attach(fds[0], 1)) {
		sends.fd = fds[0];
		attaches.fd = fds[0];
		thread_start(&sends, send_frames);
		sleep_ms(300);
		CHECK(!thread_done(&sends));
		detach(fds[0], 1);
		thread_start(&attaches, attach_again);
		sleep_ms(300);
		CHECK_MSG(!thread_done(&attaches), "NEW_PEER: %s",
			  strerror(-attaches.ret));
		CHECK_EQ(sizeof(got),
			 stream_read(fds[1], got, sizeof(got), 10000));
		pthread_join(sends.thread, NULL);
		pthread_join(attaches.thread, NULL);
		CHECK_EQ(FRAMES, sends.ret);
		CHECK_ERR(0, attaches.ret);
		if (!attaches.ret) {
			fixture_key(&f, 2, &key);
			is_peers(fds, 2);
			detach(fds[0], 2);
		}
	}
	close_pair(fds);
}

/* A point-to-point device's peer is replaced, also on the same connection. */
static void p2p_same_socket(void)
{
	struct fixture mp = f;
	int fds[2], others[2];

	fixture_start(&f, OVPN_MODE_P2P);
	pair(fds);
	pair(others);
	if (attach(fds[0], 1)) {
		is_peers(fds, 1);
		if (attach(fds[0], 2))
			is_peers(fds, 2);
		if (attach(others[0], 3))
			is_peers(others, 3);
		is_plain(fds);
	}
	close_pair(fds);
	close_pair(others);
	fixture_end(&f);
	f = mp;
}

/* ---- what its owner cannot do meanwhile ---- */

static void disconnect(void)
{
	static const struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fds[2];

	pair(fds);
	if (attach(fds[0], 1)) {
		CHECK_EQ(-1, connect(fds[0], &none, sizeof(none)));
		CHECK_EQ(EBUSY, errno);
		is_peers(fds, 1);
		detach(fds[0], 1);
		CHECK_EQ(0, connect(fds[0], &none, sizeof(none)));
		CHECK_EQ(TCP_CLOSE, tcp_state(fds[0]));
	}
	close_pair(fds);
}

static void set_ulp(void)
{
	int fds[2];

	pair(fds);
	if (attach(fds[0], 1)) {
		CHECK_EQ(-1, setsockopt(fds[0], IPPROTO_TCP, TCP_ULP, "tls",
					3));
		CHECK_EQ(EBUSY, errno);
		is_peers(fds, 1);
		detach(fds[0], 1);
	}
	close_pair(fds);
}

/* What it can: all the rest. */
static void options(void)
{
	int fds[2], value = 0;
	socklen_t len = sizeof(value);
	char ulp[16];

	pair(fds);
	if (attach(fds[0], 1)) {
		CHECK_EQ(0, setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &value,
				       len));
		value = 55;
		CHECK_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_MARK, &value,
				       len));
		value = 0;
		CHECK_EQ(0, getsockopt(fds[0], SOL_SOCKET, SO_MARK, &value,
				       &len));
		CHECK_EQ(55, value);
		value = 60;
		CHECK_EQ(0, setsockopt(fds[0], IPPROTO_TCP, TCP_KEEPIDLE,
				       &value, len));
		CHECK_EQ(TCP_ESTABLISHED, tcp_state(fds[0]));
		CHECK_EQ(-1, listen(fds[0], 1));
		CHECK_EQ(EINVAL, errno);
		/* as of any connection without one */
		len = sizeof(ulp);
		CHECK_EQ(0, getsockopt(fds[0], IPPROTO_TCP, TCP_ULP, ulp,
				       &len));
		CHECK_EQ(0, len);
		CHECK_EQ(0, netns_sh(f.ns, "ss -tnei >/dev/null"));
		is_peers(fds, 1);
		detach(fds[0], 1);
	}
	close_pair(fds);
}

/*
 * The kernel's packets do not wait, whatever the owner wants for its own, and
 * what it wants is kept.
 */
static void nodelay(void)
{
	int fds[2], value, kept;
	socklen_t len = sizeof(value);

	pair(fds);
	for (value = 0; value < 2; value++) {
		if (!attach(fds[0], 1))
			break;
		CHECK_EQ(0, setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &value,
				       len));
		is_peers(fds, 1);
		detach(fds[0], 1);
		CHECK_EQ(0, getsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &kept,
				       &len));
		CHECK_EQ(value, kept);
	}
	close_pair(fds);
}

static const struct ktap_case cases[] = {
	{ "not connected, listening: ENOTSOCK", unconnected },
	{ "connecting: ENOTSOCK", connecting },
	{ "half closed, reset: ENOTSOCK", half_closed },
	{ "kernel TLS: ENOTSOCK", with_ulp },
	{ "MPTCP: ENOTSOCK", mptcp },
	{ "in use by something else: ENOTSOCK", others_socket },
	{ "second peer on a connection: ENOTSOCK", second_peer },
	{ "in use by another device: ENOTSOCK", other_device },
	{ "refused for another reason: untouched", other_refusal },
	{ "IPv4, IPv6, mapped; connected, accepted", families },
	{ "a remote address is optional, ignored and not shown", remote },
	{ "TCP and UDP peers on one device", mixed },
	{ "attached and detached 30 times", again_and_again },
	{ "attached while a sender waits for room", sender_waits },
	{ "point-to-point: replaced on the same connection", p2p_same_socket },
	{ "connect(AF_UNSPEC) on a peer's socket: EBUSY", disconnect },
	{ "TCP_ULP on a peer's socket: EBUSY", set_ulp },
	{ "other options of a peer's socket", options },
	{ "TCP_NODELAY of a peer's socket", nodelay },
};

int main(void)
{
	int result;

	need_root();
	fixture_start(&f, OVPN_MODE_MP);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	result = KTAP_RUN(cases);
	fixture_end(&f);
	return result;
}
