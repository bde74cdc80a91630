// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: what is still to be called must be waited for before our code goes. */

#include <linux/cpumask.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/workqueue.h>

#include "fixture.h"

/* Something that is freed as we do it: after a grace period, by a work item */
struct late {
	struct rcu_head rcu;
	struct work_struct work;
	bool begun;
	bool done;
};

static void late_work(struct work_struct *work)
{
	WRITE_ONCE(container_of(work, struct late, work)->done, true);
}

static void late_rcu(struct rcu_head *rcu)
{
	queue_work(ovpn_wq, &container_of(rcu, struct late, rcu)->work);
}

/* On each processor: all have to be waited for */
static void late_free(void *all)
{
	struct late *late = (struct late *)all + smp_processor_id();

	late->begun = true;
	call_rcu(&late->rcu, late_rcu);
}

/* The kernel waits for RCU several times on its own while a device and a module go,
 * which hides it if this does not: here nobody else waits.
 */
static void flush_waits_for_rcu(struct kunit *test)
{
	struct late *late = test_vzalloc(test, nr_cpu_ids * sizeof(*late));
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		INIT_WORK(&late[cpu].work, late_work);
	on_each_cpu(late_free, late, true);
	ovpn_workqueues_flush();
	for_each_possible_cpu(cpu)
		KUNIT_EXPECT_EQ_MSG(test, late[cpu].begun,
				    READ_ONCE(late[cpu].done),
				    "processor %u", cpu);

	/* If that has failed, nothing else may */
	rcu_barrier();
	flush_workqueue(ovpn_wq);
}

static struct kunit_case main_cases[] = {
	KUNIT_CASE(flush_waits_for_rcu),
	{}
};

static struct kunit_suite main_suite = {
	.name = "ovpn_main",
	.suite_init = test_suite_init,
	.suite_exit = test_suite_exit,
	.test_cases = main_cases,
};

kunit_test_suite(main_suite);
