/* Messages between GPUs through NCCL: a communicator of two ranks for each way, the sender's and the receiver's. */
#include <pthread.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/cuda/cuda_links.h"

/* How long communicators may take to come up. */
#define COME_UP_NS (60 * TP_NS_PER_S)
#define CLOSE_NS (5 * TP_NS_PER_S)

enum { SENDER, RECEIVER, RANKS };

/* The lock is held during each call of NCCL, none of which blocks, so that abort() from any thread finds communicators
 * that nobody is using. */
struct tp_link_way {
	struct tp_cuda_device *devices[RANKS];
	pthread_mutex_t lock;
	ncclComm_t comms[RANKS]; /* NULL: not there, or aborted */
	bool aborted;
};

/* What a communicator says about itself. */
static enum tp_status comm_state(struct tp_link_way *way, int rank, ncclResult_t *state)
{
	(void)pthread_mutex_lock(&way->lock);
	enum tp_status status = TP_OK;
	if (way->aborted)
		status = tp_fail(TP_ERR_ABORTED, "transport nccl: given up");
	else
		status = TP_NCCL_CHECK(ncclCommGetAsyncError, way->comms[rank], state);
	(void)pthread_mutex_unlock(&way->lock);
	return status;
}

/* Until the communicator has accepted what it was told. */
static enum tp_status settle(struct tp_link_way *way, int rank, int64_t timeout_ns, const char *call)
{
	const int64_t deadline = tp_now_ns() + timeout_ns;
	for (int64_t turn = 0;; turn++) {
		ncclResult_t state = ncclSuccess;
		TP_TRY(comm_state(way, rank, &state));
		if (state != ncclInProgress)
			return tp_nccl_status(state, call, __FILE__, __LINE__);
		if (tp_now_ns() >= deadline)
			return tp_fail(TP_ERR_TIMEOUT, "transport nccl: %s between stages %d and %d took too long",
			               call, (int)way->devices[SENDER]->base.stage,
			               (int)way->devices[RECEIVER]->base.stage);
		tp_cuda_pause(turn);
	}
}

static enum tp_status settle_both(struct tp_link_way *way, int64_t timeout_ns, const char *call)
{
	for (int rank = 0; rank < RANKS; rank++)
		TP_TRY(settle(way, rank, timeout_ns, call));
	return TP_OK;
}

/* Both ranks from one thread: a group, or the first would wait for the second. */
static enum tp_status init_group(struct tp_link_way *way)
{
	ncclUniqueId id;
	ncclConfig_t configs[RANKS] = {NCCL_CONFIG_INITIALIZER, NCCL_CONFIG_INITIALIZER};
	enum tp_status status = TP_OK;
	TP_TRY(TP_NCCL_CHECK(ncclGetUniqueId, &id));
	TP_TRY(TP_NCCL_CHECK(ncclGroupStart));
	for (int rank = 0; rank < RANKS && status == TP_OK; rank++) {
		configs[rank].blocking = 0;
		status = tp_cuda_enter(way->devices[rank]);
		if (status == TP_OK)
			status = TP_NCCL_CHECK(ncclCommInitRankConfig, &way->comms[rank], RANKS, id, rank,
			                       &configs[rank]);
	}
	if (status != TP_OK) {
		(void)tp_cuda.ncclGroupEnd();
		return status;
	}
	return TP_NCCL_CHECK(ncclGroupEnd);
}

/* NCCL connects two ranks at their first message, and both have to come for that; later messages find the connection.
 * The message goes from and to memory that the device has anyway. */
static enum tp_status connect(struct tp_link_way *way)
{
	struct tp_cuda_device *sender = way->devices[SENDER], *receiver = way->devices[RECEIVER];
	TP_TRY(TP_NCCL_CHECK(ncclGroupStart));
	enum tp_status status = TP_NCCL_CHECK(ncclSend, sender->loss_sums, sizeof *sender->loss_sums, ncclInt8,
	                                      RECEIVER, way->comms[SENDER], sender->copy_out);
	if (status == TP_OK)
		status = TP_NCCL_CHECK(ncclRecv, receiver->loss_sums, sizeof *receiver->loss_sums, ncclInt8, SENDER,
		                       way->comms[RECEIVER], receiver->copy_in);
	if (status != TP_OK) {
		(void)tp_cuda.ncclGroupEnd();
		return status;
	}
	TP_TRY(TP_NCCL_CHECK(ncclGroupEnd));
	TP_TRY(settle_both(way, COME_UP_NS, "ncclGroupEnd"));
	TP_TRY(tp_cuda_await(sender, sender->copy_out, COME_UP_NS));
	return tp_cuda_await(receiver, receiver->copy_in, COME_UP_NS);
}

static enum tp_status bring_up(struct tp_link_way *way)
{
	TP_TRY(init_group(way));
	TP_TRY(settle_both(way, COME_UP_NS, "ncclCommInitRankConfig"));
	return connect(way);
}

static void nccl_abort(struct tp_link_way *way)
{
	(void)pthread_mutex_lock(&way->lock);
	way->aborted = true;
	for (int rank = 0; rank < RANKS; rank++) {
		if (way->comms[rank])
			(void)tp_cuda.ncclCommAbort(way->comms[rank]);
		way->comms[rank] = NULL;
	}
	(void)pthread_mutex_unlock(&way->lock);
}

/* Orderly where both ranks agree in time, else by force. */
static void nccl_close(struct tp_link_way *way)
{
	bool orderly = !way->aborted;
	for (int rank = 0; rank < RANKS && orderly; rank++)
		orderly = way->comms[rank] && TP_NCCL_CHECK(ncclCommFinalize, way->comms[rank]) == TP_OK;
	if (orderly && settle_both(way, CLOSE_NS, "ncclCommFinalize") == TP_OK)
		for (int rank = 0; rank < RANKS; rank++) {
			(void)tp_cuda.ncclCommDestroy(way->comms[rank]);
			way->comms[rank] = NULL;
		}
	nccl_abort(way);
	(void)pthread_mutex_destroy(&way->lock);
	tp_free(way);
}

static enum tp_status check_usable(const struct tp_cuda_device *from, const struct tp_cuda_device *to)
{
	if (!tp_cuda.has_nccl)
		return tp_fail(TP_ERR_UNSUPPORTED, "--transport nccl: libnccl.so.%d is missing, or too old",
		               NCCL_MAJOR);
	if (from->gpu == to->gpu)
		return tp_fail(TP_ERR_UNSUPPORTED,
		               "--transport nccl: stages %d and %d share GPU %d, and NCCL takes one rank for each GPU; "
		               "cuda-copy carries messages within one",
		               (int)from->base.stage, (int)to->base.stage, from->gpu);
	return TP_OK;
}

static enum tp_status nccl_open(struct tp_device *from, struct tp_device *to, bool upstream, struct tp_link_way **way)
{
	(void)upstream;
	TP_TRY(check_usable(tp_cuda_of(from), tp_cuda_of(to)));
	struct tp_link_way *made = tp_alloc(sizeof *made);
	if (!made)
		return TP_ERR_NOMEM;
	made->devices[SENDER] = tp_cuda_of(from);
	made->devices[RECEIVER] = tp_cuda_of(to);
	(void)pthread_mutex_init(&made->lock, NULL);
	const enum tp_status status = bring_up(made);
	if (status != TP_OK) {
		nccl_abort(made);
		nccl_close(made);
		return status;
	}
	*way = made;
	return TP_OK;
}

/* One call on a rank's communicator, and until it is accepted. */
static enum tp_status call(struct tp_link_way *way, int rank, const struct tp_transfer *transfer)
{
	enum tp_status status = TP_OK;
	(void)pthread_mutex_lock(&way->lock);
	if (way->aborted)
		status = tp_fail(TP_ERR_ABORTED, "transport nccl: given up");
	else if (rank == SENDER)
		status = TP_NCCL_CHECK(ncclSend, transfer->from, transfer->bytes, ncclInt8, RECEIVER, way->comms[rank],
		                       way->devices[rank]->copy_out);
	else
		status = TP_NCCL_CHECK(ncclRecv, transfer->to, transfer->bytes, ncclInt8, SENDER, way->comms[rank],
		                       way->devices[rank]->copy_in);
	(void)pthread_mutex_unlock(&way->lock);
	TP_TRY(status);
	return settle(way, rank, way->devices[rank]->patience_ns, rank == SENDER ? "ncclSend" : "ncclRecv");
}

static enum tp_status nccl_send(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	struct tp_cuda_device *sender = way->devices[SENDER];
	TP_TRY(tp_cuda_failure(sender));
	TP_TRY(tp_cuda_enter(sender));
	TP_TRY(tp_cuda_keep(sender, tp_cuda_begin_transfer(sender->copy_out, transfer->ready, NULL, NULL)));
	TP_TRY(call(way, SENDER, transfer));
	if (!transfer->left)
		return TP_OK;
	return tp_cuda_keep(sender, TP_CUDA_CHECK(cudaEventRecord, transfer->left->event, sender->copy_out));
}

/* What is there to carry is waited for although NCCL would do so itself: by a kernel, which would keep parts of the GPU
 * from computing meanwhile. */
static enum tp_status receive_and_record(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	struct tp_cuda_device *receiver = way->devices[RECEIVER];
	TP_TRY(tp_cuda_begin_transfer(receiver->copy_in, transfer->room, transfer->ready, transfer->began));
	TP_TRY(call(way, RECEIVER, transfer));
	return TP_CUDA_CHECK(cudaEventRecord, transfer->arrived->event, receiver->copy_in);
}

static enum tp_status nccl_receive(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	struct tp_cuda_device *receiver = way->devices[RECEIVER];
	TP_TRY(tp_cuda_failure(receiver));
	TP_TRY(tp_cuda_enter(receiver));
	return tp_cuda_keep(receiver, receive_and_record(way, transfer));
}

static enum tp_status nccl_check(struct tp_link_way *way)
{
	for (int rank = 0; rank < RANKS; rank++) {
		ncclResult_t state = ncclSuccess;
		TP_TRY(comm_state(way, rank, &state));
		if (state == ncclInProgress)
			continue;
		TP_TRY(tp_nccl_status(state, "ncclCommGetAsyncError", __FILE__, __LINE__));
	}
	return TP_OK;
}

const struct tp_link_ops tp_cuda_link_nccl = {
        .name = "nccl",
        .summary = "NCCL's send and receive, from GPU to GPU",
        .copies = true,
        .sender_acts_downstream = false,
        .sender_acts_upstream = false,
        .open = nccl_open,
        .close = nccl_close,
        .send = nccl_send,
        .receive = nccl_receive,
        .check = nccl_check,
        .abort = nccl_abort,
};
