/* Modules of kernels: whatever is loaded, its kernels are the host functions of the same names. */
#include "tests/fakecuda/fake_inside.h"

#include <stdlib.h>
#include <string.h>

struct CUlib_st {
	int device;
};

/* A kernel's handle is its row of the table. */
struct CUkern_st {
	struct fake_kernel row;
};

static const struct fake_kernel *more_kernels;

void fakecuda_kernels(const struct fake_kernel *more)
{
	struct fake_call call;
	(void)fake_enter_plain(&call, __func__);
	more_kernels = more;
	(void)fake_leave(&call, cudaSuccess);
}

static const struct fake_kernel *kernel_in(const struct fake_kernel *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

FAKE_EXPORT cudaError_t cudaLibraryLoadData(cudaLibrary_t *library, const void *code, enum cudaJitOption *jit_options,
                                            void **jit_values, unsigned int jit_count, enum cudaLibraryOption *options,
                                            void **values, unsigned int count)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	(void)jit_options, (void)jit_values, (void)jit_count, (void)options, (void)values, (void)count;
	if (!error && (!library || !code))
		error = cudaErrorInvalidValue;
	if (!error) {
		*library = fake_alloc(sizeof **library);
		(*library)->device = *fake_device();
	}
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaLibraryUnload(cudaLibrary_t library)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error || error == fake.lost)
		free(library);
	return fake_leave(&call, error);
}

FAKE_EXPORT cudaError_t cudaLibraryGetKernel(cudaKernel_t *kernel, cudaLibrary_t library, const char *name)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && (!kernel || !library || !name))
		error = cudaErrorInvalidValue;
	if (error)
		return fake_leave(&call, error);
	const struct fake_kernel *row = kernel_in(more_kernels, name);
	row = row ? row : kernel_in(fake_kernels, name);
	union {
		const struct fake_kernel *row;
		cudaKernel_t kernel;
	} handle = {row};
	*kernel = handle.kernel;
	return fake_leave(&call, row ? cudaSuccess : cudaErrorSymbolNotFound);
}

FAKE_EXPORT cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	if (!error && (!attributes || !function))
		error = cudaErrorInvalidDeviceFunction;
	if (!error)
		*attributes = (struct cudaFuncAttributes){.maxThreadsPerBlock = 1024, .numRegs = 32};
	return fake_leave(&call, error);
}

static bool fits_gpu(dim3 grid, dim3 block)
{
	uint64_t threads = (uint64_t)block.x * block.y * block.z;
	return grid.x > 0 && grid.y > 0 && grid.z > 0 && threads > 0 && threads <= 1024 && grid.x <= 0x7fffffff &&
	       grid.y <= 65535 && grid.z <= 65535 && block.z <= 64;
}

FAKE_EXPORT cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **args, size_t shared_bytes,
                                         cudaStream_t stream)
{
	struct fake_call call;
	cudaError_t error = fake_enter(&call, __func__);
	const struct fake_kernel *row = function;
	struct CUstream_st *own = error ? NULL : fake_stream(stream);
	if (!error && (!own || own->device != *fake_device()))
		error = cudaErrorInvalidResourceHandle;
	if (!error && !row)
		error = cudaErrorInvalidDeviceFunction;
	if (!error && (!fits_gpu(grid, block) || shared_bytes > 227 * 1024))
		error = cudaErrorInvalidConfiguration;
	if (error)
		return fake_leave(&call, error);
	struct fake_operation *operation = fake_operation_new(own, FAKE_KERNEL, row->name, args[0], row->args_bytes);
	operation->grid = grid;
	operation->block = block;
	operation->run = row->run;
	row->touches(operation->args, &operation->touches);
	fake_issue(operation);
	return fake_leave(&call, cudaSuccess);
}
