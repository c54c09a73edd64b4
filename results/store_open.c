#include "results/store_internal.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "results/store_file.h"

/* How long to wait for another process that writes the same file; its transactions are one epoch long. */
#define BUSY_MS 60000

static enum tp_status new_store(const char *path, struct tp_store **made)
{
	size_t bytes = strlen(path) + 1;
	struct tp_store *store = tp_alloc(sizeof *store + bytes);
	if (!store)
		return TP_ERR_NOMEM;
	memcpy(store->path, path, bytes);
	*made = store;
	return TP_OK;
}

static enum tp_status connect_to(struct tp_store *store, const char *name, int flags)
{
	int rc = sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_EXRESCODE, NULL);
	if (rc != SQLITE_OK)
		return tp_store_failed(store, rc, "open it");
	(void)sqlite3_busy_timeout(store->db, BUSY_MS);
	return tp_store_execute(store, "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL", "open it");
}

/* The name for SQLite: a relative path gets "./", so that no path means anything else to it (":memory:", "file:"). */
static enum tp_status sqlite_name(const char *path, struct tp_text *name)
{
	tp_text_add(name, "%s%s", path[0] == '/' ? "" : "./", path);
	return name->failed ? TP_ERR_NOMEM : TP_OK;
}

/* Readers go on while a run writes. Becoming the first to use WAL needs the file alone, and SQLite does not wait for
 * that by itself. */
static enum tp_status use_wal(struct tp_store *store)
{
	enum { PAUSE_MS = 10 };
	int rc = SQLITE_BUSY;
	for (int waited_ms = 0; rc == SQLITE_BUSY && waited_ms < BUSY_MS; waited_ms += PAUSE_MS) {
		if (waited_ms > 0)
			(void)sqlite3_sleep(PAUSE_MS);
		rc = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) & 0xff;
	}
	return rc == SQLITE_OK ? TP_OK : tp_store_failed(store, rc, "switch it to write-ahead logging");
}

static enum tp_status prepare_for_writing(struct tp_store *store)
{
	struct tp_text name = {0};
	enum tp_status status = sqlite_name(store->path, &name);
	if (status == TP_OK)
		status = connect_to(store, tp_text_get(&name), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	tp_text_release(&name);
	TP_TRY(status);
	/* The schema first: its file header names us before anything else can be in the file or beside it. */
	TP_TRY(tp_store_migrate(store));
	TP_TRY(use_wal(store));
	TP_TRY(tp_store_end_abandoned(store));
	store->opened = true;
	return TP_OK;
}

enum tp_status tp_store_open(const char *path, struct tp_store **store)
{
	*store = NULL;
	TP_TRY(tp_store_file_check_writable(path));
	struct tp_store *opening;
	TP_TRY(new_store(path, &opening));
	enum tp_status status = prepare_for_writing(opening);
	if (status != TP_OK) {
		tp_store_close(opening);
		return status;
	}
	*store = opening;
	return TP_OK;
}

/* The same path as a URI that promises SQLite an unchanging file, for folders in which it can leave nothing. */
static enum tp_status immutable_name(const char *path, struct tp_text *name)
{
	tp_text_add(name, "file:%s", path[0] == '/' ? "" : "./");
	for (const char *c = path; *c; c++) {
		if (strchr("%?#", *c))
			tp_text_add(name, "%%%02x", (unsigned)*c);
		else
			tp_text_add(name, "%c", *c);
	}
	tp_text_add(name, "?immutable=1");
	return name->failed ? TP_ERR_NOMEM : TP_OK;
}

static enum tp_status connect_for_reading(struct tp_store *store)
{
	/* Reading WAL needs a shared index beside the file; without a log there is nothing in it. */
	bool immutable = !tp_store_file_has_log(store->path) && !tp_store_file_folder_writable(store->path);
	struct tp_text name = {0};
	enum tp_status status = immutable ? immutable_name(store->path, &name) : sqlite_name(store->path, &name);
	if (status == TP_OK)
		status =
		        connect_to(store, tp_text_get(&name), SQLITE_OPEN_READONLY | (immutable ? SQLITE_OPEN_URI : 0));
	tp_text_release(&name);
	TP_TRY(status);
	int64_t version;
	TP_TRY(tp_store_integer(store, "PRAGMA user_version", "read it", &version));
	if (version != TP_STORE_SCHEMA_VERSION)
		return tp_fail(TP_ERR_INPUT, "database '%s' has schema version %lld, expected %d", store->path,
		               (long long)version, TP_STORE_SCHEMA_VERSION);
	store->opened = true;
	return TP_OK;
}

enum tp_status tp_store_open_readonly(const char *path, struct tp_store **store)
{
	*store = NULL;
	TP_TRY(tp_store_file_check_readable(path));
	struct tp_store *opening;
	TP_TRY(new_store(path, &opening));
	enum tp_status status = connect_for_reading(opening);
	if (status != TP_OK) {
		tp_store_close(opening);
		return status;
	}
	*store = opening;
	return TP_OK;
}

/* No file stands behind it, so nothing of a file is checked and there is no other writer to wait for. */
static enum tp_status make_in_memory(struct tp_store *store)
{
	TP_TRY(connect_to(store, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
	TP_TRY(tp_store_migrate(store));
	store->opened = true;
	return TP_OK;
}

enum tp_status tp_store_open_memory(struct tp_store **store)
{
	*store = NULL;
	struct tp_store *opening;
	TP_TRY(new_store("in memory", &opening));
	enum tp_status status = make_in_memory(opening);
	if (status != TP_OK) {
		tp_store_close(opening);
		return status;
	}
	*store = opening;
	return TP_OK;
}
