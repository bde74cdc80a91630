/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests have to cope with, which the environment names
 * (OVPN_TEST_CONDITION):
 *
 *	flags-off	the private flags of our devices the other way round
 *	held		our devices hold every packet for a while, but TCP's
 *	offloads-off	links between namespaces leave nothing to the device
 *	gro		these links cut what they send, and merge what they receive
 *	tcpdump		a packet socket that sees all devices and keeps what it sees,
 *			which nobody is to change
 *	netem		packets between namespaces get lost, overtake each other,
 *			come twice
 *
 * The library sees to it for what it makes.
 */
#ifndef _SELFTEST_CONDITION_H
#define _SELFTEST_CONDITION_H

#include <stdbool.h>

struct netns;

bool under(const char *condition);

/* For a device of ours, just made. Failure ends the program, here and below. */
void condition_device(struct netns *ns, const char *dev);

/* For one end of a pair of veth devices, just made. */
void condition_link(struct netns *ns, const char *dev);

/*
 * For the namespace that the caller is in, just made; what it returns goes to
 * condition_netns_end(), which may fail the test.
 */
int condition_netns(void);
void condition_netns_end(int kept);

#endif /* _SELFTEST_CONDITION_H */
