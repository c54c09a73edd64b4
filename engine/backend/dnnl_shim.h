/* oneDNN, as far as the CPU device needs it: ready-to-run operations on float32 over pointers.
 *
 * An operation is built once, for one batch size, and run many times. Its arguments are pointers in the order that its
 * constructor documents, slices of larger buffers included; running it allocates nothing of ours. What the library
 * needs as working memory (`scratch_bytes`) comes from the caller too. All calls use one engine per process, which
 * lives until the process ends, as the library's own cache of primitives does. */
#ifndef TP_ENGINE_BACKEND_DNNL_SHIM_H
#define TP_ENGINE_BACKEND_DNNL_SHIM_H

#include "engine/backend/dnnl_compat.h"
#include "engine/base/text.h"
#include "engine/model/model.h"
#include "engine/tensor/shape.h"
#include "profiler/kernel_names.h"

/* Layouts of values, beside TP_LAYOUT_PLAIN: a number above 1 is the channels of a block (nChw16c: 16). */
#define TP_DNNL_LAYOUT_ANY (-1) /* the library shall choose */
#define TP_DNNL_LAYOUT_CHANNELS_LAST 1

/* A batch of values. */
struct tp_dnnl_values {
	int32_t samples;
	struct tp_shape shape;
	int32_t layout;
};

/* Bytes of one sample, padding of the last block of channels included. */
size_t tp_dnnl_sample_bytes(struct tp_shape shape, int32_t layout);

enum tp_dnnl_pass { TP_DNNL_FORWARD, TP_DNNL_BACKWARD_DATA, TP_DNNL_BACKWARD_WEIGHTS, TP_DNNL_PASSES };

#define TP_DNNL_ARGS 12

struct tp_dnnl_op {
	dnnl_primitive_desc_t pd;
	dnnl_primitive_t primitive;
	dnnl_exec_arg_t args[TP_DNNL_ARGS]; /* the library's scratchpad last, if it wants one */
	int32_t pointer_of[TP_DNNL_ARGS];   /* which pointer goes to args[i] */
	int32_t arg_count;
	size_t scratch_bytes;
	int32_t name; /* its number when kernels are recorded; TP_KERNEL_UNNAMED until the caller sets it */
};

/* A zeroed operation may be released. */
void tp_dnnl_op_release(struct tp_dnnl_op *op);

/* Run on `stream`. Pointers that the operation only reads may point at const memory. */
enum tp_status tp_dnnl_run(const struct tp_dnnl_op *op, dnnl_stream_t stream, const void *const *pointers,
                           void *scratch);

/* What it is in the library's words, name and implementation, and what all its arguments take but the scratchpad. */
void tp_dnnl_op_describe(const struct tp_dnnl_op *op, struct tp_kernel_name *name);

enum tp_status tp_dnnl_stream_new(dnnl_stream_t *stream);
void tp_dnnl_stream_free(dnnl_stream_t stream);

/* One OpenMP thread for what this thread builds and runs. The library's own runtime is asked, whichever it is. */
void tp_dnnl_use_one_thread(void);

/* "oneDNN 2.6.3, avx512_core_bf16, OpenMP"; false when the library cannot be used, with the reason. */
bool tp_dnnl_describe(struct tp_text *line);
/* Version and instruction set alone, for keys of cached choices. */
void tp_dnnl_identify(struct tp_text *line);

/* Constructors. On failure the operation is zeroed; TP_ERR_UNSUPPORTED: the library has no such kernel. */

struct tp_dnnl_conv {
	const struct tp_layer *layer; /* geometry, and whether forward ends with a ReLU */
	int32_t samples;
	int32_t in_layout, out_layout; /* out_layout may be TP_DNNL_LAYOUT_ANY for a forward */
	bool winograd;
};

/* Weights are in the layout that suits the pass, see tp_dnnl_md_of(). Pointers:
 * forward x, weights, bias, y; backward data dy, weights, dx; backward weights x, dy, dweights, dbias. */
enum tp_status tp_dnnl_conv(struct tp_dnnl_op *op, enum tp_dnnl_pass pass, const struct tp_dnnl_conv *conv);

/* Plain rows of values; weights in `weights`, or, when that is NULL, in the layout that suits. Pointers as conv. */
enum tp_status tp_dnnl_linear(struct tp_dnnl_op *op, enum tp_dnnl_pass pass, const struct tp_layer *layer,
                              int32_t samples, const struct tp_dnnl_md *weights);

/* Pointers: x, y, workspace (training only). y's layout is the library's choice. */
enum tp_status tp_dnnl_maxpool(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples, int32_t in_layout,
                               bool training);
/* Pointers: dy, workspace, dx. `forward`: a training forward of the same batch size. */
enum tp_status tp_dnnl_maxpool_backward(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples,
                                        int32_t in_layout, int32_t out_layout, const struct tp_dnnl_op *forward);

/* Pointers: x, scale, shift, mean, variance, y, workspace. Training writes mean and variance, inference reads them; the
 * workspace is there in training with a ReLU. */
enum tp_status tp_dnnl_batchnorm(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples, int32_t layout,
                                 bool training);
/* Pointers: x, dy, scale, shift, mean, variance, workspace, dx, dscale, dshift. */
enum tp_status tp_dnnl_batchnorm_backward(struct tp_dnnl_op *op, const struct tp_layer *layer, int32_t samples,
                                          int32_t layout, const struct tp_dnnl_op *forward);

/* Pointers: from, to. */
enum tp_status tp_dnnl_reorder(struct tp_dnnl_op *op, const struct tp_dnnl_md *from, const struct tp_dnnl_md *to);

/* What an operation chose for the argument DNNL_ARG_...: bytes (0: it has none), layout of values, descriptor. */
size_t tp_dnnl_arg_bytes(const struct tp_dnnl_op *op, int arg);
enum tp_status tp_dnnl_arg_layout(const struct tp_dnnl_op *op, int arg, struct tp_dnnl_values *values);
enum tp_status tp_dnnl_md_of(struct tp_dnnl_md *md, const struct tp_dnnl_op *op, int arg);

/* Descriptors of a plain tensor, and of values in a known layout. */
enum tp_status tp_dnnl_md_plain(struct tp_dnnl_md *md, int32_t rank, const int64_t *dims);
enum tp_status tp_dnnl_md_values(struct tp_dnnl_md *md, struct tp_dnnl_values values);
/* A convolution's weights as OIhw16i16o, which oneDNN uses with AVX-512. */
enum tp_status tp_dnnl_md_blocked_weights(struct tp_dnnl_md *md, const struct tp_layer *layer);
bool tp_dnnl_md_equal(const struct tp_dnnl_md *a, const struct tp_dnnl_md *b);
size_t tp_dnnl_md_bytes(const struct tp_dnnl_md *md);

#endif
