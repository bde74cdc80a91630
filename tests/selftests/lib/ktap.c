// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include "ktap.h"

static struct {
	pid_t owner;
	unsigned int plan;
	unsigned int done;
	unsigned int failed;
	unsigned int skipped;
	bool case_failed;
	bool case_skipped;
	char reason[160];
} ktap;

static void put_text(const char *prefix, const char *text, va_list args)
{
	fputs(prefix, stdout);
	vprintf(text, args);
	putchar('\n');
	fflush(stdout);
}

void ktap_plan(unsigned int cases)
{
	ktap.owner = getpid();
	ktap.plan = cases;
	printf("TAP version 13\n1..%u\n", cases);
	fflush(stdout);
}

void ktap_done(const char *name, ...)
{
	va_list args;

	ktap.done++;
	if (ktap.case_failed)
		printf("not ");
	printf("ok %u - ", ktap.done);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	/* what failed before the skip was found out stays a failure */
	if (ktap.case_failed)
		ktap.failed++;
	else if (ktap.case_skipped)
		ktap.skipped++;
	if (ktap.case_skipped && !ktap.case_failed)
		printf(" # SKIP %s", ktap.reason);
	putchar('\n');
	fflush(stdout);
	ktap.case_failed = false;
	ktap.case_skipped = false;
}

void ktap_skip(const char *reason, ...)
{
	va_list args;

	va_start(args, reason);
	vsnprintf(ktap.reason, sizeof(ktap.reason), reason, args);
	va_end(args);
	ktap.case_skipped = true;
}

void ktap_skip_rest(const char *reason, ...)
{
	char text[sizeof(ktap.reason)];
	va_list args;

	va_start(args, reason);
	vsnprintf(text, sizeof(text), reason, args);
	va_end(args);
	while (ktap.done < ktap.plan) {
		ktap_skip("%s", text);
		ktap_done("case %u", ktap.done + 1);
	}
}

void ktap_note(const char *text, ...)
{
	va_list args;

	va_start(args, text);
	put_text("# ", text, args);
	va_end(args);
}

void ktap_bail(const char *text, ...)
{
	bool helper = ktap.owner && ktap.owner != getpid();
	va_list args;

	va_start(args, text);
	put_text(helper ? "# bail out: " : "Bail out! ", text, args);
	va_end(args);
	/* a helper process must not run the program's own clean-up */
	if (helper)
		_exit(KTAP_FAIL);
	exit(KTAP_FAIL);
}

int ktap_result(void)
{
	if (ktap.done != ktap.plan) {
		ktap_note("planned %u cases, ran %u", ktap.plan, ktap.done);
		return KTAP_FAIL;
	}
	if (ktap.failed)
		return KTAP_FAIL;
	return ktap.skipped == ktap.done ? KTAP_SKIP : KTAP_PASS;
}

int ktap_run(const struct ktap_case *cases, unsigned int count)
{
	unsigned int i;

	ktap_plan(count);
	for (i = 0; i < count; i++) {
		cases[i].run();
		ktap_done("%s", cases[i].name);
	}
	return ktap_result();
}

bool ktap_good(void)
{
	return !ktap.case_failed;
}

void ktap_in_child(void (*run)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		ktap_bail("fork: %m");
	if (!pid) {
		run();
		if (ktap.case_skipped && !ktap.case_failed)
			ktap_note("skip: %s", ktap.reason);
		fflush(stdout);
		if (ktap.case_failed)
			_exit(KTAP_FAIL);
		if (ktap.case_skipped)
			_exit(KTAP_SKIP);
		_exit(KTAP_PASS);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			ktap_bail("waitpid: %m");
	if (WIFEXITED(status) && WEXITSTATUS(status) == KTAP_SKIP)
		ktap_skip("see above");
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		ktap.case_failed = true;
	if (WIFSIGNALED(status))
		ktap_note("killed by signal %d", WTERMSIG(status));
}

static bool failed_at(const char *file, int line)
{
	ktap.case_failed = true;
	printf("# %s:%d: ", file, line);
	return false;
}

bool ktap_check(const char *file, int line, const char *expr, bool good)
{
	if (good)
		return true;
	failed_at(file, line);
	printf("want %s\n", expr);
	return false;
}

bool ktap_check_msg(const char *file, int line, bool good, const char *text,
		    ...)
{
	va_list args;

	if (good)
		return true;
	failed_at(file, line);
	va_start(args, text);
	put_text("", text, args);
	va_end(args);
	return false;
}

bool ktap_check_int(const char *file, int line, const char *expr,
		    long long want, long long got)
{
	if (want == got)
		return true;
	failed_at(file, line);
	printf("%s: want %lld, got %lld\n", expr, want, got);
	return false;
}

bool ktap_check_range(const char *file, int line, const char *expr,
		      long long least, long long most, long long got)
{
	if (got >= least && got <= most)
		return true;
	failed_at(file, line);
	if (most == __LONG_LONG_MAX__)
		printf("%s: want at least %lld, got %lld\n", expr, least, got);
	else
		printf("%s: want %lld to %lld, got %lld\n", expr, least, most,
		       got);
	return false;
}

static void put_err(int err)
{
	if (err >= 0)
		printf("%d", err);
	else if (strerrorname_np(-err))
		printf("-%s", strerrorname_np(-err));
	else
		printf("%d", err);
}

bool ktap_check_err(const char *file, int line, const char *expr, int want,
		    int got)
{
	if (want == got)
		return true;
	failed_at(file, line);
	printf("%s: want ", expr);
	put_err(want);
	printf(", got ");
	put_err(got);
	putchar('\n');
	return false;
}

bool ktap_check_str(const char *file, int line, const char *expr,
		    const char *want, const char *got)
{
	if (want == got || (want && got && !strcmp(want, got)))
		return true;
	failed_at(file, line);
	printf("%s: want \"%s\", got \"%s\"\n", expr, want ? want : "(null)",
	       got ? got : "(null)");
	return false;
}

static void put_bytes(const char *what, const unsigned char *bytes, size_t len,
		      size_t from)
{
	size_t i, end = from + 16 < len ? from + 16 : len;

	printf("#   %s:", what);
	for (i = from; i < end; i++)
		printf(" %02x", bytes[i]);
	putchar('\n');
}

bool ktap_check_mem(const char *file, int line, const char *expr,
		    const void *want, const void *got, size_t len)
{
	const unsigned char *a = want, *b = got;
	size_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	if (i == len)
		return true;
	failed_at(file, line);
	printf("%s differs at byte %zu of %zu\n", expr, i, len);
	put_bytes("want", a, len, i);
	put_bytes("got ", b, len, i);
	return false;
}
