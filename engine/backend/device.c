#include "engine/backend/device.h"

#include <string.h>

#include "engine/backend/devices.h"

const struct tp_device_ops *const tp_devices[] = {
        &tp_device_cpu, &tp_device_cuda, &tp_device_reference, &tp_device_null, NULL,
};

enum tp_status tp_device_check(const struct tp_device_ops *ops)
{
	const struct {
		const char *name;
		bool present;
	} required[] = {
	        {"probe", ops->probe != NULL},
	        {"open", ops->open != NULL},
	        {"close", ops->close != NULL},
	        {"kernel_new", ops->kernel_new != NULL},
	        {"upload", ops->upload != NULL},
	        {"sgd", ops->sgd != NULL},
	        {"loss_forward", ops->loss_forward != NULL},
	        {"loss_backward", ops->loss_backward != NULL},
	        {"blend", ops->blend != NULL},
	};
	/* Of a plugin's row the table that it resolves to has the rest. */
	const size_t count = ops->resolve ? 1 : sizeof required / sizeof required[0];
	for (size_t i = 0; i < count; i++)
		if (!required[i].present)
			return tp_fail(TP_ERR_UNSUPPORTED, "device %s: the required hook '%s' is missing", ops->name,
			               required[i].name);
	return TP_OK;
}

static enum tp_status check_usable(const struct tp_device_ops *ops)
{
	struct tp_text line = {0};
	enum tp_status status = TP_OK;
	if (!ops->probe(&line))
		status = tp_fail(TP_ERR_UNSUPPORTED, "device %s: cannot be used here: %s", ops->name,
		                 tp_text_get(&line));
	tp_text_release(&line);
	return status;
}

/* The table that does `math`, of the plugin where the device has one. */
static enum tp_status resolve(const struct tp_device_ops *device, enum tp_math math, const struct tp_device_ops **ops)
{
	const unsigned maths = device->maths ? device->maths : 1U << TP_MATH_FP32;
	if (!(maths & 1U << math))
		return tp_fail(TP_ERR_UNSUPPORTED, "device %s cannot compute with --math %s", device->name,
		               tp_math_names[math]);
	TP_TRY(tp_device_check(device));
	TP_TRY(check_usable(device));
	*ops = device->resolve ? device->resolve(math) : device;
	return tp_device_check(*ops);
}

enum tp_status tp_device_find(const char *name, enum tp_math math, const struct tp_device_ops **ops)
{
	const char *names[sizeof tp_devices / sizeof tp_devices[0]];
	size_t count = 0;
	for (const struct tp_device_ops *const *device = tp_devices; *device; device++) {
		if (strcmp((*device)->name, name) == 0)
			return resolve(*device, math, ops);
		names[count++] = (*device)->name;
	}
	names[count] = NULL;
	return tp_fail_unknown("device", name, names);
}

const char *tp_device_label(const struct tp_device_ops *ops)
{
	const char *label = ops->stand_in ? ops->stand_in() : NULL;
	return label ? label : ops->name;
}

struct tp_tensor_desc tp_device_input(const struct tp_device_ops *ops, struct tp_shape shape)
{
	struct tp_tensor_desc desc = tp_tensor_plain(shape, ops->element_bytes);
	desc.layout = ops->input_layout;
	return desc;
}

static enum tp_status reserve_on(void *context, size_t bytes, void **memory)
{
	struct tp_device *device = context;
	return device->ops->memory->reserve(device, bytes, memory);
}

static void release_on(void *context, void *memory)
{
	struct tp_device *device = context;
	device->ops->memory->release(device, memory);
}

struct tp_memory_source tp_device_memory(struct tp_device *device)
{
	if (!device->ops->memory)
		return (struct tp_memory_source){0};
	return (struct tp_memory_source){reserve_on, release_on, device};
}
