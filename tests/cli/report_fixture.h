/* A database with runs to report, made by the built program in the folder of the test. Include behind <cmocka.h>. */
#ifndef TP_TESTS_CLI_REPORT_FIXTURE_H
#define TP_TESTS_CLI_REPORT_FIXTURE_H

#include <stddef.h>

#include <sqlite3.h>

#define SMALL                                                                                                     \
	" --device reference --model mlp --hidden 8 --stages 3 --micro-batches 2 --batch 4 --synthetic-train 48 " \
	"--synthetic-test 20 --epochs 3"
#define VIRTUAL " --clock virtual --costs uniform:1ms,2ms --link 1mbit,50us --target-loss 4.62 --repeats 1"

/* tpbench.db, while a test runs. */
extern sqlite3 *database;

void execute(const char *sql);

/* Run the program and expect it to end well. */
void run_done(const char *arguments);

/* Three schedules of 6 epochs under the virtual clock, from two seeds, and two under the real one: five rows; a failed
 * run. Modelled times, all the same, are made to differ. */
int fill(void **state);
int finish(void **state);

/* One cell of CSV; `*at` goes behind it and its comma or line end. */
void take_csv(const char **at, char *cell, size_t size);

#endif
