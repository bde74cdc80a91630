// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every command with each of its attributes missing, mis-sized, out of range,
 * with unknown ones beside it, with bytes left over, and with nests that do
 * not say that they are. Each of these has to be refused with a sentence, and
 * must change nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "fixture.h"
#include "ktap.h"
#include "netns.h"

/* An attribute of a well-formed message, in the order of the message. */
struct node {
	int depth;		/* a nest's children follow it, one deeper */
	const char *name;
	uint16_t type;
	uint16_t len;
	const void *data;	/* NULL for a nest */
	uint16_t unknown;	/* nests: the first type that has no meaning */
	bool optional;		/* leaving it out is not refused */
	bool any_len;		/* other lengths can be right, too */
};

struct command {
	const char *name;
	int cmd;
	int flags;
	const struct node *nodes;
	unsigned int count;
};

enum change {
	NOTHING,
	MISSING,
	EMPTY,
	SHORTER,
	LONGER,
	NOT_NESTED,
	NESTED,
	UNKNOWN_INSIDE,		/* nests */
	ZERO_INSIDE,
	BYTES_INSIDE,
	VALUE,
};

/* One change to the node at this index, or to what is around all of them. */
struct mutation {
	int at;
	enum change change;
	const void *data;	/* VALUE */
	uint16_t len;
};

static struct fixture f;

/* Filled in by set_up(), as they are only known then. */
static uint32_t ifindex, sock;
static const uint32_t old_peer = 1, new_peer = 2;
static struct sockaddr_in remote;
static const uint8_t vpn4[4] = { 10, 9, 7, 7 };
static const uint8_t vpn6[16] = { 0xfd, 9, [15] = 7 };
static const uint8_t local[4] = { 127, 0, 0, 1 };
static const uint32_t seconds = 600;
static const uint8_t slot, key_id = 2;
static const uint16_t cipher = OVPN_CIPHER_ALG_AES_GCM;
static const uint8_t key_bytes[33];
static struct wire_key keys[2];

#define ATTR(depth, prefix, attr, value)				\
	{ depth, #attr, prefix##_ATTR_##attr, sizeof(value), &(value),	\
	  0, false, false }
#define ATTR_OPTIONAL(depth, prefix, attr, value)			\
	{ depth, #attr, prefix##_ATTR_##attr, sizeof(value), &(value),	\
	  0, true, false }
#define ATTR_ANY_LEN(depth, prefix, attr, value)			\
	{ depth, #attr, prefix##_ATTR_##attr, sizeof(value), &(value),	\
	  0, false, true }
#define NEST(depth, prefix, attr, inside)				\
	{ depth, #attr, prefix##_ATTR_##attr, 0, NULL,			\
	  inside##_ATTR_MAX + 1, false, false }

static const struct node new_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
	NEST(0, OVPN, NEW_PEER, OVPN_NEW_PEER),
	ATTR(1, OVPN_NEW_PEER, PEER_ID, new_peer),
	ATTR(1, OVPN_NEW_PEER, SOCKADDR_REMOTE, remote),
	ATTR(1, OVPN_NEW_PEER, SOCKET, sock),
	ATTR_OPTIONAL(1, OVPN_NEW_PEER, IPV4, vpn4),
	ATTR_OPTIONAL(1, OVPN_NEW_PEER, IPV6, vpn6),
	ATTR_OPTIONAL(1, OVPN_NEW_PEER, LOCAL_IP, local),
};

static const struct node set_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
	NEST(0, OVPN, SET_PEER, OVPN_SET_PEER),
	ATTR(1, OVPN_SET_PEER, PEER_ID, old_peer),
	ATTR_OPTIONAL(1, OVPN_SET_PEER, KEEPALIVE_INTERVAL, seconds),
	ATTR_OPTIONAL(1, OVPN_SET_PEER, KEEPALIVE_TIMEOUT, seconds),
};

static const struct node del_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
	NEST(0, OVPN, DEL_PEER, OVPN_DEL_PEER),
	ATTR(1, OVPN_DEL_PEER, PEER_ID, old_peer),
};

static const struct node new_key_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
	NEST(0, OVPN, NEW_KEY, OVPN_NEW_KEY),
	ATTR(1, OVPN_NEW_KEY, PEER_ID, old_peer),
	ATTR(1, OVPN_NEW_KEY, KEY_SLOT, slot),
	ATTR(1, OVPN_NEW_KEY, KEY_ID, key_id),
	ATTR(1, OVPN_NEW_KEY, CIPHER_ALG, cipher),
	NEST(1, OVPN_NEW_KEY, ENCRYPT_KEY, OVPN_KEY_DIR),
	{ 2, "CIPHER_KEY", OVPN_KEY_DIR_ATTR_CIPHER_KEY, 32, key_bytes,
	  0, false, false },
	{ 2, "NONCE_TAIL", OVPN_KEY_DIR_ATTR_NONCE_TAIL, 8, key_bytes,
	  0, false, false },
	NEST(1, OVPN_NEW_KEY, DECRYPT_KEY, OVPN_KEY_DIR),
	{ 2, "CIPHER_KEY", OVPN_KEY_DIR_ATTR_CIPHER_KEY, 32, key_bytes,
	  0, false, false },
	{ 2, "NONCE_TAIL", OVPN_KEY_DIR_ATTR_NONCE_TAIL, 8, key_bytes,
	  0, false, false },
};

static const struct node swap_keys_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
	NEST(0, OVPN, SWAP_KEYS, OVPN_SWAP_KEYS),
	ATTR(1, OVPN_SWAP_KEYS, PEER_ID, old_peer),
};

static const struct node del_key_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
	NEST(0, OVPN, DEL_KEY, OVPN_DEL_KEY),
	ATTR(1, OVPN_DEL_KEY, PEER_ID, old_peer),
	ATTR(1, OVPN_DEL_KEY, KEY_SLOT, slot),
};

static const struct node get_peer_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
	NEST(0, OVPN, GET_PEER, OVPN_GET_PEER),
	ATTR(1, OVPN_GET_PEER, PEER_ID, old_peer),
};

static const struct node dump_nodes[] = {
	ATTR(0, OVPN, IFINDEX, ifindex),
};

/* DEL_PEER last: all others need the peer that it deletes. */
static const struct command commands[] = {
	{ "NEW_PEER", OVPN_CMD_NEW_PEER, 0, new_peer_nodes,
	  ARRAY_SIZE(new_peer_nodes) },
	{ "SET_PEER", OVPN_CMD_SET_PEER, 0, set_peer_nodes,
	  ARRAY_SIZE(set_peer_nodes) },
	{ "NEW_KEY", OVPN_CMD_NEW_KEY, 0, new_key_nodes,
	  ARRAY_SIZE(new_key_nodes) },
	{ "SWAP_KEYS", OVPN_CMD_SWAP_KEYS, 0, swap_keys_nodes,
	  ARRAY_SIZE(swap_keys_nodes) },
	{ "DEL_KEY", OVPN_CMD_DEL_KEY, 0, del_key_nodes,
	  ARRAY_SIZE(del_key_nodes) },
	{ "GET_PEER", OVPN_CMD_GET_PEER, 0, get_peer_nodes,
	  ARRAY_SIZE(get_peer_nodes) },
	{ "GET_PEER dump", OVPN_CMD_GET_PEER, NLM_F_DUMP, dump_nodes,
	  ARRAY_SIZE(dump_nodes) },
	{ "DEL_PEER", OVPN_CMD_DEL_PEER, 0, del_peer_nodes,
	  ARRAY_SIZE(del_peer_nodes) },
};

/* Values that no attribute of this size may have. */
static const uint32_t id_too_big = 0x1000000, id_max = 0xFFFFFFFF;
static const uint32_t no_fd = 0x7FFFFFFF;
static const uint8_t slot_too_big = 2, slot_max = 255;
static const uint8_t key_id_too_big = 8, key_id_max = 255;
static const uint16_t cipher_none, cipher_too_big = 3, cipher_max = 65535;
static const struct sockaddr_in6 remote_wrong_size = { .sin6_family = AF_INET };
static const struct sockaddr_in remote_v6_cut = { .sin_family = AF_INET6 };
static const struct sockaddr_in remote_unspec = { .sin_family = AF_UNSPEC };
static const struct sockaddr_in remote_unix = { .sin_family = AF_UNIX };
static const struct sockaddr_in remote_any = {
	.sin_family = AF_INET, .sin_port = 1,
};

static const uint8_t bytes[256];
static const uint8_t local6[16] = { 0xfd, [15] = 1 };

/* Other lengths and values than the generic ones: command, attribute, text */
static const struct {
	int cmd;
	const char *attr;
	const char *what;
	const void *data;
	uint16_t len;
} values[] = {
	{ OVPN_CMD_NEW_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_NEW_PEER, "PEER_ID", "0xFFFFFFFF", &id_max, 4 },
	{ OVPN_CMD_NEW_PEER, "SOCKET", "no descriptor", &no_fd, 4 },
	{ OVPN_CMD_NEW_PEER, "SOCKET", "negative", &id_max, 4 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_INET in 28 bytes",
	  &remote_wrong_size, 28 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_INET6 in 16 bytes",
	  &remote_v6_cut, 16 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_UNSPEC", &remote_unspec,
	  16 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "AF_UNIX", &remote_unix, 16 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "20 bytes", &remote_any, 20 },
	{ OVPN_CMD_NEW_PEER, "SOCKADDR_REMOTE", "128 bytes", bytes, 128 },
	{ OVPN_CMD_NEW_PEER, "IPV6", "4 bytes", vpn4, 4 },
	{ OVPN_CMD_NEW_PEER, "LOCAL_IP", "8 bytes", bytes, 8 },
	{ OVPN_CMD_NEW_PEER, "LOCAL_IP", "17 bytes", bytes, 17 },
	{ OVPN_CMD_NEW_PEER, "LOCAL_IP", "the other family", local6, 16 },
	{ OVPN_CMD_SET_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_NEW_KEY, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_NEW_KEY, "KEY_SLOT", "2", &slot_too_big, 1 },
	{ OVPN_CMD_NEW_KEY, "KEY_SLOT", "255", &slot_max, 1 },
	{ OVPN_CMD_NEW_KEY, "KEY_ID", "8", &key_id_too_big, 1 },
	{ OVPN_CMD_NEW_KEY, "KEY_ID", "255", &key_id_max, 1 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_ALG", "NONE", &cipher_none, 2 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_ALG", "3", &cipher_too_big, 2 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_ALG", "65535", &cipher_max, 2 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_KEY", "20 bytes", bytes, 20 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_KEY", "255 bytes", bytes, 255 },
	{ OVPN_CMD_NEW_KEY, "CIPHER_KEY", "256 bytes", bytes, 256 },
	{ OVPN_CMD_NEW_KEY, "NONCE_TAIL", "12 bytes", bytes, 12 },
	{ OVPN_CMD_SWAP_KEYS, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_DEL_KEY, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_DEL_KEY, "KEY_SLOT", "2", &slot_too_big, 1 },
	{ OVPN_CMD_DEL_KEY, "KEY_SLOT", "255", &slot_max, 1 },
	{ OVPN_CMD_GET_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
	{ OVPN_CMD_DEL_PEER, "PEER_ID", "0x1000000", &id_too_big, 4 },
};

/* ---- messages ---- */

static unsigned int emit(struct nl_msg *msg, const struct command *c,
			 unsigned int i, const struct mutation *m);

/* All nodes from index @i on that are at least @depth deep. */
static unsigned int emit_level(struct nl_msg *msg, const struct command *c,
			       unsigned int i, int depth,
			       const struct mutation *m)
{
	while (i < c->count && c->nodes[i].depth >= depth)
		i = emit(msg, c, i, m);
	return i;
}

static unsigned int skip(const struct command *c, unsigned int i)
{
	int depth = c->nodes[i].depth;

	while (++i < c->count && c->nodes[i].depth > depth)
		;
	return i;
}

static unsigned int emit_nest(struct nl_msg *msg, const struct command *c,
			      unsigned int i, const struct mutation *m,
			      enum change change)
{
	const struct node *n = &c->nodes[i];
	struct nlattr *nest;

	nest = ovpn_nest(msg, n->type |
			      (change == NOT_NESTED ? 0 : NLA_F_NESTED));
	if (change == EMPTY)
		i = skip(c, i);
	else
		i = emit_level(msg, c, i + 1, n->depth + 1, m);
	if (change == UNKNOWN_INSIDE)
		ovpn_put_raw(msg, n->unknown, "tst", 4);
	if (change == ZERO_INSIDE)
		ovpn_put_raw(msg, 0, "tst", 4);
	if (change == BYTES_INSIDE)
		ovpn_put_trailer(msg, "\x01\x02", 2);
	ovpn_nest_end(msg, nest);
	return i;
}

/* The node at index @i with all that is inside; the index behind that. */
static unsigned int emit(struct nl_msg *msg, const struct command *c,
			 unsigned int i, const struct mutation *m)
{
	enum change change = m->at == (int)i ? m->change : NOTHING;
	const struct node *n = &c->nodes[i];
	uint8_t longer[64] = { 0 };

	if (change == MISSING)
		return skip(c, i);
	if (!n->data)
		return emit_nest(msg, c, i, m, change);
	memcpy(longer, n->data, n->len);
	switch (change) {
	case EMPTY:
		ovpn_put_raw(msg, n->type, NULL, 0);
		break;
	case SHORTER:
		ovpn_put_raw(msg, n->type, n->data, n->len - 1);
		break;
	case LONGER:
		ovpn_put_raw(msg, n->type, longer, n->len + 1);
		break;
	case NESTED:
		ovpn_put_raw(msg, n->type | NLA_F_NESTED, n->data, n->len);
		break;
	case VALUE:
		ovpn_put_raw(msg, n->type, m->data, m->len);
		break;
	default:
		ovpn_put_raw(msg, n->type, n->data, n->len);
	}
	return i + 1;
}

static int send_changed(const struct command *c, const struct mutation *m)
{
	struct nl_msg *msg = ovpn_nl_msg(f.nl, c->cmd, c->flags);

	emit_level(msg, c, 0, 0, m);
	/* index -1 is the message itself */
	if (m->at < 0 && m->change == UNKNOWN_INSIDE)
		ovpn_put_raw(msg, OVPN_ATTR_MAX + 1, "tst", 4);
	if (m->at < 0 && m->change == ZERO_INSIDE)
		ovpn_put_raw(msg, OVPN_ATTR_UNSPEC, "tst", 4);
	if (m->at < 0 && m->change == BYTES_INSIDE)
		ovpn_put_trailer(msg, "\x01\x02", 2);
	return ovpn_nl_send(f.nl, msg, NULL, NULL);
}

/* ---- what must not change ---- */

static struct ovpn_peer_info before;

static void remember(void)
{
	if (ovpn_nl_get_peer(f.nl, f.ifindex, old_peer, &before))
		ktap_bail("peer %u has gone", old_peer);
}

static void check_unchanged(void)
{
	struct ovpn_peer_info *now = NULL;

	if (CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, &now)))
		CHECK_MEMEQ(&before.id, &now->id, sizeof(before) -
			    offsetof(struct ovpn_peer_info, id));
	free(now);
}

/*
 * The keys cannot be asked for; but the peer sends a ping each second, and
 * only with the primary key that it got at the start.
 */
static void check_keys_unchanged(void)
{
	uint8_t packet[2048], plain[2048];
	struct wire_header header;
	struct udp_source source;
	ssize_t len;

	/* what came before does not count */
	while (udp_recv(f.far, packet, sizeof(packet), 0, &source) >= 0)
		;
	if (!CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, old_peer, 1, 600)))
		return;
	len = udp_recv(f.far, packet, sizeof(packet), 5000, &source);
	if (CHECK_GE(WIRE_HEADER_LEN, len) &&
	    CHECK_EQ(sizeof(wire_ping), wire_open(&keys[0], packet, len, plain,
						  &header))) {
		CHECK_MEMEQ(wire_ping, plain, sizeof(wire_ping));
		CHECK_EQ(keys[0].id, header.key_id);
		CHECK_EQ(old_peer, header.peer_id);
	}
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, old_peer, 0, 0));
	remember();
}

/* ---- the cases ---- */

/*
 * Refusals by the kernel's own policy check are EINVAL or ERANGE, whichever
 * that kernel says; the errno table has a test of its own.
 */
static void check_refused(const struct command *c, const struct mutation *m)
{
	int err = send_changed(c, m);

	CHECK_MSG(err < 0, "accepted");
	CHECK_MSG(err != -ETIMEDOUT && err != -EPERM && err != -ENODEV &&
		  err != -EOPNOTSUPP, "%s: %s", strerror(-err),
		  ovpn_nl_extack(f.nl));
	CHECK_MSG(*ovpn_nl_extack(f.nl), "%s without a sentence",
		  strerror(-err));
	check_unchanged();
}

static const char *const change_text[] = {
	[MISSING] = "missing",
	[EMPTY] = "empty",
	[SHORTER] = "a byte too short",
	[LONGER] = "a byte too long",
	[NOT_NESTED] = "without the nested flag",
	[NESTED] = "with a nested flag",
	[UNKNOWN_INSIDE] = "with an unknown attribute inside",
	[ZERO_INSIDE] = "with attribute 0 inside",
	[BYTES_INSIDE] = "with bytes left over inside",
};

static bool applies(const struct node *n, enum change change)
{
	switch (change) {
	case MISSING:
		return !n->optional;
	case EMPTY:
		return true;
	case SHORTER:
	case LONGER:
	case NESTED:
		return n->data;
	default:
		return !n->data;
	}
}

/* Runs the cases of a command, or only counts them. */
static unsigned int generic_cases(const struct command *c, bool run)
{
	unsigned int count = 0;
	struct mutation m;

	for (m.at = -1; m.at < (int)c->count; m.at++) {
		const struct node *n = m.at < 0 ? NULL : &c->nodes[m.at];

		for (m.change = n ? MISSING : UNKNOWN_INSIDE; m.change < VALUE;
		     m.change++) {
			if (n && !applies(n, m.change))
				continue;
			count++;
			if (!run)
				continue;
			check_refused(c, &m);
			ktap_done("%s: %s %s", c->name, n ? n->name : "message",
				  change_text[m.change]);
		}
	}
	return count;
}

static unsigned int value_cases(const struct command *c, bool run)
{
	unsigned int i, count = 0;
	struct mutation m;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i].cmd != c->cmd)
			continue;
		m = (struct mutation){
			.change = VALUE,
			.data = values[i].data,
			.len = values[i].len,
		};
		/* each attribute of that name: both directions of a key */
		for (m.at = 0; m.at < (int)c->count; m.at++) {
			if (strcmp(c->nodes[m.at].name, values[i].attr))
				continue;
			count++;
			if (!run)
				continue;
			check_refused(c, &m);
			ktap_done("%s: %s %s", c->name, values[i].attr,
				  values[i].what);
		}
	}
	return count;
}

static unsigned int count_cases(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		count += generic_cases(&commands[i], false) +
			 value_cases(&commands[i], false) + 1;
	return count + 1;
}

static void set_up(void)
{
	fixture_start(&f, OVPN_MODE_MP);
	fixture_peer(&f, old_peer);
	wire_key_random(&keys[0], OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	wire_key_random(&keys[1], OVPN_CIPHER_ALG_AES_GCM, 32, 1);
	fixture_key(&f, old_peer, &keys[0]);
	if (ovpn_nl_new_key(f.nl, f.ifindex, old_peer, OVPN_KEY_SLOT_SECONDARY,
			    &keys[1], &keys[1]))
		ktap_bail("cannot install a second key");
	ifindex = f.ifindex;
	sock = f.sock;
	remote.sin_family = AF_INET;
	remote.sin_port = htons(udp_port(f.far));
	remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	remember();
}

int main(void)
{
	static const struct mutation none = { .at = -1, .change = NOTHING };
	unsigned int i;

	need_root();
	ktap_plan(count_cases());
	set_up();
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		generic_cases(&commands[i], true);
		value_cases(&commands[i], true);
	}
	check_keys_unchanged();
	ktap_done("no refused message touched the keys");
	/* or all of the above might have been refused for the wrong reason */
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		CHECK_ERR(0, send_changed(&commands[i], &none));
		ktap_done("%s: the same message unchanged is accepted",
			  commands[i].name);
	}
	fixture_end(&f);
	return ktap_result();
}
