/* Linear layers through cuBLASLt, which counts columns first: rows of samples are its columns. With values x of
 * [samples] [in], y of [samples][out] and weights of [out][in], y' = W x', dx' = W' dy', dW' = x' dy, where the stroke
 * is what the library sees.
 *
 * Scratch of a forward: the parameters in the type of values, and the library's workspace. Of a backward: dy behind the
 * ReLU, those parameters, the parts of the bias's sums, the workspace. */
#include "engine/base/memory.h"
#include "engine/cuda/cuda_kernel.h"

enum product { FORWARD, DATA, WEIGHTS, PRODUCTS };

/* Of one batch size: the layouts of x and y, and how the products of its pass are done. */
struct linear_size {
	cublasLtMatrixLayout_t x, y;
	cublasLtMatmulHeuristicResult_t plan[PRODUCTS];
};

struct linear_pass {
	struct tp_kernel_sizes sizes;
	struct linear_size size[TP_KERNEL_SIZES];
};

struct linear_kernel {
	struct tp_cuda_kernel head;
	cublasLtMatmulDesc_t product[PRODUCTS];
	cublasLtMatrixLayout_t weights, gradient; /* alike but for the type: a gradient is float32 */
	bool fused;                               /* the product adds the bias and applies the ReLU */
	struct linear_pass forward, backward;
	size_t masked_bytes, typed_bytes, sums_bytes; /* of backward's scratch, in this order */
};

static const float zero = 0, one = 1;

/* cuBLASLt's own advice, for the GPUs that can use most. */
static const size_t most_workspace_bytes = (size_t)32 << 20;

/* What the library is told before it knows the pointer: aligned as parameters are. */
static const void *const aligned_pointer = (const void *)16;

static enum tp_status set_bias(cublasLtMatmulDesc_t product, const void *bias)
{
	return TP_CUBLAS_CHECK(cublasLtMatmulDescSetAttribute, product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
	                       sizeof bias);
}

static enum tp_status run_forward(struct linear_kernel *linear, int32_t samples, const struct tp_forward_args *args)
{
	const struct tp_cuda_kernel *head = &linear->head;
	struct tp_cuda_device *device = head->device;
	const struct linear_pass *pass = &linear->forward;
	const struct linear_size *size = &pass->size[tp_kernel_size_index(&pass->sizes, samples)];
	const cublasLtMatmulHeuristicResult_t *plan = &size->plan[FORWARD];
	const char *params = args->params;
	const void *typed = NULL;
	TP_TRY(tp_cuda_enter(device));
	TP_TRY(tp_cuda_typed_params(head, args->params, args->scratch, &typed));
	if (linear->fused)
		TP_TRY(set_bias(linear->product[FORWARD], tp_cuda_typed_param(head, typed, 1)));
	TP_TRY(TP_CUBLAS_CHECK(cublasLtMatmul, device->blas, linear->product[FORWARD], &one,
	                       tp_cuda_typed_param(head, typed, 0), linear->weights, args->x[0], size->x, &zero,
	                       args->y, size->y, args->y, size->y, &plan->algo,
	                       (char *)args->scratch + linear->typed_bytes, plan->workspaceSize, device->compute));
	if (linear->fused)
		return TP_OK;
	return tp_cuda_bias_relu(head, samples, args->y, (const void *)(params + head->base.params[1].offset_bytes),
	                         head->base.layer->relu);
}

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	return run_forward(linear, tp_slice_size(linear->head.slicing, args->slice), args);
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	return run_forward((struct linear_kernel *)kernel, samples, args);
}

static enum tp_status backward_weights(const struct linear_kernel *linear, const struct linear_size *size,
                                       const struct tp_backward_args *args, const void *dy, char *sums)
{
	const struct tp_cuda_kernel *head = &linear->head;
	const struct tp_kernel_param *at = head->base.params;
	const cublasLtMatmulHeuristicResult_t *plan = &size->plan[WEIGHTS];
	char *dparams = args->dparams, *gradient = dparams + at[0].offset_bytes;
	TP_TRY(TP_CUBLAS_CHECK(cublasLtMatmul, head->device->blas, linear->product[WEIGHTS], &one, args->x[0], size->x,
	                       dy, size->y, args->accumulate ? &one : &zero, gradient, linear->gradient, gradient,
	                       linear->gradient, &plan->algo, sums + linear->sums_bytes, plan->workspaceSize,
	                       head->device->compute));
	TP_TRY(tp_cuda_bias_gradient(head, tp_cuda_backward_samples(head, args), dy,
	                             (void *)(dparams + at[1].offset_bytes), args->accumulate, sums));
	return args->accumulate ? TP_OK : tp_cuda_clear_gaps(head, dparams);
}

static enum tp_status backward_data(const struct linear_kernel *linear, const struct linear_size *size,
                                    const struct tp_backward_args *args, const void *dy, char *typed_at)
{
	const struct tp_cuda_kernel *head = &linear->head;
	const cublasLtMatmulHeuristicResult_t *plan = &size->plan[DATA];
	const void *typed = NULL;
	TP_TRY(tp_cuda_typed_params(head, args->params, typed_at, &typed));
	return TP_CUBLAS_CHECK(
	        cublasLtMatmul, head->device->blas, linear->product[DATA], &one, tp_cuda_typed_param(head, typed, 0),
	        linear->weights, dy, size->y, &zero, args->dx[0], size->x, args->dx[0], size->x, &plan->algo,
	        typed_at + linear->typed_bytes + linear->sums_bytes, plan->workspaceSize, head->device->compute);
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	const struct tp_cuda_kernel *head = &linear->head;
	const struct linear_pass *pass = &linear->backward;
	const int32_t i = tp_kernel_size_index(&pass->sizes, tp_cuda_backward_samples(head, args));
	char *typed_at = (char *)args->scratch + linear->masked_bytes;
	const void *dy = args->dy;
	TP_TRY(tp_cuda_enter(head->device));
	if (linear->masked_bytes) {
		TP_TRY(tp_cuda_mask_gradient(head, args, args->scratch));
		dy = args->scratch;
	}
	if (args->part != TP_BACKWARD_INPUT)
		TP_TRY(backward_weights(linear, &pass->size[i], args, dy, typed_at + linear->typed_bytes));
	if (args->part == TP_BACKWARD_WEIGHTS || !args->dx[0])
		return TP_OK;
	return backward_data(linear, &pass->size[i], args, dy, typed_at);
}

static void release_pass(struct linear_pass *pass)
{
	for (int32_t i = 0; i < pass->sizes.count; i++) {
		if (pass->size[i].x)
			(void)tp_cuda.cublasLtMatrixLayoutDestroy(pass->size[i].x);
		if (pass->size[i].y)
			(void)tp_cuda.cublasLtMatrixLayoutDestroy(pass->size[i].y);
	}
}

static void free_kernel(struct tp_kernel *kernel)
{
	struct linear_kernel *linear = (struct linear_kernel *)kernel;
	release_pass(&linear->forward);
	release_pass(&linear->backward);
	for (int product = 0; product < PRODUCTS; product++)
		if (linear->product[product])
			(void)tp_cuda.cublasLtMatmulDescDestroy(linear->product[product]);
	if (linear->weights)
		(void)tp_cuda.cublasLtMatrixLayoutDestroy(linear->weights);
	if (linear->gradient)
		(void)tp_cuda.cublasLtMatrixLayoutDestroy(linear->gradient);
	tp_free(linear);
}

static const struct tp_kernel_ops linear_ops = {forward,    infer, backward, tp_cuda_import_plain, tp_cuda_export_plain,
                                                free_kernel};

static cudaDataType_t data_type(const struct linear_kernel *linear)
{
	return linear->head.device->type == TPB_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* Rows of a matrix as the library's columns, without gaps. */
static enum tp_status describe_matrix(cudaDataType_t type, int32_t rows, int32_t columns,
                                      cublasLtMatrixLayout_t *layout)
{
	return TP_CUBLAS_CHECK(cublasLtMatrixLayoutCreate, layout, type, (uint64_t)columns, (uint64_t)rows, columns);
}

static enum tp_status describe_pass(const struct linear_kernel *linear, struct tp_kernel_sizes sizes,
                                    struct linear_pass *pass)
{
	const struct tp_layer *layer = linear->head.base.layer;
	pass->sizes = sizes;
	for (int32_t i = 0; i < sizes.count; i++) {
		TP_TRY(describe_matrix(data_type(linear), sizes.samples[i], layer->in_shape.c, &pass->size[i].x));
		TP_TRY(describe_matrix(data_type(linear), sizes.samples[i], layer->out_shape.c, &pass->size[i].y));
	}
	return TP_OK;
}

static enum tp_status describe_product(struct linear_kernel *linear, enum product product)
{
	const bool tf32 = linear->head.device->math == TP_MATH_TF32;
	const cublasComputeType_t compute = tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
	const cublasOperation_t transposed = CUBLAS_OP_T;
	cublasLtMatmulDesc_t *desc = &linear->product[product];
	TP_TRY(TP_CUBLAS_CHECK(cublasLtMatmulDescCreate, desc, compute, CUDA_R_32F));
	if (product == FORWARD)
		TP_TRY(TP_CUBLAS_CHECK(cublasLtMatmulDescSetAttribute, *desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
		                       sizeof transposed));
	if (product == WEIGHTS)
		TP_TRY(TP_CUBLAS_CHECK(cublasLtMatmulDescSetAttribute, *desc, CUBLASLT_MATMUL_DESC_TRANSB, &transposed,
		                       sizeof transposed));
	return TP_OK;
}

static enum tp_status fuse(struct linear_kernel *linear, bool fused)
{
	cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
	if (fused)
		epilogue = linear->head.base.layer->relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
	linear->fused = fused;
	TP_TRY(set_bias(linear->product[FORWARD], fused ? aligned_pointer : NULL));
	return TP_CUBLAS_CHECK(cublasLtMatmulDescSetAttribute, linear->product[FORWARD], CUBLASLT_MATMUL_DESC_EPILOGUE,
	                       &epilogue, sizeof epilogue);
}

/* The largest power of two, at most 16, that every slice's first sample is aligned to. */
static uint32_t alignment_of(const struct linear_kernel *linear, int32_t features)
{
	const uint32_t bytes = (uint32_t)features * (uint32_t)linear->head.base.out.element_bytes;
	const uint32_t lowest = bytes & (~bytes + 1);
	return linear->head.slicing.count == 1 || lowest > 16 ? 16 : lowest;
}

static enum tp_status prefer(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
                             uint32_t value)
{
	return TP_CUBLAS_CHECK(cublasLtMatmulPreferenceSetAttribute, preference, attribute, &value, sizeof value);
}

/* Workspace within the limit, and pointers that are aligned no better than slices are. */
static enum tp_status set_preference(const struct linear_kernel *linear, enum product product,
                                     cublasLtMatmulPreference_t preference)
{
	const struct tp_layer *layer = linear->head.base.layer;
	const uint32_t x = alignment_of(linear, layer->in_shape.c), y = alignment_of(linear, layer->out_shape.c);
	const uint32_t aligned[PRODUCTS][3] = {[FORWARD] = {16, x, y}, [DATA] = {16, y, x}, [WEIGHTS] = {x, y, 16}};
	const int64_t limit = linear->head.device->workspace_limit_bytes;
	size_t bytes = most_workspace_bytes;
	if (limit > 0 && (size_t)limit < bytes)
		bytes = (size_t)limit;
	TP_TRY(TP_CUBLAS_CHECK(cublasLtMatmulPreferenceSetAttribute, preference,
	                       CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes));
	TP_TRY(prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, aligned[product][0]));
	TP_TRY(prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, aligned[product][1]));
	TP_TRY(prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, aligned[product][2]));
	return prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, aligned[product][2]);
}

/* One product for one size. TP_ERR_UNSUPPORTED when the library has none such. */
static enum tp_status plan_size(struct linear_kernel *linear, enum product product, struct linear_size *size,
                                cublasLtMatmulPreference_t preference)
{
	const cublasLtMatrixLayout_t matrices[PRODUCTS][3] = {
	        [FORWARD] = {linear->weights, size->x, size->y},
	        [DATA] = {linear->weights, size->y, size->x},
	        [WEIGHTS] = {size->x, size->y, linear->gradient},
	};
	const cublasLtMatrixLayout_t *of = matrices[product];
	cublasLtMatmulHeuristicResult_t *plan = &size->plan[product];
	int found = 0;
	const cublasStatus_t status =
	        tp_cuda.cublasLtMatmulAlgoGetHeuristic(linear->head.device->blas, linear->product[product], of[0],
	                                               of[1], of[2], of[2], preference, 1, plan, &found);
	if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && found == 0))
		return tp_fail(TP_ERR_UNSUPPORTED, "cuBLASLt offers no product of these matrices");
	return tp_cublas_status(status, "cublasLtMatmulAlgoGetHeuristic", __FILE__, __LINE__);
}

/* The product for all sizes of its pass. */
static enum tp_status plan_product(struct linear_kernel *linear, enum product product)
{
	struct linear_pass *pass = product == FORWARD ? &linear->forward : &linear->backward;
	cublasLtMatmulPreference_t preference = NULL;
	TP_TRY(TP_CUBLAS_CHECK(cublasLtMatmulPreferenceCreate, &preference));
	enum tp_status status = set_preference(linear, product, preference);
	for (int32_t i = 0; i < pass->sizes.count && status == TP_OK; i++)
		status = plan_size(linear, product, &pass->size[i], preference);
	(void)tp_cuda.cublasLtMatmulPreferenceDestroy(preference);
	return status;
}

/* The forward with bias and ReLU in the product, where the library has that for every size, else without. */
static enum tp_status plan_forward(struct linear_kernel *linear)
{
	TP_TRY(fuse(linear, true));
	enum tp_status status = plan_product(linear, FORWARD);
	if (status != TP_ERR_UNSUPPORTED)
		return status;
	TP_TRY(fuse(linear, false));
	return plan_product(linear, FORWARD);
}

static size_t largest_workspace(const struct linear_pass *pass)
{
	size_t bytes = 0;
	for (int32_t i = 0; i < pass->sizes.count; i++)
		for (int product = 0; product < PRODUCTS; product++)
			if (pass->size[i].plan[product].workspaceSize > bytes)
				bytes = pass->size[i].plan[product].workspaceSize;
	return bytes;
}

static enum tp_status build(struct linear_kernel *linear, const struct tp_kernel_spec *spec)
{
	struct tp_cuda_kernel *head = &linear->head;
	const int32_t in = spec->layer->in_shape.c, out = spec->layer->out_shape.c;
	const struct tp_kernel_sizes backward_sizes = tp_kernel_backward_sizes(spec);
	head->base.out = tp_cuda_tensor(head->device, spec->layer->out_shape);
	tp_cuda_place_param(head, 0, sizeof(float) * (size_t)in * (size_t)out, true);
	tp_cuda_place_param(head, 1, sizeof(float) * (size_t)out, true);
	TP_TRY(describe_matrix(data_type(linear), out, in, &linear->weights));
	TP_TRY(describe_matrix(CUDA_R_32F, out, in, &linear->gradient));
	TP_TRY(describe_pass(linear, tp_kernel_forward_sizes(spec), &linear->forward));
	TP_TRY(describe_pass(linear, backward_sizes, &linear->backward));
	for (int product = 0; product < PRODUCTS; product++)
		TP_TRY(describe_product(linear, (enum product)product));
	TP_TRY(plan_forward(linear));
	TP_TRY(plan_product(linear, WEIGHTS));
	if (spec->input_gradient)
		TP_TRY(plan_product(linear, DATA));
	if (spec->layer->relu)
		linear->masked_bytes = tp_align_up(head->base.out.sample_bytes * (size_t)backward_sizes.samples[0]);
	linear->typed_bytes = tp_cuda_typed_params_bytes(head);
	linear->sums_bytes = tp_cuda_bias_gradient_bytes(head, backward_sizes.samples[0]);
	tp_cuda_need_scratch(head, linear->typed_bytes + largest_workspace(&linear->forward));
	tp_cuda_need_scratch(head, linear->masked_bytes + linear->typed_bytes + linear->sums_bytes +
	                                   largest_workspace(&linear->backward));
	return TP_OK;
}

enum tp_status tp_cuda_linear_new(struct tp_device *device, const struct tp_kernel_spec *spec,
                                  struct tp_kernel **kernel)
{
	struct linear_kernel *linear = NULL;
	const struct tp_shape in = spec->in[0].shape;
	if (in.h != 1 || in.w != 1)
		return tp_fail(TP_ERR_UNSUPPORTED,
		               "expected a vector as input, found %dx%dx%d: put a flatten layer before it", in.c, in.h,
		               in.w);
	TP_TRY(tp_cuda_kernel_alloc(sizeof *linear, &linear_ops, device, spec, &linear));
	enum tp_status status = build(linear, spec);
	if (status != TP_OK) {
		free_kernel(&linear->head.base);
		return status;
	}
	*kernel = &linear->head.base;
	return TP_OK;
}
