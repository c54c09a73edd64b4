/* Messages between stages on GPUs, over fakecuda with two of them. argv[1] is libfakecuda.so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "engine/base/clock.h"
#include "tests/cuda/stand_in.h"

enum { MESSAGES = 6, BYTES = 2048 };

static const struct tp_link_ops *link_of(const struct tp_device *device, const char *name)
{
	for (const struct tp_link_ops *const *link = device->ops->async->links; *link; link++)
		if (strcmp((*link)->name, name) == 0)
			return *link;
	fail_msg("no link '%s'", name);
	return NULL;
}

/* Two neighbours with one buffer each, so that every message needs room that the one before has left. */
struct pair {
	struct tp_device *sender, *receiver;
	const struct tp_link_ops *link;
	struct tp_link_way *way;
	bool upstream;
	unsigned char *source, *outbox, *inbox, *result; /* result: of all messages */
	struct tp_mark *ready, *room, *began, *arrived, *left;
};

static void open_pair(struct pair *pair, const char *link, bool upstream, int32_t gpus)
{
	const int32_t sender = upstream ? 1 : 0;
	*pair = (struct pair){.upstream = upstream};
	pair->sender = stand_in_open(TP_MATH_FP32, sender, 2, gpus);
	pair->receiver = stand_in_open(TP_MATH_FP32, 1 - sender, 2, gpus);
	pair->link = link_of(pair->sender, link);
	if (pair->link->open(pair->sender, pair->receiver, upstream, &pair->way) != TP_OK)
		fail_msg("%s", tp_detail());
	const bool sender_acts = upstream ? pair->link->sender_acts_upstream : pair->link->sender_acts_downstream;
	struct tp_device *actor = sender_acts ? pair->sender : pair->receiver;
	pair->source = stand_in_memory(pair->sender, (size_t)MESSAGES * BYTES);
	pair->outbox = stand_in_memory(pair->sender, BYTES);
	pair->inbox = stand_in_memory(pair->receiver, BYTES);
	pair->result = stand_in_memory(pair->receiver, (size_t)MESSAGES * BYTES);
	pair->ready = stand_in_mark(pair->sender);
	pair->room = stand_in_mark(pair->receiver);
	pair->began = stand_in_mark(actor);
	pair->arrived = stand_in_mark(actor);
	pair->left = stand_in_mark(pair->sender);
	for (int i = 0; i < MESSAGES * BYTES; i++)
		pair->source[i] = (unsigned char)(i / BYTES + i % 31);
}

static void close_pair(struct pair *pair)
{
	const bool sender_acts = pair->upstream ? pair->link->sender_acts_upstream : pair->link->sender_acts_downstream;
	struct tp_device *actor = sender_acts ? pair->sender : pair->receiver;
	const struct tp_async_ops *async = pair->sender->ops->async;
	pair->link->close(pair->way);
	async->mark_free(pair->sender, pair->ready);
	async->mark_free(pair->receiver, pair->room);
	async->mark_free(actor, pair->began);
	async->mark_free(actor, pair->arrived);
	async->mark_free(pair->sender, pair->left);
	const struct tp_memory_ops *memory = pair->sender->ops->memory;
	memory->release(pair->sender, pair->source);
	memory->release(pair->sender, pair->outbox);
	memory->release(pair->receiver, pair->inbox);
	memory->release(pair->receiver, pair->result);
	pair->sender->ops->close(pair->sender);
	pair->receiver->ops->close(pair->receiver);
}

/* The outbox is filled when the last message has left it, the inbox when it was read. */
static enum tp_status send_and_receive(struct pair *pair, int message, bool keep_room)
{
	const struct tp_async_ops *async = pair->sender->ops->async;
	const struct tp_transfer transfer = {.from = pair->outbox,
	                                     .to = pair->inbox,
	                                     .bytes = BYTES,
	                                     .ready = pair->ready,
	                                     .room = keep_room ? pair->room : NULL,
	                                     .began = pair->began,
	                                     .arrived = pair->arrived,
	                                     .left = pair->left};
	TP_TRY(async->wait(pair->sender, pair->arrived));
	TP_TRY(async->wait(pair->sender, pair->left)); /* of a sender that acts; else it was never recorded */
	pair->sender->ops->copy(pair->sender, pair->source + message * BYTES, pair->outbox, BYTES);
	TP_TRY(async->record(pair->sender, pair->ready));
	TP_TRY(pair->link->send(pair->way, &transfer));
	TP_TRY(pair->link->receive(pair->way, &transfer));
	TP_TRY(async->wait(pair->receiver, pair->arrived));
	pair->receiver->ops->copy(pair->receiver, pair->inbox, pair->result + message * BYTES, BYTES);
	return async->record(pair->receiver, pair->room);
}

static void send_all(struct pair *pair, bool keep_room)
{
	for (int message = 0; message < MESSAGES; message++)
		if (send_and_receive(pair, message, keep_room) != TP_OK)
			fail_msg("message %d: %s", message, tp_detail());
	stand_in_finish(pair->sender);
	stand_in_finish(pair->receiver);
}

static void messages_arrive(const char *link, bool upstream, int32_t gpus)
{
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		struct pair pair;
		stand_in.reset(seed);
		open_pair(&pair, link, upstream, gpus);
		send_all(&pair, true);
		assert_memory_equal(pair.result, pair.source, (size_t)MESSAGES * BYTES);
		if (pair.link->check)
			assert_int_equal(pair.link->check(pair.way), TP_OK);
		close_pair(&pair);
		(void)stand_in_clean(NULL);
	}
}

static void copies_within_a_gpu(void **state)
{
	(void)state;
	messages_arrive("cuda-copy", false, 1);
	messages_arrive("cuda-copy", true, 1);
}

static void copies_between_gpus(void **state)
{
	(void)state;
	messages_arrive("cuda-copy", false, 2);
	messages_arrive("cuda-copy", true, 2);
	(void)setenv("FAKECUDA_NO_PEERS", "1", 1);
	messages_arrive("cuda-copy", false, 2);
	(void)unsetenv("FAKECUDA_NO_PEERS");
}

static void nccl_between_gpus(void **state)
{
	(void)state;
	messages_arrive("nccl", false, 2);
	messages_arrive("nccl", true, 2);
}

/* A kernel of NCCL's that waits takes up a part of the GPU: it begins when there is something to receive. */
static void nccl_begins_when_there_is_something(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		struct pair pair;
		int64_t ready_ns = 0, began_ns = 0, sender_error_ns = 0, receiver_error_ns = 0;
		stand_in.reset(seed);
		open_pair(&pair, "nccl", false, 2);
		const struct tp_async_ops *async = pair.sender->ops->async;
		assert_int_equal(async->start_clock(pair.sender, &sender_error_ns), TP_OK);
		assert_int_equal(async->start_clock(pair.receiver, &receiver_error_ns), TP_OK);
		assert_int_equal(send_and_receive(&pair, 0, false), TP_OK);
		stand_in_finish(pair.sender);
		stand_in_finish(pair.receiver);
		assert_int_equal(async->time(pair.receiver, pair.ready, &ready_ns), TP_OK);
		assert_int_equal(async->time(pair.receiver, pair.began, &began_ns), TP_OK);
		if (began_ns + sender_error_ns + receiver_error_ns < ready_ns)
			fail_msg("seed %d: began %lld ns early", (int)seed, (long long)(ready_ns - began_ns));
		close_pair(&pair);
	}
}

/* The test itself: an inbox that is written before it was read is found. */
static void missing_room_is_found(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= STAND_IN_SEEDS; seed++) {
		struct pair pair;
		struct fake_counts counts;
		stand_in.reset(seed);
		open_pair(&pair, "cuda-copy", false, 1);
		send_all(&pair, false);
		stand_in.counts(&counts);
		if (counts.races == 0)
			fail_msg("seed %d: not found", (int)seed);
		close_pair(&pair);
	}
	stand_in.reset(1);
}

/* The way is refused with both parts of the reason, and leaves nothing. */
static void expect_refused(const char *name, int32_t gpus, const char *first, const char *second)
{
	struct tp_device *sender = stand_in_open(TP_MATH_FP32, 0, 2, gpus);
	struct tp_device *receiver = stand_in_open(TP_MATH_FP32, 1, 2, gpus);
	struct tp_link_way *way = NULL;
	assert_int_equal(link_of(sender, name)->open(sender, receiver, false, &way), TP_ERR_UNSUPPORTED);
	stand_in_expect_detail(first);
	stand_in_expect_detail(second);
	sender->ops->close(sender);
	receiver->ops->close(receiver);
}

static void ways_that_cannot_be(void **state)
{
	(void)state;
	expect_refused("nccl", 1, "--transport nccl: stages 0 and 1 share GPU 0", "cuda-copy");
	(void)setenv("FAKECUDA_NO_PEERS", "1", 1);
	expect_refused("cuda-direct", 2, "--transport cuda-direct: GPU 0 (stage 0) and GPU 1 (stage 1)", "cuda-copy");
	(void)unsetenv("FAKECUDA_NO_PEERS");
}

/* The receiver reads the outbox itself. */
static void direct_moves_nothing(void **state)
{
	(void)state;
	for (int32_t gpus = 1; gpus <= 2; gpus++) {
		struct tp_device *sender = stand_in_open(TP_MATH_FP32, 0, 2, gpus);
		struct tp_device *receiver = stand_in_open(TP_MATH_FP32, 1, 2, gpus);
		const struct tp_link_ops *link = link_of(sender, "cuda-direct");
		struct tp_link_way *way = NULL;
		struct fake_counts before, after;
		assert_false(link->copies);
		assert_int_equal(link->open(sender, receiver, false, &way), TP_OK);
		stand_in.counts(&before);
		assert_int_equal(link->send(way, NULL), TP_OK);
		assert_int_equal(link->receive(way, NULL), TP_OK);
		stand_in.counts(&after);
		assert_int_equal(before.operations, after.operations);
		link->close(way);
		sender->ops->close(sender);
		receiver->ops->close(receiver);
	}
}

static void *abort_way(void *argument)
{
	struct pair *pair = argument;
	pair->link->abort(pair->way);
	return NULL;
}

/* A receiver whose peer never sends: given up from another thread, it comes to rest, and says why to all who ask. */
static void hung_peer_is_given_up(void **state)
{
	(void)state;
	struct pair pair;
	pthread_t thread;
	open_pair(&pair, "nccl", false, 2);
	const struct tp_transfer transfer = {
	        .to = pair.inbox, .bytes = BYTES, .room = pair.room, .began = pair.began, .arrived = pair.arrived};
	assert_int_equal(pair.link->receive(pair.way, &transfer), TP_OK);
	assert_int_equal(pair.receiver->ops->async->finish(pair.receiver, TP_NS_PER_S / 100), TP_ERR_TIMEOUT);
	assert_int_equal(pthread_create(&thread, NULL, abort_way, &pair), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_not_equal(pair.receiver->ops->async->finish(pair.receiver, TP_NS_PER_S), TP_ERR_TIMEOUT);
	assert_int_equal(pair.link->check(pair.way), TP_ERR_ABORTED);
	assert_int_equal(pair.link->receive(pair.way, &transfer), TP_ERR_ABORTED);
	close_pair(&pair);
	stand_in.reset(1);
}

/* What NCCL says by itself, between two calls. */
static void nccl_failures_are_told(void **state)
{
	(void)state;
	struct pair pair;
	open_pair(&pair, "nccl", true, 2);
	stand_in.inject("ncclCommGetAsyncError:1:6");
	assert_int_equal(pair.link->check(pair.way), TP_ERR_DEVICE);
	stand_in_expect_detail("ncclCommGetAsyncError at engine/cuda/cuda_nccl.c:");
	stand_in.inject("ncclSend:1:3");
	assert_int_equal(send_and_receive(&pair, 0, true), TP_ERR_DEVICE);
	stand_in_expect_detail("ncclSend at ");
	stand_in.inject(NULL);
	close_pair(&pair);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s LIBFAKECUDA\n", argv[0]);
		return 2;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(copies_within_a_gpu, stand_in_clean),
	        cmocka_unit_test_teardown(copies_between_gpus, stand_in_clean),
	        cmocka_unit_test_teardown(nccl_between_gpus, stand_in_clean),
	        cmocka_unit_test_teardown(nccl_begins_when_there_is_something, stand_in_clean),
	        cmocka_unit_test_teardown(missing_room_is_found, stand_in_clean),
	        cmocka_unit_test_teardown(ways_that_cannot_be, stand_in_clean),
	        cmocka_unit_test_teardown(direct_moves_nothing, stand_in_clean),
	        cmocka_unit_test_teardown(hung_peer_is_given_up, stand_in_clean),
	        cmocka_unit_test_teardown(nccl_failures_are_told, stand_in_clean),
	};
	stand_in_load(argv[1], "2");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
