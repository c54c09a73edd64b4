#include "profiler/memory_ledger.h"

#include <string.h>

static void record_change(const struct tp_memory_ledger *ledger, enum tp_mem_kind kind, int64_t operation)
{
	struct tp_ring *ring = &ledger->recorder->rings[TP_RECORD_MEMORY];
	struct tp_memory_change *change = tp_ring_next(ring);
	if (!change)
		return;
	*change = (struct tp_memory_change){
	        .time_ns = ledger->recorder->now_ns,
	        .kind_bytes = ledger->record.now_bytes[kind],
	        .stage_bytes = ledger->now_total_bytes,
	        .operation = operation,
	        .stage = ledger->record.stage,
	        .kind = (int16_t)kind,
	};
	tp_ring_commit(ring);
}

static void note_peak(struct tp_memory_ledger *ledger, int64_t when_ns, int64_t operation)
{
	struct tp_memory_record *record = &ledger->record;
	record->peak_ns = when_ns;
	record->peak_operation = operation;
	record->peak_total_bytes = ledger->now_total_bytes;
	memcpy(record->at_peak_bytes, record->now_bytes, sizeof record->at_peak_bytes);
}

void tp_memory_use(struct tp_memory_ledger *ledger, enum tp_mem_kind kind, int64_t bytes)
{
	struct tp_memory_record *record = &ledger->record;
	record->now_bytes[kind] += bytes;
	ledger->now_total_bytes += bytes;
	if (record->now_bytes[kind] > record->peak_bytes[kind])
		record->peak_bytes[kind] = record->now_bytes[kind];
	const struct tp_recorder *recorder = ledger->recorder;
	if (ledger->now_total_bytes > record->peak_total_bytes)
		note_peak(ledger, recorder ? recorder->now_ns : 0, recorder ? tp_recorder_operation(recorder) : -1);
	if (recorder)
		record_change(ledger, kind, tp_recorder_operation(recorder));
}

void tp_memory_reserve(struct tp_memory_ledger *ledger, enum tp_mem_kind kind, int64_t bytes)
{
	ledger->record.reserved_bytes[kind] += bytes;
}

void tp_memory_restart(struct tp_memory_ledger *ledger, int32_t epoch)
{
	struct tp_memory_record *record = &ledger->record;
	record->epoch = epoch;
	memcpy(record->peak_bytes, record->now_bytes, sizeof record->peak_bytes);
	note_peak(ledger, 0, -1);
}

void tp_memory_record_start(struct tp_memory_ledger *ledger)
{
	struct tp_memory_ledger so_far = *ledger; /* the sum of the kinds already told */
	so_far.now_total_bytes = 0;
	for (enum tp_mem_kind kind = 0; kind < TP_MEM_KINDS && ledger->recorder; kind++) {
		so_far.now_total_bytes += ledger->record.now_bytes[kind];
		if (ledger->record.now_bytes[kind] != 0)
			record_change(&so_far, kind, -1);
	}
}
