#include "engine/schedule/event_queue.h"

#include "engine/base/memory.h"

enum tp_status tp_event_queue_init(struct tp_event_queue *queue, int64_t numbers)
{
	queue->count = 0;
	queue->heap = tp_alloc_array((size_t)numbers, sizeof *queue->heap);
	return queue->heap ? TP_OK : TP_ERR_NOMEM;
}

void tp_event_queue_release(struct tp_event_queue *queue)
{
	tp_free(queue->heap);
	*queue = (struct tp_event_queue){0};
}

static bool before(const struct tp_event *a, const struct tp_event *b)
{
	return a->time < b->time || (a->time == b->time && a->number < b->number);
}

void tp_event_push(struct tp_event_queue *queue, int64_t time, int64_t number)
{
	const struct tp_event event = {time, number};
	int64_t at = queue->count++;
	for (; at > 0 && before(&event, &queue->heap[(at - 1) / 2]); at = (at - 1) / 2)
		queue->heap[at] = queue->heap[(at - 1) / 2];
	queue->heap[at] = event;
}

int64_t tp_event_pop(struct tp_event_queue *queue)
{
	int64_t number = queue->heap[0].number, at = 0;
	const struct tp_event moved = queue->heap[--queue->count];
	for (;;) {
		int64_t child = 2 * at + 1;
		if (child >= queue->count)
			break;
		if (child + 1 < queue->count && before(&queue->heap[child + 1], &queue->heap[child]))
			child++;
		if (!before(&queue->heap[child], &moved))
			break;
		queue->heap[at] = queue->heap[child];
		at = child;
	}
	queue->heap[at] = moved;
	return number;
}
