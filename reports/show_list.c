#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "engine/base/colour.h"
#include "reports/escape.h"
#include "reports/json_text.h"
#include "reports/show.h"

char *tp_show_time(char out[TP_SHOW_TIME_BYTES], int64_t unix_s)
{
	time_t seconds = (time_t)unix_s;
	struct tm when;
	out[0] = '\0';
	if (localtime_r(&seconds, &when))
		(void)strftime(out, TP_SHOW_TIME_BYTES, "%Y-%m-%d %H:%M", &when);
	return out;
}

const char *tp_show_valid(int valid)
{
	return valid < 0 ? "-" : valid ? "yes" : "NO";
}

void tp_show_cell(struct tp_text *out, int width, const char *text)
{
	struct tp_text cell = {0};
	tp_escape_terminal(&cell, text);
	tp_text_add(out, "%-*s ", width, tp_text_get(&cell));
	tp_text_release(&cell);
}

static enum tp_colour colour_of_state(enum tp_store_state state)
{
	return state == TP_STORE_STATE_DONE      ? TP_COLOUR_NONE
	       : state == TP_STORE_STATE_RUNNING ? TP_COLOUR_WARNING
	                                         : TP_COLOUR_BAD;
}

static void add_run(const struct tp_run_listing *run, bool coloured, struct tp_text *out)
{
	char started[TP_SHOW_TIME_BYTES];
	tp_text_add(out, "%5" PRId64 " %-16s ", run->run_id, tp_show_time(started, run->started_unix_s));
	tp_show_cell(out, 15, run->schedule);
	tp_show_cell(out, 8, run->model);
	tp_show_cell(out, 9, run->dataset);
	tp_text_add(out, "%3" PRId64 " %3" PRId64 " ", run->stages, run->micro_batches);
	tp_show_cell(out, 7, run->clock);
	tp_text_add(out, "%6" PRId64 " ", run->epochs);
	if (isnan(run->median_epoch_ns))
		tp_text_add(out, "%10s ", "-");
	else
		tp_text_add(out, "%10.1f ", run->median_epoch_ns / 1e6);
	tp_colour_add(out, coloured, colour_of_state(run->state), 11, tp_store_state_text(run->state));
	tp_text_add(out, " ");
	tp_colour_add(out, coloured, run->valid == 0 ? TP_COLOUR_BAD : TP_COLOUR_NONE, run->name[0] ? 6 : 0,
	              tp_show_valid(run->valid));
	tp_escape_terminal(out, run->name);
	tp_text_add(out, "\n");
}

void tp_show_list(const struct tp_run_listing *runs, int64_t count, bool coloured, struct tp_text *out)
{
	tp_text_add(out, "%5s %-16s %-15s %-8s %-9s %3s %3s %-7s %6s %10s %-11s %-5s %s\n", "run", "started",
	            "schedule", "model", "dataset", "W", "N", "clock", "epochs", "median ms", "state", "valid", "name");
	for (int64_t i = count; i-- > 0;)
		add_run(&runs[i], coloured, out);
}

static json_t *run_object(const struct tp_run_listing *run)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:I, s:I, s:o, s:I, s:o, s:s, s:o, s:o}", "run_id",
	                 (json_int_t)run->run_id, "started_unix_s", (json_int_t)run->started_unix_s, "schedule",
	                 tp_json_text(run->schedule), "model", tp_json_text(run->model), "dataset",
	                 tp_json_text(run->dataset), "stages", (json_int_t)run->stages, "micro_batches",
	                 (json_int_t)run->micro_batches, "clock", tp_json_text(run->clock), "epochs",
	                 (json_int_t)run->epochs, "median_epoch_ns", tp_json_number(run->median_epoch_ns), "state",
	                 tp_store_state_text(run->state), "valid",
	                 run->valid < 0 ? json_null() : json_boolean(run->valid), "name", tp_json_text(run->name));
}

enum tp_status tp_show_list_json(const struct tp_run_listing *runs, int64_t count, const char *database,
                                 struct tp_text *out)
{
	json_t *array = json_array();
	for (int64_t i = count; i-- > 0;) {
		if (json_array_append_new(array, run_object(&runs[i])) != 0) {
			json_decref(array);
			array = NULL;
		}
	}
	return tp_json_write(
	        json_pack("{s:i, s:o, s:o}", "version", 1, "database", tp_json_text(database), "runs", array), out);
}
