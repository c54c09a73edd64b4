/* NCCL's messages: pairs of send and receive as operations of both streams, none of which ends before the other was
 * posted. Whatever one group posts to one stream is one operation there, and progresses together. */
#include "tests/fakecuda/fake_nccl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which the header does not declare as prototypes. */
ncclResult_t ncclGroupStart(void);
ncclResult_t ncclGroupEnd(void);

enum { GROUP_MAX = 64 };

/* Of one operation. */
struct fake_group {
	int count, left;
	bool begun;
	struct fake_transfer transfers[FAKE_TOUCHES];
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

static _Thread_local struct posted group[GROUP_MAX];
static _Thread_local int group_count, group_depth;

bool fake_nccl_in_group(void)
{
	return group_depth > 0;
}

static void finish_transfer(struct fake_transfer *transfer)
{
	if (!transfer->done) {
		transfer->done = true;
		transfer->operation->group->left--;
	}
}

static bool can_run(const struct fake_transfer *transfer)
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

static void begin(struct fake_operation *operation)
{
	if (!operation->group->begun)
		fake_order_begin(operation);
	operation->group->begun = true;
}

static void touch(const struct fake_transfer *transfer)
{
	struct fake_touch at = {transfer->at, transfer->bytes, !transfer->sends};
	if (!transfer->operation->astray)
		fake_order_touch(transfer->operation, &at);
}

/* The receiver writes what comes, so after whatever the sender's stream did before. */
static void move(const struct fake_transfer *sender, const struct fake_transfer *receiver)
{
	begin(sender->operation);
	touch(sender);
	begin(receiver->operation);
	fake_clock_join(&receiver->operation->stream->clock, &sender->operation->stream->clock);
	touch(receiver);
	if (!sender->operation->astray && !receiver->operation->astray)
		(void)memcpy(receiver->at, sender->at, sender->bytes);
}

bool fake_group_run(struct fake_group *own)
{
	for (int i = 0; i < own->count; i++) {
		struct fake_transfer *transfer = &own->transfers[i], *other = transfer->other;
		if (!can_run(transfer))
			continue;
		move(transfer->sends ? transfer : other, transfer->sends ? other : transfer);
		finish_transfer(transfer);
		finish_transfer(other);
	}
	return own->left == 0;
}

static void forget_waiting(struct fake_transfer *transfer)
{
	struct fake_transfer **at = transfer->clique ? &transfer->clique->waiting : NULL;
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

static void fail_pair(const struct fake_transfer *a, const struct fake_transfer *b)
{
	char text[FAKE_TEXT_BYTES];
	(void)snprintf(text, sizeof text, "rank %d and rank %d: %zu bytes meet %zu", a->from, a->to, a->bytes,
	               b->bytes);
	struct fake_clique *clique = a->clique;
	for (int i = 0; i < 2; i++) {
		struct ncclComm *comm = clique->comms[i ? a->from : a->to];
		if (comm)
			comm->state = fake_nccl_refuse(comm, ncclInvalidUsage, text);
	}
}

/* With the first that waits on the other side, else it waits itself. */
static void match(struct fake_transfer *transfer)
{
	struct fake_transfer **at = &transfer->clique->waiting;
	while (*at && ((*at)->sends == transfer->sends || (*at)->from != transfer->from || (*at)->to != transfer->to))
		at = &(*at)->next;
	struct fake_transfer *other = *at;
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
	own->transfers[own->count++] = (struct fake_transfer){.clique = comm->clique,
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
		return fake_nccl_refuse(NULL, ncclInvalidUsage, "fakecuda: too many calls in one group");
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
		return fake_nccl_refuse(comm, ncclInvalidUsage, "the communicator is not ready");
	if (!posted.stream || posted.stream->device != comm->device || posted.peer < 0 ||
	    posted.peer >= comm->clique->ranks || !posted.at)
		return fake_nccl_refuse(comm, ncclInvalidArgument, "no such stream of this GPU, peer or buffer");
	if (group_count == GROUP_MAX)
		return fake_nccl_refuse(comm, ncclInvalidUsage, "fakecuda: too many calls in one group");
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
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	union {
		const void *from;
		void *at;
	} buffer = {from};
	struct posted posted = {
	        .comm = comm, .at = buffer.at, .bytes = count * type_bytes(type), .peer = peer, .sends = true};
	if (!result)
		result = comm ? post(posted, stream) : ncclInvalidArgument;
	return fake_nccl_leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclRecv(void *to, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                                  cudaStream_t stream)
{
	struct fake_call call;
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	struct posted posted = {.comm = comm, .at = to, .bytes = count * type_bytes(type), .peer = peer};
	if (!result)
		result = comm ? post(posted, stream) : ncclInvalidArgument;
	return fake_nccl_leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclGroupStart(void)
{
	struct fake_call call;
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	group_depth += result == ncclSuccess;
	return fake_nccl_leave(&call, result);
}

FAKE_EXPORT ncclResult_t ncclGroupEnd(void)
{
	struct fake_call call;
	ncclResult_t result = fake_nccl_enter(&call, __func__);
	if (!result && group_depth == 0)
		result = fake_nccl_refuse(NULL, ncclInvalidUsage, "ncclGroupEnd: not in a group");
	if (!result && --group_depth == 0)
		result = close_group();
	return fake_nccl_leave(&call, result);
}

void fake_nccl_give_up(struct ncclComm *comm, bool last)
{
	for (struct CUstream_st *s = fake.streams; s; s = s->next)
		for (struct fake_operation *o = s->first; o; o = o->next)
			for (int i = 0; o->group && i < o->group->count; i++) {
				struct fake_transfer *transfer = &o->group->transfers[i];
				if (transfer->clique != comm->clique)
					continue;
				bool own = (transfer->sends ? transfer->from : transfer->to) == comm->rank;
				if (own && !transfer->done) {
					forget_waiting(transfer);
					if (transfer->other)
						transfer->other->other = NULL;
					finish_transfer(transfer);
				}
				if (last || own) {
					forget_waiting(transfer);
					transfer->clique = NULL;
				}
			}
}
