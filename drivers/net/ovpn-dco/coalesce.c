// SPDX-License-Identifier: GPL-2.0-only
/* Small packets wait for each other, when there are many.
 *
 * What enters as one large packet is cut, sealed and sent as one. Small packets
 * come one by one: each would pass the network stack and wake its reader alone. As
 * network cards do with their interrupts, each of our device's queues holds them
 * back for some microseconds, and sends together what has come by then.
 *
 * Only when it pays: while so many come that others will join them, and as long as
 * those then leave together. A packet that comes alone never waits, nor does TCP,
 * which has made its packets large already, and times what it sends by the answers.
 */

#include <linux/cache.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <net/dst.h>

#include "coalesce.h"
#include "compat/compat.h"
#include "device.h"
#include "nexthop.h"
#include "send.h"

/* How many are held at most; and while those before them are being sent: they are all
 * compared with each other
 */
#define HELD_MAX		32
#define BACKLOG_MAX		128

/* How often in a row most may have been held in vain, and how long none is held then:
 * whoever waits for an answer before the next packet loses 2 thousandths
 */
#define IN_VAIN_MAX		4
#define PAUSE			(HZ / 10)

/* How often one sender goes on with what others have added meanwhile */
#define ROUNDS_MAX		4

/**
 * struct ovpn_coalescer - the packets that a queue of the device holds
 * @ovpn: the device that sends them. Fixed.
 * @lock: guards the rest, BH off. Not held while something is sent.
 * @held: the packets, each with a reference on its route
 * @sending: somebody sends what was held before; who comes meanwhile adds to @held
 * @stopped: the device is down: nothing is held
 * @timer: sends them; runs, or will, while there are any and nobody is @sending
 * @jiffy: when the last packet came that might be held
 * @count: how many have come in this jiffy
 * @before: how many came in the jiffy before it
 * @in_vain: how often in a row most were held in vain
 * @again: in jiffies: until then it is not worth it
 *
 * The packets of a flow come through one queue, on whatever processor, so that they
 * stay in order. Where the device has a qdisc, its lock is around that, but not
 * around the timer.
 *
 * Life: from ndo_init until the device is freed; empty while it is down.
 */
struct ovpn_coalescer {
	struct ovpn_dev *ovpn;
	spinlock_t lock; /* see above */
	struct sk_buff_head held;
	bool sending;
	bool stopped;
	struct hrtimer timer;
	unsigned long jiffy;
	unsigned int count;
	unsigned int before;
	unsigned int in_vain;
	unsigned long again;
} ____cacheline_aligned_in_smp;

static void start_timer(struct ovpn_coalescer *c)
{
	unsigned int usecs = READ_ONCE(c->ovpn->tx_usecs);

	hrtimer_start(&c->timer, ns_to_ktime(usecs * NSEC_PER_USEC),
		      HRTIMER_MODE_REL_PINNED_SOFT);
}

/* Of @count packets that were held so many left as part of a larger one */
static void judge(struct ovpn_coalescer *c, unsigned int count,
		  unsigned int merged)
{
	if (likely(merged > count / 2)) {
		c->in_vain = 0;
	} else if (++c->in_vain == IN_VAIN_MAX) {
		c->in_vain = 0;
		c->again = jiffies + PAUSE;
	}
}

/* Send what is held, with the lock held, which is let go meanwhile; @due if it has
 * been held as long as it may, or as much
 */
static void send_held(struct ovpn_coalescer *c, bool due)
{
	unsigned int rounds = 0, count, merged;
	struct sk_buff_head pkts;

	__skb_queue_head_init(&pkts);
	c->sending = true;
	while (!skb_queue_empty(&c->held) && rounds++ < ROUNDS_MAX) {
		skb_queue_splice_init(&c->held, &pkts);
		spin_unlock(&c->lock);

		count = skb_queue_len(&pkts);
		merged = ovpn_send_held(c->ovpn, &pkts);

		spin_lock(&c->lock);
		if (due && rounds == 1)
			judge(c, count, merged);
	}
	c->sending = false;
	if (unlikely(!skb_queue_empty(&c->held)))
		start_timer(c);
}

static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct ovpn_coalescer *c = container_of(timer, struct ovpn_coalescer,
						timer);

	rcu_read_lock();
	spin_lock(&c->lock);
	/* Or somebody was faster, and takes care of what came since */
	if (likely(!c->sending && !skb_queue_empty(&c->held)))
		send_held(c, true);
	spin_unlock(&c->lock);
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

/* One more has come: are they many? */
static bool many(struct ovpn_coalescer *c)
{
	unsigned int rate = READ_ONCE(c->ovpn->tx_rate);
	unsigned long now = jiffies;

	if (c->jiffy != now) {
		c->before = c->jiffy + 1 == now ? c->count : 0;
		c->count = 0;
		c->jiffy = now;
		/* Or it would be in the future once more when jiffies wrap */
		if (time_after(now, c->again))
			c->again = now;
	}
	c->count++;
	return max(c->before, c->count) >= DIV_ROUND_UP(rate, HZ);
}

/* One more has come: hold it? Some clocks only tick: that would take far too long. */
static bool worth_it(struct ovpn_coalescer *c)
{
	unsigned int usecs = READ_ONCE(c->ovpn->tx_usecs);

	return many(c) && usecs && time_after_eq(jiffies, c->again) &&
	       hrtimer_resolution <= usecs * NSEC_PER_USEC;
}

/* With the lock held, which may be let go meanwhile; @nested and the rest as in
 * ovpn_coalesce_hold()
 */
static bool hold(struct ovpn_coalescer *c, struct sk_buff *skb, bool nested)
{
	/* One that is large already need not wait for others */
	bool now = nested || skb_is_gso(skb);
	bool first = skb_queue_empty(&c->held);

	/* Some senders do not wait for the device to be up */
	if (unlikely(c->stopped))
		return false;
	/* Who sends does not keep up: rather out of order than endless */
	if (unlikely(c->sending &&
		     (nested || skb_queue_len(&c->held) >= BACKLOG_MAX)))
		return false;
	if ((now || !worth_it(c)) && first && !c->sending)
		return false;

	skb_dst_force(skb);
	__skb_queue_tail(&c->held, skb);
	if (unlikely(c->sending))
		return true;
	if (now || skb_queue_len(&c->held) >= HELD_MAX) {
		/* If it runs already, it finds that we were faster */
		hrtimer_try_to_cancel(&c->timer);
		send_held(c, !now);
	} else if (first) {
		start_timer(c);
	}
	return true;
}

/**
 * ovpn_coalesce_hold - hold a packet, if that is worth it
 * @ovpn: the device that it is sent through
 * @skb: the packet, from its IP header on, skb->protocol checked
 * @nested: this processor is sending something of ours: the packet may not wait, so
 *	those before it, if any, are sent now, and so is it
 *
 * No packet overtakes those of its queue that are held, but for TCP's; and, while
 * those are being sent, nested ones and those for which there is no room.
 *
 * Context: BH off, rcu_read_lock held.
 * Return: true if it was taken, and ovpn_send_held() sees it now or later.
 */
bool ovpn_coalesce_hold(struct ovpn_dev *ovpn, struct sk_buff *skb,
			bool nested)
{
	unsigned int queue = skb_get_queue_mapping(skb);
	struct ovpn_coalescer *c;
	bool held;

	if (ovpn_inner_transport(skb) == IPPROTO_TCP)
		return false;
	/* The queue is an index of ours, unless somebody made it up */
	if (unlikely(queue >= ovpn->dev->num_tx_queues))
		queue = 0;
	c = &ovpn->coalescers[queue];

	spin_lock(&c->lock);
	held = hold(c, skb, nested);
	spin_unlock(&c->lock);
	return held;
}

/**
 * ovpn_coalesce_init - prepare to hold packets
 * @ovpn: the device, whose mode is set
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int ovpn_coalesce_init(struct ovpn_dev *ovpn)
{
	struct ovpn_coalescer *c;
	unsigned int i;

	/* Many peers in turn have hardly anything that could leave together */
	ovpn->tx_usecs = ovpn->mode == OVPN_MODE_MP ? 0 : OVPN_TX_USECS;
	ovpn->tx_rate = OVPN_TX_RATE;
	ovpn->coalescers = kvcalloc(ovpn->dev->num_tx_queues,
				    sizeof(*ovpn->coalescers), GFP_KERNEL);
	if (!ovpn->coalescers)
		return -ENOMEM;
	for (i = 0; i < ovpn->dev->num_tx_queues; i++) {
		c = &ovpn->coalescers[i];
		c->ovpn = ovpn;
		spin_lock_init(&c->lock);
		__skb_queue_head_init(&c->held);
		hrtimer_setup(&c->timer, expired, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_PINNED_SOFT);
		c->jiffy = jiffies;
		c->again = jiffies;
		c->stopped = true;
	}
	return 0;
}

/**
 * ovpn_coalesce_start - hold packets from now on
 * @ovpn: the device, which goes up
 *
 * Context: process.
 */
void ovpn_coalesce_start(struct ovpn_dev *ovpn)
{
	struct ovpn_coalescer *c;
	unsigned int i;

	for (i = 0; i < ovpn->dev->num_tx_queues; i++) {
		c = &ovpn->coalescers[i];
		spin_lock_bh(&c->lock);
		c->stopped = false;
		spin_unlock_bh(&c->lock);
	}
}

/**
 * ovpn_coalesce_stop - throw away what is held, as a qdisc does
 * @ovpn: the device, which goes down
 *
 * Context: process, may sleep.
 */
void ovpn_coalesce_stop(struct ovpn_dev *ovpn)
{
	struct ovpn_coalescer *c;
	struct sk_buff_head pkts;
	unsigned int i;

	__skb_queue_head_init(&pkts);
	for (i = 0; i < ovpn->dev->num_tx_queues; i++) {
		c = &ovpn->coalescers[i];
		spin_lock_bh(&c->lock);
		c->stopped = true;
		skb_queue_splice_tail_init(&c->held, &pkts);
		spin_unlock_bh(&c->lock);
		/* Nobody starts it any more */
		hrtimer_cancel(&c->timer);
	}
	__skb_queue_purge(&pkts);
}

/**
 * ovpn_coalesce_free - free what ovpn_coalesce_init() made
 * @ovpn: the device, which has not been up, or not since ovpn_coalesce_stop()
 *
 * Context: process.
 */
void ovpn_coalesce_free(struct ovpn_dev *ovpn)
{
	kvfree(ovpn->coalescers);
}
