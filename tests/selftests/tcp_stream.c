// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes in on a TCP connection: data packets to the device, everything
 * else to whoever reads the socket, wherever the stream is cut. Reading behaves
 * as on any socket: those cases run on a connection that the module knows
 * nothing of as well. (In the family ovpn it does not, see ovpn_tcp.)
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <netinet/tcp.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID	5

static const struct stream_conf usual;
static const struct data_far_args one = { .id = PEER_ID, .tcp = &usual };

/* ---- a stream and what has to become of it ---- */

#define MAX_DATA	64

static struct script {
	uint8_t bytes[1 << 18];		/* what the far end sends */
	size_t len;
	uint8_t control[1 << 18];	/* what the socket's owner reads */
	size_t control_len;
	struct {
		size_t size;
		unsigned int seed;
	} data[MAX_DATA];		/* what the device delivers */
	unsigned int data_count;
	unsigned int seed;
} script;

static void script_start(void)
{
	script.len = 0;
	script.control_len = 0;
	script.data_count = 0;
}

static void script_data(struct data_far *far, size_t size)
{
	uint8_t plain[WIRE_MAX], packet[WIRE_MAX];
	size_t len;

	if (script.data_count == MAX_DATA ||
	    script.len + size + 64 > sizeof(script.bytes))
		ktap_bail("script too long");
	script.data[script.data_count].size = size;
	script.data[script.data_count++].seed = ++script.seed;
	len = data_inner(plain, far->ipv4, VPN_NEAR4, size, script.seed);
	len = wire_seal(&far->seal, far->id, far->next++, plain, len, packet);
	script.len += stream_frame(script.bytes + script.len, packet, len);
}

/* Any bytes but those of an opcode that is the kernel's. */
static void make_control(uint8_t *packet, size_t len)
{
	static unsigned int seed;
	size_t i;

	seed++;
	for (i = 0; i < len; i++)
		packet[i] = seed + i * 3 + (i >> 8);
	/* the family ovpn wants nothing of the other format either */
	if (len && (packet[0] >> 3 == WIRE_OP_DATA_V2 ||
		    (packet[0] >> 3 == WIRE_OP_DATA_V1 && speaks_ovpn())))
		packet[0] ^= 1 << 3;
}

static void script_control(size_t size)
{
	uint8_t packet[WIRE_MAX];
	size_t len;

	if (script.len + size + 2 > sizeof(script.bytes))
		ktap_bail("script too long");
	make_control(packet, size);
	len = stream_frame(script.bytes + script.len, packet, size);
	memcpy(script.control + script.control_len, script.bytes + script.len,
	       len);
	script.len += len;
	script.control_len += len;
}

/* Was a packet only overtaken? For who reads why the test failed. */
static void look_behind(struct data_bed *bed, const uint8_t *want, size_t len)
{
	uint8_t got[WIRE_MAX];
	unsigned int i;
	int size;

	for (i = 1; i < MAX_DATA; i++) {
		size = packet_recv(bed->tap, got, sizeof(got), DATA_WAIT_MS);
		if (size < 0)
			return;
		if (size == (int)len && !memcmp(want, got, len)) {
			ktap_note("it came %u packets later", i);
			return;
		}
	}
}

static bool delivered(struct data_bed *bed, const struct data_far *far)
{
	uint8_t want[WIRE_MAX], got[WIRE_MAX];
	unsigned int i;
	size_t len;

	for (i = 0; i < script.data_count; i++) {
		len = data_inner(want, far->ipv4, VPN_NEAR4,
				 script.data[i].size, script.data[i].seed);
		if (!CHECK_EQ(len, packet_recv(bed->tap, got, sizeof(got),
					       DATA_WAIT_MS)) ||
		    !CHECK_MEMEQ(want, got, len)) {
			look_behind(bed, want, len);
			return false;
		}
	}
	return data_near_empty(bed);
}

static bool read_control(const struct data_far *far)
{
	static uint8_t got[sizeof(script.control)];

	return CHECK_EQ(script.control_len,
			stream_read(far->sock, got, script.control_len,
				    DATA_WAIT_MS)) &&
	       CHECK_MEMEQ(script.control, got, script.control_len) &&
	       CHECK(udp_quiet(far->sock, 0));
}

static bool script_check(struct data_bed *bed, const struct data_far *far)
{
	return delivered(bed, far) && read_control(far);
}

/* ---- cut anywhere ---- */

static void script_mixed(struct data_far *far)
{
	static const struct {
		size_t data, control;
	} steps[] = {
		{ 50, 1 }, { 0, 2 }, { 0, 3 }, { 51, 14 }, { 52, 0 },
		{ 600, 500 }, { 0, 24 }, { 53, 25 }, { 0, 26 }, { 54, 0 },
	};
	unsigned int i;

	script_start();
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i].data)
			script_data(far, steps[i].data);
		if (steps[i].control)
			script_control(steps[i].control);
	}
}

static void every_chunk_size(struct data_bed *bed)
{
	static const size_t chunks[] = {
		1, 2, 3, 4, 7, 25, 26, 27, 76, 77, 78, 500, 4096,
	};
	struct data_drops before;
	struct data_far far;
	unsigned int i;
	size_t at, len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		script_mixed(&far);
		for (at = 0; at < script.len; at += len) {
			len = script.len - at;
			if (len > chunks[i])
				len = chunks[i];
			if (!CHECK_ERR(0, stream_write(far.fd,
						       script.bytes + at, len)))
				return;
		}
		if (!script_check(bed, &far)) {
			ktap_note("in chunks of %zu", chunks[i]);
			break;
		}
	}
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

static void every_cut(struct data_bed *bed)
{
	struct data_far far;
	size_t cut = 0;

	if (!data_far_add(bed, &far, &one))
		return;
	do {
		cut++;
		script_start();
		script_data(&far, 50);
		script_control(20);
		script_data(&far, 60);
		CHECK_ERR(0, stream_write(far.fd, script.bytes, cut));
		CHECK_ERR(0, stream_write(far.fd, script.bytes + cut,
					  script.len - cut));
		if (!script_check(bed, &far)) {
			ktap_note("cut behind byte %zu", cut);
			break;
		}
	} while (cut < script.len - 1);
	data_far_close(&far);
}

/* Many packets in a segment, many segments at once. */
static void in_one_go(struct data_bed *bed)
{
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	script_start();
	for (i = 0; i < MAX_DATA; i++) {
		script_data(&far, 50 + i * 23);
		if (i % 3 == 0)
			script_control(1 + i * 17);
	}
	CHECK_ERR(0, stream_write(far.fd, script.bytes, script.len));
	script_check(bed, &far);
	data_far_close(&far);
}

static void largest(struct data_bed *bed)
{
	uint8_t packet[WIRE_MAX] = { WIRE_OP_DATA_V2 << 3 };
	struct data_drops before;
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	script_start();
	script_control(65535);
	script_data(&far, 65535 - WIRE_HEADER_LEN);
	script_control(65534);
	CHECK_ERR(0, stream_write(far.fd, script.bytes, script.len));
	script_check(bed, &far);
	/* as long as it gets, and not authentic */
	data_drops_read(bed, &before);
	packet[7] = 77;
	data_far_send_raw(&far, packet, 65535);
	data_check_drops(bed, &before, "rx_drop_auth", 1);
	data_to_near(bed, &far);
	data_far_close(&far);
}

/* ---- both families, both ways to connect ---- */

struct way {
	struct stream_conf conf;
	const char *addr;
};

static void ways(struct data_bed *bed)
{
	const struct way *way = bed->arg;
	struct data_far_args args = one;
	struct data_far far;

	args.tcp = &way->conf;
	args.addr = way->addr;
	if (!data_far_add(bed, &far, &args))
		return;
	script_mixed(&far);
	CHECK_ERR(0, stream_write(far.fd, script.bytes, script.len));
	script_check(bed, &far);
	data_to_far(bed, &far, NULL, NULL);
	data_to_near(bed, &far);
	data_far_close(&far);
}

/* ---- there before the peer is ---- */

/* Whole packets and the first @rest bytes of one more. */
static void queued(struct data_bed *bed, size_t rest)
{
	struct data_far_args args = one;
	uint8_t plain[WIRE_MAX], packet[WIRE_MAX], frame[STREAM_MAX];
	struct data_drops before;
	struct data_far far;
	size_t len;

	args.no_key = true;
	data_far_connect(bed, &far, &args);
	/* the key is not known before the peer is */
	data_key_renew(&far, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	far.ipv4 = VPN_FAR4;
	script_start();
	script_control(14);
	script_control(3000);
	script_data(&far, 200);
	script_control(20);
	script.data_count = 0;
	CHECK_ERR(0, stream_write(far.fd, script.bytes, script.len));
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	data_drops_read(bed, &before);

	/* a packet that begins before and ends behind */
	data_key_renew(&far, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	len = wire_seal(&far.seal, PEER_ID, 1, plain, len, packet);
	len = stream_frame(frame, packet, len);
	CHECK_ERR(0, stream_write(far.fd, frame, rest));
	sleep_ms(10);
	{
		struct wire_key seal = far.seal, open = far.open;

		if (!data_far_attach(bed, &far, &args))
			return;
		far.seal = seal;
		far.open = open;
		far.next = 2;
	}
	data_wait_count(bed, "rx_drop_unknown_key", 1);
	CHECK_ERR(0, data_key_install(bed, &far, OVPN_KEY_SLOT_PRIMARY));
	CHECK_ERR(0, stream_write(far.fd, frame + rest, len - rest));
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	CHECK_EQ(len, packet_recv(bed->tap, packet, sizeof(packet),
				  DATA_WAIT_MS));
	CHECK_MEMEQ(plain, packet, len);
	script_check(bed, &far);
	data_check_drops(bed, &before, "rx_drop_unknown_key", 1);
	data_to_near(bed, &far);
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

static void queued_whole(struct data_bed *bed)
{
	queued(bed, 0);
}

static void queued_in_length(struct data_bed *bed)
{
	queued(bed, 1);
}

static void queued_in_packet(struct data_bed *bed)
{
	queued(bed, 60);
}

/* ---- bad packets ---- */

/* Shorter than a data packet can be. */
static void short_data(struct data_bed *bed)
{
	uint8_t packet[WIRE_HEADER_LEN] = { WIRE_OP_DATA_V2 << 3 };
	struct data_drops before;
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	for (len = 1; len < WIRE_HEADER_LEN; len++)
		data_far_send_raw(&far, packet, len);
	data_check_drops(bed, &before, "rx_drop_short", WIRE_HEADER_LEN - 1);
	data_to_near(bed, &far);
	CHECK(udp_quiet(far.sock, 0));
	data_far_close(&far);
}

/* Dropped and counted as on UDP, and the stream goes on behind them. */
static void bad_data(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX], packet[WIRE_MAX];
	struct data_drops before;
	struct data_far far, other;
	size_t len, plain_len;

	if (!data_far_add(bed, &far, &one))
		return;
	plain_len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);

	data_drops_read(bed, &before);
	other = far;
	other.seal.id = 6;
	data_far_send(&other, plain, plain_len);
	data_check_drops(bed, &before, "rx_drop_unknown_key", 1);
	data_to_near(bed, &far);

	data_drops_read(bed, &before);
	len = wire_seal(&far.seal, far.id, far.next++, plain, plain_len,
			packet);
	packet[len - 1] ^= 1;
	data_far_send_raw(&far, packet, len);
	data_check_drops(bed, &before, "rx_drop_auth", 1);
	data_to_near(bed, &far);

	data_drops_read(bed, &before);
	packet[len - 1] ^= 1;
	data_far_send_raw(&far, packet, len);
	data_far_send_raw(&far, packet, len);
	CHECK_EQ(plain_len, packet_recv(bed->tap, packet, sizeof(packet),
					DATA_WAIT_MS));
	data_check_drops(bed, &before, "rx_drop_replay", 1);
	data_to_near(bed, &far);
	data_far_close(&far);
}

static void zero_length(struct data_bed *bed)
{
	static const uint8_t zero[STREAM_HEAD_LEN];
	struct ovpn_ntf ntf = { 0 };
	struct wire_key key;
	struct data_far far;
	uint8_t got[64];

	if (!data_far_add(bed, &far, &one))
		return;
	script_start();
	script_data(&far, 100);
	script_control(20);
	CHECK_ERR(0, stream_write(far.fd, script.bytes, script.len));
	CHECK_ERR(0, stream_write(far.fd, zero, sizeof(zero)));
	if (CHECK_ERR(0, data_wait_ntf(bed, &ntf, DATA_WAIT_MS))) {
		CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
		CHECK_EQ(PEER_ID, ntf.peer_id);
		CHECK_EQ(OVPN_DEL_PEER_REASON_TRANSPORT_ERROR, ntf.reason);
		CHECK(ntf.exact);
	}
	CHECK_ERR(-ENOENT, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID,
					    NULL));
	/* a server that renegotiates, and has not read that yet, is to live */
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 1);
	CHECK_ERR(0, ovpn_nl_new_key(bed->nl, bed->ifindex, PEER_ID,
				     OVPN_KEY_SLOT_SECONDARY, &key, &key));
	CHECK_ERR(0, ovpn_nl_swap_keys(bed->nl, bed->ifindex, PEER_ID));
	/* what came before has found its way */
	delivered(bed, &far);
	CHECK_EQ(script.control_len, stream_read(far.sock, got,
						 script.control_len,
						 DATA_WAIT_MS));
	CHECK_MEMEQ(script.control, got, script.control_len);
	CHECK_ERR(-ETIMEDOUT, data_wait_ntf(bed, &ntf, 100));
	data_far_close(&far);
}

/* ---- counters ---- */

static void counters(struct data_bed *bed)
{
	struct ovpn_peer_info info;
	struct data_far far;
	uint8_t plain[WIRE_MAX];
	size_t sum = 0;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	script_start();
	for (i = 0; i < 10; i++) {
		script_data(&far, 100 + i);
		script_control(30);
		sum += 100 + i;
	}
	CHECK_ERR(0, stream_write(far.fd, script.bytes, script.len));
	script_check(bed, &far);
	CHECK(WAIT_FOR(!ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID,
					 &info) && info.vpn_rx_packets == 10,
		       DATA_WAIT_MS));
	CHECK_EQ(sum, info.vpn_rx_bytes);
	/* without the lengths in front, as over UDP */
	CHECK_EQ(sum + 10 * WIRE_HEADER_LEN, info.link_rx_bytes);
	CHECK_EQ(10, info.link_rx_packets);
	data_wait_count(bed, "rx_control", 10);

	sum = 0;
	for (i = 0; i < 10; i++) {
		data_inner(plain, VPN_NEAR4, VPN_FAR4, 200 + i, i);
		CHECK_ERR(0, data_near_send(bed, plain, 200 + i));
		CHECK_EQ(200 + i, data_far_recv(&far, plain, NULL, NULL));
		sum += 200 + i;
	}
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, &info));
	CHECK_EQ(sum, info.vpn_tx_bytes);
	CHECK_EQ(10, info.vpn_tx_packets);
	CHECK_EQ(sum + 10 * WIRE_HEADER_LEN, info.link_tx_bytes);
	CHECK_EQ(10, info.link_tx_packets);
	data_far_close(&far);
}

/* ---- reading as from any socket ---- */

struct ends {
	struct data_bed *bed;
	struct data_far *peer;	/* NULL: a connection like any other */
	int near;
	int far;
};

struct semantics {
	void (*run)(struct ends *e);
};

static void on_both(struct data_bed *bed)
{
	const struct semantics *semantics = bed->arg;
	struct ends e = { .bed = bed };
	struct data_far far;
	int fds[2];

	stream_pair(bed->near, NEAR4, bed->far, FAR4, NULL, fds);
	e.near = fds[0];
	e.far = fds[1];
	semantics->run(&e);
	close(e.near);
	close(e.far);
	if (!ktap_good()) {
		ktap_note("that is how any socket behaves");
		return;
	}
	if (!data_far_add(bed, &far, &one))
		return;
	e.peer = &far;
	e.near = far.sock;
	e.far = far.fd;
	semantics->run(&e);
	far.sock = e.near;
	far.fd = e.far;
	data_far_close(&far);
}

/* Something that a reader must not notice. */
static void noise(struct ends *e)
{
	if (e->peer)
		data_to_near(e->bed, e->peer);
}

/* From the far end: a control packet and its length; that of both. */
static size_t control(struct ends *e, uint8_t *frame, size_t len)
{
	uint8_t packet[WIRE_MAX];

	noise(e);
	make_control(packet, len);
	len = stream_frame(frame, packet, len);
	CHECK_ERR(0, stream_write(e->far, frame, len));
	noise(e);
	return len;
}

static ssize_t try_recv(int fd, void *data, size_t len, int flags)
{
	ssize_t got = recv(fd, data, len, flags | MSG_DONTWAIT);

	return got < 0 ? -errno : got;
}

static void partial(struct ends *e)
{
	uint8_t sent[200], got[200] = { 0 };
	size_t len = control(e, sent, 100);

	CHECK(ktap_good() && !udp_quiet(e->near, DATA_WAIT_MS));
	CHECK_EQ(1, try_recv(e->near, got, 1, 0));
	CHECK_EQ(10, try_recv(e->near, got + 1, 10, 0));
	CHECK_EQ(len - 11, try_recv(e->near, got + 11, sizeof(got) - 11, 0));
	CHECK_MEMEQ(sent, got, len);
	CHECK_ERR(-EAGAIN, try_recv(e->near, got, 1, 0));
	CHECK_ERR(-EAGAIN, try_recv(e->near, got, sizeof(got), 0));
	CHECK_ERR(-EAGAIN, try_recv(e->near, got, 0, 0));
}

/* As many bytes as are there, across packets. */
static void several(struct ends *e)
{
	uint8_t sent[600], got[600] = { 0 };
	size_t len;
	int unread;

	len = control(e, sent, 100);
	len += control(e, sent + len, 1);
	len += control(e, sent + len, 200);
	CHECK(WAIT_FOR(try_recv(e->near, got, sizeof(got), MSG_PEEK) ==
		       (ssize_t)len, DATA_WAIT_MS));
	CHECK_MEMEQ(sent, got, len);
	CHECK_EQ(0, ioctl(e->near, FIONREAD, &unread));
	CHECK_EQ(len, unread);
	memset(got, 0, sizeof(got));
	CHECK_EQ(150, try_recv(e->near, got, 150, 0));
	CHECK_EQ(len - 150, try_recv(e->near, got + 150, 450, 0));
	CHECK_MEMEQ(sent, got, len);
	CHECK_EQ(0, ioctl(e->near, FIONREAD, &unread));
	CHECK_EQ(0, unread);
}

static void scattered(struct ends *e)
{
	uint8_t sent[200], a[3] = { 0 }, b[50] = { 0 }, c[200] = { 0 };
	struct iovec iov[] = {
		{ a, sizeof(a) }, { b, sizeof(b) }, { c, sizeof(c) },
	};
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = ARRAY_SIZE(iov),
	};
	size_t len = control(e, sent, 100);

	CHECK(!udp_quiet(e->near, DATA_WAIT_MS));
	CHECK_EQ(len, recvmsg(e->near, &msg, MSG_DONTWAIT));
	CHECK_EQ(0, msg.msg_flags & MSG_TRUNC);
	CHECK_MEMEQ(sent, a, 3);
	CHECK_MEMEQ(sent + 3, b, 50);
	CHECK_MEMEQ(sent + 53, c, len - 53);
}

static void peek(struct ends *e)
{
	uint8_t sent[300], got[300];
	size_t len, half;
	int i;

	half = control(e, sent, 50);
	len = half + control(e, sent + half, 60);
	CHECK(WAIT_FOR(try_recv(e->near, got, sizeof(got), MSG_PEEK) ==
		       (ssize_t)len, DATA_WAIT_MS));
	for (i = 1; i < 4; i++) {
		memset(got, 0, sizeof(got));
		CHECK_EQ(i * 30, try_recv(e->near, got, i * 30, MSG_PEEK));
		CHECK_MEMEQ(sent, got, i * 30);
	}
	CHECK_EQ(20, try_recv(e->near, got, 20, 0));
	CHECK_EQ(40, try_recv(e->near, got, 40, MSG_PEEK));
	CHECK_MEMEQ(sent + 20, got, 40);
	CHECK_EQ(len - 20, try_recv(e->near, got, sizeof(got), 0));
	CHECK_MEMEQ(sent + 20, got, len - 20);
	CHECK_ERR(-EAGAIN, try_recv(e->near, got, 1, MSG_PEEK));
}

/* On a stream it means: throw away without copying. */
static void thrown_away(struct ends *e)
{
	uint8_t sent[300], got[300];
	size_t len, half;

	half = control(e, sent, 50);
	len = half + control(e, sent + half, 60);
	CHECK(WAIT_FOR(try_recv(e->near, got, sizeof(got), MSG_PEEK) ==
		       (ssize_t)len, DATA_WAIT_MS));
	CHECK_EQ(70, try_recv(e->near, NULL, 70, MSG_TRUNC));
	CHECK_EQ(len - 70, try_recv(e->near, got, sizeof(got), 0));
	CHECK_MEMEQ(sent + 70, got, len - 70);
}

static int64_t cpu_ms(const struct stream_reader *r)
{
	struct timespec used = { 0 };
	clockid_t clock;

	CHECK_EQ(0, pthread_getcpuclockid(r->thread, &clock));
	CHECK_EQ(0, clock_gettime(clock, &used));
	return used.tv_sec * 1000LL + used.tv_nsec / 1000000;
}

static bool reader_ends(struct stream_reader *r, ssize_t want,
			const void *data)
{
	ssize_t got = stream_reader_wait(r, DATA_WAIT_MS);
	bool good = CHECK_EQ(want, got);

	if (good && want > 0)
		good = CHECK_MEMEQ(data, r->data, want);
	stream_reader_free(r);
	return good;
}

static void woken(struct ends *e)
{
	struct stream_reader *r;
	uint8_t sent[300];
	size_t len;
	int i;

	for (i = 0; i < 3 && ktap_good(); i++) {
		r = stream_reader_start(e->near, 1000, 0);
		noise(e);
		sleep_ms(50);
		CHECK(stream_reader_blocks(r));
		len = control(e, sent, 10 + i);
		reader_ends(r, len, sent);
	}
}

static void wait_all(struct ends *e)
{
	struct stream_reader *r;
	uint8_t sent[300];
	size_t len;

	r = stream_reader_start(e->near, 200, MSG_WAITALL);
	len = control(e, sent, 50);
	len += control(e, sent + len, 60);
	sleep_ms(50);
	CHECK(stream_reader_blocks(r));
	len += control(e, sent + len, 82);
	CHECK_EQ(198, len);
	sleep_ms(50);
	CHECK(stream_reader_blocks(r));
	len += control(e, sent + len, 10);
	reader_ends(r, 200, sent);
	CHECK_EQ(len - 200, stream_read(e->near, sent, len - 200,
					DATA_WAIT_MS));
	/* the end of the stream ends the wait */
	r = stream_reader_start(e->near, 200, MSG_WAITALL);
	len = control(e, sent, 50);
	CHECK_EQ(0, shutdown(e->far, SHUT_WR));
	reader_ends(r, len, sent);
}

/* The wait for the rest is one, although there is something to look at. */
static void peek_all(struct ends *e)
{
	struct stream_reader *r;
	uint8_t sent[300];
	int64_t before;
	size_t len;

	len = control(e, sent, 50);
	r = stream_reader_start(e->near, 100, MSG_WAITALL | MSG_PEEK);
	before = cpu_ms(r);
	sleep_ms(500);
	CHECK(stream_reader_blocks(r));
	CHECK_RANGE(0, 200, cpu_ms(r) - before);
	len += control(e, sent + len, 60);
	reader_ends(r, 100, sent);
	CHECK_EQ(len, stream_read(e->near, sent, len, DATA_WAIT_MS));
}

static void timeout(struct ends *e)
{
	struct timeval limit = { .tv_usec = 300000 };
	struct stream_reader *r;
	int64_t start = now_ms();
	uint8_t sent[200];
	size_t len;

	CHECK_EQ(0, setsockopt(e->near, SOL_SOCKET, SO_RCVTIMEO, &limit,
			       sizeof(limit)));
	r = stream_reader_start(e->near, 100, 0);
	noise(e);
	CHECK_EQ(-EAGAIN, stream_reader_wait(r, DATA_WAIT_MS));
	CHECK_RANGE(290, 1500, r->end - start);
	stream_reader_free(r);
	/* as much as there is by then */
	r = stream_reader_start(e->near, 100, MSG_WAITALL);
	len = control(e, sent, 30);
	reader_ends(r, len, sent);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* What has come by then, if anything has. */
static void interrupted(struct ends *e)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value.tv_usec = 200000 };
	uint8_t sent[200], got[200];
	size_t len;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	CHECK_EQ(-1, recv(e->near, got, sizeof(got), 0));
	CHECK_EQ(EINTR, errno);
	len = control(e, sent, 100);
	setitimer(ITIMER_REAL, &soon, NULL);
	CHECK_EQ(len, recv(e->near, got, sizeof(got), MSG_WAITALL));
	CHECK_MEMEQ(sent, got, len);
}

static short events(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {
		.fd = fd,
		.events = POLLIN | POLLOUT | POLLRDHUP,
	};

	if (poll(&poll_fd, 1, timeout_ms) < 0)
		return -1;
	return poll_fd.revents;
}

static void polled(struct ends *e)
{
	uint8_t sent[200];
	size_t len;

	noise(e);
	CHECK_EQ(POLLOUT, events(e->near, 0));
	len = control(e, sent, 100);
	CHECK(!udp_quiet(e->near, DATA_WAIT_MS));
	CHECK_EQ(POLLIN | POLLOUT, events(e->near, 0));
	CHECK_EQ(len - 1, stream_read(e->near, sent, len - 1, 0));
	CHECK_EQ(POLLIN | POLLOUT, events(e->near, 0));
	CHECK_EQ(1, stream_read(e->near, sent, 1, 0));
	CHECK_EQ(POLLOUT, events(e->near, 0));
	noise(e);
	CHECK_EQ(POLLOUT, events(e->near, 0));
	CHECK_EQ(0, shutdown(e->far, SHUT_WR));
	CHECK(WAIT_FOR(events(e->near, 0) == (POLLIN | POLLOUT | POLLRDHUP),
		       DATA_WAIT_MS));
}

/* An event for each packet that is the reader's, none for others. */
static void edges(struct ends *e)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int i, fd = epoll_create1(EPOLL_CLOEXEC);
	uint8_t sent[200];

	CHECK_EQ(0, epoll_ctl(fd, EPOLL_CTL_ADD, e->near, &event));
	CHECK_EQ(0, epoll_wait(fd, &event, 1, 0));
	for (i = 0; i < 5 && ktap_good(); i++) {
		noise(e);
		CHECK_EQ(0, epoll_wait(fd, &event, 1, 20));
		control(e, sent, 50);
		CHECK_EQ(1, epoll_wait(fd, &event, 1, DATA_WAIT_MS));
		CHECK_EQ(EPOLLIN, event.events);
		while (epoll_wait(fd, &event, 1, 20) > 0)
			;
	}
	noise(e);
	CHECK_EQ(0, epoll_wait(fd, &event, 1, 20));
	close(fd);
}

/* SO_RCVLOWAT: not readable, and no reader woken, below so many bytes. */
static void low_water(struct ends *e)
{
	struct stream_reader *r;
	uint8_t sent[300];
	int mark = 150;
	size_t len;

	CHECK_EQ(0, setsockopt(e->near, SOL_SOCKET, SO_RCVLOWAT, &mark,
			       sizeof(mark)));
	r = stream_reader_start(e->near, 300, 0);
	len = control(e, sent, 100);
	CHECK(udp_quiet(e->near, 50));
	CHECK(stream_reader_blocks(r));
	len += control(e, sent + len, 100);
	reader_ends(r, len, sent);
}

static void end_of_stream(struct ends *e)
{
	uint8_t sent[200], got[200];
	size_t len = control(e, sent, 100);

	CHECK_EQ(0, shutdown(e->far, SHUT_WR));
	CHECK_EQ(len, stream_read(e->near, got, len, DATA_WAIT_MS));
	CHECK_MEMEQ(sent, got, len);
	CHECK(!udp_quiet(e->near, DATA_WAIT_MS));
	CHECK_EQ(0, try_recv(e->near, got, 1, 0));
	CHECK_EQ(0, try_recv(e->near, got, 1, MSG_PEEK));
	CHECK_EQ(0, try_recv(e->near, got, 1, 0));
	/* that was one half of the connection */
	CHECK_EQ(len, send(e->near, sent, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	CHECK_EQ(len, stream_read(e->far, got, len, DATA_WAIT_MS));
	CHECK_MEMEQ(sent, got, len);
}

static void end_wakes(struct ends *e)
{
	struct stream_reader *r = stream_reader_start(e->near, 100, 0);

	CHECK_EQ(0, shutdown(e->far, SHUT_WR));
	reader_ends(r, 0, NULL);
}

static void reset(struct ends *e)
{
	uint8_t sent[200], got[200];
	size_t len = control(e, sent, 100);

	CHECK(!udp_quiet(e->near, DATA_WAIT_MS));
	stream_reset(e->far);
	e->far = dup(e->near);
	/* which is there last */
	CHECK(WAIT_FOR(events(e->near, 0) & POLLRDHUP, DATA_WAIT_MS));
	CHECK_EQ(POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP,
		 events(e->near, 0));
	CHECK_EQ(len, try_recv(e->near, got, sizeof(got), 0));
	CHECK_MEMEQ(sent, got, len);
	CHECK_ERR(-ECONNRESET, try_recv(e->near, got, 1, 0));
	CHECK_EQ(0, try_recv(e->near, got, 1, 0));
	CHECK_EQ(-1, send(e->near, sent, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	CHECK_EQ(EPIPE, errno);
}

static void reset_wakes(struct ends *e)
{
	struct stream_reader *r = stream_reader_start(e->near, 100, 0);
	socklen_t len = sizeof(int);
	int err = 0;

	stream_reset(e->far);
	e->far = dup(e->near);
	reader_ends(r, -ECONNRESET, NULL);
	CHECK_EQ(0, getsockopt(e->near, SOL_SOCKET, SO_ERROR, &err, &len));
	CHECK_EQ(0, err);
}

static void reset_in_so_error(struct ends *e)
{
	socklen_t len = sizeof(int);
	int err = 0;

	noise(e);
	stream_reset(e->far);
	e->far = dup(e->near);
	CHECK(WAIT_FOR(events(e->near, 0) & POLLERR, DATA_WAIT_MS));
	CHECK_EQ(0, getsockopt(e->near, SOL_SOCKET, SO_ERROR, &err, &len));
	CHECK_EQ(ECONNRESET, err);
	CHECK_EQ(0, getsockopt(e->near, SOL_SOCKET, SO_ERROR, &err, &len));
	CHECK_EQ(0, err);
	CHECK_EQ(0, try_recv(e->near, &err, 1, 0));
}

/* An urgent byte is nothing special here, and nothing waits for it. */
static void urgent(struct data_bed *bed)
{
	struct data_far far;
	uint8_t frame[64], got[64];
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	make_control(frame + 2, 20);
	len = stream_frame(frame, frame + 2, 20);
	CHECK_ERR(0, stream_write(far.fd, frame, 10));
	CHECK_EQ(1, send(far.fd, frame + 10, 1, MSG_OOB));
	CHECK_ERR(0, stream_write(far.fd, frame + 11, len - 11));
	data_to_near(bed, &far);
	CHECK_EQ(len, stream_read(far.sock, got, len, DATA_WAIT_MS));
	CHECK_MEMEQ(frame, got, len);
	data_far_close(&far);
}

/* The reader's own end: no more for it. */
static void shut_reading(struct ends *e)
{
	struct stream_reader *r = stream_reader_start(e->near, 100, 0);

	CHECK_EQ(0, shutdown(e->near, SHUT_RD));
	reader_ends(r, 0, NULL);
}

/*
 * Who does not read holds the sender up, but loses nothing. (Data packets have
 * to wait with the rest: it is one stream.)
 */
static void slow_reader(struct ends *e)
{
	static uint8_t frame[2000], got[2000];
	uint8_t packet[2000];
	unsigned int sent = 0, i, j;
	size_t len = 0, rest;
	ssize_t ret = 0;

	memset(packet, 0x2a, sizeof(packet));
	for (i = 0; i < 200000 && ret >= 0; i++) {
		memcpy(packet + 1, &i, sizeof(i));
		len = stream_frame(frame, packet, 1400);
		for (rest = len; rest; rest -= ret) {
			ret = send(e->far, frame + len - rest, rest,
				   MSG_DONTWAIT | MSG_NOSIGNAL);
			if (ret < 0 && errno == EAGAIN &&
			    !WAIT_FOR(events(e->far, 0) & POLLOUT, 500))
				break;
			if (ret < 0)
				ret = 0;
		}
		if (rest)
			break;
		sent++;
	}
	ktap_note("%u packets of 1400 bytes on their way", sent);
	/* 6 MB are what the kernel's defaults allow either end */
	CHECK_RANGE(10, 12000, sent);
	for (j = 0; j < sent && ktap_good(); j++) {
		memcpy(packet + 1, &j, sizeof(j));
		len = stream_frame(frame, packet, 1400);
		CHECK_EQ(len, stream_read(e->near, got, len, DATA_WAIT_MS));
		CHECK_MEMEQ(frame, got, len);
	}
}

#define SEMANTICS(fn)							\
	.run = on_both, .arg = &(const struct semantics){ fn },		\
	.v2_only = true

static const struct data_case cases[] = {
	{ "every chunk size", .run = every_chunk_size },
	{ "cut in two anywhere", .run = every_cut },
	{ "100 packets at once", .run = in_one_go },
	{ "65535 bytes", .run = largest },
	{ "IPv4, accepted", .run = ways,
	  .arg = &(const struct way){ { .accepts = true }, FAR4 } },
	{ "IPv6, connected", .run = ways,
	  .arg = &(const struct way){ { 0 }, FAR6 } },
	{ "IPv6, accepted", .run = ways,
	  .arg = &(const struct way){ { .accepts = true }, FAR6 } },
	{ "IPv4 on an IPv6 socket, connected", .run = ways,
	  .arg = &(const struct way){ { .mapped = true }, FAR4 } },
	{ "IPv4 on an IPv6 socket, accepted", .run = ways,
	  .arg = &(const struct way){ { .mapped = true, .accepts = true },
				      FAR4 } },
	{ "multi-peer device", .conf = { .mode = OVPN_MODE_MP }, .run = ways,
	  .arg = &(const struct way){ { 0 }, FAR4 } },
	{ "whole packets there before the peer", .run = queued_whole },
	{ "half a length there before the peer", .run = queued_in_length },
	{ "half a packet there before the peer", .run = queued_in_packet },
	{ "data packets too short", .run = short_data },
	{ "data packets of an unknown key, tampered, replayed",
	  .run = bad_data },
	{ "an urgent byte in the stream", .run = urgent },
	{ "length zero ends the peer", .run = zero_length },
	{ "counters of a peer", .run = counters },
	{ "recv: a part", SEMANTICS(partial) },
	{ "recv: several packets", SEMANTICS(several) },
	{ "recv: into several buffers", SEMANTICS(scattered) },
	{ "recv: MSG_PEEK", SEMANTICS(peek) },
	{ "recv: MSG_TRUNC", SEMANTICS(thrown_away) },
	{ "recv: MSG_WAITALL", SEMANTICS(wait_all) },
	{ "recv: MSG_WAITALL and MSG_PEEK", SEMANTICS(peek_all) },
	{ "recv: SO_RCVTIMEO", SEMANTICS(timeout) },
	{ "recv: SO_RCVLOWAT", SEMANTICS(low_water) },
	{ "recv: interrupted by a signal", SEMANTICS(interrupted) },
	{ "recv: woken by what is the reader's only", SEMANTICS(woken) },
	{ "poll", SEMANTICS(polled) },
	{ "epoll, by edges", SEMANTICS(edges) },
	{ "the stream ends", SEMANTICS(end_of_stream) },
	{ "the stream ends under a reader", SEMANTICS(end_wakes) },
	{ "the connection is reset", SEMANTICS(reset) },
	{ "the connection is reset under a reader", SEMANTICS(reset_wakes) },
	{ "the connection is reset, asked by SO_ERROR",
	  SEMANTICS(reset_in_so_error) },
	{ "shut down under a reader", SEMANTICS(shut_reading) },
	{ "nobody reads for a while", SEMANTICS(slow_reader) },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
