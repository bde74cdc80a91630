// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nl.h"

#include <netlink/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "family.h"
#include "ktap.h"
#include "netns.h"
#include "nlsock.h"

struct ovpn_nl {
	struct nlsock *s;
	const struct ovpn_family *family;
	int id;			/* the kernel's number of it */
};

struct ovpn_nl *ovpn_nl_try_open(void)
{
	struct ovpn_nl *nl = calloc(1, sizeof(*nl));
	int err;

	if (!nl)
		return NULL;
	nl->s = nlsock_open(NETLINK_GENERIC);
	if (!nl->s) {
		free(nl);
		return NULL;
	}
	nl->family = family();
	nl->id = genl_ctrl_resolve(nl->s->sk, nl->family->name);
	if (nl->id >= 0)
		return nl;
	err = nl_errno(nl->id);
	ovpn_nl_close(nl);
	errno = -err;
	return NULL;
}

struct ovpn_nl *ovpn_nl_open(struct netns *ns)
{
	int back = netns_visit(ns);
	struct ovpn_nl *nl = ovpn_nl_try_open();

	if (!nl)
		ktap_bail("cannot open family %s: %m", family()->name);
	netns_back(back);
	return nl;
}

void ovpn_nl_close(struct ovpn_nl *nl)
{
	if (!nl)
		return;
	nlsock_close(nl->s);
	free(nl);
}

const struct ovpn_family *ovpn_nl_family(const struct ovpn_nl *nl)
{
	return nl->family;
}

const char *ovpn_nl_extack(const struct ovpn_nl *nl)
{
	return nl->s->extack;
}

int ovpn_nl_fd(const struct ovpn_nl *nl)
{
	return nl_socket_get_fd(nl->s->sk);
}

struct nl_msg *ovpn_nl_msg(struct ovpn_nl *nl, int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->id, 0,
				 flags, cmd, nl->family->version))
		ktap_bail("cannot make a netlink message");
	return msg;
}

void ovpn_put_raw(struct nl_msg *msg, int type, const void *data, size_t len)
{
	if (nla_put(msg, type, len, data))
		ktap_bail("netlink message too long");
}

struct nlattr *ovpn_nest(struct nl_msg *msg, int type)
{
	struct nlattr *nest = nla_reserve(msg, type, 0);

	if (!nest)
		ktap_bail("netlink message too long");
	return nest;
}

void ovpn_nest_end(struct nl_msg *msg, struct nlattr *nest)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);

	/* without padding, so that bytes left over inside stay the last */
	nest->nla_len = (char *)h + h->nlmsg_len - (char *)nest;
}

void ovpn_put_trailer(struct nl_msg *msg, const void *data, size_t len)
{
	/* alignment 1: the message is to end right behind the bytes */
	char *tail = nlmsg_reserve(msg, len, 1);

	if (!tail)
		ktap_bail("netlink message too long");
	memcpy(tail, data, len);
}

int ovpn_nl_post(struct ovpn_nl *nl, struct nl_msg *msg)
{
	return nlsock_post(nl->s, msg);
}

int ovpn_nl_finish(struct ovpn_nl *nl, ovpn_nl_reply_fn fn, void *arg)
{
	return nlsock_finish(nl->s, fn, arg);
}

int ovpn_nl_send(struct ovpn_nl *nl, struct nl_msg *msg, ovpn_nl_reply_fn fn,
		 void *arg)
{
	int err = ovpn_nl_post(nl, msg);

	return err ? err : ovpn_nl_finish(nl, fn, arg);
}
