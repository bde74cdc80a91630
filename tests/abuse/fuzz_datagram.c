// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams of all kinds, fast and from several sources: authentic ones,
 * replays, late ones, and such that were authentic before a bit, a length or a
 * number changed. For each there is one thing that may become of it; the
 * device's counters have to agree, and traffic has to pass afterwards.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include "abuse.h"
#include "data_util.h"

#define DATAGRAMS	100000
#define BATCH		64
/* So many batches apart, the counters are compared. */
#define ROUND		32

#define PEERS		3
#define SOURCES		6
#define PAST		256
#define SMALL		1600
#define JUMBO		65507
#define WINDOW		2048	/* of packet ids, against replays */

enum outcome {
	DELIVERED, KEEPALIVE, CONTROL, SHORT, UNKNOWN_PEER, UNKNOWN_KEY, AUTH,
	REPLAY, OLD, ID_ZERO, NOT_IP, RPF, OUTCOMES,
};

/* The counters; those of the device itself count what is delivered. */
static const char *const counter[OUTCOMES] = {
	[KEEPALIVE] = "rx_keepalive",
	[CONTROL] = "rx_control",
	[SHORT] = "rx_drop_short",
	[UNKNOWN_PEER] = "rx_drop_unknown_peer",
	[UNKNOWN_KEY] = "rx_drop_unknown_key",
	[AUTH] = "rx_drop_auth",
	[REPLAY] = "rx_drop_replay",
	[OLD] = "rx_drop_old",
	[ID_ZERO] = "rx_drop_id_zero",
	[NOT_IP] = "rx_drop_not_ip",
	[RPF] = "rx_drop_rpf",
};

struct packet {
	size_t len;
	uint32_t id;
	unsigned int peer;
	uint8_t bytes[SMALL];
};

static struct {
	struct data_bed *bed;
	struct data_far far[PEERS];
	unsigned int at[PEERS];		/* the source that the peer is at */
	uint32_t newest[PEERS];		/* packet id that was accepted */
	int source[SOURCES];
	unsigned int from;		/* the batch's source */
	struct packet past[PAST];	/* authentic, and sent */
	struct packet late;		/* authentic, and not sent yet */
	uint64_t expected[OUTCOMES];
	uint64_t floats, sent;
	uint64_t read;			/* by userspace */
	unsigned int count;		/* of the batch */
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	uint8_t room[BATCH][SMALL];
	uint8_t jumbo[JUMBO];
} f;

/* ---- what becomes of it ---- */

/* The only peer at this source; -1 if there is none, -2 if there are more. */
static int peer_at(unsigned int source)
{
	unsigned int i;
	int found = -1;

	for (i = 0; i < PEERS; i++)
		if (f.at[i] == source)
			found = found == -1 ? (int)i : -2;
	return found;
}

static int peer_of(const struct wire_header *h)
{
	unsigned int i;

	if (h->peer_id == WIRE_PEER_ID_NONE)
		return peer_at(f.from);
	for (i = 0; i < PEERS; i++)
		if (f.far[i].id == h->peer_id)
			return i;
	return -1;
}

/* What is not authentic any more, or never was. */
static enum outcome foretell(const uint8_t *bytes, size_t len)
{
	uint8_t head[WIRE_HEADER_LEN] = { 0 };
	struct wire_header h;
	int peer;

	if (len < 4)
		return SHORT;
	memcpy(head, bytes, len < sizeof(head) ? len : sizeof(head));
	wire_parse(head, sizeof(head), &h);
	if (h.op != WIRE_OP_DATA_V2)
		return CONTROL;
	peer = peer_of(&h);
	if (peer < 0)
		return UNKNOWN_PEER;
	if (len < WIRE_HEADER_LEN)
		return SHORT;
	return h.key_id == f.far[peer].seal.id ? AUTH : UNKNOWN_KEY;
}

static void queue(const void *bytes, size_t len, enum outcome outcome)
{
	uint8_t *to = len > SMALL ? f.jumbo : f.room[f.count];

	if (to != bytes && len)
		memcpy(to, bytes, len);
	f.iov[f.count] = (struct iovec){ to, len };
	f.count++;
	f.expected[outcome]++;
}

/* The newest packet of a peer: from now on the peer is where it came from. */
static void seen_here(unsigned int peer, uint32_t id)
{
	f.newest[peer] = id;
	if (f.at[peer] != f.from)
		f.floats++;
	f.at[peer] = f.from;
}

/* ---- authentic packets ---- */

static size_t seal(unsigned int peer, uint32_t id, const void *plain,
		   size_t len, void *to)
{
	struct data_far *far = &f.far[peer];
	uint32_t wire_id = far->id;

	/* a peer that does not know its id is known by its address */
	if (peer_at(f.from) == (int)peer && once_in(4))
		wire_id = WIRE_PEER_ID_NONE;
	return wire_seal(&far->seal, wire_id, id, plain, len, to);
}

/* What is inside, and what becomes of that: its length. */
static size_t content(unsigned int peer, uint8_t *plain, size_t max,
		      enum outcome *outcome)
{
	const struct data_far *far = &f.far[peer];
	const struct data_far *claimed = far;
	size_t len;

	*outcome = DELIVERED;
	switch (chance_below(8)) {
	case 0:
		*outcome = KEEPALIVE;
		memcpy(plain, wire_ping, sizeof(wire_ping));
		return sizeof(wire_ping);
	case 1:
		/* too short for a header, or of no version that there is */
		*outcome = NOT_IP;
		len = chance_below(once_in(2) ? 20 : max);
		chance_bytes(plain, len);
		if (len)
			plain[0] = 0x90 | (plain[0] & 0xf);
		return len;
	case 2:
		*outcome = RPF;
		claimed = &f.far[(peer + 1) % PEERS];
	}
	len = 50 + chance_below(max - 50 + 1);
	if (once_in(2))
		return data_inner(plain, claimed->ipv6, VPN_NEAR6, len, len);
	return data_inner(plain, claimed->ipv4, VPN_NEAR4, len, len);
}

static void send_authentic(unsigned int peer)
{
	struct packet *past = &f.past[chance_below(PAST)];
	struct data_far *far = &f.far[peer];
	uint8_t plain[SMALL];
	enum outcome outcome;
	size_t len;

	/* now and then some are lost, or more than the window is wide */
	if (once_in(500))
		far->next += chance_below(2 * WINDOW);
	past->peer = peer;
	past->id = far->next++;
	len = content(peer, plain, 1400, &outcome);
	past->len = seal(peer, past->id, plain, len, past->bytes);
	queue(past->bytes, past->len, outcome);
	seen_here(peer, past->id);
}

/* Fragments on the wire; one a batch. */
static void send_jumbo(unsigned int peer)
{
	static uint8_t plain[JUMBO];
	struct data_far *far = &f.far[peer];
	enum outcome outcome;
	size_t len, at;

	len = content(peer, plain, JUMBO - WIRE_HEADER_LEN, &outcome);
	if (len + WIRE_HEADER_LEN <= SMALL)
		return;
	len = seal(peer, far->next, plain, len, f.jumbo);
	if (once_in(2)) {
		at = WIRE_HEADER_LEN + chance_below(len - WIRE_HEADER_LEN);
		f.jumbo[at] ^= 1 << chance_below(8);
		outcome = AUTH;
	} else {
		seen_here(peer, far->next);
	}
	far->next++;
	queue(f.jumbo, len, outcome);
}

/* With an id as if it had been sent long ago. */
static bool is_old(const struct packet *p)
{
	return f.newest[p->peer] - p->id >= WINDOW;
}

static void send_replay(void)
{
	const struct packet *p = &f.past[chance_below(PAST)];
	struct wire_header h;

	/* Not where the address would mean somebody else. */
	if (!p->len || !wire_parse(p->bytes, p->len, &h) ||
	    peer_of(&h) != (int)p->peer)
		return;
	queue(p->bytes, p->len, is_old(p) ? OLD : REPLAY);
}

/* Seals a packet for later, and sends the one from before. */
static void send_late(void)
{
	struct packet *p = &f.late;
	const struct data_far *far;
	uint8_t plain[100];
	size_t len;

	/* or it would be the newest */
	if (p->len && f.newest[p->peer] < p->id)
		return;
	if (p->len)
		queue(p->bytes, p->len, is_old(p) ? OLD : DELIVERED);
	p->peer = chance_below(PEERS);
	far = &f.far[p->peer];
	p->id = f.far[p->peer].next++;
	len = data_inner(plain, far->ipv4, VPN_NEAR4, sizeof(plain), 1);
	p->len = wire_seal(&far->seal, far->id, p->id, plain, len, p->bytes);
}

static void send_id_zero(unsigned int peer)
{
	uint8_t plain[100], packet[sizeof(plain) + WIRE_HEADER_LEN];
	size_t len = chance_below(sizeof(plain));

	chance_bytes(plain, len);
	len = seal(peer, 0, plain, len, packet);
	queue(packet, len, ID_ZERO);
}

/* ---- and what was authentic ---- */

static void set_op32(uint8_t *bytes, uint8_t op, uint8_t key_id, uint32_t peer)
{
	uint32_t op32 = htonl(wire_op32(op, key_id, peer));

	memcpy(bytes, &op32, sizeof(op32));
}

static size_t mutate(uint8_t *bytes, size_t len)
{
	struct wire_header h;
	unsigned int i;

	wire_parse(bytes, len, &h);
	switch (chance_below(9)) {
	case 0:
		bytes[chance_below(len)] ^= 1 << chance_below(8);
		return len;
	case 1:
		for (i = 1 + chance_below(16); i; i--)
			bytes[chance_below(len)] = chance();
		return len;
	case 2:
		return chance_below(len);
	case 3:
		return chance_below(WIRE_HEADER_LEN + 2);
	case 4:
		i = 1 + chance_below(SMALL - len);
		chance_bytes(bytes + len, i);
		return len + i;
	case 5:
		set_op32(bytes, chance_below(32), h.key_id, h.peer_id);
		return len;
	case 6:
		set_op32(bytes, h.op, chance_below(8), h.peer_id);
		return len;
	case 7:
		set_op32(bytes, h.op, h.key_id, once_in(2) ? chance_number() :
			 f.far[chance_below(PEERS)].id);
		return len;
	default:
		chance_bytes(bytes, len);
		return len;
	}
}

static void send_mutated(unsigned int peer)
{
	uint8_t plain[SMALL], packet[SMALL], copy[SMALL];
	struct data_far *far = &f.far[peer];
	enum outcome outcome;
	struct wire_header h;
	size_t len, cut;

	len = content(peer, plain, 1000, &outcome);
	len = seal(peer, far->next++, plain, len, packet);
	do {
		memcpy(copy, packet, len);
		cut = mutate(copy, len);
		/* by address, where several are: who knows */
	} while ((cut == len && !memcmp(copy, packet, len)) ||
		 (wire_parse(copy, cut < WIRE_HEADER_LEN ? WIRE_HEADER_LEN :
			     cut, &h) && peer_of(&h) == -2));
	queue(copy, cut, foretell(copy, cut));
}

/* ---- the stand ---- */

static bool peers_add(void)
{
	static const struct data_far_args args[PEERS] = {
		{ .id = 10, .addr = FAR4, .ipv4 = "10.8.0.2",
		  .ipv6 = "fd08::2", .key_id = 1 },
		{ .id = 0xabcdef, .addr = FAR6, .ipv4 = "10.8.0.3",
		  .ipv6 = "fd08::3", .key_id = 2,
		  .alg = OVPN_CIPHER_ALG_CHACHA20_POLY1305 },
		{ .id = 0, .addr = FAR4_B, .ipv4 = "10.8.0.4",
		  .ipv6 = "fd08::4", .key_id = 1, .key_len = 16 },
	};
	unsigned int i;

	for (i = 0; i < PEERS; i++) {
		if (!data_far_add(f.bed, &f.far[i], &args[i]))
			return false;
		f.source[i] = f.far[i].fd;
		f.at[i] = i;
	}
	return true;
}

static void connect_to(int fd, int family)
{
	struct sockaddr_in6 to6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(NEAR_PORT),
	};
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(NEAR_PORT),
	};
	int ret;

	inet_pton(AF_INET, NEAR4, &to.sin_addr);
	inet_pton(AF_INET6, NEAR6, &to6.sin6_addr);
	if (family == AF_INET)
		ret = connect(fd, (struct sockaddr *)&to, sizeof(to));
	else
		ret = connect(fd, (struct sockaddr *)&to6, sizeof(to6));
	if (ret)
		ktap_bail("connect: %m");
}

static void sources_open(void)
{
	static const int family[SOURCES] = {
		AF_INET, AF_INET6, AF_INET, AF_INET, AF_INET6, AF_INET,
	};
	unsigned int i;

	f.source[3] = udp_socket(f.bed->far, FAR4_C, 0);
	f.source[4] = udp_socket(f.bed->far, FAR6_B, 0);
	f.source[5] = udp_socket(f.bed->far, FAR4_C, 0);
	for (i = 0; i < SOURCES; i++)
		connect_to(f.source[i], family[i]);
}

static uint64_t drain(int fd)
{
	uint64_t count = 0;
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		count++;
	return count;
}

static void send_batch(void)
{
	unsigned int i, done = 0;
	int ret;

	for (i = 0; i < f.count; i++)
		f.msg[i].msg_hdr = (struct msghdr){
			.msg_iov = &f.iov[i],
			.msg_iovlen = 1,
		};
	while (done < f.count) {
		ret = sendmmsg(f.source[f.from], f.msg + done, f.count - done,
			       0);
		if (!CHECK_GE(1, ret))
			return;
		done += ret;
	}
	f.sent += f.count;
	f.count = 0;
	f.read += drain(f.bed->sock);
	drain(f.bed->sink);
	drain(f.bed->tap);
}

static void fill_batch(void)
{
	bool jumbo = once_in(8);
	unsigned int peer;

	f.from = chance_below(SOURCES);
	while (f.count < BATCH) {
		peer = chance_below(PEERS);
		switch (chance_below(16)) {
		case 0:
		case 1:
		case 2:
			send_authentic(peer);
			break;
		case 3:
			send_replay();
			break;
		case 4:
			send_late();
			break;
		case 5:
			send_id_zero(peer);
			break;
		case 6:
			if (jumbo)
				send_jumbo(peer);
			jumbo = false;
			break;
		default:
			send_mutated(peer);
		}
	}
}

/* ---- the account ---- */

static uint64_t count_of(const char *name)
{
	return ethtool_count(f.bed->near, TUN, name);
}

static bool all_counted(void)
{
	struct data_dev dev;
	unsigned int i;
	uint64_t sum;

	data_dev_counters(f.bed->near, TUN, &dev);
	sum = dev.rx_packets;
	for (i = 0; i < OUTCOMES; i++)
		if (counter[i])
			sum += count_of(counter[i]);
	return sum == f.sent;
}

static void compare(const char *what, unsigned long long want,
		    unsigned long long got)
{
	CHECK_MSG(want == got, "%s: %llu, expected %llu", what, got, want);
}

static void check_counters(void)
{
	struct data_dev dev;
	unsigned int i;

	CHECK(WAIT_FOR(all_counted(), DATA_WAIT_MS));
	data_dev_counters(f.bed->near, TUN, &dev);
	compare("delivered", f.expected[DELIVERED], dev.rx_packets);
	for (i = 0; i < OUTCOMES; i++)
		if (counter[i])
			compare(counter[i], f.expected[i],
				count_of(counter[i]));
	compare("rx_float", f.floats, count_of("rx_float"));
	f.read += drain(f.bed->sock);
	compare("read by userspace", f.expected[CONTROL], f.read);
}

static void report(void)
{
	unsigned int i;

	ktap_note("%llu datagrams, %llu delivered",
		  (unsigned long long)f.sent,
		  (unsigned long long)f.expected[DELIVERED]);
	for (i = 0; i < OUTCOMES; i++)
		CHECK_MSG(f.expected[i], "none for %s",
			  counter[i] ? counter[i] : "delivery");
}

/* Each peer, both ways, from where it was at first. */
static void check_traffic(void)
{
	struct data_far *far;
	unsigned int i;

	drain(f.bed->tap);
	for (i = 0; i < PEERS; i++) {
		far = &f.far[i];
		drain(far->fd);
		far->next += WINDOW;
		CHECK(data_to_near(f.bed, far));
		CHECK(data_to_far(f.bed, far, NULL, NULL));
	}
}

static void datagrams(struct data_bed *bed)
{
	unsigned int count = scaled(DATAGRAMS), batches = 0;
	unsigned int i;

	f.bed = bed;
	file_set_for_now("/proc/sys/net/core/netdev_max_backlog", "20000");
	data_stay_on_cpu();
	if (!peers_add())
		return;
	sources_open();
	while (f.sent < count && ktap_good()) {
		fill_batch();
		send_batch();
		if (!(++batches % ROUND))
			check_counters();
	}
	check_counters();
	report();
	check_traffic();
	for (i = 0; i < SOURCES; i++)
		close(f.source[i]);
}

static const struct data_case cases[] = {
	{ "datagrams of all kinds", { OVPN_MODE_MP, "::" }, datagrams },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
