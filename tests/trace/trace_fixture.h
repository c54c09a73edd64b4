/* Made runs, written by plain SQL, whose timelines are checked against the same database. Include behind <cmocka.h>. */
#ifndef TP_TESTS_TRACE_TRACE_FIXTURE_H
#define TP_TESTS_TRACE_TRACE_FIXTURE_H

#include "reports/trace.h"
#include "tests/results/test_store_support.h"

enum { FIXTURE_STAGES = 3, FIXTURE_MICROS = 2, FIXTURE_MINIS = 6, FIXTURE_EPOCHS = 2 };

/* Layer and run names as nobody should have them: quotes, a backslash, control characters, no UTF-8. */
#define HOSTILE_SQL "CAST(X'71225C010A09C3A9FFEDA080' AS TEXT)"

struct fixture {
	bool split;          /* backwards of micro-batches in two parts, instead of one of the whole mini-batch */
	bool whole_forwards; /* forwards of whole mini-batches, too */
	bool bare;           /* nothing in the tables that older schemas did not have */
	bool hostile;        /* names */
	const char *clock;
};

/* A database with run 1: two epochs on three stages, messages that overlap on their way, some handed over, operations
 * of no length, memory and kernels. Returns its path, as in_folder() does. */
const char *fixture_database(const char *name, const struct fixture *fixture);

/* Another run in the file, without any record. */
void fixture_add_empty_run(const char *database, int run_id);

/* Export run 1 to a file of the folder that is named for the format; fails the test when that fails. */
const char *fixture_export(const char *database, const char *format, int32_t epoch, struct tp_trace_result *result);

#endif
