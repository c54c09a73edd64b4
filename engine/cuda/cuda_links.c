/* Messages between stages on GPUs of one process: copied on a stream of their own, or not at all. */
#include "engine/cuda/cuda_links.h"

#include "engine/base/memory.h"
#include "engine/cuda/cuda_devices.h"

/* For messages within one GPU and between two. */
struct tp_link_way {
	struct tp_cuda_device *from, *to;
	bool upstream;
};

/* Let `device` reach the memory of `peer`; false: it cannot, copies take a way around. */
static enum tp_status reach(struct tp_cuda_device *device, const struct tp_cuda_device *peer, bool *can_reach)
{
	int can = 0;
	TP_TRY(tp_cuda_enter(device));
	TP_TRY(TP_CUDA_CHECK(cudaDeviceCanAccessPeer, &can, device->gpu, peer->gpu));
	*can_reach = can != 0;
	if (!can)
		return TP_OK;
	const cudaError_t error = tp_cuda.cudaDeviceEnablePeerAccess(peer->gpu, 0);
	if (error == cudaErrorPeerAccessAlreadyEnabled) {
		(void)tp_cuda.cudaGetLastError(); /* nobody else is to find it */
		return TP_OK;
	}
	return tp_cuda_status(error, "cudaDeviceEnablePeerAccess", __FILE__, __LINE__);
}

static enum tp_status reach_each_other(struct tp_cuda_device *a, struct tp_cuda_device *b, bool *can_reach)
{
	bool there = true, back = true;
	if (a->gpu != b->gpu) {
		TP_TRY(reach(a, b, &there));
		TP_TRY(reach(b, a, &back));
	}
	*can_reach = there && back;
	return TP_OK;
}

static enum tp_status way_new(struct tp_cuda_device *from, struct tp_cuda_device *to, bool upstream,
                              struct tp_link_way **way)
{
	*way = tp_alloc(sizeof **way);
	if (!*way)
		return TP_ERR_NOMEM;
	**way = (struct tp_link_way){.from = from, .to = to, .upstream = upstream};
	return TP_OK;
}

static void way_close(struct tp_link_way *way)
{
	tp_free(way);
}

static enum tp_status nothing(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	(void)way, (void)transfer;
	return TP_OK;
}

/* --- cuda-copy ---------------------------------------------------------------------------------------------------- */

static enum tp_status copy_open(struct tp_device *from, struct tp_device *to, bool upstream, struct tp_link_way **way)
{
	bool can_reach = false; /* either way: CUDA copies through the host where it has to */
	TP_TRY(reach_each_other(tp_cuda_of(from), tp_cuda_of(to), &can_reach));
	return way_new(tp_cuda_of(from), tp_cuda_of(to), upstream, way);
}

enum tp_status tp_cuda_begin_transfer(cudaStream_t stream, const struct tp_mark *first, const struct tp_mark *second,
                                      const struct tp_mark *began)
{
	const struct tp_mark *const before[] = {first, second};
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
		if (before[i])
			TP_TRY(TP_CUDA_CHECK(cudaStreamWaitEvent, stream, before[i]->event, 0));
	return began ? TP_CUDA_CHECK(cudaEventRecord, began->event, stream) : TP_OK;
}

static enum tp_status copy_on(const struct tp_link_way *way, struct tp_cuda_device *actor, cudaStream_t stream,
                              const struct tp_transfer *transfer)
{
	TP_TRY(tp_cuda_failure(actor));
	TP_TRY(tp_cuda_enter(actor));
	TP_TRY(tp_cuda_begin_transfer(stream, transfer->ready, transfer->room, transfer->began));
	if (way->from->gpu == way->to->gpu)
		TP_TRY(TP_CUDA_CHECK(cudaMemcpyAsync, transfer->to, transfer->from, transfer->bytes,
		                     cudaMemcpyDeviceToDevice, stream));
	else
		TP_TRY(TP_CUDA_CHECK(cudaMemcpyPeerAsync, transfer->to, way->to->gpu, transfer->from, way->from->gpu,
		                     transfer->bytes, stream));
	return TP_CUDA_CHECK(cudaEventRecord, transfer->arrived->event, stream);
}

static enum tp_status copy_and_leave(const struct tp_link_way *way, const struct tp_transfer *transfer)
{
	TP_TRY(copy_on(way, way->from, way->from->copy_out, transfer));
	return transfer->left ? TP_CUDA_CHECK(cudaEventRecord, transfer->left->event, way->from->copy_out) : TP_OK;
}

/* Upstream the sender copies, downstream the receiver: it is the later stage each time, so that a stage has one stream
 * for each direction and never waits with both for the same neighbour. */
static enum tp_status copy_send(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	if (!way->upstream)
		return TP_OK;
	return tp_cuda_keep(way->from, copy_and_leave(way, transfer));
}

static enum tp_status copy_receive(struct tp_link_way *way, const struct tp_transfer *transfer)
{
	if (way->upstream)
		return TP_OK;
	return tp_cuda_keep(way->to, copy_on(way, way->to, way->to->copy_in, transfer));
}

const struct tp_link_ops tp_cuda_link_copy = {
        .name = "cuda-copy",
        .summary = "copies within a GPU, or from GPU to GPU, on streams of their own",
        .copies = true,
        .sender_acts_downstream = false,
        .sender_acts_upstream = true,
        .open = copy_open,
        .close = way_close,
        .send = copy_send,
        .receive = copy_receive,
};

/* --- cuda-direct -------------------------------------------------------------------------------------------------- */

static enum tp_status direct_open(struct tp_device *from, struct tp_device *to, bool upstream, struct tp_link_way **way)
{
	struct tp_cuda_device *sender = tp_cuda_of(from), *receiver = tp_cuda_of(to);
	bool can_reach = false;
	TP_TRY(reach_each_other(sender, receiver, &can_reach));
	if (!can_reach)
		return tp_fail(
		        TP_ERR_UNSUPPORTED,
		        "--transport cuda-direct: GPU %d (stage %d) and GPU %d (stage %d) cannot read each other's "
		        "memory; cuda-copy can do without",
		        sender->gpu, (int)from->stage, receiver->gpu, (int)to->stage);
	return way_new(sender, receiver, upstream, way);
}

const struct tp_link_ops tp_cuda_link_direct = {
        .name = "cuda-direct",
        .summary = "no copies: the receiver reads the sender's memory",
        .copies = false,
        .open = direct_open,
        .close = way_close,
        .send = nothing,
        .receive = nothing,
};
