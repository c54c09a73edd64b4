#include "results/store_internal.h"

#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "results/build_info.h"
#include "results/migration_0001_initial.h"
#include "results/migration_0002_schedules.h"

/* migrations[i] leads from version i to i + 1. */
static const char *const migrations[TP_STORE_SCHEMA_VERSION] = {
        tp_migration_0001_initial,
        tp_migration_0002_schedules,
};

static enum tp_status read_versions(struct tp_store *store, int64_t *application_id, int64_t *version)
{
	TP_TRY(tp_store_integer(store, "PRAGMA application_id", "read it", application_id));
	return tp_store_integer(store, "PRAGMA user_version", "read it", version);
}

/* The file may have changed since its header was looked at. */
static enum tp_status check_again(struct tp_store *store, int64_t application_id, int64_t version)
{
	int64_t tables = 0;
	if (application_id == 0)
		TP_TRY(tp_store_integer(store, "SELECT count(*) FROM sqlite_schema", "read it", &tables));
	if ((application_id != 0 || tables > 0) && application_id != TP_STORE_APPLICATION_ID)
		return tp_fail(TP_ERR_INPUT, "database '%s': expected a results database, found one of another program",
		               store->path);
	if (version > TP_STORE_SCHEMA_VERSION)
		return tp_fail(TP_ERR_INPUT, "database '%s': expected schema version %d or older, found %lld",
		               store->path, TP_STORE_SCHEMA_VERSION, (long long)version);
	return TP_OK;
}

static enum tp_status migrate(struct tp_store *store)
{
	static const char what[] = "write its schema";
	int64_t application_id, version;
	TP_TRY(read_versions(store, &application_id, &version));
	TP_TRY(check_again(store, application_id, version));
	for (; version < TP_STORE_SCHEMA_VERSION; version++) {
		TP_TRY(tp_store_execute(store, migrations[version], what));
		const struct tp_cell row[] = {tp_integer(version + 1), tp_integer(tp_unix_s()),
		                              tp_text_cell(TPBENCH_VERSION)};
		TP_TRY(tp_store_insert(store, TP_INSERT_SCHEMA_META, row, 3));
	}
	char pragmas[96];
	(void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
	               TP_STORE_APPLICATION_ID, TP_STORE_SCHEMA_VERSION);
	return tp_store_execute(store, pragmas, what);
}

/* A copy of the file as it is beside it, FILE.vN.bak, before an older schema is changed. */
static enum tp_status back_up(struct tp_store *store, int64_t version)
{
	static const char what[] = "make a copy before changing its schema";
	struct tp_text name = {0};
	sqlite3 *copy = NULL;
	tp_text_add(&name, "%s%s.v%lld.bak", store->path[0] == '/' ? "" : "./", store->path, (long long)version);
	if (name.failed)
		return TP_ERR_NOMEM;
	int rc = sqlite3_open_v2(tp_text_get(&name), &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	sqlite3_backup *backup = rc == SQLITE_OK ? sqlite3_backup_init(copy, "main", store->db, "main") : NULL;
	if (backup) {
		(void)sqlite3_backup_step(backup, -1);
		rc = sqlite3_backup_finish(backup);
	} else if (rc == SQLITE_OK) {
		rc = sqlite3_errcode(copy);
	}
	enum tp_status status = rc == SQLITE_OK ? TP_OK
	                                        : tp_fail(TP_ERR_IO, "database '%s': cannot %s, %s: %s", store->path,
	                                                  what, tp_text_get(&name), sqlite3_errstr(rc));
	(void)sqlite3_close(copy);
	tp_text_release(&name);
	return status;
}

enum tp_status tp_store_migrate(struct tp_store *store)
{
	int64_t application_id, version;
	TP_TRY(read_versions(store, &application_id, &version));
	if (application_id == TP_STORE_APPLICATION_ID && version == TP_STORE_SCHEMA_VERSION)
		return TP_OK;
	if (application_id == TP_STORE_APPLICATION_ID && version > 0 && version < TP_STORE_SCHEMA_VERSION)
		TP_TRY(back_up(store, version));
	TP_TRY(tp_store_begin(store));
	return tp_store_end(store, migrate(store));
}
