#include "engine/transport/board.h"

#include "engine/base/memory.h"

enum tp_status tp_board_init(struct tp_board *board, int64_t tags, int64_t minis)
{
	board->stamps = (struct tp_stamps){
	        .tag_mask = tp_ring_size(tags) - 1,
	        .stamp_mask = tp_ring_size(minis) - 1,
	};
	board->stamps.tags = tp_alloc_array((size_t)board->stamps.tag_mask + 1, sizeof *board->stamps.tags);
	board->stamps.stamps = tp_alloc_array((size_t)board->stamps.stamp_mask + 1, sizeof *board->stamps.stamps);
	tp_board_reset(board);
	if (pthread_mutex_init(&board->mutex, NULL) != 0)
		return tp_fail(TP_ERR_NOMEM, "cannot make a mutex");
	return board->stamps.tags && board->stamps.stamps ? TP_OK : TP_ERR_NOMEM;
}

void tp_board_release(struct tp_board *board)
{
	(void)pthread_mutex_destroy(&board->mutex);
	tp_free(board->stamps.tags);
	tp_free(board->stamps.stamps);
	board->stamps = (struct tp_stamps){0};
}

void tp_board_reset(struct tp_board *board)
{
	atomic_store(&board->committed, 0);
	atomic_store(&board->entered, 0);
	atomic_store(&board->started, 0);
}

struct tp_observation tp_board_observe(struct tp_board *board)
{
	struct tp_observation now;
	now.committed = atomic_load_explicit(&board->committed, memory_order_acquire); /* first, see above */
	now.entered = atomic_load_explicit(&board->entered, memory_order_acquire);
	now.started = atomic_load_explicit(&board->started, memory_order_acquire);
	return now;
}

void tp_board_enter(struct tp_board *board, int64_t index, int64_t tag)
{
	board->stamps.tags[index & board->stamps.tag_mask] = tag;
	atomic_store_explicit(&board->entered, index + 1, memory_order_release);
}

int64_t tp_board_start_backward(struct tp_board *board, int64_t mini)
{
	(void)pthread_mutex_lock(&board->mutex);
	int64_t stamp = atomic_load_explicit(&board->committed, memory_order_relaxed);
	board->stamps.stamps[(mini - 1) & board->stamps.stamp_mask] = stamp;
	atomic_store_explicit(&board->started, mini, memory_order_release);
	(void)pthread_mutex_unlock(&board->mutex);
	return stamp;
}

struct tp_observation tp_board_commit(struct tp_board *board, int64_t version)
{
	(void)pthread_mutex_lock(&board->mutex);
	struct tp_observation before = tp_board_observe(board);
	atomic_store_explicit(&board->committed, version, memory_order_release);
	(void)pthread_mutex_unlock(&board->mutex);
	return before;
}
