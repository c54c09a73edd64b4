/* The live weights of a run, in and out: initial values, safetensors, single tensors. While nobody works. Internal to
 * engine/run. */
#ifndef TP_ENGINE_RUN_CHECKPOINT_H
#define TP_ENGINE_RUN_CHECKPOINT_H

#include "engine/base/text.h"
#include "engine/run/worker.h"

/* Training forwards that batch normalisation counts (`num_batches_tracked`), before this run and in it. */
struct tp_tracked {
	int64_t loaded, here;
};

/* Initial values from the seed, then the file to load, if any. Under --partial, what did not fit is listed in `left`.
 */
enum tp_status tp_checkpoint_begin(struct tp_crew *crew, const struct tp_model *model, struct tp_tracked *tracked,
                                   struct tp_text *left);

/* Write all live weights and statistics, names and order as the model's. */
enum tp_status tp_checkpoint_save(struct tp_crew *crew, const struct tp_model *model, const struct tp_tracked *tracked,
                                  const char *path);

/* One tensor by name. */
enum tp_status tp_checkpoint_export(struct tp_crew *crew, const char *name, double *values, int64_t elements);

#endif
