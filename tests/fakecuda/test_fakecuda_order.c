/* Order: fakecuda finds what is not ordered, whatever order came out, and finds nothing wrong with a program that is
 * right. Without that, tests that pass on it would say nothing. */
#include "tests/fakecuda/fixture.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(call) assert_int_equal(call, cudaSuccess)

static void assert_clean(void)
{
	struct fake_counts counts = fixture_counts();
	if (counts.first_race[0])
		fail_msg("%s", counts.first_race);
	assert_int_equal(counts.races + counts.stale_host_reads + counts.reads_of_freed + counts.deadlocks, 0);
}

/* x = host, y = x + 1 on stream a; z = y + 2 and the copy back on stream b, which waits or does not; then x is used
 * again, after b is done with it or not. Returns the first value that came back. */
static float pipeline(struct fixture *f, bool waits)
{
	float result[COUNT];
	for (int i = 0; i < COUNT; i++)
		f->host[i] = 1;
	OK(cudaMemcpyAsync(f->x, f->host, BYTES, cudaMemcpyHostToDevice, f->a));
	OK(fixture_add(f, f->x, f->y, 1, f->a));
	OK(cudaEventRecord(f->done, f->a));
	if (waits)
		OK(cudaStreamWaitEvent(f->b, f->done, 0));
	OK(fixture_add(f, f->y, f->z, 2, f->b));
	OK(cudaEventRecord(f->other, f->b));
	OK(cudaStreamWaitEvent(f->a, f->other, 0));
	OK(fixture_add(f, f->x, f->y, 5, f->a));
	OK(cudaMemcpyAsync(result, f->z, BYTES, cudaMemcpyDeviceToHost, f->b));
	OK(cudaStreamSynchronize(f->a));
	return result[0];
}

static void test_right_program_is_clean_on_every_seed(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		assert_true(pipeline(*state, true) == 4);
		assert_clean();
		assert_int_equal(fixture_counts().operations, 5);
	}
}

static void test_missing_wait_is_found_on_every_seed(void **state)
{
	int wrong = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		wrong += !(pipeline(*state, false) == 4);
		struct fake_counts counts = fixture_counts();
		assert_true(counts.races > 0);
		assert_non_null(strstr(counts.first_race, "test_add"));
		assert_non_null(strstr(counts.first_race, "unordered"));
	}
	/* Numbers alone show it on some seeds only. */
	assert_in_range(wrong, 1, SEEDS - 1);
}

static void test_orders_differ_between_seeds(void **state)
{
	struct fixture *f = *state;
	char logs[SEEDS][16] = {{0}};
	int differ = 0;
	for (int seed = 0; seed < SEEDS; seed++) {
		fakecuda_reset((uint64_t)seed);
		for (int i = 0; i < 3; i++) {
			struct note_args a = {logs[seed], (char)('a' + i)}, b = {logs[seed], (char)('A' + i)};
			OK(fixture_launch(f->note, &a, f->a));
			OK(fixture_launch(f->note, &b, f->b));
		}
		assert_int_equal(strlen(logs[seed]), 0); /* nothing runs before somebody waits */
		OK(cudaDeviceSynchronize());
		assert_int_equal(strlen(logs[seed]), 6);
		assert_true(strchr(logs[seed], 'a') < strchr(logs[seed], 'b'));
		assert_true(strchr(logs[seed], 'B') < strchr(logs[seed], 'C'));
		differ += strcmp(logs[seed], logs[0]) != 0;
	}
	assert_true(differ > SEEDS / 2);
}

/* A wait takes the record that the event has at the moment of the call: none, or an older one, does not order. */
static void test_wait_takes_the_latest_record_at_the_call(void **state)
{
	struct fixture *f = *state;
	OK(cudaStreamWaitEvent(f->b, f->done, 0)); /* never recorded: no wait */
	OK(cudaEventRecord(f->done, f->a));
	OK(cudaStreamWaitEvent(f->b, f->done, 0));
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	OK(cudaEventRecord(f->done, f->a));
	OK(fixture_add(f, f->x, f->y, 1, f->b));
	OK(cudaDeviceSynchronize());
	assert_int_equal(fixture_counts().races, 1);
}

static void test_event_may_be_destroyed_while_a_stream_waits_for_it(void **state)
{
	struct fixture *f = *state;
	cudaEvent_t event;
	OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	OK(cudaEventRecord(event, f->a));
	OK(cudaStreamWaitEvent(f->b, event, 0));
	OK(cudaEventDestroy(event));
	OK(fixture_add(f, f->x, f->y, 1, f->b));
	OK(cudaStreamSynchronize(f->b));
	assert_clean();
	assert_int_equal(cudaEventQuery(event), cudaErrorInvalidResourceHandle);
}

static void test_host_waits_order_what_is_issued_after_them(void **state)
{
	struct fixture *f = *state;
	for (int way = 0; way < 4; way++) {
		fakecuda_reset((uint64_t)way);
		OK(fixture_add(f, f->y, f->x, 1, f->a));
		OK(cudaEventRecord(f->done, f->a));
		if (way == 0)
			OK(cudaStreamSynchronize(f->a));
		else if (way == 1)
			OK(cudaEventSynchronize(f->done));
		else if (way == 2)
			OK(cudaDeviceSynchronize());
		else
			while (cudaEventQuery(f->done) == cudaErrorNotReady)
				;
		OK(fixture_add(f, f->x, f->z, 1, f->b));
		OK(cudaDeviceSynchronize());
		assert_clean();
	}
}

static void test_polling_comes_to_an_end(void **state)
{
	struct fixture *f = *state;
	int polls = 0;
	for (int i = 0; i < 100; i++)
		OK(cudaMemsetAsync(f->x, i, BYTES, f->a));
	OK(cudaEventRecord(f->done, f->a));
	assert_int_equal(cudaEventQuery(f->done), cudaErrorNotReady);
	while (cudaEventQuery(f->done) == cudaErrorNotReady)
		assert_true(++polls <= 101);
	OK(cudaStreamQuery(f->a));
	OK(cudaGetLastError()); /* not ready is no error */
}

static void test_elapsed_time(void **state)
{
	struct fixture *f = *state;
	float ms = -1;
	assert_int_equal(cudaEventElapsedTime(&ms, f->done, f->other), cudaErrorInvalidResourceHandle);
	OK(cudaEventRecord(f->done, f->a));
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	OK(cudaEventRecord(f->other, f->a));
	assert_int_equal(cudaEventElapsedTime(&ms, f->done, f->other), cudaErrorNotReady);
	OK(cudaStreamSynchronize(f->a));
	OK(cudaEventElapsedTime(&ms, f->done, f->other));
	assert_true(ms >= 0);
}

/* Reading together is no race; writing over it is, on whichever stream did not wait. */
static void test_readers_share_and_a_writer_waits_for_all(void **state)
{
	struct fixture *f = *state;
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	OK(cudaStreamSynchronize(f->a));
	OK(fixture_add(f, f->x, f->y, 1, f->a));
	OK(fixture_add(f, f->x, f->z, 1, f->b));
	OK(cudaEventRecord(f->done, f->b));
	OK(cudaStreamWaitEvent(f->a, f->done, 0));
	OK(cudaMemsetAsync(f->x, 1, BYTES, f->a));
	OK(cudaDeviceSynchronize());
	assert_clean();
	OK(cudaMemsetAsync(f->x, 1, BYTES, f->a));
	OK(cudaMemsetAsync(f->x, 1, 4, f->b)); /* 4 bytes of what stream a writes */
	OK(cudaMemsetAsync(f->x + COUNT / 2, 1, 4, f->b));
	OK(cudaDeviceSynchronize());
	assert_int_equal(fixture_counts().races, 2);
}

static void test_neighbouring_bytes_do_not_meet(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < COUNT / 2; i++) {
		OK(cudaMemsetAsync(f->x + 2 * i, 1, 4, f->a));
		OK(cudaMemsetAsync(f->x + 2 * i + 1, 1, 4, f->b));
	}
	OK(cudaDeviceSynchronize());
	assert_clean();
}

/* --- two threads, each with a stream, that hand work over by events --- */

struct worker {
	struct fixture *f;
	cudaEvent_t *produced, *consumed; /* one for each round */
	int *posted, *taken;              /* how many events were recorded; shared, atomic */
	bool waits;
	cudaError_t error;
};

enum { ROUNDS = 40 };

static void keep(struct worker *worker, cudaError_t error)
{
	if (error && !worker->error)
		worker->error = error;
}

static void wait_until(const int *count, int least)
{
	while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < least)
		(void)sched_yield();
}

static void *produce(void *argument)
{
	struct worker *w = argument;
	for (int i = 0; i < ROUNDS; i++) {
		if (i > 0) {
			wait_until(w->taken, i);
			keep(w, w->waits ? cudaStreamWaitEvent(w->f->a, w->consumed[i - 1], 0) : cudaSuccess);
		}
		keep(w, fixture_add(w->f, w->f->x, w->f->x, 1, w->f->a));
		keep(w, cudaMemcpyAsync(w->f->y, w->f->x, BYTES, cudaMemcpyDeviceToDevice, w->f->a));
		keep(w, cudaEventRecord(w->produced[i], w->f->a));
		(void)__atomic_add_fetch(w->posted, 1, __ATOMIC_RELEASE);
		(void)cudaEventQuery(w->produced[i]);
	}
	return NULL;
}

static void *consume(void *argument)
{
	struct worker *w = argument;
	for (int i = 0; i < ROUNDS; i++) {
		wait_until(w->posted, i + 1);
		keep(w, cudaStreamWaitEvent(w->f->b, w->produced[i], 0));
		keep(w, fixture_add(w->f, w->f->y, w->f->z, 0, w->f->b));
		keep(w, cudaEventRecord(w->consumed[i], w->f->b));
		(void)__atomic_add_fetch(w->taken, 1, __ATOMIC_RELEASE);
		(void)cudaEventQuery(w->consumed[i]);
	}
	return NULL;
}

static float run_workers(struct fixture *f, bool waits)
{
	cudaEvent_t produced[ROUNDS], consumed[ROUNDS];
	float result[COUNT];
	int posted = 0, taken = 0;
	pthread_t threads[2];
	struct worker first = {f, produced, consumed, &posted, &taken, waits, cudaSuccess}, second = first;
	for (int i = 0; i < ROUNDS; i++) {
		OK(cudaEventCreateWithFlags(&produced[i], cudaEventDisableTiming));
		OK(cudaEventCreateWithFlags(&consumed[i], cudaEventDisableTiming));
	}
	OK(cudaMemsetAsync(f->x, 0, BYTES, f->a));
	assert_int_equal(pthread_create(&threads[0], NULL, produce, &first), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, consume, &second), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	OK(first.error);
	OK(second.error);
	OK(cudaStreamSynchronize(f->b));
	OK(cudaMemcpyAsync(result, f->z, BYTES, cudaMemcpyDeviceToHost, f->a));
	for (int i = 0; i < ROUNDS; i++) {
		OK(cudaEventDestroy(produced[i]));
		OK(cudaEventDestroy(consumed[i]));
	}
	return result[COUNT - 1];
}

static void test_threads_that_hand_over_by_events(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		assert_true(run_workers(*state, true) == ROUNDS);
		assert_clean();
		fakecuda_reset(seed);
		(void)run_workers(*state, false);
		assert_true(fixture_counts().races > 0);
	}
}

/* What one thread issued, and another waited for, is done for the first one, too. */
static void *fill(void *argument)
{
	const struct fixture *f = argument;
	(void)cudaMemsetAsync(f->x, 0, BYTES, f->a);
	(void)cudaStreamSynchronize(f->a);
	return NULL;
}

static void test_wait_for_a_stream_counts_for_all_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	OK(cudaGetLastError());
	assert_int_equal(pthread_create(&thread, NULL, fill, f), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	OK(fixture_add(f, f->x, f->y, 1, f->b));
	OK(cudaStreamSynchronize(f->b));
	assert_clean();
}

/* Long runs stay fast: what was said of a range before the last write to it is forgotten. */
static void test_accesses_do_not_pile_up(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 20000; i++) {
		OK(fixture_add(f, f->x, f->x, 1, f->a));
		if (i % 100 == 0)
			OK(cudaStreamSynchronize(f->a));
	}
	OK(cudaStreamSynchronize(f->a));
	assert_int_equal(fixture_counts().operations, 20000);
	assert_clean();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_right_program_is_clean_on_every_seed),
	        TEST(test_missing_wait_is_found_on_every_seed),
	        TEST(test_orders_differ_between_seeds),
	        TEST(test_wait_takes_the_latest_record_at_the_call),
	        TEST(test_event_may_be_destroyed_while_a_stream_waits_for_it),
	        TEST(test_host_waits_order_what_is_issued_after_them),
	        TEST(test_polling_comes_to_an_end),
	        TEST(test_elapsed_time),
	        TEST(test_readers_share_and_a_writer_waits_for_all),
	        TEST(test_neighbouring_bytes_do_not_meet),
	        TEST(test_threads_that_hand_over_by_events),
	        TEST(test_wait_for_a_stream_counts_for_all_threads),
	        TEST(test_accesses_do_not_pile_up),
	};
	return cmocka_run_group_tests_name("fakecuda: order", tests, NULL, NULL);
}
