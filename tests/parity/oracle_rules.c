#include "tests/parity/oracle_play.h"

#include <string.h>

static const struct oracle_rules all_rules[] = {
        {.schedule = "sequential", .one_stage = true, .flush = true, .reads = ORACLE_LIVE},
        {.schedule = "gpipe",
         .forward_micro = true,
         .backward_micro = true,
         .last_first = true,
         .flush = true,
         .reads = ORACLE_LIVE},
        {.schedule = "1f1b",
         .forward_micro = true,
         .backward_micro = true,
         .flush = true,
         .micro_limit = true,
         .reads = ORACLE_LIVE},
        {.schedule = "zb-h1",
         .forward_micro = true,
         .backward_micro = true,
         .split = true,
         .flush = true,
         .micro_limit = true,
         .reads = ORACLE_LIVE},
        {.schedule = "pipedream", .reads = ORACLE_STASHED},
        {.schedule = "pipedream-vsync", .tagged = true, .reads = ORACLE_STASHED},
        {.schedule = "pipedream-2bw",
         .forward_micro = true,
         .backward_micro = true,
         .micro_limit = true,
         .reads = ORACLE_DELAYED},
        {.schedule = "timeprest",
         .backward_version = "committed",
         .forward_micro = true,
         .tagged = true,
         .reads = ORACLE_STAMP},
        {.schedule = "timeprest",
         .backward_version = "latest",
         .forward_micro = true,
         .tagged = true,
         .reads = ORACLE_LIVE},
        {.schedule = "timeprest",
         .backward_version = "stashed",
         .forward_micro = true,
         .tagged = true,
         .reads = ORACLE_STASHED},
        {.schedule = "timeprest-stash", .forward_micro = true, .tagged = true, .reads = ORACLE_STASHED},
        {.schedule = "timeprest-1f1b", .backward_version = "committed", .tagged = true, .reads = ORACLE_STAMP},
        {.schedule = "timeprest-1f1b", .backward_version = "latest", .tagged = true, .reads = ORACLE_LIVE},
        {.schedule = "timeprest-1f1b", .backward_version = "stashed", .tagged = true, .reads = ORACLE_STASHED},
        {.schedule = "v-timeprest", .forward_micro = true, .reads = ORACLE_LIVE},
        {.schedule = "i-timeprest", .forward_micro = true, .tagged = true, .reads = ORACLE_BETWEEN},
};

/* Is the word the first one, or NULL for it, or the second one? */
static bool is_either(const char *word, const char *first, const char *second)
{
	return word == NULL || strcmp(word, first) == 0 || strcmp(word, second) == 0;
}

/* Are the axes within their range, and such that a schedule of these rules has them? */
static bool axes_fit(const struct oracle_pipeline *pipeline, const struct oracle_rules *rules)
{
	const int depth = pipeline->in_flight ? pipeline->in_flight : pipeline->stages;

	if (!is_either(pipeline->backward, "stored", "recompute") ||
	    !is_either(pipeline->sequence, "merged", "independent") || pipeline->in_flight < 0 ||
	    pipeline->max_staleness < 0 || pipeline->decay < 0)
		return false;
	if (pipeline->max_staleness > 0 && rules->reads != ORACLE_STAMP && rules->reads != ORACLE_BETWEEN)
		return false;
	if (pipeline->sequence != NULL && strcmp(pipeline->sequence, "independent") == 0 &&
	    rules->reads != ORACLE_STAMP)
		return false;
	return rules->reads != ORACLE_DELAYED || pipeline->micro_batches >= depth;
}

const struct oracle_rules *oracle_rules_find(const struct oracle_pipeline *pipeline)
{
	const char *reads = pipeline->backward_version ? pipeline->backward_version : "committed";

	if (pipeline->stages < 1 || pipeline->micro_batches < 1 || pipeline->mini_batches < 1 || pipeline->epochs < 1)
		return NULL;
	for (size_t k = 0; k < sizeof(all_rules) / sizeof(all_rules[0]); k++) {
		const struct oracle_rules *rules = &all_rules[k];

		if (strcmp(rules->schedule, pipeline->schedule) == 0 &&
		    (rules->backward_version == NULL || strcmp(rules->backward_version, reads) == 0))
			return axes_fit(pipeline, rules) ? rules : NULL;
	}
	return NULL;
}
