// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "abuse.h"
#include "ktap.h"
#include "message.h"
#include "netns.h"

#define MAX_ATTRS	64
#define MAX_DEPTH	4

/* Where an attribute is, and the nest around it: -1 at the top level. */
struct place {
	size_t at;
	int around;
};

struct places {
	struct place place[MAX_ATTRS];
	unsigned int count;
};

static struct nlattr *attr_at(const struct message *m, size_t at)
{
	return (struct nlattr *)(m->bytes + at);
}

static void room_for(const struct message *m, size_t len)
{
	if (m->len + NLA_ALIGN(len) > sizeof(m->bytes))
		ktap_bail("netlink message too long");
}

void message_start(struct message *m, int type, int flags, const void *head,
		   size_t len)
{
	memset(m->bytes, 0, NLMSG_HDRLEN);
	m->h.nlmsg_type = type;
	m->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	memcpy(m->bytes + NLMSG_HDRLEN, head, len);
	m->head = NLMSG_HDRLEN + NLMSG_ALIGN(len);
	m->len = m->head;
	m->h.nlmsg_len = m->len;
}

void message_put(struct message *m, int type, const void *data, size_t len)
{
	struct nlattr *a = attr_at(m, m->len);

	room_for(m, NLA_HDRLEN + len);
	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memset(a + 1, 0, NLA_ALIGN(len));
	if (len)
		memcpy(a + 1, data, len);
	m->len += NLA_HDRLEN + NLA_ALIGN(len);
	m->h.nlmsg_len = m->len;
}

size_t message_nest(struct message *m, int type)
{
	size_t nest = m->len;

	message_put(m, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void message_nest_end(struct message *m, size_t nest)
{
	attr_at(m, nest)->nla_len = m->len - nest;
}

/* ---- sending it ---- */

int message_socket(struct netns *ns, int protocol)
{
	int back = netns_visit(ns), on = 1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	netns_back(back);
	if (fd < 0 || setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on,
				 sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)))
		ktap_bail("netlink socket: %m");
	return fd;
}

int message_post(int fd, const struct message *m)
{
	return send(fd, m->bytes, m->len, 0) < 0 ? -errno : 0;
}

static bool has_sentence(const struct nlmsghdr *h)
{
	const struct nlmsgerr *ack = NLMSG_DATA(h);
	size_t skip = NLMSG_LENGTH(sizeof(*ack));
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return false;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(ack->msg.nlmsg_len - NLMSG_HDRLEN);
	a = (const void *)((const char *)h + skip);
	return skip + NLA_HDRLEN <= h->nlmsg_len &&
	       (a->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG;
}

/* The kernel has dealt with a request when send() returns. */
void message_read(int fd, struct answer *a)
{
	static union {
		struct nlmsghdr h;
		char bytes[65536];
	} buf;
	struct nlmsghdr *h;
	ssize_t len;

	for (;;) {
		len = recv(fd, &buf, sizeof(buf), MSG_DONTWAIT);
		if (len < 0) {
			a->err = -errno;
			return;
		}
		for (h = &buf.h; NLMSG_OK(h, (size_t)len);
		     h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type != NLMSG_ERROR &&
			    h->nlmsg_type != NLMSG_DONE)
				continue;
			a->acked = true;
			a->err = *(int *)NLMSG_DATA(h);
			a->explained = h->nlmsg_type == NLMSG_ERROR &&
				       has_sentence(h);
			return;
		}
	}
}

struct answer message_send(int fd, const struct message *m)
{
	struct answer a = { .err = message_post(fd, m) };

	a.sent = !a.err;
	if (a.sent)
		message_read(fd, &a);
	return a;
}

/* ---- breaking it ---- */

static void collect(const struct message *m, struct places *p, size_t from,
		    size_t to, int around, int depth)
{
	const struct nlattr *a;
	unsigned int self;

	while (from + NLA_HDRLEN <= to && p->count < MAX_ATTRS) {
		a = attr_at(m, from);
		if (a->nla_len < NLA_HDRLEN || from + a->nla_len > to)
			return;
		self = p->count++;
		p->place[self] = (struct place){ from, around };
		if (a->nla_type & NLA_F_NESTED && depth < MAX_DEPTH)
			collect(m, p, from + NLA_HDRLEN, from + a->nla_len,
				self, depth + 1);
		from += NLA_ALIGN(a->nla_len);
	}
}

/*
 * Makes room for @more bytes at @at, or takes away as many if negative; all
 * nests from @around outwards and the message say their new length. False if
 * that cannot be.
 */
static bool resize(struct message *m, const struct places *p, int around,
		   size_t at, ssize_t more)
{
	size_t from = more < 0 ? at - more : at;

	/* the last one of a cut message may lack its padding */
	if (from > m->len || m->len + more > sizeof(m->bytes))
		return false;
	memmove(m->bytes + from + more, m->bytes + from, m->len - from);
	m->len += more;
	m->h.nlmsg_len += more;
	for (; around >= 0; around = p->place[around].around)
		attr_at(m, p->place[around].at)->nla_len += more;
	return true;
}

static void break_type(struct nlattr *a)
{
	switch (chance_below(4)) {
	case 0:
		a->nla_type ^= NLA_F_NESTED;
		break;
	case 1:
		a->nla_type ^= NLA_F_NET_BYTEORDER;
		break;
	case 2:
		a->nla_type = (a->nla_type & NLA_F_NESTED) | chance_below(20);
		break;
	default:
		a->nla_type = chance_number();
	}
}

static void break_len(struct nlattr *a)
{
	switch (chance_below(3)) {
	case 0:
		a->nla_len += (int)chance_below(9) - 4;
		break;
	case 1:
		a->nla_len = chance_below(8);
		break;
	default:
		a->nla_len = chance_number();
	}
}

static void break_value(struct nlattr *a, size_t room)
{
	uint8_t *value = (uint8_t *)(a + 1);
	uint32_t word = chance_number();

	if (!room)
		return;
	if (room >= sizeof(word) && once_in(2))
		memcpy(value + chance_below(room - sizeof(word) + 1), &word,
		       sizeof(word));
	else if (once_in(2))
		value[chance_below(room)] ^= 1 << chance_below(8);
	else
		chance_bytes(value, room);
}

static void grow(struct message *m, const struct places *p,
		 const struct place *at)
{
	struct nlattr *a = attr_at(m, at->at);
	size_t old = NLA_ALIGN(a->nla_len), more;

	more = once_in(8) ? chance_below(1024) : 1 + chance_below(32);
	if (!resize(m, p, at->around, at->at + old,
		    NLA_ALIGN(a->nla_len + more) - old))
		return;
	chance_bytes((uint8_t *)a + a->nla_len, more);
	a->nla_len += more;
}

static void shrink(struct message *m, const struct places *p,
		   const struct place *at)
{
	struct nlattr *a = attr_at(m, at->at);
	size_t old = NLA_ALIGN(a->nla_len), less, left;

	less = chance_below(a->nla_len - NLA_HDRLEN + 1);
	left = a->nla_len - less;
	if (resize(m, p, at->around, at->at + NLA_ALIGN(left),
		   (ssize_t)NLA_ALIGN(left) - (ssize_t)old))
		a->nla_len = left;
}

static void repeat(struct message *m, const struct places *p,
		   const struct place *at)
{
	size_t len = NLA_ALIGN(attr_at(m, at->at)->nla_len);

	if (!resize(m, p, at->around, at->at + len, len))
		return;
	memcpy(m->bytes + at->at + len, m->bytes + at->at, len);
}

/* Puts the attribute into nests, many levels deep. */
static void deepen(struct message *m, const struct places *p,
		   const struct place *at)
{
	unsigned int levels = 1 + chance_below(20);
	struct nlattr *a = attr_at(m, at->at);
	size_t len = NLA_ALIGN(a->nla_len);
	uint16_t type = a->nla_type;

	if (!resize(m, p, at->around, at->at, levels * NLA_HDRLEN))
		return;
	for (; levels; levels--, a++) {
		a->nla_type = type | NLA_F_NESTED;
		a->nla_len = len + levels * NLA_HDRLEN;
	}
}

static void break_attr(struct message *m)
{
	const struct place *at;
	struct places p = { 0 };
	struct nlattr *a;
	size_t room;

	collect(m, &p, m->head, m->len, -1, 0);
	if (!p.count)
		return;
	at = &p.place[chance_below(p.count)];
	a = attr_at(m, at->at);
	room = a->nla_len - NLA_HDRLEN;
	switch (chance_below(10)) {
	case 0:
		break_type(a);
		break;
	case 1:
		break_len(a);
		break;
	case 2:
		resize(m, &p, at->around, at->at, -(ssize_t)NLA_ALIGN(room + 4));
		break;
	case 3:
		repeat(m, &p, at);
		break;
	case 4:
		grow(m, &p, at);
		break;
	case 5:
		shrink(m, &p, at);
		break;
	case 6:
		deepen(m, &p, at);
		break;
	default:
		break_value(a, room);
	}
}

/* What is around the attributes; the message's type stays. */
static void break_frame(struct message *m)
{
	size_t more = 1 + chance_below(64);

	switch (chance_below(5)) {
	case 0:
		/* the family's header: command, version, ... */
		m->bytes[NLMSG_HDRLEN + chance_below(m->head - NLMSG_HDRLEN)] =
			chance_number();
		break;
	case 1:
		m->h.nlmsg_flags ^= 1 << chance_below(16);
		break;
	case 2:
		/* cut */
		m->len -= chance_below(m->len - NLMSG_HDRLEN + 1);
		if (once_in(2))
			m->h.nlmsg_len = m->len;
		break;
	case 3:
		/* bytes behind it */
		if (m->len + more > sizeof(m->bytes))
			break;
		chance_bytes(m->bytes + m->len, more);
		m->len += more;
		if (once_in(2))
			m->h.nlmsg_len = m->len;
		break;
	default:
		m->h.nlmsg_len = chance_number();
	}
}

void message_mutate(struct message *m)
{
	do {
		if (once_in(8))
			break_frame(m);
		else
			break_attr(m);
	} while (once_in(3));
}

uint32_t message_value(const struct message *m, int type, uint32_t otherwise)
{
	const struct nlattr *a;
	size_t at;

	for (at = m->head; at + NLA_HDRLEN <= m->len;
	     at += NLA_ALIGN(a->nla_len)) {
		a = attr_at(m, at);
		if (a->nla_len < NLA_HDRLEN || at + a->nla_len > m->len)
			break;
		if ((a->nla_type & NLA_TYPE_MASK) == type &&
		    a->nla_len == NLA_HDRLEN + sizeof(otherwise))
			memcpy(&otherwise, a + 1, sizeof(otherwise));
	}
	return otherwise;
}
