// SPDX-License-Identifier: GPL-2.0-only
/*
 * What leaves on a TCP connection that the kernel and userspace both write to:
 * whole packets, whoever writes how much at a time, and however slowly the far
 * end reads.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "condition.h"
#include "data_util.h"
#include "family.h"

#define PEER_ID	5

static const struct stream_conf usual;
static const struct data_far_args one = { .id = PEER_ID, .tcp = &usual };

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT	25
#endif

/* A far end that reads little at a time. */
static const struct stream_conf narrow = { .near_buf = 8192, .far_buf = 8192 };

/* ---- what is sent, known by its number ---- */

static size_t make_control(uint8_t *frame, unsigned int number)
{
	size_t len = 14 + number * 37 % 1200, i;
	uint8_t packet[2048];

	for (i = 0; i < len; i++)
		packet[i] = number + i * 3;
	packet[0] = 5 << 3;
	memcpy(packet + 1, &number, sizeof(number));
	return stream_frame(frame, packet, len);
}

static size_t make_data(uint8_t *plain, unsigned int number)
{
	return data_inner(plain, VPN_NEAR4, VPN_FAR4, 60 + number * 53 % 1300,
			  number);
}

/* ---- and read again at the far end ---- */

struct parser {
	const struct data_far *far;
	unsigned int control;	/* so many have come */
	unsigned int data;
	uint32_t packet_id;	/* of the last one */
};

static bool check_data(struct parser *p, const uint8_t *packet, size_t len)
{
	uint8_t plain[WIRE_MAX], want[WIRE_MAX];
	struct wire_header header;

	if (!CHECK_GE(0, wire_open(&p->far->open, packet, len, plain,
				   &header)))
		return false;
	len = make_data(want, p->data++);
	/* none is missing, none has overtaken another */
	return CHECK_EQ(++p->packet_id, header.packet_id) &&
	       CHECK_MEMEQ(want, plain, len);
}

static bool parse_one(struct parser *p, int timeout_ms)
{
	uint8_t packet[WIRE_MAX], want[2048];
	ssize_t len = stream_next(p->far->fd, packet, timeout_ms);

	if (len <= 0 || packet[0] >> 3 == WIRE_OP_DATA_V2)
		return CHECK_GE(1, len) && check_data(p, packet, len);
	if (!CHECK_EQ(make_control(want, p->control++), len + STREAM_HEAD_LEN))
		return false;
	return CHECK_MEMEQ(want + STREAM_HEAD_LEN, packet, len);
}

static bool parse(struct parser *p, unsigned int control, unsigned int data)
{
	while (p->control < control || p->data < data)
		if (!parse_one(p, DATA_WAIT_MS)) {
			ktap_note("after %u control and %u data packets",
				  p->control, p->data);
			return false;
		}
	return CHECK_EQ(control, p->control) && CHECK_EQ(data, p->data) &&
	       CHECK(udp_quiet(p->far->fd, 0));
}

static struct parser parser_of(const struct data_far *far)
{
	return (struct parser){ .far = far };
}

static bool send_data(struct data_bed *bed, unsigned int first,
		      unsigned int count)
{
	uint8_t plain[WIRE_MAX];
	unsigned int i;

	for (i = first; i < first + count; i++)
		if (!CHECK_ERR(0, data_near_send(bed, plain,
						 make_data(plain, i))))
			return false;
	return true;
}

/* ---- both write at the same time ---- */

#define AT_ONCE	300		/* packets of each */

struct sender {
	pthread_t thread;
	struct data_bed *bed;
	int fd;
	int flags;
	unsigned int count;
	unsigned int shorts;	/* calls that took a part, */
	unsigned int refusals;	/* or nothing */
	int err;
	bool done;
};

static void put(struct sender *s, const uint8_t *data, size_t len)
{
	struct pollfd poll_fd = { .fd = s->fd, .events = POLLOUT };
	ssize_t sent;

	while (len && !s->err) {
		sent = send(s->fd, data, len, MSG_NOSIGNAL | s->flags);
		if (sent < 0 && errno == EAGAIN) {
			s->refusals++;
			if (poll(&poll_fd, 1, DATA_WAIT_MS) > 0)
				continue;
		}
		if (sent < 0) {
			s->err = -errno;
			return;
		}
		s->shorts += sent != (ssize_t)len;
		data += sent;
		len -= sent;
	}
}

/* In as many ways as there are to write a packet. */
static void *send_control_thread(void *arg)
{
	struct sender *s = arg;
	uint8_t frame[4096];
	unsigned int i;
	size_t len, cut;

	for (i = 0; i < s->count && !s->err; i++) {
		len = make_control(frame, i);
		/* the family ovpn takes one packet a call, and whole */
		switch (speaks_ovpn() ? 0 : i % 4) {
		case 0:
			put(s, frame, len);
			break;
		case 1:
			cut = 1 + i * 13 % (len - 1);
			put(s, frame, cut);
			put(s, frame + cut, len - cut);
			break;
		case 2:
			put(s, frame, 1);
			put(s, frame + 1, 1);
			put(s, frame + 2, len - 2);
			break;
		case 3:
			if (i + 1 < s->count)
				len += make_control(frame + len, ++i);
			put(s, frame, len);
			break;
		}
	}
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *send_data_thread(void *arg)
{
	struct sender *s = arg;
	uint8_t plain[WIRE_MAX];
	unsigned int i;

	for (i = 0; i < s->count && !s->err; i++)
		s->err = data_near_send(s->bed, plain, make_data(plain, i));
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void sender_start(struct sender *s, void *(*run)(void *arg))
{
	if (pthread_create(&s->thread, NULL, run, s))
		ktap_bail("no thread");
}

static bool sender_done(const struct sender *s)
{
	return __atomic_load_n(&s->done, __ATOMIC_ACQUIRE);
}

/* A thread that hangs cannot be got rid of: no test can follow. */
static void sender_end(struct sender *s, const char *what)
{
	if (!CHECK_MSG(WAIT_FOR(sender_done(s), DATA_WAIT_MS),
		       "%s is still blocked", what))
		ktap_bail("cannot go on");
	pthread_join(s->thread, NULL);
	CHECK_ERR(0, s->err);
}

struct both_conf {
	const struct stream_conf *stream;
	int flags;		/* of send() */
	int unsent;		/* TCP_NOTSENT_LOWAT */
	unsigned int pause_ms;	/* of the far end, every ten packets */
};

static void both_write(struct data_bed *bed)
{
	const struct both_conf *conf = bed->arg;
	struct data_far_args args = one;
	struct data_drops before;
	struct data_far far;
	struct parser p;
	struct sender control, data;

	args.tcp = conf->stream;
	if (!data_far_add(bed, &far, &args))
		return;
	if (conf->unsent)
		CHECK_EQ(0, setsockopt(far.sock, IPPROTO_TCP,
				       TCP_NOTSENT_LOWAT, &conf->unsent,
				       sizeof(conf->unsent)));
	data_drops_read(bed, &before);
	control = (struct sender){
		.fd = far.sock, .flags = conf->flags, .count = AT_ONCE,
	};
	data = (struct sender){ .bed = bed, .count = AT_ONCE };
	p = parser_of(&far);
	sender_start(&control, send_control_thread);
	sender_start(&data, send_data_thread);
	while (p.control + p.data < 2 * AT_ONCE && parse_one(&p, DATA_WAIT_MS))
		if (conf->pause_ms && (p.control + p.data) % 10 == 0)
			sleep_ms(conf->pause_ms);
	CHECK_EQ(AT_ONCE, p.control);
	CHECK_EQ(AT_ONCE, p.data);
	if (!ktap_good())
		close(far.fd);
	sender_end(&control, "userspace");
	sender_end(&data, "the sender in the tunnel");
	ktap_note("userspace was told %u times to wait", control.refusals);
	if (conf->flags & MSG_DONTWAIT)
		CHECK_EQ(0, control.shorts);
	CHECK(udp_quiet(far.fd, 0));
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/* ---- one waits for the other ---- */

/* While userspace is inside a packet nothing may come between. */
static void kernel_waits(struct data_bed *bed)
{
	static const size_t cuts[] = { 1, 2, 3, 10 };
	struct data_drops before;
	struct data_far far;
	struct parser p;
	uint8_t frame[2048], got[16];
	unsigned int i;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	p = parser_of(&far);
	data_drops_read(bed, &before);
	for (i = 0; i < ARRAY_SIZE(cuts) && ktap_good(); i++) {
		len = make_control(frame, i);
		CHECK_ERR(0, stream_write(far.sock, frame, cuts[i]));
		CHECK_EQ(cuts[i], stream_read(far.fd, got, cuts[i],
					      DATA_WAIT_MS));
		send_data(bed, i * 20, 20);
		CHECK(udp_quiet(far.fd, 50));
		CHECK_ERR(0, stream_write(far.sock, frame + cuts[i],
					  len - cuts[i]));
		/* the rest of it, and only then the others */
		CHECK_EQ(len - cuts[i], stream_read(far.fd, frame,
						    len - cuts[i],
						    DATA_WAIT_MS));
		p.control++;
		parse(&p, i + 1, i * 20 + 20);
	}
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/* With MSG_MORE, and by the pages of a file. */
static void other_calls(struct data_bed *bed)
{
	int file = memfd_create("packets", MFD_CLOEXEC);
	struct data_far far;
	struct parser p;
	uint8_t frame[2048];
	unsigned int i;
	size_t len, sum = 0;

	if (!data_far_add(bed, &far, &one))
		return;
	p = parser_of(&far);
	for (i = 0; i < 20; i++) {
		len = make_control(frame, i);
		CHECK_EQ(len, send(far.sock, frame, len,
				   MSG_NOSIGNAL | (i % 2 ? 0 : MSG_MORE)));
		send_data(bed, i, 1);
	}
	parse(&p, 20, 20);
	for (i = 20; i < 40; i++) {
		len = make_control(frame, i);
		sum += len;
		CHECK_EQ(len, write(file, frame, len));
	}
	lseek(file, 0, SEEK_SET);
	for (i = 20; sum && ktap_good(); i++) {
		len = sum < 777 ? sum : 777;
		CHECK_EQ(len, sendfile(far.sock, file, NULL, len));
		send_data(bed, i, 1);
		sum -= len;
	}
	parse(&p, 40, i);
	close(file);
	data_far_close(&far);
}

/* ---- a far end that does not read ---- */

/* Processor time used by everybody, in ticks. */
static long busy_ticks(void)
{
	unsigned long user, nice, system, irq, softirq;
	char line[256];

	if (file_read_line("/proc/stat", line, sizeof(line)) ||
	    sscanf(line, "cpu %lu %lu %lu %*u %*u %lu %lu", &user, &nice,
		   &system, &irq, &softirq) != 5)
		ktap_bail("/proc/stat");
	return user + nice + system + irq + softirq;
}

/*
 * Nobody runs in circles: who does is never idle. The kernel has work of its own
 * now and then, like looking for leaks, so one idle half second is enough.
 */
static void check_idle(void)
{
	long hz = sysconf(_SC_CLK_TCK), before, busy;
	int tries = 0;

	do {
		before = busy_ticks();
		sleep_ms(500);
		busy = busy_ticks() - before;
	} while (busy > hz * 3 / 10 && ++tries < 40);
	CHECK_RANGE(0, hz * 3 / 10, busy);
}

/* The sender does not wait, nor does the queue drop anything to be fair. */
static void queue_all(struct data_bed *bed)
{
	int size = 16 << 20;

	CHECK_EQ(0, setsockopt(bed->raw4, SOL_SOCKET, SO_SNDBUFFORCE, &size,
			       sizeof(size)));
	netns_run(bed->near, "tc qdisc replace dev " TUN
		  " root pfifo limit 5000");
}

/* A blocking sender in the tunnel waits, and goes on when the far end reads. */
static void sender_waits(struct data_bed *bed)
{
	struct sender data = { .bed = bed, .count = 1500 };
	struct data_far_args args = one;
	struct data_drops before;
	struct data_far far;
	struct parser p;

	args.tcp = &narrow;
	if (!data_far_add(bed, &far, &args))
		return;
	p = parser_of(&far);
	data_drops_read(bed, &before);
	sender_start(&data, send_data_thread);
	CHECK(!WAIT_FOR(sender_done(&data), 1000));
	check_idle();
	CHECK(!sender_done(&data));
	parse(&p, 0, 1500);
	if (!ktap_good())
		close(far.fd);
	sender_end(&data, "the sender in the tunnel");
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/*
 * More than the module keeps for a connection: the device's queue is stopped,
 * and has the rest.
 */
static void device_stops(struct data_bed *bed)
{
	struct data_far_args args = one;
	uint8_t plain[WIRE_MAX];
	struct wire_header header;
	struct data_drops before;
	struct data_far far;
	unsigned int i;
	int round;

	args.tcp = &narrow;
	if (!data_far_add(bed, &far, &args))
		return;
	data_drops_read(bed, &before);
	queue_all(bed);
	for (round = 0; round < 2; round++) {
		data_inner(plain, VPN_NEAR4, VPN_FAR4, 1400, 1);
		for (i = 0; i < 1100 && ktap_good(); i++)
			CHECK_ERR(0, data_near_send(bed, plain, 1400));
		check_idle();
		for (i = 0; i < 1100 && ktap_good(); i++) {
			CHECK_EQ(1400, data_far_recv(&far, plain, &header,
						     NULL));
			CHECK_EQ(round * 1100 + i + 1, header.packet_id);
		}
	}
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/* A far end that reads nothing is no reason to stop the others. */
static void others_go_on(struct data_bed *bed)
{
	static const struct data_far_args two = {
		.id = 6, .tcp = &usual, .ipv4 = VPN_FAR4_B,
	};
	static const struct data_far_args three = {
		.id = 7, .ipv4 = "10.8.0.4", .addr = FAR4_B,
	};
	struct data_far_args args = one;
	struct data_far stuck, good, udp;
	uint8_t plain[WIRE_MAX], got[WIRE_MAX];
	struct wire_header header;
	uint64_t dropped;
	unsigned int i;
	uint32_t last = 0, missing = 0;
	size_t len;

	args.tcp = &narrow;
	if (!data_far_add(bed, &stuck, &args) ||
	    !data_far_add(bed, &good, &two) ||
	    !data_far_add(bed, &udp, &three))
		return;
	queue_all(bed);
	for (i = 0; i < 2500; i++) {
		len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 1000, 1);
		CHECK_ERR(0, data_near_send(bed, plain, len));
		if (i % 250 == 0) {
			data_to_far(bed, &good, NULL, NULL);
			data_to_far(bed, &udp, NULL, NULL);
		}
	}
	dropped = ethtool_count(bed->near, TUN, "tx_drop_backlog");
	CHECK_RANGE(1, 2000, dropped);
	/* everything else arrives, and what follows, too */
	for (i = 0; i < 2500 - dropped && ktap_good(); i++) {
		CHECK_EQ(1000, data_far_recv(&stuck, got, &header, NULL));
		missing += header.packet_id - last - 1;
		last = header.packet_id;
	}
	CHECK(udp_quiet(stuck.fd, 50));
	missing += 2500 - last;
	CHECK_EQ(dropped, missing);
	data_to_far(bed, &stuck, NULL, NULL);
	CHECK_EQ(dropped, ethtool_count(bed->near, TUN, "tx_drop_backlog"));
	data_far_close(&stuck);
	data_far_close(&good);
	data_far_close(&udp);
}

/* Userspace's own packets have to wait as well, whole. */
static void userspace_waits(struct data_bed *bed)
{
	struct sender control = { .count = 1 };
	struct data_far_args args = one;
	unsigned int sent = 0;
	struct data_far far;
	struct parser p;
	uint8_t frame[2048];
	ssize_t ret;
	size_t len;

	args.tcp = &narrow;
	if (!data_far_add(bed, &far, &args))
		return;
	p = parser_of(&far);
	queue_all(bed);
	send_data(bed, 0, 100);
	/* the kernel may be inside a packet now or not */
	for (;;) {
		len = make_control(frame, sent);
		ret = send(far.sock, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (ret < 0 || !CHECK_EQ(len, ret) ||
		    !CHECK_RANGE(0, 5000, sent))
			break;
		sent++;
	}
	CHECK_EQ(EAGAIN, errno);
	ktap_note("%u control packets before EAGAIN", sent);
	parse(&p, sent, 100);
	/* now there is room again */
	control.fd = far.sock;
	sender_start(&control, send_control_thread);
	sender_end(&control, "userspace");
	p.control = 0;
	parse(&p, 1, 100);
	data_far_close(&far);
}

/* poll() tells when there is room again. */
static void userspace_woken(struct data_bed *bed)
{
	struct pollfd poll_fd = { .events = POLLOUT };
	struct data_far_args args = one;
	struct sender control;
	struct data_far far;
	struct parser p;

	args.tcp = &narrow;
	if (!data_far_add(bed, &far, &args))
		return;
	p = parser_of(&far);
	poll_fd.fd = far.sock;
	queue_all(bed);
	send_data(bed, 0, 300);
	/* a thread that blocks inside send() */
	control = (struct sender){ .fd = far.sock, .count = 100 };
	sender_start(&control, send_control_thread);
	CHECK(!WAIT_FOR(sender_done(&control), 300));
	check_idle();
	CHECK_EQ(0, poll(&poll_fd, 1, 0));
	parse(&p, 100, 300);
	if (!ktap_good())
		close(far.fd);
	sender_end(&control, "userspace");
	CHECK_EQ(1, poll(&poll_fd, 1, DATA_WAIT_MS));
	data_far_close(&far);
}

/* A busy tunnel leaves room for the packets that keep it up. */
static void userspace_has_room(struct data_bed *bed)
{
	static const struct stream_conf busy = {
		.near_buf = 65536, .far_buf = 16384,
	};
	struct sender data = { .bed = bed, .count = 2000 };
	unsigned int i, tries, most = 0;
	struct data_far_args args = one;
	struct data_far far;
	struct parser p;
	uint8_t frame[2048];
	size_t len;

	args.tcp = &busy;
	if (!data_far_add(bed, &far, &args))
		return;
	p = parser_of(&far);
	queue_all(bed);
	sender_start(&data, send_data_thread);
	sleep_ms(200);
	for (i = 0; i < 20 && ktap_good(); i++) {
		len = make_control(frame, i);
		for (tries = 0; tries < 60 && parse_one(&p, DATA_WAIT_MS);
		     tries++)
			if (send(far.sock, frame, len, MSG_DONTWAIT) ==
			    (ssize_t)len)
				break;
		CHECK_RANGE(0, 59, tries);
		if (most < tries)
			most = tries;
	}
	ktap_note("at most %u packets later than wanted", most);
	parse(&p, 20, 2000);
	if (!ktap_good())
		close(far.fd);
	sender_end(&data, "the sender in the tunnel");
	data_far_close(&far);
}

/* ---- how they are sent ---- */

/* What comes as one large packet leaves in as few segments as hold it. */
static void many_at_once(struct data_bed *bed)
{
	int fd = udp_socket(bed->near, VPN_NEAR4, 0), size = 60;
	uint8_t data[60 * 60], plain[WIRE_MAX];
	struct data_far far;
	unsigned int i, before;

	if (!data_far_add(bed, &far, &one))
		return;
	memset(data, 'x', sizeof(data));
	CHECK_EQ(0, setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size,
			       sizeof(size)));
	before = stream_segments(far.sock);
	CHECK_EQ(sizeof(data), udp_send(fd, NULL, VPN_FAR4, DATA_PORT, data,
					sizeof(data)));
	for (i = 0; i < 60 && ktap_good(); i++)
		CHECK_EQ(88, data_far_recv(&far, plain, NULL, NULL));
	/* 60 times 114 bytes: five segments of 1448 */
	CHECK_RANGE(5, 8, stream_segments(far.sock) - before);
	close(fd);
	data_far_close(&far);
}

/* A buffer that holds what this path takes eight seconds for: a handshake's packets
 * are not behind all of that.
 */
static void userspace_is_early(struct data_bed *bed)
{
	struct sender data = { .bed = bed, .count = 2500 };
	uint8_t frame[2048], packet[WIRE_MAX];
	unsigned int seen, before;
	struct data_far far;
	int size = 2 << 20;
	int64_t start;
	size_t len;

	if (netns_sh(bed->near, "tc qdisc replace dev " NEAR_VETH
		     " root netem rate 2mbit 2>/dev/null")) {
		ktap_skip("this kernel has no netem");
		return;
	}
	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_EQ(0, setsockopt(far.sock, SOL_SOCKET, SO_SNDBUFFORCE, &size,
			       sizeof(size)));
	queue_all(bed);
	sender_start(&data, send_data_thread);
	for (seen = 0; seen < 200 && ktap_good(); seen++)
		CHECK_GE(1, stream_next(far.fd, packet, DATA_WAIT_MS));

	len = make_control(frame, 0);
	start = now_ms();
	CHECK_EQ(len, send(far.sock, frame, len, MSG_NOSIGNAL));
	for (before = 0; seen + before < data.count; before++)
		if (!CHECK_GE(1, stream_next(far.fd, packet, DATA_WAIT_MS)) ||
		    packet[0] >> 3 != WIRE_OP_DATA_V2)
			break;
	ktap_note("%u packets and %lld ms later", before,
		  (long long)(now_ms() - start));
	CHECK_RANGE(0, 1000, before);

	netns_run(bed->near, "tc qdisc del dev " NEAR_VETH " root");
	for (seen += before; seen < data.count && ktap_good(); seen++)
		CHECK_GE(1, stream_next(far.fd, packet, DATA_WAIT_MS));
	if (!ktap_good())
		close(far.fd);
	sender_end(&data, "the sender in the tunnel");
	data_far_close(&far);
}

#define CROWD	3		/* senders on as many processors as there are */

static void *send_bursts_thread(void *arg)
{
	struct sender *s = arg;
	int size = 60;
	uint8_t data[40 * 60] = { 0 };
	unsigned int i;

	if (setsockopt(s->fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		s->err = -errno;
	for (i = 0; i < s->count && !s->err; i++)
		s->err = udp_send(s->fd, NULL, VPN_FAR4, DATA_PORT, data,
				  sizeof(data)) < 0 ? -errno : 0;
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * Several processors send: OpenVPN gives a TCP connection up when a packet id is
 * far behind the newest.
 */
static void by_packet_id(struct data_bed *bed)
{
	struct sender senders[CROWD] = { { 0 } };
	struct wire_header header;
	uint8_t packet[WIRE_MAX], plain[WIRE_MAX];
	struct data_far far;
	uint32_t last = 0;
	unsigned int i;
	ssize_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	queue_all(bed);
	for (i = 0; i < CROWD; i++) {
		senders[i].fd = udp_socket(bed->near, VPN_NEAR4, 0);
		senders[i].count = 100;
		sender_start(&senders[i], send_bursts_thread);
	}
	for (i = 0; i < CROWD * 100 * 40; i++) {
		len = stream_next(far.fd, packet, DATA_WAIT_MS);
		if (!CHECK_GE(1, len) ||
		    !CHECK_GE(0, wire_open(&far.open, packet, len, plain,
					   &header)) ||
		    !CHECK_EQ(last + 1, header.packet_id))
			break;
		last = header.packet_id;
	}
	if (!ktap_good())
		close(far.fd);
	for (i = 0; i < CROWD; i++) {
		sender_end(&senders[i], "a sender in the tunnel");
		close(senders[i].fd);
	}
	data_far_close(&far);
}

/*
 * A packet does not wait for the acknowledgment of the one before it, whatever
 * the socket's owner wants for its own.
 */
static void no_delay(struct data_bed *bed)
{
	uint8_t plain[WIRE_MAX];
	int64_t waited = 0;
	struct data_far far;
	int off = 0, i;

	data_far_connect(bed, &far, &one);
	CHECK_EQ(0, setsockopt(far.sock, IPPROTO_TCP, TCP_NODELAY, &off,
			       sizeof(off)));
	if (!data_far_attach(bed, &far, &one))
		return;
	for (i = 0; i < 25 && ktap_good(); i++) {
		/* not before it has something to say, or 40 ms have passed */
		CHECK_EQ(0, setsockopt(far.fd, IPPROTO_TCP, TCP_QUICKACK, &off,
				       sizeof(off)));
		send_data(bed, 0, 1);
		CHECK_EQ(60, data_far_recv(&far, plain, NULL, NULL));
		waited -= now_ms();
		send_data(bed, 0, 1);
		CHECK_EQ(60, data_far_recv(&far, plain, NULL, NULL));
		waited += now_ms();
	}
	ktap_note("%lld ms for 25 packets", (long long)waited);
	/* what got lost takes longer, before it is sent again */
	if (!under("netem"))
		CHECK_RANGE(0, 700, waited);
	data_far_close(&far);
}

static void largest(struct data_bed *bed)
{
	const unsigned int most = 65535 - family()->overhead;
	uint8_t sent[WIRE_MAX], got[WIRE_MAX];
	struct data_far far;
	size_t len;

	if (!data_far_add(bed, &far, &one))
		return;
	netns_run(bed->near, "ip link set " TUN " mtu %u", most);
	len = data_inner(sent, VPN_NEAR4, VPN_FAR4, most, 1);
	CHECK_ERR(0, data_near_send(bed, sent, len));
	CHECK_EQ(len, data_far_recv(&far, got, NULL, NULL));
	CHECK_MEMEQ(sent, got, len);
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

static void keepalive(struct data_bed *bed)
{
	struct ovpn_ntf ntf = { 0 };
	struct data_far far;
	uint8_t plain[WIRE_MAX];
	int64_t start;
	int i;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_ERR(0, ovpn_nl_set_peer(bed->nl, bed->ifindex, PEER_ID, 1, 3));
	start = now_ms();
	for (i = 0; i < 2; i++) {
		CHECK_EQ(sizeof(wire_ping), data_far_recv(&far, plain, NULL,
							  NULL));
		CHECK_MEMEQ(wire_ping, plain, sizeof(wire_ping));
	}
	data_far_send(&far, wire_ping, sizeof(wire_ping));
	data_wait_count(bed, "rx_keepalive", 1);
	CHECK_ERR(0, data_wait_ntf(bed, &ntf, 7000));
	CHECK_EQ(OVPN_DEL_PEER_REASON_EXPIRED, ntf.reason);
	CHECK_GE(4000, now_ms() - start);
	data_far_close(&far);
}

/*
 * The connection's own packets are routed into the tunnel that they are to
 * carry: they are dropped, and TCP sends them again when that is over.
 */
static void into_itself(struct data_bed *bed)
{
	struct data_far far;
	struct parser p;

	if (!data_far_add(bed, &far, &one))
		return;
	p = parser_of(&far);
	send_data(bed, 0, 5);
	parse(&p, 0, 5);
	netns_run(bed->near, "ip route add " FAR4 "/32 dev " TUN);
	send_data(bed, 5, 5);
	CHECK(WAIT_FOR(ethtool_count(bed->near, TUN, "tx_drop_loop"),
		       DATA_WAIT_MS));
	netns_run(bed->near, "ip route del " FAR4 "/32 dev " TUN);
	parse(&p, 0, 10);
	data_far_close(&far);
}

/* ---- a tunnel between two devices, with TCP inside ---- */

#define BULK	(2 << 20)	/* bytes each way */

struct transfer {
	pthread_t thread;
	int fd;
	bool send;
	size_t done;
	int err;
};

static uint8_t bulk_byte(size_t at)
{
	return at * 7 + (at >> 11);
}

static void *transfer_thread(void *arg)
{
	struct transfer *t = arg;
	uint8_t buf[16384];
	ssize_t ret;
	size_t i;

	while (t->done < BULK && !t->err) {
		for (i = 0; t->send && i < sizeof(buf); i++)
			buf[i] = bulk_byte(t->done + i);
		ret = t->send ? send(t->fd, buf, sizeof(buf), MSG_NOSIGNAL) :
				recv(t->fd, buf, sizeof(buf), 0);
		if (ret <= 0)
			t->err = ret ? -errno : -EPIPE;
		for (i = 0; !t->send && !t->err && i < (size_t)ret; i++)
			if (buf[i] != bulk_byte(t->done + i))
				t->err = -EBADMSG;
		if (!t->err)
			__atomic_add_fetch(&t->done, ret, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* The far end becomes a device as well. */
static bool far_device(struct data_bed *bed, const struct data_far *far,
		       struct ovpn_nl **nl)
{
	struct ovpn_peer_args peer = {
		.id = far->id,
		.socket = far->fd,
		.ipv4 = vpn_of(OVPN_MODE_P2P, VPN_NEAR4),
	};
	int index = ovpn_link_new(bed->far, TUN, OVPN_MODE_P2P);

	if (!CHECK_GE(1, index))
		return false;
	netns_run(bed->far, "ip link set " TUN " addrgenmode none; "
		  "ip addr add " VPN_FAR4 "/24 dev " TUN "; "
		  "ip link set " TUN " up");
	*nl = ovpn_nl_open(bed->far);
	return CHECK_ERR(0, ovpn_nl_new_peer(*nl, index, &peer)) &&
	       CHECK_ERR(0, ovpn_nl_new_key(*nl, index, far->id,
					    OVPN_KEY_SLOT_PRIMARY, &far->seal,
					    &far->open));
}

static void run_transfers(struct transfer *t, unsigned int count)
{
	size_t last = 0, now;
	unsigned int i;
	int64_t since = now_ms(), start = since;

	for (i = 0; i < count; i++)
		if (pthread_create(&t[i].thread, NULL, transfer_thread, &t[i]))
			ktap_bail("no thread");
	for (;;) {
		for (i = 0, now = 0; i < count; i++)
			now += __atomic_load_n(&t[i].done, __ATOMIC_ACQUIRE);
		if (now == (size_t)BULK * count)
			break;
		if (now != last)
			since = now_ms();
		last = now;
		/* the inner connection's first retry is after a second */
		if (!CHECK_MSG(now_ms() - since < 3000, "stalled after %zu",
			       now))
			break;
		sleep_ms(10);
	}
	ktap_note("%zu kB in %lld ms", now >> 10,
		  (long long)(now_ms() - start));
	for (i = 0; i < count; i++) {
		shutdown(t[i].fd, SHUT_RDWR);
		pthread_join(t[i].thread, NULL);
		CHECK_ERR(0, t[i].err);
	}
}

static void bulk(struct data_bed *bed)
{
	struct data_far_args args = one;
	struct transfer t[4] = { 0 };
	struct data_drops before;
	struct ovpn_nl *nl = NULL;
	struct data_far far;
	int fds[2], i;

	args.tcp = bed->arg;
	if (!data_far_add(bed, &far, &args) || !far_device(bed, &far, &nl))
		return;
	data_drops_read(bed, &before);
	stream_pair(bed->near, VPN_NEAR4, bed->far, VPN_FAR4, NULL, fds);
	for (i = 0; i < 4; i++) {
		t[i].fd = fds[i / 2];
		t[i].send = i % 2;
	}
	run_transfers(t, 4);
	data_check_no_drops(bed, &before);
	CHECK_EQ(0, ethtool_count(bed->far, TUN, "tx_drop_backlog"));
	close(fds[0]);
	close(fds[1]);
	ovpn_link_del(bed->far, TUN);
	ovpn_nl_close(nl);
	data_far_close(&far);
}

/* ---- both families ---- */

static void both_families(struct data_bed *bed)
{
	static const char *const addrs[] = { FAR4, FAR6 };
	struct data_far_args args = one;
	uint8_t sent[WIRE_MAX], got[WIRE_MAX];
	struct data_far far;
	unsigned int i;
	size_t size;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		args.addr = addrs[i];
		args.alg = i ? OVPN_CIPHER_ALG_CHACHA20_POLY1305 : 0;
		if (!data_far_add(bed, &far, &args))
			return;
		for (size = 50; size < 1400 && ktap_good(); size += 79) {
			data_inner(sent, VPN_NEAR4, VPN_FAR4, size, size);
			CHECK_ERR(0, data_near_send(bed, sent, size));
			CHECK_EQ(size, data_far_recv(&far, got, NULL, NULL));
			CHECK_MEMEQ(sent, got, size);
			data_inner(sent, VPN_NEAR6, VPN_FAR6, size, size);
			CHECK_ERR(0, data_near_send(bed, sent, size));
			CHECK_EQ(size, data_far_recv(&far, got, NULL, NULL));
			CHECK_MEMEQ(sent, got, size);
		}
		data_far_close(&far);
	}
}

#define BOTH(...)	.run = both_write,				\
			.arg = &(const struct both_conf){ __VA_ARGS__ }

static const struct data_case cases[] = {
	{ "over IPv4 and IPv6, both inside", .run = both_families },
	{ "as large as it gets", .run = largest },
	{ "both write", BOTH(.stream = &usual) },
	{ "both write, userspace does not wait",
	  BOTH(.stream = &usual, .flags = MSG_DONTWAIT) },
	{ "both write, slow far end", BOTH(.stream = &narrow, .pause_ms = 1) },
	{ "both write, slow far end, userspace does not wait",
	  BOTH(.stream = &narrow, .flags = MSG_DONTWAIT, .pause_ms = 1) },
	{ "both write, little may be unsent",
	  BOTH(.stream = &narrow, .flags = MSG_DONTWAIT, .unsent = 4096) },
	{ "both write, multi-peer device", .conf = { .mode = OVPN_MODE_MP },
	  BOTH(.stream = &narrow) },
	{ "the kernel waits while userspace is inside a packet",
	  .run = kernel_waits, .v2_only = true },
	{ "userspace writes with MSG_MORE and sendfile()", .run = other_calls,
	  .v2_only = true },
	{ "nobody reads: the sender waits", .run = sender_waits },
	{ "nobody reads: the device's queue stops", .run = device_stops },
	{ "nobody reads: the other peers go on",
	  .conf = { .mode = OVPN_MODE_MP }, .run = others_go_on },
	{ "nobody reads: userspace has to wait", .run = userspace_waits },
	{ "nobody reads: userspace is woken", .run = userspace_woken },
	{ "busy, and userspace gets through", .run = userspace_has_room },
	{ "slow, and userspace gets through early", .run = userspace_is_early },
	{ "several send, in the order of packet ids", .run = by_packet_id },
	{ "many packets in a segment", .run = many_at_once },
	{ "one packet without delay", .run = no_delay },
	{ "keepalive", .run = keepalive },
	{ "its route leads into the tunnel", .run = into_itself },
	{ "TCP inside, both ways", .run = bulk, .arg = &usual },
	{ "TCP inside, both ways, small buffers outside", .run = bulk,
	  .arg = &narrow },
};

int main(int argc, char **argv)
{
	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
