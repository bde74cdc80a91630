/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A netlink message as bytes, to be built from well-formed attributes and then
 * to be broken.
 */
#ifndef _ABUSE_MESSAGE_H
#define _ABUSE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/netlink.h>

struct netns;

struct message {
	size_t head;	/* where the attributes begin */
	size_t len;
	union {
		struct nlmsghdr h;
		uint8_t bytes[16384];
	};
};

/* A request without attributes; @head is the family's own header. */
void message_start(struct message *m, int type, int flags, const void *head,
		   size_t len);

void message_put(struct message *m, int type, const void *data, size_t len);

/* Opens a nest: what message_nest_end() wants. */
size_t message_nest(struct message *m, int type);
void message_nest_end(struct message *m, size_t nest);

/* A socket in a namespace to send them with. */
int message_socket(struct netns *ns, int protocol);

struct answer {
	bool sent;
	bool acked;		/* or the kernel had no memory to answer */
	int err;		/* 0 or -errno, of either */
	bool explained;		/* with a sentence */
};

/* The two halves of message_send(): only a system call, and the rest. */
int message_post(int fd, const struct message *m);
void message_read(int fd, struct answer *a);

/* Sends it and reads the answer, without needing memory for either. */
struct answer message_send(int fd, const struct message *m);

/* Breaks it in one to four places. */
void message_mutate(struct message *m);

/*
 * The value that the kernel takes a 32-bit attribute of the top level to have,
 * if it gets that far: of several of a type the last one counts.
 */
uint32_t message_value(const struct message *m, int type, uint32_t otherwise);

#endif /* _ABUSE_MESSAGE_H */
