/* The beginning and the end of every call, and the lock. */
#include "tests/fakecuda/fake_inside.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake_world fake;
void (*fake_on_operation)(const struct fake_ran *ran);
void (*fake_on_call)(const char *call, uint32_t correlation, int64_t start_ns, int64_t end_ns);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t issued = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t correlations;
static _Thread_local uint32_t correlation;
static _Thread_local cudaError_t last_error;

void *fake_alloc(size_t bytes)
{
	void *memory = calloc(1, bytes ? bytes : 1);
	if (!memory) {
		(void)fprintf(stderr, "fakecuda: no memory for %zu bytes\n", bytes);
		abort();
	}
	return memory;
}

int64_t fake_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sebastiano Vigna's splitmix64. */
uint64_t fake_random(uint64_t below)
{
	uint64_t z = fake.random += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static int64_t from_environment(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtoll(text, NULL, 0) : otherwise;
}

static void configure(void)
{
	int64_t devices = from_environment("FAKECUDA_DEVICES", 1);
	fake.devices = devices > FAKE_DEVICES_MAX ? FAKE_DEVICES_MAX : (int)devices;
	fake.memory_bytes = (size_t)from_environment("FAKECUDA_MEMORY", (int64_t)8 << 30);
	fake.random = (uint64_t)from_environment("FAKECUDA_SEED", 1);
	fake.hang_after = from_environment("FAKECUDA_HANG", 0);
	fake.patience_ns = from_environment("FAKECUDA_PATIENCE_MS", 2000) * 1000000;
}

cudaError_t fake_enter_plain(struct fake_call *call, const char *name)
{
	(void)pthread_once(&once, configure);
	(void)pthread_mutex_lock(&lock);
	*call = (struct fake_call){.name = name, .correlation = ++correlations, .start_ns = fake_now_ns()};
	correlation = call->correlation;
	return fake.lost;
}

/* After which CUDA's own contexts are of no use any more. */
static bool loses_device(int error)
{
	return error == cudaErrorDevicesUnavailable || error == cudaErrorLaunchFailure ||
	       error == cudaErrorIllegalAddress || error == cudaErrorECCUncorrectable;
}

cudaError_t fake_enter(struct fake_call *call, const char *name)
{
	bool ever_after = false;
	int injected = fake_injected_as(name, &ever_after);
	cudaError_t lost = fake_enter_plain(call, name);
	if (lost)
		return lost;
	if (ever_after && loses_device(injected))
		fake.lost = (cudaError_t)injected;
	return (cudaError_t)injected;
}

cudaError_t fake_leave(struct fake_call *call, cudaError_t error)
{
	if (error && error != cudaErrorNotReady)
		last_error = error;
	if (fake_on_call)
		fake_on_call(call->name, call->correlation, call->start_ns, fake_now_ns());
	(void)pthread_mutex_unlock(&lock);
	/* Who polls must not keep those from the lock who have something to issue. */
	if (error == cudaErrorNotReady)
		(void)sched_yield();
	return error;
}

uint32_t fake_correlation(void)
{
	return correlation;
}

void fake_tell_others(void)
{
	fake.issued++;
	(void)pthread_cond_broadcast(&issued);
}

bool fake_wait_for_others(void)
{
	struct timespec until;
	uint64_t before = fake.issued;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	int64_t ns = until.tv_nsec + fake.patience_ns;
	until.tv_sec += ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	while (fake.issued == before && !fake.hang)
		if (pthread_cond_timedwait(&issued, &lock, &until))
			break;
	return fake.issued != before || fake.hang;
}

FAKE_EXPORT cudaError_t cudaGetLastError(void)
{
	struct fake_call call;
	cudaError_t lost = fake_enter_plain(&call, __func__);
	cudaError_t error = lost ? lost : last_error;
	(void)fake_leave(&call, cudaSuccess);
	last_error = cudaSuccess;
	return error;
}

FAKE_EXPORT const char *fakecuda_label(void)
{
	return FAKECUDA_LABEL;
}

FAKE_EXPORT void fakecuda_reset(uint64_t seed)
{
	struct fake_call call;
	(void)fake_enter_plain(&call, __func__);
	fakecuda_inject(NULL);
	fake.lost = cudaSuccess;
	fake.hang = false;
	fake_drop_all();
	fake_forget_accesses();
	configure();
	fake.random = seed;
	fake.counts = (struct fake_counts){.device_allocations = 0};
	(void)memset(fake.peers, 0, sizeof fake.peers);
	(void)fake_leave(&call, cudaSuccess);
	last_error = cudaSuccess;
}

FAKE_EXPORT void fakecuda_counts(struct fake_counts *counts)
{
	struct fake_call call;
	(void)fake_enter_plain(&call, __func__);
	*counts = fake.counts;
	for (const struct fake_allocation *a = fake.allocations; a; a = a->next) {
		counts->device_allocations += a->device != FAKE_HOST;
		counts->host_allocations += a->device == FAKE_HOST;
		counts->device_bytes += a->device == FAKE_HOST ? 0 : (int64_t)a->bytes;
	}
	for (const struct CUstream_st *s = fake.streams; s; s = s->next)
		counts->streams += !s->destroyed && s->number > 0;
	for (const struct CUevent_st *e = fake.events; e; e = e->next)
		counts->events++;
	(void)fake_leave(&call, cudaSuccess);
}

FAKE_EXPORT void fakecuda_hang(bool hang)
{
	struct fake_call call;
	(void)fake_enter_plain(&call, __func__);
	fake.hang = hang;
	fake_tell_others();
	(void)fake_leave(&call, cudaSuccess);
}

/* For whole programs, whose tests cannot ask for counts. */
__attribute__((destructor)) static void report_faults(void)
{
	const struct fake_counts *c = &fake.counts;
	if (c->races + c->stale_host_reads + c->reads_of_freed + c->deadlocks > 0)
		(void)fprintf(stderr,
		              "fakecuda: FAULTS: %lld races, %lld host buffers changed before they were read, "
		              "%lld accesses to what is nobody's, %lld deadlocks; first: %s\n",
		              (long long)c->races, (long long)c->stale_host_reads, (long long)c->reads_of_freed,
		              (long long)c->deadlocks, c->first_race);
}
