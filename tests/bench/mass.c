// SPDX-License-Identifier: GPL-2.0-only
/*
 * mass: what a peer with its key costs where there are many: the time to add and
 * to delete it, in which whoever asks waits for the kernel's answer, and memory.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "family.h"
#include "fixture.h"
#include "ktap.h"

#define PEERS	10000

static long long free_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	long long kib = -1;
	char line[128];

	while (f && fgets(line, sizeof(line), f) &&
	       sscanf(line, "MemFree: %lld", &kib) != 1)
		;
	if (kib < 0)
		ktap_bail("/proc/meminfo does not tell");
	fclose(f);
	return kib * 1024;
}

int main(void)
{
	int64_t began, added, deleting;
	struct wire_key key;
	struct fixture f;
	long long before;
	uint32_t id;
	int err;

	fixture_start(&f, OVPN_MODE_MP);
	wire_key_random(&key, OVPN_CIPHER_ALG_AES_GCM, 32, 0);
	/* what is only needed once is there after that */
	fixture_peer(&f, PEERS + 1);
	fixture_key(&f, PEERS + 1, &key);
	before = free_bytes();
	began = now_ns();
	for (id = 1; id <= PEERS; id++) {
		fixture_peer(&f, id);
		fixture_key(&f, id, &key);
	}
	added = now_ns();
	print_value("peer-add", 0, "ns/peer", (double)(added - began) / PEERS);
	print_value("peer-memory", 0, "bytes/peer",
		    (double)(before - free_bytes()) / PEERS);
	deleting = now_ns();
	for (id = 1; id <= PEERS; id++) {
		err = ovpn_nl_del_peer(f.nl, f.ifindex, id);
		if (err)
			ktap_bail("cannot delete peer %u: %s (%s)", id,
				  strerror(-err), ovpn_nl_extack(f.nl));
	}
	print_value("peer-delete", 0, "ns/peer",
		    (double)(now_ns() - deleting) / PEERS);
	fixture_end(&f);
	return 0;
}
