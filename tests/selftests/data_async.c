// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ciphers that answer later: the kernel is made to prefer one that works on
 * all CPUs in parallel (pcrypt), and the other data path tests run over it.
 * (The kernel's other wrapper, cryptd, changes its caller's request where it
 * is not called by the kernel's own SIMD code: it fails the self-test of 6.1,
 * which refuses it with a warning.)
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/cryptouser.h>
#include <linux/netlink.h>

#include "data_util.h"
#include "fixture.h"

/* Above all that a kernel brings along. */
#define PRIORITY	20000

/* ---- which cipher the kernel prefers ---- */

/* From the kernel's linux/crypto.h: templates ask what they shall become. */
#define CRYPTO_TYPE_AEAD	0x3
#define CRYPTO_TYPE_MASK	0xf

struct alg_request {
	struct nlmsghdr n;
	struct crypto_user_alg alg;
	struct nlattr attr;
	uint32_t priority;
};

struct substitute {
	const char *name;
	const char *driver;
};

static const struct substitute substitutes[] = {
	{ "gcm(aes)", "pcrypt(gcm_base(ctr(aes-generic),ghash-generic))" },
	{ "rfc7539(chacha20,poly1305)",
	  "pcrypt(rfc7539(chacha20-generic,poly1305-generic))" },
};

#define SUBSTITUTES	ARRAY_SIZE(substitutes)

static int crypto_fd = -1;
static struct alg_request removals[SUBSTITUTES];
static bool installed[SUBSTITUTES];

static void alg_request(struct alg_request *r, int type,
			const struct substitute *s)
{
	memset(r, 0, sizeof(*r));
	r->n.nlmsg_len = NLMSG_LENGTH(sizeof(r->alg));
	r->n.nlmsg_type = type;
	r->n.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	snprintf(r->alg.cru_name, sizeof(r->alg.cru_name), "%s", s->name);
	snprintf(r->alg.cru_driver_name, sizeof(r->alg.cru_driver_name), "%s",
		 s->driver);
	r->alg.cru_type = CRYPTO_TYPE_AEAD;
	r->alg.cru_mask = CRYPTO_TYPE_MASK;
	if (type != CRYPTO_MSG_NEWALG)
		return;
	r->n.nlmsg_flags |= NLM_F_CREATE;
	r->n.nlmsg_len = sizeof(*r);
	r->attr.nla_len = NLA_HDRLEN + sizeof(r->priority);
	r->attr.nla_type = CRYPTOCFGA_PRIORITY_VAL;
	r->priority = PRIORITY;
}

static int crypto_ask(const struct alg_request *r)
{
	struct {
		struct nlmsghdr n;
		struct nlmsgerr err;
		uint8_t echo[1024];
	} answer;

	if (send(crypto_fd, r, r->n.nlmsg_len, 0) < 0)
		return -errno;
	do {
		if (recv(crypto_fd, &answer, sizeof(answer), 0) < 0)
			return -errno;
	} while (answer.n.nlmsg_type != NLMSG_ERROR);
	return answer.err.error;
}

static void remove_at_end(void)
{
	unsigned int i;

	for (i = 0; i < SUBSTITUTES; i++)
		if (installed[i])
			crypto_ask(&removals[i]);
}

static int substitute_install(unsigned int i)
{
	struct alg_request r;
	int ret;

	alg_request(&r, CRYPTO_MSG_NEWALG, &substitutes[i]);
	alg_request(&removals[i], CRYPTO_MSG_DELALG, &substitutes[i]);
	ret = crypto_ask(&r);
	if (!ret)
		installed[i] = true;
	return ret;
}

static void substitute_remove(unsigned int i)
{
	int ret = -EBUSY;

	if (!installed[i])
		return;
	/* keys are freed a grace period after their peers */
	WAIT_FOR((ret = crypto_ask(&removals[i])) != -EBUSY, 10000);
	CHECK_ERR(0, ret);
	installed[i] = false;
}

/* Users of a cipher by what /proc/crypto says, -1 if it is not there. */
static int users_of(const char *driver)
{
	char line[256], value[128];
	bool found = false;
	int refs = -1;
	FILE *f;

	f = fopen("/proc/crypto", "r");
	if (!f)
		ktap_bail("/proc/crypto: %s", strerror(errno));
	while (refs < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "driver : %127s", value) == 1)
			found = !strcmp(value, driver);
		else if (found)
			sscanf(line, "refcnt : %d", &refs);
	}
	fclose(f);
	return refs;
}

/* ---- with packets in the queue ---- */

#define PEER_ID	5

static const struct data_far_args one = { .id = PEER_ID };

static void flood(struct data_bed *bed, struct data_far *far)
{
	uint8_t plain[WIRE_MAX];
	unsigned int i;
	size_t len;

	for (i = 0; i < 40; i++) {
		len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 1400, i);
		data_near_send(bed, plain, len);
		len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 1400, i);
		data_far_send(far, plain, len);
	}
}

static void in_flight_peer(struct data_bed *bed)
{
	uint8_t buf[WIRE_MAX];
	struct data_far far;
	unsigned int i;

	for (i = 0; ktap_good() && i < 20; i++) {
		if (!data_far_add(bed, &far, &one))
			return;
		flood(bed, &far);
		CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, PEER_ID));
		data_far_close(&far);
	}
	/* whatever became of those: a new peer works */
	if (!data_far_add(bed, &far, &one))
		return;
	while (packet_recv(bed->tap, buf, sizeof(buf), 300) > 0)
		;
	data_to_far(bed, &far, NULL, NULL);
	data_to_near(bed, &far);
	data_far_close(&far);
}

static void in_flight_key(struct data_bed *bed)
{
	struct data_far far;
	unsigned int i;

	if (!data_far_add(bed, &far, &one))
		return;
	for (i = 0; ktap_good() && i < 20; i++) {
		flood(bed, &far);
		CHECK_ERR(0, ovpn_nl_del_key(bed->nl, bed->ifindex, PEER_ID,
					     OVPN_KEY_SLOT_PRIMARY));
		data_key_renew(&far, i & 1 ? OVPN_CIPHER_ALG_AES_GCM :
			       OVPN_CIPHER_ALG_CHACHA20_POLY1305, 32, i & 7);
		CHECK_ERR(0, data_key_install(bed, &far,
					      OVPN_KEY_SLOT_PRIMARY));
	}
	data_far_close(&far);
}

/* The device has to go in a moment, with nothing left that holds it. */
static void in_flight_device(struct data_bed *bed)
{
	struct data_far far;
	unsigned int i;
	int ret;

	for (i = 0; ktap_good() && i < 10; i++) {
		if (!data_far_add(bed, &far, &one))
			return;
		flood(bed, &far);
		CHECK_ERR(0, ovpn_link_del(bed->near, TUN));
		data_far_close(&far);
		ret = ovpn_link_new(bed->near, TUN, OVPN_MODE_P2P);
		if (!CHECK_GE(1, ret))
			return;
		bed->ifindex = ret;
		netns_addr(bed->near, TUN, VPN_NEAR4 "/24");
		netns_up(bed->near, TUN);
	}
}

/* It shows that the cipher is the one in question. */
static void in_use(struct data_bed *bed)
{
	static const uint16_t algs[] = {
		OVPN_CIPHER_ALG_AES_GCM, OVPN_CIPHER_ALG_CHACHA20_POLY1305,
	};
	struct data_far_args args = one;
	struct data_far far;
	unsigned int i;
	int before;

	for (i = 0; i < ARRAY_SIZE(algs); i++) {
		before = users_of(substitutes[i].driver);
		args.alg = algs[i];
		if (!data_far_add(bed, &far, &args))
			return;
		data_to_far(bed, &far, NULL, NULL);
		CHECK_GE(before + 1, users_of(substitutes[i].driver));
		data_far_close(&far);
	}
}

static const struct data_case in_flight[] = {
	{ "packets go by the queue", .run = in_use },
	{ "peer deleted with packets in flight", .run = in_flight_peer },
	{ "key deleted with packets in flight", .run = in_flight_key },
	{ "device deleted with packets in flight", .run = in_flight_device },
};

/* ---- the other tests, over it ---- */

static const struct {
	const char *name;
	const char *command;
} runs[] = {
	{ "in flight", "./data_async in-flight" },
	{ "wire format", "./data_wire known 'over IPv6'" },
	{ "rejected packets", "./data_reject ciphertext zero payload" },
	{ "key slots", "./data_keys 'key deleted' stream again used" },
	{ "roaming", "./data_float 'older packet: IPv4'" },
	{ "bulk", "./data_gso cut 'packet sockets'" },
	{ "merged datagrams", "./data_gro IPv4 && ./data_ecn batches" },
	{ "in flight, over TCP",
	  DATA_OVER_TCP "=1 ./data_async in-flight peer" },
	{ "TCP connections",
	  "./tcp_send 'both write, slow' inside && ./tcp_detach full" },
};

int main(int argc, char **argv)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	unsigned int i;
	int ret = 0;

	if (argc > 1 && !strcmp(argv[1], "in-flight"))
		return data_run(in_flight, ARRAY_SIZE(in_flight), argv + 2);
	need_root();
	ktap_plan(ARRAY_SIZE(runs));
	netns_sh(NULL, "modprobe -qa crypto_user pcrypt");
	crypto_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_CRYPTO);
	if (crypto_fd < 0 || connect(crypto_fd, (struct sockaddr *)&kernel,
				     sizeof(kernel))) {
		ktap_skip_rest("no crypto_user: %s", strerror(errno));
		return ktap_result();
	}
	at_end(remove_at_end);
	for (i = 0; !ret && i < SUBSTITUTES; i++)
		ret = substitute_install(i);
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		if (ret)
			ktap_skip("no pcrypt here: %s", strerror(-ret));
		else
			CHECK_EQ(0, netns_sh(NULL, "%s", runs[i].command));
		if (i == ARRAY_SIZE(runs) - 1) {
			substitute_remove(0);
			substitute_remove(1);
		}
		ktap_done("%s", runs[i].name);
	}
	return ktap_result();
}
