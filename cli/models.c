/* tpbench models: what can be trained. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "engine/base/memory.h"
#include "engine/model/model.h"

enum tp_status tp_command_models(const struct tp_arguments *arguments)
{
	(void)arguments;
	/* The input of CIFAR-100; a model may have other figures on other data. */
	const struct tp_model_options options = {.input = {3, 32, 32}, .classes = 100, .hidden = 256};
	struct tp_model *model = tp_alloc(sizeof *model);
	if (!model)
		return TP_ERR_NOMEM;
	enum tp_status status = TP_OK;
	printf("For samples of 3 x 32 x 32 and 100 classes:\n\n");
	printf("%-10s  %6s  %6s  %12s  %22s  %s\n", "model", "blocks", "layers", "parameters", "forward GFLOP/sample",
	       "");
	for (const struct tp_model_entry *entry = tp_models; entry->name && status == TP_OK; entry++) {
		status = tp_model_build(entry->name, &options, model);
		if (status != TP_OK)
			break;
		int64_t flops = 0;
		for (int32_t block = 0; block < model->block_count; block++)
			flops += tp_block_forward_flops(model, block);
		printf("%-10s  %6" PRId32 "  %6" PRId32 "  %12" PRId64 "  %22.4f  %s\n", entry->name,
		       model->block_count, model->layer_count, tp_model_parameter_count(model), (double)flops / 1e9,
		       entry->summary);
	}
	tp_free(model);
	return status;
}
