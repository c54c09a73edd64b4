/* Which runs are samples of one experiment, and how two experiments differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "reports/groups.h"
#include "results/queries.h"
#include "test_store_support.h"

static struct tp_store *store;

/* A run of `config`, with an epoch when it is said to be done. */
static void add_run(const char *schedule, const char *config, const char *seed, const char *comparison, bool done,
                    bool valid)
{
	const struct tp_store_pair parameters[] = {{"seed", seed}};
	struct tp_store_run run = sample_run;
	struct tp_store_epoch epoch = sample_epoch(1);
	const struct tp_store_check check = {"idle_closes", valid, ""};
	int64_t run_id;
	run.schedule = schedule;
	run.config_text = config;
	run.comparison = comparison;
	run.parameters = parameters;
	run.parameter_count = 1;
	assert_ok(tp_store_begin_run(store, &run, &run_id));
	if (done)
		assert_ok(tp_store_add_epoch(store, run_id, &epoch));
	assert_ok(
	        tp_store_end_run(store, run_id, done ? TP_STORE_DONE : TP_STORE_FAILED, done ? "" : "why", &check, 1));
}

static int fill(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	store = open_store(in_folder("groups.db"));
	add_run("gpipe", "link=1gbit\nprofile=ops\nschedule=gpipe\nseed=1\nstages=2\n", "1", "one", true, true);
	add_run("timeprest", "link=1gbit\nprofile=ops\nschedule=timeprest\nseed=1\nstages=2\n", "1", "one", true, true);
	add_run("gpipe", "link=1gbit\nprofile=kernels\nschedule=gpipe\nseed=7\nstages=2\n", "7", "one", true, true);
	add_run("gpipe", "link=1gbit\nprofile=ops\nschedule=gpipe\nseed=3\nstages=2\n", "3", "one", false, true);
	add_run("gpipe", "link=1gbit\nprofile=ops\nschedule=gpipe\nseed=4\nstages=2\n", "4", "one", true, false);
	add_run("timeprest", "link=\ncluster=paper-a\nschedule=timeprest\nseed=1\nstages=3\n", "1", "two", true, true);
	return 0;
}

/* A part of a data set is not the whole of it, wherever either lies. */
static void data_are_told_by_their_samples(void **state)
{
	(void)state;
	struct tp_store *data = open_store(in_folder("data.db"));
	static const char *const folders[] = {"here", "there", "there"};
	struct tp_groups groups;
	for (int i = 0; i < 3; i++) {
		char config[64];
		struct tp_store_run run = sample_run;
		struct tp_store_epoch epoch = sample_epoch(1);
		int64_t run_id;
		(void)snprintf(config, sizeof config, "data-dir=%s\nschedule=gpipe\n", folders[i]);
		run.config_text = config;
		run.dropped_samples_per_epoch = i == 2 ? 1000 : 5;
		assert_ok(tp_store_begin_run(data, &run, &run_id));
		assert_ok(tp_store_add_epoch(data, run_id, &epoch));
		assert_ok(tp_store_end_run(data, run_id, TP_STORE_DONE, "", NULL, 0));
	}
	assert_ok(tp_groups_read(data, NULL, &groups));
	assert_int_equal(groups.count, 2);
	assert_int_equal(groups.groups[0].run_count, 2);
	assert_string_equal(groups.groups[1].settings, "schedule=gpipe\ntrain-samples=1096\n");
	tp_groups_release(&groups);
	tp_store_close(data);
}

static int finish(void **state)
{
	tp_store_close(store);
	return remove_folder(state);
}

static void samples_come_together(void **state)
{
	(void)state;
	struct tp_groups groups;
	assert_ok(tp_groups_read(store, NULL, &groups));
	assert_int_equal(groups.count, 3);
	const struct tp_group *gpipe = &groups.groups[0];
	assert_string_equal(gpipe->schedule, "gpipe");
	assert_string_equal(gpipe->settings, "link=1gbit\nschedule=gpipe\nstages=2\n");
	assert_string_equal(gpipe->link, "1gbit");
	assert_string_equal(gpipe->cluster, "");
	assert_int_equal(gpipe->run_count, 2);
	assert_int_equal(gpipe->left_out, 2); /* failed, invalid */
	assert_int_equal(gpipe->runs[0].run_id, 1);
	assert_int_equal(gpipe->runs[1].run_id, 3);
	assert_int_equal(gpipe->runs[1].seed, 7);
	assert_int_equal(gpipe->runs[1].epochs, 1);
	assert_string_equal(groups.groups[2].cluster, "paper-a");
	tp_groups_release(&groups);
	assert_ok(tp_groups_read(store, "two", &groups));
	assert_int_equal(groups.count, 1);
	tp_groups_release(&groups);
	assert_ok(tp_groups_read(store, "none of that name", &groups));
	assert_int_equal(groups.count, 0);
	tp_groups_release(&groups);
}

/* The settings of a run on a stand-in are those of a run on what it stands in for, so both are of one group. */
static void a_stand_in_is_no_sample(void **state)
{
	(void)state;
	struct tp_groups groups;
	struct tp_text said = {0};
	sqlite3 *db = tp_store_connection(store);
	assert_int_equal(
	        sqlite3_exec(db, "UPDATE run SET device = 'fakecuda (no GPU)' WHERE run_id = 1", NULL, NULL, NULL),
	        SQLITE_OK);
	assert_ok(tp_groups_read(store, NULL, &groups));
	const struct tp_group *gpipe = &groups.groups[0];
	assert_int_equal(gpipe->run_count, 1);
	assert_int_equal(gpipe->runs[0].run_id, 3);
	assert_int_equal(gpipe->left_out, 3);
	assert_int_equal(gpipe->stand_ins, 1);
	assert_string_equal(gpipe->device, sample_run.device);
	assert_int_equal(tp_groups_stand_ins(&groups), 1);
	tp_groups_release(&groups);
	tp_groups_say_stand_ins(1, &said);
	assert_string_equal(tp_text_get(&said),
	                    "1 run left out: its device stands in for a GPU and its clock says nothing");
	tp_text_release(&said);
	assert_int_equal(
	        sqlite3_exec(db, "UPDATE run SET device = (SELECT device FROM run WHERE run_id = 3) WHERE run_id = 1",
	                     NULL, NULL, NULL),
	        SQLITE_OK);
}

static void differences_are_named(void **state)
{
	(void)state;
	struct tp_groups groups;
	struct tp_text names = {0};
	char value[32];
	assert_ok(tp_groups_read(store, NULL, &groups));
	const struct tp_group *gpipe = &groups.groups[0], *timeprest = &groups.groups[1], *cluster = &groups.groups[2];
	tp_groups_differ(gpipe, timeprest, &names);
	assert_string_equal(tp_text_get(&names), "schedule");
	tp_text_release(&names);
	tp_groups_differ(timeprest, cluster, &names); /* what the second alone has comes last */
	assert_string_equal(tp_text_get(&names), "link,stages,cluster");
	tp_text_release(&names);
	tp_groups_differ(gpipe, gpipe, &names);
	assert_string_equal(tp_text_get(&names), "");
	assert_true(tp_groups_alike_but(gpipe, timeprest, "schedule"));
	assert_true(tp_groups_alike_but(gpipe, timeprest, "seed,schedule"));
	assert_false(tp_groups_alike_but(gpipe, timeprest, "stages"));
	assert_false(tp_groups_alike_but(gpipe, timeprest, ""));
	assert_true(tp_groups_alike_but(timeprest, cluster, "cluster,stages,link"));
	assert_false(tp_groups_alike_but(timeprest, cluster, "cluster,stages"));
	assert_true(tp_group_setting(cluster, "stages", value, sizeof value));
	assert_string_equal(value, "3");
	assert_false(tp_group_setting(cluster, "stage", value, sizeof value));
	tp_text_release(&names);
	tp_groups_release(&groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(samples_come_together),
	        cmocka_unit_test(a_stand_in_is_no_sample),
	        cmocka_unit_test(differences_are_named),
	        cmocka_unit_test(data_are_told_by_their_samples),
	};
	return cmocka_run_group_tests(tests, fill, finish);
}
