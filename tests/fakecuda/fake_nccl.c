/* NCCL between GPUs of this process: communicators by unique id, and pairs of send and receive as operations of both
 * streams, none of which ends before the other was posted. Whatever one group posts to one stream is one operation
 * there, and progresses together. An injected failure of ncclCommGetAsyncError is what it reports of the communicator.
 */
#include "tests/fakecuda/fake_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nccl.h>

/* Which the header does not declare as prototypes. */
ncclResult_t ncclGroupStart(void);
ncclResult_t ncclGroupEnd(void);

enum { RANKS_MAX = 16, GROUP_MAX = 64, TEXT_BYTES = 160 };

struct transfer {
	struct transfer *next; /* of those that wait for the other side */
	struct clique *clique; /* NULL: nobody's any more */
	struct fake_operation *operation;
	struct transfer *other; /* NULL: not posted yet */
	unsigned char *at;
	size_t bytes;
	int from, to; /* ranks */
	bool sends, done;
};

/* Of one operation. */
struct fake_group {
	int count, left;
	struct transfer transfers[FAKE_TOUCHES];
};

/* What the ranks of one unique id share. */
struct clique {
	struct clique *next;
	ncclUniqueId id;
	int ranks, joined, left;
	struct ncclComm *comms[RANKS_MAX]; /* NULL: not there yet, or no more */
	struct transfer *waiting;
};

struct ncclComm {
	struct clique *clique;
	int rank, device;
	bool blocking;
	bool busy; /* a call that did not block is under way, until somebody asks */
	ncclResult_t state;
	char text[TEXT_BYTES];
};

/* A call of a group that is still open. */
struct posted {
	struct ncclComm *comm;
	struct CUstream_st *stream;
	void *at;
	size_t bytes;
	int peer;
	bool sends;
};

static struct clique *cliques;
static uint64_t ids;
static char last_text[TEXT_BYTES];
static _Thread_local struct posted group[GROUP_MAX];
static _Thread_local int group_count, group_depth;

static ncclResult_t enter(struct fake_call *call, const char *name)
{
	int injected = fake_injected(name);
	cudaError_t lost = fake_enter_plain(call, name);
	return injected ? (ncclResult_t)injected : lost ? ncclUnhandledCudaError : ncclSuccess;
}

static ncclResult_t leave(struct fake_call *call, ncclResult_t result)
{
	(void)fake_leave(call, cudaSuccess);
	return result;
}

static ncclResult_t refuse(struct ncclComm *comm, ncclResult_t result, const char *text)
{
	(void)snprintf(last_text, sizeof last_text, "%s", text);
	if (comm)
		(void)snprintf(comm->text, sizeof comm->text, "%s", text);
	return result;
}

/* --- transfers --- */

static void finish_transfer(struct transfer *transfer)
{
	if (!transfer->done) {
		transfer->done = true;
		transfer->operation->group->left--;
	}
}

static bool can_run(const struct transfer *transfer)
{
	return !transfer->done && transfer->other && fake_at_head(transfer->other->operation);
}

bool fake_group_ready(const struct fake_group *own)
{
	for (int i = 0; i < own->count; i++)
		if (can_run(&own->transfers[i]))
			return true;
	return own->left == 0;
}

bool fake_group_run(struct fake_group *own)
{
	for (int i = 0; i < own->count; i++) {
		struct transfer *transfer = &own->transfers[i], *other = transfer->other;
		if (!can_run(transfer))
			continue;
		const struct transfer *sender = transfer->sends ? transfer : other;
		const struct transfer *receiver = transfer->sends ? other : transfer;
		if (!sender->operation->astray && !receiver->operation->astray)
			(void)memcpy(receiver->at, sender->at, sender->bytes);
		finish_transfer(transfer);
		finish_transfer(other);
	}
	return own->left == 0;
}

static void forget_waiting(struct transfer *transfer)
{
	struct transfer **at = transfer->clique ? &transfer->clique->waiting : NULL;
	while (at && *at && *at != transfer)
		at = &(*at)->next;
	if (at && *at)
		*at = transfer->next;
}

void fake_group_free(struct fake_group *own)
{
	for (int i = 0; own && i < own->count; i++) {
		forget_waiting(&own->transfers[i]);
		if (!own->transfers[i].done && own->transfers[i].other)
			own->transfers[i].other->other = NULL;
	}
	free(own);
}

static void fail_pair(const struct transfer *a, const struct transfer *b)
{
	char text[TEXT_BYTES];
	(void)snprintf(text, sizeof text, "rank %d and rank %d: %zu bytes meet %zu", a->from, a->to, a->bytes,
	               b->bytes);
	struct clique *clique = a->clique;
	for (int i = 0; i < 2; i++) {
		struct ncclComm *comm = clique->comms[i ? a->from : a->to];
		if (comm)
			comm->state = refuse(comm, ncclInvalidUsage, text);
	}
}

/* With the first that waits on the other side, else it waits itself. */
static void match(struct transfer *transfer)
{
	struct transfer **at = &transfer->clique->waiting;
	while (*at && ((*at)->sends == transfer->sends || (*at)->from != transfer->from || (*at)->to != transfer->to))
		at = &(*at)->next;
	struct transfer *other = *at;
	transfer->next = NULL;
	if (!other) {
		*at = transfer;
		return;
	}
	*at = other->next;
	if (other->bytes != transfer->bytes) {
		fail_pair(transfer, other);
		return;
	}
	transfer->other = other;
	other->other = transfer;
}

static void add_transfer(struct fake_operation *operation, const struct posted *posted)
{
	struct fake_group *own = operation->group;
	struct ncclComm *comm = posted->comm;
	own->transfers[own->count++] = (struct transfer){.clique = comm->clique,
	                                                 .operation = operation,
	                                                 .at = posted->at,
	                                                 .bytes = posted->bytes,
	                                                 .from = posted->sends ? comm->rank : posted->peer,
	                                                 .to = posted->sends ? posted->peer : comm->rank,
	                                                 .sends = posted->sends};
	own->left++;
	operation->bytes += posted->bytes;
	if (posted->sends)
		fake_reads(&operation->touches, posted->at, posted->bytes);
	else
		fake_writes(&operation->touches, posted->at, posted->bytes);
}

/* All calls of the open group that go to the stream of its call `first`. */
static ncclResult_t issue_stream(int first)
{
	struct CUstream_st *stream = group[first].stream;
	int count = 0;
	for (int i = first; i < group_count; i++)
		count += group[i].stream == stream;
	if (count > FAKE_TOUCHES)
		return refuse(NULL, ncclInvalidUsage, "fakecuda: too many calls in one group");
	const char *name = group[first].sends ? "ncclSend" : "ncclRecv";
	struct fake_operation *operation = fake_operation_new(stream, FAKE_TRANSFER, name, NULL, 0);
	operation->group = fake_alloc(sizeof *operation->group);
	for (int i = first; i < group_count; i++)
		if (group[i].stream == stream) {
			add_transfer(operation, &group[i]);
			group[i].stream = NULL;
		}
	for (int i = 0; i < operation->group->count; i++)
		match(&operation->group->transfers[i]);
	fake_issue(operation);
	return ncclSuccess;
}

/* A communicator that does not block may say that it is not done issuing. */
static ncclResult_t close_group(void)
{
	ncclResult_t result = ncclSuccess;
	for (int i = 0; i < group_count; i++) {
		struct ncclComm *comm = group[i].comm;
		if (group[i].stream && result != ncclInvalidUsage) {
			ncclResult_t issued = issue_stream(i);
			result = issued ? issued : result;
		}
		if (!comm->blocking && result == ncclSuccess && fake_random(2) == 0) {
			comm->busy = true;
			result = ncclInProgress;
		}
	}
	group_count = 0;
	return result;
}

static ncclResult_t post(struct posted posted, cudaStream_t stream)
{
	struct ncclComm *comm = posted.comm;
	posted.stream = fake_stream(stream);
	if (comm->state != ncclSuccess || comm->busy)
		return refuse(comm, ncclInvalidUsage, "the communicator is not ready");
	if (!posted.stream || posted.stream->device != comm->device || posted.peer < 0 ||
	    posted.peer >= comm->clique->ranks || !posted.at)
		return refuse(comm, ncclInvalidArgument, "no such stream of this GPU, peer or buffer");
	if (group_count == GROUP_MAX)
		return refuse(comm, ncclInvalidUsage, "fakecuda: too many calls in one group");
	group[group_count++] = posted;
	return group_depth > 0 ? ncclSuccess : close_group();
}

static size_t type_bytes(ncclDataType_t type)
{
	static const unsigned char bytes[ncclNumTypes] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
	return type >= 0 && type < ncclNumTypes ? bytes[type] : 0;
}

FAKE_EXPORT ncclResult_t ncclSend(const void *from, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                                  cudaStream_t stream)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	union {
		const void *from;
		void *at;
	} buffer = {from};
	struct posted posted = {
	        .comm = comm, .at = buffer.at, .bytes = count * type_bytes(type), .peer = peer, .sends = true};
	if (!result)
		result = comm ? post(posted, stream) : ncclInvalidArgument;
	return leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                                  cudaStream_t stream)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	struct posted posted = {.comm = comm, .at = to, .bytes = count * type_bytes(type), .peer = peer};
	if (!result)
		result = comm ? post(posted, stream) : ncclInvalidArgument;
	return leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclGroupStart(void)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	group_depth += result == ncclSuccess;
	return leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclGroupEnd(void)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	if (!result && group_depth == 0)
		result = refuse(NULL, ncclInvalidUsage, "ncclGroupEnd: not in a group");
	if (!result && --group_depth == 0)
		result = close_group();
	return leave(&call, result);
}

/* --- communicators --- */

FAKE_EXPORT ncclResult_t ncclGetVersion(int *version)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	*version = NCCL_VERSION_CODE;
	return leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	(void)memset(id, 0, sizeof *id);
	(void)snprintf(id->internal, sizeof id->internal, "fakecuda %llu", (unsigned long long)++ids);
	return leave(&call, result);
}

static struct clique *clique_of(const ncclUniqueId *id, int ranks)
{
	struct clique *clique = cliques;
	while (clique && memcmp(&clique->id, id, sizeof *id) != 0)
		clique = clique->next;
	if (!clique) {
		clique = fake_alloc(sizeof *clique);
		clique->id = *id;
		clique->ranks = ranks;
		clique->next = cliques;
		cliques = clique;
	}
	return clique;
}

static void fail_all(struct clique *clique, ncclResult_t state, const char *text)
{
	for (int i = 0; i < clique->ranks; i++)
		if (clique->comms[i])
			clique->comms[i]->state = refuse(clique->comms[i], state, text);
}

/* The last to come sees whether each has a GPU of its own. */
static void complete(struct clique *clique)
{
	char text[TEXT_BYTES];
	for (int a = 0; a < clique->ranks; a++)
		for (int b = a + 1; b < clique->ranks; b++)
			if (clique->comms[a] && clique->comms[b] &&
			    clique->comms[a]->device == clique->comms[b]->device) {
				(void)snprintf(text, sizeof text,
				               "Duplicate GPU detected : rank %d and rank %d both on CUDA device %x", a,
				               b, ((unsigned)clique->comms[a]->device + 1) << 12);
				fail_all(clique, ncclInvalidUsage, text);
				return;
			}
	fail_all(clique, ncclSuccess, "");
}

static ncclResult_t wait_for_all(struct ncclComm *comm)
{
	while (comm->state == ncclInProgress)
		if (!fake_wait_for_others() || fake.hang)
			return refuse(comm, ncclSystemError, "fakecuda: not all ranks came");
	return comm->state;
}

FAKE_EXPORT ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank,
                                                ncclConfig_t *config)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	if (!result && (!comm || ranks < 1 || ranks > RANKS_MAX || rank < 0 || rank >= ranks))
		result = refuse(NULL, ncclInvalidArgument, "rank out of range");
	struct clique *clique = result ? NULL : clique_of(&id, ranks);
	if (!result && (clique->ranks != ranks || clique->comms[rank]))
		result = refuse(NULL, ncclInvalidArgument, "ranks do not agree");
	if (result)
		return leave(&call, result);
	struct ncclComm *own = fake_alloc(sizeof *own);
	*own = (struct ncclComm){.clique = clique,
	                         .rank = rank,
	                         .device = *fake_device(),
	                         .blocking = !config || config->blocking != 0,
	                         .state = ncclInProgress};
	own->busy = !own->blocking;
	clique->comms[rank] = *comm = own;
	if (++clique->joined == ranks)
		complete(clique);
	fake_tell_others();
	result = !own->blocking ? ncclInProgress : group_depth > 0 ? ncclSuccess : wait_for_all(own);
	return leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state)
{
	struct fake_call call;
	int injected = fake_injected(__func__);
	(void)fake_enter_plain(&call, __func__);
	if (!comm || !state)
		return leave(&call, ncclInvalidArgument);
	if (injected)
		comm->state = refuse(comm, (ncclResult_t)injected, "fakecuda: injected");
	*state = comm->busy && comm->state == ncclSuccess ? ncclInProgress : comm->state;
	comm->busy = false;
	return leave(&call, ncclSuccess);
}

/* What the communicator posted is given up: its streams go on, those of its peers find nobody. */
static void give_up(struct ncclComm *comm, bool of_clique)
{
	for (struct CUstream_st *s = fake.streams; s; s = s->next)
		for (struct fake_operation *o = s->first; o; o = o->next)
			for (int i = 0; o->group && i < o->group->count; i++) {
				struct transfer *transfer = &o->group->transfers[i];
				if (transfer->clique != comm->clique)
					continue;
				bool own = (transfer->sends ? transfer->from : transfer->to) == comm->rank;
				if (own && !transfer->done) {
					forget_waiting(transfer);
					if (transfer->other)
						transfer->other->other = NULL;
					finish_transfer(transfer);
				}
				if (of_clique || own) {
					forget_waiting(transfer);
					transfer->clique = NULL;
				}
			}
}

static ncclResult_t end(struct ncclComm *comm, bool abort)
{
	struct clique *clique = comm->clique, **at = &cliques;
	bool last = ++clique->left == clique->joined;
	clique->comms[comm->rank] = NULL;
	give_up(comm, last);
	if (abort)
		fail_all(clique, ncclRemoteError, "a peer gave up");
	free(comm);
	fake_tell_others();
	if (!last)
		return ncclSuccess;
	while (*at != clique)
		at = &(*at)->next;
	*at = clique->next;
	free(clique);
	return ncclSuccess;
}

FAKE_EXPORT ncclResult_t ncclCommAbort(ncclComm_t comm)
{
	struct fake_call call;
	int injected = fake_injected(__func__);
	(void)fake_enter_plain(&call, __func__);
	ncclResult_t result = comm ? end(comm, true) : ncclInvalidArgument;
	return leave(&call, injected ? (ncclResult_t)injected : result);
}

FAKE_EXPORT ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
	struct fake_call call;
	int injected = fake_injected(__func__);
	(void)fake_enter_plain(&call, __func__);
	ncclResult_t result = comm ? end(comm, false) : ncclInvalidArgument;
	return leave(&call, injected ? (ncclResult_t)injected : result);
}

FAKE_EXPORT ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
	struct fake_call call;
	ncclResult_t result = enter(&call, __func__);
	if (!result && !comm)
		result = ncclInvalidArgument;
	if (!result && !comm->blocking) {
		comm->busy = true;
		result = ncclInProgress;
	}
	return leave(&call, result);
}

FAKE_EXPORT const char *ncclGetErrorString(ncclResult_t result)
{
	static const char *const texts[ncclNumResults] = {
	        "no error",
	        "unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
	        "unhandled system error (run with NCCL_DEBUG=INFO for details)",
	        "internal error - please report this issue to the NCCL developers",
	        "invalid argument (run with NCCL_DEBUG=WARN for details)",
	        "invalid usage (run with NCCL_DEBUG=WARN for details)",
	        "remote process exited or there was a network error",
	        "NCCL operation in progress"};
	return result >= 0 && result < ncclNumResults ? texts[result] : "unknown result code";
}

/* The text stays where it is; who asks is the thread that the failure was given to. */
FAKE_EXPORT const char *ncclGetLastError(ncclComm_t comm)
{
	return comm ? comm->text : last_text;
}
