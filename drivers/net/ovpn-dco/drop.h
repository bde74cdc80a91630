/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a packet was dropped: one name per reason, counted per device and CPU,
 * shown by "ethtool -S".
 */
#ifndef _OVPN_DROP_H
#define _OVPN_DROP_H

#include <linux/skbuff.h>

struct ovpn_dev;
struct ovpn_peer;

/**
 * enum ovpn_drop - why a packet was dropped
 * @OVPN_DROP_RX_SHORT: datagram too short for what its opcode promises
 * @OVPN_DROP_RX_DATA_V1: data in OpenVPN's older format, which nobody wants
 * @OVPN_DROP_RX_UNKNOWN_PEER: no peer with that id, or at that address
 * @OVPN_DROP_RX_UNKNOWN_KEY: no key of that number installed
 * @OVPN_DROP_RX_AUTH: not authentic: tampered with, or another key
 * @OVPN_DROP_RX_REPLAY: packet id seen before
 * @OVPN_DROP_RX_OLD: packet id behind the replay window
 * @OVPN_DROP_RX_ID_ZERO: packet id 0, which nobody sends
 * @OVPN_DROP_RX_NOT_IP: neither IPv4 nor IPv6 inside
 * @OVPN_DROP_RX_RPF: source address not routed to the peer
 * @OVPN_DROP_RX_ECN: congestion on the way, and a packet inside that cannot say so
 * @OVPN_DROP_RX_NOMEM: out of memory
 * @OVPN_DROP_RX_CRYPTO: the cipher failed
 * @OVPN_DROP_RX_DOWN: the device is down
 * @OVPN_DROP_RX_BACKLOG: the stack cannot keep up
 * @OVPN_DROP_TX_NOT_IP: neither IPv4 nor IPv6
 * @OVPN_DROP_TX_NO_PEER: no peer at the next hop
 * @OVPN_DROP_TX_NO_KEY: the peer has no key to send with
 * @OVPN_DROP_TX_KEY_USED_UP: the key has used all its packet ids
 * @OVPN_DROP_TX_TOO_LONG: longer than any MTU allows
 * @OVPN_DROP_TX_PATH_MTU: longer than what the path to the peer carries, must not
 *	be fragmented, and the sender was told
 * @OVPN_DROP_TX_NOMEM: out of memory
 * @OVPN_DROP_TX_GSO: cannot be cut into packets
 * @OVPN_DROP_TX_CHECKSUM: checksum cannot be filled in
 * @OVPN_DROP_TX_CRYPTO: the cipher failed
 * @OVPN_DROP_TX_NO_ROUTE: no route to the peer's transport address
 * @OVPN_DROP_TX_LOOP: the route to the peer leads into the tunnel
 * @OVPN_DROP_TX_BACKLOG: the peer's TCP connection cannot keep up
 * @OVPN_DROP_TX_NO_CONNECTION: the peer's TCP connection is gone
 * @OVPN_DROP_COUNT: number of reasons
 * @OVPN_DROP_TX_FIRST: the first one on the way out
 */
enum ovpn_drop {
	OVPN_DROP_RX_SHORT,
	OVPN_DROP_RX_DATA_V1,
	OVPN_DROP_RX_UNKNOWN_PEER,
	OVPN_DROP_RX_UNKNOWN_KEY,
	OVPN_DROP_RX_AUTH,
	OVPN_DROP_RX_REPLAY,
	OVPN_DROP_RX_OLD,
	OVPN_DROP_RX_ID_ZERO,
	OVPN_DROP_RX_NOT_IP,
	OVPN_DROP_RX_RPF,
	OVPN_DROP_RX_ECN,
	OVPN_DROP_RX_NOMEM,
	OVPN_DROP_RX_CRYPTO,
	OVPN_DROP_RX_DOWN,
	OVPN_DROP_RX_BACKLOG,
	OVPN_DROP_TX_NOT_IP,
	OVPN_DROP_TX_NO_PEER,
	OVPN_DROP_TX_NO_KEY,
	OVPN_DROP_TX_KEY_USED_UP,
	OVPN_DROP_TX_TOO_LONG,
	OVPN_DROP_TX_PATH_MTU,
	OVPN_DROP_TX_NOMEM,
	OVPN_DROP_TX_GSO,
	OVPN_DROP_TX_CHECKSUM,
	OVPN_DROP_TX_CRYPTO,
	OVPN_DROP_TX_NO_ROUTE,
	OVPN_DROP_TX_LOOP,
	OVPN_DROP_TX_BACKLOG,
	OVPN_DROP_TX_NO_CONNECTION,
	OVPN_DROP_COUNT,
	OVPN_DROP_TX_FIRST = OVPN_DROP_TX_NOT_IP,
};

const char *ovpn_drop_name(enum ovpn_drop reason);

void ovpn_drop_count(struct ovpn_dev *ovpn, enum ovpn_drop reason,
		     unsigned int packets);
void ovpn_drop(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
	       struct sk_buff *skb, enum ovpn_drop reason);
void ovpn_drop_queue(struct ovpn_dev *ovpn, struct ovpn_peer *peer,
		     struct sk_buff_head *pkts, enum ovpn_drop reason);

#endif /* _OVPN_DROP_H */
