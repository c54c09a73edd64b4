/* Devices: where arithmetic happens. A row of tp_devices is a table of functions; one open device serves one stage and
 * owns that stage's stream. Values are opaque memory in the device's element type. */
#ifndef TP_ENGINE_BACKEND_DEVICE_H
#define TP_ENGINE_BACKEND_DEVICE_H

#include "engine/backend/kernel.h"
#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "engine/config/run_config.h" /* enum tp_math */
#include "profiler/gpu_trace.h"
#include "profiler/kernel_names.h"

/* How convolutions are done, `--conv`. */
enum tp_conv_choice { TP_CONV_AUTO, TP_CONV_DIRECT, TP_CONV_WINOGRAD };

struct tp_device_options {
	enum tp_conv_choice conv;
	enum tp_math math;
	bool deterministic;            /* only algorithms that give the same bits every time */
	int64_t workspace_limit_bytes; /* that one algorithm may ask for; 0: no limit */
	int32_t gpus, stages;  /* stage s goes to GPU s * gpus / stages; gpus 0: all there are, at most the stages */
	const char *cache_dir; /* where choices made by timing are kept; NULL: not kept */
	int64_t *choice_budget_ns; /* time left for choosing by timing, shared by all stages; beyond it a shape rule
	                              decides */
	int64_t timeout_ns;        /* a device that does not finish within it has failed; 0: a minute */
	size_t upload_bytes;       /* of a mini-batch as the first stage is given it, in floats; 0: not known */
	struct tp_kernel_names *kernel_names; /* where kernels are named, to be recorded; NULL: they are not */
};

struct tp_device;

/* Softmax cross-entropy over `samples` rows of `classes`. */
struct tp_loss_result {
	double loss_sum; /* natural logarithm, summed over the samples */
	int64_t top1;    /* samples whose label has the largest logit (ties: lower class first) */
	int64_t top5;    /* ... is among the five largest */
};

struct tp_sgd {
	double lr, momentum, weight_decay;
	bool first_step; /* m = g instead of momentum * m + g */
};

/* Memory of a device that is not the host's. Before and after the window only. */
struct tp_memory_ops {
	/* Zeroed, aligned to 256 bytes at least. TP_ERR_NOMEM with what was asked for and what is free. */
	enum tp_status (*reserve)(struct tp_device *device, size_t bytes, void **memory);
	void (*release)(struct tp_device *device, void *memory); /* NULL is allowed */
};

/* A moment in the work that was given to a device: reached when all work issued before it is done. Made before the
 * window, and recorded again and again. Belongs to the device that made it, any device may wait for it. */
struct tp_mark;

/* One message from a stage to its neighbour on devices that work on their own. */
struct tp_transfer {
	const void *from;
	void *to;
	size_t bytes;
	struct tp_mark *ready; /* what is sent is there; on the sender's device */
	struct tp_mark *room;  /* what is overwritten is no longer read; on the receiver's device; NULL: it is not */
	struct tp_mark *began, *arrived; /* recorded where the bytes are moved, see tp_link_ops */
	struct tp_mark *left; /* recorded by a sender that acts: it has read `from`; on its device; NULL: nobody asks */
};

/* A way from one stage's device to its neighbour's, in one direction. */
struct tp_link_way;

/* Ways to carry messages between asynchronous devices: one table per transport. Each side calls its function when it
 * comes to the message; neither waits. */
struct tp_link_ops {
	const char *name;
	const char *summary;
	bool copies; /* false: the receiver reads the sender's memory, and neither function does anything */
	/* Whose device began and arrived must belong to, for a message downstream and one upstream. */
	bool sender_acts_downstream, sender_acts_upstream;
	/* All ways of a run are opened before the window, in the same order on every rank. */
	enum tp_status (*open)(struct tp_device *from, struct tp_device *to, bool upstream, struct tp_link_way **way);
	void (*close)(struct tp_link_way *way);
	enum tp_status (*send)(struct tp_link_way *way, const struct tp_transfer *transfer);
	enum tp_status (*receive)(struct tp_link_way *way, const struct tp_transfer *transfer);
	/* Optional. Is the way itself in order? Asked while a stage waits; does not block. */
	enum tp_status (*check)(struct tp_link_way *way);
	/* Optional. Give up everything under way, so that no stream waits for a peer any more. From any thread. */
	void (*abort)(struct tp_link_way *way);
};

/* Devices that work on their own: the hooks of tp_device_ops only issue work, on the stage's compute stream and in the
 * order of their calls. None of these blocks unless it says so. */
struct tp_async_ops {
	enum tp_status (*mark_new)(struct tp_device *device, struct tp_mark **mark);
	void (*mark_free)(struct tp_device *device, struct tp_mark *mark);
	/* After all that was issued so far. */
	enum tp_status (*record)(struct tp_device *device, struct tp_mark *mark);
	/* What is issued from now on waits for the mark's latest record. */
	enum tp_status (*wait)(struct tp_device *device, struct tp_mark *mark);
	/* Has it been reached? The device's own failure (out of memory, a launch that failed, a lost device) is found
	 * here: TP_ERR_DEVICE with the library's text. */
	enum tp_status (*reached)(struct tp_device *device, struct tp_mark *mark, bool *reached);
	/* When it was reached, on the machine's monotonic clock; call it only on a mark that was. */
	enum tp_status (*time)(struct tp_device *device, const struct tp_mark *mark, int64_t *monotonic_ns);
	/* While all stages rest: compare the GPU's clock with the machine's anew, for the times of marks recorded from
	 * now on; all stages on one GPU share the comparison. How far it may be off. Blocks until the device is idle.
	 */
	enum tp_status (*start_clock)(struct tp_device *device, int64_t *error_ns);
	/* Blocks until everything issued is done, at most this long (TP_ERR_TIMEOUT). */
	enum tp_status (*finish)(struct tp_device *device, int64_t timeout_ns);
	/* Sums over the loss_forwards since the last call, which leave their results empty. Blocks. */
	enum tp_status (*collect_loss)(struct tp_device *device, struct tp_loss_result *result);
	/* What is issued until the next call belongs to this operation of the stage: its number in the epoch, or -1. */
	void (*operation)(struct tp_device *device, int64_t operation);
	/* Optional. What is issued from now on does not read these bytes until they were written as a whole: a stand-in
	 * for the device checks it. */
	void (*retire)(struct tp_device *device, const void *at, size_t bytes);
	/* The GPUs that stages would use, at most `most` of them; returns how many there are. */
	int32_t (*gpus)(struct tp_gpu_info *infos, int32_t most);
	/* NULL-ended; the first is the default. */
	const struct tp_link_ops *const *links;
	/* What records kernels and copies of all stages' devices; NULL: nothing does. */
	const struct tp_gpu_tracer *tracer;
};

/* Required hooks unless marked optional. Blocking, every hook returns when its work is done, unless `async` is there:
 * then they issue it. Pointers to values, parameters and the like are to memory of the device; `labels`, `from` of
 * upload, and plain tensors are the host's, and may be changed as soon as a hook returns. */
struct tp_device_ops {
	const char *name;
	const char *summary;
	int32_t element_bytes; /* of values. 4: float, 8: double, 2: bfloat16, 0: no values at all (null) */
	int32_t input_layout;  /* of what upload writes */
	unsigned maths;        /* bits 1 << enum tp_math that it can do; 0: float32 only, in the widest sense */
	const struct tp_memory_ops *memory; /* NULL: the host's */
	const struct tp_async_ops *async;   /* NULL: blocking */

	/* Can it be used here? Adds one line on library, version and processor, or why not. */
	bool (*probe)(struct tp_text *line);
	/* Optional: the table to use in place of this one, of a plugin that is loaded now. After a probe that said yes.
	 */
	const struct tp_device_ops *(*resolve)(enum tp_math math);
	/* Optional: how results call it, where that is not its name: "fakecuda (no GPU)". Speeds measured on such a
	 * device mean nothing and are not printed. */
	const char *(*stand_in)(void);
	/* One stage's device. `stage` is for messages. Owned by the caller, see close. */
	enum tp_status (*open)(const struct tp_device_options *options, int32_t stage, struct tp_device **device);
	void (*close)(struct tp_device *device);
	/* Optional: called first on the thread that will run the stage, and on the one that plans. */
	void (*enter_thread)(void);

	/* Make a layer ready. Parameters of equal specs have equal layouts. */
	enum tp_status (*kernel_new)(struct tp_device *device, const struct tp_kernel_spec *spec,
	                             struct tp_kernel **kernel);
	/* Samples of plain NCHW floats into device elements in the input's layout. */
	void (*upload)(struct tp_device *device, const float *from, void *to, struct tp_shape shape, int32_t samples);
	/* to = from + update of n elements: g += wd*from; m = momentum*m + g; to = from - lr*m. `to` may equal `from`;
	 * gradient is clobbered. All in the kernels' layout: padding stays zero. */
	void (*sgd)(struct tp_device *device, const struct tp_sgd *sgd, const void *from, void *to, void *gradient,
	            void *momentum, size_t bytes);
	/* Probabilities of `logits` (plain rows), and the loss against `labels`. `probabilities` may be NULL. */
	void (*loss_forward)(struct tp_device *device, int32_t samples, int32_t classes, const void *logits,
	                     const int32_t *labels, void *probabilities, struct tp_loss_result *result);
	/* dlogits = (probabilities - onehot(labels)) * scale */
	void (*loss_backward)(struct tp_device *device, int32_t samples, int32_t classes, const void *probabilities,
	                      const int32_t *labels, double scale, void *dlogits);
	/* to = a * x + b * y, of `bytes`; `to` may be x or y. With a = b = 1 the sum of gradients that meet at a value
	 * with several readers, else weights between two versions. */
	void (*blend)(struct tp_device *device, double a, const void *x, double b, const void *y, void *to,
	              size_t bytes);
	/* The same of values: of the device's elements, where weights and values differ in type. NULL: blend does both.
	 */
	void (*blend_values)(struct tp_device *device, double a, const void *x, double b, const void *y, void *to,
	                     size_t bytes);
	/* Copy within the device. NULL: memcpy. */
	void (*copy)(struct tp_device *device, const void *from, void *to, size_t bytes);
};

struct tp_device {
	const struct tp_device_ops *ops;
	int32_t stage;
	struct tp_kernel_names *kernel_names; /* as in the options it was opened with */
};

/* All devices of this build, NULL-ended. */
extern const struct tp_device_ops *const tp_devices[];

/* Look a device up, check that its table is complete and that it can be used here; an unknown name is TP_ERR_INPUT
 * with the nearest offered, an unusable device, or one that cannot do `math`, TP_ERR_UNSUPPORTED with the reason. */
enum tp_status tp_device_find(const char *name, enum tp_math math, const struct tp_device_ops **ops);

/* How results call the device: its name, or what stands in for it. */
const char *tp_device_label(const struct tp_device_ops *ops);

/* The input of a model as `upload` writes it. */
struct tp_tensor_desc tp_device_input(const struct tp_device_ops *ops, struct tp_shape shape);

/* Where arenas of this device's memory come from. */
struct tp_memory_source tp_device_memory(struct tp_device *device);

/* TP_ERR_UNSUPPORTED with the name of the first required hook that a table lacks. */
enum tp_status tp_device_check(const struct tp_device_ops *ops);

#endif
