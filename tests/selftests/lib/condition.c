// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#include "condition.h"
#include "netns.h"
#include "wire.h"

/* All that a test sends, and its clones: they are in use for as long as it runs. */
#define KEPT	(64 << 20)

#define LOSSY	"delay 4ms 1ms loss 1%% reorder 5%% duplicate 1%%"

bool under(const char *condition)
{
	const char *now = getenv("OVPN_TEST_CONDITION");

	return now && !strcmp(now, condition);
}

void condition_device(struct netns *ns, const char *dev)
{
	static const struct {
		const char *name;
		bool on;
	} flags[] = {
		{ "udp-gso", false },
		{ "udp-gro", false },
		{ "path-mtu", false },
		{ "copy-ecn", false },
		{ "copy-dscp", true },
	};
	unsigned int i;
	int err;

	if (under("held"))
		netns_run(ns, "ethtool -C %s tx-usecs 1000 pkt-rate-high 1",
			  dev);
	if (!under("flags-off"))
		return;
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		err = ethtool_set_flag(ns, dev, flags[i].name, flags[i].on);
		if (err)
			ktap_bail("flag %s of %s: %s", flags[i].name, dev,
				  strerror(-err));
	}
}

/*
 * Netem lets go of packets on whatever processor its timer is. A NIC hands all
 * packets of a connection to one processor, without which they are opened in
 * order but arrive behind the tunnel in any. Each network namespace has a sysfs of
 * its own; that of the first one is mounted already.
 */
static void one_processor(struct netns *ns, const char *dev)
{
	netns_run(ns, "unshare --mount sh -ec '\n"
		  "mount -t sysfs none /sys 2>/dev/null || :\n"
		  "for cpus in /sys/class/net/%s/queues/rx-*/rps_cpus; do\n"
		  "	echo 1 >$cpus\n"
		  "done'", dev);
}

void condition_link(struct netns *ns, const char *dev)
{
	if (under("offloads-off")) {
		netns_run(ns, "ethtool -K %s tso off gso off gro off tx off rx off",
			  dev);
	} else if (under("gro")) {
		netns_run(ns, "ethtool -K %s tso off gso off gro on", dev);
	} else if (under("netem")) {
		one_processor(ns, dev);
		netns_run(ns, "tc qdisc add dev %s root netem " LOSSY, dev);
	}
}

int condition_netns(void)
{
	int size = KEPT, fd;

	if (!under("tcpdump"))
		return -1;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
				 sizeof(size)))
		ktap_bail("cannot open a packet socket: %m");
	return fd;
}

/* An IP header as it should be, as far as one can tell? */
static bool is_ip(const uint8_t *packet, size_t len)
{
	size_t i, head = (packet[0] & 15) * 4;
	uint32_t sum = 0;

	if (packet[0] >> 4 != 4)
		return packet[0] >> 4 == 6;
	for (i = 0; i < head && i + 1 < len; i += 2)
		sum += packet[i] << 8 | packet[i + 1];
	return i == head && (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* Is there an IPv4 packet in the clear where a data packet has cipher text? */
static bool is_opened(const uint8_t *frame, size_t len)
{
	const struct iphdr *ip = (const void *)(frame + ETH_HLEN);
	size_t at = ETH_HLEN + sizeof(struct udphdr);

	if (ip->version == 4 && ip->protocol == IPPROTO_UDP)
		at += ip->ihl * 4;
	else if (ip->version == 6 && ((const uint8_t *)ip)[6] == IPPROTO_UDP)
		at += 40;
	else
		return false;
	return len >= at + WIRE_HEADER_LEN + sizeof(*ip) &&
	       frame[at] >> 3 == WIRE_OP_DATA_V2 &&
	       frame[at + WIRE_HEADER_LEN] >> 4 == 4 &&
	       is_ip(frame + at + WIRE_HEADER_LEN, len - at - WIRE_HEADER_LEN);
}

/* What was seen is still what was sent: nothing was sealed or opened in place. */
void condition_netns_end(int kept)
{
	unsigned int seen = 0, sealed = 0, opened = 0;
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	uint8_t packet[256];
	ssize_t len;

	if (kept < 0)
		return;
	while ((len = recvfrom(kept, packet, sizeof(packet), MSG_DONTWAIT,
			       (struct sockaddr *)&from, &size)) >= 0) {
		seen++;
		/* IP version 5 is what a test sends on purpose */
		if (from.sll_hatype == ARPHRD_NONE && len >= 20)
			sealed += !is_ip(packet, len) && packet[0] >> 4 != 5;
		else if (len >= ETH_HLEN + 20)
			opened += is_opened(packet, len);
		size = sizeof(from);
	}
	CHECK_MSG(!sealed && !opened,
		  "of %u packets that a packet socket saw, %u were sealed and %u opened in place",
		  seen, sealed, opened);
	close(kept);
}
