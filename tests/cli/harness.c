#include "tests/cli/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ARGUMENTS_MAX 64

static char program_path[PATH_MAX];
static char folder[PATH_MAX];

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
	abort();
}

void cli_enter_folder(const char *program)
{
	need(realpath(program, program_path) != NULL, program);
	const char *temporary = getenv("TMPDIR");
	int length = snprintf(folder, sizeof folder, "%s/tpbench-cli-XXXXXX", temporary ? temporary : "/tmp");
	need(length > 0 && (size_t)length < sizeof folder && mkdtemp(folder) != NULL, "mkdtemp");
	need(chdir(folder) == 0, folder);
	need(setenv("XDG_CACHE_HOME", folder, 1) == 0, "setenv");
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

void cli_leave_folder(void)
{
	need(chdir("/") == 0, "/");
	need(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, folder);
}

static void redirect(int descriptor, const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || dup2(file, descriptor) < 0)
		_exit(126);
	close(file);
}

static pid_t start(const char *arguments, int64_t file_limit)
{
	pid_t child = fork();
	need(child >= 0, "fork");
	if (child > 0)
		return child;
	char words[4096];
	char *argv[ARGUMENTS_MAX] = {program_path};
	int argc = 1;
	(void)snprintf(words, sizeof words, "%s", arguments);
	for (char *word = strtok(words, " "); word && argc + 1 < ARGUMENTS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	redirect(STDOUT_FILENO, "stdout.txt");
	redirect(STDERR_FILENO, "stderr.txt");
	if (file_limit >= 0) {
		struct rlimit limit = {(rlim_t)file_limit, (rlim_t)file_limit};
		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
			_exit(126);
	}
	execv(program_path, argv);
	_exit(127);
}

pid_t cli_start(const char *arguments)
{
	return start(arguments, -1);
}

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "rb");
	need(file != NULL, path);
	size_t size = 0, capacity = 4096;
	char *text = malloc(capacity);
	need(text != NULL, "malloc");
	size_t got;
	while ((got = fread(text + size, 1, capacity - size - 1, file)) > 0) {
		size += got;
		if (capacity - size < 2) {
			capacity *= 2;
			text = realloc(text, capacity);
			need(text != NULL, "realloc");
		}
	}
	text[size] = '\0';
	fclose(file);
	return text;
}

struct cli_result cli_finish(pid_t child)
{
	int status = 0;
	while (waitpid(child, &status, 0) < 0)
		need(errno == EINTR, "waitpid");
	struct cli_result result = {
	        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	        .out = read_all("stdout.txt"),
	        .err = read_all("stderr.txt"),
	};
	return result;
}

struct cli_result cli_run(const char *arguments)
{
	return cli_finish(start(arguments, -1));
}

struct cli_result cli_run_limited(const char *arguments, int64_t bytes)
{
	return cli_finish(start(arguments, bytes));
}

void cli_release(struct cli_result *result)
{
	free(result->out);
	free(result->err);
	*result = (struct cli_result){0};
}

void cli_write_file(const char *name, const void *bytes, size_t size)
{
	FILE *file = fopen(name, "wb");
	need(file != NULL, name);
	need(fwrite(bytes, 1, size, file) == size, name);
	need(fclose(file) == 0, name);
}

int64_t cli_query(const char *path, const char *sql)
{
	sqlite3 *database = NULL;
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;
	if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(database, 2000);
		if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
		    sqlite3_step(statement) == SQLITE_ROW)
			value = sqlite3_column_int64(statement, 0);
	}
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return value;
}

void cli_remove_database(void)
{
	(void)unlink("tpbench.db");
	(void)unlink("tpbench.db-wal");
	(void)unlink("tpbench.db-shm");
}

void cli_expect_exit(const struct cli_result *result, const char *arguments, int exit_code)
{
	if (result->exit_code != exit_code)
		fail_msg("tpbench %s: expected exit %d, found %d\nstdout: %s\nstderr: %s", arguments, exit_code,
		         result->exit_code, result->out, result->err);
}

void cli_expect_part(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected to find '%s' in:\n%s", part, text);
}

json_t *cli_run_json(const char *arguments)
{
	struct cli_result result = cli_run(arguments);
	json_error_t error;
	cli_expect_exit(&result, arguments, 0);
	json_t *root = json_loads(result.out, 0, &error); /* refuses anything after the object */
	if (!json_is_object(root))
		fail_msg("tpbench %s: expected one JSON object, found (%s):\n%s", arguments, error.text, result.out);
	assert_string_equal(result.err, "");
	cli_release(&result);
	return root;
}

void cli_expect_refusal(const char *arguments, const char *first, const char *second)
{
	struct cli_result result = cli_run(arguments);
	cli_expect_exit(&result, arguments, 2);
	if (result.out[0] != '\0')
		fail_msg("tpbench %s: expected nothing on stdout, found:\n%s", arguments, result.out);
	size_t length = strlen(result.err);
	if (strncmp(result.err, "tpbench: ", 9) != 0 || strchr(result.err, '\n') != result.err + length - 1)
		fail_msg("tpbench %s: expected one line 'tpbench: ...' on stderr, found:\n%s", arguments, result.err);
	if (first)
		cli_expect_part(result.err, first);
	if (second)
		cli_expect_part(result.err, second);
	cli_release(&result);
}
