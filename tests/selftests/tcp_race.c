// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at the same time: a connection is handed over and taken back all
 * the while both ends write, userspace reads and writes at the near end, and
 * packets go through the tunnel. Each byte of both directions still has its
 * place.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID	5
#define RUN_MS	2500
#define ROUNDS_MIN	5	/* however long they take */
/* Everybody wants the lock, on a kernel that may be slow: patience */
#define PATIENCE_MS	(10 * DATA_WAIT_MS)

static const struct stream_conf usual;
static const struct stream_conf narrow = { .near_buf = 8192, .far_buf = 8192 };

static struct {
	struct data_bed *bed;
	struct data_far far;
	bool stop;
	/*
	 * Nobody can tell the module where in a packet userspace is: held for
	 * writing while the connection is handed over, for reading by whoever
	 * is inside a packet.
	 */
	pthread_rwlock_t gate;
} race;

static bool stopped(void)
{
	return __atomic_load_n(&race.stop, __ATOMIC_ACQUIRE);
}

/* ---- the threads ---- */

struct racer {
	const char *name;
	void (*run)(struct racer *r);
	bool ends_by_itself;	/* with the stream */
	pthread_t thread;
	unsigned int count;
	const char *error;
	int number;
	bool done;
};

static void failed(struct racer *r, const char *error, int number)
{
	r->error = error;
	r->number = number;
}

/* A control packet says which one it is. */
static size_t make_control(uint8_t *frame, unsigned int number)
{
	size_t len = 14 + number * 37 % 700;
	uint8_t packet[1024];

	memset(packet, number, len);
	packet[0] = 5 << 3;
	memcpy(packet + 1, &number, sizeof(number));
	return stream_frame(frame, packet, len);
}

/*
 * The next packet of a stream: control packets have to be the ones that follow
 * each other, data packets have to open with this key.
 */
static bool check_packet(struct racer *r, const uint8_t *packet, ssize_t len,
			 const struct wire_key *key)
{
	uint8_t want[1024], plain[WIRE_MAX];

	if (len <= 0) {
		if (len)
			failed(r, "no packet", len);
		return false;
	}
	if (packet[0] >> 3 == WIRE_OP_DATA_V2) {
		if (wire_open(key, packet, len, plain, NULL) >= 0)
			return true;
		failed(r, "a data packet that does not open", len);
		return false;
	}
	if (make_control(want, r->count) == (size_t)len + STREAM_HEAD_LEN &&
	    !memcmp(want + STREAM_HEAD_LEN, packet, len)) {
		r->count++;
		return true;
	}
	failed(r, "not the next control packet", len);
	return false;
}

static void far_reads(struct racer *r)
{
	uint8_t packet[WIRE_MAX];
	ssize_t len;

	do
		len = stream_next(race.far.fd, packet, PATIENCE_MS);
	while (check_packet(r, packet, len, &race.far.open));
}

/*
 * What one call returns is a packet or bytes of a stream, whichever the socket is
 * at that moment: so ask for no more than one.
 */
static ssize_t near_next(int fd, uint8_t *packet)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + PATIENCE_MS;
	uint8_t frame[STREAM_MAX];
	ssize_t got;
	size_t len;

	do {
		poll(&poll_fd, 1, 10);
		got = recv(fd, frame, STREAM_HEAD_LEN, MSG_PEEK | MSG_DONTWAIT);
		if (!got || (got < 0 && errno != EAGAIN))
			return got ? -errno : 0;
	} while (got != STREAM_HEAD_LEN && now_ms() < end);
	if (got != STREAM_HEAD_LEN)
		return -EAGAIN;
	len = STREAM_HEAD_LEN + (frame[0] << 8 | frame[1]);
	got = stream_read(fd, frame, len, PATIENCE_MS);
	if (got != (ssize_t)len)
		return got < 0 ? got : -EPROTO;
	memcpy(packet, frame + STREAM_HEAD_LEN, len - STREAM_HEAD_LEN);
	return len - STREAM_HEAD_LEN;
}

static void near_reads(struct racer *r)
{
	struct pollfd poll_fd = { .fd = race.far.sock, .events = POLLIN };
	uint8_t packet[WIRE_MAX];
	bool good = true;
	ssize_t len;

	while (good) {
		if (poll(&poll_fd, 1, 10) <= 0)
			continue;
		pthread_rwlock_rdlock(&race.gate);
		len = near_next(race.far.sock, packet);
		pthread_rwlock_unlock(&race.gate);
		good = check_packet(r, packet, len, &race.far.seal);
	}
}

static void far_writes(struct racer *r)
{
	uint8_t frame[4096], plain[WIRE_MAX], packet[WIRE_MAX];
	size_t len, size;
	int err;

	while (!stopped()) {
		len = make_control(frame, r->count++);
		size = data_inner(plain, VPN_FAR4, VPN_NEAR4,
				  100 + r->count % 1000, r->count);
		size = wire_seal(&race.far.seal, PEER_ID, r->count, plain,
				 size, packet);
		len += stream_frame(frame + len, packet, size);
		err = stream_write(race.far.fd, frame, len);
		if (err) {
			failed(r, "cannot write", err);
			break;
		}
		if (r->count % 8 == 0)
			sleep_ms(1);
	}
}

static void near_writes(struct racer *r)
{
	uint8_t frame[1024];
	size_t len, cut;
	int err;

	while (!stopped()) {
		len = make_control(frame, r->count++);
		cut = r->count % 3 ? len : len / 2;
		pthread_rwlock_rdlock(&race.gate);
		err = stream_write(race.far.sock, frame, cut);
		if (!err)
			err = stream_write(race.far.sock, frame + cut,
					   len - cut);
		pthread_rwlock_unlock(&race.gate);
		if (err) {
			failed(r, "cannot write", err);
			break;
		}
		if (r->count % 8 == 0)
			sleep_ms(1);
	}
}

/* Whether there is a way is not this one's business. */
static void tunnel_writes(struct racer *r)
{
	uint8_t plain[WIRE_MAX];

	for (; !stopped(); r->count++) {
		data_inner(plain, VPN_NEAR4, VPN_FAR4, 100 + r->count % 1000,
			   r->count);
		data_near_send(race.bed, plain, 100 + r->count % 1000);
		if (r->count % 8 == 0)
			sleep_ms(1);
	}
}

/* Asks all that can be asked without a lock, or changes nothing. */
static void near_asks(struct racer *r)
{
	struct pollfd poll_fd = { .fd = race.far.sock, .events = POLLOUT };
	int value, on = 1;
	socklen_t len;
	char c;

	for (; !stopped(); r->count++) {
		len = sizeof(value);
		poll(&poll_fd, 1, 0);
		ioctl(race.far.sock, FIONREAD, &value);
		recv(race.far.sock, &c, 1, MSG_PEEK | MSG_DONTWAIT);
		getsockopt(race.far.sock, SOL_SOCKET, SO_ERROR, &value, &len);
		setsockopt(race.far.sock, IPPROTO_TCP, TCP_NODELAY, &on,
			   sizeof(on));
		setsockopt(race.far.sock, IPPROTO_TCP, TCP_ULP, "none", 4);
		getsockopt(race.far.sock, IPPROTO_TCP, TCP_ULP, &value, &len);
		sleep_ms(1);
	}
}

static void *racer_thread(void *arg)
{
	struct racer *r = arg;

	r->run(r);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void join(struct racer *r)
{
	if (!CHECK_MSG(WAIT_FOR(__atomic_load_n(&r->done, __ATOMIC_ACQUIRE),
				2 * PATIENCE_MS), "%s hangs", r->name))
		ktap_bail("cannot go on");
	pthread_join(r->thread, NULL);
	CHECK_MSG(!r->error, "%s, after %u: %s (%d)", r->name, r->count,
		  r->error, r->number);
}

/* ---- handing over and taking back ---- */

static void hand_over(struct data_bed *bed)
{
	struct ovpn_peer_args args = {
		.id = PEER_ID, .socket = race.far.sock,
		.ipv4 = vpn_of(bed->mode, VPN_FAR4),
	};
	int64_t end = now_ms() + PATIENCE_MS;
	int err;

	pthread_rwlock_wrlock(&race.gate);
	/* The module gives up after two seconds, and nothing has changed */
	do
		err = ovpn_nl_new_peer(bed->nl, bed->ifindex, &args);
	while (err && now_ms() < end &&
	       strstr(ovpn_nl_extack(bed->nl), "being given back"));
	pthread_rwlock_unlock(&race.gate);
	CHECK_MSG(!err, "NEW_PEER: %s (%s)", strerror(-err),
		  ovpn_nl_extack(bed->nl));
	if (!err)
		CHECK_ERR(0, data_key_install(bed, &race.far,
					      OVPN_KEY_SLOT_PRIMARY));
}

static void by_request(struct data_bed *bed)
{
	hand_over(bed);
	sleep_ms(rand() % 30);
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, PEER_ID));
	sleep_ms(rand() % 5);
}

/* Point-to-point: the next one takes the place of the one before. */
static void by_replacement(struct data_bed *bed)
{
	hand_over(bed);
	sleep_ms(rand() % 20);
}

static void by_link(struct data_bed *bed)
{
	hand_over(bed);
	sleep_ms(rand() % 30);
	CHECK_ERR(0, ovpn_link_del(bed->near, TUN));
	bed->ifindex = ovpn_link_new(bed->near, TUN, OVPN_MODE_P2P);
}

struct way {
	void (*once)(struct data_bed *bed);
	const struct stream_conf *stream;
};

static void run_race(struct data_bed *bed)
{
	struct racer racers[] = {
		{ "the far end's writer", far_writes },
		{ "the near end's writer", near_writes },
		{ "the tunnel's sender", tunnel_writes },
		{ "who asks", near_asks },
		{ "the far end's reader", far_reads, true },
		{ "the near end's reader", near_reads, true },
	};
	const struct way *way = bed->arg;
	const struct data_far_args args = { .id = PEER_ID, .tcp = way->stream };
	unsigned int i, rounds = 0;
	int64_t end;

	race.bed = bed;
	race.stop = false;
	data_far_connect(bed, &race.far, &args);
	race.far.id = PEER_ID;
	data_key_renew(&race.far, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	for (i = 0; i < ARRAY_SIZE(racers); i++)
		if (pthread_create(&racers[i].thread, NULL, racer_thread,
				   &racers[i]))
			ktap_bail("no thread");
	end = now_ms() + RUN_MS;
	for (; (now_ms() < end || rounds < ROUNDS_MIN) && ktap_good(); rounds++)
		way->once(bed);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < ARRAY_SIZE(racers); i++)
		if (!racers[i].ends_by_itself)
			join(&racers[i]);
	ovpn_nl_del_peer(bed->nl, bed->ifindex, PEER_ID);
	CHECK(stream_detached(race.far.sock));
	shutdown(race.far.sock, SHUT_WR);
	shutdown(race.far.fd, SHUT_WR);
	for (i = 0; i < ARRAY_SIZE(racers); i++)
		if (racers[i].ends_by_itself)
			join(&racers[i]);
	ktap_note("%u rounds, %u and %u control packets", rounds,
		  racers[0].count, racers[1].count);
	/* not one is missing */
	CHECK_EQ(racers[0].count, racers[5].count);
	CHECK_EQ(racers[1].count, racers[4].count);
	data_far_close(&race.far);
}

#define WAY(once, stream)	\
	.run = run_race, .arg = &(const struct way){ once, stream }

static const struct data_case cases[] = {
	{ "peer made and deleted", WAY(by_request, &usual) },
	{ "peer made and deleted, small buffers", WAY(by_request, &narrow) },
	{ "peer made and deleted on a multi-peer device",
	  WAY(by_request, &usual), .conf = { .mode = OVPN_MODE_MP } },
	{ "peer replaced", WAY(by_replacement, &usual) },
	{ "device made and deleted", WAY(by_link, &usual) },
};

int main(int argc, char **argv)
{
	pthread_rwlockattr_t attr;

	(void)argc;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
				      PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&race.gate, &attr);
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
