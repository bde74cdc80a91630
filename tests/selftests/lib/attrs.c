// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "attrs.h"
#include "fixture.h"

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
	OTHER_INSIDE,
	VALUE,
};

/* One change to the node at this index, or to what is around all of them. */
struct mutation {
	int at;
	enum change change;
	int other;		/* OTHER_INSIDE */
	const void *data;	/* VALUE */
	uint16_t len;
};

uint32_t attrs_ifindex, attrs_sock;
struct sockaddr_in attrs_remote;
const uint32_t attrs_old_peer = 1, attrs_new_peer = 2;

static const struct attrs_suite *suite;
static struct fixture f;
static struct wire_key keys[2];

/* ---- messages ---- */

static unsigned int emit(struct nl_msg *msg, const struct attrs_command *c,
			 unsigned int i, const struct mutation *m);

/* All nodes from index @i on that are at least @depth deep. */
static unsigned int emit_level(struct nl_msg *msg, const struct attrs_command *c,
			       unsigned int i, int depth,
			       const struct mutation *m)
{
	while (i < c->count && c->nodes[i].depth >= depth)
		i = emit(msg, c, i, m);
	return i;
}

static unsigned int skip(const struct attrs_command *c, unsigned int i)
{
	int depth = c->nodes[i].depth;

	while (++i < c->count && c->nodes[i].depth > depth)
		;
	return i;
}

static unsigned int emit_nest(struct nl_msg *msg, const struct attrs_command *c,
			      unsigned int i, const struct mutation *m,
			      enum change change)
{
	const struct attrs_node *n = &c->nodes[i];
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
	if (change == OTHER_INSIDE)
		ovpn_put_raw(msg, m->other, "tst", 4);
	if (change == BYTES_INSIDE)
		ovpn_put_trailer(msg, "\x01\x02", 2);
	ovpn_nest_end(msg, nest);
	return i;
}

/* The node at index @i with all that is inside; the index behind that. */
static unsigned int emit(struct nl_msg *msg, const struct attrs_command *c,
			 unsigned int i, const struct mutation *m)
{
	enum change change = m->at == (int)i ? m->change : NOTHING;
	const struct attrs_node *n = &c->nodes[i];
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

static int send_changed(const struct attrs_command *c, const struct mutation *m)
{
	struct nl_msg *msg = ovpn_nl_msg(f.nl, c->cmd, c->flags);

	emit_level(msg, c, 0, 0, m);
	/* index -1 is the message itself */
	if (m->at < 0 && m->change == UNKNOWN_INSIDE)
		ovpn_put_raw(msg, suite->unknown, "tst", 4);
	if (m->at < 0 && m->change == ZERO_INSIDE)
		ovpn_put_raw(msg, 0, "tst", 4);
	if (m->at < 0 && m->change == BYTES_INSIDE)
		ovpn_put_trailer(msg, "\x01\x02", 2);
	return ovpn_nl_send(f.nl, msg, NULL, NULL);
}

/* ---- what must not change ---- */

static struct ovpn_peer_info before;

static void remember(void)
{
	if (ovpn_nl_get_peer(f.nl, f.ifindex, attrs_old_peer, &before))
		ktap_bail("peer %u has gone", attrs_old_peer);
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
	if (!CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, attrs_old_peer, 1, 600)))
		return;
	len = udp_recv(f.far, packet, sizeof(packet), 5000, &source);
	if (CHECK_GE(WIRE_HEADER_LEN, len) &&
	    CHECK_EQ(sizeof(wire_ping), wire_open(&keys[0], packet, len, plain,
						  &header))) {
		CHECK_MEMEQ(wire_ping, plain, sizeof(wire_ping));
		CHECK_EQ(keys[0].id, header.key_id);
		CHECK_EQ(attrs_old_peer, header.peer_id);
	}
	CHECK_ERR(0, ovpn_nl_set_peer(f.nl, f.ifindex, attrs_old_peer, 0, 0));
	remember();
}

/* ---- the cases ---- */

/*
 * Refusals by the kernel's own policy check are EINVAL or ERANGE, whichever
 * that kernel says; the errno table has a test of its own.
 */
static void check_refused(const struct attrs_command *c, const struct mutation *m)
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

static bool applies(const struct attrs_node *n, enum change change)
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
static unsigned int generic_cases(const struct attrs_command *c, bool run)
{
	unsigned int count = 0;
	struct mutation m;

	for (m.at = -1; m.at < (int)c->count; m.at++) {
		const struct attrs_node *n = m.at < 0 ? NULL : &c->nodes[m.at];

		for (m.change = n ? MISSING : UNKNOWN_INSIDE; m.change < VALUE;
		     m.change++) {
			if (m.change == OTHER_INSIDE || (n && !applies(n, m.change)))
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

static unsigned int value_cases(const struct attrs_command *c, bool run)
{
	unsigned int i, count = 0;
	struct mutation m;

	for (i = 0; i < suite->n_values; i++) {
		if (suite->values[i].cmd != c->cmd)
			continue;
		m = (struct mutation){
			.change = VALUE,
			.data = suite->values[i].data,
			.len = suite->values[i].len,
		};
		/* each attribute of that name: both directions of a key */
		for (m.at = 0; m.at < (int)c->count; m.at++) {
			if (strcmp(c->nodes[m.at].name, suite->values[i].attr))
				continue;
			count++;
			if (!run)
				continue;
			check_refused(c, &m);
			ktap_done("%s: %s %s", c->name, suite->values[i].attr,
				  suite->values[i].what);
		}
	}
	return count;
}

/* Is there an attribute of this type in the nest at this index? */
static bool has_child(const struct attrs_command *c, unsigned int at, int type)
{
	unsigned int i, end = skip(c, at);

	for (i = at + 1; i < end; i++)
		if (c->nodes[i].depth == c->nodes[at].depth + 1 &&
		    c->nodes[i].type == type)
			return true;
	return false;
}

/* Attributes that mean something, but not here. */
static unsigned int other_cases(const struct attrs_command *c, bool run)
{
	struct mutation m = { .change = OTHER_INSIDE };
	unsigned int count = 0;

	for (m.at = 0; m.at < (int)c->count; m.at++) {
		const struct attrs_node *n = &c->nodes[m.at];

		for (m.other = 1; n->others && m.other < n->unknown;
		     m.other++) {
			if (n->others & 1U << m.other ||
			    has_child(c, m.at, m.other))
				continue;
			count++;
			if (!run)
				continue;
			check_refused(c, &m);
			ktap_done("%s: %s with attribute %d, which has no place there",
				  c->name, n->name, m.other);
		}
	}
	return count;
}

static unsigned int count_cases(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < suite->n_commands; i++)
		count += generic_cases(&suite->commands[i], false) +
			 other_cases(&suite->commands[i], false) +
			 value_cases(&suite->commands[i], false) + 1;
	return count + 1;
}

static void set_up(void)
{
	fixture_start(&f, OVPN_MODE_MP);
	fixture_peer(&f, attrs_old_peer);
	wire_key_random(&keys[0], OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	wire_key_random(&keys[1], OVPN_CIPHER_ALG_AES_GCM, 32, 1);
	fixture_key(&f, attrs_old_peer, &keys[0]);
	if (ovpn_nl_new_key(f.nl, f.ifindex, attrs_old_peer, OVPN_KEY_SLOT_SECONDARY,
			    &keys[1], &keys[1]))
		ktap_bail("cannot install a second key");
	attrs_ifindex = f.ifindex;
	attrs_sock = f.sock;
	attrs_remote.sin_family = AF_INET;
	attrs_remote.sin_port = htons(udp_port(f.far));
	attrs_remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	remember();
}

int attrs_run(const struct attrs_suite *of)
{
	static const struct mutation none = { .at = -1, .change = NOTHING };
	unsigned int i;

	suite = of;
	need_root();
	ktap_plan(count_cases());
	set_up();
	for (i = 0; i < suite->n_commands; i++) {
		generic_cases(&suite->commands[i], true);
		other_cases(&suite->commands[i], true);
		value_cases(&suite->commands[i], true);
	}
	check_keys_unchanged();
	ktap_done("no refused message touched the keys");
	/* or all of the above might have been refused for the wrong reason */
	for (i = 0; i < suite->n_commands; i++) {
		CHECK_ERR(0, send_changed(&suite->commands[i], &none));
		ktap_done("%s: the same message unchanged is accepted",
			  suite->commands[i].name);
	}
	fixture_end(&f);
	return ktap_result();
}
