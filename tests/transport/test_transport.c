/* Channels, waiters and the board, with real threads: nothing lost, nothing twice, no version given up that was
 * promised. Meant to be run under the thread sanitizer too. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/transport/board.h"
#include "engine/transport/channel.h"

enum { MESSAGES = 20000 };

struct pair {
	struct tp_waiter waiter;
	struct tp_channel channel;
};

static void *send_all(void *argument)
{
	struct pair *pair = argument;
	for (int64_t i = 1; i <= MESSAGES;) {
		struct tp_message message = {.mini = i, .bytes = i * 3};
		i += tp_channel_send(&pair->channel, &message) == TP_SEND_DONE;
	}
	return NULL;
}

static void check_stream(int64_t spin_ns)
{
	struct pair pair;
	pthread_t sender;
	assert_int_equal(tp_waiter_init(&pair.waiter, spin_ns), TP_OK);
	assert_int_equal(tp_channel_init(&pair.channel, 5, &pair.waiter), TP_OK);
	assert_int_equal(pthread_create(&sender, NULL, send_all, &pair), 0);
	for (int64_t expected = 1; expected <= MESSAGES; expected++) {
		const struct tp_message *message;
		for (;;) {
			uint32_t count = tp_waiter_count(&pair.waiter);
			message = tp_channel_peek(&pair.channel);
			if (message)
				break;
			assert_true(tp_waiter_wait(&pair.waiter, count, tp_now_ns() + 20 * TP_NS_PER_S));
		}
		assert_int_equal(message->mini, expected);
		assert_int_equal(message->bytes, expected * 3);
		tp_channel_pop(&pair.channel);
	}
	assert_int_equal(pthread_join(sender, NULL), 0);
	assert_null(tp_channel_peek(&pair.channel));
	assert_int_equal(tp_channel_delivered(&pair.channel), MESSAGES);
	tp_channel_release(&pair.channel);
	tp_waiter_release(&pair.waiter);
}

static void test_stream_spinning(void **state)
{
	(void)state;
	check_stream(20000);
}

static void test_stream_parking(void **state)
{
	(void)state;
	check_stream(0);
}

static void test_full_channel_is_busy(void **state)
{
	(void)state;
	struct pair pair;
	assert_int_equal(tp_waiter_init(&pair.waiter, 0), TP_OK);
	assert_int_equal(tp_channel_init(&pair.channel, 4, &pair.waiter), TP_OK);
	for (int64_t i = 1; i <= 4; i++) {
		struct tp_message message = {.mini = i};
		assert_int_equal(tp_channel_send(&pair.channel, &message), TP_SEND_DONE);
	}
	struct tp_message fifth = {.mini = 5};
	assert_int_equal(tp_channel_send(&pair.channel, &fifth), TP_SEND_BUSY);
	tp_channel_pop(&pair.channel);
	assert_int_equal(tp_channel_send(&pair.channel, &fifth), TP_SEND_DONE);
	assert_int_equal(tp_channel_peek(&pair.channel)->mini, 2);
	tp_channel_reset(&pair.channel);
	assert_null(tp_channel_peek(&pair.channel));
	tp_channel_release(&pair.channel);
	tp_waiter_release(&pair.waiter);
}

static void test_wait_ends_at_its_deadline(void **state)
{
	(void)state;
	struct tp_waiter waiter;
	assert_int_equal(tp_waiter_init(&waiter, 1000), TP_OK);
	int64_t start = tp_now_ns();
	assert_false(tp_waiter_wait(&waiter, tp_waiter_count(&waiter), start + 20000000));
	assert_true(tp_now_ns() - start >= 20000000);
	/* A signal before the wait is not lost. */
	uint32_t count = tp_waiter_count(&waiter);
	tp_waiter_signal(&waiter);
	assert_true(tp_waiter_wait(&waiter, count, tp_now_ns()));
	tp_waiter_release(&waiter);
}

/* Stage 0 commits, the last stage stamps, a third looks on: whenever it sees a commit of version k + 1, every stamp of
 * version k is visible to it. */
enum { ROUNDS = 20000 };

static void *commit_all(void *argument)
{
	struct tp_board *board = argument;
	for (int64_t k = 1; k <= ROUNDS; k++) {
		/* mini-batch k can only be applied once its backward has started */
		while (tp_board_observe(board).started < k)
			(void)sched_yield();
		struct tp_observation before = tp_board_commit(board, k);
		if (before.committed != k - 1)
			return board;
	}
	return NULL;
}

static void *stamp_all(void *argument)
{
	struct tp_board *board = argument;
	for (int64_t mini = 1; mini <= ROUNDS; mini++) {
		while (mini - tp_board_observe(board).committed > 3)
			(void)sched_yield();
		int64_t stamp = tp_board_start_backward(board, mini);
		if (mini - stamp < 1 || mini - stamp > 3)
			return board;
	}
	return NULL;
}

static void test_board_promises(void **state)
{
	(void)state;
	struct tp_board board;
	pthread_t committer, stamper;
	assert_int_equal(tp_board_init(&board, 4, 8), TP_OK);
	assert_int_equal(pthread_create(&committer, NULL, commit_all, &board), 0);
	assert_int_equal(pthread_create(&stamper, NULL, stamp_all, &board), 0);
	struct tp_observation last = {0};
	while (last.committed < ROUNDS) {
		struct tp_observation now = tp_board_observe(&board);
		assert_true(now.committed >= last.committed && now.started >= last.started);
		assert_true(now.started >= now.committed);
		last = now;
	}
	void *failed;
	assert_int_equal(pthread_join(committer, &failed), 0);
	assert_null(failed);
	assert_int_equal(pthread_join(stamper, &failed), 0);
	assert_null(failed);
	tp_board_release(&board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_stream_spinning),      cmocka_unit_test(test_stream_parking),
	        cmocka_unit_test(test_full_channel_is_busy), cmocka_unit_test(test_wait_ends_at_its_deadline),
	        cmocka_unit_test(test_board_promises),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
