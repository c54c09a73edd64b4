/* Reading stored runs back. Everything else is plain SQL on the connection, see docs/schema.md for tables and views. */
#ifndef TP_RESULTS_QUERIES_H
#define TP_RESULTS_QUERIES_H

#include "results/store.h"

/* The connection, for SELECT; owned by the store. */
struct sqlite3;
struct sqlite3 *tp_store_connection(struct tp_store *store);

/* The epochs that a run stored, from 1 on. */
enum tp_status tp_store_count_epochs(struct tp_store *store, int64_t run_id, int32_t *count);

/* Operations, messages and reads of an epoch, by stage and then in order; `records` points into the arrays behind it.
 */
struct tp_stored_records {
	struct tp_records records;
	struct tp_op_record *ops;
	struct tp_message_record *messages;
	struct tp_read_record *reads;
};

/* Also of an epoch that is not added yet. TP_ERR_IO, TP_ERR_NOMEM; then nothing is held. Release with
 * tp_stored_records_release(). */
enum tp_status tp_store_read_records(struct tp_store *store, int64_t run_id, int32_t number,
                                     struct tp_stored_records *stored);
void tp_stored_records_release(struct tp_stored_records *stored);

/* The figures of an epoch; the ledgers behind them (idle intervals, mini-batches, versions) are not read. `*found` is
 * false, and all of them are 0, when there are none: an epoch without records or that lost some. Release with
 * tp_metrics_release(). */
enum tp_status tp_store_read_metrics(struct tp_store *store, int64_t run_id, int32_t number, int32_t stages,
                                     struct tp_metrics *metrics, bool *found);

/* An epoch read back; `epoch` points into the arrays behind it. */
struct tp_stored_epoch {
	struct tp_store_epoch epoch;
	struct tp_memory_record *memory;
};

/* An epoch as it was given to tp_store_add_epoch(), without records and metrics; memory by stage, the process last.
 * What was not a number is one again. TP_ERR_INPUT when there is no such epoch, TP_ERR_IO, TP_ERR_NOMEM; then nothing
 * is held. Release with tp_stored_epoch_release(). */
enum tp_status tp_store_read_epoch(struct tp_store *store, int64_t run_id, int32_t number,
                                   struct tp_stored_epoch *stored);
void tp_stored_epoch_release(struct tp_stored_epoch *stored);

/* The costs that a run stored, allocated with tp_alloc(). TP_ERR_INPUT when there is no such run; `*count` is 0 and
 * `*costs` NULL when it went by none. */
enum tp_status tp_store_read_costs(struct tp_store *store, int64_t run_id, struct tp_store_cost **costs,
                                   int64_t *count);

/* One run of a comparison, in short: medians and means over its epochs; NAN where nothing was recorded. */
struct tp_store_outcome {
	int64_t run_id;
	uint64_t config_hash;
	int32_t repeat;
	enum tp_store_state state;
	char reason[TP_DETAIL_BYTES];
	double median_epoch_ns, predicted_ns; /* the latter NAN where the virtual clock predicted nothing */
	double samples_per_s, idle_total_share;
	double version_difference_max; /* NAN where no operations were recorded */
	int64_t stages_peak_bytes;
	bool stand_in; /* it ran on one, see results/stand_in.h: times and rates are NAN */
};

/* How many runs of a comparison there are. */
enum tp_status tp_store_count_comparison(struct tp_store *store, const char *comparison, int64_t *count);

/* Every run of a comparison in the order they ran, allocated with tp_alloc(); NULL when there are none. */
enum tp_status tp_store_read_outcomes(struct tp_store *store, const char *comparison,
                                      struct tp_store_outcome **outcomes, int64_t *count);

#endif
