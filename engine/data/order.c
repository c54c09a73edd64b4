/* The order in which an epoch visits the training samples. */
#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/data/dataset.h"

enum tp_status tp_sample_order_init(struct tp_sample_order *order, const struct tp_dataset *dataset, uint64_t seed,
                                    bool shuffle, bool augment)
{
	*order = (struct tp_sample_order){
	        .count = dataset->count[TP_TRAIN], .seed = seed, .shuffle = shuffle, .augment = augment};
	if (shuffle) {
		order->index = tp_alloc_array((size_t)order->count, sizeof *order->index);
		if (!order->index)
			return TP_ERR_NOMEM;
	}
	tp_sample_order_begin_epoch(order, 1);
	return TP_OK;
}

void tp_sample_order_begin_epoch(struct tp_sample_order *order, int32_t epoch)
{
	order->epoch = epoch;
	if (!order->shuffle)
		return;
	/* From the file's order each time: an epoch's order depends on no earlier one. */
	for (int64_t i = 0; i < order->count; i++)
		order->index[i] = i;
	struct tp_prng prng;
	tp_prng_init(&prng, order->seed, tp_mix64(tp_hash_text("shuffle"), (uint64_t)epoch));
	for (int64_t i = order->count - 1; i > 0; i--) {
		int64_t other = (int64_t)tp_prng_below(&prng, (uint64_t)i + 1);
		int64_t kept = order->index[i];
		order->index[i] = order->index[other];
		order->index[other] = kept;
	}
}

void tp_sample_order_release(struct tp_sample_order *order)
{
	tp_free(order->index);
	*order = (struct tp_sample_order){0};
}
