#include "baselines/policies.h"

/* PipeDream-2BW (ICML'21): micro-batches stream without a flush; two versions of the weights. Mini-batch t reads
 * version t - 2 in forward and backward, which with N >= W is there when its first micro-batch enters: W(t+1) = W(t) -
 * lr * g(W(t-1)). */
const struct tp_policy tp_policy_pipedream_2bw = {
        .name = "pipedream-2bw",
        .summary = "1F1B of micro-batches without a flush, two weight versions, gradients one update late",
        .forward_unit = TP_UNIT_MICRO,
        .backward_unit = TP_UNIT_MICRO,
        .forward_reads = TP_READS_DELAYED,
        .backward_reads = TP_READS_STASHED,
        .micro_limit = TP_LIMIT_DEPTH,
};
