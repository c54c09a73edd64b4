#include "engine/backend/dnnl_compat.h"

#include <stddef.h>

dnnl_status_t tp_dnnl_md_init(struct tp_dnnl_md *md, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
#if TP_DNNL_3
	return dnnl_memory_desc_create_with_tag(&md->value, rank, dims, dnnl_f32, tag);
#else
	return dnnl_memory_desc_init_by_tag(&md->value, rank, dims, dnnl_f32, tag);
#endif
}

dnnl_status_t tp_dnnl_md_copy(struct tp_dnnl_md *md, tp_dnnl_md_ref from)
{
#if TP_DNNL_3
	return dnnl_memory_desc_clone(&md->value, from);
#else
	md->value = *from;
	return dnnl_success;
#endif
}

void tp_dnnl_md_release(struct tp_dnnl_md *md)
{
#if TP_DNNL_3
	if (md->value)
		(void)dnnl_memory_desc_destroy(md->value);
#endif
	*md = (struct tp_dnnl_md){0};
}

#if TP_DNNL_3

static const dnnl_dims_t no_dilation = {0};

dnnl_status_t tp_dnnl_conv_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                      const struct tp_dnnl_conv_desc *c)
{
	return dnnl_convolution_forward_primitive_desc_create(pd, engine, dnnl_forward_training, c->algorithm, c->src,
	                                                      c->weights, c->bias, c->dst, c->strides, no_dilation,
	                                                      c->padding, c->padding, attr);
}

dnnl_status_t tp_dnnl_conv_backward_data_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                            const struct tp_dnnl_conv_desc *c, dnnl_primitive_desc_t hint)
{
	return dnnl_convolution_backward_data_primitive_desc_create(pd, engine, c->algorithm, c->src, c->weights,
	                                                            c->dst, c->strides, no_dilation, c->padding,
	                                                            c->padding, hint, attr);
}

dnnl_status_t tp_dnnl_conv_backward_weights_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                               dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *c,
                                               dnnl_primitive_desc_t hint)
{
	return dnnl_convolution_backward_weights_primitive_desc_create(pd, engine, c->algorithm, c->src, c->weights,
	                                                               c->bias, c->dst, c->strides, no_dilation,
	                                                               c->padding, c->padding, hint, attr);
}

dnnl_status_t tp_dnnl_linear_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                        const struct tp_dnnl_conv_desc *l)
{
	return dnnl_inner_product_forward_primitive_desc_create(pd, engine, dnnl_forward_training, l->src, l->weights,
	                                                        l->bias, l->dst, attr);
}

dnnl_status_t tp_dnnl_linear_backward_data_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                              dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *l,
                                              dnnl_primitive_desc_t hint)
{
	return dnnl_inner_product_backward_data_primitive_desc_create(pd, engine, l->src, l->weights, l->dst, hint,
	                                                              attr);
}

dnnl_status_t tp_dnnl_linear_backward_weights_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                                 dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *l,
                                                 dnnl_primitive_desc_t hint)
{
	return dnnl_inner_product_backward_weights_primitive_desc_create(pd, engine, l->src, l->weights, l->bias,
	                                                                 l->dst, hint, attr);
}

dnnl_status_t tp_dnnl_maxpool_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                         dnnl_prop_kind_t kind, tp_dnnl_md_ref src, tp_dnnl_md_ref dst,
                                         const dnnl_dims_t kernel, const dnnl_dims_t strides)
{
	const dnnl_dims_t padding = {0};
	return dnnl_pooling_forward_primitive_desc_create(pd, engine, kind, dnnl_pooling_max, src, dst, strides, kernel,
	                                                  no_dilation, padding, padding, attr);
}

dnnl_status_t tp_dnnl_maxpool_backward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                          tp_dnnl_md_ref src, tp_dnnl_md_ref dst, const dnnl_dims_t kernel,
                                          const dnnl_dims_t strides, dnnl_primitive_desc_t hint)
{
	const dnnl_dims_t padding = {0};
	return dnnl_pooling_backward_primitive_desc_create(pd, engine, dnnl_pooling_max, src, dst, strides, kernel,
	                                                   no_dilation, padding, padding, hint, attr);
}

dnnl_status_t tp_dnnl_batchnorm_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                           dnnl_prop_kind_t kind, tp_dnnl_md_ref values, float epsilon, unsigned flags)
{
	return dnnl_batch_normalization_forward_primitive_desc_create(pd, engine, kind, values, values, epsilon, flags,
	                                                              attr);
}

dnnl_status_t tp_dnnl_batchnorm_backward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                            tp_dnnl_md_ref values, float epsilon, unsigned flags,
                                            dnnl_primitive_desc_t hint)
{
	return dnnl_batch_normalization_backward_primitive_desc_create(pd, engine, dnnl_backward, values, values,
	                                                               values, epsilon, flags, hint, attr);
}

dnnl_status_t tp_dnnl_append_relu(dnnl_post_ops_t post_ops)
{
	return dnnl_post_ops_append_eltwise(post_ops, dnnl_eltwise_relu, 0.0F, 0.0F);
}

#else /* 2.6 and later */

/* The second step, when the first one worked. */
static dnnl_status_t finish(dnnl_status_t described, dnnl_primitive_desc_t *pd, const_dnnl_op_desc_t desc,
                            dnnl_engine_t engine, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint)
{
	return described != dnnl_success ? described : dnnl_primitive_desc_create(pd, desc, attr, engine, hint);
}

dnnl_status_t tp_dnnl_conv_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                      const struct tp_dnnl_conv_desc *c)
{
	dnnl_convolution_desc_t desc;
	dnnl_status_t described =
	        dnnl_convolution_forward_desc_init(&desc, dnnl_forward_training, c->algorithm, c->src, c->weights,
	                                           c->bias, c->dst, c->strides, c->padding, c->padding);
	return finish(described, pd, &desc, engine, attr, NULL);
}

dnnl_status_t tp_dnnl_conv_backward_data_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                            const struct tp_dnnl_conv_desc *c, dnnl_primitive_desc_t hint)
{
	dnnl_convolution_desc_t desc;
	dnnl_status_t described = dnnl_convolution_backward_data_desc_init(&desc, c->algorithm, c->src, c->weights,
	                                                                   c->dst, c->strides, c->padding, c->padding);
	return finish(described, pd, &desc, engine, attr, hint);
}

dnnl_status_t tp_dnnl_conv_backward_weights_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                               dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *c,
                                               dnnl_primitive_desc_t hint)
{
	dnnl_convolution_desc_t desc;
	dnnl_status_t described = dnnl_convolution_backward_weights_desc_init(
	        &desc, c->algorithm, c->src, c->weights, c->bias, c->dst, c->strides, c->padding, c->padding);
	return finish(described, pd, &desc, engine, attr, hint);
}

dnnl_status_t tp_dnnl_linear_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                        const struct tp_dnnl_conv_desc *l)
{
	dnnl_inner_product_desc_t desc;
	dnnl_status_t described =
	        dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_training, l->src, l->weights, l->bias, l->dst);
	return finish(described, pd, &desc, engine, attr, NULL);
}

dnnl_status_t tp_dnnl_linear_backward_data_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                              dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *l,
                                              dnnl_primitive_desc_t hint)
{
	dnnl_inner_product_desc_t desc;
	dnnl_status_t described = dnnl_inner_product_backward_data_desc_init(&desc, l->src, l->weights, l->dst);
	return finish(described, pd, &desc, engine, attr, hint);
}

dnnl_status_t tp_dnnl_linear_backward_weights_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                                 dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *l,
                                                 dnnl_primitive_desc_t hint)
{
	dnnl_inner_product_desc_t desc;
	dnnl_status_t described =
	        dnnl_inner_product_backward_weights_desc_init(&desc, l->src, l->weights, l->bias, l->dst);
	return finish(described, pd, &desc, engine, attr, hint);
}

dnnl_status_t tp_dnnl_maxpool_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                         dnnl_prop_kind_t kind, tp_dnnl_md_ref src, tp_dnnl_md_ref dst,
                                         const dnnl_dims_t kernel, const dnnl_dims_t strides)
{
	const dnnl_dims_t padding = {0};
	dnnl_pooling_desc_t desc;
	dnnl_status_t described = dnnl_pooling_forward_desc_init(&desc, kind, dnnl_pooling_max, src, dst, strides,
	                                                         kernel, padding, padding);
	return finish(described, pd, &desc, engine, attr, NULL);
}

dnnl_status_t tp_dnnl_maxpool_backward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                          tp_dnnl_md_ref src, tp_dnnl_md_ref dst, const dnnl_dims_t kernel,
                                          const dnnl_dims_t strides, dnnl_primitive_desc_t hint)
{
	const dnnl_dims_t padding = {0};
	dnnl_pooling_desc_t desc;
	dnnl_status_t described =
	        dnnl_pooling_backward_desc_init(&desc, dnnl_pooling_max, src, dst, strides, kernel, padding, padding);
	return finish(described, pd, &desc, engine, attr, hint);
}

dnnl_status_t tp_dnnl_batchnorm_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                           dnnl_prop_kind_t kind, tp_dnnl_md_ref values, float epsilon, unsigned flags)
{
	dnnl_batch_normalization_desc_t desc;
	dnnl_status_t described = dnnl_batch_normalization_forward_desc_init(&desc, kind, values, epsilon, flags);
	return finish(described, pd, &desc, engine, attr, NULL);
}

dnnl_status_t tp_dnnl_batchnorm_backward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                            tp_dnnl_md_ref values, float epsilon, unsigned flags,
                                            dnnl_primitive_desc_t hint)
{
	dnnl_batch_normalization_desc_t desc;
	dnnl_status_t described =
	        dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, values, values, epsilon, flags);
	return finish(described, pd, &desc, engine, attr, hint);
}

dnnl_status_t tp_dnnl_append_relu(dnnl_post_ops_t post_ops)
{
	return dnnl_post_ops_append_eltwise(post_ops, 1.0F, dnnl_eltwise_relu, 0.0F, 0.0F);
}

#endif
