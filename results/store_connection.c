#include "results/store_internal.h"

#include <string.h>

#include "engine/base/memory.h"

static const char *const statement_sql[] = {
#define STATEMENT_SQL(name, sql) sql,
        TP_STATEMENT_LIST(STATEMENT_SQL)
#undef STATEMENT_SQL
};

/* Before the store is open these say that the place or the file is not one to write results to. */
static bool refuses_the_file(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
	case SQLITE_ERROR:
		return true;
	default:
		return false;
	}
}

enum tp_status tp_store_failed(const struct tp_store *store, int rc, const char *what)
{
	enum tp_status status = TP_ERR_IO;
	if (rc == SQLITE_NOMEM)
		status = TP_ERR_NOMEM;
	else if (!store->opened && refuses_the_file(rc))
		status = TP_ERR_INPUT;
	const char *reason = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc);
	int system = store->db ? sqlite3_system_errno(store->db) : 0;
	bool ask_system = system != 0 && ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN);
	return tp_fail(status, "database '%s': cannot %s: %s%s%s%s", store->path, what, reason, ask_system ? " (" : "",
	               ask_system ? strerror(system) : "", ask_system ? ")" : "");
}

enum tp_status tp_store_execute(struct tp_store *store, const char *sql, const char *what)
{
	int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? TP_OK : tp_store_failed(store, rc, what);
}

enum tp_status tp_store_prepare(struct tp_store *store, const char *sql, const char *what, sqlite3_stmt **statement)
{
	int rc = sqlite3_prepare_v2(store->db, sql, -1, statement, NULL);
	return rc == SQLITE_OK ? TP_OK : tp_store_failed(store, rc, what);
}

enum tp_status tp_store_integer(struct tp_store *store, const char *sql, const char *what, int64_t *value)
{
	sqlite3_stmt *statement;
	TP_TRY(tp_store_prepare(store, sql, what, &statement));
	int rc = sqlite3_step(statement);
	enum tp_status status = TP_OK;
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	else
		status = tp_store_failed(store, rc, what);
	(void)sqlite3_finalize(statement);
	return status;
}

static int bind(sqlite3_stmt *statement, int place, const struct tp_cell *cell)
{
	switch (cell->type) {
	case TP_CELL_INTEGER:
		return sqlite3_bind_int64(statement, place, cell->integer);
	case TP_CELL_REAL:
		return sqlite3_bind_double(statement, place, cell->real);
	case TP_CELL_TEXT:
		return sqlite3_bind_text(statement, place, cell->text, -1, SQLITE_STATIC);
	case TP_CELL_NULL:
		break;
	}
	return sqlite3_bind_null(statement, place);
}

enum tp_status tp_store_insert(struct tp_store *store, enum tp_statement which, const struct tp_cell *cells, int count)
{
	static const char what[] = "write a row";
	sqlite3_stmt **statement = &store->statements[which];
	if (!*statement)
		TP_TRY(tp_store_prepare(store, statement_sql[which], what, statement));
	TP_CHECK(count == sqlite3_bind_parameter_count(*statement));
	int rc = SQLITE_OK;
	for (int i = 0; i < count && rc == SQLITE_OK; i++)
		rc = bind(*statement, i + 1, &cells[i]);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(*statement);
	enum tp_status status = rc == SQLITE_DONE ? TP_OK : tp_store_failed(store, rc, what);
	(void)sqlite3_reset(*statement); /* repeats the failure of the step */
	return status;
}

enum tp_status tp_store_begin(struct tp_store *store)
{
	return tp_store_execute(store, "BEGIN IMMEDIATE", "write");
}

enum tp_status tp_store_end(struct tp_store *store, enum tp_status status)
{
	if (status == TP_OK)
		status = tp_store_execute(store, "COMMIT", "commit");
	/* After some failures SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(store->db))
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

void tp_store_close(struct tp_store *store)
{
	if (!store)
		return;
	for (int i = 0; i < TP_STATEMENTS; i++)
		(void)sqlite3_finalize(store->statements[i]);
	(void)sqlite3_close(store->db);
	tp_free(store->name_ids);
	tp_free(store);
}
