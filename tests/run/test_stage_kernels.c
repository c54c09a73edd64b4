/* Kernels of one stage at a time, on a residual network, in every way that a backward may be done: all have names, and
 * there are no more of them than the bound says, which is what rings are sized by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/run/stage_kernels.h"
#include "profiler/kernel_probe.h"
#include "tests/run/pipe.h"

enum { ROOM = 1024 };

struct fixture {
	struct tp_kernel_names names;
	struct tp_kernel_record room[ROOM];
	struct tp_recorder recorder;
	struct pipe *pipe;
};

static void set_up(struct fixture *fixture, struct pipe_kind kind)
{
	*fixture = (struct fixture){0};
	kind.kernel_names = &fixture->names;
	fixture->pipe = pipe_open(kind);
	fixture->recorder.rings[TP_RECORD_KERNEL] = (struct tp_ring){
	        .slots = (void *)fixture->room, .record_bytes = sizeof *fixture->room, .capacity = ROOM};
	tp_recorder_restart(&fixture->recorder);
}

static void tear_down(struct fixture *fixture)
{
	pipe_close(fixture->pipe);
	tp_kernel_names_release(&fixture->names);
}

static int64_t recorded(const struct fixture *fixture)
{
	return tp_ring_written(&fixture->recorder.rings[TP_RECORD_KERNEL]);
}

/* All slices forward, then back in the runs of `cuts`; the probe is set for that alone. */
static void run(struct fixture *fixture, int cuts)
{
	bool blends = fixture->pipe->kind.blends;
	tp_kernel_probe = (struct tp_kernel_probe){&fixture->recorder, 0};
	pipe_forward(fixture->pipe, 0);
	pipe_backward(fixture->pipe, cuts, (struct tp_stage_read){0, 1, blends ? 0.25 : 1});
	tp_kernel_probe = (struct tp_kernel_probe){0};
	assert_in_range(recorded(fixture), 1, ROOM);
}

static int64_t count_kernels(const struct fixture *fixture, const char *name, const char *pass)
{
	int64_t count = 0;
	for (int64_t i = 0; i < recorded(fixture); i++) {
		const struct tp_kernel_name *of = &fixture->names.entries[fixture->room[i].name];
		count += strcmp(of->name, name) == 0 && strcmp(of->pass, pass) == 0;
	}
	return count;
}

/* What the bounds of all stages come to: forwards of the slices, and as many backwards as there are operations. */
static int64_t bound(const struct fixture *fixture, enum tp_span span, bool split)
{
	int64_t sum = 0, backwards = (span == TP_SPAN_SLICE ? PIPE_SLICES : 1) * (split ? 2 : 1);
	for (int32_t s = 0; s < fixture->pipe->kind.stages; s++) {
		struct tp_stage_kernel_bound of = tp_stage_kernel_bound(&fixture->pipe->stage[s]);
		sum += PIPE_SLICES * of.forward + backwards * of.backward;
	}
	return sum;
}

static void check(struct pipe_kind kind)
{
	struct fixture fixture;
	int cuts = kind.span == TP_SPAN_MINI ? WHOLE : EACH_SLICE, runs = kind.span == TP_SPAN_MINI ? 1 : PIPE_SLICES;
	set_up(&fixture, kind);
	run(&fixture, cuts);
	assert_true(recorded(&fixture) <= bound(&fixture, kind.span, kind.split));
	/* one value has two readers, once in each run */
	assert_int_equal(count_kernels(&fixture, "add_gradient", "BD"), runs);
	assert_int_equal(count_kernels(&fixture, "loss_gradient", "BD"), runs);
	assert_int_equal(count_kernels(&fixture, "blend_weights", "B"), kind.blends ? runs * kind.stages : 0);
	int64_t forwards = PIPE_SLICES * (kind.recompute ? 2 : 1);
	assert_int_equal(count_kernels(&fixture, "loss", "F"), forwards);
	assert_int_equal(count_kernels(&fixture, "keep_input", "F"), kind.split ? PIPE_SLICES * (kind.stages - 1) : 0);
	if (kind.device == CPU) {
		assert_int_equal(count_kernels(&fixture, "add", "F"), forwards);
		assert_int_equal(count_kernels(&fixture, "mean_rows", "F"), forwards);
		assert_int_equal(count_kernels(&fixture, "spread_rows", "BD"), runs);
		assert_int_equal(count_kernels(&fixture, "batch_normalization", "B"), 2 * PIPE_SLICES);
		/* running statistics advance in a forward, not when it is computed again */
		assert_int_equal(count_kernels(&fixture, "running_statistics", "F"), 2 * PIPE_SLICES);
		assert_int_equal(count_kernels(&fixture, "convolution", "BW"), 3 * runs);
	} else {
		assert_int_equal(count_kernels(&fixture, "conv", "F"), 3 * forwards);
		assert_int_equal(count_kernels(&fixture, "linear", kind.split ? "BW" : "B"), runs);
	}
	tear_down(&fixture);
}

static void kernels_are_named_and_bounded(void **state)
{
	(void)state;
	pipe_build_model();
	for (int device = 0; device < DEVICES; device++) {
		for (int32_t stages = 1; stages <= 2; stages++) {
			for (enum tp_span span = TP_SPAN_SLICE; span <= TP_SPAN_RUNS; span++) {
				check((struct pipe_kind){device, stages, span, false, false, false, NULL});
				check((struct pipe_kind){device, stages, span, false, true, false, NULL});
			}
			check((struct pipe_kind){device, stages, TP_SPAN_SLICE, true, false, false, NULL});
			check((struct pipe_kind){device, stages, TP_SPAN_SLICE, true, true, false, NULL});
			check((struct pipe_kind){device, stages, TP_SPAN_RUNS, false, false, true, NULL});
		}
	}
}

static void an_unnamed_stage_records_nothing(void **state)
{
	(void)state;
	pipe_build_model();
	struct pipe *pipe = pipe_open((struct pipe_kind){CPU, 2, TP_SPAN_MINI, false, false, false, NULL});
	pipe_forward(pipe, 0);
	pipe_backward(pipe, WHOLE, (struct tp_stage_read){0, 0, 1});
	assert_int_equal(pipe->stage[0].names.update, TP_KERNEL_UNNAMED);
	assert_null(pipe->stage[0].names.upload);
	pipe_close(pipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(kernels_are_named_and_bounded),
	        cmocka_unit_test(an_unnamed_stage_records_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
