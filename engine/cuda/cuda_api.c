#include "engine/cuda/cuda_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct tp_cuda_api tp_cuda;

/* What the load came to, for all calls after the first. */
static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static bool load_worked;
static char load_reason[TP_DETAIL_BYTES];

/* A name as the headers have it: some of them are macros for a version of the function. */
#define NAME_OF(function) NAME_AS_IS(function)
#define NAME_AS_IS(function) #function

/* dlsym() gives an object pointer; POSIX lets it be copied into that of a function. */
#define RESOLVE(function)                                                \
	*(void **)&tp_cuda.function = dlsym(library, NAME_OF(function)); \
	if (!tp_cuda.function && !missing)                               \
		missing = NAME_OF(function);

/* Fill one library's part of the table: the first function that it lacks; NULL: none. */
static const char *resolve_cudart(void *library)
{
	const char *missing = NULL;
	TP_CUDART_LIST(RESOLVE)
	return missing;
}

static const char *resolve_cudnn(void *library)
{
	const char *missing = NULL;
	TP_CUDNN_LIST(RESOLVE)
	return missing;
}

static const char *resolve_cublaslt(void *library)
{
	const char *missing = NULL;
	TP_CUBLASLT_LIST(RESOLVE)
	return missing;
}

static const char *resolve_nccl(void *library)
{
	const char *missing = NULL;
	TP_NCCL_LIST(RESOLVE)
	return missing;
}

static const char *resolve_cupti(void *library)
{
	const char *missing = NULL;
	TP_CUPTI_LIST(RESOLVE)
	return missing;
}

/* What is loaded, in this order: cuDNN finds the cuBLAS that is there already. Libraries are taken in the major version
 * of the headers: another one has other structures. */
static const struct {
	const char *title, *file;
	int major;
	const char *(*resolve)(void *library);
	bool *optional; /* where it is said that it is there; NULL: nothing works without it */
} libraries[] = {
        {"CUDA's runtime", "libcudart.so", CUDART_VERSION / 1000, resolve_cudart, NULL},
        {"cuBLASLt", "libcublasLt.so", CUBLAS_VER_MAJOR, resolve_cublaslt, NULL},
        {"cuDNN", "libcudnn.so", CUDNN_MAJOR, resolve_cudnn, NULL},
        {"NCCL", "libnccl.so", NCCL_MAJOR, resolve_nccl, &tp_cuda.has_nccl},
        {"CUPTI", "libcupti.so", CUDART_VERSION / 1000, resolve_cupti, &tp_cuda.has_cupti},
};
enum { LIBRARIES = sizeof libraries / sizeof libraries[0] };

static void *open_in(const char *folder, const char *soname)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%s/%s", folder, soname);
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* Where the loader looks, then in the toolkit's usual folders. The reason is the loader's own for the plain name, or
 * that for a file that is there and does not load. */
static void *open_library(const char *soname, char *reason, size_t size)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	if (library)
		return library;
	(void)snprintf(reason, size, "%s", dlerror());
	static const char *const below[] = {"lib64", "extras/CUPTI/lib64"};
	const char *const homes[] = {getenv("CUDA_HOME"), "/usr/local/cuda"};
	for (size_t home = 0; home < sizeof homes / sizeof homes[0]; home++)
		for (size_t i = 0; i < sizeof below / sizeof below[0] && homes[home] && homes[home][0]; i++) {
			char folder[2048];
			(void)snprintf(folder, sizeof folder, "%s/%s", homes[home], below[i]);
			library = open_in(folder, soname);
			if (library)
				return library;
		}
	return NULL;
}

static bool load_installed(void)
{
	for (int i = 0; i < LIBRARIES; i++) {
		char soname[64], reason[TP_DETAIL_BYTES / 2] = "";
		(void)snprintf(soname, sizeof soname, "%s.%d", libraries[i].file, libraries[i].major);
		void *library = open_library(soname, reason, sizeof reason);
		const char *missing = library ? libraries[i].resolve(library) : NULL;
		if (libraries[i].optional) {
			*libraries[i].optional = library && !missing;
			continue;
		}
		if (!library)
			(void)snprintf(load_reason, sizeof load_reason, "%s is missing: %s", libraries[i].title,
			               reason);
		else if (missing)
			(void)snprintf(load_reason, sizeof load_reason, "%s (%s) has no %s: it is too old",
			               libraries[i].title, soname, missing);
		if (!library || missing)
			return false;
	}
	return true;
}

/* All from one file, which may be a stand-in for tests: it says so itself. */
static bool load_from(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		(void)snprintf(load_reason, sizeof load_reason, "TPBENCH_CUDA_RUNTIME cannot be loaded: %s", dlerror());
		return false;
	}
	for (int i = 0; i < LIBRARIES; i++) {
		const char *missing = libraries[i].resolve(library);
		if (libraries[i].optional)
			*libraries[i].optional = !missing;
		else if (missing) {
			(void)snprintf(load_reason, sizeof load_reason, "TPBENCH_CUDA_RUNTIME (%s) has no %s", path,
			               missing);
			return false;
		}
	}
	const char *(*label)(void) = NULL;
	*(void **)&label = dlsym(library, "fakecuda_label");
	*(void **)&tp_cuda.fakecuda_retire = dlsym(library, "fakecuda_retire");
	tp_cuda.stand_in = label ? label() : NULL;
	return true;
}

/* CUDA feeds all streams of a GPU through so many queues, 8 unless it is told, and streams that share one wait for each
 * other: three or four stages on a GPU have more, and what NCCL sends must never stand before what it waits for. Read
 * when CUDA starts; whoever has set it is not overruled. */
static void ask_for_queues(void)
{
	(void)setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
}

static void load(void)
{
	ask_for_queues();
	const char *path = getenv("TPBENCH_CUDA_RUNTIME");
	load_worked = path && path[0] ? load_from(path) : load_installed();
}

bool tp_cuda_load(struct tp_text *why_not)
{
	(void)pthread_once(&load_once, load);
	if (!load_worked)
		tp_text_add(why_not, "%s", load_reason);
	return load_worked;
}
