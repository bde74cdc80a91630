// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lock of a socket is held for as long as its owner wants, who need not be
 * anybody in particular. Nobody else may have to wait for that: not netlink, not
 * devices and network namespaces that go away, not other peers' connections.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "stream.h"

#define LO		"127.0.0.1"
#define SOON_MS		10000	/* of what does not wait; it may be slow */
#define GONE_MS		60000	/* of a device with many peers */
#define GIVES_UP_MS	1500	/* of what waits a while: not before */

/* ---- a page that whoever touches it waits for ---- */

static struct {
	int fd;
	void *page;
} trap;

static bool trap_set(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	trap.fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (trap.fd < 0) {
		ktap_skip("needs userfaultfd()");
		return false;
	}
	trap.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (unsigned long)trap.page;
	reg.range.len = 4096;
	return CHECK_EQ(0, ioctl(trap.fd, UFFDIO_API, &api)) &&
	       CHECK_EQ(0, ioctl(trap.fd, UFFDIO_REGISTER, &reg));
}

/* Waits until so many more are in it. */
static bool trap_has(unsigned int count)
{
	struct pollfd poll_fd = { .fd = trap.fd, .events = POLLIN };
	struct uffd_msg msg;

	while (count && poll(&poll_fd, 1, SOON_MS) == 1)
		if (read(trap.fd, &msg, sizeof(msg)) == sizeof(msg))
			count--;
	return CHECK_EQ(0, count);
}

static void trap_open(void)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (unsigned long)trap.page, .len = 4096 },
	};

	CHECK_EQ(0, ioctl(trap.fd, UFFDIO_ZEROPAGE, &zero));
}

static void trap_end(void)
{
	munmap(trap.page, 4096);
	close(trap.fd);
}

/* ---- threads ---- */

struct call {
	pthread_t thread;
	const struct fixture *f;
	int fd;
	uint32_t id;
	int ret;
	int64_t took;
	bool explained;
	bool done;
};

static bool call_done(const struct call *c)
{
	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE);
}

static void call_return(struct call *c, int ret)
{
	c->ret = ret;
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
}

static void call_start(struct call *c, void *(*run)(void *arg))
{
	c->done = false;
	if (pthread_create(&c->thread, NULL, run, c))
		ktap_bail("no thread");
}

static int call_end(struct call *c)
{
	pthread_join(c->thread, NULL);
	return c->ret;
}

static void *send_page(void *arg)
{
	struct call *c = arg;

	call_return(c, send(c->fd, trap.page, 100, MSG_NOSIGNAL));
	return NULL;
}

/* As part of a datagram, or there would be no need for the lock */
static void *send_page_udp(void *arg)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct call *c = arg;

	call_return(c, sendto(c->fd, trap.page, 100, MSG_MORE,
			      (struct sockaddr *)&to, sizeof(to)));
	return NULL;
}

static void *add_peer(void *arg)
{
	struct call *c = arg;
	struct ovpn_peer_args args = {
		.id = c->id, .socket = c->fd, .ipv4 = "10.9.0.100",
	};
	struct ovpn_nl *nl = ovpn_nl_open(c->f->ns);
	int64_t start = now_ms();
	int err = ovpn_nl_new_peer(nl, c->f->ifindex, &args);

	c->took = now_ms() - start;
	c->explained = *ovpn_nl_extack(nl);
	ovpn_nl_close(nl);
	call_return(c, err);
	return NULL;
}

static void *swap_keys(void *arg)
{
	struct call *c = arg;

	call_return(c, ovpn_nl_swap_keys(c->f->nl, c->f->ifindex, c->id));
	return NULL;
}

/* Any other family, in any other namespace */
static void *ask_for_family(void *arg)
{
	struct call *c = arg;

	ovpn_nl_close(ovpn_nl_open(NULL));
	call_return(c, 0);
	return NULL;
}

/* ---- a connection, and a thread that has it locked ---- */

struct locked {
	struct fixture f;
	int fds[2];
	struct call holder;
};

static bool connect_and_lock(struct locked *l)
{
	stream_pair(l->f.ns, LO, l->f.ns, LO, NULL, l->fds);
	l->holder.fd = l->fds[0];
	call_start(&l->holder, send_page);
	return trap_has(1);
}

static bool locked_start(struct locked *l)
{
	memset(l, 0, sizeof(*l));
	if (!trap_set())
		return false;
	fixture_start(&l->f, OVPN_MODE_MP);
	return connect_and_lock(l);
}

/* After trap_open() */
static void locked_end(struct locked *l)
{
	trap_end();
	CHECK(stream_detached(l->fds[0]));
	close(l->fds[0]);
	close(l->fds[1]);
	fixture_end(&l->f);
}

/* ---- netlink ---- */

static void add_on(struct call *c, const struct locked *l, uint32_t id)
{
	*c = (struct call){ .f = &l->f, .fd = l->fds[0], .id = id };
	call_start(c, add_peer);
}

/* Unlocked in time, it is nothing but a delay. */
static void new_peer_waits(void)
{
	struct call adds, swaps = { .id = 1 };
	struct locked l;
	int64_t start;

	if (!locked_start(&l))
		return;
	fixture_peer(&l.f, 1);
	swaps.f = &l.f;
	start = now_ms();
	add_on(&adds, &l, 2);
	sleep_ms(200);
	CHECK(!call_done(&adds));
	call_start(&swaps, swap_keys);
	CHECK_MSG(WAIT_FOR(call_done(&swaps), 1000),
		  "the device's other requests wait");
	start = now_ms() - start;
	trap_open();
	CHECK_EQ(100, call_end(&l.holder));
	CHECK_ERR(0, call_end(&swaps));
	/* if this machine was not too slow */
	if (!call_end(&adds) || start < GIVES_UP_MS) {
		CHECK_ERR(0, adds.ret);
		CHECK_ERR(0, ovpn_nl_del_peer(l.f.nl, l.f.ifindex, 2));
	}
	locked_end(&l);
}

/* Not for ever, however many of them there are. */
static void new_peer_gives_up(void)
{
	struct call adds[8];
	struct locked l;
	unsigned int i;

	if (!locked_start(&l))
		return;
	for (i = 0; i < ARRAY_SIZE(adds); i++)
		add_on(&adds[i], &l, 10 + i);
	for (i = 0; i < ARRAY_SIZE(adds); i++)
		if (!CHECK_MSG(WAIT_FOR(call_done(&adds[i]), SOON_MS),
			       "NEW_PEER waits for whoever has the socket"))
			break;
	if (ktap_good()) {
		for (i = 0; i < ARRAY_SIZE(adds); i++) {
			CHECK_ERR(-ENOTSOCK, adds[i].ret);
			CHECK(adds[i].explained);
			CHECK_RANGE(GIVES_UP_MS, SOON_MS, adds[i].took);
		}
	}
	CHECK_EQ(0, ovpn_nl_dump(l.f.nl, l.f.ifindex, NULL));
	trap_open();
	CHECK_EQ(100, call_end(&l.holder));
	for (i = 0; i < ARRAY_SIZE(adds); i++)
		call_end(&adds[i]);
	locked_end(&l);
}

/*
 * A family that registers waits for all requests under way, and all others wait
 * for it. Anybody can have one registered, by asking for it.
 */
static void family_registers(void)
{
	struct call adds, asks = { 0 };
	struct locked l;
	pid_t pid;

	netns_sh(NULL, "modprobe -q -r psample");
	if (netns_sh(NULL, "modprobe -q -n psample")) {
		ktap_skip("needs the module psample");
		return;
	}
	if (!locked_start(&l))
		return;
	add_on(&adds, &l, 2);
	sleep_ms(200);
	pid = netns_spawn(NULL, "modprobe psample");
	sleep_ms(200);
	call_start(&asks, ask_for_family);
	CHECK_MSG(WAIT_FOR(call_done(&asks), SOON_MS), "netlink waits");
	CHECK_MSG(netns_wait(pid, SOON_MS), "the family waits");
	trap_open();
	CHECK_EQ(100, call_end(&l.holder));
	call_end(&adds);
	call_end(&asks);
	netns_kill(pid);
	CHECK_EQ(0, netns_sh(NULL, "modprobe -r psample"));
	if (!adds.ret)
		CHECK_ERR(0, ovpn_nl_del_peer(l.f.nl, l.f.ifindex, 2));
	locked_end(&l);
}

/* ---- devices and namespaces that go ---- */

static void tcp_peer(const struct fixture *f, uint32_t id, int fd)
{
	struct ovpn_peer_args args = fixture_peer_args(f, id);
	int err;

	args.socket = fd;
	err = ovpn_nl_new_peer(f->nl, f->ifindex, &args);
	if (err)
		ktap_bail("cannot create peer %u: %s (%s)", id, strerror(-err),
			  ovpn_nl_extack(f->nl));
}

static void check_link_goes(const struct fixture *f)
{
	pid_t pid = netns_spawn(f->ns, "ip link del ovpn0");

	if (!CHECK_MSG(netns_wait(pid, GONE_MS), "the device waits")) {
		trap_open();
		netns_wait(pid, GONE_MS);
	}
}

static void device_goes(void)
{
	struct locked l = { 0 };
	char byte;

	if (!trap_set())
		return;
	fixture_start(&l.f, OVPN_MODE_MP);
	stream_pair(l.f.ns, LO, l.f.ns, LO, NULL, l.fds);
	tcp_peer(&l.f, 1, l.fds[0]);
	l.holder.fd = l.fds[0];
	call_start(&l.holder, send_page);
	trap_has(1);
	check_link_goes(&l.f);
	/* what comes in meanwhile is kept */
	CHECK_EQ(1, send(l.fds[1], "x", 1, 0));
	trap_open();
	CHECK_EQ(100, call_end(&l.holder));
	CHECK(stream_detached(l.fds[0]));
	CHECK_EQ(1, stream_read(l.fds[0], &byte, 1, 2000));
	CHECK_EQ('x', byte);
	locked_end(&l);
}

static void device_goes_udp(void)
{
	struct call holder = { 0 };
	struct fixture f;
	uint16_t port;

	if (!trap_set())
		return;
	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, 3);
	/* to ask for it takes the lock */
	port = udp_port(f.sock);
	holder.fd = f.sock;
	call_start(&holder, send_page_udp);
	trap_has(1);
	check_link_goes(&f);
	/* without a device it is a socket like any other */
	CHECK_EQ(22, udp_send(f.far, fixture_remote(1), LO, port,
			      "\x48\0\0\1 not for the kernel", 22));
	trap_open();
	CHECK_EQ(100, call_end(&holder));
	trap_end();
	fixture_end(&f);
}

/* The one of the sockets stays. */
static void namespace_goes(void)
{
	struct netns *other = netns_new("other");
	struct call holders[2] = { 0 };
	struct fixture f;
	int fds[2], udp;

	if (!trap_set())
		return;
	fixture_start(&f, OVPN_MODE_MP);
	netns_veth(f.ns, "w0", other, "w1");
	stream_pair(other, LO, other, LO, NULL, fds);
	udp = udp_socket(other, LO, 0);
	tcp_peer(&f, 1, fds[0]);
	close(f.sock);
	f.sock = udp;
	fixture_peer(&f, 2);
	holders[0].fd = fds[0];
	call_start(&holders[0], send_page);
	holders[1].fd = udp;
	call_start(&holders[1], send_page_udp);
	trap_has(2);

	ovpn_nl_close(f.nl);
	close(f.far);
	netns_free(f.ns);
	CHECK(WAIT_FOR(!netns_ifindex(other, "w1"), SOON_MS));
	/* and the next one that goes */
	netns_veth(other, "w0", netns_home(), "locked1");
	netns_free(other);
	trap_open();
	CHECK_EQ(100, call_end(&holders[0]));
	CHECK_EQ(100, call_end(&holders[1]));
	trap_end();
	CHECK(stream_detached(fds[0]));
	close(fds[0]);
	close(fds[1]);
	close(udp);
	CHECK(WAIT_FOR(!netns_ifindex(NULL, "locked1"), SOON_MS));
}

/* ---- traffic ---- */

/* Into the tunnel, to whoever is there, less than one sender may have queued. */
static void send_inside(const struct fixture *f)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = inet_addr("10.9.0.1"),
	};
	int fd = udp_socket(f->ns, "10.9.255.254", 0), i;
	static const char data[1200];

	for (i = 0; i < 50; i++)
		sendto(fd, data, sizeof(data), MSG_DONTWAIT,
		       (struct sockaddr *)&to, sizeof(to));
	close(fd);
}

/* A connection that stopped the device is gone with its peer. */
static void next_peer_sends(void)
{
	struct locked l = { 0 };
	struct wire_key key;
	uint8_t got[2048];
	int i;

	if (!trap_set())
		return;
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_start(&l.f, OVPN_MODE_P2P);
	stream_pair(l.f.ns, LO, l.f.ns, LO, NULL, l.fds);
	tcp_peer(&l.f, 1, l.fds[0]);
	fixture_key(&l.f, 1, &key);
	l.holder.fd = l.fds[0];
	call_start(&l.holder, send_page);
	trap_has(1);
	for (i = 0; i < 8; i++)
		send_inside(&l.f);
	fixture_peer(&l.f, 2);
	fixture_key(&l.f, 2, &key);
	sleep_ms(500);
	send_inside(&l.f);
	CHECK_GE(1000, udp_recv(l.f.far, got, sizeof(got), SOON_MS, NULL));
	trap_open();
	CHECK_EQ(100, call_end(&l.holder));
	locked_end(&l);
}

#define MANY	600

/* One that is not locked, beside more of them than workers would do. */
static void others_send(void)
{
	static struct call holders[MANY];
	static int fds[MANY + 1][2];
	struct rlimit limit = { 4 * MANY, 4 * MANY };
	struct wire_key key;
	uint8_t packet[WIRE_MAX];
	struct fixture f;
	int i;

	if (!trap_set())
		return;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		ktap_bail("RLIMIT_NOFILE: %m");
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	fixture_start(&f, OVPN_MODE_MP);
	for (i = 0; i <= MANY; i++) {
		stream_pair(f.ns, LO, f.ns, LO, NULL, fds[i]);
		tcp_peer(&f, i + 1, fds[i][0]);
		fixture_key(&f, i + 1, &key);
		if (i == MANY)
			break;
		holders[i] = (struct call){ .fd = fds[i][0] };
		call_start(&holders[i], send_page);
	}
	trap_has(MANY);
	/* have something to send for each */
	for (i = 0; i < MANY; i++)
		ovpn_nl_set_peer(f.nl, f.ifindex, i + 1, 1, 0);
	sleep_ms(2500);
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, MANY + 1, 1, 0));
	CHECK_GE(WIRE_HEADER_LEN, stream_next(fds[MANY][1], packet, SOON_MS));
	/* and it is given back when it should */
	check_link_goes(&f);
	CHECK(stream_detached(fds[MANY][0]));

	trap_open();
	for (i = 0; i < MANY; i++)
		CHECK_EQ(100, call_end(&holders[i]));
	trap_end();
	for (i = 0; i <= MANY; i++) {
		CHECK(stream_detached(fds[i][0]));
		close(fds[i][0]);
		close(fds[i][1]);
	}
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "NEW_PEER waits for a locked socket, nobody else", new_peer_waits },
	{ "NEW_PEER gives up: ENOTSOCK with a sentence", new_peer_gives_up },
	{ "NEW_PEER waits while a netlink family registers",
	  family_registers },
	{ "the device of a locked TCP socket goes", device_goes },
	{ "the device of a locked UDP socket goes", device_goes_udp },
	{ "the namespace of the device of locked sockets goes",
	  namespace_goes },
	{ "the next peer sends, whatever the last one's socket does",
	  next_peer_sends },
	{ "one connection sends, 600 are locked", others_send },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
