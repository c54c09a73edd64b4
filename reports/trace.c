/* A trace from beginning to end: which run, what it is called, where it goes. */
#include "reports/trace.h"

#include <sqlite3.h>
#include <stdio.h>

#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "profiler/metrics.h"
#include "reports/escape.h"
#include "reports/trace_internal.h"
#include "results/queries.h"

const struct tp_trace_writer *const tp_trace_writers[] = {&tp_trace_perfetto, &tp_trace_chrome, &tp_trace_nvtxt, NULL};

const char *tp_trace_category_text(enum tp_trace_category category)
{
	static const char *const texts[] = {
#define TP_TRACE_TEXT(name, text) text,
	        TP_TRACE_CATEGORY_LIST(TP_TRACE_TEXT)
#undef TP_TRACE_TEXT
	};
	return texts[category];
}

const char *tp_trace_argument_text(enum tp_trace_argument argument)
{
	static const char *const texts[] = {
#define TP_TRACE_TEXT(name, text) text,
	        TP_TRACE_ARGUMENT_LIST(TP_TRACE_TEXT)
#undef TP_TRACE_TEXT
	};
	return texts[argument];
}

/* --- text as viewers can take it ---------------------------------------------------------------------------------- */

char *tp_trace_clean(const unsigned char *text)
{
	char *clean = tp_alloc(TP_TRACE_NAME_BYTES);
	size_t used = 0;
	while (clean && text && *text && used + 5 <= TP_TRACE_NAME_BYTES) {
		size_t bytes = tp_utf8_bytes((const char *)text);
		memcpy(clean + used, bytes ? text : (const unsigned char *)"\xef\xbf\xbd", bytes ? bytes : 3);
		used += bytes ? bytes : 3;
		text += bytes ? bytes : 1;
	}
	return clean;
}

/* The same of a text that was put together, which is released. */
static enum tp_status clean_text(struct tp_text *text, char **clean)
{
	*clean = text->failed ? NULL : tp_trace_clean((const unsigned char *)tp_text_get(text));
	tp_text_release(text);
	return *clean ? TP_OK : TP_ERR_NOMEM;
}

/* --- queries about the run ---------------------------------------------------------------------------------------- */

static enum tp_status prepare(const struct tp_trace *trace, const char *sql, int64_t second, sqlite3_stmt **statement)
{
	sqlite3 *db = tp_store_connection(trace->store);
	if (sqlite3_prepare_v2(db, sql, -1, statement, NULL) != SQLITE_OK)
		return tp_fail(TP_ERR_IO, "the database could not be read: %s", sqlite3_errmsg(db));
	if (sqlite3_bind_parameter_count(*statement) > 0)
		(void)sqlite3_bind_int64(*statement, 1, trace->run_id);
	if (sqlite3_bind_parameter_count(*statement) > 1)
		(void)sqlite3_bind_int64(*statement, 2, second);
	return TP_OK;
}

/* An integer; 0 when there is none. */
static enum tp_status ask(const struct tp_trace *trace, const char *sql, int64_t second, int64_t *value)
{
	sqlite3_stmt *statement;
	TP_TRY(prepare(trace, sql, second, &statement));
	int rc = sqlite3_step(statement);
	*value = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	(void)sqlite3_finalize(statement);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return tp_fail(TP_ERR_IO, "the database could not be read: %s",
		               sqlite3_errmsg(tp_store_connection(trace->store)));
	return TP_OK;
}

static enum tp_status choose_run(struct tp_trace *trace, const struct tp_trace_request *request)
{
	int64_t latest, there;
	TP_TRY(ask(trace, "SELECT coalesce(max(run_id), 0) FROM run", 0, &latest));
	if (latest == 0)
		return tp_fail(TP_ERR_INPUT, "database '%s' holds no run", request->database);
	trace->run_id = request->run_id ? request->run_id : latest;
	TP_TRY(ask(trace, "SELECT count(*) FROM run WHERE run_id = ?", 0, &there));
	if (there == 0)
		return tp_fail(TP_ERR_INPUT, "--run %lld: database '%s' has no such run; the latest is %lld",
		               (long long)trace->run_id, request->database, (long long)latest);
	return TP_OK;
}

static enum tp_status choose_epochs(struct tp_trace *trace, const struct tp_trace_request *request)
{
	int64_t first, last, there;
	TP_TRY(ask(trace, "SELECT min(epoch) FROM operation WHERE run_id = ?", 0, &first));
	TP_TRY(ask(trace, "SELECT max(epoch) FROM operation WHERE run_id = ?", 0, &last));
	if (last == 0)
		return tp_fail(TP_ERR_INPUT,
		               "run %lld has no records of operations; expected a run with --profile ops and at least "
		               "one epoch",
		               (long long)trace->run_id);
	trace->first_epoch = (int32_t)(request->epoch ? request->epoch : first);
	trace->last_epoch = (int32_t)(request->epoch ? request->epoch : last);
	TP_TRY(ask(trace, "SELECT EXISTS (SELECT 1 FROM operation WHERE run_id = ? AND epoch = ?)", trace->first_epoch,
	           &there));
	if (there == 0)
		return tp_fail(TP_ERR_INPUT, "--epoch %d: run %lld has records of epochs %lld to %lld", request->epoch,
		               (long long)trace->run_id, (long long)first, (long long)last);
	return TP_OK;
}

/* Fixed names, then those of the run's kernels, whose numbers are kept ascending. */
static enum tp_status read_names(struct tp_trace *trace)
{
	int64_t kernels;
	TP_TRY(ask(trace, "SELECT count(*) FROM kernel_name WHERE run_id = ?", 0, &kernels));
	trace->names.texts = tp_alloc_array((size_t)kernels + TP_TRACE_FIXED_NAMES, sizeof *trace->names.texts);
	trace->kernel_ids = tp_alloc_array((size_t)kernels + 1, sizeof *trace->kernel_ids);
	if (!trace->names.texts || !trace->kernel_ids)
		return TP_ERR_NOMEM;
	_Static_assert((int)TP_TRACE_NAME_IDLE_OTHER == (int)TP_IDLE_CAUSES, "a name for each idle cause");
	for (int32_t n = 0; n < TP_TRACE_FIXED_NAMES; n++) {
		const char *name = n < TP_IDLE_CAUSES          ? tp_idle_cause_text((enum tp_idle_cause)n)
		                   : n == TP_TRACE_NAME_QUEUE  ? "queue"
		                   : n == TP_TRACE_NAME_WANTED ? "wanted"
		                                               : "other";
		trace->names.texts[n] = tp_trace_clean((const unsigned char *)name);
		if (!trace->names.texts[n])
			return TP_ERR_NOMEM;
		trace->names.count++;
	}
	sqlite3_stmt *row;
	TP_TRY(prepare(trace,
	               "SELECT kernel_name_id, name || iif(pass = '', '', ' ' || pass) || iif(layer = '', '', ' ' || "
	               "layer) FROM kernel_name WHERE run_id = ? ORDER BY kernel_name_id",
	               0, &row));
	enum tp_status status = TP_OK;
	for (int64_t i = 0; i < kernels && status == TP_OK && sqlite3_step(row) == SQLITE_ROW; i++) {
		trace->kernel_ids[i] = sqlite3_column_int64(row, 0);
		trace->names.texts[trace->names.count] = tp_trace_clean(sqlite3_column_text(row, 1));
		status = trace->names.texts[trace->names.count] ? TP_OK : TP_ERR_NOMEM;
		trace->names.count += status == TP_OK;
	}
	(void)sqlite3_finalize(row);
	return status;
}

static enum tp_status read_head(struct tp_trace *trace, const struct tp_trace_request *request)
{
	int64_t stages;
	TP_TRY(choose_run(trace, request));
	TP_TRY(choose_epochs(trace, request));
	TP_TRY(ask(trace, "SELECT stage_count FROM run WHERE run_id = ?", 0, &stages));
	TP_TRY(ask(trace, "SELECT batch_samples FROM run WHERE run_id = ?", 0, &trace->batch_samples));
	if (stages > 65536)
		return tp_fail(TP_ERR_INPUT, "run %lld: expected at most 65536 stages, found %lld",
		               (long long)trace->run_id, (long long)stages);
	trace->stages = tp_alloc_array((size_t)stages, sizeof *trace->stages);
	if (!trace->stages)
		return TP_ERR_NOMEM;
	trace->stage_count = (int32_t)stages;
	return read_names(trace);
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

/* "run 3 NAME: timeprest, vgg16, cifar100, device cpu, virtual clock: time is modelled" */
static enum tp_status declare_run(struct tp_trace *trace)
{
	sqlite3_stmt *row;
	struct tp_text text = {0};
	char *name;
	TP_TRY(prepare(trace, "SELECT name, schedule, model, dataset, device, clock FROM run WHERE run_id = ?", 0,
	               &row));
	if (sqlite3_step(row) == SQLITE_ROW) {
		const char *label = (const char *)sqlite3_column_text(row, 0);
		const char *clock = (const char *)sqlite3_column_text(row, 5);
		bool modelled = clock && strcmp(clock, "virtual") == 0;
		tp_text_add(&text, "run %lld%s%s: ", (long long)trace->run_id, label && label[0] ? " " : "",
		            label ? label : "");
		tp_text_add(&text, "%s, %s, %s, device %s, %s clock%s", (const char *)sqlite3_column_text(row, 1),
		            (const char *)sqlite3_column_text(row, 2), (const char *)sqlite3_column_text(row, 3),
		            (const char *)sqlite3_column_text(row, 4), clock ? clock : "",
		            modelled ? ": time is modelled" : "");
	}
	(void)sqlite3_finalize(row);
	TP_TRY(clean_text(&text, &name));
	tp_trace_declare(trace, &trace->run, name);
	tp_free(name);
	return TP_OK;
}

/* "stage 0: features.0 .. features.12" */
static enum tp_status declare_stage(struct tp_trace *trace, int32_t stage)
{
	sqlite3_stmt *row;
	struct tp_text text = {0};
	char *name;
	TP_TRY(prepare(trace, "SELECT layers FROM stage WHERE run_id = ? AND stage = ?", stage, &row));
	tp_text_add(&text, "stage %d", stage);
	if (sqlite3_step(row) == SQLITE_ROW)
		tp_text_add(&text, ": %s", (const char *)sqlite3_column_text(row, 0));
	(void)sqlite3_finalize(row);
	TP_TRY(clean_text(&text, &name));
	trace->stages[stage].process.rank = stage + 1;
	tp_trace_declare(trace, &trace->stages[stage].process, name);
	tp_free(name);
	return TP_OK;
}

enum tp_status tp_trace_head_write(struct tp_trace *trace)
{
	trace->writer->begin(&trace->out, &trace->names);
	TP_TRY(declare_run(trace));
	for (int32_t s = 0; s < trace->stage_count; s++)
		TP_TRY(declare_stage(trace, s));
	return TP_OK;
}

static void release_head(struct tp_trace *trace)
{
	for (int32_t i = 0; i < trace->names.count; i++)
		tp_free(trace->names.texts[i]);
	tp_free(trace->names.texts);
	tp_free(trace->kernel_ids);
	for (int32_t i = 0; i < TP_TRACE_MEMORY_KINDS; i++)
		tp_free(trace->memory_names[i]);
	for (int32_t s = 0; s < trace->stage_count; s++) {
		struct tp_trace_stage *stage = &trace->stages[s];
		tp_free(stage->compute.lanes);
		tp_free(stage->send.lanes);
		tp_free(stage->receive.lanes);
		tp_free(stage->wait.lanes);
		tp_free(stage->kernels.lanes);
	}
	tp_free(trace->stages);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static enum tp_status find_writer(const char *format, const struct tp_trace_writer **writer)
{
	const char *names[8] = {NULL};
	for (int i = 0; tp_trace_writers[i]; i++) {
		names[i] = tp_trace_writers[i]->format;
		if (strcmp(format, names[i]) == 0) {
			*writer = tp_trace_writers[i];
			return TP_OK;
		}
	}
	return tp_fail_unknown("trace format", format, names);
}

static enum tp_status write_trace(struct tp_trace *trace, const struct tp_trace_request *request,
                                  struct tp_trace_result *result)
{
	char path[64];
	(void)snprintf(path, sizeof path, "run-%lld.%s", (long long)trace->run_id, trace->writer->ending);
	TP_TRY(tp_trace_out_open(&trace->out, request, path));
	enum tp_status status = tp_trace_read(trace);
	if (status == TP_OK && trace->writer->end)
		trace->writer->end(&trace->out);
	/* A failed write is the output's to report, whatever else it stopped. */
	status = tp_trace_out_close(&trace->out, trace->out.error ? TP_OK : status);
	if (status != TP_OK)
		return status;
	memcpy(result->path, trace->out.path, sizeof result->path);
	result->event_count = trace->out.event_count;
	result->written_bytes = trace->out.written_bytes;
	return TP_OK;
}

/* One transaction, so that a run which is still being written is seen as it stands now. */
static enum tp_status export_run(struct tp_trace *trace, const struct tp_trace_request *request,
                                 struct tp_trace_result *result)
{
	sqlite3 *db = tp_store_connection(trace->store);
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return tp_fail(TP_ERR_IO, "the database could not be read: %s", sqlite3_errmsg(db));
	enum tp_status status = read_head(trace, request);
	if (status == TP_OK)
		status = write_trace(trace, request, result);
	(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

enum tp_status tp_trace_export(struct tp_store *store, const struct tp_trace_request *request,
                               struct tp_trace_result *result)
{
	struct tp_trace *trace = tp_alloc(sizeof *trace);
	*result = (struct tp_trace_result){{0}, 0, 0};
	if (!trace)
		return TP_ERR_NOMEM;
	trace->store = store;
	trace->stop = request->stop;
	enum tp_status status = find_writer(request->format, &trace->writer);
	if (status == TP_OK)
		status = export_run(trace, request, result);
	release_head(trace);
	tp_free(trace);
	return status;
}
