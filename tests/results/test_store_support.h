/* A small run with known figures, a folder for databases, and plain SQL as an outsider would use it. Include behind
 * <cmocka.h>. */
#ifndef TP_TESTS_RESULTS_TEST_STORE_SUPPORT_H
#define TP_TESTS_RESULTS_TEST_STORE_SUPPORT_H

#include <sqlite3.h>

#include "results/store.h"

/* Two stages, N = 2, `timeprest`. Window 0..65 ns; stage 0 computes 45 ns of it, stage 1 35. The backward of mini-batch
 * 2 starts at the last stage when nothing is committed. */
enum { SAMPLE_STAGES = 2, SAMPLE_OPS = 9, SAMPLE_MESSAGES = 2, SAMPLE_MEMORY = 3 };
extern const struct tp_store_run sample_run;
extern const struct tp_op_record sample_ops[SAMPLE_OPS];
extern const struct tp_message_record sample_messages[SAMPLE_MESSAGES];
extern const struct tp_memory_record sample_memory[SAMPLE_MEMORY];

/* Point the epoch at the metrics of its records, which stay until the next call. */
void measure(struct tp_store_epoch *epoch, int32_t stage_count);
/* Epoch `number` of it, evaluated and measured. */
struct tp_store_epoch sample_epoch(int32_t number);
/* One with `count` operations that keep the writer busy; static, valid until the next call. */
struct tp_store_epoch long_epoch(int32_t number, int64_t count);

/* cmocka group set-up and tear-down: a fresh folder, removed with all that is in it. */
int make_folder(void **state);
int remove_folder(void **state);
/* A path in that folder; static, one per call up to 8. */
const char *in_folder(const char *name);

/* Fail the test with the detail. */
#define assert_ok(expression) assert_status((expression), TP_OK, #expression, __FILE__, __LINE__)
#define assert_fails(expression, status) assert_status((expression), (status), #expression, __FILE__, __LINE__)
void assert_status(enum tp_status found, enum tp_status expected, const char *what, const char *file, int line);

/* The store opened, and the sample run begun. */
struct tp_store *open_store(const char *path);
int64_t begin_sample(struct tp_store *store);

/* The first column of the first row, by a connection of its own. */
int64_t sql_integer(const char *path, const char *sql);
double sql_real(const char *path, const char *sql);
/* All columns of all rows as text: "a|b;c|d". Static, valid until the next call. */
const char *sql_text(const char *path, const char *sql);
/* Change a file as another program would. */
void sql_execute(const char *path, const char *sql);

#endif
