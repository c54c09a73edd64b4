#include "engine/run/evaluate.h"

#include "engine/base/clock.h"
#include "engine/run/real_driver.h"

/* A batch of test samples on its way. `channel` brings it from the stage before, or brings back that the stage after
 * has read the one before and its buffer may be written again. */
struct expected {
	struct tp_channel *channel;
	const struct tp_message *message;
};

static bool has_message(struct tp_worker *worker, void *context)
{
	(void)worker;
	struct expected *expected = context;
	expected->message = tp_channel_peek(expected->channel);
	return expected->message != NULL;
}

static enum tp_status receive(struct tp_worker *worker, struct tp_channel *channel, const void **data)
{
	struct expected expected = {.channel = channel};
	TP_TRY(tp_worker_wait(worker, has_message, &expected));
	*data = expected.message->activation;
	tp_channel_pop(channel);
	return TP_OK;
}

static void draw_test_samples(struct tp_worker *worker, int64_t first, int32_t count)
{
	struct tp_stage *stage = &worker->stage;
	tp_batch_test(worker->crew->dataset, first, count, worker->staging, NULL);
	stage->ops->upload(stage->device, worker->staging, tp_stage_input_data(stage, &stage->activations.slots[0]),
	                   stage->spec.input.shape, count);
}

static void add_loss(struct tp_worker *worker, int64_t first, int32_t count)
{
	struct tp_stage *stage = &worker->stage;
	struct tp_activation_slot *slot = &stage->activations.slots[0];
	struct tp_loss_result sums = {0};
	tp_batch_test(worker->crew->dataset, first, count, NULL, slot->labels);
	stage->ops->loss_forward(stage->device, count, tp_stage_output(stage)->shape.c,
	                         tp_stage_output_data(stage, slot), slot->labels, NULL, &sums);
	worker->loss.loss_sum += sums.loss_sum;
	worker->loss.top1 += sums.top1;
	worker->loss.top5 += sums.top5;
	worker->samples_seen += count;
}

/* One batch through this stage. Its output buffer is free again once the stage after has read the batch before. */
static enum tp_status infer_batch(struct tp_worker *worker, int64_t first, int32_t count)
{
	struct tp_crew *crew = worker->crew;
	struct tp_stage *stage = &worker->stage;
	int32_t live = tp_ledger_buffer(&worker->station.ledger, worker->station.ledger.live);
	bool last = worker->index == crew->pipeline.stages - 1;
	const void *data = NULL, *nothing;
	if (worker->index == 0)
		draw_test_samples(worker, first, count);
	else
		TP_TRY(receive(worker, &worker->activations, &data));
	if (!last && first > 0)
		TP_TRY(receive(worker, &worker->gradients, &nothing));
	TP_TRY(tp_stage_infer_input(stage, count, data, live));
	TP_TRY(tp_stage_finish(stage));
	if (worker->index > 0)
		TP_CHECK(tp_channel_send_now(&crew->workers[worker->index - 1].gradients, &(struct tp_message){0}) ==
		         TP_SEND_DONE);
	TP_TRY(tp_stage_infer_rest(stage, count, live));
	TP_TRY(tp_stage_finish(stage));
	if (last) {
		add_loss(worker, first, count);
		return TP_OK;
	}
	struct tp_message done = {.activation = tp_stage_output_data(stage, &stage->activations.slots[0])};
	TP_CHECK(tp_channel_send_now(&crew->workers[worker->index + 1].activations, &done) == TP_SEND_DONE);
	return TP_OK;
}

static void evaluate_stage(struct tp_worker *worker)
{
	const struct tp_crew *crew = worker->crew;
	int64_t tests = crew->dataset->count[TP_TEST];
	int32_t at_once = tp_slot_samples(crew->slicing, crew->span);
	for (int64_t first = 0; first < tests; first += at_once) {
		int64_t left = tests - first;
		int32_t count = left < at_once ? (int32_t)left : at_once;
		enum tp_status status = infer_batch(worker, first, count);
		if (status != TP_OK) {
			tp_crew_fail(worker->crew, status);
			return;
		}
	}
}

enum tp_status tp_evaluate(struct tp_crew *crew, struct tp_evaluation *evaluation)
{
	struct tp_worker *last = &crew->workers[crew->pipeline.stages - 1];
	*evaluation = (struct tp_evaluation){0};
	if (last->stage.ops->element_bytes == 0)
		return TP_OK; /* no values, nothing to evaluate */
	for (int32_t s = 0; s < crew->pipeline.stages; s++)
		tp_worker_begin_epoch(&crew->workers[s]);
	int64_t start_ns = tp_now_ns();
	uint64_t allocations;
	TP_TRY(tp_real_driver_run(crew, evaluate_stage, &allocations));
	TP_TRY(tp_stage_collect_loss(&last->stage, &last->loss));
	*evaluation = (struct tp_evaluation){
	        .samples = last->samples_seen,
	        .sums = last->loss,
	        .duration_ns = tp_now_ns() - start_ns,
	};
	return TP_OK;
}
