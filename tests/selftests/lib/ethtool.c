// SPDX-License-Identifier: GPL-2.0-only
/* What tests need of ethtool(8), by its ioctl. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "netns.h"

static int request(struct netns *ns, const char *dev, void *data)
{
	struct ifreq req = { .ifr_data = data };
	int back, fd, err = 0;

	back = netns_visit(ns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	netns_back(back);
	if (fd < 0)
		return -errno;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", dev);
	if (ioctl(fd, SIOCETHTOOL, &req))
		err = -errno;
	close(fd);
	return err;
}

static int set_size(struct netns *ns, const char *dev, unsigned int set)
{
	union {
		struct ethtool_sset_info info;
		__u32 words[sizeof(struct ethtool_sset_info) / 4 + 1];
	} query = {
		.info.cmd = ETHTOOL_GSSET_INFO,
		.info.sset_mask = 1ULL << set,
	};
	int err = request(ns, dev, &query);

	if (err)
		return err;
	return query.info.sset_mask ? (int)query.info.data[0] : 0;
}

/* Where a name is in a set of strings; the set's size to @size. */
static int find_string(struct netns *ns, const char *dev, unsigned int set,
		       const char *name, int *size)
{
	struct ethtool_gstrings *strings;
	int i, err, count = set_size(ns, dev, set);

	if (count < 0)
		return count;
	strings = calloc(1, sizeof(*strings) + count * ETH_GSTRING_LEN);
	if (!strings)
		return -ENOMEM;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = set;
	strings->len = count;
	err = request(ns, dev, strings);
	*size = count;
	for (i = 0; !err && i < count; i++)
		if (!strncmp((char *)strings->data + i * ETH_GSTRING_LEN, name,
			     ETH_GSTRING_LEN))
			break;
	free(strings);
	if (err)
		return err;
	return i < count ? i : -ENOENT;
}

int ethtool_stat(struct netns *ns, const char *dev, const char *name,
		 uint64_t *value)
{
	struct ethtool_stats *stats;
	int size, err, at;

	at = find_string(ns, dev, ETH_SS_STATS, name, &size);
	if (at < 0)
		return at;
	stats = calloc(1, sizeof(*stats) + size * sizeof(__u64));
	if (!stats)
		return -ENOMEM;
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = size;
	err = request(ns, dev, stats);
	if (!err)
		*value = stats->data[at];
	free(stats);
	return err;
}

uint64_t ethtool_count(struct netns *ns, const char *dev, const char *name)
{
	uint64_t value;
	int err = ethtool_stat(ns, dev, name, &value);

	if (err)
		ktap_bail("%s has no counter %s: %s", dev, name,
			  strerror(-err));
	return value;
}

int ethtool_get_flag(struct netns *ns, const char *dev, const char *name)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GPFLAGS };
	int size, err, at;

	at = find_string(ns, dev, ETH_SS_PRIV_FLAGS, name, &size);
	if (at < 0)
		return at;
	err = request(ns, dev, &flags);
	return err ? err : (int)(flags.data >> at & 1);
}

int ethtool_set_flag(struct netns *ns, const char *dev, const char *name,
		     bool on)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GPFLAGS };
	int size, err, at;

	at = find_string(ns, dev, ETH_SS_PRIV_FLAGS, name, &size);
	if (at < 0)
		return at;
	err = request(ns, dev, &flags);
	if (err)
		return err;
	flags.cmd = ETHTOOL_SPFLAGS;
	flags.data = (flags.data & ~(1U << at)) | (unsigned int)on << at;
	return request(ns, dev, &flags);
}

/*
 * Link settings in two steps: the first asks how long the mode masks are, the
 * answer is the negative length.
 */
static int link_settings(struct netns *ns, const char *dev,
			 struct ethtool_info *info)
{
	union {
		struct ethtool_link_settings base;
		__u32 words[sizeof(struct ethtool_link_settings) / 4 + 3 * 127];
	} settings = { .base.cmd = ETHTOOL_GLINKSETTINGS };
	int err = request(ns, dev, &settings);

	if (err)
		return err;
	settings.base.cmd = ETHTOOL_GLINKSETTINGS;
	settings.base.link_mode_masks_nwords =
		-settings.base.link_mode_masks_nwords;
	err = request(ns, dev, &settings);
	if (err)
		return err;
	info->speed = settings.base.speed;
	info->duplex = settings.base.duplex;
	return 0;
}

int ethtool_info(struct netns *ns, const char *dev, struct ethtool_info *info)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	int err;

	memset(info, 0, sizeof(*info));
	err = request(ns, dev, &driver);
	if (err)
		return err;
	memcpy(info->driver, driver.driver, sizeof(info->driver) - 1);
	memcpy(info->version, driver.version, sizeof(info->version) - 1);
	memcpy(info->bus, driver.bus_info, sizeof(info->bus) - 1);
	err = request(ns, dev, &link);
	if (err)
		return err;
	info->link = link.data;
	return link_settings(ns, dev, info);
}
