/* What an epoch left behind: stored, measured and checked. */
#include <stdio.h>
#include <string.h>

#include "cli/recording.h"
#include "engine/base/memory.h"
#include "results/queries.h"

/* --- records on their way ------------------------------------------------------------------------------------------
 */

static enum tp_status keep_freed(struct tp_recording *recording, const struct tp_record_batch *batch)
{
	TP_CHECK(recording->freed_count + batch->count <= recording->freed_room);
	memcpy(recording->freed + recording->freed_count, batch->records,
	       (size_t)batch->count * sizeof *recording->freed);
	recording->freed_count += batch->count;
	return TP_OK;
}

enum tp_status tp_recording_take(void *context, const struct tp_record_batch *batch)
{
	struct tp_recording *recording = context;
	if (batch->kind == TP_RECORD_VERSION)
		return keep_freed(recording, batch);
	if (batch->kind == TP_RECORD_KERNEL) /* a GPU's come at the end of an epoch, and bring names along */
		TP_TRY(tp_recording_kernel_names(recording));
	return tp_store_add_records(recording->store, recording->run_id, batch);
}

/* --- checks --------------------------------------------------------------------------------------------------------
 */

/* Note that a check was made, and its first failure, with this thread's detail. */
static void note_check(struct tp_recording *recording, enum tp_recording_check check, int32_t epoch,
                       enum tp_status status)
{
	recording->made[check] = true;
	if (status != TP_OK && recording->failed[check][0] == '\0')
		(void)snprintf(recording->failed[check], sizeof recording->failed[check], "epoch %d: %s", epoch,
		               tp_detail());
}

/* Lost by the engine's rings or by the GPU's tracer. */
static int64_t dropped(const struct tp_epoch_result *result)
{
	return result->dropped_records + (result->gpu ? result->gpu->dropped : 0);
}

static enum tp_status check_records(const struct tp_epoch_result *result)
{
	if (dropped(result) == 0)
		return TP_OK;
	if (result->dropped_records == 0)
		return tp_fail(TP_ERR_INPUT,
		               "expected every record to be kept, found %lld of the GPU lost by its tracer; figures "
		               "that need them are left out",
		               (long long)dropped(result));
	return tp_fail(TP_ERR_INPUT,
	               "expected every record to be kept, found %lld lost to full rings; figures that need "
	               "them are left out (--profile-buffer)",
	               (long long)result->dropped_records);
}

static enum tp_status check_allocations(const struct tp_epoch_result *result)
{
	if (result->allocations_in_window == 0)
		return TP_OK;
	return tp_fail(TP_ERR_INPUT, "expected no allocation inside the window, found %llu",
	               (unsigned long long)result->allocations_in_window);
}

/* The parts of a peak are its parts, and all rows together are what the process holds. */
/* What lies on a GPU is no part of the process's resident memory. */
static enum tp_status check_memory(const struct tp_epoch_result *result)
{
	int64_t held = 0;
	for (int32_t i = 0; i < result->memory_count; i++) {
		const struct tp_memory_record *memory = &result->memory[i];
		int64_t parts = 0;
		for (int kind = 0; kind < TP_MEM_KINDS; kind++) {
			held += result->gpu && memory->stage >= 0 ? 0 : memory->now_bytes[kind];
			parts += memory->at_peak_bytes[kind];
			if (memory->stage >= 0 && memory->now_bytes[kind] < 0)
				return tp_fail(TP_ERR_INPUT,
				               "stage %d: expected at least 0 bytes of %s in use, found %lld",
				               memory->stage, tp_mem_kind_text((enum tp_mem_kind)kind),
				               (long long)memory->now_bytes[kind]);
		}
		if (memory->stage >= 0 && parts != memory->peak_total_bytes)
			return tp_fail(TP_ERR_INPUT,
			               "stage %d: expected the parts of the peak to add up to %lld bytes, found %lld",
			               memory->stage, (long long)memory->peak_total_bytes, (long long)parts);
	}
	if (held == result->rss_bytes)
		return TP_OK;
	return tp_fail(TP_ERR_INPUT, "expected all kinds to add up to the %lld resident bytes, found %lld",
	               (long long)result->rss_bytes, (long long)held);
}

static void check_epoch(struct tp_recording *recording, const struct tp_epoch_result *result)
{
	note_check(recording, TP_CHECK_NO_ALLOCATION, result->epoch, check_allocations(result));
	note_check(recording, TP_CHECK_MEMORY_CLOSES, result->epoch, check_memory(result));
	if (result->profiled != TP_PROFILE_OFF)
		note_check(recording, TP_CHECK_RECORDS_COMPLETE, result->epoch, check_records(result));
}

/* --- one epoch -----------------------------------------------------------------------------------------------------
 */

const char *tp_recording_level(enum tp_profile profile)
{
	static const char *const levels[] = {"off", "ops", "kernels"};
	return levels[profile];
}

static struct tp_store_epoch epoch_row(const struct tp_epoch_result *result)
{
	return (struct tp_store_epoch){
	        .epoch = result->epoch,
	        .profile_level = tp_recording_level(result->profiled),
	        .minis = result->minis,
	        .samples = result->samples,
	        .start_ns = result->start_ns,
	        .end_ns = result->end_ns,
	        .train_loss = result->train_loss,
	        .train_top1 = result->train_top1,
	        .evaluated = result->evaluated,
	        .test_samples = result->test_samples,
	        .test_loss = result->test_loss,
	        .test_top1 = result->test_top1,
	        .test_top5 = result->test_top5,
	        .evaluation_ns = result->evaluation_ns,
	        .dropped_records = dropped(result),
	        .rss_bytes = result->rss_bytes,
	        .allocations_in_window = result->allocations_in_window,
	        .records = result->records,
	        .memory = result->memory,
	        .memory_count = result->memory_count,
	        .counters = result->counters,
	        .counter_count = result->counter_count,
	        .gpu = result->gpu,
	        .gpu_records = result->gpu_records,
	};
}

/* What the records come to; nothing when some are missing, or there are none. */
static enum tp_status measure(struct tp_recording *recording, const struct tp_epoch_result *result,
                              const struct tp_records *records, struct tp_metrics *metrics,
                              struct tp_epoch_prediction *predicted)
{
	const struct tp_metrics_input input = {recording->stages, recording->flush, *records};
	if (result->streamed)
		TP_TRY(tp_trainer_predict(recording->trainer, records->ops, records->op_count, predicted));
	TP_TRY(tp_metrics_compute(&input, metrics));
	note_check(recording, TP_CHECK_IDLE_CLOSES, result->epoch, tp_metrics_check(&input, metrics));
	return TP_OK;
}

static enum tp_status store_measured(struct tp_recording *recording, const struct tp_epoch_result *result,
                                     const struct tp_records *records)
{
	struct tp_store_epoch epoch = epoch_row(result);
	struct tp_epoch_prediction predicted = result->predicted;
	struct tp_metrics metrics = {0};
	enum tp_status status = TP_OK;
	if (dropped(result) == 0 && records->op_count > 0) {
		status = measure(recording, result, records, &metrics, &predicted);
		epoch.metrics = &metrics;
	}
	epoch.predicted =
	        (struct tp_store_prediction){predicted.window_ns, predicted.version_difference_max,
	                                     predicted.version_difference_mean, predicted.version_difference_estimate};
	if (status == TP_OK)
		status = tp_store_add_epoch(recording->store, recording->run_id, &epoch);
	tp_metrics_release(&metrics);
	return status;
}

enum tp_status tp_recording_epoch(struct tp_recording *recording, const struct tp_epoch_result *result)
{
	check_epoch(recording, result);
	TP_TRY(tp_recording_kernel_names(recording));
	if (!result->streamed || dropped(result) > 0)
		return store_measured(recording, result, &result->records);
	struct tp_stored_records stored;
	TP_TRY(tp_store_read_records(recording->store, recording->run_id, result->epoch, &stored));
	stored.records.freed = recording->freed;
	stored.records.freed_count = recording->freed_count;
	enum tp_status status = store_measured(recording, result, &stored.records);
	tp_stored_records_release(&stored);
	recording->freed_count = 0;
	return status;
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static int32_t collect_checks(const struct tp_recording *recording, struct tp_store_check checks[TP_RECORDING_CHECKS])
{
	static const char *const names[] = {
	        [TP_CHECK_IDLE_CLOSES] = "idle_closes",
	        [TP_CHECK_RECORDS_COMPLETE] = "records_complete",
	        [TP_CHECK_NO_ALLOCATION] = "no_allocation",
	        [TP_CHECK_MEMORY_CLOSES] = "memory_closes",
	};
	int32_t count = 0;
	for (int i = 0; i < TP_RECORDING_CHECKS; i++) {
		if (recording->made[i])
			checks[count++] = (struct tp_store_check){names[i], recording->failed[i][0] == '\0',
			                                          recording->failed[i]};
	}
	return count;
}

enum tp_status tp_recording_end(struct tp_recording *recording, enum tp_status status)
{
	char why[TP_DETAIL_BYTES] = "";
	enum tp_store_ending ending = TP_STORE_DONE;
	struct tp_store_check checks[TP_RECORDING_CHECKS];
	int32_t count = collect_checks(recording, checks);
	if (status != TP_OK) {
		ending = status == TP_ERR_INTERRUPTED ? TP_STORE_INTERRUPTED : TP_STORE_FAILED;
		(void)snprintf(why, sizeof why, "%s", tp_detail());
	}
	enum tp_status stored = tp_store_end_run(recording->store, recording->run_id, ending, why, checks, count);
	tp_free(recording->freed);
	return status == TP_OK ? stored : tp_fail(status, "%s", why);
}
