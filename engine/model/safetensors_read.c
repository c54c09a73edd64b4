/* Reading safetensors. Nothing in the file is trusted: every number is checked before it is used. */
#include "engine/model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors are little-endian; this file reads and writes values as they lie in memory"
#endif

/* The format's own limit. */
#define MAX_HEADER_BYTES INT64_C(100000000)
#define LENGTH_BYTES ((int64_t)8)

/* Where a tensor's values lie, in bytes from the end of the header. */
struct extent {
	int64_t begin, end;
};

struct located {
	struct tp_safetensor tensor;
	struct extent extent;
};

struct tp_safetensors {
	const char *path; /* the caller's; only while opening */
	int descriptor;   /* only while opening */
	int64_t data_begin, data_bytes;
	json_t *header; /* owns the names */
	size_t count;
	struct located *tensors; /* in the order of their values */
	struct tp_arena values;
};

static int64_t value_bytes(enum tp_safetensors_type type)
{
	return type == TP_SAFETENSORS_F32 ? (int64_t)sizeof(float) : (int64_t)sizeof(int64_t);
}

int64_t tp_safetensors_entry_bytes(const struct tp_safetensors_entry *entry)
{
	int64_t bytes = value_bytes(entry->type);
	for (int32_t i = 0; i < entry->rank; i++)
		bytes *= entry->dims[i];
	return bytes;
}

/* All of `bytes` at `offset`. */
static enum tp_status read_at(const struct tp_safetensors *file, void *to, int64_t bytes, int64_t offset)
{
	unsigned char *at = to;
	while (bytes > 0) {
		ssize_t got = pread(file->descriptor, at, (size_t)bytes, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return tp_fail(TP_ERR_INPUT, "%s: cannot read: %s", file->path, strerror(errno));
		if (got == 0)
			return tp_fail(TP_ERR_INPUT, "%s: expected %lld more bytes, found the end of the file",
			               file->path, (long long)bytes);
		at += got;
		offset += got;
		bytes -= got;
	}
	return TP_OK;
}

static enum tp_status parse_header(struct tp_safetensors *file, const char *text, size_t length)
{
	json_error_t error;
	if (text[0] != '{')
		return tp_fail(TP_ERR_INPUT, "%s: expected a header that begins with '{': not a safetensors file",
		               file->path);
	file->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (!file->header)
		return tp_fail(TP_ERR_INPUT, "%s: header, byte %d: %s", file->path, error.position, error.text);
	return TP_OK;
}

static enum tp_status read_header(struct tp_safetensors *file)
{
	struct stat stat;
	uint64_t length;
	if (fstat(file->descriptor, &stat) != 0)
		return tp_fail(TP_ERR_INPUT, "%s: cannot read: %s", file->path, strerror(errno));
	if (!S_ISREG(stat.st_mode))
		return tp_fail(TP_ERR_INPUT, "%s: expected a file, found something else", file->path);
	int64_t size = (int64_t)stat.st_size;
	if (size < LENGTH_BYTES)
		return tp_fail(TP_ERR_INPUT, "%s: expected at least 8 bytes, found %lld", file->path, (long long)size);
	TP_TRY(read_at(file, &length, LENGTH_BYTES, 0));
	if (length < 2 || length > (uint64_t)(size - LENGTH_BYTES) || length > (uint64_t)MAX_HEADER_BYTES)
		return tp_fail(
		        TP_ERR_INPUT, "%s: expected a header of 2 to %lld bytes, found a length of %llu", file->path,
		        (long long)(size - LENGTH_BYTES < MAX_HEADER_BYTES ? size - LENGTH_BYTES : MAX_HEADER_BYTES),
		        (unsigned long long)length);
	char *text = tp_alloc((size_t)length);
	if (!text)
		return TP_ERR_NOMEM;
	enum tp_status status = read_at(file, text, (int64_t)length, LENGTH_BYTES);
	if (status == TP_OK)
		status = parse_header(file, text, (size_t)length);
	tp_free(text);
	file->data_begin = LENGTH_BYTES + (int64_t)length;
	file->data_bytes = size - file->data_begin;
	return status;
}

static enum tp_status check_metadata(const struct tp_safetensors *file, json_t *metadata)
{
	const char *key;
	json_t *value;
	if (!json_is_object(metadata))
		return tp_fail(TP_ERR_INPUT, "%s: __metadata__: expected an object of texts", file->path);
	json_object_foreach(metadata, key, value) if (!json_is_string(value)) return tp_fail(
	        TP_ERR_INPUT, "%s: __metadata__: expected a text for '%s'", file->path, key);
	return TP_OK;
}

static enum tp_status parse_type(const struct tp_safetensors *file, json_t *info, struct tp_safetensors_entry *entry)
{
	const char *dtype = json_string_value(json_object_get(info, "dtype"));
	if (dtype && strcmp(dtype, "F32") == 0)
		entry->type = TP_SAFETENSORS_F32;
	else if (dtype && strcmp(dtype, "I64") == 0)
		entry->type = TP_SAFETENSORS_I64;
	else
		return tp_fail(TP_ERR_INPUT, "%s: tensor %s: dtype: expected \"F32\" or \"I64\", found %s%s%s",
		               file->path, entry->name, dtype ? "\"" : "", dtype ? dtype : "no text",
		               dtype ? "\"" : "");
	return TP_OK;
}

static enum tp_status parse_shape(const struct tp_safetensors *file, json_t *info, struct tp_safetensors_entry *entry)
{
	json_t *shape = json_object_get(info, "shape");
	if (!json_is_array(shape) || json_array_size(shape) > TP_SAFETENSORS_MAX_RANK)
		return tp_fail(TP_ERR_INPUT, "%s: tensor %s: shape: expected a list of at most %d numbers", file->path,
		               entry->name, TP_SAFETENSORS_MAX_RANK);
	entry->rank = (int32_t)json_array_size(shape);
	int64_t bytes = value_bytes(entry->type);
	for (int32_t i = 0; i < entry->rank; i++) {
		json_t *item = json_array_get(shape, (size_t)i);
		entry->dims[i] = json_is_integer(item) ? json_integer_value(item) : -1;
		if (entry->dims[i] < 0)
			return tp_fail(TP_ERR_INPUT, "%s: tensor %s: shape: expected whole numbers from 0 on",
			               file->path, entry->name);
		if (__builtin_mul_overflow(bytes, entry->dims[i], &bytes))
			return tp_fail(TP_ERR_INPUT,
			               "%s: tensor %s: shape: expected a product that fits 63 bits, found more",
			               file->path, entry->name);
	}
	return TP_OK;
}

static enum tp_status parse_extent(const struct tp_safetensors *file, json_t *info,
                                   const struct tp_safetensors_entry *entry, struct extent *extent)
{
	json_t *offsets = json_object_get(info, "data_offsets");
	json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
	if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
		return tp_fail(TP_ERR_INPUT, "%s: tensor %s: data_offsets: expected two whole numbers", file->path,
		               entry->name);
	*extent = (struct extent){json_integer_value(begin), json_integer_value(end)};
	if (extent->begin < 0 || extent->end < extent->begin || extent->end > file->data_bytes)
		return tp_fail(TP_ERR_INPUT,
		               "%s: tensor %s: data_offsets: expected a range within 0 to %lld, found %lld to %lld",
		               file->path, entry->name, (long long)file->data_bytes, (long long)extent->begin,
		               (long long)extent->end);
	if (extent->end - extent->begin != tp_safetensors_entry_bytes(entry))
		return tp_fail(TP_ERR_INPUT,
		               "%s: tensor %s: data_offsets: expected %lld bytes for its shape, found %lld to %lld, "
		               "which is %lld",
		               file->path, entry->name, (long long)tp_safetensors_entry_bytes(entry),
		               (long long)extent->begin, (long long)extent->end,
		               (long long)(extent->end - extent->begin));
	return TP_OK;
}

static enum tp_status parse_tensors(struct tp_safetensors *file)
{
	const char *name;
	json_t *info;
	file->tensors = tp_alloc_array(json_object_size(file->header), sizeof *file->tensors);
	if (!file->tensors)
		return TP_ERR_NOMEM;
	json_object_foreach(file->header, name, info)
	{
		if (strcmp(name, "__metadata__") == 0) {
			TP_TRY(check_metadata(file, info));
			continue;
		}
		struct located *located = &file->tensors[file->count++];
		struct tp_safetensors_entry *entry = &located->tensor.entry;
		entry->name = name;
		if (!json_is_object(info))
			return tp_fail(TP_ERR_INPUT,
			               "%s: tensor %s: expected an object with dtype, shape and data_offsets",
			               file->path, name);
		TP_TRY(parse_type(file, info, entry));
		TP_TRY(parse_shape(file, info, entry));
		TP_TRY(parse_extent(file, info, entry, &located->extent));
	}
	return TP_OK;
}

static int by_extent(const void *a, const void *b)
{
	const struct extent *x = &((const struct located *)a)->extent, *y = &((const struct located *)b)->extent;
	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* The tensors, in order, must fill the values of the file. */
static enum tp_status check_coverage(struct tp_safetensors *file)
{
	int64_t covered = 0;
	const char *before = "the header";
	qsort(file->tensors, file->count, sizeof *file->tensors, by_extent);
	for (size_t i = 0; i < file->count; i++) {
		const struct located *located = &file->tensors[i];
		const char *name = located->tensor.entry.name;
		int64_t begin = located->extent.begin;
		if (begin < covered)
			return tp_fail(TP_ERR_INPUT,
			               "%s: tensor %s: expected values from offset %lld on, after %s, found %lld: they "
			               "overlap",
			               file->path, name, (long long)covered, before, (long long)begin);
		if (begin > covered)
			return tp_fail(
			        TP_ERR_INPUT,
			        "%s: tensor %s: expected values from offset %lld on, after %s, found %lld: a gap",
			        file->path, name, (long long)covered, before, (long long)begin);
		covered = located->extent.end;
		before = name;
	}
	if (covered != file->data_bytes)
		return tp_fail(TP_ERR_INPUT, "%s: expected %lld bytes of values, found %lld", file->path,
		               (long long)covered, (long long)file->data_bytes);
	return TP_OK;
}

/* Each tensor into an aligned place of its own: in the file they need not be aligned. */
static enum tp_status read_values(struct tp_safetensors *file)
{
	size_t bytes = 0;
	for (size_t i = 0; i < file->count; i++)
		bytes += tp_align_up((size_t)tp_safetensors_entry_bytes(&file->tensors[i].tensor.entry));
	TP_TRY(tp_arena_init(&file->values, bytes));
	for (size_t i = 0; i < file->count; i++) {
		struct tp_safetensor *tensor = &file->tensors[i].tensor;
		int64_t size = tp_safetensors_entry_bytes(&tensor->entry);
		tensor->elements = size / value_bytes(tensor->entry.type);
		void *values = tp_arena_take(&file->values, (size_t)size);
		TP_TRY(read_at(file, values, size, file->data_begin + file->tensors[i].extent.begin));
		if (tensor->entry.type == TP_SAFETENSORS_F32)
			tensor->f32 = values;
		else
			tensor->i64 = values;
	}
	return TP_OK;
}

static enum tp_status load(struct tp_safetensors *file)
{
	TP_TRY(read_header(file));
	TP_TRY(parse_tensors(file));
	TP_TRY(check_coverage(file));
	return read_values(file);
}

enum tp_status tp_safetensors_open(const char *path, struct tp_safetensors **out)
{
	struct tp_safetensors *file = tp_alloc(sizeof *file);
	if (!file)
		return TP_ERR_NOMEM;
	file->path = path;
	file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
	if (file->descriptor < 0) {
		tp_free(file);
		return tp_fail(TP_ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
	}
	enum tp_status status = load(file);
	(void)close(file->descriptor);
	if (status != TP_OK) {
		tp_safetensors_close(file);
		return status;
	}
	file->path = NULL;
	*out = file;
	return TP_OK;
}

void tp_safetensors_close(struct tp_safetensors *file)
{
	if (!file)
		return;
	tp_arena_release(&file->values);
	tp_free(file->tensors);
	json_decref(file->header);
	tp_free(file);
}

size_t tp_safetensors_count(const struct tp_safetensors *file)
{
	return file->count;
}

const struct tp_safetensor *tp_safetensors_at(const struct tp_safetensors *file, size_t index)
{
	return &file->tensors[index].tensor;
}

const struct tp_safetensor *tp_safetensors_find(const struct tp_safetensors *file, const char *name)
{
	for (size_t i = 0; i < file->count; i++)
		if (strcmp(file->tensors[i].tensor.entry.name, name) == 0)
			return &file->tensors[i].tensor;
	return NULL;
}
