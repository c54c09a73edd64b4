/* Devices: where arithmetic happens. A row of tp_devices is a table of functions; one open device serves one stage and
 * owns that stage's stream. Values are opaque memory in the device's element type. */
#ifndef TP_ENGINE_BACKEND_DEVICE_H
#define TP_ENGINE_BACKEND_DEVICE_H

#include "engine/backend/kernel.h"
#include "engine/base/text.h"
#include "profiler/kernel_names.h"

/* How convolutions are done, `--conv`. */
enum tp_conv_choice { TP_CONV_AUTO, TP_CONV_DIRECT, TP_CONV_WINOGRAD };

struct tp_device_options {
	enum tp_conv_choice conv;
	const char *cache_dir;     /* where choices made by timing are kept; NULL: not kept */
	int64_t *choice_budget_ns; /* time left for choosing by timing, shared by all stages; beyond it a shape rule
	                              decides */
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

/* Required hooks unless marked optional. Blocking: every hook returns when its work is done. */
struct tp_device_ops {
	const char *name;
	const char *summary;
	int32_t element_bytes; /* 4: float, 8: double, 0: no values at all (null) */

	/* Can it be used here? Adds one line on library, version and processor, or why not. */
	bool (*probe)(struct tp_text *line);
	/* One stage's device. `stage` is for messages. Owned by the caller, see close. */
	enum tp_status (*open)(const struct tp_device_options *options, int32_t stage, struct tp_device **device);
	void (*close)(struct tp_device *device);
	/* Optional: called first on the thread that will run the stage, and on the one that plans. */
	void (*enter_thread)(void);

	/* Make a layer ready. Parameters of equal specs have equal layouts. */
	enum tp_status (*kernel_new)(struct tp_device *device, const struct tp_kernel_spec *spec,
	                             struct tp_kernel **kernel);
	/* `count` floats of plain NCHW input into device elements. */
	void (*upload)(struct tp_device *device, const float *from, void *to, int64_t count);
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
};

struct tp_device {
	const struct tp_device_ops *ops;
	int32_t stage;
	struct tp_kernel_names *kernel_names; /* as in the options it was opened with */
};

/* All devices of this build, NULL-ended. */
extern const struct tp_device_ops *const tp_devices[];

/* Look a device up, check that its table is complete and that it can be used here; an unknown name is TP_ERR_INPUT
 * with the nearest offered, an unusable device TP_ERR_UNSUPPORTED with the reason. */
enum tp_status tp_device_find(const char *name, const struct tp_device_ops **ops);

/* TP_ERR_UNSUPPORTED with the name of the first required hook that a table lacks. */
enum tp_status tp_device_check(const struct tp_device_ops *ops);

#endif
