/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose device it is, and what becomes of it without that process. */
#ifndef _OVPN_OWNER_H
#define _OVPN_OWNER_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "compat/compat.h"

/* Peers whose end nothing told are looked for that often, in seconds */
#define OVPN_OWNER_CHECK_SECS	15

struct ovpn_dev;
struct ovpn_peer;
struct pid;

/**
 * struct ovpn_owner - the processes that a device belongs to
 * @list: in the list of all devices
 * @maker: the process that created it; counted
 * @user: the process that added the last peer, or NULL; counted
 * @died: cleans up after them
 * @tracker: for the device, which @died holds while it is @busy
 * @busy: @died is queued or runs
 * @again: there is something to do for it
 * @maker_died: it has to remove the device as well
 *
 * A lock of its own guards all of it but for @died.
 */
struct ovpn_owner {
	struct list_head list;
	struct pid *maker;
	struct pid *user;
	struct work_struct died;
	netdevice_tracker tracker;
	bool busy;
	bool again;
	bool maker_died;
};

void ovpn_owner_init(struct ovpn_dev *ovpn);
void ovpn_owner_exit(struct ovpn_dev *ovpn);
void ovpn_owner_uses(struct ovpn_dev *ovpn);
bool ovpn_owner_died(struct ovpn_dev *ovpn);
bool ovpn_owner_orphaned(const struct ovpn_peer *peer, bool died);

int ovpn_owner_register(void);
void ovpn_owner_unregister(void);

#endif /* _OVPN_OWNER_H */
