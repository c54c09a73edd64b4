/* oneDNN 2.6 and 3.x behind one set of calls: the functions whose shape changed between them, under names of ours.
 *
 * In 2.x a memory descriptor is a structure and primitives are described in two steps; in 3.x it is an object to be
 * released, and the second step takes everything. For dnnl_shim.c only. */
#ifndef TP_ENGINE_BACKEND_DNNL_COMPAT_H
#define TP_ENGINE_BACKEND_DNNL_COMPAT_H

#include <dnnl.h>

#define TP_DNNL_3 (DNNL_VERSION_MAJOR >= 3)

/* A memory descriptor that belongs to someone else. */
#if TP_DNNL_3
typedef const_dnnl_memory_desc_t tp_dnnl_md_ref;
#else
typedef const dnnl_memory_desc_t *tp_dnnl_md_ref;
#endif

/* A memory descriptor that belongs to the holder. Zeroed: none. */
struct tp_dnnl_md {
	dnnl_memory_desc_t value;
};

static inline tp_dnnl_md_ref tp_dnnl_md_get(const struct tp_dnnl_md *md)
{
#if TP_DNNL_3
	return md->value;
#else
	return &md->value;
#endif
}

dnnl_status_t tp_dnnl_md_init(struct tp_dnnl_md *md, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag);
dnnl_status_t tp_dnnl_md_copy(struct tp_dnnl_md *md, tp_dnnl_md_ref from);
void tp_dnnl_md_release(struct tp_dnnl_md *md);

/* What describes a convolution, whichever pass. */
struct tp_dnnl_conv_desc {
	dnnl_alg_kind_t algorithm;
	tp_dnnl_md_ref src, weights, bias, dst;
	dnnl_dims_t strides, padding;
};

/* Primitive descriptors. `hint` is the descriptor of the forward that belongs to a backward. */
dnnl_status_t tp_dnnl_conv_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                      const struct tp_dnnl_conv_desc *conv);
dnnl_status_t tp_dnnl_conv_backward_data_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                            const struct tp_dnnl_conv_desc *conv, dnnl_primitive_desc_t hint);
dnnl_status_t tp_dnnl_conv_backward_weights_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                               dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *conv,
                                               dnnl_primitive_desc_t hint);
/* Inner products use src, weights, bias and dst of the structure only. */
dnnl_status_t tp_dnnl_linear_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                        const struct tp_dnnl_conv_desc *linear);
dnnl_status_t tp_dnnl_linear_backward_data_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                              dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *linear,
                                              dnnl_primitive_desc_t hint);
dnnl_status_t tp_dnnl_linear_backward_weights_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                                 dnnl_primitive_attr_t attr, const struct tp_dnnl_conv_desc *linear,
                                                 dnnl_primitive_desc_t hint);
/* Max pooling without padding. */
dnnl_status_t tp_dnnl_maxpool_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                         dnnl_prop_kind_t kind, tp_dnnl_md_ref src, tp_dnnl_md_ref dst,
                                         const dnnl_dims_t kernel, const dnnl_dims_t strides);
dnnl_status_t tp_dnnl_maxpool_backward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                          tp_dnnl_md_ref src, tp_dnnl_md_ref dst, const dnnl_dims_t kernel,
                                          const dnnl_dims_t strides, dnnl_primitive_desc_t hint);
dnnl_status_t tp_dnnl_batchnorm_forward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                           dnnl_prop_kind_t kind, tp_dnnl_md_ref values, float epsilon, unsigned flags);
dnnl_status_t tp_dnnl_batchnorm_backward_pd(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                            tp_dnnl_md_ref values, float epsilon, unsigned flags,
                                            dnnl_primitive_desc_t hint);
dnnl_status_t tp_dnnl_append_relu(dnnl_post_ops_t post_ops);

#endif
