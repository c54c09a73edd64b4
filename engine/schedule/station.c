#include "engine/schedule/station.h"

enum tp_status tp_station_init(struct tp_station *station, const struct tp_pipeline *pipeline, int32_t stage)
{
	tp_progress_init(&station->progress, pipeline, stage);
	return tp_ledger_init(&station->ledger, pipeline, stage);
}

void tp_station_release(struct tp_station *station)
{
	tp_ledger_release(&station->ledger);
}

void tp_station_begin_epoch(struct tp_station *station, const struct tp_pipeline *pipeline)
{
	tp_progress_init(&station->progress, pipeline, station->progress.stage);
	tp_ledger_begin_epoch(&station->ledger);
}
