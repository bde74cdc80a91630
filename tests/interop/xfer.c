// SPDX-License-Identifier: GPL-2.0-only
/*
 * xfer - move known bytes both ways over one TCP connection and check them
 *
 *	xfer listen PORT BYTES SECONDS STALL
 *	xfer connect ADDRESS PORT BYTES SECONDS STALL
 *
 * Each end sends BYTES bytes of a generated stream and compares every byte
 * that it receives with the stream that the other end generates, both
 * directions at once. A tunnel that cuts a GSO packet at the wrong place can
 * deliver data with valid checksums at a wrong offset: counting bytes would
 * not notice, this does. Exit status 0 only if everything arrived unchanged
 * within SECONDS, and at no time nothing arrived for STALL seconds.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK		65536
#define RETRY_NS	50000000L
#define POLL_MS		100

/* One direction of the connection: a position in a reproducible stream. */
struct stream {
	uint64_t state;
	uint64_t done;
	uint64_t total;
	unsigned char buf[CHUNK];
	size_t have;	/* bytes generated into buf */
	size_t used;	/* bytes of buf already sent or compared */
};

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("xfer: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/* xorshift64*: no period or pattern that a shifted packet could match */
static uint64_t stream_next(struct stream *s)
{
	s->state ^= s->state >> 12;
	s->state ^= s->state << 25;
	s->state ^= s->state >> 27;
	return s->state * 0x2545f4914f6cdd1dULL;
}

static void stream_fill(struct stream *s)
{
	size_t i;

	if (s->used < s->have)
		return;
	for (i = 0; i < CHUNK; i += sizeof(uint64_t)) {
		uint64_t v = stream_next(s);

		memcpy(s->buf + i, &v, sizeof(v));
	}
	s->have = CHUNK;
	s->used = 0;
}

static size_t stream_room(const struct stream *s)
{
	uint64_t left = s->total - s->done;
	size_t buffered = s->have - s->used;

	return left < buffered ? left : buffered;
}

static void stream_send(struct stream *s, int fd)
{
	ssize_t n;

	stream_fill(s);
	n = send(fd, s->buf + s->used, stream_room(s), MSG_NOSIGNAL);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		die("send after %llu bytes: %s",
		    (unsigned long long)s->done, strerror(errno));
	}
	s->used += n;
	s->done += n;
}

static void stream_check(struct stream *s, int fd)
{
	unsigned char in[CHUNK];
	ssize_t n, i;

	stream_fill(s);
	n = recv(fd, in, stream_room(s), 0);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		die("receive after %llu bytes: %s",
		    (unsigned long long)s->done, strerror(errno));
	}
	if (!n)
		die("closed by the other end after %llu of %llu bytes",
		    (unsigned long long)s->done,
		    (unsigned long long)s->total);
	for (i = 0; i < n; i++)
		if (in[i] != s->buf[s->used + i])
			die("byte %llu differs: got %02x, expected %02x",
			    (unsigned long long)s->done + i, in[i],
			    s->buf[s->used + i]);
	s->used += n;
	s->done += n;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static uint64_t number(const char *arg)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(arg, &end, 10);
	if (errno || end == arg || *end)
		die("%s: digits expected", arg);
	return v;
}

static int listen_once(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
				    .sin6_addr = IN6ADDR_ANY_INIT };
	int one = 1, zero = 0, fd, conn;

	any.sin6_port = htons(number(port));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 1))
		die("listen on port %s: %s", port, strerror(errno));
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die("accept: %s", strerror(errno));
	close(fd);
	return conn;
}

/* The listener may not be there yet: keep trying, the alarm ends it. */
static int connect_retry(const char *addr, const char *port)
{
	const struct timespec pause = { .tv_nsec = RETRY_NS };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai;
	int err, fd;

	err = getaddrinfo(addr, port, &hints, &ai);
	if (err)
		die("%s: %s", addr, gai_strerror(err));
	for (;;) {
		fd = socket(ai->ai_family, SOCK_STREAM, 0);
		if (fd < 0)
			die("socket: %s", strerror(errno));
		if (!connect(fd, ai->ai_addr, ai->ai_addrlen))
			break;
		if (errno != ECONNREFUSED)
			die("connect to %s: %s", addr, strerror(errno));
		close(fd);
		nanosleep(&pause, NULL);
	}
	freeaddrinfo(ai);
	return fd;
}

/* Killed, it shall leave no data behind that the kernel goes on sending. */
static void set_abort(int fd, bool on)
{
	struct linger linger = { .l_onoff = on };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		die("SO_LINGER: %s", strerror(errno));
}

static void exchange(int fd, struct stream *tx, struct stream *rx, double stall)
{
	double heard = now();
	uint64_t before;
	char drain;

	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		die("fcntl: %s", strerror(errno));
	set_abort(fd, true);
	while (tx->done < tx->total || rx->done < rx->total) {
		struct pollfd p = { .fd = fd };

		if (tx->done < tx->total)
			p.events |= POLLOUT;
		if (rx->done < rx->total)
			p.events |= POLLIN;
		if (poll(&p, 1, POLL_MS) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		before = rx->done;
		if (rx->done < rx->total &&
		    p.revents & (POLLIN | POLLERR | POLLHUP))
			stream_check(rx, fd);
		if (rx->done > before || rx->done == rx->total)
			heard = now();
		if (now() - heard > stall)
			die("nothing arrived for %.1f s, after %llu of %llu bytes; sent %llu",
			    stall, (unsigned long long)rx->done,
			    (unsigned long long)rx->total,
			    (unsigned long long)tx->done);
		if (tx->done < tx->total && p.revents & (POLLOUT | POLLERR))
			stream_send(tx, fd);
	}

	/* Not done before the other end has everything too. */
	set_abort(fd, false);
	if (shutdown(fd, SHUT_WR))
		die("shutdown: %s", strerror(errno));
	if (fcntl(fd, F_SETFL, 0))
		die("fcntl: %s", strerror(errno));
	if (recv(fd, &drain, 1, 0) != 0)
		die("no clean end of the connection");
	close(fd);
}

int main(int argc, char **argv)
{
	static struct stream tx, rx;
	bool listener = argc == 6 && !strcmp(argv[1], "listen");
	bool connector = argc == 7 && !strcmp(argv[1], "connect");
	uint64_t total;
	int fd;

	if (!listener && !connector)
		die("usage: xfer listen PORT BYTES SECONDS STALL\n"
		    "       xfer connect ADDRESS PORT BYTES SECONDS STALL");

	alarm(number(argv[argc - 2]));
	total = number(argv[argc - 3]);
	tx.total = total;
	rx.total = total;
	tx.state = listener ? 0x9e3779b97f4a7c15ULL : 0xd1b54a32d192ed03ULL;
	rx.state = listener ? 0xd1b54a32d192ed03ULL : 0x9e3779b97f4a7c15ULL;

	fd = listener ? listen_once(argv[2]) : connect_retry(argv[2], argv[3]);
	exchange(fd, &tx, &rx, number(argv[argc - 1]));
	return 0;
}
