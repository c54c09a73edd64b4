/* Files of costs: written, read back, and refused with the line and field that are wrong. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/schedule/cost_file.h"

static const struct tp_cost_shape micro_mini = {2, 3, 1, false}; /* as timeprest, W = 2, N = 3 */
static const struct tp_cost_shape mini_mini = {2, 1, 1, false};  /* as pipedream */
static const struct tp_cost_shape micro_split = {2, 3, 3, true}; /* as zb-h1 */

#define FILE_NAME "costs.csv"
#define HEAD "# tpbench costs 1\nstage,operation,micro_batch,cost_ns\n"
#define STAGE0 "0,F,0,10\n0,F,1,11\n0,F,2,12\n0,B,-,40\n0,U,-,0\n"
#define STAGE1 "1,F,0,20\n1,F,1,21\n1,F,2,22\n1,B,-,50\n1,U,-,3\n"

static void write_file(const void *bytes, size_t size)
{
	(void)unlink(FILE_NAME); /* a new file: replacing the bytes of an old one waits for the disk */
	FILE *file = fopen(FILE_NAME, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void expect_costs(const struct tp_cost_table *table)
{
	for (int32_t s = 0; s < 2; s++) {
		for (int32_t j = 0; j < 3; j++)
			assert_int_equal(*tp_cost_entry(table, s, TP_OP_F, j), 10 * (s + 1) + j);
		assert_int_equal(*tp_cost_entry(table, s, TP_OP_B, TP_WHOLE), 40 + 10 * s);
		assert_int_equal(*tp_cost_entry(table, s, TP_OP_U, TP_WHOLE), 3 * s);
	}
}

static void files_are_read_in_any_order(void **state)
{
	(void)state;
	static const char *const texts[] = {
	        HEAD STAGE0 STAGE1, HEAD STAGE1 STAGE0,
	        "# tpbench costs 1\r\n# by hand\r\n\r\nstage,operation,micro_batch,cost_ns\r\n" STAGE0
	        "# the other\n\n" STAGE1,
	        HEAD "0,B,0,40\n0,U,0,0\n0,F,2,12\n0,F,1,11\n0,F,0,10\n" STAGE1, /* - and 0 are the same of one */
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct tp_cost_table table;
		write_file(texts[i], strlen(texts[i]));
		assert_int_equal(tp_cost_file_read(FILE_NAME, micro_mini, &table), TP_OK);
		expect_costs(&table);
		tp_cost_table_release(&table);
	}
}

static void what_is_written_reads_back(void **state)
{
	(void)state;
	static const struct tp_cost_shape shapes[] = {
	        {2, 3, 1, false}, {2, 1, 1, false}, {2, 3, 3, true}, {1, 1, 1, false}, {7, 16, 16, true}};
	struct tp_prng prng;
	tp_prng_init(&prng, 20240229, 1);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		struct tp_cost_table table, again;
		assert_int_equal(tp_cost_table_init(&table, shapes[i]), TP_OK);
		for (int64_t v = 0; v < tp_cost_value_count(&shapes[i]); v++)
			table.values[v] = 1 + (int64_t)tp_prng_below(&prng, TP_COST_MAX_NS);
		for (int32_t s = 0; s < shapes[i].stages; s++)
			table.stage[s].update = (int64_t)tp_prng_below(&prng, 2) * TP_COST_MAX_NS;
		assert_int_equal(tp_cost_file_write(FILE_NAME, &table), TP_OK);
		assert_int_equal(tp_cost_file_read(FILE_NAME, shapes[i], &again), TP_OK);
		assert_memory_equal(again.values, table.values,
		                    (size_t)tp_cost_value_count(&shapes[i]) * sizeof *table.values);
		for (int32_t s = 0; s < shapes[i].stages; s++)
			assert_int_equal(again.stage[s].update, table.stage[s].update);
		tp_cost_table_release(&again);
		tp_cost_table_release(&table);
	}
}

static int entries_of_folder(const char *path)
{
	DIR *folder = opendir(path);
	int count = 0;
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	assert_int_equal(closedir(folder), 0);
	return count;
}

/* A failed write says so and leaves what was there. */
static void nothing_is_left_half_written(void **state)
{
	(void)state;
	struct tp_cost_table table;
	assert_int_equal(tp_cost_table_uniform(&table, micro_mini, 3, "1ms,2ms"), TP_OK);
	assert_int_equal(tp_cost_file_write("no/such/folder/costs.csv", &table), TP_ERR_IO);
	assert_non_null(strstr(tp_detail(), "no/such/folder/costs.csv: cannot be written"));
	assert_int_equal(mkdir("taken", 0777), 0);
	assert_int_equal(mkdir("taken/costs.csv", 0777), 0); /* a folder of that name cannot be replaced */
	assert_int_equal(tp_cost_file_write("taken/costs.csv", &table), TP_ERR_IO);
	assert_int_equal(entries_of_folder("taken"), 1);
	assert_int_equal(rmdir("taken/costs.csv"), 0);
	assert_int_equal(tp_cost_file_write("taken/costs.csv", &table), TP_OK);
	assert_int_equal(entries_of_folder("taken"), 1);
	assert_int_equal(unlink("taken/costs.csv"), 0);
	assert_int_equal(rmdir("taken"), 0);
	tp_cost_table_release(&table);
}

/* The detail must begin with the file and, but for 0, the line, and the complaint; `found` must be in it. */
static void malformed_files_are_refused(void **state)
{
	(void)state;
	static const struct {
		const struct tp_cost_shape *shape;
		const char *text;
		int line;
		const char *complaint, *found;
	} cases[] = {
	        {&micro_mini, "", 1, "expected '# tpbench costs 1'", "an empty file"},
	        {&micro_mini, "stage,operation,micro_batch,cost_ns\n" STAGE0 STAGE1, 1, "expected '# tpbench costs 1'",
	         "'stage,operation"},
	        {&micro_mini, "# tpbench costs 2\n", 1, "expected '# tpbench costs 1'", "'# tpbench costs 2'"},
	        {&micro_mini,
	         "\x7f"
	         "ELF\x02\x01\n",
	         1, "expected '# tpbench costs 1'", "ELF"},
	        {&micro_mini, "# tpbench costs 1\n", 1, "expected the header", "the end of the file"},
	        {&micro_mini, "# tpbench costs 1\n# nothing\n" STAGE0, 3, "expected the header", "'0,F,0,10'"},
	        {&micro_mini, "# tpbench costs 1\nstage,operation,cost_ns\n", 2, "expected the header",
	         "'stage,operation,cost_ns'"},
	        /* fields */
	        {&micro_mini, HEAD "0,F,0\n", 3, "fields: expected four", "fewer"},
	        {&micro_mini, HEAD "0,F,0,10,1\n", 3, "fields: expected four", "more"},
	        {&micro_mini, HEAD "hello\n", 3, "fields: expected four", "fewer"},
	        {&micro_mini, HEAD STAGE0 "a,F,0,10\n", 8, "stage: expected a whole number", "'a'"},
	        {&micro_mini, HEAD ",F,0,10\n", 3, "stage: expected a whole number", "''"},
	        {&micro_mini, HEAD "-1,F,0,10\n", 3, "stage: expected 0", "'-1'"},
	        {&micro_mini, HEAD "0,G,0,10\n", 3, "operation: expected F, B, BX, BW or U", "'G'"},
	        {&micro_mini, HEAD "0,f,0,10\n", 3, "operation: expected F, B, BX, BW or U", "'f'"},
	        {&micro_mini, HEAD "0,,0,10\n", 3, "operation: expected F, B, BX, BW or U", "''"},
	        {&micro_mini, HEAD "0,F,-1,10\n", 3, "micro_batch: expected 0 to 2", "'-1'"},
	        {&micro_mini, HEAD "0,F,x,10\n", 3, "micro_batch: expected a whole number", "'x'"},
	        {&micro_mini, HEAD "0,F,0,\n", 3, "cost_ns: expected a whole number", "''"},
	        {&micro_mini, HEAD "0,F,0,0\n", 3, "cost_ns: expected 1 to", "'0'"},
	        {&micro_mini, HEAD "0,B,-,0\n", 3, "cost_ns: expected 1 to", "'0'"},
	        {&micro_mini, HEAD "0,F,0,-10\n", 3, "cost_ns: expected 1 to", "'-10'"},
	        {&micro_mini, HEAD "0,U,-,-1\n", 3, "cost_ns: expected 0 to", "'-1'"},
	        {&micro_mini, HEAD "0,F,0,1.5\n", 3, "cost_ns: expected a whole number", "'1.5'"},
	        {&micro_mini, HEAD "0,F,0,10 \n", 3, "cost_ns: expected a whole number", "'10 '"},
	        {&micro_mini, HEAD "0,F,0,10ns\n", 3, "cost_ns: expected a whole number", "'10ns'"},
	        {&micro_mini, HEAD "0,F,0,3600000000001\n", 3, "cost_ns: expected 1 to", "'3600000000001'"},
	        {&micro_mini, HEAD "0,F,0,99999999999999999999\n", 3, "cost_ns: expected 1 to", "'9999999"},
	        /* entries */
	        {&micro_mini, HEAD STAGE0 "0,F,1,11\n", 8, "a second cost of stage 0, F, micro-batch 1", ""},
	        {&micro_mini, HEAD STAGE0 "0,B,0,11\n", 8, "a second cost of stage 0, B", ""},
	        {&micro_mini, HEAD STAGE0 "0,U,-,11\n", 8, "a second cost of stage 0, U", ""},
	        {&micro_mini, HEAD "0,F,0,10\n0,F,2,12\n0,B,-,40\n0,U,-,0\n" STAGE1, 0,
	         "expected a cost of F, micro-batch 1, at stage 0 of 2", "found none"},
	        {&micro_mini, HEAD STAGE0 "1,F,0,20\n1,F,1,21\n1,F,2,22\n1,U,-,3\n", 0,
	         "expected a cost of B, micro-batch 0, at stage 1 of 2", "found none"},
	        {&micro_mini, HEAD STAGE0 "1,F,0,20\n1,F,1,21\n1,F,2,22\n1,B,-,50\n", 0,
	         "expected a cost of U, micro-batch 0, at stage 1 of 2", "found none"},
	        {&micro_mini, HEAD, 0, "expected a cost of F, micro-batch 0, at stage 0 of 2", "found none"},
	        /* of another pipeline */
	        {&micro_mini, HEAD STAGE0, 0, "expected a cost of F, micro-batch 0, at stage 1 of 2", "found none"},
	        {&micro_mini, HEAD STAGE0 STAGE1 "2,F,0,20\n", 13, "stage: expected costs for the 2 stages of the run",
	         "found stage 2"},
	        {&micro_mini, HEAD "0,F,3,10\n", 3, "micro_batch: expected 0 to 2", "'3'"},
	        {&micro_mini, HEAD "0,F,-,10\n", 3, "micro_batch: expected a number", "'-'"},
	        {&micro_mini, HEAD "0,B,1,10\n", 3, "micro_batch: expected 0 to 0", "'1'"},
	        {&micro_mini, HEAD "0,BX,0,10\n", 3, "operation: expected B, since the schedule does not split",
	         "'BX'"},
	        {&micro_mini, HEAD "0,BW,0,10\n", 3, "operation: expected B, since the schedule does not split",
	         "'BW'"},
	        {&micro_split, HEAD "0,B,0,10\n", 3, "operation: expected BX and BW, since the schedule splits", "'B'"},
	        {&micro_split, HEAD "0,BX,-,10\n", 3, "micro_batch: expected a number", "'-'"},
	        {&mini_mini, HEAD STAGE0 STAGE1, 4, "micro_batch: expected 0 to 0", "'1'"},
	        /* cut short: a number that lost its end is a number too */
	        {&micro_mini, HEAD STAGE0 "1,F,0,20\n1,F,1,21\n1,F,2,22\n1,B,-,50\n1,U,-,3", 12,
	         "line: expected an end of line, the file is cut short", "'1,U,-,3'"},
	        {&micro_mini, HEAD STAGE0 "1,F,0,2", 8, "line: expected an end of line", "cut short"},
	        {&micro_mini, "# tpbench costs 1", 1, "line: expected an end of line", "cut short"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_cost_table table;
		char begin[200];
		uint64_t held = tp_alloc_bytes();
		if (cases[i].line > 0)
			(void)snprintf(begin, sizeof begin, "%s: line %d: %s", FILE_NAME, cases[i].line,
			               cases[i].complaint);
		else
			(void)snprintf(begin, sizeof begin, "%s: %s", FILE_NAME, cases[i].complaint);
		write_file(cases[i].text, strlen(cases[i].text));
		assert_int_equal(tp_cost_file_read(FILE_NAME, *cases[i].shape, &table), TP_ERR_INPUT);
		if (strncmp(tp_detail(), begin, strlen(begin)) != 0 || !strstr(tp_detail(), cases[i].found))
			fail_msg("case %zu: expected '%s' .. '%s', found '%s'", i, begin, cases[i].found, tp_detail());
		assert_null(table.values);
		assert_int_equal(tp_alloc_bytes(), held);
	}
}

static void what_is_no_text_file_is_refused(void **state)
{
	(void)state;
	static const char with_nul[] = HEAD "0,F,0,1\0"
	                                    "0\n" STAGE1;
	struct tp_cost_table table;
	char text[512] = HEAD;
	write_file(with_nul, sizeof with_nul - 1);
	assert_int_equal(tp_cost_file_read(FILE_NAME, micro_mini, &table), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), FILE_NAME ": line 3: line: expected"));
	memset(text + sizeof HEAD - 1, '1', 300);
	write_file(text, strlen(text));
	assert_int_equal(tp_cost_file_read(FILE_NAME, micro_mini, &table), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), FILE_NAME ": line 3: line: expected at most 254 characters"));
	assert_int_equal(tp_cost_file_read("missing.csv", micro_mini, &table), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "missing.csv: expected alone, loaded"));
	assert_int_equal(tp_cost_file_read(".", micro_mini, &table), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), ".: cannot be read: Is a directory"));
	char path[3000];
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(tp_cost_file_read(path, micro_mini, &table), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "or a file: File name too long"));
}

static void memory_may_run_out(void **state)
{
	(void)state;
	uint64_t held = tp_alloc_bytes();
	enum tp_status status = TP_ERR_NOMEM;
	int failures = 0;
	write_file(HEAD STAGE0 STAGE1, strlen(HEAD STAGE0 STAGE1));
	for (int64_t successes = 0; status == TP_ERR_NOMEM; successes++) {
		struct tp_cost_table table;
		tp_alloc_fail_after(successes);
		status = tp_cost_file_read(FILE_NAME, micro_mini, &table);
		tp_alloc_fail_after(-1);
		failures += status == TP_ERR_NOMEM;
		tp_cost_table_release(&table);
		assert_int_equal(tp_alloc_bytes(), held);
	}
	assert_int_equal(status, TP_OK);
	assert_true(failures >= 2);
}

/* Bytes changed, parts removed, the end cut off: read, or refused with the file's name. */
static void mutations_are_read_or_refused(void **state)
{
	(void)state;
	enum { MUTATIONS = 5000 };
	static const char good[] = HEAD STAGE0 STAGE1, likely[] = "0123456789-,\nFBXU#";
	struct tp_prng prng;
	int read = 0, refused = 0;
	tp_prng_init(&prng, 20240229, tp_hash_text("mutated costs"));
	for (int i = 0; i < MUTATIONS; i++) {
		char text[sizeof good];
		size_t length = sizeof good - 1;
		memcpy(text, good, sizeof good);
		for (uint64_t changes = 1 + tp_prng_below(&prng, 2); changes > 0 && length > 0; changes--) {
			size_t at = (size_t)tp_prng_below(&prng, length);
			size_t part = 1 + (size_t)tp_prng_below(&prng, length - at);
			switch (tp_prng_below(&prng, 8)) {
			case 0:
				length = at;
				break;
			case 1:
				memmove(text + at, text + at + part, length - at - part);
				length -= part;
				break;
			case 2:
				text[at] = (char)tp_prng_below(&prng, 256);
				break;
			default:
				text[at] = likely[tp_prng_below(&prng, sizeof likely - 1)];
			}
		}
		struct tp_cost_table table;
		uint64_t held = tp_alloc_bytes();
		write_file(text, length);
		if (tp_cost_file_read(FILE_NAME, micro_mini, &table) == TP_OK) {
			read++;
			for (int64_t v = 0; v < tp_cost_value_count(&micro_mini); v++)
				assert_in_range(table.values[v], 1, TP_COST_MAX_NS);
		} else {
			refused++;
			assert_non_null(strstr(tp_detail(), FILE_NAME));
			assert_null(table.values);
		}
		tp_cost_table_release(&table);
		assert_int_equal(tp_alloc_bytes(), held);
	}
	print_message("%d read, %d refused\n", read, refused);
	/* Both must happen, or the mutations test nothing. */
	assert_true(read > MUTATIONS / 50 && refused > MUTATIONS / 5);
}

static char folder[] = "/tmp/tpbench-costs-XXXXXX";

static int enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(FILE_NAME);
	return chdir("/") == 0 ? rmdir(folder) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(files_are_read_in_any_order),     cmocka_unit_test(what_is_written_reads_back),
	        cmocka_unit_test(nothing_is_left_half_written),    cmocka_unit_test(malformed_files_are_refused),
	        cmocka_unit_test(what_is_no_text_file_is_refused), cmocka_unit_test(memory_may_run_out),
	        cmocka_unit_test(mutations_are_read_or_refused),
	};
	return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
