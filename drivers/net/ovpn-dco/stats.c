// SPDX-License-Identifier: GPL-2.0-only
/* Statistics: names and sums. Counting itself is inline, in stats.h. */

#include <linux/net.h>
#include <linux/netdevice.h>

#include "compat/compat.h"
#include "device.h"
#include "gso.h"
#include "peer.h"
#include "stats.h"

/**
 * struct drop_info - what is known of a drop reason
 * @name: in ethtool -S
 * @text: for the log, where the admin of a peer can do something about it.
 *	NULL is never logged: whoever can reach the port could fill the log.
 * @core: the kernel's own reason, an enum skb_drop_reason
 */
struct drop_info {
	const char *name;
	const char *text;
	unsigned int core;
};

static const struct drop_info drop_infos[OVPN_DROP_COUNT] = {
	[OVPN_DROP_RX_SHORT] = {
		.name = "rx_drop_short",
		.core = COMPAT_DROP_REASON(PKT_TOO_SMALL),
	},
	[OVPN_DROP_RX_DATA_V1] = {
		.name = "rx_drop_data_v1",
		.core = COMPAT_DROP_REASON(UNHANDLED_PROTO),
	},
	[OVPN_DROP_RX_UNKNOWN_PEER] = {
		.name = "rx_drop_unknown_peer",
		.core = COMPAT_DROP_REASON(NO_SOCKET),
	},
	[OVPN_DROP_RX_UNKNOWN_KEY] = {
		.name = "rx_drop_unknown_key",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_RX_AUTH] = {
		.name = "rx_drop_auth",
		.text = "received packets that fail authentication",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_RX_REPLAY] = {
		.name = "rx_drop_replay",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_RX_OLD] = {
		.name = "rx_drop_old",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_RX_ID_ZERO] = {
		.name = "rx_drop_id_zero",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_RX_NOT_IP] = {
		.name = "rx_drop_not_ip",
		.core = COMPAT_DROP_REASON(UNHANDLED_PROTO),
	},
	[OVPN_DROP_RX_RPF] = {
		.name = "rx_drop_rpf",
		.text = "received packets with a source address not routed to this peer",
		.core = COMPAT_DROP_REASON(IP_RPFILTER),
	},
	[OVPN_DROP_RX_ECN] = {
		.name = "rx_drop_ecn",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_RX_NOMEM] = {
		.name = "rx_drop_nomem",
		.core = COMPAT_DROP_REASON(NOMEM),
	},
	[OVPN_DROP_RX_CRYPTO] = {
		.name = "rx_drop_crypto",
		.text = "cannot decrypt: the cipher failed",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_RX_DOWN] = {
		.name = "rx_drop_down",
		.core = COMPAT_DROP_REASON(DEV_READY),
	},
	[OVPN_DROP_RX_BACKLOG] = {
		.name = "rx_drop_backlog",
		.core = COMPAT_DROP_REASON(CPU_BACKLOG),
	},
	[OVPN_DROP_TX_NOT_IP] = {
		.name = "tx_drop_not_ip",
		.core = COMPAT_DROP_REASON(UNHANDLED_PROTO),
	},
	[OVPN_DROP_TX_NO_PEER] = {
		.name = "tx_drop_no_peer",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_TX_NO_KEY] = {
		.name = "tx_drop_no_key",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_TX_KEY_USED_UP] = {
		.name = "tx_drop_key_used_up",
		.text = "cannot send: the key has used all its packet ids",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_TX_TOO_LONG] = {
		.name = "tx_drop_too_long",
		.core = COMPAT_DROP_REASON(PKT_TOO_BIG),
	},
	[OVPN_DROP_TX_PATH_MTU] = {
		.name = "tx_drop_path_mtu",
		.core = COMPAT_DROP_REASON(PKT_TOO_BIG),
	},
	[OVPN_DROP_TX_NOMEM] = {
		.name = "tx_drop_nomem",
		.core = COMPAT_DROP_REASON(NOMEM),
	},
	[OVPN_DROP_TX_GSO] = {
		.name = "tx_drop_gso",
		.core = COMPAT_DROP_REASON(SKB_GSO_SEG),
	},
	[OVPN_DROP_TX_CHECKSUM] = {
		.name = "tx_drop_checksum",
		.core = COMPAT_DROP_REASON(SKB_CSUM),
	},
	[OVPN_DROP_TX_CRYPTO] = {
		.name = "tx_drop_crypto",
		.text = "cannot encrypt: the cipher failed",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_TX_NO_ROUTE] = {
		.name = "tx_drop_no_route",
		.text = "cannot send: no route to the peer's transport address",
		.core = COMPAT_DROP_REASON(IP_OUTNOROUTES),
	},
	[OVPN_DROP_TX_LOOP] = {
		.name = "tx_drop_loop",
		.text = "cannot send: the route to the peer leads into the tunnel itself",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
	[OVPN_DROP_TX_BACKLOG] = {
		.name = "tx_drop_backlog",
		.core = COMPAT_DROP_REASON(FULL_RING),
	},
	[OVPN_DROP_TX_NO_CONNECTION] = {
		.name = "tx_drop_no_connection",
		.core = COMPAT_DROP_REASON(NOT_SPECIFIED),
	},
};

static const char *const event_names[OVPN_EVENT_COUNT] = {
	[OVPN_EVENT_RX_CONTROL] = "rx_control",
	[OVPN_EVENT_RX_KEEPALIVE] = "rx_keepalive",
	[OVPN_EVENT_TX_KEEPALIVE] = "tx_keepalive",
	[OVPN_EVENT_TX_MERGED] = "tx_merged",
	[OVPN_EVENT_RX_FLOAT] = "rx_float",
	[OVPN_EVENT_PEERS_EXPIRED] = "peers_expired",
	[OVPN_EVENT_REQUESTS_FOR_EXPIRED] = "requests_for_expired",
};

/**
 * ovpn_drop_name - a drop reason's name in ethtool -S
 * @reason: the reason
 *
 * Return: the name.
 */
const char *ovpn_drop_name(enum ovpn_drop reason)
{
	return drop_infos[reason].name;
}

/**
 * ovpn_event_name - an event's name in ethtool -S
 * @event: the event
 *
 * Return: the name.
 */
const char *ovpn_event_name(enum ovpn_event event)
{
	return event_names[event];
}

/* Once a minute and peer at most, whatever arrives */
static void log_drop(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
		     enum ovpn_drop reason)
{
	if (!drop_infos[reason].text || !peer || !ovpn_peer_may_log(peer) ||
	    !net_ratelimit())
		return;
	netdev_info(ovpn->dev, "peer %u: %s (%s in ethtool -S)\n", peer->id,
		    drop_infos[reason].text, drop_infos[reason].name);
}

/**
 * ovpn_drop_count - count a packet that somebody else has freed
 * @ovpn: the device that counts it
 * @reason: why it was dropped
 * @packets: how many packets it was
 *
 * Context: BH off.
 */
void ovpn_drop_count(struct ovpn_dev *ovpn, enum ovpn_drop reason,
		     unsigned int packets)
{
	struct ovpn_dev_stats *cpu = this_cpu_ptr(ovpn->stats);

	u64_stats_update_begin(&cpu->syncp);
	u64_stats_add(&cpu->drops[reason], packets);
	u64_stats_update_end(&cpu->syncp);
}

/**
 * ovpn_drop - count and free a packet that goes no further
 * @ovpn: the device that counts it
 * @peer: the peer that it came from or was for, NULL if unknown
 * @skb: the packet, consumed
 * @reason: why
 *
 * Context: BH off, rcu_read_lock held if @peer is given.
 */
void ovpn_drop(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
	       struct sk_buff *skb, enum ovpn_drop reason)
{
	ovpn_drop_count(ovpn, reason, ovpn_packets(skb));
	log_drop(ovpn, peer, reason);
	compat_kfree_skb_reason(skb, drop_infos[reason].core);
}

/**
 * ovpn_drop_queue - ovpn_drop() for each packet of a queue
 * @ovpn: the device that counts them
 * @peer: the peer that they came from or were for, NULL if unknown
 * @pkts: the packets, consumed; empty afterwards
 * @reason: why
 *
 * Context: BH off, rcu_read_lock held if @peer is given.
 */
void ovpn_drop_queue(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
		     struct sk_buff_head *pkts, enum ovpn_drop reason)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(pkts)))
		ovpn_drop(ovpn, peer, skb, reason);
}

/**
 * ovpn_peer_stats_sum - add up a peer's traffic over all CPUs
 * @stats: the peer's
 * @totals: where the sums go
 *
 * Context: any.
 */
void ovpn_peer_stats_sum(const struct ovpn_peer_stats __percpu *stats,
			 struct ovpn_peer_totals *totals)
{
	struct ovpn_traffic now[OVPN_TRAFFIC_KINDS];
	unsigned int start;
	int cpu, i;

	memset(totals, 0, sizeof(*totals));
	for_each_possible_cpu(cpu) {
		const struct ovpn_peer_stats *s = per_cpu_ptr(stats, cpu);

		do {
			start = compat_u64_stats_fetch_begin(&s->syncp);
			memcpy(now, s->traffic, sizeof(now));
		} while (compat_u64_stats_fetch_retry(&s->syncp, start));

		for (i = 0; i < OVPN_TRAFFIC_KINDS; i++) {
			totals->traffic[i].packets +=
				u64_stats_read(&now[i].packets);
			totals->traffic[i].bytes +=
				u64_stats_read(&now[i].bytes);
		}
	}
}

/**
 * ovpn_dev_stats_sum - add up a device's counters over all CPUs
 * @stats: the device's
 * @drops: where the sums of the drops go
 * @events: where the sums of the events go
 *
 * Context: any.
 */
void ovpn_dev_stats_sum(const struct ovpn_dev_stats __percpu *stats,
			u64 drops[OVPN_DROP_COUNT],
			u64 events[OVPN_EVENT_COUNT])
{
	struct ovpn_dev_stats now;
	unsigned int start;
	int cpu, i;

	memset(drops, 0, OVPN_DROP_COUNT * sizeof(*drops));
	memset(events, 0, OVPN_EVENT_COUNT * sizeof(*events));
	for_each_possible_cpu(cpu) {
		const struct ovpn_dev_stats *s = per_cpu_ptr(stats, cpu);

		do {
			start = compat_u64_stats_fetch_begin(&s->syncp);
			memcpy(now.drops, s->drops, sizeof(now.drops));
			memcpy(now.events, s->events, sizeof(now.events));
		} while (compat_u64_stats_fetch_retry(&s->syncp, start));

		for (i = 0; i < OVPN_DROP_COUNT; i++)
			drops[i] += u64_stats_read(&now.drops[i]);
		for (i = 0; i < OVPN_EVENT_COUNT; i++)
			events[i] += u64_stats_read(&now.events[i]);
	}
}
