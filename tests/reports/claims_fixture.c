#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims_fixture.h"
#include "test_store_support.h"

static char path[256];
static int made; /* databases; each has a name of its own */
static int runs; /* of the present one */
static struct tp_claims claims;
static struct tp_text sql; /* of the run that is being made */

int fixture_begin(void **state)
{
	(void)state;
	char name[32];
	(void)snprintf(name, sizeof name, "claims%d.db", made++);
	(void)snprintf(path, sizeof path, "%s", in_folder(name));
	tp_store_close(open_store(path));
	runs = 0;
	return 0;
}

int fixture_end(void **state)
{
	(void)state;
	tp_claims_release(&claims);
	return 0;
}

const char *fixture_path(void)
{
	return path;
}

static const char *or_else(const char *text, const char *usual)
{
	return text ? text : usual;
}

static double or_number(double value, double usual)
{
	return value != 0 ? value : usual;
}

static void fill_in(struct fixture *run)
{
	run->schedule = or_else(run->schedule, "timeprest");
	run->model = or_else(run->model, "mlp");
	run->cluster = or_else(run->cluster, "");
	run->costs = or_else(run->costs, "");
	run->clock = or_else(run->clock, "real");
	run->order = or_else(run->order, "dynamic");
	run->stages = (int)or_number(run->stages, 2);
	run->micro_batches = (int)or_number(run->micro_batches, 3);
	run->batch = (int)or_number(run->batch, 48);
	run->seed = (int)or_number(run->seed, 1);
	run->repeats = (int)or_number(run->repeats, 1);
	run->epoch_ms = or_number(run->epoch_ms, 10);
	run->sent_bytes = or_number(run->sent_bytes, 600);
	run->backward_ms = or_number(run->backward_ms, 2);
	run->v = (int)or_number(run->v, 1);
	run->chains = (int)or_number(run->chains, run->v);
	run->mini_batches = (int)or_number(run->mini_batches, 20);
}

static void add_run_rows(const struct fixture *run, int id)
{
	char *config =
	        sqlite3_mprintf("batch=%d\nclock=%s\ncluster=%s\ncosts=%s\nlink=\nmicro-batches=%d\nmodel=%s\norder="
	                        "%s\nschedule=%s\nseed=%d\nstages=%d\n",
	                        run->batch, run->clock, run->cluster, run->costs, run->micro_batches, run->model,
	                        run->order, run->schedule, run->seed, run->stages);
	char *rows =
	        sqlite3_mprintf("INSERT INTO run VALUES (%d, '', '', '', 1, %Q, %Q, 'synthetic', 'cpu', %Q, %Q, %d, "
	                        "%d, %d, %d, 0, 0, '', %Q, "
	                        "0, 1, 0, '', 0); INSERT INTO run_end VALUES (%d, 'done', '', 1); INSERT INTO "
	                        "run_parameter VALUES (%d, "
	                        "'seed', '%d'), (%d, 'target-top1', '%f');",
	                        id, run->schedule, run->model, run->order, run->clock, run->stages, run->micro_batches,
	                        run->batch, run->mini_batches, config, id, id, run->seed, id, run->target / 100);
	assert_non_null(rows);
	tp_text_add(&sql, "%s", rows);
	sqlite3_free(rows);
	sqlite3_free(config);
}

static void add_figures(const struct fixture *run, int id, int epoch)
{
	int minis = run->mini_batches;
	char alpha[32] = "NULL";
	if (run->alpha != 0)
		(void)snprintf(alpha, sizeof alpha, "%f", run->alpha);
	tp_text_add(&sql, "INSERT INTO epoch_figures VALUES (%d, %d, 0, 0, 0, 0, 0, %s, %d, 1.0, %d, 0, 0, 0);", id,
	            epoch, alpha, run->v, run->chains);
	tp_text_add(&sql, "INSERT INTO boundary_figures VALUES (%d, %d, 0, 0, %.0f, 0, %.0f);", id, epoch,
	            run->sent_bytes * minis / 2, run->sent_bytes * minis / 2);
	for (int s = 0; s < run->stages; s++) {
		double peak = s < 2 ? or_number(run->peak_bytes[s], 1000) : 1000;
		tp_text_add(&sql,
		            "INSERT INTO stage_figures VALUES (%d, %d, %d, 0, 0, 0, 0, 0, 0, 0, 0, 0, %.0f, 0, 0, 0, "
		            "0, 0, 0, "
		            "0, 0, 0, 1, 0, 0, %d, 0, 0, 0, 0, 0, 0);",
		            id, epoch, s, run->backward_ms * 1e6 * minis / run->stages, run->staleness);
		/* Two kinds, and less of it in the second epoch. */
		tp_text_add(&sql,
		            "INSERT INTO memory VALUES (%d, %d, %d, 'weights_live', 0, 0, %.0f, 0), (%d, %d, %d, "
		            "'activations', 0, 0, %.0f, 0);",
		            id, epoch, s, peak / 4, id, epoch, s, epoch == 1 ? 3 * peak / 4 : 0);
	}
	tp_text_add(&sql, "INSERT INTO memory VALUES (%d, %d, -1, 'data', 0, 0, 1000000, 0);", id, epoch);
}

static void add_epoch(const struct fixture *run, int id, int epoch)
{
	char top1[32] = "NULL";
	double ns = run->epoch_ms * 1e6;
	if (run->top1[epoch - 1] != 0)
		(void)snprintf(top1, sizeof top1, "%f", run->top1[epoch - 1] / 100);
	tp_text_add(&sql,
	            "INSERT INTO epoch VALUES (%d, %d, 'ops', %d, 0, %.0f, %.0f, NULL, NULL, 10, NULL, %s, NULL, 0, 0, "
	            "0, 0);",
	            id, epoch, run->mini_batches, (epoch - 1) * ns, epoch * ns, top1);
	if (!run->unrecorded)
		add_figures(run, id, epoch);
}

void fixture_run(struct fixture run)
{
	fill_in(&run);
	for (int i = 0; i < run.repeats; i++) {
		int id = ++runs;
		tp_text_add(&sql, "PRAGMA synchronous = OFF; BEGIN;"); /* nobody pulls the plug on a test */
		add_run_rows(&run, id);
		add_epoch(&run, id, 1);
		add_epoch(&run, id, 2);
		tp_text_add(&sql, "COMMIT;");
		assert_false(sql.failed);
		sql_execute(path, tp_text_get(&sql));
		tp_text_release(&sql);
	}
}

struct tp_claims *fixture_judge(void)
{
	struct tp_store *store;
	struct tp_groups groups;
	tp_claims_release(&claims);
	assert_ok(tp_store_open_readonly(path, &store));
	assert_ok(tp_groups_read(store, NULL, &groups));
	assert_ok(tp_claims_read(store, &groups, &claims));
	tp_groups_release(&groups); /* nothing of it is kept */
	tp_store_close(store);
	return &claims;
}

const struct tp_claim *fixture_claim(const char *id)
{
	const struct tp_claims *judged = fixture_judge();
	for (int32_t c = 0; c < judged->count; c++) {
		if (strcmp(judged->claims[c].id, id) == 0)
			return &judged->claims[c];
	}
	fail_msg("no claim %s", id);
	return NULL;
}

void expect_verdict(const char *id, enum tp_verdict verdict)
{
	const struct tp_claim *claim = fixture_claim(id);
	if (claim->verdict != verdict)
		fail_msg("%s: expected '%s', found '%s'", id, tp_verdict_text(verdict),
		         tp_verdict_text(claim->verdict));
}

void expect_not_tested(const char *id, const char *note)
{
	const struct tp_claim *claim = fixture_claim(id);
	expect_verdict(id, TP_NOT_TESTED);
	claim = fixture_claim(id);
	for (int32_t f = 0; f < claim->finding_count; f++) {
		for (int32_t m = 0; m < claim->findings[f].measure_count; m++) {
			if (strstr(claim->findings[f].measures[m].note, note))
				return;
		}
	}
	fail_msg("%s: no note says '%s'", id, note);
}
