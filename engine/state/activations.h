/* Activation slots: one for each unit in flight at a stage, which is what a backward covers: a mini-batch, or a
 * micro-batch. A slot is one buffer that holds every value the backward will need; where it holds a mini-batch, the
 * micro-batches write into its slices. Units are numbered from 1 on and enter in order; `count` of them at a time. */
#ifndef TP_ENGINE_STATE_ACTIVATIONS_H
#define TP_ENGINE_STATE_ACTIVATIONS_H

#include "engine/base/memory.h"
#include "profiler/memory_ledger.h"

struct tp_activation_slot {
	unsigned char *base;   /* values and saved areas, at the offsets of the stage's layout */
	void *output_gradient; /* message from downstream: gradient of the stage's output */
	const void *input;     /* upstream's buffer of this unit; at stage 0 in `base` */
	void *input_gradient;  /* where its gradient goes: upstream's buffer, or one of its own; NULL at stage 0 */
	void *own_gradient;    /* where messages are copied; NULL: nowhere */
	void *sent_to;         /* upstream's buffer that own_gradient is copied to */
	int64_t promised;      /* unit whose input is on its way into the slot, until it is given back; 0: none */
	int32_t *labels;       /* last stage: one for each sample, else NULL */
	int64_t unit;          /* that holds it, 0 when free */
};

struct tp_activations {
	struct tp_activation_slot *slots;
	int32_t count;
	size_t slot_bytes, message_bytes;
	struct tp_arena arena, labels; /* labels are the host's */
};

/* `count` slots; message_bytes of the output's gradient, own_gradient_bytes of the input's (0: none). Release with
 * tp_activations_release(); safe after a failure. */
enum tp_status tp_activations_init(struct tp_activations *activations, int32_t count, size_t slot_bytes,
                                   size_t message_bytes, size_t own_gradient_bytes, int32_t labels,
                                   const struct tp_memory_source *source, struct tp_memory_ledger *memory);
void tp_activations_release(struct tp_activations *activations);

/* Which slot is a unit's. */
static inline int32_t tp_activations_index(const struct tp_activations *activations, int64_t unit)
{
	return (int32_t)((unit - 1) % activations->count);
}

/* The slot that a unit's input may be copied to before it is taken; NULL while another unit holds it or was promised
 * it.
 */
struct tp_activation_slot *tp_activations_promise(struct tp_activations *activations, int64_t unit);

/* The slot of a unit: taken by its first forward, given back by its backward, in any order among those in flight. */
struct tp_activation_slot *tp_activations_take(struct tp_activations *activations, int64_t unit,
                                               struct tp_memory_ledger *memory);
struct tp_activation_slot *tp_activations_of(struct tp_activations *activations, int64_t unit);
void tp_activations_give_back(struct tp_activations *activations, int64_t unit, struct tp_memory_ledger *memory);

#endif
