#include "results/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "results/build_info.h"
#include "results/migration_0002_schedules.h"
#include "results/migration_0003_set_aside.h"
#include "results/migration_0003_take_over.h"
#include "results/migration_0004_gpu_trace.h"
#include "results/nsight_views.h"
#include "results/schema.h"

/* migrations[i] leads from version i to i + 1; from nothing, and from 2, to the newest at once, since they make what
 * schema.sql says. 0003_take_over.sql fills the tables of version 3: a version that changes one of those, and does not
 * only add, keeps schema.sql as it is now for that step. */
enum { STEPS = 4 };
static const char *const migrations[TP_STORE_SCHEMA_VERSION][STEPS] = {
        {tp_schema, tp_nsight_views},
        {tp_migration_0002_schedules},
        {tp_migration_0003_set_aside, tp_schema, tp_nsight_views, tp_migration_0003_take_over},
        {tp_migration_0004_gpu_trace},
};

const char *const tp_store_schema[] = {tp_schema, tp_nsight_views, NULL};

static const char what[] = "write its schema";

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

/* All of `from` into a new file `to`. */
static enum tp_status copy_database(const struct tp_store *store, const char *from, const char *to)
{
	sqlite3 *source = NULL, *copy = NULL;
	int rc = sqlite3_open_v2(from, &source, SQLITE_OPEN_READONLY, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_backup *backup = sqlite3_backup_init(copy, "main", source, "main");
		if (backup)
			(void)sqlite3_backup_step(backup, -1); /* finishing repeats its failure */
		rc = backup ? sqlite3_backup_finish(backup) : sqlite3_errcode(copy);
	}
	int closed = sqlite3_close(copy);
	(void)sqlite3_close(source);
	rc = rc == SQLITE_OK ? closed : rc;
	return rc == SQLITE_OK
	               ? TP_OK
	               : tp_fail(TP_ERR_IO, "database '%s': cannot copy it to '%s' before changing its schema: %s",
	                         store->path, to, sqlite3_errstr(rc));
}

/* A copy of the file as it is, FILE.vN.bak beside it. Inside the transaction that migrates: so nobody else changes the
 * file meanwhile, or takes what is migrated already for what it was; SQLite copies by a connection that does not write.
 * The copy gets its name when it is whole. */
static enum tp_status back_up(struct tp_store *store, int64_t version)
{
	struct tp_text kept = {0}, making = {0};
	const char *from = sqlite3_db_filename(store->db, "main");
	tp_text_add(&kept, "%s.v%lld.bak", from, (long long)version);
	tp_text_add(&making, "%s.part", tp_text_get(&kept));
	enum tp_status status = kept.failed || making.failed ? TP_ERR_NOMEM : TP_OK;
	if (status == TP_OK) {
		(void)unlink(tp_text_get(&making)); /* of a writer that was killed */
		status = copy_database(store, from, tp_text_get(&making));
		if (status == TP_OK && rename(tp_text_get(&making), tp_text_get(&kept)) != 0)
			status = tp_fail(TP_ERR_IO,
			                 "database '%s': cannot copy it to '%s' before changing its schema: %s",
			                 store->path, tp_text_get(&kept), strerror(errno));
		if (status != TP_OK)
			(void)unlink(tp_text_get(&making));
	}
	tp_text_release(&kept);
	tp_text_release(&making);
	return status;
}

static enum tp_status note_version(struct tp_store *store, int64_t version)
{
	const struct tp_cell row[] = {tp_integer(version), tp_integer(tp_unix_s()), tp_text_cell(TPBENCH_VERSION)};
	return tp_store_insert(store, TP_INSERT_SCHEMA_META, row, 3);
}

/* One step of the way; returns the version that it led to. */
static enum tp_status step(struct tp_store *store, int64_t *version)
{
	for (int i = 0; i < STEPS && migrations[*version][i]; i++)
		TP_TRY(tp_store_execute(store, migrations[*version][i], what));
	*version = migrations[*version][1] ? TP_STORE_SCHEMA_VERSION : *version + 1;
	return note_version(store, *version);
}

static enum tp_status migrate(struct tp_store *store)
{
	int64_t application_id, version;
	TP_TRY(read_versions(store, &application_id, &version));
	TP_TRY(check_again(store, application_id, version));
	if (version > 0 && version < TP_STORE_SCHEMA_VERSION)
		TP_TRY(back_up(store, version));
	/* A table made anew takes the old one's name; else SQLite would refuse that for the sake of the user's own
	 * views, which find no such table for a moment. */
	TP_TRY(tp_store_execute(store, "PRAGMA legacy_alter_table = ON", what));
	bool unmeasured = version > 0 && version < 3;
	while (version < TP_STORE_SCHEMA_VERSION)
		TP_TRY(step(store, &version));
	if (unmeasured)
		TP_TRY(tp_store_measure_old(store));
	char pragmas[96];
	(void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
	               TP_STORE_APPLICATION_ID, TP_STORE_SCHEMA_VERSION);
	return tp_store_execute(store, pragmas, what);
}

enum tp_status tp_store_migrate(struct tp_store *store)
{
	int64_t application_id, version;
	TP_TRY(read_versions(store, &application_id, &version));
	if (application_id == TP_STORE_APPLICATION_ID && version == TP_STORE_SCHEMA_VERSION)
		return TP_OK;
	TP_TRY(tp_store_begin(store));
	TP_TRY(tp_store_end(store, migrate(store)));
	return tp_store_execute(store, "PRAGMA legacy_alter_table = OFF", what);
}
