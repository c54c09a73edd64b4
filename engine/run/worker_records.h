/* From what happened at a worker to its records. Numbers of the epoch become numbers of the run. Internal to
 * engine/run.
 */
#ifndef TP_ENGINE_RUN_WORKER_RECORDS_H
#define TP_ENGINE_RUN_WORKER_RECORDS_H

#include "engine/run/worker.h"

/* What is known of an operation when it has ended. */
struct tp_op_times {
	int64_t start_ns, end_ns; /* on the run's clock */
	int64_t held_until_ns;
	struct tp_begun begun;
	int64_t committed; /* as known when it began */
	bool in_place;
};

void tp_worker_record_op(struct tp_worker *worker, const struct tp_action *action, const struct tp_op_times *times);

/* Records that are complete, by the run's clock: an operation that is over, and a message with the start of the
 * operation that took it. */
void tp_worker_write_op(struct tp_worker *worker, const struct tp_op_record *record);
void tp_worker_write_message(struct tp_worker *worker, const struct tp_message *message, int64_t taken_ns);

/* A backward whose micro-batches may have read different weights: what each did. Before its station has ended it. */
void tp_worker_record_reads(struct tp_worker *worker, const struct tp_action *action);

/* The ledger's word that a version is free (a tp_ledger_freed); its time follows: */
void tp_worker_note_freed(void *context, int64_t version);

/* The versions have changed, or may have, at this moment: record which went, and count the memory of those alive. From
 * here on `now_ns` is also the time of what is recorded without one. */
void tp_worker_record_versions(struct tp_worker *worker, int64_t now_ns);

/* On the stage's thread, before and after the epoch: its kernels are recorded and its events counted where --profile
 * kernels asks for them. */
void tp_worker_begin_kernels(struct tp_worker *worker);
void tp_worker_end_kernels(struct tp_worker *worker);

#endif
