#include "engine/base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char tp_thread_detail[TP_DETAIL_BYTES];

static const struct {
	const char *text;
	int exit_code;
} tp_status_table[] = {
#define TP_STATUS_ROW(name, text, code) {text, code},
        TP_STATUS_LIST(TP_STATUS_ROW)
#undef TP_STATUS_ROW
};

enum tp_status tp_fail(enum tp_status status, const char *fmt, ...)
{
	/* The arguments may point into the old detail: build the new one beside it. */
	char built[TP_DETAIL_BYTES];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(built, sizeof built, fmt, args);
	va_end(args);
	memcpy(tp_thread_detail, built, sizeof built);
	return status;
}

enum tp_status tp_fail_in(enum tp_status status, const char *fmt, ...)
{
	/* Room for both in full, then cut as a whole. */
	char built[2 * TP_DETAIL_BYTES + 2];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(built, TP_DETAIL_BYTES, fmt, args);
	va_end(args);
	size_t used = strlen(built);
	(void)snprintf(built + used, sizeof built - used, ": %s", tp_thread_detail);
	built[TP_DETAIL_BYTES - 1] = '\0';
	memcpy(tp_thread_detail, built, TP_DETAIL_BYTES);
	return status;
}

const char *tp_detail(void)
{
	return tp_thread_detail;
}

const char *tp_status_text(enum tp_status status)
{
	return tp_status_table[status].text;
}

int tp_status_exit_code(enum tp_status status)
{
	return tp_status_table[status].exit_code;
}

_Noreturn void tp_die(const char *file, int line, const char *what)
{
	(void)fprintf(stderr, "tpbench: internal error: %s:%d: %s\n", file, line, what);
	abort();
}
