#include "results/run_rows.h"

enum tp_status tp_each_run_table(struct tp_store *store, tp_table_visit *visit, void *context)
{
	static const char what[] = "look for the tables of runs";
	static const char sql[] =
	        "SELECT 'run' UNION ALL SELECT name FROM sqlite_schema WHERE type = 'table' AND EXISTS "
	        "(SELECT 1 FROM pragma_foreign_key_list(name) WHERE \"from\" = 'run_id')";
	sqlite3_stmt *tables;
	TP_TRY(tp_store_prepare(store, sql, what, &tables));
	enum tp_status status = TP_OK;
	int rc = SQLITE_DONE;
	while (status == TP_OK && (rc = sqlite3_step(tables)) == SQLITE_ROW)
		status = visit(store, (const char *)sqlite3_column_text(tables, 0), context);
	if (status == TP_OK && rc != SQLITE_DONE)
		status = tp_store_failed(store, rc, what);
	(void)sqlite3_finalize(tables);
	return status;
}
