/* The recorder's log as an SQL table beside the run's database, so that both are compared by queries. Failures fail the
 * test. */
#ifndef TP_TESTS_NVTX_EVENT_TABLE_H
#define TP_TESTS_NVTX_EVENT_TABLE_H

#include <sqlite3.h>
#include <stdint.h>

/* Table `pushed`, a row for each push: place, parent (the place of the range around it; NULL: none), pop_place (NULL:
 * never popped), thread, name, category, colour, run, stage, micro_batch, mini_batch, version. Columns of a payload are
 * NULL where it is missing. Table `told`: place, word (domain, string, category; cuda, by the stub), text, number of a
 * category. Refuses a pop without a push, and a depth that the ranges before it do not give. The run's database is
 * attached as `db`. */
sqlite3 *event_table_new(const char *log_path, const char *db_path);

/* First column of the first row. */
int64_t event_table_number(sqlite3 *table, const char *sql);

/* Both queries give the same rows, as often, and at least one. */
void event_table_expect_same(sqlite3 *table, const char *left, const char *right);

#endif
