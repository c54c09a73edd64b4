/* The verifier's last part: weight versions. Version k of a stage exists from the end of its k-th update on, and for as
 * long as the stage says that it holds so many. What must be alive, the live version and whatever a later operation
 * reads, is counted here from the reads alone; a stage may hold more, never less. */
#include "engine/base/memory.h"
#include "engine/schedule/verify_internal.h"

/* One stage's operations on their way through its list. */
struct walk {
	const struct tp_verify_index *index;
	struct tp_fault *fault;
	int32_t stage, rank;
	int32_t *backwards; /* done, by mini-batch: the update is due after the last */
	int64_t *last_read; /* by version - oldest: the last step that reads it, -1: none */
	int64_t *needed;    /* by step: versions needed after it; from differences */
	int64_t oldest, live;
	int64_t floor;      /* nothing older is left, since `floor_step` */
	int64_t floor_step; /* -1: since the start */
};

static const struct tp_listed *op_at(const struct walk *walk, int64_t step)
{
	const struct tp_listed *op = &walk->index->listing->lists[walk->rank].ops[step];
	return op->stage == walk->stage && tp_listed_computes(op->kind) ? op : NULL;
}

static int64_t steps_of(const struct walk *walk)
{
	return walk->index->listing->lists[walk->rank].count;
}

static void fail_at(const struct walk *walk, enum tp_fault_kind kind, int64_t step, const char *expected,
                    int64_t expected_number, const char *found, int64_t found_number)
{
	tp_fault_set(walk->fault, walk->index->listing, kind, (struct tp_listed_place){walk->rank, step}, walk->stage,
	             "expected %s %lld, found %s%lld", expected, (long long)expected_number, found,
	             (long long)found_number);
}

/* Is the update of its mini-batch due after this operation? */
static bool update_due(struct walk *walk, const struct tp_listed *op)
{
	if (op->kind != TP_LISTED_B && op->kind != TP_LISTED_BW)
		return false;
	return ++walk->backwards[op->mini - 1] == walk->index->listing->backwards_per_mini;
}

static void check_read(const struct walk *walk, const struct tp_listed *op, int64_t step)
{
	if (op->version_live != walk->live)
		fail_at(walk, TP_FAULT_UPDATE, step, "live version", walk->live, "version ", op->version_live);
	else if (op->version_read > walk->live)
		fail_at(walk, TP_FAULT_VERSION, step, "a version that exists, at most", walk->live, "version ",
		        op->version_read);
	else if (op->version_read < walk->oldest)
		fail_at(walk, TP_FAULT_VERSION, step, "a version of this epoch, at least", walk->oldest, "version ",
		        op->version_read);
	else if (op->version_read < walk->floor)
		tp_fault_set(walk->fault, walk->index->listing, TP_FAULT_VERSION,
		             (struct tp_listed_place){walk->rank, step}, walk->stage,
		             "reads version %lld, but only version %lld was alive after step %lld",
		             (long long)op->version_read, (long long)walk->floor, (long long)walk->floor_step);
}

/* First every operation by itself, in order. */
static void walk_ops(struct walk *walk)
{
	for (int64_t i = 0; i < steps_of(walk) && walk->fault->kind == TP_FAULT_NONE; i++) {
		const struct tp_listed *op = op_at(walk, i);
		if (!op)
			continue;
		check_read(walk, op, i);
		if (walk->fault->kind != TP_FAULT_NONE)
			return;
		bool due = update_due(walk, op);
		if (due != op->updates)
			tp_fault_set(walk->fault, walk->index->listing, TP_FAULT_UPDATE,
			             (struct tp_listed_place){walk->rank, i}, walk->stage,
			             due ? "expected the update of mini-batch %lld after its last backward, found none"
			                 : "expected no update of mini-batch %lld before its last backward, found one",
			             (long long)op->mini);
		walk->live += due;
		if (op->versions_alive < 1)
			fail_at(walk, TP_FAULT_ALIVE, i, "versions alive of at least", 1, "", op->versions_alive);
		if (op->versions_alive == 1) {
			walk->floor = walk->live;
			walk->floor_step = i;
		}
		walk->last_read[op->version_read - walk->oldest] = i;
	}
}

/* Version `version` is needed after the steps from `made` to before `superseded`, and until its last read begins. */
static void need_between(struct walk *walk, int64_t version, int64_t made, int64_t superseded)
{
	int64_t read = walk->last_read[version - walk->oldest];
	walk->needed[made]++;
	walk->needed[read > superseded ? read : superseded]--;
}

/* Then what is needed after each, against what is said to be alive. */
static void walk_needs(struct walk *walk)
{
	int64_t steps = steps_of(walk), version = 0, made = 0;
	for (int64_t k = walk->oldest; k < 0; k++) /* left by the epoch before; never live here */
		need_between(walk, k, 0, 0);
	for (int64_t i = 0; i < steps; i++) {
		const struct tp_listed *op = op_at(walk, i);
		if (!op || !op->updates)
			continue;
		need_between(walk, version++, made, i);
		made = i;
	}
	need_between(walk, version, made, steps);
	int64_t needed = 0;
	for (int64_t i = 0; i < steps; i++) {
		needed += walk->needed[i];
		const struct tp_listed *op = op_at(walk, i);
		if (!op || needed <= op->versions_alive)
			continue;
		fail_at(walk, TP_FAULT_ALIVE, i, "versions alive, for what is read later,", needed, "",
		        op->versions_alive);
		return;
	}
}

static void check_end(const struct walk *walk)
{
	const struct tp_listing *listing = walk->index->listing;
	if (!listing->versions_at_end || listing->versions_at_end[walk->stage] == 1 ||
	    (listing->versions_at_end[walk->stage] == 2 && listing->reads_lag))
		return;
	fail_at(walk, TP_FAULT_ALIVE, steps_of(walk), "versions left when drained,", listing->reads_lag ? 2 : 1, "",
	        listing->versions_at_end[walk->stage]);
}

static enum tp_status check_stage(const struct tp_verify_index *index, int32_t stage, struct tp_fault *fault)
{
	const struct tp_listing *listing = index->listing;
	struct walk walk = {
	        .index = index,
	        .fault = fault,
	        .stage = stage,
	        .rank = index->rank_of[stage],
	        .oldest = listing->oldest_version,
	        .floor = listing->oldest_version,
	        .floor_step = -1,
	};
	int64_t versions = listing->minis + 1 - walk.oldest;
	walk.backwards = tp_alloc_array((size_t)listing->minis, sizeof *walk.backwards);
	walk.last_read = tp_alloc_array((size_t)versions, sizeof *walk.last_read);
	walk.needed = tp_alloc_array((size_t)steps_of(&walk) + 1, sizeof *walk.needed);
	bool made = walk.backwards && walk.last_read && walk.needed;
	for (int64_t k = 0; made && k < versions; k++)
		walk.last_read[k] = -1;
	if (made)
		walk_ops(&walk);
	if (made && fault->kind == TP_FAULT_NONE)
		walk_needs(&walk);
	if (made && fault->kind == TP_FAULT_NONE)
		check_end(&walk);
	tp_free(walk.backwards);
	tp_free(walk.last_read);
	tp_free(walk.needed);
	return made ? TP_OK : TP_ERR_NOMEM;
}

enum tp_status tp_verify_versions(const struct tp_verify_index *index, struct tp_fault *fault)
{
	for (int32_t s = 0; s < index->listing->stages && fault->kind == TP_FAULT_NONE; s++)
		TP_TRY(check_stage(index, s, fault));
	return TP_OK;
}
