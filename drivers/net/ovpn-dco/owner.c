// SPDX-License-Identifier: GPL-2.0-only
/* Whose device it is, and what becomes of it without that process.
 *
 * OpenVPN creates its device and removes it again. If it is killed, nobody
 * does: the peers would live on, with a kernel that answers the other end's
 * pings, and so would the sockets that we hold for them, and the network
 * namespace that those hold. So we watch for the end of the process.
 *
 * The sign is the end of a generic netlink socket, which a process that
 * configures devices of ours has, while the process exits: what it closes in
 * its life time has no such meaning. Whoever has closed them all before is
 * looked for now and then, with what keepalive_work() does, lest sockets that
 * we hold outlive him.
 *
 * Of the processes that add peers the last one is remembered, not all.
 */

#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/pid.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "device.h"
#include "keepalive.h"
#include "owner.h"
#include "peer.h"
#include "peer_table.h"
#include "transport.h"

/* Of its own: this work waits for that of ovpn_wq, and for RTNL */
static struct workqueue_struct *owner_wq;

static LIST_HEAD(devices);
static DEFINE_SPINLOCK(devices_lock);

/* Whoever had a reason to hold a peer's socket has died */
static bool is_orphan(const struct ovpn_peer *peer, const void *unused)
{
	return ovpn_owner_orphaned(peer, true);
}

/* Is there nothing to do for the work any more? Gives the device back then,
 * unless it is to be removed.
 */
static bool is_done(struct ovpn_dev *ovpn)
{
	struct ovpn_owner *owner = &ovpn->owner;
	bool done;

	spin_lock(&devices_lock);
	done = !owner->again;
	owner->again = false;
	if (done && !owner->maker_died) {
		owner->busy = false;
		netdev_put(ovpn->dev, &owner->tracker);
	}
	spin_unlock(&devices_lock);
	return done;
}

static void owner_died(struct work_struct *work)
{
	struct ovpn_owner *owner = container_of(work, struct ovpn_owner, died);
	struct ovpn_dev *ovpn = container_of(owner, struct ovpn_dev, owner);
	struct net_device *dev = ovpn->dev;
	bool maker_died;

	do {
		ovpn_peers_delete(ovpn, is_orphan, NULL,
				  OVPN_DEL_PEER_REASON_TRANSPORT_DISCONNECT);
		/* Once set it stays, and so does the device */
		maker_died = READ_ONCE(owner->maker_died);
	} while (!is_done(ovpn));
	if (!maker_died)
		return;

	rtnl_lock();
	if (dev->reg_state == NETREG_REGISTERED) {
		netdev_info(dev, "removed, the process that created it has died\n");
		unregister_netdevice(dev);
	}
	/* Unlocking waits for all references */
	netdev_put(dev, &owner->tracker);
	rtnl_unlock();
}

static void forget(struct pid **pid)
{
	put_pid(*pid);
	*pid = NULL;
}

/* A process dies: does this device care? */
static void process_died(struct ovpn_dev *ovpn, const struct pid *pid)
{
	struct ovpn_owner *owner = &ovpn->owner;

	lockdep_assert_held(&devices_lock);

	if (owner->user != pid && owner->maker != pid)
		return;
	if (owner->user == pid)
		forget(&owner->user);
	if (owner->maker == pid) {
		owner->maker_died = true;
		forget(&owner->maker);
	}

	owner->again = true;
	if (owner->busy)
		return;
	owner->busy = true;
	netdev_hold(ovpn->dev, &owner->tracker, GFP_ATOMIC);
	queue_work(owner_wq, &owner->died);
}

static int netlink_event(struct notifier_block *nb, unsigned long event,
			 void *data)
{
	const struct netlink_notify *notify = data;
	const struct pid *pid = task_tgid(current);
	struct ovpn_dev *ovpn;

	if (event != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC ||
	    !(current->flags & PF_EXITING))
		return NOTIFY_DONE;
	/* A thread with files of its own is not the end of the process */
	if (atomic_read(&current->signal->live))
		return NOTIFY_DONE;

	spin_lock(&devices_lock);
	list_for_each_entry(ovpn, &devices, owner.list)
		process_died(ovpn, pid);
	spin_unlock(&devices_lock);
	return NOTIFY_DONE;
}

static struct notifier_block netlink_notifier = {
	.notifier_call = netlink_event,
};

/**
 * ovpn_owner_init - a device is created by the current process
 * @ovpn: the device
 *
 * Context: process.
 */
void ovpn_owner_init(struct ovpn_dev *ovpn)
{
	struct ovpn_owner *owner = &ovpn->owner;

	INIT_WORK(&owner->died, owner_died);
	spin_lock(&devices_lock);
	owner->maker = get_pid(task_tgid(current));
	list_add_tail(&owner->list, &devices);
	spin_unlock(&devices_lock);
}

/**
 * ovpn_owner_exit - a device goes away
 * @ovpn: the device
 *
 * Context: process.
 */
void ovpn_owner_exit(struct ovpn_dev *ovpn)
{
	struct ovpn_owner *owner = &ovpn->owner;

	spin_lock(&devices_lock);
	list_del(&owner->list);
	forget(&owner->maker);
	forget(&owner->user);
	spin_unlock(&devices_lock);
}

/**
 * ovpn_owner_uses - the current process has added a peer
 * @ovpn: the device
 *
 * Context: process. The device may be going away.
 */
void ovpn_owner_uses(struct ovpn_dev *ovpn)
{
	struct ovpn_owner *owner = &ovpn->owner;
	struct pid *pid = task_tgid(current);

	spin_lock(&devices_lock);
	if (owner->user != pid && !READ_ONCE(ovpn->peers.closed)) {
		put_pid(owner->user);
		owner->user = get_pid(pid);
	}
	spin_unlock(&devices_lock);

	spin_lock_bh(&ovpn->peers.lock);
	ovpn_keepalive_wake(ovpn, OVPN_OWNER_CHECK_SECS);
	spin_unlock_bh(&ovpn->peers.lock);
}

/**
 * ovpn_owner_died - is the process gone that added the last peer?
 * @ovpn: the device
 *
 * Context: process.
 */
bool ovpn_owner_died(struct ovpn_dev *ovpn)
{
	struct ovpn_owner *owner = &ovpn->owner;
	bool died;

	spin_lock(&devices_lock);
	died = !owner->user || !pid_has_task(owner->user, PIDTYPE_TGID);
	spin_unlock(&devices_lock);
	return died;
}

/**
 * ovpn_owner_orphaned - is a peer's socket of no use to anybody any more?
 * @peer: the peer
 * @died: nobody is there who may have closed it on purpose and wants the peer
 *
 * If we do not keep the socket open, its end is the peer's, of which we are not told
 * if userspace has changed what UDP does with it (UDP_ENCAP).
 *
 * Context: any.
 */
bool ovpn_owner_orphaned(const struct ovpn_peer *peer, bool died)
{
	const struct ovpn_socket *os = peer->socket;

	return os->file ? died && file_count(os->file) == 1 :
			  sock_flag(os->sk, SOCK_DEAD);
}

/**
 * ovpn_owner_register - begin to watch processes
 *
 * Context: process, may sleep.
 * Return: 0 or an errno.
 */
int __init ovpn_owner_register(void)
{
	int err;

	owner_wq = alloc_workqueue("ovpn-dco-owner", WQ_UNBOUND, 0);
	if (!owner_wq)
		return -ENOMEM;
	err = netlink_register_notifier(&netlink_notifier);
	if (err)
		destroy_workqueue(owner_wq);
	return err;
}

/**
 * ovpn_owner_unregister - do not watch any more
 *
 * Context: process, may sleep; no device may exist any more.
 */
void ovpn_owner_unregister(void)
{
	netlink_unregister_notifier(&netlink_notifier);
	destroy_workqueue(owner_wq);
}
