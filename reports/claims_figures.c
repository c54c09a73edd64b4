/* What the claims need of each run, from figures that were computed when its epochs ended; never from operations, of
 * which there may be millions. */
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>

#include "engine/base/memory.h"
#include "reports/claims_internal.h"
#include "results/queries.h"

/* One row for the run ?1. */
static const char run_sql[] =
        "SELECT (SELECT avg(window_end_ns - window_start_ns) FROM epoch WHERE run_id = ?1), "
        "(SELECT min(mini_batch_count) FROM epoch WHERE run_id = ?1), "
        "(SELECT max(b) FROM (SELECT sum(at_peak_bytes) AS b FROM memory WHERE run_id = ?1 AND stage >= 0 GROUP BY "
        "epoch)), "
        "(SELECT avg(alpha_ratio) FROM epoch_figures WHERE run_id = ?1), "
        "(SELECT sum(b) * 1.0 / nullif(sum(mini_batch_count), 0) FROM (SELECT epoch, sum(down_bytes + up_bytes) AS b "
        "FROM boundary_figures WHERE run_id = ?1 GROUP BY epoch) AS f JOIN epoch AS e ON e.run_id = ?1 AND e.epoch = "
        "f.epoch), "
        "(SELECT sum(b) * 1.0 / nullif(sum(mini_batch_count), 0) FROM (SELECT epoch, sum(backward_ns) AS b FROM "
        "stage_figures WHERE run_id = ?1 GROUP BY epoch) AS f JOIN epoch AS e ON e.run_id = ?1 AND e.epoch = "
        "f.epoch), "
        "(SELECT max(version_difference_max_count) FROM epoch_figures WHERE run_id = ?1), "
        "(SELECT max(version_chain_count) FROM epoch_figures WHERE run_id = ?1), "
        "(SELECT sum(version_chain_count <> version_difference_max_count) FROM epoch_figures WHERE run_id = ?1), "
        "(SELECT max(update_staleness_max_count) FROM stage_figures JOIN epoch_figures USING (run_id, epoch) WHERE "
        "run_id = ?1 AND version_difference_max_count = 1)";

enum { EPOCH_NS, MINIS, PEAK, ALPHA, SENT, BACKWARD, VERSION_DIFFERENCE, CHAINS, CHAIN_MISSES, STALENESS };

static const char stages_sql[] =
        "SELECT stage, max(b) FROM (SELECT stage, sum(at_peak_bytes) AS b FROM memory WHERE run_id = ?1 AND stage >= 0 "
        "GROUP BY epoch, stage) GROUP BY stage";

static const char epochs_sql[] =
        "SELECT sum(window_end_ns - window_start_ns) OVER (ORDER BY epoch) * 1e-9, test_top1_share FROM epoch WHERE "
        "run_id = ?1 ORDER BY epoch";

static const char target_sql[] = "SELECT target_value, reached_epoch, reached_s FROM time_to_target WHERE run_id = ?1 "
                                 "AND target = 'target-top1'";

static enum tp_status read_failed(sqlite3 *db)
{
	return tp_fail(TP_ERR_IO, "the figures of the runs could not be read: %s", sqlite3_errmsg(db));
}

static double number(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(row, column);
}

typedef void take_row(sqlite3_stmt *row, struct tp_claim_run *run, const struct tp_group *group);

static void take_run(sqlite3_stmt *row, struct tp_claim_run *run, const struct tp_group *group)
{
	(void)group;
	run->epoch_ns = number(row, EPOCH_NS);
	run->mini_batches_min = sqlite3_column_int64(row, MINIS);
	run->peak_bytes = number(row, PEAK);
	run->alpha = number(row, ALPHA);
	run->sent_bytes = number(row, SENT);
	run->backward_ns = number(row, BACKWARD);
	run->version_difference_max = number(row, VERSION_DIFFERENCE);
	run->version_chains_max = number(row, CHAINS);
	run->chain_misses = number(row, CHAIN_MISSES);
	run->staleness_max = number(row, STALENESS);
}

static void take_stage(sqlite3_stmt *row, struct tp_claim_run *run, const struct tp_group *group)
{
	int stage = sqlite3_column_int(row, 0);
	if (stage < group->stages)
		run->stage_peak_bytes[stage] = number(row, 1);
}

static void take_target(sqlite3_stmt *row, struct tp_claim_run *run, const struct tp_group *group)
{
	(void)group;
	run->target = number(row, 0);
	run->target_epochs = number(row, 1);
	run->target_s = number(row, 2);
}

/* Room is for the epochs that the group counted. */
static void take_epoch(sqlite3_stmt *row, struct tp_claim_run *run, const struct tp_group *group)
{
	for (int32_t r = 0; r < group->run_count; r++) {
		if (group->runs[r].run_id == run->run_id && run->epoch_count < group->runs[r].epochs)
			run->epochs[run->epoch_count++] = (struct tp_claim_epoch){number(row, 0), number(row, 1)};
	}
}

static enum tp_status read_rows(sqlite3 *db, const char *sql, take_row *take, struct tp_claim_run *run,
                                const struct tp_group *group)
{
	sqlite3_stmt *statement;
	int rc;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return read_failed(db);
	(void)sqlite3_bind_int64(statement, 1, run->run_id);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		take(statement, run, group);
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : read_failed(db);
	(void)sqlite3_finalize(statement);
	return status;
}

static enum tp_status read_run(sqlite3 *db, const struct tp_group *group, const struct tp_group_run *from,
                               struct tp_claim_run *run)
{
	*run = (struct tp_claim_run){
	        .run_id = from->run_id,
	        .seed = from->seed,
	        .stage_peak_bytes = tp_alloc_array((size_t)group->stages, sizeof *run->stage_peak_bytes),
	        .epochs = tp_alloc_array((size_t)from->epochs, sizeof *run->epochs),
	        .target = (double)NAN,
	        .target_epochs = (double)NAN,
	        .target_s = (double)NAN,
	};
	if (!run->stage_peak_bytes || !run->epochs)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < group->stages; s++)
		run->stage_peak_bytes[s] = (double)NAN;
	TP_TRY(read_rows(db, run_sql, take_run, run, group));
	TP_TRY(read_rows(db, stages_sql, take_stage, run, group));
	TP_TRY(read_rows(db, epochs_sql, take_epoch, run, group));
	if (run->epoch_count == 0)
		return tp_fail(TP_ERR_IO, "run %" PRId64 " went away while it was read", run->run_id);
	return read_rows(db, target_sql, take_target, run, group);
}

static enum tp_status read_groups(sqlite3 *db, const struct tp_groups *groups, struct tp_claim_groups *read)
{
	for (int32_t g = 0; g < groups->count; g++) {
		struct tp_claim_group *group = &read->groups[read->count++];
		group->group = &groups->groups[g];
		group->runs = tp_alloc_array((size_t)group->group->run_count, sizeof *group->runs);
		if (!group->runs)
			return TP_ERR_NOMEM;
		for (int32_t r = 0; r < group->group->run_count; r++)
			TP_TRY(read_run(db, group->group, &group->group->runs[r], &group->runs[r]));
	}
	return TP_OK;
}

enum tp_status tp_claim_groups_read(struct tp_store *store, const struct tp_groups *groups,
                                    struct tp_claim_groups *read)
{
	*read = (struct tp_claim_groups){.groups = tp_alloc_array((size_t)groups->count, sizeof *read->groups)};
	if (!read->groups)
		return TP_ERR_NOMEM;
	enum tp_status status = read_groups(tp_store_connection(store), groups, read);
	if (status != TP_OK)
		tp_claim_groups_release(read);
	return status;
}

void tp_claim_groups_release(struct tp_claim_groups *read)
{
	for (int32_t g = 0; g < read->count; g++) {
		struct tp_claim_group *group = &read->groups[g];
		for (int32_t r = 0; group->runs && r < group->group->run_count; r++) {
			tp_free(group->runs[r].stage_peak_bytes);
			tp_free(group->runs[r].epochs);
		}
		tp_free(group->runs);
	}
	tp_free(read->groups);
	*read = (struct tp_claim_groups){0};
}
