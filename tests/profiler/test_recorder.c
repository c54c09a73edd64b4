/* Rings, and emptying them while they are written: nothing is lost without being counted, nothing is moved. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/drain.h"
#include "profiler/memory_ledger.h"

enum { ROOM = 8 };

struct numbered {
	int64_t number;
};

static void make_ring(struct tp_ring *ring, void *slots, size_t bytes, int64_t capacity)
{
	*ring = (struct tp_ring){.slots = slots, .record_bytes = bytes, .capacity = capacity};
	tp_ring_restart(ring);
}

static bool write_one(struct tp_ring *ring, int64_t number)
{
	struct numbered *record = tp_ring_next(ring);
	if (!record)
		return false;
	record->number = number;
	tp_ring_commit(ring);
	return true;
}

static void a_full_ring_drops_and_counts(void **state)
{
	(void)state;
	struct numbered slots[ROOM];
	struct tp_ring ring;
	make_ring(&ring, slots, sizeof *slots, ROOM);
	for (int64_t i = 0; i < ROOM + 3; i++)
		assert_int_equal(write_one(&ring, i), i < ROOM);
	assert_int_equal(ring.dropped, 3);
	assert_int_equal(tp_ring_written(&ring), ROOM);
	int64_t first, count;
	const struct numbered *found = tp_ring_peek(&ring, &first, &count);
	assert_int_equal(first, 0);
	assert_int_equal(count, ROOM);
	assert_int_equal(found[ROOM - 1].number, ROOM - 1);
	/* What was released is free again; the end of the memory parts what is read. */
	tp_ring_release(&ring, 5);
	for (int64_t i = 0; i < 5; i++)
		assert_true(write_one(&ring, 100 + i));
	assert_false(write_one(&ring, 200));
	found = tp_ring_peek(&ring, &first, &count);
	assert_int_equal(first, 5);
	assert_int_equal(count, 3);
	assert_int_equal(found[0].number, 5);
	tp_ring_release(&ring, count);
	found = tp_ring_peek(&ring, &first, &count);
	assert_int_equal(first, 8);
	assert_int_equal(count, 5);
	assert_int_equal(found[4].number, 104);
	tp_ring_restart(&ring);
	assert_int_equal(ring.dropped, 0);
	assert_true(write_one(&ring, 0));
}

static void a_ring_without_room_is_off(void **state)
{
	(void)state;
	struct tp_ring ring;
	make_ring(&ring, NULL, sizeof(struct numbered), 0);
	assert_false(write_one(&ring, 1));
	assert_int_equal(ring.dropped, 0); /* nothing was to be recorded */
}

/* --- draining -------------------------------------------------------------------------------------------------- */

enum { WRITTEN = 200000 };

struct kept {
	struct tp_recorder *recorder;
	int64_t next[TP_RECORD_KINDS]; /* number that must come next */
	int64_t fail_at;               /* batch of operations that the sink refuses; -1: none */
	int64_t batches;
	_Atomic int failures;
};

/* Operations carry their number as mini-batch, versions as version. */
static enum tp_status keep(void *context, const struct tp_record_batch *batch)
{
	struct kept *kept = context;
	if (kept->fail_at == kept->batches++)
		return tp_fail(TP_ERR_IO, "the sink is blocked");
	assert_int_equal(batch->epoch, 7);
	assert_int_equal(batch->stage, 3);
	assert_int_equal(batch->first, kept->next[batch->kind]);
	for (int64_t i = 0; i < batch->count; i++) {
		int64_t number = batch->kind == TP_RECORD_OP
		                         ? ((const struct tp_op_record *)batch->records)[i].mini
		                         : ((const struct tp_version_record *)batch->records)[i].version;
		assert_int_equal(number, batch->first + i);
	}
	kept->next[batch->kind] += batch->count;
	return TP_OK;
}

static void note_failure(void *context, enum tp_status status)
{
	struct kept *kept = context;
	assert_int_equal(status, TP_ERR_IO);
	assert_string_equal(tp_detail(), "the sink is blocked");
	kept->failures++;
}

static void make_recorder(struct tp_recorder *recorder, struct tp_op_record *ops, struct tp_version_record *versions)
{
	*recorder = (struct tp_recorder){.stage = 3};
	for (enum tp_record_kind kind = 0; kind < TP_RECORD_KINDS; kind++)
		make_ring(&recorder->rings[kind], NULL, tp_record_bytes(kind), 0);
	make_ring(&recorder->rings[TP_RECORD_OP], ops, sizeof *ops, 512);
	make_ring(&recorder->rings[TP_RECORD_VERSION], versions, sizeof *versions, 64);
}

/* As fast as the reader lets it: a dropped record is written again. */
static void *write_many(void *argument)
{
	struct tp_recorder *recorder = argument;
	for (int64_t i = 0; i < WRITTEN; i++) {
		struct tp_op_record *op;
		while (!(op = tp_ring_next(&recorder->rings[TP_RECORD_OP])))
			;
		*op = (struct tp_op_record){.mini = i};
		tp_ring_commit(&recorder->rings[TP_RECORD_OP]);
		if (i % 10 != 0)
			continue;
		struct tp_version_record *version;
		while (!(version = tp_ring_next(&recorder->rings[TP_RECORD_VERSION])))
			;
		*version = (struct tp_version_record){.version = i / 10};
		tp_ring_commit(&recorder->rings[TP_RECORD_VERSION]);
	}
	return NULL;
}

static void records_arrive_whole_and_in_order(void **state)
{
	(void)state;
	static struct tp_op_record ops[512];
	static struct tp_version_record versions[64];
	struct tp_recorder recorder, *recorders[] = {&recorder};
	make_recorder(&recorder, ops, versions);
	struct kept kept = {.recorder = &recorder, .fail_at = -1};
	struct tp_drain drain = {.recorders = recorders, .count = 1, .sink = {keep, &kept}, .epoch = 7};
	pthread_t writer;
	assert_int_equal(tp_drain_start(&drain), TP_OK);
	assert_int_equal(pthread_create(&writer, NULL, write_many, &recorder), 0);
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(tp_drain_stop(&drain), TP_OK);
	assert_int_equal(kept.next[TP_RECORD_OP], WRITTEN);
	assert_int_equal(kept.next[TP_RECORD_VERSION], WRITTEN / 10);
	assert_true(kept.batches > WRITTEN / 512);
}

static void a_failing_sink_ends_it_once(void **state)
{
	(void)state;
	static struct tp_op_record ops[512];
	static struct tp_version_record versions[64];
	struct tp_recorder recorder, *recorders[] = {&recorder};
	make_recorder(&recorder, ops, versions);
	struct kept kept = {.recorder = &recorder, .fail_at = 0};
	struct tp_drain drain = {.recorders = recorders,
	                         .count = 1,
	                         .sink = {keep, &kept},
	                         .failed = note_failure,
	                         .context = &kept,
	                         .epoch = 7};
	for (int i = 0; i < 300; i++) {
		*(struct tp_op_record *)tp_ring_next(&recorder.rings[TP_RECORD_OP]) = (struct tp_op_record){.mini = i};
		tp_ring_commit(&recorder.rings[TP_RECORD_OP]);
	}
	assert_int_equal(tp_drain_pass(&drain, false), TP_ERR_IO); /* more than half full */
	assert_int_equal(tp_drain_pass(&drain, true), TP_ERR_IO);
	assert_int_equal(tp_drain_stop(&drain), TP_ERR_IO);
	assert_int_equal(kept.failures, 1);
	assert_int_equal(kept.batches, 1);
}

/* --- memory -------------------------------------------------------------------------------------------------- */

static void every_change_of_memory_is_told(void **state)
{
	(void)state;
	struct tp_memory_change changes[16];
	struct tp_recorder recorder;
	make_recorder(&recorder, NULL, NULL);
	make_ring(&recorder.rings[TP_RECORD_MEMORY], changes, sizeof *changes, 16);
	struct tp_memory_ledger ledger = {.record = {.stage = 3}};
	tp_memory_use(&ledger, TP_MEM_WEIGHTS_LIVE, 100); /* before anyone looks */
	tp_memory_use(&ledger, TP_MEM_WORKSPACE, 50);
	tp_memory_restart(&ledger, 1);
	ledger.recorder = &recorder;
	recorder.now_ns = 5;
	tp_memory_record_start(&ledger);
	recorder.now_ns = 10;
	tp_memory_use(&ledger, TP_MEM_ACTIVATIONS, 30);
	atomic_store(&recorder.rings[TP_RECORD_OP].written, 2); /* two operations have ended */
	recorder.now_ns = 20;
	tp_memory_use(&ledger, TP_MEM_MESSAGES, 7);
	recorder.now_ns = 30;
	tp_memory_use(&ledger, TP_MEM_ACTIVATIONS, -30);
	static const struct tp_memory_change expected[] = {
	        {5, 100, 100, -1, 3, TP_MEM_WEIGHTS_LIVE}, {5, 50, 150, -1, 3, TP_MEM_WORKSPACE},
	        {10, 30, 180, 0, 3, TP_MEM_ACTIVATIONS},   {20, 7, 187, 2, 3, TP_MEM_MESSAGES},
	        {30, 0, 157, 2, 3, TP_MEM_ACTIVATIONS},
	};
	assert_int_equal(tp_ring_written(&recorder.rings[TP_RECORD_MEMORY]), 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(changes[i].time_ns, expected[i].time_ns);
		assert_int_equal(changes[i].kind_bytes, expected[i].kind_bytes);
		assert_int_equal(changes[i].stage_bytes, expected[i].stage_bytes);
		assert_int_equal(changes[i].operation, expected[i].operation);
		assert_int_equal(changes[i].stage, expected[i].stage);
		assert_int_equal(changes[i].kind, expected[i].kind);
	}
	assert_int_equal(ledger.record.peak_total_bytes, 187);
	assert_int_equal(ledger.record.peak_ns, 20);
	assert_int_equal(ledger.record.peak_operation, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_full_ring_drops_and_counts),      cmocka_unit_test(a_ring_without_room_is_off),
	        cmocka_unit_test(records_arrive_whole_and_in_order), cmocka_unit_test(a_failing_sink_ends_it_once),
	        cmocka_unit_test(every_change_of_memory_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
