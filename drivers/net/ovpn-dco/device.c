// SPDX-License-Identifier: GPL-2.0-only
/* The network device: net_device, rtnetlink kind, ethtool. */

#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/security.h>
#include <linux/workqueue.h>
#include <net/gro_cells.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/pkt_sched.h>
#include <net/rtnetlink.h>
#include <uapi/linux/ovpn.h>

#include "coalesce.h"
#include "compat/compat.h"
#include "device.h"
#include "keepalive.h"
#include "netlink.h"
#include "peer.h"
#include "peer_table.h"
#include "send.h"

#define TX_QUEUES_MAX		64

#define OVPN_FEATURES		(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_RXCSUM | \
				 NETIF_F_GSO | NETIF_F_GSO_SOFTWARE |	     \
				 NETIF_F_HIGHDMA)

static int ovpn_dev_init(struct net_device *dev)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);
	int err;

	ovpn->dev = dev;
	/* Those of the device below are taken while ours are held */
	netdev_lockdep_set_classes(dev);
	ovpn->udp_gso = true;
	ovpn->udp_gro = true;
	ovpn->path_mtu = true;
	ovpn->copy_ecn = true;
	mutex_init(&ovpn->requests);
	ovpn_keepalive_init(ovpn);

	err = compat_tstats_init(dev);
	if (err)
		return err;
	ovpn->stats = netdev_alloc_pcpu_stats(struct ovpn_dev_stats);
	if (!ovpn->stats) {
		err = -ENOMEM;
		goto err_tstats;
	}
	err = ovpn_coalesce_init(ovpn);
	if (err)
		goto err_stats;
	err = gro_cells_init(&ovpn->gro_cells, dev);
	if (err)
		goto err_coalesce;
	err = ovpn_peer_table_init(&ovpn->peers);
	if (err)
		goto err_gro_cells;
	ovpn_owner_init(ovpn);
	return 0;

err_gro_cells:
	gro_cells_destroy(&ovpn->gro_cells);
err_coalesce:
	ovpn_coalesce_free(ovpn);
err_stats:
	free_percpu(ovpn->stats);
err_tstats:
	compat_tstats_free(dev);
	return err;
}

/* Called on every way that a device can go. The peers are freed in the
 * background: what they and their packets still need goes with the device.
 */
static void ovpn_dev_uninit(struct net_device *dev)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);

	ovpn_peer_table_close(&ovpn->peers);
	ovpn_peers_delete(ovpn, NULL, NULL, OVPN_DEL_PEER_REASON_TEARDOWN);
	ovpn_owner_exit(ovpn);
	ovpn_keepalive_stop(ovpn);
	gro_cells_destroy(&ovpn->gro_cells);
}

/* After the last reference on the device is gone, and so the last peer */
static void ovpn_dev_free(struct net_device *dev)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);

	ovpn_peer_table_destroy(&ovpn->peers);
	ovpn_coalesce_free(ovpn);
	free_percpu(ovpn->stats);
	compat_tstats_free(dev);
}

static int ovpn_dev_open(struct net_device *dev)
{
	struct in_device *in_dev = __in_dev_get_rtnl(dev);
	struct ovpn_dev *ovpn = netdev_priv(dev);

	/* Clients reach each other through us and cannot be redirected. Here
	 * and not at birth: a move to another namespace makes a new in_device.
	 */
	if (ovpn->mode == OVPN_MODE_MP && in_dev) {
		IN_DEV_CONF_SET(in_dev, SEND_REDIRECTS, false);
		IPV4_DEVCONF_ALL(dev_net(dev), SEND_REDIRECTS) = false;
	}
	ovpn_coalesce_start(ovpn);
	netif_tx_start_all_queues(dev);
	return 0;
}

static int ovpn_dev_stop(struct net_device *dev)
{
	netif_tx_stop_all_queues(dev);
	ovpn_coalesce_stop(netdev_priv(dev));
	return 0;
}

static void ovpn_dev_get_stats64(struct net_device *dev,
				 struct rtnl_link_stats64 *stats)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);
	u64 events[OVPN_EVENT_COUNT];
	u64 drops[OVPN_DROP_COUNT];
	int i;

	dev_get_tstats64(dev, stats);
	ovpn_dev_stats_sum(ovpn->stats, drops, events);
	/* GRO cells count what they drop themselves */
	drops[OVPN_DROP_RX_BACKLOG] = 0;
	for (i = 0; i < OVPN_DROP_TX_FIRST; i++)
		stats->rx_dropped += drops[i];
	for (; i < OVPN_DROP_COUNT; i++)
		stats->tx_dropped += drops[i];
}

static const struct net_device_ops ovpn_netdev_ops = {
	.ndo_init = ovpn_dev_init,
	.ndo_uninit = ovpn_dev_uninit,
	.ndo_open = ovpn_dev_open,
	.ndo_stop = ovpn_dev_stop,
	.ndo_start_xmit = ovpn_send,
	.ndo_get_stats64 = ovpn_dev_get_stats64,
};

/**
 * ovpn_dev_is_ours - is this one of our devices?
 * @dev: any device
 * @abi: the kind that it should have
 *
 * Return: true if its private part is a struct ovpn_dev with that abi.
 */
bool ovpn_dev_is_ours(const struct net_device *dev, const struct ovpn_abi *abi)
{
	const struct ovpn_dev *ovpn = netdev_priv(dev);

	return dev->netdev_ops == &ovpn_netdev_ops && ovpn->abi == abi;
}

/* Names of the private flags; see the fields of struct ovpn_dev */
static const char priv_flag_names[][ETH_GSTRING_LEN] = {
	"loose-rpf",
	"udp-gso",
	"udp-gro",
	"path-mtu",
	"copy-dscp",
	"copy-ecn",
};

/* A flag's value; in the order of their names */
static bool *priv_flag(struct ovpn_dev *ovpn, unsigned int flag)
{
	bool *const flags[] = {
		&ovpn->loose_rpf,
		&ovpn->udp_gso,
		&ovpn->udp_gro,
		&ovpn->path_mtu,
		&ovpn->copy_dscp,
		&ovpn->copy_ecn,
	};

	BUILD_BUG_ON(ARRAY_SIZE(flags) != ARRAY_SIZE(priv_flag_names));
	return flags[flag];
}

/* Not a packet that was dropped, nor an event: how many peers there are */
#define GAUGES			1

static void ovpn_get_drvinfo(struct net_device *dev,
			     struct ethtool_drvinfo *info)
{
	const struct ovpn_dev *ovpn = netdev_priv(dev);

	strscpy(info->driver, ovpn->abi->kind, sizeof(info->driver));
	strscpy(info->version, OVPN_VERSION, sizeof(info->version));
	strscpy(info->bus_info, "ovpn", sizeof(info->bus_info));
}

static int ovpn_get_link_ksettings(struct net_device *dev,
				   struct ethtool_link_ksettings *settings)
{
	ethtool_link_ksettings_zero_link_mode(settings, supported);
	ethtool_link_ksettings_zero_link_mode(settings, advertising);
	settings->base.speed = SPEED_1000;
	settings->base.duplex = DUPLEX_FULL;
	settings->base.port = PORT_TP;
	settings->base.phy_address = 0;
	settings->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

static int ovpn_get_sset_count(struct net_device *dev, int set)
{
	switch (set) {
	case ETH_SS_STATS:
		return GAUGES + OVPN_EVENT_COUNT + OVPN_DROP_COUNT;
	case ETH_SS_PRIV_FLAGS:
		return ARRAY_SIZE(priv_flag_names);
	default:
		return -EOPNOTSUPP;
	}
}

static void ovpn_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	int i;

	switch (set) {
	case ETH_SS_STATS:
		ethtool_puts(&data, "peers");
		for (i = 0; i < OVPN_EVENT_COUNT; i++)
			ethtool_puts(&data, ovpn_event_name(i));
		for (i = 0; i < OVPN_DROP_COUNT; i++)
			ethtool_puts(&data, ovpn_drop_name(i));
		break;
	case ETH_SS_PRIV_FLAGS:
		memcpy(data, priv_flag_names, sizeof(priv_flag_names));
		break;
	}
}

static void ovpn_get_ethtool_stats(struct net_device *dev,
				   struct ethtool_stats *stats, u64 *data)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);

	*data++ = READ_ONCE(ovpn->peers.count);
	ovpn_dev_stats_sum(ovpn->stats, data + OVPN_EVENT_COUNT, data);
}

static u32 ovpn_get_priv_flags(struct net_device *dev)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);
	unsigned int i;
	u32 flags = 0;

	for (i = 0; i < ARRAY_SIZE(priv_flag_names); i++)
		flags |= *priv_flag(ovpn, i) ? BIT(i) : 0;
	return flags;
}

static int ovpn_set_priv_flags(struct net_device *dev, u32 flags)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(priv_flag_names); i++)
		WRITE_ONCE(*priv_flag(ovpn, i), flags & BIT(i));
	return 0;
}

static int ovpn_get_coalesce(struct net_device *dev,
			     struct ethtool_coalesce *settings,
			     struct kernel_ethtool_coalesce *more,
			     struct netlink_ext_ack *extack)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);

	settings->tx_coalesce_usecs = READ_ONCE(ovpn->tx_usecs);
	settings->pkt_rate_high = READ_ONCE(ovpn->tx_rate);
	return 0;
}

static int ovpn_set_coalesce(struct net_device *dev,
			     struct ethtool_coalesce *settings,
			     struct kernel_ethtool_coalesce *more,
			     struct netlink_ext_ack *extack)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);

	if (settings->tx_coalesce_usecs > OVPN_TX_USECS_MAX) {
		NL_SET_ERR_MSG(extack,
			       "packets may be held for a millisecond at most");
		return -EINVAL;
	}
	if (settings->pkt_rate_high > OVPN_TX_RATE_MAX) {
		NL_SET_ERR_MSG(extack, "no processor sends so many packets");
		return -EINVAL;
	}
	WRITE_ONCE(ovpn->tx_usecs, settings->tx_coalesce_usecs);
	WRITE_ONCE(ovpn->tx_rate, settings->pkt_rate_high);
	return 0;
}

COMPAT_DEFINE_COALESCE(ovpn_get_coalesce)
COMPAT_DEFINE_COALESCE(ovpn_set_coalesce)

static const struct ethtool_ops ovpn_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_TX_USECS |
				     ETHTOOL_COALESCE_PKT_RATE_HIGH,
	.get_drvinfo = ovpn_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = ovpn_get_link_ksettings,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_sset_count = ovpn_get_sset_count,
	.get_strings = ovpn_get_strings,
	.get_ethtool_stats = ovpn_get_ethtool_stats,
	.get_priv_flags = ovpn_get_priv_flags,
	.set_priv_flags = ovpn_set_priv_flags,
	.get_coalesce = compat_coalesce(ovpn_get_coalesce),
	.set_coalesce = compat_coalesce(ovpn_set_coalesce),
};

static const struct device_type ovpn_device_type = {
	.name = "ovpn",
};

static void setup(struct net_device *dev, const struct ovpn_abi *abi)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);

	ovpn->abi = abi;
	dev->netdev_ops = &ovpn_netdev_ops;
	dev->ethtool_ops = &ovpn_ethtool_ops;
	dev->needs_free_netdev = true;
	dev->priv_destructor = ovpn_dev_free;
	compat_tstats_setup(dev);

	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	if (abi->multicast)
		dev->flags |= IFF_MULTICAST;
	dev->hard_header_len = 0;
	dev->addr_len = 0;
	dev->mtu = ETH_DATA_LEN - abi->overhead;
	dev->min_mtu = IPV4_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU - abi->overhead;
	dev->tx_queue_len = DEFAULT_TX_QUEUE_LEN;
	dev->needed_headroom = ALIGN(LL_MAX_HEADER + OVPN_OVERHEAD, 4);
	dev->needed_tailroom = OVPN_TAG_LEN;

	compat_set_lltx(dev);
	dev->features |= OVPN_FEATURES;
	dev->hw_features |= OVPN_FEATURES;
	dev->hw_enc_features |= OVPN_FEATURES;
	/* The next hop is in the packet's route */
	netif_keep_dst(dev);
	SET_NETDEV_DEVTYPE(dev, &ovpn_device_type);
}

static void ovpn_dco_setup(struct net_device *dev)
{
	setup(dev, &ovpn_abi_v2);
}

static void ovpn_27_setup(struct net_device *dev)
{
	setup(dev, &ovpn_abi_27);
}

static const struct nla_policy ovpn_link_policy[IFLA_OVPN_MAX + 1] = {
	[IFLA_OVPN_MODE] = NLA_POLICY_RANGE(NLA_U8, OVPN_MODE_P2P,
					    OVPN_MODE_MP),
};

static int ovpn_newlink(struct net_device *dev,
			struct rtnl_newlink_params *params,
			struct netlink_ext_ack *extack)
{
	struct ovpn_dev *ovpn = netdev_priv(dev);
	struct nlattr **data = params->data;
	int err;

	err = security_tun_dev_create();
	if (err < 0) {
		NL_SET_ERR_MSG(extack, "a security module forbids the tunnel");
		return err;
	}

	ovpn->mode = OVPN_MODE_P2P;
	if (data && data[IFLA_OVPN_MODE])
		ovpn->mode = nla_get_u8(data[IFLA_OVPN_MODE]);
	/* A queue is of use where it can be stopped: not in front of many
	 * peers, who would all wait for the slowest.
	 */
	if (ovpn->mode == OVPN_MODE_MP)
		dev->priv_flags |= IFF_NO_QUEUE;
	else if (ovpn->abi->carrier)
		netif_carrier_off(dev);
	return register_netdevice(dev);
}

COMPAT_DEFINE_NEWLINK(ovpn_newlink)

/* One for each processor, so that they need not wait for each other */
static unsigned int ovpn_link_tx_queues(void)
{
	return min_t(unsigned int, num_possible_cpus(), TX_QUEUES_MAX);
}

static size_t ovpn_link_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(u8));	/* IFLA_OVPN_MODE */
}

static int ovpn_link_fill(struct sk_buff *skb, const struct net_device *dev)
{
	const struct ovpn_dev *ovpn = netdev_priv(dev);

	return nla_put_u8(skb, IFLA_OVPN_MODE, ovpn->mode);
}

struct rtnl_link_ops ovpn_dco_link_ops __read_mostly = {
	.kind = OVPN_DCO_LINK_KIND,
	.priv_size = sizeof(struct ovpn_dev),
	.setup = ovpn_dco_setup,
	.policy = ovpn_link_policy,
	.maxtype = IFLA_OVPN_MAX,
	.newlink = compat_newlink(ovpn_newlink),
	.dellink = unregister_netdevice_queue,
	.get_num_tx_queues = ovpn_link_tx_queues,
	.get_size = ovpn_link_size,
	.fill_info = ovpn_link_fill,
};

struct rtnl_link_ops ovpn_27_link_ops __read_mostly = {
	.kind = OVPN27_LINK_KIND,
	.priv_size = sizeof(struct ovpn_dev),
	.setup = ovpn_27_setup,
	.policy = ovpn_link_policy,
	.maxtype = IFLA_OVPN_MAX,
	.newlink = compat_newlink(ovpn_newlink),
	.dellink = unregister_netdevice_queue,
	.get_num_tx_queues = ovpn_link_tx_queues,
	.get_size = ovpn_link_size,
	.fill_info = ovpn_link_fill,
};
