/* Schedules in the CSV form that PyTorch's pipelining reads and writes: a row per rank, a cell per step, an empty cell
 * where the rank does nothing. A cell is stage, action, micro-batch, without blanks: `0F1`. Actions are F, B, I (input
 * part of a backward), W (its weight part; in a file without I the B before it is the input part, and BW a whole
 * backward, as PyTorch wrote them first), SEND_F, RECV_F, SEND_B and RECV_B; UNSHARD, RESHARD and REDUCE_GRAD, which
 * move weights and not activations, are passed over. `(0F1;1B0)OVERLAP_F_B` is two operations in one step. A file is
 * one mini-batch; its weights are not versioned. */
#ifndef TP_ENGINE_SCHEDULE_LISTING_CSV_H
#define TP_ENGINE_SCHEDULE_LISTING_CSV_H

#include "engine/schedule/listing.h"

/* Parse `size` bytes; `name` names them in errors, which say row and column, 1-based. TP_ERR_INPUT; nothing is left
 * then. Whether everything is there, and runs, is tp_verify()'s to say. */
enum tp_status tp_listing_parse_csv(const char *name, const char *bytes, size_t size, struct tp_listing *listing);

/* The same from a file; TP_ERR_IO when it cannot be read. Release with tp_listing_release(). */
enum tp_status tp_listing_read_csv(const char *path, struct tp_listing *listing);

#endif
