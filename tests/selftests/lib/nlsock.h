/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A netlink socket of any protocol: one request at a time, with the errno and
 * the extended acknowledgment as the kernel sent them.
 */
#ifndef _SELFTEST_NLSOCK_H
#define _SELFTEST_NLSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <netlink/netlink.h>
#include <netlink/msg.h>

struct nlsock {
	struct nl_sock *sk;
	uint32_t seq;		/* of the request under way */
	char extack[256];
	union {
		struct nlmsghdr head;	/* for its alignment */
		char buf[65536];
	};
};

/* NULL and errno */
struct nlsock *nlsock_open(int protocol);
void nlsock_close(struct nlsock *s);

/* Sends and frees the message, with NLM_F_REQUEST | NLM_F_ACK; 0 or -errno. */
int nlsock_post(struct nlsock *s, struct nl_msg *msg);

/* Reads until the ACK, the error or the end of the dump; 0 or -errno. */
int nlsock_finish(struct nlsock *s, void (*fn)(struct nlmsghdr *, void *),
		  void *arg);

/* What libnl returned as -errno. */
int nl_errno(int err);

#endif /* _SELFTEST_NLSOCK_H */
