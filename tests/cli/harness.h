/* Runs the built program as a user would, in a folder of its own, and keeps what it said. */
#ifndef TP_TESTS_CLI_HARNESS_H
#define TP_TESTS_CLI_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct cli_result {
	int exit_code; /* 128 + n when signal n ended it */
	char *out;     /* NUL-ended; owned by the result */
	char *err;
};

/* Make a fresh folder and change into it; `program` is the path of tpbench. Aborts the test program on failure. */
void cli_enter_folder(const char *program);
/* Leave and remove the folder. */
void cli_leave_folder(void);

/* Run with `arguments`, parted by single spaces (no quoting); release with cli_release(). */
struct cli_result cli_run(const char *arguments);
/* As cli_run(), with no file of the child allowed to grow beyond `bytes`: what a full disk looks like. */
struct cli_result cli_run_limited(const char *arguments, int64_t bytes);
void cli_release(struct cli_result *result);

/* Runs, expects success and one JSON object on stdout; the object is the caller's. */
json_t *cli_run_json(const char *arguments);

/* In two steps, to signal the child between them. */
pid_t cli_start(const char *arguments);
struct cli_result cli_finish(pid_t child);

/* Write a file in the folder. */
void cli_write_file(const char *name, const void *bytes, size_t size);

/* Remove the database that is made by default, with what SQLite keeps beside it, for a test of its own. */
void cli_remove_database(void);

/* First column of the first row of `sql` on the database `path`, as a number; -1 when there is no row or it cannot be
 * read (yet). */
int64_t cli_query(const char *path, const char *sql);

/* Fails the test unless the program ended with `exit_code`. */
void cli_expect_exit(const struct cli_result *result, const char *arguments, int exit_code);
/* Fails the test unless `text` contains `part`. */
void cli_expect_part(const char *text, const char *part);
/* Runs and expects a refusal: exit 2, nothing on stdout, one line on stderr that begins with "tpbench: " and contains
 * each of `first` and `second` (NULL: not asked for). */
void cli_expect_refusal(const char *arguments, const char *first, const char *second);

#endif
