#include "engine/run/evaluate.h"

#include "engine/base/clock.h"

/* One batch through all stages; returns the logits. */
static enum tp_status infer(struct tp_crew *crew, int64_t first, int32_t count, const void **logits)
{
	struct tp_worker *head = &crew->workers[0];
	struct tp_stage *stage = &head->stage;
	const void *data = NULL;
	tp_batch_test(crew->dataset, first, count, head->staging, NULL);
	stage->ops->upload(stage->device, head->staging, tp_stage_input_data(stage, &stage->activations.slots[0]),
			   count * tp_shape_elements(stage->spec.input.shape));
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		struct tp_worker *worker = &crew->workers[s];
		int32_t live = tp_ledger_buffer(&worker->ledger, worker->ledger.live);
		TP_TRY(tp_stage_infer(&worker->stage, count, data, live, &data));
	}
	*logits = data;
	return TP_OK;
}

enum tp_status tp_evaluate(struct tp_crew *crew, struct tp_evaluation *evaluation)
{
	struct tp_stage *tail = &crew->workers[crew->pipeline.stages - 1].stage;
	int32_t *labels = tail->activations.slots[0].labels;
	int64_t tests = crew->dataset->count[TP_TEST];
	int64_t start_ns = tp_now_ns();
	*evaluation = (struct tp_evaluation){0};
	if (tail->ops->enter_thread)
		tail->ops->enter_thread();
	for (int64_t first = 0; first < tests && tail->ops->element_bytes > 0; first += crew->slicing.batch) {
		int64_t left = tests - first;
		int32_t count = left < crew->slicing.batch ? (int32_t)left : crew->slicing.batch;
		const void *logits;
		struct tp_loss_result sums = {0};
		if (atomic_load_explicit(&crew->control->stop, memory_order_relaxed))
			return tp_fail(TP_ERR_INTERRUPTED, "interrupted");
		TP_TRY(infer(crew, first, count, &logits));
		tp_batch_test(crew->dataset, first, count, NULL, labels);
		tail->ops->loss_forward(tail->device, count, tp_stage_output(tail)->shape.c, logits, labels, NULL, &sums);
		evaluation->sums.loss_sum += sums.loss_sum;
		evaluation->sums.top1 += sums.top1;
		evaluation->sums.top5 += sums.top5;
		evaluation->samples += count;
	}
	evaluation->duration_ns = tp_now_ns() - start_ns;
	return TP_OK;
}
