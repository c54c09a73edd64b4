/* Emulated links under the real clock: messages leave and arrive when the link says, in order, never early, and cost no
 * processor on their way. Nothing here asks the machine to be fast. Meant to be run under the thread sanitizer too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/transport/courier.h"

#define MS INT64_C(1000000)

/* A byte takes a microsecond. */
static const struct tp_link slow = {.bytes_per_s = 1e6, .latency_ns = 5 * MS};

/* One boundary: a channel in each direction, with receivers of their own. */
struct boundary {
	struct tp_waiter waiters[2];
	struct tp_channel channels[2];
	struct tp_courier courier;
};

static void boundary_init(struct boundary *boundary, int64_t capacity, const struct tp_link *down,
                          const struct tp_link *up)
{
	const struct tp_link *links[2] = {down, up};
	assert_int_equal(tp_courier_init(&boundary->courier, 2, tp_now_ns()), TP_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tp_waiter_init(&boundary->waiters[i], 0), TP_OK);
		assert_int_equal(tp_channel_init(&boundary->channels[i], capacity, &boundary->waiters[i]), TP_OK);
		tp_courier_attach(&boundary->courier, &boundary->channels[i], links[i]);
	}
	assert_int_equal(tp_courier_start(&boundary->courier), TP_OK);
}

static void boundary_release(struct boundary *boundary)
{
	tp_courier_release(&boundary->courier);
	for (int i = 0; i < 2; i++) {
		tp_channel_release(&boundary->channels[i]);
		tp_waiter_release(&boundary->waiters[i]);
	}
}

static int64_t run_clock(const struct boundary *boundary)
{
	return tp_now_ns() - boundary->courier.clock_zero_ns;
}

static void send_one(struct tp_channel *channel, int64_t mini, int64_t bytes, int64_t ready_ns)
{
	/* what a sender without a link would say; the link says otherwise */
	struct tp_message message = {
	        .mini = mini, .bytes = bytes, .ready_ns = ready_ns, .sent_ns = ready_ns, .arrived_ns = ready_ns};
	assert_int_equal(tp_channel_send(channel, &message), TP_SEND_DONE);
}

/* The next message, waited for like a stage waits; it must not be here before it has arrived. */
static struct tp_message receive(struct boundary *boundary, int direction)
{
	struct tp_channel *channel = &boundary->channels[direction];
	const struct tp_message *message;
	for (;;) {
		uint32_t count = tp_waiter_count(channel->receiver);
		message = tp_channel_peek(channel);
		if (message)
			break;
		assert_true(tp_waiter_wait(channel->receiver, count, tp_now_ns() + 20 * TP_NS_PER_S));
	}
	struct tp_message taken = *message;
	assert_true(run_clock(boundary) >= taken.arrived_ns);
	tp_channel_pop(channel);
	return taken;
}

static void expect_times(const struct tp_message *message, int64_t mini, int64_t ready_ns, int64_t sent_ns,
                         int64_t arrived_ns)
{
	assert_int_equal(message->mini, mini);
	assert_int_equal(message->ready_ns, ready_ns);
	assert_int_equal(message->sent_ns, sent_ns);
	assert_int_equal(message->arrived_ns, arrived_ns);
}

/* Three that are ready at once, of 10, 20 and 1 ms, then one that finds the link free. */
static void messages_of_a_direction_queue(void **state)
{
	(void)state;
	struct boundary boundary;
	boundary_init(&boundary, 4, &slow, &slow);
	struct tp_channel *channel = &boundary.channels[0];
	int64_t t = run_clock(&boundary);
	send_one(channel, 1, 10000, t);
	send_one(channel, 2, 20000, t);
	send_one(channel, 3, 1000, t + 2 * MS);
	send_one(channel, 4, 3000, t + 40 * MS);
	struct tp_message message = receive(&boundary, 0);
	expect_times(&message, 1, t, t, t + 15 * MS);
	message = receive(&boundary, 0);
	expect_times(&message, 2, t, t + 10 * MS, t + 35 * MS);
	message = receive(&boundary, 0);
	expect_times(&message, 3, t + 2 * MS, t + 30 * MS, t + 36 * MS);
	message = receive(&boundary, 0);
	expect_times(&message, 4, t + 40 * MS, t + 40 * MS, t + 48 * MS);
	assert_int_equal(tp_channel_delivered(channel), 4);
	boundary_release(&boundary);
}

/* A link without limit still has its latency, and a message without bytes takes only that. */
static void latency_without_bandwidth(void **state)
{
	(void)state;
	static const struct tp_link far = {.bytes_per_s = 0, .latency_ns = 3 * MS};
	struct boundary boundary;
	boundary_init(&boundary, 4, &far, &slow);
	int64_t t = run_clock(&boundary);
	send_one(&boundary.channels[0], 1, INT64_C(1) << 40, t);
	send_one(&boundary.channels[0], 2, 1, t);
	send_one(&boundary.channels[1], 3, 0, t);
	for (int64_t mini = 1; mini <= 2; mini++) {
		struct tp_message message = receive(&boundary, 0);
		expect_times(&message, mini, t, t, t + 3 * MS);
	}
	struct tp_message message = receive(&boundary, 1);
	expect_times(&message, 3, t, t, t + 5 * MS);
	boundary_release(&boundary);
}

/* Downstream a message of a minute is under way; upstream does not notice, and the end does not wait for it. */
static void directions_do_not_disturb_each_other(void **state)
{
	(void)state;
	struct boundary boundary;
	boundary_init(&boundary, 4, &slow, &slow);
	int64_t t = run_clock(&boundary);
	send_one(&boundary.channels[0], 1, 60000000, t);
	for (int64_t mini = 1; mini <= 3; mini++) {
		send_one(&boundary.channels[1], mini, 1000, t);
		struct tp_message message = receive(&boundary, 1);
		expect_times(&message, mini, t, t + (mini - 1) * MS, t + (mini + 5) * MS);
	}
	assert_null(tp_channel_peek(&boundary.channels[0]));
	assert_int_equal(tp_channel_delivered(&boundary.channels[0]), 0);
	boundary_release(&boundary);
}

/* A later message of another channel that arrives first must shorten the courier's sleep. */
static void an_earlier_arrival_wakes_the_courier(void **state)
{
	(void)state;
	struct boundary boundary;
	boundary_init(&boundary, 4, &slow, &slow);
	int64_t t = run_clock(&boundary);
	send_one(&boundary.channels[0], 1, 60000000, t);
	struct timespec moment = {.tv_nsec = 20 * MS}; /* the courier sleeps by now */
	(void)nanosleep(&moment, NULL);
	int64_t ready = run_clock(&boundary);
	send_one(&boundary.channels[1], 2, 1000, ready);
	struct tp_message message = receive(&boundary, 1);
	expect_times(&message, 2, ready, ready, ready + 6 * MS);
	boundary_release(&boundary);
}

/* A message refused by a full queue has not used the link. */
static void a_busy_channel_leaves_the_link_alone(void **state)
{
	(void)state;
	struct boundary boundary;
	boundary_init(&boundary, 2, &slow, &slow);
	int64_t t = run_clock(&boundary);
	send_one(&boundary.channels[0], 1, 1000, t);
	send_one(&boundary.channels[0], 2, 1000, t);
	struct tp_message third = {.mini = 3, .bytes = 50000, .ready_ns = t};
	assert_int_equal(tp_channel_send(&boundary.channels[0], &third), TP_SEND_BUSY);
	(void)receive(&boundary, 0);
	send_one(&boundary.channels[0], 3, 1000, t);
	(void)receive(&boundary, 0);
	struct tp_message message = receive(&boundary, 0);
	expect_times(&message, 3, t, t + 2 * MS, t + 8 * MS);
	boundary_release(&boundary);
}

static void send_now_passes_the_link(void **state)
{
	(void)state;
	struct boundary boundary;
	boundary_init(&boundary, 4, &slow, &slow);
	struct tp_message message = {.mini = 7, .bytes = 60000000, .ready_ns = 11, .sent_ns = 12, .arrived_ns = 13};
	assert_int_equal(tp_channel_send_now(&boundary.channels[0], &message), TP_SEND_DONE);
	assert_int_equal(tp_channel_delivered(&boundary.channels[0]), 1);
	const struct tp_message *there = tp_channel_peek(&boundary.channels[0]);
	assert_non_null(there);
	expect_times(there, 7, 11, 12, 13);
	tp_channel_pop(&boundary.channels[0]);
	int64_t t = run_clock(&boundary);
	send_one(&boundary.channels[0], 8, 1000, t);
	message = receive(&boundary, 0);
	expect_times(&message, 8, t, t, t + 6 * MS); /* and has not used it */
	boundary_release(&boundary);
}

static void reset_forgets_what_is_under_way(void **state)
{
	(void)state;
	struct boundary boundary;
	boundary_init(&boundary, 4, &slow, &slow);
	int64_t t = run_clock(&boundary);
	send_one(&boundary.channels[0], 1, 30000, t);
	send_one(&boundary.channels[0], 2, 60000000, t);
	tp_channel_reset(&boundary.channels[0]);
	assert_null(tp_channel_peek(&boundary.channels[0]));
	send_one(&boundary.channels[0], 3, 1000, t);
	struct tp_message message = receive(&boundary, 0);
	expect_times(&message, 3, t, t, t + 6 * MS);
	assert_int_equal(tp_channel_delivered(&boundary.channels[0]), 1);
	boundary_release(&boundary);
}

static int64_t cpu_ns(const struct tp_courier *courier)
{
	clockid_t clock;
	struct timespec used;
	assert_int_equal(pthread_getcpuclockid(courier->thread, &clock), 0);
	assert_int_equal(clock_gettime(clock, &used), 0);
	return used.tv_sec * TP_NS_PER_S + used.tv_nsec;
}

/* While a message is 300 ms under way, and as long while none is, the courier uses less than a tenth of a processor; a
 * loop that looks at the clock would use all it gets. */
static void waiting_takes_no_processor(void **state)
{
	(void)state;
	static const struct tp_link far = {.bytes_per_s = 1e9, .latency_ns = 300 * MS};
	struct boundary boundary;
	boundary_init(&boundary, 4, &far, &far);
	int64_t before = cpu_ns(&boundary.courier);
	send_one(&boundary.channels[0], 1, 1000, run_clock(&boundary));
	(void)receive(&boundary, 0);
	struct timespec idle = {.tv_nsec = 300 * MS};
	(void)nanosleep(&idle, NULL);
	assert_true(cpu_ns(&boundary.courier) - before < 60 * MS);
	boundary_release(&boundary);
}

enum { STREAM = 4000 };

struct sender {
	struct boundary *boundary;
	int direction;
	uint64_t seed;
};

static void *send_stream(void *argument)
{
	struct sender *sender = argument;
	struct tp_channel *channel = &sender->boundary->channels[sender->direction];
	struct tp_prng prng;
	tp_prng_init(&prng, sender->seed, 1);
	for (int64_t mini = 1; mini <= STREAM;) {
		struct tp_message message = {.mini = mini,
		                             .bytes = (int64_t)tp_prng_below(&prng, 3000),
		                             .ready_ns = run_clock(sender->boundary)};
		while (tp_channel_send(channel, &message) == TP_SEND_BUSY)
			;
		mini++;
	}
	return NULL;
}

/* Both directions at once, more than fits, nothing lost or overtaken, nothing allocated. */
static void streams_keep_their_order(void **state)
{
	(void)state;
	static const struct tp_link fast = {.bytes_per_s = 1e9, .latency_ns = 10000};
	struct boundary boundary;
	pthread_t threads[2];
	struct sender senders[2] = {{&boundary, 0, 1}, {&boundary, 1, 2}};
	boundary_init(&boundary, 8, &fast, &fast);
	uint64_t allocations = tp_alloc_count();
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_stream, &senders[i]), 0);
	int64_t last_ns[2] = {0, 0}, free_ns[2] = {0, 0};
	for (int64_t mini = 1; mini <= STREAM; mini++) {
		for (int i = 0; i < 2; i++) {
			struct tp_message message = receive(&boundary, i);
			int64_t sent = message.ready_ns > free_ns[i] ? message.ready_ns : free_ns[i];
			free_ns[i] = sent + tp_link_transfer_ns(&fast, message.bytes);
			expect_times(&message, mini, message.ready_ns, sent, free_ns[i] + fast.latency_ns);
			assert_true(message.arrived_ns >= last_ns[i]);
			last_ns[i] = message.arrived_ns;
		}
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(tp_alloc_count(), allocations);
	boundary_release(&boundary);
}

/* Epochs and evaluations in turn: the courier may still look around when both sides have gone on. */
static void turns_of_linked_and_direct_messages(void **state)
{
	(void)state;
	enum { ROUNDS = 20000 };
	static const struct tp_link fast = {.bytes_per_s = 0, .latency_ns = 1};
	struct boundary boundary;
	boundary_init(&boundary, 4, &fast, &fast);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t minis = 4 - round % 4; /* so that a count of the turn before is none of this */
		for (int64_t mini = 1; mini <= minis; mini++) {
			for (int i = 0; i < 2; i++)
				send_one(&boundary.channels[i], mini, 1, run_clock(&boundary));
		}
		for (int64_t mini = 1; mini <= minis; mini++) {
			for (int i = 0; i < 2; i++)
				assert_int_equal(receive(&boundary, i).mini, mini);
		}
		for (int i = 0; i < 2; i++)
			assert_int_equal(tp_channel_delivered(&boundary.channels[i]), minis);
		tp_courier_notice(&boundary.courier); /* it looks around from now on */
		for (int i = 0; i < 2; i++)
			tp_channel_reset(&boundary.channels[i]);
		for (int64_t mini = 11; mini <= 50; mini++) {
			struct tp_channel *channel = &boundary.channels[mini & 1];
			assert_null(tp_channel_peek(channel));
			struct tp_message message = {.mini = mini};
			assert_int_equal(tp_channel_send_now(channel, &message), TP_SEND_DONE);
			assert_int_equal(receive(&boundary, mini & 1).mini, mini);
		}
		for (int i = 0; i < 2; i++)
			tp_channel_reset(&boundary.channels[i]);
	}
	boundary_release(&boundary);
}

static void a_failed_start_is_safe_to_release(void **state)
{
	(void)state;
	struct tp_courier courier = {0};
	tp_courier_release(&courier);
	tp_alloc_fail_after(0);
	assert_int_equal(tp_courier_init(&courier, 2, 0), TP_ERR_NOMEM);
	tp_alloc_fail_after(-1);
	tp_courier_release(&courier);
	assert_int_equal(tp_courier_init(&courier, 2, 0), TP_OK);
	tp_courier_release(&courier); /* never started */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(messages_of_a_direction_queue),
	        cmocka_unit_test(latency_without_bandwidth),
	        cmocka_unit_test(directions_do_not_disturb_each_other),
	        cmocka_unit_test(an_earlier_arrival_wakes_the_courier),
	        cmocka_unit_test(a_busy_channel_leaves_the_link_alone),
	        cmocka_unit_test(send_now_passes_the_link),
	        cmocka_unit_test(reset_forgets_what_is_under_way),
	        cmocka_unit_test(waiting_takes_no_processor),
	        cmocka_unit_test(streams_keep_their_order),
	        cmocka_unit_test(turns_of_linked_and_direct_messages),
	        cmocka_unit_test(a_failed_start_is_safe_to_release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
