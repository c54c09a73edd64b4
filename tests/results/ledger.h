/* A database with a comparison whose every row is known: see ledger.sql. Include behind test_store_support.h. */
#ifndef TP_TESTS_RESULTS_LEDGER_H
#define TP_TESTS_RESULTS_LEDGER_H

/* Fill the database `path` (new or without runs) with it. */
void make_ledger(const char *path);

/* A file of the source tree, by its name from there; NUL-ended, for the caller to free. Fails the test without it. */
char *read_source(const char *name);

#endif
