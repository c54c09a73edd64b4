/* Reading stored runs back. Everything else is plain SQL on the connection, see docs/schema.md for tables and views. */
#ifndef TP_RESULTS_QUERIES_H
#define TP_RESULTS_QUERIES_H

#include "results/store.h"

/* The connection, for SELECT; owned by the store. */
struct sqlite3;
struct sqlite3 *tp_store_connection(struct tp_store *store);

/* The epochs that a run stored, from 1 on. */
enum tp_status tp_store_count_epochs(struct tp_store *store, int64_t run_id, int32_t *count);

/* An epoch read back; `epoch` points into the arrays behind it. */
struct tp_stored_epoch {
	struct tp_store_epoch epoch;
	struct tp_op_record *ops;
	struct tp_message_record *messages;
	struct tp_read_record *reads;
	struct tp_memory_record *memory;
};

/* An epoch as it was given to tp_store_add_epoch(), records by stage and then in the order given, the process last.
 * What was not a number is one again. TP_ERR_INPUT when there is no such epoch, TP_ERR_IO, TP_ERR_NOMEM; then nothing
 * is held. Release with tp_stored_epoch_release(). */
enum tp_status tp_store_read_epoch(struct tp_store *store, int64_t run_id, int32_t number,
                                   struct tp_stored_epoch *stored);
void tp_stored_epoch_release(struct tp_stored_epoch *stored);

/* The costs that a run stored, allocated with tp_alloc(). TP_ERR_INPUT when there is no such run; `*count` is 0 and
 * `*costs` NULL when it went by none. */
enum tp_status tp_store_read_costs(struct tp_store *store, int64_t run_id, struct tp_store_cost **costs,
                                   int64_t *count);

/* One run of a comparison, in short: medians and means over its epochs; NAN or 0 where nothing was recorded. */
struct tp_store_outcome {
	int64_t run_id;
	uint64_t config_hash;
	int32_t repeat;
	enum tp_store_state state;
	char reason[TP_DETAIL_BYTES];
	double median_epoch_ns, predicted_ns; /* the latter NAN where the virtual clock predicted nothing */
	double samples_per_s, idle_total_share;
	int64_t version_difference_max;
	int64_t stages_peak_bytes;
};

/* How many runs of a comparison there are. */
enum tp_status tp_store_count_comparison(struct tp_store *store, const char *comparison, int64_t *count);

/* Every run of a comparison in the order they ran, allocated with tp_alloc(); NULL when there are none. */
enum tp_status tp_store_read_outcomes(struct tp_store *store, const char *comparison,
                                      struct tp_store_outcome **outcomes, int64_t *count);

#endif
