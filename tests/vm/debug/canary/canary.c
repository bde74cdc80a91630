// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does what the module must not do, for the test of the harness that says
 * whether it would be noticed: one fault each time this is loaded.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

static char *fault = "";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "What to do wrong");

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);

/* The compiler must not see through any of this. */
static void *hidden(void *p)
{
	OPTIMIZER_HIDE_VAR(p);
	return p;
}

static void use_after_free(void)
{
	u8 *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	pr_info("the byte was %u\n", *(u8 *)hidden(p));
}

static void leak(void)
{
	int i;

	/* A stale copy in some register or on a stack may hide one. What has been
	 * free has a pointer inside to what was next: without zeroing, that one
	 * hides the others, too.
	 */
	for (i = 0; i < 10; i++)
		hidden(kzalloc(1000 + i, GFP_KERNEL));
}

static void shift(void)
{
	unsigned int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	pr_info("1 << %u is %d\n", by, 1 << by);
}

static void sleep_in_atomic(void)
{
	spin_lock(&lock_a);
	/* so long that it does not return before it has begun to wait */
	msleep(50);
	spin_unlock(&lock_a);
}

static void rcu_unlocked(void)
{
	static void __rcu *pointer;

	pr_info("pointer is %p\n", rcu_dereference(pointer));
}

static void never(struct timer_list *t)
{
}

static void free_active_timer(void)
{
	struct timer_list *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return;
	timer_setup(t, never, 0);
	mod_timer(t, jiffies + 10 * HZ);
	kfree(t);
	/* Debug objects has cancelled it before it let go of the memory. */
}

static void put_twice(void)
{
	refcount_t r = REFCOUNT_INIT(1);

	if (refcount_dec_and_test(&r))
		refcount_dec(&r);
}

static void device_put_twice(void)
{
	struct net_device *dev = dev_get_by_name(&init_net, "lo");
	netdevice_tracker tracker;

	if (!dev)
		return;
	netdev_hold(dev, &tracker, GFP_KERNEL);
	netdev_put(dev, &tracker);
	/* The reference that dev_get_by_name() took, but another's tracker. */
	netdev_put(dev, &tracker);
}

static void lock_order(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);
	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
}

static long raced;

static int racer(void *unused)
{
	while (!kthread_should_stop()) {
		raced++;
		cond_resched();
	}
	return 0;
}

static void race(void)
{
	struct task_struct *task[2];
	int i;

	for (i = 0; i < 2; i++)
		task[i] = kthread_run(racer, NULL, "canary%d", i);
	ssleep(5);
	for (i = 0; i < 2; i++)
		if (!IS_ERR(task[i]))
			kthread_stop(task[i]);
}

static const struct {
	const char *name;
	void (*commit)(void);
} faults[] = {
	{ "use_after_free", use_after_free },
	{ "leak", leak },
	{ "shift", shift },
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "rcu_unlocked", rcu_unlocked },
	{ "free_active_timer", free_active_timer },
	{ "put_twice", put_twice },
	{ "device_put_twice", device_put_twice },
	{ "lock_order", lock_order },
	{ "race", race },
};

static int __init canary_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(fault, faults[i].name))
			continue;
		faults[i].commit();
		return 0;
	}
	return -EINVAL;
}
module_init(canary_init);

static void __exit canary_exit(void)
{
}
module_exit(canary_exit);

MODULE_DESCRIPTION("What a watched kernel complains about");
MODULE_LICENSE("GPL");
