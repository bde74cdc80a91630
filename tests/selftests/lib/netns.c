// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "condition.h"
#include "netns.h"

#define MAX_AT_END	16
#define MAX_SPAWNED	64
#define MAX_FILES	16

struct netns {
	int fd;
	int kept;
	char path[48];
	char label[32];
};

static void (*end_fns[MAX_AT_END])(void);

/* What is to be undone at the end; read by a signal handler. */
static struct {
	pid_t owner;
	unsigned int fns;
	pid_t spawned[MAX_SPAWNED];
	unsigned int files;
	struct {
		char path[128];
		char text[128];
	} file[MAX_FILES];
} undo;

/* ---- clean-up ---- */

static void undo_all(void)
{
	unsigned int i;
	int fd;

	if (undo.owner != getpid())
		return;
	for (i = 0; i < MAX_SPAWNED; i++)
		if (undo.spawned[i] > 0)
			kill(-undo.spawned[i], SIGKILL);
	for (i = undo.fns; i-- > 0; )
		end_fns[i]();
	for (i = undo.files; i-- > 0; ) {
		fd = open(undo.file[i].path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, undo.file[i].text, strlen(undo.file[i].text)) < 0)
			undo.file[i].path[0] = '\0';
		close(fd);
	}
}

static void on_signal(int sig)
{
	undo_all();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void undo_init(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	if (undo.owner)
		return;
	undo.owner = getpid();
	atexit(undo_all);
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGTERM);
	sigaddset(&action.sa_mask, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

void at_end(void (*fn)(void))
{
	undo_init();
	if (undo.fns == MAX_AT_END)
		ktap_bail("too many functions to call at the end");
	end_fns[undo.fns++] = fn;
}

/* ---- files ---- */

int file_read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, line, size - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return len;
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

void file_set_for_now(const char *path, const char *text)
{
	int err;

	undo_init();
	if (undo.files == MAX_FILES)
		ktap_bail("too many files to put back");
	err = file_read_line(path, undo.file[undo.files].text,
			     sizeof(undo.file[0].text));
	if (err)
		ktap_bail("cannot read %s: %s", path, strerror(-err));
	snprintf(undo.file[undo.files].path, sizeof(undo.file[0].path), "%s",
		 path);
	undo.files++;
	err = file_write(path, text);
	if (err)
		ktap_bail("cannot write %s to %s: %s", text, path,
			  strerror(-err));
}

/* ---- namespaces ---- */

static struct netns *netns_of_thread(const char *label)
{
	struct netns *ns = calloc(1, sizeof(*ns));

	if (!ns)
		ktap_bail("out of memory");
	ns->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns->fd < 0)
		ktap_bail("cannot open the network namespace: %m");
	snprintf(ns->path, sizeof(ns->path), "/proc/%d/fd/%d", getpid(),
		 ns->fd);
	snprintf(ns->label, sizeof(ns->label), "%s", label);
	ns->kept = -1;
	return ns;
}

struct netns *netns_home(void)
{
	static struct netns *home;

	if (!home)
		home = netns_of_thread("home");
	return home;
}

void netns_enter(struct netns *ns)
{
	netns_home();
	if (ns && setns(ns->fd, CLONE_NEWNET))
		ktap_bail("cannot enter namespace %s: %m", ns->label);
}

int netns_visit(struct netns *ns)
{
	int fd;

	netns_home();
	if (!ns)
		return -1;
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		ktap_bail("cannot open the network namespace: %m");
	netns_enter(ns);
	return fd;
}

void netns_back(int fd)
{
	if (fd < 0)
		return;
	if (setns(fd, CLONE_NEWNET))
		ktap_bail("cannot return to the network namespace: %m");
	close(fd);
}

struct netns *netns_new(const char *label)
{
	struct netns *ns;
	int back;

	back = netns_visit(netns_home());
	if (unshare(CLONE_NEWNET))
		ktap_bail("cannot make a network namespace: %m");
	ns = netns_of_thread(label);
	ns->kept = condition_netns();
	netns_back(back);
	netns_up(ns, "lo");
	return ns;
}

void netns_free(struct netns *ns)
{
	if (!ns)
		return;
	condition_netns_end(ns->kept);
	close(ns->fd);
	free(ns);
}

int netns_fd(struct netns *ns)
{
	return ns->fd;
}

const char *netns_path(struct netns *ns)
{
	return ns->path;
}

unsigned int netns_ifindex(struct netns *ns, const char *dev)
{
	int back = netns_visit(ns);
	unsigned int index = if_nametoindex(dev);

	netns_back(back);
	return index;
}

/* ---- commands ---- */

/* In the child: become the command. */
static void __attribute__((noreturn)) become(struct netns *ns,
					     const char *command, int out)
{
	if (ns && setns(ns->fd, CLONE_NEWNET))
		_exit(126);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

static void put_output(const char *text)
{
	const char *end;

	while (*text) {
		end = strchrnul(text, '\n');
		ktap_note("%.*s", (int)(end - text), text);
		text = *end ? end + 1 : end;
	}
}

/* Runs and collects the output; what does not fit is read and dropped. */
static int run_command(struct netns *ns, const char *command, char *out,
		       size_t size)
{
	char spill[256];
	size_t used = 0;
	int fds[2], status;
	ssize_t len;
	pid_t pid;

	fflush(stdout);
	if (pipe2(fds, O_CLOEXEC))
		ktap_bail("pipe: %m");
	pid = fork();
	if (pid < 0)
		ktap_bail("fork: %m");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become(ns, command, fds[1]);
	}
	close(fds[1]);
	for (;;) {
		if (used + 1 < size)
			len = read(fds[0], out + used, size - 1 - used);
		else
			len = read(fds[0], spill, sizeof(spill));
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			break;
		if (used + 1 < size)
			used += len;
	}
	out[used] = '\0';
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			ktap_bail("waitpid: %m");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void format_command(char *line, size_t size, const char *command,
			   va_list args)
{
	if (vsnprintf(line, size, command, args) >= (int)size)
		ktap_bail("command too long: %s", command);
}

int netns_sh(struct netns *ns, const char *command, ...)
{
	char line[4096], out[8192];
	va_list args;
	int status;

	va_start(args, command);
	format_command(line, sizeof(line), command, args);
	va_end(args);
	status = run_command(ns, line, out, sizeof(out));
	put_output(out);
	return status;
}

void netns_run(struct netns *ns, const char *command, ...)
{
	char line[4096], out[8192];
	va_list args;
	int status;

	va_start(args, command);
	format_command(line, sizeof(line), command, args);
	va_end(args);
	status = run_command(ns, line, out, sizeof(out));
	if (!status)
		return;
	put_output(out);
	ktap_bail("status %d from %s", status, line);
}

int netns_read(struct netns *ns, char *out, size_t size, const char *command,
	       ...)
{
	char line[4096];
	va_list args;

	va_start(args, command);
	format_command(line, sizeof(line), command, args);
	va_end(args);
	return run_command(ns, line, out, size);
}

pid_t netns_spawn(struct netns *ns, const char *command, ...)
{
	char line[4096];
	unsigned int i;
	va_list args;
	pid_t pid;

	va_start(args, command);
	format_command(line, sizeof(line), command, args);
	va_end(args);
	undo_init();
	for (i = 0; i < MAX_SPAWNED && undo.spawned[i]; i++)
		;
	if (i == MAX_SPAWNED)
		ktap_bail("too many commands in the background");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		ktap_bail("fork: %m");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		become(ns, line, open("/dev/null", O_WRONLY));
	}
	/* on both sides, so that the group is there for whoever is first */
	setpgid(pid, pid);
	undo.spawned[i] = pid;
	return pid;
}

static void forget(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < MAX_SPAWNED; i++)
		if (undo.spawned[i] == pid)
			undo.spawned[i] = 0;
}

void netns_kill(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	forget(pid);
}

bool netns_wait(pid_t pid, int timeout_ms)
{
	if (!WAIT_FOR(waitpid(pid, NULL, WNOHANG) == pid, timeout_ms))
		return false;
	forget(pid);
	return true;
}

/* ---- links ---- */

void netns_up(struct netns *ns, const char *dev)
{
	netns_run(ns, "ip link set dev %s up", dev);
}

void netns_veth(struct netns *a, const char *name_a, struct netns *b,
		const char *name_b)
{
	if (!b)
		b = netns_home();
	netns_run(a, "ip link add name %s type veth peer name %s netns %s",
		  name_a, name_b, b->path);
	condition_link(a, name_a);
	condition_link(b, name_b);
	netns_up(a, name_a);
	netns_up(b, name_b);
}

void netns_addr(struct netns *ns, const char *dev, const char *addr)
{
	netns_run(ns, "ip address add %s dev %s%s", addr, dev,
		  strchr(addr, ':') ? " nodad" : "");
}

/* ---- time ---- */

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec left = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}
