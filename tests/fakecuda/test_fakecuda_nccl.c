/* NCCL of the stand-in: pairs, groups, and what a watchdog has to find. */
#include "tests/fakecuda/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nccl.h>

#define OK(call) assert_int_equal(call, cudaSuccess)

/* Which the header does not declare as prototypes. */
ncclResult_t ncclGroupStart(void);
ncclResult_t ncclGroupEnd(void);

/* Two ranks, each with a GPU and a stream of its own. */
struct pair {
	ncclComm_t comms[2];
	cudaStream_t streams[2];
	float *memory[2]; /* COUNT each */
};

static ncclResult_t asked(ncclComm_t comm)
{
	ncclResult_t state = ncclInternalError;
	assert_int_equal(ncclCommGetAsyncError(comm, &state), ncclSuccess);
	return state;
}

static void settle(ncclComm_t comm)
{
	int polls = 0;
	while (asked(comm) == ncclInProgress)
		assert_true(++polls < 10);
	assert_int_equal(asked(comm), ncclSuccess);
}

static void begin_comms(ncclComm_t *comms, int gpu_of_second)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
	ncclUniqueId id;
	config.blocking = 0;
	assert_int_equal(ncclGetUniqueId(&id), ncclSuccess);
	for (int i = 0; i < 2; i++) {
		OK(cudaSetDevice(i ? gpu_of_second : 0));
		assert_int_equal(ncclCommInitRankConfig(&comms[i], 2, id, i, &config), ncclInProgress);
		if (i == 0)
			assert_int_equal(asked(comms[0]), ncclInProgress);
	}
	OK(cudaSetDevice(0));
}

static int pair_setup(void **state)
{
	static struct pair p;
	*state = &p;
	(void)setenv("FAKECUDA_DEVICES", "2", 1);
	(void)setenv("FAKECUDA_PATIENCE_MS", "20", 1);
	fakecuda_reset(1);
	for (int i = 0; i < 2; i++) {
		OK(cudaSetDevice(i));
		OK(cudaStreamCreateWithFlags(&p.streams[i], cudaStreamNonBlocking));
		OK(cudaMalloc((void **)&p.memory[i], BYTES));
	}
	begin_comms(p.comms, 1);
	settle(p.comms[0]);
	settle(p.comms[1]);
	return 0;
}

static int pair_teardown(void **state)
{
	struct pair *p = *state;
	fakecuda_inject(NULL);
	for (int i = 0; i < 2; i++) {
		if (p->comms[i])
			assert_int_equal(ncclCommDestroy(p->comms[i]), ncclSuccess);
		OK(cudaStreamSynchronize(p->streams[i]));
		OK(cudaFree(p->memory[i]));
		OK(cudaStreamDestroy(p->streams[i]));
	}
	struct fake_counts counts = fixture_counts();
	assert_int_equal(counts.device_allocations + counts.streams, 0);
	return 0;
}

static void post(struct pair *p, int rank, bool sends, float *at, size_t count)
{
	ncclResult_t result = sends ? ncclSend(at, count, ncclFloat, 1 - rank, p->comms[rank], p->streams[rank])
	                            : ncclRecv(at, count, ncclFloat, 1 - rank, p->comms[rank], p->streams[rank]);
	if (result == ncclInProgress)
		settle(p->comms[rank]);
	else
		assert_int_equal(result, ncclSuccess);
}

static float value_of(const struct pair *p, int rank)
{
	float value;
	OK(cudaMemcpyAsync(&value, p->memory[rank], sizeof value, cudaMemcpyDeviceToHost, p->streams[rank]));
	return value;
}

static void put(const struct pair *p, int rank, float value)
{
	float values[COUNT];
	for (int i = 0; i < COUNT; i++)
		values[i] = value;
	OK(cudaMemcpyAsync(p->memory[rank], values, BYTES, cudaMemcpyHostToDevice, p->streams[rank]));
}

static void test_messages_arrive_in_order(void **state)
{
	struct pair *p = *state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		for (int i = 0; i < 4; i++) {
			put(p, 0, (float)i);
			post(p, 0, true, p->memory[0], COUNT);
		}
		for (int i = 0; i < 4; i++) {
			post(p, 1, false, p->memory[1], COUNT);
			assert_true(value_of(p, 1) == (float)i);
		}
		assert_int_equal(fixture_counts().races + fixture_counts().reads_of_freed, 0);
	}
}

/* Neither ends before the other was posted. */
static void test_send_waits_for_its_receive(void **state)
{
	struct pair *p = *state;
	put(p, 0, 1);
	post(p, 0, true, p->memory[0], COUNT);
	for (int i = 0; i < 20; i++)
		assert_int_equal(cudaStreamQuery(p->streams[0]), cudaErrorNotReady);
	assert_int_equal(cudaStreamSynchronize(p->streams[0]), cudaErrorLaunchTimeout);
	assert_int_equal(fixture_counts().deadlocks, 1);
	post(p, 1, false, p->memory[1], COUNT);
	OK(cudaStreamSynchronize(p->streams[0]));
}

/* Both send first: one after the other nobody gets on, in a group both do. */
static void test_exchange_needs_a_group(void **state)
{
	struct pair *p = *state;
	float *received[2];
	for (int rank = 0; rank < 2; rank++) {
		OK(cudaSetDevice(rank));
		OK(cudaMalloc((void **)&received[rank], BYTES));
		put(p, rank, (float)rank + 1);
	}
	for (int grouped = 1; grouped >= 0; grouped--) {
		for (int rank = 0; rank < 2; rank++) {
			if (grouped)
				assert_int_equal(ncclGroupStart(), ncclSuccess);
			post(p, rank, true, p->memory[rank], COUNT);
			post(p, rank, false, received[rank], COUNT);
			ncclResult_t result = grouped ? ncclGroupEnd() : ncclSuccess;
			assert_true(result == ncclSuccess || result == ncclInProgress);
			settle(p->comms[rank]);
		}
		assert_int_equal(cudaStreamSynchronize(p->streams[0]), grouped ? cudaSuccess : cudaErrorLaunchTimeout);
		assert_int_equal(fixture_counts().deadlocks, grouped ? 0 : 1);
	}
	assert_int_equal(ncclGroupEnd(), ncclInvalidUsage);
	/* Giving up lets both streams go on. */
	for (int rank = 0; rank < 2; rank++) {
		assert_int_equal(ncclCommAbort(p->comms[rank]), ncclSuccess);
		p->comms[rank] = NULL;
	}
	for (int rank = 0; rank < 2; rank++) {
		OK(cudaStreamSynchronize(p->streams[rank]));
		OK(cudaFree(received[rank]));
	}
}

static void test_order_is_checked_for_messages(void **state)
{
	struct pair *p = *state;
	cudaStream_t other;
	OK(cudaSetDevice(1));
	OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
	put(p, 0, 1);
	post(p, 0, true, p->memory[0], COUNT);
	post(p, 1, false, p->memory[1], COUNT);
	OK(cudaMemsetAsync(p->memory[1], 0, BYTES, other)); /* does not wait for the message */
	OK(cudaDeviceSynchronize());
	assert_int_equal(fixture_counts().races, 1);
	assert_non_null(strstr(fixture_counts().first_race, "ncclRecv"));
	OK(cudaStreamDestroy(other));
}

/* What the sender did before is done for whoever has received: also for itself, when the answer comes. */
static void test_a_message_carries_order(void **state)
{
	struct pair *p = *state;
	cudaStream_t other;
	float *answer;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		fakecuda_reset(seed);
		OK(cudaSetDevice(0));
		OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
		OK(cudaMalloc((void **)&answer, BYTES));
		put(p, 0, 1);
		post(p, 0, true, p->memory[0], COUNT);
		ncclResult_t result = ncclRecv(answer, COUNT, ncclFloat, 1, p->comms[0], other);
		assert_true(result == ncclSuccess || result == ncclInProgress);
		settle(p->comms[0]);
		OK(cudaMemsetAsync(p->memory[0], 0, BYTES, other)); /* sent before the answer came */
		post(p, 1, false, p->memory[1], COUNT);
		post(p, 1, true, p->memory[1], COUNT);
		OK(cudaStreamSynchronize(other));
		struct fake_counts counts = fixture_counts();
		if (counts.first_race[0])
			fail_msg("seed %d: %s", (int)seed, counts.first_race);
		OK(cudaStreamDestroy(other));
		OK(cudaFree(answer));
	}
}

static void test_peer_finds_that_the_other_gave_up(void **state)
{
	struct pair *p = *state;
	post(p, 0, true, p->memory[0], COUNT);
	post(p, 1, false, p->memory[1], COUNT);
	assert_int_equal(ncclCommAbort(p->comms[0]), ncclSuccess);
	p->comms[0] = NULL;
	assert_int_equal(asked(p->comms[1]), ncclRemoteError);
	assert_string_equal(ncclGetLastError(p->comms[1]), "a peer gave up");
	OK(cudaStreamSynchronize(p->streams[0]));
	assert_int_equal(cudaStreamSynchronize(p->streams[1]), cudaErrorLaunchTimeout);
	assert_int_equal(ncclSend(p->memory[1], 1, ncclFloat, 0, p->comms[1], p->streams[1]), ncclInvalidUsage);
	assert_int_equal(ncclCommAbort(p->comms[1]), ncclSuccess);
	p->comms[1] = NULL;
	OK(cudaStreamSynchronize(p->streams[1]));
}

static void test_failures(void **state)
{
	struct pair *p = *state;
	ncclComm_t twice[2];
	int version;
	begin_comms(twice, 0);
	for (int i = 0; i < 2; i++) {
		while (asked(twice[i]) == ncclInProgress)
			;
		assert_int_equal(asked(twice[i]), ncclInvalidUsage);
		assert_non_null(strstr(ncclGetLastError(twice[i]), "Duplicate GPU detected : rank 0 and rank 1"));
		assert_int_equal(ncclCommAbort(twice[i]), ncclSuccess);
	}
	assert_int_equal(ncclSend(p->memory[0], 1, ncclFloat, 2, p->comms[0], p->streams[0]), ncclInvalidArgument);
	assert_int_equal(ncclSend(p->memory[0], 1, ncclFloat, 1, p->comms[0], p->streams[1]), ncclInvalidArgument);
	fakecuda_inject("ncclGetVersion:1:2,ncclCommGetAsyncError:2:6");
	assert_int_equal(ncclGetVersion(&version), ncclSystemError);
	assert_int_equal(asked(p->comms[0]), ncclSuccess);
	assert_int_equal(asked(p->comms[0]), ncclRemoteError);
	assert_int_equal(asked(p->comms[0]), ncclRemoteError);
	assert_string_equal(ncclGetErrorString(ncclInvalidUsage),
	                    "invalid usage (run with NCCL_DEBUG=WARN for details)");
}

static void test_sizes_must_agree(void **state)
{
	struct pair *p = *state;
	post(p, 0, true, p->memory[0], COUNT);
	assert_int_equal(asked(p->comms[0]), ncclSuccess);
	(void)ncclRecv(p->memory[1], COUNT / 2, ncclFloat, 0, p->comms[1], p->streams[1]);
	assert_int_equal(asked(p->comms[0]), ncclInvalidUsage);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ncclCommAbort(p->comms[i]), ncclSuccess);
		p->comms[i] = NULL;
	}
}

static void test_one_rank_that_blocks(void **state)
{
	ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
	ncclUniqueId id;
	ncclComm_t comm;
	(void)state;
	assert_int_equal(ncclGetUniqueId(&id), ncclSuccess);
	assert_int_equal(ncclCommInitRankConfig(&comm, 1, id, 0, &config), ncclSuccess);
	assert_int_equal(asked(comm), ncclSuccess);
	assert_int_equal(ncclCommFinalize(comm), ncclSuccess);
	assert_int_equal(ncclCommDestroy(comm), ncclSuccess);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, pair_setup, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_messages_arrive_in_order),
	        TEST(test_send_waits_for_its_receive),
	        TEST(test_a_message_carries_order),
	        TEST(test_exchange_needs_a_group),
	        TEST(test_order_is_checked_for_messages),
	        TEST(test_peer_finds_that_the_other_gave_up),
	        TEST(test_failures),
	        TEST(test_sizes_must_agree),
	        TEST(test_one_rank_that_blocks),
	};
	return cmocka_run_group_tests_name("fakecuda: nccl", tests, NULL, NULL);
}
