/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One well-formed message per command, for tests that send each of them to
 * the same end.
 */
#ifndef _SELFTEST_REQUEST_H
#define _SELFTEST_REQUEST_H

#include "nl.h"

enum {
	REQ_NEW_PEER, REQ_SET_PEER, REQ_DEL_PEER, REQ_NEW_KEY, REQ_SWAP_KEYS,
	REQ_DEL_KEY, REQ_GET_PEER, REQ_DUMP, REQ_COUNT,
};

extern const char *const request_names[REQ_COUNT];

struct request_args {
	const uint32_t *ifindex;	/* NULL: left out */
	bool no_nest;
	uint32_t id;
	int sock;
	const void *remote;	/* NEW_PEER: a sockaddr, NULL: left out */
	size_t remote_len;
};

/* Sends it: the answer, 0 or -errno. */
int request_send(struct ovpn_nl *nl, int req, const struct request_args *args);

#endif /* _SELFTEST_REQUEST_H */
