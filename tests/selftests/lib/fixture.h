/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What most tests of the control plane start from: a namespace of its own with
 * one device "ovpn0", up, 10.9.255.254/16, a client and a UDP socket on
 * 127.0.0.1 in the same namespace.
 */
#ifndef _SELFTEST_FIXTURE_H
#define _SELFTEST_FIXTURE_H

#include <stdint.h>

#include "nl.h"

struct fixture {
	struct netns *ns;
	struct ovpn_nl *nl;
	int mode;
	uint32_t ifindex;
	int sock;		/* handed to the kernel as the peers' transport */
	int far;		/* the other end: what is sent to any peer */
};

/* Call first in main(): a program that cannot work here is skipped whole. */
void need_root(void);

/* @mode: OVPN_MODE_P2P, OVPN_MODE_MP. Failure ends the program. */
void fixture_start(struct fixture *f, int mode);

/* Takes all down again; the namespace itself goes a moment later. */
void fixture_end(struct fixture *f);

/*
 * Where a peer is: 127.1.0.0 + @id, at the port of @far, which receives what
 * is sent to any of them. The string lives until the next call.
 */
const char *fixture_remote(uint32_t id);

/* Sends from there to @sock, as that peer. */
void fixture_send(const struct fixture *f, uint32_t id, const void *data,
		  size_t len);

/*
 * Arguments of a NEW_PEER that works: VPN address 10.9.0.0 + @id (of which
 * there are 65535; none where the family refuses it, for the one peer of a
 * point-to-point device) and that remote. The strings live until the next call.
 */
struct ovpn_peer_args fixture_peer_args(const struct fixture *f, uint32_t id);

/*
 * For requests that are to be refused: remembers the peers; and checks the
 * answer to the last request on f->nl, which has to have been this errno, with
 * a sentence, and to have left the peers as they were.
 */
void fixture_watch(const struct fixture *f);
void fixture_refused(const struct fixture *f, int want, int got,
		     const char *what);

/* Creates it; failure ends the program. */
void fixture_peer(const struct fixture *f, uint32_t id);

/* Peers @first to @first + @count - 1. */
void fixture_peers(const struct fixture *f, uint32_t first, uint32_t count);

/* Primary key for both directions; failure ends the program. */
void fixture_key(const struct fixture *f, uint32_t id,
		 const struct wire_key *key);

#endif /* _SELFTEST_FIXTURE_H */
