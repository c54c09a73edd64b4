/* Counted allocation, its failure on demand, and arenas. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/base/process.h"

#define MIB ((size_t)1 << 20)

static void expect_aligned(const void *memory)
{
	assert_non_null(memory);
	assert_int_equal((uintptr_t)memory % TP_ALIGN_BYTES, 0);
}

/* Around the line size and around the size from which blocks are mapped. */
static const size_t sizes[] = {0,         1,         63,       64,      65,  4095,    100000,
                               MIB - 129, MIB - 128, MIB - 64, MIB - 1, MIB, MIB + 1, 3 * MIB + 7};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void blocks_are_aligned_zeroed_and_writable(void **state)
{
	(void)state;
	for (int again = 0; again < 2; again++) { /* the second time over freed, dirty memory */
		for (size_t i = 0; i < SIZES; i++) {
			unsigned char *block = tp_alloc(sizes[i]);
			expect_aligned(block);
			for (size_t at = 0; at < sizes[i]; at++) {
				if (block[at] != 0)
					fail_msg("byte %zu of %zu is not zero", at, sizes[i]);
			}
			memset(block, 0xa5, tp_align_up(sizes[i]));
			tp_free(block);
		}
	}
}

static void blocks_are_apart(void **state)
{
	(void)state;
	unsigned char *blocks[SIZES];
	for (size_t i = 0; i < SIZES; i++) {
		blocks[i] = tp_alloc(sizes[i]);
		assert_non_null(blocks[i]);
		memset(blocks[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < SIZES; i++) {
		for (size_t at = 0; at < sizes[i]; at++)
			if (blocks[i][at] != i + 1)
				fail_msg("byte %zu of block %zu was overwritten", at, i);
		tp_free(blocks[i]);
	}
}

static void what_is_held_is_counted(void **state)
{
	(void)state;
	uint64_t count = tp_alloc_count(), held = tp_alloc_bytes();
	void *small = tp_alloc(65), *large = tp_alloc(2 * MIB + 1);
	assert_int_equal(tp_alloc_count(), count + 2);
	assert_int_equal(tp_alloc_bytes(), held + 128 + 2 * MIB + 64);
	tp_free(small);
	assert_int_equal(tp_alloc_bytes(), held + 2 * MIB + 64);
	tp_free(large);
	tp_free(NULL);
	assert_int_equal(tp_alloc_bytes(), held);
	assert_int_equal(tp_alloc_count(), count + 2);
}

static void large_blocks_cost_no_memory_until_written(void **state)
{
	(void)state;
	int64_t before = tp_resident_bytes();
	unsigned char *block = tp_alloc(256 * MIB);
	assert_non_null(block);
	assert_true(tp_resident_bytes() - before < (int64_t)(64 * MIB));
	for (size_t at = 0; at < 128 * MIB; at += 4096)
		block[at] = 1;
	int64_t written = tp_resident_bytes();
	assert_true(written - before > (int64_t)(100 * MIB));
	tp_free(block);
	assert_true(written - tp_resident_bytes() > (int64_t)(100 * MIB)); /* given back at once */
}

static void too_much_is_refused(void **state)
{
	(void)state;
	const size_t absurd[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4 * TP_ALIGN_BYTES, SIZE_MAX / 2};
	uint64_t count = tp_alloc_count(), held = tp_alloc_bytes();
	for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
		(void)tp_fail(TP_OK, "%s", "");
		assert_null(tp_alloc(absurd[i]));
		assert_non_null(strstr(tp_detail(), "no memory"));
	}
	assert_null(tp_alloc_array(SIZE_MAX / 8 + 1, 8)); /* 2^64, which is 0 */
	assert_non_null(strstr(tp_detail(), "no memory"));
	assert_null(tp_alloc_array((size_t)1 << 33, (size_t)1 << 33));
	assert_int_equal(tp_alloc_count(), count);
	assert_int_equal(tp_alloc_bytes(), held);
}

static void arrays_multiply(void **state)
{
	(void)state;
	uint64_t held = tp_alloc_bytes();
	void *array = tp_alloc_array(100, 12);
	expect_aligned(array);
	assert_int_equal(tp_alloc_bytes() - held, tp_align_up(1200));
	tp_free(array);
	array = tp_alloc_array(SIZE_MAX, 0);
	expect_aligned(array);
	tp_free(array);
}

static void allocation_fails_on_demand(void **state)
{
	(void)state;
	uint64_t count = tp_alloc_count();
	tp_alloc_fail_after(2);
	void *first = tp_alloc(1), *second = tp_alloc(1), *third = tp_alloc(1), *fourth = tp_alloc(1);
	tp_alloc_fail_after(-1);
	void *fifth = tp_alloc(1);
	assert_non_null(first);
	assert_non_null(second);
	assert_null(third);
	assert_null(fourth);
	assert_non_null(fifth);
	assert_int_equal(tp_alloc_count(), count + 3);
	tp_free(first);
	tp_free(second);
	tp_free(fifth);
}

static void an_arena_hands_out_all_of_itself(void **state)
{
	(void)state;
	struct tp_arena arena;
	uint64_t held = tp_alloc_bytes();
	assert_int_equal(tp_arena_init(&arena, 3 * TP_ALIGN_BYTES + 100), TP_OK);
	uint64_t count = tp_alloc_count();
	unsigned char *a = tp_arena_take(&arena, 1), *b = tp_arena_take(&arena, 0), *c = tp_arena_take(&arena, 65),
	              *d = tp_arena_take(&arena, 100);
	expect_aligned(a);
	expect_aligned(b);
	expect_aligned(c);
	expect_aligned(d);
	assert_ptr_equal(b, a + 64);
	assert_ptr_equal(c, a + 64);
	assert_ptr_equal(d, a + 192);
	for (int i = 0; i < 300; i++)
		assert_int_equal(a[i], 0);
	assert_int_equal(arena.used_bytes, 192 + 128);
	assert_int_equal(tp_alloc_count(), count);
	tp_arena_release(&arena);
	assert_int_equal(tp_alloc_bytes(), held);
	tp_arena_release(&arena);
}

static void an_arena_without_memory_is_empty(void **state)
{
	(void)state;
	struct tp_arena arena;
	tp_alloc_fail_after(0);
	enum tp_status status = tp_arena_init(&arena, 100);
	tp_alloc_fail_after(-1);
	assert_int_equal(status, TP_ERR_NOMEM);
	assert_null(arena.base);
	assert_int_equal(arena.size_bytes, 0);
	tp_arena_release(&arena);
}

static bool aborts_on_taking(size_t first, size_t second)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct tp_arena arena;
		(void)close(STDERR_FILENO);
		if (tp_arena_init(&arena, 1000) == TP_OK) {
			(void)tp_arena_take(&arena, first);
			(void)tp_arena_take(&arena, second);
		}
		_exit(0);
	}
	int ended = 0;
	assert_int_equal(waitpid(child, &ended, 0), child);
	return WIFSIGNALED(ended) && WTERMSIG(ended) == SIGABRT;
}

static void an_arena_that_is_overdrawn_aborts(void **state)
{
	(void)state;
	assert_false(aborts_on_taking(500, 500));
	assert_true(aborts_on_taking(500, 600));
	assert_true(aborts_on_taking(0, SIZE_MAX)); /* rounds up to 0 */
}

static void *allocate_often(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < 2000; i++)
		tp_free(tp_alloc(i));
	return NULL;
}

static void counts_hold_with_several_threads(void **state)
{
	(void)state;
	uint64_t count = tp_alloc_count(), held = tp_alloc_bytes();
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, allocate_often, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(tp_alloc_count(), count + 8000);
	assert_int_equal(tp_alloc_bytes(), held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(blocks_are_aligned_zeroed_and_writable),
	        cmocka_unit_test(blocks_are_apart),
	        cmocka_unit_test(what_is_held_is_counted),
	        cmocka_unit_test(large_blocks_cost_no_memory_until_written),
	        cmocka_unit_test(too_much_is_refused),
	        cmocka_unit_test(arrays_multiply),
	        cmocka_unit_test(allocation_fails_on_demand),
	        cmocka_unit_test(an_arena_hands_out_all_of_itself),
	        cmocka_unit_test(an_arena_without_memory_is_empty),
	        cmocka_unit_test(an_arena_that_is_overdrawn_aborts),
	        cmocka_unit_test(counts_hold_with_several_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
