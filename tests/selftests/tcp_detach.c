// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a peer on a TCP connection: its owner has the connection back,
 * with every byte that is neither a whole data packet nor read already. And the
 * end of a connection: its peer goes, and whoever has to know is told, once.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID	9

static const struct stream_conf usual;
static const struct data_far_args one = { .id = PEER_ID, .tcp = &usual };

/* A far end that reads little at a time. */
static const struct stream_conf narrow = { .near_buf = 8192, .far_buf = 8192 };

/* ---- packets ---- */

static size_t make_control(uint8_t *frame, size_t len)
{
	static unsigned int seed;
	uint8_t packet[WIRE_MAX];
	size_t i;

	seed++;
	for (i = 0; i < len; i++)
		packet[i] = seed + i * 3;
	packet[0] = 5 << 3;
	return stream_frame(frame, packet, len);
}

static size_t make_data(struct data_far *far, uint8_t *frame, size_t size)
{
	uint8_t plain[WIRE_MAX], packet[WIRE_MAX];
	size_t len;

	len = data_inner(plain, far->ipv4, VPN_NEAR4, size, far->next);
	len = wire_seal(&far->seal, far->id, far->next++, plain, len, packet);
	return stream_frame(frame, packet, len);
}

/* ---- how a peer goes ---- */

static void by_request(struct data_bed *bed)
{
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, PEER_ID));
}

static void by_link(struct data_bed *bed)
{
	CHECK_ERR(0, ovpn_link_del(bed->near, TUN));
}

static void by_replacement(struct data_bed *bed)
{
	struct ovpn_peer_args args = {
		.id = 10, .socket = bed->sock, .remote = FAR4,
		.remote_port = 1194,
	};

	CHECK_ERR(0, ovpn_nl_new_peer(bed->nl, bed->ifindex, &args));
}

static void by_expiry(struct data_bed *bed)
{
	struct ovpn_ntf ntf = { 0 };

	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID,
				      keepalive_none(), 1));
	CHECK_ERR(0, data_wait_ntf(bed, &ntf, 5000));
	CHECK_EQ(OVPN_DEL_PEER_REASON_EXPIRED, ntf.reason);
}

struct way {
	void (*go)(struct data_bed *bed);
};

static bool detached(struct data_bed *bed, const struct data_far *far)
{
	const struct way *way = bed->arg;

	way->go(bed);
	return CHECK(stream_detached(far->sock));
}

/* Many bytes, as many at a time as there is room for. */
static void check_way(int from, int to)
{
	uint8_t sent[5000], got[sizeof(sent)];
	unsigned int i, j;

	for (i = 0; i < 20 && ktap_good(); i++) {
		for (j = 0; j < sizeof(sent); j++)
			sent[j] = i + j * 5 + (j >> 8);
		CHECK_ERR(0, stream_write(from, sent, sizeof(sent)));
		CHECK_EQ(sizeof(got), stream_read(to, got, sizeof(got),
						  DATA_WAIT_MS));
		CHECK_MEMEQ(sent, got, sizeof(sent));
	}
}

/* A connection like any other, in both directions. */
static void check_plain(struct data_far *far)
{
	uint8_t frame[STREAM_MAX], got[STREAM_MAX];
	size_t len;

	len = make_data(far, frame, 100);
	CHECK_ERR(0, stream_write(far->fd, frame, len));
	CHECK_EQ(len, stream_read(far->sock, got, len, DATA_WAIT_MS));
	CHECK_MEMEQ(frame, got, len);
	check_way(far->fd, far->sock);
	check_way(far->sock, far->fd);
}

/* ---- what has not been read ---- */

/*
 * Two control packets of which @already bytes have been read, a data packet
 * between them, then @cut bytes of one more packet.
 */
static void unread(struct data_bed *bed, size_t already, bool data, size_t cut)
{
	uint8_t frame[STREAM_MAX], want[4096], got[4096];
	struct data_far far;
	size_t len, rest;
	ssize_t there;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_control(want, 100);
	CHECK_ERR(0, stream_write(far.fd, want, len));
	data_to_near(bed, &far);
	rest = make_control(want + len, 50);
	CHECK_ERR(0, stream_write(far.fd, want + len, rest));
	len += rest;
	data_to_near(bed, &far);
	CHECK_EQ(already, stream_read(far.sock, got, already, DATA_WAIT_MS));

	rest = data ? make_data(&far, frame, 100) : make_control(frame, 150);
	CHECK_ERR(0, stream_write(far.fd, frame, cut));
	memcpy(want + len, frame, rest);
	len += rest;
	if (detached(bed, &far)) {
		/* what is there can be read at once */
		there = len - rest + cut - already;
		CHECK_EQ(there ? there : -1,
			 recv(far.sock, got + already, sizeof(got) - already,
			      MSG_DONTWAIT | MSG_PEEK));
		CHECK_ERR(0, stream_write(far.fd, frame + cut, rest - cut));
		CHECK_EQ(len - already, stream_read(far.sock, got + already,
						    len - already,
						    DATA_WAIT_MS));
		CHECK_MEMEQ(want, got, len);
		check_plain(&far);
	}
	if (!ktap_good())
		ktap_note("%zu read, %s cut at %zu", already,
			  data ? "data" : "control", cut);
	data_far_close(&far);
}

static void nothing_unread(struct data_bed *bed)
{
	unread(bed, 154, false, 0);
}

static void packets_unread(struct data_bed *bed)
{
	unread(bed, 10, false, 0);
}

static void half_length(struct data_bed *bed)
{
	unread(bed, 0, true, 1);
}

static void half_control(struct data_bed *bed)
{
	unread(bed, 120, false, 70);
}

static void half_data(struct data_bed *bed)
{
	unread(bed, 154, true, 70);
}

/* A few more cuts, on one device. */
static void many_cuts(struct data_bed *bed)
{
	static const size_t cuts[] = { 2, 3, 25, 26, 27, 101 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cuts) && ktap_good(); i++) {
		unread(bed, 3, false, cuts[i]);
		unread(bed, 101, true, cuts[i]);
	}
}

/* More than a few segments. */
static void much_unread(struct data_bed *bed)
{
	static uint8_t sent[150 * 1002], got[sizeof(sent)];
	struct data_far far;
	unsigned int i;
	size_t len = 0;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; i < 150; i++)
		len += make_control(sent + len, 1000);
	CHECK_ERR(0, stream_write(far.fd, sent, len));
	data_to_near(bed, &far);
	CHECK_EQ(500, stream_read(far.sock, got, 500, DATA_WAIT_MS));
	if (detached(bed, &far)) {
		CHECK_EQ(len - 500, stream_read(far.sock, got + 500, len - 500,
						DATA_WAIT_MS));
		CHECK_MEMEQ(sent, got, len);
		check_plain(&far);
	}
	data_far_close(&far);
}

/* The next peer on the connection takes up where the stream is. */
static void attached_again(struct data_bed *bed)
{
	struct ovpn_peer_args args = {
		.id = PEER_ID, .ipv4 = vpn_of(bed->mode, VPN_FAR4),
	};
	uint8_t frame[STREAM_MAX], control[64], got[WIRE_MAX];
	struct data_far far;
	unsigned int i;
	size_t len, control_len;

	if (!data_far_add(bed, &far, &one))
		return;
	args.socket = far.sock;
	for (i = 0; i < 10 && ktap_good(); i++) {
		control_len = make_control(control, 20);
		CHECK_ERR(0, stream_write(far.fd, control, control_len));
		len = make_data(&far, frame, 100);
		CHECK_ERR(0, stream_write(far.fd, frame, 1 + i * 9));
		if (!detached(bed, &far))
			break;
		CHECK_ERR(0, ovpn_nl_new_peer(bed->nl, bed->ifindex, &args));
		CHECK_ERR(0, data_key_install(bed, &far,
					      OVPN_KEY_SLOT_PRIMARY));
		CHECK_ERR(0, stream_write(far.fd, frame + 1 + i * 9,
					  len - 1 - i * 9));
		CHECK_EQ(100, packet_recv(bed->tap, got, sizeof(got),
					  DATA_WAIT_MS));
		CHECK_EQ(control_len, stream_read(far.sock, got, control_len,
						  DATA_WAIT_MS));
		CHECK_MEMEQ(control, got, control_len);
		CHECK(udp_quiet(far.sock, 0));
		/* its counters begin anew, its packet ids, too */
		data_to_far(bed, &far, NULL, NULL);
		data_to_near(bed, &far);
	}
	data_far_close(&far);
}

/* ---- readers and writers that wait meanwhile ---- */

static void reader_waits(struct data_bed *bed)
{
	struct stream_reader *r;
	struct data_far far;
	uint8_t frame[STREAM_MAX];
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	r = stream_reader_start(far.sock, 500, 0);
	data_to_near(bed, &far);
	if (detached(bed, &far)) {
		/* nothing has come for it so far */
		sleep_ms(50);
		CHECK(stream_reader_blocks(r));
		len = make_data(&far, frame, 100);
		CHECK_ERR(0, stream_write(far.fd, frame, len));
		CHECK_EQ(len, stream_reader_wait(r, DATA_WAIT_MS));
		CHECK_MEMEQ(frame, r->data, len);
		stream_reader_free(r);
		check_plain(&far);
	}
	data_far_close(&far);
}

/* What has come is half a packet, and with that the wait is over. */
static void reader_gets_half(struct data_bed *bed)
{
	struct stream_reader *r;
	struct data_far far;
	uint8_t frame[STREAM_MAX];

	if (!data_far_add(bed, &far, &one))
		return;
	r = stream_reader_start(far.sock, 500, 0);
	make_data(&far, frame, 100);
	CHECK_ERR(0, stream_write(far.fd, frame, 60));
	sleep_ms(50);
	CHECK(stream_reader_blocks(r));
	if (detached(bed, &far)) {
		CHECK_EQ(60, stream_reader_wait(r, DATA_WAIT_MS));
		CHECK_MEMEQ(frame, r->data, 60);
		stream_reader_free(r);
	}
	data_far_close(&far);
}

static bool send_data(struct data_bed *bed, unsigned int count)
{
	uint8_t plain[WIRE_MAX];
	unsigned int i;
	int size = 16 << 20;

	CHECK_EQ(0, setsockopt(bed->raw4, SOL_SOCKET, SO_SNDBUFFORCE, &size,
			       sizeof(size)));
	for (i = 0; i < count; i++) {
		data_inner(plain, VPN_NEAR4, VPN_FAR4, 1000, i);
		if (!CHECK_ERR(0, data_near_send(bed, plain, 1000)))
			return false;
	}
	return true;
}

struct writer {
	pthread_t thread;
	int fd;
	uint8_t frame[2048];
	size_t len;
	ssize_t ret;
};

static void *write_thread(void *arg)
{
	struct writer *w = arg;

	w->ret = send(w->fd, w->frame, w->len, MSG_NOSIGNAL);
	if (w->ret < 0)
		w->ret = -errno;
	return NULL;
}

/*
 * The connection is full of data packets, and a writer waits as well: what
 * leaves after all is whole packets, then the writer's.
 */
static void full(struct data_bed *bed)
{
	struct data_far_args args = one;
	uint8_t packet[WIRE_MAX], plain[WIRE_MAX];
	struct data_far far;
	struct writer w = { 0 };
	unsigned int count;
	ssize_t len = 0;

	args.tcp = &narrow;
	if (!data_far_add(bed, &far, &args) || !send_data(bed, 200))
		return;
	sleep_ms(100);
	w.fd = far.sock;
	w.len = make_control(w.frame, 1200);
	w.ret = -1;
	if (pthread_create(&w.thread, NULL, write_thread, &w))
		ktap_bail("no thread");
	sleep_ms(50);
	detached(bed, &far);
	for (count = 0; ktap_good(); count++) {
		len = stream_next(far.fd, packet, DATA_WAIT_MS);
		if (!CHECK_GE(1, len) || packet[0] >> 3 != WIRE_OP_DATA_V2)
			break;
		CHECK_EQ(1000, wire_open(&far.open, packet, len, plain, NULL));
	}
	if (CHECK_EQ(w.len, len + STREAM_HEAD_LEN))
		CHECK_MEMEQ(w.frame + STREAM_HEAD_LEN, packet, len);
	/* Some kernels' TCP had room for one more behind it */
	for (; ktap_good(); count++) {
		len = stream_next(far.fd, packet, 500);
		if (len == -EAGAIN)
			break;
		CHECK_EQ(1000, wire_open(&far.open, packet, len, plain, NULL));
	}
	ktap_note("%u data packets were under way", count);
	/* most of them were too late */
	CHECK_RANGE(1, 199, count);
	if (!ktap_good())
		close(far.fd);
	pthread_join(w.thread, NULL);
	CHECK_EQ(w.len, w.ret);
	if (ktap_good())
		check_plain(&far);
	data_far_close(&far);
}

/* Userspace is in the middle of a packet, and goes on as if nothing was. */
static void userspace_in_packet(struct data_bed *bed)
{
	uint8_t frame[2048], got[2048];
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_control(frame, 1000);
	CHECK_ERR(0, stream_write(far.sock, frame, 300));
	send_data(bed, 10);
	if (detached(bed, &far)) {
		CHECK_ERR(0, stream_write(far.sock, frame + 300, len - 300));
		CHECK_EQ(len, stream_read(far.fd, got, len, DATA_WAIT_MS));
		CHECK_MEMEQ(frame, got, len);
		check_plain(&far);
	}
	data_far_close(&far);
}

/* ---- the owner closes its socket ---- */

static void closed_by_owner(struct data_bed *bed)
{
	struct data_far far;
	uint8_t frame[2048];
	unsigned int i;
	size_t len;
	char c;

	if (!data_far_add(bed, &far, &one))
		return;
	close(far.sock);
	far.sock = -1;
	for (i = 0; i < 20 && ktap_good(); i++) {
		/* of no use to anybody */
		len = make_control(frame, 100);
		CHECK_ERR(0, stream_write(far.fd, frame, len));
		data_to_near(bed, &far);
		data_to_far(bed, &far, NULL, NULL);
	}
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, NULL));
	CHECK(udp_quiet(far.fd, 50));
	by_request(bed);
	/* nobody else has it: the connection ends */
	CHECK(!udp_quiet(far.fd, DATA_WAIT_MS));
	CHECK_GE(recv(far.fd, &c, 1, MSG_DONTWAIT), 0);
	data_far_close(&far);
}

/* ---- the connection ends ---- */

static void check_told(struct data_bed *bed)
{
	struct ovpn_ntf ntf = { 0 };

	if (!CHECK_ERR(0, data_wait_ntf(bed, &ntf, DATA_WAIT_MS)))
		return;
	CHECK_EQ(OVPN_NTF_DEL_PEER, ntf.type);
	CHECK_EQ(bed->ifindex, ntf.ifindex);
	CHECK_EQ(PEER_ID, ntf.peer_id);
	CHECK_EQ(OVPN_DEL_PEER_REASON_TRANSPORT_ERROR, ntf.reason);
	CHECK(ntf.exact);
	CHECK_ERR(-ETIMEDOUT, data_wait_ntf(bed, &ntf, 100));
	CHECK_ERR(-ENOENT, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID,
					    NULL));
	CHECK_ERR(0, ovpn_nl_swap_keys(bed->nl, bed->ifindex, PEER_ID));
}

static bool peer_lives(struct data_bed *bed)
{
	return !ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, NULL);
}

/* Traffic until somebody notices. */
static void send_until_gone(struct data_bed *bed)
{
	uint8_t plain[256];

	data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK(WAIT_FOR((data_near_send(bed, plain, 100), sleep_ms(20),
			!peer_lives(bed)), DATA_WAIT_MS));
}

static void remote_closes(struct data_bed *bed)
{
	struct data_far far;
	uint8_t frame[2048], got[2048];
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_control(frame, 100);
	CHECK_ERR(0, stream_write(far.fd, frame, len));
	close(far.fd);
	far.fd = -1;
	/* its owner reads what there was, and the end */
	CHECK_EQ(len, stream_read(far.sock, got, len, DATA_WAIT_MS));
	CHECK_MEMEQ(frame, got, len);
	CHECK_EQ(0, stream_read(far.sock, got, 1, DATA_WAIT_MS));
	send_until_gone(bed);
	check_told(bed);
	CHECK(stream_detached(far.sock));
	data_far_close(&far);
}

/* The other half of a connection works on. */
static void remote_closes_half(struct data_bed *bed)
{
	struct data_far far;
	char c;

	if (!data_far_add(bed, &far, &one))
		return;
	data_to_near(bed, &far);
	CHECK_EQ(0, shutdown(far.fd, SHUT_WR));
	CHECK_EQ(0, stream_read(far.sock, &c, 1, DATA_WAIT_MS));
	data_to_far(bed, &far, NULL, NULL);
	data_to_far(bed, &far, NULL, NULL);
	CHECK(peer_lives(bed));
	data_far_close(&far);
}

static void remote_resets(struct data_bed *bed)
{
	struct data_far far;
	uint8_t frame[2048], got[2048];
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	len = make_control(frame, 100);
	CHECK_ERR(0, stream_write(far.fd, frame, len));
	CHECK(!udp_quiet(far.sock, DATA_WAIT_MS));
	stream_reset(far.fd);
	far.fd = -1;
	send_until_gone(bed);
	check_told(bed);
	CHECK(stream_detached(far.sock));
	CHECK_EQ(len, stream_read(far.sock, got, len, DATA_WAIT_MS));
	CHECK_MEMEQ(frame, got, len);
	CHECK_EQ(-ECONNRESET, stream_read(far.sock, got, 1, DATA_WAIT_MS));
	CHECK_EQ(0, stream_read(far.sock, got, 1, DATA_WAIT_MS));
	data_far_close(&far);
}

/* A ping is a packet, too. */
static void noticed_by_keepalive(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	stream_reset(far.fd);
	far.fd = -1;
	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID, 1, 60));
	check_told(bed);
	data_far_close(&far);
}

/*
 * A router on the way has no route for a moment, and who asked for it is told
 * so. The connection survives that, so its peer does.
 */
static void unreachable_for_now(struct data_bed *bed)
{
	struct data_far far;
	int err = 0, on = 1;
	uint8_t plain[WIRE_MAX];
	socklen_t len = sizeof(err);

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_EQ(0, setsockopt(far.sock, IPPROTO_IP, IP_RECVERR, &on,
			       sizeof(on)));
	/* the far end plays the router: no route, not even to itself */
	netns_run(bed->far, "cd /proc/sys/net/ipv4; echo 0 >ip_early_demux; "
		  "echo 1 >conf/all/forwarding; "
		  "ip rule add pref 100 lookup local; ip rule del pref 0; "
		  "ip rule add pref 10 iif " FAR_VETH " unreachable");
	data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);
	CHECK_ERR(0, data_near_send(bed, plain, 100));
	CHECK(WAIT_FOR(getsockopt(far.sock, SOL_SOCKET, SO_ERROR, &err, &len) ||
		       err, DATA_WAIT_MS));
	CHECK_EQ(ENETUNREACH, err);
	CHECK_ERR(0, data_near_send(bed, plain, 100));
	sleep_ms(100);
	CHECK_ERR(0, data_near_send(bed, plain, 100));
	netns_run(bed->far, "ip rule del pref 10");
	CHECK(peer_lives(bed));
	CHECK_EQ(100, data_far_recv(&far, plain, NULL, NULL));
	CHECK_EQ(100, data_far_recv(&far, plain, NULL, NULL));
	CHECK_EQ(100, data_far_recv(&far, plain, NULL, NULL));
	data_to_near(bed, &far);
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

static void owner_shuts_down(struct data_bed *bed)
{
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	data_to_near(bed, &far);
	CHECK_EQ(0, shutdown(far.sock, SHUT_WR));
	send_until_gone(bed);
	check_told(bed);
	data_far_close(&far);
}

/* While a reader waits, and while packets do. */
static void reset_when_full(struct data_bed *bed)
{
	struct data_far_args args = one;
	struct stream_reader *r;
	struct data_far far;
	ssize_t got;

	args.tcp = &narrow;
	if (!data_far_add(bed, &far, &args))
		return;
	r = stream_reader_start(far.sock, 100, 0);
	send_data(bed, 300);
	sleep_ms(50);
	stream_reset(far.fd);
	far.fd = -1;
	check_told(bed);
	got = stream_reader_wait(r, DATA_WAIT_MS);
	CHECK_ERR(-ECONNRESET, got);
	stream_reader_free(r);
	CHECK(stream_detached(far.sock));
	data_far_close(&far);
	/* the device was stopped, perhaps; the next peer has to find it going */
	if (data_far_add(bed, &far, &one)) {
		data_to_far(bed, &far, NULL, NULL);
		data_to_near(bed, &far);
		data_far_close(&far);
	}
}

#define WAY(fn)	.arg = &(const struct way){ fn }

static const struct data_case cases[] = {
	{ "nothing unread", .run = nothing_unread, WAY(by_request) },
	/* those that are v2's only read packets in parts */
	{ "control packets unread", .run = packets_unread, WAY(by_request),
	  .v2_only = true },
	{ "half a length", .run = half_length, WAY(by_request) },
	{ "half a control packet", .run = half_control, WAY(by_request),
	  .v2_only = true },
	{ "half a data packet", .run = half_data, WAY(by_request) },
	{ "cut elsewhere", .run = many_cuts, WAY(by_request), .v2_only = true },
	{ "multi-peer device", .run = half_data, WAY(by_request),
	  .conf = { .mode = OVPN_MODE_MP } },
	{ "device deleted", .run = half_data, WAY(by_link) },
	{ "device deleted, packets unread", .run = packets_unread,
	  WAY(by_link), .v2_only = true },
	{ "replaced", .run = half_control, WAY(by_replacement),
	  .v2_only = true },
	{ "replaced in a data packet", .run = half_data,
	  WAY(by_replacement) },
	{ "expired", .run = half_data, WAY(by_expiry) },
	{ "150 packets unread", .run = much_unread, WAY(by_request),
	  .v2_only = true },
	{ "attached again in the middle of a packet", .run = attached_again,
	  WAY(by_request) },
	{ "a reader waits", .run = reader_waits, WAY(by_request) },
	{ "a reader waits, device deleted", .run = reader_waits, WAY(by_link) },
	{ "a reader waits, half a packet has come", .run = reader_gets_half,
	  WAY(by_request) },
	{ "the connection is full", .run = full, WAY(by_request) },
	{ "the connection is full, device deleted", .run = full, WAY(by_link) },
	{ "userspace is inside a packet", .run = userspace_in_packet,
	  WAY(by_request) },
	{ "the owner closes the socket: the peer lives",
	  .run = closed_by_owner, .v2_only = true },
	{ "the far end closes", .run = remote_closes },
	{ "the far end closes its half", .run = remote_closes_half },
	{ "the far end resets", .run = remote_resets },
	{ "the far end resets, noticed by keepalive",
	  .run = noticed_by_keepalive },
	{ "unreachable for a moment", .run = unreachable_for_now },
	{ "the owner shuts down", .run = owner_shuts_down },
	{ "reset while packets and a reader wait", .run = reset_when_full },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
