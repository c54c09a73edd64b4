#include "baselines/policies.h"

/* GPipe (NeurIPS'19): all micro-batches forward, then all backward in the opposite order, then one update, which is
 * also the flush: no stage begins the next mini-batch before. */
const struct tp_policy tp_policy_gpipe = {
        .name = "gpipe",
        .summary = "all micro-batches forward, all backward, then a flush and one update",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MICRO,
        .backward_reversed = true,
        .forward_reads = TP_READS_LIVE,
        .backward_reads = TP_READS_LIVE,
        .mini_limit = TP_LIMIT_ONE,
};
