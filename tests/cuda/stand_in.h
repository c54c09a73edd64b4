/* The device cuda over fakecuda: opened as the engine opens it, from the plugin. */
#ifndef TP_TESTS_CUDA_STAND_IN_H
#define TP_TESTS_CUDA_STAND_IN_H

#include "engine/backend/device.h"
#include "tests/fakecuda/fake.h"

enum { STAND_IN_SEEDS = 20 };

struct stand_in {
	void (*reset)(uint64_t seed);
	void (*inject)(const char *text);
	void (*counts)(struct fake_counts *counts);
	void (*hang)(bool hang);
};
extern struct stand_in stand_in;

/* Before anything else, from main(): `library` is libfakecuda.so, `gpus` how many it has. Ends the program when it
 * cannot be loaded. */
void stand_in_load(const char *library, const char *gpus);

/* As a cmocka teardown of a test: fails when something of CUDA's is left, or an access was a fault. */
int stand_in_clean(void **state);

/* Stage `stage` of `stages` on so many GPUs; fails the test when it cannot be opened. */
struct tp_device *stand_in_open(enum tp_math math, int32_t stage, int32_t stages, int32_t gpus);

/* Zeroed memory of the device, which the test can read and write when the device rests. */
void *stand_in_memory(struct tp_device *device, size_t bytes);
struct tp_mark *stand_in_mark(struct tp_device *device);

/* Expects success. */
void stand_in_finish(struct tp_device *device);
/* Fails the test unless the latest detail has the part. */
void stand_in_expect_detail(const char *part);

#endif
