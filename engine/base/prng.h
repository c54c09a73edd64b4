/* Seeded random streams. A stream is named by (seed, key); streams of different names are independent, so that the
 * weights of a tensor or the order of an epoch depend on nothing but the seed and what they are for.
 * Generator: xoshiro256** (Blackman, Vigna 2018), seeded through splitmix64. */
#ifndef TP_ENGINE_BASE_PRNG_H
#define TP_ENGINE_BASE_PRNG_H

#include <stdint.h>

struct tp_prng {
	uint64_t state[4];
	double spare_normal; /* the second value of a Box-Muller pair */
	int has_spare;
};

/* 64-bit FNV-1a of a NUL-ended text: the key of a stream that is named by text, and the hash of a configuration. */
uint64_t tp_hash_text(const char *text);

/* One well-mixed 64-bit value from two; stateless, for per-sample decisions. */
uint64_t tp_mix64(uint64_t a, uint64_t b);

void tp_prng_init(struct tp_prng *prng, uint64_t seed, uint64_t key);
uint64_t tp_prng_u64(struct tp_prng *prng);

/* Uniform in [0, bound); bound >= 1; no modulo bias. */
uint64_t tp_prng_below(struct tp_prng *prng, uint64_t bound);

/* Uniform in [0, 1), 53 bits. */
double tp_prng_unit(struct tp_prng *prng);

/* Standard normal. */
double tp_prng_normal(struct tp_prng *prng);

#endif
