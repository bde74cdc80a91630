/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the abuse tests have in common: how much of it, chance that can be
 * repeated, and memory that runs out on demand.
 */
#ifndef _ABUSE_H
#define _ABUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * @count, or OVPN_ABUSE_SCALE percent of it: for trying a test out in less
 * time, or for more of it.
 */
unsigned int scaled(unsigned int count);

/* ---- chance: the same in each run but for OVPN_ABUSE_SEED ---- */

uint64_t chance(void);

/* 0 to @n - 1 */
uint32_t chance_below(uint32_t n);

/* True once in @n times. */
bool once_in(uint32_t n);

void chance_bytes(void *buf, size_t len);

/* A number of the kind that somebody forgot to check for. */
uint32_t chance_number(void);

/* ---- memory that runs out: needs a kernel with fault injection ---- */

/* False on a kernel without it. */
bool fault_available(void);

/*
 * Lets the @n-th allocation of the calling thread fail that it makes from now
 * on, of any kind (counted from 1).
 */
void fault_arm(unsigned int n);

/* Takes it back: true if an allocation has failed. */
bool fault_disarm(void);

enum fault_scope {
	FAULT_ATOMIC,	/* allocations that may not sleep, everybody's */
	FAULT_TASKS,	/* all of the calling thread and of kernel workers */
};

/*
 * Lets allocations fail with a probability in percent, both of objects and of
 * pages, until fault_stop() or the end of the program.
 */
void fault_start(enum fault_scope scope, unsigned int percent);
void fault_stop(void);

/* Whether the calling thread is spared, to see what the others do. */
void fault_spare(bool spare);

#endif /* _ABUSE_H */
