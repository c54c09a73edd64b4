#include "cli/sweep_points.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "baselines/policies.h"
#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/config/cluster.h"

/* Largest integer that a range may hold: a seed's. */
#define RANGE_MAX 9007199254740992LL

static const struct axis {
	const char *name;
	size_t offset; /* of its list in struct tp_varied */
	char separator;
	bool integer;
} axes[TP_SWEEP_AXES] = {
        [TP_SWEEP_CLUSTER] = {"cluster", offsetof(struct tp_varied, cluster), ',', false},
        [TP_SWEEP_LINK] = {"link", offsetof(struct tp_varied, link), '+', false},
        [TP_SWEEP_BATCH] = {"batch", offsetof(struct tp_varied, batch), ',', true},
        [TP_SWEEP_STAGES] = {"stages", offsetof(struct tp_varied, stages), ',', true},
        [TP_SWEEP_MICRO_BATCHES] = {"micro-batches", offsetof(struct tp_varied, micro_batches), ',', true},
        [TP_SWEEP_SEED] = {"seed", offsetof(struct tp_varied, seed), ',', true},
        [TP_SWEEP_SCHEDULE] = {"schedule", offsetof(struct tp_varied, schedule), ',', false},
};

const char *tp_sweep_axis_name(enum tp_sweep_axis axis)
{
	return axes[axis].name;
}

/* --- taking lists apart ----------------------------------------------------------------------------------------------
 */

/* What `run` would say of the value, on options that nobody keeps; `kept` is the value as it is recorded, so that 2 and
 * 02 are one. */
static enum tp_status check_value(enum tp_sweep_axis axis, const char *text, const struct tp_options *options,
                                  struct tp_text *kept)
{
	const struct tp_option *option = tp_option_find(axes[axis].name, TP_FOR_RUN);
	struct tp_options *trial = tp_alloc(sizeof *trial);
	if (!trial)
		return TP_ERR_NOMEM;
	*trial = *options;
	enum tp_status status = tp_option_set(option, text, trial);
	if (status == TP_OK)
		tp_option_get(option, trial, kept);
	tp_free(trial);
	if (status == TP_OK && kept->failed)
		return TP_ERR_NOMEM;
	if (status == TP_OK && axis == TP_SWEEP_SCHEDULE) {
		const struct tp_policy *policy;
		status = tp_policy_find(text, &policy);
	} else if (status == TP_OK && axis == TP_SWEEP_LINK) {
		struct tp_link link;
		status = tp_link_parse("--link", text, &link);
	} else if (status == TP_OK && axis == TP_SWEEP_CLUSTER) {
		struct tp_cluster cluster = {0};
		status = tp_cluster_read(text, &cluster);
		tp_cluster_release(&cluster);
	}
	return status;
}

static enum tp_status keep_value(struct tp_sweep_values *values, enum tp_sweep_axis axis, const char *text)
{
	for (int32_t i = 0; i < values->count; i++) {
		if (strcmp(values->texts[i], text) == 0)
			return tp_fail(TP_ERR_INPUT, "--%s: expected each value once, found %s twice", axes[axis].name,
			               text);
	}
	if (values->count == TP_SWEEP_POINTS_MAX)
		return tp_fail(TP_ERR_INPUT, "--%s: expected at most %d values, found more", axes[axis].name,
		               TP_SWEEP_POINTS_MAX);
	size_t bytes = strlen(text) + 1;
	char *copy = tp_alloc(bytes);
	if (!copy)
		return TP_ERR_NOMEM;
	memcpy(copy, text, bytes);
	values->texts[values->count++] = copy;
	return TP_OK;
}

static enum tp_status add_value(struct tp_sweep_points *points, enum tp_sweep_axis axis, const char *text)
{
	struct tp_text kept = {0};
	enum tp_status status = check_value(axis, text, points->options, &kept);
	if (status == TP_OK)
		status = keep_value(&points->values[axis], axis, tp_text_get(&kept));
	tp_text_release(&kept);
	return status;
}

/* `2..8` or `2..8:2`, with the end only where a step meets it. */
static enum tp_status add_range(struct tp_sweep_points *points, enum tp_sweep_axis axis, char *text, char *dots)
{
	char what[48], number[32];
	int64_t first, last, step = 1;
	char *colon = strchr(dots, ':');
	(void)snprintf(what, sizeof what, "--%s", axes[axis].name);
	*dots = '\0';
	if (colon) {
		*colon = '\0';
		TP_TRY(tp_parse_i64(what, colon + 1, 1, RANGE_MAX, &step));
	}
	TP_TRY(tp_parse_i64(what, text, 0, RANGE_MAX, &first));
	TP_TRY(tp_parse_i64(what, dots + 2, 0, RANGE_MAX, &last));
	if (last < first)
		return tp_fail(TP_ERR_INPUT, "%s: expected FIRST..LAST with FIRST at most LAST, found %s..%s", what,
		               text, dots + 2);
	for (int64_t value = first; value <= last; value += step) {
		(void)snprintf(number, sizeof number, "%" PRId64, value);
		TP_TRY(add_value(points, axis, number));
	}
	return TP_OK;
}

static enum tp_status add_list(struct tp_sweep_points *points, enum tp_sweep_axis axis)
{
	const char *list = (const char *)&points->options->varied + axes[axis].offset;
	const char separators[] = {axes[axis].separator, '\0'};
	char item[TP_CONFIG_PATH_BYTES];
	if (list[0] == '\0')
		return TP_OK;
	points->values[axis].texts = tp_alloc_array(TP_SWEEP_POINTS_MAX, sizeof *points->values[axis].texts);
	if (!points->values[axis].texts)
		return TP_ERR_NOMEM;
	for (const char *rest = list;; rest++) {
		size_t length = strcspn(rest, separators);
		if (length == 0 || length >= sizeof item)
			return tp_fail(TP_ERR_INPUT, "--%s: expected values parted by '%s', found %s one in '%s'",
			               axes[axis].name, separators, length == 0 ? "an empty" : "too long a", list);
		(void)snprintf(item, sizeof item, "%.*s", (int)length, rest);
		char *dots = axes[axis].integer ? strstr(item, "..") : NULL;
		TP_TRY(dots ? add_range(points, axis, item, dots) : add_value(points, axis, item));
		rest += length;
		if (*rest == '\0')
			return TP_OK;
	}
}

/* --- points ----------------------------------------------------------------------------------------------------------
 */

enum tp_status tp_sweep_points_init(struct tp_sweep_points *points, const struct tp_options *options)
{
	int64_t count = 1;
	*points = (struct tp_sweep_points){.options = options};
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		TP_TRY(add_list(points, axis));
		count *= points->values[axis].count > 0 ? points->values[axis].count : 1;
		if (count > TP_SWEEP_POINTS_MAX)
			return tp_fail(TP_ERR_INPUT, "sweep: expected at most %d points, found %" PRId64 " or more",
			               TP_SWEEP_POINTS_MAX, count);
	}
	points->count = (int32_t)count;
	return TP_OK;
}

void tp_sweep_points_release(struct tp_sweep_points *points)
{
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		for (int32_t i = 0; i < points->values[axis].count; i++)
			tp_free(points->values[axis].texts[i]);
		tp_free(points->values[axis].texts);
	}
	*points = (struct tp_sweep_points){0};
}

const char *tp_sweep_point_value(const struct tp_sweep_points *points, int32_t index, enum tp_sweep_axis axis)
{
	if (points->values[axis].count == 0)
		return NULL;
	for (int a = TP_SWEEP_AXES - 1; a > (int)axis; a--)
		index /= points->values[a].count > 0 ? points->values[a].count : 1;
	return points->values[axis].texts[index % points->values[axis].count];
}

enum tp_status tp_sweep_point_options(const struct tp_sweep_points *points, int32_t index, struct tp_options *options)
{
	*options = *points->options;
	options->stages_given = points->values[TP_SWEEP_STAGES].count > 0;
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		const char *value = tp_sweep_point_value(points, index, axis);
		if (value)
			TP_TRY(tp_option_set(tp_option_find(axes[axis].name, TP_FOR_RUN), value, options));
	}
	return tp_options_resolve(options);
}

enum tp_status tp_sweep_points_hash(const struct tp_sweep_points *points, uint64_t *hash)
{
	struct tp_text text = {0};
	struct tp_options *first = tp_alloc(sizeof *first);
	enum tp_status status = first ? tp_sweep_point_options(points, 0, first) : TP_ERR_NOMEM;
	if (status == TP_OK)
		tp_run_config_text(&first->config, &text);
	tp_free(first);
	for (enum tp_sweep_axis axis = 0; axis < TP_SWEEP_AXES; axis++) {
		tp_text_add(&text, "\n%s", axes[axis].name);
		for (int32_t i = 0; i < points->values[axis].count; i++)
			tp_text_add(&text, " %s", points->values[axis].texts[i]);
	}
	*hash = tp_hash_text(tp_text_get(&text));
	tp_text_release(&text);
	return status;
}
