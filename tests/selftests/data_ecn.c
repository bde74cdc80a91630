// SPDX-License-Identifier: GPL-2.0-only
/*
 * The traffic class: congestion is carried from the packet inside to the outer one
 * and back (RFC 6040), for each packet of a batch on its own; the rest stays
 * inside unless it is asked for.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data_util.h"
#include "family.h"

#define PEER_ID		31
#define DSCP		0xb8	/* EF */

enum { NOT_ECT, ECT_1, ECT_0, CE, DROPPED };

static const char *const ecn_names[] = { "Not-ECT", "ECT(1)", "ECT(0)", "CE" };

/* What becomes of the one inside: RFC 6040, section 4.2; [inner][outer] */
static const int decapsulated[4][4] = {
	[NOT_ECT] = { [NOT_ECT] = NOT_ECT, [ECT_0] = NOT_ECT,
		      [ECT_1] = NOT_ECT, [CE] = DROPPED },
	[ECT_0]   = { [NOT_ECT] = ECT_0, [ECT_0] = ECT_0, [ECT_1] = ECT_1,
		      [CE] = CE },
	[ECT_1]   = { [NOT_ECT] = ECT_1, [ECT_0] = ECT_1, [ECT_1] = ECT_1,
		      [CE] = CE },
	[CE]      = { [NOT_ECT] = CE, [ECT_0] = CE, [ECT_1] = CE, [CE] = CE },
};

static void set_flag(struct data_bed *bed, const char *name, bool on)
{
	CHECK_ERR(0, ethtool_set_flag(bed->near, TUN, name, on));
}

/* The far end is reached through the IP version that the case is about. */
static bool add(struct data_bed *bed, struct data_far *far)
{
	const struct data_far_args args = { .id = PEER_ID, .addr = bed->arg };

	/* As devices come, under whatever condition */
	set_flag(bed, "copy-ecn", true);
	set_flag(bed, "copy-dscp", false);
	return data_far_add(bed, far, &args);
}

/* ---- one by one ---- */

static size_t make(uint8_t *packet, bool out, bool v6, uint8_t tos,
		   unsigned int seed)
{
	const char *near = v6 ? VPN_NEAR6 : VPN_NEAR4;
	const char *far = v6 ? VPN_FAR6 : VPN_FAR4;
	size_t len;

	len = data_inner(packet, out ? near : far, out ? far : near, 200, seed);
	inner_set_tos(packet, tos);
	return len;
}

static void check_sent(struct data_bed *bed, struct data_far *far, bool v6,
		       uint8_t inner, uint8_t outer)
{
	uint8_t sent[256], got[WIRE_MAX];
	struct udp_source source;
	size_t len;

	len = make(sent, true, v6, inner, inner);
	if (CHECK_ERR(0, data_near_send(bed, sent, len)) &&
	    CHECK_EQ(len, data_far_recv(far, got, NULL, &source))) {
		CHECK_MEMEQ(sent, got, len);
		CHECK_MSG(source.tos == outer,
			  "IPv%u, class %#x: sent with %#x, wanted %#x",
			  v6 ? 6 : 4, inner, source.tos, outer);
	}
}

/* All eight, with what is left of them on the outer packet. */
static void check_all_sent(struct data_bed *bed, struct data_far *far,
			   uint8_t left)
{
	unsigned int ecn, v6;

	for (v6 = 0; v6 < 2; v6++) {
		for (ecn = 0; ecn < 4; ecn++) {
			check_sent(bed, far, v6, ecn, ecn & left);
			check_sent(bed, far, v6, DSCP | ecn,
				   (DSCP | ecn) & left);
		}
	}
}

static void sent(struct data_bed *bed)
{
	struct data_far far;

	if (!add(bed, &far))
		return;
	check_all_sent(bed, &far, 0x03);
	data_far_close(&far);
}

static void sent_as_asked(struct data_bed *bed)
{
	struct data_far far;

	if (!add(bed, &far))
		return;
	set_flag(bed, "copy-dscp", true);
	check_all_sent(bed, &far, 0xff);
	set_flag(bed, "copy-ecn", false);
	check_all_sent(bed, &far, 0xfc);
	set_flag(bed, "copy-dscp", false);
	check_all_sent(bed, &far, 0x00);
	set_flag(bed, "copy-ecn", true);
	check_all_sent(bed, &far, 0x03);
	data_far_close(&far);
}

static void check_received(struct data_bed *bed, struct data_far *far, bool v6,
			   unsigned int inner, unsigned int outer)
{
	int want = decapsulated[inner][outer & 3];
	uint8_t packet[256], got[WIRE_MAX];
	struct data_drops before;
	ssize_t len, arrived;

	udp_set_tos(far->fd, outer);
	/* what is there of the rest stays as it is, whatever is outside */
	len = make(packet, false, v6, DSCP | inner, inner << 2 | outer);
	if (want == DROPPED) {
		data_drops_read(bed, &before);
		data_far_send(far, packet, len);
		data_check_drops(bed, &before, "rx_drop_ecn", 1);
		data_near_empty(bed);
		return;
	}
	data_far_send(far, packet, len);
	inner_set_tos(packet, DSCP | want);
	arrived = packet_recv(bed->tap, got, sizeof(got), DATA_WAIT_MS);
	CHECK_MSG(arrived == len && !memcmp(packet, got, len),
		  "IPv%u, %s in %s (%#x): %zd bytes of class %#x arrived, wanted %#x",
		  v6 ? 6 : 4, ecn_names[inner], ecn_names[outer & 3], outer,
		  arrived, arrived > 0 ? inner_tos(got) : 0, DSCP | want);
}

static void check_all_received(struct data_bed *bed, struct data_far *far)
{
	unsigned int inner, outer, v6;

	for (v6 = 0; v6 < 2; v6++) {
		for (inner = 0; inner < 4; inner++) {
			for (outer = 0; outer < 4; outer++)
				check_received(bed, far, v6, inner, outer);
			check_received(bed, far, v6, inner, 0x28);
			check_received(bed, far, v6, inner, 0x28 | CE);
		}
	}
}

/* What comes in does not depend on what goes out. */
static void received(struct data_bed *bed)
{
	struct data_far far;

	if (!add(bed, &far))
		return;
	check_all_received(bed, &far);
	set_flag(bed, "copy-ecn", false);
	set_flag(bed, "copy-dscp", true);
	check_all_received(bed, &far);
	data_far_close(&far);
}

/* A stream's segments are not those of the packets in it. */
static void stream(struct data_bed *bed)
{
	const struct stream_conf conf = { 0 };
	const struct data_far_args args = { .id = PEER_ID, .tcp = &conf };
	uint8_t packet[256];
	struct data_far far;
	unsigned int ecn;
	size_t len;

	if (!data_far_add(bed, &far, &args))
		return;
	udp_set_tos(far.fd, CE);
	for (ecn = 0; ecn < 4; ecn++) {
		len = make(packet, false, ecn & 1, DSCP | ecn, ecn);
		data_deliver(bed, &far, 0, packet, len);
	}
	data_far_close(&far);
}

/* ---- in batches ---- */

/* One send of a few datagrams: each that is made of it has the class. */
static void check_train(struct data_bed *bed, struct data_far *far, bool v6,
			uint8_t inner, uint8_t outer)
{
	int fd = udp_socket(bed->near, v6 ? VPN_NEAR6 : VPN_NEAR4, 0);
	uint8_t data[5000] = { 0 }, got[WIRE_MAX];
	struct udp_source source;
	unsigned int i;

	udp_set_tos(fd, inner);
	CHECK_EQ(sizeof(data),
		 udp_send_segments(fd, v6 ? VPN_FAR6 : VPN_FAR4, DATA_PORT,
				   data, sizeof(data), 1000));
	for (i = 0; i < 5; i++) {
		if (!CHECK_EQ((v6 ? 48 : 28) + 1000,
			      data_far_recv(far, got, NULL, &source)))
			break;
		CHECK_EQ(inner, inner_tos(got));
		CHECK_EQ(outer, source.tos);
	}
	close(fd);
}

static void sent_in_batches(struct data_bed *bed)
{
	struct data_far far;
	unsigned int ecn;

	if (!add(bed, &far))
		return;
	for (ecn = 0; ecn < 4; ecn++)
		check_train(bed, &far, ecn & 1, DSCP | ecn, ecn);
	set_flag(bed, "copy-dscp", true);
	check_train(bed, &far, false, DSCP | CE, DSCP | CE);
	set_flag(bed, "copy-ecn", false);
	check_train(bed, &far, true, DSCP | CE, DSCP);
	set_flag(bed, "copy-dscp", false);
	check_train(bed, &far, false, DSCP | ECT_0, 0);
	data_far_close(&far);
}

/* The next packet that is delivered, but for its class, and that. */
static void expect(struct data_bed *bed, bool v6, unsigned int seed, int ecn)
{
	uint8_t packet[256], got[WIRE_MAX];
	size_t len = make(packet, false, v6, ecn, seed);

	if (CHECK_EQ(len, packet_recv(bed->tap, got, sizeof(got),
				      DATA_WAIT_MS)) &&
	    !CHECK_MEMEQ(packet, got, len))
		ktap_note("packet %u of the batch", seed);
}

/* Inside there are packets of all kinds, two of each; outside is one class. */
static void check_batch(struct data_bed *bed, struct data_far *far, bool v6,
			int outer)
{
	struct data_batch batch = { 0 };
	struct data_drops before;
	uint8_t packet[256];
	unsigned int i;
	size_t len;

	data_drops_read(bed, &before);
	for (i = 0; i < 8; i++) {
		len = make(packet, false, v6, i & 3, i);
		data_batch_add(&batch, far, packet, len);
	}
	udp_set_tos(far->fd, outer);
	data_batch_send(far, &batch);
	for (i = 0; i < 8; i++)
		if (decapsulated[i & 3][outer] != DROPPED)
			expect(bed, v6, i, decapsulated[i & 3][outer]);
	data_near_empty(bed);
	data_check_drops(bed, &before, "rx_drop_ecn", outer == CE ? 2 : 0);
}

static void received_in_batches(struct data_bed *bed)
{
	struct data_far far;
	int outer;

	if (!add(bed, &far))
		return;
	for (outer = 0; outer < 4; outer++) {
		check_batch(bed, &far, false, outer);
		check_batch(bed, &far, true, outer);
	}
	data_far_close(&far);
}

/* Has the far end send several datagrams at a time, which arrive merged. */
static bool gather(struct data_bed *bed)
{
	netns_run(bed->near, "ethtool -K " NEAR_VETH " gro on");
	return !netns_sh(bed->far, "exec 2>/dev/null; modprobe -q sch_netem;\n"
			 "tc qdisc add dev " FAR_VETH " root netem slot 300ms");
}

#define MIXED	24

/*
 * What is not marked may be merged on the way, but not with what is: a mark is for
 * the packet in that datagram only.
 */
static void mark_of_one(struct data_bed *bed)
{
	static const uint8_t outer[] = {
		ECT_0, ECT_0, ECT_0, CE, ECT_0, ECT_0, ECT_1, ECT_0,
	};
	uint8_t packet[256];
	struct data_far far;
	unsigned int i;
	size_t len;

	if (!add(bed, &far))
		return;
	if (!gather(bed)) {
		ktap_skip("this kernel has no netem");
		data_far_close(&far);
		return;
	}
	for (i = 0; i < MIXED; i++) {
		udp_set_tos(far.fd, outer[i % 8]);
		len = make(packet, false, false, ECT_0, i);
		data_far_send(&far, packet, len);
	}
	for (i = 0; i < MIXED; i++)
		expect(bed, false, i, outer[i % 8]);
	data_near_empty(bed);
	data_far_close(&far);
}

static const struct {
	const char *name;
	void (*run)(struct data_bed *bed);
} everywhere[] = {
	{ "what goes out", sent },
	{ "what goes out, by flags", sent_as_asked },
	{ "what comes in", received },
	{ "what goes out in batches", sent_in_batches },
	{ "what comes in, in batches", received_in_batches },
	{ "one datagram is marked", mark_of_one },
};

#define COMBINED	(ARRAY_SIZE(everywhere) * 2)

int main(int argc, char **argv)
{
	static struct data_case cases[COMBINED + 1];
	static char names[COMBINED][80];
	unsigned int i;

	(void)argc;
	for (i = 0; i < COMBINED; i++) {
		snprintf(names[i], sizeof(names[i]), "%s: IPv%u",
			 everywhere[i / 2].name, i & 1 ? 6 : 4);
		cases[i] = (struct data_case) {
			.name = names[i],
			.conf = { .bind = i & 1 ? "::" : "0.0.0.0" },
			.run = everywhere[i / 2].run,
			.arg = i & 1 ? FAR6 : FAR4,
		};
	}
	cases[COMBINED] = (struct data_case) { "TCP connection", .run = stream };
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
