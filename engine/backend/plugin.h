/* Devices that are loaded when they are asked for. The main program links nothing of CUDA; libtpb_cuda.so does not
 * either, it loads the libraries one by one and says which is missing. */
#ifndef TP_ENGINE_BACKEND_PLUGIN_H
#define TP_ENGINE_BACKEND_PLUGIN_H

#include "engine/backend/device.h"

/* Changes with every change of a structure that both sides see. */
#define TP_PLUGIN_VERSION 1

struct tp_plugin {
	int32_t version;               /* TP_PLUGIN_VERSION of its build */
	const char *(*stand_in)(void); /* see tp_device_ops; NULL result: it is the real thing */
	/* As tp_device_ops.probe. */
	bool (*probe)(struct tp_text *line);
	const struct tp_device_ops *(*device)(enum tp_math math);
};

/* The one symbol that a plugin exports. */
#define TP_PLUGIN_SYMBOL "tp_plugin"
typedef const struct tp_plugin *tp_plugin_function(void);

/* The CUDA plugin, loaded at the first call; NULL with a line added that says why not: not built, not found, or does
 * not fit. */
const struct tp_plugin *tp_cuda_plugin(struct tp_text *why_not);

#endif
