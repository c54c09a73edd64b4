/* Schedules from CSV files: those that run, drawn, and those that are refused, with row and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/schedule/listing_csv.h"
#include "engine/schedule/verify.h"

static enum tp_status parse(const char *csv, struct tp_listing *listing)
{
	return tp_listing_parse_csv("given.csv", csv, strlen(csv), listing);
}

/* Sound, so large, and drawn so. */
static void expect_grid(const char *csv, int32_t ranks, int32_t stages, int32_t micro_batches, const char *grid)
{
	static const struct tp_verify_limits no_limits;
	struct tp_listing listing;
	struct tp_verify_report report;
	struct tp_text text = {0};
	if (parse(csv, &listing) != TP_OK)
		fail_msg("%s", tp_detail());
	assert_int_equal(listing.ranks, ranks);
	assert_int_equal(listing.stages, stages);
	assert_int_equal(listing.micro_batches, micro_batches);
	assert_int_equal(listing.minis, 1);
	assert_int_equal(tp_verify(&listing, &no_limits, &report), TP_OK);
	if (!report.ok)
		fail_msg("%s", report.fault.text);
	assert_int_equal(tp_listing_grid(&listing, &text), TP_OK);
	assert_string_equal(tp_text_get(&text), grid);
	tp_text_release(&text);
	tp_verify_release(&report);
	tp_listing_release(&listing);
}

static const char gpipe[] = "0F0,0F1,0F2,,,0B0,0B1,0B2\n"
                            ",1F0,1F1,1F2,1B0,1B1,1B2,\n";
static const char gpipe_grid[] = "1A 1B 1C . . 1a 1b 1c\n"
                                 ". 1A 1B 1C 1a 1b 1c .\n";

static void test_gpipe(void **state)
{
	(void)state;
	expect_grid(gpipe, 2, 2, 3, gpipe_grid);
	/* Line ends of elsewhere, trailing commas, none behind the last line, empty lines after it, blanks. */
	expect_grid("0F0,0F1,0F2,,,0B0,0B1,0B2,,\r\n,1F0,1F1,1F2,1B0,1B1,1B2,,,\r\n", 2, 2, 3, gpipe_grid);
	expect_grid("0F0,0F1,0F2,0B0,0B1,0B2\n1F0,1F1,1F2,1B0,1B1,1B2", 2, 2, 3, gpipe_grid);
	expect_grid("0F0, 0F1 ,0F2,0B0,0B1,0B2\n1F0,1F1,1F2,1B0,\t,1B1,1B2\n\n\r\n", 2, 2, 3, gpipe_grid);
}

static void test_1f1b(void **state)
{
	(void)state;
	expect_grid("0F0,0F1,0F2,0F3,,,,0B0,,0B1,,0B2,,0B3\n"
	            ",1F0,1F1,1F2,,,1B0,1F3,1B1,,1B2,,1B3,\n"
	            ",,2F0,2F1,,2B0,2F2,2B1,2F3,2B2,,2B3,,\n"
	            ",,,3F0,3B0,3F1,3B1,3F2,3B2,3F3,3B3,,,\n",
	            4, 4, 4,
	            "1A 1B 1C 1D . . . 1a . 1b . 1c . 1d\n"
	            ". 1A 1B 1C . . 1a 1D 1b . 1c . 1d .\n"
	            ". . 1A 1B . 1a 1C 1b 1D 1c . 1d . .\n"
	            ". . . 1A 1a 1B 1b 1C 1c 1D 1d . . .\n");
}

static void test_interleaved(void **state)
{
	(void)state;
	expect_grid("0F0,0F1,2F0,2F1,,2B0,,2B1,,0B0,0B1\n"
	            ",1F0,1F1,3F0,3B0,3F1,3B1,,1B0,1B1,\n",
	            2, 4, 2,
	            "0:1A 0:1B 2:1A 2:1B . 2:1a . 2:1b 0:1a 0:1b\n"
	            ". 1:1A 1:1B 3:1A 3:1a 3:1B 3:1b 1:1a 1:1b .\n");
}

static void test_split_backwards(void **state)
{
	(void)state;
	expect_grid("0F0,0F1,,0I0,0W0,0I1,0W1\n,1F0,1I0,1F1,1I1,1W0,1W1\n", 2, 2, 2,
	            "1A 1B . 1a 1a' 1b 1b'\n"
	            ". 1A 1a 1B 1b 1a' 1b'\n");
	/* Some whole, some in parts; weights moved about in between, which takes no time here. */
	expect_grid("0UNSHARD,0F0,0F1,,0B0,0I1,0W1,0REDUCE_GRAD\n1UNSHARD,,1F0,1I0,1F1,1B1,1W0,1RESHARD\n", 2, 2, 2,
	            "1A 1B . 1a . 1b 1b'\n"
	            ". 1A 1a 1B 1b 1a' .\n");
}

/* As PyTorch wrote them first: B is the input part where there is a W, BW is both. */
static void test_older_names(void **state)
{
	(void)state;
	expect_grid("0F0,0F1,,0B0,0W0,0B1,0W1\n,1F0,1B0,1F1,1B1,1W0,1W1\n", 2, 2, 2,
	            "1A 1B . 1a 1a' 1b 1b'\n"
	            ". 1A 1a 1B 1b 1a' 1b'\n");
	expect_grid("0F0,0F1,,0BW0,0B1,0W1\n,1F0,1B0,1F1,1BW1,1W0\n", 2, 2, 2,
	            "1A 1B . 1a . 1b 1b'\n"
	            ". 1A 1a 1B 1b 1a' .\n");
}

static void test_overlap(void **state)
{
	(void)state;
	expect_grid("0F0,0F1,,0B0,0B1\n,1F0,(1F1;1B0)OVERLAP_F_B,1B1\n", 2, 2, 2,
	            "1A 1B . . 1a 1b\n"
	            ". 1A 1B 1a 1b .\n");
}

/* Messages take no time, but stand where they stand: rank 0 sends its first result behind its second forward. */
static const char messages[] = "0F0,0F1,0SEND_F0,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1\n"
                               "1RECV_F0,1F0,1B0,1SEND_B0,1RECV_F1,1F1,1B1,1SEND_B1\n";

static void test_named_messages(void **state)
{
	(void)state;
	expect_grid(messages, 2, 2, 2,
	            "1A 1B . . 1a . 1b\n"
	            ". . 1A 1a 1B 1b .\n");
}

/* --- faults ------------------------------------------------------------------------------------------------------- */

/* Parses, but is not sound: what and where. */
static void expect_fault(const char *csv, int64_t ring, enum tp_fault_kind kind, int32_t rank, int64_t step,
                         const char *part)
{
	const struct tp_verify_limits limits = {.ring_forward = ring, .ring_backward = ring};
	struct tp_listing listing;
	struct tp_verify_report report;
	assert_int_equal(parse(csv, &listing), TP_OK);
	assert_int_equal(tp_verify(&listing, &limits, &report), TP_OK);
	if (report.fault.kind != kind || report.fault.rank != rank || report.fault.step != step ||
	    !strstr(report.fault.text, part))
		fail_msg("expected '%s', found %s at rank %d: %s", part, tp_fault_kind_text(report.fault.kind),
		         report.fault.rank, report.fault.text);
	tp_verify_release(&report);
	tp_listing_release(&listing);
}

static void test_faults(void **state)
{
	(void)state;
	expect_fault("0F0,0F1,0B0,0B1\n,1F0,1B0,1B1\n", 0, TP_FAULT_MISSING, 1, 3, "F 1B of stage 1 is missing");
	expect_fault("0F0,0B0\n,1B0,1F0\n", 0, TP_FAULT_DEADLOCK, 1, 0, "column 2");
	expect_fault("0F0,0I0\n,1F0,1I0,1W0\n", 0, TP_FAULT_MISSING, 0, 2, "BW 1a' of stage 0");
	expect_fault("0F0,0B0,0W0\n,1F0,1I0,1W0\n", 0, TP_FAULT_TWICE, 0, 2, "step 1 already");
	expect_fault("0F0,0B0,0W0,0W0\n,1F0,1B0,1W0\n", 0, TP_FAULT_TWICE, 0, 3, "step 2 already");
}

static void test_message_faults(void **state)
{
	(void)state;
	expect_fault("0F0,0SEND_F0,0RECV_B0,0B0\n1RECV_F0,1F0,1B0\n", 0, TP_FAULT_MISSING, 1, 3,
	             "SEND_B1a of stage 1 is missing");
	expect_fault("0F0,0SEND_F0,0RECV_B0,0B0\n1F0,1B0,1SEND_B0\n", 0, TP_FAULT_MISSING, 1, 3,
	             "RECV_F1A of stage 1 is missing");
	expect_fault("0F0,0SEND_F0,0SEND_F0,0RECV_B0,0B0\n1RECV_F0,1F0,1B0,1SEND_B0\n", 0, TP_FAULT_TWICE, 0, 2,
	             "step 1 already");
	expect_fault("0F0,0SEND_F0,0RECV_B0,0B0,0SEND_B0\n1RECV_F0,1F0,1B0,1SEND_B0\n", 0, TP_FAULT_PLACE, 0, 4,
	             "no other rank");
	expect_fault("0F0,0SEND_F0,0RECV_B0,0B0\n1F0,1RECV_F0,1B0,1SEND_B0\n", 0, TP_FAULT_DEADLOCK, 1, 0,
	             "waits for RECV_F1A of stage 1, step 1 of its own list");
	expect_fault("0SEND_F0,0F0,0RECV_B0,0B0\n1RECV_F0,1F0,1B0,1SEND_B0\n", 0, TP_FAULT_DEADLOCK, 0, 0,
	             "waits for F 1A of stage 0");
	expect_fault("0F0,0F1,0SEND_F1,0SEND_F0,0RECV_B0,0B0,0RECV_B1,0B1\n"
	             "1RECV_F0,1F0,1B0,1SEND_B0,1RECV_F1,1F1,1B1,1SEND_B1\n",
	             0, TP_FAULT_ORDER, 1, 0, "SEND_F1B");
	/* Stages 0 and 2 send to rank 1 in the order 0, 2; it receives for 3 before it receives for 1. Each boundary by
	 * itself is in order. */
	expect_fault("0F0,0SEND_F0,0F1,0SEND_F1,2RECV_F0,2F0,2SEND_F0,2RECV_B0,2B0,2SEND_B0,"
	             "2RECV_F1,2F1,2SEND_F1,2RECV_B1,2B1,2SEND_B1,0RECV_B0,0B0,0RECV_B1,0B1\n"
	             "1RECV_F0,1F0,1SEND_F0,3RECV_F0,3F0,3B0,3SEND_B0,1RECV_F1,1F1,1SEND_F1,3RECV_F1,3F1,3B1,3SEND_B1,"
	             "1RECV_B0,1B0,1SEND_B0,1RECV_B1,1B1,1SEND_B1\n",
	             0, TP_FAULT_ORDER, 1, 7, "rank 0 sends it, in step 3");
	/* As without names: three forwards ahead get by, four with rings of one do not. */
	expect_fault("0F0,0SEND_F0,0F1,0SEND_F1,0F2,0SEND_F2,0RECV_B0,0B0,0RECV_B1,0B1,0RECV_B2,0B2\n"
	             "1RECV_F0,1F0,1B0,1SEND_B0,1RECV_F1,1F1,1B1,1SEND_B1,1RECV_F2,1F2,1B2,1SEND_B2\n",
	             0, TP_FAULT_NONE, 0, 0, "");
	expect_fault("0F0,0SEND_F0,0F1,0SEND_F1,0F2,0SEND_F2,0F3,0SEND_F3,0RECV_B0,0B0,0RECV_B1,0B1,0RECV_B2,0B2,"
	             "0RECV_B3,0B3\n"
	             "1RECV_F0,1F0,1B0,1SEND_B0,1RECV_F1,1F1,1B1,1SEND_B1,1RECV_F2,1F2,1B2,1SEND_B2,1RECV_F3,1F3,1B3,"
	             "1SEND_B3\n",
	             1, TP_FAULT_RING, 0, 7, "ring to stage 1");
}

static void expect_refusal(const char *csv, size_t size, const char *place, const char *part)
{
	struct tp_listing listing;
	assert_int_equal(tp_listing_parse_csv("given.csv", csv, size, &listing), TP_ERR_INPUT);
	if (strncmp(tp_detail(), "given.csv: ", 11) != 0 || !strstr(tp_detail(), place) || !strstr(tp_detail(), part))
		fail_msg("expected '%s' and '%s' in: %s", place, part, tp_detail());
	assert_null(listing.lists);
}

static void test_malformed(void **state)
{
	(void)state;
	static const struct {
		const char *csv, *place, *part;
	} files[] = {
	        {"", "empty file", "a row of operations"},
	        {"\n\n", "empty file", "a row of operations"},
	        {",,\n,\n", "found none", "a row of operations"},
	        {"0F0,0B0\n1F0,1G0\n", "row 2, column 2", "found '1G0'"},
	        {"0F0,0f1\n", "row 1, column 2", "actions F, B"},
	        {"0F0,F1\n", "row 1, column 2", "a stage, an action"},
	        {"0F0,-1F1\n", "row 1, column 2", "a stage, an action"},
	        {"0F0,0F\n", "row 1, column 2", "a micro-batch behind"},
	        {"0F0,0F1x\n", "row 1, column 2", "nothing behind it"},
	        {"0F0,0F 1\n", "row 1, column 2", "'0F 1'"},
	        {"0F0,0UNSHARD1\n", "row 1, column 2", "nothing behind this action"},
	        {"0F0,0F99999999999999999999\n", "row 1, column 2", "below 1048576"},
	        {"0F0,99999999999999999999F0\n", "row 1, column 2", "below 4096"},
	        {"0F0,4096F0\n", "row 1, column 2", "below 4096"},
	        {"0F0,0B0\n2F0,2B0\n", "stages 0 to 2", "no operation of stage 1"},
	        {"1F0,1B0\n", "stages 0 to 1", "no operation of stage 0"},
	        {"0F0,0B0\n1F0,0F1\n", "row 2, column 2", "stage 0, which row 1 has"},
	        {"0UNSHARD\n", "found none", "forwards and backwards"},
	        {"0F0,(0F1;0B0)\n", "row 1, column 2", "OVERLAP_F_B"},
	        {"0F0,(0F10B0)OVERLAP_F_B\n", "row 1, column 2", "two operations"},
	        {"0F0,(0F1;0B0)OVERLAP\n", "row 1, column 2", "two operations"},
	        {"0F0,()OVERLAP_F_B;\n", "row 1, column 2", "two operations"},
	        {"0F0,(;)OVERLAP_F_B\n", "row 1, column 2", "a stage, an action"},
	        {"0F0,(0F1;)OVERLAP_F_B\n", "row 1, column 2", "a stage, an action"},
	        {"0F0,(;)OVERLAP_F_B)OVERLAP_F_B\n", "row 1, column 2", "expected"},
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		expect_refusal(files[i].csv, strlen(files[i].csv), files[i].place, files[i].part);
	expect_refusal("0F0,0\0F0\n", 9, "row 1, column 2", "expected text");
	char rows[2 * 4100];
	for (size_t i = 0; i < sizeof rows; i++)
		rows[i] = i % 2 ? '\n' : ',';
	expect_refusal(rows, sizeof rows, "4096 rows", "found 4100");
}

/* However a file is cut or damaged, it is parsed or refused, and then verified or found at fault; nothing else. */
static void test_damage(void **state)
{
	(void)state;
	static const struct tp_verify_limits limits = {.ring_forward = 1, .ring_backward = 1};
	char damaged[sizeof messages];
	int refused = 0, sound = 0, at_fault = 0;
	for (size_t at = 0; at < sizeof messages - 1; at++) {
		for (const char *other = ",\n0129F;()BIW_S\xff"; *other; other++) {
			struct tp_listing listing;
			struct tp_verify_report report;
			struct tp_text text = {0};
			memcpy(damaged, messages, sizeof damaged);
			damaged[at] = *other;
			if (parse(damaged, &listing) != TP_OK) {
				refused++;
				continue;
			}
			assert_int_equal(tp_verify(&listing, &limits, &report), TP_OK);
			assert_int_equal(tp_verify_explain(&listing, &report, &text), TP_OK);
			assert_int_equal(text.length == 0, report.ok);
			sound += report.ok;
			at_fault += !report.ok;
			tp_text_release(&text);
			tp_verify_release(&report);
			tp_listing_release(&listing);
		}
	}
	assert_true(refused > 100 && at_fault > 100 && sound > 10);
}

static void test_files(void **state)
{
	(void)state;
	struct tp_listing listing;
	char path[] = "/tmp/tpbench-listing-XXXXXX";
	int file = mkstemp(path);
	assert_true(file >= 0);
	assert_int_equal(write(file, gpipe, sizeof gpipe - 1), sizeof gpipe - 1);
	assert_int_equal(close(file), 0);
	assert_int_equal(tp_listing_read_csv(path, &listing), TP_OK);
	assert_int_equal(listing.micro_batches, 3);
	tp_listing_release(&listing);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(tp_listing_read_csv(path, &listing), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), path));
	assert_int_equal(tp_listing_read_csv("/tmp", &listing), TP_ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_gpipe),          cmocka_unit_test(test_1f1b),
	        cmocka_unit_test(test_interleaved),    cmocka_unit_test(test_split_backwards),
	        cmocka_unit_test(test_older_names),    cmocka_unit_test(test_overlap),
	        cmocka_unit_test(test_named_messages), cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_message_faults), cmocka_unit_test(test_malformed),
	        cmocka_unit_test(test_damage),         cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
