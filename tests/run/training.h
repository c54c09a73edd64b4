/* Small runs for tests: a configuration with everything that takes long turned down, and all weights as one vector. */
#ifndef TP_TESTS_RUN_TRAINING_H
#define TP_TESTS_RUN_TRAINING_H

#include "engine/run/trainer.h"

/* `mlp` of hidden width 16 on the reference device, 20 mini-batches of 12 samples, one epoch, static order, no
 * evaluation. */
struct tp_run_config training_config(const char *schedule, int32_t stages, int32_t micro_batches);

/* Synthetic data for it, from the seed alone. */
struct tp_dataset *training_dataset(int64_t train_samples, int64_t test_samples);

/* A run that is expected to be planned without complaint. */
struct training {
	struct tp_run_config config;
	struct tp_run_control control;
	struct tp_trainer *trainer;
	struct tp_epoch_result result; /* of the latest epoch */
};
void training_begin(struct training *training, const struct tp_run_config *config, const struct tp_dataset *dataset);
void training_end(struct training *training);

/* All tensors of the model, one after another; `*count` elements, freed with free(). */
double *training_weights(struct training *training, size_t *count);

/* Train `config` for its epochs and return the final weights; every epoch must succeed. */
double *training_run(const struct tp_run_config *config, const struct tp_dataset *dataset, size_t *count);

/* How far two results are apart, relative to how far training went: for each tensor of the model the largest |a - b|
 * over the largest |a - start|; the worst tensor's. */
double training_distance(struct training *training, const double *a, const double *b, const double *start);

#endif
