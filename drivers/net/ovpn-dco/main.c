// SPDX-License-Identifier: GPL-2.0-only
/* OpenVPN data channel offload: init and exit. */

#include <linux/genetlink.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>
#include <uapi/linux/ovpn.h>

#include "aead.h"
#include "device.h"
#include "gro.h"
#include "gso.h"
#include "netlink.h"
#include "owner.h"
#include "transport.h"

struct workqueue_struct *ovpn_wq;
struct workqueue_struct *ovpn_socket_wq;

/**
 * ovpn_workqueues_alloc - make what works in the background
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int ovpn_workqueues_alloc(void)
{
	ovpn_wq = alloc_workqueue("ovpn-dco", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ovpn_wq)
		return -ENOMEM;
	ovpn_socket_wq = alloc_workqueue("ovpn-dco-socket",
					 WQ_UNBOUND | WQ_MEM_RECLAIM,
					 WQ_UNBOUND_MAX_ACTIVE);
	if (ovpn_socket_wq)
		return 0;

	destroy_workqueue(ovpn_wq);
	ovpn_wq = NULL;
	return -ENOMEM;
}

/**
 * ovpn_workqueues_flush - wait until all is freed
 *
 * Context: process, may sleep; no device may exist any more.
 */
void ovpn_workqueues_flush(void)
{
	/* Devices have gone, each after its peers, and these after their keys.
	 * Sockets wait for whoever has them locked.
	 */
	ovpn_sockets_wait();
	/* Endpoints, which nobody has counted */
	rcu_barrier();
	/* And whoever has freed the last of something is still in our code */
	flush_workqueue(ovpn_wq);
}

/**
 * ovpn_workqueues_free - wait for all work, and end that
 *
 * Context: process, may sleep; nobody may ask for more work.
 */
void ovpn_workqueues_free(void)
{
	ovpn_workqueues_flush();
	destroy_workqueue(ovpn_socket_wq);
	destroy_workqueue(ovpn_wq);
	ovpn_wq = NULL;
}

static bool ovpn_family = !IS_ENABLED(CONFIG_OVPN);
module_param(ovpn_family, bool, 0444);
MODULE_PARM_DESC(ovpn_family, "Serve OpenVPN 2.7 as well (default: unless the kernel has a driver of its own for that)");

/* Whether we do */
static bool has_27 __ro_after_init;

/* Another driver may have the names, which is no reason to do nothing */
static void __init ovpn_27_register(void)
{
	int err;

	err = ovpn_netlink_27_register();
	if (!err) {
		err = rtnl_link_register(&ovpn_27_link_ops);
		if (err)
			ovpn_netlink_27_unregister();
	}
	has_27 = !err;
	if (err)
		pr_notice("ovpn-dco: OpenVPN 2.7 is not served, another driver may have the name \"%s\" (error %d)\n",
			  OVPN27_FAMILY_NAME, err);
}

static int __init ovpn_init(void)
{
	int err;

	err = ovpn_workqueues_alloc();
	if (err)
		return err;

	ovpn_tcp_init();

	err = ovpn_gro_register();
	if (err)
		goto err_wq;
	err = ovpn_owner_register();
	if (err)
		goto err_gro;
	/* Userspace may come as soon as it is registered: last */
	err = ovpn_netlink_register();
	if (err)
		goto err_owner;
	err = rtnl_link_register(&ovpn_dco_link_ops);
	if (err)
		goto err_netlink;
	if (ovpn_family)
		ovpn_27_register();
	return 0;

err_netlink:
	ovpn_netlink_unregister();
err_owner:
	ovpn_owner_unregister();
err_gro:
	ovpn_gro_unregister();
err_wq:
	ovpn_workqueues_free();
	return err;
}

static void __exit ovpn_exit(void)
{
	/* Notifications are sent until the last device is gone: devices first */
	if (has_27)
		rtnl_link_unregister(&ovpn_27_link_ops);
	rtnl_link_unregister(&ovpn_dco_link_ops);
	if (has_27)
		ovpn_netlink_27_unregister();
	ovpn_netlink_unregister();
	ovpn_owner_unregister();

	ovpn_workqueues_free();
	ovpn_gro_unregister();
	ovpn_tcp_exit();
	ovpn_gso_exit();
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
/* Or the kernel's own driver would be loaded, and this one too */
#if !IS_ENABLED(CONFIG_OVPN)
MODULE_ALIAS_RTNL_LINK(OVPN27_LINK_KIND);
MODULE_ALIAS_GENL_FAMILY(OVPN27_FAMILY_NAME);
#endif
