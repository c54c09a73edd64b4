#include "results/store_file.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "results/store.h"

/* SQLite's file format, section 1.3: the database header. */
enum { HEADER_BYTES = 100, USER_VERSION_AT = 60, APPLICATION_ID_AT = 68, SCHEMA_CELLS_AT = HEADER_BYTES + 3 };
/* The header and the page header behind it, that of the table of tables. */
enum { LOOK_BYTES = HEADER_BYTES + 8 };
static const char magic[16] = "SQLite format 3";

/* The folder that holds `path`. */
static enum tp_status folder_of(const char *path, char folder[PATH_MAX])
{
	size_t length = strlen(path);
	if (length == 0)
		return tp_fail(TP_ERR_INPUT, "database: expected the path of a file, found an empty one");
	if (length >= PATH_MAX)
		return tp_fail(TP_ERR_INPUT, "database '%.60s...': expected a path below %d bytes, found %zu", path,
		               PATH_MAX, length);
	const char *slash = strrchr(path, '/');
	if (!slash)
		(void)snprintf(folder, PATH_MAX, ".");
	else if (slash == path)
		(void)snprintf(folder, PATH_MAX, "/");
	else
		(void)snprintf(folder, PATH_MAX, "%.*s", (int)(slash - path), path);
	return TP_OK;
}

static enum tp_status check_folder(const char *path)
{
	char folder[PATH_MAX];
	struct stat info;
	TP_TRY(folder_of(path, folder));
	if (stat(folder, &info) != 0)
		return tp_fail(TP_ERR_INPUT, "database '%s': expected the folder '%s': %s", path, folder,
		               strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return tp_fail(TP_ERR_INPUT, "database '%s': expected '%s' to be a folder, found a file", path, folder);
	if (access(folder, W_OK | X_OK) != 0)
		return tp_fail(TP_ERR_INPUT, "database '%s': cannot write to the folder '%s': %s", path, folder,
		               strerror(errno));
	return TP_OK;
}

bool tp_store_file_folder_writable(const char *path)
{
	char folder[PATH_MAX];
	return folder_of(path, folder) == TP_OK && access(folder, W_OK | X_OK) == 0;
}

bool tp_store_file_has_log(const char *path)
{
	static const char *const suffixes[] = {"-wal", "-journal"};
	char beside[PATH_MAX + 16];
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		(void)snprintf(beside, sizeof beside, "%s%s", path, suffixes[i]);
		if (access(beside, F_OK) == 0)
			return true;
	}
	return false;
}

static uint32_t big_endian_32(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum tp_status check_kind(const char *path, const struct stat *info)
{
	if (S_ISDIR(info->st_mode))
		return tp_fail(TP_ERR_INPUT, "database '%s': expected a file, found a folder", path);
	if (!S_ISREG(info->st_mode))
		return tp_fail(TP_ERR_INPUT, "database '%s': expected a regular file, found a device, pipe or socket",
		               path);
	return TP_OK;
}

static enum tp_status unreadable(const char *path, const char *why)
{
	return tp_fail(TP_ERR_INPUT, "database '%s': cannot read it: %s", path, why);
}

/* What SQLite would read as the file's first bytes; it reads none by itself before the first statement. */
static enum tp_status look_through(sqlite3 *db, const char *path, unsigned char bytes[LOOK_BYTES], size_t *found)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	if (sqlite3_file_control(db, NULL, SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file->pMethods ||
	    file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return unreadable(path, strerror(errno));
	*found = size < LOOK_BYTES ? (size_t)size : LOOK_BYTES;
	if (file->pMethods->xRead(file, bytes, (int)*found, 0) != SQLITE_OK)
		return unreadable(path, strerror(errno));
	return TP_OK;
}

/* The first bytes of a file; fewer are there when `*found` says so. Through SQLite, since to close a file drops every
 * lock that the process has on it: others that look at the database would then think that nobody writes it, and the
 * last of them would remove its log. SQLite closes it when its own locks are gone. */
static enum tp_status look(const char *path, unsigned char bytes[LOOK_BYTES], size_t *found)
{
	char name[PATH_MAX + 2];
	sqlite3 *db = NULL;
	(void)snprintf(name, sizeof name, "%s%s", path[0] == '/' ? "" : "./", path);
	int rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READONLY, NULL);
	enum tp_status status =
	        rc == SQLITE_OK ? look_through(db, path, bytes, found)
	                        : unreadable(path, db && sqlite3_system_errno(db) ? strerror(sqlite3_system_errno(db))
	                                                                          : sqlite3_errstr(rc));
	(void)sqlite3_close(db);
	return status;
}

/* `empty_will_do`: an SQLite file without tables is as good as none. */
static enum tp_status check_header(const char *path, bool empty_will_do)
{
	unsigned char bytes[LOOK_BYTES];
	size_t found = 0;
	TP_TRY(look(path, bytes, &found));
	if (found < LOOK_BYTES || memcmp(bytes, magic, sizeof magic) != 0)
		return tp_fail(TP_ERR_INPUT,
		               "database '%s': expected a results database, found a file that is not SQLite", path);
	uint32_t id = big_endian_32(bytes + APPLICATION_ID_AT);
	uint32_t version = big_endian_32(bytes + USER_VERSION_AT);
	bool has_tables = bytes[SCHEMA_CELLS_AT] != 0 || bytes[SCHEMA_CELLS_AT + 1] != 0;
	if (id == 0 && !has_tables && empty_will_do && !tp_store_file_has_log(path))
		return TP_OK;
	if (id != TP_STORE_APPLICATION_ID)
		return tp_fail(
		        TP_ERR_INPUT,
		        "database '%s': expected a results database (application_id 0x%08x), found one of another "
		        "program (0x%08x)",
		        path, (unsigned)TP_STORE_APPLICATION_ID, (unsigned)id);
	if (version > TP_STORE_SCHEMA_VERSION)
		return tp_fail(TP_ERR_INPUT,
		               "database '%s': expected schema version %d or older, found %u: a newer tpbench wrote it",
		               path, TP_STORE_SCHEMA_VERSION, (unsigned)version);
	return TP_OK;
}

enum tp_status tp_store_file_check_writable(const char *path)
{
	struct stat info;
	TP_TRY(check_folder(path));
	if (stat(path, &info) != 0) {
		if (errno == ENOENT)
			return TP_OK;
		return tp_fail(TP_ERR_INPUT, "database '%s': cannot look at it: %s", path, strerror(errno));
	}
	TP_TRY(check_kind(path, &info));
	if (access(path, R_OK | W_OK) != 0)
		return tp_fail(TP_ERR_INPUT, "database '%s': expected a file to read and write: %s", path,
		               strerror(errno));
	return info.st_size == 0 ? TP_OK : check_header(path, true);
}

enum tp_status tp_store_file_check_readable(const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0)
		return tp_fail(TP_ERR_INPUT, "database '%s': cannot read it: %s", path, strerror(errno));
	TP_TRY(check_kind(path, &info));
	if (info.st_size == 0)
		return tp_fail(TP_ERR_INPUT, "database '%s': expected a results database, found an empty file", path);
	return check_header(path, false);
}
