// SPDX-License-Identifier: GPL-2.0-only
/* What the KUnit suites share: a device with peers, and threads. */

#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/in6.h>
#include <linux/kthread.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "../gro.h"
#include "fixture.h"

/* We have done ourselves what the init function does for peers */
static bool own_init;

/* The device of the running test */
static struct test_device device;

/**
 * test_suite_init - before the first test of a suite that has peers
 * @suite: the suite
 *
 * KUnit runs the suites of a module before its init function up to 6.6, and
 * after it since.
 *
 * Return: 0 or an errno.
 */
int test_suite_init(struct kunit_suite *suite)
{
	int err;

	if (ovpn_wq)
		return 0;
	err = ovpn_workqueues_alloc();
	if (err)
		return err;
	err = ovpn_gro_register();
	if (err)
		ovpn_workqueues_free();
	own_init = !err;
	return err;
}

/**
 * test_wait_for_free - wait until what is not in use any more is freed
 */
void test_wait_for_free(void)
{
	ovpn_workqueues_flush();
	flush_delayed_fput();
}

/**
 * test_suite_exit - after the last test of a suite that has peers
 * @suite: the suite
 */
void test_suite_exit(struct kunit_suite *suite)
{
	if (!ovpn_wq)
		return;
	test_wait_for_free();
	if (!own_init)
		return;
	ovpn_workqueues_free();
	ovpn_gro_unregister();
	own_init = false;
}

static void peer_deleted(struct ovpn_peer *peer,
			 enum ovpn_del_peer_reason reason)
{
	lockdep_assert_held(&peer->ovpn->peers.lock);

	atomic_inc(&device.deleted);
	device.reason = reason;
}

static void key_used_up(struct ovpn_peer *peer, u8 key_id)
{
}

static unsigned int notify_room(const struct ovpn_peer *peer)
{
	return UINT_MAX;
}

static const struct ovpn_abi abi = {
	.kind = OVPN_DCO_LINK_KIND,
	.data_v1 = true,
	.keeps_sockets = true,
	.peer_deleted = peer_deleted,
	.key_used_up = key_used_up,
	.notify_room = notify_room,
};

static int socket_open(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct socket *sock;
	struct file *file;
	int err, fd;

	err = sock_create_kern(&init_net, AF_INET6, SOCK_DGRAM, IPPROTO_UDP,
			       &sock);
	if (err)
		return err;
	sock->sk->sk_ipv6only = false;
	err = kernel_bind(sock, (struct sockaddr *)&any, sizeof(any));
	if (err) {
		sock_release(sock);
		return err;
	}

	file = sock_alloc_file(sock, O_CLOEXEC, NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		fput(file);
		return fd;
	}
	fd_install(fd, file);
	return fd;
}

static struct net_device *netdev_open(enum ovpn_mode mode)
{
	struct net_device *dev;
	struct ovpn_dev *ovpn;
	int err;

	dev = alloc_netdev(ovpn_dco_link_ops.priv_size, "ovpn-test%d",
			   NET_NAME_ENUM, ovpn_dco_link_ops.setup);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	ovpn = netdev_priv(dev);
	ovpn->abi = &abi;
	ovpn->mode = mode;
	err = register_netdev(dev);
	if (err) {
		free_netdev(dev);
		return ERR_PTR(err);
	}
	return dev;
}

/**
 * test_device_open - make the device of a test
 * @test: the test, with test_device_close() as its exit
 * @mode: point-to-point or multi-peer
 *
 * Return: the device.
 */
struct test_device *test_device_open(struct kunit *test, enum ovpn_mode mode)
{
	struct net_device *dev;

	memset(&device, 0, sizeof(device));
	device.fd = socket_open();
	KUNIT_ASSERT_GE(test, device.fd, 0);
	test->priv = &device;

	dev = netdev_open(mode);
	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	device.ovpn = netdev_priv(dev);
	return &device;
}

/**
 * test_device_close - the end of a test
 * @test: the test, with a device or without
 *
 * Whoever lost a reference on the device waits here until KUnit loses patience.
 */
void test_device_close(struct kunit *test)
{
	struct test_device *td = test->priv;

	if (!td)
		return;
	while (td->held_count)
		ovpn_peer_put(td->held[--td->held_count]);
	if (td->ovpn)
		unregister_netdev(td->ovpn->dev);
	close_fd(td->fd);
	test_wait_for_free();
	KUNIT_EXPECT_EQ(test, atomic_read(&td->added),
			atomic_read(&td->deleted));
}

/**
 * test_remote - where a peer is
 * @addr: set to the address
 * @id: the peer's; odd ones are reached through IPv6
 * @place: one of its places
 */
void test_remote(struct ovpn_sockaddr *addr, u32 id, unsigned int place)
{
	memset(addr, 0, sizeof(*addr));
	addr->port = htons(1194 + place);
	if (id & 1)
		ipv6_addr_set(&addr->addr, htonl(0x20010db8), 0, 0, htonl(id));
	else
		ipv6_addr_set_v4mapped(htonl(0xc6120000 + (id & 0x1ffff)),
				       &addr->addr);
}

/**
 * test_vpn4 - the IPv4 address of a peer inside the tunnel
 * @addr: set to it
 * @id: the peer's
 */
void test_vpn4(struct in6_addr *addr, u32 id)
{
	ipv6_addr_set_v4mapped(htonl(0x0a000000 + id), addr);
}

/**
 * test_vpn6 - the IPv6 address of a peer inside the tunnel
 * @addr: set to it
 * @id: the peer's
 */
void test_vpn6(struct in6_addr *addr, u32 id)
{
	ipv6_addr_set(addr, htonl(0xfd000000), 0, 0, htonl(id));
}

/**
 * test_peer_new - add a peer as a request would
 * @td: the device
 * @params: the peer
 *
 * Context: process, may sleep.
 * Return: what ovpn_peer_new() says.
 */
int test_peer_new(struct test_device *td, const struct ovpn_peer_params *params)
{
	int err;

	mutex_lock(&td->ovpn->requests);
	err = ovpn_peer_new(td->ovpn, params, NULL);
	mutex_unlock(&td->ovpn->requests);
	if (!err)
		atomic_inc(&td->added);
	return err;
}

/**
 * test_peer_add_at - add a peer
 * @td: the device
 * @id: the peer's id, which all its addresses follow from
 * @place: where it is
 *
 * Context: process, one at a time.
 * Return: what ovpn_peer_new() says.
 */
int test_peer_add_at(struct test_device *td, u32 id, unsigned int place)
{
	struct ovpn_peer_params params = {
		.id = id,
		.tx_id = id,
		.fd = td->fd,
	};

	test_remote(&params.remote, id, place);
	test_vpn4(&params.vpn4, id);
	test_vpn6(&params.vpn6, id);
	return test_peer_new(td, &params);
}

/**
 * test_peer_add - add a peer, at its first place
 * @td: the device
 * @id: the peer's id, which all its addresses follow from
 *
 * Context: process, one at a time.
 * Return: what ovpn_peer_new() says.
 */
int test_peer_add(struct test_device *td, u32 id)
{
	return test_peer_add_at(td, id, 0);
}

/**
 * test_peer_get - add a peer to work with
 * @test: the test
 * @td: its device
 * @id: the peer's id
 *
 * Return: the peer, good until the test ends.
 */
struct ovpn_peer *test_peer_get(struct kunit *test, struct test_device *td,
				u32 id)
{
	struct ovpn_peer *peer;

	KUNIT_ASSERT_LT(test, td->held_count, TEST_HELD_MAX);
	KUNIT_ASSERT_EQ(test, 0, test_peer_add(td, id));
	peer = ovpn_peer_find(td->ovpn, id);
	KUNIT_ASSERT_NOT_NULL(test, peer);
	td->held[td->held_count++] = peer;
	return peer;
}

/**
 * test_peer_del - delete a peer
 * @td: the device
 * @id: the peer's id
 * @reason: why
 *
 * Return: whether there was one.
 */
bool test_peer_del(struct test_device *td, u32 id,
		   enum ovpn_del_peer_reason reason)
{
	struct ovpn_peer *peer;
	bool deleted = false;

	rcu_read_lock();
	peer = ovpn_peer_by_id(&td->ovpn->peers, id);
	if (peer)
		deleted = ovpn_peer_delete(peer, reason);
	rcu_read_unlock();
	return deleted;
}

static void skb_free(struct kunit_resource *res)
{
	kfree_skb(res->data);
}

/**
 * test_skb - get a buffer
 * @test: the test, with which it is freed
 * @size: its size
 *
 * Return: the buffer, empty.
 */
struct sk_buff *test_skb(struct kunit *test, unsigned int size)
{
	struct sk_buff *skb = alloc_skb(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_ASSERT_NOT_NULL(test, kunit_alloc_resource(test, NULL, skb_free,
							 GFP_KERNEL, skb));
	return skb;
}

static void vzalloc_free(struct kunit_resource *res)
{
	vfree(res->data);
}

/**
 * test_vzalloc - get memory, much of it
 * @test: the test, with which it is freed
 * @size: how much
 *
 * Return: the memory, zeroed.
 */
void *test_vzalloc(struct kunit *test, size_t size)
{
	void *memory = vzalloc(size);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_ASSERT_NOT_NULL(test, kunit_alloc_resource(test, NULL,
							 vzalloc_free,
							 GFP_KERNEL, memory));
	return memory;
}

/**
 * test_key_install - install an AES key that is as good as any
 * @peer: whose
 * @slot: 0 primary, 1 secondary
 * @key_id: its number on the wire
 *
 * Return: what ovpn_keys_install() says.
 */
int test_key_install(struct ovpn_peer *peer, unsigned int slot, u8 key_id)
{
	static const u8 key[16 + OVPN_NONCE_TAIL_LEN] = "as good as any other....";
	const struct ovpn_key_direction direction = {
		.key = key,
		.key_len = 16,
		.nonce_tail = key + 16,
	};
	const struct ovpn_key_params params = {
		.cipher = "gcm(aes)",
		.slot = slot,
		.key_id = key_id,
		.encrypt = direction,
		.decrypt = direction,
	};

	return ovpn_keys_install(peer, &params, NULL);
}

static int thread_main(void *arg)
{
	struct test_thread *thread = arg;
	struct test_crew *crew = thread->crew;

	wait_for_completion(&crew->go);
	thread->mistakes = crew->fn(crew, thread - crew->threads);
	complete(&thread->done);
	return 0;
}

/**
 * test_crew_start - start threads
 * @test: the test. It must not be aborted before it called test_crew_join():
 *	no assertions, only expectations.
 * @count: how many, up to TEST_CREW_MAX
 * @fn: what they do
 * @arg: for crew->arg
 *
 * Return: the threads. If there are fewer than wanted, the test has failed.
 */
struct test_crew *test_crew_start(struct kunit *test, unsigned int count,
				  unsigned int (*fn)(struct test_crew *crew,
						     unsigned int index),
				  void *arg)
{
	struct test_thread *thread;
	struct task_struct *task;
	struct test_crew *crew;

	crew = kunit_kzalloc(test, sizeof(*crew), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, crew);
	crew->fn = fn;
	crew->arg = arg;
	init_completion(&crew->go);
	while (crew->count < count) {
		thread = &crew->threads[crew->count];
		thread->crew = crew;
		init_completion(&thread->done);
		task = kthread_create(thread_main, thread, "ovpn-test");
		if (IS_ERR(task)) {
			KUNIT_FAIL(test, "no thread: %ld", PTR_ERR(task));
			break;
		}
		thread->task = get_task_struct(task);
		crew->count++;
		wake_up_process(task);
	}
	complete_all(&crew->go);
	return crew;
}

/**
 * test_crew_join - tell threads to stop, and wait until they did
 * @crew: the threads
 *
 * Return: how many mistakes they saw.
 */
unsigned int test_crew_join(struct test_crew *crew)
{
	struct test_thread *thread;
	unsigned int mistakes = 0;
	unsigned int i;

	WRITE_ONCE(crew->stop, true);
	for (i = 0; i < crew->count; i++) {
		thread = &crew->threads[i];
		wait_for_completion(&thread->done);
		/* It has left our code when this returns */
		kthread_stop(thread->task);
		put_task_struct(thread->task);
		mistakes += thread->mistakes;
	}
	return mistakes;
}
