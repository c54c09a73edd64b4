/* NCCL between GPUs of this process: communicators by unique id. An injected failure of ncclCommGetAsyncError is what
 * it reports of the communicator. */
#include "tests/fakecuda/fake_nccl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_clique *cliques;
static uint64_t ids;
static char last_text[FAKE_TEXT_BYTES];

ncclResult_t fake_nccl_enter(struct fake_call *call, const char *name)
{
	int injected = fake_injected(name);
	cudaError_t lost = fake_enter_plain(call, name);
	return injected ? (ncclResult_t)injected : lost ? ncclUnhandledCudaError : ncclSuccess;
}

ncclResult_t fake_nccl_leave(struct fake_call *call, ncclResult_t result)
{
	(void)fake_leave(call, cudaSuccess);
	return result;
}

ncclResult_t fake_nccl_refuse(struct ncclComm *comm, ncclResult_t result, const char *text)
{
	(void)snprintf(last_text, sizeof last_text, "%s", text);
	if (comm)
		(void)snprintf(comm->text, sizeof comm->text, "%s", text);
	return result;
}

FAKE_EXPORT ncclResult_t ncclGetVersion(int *version)
{
	struct fake_call call;
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	*version = NCCL_VERSION_CODE;
	return fake_nccl_leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
	struct fake_call call;
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	(void)memset(id, 0, sizeof *id);
	(void)snprintf(id->internal, sizeof id->internal, "fakecuda %llu", (unsigned long long)++ids);
	return fake_nccl_leave(&call, result);
}

static struct fake_clique *clique_of(const ncclUniqueId *id, int ranks)
{
	struct fake_clique *clique = cliques;
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

/* The first failure of a communicator stays. */
static void settle_all(struct fake_clique *clique, ncclResult_t state, const char *text)
{
	for (int i = 0; i < clique->ranks; i++) {
		struct ncclComm *comm = clique->comms[i];
		if (comm && (comm->state == ncclSuccess || comm->state == ncclInProgress))
			comm->state = fake_nccl_refuse(comm, state, text);
	}
}

/* The last to come sees whether each has a GPU of its own. */
static void complete(struct fake_clique *clique)
{
	char text[FAKE_TEXT_BYTES];
	for (int a = 0; a < clique->ranks; a++)
		for (int b = a + 1; b < clique->ranks; b++)
			if (clique->comms[a] && clique->comms[b] &&
			    clique->comms[a]->device == clique->comms[b]->device) {
				(void)snprintf(text, sizeof text,
				               "Duplicate GPU detected : rank %d and rank %d both on CUDA device %x", a,
				               b, ((unsigned)clique->comms[a]->device + 1) << 12);
				settle_all(clique, ncclInvalidUsage, text);
				return;
			}
	settle_all(clique, ncclSuccess, "");
}

static ncclResult_t wait_for_all(struct ncclComm *comm)
{
	while (comm->state == ncclInProgress)
		if (!fake_wait_for_others() || fake.hang)
			return fake_nccl_refuse(comm, ncclSystemError, "fakecuda: not all ranks came");
	return comm->state;
}

FAKE_EXPORT ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank,
                                                ncclConfig_t *config)
{
	struct fake_call call;
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	if (!result && (!comm || ranks < 1 || ranks > FAKE_RANKS_MAX || rank < 0 || rank >= ranks))
		result = fake_nccl_refuse(NULL, ncclInvalidArgument, "rank out of range");
	struct fake_clique *clique = result ? NULL : clique_of(&id, ranks);
	if (!result && (clique->ranks != ranks || clique->comms[rank]))
		result = fake_nccl_refuse(NULL, ncclInvalidArgument, "ranks do not agree");
	if (result)
		return fake_nccl_leave(&call, result);
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
	result = !own->blocking ? ncclInProgress : fake_nccl_in_group() ? ncclSuccess : wait_for_all(own);
	return fake_nccl_leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *state)
{
	struct fake_call call;
	int injected = fake_injected(__func__);
	(void)fake_enter_plain(&call, __func__);
	if (!comm || !state)
		return fake_nccl_leave(&call, ncclInvalidArgument);
	if (injected)
		comm->state = fake_nccl_refuse(comm, (ncclResult_t)injected, "fakecuda: injected");
	*state = comm->busy && comm->state == ncclSuccess ? ncclInProgress : comm->state;
	comm->busy = false;
	return fake_nccl_leave(&call, ncclSuccess);
}

static ncclResult_t end(struct ncclComm *comm, bool abort)
{
	struct fake_clique *clique = comm->clique, **at = &cliques;
	bool last = ++clique->left == clique->joined;
	clique->comms[comm->rank] = NULL;
	fake_nccl_give_up(comm, last);
	if (abort)
		settle_all(clique, ncclRemoteError, "a peer gave up");
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
	return fake_nccl_leave(&call, injected ? (ncclResult_t)injected : result);
}

FAKE_EXPORT ncclResult_t ncclCommDestroy(ncclComm_t comm)
{
	struct fake_call call;
	int injected = fake_injected(__func__);
	(void)fake_enter_plain(&call, __func__);
	ncclResult_t result = comm ? end(comm, false) : ncclInvalidArgument;
	return fake_nccl_leave(&call, injected ? (ncclResult_t)injected : result);
}

FAKE_EXPORT ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
	struct fake_call call;
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	if (!result && !comm)
		result = ncclInvalidArgument;
	if (!result && !comm->blocking) {
		comm->busy = true;
		result = ncclInProgress;
	}
	return fake_nccl_leave(&call, result);
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

/* A copy of the caller's own, since a peer's failure may change the text while it is read. */
FAKE_EXPORT const char *ncclGetLastError(ncclComm_t comm)
{
	static _Thread_local char text[FAKE_TEXT_BYTES];
	struct fake_call call;
	(void)fake_enter_plain(&call, __func__);
	(void)snprintf(text, sizeof text, "%s", comm ? comm->text : last_text);
	(void)fake_leave(&call, cudaSuccess);
	return text;
}
