// SPDX-License-Identifier: GPL-2.0-only
/* Dumps: of nobody, of one, of thousands, and while peers come and go. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "netns.h"

#define MANY		5000
#define STAYING		1500	/* peers that are there throughout */
#define CHURN_STEP	7	/* ids between them that come and go */
#define CHURN_MS	8000

static void empty(void)
{
	struct fixture f;

	fixture_start(&f, OVPN_MODE_MP);
	CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	fixture_end(&f);
	fixture_start(&f, OVPN_MODE_P2P);
	CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	fixture_end(&f);
}

static void one_in_mode(int mode)
{
	struct ovpn_peer_info *list = NULL;
	struct fixture f;

	fixture_start(&f, mode);
	fixture_peer(&f, 77);
	if (CHECK_EQ(1, ovpn_nl_dump(f.nl, f.ifindex, &list))) {
		CHECK_EQ(77, list[0].id);
		CHECK_EQ(0, list[0].surplus);
		CHECK(list[0].multi);
	}
	free(list);
	/* leaving takes it out of the dump, too */
	CHECK_ERR(0, ovpn_nl_del_peer(f.nl, f.ifindex, 77));
	CHECK_EQ(0, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	fixture_end(&f);
}

static void one(void)
{
	one_in_mode(OVPN_MODE_MP);
}

static void one_p2p(void)
{
	one_in_mode(OVPN_MODE_P2P);
}

/*
 * How often each id was listed, and whether any had something odd about it.
 * @times has room for ids 0 to @ids - 1.
 */
static bool count_ids(const struct ovpn_peer_info *list, int count,
		      uint8_t *times, uint32_t ids)
{
	int i;

	memset(times, 0, ids);
	for (i = 0; i < count; i++) {
		if (!CHECK_EQ(0, list[i].surplus) ||
		    !CHECK(list[i].id < ids))
			return false;
		times[list[i].id]++;
	}
	return true;
}

static void many(void)
{
	static uint8_t times[MANY + 1];
	struct ovpn_peer_info *list = NULL;
	struct fixture f;
	uint32_t id;
	int count;

	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, MANY);
	CHECK_EQ(MANY, ethtool_count(f.ns, "ovpn0", "peers"));
	count = ovpn_nl_dump(f.nl, f.ifindex, &list);
	if (CHECK_EQ(MANY, count) &&
	    count_ids(list, count, times, ARRAY_SIZE(times))) {
		for (id = 1; id <= MANY; id++)
			if (!CHECK_MSG(times[id] == 1, "peer %u %d times", id,
				       times[id]))
				break;
	}
	free(list);
	fixture_end(&f);
}

/* ---- while peers come and go ---- */

static bool stays(uint32_t id)
{
	return id % CHURN_STEP == 0;
}

/* A process that adds and deletes peers between the others till killed. */
static pid_t start_churn(const struct fixture *f, uint32_t ids)
{
	struct ovpn_peer_args args;
	struct fixture own = *f;
	pid_t pid = fork();
	uint32_t id;

	if (pid < 0)
		ktap_bail("fork: %m");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	own.nl = ovpn_nl_open(f->ns);
	srand(1);
	for (;;) {
		id = rand() % ids;
		if (stays(id))
			continue;
		args = fixture_peer_args(&own, id);
		if (ovpn_nl_new_peer(own.nl, own.ifindex, &args) == -EEXIST &&
		    ovpn_nl_del_peer(own.nl, own.ifindex, id))
			_exit(1);
	}
}

static bool check_churned(const struct fixture *f, uint8_t *times, uint32_t ids,
			  int *others)
{
	struct ovpn_peer_info *list = NULL;
	int count = ovpn_nl_dump(f->nl, f->ifindex, &list);
	uint32_t id;
	bool good;

	good = CHECK_MSG(count >= 0, "dump: %s", strerror(-count)) &&
	       count_ids(list, count, times, ids);
	for (id = 0; good && id < ids; id++)
		good = CHECK_MSG(times[id] == 1 || (!stays(id) && !times[id]),
				 "peer %u listed %d times", id, times[id]);
	*others = count - STAYING;
	free(list);
	return good;
}

static void churn(void)
{
	static uint8_t times[STAYING * CHURN_STEP];
	int dumps = 0, others, most = 0, status;
	struct fixture f;
	int64_t end;
	uint32_t id;
	pid_t pid;

	fixture_start(&f, OVPN_MODE_MP);
	for (id = 0; id < ARRAY_SIZE(times); id += CHURN_STEP)
		fixture_peer(&f, id);
	pid = start_churn(&f, ARRAY_SIZE(times));
	end = now_ms() + CHURN_MS;
	while (now_ms() < end && check_churned(&f, times, ARRAY_SIZE(times),
					       &others)) {
		dumps++;
		if (others > most)
			most = others;
	}
	ktap_note("%d dumps beside up to %d others", dumps, most);
	/* else nothing was tested */
	CHECK_GE(3, dumps);
	CHECK_GE(50, most);
	CHECK_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fixture_end(&f);
}

/* ---- dumps that are not read to the end ---- */

static void abandoned(void)
{
	struct nl_msg *msg;
	struct ovpn_nl *nl;
	struct fixture f;
	int i;

	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, 1000);
	for (i = 0; i < 20; i++) {
		nl = ovpn_nl_open(f.ns);
		msg = family()->get_peer(nl, f.ifindex, NULL);
		CHECK_ERR(0, ovpn_nl_post(nl, msg));
		ovpn_nl_close(nl);
	}
	CHECK_EQ(1000, ovpn_nl_dump(f.nl, f.ifindex, NULL));
	fixture_end(&f);
}

static void device_deleted(void)
{
	struct nl_msg *msg;
	struct fixture f;
	bool done;
	pid_t pid;
	int err;

	fixture_start(&f, OVPN_MODE_MP);
	fixture_peers(&f, 1, 1000);
	msg = family()->get_peer(f.nl, f.ifindex, NULL);
	CHECK_ERR(0, ovpn_nl_post(f.nl, msg));
	/* an unfinished dump must not keep the device from going */
	pid = netns_spawn(f.ns, "ip link del ovpn0");
	done = netns_wait(pid, 5000);
	CHECK(done);
	err = ovpn_nl_finish(f.nl, NULL, NULL);
	CHECK_MSG(!err || err == -ENODEV, "the dump ended with %s",
		  strerror(-err));
	if (!done)
		netns_kill(pid);
	fixture_end(&f);
}

static const struct ktap_case cases[] = {
	{ "no peer", empty },
	{ "one peer", one },
	{ "one peer, point-to-point", one_p2p },
	{ "5000 peers", many },
	{ "peers coming and going: none missed, none twice", churn },
	{ "dumps not read to the end", abandoned },
	{ "device deleted during a dump", device_deleted },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
