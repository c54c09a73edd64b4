#include "engine/base/prng.h"

#include <math.h>

uint64_t tp_hash_text(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		hash = (hash ^ *at) * UINT64_C(0x100000001b3);
	return hash;
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t tp_mix64(uint64_t a, uint64_t b)
{
	uint64_t state = a;
	uint64_t first = splitmix(&state);
	state = first ^ b;
	return splitmix(&state);
}

void tp_prng_init(struct tp_prng *prng, uint64_t seed, uint64_t key)
{
	uint64_t state = tp_mix64(seed, key);
	for (int i = 0; i < 4; i++)
		prng->state[i] = splitmix(&state);
	prng->has_spare = 0;
	prng->spare_normal = 0.0;
}

static uint64_t rotate_left(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

uint64_t tp_prng_u64(struct tp_prng *prng)
{
	uint64_t *s = prng->state;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

uint64_t tp_prng_below(struct tp_prng *prng, uint64_t bound)
{
	/* Reject the few values above the largest multiple of bound. */
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
	uint64_t value;
	do
		value = tp_prng_u64(prng);
	while (value >= limit);
	return value % bound;
}

double tp_prng_unit(struct tp_prng *prng)
{
	return (double)(tp_prng_u64(prng) >> 11) * 0x1.0p-53;
}

double tp_prng_normal(struct tp_prng *prng)
{
	if (prng->has_spare) {
		prng->has_spare = 0;
		return prng->spare_normal;
	}
	/* Box-Muller; 1 - u is in (0, 1], so the logarithm is finite. */
	double radius = sqrt(-2.0 * log(1.0 - tp_prng_unit(prng)));
	double angle = 2.0 * 3.14159265358979323846 * tp_prng_unit(prng);
	prng->spare_normal = radius * sin(angle);
	prng->has_spare = 1;
	return radius * cos(angle);
}
