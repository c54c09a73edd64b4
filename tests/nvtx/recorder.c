/* A tool in the sense of NVTX that writes what it is told to a text file, one event per line, with its own thread
 * numbers. Loaded through NVTX_INJECTION64_PATH, or linked into a test. The file is named by TPBENCH_NVTX_LOG; what is
 * there already is kept.
 *
 *	domain NAME
 *	string TEXT
 *	category NUMBER TEXT
 *	schema NAME|SIZE
 *	entry NAME TYPE OFFSET
 *	push THREAD DEPTH TEXT CATEGORY COLOUR RUN STAGE MICRO_BATCH MINI_BATCH VERSION
 *	pop THREAD DEPTH
 *	start ID ... as push, end ID
 *
 * Depths count from 0; that of a pop without a push is negative. A message that is no registered string is "?". Payload
 * values come in the order of the schema; a payload of another schema, or none, has no values. */
#include "tests/nvtx/recorder.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRINGS_MAX = 64, ENTRIES_MAX = 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static FILE *log_file;
static struct nvtxDomainRegistration_st {
	int unused;
} only_domain;
static struct nvtxStringRegistration_st {
	char text[64];
} strings[STRINGS_MAX];
static int string_count, thread_count;
static nvtxPayloadSchemaEntry_t entries[ENTRIES_MAX];
static size_t entry_count;
static uint64_t schema_count;
static nvtxRangeId_t range_count;

static _Thread_local int thread, depth;

static void begin_line(void)
{
	(void)pthread_mutex_lock(&mutex);
	if (thread == 0)
		thread = ++thread_count;
	const char *path = getenv("TPBENCH_NVTX_LOG");
	if (!log_file && path)
		log_file = fopen(path, "a");
	if (!log_file) {
		(void)fprintf(stderr, "recorder: TPBENCH_NVTX_LOG: no file, or it cannot be written\n");
		abort();
	}
}

static void end_line(void)
{
	(void)fputc('\n', log_file);
	(void)fflush(log_file);
	(void)pthread_mutex_unlock(&mutex);
}

static nvtxDomainHandle_t NVTX_API create_domain(const char *name)
{
	begin_line();
	(void)fprintf(log_file, "domain %s", name);
	end_line();
	return &only_domain;
}

static nvtxStringHandle_t NVTX_API register_string(nvtxDomainHandle_t domain, const char *text)
{
	(void)domain;
	begin_line();
	if (string_count == STRINGS_MAX)
		abort();
	struct nvtxStringRegistration_st *string = &strings[string_count++];
	(void)snprintf(string->text, sizeof string->text, "%s", text);
	(void)fprintf(log_file, "string %s", text);
	end_line();
	return string;
}

static void NVTX_API name_category(nvtxDomainHandle_t domain, uint32_t number, const char *text)
{
	(void)domain;
	begin_line();
	(void)fprintf(log_file, "category %" PRIu32 " %s", number, text);
	end_line();
}

static uint64_t NVTX_API register_schema(nvtxDomainHandle_t domain, const nvtxPayloadSchemaAttr_t *schema)
{
	(void)domain;
	begin_line();
	(void)fprintf(log_file, "schema %s|%zu", schema->name, schema->payloadStaticSize);
	entry_count = schema->numEntries < ENTRIES_MAX ? schema->numEntries : ENTRIES_MAX;
	for (size_t i = 0; i < entry_count; i++) {
		entries[i] = schema->entries[i];
		(void)fprintf(log_file, "\nentry %s %" PRIu64 " %" PRIu64, entries[i].name, entries[i].type,
		              entries[i].offset);
	}
	end_line();
	return NVTX_PAYLOAD_SCHEMA_ID_DYNAMIC_START + ++schema_count;
}

static void print_payload(const nvtxEventAttributes_t *event)
{
	if (event->payloadType != NVTX_PAYLOAD_TYPE_EXT || event->reserved0 != 1)
		return;
	const nvtxPayloadData_t *data = (const void *)(uintptr_t)event->payload.ullValue;
	if (schema_count == 0 || data->schemaId != NVTX_PAYLOAD_SCHEMA_ID_DYNAMIC_START + schema_count)
		return;
	for (size_t i = 0; i < entry_count; i++) {
		const char *at = (const char *)data->payload + entries[i].offset;
		int64_t value = 0;
		int32_t narrow;
		if (entries[i].type == NVTX_PAYLOAD_ENTRY_TYPE_INT64) {
			memcpy(&value, at, sizeof value);
		} else {
			memcpy(&narrow, at, sizeof narrow);
			value = narrow;
		}
		(void)fprintf(log_file, " %" PRId64, value);
	}
}

static void print_event(const nvtxEventAttributes_t *event)
{
	bool registered = event->messageType == NVTX_MESSAGE_TYPE_REGISTERED && event->message.registered;
	(void)fprintf(log_file, "%s %" PRIu32 " %08" PRIx32, registered ? event->message.registered->text : "?",
	              event->category, event->colorType == NVTX_COLOR_ARGB ? event->color : 0);
	print_payload(event);
}

static int NVTX_API push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event)
{
	(void)domain;
	begin_line();
	(void)fprintf(log_file, "push %d %d ", thread, depth);
	print_event(event);
	end_line();
	return depth++;
}

static int NVTX_API pop(nvtxDomainHandle_t domain)
{
	(void)domain;
	begin_line();
	(void)fprintf(log_file, "pop %d %d", thread, --depth);
	end_line();
	return depth;
}

static nvtxRangeId_t NVTX_API start(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *event)
{
	(void)domain;
	begin_line();
	nvtxRangeId_t id = ++range_count;
	(void)fprintf(log_file, "start %" PRIu64 " ", id);
	print_event(event);
	end_line();
	return id;
}

static void NVTX_API end(nvtxDomainHandle_t domain, nvtxRangeId_t id)
{
	(void)domain;
	begin_line();
	(void)fprintf(log_file, "end %" PRIu64, id);
	end_line();
}

#define SET(number, function) *table[number] = (NvtxFunctionPointer)(function)

int NVTX_API InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table)
{
	const NvtxExportTableCallbacks *callbacks = get_table(NVTX_ETID_CALLBACKS);
	NvtxFunctionTable table = NULL;
	unsigned size = 0;
	if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) ||
	    size <= NVTX_CBID_CORE2_DomainCreateA)
		return 0;
	SET(NVTX_CBID_CORE2_DomainCreateA, create_domain);
	SET(NVTX_CBID_CORE2_DomainRegisterStringA, register_string);
	SET(NVTX_CBID_CORE2_DomainNameCategoryA, name_category);
	SET(NVTX_CBID_CORE2_DomainRangePushEx, push);
	SET(NVTX_CBID_CORE2_DomainRangePop, pop);
	SET(NVTX_CBID_CORE2_DomainRangeStartEx, start);
	SET(NVTX_CBID_CORE2_DomainRangeEnd, end);
	return 1;
}

int NVTX_API InitializeInjectionNvtxExtension(nvtxExtModuleInfo_t *module)
{
	if (module->moduleId == NVTX_EXT_PAYLOAD_MODULEID)
		module->segments[0].functionSlots[NVTX3EXT_CBID_nvtxPayloadSchemaRegister] = (intptr_t)register_schema;
	return 1;
}
