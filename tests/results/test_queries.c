/* The shipped queries, on a database whose figures were worked out by hand; and their list in docs/queries.md. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger.h"
#include "results/stand_in.h"
#include "test_store_support.h"

static const struct {
	const char *name, *rows; /* columns parted by bars, rows by semicolons */
} expected[] = {
        {"bubble", "timeprest|2|0.4912|0.4824|0.5|0.9659;gpipe|2|0.5917|0.5833|0.6|1.45"},
        {"communication", "gpipe|0|300.0|400.0|300.0;timeprest|0|300.0|400.0|300.0"},
        {"hidden_communication", "timeprest|48|22|26|0.4583|7.43;gpipe|48|18|30|0.375|5.77"},
        {"idle_causes", "gpipe|sender|123|39.94;gpipe|drain|120|38.96;gpipe|fill|40|12.99;gpipe|message|20|6.49;"
                        "gpipe|host|5|1.62;timeprest|drain|71|41.28;timeprest|sender|55|31.98;"
                        "timeprest|fill|35|20.35;timeprest|message|11|6.4"},
        {"kernels", "conv|c1|F|jit|4|32|88.89|8|500.0|250.0;sgd||U||1|4|11.11|4|NULL|125.0"},
        {"memory_balance",
         "1|gpipe|1500|450|8|1000|42|2.8;2|timeprest|1500|450|8|1000|42|2.8;3|gpipe|1500|450|8|1000|42|2.8;"
         "4|timeprest|1500|450|8|1000|42|2.8"},
        {"memory_peak", "gpipe|3|1|1|350|300|50|0|0|0|0|0|48|NULL|NULL|NULL;"
                        "timeprest|4|1|1|350|300|50|0|0|0|0|0|45|U|1|-1"},
        {"profiling_cost", "4|timeprest|mlp|kernels|5|102|100|2.0|1.0|5.0"},
        {"slow_operations", "1|0|B|1|-1|30|30|30|sender message;1|0|F|1|0|10|10|0|;1|0|F|1|1|10|10|0|;"
                            "1|1|F|1|0|10|10|15|fill;1|1|F|1|1|10|10|0|;1|1|B|1|-1|10|10|0|;1|0|U|1|-1|5|5|0|;"
                            "1|1|U|1|-1|3|3|0|"},
        {"speed_up", "timeprest|gpipe|2|1.4902|1.3333|1.6471;gpipe|gpipe|2|1.0|1.0|1.0"},
        {"stage_time", "0|85|23.53|35.29|5.88|0.0|0.0|29.41|5.88|0.0|0.0;"
                       "1|85|23.53|11.76|3.53|17.65|43.53|0.0|0.0|0.0|0.0"},
        {"stragglers", "gpipe|0|70|1.25|1.6667;gpipe|1|42|0.75|1.0;timeprest|0|55|1.25|1.6667;"
                       "timeprest|1|33|0.75|1.0"},
        {"time_to_target", "gpipe|target-loss|2.0|2|2|1|1|1.2e-07|1.4e-07;"
                           "timeprest|target-loss|2.0|2|1|1|1|8.5e-08|8.5e-08"},
        {"validity", "1|gpipe|done||0|records_complete: 3 lost;2|timeprest|done||1|;3|gpipe|done||1|;"
                     "4|timeprest|done||1|"},
        {"version_difference", "timeprest|1|1.0|1|1|2|1.5|1.25"},
        {"version_readers", "0|0|NULL|B|1|1|1|0;0|0|NULL|F|2|1|1|0;1|0|NULL|B|1|1|1|0;1|0|NULL|F|2|1|1|0"},
        {"versions_alive", "0|1|85|100.0|0;1|1|48|56.47|0;1|2|37|43.53|48"},
};
enum { QUERIES = sizeof expected / sizeof *expected };

static char *read_query(const char *name)
{
	char file[128];
	(void)snprintf(file, sizeof file, "results/queries/%s.sql", name);
	return read_source(file);
}

static void queries_answer(void **state)
{
	(void)state;
	const char *path = in_folder("ledger.db");
	make_ledger(path);
	for (int i = 0; i < QUERIES; i++) {
		char *sql = read_query(expected[i].name);
		const char *found = sql_text(path, sql);
		if (strcmp(found, expected[i].rows) != 0)
			fail_msg("%s: expected %s, found %s", expected[i].name, expected[i].rows, found);
		free(sql);
	}
}

/* Nothing to answer from is not an error. */
static void queries_run_on_a_new_database(void **state)
{
	(void)state;
	const char *path = in_folder("empty.db");
	tp_store_close(open_store(path));
	for (int i = 0; i < QUERIES; i++) {
		char *sql = read_query(expected[i].name);
		assert_string_equal(sql_text(path, sql), "");
		free(sql);
	}
}

/* Times of a run on a stand-in for a GPU say nothing, so nothing that is made of them is there; the rest is. */
static void a_stand_in_has_no_times(void **state)
{
	(void)state;
	static const char *const of_times[] = {"bubble",   "hidden_communication", "idle_causes",
	                                       "kernels",  "profiling_cost",       "slow_operations",
	                                       "speed_up", "stage_time",           "stragglers"};
	static const char times[] =
	        "SELECT (SELECT count(*) FROM stage_time) + (SELECT count(*) FROM bubble) + (SELECT count(*) FROM "
	        "overlap) + (SELECT count(reached_s) FROM time_to_target) + (SELECT count(window_ns) + "
	        "count(samples_per_s) + count(epochs_per_h) + count(idle_total_ratio) + count(exposed_ns) + "
	        "count(steady_samples_per_s) FROM epoch_summary) + (SELECT count(mean_epoch_ns) + count(samples_per_s) "
	        "+ "
	        "count(idle_ideal_ratio) FROM compare)";
	static const char rest[] = "SELECT count(e.trained_samples) || ' ' || count(e.train_loss) || ' ' || "
	                           "count(stages_peak_bytes) || ' ' || count(version_difference_max_count) FROM "
	                           "epoch_summary AS e JOIN compare USING (run_id)";
	const char *path = in_folder("stand_in.db");
	make_ledger(path);
	char *kept = strdup(sql_text(path, rest));
	assert_true(sql_integer(path, times) > 20);
	sql_execute(path, "UPDATE run SET device = 'fakecuda (no GPU)'");
	assert_int_equal(sql_integer(path, times), 0);
	assert_string_equal(sql_text(path, rest), kept);
	for (size_t i = 0; i < sizeof of_times / sizeof *of_times; i++) {
		char *sql = read_query(of_times[i]);
		assert_string_equal(sql_text(path, sql), "");
		free(sql);
	}
	free(kept);
}

/* The rule is written in C and in SQL. */
static void both_rules_are_one(void **state)
{
	(void)state;
	static const char *const devices[] = {"fakecuda (no GPU)", "(no GPU)", "cpu", "no GPU)", "", "x (no GPU) y"};
	const char *path = in_folder("devices.db");
	make_ledger(path);
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		char sql[96];
		(void)snprintf(sql, sizeof sql, "UPDATE run SET device = '%s'", devices[i]);
		sql_execute(path, sql);
		bool timed = sql_integer(path, "SELECT count(*) FROM timed_run") > 0;
		assert_int_equal(timed, i >= 2);
		assert_int_equal(tp_is_stand_in(devices[i]), !timed);
	}
}

static bool is_tested(const char *file)
{
	char name[128];
	for (int i = 0; i < QUERIES; i++) {
		(void)snprintf(name, sizeof name, "%s.sql", expected[i].name);
		if (strcmp(file, name) == 0)
			return true;
	}
	return false;
}

/* Every file is tested here, begins with its question, is one statement, and is in the list with that question. */
static void queries_are_listed(void **state)
{
	(void)state;
	char *document = read_source("docs/queries.md");
	DIR *folder = opendir(TPBENCH_SOURCE_DIR "/results/queries");
	struct dirent *file;
	int count = 0;
	assert_non_null(folder);
	while ((file = readdir(folder)) != NULL) {
		if (file->d_name[0] == '.')
			continue;
		if (!is_tested(file->d_name))
			fail_msg("results/queries/%s has no test", file->d_name);
		char source[320], question[256], row[640];
		(void)snprintf(source, sizeof source, "results/queries/%s", file->d_name);
		char *sql = read_source(source);
		assert_int_equal(sscanf(sql, "-- %255[^\n]", question), 1);
		assert_int_equal(question[strlen(question) - 1], '?');
		assert_string_equal(strstr(sql, ";\n"), ";\n");
		(void)snprintf(row, sizeof row, "| `%s` | %s |", file->d_name, question);
		if (!strstr(document, row))
			fail_msg("docs/queries.md lacks: %s", row);
		free(sql);
		count++;
	}
	(void)closedir(folder);
	assert_int_equal(count, QUERIES);
	free(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(queries_answer),          cmocka_unit_test(queries_run_on_a_new_database),
	        cmocka_unit_test(a_stand_in_has_no_times), cmocka_unit_test(both_rules_are_one),
	        cmocka_unit_test(queries_are_listed),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
