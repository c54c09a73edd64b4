/* Three hidden layers of one width, then the classes. Starts as PyTorch's nn.Linear does. */
#include "engine/model/models.h"

#include "engine/model/builder.h"

enum tp_status tp_build_mlp(const struct tp_model_entry *entry, const struct tp_model_options *options,
                            struct tp_model *model)
{
	static const char *const names[] = {"fc1", "fc2", "fc3"};
	struct tp_builder builder;
	if (options->hidden < 1)
		return tp_fail(TP_ERR_INPUT, "model %s: expected a hidden width of at least 1, found %d", entry->name,
		               options->hidden);
	tp_builder_init(&builder, entry->name, options, model);
	for (int i = 0; i < 3; i++) {
		int32_t value = 0;
		tp_build_block(&builder);
		if (i == 0)
			value = tp_build_flatten(&builder, "flatten", value);
		tp_build_relu(&builder, tp_build_linear(&builder, names[i], value, options->hidden, 0.0));
	}
	tp_build_block(&builder);
	tp_build_linear(&builder, "fc4", 0, options->classes, 0.0);
	return tp_builder_finish(&builder);
}
