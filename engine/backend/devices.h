/* The devices of this build, each defined in its own file, for the table in device.c only. */
#ifndef TP_ENGINE_BACKEND_DEVICES_H
#define TP_ENGINE_BACKEND_DEVICES_H

#include "engine/backend/device.h"

extern const struct tp_device_ops tp_device_cpu;       /* oneDNN */
extern const struct tp_device_ops tp_device_reference; /* double precision, plain C */
extern const struct tp_device_ops tp_device_null;      /* no values */
extern const struct tp_device_ops tp_device_cuda;      /* of a plugin; not a device of its own */

#endif
