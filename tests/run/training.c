#include "tests/run/training.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "baselines/policies.h"

struct tp_run_config training_config(const char *schedule, int32_t stages, int32_t micro_batches)
{
	struct tp_run_config config;
	tp_run_config_defaults(&config);
	(void)snprintf(config.schedule, sizeof config.schedule, "%s", schedule);
	(void)snprintf(config.model, sizeof config.model, "mlp");
	(void)snprintf(config.device, sizeof config.device, "reference");
	(void)snprintf(config.conv, sizeof config.conv, "direct");
	config.hidden = 16;
	config.stages = stages;
	config.micro_batches = micro_batches;
	config.batch = 12;
	config.mini_batches = 20;
	config.order = TP_ORDER_STATIC;
	config.evaluate = false;
	config.lr = 0.05;
	return config;
}

struct tp_dataset *training_dataset(int64_t train_samples, int64_t test_samples)
{
	struct tp_dataset_options options = {
	        .seed = 3,
	        .synthetic_train = train_samples,
	        .synthetic_test = test_samples,
	};
	struct tp_dataset *dataset;
	assert_int_equal(tp_dataset_open("synthetic", &options, &dataset), TP_OK);
	return dataset;
}

void training_begin(struct training *training, const struct tp_run_config *config, const struct tp_dataset *dataset)
{
	*training = (struct training){.config = *config};
	const struct tp_policy *policy;
	assert_int_equal(tp_policy_find(config->schedule, &policy), TP_OK);
	if (tp_trainer_new(&training->config, policy, dataset, &training->control, &training->trainer) != TP_OK)
		fail_msg("%s", tp_detail());
}

void training_end(struct training *training)
{
	tp_trainer_free(training->trainer);
}

/* Visit every tensor of the model. */
#define FOR_EACH_TENSOR(model, param)                                                                   \
	for (int32_t l_ = 0; l_ < (model)->layer_count; l_++)                                           \
		for (int32_t p_ = 0, n_ = tp_layer_params(&(model)->layers[l_], params); p_ < n_; p_++) \
			if (((param) = &params[p_]) != NULL)

double *training_weights(struct training *training, size_t *count)
{
	const struct tp_model *model = tp_trainer_info(training->trainer)->model;
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	const struct tp_param *param;
	size_t total = 0;
	FOR_EACH_TENSOR(model, param)
	total += (size_t)param->elements;
	double *weights = calloc(total, sizeof *weights);
	assert_non_null(weights);
	size_t at = 0;
	FOR_EACH_TENSOR(model, param)
	{
		assert_int_equal(tp_trainer_export(training->trainer, param->name, weights + at, param->elements),
		                 TP_OK);
		at += (size_t)param->elements;
	}
	*count = total;
	return weights;
}

double *training_run(const struct tp_run_config *config, const struct tp_dataset *dataset, size_t *count)
{
	struct training training;
	training_begin(&training, config, dataset);
	for (int32_t e = 0; e < config->epochs; e++) {
		if (tp_trainer_epoch(training.trainer, &training.result) != TP_OK)
			fail_msg("%s", tp_detail());
	}
	double *weights = training_weights(&training, count);
	training_end(&training);
	return weights;
}

double training_distance(struct training *training, const double *a, const double *b, const double *start)
{
	const struct tp_model *model = tp_trainer_info(training->trainer)->model;
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	const struct tp_param *param;
	double worst = 0;
	size_t at = 0;
	FOR_EACH_TENSOR(model, param)
	{
		double difference = 0, change = 0;
		for (int64_t i = 0; i < param->elements; i++, at++) {
			difference = fmax(difference, fabs(a[at] - b[at]));
			change = fmax(change, fabs(a[at] - start[at]));
		}
		assert_true(change > 0); /* a tensor that does not move compares nothing */
		worst = fmax(worst, difference / change);
	}
	return worst;
}
