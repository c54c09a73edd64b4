/* --profile kernels: every kernel belongs to its operation, none is lost or counted twice, and recording them changes
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/base/memory.h"
#include "tests/run/training.h"

enum { MINIS = 4, BATCH = 7, STAGES = 3, MICROS = 3 };

static struct tp_run_config kernels_config(const char *schedule, const char *model, const char *device)
{
	struct tp_run_config config = training_config(schedule, STAGES, MICROS);
	(void)snprintf(config.model, sizeof config.model, "%s", model);
	(void)snprintf(config.device, sizeof config.device, "%s", device);
	config.batch = BATCH; /* micro-batches of 3, 2 and 2 */
	config.mini_batches = MINIS;
	config.profile = TP_PROFILE_KERNELS;
	return config;
}

static void train(struct training *training, const struct tp_run_config *config, const struct tp_dataset *dataset)
{
	training_begin(training, config, dataset);
	if (tp_trainer_epoch(training->trainer, &training->result) != TP_OK)
		fail_msg("%s", tp_detail());
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The kernels of one stage; records are by stage. */
struct span {
	int64_t first, count;
};

static struct span kernels_of(const struct tp_records *records, int32_t stage)
{
	struct span span = {0};
	while (span.first < records->kernel_count && records->kernels[span.first].stage < stage)
		span.first++;
	while (span.first + span.count < records->kernel_count &&
	       records->kernels[span.first + span.count].stage == stage)
		span.count++;
	return span;
}

static const struct tp_op_record *ops_of(const struct tp_records *records, int32_t stage, int64_t *count)
{
	int64_t first = 0;
	while (first < records->op_count && records->ops[first].stage < stage)
		first++;
	*count = 0;
	while (first + *count < records->op_count && records->ops[first + *count].stage == stage)
		++*count;
	return &records->ops[first];
}

/* In order, one after another, each inside the operation it says; and every operation but the weight part of a stage
 * without weights has some. */
static void check_stage(const struct tp_records *records, int32_t stage, int32_t name_count)
{
	int64_t op_count, end_ns = 0;
	const struct tp_op_record *ops = ops_of(records, stage, &op_count);
	struct span span = kernels_of(records, stage);
	int64_t *seen = calloc((size_t)op_count, sizeof *seen);
	assert_non_null(seen);
	for (int64_t i = span.first; i < span.first + span.count; i++) {
		const struct tp_kernel_record *kernel = &records->kernels[i];
		assert_true(kernel->operation >= 0 && kernel->operation < op_count);
		assert_true(kernel->name >= 0 && kernel->name < name_count);
		assert_true(kernel->start_ns >= ops[kernel->operation].start_ns);
		assert_true(kernel->end_ns <= ops[kernel->operation].end_ns);
		assert_true(kernel->start_ns >= end_ns && kernel->end_ns >= kernel->start_ns);
		end_ns = kernel->end_ns;
		seen[kernel->operation]++;
	}
	for (int64_t o = 0; o < op_count; o++)
		assert_true(seen[o] > 0);
	free(seen);
}

static void kernels_lie_in_their_operations(void **state)
{
	(void)state;
	static const struct {
		const char *schedule, *model, *device;
		enum tp_backward_mode backward;
	} runs[] = {
	        {"timeprest", "vgg11-bn", "cpu", TP_BACKWARD_STORED},
	        {"timeprest-stash", "vgg11", "cpu", TP_BACKWARD_STORED},
	        {"i-timeprest", "vgg11-bn", "cpu", TP_BACKWARD_STORED},
	        {"zb-h1", "vgg11", "cpu", TP_BACKWARD_STORED},
	        {"zb-h1", "mlp", "cpu", TP_BACKWARD_RECOMPUTE},
	        {"timeprest", "vgg11-bn", "cpu", TP_BACKWARD_RECOMPUTE},
	        {"gpipe", "mlp", "cpu", TP_BACKWARD_STORED},
	        {"pipedream", "mlp", "reference", TP_BACKWARD_STORED},
	        {"zb-h1", "mlp", "reference", TP_BACKWARD_STORED},
	        {"i-timeprest", "mlp", "reference", TP_BACKWARD_STORED},
	};
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
		struct tp_run_config config = kernels_config(runs[r].schedule, runs[r].model, runs[r].device);
		struct training training;
		config.backward = runs[r].backward;
		config.order = r % 2 ? TP_ORDER_DYNAMIC : TP_ORDER_STATIC;
		config.evaluate = true; /* which records nothing */
		train(&training, &config, dataset);
		int32_t name_count;
		(void)tp_trainer_kernel_names(training.trainer, &name_count);
		assert_int_equal(training.result.profiled, TP_PROFILE_KERNELS);
		assert_int_equal(training.result.dropped_records, 0);
		assert_int_equal(training.result.allocations_in_window, 0);
		for (int32_t s = 0; s < STAGES; s++)
			check_stage(&training.result.records, s, name_count);
		training_end(&training);
	}
	tp_dataset_free(dataset);
}

static int64_t count_kernels(const struct tp_records *records, const struct tp_kernel_name *names, const char *name,
                             const char *pass, const char *layer)
{
	int64_t count = 0;
	for (int64_t i = 0; i < records->kernel_count; i++) {
		const struct tp_kernel_name *of = &names[records->kernels[i].name];
		count += strcmp(of->name, name) == 0 && strcmp(of->pass, pass) == 0 && strcmp(of->layer, layer) == 0;
	}
	return count;
}

static void a_layer_runs_once_for_each_operation(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	struct tp_run_config config = kernels_config("timeprest", "vgg11", "cpu");
	struct training training;
	train(&training, &config, dataset);
	const struct tp_records *records = &training.result.records;
	const struct tp_model *model = tp_trainer_info(training.trainer)->model;
	int32_t name_count, convolutions = 0;
	const struct tp_kernel_name *names = tp_trainer_kernel_names(training.trainer, &name_count);
	for (int32_t l = 0; l < model->layer_count; l++) {
		const struct tp_layer *layer = &model->layers[l];
		if (layer->kind == TP_LAYER_MAXPOOL) {
			assert_int_equal(count_kernels(records, names, "pooling", "F", layer->name), MINIS * MICROS);
			assert_int_equal(count_kernels(records, names, "pooling", "BD", layer->name), MINIS);
		}
		if (layer->kind != TP_LAYER_CONV)
			continue;
		assert_int_equal(count_kernels(records, names, "convolution", "F", layer->name), MINIS * MICROS);
		assert_int_equal(count_kernels(records, names, "convolution", "BW", layer->name), MINIS);
		/* nobody wants the gradient of the samples */
		assert_int_equal(count_kernels(records, names, "convolution", "BD", layer->name),
		                 convolutions > 0 ? MINIS : 0);
		assert_int_equal(count_kernels(records, names, "relu_mask", "B", layer->name), MINIS);
		convolutions++;
	}
	assert_int_equal(convolutions, 8);
	assert_int_equal(count_kernels(records, names, "inner_product", "F", "classifier"), MINIS * MICROS);
	assert_int_equal(count_kernels(records, names, "sgd", "U", ""), MINIS * STAGES);
	assert_int_equal(count_kernels(records, names, "loss", "F", ""), MINIS * MICROS);
	assert_int_equal(count_kernels(records, names, "loss_gradient", "BD", ""), MINIS);
	assert_int_equal(count_kernels(records, names, "upload", "F", ""), MINIS * MICROS);
	training_end(&training);
	tp_dataset_free(dataset);
}

static const struct tp_kernel_name *find_name(const struct tp_kernel_name *names, int32_t count, const char *name,
                                              const char *pass, const char *shape)
{
	for (int32_t i = 0; i < count; i++)
		if (strcmp(names[i].name, name) == 0 && strcmp(names[i].pass, pass) == 0 &&
		    strcmp(names[i].shape, shape) == 0)
			return &names[i];
	fail_msg("no %s %s %s", name, pass, shape);
	return NULL;
}

static void names_say_what_a_kernel_computes(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	struct tp_run_config config = kernels_config("timeprest", "vgg11", "cpu");
	struct training training;
	training_begin(&training, &config, dataset);
	int32_t count;
	const struct tp_kernel_name *names = tp_trainer_kernel_names(training.trainer, &count);
	/* The first convolution: 32x32 pixels, 64 channels, 3x3 from 3 channels; 3 and 2 samples forward, 7 backward.
	 */
	static const char *const passes[] = {"F", "F", "BW"};
	static const int64_t samples[] = {3, 2, 7};
	for (int i = 0; i < 3; i++) {
		char shape[64];
		(void)snprintf(shape, sizeof shape, "%dx3x32x32 -> %dx64x32x32 k3s1p1", (int)samples[i],
		               (int)samples[i]);
		const struct tp_kernel_name *first = find_name(names, count, "convolution", passes[i], shape);
		assert_string_equal(first->layer, "features.0");
		assert_true(first->implementation[0] != '\0');
		assert_int_equal(first->kernel_flops, samples[i] * 2 * 32 * 32 * 64 * 3 * 3 * 3);
		/* x, y, weights and bias; the library may pad channels */
		assert_true(first->moved_bytes >= 4 * (samples[i] * 1024 * (3 + 64) + 64 * 27 + 64));
	}
	for (int32_t i = 0; i < count; i++) {
		for (int32_t j = 0; j < i; j++)
			assert_false(strcmp(names[i].name, names[j].name) == 0 &&
			             strcmp(names[i].implementation, names[j].implementation) == 0 &&
			             strcmp(names[i].pass, names[j].pass) == 0 &&
			             strcmp(names[i].layer, names[j].layer) == 0 &&
			             strcmp(names[i].shape, names[j].shape) == 0);
		assert_true(names[i].moved_bytes > 0);
		assert_true(names[i].shape[0] != '\0');
	}
	training_end(&training);
	tp_dataset_free(dataset);
}

static void less_profile_records_no_kernels(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	for (int profile = TP_PROFILE_OFF; profile <= TP_PROFILE_KERNELS; profile++) {
		struct tp_run_config config = kernels_config("gpipe", "mlp", "cpu");
		struct training training;
		int32_t count;
		config.profile = (enum tp_profile)profile;
		train(&training, &config, dataset);
		(void)tp_trainer_kernel_names(training.trainer, &count);
		bool kernels = profile == TP_PROFILE_KERNELS;
		assert_int_equal(training.result.records.kernel_count > 0, kernels);
		assert_int_equal(training.result.records.op_count > 0, profile != TP_PROFILE_OFF);
		assert_int_equal(training.result.counter_count, kernels ? STAGES * TP_COUNTERS : 0);
		assert_int_equal(count > 0, kernels);
		/* an epoch that is not recorded, between others */
		tp_trainer_profile(training.trainer, false);
		assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
		assert_int_equal(training.result.records.kernel_count, 0);
		assert_int_equal(training.result.counter_count, 0);
		training_end(&training);
	}
	tp_dataset_free(dataset);
}

static void recording_kernels_changes_no_weight(void **state)
{
	(void)state;
	static const char *const models[] = {"mlp", "vgg11-bn"};
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	for (int m = 0; m < 2; m++) {
		struct tp_run_config config = kernels_config("timeprest", models[m], "cpu");
		size_t with_count, without_count;
		double *with = training_run(&config, dataset, &with_count);
		config.profile = TP_PROFILE_OFF;
		double *without = training_run(&config, dataset, &without_count);
		assert_int_equal(with_count, without_count);
		assert_memory_equal(with, without, with_count * sizeof *with);
		free(with);
		free(without);
	}
	tp_dataset_free(dataset);
}

static void a_device_without_values_has_no_kernels(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	struct tp_run_config config = kernels_config("timeprest", "mlp", "null");
	struct training training;
	train(&training, &config, dataset);
	assert_true(training.result.records.op_count > 0);
	assert_int_equal(training.result.records.kernel_count, 0);
	assert_int_equal(training.result.counter_count, STAGES * TP_COUNTERS);
	training_end(&training);
	tp_dataset_free(dataset);
}

static void counters_are_there_or_say_why(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	struct tp_run_config config = kernels_config("timeprest", "mlp", "cpu");
	struct training training;
	train(&training, &config, dataset);
	for (int32_t i = 0; i < training.result.counter_count; i++) {
		const struct tp_counter_record *record = &training.result.counters[i];
		assert_int_equal(record->stage, i / TP_COUNTERS);
		assert_string_equal(record->counter, tp_counter_events[i % TP_COUNTERS].name);
		assert_int_equal(record->present, record->reason[0] == '\0');
		if (!record->present)
			assert_true(has_prefix(record->reason, "perf_event"));
	}
	training_end(&training);
	tp_dataset_free(dataset);
}

/* With less room than an epoch's kernels take they go to the sink, in order. */
struct sunk {
	int64_t kernels, next[STAGES];
};

static enum tp_status sink_kernels(void *context, const struct tp_record_batch *batch)
{
	struct sunk *sunk = context;
	if (batch->kind != TP_RECORD_KERNEL)
		return TP_OK;
	assert_int_equal(batch->first, sunk->next[batch->stage]);
	sunk->next[batch->stage] += batch->count;
	sunk->kernels += batch->count;
	return TP_OK;
}

static void kernels_take_part_in_sharing_the_buffer(void **state)
{
	(void)state;
	enum { MANY = 400 };
	struct tp_dataset *dataset = training_dataset((int64_t)MANY * BATCH, 8);
	struct tp_run_config config = kernels_config("timeprest", "mlp", "cpu");
	config.mini_batches = MANY;
	config.profile_buffer_bytes = INT64_C(1) << 30;
	struct training training;
	train(&training, &config, dataset);
	assert_false(training.result.streamed);
	int64_t expected = training.result.records.kernel_count;
	training_end(&training);

	struct sunk sunk = {0};
	config.profile_buffer_bytes = 262144;
	training_begin(&training, &config, dataset);
	tp_trainer_set_sink(training.trainer, &(struct tp_record_sink){sink_kernels, &sunk});
	assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
	assert_true(training.result.streamed);
	assert_true(sunk.kernels <= expected);
	assert_true(sunk.kernels + training.result.dropped_records >= expected); /* the drain may be slower */
	training_end(&training);
	tp_dataset_free(dataset);
}

/* Names are made in many places; a plan that runs out of memory in any of them fails cleanly. */
static void a_plan_without_memory_for_names_is_refused(void **state)
{
	(void)state;
	static const char *const devices[] = {"cpu", "reference"};
	struct tp_dataset *dataset = training_dataset((int64_t)MINIS * BATCH, 8);
	for (int d = 0; d < 2; d++) {
		struct tp_run_config config = kernels_config("timeprest", "mlp", devices[d]);
		const struct tp_policy *policy;
		struct tp_run_control control = {0};
		struct tp_trainer *trainer = NULL;
		enum tp_status status = TP_ERR_NOMEM;
		assert_int_equal(tp_policy_find(config.schedule, &policy), TP_OK);
		for (int64_t successes = 0; status != TP_OK; successes++) {
			tp_alloc_fail_after(successes);
			status = tp_trainer_new(&config, policy, dataset, &control, &trainer);
			tp_alloc_fail_after(-1);
			assert_true(status == TP_OK || status == TP_ERR_NOMEM);
		}
		tp_trainer_free(trainer);
	}
	tp_dataset_free(dataset);
}

static void the_virtual_clock_times_no_kernels(void **state)
{
	(void)state;
	struct tp_run_config config = kernels_config("timeprest", "mlp", "cpu");
	assert_int_equal(tp_run_config_check(&config), TP_OK);
	config.clock = TP_CLOCK_VIRTUAL;
	assert_int_equal(tp_run_config_check(&config), TP_ERR_INPUT);
	assert_string_equal(tp_detail(),
	                    "--profile kernels: kernels are timed by the machine's clock; expected --clock real");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(kernels_lie_in_their_operations),
	        cmocka_unit_test(a_layer_runs_once_for_each_operation),
	        cmocka_unit_test(names_say_what_a_kernel_computes),
	        cmocka_unit_test(less_profile_records_no_kernels),
	        cmocka_unit_test(recording_kernels_changes_no_weight),
	        cmocka_unit_test(a_device_without_values_has_no_kernels),
	        cmocka_unit_test(counters_are_there_or_say_why),
	        cmocka_unit_test(kernels_take_part_in_sharing_the_buffer),
	        cmocka_unit_test(a_plan_without_memory_for_names_is_refused),
	        cmocka_unit_test(the_virtual_clock_times_no_kernels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
