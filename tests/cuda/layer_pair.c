#include "tests/cuda/layer_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "engine/backend/devices.h"
#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "tests/fakecuda/fake.h"

static void must(const struct layer_pair *pair, enum tp_status status)
{
	if (status != TP_OK)
		fail_msg("%s: %s: %s", pair->layer.name, tp_status_text(status), tp_detail());
}

static void *host_buffer(size_t bytes)
{
	void *memory = tp_alloc(bytes);
	assert_non_null(memory);
	return memory;
}

/* Memory of a side, filled so that what is read before it is written shows. */
static void *side_buffer(const struct layer_pair *pair, const struct layer_side *side, size_t bytes)
{
	if (!side->ops->memory)
		return host_buffer(bytes);
	void *memory = NULL, *filling = host_buffer(bytes);
	must(pair, side->ops->memory->reserve(side->device, bytes, &memory));
	memset(filling, 0xff, bytes);
	must(pair, tp_cuda_to_device(tp_cuda_of(side->device), filling, memory, bytes));
	tp_free(filling);
	return memory;
}

static void side_free(const struct layer_side *side, void *memory)
{
	if (side->ops->memory)
		side->ops->memory->release(side->device, memory);
	else
		tp_free(memory);
}

/* Random numbers that the device's type of values can hold. */
static float *random_values(const struct layer_pair *pair, int64_t count, uint64_t key)
{
	struct tp_prng prng;
	float *values = host_buffer((size_t)count * sizeof *values);
	tp_prng_init(&prng, 11, key);
	for (int64_t i = 0; i < count; i++) {
		values[i] = (float)tp_prng_normal(&prng);
		if (pair->options.math == TP_MATH_BF16)
			values[i] = fake_from_bf16(fake_to_bf16(values[i]));
	}
	return values;
}

static void upload(const struct layer_side *side, const float *values, void *to, struct tp_shape shape, int32_t samples)
{
	side->ops->upload(side->device, values, to, shape, samples);
	if (side->ops->async)
		assert_int_equal(side->ops->async->finish(side->device, INT64_C(60000000000)), TP_OK);
}

static void set_values(const struct layer_pair *pair, struct tp_shape shape, uint64_t key, void *on_cuda,
                       void *on_reference)
{
	const int32_t samples = pair->options.slicing.batch;
	float *values = random_values(pair, samples * tp_shape_elements(shape), key);
	upload(&pair->cuda, values, on_cuda, shape, samples);
	upload(&pair->reference, values, on_reference, shape, samples);
	tp_free(values);
}

/* Parameters of order one through the layer, variances and scales away from zero. */
static void set_params(const struct layer_pair *pair)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	const int32_t count = tp_layer_params(&pair->layer, params);
	const struct layer_side *sides[] = {&pair->cuda, &pair->reference};
	for (int32_t i = 0; i < count; i++) {
		float *values = random_values(pair, params[i].elements, 50 + (uint64_t)i);
		for (int64_t k = 0; k < params[i].elements && params[i].rank > 1; k++)
			values[k] *= 0.0625F;
		for (int64_t k = 0; k < params[i].elements && pair->layer.kind == TP_LAYER_BATCHNORM; k++)
			if (params[i].role == TP_PARAM_WEIGHT || params[i].role == TP_PARAM_RUNNING_VAR)
				values[k] = 0.5F + fabsf(values[k]);
		for (size_t side = 0; side < 2; side++)
			sides[side]->kernel->ops->import_param(sides[side]->kernel, i, values,
			                                       params[i].trainable ? sides[side]->params
			                                                           : sides[side]->state);
		tp_free(values);
	}
}

static int32_t buffer_samples(const struct layer_pair *pair)
{
	const int32_t batch = pair->options.slicing.batch;
	return batch > INFERRED ? batch : INFERRED;
}

static void open_side(const struct layer_pair *pair, struct layer_side *side, struct tp_tensor_desc in)
{
	const struct layer_options *options = &pair->options;
	const struct tp_kernel_spec spec = {
	        .layer = &pair->layer,
	        .in = {in, in},
	        .slicing = options->slicing,
	        .span = options->span,
	        .accumulate = options->span != TP_SPAN_MINI,
	        .input_gradient = !options->no_input_gradient,
	        .infer_sizes = {INFERRED, 0},
	};
	const size_t samples = (size_t)buffer_samples(pair);
	const size_t slots = options->span == TP_SPAN_SLICE ? (size_t)options->slicing.count : 1;
	side->in = in;
	must(pair, side->ops->kernel_new(side->device, &spec, &side->kernel));
	const struct tp_kernel *kernel = side->kernel;
	for (int32_t i = 0; i < pair->layer.inputs; i++) {
		side->x[i] = side_buffer(pair, side, samples * in.sample_bytes);
		if (!options->no_input_gradient)
			side->dx[i] = side_buffer(pair, side, samples * in.sample_bytes);
	}
	side->y = side_buffer(pair, side, samples * kernel->out.sample_bytes);
	side->dy = side_buffer(pair, side, samples * kernel->out.sample_bytes);
	side->params = side_buffer(pair, side, kernel->params_bytes);
	side->dparams = side_buffer(pair, side, kernel->params_bytes);
	side->state = side_buffer(pair, side, kernel->state_bytes);
	side->saved = side_buffer(pair, side, kernel->saved_bytes * slots);
	side->scratch = side_buffer(pair, side, kernel->scratch_bytes);
}

/* Winograd rounds more: sums of transformed values are larger than what they cancel to. */
static double tolerance_of(const struct layer_pair *pair)
{
	static const double tolerances[TP_MATHS] = {
	        [TP_MATH_FP32] = 1e-5, [TP_MATH_TF32] = 1e-2, [TP_MATH_BF16] = 3e-2};
	const bool winograd = strstr(pair->cuda.kernel->algorithms, "winograd") != NULL;
	return winograd && pair->options.math == TP_MATH_FP32 ? 2e-4 : tolerances[pair->options.math];
}

void layer_pair_open(struct layer_pair *pair, struct tp_device *cuda, const struct tp_layer *layer,
                     const struct layer_options *options)
{
	const struct tp_device_options reference = {0};
	*pair = (struct layer_pair){.layer = *layer, .options = *options};
	pair->cuda.ops = cuda->ops;
	pair->cuda.device = cuda;
	pair->reference.ops = &tp_device_reference;
	must(pair, tp_device_reference.open(&reference, 0, &pair->reference.device));
	open_side(pair, &pair->cuda, tp_device_input(cuda->ops, layer->in_shape));
	open_side(pair, &pair->reference, tp_tensor_plain(layer->in_shape, sizeof(double)));
	pair->tolerance = tolerance_of(pair);
	for (int32_t i = 0; i < layer->inputs; i++)
		set_values(pair, layer->in_shape, (uint64_t)i, pair->cuda.x[i], pair->reference.x[i]);
	set_values(pair, layer->out_shape, 9, pair->cuda.dy, pair->reference.dy);
	set_params(pair);
}

static void close_side(const struct layer_side *side)
{
	void *const buffers[] = {side->x[0],   side->x[1],    side->dx[0], side->dx[1], side->y,      side->dy,
	                         side->params, side->dparams, side->state, side->saved, side->scratch};
	for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
		side_free(side, buffers[i]);
	side->kernel->ops->free(side->kernel);
}

void layer_pair_close(struct layer_pair *pair)
{
	must(pair, tp_cuda_failure(tp_cuda_of(pair->cuda.device)));
	close_side(&pair->cuda);
	close_side(&pair->reference);
	pair->reference.ops->close(pair->reference.device);
}

static void *at_sample(void *base, size_t sample_bytes, int32_t sample)
{
	return base ? (char *)base + sample_bytes * (size_t)sample : NULL;
}

static void *saved_of(const struct layer_pair *pair, const struct layer_side *side, int32_t slice)
{
	const bool own = pair->options.span == TP_SPAN_SLICE && slice != TP_WHOLE;
	return (char *)side->saved + side->kernel->saved_bytes * (size_t)(own ? slice : 0);
}

static struct tp_forward_args forward_args(const struct layer_pair *pair, const struct layer_side *side, int32_t slice)
{
	const int32_t first = tp_slice_first(pair->options.slicing, slice);
	return (struct tp_forward_args){
	        .slice = slice,
	        .x = {at_sample(side->x[0], side->in.sample_bytes, first),
	              at_sample(side->x[1], side->in.sample_bytes, first)},
	        .y = at_sample(side->y, side->kernel->out.sample_bytes, first),
	        .params = side->params,
	        .state = side->state,
	        .saved = saved_of(pair, side, slice),
	        .scratch = side->scratch,
	};
}

/* A layer that only names its input anew. */
static void pass_on(const struct layer_side *side, const void *from, void *to, int32_t samples)
{
	if (side->ops->copy)
		side->ops->copy(side->device, from, to, side->in.sample_bytes * (size_t)samples);
	else
		memcpy(to, from, side->in.sample_bytes * (size_t)samples);
}

void layer_forward(const struct layer_pair *pair, const struct layer_side *side, int32_t slice, bool recompute)
{
	struct tp_forward_args args = forward_args(pair, side, slice);
	args.recompute = recompute;
	if (side->kernel->aliases_input)
		pass_on(side, args.x[0], args.y, tp_slice_size(pair->options.slicing, slice));
	else
		must(pair, side->kernel->ops->forward(side->kernel, &args));
}

void layer_infer(const struct layer_pair *pair, const struct layer_side *side)
{
	struct tp_forward_args args = forward_args(pair, side, TP_WHOLE);
	args.saved = NULL;
	if (side->kernel->aliases_input)
		pass_on(side, args.x[0], args.y, INFERRED);
	else
		must(pair, side->kernel->ops->infer(side->kernel, INFERRED, &args));
}

void layer_backward(const struct layer_pair *pair, const struct layer_side *side, enum tp_backward_part part,
                    int32_t first_slice, int32_t slice_count, bool accumulate)
{
	const int32_t first = tp_slice_first(pair->options.slicing, first_slice);
	const size_t in_bytes = side->in.sample_bytes, out_bytes = side->kernel->out.sample_bytes;
	struct tp_backward_args args = {
	        .first_slice = first_slice,
	        .slice_count = slice_count,
	        .part = part,
	        .x = {at_sample(side->x[0], in_bytes, first), at_sample(side->x[1], in_bytes, first)},
	        .y = at_sample(side->y, out_bytes, first),
	        .dy = at_sample(side->dy, out_bytes, first),
	        .params = side->params,
	        .dparams = side->dparams,
	        .accumulate = accumulate,
	        .saved = saved_of(pair, side, first_slice),
	        .scratch = side->scratch,
	};
	for (int32_t i = 0; i < TP_LAYER_INPUTS && part != TP_BACKWARD_WEIGHTS; i++)
		args.dx[i] = at_sample(side->dx[i], in_bytes, first);
	if (!side->kernel->aliases_input)
		must(pair, side->kernel->ops->backward(side->kernel, &args));
	else if (args.dx[0])
		pass_on(side, args.dy, args.dx[0], tp_slices_samples(pair->options.slicing, first_slice, slice_count));
}

void *layer_bytes(const struct layer_pair *pair, const void *at, size_t bytes)
{
	void *found = host_buffer(bytes);
	must(pair, tp_cuda_to_host(tp_cuda_of(pair->cuda.device), at, found, bytes));
	return found;
}

/* Values of the device cuda in plain order, to be freed. */
static double *plain_values(const struct layer_pair *pair, struct tp_tensor_desc desc, const void *at, int32_t samples)
{
	const int64_t pixels = (int64_t)desc.shape.h * desc.shape.w, channels = desc.shape.c;
	const int64_t count = samples * tp_shape_elements(desc.shape);
	double *plain = host_buffer((size_t)count * sizeof *plain);
	void *raw = layer_bytes(pair, at, (size_t)samples * desc.sample_bytes);
	for (int64_t i = 0; i < count; i++) {
		const int64_t within = i % (channels * pixels), c = within / pixels, p = within % pixels;
		const int64_t place = desc.layout == TP_LAYOUT_PLAIN ? i : i - within + p * channels + c;
		plain[i] = desc.element_bytes == 2 ? (double)fake_from_bf16(((uint16_t *)raw)[place])
		                                   : (double)((float *)raw)[place];
	}
	tp_free(raw);
	return plain;
}

static void compare(const struct layer_pair *pair, const char *what, const double *found, const double *expected,
                    int64_t count)
{
	double largest = 0;
	for (int64_t i = 0; i < count; i++)
		largest = fmax(largest, fabs(expected[i]));
	for (int64_t i = 0; i < count; i++)
		if (!(fabs(found[i] - expected[i]) <= pair->tolerance * largest))
			fail_msg("%s (%s), micro-batches %d, span %d, %s, element %lld: expected %.9g, found %.9g "
			         "(largest %g)",
			         pair->layer.name, tp_math_names[pair->options.math], pair->options.slicing.count,
			         (int)pair->options.span, what, (long long)i, expected[i], found[i], largest);
}

void layer_compare_output(struct layer_pair *pair, const char *what, int32_t samples)
{
	const int64_t count = samples * tp_shape_elements(pair->layer.out_shape);
	double *found = plain_values(pair, pair->cuda.kernel->out, pair->cuda.y, samples);
	compare(pair, what, found, pair->reference.y, count);
	memcpy(pair->reference.y, found, (size_t)count * sizeof *found);
	tp_free(found);
}

static void compare_param(const struct layer_pair *pair, const char *what, int32_t index, int64_t count,
                          const void *found_block, const void *expected_block)
{
	double *found = host_buffer((size_t)count * sizeof *found),
	       *expected = host_buffer((size_t)count * sizeof *found);
	pair->cuda.kernel->ops->export_param(pair->cuda.kernel, index, found_block, found);
	pair->reference.kernel->ops->export_param(pair->reference.kernel, index, expected_block, expected);
	compare(pair, what, found, expected, count);
	tp_free(found);
	tp_free(expected);
}

/* An update goes over whole blocks, so what lies between tensors must be no number's bits but zero's. */
static void check_gaps(const struct layer_pair *pair)
{
	const struct tp_kernel *kernel = pair->cuda.kernel;
	unsigned char *block = layer_bytes(pair, pair->cuda.dparams, kernel->params_bytes);
	for (int32_t i = 0; i < 2; i++) {
		const struct tp_kernel_param param = kernel->params[i];
		const size_t end = param.offset_bytes + tp_align_up(param.bytes);
		for (size_t at = param.offset_bytes + param.bytes; at < end; at++)
			assert_int_equal(block[at], 0);
	}
	tp_free(block);
}

void layer_compare_gradients(struct layer_pair *pair)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	const int32_t count = tp_layer_params(&pair->layer, params), samples = pair->options.slicing.batch;
	for (int32_t i = 0; i < pair->layer.inputs && pair->cuda.dx[i]; i++) {
		double *found = plain_values(pair, pair->cuda.in, pair->cuda.dx[i], samples);
		compare(pair, "gradient of an input", found, pair->reference.dx[i],
		        samples * tp_shape_elements(pair->layer.in_shape));
		tp_free(found);
	}
	for (int32_t i = 0; i < count; i++)
		if (params[i].trainable)
			compare_param(pair, params[i].name, i, params[i].elements, pair->cuda.dparams,
			              pair->reference.dparams);
	if (count > 0)
		check_gaps(pair);
}

void layer_compare_state(struct layer_pair *pair)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	const int32_t count = tp_layer_params(&pair->layer, params);
	for (int32_t i = 0; i < count; i++)
		if (!params[i].trainable)
			compare_param(pair, params[i].name, i, params[i].elements, pair->cuda.state,
			              pair->reference.state);
}
