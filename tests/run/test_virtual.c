/* The virtual clock: the same costs and seed give the same operations, versions, times and weights; static order gives
 * the same bits under both clocks, whatever the links; the staleness bound holds in any clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "baselines/policies.h"
#include "tests/run/training.h"

static struct tp_dataset *dataset;

static int open_dataset(void **state)
{
	(void)state;
	dataset = training_dataset(240, 10);
	return 0;
}

static int close_dataset(void **state)
{
	(void)state;
	tp_dataset_free(dataset);
	return 0;
}

/* Costs such that stages are busy for unequal times, and a link that is slow beside them. */
static struct tp_run_config virtual_config(const char *schedule, int32_t stages, int32_t n)
{
	struct tp_run_config config = training_config(schedule, stages, n);
	config.clock = TP_CLOCK_VIRTUAL;
	config.order = TP_ORDER_DYNAMIC;
	(void)snprintf(config.costs, sizeof config.costs, "uniform:300us,700us,50us");
	(void)snprintf(config.link, sizeof config.link, "100mbit,200us");
	return config;
}

/* --- by hash ---------------------------------------------------------------------------------------------------------
 */

static void mix(uint64_t *hash, const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;
	for (size_t i = 0; i < size; i++)
		*hash = (*hash ^ byte[i]) * UINT64_C(1099511628211);
}

#define MIX(hash, field) mix(hash, &(field), sizeof(field))

/* Everything that an epoch recorded, field by field, and the weights after it. */
static uint64_t hash_of(struct training *training)
{
	const struct tp_epoch_result *result = &training->result;
	uint64_t hash = UINT64_C(14695981039346656037);
	for (int64_t i = 0; i < result->records.op_count; i++) {
		const struct tp_op_record *op = &result->records.ops[i];
		MIX(&hash, op->start_ns);
		MIX(&hash, op->end_ns);
		MIX(&hash, op->mini);
		MIX(&hash, op->version_read);
		MIX(&hash, op->version_live);
		MIX(&hash, op->version_committed);
		MIX(&hash, op->version_forward);
		MIX(&hash, op->micro);
		MIX(&hash, op->samples);
		MIX(&hash, op->stage);
		MIX(&hash, op->kind);
		MIX(&hash, op->versions_alive);
		MIX(&hash, op->held_until_ns);
	}
	for (int64_t i = 0; i < result->records.message_count; i++) {
		const struct tp_message_record *message = &result->records.messages[i];
		MIX(&hash, message->ready_ns);
		MIX(&hash, message->sent_ns);
		MIX(&hash, message->arrived_ns);
		MIX(&hash, message->wanted_ns);
		MIX(&hash, message->bytes);
		MIX(&hash, message->mini);
		MIX(&hash, message->micro);
		MIX(&hash, message->to_stage);
		MIX(&hash, message->is_gradient);
	}
	for (int64_t i = 0; i < result->records.read_count; i++) {
		MIX(&hash, result->records.reads[i].version_forward);
		MIX(&hash, result->records.reads[i].version_newest);
		MIX(&hash, result->records.reads[i].lambda);
	}
	MIX(&hash, result->start_ns);
	MIX(&hash, result->end_ns);
	MIX(&hash, result->train_loss);
	size_t count;
	double *weights = training_weights(training, &count);
	mix(&hash, weights, count * sizeof *weights);
	free(weights);
	return hash;
}

static uint64_t train_and_hash(const struct tp_run_config *config)
{
	struct training training;
	training_begin(&training, config, dataset);
	if (tp_trainer_epoch(training.trainer, &training.result) != TP_OK)
		fail_msg("%s: %s", config->schedule, tp_detail());
	assert_true(training.result.records.op_count > 0 && training.result.start_ns < training.result.end_ns);
	uint64_t hash = hash_of(&training);
	training_end(&training);
	return hash;
}

/* Twice in a row, and with the schedules in the other order. */
static void everything_is_decided_by_costs_and_seed(void **state)
{
	enum { MOST = 32 };
	uint64_t first[MOST];
	int count = 0;
	(void)state;
	for (int order = TP_ORDER_STATIC; order <= TP_ORDER_DYNAMIC; order++) {
		for (count = 0; tp_policies[count]; count++) {
			struct tp_run_config config = virtual_config(tp_policies[count]->name, 3, 4);
			config.order = (enum tp_order)order;
			assert_in_range(count, 0, MOST - 1);
			first[count] = train_and_hash(&config);
			if (train_and_hash(&config) != first[count])
				fail_msg("%s: differs the second time", config.schedule);
		}
		for (int i = count - 1; i >= 0; i--) {
			struct tp_run_config config = virtual_config(tp_policies[i]->name, 3, 4);
			config.order = (enum tp_order)order;
			if (train_and_hash(&config) != first[i])
				fail_msg("%s: differs after other schedules", config.schedule);
		}
	}
	/* The hash sees what it should: another cost, another seed. */
	struct tp_run_config config = virtual_config(tp_policies[0]->name, 3, 4);
	uint64_t hash = train_and_hash(&config);
	config.seed++;
	assert_true(train_and_hash(&config) != hash);
	config.seed--;
	(void)snprintf(config.costs, sizeof config.costs, "uniform:300us,701us,50us");
	assert_true(train_and_hash(&config) != hash);
}

/* Without arithmetic the times are the same: what is computed has no part in them. */
static void the_null_device_takes_the_same_time(void **state)
{
	(void)state;
	for (size_t p = 0; tp_policies[p]; p++) {
		struct tp_run_config config = virtual_config(tp_policies[p]->name, 3, 4);
		struct training computed, null;
		(void)snprintf(config.link, sizeof config.link, "inf,200us"); /* elements differ in size */
		training_begin(&computed, &config, dataset);
		assert_int_equal(tp_trainer_epoch(computed.trainer, &computed.result), TP_OK);
		(void)snprintf(config.device, sizeof config.device, "null");
		training_begin(&null, &config, dataset);
		assert_int_equal(tp_trainer_epoch(null.trainer, &null.result), TP_OK);
		assert_int_equal(computed.result.records.op_count, null.result.records.op_count);
		assert_int_equal(computed.result.end_ns - computed.result.start_ns,
		                 null.result.end_ns - null.result.start_ns);
		training_end(&computed);
		training_end(&null);
	}
}

/* --- both clocks -----------------------------------------------------------------------------------------------------
 */

static void expect_same_bits(const struct tp_run_config *a, const struct tp_run_config *b, bool same)
{
	size_t count;
	double *first = training_run(a, dataset, &count), *second = training_run(b, dataset, &count);
	if ((memcmp(first, second, count * sizeof *first) == 0) != same)
		fail_msg("%s W=%d N=%d: expected weights that %s", a->schedule, a->stages, a->micro_batches,
		         same ? "are the same" : "differ");
	free(first);
	free(second);
}

static void static_order_gives_the_same_bits_whatever_the_links(void **state)
{
	(void)state;
	for (size_t p = 0; tp_policies[p]; p++) {
		struct tp_run_config real = training_config(tp_policies[p]->name, 3, 4), modelled;
		real.mini_batches = 8;
		modelled = real;
		modelled.clock = TP_CLOCK_VIRTUAL;
		(void)snprintf(modelled.costs, sizeof modelled.costs, "uniform:1ms,2ms");
		(void)snprintf(real.link, sizeof real.link, "1gbit,100us");
		expect_same_bits(&real, &modelled, true);
		(void)snprintf(modelled.cluster, sizeof modelled.cluster, "paper-b"); /* three workers */
		expect_same_bits(&real, &modelled, true);
	}
}

/* W <= N + 1: the newest version applied at all stages is each stage's live one. */
static void committed_is_latest_where_v_is_one(void **state)
{
	(void)state;
	static const struct {
		int32_t stages, micro_batches;
		bool same;
	} cases[] = {{2, 1, true}, {2, 3, true},  {3, 2, true},  {4, 3, true},
	             {4, 4, true}, {3, 1, false}, {4, 1, false}, {4, 2, false}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_run_config committed = training_config("timeprest", cases[i].stages, cases[i].micro_batches);
		struct tp_run_config latest = committed;
		latest.backward_version = TP_BACKWARD_LATEST;
		expect_same_bits(&committed, &latest, cases[i].same);
		committed.clock = latest.clock = TP_CLOCK_VIRTUAL;
		(void)snprintf(committed.costs, sizeof committed.costs, "uniform:1ms,2ms");
		(void)snprintf(latest.costs, sizeof latest.costs, "uniform:1ms,2ms");
		expect_same_bits(&committed, &latest, cases[i].same);
	}
}

/* --- the bound on staleness ------------------------------------------------------------------------------------------
 */

/* Largest v of an epoch, and how many backwards the bound held back. */
static int64_t largest_difference(const struct tp_run_config *config, int64_t *held, int64_t *window_ns)
{
	struct training training;
	int64_t most = 0;
	*held = 0;
	training_begin(&training, config, dataset);
	int32_t last = tp_trainer_info(training.trainer)->stages - 1;
	assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
	for (int64_t i = 0; i < training.result.records.op_count; i++) {
		const struct tp_op_record *op = &training.result.records.ops[i];
		if (op->kind != TP_OP_B || op->stage != last)
			continue;
		most = op->mini - op->version_committed > most ? op->mini - op->version_committed : most;
		*held += op->held_until_ns > 0;
	}
	*window_ns = training.result.end_ns - training.result.start_ns;
	training_end(&training);
	return most;
}

static void v_never_passes_the_bound(void **state)
{
	static const char *const bounded[] = {"timeprest", "timeprest-1f1b", "i-timeprest"};
	(void)state;
	for (size_t p = 0; p < sizeof bounded / sizeof *bounded; p++) {
		for (int variant = 0; variant < 4; variant++) {
			struct tp_run_config config = virtual_config(bounded[p], 4, 1);
			int64_t held, window_ns, free_window_ns;
			bool modelled = variant >= 2;
			config.order = variant % 2 ? TP_ORDER_DYNAMIC : TP_ORDER_STATIC;
			if (!modelled) {
				config.clock = TP_CLOCK_REAL;
				config.costs[0] = '\0';
				(void)snprintf(config.link, sizeof config.link, "inf,300us");
			}
			int64_t unbounded = largest_difference(&config, &held, &free_window_ns);
			assert_int_equal(held, 0);
			if (modelled || config.order == TP_ORDER_STATIC)
				assert_true(unbounded > 1); /* so that there is something to bound */
			for (int32_t bound = 1; bound <= 3; bound++) {
				config.max_staleness = bound;
				int64_t v = largest_difference(&config, &held, &window_ns);
				if (v > bound)
					fail_msg("%s, %s, %s: v = %lld under a bound of %d", bounded[p],
					         modelled ? "virtual" : "real",
					         config.order == TP_ORDER_STATIC ? "static" : "dynamic", (long long)v,
					         bound);
				if (modelled && bound == 1 && unbounded > 1)
					assert_true(window_ns > free_window_ns); /* it costs time */
			}
		}
	}
}

/* --- links under the real clock --------------------------------------------------------------------------------------
 */

static void messages_take_their_time_under_the_real_clock(void **state)
{
	(void)state;
	struct tp_run_config config = training_config("timeprest", 3, 2);
	struct training training;
	config.order = TP_ORDER_DYNAMIC;
	(void)snprintf(config.link, sizeof config.link, "100mbit,300us");
	training_begin(&training, &config, dataset);
	assert_int_equal(tp_trainer_epoch(training.trainer, &training.result), TP_OK);
	assert_int_equal(training.result.records.message_count, 20 * (2 * 2 + 2));
	for (int64_t i = 0; i < training.result.records.message_count; i++) {
		const struct tp_message_record *message = &training.result.records.messages[i];
		int64_t on_the_link = message->bytes * 8 * 10; /* ns: 100 bits each microsecond */
		assert_true(message->ready_ns <= message->sent_ns);
		assert_true(message->arrived_ns >= message->sent_ns + on_the_link + 300000);
	}
	/* In order in each direction of each boundary, and none overtakes. */
	for (int64_t i = 0; i < training.result.records.message_count; i++) {
		for (int64_t j = i + 1; j < training.result.records.message_count; j++) {
			const struct tp_message_record *a = &training.result.records.messages[i];
			const struct tp_message_record *b = &training.result.records.messages[j];
			if (a->to_stage != b->to_stage || a->is_gradient != b->is_gradient)
				continue;
			bool a_first = a->mini < b->mini || (a->mini == b->mini && a->micro <= b->micro);
			assert_true(a_first ? a->arrived_ns <= b->arrived_ns : b->arrived_ns <= a->arrived_ns);
		}
	}
	training_end(&training);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(everything_is_decided_by_costs_and_seed),
	        cmocka_unit_test(the_null_device_takes_the_same_time),
	        cmocka_unit_test(static_order_gives_the_same_bits_whatever_the_links),
	        cmocka_unit_test(committed_is_latest_where_v_is_one),
	        cmocka_unit_test(v_never_passes_the_bound),
	        cmocka_unit_test(messages_take_their_time_under_the_real_clock),
	};
	return cmocka_run_group_tests(tests, open_dataset, close_dataset);
}
