// SPDX-License-Identifier: GPL-2.0-only
/* OpenVPN data channel offload: init and exit. */

#include <linux/genetlink.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>

#include "aead.h"
#include "device.h"
#include "netlink.h"
#include "owner.h"
#include "transport.h"

struct workqueue_struct *ovpn_wq;

static int __init ovpn_init(void)
{
	int err;

	ovpn_wq = alloc_workqueue("ovpn-dco", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ovpn_wq)
		return -ENOMEM;

	ovpn_tcp_init();

	err = ovpn_owner_register();
	if (err)
		goto err_wq;
	/* Userspace may come as soon as it is registered: last */
	err = ovpn_netlink_register();
	if (err)
		goto err_owner;
	err = rtnl_link_register(&ovpn_dco_link_ops);
	if (err)
		goto err_netlink;
	return 0;

err_netlink:
	ovpn_netlink_unregister();
err_owner:
	ovpn_owner_unregister();
err_wq:
	destroy_workqueue(ovpn_wq);
	return err;
}

static void __exit ovpn_exit(void)
{
	/* Notifications are sent until the last device is gone: devices first */
	rtnl_link_unregister(&ovpn_dco_link_ops);
	ovpn_netlink_unregister();
	ovpn_owner_unregister();

	/* What RCU is about to queue, what is queued, and what that has queued
	 * by RCU or freed
	 */
	rcu_barrier();
	flush_workqueue(ovpn_wq);
	rcu_barrier();
	destroy_workqueue(ovpn_wq);
	ovpn_tcp_exit();
	ovpn_aead_exit();
}

module_init(ovpn_init);
module_exit(ovpn_exit);

MODULE_DESCRIPTION("OpenVPN data channel offload");
MODULE_AUTHOR("The ovpn-dco maintainers");
MODULE_LICENSE("GPL");
MODULE_VERSION(OVPN_VERSION);
MODULE_ALIAS_RTNL_LINK(OVPN_DCO_LINK_KIND);
MODULE_ALIAS_GENL_FAMILY(OVPN_NL_NAME);
