/* fakecuda: a stand-in for CUDA's libraries, for tests of the host's logic where there is no GPU. It exports the same
 * functions under the same names; memory is the host's. What is issued to a stream waits in a queue and is run later,
 * by whoever waits, in a random order across streams that a seed decides (FAKECUDA_SEED) and that respects streams and
 * events alone. Every access to memory is checked: two that touch the same bytes, one of them writing, must be ordered
 * by streams, events and host waits, or the program has a race, whatever order came out this time.
 *
 * It shows whether work is ordered, memory lives long enough, arguments arrive by name, failures are handled and what
 * is computed is right. It says nothing of speed, of the real kernels or of the real libraries. It is kinder than CUDA
 * in places: it knows no default stream that waits for others, no graphs, no limits of registers or shared memory, and
 * a host thread that reads a result too early finds poison, not a report. It is stricter in one: what a thread learns
 * from an event is not taken for known to others (see fake_order.c), so a program that hands that on from thread to
 * thread by its own means alone is reported.
 *
 * The environment, read by the first call and by fakecuda_reset(): FAKECUDA_SEED; FAKECUDA_DEVICES (1), as many GPUs;
 * FAKECUDA_MEMORY (8 GiB), bytes of each; FAKECUDA_HANG, after how many operations nothing is run any more (never);
 * FAKECUDA_PATIENCE_MS (2000), how long a wait with nothing to run waits for other threads to issue something before it
 * is a deadlock. FAKECUDA_FAIL, see fake_injected(), is read once; always: FAKECUDA_DRIVER, the driver's version, 0:
 * none; FAKECUDA_NO_PEERS=1, no GPU reaches another's memory; FAKECUDA_CAPABILITY (9), the major number of the compute
 * capability. */
#ifndef TP_TESTS_FAKECUDA_FAKE_H
#define TP_TESTS_FAKECUDA_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cuda_runtime_api.h>

#define FAKE_EXPORT __attribute__((visibility("default")))

/* A range of bytes that an operation reads or writes. */
struct fake_touch {
	const void *at;
	size_t bytes;
	bool writes;
};

enum { FAKE_TOUCHES = 12 };

struct fake_touches {
	struct fake_touch touch[FAKE_TOUCHES];
	int count;
};

static inline void fake_reads(struct fake_touches *touches, const void *at, size_t bytes)
{
	if (at && bytes > 0)
		touches->touch[touches->count++] = (struct fake_touch){at, bytes, false};
}

static inline void fake_writes(struct fake_touches *touches, const void *at, size_t bytes)
{
	if (at && bytes > 0)
		touches->touch[touches->count++] = (struct fake_touch){at, bytes, true};
}

/* Put an operation into a stream's queue: it is run later with a copy of its arguments. `name` is for reports of races
 * and for the list of what ran; it must stay. `call` is the function of CUDA that issued it, whose failure can be
 * injected. */
cudaError_t fake_submit(cudaStream_t stream, const char *call, const char *name, const struct fake_touches *touches,
                        void (*run)(const void *args), const void *args, size_t args_bytes);

/* Has this call of `function` to fail? Counts calls by name; FAKECUDA_FAIL="cudaMalloc:3:2,cudnnConvolutionForward:1:8"
 * makes the 3rd call of the one return 2 and the 1st of the other 8 (and all after them, where the number is followed
 * by '+': for a launch that failed and the like the device is lost then, and every later call fails). "@name:2:700" is
 * the second run of the operation `name`, found by the next call. 0: no. */
int fake_injected(const char *function);

/* One of the kernels that a module has, as a host function. */
struct fake_kernel {
	const char *name;
	size_t args_bytes; /* of its one parameter, a structure */
	void (*run)(const void *args);
	void (*touches)(const void *args, struct fake_touches *touches);
};
extern const struct fake_kernel fake_kernels[]; /* ended by a row without a name */

/* bfloat16 as float and back, to the nearest, ties to even. */
static inline float fake_from_bf16(uint16_t half)
{
	union {
		uint32_t bits;
		float value;
	} u = {(uint32_t)half << 16};
	return u.value;
}
static inline uint16_t fake_to_bf16(float value)
{
	union {
		float value;
		uint32_t bits;
	} u = {value};
	if (value != value)
		return 0x7fc0;
	return (uint16_t)((u.bits + 0x7fff + ((u.bits >> 16) & 1)) >> 16);
}

/* --- for tests, found by dlsym ------------------------------------------------------------------------------------ */

#define FAKECUDA_LABEL "fakecuda (no GPU)"

struct fake_counts {
	int64_t operations, races, stale_host_reads, reads_of_freed, device_bytes, device_allocations, host_allocations,
	        streams, events, deadlocks;
	char first_race[256]; /* what touched what, in words; "" when there was none */
};

FAKE_EXPORT const char *fakecuda_label(void);       /* FAKECUDA_LABEL: its presence says that this is no CUDA */
FAKE_EXPORT void fakecuda_reset(uint64_t seed);     /* forget races and injections; nothing may be under way */
FAKE_EXPORT void fakecuda_inject(const char *text); /* as FAKECUDA_FAIL; NULL: nothing any more */
FAKE_EXPORT void fakecuda_counts(struct fake_counts *counts);
/* Nothing that is issued to any stream is run any more: a device that hangs. */
FAKE_EXPORT void fakecuda_hang(bool hang);
/* Lifetimes inside an allocation, in the order of a stream: from here on these bytes are nobody's (until they are
 * written as a whole again), and reading them is an error. */
FAKE_EXPORT void fakecuda_retire(cudaStream_t stream, const void *at, size_t bytes);

#endif
