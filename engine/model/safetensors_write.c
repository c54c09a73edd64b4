/* Writing safetensors: into a temporary file beside the target, which takes the target's name only when it is complete
 * and on disk. */
#include "engine/model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"

struct tp_safetensors_writer {
	struct tp_text path, temporary;
	int descriptor;
	int64_t bytes_left; /* values announced and not yet written */
};

static enum tp_status io_failure(const struct tp_safetensors_writer *writer, const char *what)
{
	return tp_fail(TP_ERR_IO, "%s: cannot %s: %s", tp_text_get(&writer->path), what, strerror(errno));
}

static enum tp_status write_all(struct tp_safetensors_writer *writer, const void *from, size_t bytes)
{
	const unsigned char *at = from;
	while (bytes > 0) {
		ssize_t written = write(writer->descriptor, at, bytes);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return io_failure(writer, "write");
		at += written;
		bytes -= (size_t)written;
	}
	return TP_OK;
}

/* {"dtype": .., "shape": [..], "data_offsets": [begin, end]}; NULL when memory runs out */
static json_t *describe(const struct tp_safetensors_entry *entry, int64_t begin)
{
	json_t *shape = json_array();
	for (int32_t i = 0; i < entry->rank; i++)
		(void)json_array_append_new(shape, json_integer(entry->dims[i]));
	int64_t end = begin + tp_safetensors_entry_bytes(entry);
	return json_pack("{s:s, s:o, s:[I,I]}", "dtype", entry->type == TP_SAFETENSORS_F32 ? "F32" : "I64", "shape",
	                 shape, "data_offsets", (json_int_t)begin, (json_int_t)end);
}

/* The header as text, from malloc; sets the bytes of values that follow it. */
static char *header_text(const struct tp_safetensors_entry *entries, size_t count, int64_t *value_bytes)
{
	json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
	bool complete = header != NULL;
	*value_bytes = 0;
	for (size_t i = 0; i < count && complete; i++) {
		complete = json_object_set_new(header, entries[i].name, describe(&entries[i], *value_bytes)) == 0;
		*value_bytes += tp_safetensors_entry_bytes(&entries[i]);
	}
	TP_CHECK(!complete || json_object_size(header) == count + 1);
	char *text = complete ? json_dumps(header, JSON_COMPACT) : NULL;
	json_decref(header);
	return text;
}

/* Length and text, the latter padded with spaces so that the values begin at a multiple of 8. */
static enum tp_status write_header(struct tp_safetensors_writer *writer, const struct tp_safetensors_entry *entries,
                                   size_t count)
{
	char *text = header_text(entries, count, &writer->bytes_left);
	if (!text)
		return tp_fail(TP_ERR_NOMEM, "%s: no memory for the header", tp_text_get(&writer->path));
	size_t length = strlen(text), padding = (8 - length % 8) % 8;
	uint64_t padded = length + padding;
	enum tp_status status = write_all(writer, &padded, sizeof padded);
	if (status == TP_OK)
		status = write_all(writer, text, length);
	if (status == TP_OK)
		status = write_all(writer, "        ", padding);
	free(text);
	return status;
}

/* A name beside the target that nobody uses: the process's number, and a counter for what a crash left behind. */
static enum tp_status open_temporary(struct tp_safetensors_writer *writer)
{
	for (int attempt = 0; attempt < 100 && writer->descriptor < 0; attempt++) {
		tp_text_release(&writer->temporary);
		tp_text_add(&writer->temporary, "%s.%ld-%d.tmp", tp_text_get(&writer->path), (long)getpid(), attempt);
		if (writer->path.failed || writer->temporary.failed)
			break;
		writer->descriptor =
		        open(tp_text_get(&writer->temporary), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (writer->descriptor < 0 && errno != EEXIST)
			break;
	}
	if (writer->descriptor >= 0)
		return TP_OK;
	bool no_memory = writer->path.failed || writer->temporary.failed;
	enum tp_status status = no_memory ? TP_ERR_NOMEM : io_failure(writer, "create");
	tp_text_release(&writer->temporary); /* whatever has that name is not ours to remove */
	return status;
}

enum tp_status tp_safetensors_create(const char *path, const struct tp_safetensors_entry *entries, size_t count,
                                     struct tp_safetensors_writer **out)
{
	struct tp_safetensors_writer *writer = tp_alloc(sizeof *writer);
	if (!writer)
		return TP_ERR_NOMEM;
	writer->descriptor = -1;
	tp_text_add(&writer->path, "%s", path);
	enum tp_status status = open_temporary(writer);
	if (status == TP_OK)
		status = write_header(writer, entries, count);
	if (status != TP_OK) {
		tp_safetensors_discard(writer);
		return status;
	}
	*out = writer;
	return TP_OK;
}

enum tp_status tp_safetensors_append(struct tp_safetensors_writer *writer, const void *values, int64_t bytes)
{
	TP_CHECK(bytes >= 0 && bytes <= writer->bytes_left);
	TP_TRY(write_all(writer, values, (size_t)bytes));
	writer->bytes_left -= bytes;
	return TP_OK;
}

/* The new name is safe only when the folder is on disk too. Not every file system can do that: failure is no error. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	if (slash)
		(void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
	int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (descriptor >= 0) {
		(void)fsync(descriptor);
		(void)close(descriptor);
	}
}

static enum tp_status finish(struct tp_safetensors_writer *writer)
{
	if (fsync(writer->descriptor) != 0)
		return io_failure(writer, "write");
	int closed = close(writer->descriptor);
	writer->descriptor = -1;
	if (closed != 0)
		return io_failure(writer, "write");
	if (rename(tp_text_get(&writer->temporary), tp_text_get(&writer->path)) != 0)
		return io_failure(writer, "replace");
	tp_text_release(&writer->temporary); /* nothing left to remove */
	sync_folder(tp_text_get(&writer->path));
	return TP_OK;
}

enum tp_status tp_safetensors_commit(struct tp_safetensors_writer *writer)
{
	TP_CHECK(writer->bytes_left == 0);
	enum tp_status status = finish(writer);
	tp_safetensors_discard(writer);
	return status;
}

void tp_safetensors_discard(struct tp_safetensors_writer *writer)
{
	if (!writer)
		return;
	if (writer->descriptor >= 0)
		(void)close(writer->descriptor);
	if (writer->temporary.length > 0)
		(void)unlink(tp_text_get(&writer->temporary));
	tp_text_release(&writer->temporary);
	tp_text_release(&writer->path);
	tp_free(writer);
}
