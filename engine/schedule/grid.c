#include "engine/schedule/grid.h"

#include "engine/base/memory.h"
#include "engine/schedule/simulator.h"

char *tp_micro_letters(int32_t micro, bool upper, char out[8])
{
	char reversed[8];
	int length = 0;
	for (int64_t rest = (int64_t)micro + 1; rest > 0; rest = (rest - 1) / 26)
		reversed[length++] = (char)((upper ? 'A' : 'a') + (rest - 1) % 26);
	for (int i = 0; i < length; i++)
		out[i] = reversed[length - 1 - i];
	out[length] = '\0';
	return out;
}

/* One line per stage, grown as its operations come in. */
struct grid {
	struct tp_text *lines;
	int64_t *slots; /* slots written so far, per stage */
};

static void add_token(struct tp_text *line, const struct tp_action *action)
{
	char letters[8] = "";
	if (action->kind == TP_OP_F) /* a whole mini-batch is its only micro-batch */
		tp_micro_letters(action->micro == TP_WHOLE ? 0 : action->micro, true, letters);
	else if (action->micro != TP_WHOLE)
		tp_micro_letters(action->micro, false, letters);
	tp_text_add(line, "%s%lld%s%s", line->length ? " " : "", (long long)action->mini, letters,
	            action->kind == TP_OP_BW ? "'" : "");
}

static void idle_until(struct grid *grid, int32_t stage, int64_t slot)
{
	struct tp_text *line = &grid->lines[stage];
	for (; grid->slots[stage] < slot; grid->slots[stage]++)
		tp_text_add(line, "%s.", line->length ? " " : "");
}

static enum tp_status draw(void *context, const struct tp_sim_op *op)
{
	struct grid *grid = context;
	struct tp_text *line = &grid->lines[op->stage];
	idle_until(grid, op->stage, op->start);
	add_token(line, &op->action);
	grid->slots[op->stage]++;
	return line->failed ? TP_ERR_NOMEM : TP_OK;
}

enum tp_status tp_grid_text(const struct tp_pipeline *pipeline, struct tp_text *text)
{
	struct grid grid = {
	        .lines = tp_alloc_array((size_t)pipeline->stages, sizeof *grid.lines),
	        .slots = tp_alloc_array((size_t)pipeline->stages, sizeof *grid.slots),
	};
	struct tp_sim_summary summary = {0};
	enum tp_status status = TP_ERR_NOMEM;
	if (grid.lines && grid.slots)
		status = tp_simulate(pipeline, NULL, draw, &grid, &summary);
	for (int32_t s = 0; grid.lines && s < pipeline->stages; s++) {
		if (status == TP_OK && grid.lines[s].length) { /* a single-stage policy leaves the other lines empty */
			idle_until(&grid, s, summary.makespan);
			tp_text_add(text, "%s\n", tp_text_get(&grid.lines[s]));
			text->failed |= grid.lines[s].failed;
		}
		tp_text_release(&grid.lines[s]);
	}
	tp_sim_summary_release(&summary);
	tp_free(grid.lines);
	tp_free(grid.slots);
	if (status == TP_OK && text->failed)
		status = TP_ERR_NOMEM;
	return status;
}
