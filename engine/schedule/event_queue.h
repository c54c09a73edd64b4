/* A queue of events by time, then by number: a binary heap of plain pairs. Every event number is in it at most once, so
 * it never grows beyond the numbers there are. */
#ifndef TP_ENGINE_SCHEDULE_EVENT_QUEUE_H
#define TP_ENGINE_SCHEDULE_EVENT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"

struct tp_event {
	int64_t time;
	int64_t number;
};

struct tp_event_queue {
	struct tp_event *heap;
	int64_t count;
};

/* Room for `numbers` events; TP_ERR_NOMEM. Release with tp_event_queue_release(). */
enum tp_status tp_event_queue_init(struct tp_event_queue *queue, int64_t numbers);
void tp_event_queue_release(struct tp_event_queue *queue);

void tp_event_push(struct tp_event_queue *queue, int64_t time, int64_t number);

/* Of a queue that is not empty: when the next event is, and its number as it is taken out. */
static inline int64_t tp_event_next_time(const struct tp_event_queue *queue)
{
	return queue->heap[0].time;
}
int64_t tp_event_pop(struct tp_event_queue *queue);

#endif
