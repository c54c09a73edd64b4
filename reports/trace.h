/* A stored run as a file for trace viewers: Perfetto, Chrome's, Nsight Systems. Rows are streamed from the database in
 * the order of time, so that memory does not grow with the run. */
#ifndef TP_REPORTS_TRACE_H
#define TP_REPORTS_TRACE_H

#include <limits.h>
#include <stdatomic.h>

#include "results/store.h"

struct tp_trace_request {
	int64_t run_id;          /* 0: the latest run */
	int32_t epoch;           /* 0: all of them */
	const char *format;      /* perfetto, chrome or nvtxt */
	const char *database;    /* path of the store, which is never overwritten */
	const char *path;        /* "-": stdout; "": run-ID with the format's ending, in the current folder */
	const atomic_bool *stop; /* looked at now and then: end with TP_ERR_INTERRUPTED; NULL: never */
};

struct tp_trace_result {
	char path[PATH_MAX]; /* where it went */
	int64_t event_count; /* slices, instants and samples of counters */
	int64_t written_bytes;
};

/* Write the trace. A regular file takes its name only when it is complete, and what stood there before stays until
 * then; on failure nothing is left. TP_ERR_INPUT: an unknown format, run or epoch, a run without records, a path that
 * cannot be written to; TP_ERR_IO: reading or writing failed; TP_ERR_NOMEM; TP_ERR_INTERRUPTED. */
enum tp_status tp_trace_export(struct tp_store *store, const struct tp_trace_request *request,
                               struct tp_trace_result *result);

#endif
