/* The row `cuda` of the table of devices, behind which a plugin is loaded. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/backend/devices.h"
#include "engine/backend/kernel_sizes.h"
#include "engine/backend/plugin.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

#if TPBENCH_CUDA
/* What the plugin takes from the program. In static builds the linker would drop what nobody else uses; a function that
 * the plugin needs and that is not there makes its loading fail, by name. */
__attribute__((used)) static void (*const for_plugins[])(void) = {
#define FOR_PLUGINS(function) (void (*)(void)) function
        FOR_PLUGINS(tp_alloc),
        FOR_PLUGINS(tp_alloc_array),
        FOR_PLUGINS(tp_detail),
        FOR_PLUGINS(tp_die),
        FOR_PLUGINS(tp_fail),
        FOR_PLUGINS(tp_fail_in),
        FOR_PLUGINS(tp_format_bytes),
        FOR_PLUGINS(tp_format_ns),
        FOR_PLUGINS(tp_free),
        FOR_PLUGINS(tp_layer_params),
        FOR_PLUGINS(tp_now_ns),
        FOR_PLUGINS(tp_status_text),
        FOR_PLUGINS(tp_text_add),
        FOR_PLUGINS(tp_text_get),
        FOR_PLUGINS(tp_text_release),
        FOR_PLUGINS(tp_kernel_names_add),
        FOR_PLUGINS(tp_prefault),
        FOR_PLUGINS(tp_kernel_train_sizes),
        FOR_PLUGINS(tp_kernel_infer_sizes),
        FOR_PLUGINS(tp_kernel_forward_sizes),
        FOR_PLUGINS(tp_kernel_backward_sizes),
        FOR_PLUGINS(tp_kernel_size_index),
#undef FOR_PLUGINS
};

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static const struct tp_plugin *loaded;
static char load_reason[TP_DETAIL_BYTES];

/* Beside the program, in the tree of a build and in that of an installation. */
static bool find_beside_program(char *path, size_t size)
{
	char program[2048];
	const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	program[length > 0 ? length : 0] = '\0';
	char *slash = strrchr(program, '/');
	if (slash)
		*slash = '\0';
	static const char *const below[] = {"../lib/tpbench", "../" TPBENCH_LIBDIR "/tpbench"};
	for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
		(void)snprintf(path, size, "%s/%s/libtpb_cuda.so", program, below[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static void load(void)
{
	char path[4096];
	const char *given = getenv("TPBENCH_CUDA_PLUGIN");
	bool found = false;
	if (given && given[0]) {
		(void)snprintf(path, sizeof path, "%s", given);
		found = access(path, F_OK) == 0;
	} else {
		found = find_beside_program(path, sizeof path);
	}
	if (!found) {
		(void)snprintf(load_reason, sizeof load_reason, "its plugin is not there: %.400s", path);
		return;
	}
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	tp_plugin_function *entry = NULL;
	if (library)
		*(void **)&entry = dlsym(library, TP_PLUGIN_SYMBOL);
	if (!entry) {
		(void)snprintf(load_reason, sizeof load_reason, "its plugin cannot be loaded: %s", dlerror());
		return;
	}
	const struct tp_plugin *plugin = entry();
	if (plugin->version == TP_PLUGIN_VERSION)
		loaded = plugin;
	else
		(void)snprintf(load_reason, sizeof load_reason,
		               "its plugin %.300s is of another build: its version is %d, wanted is %d", path,
		               (int)plugin->version, TP_PLUGIN_VERSION);
}

const struct tp_plugin *tp_cuda_plugin(struct tp_text *why_not)
{
	(void)pthread_once(&load_once, load);
	if (!loaded)
		tp_text_add(why_not, "%s", load_reason);
	return loaded;
}
#else
const struct tp_plugin *tp_cuda_plugin(struct tp_text *why_not)
{
	tp_text_add(why_not, "this build was made without the CUDA toolkit");
	return NULL;
}
#endif

static bool probe(struct tp_text *line)
{
	const struct tp_plugin *plugin = tp_cuda_plugin(line);
	return plugin && plugin->probe(line);
}

/* For hooks that are asked when the plugin may be there or not, and have no place for a reason. */
static const struct tp_plugin *plugin_if_loaded(void)
{
	struct tp_text ignored = {0};
	const struct tp_plugin *plugin = tp_cuda_plugin(&ignored);
	tp_text_release(&ignored);
	return plugin;
}

static const struct tp_device_ops *resolve(enum tp_math math)
{
	const struct tp_plugin *plugin = plugin_if_loaded();
	TP_CHECK(plugin != NULL);
	return plugin->device(math);
}

static const char *stand_in(void)
{
	const struct tp_plugin *plugin = plugin_if_loaded();
	return plugin ? plugin->stand_in() : NULL;
}

const struct tp_device_ops tp_device_cuda = {
        .name = "cuda",
        .summary = "NVIDIA GPUs: cuDNN and cuBLASLt, values as NHWC in float32 or bfloat16",
        .element_bytes = 4,
        .maths = 1U << TP_MATH_FP32 | 1U << TP_MATH_TF32 | 1U << TP_MATH_BF16,
        .probe = probe,
        .resolve = resolve,
        .stand_in = stand_in,
};
