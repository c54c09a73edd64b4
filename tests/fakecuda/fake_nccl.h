/* What NCCL's transfers and its communicators share; with the lock held, like all of fake_inside.h. */
#ifndef TP_TESTS_FAKECUDA_NCCL_H
#define TP_TESTS_FAKECUDA_NCCL_H

#include <nccl.h>

#include "tests/fakecuda/fake_inside.h"

enum { FAKE_RANKS_MAX = 16, FAKE_TEXT_BYTES = 160 };

struct fake_transfer {
	struct fake_transfer *next; /* of those that wait for the other side */
	struct fake_clique *clique; /* NULL: nobody's any more */
	struct fake_operation *operation;
	struct fake_transfer *other; /* NULL: not posted yet */
	unsigned char *at;
	size_t bytes;
	int from, to; /* ranks */
	bool sends, done;
};

/* What the ranks of one unique id share. */
struct fake_clique {
	struct fake_clique *next;
	ncclUniqueId id;
	int ranks, joined, left;
	struct ncclComm *comms[FAKE_RANKS_MAX]; /* NULL: not there yet, or no more */
	struct fake_transfer *waiting;
};

struct ncclComm {
	struct fake_clique *clique;
	int rank, device;
	bool blocking;
	bool busy; /* a call that did not block is under way, until somebody asks */
	ncclResult_t state;
	char text[FAKE_TEXT_BYTES];
};

/* Begin and end of a call, as fake_enter() and fake_leave(). */
ncclResult_t fake_nccl_enter(struct fake_call *call, const char *name);
ncclResult_t fake_nccl_leave(struct fake_call *call, ncclResult_t result);
/* Keeps the text for ncclGetLastError(); `comm` may be NULL. Passes `result` on. */
ncclResult_t fake_nccl_refuse(struct ncclComm *comm, ncclResult_t result, const char *text);
/* What the communicator posted is given up: its streams go on, those of its peers find nobody. `last`: nobody is left
 * in its clique. */
void fake_nccl_give_up(struct ncclComm *comm, bool last);
bool fake_nccl_in_group(void); /* this thread, now */

#endif
