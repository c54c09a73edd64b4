#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger.h"
#include "test_store_support.h"

char *read_source(const char *name)
{
	enum { MOST_BYTES = 1 << 18 };
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", TPBENCH_SOURCE_DIR, name);
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("cannot read %s", path);
	char *text = calloc(1, MOST_BYTES);
	assert_non_null(text);
	assert_in_range(fread(text, 1, MOST_BYTES - 1, file), 1, MOST_BYTES - 2);
	(void)fclose(file);
	return text;
}

void make_ledger(const char *path)
{
	tp_store_close(open_store(path));
	char *sql = read_source("tests/results/ledger.sql");
	sql_execute(path, "PRAGMA foreign_keys = ON");
	sql_execute(path, sql);
	free(sql);
}
