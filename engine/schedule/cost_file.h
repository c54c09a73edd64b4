/* Cost tables as files: CSV that a person can write.
 *
 *	# tpbench costs 1
 *	stage,operation,micro_batch,cost_ns
 *	0,F,0,1200
 *	0,B,-,5400
 *	0,U,-,80
 *
 * One row for every operation of a mini-batch at every stage, in any order; F, B (or BX and BW, when backwards are
 * split) and U; `-` where the operation covers the whole mini-batch. Lines that begin with # are comments. */
#ifndef TP_ENGINE_SCHEDULE_COST_FILE_H
#define TP_ENGINE_SCHEDULE_COST_FILE_H

#include "engine/schedule/cost_table.h"

/* Read a table for `shape`. TP_ERR_INPUT names the file, line and field: an unknown operation, a stage or micro-batch
 * that the run has not, a double or missing entry, a cost that is not positive (0 is allowed for U) or too long. */
enum tp_status tp_cost_file_read(const char *path, struct tp_cost_shape shape, struct tp_cost_table *table);

/* Write a table, to a temporary file first: nothing is left half written. TP_ERR_IO. */
enum tp_status tp_cost_file_write(const char *path, const struct tp_cost_table *table);

#endif
