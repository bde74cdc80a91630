/* SPDX-License-Identifier: GPL-2.0-only */
/* Statistics: per CPU, so that counting never bounces a cache line.
 *
 * Writers run with BH off; readers add up all CPUs and may be a little behind.
 */
#ifndef _OVPN_STATS_H
#define _OVPN_STATS_H

#include <linux/u64_stats_sync.h>

#include "drop.h"

/**
 * enum ovpn_event - what else a device counts
 * @OVPN_EVENT_RX_CONTROL: packets left to userspace
 * @OVPN_EVENT_RX_KEEPALIVE: pings received
 * @OVPN_EVENT_TX_KEEPALIVE: pings sent
 * @OVPN_EVENT_TX_MERGED: small packets that left in a large datagram with others
 * @OVPN_EVENT_RX_FLOAT: peers followed to a new address
 * @OVPN_EVENT_PEERS_EXPIRED: peers that went silent
 * @OVPN_EVENT_REQUESTS_FOR_EXPIRED: requests for a peer that had just gone, by
 *	itself
 * @OVPN_EVENT_COUNT: number of events
 */
enum ovpn_event {
	OVPN_EVENT_RX_CONTROL,
	OVPN_EVENT_RX_KEEPALIVE,
	OVPN_EVENT_TX_KEEPALIVE,
	OVPN_EVENT_TX_MERGED,
	OVPN_EVENT_RX_FLOAT,
	OVPN_EVENT_PEERS_EXPIRED,
	OVPN_EVENT_REQUESTS_FOR_EXPIRED,
	OVPN_EVENT_COUNT
};

/**
 * struct ovpn_dev_stats - what ethtool -S shows of a device
 * @drops: packets dropped, by reason
 * @events: everything else that is counted
 * @syncp: lets 32-bit readers see whole values
 */
struct ovpn_dev_stats {
	u64_stats_t drops[OVPN_DROP_COUNT];
	u64_stats_t events[OVPN_EVENT_COUNT];
	struct u64_stats_sync syncp;
};

/**
 * struct ovpn_traffic - packets and bytes
 * @packets: number of packets
 * @bytes: number of bytes
 */
struct ovpn_traffic {
	u64_stats_t packets;
	u64_stats_t bytes;
};

/* Where a peer's traffic is counted: inside the tunnel, on the transport, or,
 * once more, what of the former is not the user's: pings, and what goes no further
 */
enum ovpn_traffic_kind {
	OVPN_VPN_RX,
	OVPN_VPN_TX,
	OVPN_LINK_RX,
	OVPN_LINK_TX,
	OVPN_OTHER_RX,
	OVPN_OTHER_TX,
	OVPN_TRAFFIC_KINDS
};

/**
 * struct ovpn_peer_stats - one CPU's share of a peer's traffic
 * @traffic: by kind. VPN counts plain text of authenticated packets,
 *	keepalives included. LINK counts from the opcode on, without the
 *	headers of the transport, bad packets included.
 * @syncp: lets 32-bit readers see whole values
 */
struct ovpn_peer_stats {
	struct ovpn_traffic traffic[OVPN_TRAFFIC_KINDS];
	struct u64_stats_sync syncp;
};

/* The same, added up */
struct ovpn_peer_totals {
	struct {
		u64 packets;
		u64 bytes;
	} traffic[OVPN_TRAFFIC_KINDS];
};

/**
 * ovpn_traffic_add - count packets of a peer
 * @stats: the peer's
 * @kind: which of its counters
 * @packets: how many packets
 * @bytes: how many bytes they have together
 *
 * Context: BH off.
 */
static inline void ovpn_traffic_add(struct ovpn_peer_stats __percpu *stats,
				    enum ovpn_traffic_kind kind,
				    unsigned int packets, unsigned int bytes)
{
	struct ovpn_peer_stats *cpu = this_cpu_ptr(stats);

	u64_stats_update_begin(&cpu->syncp);
	u64_stats_add(&cpu->traffic[kind].packets, packets);
	u64_stats_add(&cpu->traffic[kind].bytes, bytes);
	u64_stats_update_end(&cpu->syncp);
}

/**
 * ovpn_events_add - count events of a device
 * @stats: the device's
 * @event: what happened
 * @count: how often
 *
 * Context: BH off.
 */
static inline void ovpn_events_add(struct ovpn_dev_stats __percpu *stats,
				   enum ovpn_event event, unsigned int count)
{
	struct ovpn_dev_stats *cpu = this_cpu_ptr(stats);

	u64_stats_update_begin(&cpu->syncp);
	u64_stats_add(&cpu->events[event], count);
	u64_stats_update_end(&cpu->syncp);
}

/**
 * ovpn_event_add - count an event of a device
 * @stats: the device's
 * @event: what happened
 *
 * Context: BH off.
 */
static inline void ovpn_event_add(struct ovpn_dev_stats __percpu *stats,
				  enum ovpn_event event)
{
	ovpn_events_add(stats, event, 1);
}

const char *ovpn_event_name(enum ovpn_event event);

void ovpn_peer_stats_sum(const struct ovpn_peer_stats __percpu *stats,
			 struct ovpn_peer_totals *totals);
void ovpn_dev_stats_sum(const struct ovpn_dev_stats __percpu *stats,
			u64 drops[OVPN_DROP_COUNT],
			u64 events[OVPN_EVENT_COUNT]);

#endif /* _OVPN_STATS_H */
