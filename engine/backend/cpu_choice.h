/* Which convolution algorithm is faster here: what was found by timing, kept for the process and, in a file, for the
 * next one. All stages share the choices, so that equal layers are timed once and runs that are compared compute alike.
 * Thread-safe. */
#ifndef TP_ENGINE_BACKEND_CPU_CHOICE_H
#define TP_ENGINE_BACKEND_CPU_CHOICE_H

#include "engine/backend/dnnl_shim.h"

enum tp_conv_algorithm {
	TP_CONV_BY_DIRECT,   /* oneDNN's */
	TP_CONV_BY_WINOGRAD, /* oneDNN's, up to version 3.1 */
	TP_CONV_BY_TINY,     /* ours, see cpu_tiny_conv.h */
	TP_CONV_ALGORITHMS
};

/* "direct", "winograd", "tiny" */
const char *tp_conv_algorithm_text(enum tp_conv_algorithm algorithm);

struct tp_conv_key {
	enum tp_dnnl_pass pass;
	struct tp_shape in;
	int32_t out_channels, kernel, stride, padding, samples;
};

bool tp_choice_find(const struct tp_conv_key *key, enum tp_conv_algorithm *algorithm);
void tp_choice_remember(const struct tp_conv_key *key, enum tp_conv_algorithm algorithm);

/* Without a measurement: the algorithm to use if the layer suits it, else direct. */
enum tp_conv_algorithm tp_choice_rule(const struct tp_conv_key *key);

/* The file for this machine in `folder`: its name depends on processor, library version and thread count. NULL with a
 * detail when memory runs out. Free with tp_free(). */
char *tp_choice_file(const char *folder);

/* Add what the file holds to what is known. A file that is missing, damaged or of another machine adds nothing. */
void tp_choice_load(const char *file);
/* Replace the file by what is known, and make its folder. Choices can be found again: failing to keep them is no error.
 */
void tp_choice_save(const char *file);

#endif
