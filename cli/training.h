/* What compare and run have in common: check everything, then train one or more schedules in interleaved repeats and
 * store every run. */
#ifndef TP_CLI_TRAINING_H
#define TP_CLI_TRAINING_H

#include "cli/commands.h"
#include "engine/run/trainer.h"
#include "reports/reports.h"
#include "results/store.h"

#define TP_SCHEDULES_MAX 32

/* One schedule of a comparison. */
struct tp_contestant {
	const struct tp_policy *policy;
	struct tp_run_config config;
	int64_t minis_per_epoch;    /* known after the check */
	struct tp_cost_table costs; /* of the virtual clock, the same in every repeat; empty under the real one */
};

struct tp_training {
	const struct tp_options *options; /* with the number of repeats decided */
	int32_t repeats_before;           /* of the same run in a sweep; else 0 */
	char comparison[40];              /* the same for all runs of one comparison; "" for none */
	int32_t count;
	struct tp_contestant *contestants;
	struct tp_dataset *dataset;
	struct tp_run_control control;
	struct tp_store *store;
	int64_t *run_ids; /* in the database, in the order they ran: repeats times count */
	int32_t run_count;
};

/* Check everything that can be refused before anything is trained: names, configurations, data, plans, weights to load,
 * the place of those to save, the database, which is created if need be (not when nothing will be trained). `schedules`
 * is a list parted by commas; `options` must outlive the training. Release also after a failure. */
enum tp_status tp_training_init(struct tp_training *training, const struct tp_options *options, const char *schedules);
void tp_training_release(struct tp_training *training);

/* Warm up, then train and store. Ends at the first failure, which is stored with its run. SIGINT and SIGTERM end it
 * with TP_ERR_INTERRUPTED. With --epochs 0: writes the weights that --save-weights asks for, and nothing else. */
enum tp_status tp_training_execute(struct tp_training *training);

/* Print the runs as stored: as JSON if so asked, else with `write`. */
enum tp_status tp_training_report(const struct tp_training *training,
                                  void (*write)(const struct tp_report *report, struct tp_text *out));

#endif
