/* Status codes: what can happen at run time, as opposed to a broken invariant (which is an abort).
 *
 * A function that can fail returns enum tp_status. The place that first sees the failure calls tp_fail() with a
 * sentence that names the file, option or field, what was expected and what was found; the sentence is kept per
 * thread until the next tp_fail() on that thread. Callers add nothing unless they know more, see tp_fail_in(). */
#ifndef TP_ENGINE_BASE_STATUS_H
#define TP_ENGINE_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* name, text, exit code of the command line */
#define TP_STATUS_LIST(X)                                            \
	X(TP_OK, "ok", 0)                                            \
	X(TP_ERR_INPUT, "wrong usage or input", 2)                   \
	X(TP_ERR_UNSUPPORTED, "not supported here", 2)               \
	X(TP_ERR_IO, "input/output error", 1)                        \
	X(TP_ERR_NOMEM, "out of memory", 1)                          \
	X(TP_ERR_DEVICE, "device or library error", 1)               \
	X(TP_ERR_TIMEOUT, "timed out", 1)                            \
	X(TP_ERR_ABORTED, "stopped because another stage failed", 1) \
	X(TP_ERR_INTERRUPTED, "interrupted", 1)                      \
	X(TP_ERR_WORSE, "worse than before", 1)

enum tp_status {
#define TP_STATUS_ENUM(name, text, code) name,
	TP_STATUS_LIST(TP_STATUS_ENUM)
#undef TP_STATUS_ENUM
};

#if defined(__GNUC__)
#define TP_PRINTF(fmt_index, arg_index) __attribute__((format(printf, fmt_index, arg_index)))
#else
#define TP_PRINTF(fmt_index, arg_index)
#endif

/* Room for one detail, terminating NUL included; longer ones are cut. */
#define TP_DETAIL_BYTES 512

/* Store the detail of a failure for this thread and return `status`, so that `return tp_fail(...)` reads well. */
enum tp_status tp_fail(enum tp_status status, const char *fmt, ...) TP_PRINTF(2, 3);

/* Put "`where`: " before the detail already stored; for a caller that knows which file or option was at fault. */
enum tp_status tp_fail_in(enum tp_status status, const char *fmt, ...) TP_PRINTF(2, 3);

/* The detail of this thread's latest failure; "" when there was none. Valid until the next tp_fail(). */
const char *tp_detail(void);

/* Text and exit code of a status. */
const char *tp_status_text(enum tp_status status);
int tp_status_exit_code(enum tp_status status);

/* A broken invariant: print where and why, then abort. Never for input. */
_Noreturn void tp_die(const char *file, int line, const char *what);
#define TP_CHECK(condition) ((condition) ? (void)0 : tp_die(__FILE__, __LINE__, #condition))

/* Return early on failure. */
#define TP_TRY(expression)                                    \
	do {                                                  \
		enum tp_status tp_try_status_ = (expression); \
		if (tp_try_status_ != TP_OK)                  \
			return tp_try_status_;                \
	} while (0)

#endif
