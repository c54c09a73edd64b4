/* The points of a sweep: every combination of what its options list. */
#ifndef TP_CLI_SWEEP_POINTS_H
#define TP_CLI_SWEEP_POINTS_H

#include "engine/config/options.h"

#define TP_SWEEP_POINTS_MAX 10000

/* From what changes most slowly to what changes at every point, so that schedules to be compared run one after the
 * other. */
enum tp_sweep_axis {
	TP_SWEEP_CLUSTER,
	TP_SWEEP_LINK,
	TP_SWEEP_BATCH,
	TP_SWEEP_STAGES,
	TP_SWEEP_MICRO_BATCHES,
	TP_SWEEP_SEED,
	TP_SWEEP_SCHEDULE,
	TP_SWEEP_AXES
};

struct tp_sweep_values {
	char **texts;  /* each as the option of `run` takes it */
	int32_t count; /* 0: not varied */
};

struct tp_sweep_points {
	const struct tp_options *options;
	struct tp_sweep_values values[TP_SWEEP_AXES];
	int32_t count;
};

/* Take the lists of `options`, which must outlive the points, apart. Integers: `2,3,8`, `2..8`, `2..8:2`, also mixed;
 * links are parted by `+`, all else by commas. Every value is checked as `run` checks it, and none may stand twice.
 * TP_ERR_INPUT names the option and the value. Release also after a failure. */
enum tp_status tp_sweep_points_init(struct tp_sweep_points *points, const struct tp_options *options);
void tp_sweep_points_release(struct tp_sweep_points *points);

/* The options of one point, 0-based, as if `run` had been called with them. */
enum tp_status tp_sweep_point_options(const struct tp_sweep_points *points, int32_t index, struct tp_options *options);

/* The name of an axis's option, and a point's value of it; NULL where it is not varied. */
const char *tp_sweep_axis_name(enum tp_sweep_axis axis);
const char *tp_sweep_point_value(const struct tp_sweep_points *points, int32_t index, enum tp_sweep_axis axis);

/* What makes two sweeps the same: the options that decide results and the values of each axis. */
enum tp_status tp_sweep_points_hash(const struct tp_sweep_points *points, uint64_t *hash);

#endif
