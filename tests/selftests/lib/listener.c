// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "nl.h"

#include <netlink/netlink.h>
#include <netlink/genl/ctrl.h>

#include "family.h"
#include "ktap.h"
#include "netns.h"

struct ovpn_listener {
	struct nl_sock *sk;
	const struct ovpn_family *family;
	struct nlmsghdr *next;	/* in buf */
	int left;
	union {
		struct nlmsghdr head;	/* for its alignment */
		char buf[8192];
	};
};

static int default_rcvbuf(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	socklen_t len = sizeof(int);
	int size;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len))
		ktap_bail("SO_RCVBUF: %m");
	close(fd);
	/* the kernel doubles what it is given */
	return size / 2;
}

struct ovpn_listener *ovpn_listen(struct netns *ns, int rcvbuf)
{
	struct ovpn_listener *l = calloc(1, sizeof(*l));
	int back = netns_visit(ns), group, fd;

	if (!l)
		ktap_bail("out of memory");
	l->sk = nl_socket_alloc();
	if (!l->sk || nl_connect(l->sk, NETLINK_GENERIC))
		ktap_bail("cannot open a generic netlink socket");
	netns_back(back);
	l->family = family();
	group = genl_ctrl_resolve_grp(l->sk, l->family->name, "peers");
	if (group < 0)
		ktap_bail("family %s has no group peers", l->family->name);
	fd = nl_socket_get_fd(l->sk);
	/* nl_connect() gave it libnl's own default of 32 KiB */
	if (!rcvbuf)
		rcvbuf = default_rcvbuf();
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)))
		ktap_bail("SO_RCVBUF: %m");
	if (nl_socket_add_membership(l->sk, group))
		ktap_bail("cannot join group peers");
	return l;
}

int ovpn_listener_next(struct ovpn_listener *l, struct ovpn_ntf *ntf,
		       int timeout_ms)
{
	struct pollfd poll_fd = {
		.fd = nl_socket_get_fd(l->sk),
		.events = POLLIN,
	};
	ssize_t len;

	if (!l->left) {
		if (poll(&poll_fd, 1, timeout_ms) <= 0)
			return 0;
		len = recv(poll_fd.fd, l->buf, sizeof(l->buf), MSG_DONTWAIT);
		if (len < 0)
			return -errno;
		l->next = (void *)l->buf;
		l->left = len;
	}
	if (!nlmsg_ok(l->next, l->left)) {
		l->left = 0;
		return -EPROTO;
	}
	memset(ntf, 0, sizeof(*ntf));
	ntf->portid = l->next->nlmsg_pid;
	ntf->seq = l->next->nlmsg_seq;
	l->family->parse_ntf(l->next, ntf);
	l->next = nlmsg_next(l->next, &l->left);
	if (!nlmsg_ok(l->next, l->left))
		l->left = 0;
	return 1;
}

int ovpn_listener_fd(const struct ovpn_listener *l)
{
	return nl_socket_get_fd(l->sk);
}

void ovpn_listener_close(struct ovpn_listener *l)
{
	if (!l)
		return;
	nl_socket_free(l->sk);
	free(l);
}
