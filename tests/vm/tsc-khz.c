// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print how fast this machine's time stamp counter is, in kHz, by the system's
 * clock. An emulated processor shows the same counter, but the kernel there
 * cannot measure it well against emulated timers: on a busy machine it has been
 * wrong by a factor of ten, and all limits of time with it.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct stamp {
	int64_t ns;
	uint64_t tsc;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Both at once: the pair during which the least time went by. */
static struct stamp stamp(void)
{
	struct stamp best = { 0 };
	int64_t before, after, least = INT64_MAX;
	uint64_t tsc;
	int i;

	for (i = 0; i < 100; i++) {
		before = now_ns();
		tsc = __rdtsc();
		after = now_ns();
		if (after - before < least) {
			least = after - before;
			best.ns = before + least / 2;
			best.tsc = tsc;
		}
	}
	return best;
}

int main(void)
{
	const struct timespec wait = { .tv_nsec = 100000000 };
	struct stamp a = stamp(), b;

	nanosleep(&wait, NULL);
	b = stamp();
	printf("%.0f\n", (b.tsc - a.tsc) * 1e6 / (b.ns - a.ns));
	return 0;
}
