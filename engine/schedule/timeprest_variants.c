/* The paper's variants of nF1B, and the two of the follow-up work; timeprest.c has the schedule itself. */
#include "engine/schedule/policy.h"

/* Variant 1: with horizontal stashing. Each micro-batch's part of the backward reads what its forward read; it is still
 * one backward, one message and one update. */
const struct tp_policy tp_policy_timeprest_stash = {
        .name = "timeprest-stash",
        .summary = "nF1B with weight stashing: a backward reads what each micro-batch's forward read (Variant 1)",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_TAG,
        .backward_reads = TP_READS_STASHED,
        .mini_limit = TP_LIMIT_DEPTH,
};

/* Variant 2: without micro-batches. */
const struct tp_policy tp_policy_timeprest_1f1b = {
        .name = "timeprest-1f1b",
        .summary = "1F1B of whole mini-batches, no weight stashing, vertical sync (Variant 2)",
        .forward_unit = TP_UNIT_MINI,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_TAG,
        .backward_reads = TP_READS_COMMITTED,
        .mini_limit = TP_LIMIT_DEPTH,
        .backward_version_option = true,
};

/* Without vertical synchronisation: everything reads a stage's live weights, so one version suffices. */
const struct tp_policy tp_policy_v_timeprest = {
        .name = "v-timeprest",
        .summary = "nF1B without vertical sync: every operation reads its stage's live weights",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_LIVE,
        .backward_reads = TP_READS_LIVE,
        .mini_limit = TP_LIMIT_DEPTH,
};

/* A backward reads, for each micro-batch, lambda * W(tag) + (1 - lambda) * W(stamp) with lambda = exp(-decay * (stamp -
 * tag)). The idea is that of arXiv 2509.23241; these weights are this project's own. */
const struct tp_policy tp_policy_i_timeprest = {
        .name = "i-timeprest",
        .summary = "nF1B whose backward reads between stashed and newest weights, by their distance",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_TAG,
        .backward_reads = TP_READS_BETWEEN,
        .mini_limit = TP_LIMIT_DEPTH,
};
