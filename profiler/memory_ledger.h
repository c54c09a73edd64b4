/* The memory ledger of one stage: bytes in use by kind, with the parts of the highest sum. One writer, the stage's
 * thread; read by others only while the stage rests. */
#ifndef TP_PROFILER_MEMORY_LEDGER_H
#define TP_PROFILER_MEMORY_LEDGER_H

#include "profiler/recorder.h"

struct tp_memory_ledger {
	struct tp_memory_record record;
	int64_t now_total_bytes;
	struct tp_recorder *recorder; /* where changes go, at its `now_ns`; NULL: nowhere */
};

/* `bytes` more (or, negative, fewer) of `kind` in use. */
void tp_memory_use(struct tp_memory_ledger *ledger, enum tp_mem_kind kind, int64_t bytes);

/* `bytes` more allocated for `kind`, in use or not. */
void tp_memory_reserve(struct tp_memory_ledger *ledger, enum tp_mem_kind kind, int64_t bytes);

/* Forget the peaks: they become what is in use now. For the start of an epoch. */
void tp_memory_restart(struct tp_memory_ledger *ledger, int32_t epoch);

/* Record what is in use now, kind by kind, as what an epoch begins with. */
void tp_memory_record_start(struct tp_memory_ledger *ledger);

#endif
