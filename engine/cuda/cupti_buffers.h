/* The buffers that CUPTI fills: handed out zeroed from a list that is filled before the window, and queued when they
 * are full, since CUPTI calls on threads of the application. Whoever reads them runs on a thread of its own. */
#ifndef TP_ENGINE_CUDA_CUPTI_BUFFERS_H
#define TP_ENGINE_CUDA_CUPTI_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

#define TP_CUPTI_BUFFER_BYTES ((size_t)4 << 20)

/* Reads one buffer, whose first `bytes` are valid. */
typedef void tp_cupti_reader(void *context, uint8_t *buffer, size_t bytes);

struct tp_cupti_buffers;

/* `count` buffers, and the thread that reads them. Ends with tp_cupti_buffers_free(), which reads what is queued. */
enum tp_status tp_cupti_buffers_new(int32_t count, tp_cupti_reader *read, void *context,
                                    struct tp_cupti_buffers **buffers);
void tp_cupti_buffers_free(struct tp_cupti_buffers *buffers); /* NULL is allowed */

/* An empty one, aligned to 8 bytes at least and all zero; a new one when none is left, which is counted. NULL: there is
 * no memory. From any thread. */
uint8_t *tp_cupti_buffers_take(struct tp_cupti_buffers *buffers);
/* A full one, of which `bytes` were written, goes to the reader. From any thread. */
void tp_cupti_buffers_put(struct tp_cupti_buffers *buffers, uint8_t *buffer, size_t bytes);

/* Blocks until all that were put are read. */
void tp_cupti_buffers_drain(struct tp_cupti_buffers *buffers);

/* Buffers that were made because none was left. */
int64_t tp_cupti_buffers_grown(struct tp_cupti_buffers *buffers);

#endif
