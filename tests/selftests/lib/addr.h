/* SPDX-License-Identifier: GPL-2.0-only */
/* Socket addresses, for the library's own use. */
#ifndef _SELFTEST_ADDR_H
#define _SELFTEST_ADDR_H

#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct netns;

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage any;
};

/*
 * A text address for a socket of this family, IPv4 ones as mapped ones for
 * AF_INET6; the sockaddr's length.
 */
socklen_t addr_make(union addr *a, int family, const char *text, uint16_t port);

/* A socket in a namespace (NULL: the caller's); ends the program if not. */
int socket_in(struct netns *ns, int family, int type, int proto);

#endif /* _SELFTEST_ADDR_H */
