/* The progress line: what is being trained, how fast, how long still. On stderr, and only when that is a terminal. */
#ifndef TP_CLI_PROGRESS_H
#define TP_CLI_PROGRESS_H

#include "engine/run/trainer.h"

struct tp_progress_line;

/* `total_minis` mini-batches will be trained in all. *line is NULL when stderr is no terminal; the functions below then
 * do nothing. TP_ERR_NOMEM, TP_ERR_IO when the thread that draws cannot be started. */
enum tp_status tp_progress_line_new(int64_t total_minis, struct tp_progress_line **line);
/* Wipes the line. NULL is allowed. */
void tp_progress_line_free(struct tp_progress_line *line);

/* A run begins: its mini-batches have `batch` samples (0: how fast it is is not told) and are counted by `control`,
 * which is watched until tp_progress_line_end(). `title` is copied. */
void tp_progress_line_begin(struct tp_progress_line *line, const char *title, int32_t batch,
                            struct tp_run_control *control);
/* The run is over and trained `minis` mini-batches. */
void tp_progress_line_end(struct tp_progress_line *line, int64_t minis);

#endif
