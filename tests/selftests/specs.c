// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel says that requests may contain, against what the specifications
 * in Documentation/netlink/specs say (in the file "policies", see tests/specs).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family.h"
#include "fixture.h"
#include "ktap.h"
#include "nlsock.h"

#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#define POLICIES	64	/* of a family */
#define ATTRS		32	/* of a policy */
#define OPS		16
#define PATH_LEN	32

/* An attribute, in the words of the file. */
struct attr {
	const char *type;	/* NULL: not allowed */
	uint64_t least, most;
	int nested;		/* policy of what is in it, -1: none */
};

static struct family_policies {
	struct attr attrs[POLICIES][ATTRS];
	int op[OPS][2];		/* policy of do and dump, -1: none */
} said;

enum { DO, DUMP };

static const char *const ways[] = { "do", "dump" };

/* ---- what the kernel says ---- */

static uint64_t value_of(struct nlattr *attr)
{
	return nla_len(attr) == 8 ? nla_get_u64(attr) : nla_get_u32(attr);
}

static const char *type_name(uint32_t type)
{
	switch (type) {
	case NL_ATTR_TYPE_U8:
		return "u8";
	case NL_ATTR_TYPE_U16:
		return "u16";
	case NL_ATTR_TYPE_U32:
		return "u32";
	case NL_ATTR_TYPE_BINARY:
		return "binary";
	case NL_ATTR_TYPE_NESTED:
		return "nest";
	}
	return "something else";
}

static void hear_attr(struct nlattr *nest, struct attr *a)
{
	struct nlattr *attr;
	int left;

	*a = (struct attr){ .type = "?", .nested = -1 };
	nla_for_each_nested(attr, nest, left) {
		switch (nla_type(attr)) {
		case NL_POLICY_TYPE_ATTR_TYPE:
			a->type = type_name(nla_get_u32(attr));
			break;
		case NL_POLICY_TYPE_ATTR_MIN_VALUE_U:
		case NL_POLICY_TYPE_ATTR_MIN_LENGTH:
			a->least = value_of(attr);
			break;
		case NL_POLICY_TYPE_ATTR_MAX_VALUE_U:
		case NL_POLICY_TYPE_ATTR_MAX_LENGTH:
			a->most = value_of(attr);
			break;
		case NL_POLICY_TYPE_ATTR_POLICY_IDX:
			a->nested = nla_get_u32(attr);
			break;
		}
	}
}

static void hear_policies(struct nlattr *nest)
{
	struct nlattr *policy, *attr;
	int left, inner, index, type;

	nla_for_each_nested(policy, nest, left) {
		index = nla_type(policy);
		nla_for_each_nested(attr, policy, inner) {
			type = nla_type(attr);
			if (index >= POLICIES || type >= ATTRS)
				ktap_bail("policy %d, attribute %d", index,
					  type);
			hear_attr(attr, &said.attrs[index][type]);
		}
	}
}

static void hear_ops(struct nlattr *nest)
{
	struct nlattr *op, *attr;
	int left, inner, cmd;

	nla_for_each_nested(op, nest, left) {
		cmd = nla_type(op);
		if (cmd >= OPS)
			ktap_bail("command %d", cmd);
		nla_for_each_nested(attr, op, inner) {
			if (nla_type(attr) == CTRL_ATTR_POLICY_DO)
				said.op[cmd][DO] = nla_get_u32(attr);
			if (nla_type(attr) == CTRL_ATTR_POLICY_DUMP)
				said.op[cmd][DUMP] = nla_get_u32(attr);
		}
	}
}

static void hear(struct nlmsghdr *h, void *arg)
{
	struct genlmsghdr *genl = nlmsg_data(h);
	struct nlattr *attr;
	int left;

	(void)arg;
	nla_for_each_attr(attr, genlmsg_attrdata(genl, 0),
			  genlmsg_attrlen(genl, 0), left) {
		if (nla_type(attr) == CTRL_ATTR_POLICY)
			hear_policies(attr);
		if (nla_type(attr) == CTRL_ATTR_OP_POLICY)
			hear_ops(attr);
	}
}

static bool ask(const char *name)
{
	struct nlsock *s = nlsock_open(NETLINK_GENERIC);
	struct nl_msg *msg = nlmsg_alloc();
	uint16_t id;
	int ret;

	memset(&said, 0, sizeof(said));
	memset(said.op, -1, sizeof(said.op));
	ret = s ? genl_ctrl_resolve(s->sk, name) : -1;
	if (!CHECK_MSG(ret >= 0, "there is no family %s", name))
		return false;
	id = ret;
	if (!msg || !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, GENL_ID_CTRL,
				 0, NLM_F_DUMP, CTRL_CMD_GETPOLICY, 2) ||
	    nla_put_u16(msg, CTRL_ATTR_FAMILY_ID, id))
		ktap_bail("cannot make a netlink message");
	ret = nlsock_post(s, msg);
	if (!ret)
		ret = nlsock_finish(s, hear, NULL);
	nlsock_close(s);
	return CHECK_ERR(0, ret);
}

/* ---- what the specification says ---- */

/* All that is allowed and has not been named by the specification. */
static unsigned int not_named(int policy, int depth)
{
	unsigned int type, count = 0;

	if (policy < 0 || depth > 4)
		return 0;
	for (type = 1; type < ATTRS; type++)
		if (said.attrs[policy][type].type) {
			count++;
			count += not_named(said.attrs[policy][type].nested,
					   depth + 1);
		}
	return count;
}

/* Goes down a path like "2.5.1". */
static const struct attr *find(int policy, char *path)
{
	const struct attr *a = NULL;
	char *step, *rest = NULL;
	int type;

	for (step = strtok_r(path, ".", &rest); step;
	     step = strtok_r(NULL, ".", &rest)) {
		type = atoi(step);
		if (policy < 0 || type <= 0 || type >= ATTRS)
			return NULL;
		a = &said.attrs[policy][type];
		policy = a->nested;
	}
	return a && a->type ? a : NULL;
}

static void check_line(const char *family_name, int cmd, int way,
		       const char *path, const char *type, uint64_t least,
		       uint64_t most)
{
	char steps[PATH_LEN];
	const struct attr *a;
	bool untold;

	snprintf(steps, sizeof(steps), "%s", path);
	a = find(said.op[cmd][way], steps);
	if (!CHECK_MSG(a, "%s, command %d (%s): the kernel knows no attribute %s",
		       family_name, cmd, ways[way], path))
		return;
	/* it only tells lengths that are limited in both directions */
	untold = !strcmp(type, "binary") && (!least || !most) && !a->least &&
		 !a->most;
	CHECK_MSG(!strcmp(a->type, type) &&
		  (untold || (a->least == least && a->most == most)),
		  "%s, command %d (%s), attribute %s: %s from %llu to %llu, the kernel says %s from %llu to %llu",
		  family_name, cmd, ways[way], path, type,
		  (unsigned long long)least, (unsigned long long)most, a->type,
		  (unsigned long long)a->least, (unsigned long long)a->most);
}

static void compare(const char *wanted)
{
	unsigned int named[OPS][2] = { 0 }, allowed;
	char name[32], way[8], path[PATH_LEN], type[16];
	unsigned long long least, most;
	FILE *f = fopen("policies", "r");
	int cmd, w;

	if (!f)
		ktap_bail("policies: %m");
	if (!ask(wanted))
		return;
	while (fscanf(f, "%31s %d %7s %31s %15s %llu %llu", name, &cmd, way,
		      path, type, &least, &most) == 7) {
		if (strcmp(name, wanted))
			continue;
		if (cmd <= 0 || cmd >= OPS)
			ktap_bail("command %d", cmd);
		w = !strcmp(way, "dump");
		named[cmd][w]++;
		check_line(name, cmd, w, path, type, least, most);
	}
	fclose(f);
	/* and nothing else is allowed, no other command */
	for (cmd = 1; cmd < OPS; cmd++)
		for (w = DO; w <= DUMP; w++) {
			allowed = not_named(said.op[cmd][w], 0);
			CHECK_MSG(allowed == named[cmd][w],
				  "%s, command %d (%s): %u attributes, the kernel has %u",
				  wanted, cmd, ways[w], named[cmd][w], allowed);
		}
}

static void of_2_6(void)
{
	compare("ovpn-dco-v2");
}

static void of_2_7(void)
{
	compare("ovpn");
}

static const struct ktap_case cases[] = {
	{ "ovpn-dco-v2", of_2_6 },
	{ "ovpn", of_2_7 },
};

int main(void)
{
	need_root();
	return KTAP_RUN(cases);
}
