/* Files of data sets: opened with every check that needs no knowledge of the format. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/data/readers.h"

/* zlib's window into the file; its default of 8 KiB costs a system call per 8 KiB. */
#define GZIP_BUFFER_BYTES (128u << 10)

#define SHOWN_PATH_BYTES 300

const char *tp_data_shown(const char *path)
{
	size_t length = strlen(path);
	return length > SHOWN_PATH_BYTES ? path + length - SHOWN_PATH_BYTES : path;
}

static const char *kind_text(mode_t mode)
{
	if (S_ISREG(mode))
		return "a file";
	return S_ISDIR(mode) ? "a folder" : "something that is neither file nor folder";
}

enum tp_status tp_data_folder_check(const char *dir)
{
	struct stat info;
	if (stat(dir, &info) != 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected a folder of data files, found none: %s", tp_data_shown(dir),
		               strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return tp_fail(TP_ERR_INPUT, "%s: expected a folder of data files, found %s", tp_data_shown(dir),
		               kind_text(info.st_mode));
	return TP_OK;
}

static enum tp_status make_path(char path[TP_DATA_PATH_BYTES], const char *dir, const char *name)
{
	int length = snprintf(path, TP_DATA_PATH_BYTES, "%s/%s", dir, name);
	if (length < 0 || length >= TP_DATA_PATH_BYTES)
		return tp_fail(TP_ERR_INPUT, "%s: expected a path of at most %d bytes for the data files, found %zu",
		               name, TP_DATA_PATH_BYTES - 1, strlen(dir) + strlen(name) + 1);
	return TP_OK;
}

bool tp_data_file_exists(const char *dir, const char *name)
{
	char path[TP_DATA_PATH_BYTES];
	struct stat info;
	return make_path(path, dir, name) == TP_OK && stat(path, &info) == 0;
}

/* The kind is checked before the file is opened, since opening a pipe waits for its writer. */
static enum tp_status check_and_open(struct tp_data_file *file)
{
	struct stat info;
	if (stat(file->path, &info) != 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected a data file, found none: %s", tp_data_shown(file->path),
		               strerror(errno));
	if (!S_ISREG(info.st_mode))
		return tp_fail(TP_ERR_INPUT, "%s: expected a data file, found %s", tp_data_shown(file->path),
		               kind_text(info.st_mode));
	if (info.st_size == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected a data file, found an empty one", tp_data_shown(file->path));
	file->file_bytes = info.st_size;
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return tp_fail(TP_ERR_INPUT, "%s: cannot be opened: %s", tp_data_shown(file->path), strerror(errno));
	return TP_OK;
}

enum tp_status tp_data_file_open(struct tp_data_file *file, const char *dir, const char *name, bool unzip)
{
	*file = (struct tp_data_file)TP_DATA_FILE_CLOSED;
	TP_TRY(make_path(file->path, dir, name));
	TP_TRY(check_and_open(file));
	if (!unzip)
		return TP_OK;
	file->gz = gzdopen(file->fd, "rb");
	if (!file->gz) {
		tp_data_file_close(file);
		return tp_fail(TP_ERR_NOMEM, "%s: no memory to unzip it", tp_data_shown(file->path));
	}
	file->fd = -1;
	(void)gzbuffer(file->gz, GZIP_BUFFER_BYTES); /* fails only after the first read */
	return TP_OK;
}

/* What went wrong inside a gzip stream; TP_OK when nothing did. */
static enum tp_status gzip_state(const struct tp_data_file *file)
{
	int code = Z_OK;
	(void)gzerror(file->gz, &code);
	switch (code) {
	case Z_OK:
	case Z_STREAM_END:
		return TP_OK;
	case Z_BUF_ERROR:
		return tp_fail(TP_ERR_INPUT, "%s: expected a whole gzip file, found one that is cut short",
		               tp_data_shown(file->path));
	case Z_ERRNO:
		return tp_fail(TP_ERR_IO, "%s: cannot be read: %s", tp_data_shown(file->path), strerror(errno));
	case Z_MEM_ERROR:
		return tp_fail(TP_ERR_NOMEM, "%s: no memory to unzip it", tp_data_shown(file->path));
	default:
		return tp_fail(TP_ERR_INPUT, "%s: expected a whole gzip file, found damaged data",
		               tp_data_shown(file->path));
	}
}

/* At most INT_MAX bytes, as zlib and Linux move no more at once. Returns how many, 0 at the end, negative on error. */
static int64_t read_some(struct tp_data_file *file, void *into, size_t bytes)
{
	size_t ask = bytes < ((size_t)1 << 30) ? bytes : (size_t)1 << 30;
	if (file->gz)
		return gzread(file->gz, into, (unsigned)ask);
	ssize_t got;
	do
		got = read(file->fd, into, ask);
	while (got < 0 && errno == EINTR);
	return got;
}

enum tp_status tp_data_file_read(struct tp_data_file *file, void *into, size_t bytes)
{
	size_t done = 0;
	while (done < bytes) {
		int64_t got = read_some(file, (unsigned char *)into + done, bytes - done);
		if (got <= 0) {
			if (file->gz)
				TP_TRY(gzip_state(file));
			else if (got < 0)
				return tp_fail(TP_ERR_IO, "%s: cannot be read: %s", tp_data_shown(file->path),
				               strerror(errno));
			return tp_fail(TP_ERR_INPUT, "%s: cut short: expected %zu more bytes, found %zu",
			               tp_data_shown(file->path), bytes, done);
		}
		done += (size_t)got;
	}
	return TP_OK;
}

enum tp_status tp_data_file_end(struct tp_data_file *file)
{
	unsigned char extra;
	int64_t got = read_some(file, &extra, 1);
	if (got > 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected the end of the file after its last sample, found more bytes",
		               tp_data_shown(file->path));
	if (file->gz)
		return gzip_state(file);
	if (got < 0)
		return tp_fail(TP_ERR_IO, "%s: cannot be read: %s", tp_data_shown(file->path), strerror(errno));
	return TP_OK;
}

void tp_data_file_close(struct tp_data_file *file)
{
	if (file->gz)
		(void)gzclose(file->gz);
	if (file->fd >= 0)
		(void)close(file->fd);
	file->gz = NULL;
	file->fd = -1;
}
