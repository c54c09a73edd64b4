/* Memory of GPUs, which is the host's, and pinned memory; copies and sets. */
#include "tests/fakecuda/fake_inside.h"

#include <stdlib.h>
#include <string.h>

/* Freed memory is kept for a while, so that a late access does not meet the next allocation at the same place. */
enum { QUARANTINE_BYTES = 64 << 20 };
static struct fake_allocation *quarantine, **quarantine_end = &quarantine;
static size_t quarantine_bytes;

struct fake_allocation *fake_find(const void *at, size_t bytes)
{
	uintptr_t from = (uintptr_t)at;
	for (struct fake_allocation *a = fake.allocations; a; a = a->next)
		if (from >= (uintptr_t)a->at && from + bytes <= (uintptr_t)a->at + a->bytes)
			return a;
	return NULL;
}

static const struct fake_allocation *find_host(const void *at, size_t bytes)
{
	const struct fake_allocation *a = fake_find(at, bytes);
	return a && a->device == FAKE_HOST ? a : NULL;
}

static bool is_device(const void *at, size_t bytes)
{
	const struct fake_allocation *a = fake_find(at, bytes);
	return a && a->device != FAKE_HOST;
}

/* FNV-1a over words, and over the bytes that remain. */
uint64_t fake_hash(const void *at, size_t bytes)
{
	const unsigned char *from = at;
	uint64_t hash = 0xcbf29ce484222325, word;
	for (; bytes >= sizeof word; bytes -= sizeof word, from += sizeof word) {
		(void)memcpy(&word, from, sizeof word);
		hash = (hash ^ word) * 0x100000001b3;
		hash ^= hash >> 29;
	}
	for (; bytes > 0; bytes--)
		hash = (hash ^ *from++) * 0x100000001b3;
	return hash;
}

void fake_forget_accesses(void)
{
	for (struct fake_allocation *a = fake.allocations; a; a = a->next)
		a->access_count = a->retired_count = 0;
}

static cudaError_t allocate(void **at, size_t bytes, int device)
{
	*at = NULL;
	if (bytes == 0)
		return cudaSuccess;
	if (device != FAKE_HOST && bytes > fake.memory_bytes - fake.used_bytes[device])
		return cudaErrorMemoryAllocation;
	struct fake_allocation *allocation = fake_alloc(sizeof *allocation);
	allocation->at = aligned_alloc(512, (bytes + 511) / 512 * 512);
	if (!allocation->at) {
		free(allocation);
		return cudaErrorMemoryAllocation;
	}
	allocation->bytes = bytes;
	allocation->device = device;
	allocation->next = fake.allocations;
	fake.allocations = allocation;
	if (device != FAKE_HOST)
		fake.used_bytes[device] += bytes;
	(void)memset(allocation->at, FAKE_POISON, bytes);
	*at = allocation->at;
	return cudaSuccess;
}

static void release_oldest(void)
{
	struct fake_allocation *oldest = quarantine;
	quarantine = oldest->next;
	if (!quarantine)
		quarantine_end = &quarantine;
	quarantine_bytes -= oldest->bytes;
	free(oldest->at);
	free(oldest);
}

/* Freeing waits for nothing here: work that still wants the memory is a fault of the program, and finds it in
 * quarantine as long as it waits. */
static cudaError_t release(void *at, bool host)
{
	struct fake_allocation **place = &fake.allocations;
	if (!at)
		return cudaSuccess;
	while (*place && ((*place)->at != at || ((*place)->device == FAKE_HOST) != host))
		place = &(*place)->next;
	struct fake_allocation *allocation = *place;
	if (!allocation)
		return cudaErrorInvalidValue;
	if (fake_pending(at, allocation->bytes))
		fake.counts.reads_of_freed++;
	*place = allocation->next;
	if (!host)
		fake.used_bytes[allocation->device] -= allocation->bytes;
	free(allocation->accesses);
	free(allocation->retired);
	(void)memset(at, FAKE_POISON, allocation->bytes);
	allocation->next = NULL;
	*quarantine_end = allocation;
	quarantine_end = &allocation->next;
	quarantine_bytes += allocation->bytes;
	while (quarantine && quarantine_bytes > QUARANTINE_BYTES && !fake_pending(quarantine->at, quarantine->bytes))
		release_oldest();
	return cudaSuccess;
}

/* What the process leaves is what it did not free, for leak checkers as for the counts. */
__attribute__((destructor)) static void release_all(void)
{
	while (quarantine)
		release_oldest();
}

FAKE_EXPORT cudaError_t cudaMalloc(void **at, size_t bytes)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error)
		error = at ? allocate(at, bytes, *fake_device()) : cudaErrorInvalidValue;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaMallocHost(void **at, size_t bytes)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error)
		error = at ? allocate(at, bytes, FAKE_HOST) : cudaErrorInvalidValue;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaFree(void *at)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error || error == fake.lost)
		error = release(at, false) ? cudaErrorInvalidValue : error;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaFreeHost(void *at)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error || error == fake.lost)
		error = release(at, true) ? cudaErrorInvalidValue : error;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error) {
		*free_bytes = fake.memory_bytes - fake.used_bytes[*fake_device()];
		*total_bytes = fake.memory_bytes;
	}
	return fake_leave(&call, error);
}

/* --- copies --- */

struct copy_args {
	void *to;
	const void *from;
	size_t bytes;
	_Alignas(16) unsigned char kept[]; /* the source, where it was copied at issue */
};

static void run_copy(const void *args)
{
	const struct copy_args *copy = args;
	(void)memmove(copy->to, copy->from ? copy->from : copy->kept, copy->bytes);
}

struct copy_plan {
	bool from_device, to_device, from_pinned, to_pinned;
};

static bool fits(const struct copy_plan *plan, enum cudaMemcpyKind kind)
{
	switch (kind) {
	case cudaMemcpyHostToHost:
		return !plan->from_device && !plan->to_device;
	case cudaMemcpyHostToDevice:
		return !plan->from_device && plan->to_device;
	case cudaMemcpyDeviceToHost:
		return plan->from_device && !plan->to_device;
	case cudaMemcpyDeviceToDevice:
		return plan->from_device && plan->to_device;
	default:
		return kind == cudaMemcpyDefault;
	}
}

static const char *name_of(const struct copy_plan *plan)
{
	return plan->from_device ? plan->to_device ? "copy on the device" : "copy to the host"
	       : plan->to_device ? "copy to the device"
	                         : "copy on the host";
}

static int kind_of(const struct copy_plan *plan, const void *to, const void *from)
{
	if (plan->from_device && plan->to_device)
		return fake_find(to, 1)->device == fake_find(from, 1)->device ? 8 : 10;
	return plan->from_device ? 2 : plan->to_device ? 1 : 9;
}

static struct fake_operation *copy_new(struct CUstream_st *stream, void *to, const void *from, size_t bytes,
                                       const struct copy_plan *plan)
{
	bool keep = !plan->from_device && !plan->from_pinned;
	struct copy_args *args = fake_alloc(sizeof *args + (keep ? bytes : 0));
	args->to = to;
	args->from = keep ? NULL : from;
	args->bytes = bytes;
	if (keep)
		(void)memcpy(args->kept, from, bytes);
	struct fake_operation *operation =
	        fake_operation_new(stream, FAKE_COPY, name_of(plan), args, sizeof *args + (keep ? bytes : 0));
	free(args);
	operation->run = run_copy;
	operation->bytes = bytes;
	operation->copy_kind = kind_of(plan, to, from);
	operation->source = plan->from_pinned ? from : NULL;
	if (!keep)
		fake_reads(&operation->touches, from, bytes);
	if (plan->to_device || plan->to_pinned)
		fake_writes(&operation->touches, to, bytes);
	return operation;
}

/* As CUDA documents: the source's pageable memory is read before the call returns; what goes to pageable memory is
 * there when it returns. */
static cudaError_t copy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, struct CUstream_st *stream)
{
	struct copy_plan plan = {.from_device = is_device(from, bytes),
	                         .to_device = is_device(to, bytes),
	                         .from_pinned = find_host(from, bytes) != NULL,
	                         .to_pinned = find_host(to, bytes) != NULL};
	if (bytes == 0)
		return cudaSuccess;
	if (!fits(&plan, kind)) {
		fake.counts.reads_of_freed += kind != cudaMemcpyHostToHost;
		return cudaErrorInvalidValue;
	}
	if (!plan.to_device && !fake_pending(to, bytes))
		(void)memset(to, FAKE_POISON, bytes);
	fake_issue(copy_new(stream, to, from, bytes, &plan));
	return plan.to_device || plan.to_pinned ? cudaSuccess : fake_finish(stream);
}

FAKE_EXPORT cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                                        cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *own = error ? NULL : fake_stream(stream);
	if (!error)
		error = own ? copy(to, from, bytes, kind, own) : cudaErrorInvalidResourceHandle;
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes,
                                            cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *own = error ? NULL : fake_stream(stream);
	const struct fake_allocation *target = fake_find(to, bytes), *source = fake_find(from, bytes);
	if (!error && !own)
		error = cudaErrorInvalidResourceHandle;
	if (!error && (!target || !source || target->device != to_device || source->device != from_device))
		error = cudaErrorInvalidValue;
	if (!error)
		error = copy(to, from, bytes, cudaMemcpyDeviceToDevice, own);
	return fake_leave(&call, error);
}

struct set_args {
	void *at;
	size_t bytes;
	int value;
};

static void run_set(const void *args)
{
	const struct set_args *set = args;
	(void)memset(set->at, set->value, set->bytes);
}

FAKE_EXPORT cudaError_t cudaMemsetAsync(void *at, int value, size_t bytes, cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	struct CUstream_st *own = error ? NULL : fake_stream(stream);
	struct set_args args = {at, bytes, value};
	if (!error && !own)
		error = cudaErrorInvalidResourceHandle;
	if (error || bytes == 0)
		return fake_leave(&call, error);
	struct fake_operation *operation = fake_operation_new(own, FAKE_SET, "set", &args, sizeof args);
	operation->run = run_set;
	operation->bytes = bytes;
	fake_writes(&operation->touches, at, bytes);
	fake_issue(operation);
	return fake_leave(&call, cudaSuccess);
}
