/* Which oneDNN this is, and its threads. */
#include "engine/backend/dnnl_shim.h"

#include <dlfcn.h>
#include <string.h>

void tp_dnnl_use_one_thread(void)
{
	/* Looked up, not linked: linking could bring in a second OpenMP runtime beside the one that oneDNN uses. */
	void (*set_threads)(int) = NULL;
	void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
	if (!symbol)
		return;
	memcpy(&set_threads, &symbol, sizeof set_threads);
	set_threads(1);
}

static const char *isa_text(void)
{
	switch (dnnl_get_effective_cpu_isa()) {
	case dnnl_cpu_isa_sse41:
		return "sse41";
	case dnnl_cpu_isa_avx:
		return "avx";
	case dnnl_cpu_isa_avx2:
		return "avx2";
	case dnnl_cpu_isa_avx2_vnni:
		return "avx2_vnni";
	case dnnl_cpu_isa_avx512_core:
		return "avx512_core";
	case dnnl_cpu_isa_avx512_core_vnni:
		return "avx512_core_vnni";
	case dnnl_cpu_isa_avx512_core_bf16:
		return "avx512_core_bf16";
	case dnnl_cpu_isa_avx512_core_amx:
		return "avx512_core_amx";
	default:
		return "generic or newer instruction set";
	}
}

void tp_dnnl_identify(struct tp_text *line)
{
	const dnnl_version_t *version = dnnl_version();
	tp_text_add(line, "oneDNN %d.%d.%d, %s", version->major, version->minor, version->patch, isa_text());
}

bool tp_dnnl_describe(struct tp_text *line)
{
	const dnnl_version_t *version = dnnl_version();
	if (version->major != DNNL_VERSION_MAJOR) {
		tp_text_add(line, "built for oneDNN %d.x, found %d.%d.%d", DNNL_VERSION_MAJOR, version->major,
		            version->minor, version->patch);
		return false;
	}
	if (version->cpu_runtime != DNNL_RUNTIME_OMP && version->cpu_runtime != DNNL_RUNTIME_SEQ) {
		tp_text_add(line, "oneDNN was built for a thread pool or TBB: expected OpenMP or sequential");
		return false;
	}
	tp_dnnl_identify(line);
	tp_text_add(line, ", %s, one thread per stage",
	            version->cpu_runtime == DNNL_RUNTIME_OMP ? "OpenMP" : "sequential");
	return true;
}
