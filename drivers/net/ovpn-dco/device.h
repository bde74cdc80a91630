/* SPDX-License-Identifier: GPL-2.0-only */
/* The network device. */
#ifndef _OVPN_DEVICE_H
#define _OVPN_DEVICE_H

#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/gro_cells.h>
#include <net/ip.h>
#include <uapi/linux/ovpn_dco.h>

#include "owner.h"
#include "peer_table.h"
#include "stats.h"
#include "wire.h"

struct ovpn_coalescer;
struct ovpn_peer;

/* The largest headers that we put around a packet: IPv6, UDP and ours */
#define OVPN_OVERHEAD		(40 + 8 + OVPN_HEADER_LEN)

#define OVPN_MTU_MAX		(IP_MAX_MTU - OVPN_OVERHEAD)

/**
 * struct ovpn_abi - what userspace expects of a device, by its kind
 * @kind: the name of the kind
 * @overhead: what a new device leaves free of the usual MTU, and what the
 *	largest MTU leaves free
 * @multicast: the device has IFF_MULTICAST
 * @carrier: a point-to-point device has a carrier only while it has a peer
 * @unique_addrs: no two peers may have the same address inside the tunnel; or
 *	else the one is found that came last
 * @data_v1: packets of OpenVPN's older format are left to userspace, or else
 *	they are errors
 * @packets: userspace reads and writes one packet at a time on a TCP socket, or
 *	else a stream of bytes
 * @keeps_sockets: a socket stays open until the last peer on it is gone, or
 *	else the peers go when userspace closes it
 * @peer_deleted: tell userspace that a peer is gone. Called once, with the
 *	table's lock held and BH off, when the peer has just left the tables.
 * @peer_moved: tell userspace that a peer has another transport address, with
 *	the table's lock held and BH off; NULL if it need not know
 * @key_used_up: a peer's key has sent its last packet and is gone. BH off,
 *	rcu_read_lock held.
 * @notify_room: how many more notifications about a peer may be sent now
 *	without running into a listener's buffer; rcu_read_lock held
 */
struct ovpn_abi {
	const char *kind;
	unsigned int overhead;
	bool multicast;
	bool carrier;
	bool unique_addrs;
	bool data_v1;
	bool packets;
	bool keeps_sockets;
	void (*peer_deleted)(struct ovpn_peer *peer,
			     enum ovpn_del_peer_reason reason);
	void (*peer_moved)(struct ovpn_peer *peer);
	void (*key_used_up)(struct ovpn_peer *peer, u8 key_id);
	unsigned int (*notify_room)(const struct ovpn_peer *peer);
};

/**
 * struct ovpn_dev - the private part of our net_device
 * @dev: the net_device
 * @mode: point-to-point or multi-peer. Fixed.
 * @abi: whose device it is. Fixed.
 * @owner: the processes that it belongs to, with a lock of its own
 * @loose_rpf: accept any source address from a peer; ethtool private flag
 * @udp_gso: send what enters as one large packet as one large datagram;
 *	ethtool private flag
 * @udp_gro: take in large datagrams that the stack has merged, likewise
 * @path_mtu: have packets fit the path to the peer, likewise
 * @copy_dscp: show the outer packet's way the inner one's DSCP, likewise
 * @copy_ecn: and its ECN bits, likewise
 * @tx_usecs: how long small packets may wait for others, in microseconds; 0 if
 *	they may not; "ethtool -C" sets it
 * @tx_rate: how many have to come in a second for that, likewise
 * @requests: one request of userspace at a time
 * @peers: the peers, with a lock of their own
 * @gro_cells: merges what we received, per CPU
 * @coalescers: the packets that wait for others, per queue, with locks of their own
 * @stats: drops and events, per CPU
 * @keepalive: pings and expires peers
 * @keepalive_due: when @keepalive runs, seconds on the boot-time clock; guarded
 *	by peers.lock
 * @keepalive_armed: whether it does; guarded by peers.lock
 * @gone_logged: when a request for a peer that is gone was last logged, by
 *	ovpn_now(); 0 for never
 *
 * Life: ndo_init to ndo_uninit, which retires all peers. Each peer holds the
 * net_device until it is freed, each socket until a grace period after its last
 * peer, whoever has it locked.
 */
struct ovpn_dev {
	struct net_device *dev;
	enum ovpn_mode mode;
	const struct ovpn_abi *abi;
	struct ovpn_owner owner;
	bool loose_rpf;
	bool udp_gso;
	bool udp_gro;
	bool path_mtu;
	bool copy_dscp;
	bool copy_ecn;
	unsigned int tx_usecs;
	unsigned int tx_rate;
	struct mutex requests; /* see above */
	struct ovpn_peer_table peers;
	struct gro_cells gro_cells;
	struct ovpn_coalescer *coalescers;
	struct ovpn_dev_stats __percpu *stats;
	struct delayed_work keepalive;
	u32 keepalive_due;
	bool keepalive_armed;
	u32 gone_logged;
};

/* Frees keys and peers, gives sockets back, looks at timeouts: does not wait for
 * others for long, never takes RTNL
 */
extern struct workqueue_struct *ovpn_wq;

/* Writes to sockets and reads them: as long as the senders' bytes take, but never
 * waits for userspace, never takes RTNL
 */
extern struct workqueue_struct *ovpn_socket_wq;

int ovpn_workqueues_alloc(void);
void ovpn_workqueues_flush(void);
void ovpn_workqueues_free(void);

/* The kinds of OpenVPN 2.6 and 2.7 */
extern struct rtnl_link_ops ovpn_dco_link_ops;
extern struct rtnl_link_ops ovpn_27_link_ops;

bool ovpn_dev_is_ours(const struct net_device *dev,
		      const struct ovpn_abi *abi);

/**
 * ovpn_now - the clock that peers live by
 *
 * It counts suspend and is never set. Compare by subtraction.
 *
 * Context: any.
 * Return: seconds on the boot-time clock.
 */
static inline u32 ovpn_now(void)
{
	return (u32)ktime_get_boottime_seconds();
}

/**
 * ovpn_stamp - note when something happened
 * @stamp: where; read and written without a lock
 * @now: seconds on the boot-time clock
 *
 * Writes once a second only, to keep the cache line shared.
 */
static inline void ovpn_stamp(u32 *stamp, u32 now)
{
	if (READ_ONCE(*stamp) != now)
		WRITE_ONCE(*stamp, now);
}

#endif /* _OVPN_DEVICE_H */
