#include "engine/backend/cpu_kernel.h"

#include <string.h>

#include "engine/backend/cpu_loops.h"
#include "engine/base/memory.h"
#include "profiler/kernel_probe.h"

enum tp_status tp_cpu_kernel_alloc(size_t bytes, const struct tp_kernel_ops *ops, struct tp_cpu_device *device,
                                   const struct tp_kernel_spec *spec, void *kernel)
{
	struct tp_cpu_kernel *head = tp_alloc(bytes);
	if (!head)
		return TP_ERR_NOMEM;
	head->base.ops = ops;
	head->base.layer = spec->layer;
	head->device = device;
	head->slicing = spec->slicing;
	head->span = spec->span;
	memcpy(head->in, spec->in, sizeof head->in);
	head->sum_name = head->state_name = TP_KERNEL_UNNAMED;
	memcpy(kernel, &head, sizeof head);
	return TP_OK;
}

void tp_cpu_kernel_free(struct tp_cpu_kernel *kernel)
{
	tp_free(kernel->forward_names);
	tp_free(kernel->backward_names);
	tp_free(kernel);
}

void tp_cpu_place_param(struct tp_cpu_kernel *kernel, int32_t index, size_t bytes, bool trainable)
{
	size_t *block = trainable ? &kernel->base.params_bytes : &kernel->base.state_bytes;
	kernel->base.params[index] = (struct tp_kernel_param){*block, bytes};
	*block += tp_align_up(bytes);
}

void tp_cpu_clear_gaps(const struct tp_cpu_kernel *kernel, void *dparams)
{
	for (int32_t i = 0; i < 2; i++) { /* every layer with parameters has two */
		struct tp_kernel_param param = kernel->base.params[i];
		memset((char *)dparams + param.offset_bytes + param.bytes, 0, tp_align_up(param.bytes) - param.bytes);
	}
}

struct tp_tensor_desc tp_cpu_tensor(struct tp_shape shape, int32_t layout)
{
	return (struct tp_tensor_desc){shape, layout, sizeof(float), tp_dnnl_sample_bytes(shape, layout)};
}

void tp_cpu_import_plain(const struct tp_cpu_kernel *kernel, int32_t index, const float *plain, void *block)
{
	struct tp_kernel_param param = kernel->base.params[index];
	memcpy((char *)block + param.offset_bytes, plain, param.bytes);
}

/* Make doubles of `count` floats that lie in the upper half of the doubles' own memory. Value i is read before anything
 * at or beyond it is written. */
static void widen_in_place(double *plain, int64_t count)
{
	const char *floats = (const char *)(plain + count) - count * (int64_t)sizeof(float);
	for (int64_t i = 0; i < count; i++) {
		float value = 0.0F;
		memcpy(&value, floats + i * (int64_t)sizeof value, sizeof value);
		plain[i] = (double)value;
	}
}

void tp_cpu_export_plain(const struct tp_cpu_kernel *kernel, int32_t index, const void *block, double *plain)
{
	struct tp_kernel_param param = kernel->base.params[index];
	const float *values = (const void *)((const char *)block + param.offset_bytes);
	for (size_t i = 0; i < param.bytes / sizeof(float); i++)
		plain[i] = (double)values[i];
}

enum tp_status tp_cpu_weight_init(struct tp_cpu_weight *weight, const struct tp_layer *layer)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	struct tp_dnnl_md plain = {0};
	(void)tp_layer_params(layer, params);
	weight->bytes = tp_dnnl_md_bytes(&weight->layout);
	enum tp_status status = tp_dnnl_md_plain(&plain, params[0].rank, params[0].dims);
	if (status == TP_OK)
		status = tp_dnnl_reorder(&weight->from_plain, &plain, &weight->layout);
	if (status == TP_OK)
		status = tp_dnnl_reorder(&weight->to_plain, &weight->layout, &plain);
	tp_dnnl_md_release(&plain);
	if (status != TP_OK)
		tp_cpu_weight_release(weight);
	return status;
}

void tp_cpu_weight_release(struct tp_cpu_weight *weight)
{
	tp_dnnl_op_release(&weight->from_plain);
	tp_dnnl_op_release(&weight->to_plain);
	tp_dnnl_md_release(&weight->layout);
}

void tp_cpu_weight_import(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weight *weight, const float *plain,
                          void *block)
{
	TP_CHECK(weight->from_plain.scratch_bytes == 0);
	TP_CHECK(tp_dnnl_run(&weight->from_plain, kernel->device->stream, (const void *[]){plain, block}, NULL) ==
	         TP_OK);
}

void tp_cpu_weight_export(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weight *weight, const void *block,
                          double *plain)
{
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	(void)tp_layer_params(kernel->base.layer, params);
	int64_t count = params[0].elements;
	void *floats = (char *)(plain + count) - count * (int64_t)sizeof(float);
	TP_CHECK(weight->to_plain.scratch_bytes == 0);
	TP_CHECK(tp_dnnl_run(&weight->to_plain, kernel->device->stream, (const void *[]){block, floats}, NULL) ==
	         TP_OK);
	widen_in_place(plain, count);
}

enum tp_status tp_cpu_weighted_op_init(struct tp_cpu_weighted_op *op, enum tp_dnnl_pass pass,
                                       const struct tp_cpu_weight *weight, size_t accumulate_bytes)
{
	struct tp_dnnl_md wanted = {0};
	bool gradient = pass == TP_DNNL_BACKWARD_WEIGHTS;
	enum tp_status status = tp_dnnl_md_of(&wanted, &op->op, gradient ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS);
	if (status == TP_OK && !tp_dnnl_md_equal(&wanted, &weight->layout)) {
		op->converted_bytes = tp_align_up(tp_dnnl_md_bytes(&wanted));
		status = gradient ? tp_dnnl_reorder(&op->convert, &wanted, &weight->layout)
		                  : tp_dnnl_reorder(&op->convert, &weight->layout, &wanted);
	}
	tp_dnnl_md_release(&wanted);
	if (status != TP_OK) {
		tp_cpu_weighted_op_release(op);
		return status;
	}
	size_t library =
	        op->op.scratch_bytes > op->convert.scratch_bytes ? op->op.scratch_bytes : op->convert.scratch_bytes;
	op->scratch_bytes = op->converted_bytes + tp_align_up(accumulate_bytes) + tp_align_up(library);
	return TP_OK;
}

void tp_cpu_weighted_op_release(struct tp_cpu_weighted_op *op)
{
	tp_dnnl_op_release(&op->op);
	tp_dnnl_op_release(&op->convert);
	*op = (struct tp_cpu_weighted_op){0};
}

/* The weights as the pass wants them: the parameters', or a copy at the start of scratch. */
static enum tp_status fetch_weights(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weighted_op *op,
                                    const void *params, void *scratch, const void **weights)
{
	*weights = op->converted_bytes ? scratch : params;
	if (!op->converted_bytes)
		return TP_OK;
	return tp_dnnl_run(&op->convert, kernel->device->stream, (const void *[]){params, scratch},
	                   (char *)scratch + op->converted_bytes);
}

enum tp_status tp_cpu_weighted_forward(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weighted_op *op,
                                       const void *x, const void *params, void *y, void *scratch)
{
	const void *weights = NULL, *bias = (const char *)params + kernel->base.params[1].offset_bytes;
	TP_TRY(fetch_weights(kernel, op, params, scratch, &weights));
	return tp_dnnl_run(&op->op, kernel->device->stream, (const void *[]){x, weights, bias, y},
	                   (char *)scratch + op->converted_bytes);
}

enum tp_status tp_cpu_weighted_backward_data(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weighted_op *op,
                                             const void *dy, const void *params, void *dx, void *scratch)
{
	const void *weights = NULL;
	TP_TRY(fetch_weights(kernel, op, params, scratch, &weights));
	return tp_dnnl_run(&op->op, kernel->device->stream, (const void *[]){dy, weights, dx},
	                   (char *)scratch + op->converted_bytes);
}

enum tp_status tp_cpu_weighted_backward_weights(const struct tp_cpu_kernel *kernel, const struct tp_cpu_weighted_op *op,
                                                const void *x, const void *dy, void *dparams, bool accumulate,
                                                void *scratch)
{
	const struct tp_kernel_param *weight = &kernel->base.params[0], *bias = &kernel->base.params[1];
	char *next = scratch;
	char *converted = next;
	next += op->converted_bytes;
	char *gradient = dparams;
	if (accumulate) { /* the library overwrites */
		gradient = next;
		next += kernel->base.params_bytes;
	}
	char *target = op->converted_bytes ? converted : gradient;
	TP_TRY(tp_dnnl_run(&op->op, kernel->device->stream,
	                   (const void *[]){x, dy, target, gradient + bias->offset_bytes}, next));
	if (op->converted_bytes)
		TP_TRY(tp_dnnl_run(&op->convert, kernel->device->stream, (const void *[]){converted, gradient}, next));
	if (!accumulate) {
		tp_cpu_clear_gaps(kernel, dparams);
		return TP_OK;
	}
	int64_t start_ns = tp_kernel_begin();
	tp_cpu_add_into((const void *)gradient, dparams, weight->bytes / sizeof(float));
	tp_cpu_add_into((const void *)(gradient + bias->offset_bytes), (void *)((char *)dparams + bias->offset_bytes),
	                bias->bytes / sizeof(float));
	tp_kernel_end(start_ns, kernel->sum_name);
	return TP_OK;
}
