/* What all stages of a run share without latency: the committed version, and the tags and stamps that were given.
 * Stage 0 writes tags and commits, the last stage writes stamps, everyone reads.
 *
 * A stamp is the committed version at the moment it is given, and from then on keeps that version alive at every stage;
 * so giving a stamp and committing exclude each other (the mutex), and readers load `committed` first: who sees a
 * commit also sees every stamp and tag given before it, and never gives up a version that one of them names. */
#ifndef TP_ENGINE_TRANSPORT_BOARD_H
#define TP_ENGINE_TRANSPORT_BOARD_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/schedule/version_ledger.h"

struct tp_board {
	pthread_mutex_t mutex;
	_Atomic int64_t committed, entered, started;
	struct tp_stamps stamps; /* rings, long enough for everything in flight */
};

/* Rings for `tags` and `minis` entries in flight. Release with tp_board_release(); safe after a failure. */
enum tp_status tp_board_init(struct tp_board *board, int64_t tags, int64_t minis);
void tp_board_release(struct tp_board *board);
void tp_board_reset(struct tp_board *board);

struct tp_observation tp_board_observe(struct tp_board *board);

/* Stage 0: forward number `index` has entered with this tag. */
void tp_board_enter(struct tp_board *board, int64_t index, int64_t tag);

/* Last stage: the backward of `mini` starts; returns its stamp, the committed version of this moment. */
int64_t tp_board_start_backward(struct tp_board *board, int64_t mini);

/* Stage 0: version `version` is applied. Returns the board as of the commit, the commit itself not included: who may
 * still read the version before. */
struct tp_observation tp_board_commit(struct tp_board *board, int64_t version);

#endif
