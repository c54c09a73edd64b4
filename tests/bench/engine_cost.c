/* What the engine itself costs per operation: threads, queues, versions and records on the null device. Wall time of an
 * epoch over the operations of a stage (updates not counted as operations of their own), median of nine epochs.
 *
 * Usage: engine_cost [STAGES [MICRO_BATCHES]] */
#include <stdio.h>
#include <stdlib.h>

#include "baselines/policies.h"
#include "tests/bench/bench.h"

enum { EPOCHS = 9, MINIS = 20000, BATCH = 8 };

static double ns_per_operation(const struct tp_trainer *trainer, const struct tp_epoch_result *result)
{
	int64_t updates = result->minis * tp_trainer_info(trainer)->stages;
	double operations = (double)(result->records.op_count - updates) / tp_trainer_info(trainer)->stages;
	return (double)(result->end_ns - result->start_ns) / operations;
}

int main(int argc, char **argv)
{
	int stages = argc > 1 ? atoi(argv[1]) : 2, micro_batches = argc > 2 ? atoi(argv[2]) : 3;
	struct tp_dataset *dataset = bench_dataset((int64_t)MINIS * BATCH);
	printf("%-12s %-8s %6s %2s  %12s %12s %12s\n", "schedule", "order", "stages", "N", "median ns/op", "min",
	       "max");
	for (size_t p = 0; tp_policies[p]; p++) {
		for (int order = TP_ORDER_STATIC; order <= TP_ORDER_DYNAMIC; order++) {
			struct tp_run_config config;
			tp_run_config_defaults(&config);
			(void)snprintf(config.device, sizeof config.device, "null");
			(void)snprintf(config.model, sizeof config.model, "mlp");
			config.stages = stages;
			config.micro_batches = micro_batches;
			config.batch = BATCH;
			config.order = (enum tp_order)order;
			struct tp_trainer *trainer = bench_trainer(&config, tp_policies[p]->name, dataset);
			struct tp_epoch_result result;
			double ns[EPOCHS];
			bench_epoch(trainer, &result); /* warm-up */
			for (int e = 0; e < EPOCHS; e++) {
				bench_epoch(trainer, &result);
				ns[e] = ns_per_operation(trainer, &result);
			}
			double median = bench_median(ns, EPOCHS);
			printf("%-12s %-8s %6d %2d  %12.0f %12.0f %12.0f\n", tp_policies[p]->name,
			       order == TP_ORDER_STATIC ? "static" : "dynamic", tp_trainer_info(trainer)->stages,
			       tp_trainer_info(trainer)->micro_batches, median, ns[0], ns[EPOCHS - 1]);
			tp_trainer_free(trainer);
		}
	}
	tp_dataset_free(dataset);
	return 0;
}
