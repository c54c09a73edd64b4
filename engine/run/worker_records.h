/* Turning what a worker did into records. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_WORKER_RECORDS_H
#define TP_ENGINE_RUN_WORKER_RECORDS_H

#include "engine/run/worker.h"

/* When and with which weights an operation ran; versions relative to the epoch. */
struct tp_op_times {
	int64_t start_ns, end_ns;
	struct tp_observation seen;
	int64_t live;           /* version, when it started */
	int64_t read;           /* version */
	int64_t oldest_forward; /* version, for a backward */
	bool in_place;          /* of an update */
};

void tp_worker_record_op(struct tp_worker *worker, const struct tp_action *action, const struct tp_op_times *times);

/* A message was taken by an operation that started at `taken_ns`. */
void tp_worker_record_message(struct tp_worker *worker, const struct tp_message *message, int64_t taken_ns);

#endif
