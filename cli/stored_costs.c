#include "cli/stored_costs.h"

#include <sqlite3.h>

#include "engine/base/memory.h"
#include "engine/run/costs.h"
#include "results/queries.h"
#include "results/stand_in.h"

/* The first column of the first row of a query about the run. */
static int64_t ask(struct tp_store *store, const char *sql, int64_t run_id)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;
	if (sqlite3_prepare_v2(tp_store_connection(store), sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_bind_int64(statement, 1, run_id) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return value;
}

static enum tp_status other_operations(int64_t run_id)
{
	return tp_fail(TP_ERR_INPUT,
	               "--costs run:%lld: its operations are others; expected a run of the same schedule and number of "
	               "micro-batches",
	               (long long)run_id);
}

/* The rows are as many as the table's entries, and each has its place. */
static enum tp_status fill(int64_t run_id, const struct tp_store_cost *costs, int64_t count,
                           struct tp_cost_table *table)
{
	const struct tp_cost_shape *shape = &table->shape;
	if (count != tp_cost_value_count(shape) + shape->stages)
		return other_operations(run_id);
	for (int64_t i = 0; i < count; i++) {
		int32_t micro = costs[i].micro == TP_WHOLE ? 0 : costs[i].micro;
		if (costs[i].stage >= shape->stages || micro >= tp_cost_entries(shape, costs[i].kind))
			return other_operations(run_id);
		*tp_cost_entry(table, costs[i].stage, costs[i].kind, micro) = costs[i].cost_ns;
	}
	return TP_OK;
}

static enum tp_status from_records(struct tp_store *store, int64_t run_id, struct tp_cost_shape shape,
                                   struct tp_cost_table *table)
{
	struct tp_stored_records stored;
	int32_t epochs;
	if (ask(store, "SELECT count(*) FROM run_worker WHERE run_id = ?", run_id) > 0)
		return tp_fail(
		        TP_ERR_INPUT,
		        "--costs run:%lld: was measured with emulated workers, whose costs are not this machine's",
		        (long long)run_id);
	TP_TRY(tp_store_count_epochs(store, run_id, &epochs));
	if (epochs == 0)
		return tp_fail(TP_ERR_INPUT, "--costs run:%lld: expected a run with at least one epoch, found none",
		               (long long)run_id);
	TP_TRY(tp_store_read_records(store, run_id, epochs, &stored));
	enum tp_status status = tp_costs_from_records(shape, stored.ops, stored.records.op_count, table);
	tp_stored_records_release(&stored);
	return status == TP_OK ? TP_OK : tp_fail_in(status, "--costs run:%lld", (long long)run_id);
}

static enum tp_status read_costs(struct tp_store *store, int64_t run_id, struct tp_cost_shape shape,
                                 struct tp_cost_table *table)
{
	struct tp_store_cost *costs;
	int64_t count;
	TP_TRY(tp_store_read_costs(store, run_id, &costs, &count)); /* there is such a run */
	if (ask(store, "SELECT count(*) FROM timed_run WHERE run_id = ?", run_id) == 0) {
		tp_free(costs);
		return tp_fail(TP_ERR_INPUT, "--costs run:%lld: its device " TP_STAND_IN_SAYS, (long long)run_id);
	}
	int64_t stages = ask(store, "SELECT stage_count FROM run WHERE run_id = ?", run_id);
	enum tp_status status = TP_OK;
	if (stages != shape.stages)
		status = tp_fail(TP_ERR_INPUT, "--costs run:%lld: expected costs of %d stages, found %lld",
		                 (long long)run_id, shape.stages, (long long)stages);
	else if (count == 0)
		status = from_records(store, run_id, shape, table);
	else if ((status = tp_cost_table_init(table, shape)) == TP_OK)
		status = fill(run_id, costs, count, table);
	tp_free(costs);
	return status;
}

enum tp_status tp_stored_costs_read(const char *database, int64_t run_id, struct tp_cost_shape shape,
                                    struct tp_cost_table *table)
{
	struct tp_store *store;
	*table = (struct tp_cost_table){0};
	enum tp_status status = tp_store_open_readonly(database, &store);
	if (status != TP_OK)
		return tp_fail_in(status, "--costs run:%lld", (long long)run_id);
	status = read_costs(store, run_id, shape, table);
	tp_store_close(store);
	if (status != TP_OK)
		tp_cost_table_release(table);
	return status;
}
