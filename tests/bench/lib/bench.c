// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "ktap.h"
#include "netns.h"
#include "nl.h"

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void print_value(const char *test, unsigned int peers, const char *unit,
		 double n)
{
	if (peers)
		printf("value %s %u %s %.1f\n", test, peers, unit, n);
	else
		printf("value %s - %s %.1f\n", test, unit, n);
}

uint32_t bench_link(struct netns *ns, const char *name, unsigned int mtu)
{
	int index = ovpn_link_new(ns, name, OVPN_MODE_MP);

	if (index < 0)
		ktap_bail("no device: %s (%s)", strerror(-index),
			  ovpn_link_extack());
	/* without what it would say to peers of its own accord */
	netns_run(ns, "ip link set %s addrgenmode none mtu %u up", name, mtu);
	return index;
}

void send_all(int fd, struct mmsghdr *msgs, unsigned int count)
{
	unsigned int done = 0;
	int sent;

	while (done < count) {
		sent = sendmmsg(fd, msgs + done, count - done, 0);
		if (sent < 0)
			ktap_bail("cannot send: %s", strerror(errno));
		done += sent;
	}
}
