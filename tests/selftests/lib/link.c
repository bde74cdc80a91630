// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nl.h"

#include <net/if.h>
#include <netlink/netlink.h>
#include <linux/rtnetlink.h>

#include "condition.h"
#include "family.h"
#include "ktap.h"
#include "netns.h"
#include "nlsock.h"

static char last_extack[256];

static struct nl_msg *link_msg(int type, int flags, const char *name)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (!msg || nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO))
		ktap_bail("cannot make a netlink message");
	ovpn_put_raw(msg, IFLA_IFNAME, name, strlen(name) + 1);
	return msg;
}

static int request(struct netns *ns, struct nl_msg *msg, ovpn_nl_reply_fn fn,
		   void *arg)
{
	int back = netns_visit(ns), err;
	struct nlsock *s = nlsock_open(NETLINK_ROUTE);

	if (!s)
		ktap_bail("cannot open an rtnetlink socket: %m");
	netns_back(back);
	err = nlsock_post(s, msg);
	if (!err)
		err = nlsock_finish(s, fn, arg);
	snprintf(last_extack, sizeof(last_extack), "%s", s->extack);
	nlsock_close(s);
	return err;
}

const char *ovpn_link_extack(void)
{
	return last_extack;
}

int ovpn_link_new(struct netns *ns, const char *name, int mode)
{
	struct nl_msg *msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
				      name);
	struct nlattr *info, *data;
	uint8_t value = mode;
	int err;

	info = ovpn_nest(msg, IFLA_LINKINFO | NLA_F_NESTED);
	ovpn_put_raw(msg, IFLA_INFO_KIND, family()->kind,
		     strlen(family()->kind));
	if (mode != OVPN_MODE_NONE) {
		data = ovpn_nest(msg, IFLA_INFO_DATA | NLA_F_NESTED);
		ovpn_put_raw(msg, IFLA_OVPN_MODE, &value, sizeof(value));
		ovpn_nest_end(msg, data);
	}
	ovpn_nest_end(msg, info);
	err = request(ns, msg, NULL, NULL);
	if (err)
		return err;
	condition_device(ns, name);
	return netns_ifindex(ns, name);
}

int ovpn_link_del(struct netns *ns, const char *name)
{
	return request(ns, link_msg(RTM_DELLINK, 0, name), NULL, NULL);
}

static void parse_linkinfo(struct nlattr *linkinfo, struct ovpn_link_info *info)
{
	struct nlattr *attr, *data;
	int left, inner;

	nla_for_each_nested(attr, linkinfo, left) {
		if (nla_type(attr) == IFLA_INFO_KIND)
			nla_strlcpy(info->kind, attr, sizeof(info->kind));
		if (nla_type(attr) != IFLA_INFO_DATA)
			continue;
		nla_for_each_nested(data, attr, inner) {
			if (nla_type(data) != IFLA_OVPN_MODE)
				continue;
			info->mode_len = nla_len(data);
			info->mode = nla_get_u8(data);
		}
	}
}

static void parse_link(struct nlmsghdr *h, void *arg)
{
	struct ifinfomsg *head = nlmsg_data(h);
	struct ovpn_link_info *info = arg;
	struct nlattr *attr;
	int left;

	info->flags = head->ifi_flags;
	info->type = head->ifi_type;
	nlmsg_for_each_attr(attr, h, sizeof(*head), left) {
		switch (nla_type(attr)) {
		case IFLA_MTU:
			info->mtu = nla_get_u32(attr);
			break;
		case IFLA_MIN_MTU:
			info->min_mtu = nla_get_u32(attr);
			break;
		case IFLA_MAX_MTU:
			info->max_mtu = nla_get_u32(attr);
			break;
		case IFLA_CARRIER:
			info->carrier = nla_get_u8(attr);
			break;
		case IFLA_OPERSTATE:
			info->operstate = nla_get_u8(attr);
			break;
		case IFLA_LINKINFO:
			parse_linkinfo(attr, info);
			break;
		}
	}
}

int ovpn_link_get(struct netns *ns, const char *name,
		  struct ovpn_link_info *info)
{
	memset(info, 0, sizeof(*info));
	info->mode = OVPN_MODE_NONE;
	return request(ns, link_msg(RTM_GETLINK, 0, name), parse_link, info);
}
