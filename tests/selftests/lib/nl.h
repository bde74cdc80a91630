/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client for the module's generic netlink families and for links of their
 * kinds: one program speaks one of them at a time, see family.h.
 *
 * Functions return 0 (or what they say) and -errno: the kernel's answer, or
 * what went wrong on the way to it (-ETIMEDOUT: no answer within 30 s). The
 * kernel's sentence about a refusal is kept until the next request and never
 * NULL. A client belongs to the network namespace that its thread was in when
 * it was opened, and to one thread at a time.
 */
#ifndef _SELFTEST_NL_H
#define _SELFTEST_NL_H

#include <stdbool.h>
#include <stdint.h>

#include "uapi.h"

#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#include "wire.h"

struct netns;
struct ovpn_nl;
struct ovpn_listener;

/* ---- the client ---- */

/* A client in the caller's namespace; NULL and errno (ENOENT: no family). */
struct ovpn_nl *ovpn_nl_try_open(void);

/* The same where failure ends the program; @ns may be NULL for the caller's. */
struct ovpn_nl *ovpn_nl_open(struct netns *ns);

void ovpn_nl_close(struct ovpn_nl *nl);

/* What the kernel said about the last request; "" if nothing. */
const char *ovpn_nl_extack(const struct ovpn_nl *nl);

/* ---- any message at all ---- */

/*
 * Starts a message with genetlink header; add attributes with libnl's
 * nla_put*(), nla_nest_start(), or the ovpn_put_*() below, then hand it to
 * ovpn_nl_send(). NLM_F_ACK is added, NLM_F_DUMP may be in @flags.
 */
struct nl_msg *ovpn_nl_msg(struct ovpn_nl *nl, int cmd, int flags);

/* An attribute with any type (flags included), any length, any contents. */
void ovpn_put_raw(struct nl_msg *msg, int type, const void *data, size_t len);

/*
 * Opens a nest, with NLA_F_NESTED only if it is in @type, and closes it, also
 * an empty one (libnl would drop that).
 */
struct nlattr *ovpn_nest(struct nl_msg *msg, int type);
void ovpn_nest_end(struct nl_msg *msg, struct nlattr *nest);

/* Bytes at the message's end that are no attribute. */
void ovpn_put_trailer(struct nl_msg *msg, const void *data, size_t len);

/* Called for each reply message (not for the ACK). */
typedef void (*ovpn_nl_reply_fn)(struct nlmsghdr *reply, void *arg);

/*
 * Sends, waits for the ACK or the end of the dump, frees the message. A dump
 * that the kernel marked as inconsistent returns -EINTR after all replies.
 */
int ovpn_nl_send(struct ovpn_nl *nl, struct nl_msg *msg, ovpn_nl_reply_fn fn,
		 void *arg);

/*
 * The two halves of ovpn_nl_send(), to do something between the request and
 * the reading of its answer.
 */
int ovpn_nl_post(struct ovpn_nl *nl, struct nl_msg *msg);
int ovpn_nl_finish(struct ovpn_nl *nl, ovpn_nl_reply_fn fn, void *arg);

/* The client's socket, to poll. */
int ovpn_nl_fd(const struct ovpn_nl *nl);

/* ---- the commands ---- */

/*
 * Addresses are text; NULL leaves the attribute out. "::ffff:192.0.2.1" makes
 * a mapped one in an AF_INET6 sockaddr.
 */
struct ovpn_peer_args {
	uint32_t id;
	int socket;
	const char *remote;
	uint16_t remote_port;
	uint32_t remote_scope;
	const char *ipv4;	/* VPN addresses */
	const char *ipv6;
	const char *local;	/* LOCAL_IP */
	/* family ovpn only: */
	const uint32_t *tx_id;
	uint32_t interval;	/* both 0: left out */
	uint32_t timeout;
};

int ovpn_nl_new_peer(struct ovpn_nl *nl, uint32_t ifindex,
		     const struct ovpn_peer_args *args);

/* Seconds; a negative value leaves the attribute out. */
int ovpn_nl_set_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		     int64_t interval, int64_t timeout);

int ovpn_nl_del_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id);

/*
 * Cipher and key-id come from @encrypt (both directions share them). In the
 * kernel's view: it seals with @encrypt and opens with @decrypt.
 */
int ovpn_nl_new_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    enum ovpn_key_slot_name slot,
		    const struct wire_key *encrypt,
		    const struct wire_key *decrypt);

int ovpn_nl_swap_keys(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id);

int ovpn_nl_del_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    enum ovpn_key_slot_name slot);

/* What GET_PEER said. Values of attributes that were not there are zero. */
struct ovpn_peer_info {
	/*
	 * Bit n: OVPN_GET_PEER_RESP_ATTR n was there, or what is that in the
	 * other family; and their payload lengths.
	 */
	uint32_t present;
	uint16_t len[OVPN_GET_PEER_RESP_ATTR_MAX + 1];
	unsigned int surplus;	/* attributes that do not belong there */
	bool multi;		/* reply had NLM_F_MULTI */
	uint32_t id;
	struct sockaddr_storage remote;
	uint8_t ipv4[4];
	uint8_t ipv6[16];
	uint8_t local[16];
	uint16_t local_port;	/* host order */
	bool local_port_nbo;	/* NLA_F_NET_BYTEORDER was set */
	uint32_t interval;
	uint32_t timeout;
	uint64_t vpn_rx_bytes;
	uint64_t vpn_tx_bytes;
	uint64_t vpn_rx_packets;
	uint64_t vpn_tx_packets;
	uint64_t link_rx_bytes;
	uint64_t link_tx_bytes;
	uint64_t link_rx_packets;
	uint64_t link_tx_packets;
	/* family ovpn: bit n: OVPN7_PEER_ATTR n was there */
	uint32_t own;
	uint32_t tx_id;
	int32_t netnsid;
};

#define OVPN_INFO_HAS(info, name) \
	(!!((info)->present & (1U << OVPN_GET_PEER_RESP_ATTR_##name)))

int ovpn_nl_get_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		     struct ovpn_peer_info *info);

/*
 * All peers of a device: their number, and an array to be freed by the caller
 * in @list (NULL if there are none).
 */
int ovpn_nl_dump(struct ovpn_nl *nl, uint32_t ifindex,
		 struct ovpn_peer_info **list);

/* ---- notifications ---- */

enum ovpn_ntf_type {
	OVPN_NTF_UNKNOWN,
	OVPN_NTF_DEL_PEER,
	/* family ovpn only: */
	OVPN_NTF_KEY_SWAP,
	OVPN_NTF_FLOAT,
};

struct ovpn_ntf {
	enum ovpn_ntf_type type;
	uint32_t ifindex;
	uint32_t peer_id;
	uint32_t reason;	/* DEL_PEER */
	uint32_t key_id;	/* KEY_SWAP */
	struct sockaddr_storage remote;	/* FLOAT */
	uint32_t portid;	/* of the message header */
	uint32_t seq;
	/*
	 * Attributes were exactly those that belong there, of exactly the
	 * sizes that OpenVPN reads, each once; if not, the fields above are
	 * what could be found.
	 */
	bool exact;
};

/*
 * Joins the group "peers" in @ns (NULL: the caller's). @rcvbuf is for
 * SO_RCVBUF, 0 leaves the system's default. Never NULL.
 */
struct ovpn_listener *ovpn_listen(struct netns *ns, int rcvbuf);

/* The next notification: 1, 0 after @timeout_ms without one, -errno. */
int ovpn_listener_next(struct ovpn_listener *l, struct ovpn_ntf *ntf,
		       int timeout_ms);

/* The listener's socket, to poll. */
int ovpn_listener_fd(const struct ovpn_listener *l);

void ovpn_listener_close(struct ovpn_listener *l);

/* ---- links ---- */

#define OVPN_MODE_NONE	(-1)	/* leave IFLA_OVPN_MODE out */

/*
 * Creates a device in @ns (NULL: the caller's): its index, or -errno. It is
 * left down; netns_up() it.
 */
int ovpn_link_new(struct netns *ns, const char *name, int mode);

/* Deletes a device of any kind; 0 or -errno. */
int ovpn_link_del(struct netns *ns, const char *name);

/* What the kernel said about the last of these two; "" if nothing. */
const char *ovpn_link_extack(void);

struct ovpn_link_info {
	char kind[16];
	int mode;		/* IFLA_OVPN_MODE, -1 if not filled in */
	int mode_len;		/* its payload length */
	uint32_t mtu;
	uint32_t min_mtu;
	uint32_t max_mtu;
	unsigned int flags;	/* IFF_* */
	uint16_t type;		/* ARPHRD_* */
	int carrier;
	uint8_t operstate;	/* IF_OPER_* */
};

/* RTM_GETLINK for one device: 0 or -errno */
int ovpn_link_get(struct netns *ns, const char *name,
		  struct ovpn_link_info *info);

#endif /* _SELFTEST_NL_H */
