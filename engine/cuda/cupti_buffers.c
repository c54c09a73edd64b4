#include "engine/cuda/cupti_buffers.h"

#include <pthread.h>
#include <string.h>

#include "engine/base/memory.h"

/* Before the bytes that CUPTI gets; keeps their alignment. */
struct buffer {
	struct buffer *next;
	size_t used_bytes;
	_Alignas(64) uint8_t bytes[];
};

struct tp_cupti_buffers {
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t filled, read_out;
	struct buffer *empty;
	struct buffer *full, **last; /* in the order in which they were put */
	int32_t waiting;             /* put and not yet read out */
	int64_t grown;
	bool stop;
	tp_cupti_reader *read;
	void *context;
	pthread_t reader;
};

static struct buffer *buffer_new(void)
{
	struct buffer *buffer = tp_alloc(sizeof *buffer + TP_CUPTI_BUFFER_BYTES);
	if (buffer)
		tp_prefault(buffer, sizeof *buffer + TP_CUPTI_BUFFER_BYTES);
	return buffer;
}

static void give_back(struct tp_cupti_buffers *buffers, struct buffer *buffer)
{
	buffer->next = buffers->empty;
	buffers->empty = buffer;
}

/* The next full one; NULL: no more will come. */
static struct buffer *next_full(struct tp_cupti_buffers *buffers)
{
	while (!buffers->full && !buffers->stop)
		(void)pthread_cond_wait(&buffers->filled, &buffers->lock);
	struct buffer *buffer = buffers->full;
	if (buffer)
		buffers->full = buffer->next;
	if (!buffers->full)
		buffers->last = &buffers->full;
	return buffer;
}

static void *read_all(void *of)
{
	struct tp_cupti_buffers *buffers = of;
	struct buffer *buffer;
	(void)pthread_mutex_lock(&buffers->lock);
	while ((buffer = next_full(buffers))) {
		(void)pthread_mutex_unlock(&buffers->lock);
		buffers->read(buffers->context, buffer->bytes, buffer->used_bytes);
		(void)memset(buffer->bytes, 0, buffer->used_bytes);
		(void)pthread_mutex_lock(&buffers->lock);
		give_back(buffers, buffer);
		buffers->waiting--;
		(void)pthread_cond_broadcast(&buffers->read_out);
	}
	(void)pthread_mutex_unlock(&buffers->lock);
	return NULL;
}

static void free_all(struct tp_cupti_buffers *buffers)
{
	for (struct buffer *buffer = buffers->empty, *next; buffer; buffer = next) {
		next = buffer->next;
		tp_free(buffer);
	}
	(void)pthread_mutex_destroy(&buffers->lock);
	(void)pthread_cond_destroy(&buffers->filled);
	(void)pthread_cond_destroy(&buffers->read_out);
	tp_free(buffers);
}

enum tp_status tp_cupti_buffers_new(int32_t count, tp_cupti_reader *read, void *context,
                                    struct tp_cupti_buffers **buffers)
{
	struct tp_cupti_buffers *made = tp_alloc(sizeof *made);
	if (!made)
		return TP_ERR_NOMEM;
	(void)pthread_mutex_init(&made->lock, NULL);
	(void)pthread_cond_init(&made->filled, NULL);
	(void)pthread_cond_init(&made->read_out, NULL);
	made->last = &made->full;
	made->read = read;
	made->context = context;
	enum tp_status status = TP_OK;
	for (int32_t i = 0; i < count && status == TP_OK; i++) {
		struct buffer *buffer = buffer_new();
		if (buffer)
			give_back(made, buffer);
		else
			status = TP_ERR_NOMEM;
	}
	if (status == TP_OK && pthread_create(&made->reader, NULL, read_all, made) != 0)
		status = tp_fail(TP_ERR_UNSUPPORTED, "cannot start the thread that reads CUPTI's buffers");
	if (status == TP_OK)
		*buffers = made;
	else
		free_all(made);
	return status;
}

void tp_cupti_buffers_free(struct tp_cupti_buffers *buffers)
{
	if (!buffers)
		return;
	(void)pthread_mutex_lock(&buffers->lock);
	buffers->stop = true;
	(void)pthread_cond_broadcast(&buffers->filled);
	(void)pthread_mutex_unlock(&buffers->lock);
	(void)pthread_join(buffers->reader, NULL);
	free_all(buffers);
}

uint8_t *tp_cupti_buffers_take(struct tp_cupti_buffers *buffers)
{
	(void)pthread_mutex_lock(&buffers->lock);
	struct buffer *buffer = buffers->empty;
	if (buffer)
		buffers->empty = buffer->next;
	else
		buffers->grown++;
	(void)pthread_mutex_unlock(&buffers->lock);
	if (!buffer)
		buffer = buffer_new();
	return buffer ? buffer->bytes : NULL;
}

void tp_cupti_buffers_put(struct tp_cupti_buffers *buffers, uint8_t *bytes, size_t used_bytes)
{
	struct buffer *buffer = (void *)(bytes - offsetof(struct buffer, bytes));
	buffer->next = NULL;
	buffer->used_bytes = used_bytes;
	(void)pthread_mutex_lock(&buffers->lock);
	*buffers->last = buffer;
	buffers->last = &buffer->next;
	buffers->waiting++;
	(void)pthread_cond_signal(&buffers->filled);
	(void)pthread_mutex_unlock(&buffers->lock);
}

void tp_cupti_buffers_drain(struct tp_cupti_buffers *buffers)
{
	(void)pthread_mutex_lock(&buffers->lock);
	while (buffers->waiting > 0)
		(void)pthread_cond_wait(&buffers->read_out, &buffers->lock);
	(void)pthread_mutex_unlock(&buffers->lock);
}

int64_t tp_cupti_buffers_grown(struct tp_cupti_buffers *buffers)
{
	(void)pthread_mutex_lock(&buffers->lock);
	int64_t grown = buffers->grown;
	(void)pthread_mutex_unlock(&buffers->lock);
	return grown;
}
