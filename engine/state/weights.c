#include "engine/state/weights.h"

enum tp_status tp_weights_init(struct tp_weights *weights, size_t params_bytes, size_t state_bytes, int32_t buffers,
                               int32_t momenta, const struct tp_memory_source *source, struct tp_memory_ledger *memory)
{
	size_t one = tp_align_up(params_bytes);
	*weights = (struct tp_weights){
	        .params_bytes = params_bytes,
	        .state_bytes = state_bytes,
	        .buffer_count = buffers,
	        .momentum_count = momenta,
	        .versions_counted = 1,
	        .momenta_counted = 1,
	};
	weights->buffer = tp_alloc_array((size_t)buffers, sizeof *weights->buffer);
	weights->momentum = tp_alloc_array((size_t)momenta, sizeof *weights->momentum);
	weights->stepped = tp_alloc_array((size_t)momenta, sizeof *weights->stepped);
	size_t total = one * ((size_t)buffers + (size_t)momenta + 1) + tp_align_up(state_bytes);
	enum tp_status status = TP_ERR_NOMEM;
	if (weights->buffer && weights->momentum && weights->stepped)
		status = tp_arena_init_from(&weights->arena, source, total);
	if (status != TP_OK) {
		tp_weights_release(weights);
		return status;
	}
	for (int32_t i = 0; i < buffers; i++)
		weights->buffer[i] = tp_arena_take(&weights->arena, params_bytes);
	weights->gradient = tp_arena_take(&weights->arena, params_bytes);
	for (int32_t i = 0; i < momenta; i++)
		weights->momentum[i] = tp_arena_take(&weights->arena, params_bytes);
	weights->state = tp_arena_take(&weights->arena, state_bytes);

	tp_memory_reserve(memory, TP_MEM_WEIGHTS_LIVE, (int64_t)(params_bytes + state_bytes));
	tp_memory_reserve(memory, TP_MEM_WEIGHTS_RETAINED, (int64_t)params_bytes * (buffers - 1));
	tp_memory_reserve(memory, TP_MEM_GRADIENTS, (int64_t)params_bytes);
	tp_memory_reserve(memory, TP_MEM_OPTIMIZER, (int64_t)params_bytes * momenta);
	tp_memory_use(memory, TP_MEM_WEIGHTS_LIVE, (int64_t)(params_bytes + state_bytes));
	tp_memory_use(memory, TP_MEM_GRADIENTS, (int64_t)params_bytes);
	tp_memory_use(memory, TP_MEM_OPTIMIZER, (int64_t)params_bytes);
	return TP_OK;
}

void tp_weights_release(struct tp_weights *weights)
{
	tp_free(weights->buffer);
	tp_free(weights->momentum);
	tp_free(weights->stepped);
	tp_arena_release(&weights->arena);
	*weights = (struct tp_weights){0};
}

void tp_weights_count(struct tp_weights *weights, int32_t versions_alive, struct tp_memory_ledger *memory)
{
	int32_t change = versions_alive - weights->versions_counted;
	if (change == 0)
		return;
	tp_memory_use(memory, TP_MEM_WEIGHTS_RETAINED, change * (int64_t)weights->params_bytes);
	weights->versions_counted = versions_alive;
}

void tp_weights_count_momenta(struct tp_weights *weights, int32_t in_use, struct tp_memory_ledger *memory)
{
	int32_t change = in_use - weights->momenta_counted;
	if (change == 0)
		return;
	tp_memory_use(memory, TP_MEM_OPTIMIZER, change * (int64_t)weights->params_bytes);
	weights->momenta_counted = in_use;
}
