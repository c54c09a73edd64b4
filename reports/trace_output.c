/* Where a trace goes: a buffer in front of stdout, of a device, or of a temporary file beside the target, which takes
 * the target's name when it is complete. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "reports/trace_internal.h"

void tp_trace_out_flush(struct tp_trace_out *out)
{
	const unsigned char *at = out->buffer;
	size_t left = out->error ? 0 : out->used;
	while (left > 0) {
		ssize_t written = write(out->descriptor, at, left);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			out->error = errno;
			break;
		}
		at += written;
		left -= (size_t)written;
		out->written_bytes += written;
	}
	out->used = 0;
}

unsigned char *tp_put_integer(unsigned char *at, int64_t value)
{
	unsigned char digits[20];
	int count = 0;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	if (value < 0)
		*at++ = '-';
	do {
		digits[count++] = (unsigned char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

/* A trace that took the database's place would be the end of all runs in it. */
static enum tp_status check_target(const char *path, const char *database, bool *regular)
{
	struct stat target, store;
	*regular = true;
	if (stat(path, &target) != 0)
		return TP_OK;
	if (S_ISDIR(target.st_mode))
		return tp_fail(TP_ERR_INPUT, "--out: expected a file, '%s' is a folder", path);
	if (stat(database, &store) == 0 && store.st_dev == target.st_dev && store.st_ino == target.st_ino)
		return tp_fail(TP_ERR_INPUT, "--out: '%s' is the database itself; expected another file", path);
	*regular = S_ISREG(target.st_mode);
	return TP_OK;
}

/* What is no regular file, like a pipe or a device, is written to as it stands: it cannot be replaced. */
static enum tp_status open_file(struct tp_trace_out *out, const char *database)
{
	bool regular;
	TP_TRY(check_target(out->path, database, &regular));
	const char *path = out->path;
	int flags = O_WRONLY | O_CLOEXEC;
	if (regular) {
		(void)snprintf(out->temporary, sizeof out->temporary, "%s.part", out->path);
		path = out->temporary;
		flags |= O_CREAT | O_TRUNC;
	}
	out->descriptor = open(path, flags, 0666);
	return out->descriptor >= 0 ? TP_OK
	                            : tp_fail(TP_ERR_INPUT, "--out: cannot write to '%s': %s", path, strerror(errno));
}

enum tp_status tp_trace_out_open(struct tp_trace_out *out, const struct tp_trace_request *request,
                                 const char *default_path)
{
	const char *path = request->path[0] ? request->path : default_path;
	*out = (struct tp_trace_out){.descriptor = STDOUT_FILENO};
	if (strlen(path) + 1 > sizeof out->path)
		return tp_fail(TP_ERR_INPUT, "--out '%.60s...': expected a path below %zu bytes", path,
		               sizeof out->path);
	memcpy(out->path, path, strlen(path) + 1);
	out->buffer = tp_alloc(TP_TRACE_BUFFER_BYTES);
	if (!out->buffer)
		return TP_ERR_NOMEM;
	enum tp_status status = strcmp(path, "-") == 0 ? TP_OK : open_file(out, request->database);
	if (status != TP_OK)
		tp_free(out->buffer);
	return status;
}

enum tp_status tp_trace_out_close(struct tp_trace_out *out, enum tp_status status)
{
	bool to_stdout = out->descriptor == STDOUT_FILENO;
	tp_trace_out_flush(out);
	tp_free(out->buffer);
	if (!to_stdout && close(out->descriptor) != 0 && !out->error)
		out->error = errno;
	if (status == TP_OK && out->error)
		status = tp_fail(TP_ERR_IO, "--out: cannot write to %s%s%s: %s", to_stdout ? "standard output" : "'",
		                 to_stdout ? "" : out->path, to_stdout ? "" : "'", strerror(out->error));
	if (!out->temporary[0])
		return status;
	if (status == TP_OK && rename(out->temporary, out->path) != 0)
		status = tp_fail(TP_ERR_IO, "--out: cannot rename '%s' to '%s': %s", out->temporary, out->path,
		                 strerror(errno));
	if (status != TP_OK)
		(void)unlink(out->temporary);
	return status;
}
