#include "engine/schedule/policy.h"

/* nF1B of arXiv 2410.14312: N forwards of micro-batches, one backward of the mini-batch; no horizontal stashing (the
 * backward reads the newest committed version, Eq. 1), vertical synchronisation (the forward reads its tag everywhere).
 */
const struct tp_policy tp_policy_timeprest = {
        .name = "timeprest",
        .summary = "nF1B: micro-batch forwards, one backward per mini-batch, no weight stashing, vertical sync",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MINI,
        .forward_reads = TP_READS_TAG,
        .backward_reads = TP_READS_COMMITTED,
        .mini_limit = TP_LIMIT_DEPTH,
        .backward_version_option = true,
};
