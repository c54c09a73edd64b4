#include "baselines/policies.h"

/* No pipeline: one mini-batch after another on one stage. The numeric reference of all others. */
const struct tp_policy tp_policy_sequential = {
        .name = "sequential",
        .summary = "no pipeline: one stage, whole mini-batches; the numeric reference",
        .single_stage = true,
        .forward_unit = TP_UNIT_MINI,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_LIVE,
        .backward_reads = TP_READS_LIVE,
        .mini_limit = TP_LIMIT_ONE,
};
