// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <netinet/tcp.h>

#include "addr.h"
#include "ktap.h"
#include "netns.h"
#include "stream.h"

#define STUCK_MS	3000	/* in an emulated guest, too */
#define BLOCK_MS	60	/* for a thread to start and block */

/* ---- connections ---- */

static int open_end(struct netns *ns, int family, int buf)
{
	int fd = socket_in(ns, family, SOCK_STREAM, 0), on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		ktap_bail("TCP_NODELAY: %m");
	/* before it connects: the window's scale is said at the start */
	if (buf && (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buf, sizeof(buf)) ||
		    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buf, sizeof(buf))))
		ktap_bail("SO_SNDBUF, SO_RCVBUF: %m");
	return fd;
}

static void connect_to(int fd, int family, int listener, const char *addr)
{
	socklen_t len = sizeof(union addr);
	union addr a;

	if (getsockname(listener, &a.sa, &len))
		ktap_bail("getsockname: %m");
	/* the port is at the same place in both families */
	len = addr_make(&a, family, addr, ntohs(a.in.sin_port));
	if (connect(fd, &a.sa, len))
		ktap_bail("cannot connect to %s: %m", addr);
}

static void listen_at(int fd, int family, const char *addr)
{
	socklen_t len;
	union addr a;

	len = addr_make(&a, family, addr, 0);
	if (bind(fd, &a.sa, len) || listen(fd, 1))
		ktap_bail("cannot listen at %s: %m", addr);
}

void stream_pair(struct netns *near, const char *near_addr, struct netns *far,
		 const char *far_addr, const struct stream_conf *conf,
		 int fds[2])
{
	static const struct stream_conf plain;
	int family[2], listener, on = 1;

	if (!conf)
		conf = &plain;
	family[1] = strchr(near_addr, ':') ? AF_INET6 : AF_INET;
	family[0] = conf->mapped ? AF_INET6 : family[1];
	fds[0] = open_end(near, family[0], conf->near_buf);
	fds[1] = open_end(far, family[1], conf->far_buf);
	listener = fds[!conf->accepts];
	if (conf->accepts) {
		listen_at(fds[0], family[0], near_addr);
		connect_to(fds[1], family[1], listener, near_addr);
	} else {
		listen_at(fds[1], family[1], far_addr);
		connect_to(fds[0], family[0], listener, far_addr);
	}
	fds[!conf->accepts] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fds[!conf->accepts] < 0)
		ktap_bail("accept: %m");
	setsockopt(fds[!conf->accepts], IPPROTO_TCP, TCP_NODELAY, &on,
		   sizeof(on));
	close(listener);
}

void stream_reset(int fd)
{
	static const struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static bool is_attached(int fd)
{
	/* refused where the module has it, else there is no such thing */
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "no-such", 7) &&
	       errno == EBUSY;
}

bool stream_detached(int fd)
{
	return WAIT_FOR(!is_attached(fd), STUCK_MS);
}

/* ---- bytes ---- */

static bool ready(int fd, short events, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

int stream_write(int fd, const void *data, size_t len)
{
	int64_t end = now_ms() + STUCK_MS;
	const uint8_t *at = data;
	ssize_t sent;

	while (len) {
		sent = send(fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN && now_ms() < end) {
			ready(fd, POLLOUT, STUCK_MS);
			continue;
		}
		if (sent < 0)
			return -errno;
		at += sent;
		len -= sent;
		end = now_ms() + STUCK_MS;
	}
	return 0;
}

ssize_t stream_read(int fd, void *data, size_t len, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms, left;
	uint8_t *at = data;
	size_t have = 0;
	ssize_t got;

	while (have < len) {
		left = end - now_ms();
		if (!ready(fd, POLLIN, left > 0 ? left : 0))
			return -EAGAIN;
		got = recv(fd, at + have, len - have, MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN && left > 0)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		have += got;
	}
	return have;
}

/* ---- packets ---- */

size_t stream_frame(void *out, const void *packet, size_t len)
{
	uint8_t *head = out;

	head[0] = len >> 8;
	head[1] = len;
	memmove(head + STREAM_HEAD_LEN, packet, len);
	return STREAM_HEAD_LEN + len;
}

ssize_t stream_next(int fd, void *packet, int timeout_ms)
{
	uint8_t head[STREAM_HEAD_LEN];
	ssize_t got, len;

	got = stream_read(fd, head, sizeof(head), timeout_ms);
	if (got <= 0)
		return got;
	if (got < STREAM_HEAD_LEN)
		return -EPROTO;
	len = head[0] << 8 | head[1];
	got = stream_read(fd, packet, len, timeout_ms);
	return got < 0 || got == len ? got : -EPROTO;
}

/* ---- a thread that reads ---- */

static void *read_in_thread(void *arg)
{
	struct stream_reader *r = arg;
	ssize_t got;

	do
		got = recv(r->fd, r->data, r->len, r->flags);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		got = -errno;
	r->end = now_ms();
	__atomic_store_n(&r->got, got, __ATOMIC_RELEASE);
	return NULL;
}

struct stream_reader *stream_reader_start(int fd, size_t len, int flags)
{
	struct stream_reader *r = calloc(1, sizeof(*r));

	if (!r || len > sizeof(r->data))
		ktap_bail("cannot read %zu bytes", len);
	r->fd = fd;
	r->flags = flags;
	r->len = len;
	r->got = -EINPROGRESS;
	if (pthread_create(&r->thread, NULL, read_in_thread, r))
		ktap_bail("no thread");
	sleep_ms(BLOCK_MS);
	return r;
}

bool stream_reader_blocks(const struct stream_reader *r)
{
	return __atomic_load_n(&r->got, __ATOMIC_ACQUIRE) == -EINPROGRESS;
}

ssize_t stream_reader_wait(struct stream_reader *r, int timeout_ms)
{
	if (!WAIT_FOR(!stream_reader_blocks(r), timeout_ms))
		return -ETIMEDOUT;
	pthread_join(r->thread, NULL);
	return r->got;
}

void stream_reader_free(struct stream_reader *r)
{
	if (!stream_reader_blocks(r))
		free(r);
}
