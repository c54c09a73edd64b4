/* How much of the process's resident growth, from before data and plan to the end of training, the counted kinds of
 * memory explain. Reserved bytes are compared, since a pooled buffer is resident too.
 *
 * Usage: memory_account [SCHEDULE [MODEL [STAGES]]] */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/process.h"
#include "tests/bench/bench.h"

int main(int argc, char **argv)
{
	struct tp_run_config config;
	struct tp_epoch_result result;
	int64_t before = tp_resident_bytes();
	struct tp_dataset *dataset = bench_dataset(480);
	tp_run_config_defaults(&config);
	(void)snprintf(config.model, sizeof config.model, "%s", argc > 2 ? argv[2] : "vgg16");
	config.stages = argc > 3 ? atoi(argv[3]) : 2;
	struct tp_trainer *trainer = bench_trainer(&config, argc > 1 ? argv[1] : "timeprest", dataset);
	bench_epoch(trainer, &result);
	double grown = (double)(result.rss_bytes - before), counted = 0;
	printf("%-18s", "MiB");
	for (int32_t i = 0; i < result.memory_count; i++) {
		if (result.memory[i].stage >= 0)
			printf(" %9s %d", "stage", result.memory[i].stage);
		else
			printf(" %11s", "process");
	}
	for (int kind = 0; kind < TP_MEM_KINDS; kind++) {
		printf("\n%-18s", tp_mem_kind_text((enum tp_mem_kind)kind));
		for (int32_t i = 0; i < result.memory_count; i++) {
			counted += (double)result.memory[i].reserved_bytes[kind];
			printf(" %11.1f", (double)result.memory[i].reserved_bytes[kind] / 1048576.0);
		}
	}
	printf("\ncounted %.1f MiB of %.1f MiB grown: %.1f %%\n", counted / 1048576.0, grown / 1048576.0,
	       100.0 * counted / grown);
	tp_trainer_free(trainer);
	tp_dataset_free(dataset);
	return 0;
}
