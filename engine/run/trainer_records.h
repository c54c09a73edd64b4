/* Where the records of an epoch are kept: one array of each kind for all stages, whose recorders have rings in parts of
 * it. When the records of an epoch fit --profile-buffer the rings hold all of them and nothing else happens until it
 * has ended; else the buffer is shared out, and what fills up goes to a sink while the epoch runs. Internal to
 * engine/run. */
#ifndef TP_ENGINE_RUN_TRAINER_RECORDS_H
#define TP_ENGINE_RUN_TRAINER_RECORDS_H

#include "engine/run/worker.h"
#include "profiler/drain.h"

struct tp_trainer_records {
	struct tp_record_array {
		unsigned char *records;
		int64_t capacity; /* of a stage */
	} arrays[TP_RECORD_KINDS];
	struct tp_memory_record *memory; /* stages, then the process */
	struct tp_recorder **recorders;
	struct tp_counter_record *counted; /* stages times TP_COUNTERS */
	struct tp_drain drain;
	bool on;       /* --profile is not off, and neither is this epoch: see tp_trainer_profile() */
	bool streamed; /* an epoch's records do not fit */
	int64_t record_bytes;
	int64_t library_bytes; /* what libraries allocated for the plan */
};

/* Set aside what an epoch can record, or as much as may be, and hand the recorders their parts. Release with
 * tp_trainer_records_release(), safe after a failure. */
enum tp_status tp_trainer_records_init(struct tp_trainer_records *records, struct tp_crew *crew);
void tp_trainer_records_release(struct tp_trainer_records *records);

/* Before an epoch that begins at `now_ns` of the run's clock: empty rings, and a thread to empty them if need be. */
enum tp_status tp_trainer_records_begin(struct tp_trainer_records *records, struct tp_crew *crew, int64_t now_ns);

/* After its last operation: the rest goes to the sink, or the result points at what was recorded; and memory is
 * accounted for. The failure of the sink, if it had one. */
enum tp_status tp_trainer_records_end(struct tp_trainer_records *records, struct tp_crew *crew,
                                      int64_t rss_before_bytes, struct tp_epoch_result *result);

#endif
