/* Whole models on the device cuda against the reference device, with every arithmetic: the gradient of one mini-batch
 * and what two steps of training do to the weights. test_cuda_models [LIBFAKECUDA] [MODEL]...: on the stand-in, or
 * without it on a GPU; without models, mlp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "tests/cuda/stand_in.h"
#include "tests/run/training.h"

enum { STEPS = 2, MOST_MODELS = 8 };

/* Half of it on the stand-in, which takes seconds for each step of a model, and minutes under a sanitizer. */
static int32_t batch = 8;

/* Of the error's norm to the expected one's, in the worst tensor. Rounding moves a few values past a ReLU's corner, and
 * lets another one be the largest of a pooling window, so that a gradient goes elsewhere: few with fp32, many with
 * bf16, whose 8 bits have many ties. What has the wrong sign is off by 2, what is missing by 1; the operators' own
 * tests have narrow bounds. */
static const struct {
	const char *name;
	double gradient, steps;
} bounds[TP_MATHS] = {
        [TP_MATH_FP32] = {"fp32", 1e-2, 2e-2},
        [TP_MATH_TF32] = {"tf32", 2.5e-1, 5e-1},
        [TP_MATH_BF16] = {"bf16", 5e-1, 8e-1},
};

static const char *models[MOST_MODELS + 1] = {"mlp"};

static struct tp_run_config config_for(const char *model, const char *device, enum tp_math math)
{
	struct tp_run_config config = training_config("sequential", 1, 1);
	(void)snprintf(config.model, sizeof config.model, "%s", model);
	(void)snprintf(config.device, sizeof config.device, "%s", device);
	config.math = math;
	config.hidden = 64;
	config.batch = batch;
	config.mini_batches = STEPS;
	config.lr = 0.01;
	return config;
}

/* One step of plain SGD so large that the new weights are the gradient but for rounding. */
static void take_one_step(struct tp_run_config *config)
{
	config->mini_batches = 1;
	config->momentum = 0;
	config->weight_decay = 0;
	config->lr = 4096;
}

static double *change_of(struct tp_run_config config, const struct tp_dataset *dataset, const double *start)
{
	size_t count;
	if (stand_in.reset && strcmp(config.device, "cuda") == 0)
		stand_in.reset(1);
	double *change = training_run(&config, dataset, &count);
	for (size_t i = 0; i < count; i++)
		change[i] -= start[i];
	if (stand_in.counts)
		(void)stand_in_clean(NULL);
	return change;
}

static double norm(const double *values, const double *less, int64_t count)
{
	double sum = 0;
	for (int64_t i = 0; i < count; i++) {
		const double value = less ? values[i] - less[i] : values[i];
		sum += value * value;
	}
	return sqrt(sum / (double)count);
}

/* The worst tensor's error. What ought to be zero, as the gradient of a bias before a normalisation, is measured by its
 * layer's weights. */
static double distance(const struct tp_model *model, const double *expected, const double *found, const char **worst)
{
	static struct tp_param params[TP_LAYER_MAX_PARAMS];
	static char name[sizeof params[0].name];
	double most = 0;
	*worst = name;
	for (int32_t layer = 0; layer < model->layer_count; layer++) {
		const int32_t count = tp_layer_params(&model->layers[layer], params);
		double scale = 0;
		for (int32_t i = 0; i < count; i++) {
			const double own = norm(expected, NULL, params[i].elements);
			if (params[i].role == TP_PARAM_WEIGHT)
				scale = own;
			const double error =
			        norm(found, expected, params[i].elements) / fmax(own, params[i].trainable ? scale : 0);
			assert_true(own > 0 || params[i].trainable); /* else nothing is compared */
			if (!(error <= most)) {
				most = error;
				(void)snprintf(name, sizeof name, "%s", params[i].name);
			}
			expected += params[i].elements;
			found += params[i].elements;
		}
	}
	return most;
}

static void compare(const char *what, const struct tp_run_config *config, double bound, const double *expected,
                    const double *start, const struct tp_dataset *dataset)
{
	struct training shape;
	struct tp_run_config untrained = *config;
	const char *worst;
	double *found = change_of(*config, dataset, start);
	(void)snprintf(untrained.device, sizeof untrained.device, "reference");
	untrained.math = TP_MATH_FP32;
	training_begin(&shape, &untrained, dataset);
	const double error = distance(tp_trainer_info(shape.trainer)->model, expected, found, &worst);
	training_end(&shape);
	print_message("%s, %s, %s: %.1e, in %s\n", config->model, bounds[config->math].name, what, error, worst);
	if (!(error < bound))
		fail_msg("%s of %s with %s: an error of %.1e in %s, expected less than %.1e", what, config->model,
		         bounds[config->math].name, error, worst, bound);
	free(found);
}

static void check_model(const char *model, const struct tp_dataset *dataset)
{
	struct tp_run_config reference = config_for(model, "reference", TP_MATH_FP32), one_step = reference;
	size_t count;
	take_one_step(&one_step);
	reference.epochs = 0;
	double *start = training_run(&reference, dataset, &count);
	reference.epochs = 1;
	double *gradient = change_of(one_step, dataset, start), *steps = change_of(reference, dataset, start);
	for (int math = 0; math < TP_MATHS; math++) {
		struct tp_run_config config = config_for(model, "cuda", (enum tp_math)math);
		compare("steps", &config, bounds[math].steps, steps, start, dataset);
		take_one_step(&config);
		compare("gradient", &config, bounds[math].gradient, gradient, start, dataset);
	}
	free(start);
	free(gradient);
	free(steps);
}

static void models_train_as_on_the_reference_device(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset((int64_t)batch * STEPS, 10);
	for (const char **model = models; *model; model++)
		check_model(*model, dataset);
	tp_dataset_free(dataset);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(models_train_as_on_the_reference_device)};
	const struct tp_device_ops *ops;
	const bool on_stand_in = argc > 1 && strchr(argv[1], '/');
	if (on_stand_in) {
		stand_in_load(argv[1], "1");
		batch = 4;
	}
	const int first = on_stand_in ? 2 : 1;
	for (int i = first; i < argc && i - first < MOST_MODELS; i++)
		models[i - first] = argv[i];
	if (tp_device_find("cuda", TP_MATH_FP32, &ops) != TP_OK) {
		(void)printf("test_cuda_models: %s: %s\n", on_stand_in ? "failed" : "skipped", tp_detail());
		return on_stand_in ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
