/* Faults planted in the engine's use of a GPU, each found by the stand-in in whatever order the work is done: an event
 * that nobody waits for, a buffer that is written while it is still read, a version of the weights that is read after
 * it was freed. And GPUs that fail: out of memory, a launch that fails, a device that is lost, one that hangs, a
 * communicator that breaks. The arguments: libfakecuda.so, and with `nccl` only GPUs that fail, three of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "engine/base/clock.h"
#include "engine/run/trainer_internal.h"
#include "engine/run/worker.h"
#include "tests/cuda/stand_in.h"
#include "tests/run/training.h"

static const char *transport = "cuda-copy";

static struct tp_run_config config_for(const char *schedule)
{
	struct tp_run_config config = training_config(schedule, 3, 3);
	(void)snprintf(config.device, sizeof config.device, "cuda");
	(void)snprintf(config.transport, sizeof config.transport, "%s", transport);
	config.mini_batches = 8;
	config.timeout_ns = 20 * TP_NS_PER_S;
	return config;
}

static struct fake_counts counts(void)
{
	struct fake_counts counts;
	stand_in.counts(&counts);
	return counts;
}

/* --- planted -------------------------------------------------------------------------------------------------------
 */

/* The transport that a faulty one is made from. */
static const struct tp_link_ops *sound_link;

static enum tp_status receive_too_soon(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	struct tp_transfer faulty = *transfer;
	faulty.ready = NULL;
	return sound_link->receive(way, &faulty);
}

static enum tp_status receive_over_what_is_read(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	struct tp_transfer faulty = *transfer;
	faulty.room = NULL;
	return sound_link->receive(way, &faulty);
}

/* The stages whose versions are freed too soon. */
static struct tp_crew *freed_in;

/* In place of the version that nobody reads any more, the newest one. */
static void retire_the_live_version(struct tp_device *device, const void *at, size_t bytes)
{
	(void)at;
	const struct tp_worker *worker = &freed_in->workers[device->stage];
	const struct tp_version_ledger *ledger = &worker->station.ledger;
	const struct tp_weights *weights = &worker->stage.weights;
	device->ops->async->retire(device, weights->buffer[tp_ledger_buffer(ledger, ledger->live)], bytes);
}

/* One epoch of a run to which `plant` has done something. */
static void run_with(void (*plant)(struct tp_crew *crew), const struct tp_dataset *dataset)
{
	struct tp_run_config config = config_for("timeprest");
	struct training training;
	training_begin(&training, &config, dataset);
	plant(tp_trainer_crew(training.trainer));
	(void)tp_trainer_epoch(training.trainer, &training.result);
	training_end(&training);
}

static struct tp_link_ops faulty_link;

static void plant_link(struct tp_crew *crew,
                       enum tp_status (*receive)(struct tp_link_way *way, const struct tp_transfer *transfer))
{
	sound_link = crew->link;
	faulty_link = *crew->link;
	faulty_link.receive = receive;
	crew->link = &faulty_link;
}

static void plant_missing_wait(struct tp_crew *crew)
{
	plant_link(crew, receive_too_soon);
}

static void plant_early_reuse(struct tp_crew *crew)
{
	plant_link(crew, receive_over_what_is_read);
}

static struct tp_device_ops faulty_ops;
static struct tp_async_ops faulty_async;

static void plant_early_free(struct tp_crew *crew)
{
	freed_in = crew;
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		struct tp_stage *stage = &crew->workers[s].stage;
		faulty_async = *stage->device->ops->async;
		faulty_async.retire = retire_the_live_version;
		faulty_ops = *stage->device->ops;
		faulty_ops.async = &faulty_async;
		stage->ops = &faulty_ops;
	}
}

static void plant_nothing(struct tp_crew *crew)
{
	(void)crew;
}

static void test_a_sound_engine_has_no_fault(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 10);
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		stand_in.reset(seed);
		run_with(plant_nothing, dataset);
		assert_int_equal(counts().races, 0);
		assert_int_equal(counts().reads_of_freed, 0);
		assert_int_equal(counts().stale_host_reads, 0);
	}
	tp_dataset_free(dataset);
}

static void test_a_missing_wait_is_found(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 10);
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		stand_in.reset(seed);
		run_with(plant_missing_wait, dataset);
		assert_true(counts().races > 0);
		assert_non_null(strstr(counts().first_race, "copy on the device"));
	}
	tp_dataset_free(dataset);
}

static void test_an_early_reuse_is_found(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 10);
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		stand_in.reset(seed);
		run_with(plant_early_reuse, dataset);
		assert_true(counts().races > 0);
		assert_non_null(strstr(counts().first_race, "copy on the device"));
	}
	tp_dataset_free(dataset);
}

static void test_a_freed_version_that_is_read_is_found(void **state)
{
	(void)state;
	struct tp_dataset *dataset = training_dataset(96, 10);
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		stand_in.reset(seed);
		run_with(plant_early_free, dataset);
		assert_true(counts().reads_of_freed > 0);
	}
	tp_dataset_free(dataset);
}

/* --- GPUs that fail ------------------------------------------------------------------------------------------------
 */

/* A plan that is refused, with a reason that names the parts. */
static void expect_refused(const char *injected, enum tp_status status, const char *part)
{
	struct tp_dataset *dataset = training_dataset(96, 10);
	struct tp_run_config config = config_for("timeprest");
	struct tp_run_control control = {0};
	struct tp_trainer *trainer;
	const struct tp_policy *policy;
	assert_int_equal(tp_policy_find(config.schedule, &policy), TP_OK);
	stand_in.reset(1);
	stand_in.inject(injected);
	assert_int_equal(tp_trainer_new(&config, policy, dataset, &control, &trainer), status);
	if (!strstr(tp_detail(), part))
		fail_msg("expected a reason with '%s', found: %s", part, tp_detail());
	stand_in.inject(NULL);
	tp_dataset_free(dataset);
}

static void test_out_of_memory_is_a_refusal(void **state)
{
	(void)state;
	expect_refused("cudaMalloc:4:2", TP_ERR_NOMEM, "stage 0: GPU 0 has no");
	expect_refused("cudaMalloc:9:2", TP_ERR_NOMEM, "stage 1");
	expect_refused("cudaLibraryLoadData:1:209", TP_ERR_DEVICE, "cudaLibraryLoadData");
	expect_refused("cudnnCreate:2:1001", TP_ERR_DEVICE, "cudnnCreate");
}

/* An epoch that fails, in time, with a reason that names the part. `before` is done once the run is planned. */
static void expect_failed_epoch(const char *injected, bool hang, enum tp_order order, enum tp_status status,
                                const char *part)
{
	struct tp_dataset *dataset = training_dataset(96, 10);
	struct tp_run_config config = config_for("timeprest");
	struct training training;
	config.order = order;
	config.timeout_ns = TP_NS_PER_S;
	stand_in.reset(1);
	training_begin(&training, &config, dataset);
	stand_in.inject(injected);
	stand_in.hang(hang);
	int64_t start_ns = tp_now_ns();
	enum tp_status found = tp_trainer_epoch(training.trainer, &training.result);
	if (found != status || !strstr(tp_detail(), part))
		fail_msg("%s: expected %s with '%s', found %s: %s", injected ? injected : "hang",
		         tp_status_text(status), part, tp_status_text(found), tp_detail());
	training_end(&training);
	assert_true(tp_now_ns() - start_ns < 40 * TP_NS_PER_S);
	stand_in.inject(NULL);
	stand_in.hang(false);
	tp_dataset_free(dataset);
}

static void test_a_failed_launch_ends_the_run(void **state)
{
	(void)state;
	for (int order = TP_ORDER_STATIC; order <= TP_ORDER_DYNAMIC; order++) {
		expect_failed_epoch("cudaLaunchKernel:30:98", false, (enum tp_order)order, TP_ERR_DEVICE,
		                    "cudaLaunchKernel");
		expect_failed_epoch("cublasLtMatmul:12:13", false, (enum tp_order)order, TP_ERR_DEVICE,
		                    "cublasLtMatmul");
	}
}

static void test_a_lost_device_ends_the_run(void **state)
{
	(void)state;
	for (int order = TP_ORDER_STATIC; order <= TP_ORDER_DYNAMIC; order++)
		expect_failed_epoch("cudaLaunchKernel:25:46+", false, (enum tp_order)order, TP_ERR_DEVICE, "cuda");
}

static void test_a_hanging_device_ends_the_run(void **state)
{
	(void)state;
	for (int order = TP_ORDER_STATIC; order <= TP_ORDER_DYNAMIC; order++)
		expect_failed_epoch(NULL, true, (enum tp_order)order, TP_ERR_TIMEOUT, "");
}

static void test_a_broken_communicator_ends_the_run(void **state)
{
	(void)state;
	for (int order = TP_ORDER_STATIC; order <= TP_ORDER_DYNAMIC; order++)
		expect_failed_epoch("ncclCommGetAsyncError:40:6+", false, (enum tp_order)order, TP_ERR_DEVICE, "nccl");
}

static int run_with_nccl(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_lost_device_ends_the_run),
	        cmocka_unit_test(test_a_hanging_device_ends_the_run),
	        cmocka_unit_test(test_a_broken_communicator_ends_the_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_sound_engine_has_no_fault),
	        cmocka_unit_test(test_a_missing_wait_is_found),
	        cmocka_unit_test(test_an_early_reuse_is_found),
	        cmocka_unit_test(test_a_freed_version_that_is_read_is_found),
	        cmocka_unit_test(test_out_of_memory_is_a_refusal),
	        cmocka_unit_test(test_a_failed_launch_ends_the_run),
	        cmocka_unit_test(test_a_lost_device_ends_the_run),
	        cmocka_unit_test(test_a_hanging_device_ends_the_run),
	};
	bool with_nccl = argc > 2 && strcmp(argv[2], "nccl") == 0;
	stand_in_load(argc > 1 ? argv[1] : "", with_nccl ? "3" : "1");
	if (with_nccl) {
		transport = "nccl";
		return run_with_nccl();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
