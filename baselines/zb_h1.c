#include "baselines/policies.h"

/* ZB-H1 of Zero Bubble (ICLR'24): a backward is split into the part that its neighbour waits for (BX) and the part that
 * only the update waits for (BW), which fills the gaps of 1F1B. Every stage may hold W micro-batches between forward
 * and weight part, which is what the first stage of 1F1B holds. */
const struct tp_policy tp_policy_zb_h1 = {
        .name = "zb-h1",
        .summary = "1F1B with split backwards: weight gradients fill the gaps, a flush per mini-batch",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MICRO,
        .backward_split = true,
        .forward_reads = TP_READS_LIVE,
        .backward_reads = TP_READS_LIVE,
        .mini_limit = TP_LIMIT_ONE,
        .micro_limit = TP_LIMIT_DEPTH,
        .weights_limit = TP_LIMIT_WHOLE,
};
