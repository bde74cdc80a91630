/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Results of a test program in KTAP, as kselftest's runner reads them.
 *
 * A program announces its number of cases with ktap_plan(), then for each one
 * makes checks and closes it with ktap_done(): "ok" if every check since the
 * last ktap_done() held, else "not ok". A failed check prints what it wanted,
 * what it got and where it stands, and goes on; it returns false, so that the
 * case can be left where going on makes no sense:
 *
 *	static void empty_slot(void)
 *	{
 *		if (!CHECK_EQ(0, setup()))
 *			return;
 *		CHECK_EQ(-ENOENT, ovpn_nl_del_key(...));
 *	}
 *
 *	static const struct ktap_case cases[] = {
 *		{ "DEL_KEY on an empty slot", empty_slot },
 *	};
 *
 *	int main(void)
 *	{
 *		return KTAP_RUN(cases);
 *	}
 *
 * Checks belong to the thread and process that called ktap_plan().
 */
#ifndef _SELFTEST_KTAP_H
#define _SELFTEST_KTAP_H

#include <stdbool.h>
#include <stddef.h>

#define KTAP_PASS	0
#define KTAP_FAIL	1
#define KTAP_SKIP	4

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define __ktap_printf(fmt, args) __attribute__((format(printf, fmt, args)))

struct ktap_case {
	const char *name;
	void (*run)(void);
};

/* Prints the version line and the plan; call once, first. */
void ktap_plan(unsigned int cases);

/*
 * Closes a case: a result line with this name, from the checks since the last
 * one was closed.
 */
void ktap_done(const char *name, ...) __ktap_printf(1, 2);

/* Marks the case as one that cannot be judged here; its ktap_done() says so. */
void ktap_skip(const char *reason, ...) __ktap_printf(1, 2);

/* Closes all cases of the plan that are still open as skipped. */
void ktap_skip_rest(const char *reason, ...) __ktap_printf(1, 2);

/* A line of diagnostics. */
void ktap_note(const char *text, ...) __ktap_printf(1, 2);

/*
 * Ends the program: something that all tests stand on is missing or broken.
 * For set-up only; what a test is about is CHECKed.
 */
void ktap_bail(const char *text, ...) __ktap_printf(1, 2)
	__attribute__((noreturn));

/*
 * The program's exit code: KTAP_FAIL if a case failed or the plan was not met,
 * KTAP_SKIP if all were skipped, else KTAP_PASS.
 */
int ktap_result(void);

/* Plan, run and judge a table of cases; returns what main() has to return. */
int ktap_run(const struct ktap_case *cases, unsigned int count);
#define KTAP_RUN(cases) ({						\
	__auto_type __table = &(cases);					\
									\
	ktap_run(*__table, ARRAY_SIZE(*__table));			\
})

/*
 * Runs a function in a process of its own, for what a process cannot take
 * back (privileges): checks that fail there, skips there and death there count
 * for the open case here.
 */
void ktap_in_child(void (*run)(void));

/* True if no check of the open case has failed so far. */
bool ktap_good(void);

/* True if the condition holds. */
#define CHECK(cond) \
	ktap_check(__FILE__, __LINE__, #cond, !!(cond))

/* The same with a text that says what is wrong if it does not hold. */
#define CHECK_MSG(cond, ...) \
	ktap_check_msg(__FILE__, __LINE__, !!(cond), __VA_ARGS__)

/* Integers (any width up to long long). */
#define CHECK_EQ(want, got) \
	ktap_check_int(__FILE__, __LINE__, #got, (long long)(want), \
		       (long long)(got))
#define CHECK_GE(least, got) \
	ktap_check_range(__FILE__, __LINE__, #got, (long long)(least), \
			 __LONG_LONG_MAX__, (long long)(got))
#define CHECK_RANGE(least, most, got) \
	ktap_check_range(__FILE__, __LINE__, #got, (long long)(least), \
			 (long long)(most), (long long)(got))

/* What a function of this library returned: 0 or -errno, shown by name. */
#define CHECK_ERR(want, got) \
	ktap_check_err(__FILE__, __LINE__, #got, (want), (got))

/* Strings; NULL equals only NULL. */
#define CHECK_STREQ(want, got) \
	ktap_check_str(__FILE__, __LINE__, #got, (want), (got))

/* Memory of the same length. */
#define CHECK_MEMEQ(want, got, len) \
	ktap_check_mem(__FILE__, __LINE__, #got, (want), (got), (len))

bool ktap_check(const char *file, int line, const char *expr, bool good);
bool ktap_check_msg(const char *file, int line, bool good, const char *text,
		    ...) __ktap_printf(4, 5);
bool ktap_check_int(const char *file, int line, const char *expr,
		    long long want, long long got);
bool ktap_check_range(const char *file, int line, const char *expr,
		      long long least, long long most, long long got);
bool ktap_check_err(const char *file, int line, const char *expr, int want,
		    int got);
bool ktap_check_str(const char *file, int line, const char *expr,
		    const char *want, const char *got);
bool ktap_check_mem(const char *file, int line, const char *expr,
		    const void *want, const void *got, size_t len);

#endif /* _SELFTEST_KTAP_H */
