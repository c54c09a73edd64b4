#include "baselines/policies.h"

/* PipeDream (SOSP'19), 1F1B with weight stashing: a mini-batch's backward at a stage reads the weights its forward read
 * there; no vertical synchronisation. */
const struct tp_policy tp_policy_pipedream = {
        .name = "pipedream",
        .summary = "1F1B of whole mini-batches with weight stashing at every stage",
        .forward_unit = TP_UNIT_MINI,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_LIVE,
        .backward_reads = TP_READS_STASHED,
        .mini_limit = TP_LIMIT_DEPTH,
};

/* PipeDream's vertical synchronisation: a mini-batch reads one version at all stages, that of its entry, and its
 * backward the same. */
const struct tp_policy tp_policy_pipedream_vsync = {
        .name = "pipedream-vsync",
        .summary = "pipedream whose mini-batches read the same weight version at every stage",
        .forward_unit = TP_UNIT_MINI,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_TAG,
        .backward_reads = TP_READS_STASHED,
        .mini_limit = TP_LIMIT_DEPTH,
};
