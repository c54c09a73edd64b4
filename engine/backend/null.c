/* The null device: no values, no arithmetic. What remains of a run is the engine itself, and the simulator runs on it.
 */
#include "engine/backend/devices.h"
#include "engine/base/memory.h"

static enum tp_status forward(struct tp_kernel *kernel, const struct tp_forward_args *args)
{
	(void)kernel, (void)args;
	return TP_OK;
}

static enum tp_status infer(struct tp_kernel *kernel, int32_t samples, const struct tp_forward_args *args)
{
	(void)kernel, (void)samples, (void)args;
	return TP_OK;
}

static enum tp_status backward(struct tp_kernel *kernel, const struct tp_backward_args *args)
{
	(void)kernel, (void)args;
	return TP_OK;
}

static void import_param(struct tp_kernel *kernel, int32_t index, const float *plain, void *block)
{
	(void)kernel, (void)index, (void)plain, (void)block;
}

/* There is nothing to export; zeros, so that a caller never reads what nobody wrote. */
static void export_param(struct tp_kernel *kernel, int32_t index, const void *block, double *plain)
{
	(void)block;
	struct tp_param params[TP_LAYER_MAX_PARAMS];
	(void)tp_layer_params(kernel->layer, params);
	for (int64_t i = 0; i < params[index].elements; i++)
		plain[i] = 0;
}

static void free_kernel(struct tp_kernel *kernel)
{
	tp_free(kernel);
}

static const struct tp_kernel_ops kernel_ops = {forward, infer, backward, import_param, export_param, free_kernel};

static enum tp_status kernel_new(struct tp_device *device, const struct tp_kernel_spec *spec, struct tp_kernel **kernel)
{
	(void)device;
	*kernel = tp_alloc(sizeof **kernel);
	if (!*kernel)
		return TP_ERR_NOMEM;
	(*kernel)->ops = &kernel_ops;
	(*kernel)->layer = spec->layer;
	(*kernel)->out = tp_tensor_plain(spec->layer->out_shape, 0);
	return TP_OK;
}

static bool probe(struct tp_text *line)
{
	tp_text_add(line, "no arithmetic: the cost of the engine itself");
	return true;
}

static enum tp_status open_device(const struct tp_device_options *options, int32_t stage, struct tp_device **device)
{
	(void)options;
	*device = tp_alloc(sizeof **device);
	if (!*device)
		return TP_ERR_NOMEM;
	**device = (struct tp_device){.ops = &tp_device_null, .stage = stage};
	return TP_OK;
}

static void close_device(struct tp_device *device)
{
	tp_free(device);
}

static void upload(struct tp_device *device, const float *from, void *to, struct tp_shape shape, int32_t samples)
{
	(void)device, (void)from, (void)to, (void)shape, (void)samples;
}

static void sgd(struct tp_device *device, const struct tp_sgd *step, const void *from, void *to, void *gradient,
                void *momentum, size_t bytes)
{
	(void)device, (void)step, (void)from, (void)to, (void)gradient, (void)momentum, (void)bytes;
}

static void loss_forward(struct tp_device *device, int32_t samples, int32_t classes, const void *logits,
                         const int32_t *labels, void *probabilities, struct tp_loss_result *result)
{
	(void)device, (void)samples, (void)classes, (void)logits, (void)labels, (void)probabilities;
	*result = (struct tp_loss_result){0};
}

static void loss_backward(struct tp_device *device, int32_t samples, int32_t classes, const void *probabilities,
                          const int32_t *labels, double scale, void *dlogits)
{
	(void)device, (void)samples, (void)classes, (void)probabilities, (void)labels, (void)scale, (void)dlogits;
}

static void blend(struct tp_device *device, double a, const void *x, double b, const void *y, void *to, size_t bytes)
{
	(void)device, (void)a, (void)x, (void)b, (void)y, (void)to, (void)bytes;
}

const struct tp_device_ops tp_device_null = {
        .name = "null",
        .summary = "no values and no arithmetic: measures the engine itself",
        .element_bytes = 0,
        .probe = probe,
        .open = open_device,
        .close = close_device,
        .kernel_new = kernel_new,
        .upload = upload,
        .sgd = sgd,
        .loss_forward = loss_forward,
        .loss_backward = loss_backward,
        .blend = blend,
};
