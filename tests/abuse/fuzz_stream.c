// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections, one after the other, on which a stream arrives that may be
 * broken anywhere, cut anywhere, and that ends in one of the ways in which
 * streams end. A model of the stream says what userspace has to read, what has
 * to become of each data packet, and whether the peer survives; afterwards the
 * socket has to be one like any other.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "abuse.h"
#include "data_util.h"

#define PACKETS		100000
#define MOST		512		/* of one connection */
#define ROOM		1048576		/* for one connection's stream */
#define GOOD_ID		0xfedcba

enum outcome {
	DELIVERED, KEEPALIVE, CONTROL, SHORT, UNKNOWN_KEY, AUTH, REPLAY,
	ID_ZERO, NOT_IP, OUTCOMES,
};

/* The counters; those of the device itself count what is delivered. */
static const char *const counter[OUTCOMES] = {
	[KEEPALIVE] = "rx_keepalive",
	[CONTROL] = "rx_control",
	[SHORT] = "rx_drop_short",
	[UNKNOWN_KEY] = "rx_drop_unknown_key",
	[AUTH] = "rx_drop_auth",
	[REPLAY] = "rx_drop_replay",
	[ID_ZERO] = "rx_drop_id_zero",
	[NOT_IP] = "rx_drop_not_ip",
};

enum ending {
	STAYS,		/* and the peer is deleted */
	ENDS,		/* the far end has no more to say */
	RESETS,
	ENDINGS,
};

/* An authentic packet, if nothing breaks it. */
struct sealed {
	size_t at;	/* of its length */
	size_t len;	/* with that */
	uint32_t id;
	enum outcome outcome;
};

static struct {
	struct data_bed *bed;
	struct data_far far;
	uint8_t bytes[ROOM];
	size_t len;
	struct sealed sealed[MOST];
	unsigned int sealed_count;
	/* what the model says */
	uint8_t control[ROOM];
	size_t control_len;
	size_t rest;		/* where the last whole packet ends */
	bool broken;		/* a packet of length 0 is there */
	/* what was read */
	uint8_t got[ROOM];
	size_t got_len;
	/* of all connections */
	unsigned int packets, connections;
	uint64_t expected[OUTCOMES];
	unsigned int ended[ENDINGS][2];	/* and broken or not before */
} f;

/* ---- a stream ---- */

static void append(const void *packet, size_t len)
{
	f.len += stream_frame(f.bytes + f.len, packet, len);
	f.packets++;
}

static void add_control(void)
{
	static uint8_t packet[WIRE_MAX];
	size_t len = once_in(64) ? 1 + chance_below(65535) :
				   1 + chance_below(200);

	chance_bytes(packet, len);
	if (packet[0] >> 3 == WIRE_OP_DATA_V2)
		packet[0] = 0;
	append(packet, len);
}

static void add_sealed(void)
{
	struct sealed *s = &f.sealed[f.sealed_count++];
	uint8_t plain[2048], packet[2048];
	size_t len = sizeof(wire_ping);

	*s = (struct sealed){ .at = f.len, .outcome = DELIVERED };
	s->id = f.far.next++;
	switch (chance_below(8)) {
	case 0:
		s->outcome = KEEPALIVE;
		memcpy(plain, wire_ping, len);
		break;
	case 1:
		s->outcome = NOT_IP;
		len = chance_below(100);
		memset(plain, 0x99, len);
		break;
	case 2:
		s->outcome = ID_ZERO;
		s->id = 0;
		memset(plain, 0, len);
		break;
	default:
		len = data_inner(plain, VPN_FAR4, VPN_NEAR4,
				 50 + chance_below(1400), s->id);
	}
	len = wire_seal(&f.far.seal, f.far.id, s->id, plain, len, packet);
	append(packet, len);
	s->len = f.len - s->at;
}

static void add_replay(void)
{
	const struct sealed *old;
	struct sealed *s;

	if (!f.sealed_count)
		return;
	old = &f.sealed[chance_below(f.sealed_count)];
	s = &f.sealed[f.sealed_count++];
	*s = *old;
	s->at = f.len;
	memcpy(f.bytes + f.len, f.bytes + old->at, old->len);
	f.len += old->len;
	f.packets++;
}

/* Looks like a data packet, of any length. */
static void add_forged(void)
{
	uint32_t op32 = htonl(wire_op32(WIRE_OP_DATA_V2, chance_below(8),
					once_in(2) ? f.far.id : chance()));
	static uint8_t packet[WIRE_MAX];
	size_t len = 1 + chance_below(once_in(2) ? 30 : 1500);

	if (once_in(200))
		len = 65535;
	chance_bytes(packet, len);
	memcpy(packet, &op32, len < 4 ? len : 4);
	append(packet, len);
}

/* Overwrites some of it, lengths as well as packets, from @from on. */
static void break_stream(size_t from)
{
	size_t at = from + chance_below(f.len - from);
	size_t len = 1 + chance_below(once_in(4) ? 300 : 4);
	struct sealed *s;

	if (len > f.len - at)
		len = f.len - at;
	if (once_in(8))
		memset(f.bytes + at, 0, len);
	else
		chance_bytes(f.bytes + at, len);
	/* none of these is authentic any more */
	for (s = f.sealed; s < f.sealed + f.sealed_count; s++)
		if (s->at < at + len && at < s->at + s->len)
			s->outcome = OUTCOMES;
}

static void make_stream(void)
{
	unsigned int count = chance_below(MOST), i;
	size_t from = f.len;

	f.sealed_count = 0;
	for (i = 0; i < count && f.len < ROOM - 2 * WIRE_MAX; i++) {
		/* what nothing can follow */
		if (once_in(2 * MOST))
			append(NULL, 0);
		switch (chance_below(8)) {
		case 0:
		case 1:
			add_control();
			break;
		case 2:
			add_replay();
			break;
		case 3:
		case 4:
			add_forged();
			break;
		default:
			add_sealed();
		}
	}
	if (f.len - from < 100)
		return;
	for (i = chance_below(4); i; i--)
		break_stream(from);
	/* in the middle of a packet */
	if (once_in(3))
		f.len -= chance_below(100);
}

/* ---- what has to become of it ---- */

static enum outcome foretell(const uint8_t *packet, size_t len)
{
	if (packet[0] >> 3 != WIRE_OP_DATA_V2)
		return CONTROL;
	if (len < WIRE_HEADER_LEN)
		return SHORT;
	return (packet[0] & 7) == f.far.seal.id ? AUTH : UNKNOWN_KEY;
}

static enum outcome outcome_of(size_t at, size_t len, bool *seen)
{
	const struct sealed *s;

	for (s = f.sealed; s < f.sealed + f.sealed_count; s++)
		if (s->at == at && s->outcome != OUTCOMES)
			break;
	if (s == f.sealed + f.sealed_count)
		return foretell(f.bytes + at + STREAM_HEAD_LEN, len);
	if (!s->id)
		return ID_ZERO;
	if (seen[s->id])
		return REPLAY;
	seen[s->id] = true;
	return s->outcome;
}

static void model(void)
{
	bool seen[MOST + 1] = { false };
	enum outcome outcome;
	size_t at = 0, len;

	f.control_len = 0;
	f.broken = false;
	while (at + STREAM_HEAD_LEN <= f.len) {
		len = f.bytes[at] << 8 | f.bytes[at + 1];
		f.broken = !len;
		if (f.broken || at + STREAM_HEAD_LEN + len > f.len)
			break;
		outcome = outcome_of(at, len, seen);
		f.expected[outcome]++;
		len += STREAM_HEAD_LEN;
		if (outcome == CONTROL) {
			memcpy(f.control + f.control_len, f.bytes + at, len);
			f.control_len += len;
		}
		at += len;
	}
	f.rest = at;
}

/* What follows the packets for userspace, once the module lets go. */
static void expect_rest(const void *bytes, size_t len)
{
	memcpy(f.control + f.control_len, bytes, len);
	f.control_len += len;
}

/* ---- sending and reading ---- */

/* Reads what is there: 1, 0 at the end of the stream, -errno. */
static int read_some(void)
{
	size_t room = once_in(4) ? 1 + chance_below(100) : ROOM;
	ssize_t got;

	if (room > ROOM - f.got_len)
		room = ROOM - f.got_len;
	got = recv(f.far.sock, f.got + f.got_len, room, MSG_DONTWAIT);
	if (got <= 0)
		return got ? -errno : 0;
	f.got_len += got;
	return 1;
}

/* Until an end or an error, or until all is read that is expected. */
static int read_rest(void)
{
	struct pollfd p = { .fd = f.far.sock, .events = POLLIN };
	int ret = 1;

	while (ret == 1 && f.got_len < f.control_len) {
		if (poll(&p, 1, DATA_WAIT_MS) <= 0)
			return -ETIMEDOUT;
		ret = read_some();
		if (ret == -EAGAIN)
			ret = 1;
	}
	return ret;
}

/* The next thing to be read; not data. */
static int read_end(void)
{
	struct pollfd p = { .fd = f.far.sock, .events = POLLIN };

	if (poll(&p, 1, DATA_WAIT_MS) <= 0)
		return -ETIMEDOUT;
	return read_some();
}

static size_t chunk_size(unsigned int style)
{
	switch (style) {
	case 0:
		return 1 + chance_below(8);
	case 1:
		return 1 + chance_below(1500);
	default:
		return 1 + chance_below(100000);
	}
}

/* Sends from @at on; userspace reads when it likes, or when it has to. */
static size_t send_stream(size_t at, size_t end, unsigned int style, bool lazy)
{
	int64_t limit = now_ms() + 10 * DATA_WAIT_MS;
	ssize_t sent;
	size_t len;

	while (at < end && now_ms() < limit) {
		len = chunk_size(style);
		if (len > end - at)
			len = end - at;
		sent = send(f.far.fd, f.bytes + at, len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0)
			at += sent;
		else if (!CHECK_EQ(EAGAIN, errno))
			break;
		if (sent < 0)
			sleep_ms(1);
		if (sent < 0 || (!lazy && once_in(4)))
			read_some();
	}
	return at;
}

static bool all_arrived(void)
{
	int left = 0;

	if (ioctl(f.far.fd, SIOCOUTQ, &left))
		return false;
	/* it may have to wait for userspace */
	if (left)
		read_some();
	return !left;
}

/* ---- the account ---- */

static uint64_t count_of(const char *name)
{
	return ethtool_count(f.bed->near, TUN, name);
}

static bool all_counted(void)
{
	uint64_t sum, want = 0;
	struct data_dev dev;
	unsigned int i;

	data_dev_counters(f.bed->near, TUN, &dev);
	sum = dev.rx_packets;
	for (i = 0; i < OUTCOMES; i++) {
		want += f.expected[i];
		if (counter[i])
			sum += count_of(counter[i]);
	}
	return sum == want;
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

	data_dev_counters(f.bed->near, TUN, &dev);
	compare("delivered", f.expected[DELIVERED], dev.rx_packets);
	for (i = 0; i < OUTCOMES; i++)
		if (counter[i])
			compare(counter[i], f.expected[i],
				count_of(counter[i]));
}

/* ---- endings ---- */

static void check_read(void)
{
	CHECK_EQ(1, read_rest());
	if (CHECK_EQ(f.control_len, f.got_len))
		CHECK_MEMEQ(f.control, f.got, f.got_len);
}

static void check_notified(enum ovpn_del_peer_reason reason)
{
	struct ovpn_ntf ntf;

	if (!CHECK_ERR(0, data_wait_ntf(f.bed, &ntf, DATA_WAIT_MS)))
		return;
	CHECK_EQ(f.far.id, ntf.peer_id);
	CHECK_EQ(reason, ntf.reason);
}

/*
 * The peer is gone: the module gives the socket back, with all that it did not
 * make sense of.
 */
static void check_given_back(enum ovpn_del_peer_reason reason)
{
	check_notified(reason);
	CHECK(stream_detached(f.far.sock));
	expect_rest(f.bytes + f.rest, f.len - f.rest);
}

static int delete_peer(void)
{
	return ovpn_nl_del_peer(f.bed->nl, f.bed->ifindex, f.far.id);
}

/* All that was sent has been dealt with. */
static void settle(void)
{
	CHECK(WAIT_FOR(all_arrived(), DATA_WAIT_MS));
	if (f.broken) {
		check_given_back(OVPN_DEL_PEER_REASON_TRANSPORT_ERROR);
		CHECK_ERR(-ENOENT, delete_peer());
	}
	check_read();
	if (!CHECK(WAIT_FOR(all_counted(), DATA_WAIT_MS)))
		check_counters();
}

static void delete_and_read(void)
{
	CHECK_ERR(0, delete_peer());
	check_given_back(OVPN_DEL_PEER_REASON_USERSPACE);
	check_read();
}

/* From now on it is a socket like any other. */
static void stays(void)
{
	static const char text[] = "plain";
	char got[sizeof(text)];

	if (!f.broken)
		delete_and_read();
	CHECK_ERR(0, stream_write(f.far.fd, text, sizeof(text)));
	CHECK_EQ(sizeof(text), stream_read(f.far.sock, got, sizeof(got),
					   DATA_WAIT_MS));
	CHECK_MEMEQ(text, got, sizeof(text));
	CHECK_ERR(0, stream_write(f.far.sock, text, sizeof(text)));
	CHECK_EQ(sizeof(text), stream_read(f.far.fd, got, sizeof(got),
					   DATA_WAIT_MS));
	CHECK_MEMEQ(text, got, sizeof(text));
}

/* The other direction works on, and so does the peer. */
static void ends(void)
{
	CHECK_EQ(0, shutdown(f.far.fd, SHUT_WR));
	CHECK_EQ(0, read_end());
	if (!f.broken) {
		CHECK(data_to_far(f.bed, &f.far, NULL, NULL));
		delete_and_read();
		CHECK_EQ(0, read_end());
	}
}

/* The kernel notices when it sends, userspace when it reads. */
static void resets(void)
{
	struct pollfd p = { .fd = f.far.sock };
	uint8_t packet[100];
	size_t len;

	stream_reset(f.far.fd);
	f.far.fd = -1;
	CHECK_EQ(1, poll(&p, 1, DATA_WAIT_MS));
	if (!f.broken) {
		len = data_inner(packet, VPN_NEAR4, VPN_FAR4, sizeof(packet),
				 1);
		CHECK_ERR(0, data_near_send(f.bed, packet, len));
		check_given_back(OVPN_DEL_PEER_REASON_TRANSPORT_ERROR);
		CHECK_ERR(-ENOENT, delete_peer());
		check_read();
	}
	CHECK_EQ(-ECONNRESET, read_end());
}

/* ---- connections ---- */

static void one_connection(void)
{
	static void (*const end[ENDINGS])(void) = { stays, ends, resets };
	bool v6 = once_in(3), lazy = once_in(4);
	const struct stream_conf conf = {
		.mapped = !v6 && once_in(3),
		.accepts = once_in(2),
		.near_buf = once_in(4) ? 4096 << chance_below(6) : 0,
		.far_buf = once_in(4) ? 4096 << chance_below(6) : 0,
	};
	const struct data_far_args args = {
		.id = 1 + chance_below(100),
		.addr = v6 ? FAR6 : FAR4,
		.key_id = chance_below(8),
		.tcp = &conf,
	};
	enum ending ending = chance_below(ENDINGS);
	unsigned int style = chance_below(3);
	size_t sent = 0;

	f.len = 0;
	f.got_len = 0;
	data_far_connect(f.bed, &f.far, &args);
	/* some of it is there before the peer */
	if (once_in(4)) {
		add_control();
		sent = f.len < 1000 ? f.len : 1000;
		CHECK_ERR(0, stream_write(f.far.fd, f.bytes, sent));
	}
	if (!data_far_attach(f.bed, &f.far, &args))
		return;
	make_stream();
	model();
	if (!style && f.len > 4000)
		style = 1;
	CHECK_EQ(f.len, send_stream(sent, f.len, style, lazy));
	settle();
	if (ktap_good())
		end[ending]();
	f.ended[ending][f.broken]++;
	data_far_close(&f.far);
	f.connections++;
}

static void drain(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		;
}

static void report(void)
{
	static const char *const what[ENDINGS] = {
		"deleted", "ended by the other end", "reset",
	};
	unsigned int i;

	ktap_note("%u packets on %u connections", f.packets, f.connections);
	for (i = 0; i < ENDINGS; i++) {
		ktap_note("%s: %u, broken before: %u", what[i],
			  f.ended[i][false], f.ended[i][true]);
		CHECK(f.ended[i][false]);
		CHECK(f.ended[i][true]);
	}
	for (i = 0; i < OUTCOMES; i++)
		CHECK_MSG(f.expected[i], "none for %s",
			  counter[i] ? counter[i] : "delivery");
}

static void streams(struct data_bed *bed)
{
	static const struct stream_conf conf;
	const struct data_far_args args = {
		.id = GOOD_ID,
		.addr = FAR4_B,
		.ipv4 = VPN_FAR4_B,
		.tcp = &conf,
	};
	unsigned int count = scaled(PACKETS);
	struct data_far good;

	f.bed = bed;
	if (!data_far_add(bed, &good, &args))
		return;
	while (f.packets < count && ktap_good())
		one_connection();
	check_counters();
	report();
	drain(bed->tap);
	drain(bed->sink);
	CHECK(data_to_near(bed, &good));
	CHECK(data_to_far(bed, &good, NULL, NULL));
	data_far_close(&good);
}

static const struct data_case cases[] = {
	{ "streams of all kinds", { OVPN_MODE_MP }, streams },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
