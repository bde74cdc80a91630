// SPDX-License-Identifier: GPL-2.0-only
/* Two devices side by side: nothing of one is the other's. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fixture.h"
#include "ktap.h"
#include "netns.h"
#include "stream.h"

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

	args.socket = sock;
	args.ipv4 = "10.10.0.1";
	return ovpn_nl_new_peer(p->a.nl, p->b, &args);
}

/* A ping to a device's socket, sealed for this peer: does it count? */
static bool reaches(const struct pair *p, uint32_t ifindex, int sock,
		    const struct wire_key *key, uint32_t id, uint32_t pid)
{
	struct ovpn_peer_info before, after;
	uint8_t packet[64];
	size_t len;

	if (ovpn_nl_get_peer(p->a.nl, ifindex, id, &before))
		return false;
	len = wire_seal(key, id, pid, wire_ping, sizeof(wire_ping), packet);
	udp_send(p->a.far, fixture_remote(id), "127.0.0.1", udp_port(sock),
		 packet, len);
	return WAIT_FOR(!ovpn_nl_get_peer(p->a.nl, ifindex, id, &after) &&
			after.vpn_rx_packets == before.vpn_rx_packets + 1,
			1000);
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
	CHECK_EQ(1, info.vpn_rx_packets);
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

/* A thread, and what it called returned. */
struct call {
	pthread_t thread;
	const struct pair *p;
	int fd;
	void *page;
	int ret;
	bool done;
};

static bool call_done(const struct call *c)
{
	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE);
}

static void call_start(struct call *c, void *(*run)(void *arg))
{
	if (pthread_create(&c->thread, NULL, run, c))
		ktap_bail("no thread");
}

static void *call_send(void *arg)
{
	struct call *c = arg;

	c->ret = send(c->fd, c->page, 100, MSG_NOSIGNAL);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *call_peer_on_b(void *arg)
{
	struct call *c = arg;
	struct ovpn_peer_args args = {
		.id = 1, .socket = c->fd, .ipv4 = "10.10.0.1",
	};
	struct ovpn_nl *nl = ovpn_nl_open(c->p->a.ns);

	c->ret = ovpn_nl_new_peer(nl, c->p->b, &args);
	ovpn_nl_close(nl);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *call_swap_on_a(void *arg)
{
	struct call *c = arg;

	c->ret = ovpn_nl_swap_keys(c->p->a.nl, c->p->a.ifindex, 1);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* A page that whoever touches it waits for; or -1. */
static int page_that_waits(void **page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -1;
	*page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (unsigned long)*page;
	reg.range.len = 4096;
	CHECK_EQ(0, ioctl(fd, UFFDIO_API, &api));
	CHECK_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	return fd;
}

/*
 * The lock of a socket is held for as long as its owner wants, and who adds a
 * peer on it has to wait: that one only, not all of netlink.
 */
static void socket_locked(void)
{
	struct call sends = { 0 }, adds = { 0 }, swaps = { 0 };
	struct uffdio_zeropage zero = { 0 };
	int fds[2], uffd;
	struct pair p;

	uffd = page_that_waits(&sends.page);
	if (uffd < 0) {
		ktap_skip("needs userfaultfd()");
		return;
	}
	pair_start(&p);
	fixture_peer(&p.a, 1);
	stream_pair(p.a.ns, "127.0.0.1", p.a.ns, "127.0.0.1", NULL, fds);
	sends.fd = fds[0];
	adds.fd = fds[0];
	adds.p = &p;
	swaps.p = &p;
	call_start(&sends, call_send);
	sleep_ms(100);
	call_start(&adds, call_peer_on_b);
	sleep_ms(100);
	CHECK(!call_done(&sends));
	CHECK(!call_done(&adds));
	call_start(&swaps, call_swap_on_a);
	CHECK_MSG(WAIT_FOR(call_done(&swaps), 2000),
		  "the other device waits, too");

	zero.range.start = (unsigned long)sends.page;
	zero.range.len = 4096;
	CHECK_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(sends.thread, NULL);
	pthread_join(adds.thread, NULL);
	pthread_join(swaps.thread, NULL);
	CHECK_EQ(100, sends.ret);
	CHECK_ERR(0, adds.ret);
	CHECK_ERR(0, swaps.ret);
	munmap(sends.page, 4096);
	close(uffd);
	pair_end(&p);
	close(fds[0]);
	close(fds[1]);
}

static const struct ktap_case cases[] = {
	{ "the same peer ids on both", same_ids },
	{ "the other's socket: ENOTSOCK with a sentence", socket_of_the_other },
	{ "deleting one device leaves the other", deleting_one },
	{ "a socket that stays locked holds up its device only",
	  socket_locked },
	{ "a socket without peers is an ordinary one again",
	  socket_given_back },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
