#include "engine/cuda/cupti_clock.h"

#include "engine/base/clock.h"

/* A look takes less than 0.1 us; one of many is not interrupted. */
enum { LOOKS = 32 };

struct tp_cupti_moment tp_cupti_look(CUptiResult (*timestamp)(uint64_t *timestamp))
{
	struct tp_cupti_moment best = {.error_ns = -1};
	for (int i = 0; i < LOOKS; i++) {
		uint64_t cupti;
		int64_t before = tp_now_ns();
		if (timestamp(&cupti) != CUPTI_SUCCESS)
			continue;
		int64_t after = tp_now_ns(), error = (after - before + 1) / 2;
		if (best.error_ns < 0 || error < best.error_ns)
			best = (struct tp_cupti_moment){(int64_t)cupti, before + (after - before) / 2 - (int64_t)cupti,
			                                error};
	}
	return best;
}

int64_t tp_cupti_to_monotonic(const struct tp_cupti_moment *first, const struct tp_cupti_moment *last, int64_t cupti_ns)
{
	int64_t span = last->cupti_ns - first->cupti_ns, offset = first->offset_ns;
	if (span > 0) {
		double drift = (double)(last->offset_ns - first->offset_ns) / (double)span;
		offset += (int64_t)(drift * (double)(cupti_ns - first->cupti_ns));
	}
	return cupti_ns + offset;
}
