/* Two samples and what is claimed of them: their medians, an interval, a verdict. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "profiler/statistics.h"
#include "reports/claims_internal.h"

/* What 3 and 3 values reach, but for rounding. */
#define CONFIDENCE_MIN (0.9 - 1e-9)
#define NEAR_SHARE 0.05

/* Where the values of an accuracy are taken, the same for both sides. */
struct limits {
	double time_s; /* the longest that every run trained */
	int32_t epoch; /* the latest that every run evaluated; 0: none */
	double target; /* NAN: none */
};

/* How a quantity is compared. */
struct quantity {
	const char *what, *unit;
	double scale; /* stored -> unit */
	enum tp_claim_measure_kind kind;
	bool per_seed; /* else per run */
	bool modelled; /* the virtual clock computes it */
	bool timed;    /* it depends on what operations cost */
};

static const struct quantity quantities[] = {
        [TP_QUANTITY_EPOCH_TIME] = {"epoch time", "ms", 1e-6, TP_MEASURE_RATIO, false, true, true},
        [TP_QUANTITY_PEAK] = {"peak memory of all stages", "MiB", 1.0 / (1 << 20), TP_MEASURE_RATIO, false, true,
                              false},
        [TP_QUANTITY_STAGE_PEAKS] = {"peak memory of stage", "MiB", 1.0 / (1 << 20), TP_MEASURE_RATIO, false, true,
                                     false},
        [TP_QUANTITY_TOP1_AT_TIME] = {"top-1 at equal time", "%", 100, TP_MEASURE_DIFFERENCE, true, false, true},
        [TP_QUANTITY_TOP1_AT_EPOCH] = {"top-1 at equal epochs", "%", 100, TP_MEASURE_DIFFERENCE, true, false, false},
        [TP_QUANTITY_TARGET_TIME] = {"time to target", "s", 1, TP_MEASURE_RATIO, true, false, true},
        [TP_QUANTITY_TARGET_EPOCHS] = {"epochs to target", "", 1, TP_MEASURE_RATIO, true, false, false},
        [TP_QUANTITY_SENT_BYTES] = {"sent per mini-batch", "kB", 1e-3, TP_MEASURE_RATIO, false, true, false},
        [TP_QUANTITY_ALPHA] = {"overlap alpha", "", 1, TP_MEASURE_DIFFERENCE, false, true, true},
        [TP_QUANTITY_BACKWARD] = {"backward per mini-batch", "ms", 1e-6, TP_MEASURE_RATIO, false, false, false},
};

bool tp_claim_modelled(const struct tp_group *group)
{
	return strcmp(group->clock, "virtual") == 0;
}

/* --- values
 * ------------------------------------------------------------------------------------------------------------ */

static double top1_at_time(const struct tp_claim_run *run, double time_s)
{
	double top1 = (double)NAN;
	for (int32_t e = 0; e < run->epoch_count && run->epochs[e].end_s <= time_s; e++) {
		if (!isnan(run->epochs[e].top1))
			top1 = run->epochs[e].top1;
	}
	return top1;
}

/* A run that did not reach the target counts with all it trained, which is too little. */
static double to_target(const struct tp_claim_run *run, double target, double reached, double trained)
{
	if (!(run->target == target))
		return (double)NAN;
	return isnan(reached) ? trained : reached;
}

static double value_of(enum tp_claim_quantity quantity, int32_t stage, const struct tp_claim_run *run,
                       const struct limits *limits)
{
	switch (quantity) {
	case TP_QUANTITY_EPOCH_TIME:
		return run->epoch_ns;
	case TP_QUANTITY_PEAK:
		return run->peak_bytes;
	case TP_QUANTITY_STAGE_PEAKS:
		return run->stage_peak_bytes[stage];
	case TP_QUANTITY_TOP1_AT_TIME:
		return top1_at_time(run, limits->time_s);
	case TP_QUANTITY_TOP1_AT_EPOCH:
		return limits->epoch > 0 ? run->epochs[limits->epoch - 1].top1 : (double)NAN;
	case TP_QUANTITY_TARGET_TIME:
		return to_target(run, limits->target, run->target_s, run->epochs[run->epoch_count - 1].end_s);
	case TP_QUANTITY_TARGET_EPOCHS:
		return to_target(run, limits->target, run->target_epochs, run->epoch_count);
	case TP_QUANTITY_SENT_BYTES:
		return run->sent_bytes;
	case TP_QUANTITY_ALPHA:
		return run->alpha;
	case TP_QUANTITY_BACKWARD:
		return run->backward_ns;
	}
	return (double)NAN;
}

static bool evaluated_by(const struct tp_claim_group *group, int32_t epoch)
{
	for (int32_t r = 0; r < group->group->run_count; r++) {
		const struct tp_claim_run *run = &group->runs[r];
		if (run->epoch_count < epoch || isnan(run->epochs[epoch - 1].top1))
			return false;
	}
	return true;
}

static struct limits limits_of(const struct tp_claim_group *subject, const struct tp_claim_group *other)
{
	const struct tp_claim_group *const both[] = {subject, other};
	struct limits limits = {(double)INFINITY, subject->runs[0].epoch_count, (double)NAN};
	while (limits.epoch > 0 && !(evaluated_by(subject, limits.epoch) && evaluated_by(other, limits.epoch)))
		limits.epoch--;
	for (size_t i = 0; i < 2; i++) {
		for (int32_t r = 0; r < both[i]->group->run_count; r++) {
			const struct tp_claim_run *run = &both[i]->runs[r];
			limits.time_s = fmin(limits.time_s, run->epochs[run->epoch_count - 1].end_s);
			if (isnan(limits.target))
				limits.target = run->target;
		}
	}
	return limits;
}

static bool of_target(enum tp_claim_quantity which)
{
	return which == TP_QUANTITY_TARGET_TIME || which == TP_QUANTITY_TARGET_EPOCHS;
}

/* The sample of a side, in the quantity's unit. */
struct sample {
	double *values;
	int32_t count;
	int32_t unreached; /* runs that did not reach the target */
};

/* One value for each run that has one; of runs with the same seed their mean where seeds are what is sampled. */
static enum tp_status gather(enum tp_claim_quantity which, int32_t stage, const struct tp_claim_group *group,
                             const struct limits *limits, struct sample *sample)
{
	const struct quantity *quantity = &quantities[which];
	int32_t runs = group->group->run_count;
	*sample = (struct sample){.values = tp_alloc_array((size_t)runs, sizeof *sample->values)};
	if (!sample->values)
		return TP_ERR_NOMEM;
	for (int32_t r = 0; r < runs; r++) {
		double sum = 0;
		int32_t count = 0;
		bool first = true;
		for (int32_t i = 0; i < runs; i++) {
			bool same = quantity->per_seed ? group->runs[i].seed == group->runs[r].seed : i == r;
			double value = same ? value_of(which, stage, &group->runs[i], limits) : (double)NAN;
			first = first && !(same && i < r);
			sum += isnan(value) ? 0 : value;
			count += !isnan(value);
		}
		if (first && count > 0)
			sample->values[sample->count++] = quantity->scale * sum / count;
		sample->unreached +=
		        of_target(which) && group->runs[r].target == limits->target && isnan(group->runs[r].target_s);
	}
	return TP_OK;
}

/* --- verdicts
 * ---------------------------------------------------------------------------------------------------------- */

static double median(double *values, int32_t count)
{
	return count > 0 ? tp_statistics_of(values, count).median : (double)NAN;
}

/* From the least to the greatest that any run against any other has; both samples are in order. */
static void take_extremes(const struct sample *subject, const struct sample *other, struct tp_claim_measure *measure)
{
	double s_low = subject->values[0], s_high = subject->values[subject->count - 1];
	double o_low = other->values[0], o_high = other->values[other->count - 1];
	bool ratio = measure->kind == TP_MEASURE_RATIO;
	if (ratio && !(o_low > 0))
		return;
	measure->extremes = true;
	measure->interval = (struct tp_interval){
	        .low = ratio ? s_low / o_high : s_low - o_high,
	        .mid = ratio ? measure->subject / measure->other : measure->subject - measure->other,
	        .high = ratio ? s_high / o_low : s_high - o_low,
	        .confidence = 1,
	        .n_a = other->count,
	        .n_b = subject->count,
	};
}

static enum tp_status take_interval(const struct sample *subject, const struct sample *other,
                                    struct tp_claim_measure *measure)
{
	if (measure->kind == TP_MEASURE_RATIO)
		return tp_ratio_interval(other->values, other->count, subject->values, subject->count,
		                         &measure->interval);
	return tp_difference_interval(other->values, other->count, subject->values, subject->count, &measure->interval);
}

/* The part of the naive volume that the paper's has. */
static double volume_share(const struct tp_group *group)
{
	return (group->micro_batches + 1.0) / (2.0 * group->micro_batches);
}

/* Holds when all of the interval is as claimed, fails when none of it is. */
static void decide(enum tp_claim_direction direction, double share, struct tp_claim_measure *measure)
{
	double low = measure->interval.low, high = measure->interval.high;
	double same = measure->kind == TP_MEASURE_RATIO ? 1 : 0;
	bool holds = false, fails = false;
	switch (direction) {
	case TP_CLAIM_LESS:
		holds = high < same;
		fails = low >= same;
		break;
	case TP_CLAIM_MORE:
		holds = low > same;
		fails = high <= same;
		break;
	case TP_CLAIM_NOT_LESS:
		holds = low >= same;
		fails = high < same;
		break;
	case TP_CLAIM_NEAR:
		holds = low >= share * (1 - NEAR_SHARE) && high <= share * (1 + NEAR_SHARE);
		fails = high < share * (1 - NEAR_SHARE) || low > share * (1 + NEAR_SHARE);
		(void)snprintf(measure->note, sizeof measure->note, "claimed: %.3f", share);
		break;
	}
	measure->verdict = holds ? TP_HOLDS : fails ? TP_FAILS : TP_NOT_TESTED;
	if (!holds && !fails)
		(void)snprintf(measure->note, sizeof measure->note, "undecided: the interval holds both answers");
}

/* A side that is said to need less but did not reach the target may have needed any amount; where none reached it,
 * nothing is known. */
static void mind_unreached(const struct sample *subject, const struct sample *other, enum tp_verdict when_less,
                           struct tp_claim_measure *measure)
{
	if (subject->unreached == 0 && other->unreached == 0)
		return;
	bool less = measure->verdict == when_less;
	bool known = measure->verdict != TP_NOT_TESTED && (less ? subject->unreached == 0 : other->unreached == 0);
	if (!known)
		measure->verdict = TP_NOT_TESTED;
	(void)snprintf(measure->note, sizeof measure->note,
	               "%sthe target was not reached by %d and %d runs, which count with all they trained",
	               known ? "" : "undecided: ", (int)subject->unreached, (int)other->unreached);
}

static const char *sampled(const struct quantity *quantity)
{
	return quantity->per_seed ? "seeds" : "runs";
}

static void say_missing(enum tp_claim_quantity which, const struct limits *limits, struct tp_claim_measure *measure)
{
	const char *why = "not recorded on both sides";
	if (of_target(which) && isnan(limits->target))
		why = "no --target-top1 was given";
	else if (of_target(which))
		why = "the runs have no target in common";
	else if (which == TP_QUANTITY_ALPHA)
		why = "messages changed hands in memory: needs a link";
	else if (which == TP_QUANTITY_TOP1_AT_TIME)
		why = "a side had not been evaluated by then";
	(void)snprintf(measure->note, sizeof measure->note, "%s", why);
}

/* Costs that are the same for a mini-batch as for a micro-batch, and for a large stage as for a small one, compare
 * slots, not time. */
static bool costs_in_slots(const struct tp_group *group)
{
	return tp_claim_modelled(group) && strncmp(group->costs, "uniform", strlen("uniform")) == 0;
}

static enum tp_status judge_samples(const struct tp_claim_group *const *sides,
                                    const struct tp_claim_comparison *comparison, const struct sample *subject,
                                    const struct sample *other, struct tp_claim_measure *measure)
{
	const struct quantity *quantity = &quantities[comparison->quantity];
	const struct tp_group *group = sides[comparison->subject]->group;
	bool bytes = comparison->quantity == TP_QUANTITY_SENT_BYTES; /* counted under any clock */
	if (bytes || (quantity->modelled && tp_claim_modelled(group)))
		take_extremes(subject, other, measure);
	else
		TP_TRY(take_interval(subject, other, measure));
	if (!(measure->interval.confidence >= CONFIDENCE_MIN)) {
		(void)snprintf(measure->note, sizeof measure->note,
		               "undecided: %s of each side needed: %d, found %d and %d", sampled(quantity),
		               TP_CLAIM_SAMPLES_MIN, (int)subject->count, (int)other->count);
		return TP_OK;
	}
	if (quantity->timed && costs_in_slots(group)) {
		(void)snprintf(measure->note, sizeof measure->note,
		               "uniform costs do not grow with the samples of an operation: needs others");
		return TP_OK;
	}
	decide(comparison->direction, volume_share(group), measure);
	mind_unreached(subject, other, comparison->direction == TP_CLAIM_LESS ? TP_HOLDS : TP_FAILS, measure);
	return TP_OK;
}

static enum tp_status judge_stage(const struct tp_claim_group *const *sides,
                                  const struct tp_claim_comparison *comparison, int32_t stage,
                                  struct tp_claim_measure *measure)
{
	const struct tp_claim_group *subject_side = sides[comparison->subject], *other_side = sides[comparison->other];
	const struct limits limits = limits_of(subject_side, other_side);
	struct sample subject = {0}, other = {0};
	enum tp_status status = gather(comparison->quantity, stage, subject_side, &limits, &subject);
	if (status == TP_OK)
		status = gather(comparison->quantity, stage, other_side, &limits, &other);
	if (status == TP_OK) {
		measure->subject = median(subject.values, subject.count);
		measure->other = median(other.values, other.count);
		if (comparison->quantity == TP_QUANTITY_BACKWARD && tp_claim_modelled(subject_side->group))
			(void)snprintf(measure->note, sizeof measure->note,
			               "the costs were given, or measured once for all runs: needs the real clock");
		else if (subject.count == 0 || other.count == 0)
			say_missing(comparison->quantity, &limits, measure);
		else
			status = judge_samples(sides, comparison, &subject, &other, measure);
	}
	tp_free(subject.values);
	tp_free(other.values);
	return status;
}

enum tp_status tp_claim_judge(const struct tp_claim_group *const *sides, const struct tp_claim_comparison *comparison,
                              struct tp_claim_finding *finding)
{
	const struct quantity *quantity = &quantities[comparison->quantity];
	bool per_stage = comparison->quantity == TP_QUANTITY_STAGE_PEAKS;
	int32_t stages = per_stage ? sides[comparison->subject]->group->stages : 1;
	for (int32_t s = 0; s < stages; s++) {
		struct tp_claim_measure *measure = &finding->measures[finding->measure_count++];
		*measure = (struct tp_claim_measure){
		        .kind = quantity->kind,
		        .subject_side = comparison->subject,
		        .other_side = comparison->other,
		        .interval = {.low = (double)NAN, .mid = (double)NAN, .high = (double)NAN},
		};
		(void)snprintf(measure->unit, sizeof measure->unit, "%s", quantity->unit);
		if (per_stage)
			(void)snprintf(measure->what, sizeof measure->what, "%s %d", quantity->what, (int)s);
		else
			(void)snprintf(measure->what, sizeof measure->what, "%s", quantity->what);
		TP_TRY(judge_stage(sides, comparison, s, measure));
	}
	return TP_OK;
}
