// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "family.h"

#include <netlink/genl/genl.h>

#include "ktap.h"

#define SUFFIX	"-ovpn"

static const struct ovpn_family *current;

const struct ovpn_family *family(void)
{
	const char *name = program_invocation_short_name;
	size_t len = strlen(name), suffix = strlen(SUFFIX);

	if (current)
		return current;
	current = &family_v2;
	if (getenv(FAMILY_VARIABLE))
		current = &family_ovpn;
	if (len > suffix && !strcmp(name + len - suffix, SUFFIX)) {
		current = &family_ovpn;
		/* and what it runs */
		setenv(FAMILY_VARIABLE, "ovpn", true);
	}
	return current;
}

void family_use(const struct ovpn_family *f)
{
	current = f;
}

/* ---- the commands ---- */

int ovpn_nl_new_peer(struct ovpn_nl *nl, uint32_t ifindex,
		     const struct ovpn_peer_args *args)
{
	return ovpn_nl_family(nl)->new_peer(nl, ifindex, args);
}

int ovpn_nl_set_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		     int64_t interval, int64_t timeout)
{
	return ovpn_nl_family(nl)->set_peer(nl, ifindex, id, interval, timeout);
}

int ovpn_nl_del_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	return ovpn_nl_family(nl)->del_peer(nl, ifindex, id);
}

int ovpn_nl_new_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    enum ovpn_key_slot_name slot,
		    const struct wire_key *encrypt,
		    const struct wire_key *decrypt)
{
	return ovpn_nl_family(nl)->new_key(nl, ifindex, id, slot, encrypt,
					   decrypt);
}

int ovpn_nl_swap_keys(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id)
{
	return ovpn_nl_family(nl)->swap_keys(nl, ifindex, id);
}

int ovpn_nl_del_key(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		    enum ovpn_key_slot_name slot)
{
	return ovpn_nl_family(nl)->del_key(nl, ifindex, id, slot);
}

/* ---- what a peer is asked about ---- */

struct info_list {
	const struct ovpn_family *family;
	struct ovpn_peer_info *infos;
	size_t count, room;
};

static void keep_info(struct nlmsghdr *reply, void *arg)
{
	struct info_list *list = arg;
	size_t room = list->room ? list->room * 2 : 16;
	struct ovpn_peer_info *info;

	if (list->count == list->room) {
		list->infos = realloc(list->infos, room * sizeof(*list->infos));
		if (!list->infos)
			ktap_bail("out of memory");
		list->room = room;
	}
	info = &list->infos[list->count++];
	memset(info, 0, sizeof(*info));
	info->multi = reply->nlmsg_flags & NLM_F_MULTI;
	list->family->parse_info(reply, info);
}

int ovpn_nl_get_peer(struct ovpn_nl *nl, uint32_t ifindex, uint32_t id,
		     struct ovpn_peer_info *info)
{
	struct info_list list = { .family = ovpn_nl_family(nl) };
	int err;

	err = ovpn_nl_send(nl, list.family->get_peer(nl, ifindex, &id),
			   keep_info, &list);
	/* exactly one reply, and none with an error */
	if (list.count != !err)
		err = -EPROTO;
	if (!err && info)
		*info = list.infos[0];
	free(list.infos);
	return err;
}

int ovpn_nl_dump(struct ovpn_nl *nl, uint32_t ifindex,
		 struct ovpn_peer_info **list)
{
	struct info_list got = { .family = ovpn_nl_family(nl) };
	int err;

	err = ovpn_nl_send(nl, got.family->get_peer(nl, ifindex, NULL),
			   keep_info, &got);
	if (list && !err)
		*list = got.infos;
	else
		free(got.infos);
	return err ? err : (int)got.count;
}
