/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Network namespaces, links and commands for tests.
 *
 * The namespaces have no names: they exist as long as this process holds them
 * (or a socket in them), so that nothing is left behind, however it ends.
 * Functions that take a namespace work there and leave the caller where it
 * is; NULL means the caller's own. What cannot work out in a sane system ends
 * the program (ktap_bail) unless the comment says otherwise.
 */
#ifndef _SELFTEST_NETNS_H
#define _SELFTEST_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktap.h"

struct netns;

/* A new namespace with lo up. The label appears in diagnostics only. */
struct netns *netns_new(const char *label);

/*
 * Lets go of it: the kernel takes it and its devices down as soon as no
 * socket made in it is open any more, a little later than this returns.
 */
void netns_free(struct netns *ns);

/* The namespace that the program was started in; not to be freed. */
struct netns *netns_home(void);

/*
 * Moves the calling thread; new sockets (netlink too) belong to where the
 * thread is when it opens them.
 */
void netns_enter(struct netns *ns);

/*
 * Moves the calling thread for a moment; what it returns goes to
 * netns_back(). NULL stays.
 */
int netns_visit(struct netns *ns);
void netns_back(int where);

/* Descriptor, for setns() and IFLA_NET_NS_FD; stays with the namespace. */
int netns_fd(struct netns *ns);

/* Path, for "ip link set DEV netns PATH"; valid while the namespace is held. */
const char *netns_path(struct netns *ns);

/* Runs a shell command there, its output as diagnostics; its exit status. */
int netns_sh(struct netns *ns, const char *command, ...) __ktap_printf(2, 3);

/* The same, and a non-zero status ends the program. */
void netns_run(struct netns *ns, const char *command, ...) __ktap_printf(2, 3);

/* The same, the output (cut to size, both streams) to @out; its exit status. */
int netns_read(struct netns *ns, char *out, size_t size, const char *command,
	       ...) __ktap_printf(4, 5);

/*
 * Starts a shell command in the background, in a process group of its own
 * that is killed when the program ends.
 */
pid_t netns_spawn(struct netns *ns, const char *command, ...)
	__ktap_printf(2, 3);

/* Ends what netns_spawn() started and waits for it. */
void netns_kill(pid_t pid);

/* Waits until it has ended by itself: false if it still runs. */
bool netns_wait(pid_t pid, int timeout_ms);

/* A pair of veth devices, both up, without IPv6 address detection delays. */
void netns_veth(struct netns *a, const char *name_a, struct netns *b,
		const char *name_b);

/* Adds "10.1.2.3/24" or "fd00::1/64" (usable at once) to a device. */
void netns_addr(struct netns *ns, const char *dev, const char *addr);

void netns_up(struct netns *ns, const char *dev);

/* Index of a device there, 0 if there is none. */
unsigned int netns_ifindex(struct netns *ns, const char *dev);

/* One line of a file (in /proc or /sys), without the newline; 0 or -errno. */
int file_read_line(const char *path, char *line, size_t size);

/* Writes to a file; 0 or -errno. */
int file_write(const char *path, const char *text);

/*
 * Sets a file in /proc or /sys for as long as the program runs; what was there
 * is put back when it ends, also by SIGTERM and SIGINT.
 */
void file_set_for_now(const char *path, const char *text);

/*
 * Registers a function to be called when the program ends in any way but
 * SIGKILL. May run in a signal handler: system calls only.
 */
void at_end(void (*fn)(void));

/* ethtool -S: one counter by name into @value; 0, -ENOENT (no such), -errno */
int ethtool_stat(struct netns *ns, const char *dev, const char *name,
		 uint64_t *value);

/* The same where its absence ends the program. */
uint64_t ethtool_count(struct netns *ns, const char *dev, const char *name);

/* Private flags: 0 or 1 (get), 0 (set), -ENOENT if unknown, -errno. */
int ethtool_get_flag(struct netns *ns, const char *dev, const char *name);
int ethtool_set_flag(struct netns *ns, const char *dev, const char *name,
		     bool on);

struct ethtool_info {
	char driver[32];
	char version[32];
	char bus[32];
	unsigned int speed;	/* Mbit/s */
	int duplex;		/* as in linux/ethtool.h */
	int link;		/* 0, 1 */
};

/* "ethtool -i" and "ethtool DEV"; 0 or -errno */
int ethtool_info(struct netns *ns, const char *dev, struct ethtool_info *info);

/* Milliseconds of a clock that does not jump. */
int64_t now_ms(void);
void sleep_ms(unsigned int ms);

/*
 * Waits until the condition holds, looking every few milliseconds; false if
 * it still does not after @timeout_ms.
 */
#define WAIT_FOR(cond, timeout_ms) ({					\
	int64_t __end = now_ms() + (timeout_ms);			\
	bool __good;							\
									\
	while (!(__good = !!(cond)) && now_ms() < __end)		\
		sleep_ms(5);						\
	__good;								\
})

#endif /* _SELFTEST_NETNS_H */
