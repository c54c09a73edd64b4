#include "engine/run/flight_messages.h"

#include "engine/base/memory.h"
#include "engine/run/worker.h"
#include "engine/run/worker_compute.h"

/* --- marks ---------------------------------------------------------------------------------------------------------
 */

/* Of messages that come to a stage: the device that has them, and the one that moves the bytes. */
struct sides {
	struct tp_device *sender, *mover;
};

static struct sides sides_of(const struct tp_worker *worker, bool upstream)
{
	const struct tp_link_ops *link = worker->crew->link;
	const bool sender_acts = upstream ? link->sender_acts_upstream : link->sender_acts_downstream;
	struct tp_device *sender = (upstream ? worker + 1 : worker - 1)->stage.device;
	return (struct sides){sender, sender_acts ? sender : worker->stage.device};
}

static void marks_free(struct tp_worker *worker, struct tp_channel *channel, bool upstream)
{
	const struct sides sides = sides_of(worker, upstream);
	const struct tp_async_ops *ops = worker->stage.ops->async;
	for (int64_t i = 0; channel->marks && i <= channel->mask; i++) {
		ops->mark_free(sides.sender, channel->marks[i].ready);
		ops->mark_free(sides.mover, channel->marks[i].began);
		ops->mark_free(sides.mover, channel->marks[i].arrived);
	}
	tp_free(channel->marks);
	channel->marks = NULL;
}

static enum tp_status marks_new(struct tp_worker *worker, struct tp_channel *channel, bool upstream)
{
	const struct sides sides = sides_of(worker, upstream);
	const struct tp_async_ops *ops = worker->stage.ops->async;
	channel->marks = tp_alloc_array((size_t)channel->mask + 1, sizeof *channel->marks);
	if (!channel->marks)
		return TP_ERR_NOMEM;
	for (int64_t i = 0; i <= channel->mask; i++) {
		TP_TRY(ops->mark_new(sides.sender, &channel->marks[i].ready));
		if (!worker->crew->link->copies)
			continue;
		TP_TRY(ops->mark_new(sides.mover, &channel->marks[i].began));
		TP_TRY(ops->mark_new(sides.mover, &channel->marks[i].arrived));
	}
	return TP_OK;
}

enum tp_status tp_flight_init_channels(struct tp_worker *worker)
{
	if (worker->index > 0)
		TP_TRY(marks_new(worker, &worker->activations, false));
	return tp_worker_is_last(worker) ? TP_OK : marks_new(worker, &worker->gradients, true);
}

void tp_flight_release_channels(struct tp_worker *worker)
{
	if (worker->index > 0)
		marks_free(worker, &worker->activations, false);
	if (!tp_worker_is_last(worker))
		marks_free(worker, &worker->gradients, true);
}

/* --- receiving -----------------------------------------------------------------------------------------------------
 */

static struct tp_slot_marks *marks_of(struct tp_worker *worker, const struct tp_activation_slot *slot)
{
	return &worker->flight.slots[slot - worker->stage.activations.slots];
}

/* Where a message's copy goes; NULL while there is no place for it. */
static struct tp_activation_slot *place_for(struct tp_worker *worker, const struct tp_message *message, bool upstream)
{
	const struct tp_action action = {
	        .kind = upstream ? TP_OP_B : TP_OP_F, .micro = message->micro, .mini = message->mini};
	if (upstream)
		return tp_worker_slot_of(worker, &action);
	return tp_activations_promise(&worker->stage.activations, tp_worker_unit(worker, &action));
}

/* Ask for a message's copy. False while its slot belongs to another. */
static bool ask(struct tp_worker *worker, struct tp_channel *channel, const struct tp_message *message, bool upstream)
{
	struct tp_stage *stage = &worker->stage;
	struct tp_activation_slot *slot = place_for(worker, message, upstream);
	if (!slot)
		return false;
	size_t offset = 0; /* a gradient's slot is as long as its message */
	if (!upstream)
		offset = (size_t)tp_stage_slot_first(stage, message->micro) * stage->spec.input.sample_bytes;
	unsigned char *to = upstream ? slot->output_gradient : tp_stage_input_data(stage, slot);
	const struct tp_slot_marks *marks = marks_of(worker, slot);
	const struct tp_transfer transfer = {
	        .from = upstream ? NULL : (const unsigned char *)message->activation + offset,
	        .to = to + offset,
	        .bytes = (size_t)message->bytes,
	        .ready = message->marks->ready,
	        .room = marks->given_back ? marks->room : NULL,
	        .began = message->marks->began,
	        .arrived = message->marks->arrived,
	};
	tp_flight_keep(&worker->flight, worker->crew->link->receive(channel->way, &transfer));
	return true;
}

/* A message is there when its copy is; one that nobody copies, when it was sent, since its sender has settled. */
static bool has_arrived(struct tp_worker *worker, const struct tp_message *message)
{
	struct tp_flight *flight = &worker->flight;
	bool arrived = true;
	if (message->marks->arrived)
		tp_flight_keep(flight, flight->ops->reached(flight->device, message->marks->arrived, &arrived));
	return arrived;
}

static void accept_from(struct tp_worker *worker, struct tp_channel *channel, bool upstream)
{
	const struct tp_message *message;
	struct tp_flight *flight = &worker->flight;
	const bool copies = worker->crew->link->copies;
	while ((message = tp_channel_next_posted(channel)) != NULL) {
		if (copies && !ask(worker, channel, message, upstream))
			break;
		channel->posted++;
	}
	int64_t delivered = flight->runs_ahead ? channel->posted : tp_channel_delivered(channel);
	while (delivered < channel->posted && has_arrived(worker, &channel->messages[delivered & channel->mask]))
		delivered++;
	tp_channel_deliver(channel, delivered);
	if (worker->crew->link->check)
		tp_flight_keep(flight, worker->crew->link->check(channel->way));
}

void tp_flight_accept(struct tp_worker *worker)
{
	if (worker->index > 0)
		accept_from(worker, &worker->activations, false);
	if (!tp_worker_is_last(worker))
		accept_from(worker, &worker->gradients, true);
}

/* What was sent from the slot for the unit before is read before it is written anew. */
static enum tp_status await_slot(struct tp_worker *worker, const struct tp_action *action)
{
	struct tp_flight *flight = &worker->flight;
	const struct tp_slot_marks *marks =
	        &flight->slots[tp_activations_index(&worker->stage.activations, tp_worker_unit(worker, action))];
	const bool forward = action->kind == TP_OP_F;
	const bool writes_output = forward ? marks->given_back : worker->stage.spec.recompute;
	if (writes_output && !tp_worker_is_last(worker))
		TP_TRY(flight->ops->wait(flight->device, marks->output_left));
	if (!forward && action->kind != TP_OP_BW && marks->sent)
		TP_TRY(flight->ops->wait(flight->device, marks->left));
	return TP_OK;
}

enum tp_status tp_flight_await_message(struct tp_worker *worker, const struct tp_action *action)
{
	struct tp_flight *flight = &worker->flight;
	struct tp_channel *channel = tp_worker_message_channel(worker, action);
	if (channel) {
		const struct tp_message *message = tp_channel_next_taken(channel);
		TP_CHECK(message && message->mini == action->mini && message->micro == action->micro);
		const struct tp_message_marks *marks = message->marks;
		TP_TRY(flight->ops->wait(flight->device, marks->arrived ? marks->arrived : marks->ready));
	}
	return await_slot(worker, action);
}

void tp_flight_take(struct tp_worker *worker, struct tp_channel *channel, struct tp_activation_slot *slot,
                    int64_t taken)
{
	struct tp_flight *flight = &worker->flight;
	const struct tp_message *message = tp_channel_next_taken(channel);
	if (message->activation && slot->own_gradient) {
		slot->input = tp_stage_input_data(&worker->stage, slot);
		slot->input_gradient = slot->own_gradient;
		slot->sent_to = message->gradient;
	} else if (message->activation) {
		slot->input = message->activation;
		slot->input_gradient = message->gradient;
	}
	flight->messages[flight->message_end++ & flight->mask] = (struct tp_noted_message){*message, channel, taken};
	channel->taken++;
}

/* --- sending -------------------------------------------------------------------------------------------------------
 */

enum tp_status tp_flight_send(struct tp_worker *worker, struct tp_channel *channel, struct tp_activation_slot *slot,
                              const struct tp_action *action, struct tp_message *message)
{
	struct tp_flight *flight = &worker->flight;
	struct tp_stage *stage = &worker->stage;
	const struct tp_link_ops *link = worker->crew->link;
	const bool upstream = action->kind != TP_OP_F;
	message->marks = tp_channel_next_marks(channel);
	TP_TRY(flight->ops->record(flight->device, message->marks->ready));
	if (link->copies) {
		struct tp_slot_marks *marks = marks_of(worker, slot);
		size_t offset =
		        (size_t)tp_stage_slot_first(stage, action->micro) * tp_stage_output(stage)->sample_bytes;
		const struct tp_transfer transfer = {
		        .from = upstream ? slot->own_gradient
		                         : (unsigned char *)tp_stage_output_data(stage, slot) + offset,
		        .to = upstream ? slot->sent_to : NULL,
		        .bytes = (size_t)message->bytes,
		        .ready = message->marks->ready,
		        .began = message->marks->began,
		        .arrived = message->marks->arrived,
		        .left = upstream ? marks->left : marks->output_left,
		};
		TP_TRY(link->send(channel->way, &transfer));
		marks->sent = marks->sent || upstream;
	}
	/* A channel is as long as messages may wait in it, and be in flight at its receiver. */
	TP_CHECK(tp_channel_post(channel, message) == TP_SEND_DONE);
	return TP_OK;
}

enum tp_status tp_flight_leave(struct tp_worker *worker, const struct tp_activation_slot *slot)
{
	struct tp_flight *flight = &worker->flight;
	struct tp_slot_marks *marks = marks_of(worker, slot);
	marks->given_back = true;
	return flight->ops->record(flight->device, marks->room);
}
