/* tpbench run: one schedule. */
#include <jansson.h>
#include <stdio.h>

#include "cli/training.h"

/* --epochs 0: nothing was trained; say what was written. */
static enum tp_status report_nothing_trained(const struct tp_options *options)
{
	const char *saved = options->config.save_weights;
	if (!options->json) {
		if (saved[0])
			printf("Initial weights of %s written to %s; nothing trained.\n", options->config.model, saved);
		else
			printf("The plan holds; nothing trained.\n");
		return TP_OK;
	}
	json_t *root = json_pack("{s:[], s:s?}", "runs", "saved_weights", saved[0] ? saved : NULL);
	if (!root)
		return tp_fail(TP_ERR_NOMEM, "run: no memory for the JSON object");
	int failed = json_dumpf(root, stdout, JSON_INDENT(2));
	json_decref(root);
	putchar('\n');
	return failed ? tp_fail(TP_ERR_IO, "standard output: could not be written") : TP_OK;
}

enum tp_status tp_command_run(const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	struct tp_training training;
	enum tp_status status = tp_training_init(&training, options, options->config.schedule);
	if (status == TP_OK)
		status = tp_training_execute(&training);
	if (status == TP_OK && options->config.epochs == 0)
		status = report_nothing_trained(options);
	else if (status == TP_OK)
		status = tp_training_report(&training, tp_report_write_run);
	tp_training_release(&training);
	return status;
}
