/* From the trainer's results to rows of the database. */
#ifndef TP_CLI_RECORDING_H
#define TP_CLI_RECORDING_H

#include "cli/training.h"

/* What is verified of a run's records, epoch after epoch; the names are in results/schema.sql, table run_check. */
enum tp_recording_check {
	TP_CHECK_IDLE_CLOSES,
	TP_CHECK_RECORDS_COMPLETE,
	TP_CHECK_NO_ALLOCATION,
	TP_CHECK_MEMORY_CLOSES,
	TP_RECORDING_CHECKS
};

/* One run being stored. Zero-initialise; tp_recording_end() releases what it holds. */
struct tp_recording {
	struct tp_store *store;
	int64_t run_id;
	struct tp_trainer *trainer;
	int32_t stages;
	int32_t names_stored; /* of the trainer's kernels */
	bool flush;
	/* Of an epoch whose records go to the store while it runs: versions freed, which are not rows by themselves.
	 * Room for all that an epoch can free, so that nothing is allocated while one runs. */
	struct tp_version_record *freed;
	int64_t freed_count, freed_room;
	bool made[TP_RECORDING_CHECKS];                    /* something was there to check */
	char failed[TP_RECORDING_CHECKS][TP_DETAIL_BYTES]; /* the first failure of each; "" while there is none */
};

/* "off", "ops", "kernels". */
const char *tp_recording_level(enum tp_profile profile);

/* Does the device of this configuration stand in for another, see results/stand_in.h? False when there is none such. */
bool tp_recording_on_stand_in(const struct tp_run_config *config);

/* A run begins: its row, parameters, environment and stages. `repeat` is 1-based. Sets itself as the trainer's sink, so
 * it stays where it is. */
enum tp_status tp_recording_begin(struct tp_recording *recording, const struct tp_training *training,
                                  struct tp_trainer *trainer, int32_t repeat);

/* Store the names that kernels got since the last call. */
enum tp_status tp_recording_kernel_names(struct tp_recording *recording);

/* A run of the options' configuration that was refused before it was planned: stored as failed, with the reason. */
enum tp_status tp_recording_refused(struct tp_store *store, const struct tp_options *options, const char *comparison,
                                    int32_t repeat, const char *reason);

/* One epoch, also one that failed: what there is of it, what it comes to, and whether its account closes. */
enum tp_status tp_recording_epoch(struct tp_recording *recording, const struct tp_epoch_result *result);

/* The run is over: `status` and this thread's detail say how it went. Returns `status` with that detail or, when only
 * the storing failed, why. */
enum tp_status tp_recording_end(struct tp_recording *recording, enum tp_status status);

/* A tp_record_sink of `context`, a recording: part of an epoch that has more records than the buffer holds. */
enum tp_status tp_recording_take(void *context, const struct tp_record_batch *batch);

#endif
