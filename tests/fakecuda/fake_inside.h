/* What the parts of fakecuda share. One lock guards all of it: fake_enter() takes it and fake_leave() gives it back,
 * every other function here is called with it held unless it says so. */
#ifndef TP_TESTS_FAKECUDA_INSIDE_H
#define TP_TESTS_FAKECUDA_INSIDE_H

#include "tests/fakecuda/fake.h"

enum { FAKE_CLOCKS = 128, FAKE_DEVICES_MAX = 16, FAKE_HOST = -1 };
enum { FAKE_POISON = 0xff }; /* as float, double or bfloat16 it is not a number */

/* How far each stream has come, as far as somebody knows: a vector clock. Threads have no entries of their own, since
 * the host touches no memory that is checked; they carry clocks from what they waited for to what they issue. */
struct fake_clock {
	uint64_t at[FAKE_CLOCKS];
};
void fake_clock_join(struct fake_clock *clock, const struct fake_clock *other);

/* One record of an event: events may be recorded again, and destroyed, while others wait for it. */
struct fake_record {
	struct fake_clock clock;
	int references;
	bool done;
	int64_t done_ns;
};

enum fake_kind { FAKE_KERNEL, FAKE_COPY, FAKE_SET, FAKE_RECORD, FAKE_WAIT, FAKE_TRANSFER, FAKE_RETIRE };

struct fake_operation {
	struct fake_operation *next; /* in the stream */
	struct CUstream_st *stream;
	const char *name, *call;
	enum fake_kind kind;
	int copy_kind; /* as CUPTI numbers them: 1 to the device, 2 to the host, 8 within one, 10 between two */
	size_t bytes;
	dim3 grid, block;
	uint32_t correlation;
	struct fake_touches touches;
	struct fake_clock known;    /* to the thread that issued it */
	struct fake_record *record; /* FAKE_RECORD, FAKE_WAIT */
	struct fake_group *group;   /* FAKE_TRANSFER */
	const void *source;         /* host memory that must not change until it was read; NULL: none */
	uint64_t source_hash;
	bool astray;                   /* touches what is not there: is not run */
	void (*run)(const void *args); /* NULL: nothing to do */
	_Alignas(16) unsigned char args[];
};

struct CUstream_st {
	struct CUstream_st *next;
	struct fake_operation *first, **end;
	struct fake_clock clock; /* of what ran last */
	int device, number, slot;
	bool destroyed; /* and kept until what it holds is done */
};

struct CUevent_st {
	struct CUevent_st *next;
	struct fake_record *latest; /* NULL: never recorded */
	int device;
	bool timed;
};

/* A range of an allocation, and the operation that touched it last in this way. */
struct fake_access {
	uintptr_t from, to;
	uint64_t time; /* of the clock `slot` */
	int slot, stream;
	bool writes;
	const char *name;
};

struct fake_range {
	uintptr_t from, to;
};

struct fake_allocation {
	struct fake_allocation *next;
	unsigned char *at;
	size_t bytes;
	int device; /* FAKE_HOST: pinned memory of the host */
	struct fake_access *accesses;
	int access_count, access_room;
	struct fake_range *retired;
	int retired_count, retired_room;
};

/* What is told to whoever records what ran: a stand-in for CUPTI. */
struct fake_ran {
	const char *name;
	enum fake_kind kind; /* FAKE_KERNEL, FAKE_COPY, FAKE_SET, FAKE_TRANSFER */
	int copy_kind;
	size_t bytes;
	int device, stream; /* numbers */
	dim3 grid, block;
	uint32_t correlation;     /* of the call that issued it */
	int64_t start_ns, end_ns; /* monotonic */
};
/* NULL: nobody listens. Called with the lock held, so they must not call fakecuda; fake_on_call on the thread that made
 * the call. */
extern void (*fake_on_operation)(const struct fake_ran *ran);
extern void (*fake_on_call)(const char *call, uint32_t correlation, int64_t start_ns, int64_t end_ns);

struct fake_world {
	int devices;
	size_t memory_bytes; /* of each device */
	size_t used_bytes[FAKE_DEVICES_MAX];
	bool peers[FAKE_DEVICES_MAX][FAKE_DEVICES_MAX];
	bool hang;
	int64_t hang_after; /* operations; 0: never */
	cudaError_t lost;   /* every call fails with it; cudaSuccess: the device is well */
	uint64_t random;
	int64_t patience_ns; /* how long a wait with nothing to run waits for other threads, before it is a deadlock */
	uint64_t issued;
	struct CUstream_st *streams;
	struct CUevent_st *events;
	struct fake_allocation *allocations;
	struct fake_clock host; /* what any thread knows from waits for whole streams */
	struct fake_clock all;  /* ... from any wait; a new thread begins with it */
	struct fake_counts counts;
};
extern struct fake_world fake;

/* --- calls (fake_call.c) */

struct fake_call {
	const char *name;
	uint32_t correlation;
	int64_t start_ns;
};
/* Begins a call: takes the lock. Returns the failure to be returned: injected, or of a lost device. */
cudaError_t fake_enter(struct fake_call *call, const char *name);
cudaError_t fake_enter_plain(struct fake_call *call, const char *name); /* nothing can be injected */
/* Ends it, with or without failure; passes `error` on and keeps it for cudaGetLastError(). */
cudaError_t fake_leave(struct fake_call *call, cudaError_t error);
uint32_t fake_correlation(void); /* of the call under way on this thread */
bool fake_wait_for_others(void); /* false: nobody issued anything in the time of patience */
void fake_tell_others(void);
uint64_t fake_random(uint64_t below);
int64_t fake_now_ns(void);
void *fake_alloc(size_t bytes); /* zeroed; ends the process where there is none */

/* --- injection (fake_inject.c), with a lock of its own */

int fake_injected_as(const char *function, bool *ever_after);
/* As fake_injected(), for the moment at which an operation runs: in lists it is "@name". */
int fake_injected_run(const char *name);

/* --- devices (fake_device.c) */

int *fake_device(void); /* of this thread */

/* --- queues (fake_queue.c) */

/* The stream, or this device's default stream for NULL; NULL where there is no such stream. */
struct CUstream_st *fake_stream(cudaStream_t stream);
struct fake_operation *fake_operation_new(struct CUstream_st *stream, enum fake_kind kind, const char *name,
                                          const void *args, size_t args_bytes);
/* Takes the operation over. */
void fake_issue(struct fake_operation *operation);
bool fake_run_one(void);                         /* false: nothing is ready */
bool fake_pending(const void *at, size_t bytes); /* Does anything that waits touch these bytes? */
/* Until all of the stream is done; joins what it did to what the host knows. */
cudaError_t fake_finish(struct CUstream_st *stream);
void fake_drop_all(void);
bool fake_at_head(const struct fake_operation *operation);

/* --- order (fake_order.c) */

/* On the issue of an operation: it takes along what the thread knows. False: it touches what is not there and cannot be
 * run. */
bool fake_order_issue(struct fake_operation *operation);
/* When it runs: its stream's clock moves, and its touches are checked. fake_order_begin() does the first alone, and
 * fake_order_touch() the second for one touch. */
void fake_order_run(struct fake_operation *operation);
void fake_order_begin(struct fake_operation *operation);
void fake_order_touch(const struct fake_operation *operation, const struct fake_touch *touch);
/* The thread that calls knows of all this; `for_all_threads`: and all others. */
void fake_order_learn(const struct fake_clock *clock, bool for_all_threads);
int fake_slot_new(void);
void fake_slot_free(int slot);

/* --- memory (fake_memory.c) */

struct fake_allocation *fake_find(const void *at, size_t bytes);
uint64_t fake_hash(const void *at, size_t bytes);
void fake_forget_accesses(void);

/* --- kernels (fake_launch.c) */

/* More kernels for a test of fakecuda itself. */
FAKE_EXPORT void fakecuda_kernels(const struct fake_kernel *more);

/* --- transfers (fake_nccl.c) */

bool fake_group_ready(const struct fake_group *group);
bool fake_group_run(struct fake_group *group); /* true: all of it is done */
void fake_group_free(struct fake_group *group);

#endif
