/* What the records of an epoch come to, as rows, and back. */
#include "results/store_internal.h"

#include "engine/base/memory.h"
#include "results/queries.h"

static const struct tp_cell none = {.type = TP_CELL_NULL};

static struct tp_cell time_or_none(int64_t ns)
{
	return ns >= 0 ? tp_integer(ns) : none;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static enum tp_status write_idle(struct tp_store *store, int64_t run_id, int32_t epoch,
                                 const struct tp_metrics *metrics)
{
	for (int64_t i = 0, number = 0; i < metrics->idle_count; i++) {
		const struct tp_idle_interval *idle = &metrics->idle[i];
		number = i > 0 && metrics->idle[i - 1].stage == idle->stage ? number + 1 : 0;
		TP_TRY(TP_STORE_INSERT(
		        store, TP_INSERT_IDLE, tp_integer(run_id), tp_integer(epoch), tp_integer(idle->stage),
		        tp_integer(number), tp_text_cell(tp_idle_cause_text((enum tp_idle_cause)idle->cause)),
		        tp_integer(idle->start_ns), tp_integer(idle->end_ns), tp_integer(idle->operation)));
	}
	return TP_OK;
}

static enum tp_status write_versions(struct tp_store *store, int64_t run_id, int32_t epoch,
                                     const struct tp_metrics *metrics)
{
	for (int64_t i = 0; i < metrics->version_count; i++) {
		const struct tp_version_figures *version = &metrics->versions[i];
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_VERSION, tp_integer(run_id), tp_integer(epoch),
		                       tp_integer(version->stage), tp_integer(version->version),
		                       version->made ? tp_integer(version->version) : none,
		                       version->made ? tp_integer(version->base) : none, tp_integer(version->in_place),
		                       time_or_none(version->made_ns), time_or_none(version->freed_ns),
		                       tp_integer(version->forward_reads), tp_integer(version->backward_reads)));
	}
	return TP_OK;
}

/* Those whose backward has begun: in an epoch that was cut off others have no version difference. */
static enum tp_status write_minis(struct tp_store *store, int64_t run_id, int32_t epoch,
                                  const struct tp_metrics *metrics)
{
	for (int64_t i = 0; i < metrics->mini_count; i++) {
		const struct tp_mini_figures *mini = &metrics->minis[i];
		if (mini->mini == 0 || mini->committed < 0)
			continue;
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_MINI_BATCH, tp_integer(run_id), tp_integer(epoch),
		                       tp_integer(mini->mini), tp_integer(mini->start_ns), tp_integer(mini->end_ns),
		                       tp_integer(mini->committed), tp_integer(mini->read),
		                       tp_integer(mini->mini - mini->committed), tp_integer(mini->chain)));
	}
	return TP_OK;
}

static enum tp_status write_stage(struct tp_store *store, int64_t run_id, int32_t epoch, int32_t stage,
                                  const struct tp_metrics *metrics, const struct tp_memory_record *memory)
{
	const struct tp_stage_metrics *of = &metrics->stage[stage];
	return TP_STORE_INSERT(
	        store, TP_INSERT_STAGE_FIGURES, tp_integer(run_id), tp_integer(epoch), tp_integer(stage),
	        tp_integer(metrics->window_ns), tp_integer(of->compute_ns), tp_integer(of->idle_ns[TP_IDLE_FILL]),
	        tp_integer(of->idle_ns[TP_IDLE_DRAIN]), tp_integer(of->idle_ns[TP_IDLE_SENDER]),
	        tp_integer(of->idle_ns[TP_IDLE_MESSAGE]), tp_integer(of->idle_ns[TP_IDLE_STALENESS]),
	        tp_integer(of->idle_ns[TP_IDLE_HOST]), tp_integer(of->forward_ns), tp_integer(of->backward_ns),
	        tp_integer(of->update_ns), tp_integer(of->forward_count), tp_integer(of->backward_count),
	        tp_integer(of->update_count), tp_integer(of->transfer_ns), tp_integer(of->overlap_ns),
	        tp_integer(of->exposed_ns), tp_integer(of->received_messages), tp_integer(of->received_bytes),
	        tp_integer(of->versions_alive_max), tp_real(of->staleness_mean), tp_integer(of->staleness_max),
	        tp_integer(of->update_staleness_max), tp_integer(of->mismatch_max), tp_integer(metrics->steady_ns),
	        tp_integer(of->steady_compute_ns), tp_integer(memory ? memory->peak_total_bytes : 0),
	        tp_integer(memory ? memory->peak_ns : 0), tp_integer(memory ? memory->peak_operation : -1));
}

static const struct tp_memory_record *memory_of(const struct tp_memory_record *memory, int32_t count, int32_t stage)
{
	for (int32_t i = 0; i < count; i++) {
		if (memory[i].stage == stage)
			return &memory[i];
	}
	return NULL;
}

enum tp_status tp_store_write_metrics(struct tp_store *store, int64_t run_id, int32_t epoch,
                                      const struct tp_metrics *metrics, const struct tp_memory_record *memory,
                                      int32_t memory_count)
{
	TP_TRY(write_idle(store, run_id, epoch, metrics));
	TP_TRY(write_versions(store, run_id, epoch, metrics));
	TP_TRY(write_minis(store, run_id, epoch, metrics));
	for (int32_t s = 0; s < metrics->stages; s++)
		TP_TRY(write_stage(store, run_id, epoch, s, metrics, memory_of(memory, memory_count, s)));
	for (int32_t b = 0; b + 1 < metrics->stages; b++) {
		const struct tp_boundary_metrics *boundary = &metrics->boundary[b];
		TP_TRY(TP_STORE_INSERT(store, TP_INSERT_BOUNDARY_FIGURES, tp_integer(run_id), tp_integer(epoch),
		                       tp_integer(b), tp_integer(boundary->down_messages),
		                       tp_integer(boundary->down_bytes), tp_integer(boundary->up_messages),
		                       tp_integer(boundary->up_bytes)));
	}
	return TP_STORE_INSERT(
	        store, TP_INSERT_EPOCH_FIGURES, tp_integer(run_id), tp_integer(epoch), tp_integer(metrics->op_count),
	        tp_integer(metrics->message_count), tp_real(metrics->bubble_idle_total),
	        tp_real(metrics->bubble_idle_ideal), tp_real(metrics->staleness_idle_total),
	        metrics->transfers ? tp_real(metrics->alpha) : none, tp_integer(metrics->version_difference_max),
	        tp_real(metrics->version_difference_mean), tp_integer(metrics->version_chains),
	        tp_integer(metrics->steady_ns), tp_integer(metrics->steady_minis), tp_real(metrics->steady_idle_total));
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static const char reading[] = "read the figures of an epoch";

/* The rows of `sql` (run, epoch), each to `take`; how many there were. */
static enum tp_status read_rows(struct tp_store *store, const char *sql, int64_t run_id, int32_t number,
                                void (*take)(sqlite3_stmt *row, struct tp_metrics *metrics), struct tp_metrics *metrics,
                                int32_t *rows)
{
	sqlite3_stmt *statement;
	TP_TRY(tp_store_prepare(store, sql, reading, &statement));
	(void)sqlite3_bind_int64(statement, 1, run_id);
	(void)sqlite3_bind_int(statement, 2, number);
	int rc;
	for (*rows = 0; (rc = sqlite3_step(statement)) == SQLITE_ROW; ++*rows)
		take(statement, metrics);
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : tp_store_failed(store, rc, reading);
	(void)sqlite3_finalize(statement);
	return status;
}

static void take_epoch(sqlite3_stmt *row, struct tp_metrics *metrics)
{
	metrics->window_ns = sqlite3_column_int64(row, 0);
	metrics->op_count = sqlite3_column_int64(row, 1);
	metrics->message_count = sqlite3_column_int64(row, 2);
	metrics->bubble_idle_total = sqlite3_column_double(row, 3);
	metrics->bubble_idle_ideal = sqlite3_column_double(row, 4);
	metrics->staleness_idle_total = sqlite3_column_double(row, 5);
	metrics->transfers = sqlite3_column_type(row, 6) != SQLITE_NULL;
	metrics->alpha = sqlite3_column_double(row, 6);
	metrics->version_difference_max = sqlite3_column_int64(row, 7);
	metrics->version_difference_mean = sqlite3_column_double(row, 8);
	metrics->version_chains = sqlite3_column_int64(row, 9);
	metrics->steady_ns = sqlite3_column_int64(row, 10);
	metrics->steady_minis = sqlite3_column_int64(row, 11);
	metrics->steady_idle_total = sqlite3_column_double(row, 12);
}

static void take_stage(sqlite3_stmt *row, struct tp_metrics *metrics)
{
	int32_t s = sqlite3_column_int(row, 0);
	if (s < 0 || s >= metrics->stages)
		return;
	metrics->stage[s] = (struct tp_stage_metrics){
	        .compute_ns = sqlite3_column_int64(row, 1),
	        .bubble_ns = metrics->window_ns - sqlite3_column_int64(row, 1),
	        .idle_ns = {[TP_IDLE_FILL] = sqlite3_column_int64(row, 2),
	                    [TP_IDLE_DRAIN] = sqlite3_column_int64(row, 3),
	                    [TP_IDLE_SENDER] = sqlite3_column_int64(row, 4),
	                    [TP_IDLE_MESSAGE] = sqlite3_column_int64(row, 5),
	                    [TP_IDLE_STALENESS] = sqlite3_column_int64(row, 6),
	                    [TP_IDLE_HOST] = sqlite3_column_int64(row, 7)},
	        .forward_ns = sqlite3_column_int64(row, 8),
	        .backward_ns = sqlite3_column_int64(row, 9),
	        .update_ns = sqlite3_column_int64(row, 10),
	        .forward_count = sqlite3_column_int64(row, 11),
	        .backward_count = sqlite3_column_int64(row, 12),
	        .update_count = sqlite3_column_int64(row, 13),
	        .transfer_ns = sqlite3_column_int64(row, 14),
	        .overlap_ns = sqlite3_column_int64(row, 15),
	        .exposed_ns = sqlite3_column_int64(row, 16),
	        .received_messages = sqlite3_column_int64(row, 17),
	        .received_bytes = sqlite3_column_int64(row, 18),
	        .versions_alive_max = sqlite3_column_int64(row, 19),
	        .staleness_mean = sqlite3_column_double(row, 20),
	        .staleness_max = sqlite3_column_int64(row, 21),
	        .update_staleness_max = sqlite3_column_int64(row, 22),
	        .mismatch_max = sqlite3_column_int64(row, 23),
	        .steady_compute_ns = sqlite3_column_int64(row, 24),
	};
}

static void take_boundary(sqlite3_stmt *row, struct tp_metrics *metrics)
{
	int32_t b = sqlite3_column_int(row, 0);
	if (b >= 0 && b + 1 < metrics->stages)
		metrics->boundary[b] =
		        (struct tp_boundary_metrics){sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2),
		                                     sqlite3_column_int64(row, 3), sqlite3_column_int64(row, 4)};
}

enum tp_status tp_store_read_metrics(struct tp_store *store, int64_t run_id, int32_t number, int32_t stages,
                                     struct tp_metrics *metrics, bool *found)
{
	static const char epoch_sql[] =
	        "SELECT window_end_ns - window_start_ns, operation_count, message_count, idle_total_ratio, "
	        "idle_ideal_ratio, staleness_idle_ratio, alpha_ratio, version_difference_max_count, "
	        "version_difference_mean_count, version_chain_count, steady_window_ns, steady_mini_batch_count, "
	        "steady_idle_total_ratio FROM epoch_figures JOIN epoch USING (run_id, epoch) WHERE run_id = ? AND "
	        "epoch = ?";
	static const char stage_sql[] =
	        "SELECT stage, compute_ns, fill_ns, drain_ns, sender_ns, message_ns, staleness_ns, host_ns, "
	        "forward_ns, "
	        "backward_ns, update_ns, forward_count, backward_count, update_count, transfer_ns, overlap_ns, "
	        "exposed_ns, received_message_count, received_bytes, alive_version_max_count, staleness_mean_count, "
	        "staleness_max_count, update_staleness_max_count, mismatch_max_count, steady_compute_ns "
	        "FROM stage_figures WHERE run_id = ? AND epoch = ?";
	static const char boundary_sql[] =
	        "SELECT boundary, down_message_count, down_bytes, up_message_count, up_bytes "
	        "FROM boundary_figures WHERE run_id = ? AND epoch = ?";
	int32_t epochs = 0, rows;
	*metrics = (struct tp_metrics){.stages = stages};
	*found = false;
	TP_TRY(read_rows(store, epoch_sql, run_id, number, take_epoch, metrics, &epochs));
	metrics->stage = tp_alloc_array((size_t)stages, sizeof *metrics->stage);
	metrics->boundary = tp_alloc_array((size_t)stages, sizeof *metrics->boundary);
	enum tp_status status = metrics->stage && metrics->boundary ? TP_OK : TP_ERR_NOMEM;
	if (status == TP_OK)
		status = read_rows(store, stage_sql, run_id, number, take_stage, metrics, &rows);
	if (status == TP_OK)
		status = read_rows(store, boundary_sql, run_id, number, take_boundary, metrics, &rows);
	*found = status == TP_OK && epochs > 0;
	if (status != TP_OK)
		tp_metrics_release(metrics);
	return status;
}
