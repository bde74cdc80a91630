// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications of the family ovpn: in the namespace of the transport's socket,
 * of peers that go, that move, and of keys that are used up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID	0xABCDEF
#define QUIET_MS	200

static const struct data_far_args one = { .id = PEER_ID };
static const struct data_conf mp = { .mode = OVPN_MODE_MP };

static bool expect(struct data_bed *bed, struct ovpn_ntf *ntf,
		   enum ovpn_ntf_type type, uint32_t id)
{
	memset(ntf, 0, sizeof(*ntf));
	if (!CHECK_ERR(0, data_wait_ntf(bed, ntf, DATA_WAIT_MS)))
		return false;
	CHECK(ntf->exact);
	CHECK_EQ(bed->ifindex, ntf->ifindex);
	CHECK_EQ(id, ntf->peer_id);
	CHECK_EQ(0, ntf->portid);
	CHECK_EQ(0, ntf->seq);
	return CHECK_EQ(type, ntf->type);
}

static void expect_no_more(struct data_bed *bed)
{
	CHECK(udp_quiet(ovpn_listener_fd(bed->ntf), QUIET_MS));
}

/* ---- a peer goes ---- */

static void deleted(struct data_bed *bed)
{
	struct ovpn_ntf ntf;
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	CHECK_ERR(0, ovpn_nl_del_peer(bed->nl, bed->ifindex, PEER_ID));
	/* before the request was answered */
	CHECK(!udp_quiet(ovpn_listener_fd(bed->ntf), 0));
	if (expect(bed, &ntf, OVPN_NTF_DEL_PEER, PEER_ID))
		CHECK_EQ(OVPN_DEL_PEER_REASON_USERSPACE, ntf.reason);
	expect_no_more(bed);
	data_far_close(&far);
}

/*
 * OpenVPN hears in the namespace that it has its sockets in, wherever it has
 * put the device.
 */
static void in_the_sockets_namespace(struct data_bed *bed)
{
	struct netns *away = netns_new("away");
	struct ovpn_listener *there = ovpn_listen(away, 0);
	struct ovpn_listener *home = ovpn_listen(netns_home(), 0);
	struct ovpn_ntf ntf;
	struct ovpn_nl *nl;
	struct data_far far;
	uint32_t ifindex;

	if (!data_far_add(bed, &far, &one))
		return;
	netns_run(bed->near, "ip link set " TUN " netns %s", netns_path(away));
	ifindex = netns_ifindex(away, TUN);
	nl = ovpn_nl_open(away);
	CHECK_ERR(0, ovpn_nl_del_peer(nl, ifindex, PEER_ID));
	if (CHECK_ERR(0, data_wait_ntf(bed, &ntf, DATA_WAIT_MS))) {
		CHECK_EQ(PEER_ID, ntf.peer_id);
		CHECK_EQ(ifindex, ntf.ifindex);
	}
	expect_no_more(bed);
	CHECK(udp_quiet(ovpn_listener_fd(there), 0));
	CHECK(udp_quiet(ovpn_listener_fd(home), 0));
	netns_run(away, "ip link set " TUN " netns %s", netns_path(bed->near));
	ovpn_nl_close(nl);
	ovpn_listener_close(there);
	ovpn_listener_close(home);
	netns_free(away);
	data_far_close(&far);
}

/* ---- a peer moves ---- */

struct place {
	const char *bind;
	const char *from;
	const char *to;
};

static const struct place v4 = { "0.0.0.0", FAR4, FAR4_B };
static const struct place v6 = { "::", FAR6, FAR6_B };
static const struct place mapped = { "::", FAR4, FAR4_B };
static const struct place v4_to_6 = { "::", FAR4, FAR6 };
static const struct place v6_to_4 = { "::", FAR6, FAR4 };
static const struct place port_only = { "0.0.0.0", FAR4, FAR4 };

static void check_moved(const struct ovpn_ntf *ntf, const char *addr, int fd)
{
	const struct sockaddr_in6 *in6 = (void *)&ntf->remote;
	const struct sockaddr_in *in = (void *)&ntf->remote;
	char text[INET6_ADDRSTRLEN] = "";

	if (ntf->remote.ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	CHECK_STREQ(addr, text);
	CHECK_EQ(udp_port(fd), ntohs(in->sin_port));
}

static void moved(struct data_bed *bed)
{
	const struct place *place = bed->arg;
	const struct data_far_args args = { .id = PEER_ID, .addr = place->from };
	struct data_far far, there;
	uint8_t plain[256], packet[WIRE_MAX];
	struct ovpn_ntf ntf;
	size_t len;

	if (!data_far_add(bed, &far, &args))
		return;
	there = far;
	there.fd = udp_socket(bed->far, place->to, 0);
	there.to = strchr(place->to, ':') ? NEAR6 : NEAR4;
	/* forged, it says nothing */
	len = data_inner(plain, VPN_FAR4, VPN_NEAR4, 100, 1);
	len = wire_seal(&far.seal, far.id, 1, plain, len, packet);
	packet[len - 1] ^= 1;
	data_far_send_raw(&there, packet, len);
	data_to_near(bed, &far);
	expect_no_more(bed);

	there.next = far.next;
	data_to_near(bed, &there);
	if (expect(bed, &ntf, OVPN_NTF_FLOAT, PEER_ID))
		check_moved(&ntf, place->to, there.fd);
	/* once, and again when it goes back */
	data_to_near(bed, &there);
	expect_no_more(bed);
	far.next = there.next;
	data_to_near(bed, &far);
	if (expect(bed, &ntf, OVPN_NTF_FLOAT, PEER_ID))
		check_moved(&ntf, place->from, far.fd);
	expect_no_more(bed);
	data_far_close(&far);
	data_far_close(&there);
}

/* ---- a key is used up ---- */

#define LIMIT_FILE	"/sys/module/ovpn_dco_v2/parameters/packet_id_limit"

static void send_one(struct data_bed *bed)
{
	uint8_t plain[256];
	size_t len = data_inner(plain, VPN_NEAR4, VPN_FAR4, 100, 1);

	CHECK_ERR(0, data_near_send(bed, plain, len));
}

/*
 * The key goes and the peer stays: OpenVPN is told which key, and negotiates
 * another one.
 */
static void used_up(struct data_bed *bed)
{
	struct data_far_args args = one;
	struct ovpn7_key_info info;
	struct data_drops before;
	struct data_far far;
	struct ovpn_ntf ntf;
	unsigned int i;

	args.key_id = 5;
	file_set_for_now(LIMIT_FILE, "3");
	if (!data_far_add(bed, &far, &args))
		return;
	for (i = 0; i < 3; i++)
		data_to_far(bed, &far, NULL, NULL);
	data_drops_read(bed, &before);
	send_one(bed);
	if (expect(bed, &ntf, OVPN_NTF_KEY_SWAP, PEER_ID))
		CHECK_EQ(5, ntf.key_id);
	data_check_drops(bed, &before, "tx_drop_key_used_up", 1);
	CHECK(udp_quiet(far.fd, 0));
	CHECK_ERR(0, ovpn_nl_get_peer(bed->nl, bed->ifindex, PEER_ID, NULL));
	CHECK_ERR(-ENOENT, ovpn7_key_get(bed->nl, bed->ifindex, PEER_ID,
					 OVPN_KEY_SLOT_PRIMARY, &info));
	/* once a key, however much is sent */
	data_drops_read(bed, &before);
	send_one(bed);
	send_one(bed);
	data_check_drops(bed, &before, "tx_drop_no_key", 2);
	expect_no_more(bed);

	/* what OpenVPN does then */
	data_key_renew(&far, OVPN_CIPHER_ALG_AES_GCM, 32, 6);
	CHECK_ERR(0, data_key_install(bed, &far, OVPN_KEY_SLOT_SECONDARY));
	CHECK_ERR(0, ovpn_nl_swap_keys(bed->nl, bed->ifindex, PEER_ID));
	for (i = 0; i < 3; i++)
		data_to_far(bed, &far, NULL, NULL);
	data_to_near(bed, &far);
	send_one(bed);
	if (expect(bed, &ntf, OVPN_NTF_KEY_SWAP, PEER_ID))
		CHECK_EQ(6, ntf.key_id);
	expect_no_more(bed);
	file_set_for_now(LIMIT_FILE, "4294967295");
	data_far_close(&far);
}

/* The other key goes on receiving, and is the one to be sent with after a swap. */
static void used_up_with_another(struct data_bed *bed)
{
	struct data_far far, next;
	struct ovpn_ntf ntf;

	file_set_for_now(LIMIT_FILE, "1");
	if (!data_far_add(bed, &far, &one))
		return;
	next = far;
	data_key_renew(&next, OVPN_CIPHER_ALG_CHACHA20_POLY1305, 32, 1);
	CHECK_ERR(0, data_key_install(bed, &next, OVPN_KEY_SLOT_SECONDARY));
	data_to_far(bed, &far, NULL, NULL);
	send_one(bed);
	if (expect(bed, &ntf, OVPN_NTF_KEY_SWAP, PEER_ID))
		CHECK_EQ(0, ntf.key_id);
	data_to_near(bed, &next);
	CHECK_ERR(0, ovpn_nl_swap_keys(bed->nl, bed->ifindex, PEER_ID));
	data_to_far(bed, &next, NULL, NULL);
	file_set_for_now(LIMIT_FILE, "4294967295");
	data_far_close(&far);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "PEER_DEL_NTF: exact, once, before the answer", mp, deleted },
		{ "PEER_DEL_NTF: in the socket's namespace only", mp,
		  in_the_sockets_namespace },
		{ "PEER_FLOAT_NTF: IPv4", mp, moved, &v4 },
		{ "PEER_FLOAT_NTF: IPv6",
		  { OVPN_MODE_MP, "::" }, moved, &v6 },
		{ "PEER_FLOAT_NTF: mapped IPv4",
		  { OVPN_MODE_MP, "::" }, moved, &mapped },
		{ "PEER_FLOAT_NTF: IPv4 to IPv6",
		  { OVPN_MODE_MP, "::" }, moved, &v4_to_6 },
		{ "PEER_FLOAT_NTF: IPv6 to IPv4",
		  { OVPN_MODE_MP, "::" }, moved, &v6_to_4 },
		{ "PEER_FLOAT_NTF: port only", mp, moved, &port_only },
		{ "PEER_FLOAT_NTF: point-to-point", .run = moved, .arg = &v4 },
		{ "KEY_SWAP_NTF: once for each key that is used up", mp,
		  used_up },
		{ "KEY_SWAP_NTF: the same in point-to-point mode",
		  .run = used_up },
		{ "KEY_SWAP_NTF: the other key stays", mp,
		  used_up_with_another },
	};

	(void)argc;
	family_use(&family_ovpn);
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
