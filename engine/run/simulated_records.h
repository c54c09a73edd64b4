/* A forecast as records: what a run would have recorded whose operations take what the forecast says. In slots, when
 * the forecast is: fields that end in _ns count them then. There are no samples: each micro-batch counts as one.
 * Messages have no bytes, and when a version was freed is not known. */
#ifndef TP_ENGINE_RUN_SIMULATED_RECORDS_H
#define TP_ENGINE_RUN_SIMULATED_RECORDS_H

#include "engine/run/forecast.h"
#include "profiler/records.h"

/* `records` points into the arrays behind it. */
struct tp_simulated_records {
	struct tp_records records;
	struct tp_op_record *ops;
	struct tp_message_record *messages;
	int64_t end; /* of the last operation; the first epoch, which this is, begins at 0 */
};

/* Simulate the forecast. TP_ERR_INPUT as tp_forecast_simulate(), TP_ERR_NOMEM; then nothing is held. Release with
 * tp_simulated_records_release(). */
enum tp_status tp_simulated_records_make(const struct tp_forecast *forecast, struct tp_simulated_records *made);
void tp_simulated_records_release(struct tp_simulated_records *made);

#endif
