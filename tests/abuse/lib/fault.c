// SPDX-License-Identifier: GPL-2.0-only
/* Fault injection: Documentation/fault-injection/fault-injection.rst */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abuse.h"
#include "ktap.h"
#include "netns.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define NTH		"/proc/thread-self/fail-nth"

static const char *const kinds[] = { "failslab", "fail_page_alloc" };

/* Only tasks that are marked get nothing. */
static bool fault_tasks;

static void set(const char *kind, const char *name, const char *value)
{
	char path[96];
	int err;

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", kind, name);
	err = file_write(path, value);
	if (err)
		ktap_bail("cannot write %s to %s: %s", value, path,
			  strerror(-err));
}

static void set_number(const char *kind, const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	set(kind, name, text);
}

bool fault_available(void)
{
	return !access(DEBUGFS "failslab/probability", W_OK) &&
	       !access(DEBUGFS "fail_page_alloc/probability", W_OK) &&
	       !access(NTH, W_OK);
}

/* Both kinds: silent, and of all sizes. */
static void prepare(bool sleeping_too)
{
	const char *ignore = sleeping_too ? "N" : "Y";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		set(kinds[i], "verbose", "0");
		set(kinds[i], "times", "-1");
		set(kinds[i], "ignore-gfp-wait", ignore);
	}
	set("fail_page_alloc", "ignore-gfp-highmem", ignore);
	set("fail_page_alloc", "min-order", "0");
}

/* A file that stays open: to arm is to be one system call. */
static int nth_file(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	prepare(true);
	fd = open(NTH, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		ktap_bail(NTH ": %m");
	return fd;
}

void fault_arm(unsigned int n)
{
	int fd = nth_file();
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	if (pwrite(fd, text, strlen(text), 0) < 0)
		ktap_bail(NTH ": %m");
}

bool fault_disarm(void)
{
	char text[16] = "";
	int fd = nth_file();

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
	    pwrite(fd, "0", 1, 0) != 1)
		ktap_bail(NTH ": %m");
	return !atoi(text);
}

/* Of the main thread, which is the one that starts and stops all this. */
static int own_file(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/thread-self/make-it-fail",
			  O_WRONLY | O_CLOEXEC);
	return fd;
}

static void mark_self(const char *value)
{
	if (pwrite(own_file(), value, 1, 0) != 1)
		ktap_bail("make-it-fail: %m");
}

/* Marks the kernel's workers and who makes them. */
static void mark_workers(const char *value)
{
	char path[300], name[32];
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (!atoi(entry->d_name) ||
		    file_read_line(path, name, sizeof(name)) ||
		    (strncmp(name, "kworker", 7) && strcmp(name, "kthreadd")))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail",
			 entry->d_name);
		file_write(path, value);
	}
	if (proc)
		closedir(proc);
}

void fault_stop(void)
{
	char path[96];
	unsigned int i;

	fault_spare(true);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/probability",
			 kinds[i]);
		file_write(path, "0");
	}
	if (fault_tasks)
		mark_workers("0");
	fault_tasks = false;
}

void fault_start(enum fault_scope scope, unsigned int percent)
{
	static bool registered;
	unsigned int i;

	if (!registered)
		at_end(fault_stop);
	registered = true;
	fault_tasks = scope == FAULT_TASKS;
	prepare(fault_tasks);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		set(kinds[i], "task-filter", fault_tasks ? "Y" : "N");
	if (fault_tasks)
		mark_workers("1");
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		set_number(kinds[i], "probability", percent);
	fault_spare(false);
}

void fault_spare(bool spare)
{
	if (fault_tasks)
		mark_self(spare ? "0" : "1");
}
