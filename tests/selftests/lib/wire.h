/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * OpenVPN's data packets (DATA_V2, AEAD), the IP packets inside them, and the
 * sockets that carry them, by means that share nothing with the module:
 * libcrypto and plain sockets.
 */
#ifndef _SELFTEST_WIRE_H
#define _SELFTEST_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/types.h>

struct netns;

/* ---- data packets ---- */

#define WIRE_OP_DATA_V1		6
#define WIRE_OP_DATA_V2		9
#define WIRE_TAG_LEN		16
#define WIRE_HEADER_LEN		24	/* op32 | packet id | tag */
#define WIRE_PEER_ID_NONE	0xFFFFFF
#define WIRE_MAX		65536	/* enough for any packet */

/* Payload of a keepalive ping. */
extern const uint8_t wire_ping[16];

/* One direction of a key, as NEW_KEY takes it. */
struct wire_key {
	uint16_t alg;		/* enum ovpn_cipher_alg */
	uint8_t id;		/* 0 to 7 */
	size_t len;		/* 16, 24, 32 */
	uint8_t key[32];
	uint8_t nonce_tail[8];
};

struct wire_header {
	uint8_t op;
	uint8_t key_id;
	uint32_t peer_id;
	uint32_t packet_id;
	uint8_t tag[WIRE_TAG_LEN];
};

/* A random key. @len in bytes. */
void wire_key_random(struct wire_key *key, uint16_t alg, size_t len,
		     uint8_t id);

/* Name for test names: "AES-128-GCM" ... "CHACHA20-POLY1305". */
const char *wire_key_name(const struct wire_key *key);

/* First 4 bytes of a packet, in host order. */
uint32_t wire_op32(uint8_t op, uint8_t key_id, uint32_t peer_id);

/*
 * Seals @len bytes into a DATA_V2 packet at @packet, which has room for
 * @len + WIRE_HEADER_LEN: the packet's length.
 */
size_t wire_seal(const struct wire_key *key, uint32_t peer_id,
		 uint32_t packet_id, const void *plain, size_t len,
		 void *packet);

/* The header of a packet; false if it is too short for one. */
bool wire_parse(const void *packet, size_t len, struct wire_header *header);

/*
 * Opens a packet into @plain (room for @len): length of the plain text, -1 if
 * it is too short or does not authenticate. @header may be NULL.
 */
ssize_t wire_open(const struct wire_key *key, const void *packet, size_t len,
		  void *plain, struct wire_header *header);

/* ---- packets inside: IPv4 or IPv6 by what the addresses look like ---- */

/*
 * A whole UDP packet with valid checksums at @packet (room for @len + 48):
 * its length.
 */
size_t inner_udp(void *packet, const char *src, uint16_t sport,
		 const char *dst, uint16_t dport, const void *data, size_t len);

/* The same for an ICMP or ICMPv6 echo request, or the reply to one. */
size_t inner_echo(void *packet, bool reply, const char *src, const char *dst,
		  uint16_t id, uint16_t seq, const void *data, size_t len);

struct inner {
	int family;		/* AF_INET, AF_INET6 */
	uint8_t proto;		/* IPPROTO_* */
	char src[INET6_ADDRSTRLEN];
	char dst[INET6_ADDRSTRLEN];
	uint16_t sport;		/* UDP */
	uint16_t dport;
	uint8_t echo_type;	/* ICMP, ICMPv6 */
	uint16_t echo_id;
	uint16_t echo_seq;
	const uint8_t *data;	/* behind the UDP or ICMP header */
	size_t len;
	bool checksums_good;	/* IPv4 header's and TCP's, UDP's or ICMP's */
};

/* False if it is no complete IP packet of its stated length. */
bool inner_parse(const void *packet, size_t len, struct inner *inner);

/* Traffic class of a packet; another one, with the checksum to match. */
uint8_t inner_tos(const void *packet);
void inner_set_tos(void *packet, uint8_t tos);

/*
 * Computes the checksums of a whole TCP packet that has been changed, and its
 * IPv4 header's.
 */
void inner_tcp_sums(void *packet, size_t len);

/* ---- sockets ---- */

/*
 * A UDP socket bound in @ns (NULL: the caller's) to an address ("::" takes
 * IPv4, too) and port (0: any; see udp_port()). Ends the program if it cannot.
 */
int udp_socket(struct netns *ns, const char *addr, uint16_t port);

uint16_t udp_port(int fd);

/*
 * Sends from a local address (NULL: the kernel chooses) to one, IPv4
 * addresses on an AF_INET6 socket as mapped ones: bytes sent or -errno.
 */
ssize_t udp_send(int fd, const char *from, const char *to, uint16_t port,
		 const void *data, size_t len);

/*
 * Sends datagrams of @size bytes each, but for the last, as one packet: it stays
 * one on virtual links, like what GRO has merged. Bytes sent or -errno.
 */
ssize_t udp_send_segments(int fd, const char *to, uint16_t port,
			  const void *data, size_t len, int size);

/* Traffic class of what is sent from now on; any ECN bits. */
void udp_set_tos(int fd, uint8_t tos);

struct udp_source {
	char addr[INET6_ADDRSTRLEN];	/* mapped ones as plain IPv4 */
	uint16_t port;
	char local[INET6_ADDRSTRLEN];	/* where it was sent to */
	uint8_t tos;			/* its traffic class */
};

/*
 * Receives one datagram: its length (0 is a datagram without data), -EAGAIN
 * after @timeout_ms without one, -errno. @source may be NULL.
 */
ssize_t udp_recv(int fd, void *data, size_t size, int timeout_ms,
		 struct udp_source *source);

/* True if nothing arrives for @ms. */
bool udp_quiet(int fd, int ms);

/* Two TCP sockets connected with each other over loopback in @ns. */
void tcp_socket_pair(struct netns *ns, int fds[2]);

/*
 * An AF_PACKET socket that sees the IP packets of a device without link-layer
 * header, those that it delivers and not those that it sends; ends the
 * program if it cannot.
 */
int packet_socket(struct netns *ns, const char *dev);

/* Sends a whole IP packet out through that device: bytes or -errno. */
ssize_t packet_send(int fd, const void *packet, size_t len);

/* Receives one; like udp_recv(). */
ssize_t packet_recv(int fd, void *packet, size_t size, int timeout_ms);

#endif /* _SELFTEST_WIRE_H */
