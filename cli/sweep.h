/* A sweep as other commands use it: counted, planned, trained; nothing is printed but which run is next, on a terminal.
 * `options` as parsed for the sweep command; a sweep is known in its database by `comparison`. */
#ifndef TP_CLI_SWEEP_H
#define TP_CLI_SWEEP_H

#include "engine/config/options.h"

/* Longest name of a comparison, with its NUL. */
#define TP_SWEEP_COMPARISON_BYTES 40

/* How many runs it has, and how many of them the database, if it is there, has not: those that tp_sweep_train() would
 * train. Errors as tp_sweep_points_init(), TP_ERR_INPUT for a file that is not ours. */
enum tp_status tp_sweep_count(const struct tp_options *options, const char *comparison, int64_t *runs, int64_t *left);

/* Plan every point of the first seed, which shapes no plan, without training, measuring or making weights; so a
 * worker's memory is not looked at. The first refusal. */
enum tp_status tp_sweep_plan(const struct tp_options *options);

/* Train what the database has not. A run that fails is stored and does not stop the rest; `*unfinished` is the number
 * of those that the next call would train: with options->retry_failed, all that are not done. TP_ERR_INTERRUPTED after
 * SIGINT or SIGTERM, also between two runs. */
enum tp_status tp_sweep_train(const struct tp_options *options, const char *comparison, int64_t *unfinished);

#endif
