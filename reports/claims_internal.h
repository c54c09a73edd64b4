/* Shared by the files of claims. */
#ifndef TP_REPORTS_CLAIMS_INTERNAL_H
#define TP_REPORTS_CLAIMS_INTERNAL_H

#include "reports/claims.h"

/* A copy of our own; NULL when memory ran out. */
char *tp_claims_keep(const char *text);

/* --- claims_data.c: the shipped tables
 * -------------------------------------------------------------------------------- */

/* Fill in claims without findings, and readings. */
enum tp_status tp_claims_load(struct tp_claims *claims);

/* Is it one of the ids of the reading? */
bool tp_claim_reading_of(const struct tp_claim_reading *reading, const char *id);

/* --- claims_figures.c: what runs stored
 * ------------------------------------------------------------------------------- */

/* An epoch of a run's training curve. */
struct tp_claim_epoch {
	double end_s; /* of training, evaluations not counted */
	double top1;  /* share; NAN: not evaluated */
};

/* One run; NAN where nothing was recorded. */
struct tp_claim_run {
	int64_t run_id;
	uint64_t seed;
	double epoch_ns;                /* mean over epochs */
	double peak_bytes;              /* summed over stages, of the fullest epoch */
	double *stage_peak_bytes;       /* per stage, of its fullest epoch */
	double alpha;                   /* mean over epochs */
	double sent_bytes, backward_ns; /* per mini-batch, over all stages */
	double version_difference_max;  /* v */
	double version_chains_max;
	double chain_misses;                    /* epochs whose chains are not as many as their v */
	double staleness_max;                   /* of updates, in epochs with v = 1; NAN: none had it */
	int64_t mini_batches_min;               /* of an epoch */
	double target, target_epochs, target_s; /* --target-top1; the latter NAN where it was not reached */
	struct tp_claim_epoch *epochs;
	int32_t epoch_count;
};

/* The usable runs of a group. */
struct tp_claim_group {
	const struct tp_group *group;
	struct tp_claim_run *runs;
};

struct tp_claim_groups {
	struct tp_claim_group *groups; /* as many as were read */
	int32_t count;
};

enum tp_status tp_claim_groups_read(struct tp_store *store, const struct tp_groups *groups,
                                    struct tp_claim_groups *read);
void tp_claim_groups_release(struct tp_claim_groups *read);

/* --- claims_judge.c: two samples and a direction
 * ---------------------------------------------------------------------- */

enum tp_claim_quantity {
	TP_QUANTITY_EPOCH_TIME,
	TP_QUANTITY_PEAK,
	TP_QUANTITY_STAGE_PEAKS, /* a measure for each stage */
	TP_QUANTITY_TOP1_AT_TIME,
	TP_QUANTITY_TOP1_AT_EPOCH,
	TP_QUANTITY_TARGET_TIME,
	TP_QUANTITY_TARGET_EPOCHS,
	TP_QUANTITY_SENT_BYTES,
	TP_QUANTITY_ALPHA,
	TP_QUANTITY_BACKWARD,
};

/* What is claimed of the subject against the other. NEAR: the ratio is (N + 1) / (2 N), within 5 percent. */
enum tp_claim_direction { TP_CLAIM_LESS, TP_CLAIM_MORE, TP_CLAIM_NOT_LESS, TP_CLAIM_NEAR };

struct tp_claim_comparison {
	enum tp_claim_quantity quantity;
	enum tp_claim_direction direction;
	int32_t subject, other; /* sides */
};

/* Add the measures of a comparison to the finding, which has room for them. */
enum tp_status tp_claim_judge(const struct tp_claim_group *const *sides, const struct tp_claim_comparison *comparison,
                              struct tp_claim_finding *finding);

/* Are times and memory of this group computed, so that they have no spread? */
bool tp_claim_modelled(const struct tp_group *group);

/* Fewest runs or seeds of each side that a verdict takes where there is a spread. */
#define TP_CLAIM_SAMPLES_MIN 3

/* --- claims_versions.c: counts of versions
 * ------------------------------------------------------------------------------ */

/* Does the claim speak of versions of `timeprest`? */
bool tp_claim_of_versions(const char *id);

/* Add the measure of such a claim to the finding, which has room for it. */
void tp_claim_judge_versions(const char *id, const struct tp_claim_group *group, struct tp_claim_finding *finding);

/* --- claims.c
 * ----------------------------------------------------------------------------------------------------------- */

/* The next finding of a claim, empty, with room for `measures`; NULL when memory ran out. */
struct tp_claim_finding *tp_claim_add_finding(struct tp_claim *claim, int32_t measures);

/* Of a finding by its measures, and of a claim by its findings. */
void tp_claim_conclude_finding(struct tp_claim_finding *finding);
void tp_claim_conclude(struct tp_claim *claim);

/* --- claims_format.c: what the writers share
 * --------------------------------------------------------------------------- */

/* "epoch time, ms: timeprest 53.1, pipedream 80.2, ratio 0.662 [0.65, 0.67], 90 %, n 3 and 3": not escaped. */
void tp_claim_measure_text(const struct tp_claim_finding *finding, const struct tp_claim_measure *measure,
                           struct tp_text *out);

/* "runs 1, 3, 5..9 (timeprest); 2, 4 (pipedream)" */
void tp_claim_runs_text(const struct tp_claim_finding *finding, struct tp_text *out);

#endif
