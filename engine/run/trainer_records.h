/* Where the records of an epoch are kept: one array of each kind for all stages, whose recorders write into parts of
 * it. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_TRAINER_RECORDS_H
#define TP_ENGINE_RUN_TRAINER_RECORDS_H

#include "engine/run/worker.h"

struct tp_trainer_records {
	struct tp_op_record *ops;
	struct tp_message_record *messages;
	struct tp_read_record *reads;
	struct tp_memory_record *memory; /* stages, then the process */
	int64_t record_bytes;
	int64_t library_bytes; /* what libraries allocated for the plan */
};

/* Set aside what an epoch can record, and hand the recorders their parts. Release with tp_trainer_records_release(),
 * safe after a failure. */
enum tp_status tp_trainer_records_init(struct tp_trainer_records *records, struct tp_crew *crew);
void tp_trainer_records_release(struct tp_trainer_records *records);

/* After an epoch: point the result at what was recorded, and account for memory. */
void tp_trainer_records_gather(struct tp_trainer_records *records, struct tp_crew *crew,
                               struct tp_epoch_result *result);

#endif
