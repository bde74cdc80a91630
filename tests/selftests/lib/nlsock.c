// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <netlink/errno.h>
#include <netlink/attr.h>

#include "ktap.h"
#include "nlsock.h"

#define ANSWER_SECONDS	30
#define SEND_BUFFER	(128 << 10)
#define RECEIVE_BUFFER	(1024 << 10)

int nl_errno(int err)
{
	static const struct {
		int nle, err;
	} map[] = {
		{ NLE_OBJ_NOTFOUND, ENOENT }, { NLE_NOMEM, ENOMEM },
		{ NLE_AGAIN, EAGAIN }, { NLE_PERM, EPERM },
		{ NLE_NOACCESS, EACCES }, { NLE_INVAL, EINVAL },
		{ NLE_MSGSIZE, EMSGSIZE }, { NLE_INTR, EINTR },
	};
	unsigned int i;

	if (err >= 0)
		return err;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (map[i].nle == -err)
			return -map[i].err;
	return -EIO;
}

struct nlsock *nlsock_open(int protocol)
{
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	struct nlsock *s = calloc(1, sizeof(*s));
	int fd, err, on = 1;

	if (!s)
		return NULL;
	s->sk = nl_socket_alloc();
	if (!s->sk) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	err = nl_errno(nl_connect(s->sk, protocol));
	if (!err)
		err = nl_errno(nl_socket_set_buffer_size(s->sk, RECEIVE_BUFFER,
							 SEND_BUFFER));
	fd = nl_socket_get_fd(s->sk);
	if (!err && (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on,
				sizeof(on)) ||
		     setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on,
				sizeof(on)) ||
		     setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit))))
		err = -errno;
	if (!err)
		return s;
	nlsock_close(s);
	errno = -err;
	return NULL;
}

void nlsock_close(struct nlsock *s)
{
	if (!s)
		return;
	nl_socket_free(s->sk);
	free(s);
}

int nlsock_post(struct nlsock *s, struct nl_msg *msg)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);
	ssize_t sent;

	nl_complete_msg(s->sk, msg);
	h->nlmsg_flags |= NLM_F_ACK;
	s->seq = h->nlmsg_seq;
	s->extack[0] = '\0';
	/* not by libnl: it hides the errno behind codes of its own */
	sent = send(nl_socket_get_fd(s->sk), h, h->nlmsg_len, 0);
	nlmsg_free(msg);
	return sent < 0 ? -errno : 0;
}

/* The sentence among the attributes of an acknowledgment. */
static void keep_extack(struct nlsock *s, struct nlmsghdr *h, size_t skip)
{
	const struct nlattr *attr;
	int left;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    h->nlmsg_len < NLMSG_HDRLEN + skip)
		return;
	attr = (void *)((char *)NLMSG_DATA(h) + skip);
	left = h->nlmsg_len - NLMSG_HDRLEN - skip;
	for (; nla_ok(attr, left); attr = nla_next(attr, &left))
		if (nla_type(attr) == NLMSGERR_ATTR_MSG)
			nla_strlcpy(s->extack, attr, sizeof(s->extack));
}

static int end_of_answer(struct nlsock *s, struct nlmsghdr *h)
{
	struct nlmsgerr *ack = NLMSG_DATA(h);
	size_t skip;

	if (h->nlmsg_type == NLMSG_DONE) {
		keep_extack(s, h, NLMSG_ALIGN(sizeof(int)));
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ?
		       *(int *)NLMSG_DATA(h) : 0;
	}
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*ack)))
		return -EPROTO;
	skip = sizeof(*ack);
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip = NLMSG_ALIGN(skip + ack->msg.nlmsg_len - NLMSG_HDRLEN);
	keep_extack(s, h, skip);
	return ack->error;
}

int nlsock_finish(struct nlsock *s, void (*fn)(struct nlmsghdr *, void *),
		  void *arg)
{
	bool torn = false;
	struct nlmsghdr *h;
	ssize_t len;
	int err;

	for (;;) {
		len = recv(nl_socket_get_fd(s->sk), s->buf, sizeof(s->buf), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (h = (void *)s->buf; NLMSG_OK(h, (size_t)len);
		     h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_seq != s->seq)
				continue;
			torn |= h->nlmsg_flags & NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_ERROR ||
			    h->nlmsg_type == NLMSG_DONE) {
				err = end_of_answer(s, h);
				return err || !torn ? err : -EINTR;
			}
			if (fn)
				fn(h, arg);
		}
	}
}
