/* Schedules on ideal slots, drawn from a run stored in memory, against grids written by hand: those of the papers, with
 * figure 2 of TiMePReSt, and small ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/simulated_run.h"
#include "reports/timeline.h"
#include "tests/reports/drawing.h"
#include "tests/schedule/known_grids.h"

static void draw(const struct known_grid *known, struct tp_text *svg)
{
	struct tp_store *store;
	struct tp_timeline *timeline;
	struct tp_run_config config;
	int64_t run_id;
	tp_run_config_defaults(&config);
	(void)snprintf(config.schedule, sizeof config.schedule, "%s", known->schedule);
	config.stages = known->stages;
	config.micro_batches = known->micro_batches;
	config.in_flight = known->in_flight;
	config.max_staleness = known->max_staleness;
	assert_int_equal(tp_store_open_memory(&store), TP_OK);
	assert_int_equal(tp_simulated_run_slots(store, &config, known->mini_batches, &run_id), TP_OK);
	assert_int_equal(tp_timeline_read(store, run_id, 1, &(struct tp_timeline_request){0}, &timeline), TP_OK);
	assert_int_equal(tp_timeline_write_svg(timeline, svg), TP_OK);
	tp_timeline_free(timeline);
	tp_store_close(store);
}

/* One operation is one slot, so the first shape says how wide a slot is. */
static double slot_of(const struct drawing *drawing)
{
	for (int i = 0; i < drawing->count; i++) {
		if (strcmp(drawing->ops[i].kind, "U") != 0)
			return drawing->ops[i].width;
	}
	fail_msg("nothing is drawn");
	return 0;
}

/* The label on a slot of a lane, "." for none; one that has two is a failure. */
static const char *label_at(const struct drawing *drawing, double slot, int lane, int place)
{
	const char *label = ".";
	for (int i = 0; i < drawing->count; i++) {
		const struct drawn_op *op = &drawing->ops[i];
		double at = (op->x - drawing->left) / slot;
		if (op->lane != lane || strcmp(op->kind, "U") == 0 || (int)lround(at) != place)
			continue;
		assert_true(fabs(at - place) < 0.01 && fabs(op->width - slot) < 0.02);
		assert_string_equal(label, ".");
		label = op->label;
	}
	return label;
}

static void compare(const struct known_grid *known, const struct drawing *drawing)
{
	double slot = slot_of(drawing);
	int lane = 0, place = 0, slots = (int)lround(drawing->width / slot), read;
	char token[24];
	for (const char *at = known->grid; *at; at += read + 1) {
		assert_int_equal(sscanf(at, "%23[^ \n]%n", token, &read), 1);
		const char *label = label_at(drawing, slot, lane, place);
		if (strcmp(label, token) != 0)
			fail_msg("%s W=%d N=%d, stage %d, slot %d: expected '%s', drew '%s'", known->schedule,
			         known->stages, known->micro_batches, lane, place, token, label);
		place++;
		if (at[read] == '\n') {
			assert_true(known->begins ? place <= slots : place == slots);
			place = 0;
			lane++;
		}
	}
	assert_int_equal(lane, drawing->lanes);
}

static void pictures_are_the_known_grids(void **state)
{
	(void)state;
	for (size_t i = 0; i < KNOWN_GRIDS; i++) {
		struct tp_text svg = {0};
		draw(&known_grids[i], &svg);
		check_well_formed(tp_text_get(&svg));
		struct drawing drawing = read_drawing(tp_text_get(&svg));
		compare(&known_grids[i], &drawing);
		free(drawing.ops);
		tp_text_release(&svg);
	}
}

/* Each mini-batch is applied once at each stage. */
static void updates_are_drawn(void **state)
{
	(void)state;
	static const struct known_grid known = {
	        .schedule = "timeprest", .stages = 3, .micro_batches = 2, .mini_batches = 5};
	struct tp_text svg = {0};
	draw(&known, &svg);
	struct drawing drawing = read_drawing(tp_text_get(&svg));
	int updates[3] = {0};
	for (int i = 0; i < drawing.count; i++) {
		const struct drawn_op *op = &drawing.ops[i];
		if (strcmp(op->kind, "U") == 0)
			assert_int_equal(op->mini, ++updates[op->stage]);
	}
	for (int s = 0; s < 3; s++)
		assert_int_equal(updates[s], 5);
	free(drawing.ops);
	tp_text_release(&svg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pictures_are_the_known_grids),
	        cmocka_unit_test(updates_are_drawn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
