/* Evaluation on the test samples with the live weights, while the pipeline is drained: the stages form a pipeline of
 * inferences. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_EVALUATE_H
#define TP_ENGINE_RUN_EVALUATE_H

#include "engine/run/worker.h"

struct tp_evaluation {
	int64_t samples;
	struct tp_loss_result sums;
	int64_t duration_ns;
};

/* All test samples in file order, the last partial batch included. TP_ERR_INTERRUPTED when the run is stopped. */
enum tp_status tp_evaluate(struct tp_crew *crew, struct tp_evaluation *evaluation);

#endif
