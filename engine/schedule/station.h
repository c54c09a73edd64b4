/* What decides at one stage: how far it has come, and its weight versions. The simulator and both drivers begin and end
 * every operation through it, so that the order of these steps is written once. */
#ifndef TP_ENGINE_SCHEDULE_STATION_H
#define TP_ENGINE_SCHEDULE_STATION_H

#include "engine/schedule/version_ledger.h"

struct tp_station {
	struct tp_progress progress;
	struct tp_version_ledger ledger;
};

/* Release with tp_station_release(); TP_ERR_NOMEM. */
enum tp_status tp_station_init(struct tp_station *station, const struct tp_pipeline *pipeline, int32_t stage);
void tp_station_release(struct tp_station *station);

/* Before an epoch, while drained. */
void tp_station_begin_epoch(struct tp_station *station, const struct tp_pipeline *pipeline);

/* Versions of an operation that begins. */
struct tp_begun {
	int64_t live;           /* when it begins */
	int64_t read;           /* see tp_ledger_backward_version() */
	int64_t oldest_forward; /* backward: oldest version that its forwards read; forward: read */
};

/* Is the action the first backward of its mini-batch at the last stage? Then it is stamped. */
static inline bool tp_station_stamps(const struct tp_station *station, const struct tp_action *action)
{
	const struct tp_progress *progress = &station->progress;
	return (action->kind == TP_OP_B || action->kind == TP_OP_BX) && progress->stage == progress->stages - 1 &&
	       tp_progress_begins_backward(progress);
}

/* An operation begins: look at the others (`seen`), then resolve what it reads. `stamp`: when tp_station_stamps(), the
 * version committed at this moment, which the shared stamps hold already. A tag that stage 0 gives is for the caller to
 * write to the shared tags. */
static inline struct tp_begun tp_station_begin(struct tp_station *station, const struct tp_action *action,
                                               int64_t stamp, const struct tp_observation *seen,
                                               const struct tp_stamps *stamps)
{
	struct tp_version_ledger *ledger = &station->ledger;
	struct tp_begun begun = {.live = ledger->live};
	if (ledger->uses_stamps && tp_station_stamps(station, action))
		tp_ledger_stamp(ledger, stamp); /* before older versions may go */
	tp_ledger_observe(ledger, seen, stamps);
	if (action->kind == TP_OP_F) {
		int64_t index = tp_forward_index(action, ledger->forwards_per_mini);
		begun.read = begun.oldest_forward = tp_ledger_begin_forward(ledger, action, index);
	} else {
		begun.read = tp_ledger_backward_version(ledger, action);
		begun.oldest_forward = tp_ledger_oldest_forward_version(ledger, action);
	}
	return begun;
}

/* It has ended; true when the update of its mini-batch is due: tp_ledger_update(), at stage 0 after another look. */
static inline bool tp_station_end(struct tp_station *station, const struct tp_action *action)
{
	if (action->kind == TP_OP_F)
		tp_ledger_end_forward(&station->ledger, tp_forward_index(action, station->progress.forwards_per_mini));
	else if (action->kind != TP_OP_BX) /* the weight part reads once more */
		tp_ledger_end_backward(&station->ledger, action);
	return tp_progress_complete(&station->progress, action->kind);
}

#endif
