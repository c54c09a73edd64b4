#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>

#include "engine/base/clock.h"
#include "tests/cuda/stand_in.h"

struct stand_in stand_in;

void stand_in_load(const char *library, const char *gpus)
{
	(void)setenv("TPBENCH_CUDA_RUNTIME", library, 1);
	(void)setenv("FAKECUDA_DEVICES", gpus, 1);
	void *loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (loaded) {
		*(void **)&stand_in.reset = dlsym(loaded, "fakecuda_reset");
		*(void **)&stand_in.inject = dlsym(loaded, "fakecuda_inject");
		*(void **)&stand_in.counts = dlsym(loaded, "fakecuda_counts");
		*(void **)&stand_in.hang = dlsym(loaded, "fakecuda_hang");
	}
	if (!loaded || !stand_in.reset || !stand_in.inject || !stand_in.counts || !stand_in.hang) {
		(void)fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
}

int stand_in_clean(void **state)
{
	(void)state;
	struct fake_counts counts;
	stand_in.counts(&counts);
	if (counts.races || counts.stale_host_reads || counts.reads_of_freed || counts.deadlocks)
		fail_msg("%lld races (%s), %lld stale reads of the host's memory, %lld reads of freed memory, %lld "
		         "deadlocks",
		         (long long)counts.races, counts.first_race, (long long)counts.stale_host_reads,
		         (long long)counts.reads_of_freed, (long long)counts.deadlocks);
	if (counts.device_allocations || counts.host_allocations || counts.streams || counts.events)
		fail_msg("left over: %lld pieces of device memory, %lld of the host's, %lld streams, %lld events",
		         (long long)counts.device_allocations, (long long)counts.host_allocations,
		         (long long)counts.streams, (long long)counts.events);
	return 0;
}

struct tp_device *stand_in_open(enum tp_math math, int32_t stage, int32_t stages, int32_t gpus)
{
	const struct tp_device_options options = {.math = math, .gpus = gpus, .stages = stages};
	const struct tp_device_ops *ops = NULL;
	struct tp_device *device = NULL;
	if (tp_device_find("cuda", math, &ops) != TP_OK || ops->open(&options, stage, &device) != TP_OK)
		fail_msg("%s", tp_detail());
	return device;
}

void *stand_in_memory(struct tp_device *device, size_t bytes)
{
	void *memory = NULL;
	if (device->ops->memory->reserve(device, bytes, &memory) != TP_OK)
		fail_msg("%s", tp_detail());
	return memory;
}

struct tp_mark *stand_in_mark(struct tp_device *device)
{
	struct tp_mark *mark = NULL;
	if (device->ops->async->mark_new(device, &mark) != TP_OK)
		fail_msg("%s", tp_detail());
	return mark;
}

void stand_in_finish(struct tp_device *device)
{
	if (device->ops->async->finish(device, 60 * TP_NS_PER_S) != TP_OK)
		fail_msg("%s", tp_detail());
}

void stand_in_expect_detail(const char *part)
{
	if (!strstr(tp_detail(), part))
		fail_msg("'%s' lacks '%s'", tp_detail(), part);
}
