#include "cli/reproduce_readme.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"

static void write_head(const struct tp_reproduce_setting *setting, struct tp_text *text)
{
	const struct tp_reproduce_plan *plan = setting->plan;
	tp_text_add(
	        text,
	        "# The experiments of the TiMePReSt paper, plan `%s`\n\n"
	        "Made by `tpbench reproduce --%s`. The runs are in `results.db`, one comparison for each step below. "
	        "The "
	        "same command\ngoes on where it was cut off.\n\n"
	        "- Data: %s.\n"
	        "- Links: %s; the paper does not give its clusters'.\n"
	        "- Time is modelled by the virtual clock, but for steps under the real clock. The costs of operations "
	        "that it goes by\n  were measured on this machine's processor, for each seed anew, and are in "
	        "`costs`.\n"
	        "- Not there: %s.\n\n",
	        plan->name, plan->name,
	        setting->data_dir ? "CIFAR-100" : "synthetic, made from the seed: accuracies are not the paper's",
	        setting->link, plan->leaves_out);
}

static enum tp_status write_step(const struct tp_reproduce_setting *setting, const struct tp_reproduce_step *step,
                                 struct tp_text *text)
{
	struct tp_reproduce_line *line = tp_alloc(sizeof *line);
	if (!line)
		return TP_ERR_NOMEM;
	enum tp_status status = tp_reproduce_line_init(line, setting, step);
	if (status == TP_OK) {
		tp_text_add(
		        text,
		        "## %s: %s\n\nFor %s. Comparison `reproduce-%s-%s`.\n\nHow it differs from the paper's: %s.\n\n"
		        "    ",
		        step->name, step->title, step->serves, setting->plan->name, step->name, step->scaled);
		tp_reproduce_line_write(line, text);
		tp_text_add(text, "\n\n");
	}
	tp_free(line);
	return status;
}

static enum tp_status write_file(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");
	bool written = file && fputs(content, file) >= 0;
	if (file && fclose(file) != 0)
		written = false;
	return written ? TP_OK : tp_fail(TP_ERR_IO, "%s: %s", path, strerror(errno));
}

enum tp_status tp_reproduce_write_readme(const struct tp_reproduce_setting *setting)
{
	char path[TP_CONFIG_PATH_BYTES + 32];
	struct tp_text text = {0};
	enum tp_status status = TP_OK;
	(void)snprintf(path, sizeof path, "%s/README-%s.md", setting->out, setting->plan->name);
	write_head(setting, &text);
	for (int32_t i = 0; i < setting->plan->step_count && status == TP_OK; i++)
		status = write_step(setting, &setting->plan->steps[i], &text);
	if (status == TP_OK && text.failed)
		status = TP_ERR_NOMEM;
	if (status == TP_OK)
		status = write_file(path, tp_text_get(&text));
	tp_text_release(&text);
	return status;
}
