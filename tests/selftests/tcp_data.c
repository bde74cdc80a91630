// SPDX-License-Identifier: GPL-2.0-only
/* The tests of the data path that know nothing of transports, over TCP. */
#include <stdlib.h>

#include "data_util.h"
#include "fixture.h"

static const struct {
	const char *name;
	const char *command;
} runs[] = {
	{ "keys", "./data_keys 'two keys' 'primary key' again used" },
	{ "replays", "./data_replay replayed reordered" },
	{ "routes", "./data_route own behind 'not the' 'client to' point" },
	{ "counters",
	  "./data_stats sent received pings dropped two segments" },
	{ "rejected packets",
	  "./data_reject byte yet zero empty shorter size down" },
	{ "keepalive", "./data_keepalive 'pings when' 'peer expires'" },
	{ "large packets", "./data_gso cut checksums sendfile datagrams" },
};

int main(void)
{
	unsigned int i;

	need_root();
	ktap_plan(ARRAY_SIZE(runs));
	setenv(DATA_OVER_TCP, "1", true);
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		CHECK_EQ(0, netns_sh(NULL, "%s", runs[i].command));
		ktap_done("%s", runs[i].name);
	}
	return ktap_result();
}
