/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stand on which the data path tests run: a device of the module in one
 * network namespace ("near"), the tests' own end of the tunnel, made of plain
 * sockets and libcrypto, in another ("far"), and a veth pair between.
 */
#ifndef _SELFTEST_DATA_UTIL_H
#define _SELFTEST_DATA_UTIL_H

#include "ktap.h"
#include "netns.h"
#include "nl.h"
#include "stream.h"
#include "wire.h"

/* Transport addresses: what the two ends have on the veth pair. */
#define NEAR4		"192.168.77.1"
#define NEAR4_B		"192.168.77.11"
#define NEAR6		"fd77::1"
#define NEAR6_B		"fd77::11"
#define FAR4		"192.168.77.2"
#define FAR4_B		"192.168.77.3"
#define FAR4_C		"192.168.77.4"
#define FAR6		"fd77::2"
#define FAR6_B		"fd77::3"
#define NEAR_PORT	1194

/* Addresses in the tunnel: the device's own and those of up to three peers. */
#define VPN_NEAR4	"10.8.0.1"
#define VPN_NEAR6	"fd08::1"
#define VPN_FAR4	"10.8.0.2"
#define VPN_FAR6	"fd08::2"
#define VPN_FAR4_B	"10.8.0.3"
#define VPN_FAR6_B	"fd08::3"

/* Inside, packets go to this port from the one before. */
#define DATA_PORT	4001

#define TUN		"tun0"
#define NEAR_VETH	"v0"
#define FAR_VETH	"v1"

/* In the environment: what is not particular about it uses TCP. */
#define DATA_OVER_TCP	"DATA_OVER_TCP"

/* Long enough for anything to arrive in an emulated guest. */
#define DATA_WAIT_MS	3000

struct data_conf {
	int mode;		/* enum ovpn_mode */
	const char *bind;	/* the module's socket; NULL: IPv4 wildcard */
};

struct data_bed {
	struct netns *near;
	struct netns *far;
	struct ovpn_nl *nl;
	struct ovpn_listener *ntf;
	int mode;
	uint32_t ifindex;	/* of the device */
	int sock;		/* the transport socket that peers get */
	int sink;		/* takes what is delivered to DATA_PORT */
	int tap;		/* sees what the device delivers */
	int raw4;		/* whole packets into the stack at the near */
	int raw6;		/* end, to be routed like any other */
	const void *arg;	/* of the case */
};

struct data_case {
	const char *name;
	struct data_conf conf;
	void (*run)(struct data_bed *bed);
	const void *arg;
	bool v2_only;		/* the family ovpn wants something else */
};

/*
 * Plans and runs the cases, each on a stand of its own; returns what main()
 * has to return. If @only names any (NULL ends it), runs those whose names
 * contain one of these words.
 */
int data_run(const struct data_case *cases, unsigned int count, char **only);

/* ---- the far end ---- */

struct data_far {
	int fd;			/* where its datagrams come from and go to */
	bool tcp;		/* or its end of a connection, */
	int sock;		/* of which this is the near end */
	const char *to;		/* the near end's address */
	uint16_t to_port;
	uint32_t id;		/* peer id */
	const char *ipv4;	/* VPN addresses */
	const char *ipv6;
	struct wire_key seal;	/* this end's keys: the module opens with */
	struct wire_key open;	/* the first and seals with the second */
	uint32_t next;		/* packet id of the next packet sent */
};

struct data_far_args {
	uint32_t id;
	const char *addr;	/* of its socket; NULL: FAR4 */
	uint16_t port;		/* 0: any */
	const char *remote;	/* as the module is told; NULL: @addr */
	const char *ipv4;	/* VPN addresses; both NULL: FAR's */
	const char *ipv6;
	const char *local;	/* LOCAL_IP */
	uint16_t alg;		/* 0: AES-256-GCM */
	size_t key_len;
	uint8_t key_id;
	bool no_key;		/* leave the slots empty */
	/* family ovpn only, as in struct ovpn_peer_args: */
	const uint32_t *tx_id;
	uint32_t interval;
	uint32_t timeout;
	const struct stream_conf *tcp; /* not NULL: over a connection */
};

/*
 * Opens the far end's socket and creates its peer with a random key. All that
 * follows works on a connection as on datagrams.
 */
bool data_far_add(struct data_bed *bed, struct data_far *far,
		  const struct data_far_args *args);

/* The same for a far end that has its connection (fd, sock, tcp) already. */
bool data_far_attach(struct data_bed *bed, struct data_far *far,
		     const struct data_far_args *args);

/* Only makes the connection. */
void data_far_connect(struct data_bed *bed, struct data_far *far,
		      const struct data_far_args *args);

void data_far_close(struct data_far *far);

/* Installs this end's keys into a slot of its peer. */
int data_key_install(struct data_bed *bed, const struct data_far *far,
		     enum ovpn_key_slot_name slot);

/* Makes new random keys for this end (not yet installed), counts from 1. */
void data_key_renew(struct data_far *far, uint16_t alg, size_t len,
		    uint8_t key_id);

/* Sends a sealed packet, with the next packet id or with this one. */
bool data_far_send(struct data_far *far, const void *plain, size_t len);
bool data_far_send_id(const struct data_far *far, uint32_t packet_id,
		      const void *plain, size_t len);

/* Sends bytes as they are. */
bool data_far_send_raw(const struct data_far *far, const void *packet,
		       size_t len);

/*
 * Datagrams that reach the near end as one large packet: all as long as the first,
 * only the last may be shorter. Begins with all zero, and is empty once it is sent.
 */
struct data_batch {
	uint8_t data[WIRE_MAX - 64];
	size_t len;
	size_t size;		/* of the first */
};

/*
 * What this thread sends from now on arrives in order: links between namespaces keep
 * that of each processor only.
 */
void data_stay_on_cpu(void);

void data_batch_add(struct data_batch *batch, struct data_far *far,
		    const void *plain, size_t len);
void data_batch_add_raw(struct data_batch *batch, const void *packet,
			size_t len);
bool data_batch_send(const struct data_far *far, struct data_batch *batch);

/* Receives a packet as it is; like udp_recv(). */
ssize_t data_far_recv_raw(const struct data_far *far, void *packet,
			  int timeout_ms, struct udp_source *source);

/*
 * Receives a datagram and opens it: the length of what was inside, -EAGAIN
 * after DATA_WAIT_MS, -EBADMSG if it does not open. @header and @source may
 * be NULL.
 */
ssize_t data_far_recv(const struct data_far *far, void *plain,
		      struct wire_header *header, struct udp_source *source);

/* ---- packets inside ---- */

/*
 * A UDP packet of @size bytes in all (50 at least) with a pattern that depends
 * on @seed; of the IP version that the addresses are of.
 */
size_t data_inner(void *packet, const char *src, const char *dst, size_t size,
		  unsigned int seed);

/* Routes a whole IP packet at the near end: 0 or -errno. */
int data_near_send(struct data_bed *bed, const void *packet, size_t len);

/* ---- the two ways, checked ---- */

/*
 * Sends from near to far, IPv4 inside: true if it arrives unchanged. @header
 * and @source may be NULL.
 */
bool data_to_far(struct data_bed *bed, const struct data_far *far,
		 struct wire_header *header, struct udp_source *source);

/* Sends from far to near: true if it is delivered unchanged. */
bool data_to_near(struct data_bed *bed, struct data_far *far);

/* The same with this packet; with the packet id @packet_id if not zero. */
bool data_deliver(struct data_bed *bed, struct data_far *far,
		  uint32_t packet_id, const void *packet, size_t len);

/* True if the device has delivered nothing more; looks, does not wait. */
bool data_near_empty(struct data_bed *bed);

/* ---- counters ---- */

struct data_dev {
	unsigned long long rx_bytes, rx_packets, rx_errors, rx_dropped;
	unsigned long long tx_bytes, tx_packets, tx_errors, tx_dropped;
};

/* "ip -s link" of a device. */
void data_dev_counters(struct netns *ns, const char *dev, struct data_dev *c);

#define DATA_DROPS	29

struct data_drops {
	uint64_t count[DATA_DROPS];
	struct data_dev dev;
};

void data_drops_read(struct data_bed *bed, struct data_drops *drops);

/*
 * Checks that since @before exactly @count packets were dropped, all for this
 * reason (waits for them), and that the device counted them, too.
 */
bool data_check_drops(struct data_bed *bed, const struct data_drops *before,
		      const char *reason, uint64_t count);

/* The same for no drop at all. */
bool data_check_no_drops(struct data_bed *bed,
			 const struct data_drops *before);

/* Waits for a counter of "ethtool -S" to reach a value: true if it did. */
bool data_wait_count(struct data_bed *bed, const char *name, uint64_t value);

/* Waits for a notification of the device: 0, or -ETIMEDOUT. */
int data_wait_ntf(struct data_bed *bed, struct ovpn_ntf *ntf, int timeout_ms);

/* ---- the link ---- */

/* One datagram that left: the first of its packets, and all of their bytes. */
struct data_sealed {
	uint32_t packet_id;
	size_t len;
};

/* A packet socket that sees all of a device: it makes clones of everything. */
int data_watch(struct netns *ns, const char *dev);

/* The next datagram of a link that is watched, of those with data packets that left
 * over IPv4: false if there is none.
 */
bool data_watch_sealed(int fd, struct data_sealed *sealed);

/* ---- the kernel's log ---- */

/* A descriptor that sees what is logged from now on; -errno. */
int data_log_open(void);

/* Number of lines since then that come from the module. */
unsigned int data_log_count(int fd);

#endif /* _SELFTEST_DATA_UTIL_H */
