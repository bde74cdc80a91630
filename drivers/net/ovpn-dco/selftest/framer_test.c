// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: packets in a byte stream. */

#include <linux/skbuff.h>
#include <linux/unaligned.h>

#include "../framer.h"
#include "fixture.h"

/* Packets of these lengths follow each other */
static const u16 short_lens[] = { 1, 2, 37, 1, 255, 256, 257, 3 };
static const u16 long_lens[] = { 1400, U16_MAX, 1, 0x8000, 1500, 0x7fff };

#define STREAM_MAX		(160 * 1024)

/**
 * struct stream - a stream, and how far it has been read
 * @skb: its bytes
 * @lens: how long the packets in there shall be
 * @count: how many there are
 * @got: how many came out
 * @wrong: how many were not as they should be
 * @framer: cuts it
 */
struct stream {
	struct sk_buff *skb;
	const u16 *lens;
	unsigned int count;
	unsigned int got;
	unsigned int wrong;
	struct ovpn_framer framer;
};

static u8 byte_of(unsigned int packet, unsigned int pos)
{
	return packet * 31 + pos + (pos >> 8);
}

static void stream_append(struct sk_buff *skb, unsigned int packet, u16 len)
{
	unsigned int pos;
	u8 *data;

	put_unaligned_be16(len, skb_put(skb, OVPN_FRAME_HEADER_LEN));
	data = skb_put(skb, len);
	for (pos = 0; pos < len; pos++)
		data[pos] = byte_of(packet, pos);
}

static void stream_make(struct kunit *test, struct stream *stream,
			const u16 *lens, unsigned int count)
{
	unsigned int i;

	memset(stream, 0, sizeof(*stream));
	stream->lens = lens;
	stream->count = count;
	stream->skb = test_skb(test, STREAM_MAX);
	for (i = 0; i < count; i++)
		stream_append(stream->skb, i, lens[i]);
}

static void stream_rewind(struct stream *stream)
{
	stream->got = 0;
	stream->wrong = 0;
	kfree_skb(ovpn_framer_residue(&stream->framer, GFP_KERNEL));
}

/* A packet came out: the right one, as it should be, and consumed */
static void check_packet(struct stream *stream, struct sk_buff *pkt)
{
	unsigned int packet = stream->got++, pos;
	bool right;

	right = packet < stream->count && pkt->len == stream->lens[packet] &&
		!skb_is_nonlinear(pkt) && !skb_cloned(pkt) &&
		skb_headroom(pkt) >= OVPN_FRAME_HEADER_LEN;
	for (pos = 0; right && pos < pkt->len; pos++)
		right = pkt->data[pos] == byte_of(packet, pos);
	if (right) {
		ovpn_frame_push(pkt);
		right = pkt->len == stream->lens[packet] +
			OVPN_FRAME_HEADER_LEN &&
			get_unaligned_be16(pkt->data) == stream->lens[packet];
	}
	stream->wrong += !right;
	kfree_skb(pkt);
}

/* Hand over what arrived together; false if the framer is not content */
static bool feed_from(struct stream *stream, const struct sk_buff *src,
		      unsigned int offset, unsigned int len)
{
	struct sk_buff *pkt;
	int taken;

	while (len) {
		taken = ovpn_framer_take(&stream->framer, src, offset, len,
					 &pkt);
		if (taken <= 0 || taken > len)
			return false;
		if (pkt)
			check_packet(stream, pkt);
		else if (taken != len)
			return false;
		offset += taken;
		len -= taken;
	}
	return true;
}

static bool feed(struct stream *stream, unsigned int offset, unsigned int len)
{
	return feed_from(stream, stream->skb, offset, len);
}

/* Did all packets come out, and nothing stay behind? */
static bool complete_and_right(struct stream *stream)
{
	struct sk_buff *rest = ovpn_framer_residue(&stream->framer, GFP_KERNEL);
	bool clean = !rest;

	kfree_skb(rest);
	return clean && stream->got == stream->count && !stream->wrong;
}

/* How many packets end within the first @len bytes */
static unsigned int packets_in(const struct stream *stream, unsigned int len)
{
	unsigned int i, end = 0;

	for (i = 0; i < stream->count; i++) {
		end += OVPN_FRAME_HEADER_LEN + stream->lens[i];
		if (end > len)
			break;
	}
	return i;
}

/* Two pieces, cut anywhere; each packet comes out as soon as it is complete */
static void framer_every_boundary(struct kunit *test)
{
	struct stream stream;
	unsigned int cut, total;

	stream_make(test, &stream, short_lens, ARRAY_SIZE(short_lens));
	total = stream.skb->len;
	for (cut = 0; cut <= total; cut++) {
		stream_rewind(&stream);
		KUNIT_ASSERT_TRUE(test, feed(&stream, 0, cut));
		KUNIT_ASSERT_EQ_MSG(test, stream.got, packets_in(&stream, cut),
				    "cut at %u", cut);
		KUNIT_ASSERT_TRUE(test, feed(&stream, cut, total - cut));
		KUNIT_ASSERT_TRUE_MSG(test, complete_and_right(&stream),
				      "cut at %u", cut);
	}
}

/* Three pieces: a boundary within each length and anywhere after it */
static void framer_two_boundaries(struct kunit *test)
{
	static const u16 lens[] = { 1, 3, 260, 2 };
	unsigned int first, second, total;
	struct stream stream;

	stream_make(test, &stream, lens, ARRAY_SIZE(lens));
	total = stream.skb->len;
	for (first = 0; first <= 14; first++) {
		for (second = first; second <= total; second++) {
			stream_rewind(&stream);
			KUNIT_ASSERT_TRUE(test, feed(&stream, 0, first));
			KUNIT_ASSERT_TRUE(test, feed(&stream, first,
						     second - first));
			KUNIT_ASSERT_TRUE(test, feed(&stream, second,
						     total - second));
			KUNIT_ASSERT_TRUE_MSG(test, complete_and_right(&stream),
					      "cut at %u and %u", first,
					      second);
		}
	}
}

/* Pieces of one size, down to single bytes, and the longest packets */
static void framer_equal_chunks(struct kunit *test)
{
	static const unsigned int chunks[] = { 1, 2, 3, 7, 1448, 65536, 65537 };
	unsigned int i, offset, chunk, total;
	struct stream stream;

	stream_make(test, &stream, long_lens, ARRAY_SIZE(long_lens));
	total = stream.skb->len;
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		stream_rewind(&stream);
		for (offset = 0; offset < total; offset += chunk) {
			chunk = min(chunks[i], total - offset);
			KUNIT_ASSERT_TRUE(test, feed(&stream, offset, chunk));
		}
		KUNIT_EXPECT_TRUE_MSG(test, complete_and_right(&stream),
				      "chunks of %u", chunks[i]);
	}
}

/* As TCP has it: in pages, and in a list of buffers */
static void framer_nonlinear(struct kunit *test)
{
	static const unsigned int pieces[] = { 1, 300, 2, 4000, 1, 1 };
	static const u16 lens[] = { 5, 600, 1, 3000, 400, 255 };
	unsigned int i, pos, cut, total;
	struct sk_buff *skb, *next;
	struct stream stream;
	struct page *page;

	stream_make(test, &stream, lens, ARRAY_SIZE(lens));
	total = stream.skb->len;

	skb = test_skb(test, 16);
	for (i = 0, pos = 0; pos < total; i++) {
		cut = i < ARRAY_SIZE(pieces) ? pieces[i] : total - pos;
		cut = min3(cut, total - pos, (unsigned int)PAGE_SIZE);
		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page);
		skb_copy_bits(stream.skb, pos, page_address(page), cut);
		skb_add_rx_frag(skb, i, page, 0, cut, PAGE_SIZE);
		pos += cut;
	}
	KUNIT_ASSERT_EQ(test, skb->len, total);
	for (cut = 0; cut <= total; cut += cut < 700 ? 1 : 97) {
		stream_rewind(&stream);
		KUNIT_ASSERT_TRUE(test, feed_from(&stream, skb, 0, cut));
		KUNIT_ASSERT_TRUE(test, feed_from(&stream, skb, cut,
						  total - cut));
		KUNIT_ASSERT_TRUE_MSG(test, complete_and_right(&stream),
				      "cut at %u", cut);
	}

	/* And with the second half behind the first */
	next = test_skb(test, total);
	skb_put_data(next, stream.skb->data + 450, total - 450);
	skb = test_skb(test, 450);
	skb_put_data(skb, stream.skb->data, 450);
	skb_shinfo(skb)->frag_list = skb_get(next);
	skb->data_len = next->len;
	skb->len += next->len;
	stream_rewind(&stream);
	KUNIT_EXPECT_TRUE(test, feed_from(&stream, skb, 0, total));
	KUNIT_EXPECT_TRUE(test, complete_and_right(&stream));
}

static void framer_random(struct kunit *test)
{
	unsigned int i, offset, chunk, total, rounds = 100;
	u32 seed = get_random_u32();
	struct stream stream;
	struct rnd_state rnd;
	u16 lens[64];

	prandom_seed_state(&rnd, seed);
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		lens[i] = 1 + test_random(&rnd, 1 << test_random(&rnd, 12));
	stream_make(test, &stream, lens, ARRAY_SIZE(lens));
	total = stream.skb->len;

	while (rounds--) {
		stream_rewind(&stream);
		for (offset = 0; offset < total; offset += chunk) {
			chunk = 1 + test_random(&rnd,
						1 << test_random(&rnd, 14));
			chunk = min(chunk, total - offset);
			KUNIT_ASSERT_TRUE_MSG(test,
					      feed(&stream, offset, chunk),
					      "seed %u", seed);
		}
		KUNIT_ASSERT_TRUE_MSG(test, complete_and_right(&stream),
				      "seed %u", seed);
	}
}

static int take(struct stream *stream, unsigned int offset, unsigned int len,
		struct sk_buff **pkt)
{
	return ovpn_framer_take(&stream->framer, stream->skb, offset, len, pkt);
}

/* A packet of length 0 is the end of everything, and takes nothing along */
static void framer_length_zero(struct kunit *test)
{
	static const u16 lens[] = { 4, 0, 1 };
	struct stream stream;
	struct sk_buff *pkt;

	stream_make(test, &stream, lens, ARRAY_SIZE(lens));

	KUNIT_EXPECT_EQ(test, 6, take(&stream, 0, 11, &pkt));
	KUNIT_EXPECT_NOT_NULL(test, pkt);
	kfree_skb(pkt);
	KUNIT_EXPECT_EQ(test, -EPROTO, take(&stream, 6, 5, &pkt));
	KUNIT_EXPECT_NULL(test, pkt);
	KUNIT_EXPECT_EQ(test, -EPROTO, take(&stream, 6, 2, &pkt));

	/* In two pieces */
	KUNIT_EXPECT_EQ(test, 1, take(&stream, 6, 1, &pkt));
	KUNIT_EXPECT_NULL(test, pkt);
	KUNIT_EXPECT_EQ(test, -EPROTO, take(&stream, 7, 1, &pkt));
	KUNIT_EXPECT_EQ(test, -EPROTO, take(&stream, 7, 4, &pkt));
	stream_rewind(&stream);
}

/* What is no whole packet yet can be had back, from wherever it is cut */
static void framer_residue(struct kunit *test)
{
	static const u16 lens[] = { 3, 300 };
	unsigned int cut, start, total, left, wrong = 0;
	struct stream stream;
	struct sk_buff *rest;

	stream_make(test, &stream, lens, ARRAY_SIZE(lens));
	total = stream.skb->len;
	for (cut = 0; cut <= total; cut++) {
		stream_rewind(&stream);
		KUNIT_ASSERT_TRUE(test, feed(&stream, 0, cut));
		start = cut < 5 ? 0 : cut < total ? 5 : total;
		left = cut - start;
		rest = ovpn_framer_residue(&stream.framer, GFP_KERNEL);
		wrong += left ? !rest || rest->len != left ||
				memcmp(rest->data, stream.skb->data + start,
				       left) : !!rest;
		kfree_skb(rest);

		/* The framer starts afresh with what comes then */
		stream.got = 0;
		KUNIT_ASSERT_TRUE(test, feed(&stream, 0, total));
		KUNIT_ASSERT_TRUE_MSG(test, complete_and_right(&stream),
				      "cut at %u", cut);
	}
	KUNIT_EXPECT_EQ(test, 0, wrong);
}

static struct kunit_case framer_cases[] = {
	KUNIT_CASE(framer_every_boundary),
	KUNIT_CASE(framer_two_boundaries),
	KUNIT_CASE(framer_equal_chunks),
	KUNIT_CASE(framer_nonlinear),
	KUNIT_CASE(framer_random),
	KUNIT_CASE(framer_length_zero),
	KUNIT_CASE(framer_residue),
	{}
};

static struct kunit_suite framer_suite = {
	.name = "ovpn_framer",
	.test_cases = framer_cases,
};

kunit_test_suite(framer_suite);
