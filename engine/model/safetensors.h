/* Weights on disk: the safetensors format (https://github.com/huggingface/safetensors). A file is an 8-byte
 * little-endian header length, a JSON object that maps each tensor's name to {"dtype", "shape", "data_offsets"}, then
 * the values. The values of all tensors fill the rest of the file without gap or overlap. Read and written here: F32
 * and I64. */
#ifndef TP_ENGINE_MODEL_SAFETENSORS_H
#define TP_ENGINE_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

#define TP_SAFETENSORS_MAX_RANK 8

enum tp_safetensors_type { TP_SAFETENSORS_F32, TP_SAFETENSORS_I64 };

/* One tensor. The name is owned by whoever made the description. */
struct tp_safetensors_entry {
	const char *name;
	enum tp_safetensors_type type;
	int32_t rank; /* 0: a single value */
	int64_t dims[TP_SAFETENSORS_MAX_RANK];
};

/* Bytes of the values; 0 when a dimension is 0. */
int64_t tp_safetensors_entry_bytes(const struct tp_safetensors_entry *entry);

/* A tensor that was read. */
struct tp_safetensor {
	struct tp_safetensors_entry entry;
	int64_t elements;
	const float *f32;   /* NULL unless F32 */
	const int64_t *i64; /* NULL unless I64 */
};

/* A file read into memory, checked as a whole. */
struct tp_safetensors;

/* Read `path`. TP_ERR_INPUT for a file that cannot be read or whose header does not hold, naming file, tensor, what was
 * expected and what was found; TP_ERR_NOMEM. Free with tp_safetensors_close(). */
enum tp_status tp_safetensors_open(const char *path, struct tp_safetensors **file);
void tp_safetensors_close(struct tp_safetensors *file);

/* Tensors in the order of their values. They live until the file is closed. */
size_t tp_safetensors_count(const struct tp_safetensors *file);
const struct tp_safetensor *tp_safetensors_at(const struct tp_safetensors *file, size_t index);
/* NULL when there is none of that name. */
const struct tp_safetensor *tp_safetensors_find(const struct tp_safetensors *file, const char *name);

/* A file being written, under a temporary name beside its own until it is complete. */
struct tp_safetensors_writer;

/* Begin `path` with a header for `count` tensors of different names, whose values follow in the same order.
 * Descriptions are not kept. TP_ERR_IO with the reason when the folder cannot be written. */
enum tp_status tp_safetensors_create(const char *path, const struct tp_safetensors_entry *entries, size_t count,
                                     struct tp_safetensors_writer **writer);
/* The next `bytes` of values; in any portions. */
enum tp_status tp_safetensors_append(struct tp_safetensors_writer *writer, const void *values, int64_t bytes);
/* Make the file complete and durable and give it its name, replacing what was there. Frees the writer, also on failure;
 * then nothing is left behind. Fewer or more values than announced is a broken invariant. */
enum tp_status tp_safetensors_commit(struct tp_safetensors_writer *writer);
/* Give up: remove the temporary file and free the writer. NULL is allowed. */
void tp_safetensors_discard(struct tp_safetensors_writer *writer);

#endif
