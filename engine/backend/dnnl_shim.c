#include "engine/backend/dnnl_shim.h"

#include <dnnl_debug.h>
#include <pthread.h>
#include <stdio.h>

#include "profiler/kernel_probe.h"

static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static dnnl_engine_t engine;
static dnnl_status_t engine_status;

static void create_engine(void)
{
	engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0);
}

/* The status of a call, as ours. `what`: what was to be done, for the message. */
static enum tp_status check(dnnl_status_t status, const char *what)
{
	switch (status) {
	case dnnl_success:
		return TP_OK;
	case dnnl_out_of_memory:
		return tp_fail(TP_ERR_NOMEM, "oneDNN: %s: out of memory", what);
	case dnnl_unimplemented:
		return tp_fail(TP_ERR_UNSUPPORTED, "oneDNN: %s: not implemented by this version on this processor",
		               what);
	default:
		return tp_fail(TP_ERR_DEVICE, "oneDNN: %s: status %d", what, (int)status);
	}
}

static enum tp_status need_engine(void)
{
	(void)pthread_once(&engine_once, create_engine);
	return check(engine_status, "create the CPU engine");
}

enum tp_status tp_dnnl_stream_new(dnnl_stream_t *stream)
{
	TP_TRY(need_engine());
	return check(dnnl_stream_create(stream, engine, dnnl_stream_default_flags), "create a stream");
}

void tp_dnnl_stream_free(dnnl_stream_t stream)
{
	(void)dnnl_stream_destroy(stream);
}

/* Descriptors. */

static const struct {
	int32_t layout;
	dnnl_format_tag_t tag;
} layout_tags[] = {
        {TP_LAYOUT_PLAIN, dnnl_nchw},
        {16, dnnl_nChw16c},
        {8, dnnl_nChw8c},
        {4, dnnl_nChw4c},
        {TP_DNNL_LAYOUT_CHANNELS_LAST, dnnl_nhwc},
        {TP_DNNL_LAYOUT_ANY, dnnl_format_tag_any},
};

#define LAYOUTS (sizeof layout_tags / sizeof layout_tags[0])

size_t tp_dnnl_sample_bytes(struct tp_shape shape, int32_t layout)
{
	if (layout > TP_DNNL_LAYOUT_CHANNELS_LAST)
		shape.c = (shape.c + layout - 1) / layout * layout;
	return (size_t)tp_shape_elements(shape) * sizeof(float);
}

static dnnl_status_t init_values(struct tp_dnnl_md *md, struct tp_dnnl_values values)
{
	const dnnl_dims_t dims = {values.samples, values.shape.c, values.shape.h, values.shape.w};
	for (size_t i = 0; i < LAYOUTS; i++)
		if (layout_tags[i].layout == values.layout)
			return tp_dnnl_md_init(md, 4, dims, layout_tags[i].tag);
	return dnnl_invalid_arguments;
}

enum tp_status tp_dnnl_md_values(struct tp_dnnl_md *md, struct tp_dnnl_values values)
{
	return check(init_values(md, values), "describe values");
}

enum tp_status tp_dnnl_md_plain(struct tp_dnnl_md *md, int32_t rank, const int64_t *dims)
{
	static const dnnl_format_tag_t tags[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd};
	dnnl_dims_t copy = {0};
	for (int32_t i = 0; i < rank; i++)
		copy[i] = dims[i];
	return check(tp_dnnl_md_init(md, rank, copy, tags[rank]), "describe a plain tensor");
}

enum tp_status tp_dnnl_md_blocked_weights(struct tp_dnnl_md *md, const struct tp_layer *layer)
{
	const dnnl_dims_t dims = {layer->out_shape.c, layer->in_shape.c, layer->kernel, layer->kernel};
	return check(tp_dnnl_md_init(md, 4, dims, dnnl_OIhw16i16o), "describe weights");
}

bool tp_dnnl_md_equal(const struct tp_dnnl_md *a, const struct tp_dnnl_md *b)
{
	return dnnl_memory_desc_equal(tp_dnnl_md_get(a), tp_dnnl_md_get(b)) != 0;
}

size_t tp_dnnl_md_bytes(const struct tp_dnnl_md *md)
{
	return dnnl_memory_desc_get_size(tp_dnnl_md_get(md));
}

static tp_dnnl_md_ref arg_md(const struct tp_dnnl_op *op, int arg)
{
	return dnnl_primitive_desc_query_md(op->pd, dnnl_query_exec_arg_md, arg);
}

size_t tp_dnnl_arg_bytes(const struct tp_dnnl_op *op, int arg)
{
	tp_dnnl_md_ref md = arg_md(op, arg);
	return md ? dnnl_memory_desc_get_size(md) : 0;
}

enum tp_status tp_dnnl_md_of(struct tp_dnnl_md *md, const struct tp_dnnl_op *op, int arg)
{
	return check(tp_dnnl_md_copy(md, arg_md(op, arg)), "copy a descriptor");
}

enum tp_status tp_dnnl_arg_layout(const struct tp_dnnl_op *op, int arg, struct tp_dnnl_values *values)
{
	for (size_t i = 0; i < LAYOUTS && layout_tags[i].layout != TP_DNNL_LAYOUT_ANY; i++) {
		struct tp_dnnl_md candidate = {0};
		values->layout = layout_tags[i].layout;
		TP_TRY(tp_dnnl_md_values(&candidate, *values));
		bool same = dnnl_memory_desc_equal(tp_dnnl_md_get(&candidate), arg_md(op, arg)) != 0;
		tp_dnnl_md_release(&candidate);
		if (same)
			return TP_OK;
	}
	return tp_fail(TP_ERR_UNSUPPORTED, "oneDNN chose a layout of activations that is not known here");
}

/* Operations. */

void tp_dnnl_op_release(struct tp_dnnl_op *op)
{
	for (int32_t i = 0; i < op->arg_count; i++)
		(void)dnnl_memory_destroy(op->args[i].memory);
	if (op->primitive)
		(void)dnnl_primitive_destroy(op->primitive);
	if (op->pd)
		(void)dnnl_primitive_desc_destroy(op->pd);
	*op = (struct tp_dnnl_op){0};
}

static dnnl_status_t add_arg(struct tp_dnnl_op *op, int arg, int32_t pointer)
{
	if (tp_dnnl_arg_bytes(op, arg) == 0)
		return dnnl_success; /* this operation has no such argument */
	dnnl_exec_arg_t *slot = &op->args[op->arg_count];
	dnnl_status_t status = dnnl_memory_create(&slot->memory, arg_md(op, arg), engine, DNNL_MEMORY_NONE);
	if (status != dnnl_success)
		return status;
	slot->arg = arg;
	op->pointer_of[op->arg_count++] = pointer;
	return dnnl_success;
}

/* Turn op->pd, if `status` says it was made, into a primitive with its arguments: pointer i goes to args[i]; an
 * argument 0 stands for a pointer that this version of the library does not take. */
static enum tp_status finish(struct tp_dnnl_op *op, dnnl_status_t status, const char *what, const int *args,
                             int32_t count)
{
	if (status == dnnl_success)
		status = dnnl_primitive_create(&op->primitive, op->pd);
	for (int32_t i = 0; i < count && status == dnnl_success; i++)
		if (args[i])
			status = add_arg(op, args[i], i);
	if (status == dnnl_success)
		status = add_arg(op, DNNL_ARG_SCRATCHPAD, -1);
	if (status != dnnl_success) {
		tp_dnnl_op_release(op);
		return check(status, what);
	}
	op->scratch_bytes = tp_dnnl_arg_bytes(op, DNNL_ARG_SCRATCHPAD);
	op->name = TP_KERNEL_UNNAMED;
	return TP_OK;
}

#define FINISH(op, status, what, args) finish(op, status, what, args, (int32_t)(sizeof(args) / sizeof((args)[0])))

enum tp_status tp_dnnl_run(const struct tp_dnnl_op *op, dnnl_stream_t stream, const void *const *pointers,
                           void *scratch)
{
	int64_t start_ns = tp_kernel_begin();
	for (int32_t i = 0; i < op->arg_count; i++) {
		const void *from = op->pointer_of[i] < 0 ? scratch : pointers[op->pointer_of[i]];
		/* the library's handles are not const, whatever the argument */
		(void)dnnl_memory_set_data_handle(op->args[i].memory, (void *)(uintptr_t)from);
	}
	dnnl_status_t status = dnnl_primitive_execute(op->primitive, stream, op->arg_count, op->args);
	tp_kernel_end(start_ns, op->name);
	return check(status, "run an operation");
}

void tp_dnnl_op_describe(const struct tp_dnnl_op *op, struct tp_kernel_name *name)
{
	dnnl_primitive_kind_t kind = dnnl_undefined_primitive;
	const char *implementation = NULL;
	(void)dnnl_primitive_desc_query(op->pd, dnnl_query_primitive_kind, 0, &kind);
	(void)dnnl_primitive_desc_query(op->pd, dnnl_query_impl_info_str, 0, &implementation);
	(void)snprintf(name->name, sizeof name->name, "%s", dnnl_prim_kind2str(kind));
	(void)snprintf(name->implementation, sizeof name->implementation, "%s", implementation ? implementation : "");
	name->moved_bytes = 0;
	for (int32_t i = 0; i < op->arg_count; i++)
		if (op->args[i].arg != DNNL_ARG_SCRATCHPAD)
			name->moved_bytes += (int64_t)tp_dnnl_arg_bytes(op, op->args[i].arg);
}

/* Attributes of all operations: working memory is ours; `relu` appends one to a forward. */
static dnnl_status_t make_attr(dnnl_primitive_attr_t *attr, bool relu)
{
	dnnl_post_ops_t post_ops = NULL;
	dnnl_status_t status = dnnl_primitive_attr_create(attr);
	if (status != dnnl_success)
		return status;
	status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
	if (!relu || status != dnnl_success)
		return status;
	status = dnnl_post_ops_create(&post_ops);
	if (status == dnnl_success)
		status = tp_dnnl_append_relu(post_ops);
	if (status == dnnl_success)
		status = dnnl_primitive_attr_set_post_ops(*attr, post_ops);
	if (post_ops)
		(void)dnnl_post_ops_destroy(post_ops);
	return status;
}

static void free_attr(dnnl_primitive_attr_t attr)
{
	if (attr)
		(void)dnnl_primitive_attr_destroy(attr);
}

/* Pointers of operations with weights, in the order the header promises. */
static const int forward_args[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST};
static const int backward_data_args[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC};
static const int backward_weights_args[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_BIAS};

static enum tp_status finish_pass(struct tp_dnnl_op *op, enum tp_dnnl_pass pass, dnnl_status_t status, const char *what)
{
	if (pass == TP_DNNL_FORWARD)
		return FINISH(op, status, what, forward_args);
	if (pass == TP_DNNL_BACKWARD_DATA)
		return FINISH(op, status, what, backward_data_args);
	return FINISH(op, status, what, backward_weights_args);
}

typedef dnnl_status_t forward_pd_fn(dnnl_primitive_desc_t *, dnnl_engine_t, dnnl_primitive_attr_t,
                                    const struct tp_dnnl_conv_desc *);
typedef dnnl_status_t backward_pd_fn(dnnl_primitive_desc_t *, dnnl_engine_t, dnnl_primitive_attr_t,
                                     const struct tp_dnnl_conv_desc *, dnnl_primitive_desc_t);

/* The descriptor of one pass over weights; backwards get their forward as a hint. */
static dnnl_status_t make_pass_pd(dnnl_primitive_desc_t *pd, enum tp_dnnl_pass pass, bool relu,
                                  const struct tp_dnnl_conv_desc *desc, forward_pd_fn *forward,
                                  backward_pd_fn *const backward[TP_DNNL_PASSES])
{
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t hint = NULL;
	dnnl_status_t status = make_attr(&attr, relu && pass == TP_DNNL_FORWARD);
	if (status != dnnl_success) {
		free_attr(attr);
		return status;
	}
	if (pass == TP_DNNL_FORWARD) {
		status = forward(pd, engine, attr, desc);
	} else {
		status = forward(&hint, engine, attr, desc);
		if (status == dnnl_success)
			status = backward[pass](pd, engine, attr, desc, hint);
		if (hint)
			(void)dnnl_primitive_desc_destroy(hint);
	}
	free_attr(attr);
	return status;
}

enum tp_status tp_dnnl_conv(struct tp_dnnl_op *op, enum tp_dnnl_pass pass, const struct tp_dnnl_conv *conv)
{
	static backward_pd_fn *const backward[TP_DNNL_PASSES] = {
	        [TP_DNNL_BACKWARD_DATA] = tp_dnnl_conv_backward_data_pd,
	        [TP_DNNL_BACKWARD_WEIGHTS] = tp_dnnl_conv_backward_weights_pd,
	};
	const struct tp_layer *layer = conv->layer;
	const dnnl_dims_t weight_dims = {layer->out_shape.c, layer->in_shape.c, layer->kernel, layer->kernel};
	const dnnl_dims_t bias_dims = {layer->out_shape.c};
	struct tp_dnnl_md src = {0}, weights = {0}, bias = {0}, dst = {0};

	*op = (struct tp_dnnl_op){0};
	TP_TRY(need_engine());
	dnnl_status_t status =
	        init_values(&src, (struct tp_dnnl_values){conv->samples, layer->in_shape, conv->in_layout});
	if (status == dnnl_success)
		status = init_values(&dst, (struct tp_dnnl_values){conv->samples, layer->out_shape, conv->out_layout});
	if (status == dnnl_success)
		status = tp_dnnl_md_init(&weights, 4, weight_dims, dnnl_format_tag_any);
	if (status == dnnl_success)
		status = tp_dnnl_md_init(&bias, 1, bias_dims, dnnl_x);
	if (status == dnnl_success) {
		const struct tp_dnnl_conv_desc desc = {
		        .algorithm = conv->winograd ? dnnl_convolution_winograd : dnnl_convolution_direct,
		        .src = tp_dnnl_md_get(&src),
		        .weights = tp_dnnl_md_get(&weights),
		        .bias = tp_dnnl_md_get(&bias),
		        .dst = tp_dnnl_md_get(&dst),
		        .strides = {layer->stride, layer->stride},
		        .padding = {layer->padding, layer->padding},
		};
		status = make_pass_pd(&op->pd, pass, layer->relu, &desc, tp_dnnl_conv_forward_pd, backward);
	}
	tp_dnnl_md_release(&src);
	tp_dnnl_md_release(&weights);
	tp_dnnl_md_release(&bias);
	tp_dnnl_md_release(&dst);
	return finish_pass(op, pass, status, "build a convolution");
}

enum tp_status tp_dnnl_linear(struct tp_dnnl_op *op, enum tp_dnnl_pass pass, const struct tp_layer *layer,
                              int32_t samples, const struct tp_dnnl_md *weights)
{
	static backward_pd_fn *const backward[TP_DNNL_PASSES] = {
	        [TP_DNNL_BACKWARD_DATA] = tp_dnnl_linear_backward_data_pd,
	        [TP_DNNL_BACKWARD_WEIGHTS] = tp_dnnl_linear_backward_weights_pd,
	};
	const dnnl_dims_t src_dims = {samples, layer->in_shape.c}, dst_dims = {samples, layer->out_shape.c};
	const dnnl_dims_t weight_dims = {layer->out_shape.c, layer->in_shape.c}, bias_dims = {layer->out_shape.c};
	struct tp_dnnl_md src = {0}, any = {0}, bias = {0}, dst = {0};

	*op = (struct tp_dnnl_op){0};
	TP_TRY(need_engine());
	dnnl_status_t status = tp_dnnl_md_init(&src, 2, src_dims, dnnl_ab);
	if (status == dnnl_success)
		status = tp_dnnl_md_init(&dst, 2, dst_dims, dnnl_ab);
	if (status == dnnl_success)
		status = tp_dnnl_md_init(&any, 2, weight_dims, dnnl_format_tag_any);
	if (status == dnnl_success)
		status = tp_dnnl_md_init(&bias, 1, bias_dims, dnnl_x);
	if (status == dnnl_success) {
		const struct tp_dnnl_conv_desc desc = {
		        .src = tp_dnnl_md_get(&src),
		        .weights = tp_dnnl_md_get(weights ? weights : &any),
		        .bias = tp_dnnl_md_get(&bias),
		        .dst = tp_dnnl_md_get(&dst),
		};
		status = make_pass_pd(&op->pd, pass, layer->relu, &desc, tp_dnnl_linear_forward_pd, backward);
	}
	tp_dnnl_md_release(&src);
	tp_dnnl_md_release(&any);
	tp_dnnl_md_release(&bias);
	tp_dnnl_md_release(&dst);
	return finish_pass(op, pass, status, "build an inner product");
}

enum tp_status tp_dnnl_maxpool(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples, int32_t in_layout,
                               bool training)
{
	static const int args[] = {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WORKSPACE};
	const dnnl_dims_t kernel = {layer->kernel, layer->kernel}, strides = {layer->stride, layer->stride};
	struct tp_dnnl_md src = {0}, dst = {0};
	dnnl_primitive_attr_t attr = NULL;

	*op = (struct tp_dnnl_op){0};
	TP_TRY(need_engine());
	dnnl_status_t status = init_values(&src, (struct tp_dnnl_values){samples, layer->in_shape, in_layout});
	if (status == dnnl_success)
		status = init_values(&dst, (struct tp_dnnl_values){samples, layer->out_shape, TP_DNNL_LAYOUT_ANY});
	if (status == dnnl_success)
		status = make_attr(&attr, false);
	if (status == dnnl_success)
		status = tp_dnnl_maxpool_forward_pd(&op->pd, engine, attr,
		                                    training ? dnnl_forward_training : dnnl_forward_inference,
		                                    tp_dnnl_md_get(&src), tp_dnnl_md_get(&dst), kernel, strides);
	free_attr(attr);
	tp_dnnl_md_release(&src);
	tp_dnnl_md_release(&dst);
	return FINISH(op, status, "build a max pooling", args);
}

enum tp_status tp_dnnl_maxpool_backward(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples,
                                        int32_t in_layout, int32_t out_layout, const struct tp_dnnl_op *forward)
{
	static const int args[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_WORKSPACE, DNNL_ARG_DIFF_SRC};
	const dnnl_dims_t kernel = {layer->kernel, layer->kernel}, strides = {layer->stride, layer->stride};
	struct tp_dnnl_md src = {0}, dst = {0};
	dnnl_primitive_attr_t attr = NULL;

	*op = (struct tp_dnnl_op){0};
	dnnl_status_t status = init_values(&src, (struct tp_dnnl_values){samples, layer->in_shape, in_layout});
	if (status == dnnl_success)
		status = init_values(&dst, (struct tp_dnnl_values){samples, layer->out_shape, out_layout});
	if (status == dnnl_success)
		status = make_attr(&attr, false);
	if (status == dnnl_success)
		status = tp_dnnl_maxpool_backward_pd(&op->pd, engine, attr, tp_dnnl_md_get(&src), tp_dnnl_md_get(&dst),
		                                     kernel, strides, forward->pd);
	free_attr(attr);
	tp_dnnl_md_release(&src);
	tp_dnnl_md_release(&dst);
	return FINISH(op, status, "build the backward of a max pooling", args);
}

static unsigned batchnorm_flags(const struct tp_layer *layer)
{
	return (unsigned)dnnl_use_scale | (unsigned)dnnl_use_shift | (layer->relu ? (unsigned)dnnl_fuse_norm_relu : 0U);
}

enum tp_status tp_dnnl_batchnorm(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples, int32_t layout,
                                 bool training)
{
	static const int args[] = {DNNL_ARG_SRC,      DNNL_ARG_SCALE, DNNL_ARG_SHIFT,    DNNL_ARG_MEAN,
	                           DNNL_ARG_VARIANCE, DNNL_ARG_DST,   DNNL_ARG_WORKSPACE};
	const unsigned flags = batchnorm_flags(layer) | (training ? 0U : (unsigned)dnnl_use_global_stats);
	struct tp_dnnl_md values = {0};
	dnnl_primitive_attr_t attr = NULL;

	*op = (struct tp_dnnl_op){0};
	TP_TRY(need_engine());
	dnnl_status_t status = init_values(&values, (struct tp_dnnl_values){samples, layer->in_shape, layout});
	if (status == dnnl_success)
		status = make_attr(&attr, false);
	if (status == dnnl_success)
		status = tp_dnnl_batchnorm_forward_pd(&op->pd, engine, attr,
		                                      training ? dnnl_forward_training : dnnl_forward_inference,
		                                      tp_dnnl_md_get(&values), (float)layer->eps, flags);
	free_attr(attr);
	tp_dnnl_md_release(&values);
	return FINISH(op, status, "build a batch normalisation", args);
}

enum tp_status tp_dnnl_batchnorm_backward(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples,
                                          int32_t layout, const struct tp_dnnl_op *forward)
{
	static const int args[] = {
		DNNL_ARG_SRC,
		DNNL_ARG_DIFF_DST,
		DNNL_ARG_SCALE,
#if TP_DNNL_3
		0, /* refused */
#else
		DNNL_ARG_SHIFT, /* demanded */
#endif
		DNNL_ARG_MEAN,
		DNNL_ARG_VARIANCE,
		DNNL_ARG_WORKSPACE,
		DNNL_ARG_DIFF_SRC,
		DNNL_ARG_DIFF_SCALE,
		DNNL_ARG_DIFF_SHIFT,
	};
	struct tp_dnnl_md values = {0};
	dnnl_primitive_attr_t attr = NULL;

	*op = (struct tp_dnnl_op){0};
	dnnl_status_t status = init_values(&values, (struct tp_dnnl_values){samples, layer->in_shape, layout});
	if (status == dnnl_success)
		status = make_attr(&attr, false);
	if (status == dnnl_success)
		status = tp_dnnl_batchnorm_backward_pd(&op->pd, engine, attr, tp_dnnl_md_get(&values),
		                                       (float)layer->eps, batchnorm_flags(layer), forward->pd);
	free_attr(attr);
	tp_dnnl_md_release(&values);
	return FINISH(op, status, "build the backward of a batch normalisation", args);
}

enum tp_status tp_dnnl_reorder(struct tp_dnnl_op *op, const struct tp_dnnl_md *from, const struct tp_dnnl_md *to)
{
	static const int args[] = {DNNL_ARG_FROM, DNNL_ARG_TO};
	dnnl_primitive_attr_t attr = NULL;

	*op = (struct tp_dnnl_op){0};
	TP_TRY(need_engine());
	dnnl_status_t status = make_attr(&attr, false);
	if (status == dnnl_success)
		status = dnnl_reorder_primitive_desc_create(&op->pd, tp_dnnl_md_get(from), engine, tp_dnnl_md_get(to),
		                                            engine, attr);
	free_attr(attr);
	return FINISH(op, status, "build a reorder", args);
}
