// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "abuse.h"
#include "ktap.h"

static unsigned long long number_of(const char *variable,
				    unsigned long long otherwise)
{
	const char *text = getenv(variable);
	unsigned long long value;
	char *end;

	if (!text || !*text)
		return otherwise;
	value = strtoull(text, &end, 0);
	if (*end || !value)
		ktap_bail("%s: a number above zero, please", variable);
	return value;
}

unsigned int scaled(unsigned int count)
{
	unsigned long long n = count * number_of("OVPN_ABUSE_SCALE", 100) / 100;

	return n ? n : 1;
}

/* xorshift64* */
uint64_t chance(void)
{
	static uint64_t state;

	if (!state)
		state = number_of("OVPN_ABUSE_SEED", 0x9e3779b97f4a7c15ULL);
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

uint32_t chance_below(uint32_t n)
{
	return (chance() >> 32) % n;
}

bool once_in(uint32_t n)
{
	return !chance_below(n);
}

void chance_bytes(void *buf, size_t len)
{
	uint8_t *to = buf;
	uint64_t bits;
	size_t part;

	for (; len; len -= part, to += part) {
		bits = chance();
		part = len < sizeof(bits) ? len : sizeof(bits);
		memcpy(to, &bits, part);
	}
}

uint32_t chance_number(void)
{
	static const uint32_t odd[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 28, 31, 32, 63, 64, 127,
		128, 255, 256, 257, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x10000,
		0xfffffe, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000,
		0xfffffffe, 0xffffffff,
	};

	return once_in(4) ? chance() : odd[chance_below(ARRAY_SIZE(odd))];
}
