/* What the program finds in the plugin, and whether a GPU can be used here. */
#include "engine/backend/plugin.h"
#include "engine/cuda/cuda_devices.h"

const char *tp_cuda_stand_in(void)
{
	struct tp_text ignored = {0};
	const bool loaded = tp_cuda_load(&ignored);
	tp_text_release(&ignored);
	return loaded ? tp_cuda.stand_in : NULL;
}

/* "13.0": as CUDA packs its versions. */
static void add_version(struct tp_text *line, const char *what, int version)
{
	tp_text_add(line, "%s %d.%d", what, version / 1000, version % 1000 / 10);
}

/* Is there a driver, new enough, with a GPU? */
static bool has_gpu(struct tp_text *line)
{
	int driver = 0, runtime = 0, count = 0;
	if (tp_cuda.cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
		tp_text_add(line, "no NVIDIA driver (libcuda.so.1) on this machine");
		return false;
	}
	(void)tp_cuda.cudaRuntimeGetVersion(&runtime);
	const cudaError_t error = tp_cuda.cudaGetDeviceCount(&count);
	switch (error) {
	case cudaSuccess:
		if (count == 0)
			tp_text_add(line, "no GPU that CUDA can use");
		return count > 0;
	case cudaErrorInsufficientDriver:
		add_version(line, "the driver is too old: it is for CUDA", driver);
		add_version(line, ", the runtime is", runtime);
		break;
	case cudaErrorStubLibrary:
		tp_text_add(line, "the libcuda.so that was found is the toolkit's stub, not a driver's");
		break;
	case cudaErrorNoDevice:
		tp_text_add(line, "no GPU that CUDA can use");
		break;
	default:
		tp_text_add(line, "no GPU: %s (%d): %s", tp_cuda.cudaGetErrorName(error), (int)error,
		            tp_cuda.cudaGetErrorString(error));
	}
	return false;
}

static void add_gpus(struct tp_text *line)
{
	int count = 0;
	(void)tp_cuda.cudaGetDeviceCount(&count);
	for (int gpu = 0; gpu < count; gpu++) {
		struct cudaDeviceProp properties;
		char memory[32];
		if (tp_cuda.cudaGetDeviceProperties(&properties, gpu) != cudaSuccess)
			continue;
		tp_text_add(line, "%s%s (%s, compute capability %d.%d)", gpu ? ", " : "", properties.name,
		            tp_format_bytes(memory, sizeof memory, (int64_t)properties.totalGlobalMem),
		            properties.major, properties.minor);
	}
}

static void add_versions(struct tp_text *line)
{
	int driver = 0, runtime = 0, nccl = 0;
	uint32_t cupti = 0;
	(void)tp_cuda.cudaDriverGetVersion(&driver);
	(void)tp_cuda.cudaRuntimeGetVersion(&runtime);
	add_version(line, "; driver for CUDA", driver);
	add_version(line, ", runtime", runtime);
	const size_t dnn = tp_cuda.cudnnGetVersion(), blas = tp_cuda.cublasLtGetVersion();
	tp_text_add(line, ", cuDNN %zu.%zu.%zu", dnn / 10000, dnn / 100 % 100, dnn % 100);
	tp_text_add(line, ", cuBLASLt %zu.%zu.%zu", blas / 10000, blas / 100 % 100, blas % 100);
	if (tp_cuda.has_nccl && tp_cuda.ncclGetVersion(&nccl) == ncclSuccess)
		tp_text_add(line, ", NCCL %d.%d.%d", nccl / 10000, nccl / 100 % 100, nccl % 100);
	else
		tp_text_add(line, ", no NCCL");
	if (tp_cuda.has_cupti && tp_cuda.cuptiGetVersion(&cupti) == CUPTI_SUCCESS)
		tp_text_add(line, ", CUPTI %u", cupti);
	else
		tp_text_add(line, ", no CUPTI");
}

bool tp_cuda_probe(struct tp_text *line)
{
	if (!tp_cuda_load(line) || !has_gpu(line))
		return false;
	add_gpus(line);
	add_versions(line);
	return true;
}

static const struct tp_device_ops *device(enum tp_math math)
{
	return math == TP_MATH_BF16 ? &tp_cuda_device_bf16 : &tp_cuda_device_f32;
}

__attribute__((visibility("default"))) const struct tp_plugin *tp_plugin(void);

const struct tp_plugin *tp_plugin(void)
{
	static const struct tp_plugin plugin = {
	        .version = TP_PLUGIN_VERSION, .stand_in = tp_cuda_stand_in, .probe = tp_cuda_probe, .device = device};
	return &plugin;
}
