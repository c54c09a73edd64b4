#include "profiler/nvtx.h"

#if TPBENCH_NVTX

#include <dlfcn.h>
#include <nvtx3/nvToolsExt.h>
#include <nvtx3/nvToolsExtPayload.h>
#include <pthread.h>
#include <stddef.h>

bool tp_nvtx_listening;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static nvtxDomainHandle_t domain;
static uint64_t schema;
/* Complete but for the payload, so that a push copies and points. */
static nvtxEventAttributes_t attributes[TP_NVTX_RANGES];

const char *tp_nvtx_build_text(void)
{
	return "in the build: domain tpbench";
}

/* --- registration ------------------------------------------------------------------------------------------------ */

static void register_schema(void)
{
#define ENTRY(field, entry_type)                                              \
	{                                                                     \
		.type = NVTX_PAYLOAD_ENTRY_TYPE_##entry_type, .name = #field, \
		.offset = offsetof(struct tp_nvtx_payload, field),            \
	}
	static const nvtxPayloadSchemaEntry_t entries[] = {
	        ENTRY(run, INT64),        ENTRY(stage, INT32),   ENTRY(micro_batch, INT32),
	        ENTRY(mini_batch, INT64), ENTRY(version, INT64),
	};
#undef ENTRY
	const nvtxPayloadSchemaAttr_t attribute = {
	        .fieldMask = NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_NAME | NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_TYPE |
	                     NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_ENTRIES | NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_NUM_ENTRIES |
	                     NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_STATIC_SIZE,
	        .name = "tpbench operation",
	        .type = NVTX_PAYLOAD_SCHEMA_TYPE_STATIC,
	        .entries = entries,
	        .numEntries = sizeof entries / sizeof *entries,
	        .payloadStaticSize = sizeof(struct tp_nvtx_payload),
	};
	schema = nvtxPayloadSchemaRegister(domain, &attribute);
}

static uint32_t colour_of(enum tp_nvtx_category category)
{
	static const uint32_t colours[] = {
#define COLOUR(name, number, text, colour) [number] = colour,
	        TP_NVTX_CATEGORY_LIST(COLOUR)
#undef COLOUR
	};
	return colours[category];
}

static void register_range(enum tp_nvtx_range range, const char *text, enum tp_nvtx_category category)
{
	attributes[range] = (nvtxEventAttributes_t){
	        .version = NVTX_VERSION,
	        .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE,
	        .category = (uint32_t)category,
	        .colorType = NVTX_COLOR_ARGB,
	        .color = colour_of(category),
	        .payloadType = NVTX_PAYLOAD_TYPE_EXT,
	        .reserved0 = 1, /* payloads that payload.ullValue points at */
	        .messageType = NVTX_MESSAGE_TYPE_REGISTERED,
	        .message.registered = nvtxDomainRegisterStringA(domain, text),
	};
}

static void register_all(void)
{
	/* A domain is asked for, not whether it is enabled: a tool that waits for the range `measure` may say that it
	 * is not, yet. */
	domain = nvtxDomainCreateA("tpbench");
	if (!domain)
		return;
	register_schema();
#define CATEGORY(name, number, text, colour) nvtxDomainNameCategoryA(domain, number, text);
	TP_NVTX_CATEGORY_LIST(CATEGORY)
#undef CATEGORY
#define RANGE(name, text, category) register_range(name, text, category);
	TP_NVTX_RANGE_LIST(RANGE)
#undef RANGE
	tp_nvtx_listening = true;
}

void tp_nvtx_init(void)
{
	(void)pthread_once(&once, register_all);
}

/* --- ranges ------------------------------------------------------------------------------------------------------- */

void tp_nvtx_push_listened(enum tp_nvtx_range range, const struct tp_nvtx_payload *payload)
{
	/* NVTX_PAYLOAD_EVTATTR_SET_DATA does not compile in C with the headers of CUDA 13.0. */
	const nvtxPayloadData_t data = {schema, sizeof *payload, payload};
	nvtxEventAttributes_t event = attributes[range];
	event.payload.ullValue = (uint64_t)(uintptr_t)&data;
	(void)nvtxDomainRangePushEx(domain, &event);
}

void tp_nvtx_pop_listened(void)
{
	(void)nvtxDomainRangePop(domain);
}

/* --- the measured window ------------------------------------------------------------------------------------------ */

typedef int cuda_profiler_function(void);
static cuda_profiler_function *profiler_start, *profiler_stop;

static void *find_cuda_runtime(int flags)
{
	static const char *const names[] = {"libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0", "libcudart.so"};
	void *library = NULL;
	for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
		library = dlopen(names[i], RTLD_NOW | flags);
	return library;
}

static bool cuda_is_loaded(void)
{
	void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
	if (driver)
		(void)dlclose(driver);
	return driver != NULL;
}

/* CUDA is never linked, and not loaded for its own sake. The library stays. */
static void find_profiler(void)
{
	void *library = profiler_start ? NULL : find_cuda_runtime(RTLD_NOLOAD);
	bool tool = tp_nvtx_listening && nvtxDomainIsEnabled(domain);
	if (!profiler_start && !library && (tool || cuda_is_loaded()))
		library = find_cuda_runtime(0);
	if (!library)
		return;
	/* dlsym() gives an object pointer; POSIX lets it be copied into that of a function. */
	*(void **)&profiler_start = dlsym(library, "cudaProfilerStart");
	*(void **)&profiler_stop = dlsym(library, "cudaProfilerStop");
}

/* Failures are no failures of the run: without a driver the call says 35, and nobody is profiling. */
static void call_profiler(cuda_profiler_function *function)
{
	if (function)
		(void)function();
}

void tp_nvtx_begin_measure(const struct tp_nvtx_payload *payload)
{
	find_profiler();
	call_profiler(profiler_start);
	tp_nvtx_push(TP_NVTX_MEASURE, *payload);
}

void tp_nvtx_end_measure(void)
{
	tp_nvtx_pop();
	call_profiler(profiler_stop);
}

#else

const char *tp_nvtx_build_text(void)
{
	return "not in the build";
}

#endif
