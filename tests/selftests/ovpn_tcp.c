// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP sockets in the family ovpn, where each call moves one packet, length and
 * all: what OpenVPN 2.7 relies on.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID	5

static const struct stream_conf usual;
static const struct stream_conf narrow = { .near_buf = 8192, .far_buf = 8192 };
static const struct data_far_args one = { .id = PEER_ID, .tcp = &usual };

/* A control packet with its length in front: that of both. */
static size_t make_control(uint8_t *frame, size_t len, unsigned int number)
{
	uint8_t packet[WIRE_MAX];
	size_t i;

	for (i = 0; i < len; i++)
		packet[i] = number + i * 3;
	packet[0] = 5 << 3;
	return stream_frame(frame, packet, len);
}

static ssize_t try_recv(int fd, void *data, size_t len, int flags, int *flagged)
{
	struct iovec iov = { data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got = recvmsg(fd, &msg, flags | MSG_DONTWAIT);

	if (flagged)
		*flagged = msg.msg_flags;
	return got < 0 ? -errno : got;
}

static bool readable(int fd)
{
	return !udp_quiet(fd, DATA_WAIT_MS);
}

/* ---- reading ---- */

static const size_t sizes[] = { 14, 1, 500, 65535, 2, 1400 };

/* However they come: in one segment, or byte by byte. */
static void one_at_a_time(struct data_bed *bed)
{
	static uint8_t sent[ARRAY_SIZE(sizes)][STREAM_MAX], got[STREAM_MAX];
	static uint8_t all[ARRAY_SIZE(sizes) * STREAM_MAX];
	size_t len[ARRAY_SIZE(sizes)], total = 0;
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		len[i] = make_control(sent[i], sizes[i], i);
		memcpy(all + total, sent[i], len[i]);
		total += len[i];
	}
	CHECK_ERR(0, stream_write(far.fd, all, total));
	data_to_near(bed, &far);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		CHECK(readable(far.sock));
		if (!CHECK_EQ(len[i], try_recv(far.sock, got, sizeof(got), 0,
					       NULL)))
			break;
		CHECK_MEMEQ(sent[i], got, len[i]);
	}
	CHECK_ERR(-EAGAIN, try_recv(far.sock, got, sizeof(got), 0, NULL));

	/* But for the moment in which TCP has a byte and has not shown it */
	for (i = 0; i < len[0]; i++) {
		CHECK(WAIT_FOR(udp_quiet(far.sock, 0), DATA_WAIT_MS));
		CHECK_ERR(0, stream_write(far.fd, sent[0] + i, 1));
	}
	CHECK(readable(far.sock));
	CHECK_EQ(len[0], try_recv(far.sock, got, sizeof(got), 0, NULL));
	data_far_close(&far);
}

/* As of a datagram: what has no room is gone, and that is said. */
static void truncated(struct data_bed *bed)
{
	uint8_t sent[2][200], got[200];
	struct data_far far;
	size_t len[2];
	int flags;

	if (!data_far_add(bed, &far, &one))
		return;
	len[0] = make_control(sent[0], 100, 1);
	len[1] = make_control(sent[1], 50, 2);
	CHECK_ERR(0, stream_write(far.fd, sent[0], len[0]));
	CHECK_ERR(0, stream_write(far.fd, sent[1], len[1]));
	CHECK(readable(far.sock));
	CHECK_EQ(10, try_recv(far.sock, got, 10, 0, &flags));
	CHECK_EQ(MSG_TRUNC, flags & MSG_TRUNC);
	CHECK_MEMEQ(sent[0], got, 10);
	CHECK(readable(far.sock));
	CHECK_EQ(len[1], try_recv(far.sock, got, sizeof(got), 0, &flags));
	CHECK_EQ(0, flags & MSG_TRUNC);
	CHECK_MEMEQ(sent[1], got, len[1]);
	data_far_close(&far);
}

static void reader_woken(struct data_bed *bed)
{
	struct stream_reader *r;
	struct data_far far;
	uint8_t sent[200];
	size_t len;
	int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < 3 && ktap_good(); i++) {
		r = stream_reader_start(far.sock, 1000, 0);
		data_to_near(bed, &far);
		CHECK(stream_reader_blocks(r));
		len = make_control(sent, 20 + i, i);
		CHECK_ERR(0, stream_write(far.fd, sent, len));
		if (CHECK_EQ(len, stream_reader_wait(r, DATA_WAIT_MS)))
			CHECK_MEMEQ(sent, r->data, len);
		stream_reader_free(r);
	}
	data_far_close(&far);
}

/* What is unread first, then the end, again and again. */
static void end_of_stream(struct data_bed *bed)
{
	uint8_t sent[200], got[200];
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_control(sent, 100, 1);
	CHECK_ERR(0, stream_write(far.fd, sent, len));
	CHECK_EQ(0, shutdown(far.fd, SHUT_WR));
	CHECK(readable(far.sock));
	CHECK_EQ(len, try_recv(far.sock, got, sizeof(got), 0, NULL));
	CHECK_MEMEQ(sent, got, len);
	CHECK(WAIT_FOR(try_recv(far.sock, got, sizeof(got), 0, NULL) == 0,
		       DATA_WAIT_MS));
	CHECK(readable(far.sock));
	CHECK_EQ(0, try_recv(far.sock, got, sizeof(got), 0, NULL));
	data_far_close(&far);
}

static void reset(struct data_bed *bed)
{
	struct data_far far;
	uint8_t got[64];
	ssize_t ret = 0;

	if (!data_far_add(bed, &far, &one))
		return;
	stream_reset(far.fd);
	far.fd = dup(far.sock);
	/* an error, or the end: OpenVPN restarts at either */
	CHECK(WAIT_FOR((ret = try_recv(far.sock, got, sizeof(got), 0, NULL)) !=
		       -EAGAIN, DATA_WAIT_MS));
	CHECK_MSG(ret == 0 || ret == -ECONNRESET, "recv: %s", strerror(-ret));
	data_far_close(&far);
}

/* Of the version that peers with ids do not speak: the peer is beyond help. */
static void data_v1(struct data_bed *bed)
{
	uint8_t packet[60] = { WIRE_OP_DATA_V1 << 3 };
	struct ovpn_ntf ntf = { 0 };
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	data_far_send_raw(&far, packet, sizeof(packet));
	if (CHECK_ERR(0, data_wait_ntf(bed, &ntf, DATA_WAIT_MS))) {
		CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
		CHECK_EQ(PEER_ID, ntf.peer_id);
		CHECK_EQ(OVPN_DEL_PEER_REASON_TRANSPORT_ERROR, ntf.reason);
	}
	data_far_close(&far);
}

/* The same over UDP, where a datagram is easily dropped. */
static void data_v1_udp(struct data_bed *bed)
{
	static const struct data_far_args udp = { .id = PEER_ID };
	uint8_t packet[60] = { WIRE_OP_DATA_V1 << 3 };
	struct data_far far;

	if (!data_far_add(bed, &far, &udp))
		return;
	data_far_send_raw(&far, packet, sizeof(packet));
	data_to_near(bed, &far);
	CHECK(udp_quiet(bed->sock, 200));
	CHECK(udp_quiet(ovpn_listener_fd(bed->ntf), 0));
	data_far_close(&far);
}

/* ---- writing ---- */

static void flags_refused(struct data_bed *bed)
{
	static const int bad[] = { MSG_OOB, MSG_MORE };
	uint8_t frame[200], got[200];
	struct data_far far;
	unsigned int i;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_control(frame, 100, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(-1, send(far.sock, frame, len,
				  bad[i] | MSG_DONTWAIT | MSG_NOSIGNAL));
		CHECK_EQ(EOPNOTSUPP, errno);
	}
	CHECK(udp_quiet(far.fd, 100));
	CHECK_EQ(len, send(far.sock, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	CHECK_EQ(len, stream_read(far.fd, got, len, DATA_WAIT_MS));
	CHECK_MEMEQ(frame, got, len);
	CHECK_EQ(len, send(far.sock, frame, len, MSG_NOSIGNAL));
	CHECK_EQ(len, stream_read(far.fd, got, len, DATA_WAIT_MS));
	CHECK_EQ(len, write(far.sock, frame, len));
	CHECK_EQ(len, stream_read(far.fd, got, len, DATA_WAIT_MS));
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

/* Reads what comes: how many control packets of this kind; data is opened. */
static unsigned int read_all(const struct data_far *far, size_t size)
{
	uint8_t packet[WIRE_MAX], plain[WIRE_MAX], want[WIRE_MAX];
	unsigned int count = 0;
	ssize_t len;

	while ((len = stream_next(far->fd, packet, 500)) > 0) {
		if (packet[0] >> 3 == WIRE_OP_DATA_V2) {
			CHECK_GE(1, wire_open(&far->open, packet, len, plain,
					      NULL));
			continue;
		}
		make_control(want, size, count++);
		if (!CHECK_EQ(size, len) || !CHECK_MEMEQ(want + 2, packet, len))
			break;
	}
	return count;
}

/*
 * A connection that takes no more: each call takes the whole packet or nothing
 * at all, whatever the kernel's own packets do in between.
 */
static void all_or_nothing(struct data_bed *bed)
{
	struct data_far_args args = one;
	uint8_t frame[2048], plain[2048];
	unsigned int sent = 0, refused = 0, i;
	size_t len, plain_len;
	struct data_far far;
	ssize_t ret;

	args.tcp = &narrow;
	if (!data_far_add(bed, &far, &args))
		return;
	plain_len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 1300, 1);
	for (i = 0; i < 400 && refused < 20; i++) {
		if (i % 2)
			data_near_send(bed, plain, plain_len);
		len = make_control(frame, 900, sent);
		ret = send(far.sock, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (ret < 0 ? !CHECK_EQ(EAGAIN, errno) : !CHECK_EQ(len, ret))
			break;
		refused += ret < 0;
		sent += ret > 0;
	}
	CHECK_EQ(20, refused);
	CHECK_GE(1, sent);
	CHECK_EQ(sent, read_all(&far, 900));
	/* and then there is room again */
	len = make_control(frame, 900, 0);
	CHECK_EQ(len, send(far.sock, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL));
	CHECK_EQ(1, read_all(&far, 900));
	data_to_near(bed, &far);
	data_far_close(&far);
}

static void disconnect(struct data_bed *bed)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_EQ(-1, connect(far.sock, &none, sizeof(none)));
	CHECK_EQ(EBUSY, errno);
	data_to_far(bed, &far, NULL, NULL);
	data_to_near(bed, &far);
	data_far_close(&far);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "recv: one packet a call", .run = one_at_a_time },
		{ "recv: one packet a call, multi-peer device",
		  .conf = { .mode = OVPN_MODE_MP }, .run = one_at_a_time },
		{ "recv: too little room", .run = truncated },
		{ "recv: woken by control packets only", .run = reader_woken },
		{ "recv: the stream ends", .run = end_of_stream },
		{ "recv: the connection is reset", .run = reset },
		{ "DATA_V1 over TCP ends the peer", .run = data_v1 },
		{ "DATA_V1 over UDP is dropped", .run = data_v1_udp },
		{ "send: flags that cannot be meant", .run = flags_refused },
		{ "send: whole packets or nothing", .run = all_or_nothing },
		{ "connect(AF_UNSPEC): EBUSY", .run = disconnect },
	};

	(void)argc;
	family_use(&family_ovpn);
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
