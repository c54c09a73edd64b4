/* gnuplot, run once for all figures, in the folder of the files, so that no path is ever part of a script. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reports/figure.h"

extern char **environ;

static const char *const endings[] = {"svg", "png"};
enum { ENDINGS = 2 };

/* --- the program ----------------------------------------------------------------------------------------------------
 */

/* The last line that gnuplot complained with, which is the reason, for the detail. */
static void read_complaint(FILE *errors, char *reason, size_t size)
{
	char line[256];
	reason[0] = '\0';
	rewind(errors);
	while (fgets(line, sizeof line, errors)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[strspn(line, " \t^")] != '\0')
			(void)snprintf(reason, size, "%s", line);
	}
}

static enum tp_status wait_for(pid_t process, FILE *errors)
{
	int result = 0;
	char reason[256];
	while (waitpid(process, &result, 0) < 0) {
		if (errno != EINTR)
			return tp_fail(TP_ERR_IO, "gnuplot was lost: %s", strerror(errno));
	}
	if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
		return TP_OK;
	if (WIFEXITED(result) && WEXITSTATUS(result) == 127) /* as spawn says it where it cannot earlier */
		return tp_fail(TP_ERR_UNSUPPORTED, "gnuplot could not be started");
	read_complaint(errors, reason, sizeof reason);
	return tp_fail(TP_ERR_IO, "gnuplot failed: %s", reason[0] ? reason : "it did not say why");
}

static enum tp_status start(posix_spawn_file_actions_t *actions, pid_t *process)
{
	/* -d: whatever the user keeps in ~/.gnuplot is for other plots. */
	char name[] = "gnuplot", plain[] = "-d", from_stdin[] = "-";
	char *const arguments[] = {name, plain, from_stdin, NULL};
	int error = posix_spawnp(process, name, actions, NULL, arguments, environ);
	if (error == ENOENT)
		return tp_fail(TP_ERR_UNSUPPORTED,
		               "figures are drawn by gnuplot, which was not found; install the package gnuplot-nox");
	return error ? tp_fail(TP_ERR_IO, "gnuplot could not be started: %s", strerror(error)) : TP_OK;
}

/* A file instead of a pipe: nobody waits for anybody, and a gnuplot that dies early cannot take us with it. */
static enum tp_status run_in(const char *dir, FILE *script, FILE *errors)
{
	posix_spawn_file_actions_t actions;
	pid_t process = 0;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return TP_ERR_NOMEM;
	bool ready = posix_spawn_file_actions_addchdir_np(&actions, dir) == 0 &&
	             posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO) == 0 &&
	             posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
	             posix_spawn_file_actions_adddup2(&actions, fileno(errors), STDERR_FILENO) == 0;
	enum tp_status status = ready ? start(&actions, &process) : TP_ERR_NOMEM;
	(void)posix_spawn_file_actions_destroy(&actions);
	return status == TP_OK ? wait_for(process, errors) : status;
}

static enum tp_status run_gnuplot(const char *dir, const struct tp_text *text)
{
	FILE *script = tmpfile(), *errors = tmpfile();
	enum tp_status status = TP_OK;
	if (!script || !errors || fwrite(text->data, 1, text->length, script) != text->length || fflush(script) != 0)
		status = tp_fail(TP_ERR_IO, "a temporary file could not be written: %s", strerror(errno));
	if (status == TP_OK) {
		rewind(script);
		status = run_in(dir, script, errors);
	}
	if (script)
		(void)fclose(script);
	if (errors)
		(void)fclose(errors);
	return status;
}

/* --- the files
 * -------------------------------------------------------------------------------------------------------- */

static bool make_path(const char *dir, const struct tp_figure *figure, int ending, const char *suffix, char *path)
{
	int length = snprintf(path, PATH_MAX, "%s/%s.%s%s", dir, figure->id, endings[ending], suffix);
	return length > 0 && length < PATH_MAX;
}

static void remove_parts(const char *dir, const struct tp_figure *figure)
{
	char path[PATH_MAX];
	for (int i = 0; i < ENDINGS; i++) {
		if (make_path(dir, figure, i, ".part", path))
			(void)unlink(path);
	}
}

static enum tp_status check_parts(const char *dir, const struct tp_figure *figure)
{
	char path[PATH_MAX];
	struct stat file;
	for (int i = 0; i < ENDINGS; i++) {
		if (!make_path(dir, figure, i, ".part", path))
			return tp_fail(TP_ERR_INPUT, "'%.100s..': expected a shorter path", dir);
		if (stat(path, &file) != 0 || file.st_size == 0)
			return tp_fail(TP_ERR_IO, "gnuplot did not write '%s'", path);
	}
	return TP_OK;
}

static enum tp_status keep_parts(const char *dir, const struct tp_figure *figure)
{
	char part[PATH_MAX], path[PATH_MAX];
	TP_TRY(check_parts(dir, figure));
	for (int i = 0; i < ENDINGS; i++) {
		if (!make_path(dir, figure, i, ".part", part) || !make_path(dir, figure, i, "", path))
			return tp_fail(TP_ERR_INPUT, "'%.100s..': expected a shorter path", dir);
		if (rename(part, path) != 0)
			return tp_fail(TP_ERR_IO, "cannot rename '%s' to '%s': %s", part, path, strerror(errno));
	}
	return TP_OK;
}

static enum tp_status check_folder(const char *dir)
{
	struct stat folder;
	if (stat(dir, &folder) != 0)
		return tp_fail(TP_ERR_IO, "'%s': %s", dir, strerror(errno));
	return S_ISDIR(folder.st_mode) ? TP_OK : tp_fail(TP_ERR_IO, "'%s': expected a folder", dir);
}

static enum tp_status draw_parts(const struct tp_figures *figures, const char *dir)
{
	struct tp_text script = {0};
	for (int32_t i = 0; i < figures->count; i++) {
		if (!figures->figures[i].missing)
			tp_figure_write_script(&figures->figures[i], &script);
	}
	enum tp_status status = script.failed ? TP_ERR_NOMEM : TP_OK;
	if (status == TP_OK && script.length > 0)
		status = run_gnuplot(dir, &script);
	tp_text_release(&script);
	return status;
}

enum tp_status tp_figures_draw(const struct tp_figures *figures, const char *dir)
{
	TP_TRY(check_folder(dir));
	enum tp_status status = draw_parts(figures, dir);
	for (int32_t i = 0; i < figures->count && status == TP_OK; i++) {
		if (!figures->figures[i].missing)
			status = keep_parts(dir, &figures->figures[i]);
	}
	for (int32_t i = 0; i < figures->count && status != TP_OK; i++)
		remove_parts(dir, &figures->figures[i]);
	return status;
}
