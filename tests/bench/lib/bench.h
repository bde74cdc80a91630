/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs share that measure, in a guest whose clock advances by a
 * nanosecond with each instruction.
 */
#ifndef _BENCH_H
#define _BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct netns;

/* Nanoseconds, and with them instructions, of a clock that does not jump. */
int64_t now_ns(void);

/* Prints a figure as measure wants it; @peers may be 0. */
void print_value(const char *test, unsigned int peers, const char *unit,
		 double n);

/* A device of several peers, up, with packets of this length, no more. */
uint32_t bench_link(struct netns *ns, const char *name, unsigned int mtu);

/* Sends all of them; ends the program if it cannot. */
void send_all(int fd, struct mmsghdr *msgs, unsigned int count);

#endif /* _BENCH_H */
