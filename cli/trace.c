/* tpbench trace: a stored run as a file for trace viewers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "engine/base/text.h"
#include "reports/trace.h"

static enum tp_status export_run(const struct tp_options *options, const atomic_bool *stop,
                                 struct tp_trace_result *result)
{
	struct tp_store *store;
	const struct tp_trace_request request = {
	        .run_id = (int64_t)options->run_id,
	        .epoch = options->epoch,
	        .format = options->trace_format,
	        .database = options->db,
	        .path = options->out,
	        .stop = stop,
	};
	TP_TRY(tp_store_open_readonly(options->db, &store));
	enum tp_status status = tp_trace_export(store, &request, result);
	tp_store_close(store);
	return status;
}

enum tp_status tp_command_trace(const struct tp_arguments *arguments)
{
	struct tp_trace_result result;
	struct tp_run_control control = {0};
	char bytes[24];
	tp_interrupt_install(&control);
	enum tp_status status = export_run(&arguments->options, &control.stop, &result);
	tp_interrupt_restore();
	if (status == TP_OK && strcmp(result.path, "-") != 0)
		printf("%s: %" PRId64 " events, %s\n", result.path, result.event_count,
		       tp_format_bytes(bytes, sizeof bytes, result.written_bytes));
	return status;
}
