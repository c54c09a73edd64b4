#include "cli/reproduce_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "engine/base/memory.h"

/* Of every step: the time modelled from costs measured here, one operation at a time. */
#define MODELLED " --clock virtual --costs alone"

/* Four samples a side are the fewest that give an interval of 95 %: so many seeds or repeats where a claim needs one.
 */
#define QUICK_VGG "--model vgg16 --evaluate off"
#define QUICK_MLP "--model mlp --cluster paper-c --epochs 8 --seed 1..5"

static const struct tp_reproduce_step quick_steps[] = {
        {.name = "cluster-c",
         .title = "six schedules on the paper's cluster C",
         .serves = "C01 to C04, C12, C13, C15, C16, C18, C21; Fig. 15 to 17",
         .options = "gpipe,1f1b,pipedream,timeprest,timeprest-stash,timeprest-1f1b " QUICK_VGG
                    " --cluster paper-c --batch 12 --mini-batches 10 --seed 1..4 --micro-batches 3" MODELLED,
         .scaled = "scaled down: vgg16 trains 10 mini-batches of 12 samples, one epoch, without evaluation; time is "
                   "modelled from costs measured on this machine's processor, for each seed anew",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 5,
         .synthetic_train = 240},
        {.name = "clusters-a-b",
         .title = "PipeDream and TiMePReSt on the paper's clusters A and B",
         .serves = "C01, C17, C18; Fig. 16 and 17",
         .options = "pipedream,timeprest " QUICK_VGG
                    " --cluster paper-a,paper-b --batch 12 --mini-batches 10 --seed 1..4 --micro-batches 3" MODELLED,
         .scaled = "scaled down: vgg16 trains 10 mini-batches of 12 samples, one epoch, without evaluation; time is "
                   "modelled from costs measured on this machine's processor, for each seed anew",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 5,
         .synthetic_train = 240},
        {.name = "two-parts",
         .title = "N = 2 in place of 3",
         .serves = "C19; Fig. 11 and 12",
         .options = "timeprest " QUICK_VGG
                    " --cluster paper-c --batch 12 --mini-batches 10 --seed 1..4 --micro-batches 2" MODELLED,
         .scaled = "scaled down: vgg16 trains 10 mini-batches of 12 samples, one epoch, without evaluation; time is "
                   "modelled from costs measured on this machine's processor, for each seed anew",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 5,
         .synthetic_train = 240},
        {.name = "two-parts-doubled",
         .title = "N = 2 and mini-batches of twice the size, of the same samples",
         .serves = "Fig. 11 and 12",
         .options = "timeprest " QUICK_VGG
                    " --cluster paper-c --batch 24 --mini-batches 5 --seed 1..4 --micro-batches 2" MODELLED,
         .scaled = "scaled down: vgg16 trains 5 mini-batches of 24 samples, one epoch, without evaluation; time is "
                   "modelled from costs measured on this machine's processor, for each seed anew",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 6,
         .synthetic_train = 240},
        {.name = "links",
         .title = "slower and faster links on cluster C",
         .serves = "epoch time against link speed",
         .options = "gpipe,pipedream,timeprest " QUICK_VGG
                    " --cluster paper-c --batch 12 --mini-batches 10 --seed 1..2 --micro-batches 3" MODELLED,
         .scaled = "scaled down: vgg16 trains 10 mini-batches of 12 samples, one epoch, without evaluation; two seeds; "
                   "time is modelled from the costs that step cluster-c measured",
         .link = TP_REPRODUCE_LINK_OTHERS,
         .seconds_per_run = 3,
         .synthetic_train = 240},
        {.name = "learning",
         .title = "what is learnt, each stage taking what is ready",
         .serves = "C05 to C07, C14, C19; Fig. 4 to 10, 13, 14",
         .options = "pipedream,timeprest,timeprest-stash,timeprest-1f1b " QUICK_MLP
                    " --batch 48 --mini-batches 80 --micro-batches 3" MODELLED,
         .scaled = "scaled down: a small mlp stands in for larger networks, 8 epochs of 80 mini-batches of 48 "
                   "samples; it computes little between messages, so staleness is as large as it can be",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 2.5,
         .synthetic_train = 3840,
         .target_top1 = "0.08"},
        {.name = "learning-slots",
         .title = "what is learnt in the paper's order of slots, where v = 1",
         .serves = "C05 to C08, C11, C14; Fig. 4 to 10, 13, 14",
         .options = "pipedream,timeprest,timeprest-stash,timeprest-1f1b " QUICK_MLP
                    " --batch 48 --mini-batches 80 --order static --micro-batches 3" MODELLED,
         .scaled = "scaled down: a small mlp stands in for larger networks, 8 epochs of 80 mini-batches of 48 "
                   "samples; stages replay the slots of Fig. 2",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 2.5,
         .synthetic_train = 3840,
         .target_top1 = "0.08"},
        {.name = "learning-parts",
         .title = "what is learnt with N = 2 and 3, and with mini-batches of twice the size",
         .serves = "C19, C20; Fig. 11 and 12",
         .options = "timeprest --model mlp --cluster paper-c --epochs 2 --seed 1..5 --batch 48,96 "
                    "--micro-batches 2,3" MODELLED,
         .scaled = "scaled down: a small mlp stands in for larger networks, 2 epochs of 3840 synthetic samples",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 1,
         .synthetic_train = 3840,
         .synthetic = true},
        {.name = "versions",
         .title = "version difference over W and N, in the paper's order of slots",
         .serves = "C08 to C11; v predicted against measured",
         .options = "timeprest --model mlp --hidden 16 --stages 2..4 --micro-batches 1..4 --batch 12 --mini-batches 24 "
                    "--evaluate off --order static --clock virtual --costs uniform:1ms,2ms",
         .scaled = "a tiny mlp with costs that are assumed, not measured: for its weight versions, not its times",
         .seconds_per_run = 0.2,
         .synthetic_train = 288},
        {.name = "real",
         .title = "two stages under the real clock",
         .serves = "C01, C02, C21 measured; what the virtual clock is worth",
         .options = "gpipe,1f1b,pipedream,timeprest " QUICK_VGG
                    " --stages 2 --micro-batches 3 --batch 12 --mini-batches 10 --repeats 4",
         .scaled = "scaled down: vgg16 trains 10 mini-batches of 12 samples, one epoch, on two threads of one "
                   "machine with an emulated link",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 4,
         .cores = 2,
         .synthetic_train = 240},
};

#define FULL_VGG "--model vgg16 --evaluate off"
#define FULL_LEARNING "--model vgg16-bn --cluster paper-c --epochs 10 --seed 1..4"

static const struct tp_reproduce_step full_steps[] = {
        {.name = "clusters",
         .title = "six schedules on the paper's clusters",
         .serves = "C01 to C04, C12, C13, C15 to C18, C21; Fig. 15 to 17",
         .options = "gpipe,1f1b,pipedream,timeprest,timeprest-stash,timeprest-1f1b " FULL_VGG
                    " --cluster paper-a,paper-b,paper-c --batch 48 --mini-batches 50 --seed 1..5 --micro-batches "
                    "3" MODELLED,
         .scaled = "scaled down: vgg16 trains 50 mini-batches of 48 samples, one epoch, without evaluation; time is "
                   "modelled from costs measured on this machine's processor, for each seed anew",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 60,
         .synthetic_train = 2400},
        {.name = "two-parts",
         .title = "N = 2 in place of 3",
         .serves = "C19; Fig. 11 and 12",
         .options = "timeprest " FULL_VGG
                    " --cluster paper-c --batch 48 --mini-batches 50 --seed 1..5 --micro-batches 2" MODELLED,
         .scaled = "scaled down: vgg16 trains 50 mini-batches of 48 samples, one epoch, without evaluation; time is "
                   "modelled from costs measured on this machine's processor, for each seed anew",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 60,
         .synthetic_train = 2400},
        {.name = "two-parts-doubled",
         .title = "N = 2 and mini-batches of twice the size, of the same samples",
         .serves = "Fig. 11 and 12",
         .options = "timeprest " FULL_VGG
                    " --cluster paper-c --batch 96 --mini-batches 25 --seed 1..5 --micro-batches 2" MODELLED,
         .scaled = "scaled down: vgg16 trains 25 mini-batches of 96 samples, one epoch, without evaluation; time is "
                   "modelled from costs measured on this machine's processor, for each seed anew",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 65,
         .synthetic_train = 2400},
        {.name = "links",
         .title = "slower and faster links on cluster C",
         .serves = "epoch time against link speed",
         .options = "gpipe,1f1b,pipedream,timeprest " FULL_VGG
                    " --cluster paper-c --batch 48 --mini-batches 50 --seed 1..5 --micro-batches 3" MODELLED,
         .scaled = "scaled down: vgg16 trains 50 mini-batches of 48 samples, one epoch, without evaluation; time is "
                   "modelled from the costs that step clusters measured",
         .link = TP_REPRODUCE_LINK_OTHERS,
         .seconds_per_run = 50,
         .synthetic_train = 2400},
        {.name = "learning",
         .title = "what is learnt, each stage taking what is ready",
         .serves = "C05 to C07, C14, C19; Fig. 4 to 10, 13, 14",
         .options = "pipedream,timeprest,timeprest-stash,timeprest-1f1b " FULL_LEARNING
                    " --batch 48 --mini-batches 200 --micro-batches 3" MODELLED,
         .scaled = "scaled down: vgg16 with batch normalisation, 10 epochs of 200 mini-batches of 48 samples",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 4000,
         .synthetic_train = 9600,
         .target_top1 = "0.08"},
        {.name = "learning-slots",
         .title = "what is learnt in the paper's order of slots, where v = 1",
         .serves = "C05 to C08, C11, C14; Fig. 4 to 10, 13, 14",
         .options = "pipedream,timeprest,timeprest-stash,timeprest-1f1b " FULL_LEARNING
                    " --batch 48 --mini-batches 200 --order static --micro-batches 3" MODELLED,
         .scaled = "scaled down: vgg16 with batch normalisation, 10 epochs of 200 mini-batches of 48 samples; stages "
                   "replay the slots of Fig. 2",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 4000,
         .synthetic_train = 9600,
         .target_top1 = "0.08"},
        {.name = "learning-two-parts",
         .title = "what is learnt with N = 2",
         .serves = "C19; Fig. 11 and 12",
         .options = "timeprest " FULL_LEARNING " --batch 48 --mini-batches 200 --micro-batches 2" MODELLED,
         .scaled = "scaled down: vgg16 with batch normalisation, 10 epochs of 200 mini-batches of 48 samples",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 4000,
         .synthetic_train = 9600,
         .target_top1 = "0.08"},
        {.name = "learning-parts",
         .title = "what is learnt with N = 2 and 3, and with mini-batches of twice the size",
         .serves = "C19, C20; Fig. 11 and 12",
         .options = "timeprest --model vgg16-bn --cluster paper-c --epochs 4 --seed 1..4 --batch 48,96 "
                    "--micro-batches 2,3" MODELLED,
         .scaled = "scaled down: vgg16 with batch normalisation, 4 epochs of 3840 synthetic samples",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 700,
         .synthetic_train = 3840,
         .synthetic = true},
        {.name = "versions",
         .title = "version difference over W and N, in the paper's order of slots",
         .serves = "C08 to C11; v predicted against measured",
         .options = "timeprest --model vgg11 --stages 2..9 --micro-batches 1..6 --batch 12 --mini-batches 40 "
                    "--evaluate off --order static --clock virtual --costs uniform:1ms,2ms",
         .scaled = "vgg11, with costs that are assumed, not measured: for its weight versions, not its times",
         .seconds_per_run = 15,
         .synthetic_train = 480},
        {.name = "real",
         .title = "two stages under the real clock",
         .serves = "C01, C02, C21 measured; what the virtual clock is worth",
         .options = "gpipe,1f1b,pipedream,timeprest,timeprest-stash,timeprest-1f1b " FULL_VGG
                    " --stages 2 --micro-batches 3 --batch 48 --mini-batches 50 --repeats 5",
         .scaled = "scaled down: vgg16 trains 50 mini-batches of 48 samples, one epoch, on two threads of one machine "
                   "with an emulated link",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 40,
         .cores = 2,
         .synthetic_train = 2400},
};

#define TINY "--model mlp --hidden 8 --batch 12 --mini-batches 8"

static const struct tp_reproduce_step tiny_steps[] = {
        {.name = "clusters",
         .title = "three schedules on two of the paper's clusters",
         .serves = "none: for trying out",
         .options =
                 "gpipe,pipedream,timeprest " TINY " --cluster paper-a,paper-c --seed 1..2 --micro-batches 3" MODELLED,
         .scaled = "a tiny mlp, for trying out",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 0.2,
         .synthetic_train = 96},
        {.name = "links",
         .title = "slower and faster links",
         .serves = "none: for trying out",
         .options = "pipedream,timeprest " TINY " --cluster paper-c --micro-batches 3" MODELLED,
         .scaled = "a tiny mlp, for trying out",
         .link = TP_REPRODUCE_LINK_OTHERS,
         .seconds_per_run = 0.2,
         .synthetic_train = 96},
        {.name = "learning",
         .title = "what is learnt",
         .serves = "none: for trying out",
         .options = "pipedream,timeprest " TINY
                    " --cluster paper-c --epochs 3 --seed 1..2 --order static --micro-batches 3" MODELLED,
         .scaled = "a tiny mlp, for trying out",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 0.2,
         .synthetic_train = 96},
        {.name = "real",
         .title = "two stages under the real clock",
         .serves = "none: for trying out",
         .options = "pipedream,timeprest " TINY " --stages 2 --micro-batches 3 --repeats 2",
         .scaled = "a tiny mlp, for trying out",
         .link = TP_REPRODUCE_LINK_GIVEN,
         .seconds_per_run = 0.2,
         .cores = 2,
         .synthetic_train = 96},
};

#define STEPS(table) .steps = (table), .step_count = (int32_t)(sizeof(table) / sizeof *(table))
#define OTHERS                                                                                                      \
	"ResNet-50, AlexNet and TinyLlama; Tiny-ImageNet-200, MS-COCO and UltraChat; DeepSpeed, DualPipe and Zero " \
	"Bubble on cluster C"

const struct tp_reproduce_plan tp_reproduce_quick = {
        .name = "quick", .leaves_out = "the accuracy of VGG-16 itself; " OTHERS, STEPS(quick_steps)};
const struct tp_reproduce_plan tp_reproduce_full = {.name = "full", .leaves_out = OTHERS, STEPS(full_steps)};
const struct tp_reproduce_plan tp_reproduce_tiny = {
        .name = "tiny", .leaves_out = "everything: it is for trying out the command", STEPS(tiny_steps)};

/* --- a step as a command line ----------------------------------------------------------------------------------------
 */

static enum tp_status add_word(struct tp_reproduce_line *line, const char *word, size_t length)
{
	if (line->used + length + 1 > sizeof line->storage || line->count == TP_REPRODUCE_WORDS)
		return tp_fail(TP_ERR_INPUT, "reproduce: expected shorter paths, found %.40s..", word);
	char *kept = &line->storage[line->used];
	memcpy(kept, word, length);
	kept[length] = '\0';
	line->used += length + 1;
	line->words[line->count++] = kept;
	return TP_OK;
}

static enum tp_status add_option(struct tp_reproduce_line *line, const char *name, const char *value)
{
	TP_TRY(add_word(line, name, strlen(name)));
	return add_word(line, value, strlen(value));
}

static enum tp_status add_data(struct tp_reproduce_line *line, const struct tp_reproduce_setting *setting,
                               const struct tp_reproduce_step *step)
{
	char samples[16];
	if (step->target_top1)
		TP_TRY(add_option(line, "--target-top1",
		                  setting->data_dir && !step->synthetic ? step->target_top1 : "0.9"));
	if (setting->data_dir && !step->synthetic) {
		TP_TRY(add_option(line, "--dataset", "cifar100"));
		return add_option(line, "--data-dir", setting->data_dir);
	}
	(void)snprintf(samples, sizeof samples, "%" PRId32, step->synthetic_train);
	TP_TRY(add_option(line, "--synthetic-train", samples));
	return add_option(line, "--synthetic-test", "480");
}

static enum tp_status add_link(struct tp_reproduce_line *line, const struct tp_reproduce_setting *setting,
                               const struct tp_reproduce_step *step)
{
	static const char *const speeds[] = {"100mbit,50us", "1gbit,50us", "10gbit,50us", NULL};
	char links[256] = "";
	if (step->link == TP_REPRODUCE_LINK_NONE)
		return TP_OK;
	if (step->link == TP_REPRODUCE_LINK_GIVEN)
		return add_option(line, "--link", setting->link);
	for (const char *const *speed = speeds; *speed; speed++) {
		size_t length = strlen(links);
		if (strcmp(*speed, setting->link) != 0)
			(void)snprintf(links + length, sizeof links - length, "%s%s", length > 0 ? "+" : "", *speed);
	}
	return add_option(line, "--link", links);
}

enum tp_status tp_reproduce_line_init(struct tp_reproduce_line *line, const struct tp_reproduce_setting *setting,
                                      const struct tp_reproduce_step *step)
{
	char path[TP_CONFIG_PATH_BYTES];
	line->used = 0;
	line->count = 0;
	for (const char *rest = step->options; *rest; rest += *rest == ' ') {
		size_t length = strcspn(rest, " ");
		TP_TRY(add_word(line, rest, length));
		rest += length;
	}
	TP_TRY(add_data(line, setting, step));
	TP_TRY(add_link(line, setting, step));
	int length = snprintf(path, sizeof path, "%s/results.db", setting->out);
	if (length < 0 || (size_t)length >= sizeof path)
		return tp_fail(TP_ERR_INPUT, "--out: expected a shorter path, found %.40s..", setting->out);
	TP_TRY(add_option(line, "--db", path));
	(void)snprintf(path, sizeof path, "%s/costs", setting->out); /* shorter than the other */
	TP_TRY(add_option(line, "--keep-costs", path));
	TP_TRY(add_option(line, "--name", step->name));
	return add_option(line, "--note", step->scaled);
}

static void add_quoted(struct tp_text *text, char character)
{
	if (character == '\'')
		tp_text_add(text, "'\\''");
	else
		tp_text_add(text, "%c", character);
}

/* In single quotes where a shell would take a word apart. */
void tp_reproduce_line_write(const struct tp_reproduce_line *line, struct tp_text *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:+=%";
	tp_text_add(text, "tpbench sweep");
	for (int i = 0; i < line->count; i++) {
		const char *word = line->words[i];
		if (word[strspn(word, plain)] == '\0') {
			tp_text_add(text, " %s", word);
			continue;
		}
		tp_text_add(text, " '");
		for (; *word; word++)
			add_quoted(text, *word);
		tp_text_add(text, "'");
	}
}

enum tp_status tp_reproduce_sweep(const struct tp_reproduce_setting *setting, const struct tp_reproduce_step *step,
                                  struct tp_arguments *arguments, char comparison[TP_SWEEP_COMPARISON_BYTES])
{
	const struct tp_command *sweep;
	TP_TRY(tp_command_find("sweep", &sweep));
	struct tp_reproduce_line *line = tp_alloc(sizeof *line);
	enum tp_status status = line ? tp_reproduce_line_init(line, setting, step) : TP_ERR_NOMEM;
	if (status == TP_OK)
		status = tp_arguments_parse(sweep, line->count, line->words, 0, arguments);
	tp_free(line);
	arguments->word = NULL; /* it was a word of the line; its list is in the options */
	arguments->options.retry_failed = true;
	(void)snprintf(comparison, TP_SWEEP_COMPARISON_BYTES, "reproduce-%s-%s", setting->plan->name, step->name);
	return status;
}
