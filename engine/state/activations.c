#include "engine/state/activations.h"

enum tp_status tp_activations_init(struct tp_activations *activations, int32_t count, size_t slot_bytes,
                                   size_t message_bytes, size_t own_gradient_bytes, int32_t labels,
                                   const struct tp_memory_source *source, struct tp_memory_ledger *memory)
{
	size_t label_bytes = (size_t)labels * sizeof(int32_t);
	size_t one = tp_align_up(slot_bytes) + tp_align_up(message_bytes) + tp_align_up(own_gradient_bytes);
	*activations = (struct tp_activations){
	        .count = count,
	        .slot_bytes = slot_bytes + label_bytes,
	        .message_bytes = message_bytes + own_gradient_bytes,
	};
	activations->slots = tp_alloc_array((size_t)count, sizeof *activations->slots);
	enum tp_status status = activations->slots ? TP_OK : TP_ERR_NOMEM;
	if (status == TP_OK)
		status = tp_arena_init_from(&activations->arena, source, one * (size_t)count);
	if (status == TP_OK && labels)
		status = tp_arena_init(&activations->labels, tp_align_up(label_bytes) * (size_t)count);
	if (status != TP_OK) {
		tp_activations_release(activations);
		return status;
	}
	for (int32_t i = 0; i < count; i++) {
		struct tp_activation_slot *slot = &activations->slots[i];
		slot->base = tp_arena_take(&activations->arena, slot_bytes);
		slot->output_gradient = tp_arena_take(&activations->arena, message_bytes);
		slot->own_gradient = own_gradient_bytes ? tp_arena_take(&activations->arena, own_gradient_bytes) : NULL;
		slot->labels = labels ? tp_arena_take(&activations->labels, label_bytes) : NULL;
	}
	tp_memory_reserve(memory, TP_MEM_ACTIVATIONS, (int64_t)activations->slot_bytes * count);
	tp_memory_reserve(memory, TP_MEM_MESSAGES, (int64_t)activations->message_bytes * count);
	return TP_OK;
}

void tp_activations_release(struct tp_activations *activations)
{
	tp_free(activations->slots);
	tp_arena_release(&activations->arena);
	tp_arena_release(&activations->labels);
	*activations = (struct tp_activations){0};
}

static struct tp_activation_slot *slot_at(struct tp_activations *activations, int64_t unit)
{
	return &activations->slots[tp_activations_index(activations, unit)];
}

struct tp_activation_slot *tp_activations_promise(struct tp_activations *activations, int64_t unit)
{
	struct tp_activation_slot *slot = slot_at(activations, unit);
	if (slot->promised == 0 && slot->unit == 0)
		slot->promised = unit;
	return slot->promised == unit ? slot : NULL;
}

struct tp_activation_slot *tp_activations_take(struct tp_activations *activations, int64_t unit,
                                               struct tp_memory_ledger *memory)
{
	struct tp_activation_slot *slot = slot_at(activations, unit);
	TP_CHECK(slot->unit == 0);
	slot->unit = unit;
	tp_memory_use(memory, TP_MEM_ACTIVATIONS, (int64_t)activations->slot_bytes);
	tp_memory_use(memory, TP_MEM_MESSAGES, (int64_t)activations->message_bytes);
	return slot;
}

struct tp_activation_slot *tp_activations_of(struct tp_activations *activations, int64_t unit)
{
	struct tp_activation_slot *slot = slot_at(activations, unit);
	TP_CHECK(slot->unit == unit);
	return slot;
}

void tp_activations_give_back(struct tp_activations *activations, int64_t unit, struct tp_memory_ledger *memory)
{
	struct tp_activation_slot *slot = tp_activations_of(activations, unit);
	slot->unit = slot->promised = 0;
	tp_memory_use(memory, TP_MEM_ACTIVATIONS, -(int64_t)activations->slot_bytes);
	tp_memory_use(memory, TP_MEM_MESSAGES, -(int64_t)activations->message_bytes);
}
