#include "profiler/memory_ledger.h"

#include <string.h>

static void note_peak(struct tp_memory_ledger *ledger)
{
	struct tp_memory_record *record = &ledger->record;
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
	if (ledger->now_total_bytes > record->peak_total_bytes)
		note_peak(ledger);
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
	note_peak(ledger);
}
