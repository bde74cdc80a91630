/* SPDX-License-Identifier: GPL-2.0-only */
/* What the KUnit suites share: a device with peers, and threads. */
#ifndef _OVPN_SELFTEST_FIXTURE_H
#define _OVPN_SELFTEST_FIXTURE_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/prandom.h>
#include <linux/types.h>

#include "../device.h"
#include "../keys.h"
#include "../peer.h"

/* No peer was found */
#define TEST_NOBODY		U32_MAX

#define TEST_CREW_MAX		4

/* Peers that a test may hold at a time */
#define TEST_HELD_MAX		4

/**
 * struct test_device - a device of our own, on a socket of our own
 * @ovpn: the device
 * @fd: a UDP socket for both IPv6 and IPv4
 * @added: peers added
 * @deleted: how often userspace would have been told of a deletion
 * @reason: the cause of the last one
 * @held: peers that the test has a reference on
 * @held_count: how many
 */
struct test_device {
	struct ovpn_dev *ovpn;
	int fd;
	atomic_t added;
	atomic_t deleted;
	enum ovpn_del_peer_reason reason;
	struct ovpn_peer *held[TEST_HELD_MAX];
	unsigned int held_count;
};

/**
 * struct test_crew - threads that do the same thing side by side
 * @fn: what each of them does. It returns how many mistakes it saw, because
 *	what KUnit does about one may sleep, and threads look at things that
 *	may not.
 * @arg: for @fn
 * @go: all of them are there, and start together
 * @stop: those that go on until they are told, may end
 * @count: how many threads there are
 * @threads: the threads
 */
struct test_crew {
	unsigned int (*fn)(struct test_crew *crew, unsigned int index);
	void *arg;
	struct completion go;
	bool stop;
	unsigned int count;
	struct test_thread {
		struct test_crew *crew;
		struct task_struct *task;
		struct completion done;
		unsigned int mistakes;
	} threads[TEST_CREW_MAX];
};

int test_suite_init(struct kunit_suite *suite);
void test_suite_exit(struct kunit_suite *suite);

struct test_device *test_device_open(struct kunit *test, enum ovpn_mode mode);
void test_device_close(struct kunit *test);
void test_wait_for_free(void);

void test_remote(struct ovpn_sockaddr *addr, u32 id, unsigned int place);
void test_vpn4(struct in6_addr *addr, u32 id);
void test_vpn6(struct in6_addr *addr, u32 id);
int test_peer_new(struct test_device *td,
		  const struct ovpn_peer_params *params);
int test_peer_add(struct test_device *td, u32 id);
int test_peer_add_at(struct test_device *td, u32 id, unsigned int place);
struct ovpn_peer *test_peer_get(struct kunit *test, struct test_device *td,
				u32 id);
bool test_peer_del(struct test_device *td, u32 id,
		   enum ovpn_del_peer_reason reason);

struct sk_buff *test_skb(struct kunit *test, unsigned int size);
void *test_vzalloc(struct kunit *test, size_t size);

int test_key_install(struct ovpn_peer *peer, unsigned int slot, u8 key_id);

struct test_crew *test_crew_start(struct kunit *test, unsigned int count,
				  unsigned int (*fn)(struct test_crew *crew,
						     unsigned int index),
				  void *arg);
unsigned int test_crew_join(struct test_crew *crew);

/**
 * test_random - a random number below a limit
 * @rnd: the generator
 * @limit: the limit, not 0
 */
static inline u32 test_random(struct rnd_state *rnd, u32 limit)
{
	return prandom_u32_state(rnd) % limit;
}

#endif /* _OVPN_SELFTEST_FIXTURE_H */
