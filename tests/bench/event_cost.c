/* What recording an event costs the thread that does it, without the readings of the clock: operations, messages,
 * changes of memory, kernels; and what a kernel costs where none are recorded. Rings are touched before, and long
 * enough that records go to memory as those of an epoch do. Median, least and most of the rounds.
 *
 * Usage: event_cost [EVENTS [ROUNDS]] */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/run/trainer_internal.h"
#include "engine/run/worker_records.h"
#include "profiler/kernel_probe.h"
#include "tests/bench/bench.h"

enum { EVENTS = 100000, MOST_EVENTS = 10000000, ROUNDS = 15, MOST_ROUNDS = 1000 };

/* The compiler may not see through one round of a loop to the next. */
#define OPAQUE() __asm__ volatile("" ::: "memory")

typedef void bench_event(struct tp_worker *worker, int64_t number);

static void nothing(struct tp_worker *worker, int64_t number)
{
	(void)worker, (void)number;
}

static void clock_reading(struct tp_worker *worker, int64_t number)
{
	(void)number;
	worker->idle_since_ns = tp_now_ns();
}

static void operation(struct tp_worker *worker, int64_t number)
{
	const struct tp_action action = {.kind = TP_OP_F, .micro = 0, .mini = number};
	const struct tp_op_times times = {.start_ns = number, .end_ns = number + 1};
	tp_worker_record_op(worker, &action, &times);
}

static void message(struct tp_worker *worker, int64_t number)
{
	const struct tp_message taken = {.mini = number, .ready_ns = number, .bytes = 1};
	tp_worker_write_message(worker, &taken, number);
}

/* In turns more and less, so that the ledger stays as it is. */
static void memory_change(struct tp_worker *worker, int64_t number)
{
	tp_memory_use(&worker->stage.memory, TP_MEM_ACTIVATIONS, number & 1 ? -4096 : 4096);
}

static void kernel(struct tp_worker *worker, int64_t number)
{
	(void)worker, (void)number;
	tp_kernel_end(tp_kernel_begin(), 1);
}

static double ns_per_event(bench_event *event, struct tp_worker *worker, int64_t events)
{
	worker->notes = &worker->recorder;
	tp_recorder_restart(&worker->recorder);
	int64_t start_ns = tp_now_ns();
	for (int64_t i = 0; i < events; i++) {
		event(worker, i);
		OPAQUE();
	}
	return (double)(tp_now_ns() - start_ns) / (double)events;
}

/* Prints what an event costs above `less_ns`, and returns it. */
static double measure(const char *what, bench_event *event, struct tp_worker *worker, int64_t events, int rounds,
                      double less_ns)
{
	double ns[MOST_ROUNDS];
	(void)ns_per_event(event, worker, events); /* warm-up */
	for (int r = 0; r < rounds; r++)
		ns[r] = ns_per_event(event, worker, events) - less_ns;
	double median = bench_median(ns, rounds);
	printf("%-28s %10.1f %10.1f %10.1f\n", what, median, ns[0], ns[rounds - 1]);
	return median;
}

static void make_rings(struct tp_worker *worker, int64_t events)
{
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++) {
		struct tp_ring *ring = &worker->recorder.rings[kind];
		ring->record_bytes = tp_record_bytes(kind);
		ring->slots = tp_alloc_array((size_t)events, ring->record_bytes);
		if (!ring->slots)
			bench_fail("memory for the records");
		tp_prefault(ring->slots, (size_t)events * ring->record_bytes);
		ring->capacity = events;
	}
	worker->stage.memory.recorder = &worker->recorder;
}

static void free_rings(struct tp_worker *worker)
{
	for (int kind = 0; kind < TP_RECORD_KINDS; kind++)
		tp_free(worker->recorder.rings[kind].slots);
}

int main(int argc, char **argv)
{
	int64_t events = argc > 1 ? atoll(argv[1]) : EVENTS;
	int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
	if (events < 1 || events > MOST_EVENTS)
		events = EVENTS;
	if (rounds < 1 || rounds > MOST_ROUNDS)
		rounds = ROUNDS;
	struct tp_run_config config;
	tp_run_config_defaults(&config);
	(void)snprintf(config.device, sizeof config.device, "null");
	(void)snprintf(config.model, sizeof config.model, "mlp");
	struct tp_dataset *dataset = bench_dataset(config.batch);
	struct tp_trainer *trainer = bench_trainer(&config, "timeprest", dataset);
	struct tp_worker *worker = &tp_trainer_crew(trainer)->workers[1];
	make_rings(worker, events);

	printf("%-28s %10s %10s %10s\n", "ns per event", "median", "least", "most");
	double loop_ns = measure("the loop itself", nothing, worker, events, rounds, 0);
	double clock_ns = measure("a reading of the clock", clock_reading, worker, events, rounds, loop_ns);
	(void)measure("operation", operation, worker, events, rounds, loop_ns);
	(void)measure("message", message, worker, events, rounds, loop_ns);
	(void)measure("memory change", memory_change, worker, events, rounds, loop_ns);
	tp_kernel_probe = (struct tp_kernel_probe){&worker->recorder, 0};
	(void)measure("kernel", kernel, worker, events, rounds, loop_ns + 2 * clock_ns);
	tp_kernel_probe = (struct tp_kernel_probe){0};
	(void)measure("kernel, not recorded", kernel, worker, events, rounds, loop_ns);

	free_rings(worker);
	tp_trainer_free(trainer);
	tp_dataset_free(dataset);
	return 0;
}
