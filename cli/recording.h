/* From the trainer's results to rows of the database. */
#ifndef TP_CLI_RECORDING_H
#define TP_CLI_RECORDING_H

#include "cli/training.h"

/* One run being stored. Zero-initialise. */
struct tp_recording {
	struct tp_store *store;
	int64_t run_id;
};

/* A run begins: its row, parameters, environment and stages. `repeat` is 1-based. */
enum tp_status tp_recording_begin(struct tp_recording *recording, const struct tp_training *training,
                                  const struct tp_trainer *trainer, int32_t repeat);

/* A run of the options' configuration that was refused before it was planned: stored as failed, with the reason. */
enum tp_status tp_recording_refused(struct tp_store *store, const struct tp_options *options, const char *comparison,
                                    int32_t repeat, const char *reason);

/* One epoch, also one that failed: what there is of it. */
enum tp_status tp_recording_epoch(struct tp_recording *recording, const struct tp_epoch_result *result);

/* The run is over: `status` and this thread's detail say how it went. Returns `status` with that detail or, when only
 * the storing failed, why. */
enum tp_status tp_recording_end(struct tp_recording *recording, enum tp_status status);

#endif
