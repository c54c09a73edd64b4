/* A schedule drawn with characters: one line per stage, one token per slot, parted by one space. `.` idle, `1A` forward
 * of micro-batch A of mini-batch 1, `1` backward of a whole mini-batch, `1a` backward of one micro-batch, `1a'` its
 * weight part. */
#ifndef TP_ENGINE_SCHEDULE_GRID_H
#define TP_ENGINE_SCHEDULE_GRID_H

#include "engine/base/text.h"
#include "engine/schedule/progress.h"

/* Letters of a micro-batch: 0 is A, 25 is Z, 26 is AA; `out` has room for 8. Returns `out`. */
char *tp_micro_letters(int32_t micro, bool upper, char out[8]);

/* Append the slot plan of one epoch. All lines have as many tokens as the epoch has slots. */
enum tp_status tp_grid_text(const struct tp_pipeline *pipeline, struct tp_text *text);

#endif
