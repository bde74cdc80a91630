/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A family's commands with each of their attributes missing, mis-sized, out of
 * range, with unknown ones beside it, with bytes left over, and with nests that
 * do not say that they are. Each of these has to be refused with a sentence,
 * and must change nothing.
 */
#ifndef _SELFTEST_ATTRS_H
#define _SELFTEST_ATTRS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "ktap.h"

/* An attribute of a well-formed message, in the order of the message. */
struct attrs_node {
	int depth;		/* a nest's children follow it, one deeper */
	const char *name;
	uint16_t type;
	uint16_t len;
	const void *data;	/* NULL for a nest */
	uint16_t unknown;	/* nests: the first type that has no meaning */
	bool optional;		/* leaving it out is not refused */
	/*
	 * Nests: if not 0, bit n: attribute n may be there although it is not
	 * in the message; all others that are not are refused.
	 */
	uint32_t others;
};

struct attrs_command {
	const char *name;
	int cmd;
	int flags;
	const struct attrs_node *nodes;
	unsigned int count;
};

/* Another value of an attribute, to be refused: command, attribute, text */
struct attrs_value {
	int cmd;
	const char *attr;
	const char *what;
	const void *data;
	uint16_t len;
};

struct attrs_suite {
	/* what deletes the peer last: all others need it */
	const struct attrs_command *commands;
	unsigned int n_commands;
	const struct attrs_value *values;
	unsigned int n_values;
	uint16_t unknown;	/* the first type without meaning at the top */
};

/* What messages are made of is only known when the device is there. */
extern uint32_t attrs_ifindex, attrs_sock;
extern struct sockaddr_in attrs_remote;

/* A peer that is there, with keys of ids 0 and 1, and one that is not. */
extern const uint32_t attrs_old_peer, attrs_new_peer;

/* Runs all cases; returns what main() has to return. */
int attrs_run(const struct attrs_suite *suite);

#endif /* _SELFTEST_ATTRS_H */
