/* From what a tracer saw to records of the run. */
#include "profiler/gpu_trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"

const char *tp_gpu_trace_mode_text(enum tp_gpu_trace_mode mode)
{
	static const char *const texts[] = {
#define MODE_TEXT(name, text) text,
	        TP_GPU_TRACE_MODE_LIST(MODE_TEXT)
#undef MODE_TEXT
	};
	return texts[mode];
}

/* --- names ---------------------------------------------------------------------------------------------------------
 */

/* "foo" of "void space::foo<float, 128>(float *, int)". */
static void shorten(const char *full, char *name, size_t size)
{
	static const char anonymous[] = "(anonymous namespace)";
	const char *first = full, *at = full;
	while (*at && *at != '<') {
		if (strncmp(at, anonymous, sizeof anonymous - 1) == 0) {
			at += sizeof anonymous - 1;
			continue;
		}
		if (*at == '(')
			break;
		if (*at == ' ' || *at == ':')
			first = at + 1;
		at++;
	}
	if (first == at) { /* it is made differently */
		first = full;
		at = full + strlen(full);
	}
	(void)snprintf(name, size, "%.*s", (int)(at - first), first);
}

/* The run's number of each name of the trace. */
static enum tp_status add_names(const struct tp_gpu_trace *trace, struct tp_kernel_names *names, int32_t *numbers)
{
	for (int32_t i = 0; i < trace->name_count; i++) {
		struct tp_kernel_name name = {0};
		shorten(trace->names[i], name.name, sizeof name.name);
		(void)snprintf(name.implementation, sizeof name.implementation, "%s", trace->names[i]);
		TP_TRY(tp_kernel_names_add(names, &name, &numbers[i]));
	}
	return TP_OK;
}

/* --- stages of streams ---------------------------------------------------------------------------------------------
 */

/* More streams than any plan has; what runs on others keeps no stage. */
enum { STREAMS = 256 };

struct streams {
	struct tp_gpu_place of[STREAMS];
	int32_t count;
};

static const struct tp_gpu_place *find_stream(const struct streams *streams, const struct tp_gpu_place *place)
{
	for (int32_t i = 0; i < streams->count; i++) {
		const struct tp_gpu_place *of = &streams->of[i];
		if (of->stream_number == place->stream_number && of->context_number == place->context_number &&
		    of->gpu_number == place->gpu_number)
			return of;
	}
	return NULL;
}

static void note_stream(struct streams *streams, const struct tp_gpu_place *place)
{
	if (place->stage >= 0 && streams->count < STREAMS && !find_stream(streams, place))
		streams->of[streams->count++] = *place;
}

/* Onto the run's clock, with the stage of its stream where its own is not known. */
static void settle(const struct streams *streams, int64_t clock_zero_ns, struct tp_gpu_place *place)
{
	const struct tp_gpu_place *stream = place->stage < 0 ? find_stream(streams, place) : NULL;
	if (stream)
		place->stage = stream->stage;
	place->start_ns -= clock_zero_ns;
	place->end_ns -= clock_zero_ns;
}

/* --- records -------------------------------------------------------------------------------------------------------
 */

static int by_place(const struct tp_gpu_place *a, const struct tp_gpu_place *b)
{
	if (a->stage != b->stage)
		return a->stage < b->stage ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return (a->correlation_number > b->correlation_number) - (a->correlation_number < b->correlation_number);
}

static int by_kernel_place(const void *a, const void *b)
{
	return by_place(&((const struct tp_gpu_kernel *)a)->place, &((const struct tp_gpu_kernel *)b)->place);
}

static int by_copy_place(const void *a, const void *b)
{
	return by_place(&((const struct tp_gpu_copy *)a)->place, &((const struct tp_gpu_copy *)b)->place);
}

static void settle_all(const struct tp_gpu_trace *trace, int64_t clock_zero_ns, struct tp_gpu_records *records)
{
	struct streams streams = {.count = 0};
	for (int64_t i = 0; i < trace->kernel_count; i++)
		note_stream(&streams, &trace->kernels[i].place);
	for (int64_t i = 0; i < trace->copy_count; i++)
		note_stream(&streams, &trace->copies[i].place);
	for (int64_t i = 0; i < trace->kernel_count; i++) {
		records->launches[i] = trace->kernels[i];
		settle(&streams, clock_zero_ns, &records->launches[i].place);
	}
	for (int64_t i = 0; i < trace->copy_count; i++) {
		records->copies[i] = trace->copies[i];
		settle(&streams, clock_zero_ns, &records->copies[i].place);
	}
	records->kernel_count = trace->kernel_count;
	records->copy_count = trace->copy_count;
}

static void fill_kernels(struct tp_gpu_records *records, const int32_t *numbers)
{
	for (int64_t i = 0; i < records->kernel_count; i++) {
		struct tp_gpu_kernel *launch = &records->launches[i];
		launch->name = numbers[launch->name];
		records->kernels[i] = (struct tp_kernel_record){
		        .start_ns = launch->place.start_ns,
		        .end_ns = launch->place.end_ns,
		        .operation = launch->place.operation,
		        .name = launch->name,
		        .stage = launch->place.stage,
		};
	}
}

enum tp_status tp_gpu_records_make(const struct tp_gpu_trace *trace, int64_t clock_zero_ns,
                                   struct tp_kernel_names *names, struct tp_gpu_records *records)
{
	*records = (struct tp_gpu_records){
	        .kernels = tp_alloc_array((size_t)trace->kernel_count, sizeof *records->kernels),
	        .launches = tp_alloc_array((size_t)trace->kernel_count, sizeof *records->launches),
	        .copies = tp_alloc_array((size_t)trace->copy_count, sizeof *records->copies),
	};
	int32_t *numbers = tp_alloc_array((size_t)trace->name_count, sizeof *numbers);
	enum tp_status status = TP_ERR_NOMEM;
	if (records->kernels && records->launches && records->copies && numbers)
		status = add_names(trace, names, numbers);
	if (status == TP_OK) {
		settle_all(trace, clock_zero_ns, records);
		qsort(records->launches, (size_t)records->kernel_count, sizeof *records->launches, by_kernel_place);
		qsort(records->copies, (size_t)records->copy_count, sizeof *records->copies, by_copy_place);
		fill_kernels(records, numbers);
	}
	tp_free(numbers);
	return status;
}

void tp_gpu_records_release(struct tp_gpu_records *records)
{
	tp_free(records->kernels);
	tp_free(records->launches);
	tp_free(records->copies);
	*records = (struct tp_gpu_records){0};
}
