/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP connections, and OpenVPN's packets on them: two bytes of length, then the
 * packet.
 */
#ifndef _SELFTEST_STREAM_H
#define _SELFTEST_STREAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire.h"

struct netns;

#define STREAM_HEAD_LEN	2
#define STREAM_MAX	(STREAM_HEAD_LEN + WIRE_MAX)	/* one packet */

struct stream_conf {
	bool mapped;		/* the near end: an AF_INET6 socket for IPv4 */
	bool accepts;		/* the near end accepts; else it connects */
	int near_buf;		/* SO_SNDBUF and SO_RCVBUF; 0: the default */
	int far_buf;
};

/*
 * A connection between two namespaces, the near end of it fds[0]; without
 * Nagle's delays. @conf may be NULL. Ends the program if it cannot.
 */
void stream_pair(struct netns *near, const char *near_addr, struct netns *far,
		 const char *far_addr, const struct stream_conf *conf,
		 int fds[2]);

/* Closes with a reset instead of an end. */
void stream_reset(int fd);

/*
 * Waits until the module has let go of a connection, which it does a moment
 * after its peer has gone: false if it does not.
 */
bool stream_detached(int fd);

/*
 * Writes everything: 0, -EAGAIN if for 3 seconds nothing could be written,
 * -errno.
 */
int stream_write(int fd, const void *data, size_t len);

/*
 * Reads @len bytes: fewer only where the stream ends; -EAGAIN if they do not
 * arrive within @timeout_ms, -errno.
 */
ssize_t stream_read(int fd, void *data, size_t len, int timeout_ms);

/* How many segments with data have been sent. */
unsigned int stream_segments(int fd);

/* Puts the length in front of a packet: that of both. */
size_t stream_frame(void *out, const void *packet, size_t len);

/* Reads one packet (room for WIRE_MAX); like stream_read(). */
ssize_t stream_next(int fd, void *packet, int timeout_ms);

/* A thread in recv(). */
struct stream_reader {
	pthread_t thread;
	int fd;
	int flags;
	size_t len;
	ssize_t got;		/* or -errno */
	int64_t end;		/* now_ms() when it returned */
	uint8_t data[STREAM_MAX];
};

/* Returns when the thread has had time to block. */
struct stream_reader *stream_reader_start(int fd, size_t len, int flags);

/*
 * Waits for it: what recv() returned (or -errno); -ETIMEDOUT and a thread that
 * can only be left behind.
 */
ssize_t stream_reader_wait(struct stream_reader *r, int timeout_ms);

/* True if it has not returned yet. */
bool stream_reader_blocks(const struct stream_reader *r);

/* After a wait that did not time out. */
void stream_reader_free(struct stream_reader *r);

#endif /* _SELFTEST_STREAM_H */
